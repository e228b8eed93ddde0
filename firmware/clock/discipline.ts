// The discipline: which pulses to believe, and what they do to the model line.
//
//   in    labelled pulses (gnss/pulse.ts), the passing of seconds
//   out   the model line (ticks -> continuous time), a verdict on each pulse, an error bound
//
// Sign: a difference is truth minus line, in nanoseconds; positive means that the line is behind.
//
// Captures are late, never early: a handler that had to wait shows up as a pulse some microseconds behind. So the first
// `LOOSE` pulses count with a wide spread, and later ones must pass a gate of `GATE` sigma. What fails the gate is
// believed only when it persists and agrees with itself:
//
//   within what a crystal or a captured edge can do (JUMP, or our own error bound)   PERSIST pulses in a row: follow
//   before the first lock, within the RTC's error bound                               CONFIRM pulses: step
//   before the first lock, outside it                                                 CONFIRM_DOUBTFUL pulses: step
//   after a lock: no crystal jumps like that, so it is the sky that is odd            CONFIRM_IMPOSSIBLE pulses: step

import { PULSE_SIZE, Pulse } from '../gnss/pulse'
import {
  estimatorDoubt,
  estimatorFrequency,
  estimatorFrequencySigma,
  estimatorPhase,
  estimatorPhaseSigma,
  estimatorSpread,
  estimatorStart,
  estimatorStep,
  estimatorUpdate,
} from './estimator'
import { leapContinuous } from './leap'
import { Line, lineAt, lineRebase, lineShift, lineSpeed, NOMINAL_RATE, Stamp, stampDifference } from './line'

export const enum Verdict {
  /** The pulse has no earned label. */
  Ignored = 0,
  Accepted = 1,
  Rejected = 2,
  /** The line was put where the pulse says, not moved there. */
  Stepped = 3,
}

/**
 * Mean delay from the edge at the pin to the captured tick, unless the board says otherwise: 1.2 us until the handler reads
 * the counter, less the 37.5 ns that rounding down to a tick of SYSTIMER costs. And what may remain of it on a given board.
 */
const DEFAULT_DELAY: f64 = 1162.5
const DEFAULT_RESIDUAL: f64 = 150

/** Standard deviation of one capture, and of one of the first ones, which may be late by microseconds. */
const CAPTURE_SIGMA: f64 = 85
const LOOSE_SIGMA: f64 = 2000

/** As late as a capture gets. Until enough pulses agree, all of them may have been. */
const LATEST_CAPTURE: f64 = 8000

/** A phase known no better than this must be acquired anew: a late capture would pass the gate. */
const RUSTY: f64 = 400

const LOOSE: u32 = 4
/** Pulses accepted in a row that make the line trustworthy. */
const CONFIDENT: u32 = 8
const GATE: f64 = 5

const JUMP: f64 = 1e6
const PERSIST: u32 = 5
const CONFIRM: u32 = 2
const CONFIRM_DOUBTFUL: u32 = 60
const CONFIRM_IMPOSSIBLE: u32 = 900

/** Frequency that a fresh crystal may have, ns/s, one sigma; and what a shaken one may have gained. */
const FRESH_FREQUENCY: f64 = 20_000
const SHAKEN_FREQUENCY: f64 = 500

/** Two contradicting pulses agree when they differ by at most this, plus 200 ppm of the time between them. */
const AGREEMENT: f64 = 8_000
const AGREEMENT_RATE: f64 = 200_000

/** No crystal is off by more than 200 ppm. */
const RATE_LIMIT: u64 = NOMINAL_RATE / 5000

/** Sigmas in an error bound. */
const BOUND_SIGMAS: f64 = 4

const MODEL: Line = changetype<Line>(memory.data(32, 8))
const HERE: Stamp = changetype<Stamp>(memory.data(16, 8))
const REHEARSAL: Pulse = changetype<Pulse>(memory.data(<i32>PULSE_SIZE, 8))
const LABEL: Stamp = changetype<Stamp>(memory.data(16, 8))

/** The board's calibration, ns. */
let captureDelay: f64 = DEFAULT_DELAY
let captureResidual: f64 = DEFAULT_RESIDUAL
/** The line has been put where a pulse said. */
let anchored: bool = false
/** Pulses accepted in a row since the last start or doubt. */
let accepted: u32 = 0
/** Contradicting pulses in a row that agree with each other; the last of them. */
let contradictions: u32 = 0
let contradiction: f64 = 0
let contradictionSecond: i64 = 0
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
  MODEL.rate = NOMINAL_RATE
  anchored = false
  accepted = 0
  contradictions = 0
  second = 0
  secondTicks = ticks
  receiverError = 0
  lastDifference = 0
  bound = 0
  boundGrowth = 0
  estimatorStart(LOOSE_SIGMA, FRESH_FREQUENCY)
}

/**
 * What the board's calibration says: the mean delay from the edge at the pin to the captured tick, and a bound of what the
 * calibration may have left, both ns. Call it before the first pulse; it outlives `disciplineInit`.
 */
export function disciplineCalibrate(delayNanos: f64, residualNanos: f64): void {
  captureDelay = delayNanos
  captureResidual = residualNanos
}

/** The model line. Whoever moves it (restore, leap fold) tells the discipline by `disciplineMoved`. */
export function disciplineModel(): Line {
  return MODEL
}

/** The continuous scale was renumbered by `seconds`. */
export function disciplineRenumber(seconds: i64): void {
  MODEL.seconds += seconds
  second += seconds
  contradictions = 0
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
  return bound + ((boundGrowth * <u64>elapsed) >> 24)
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
  if (anchored && Math.abs(difference) < 5e8) {
    stepTo(LABEL.seconds, pulse.ticks)
    if (accepted >= CONFIDENT && estimatorPhaseSigma() > RUSTY) accepted = 0
    const sigma = spreadOf(pulse)
    if (Math.abs(difference) <= GATE * estimatorSpread(sigma)) return accept(difference, sigma, pulse.ticks)
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
  const learning = anchored
  const verdict = disciplinePulse(REHEARSAL, f64.MAX_VALUE)
  // One capture may have been late; two in a row were not.
  if (learning && verdict === Verdict.Rejected && contradictions > 1) disciplineForget()
}

/** Numbers the seconds of a rehearsed line: the pulse at `ticks` began `label`. False when nothing was rehearsed. */
export function disciplineNumber(label: i64, ticks: u64): bool {
  if (!anchored) return false
  lineAt(MODEL, ticks, HERE)
  const here = HERE.seconds + (HERE.fraction >= (<u64>1) << 63 ? 1 : 0)
  if (here !== label) disciplineRenumber(label - here)
  return true
}

/** Forgets all pulses; the line stays where it is. */
export function disciplineForget(): void {
  anchored = false
  accepted = 0
  contradictions = 0
  MODEL.rate = NOMINAL_RATE
  estimatorStart(LOOSE_SIGMA, FRESH_FREQUENCY)
}

/** Lets time pass without pulses: call at least once a second; one second at a time is worked off. */
export function disciplineAge(ticks: u64): void {
  if (!anchored) return
  lineAt(MODEL, ticks, HERE)
  if (HERE.seconds < second + 2) return
  stepOne(ticks)
  publish(ticks)
}

function spreadOf(pulse: Pulse): f64 {
  if (accepted < LOOSE) return LOOSE_SIGMA
  const stated = <f64>pulse.errorNanos
  return stated > CAPTURE_SIGMA ? stated : CAPTURE_SIGMA
}

/** Steps the estimator up to a second; a gap is worked off by `disciplineAge`, so little is left to do here. */
function stepTo(target: i64, ticks: u64): void {
  for (let i = 0; i < 4 && second < target; i++) stepOne(ticks)
  second = target
  secondTicks = ticks
}

function stepOne(ticks: u64): void {
  lineRebase(MODEL, ticks)
  steer(estimatorStep())
  second++
  secondTicks = ticks
}

function accept(difference: f64, sigma: f64, ticks: u64): Verdict {
  lineRebase(MODEL, ticks)
  estimatorUpdate(difference, sigma)
  lineShift(MODEL, estimatorPhase())
  steer(estimatorFrequency())
  contradictions = 0
  accepted++
  publish(ticks)
  return Verdict.Accepted
}

function steer(nanosPerSecond: f64): void {
  lineSpeed(MODEL, nanosPerSecond)
  if (MODEL.rate > NOMINAL_RATE + RATE_LIMIT) MODEL.rate = NOMINAL_RATE + RATE_LIMIT
  if (MODEL.rate < NOMINAL_RATE - RATE_LIMIT) MODEL.rate = NOMINAL_RATE - RATE_LIMIT
}

function contradicted(ticks: u64, difference: f64, known: f64): Verdict {
  const apart = <f64>(LABEL.seconds - contradictionSecond)
  const agrees = Math.abs(difference - contradiction) <= AGREEMENT + AGREEMENT_RATE * apart && apart > 0 && apart < 60
  contradictions = agrees && contradictions > 0 ? contradictions + 1 : 1
  contradiction = difference
  contradictionSecond = LABEL.seconds
  if (anchored) publish(ticks)
  const size = Math.abs(difference)
  const possible = anchored && (size <= JUMP || size <= <f64>disciplineBound(ticks))
  if (contradictions < needed(size, possible, known)) return Verdict.Rejected
  contradictions = 0
  accepted = 0
  if (possible && size <= JUMP) {
    estimatorDoubt(size, SHAKEN_FREQUENCY)
    return accept(difference, LOOSE_SIGMA, ticks)
  }
  return stepLine(ticks)
}

function needed(size: f64, possible: bool, known: f64): u32 {
  if (anchored) return possible ? PERSIST : CONFIRM_IMPOSSIBLE
  return size <= known ? CONFIRM : CONFIRM_DOUBTFUL
}

/** Puts the line where the last label says; the frequency is kept when it was learnt from pulses before. */
function stepLine(ticks: u64): Verdict {
  if (anchored) estimatorDoubt(LOOSE_SIGMA, SHAKEN_FREQUENCY)
  else estimatorStart(LOOSE_SIGMA, FRESH_FREQUENCY)
  MODEL.ticks = ticks
  MODEL.seconds = LABEL.seconds
  MODEL.fraction = 0
  lineShift(MODEL, captureDelay)
  anchored = true
  accepted = 1
  second = LABEL.seconds
  secondTicks = ticks
  publish(ticks)
  return Verdict.Stepped
}

/** Brings the bound up to date, so that the packet path need not compute. */
function publish(ticks: u64): void {
  const phase =
    BOUND_SIGMAS * estimatorPhaseSigma() + receiverError + captureResidual + (accepted < CONFIDENT ? LATEST_CAPTURE : 0)
  const frequency = BOUND_SIGMAS * estimatorFrequencySigma() + 1
  bound = <u64>phase
  boundGrowth = <u64>(frequency * 1.048576 + 1)
  secondTicks = ticks
}
