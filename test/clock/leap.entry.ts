// Leap seconds and their smear, for leap.test.ts.

import * as leap from '../../firmware/clock/leap'
import { Stamp } from '../../firmware/clock/line'
import * as smear from '../../firmware/clock/smear'
import { Pulse } from '../../firmware/gnss/pulse'
import { Instant } from '../../firmware/time/instant'

const PULSE: Pulse = changetype<Pulse>(memory.data(40, 8))
const INSTANT: Instant = changetype<Instant>(memory.data(16, 8))
const STAMP: Stamp = changetype<Stamp>(memory.data(16, 8))

export function init(smeared: u32): void {
  leap.leapInit()
  smear.smearInit(smeared !== 0)
}

export function hear(second: i64, leapSecond: u32, warning: i32, leapAt: i64, tai: i32): void {
  PULSE.second = second
  PULSE.leapSecond = <u8>leapSecond
  PULSE.leapWarning = <i8>warning
  PULSE.leapAt = leapAt
  PULSE.taiOffset = tai
  PULSE.valid = 1
  leap.leapHear(PULSE, leap.leapContinuous(PULSE))
}

/** What a boot does with the record. */
export function restore(at: i64, by: i64, over: u32, tai: i32): void {
  leap.leapRestore(at, by, over !== 0, tai)
}

/** A continuous second, made a label and read again. */
export function relabelled(second: i64): i64 {
  leap.leapLabel(second, PULSE)
  return leap.leapContinuous(PULSE)
}

export function armed(): i64 {
  return leap.leapMidnight()
}

export function indicator(second: i64): u32 {
  return leap.leapIndicator(second)
}

export function fold(second: i64): i64 {
  return leap.leapFold(second)
}

export function tai(second: i64): i32 {
  return leap.leapTaiOffset(second)
}

export function poll(utc: i64): void {
  smear.smearPoll(utc)
}

export function active(utc: i64): u32 {
  return smear.smearActive(utc) ? 1 : 0
}

/** UTC of a continuous time, then smeared: read `seconds` and `fraction`. */
export function serve(second: i64, fraction: u64): void {
  STAMP.seconds = second
  STAMP.fraction = fraction
  leap.leapUtc(STAMP, INSTANT)
  smear.smear(INSTANT)
}

export function seconds(): i64 {
  return INSTANT.seconds
}
export function fraction(): u32 {
  return INSTANT.fraction
}
export function flag(): u32 {
  return INSTANT.leap
}
