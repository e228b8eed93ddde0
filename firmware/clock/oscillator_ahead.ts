// A filter that runs ahead of what is known, and the phase that its rates gather: the mean stays with the caller, the variance
// is here. Used for the forecast and for the trials of past forecasts.

import {
  FILTER_SIZE,
  Filter,
  filterColumn,
  filterMultiply,
  filterPredict,
  filterRow,
  filterSpread,
  filterUnit,
} from './oscillator_filter'
import { BLOCK } from './oscillator_history'

/** 72 bytes, then the seven covariances of the phase with the states in their place, then the filter. */
@unmanaged
export class Ahead {
  /** Variance of the phase in units of `unit`; `unit` in (ns/s)^2. */
  variance: f64
  unit: f64
}

const CROSS: usize = 16
const FILTER: usize = 16 + 7 * 8

export const AHEAD_SIZE: i32 = 16 + 7 * 8 + FILTER_SIZE

export function aheadFilter(a: Ahead): Filter {
  return changetype<Filter>(changetype<usize>(a) + FILTER)
}

export function aheadBegin(a: Ahead, from: Filter): void {
  memory.fill(changetype<usize>(a), 0, FILTER)
  memory.copy(changetype<usize>(a) + FILTER, changetype<usize>(from), <usize>FILTER_SIZE)
  a.unit = filterUnit(from)
}

/** First slice of a block. Temperatures are taken from blocks before `end`. */
export function aheadPredict(a: Ahead, end: i32): void {
  filterPredict(aheadFilter(a), end)
}

/** Second slice. */
export function aheadMultiply(a: Ahead): void {
  filterMultiply(aheadFilter(a))
}

/** Third slice: the phase's variance at the end of the block. */
export function aheadGather(a: Ahead): void {
  const filter = aheadFilter(a)
  let cross: f64 = 0
  for (let i: i32 = 0; i < filter.size; i++) {
    const at = changetype<usize>(a) + CROSS + ((<usize>i) << 3)
    const row = filterRow(i)
    // The heating's cycle, states 3 and 4, has faded since the last block.
    if (i === 3 || i === 4) store<f64>(at, load<f64>(at) * filter.fade)
    cross += row * load<f64>(at)
    store<f64>(at, load<f64>(at) + <f64>BLOCK * filterColumn(i))
  }
  a.variance += 2 * <f64>BLOCK * cross + <f64>(BLOCK * BLOCK) * filterSpread()
  filter.block++
}

/** Standard deviation of the phase, ns. */
export function aheadSigma(a: Ahead): f64 {
  return sqrt<f64>(Math.max(a.variance, 0) * a.unit)
}
