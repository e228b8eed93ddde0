// One filter of the estimator against plain matrices.

import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Random } from '../../sim/world/random'
import { type Entry, loadEntry } from '../support/firmware'

type Matrix = number[][]
interface Filter {
  x: number[]
  p: Matrix
  restless: number
  wander: number
  heat: number
}

const STATES = 5
const FADE = 1 - 1 / 300
/** 20 minutes, remembered for ten periods, 20 ns/s. */
const TURN = (2 * Math.PI) / 1200
const MEMORY = 12_000
const AMPLITUDE = 20
const KEPT = 1 - 1 / MEMORY

let entry: Entry
let numbers: Float64Array
beforeAll(async () => {
  entry = await loadEntry(new URL('./estimator_filter.entry.ts', import.meta.url), 'release')
  const { buffer } = entry.exports['memory'] as WebAssembly.Memory
  numbers = new Float64Array(buffer, entry.exports['at'](), 23)
})
beforeEach(() => {
  numbers.fill(0)
  entry.exports['cycle'](Math.cos(TURN), Math.sin(TURN), MEMORY, AMPLITUDE)
})

/** Upper triangle by rows, behind the five states. */
function place(i: number, j: number): number {
  const [a, b] = i < j ? [i, j] : [j, i]
  return STATES + a * STATES - (a * (a - 1)) / 2 + b - a
}

function write({ x, p, restless, wander, heat }: Filter): void {
  numbers.set(x)
  for (let i = 0; i < STATES; i++) for (let j = i; j < STATES; j++) numbers[place(i, j)] = p[i]![j]!
  numbers.set([restless, wander, heat], 20)
}

function read(): Filter {
  const indices = [0, 1, 2, 3, 4]
  return {
    x: [...numbers.slice(0, STATES)],
    p: indices.map((i) => indices.map((j) => numbers[place(i, j)]!)),
    restless: numbers[20]!,
    wander: numbers[21]!,
    heat: numbers[22]!,
  }
}

const multiply = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)))
const transpose = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!))

/** A filter as it is in an ordinary minute, with some covariance. */
function ordinary(seed: number): Filter {
  const random = new Random(seed, 'filter')
  const scale = [25, 1, 0.05, 8, 8]
  const root = scale.map((a) => scale.map(() => a * random.normal()))
  return {
    x: scale.map((a) => a * random.normal()),
    p: multiply(root, transpose(root)),
    restless: Math.exp(random.normal()),
    wander: Math.exp(random.normal()),
    heat: Math.exp(random.normal()),
  }
}

function expectAlike(p: Matrix, q: Matrix, share: number): void {
  for (let i = 0; i < STATES; i++)
    for (let j = 0; j < STATES; j++) {
      const size = Math.sqrt(q[i]![i]! * q[j]![j]!)
      expect(Math.abs(p[i]![j]! - q[i]![j]!) / size, `element ${i} ${j}`).toBeLessThan(share)
    }
}

describe("a filter with the heating's cycle", () => {
  it('moves_as_plain_matrices_do', () => {
    const { exports } = entry
    const [c, s] = [KEPT * Math.cos(TURN), KEPT * Math.sin(TURN)]
    const step = [
      [1, 1, 0.5, 1, s / 2],
      [0, 1, 1, 0, 0],
      [0, 0, FADE, 0, 0],
      [0, 0, 0, c, s],
      [0, 0, 0, -s, c],
    ]
    for (let seed = 1; seed <= 50; seed++) {
      const before = ordinary(seed)
      write(before)
      exports['advance'](1)
      const after = read()
      const state = multiply(
        step,
        before.x.map((value) => [value]),
      )
      for (const [i, [value]] of state.entries()) expect(after.x[i]).toBeCloseTo(value!, 9)
      const p = multiply(multiply(step, before.p), transpose(step))
      p[0]![0]! += 0.09 * before.restless
      p[1]![1]! += 0.01 * before.restless
      p[2]![2]! += 7e-5 * before.wander
      p[4]![4]! += ((4 * AMPLITUDE ** 2) / MEMORY) * before.heat
      // Half a second's drift is left out of the covariance.
      expectAlike(after.p, p, 0.01)
    }
  })

  it('corrects_as_plain_matrices_do', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const before = ordinary(seed)
      write(before)
      entry.exports['update'](120, 6889)
      const after = read()
      const gains = before.p.map((row) => row[0]! / (before.p[0]![0]! + 6889))
      for (let i = 0; i < STATES; i++) {
        expect(after.x[i]).toBeCloseTo(before.x[i]! + 120 * gains[i]!, 9)
        for (let j = 0; j < STATES; j++)
          expect(after.p[i]![j]! / (before.p[i]![j]! - gains[i]! * before.p[0]![j]!)).toBeCloseTo(1, 6)
      }
    }
  })

  it('moves_over_a_gap_of_seconds_as_second_by_second', () => {
    const { exports } = entry
    write(ordinary(3))
    for (let i = 0; i < 3; i++) exports['advance'](1)
    const slow = read()
    write(ordinary(3))
    exports['advance'](3)
    expect(read()).toEqual(slow)
  })

  it('forgets_the_cycle_over_a_longer_gap', () => {
    write(ordinary(3))
    entry.exports['advance'](100)
    const { x, p } = read()
    expect([x[3], x[4], p[3]![3], p[4]![4], p[0]![3], p[1]![4]]).toEqual([0, 0, 0, 0, 0, 0])
  })

  it('comes_to_the_amplitude_of_the_cycle_when_no_pulse_speaks', () => {
    const { exports } = entry
    write({ ...ordinary(3), heat: 2 })
    for (let i = 0; i < 10 * MEMORY; i++) exports['advance'](1)
    const { p } = read()
    for (const i of [3, 4]) expect(p[i]![i]! / (2 * AMPLITUDE ** 2)).toBeCloseTo(1, 1)
  })

  it('says_the_same_of_the_time_to_come_whether_the_cycle_is_split_off_or_not', () => {
    const { exports } = entry
    for (let seed = 1; seed <= 20; seed++) {
      const whole = ordinary(seed)
      for (const i of [3, 4]) {
        whole.x[i] = 0
        for (let j = 0; j < STATES; j++) whole.p[i]![j] = whole.p[j]![i] = 0
      }
      write(whole)
      const said = () =>
        [exports['rate'](), exports['drift'](), exports['frequencySigma']()].concat(
          [0, 1, 4].map((t) => exports['phaseVariance'](t)),
        )
      const before = said()
      exports['split']()
      expect(read().p[3]![3]).toBeGreaterThan(0)
      for (const [i, value] of said().entries()) expect(value / before[i]!).toBeCloseTo(1, 9)
      exports['merge']()
      expect(read().p[3]![3]).toBe(0)
      expectAlike(
        read().p.map((row, i) => row.map((value, j) => (i === j && i > 2 ? 1 : value))),
        whole.p.map((row, i) => row.map((value, j) => (i === j && i > 2 ? 1 : value))),
        1e-9,
      )
    }
  })

  it('gives_up_a_cycle_that_is_no_number', () => {
    for (const i of [3, 4, place(0, 3), place(3, 3), place(3, 4), place(4, 4)])
      for (const nonsense of [Number.NaN, Number.POSITIVE_INFINITY, -1e300]) {
        write(ordinary(5))
        numbers[i] = nonsense
        entry.exports['clamp']()
        entry.exports['advance'](1)
        entry.exports['update'](10, 6889)
        entry.exports['clamp']()
        const { x, p } = read()
        expect([...x, ...p.flat()].every(Number.isFinite), `number ${i}: ${nonsense}`).toBe(true)
        expect(p[0]![0]).toBeGreaterThanOrEqual(0)
      }
  })
})
