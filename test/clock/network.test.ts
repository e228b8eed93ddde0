// The clock between sky and network: who is followed, what is served, what raises the alarm.

import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

const [UNKNOWN, RESTORED, LOCKED, HOLDOVER, VOUCHED] = [0, 1, 2, 3, 4]
const [HOLD, FOLLOW_NETWORK, FOLLOW_GNSS] = [0, 1, 2]
const [SECONDS, PHASE, LEAP, RECEIVER] = [1, 4, 5, 6]
/** 2026-11-22T12:00:00Z. */
const NOON = 1_795_348_800
const MILLI = 1e6
const SECOND = 1e9
/** The crystal is 8 ppm fast; ticks of a true second since noon, counted from 1000 s before. */
const RATE = 16e6 * (1 + 8e-6)
const ticks = (second: number) => BigInt(Math.round((second + 1000) * RATE))

let entry: Entry
let ticksNow = 0n
beforeAll(async () => {
  entry = await loadEntry(new URL('./network.entry.ts', import.meta.url), 'checked', {
    abi: { ticks: () => ticksNow++ },
  })
})
const call = (name: string, ...args: (number | bigint)[]) => Number(entry.exports[name]!(...args))
const state = () => call('state')

/** A story in seconds since noon: what the sky and the servers say, second by second. */
class Story {
  second = 0
  /** Seconds that the sky is ahead of the truth; undefined: no pulses. */
  sky: number | undefined
  /** Nanoseconds that the servers are ahead; undefined: silent. */
  servers: number | undefined
  half = 5 * MILLI
  poll = 16
  stratum = 2
  leap = 0
  announced = 0
  worst = 0
  violations = 0

  constructor(
    policy = HOLD,
    readonly origin = NOON,
  ) {
    ticksNow = ticks(0)
    call('init', policy)
  }

  /** Lets seconds pass. */
  run(seconds: number): this {
    for (const end = this.second + seconds; this.second < end; this.second++) {
      const at = ticks(this.second)
      const now = at + 4_000_000n
      if (this.sky !== undefined) {
        const edge = ticks(this.second - (this.sky % 1)) + 19n
        const label = BigInt(this.origin + this.second + Math.trunc(this.sky))
        const midnight = BigInt(Math.ceil((this.origin + this.second + 1) / 86_400) * 86_400)
        call('pulse', edge, label, 0, this.announced, this.announced === 0 ? 0n : midnight - 1n, now)
      }
      if (this.servers !== undefined && this.second % this.poll === 0) {
        const utc = BigInt(this.origin + this.second) * 1_000_000_000n + BigInt(this.servers) + 100_000_000n
        const tick = ticks(this.second + 0.1)
        call('quorum', tick, utc, BigInt(this.half), this.stratum, this.leap, now)
      }
      for (let i = 0; i < 8 && call('poll', now) <= Number(now); i++);
      call('poll', ticks(this.second + 0.75))
      this.check()
    }
    return this
  }

  /** Served minus true nanoseconds in the middle of this second. */
  error(second = this.second - 0.5): number {
    const at = ticks(second)
    return Number(BigInt(entry.exports['nanos']!(at)) - BigInt(this.origin) * 1_000_000_000n) - second * SECOND
  }

  private check(): void {
    if (call('stratum') === 16) return
    const error = Math.abs(this.error(this.second + 0.5))
    this.worst = Math.max(this.worst, error)
    if (error > call('error', ticks(this.second + 0.5))) this.violations++
  }
}

describe('without a sky', () => {
  it('the_clock_follows_the_servers_at_the_next_stratum_with_their_interval_as_its_bound', () => {
    const story = new Story()
    expect(state()).toBe(UNKNOWN)
    story.servers = 1 * MILLI
    story.run(600)
    expect(state()).toBe(VOUCHED)
    expect(call('stratum')).toBe(3)
    expect(call('referenceId') >>> 0).toBe(0xc0a8_0707)
    expect(call('rootDelay')).toBe(132)
    expect(call('indicator', ticks(600))).toBe(0)
    expect(Math.abs(story.error() - MILLI)).toBeLessThan(0.2 * MILLI)
    expect(call('error', ticks(600))).toBeGreaterThan(5 * MILLI)
    expect(call('error', ticks(600))).toBeLessThan(7 * MILLI)
    expect(story.violations).toBe(0)
  })

  it('a_restored_clock_that_is_seconds_off_is_put_right', () => {
    const story = new Story()
    call('restore', ticks(0), BigInt(NOON - 3), BigInt(5 * SECOND))
    expect(state()).toBe(RESTORED)
    story.servers = 0
    story.run(20)
    expect(state()).toBe(VOUCHED)
    expect(Math.abs(story.error())).toBeLessThan(0.2 * MILLI)
  })

  it('what_nobody_speaks_for_any_more_is_kept_but_not_served', () => {
    const story = new Story()
    story.servers = 0
    story.run(600)
    story.servers = undefined
    call('nobody')
    story.run(1000)
    expect(call('stratum')).toBe(3)
    story.run(20_000)
    expect([state(), call('stratum')]).toEqual([RESTORED, 16])
    expect(story.violations).toBe(0)
    story.servers = 0
    story.run(20)
    expect(state()).toBe(VOUCHED)
  })

  it('a_leap_second_is_taken_from_the_servers', () => {
    const story = new Story(HOLD, NOON + 43_200 - 4000)
    story.servers = 0
    story.leap = 1
    story.run(100)
    expect(call('indicator', ticks(100))).toBe(1)
  })

  it('fifteen_servers_in_a_row_are_too_many', () => {
    const story = new Story()
    story.stratum = 15
    story.servers = 0
    story.run(32)
    expect(call('stratum')).toBe(16)
  })
})

describe('with a sky', () => {
  it('pulses_that_the_servers_confirm_are_followed_and_the_servers_are_not', () => {
    const story = new Story()
    story.servers = 3 * MILLI
    story.run(60)
    story.sky = 0
    story.run(60)
    expect([state(), call('stratum')]).toEqual([LOCKED, 1])
    story.worst = 0
    story.run(300)
    expect(story.worst).toBeLessThan(1000)
    expect(call('error', ticks(400))).toBeLessThan(1000)
    expect(call('rootDelay')).toBe(0)
    expect(call('disagreement')).toBe(0)
    expect(story.violations).toBe(0)
  })

  it('the_servers_number_the_seconds_of_pulses_that_have_no_label_yet', () => {
    const story = new Story()
    for (let k = 0; k < 32; k++) {
      call('rehearse', ticks(k) + 19n)
      call('poll', ticks(k + 0.5))
    }
    story.second = 32
    story.servers = 4 * MILLI
    story.run(1)
    expect(state()).toBe(VOUCHED)
    // The phase is the pulses': the servers' 4 ms are not in it.
    expect(Math.abs(story.error())).toBeLessThan(10_000)
    story.sky = 0
    story.run(20)
    expect(state()).toBe(LOCKED)
    expect(story.violations).toBe(0)
  })

  it('unlabelled_pulses_that_begin_no_second_of_the_servers_are_unlearnt_and_move_nothing', () => {
    const story = new Story()
    for (let k = 0; k < 32; k++) {
      call('rehearse', ticks(k - 0.1))
      call('poll', ticks(k + 0.5))
    }
    story.second = 32
    story.servers = 0
    story.run(1)
    expect(state()).toBe(VOUCHED)
    expect(Math.abs(story.error())).toBeLessThan(MILLI)
    for (let k = 0; k < 20; k++) {
      call('rehearse', ticks(story.second - 0.1))
      story.run(1)
    }
    expect(story.worst).toBeLessThan(MILLI)
    expect(story.violations).toBe(0)
  })

  it('that_is_dragged_out_of_the_interval_widens_the_bound_to_where_the_servers_may_be', () => {
    const story = new Story()
    story.half = MILLI / 2
    story.servers = 0
    story.sky = 0
    story.run(600)
    for (let k = 0; k < 4000; k++) {
      story.sky += 3e-7
      story.run(1)
    }
    expect(call('disagreement')).toBe(PHASE)
    const own = Math.abs(story.error())
    expect(own).toBeGreaterThan(0.4 * MILLI)
    expect(call('error', ticks(story.second - 0.5))).toBeGreaterThan(own)
  })

  it('and_servers_are_not_compared_across_a_leap_second', () => {
    const story = new Story(HOLD, NOON + 43_200 - 300)
    story.sky = 0
    story.servers = 0
    story.poll = 64
    story.announced = 1
    story.leap = 1
    story.run(299)
    expect([state(), call('disagreement'), call('indicator', ticks(298))]).toEqual([LOCKED, 0, 1])
    // From midnight on everybody's numbers are one less.
    story.run(1)
    story.sky = -1
    story.servers = -SECOND
    story.announced = 0
    story.leap = 0
    story.run(300)
    expect([state(), call('disagreement')]).toEqual([LOCKED, 0])
  })

  it.each([
    ['a second ahead', 1, SECONDS],
    ['a second behind', -1, SECONDS],
    ['a tenth of a second early', 0.1, PHASE],
  ])('%s_at_boot_is_refused_and_the_servers_are_followed', (_, off, reason) => {
    const story = new Story()
    story.servers = 0
    story.run(20)
    story.sky = off
    story.run(300)
    expect([state(), call('stratum')]).toEqual([VOUCHED, 3])
    expect(call('disagreement')).toBe(reason)
    expect(story.worst).toBeLessThan(MILLI)
    story.sky = 0
    story.run(100)
    expect([state(), call('disagreement')]).toEqual([LOCKED, 0])
    expect(story.violations).toBe(0)
  })

  it.each([
    ['hold', HOLD, [HOLDOVER, 1]],
    ['follow-network', FOLLOW_NETWORK, [VOUCHED, 3]],
  ])('that_goes_a_second_wrong_after_the_lock_by_policy_%s', (_, policy, expected) => {
    const story = new Story(policy)
    story.servers = 0
    story.sky = 0
    story.run(400)
    expect(state()).toBe(LOCKED)
    story.sky = 1
    story.run(100)
    expect([state(), call('stratum')]).toEqual(expected)
    expect(call('disagreement')).toBe(SECONDS)
    expect(story.worst).toBeLessThan(MILLI)
    story.sky = 0
    story.run(120)
    expect([state(), call('disagreement')]).toEqual([LOCKED, 0])
    expect(story.violations).toBe(0)
  })

  it('is_followed_in_spite_of_the_servers_by_policy_follow_gnss_with_the_alarm_on', () => {
    const story = new Story(FOLLOW_GNSS)
    story.sky = 0
    story.run(400)
    story.servers = 2 * SECOND
    story.run(100)
    expect([state(), call('stratum')]).toEqual([LOCKED, 1])
    expect(call('disagreement')).toBe(SECONDS)
    expect(story.worst).toBeLessThan(20_000)
  })

  it('servers_that_take_over_from_a_holdover_are_met_without_a_jump', () => {
    const story = new Story()
    story.sky = 0
    story.run(400)
    story.sky = undefined
    story.run(1616)
    expect(state()).toBe(HOLDOVER)
    const now = ticks(story.second) + 4_000_000n
    const before = entry.exports['nanos']!(now)
    story.half = 0.02 * MILLI
    story.servers = -1 * MILLI
    story.run(1)
    expect(state()).toBe(VOUCHED)
    // The very tick of the quorum reads as it did, and no later one is earlier.
    expect(Math.abs(Number(BigInt(entry.exports['nanos']!(now)) - BigInt(before)))).toBeLessThan(1000)
    let last = BigInt(before)
    for (let k = 0n; k < 200n; k++) {
      const reading = BigInt(entry.exports['nanos']!(now + k * 40_000n))
      expect(reading >= last).toBe(true)
      last = reading
    }
    expect(Math.abs(story.error(story.second + 2) + MILLI)).toBeLessThan(0.6 * MILLI)
  })

  it('a_true_step_is_believed_at_once_when_the_servers_confirm_it', () => {
    const story = new Story()
    story.sky = 1
    story.run(400)
    // The sky was wrong and nobody knew; now it is right, and the servers know.
    story.servers = 0
    story.sky = 0
    story.run(30)
    expect(state()).toBe(LOCKED)
    expect(Math.abs(story.error())).toBeLessThan(1000)
  })

  it('a_receiver_that_says_it_is_spoofed_is_not_followed_until_a_minute_of_agreement', () => {
    const story = new Story()
    story.sky = 0
    story.servers = 0
    story.run(400)
    call('receiverAlarm')
    expect(call('disagreement')).toBe(RECEIVER)
    story.run(30)
    expect(state()).toBe(HOLDOVER)
    story.run(60)
    expect([state(), call('disagreement')]).toEqual([LOCKED, 0])
  })

  it('a_leap_second_that_no_server_knows_of_is_not_inserted', () => {
    const story = new Story(HOLD, NOON + 43_200 - 4000)
    story.sky = 0
    story.servers = 0
    story.announced = 1
    story.run(40)
    expect(call('indicator', ticks(40))).toBe(0)
    expect(call('disagreement')).toBe(LEAP)
    story.run(3955)
    // The receiver inserts it: its seconds are behind by one from here on.
    story.sky = -1
    story.announced = 0
    story.run(200)
    expect(story.worst).toBeLessThan(MILLI)
    expect(call('disagreement')).toBe(SECONDS)
    expect(state()).toBe(HOLDOVER)
  })
})
