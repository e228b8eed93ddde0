// Keeps the RTC right while the clock is, learns how fast it is, and keeps the last known good time (last_good.ts): so that
// the next boot begins well.
//
//   in    the clock, Locked or Vouched, while sky and servers do not disagree; the RTC
//   out   the RTC, set and marked; the record in flash
//
// Soon after the lock and then once an hour the RTC is compared with the clock: to 0.1 ms by its square wave, else to 0.4 ms by a
// dozen readings (rtc_phase.ts). It is set when it is off by more than `PHASE_LIMIT`. Setting means writing the seconds
// register so that its acknowledge falls on a second's boundary: poll() is asked for at that tick, and a poll that comes
// more than `WRITE_LATE` behind it tries the next second.
//
// Whatever the moment of a power cut, the next boot is told no lie. Before the part is moved by less than `SMALL` its mark is
// renewed, so that the mark is later than the record: the offset is then not what the record says, but small. Before it
// is moved by more the mark is taken away: the next boot does not believe the part. The mark is set, and then the
// record written, when all is done.
//
// The record has TAI - UTC and the leap second that is announced, too. When those change it is written at once, if it is ten minutes
// old. A part that was compared before a leap second is not set after it: it would bear a mark from before.
//
// Nothing is written to the part within some seconds of a full minute: a transfer that a power cut tears then leaves the higher
// fields as they were, and they were right. A call makes two bus transfers, or three short ones, or writes the record.

import { Channel, capture, Feature, features, TICK_HZ } from '../../hal/abi'
import {
  RTC_WRITE_LEAD,
  RtcStatus,
  rtcMarkClear,
  rtcMarkSet,
  rtcRead,
  rtcReadTime,
  rtcSeconds,
  rtcSquareWave,
  rtcTemperature,
  rtcWriteTime,
} from '../drivers/ds3231'
import { Instant } from '../time/instant'
import {
  ClockState,
  clockDisagreement,
  clockErrorNanos,
  clockLeap,
  clockNow,
  clockState,
  clockTaiOffset,
  clockTicksAt,
} from './clock'
import {
  lastGoodFresh,
  lastGoodLeaps,
  lastGoodLeapsDiffer,
  lastGoodOffset,
  lastGoodOffsetLost,
  lastGoodStore,
  lastGoodTime,
  OFFSET_UNKNOWN,
} from './last_good'
import { leapKnown, leapKnownChange, leapMidnight, leapTaiAt } from './leap'
import { driftLearn } from './rtc_drift'
import { phaseBegin, phaseDue, phaseError, phaseFound, phaseOffset, phaseRead } from './rtc_phase'
import { waveBreak } from './rtc_wave'
import { Disagreement } from './vouch'

const enum Step {
  Wait = 0,
  Compare = 1,
  /** The phase is looked for by readings. */
  Search = 2,
  /** The mark is made ready for the setting. */
  Prepare = 3,
  Write = 4,
  Mark = 5,
  Record = 6,
}

const SECOND: u64 = <u64>TICK_HZ
const MINUTE: u64 = SECOND * 60
const HOUR: u64 = SECOND * 3600
/** News of leap seconds is written no sooner than this after the last record: a receiver that wavers must not wear the flash. */
const NEWS: u64 = MINUTE * 10
/** From the lock to the first comparison. */
const SETTLE: u64 = SECOND * 5
/** Between two steps of one comparison: 10 ms. */
const SOON: u64 = SECOND / 100
/** The phase may be off by this and by what is not known of it before the part is set: 2 ms. */
const PHASE_LIMIT: u64 = 2_000_000
/** What an edge and a write miss, ns. */
const EDGE_ERROR: u64 = 100_000
const WRITE_ERROR: u64 = 200_000
/** A correction that a boot which finds it half done can live with, ns: restore.ts allows for 110 ms. */
const SMALL: i64 = 100_000_000
/** No offset: the part's time is wrong altogether. */
const FAR: i64 = i64.MAX_VALUE
const NANOS: i64 = 1_000_000_000
/** A write may be late by this many ticks: 0.5 ms. */
const WRITE_LATE: u64 = SECOND / 2000
/** The aim is taken anew this many ticks ahead: 5 ms, in which 50 ppm make nothing. */
const AIM: u64 = SECOND / 200
/** Settings or writes that did not take, after which it is left alone for an hour; and readings, after which the phase is. */
const TRIES: u32 = 3
const READINGS: u32 = 40

const CAPTURE: usize = memory.data(16, 8)
const NOW: Instant = changetype<Instant>(memory.data(16, 8))

let step: Step = Step.Wait
let due: u64 = 0
/** The state that is being followed; Unknown: none. */
let followed: ClockState = ClockState.Unknown
let target: i64 = 0
let settings: u32 = 0
/** Settings, or failed writes of the record, and readings, in this comparison. */
let tries: u32 = 0
let readings: u32 = 0
/** RTC minus clock and what is not known of it, ns, at the second `compared`; the part has it as its mark. */
let offset: i64 = 0
let error: u64 = 0
let compared: i64 = 0
/** When the record was last made. */
let recordedTicks: u64 = 0
/** A leap second is announced: the RTC, which knows nothing of it, will be wrong afterwards. */
let leapAhead: bool = false

export function rtcSyncInit(): void {
  step = Step.Wait
  followed = ClockState.Unknown
  leapAhead = false
  recordedTicks = 0
  settings = 0
}

/** How often the RTC was set since boot. */
export function rtcSyncSettings(): u32 {
  return settings
}

/** Call from poll() after `clockPoll`; returns the tick at which it wants to be called again. */
export function rtcSyncPoll(now: u64): u64 {
  const state = clockState()
  const sound = state === ClockState.Locked || state === ClockState.Vouched
  if (!sound || clockDisagreement() !== Disagreement.None) {
    followed = ClockState.Unknown
    return now + SECOND
  }
  // The sky is better than the servers: what they have taught is soon measured again.
  if (followed !== state) {
    followed = state
    step = Step.Wait
    due = now + SETTLE
  }
  watchLeap(now)
  if (now >= due) act(now)
  return min(due, now + (leapAhead ? SECOND : MINUTE))
}

/** Once a leap second has passed the next comparison is due, and when there is news of one. */
function watchLeap(now: u64): void {
  const ahead = clockLeap(now) !== 0
  const news = now >= recordedTicks + NEWS && lastGoodLeapsDiffer(clockTaiOffset(now), leapKnown(), leapKnownChange())
  if (((leapAhead && !ahead) || news) && (step === Step.Wait || step === Step.Record)) {
    step = Step.Wait
    due = min(due, now + SETTLE)
    if (news) recordedTicks = now
  }
  leapAhead = ahead
}

function act(now: u64): void {
  if (step === Step.Wait) planComparison(now, 0)
  else if (step === Step.Compare) compare(now)
  else if (step === Step.Search) search(now)
  else if (step === Step.Prepare) prepare(now)
  else if (step === Step.Write) write(now)
  else if (step === Step.Mark) mark(now)
  else record(now)
}

/** Compares in the middle of a second, away from both boundaries. */
function planComparison(now: u64, settingsDone: u32): void {
  clockNow(NOW, now)
  tries = settingsDone
  step = Step.Compare
  due = clockTicksAt(NOW.seconds + 1, now) + SECOND / 2
}

function compare(now: u64): void {
  clockNow(NOW, now)
  const steady = NOW.fraction > 0x4000_0000 && NOW.fraction < 0xc000_0000 && NOW.leap === 0
  if (!steady) {
    planComparison(now, tries)
    return
  }
  compared = NOW.seconds
  // Once it is set its time counts, although OSF is not cleared yet.
  const read = tries === 0 ? rtcRead() : rtcReadTime()
  if (read === RtcStatus.Absent) giveUp(now)
  else if (read !== RtcStatus.Ok) judge(now, FAR)
  else if (seesEdge(now)) judge(now, offset)
  else if (tries !== 0) judge(now, rtcSeconds() === compared ? offset : FAR)
  else {
    phaseBegin()
    readings = READINGS
    step = Step.Search
    due = now
  }
}

/** The square wave's last edge, if there is one to be trusted, says what RTC minus clock is. */
function seesEdge(now: u64): bool {
  if ((features() & Feature.RtcSqw) === 0) return false
  capture(Channel.RtcSqw, CAPTURE)
  const edge = load<u64>(CAPTURE, 8)
  if (load<u32>(CAPTURE) === 0 || load<u32>(CAPTURE, 4) !== 0 || now < edge || now - edge > SECOND) return false
  clockNow(NOW, edge)
  offset = (rtcSeconds() - NOW.seconds) * NANOS - <i64>((<u64>NOW.fraction * <u64>NANOS) >> 32)
  error = clockErrorNanos(now) + EDGE_ERROR
  return true
}

function search(now: u64): void {
  if (readings-- === 0 || !phaseRead()) {
    giveUp(now)
    return
  }
  due = phaseDue(now)
  if (!phaseFound()) return
  clockNow(NOW, now)
  compared = NOW.seconds
  error = clockErrorNanos(now) + phaseError()
  judge(now, phaseOffset())
}

/** The part is `off` ns ahead: is that right? */
function judge(now: u64, off: i64): void {
  offset = off
  const size = off < 0 ? <u64>-off : <u64>off
  if (off !== FAR && tries === 0) {
    driftLearn(compared, off, error)
    const news = lastGoodLeapsDiffer(clockTaiOffset(now), leapKnown(), leapKnownChange())
    const fresh = !news && lastGoodFresh(compared, <u32>min(error, <u64>OFFSET_UNKNOWN))
    if (size <= error + PHASE_LIMIT && fresh) {
      rest(now)
      return
    }
  }
  if (off !== FAR && size <= error + PHASE_LIMIT) {
    step = Step.Mark
    due = now + SOON
  } else if (tries === TRIES) {
    giveUp(now)
  } else {
    step = Step.Prepare
    due = now + SOON
  }
}

function prepare(now: u64): void {
  const small = offset < SMALL && offset > -SMALL
  if (small ? rtcMarkSet(compared) : rtcMarkClear()) planWrite(now)
  else giveUp(now)
}

function planWrite(now: u64): void {
  clockNow(NOW, now)
  target = NOW.seconds + 2
  const inMinute = target % 60
  if (inMinute < 5) target += 5 - inMinute
  if (inMinute > 50) target += 65 - inMinute
  const midnight = leapMidnight()
  if (compared < midnight && target >= midnight - 1) {
    step = Step.Wait
    due = now + SETTLE
    return
  }
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
  if (now - due > WRITE_LATE) {
    planWrite(now)
    return
  }
  waveBreak()
  if (!rtcWriteTime(target)) {
    giveUp(now)
    return
  }
  settings++
  clockNow(NOW, now + RTC_WRITE_LEAD)
  error = clockErrorNanos(now) + WRITE_ERROR
  offset = (target - NOW.seconds) * NANOS - <i64>((<u64>NOW.fraction * <u64>NANOS) >> 32)
  planComparison(now, tries + 1)
  // The last edge may be of the second before: the next is sure to be of the new count.
  due += SECOND
}

function mark(now: u64): void {
  keepTime(now)
  if (rtcMarkSet(compared)) lastGoodOffset(offset, error)
  else lastGoodOffsetLost()
  rtcSquareWave()
  tries = 0
  step = Step.Record
  due = now + SOON
}

/** There is no part, or none that does as it is told: the time is worth keeping nevertheless. */
function giveUp(now: u64): void {
  keepTime(now)
  lastGoodOffsetLost()
  tries = 0
  step = Step.Record
  due = now + SOON
}

function keepTime(now: u64): void {
  lastGoodTime(compared, clockErrorNanos(now))
  lastGoodLeaps(leapTaiAt(compared), leapKnown(), leapKnownChange())
  recordedTicks = now
}

function record(now: u64): void {
  // A flash that wants upkeep first is asked again.
  if (lastGoodStore(rtcTemperature()) || ++tries === TRIES) rest(now)
  else due = now + MINUTE
}

function rest(now: u64): void {
  step = Step.Wait
  due = now + HOUR
}
