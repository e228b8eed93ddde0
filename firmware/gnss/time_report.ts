// What one message of the receiver says about one moment: the common form of NAV-PVT, NAV-TIMEUTC, RMC and ZDA.

import { daysFromCivil } from '../time/civil'

/** Bits of `TimeReport.flags`. */
export const enum TimeFlag {
  /** The date, and the time of day, are valid (UBX validDate, validTime). */
  Date = 1,
  Time = 2,
  /** No ambiguity of whole seconds is left (UBX fullyResolved). */
  Resolved = 4,
  /** The receiver has a position or time fix within its limits. */
  Fix = 8,
  /** The receiver can confirm date and time from a second source (UBX confirmedAvai), and has done so. */
  ConfirmAvailable = 16,
  Confirmed = 32,
}

/** `TimeReport.towMillis` when the message does not say. */
export const NO_TOW: u32 = 0xffff_ffff

/** Who says so; a higher source silences the lower ones. */
export const enum TimeSource {
  None = 0,
  Nmea = 1,
  NavTimeUtc = 2,
  NavPvt = 3,
}

/** 48 bytes, 4-aligned. The moment is the civil time plus `nanos`, which may be negative: UBX rounds its fields. */
@unmanaged
export class TimeReport {
  year: i32
  month: i32
  day: i32
  hour: i32
  minute: i32
  /** 0..60 */
  second: i32
  /** -1e9..1e9 */
  nanos: i32
  /** The receiver's own accuracy bound, ns; 0xFFFFFFFF when it knows none. */
  accuracyNanos: u32
  /** GPS time of week of the epoch, ms (UBX iTOW), or `NO_TOW`. */
  towMillis: u32
  flags: u32
  source: u32
  reserved: u32
}

/** Bytes of a `TimeReport`. */
export const TIME_REPORT_SIZE: usize = 48

/** Largest distance of an epoch from a whole second, ns; the receiver's clock is kept within 1 ms. */
const WHOLE_SECOND: i32 = 10_000_000

/** False when a field is impossible. Years before 1970 and after 2199 are. */
export function reportPlausible(report: TimeReport): bool {
  if (report.year < 1970 || report.year > 2199) return false
  if (report.month < 1 || report.month > 12) return false
  if (report.day < 1 || report.day > daysOfMonth(report.year, report.month)) return false
  if (report.hour < 0 || report.hour > 23 || report.minute < 0 || report.minute > 59) return false
  if (report.second < 0 || report.second > 60) return false
  return report.nanos >= -1_000_000_000 && report.nanos <= 1_000_000_000
}

/** True when the epoch lies on a whole second: only such a report can name a pulse. */
export function reportOnSecond(report: TimeReport): bool {
  const fraction = report.nanos
  return (fraction >= -WHOLE_SECOND && fraction <= WHOLE_SECOND) || fraction >= 1_000_000_000 - WHOLE_SECOND
}

/**
 * The POSIX second nearest to the report's moment; 23:59:60 gives the number of 23:59:59. The report is plausible.
 */
export function reportSecond(report: TimeReport): i64 {
  const second = report.second === 60 ? 59 : report.second
  const days = <i64>daysFromCivil(report.year, report.month, report.day)
  const carry: i64 = report.nanos >= 500_000_000 ? 1 : report.nanos < -500_000_000 ? -1 : 0
  return days * 86_400 + <i64>(report.hour * 3600 + report.minute * 60 + second) + carry
}

function daysOfMonth(year: i32, month: i32): i32 {
  const next = month === 12 ? daysFromCivil(year + 1, 1, 1) : daysFromCivil(year, month + 1, 1)
  return next - daysFromCivil(year, month, 1)
}
