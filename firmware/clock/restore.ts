// Time at boot, from the RTC: what it shows, less what it is known to be off, and how wrong it may be by now.
//
//   in    the RTC's time and mark (ds3231.ts), the last known good time (last_good.ts), the build's date
//   out   the clock, Restored; or why not
//
//   time  = shown - offset at the last comparison - learnt drift * time since then
//   error = of that offset + drift bound * time since then (rtc_drift.ts) + a second for each leap second that may have passed
//           and that nobody has told of + half a second, until the phase is known
//
// A leap second that the record knows of (last_good.ts) is no error. The RTC counts on through it, so from its mark on what it
// shows is the continuous scale of leap.ts: the leap second is armed, and UTC follows from that before, in and after it. It counts
// only while it is not clear on which side of it the time is. TAI - UTC comes back unless another leap second may have passed.
//
// The phase comes from the square wave's next falling edge; without the wire from a dozen readings, one a second
// (rtc_phase.ts), to within half a millisecond.
//
// The RTC is not believed when its oscillator has stood still, when it does not say when we set it, when that was more than
// ten years ago, or when its time lies before the last known good time or before the firmware was made. The clock
// then stays Unknown; what is left is `clockFloor`. docs/trust-ladder.md has the whole of it.

import { Channel, capture, Feature, features, TICK_HZ, ticks } from '../../hal/abi'
import {
  RtcStatus,
  rtcMarkedAt,
  rtcRead,
  rtcReadTime,
  rtcSeconds,
  rtcSquareWave,
  rtcTemperature,
} from '../drivers/ds3231'
import { BUILD_SECOND } from '../gnss/build_date'
import { Instant } from '../time/instant'
import { ClockState, clockDoubt, clockErrorNanos, clockNow, clockRestore, clockState } from './clock'
import {
  lastGood,
  lastGoodLeap,
  lastGoodLeapChange,
  lastGoodLoad,
  lastGoodOffsetLost,
  lastGoodStranger,
  lastGoodTemperature,
  OFFSET_UNKNOWN,
} from './last_good'
import { leapKnown, leapRestore, leapTaiLost } from './leap'
import { driftBound, driftGain, leapDoubt } from './rtc_drift'
import { phaseBegin, phaseDue, phaseError, phaseFound, phaseOffset, phaseRead } from './rtc_phase'

/** What became of the RTC's time at boot. */
export const enum Restore {
  Done = 0,
  /** Nobody answers on the bus. */
  Absent = 1,
  /** OSF: the oscillator has stood still. */
  Stopped = 2,
  /** The registers hold no date. */
  Invalid = 3,
  /** It does not say when it was set: somebody else's time, or a setting that power cut short. */
  Unmarked = 4,
  /** It was set too long ago for its battery. */
  Old = 5,
  /** Its time lies before its own mark, or before the last known good time. */
  Behind = 6,
  /** Its time lies before the firmware was made. */
  BeforeBuild = 7,
}

/** How well the part was set when its record does not say: as a clock that follows servers may, and what a write may miss. */
const SETTING_ERROR: u64 = 110_000_000
const TEN_YEARS: i64 = 315_576_000
const NANOS: i64 = 1_000_000_000
const HALF_SECOND: u64 = 500_000_000

/** The time must be read this soon after the edge that began the second, in ticks: 0.8 s. */
const READ_WITHIN: u64 = (<u64>TICK_HZ * 4) / 5
/** A part that does not answer is asked again so much later, in ticks. */
const AGAIN: u64 = <u64>TICK_HZ
/** So many readings for the phase, then it stays unknown. */
const READINGS: u32 = 30

const CAPTURE: usize = memory.data(16, 8)
const NOW: Instant = changetype<Instant>(memory.data(16, 8))

let status: Restore = Restore.Absent
/** What the part is ahead of UTC as far as that is known, and what it may be off besides, ns. */
let ahead: i64 = 0
let doubt: u64 = 0
/** The RTC was right after the leap second that the record knows of; and TAI - UTC before that, 0: not known. */
let leapOver: bool = false
let taiBefore: i32 = 0
let edges: u32 = 0
let readings: u32 = 0
let due: u64 = 0
/** Since then nobody has told the time, POSIX seconds, 0: somebody tells it; and what `doubt` has for leap seconds since, ns. */
let keptSince: i64 = 0
let missed: u64 = 0

/** Restores the clock from the RTC, when its time can be believed. Call once, after `clockInit`, with the log mounted. */
export function restoreInit(): Restore {
  due = u64.MAX_VALUE
  keptSince = 0
  lastGoodLoad()
  rtcSquareWave()
  capture(Channel.RtcSqw, CAPTURE)
  edges = load<u32>(CAPTURE)
  status = judge(<u32>rtcRead())
  if (status === Restore.Absent) lastGoodOffsetLost()
  else if (status !== Restore.Done) lastGoodStranger()
  if (status !== Restore.Done) {
    // What was announced will be, whoever tells the time.
    leapRestore(lastGoodLeap(), lastGoodLeapChange(), lastGood().utc >= lastGoodLeap(), 0)
    return status
  }
  restoreAt(ticks(), rtcSeconds() * NANOS + <i64>HALF_SECOND, HALF_SECOND)
  phaseBegin()
  readings = READINGS
  due = 0
  return status
}

/** What became of the RTC's time at boot. */
export function restoreStatus(): Restore {
  return status
}

/** Finds the phase. Call whenever poll() runs; one transfer at most. Returns the tick at which it wants to be called. */
export function restorePoll(now: u64): u64 {
  if (due === u64.MAX_VALUE) return due
  if (clockState() !== ClockState.Restored) due = u64.MAX_VALUE
  else if ((features() & Feature.RtcSqw) !== 0) awaitEdge()
  else if (now >= due) takeReading(now)
  return due
}

/** Once a second: a month that begins while the time is only kept may begin with a leap second of which nobody has told. */
export function restoreAge(now: u64): void {
  if (clockState() !== ClockState.Restored) {
    keptSince = 0
    return
  }
  clockNow(NOW, now)
  if (keptSince === 0) {
    keptSince = NOW.seconds
    missed = 0
  }
  const latest = NOW.seconds + <i64>(clockErrorNanos(now) / <u64>NANOS) + 2
  const more = leapDoubt(keptSince, latest, leapKnown())
  if (more <= missed) return
  doubt += more - missed
  clockDoubt(more - missed)
  leapTaiLost()
  taiBefore = 0
  missed = more
}

/** Where the time is to be had without asking for a poll(), at the next edge. */
function awaitEdge(): void {
  due = u64.MAX_VALUE - 1
  capture(Channel.RtcSqw, CAPTURE)
  if (load<u32>(CAPTURE) === edges) return
  edges = load<u32>(CAPTURE)
  const edge = load<u64>(CAPTURE, 8)
  const late = load<u32>(CAPTURE, 4) !== 0
  if (late || ticks() - edge > READ_WITHIN || rtcReadTime() !== RtcStatus.Ok) return
  restoreAt(edge, rtcSeconds() * NANOS, 0)
  due = u64.MAX_VALUE
}

function takeReading(now: u64): void {
  if (readings-- === 0) {
    due = u64.MAX_VALUE
    return
  }
  due = phaseRead() ? phaseDue(now) : now + AGAIN
  if (!phaseFound()) return
  clockNow(NOW, now)
  const shown = NOW.seconds * NANOS + <i64>((<u64>NOW.fraction * <u64>NANOS) >> 32) + phaseOffset()
  restoreAt(now, shown, phaseError())
  due = u64.MAX_VALUE
}

/** May the time that was just read be believed? If so, `ahead` and `doubt` are known. */
/** The first numbers of `Restore` are those of `RtcStatus`. */
function judge(read: u32): Restore {
  if (read !== <u32>RtcStatus.Ok) return read
  const shown = rtcSeconds()
  const mark = rtcMarkedAt()
  if (mark === 0) return Restore.Unmarked
  const age = shown - mark
  if (age < 0) return Restore.Behind
  if (age > TEN_YEARS) return Restore.Old
  const record = lastGood()
  // Another part than the record is about, with a history of its own.
  if (mark < record.utc) lastGoodStranger()
  else if (mark > record.utc) lastGoodOffsetLost()
  const degrees = rtcTemperature()
  ahead = record.offset + driftGain(age, degrees, lastGoodTemperature())
  doubt = driftBound(age, degrees, lastGoodTemperature())
  doubt += record.offsetError === OFFSET_UNKNOWN ? SETTING_ERROR : <u64>record.offsetError
  keptSince = mark
  missed = leapDoubt(mark, shown + 1 + <i64>doubt / NANOS, lastGoodLeap())
  recallLeap(mark)
  doubt += missed
  const latest = shown + 1 - (ahead - <i64>doubt) / NANOS
  if (latest < BUILD_SECOND) return Restore.BeforeBuild
  return latest + 1 + <i64>record.bound / NANOS < record.utc ? Restore.Behind : Restore.Done
}

/** What the record knows of leap seconds, for a part that was right at `mark`. */
function recallLeap(mark: i64): void {
  const record = lastGood()
  const midnight = lastGoodLeap()
  leapOver = midnight !== 0 && mark >= midnight
  taiBefore = missed === 0 ? <i32>record.taiOffset : 0
  if (taiBefore !== 0 && midnight !== 0 && record.utc >= midnight) taiBefore -= <i32>lastGoodLeapChange()
}

/** The part showed `shown` (POSIX ns) at `atTicks`, within `error`. */
function restoreAt(atTicks: u64, shown: i64, error: u64): void {
  const time = shown - ahead
  const fraction = (((<u64>(time % NANOS)) << 32) / <u64>NANOS) << 32
  const bound = error + doubt
  if (!clockRestore(atTicks, time / NANOS, fraction, bound + sideDoubt(time, <i64>bound))) return
  leapRestore(lastGoodLeap(), lastGoodLeapChange(), leapOver, taiBefore)
}

/** A second, while a time of the continuous scale may lie on either side of the leap second. */
function sideDoubt(time: i64, bound: i64): u64 {
  const midnight = lastGoodLeap() * NANOS
  if (midnight === 0 || leapOver) return 0
  return time - bound < midnight + NANOS && time + bound > midnight - NANOS ? <u64>NANOS : 0
}
