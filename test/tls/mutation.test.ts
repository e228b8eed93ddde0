// 100,000 damaged streams: the server neither traps nor runs on, and never opens on damage.
//
// The module is the checked build, whose index checks trap. Most mutations hit the ClientHello, which costs little; the
// rest hits what comes after it, on copies of a connection that has just sent its flight.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { ScriptedClient } from './scripted_client'
import { concat, Extension, extension, Group, record, Type, u8, u16 } from './scripted_end'
import { LEAF, loadTls, State, TlsServer } from './tls_server'

let entry: Entry
beforeAll(async () => {
  entry = await loadTls()
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

const INTERESTING = [0, 1, 2, 4, 16, 20, 21, 22, 23, 24, 32, 65, 127, 128, 254, 255]

/** Damages bytes: flips, overwrites, cuts, doubles or joins parts. */
function mutate(bytes: Uint8Array, pick: (below: number) => number): Uint8Array {
  let out = Uint8Array.from(bytes)
  for (let times = 1 + pick(3); times > 0; times--) {
    const at = pick(out.length)
    const kind = pick(8)
    if (kind < 3) out[at]! ^= 1 << pick(8)
    else if (kind < 5) out[at] = INTERESTING[pick(INTERESTING.length)]!
    else if (kind === 5)
      out = concat(out.subarray(0, at), out.subarray(Math.min(out.length, at + 1 + pick(40)))) as never
    else if (kind === 6) out = concat(out.subarray(0, at), out.subarray(pick(out.length))) as never
    else
      out = concat(
        out.subarray(0, at),
        Uint8Array.from({ length: 1 + pick(8) }, () => pick(256)),
        out.subarray(at),
      ) as never
    if (out.length === 0) return Uint8Array.of(22)
  }
  return out
}

/** As far as the server gets without the costly public-key work. */
const CHEAP_STEPS = 60

describe('damaged bytes', () => {
  const hellos = [
    {},
    { groups: [Group.P384, Group.X25519, Group.P256], shares: [Group.P384] },
    {
      shares: [Group.X25519, Group.P256],
      after: [extension(Extension.RecordSizeLimit, u16(100)), extension(0x1234, u8(1))],
    },
    { after: [extension(Extension.EarlyData), extension(Extension.MaxFragmentLength, u8(2))], sessionId: u8(1) },
  ].map((options) => new ScriptedClient().sendHello(options))

  it('in 80,000 hellos are refused or understood', { timeout: 120_000 }, () => {
    const pick = random(0x5eed)
    const states = [0, 0, 0, 0, 0]
    for (let i = 0; i < 80_000; i++) {
      const server = new TlsServer(entry)
      server.offer(mutate(hellos[i % hellos.length]!, pick))
      for (let steps = 0; steps < CHEAP_STEPS && server.step(); steps++) {}
      states[server.state]!++
    }
    expect(states[State.Open]! + states[State.PeerClosed]! + states[State.Closed]!).toBe(0)
    expect(states[State.Handshake]).toBeGreaterThan(1000)
    expect(states[State.Failed]).toBeGreaterThan(20_000)
  })

  it('in 2,000 hellos end in rest after all the public-key work', { timeout: 120_000 }, () => {
    const pick = random(0xbeef)
    for (let i = 0; i < 2000; i++) {
      const server = new TlsServer(entry)
      server.deliver(mutate(hellos[i % hellos.length]!, pick))
      expect([State.Handshake, State.Failed]).toContain(server.state)
      server.deliver(mutate(hellos[(i + 1) % hellos.length]!, pick))
    }
  })

  it('in 20,000 streams behind the hello never open a connection that they should not', { timeout: 120_000 }, () => {
    const pick = random(0xcafe)
    const server = new TlsServer(entry)
    const client = new ScriptedClient(LEAF.publicKey)
    client.read(server.deliver(client.sendHello()))
    const image = server.memory()
    const finished = client.sendFinished()
    const stream = concat(
      record(Type.ChangeCipherSpec, u8(1)),
      finished,
      client.protect(Type.ApplicationData, 'request'),
      client.protect(Type.Handshake, Uint8Array.of(24, 0, 0, 1, 1)),
      client.protect(Type.Alert, client.alert(0, 1)),
    )
    let refused = 0
    for (let i = 0; i < 20_000; i++) {
      entry.write(server.connection, image)
      const bytes = mutate(stream, pick)
      server.steps = 0
      server.deliver(bytes)
      const read = Buffer.from(server.read()).toString()
      if (read !== '') expect(read).toBe('request')
      if (server.state === State.Failed) refused++
      // The versions of records are ignored, so a few streams are not damaged at all.
      if (server.state === State.Open) expect(Buffer.from(bytes).includes(Buffer.from(finished.subarray(5)))).toBe(true)
    }
    expect(refused).toBeGreaterThan(15_000)
  })
})
