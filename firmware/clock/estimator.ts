// The estimator: what the pulses say about the crystal. A bank of Kalman filters (estimator_filter.ts) in error form.
//
// The main one moves the line: its phase is zero after each update, because it is handed out and built into the line. The
// others are its rivals, two pairs. They see the same pulses with other ideas of the crystal: twice or half the noise of
// phase and frequency, twice or half the noise of the drift. Once the slow model knows the period of the room's heating
// (`estimatorCycle`) filters are more work; there is a third pair then, with a cycle or none, a stronger or a weaker one,
// and one pair at a time. Each rival keeps the score of how well it has foretold the pulses (log likelihood, less the main filter's). The one
// that is ahead by VICTORY takes the main one's place, and new rivals start around it. So the process noise is learnt, not
// typed in; what is written in estimator_filter.ts is where the search begins. The noise of the measurement is learnt in noise.ts.
//
// Work: floating point is a library's business on the ESP32-C3, at 110 to 130 instructions an addition or multiplication.
// So a rival that is no longer new renews its covariance and gains only when it is its turn, and the main filter's covariance
// of the next second is worked out ahead. `estimatorWork` does one of these things a call, outside the pulse's own call.

import {
  cycleForget,
  cycleKnown,
  cycleSet,
  FILTER_SIZE,
  Filter,
  filterAdvance,
  filterAdvanceCovariance,
  filterClamp,
  filterCorrectCovariance,
  filterCycleDriftVariance,
  filterDrift,
  filterFrequencySigma,
  filterIsFar,
  filterIsHigh,
  filterIsSplit,
  filterKeepCovariance,
  filterMerge,
  filterPhaseVariance,
  filterPredict,
  filterRate,
  filterSplit,
  filterTakeCovariance,
  filterUnsplit,
  filterUpdate,
  filterUpdateState,
  WARM_UP_DRIFT,
} from './estimator_filter'
import { lateShare, noiseInit, noiseLearn, noiseVariance } from './noise'

/** So many seconds a new rival renews its gains every other second; with a cycle that would be too much work. */
const YOUNG: u32 = 96
/** With a cycle one rival renews its gains every fourth second; every other one for half an hour after the cycle was found. */
const SELDOM: u32 = 4
const NEWS: u32 = 1800
/**
 * With a cycle the main filter's covariance comes to rest in so many seconds without a missing pulse or anything else that
 * disturbs it; a missing pulse is forgotten sooner. At rest it is renewed every fourth second only.
 */
const REST: u32 = 3600
const MISSED: u32 = 240
/** With a cycle: so many seconds without a victory, and the next pair comes. */
const ROUND: u32 = 5400

/** Variance of rival to variance of main, and the limits of the search in either direction. */
const STEP: f64 = 4
const LEAST: f64 = 1.0 / 4096
const MOST: f64 = 65_536

/** Limits of the cycle's share. */
const HEAT_LEAST: f64 = 1.0 / 256
const HEAT_MOST: f64 = 4096

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

/** Pulses may be missing for this many seconds before the rivals are started anew from the main filter. */
const OWED_MOST: f64 = 4

/** What a rival has besides a filter. */
@unmanaged
class Rival extends Filter {
  /** Log likelihood of the pulses, less the main filter's. */
  merit: f64
  // Of its last turn: gains, 1 / variance of a surprise, its logarithm less main's.
  k0: f64
  k1: f64
  k2: f64
  k3: f64
  k4: f64
  inverse: f64
  handicap: f64
}

const RIVAL_SIZE: usize = 31 * 8
/** Without a cycle, and with one. */
const RIVALS: u32 = 4
const RIVALS_WITH_CYCLE: u32 = 2

/** What a pair of rivals disputes. */
const enum Pair {
  Restless = 0,
  Wander = 1,
  Heat = 2,
}
const PAIRS: u32 = 3

const MAIN: Filter = changetype<Filter>(memory.data(184, 8))
const BANK: usize = memory.data(4 * 248, 8)
/** What the main filter would be, had it not taken the pulses since an outage; it has no cycle. */
const SHADOW: Filter = changetype<Filter>(memory.data(184, 8))
/** The main filter's covariance a second from now, once it was worked out, and as it was before. */
const AHEAD: usize = memory.data(15 * 8, 8)
const KEPT: usize = memory.data(15 * 8, 8)

/** For the rivals: the last measurement and its variance, the main filter's surprise; seconds since the one before. */
let measured: f64 = 0
let variance: f64 = 1
let mainSpread: f64 = 1
let mainScore: f64 = 0
let handedPhase: f64 = 0
let owed: f64 = 0
/** Nanoseconds that the line has gained on a nominal one since the last measurement. */
let gained: f64 = 0
/** The next rival to be worked off; 0: none. Pulses, of which some are some rival's turn to renew its gains. */
let rival: u32 = 0
let turn: u32 = 0
/** Differences of one sign in a row: how many, with that sign. */
let run: i32 = 0
/** The main filter's limits have not been looked after since its last update, nor was the next second worked out. */
let unchecked: bool = false
/** AHEAD is of the present covariance, which is in KEPT, too. */
let foreseen: bool = false
/** AHEAD has become the present covariance, and nothing has changed it since. */
let taken: bool = false
/** Seconds since the main filter's covariance was disturbed; at the last pulse it was left at rest. */
let calm: u32 = 0
let rested: bool = false
/** Rivals in the field. With a cycle: their pair, and for how long, s. */
let rivals: u32 = 0
let pair: Pair = Pair.Restless
let round: u32 = 0
/** Seconds for which the cycle is news. */
let news: u32 = 0
/** The rival whose gains are renewed next, 0: none this second. Some were. */
let renewing: u32 = 0
let renewed: bool = false
/** Its covariance has made the step of a second. */
let advanced: bool = false
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
  cycleForget()
  news = 0
  turn = 0
  MAIN.restless = 1
  MAIN.wander = 1
  MAIN.heat = 0
  victories = 0
  lessons = 0
  run = 0
  estimatorStart(0, 1e18, 0, 4e8)
}

/** Starts with a frequency (ns/s) and variances of phase and frequency and their covariance; what was learnt stays. */
export function estimatorStart(frequency: f64, p00: f64, p01: f64, p11: f64): void {
  filterUnsplit(MAIN)
  MAIN.phase = 0
  MAIN.frequency = frequency
  MAIN.drift = 0
  MAIN.p00 = p00
  MAIN.p01 = p01
  MAIN.p02 = 0
  MAIN.p11 = p11
  MAIN.p12 = 0
  MAIN.p22 = WARM_UP_DRIFT * WARM_UP_DRIFT
  calm = 0
  filterClamp(MAIN)
  challenge()
}

/**
 * What the slow model knows of the heating's cycle: its turn in a second (cosine, sine), its memory (s), its amplitude (a
 * standard deviation, ns/s); `other`: it is not the one of before. Whether it is of any use for the next second, rivals find out.
 */
export function estimatorCycle(cosine: f64, sine: f64, memory: f64, amplitude: f64, other: bool): void {
  if (rival !== 0 || unchecked) finish()
  if (other) setHeat(MAIN, 0)
  cycleSet(cosine, sine, memory, amplitude)
  foreseen = false
  calm = 0
  if (!other) return
  pair = Pair.Heat
  news = NEWS
  challenge()
}

/** Remembers the main filter as it is, so that the pulses to come can be taken back. */
export function estimatorRemember(): void {
  memory.copy(changetype<usize>(SHADOW), changetype<usize>(MAIN), FILTER_SIZE)
  filterMerge(SHADOW)
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
  const heat = MAIN.heat
  memory.copy(changetype<usize>(MAIN), changetype<usize>(SHADOW), FILTER_SIZE)
  MAIN.restless = restless
  MAIN.wander = wander
  MAIN.heat = heat
  rival = 0
  foreseen = false
  calm = 0
  owed = OWED_MOST + 1
  return filterClamp(MAIN)
}

/** Without pulses somebody else knows the frequency (ns/s) and the variances of phase and frequency. */
export function estimatorHold(frequency: f64, phaseVariance: f64, frequencyVariance: f64): void {
  rival = 0
  foreseen = false
  calm = 0
  owed = OWED_MOST + 1
  filterUnsplit(MAIN)
  MAIN.phase = 0
  MAIN.frequency = frequency
  MAIN.drift = 0
  MAIN.p00 = phaseVariance
  MAIN.p01 = 0
  MAIN.p02 = 0
  MAIN.p11 = frequencyVariance
  MAIN.p12 = 0
  if (MAIN.p22 < HELD_DRIFT * HELD_DRIFT) MAIN.p22 = HELD_DRIFT * HELD_DRIFT
  filterClamp(MAIN)
}

/** Somebody else is about to know it for long: what the crystal does meanwhile is not seen. */
export function estimatorLeave(): void {
  if (lessons < LEARNT) MAIN.wander = Math.max(MAIN.wander, TOUCHY)
}

/** Whoever knew the frequency is gone: the crystal may drift as one that has just been switched on. */
export function estimatorUnsure(): void {
  foreseen = false
  calm = 0
  MAIN.p22 = WARM_UP_DRIFT * WARM_UP_DRIFT
}

/** Seconds pass: 1, or more when nobody has called for a while. */
export function estimatorAdvance(seconds: f64): void {
  if (rival !== 0 || unchecked) finish()
  gained += filterRate(MAIN) * seconds
  if (owed < TURNED_AFTER && owed + seconds >= TURNED_AFTER) {
    foreseen = false
    MAIN.p22 += turnedVariance()
  }
  owed += seconds
  if (shadowed) {
    filterAdvance(SHADOW, seconds)
    SHADOW.phase -= filterRate(MAIN) * seconds
  }
  taken = foreseen && seconds === 1
  if (taken) {
    filterPredict(MAIN, 1)
    filterTakeCovariance(MAIN, AHEAD)
  } else filterAdvance(MAIN, seconds)
  foreseen = false
  // The line follows the main filter's prediction.
  MAIN.phase = 0
  if (filterIsHigh(MAIN)) filterClamp(MAIN)
}

/** The rate that the line should have for the next second, against nominal, ns/s: half a second's drift is in it. */
export function estimatorRate(): f64 {
  return filterRate(MAIN)
}

export function estimatorDrift(): f64 {
  return filterDrift(MAIN)
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
  rested = taken && owed === 1 && extra === 0 && calm >= REST && turn % SELDOM !== 1
  if (rested) {
    filterUpdateState(MAIN, surprise, variance)
    filterTakeCovariance(MAIN, KEPT)
  } else filterUpdate(MAIN, surprise, variance)
  foreseen = rested
  taken = false
  if (owed !== 1 || extra !== 0) calm = calm > REST - MISSED ? REST - MISSED : calm
  else if (calm < REST) calm++
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
  takeTurns()
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
  taken = false
  calm = 0
  return true
}

/** A measurement was refused: what it says about the noise is still heard. */
export function estimatorRefuse(difference: f64, extra: f64): void {
  noiseLearn(difference, MAIN.p00 + extra)
}

/** Looks after the main filter, renews the gains of a rival or works one off. True while there is more. */
export function estimatorWork(): bool {
  if (unchecked) {
    unchecked = false
    lookAfterMain()
    return rival !== 0
  }
  if (!foreseen && owed < OWED_MOST) {
    foresee()
    return rival !== 0
  }
  if (rival === 0) return false
  const filter = rivalOf(rival)
  if (renewing === rival) {
    renewed = true
    advanced = !advanced
    if (advanced) {
      filterAdvanceCovariance(filter)
      return true
    }
    renewing = young < YOUNG && (rival & 1) !== 0 ? rival + 1 : 0
    renewGains(filter)
    return rival !== 0
  }
  // One without gains yet begins anew.
  if (filter.inverse === 0) enter(rival)
  else compete(filter)
  if (rival !== 0) rival = rival < rivals ? rival + 1 : 0
  if (rival === 0 && young < YOUNG) young++
  return rival !== 0
}

function lookAfterMain(): void {
  if (cycleKnown() && ++round > ROUND) changeGuard()
  if (rested) return
  if (!filterClamp(MAIN)) challenge()
  if (!filterIsSplit(MAIN)) {
    // Without a cycle there is no rest: the covariance costs little then.
    calm = 0
    filterSplit(MAIN)
  }
  foresee()
}

/** A rival takes the pulse, and its score. */
function compete(filter: Rival): void {
  filterPredict(filter, workSeconds)
  filter.phase -= workGained
  const surprise = measured - filter.phase
  const score = surprise * surprise * filter.inverse
  filter.merit = filter.merit * MEMORY - 0.5 * (filter.handicap + score - mainScore)
  filter.phase += filter.k0 * surprise - handedPhase
  filter.frequency += filter.k1 * surprise
  filter.drift += filter.k2 * surprise
  if (filterIsSplit(filter)) {
    filter.swing += filter.k3 * surprise
    filter.quadrature += filter.k4 * surprise
  }
  if (filter.merit > VICTORY) promote(filter)
  else if (filterIsFar(filter)) challenge()
}

/** Rivals have renewed gains since the last pulse: with a cycle that was much work. */
export function estimatorWasBusy(): bool {
  return renewed && rivals === RIVALS_WITH_CYCLE
}

/** Something is left to do for the last pulse. */
export function estimatorIsWorking(): bool {
  return rival !== 0 || unchecked
}

/** The main filter has a cycle and has worked out its covariance since the last pulse: that was some work. */
export function estimatorWasFull(): bool {
  return !rested && filterIsSplit(MAIN)
}

/** Whose turn it is to renew gains, after a pulse. */
function takeTurns(): void {
  renewed = false
  advanced = false
  turn++
  if (young < YOUNG) {
    renewing = (turn & 1) !== 0 ? 1 : 3
    return
  }
  if (!cycleKnown()) renewing = (turn % rivals) + 1
  else if (news > 0) {
    news--
    renewing = turn % 2 === 0 ? ((turn / 2) % rivals) + 1 : 0
  } else renewing = turn % SELDOM === 0 ? ((turn / SELDOM) % rivals) + 1 : 0
}

/** The main filter's covariance of the next second. */
function foresee(): void {
  filterKeepCovariance(MAIN, KEPT)
  filterAdvanceCovariance(MAIN)
  filterKeepCovariance(MAIN, AHEAD)
  filterTakeCovariance(MAIN, KEPT)
  foreseen = true
}

/** Rivals count from 1. */
function rivalOf(i: u32): Rival {
  return changetype<Rival>(BANK + <usize>(i - 1) * RIVAL_SIZE)
}

/** A rival's covariance has made one step, however many seconds have passed: it tends to where it does not change any more. */
function renewGains(f: Rival): void {
  const spread = f.p00 + variance
  f.inverse = 1 / spread
  f.k0 = f.p00 * f.inverse
  f.k1 = f.p01 * f.inverse
  f.k2 = f.p02 * f.inverse
  if (filterIsSplit(f)) {
    f.k3 = f.p03 * f.inverse
    f.k4 = f.p04 * f.inverse
  }
  f.handicap = logRatio(spread, mainSpread)
  filterCorrectCovariance(f, variance)
  if (filterIsHigh(f) && !filterClamp(f)) challenge()
}

/** Variance of the phase error `ahead` seconds from now without pulses, ns^2. */
export function estimatorPhaseVariance(ahead: f64): f64 {
  return filterPhaseVariance(MAIN, ahead)
}

/** Standard deviations now: phase ns, frequency ns/s. */
export function estimatorPhaseSigma(): f64 {
  return sqrt<f64>(MAIN.p00)
}

export function estimatorFrequencySigma(): f64 {
  return filterFrequencySigma(MAIN)
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

/** The cycle's variance over what the slow model says; 0: the filter does without a cycle. */
export function estimatorHeat(): f64 {
  return MAIN.heat
}

/** How often a rival has taken over. */
export function estimatorVictories(): u32 {
  return victories
}

function turnedVariance(): f64 {
  const drift = TURNED_DRIFT * (1 + UNLEARNT / (lessons + 150))
  return Math.max(drift * drift * MAIN.wander, filterCycleDriftVariance(MAIN))
}

function finish(): void {
  while (estimatorWork());
}

/** The next pair comes. */
function changeGuard(): void {
  pair = (<u32>pair + 1) % PAIRS
  challenge()
}

/** New rivals around the main filter. */
function challenge(): void {
  rival = 0
  young = cycleKnown() ? YOUNG : 0
  round = 0
  owed = 0
  gained = 0
  foreseen = false
  MAIN.phase = 0
  rivals = cycleKnown() ? RIVALS_WITH_CYCLE : RIVALS
  for (let i: u32 = 1; i <= rivals; i++) enter(i)
}

/** A new rival, the main filter but for what its pair disputes. */
function enter(i: u32): void {
  const filter = rivalOf(i)
  memory.copy(changetype<usize>(filter), changetype<usize>(MAIN), FILTER_SIZE)
  filter.phase = 0
  filter.merit = 0
  filter.inverse = 0
  const disputed: Pair = cycleKnown() ? pair : i < 3 ? Pair.Restless : Pair.Wander
  const factor = (i & 1) !== 0 ? STEP : 1 / STEP
  if (disputed === Pair.Restless) filter.restless = limited(filter.restless * factor)
  else if (disputed === Pair.Wander) filter.wander = limited(filter.wander * factor)
  else if (MAIN.heat > 0) setHeat(filter, MAIN.heat * factor)
  else {
    // With a cycle the drift has less to explain: one of the two says so at once.
    if (factor < 1) filter.wander = limited(filter.wander * factor)
    setHeat(filter, 1)
  }
}

/** Gives a filter another share of the cycle; below the least there is none. */
function setHeat(filter: Filter, heat: f64): void {
  filter.heat = heat < HEAT_LEAST ? 0 : Math.min(heat, HEAT_MOST)
  if (filter.heat > 0) filterSplit(filter)
  else filterMerge(filter)
}

/** The rival's idea of the noise becomes the main one's. The line goes on from where it is: the next pulses will move it. */
function promote(filter: Filter): void {
  MAIN.restless = filter.restless
  MAIN.wander = filter.wander
  setHeat(MAIN, filter.heat)
  calm = 0
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
