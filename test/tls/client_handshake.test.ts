// The firmware's TLS client against the firmware's TLS server, both sans-IO in one process.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { loadTlsClient, TlsClient } from './tls_client'
import { loadTls, State, TlsServer } from './tls_server'

let clients: Entry
let servers: Entry
beforeAll(async () => {
  clients = await loadTlsClient()
  servers = await loadTls()
})

describe('client and server of this firmware', () => {
  it('agree, talk and export the same', () => {
    const client = new TlsClient(clients)
    const server = new TlsServer(servers)
    let toServer = client.deliver()
    for (let i = 0; i < 6 && client.state === State.Handshake; i++) toServer = client.deliver(server.deliver(toServer))
    server.deliver(toServer)
    expect(client.state).toBe(State.Open)
    expect(server.state).toBe(State.Open)
    expect(client.write('hello')).toBe(true)
    server.deliver(client.deliver())
    expect(Buffer.from(server.read()).toString()).toBe('hello')
    expect(client.export('EXPORTER-x', Uint8Array.of(1, 2), 32)).toEqual(
      server.export('EXPORTER-x', Uint8Array.of(1, 2), 32),
    )
  })
})
