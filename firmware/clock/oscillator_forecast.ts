// What the slow model says of the time after the last block: rates at the middles of blocks to come, and how wrong the line
// will be that follows them. Temperature's share is left out of the rates: it is added each second, from the thermometer.
//
// Three points are kept ahead of need. Making the next one takes three slices (`forecastStep`).

import {
  AHEAD_SIZE,
  Ahead,
  aheadBegin,
  aheadFilter,
  aheadGather,
  aheadMultiply,
  aheadPredict,
  aheadSigma,
} from './oscillator_ahead'
import { degreesSmoothed } from './oscillator_degrees'
import { Filter, filterCorrect, filterRate, filterRough } from './oscillator_filter'
import { BLOCK, historyEnd, historyFirst } from './oscillator_history'

const POINTS: i32 = 3

/** The filter that runs ahead, on a copy of the best one. */
const AHEAD: Ahead = changetype<Ahead>(memory.data(<i32>AHEAD_SIZE, 8))
/** Rates at the last points, and the phase's standard deviations before and after them. */
const RATES: usize = memory.data(3 * 8, 8)
const SIGMAS: usize = memory.data(4 * 8, 8)

/** Number of the block of the newest point plus one, and of the first block of all. */
let end: i32 = 0
let begin: i32 = 0
/** Phase that the line gathers until the newest point's block is over, ns; the first point's rate. */
let gathered: f64 = 0
let firstRate: f64 = 0
/** Slices of the next point that are done. */
let slices: i32 = 0

/** Starts from a filter, and with the blocks that it has not taken; `points` are made by `forecastStep`. */
export function forecastBegin(from: Filter): void {
  aheadBegin(AHEAD, from)
  if (degreesSmoothed()) filterRough(aheadFilter(AHEAD), AHEAD.unit)
  begin = max(from.block, historyEnd())
  end = begin
  slices = 0
  gathered = 0
  memory.fill(SIGMAS, 0, 4 * 8)
}

export function forecastClear(): void {
  begin = 0
  end = 0
  slices = 0
}

/** The first block of the forecast, 0 when there is none. */
export function forecastStart(): i32 {
  return begin
}

/** The filter whose temperature coefficient holds. */
export function forecastFilter(): Filter {
  return aheadFilter(AHEAD)
}

/** True when the points serve for all of block `block`, and a little longer. */
export function forecastReaches(block: i32): bool {
  return begin !== 0 && end - begin >= POINTS && block <= end - 2
}

/** True when the points serve for the first half of block `block`, at least. */
export function forecastCovers(block: i32): bool {
  return begin !== 0 && end - begin >= POINTS && block <= end - 1
}

/** A slice, the third part of a point, or of a block that the filter has not taken. */
export function forecastStep(): void {
  slices++
  if (slices === 1) {
    aheadPredict(AHEAD, begin)
    return
  }
  if (slices === 2) {
    aheadMultiply(AHEAD)
    return
  }
  slices = 0
  const filter = aheadFilter(AHEAD)
  if (filter.block < begin) {
    // The history may have begun anew since.
    if (filter.block >= historyFirst() && filter.block < historyEnd()) filterCorrect(filter)
    else filter.block++
    return
  }
  aheadGather(AHEAD)
  memory.copy(RATES, RATES + 8, 16)
  memory.copy(SIGMAS, SIGMAS + 8, 24)
  store<f64>(RATES, filterRate(), 16)
  // The line's error may shrink for a while, when a cycle turns; its bound does not.
  store<f64>(SIGMAS, Math.max(load<f64>(SIGMAS, 16), aheadSigma(AHEAD)), 24)
  if (end === begin) firstRate = filterRate()
  gathered += filterRate() * <f64>BLOCK
  end++
}

/** A point is partly made. */
export function forecastHalfway(): bool {
  return slices !== 0
}

/** Rate without temperature, `seconds` (a real number of them) after the beginning of the first block. */
export function forecastRate(seconds: f64): f64 {
  // Middle of the oldest of the three points.
  const at = seconds / <f64>BLOCK - 0.5 - <f64>(end - POINTS - begin)
  const i = at < 1 ? 0 : 1
  const a = load<f64>(RATES + ((<usize>i) << 3))
  const b = load<f64>(RATES + ((<usize>i) << 3), 8)
  const part = Math.min(Math.max(at - <f64>i, -1), 2)
  return a + (b - a) * part
}

/** Phase, ns, that the rates have gathered `seconds` after `from`, both counted from the beginning, `from` within the first blocks. */
export function forecastPhase(from: f64, seconds: f64): f64 {
  const rest = <f64>((end - begin) * BLOCK) - seconds
  return gathered - rest * forecastRate(seconds + 0.5 * rest) - from * firstRate
}

export function forecastFirst(): f64 {
  return firstRate
}

/** Standard deviation of the phase, ns, that the line gathers from the first block's beginning to `seconds` after it. */
export function forecastSigma(seconds: f64): f64 {
  const at = seconds / <f64>BLOCK - <f64>(end - POINTS - begin)
  const i = at < 1 ? 0 : at < 2 ? 1 : 2
  const a = load<f64>(SIGMAS + ((<usize>i) << 3))
  const b = load<f64>(SIGMAS + ((<usize>i) << 3), 8)
  const part = Math.min(Math.max(at - <f64>i, 0), 4)
  return a + (b - a) * part
}

/** Growth of that, ns/s. */
export function forecastGrowth(): f64 {
  return (load<f64>(SIGMAS, 24) - load<f64>(SIGMAS, 16)) / <f64>BLOCK
}
