// Which UTC second did this pulse begin? The label machine: pulses and reports in, earned labels out.
//
// A label is valid only while all of this holds, and is lost at once when anything disagrees:
//   - the pulses follow each other by one second, within what a crystal can err;
//   - each report that belongs to a pulse names the second after the one before it; several in a row earn it;
//   - the report says that date, time and whole seconds are resolved, that there is a fix, and how well (MAX_ACCURACY);
//   - the announced second of the pulse (TIM-TP), when there is one, is the same;
//   - the leap seconds come from the sky (NAV-TIMELS), or time enough has passed, or an earlier clock agrees;
//   - an earlier clock (the RTC's, or the last valid label) does not contradict, or has been outlasted.
//
// Which pulse a report belongs to is decided by its arrival, in receiver.ts. Ticks are 1/TICKS_PER_SECOND s.

import { TICKS_PER_SECOND } from '../drivers/ublox'
import { CIVIL_SIZE, Civil, civilFromUnix } from '../time/civil'
import { Instant } from '../time/instant'
import { PULSE_SIZE, Pulse } from './pulse'
import { NO_TOW, reportPlausible, reportSecond, TimeFlag, TimeReport } from './time_report'
import { TimeLs, TimTp } from './ubx_messages'

/** Why a label was lost or is not given; counted by `labelFaults`. */
export const enum LabelFault {
  None = 0,
  /** Less than a second since the pulse before: a doubled pulse or a disturbance. */
  PulseExtra = 1,
  /** More than a second since the pulse before. */
  PulseMissing = 2,
  /** The machine saw more edges than it could tell apart. */
  PulseLost = 3,
  /** Several pulses without a report. */
  ReportMissing = 4,
  /** A report with an impossible date. */
  ReportBad = 5,
  NoFix = 6,
  /** Date, time or whole seconds are not resolved yet. */
  NotResolved = 7,
  /** The receiver could confirm its time from a second source and has not. */
  Unconfirmed = 8,
  /** The receiver's accuracy is worse than MAX_ACCURACY. */
  Inaccurate = 9,
  /** A report names another second than the count of pulses. */
  LabelDisagrees = 10,
  /** TIM-TP had announced another second. */
  TimTpDisagrees = 11,
  /** The leap seconds are the firmware's default, or nothing vouches for them yet. */
  LeapUnknown = 12,
  /** NAV-TIMELS and the UTC in the reports use different leap seconds. */
  LeapDisagrees = 13,
  /** An earlier clock says otherwise. */
  HintDisagrees = 14,
  /** The receiver reports several signs of spoofing. */
  Spoofed = 15,
  /** The date was behind by 1024-week cycles, and neither an earlier clock nor time has confirmed the correction. */
  RolledOver = 16,
  /** Not enough agreeing seconds yet. */
  Earning = 17,
}

const FAULTS: u32 = 18

const SECOND: i64 = <i64>TICKS_PER_SECOND
/** Agreeing seconds in a row that earn a label: when an earlier clock says the same, and when it stands alone. */
const CONFIRMATIONS: u32 = 5
const CONFIRMATIONS_ALONE: u32 = 10
/** Pulses in a row that may go without a report. */
const MISSED_MAX: u32 = 3
/** Largest error of a one-second interval, in ticks: 200 ppm, twice a bad crystal. */
const INTERVAL_TOLERANCE: i64 = SECOND / 5000
/** A pulse is missed when the next one is this late, in ticks. */
const PULSE_OVERDUE: u64 = (TICKS_PER_SECOND * 11) / 10
/** Largest tAcc, ns. A receiver with a fix says 20..100. */
const MAX_ACCURACY: u32 = 10_000
/** Seconds of agreement after which UTC is believed without NAV-TIMELS: the almanac takes 12.5 minutes. */
const LEAP_WAIT: u32 = 900
/** A NAV-TIMELS is good for this long, in ticks. */
const TIME_LS_LIFE: u64 = 60 * TICKS_PER_SECOND
/** A hint whose bound is wider than this, in ticks, cannot tell one second from the next. */
const SHARP: i64 = (SECOND * 2) / 5
/** Added to a hint's error for each tick of its age: 200 ppm. */
const HINT_DRIFT: i64 = 5000
/** Half the step of a receiver's pulse clock, ns: what a pulse errs by when TIM-TP does not tell. */
const QUANTISATION: u32 = 11
/** POSIX second of the GPS epoch, 1980-01-06. */
const GPS_EPOCH: i64 = 315_964_800
const WEEK: i64 = 604_800
/** GPS week numbers repeat after this many seconds. */
const ROLLOVER: i64 = 1024 * WEEK
/** TAI - GPS. */
const TAI_GPS: i32 = 19
/** A leap offset that no message has told. */
const UNKNOWN_LEAP: i32 = 1000
/** The last seconds of a month count as the next one: 23:59:59 may be left out. */
const MONTH_MARGIN: i64 = 2
/** Seconds around a leap second in which messages may count it differently. */
const LEAP_TWILIGHT: i64 = 10

const LABEL = changetype<Pulse>(memory.data(<i32>PULSE_SIZE, 8))
const CIVIL = changetype<Civil>(memory.data(<i32>CIVIL_SIZE, 8))
const COUNTS: usize = memory.data(4 * FAULTS, 4)

// The pulses.
let pulseTicks: u64 = 0
/** Number of the latest pulse since boot. */
let pulseNumber: u32 = 0

// The label of the latest pulse.
let tracked: bool = false
let second: i64 = 0
let inLeap: bool = false
/** GPS - UTC that the reports imply, or UNKNOWN_LEAP. */
let leap: i32 = 0
let rolled: bool = false
/** The latest pulse has had its report. */
let confirmed: bool = false
let agreed: u32 = 0
let missed: u32 = 0
/** Seconds of agreement since the last contradiction; outlives a lost pulse. */
let fixSeconds: u32 = 0
let reason: u32 = LabelFault.Earning
let accuracy: u32 = 0

// NAV-TIMELS.
let timeLsTicks: u64 = 0
let timeLsSeen: bool = false
let timeLsTrusted: bool = false
let timeLsCurrent: i32 = 0
/** The announced leap second: +1, -1 or 0, and the POSIX number of its day's 23:59:59. */
let leapChange: i32 = 0
let leapAt: i64 = 0
/** The last one that passed. */
let pastChange: i32 = 0
let pastLeapAt: i64 = 0

// TIM-TP, for pulse number `tpPulse`.
let tpPulse: u32 = 0
let tpTow: u32 = 0
let tpUtc: bool = false
let tpUtcAvailable: bool = false
let tpLatePicos: i32 = 0

// An earlier clock: UTC second `hintSecond` began at `hintTicks`, within `hintError` ticks at that time.
let hinted: bool = false
let hintTicks: i64 = 0
let hintSecond: i64 = 0
let hintError: i64 = 0

let spoofed: bool = false
let floor: i64 = 0

/** Forgets everything. No date before `earliest`, a POSIX second, is believed. */
export function labelInit(earliest: i64): void {
  memory.fill(changetype<usize>(LABEL), 0, PULSE_SIZE)
  memory.fill(COUNTS, 0, 4 * FAULTS)
  pulseTicks = 0
  pulseNumber = 0
  tracked = false
  confirmed = false
  agreed = 0
  missed = 0
  fixSeconds = 0
  leap = UNKNOWN_LEAP
  inLeap = false
  rolled = false
  reason = LabelFault.Earning
  timeLsSeen = false
  timeLsTrusted = false
  leapChange = 0
  pastChange = 0
  tpPulse = 0
  tpTow = NO_TOW
  hinted = false
  spoofed = false
  floor = earliest
}

/** The label of the last pulse for which `labelReport` returned true. `valid` falls to 0 as soon as it is lost. */
export function labelPulse(): Pulse {
  return LABEL
}

/** Why there is no valid label now; None when there is one. */
export function labelReason(): u32 {
  return reason
}

/** How often a label was lost, or a beginning given up, for this reason. */
export function labelFaults(fault: u32): u32 {
  return fault < FAULTS ? load<u32>(COUNTS + (fault << 2)) : 0
}

/** Ticks of the latest pulse; 0 before the first. */
export function labelPulseTicks(): u64 {
  return pulseTicks
}

/** The year about which two-digit years are read: that of the earliest believable date. */
export function labelPivotYear(): i32 {
  civilFromUnix(floor, CIVIL)
  return CIVIL.year
}

// ---- pulses

/** A rising edge of the time pulse at `edge`. The same edge told twice counts once. */
export function labelEdge(edge: u64): void {
  if (pulseNumber !== 0 && edge <= pulseTicks) return
  const error = <i64>(edge - pulseTicks) - SECOND
  const first = pulseNumber === 0
  pulseTicks = edge
  pulseNumber++
  if (first || error > INTERVAL_TOLERANCE || error < -INTERVAL_TOLERANCE) {
    if (!first) lose(error < 0 ? LabelFault.PulseExtra : LabelFault.PulseMissing)
    confirmed = false
    // What was announced for the next pulse was not this one.
    tpPulse = 0
    return
  }
  if (tracked && !confirmed && ++missed > MISSED_MAX) lose(LabelFault.ReportMissing)
  confirmed = false
  if (tracked) countSecond()
}

/** Edges came too fast to be told apart: the latest one may be the wrong one. */
export function labelEdgesLost(): void {
  lose(LabelFault.PulseLost)
  tpPulse = 0
}

/** Time passes: a pulse that does not come takes the label with it. */
export function labelTick(now: u64): void {
  if ((tracked || LABEL.valid !== 0) && now > pulseTicks + PULSE_OVERDUE) lose(LabelFault.PulseMissing)
}

/** The label moves on by one second; over an announced leap second by its rule. */
function countSecond(): void {
  if (inLeap) {
    inLeap = false
    second += 1
    if (leap !== UNKNOWN_LEAP) leap += 1
  } else if (leapChange > 0 && second === leapAt) {
    inLeap = true
  } else if (leapChange < 0 && second === leapAt - 1) {
    second += 2
    if (leap !== UNKNOWN_LEAP) leap -= 1
  } else {
    second += 1
  }
  retireLeap()
}

function retireLeap(): void {
  if (leapChange === 0 || second <= leapAt + LEAP_TWILIGHT) return
  pastChange = leapChange
  pastLeapAt = leapAt
  leapChange = 0
}

// ---- reports

/** A report that belongs to no pulse in time: it cannot name one, but it can say that the receiver has lost its hold. */
export function labelBystander(report: TimeReport): void {
  const fault = faultOf(report)
  if (fault === LabelFault.NoFix || fault === LabelFault.NotResolved) refuse(fault)
}

/** The report that belongs to the latest pulse. True when `labelPulse()` now holds a new valid label. */
export function labelReport(report: TimeReport): bool {
  const fault = faultOf(report)
  if (fault !== LabelFault.None) {
    refuse(fault)
    return false
  }
  const reportInLeap = report.second === 60 && report.nanos < 500_000_000
  let reported = reportSecond(report)
  const reportedLeap = impliedLeap(report, reported + (reportInLeap ? 1 : 0))
  if (reportedLeap === UNKNOWN_LEAP && report.towMillis !== NO_TOW) {
    refuse(LabelFault.ReportBad)
    return false
  }
  const raw = reported
  while (reported < floor) reported += ROLLOVER
  if (!tracked) {
    begin(reported, reportInLeap, reportedLeap)
  } else if (reported !== second || reportInLeap !== inLeap || leapDiffers(reportedLeap)) {
    lose(LabelFault.LabelDisagrees)
    fixSeconds = 0
    begin(reported, reportInLeap, reportedLeap)
  } else if (confirmed) {
    return false
  } else {
    agreed++
    fixSeconds++
  }
  confirmed = true
  missed = 0
  rolled = raw !== reported
  accuracy = report.accuracyNanos
  if (leap === UNKNOWN_LEAP) leap = reportedLeap
  return judge()
}

function begin(reported: i64, reportInLeap: bool, reportedLeap: i32): void {
  tracked = true
  second = reported
  inLeap = reportInLeap
  leap = reportedLeap
  agreed = 1
  retireLeap()
}

function leapDiffers(other: i32): bool {
  return leap !== UNKNOWN_LEAP && other !== UNKNOWN_LEAP && leap !== other
}

/** What is wrong with a report taken alone. */
function faultOf(report: TimeReport): u32 {
  const flags = report.flags
  const resolved: u32 = TimeFlag.Date | TimeFlag.Time | TimeFlag.Resolved
  if ((flags & TimeFlag.Fix) === 0) return LabelFault.NoFix
  if ((flags & resolved) !== resolved) return LabelFault.NotResolved
  if (!reportPlausible(report)) return LabelFault.ReportBad
  if ((flags & TimeFlag.ConfirmAvailable) !== 0 && (flags & TimeFlag.Confirmed) === 0) return LabelFault.Unconfirmed
  return report.accuracyNanos > MAX_ACCURACY ? LabelFault.Inaccurate : LabelFault.None
}

/** A report without a good time: the label goes, and with it the time that was waited for leap seconds. */
function refuse(fault: u32): void {
  lose(fault)
  fixSeconds = 0
}

/** GPS - UTC from GPS time of week and the UTC of the same epoch; UNKNOWN_LEAP when there is no plausible one. */
function impliedLeap(report: TimeReport, continuous: i64): i32 {
  if (report.towMillis === NO_TOW || report.towMillis >= 604_800_000) return UNKNOWN_LEAP
  const tow = <i64>((report.towMillis + 500) / 1000)
  const difference = (tow - timeOfWeek(continuous) + WEEK) % WEEK
  return difference < 128 ? <i32>difference : UNKNOWN_LEAP
}

/** Seconds since the week began, of POSIX or GPS-like seconds since 1970. */
function timeOfWeek(seconds: i64): i64 {
  return (((seconds - GPS_EPOCH) % WEEK) + WEEK) % WEEK
}

// ---- judgement

/** The latest pulse has just been confirmed. Is its label valid? */
function judge(): bool {
  const fault = objection()
  if (fault === LabelFault.None) {
    publish()
    return true
  }
  // What is withheld only because an earlier clock says otherwise may be shown to others who know the time.
  if (fault === LabelFault.HintDisagrees) fill()
  if (fault === LabelFault.TimTpDisagrees) lose(fault)
  else withhold(fault)
  return false
}

function objection(): u32 {
  if (spoofed) return LabelFault.Spoofed
  if (timTpDisagrees()) return LabelFault.TimTpDisagrees
  if (agreed < (hintAgrees() ? CONFIRMATIONS : CONFIRMATIONS_ALONE)) return LabelFault.Earning
  if (timeLsFresh()) {
    if (!timeLsTrusted) return LabelFault.LeapUnknown
    if (leap !== timeLsCurrent && !leapTwilight()) return LabelFault.LeapDisagrees
  } else if (fixSeconds < LEAP_WAIT && !hintAgrees()) {
    return LabelFault.LeapUnknown
  }
  if (fixSeconds >= LEAP_WAIT) return LabelFault.None
  if (hintContradicts()) return LabelFault.HintDisagrees
  return rolled && !hinted ? LabelFault.RolledOver : LabelFault.None
}

function publish(): void {
  fill()
  LABEL.valid = 1
  reason = LabelFault.None
  // The valid label is the earlier clock of the next one.
  hinted = true
  hintSecond = second
  hintTicks = <i64>pulseTicks - (inLeap ? SECOND : 0)
  hintError = SECOND / 1000
}

function fill(): void {
  const sawtooth = tpPulse === pulseNumber ? tpLatePicos : 0
  LABEL.ticks = pulseTicks
  LABEL.second = second
  LABEL.leapSecond = inLeap ? 1 : 0
  LABEL.errorNanos = accuracy + (sawtooth === 0 ? QUANTISATION : 0)
  LABEL.sawtoothPicos = sawtooth
  LABEL.taiOffset = leap === UNKNOWN_LEAP ? 0 : leap + TAI_GPS
  const announced = leapChange !== 0 && second <= leapAt
  LABEL.leapWarning = announced ? <i8>leapChange : 0
  LABEL.leapAt = announced ? leapAt : 0
  LABEL.rollover = rolled ? 1 : 0
}

/** Not valid, but the count of seconds goes on. */
function withhold(fault: u32): void {
  if (LABEL.valid !== 0) count(fault)
  LABEL.valid = 0
  reason = fault
}

/** The label and the count are lost; both must be earned again. */
function lose(fault: u32): void {
  if (tracked || LABEL.valid !== 0) count(fault)
  LABEL.valid = 0
  tracked = false
  confirmed = false
  inLeap = false
  agreed = 0
  missed = 0
  // Whatever interrupted the count may have been a leap second or a restart: leap seconds are asked for anew.
  timeLsSeen = false
  reason = fault
}

function count(fault: u32): void {
  const at = COUNTS + (fault << 2)
  store<u32>(at, load<u32>(at) + 1)
}

// ---- leap seconds

/** NAV-TIMELS that arrived at `ticks`. */
export function labelTimeLs(message: TimeLs, ticks: u64): void {
  timeLsSeen = true
  timeLsTicks = ticks
  timeLsTrusted = (message.valid & 1) !== 0 && message.source >= 1 && message.source <= 7
  timeLsCurrent = message.current
  if (LABEL.valid !== 0 && !timeLsTrusted) withhold(LabelFault.LeapUnknown)
  if (tracked && timeLsTrusted && !leapTwilight()) schedule(message)
}

function timeLsFresh(): bool {
  return timeLsSeen && pulseTicks < timeLsTicks + TIME_LS_LIFE
}

/** Close to a leap second, before or after, messages may already or still count without it. */
function leapTwilight(): bool {
  return leapChange !== 0 && second >= leapAt - LEAP_TWILIGHT && second <= leapAt + LEAP_TWILIGHT
}

/** Takes over the announcement, or its end. The event must lie at a midnight which begins a month. */
function schedule(message: TimeLs): void {
  leapChange = 0
  if ((message.valid & 2) === 0 || message.changeSource === 0 || message.changeSource === 255) return
  if ((message.change !== 1 && message.change !== -1) || message.toEvent <= 0) return
  if (leap === UNKNOWN_LEAP || message.towMillis >= 604_800_000) return
  // The message's epoch is the tracked second or one shortly before it.
  const behind = (timeOfWeek(second + <i64>leap) - <i64>((message.towMillis + 500) / 1000) + WEEK) % WEEK
  if (behind > 5) return
  const event = second - behind + <i64>message.toEvent
  const midnight = ((event + 43_200) / 86_400) * 86_400
  if (event - midnight > 2 || midnight - event > 2) return
  civilFromUnix(midnight, CIVIL)
  if (CIVIL.day !== 1) return
  leapChange = message.change
  leapAt = midnight - 1
}

// ---- TIM-TP

/** TIM-TP that arrived after the latest pulse: it announces the next one. */
export function labelTimTp(message: TimTp): void {
  tpPulse = pulseNumber + 1
  tpTow = message.tow
  tpUtc = message.utc !== 0
  tpUtcAvailable = message.utcAvailable !== 0
  tpLatePicos = message.tow === NO_TOW ? 0 : message.latePicos
}

function timTpDisagrees(): bool {
  if (tpPulse !== pulseNumber || tpTow === NO_TOW || leapTwilight()) return false
  if (tpUtc) return tpUtcAvailable && timeOfWeek(second) !== <i64>tpTow
  return leap !== UNKNOWN_LEAP && timeOfWeek(second + <i64>leap) !== <i64>tpTow
}

// ---- hints

/**
 * An earlier clock: at `ticks` UTC was `time`, within `errorNanos`. Never tell the receiver's own time back to it. The
 * sharper of two hints stays; over the beginning of a month the newer one, which may know of a leap second.
 */
export function labelHint(time: Instant, ticks: u64, errorNanos: u64): void {
  const error = ticksOfNanos(errorNanos) + SECOND / 1000
  if (hinted && error > boundAt(<i64>ticks) && monthOf(hintSecond) === monthOf(time.seconds)) return
  hinted = true
  hintSecond = time.seconds
  hintTicks = <i64>ticks - <i64>((<u64>time.fraction * TICKS_PER_SECOND) >> 32) - (time.leap !== 0 ? SECOND : 0)
  hintError = error
}

/** Saturates at a century. */
function ticksOfNanos(nanos: u64): i64 {
  const bounded = nanos < 3_000_000_000_000_000_000 ? nanos : 3_000_000_000_000_000_000
  return <i64>(bounded / 1_000_000_000) * SECOND + <i64>(((bounded % 1_000_000_000) * 16) / 1000)
}

/** Bound of the hint's error at the latest pulse, in ticks. */
function hintBound(): i64 {
  return boundAt(<i64>pulseTicks)
}

function boundAt(ticks: i64): i64 {
  const age = ticks - hintTicks
  return hintError + (age < 0 ? -age : age) / HINT_DRIFT
}

/** How far the label is ahead of the hint, in ticks. */
function hintOffset(): i64 {
  let advanced = second - hintSecond + (inLeap ? 1 : 0)
  advanced += leapBetween(leapChange, leapAt) + leapBetween(pastChange, pastLeapAt)
  const elapsed = <i64>pulseTicks - hintTicks
  // Dates centuries apart would not fit into ticks.
  if (advanced > 10_000_000_000 || advanced < -10_000_000_000) return i64.MAX_VALUE
  return advanced * SECOND - elapsed
}

/** Seconds that a leap second added to the time between hint and label. */
function leapBetween(change: i32, at: i64): i64 {
  return change !== 0 && hintSecond <= at && second > at ? <i64>change : 0
}

function hintContradicts(): bool {
  if (!hinted) return false
  const offset = hintOffset()
  return offset > hintBound() || offset < -hintBound()
}

/**
 * The hint is sharp enough to tell one second from the next, and says the same. Not over the beginning of a month: there
 * may have been a leap second of which neither knew, and then they agree on what is wrong.
 */
function hintAgrees(): bool {
  return hinted && hintBound() < SHARP && !hintContradicts() && monthOf(hintSecond) === monthOf(second + MONTH_MARGIN)
}

/** Months since year 0. */
function monthOf(seconds: i64): i32 {
  civilFromUnix(seconds, CIVIL)
  return CIVIL.year * 12 + CIVIL.month
}

// ---- integrity

/** NAV-STATUS spoofDetState: 3 withholds the label for as long as it lasts. */
export function labelSpoofing(state: i32): void {
  spoofed = state === 3
  if (spoofed) withhold(LabelFault.Spoofed)
}
