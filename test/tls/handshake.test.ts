import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { Alert, Group, ScriptedClient, Suite } from './scripted_client'
import { LEAF, loadTls, State, TlsServer } from './tls_server'

let entry: Entry
beforeAll(async () => {
  entry = await loadTls()
})

describe('smoke', () => {
  it('shakes hands', () => {
    const server = new TlsServer(entry)
    const client = new ScriptedClient(LEAF.publicKey)
    client.read(server.deliver(client.sendHello()))
    console.log(client.alertRead, client.suite, client.group, client.authenticated, server.steps)
    client.read(server.deliver(client.sendFinished()))
    expect(server.state).toBe(State.Open)
  })
})
