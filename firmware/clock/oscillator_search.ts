// Which slow model explains the history best: a search over its parameters, one at a time, by likelihood.
//
// A candidate is run over the whole history, a half block in each slice; it then either takes the place of the best model or
// is forgotten. Steps grow while they help and shrink when neither direction does. Every third candidate tries another
// period for the heating's cycle, for there the likelihood has many hills. Weak priors keep what the data do not
// tell from running away; they are in decades, not in what a certain crystal or room does.

import { degreesRenew, degreesSettled } from './oscillator_degrees'
import {
  FILTER_SIZE,
  Filter,
  filterBegin,
  filterCorrect,
  filterDay,
  filterGuess,
  filterHears,
  filterMultiply,
  filterPredict,
  filterScore,
  filterTurns,
  PRIOR_SIZE,
  Prior,
  THETA_SIZE,
  Theta,
} from './oscillator_filter'
import { historyEnd, historyFirst } from './oscillator_history'
import { exponential, logarithm } from './oscillator_math'

const PARAMETERS: i32 = 6
const DAILY: i32 = 0
const CYCLE: i32 = 1
const PERIOD: i32 = 2
const MEMORY: i32 = 3
const WHITE: i32 = 4
const WARM_UP: i32 = 5
/** All amplitudes together, which is the level's step against all others. */
const LEVEL: i32 = 6
const DIRECTIONS: i32 = 7

/** Blocks without which nothing is searched, 17 minutes; candidates without which nothing is believed. */
const FEWEST: i32 = 8
const TRIED: u32 = 8

/** After so many candidates the best is run anew: the history may have lost its beginning. */
const STALE: u32 = 60

/** Of each parameter: least and greatest value, middle and width (ln) of its prior, first and least step (ln). */
const LEAST: usize = memory.data<f64>([3, 0.3, 300, 1, 0.02, 60])
const GREATEST: usize = memory.data<f64>([30_000, 3000, 7200, 60, 200, 1800])
const MIDDLE: usize = memory.data<f64>([300, 10, 1800, 6, 0.5, 400])
const WIDTH: usize = memory.data<f64>([1.5, 2.5, 1, 1, 2, 0.5])
const FIRST_STEP: usize = memory.data<f64>([1.5, 1.5, 0.5, 1, 1, 0.4, 0.7])
const LEAST_STEP: usize = memory.data<f64>([0.15, 0.15, 0.02, 0.15, 0.15, 0.05, 0.15])

/** White noise of a rate when the thermometer tells all but its steps. */
const STEPPED: f64 = 2

/** No score is this large. */
const NO_SCORE: f64 = 1e15

/** How far the least of these are from the middle, in widths. */
const LEAST_DAILY: f64 = 3.07
const LEAST_CYCLE: f64 = 1.403

/** Periods that are tried, s. */
const PERIODS: usize = memory.data<f64>([400, 520, 680, 880, 1150, 1500, 1950, 2500, 3300, 4300, 5200, 6000])
const PERIOD_COUNT: i32 = 12

const FILTER_A: usize = memory.data(<i32>FILTER_SIZE, 8)
const FILTER_B: usize = memory.data(<i32>FILTER_SIZE, 8)
const BEST_THETA: usize = memory.data(<i32>THETA_SIZE, 8)
const TRY_THETA: usize = memory.data(<i32>THETA_SIZE, 8)
const STEPS: usize = memory.data(7 * 8, 8)
/** How far the parameters are from the middles of their priors, in widths: of the best model, of the candidate. */
const BEST_AWAY: usize = memory.data(6 * 8, 8)
const TRY_AWAY: usize = memory.data(6 * 8, 8)
const PRIOR: Prior = changetype<Prior>(memory.data(<i32>PRIOR_SIZE, 8))

const enum Stage {
  None = 0,
  Proposed = 1,
  Begun = 2,
  Run = 3,
  Scored = 4,
}

/** What the candidate is. */
const enum Kind {
  /** The best model's parameters, run anew. */
  Again = 0,
  Step = 1,
  Period = 2,
  /** The thermometer tells all of the day and the heating, or nothing. */
  Other = 3,
}

let best: usize = 0
let spare: usize = 0
let have: bool = false
let kind: Kind = Kind.Again
/** The filter between the slices of a block, 0 when none is; the second one is done. */
let halfway: usize = 0
let multiplied: bool = false
/** How far the candidate is. */
let stage: Stage = Stage.None
/** The candidate's score. */
let tryScore: f64 = 0
let parameter: i32 = 0
let upwards: bool = true
let turn: u32 = 0
let period: i32 = 0
let tried: u32 = 0
let learnt: bool = false
let since: u32 = 0

export function searchInit(): void {
  filterGuess(0)
  best = FILTER_A
  spare = FILTER_B
  memory.fill(changetype<usize>(PRIOR), 0, <usize>PRIOR_SIZE)
  memory.copy(BEST_THETA, MIDDLE, <usize>THETA_SIZE)
  memory.copy(STEPS, FIRST_STEP, 7 * 8)
  memory.fill(BEST_AWAY, 0, 6 * 8)
  have = false
  stage = Stage.None
  halfway = 0
  parameter = 0
  upwards = true
  turn = 0
  period = 0
  tried = 0
  learnt = false
  since = 0
}

/** The best model; meaningful when ready. */
export function searchBest(): Filter {
  return changetype<Filter>(best)
}

export function searchTheta(): Theta {
  return changetype<Theta>(BEST_THETA)
}

export function searchPrior(): Prior {
  return PRIOR
}

/** There is a model to be believed. */
export function searchReady(): bool {
  return have && tried >= TRIED
}

/** The model comes from this boot's own data, not from an earlier one's. */
export function searchLearnt(): bool {
  return have && learnt
}

/** Six numbers that may be a model's parameters. */
export function searchSensible(theta: usize): bool {
  for (let i: i32 = 0; i < PARAMETERS; i++) {
    const value = get(theta, i)
    if (!(value >= get(LEAST, i) && value <= get(GREATEST, i))) return false
  }
  return true
}

/** Starts from the parameters that an earlier boot found. */
export function searchRecall(theta: usize): void {
  memory.copy(BEST_THETA, theta, <usize>THETA_SIZE)
  for (let i: i32 = 0; i < PARAMETERS; i++) put(i, get(theta, i))
  memory.copy(BEST_AWAY, TRY_AWAY, 6 * 8)
  tried = TRIED
}

/** The history begins anew: what the best model knows is in the prior; its run is over. */
export function searchRenew(): void {
  stage = Stage.None
  halfway = 0
}

/** What a model may use has changed: all of them are forgotten, but not where the search has got to. */
export function searchAnew(): void {
  searchRenew()
  have = false
  learnt = false
  tried = 0
  since = 0
}

/** Models that were tried since the start. */
export function searchTried(): u32 {
  return tried
}

/** The best model has taken all blocks that models take, and no slice is half done. */
export function searchUpToDate(): bool {
  return have && halfway === 0 && searchBest().block >= degreesSettled()
}

/** A block has been predicted and not yet corrected. */
export function searchHalfway(): bool {
  return halfway !== 0
}

/** One slice. True when there is more to do at once. */
export function searchStep(): bool {
  const end = degreesSettled()
  if (end - historyFirst() < FEWEST) return false
  if (halfway !== 0) {
    goOn()
    return true
  }
  if (have && searchBest().block < end && searchBest().block >= historyFirst()) {
    firstSlice(best, end)
    return true
  }
  const filter = changetype<Filter>(spare)
  if (stage > Stage.Begun && filter.block < historyFirst()) stage = Stage.None
  if (stage === Stage.None) {
    if (filterDay()) return true
    propose()
    stage = Stage.Proposed
  } else if (stage === Stage.Proposed) {
    filterBegin(filter, changetype<Theta>(TRY_THETA), PRIOR)
    stage = Stage.Begun
  } else if (stage === Stage.Begun) {
    filterTurns(filter, changetype<Theta>(TRY_THETA))
    stage = Stage.Run
  } else if (filter.block < end) {
    stage = Stage.Run
    firstSlice(spare, end)
  } else judge()
  return true
}

/** The second or third slice of a block. */
function goOn(): void {
  const filter = changetype<Filter>(halfway)
  multiplied = !multiplied
  if (multiplied) {
    filterMultiply(filter)
    return
  }
  halfway = 0
  // The history may have moved on, or begun anew, since the first slice.
  if (filter.block >= historyFirst() && filter.block < historyEnd()) filterCorrect(filter)
}

function firstSlice(filter: usize, end: i32): void {
  filterPredict(changetype<Filter>(filter), end)
  halfway = filter
  multiplied = false
}

function get(base: usize, i: i32): f64 {
  return load<f64>(base + ((<usize>i) << 3))
}

/** Chooses the next candidate. */
function propose(): void {
  memory.copy(TRY_THETA, BEST_THETA, <usize>THETA_SIZE)
  memory.copy(TRY_AWAY, BEST_AWAY, 6 * 8)
  kind = Kind.Again
  // With other temperatures no score can be compared with an older one.
  if (degreesRenew()) since = STALE
  if (!have || since >= STALE || searchBest().start !== historyFirst()) return
  turn++
  if (turn % 3 === 0) {
    kind = Kind.Period
    period = (period + 5) % PERIOD_COUNT
    put(PERIOD, get(PERIODS, period))
    if ((turn & 1) !== 0) put(MEMORY, get(MIDDLE, MEMORY))
    return
  }
  if (turn % 15 === 1 && filterHears(searchBest())) {
    kind = Kind.Other
    const all = (turn & 1) !== 0
    put(DAILY, get(all ? LEAST : MIDDLE, DAILY))
    put(CYCLE, get(all ? LEAST : MIDDLE, CYCLE))
    put(WHITE, all ? STEPPED : get(MIDDLE, WHITE))
    return
  }
  kind = Kind.Step
  const step = upwards ? get(STEPS, parameter) : -get(STEPS, parameter)
  const factor = exponential(step)
  if (parameter === LEVEL) {
    move(DAILY, step, factor)
    move(CYCLE, step, factor)
    move(WHITE, step, factor)
  } else move(parameter, step, factor)
}

/** Sets a parameter of the candidate. */
function put(i: i32, value: f64): void {
  const middle = get(MIDDLE, i)
  store<f64>(TRY_THETA + ((<usize>i) << 3), value)
  store<f64>(TRY_AWAY + ((<usize>i) << 3), value === middle ? 0 : logarithm(value / middle) / get(WIDTH, i))
}

/** Multiplies a parameter of the candidate by e^step, which is `factor`. */
function move(i: i32, step: f64, factor: f64): void {
  const value = get(TRY_THETA, i) * factor
  if (value < get(LEAST, i) || value > get(GREATEST, i)) return
  store<f64>(TRY_THETA + ((<usize>i) << 3), value)
  store<f64>(TRY_AWAY + ((<usize>i) << 3), get(TRY_AWAY, i) + step / get(WIDTH, i))
}

/**
 * Minus twice the logarithm of the prior of a model. With a thermometer as much may be left of the day and of the heating as
 * without one, or nothing: the nearer of the two counts.
 */
function penalty(away: usize): f64 {
  const hears = filterHears(searchBest())
  let sum: f64 = 0
  for (let i: i32 = 0; i < PARAMETERS; i++) {
    let distance = Math.abs(get(away, i))
    if (hears && i === DAILY) distance = Math.min(distance, Math.abs(get(away, i) + LEAST_DAILY))
    if (hears && i === CYCLE) distance = Math.min(distance, Math.abs(get(away, i) + LEAST_CYCLE))
    sum += distance * distance
  }
  return sum
}

/** A candidate has seen all blocks: first its score, then whether that is better than the best model's. */
function judge(): void {
  if (stage === Stage.Run) {
    tryScore = filterScore(changetype<Filter>(spare)) + penalty(TRY_AWAY)
    stage = Stage.Scored
    return
  }
  stage = Stage.None
  if (!(Math.abs(tryScore) < NO_SCORE)) {
    giveUp()
    return
  }
  tried++
  const better = kind === Kind.Again || tryScore < filterScore(searchBest()) + penalty(BEST_AWAY) - 1e-9
  if (better) {
    const old = best
    best = spare
    spare = old
    have = true
    memory.copy(BEST_AWAY, TRY_AWAY, 6 * 8)
    memory.copy(BEST_THETA, TRY_THETA, <usize>THETA_SIZE)
  }
  since = kind === Kind.Again ? 0 : since + 1
  if (tried >= 2 * TRIED && kind !== Kind.Again) learnt = true
  if (kind === Kind.Step) nextStep(better)
}

/** The arithmetic of a candidate has failed: it is forgotten, and so is the best model if it was that. */
function giveUp(): void {
  if (kind !== Kind.Again) {
    if (kind === Kind.Step) nextStep(false)
    return
  }
  memory.copy(BEST_THETA, MIDDLE, <usize>THETA_SIZE)
  memory.fill(BEST_AWAY, 0, 6 * 8)
  memory.fill(changetype<usize>(PRIOR), 0, <usize>PRIOR_SIZE)
  have = false
  learnt = false
}

/** Lengthens or shortens the steps, turns round, or goes on to the next parameter. */
function nextStep(better: bool): void {
  const at = STEPS + ((<usize>parameter) << 3)
  if (better) {
    store<f64>(at, Math.min(load<f64>(at) * 1.5, 2))
    return
  }
  if (upwards) {
    upwards = false
    return
  }
  upwards = true
  store<f64>(at, Math.max(load<f64>(at) * 0.6, get(LEAST_STEP, parameter)))
  parameter = (parameter + 1) % DIRECTIONS
  // Once the warm-up is over nothing tells its time constant.
  if (parameter === WARM_UP && searchBest().warm === 0) parameter = LEVEL
}
