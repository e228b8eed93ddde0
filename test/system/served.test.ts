// What the boards serve, against the truth, as `noonmark bench` counts it: basic and interleaved, plain and NTS.

import { beforeAll, describe, expect, it } from 'vitest'
import { VIRTUAL_CALIBRATION } from '../../hal/virtual/board'
import { Random } from '../../sim/world/random'
import { measureServed, type ServedRow, servedTable } from '../../src/bench_served'
import { missing, readyChip } from '../soc/board'
import { counts, readyBoard, SECOND } from './board'

const KINDS = ['plain_basic', 'plain_interleaved', 'nts_basic', 'nts_interleaved']

function holds(name: string, measure: () => Promise<ServedRow[]>, mean: number, deviation: number): void {
  let rows: ServedRow[] = []
  beforeAll(async () => {
    rows = await measure()
    console.log(servedTable(name, rows).join('\n'))
  }, 60_000)

  it.each(KINDS)(`serves %s with |mean| < ${mean} ns and a standard deviation < ${deviation} ns`, (kind) => {
    const row = rows.find((each) => each.name === kind)
    for (const { mean: at, deviation: spread } of [row!.t2, row!.t3, row!.offset]) {
      expect(Math.abs(at)).toBeLessThan(mean)
      expect(spread).toBeLessThan(deviation)
    }
  })
}

describe('the virtual board', () => {
  // Its captures are late by up to 6 us, one in a hundred, and it cannot know which.
  holds(
    'virtual board',
    () => {
      const board = readyBoard()
      board.advance(60 * SECOND)
      return measureServed(board, 200)
    },
    200,
    1000,
  )
})

/** A W5500 whose way to the wire takes 57 us, more or less by up to 2 us. */
function unsteady(chip: { transmitLatencyNanos: number }): () => void {
  const random = new Random(3, 'latency')
  return () => {
    chip.transmitLatencyNanos = 55_000 + 4000 * random.uniform()
  }
}

describe('a board whose constants are wrong', () => {
  it('finds that the way to the wire takes less than its file says, in interleaved mode', async () => {
    const calibration = { ...VIRTUAL_CALIBRATION, sendToFramePs: VIRTUAL_CALIBRATION.sendToFramePs + 5_000_000 }
    const network = { address: '192.168.7.1', mask: '255.255.255.0', names: ['noonmark.local', 'localhost'] }
    const board = readyBoard({ machine: { board: { ...network, calibration } } })
    const rows = await measureServed(board, 20)
    const { 'udp.departure-doubt-ns': doubt } = counts(board)
    expect(doubt).toBeGreaterThan(4500)
    expect(doubt).toBeLessThan(5500)
    // Basic mode suffers, interleaved mode does not.
    for (const { name, t3 } of rows) {
      if (name.endsWith('basic')) expect(t3.mean).toBeGreaterThan(4500)
      else expect(Math.abs(t3.mean)).toBeLessThan(500)
    }
  })
})

describe.skipIf(missing !== undefined)('the simulated ESP32-C3', () => {
  it('tells the true departure in interleaved mode when the way to the wire varies', async () => {
    const board = readyChip()
    board.advance(60 * SECOND)
    const rows = await measureServed(board, 60, unsteady(board.machine.ethernet!.chip))
    console.log(servedTable('ESP32-C3 with an unsteady W5500', rows).join('\n'))
    for (const { name, t3 } of rows) {
      if (name.endsWith('basic')) expect(t3.deviation).toBeGreaterThan(1000)
      // One edge in a hundred is not to be had.
      else expect(t3.deviation).toBeLessThan(300)
      expect(Math.abs(t3.mean)).toBeLessThan(1000)
    }
  }, 60_000)

  holds(
    'ESP32-C3',
    () => {
      const board = readyChip()
      board.advance(60 * SECOND)
      return measureServed(board, 100)
    },
    1000,
    1000,
  )
})
