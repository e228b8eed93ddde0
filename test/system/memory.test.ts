// Nothing is allocated after boot: the module's memory neither grows nor is written anew beyond what it had.

import { beforeAll, describe, expect, it } from 'vitest'
import { askNts, askPlain, counts, type LanBoard, MINUTE, readyBoard } from './board'
import { Load } from './load'

const PAGE = 65_536

/** One past the last byte that is not zero. */
function used(board: LanBoard): number {
  const bytes = new Uint8Array(board.machine.memory!.buffer)
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return end
}

describe('the module', () => {
  let board: LanBoard

  beforeAll(() => {
    board = readyBoard()
    board.advance(MINUTE)
  })

  it('takes no more memory, and none behind its static data, over 10,000 requests of all kinds', async () => {
    const ca = board.authority()
    const sessions = [await board.keyExchange({ ca, aeads: [15] }), await board.keyExchange({ ca, aeads: [30] })]
    askPlain(board)
    for (const session of sessions) askNts(board, session)
    const size = board.machine.memory!.buffer.byteLength
    const end = used(board)
    const load = new Load(board, sessions, 7)
    for (let i = 0; i < 10; i++) {
      load.run(1000, 1.1e6)
      await board.keyExchange({ ca })
      board.lan.connect(board.now, board.freshPort(), 4460).write(board.now + 1e6, load.bytes(300))
    }
    expect(load.stored + load.lost).toBe(10_000)
    expect(board.machine.memory!.buffer.byteLength).toBe(size)
    expect(used(board)).toBe(end)
    const after = counts(board)
    expect(after['ntp.served-nts']).toBeGreaterThan(1000)
    expect(after['ntp.field']! + after['ntp.nts-field']! + after['ntp.short']! + after['ntp.mac']!).toBeGreaterThan(300)
    expect(board.machine.counters).toMatchObject({ traps: 0, boots: 1, watchdogs: 0 })
    console.log(`${size / PAGE} pages, ${end} bytes of ${size} in use`)
  })

  it('fits into the RAM of an ESP32-C3 beside its stack', () => {
    // 400 KB of SRAM, of which 16 KB are the cache's.
    expect(board.machine.memory!.buffer.byteLength).toBeLessThanOrEqual(4 * PAGE)
  })
})
