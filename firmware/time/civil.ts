// Civil dates of the proleptic Gregorian calendar and POSIX seconds (UTC, 86400-second days).

/** Days from 1970-01-01 to the given date. `month` 1..12, `day` 1..31; any year. */
export function daysFromCivil(year: i32, month: i32, day: i32): i32 {
  // Years begin in March, so that the leap day is the last of its year.
  const y = month <= 2 ? year - 1 : year
  const era = (y >= 0 ? y : y - 399) / 400
  const yearOfEra = y - era * 400
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** A date and time of day. 24 bytes, 4-aligned. */
@unmanaged
export class Civil {
  year: i32
  /** 1..12 */
  month: i32
  /** 1..31 */
  day: i32
  /** 0..23 */
  hour: i32
  /** 0..59 */
  minute: i32
  /** 0..60; 60 is an inserted leap second */
  second: i32
}

/** Bytes of a `Civil`. */
export const CIVIL_SIZE: usize = 24

/** POSIX seconds of a civil time. A second of 60 counts as the next minute's 0. */
export function unixFromCivil(civil: Civil): i64 {
  const days = daysFromCivil(civil.year, civil.month, civil.day)
  return <i64>days * 86_400 + <i64>(civil.hour * 3600 + civil.minute * 60 + civil.second)
}

/** Writes the civil time of a POSIX second to `out`. */
export function civilFromUnix(seconds: i64, out: Civil): void {
  let days = <i32>(seconds / 86_400)
  let rest = <i32>(seconds - <i64>days * 86_400)
  if (rest < 0) {
    rest += 86_400
    days -= 1
  }
  out.hour = rest / 3600
  out.minute = (rest / 60) % 60
  out.second = rest % 60
  const z = days + 719_468
  const era = (z >= 0 ? z : z - 146_096) / 146_097
  const dayOfEra = z - era * 146_097
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  const shifted = (5 * dayOfYear + 2) / 153
  out.day = dayOfYear - (153 * shifted + 2) / 5 + 1
  out.month = shifted < 10 ? shifted + 3 : shifted - 9
  out.year = yearOfEra + era * 400 + (out.month <= 2 ? 1 : 0)
}

/** Weekday of a POSIX second: 1 Monday .. 7 Sunday (ISO 8601). */
export function weekday(seconds: i64): i32 {
  let days = <i32>(seconds / 86_400)
  if (<i64>days * 86_400 > seconds) days -= 1
  const shifted = (days + 3) % 7
  return (shifted < 0 ? shifted + 7 : shifted) + 1
}
