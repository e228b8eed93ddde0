// The search for the heating's cycle: does it find the period there is, and none where there is none.

import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Random } from '../../sim/world/random'
import { type Entry, loadEntry } from '../support/firmware'

const BLOCK = 128
/** More slices than any search takes. */
const PATIENCE = 2000

let entry: Entry
beforeAll(async () => {
  entry = await loadEntry(new URL('./heating.entry.ts', import.meta.url), 'release')
})
beforeEach(() => entry.exports['init']())

interface Room {
  /** Period (s) and amplitude (ns/s) of the heating; its half periods differ by this share. */
  period: number
  amplitude: number
  jitter: number
  /** Random walk of the rate in a second, daily slope; ns/s, ns/s/s. */
  walk?: number
  slope?: number
}

/** Mean rates of blocks, from a simulation second by second. */
function* rates({ period, amplitude, jitter, walk = 0.1, slope = 0.02 }: Room, seed: number): Generator<number> {
  const random = new Random(seed, 'heating')
  let turns = random.uniform()
  let pace = 1
  let level = 8000
  for (;;) {
    let sum = 0
    for (let k = 0; k < BLOCK; k++) {
      const half = Math.floor(2 * turns)
      turns += pace / period
      if (Math.floor(2 * turns) !== half) pace = 1 / (1 + jitter * random.normal())
      level += slope + walk * random.normal()
      sum += level + amplitude * Math.sin(2 * Math.PI * turns)
    }
    yield sum / BLOCK + 0.9 * random.normal()
  }
}

/** Blocks are added one by one, and the search goes on after each; the periods that were found, 0 for none. */
function found(room: Room, blocks: number, seed = 1): number[] {
  const { exports } = entry
  const source = rates(room, seed)
  return Array.from({ length: blocks }, (_, block) => {
    exports['add'](block, source.next().value)
    let slices = 0
    while (exports['step']()) expect(++slices).toBeLessThan(PATIENCE)
    return exports['period']()
  })
}

describe("the heating's period", () => {
  it('is_not_guessed_within_an_hour', () => {
    const periods = found({ period: 1200, amplitude: 40, jitter: 0.05 }, 40)
    expect(Math.max(...periods.slice(0, 31))).toBe(0)
    expect(periods.at(-1)).toBeGreaterThan(0)
  })

  for (const [period, amplitude, jitter] of [
    [700, 40, 0.02],
    [1200, 40, 0.1],
    [1200, 8, 0.05],
    [2000, 40, 0.05],
    [3600, 60, 0.03],
  ] as const)
    it(`is_found_when_it_is_${period}_s_of_${amplitude}_ns_s`, () => {
      for (const seed of [1, 2, 3]) {
        entry.exports['init']()
        const last = found({ period, amplitude, jitter }, 150, seed).at(-1)!
        expect(Math.abs(last / period - 1), `seed ${seed}: ${last}`).toBeLessThan(0.08)
      }
    })

  it('is_not_found_where_there_is_none', () => {
    for (const [walk, slope] of [
      [0.1, 0.02],
      [1, 0],
      [0.01, 0.2],
    ] as const)
      for (let seed = 1; seed <= 10; seed++) {
        entry.exports['init']()
        expect(found({ period: 1200, amplitude: 0, jitter: 0, walk, slope }, 150, seed).at(-1)).toBe(0)
      }
  })

  it('follows_a_heating_that_is_set_to_another_period', () => {
    const { exports } = entry
    const first = rates({ period: 900, amplitude: 40, jitter: 0.03 }, 1)
    const second = rates({ period: 1800, amplitude: 40, jitter: 0.03 }, 2)
    for (let block = 0; block < 400; block++) {
      exports['add'](block, (block < 150 ? first : second).next().value)
      while (exports['step']());
      if (block === 149) expect(exports['period']() / 900).toBeCloseTo(1, 1)
    }
    expect(exports['period']() / 1800).toBeCloseTo(1, 1)
  })

  it('is_no_longer_searched_for_in_a_history_that_has_begun_anew', () => {
    const { exports } = entry
    const source = rates({ period: 1200, amplitude: 40, jitter: 0.05 }, 1)
    for (let block = 0; block < 40; block++) exports['add'](block, source.next().value)
    for (let i = 0; i < 50; i++) expect(exports['step']()).toBeTruthy()
    exports['clear']()
    expect(exports['step']()).toBeFalsy()
    expect(exports['period']()).toBe(0)
    for (let block = 1000; block < 1040; block++) {
      exports['add'](block, source.next().value)
      while (exports['step']());
    }
    expect(exports['period']() / 1200).toBeCloseTo(1, 1)
  })
})
