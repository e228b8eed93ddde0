// When to ask a server next: the poll interval of one association, 2^poll seconds.
//
//   in    answers (and whether they fitted what was expected), missed answers, the kiss code RATE
//   out   ticks until the next request
//
// A first burst of quick requests fills the clock filter (`iburst`). Then the interval grows while the samples agree with
// each other and shrinks when they do not (RFC 5905 section 13, after ntpd's hysteresis), and grows slowly while nobody
// answers. The random part keeps clients that booted together apart; it never shortens an interval.

import { TICKS_PER_SECOND } from './ticks'

/** 24 bytes, 4-aligned. */
@unmanaged
export class PollInterval {
  /** log2 of seconds: bounds and the present value. RATE may raise the bounds. */
  least: i32
  most: i32
  poll: i32
  /** Evidence for a longer (positive) or shorter interval. */
  score: i32
  /** Requests of the burst still to be sent, and good answers that end it. */
  burst: i32
  wanted: i32
}

/** chrony's and ntpd's defaults, and what a configuration may ask for. */
export const POLL_LEAST: i32 = 4
export const POLL_MOST: i32 = 10
export const POLL_FLOOR: i32 = 0
export const POLL_CEILING: i32 = 17

/** At most so many requests in the burst, which ends after so many good answers. */
const BURST_REQUESTS: i32 = 8
const BURST_ANSWERS: i32 = 4
const BURST_SECONDS: u64 = 2

/** RFC 5905, figure 27: LIMIT. */
const LIMIT: i32 = 30

/** Begins with a burst at the shortest interval. */
export function pollStart(p: PollInterval, least: i32, most: i32): void {
  p.least = max(min(least, POLL_CEILING), POLL_FLOOR)
  p.most = max(min(most, POLL_CEILING), p.least)
  p.poll = p.least
  p.score = 0
  p.burst = BURST_REQUESTS
  p.wanted = BURST_ANSWERS
}

/** A good answer; `steady` when its offset was what the earlier ones let expect. */
export function pollGood(p: PollInterval, steady: bool): void {
  if (p.wanted > 0) {
    p.wanted -= 1
    if (p.wanted === 0) p.burst = 0
    return
  }
  p.score += steady ? p.poll + 1 : -2 * (p.poll + 1)
  if (p.score > LIMIT) shift(p, 1)
  else if (p.score < -LIMIT) shift(p, -1)
}

/** Nobody answered: a server that is gone is asked less and less. */
export function pollMissed(p: PollInterval): void {
  if (p.burst > 0) return
  p.score += 4
  if (p.score > LIMIT) shift(p, 1)
}

/** Nothing was heard for long and now there is somebody again. */
export function pollAgain(p: PollInterval): void {
  pollStart(p, p.least, p.most)
}

/** The server finds that it is asked too often (RFC 5905 section 7.4, RATE): it never will be again. */
export function pollRate(p: PollInterval): void {
  p.burst = 0
  p.wanted = 0
  p.least = min(max(p.poll + 1, POLL_LEAST), POLL_CEILING)
  p.most = max(p.most, p.least)
  p.poll = p.least
  p.score = 0
}

/** Ticks from a request to the next. `random`: any 32 bits. */
export function pollDelay(p: PollInterval, random: u32): u64 {
  const quick: bool = p.burst > 0 && p.poll > 1
  if (p.burst > 0) p.burst -= 1
  const interval = (quick ? BURST_SECONDS : (<u64>1) << p.poll) * TICKS_PER_SECOND
  return interval + (((interval >> 4) * <u64>(random >> 16)) >> 16)
}

function shift(p: PollInterval, by: i32): void {
  p.poll = max(min(p.poll + by, p.most), p.least)
  p.score = 0
}
