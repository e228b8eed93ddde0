// The estimator: what the pulses say about the crystal. A Kalman filter of three states, in error form.
//
//   phase      nanoseconds by which the line is behind the truth
//   frequency  nanoseconds a second by which the line falls behind
//   drift      nanoseconds a second, a second: the frequency's own slope (temperature), which fades with DRIFT_FADE
//
// Corrections to phase and frequency are handed out and built into the line by the caller, so their estimates are zero
// between updates; what stays here is the drift and the covariance. `estimatorStep` lets one second pass,
// `estimatorUpdate` takes one measurement. Once a second each: floating point is allowed here, and only here.
//
// This file is the seam for a better estimator: nobody else knows how many states there are.

/** White FM of the crystal, nanoseconds at 1 s. */
const WHITE_FM: f64 = 0.3

/** Random-walk FM, nanoseconds a second, each second. */
const RANDOM_WALK_FM: f64 = 0.15

/** What temperature does to the frequency: standard deviation of the drift, and its memory of 300 s. */
const DRIFT_SIGMA: f64 = 0.2
const DRIFT_FADE: f64 = 1 - 1.0 / 300

/** A cold crystal beside a processor that has just begun to warm it: 2 ppm within minutes. */
const WARM_UP_DRIFT: f64 = 7

// Covariance, symmetric: 0 phase, 1 frequency, 2 drift.
let p00: f64 = 0
let p01: f64 = 0
let p02: f64 = 0
let p11: f64 = 0
let p12: f64 = 0
let p22: f64 = 0
let drift: f64 = 0

let phaseGain: f64 = 0
let frequencyGain: f64 = 0

/** Forgets all; standard deviations of what is assumed, in ns and ns/s. */
export function estimatorStart(phase: f64, frequency: f64): void {
  p00 = phase * phase
  p01 = 0
  p02 = 0
  p11 = frequency * frequency
  p12 = 0
  p22 = WARM_UP_DRIFT * WARM_UP_DRIFT
  drift = 0
}

/** Keeps what is known of the frequency but doubts it, and takes the phase as known to `phase` only. */
export function estimatorDoubt(phase: f64, frequency: f64): void {
  p00 = phase * phase
  p01 = 0
  p02 = 0
  p11 += frequency * frequency
  p12 = 0
  p22 += DRIFT_SIGMA * DRIFT_SIGMA
}

/** One second passes. Returns the change of frequency that the drift brings, ns/s. */
export function estimatorStep(): f64 {
  const moved = drift
  const a0 = p00 + p01 + 0.5 * p02
  const a1 = p01 + p11 + 0.5 * p12
  const a2 = p02 + p12 + 0.5 * p22
  p00 = a0 + a1 + 0.5 * a2 + WHITE_FM * WHITE_FM
  p01 = a1 + a2
  p02 = DRIFT_FADE * a2
  p11 += 2 * p12 + p22 + RANDOM_WALK_FM * RANDOM_WALK_FM
  p12 = DRIFT_FADE * (p12 + p22)
  p22 = DRIFT_FADE * DRIFT_FADE * p22 + (1 - DRIFT_FADE * DRIFT_FADE) * DRIFT_SIGMA * DRIFT_SIGMA
  drift *= DRIFT_FADE
  return moved
}

/** Standard deviation of a measurement's difference from the line, when its own noise is `sigma`. */
export function estimatorSpread(sigma: f64): f64 {
  return sqrt<f64>(p00 + sigma * sigma)
}

/** Takes one measurement: truth minus line, ns. The corrections are in `estimatorPhase` and `estimatorFrequency`. */
export function estimatorUpdate(measured: f64, sigma: f64): void {
  const s = p00 + sigma * sigma
  const k0 = p00 / s
  const k1 = p01 / s
  const k2 = p02 / s
  phaseGain = k0 * measured
  frequencyGain = k1 * measured + 0.5 * k2 * measured
  drift += k2 * measured
  p22 -= k2 * p02
  p12 -= k1 * p02
  p11 -= k1 * p01
  p02 -= k0 * p02
  p01 -= k0 * p01
  p00 -= k0 * p00
}

/** What the last update adds to the phase, ns. */
export function estimatorPhase(): f64 {
  return phaseGain
}

/** What the last update adds to the frequency, ns/s; half a second's drift is in it. */
export function estimatorFrequency(): f64 {
  return frequencyGain
}

/** Standard deviation of the phase, ns. */
export function estimatorPhaseSigma(): f64 {
  return sqrt<f64>(p00)
}

/** Standard deviation of the frequency, ns/s. */
export function estimatorFrequencySigma(): f64 {
  return sqrt<f64>(p11)
}
