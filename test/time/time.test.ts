import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

let entry: Entry
beforeAll(async () => {
  entry = await loadEntry(new URL('./time.entry.ts', import.meta.url))
})

/** Year, month, day, hour, minute, second as the firmware sees a POSIX second. */
function civil(seconds: bigint): number[] {
  entry.exports['toCivil'](seconds)
  return [...new Int32Array(entry.memory.buffer, entry.exports['CIVIL'].value, 6)]
}

describe('civil dates', () => {
  it('agree with the Date of JavaScript for any second from year -9999 to 9999', () => {
    fc.assert(
      fc.property(fc.integer({ min: -377_000_000_000, max: 253_402_300_799 }), (seconds) => {
        const date = new Date(seconds * 1000)
        expect(civil(BigInt(seconds))).toEqual([
          date.getUTCFullYear(),
          date.getUTCMonth() + 1,
          date.getUTCDate(),
          date.getUTCHours(),
          date.getUTCMinutes(),
          date.getUTCSeconds(),
        ])
        expect(entry.exports['fromCivil']()).toBe(BigInt(seconds))
        expect(entry.exports['weekday'](BigInt(seconds))).toBe(date.getUTCDay() || 7)
      }),
      { seed: 1, numRuns: 5000 },
    )
  })

  it.each([
    [951_782_400n, [2000, 2, 29, 0, 0, 0]],
    [-1n, [1969, 12, 31, 23, 59, 59]],
    [2_147_483_648n, [2038, 1, 19, 3, 14, 8]],
    [4_107_542_400n, [2100, 3, 1, 0, 0, 0]],
  ])('second %s is %j', (seconds, expected) => {
    expect(civil(seconds)).toEqual(expected)
  })

  it('count the leap second 23:59:60 as the next midnight', () => {
    new Int32Array(entry.memory.buffer, entry.exports['CIVIL'].value, 6).set([2016, 12, 31, 23, 59, 60])
    expect(entry.exports['fromCivil']()).toBe(1_483_228_800n)
  })
})

describe('NTP seconds', () => {
  it('begin in 1900', () => {
    expect(entry.exports['ntpSeconds'](0n) >>> 0).toBe(2_208_988_800)
  })

  it('wrap to era 1 on 2036-02-07 at 06:28:16 UTC (RFC 5905, section 6)', () => {
    expect(entry.exports['ntpSeconds'](2_085_978_496n) >>> 0).toBe(0)
  })

  it('are given their era by a pivot within 68 years', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000_000_000 }),
        fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
        (second, distance) => {
          const era = entry.exports['ntpSeconds'](BigInt(second))
          expect(entry.exports['unixFromNtp'](era, BigInt(second - distance))).toBe(BigInt(second))
        },
      ),
      { seed: 2, numRuns: 2000 },
    )
  })
})

describe('fractions', () => {
  it('round to the nearest nanosecond within one unit, and never reach a whole second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), (nanos) => {
        const back = entry.exports['nanosFromFraction'](entry.exports['fractionFromNanos'](nanos))
        expect(Math.abs(back - nanos)).toBeLessThanOrEqual(1)
      }),
      { seed: 3, numRuns: 2000 },
    )
    expect(entry.exports['fractionFromNanos'](999_999_999) >>> 0).toBeGreaterThan(0xffff_fff0)
  })
})
