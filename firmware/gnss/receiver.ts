// The receiver: bytes and pulses in, labelled pulses out. "The edge at tick T began UTC second N, within e."
//
// A report and a pulse come by separate wires; that they belong together is decided by arrival. The receiver sends its
// messages for a second some tens to hundreds of milliseconds after the pulse which began it:
//
//     pulse N          burst of messages: "N", "the next pulse is N+1"          pulse N+1
//     |----- >= MIN_DELAY ----|=============|  ends by MAX_DELAY ...            |
//     ... silence ............|                 silence ........................|
//
// A report is taken for pulse N only when the burst that carries it began after the pulse and out of silence. So a line
// that has fallen behind (too slow for what is sent over it) never gives a time: its bursts have no beginning.
// Bytes that the machine was late to read are not dated either. All times are ticks of hal/abi.

import { TICKS_PER_SECOND, ubloxHeard, ubloxHeardSentence } from '../drivers/ublox'
import { Ubx } from '../drivers/ubx_frame'
import { Instant } from '../time/instant'
import { BUILD_SECOND } from './build_date'
import {
  LabelFault,
  labelBystander,
  labelEdge,
  labelEdgesLost,
  labelFaults,
  labelHint,
  labelInit,
  labelPivotYear,
  labelPulse,
  labelPulseTicks,
  labelReason,
  labelReport,
  labelSpoofing,
  labelTick,
  labelTimeLs,
  labelTimTp,
} from './label'
import { decodeGgaFix, decodeRmc, decodeZda, nmeaKind, Sentence } from './nmea'
import { Pulse } from './pulse'
import {
  StreamItem,
  streamAddress,
  streamBreak,
  streamFresh,
  streamInit,
  streamLength,
  streamMessage,
  streamNext,
  streamPayload,
  streamPayloadLength,
  streamPush,
} from './stream'
import { reportOnSecond, TIME_REPORT_SIZE, TimeFlag, TimeReport, TimeSource } from './time_report'
import {
  decodeHwJamming,
  decodeNavPvt,
  decodeNavTimeLs,
  decodeNavTimeUtc,
  decodeRfJamming,
  decodeSpoofing,
  decodeTimTp,
  TIM_TP_SIZE,
  TIME_LS_SIZE,
  TimeLs,
  TimTp,
} from './ubx_messages'

const MILLISECOND: u64 = TICKS_PER_SECOND / 1000
/** A burst that begins sooner after the pulse may be the end of the second before. */
const MIN_DELAY: u64 = 10 * MILLISECOND
/** The last byte of a report comes within this time after the pulse. */
const MAX_DELAY: u64 = 900 * MILLISECOND
/** Silence that separates bursts; and what each byte read at once may have taken on the line (4800 baud). */
const SILENCE: u64 = 20 * MILLISECOND
const BYTE_TIME: u64 = 2 * MILLISECOND + MILLISECOND / 10
/** A pulse that is told later than this shows that the machine was busy elsewhere, and its reading late. */
const STALL: u64 = 10 * MILLISECOND
/** Bytes read so soon after a stall had been waiting. */
const STALL_SHADOW: u64 = 5 * MILLISECOND
/** States of spoofing from which on it is indicated, and of jamming from which on it is critical; and how often in a row. */
const SPOOFED: i32 = 2
const JAMMED: i32 = 3
const WARNINGS: u32 = 2
/** A better source silences a lesser one for this long. */
const SOURCE_LIFE: u64 = 10 * TICKS_PER_SECOND

const REPORT = changetype<TimeReport>(memory.data(<i32>TIME_REPORT_SIZE, 8))
const FIX_TIME = changetype<TimeReport>(memory.data(<i32>TIME_REPORT_SIZE, 8))
const TIME_LS = changetype<TimeLs>(memory.data(<i32>TIME_LS_SIZE, 8))
const TIM_TP = changetype<TimTp>(memory.data(<i32>TIM_TP_SIZE, 8))

/** First byte of the present burst; 0 when its bytes are not dated. */
let burstTicks: u64 = 0
let lastByteTicks: u64 = 0
let stallTicks: u64 = 0
let ready: bool = false
/** Messages in a row that said spoofed, and jammed. They come every five seconds. */
let spoofed: u32 = 0
let jammed: u32 = 0
/** A label was withheld because an earlier clock contradicts it. */
let contradicted: bool = false
let bestSource: u32 = TimeSource.None
let bestSourceTicks: u64 = 0
/** The last GGA or RMC of this burst said that there is a fix at the time of day in FIX_TIME. */
let nmeaFixed: bool = false

/** Forgets everything. */
export function receiverInit(): void {
  receiverInitAt(BUILD_SECOND)
}

/** As `receiverInit`, for a firmware made at POSIX second `built`. */
export function receiverInitAt(built: i64): void {
  streamInit()
  labelInit(built)
  burstTicks = 0
  lastByteTicks = 0
  stallTicks = 0
  ready = false
  contradicted = false
  spoofed = 0
  jammed = 0
  bestSource = TimeSource.None
  nmeaFixed = false
}

/** A rising edge of the pulse at `edgeTicks`, told at `now`. Tell each edge once, as soon as it is known. */
export function receiverPulse(edgeTicks: u64, now: u64): void {
  if (now > edgeTicks + STALL) {
    stallTicks = now
    burstTicks = 0
  }
  ready = false
  labelEdge(edgeTicks)
}

/** More edges came than could be told one by one: the next label must be earned anew. */
export function receiverPulsesLost(): void {
  ready = false
  labelEdgesLost()
}

/** `length` bytes of the UART at `data`, read at `ticks`. */
export function receiverBytes(data: usize, length: u32, ticks: u64): void {
  if (length === 0) return
  if (ticks - lastByteTicks > SILENCE + <u64>length * BYTE_TIME) {
    streamBreak()
    drain(ticks, false)
    const waited = stallTicks !== 0 && ticks < stallTicks + STALL_SHADOW
    burstTicks = waited ? 0 : ticks
    nmeaFixed = false
  }
  lastByteTicks = ticks
  for (let i: u32 = 0; i < length; i++) {
    streamPush(<u32>load<u8>(data + i))
    drain(ticks, true)
  }
}

/** Call at least once a second. True when `receiverLabel()` has a new labelled pulse; each is told once. */
export function receiverPoll(now: u64): bool {
  labelTick(now)
  const told = ready && labelPulse().valid !== 0
  ready = false
  return told
}

/**
 * True when a label has been withheld since the last call because an earlier clock contradicts it: `receiverLabel()` has it, not
 * valid. Whoever knows the time from elsewhere may judge it.
 */
export function receiverContradicted(): bool {
  const told = contradicted
  contradicted = false
  return told && labelReason() === LabelFault.HintDisagrees
}

/** The receiver itself has been saying for some seconds that it is spoofed, or jammed beyond use. */
export function receiverWarns(): bool {
  return spoofed >= WARNINGS || jammed >= WARNINGS
}

/** The last labelled pulse. Its `valid` falls to 0 as soon as anything disagrees. */
export function receiverLabel(): Pulse {
  return labelPulse()
}

/** True while the label is earned. */
export function receiverValid(): bool {
  return labelPulse().valid !== 0
}

/** `LabelFault`: why there is no valid label now; 0 when there is one. */
export function receiverReason(): u32 {
  return labelReason()
}

/** How often a label was lost for this `LabelFault`. */
export function receiverFaults(fault: u32): u32 {
  return labelFaults(fault)
}

/**
 * An earlier clock that does not come from this receiver (RTC, holdover, network): at `ticks` UTC was `time`, within
 * `errorNanos`. It vouches for whole seconds, and it is contradicted only after a quarter of an hour of agreement.
 */
export function receiverHint(time: Instant, ticks: u64, errorNanos: u64): void {
  labelHint(time, ticks, errorNanos)
}

function drain(ticks: u64, live: bool): void {
  let item = streamNext()
  while (item !== StreamItem.None) {
    const fresh = live && streamFresh()
    if (item === StreamItem.Ubx) onFrame(ticks, fresh)
    else onSentence(ticks, fresh)
    item = streamNext()
  }
}

/** True when a message that is complete at `ticks` belongs to the latest pulse. */
function belongs(ticks: u64): bool {
  const pulse = labelPulseTicks()
  return pulse !== 0 && burstTicks >= pulse + MIN_DELAY && ticks <= pulse + MAX_DELAY
}

function onFrame(ticks: u64, fresh: bool): void {
  const message = streamMessage()
  const payload = streamPayload()
  const length = streamPayloadLength()
  ubloxHeard(message, payload, length, ticks)
  if (message === Ubx.NavPvt) {
    if (decodeNavPvt(payload, length, REPORT)) onReport(ticks, fresh)
  } else if (message === Ubx.NavTimeUtc) {
    if (decodeNavTimeUtc(payload, length, REPORT)) onReport(ticks, fresh)
  } else if (message === Ubx.NavTimeLs) {
    if (decodeNavTimeLs(payload, length, TIME_LS)) labelTimeLs(TIME_LS, ticks)
  } else if (message === Ubx.TimTp) {
    if (fresh && belongs(ticks) && decodeTimTp(payload, length, TIM_TP)) labelTimTp(TIM_TP)
  } else if (message === Ubx.NavStatus) {
    const state = decodeSpoofing(payload, length)
    if (state < 0) return
    labelSpoofing(state)
    spoofed = state >= SPOOFED ? spoofed + 1 : 0
  } else if (message === Ubx.MonHw) onJamming(decodeHwJamming(payload, length))
  else if (message === Ubx.MonRf) onJamming(decodeRfJamming(payload, length))
}

function onJamming(state: i32): void {
  if (state >= 0) jammed = state >= JAMMED ? jammed + 1 : 0
}

function onSentence(ticks: u64, fresh: bool): void {
  const p = streamAddress()
  const length = streamLength()
  const kind = nmeaKind(p, length)
  ubloxHeardSentence(ticks)
  if (kind === Sentence.Rmc) {
    if (!decodeRmc(p, length, labelPivotYear(), REPORT)) {
      // Without a time: the receiver has just started.
      REPORT.flags = 0
      REPORT.source = TimeSource.Nmea
    }
    rememberFix((REPORT.flags & TimeFlag.Fix) !== 0, REPORT)
    onReport(ticks, fresh)
  } else if (kind === Sentence.Gga) {
    const fixed = decodeGgaFix(p, length, REPORT)
    rememberFix(fixed, REPORT)
  } else if (kind === Sentence.Zda) {
    // A ZDA before its RMC or GGA says nothing yet.
    if (decodeZda(p, length, nmeaFixed, REPORT) && nmeaFixed && sameTimeOfDay()) onReport(ticks, fresh)
  }
}

function rememberFix(fixed: bool, report: TimeReport): void {
  nmeaFixed = fixed
  memory.copy(changetype<usize>(FIX_TIME), changetype<usize>(report), TIME_REPORT_SIZE)
}

function sameTimeOfDay(): bool {
  return (
    REPORT.hour === FIX_TIME.hour &&
    REPORT.minute === FIX_TIME.minute &&
    REPORT.second === FIX_TIME.second &&
    REPORT.nanos === FIX_TIME.nanos
  )
}

function onReport(ticks: u64, fresh: bool): void {
  if (!isBestSource(REPORT.source, ticks)) return
  if (fresh && belongs(ticks) && reportOnSecond(REPORT)) {
    ready = labelReport(REPORT) || (ready && receiverValid())
    contradicted = labelReason() === LabelFault.HintDisagrees
  } else labelBystander(REPORT)
}

function isBestSource(source: u32, ticks: u64): bool {
  if (source < bestSource && ticks < bestSourceTicks + SOURCE_LIFE) return false
  bestSource = source
  bestSourceTicks = ticks
  return true
}
