// The discipline: which pulses to believe, and what they do to the model line.
//
//   in    labelled pulses (gnss/pulse.ts), the passing of seconds
//   out   the model line (ticks -> continuous time), a verdict on each pulse, an error bound, an alarm (alarm.ts)
//
// Sign: a difference is truth minus line, in nanoseconds; positive means that the line is behind.
//
// Captures are late, never early: a handler that had to wait shows up as a pulse some microseconds behind (a negative
// difference). The first pulses are fitted together (acquire.ts) until enough agree; from then on each must pass a gate, which is
// tighter on the late side the more late captures there are (noise.ts). What fails the gate is judged in doubt.ts. Without
// pulses hold.ts steers the line, or the estimator's own frequency and drift go on.

import { PULSE_SIZE, Pulse } from '../gnss/pulse'
import {
  acquireCount,
  acquireCovariance,
  acquireFit,
  acquireForget,
  acquireInliers,
  acquirePhase,
  acquirePhaseVariance,
  acquirePush,
  acquireRenumber,
  acquireSlope,
  acquireSlopeVariance,
  acquireSquares,
} from './acquire'
import { alarmInit } from './alarm'
import {
  AGREEMENT,
  AGREEMENT_RATE,
  doubtConfirm,
  doubtCount,
  doubtGrowth,
  doubtInit,
  doubtJudge,
  doubtNanos,
  doubtNone,
  doubtRenumber,
  doubtSettle,
  Judgement,
  LATEST_CAPTURE,
} from './doubt'
import {
  estimatorAdvance,
  estimatorCaution,
  estimatorForget,
  estimatorInit,
  estimatorIsWorking,
  estimatorPhaseSigma,
  estimatorPhaseVariance,
  estimatorRate,
  estimatorRefuse,
  estimatorRemember,
  estimatorSpread,
  estimatorStart,
  estimatorTakeBack,
  estimatorUpdate,
  estimatorVariance,
  estimatorWasBusy,
  estimatorWasFull,
  estimatorWork,
} from './estimator'
import { heatingInit, heatingStep } from './heating'
import {
  holdActive,
  holdBegin,
  holdEnd,
  holdRenumber,
  holdRuns,
  holdStep,
  holdVariance,
  holdWaits,
  holdWork,
} from './hold'
import { leapContinuous, leapLabel } from './leap'
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
import { oscillatorBreak, oscillatorHurries, oscillatorInit, oscillatorObserve, oscillatorStep } from './oscillator'
import { secondBreak, secondInit, secondObserve } from './second_oscillator'

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

/** A phase known no better than this must be found anew: a late capture would pass the gate. */
const RUSTY: f64 = 400

/** Pulses, accepted in a row, that make the line trustworthy. */
const CONFIDENT: u32 = 8
/** So many first pulses start the estimator when so many of them agree. */
const STARTING: u32 = 6
const AGREED: u32 = 5
/** Sigmas: on the early side, where nothing happens. The late side is noise.ts's. */
const GATE: f64 = 5

/** How fast the line may run away from the truth when a few pulses, one of them late, have set its rate: ns/s. */
const ROUGH_RATE: f64 = 20_000

/** No crystal is off by more than 250 ppm. */
const RATE_LIMIT: f64 = 250_000

/** What the drift of a crystal that warms up does to a fit of eight pulses: ns^2, (ns/s)^2. */
const BENT_PHASE: f64 = 37 * 37
const BENT_RATE: f64 = 28 * 28

/** Receivers state some tens of nanoseconds. What they state beyond this counts as noise of the pulse, ns^2. */
const STATED_USUAL: f64 = 100 * 100

/** Seconds without any pulse that make an outage. */
const OUTAGE: i64 = 60

/** Seconds without an accepted pulse after which the slow model steers. */
const HOLD_AFTER: i64 = 8

/** Sigmas in an error bound; it grows along the secant over the next SECANT seconds. */
const BOUND_SIGMAS: f64 = 4
const SECANT: f64 = 4
/** After an outage the deviations may be two and a half times as large, and after so many pulses still 1.75 times. */
const FRESH: f64 = 40

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
/** The estimator has run since the last start: what contradicts it now contradicts experience. */
let proven: bool = false
/** Pulses accepted in a row since the last start or doubt. */
let accepted: u32 = 0
/** The second of the last accepted pulse. */
let acceptedSecond: i64 = 0
/** The second of the last pulse of all; they have come back after an outage, and none was believed since. */
let pulseSecond: i64 = 0
let returned: bool = false
/** The continuous second up to which the estimator has been stepped, and its tick. */
let second: i64 = 0
let secondTicks: u64 = 0
/** The slow model was asked since the last slice. */
let asked: bool = false
let receiverError: f64 = 0
let lastDifference: f64 = 0
/** As of the last `publish`, ns. */
let phaseSigma: f64 = 0
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
  acceptedSecond = 0
  pulseSecond = 0
  returned = false
  doubtInit()
  alarmInit()
  estimatorInit()
  oscillatorInit()
  secondInit()
  heatingInit()
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
  acceptedSecond += seconds
  pulseSecond += seconds
  doubtRenumber(seconds)
  holdRenumber(seconds)
  acquireRenumber(seconds)
  breakOff()
}

/** The network confirms (true) what the pulses say: a step to them needs no other proof. */
export function disciplineProve(confirmed: bool): void {
  doubtConfirm(confirmed)
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
  if (LABEL.seconds - pulseSecond > OUTAGE) returned = true
  pulseSecond = LABEL.seconds
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
  leapLabel(HERE.seconds + (HERE.fraction >= (<u64>1) << 63 ? 1 : 0), REHEARSAL)
  REHEARSAL.valid = 1
  const learning = stage !== Stage.Nowhere
  const verdict = disciplinePulse(REHEARSAL, f64.MAX_VALUE)
  // One capture may have been late; two in a row were not.
  if (learning && verdict === Verdict.Rejected && doubtCount() > 1) disciplineForget()
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
  doubtNone()
  holdEnd()
  MODEL.rate = NOMINAL_RATE
  acquireForget()
  breakOff()
}

/** Lets time pass without pulses: call at least once a second. True when that was work enough for a poll(). */
export function disciplineAge(ticks: u64): bool {
  if (stage !== Stage.Following) return false
  lineAt(MODEL, ticks, HERE)
  if (HERE.seconds < second + 2) return false
  const before = disciplineBound(ticks)
  stepTo(HERE.seconds - 1, ticks)
  publish(ticks)
  // The secant may have been a nanosecond or two above the curve. Without news the bound does not fall.
  if (bound < before) bound = before
  return true
}

/** A slice of the learning that the last pulse left to do. True when there is more. */
export function disciplineWork(): bool {
  const working = estimatorIsWorking()
  if (estimatorWork()) return true
  if (working && estimatorWasFull()) return false
  if (holdWork()) return true
  if (stage === Stage.Following && !holdActive()) {
    if (heatingStep()) return false
    // A second of much work: the slow model can wait.
    if (estimatorWasBusy()) return false
  }
  oscillatorStep()
  // Slow model and RTC leave out their slices in the poll() in which they had to answer.
  const again = asked || holdWaits() || oscillatorHurries()
  asked = false
  return again
}

/** The line does not go on as it was: what is being measured of crystal and RTC says nothing. */
function breakOff(): void {
  oscillatorBreak()
  secondBreak()
}

function stepTo(target: i64, ticks: u64): void {
  if (target <= second) return
  lineRebase(MODEL, ticks)
  if (!holdActive() && target - acceptedSecond >= HOLD_AFTER) holdBegin(second, MODEL)
  if (holdActive() && holdStep(target, ticks)) asked = true
  else estimatorAdvance(<f64>(target - second))
  const rate = estimatorRate()
  steer(rate)
  holdRuns(rate)
  second = target
  secondTicks = ticks
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
  doubtNone()
  holdEnd()
  acceptedSecond = second
  breakOff()
  accepted = min(acquireCount(), CONFIDENT - 1)
  if (acquireFit(MODEL, captureDelay)) {
    lineShift(MODEL, acquirePhase())
    steer(acquireSlope() - crystalNanosPerSecond(MODEL.rate))
    if (acquireCount() >= STARTING && acquireInliers() >= AGREED) start()
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
  if (estimatorVariance() > RUSTY * RUSTY + 4 * noiseVariance()) accepted = 0
  if (accepted === 0) estimatorRemember()
  else if (accepted >= CONFIDENT) estimatorForget()
  const gate = difference < 0 ? lateGate() : GATE
  if (difference * difference <= gate * gate * estimatorSpread(extra)) return true
  if (difference < 0) return false
  if (accepted === 0 || accepted >= CONFIDENT || difference > LATEST_CAPTURE || !estimatorTakeBack()) return false
  accepted = 0
  return true
}

function follow(difference: f64, extra: f64, ticks: u64): Verdict {
  lineRebase(MODEL, ticks)
  lineShift(MODEL, estimatorUpdate(difference, extra))
  steer(estimatorRate())
  doubtNone()
  holdEnd()
  acceptedSecond = second
  accepted++
  returned = false
  publish(ticks)
  if (accepted < CONFIDENT) return Verdict.Accepted
  doubtSettle(second)
  oscillatorObserve(MODEL, phaseSigma)
  secondObserve(MODEL, phaseSigma)
  return Verdict.Accepted
}

/** Sets the line's rate against nominal, ns/s. */
function steer(rate: f64): void {
  lineSetSpeed(MODEL, Math.min(Math.max(rate, -RATE_LIMIT), RATE_LIMIT))
}

function contradicted(ticks: u64, difference: f64, known: f64): Verdict {
  const placed = stage !== Stage.Nowhere
  const own = <f64>disciplineBound(ticks)
  const judgement = doubtJudge(MODEL, captureDelay, difference, LABEL.seconds, placed, proven, own, known, returned)
  if (judgement === Judgement.Step) return stepLine(ticks)
  if (judgement === Judgement.Follow) {
    stage = Stage.Acquiring
    return acquire(ticks)
  }
  if (stage === Stage.Following) publish(ticks)
  return Verdict.Rejected
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
  let phase = receiverError + captureResidual + HALF_TICK + doubtNanos(second)
  let growth = 1 + doubtGrowth()
  if (stage === Stage.Following) {
    phaseSigma = estimatorPhaseSigma()
    const fresh = 1 + (1.5 * FRESH) / (<f64>accepted + FRESH)
    const sigmas = BOUND_SIGMAS * estimatorCaution() * fresh
    const now = sigmas * phaseSigma
    const variance = holdActive() ? holdVariance(second + <i64>SECANT) : estimatorPhaseVariance(SECANT)
    const later = sigmas * sqrt<f64>(variance)
    phase += now + (accepted < CONFIDENT ? LATEST_CAPTURE : 0)
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
