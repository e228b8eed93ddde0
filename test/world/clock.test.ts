import { describe, expect, it } from 'vitest'
import { type HostTime, RealClock, VirtualClock } from '../../sim/clock/clock'
import { World } from '../../sim/world/world'

/** A host whose realtime clock is `offset` ahead of its monotonic one; a reading takes 100 ns. */
class FakeHost implements HostTime {
  nanos = 5_000_000_000_123n
  offset = 1_700_000_000_000_000_000n + 456_789n

  monotonic(): bigint {
    this.nanos += 100n
    return this.nanos
  }

  millis(): number {
    this.nanos += 100n
    return Number((this.nanos + this.offset) / 1_000_000n)
  }

  pass(nanos: number): void {
    this.nanos += BigInt(nanos)
  }

  /** The realtime clock, relative to a POSIX second. */
  truth(origin: number): number {
    return Number(this.nanos + this.offset - BigInt(origin) * 1_000_000_000n)
  }
}

describe('the virtual clock', () => {
  it('moves_only_when_it_is_moved_and_never_back', () => {
    const clock = new VirtualClock(1_800_000_000)
    expect(clock.now()).toBe(0)
    clock.advanceTo(5e9)
    clock.advanceTo(4e9)
    expect(clock.now()).toBe(5e9)
    expect(() => new VirtualClock(0.5)).toThrow(RangeError)
  })
})

describe('the real clock', () => {
  it('finds_the_host_s_time_between_its_milliseconds', () => {
    const host = new FakeHost()
    const clock = new RealClock(host)
    expect(clock.uncertainty).toBeLessThan(1000)
    for (let i = 0; i < 20; i++) {
      host.pass(777_777_777)
      clock.recheck()
      const now = clock.now()
      expect(Math.abs(now - host.truth(clock.unixOrigin))).toBeLessThan(1000)
    }
    expect(clock.steps).toBe(0)
  })

  it('agrees_with_date_now_on_this_machine', () => {
    const clock = new RealClock()
    expect(clock.uncertainty).toBeLessThan(100_000)
    for (let i = 0; i < 1000; i++) {
      const before = Date.now()
      const now = clock.unixOrigin * 1000 + clock.now() / 1e6
      const after = Date.now()
      expect(now).toBeGreaterThan(before - 0.2)
      expect(now).toBeLessThan(after + 1.2)
    }
  })

  it('follows_a_step_forward_at_once', () => {
    const host = new FakeHost()
    const clock = new RealClock(host)
    host.offset += 3_000_000_000n
    host.pass(1e9)
    expect(clock.recheck()).toBe(false)
    expect(clock.steps).toBe(1)
    expect(clock.lastStep).toBeGreaterThan(2.99e9)
    for (let i = 0; i < 200; i++) {
      host.pass(10_100_007)
      clock.recheck()
    }
    expect(Math.abs(clock.now() - host.truth(clock.unixOrigin))).toBeLessThan(20_000)
  })

  it('waits_out_a_small_step_back', () => {
    const host = new FakeHost()
    const clock = new RealClock(host)
    const before = clock.now()
    host.offset -= 50_000_000n
    clock.recheck()
    expect(clock.lost).toBe(false)
    const frozen = clock.now()
    expect(frozen).toBeGreaterThanOrEqual(before)
    host.pass(10e6)
    expect(clock.now()).toBe(frozen)
    host.pass(60e6)
    expect(clock.now()).toBeGreaterThan(frozen)
    expect(Math.abs(clock.now() - host.truth(clock.unixOrigin))).toBeLessThan(600_000)
  })

  it('says_so_when_it_cannot_follow', () => {
    const host = new FakeHost()
    const clock = new RealClock(host)
    host.offset -= 3_600_000_000_000n
    clock.recheck()
    expect(clock.lost).toBe(true)
    const now = clock.now()
    host.pass(1e9)
    expect(clock.now() - now).toBeGreaterThan(0.99e9)
  })
})

describe('the world', () => {
  it('tells_utc_through_an_inserted_second', () => {
    const world = new World({ unixOrigin: 86_400 * 20_000 - 10, leapSecond: { midnight: 86_400 * 20_000, change: 1 } })
    const at = (second: number) => {
      const { seconds, leap } = world.utc(second * 1e9 + 5)
      return [seconds - 86_400 * 20_000, leap]
    }
    expect([9, 10, 11, 12].map(at)).toEqual([
      [-1, 0],
      [-1, 1],
      [0, 0],
      [1, 0],
    ])
  })

  it('tells_utc_through_a_second_that_is_left_out', () => {
    const world = new World({ unixOrigin: 86_400 * 20_000 - 10, leapSecond: { midnight: 86_400 * 20_000, change: -1 } })
    expect([7, 8, 9, 10].map((second) => world.utc(second * 1e9).seconds - 86_400 * 20_000)).toEqual([-3, -2, 0, 1])
  })

  it('hides_the_sky_when_told', () => {
    const { sky } = new World({ unixOrigin: 0, outages: [{ from: 5e9, to: 7e9 }] })
    expect([4.9e9, 5e9, 6.9e9, 7e9].map((nanos) => sky.visible(nanos))).toEqual([true, false, false, true])
  })
})
