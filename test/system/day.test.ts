// A day and an hour in the life of a board: a request a minute, plain or NTS, and the keys change once.

import { describe, expect, it } from 'vitest'
import {
  askNts,
  askPlain,
  counts,
  DAY,
  describeStatistics,
  HOUR,
  offsetError,
  type Reply,
  readyBoard,
  SECOND,
  statistics,
  uncertainty,
} from './board'

const POLL = 64 * SECOND

/** The first bytes of a cookie name the key that sealed it. */
function keyOf(cookie: Uint8Array): string {
  return Buffer.from(cookie.subarray(0, 2)).toString('hex')
}

describe('over 25 hours', () => {
  it('every reply is true within what the client knows of it, none is missing, and the keys change once', async () => {
    const begun = performance.now()
    const board = readyBoard()
    const siv = await board.keyExchange({ ca: board.authority(), aeads: [15] })
    const gcm = await board.keyExchange({ ca: board.authority(), aeads: [30] })
    const ways = [() => askPlain(board), () => askNts(board, siv), () => askPlain(board), () => askNts(board, gcm)]
    const first = siv.cookies[0]!
    const replies: Reply[] = []
    const from = board.now
    for (let i = 0; board.now < from + DAY + HOUR; i++) {
      // Clients are on no whole seconds: each poll begins a little later in its second.
      board.advance(POLL + 17e6 * (i % 59) - 29 * 17e6)
      replies.push(ways[i % ways.length]!())
    }
    for (const reply of replies) {
      expect([reply.header.leap, reply.header.stratum]).toEqual([0, 1])
      expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
    }
    // Every half hour the board asks for its neighbour's hardware address again; those T3 are early.
    const direct = replies.filter(({ t3 }) => t3 > -20_000)
    expect(replies.length - direct.length).toBeLessThan(60)
    const t2 = replies.map((reply) => reply.t2)
    const t3 = direct.map((reply) => reply.t3)
    const offsets = direct.map(offsetError)
    console.log(describeStatistics('T2', t2))
    console.log(describeStatistics('T3', t3))
    console.log(describeStatistics('offset', offsets))
    const late = t2.filter((error) => error > 1000).length
    console.log(`${replies.length - direct.length} replies waited for an ARP, ${late} arrivals were seen late`)
    expect(Math.abs(statistics(offsets).mean)).toBeLessThan(150)
    expect(statistics(offsets).deviation).toBeLessThan(500)
    expect(statistics(offsets).worst).toBeLessThan(5000)
    expect(statistics(t3).worst).toBeLessThan(1000)
    expect(Math.abs(statistics(t2).median)).toBeLessThan(200)
    expect(statistics(t2).min).toBeGreaterThan(-1500)
    expect(keyOf(siv.cookies.at(-1)!)).not.toBe(keyOf(first))
    expect(board.machine.counters).toMatchObject({ boots: 1, traps: 0, watchdogs: 0, resets: 0 })
    expect(board.machine.uart.overruns).toBe(0)
    const { polls } = board.machine.counters
    const after = counts(board)
    expect(after['clock.steps']).toBeLessThan(2)
    expect(after['w5500.restarts']).toBe(0)
    expect(after['flash.faults']).toBe(0)
    const seconds = ((performance.now() - begun) / 1000).toFixed(1)
    console.log(`${polls} polls, ${after['clock.rejected']} pulses rejected, in ${seconds} s of the host's time`)
  }, 120_000)
})
