// What the crystal did: its mean rate over each block of 128 s, and the temperature meanwhile. About a day of it.
//
// Blocks are numbered by the continuous second: block k begins at second 128 k. 675 blocks make a day. A rate is that of the
// line against nominal, ns/s, positive when the line runs fast (the crystal is slow); kept in quarters of 1e-9 from the first one's.
// Temperatures are 1/64 degree C.

/** Seconds of a block. */
export const BLOCK: i32 = 128

/** Blocks that are kept: 25 hours. */
const CAPACITY: i32 = 704
/** When it is full this many of the oldest go at once, so that most of the time the beginning stands still. */
const DROP: i32 = 32

/** No temperature is known; no rate is known. */
export const NO_TEMPERATURE: i32 = -32768
export const NO_RATE: f64 = f64.MAX_VALUE

/** Every so many blocks are enough for a mean. */
const SPARSE: i32 = 4

/** Units of what is kept in 1 ns/s, and the largest that is kept: 8 ppm from the first rate. */
const FINENESS: f64 = 4
const LARGEST: f64 = 32_767
const NOTHING: i32 = -32768

const RATES: usize = memory.data(704 * 2, 8)
const TEMPERATURES: usize = memory.data(704 * 2, 8)

let first: i32 = 0
let count: i32 = 0
let bornAt: f64 = 0
/** The rate from which the kept ones are counted. */
let base: f64 = 0

export function historyClear(): void {
  count = 0
}

/** The number of the first block; of the one after the last. */
export function historyFirst(): i32 {
  return first
}
export function historyEnd(): i32 {
  return first + count
}

/** Seconds since power-on at the middle of the first block. */
export function historyAge(): f64 {
  return bornAt
}

/** A block's rate, `NO_RATE` when no pulses told it. */
export function historyRate(block: i32): f64 {
  const kept = <i32>load<i16>(RATES + ((<usize>(block - first)) << 1))
  return kept === NOTHING ? NO_RATE : base + <f64>kept / FINENESS
}

export function historyTemperature(block: i32): i32 {
  return <i32>load<i16>(TEMPERATURES + ((<usize>(block - first)) << 1))
}

/** The first temperature that is known. */
export function historyFirstTemperature(): i32 {
  for (let i: i32 = 0; i < count; i++) {
    const value = historyTemperature(first + i)
    if (value !== NO_TEMPERATURE) return value
  }
  return NO_TEMPERATURE
}

/**
 * Adds block `block` of seconds-since-power-on `age`; blocks in between are unknown. False: the gap is half as long as the memory,
 * time went back, or the rate is of another world, and the history begins anew with this block.
 */
export function historyAdd(block: i32, rate: f64, temperature: i32, age: f64): bool {
  const gap = block - historyEnd()
  const far = Math.abs(rate - base) * FINENESS > LARGEST
  const follows = count > 0 && gap >= 0 && gap < CAPACITY / 2 && !far
  if (!follows) {
    first = block
    count = 0
    bornAt = age
    base = rate
  }
  while (historyEnd() < block) append(NOTHING, NO_TEMPERATURE)
  append(<i32>Math.floor((rate - base) * FINENESS + 0.5), temperature)
  return follows
}

/** The last block's temperature, now that all its readings have come. */
export function historyRefine(temperature: i32): void {
  if (count > 0) store<i16>(TEMPERATURES + ((<usize>(count - 1)) << 1), <i16>temperature)
}

function append(kept: i32, temperature: i32): void {
  if (count === CAPACITY) {
    memory.copy(RATES, RATES + ((<usize>DROP) << 1), (<usize>(CAPACITY - DROP)) << 1)
    memory.copy(TEMPERATURES, TEMPERATURES + ((<usize>DROP) << 1), (<usize>(CAPACITY - DROP)) << 1)
    first += DROP
    count -= DROP
    bornAt += <f64>(DROP * BLOCK)
  }
  store<i16>(RATES + ((<usize>count) << 1), <i16>kept)
  store<i16>(TEMPERATURES + ((<usize>count) << 1), <i16>temperature)
  count++
}

/** Root mean square of how much the temperature changes in `lag` blocks, degrees C; 0 when that is not known. */
export function historyWarming(lag: i32): f64 {
  const far = min(lag, (count * 3) >> 2)
  let sum: i64 = 0
  let pairs = 0
  for (let i = 0; i + far < count; i += SPARSE) {
    const a = historyTemperature(first + i)
    const b = historyTemperature(first + i + far)
    if (a === NO_TEMPERATURE || b === NO_TEMPERATURE) continue
    sum += <i64>((a - b) * (a - b))
    pairs++
  }
  return pairs > 0 ? sqrt<f64>(<f64>sum / <f64>pairs) * 0.015625 : 0
}
