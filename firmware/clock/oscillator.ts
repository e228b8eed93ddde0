// The slow model of the crystal: learns while the clock is locked, and tells the rate when there are no pulses.
//
//   in    the line after each accepted pulse, temperatures, slices of time
//   out   in holdover: the rate for each second, and the standard deviation of the phase gathered since
//
// Rates are those of the line against nominal, ns/s, positive when the line runs fast (the crystal is slow).
//
//   history   mean rates over blocks of 128 s, about a day        oscillator_history.ts
//   degrees   a block's temperature, less the thermometer's steps  oscillator_degrees.ts
//   filter    one model, run over the history                     oscillator_filter.ts
//   search    which model explains the history best               oscillator_search.ts
//   forecast  what the best one says of the next blocks           oscillator_forecast.ts
//
// docs/decisions/0014-holdover.md has the reasons and what was measured.

import { Line, Stamp, stampDifference, TICK_NANOS } from './line'
import { degreesIgnore, degreesInit, degreesLearn } from './oscillator_degrees'
import { filterCoefficient, filterTemperatureRate, filterUnit } from './oscillator_filter'
import {
  forecastBegin,
  forecastClear,
  forecastCovers,
  forecastFilter,
  forecastFirst,
  forecastGrowth,
  forecastHalfway,
  forecastPhase,
  forecastRate,
  forecastReaches,
  forecastSigma,
  forecastStart,
  forecastStep,
} from './oscillator_forecast'
import {
  BLOCK,
  historyAdd,
  historyClear,
  historyEnd,
  historyFirst,
  historyRefine,
  historyWarming,
  NO_TEMPERATURE,
} from './oscillator_history'
import { memoryNote } from './oscillator_memory'
import {
  searchAnew,
  searchBest,
  searchHalfway,
  searchInit,
  searchLearnt,
  searchPrior,
  searchReady,
  searchRenew,
  searchStep,
  searchTried,
  searchUpToDate,
} from './oscillator_search'
import { trialBreak, trialCaution, trialHalfway, trialInit, trialStep } from './oscillator_trial'

/** Until then after power-on the crystal warms up, and nothing is learnt, s. */
const WARM_UP: f64 = 600

/** A block counts when the pulses at both ends come within this many seconds of its boundaries. */
const LATEST: i32 = 8

/** A line known no better than this says nothing of a block, ns. */
const VAGUE: f64 = 1000

/** The fast filter's own rate fades into the slow model's over these seconds. */
const FADE: f64 = 150

/** A forecast may be this old when a holdover begins: the history tells no more of the crystal then, s. */
const LONGEST: f64 = 200_000
/** No crystal changes its rate by more than this between two pulses, ns/s. */
const LARGEST_CHANGE: f64 = 50_000
/** A standard deviation that is none, ns. */
const NO_SIGMA: f64 = 1e12

/** Slices that a question may take when the forecast is not there yet. */
const CATCH_UP: i32 = 1

/**
 * The standard deviation as computed is multiplied by this: the model is chosen by the same data that it is judged by, and
 * the crystal need not be of its kind. Measured over many worlds (docs/decisions/0014-holdover.md).
 */
const CAUTION: f64 = 1.5
/**
 * A short history says little of the hours to come: after a history of UNSEEN seconds the phase's sigma is 1 + UNTOLD / 2 times
 * as large once the holdover has lasted UNTRIED seconds.
 */
const UNTOLD: f64 = 4
const UNSEEN: f64 = 4500
const UNTRIED: f64 = 600

/** Readings of the thermometer older than this say nothing of the temperature now, s. */
const STALE: i64 = 300
/** Seconds between two readings that are usual. */
const SILENT: i64 = 130
/** A reading is that of a conversion up to 64 s ago, s. */
const AGE: i32 = 32
/** Models without temperature that are tried before the first of them steers. */
const FIRST_TURN: u32 = 8
const LAST_TURN: u32 = 256
/** Blocks, about an hour, without which a model that knows no temperature is no better than an old reading. */
const HOUR: i32 = 28
/** Seconds in which the line pays what it had gathered with an earlier forecast. */
const PAY: f64 = 600
/** Slices in a row when learning is urgent. */
const HURRY: u32 = 8

const FROM: Stamp = changetype<Stamp>(memory.data(16, 8))
const TO: Stamp = changetype<Stamp>(memory.data(16, 8))

/** The open block; its first pulse. */
let open: bool = false
let openBlock: i32 = 0
let openTicks: u64 = 0
/** Temperatures of the open block: sum, how many; the last of all. */
let degreesSum: i32 = 0
let degreesCount: i32 = 0
let degreesLast: i32 = 0
/** The block whose readings are being gathered; they are those of AGE seconds later. */
let warmBlock: i32 = 0
/** A reading has come since somebody last looked; the present second, and that of the last reading. */
let heard: bool = false
let present: i64 = 0
let heardSecond: i64 = 0
/** No readings come: the models do without them. */
let deaf: bool = false
/** Models of the other kind are being looked for. */
let relearning: bool = false
/** Slices done in a row. */
let hurried: u32 = 0

/** In holdover: seconds from the forecast's beginning to the holdover's; what the fast filter's rate had more. */
let holding: bool = false
let ready: bool = false
let offset: f64 = 0
/** How far, in seconds after the forecast's beginning, somebody has asked. */
let reached: f64 = 0
/** The fast filter's rate and drift when it began; the forecast was there, and when; what that rate had more than the slow model's. */
let lastRate: f64 = 0
let lastDrift: f64 = 0
let settled: bool = false
let settledAt: f64 = 0
let extra: f64 = 0
/** A rate was asked for since the last slice. */
let asked: bool = false
/** The level's step in a block, ns/s, and what sigmas are multiplied by from this second on, for a block. */
let scatter: f64 = 0
let caution: f64 = 0
let untold: f64 = 1
let cautionFrom: f64 = 0
/** In holdover: its second, the rate that it began with, the rate last told and when, and the phase that came of it, ns. */
let since: i64 = 0
let startRate: f64 = 0
let told: f64 = 0
let toldAt: f64 = 0
let given: f64 = 0
/** The forecast was made anew: when there are so many models the next time; when; the sigma then; what the line owes, and since when. */
let turn: u32 = 0
let turned: bool = false
let turnAt: f64 = 0
let turnSigma: f64 = 0
let debt: f64 = 0
let debtAt: f64 = 0
/** How much temperatures that nobody reads may have changed the rate, ns/s. */
let warming: f64 = 0

export function oscillatorInit(): void {
  open = false
  degreesSum = 0
  degreesCount = 0
  degreesLast = NO_TEMPERATURE
  warmBlock = 0
  heard = false
  deaf = false
  relearning = false
  hurried = 0
  degreesInit()
  holding = false
  asked = false
  ready = false
  historyClear()
  forecastClear()
  searchInit()
  trialInit()
}

/** The line has been stepped, restored or renumbered: the block that was begun says nothing. */
export function oscillatorBreak(): void {
  open = false
  heard = true
}

/** A reading of the thermometer beside the crystal, in 1/64 degree C, at least once in two minutes. */
export function oscillatorTemperature(sixtyfourths: i32): void {
  degreesLast = sixtyfourths
  degreesSum += sixtyfourths
  degreesCount++
  heard = true
}

/** Has the thermometer fallen silent, or does it speak again? Then models of the other kind are needed. */
function listen(second: i64): void {
  present = second
  if (heard) {
    heard = false
    heardSecond = second
    if (deaf && !holding) hear(false)
  } else if (!deaf && degreesLast !== NO_TEMPERATURE && second - heardSecond > STALE) hear(true)
}

function hear(nothing: bool): void {
  deaf = nothing
  relearning = true
  turn = FIRST_TURN
  degreesIgnore(nothing)
  searchAnew()
  trialBreak()
}

/** After each accepted pulse, when the line can be trusted: the line, rebased at the pulse and corrected. */
export function oscillatorObserve(line: Line, phaseSigma: f64): void {
  holding = false
  listen(line.seconds)
  if (phaseSigma > VAGUE) {
    open = false
    return
  }
  const block = <i32>(line.seconds / <i64>BLOCK)
  const part = <i32>(line.seconds % <i64>BLOCK)
  if (part >= AGE && block !== warmBlock) warmed(block)
  if (open && block === openBlock) return
  const early = part < LATEST
  if (open && block === openBlock + 1 && early) close(line)
  open = early
  openBlock = block
  openTicks = line.ticks
  FROM.seconds = line.seconds
  FROM.fraction = line.fraction
}

/** All readings that tell the temperature of the block before `block` have come. */
function warmed(block: i32): void {
  if (degreesCount > 0 && historyEnd() === block) {
    historyRefine(degreesSum / degreesCount)
    degreesLearn()
  }
  warmBlock = block
  degreesSum = 0
  degreesCount = 0
}

/** A block is complete. */
function close(line: Line): void {
  TO.seconds = line.seconds
  TO.fraction = line.fraction
  const ticks = <f64>(line.ticks - openTicks) * TICK_NANOS
  const age = <f64>openTicks * TICK_NANOS * 1e-9 + <f64>(BLOCK / 2)
  if (age < WARM_UP) return
  const rate = ((stampDifference(TO, FROM) - ticks) / ticks) * 1e9
  const degrees = degreesCount > 0 ? degreesSum / degreesCount : deaf ? NO_TEMPERATURE : degreesLast
  if (historyAdd(openBlock, rate, degrees, age)) return
  // A gap of half a day: what the model knew outlives its history.
  if (searchLearnt()) memoryNote(searchPrior())
  searchRenew()
  trialBreak()
}

/** One slice of learning or forecast, at most 15,000 instructions. True when there is more to do at once. */
export function oscillatorStep(): bool {
  // A second of holdover was work enough for this poll().
  if (asked) {
    asked = false
    return true
  }
  // Filters share their vectors: what was half done comes first.
  if (searchHalfway()) return searchStep()
  if (trialHalfway()) return trialStep(searchBest())
  const current = searchUpToDate() && searchReady()
  if (
    holding &&
    deaf &&
    current &&
    searchTried() >= turn &&
    !forecastHalfway() &&
    historyEnd() - historyFirst() >= HOUR
  ) {
    turnRound()
    return true
  }
  if (!holding && current && forecastStart() !== historyEnd() && !forecastHalfway()) {
    forecastBegin(searchBest())
    return true
  }
  if (forecastHalfway() || (forecastStart() !== 0 && !forecastReaches(blockReached()))) {
    forecastStep()
    return true
  }
  if (current && trialStep(searchBest())) return true
  return searchStep()
}

/** The forecast is needed sooner than two slices a second make it. True at most HURRY times in a row. */
export function oscillatorHurries(): bool {
  if (searchReady()) relearning = false
  const late = holding && (forecastHalfway() || (forecastStart() !== 0 && !forecastReaches(blockReached())))
  const urgent = late || relearning || (holding && deaf && turn <= LAST_TURN)
  hurried = urgent && hurried < HURRY ? hurried + 1 : 0
  return hurried !== 0
}

/** A model without temperature is there, or a better one: the forecast is made anew. The line keeps its rate until then. */
function turnRound(): void {
  turn *= 2
  turnAt = reached - offset
  turnSigma = gatheredSigma(turnAt)
  turned = true
  lastRate = told
  lastDrift = 0
  settled = false
  forecastBegin(searchBest())
  offset = <f64>(since - <i64>forecastStart() * <i64>BLOCK)
  reached = offset + turnAt
  cautionFrom = -1e9
}

/** How far the forecast must reach. */
function blockReached(): i32 {
  return forecastStart() + (holding ? <i32>(reached / <f64>BLOCK) : 0)
}

/** Holdover begins at second `second`, when the line runs at `rate` and its rate grows by `drift` a second. */
export function oscillatorHoldover(second: i64, rate: f64, drift: f64): void {
  holding = true
  settled = false
  open = false
  offset = <f64>(second - <i64>forecastStart() * <i64>BLOCK)
  reached = offset
  lastRate = rate
  lastDrift = drift
  listen(second)
  since = second
  startRate = rate
  told = rate
  toldAt = 0
  given = 0
  turned = false
  turnAt = 0
  turnSigma = 0
  debt = 0
  warming = 0
  extra = 0
  scatter = sqrt<f64>(filterUnit(forecastFilter()))
  cautionFrom = -1e9
  ready = forecastStart() !== 0 && offset >= 0 && offset < LONGEST
}

/** The slow model has something to say in the holdover that has begun. */
export function oscillatorReady(): bool {
  return ready
}

/** The slow model's rate. */
function slowRate(ahead: f64): f64 {
  return forecastRate(offset + ahead) + filterTemperatureRate(forecastFilter(), degreesLast)
}

/** True when the forecast reaches `ahead`; the first time, what the fast filter's rate has more is noted. */
function settle(ahead: f64): bool {
  reached = Math.max(reached, offset + ahead)
  // Normally `oscillatorStep` has done this long before.
  if (!searchHalfway() && !trialHalfway()) {
    for (let i = 0; i < CATCH_UP && !forecastCovers(blockReached()); i++) forecastStep()
  }
  if (settled) return true
  if (!forecastCovers(blockReached())) return false
  settled = true
  settledAt = ahead
  if (turned) {
    // Where the line would be had it had this forecast from the beginning.
    const first = (startRate - forecastFirst()) * (FADE * 8) * (1.0 / 9)
    debt = forecastPhase(offset, offset + ahead) + first - given
    debtAt = ahead
    extra = 0
    return true
  }
  extra = lastRate + lastDrift * ahead - slowRate(ahead)
  return true
}

/** What is left of the fast filter's rate after `seconds`: (1 - t / 8 n)^8 instead of an exponential. */
function faded(seconds: f64): f64 {
  let part = 1 - seconds / (8 * FADE)
  if (part <= 0) return 0
  part *= part
  part *= part
  return part * part
}

/** The rate `ahead` seconds after the beginning of the holdover, ns/s. */
export function oscillatorRate(ahead: u32): f64 {
  asked = true
  const t = <f64>ahead
  listen(since + <i64>ahead)
  given += told * (t - toldAt)
  toldAt = t
  told = rateAt(t)
  return told
}

function rateAt(t: f64): f64 {
  if (!settle(t)) return lastRate + lastDrift * t
  let rate = slowRate(t) + extra * faded(t - settledAt)
  if (debt !== 0 && t - debtAt < PAY) rate += debt * (1 / PAY)
  // Nothing may come from here that no crystal does; what is not a number fails this, too.
  return Math.abs(rate - startRate) < LARGEST_CHANGE ? rate : startRate
}

/** What the standard deviations are multiplied by: worked out once a block. */
function cautionAt(ahead: f64): f64 {
  if (ahead < cautionFrom || ahead >= cautionFrom + <f64>BLOCK) {
    cautionFrom = ahead
    caution = CAUTION * trialCaution((offset + ahead) / <f64>BLOCK)
    const seen = <f64>(historyEnd() - historyFirst()) * (<f64>BLOCK / UNSEEN)
    const silent = <i32>((present - heardSecond) / <i64>BLOCK)
    const coefficient = filterCoefficient(forecastFilter())
    warming = coefficient !== 0 ? Math.abs(coefficient) * historyWarming(silent + 1) : 0
    untold = 1 + (UNTOLD * Math.min(ahead / UNTRIED, 1)) / (1 + seen * seen)
  }
  return caution
}

/** Standard deviation of the phase that is gathered in `ahead` seconds, ns. */
export function oscillatorSigmaPhase(ahead: u32): f64 {
  const t = <f64>ahead
  const factor = cautionAt(t) * untold
  const sigma = factor * gatheredSigma(t)
  return sigma >= 0 && sigma < NO_SIGMA ? sigma : NO_SIGMA
}

/** The same as the model has it. */
function gatheredSigma(t: f64): f64 {
  const own = settled ? forecastSigma(offset + t) : turnAt > 0 ? turnSigma * (1 + (2 * (t - turnAt)) / turnAt) : 0
  // Where the two filters differ, one of them is wrong.
  const between = (Math.abs(extra) + scatter) * Math.min(t, FADE)
  let sum = own * own + between * between
  if (present - heardSecond > SILENT) {
    const warmed = warming * Math.min(t, <f64>(present - heardSecond))
    sum += warmed * warmed
  }
  if (debt !== 0 && t - debtAt < PAY) {
    const owed = debt * (1 - (t - debtAt) * (1 / PAY))
    sum += owed * owed
  }
  return sqrt<f64>(sum)
}

/** Standard deviation of the rate, ns/s. */
export function oscillatorSigmaRate(ahead: u32): f64 {
  const t = <f64>ahead
  const sigma = cautionAt(t) * (forecastGrowth() + Math.abs(extra) * faded(t) + scatter)
  return sigma >= 0 && sigma < NO_SIGMA ? sigma : NO_SIGMA
}
