// 20,000 damaged streams: the client neither traps nor runs on, and never opens on damage.
//
// The module is the checked build, whose index checks trap. Damage is done to the ServerHello and the HelloRetryRequest in
// clear; to the messages of the flight before they are protected, so that the damage gets past the AEAD; to the protected
// records; and to what comes behind the handshake. Copies of one connection's memory save the work before the damage.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { concat, Extension, extension, Group, message, record, Type, u8, u16, vector } from './scripted_end'
import { ScriptedServer } from './scripted_server'
import { loadTlsClient, TlsClient } from './tls_client'
import { ALPN, State } from './tls_server'

let entry: Entry
beforeAll(async () => {
  entry = await loadTlsClient()
})

/** xorshift32 */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const INTERESTING = [0, 1, 2, 4, 8, 11, 13, 15, 20, 21, 22, 23, 24, 32, 43, 51, 65, 127, 128, 254, 255]

/** Damages bytes: flips, overwrites, cuts, doubles or joins parts. */
function mutate(bytes: Uint8Array, pick: (below: number) => number): Uint8Array {
  let out: Uint8Array = Uint8Array.from(bytes)
  for (let times = 1 + pick(3); times > 0; times--) {
    const at = pick(2) === 0 ? pick(out.length) : pick(Math.min(out.length, 120))
    const kind = pick(8)
    if (kind < 3) out[at]! ^= 1 << pick(8)
    else if (kind < 5) out[at] = INTERESTING[pick(INTERESTING.length)]!
    else if (kind === 5) out = concat(out.subarray(0, at), out.subarray(Math.min(out.length, at + 1 + pick(40))))
    else if (kind === 6) out = concat(out.subarray(0, at), out.subarray(pick(out.length)))
    else
      out = concat(
        out.subarray(0, at),
        Uint8Array.from({ length: 1 + pick(8) }, () => pick(256)),
        out.subarray(at),
      )
    if (out.length === 0) return Uint8Array.of(22)
  }
  return out
}

interface Still {
  client: TlsClient
  server: ScriptedServer
  image: Uint8Array
}

/** The client's memory now; `again` puts it back. */
function still(client: TlsClient, server: ScriptedServer): Still {
  return { client, server, image: client.memory() }
}

function again({ client, image, server }: Still): void {
  client.wipe()
  entry.write(client.connection, image)
  client.forget()
  if (server.writing) server.writing.sequence = 0n
}

function begun(): Still {
  const client = new TlsClient(entry)
  const server = new ScriptedServer()
  server.read(client.deliver())
  return still(client, server)
}

function encrypted(): Still {
  const { client, server } = begun()
  client.deliver(server.sendServerHello())
  return still(client, server)
}

describe('damaged bytes', () => {
  it('in 6,000 hellos are refused or understood', { timeout: 60_000 }, () => {
    const pick = random(0x5eed)
    const states = [0, 0, 0, 0, 0]
    const start = begun()
    const { server } = start
    const hellos = [
      server.serverHello(),
      server.retryRequest({ group: Group.P256 }),
      server.retryRequest({ cookie: new Uint8Array(40), group: Group.P256 }),
      server.serverHello({ without: [Extension.SupportedVersions] }),
    ].map((bytes) => record(Type.Handshake, bytes))
    for (let i = 0; i < 6000; i++) {
      again(start)
      start.client.offer(mutate(hellos[i % hellos.length]!, pick))
      // As far as the client gets without the costly public-key work, mostly.
      for (let steps = 0; steps < (i % 40 === 0 ? 5000 : 30) && start.client.step(); steps++) {}
      states[start.client.state]!++
    }
    expect(states[State.Open]! + states[State.PeerClosed]! + states[State.Closed]!).toBe(0)
    expect(states[State.Handshake]).toBeGreaterThan(300)
    expect(states[State.Failed]).toBeGreaterThan(2000)
  })

  it('in 9,000 messages of the flight never open a connection', { timeout: 60_000 }, () => {
    const pick = random(0xf117)
    const start = encrypted()
    const { server, client } = start
    const sent = [...server.transcript]
    const flight = [
      server.encryptedExtensions(server.protocols(ALPN), extension(0), extension(28, u16(1000))),
      server.certificateRequest(),
      server.certificate(),
      message(15, u16(0x0403), vector(2, new Uint8Array(70).fill(3))),
      message(20, new Uint8Array(32)),
    ]
    const states = [0, 0, 0, 0, 0]
    for (let i = 0; i < 9000; i++) {
      again(start)
      server.transcript = [...sent]
      const broken = i % 3 === 0 ? 2 : pick(flight.length)
      const messages = flight.map((bytes, j) => (j === broken ? mutate(bytes, pick) : bytes))
      const bytes = concat(...messages)
      const size = 1 + pick(1500)
      for (let at = 0; at < bytes.length && client.state === State.Handshake; at += size) {
        client.offer(server.protect(Type.Handshake, bytes.subarray(at, at + size)))
        // The chain's signature costs most: a few are enough.
        for (let steps = 0; steps < (i % 300 === 0 ? 20_000 : 150) && client.step(); steps++) {}
      }
      states[client.state]!++
    }
    expect(states[State.Open]! + states[State.PeerClosed]! + states[State.Closed]!).toBe(0)
    expect(states[State.Failed]).toBeGreaterThan(3000)
  })

  it('in 3,000 streams of records never open a connection that they should not', { timeout: 60_000 }, () => {
    const pick = random(0xcafe)
    const start = encrypted()
    const { server, client } = start
    const records = server.flight().map((bytes) => server.protect(Type.Handshake, bytes))
    const stream = concat(record(Type.ChangeCipherSpec, u8(1)), ...records)
    let refused = 0
    for (let i = 0; i < 3000; i++) {
      again(start)
      const bytes = mutate(stream, pick)
      client.offer(bytes)
      for (let steps = 0; steps < (i % 100 === 0 ? 20_000 : 200) && client.step(); steps++)
        client.offer(new Uint8Array())
      if (client.state === State.Failed) refused++
      // The versions of records are covered by the AEAD, but a damaged ChangeCipherSpec may be none at all.
      if (client.state === State.Open) {
        for (const whole of records) expect(Buffer.from(bytes).includes(Buffer.from(whole))).toBe(true)
      }
    }
    expect(refused).toBeGreaterThan(1500)
  })

  it('in 2,000 streams behind the handshake bring nothing that was not sent', { timeout: 60_000 }, () => {
    const pick = random(0xdada)
    const { client, server } = encrypted()
    client.deliver(server.sendFlight())
    expect(client.state).toBe(State.Open)
    const start = still(client, server)
    for (let i = 0; i < 2000; i++) {
      again(start)
      const tickets = mutate(concat(message(4, new Uint8Array(60)), message(4, new Uint8Array(300))), pick)
      const stream = concat(
        server.protect(Type.Handshake, tickets),
        server.protect(Type.Handshake, mutate(message(24, u8(1)), pick)),
        server.protect(Type.Alert, mutate(Uint8Array.of(1, 90), pick)),
        server.protect(Type.ApplicationData, 'answer', pick(20)),
      )
      client.deliver(i % 2 === 0 ? stream : mutate(stream, pick))
      const read = Buffer.from(client.read()).toString()
      if (read !== '') expect(read).toBe('answer')
    }
  })
})
