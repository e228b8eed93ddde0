// The estimator: what the pulses say about the crystal. Kalman filters of three states, in error form.
//
//   phase      nanoseconds by which the line is behind the truth
//   frequency  nanoseconds a second by which the truth gains on a line of nominal rate; minus the crystal's error
//   drift      nanoseconds a second, a second: the frequency's slope (temperature), which fades within FADE seconds
//
// Filter 0, the main one, moves the line: its phase is zero after each update, because it is handed out and built into the
// line. Filters 1 to 4 are its rivals. They see the same pulses with other ideas of how restless the crystal is: twice or
// half the noise of phase and frequency, twice or half the noise of the drift. Each keeps the score of how well it has
// foretold the pulses (log likelihood, less the main filter's). The one that is ahead by VICTORY takes the main one's
// place, and new rivals start around it. So the process noise is learnt, not typed in; what is written below is where
// the search begins. The noise of the measurement is learnt in noise.ts.
//
// Numbers: an update is the Joseph form multiplied out for a single measured state, so p00, p01 and p02 are only ever
// scaled by a factor in (0, 1); variances have floors and ceilings, and a filter that is not sane starts anew.
//
// Work: floating point is a library's business on the ESP32-C3, at 110 to 130 instructions an addition or multiplication.
// So a rival that is no longer new renews its covariance and gains every fourth second only, each in turn. The rivals are
// worked off one a call by `estimatorWork`, outside the pulse's own call.

import { lateShare, noiseInit, noiseLearn, noiseVariance } from './noise'

/** Where the search for the process noise begins: variances that one second adds. */
const PHASE_NOISE: f64 = 0.3 * 0.3
const FREQUENCY_NOISE: f64 = 0.1 * 0.1
const DRIFT_NOISE: f64 = 7e-5

/** So many seconds a new rival renews its gains each second. */
const YOUNG: u32 = 64

/** Variance of rival to variance of main, and the limits of the search in either direction. */
const STEP: f64 = 4
const LEAST: f64 = 1.0 / 4096
const MOST: f64 = 65_536

/** A rival wins when the pulses are e^VICTORY times likelier with it; what it had won long ago counts less. */
const VICTORY: f64 = 5
const MEMORY: f64 = 1 - 1.0 / 7200

/**
 * Differences of one sign in a row: white noise does not make so many. From QUIET on they teach nothing about the noise of the
 * capture; at LAGGING the line lags behind a crystal that moves faster than was learnt, and frequency and drift are doubted.
 */
const QUIET: i32 = 12
const LAGGING: i32 = 24
const LAG_FREQUENCY: f64 = 0.1
const LAG_DRIFT: f64 = 0.01

/** The drift fades with this time constant: e^(-1/300) each second. */
const FADE_TIME: f64 = 300
const FADE_ONE: f64 = 1 - 1.0 / FADE_TIME

/** A cold crystal beside a processor that has just begun to warm it: 2 ppm within minutes. */
const WARM_UP_DRIFT: f64 = 7

/**
 * Without pulses for so many seconds, a thermostat may have turned the drift round: its variance then gains that of
 * TURNED_DRIFT, in proportion to the learnt wander; more while little has been learnt.
 */
const TURNED_AFTER: f64 = 4
const TURNED_DRIFT: f64 = 0.15
const UNLEARNT: f64 = 2400
/** After LONG seconds without pulses a crystal that was known for less than LEARNT seconds may be this much more touchy. */
const LONG: f64 = 30
const LEARNT: f64 = 300
const TOUCHY: f64 = 16

/** So many seconds make the deviations half as wrong. */
const NOVICE: f64 = 150

/** After a holdover the drift is anything that a thermostat does, ns/s/s. */
const HELD_DRIFT: f64 = 0.3

/** Ceilings of the variances: a second, 300 ppm, 1 ppm/s; floors of frequency and drift. */
const PHASE_MOST: f64 = 1e18
const FREQUENCY_MOST: f64 = 9e10
const DRIFT_MOST: f64 = 1e6
/** Below these nothing needs to be looked after between updates. */
const PHASE_HIGH: f64 = 1e16
const FREQUENCY_HIGH: f64 = 1e10
const DRIFT_HIGH: f64 = 1e5
/** A rival this far away, ns, is none. */
const PHASE_FAR: f64 = 1e12
const FREQUENCY_LEAST: f64 = 1e-8
const DRIFT_LEAST: f64 = 1e-10

/** Pulses may be missing for this many seconds before the rivals are started anew from the main filter. */
const OWED_MOST: f64 = 4

/** 136 bytes, 8-aligned. */
@unmanaged
class Filter {
  phase: f64
  frequency: f64
  drift: f64
  // Covariance, symmetric: 0 phase, 1 frequency, 2 drift.
  p00: f64
  p01: f64
  p02: f64
  p11: f64
  p12: f64
  p22: f64
  /** Process noise over what the search began with: of phase and frequency, of the drift. Variances. */
  restless: f64
  wander: f64
  /** Log likelihood of the pulses, less the main filter's. */
  merit: f64
  // Rivals only, of their last turn: gains 1 / variance of a surprise, its logarithm less main's.
  k0: f64
  k1: f64
  k2: f64
  inverse: f64
  handicap: f64
}

const FILTER_SIZE: usize = 136
const FILTERS: u32 = 5
const BANK: usize = memory.data(816, 8)
const MAIN: Filter = changetype<Filter>(BANK)
/** What the main filter would be, had it not taken the pulses since an outage. */
const SHADOW: Filter = changetype<Filter>(BANK + 680)

/** For the rivals: the last measurement and its variance, the main filter's surprise; seconds since the one before. */
let measured: f64 = 0
let variance: f64 = 1
let mainSpread: f64 = 1
let mainScore: f64 = 0
let handedPhase: f64 = 0
let owed: f64 = 0
/** Nanoseconds that the line has gained on a nominal one since the last measurement. */
let gained: f64 = 0
/** The next rival to be worked off; 0: none. The one whose turn it is to renew its gains. */
let rival: u32 = 0
let turn: u32 = 1
/** The main filter's limits have not been looked after since its last update. */
/** Differences of one sign in a row: how many, with that sign. */
let run: i32 = 0
let unchecked: bool = false
/** Seconds since the rivals were started, up to YOUNG. */
let young: u32 = 0
let workSeconds: f64 = 0
let workGained: f64 = 0
let victories: u32 = 0
let shadowed: bool = false
/** Measurements taken since the noise was last forgotten. */
let lessons: f64 = 0

/** Forgets all, learnt noise too. */
export function estimatorInit(): void {
  noiseInit()
  MAIN.restless = 1
  MAIN.wander = 1
  victories = 0
  lessons = 0
  run = 0
  estimatorStart(0, 1e18, 0, 4e8)
}

/** Starts with a frequency (ns/s) and variances of phase and frequency and their covariance; what was learnt stays. */
export function estimatorStart(frequency: f64, p00: f64, p01: f64, p11: f64): void {
  MAIN.phase = 0
  MAIN.frequency = frequency
  MAIN.drift = 0
  MAIN.p00 = p00
  MAIN.p01 = p01
  MAIN.p02 = 0
  MAIN.p11 = p11
  MAIN.p12 = 0
  MAIN.p22 = WARM_UP_DRIFT * WARM_UP_DRIFT
  clampSane(MAIN)
  challenge()
}

/** Remembers the main filter as it is, so that the pulses to come can be taken back. */
export function estimatorRemember(): void {
  memory.copy(changetype<usize>(SHADOW), BANK, FILTER_SIZE)
  shadowed = true
}

export function estimatorForget(): void {
  shadowed = false
}

/** Takes back what the pulses since `estimatorRemember` have done to the filter. False when nothing was remembered. */
export function estimatorTakeBack(): bool {
  if (!shadowed) return false
  const restless = MAIN.restless
  const wander = MAIN.wander
  memory.copy(BANK, changetype<usize>(SHADOW), FILTER_SIZE)
  MAIN.restless = restless
  MAIN.wander = wander
  rival = 0
  owed = OWED_MOST + 1
  return clampSane(MAIN)
}

/** Without pulses somebody else knows the frequency (ns/s) and the variances of phase and frequency. */
export function estimatorHold(frequency: f64, phaseVariance: f64, frequencyVariance: f64): void {
  rival = 0
  owed = OWED_MOST + 1
  MAIN.phase = 0
  MAIN.frequency = frequency
  MAIN.drift = 0
  MAIN.p00 = phaseVariance
  MAIN.p01 = 0
  MAIN.p02 = 0
  MAIN.p11 = frequencyVariance
  MAIN.p12 = 0
  if (MAIN.p22 < HELD_DRIFT * HELD_DRIFT) MAIN.p22 = HELD_DRIFT * HELD_DRIFT
  clampSane(MAIN)
}

/** Somebody else is about to know it for long: what the crystal does meanwhile is not seen. */
export function estimatorLeave(): void {
  if (lessons < LEARNT) MAIN.wander = Math.max(MAIN.wander, TOUCHY)
}

/** Whoever knew the frequency is gone: the crystal may drift as one that has just been switched on. */
export function estimatorUnsure(): void {
  MAIN.p22 = WARM_UP_DRIFT * WARM_UP_DRIFT
}

/** Seconds pass: 1, or more when nobody has called for a while. */
export function estimatorAdvance(seconds: f64): void {
  if (rival !== 0 || unchecked) finish()
  gained += estimatorRate() * seconds
  if (owed < TURNED_AFTER && owed + seconds >= TURNED_AFTER) MAIN.p22 += turnedVariance()
  owed += seconds
  if (shadowed) {
    advance(SHADOW, seconds)
    SHADOW.phase -= estimatorRate() * seconds
  }
  advance(MAIN, seconds)
  // The line follows the main filter's prediction.
  MAIN.phase = 0
  if (!(MAIN.p00 < PHASE_HIGH && MAIN.p11 < FREQUENCY_HIGH && MAIN.p22 < DRIFT_HIGH)) clampSane(MAIN)
}

/** The rate that the line should have for the next second, against nominal, ns/s: half a second's drift is in it. */
export function estimatorRate(): f64 {
  return MAIN.frequency + 0.5 * MAIN.drift
}

export function estimatorDrift(): f64 {
  return MAIN.drift
}

/** Variance of a measurement's difference from the line; `extra`: a variance on top of the learnt one. */
export function estimatorSpread(extra: f64): f64 {
  return MAIN.p00 + noiseVariance() + extra
}

/** Variance of the phase now, ns^2. */
export function estimatorVariance(): f64 {
  return MAIN.p00
}

/**
 * Takes one measurement: truth minus line, ns; `extra` as above. Returns the correction of the phase. The rivals' part is
 * done by `estimatorWork`.
 */
export function estimatorUpdate(difference: f64, extra: f64): f64 {
  if (rival !== 0 || unchecked) finish()
  lessons += 1
  // The drift after a gap is anything that a thermostat has made of it meanwhile.
  if (owed > OWED_MOST) MAIN.p22 = Math.max(MAIN.p22, turnedVariance())
  if (owed > LONG && lessons < LEARNT) MAIN.wander = Math.max(MAIN.wander, TOUCHY)
  const surprise = difference - MAIN.phase
  const lags = lagging(surprise)
  if (run > -QUIET && run < QUIET) noiseLearn(surprise, MAIN.p00 + extra)
  measured = difference
  variance = noiseVariance() + extra
  mainSpread = MAIN.p00 + variance
  mainScore = (surprise * surprise) / mainSpread
  update(MAIN, surprise, variance)
  unchecked = true
  handedPhase = MAIN.phase
  MAIN.phase = 0
  SHADOW.phase -= handedPhase
  workSeconds = owed
  workGained = gained
  owed = 0
  gained = 0
  if (workSeconds > OWED_MOST || lags) challenge()
  else rival = 1
  return handedPhase
}

/** Counts differences of one sign; when they are too many, the filter is told that it knows less than it thinks. */
function lagging(surprise: f64): bool {
  if (surprise >= 0) run = run > 0 ? run + 1 : 1
  else run = run < 0 ? run - 1 : -1
  if (run < LAGGING && run > -LAGGING) return false
  run = 0
  const frequency = LAG_FREQUENCY * surprise
  const drift = LAG_DRIFT * surprise
  MAIN.p11 += frequency * frequency
  MAIN.p22 += drift * drift
  MAIN.wander = limited(MAIN.wander * STEP)
  return true
}

/** A measurement was refused: what it says about the noise is still heard. */
export function estimatorRefuse(difference: f64, extra: f64): void {
  noiseLearn(difference, MAIN.p00 + extra)
}

/** Works off one rival. True while there are more. */
export function estimatorWork(): bool {
  if (unchecked) {
    unchecked = false
    if (!clampSane(MAIN)) challenge()
    return rival !== 0
  }
  if (rival === 0) return false
  const filter = changetype<Filter>(BANK + <usize>rival * FILTER_SIZE)
  if (rival === turn || young < YOUNG) renewGains(filter)
  const surprise = measured - predict(filter)
  const score = surprise * surprise * filter.inverse
  filter.merit = filter.merit * MEMORY - 0.5 * (filter.handicap + score - mainScore)
  filter.phase += filter.k0 * surprise - handedPhase
  filter.frequency += filter.k1 * surprise
  filter.drift += filter.k2 * surprise
  if (filter.merit > VICTORY) promote(filter)
  else rival = rival + 1 < FILTERS ? rival + 1 : 0
  // Comparisons with a NaN are false.
  if (!(Math.abs(filter.phase) < PHASE_FAR)) challenge()
  if (rival === 0) {
    turn = turn + 1 < FILTERS ? turn + 1 : 1
    if (young < YOUNG) young++
  }
  return rival !== 0
}

/** A rival's covariance makes one step, however many seconds have passed: it tends to where it does not change any more. */
function renewGains(f: Filter): void {
  advanceCovariance(f)
  const spread = f.p00 + variance
  f.inverse = 1 / spread
  f.k0 = f.p00 * f.inverse
  f.k1 = f.p01 * f.inverse
  f.k2 = f.p02 * f.inverse
  f.handicap = logRatio(spread, mainSpread)
  correctCovariance(f, variance)
  if (!clampSane(f)) challenge()
}

/** Moves a rival's state on; returns its phase against the line. */
function predict(f: Filter): f64 {
  const t = workSeconds
  f.phase += t * (f.frequency + 0.5 * t * f.drift) - workGained
  f.frequency += t * f.drift
  f.drift *= t === 1 ? FADE_ONE : 1 - t / FADE_TIME
  return f.phase
}

/** Variance of the phase error `ahead` seconds from now without pulses, ns^2. */
export function estimatorPhaseVariance(ahead: f64): f64 {
  const t = ahead
  const half = 0.5 * t
  const p = MAIN.p00 + 2 * t * (MAIN.p01 + half * MAIN.p02 + half * (MAIN.p11 + t * MAIN.p12 + 0.25 * t * t * MAIN.p22))
  const q = t * MAIN.restless * (PHASE_NOISE + (FREQUENCY_NOISE / 3) * t * t)
  return p + q
}

/** Standard deviations now: phase ns, frequency ns/s. */
export function estimatorPhaseSigma(): f64 {
  return sqrt<f64>(MAIN.p00)
}

export function estimatorFrequencySigma(): f64 {
  return sqrt<f64>(MAIN.p11)
}

/** By how much the deviations may be too small, because little has been learnt of the noise. */
export function estimatorCaution(): f64 {
  return 1 + NOVICE / (lessons + NOVICE)
}

/** The learnt standard deviation of one capture, ns; the share of late ones; process noise over its first guess. */
export function estimatorNoise(): f64 {
  return sqrt<f64>(noiseVariance())
}

export function estimatorLateShare(): f64 {
  return lateShare()
}

export function estimatorRestless(): f64 {
  return MAIN.restless
}

export function estimatorWander(): f64 {
  return MAIN.wander
}

/** How often a rival has taken over. */
export function estimatorVictories(): u32 {
  return victories
}

function advance(f: Filter, t: f64): void {
  if (t === 1) {
    advanceOne(f)
    return
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

/** The same for one second. */
function advanceOne(f: Filter): void {
  f.phase += f.frequency + 0.5 * f.drift
  f.frequency += f.drift
  f.drift *= FADE_ONE
  advanceCovariance(f)
}

function advanceCovariance(f: Filter): void {
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

function update(f: Filter, surprise: f64, r: f64): void {
  const part = surprise / (f.p00 + r)
  f.phase += f.p00 * part
  f.frequency += f.p01 * part
  f.drift += f.p02 * part
  correctCovariance(f, r)
}

function correctCovariance(f: Filter, r: f64): void {
  const inverse = 1 / (f.p00 + r)
  const k1 = f.p01 * inverse
  const k2 = f.p02 * inverse
  const keep = r * inverse
  f.p22 -= k2 * f.p02
  f.p12 -= k1 * f.p02
  f.p11 -= k1 * f.p01
  f.p02 *= keep
  f.p01 *= keep
  f.p00 *= keep
}

/** Keeps a filter within its limits. False when it had left all sense and was started anew. */
function clampSane(f: Filter): bool {
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
  return false
}

function turnedVariance(): f64 {
  const drift = TURNED_DRIFT * (1 + UNLEARNT / (lessons + 150))
  return drift * drift * MAIN.wander
}

function finish(): void {
  while (estimatorWork());
}

/** New rivals around the main filter. */
function challenge(): void {
  rival = 0
  young = 0
  owed = 0
  gained = 0
  MAIN.phase = 0
  MAIN.merit = 0
  for (let i: u32 = 1; i < FILTERS; i++) {
    const filter = changetype<Filter>(BANK + <usize>i * FILTER_SIZE)
    memory.copy(changetype<usize>(filter), BANK, FILTER_SIZE)
    const factor = (i & 1) !== 0 ? STEP : 1 / STEP
    if (i < 3) filter.restless = limited(filter.restless * factor)
    else filter.wander = limited(filter.wander * factor)
  }
}

/** The rival's idea of the noise becomes the main one's. The line goes on from where it is: the next pulses will move it. */
function promote(filter: Filter): void {
  MAIN.restless = filter.restless
  MAIN.wander = filter.wander
  if (victories < 0xffff_ffff) victories++
  challenge()
}

function limited(scale: f64): f64 {
  if (scale < LEAST) return LEAST
  return scale > MOST ? MOST : scale
}

/** ln(a / b) to 1e-3 while the two are within a factor of three; saturates softly beyond. */
function logRatio(a: f64, b: f64): f64 {
  const u = (a - b) / (a + b)
  const v = u * u
  return 2 * u * (1 + v * (1.0 / 3 + v * 0.2))
}
