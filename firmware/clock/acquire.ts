// The first pulses: phase and frequency from a handful of captures, some of which may be late by microseconds.
//
//   in    up to RING pulses: captured tick, continuous second, correction in picoseconds
//   out   the straight line that most of them agree on: phase and rate against a given line, with variances
//
// Every pair of pulses proposes a line; the one from which all pulses are the least far away wins. A distance counts up to
// FAR only, so one bad capture cannot buy the line; an early pulse counts double, since captures are late, never early.
// Then least squares through those within NEAR. Pairs and distances are whole numbers of 2^-4 ns.

import { Line, lineAt, mulHigh, Stamp } from './line'

const RING: u32 = 8

/** A pulse this far from the line was late: 1.5 us. One farther away than FAR is as bad as one at FAR. Units of 2^-4 ns. */
const NEAR: i32 = 1500 << 4
const FAR: i32 = 2500 << 4
/** Two lines within 250 ppm of nominal differ by no more than this: 2^-4 ns a second. */
const RATE_LIMIT: i32 = 500_000 << 4
/** What is out by more than 20 ms (2^-4 ns), or older than 32 s, is as far away as can be. With these, 32 bits suffice. */
const WIDEST: i32 = 20_000_000 << 4
const OLDEST: i64 = 32
/** 2^-4 ns in a second. */
const UNITS: u64 = 16_000_000_000

const TICKS: usize = memory.data(64, 8)
const SECONDS: usize = memory.data(64, 8)
const PICOS: usize = memory.data(32, 8)
/** Differences from the given line, 2^-4 ns, and seconds before the last pulse; oldest first. */
const DIFFERENCES: usize = memory.data(32, 8)
const TIMES: usize = memory.data(32, 8)
const HERE: Stamp = changetype<Stamp>(memory.data(16, 8))

let count: u32 = 0
let next: u32 = 0

let phase: f64 = 0
let slope: f64 = 0
let inliers: u32 = 0
let squares: f64 = 0
let phaseVariance: f64 = 0
let covariance: f64 = 0
let slopeVariance: f64 = 0

export function acquireForget(): void {
  count = 0
  next = 0
}

/** Takes a pulse: its tick, the continuous second that it began, and picoseconds to add to truth minus line. */
export function acquirePush(ticks: u64, second: i64, picos: i32): void {
  store<u64>(TICKS + ((<usize>next) << 3), ticks)
  store<i64>(SECONDS + ((<usize>next) << 3), second)
  store<i32>(PICOS + ((<usize>next) << 2), picos)
  next = (next + 1) & (RING - 1)
  if (count < RING) count++
}

/** Keeps the last `last` pulses only. */
export function acquireKeep(last: u32): void {
  if (count > last) count = last
}

/** The seconds were renumbered. */
export function acquireRenumber(by: i64): void {
  for (let i: usize = 0; i < <usize>RING; i++) store<i64>(SECONDS + (i << 3), load<i64>(SECONDS + (i << 3)) + by)
}

export function acquireCount(): u32 {
  return count
}

/** Fits the pulses. `delay`: ns of capture delay. False while there are fewer than two. Results below. */
export function acquireFit(line: Line, delay: f64): bool {
  if (count < 2) return false
  gather(line, delay)
  let best: i32 = i32.MAX_VALUE
  let bestAt: i32 = 0
  let bestSlope: i32 = 0
  for (let j: u32 = 1; j < count; j++) {
    for (let i: u32 = 0; i < j; i++) {
      const span = timeOf(j) - timeOf(i)
      if (span <= 0) continue
      const rate = (differenceOf(j) - differenceOf(i)) / span
      if (rate > RATE_LIMIT || rate < -RATE_LIMIT) continue
      const at = differenceOf(j) - rate * timeOf(j)
      const badness = badnessOf(at, rate, best)
      if (badness < best) {
        best = badness
        bestAt = at
        bestSlope = rate
      }
    }
  }
  if (best === i32.MAX_VALUE) return false
  leastSquares(bestAt, bestSlope)
  return true
}

/** Truth minus line at the last pulse, ns. */
export function acquirePhase(): f64 {
  return phase
}

/** Truth gains on the line, ns/s. */
export function acquireSlope(): f64 {
  return slope
}

/** Pulses that fit. */
export function acquireInliers(): u32 {
  return inliers
}

/** Sum of the squares of what is left of them, ns^2. */
export function acquireSquares(): f64 {
  return squares
}

/** Variances of phase and slope and their covariance, for pulses of variance 1. */
export function acquirePhaseVariance(): f64 {
  return phaseVariance
}

export function acquireCovariance(): f64 {
  return covariance
}

export function acquireSlopeVariance(): f64 {
  return slopeVariance
}

function gather(line: Line, delay: f64): void {
  const newest = (next - 1) & (RING - 1)
  const last = load<i64>(SECONDS + ((<usize>newest) << 3))
  const late = <i64>(delay * 16)
  for (let i: u32 = 0; i < count; i++) {
    const slot = <usize>((next - count + i) & (RING - 1))
    const second = load<i64>(SECONDS + (slot << 3))
    lineAt(line, load<u64>(TICKS + (slot << 3)), HERE)
    const age = last - second
    const whole = second - HERE.seconds
    let difference = WIDEST
    if (age >= 0 && age <= OLDEST && whole >= -1 && whole <= 1) {
      const part = <i64>mulHigh(HERE.fraction, UNITS) - (<i64>load<i32>(PICOS + (slot << 2)) * 2) / 125
      const exact = whole * <i64>UNITS - part + late
      difference = exact > WIDEST ? WIDEST : exact < -WIDEST ? -WIDEST : <i32>exact
    }
    store<i32>(DIFFERENCES + ((<usize>i) << 2), difference)
    store<i32>(TIMES + ((<usize>i) << 2), age >= 0 && age <= OLDEST ? -(<i32>age) : -(<i32>OLDEST))
  }
}

function timeOf(i: u32): i32 {
  return load<i32>(TIMES + ((<usize>i) << 2))
}

function differenceOf(i: u32): i32 {
  return load<i32>(DIFFERENCES + ((<usize>i) << 2))
}

/** How far all pulses are from the line through `at` (at the last pulse) with `rate`; stops when it is no better than `limit`. */
function badnessOf(at: i32, rate: i32, limit: i32): i32 {
  let sum: i32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const rest = differenceOf(i) - at - rate * timeOf(i)
    // Positive: earlier than the line.
    let far = rest > 0 ? rest << 1 : -rest
    if (rest > FAR) far = FAR << 1
    else if (far > FAR && rest < 0) far = FAR
    sum += far
    if (sum >= limit) return i32.MAX_VALUE
  }
  return sum
}

function leastSquares(at: i32, rate: i32): void {
  let n: i32 = 0
  let st: i32 = 0
  let stt: i32 = 0
  let sd: i32 = 0
  let std: i32 = 0
  let sdd: i64 = 0
  // Relative to the pair's own line, so that the sums stay small.
  for (let i: u32 = 0; i < count; i++) {
    const t = timeOf(i)
    const d = differenceOf(i) - at - rate * t
    if (d > NEAR || d < -NEAR) continue
    n++
    st += t
    stt += t * t
    sd += d
    std += t * d
    sdd += <i64>d * <i64>d
  }
  inliers = <u32>n
  const determinant = n * stt - st * st
  let more: f64 = 0
  let offset: f64 = 0
  if (determinant > 0) {
    const inverse = 1 / <f64>determinant
    more = <f64>(<i64>n * <i64>std - <i64>st * <i64>sd) * inverse
    offset = <f64>(<i64>stt * <i64>sd - <i64>st * <i64>std) * inverse
    phaseVariance = <f64>stt * inverse
    covariance = -(<f64>st) * inverse
    slopeVariance = <f64>n * inverse
  }
  phase = (<f64>at + offset) * 0.0625
  slope = (<f64>rate + more) * 0.0625
  squares = Math.max(<f64>sdd - offset * <f64>sd - more * <f64>std, 0) * (0.0625 * 0.0625)
}
