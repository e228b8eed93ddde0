// Where the RTC's second begins, found without its square wave: by reading its seconds where they may turn over.
//
//   in    the clock (restored or better), readings of the RTC
//   out   RTC minus clock, in nanoseconds, between two ends
//
// A reading that shows second r, taken between the clock's times a and b, says that r - b <= RTC - clock < r + 1 - a. Any
// reading thus leaves one second; each further one, at the middle of what is left, halves that: twelve readings, one a second, leave
// half a millisecond. A poll() that comes late still says something true, only less.

import { ticks } from '../../hal/abi'
import { RtcStatus, rtcReadTime, rtcSeconds } from '../drivers/ds3231'
import { Instant } from '../time/instant'
import { clockNow } from './clock'

const NANOS: i64 = 1_000_000_000
/** What is left may be this wide, ns: a reading takes a quarter of a millisecond. */
const FINE: i64 = 700_000
/** From the call to the moment whose time it reads: two bytes, in ticks. */
const LATCH: u64 = 720
/** The next reading is no sooner than this, ns. */
const SOON: i64 = 20_000_000

const BEFORE: Instant = changetype<Instant>(memory.data(16, 8))

let low: i64 = 0
let high: i64 = 0

/** Forgets all readings. */
export function phaseBegin(): void {
  low = i64.MIN_VALUE
  high = i64.MAX_VALUE
}

/** Takes a reading: one transfer. False: the part does not answer, or holds no date. */
export function phaseRead(): bool {
  const before = nanosAt(ticks())
  if (rtcReadTime() !== RtcStatus.Ok) return false
  const after = nanosAt(ticks())
  const shown = rtcSeconds() * NANOS
  low = max(low, shown - after)
  high = min(high, shown + NANOS - before)
  // The readings contradict each other: one of the two was set.
  if (low >= high) phaseBegin()
  return true
}

export function phaseFound(): bool {
  return low !== i64.MIN_VALUE && high - low <= FINE
}

/** RTC minus clock, ns: the middle of what is left. */
export function phaseOffset(): i64 {
  return low + (high - low) / 2
}

/** Half of what is left, ns. */
export function phaseError(): u64 {
  return <u64>(high - low + 1) / 2
}

/** The tick of the reading that says most. */
export function phaseDue(now: u64): u64 {
  if (low === i64.MIN_VALUE) return now
  const into = (nanosAt(now) + phaseOffset()) % NANOS
  const wait = NANOS - into
  return now + (<u64>(wait < SOON ? wait + NANOS : wait) * 16) / 1000 - LATCH
}

/** The clock's time, POSIX nanoseconds. */
function nanosAt(atTicks: u64): i64 {
  clockNow(BEFORE, atTicks)
  return BEFORE.seconds * NANOS + <i64>((<u64>BEFORE.fraction * <u64>NANOS) >> 32)
}
