// TAI - UTC over a leap second, and the smear.

import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

/** 2028-07-01T00:00:00Z. */
const MIDNIGHT = 1_846_022_400
const DAY = 86_400
const NOON = MIDNIGHT - DAY / 2

let entry: Entry
beforeAll(async () => {
  entry = await loadEntry(new URL('./leap.entry.ts', import.meta.url), 'checked', {})
})
const call = (name: string, ...args: (number | bigint)[]) => Number(entry.exports[name]!(...args))

/** Three pulses that announce the leap second, from `second` on. */
function announce(second: number, change: number, tai = 37): void {
  for (let i = 0; i < 3; i++) entry.exports['hear']!(BigInt(second + i), 0, change, BigInt(MIDNIGHT - 1), tai)
}

/** What is served at a continuous time: seconds since the noon before. */
function served(second: number, fraction = 0): number {
  entry.exports['serve']!(BigInt(second), BigInt(Math.floor(fraction * 2 ** 32)) << 32n)
  return call('seconds') - NOON + (call('fraction') >>> 0) / 2 ** 32
}

describe('TAI - UTC', () => {
  it('is_unknown_until_the_receiver_tells_it', () => {
    entry.exports['init']!(0)
    expect(call('tai', BigInt(MIDNIGHT))).toBe(0)
    announce(MIDNIGHT - 1000, 1, 0)
    expect(call('tai', BigInt(MIDNIGHT + 5))).toBe(0)
    announce(MIDNIGHT - 900, 1)
    expect(call('tai', BigInt(MIDNIGHT - 800))).toBe(37)
  })

  it.each([
    ['inserted', 1, MIDNIGHT, MIDNIGHT + 1],
    ['left out', -1, MIDNIGHT - 2, MIDNIGHT - 1],
  ])('steps_with_a_second_that_is_%s_without_being_told', (_, change, last, first) => {
    entry.exports['init']!(0)
    announce(MIDNIGHT - 1000, change)
    expect(call('tai', BigInt(last))).toBe(37)
    expect(call('tai', BigInt(first))).toBe(37 + change)
    expect(call('fold', BigInt(MIDNIGHT + 10))).toBe(-change)
    expect(call('tai', BigInt(MIDNIGHT + 10 - change))).toBe(37 + change)
  })

  it('is_the_same_whether_pulses_come_through_the_leap_second_or_not', () => {
    entry.exports['init']!(0)
    announce(MIDNIGHT - 1000, 1)
    entry.exports['hear']!(BigInt(MIDNIGHT - 1), 1, 0, 0n, 37)
    expect(call('tai', BigInt(MIDNIGHT))).toBe(37)
    entry.exports['hear']!(BigInt(MIDNIGHT), 0, 0, 0n, 38)
    expect(call('tai', BigInt(MIDNIGHT + 1))).toBe(38)
    call('fold', BigInt(MIDNIGHT + 10))
    entry.exports['hear']!(BigInt(MIDNIGHT + 10), 0, 0, 0n, 38)
    expect(call('tai', BigInt(MIDNIGHT + 10))).toBe(38)
  })
})

describe('what a record from before a power cut knows', () => {
  it.each([
    [1, 37],
    [-1, 37],
    [1, 0],
  ])('arms_the_leap_second_that_lies_ahead_and_folds_the_one_that_has_passed: %i, %i', (change, tai) => {
    entry.exports['init']!(0)
    entry.exports['restore']!(BigInt(MIDNIGHT), BigInt(change), 0, tai)
    const after = tai === 0 ? 0 : tai + change
    expect(call('indicator', BigInt(MIDNIGHT - DAY - 1))).toBe(0)
    expect(call('indicator', BigInt(MIDNIGHT - DAY))).toBe(change > 0 ? 1 : 2)
    expect(call('tai', BigInt(MIDNIGHT - 2))).toBe(tai)
    // The continuous scale of a part that has counted on.
    expect(served(MIDNIGHT - 100)).toBe(DAY / 2 - 100)
    expect(served(MIDNIGHT + 5)).toBe(DAY / 2 + 5 - change)
    expect(call('fold', BigInt(MIDNIGHT + 5000))).toBe(-change)
    expect(served(MIDNIGHT + 5000 - change)).toBe(DAY / 2 + 5000 - change)
    expect(call('tai', BigInt(MIDNIGHT + 5000))).toBe(after)
    expect(call('armed')).toBe(0)
  })

  it.each([1, -1])('labels_every_second_so_that_it_is_read_back: %i', (change) => {
    entry.exports['init']!(0)
    for (const armed of [false, true]) {
      if (armed) entry.exports['restore']!(BigInt(MIDNIGHT), BigInt(change), 0, 37)
      for (let second = MIDNIGHT - 5; second < MIDNIGHT + 10; second++)
        expect(call('relabelled', BigInt(second))).toBe(second)
    }
  })

  it('takes_nothing_off_when_the_part_was_set_after_it', () => {
    entry.exports['init']!(0)
    entry.exports['restore']!(BigInt(MIDNIGHT), 1n, 1, 37)
    expect(call('armed')).toBe(0)
    expect(served(MIDNIGHT + 5)).toBe(DAY / 2 + 5)
    expect(call('tai', BigInt(MIDNIGHT + 5))).toBe(38)
  })

  it('gives_way_to_a_receiver_that_announces_another', () => {
    entry.exports['init']!(0)
    entry.exports['restore']!(BigInt(MIDNIGHT), 1n, 0, 37)
    announce(MIDNIGHT - 5000, -1, 36)
    expect(call('indicator', BigInt(MIDNIGHT - 100))).toBe(2)
    expect(call('tai', BigInt(MIDNIGHT - 100))).toBe(36)
  })

  it('lasts_for_900_pulses_without_a_word_of_it', () => {
    entry.exports['init']!(0)
    entry.exports['restore']!(BigInt(MIDNIGHT), 1n, 0, 37)
    for (let i = 0; i < 899; i++) entry.exports['hear']!(BigInt(MIDNIGHT - 5000 + i), 0, 0, 0n, 37)
    expect(call('armed')).toBe(MIDNIGHT)
    entry.exports['hear']!(BigInt(MIDNIGHT - 4000), 0, 0, 0n, 37)
    expect(call('armed')).toBe(0)
  })
})

describe('the smear', () => {
  it.each([
    ['ahead', 0],
    ['past', 1],
  ])('goes_on_after_a_power_cut_with_the_leap_second_%s', (_, over) => {
    entry.exports['init']!(1)
    entry.exports['restore']!(BigInt(MIDNIGHT), 1n, over, 37)
    const at = over === 0 ? MIDNIGHT - 3600 : MIDNIGHT + 3600
    entry.exports['poll']!(BigInt(at))
    expect(call('active', BigInt(at))).toBe(1)
    const elapsed = at - NOON + over
    expect(served(at)).toBeCloseTo(elapsed - elapsed / (DAY + 1), 6)
    entry.exports['poll']!(BigInt(MIDNIGHT + DAY / 2))
    expect(call('active', BigInt(MIDNIGHT + DAY / 2))).toBe(0)
  })

  it('does_not_begin_in_the_middle_for_one_that_is_announced_late', () => {
    entry.exports['init']!(1)
    announce(MIDNIGHT - 3600, 1)
    entry.exports['poll']!(BigInt(MIDNIGHT - 3590))
    expect(call('active', BigInt(MIDNIGHT - 3590))).toBe(0)
  })

  it('is_off_unless_asked_for', () => {
    entry.exports['init']!(0)
    announce(NOON - 1000, 1)
    entry.exports['poll']!(BigInt(NOON - 990))
    expect(call('active', BigInt(MIDNIGHT))).toBe(0)
    expect(served(MIDNIGHT)).toBe(DAY / 2 - 1)
    expect(call('flag')).toBe(1)
  })

  it.each([
    ['inserted', 1],
    ['left out', -1],
  ])('spreads_a_second_that_is_%s_from_noon_to_noon', (_, change) => {
    entry.exports['init']!(1)
    announce(NOON - 1000, change)
    entry.exports['poll']!(BigInt(NOON - 990))
    expect(served(NOON - 1, 0.5)).toBe(-0.5)
    expect(served(NOON)).toBe(0)
    let before = -1
    for (let k = 0; k < DAY + change; k += 7) {
      const at = served(NOON + k, 0.25)
      expect(call('flag')).toBe(0)
      expect(Math.abs(at - ((k + 0.25) * DAY) / (DAY + change))).toBeLessThan(1e-9)
      expect(at).toBeGreaterThan(before)
      before = at
    }
    expect(served(NOON + DAY + change)).toBe(DAY)
    expect(served(NOON + DAY + change, 0.5)).toBe(DAY + 0.5)
    // Half a second from UTC at midnight.
    expect(served(MIDNIGHT)).toBeCloseTo(DAY / 2 - change / 2, 4)
  })

  it('goes_on_until_noon_after_the_scales_have_been_folded', () => {
    entry.exports['init']!(1)
    announce(NOON - 1000, 1)
    entry.exports['poll']!(BigInt(NOON - 990))
    const before = served(MIDNIGHT + 11)
    expect(call('fold', BigInt(MIDNIGHT + 11))).toBe(-1)
    entry.exports['poll']!(BigInt(MIDNIGHT + 10))
    expect(served(MIDNIGHT + 10)).toBe(before)
    expect(call('active', BigInt(MIDNIGHT + 10))).toBe(1)
    entry.exports['poll']!(BigInt(NOON + DAY))
    expect(call('active', BigInt(NOON + DAY))).toBe(0)
    expect(served(NOON + DAY)).toBe(DAY)
  })

  it('does_not_begin_in_the_middle_when_the_announcement_comes_late', () => {
    entry.exports['init']!(1)
    announce(NOON + 100, 1)
    entry.exports['poll']!(BigInt(NOON + 110))
    expect(call('active', BigInt(NOON + 110))).toBe(0)
    expect(served(NOON + 110)).toBe(110)
  })

  it('is_called_off_with_a_withdrawn_announcement_only_before_it_has_begun', () => {
    entry.exports['init']!(1)
    announce(NOON - 1000, 1)
    entry.exports['poll']!(BigInt(NOON - 990))
    for (let i = 0; i < 60; i++) entry.exports['hear']!(BigInt(NOON - 900 + i), 0, 0, 0n, 37)
    entry.exports['poll']!(BigInt(NOON - 800))
    expect(served(NOON + 1000)).toBe(1000)
  })
})
