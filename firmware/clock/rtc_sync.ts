// Keeps the RTC right while the clock is locked, so that the next boot begins well.
//
// Soon after the lock and then once an hour the RTC is compared with the clock. It is set when its seconds differ or its
// phase is off by more than `PHASE_LIMIT` (or cannot be seen); else only the note of when it was last known to be right
// is renewed. Setting means writing the seconds register so that its acknowledge falls on a second's boundary: poll()
// is asked for at that tick, and a poll that comes more than `WRITE_LATE` behind it tries the next second.
//
// Nothing is written within some seconds of a full minute: a transfer that a power cut tears then leaves the higher
// fields as they were, and they were right. One bus transfer in each call.

import { Channel, capture, Feature, features, TICK_HZ } from '../../hal/abi'
import {
  RTC_WRITE_LEAD,
  RtcStatus,
  rtcMarkSet,
  rtcRead,
  rtcSeconds,
  rtcSquareWave,
  rtcWriteTime,
} from '../drivers/ds3231'
import { Instant } from '../time/instant'
import { ClockState, clockLeap, clockNow, clockState, clockTicksAt } from './clock'

const enum Step {
  Wait = 0,
  Compare = 1,
  Write = 2,
  Mark = 3,
}

const SECOND: u64 = <u64>TICK_HZ
const HOUR: u64 = SECOND * 3600
/** From the lock to the first comparison. */
const SETTLE: u64 = SECOND * 5
/** The phase may be off by this many ticks before the part is set: 2 ms. */
const PHASE_LIMIT: u64 = SECOND / 500
/** A write may be late by this many ticks: 0.5 ms. */
const WRITE_LATE: u64 = SECOND / 2000
/** The aim is taken anew this many ticks ahead: 5 ms, in which 50 ppm make nothing. */
const AIM: u64 = SECOND / 200
/** An edge older than this says nothing about the present second. */
const FRESH: u64 = SECOND * 2

const CAPTURE: usize = memory.data(16, 8)
const NOW: Instant = changetype<Instant>(memory.data(16, 8))

let step: Step = Step.Wait
let due: u64 = 0
let locked: bool = false
let target: i64 = 0
let settings: u32 = 0
/** A leap second is announced: the RTC, which knows nothing of it, will be wrong afterwards. */
let leapAhead: bool = false

export function rtcSyncInit(): void {
  step = Step.Wait
  locked = false
  leapAhead = false
  settings = 0
}

/** How often the RTC was set since boot. */
export function rtcSyncSettings(): u32 {
  return settings
}

/** Call from poll() after `clockPoll`; returns the tick at which it wants to be called again. */
export function rtcSyncPoll(now: u64): u64 {
  if (clockState() !== ClockState.Locked) {
    locked = false
    return now + SECOND
  }
  if (!locked) {
    locked = true
    step = Step.Wait
    due = now + SETTLE
  }
  watchLeap(now)
  if (now >= due) act(now)
  return due
}

/** Once a leap second has passed the next comparison is due. */
function watchLeap(now: u64): void {
  const ahead = clockLeap(now) !== 0
  if (leapAhead && !ahead && step === Step.Wait) due = now + SETTLE
  leapAhead = ahead
}

function act(now: u64): void {
  if (step === Step.Wait) planComparison(now)
  else if (step === Step.Compare) compare(now)
  else if (step === Step.Write) write(now)
  else mark(now)
}

/** Compares in the middle of a second, away from both boundaries. */
function planComparison(now: u64): void {
  clockNow(NOW, now)
  step = Step.Compare
  due = clockTicksAt(NOW.seconds + 1, now) + SECOND / 2
}

function compare(now: u64): void {
  clockNow(NOW, now)
  const steady = NOW.fraction > 0x4000_0000 && NOW.fraction < 0xc000_0000 && NOW.leap === 0
  if (!steady) {
    planComparison(now)
    return
  }
  const right = rtcRead() === RtcStatus.Ok && rtcSeconds() === NOW.seconds && phaseIsRight(now)
  if (right) {
    step = Step.Mark
    due = now + SECOND / 100
  } else {
    planWrite(now)
  }
}

/** The square wave's last edge lies on a second's boundary. Without the wire nobody knows. */
function phaseIsRight(now: u64): bool {
  if ((features() & Feature.RtcSqw) === 0) return false
  capture(Channel.RtcSqw, CAPTURE)
  const edge = load<u64>(CAPTURE, 8)
  if (load<u32>(CAPTURE) === 0 || now < edge || now - edge > FRESH) return false
  clockNow(NOW, edge)
  const after = (<u64>NOW.fraction * SECOND) >> 32
  return after < PHASE_LIMIT || after > SECOND - PHASE_LIMIT
}

function planWrite(now: u64): void {
  clockNow(NOW, now)
  target = NOW.seconds + 2
  const inMinute = target % 60
  if (inMinute < 5) target += 5 - inMinute
  if (inMinute > 50) target += 65 - inMinute
  step = Step.Write
  due = clockTicksAt(target, now) - RTC_WRITE_LEAD - AIM
}

function write(now: u64): void {
  // From close by the aim is exact: from afar the crystal's error is in it.
  const aim = clockTicksAt(target, now) - RTC_WRITE_LEAD
  if (now < aim) {
    due = aim
    return
  }
  if (now - due > WRITE_LATE || !rtcWriteTime(target)) {
    planWrite(now)
    return
  }
  settings++
  step = Step.Mark
  due = now + SECOND / 100
}

function mark(now: u64): void {
  clockNow(NOW, now)
  rtcMarkSet(NOW.seconds)
  rtcSquareWave()
  step = Step.Wait
  due = now + HOUR
}
