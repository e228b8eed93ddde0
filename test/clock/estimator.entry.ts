// The estimator, the noise it learns and the first fit, without a clock around them, for estimator.test.ts.

import * as acquire from '../../firmware/clock/acquire'
import * as estimator from '../../firmware/clock/estimator'
import { Line, NOMINAL_RATE } from '../../firmware/clock/line'
import * as noise from '../../firmware/clock/noise'

const LINE: Line = changetype<Line>(memory.data(32, 8))

export function init(): void {
  estimator.estimatorInit()
  acquire.acquireForget()
}
export function start(frequency: f64, p00: f64, p01: f64, p11: f64): void {
  estimator.estimatorStart(frequency, p00, p01, p11)
}
export function advance(seconds: f64): void {
  estimator.estimatorAdvance(seconds)
}
/** Returns the correction of the phase. */
export function update(difference: f64, extra: f64): f64 {
  return estimator.estimatorUpdate(difference, extra)
}
export function refuse(difference: f64, extra: f64): void {
  estimator.estimatorRefuse(difference, extra)
}
export function hold(frequency: f64, phaseVariance: f64, frequencyVariance: f64): void {
  estimator.estimatorHold(frequency, phaseVariance, frequencyVariance)
}
export function remember(): void {
  estimator.estimatorRemember()
}
export function takeBack(): bool {
  return estimator.estimatorTakeBack()
}
/** Works off one rival. */
export function work(): bool {
  return estimator.estimatorWork()
}
export function rate(): f64 {
  return estimator.estimatorRate()
}
export function spread(extra: f64): f64 {
  return estimator.estimatorSpread(extra)
}
export function phaseSigma(): f64 {
  return estimator.estimatorPhaseSigma()
}
export function frequencySigma(): f64 {
  return estimator.estimatorFrequencySigma()
}
export function phaseVariance(ahead: f64): f64 {
  return estimator.estimatorPhaseVariance(ahead)
}
export function learntNoise(): f64 {
  return estimator.estimatorNoise()
}
export function lateShare(): f64 {
  return estimator.estimatorLateShare()
}
export function lateGate(): f64 {
  return noise.lateGate()
}
export function restless(): f64 {
  return estimator.estimatorRestless()
}
export function wander(): f64 {
  return estimator.estimatorWander()
}

/** The heating's cycle: cosine and sine of a second's turn, memory in s, amplitude in ns/s. */
export function cycle(cosine: f64, sine: f64, memory: f64, amplitude: f64, other: bool): void {
  estimator.estimatorCycle(cosine, sine, memory, amplitude, other)
}
export function heat(): f64 {
  return estimator.estimatorHeat()
}

/** A pulse of the first fit: it came at `ticks`, the start of second `second`. */
export function push(ticks: u64, second: i64, picos: i32): void {
  acquire.acquirePush(ticks, second, picos)
}
/** Fits against the nominal line through tick 0 and second 0. */
export function fit(delay: f64): bool {
  LINE.ticks = 0
  LINE.seconds = 0
  LINE.fraction = 0
  LINE.rate = NOMINAL_RATE
  return acquire.acquireFit(LINE, delay)
}
export function phase(): f64 {
  return acquire.acquirePhase()
}
export function slope(): f64 {
  return acquire.acquireSlope()
}
export function inliers(): u32 {
  return acquire.acquireInliers()
}
