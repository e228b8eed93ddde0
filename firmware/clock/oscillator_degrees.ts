// The temperature of a block, less the thermometer's steps.
//
// A DS3231 tells quarters of a degree, so the mean over a block is off by some 0.05 degrees. That is noise in what the filter
// multiplies the coefficient with, and such noise makes a coefficient look smaller than it is: the heating's cycle is hardly larger.
// So the filter is given an estimate instead, of the block and its neighbours:
//
//   T(k) = y(k) + v1 (y(k+1) + y(k-1) - 2 y(k)) + v2 (y(k+2) + y(k-2) - 2 y(k)) + v3 ...
//
// The weights are those whose mean square error is least, for the temperatures of this very room: the sum of the squares of what
// they take away, plus twice the noise's variance times the weight that y(k) keeps (Stein's estimate), is least when
// M v = 2 variance (1, 1, 1), where M has the mean products of the second differences in brackets. Only the noise is typed in. What
// is left of it is hardly correlated with the estimate, and so it does not make the coefficient smaller.
//
// An estimate needs the next blocks. Models take blocks up to `degreesSettled`; the forecast takes the few that come after as they
// are read (`filterRough`).

import { historyEnd, historyFirst, historyTemperature, NO_TEMPERATURE } from './oscillator_history'

/** Blocks on either side. */
const REACH: i32 = 3

/** Variance of a block's temperature: two readings, each off by up to an eighth of a degree. In degrees^2, and in (1/64)^2. */
export const DEGREES_NOISE: f64 = 0.0625 / 24
const NOISE: f64 = (0.0625 / 24) * 4096

/** What `degreesOf` returns has 14 bits after the point. */
export const DEGREES_UNIT: f64 = 1 / 16384
const WEIGHT_BITS: i32 = 16
export const NO_DEGREES: i32 = i32.MIN_VALUE

/** Differences that were learnt when the weights are worked out for the first time; then whenever there are twice as many. */
const FEWEST: i32 = 16

const DIFFERENCES: usize = memory.data(3 * 4, 8)
/** Sums of products: 11, 12, 13, 22, 23, 33. */
const SUMS: usize = memory.data(6 * 8, 8)

let learnt: i32 = 0
let ripe: i32 = 0
let weight1: i32 = 0
let weight2: i32 = 0
let weight3: i32 = 0
let smoothing: bool = false
let ignoring: bool = false

export function degreesInit(): void {
  memory.fill(SUMS, 0, 6 * 8)
  learnt = 0
  ripe = FEWEST
  weight1 = 0
  weight2 = 0
  weight3 = 0
  smoothing = false
  ignoring = false
}

/** Models leave the temperatures out: nobody reads the thermometer any more. */
export function degreesIgnore(ignore: bool): void {
  ignoring = ignore
}
export function degreesIgnored(): bool {
  return ignoring
}

/** Models are given estimates, not readings. */
export function degreesSmoothed(): bool {
  return smoothing && !ignoring
}

/** The block after the last one whose temperature is as good as it will be. */
export function degreesSettled(): i32 {
  // The last block of all may still wait for its last reading.
  return degreesSmoothed() ? max(historyEnd() - 1 - REACH, historyFirst()) : historyEnd()
}

/** Temperature of a block, in 2^-14 degrees C; `NO_DEGREES` when it is not known. */
export function degreesOf(block: i32): i32 {
  if (block < historyFirst() || block >= historyEnd()) return NO_DEGREES
  const middle = historyTemperature(block)
  if (middle === NO_TEMPERATURE) return NO_DEGREES
  if (!smoothing || block >= degreesSettled() || !differences(block)) return middle << 8
  const correction =
    <i64>weight1 * <i64>load<i32>(DIFFERENCES) +
    <i64>weight2 * <i64>load<i32>(DIFFERENCES, 4) +
    <i64>weight3 * <i64>load<i32>(DIFFERENCES, 8)
  return (middle << 8) + <i32>(correction >> (WEIGHT_BITS - 8))
}

/** The second differences around a block; false when one of its neighbours is not known. */
function differences(block: i32): bool {
  if (block - REACH < historyFirst() || block + REACH >= historyEnd()) return false
  const middle = historyTemperature(block)
  if (middle === NO_TEMPERATURE) return false
  for (let i: i32 = 1; i <= REACH; i++) {
    const before = historyTemperature(block - i)
    const after = historyTemperature(block + i)
    if (before === NO_TEMPERATURE || after === NO_TEMPERATURE) return false
    store<i32>(DIFFERENCES + ((<usize>(i - 1)) << 2), before + after - 2 * middle)
  }
  return true
}

/** The last block's temperature is final. */
export function degreesLearn(): void {
  if (!differences(historyEnd() - 1 - REACH)) return
  learnt++
  let at = SUMS
  for (let i: usize = 0; i < 12; i += 4) {
    for (let j: usize = i; j < 12; j += 4) {
      store<i64>(at, load<i64>(at) + <i64>load<i32>(DIFFERENCES + i) * <i64>load<i32>(DIFFERENCES + j))
      at += 8
    }
  }
}

/** Works the weights out anew when so much was learnt that it is worth while. True when they are others now. */
export function degreesRenew(): bool {
  if (learnt < ripe || ignoring) return false
  ripe *= 2
  // As if one block more had been learnt, of nothing but noise.
  const part = 1 / (2 * NOISE * <f64>(learnt + 1))
  const a = (<f64>load<i64>(SUMS) + 6 * NOISE) * part
  const b = (<f64>load<i64>(SUMS, 8) + 4 * NOISE) * part
  const c = (<f64>load<i64>(SUMS, 16) + 4 * NOISE) * part
  const d = (<f64>load<i64>(SUMS, 24) + 6 * NOISE) * part
  const e = (<f64>load<i64>(SUMS, 32) + 4 * NOISE) * part
  const f = (<f64>load<i64>(SUMS, 40) + 6 * NOISE) * part
  // Sums of the rows of the inverse, by the adjoint matrix.
  const ab = c * e - b * f
  const ac = b * e - c * d
  const bc = b * c - a * e
  const determinant = a * (d * f - e * e) + b * ab + c * ac
  const scale = <f64>(1 << WEIGHT_BITS) / determinant
  const one = (d * f - e * e + ab + ac) * scale
  const two = (ab + (a * f - c * c) + bc) * scale
  const three = (ac + bc + (a * d - b * b)) * scale
  // What the block itself keeps is between nothing and all.
  const taken = 2 * (one + two + three)
  smoothing = taken > 0 && taken < <f64>(1 << WEIGHT_BITS)
  weight1 = smoothing ? <i32>one : 0
  weight2 = smoothing ? <i32>two : 0
  weight3 = smoothing ? <i32>three : 0
  return true
}
