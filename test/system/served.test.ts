// What the boards serve, against the truth, as `noonmark bench` counts it: basic and interleaved, plain and NTS.

import { beforeAll, describe, expect, it } from 'vitest'
import { measureServed, type ServedRow, servedTable } from '../../src/bench_served'
import { missing, readyChip } from '../soc/board'
import { readyBoard, SECOND } from './board'

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

describe.skipIf(missing !== undefined)('the simulated ESP32-C3', () => {
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
