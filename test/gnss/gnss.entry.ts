// The GNSS room for tests: receiver, driver, and the parsers one by one.

export {
  ubloxAccepted,
  ubloxBaud,
  ubloxInit,
  ubloxPoll,
  ubloxProtocol,
  ubloxRefused,
  ubloxRestarts,
  ubloxState,
} from '../../firmware/drivers/ublox'
export {
  receiverBytes,
  receiverContradicted,
  receiverFaults,
  receiverInit,
  receiverInitAt,
  receiverPoll,
  receiverPulse,
  receiverPulsesLost,
  receiverReason,
  receiverValid,
  receiverWarns,
} from '../../firmware/gnss/receiver'
export {
  streamAddress,
  streamBreak,
  streamDamaged,
  streamFrames,
  streamFresh,
  streamInit,
  streamLength,
  streamMessage,
  streamNext,
  streamNoise,
  streamPayload,
  streamPayloadLength,
  streamPush,
  streamSentences,
} from '../../firmware/gnss/stream'

import { decodeGgaFix, decodeRmc, decodeZda, fullYear, nmeaKind } from '../../firmware/gnss/nmea'
import { receiverHint, receiverLabel } from '../../firmware/gnss/receiver'
import { reportPlausible, reportSecond, TIME_REPORT_SIZE, TimeReport } from '../../firmware/gnss/time_report'
import {
  decodeHwJamming,
  decodeNavPvt,
  decodeNavTimeLs,
  decodeNavTimeUtc,
  decodeRfJamming,
  decodeTimTp,
  TimeLs,
  TimTp,
} from '../../firmware/gnss/ubx_messages'
import { INSTANT_SIZE, Instant } from '../../firmware/time/instant'

const INPUT: usize = memory.data(4096, 8)
const REPORT = changetype<TimeReport>(memory.data(<i32>TIME_REPORT_SIZE, 8))
const MESSAGE: usize = memory.data(64, 8)
const INSTANT = changetype<Instant>(memory.data(<i32>INSTANT_SIZE, 8))

export function input(): usize {
  return INPUT
}
export function report(): usize {
  return changetype<usize>(REPORT)
}
export function message(): usize {
  return MESSAGE
}
export function label(): usize {
  return changetype<usize>(receiverLabel())
}
export function hint(seconds: i64, fraction: u32, leap: u32, ticks: u64, errorNanos: u64): void {
  INSTANT.seconds = seconds
  INSTANT.fraction = fraction
  INSTANT.leap = leap
  receiverHint(INSTANT, ticks, errorNanos)
}
export function kind(p: usize, length: u32): u32 {
  return nmeaKind(p, length)
}
export function pvt(p: usize, length: u32): bool {
  return decodeNavPvt(p, length, REPORT)
}
export function timeUtc(p: usize, length: u32): bool {
  return decodeNavTimeUtc(p, length, REPORT)
}
export function rmc(p: usize, length: u32, pivot: i32): bool {
  return decodeRmc(p, length, pivot, REPORT)
}
export function zda(p: usize, length: u32): bool {
  return decodeZda(p, length, true, REPORT)
}
export function gga(p: usize, length: u32): bool {
  return decodeGgaFix(p, length, REPORT)
}
export function timeLs(p: usize, length: u32): bool {
  return decodeNavTimeLs(p, length, changetype<TimeLs>(MESSAGE))
}
export function timTp(p: usize, length: u32): bool {
  return decodeTimTp(p, length, changetype<TimTp>(MESSAGE))
}
export function hwJamming(p: usize, length: u32): i32 {
  return decodeHwJamming(p, length)
}
export function rfJamming(p: usize, length: u32): i32 {
  return decodeRfJamming(p, length)
}
export function plausible(): bool {
  return reportPlausible(REPORT)
}
export function seconds(): i64 {
  return reportSecond(REPORT)
}
export function year(twoDigits: i32, pivot: i32): i32 {
  return fullYear(twoDigits, pivot)
}
