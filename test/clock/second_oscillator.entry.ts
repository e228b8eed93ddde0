// The RTC as a second oscillator, alone: square wave, learning and what it says in holdover. For second_oscillator.test.ts.

import { Line } from '../../firmware/clock/line'
import { waveBreak, waveInit, wavePoll, waveSlope, waveSteady } from '../../firmware/clock/rtc_wave'
import {
  secondGain,
  secondHoldover,
  secondInit,
  secondObserve,
  secondPass,
  secondSigma,
  secondSteady,
  secondTemperature,
} from '../../firmware/clock/second_oscillator'

const LINE: Line = changetype<Line>(memory.data(32, 8))

export function init(): void {
  waveInit()
  secondInit()
}
export function look(): void {
  wavePoll()
}
export function set(): void {
  waveBreak()
}
export function steady(ticks: u64): bool {
  return waveSteady(ticks)
}
export function slope(): f64 {
  return waveSlope()
}
export function temperature(sixtyfourths: i32): void {
  secondTemperature(sixtyfourths)
}
/** The true line: at `ticks` it is the beginning of `second`. */
export function observe(ticks: u64, second: i64, sigma: f64): void {
  at(ticks, second)
  secondObserve(LINE, sigma)
}
export function holdover(ticks: u64, second: i64): bool {
  at(ticks, second)
  return secondHoldover(LINE)
}
export function holds(ticks: u64): bool {
  return secondSteady(ticks)
}
export function pass(seconds: f64): void {
  secondPass(seconds)
}
export function gain(ticks: u64): f64 {
  return secondGain(ticks)
}
export function sigma(ahead: f64): f64 {
  return secondSigma(ahead)
}

function at(ticks: u64, second: i64): void {
  LINE.ticks = ticks
  LINE.seconds = second
  LINE.fraction = 0
}
