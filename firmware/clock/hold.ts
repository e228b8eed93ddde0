// Without pulses: the slow model of the crystal (oscillator.ts) steers, once it has learnt enough.
//
//   in    the second, the estimator's state when the pulses stopped
//   out   the estimator's frequency and variances while they are missing
//
// The variance of the phase is that of the estimator when the pulses stopped, that of its frequency for as long as the slow
// model starts from it (HOLD_FADE), and the slow model's own.

import {
  estimatorDrift,
  estimatorFrequencySigma,
  estimatorHold,
  estimatorPhaseVariance,
  estimatorRate,
} from './estimator'
import {
  oscillatorHoldover,
  oscillatorRate,
  oscillatorReady,
  oscillatorSigmaPhase,
  oscillatorSigmaRate,
} from './oscillator'

const HOLD_FADE: f64 = 150

let holding: bool = false
/** Since this second; variances of phase and frequency then. */
let since: i64 = 0
let phaseVariance: f64 = 0
let frequencyVariance: f64 = 0
/** What holdVariance has said at its highest: knowing more does not make the past better. */
let reached: f64 = 0

export function holdEnd(): void {
  holding = false
}

/** The slow model steers. */
export function holdActive(): bool {
  return holding
}

export function holdRenumber(seconds: i64): void {
  since += seconds
}

/** Pulses have been missing, or refused, for some seconds. */
export function holdBegin(second: i64): void {
  oscillatorHoldover(second, estimatorRate(), estimatorDrift())
  holding = oscillatorReady()
  since = second
  phaseVariance = estimatorPhaseVariance(0)
  reached = phaseVariance
  const frequency = estimatorFrequencySigma()
  frequencyVariance = frequency * frequency
}

/** The slow model's word for the second that begins. */
export function holdStep(second: i64): void {
  const ahead = aheadOf(second)
  const sigma = oscillatorSigmaRate(ahead)
  reached = holdVariance(second)
  estimatorHold(oscillatorRate(ahead), reached, frequencyVariance + sigma * sigma)
}

/** Variance of the phase at a second, ns^2; never less than at the one before. */
export function holdVariance(second: i64): f64 {
  const ahead = aheadOf(second)
  const sigma = oscillatorSigmaPhase(ahead)
  const fresh = Math.min(<f64>ahead, HOLD_FADE)
  return Math.max(reached, phaseVariance + frequencyVariance * fresh * fresh + sigma * sigma)
}

function aheadOf(second: i64): u32 {
  const ahead = second - since
  return ahead < 0 ? 0 : ahead > 0x4000_0000 ? 0x4000_0000 : <u32>ahead
}
