// The firmware's clock room alone, compiled as the firmware is: build/clock.wasm. `noonmark sim clock` and the scenario
// tests feed it pulses and ask it for the time; it has no receiver, no network and no machine but a tick counter.
//
// Ticks are whole numbers below 2^53 and come as f64, so that a call from JavaScript costs no BigInt.

import { clockAlarm, clockAlarmNanos } from '../firmware/clock/alarm'
import * as clock from '../firmware/clock/clock'
import { disciplineCalibrate, disciplineDifference } from '../firmware/clock/discipline'
import { oscillatorTemperature } from '../firmware/clock/oscillator'
import { PULSE_SIZE, Pulse } from '../firmware/gnss/pulse'
import { Instant } from '../firmware/time/instant'

const PULSE: Pulse = changetype<Pulse>(memory.data(<i32>PULSE_SIZE, 8))
const INSTANT: Instant = changetype<Instant>(memory.data(16, 8))

/** `delayNanos`: mean delay of a capture; `residualNanos`: what its calibration may have left. */
export function init(delayNanos: f64, residualNanos: f64): void {
  clock.clockInit()
  disciplineCalibrate(delayNanos, residualNanos)
}

/** A labelled pulse, handed in at tick `now`. The fields are those of `Pulse`. */
export function pulse(
  ticks: f64,
  second: f64,
  errorNanos: u32,
  sawtoothPicos: i32,
  leapSecond: u32,
  leapWarning: i32,
  leapAt: f64,
  now: f64,
): void {
  PULSE.ticks = <u64>ticks
  PULSE.second = <i64>second
  PULSE.errorNanos = errorNanos
  PULSE.sawtoothPicos = sawtoothPicos
  PULSE.leapSecond = <u8>leapSecond
  PULSE.leapWarning = <i8>leapWarning
  PULSE.leapAt = <i64>leapAt
  PULSE.valid = 1
  clock.clockPulse(PULSE, <u64>now)
}

/** A reading of the thermometer, in 1/64 degree C. */
export function temperature(sixtyfourths: i32): void {
  oscillatorTemperature(sixtyfourths)
}

/** Time passes; returns the tick at which it wants to be called again. */
export function poll(now: f64): f64 {
  return <f64>clock.clockPoll(<u64>now)
}

/** Reads the clock. The second returned is UTC; `fraction` (2^-32 s) and `leap` belong to it. */
export function serve(ticks: f64): f64 {
  clock.clockNow(INSTANT, <u64>ticks)
  return <f64>INSTANT.seconds
}
export function fraction(): u32 {
  return INSTANT.fraction
}
/** 1 inside 23:59:60. */
export function leap(): u32 {
  return INSTANT.leap
}

/** The bound on the error of what is served at a tick, ns. */
export function error(ticks: f64): f64 {
  return <f64>clock.clockErrorNanos(<u64>ticks)
}

/** firmware/clock/clock.ts: ClockState. */
export function state(): u32 {
  return clock.clockState()
}
export function stratum(): u32 {
  return clock.clockStratum()
}
/** RFC 5905's leap indicator. */
export function indicator(ticks: f64): u32 {
  return clock.clockLeap(<u64>ticks)
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
/** firmware/clock/alarm.ts: ClockAlarm. */
export function alarm(): u32 {
  return clockAlarm()
}
/** The size of the last alarm: pulses minus clock, ns. */
export function alarmNanos(): f64 {
  return <f64>clockAlarmNanos()
}
/** The last pulse's time minus the clock's own, ns. */
export function difference(): f64 {
  return disciplineDifference()
}
