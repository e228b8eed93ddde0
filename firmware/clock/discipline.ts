// The discipline: which pulses to believe, and what they do to the model line.
//
//   in    labelled pulses (gnss/pulse.ts), the passing of seconds
//   out   the model line (ticks -> continuous time), a verdict on each pulse, an error bound, an alarm (alarm.ts)
//
// Sign: a difference is truth minus line, in nanoseconds; positive means that the line is behind.
//
// Captures are late, never early: a handler that had to wait shows up as a pulse some microseconds behind (a negative
// difference). The first pulses are fitted together (acquire.ts); from the eighth on each must pass a gate, which is
// tighter on the late side the more late captures there are (noise.ts). What fails the gate is believed only when it
// persists and agrees with itself (docs/decisions/0013-estimator.md):
//
//   could be late captures                                                 LATE_PERSIST pulses in a row: follow
//   could be, but they lie on one line                                     ALIGNED_PERSIST pulses in a row: follow
//   within JUMP, or within our own error bound                             PERSIST pulses in a row: follow
//   before the first lock, within the RTC's error bound                    CONFIRM pulses: step
//   before the first lock, outside it                                      CONFIRM_DOUBTFUL pulses: step
//   after a lock: no crystal jumps or runs like that, so it is the sky that is odd
//                                                                          CONFIRM_IMPOSSIBLE pulses: step; an alarm at once
//                                                                          CONFIRM, if an authenticated majority says the same
//
// Without pulses the slow model of the crystal (oscillator.ts) steers the line, once it has learnt enough; until then the
// estimator's own frequency and drift go on.

import { PULSE_SIZE, Pulse } from '../gnss/pulse'
import {
  acquireCount,
  acquireCovariance,
  acquireFit,
  acquireForget,
  acquireInliers,
  acquireKeep,
  acquirePhase,
  acquirePhaseVariance,
  acquirePush,
  acquireRenumber,
  acquireSlope,
  acquireSlopeVariance,
  acquireSquares,
} from './acquire'
import { alarmClear, alarmInit, alarmRaise, ClockAlarm } from './alarm'
import {
  estimatorAdvance,
  estimatorDrift,
  estimatorForget,
  estimatorFrequencySigma,
  estimatorHold,
  estimatorInit,
  estimatorPhaseSigma,
  estimatorPhaseVariance,
  estimatorRate,
  estimatorRefuse,
  estimatorRemember,
  estimatorSpread,
  estimatorStart,
  estimatorTakeBack,
  estimatorUpdate,
  estimatorWork,
} from './estimator'
import { leapContinuous } from './leap'
import {
  crystalNanosPerSecond,
  Line,
  lineAt,
  lineRebase,
  lineSetSpeed,
  lineShift,
  mulHigh,
  NOMINAL_RATE,
  Stamp,
  stampDifference,
} from './line'
import { lateGate, noiseFitted, noiseVariance } from './noise'
import {
  oscillatorBreak,
  oscillatorHoldover,
  oscillatorInit,
  oscillatorObserve,
  oscillatorRate,
  oscillatorReady,
  oscillatorSigmaPhase,
  oscillatorSigmaRate,
  oscillatorStep,
} from './oscillator'

export const enum Verdict {
  /** The pulse has no earned label. */
  Ignored = 0,
  Accepted = 1,
  Rejected = 2,
  /** The line was put where the pulse says, not moved there. */
  Stepped = 3,
}

const enum Stage {
  /** No pulse has set the line. */
  Nowhere = 0,
  /** A few pulses have; they are fitted together. */
  Acquiring = 1,
  /** The estimator runs. */
  Following = 2,
}

/** A reading is true at some moment of its tick of 62.5 ns. */
const HALF_TICK: f64 = 31.25

/** As late as a capture gets. */
const LATEST_CAPTURE: f64 = 8000

/** A phase known no better than this must be found anew: a late capture would pass the gate. */
const RUSTY: f64 = 400

/** Pulses, accepted in a row, that make the line trustworthy; so many of the first ones must agree. */
const CONFIDENT: u32 = 8
const AGREED: u32 = 5
/** Sigmas: on the early side, where nothing happens. The late side is noise.ts's. */
const GATE: f64 = 5

/** What a cable or a shaken board could do, ns. */
const JUMP: f64 = 20_000
const PERSIST: u32 = 5
const LATE_PERSIST: u32 = 15
const ALIGNED_PERSIST: u32 = 6
const CONFIRM: u32 = 2
const CONFIRM_DOUBTFUL: u32 = 60
const CONFIRM_IMPOSSIBLE: u32 = 900
/** Pulses in a row that raise the alarm. */
const ALARMING: u32 = 2
/** A learnt crystal's frequency does not change by more than this within PERSIST seconds, ns/s: a cold draught at its worst. */
const SHAKEN: f64 = 700
/** For so many seconds after a shift was followed the bound contains where the clock would be without it; the alarm stays. */
const SHIFT_DOUBT: i64 = 900
/** Contradictions up to this are slewed in once they are believed, ns. */
const SLEWED: f64 = 2e7

/** Two contradicting pulses agree when they differ by at most this, plus 200 ppm of the time between them. */
const AGREEMENT: f64 = 8_000
const AGREEMENT_RATE: f64 = 200_000
/** How fast the line may run away from the truth when a few pulses, one of them late, have set its rate: ns/s. */
const ROUGH_RATE: f64 = 20_000

/** No crystal is off by more than 250 ppm. */
const RATE_LIMIT: f64 = 250_000

/** What the drift of a crystal that warms up does to a fit of eight pulses: ns^2, (ns/s)^2. */
const BENT_PHASE: f64 = 37 * 37
const BENT_RATE: f64 = 28 * 28

/** Receivers state some tens of nanoseconds. What they state beyond this counts as noise of the pulse, ns^2. */
const STATED_USUAL: f64 = 100 * 100

/** Seconds without an accepted pulse after which the slow model steers; so long its rate is no surer than the estimator's. */
const HOLD_AFTER: i64 = 8
const HOLD_FADE: f64 = 150

/** Sigmas in an error bound; it grows along the secant over the next SECANT seconds. */
const BOUND_SIGMAS: f64 = 4
const SECANT: f64 = 4

/** No bound is worse than 30 years, ns. */
const WORST: f64 = 1e18

const MODEL: Line = changetype<Line>(memory.data(32, 8))
const HERE: Stamp = changetype<Stamp>(memory.data(16, 8))
const REHEARSAL: Pulse = changetype<Pulse>(memory.data(<i32>PULSE_SIZE, 8))
const LABEL: Stamp = changetype<Stamp>(memory.data(16, 8))

/**
 * Mean delay from the edge at the pin to the captured tick, ns, unless the board says otherwise: 1.2 us until the handler
 * reads the counter, less the 37.5 ns that rounding down to a tick of SYSTIMER costs. And what may remain of it.
 */
let captureDelay: f64 = 1162.5
let captureResidual: f64 = 100
let stage: Stage = Stage.Nowhere
/** An authenticated majority of servers says the same as the pulses. */
let confirmedByOthers: bool = false
/** The estimator has run since the last start: what contradicts it now contradicts experience. */
let proven: bool = false
/** Pulses accepted in a row since the last start or doubt. */
let accepted: u32 = 0
/** Contradicting pulses in a row that agree with each other; the last of them. */
let contradictions: u32 = 0
let contradiction: f64 = 0
let contradictionSecond: i64 = 0
/** The first of them was small, so they may be right. */
let small: bool = false
/** The pulses may be right against the line by this much, ns. */
let doubt: f64 = 0
/** A shift that was followed: ns, ns/s since `shiftSecond`; the second from which it is no longer doubted. */
let shift: f64 = 0
let shiftRate: f64 = 0
let shiftSecond: i64 = 0
let shiftUntil: i64 = 0
/** The second of the last accepted pulse. */
let acceptedSecond: i64 = 0
/** The slow model steers, since this second; variances of phase and frequency when it began. */
let holding: bool = false
let holdSecond: i64 = 0
let holdPhase: f64 = 0
let holdFrequency: f64 = 0
/** The continuous second up to which the estimator has been stepped, and its tick. */
let second: i64 = 0
let secondTicks: u64 = 0
let receiverError: f64 = 0
let lastDifference: f64 = 0
/** The bound at `secondTicks` (ns), and its growth per 2^24 ticks. */
let bound: u64 = 0
let boundGrowth: u64 = 0

export function disciplineInit(ticks: u64): void {
  MODEL.ticks = ticks
  MODEL.seconds = 0
  MODEL.fraction = 0
  stage = Stage.Nowhere
  second = 0
  secondTicks = ticks
  receiverError = 0
  lastDifference = 0
  bound = 0
  boundGrowth = 0
  shift = 0
  shiftRate = 0
  shiftUntil = 0
  acceptedSecond = 0
  alarmInit()
  estimatorInit()
  oscillatorInit()
  disciplineForget()
}

/**
 * What the board's calibration says: the mean delay from the edge at the pin to the captured tick, and a bound of what the
 * calibration may have left, both ns. Call it before the first pulse; it outlives `disciplineInit`.
 */
export function disciplineCalibrate(delayNanos: f64, residualNanos: f64): void {
  captureDelay = delayNanos
  captureResidual = residualNanos
}

/** The model line. Before the first pulse whoever knows better (restore) may move it. */
export function disciplineModel(): Line {
  return MODEL
}

/** The continuous scale was renumbered by `seconds`. */
export function disciplineRenumber(seconds: i64): void {
  MODEL.seconds += seconds
  second += seconds
  contradictions = 0
  acceptedSecond += seconds
  holdSecond += seconds
  shiftSecond += seconds
  shiftUntil += seconds
  acquireRenumber(seconds)
  oscillatorBreak()
}

/** The network confirms (true) what the pulses say: a step to them needs no other proof. */
export function disciplineProve(confirmed: bool): void {
  confirmedByOthers = confirmed
}

/** Pulses have taught the crystal's rate. */
export function disciplineKnowsRate(): bool {
  return proven
}

/** Enough pulses in a row were accepted: the line and its bound may be served. */
export function disciplineConfident(): bool {
  return accepted >= CONFIDENT
}

/** Truth minus line at the last pulse, ns. */
export function disciplineDifference(): f64 {
  return lastDifference
}

/** The bound of |line - truth| at `ticks`, ns. Meaningful once confident. */
export function disciplineBound(ticks: u64): u64 {
  const elapsed = <i64>(ticks - secondTicks)
  if (elapsed <= 0) return bound
  return bound + mulShift24(boundGrowth, <u64>elapsed)
}

/** Judges a pulse. `known`: the bound of the line's error when no pulse has set it yet (ns), e.g. the RTC's. */
export function disciplinePulse(pulse: Pulse, known: f64): Verdict {
  if (pulse.valid === 0) return Verdict.Ignored
  receiverError = <f64>pulse.errorNanos
  LABEL.seconds = leapContinuous(pulse)
  LABEL.fraction = 0
  lineAt(MODEL, pulse.ticks, HERE)
  const difference = stampDifference(LABEL, HERE) + captureDelay + <f64>pulse.sawtoothPicos * 0.001
  lastDifference = difference
  acquirePush(pulse.ticks, LABEL.seconds, pulse.sawtoothPicos)
  if (stage !== Stage.Nowhere && Math.abs(difference) < 5e8) {
    const passed = <f64>(LABEL.seconds - second)
    if (stage === Stage.Acquiring) {
      if (fitsRoughly(difference, passed)) return acquire(pulse.ticks)
    } else {
      stepTo(LABEL.seconds, pulse.ticks)
      const extra = receiverError * receiverError > STATED_USUAL ? receiverError * receiverError : 0
      if (believable(difference, extra)) return follow(difference, extra, pulse.ticks)
      if (Math.abs(difference) <= LATEST_CAPTURE) estimatorRefuse(difference, extra)
    }
  }
  return contradicted(pulse.ticks, difference, known)
}

/**
 * Takes a pulse whose label is not earned yet: it marks the start of some second. Phase and frequency are learnt from it, so
 * that the line is good as soon as its seconds are numbered (`disciplineNumber`). Two pulses in a row that do not fit
 * start the learning anew, since nothing says that the earlier ones were the true ones.
 */
export function disciplineRehearse(ticks: u64): void {
  lineAt(MODEL, ticks, HERE)
  REHEARSAL.ticks = ticks
  REHEARSAL.second = HERE.seconds + (HERE.fraction >= (<u64>1) << 63 ? 1 : 0)
  REHEARSAL.valid = 1
  const learning = stage !== Stage.Nowhere
  const verdict = disciplinePulse(REHEARSAL, f64.MAX_VALUE)
  // One capture may have been late; two in a row were not.
  if (learning && verdict === Verdict.Rejected && contradictions > 1) disciplineForget()
}

/** Numbers the seconds of a rehearsed line: the pulse at `ticks` began `label`. False when nothing was rehearsed. */
export function disciplineNumber(label: i64, ticks: u64): bool {
  if (stage === Stage.Nowhere) return false
  lineAt(MODEL, ticks, HERE)
  const here = HERE.seconds + (HERE.fraction >= (<u64>1) << 63 ? 1 : 0)
  if (here !== label) disciplineRenumber(label - here)
  return true
}

/** Forgets all pulses, but not what was learnt about their noise; the line stays where it is. */
export function disciplineForget(): void {
  stage = Stage.Nowhere
  proven = false
  accepted = 0
  contradictions = 0
  doubt = 0
  holding = false
  MODEL.rate = NOMINAL_RATE
  acquireForget()
  oscillatorBreak()
}

/** Lets time pass without pulses: call at least once a second. */
export function disciplineAge(ticks: u64): void {
  if (stage !== Stage.Following) return
  lineAt(MODEL, ticks, HERE)
  if (HERE.seconds < second + 2) return
  stepTo(HERE.seconds - 1, ticks)
  publish(ticks)
}

/** A slice of the learning that the last pulse left to do. True when there is more. */
export function disciplineWork(): bool {
  if (estimatorWork()) return true
  oscillatorStep()
  return false
}

function stepTo(target: i64, ticks: u64): void {
  if (target <= second) return
  lineRebase(MODEL, ticks)
  if (!holding && target - acceptedSecond >= HOLD_AFTER) beginHold()
  if (holding) hold(target)
  else estimatorAdvance(<f64>(target - second))
  steer(estimatorRate())
  second = target
  secondTicks = ticks
}

/** Pulses have been missing, or refused, for some seconds. */
function beginHold(): void {
  oscillatorHoldover(second, estimatorRate(), estimatorDrift())
  holding = oscillatorReady()
  holdSecond = second
  holdPhase = estimatorPhaseVariance(0)
  const frequency = estimatorFrequencySigma()
  holdFrequency = frequency * frequency
}

/** The slow model's word for the second that begins. */
function hold(target: i64): void {
  const ahead = aheadOf(target)
  const sigma = oscillatorSigmaRate(ahead)
  estimatorHold(oscillatorRate(ahead), heldVariance(ahead), holdFrequency + sigma * sigma)
}

/** Variance of the phase so many seconds into a holdover. */
function heldVariance(ahead: u32): f64 {
  const sigma = oscillatorSigmaPhase(ahead)
  const fresh = Math.min(<f64>ahead, HOLD_FADE)
  return holdPhase + holdFrequency * fresh * fresh + sigma * sigma
}

function aheadOf(target: i64): u32 {
  const ahead = target - holdSecond
  return ahead < 0 ? 0 : ahead > 0x4000_0000 ? 0x4000_0000 : <u32>ahead
}

/** The first pulses need to lie on the line only as nearly as its rate is known. */
function fitsRoughly(difference: f64, passed: f64): bool {
  const rate = acquireCount() > 3 ? ROUGH_RATE : AGREEMENT_RATE
  return Math.abs(difference) <= 2 * AGREEMENT + rate * Math.max(passed, 1)
}

/** Puts the line through the first pulses; starts the estimator once there are enough of them. */
function acquire(ticks: u64): Verdict {
  lineRebase(MODEL, ticks)
  second = LABEL.seconds
  secondTicks = ticks
  contradictions = 0
  doubt = 0
  holding = false
  acceptedSecond = second
  oscillatorBreak()
  accepted = min(acquireCount(), CONFIDENT - 1)
  if (acquireFit(MODEL, captureDelay)) {
    lineShift(MODEL, acquirePhase())
    steer(acquireSlope() - crystalNanosPerSecond(MODEL.rate))
    if (acquireCount() >= CONFIDENT && acquireInliers() >= AGREED) start()
  }
  publish(ticks)
  return Verdict.Accepted
}

function start(): void {
  noiseFitted(acquireSquares(), <f64>acquireInliers() - 2)
  const r = noiseVariance()
  estimatorStart(
    -crystalNanosPerSecond(MODEL.rate),
    r * acquirePhaseVariance() + BENT_PHASE,
    r * acquireCovariance(),
    r * acquireSlopeVariance() + BENT_RATE,
  )
  stage = Stage.Following
  proven = true
  accepted = CONFIDENT
}

/** The gate. After an outage a late capture may have been taken for the truth: then the first early one tells. */
function believable(difference: f64, extra: f64): bool {
  const rust = estimatorPhaseSigma()
  if (rust * rust > RUSTY * RUSTY + 4 * noiseVariance()) accepted = 0
  if (accepted === 0) estimatorRemember()
  else if (accepted >= CONFIDENT) estimatorForget()
  const spread = estimatorSpread(extra)
  if (difference < 0) return -difference <= lateGate() * spread
  if (difference <= GATE * spread) return true
  if (accepted === 0 || accepted >= CONFIDENT || difference > LATEST_CAPTURE || !estimatorTakeBack()) return false
  accepted = 0
  return true
}

function follow(difference: f64, extra: f64, ticks: u64): Verdict {
  lineRebase(MODEL, ticks)
  lineShift(MODEL, estimatorUpdate(difference, extra))
  steer(estimatorRate())
  contradictions = 0
  doubt = 0
  holding = false
  acceptedSecond = second
  accepted++
  publish(ticks)
  if (accepted < CONFIDENT) return Verdict.Accepted
  if (second >= shiftUntil) {
    shift = 0
    shiftRate = 0
    alarmClear()
  }
  oscillatorObserve(MODEL, estimatorPhaseSigma())
  return Verdict.Accepted
}

/** Sets the line's rate against nominal, ns/s. */
function steer(rate: f64): void {
  lineSetSpeed(MODEL, Math.min(Math.max(rate, -RATE_LIMIT), RATE_LIMIT))
}

function contradicted(ticks: u64, difference: f64, known: f64): Verdict {
  const apart = <f64>(LABEL.seconds - contradictionSecond)
  const agrees = Math.abs(difference - contradiction) <= AGREEMENT + AGREEMENT_RATE * apart && apart > 0 && apart < 60
  const size = Math.abs(difference)
  contradictions = agrees && contradictions > 0 ? contradictions + 1 : 1
  contradiction = difference
  contradictionSecond = LABEL.seconds
  if (contradictions === 1) small = size <= JUMP
  const late = difference < 0 && size <= LATEST_CAPTURE && !aligned()
  const possible = stage !== Stage.Nowhere && (size <= JUMP || size <= ownBound(ticks)) && !runsAway()
  if (contradictions < needed(size, late, possible, known)) {
    if (contradictions >= ALARMING && proven) disbelieve(difference, late, possible)
    if (stage === Stage.Following) publish(ticks)
    return Verdict.Rejected
  }
  if (proven) surrender(difference, possible)
  acquireKeep(contradictions)
  if (possible && size <= SLEWED) {
    stage = Stage.Acquiring
    return acquire(ticks)
  }
  return stepLine(ticks)
}

function needed(size: f64, late: bool, possible: bool, known: f64): u32 {
  if (proven && !possible && confirmedByOthers) return CONFIRM
  if (proven) return possible ? (late ? LATE_PERSIST : PERSIST) : CONFIRM_IMPOSSIBLE
  return size <= known ? CONFIRM : CONFIRM_DOUBTFUL
}

/** The contradicting pulses lie on one line, as captures that are late by chance do not. */
function aligned(): bool {
  if (!proven || contradictions < ALIGNED_PERSIST || !fitContradictions()) return false
  return acquireInliers() === acquireCount() && acquireSquares() <= 4 * noiseVariance() * <f64>acquireCount()
}

/** They move against the line faster than any learnt crystal would make them. */
function runsAway(): bool {
  if (!proven || contradictions < PERSIST || !fitContradictions()) return false
  return Math.abs(acquireSlope()) > SHAKEN + GATE * slopeSigma()
}

function fitContradictions(): bool {
  acquireKeep(min(contradictions, CONFIDENT))
  return acquireFit(MODEL, captureDelay)
}

function slopeSigma(): f64 {
  return sqrt<f64>(noiseVariance() * acquireSlopeVariance())
}

/** Pulses in a row say otherwise. What could be true widens the bound; what could not raises the alarm. */
function disbelieve(difference: f64, late: bool, possible: bool): void {
  const size = Math.abs(difference)
  if (!possible) alarmRaise(size < 5e8 ? ClockAlarm.Jump : ClockAlarm.Label, difference)
  doubt = small && !late ? size : 0
}

/** The pulses have persisted, and are followed. */
function surrender(difference: f64, possible: bool): void {
  alarmRaise(possible ? ClockAlarm.Shift : ClockAlarm.Step, difference)
  shift = possible ? Math.abs(difference) : 0
  shiftRate = 0
  shiftSecond = LABEL.seconds
  shiftUntil = LABEL.seconds + SHIFT_DOUBT
  if (!possible || !fitContradictions()) return
  const slope = Math.abs(acquireSlope())
  if (slope > 3 * slopeSigma()) shiftRate = slope
}

/** The bound without the doubt that the contradicting pulses themselves have raised. */
function ownBound(ticks: u64): f64 {
  return <f64>disciplineBound(ticks) - doubt
}

/** Puts the line where the last label says, and through the pulses that agree with it. */
function stepLine(ticks: u64): Verdict {
  MODEL.ticks = ticks
  MODEL.seconds = LABEL.seconds
  MODEL.fraction = 0
  lineShift(MODEL, captureDelay)
  stage = Stage.Acquiring
  acquire(ticks)
  return Verdict.Stepped
}

/** Brings the bound up to date, so that the packet path need not compute. */
function publish(ticks: u64): void {
  let phase = receiverError + captureResidual + HALF_TICK + shift + shiftRate * <f64>(second - shiftSecond)
  let growth = 1 + shiftRate
  if (stage === Stage.Following) {
    const now = BOUND_SIGMAS * estimatorPhaseSigma()
    const variance = holding ? heldVariance(aheadOf(second + <i64>SECANT)) : estimatorPhaseVariance(SECANT)
    const later = BOUND_SIGMAS * sqrt<f64>(variance)
    phase += now + doubt + (accepted < CONFIDENT ? LATEST_CAPTURE : 0)
    growth += Math.max(later - now, 0) * (1 / SECANT)
  } else {
    phase += LATEST_CAPTURE
    growth += ROUGH_RATE
  }
  // Comparisons with a NaN are false.
  bound = phase < WORST ? <u64>phase : <u64>WORST
  boundGrowth = growth < WORST ? <u64>(growth * 1.048576 + 1) : <u64>WORST
  secondTicks = ticks
}

/** a * b / 2^24 without overflow; saturates at 2^62. */
function mulShift24(a: u64, b: u64): u64 {
  const high = mulHigh(a, b)
  if (high >= (<u64>1) << 22) return (<u64>1) << 62
  return (high << 40) | ((a * b) >> 24)
}
