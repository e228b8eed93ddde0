// Straight lines from ticks to time, in fixed point: `time = start + (ticks - line.ticks) * rate`.
//
// Time is 64.64 bits: whole seconds and 2^-64 s. A rate is 2^-64 seconds a tick, so the 128-bit product of elapsed ticks
// and rate is the elapsed time itself: no division and no floating point. One unit of rate is 8.7e-13 of the frequency.
//
// The seconds count every second that passes, leap seconds too; leap.ts turns them into UTC.

/** A point of the continuous scale. 16 bytes, 8-aligned. */
@unmanaged
export class Stamp {
  seconds: i64
  /** 2^-64 s */
  fraction: u64
}

export const STAMP_SIZE: usize = 16

/** 32 bytes, 8-aligned. */
@unmanaged
export class Line {
  /** The tick at which time is `seconds + fraction`. */
  ticks: u64
  seconds: i64
  fraction: u64
  /** 2^-64 s a tick. */
  rate: u64
}

export const LINE_SIZE: usize = 32

/** 2^64 / 16 MHz, rounded. */
export const NOMINAL_RATE: u64 = 1_152_921_504_607

/** A nominal tick, in nanoseconds and in seconds. */
export const TICK_NANOS: f64 = 62.5
export const TICK_SECONDS: f64 = 62.5e-9

/** 2^-64 s in nanoseconds. */
const FRACTION_NANOS: f64 = 1e9 / (4_294_967_296.0 * 4_294_967_296.0)

/** A frequency of 1 ns/s (1e-9) as a change of rate. */
const RATE_PER_NANO: f64 = 1152.921504607

/** High 64 bits of a 64 x 64 bit product. */
export function mulHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffff_ffff
  const a1 = a >> 32
  const b0 = b & 0xffff_ffff
  const b1 = b >> 32
  const low = a0 * b0
  const middle = a1 * b0 + (low >> 32)
  const other = a0 * b1 + (middle & 0xffff_ffff)
  return a1 * b1 + (middle >> 32) + (other >> 32)
}

/** Writes the time at `ticks`, which may lie before the line's start. */
export function lineAt(line: Line, ticks: u64, out: Stamp): void {
  const elapsed = <i64>(ticks - line.ticks)
  const forward = elapsed >= 0
  const span = <u64>(forward ? elapsed : -elapsed)
  const low = span * line.rate
  const high = <i64>mulHigh(span, line.rate)
  const fraction = line.fraction
  if (forward) {
    out.fraction = fraction + low
    out.seconds = line.seconds + high + (out.fraction < low ? 1 : 0)
  } else {
    out.fraction = fraction - low
    out.seconds = line.seconds - high - (fraction < low ? 1 : 0)
  }
}

const HERE: Stamp = changetype<Stamp>(memory.data(16, 8))

/** Moves the line's start along the line to `ticks`. */
export function lineRebase(line: Line, ticks: u64): void {
  lineAt(line, ticks, HERE)
  line.ticks = ticks
  line.seconds = HERE.seconds
  line.fraction = HERE.fraction
}

/** Shifts the line by `nanos`, less than a day. */
export function lineShift(line: Line, nanos: f64): void {
  const size = Math.abs(nanos)
  const whole = Math.floor(size / 1e9)
  // Rounding may leave the rest a hair outside [0, 1) seconds.
  const rest = Math.min(Math.max(size - whole * 1e9, 0), 999_999_999.9999)
  const fraction = <u64>(rest / FRACTION_NANOS)
  const before = line.fraction
  if (nanos >= 0) {
    line.fraction = before + fraction
    line.seconds += <i64>whole + (line.fraction < before ? 1 : 0)
  } else {
    line.fraction = before - fraction
    line.seconds -= <i64>whole + (before < fraction ? 1 : 0)
  }
}

/** Makes time on the line pass faster by `nanosPerSecond`. */
export function lineSpeed(line: Line, nanosPerSecond: f64): void {
  line.rate += <u64>(<i64>(nanosPerSecond * RATE_PER_NANO))
}

/** Makes time on the line pass faster than on a nominal one by `nanosPerSecond`. */
export function lineSetSpeed(line: Line, nanosPerSecond: f64): void {
  line.rate = NOMINAL_RATE + <u64>(<i64>(nanosPerSecond * RATE_PER_NANO))
}

/** `a - b` in nanoseconds; exact to far below a nanosecond while the two are within seconds. */
export function stampDifference(a: Stamp, b: Stamp): f64 {
  return <f64>(a.seconds - b.seconds) * 1e9 + (<f64>a.fraction - <f64>b.fraction) * FRACTION_NANOS
}

/** Frequency of the crystal that a rate implies, in 1e-9 of nominal; positive: its ticks come too fast. */
export function crystalNanosPerSecond(rate: u64): f64 {
  return <f64>(<i64>(NOMINAL_RATE - rate)) / RATE_PER_NANO
}

/** Lines for slewing: from `from` at `start` to where `target` will be 2^k ticks later. Returns false when the slope is too steep. */
export function lineTowards(line: Line, from: Stamp, start: u64, target: Line, k: u32, limit: u64): bool {
  lineAt(target, start + ((<u64>1) << k), HERE)
  let fraction = HERE.fraction - from.fraction
  const seconds = HERE.seconds - from.seconds - (HERE.fraction < from.fraction ? 1 : 0)
  if (seconds < 0 || seconds >= (<i64>1) << (k - 20)) return false
  fraction = ((<u64>seconds) << (64 - k)) | (fraction >> k)
  const difference = fraction > target.rate ? fraction - target.rate : target.rate - fraction
  if (difference > limit) return false
  line.ticks = start
  line.seconds = from.seconds
  line.fraction = from.fraction
  line.rate = fraction
  return true
}
