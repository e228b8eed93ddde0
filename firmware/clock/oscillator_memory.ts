// What was learnt of the crystal, as bytes that outlive a power cut, and back.
//
//   version u32 | 0 u32 | parameters of the best model 6 f64 | what it knows 5 f64 (Prior) | unit f64 | trials 6 f64
//
// Little-endian as memory is. The daily cycle is told by its cosine and sine over the continuous second, so it goes on at the right
// hour. Bytes that make no sense are refused as a whole: nothing here may make a later clock worse than a fresh one.

import {
  Filter,
  filterGuess,
  filterMean,
  filterUnit,
  filterVariance,
  PRIOR_SIZE,
  Prior,
  THETA_SIZE,
} from './oscillator_filter'
import { historyEnd, historyFirst } from './oscillator_history'
import { searchBest, searchLearnt, searchPrior, searchRecall, searchSensible, searchTheta } from './oscillator_search'
import { trialsLoad, trialsStore } from './oscillator_trial'

const VERSION: u32 = 1
const THETA: usize = 8
const PRIOR: usize = THETA + <usize>THETA_SIZE
const UNIT: usize = PRIOR + <usize>PRIOR_SIZE
const TRIALS: usize = UNIT + 8

export const MEMORY_SIZE: u32 = 8 + 48 + 40 + 8 + 48

/** Blocks from which a model is worth keeping: two hours. */
const ENOUGH: i32 = 56

/** The next days may differ from the last: this part of the daily amplitude is doubted. */
const DOUBTED: f64 = 0.2

/** Largest amplitude (ns/s), coefficient (ns/s a degree), and ratio of variances that make sense. */
const LARGEST_RATE: f64 = 100_000
const LARGEST_RATIO: f64 = 1e12
const SMALLEST_RATIO: f64 = 1e-6
const SMALLEST_UNIT: f64 = 1e-8
const LARGEST_UNIT: f64 = 1e8

const NOTE: Prior = changetype<Prior>(memory.data(<i32>PRIOR_SIZE, 8))

/** What the best model knows that will still hold when its history is gone. */
export function memoryNote(out: Prior): void {
  const best: Filter = searchBest()
  out.cosine = filterMean(best, 1)
  out.sine = filterMean(best, 2)
  const doubt = (DOUBTED * DOUBTED * (out.cosine * out.cosine + out.sine * out.sine)) / filterUnit(best)
  out.dailyVariance = 0.5 * (filterVariance(best, 1) + filterVariance(best, 2)) + doubt
  const warm = best.size > 5 && filterVariance(best, 5) > 0
  out.coefficient = warm ? filterMean(best, 5) : 0
  out.coefficientVariance = warm ? filterVariance(best, 5) : 0
}

/** Writes `MEMORY_SIZE` bytes, 8-aligned. False when too little is known. */
export function memoryStore(out: usize): bool {
  if (!searchLearnt() || historyEnd() - historyFirst() < ENOUGH) return false
  store<u32>(out, VERSION)
  store<u32>(out, 0, 4)
  memory.copy(out + THETA, changetype<usize>(searchTheta()), <usize>THETA_SIZE)
  memoryNote(NOTE)
  memory.copy(out + PRIOR, changetype<usize>(NOTE), <usize>PRIOR_SIZE)
  store<f64>(out + UNIT, filterUnit(searchBest()))
  trialsStore(out + TRIALS)
  return true
}

/** Takes what `memoryStore` wrote. Call it before the first block. False: it was nonsense, and nothing has changed. */
export function memoryRecall(data: usize, length: i32): bool {
  if (length !== <i32>MEMORY_SIZE || load<u32>(data) !== VERSION || load<u32>(data, 4) !== 0) return false
  const prior = changetype<Prior>(data + PRIOR)
  if (!searchSensible(data + THETA) || !sensible(prior)) return false
  if (!within(load<f64>(data + UNIT), SMALLEST_UNIT, LARGEST_UNIT)) return false
  if (!trialsLoad(data + TRIALS)) return false
  memory.copy(changetype<usize>(searchPrior()), data + PRIOR, <usize>PRIOR_SIZE)
  filterGuess(load<f64>(data + UNIT))
  searchRecall(data + THETA)
  return true
}

function sensible(prior: Prior): bool {
  const known = prior.coefficientVariance !== 0
  return (
    within(Math.abs(prior.cosine), 0, LARGEST_RATE) &&
    within(Math.abs(prior.sine), 0, LARGEST_RATE) &&
    within(Math.abs(prior.coefficient), 0, LARGEST_RATE) &&
    within(prior.dailyVariance, SMALLEST_RATIO, LARGEST_RATIO) &&
    (!known || within(prior.coefficientVariance, SMALLEST_RATIO, LARGEST_RATIO))
  )
}

/** False for what is not a number, too. */
function within(value: f64, least: f64, greatest: f64): bool {
  return value >= least && value <= greatest
}
