// The firmware's TLS client against the firmware's TLS server, both sans-IO in one process.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { type ClientOptions, loadTlsClient, THEN, TlsClient } from './tls_client'
import { ALPN, LEAF, loadTls, RECEIVED, SENT, type ServerOptions, State, TlsServer } from './tls_server'

let clients: Entry
let servers: Entry
beforeAll(async () => {
  clients = await loadTlsClient()
  servers = await loadTls()
})

interface Pair {
  client: TlsClient
  server: TlsServer
}

/** Carries bytes both ways, in pieces of `cut` bytes, until nobody has anything to say. */
function converse({ client, server }: Pair, cut = Infinity): void {
  for (let turns = 0; turns < 10; turns++) {
    const up = client.deliver()
    for (let at = 0; at < up.length; at += cut) server.offer(up.subarray(at, Math.min(at + cut, up.length)))
    const down = server.deliver()
    if (up.length === 0 && down.length === 0) return
    for (let at = 0; at < down.length; at += cut) {
      client.offer(down.subarray(at, Math.min(at + cut, down.length)))
      while (client.step()) {}
    }
  }
  throw new Error('they talk and talk')
}

function pair(options: ClientOptions = {}, serverOptions: ServerOptions = {}): Pair {
  return { client: new TlsClient(clients, options), server: new TlsServer(servers, serverOptions) }
}

describe('client and server of this firmware', () => {
  it.each([Infinity, 1, 2, 3, 5, 100, 1000])('agree, talk and export the same, cut every %f bytes', (cut) => {
    const both = pair()
    const { client, server } = both
    converse(both, cut)
    expect([client.state, server.state]).toEqual([State.Open, State.Open])
    expect(client.write('question')).toBe(true)
    converse(both, cut)
    expect(Buffer.from(server.read()).toString()).toBe('question')
    // More than one record of the size that the client asks for.
    expect(server.write('answer'.repeat(300))).toBe(true)
    let heard = ''
    for (let turns = 0; turns < 5; turns++) {
      client.offer(server.deliver())
      while (client.step()) {}
      heard += Buffer.from(client.read()).toString()
    }
    expect(heard).toBe('answer'.repeat(300))
    const context = Uint8Array.of(0, 0, 0, 15, 1)
    expect(client.export('EXPORTER-x', context, 32)).toEqual(server.export('EXPORTER-x', context, 32))
    client.close()
    converse(both, cut)
    expect(server.state).toBe(State.PeerClosed)
  })

  it('send the whole flight of the client in one run, with what is written once it is open', () => {
    const { client, server } = pair()
    client.offer(server.deliver(client.deliver()))
    while (client.state === State.Handshake) {
      client.step()
      client.offer(new Uint8Array())
      if (client.state === State.Handshake) expect(client.take().length).toBe(0)
    }
    expect(client.write('question')).toBe(true)
    while (client.step()) {}
    server.deliver(client.take())
    expect(Buffer.from(server.read()).toString()).toBe('question')
  })

  it.each<[string, ClientOptions, ServerOptions, number, number]>([
    ['another protocol', { alpn: 'h2' }, {}, RECEIVED | 120, SENT | 120],
    ['another name', { name: 'else.test' }, {}, SENT | 46, RECEIVED | 46],
    ['a time before the certificate', { time: THEN - 200 * 86_400 }, {}, SENT | 45, RECEIVED | 45],
    ['a key that is not the certificate’s', {}, { key: new Uint8Array(32).fill(1) }, SENT | 51, RECEIVED | 51],
  ])('part over %s, and both know why', (_name, options, serverOptions, mine, theirs) => {
    const both = pair(options, serverOptions)
    converse(both)
    expect([both.client.alert, both.server.alert]).toEqual([mine, theirs])
  })

  it('agree by a pinned key, whoever signed it', () => {
    const both = pair({ pin: LEAF, alpn: ALPN })
    converse(both)
    expect(both.client.state).toBe(State.Open)
  })
})
