// The clock with a network beside its sky, for network.test.ts.

import * as clock from '../../firmware/clock/clock'
import { QUORUM_SIZE, Quorum } from '../../firmware/clock/network'
import { Pulse } from '../../firmware/gnss/pulse'
import { Instant } from '../../firmware/time/instant'

const PULSE: Pulse = changetype<Pulse>(memory.data(40, 8))
const INSTANT: Instant = changetype<Instant>(memory.data(16, 8))
const QUORUM: Quorum = changetype<Quorum>(memory.data(QUORUM_SIZE, 8))

export function init(policy: u32): void {
  clock.clockInit()
  clock.clockOnDisagree(policy)
}

export function pulse(ticks: u64, second: i64, leapSecond: u32, warning: i32, leapAt: i64, now: u64): void {
  PULSE.ticks = ticks
  PULSE.second = second
  PULSE.errorNanos = 30
  PULSE.leapSecond = <u8>leapSecond
  PULSE.leapWarning = <i8>warning
  PULSE.leapAt = leapAt
  PULSE.valid = 1
  clock.clockPulse(PULSE, now)
}

export function rehearse(edge: u64): void {
  clock.clockRehearse(edge)
}

export function quorum(ticks: u64, utc: i64, half: i64, stratum: u32, leap: u32, now: u64): void {
  QUORUM.ticks = ticks
  QUORUM.utc = utc
  QUORUM.low = utc - half
  QUORUM.high = utc + half
  QUORUM.rootDelay = 2_000_000
  QUORUM.rootDispersion = 500_000
  QUORUM.stratum = stratum
  QUORUM.referenceId = 0xc0a8_0707
  QUORUM.leap = leap
  clock.clockQuorum(QUORUM, now)
}

export function nobody(): void {
  clock.clockNoQuorum()
}

export function receiverAlarm(): void {
  clock.clockReceiverAlarm()
}

export function poll(now: u64): u64 {
  return clock.clockPoll(now)
}

export function restore(ticks: u64, seconds: i64, errorNanos: u64): void {
  clock.clockRestore(ticks, seconds, 0, errorNanos)
}

/** Nanoseconds since 1970 at a tick. */
export function nanos(ticks: u64): i64 {
  clock.clockNow(INSTANT, ticks)
  return INSTANT.seconds * 1_000_000_000 + <i64>((<u64>INSTANT.fraction * 1_000_000_000) >> 32)
}

export function error(ticks: u64): u64 {
  return clock.clockErrorNanos(ticks)
}
export function state(): u32 {
  return clock.clockState()
}
export function stratum(): u32 {
  return clock.clockStratum()
}
export function indicator(ticks: u64): u32 {
  return clock.clockLeap(ticks)
}
export function rootDelay(): u32 {
  return clock.clockRootDelay()
}
export function referenceId(): u32 {
  return clock.clockReferenceId()
}
export function disagreement(): u32 {
  return clock.clockDisagreement()
}
