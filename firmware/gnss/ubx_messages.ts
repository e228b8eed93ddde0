// The UBX messages that the receiver understands, field by field (u-blox 8/M8 protocol specification UBX-13003221,
// chapter 32; M10 interface description UBX-21035062). Payload addresses need no alignment.

import { loadU16le, loadU32le } from '../bytes/endian'
import { NO_TOW, TimeFlag, TimeReport, TimeSource } from './time_report'

/** NAV-PVT is 84 bytes on protocol 14 and 92 from 15 on; what is read lies below 24. */
const NAV_PVT_MIN: u32 = 84
const NAV_TIMEUTC_LENGTH: u32 = 20
const NAV_TIMELS_LENGTH: u32 = 24
const NAV_STATUS_LENGTH: u32 = 16
const TIM_TP_LENGTH: u32 = 16
const MON_HW_LENGTH: u32 = 60
const MON_RF_HEAD: u32 = 4
const MON_RF_BLOCK: u32 = 24

/** NAV-PVT to a report. False: not a NAV-PVT. */
export function decodeNavPvt(p: usize, length: u32, out: TimeReport): bool {
  if (length < NAV_PVT_MIN) return false
  loadDate(p + 4, out)
  out.towMillis = loadU32le(p)
  out.accuracyNanos = loadU32le(p + 12)
  out.nanos = <i32>loadU32le(p + 16)
  out.source = TimeSource.NavPvt
  // valid: b0 validDate, b1 validTime, b2 fullyResolved: the same bits as TimeFlag's.
  let flags = <u32>load<u8>(p, 11) & 7
  const fixType = <u32>load<u8>(p, 20)
  // Dead reckoning alone (1) keeps a position, not the time.
  if ((<u32>load<u8>(p, 21) & 1) !== 0 && fixType >= 2 && fixType <= 5) flags |= TimeFlag.Fix
  const flags2 = <u32>load<u8>(p, 22)
  if ((flags2 & 0x20) !== 0) flags |= TimeFlag.ConfirmAvailable
  if ((flags2 & 0xc0) === 0xc0) flags |= TimeFlag.Confirmed
  out.flags = flags
  return true
}

/** NAV-TIMEUTC to a report; for receivers that know no NAV-PVT. Its validUTC (b2) stands for both Resolved and Fix. */
export function decodeNavTimeUtc(p: usize, length: u32, out: TimeReport): bool {
  if (length !== NAV_TIMEUTC_LENGTH) return false
  loadDate(p + 12, out)
  out.towMillis = loadU32le(p)
  out.accuracyNanos = loadU32le(p + 4)
  out.nanos = <i32>loadU32le(p + 8)
  out.source = TimeSource.NavTimeUtc
  const valid = <u32>load<u8>(p, 19) & 7
  out.flags = valid === 7 ? TimeFlag.Date | TimeFlag.Time | TimeFlag.Resolved | TimeFlag.Fix : valid & 3
  return true
}

/** `year u16 | month | day | hour | minute | second`, as in NAV-PVT and NAV-TIMEUTC. */
function loadDate(p: usize, out: TimeReport): void {
  out.year = <i32>loadU16le(p)
  out.month = <i32>load<u8>(p, 2)
  out.day = <i32>load<u8>(p, 3)
  out.hour = <i32>load<u8>(p, 4)
  out.minute = <i32>load<u8>(p, 5)
  out.second = <i32>load<u8>(p, 6)
}

/** NAV-TIMELS. 28 bytes, 4-aligned. */
@unmanaged
export class TimeLs {
  /** GPS time of week of the epoch, ms. */
  towMillis: u32
  /** srcOfCurrLs: 0 firmware default, 1 GPS-GLONASS difference, 2 GPS, 3 SBAS, 4 BeiDou, 5 Galileo ..., 255 unknown. */
  source: u32
  /** currLs: GPS - UTC now, s. */
  current: i32
  /** srcOfLsChange: 0 none, 2 GPS ... */
  changeSource: u32
  /** lsChange: +1, -1 or 0. */
  change: i32
  /** timeToLsEvent: s until the event, counted from the epoch; negative after it. */
  toEvent: i32
  /** valid: b0 validCurrLs, b1 validTimeToLsEvent. */
  valid: u32
}

/** Bytes of a `TimeLs`. */
export const TIME_LS_SIZE: usize = 28

export function decodeNavTimeLs(p: usize, length: u32, out: TimeLs): bool {
  if (length !== NAV_TIMELS_LENGTH) return false
  out.towMillis = loadU32le(p)
  out.source = <u32>load<u8>(p, 8)
  out.current = <i32>load<i8>(p, 9)
  out.changeSource = <u32>load<u8>(p, 10)
  out.change = <i32>load<i8>(p, 11)
  out.toEvent = <i32>loadU32le(p + 12)
  out.valid = <u32>load<u8>(p, 23)
  return true
}

/** TIM-TP, rounded to the second that it announces. 20 bytes, 4-aligned. */
@unmanaged
export class TimTp {
  /** Time of week of the next pulse in whole seconds, or `NO_TOW` when the pulse is not on a whole second. */
  tow: u32
  week: u32
  /** 1: tow and week are UTC; 0: of the GNSS time grid. */
  utc: u32
  /** 1: the receiver knows UTC. */
  utcAvailable: u32
  /**
   * The pulse comes this much late, ps. The message's qErr is the correction to add to the measured edge
   * (u-blox F9T against a reference: anderswallin.net 2019-10), so this is -qErr; 0 when it is marked invalid.
   */
  latePicos: i32
}

/** Bytes of a `TimTp`. */
export const TIM_TP_SIZE: usize = 20

export function decodeTimTp(p: usize, length: u32, out: TimTp): bool {
  if (length !== TIM_TP_LENGTH) return false
  // towSubMS is in 2^-32 ms; values such as 0.99999997 ms occur and mean the next millisecond.
  const towMillis = <u64>loadU32le(p) + (loadU32le(p + 4) >>> 31)
  out.tow = towMillis % 1000 === 0 ? <u32>((towMillis / 1000) % 604_800) : NO_TOW
  out.week = loadU16le(p + 12)
  const flags = <u32>load<u8>(p, 14)
  out.utc = flags & 1
  out.utcAvailable = (flags >> 1) & 1
  const qErr = <i32>loadU32le(p + 8)
  // More than a microsecond is no quantisation error.
  const usable = (flags & 0x10) === 0 && qErr > -1_000_000 && qErr < 1_000_000
  out.latePicos = usable ? -qErr : 0
  return true
}

/** NAV-STATUS flags2 spoofDetState: 0 off or unknown, 1 none, 2 indicated, 3 several indications. -1: not a NAV-STATUS. */
export function decodeSpoofing(p: usize, length: u32): i32 {
  if (length !== NAV_STATUS_LENGTH) return -1
  return <i32>((<u32>load<u8>(p, 7) >> 3) & 3)
}

/** MON-HW flags jammingState: 0 unknown or off, 1 none, 2 visible, but the fix is good, 3 critical. -1: not a MON-HW. */
export function decodeHwJamming(p: usize, length: u32): i32 {
  if (length !== MON_HW_LENGTH) return -1
  return <i32>((<u32>load<u8>(p, 22) >> 2) & 3)
}

/** MON-RF, which takes MON-HW's place from protocol 27 on: the worst jammingState of its antenna blocks. -1: not a MON-RF. */
export function decodeRfJamming(p: usize, length: u32): i32 {
  if (length < MON_RF_HEAD + MON_RF_BLOCK) return -1
  const blocks = <u32>load<u8>(p, 1)
  if (blocks === 0 || length < MON_RF_HEAD + blocks * MON_RF_BLOCK) return -1
  let worst: u32 = 0
  for (let i: u32 = 0; i < blocks; i++) worst = max(worst, <u32>load<u8>(p + MON_RF_HEAD + i * MON_RF_BLOCK, 1) & 3)
  return <i32>worst
}
