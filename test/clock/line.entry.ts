// Lines and leap seconds by themselves, for line.test.ts.

import { leapContinuous, leapFold, leapHear, leapIndicator, leapInit, leapUtc } from '../../firmware/clock/leap'
import {
  crystalNanosPerSecond,
  Line,
  lineAt,
  lineRebase,
  lineShift,
  lineSpeed,
  lineTowards,
  mulHigh,
  Stamp,
  stampDifference,
} from '../../firmware/clock/line'
import { Pulse } from '../../firmware/gnss/pulse'
import { Instant } from '../../firmware/time/instant'

export { crystalNanosPerSecond, leapFold, leapIndicator, leapInit, mulHigh }

const LINE: Line = changetype<Line>(memory.data(32, 8))
const SLEW: Line = changetype<Line>(memory.data(32, 8))
const A: Stamp = changetype<Stamp>(memory.data(16, 8))
const B: Stamp = changetype<Stamp>(memory.data(16, 8))
const PULSE: Pulse = changetype<Pulse>(memory.data(40, 8))
const INSTANT: Instant = changetype<Instant>(memory.data(16, 8))

export function setLine(ticks: u64, seconds: i64, fraction: u64, rate: u64): void {
  LINE.ticks = ticks
  LINE.seconds = seconds
  LINE.fraction = fraction
  LINE.rate = rate
}
export function at(ticks: u64): void {
  lineAt(LINE, ticks, A)
}
export function slewAt(ticks: u64): void {
  lineAt(SLEW, ticks, A)
}
export function seconds(): i64 {
  return A.seconds
}
export function fraction(): u64 {
  return A.fraction
}
export function rebase(ticks: u64): void {
  lineRebase(LINE, ticks)
}
export function shift(nanos: f64): void {
  lineShift(LINE, nanos)
}
export function speed(nanosPerSecond: f64): u64 {
  lineSpeed(LINE, nanosPerSecond)
  return LINE.rate
}
export function difference(seconds: i64, fraction: u64, otherSeconds: i64, otherFraction: u64): f64 {
  A.seconds = seconds
  A.fraction = fraction
  B.seconds = otherSeconds
  B.fraction = otherFraction
  return stampDifference(A, B)
}
export function towards(fromSeconds: i64, fromFraction: u64, start: u64, k: u32, limit: u64): bool {
  B.seconds = fromSeconds
  B.fraction = fromFraction
  return lineTowards(SLEW, B, start, LINE, k, limit)
}

export function hear(second: i64, leapAt: i64, warning: i32, now: i64): void {
  PULSE.second = second
  PULSE.leapAt = leapAt
  PULSE.leapWarning = <i8>warning
  PULSE.leapSecond = 0
  leapHear(PULSE, now)
}
export function continuous(second: i64, leapSecond: u32): i64 {
  PULSE.second = second
  PULSE.leapSecond = <u8>leapSecond
  return leapContinuous(PULSE)
}
export function utc(second: i64): i64 {
  A.seconds = second
  A.fraction = 0
  leapUtc(A, INSTANT)
  return INSTANT.seconds
}
export function utcLeap(): u32 {
  return INSTANT.leap
}
