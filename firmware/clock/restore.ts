// Time at boot, from the RTC: what it shows, and how wrong it may be by now.
//
//   error = what was left when it was set + 5 ppm * time since then + half a second, when its phase is not known
//           + one second, when a month has begun since then and a leap second may have passed
//
// When the RTC's square wave is wired, its next falling edge gives the phase: the half second goes. A part that does not
// say when it was set (somebody else's work) is given ten years of drift.

import { Channel, capture, Feature, features, TICK_HZ, ticks } from '../../hal/abi'
import { RtcStatus, rtcMarkedAt, rtcRead, rtcReadTime, rtcSeconds, rtcSquareWave } from '../drivers/ds3231'
import { CIVIL_SIZE, Civil, civilFromUnix } from '../time/civil'
import { ClockState, clockRestore, clockState } from './clock'

/** +-2 ppm by the data sheet, +-3.5 outside 0..40 C, and ageing. */
const DRIFT_NANOS_PER_SECOND: i64 = 5000
/** `rtc_sync.ts` sets the part to better than this, or leaves it alone when it is no worse. */
const SETTING_ERROR: u64 = 10_000_000
const HALF_SECOND: u64 = 500_000_000
const TEN_YEARS: i64 = 315_576_000
const NANOS: u64 = 1_000_000_000

/** The time must be read this soon after the edge that began the second, in ticks: 0.8 s. */
const READ_WITHIN: u64 = (<u64>TICK_HZ * 4) / 5

const CAPTURE: usize = memory.data(16, 8)
const CIVIL = changetype<Civil>(memory.data(<i32>CIVIL_SIZE, 8))

let status: RtcStatus = RtcStatus.Absent
let drift: u64 = 0
let edges: u32 = 0
let waiting: bool = false

/** Reads the RTC and restores the clock from it, when it has a time. Call once, after `clockInit`. */
export function restoreInit(): RtcStatus {
  waiting = false
  rtcSquareWave()
  capture(Channel.RtcSqw, CAPTURE)
  edges = load<u32>(CAPTURE)
  status = rtcRead()
  if (status !== RtcStatus.Ok) return status
  drift = driftSince(rtcMarkedAt(), rtcSeconds())
  clockRestore(ticks(), rtcSeconds(), (<u64>1) << 63, HALF_SECOND + SETTING_ERROR + drift)
  waiting = (features() & Feature.RtcSqw) !== 0
  return status
}

/** What the RTC said at boot. */
export function restoreStatus(): RtcStatus {
  return status
}

/** Waits for the square wave's next edge and takes the phase from it. Call whenever poll() runs; one transfer at most. */
export function restorePoll(): void {
  if (!waiting) return
  if (clockState() !== ClockState.Restored) {
    waiting = false
    return
  }
  capture(Channel.RtcSqw, CAPTURE)
  if (load<u32>(CAPTURE) === edges) return
  edges = load<u32>(CAPTURE)
  const edge = load<u64>(CAPTURE, 8)
  const late = load<u32>(CAPTURE, 4) !== 0
  if (late || ticks() - edge > READ_WITHIN || rtcReadTime() !== RtcStatus.Ok) return
  clockRestore(edge, rtcSeconds(), 0, SETTING_ERROR + drift)
  waiting = false
}

/** Nanoseconds by which the part may have gone wrong since it was set: drift, and a leap second that it knows nothing of. */
function driftSince(setAt: i64, now: i64): u64 {
  const age = now - setAt
  if (setAt === 0 || age < 0) return <u64>(TEN_YEARS * DRIFT_NANOS_PER_SECOND)
  const drift = <u64>(age * DRIFT_NANOS_PER_SECOND)
  return monthOf(setAt) === monthOf(now + 1 + <i64>(drift / NANOS)) ? drift : drift + NANOS
}

/** Months since year 0. Leap seconds come at the end of one. */
function monthOf(seconds: i64): i32 {
  civilFromUnix(seconds, CIVIL)
  return CIVIL.year * 12 + CIVIL.month
}
