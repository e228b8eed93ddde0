import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

const ONE = 1n << 64n
const RATE = 1_152_921_504_607n
const MIDNIGHT = 1_846_022_400n

let entry: Entry
beforeAll(async () => {
  entry = await loadEntry(new URL('./line.entry.ts', import.meta.url), 'checked')
})

const u64 = () => fc.bigInt({ min: 0n, max: ONE - 1n })
const small = () => fc.bigInt({ min: -(1n << 40n), max: 1n << 40n })

/** A point as one number of 2^-64 s. */
function point(): bigint {
  const { exports } = entry
  return (BigInt(exports['seconds']()) << 64n) + BigInt.asUintN(64, exports['fraction']())
}

describe('lines', () => {
  it('multiply_to_128_bits', () => {
    fc.assert(
      fc.property(u64(), u64(), (a, b) => {
        expect(BigInt.asUintN(64, entry.exports['mulHigh'](a, b))).toBe((a * b) >> 64n)
      }),
      { seed: 1, numRuns: 2000 },
    )
  })

  it('run_from_their_start_in_both_directions', () => {
    fc.assert(
      fc.property(small(), u64(), small(), (seconds, fraction, elapsed) => {
        const start = 1n << 50n
        entry.exports['setLine'](start, seconds, fraction, RATE)
        entry.exports['at'](start + elapsed)
        expect(point()).toBe((seconds << 64n) + fraction + elapsed * RATE)
      }),
      { seed: 2, numRuns: 2000 },
    )
  })

  it('keep_their_points_when_their_start_moves', () => {
    fc.assert(
      fc.property(u64(), fc.bigInt({ min: -(1n << 36n), max: 1n << 36n }), (fraction, move) => {
        const start = 1n << 50n
        entry.exports['setLine'](start, 5n, fraction, RATE)
        entry.exports['rebase'](start + move)
        entry.exports['at'](start + 12_345n)
        expect(point()).toBe((5n << 64n) + fraction + 12_345n * RATE)
      }),
      { seed: 3 },
    )
  })

  it('shift_by_nanoseconds_with_carry_and_borrow', () => {
    for (const nanos of [
      0,
      1,
      -1,
      0.25,
      -0.25,
      999_999_999.5,
      -999_999_999.5,
      1e9,
      -1e9,
      3.6e12,
      -3.6e12,
      -1e-30,
      1e9 - 1e-7,
    ])
      for (const fraction of [0n, 1n, ONE / 2n, ONE - 1n]) {
        entry.exports['setLine'](0n, 100n, fraction, RATE)
        entry.exports['shift'](nanos)
        entry.exports['at'](0n)
        const moved = Number(point() - (100n << 64n) - fraction) / 2 ** 64
        expect(Math.abs(moved * 1e9 - nanos)).toBeLessThan(0.001)
      }
  })

  it('tell_the_difference_of_two_points', () => {
    const { exports } = entry
    expect(exports['difference'](7n, 0n, 6n, 0n)).toBe(1e9)
    expect(exports['difference'](7n, 0n, 6n, ONE - (ONE >> 20n))).toBeCloseTo(1e9 / 2 ** 20, 6)
    expect(exports['difference'](6n, 1n << 40n, 7n, 1n << 40n)).toBe(-1e9)
  })

  it('are_sped_up_by_parts_in_a_billion', () => {
    const { exports } = entry
    exports['setLine'](0n, 0n, 0n, RATE)
    expect(Number(exports['speed'](1000) - RATE)).toBe(1_152_921)
    expect(exports['crystalNanosPerSecond'](RATE + 1_152_921n)).toBeCloseTo(-1000, 2)
  })

  it('lead_from_a_point_to_a_line_and_no_steeper_than_allowed', () => {
    const { exports } = entry
    const limit = RATE / 2000n
    for (const k of [22, 24, 28])
      for (const ahead of [0n, 3n, -3n, 1000n, -1000n, 50_000n, -50_000n]) {
        const start = 1n << 45n
        exports['setLine'](start - 777n, 1000n, ONE - 5n, RATE + 11n)
        exports['at'](start)
        // The point lies `ahead` microseconds before the line.
        const from = point() + (ahead * ONE) / 1_000_000n
        const fits = (ahead < 0n ? -ahead : ahead) * 16n * 2000n < 1n << BigInt(k)
        const done = exports['towards'](from >> 64n, BigInt.asUintN(64, from), start, k, limit) === 1
        expect(done, `${k} ${ahead}`).toBe(fits)
        if (!done) continue
        exports['slewAt'](start)
        expect(point()).toBe(from)
        const end = start + (1n << BigInt(k))
        exports['slewAt'](end)
        const reached = point()
        exports['at'](end)
        expect(Number(point() - reached) / 2 ** 64).toBeLessThan(1e-10)
        expect(point() >= reached).toBe(true)
      }
  })
})

describe('leap seconds', () => {
  const arm = (change: number, times = 3) => {
    entry.exports['leapInit']()
    for (let i = 0n; i < times; i++)
      entry.exports['hear'](MIDNIGHT - 5000n + i, MIDNIGHT - 1n, change, MIDNIGHT - 5000n + i)
  }
  const utc = (second: bigint) => [entry.exports['utc'](second) - MIDNIGHT, entry.exports['utcLeap']()]

  it('are_armed_by_three_announcements_in_a_row', () => {
    arm(1, 2)
    expect(utc(MIDNIGHT)).toEqual([0n, 0])
    arm(1, 3)
    expect(utc(MIDNIGHT)).toEqual([-1n, 1])
  })

  it('turn_the_continuous_scale_into_utc_and_labels_back', () => {
    arm(1)
    expect([-2n, -1n, 0n, 1n, 2n].map((s) => utc(MIDNIGHT + s))).toEqual([
      [-2n, 0],
      [-1n, 0],
      [-1n, 1],
      [0n, 0],
      [1n, 0],
    ])
    const { exports } = entry
    expect(exports['continuous'](MIDNIGHT - 1n, 0)).toBe(MIDNIGHT - 1n)
    expect(exports['continuous'](MIDNIGHT - 1n, 1)).toBe(MIDNIGHT)
    expect(exports['continuous'](MIDNIGHT, 0)).toBe(MIDNIGHT + 1n)
    arm(-1)
    expect([-3n, -2n, -1n, 0n].map((s) => utc(MIDNIGHT + s))).toEqual([
      [-3n, 0],
      [-2n, 0],
      [0n, 0],
      [1n, 0],
    ])
    expect(exports['continuous'](MIDNIGHT, 0)).toBe(MIDNIGHT - 1n)
    expect(exports['continuous'](MIDNIGHT - 2n, 0)).toBe(MIDNIGHT - 2n)
  })

  it('are_announced_for_a_day_and_not_after', () => {
    const { exports } = entry
    arm(1)
    expect(exports['leapIndicator'](MIDNIGHT - 86_401n)).toBe(0)
    expect(exports['leapIndicator'](MIDNIGHT - 86_400n)).toBe(1)
    expect(exports['leapIndicator'](MIDNIGHT)).toBe(1)
    expect(exports['leapIndicator'](MIDNIGHT + 1n)).toBe(0)
    arm(-1)
    expect(exports['leapIndicator'](MIDNIGHT - 2n)).toBe(2)
    expect(exports['leapIndicator'](MIDNIGHT - 1n)).toBe(0)
  })

  it('are_folded_away_ten_seconds_later', () => {
    const { exports } = entry
    arm(1)
    expect(exports['leapFold'](MIDNIGHT + 9n)).toBe(0n)
    expect(exports['leapFold'](MIDNIGHT + 10n)).toBe(-1n)
    expect(exports['leapFold'](MIDNIGHT + 10n)).toBe(0n)
    expect(utc(MIDNIGHT + 9n)).toEqual([9n, 0])
    arm(-1)
    expect(exports['leapFold'](MIDNIGHT + 10n)).toBe(1n)
  })

  it('are_disarmed_when_nobody_mentions_them_for_a_minute', () => {
    arm(1)
    for (let i = 0n; i < 60n; i++) entry.exports['hear'](MIDNIGHT - 4000n + i, 0n, 0, MIDNIGHT - 4000n + i)
    expect(utc(MIDNIGHT)).toEqual([0n, 0])
  })

  it('are_believed_at_a_midnight_of_the_future_only', () => {
    const { exports } = entry
    exports['leapInit']()
    for (let i = 0n; i < 10n; i++) exports['hear'](MIDNIGHT - 5000n + i, MIDNIGHT - 2n, 1, MIDNIGHT - 5000n + i)
    for (let i = 0n; i < 10n; i++) exports['hear'](MIDNIGHT + 5000n + i, MIDNIGHT - 1n, 1, MIDNIGHT + 5000n + i)
    expect(utc(MIDNIGHT)).toEqual([0n, 0])
    expect(utc(MIDNIGHT - 1n)).toEqual([-1n, 0])
  })
})
