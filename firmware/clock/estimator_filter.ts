// One Kalman filter of the estimator: phase, frequency, drift and, once the slow model has found one, the heating's cycle.
//
//   phase       nanoseconds by which the line is behind the truth
//   frequency   nanoseconds a second by which the truth gains on a line of nominal rate; minus the crystal's error
//   drift       nanoseconds a second, a second: the frequency's slope (temperature), which fades within FADE seconds
//   swing       nanoseconds a second: what the heating's cycle adds to the frequency
//   quadrature  the same a quarter of a period later
//
// Swing and quadrature turn round each other in the cycle's period and fade within its memory; noise keeps them going, and enters
// through the quadrature alone, since no air changes its temperature at once. A filter whose `heat` is 0 has no cycle, and
// nothing of this costs it anything; one whose cycle is not `split` off yet has all of the frequency in `frequency`.
//
// Numbers: an update is the Joseph form multiplied out for a single measured state, so the phase's covariances are only ever
// scaled by a factor in (0, 1); variances have floors and ceilings, and a filter that is not sane starts anew.

/** Where the search for the process noise begins: variances that one second adds. */
const PHASE_NOISE: f64 = 0.3 * 0.3
const FREQUENCY_NOISE: f64 = 0.1 * 0.1
const DRIFT_NOISE: f64 = 7e-5

/** The drift fades with this time constant: e^(-1/300) each second. */
const FADE_TIME: f64 = 300
const FADE_ONE: f64 = 1 - 1.0 / FADE_TIME

/** A cold crystal beside a processor that has just begun to warm it: 2 ppm within minutes. */
export const WARM_UP_DRIFT: f64 = 7

/** Over longer steps than this, s, the cycle is forgotten. */
const TURNED_MOST: f64 = 4

/** Ceilings of the variances: a second, 300 ppm, 1 ppm/s; floors of frequency and drift. */
const PHASE_MOST: f64 = 1e18
const FREQUENCY_MOST: f64 = 9e10
const DRIFT_MOST: f64 = 1e6
/** Below these nothing needs to be looked after between updates. */
const PHASE_HIGH: f64 = 1e16
const FREQUENCY_HIGH: f64 = 1e10
const DRIFT_HIGH: f64 = 1e5
/** A phase this far away, ns, is none. */
const PHASE_FAR: f64 = 1e12
const FREQUENCY_LEAST: f64 = 1e-8
const DRIFT_LEAST: f64 = 1e-10

@unmanaged
export class Filter {
  phase: f64
  frequency: f64
  drift: f64
  swing: f64
  quadrature: f64
  // Covariance, symmetric, in the order of the states.
  p00: f64
  p01: f64
  p02: f64
  p03: f64
  p04: f64
  p11: f64
  p12: f64
  p13: f64
  p14: f64
  p22: f64
  p23: f64
  p24: f64
  p33: f64
  p34: f64
  p44: f64
  /** Process noise over what the search began with: of phase and frequency, of the drift. Variances. */
  restless: f64
  wander: f64
  /** Variance of the cycle over what the slow model says. 0: there is no cycle. */
  heat: f64
}

export const FILTER_SIZE: usize = 23 * 8
const COVARIANCE: usize = 5 * 8
const COVARIANCE_SIZE: usize = 15 * 8

/** Cosine and sine of the cycle's turn in a second, faded; its variance and what one second adds of it, (ns/s)^2. */
let turnCosine: f64 = 1
let turnSine: f64 = 0
let cycleVariance: f64 = 0
let cycleNoise: f64 = 0

/** No cycle is known. */
export function cycleForget(): void {
  turnCosine = 1
  turnSine = 0
  cycleVariance = 0
  cycleNoise = 0
}

/** The cycle of all filters: turn in a second (cosine, sine), memory in seconds, amplitude (a standard deviation) in ns/s. */
export function cycleSet(cosine: f64, sine: f64, memory: f64, amplitude: f64): void {
  const fade = 1 - 1 / memory
  turnCosine = fade * cosine
  turnSine = fade * sine
  cycleVariance = amplitude * amplitude
  // Noise in one of two states that take turns: each has half of it.
  cycleNoise = (4 * cycleVariance) / memory
}

export function cycleKnown(): bool {
  return cycleVariance > 0
}

/** The cycle has states of its own. */
export function filterIsSplit(f: Filter): bool {
  return f.p33 > 0
}

/** Frequency and drift as they are known become two shares each: what the cycle may have of them is not known. */
export function filterSplit(f: Filter): void {
  if (f.p33 > 0 || !(f.heat > 0) || !(cycleVariance > 0)) return
  const variance = f.heat * cycleVariance
  const slope = turnSine * variance
  f.swing = 0
  f.quadrature = 0
  f.p03 = 0
  f.p04 = 0
  f.p11 += variance
  f.p13 = -variance
  f.p14 = 0
  f.p22 += turnSine * slope
  f.p23 = 0
  f.p24 = -slope
  f.p33 = variance
  f.p34 = 0
  f.p44 = variance
}

/** The cycle's shares go back to frequency and drift. */
export function filterMerge(f: Filter): void {
  if (f.p33 > 0) {
    const s = turnSine
    f.frequency += f.swing
    f.drift += s * f.quadrature
    f.p01 += f.p03
    f.p02 += s * f.p04
    f.p12 += f.p23 + s * (f.p14 + f.p34)
    f.p11 = frequencyVariance(f)
    f.p22 += s * (2 * f.p24 + s * f.p44)
  }
  filterUnsplit(f)
}

/** The cycle's states are taken away, whatever they say. */
export function filterUnsplit(f: Filter): void {
  f.swing = 0
  f.quadrature = 0
  f.p03 = 0
  f.p04 = 0
  f.p13 = 0
  f.p14 = 0
  f.p23 = 0
  f.p24 = 0
  f.p33 = 0
  f.p34 = 0
  f.p44 = 0
}

/** What the cycle adds to the drift. */
function cycleDrift(f: Filter): f64 {
  return turnSine * f.quadrature
}

/** The rate that the line should have for the next second, against nominal, ns/s: half a second's drift is in it. */
export function filterRate(f: Filter): f64 {
  return f.frequency + f.swing + 0.5 * filterDrift(f)
}

/** ns/s/s. */
export function filterDrift(f: Filter): f64 {
  return f.p33 > 0 ? f.drift + cycleDrift(f) : f.drift
}

function frequencyVariance(f: Filter): f64 {
  return f.p33 > 0 ? f.p11 + 2 * f.p13 + f.p33 : f.p11
}

/** Standard deviation of the frequency, ns/s. */
export function filterFrequencySigma(f: Filter): f64 {
  return sqrt<f64>(Math.max(frequencyVariance(f), FREQUENCY_LEAST))
}

/** Variance of the drift that the cycle may have when nothing is known of its phase, (ns/s/s)^2. */
export function filterCycleDriftVariance(f: Filter): f64 {
  return turnSine * turnSine * cycleVariance * f.heat
}

/** Variance of the phase error `ahead` seconds from now without pulses, ns^2. */
export function filterPhaseVariance(f: Filter, ahead: f64): f64 {
  const t = ahead
  const half = 0.5 * t
  let p01 = f.p01
  let p02 = f.p02
  let p12 = f.p12
  let p22 = f.p22
  if (f.p33 > 0) {
    const s = turnSine
    p01 += f.p03
    p02 += s * f.p04
    p12 += f.p23 + s * (f.p14 + f.p34)
    p22 += s * (2 * f.p24 + s * f.p44)
  }
  const p = f.p00 + 2 * t * (p01 + half * p02 + half * (frequencyVariance(f) + t * p12 + 0.25 * t * t * p22))
  const q = t * f.restless * (PHASE_NOISE + (FREQUENCY_NOISE / 3) * t * t)
  return p + q
}

/** `t` seconds pass. */
export function filterAdvance(f: Filter, t: f64): void {
  if (t === 1) {
    filterPredict(f, 1)
    filterAdvanceCovariance(f)
    return
  }
  if (f.p33 > 0) {
    if (t <= TURNED_MOST) {
      for (let i: f64 = 0; i < t; i++) filterAdvance(f, 1)
      return
    }
    filterMerge(f)
  }
  const fade = Math.exp(-t / FADE_TIME)
  const half = 0.5 * t
  f.phase += t * (f.frequency + half * f.drift)
  f.frequency += t * f.drift
  f.drift *= fade
  const a0 = f.p00 + t * (f.p01 + half * f.p02)
  const a1 = f.p01 + t * (f.p11 + half * f.p12)
  const a2 = f.p02 + t * (f.p12 + half * f.p22)
  const b1 = f.p11 + t * f.p12
  const b2 = f.p12 + t * f.p22
  // What the noise of the frequency does to the phase within a longer step is in the last term.
  f.p00 = a0 + t * (a1 + half * a2) + t * f.restless * (PHASE_NOISE + FREQUENCY_NOISE * t * t * (1.0 / 3))
  f.p01 = a1 + t * a2
  f.p02 = fade * a2
  f.p11 = b1 + t * b2 + t * f.restless * FREQUENCY_NOISE
  f.p12 = fade * b2
  f.p22 = fade * fade * f.p22 + t * f.wander * DRIFT_NOISE
}

/** The state alone, `t` seconds on; a cycle turns by whole seconds. */
export function filterPredict(f: Filter, t: f64): void {
  if (f.p33 > 0) {
    for (let i: f64 = 0; i < t; i++) {
      f.phase += filterRate(f)
      f.frequency += f.drift
      f.drift *= FADE_ONE
      const swing = turnCosine * f.swing + turnSine * f.quadrature
      f.quadrature = turnCosine * f.quadrature - turnSine * f.swing
      f.swing = swing
    }
    return
  }
  f.phase += t * (f.frequency + 0.5 * t * f.drift)
  f.frequency += t * f.drift
  f.drift *= t === 1 ? FADE_ONE : 1 - t / FADE_TIME
}

/** The covariance alone, one second on. */
export function filterAdvanceCovariance(f: Filter): void {
  if (f.p33 > 0) {
    advanceFive(f)
    return
  }
  const p01 = f.p01
  const p02 = f.p02
  const p11 = f.p11
  const p12 = f.p12
  const p22 = f.p22
  const a1 = p01 + p11 + 0.5 * p12
  const a2 = p02 + p12 + 0.5 * p22
  const b2 = p12 + p22
  f.p00 += p01 + 0.5 * p02 + a1 + 0.5 * a2 + f.restless * PHASE_NOISE
  f.p01 = a1 + a2
  f.p02 = FADE_ONE * a2
  f.p11 = p11 + p12 + b2 + f.restless * FREQUENCY_NOISE
  f.p12 = FADE_ONE * b2
  f.p22 = FADE_ONE * FADE_ONE * p22 + f.wander * DRIFT_NOISE
}

/**
 * The same with a cycle: phase, frequency and drift move on, then the cycle turns. What half a second of drift does to the
 * phase, some hundredths of a nanosecond, is in the prediction but not here.
 */
function advanceFive(f: Filter): void {
  const c = turnCosine
  const s = turnSine
  const p12 = f.p12
  const p13 = f.p13
  const p14 = f.p14
  const p22 = f.p22
  const p23 = f.p23
  const p24 = f.p24
  const p33 = f.p33
  const p34 = f.p34
  const p44 = f.p44
  // Covariances of what the phase will be.
  const a1 = f.p01 + f.p11 + p13
  const a2 = f.p02 + p12 + p23
  const a3 = f.p03 + p13 + p33
  const a4 = f.p04 + p14 + p34
  f.p00 += f.p01 + f.p03 + a1 + a3 + f.restless * PHASE_NOISE
  // And of the frequency, then of the drift.
  const b2 = p12 + p22
  const b3 = p13 + p23
  const b4 = p14 + p24
  f.p01 = a1 + a2
  f.p02 = FADE_ONE * a2
  f.p03 = c * a3 + s * a4
  f.p04 = c * a4 - s * a3
  f.p11 += p12 + b2 + f.restless * FREQUENCY_NOISE
  f.p12 = FADE_ONE * b2
  f.p13 = c * b3 + s * b4
  f.p14 = c * b4 - s * b3
  f.p22 = FADE_ONE * FADE_ONE * p22 + f.wander * DRIFT_NOISE
  f.p23 = FADE_ONE * (c * p23 + s * p24)
  f.p24 = FADE_ONE * (c * p24 - s * p23)
  const t3 = c * p33 + s * p34
  const t4 = c * p34 + s * p44
  f.p33 = c * t3 + s * t4
  f.p34 = c * t4 - s * t3
  f.p44 = c * (c * p44 - s * p34) - s * (c * p34 - s * p33) + f.heat * cycleNoise
}

/** Covariances of the next second, worked out ahead of it, and back when that second has come. */
export function filterKeepCovariance(f: Filter, kept: usize): void {
  memory.copy(kept, changetype<usize>(f) + COVARIANCE, COVARIANCE_SIZE)
}

export function filterTakeCovariance(f: Filter, kept: usize): void {
  memory.copy(changetype<usize>(f) + COVARIANCE, kept, COVARIANCE_SIZE)
}

/** Takes a measurement: its surprise, ns, and variance. */
export function filterUpdate(f: Filter, surprise: f64, r: f64): void {
  filterUpdateState(f, surprise, r)
  filterCorrectCovariance(f, r)
}

/** The state alone. */
export function filterUpdateState(f: Filter, surprise: f64, r: f64): void {
  const part = surprise / (f.p00 + r)
  f.phase += f.p00 * part
  f.frequency += f.p01 * part
  f.drift += f.p02 * part
  if (f.p33 > 0) {
    f.swing += f.p03 * part
    f.quadrature += f.p04 * part
  }
}

export function filterCorrectCovariance(f: Filter, r: f64): void {
  const inverse = 1 / (f.p00 + r)
  const k1 = f.p01 * inverse
  const k2 = f.p02 * inverse
  const keep = r * inverse
  if (f.p33 > 0) {
    const k3 = f.p03 * inverse
    const k4 = f.p04 * inverse
    f.p44 -= k4 * f.p04
    f.p34 -= k3 * f.p04
    f.p33 -= k3 * f.p03
    f.p24 -= k2 * f.p04
    f.p23 -= k2 * f.p03
    f.p14 -= k1 * f.p04
    f.p13 -= k1 * f.p03
    f.p04 *= keep
    f.p03 *= keep
  }
  f.p22 -= k2 * f.p02
  f.p12 -= k1 * f.p02
  f.p11 -= k1 * f.p01
  f.p02 *= keep
  f.p01 *= keep
  f.p00 *= keep
}

/** Some variance is so high that `filterClamp` is needed at once. */
export function filterIsHigh(f: Filter): bool {
  return !(f.p00 < PHASE_HIGH && f.p11 < FREQUENCY_HIGH && f.p22 < DRIFT_HIGH)
}

/** A filter as far away as this is none. A NaN is that, too. */
export function filterIsFar(f: Filter): bool {
  return !(Math.abs(f.phase) < PHASE_FAR)
}

/** Keeps a filter within its limits. False when it had left all sense and was started anew. */
export function filterClamp(f: Filter): bool {
  if (f.p33 !== 0) clampCycle(f)
  if (f.p11 < FREQUENCY_LEAST) f.p11 = FREQUENCY_LEAST
  if (f.p22 < DRIFT_LEAST) f.p22 = DRIFT_LEAST
  // At a ceiling the correlations stay what they were, else what is correlated could never be learnt again.
  if (f.p22 > DRIFT_MOST) {
    const scale = sqrt<f64>(DRIFT_MOST / f.p22)
    f.p22 = DRIFT_MOST
    f.p02 *= scale
    f.p12 *= scale
  }
  if (f.p11 > FREQUENCY_MOST) {
    const scale = sqrt<f64>(FREQUENCY_MOST / f.p11)
    f.p11 = FREQUENCY_MOST
    f.p01 *= scale
    f.p12 *= scale
  }
  if (f.p00 > PHASE_MOST) {
    const scale = sqrt<f64>(PHASE_MOST / f.p00)
    f.p00 = PHASE_MOST
    f.p01 *= scale
    f.p02 *= scale
  }
  // Rounding after a long gap: what is correlated by more than all is taken for uncorrelated.
  if (f.p01 * f.p01 > f.p00 * f.p11) f.p01 = 0
  if (f.p02 * f.p02 > f.p00 * f.p22) f.p02 = 0
  if (f.p12 * f.p12 > f.p11 * f.p22) f.p12 = 0
  // Comparisons with a NaN are false.
  const sane =
    f.p00 >= 0 &&
    f.p01 * f.p02 * f.p12 < f64.MAX_VALUE &&
    Math.abs(f.phase) < PHASE_FAR &&
    Math.abs(f.frequency) < 1e6 &&
    Math.abs(f.drift) < 1e5
  if (sane) return true
  f.phase = 0
  f.frequency = Math.abs(f.frequency) < 1e6 ? f.frequency : 0
  f.drift = 0
  f.p00 = PHASE_MOST
  f.p01 = 0
  f.p02 = 0
  f.p11 = FREQUENCY_MOST
  f.p12 = 0
  f.p22 = WARM_UP_DRIFT * WARM_UP_DRIFT
  filterUnsplit(f)
  return false
}

/** A cycle beside a frequency, drift or phase of which next to nothing is known, or one that is no number, is given up. */
function clampCycle(f: Filter): void {
  const calm =
    f.p00 < PHASE_HIGH &&
    f.p11 < FREQUENCY_HIGH &&
    f.p22 < DRIFT_HIGH &&
    f.p33 > 0 &&
    f.p33 < FREQUENCY_HIGH &&
    f.p44 > 0 &&
    f.p44 < FREQUENCY_HIGH
  const close = Math.abs(f.swing) < 1e5 && Math.abs(f.quadrature) < 1e5 && f.p33 * f.p44 >= f.p34 * f.p34
  if (calm && close && f.p33 * f.p11 >= f.p13 * f.p13) return
  if (close && f.p33 > 0 && f.p44 < FREQUENCY_HIGH) filterMerge(f)
  else filterUnsplit(f)
}
