// What the slow model says of the time after the last block: rates at the middles of blocks to come, and how wrong the line
// will be that follows them. Temperature's share is left out of the rates: it is added each second, from the thermometer.
//
// Three points are kept ahead of need. Making the next one takes two slices (`forecastStep`).

import {
  FILTER_SIZE,
  Filter,
  filterColumn,
  filterPredict,
  filterRate,
  filterRow,
  filterSpread,
  filterUnit,
} from './oscillator_filter'
import { BLOCK } from './oscillator_history'

const POINTS: i32 = 3

/** The filter that runs ahead, on a copy of the best one. */
const AHEAD: Filter = changetype<Filter>(memory.data(<i32>FILTER_SIZE, 8))
/** Covariance of the phase with the states; rates and phase variances of the last points. */
const CROSS: usize = memory.data(7 * 8, 8)
const RATES: usize = memory.data(3 * 8, 8)
const SIGMAS: usize = memory.data(4 * 8, 8)

/** Number of the block of the newest point plus one, and of the first block of all. */
let end: i32 = 0
let begin: i32 = 0
let variance: f64 = 0
let greatest: f64 = 0
let half: bool = false
let unit: f64 = 0

/** Starts from a filter; `points` are made by `forecastStep`. */
export function forecastBegin(from: Filter): void {
  memory.copy(changetype<usize>(AHEAD), changetype<usize>(from), <usize>FILTER_SIZE)
  memory.fill(CROSS, 0, 7 * 8)
  begin = from.block
  end = begin
  variance = 0
  greatest = 0
  half = false
  unit = filterUnit(from)
  store<f64>(SIGMAS, 0, 24)
}

export function forecastClear(): void {
  begin = 0
  end = 0
  half = false
}

/** The first block of the forecast, 0 when there is none. */
export function forecastStart(): i32 {
  return begin
}

/** The filter whose temperature coefficient holds. */
export function forecastFilter(): Filter {
  return AHEAD
}

/** True when the points serve for all of block `block`, and a little longer. */
export function forecastReaches(block: i32): bool {
  return begin !== 0 && end - begin >= POINTS && block <= end - 2
}

/** Half of a point. */
export function forecastStep(): void {
  if (!half) {
    filterPredict(AHEAD, 0)
    half = true
    return
  }
  half = false
  let cross: f64 = 0
  let own: f64 = 0
  for (let i: i32 = 0; i < AHEAD.size; i++) {
    const at = CROSS + ((<usize>i) << 3)
    const row = filterRow(i)
    // The heating's cycle, states 3 and 4, has faded since the last block.
    if (i === 3 || i === 4) store<f64>(at, load<f64>(at) * AHEAD.fade)
    cross += row * load<f64>(at)
    store<f64>(at, load<f64>(at) + <f64>BLOCK * filterColumn(i))
  }
  own = filterSpread()
  variance += 2 * <f64>BLOCK * cross + <f64>(BLOCK * BLOCK) * own
  memory.copy(RATES, RATES + 8, 16)
  memory.copy(SIGMAS, SIGMAS + 8, 24)
  store<f64>(RATES, filterRate(AHEAD), 16)
  greatest = Math.max(greatest, variance)
  store<f64>(SIGMAS, sqrt<f64>(greatest * unit), 24)
  AHEAD.block++
  end++
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
