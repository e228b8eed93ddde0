// The clock filter: of a server's last eight samples, the one that says most (RFC 5905 section 10).
//
//   in    samples: "at this tick UTC was so much", with delay and dispersion
//   out   an estimate of UTC at any later tick, with its uncertainty
//
// Samples are kept against raw ticks, not against our clock: so they can be compared while nobody has told us the time,
// and no step of the clock spoils them. The price is that the crystal's error counts: the caller says how fast the crystal
// is known to be, and how wrong that may be (PHI). Old samples grow worse by it, so the best one is that of the least
// delay / 2 + dispersion, as ntpd has it, not that of the least delay.
//
// RFC 5905's peer dispersion also punishes a filter that is not full yet, with up to 16 s. Here the estimate's bound is the
// best sample's own; who selects asks for a number of samples instead.
//
// Times are nanoseconds, UTC since 1970 in i64: enough until 2262. Integers only.

import { tickNanos } from './ticks'

/** NSTAGE (RFC 5905, figure 16). */
export const FILTER_STAGES: u32 = 8

/** MAXDISP: 16 s. */
export const MAX_DISPERSION: i64 = 16_000_000_000

/** 32 bytes, 8-aligned. */
@unmanaged
class Sample {
  /** The tick half-way between request and reply, and UTC then. */
  ticks: u64
  utc: i64
  delay: i64
  /** At `ticks`. */
  dispersion: i64
}

/** 8 bytes; FILTER_STAGES samples follow. */
@unmanaged
class Filter {
  count: u32
  next: u32
}

/** Bytes of a filter, 8-aligned. */
export const FILTER_SIZE: u32 = 8 + 8 * 32

/** How the crystal's ticks are to be taken. 16 bytes. */
@unmanaged
export class Crystal {
  /** How much too fast it is, in 1e-9; 0 when unknown. */
  frequency: i32
  /** How wrong `frequency` may be, in 1e-9: PHI. */
  wander: u32
}

/** What a filter says about UTC at one tick; 48 bytes, 8-aligned. */
@unmanaged
export class Estimate {
  utc: i64
  /** Of the best sample. */
  delay: i64
  /** Of the best sample, at the tick asked for. */
  dispersion: i64
  /** How far the other samples are from the best one, beyond what the crystal explains: root mean square. */
  jitter: i64
  /** The best sample's tick. */
  ticks: u64
  /** Samples in the filter. */
  samples: u32
  unused: u32
}

export const ESTIMATE_SIZE: u32 = 48

/** UTC and distance of each sample, while `filterEstimate` runs. */
const UTC: usize = memory.data(8 * 8, 8)

export function filterClear(filter: usize): void {
  memory.fill(filter, 0, FILTER_SIZE)
}

export function filterSamples(filter: usize): u32 {
  return changetype<Filter>(filter).count
}

/** Takes a sample; the oldest makes room. */
export function filterAdd(filter: usize, ticks: u64, utc: i64, delay: i64, dispersion: i64): void {
  const f = changetype<Filter>(filter)
  const sample = sampleAt(filter, f.next)
  sample.ticks = ticks
  sample.utc = utc
  sample.delay = delay
  sample.dispersion = dispersion
  f.next = f.next + 1 < FILTER_STAGES ? f.next + 1 : 0
  if (f.count < FILTER_STAGES) f.count += 1
}

/** Address of the newest sample: `ticks u64 | utc i64 | delay i64 | dispersion i64`; 0 when there is none. */
export function filterNewest(filter: usize): usize {
  const f = changetype<Filter>(filter)
  if (f.count === 0) return 0
  return changetype<usize>(sampleAt(filter, (f.next + FILTER_STAGES - 1) & (FILTER_STAGES - 1)))
}

/** UTC at a tick as the best sample has it. False: there is none. */
export function filterEstimate(filter: usize, atTicks: u64, crystal: Crystal, out: Estimate): bool {
  const f = changetype<Filter>(filter)
  out.samples = f.count
  if (f.count === 0) return false
  let best: u32 = 0
  let least: i64 = i64.MAX_VALUE
  for (let i: u32 = 0; i < f.count; i++) {
    const sample = sampleAt(filter, i)
    const elapsed = tickNanos(<i64>(atTicks - sample.ticks))
    const dispersion = min(sample.dispersion + scaled(magnitude(elapsed), crystal.wander), MAX_DISPERSION)
    store<i64>(UTC + ((<usize>i) << 3), sample.utc + elapsed - correction(elapsed, crystal.frequency))
    const distance = (sample.delay >> 1) + dispersion
    if (distance >= least) continue
    least = distance
    best = i
    out.dispersion = dispersion
  }
  const chosen = sampleAt(filter, best)
  out.utc = load<i64>(UTC + ((<usize>best) << 3))
  out.delay = chosen.delay
  out.ticks = chosen.ticks
  out.jitter = jitter(filter, best, crystal)
  return true
}

/** Nanoseconds by which a crystal so much too fast has run ahead in `elapsed` nanoseconds of its own. */
export function correction(elapsed: i64, frequency: i32): i64 {
  const size = scaled(magnitude(elapsed), <u32>(frequency < 0 ? -frequency : frequency))
  return elapsed < 0 !== frequency < 0 ? -size : size
}

/** Square root, rounded down. */
export function rootOf(value: u64): u64 {
  let root: u64 = 0
  let rest = value
  for (let bit: u64 = (<u64>1) << 62; bit !== 0; bit >>= 2) {
    if (rest >= root + bit) {
      rest -= root + bit
      root = (root >> 1) + bit
    } else root >>= 1
  }
  return root
}

/** The root of the mean of squares; differences are taken as a second at most, so that no sum overflows. */
export function squareOf(difference: i64): u64 {
  const size = <u64>min(magnitude(difference), 1_000_000_000)
  return size * size
}

export function magnitude(value: i64): i64 {
  return value < 0 ? -value : value
}

/** A wandering crystal is in the dispersion already. */
function jitter(filter: usize, best: u32, crystal: Crystal): i64 {
  const count = changetype<Filter>(filter).count
  if (count < 2) return 0
  const utc = load<i64>(UTC + ((<usize>best) << 3))
  const ticks = sampleAt(filter, best).ticks
  let sum: u64 = 0
  for (let i: u32 = 0; i < count; i++) {
    const apart = magnitude(tickNanos(<i64>(sampleAt(filter, i).ticks - ticks)))
    const difference = magnitude(load<i64>(UTC + ((<usize>i) << 3)) - utc) - scaled(apart, crystal.wander)
    if (difference > 0) sum += squareOf(difference)
  }
  return <i64>rootOf(sum / <u64>(count - 1))
}

/** `nanos` times `parts` 1e-9, to a thousandth of itself, for larger `parts` much better. Spans above a month count as a month; `parts` is below 1e6. */
function scaled(nanos: i64, parts: u32): i64 {
  // As 2^-40: 2^40 / 1e9 = 1125899.9 / 2^10. The products stay below 2^31 * 2^30.
  const factor = (<u64>min<u32>(parts, 1_000_000) * 1_125_900 + 512) >> 10
  return <i64>(
    (((min<u64>(<u64>nanos, (<u64>1) << 51) >> 20) * factor + (((<u64>nanos & 0xf_ffff) * factor) >> 20)) >> 20)
  )
}

function sampleAt(filter: usize, index: u32): Sample {
  return changetype<Sample>(filter + 8 + ((<usize>index) << 5))
}
