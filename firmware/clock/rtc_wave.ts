// The RTC's square wave as a time scale of its own: its phase against the ticks, smoothed.
//
//   in    the last falling edge of SQW, as the machine captured it, about once a second
//   out   how far the RTC has fallen behind nominal ticks since some beginning, ns; its slope; whether it goes on unbroken
//
// An edge counts when it lies a whole number of RTC seconds after the one before, by the count of edges: none is missing, and
// the RTC was not set. Late captures are left out: those that say so, and those that do not, because they lie far from
// where the last ones have led. Integers only.

import { Channel, capture, TICK_HZ } from '../../hal/abi'

/** Units of the phase in a nanosecond, and in a tick. */
const NANO: i64 = 65_536
const TICK: i64 = (NANO * 1_000_000_000) / <i64>TICK_HZ

/** Crystal and RTC together are within this, ticks a second: 300 ppm. */
const TOLERANCE: i64 = 4800
/** Edges that are missed for so long are no wave any more, s. */
const LONGEST: u32 = 60
/** A wave is fresh when its last edge is no older than this, ticks. */
const FRESH: i64 = <i64>TICK_HZ * 4

/** The first edges give the slope by their ends; from SETTLED on it may be used. */
const FIRST: u32 = 8
const SETTLED: u32 = 24
/**
 * A single edge this far from its place is late, ns. The second in a row says that the RTC has changed its rate, and counts as if it were no
 * farther; so many, and something else has happened.
 */
const FAR: i64 = 1500 * NANO
const STRANGE: u32 = 16
/** Gains of phase and slope, as shifts: an edge's jitter is halved, a change of 7 ns/s/s makes a lag of 0.2 us. */
const PHASE_GAIN: i64 = 2
const SLOPE_GAIN: i64 = 5

const CAPTURE: usize = memory.data(16, 8)

let edges: u32 = 0
let lastTicks: u64 = 0
/** Edges since the beginning, as far as FIRST and SETTLED want to know; far ones in a row; beginnings. */
let taken: u32 = 0
let strange: u32 = 0
let beginnings: u32 = 0
/** Phase as captured and as smoothed, and its slope a second. */
let measured: i64 = 0
let phase: i64 = 0
let slope: i64 = 0

export function waveInit(): void {
  taken = 0
  edges = 0
  beginnings = 0
}

/** The RTC is set: what comes next has nothing to do with what was. */
export function waveBreak(): void {
  taken = 0
}

/** Looks at the last edge. Call it about once a second. */
export function wavePoll(): void {
  capture(Channel.RtcSqw, CAPTURE)
  const count = load<u32>(CAPTURE)
  // A late one has its time as a bound only: the next will do.
  if (count === edges || load<u32>(CAPTURE, 4) !== 0) return
  take(count - edges, load<u64>(CAPTURE, 8))
  edges = count
}

function take(passed: u32, ticks: u64): void {
  const off = <i64>(ticks - lastTicks) - <i64>passed * <i64>TICK_HZ
  const limit = <i64>passed * TOLERANCE
  lastTicks = ticks
  if (taken === 0 || passed > LONGEST || off > limit || off < -limit) {
    begin()
    return
  }
  measured += off * TICK
  phase += slope * <i64>passed
  const surprise = measured - phase
  if (taken < FIRST) {
    slope += surprise / <i64>(taken + passed - 1)
    phase = measured
  } else {
    strange = surprise > FAR || surprise < -FAR ? strange + 1 : 0
    if (strange === STRANGE) {
      begin()
      return
    }
    if (strange !== 1) correct(min(max(surprise, -FAR), FAR))
  }
  if (taken < SETTLED) taken += passed
}

function correct(surprise: i64): void {
  phase += surprise >> PHASE_GAIN
  slope += surprise >> SLOPE_GAIN
}

function begin(): void {
  taken = 1
  strange = 0
  beginnings++
  measured = 0
  phase = 0
  slope = 0
}

/** The wave has gone on for long enough, and an edge has come lately. */
export function waveSteady(ticks: u64): bool {
  return taken >= SETTLED && <i64>(ticks - lastTicks) < FRESH
}

/** Changes whenever the wave begins anew: phases before and after do not belong together. */
export function waveBeginning(): u32 {
  return beginnings
}

/** What the RTC's seconds have come to, less nominal ones, since the wave's beginning, ns at a tick near now. */
export function wavePhase(ticks: u64): f64 {
  return <f64>(phase + (slope * <i64>(ticks - lastTicks)) / <i64>TICK_HZ) * (1.0 / <f64>NANO)
}

/** Its growth, ns/s: positive when the RTC is slow or the crystal fast. */
export function waveSlope(): f64 {
  return <f64>slope * (1.0 / <f64>NANO)
}
