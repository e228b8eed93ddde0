// Without pulses: the slow model of the crystal (oscillator.ts) steers, once it has learnt enough, or the RTC's square
// wave (second_oscillator.ts), whichever is expected to be nearer the truth after the time that has passed.
//
//   in    the second and its tick, the estimator's state when the pulses stopped
//   out   the estimator's frequency and variances while they are missing
//
// The variance of the phase is that of the estimator when the pulses stopped, that of its frequency for as long as the slow
// model starts from it (HOLD_FADE), and the slow model's own. With the RTC it is that of the estimator and the RTC's own.
//
// Each of the two says where the line would be had it steered from the beginning. When the lead changes the line does not jump: it
// goes there at a rate that fades within minutes, and the bound contains what is left of the way. While the slow model has not learnt enough
// the estimator's own frequency and drift go on, until the RTC is the better one.

import {
  estimatorDrift,
  estimatorFrequencySigma,
  estimatorHold,
  estimatorLeave,
  estimatorPhaseVariance,
  estimatorRate,
  estimatorUnsure,
} from './estimator'
import { LINE_SIZE, Line, TICK_SECONDS } from './line'
import {
  oscillatorHoldover,
  oscillatorRate,
  oscillatorReady,
  oscillatorSigmaPhase,
  oscillatorSigmaRate,
} from './oscillator'
import {
  secondGain,
  secondHoldover,
  secondKnows,
  secondPass,
  secondRate,
  secondSigma,
  secondSteady,
} from './second_oscillator'

const HOLD_FADE: f64 = 150

/** The other one must be expected to be so much better before it takes the lead. */
const BETTER: f64 = 0.8
/** The RTC contradicts the crystal when it has the line elsewhere by so many of its own deviations. */
const CONTRADICTS: f64 = 1

/** The line goes to where its new leader has it with this time constant, s. */
const APPROACH: f64 = 128
/** Sigmas that the bound has: what is left of the way counts once in it. */
const SIGMAS: f64 = 4
/** The two may differ by so many of their deviations together; by more, and one of them is wrong. */
const APART: f64 = 3
/** The RTC's deviation is worked out for the second, and for so many s later. */
const GROWTH: f64 = 8
/** A deviation that is none, ns. */
const NO_SIGMA: f64 = 1e12

/** What the RTC's wave is in this holdover. */
const enum Wave {
  /** It has nothing to say, or fell silent. */
  Silent = 0,
  /** It has not been asked yet. */
  Unasked = 1,
  /** It says where the line should be. */
  Heard = 2,
  /** It steers. */
  Leads = 3,
}

let holding: bool = false
/** The slow model has something to say; since this second; variances of phase and frequency then. */
let modelled: bool = false
let since: i64 = 0
let phaseVariance: f64 = 0
let frequencyVariance: f64 = 0
/** What holdVariance has said at its highest: knowing more does not make the past better. */
let reached: f64 = 0

/** Pulses are missing; the RTC's wave counts since this second, with this variance of the phase, on this line. */
let waiting: bool = false
let waitingSince: i64 = 0
let waitingVariance: f64 = 0
const START: Line = changetype<Line>(memory.data(<i32>LINE_SIZE, 8))
let wave: Wave = Wave.Silent
/** The lead has changed. */
let changed: bool = false
/** Until this tick, at this second, the line has gained so many ns on nominal ticks, and would have with the slow model; the rates since. */
let passedTicks: u64 = 0
let passedSecond: i64 = 0
let gained: f64 = 0
let rate: f64 = 0
let modelGained: f64 = 0
let modelRate: f64 = 0
/** The RTC's deviation at this second, its growth a second; nothing has been made of this second yet; the second's poll() is not over. */
let rtcSigma: f64 = 0
let rtcGrowth: f64 = 0
let rtcSecond: i64 = 0
let due: bool = false
let fresh: bool = false
/** From the line to where its leader has it, and to where the RTC has it; how far apart the two are when one of them must be wrong; ns. */
let way: f64 = 0
let fromRtc: f64 = 0
let apart: f64 = 0

export function holdEnd(): void {
  holding = false
  waiting = false
}

/** The slow model or the RTC steers. */
export function holdActive(): bool {
  return holding
}

export function holdRenumber(seconds: i64): void {
  since += seconds
  waitingSince += seconds
  passedSecond += seconds
  rtcSecond += seconds
}

/** The line runs at this rate from now on, whoever says so. */
export function holdRuns(nanosPerSecond: f64): void {
  rate = nanosPerSecond
}

/** Pulses have been missing, or refused, for some seconds. The line is rebased at the present. */
export function holdBegin(second: i64, line: Line): void {
  oscillatorHoldover(second, estimatorRate(), estimatorDrift())
  modelled = oscillatorReady()
  holding = modelled
  since = second
  phaseVariance = estimatorPhaseVariance(0)
  reached = phaseVariance
  const frequency = estimatorFrequencySigma()
  frequencyVariance = frequency * frequency
  if (!waiting) wait(second, line)
  else if (wave >= Wave.Heard) pass(second, line.ticks)
  fresh = true
  if (holding || wave < Wave.Heard) return
  // The estimator goes on by itself until the RTC is the better one and says that it is wrong.
  if (!secondSteady(line.ticks)) lose()
  else if (wave === Wave.Leads) {
    holding = true
    estimatorLeave()
  }
}

function wait(second: i64, line: Line): void {
  waiting = true
  waitingSince = second
  waitingVariance = phaseVariance
  memory.copy(changetype<usize>(START), changetype<usize>(line), LINE_SIZE)
  wave = secondKnows(line.ticks) ? Wave.Unasked : Wave.Silent
  changed = false
  passedTicks = line.ticks
  passedSecond = second
  gained = 0
  modelGained = 0
  modelRate = rate
  way = 0
  fromRtc = 0
  apart = 0
}

/** The line has run until this tick. */
function pass(second: i64, ticks: u64): void {
  const seconds = <f64>(<i64>(ticks - passedTicks)) * TICK_SECONDS
  passedTicks = ticks
  passedSecond = second
  due = true
  gained += rate * seconds
  modelGained += modelRate * seconds
}

/** The word of who leads, for the second that begins at `ticks`. False: nobody does any more. */
export function holdStep(second: i64, ticks: u64): bool {
  const ahead = aheadOf(second, since)
  fresh = true
  if (wave >= Wave.Heard || changed) pass(second, ticks)
  if (wave >= Wave.Heard && !secondSteady(ticks) && !lose()) return false
  if (changed && wave < Wave.Heard) way = modelGained - gained
  // Floating point is dear: what is not needed is not computed.
  const speed = changed ? way * (1 / APPROACH) : 0
  const sigma = wave === Wave.Leads ? rtcSigma / <f64>max(aheadOf(second, waitingSince), 1) : oscillatorSigmaRate(ahead)
  reached = holdVariance(second)
  let variance = wave === Wave.Leads ? sigma * sigma : frequencyVariance + sigma * sigma
  if (changed) variance += speed * speed
  if (modelled) modelRate = oscillatorRate(ahead)
  const own = wave === Wave.Leads ? secondRate() : modelRate
  estimatorHold(changed ? own + speed : own, reached, variance)
  return true
}

/** The RTC's word is to be worked out. */
export function holdWaits(): bool {
  return waiting && (wave === Wave.Unasked || (wave >= Wave.Heard && due))
}

/** Works it out, in a poll() that had no second's work. False: there was nothing to do, or it must wait for such a poll(). */
export function holdWork(): bool {
  const spent = fresh
  fresh = false
  if (spent || !holdWaits()) return false
  if (wave === Wave.Unasked) {
    wave = secondHoldover(START) ? Wave.Heard : Wave.Silent
    due = wave === Wave.Heard
    rtcSigma = NO_SIGMA
    rtcGrowth = 0
    rtcSecond = waitingSince
  } else {
    due = false
    choose()
  }
  return true
}

/** Who leads from now on, and how far is the line from there? */
function choose(): void {
  const ahead = <f64>aheadOf(passedSecond, waitingSince)
  secondPass(<f64>(<i32>(passedSecond - rtcSecond)))
  rtcSigma = secondSigma(ahead)
  rtcGrowth = (secondSigma(ahead + GROWTH) - rtcSigma) * (1 / GROWTH)
  rtcSecond = passedSecond
  const gain = secondGain(passedTicks)
  const difference = gain - (modelled ? modelGained : gained)
  const own = sqrt<f64>(modelled ? modelVariance(passedSecond) : phaseVariance)
  if (wave === Wave.Leads ? modelled && own < BETTER * rtcSigma : contradicts(difference, own)) {
    wave = wave === Wave.Leads ? Wave.Heard : Wave.Leads
    changed = true
  }
  const far = modelled && Math.abs(difference) > APART * (own + rtcSigma)
  apart = far ? Math.abs(difference) : 0
  fromRtc = gain - gained
  way = wave === Wave.Leads ? fromRtc : changed ? modelGained - gained : 0
}

/** The RTC is the better one, and it says that the crystal's word is wrong by `difference`. */
function contradicts(difference: f64, own: f64): bool {
  return rtcSigma < BETTER * own && Math.abs(difference) > CONTRADICTS * rtcSigma
}

/** The RTC has fallen silent, or was set. False: there is no model to go on with. */
function lose(): bool {
  const led = wave === Wave.Leads
  wave = Wave.Silent
  apart = 0
  if (!led) return true
  if (modelled) return true
  changed = false
  if (!holding) return true
  // The estimator goes on from here, and knows nothing of the crystal's drift.
  const speed = way * (1 / APPROACH)
  const sigma = rtcSigma / <f64>max(aheadOf(passedSecond, waitingSince), 1)
  estimatorHold(rate - speed, reached, sigma * sigma + speed * speed)
  estimatorUnsure()
  way = 0
  holding = false
  return false
}

/** Variance of the phase at a second, ns^2; never less than at the one before. */
export function holdVariance(second: i64): f64 {
  if (wave === Wave.Leads) return Math.max(reached, rtcVariance(second))
  let variance = modelVariance(second)
  if (changed || apart !== 0) {
    const sigma = sqrt<f64>(variance) + (Math.abs(way) + apart) * (1 / SIGMAS)
    variance = sigma * sigma
  }
  // The RTC vouches for the line too: it is no farther from the truth than from where the RTC has it, and what the RTC is off.
  if (wave >= Wave.Heard) variance = Math.min(variance, rtcVariance(second))
  return Math.max(reached, variance)
}

/** With the slow model. */
function modelVariance(second: i64): f64 {
  const ahead = aheadOf(second, since)
  const sigma = oscillatorSigmaPhase(ahead)
  const fresh = Math.min(<f64>ahead, HOLD_FADE)
  return phaseVariance + frequencyVariance * fresh * fresh + sigma * sigma
}

/** What the RTC's own deviation makes of the line's, way and contradiction included. */
function rtcVariance(second: i64): f64 {
  const later = rtcGrowth * <f64>(<i32>(second - rtcSecond))
  const sigma = rtcSigma + later + (Math.abs(fromRtc) + apart) * (1 / SIGMAS)
  return waitingVariance + sigma * sigma
}

function aheadOf(second: i64, from: i64): u32 {
  const ahead = second - from
  return ahead < 0 ? 0 : ahead > 0x4000_0000 ? 0x4000_0000 : <u32>ahead
}
