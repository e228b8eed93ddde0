// Doubt: what to make of pulses that contradict the clock. docs/decisions/0013-estimator.md has the reasons.
//
//   in    differences (truth as the pulse has it, minus line, ns) of pulses that did not pass the gate
//   out   wait, follow or step; what the bound must contain meanwhile; the alarm (alarm.ts)
//
// Believed is only what persists and agrees with itself:
//
//   could be late captures                                                 LATE_PERSIST pulses in a row: follow
//   could be, but they lie on one line                                     ALIGNED_PERSIST pulses in a row: follow
//   within JUMP, or within our own error bound                             PERSIST pulses in a row: follow
//   after an outage: within WIDE times our own error bound                 the same: the model of the crystal was wrong
//   before the first lock, within the RTC's error bound                    CONFIRM pulses: step
//   before the first lock, outside it                                      CONFIRM_DOUBTFUL pulses: step
//   after a lock: no crystal jumps or runs like that, so it is the sky that is odd
//                                                                          CONFIRM_IMPOSSIBLE pulses: step; an alarm at once
//                                                                          CONFIRM, if an authenticated majority says the same
//
// What was followed is doubted for another SHIFT_DOUBT seconds: the bound contains where the clock would be without it.

import {
  acquireCount,
  acquireFit,
  acquireInliers,
  acquireKeep,
  acquireSlope,
  acquireSlopeVariance,
  acquireSquares,
} from './acquire'
import { alarmClear, alarmRaise, ClockAlarm } from './alarm'
import { Line } from './line'
import { noiseVariance } from './noise'

export const enum Judgement {
  Wait = 0,
  /** Move the line to where these pulses are. */
  Follow = 1,
  /** Put it there. */
  Step = 2,
}

/** As late as a capture gets, ns. */
export const LATEST_CAPTURE: f64 = 8000

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
/** Contradictions up to this are slewed in once they are believed, ns. */
const SLEWED: f64 = 2e7
/** After an outage the bound may have been too narrow by this factor, before it is likelier that the sky is wrong. */
const WIDE: f64 = 4
/** Whole seconds are the labels' business, ns. */
const HALF_SECOND: f64 = 5e8

/** A learnt crystal's frequency does not change by more than this within PERSIST seconds, ns/s: a cold draught at its worst. */
const SHAKEN: f64 = 700
/** Sigmas by which a slope must exceed that; and by which it is a slope at all. */
const SURELY: f64 = 5
const HARDLY: f64 = 3
const SHIFT_DOUBT: i64 = 900

/** Two contradicting pulses agree when they differ by at most this, plus 200 ppm of the time between them. */
export const AGREEMENT: f64 = 8_000
export const AGREEMENT_RATE: f64 = 200_000
/** Seconds after which a contradiction is forgotten. */
const FORGOTTEN: f64 = 60
/** Pulses that are fitted at most. */
const FITTED: u32 = 8

/** An authenticated majority of servers says the same as the pulses. */
let confirmedByOthers: bool = false
/** Contradicting pulses in a row that agree with each other; the last of them. */
let contradictions: u32 = 0
let contradiction: f64 = 0
let contradictionSecond: i64 = 0
/** The first of them was small, so they may be right. */
let small: bool = false
/** They may be right against the line by this much, ns. */
let doubt: f64 = 0
/** They are many enough to tell a line, and this is its slope, ns/s. */
let fitted: bool = false
/** A shift that was followed: ns, ns/s since `shiftSecond`; the second from which it is no longer doubted. */
let shift: f64 = 0
let shiftRate: f64 = 0
let shiftSecond: i64 = 0
let shiftUntil: i64 = 0

export function doubtInit(): void {
  confirmedByOthers = false
  doubtNone()
  shift = 0
  shiftRate = 0
  shiftSecond = 0
  shiftUntil = 0
}

/** A pulse was believed: there is no contradiction. */
export function doubtNone(): void {
  contradictions = 0
  doubt = 0
}

export function doubtRenumber(seconds: i64): void {
  contradictions = 0
  shiftSecond += seconds
  shiftUntil += seconds
}

/** The network confirms (true) what the pulses say: a step to them needs no other proof. */
export function doubtConfirm(confirmed: bool): void {
  confirmedByOthers = confirmed
}

/** Contradicting pulses in a row. */
export function doubtCount(): u32 {
  return contradictions
}

/** What the bound must contain on account of doubts, at a second; and how fast that grows: ns, ns/s. */
export function doubtNanos(second: i64): f64 {
  return doubt + shift + shiftRate * <f64>(second - shiftSecond)
}

export function doubtGrowth(): f64 {
  return shiftRate
}

/** Pulses are believed again, and have been for long enough: the alarm ends when no shift is doubted any more. */
export function doubtSettle(second: i64): void {
  if (second < shiftUntil) return
  shift = 0
  shiftRate = 0
  alarmClear()
}

/**
 * Judges a pulse that did not pass the gate. `line`, `delay`: what it was compared with. `placed`: some pulse has put the
 * line there; `proven`: the estimator has run on it. `bound`: the line's error bound, these doubts included; `known`: that
 * of an earlier clock, for a line that pulses have not proven; `returned`: pulses were missing for long before this contradiction.
 */
export function doubtJudge(
  line: Line,
  delay: f64,
  difference: f64,
  second: i64,
  placed: bool,
  proven: bool,
  bound: f64,
  known: f64,
  returned: bool,
): Judgement {
  const own = returned ? WIDE * (bound - doubt) : bound - doubt
  note(difference, second, returned ? own : 0)
  fitted = proven && contradictions >= PERSIST && fitContradictions(line, delay)
  const size = Math.abs(difference)
  const late = difference < 0 && size <= LATEST_CAPTURE && !aligned()
  const possible = placed && (size <= JUMP || size <= own) && !runsAway()
  if (contradictions < needed(size, late, possible, proven, known)) {
    if (proven && contradictions >= ALARMING) disbelieve(difference, late, possible)
    return Judgement.Wait
  }
  if (proven) surrender(difference, second, possible)
  acquireKeep(contradictions)
  doubtNone()
  return possible && size <= SLEWED ? Judgement.Follow : Judgement.Step
}

function note(difference: f64, second: i64, contained: f64): void {
  const apart = <f64>(second - contradictionSecond)
  const agrees = Math.abs(difference - contradiction) <= AGREEMENT + AGREEMENT_RATE * apart && apart > 0
  contradictions = agrees && apart < FORGOTTEN && contradictions > 0 ? contradictions + 1 : 1
  contradiction = difference
  contradictionSecond = second
  if (contradictions === 1) small = Math.abs(difference) <= Math.max(JUMP, contained)
}

function needed(size: f64, late: bool, possible: bool, proven: bool, known: f64): u32 {
  if (proven && !possible && confirmedByOthers) return CONFIRM
  if (proven) return possible ? (late ? LATE_PERSIST : PERSIST) : CONFIRM_IMPOSSIBLE
  return size <= known ? CONFIRM : CONFIRM_DOUBTFUL
}

function fitContradictions(line: Line, delay: f64): bool {
  acquireKeep(min(contradictions, FITTED))
  return acquireFit(line, delay)
}

/** The contradicting pulses lie on one line, as captures that are late by chance do not. */
function aligned(): bool {
  if (!fitted || contradictions < ALIGNED_PERSIST) return false
  return acquireInliers() === acquireCount() && acquireSquares() <= 4 * noiseVariance() * <f64>acquireCount()
}

/** They move against the line faster than any learnt crystal would make them. */
function runsAway(): bool {
  return fitted && Math.abs(acquireSlope()) > SHAKEN + SURELY * slopeSigma()
}

function slopeSigma(): f64 {
  return sqrt<f64>(noiseVariance() * acquireSlopeVariance())
}

/** Pulses in a row say otherwise. What could be true widens the bound; what could not raises the alarm. */
function disbelieve(difference: f64, late: bool, possible: bool): void {
  const size = Math.abs(difference)
  if (!possible) alarmRaise(size < HALF_SECOND ? ClockAlarm.Jump : ClockAlarm.Label, difference)
  doubt = small && !late ? size : 0
}

/** The pulses have persisted, and are followed. */
function surrender(difference: f64, second: i64, possible: bool): void {
  alarmRaise(possible ? ClockAlarm.Shift : ClockAlarm.Step, difference)
  const slope = fitted ? Math.abs(acquireSlope()) : 0
  shift = possible ? Math.abs(difference) : 0
  shiftRate = possible && fitted && slope > HARDLY * slopeSigma() ? slope : 0
  shiftSecond = second
  shiftUntil = second + SHIFT_DOUBT
}
