// The clock room with a hand on every door, for clock.test.ts.

import * as alarms from '../../firmware/clock/alarm'
import * as clock from '../../firmware/clock/clock'
import * as discipline from '../../firmware/clock/discipline'
import { Pulse } from '../../firmware/gnss/pulse'
import { Instant } from '../../firmware/time/instant'

const PULSE: Pulse = changetype<Pulse>(memory.data(40, 8))
const INSTANT: Instant = changetype<Instant>(memory.data(16, 8))

export function init(): void {
  clock.clockInit()
}

export function pulse(
  ticks: u64,
  second: i64,
  errorNanos: u32,
  sawtoothPicos: i32,
  leapSecond: u32,
  leapWarning: i32,
  leapAt: i64,
  now: u64,
): void {
  PULSE.ticks = ticks
  PULSE.second = second
  PULSE.errorNanos = errorNanos
  PULSE.sawtoothPicos = sawtoothPicos
  PULSE.leapSecond = <u8>leapSecond
  PULSE.leapWarning = <i8>leapWarning
  PULSE.leapAt = leapAt
  PULSE.valid = 1
  clock.clockPulse(PULSE, now)
}

export function rehearse(edge: u64): void {
  clock.clockRehearse(edge)
}

export function poll(now: u64): u64 {
  return clock.clockPoll(now)
}

/** Reads the clock; the parts are in `seconds`, `fraction`, `leap`. */
export function now(ticks: u64): void {
  clock.clockNow(INSTANT, ticks)
}
export function seconds(): i64 {
  return INSTANT.seconds
}
export function fraction(): u32 {
  return INSTANT.fraction
}
export function leap(): u32 {
  return INSTANT.leap
}
export function reference(): void {
  clock.clockReferenceTime(INSTANT)
}
export function error(ticks: u64): u64 {
  return clock.clockErrorNanos(ticks)
}
export function restore(ticks: u64, seconds: i64, fraction: u64, errorNanos: u64): void {
  clock.clockRestore(ticks, seconds, fraction, errorNanos)
}
export function ticksAt(second: i64, near: u64): u64 {
  return clock.clockTicksAt(second, near)
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
export function dispersion(ticks: u64): u32 {
  return clock.clockRootDispersion(ticks)
}
export function precision(): i32 {
  return clock.clockPrecision()
}
export function referenceId(): u32 {
  return clock.clockReferenceId()
}
export function frequency(): i32 {
  return clock.clockFrequency()
}
export function accepted(): u32 {
  return clock.clockAccepted()
}
export function rejected(): u32 {
  return clock.clockRejected()
}
export function steps(): u32 {
  return clock.clockSteps()
}
export function difference(): f64 {
  return discipline.disciplineDifference()
}
/** The board's calibration, ns. */
export function calibrate(delay: f64, residual: f64): void {
  discipline.disciplineCalibrate(delay, residual)
}
/** firmware/clock/alarm.ts: ClockAlarm. */
export function alarm(): u32 {
  return alarms.clockAlarm()
}
export function alarmLast(): u32 {
  return alarms.clockAlarmLast()
}
export function alarmNanos(): i64 {
  return alarms.clockAlarmNanos()
}
export function alarmCount(): u32 {
  return alarms.clockAlarms()
}
