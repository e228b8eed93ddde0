// Bytes that nobody should send, to the whole board: it counts them, says nothing that it should not, and goes on serving.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/nts/key_exchange'
import { askNts, askPlain, counts, type LanBoard, readyBoard, SECOND } from './board'
import { CLIENT_HELLO } from './client_hello'
import { Load, outcomes } from './load'

const DATAGRAMS = 250_000
const STREAMS = 5000

describe('the board under fire', () => {
  let board: LanBoard
  let ca: string
  let session: Session
  let load: Load

  beforeAll(async () => {
    board = readyBoard()
    ca = board.authority()
    session = await board.keyExchange({ ca, aeads: [15] })
    askPlain(board)
    load = new Load(board, [session, await board.keyExchange({ ca, aeads: [30] })], 11)
  })

  it(`deals with ${DATAGRAMS} mutated datagrams: each counts once, and none traps`, () => {
    const before = counts(board)
    load.run(DATAGRAMS, 0.8e6, () => load.datagram(0.95))
    board.advance(1.1 * SECOND)
    const after = counts(board)
    expect(load.stored).toBeGreaterThan(DATAGRAMS * 0.99)
    expect(outcomes(after) - outcomes(before)).toBe(load.stored)
    expect(board.machine.counters).toMatchObject({ traps: 0, watchdogs: 0, boots: 1 })
    // Not all were drops: the mutations reach deep.
    for (const name of [
      'nak-cookie',
      'nak-authenticator',
      'served-nts',
      'field',
      'nts-field',
      'mac',
      'version',
      'mode',
    ])
      expect(after[`ntp.${name}`], name).toBeGreaterThan(20)
  })

  it('counts each of a burst that overruns the chip', () => {
    const before = counts(board)
    const lost = load.lost
    const stored = load.stored
    load.run(3000, 12_000)
    board.advance(2 * SECOND)
    expect(load.lost).toBeGreaterThan(lost)
    expect(outcomes(counts(board)) - outcomes(before)).toBe(load.stored - stored)
  })

  it(`deals with ${STREAMS} mutated TCP streams`, () => {
    for (let i = 0; i < STREAMS; i += 5) {
      const peers = Array.from({ length: 5 }, () => board.lan.connect(board.now + 1000, board.freshPort(), 4460))
      for (const peer of peers) {
        let bytes: Uint8Array = Uint8Array.from(CLIENT_HELLO)
        for (let n = load.below(4); n > 0; n--) bytes = mutateStream(load, bytes)
        // In up to five segments.
        for (let at = 0, when = board.now + 1e6; at < bytes.length; when += 0.3e6) {
          const length = 1 + load.below(bytes.length)
          peer.write(when, bytes.subarray(at, at + length))
          at += length
        }
        if (load.below(3) === 0) peer.reset(board.now + 4e6)
        else peer.end(board.now + 4e6)
      }
      board.advance(30e6)
    }
    board.advance(15 * SECOND)
    const after = counts(board)
    expect(after['ke.connections']).toBeGreaterThan(STREAMS / 2)
    expect(after['ke.failed']).toBeGreaterThan(100)
    expect(board.machine.counters).toMatchObject({ traps: 0, watchdogs: 0, boots: 1 })
  })

  it('serves afterwards as before', async () => {
    expect(askPlain(board).header.stratum).toBe(1)
    expect(askNts(board, session).header.stratum).toBe(1)
    expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
    expect(Math.abs(askPlain(board).t2)).toBeLessThan(8000)
  })

  it('takes any line on its console', () => {
    for (let i = 0; i < 300; i++) {
      board.machine.type(`${Buffer.from(load.bytes(load.below(300))).toString('latin1')}\n`)
      board.advance(2e6)
    }
    board.machine.type('\n')
    board.advance(20e6)
    expect(board.ask('version')).toMatch(/^noonmark \d/)
    expect(board.machine.counters.traps).toBe(0)
  })
})

function mutateStream(load: Load, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = load.below(copy.length || 1)
  switch (load.below(5)) {
    case 0:
      copy[at]! ^= 1 << load.below(8)
      return copy
    case 1:
      copy.set(load.bytes(Math.min(2, copy.length - at)), at)
      return copy
    case 2:
      return copy.slice(0, at + 1)
    case 3:
      return Uint8Array.from([...copy, ...load.bytes(load.below(600))])
    default:
      return Uint8Array.from([...copy.slice(0, at), ...copy.slice(load.below(copy.length || 1))])
  }
}
