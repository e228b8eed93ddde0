// What the network says of the sky.

import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

const MILLI = 1_000_000n
const SECOND = 1_000_000_000n
/** 2026-11-22T12:00:00Z in nanoseconds. */
const NOON = 1_795_348_800n * SECOND
const TICKS = 16_000_000n

const [NONE, AGREES, DISAGREES] = [0, 1, 2]
const [SECONDS, ROLLOVER, DATE, PHASE, LEAP, RECEIVER] = [1, 2, 3, 4, 5, 6]

let entry: Entry
beforeAll(async () => {
  entry = await loadEntry(new URL('./vouch.entry.ts', import.meta.url), 'checked', {})
})
beforeEach(() => entry.exports['vouchInit']!())

const call = (name: string, ...args: (number | bigint)[]) => Number(entry.exports[name]!(...args))
/** UTC at tick 0 is noon, give or take 10 ms. */
const quorum = () => call('vouchQuorum', 0n, NOON - 10n * MILLI, NOON + 10n * MILLI)
/** A pulse `k` seconds after noon that is `off` nanoseconds ahead of it. */
const pulse = (k: number, off = 0n, error = 30n) =>
  call('vouchPulse', BigInt(k) * TICKS, NOON + BigInt(k) * SECOND + off, error, BigInt(k) * SECOND)
const alarm = () => call('vouchDisagreement')

describe('a pulse', () => {
  it('is_not_judged_without_a_quorum_or_with_one_older_than_half_an_hour', () => {
    expect(pulse(0, SECOND)).toBe(NONE)
    quorum()
    expect(pulse(1500)).toBe(AGREES)
    expect(pulse(1600, SECOND)).toBe(NONE)
    expect(call('vouchReady', 1600n * TICKS)).toBe(0)
    call('vouchNobody')
    expect(pulse(1, SECOND)).toBe(NONE)
  })

  it('agrees_inside_the_interval_and_disagrees_outside_it', () => {
    quorum()
    expect(pulse(0, 10n * MILLI)).toBe(AGREES)
    expect(pulse(0, -10n * MILLI)).toBe(AGREES)
    expect(pulse(0, 10n * MILLI + 31n)).toBe(DISAGREES)
    expect(pulse(0, -10n * MILLI - 31n)).toBe(DISAGREES)
    expect(pulse(0, 11n * MILLI, 2n * MILLI)).toBe(AGREES)
  })

  it('may_be_further_off_as_the_quorum_ages_by_five_millionths', () => {
    quorum()
    expect(pulse(1000, 14n * MILLI)).toBe(AGREES)
    expect(pulse(1000, 16n * MILLI)).toBe(DISAGREES)
  })
})

describe('a pulse without a label', () => {
  const whole = (elapsed: bigint, error = 0n) => Boolean(call('vouchWhole', error, elapsed))

  it('may_begin_a_second_only_where_the_quorum_has_one', () => {
    quorum()
    expect([whole(0n), whole(5n * SECOND), whole(9n * MILLI), whole(-9n * MILLI)]).toEqual([true, true, true, true])
    expect([whole(11n * MILLI), whole(-11n * MILLI), whole(SECOND / 2n)]).toEqual([false, false, false])
    expect(whole(11n * MILLI, 2n * MILLI)).toBe(true)
    expect(whole(1000n * SECOND + 14n * MILLI)).toBe(true)
    call('vouchQuorum', 0n, NOON, NOON + SECOND)
    expect(whole(SECOND / 3n)).toBe(true)
  })
})

describe('the alarm', () => {
  it.each([
    ['a second ahead', SECOND, SECONDS],
    ['a second behind', -SECOND, SECONDS],
    ['eighteen seconds: no leap seconds at all', 18n * SECOND, SECONDS],
    ['a week rollover', -1024n * 604_800n * SECOND, ROLLOVER],
    ['two week rollovers', -2048n * 604_800n * SECOND, ROLLOVER],
    ['a hundred milliseconds: a spoofer', 100n * MILLI, PHASE],
    ['an hour: a wrong zone', 3600n * SECOND, DATE],
  ])('tells_what_is_wrong: %s', (_, off, reason) => {
    quorum()
    pulse(1, off)
    pulse(2, off)
    expect(alarm()).toBe(0)
    pulse(3, off)
    expect(alarm()).toBe(reason)
    expect(call('vouchRaised')).toBe(1)
  })

  it('is_not_cleared_by_pulses_near_an_end_of_the_interval_but_by_a_quarter_of_an_hour_of_them', () => {
    quorum()
    for (let k = 0; k < 3; k++) pulse(k, 12n * MILLI)
    expect(alarm()).toBe(PHASE)
    for (let k = 3; k < 902; k++) pulse(k, 8n * MILLI)
    expect(alarm()).toBe(PHASE)
    pulse(902, 8n * MILLI)
    expect(alarm()).toBe(0)
  })

  it('that_only_the_receiver_has_raised_ends_with_a_minute_of_pulses_that_nobody_judges', () => {
    call('vouchAlarm', RECEIVER)
    for (let k = 0; k < 59; k++) call('vouchUnjudged')
    expect(alarm()).toBe(RECEIVER)
    call('vouchUnjudged')
    expect(alarm()).toBe(0)
    call('vouchAlarm', LEAP)
    for (let k = 0; k < 100; k++) call('vouchUnjudged')
    expect(alarm()).toBe(LEAP)
  })

  it('is_cleared_by_a_minute_of_agreement_and_not_before', () => {
    quorum()
    for (let k = 0; k < 3; k++) pulse(k, SECOND)
    for (let k = 3; k < 62; k++) pulse(k)
    expect(alarm()).toBe(SECONDS)
    pulse(62)
    expect(alarm()).toBe(0)
    for (let k = 63; k < 66; k++) pulse(k, SECOND)
    expect(call('vouchRaised')).toBe(2)
  })

  it('is_not_raised_by_contradictions_that_do_not_persist', () => {
    quorum()
    for (let k = 0; k < 300; k++) pulse(k, k % 3 === 2 ? 0n : SECOND)
    expect(alarm()).toBe(0)
  })

  it('can_be_raised_for_what_no_pulse_shows', () => {
    quorum()
    call('vouchAlarm', LEAP)
    expect(alarm()).toBe(LEAP)
    for (let k = 0; k < 60; k++) pulse(k)
    expect(alarm()).toBe(0)
  })
})

describe('a step', () => {
  it('is_proven_by_three_pulses_in_a_row_that_the_network_confirms', () => {
    quorum()
    expect(call('vouchProves')).toBe(0)
    for (let k = 0; k < 3; k++) pulse(k)
    expect(call('vouchProves')).toBe(1)
    pulse(3, SECOND)
    expect(call('vouchProves')).toBe(0)
  })
})
