// The network's word on the time: what an authenticated majority of servers says, and how the clock follows it while the sky
// is not to be had.
//
//   in    a quorum: UTC at a tick, the interval in which the majority has it, what its best source says of its own root
//   out   the model line, moved; the bound of its error; stratum, reference and root delay as served in that state
//
// Following is deliberately slow and simple, since servers over a network are good to a millisecond, not to a nanosecond:
// each quorum moves the phase by half of what it differs (GAIN) and, where no pulse has taught the crystal's frequency, once a
// minute the rate by a quarter of what it seems to be wrong (RATE_GAIN). Far off, the line is put there.

import { leapContinuousSecond } from './leap'
import {
  crystalNanosPerSecond,
  Line,
  lineAt,
  lineRebase,
  lineSetSpeed,
  lineShift,
  Stamp,
  stampDifference,
} from './line'

/** What a majority of servers says; all for one tick. QUORUM_SIZE bytes, 8-aligned. Times in nanoseconds, UTC since 1970. */
@unmanaged
export class Quorum {
  ticks: u64
  utc: i64
  low: i64
  high: i64
  /** Of the best source, our path to it included. */
  rootDelay: i64
  rootDispersion: i64
  stratum: u32
  /** The best source's address: the reference identifier of whoever follows it (RFC 5905, section 7.3). */
  referenceId: u32
  /** Leap indicator as the majority has it: 0, 1, 2; 3: none says. */
  leap: u32
  unused: u32
}

/** Bytes of a `Quorum`. */
export const QUORUM_SIZE: i32 = 64

const NANOS: i64 = 1_000_000_000
const GAIN: f64 = 0.5
const RATE_GAIN: f64 = 0.25
/** No crystal is off by more than this, ns/s. */
const RATE_LIMIT: f64 = 250_000
/** Differences beyond this are put right at once: 128 ms, RFC 5905's STEPT. */
const STEP: f64 = 128_000_000
/** Over less than this quorums say nothing about the rate, s. */
const RATE_SPAN: f64 = 60
/** What the crystal may do to the time between two quorums: 50 ppm unknown, 5 ppm learnt; ns per 2^24 ticks. */
const GROWTH_UNKNOWN: u64 = 52_429
const GROWTH_LEARNT: u64 = 5_243
/** Looks at the rate after which it is taken as learnt. */
const LEARNT: u32 = 8

const HERE: Stamp = changetype<Stamp>(memory.data(16, 8))
const TARGET: Stamp = changetype<Stamp>(memory.data(16, 8))
const HEARD: Quorum = changetype<Quorum>(memory.data(QUORUM_SIZE, 8))

let error: u64 = 0
let followed: u32 = 0
let followedTicks: u64 = 0
let rateIsKnown: bool = false
/** The rate is looked at from this tick on; how far the phase was moved since then, ns; how often it was looked at. */
let rateTicks: u64 = 0
let moved: f64 = 0
let looks: u32 = 0

export function networkInit(): void {
  memory.fill(changetype<usize>(HEARD), 0, QUORUM_SIZE)
  HEARD.stratum = 16
  HEARD.leap = 3
  error = 0
  followed = 0
  looks = 0
  rateIsKnown = false
}

/** Half of the quorum's interval, seen from the combined time: the larger half, ns. */
export function quorumError(quorum: Quorum): i64 {
  return max(quorum.high - quorum.utc, quorum.utc - quorum.low)
}

/** Nanoseconds by which the quorum's time is ahead of the line at the quorum's tick; both on the continuous scale. */
export function networkDifference(quorum: Quorum, model: Line): f64 {
  const seconds = quorum.utc / NANOS
  TARGET.seconds = leapContinuousSecond(seconds)
  TARGET.fraction = 0
  lineAt(model, quorum.ticks, HERE)
  return stampDifference(TARGET, HERE) + <f64>(quorum.utc - seconds * NANOS)
}

/** Remembers what is said about the root; whoever follows serves it. */
export function networkHear(quorum: Quorum): void {
  memory.copy(changetype<usize>(HEARD), changetype<usize>(quorum), QUORUM_SIZE)
}

/**
 * Moves the line towards the quorum. `known`: pulses or an earlier lock have taught the crystal's rate, which is then left alone.
 * `fixed`: the phase within the second is somebody else's (unlabelled pulses); only whole seconds are put right. Returns
 * the whole seconds by which the caller must renumber the scale afterwards.
 */
export function networkFollow(quorum: Quorum, model: Line, known: bool, fixed: bool): i64 {
  const difference = networkDifference(quorum, model)
  const far = Math.abs(difference) > STEP
  const whole = far ? Math.floor(difference * 1e-9 + 0.5) : 0
  const rest = difference - whole * 1e9
  rateIsKnown = known
  const begins = far || fixed || followed === 0
  const move = fixed ? 0 : begins ? rest : rest * GAIN
  lineRebase(model, quorum.ticks)
  if (begins) beginLook(quorum.ticks)
  else if (!known) look(model, quorum.ticks, rest)
  lineShift(model, move)
  if (!begins) moved += move
  error = <u64>quorumError(quorum) + <u64>Math.min(Math.abs(rest - move), 1e18)
  followedTicks = quorum.ticks
  followed++
  return <i64>whole
}

/** The network is no longer followed. */
export function networkLeave(): void {
  followed = 0
}

/** Bound of |line - UTC| at a tick while the network is followed, ns. */
export function networkBound(ticks: u64): u64 {
  const elapsed = ticks > followedTicks ? ticks - followedTicks : 0
  const growth = rateIsKnown || networkKnowsRate() ? GROWTH_LEARNT : GROWTH_UNKNOWN
  return error + ((growth * elapsed) >> 24)
}

/** Enough quorums have been followed for the crystal's rate to be known from them. */
export function networkKnowsRate(): bool {
  return looks > LEARNT
}

/** One more than the best source's; 16 when there is none. */
export function networkStratum(): u32 {
  return HEARD.stratum >= 15 ? 16 : HEARD.stratum + 1
}

export function networkReferenceId(): u32 {
  return HEARD.referenceId
}

/** Root delay in NTP short format (2^-16 s), rounded up. */
export function networkRootDelay(): u32 {
  const delay = HEARD.rootDelay
  return delay <= 0 ? 0 : delay >= 16 * NANOS ? 16 << 16 : <u32>(((<u64>delay * 281_475) >> 32) + 1)
}

/** What the majority announces: 0, 1 or 2; 3 when nobody says. */
export function networkLeap(): u32 {
  return HEARD.leap
}

function beginLook(ticks: u64): void {
  rateTicks = ticks
  moved = 0
}

/** What the phase has come to since the last look, were it not for the moves, is the rate's doing. */
function look(model: Line, ticks: u64, rest: f64): void {
  const passed = <f64>(ticks - rateTicks) * 62.5e-9
  if (passed < RATE_SPAN) return
  const change = ((moved + rest) / passed) * (looks === 0 ? 1 : RATE_GAIN)
  const limited = Math.min(Math.max(change, -RATE_LIMIT), RATE_LIMIT)
  const rate = limited - crystalNanosPerSecond(model.rate)
  lineSetSpeed(model, Math.min(Math.max(rate, -RATE_LIMIT), RATE_LIMIT))
  looks++
  beginLook(ticks)
  // What this quorum leaves is the next look's to see.
  moved = -rest
}
