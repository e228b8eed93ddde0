// NMEA 0183 sentences: `$ talker(2) formatter(3) , fields * hh CR LF`, hh the XOR of all between `$` and `*`.
//
// RMC and ZDA tell the time; GGA tells whether there is a fix; all others are passed over. RMC and ZDA describe the
// pulse that preceded them.

import { NO_TOW, TimeFlag, TimeReport, TimeSource } from './time_report'

/** Longest sentence that is taken, `$` to the last digit of the checksum. The standard says 82, receivers say more. */
export const NMEA_MAX: u32 = 160

const DOLLAR: u32 = 0x24
const STAR: u32 = 0x2a
const COMMA: u32 = 0x2c
const DOT: u32 = 0x2e

/** Accuracy claimed for the pulse of a receiver that does not tell its own: ns. Wide on purpose. */
export const NMEA_ACCURACY: u32 = 10_000

export const enum Sentence {
  Other = 0,
  Rmc = 1,
  Zda = 2,
  Gga = 3,
}

/**
 * Examines `available` bytes at `p`, of which the first `seen` were examined before and found good. Returns the
 * sentence's length, `$` to checksum, when it is complete and the checksum holds; 0 when more bytes are needed; -1 when
 * no sentence begins here.
 */
export function nmeaExamine(p: usize, seen: u32, available: u32): i32 {
  if (available >= 1 && <u32>load<u8>(p) !== DOLLAR) return -1
  const from = seen < 1 ? 1 : seen
  for (let i: u32 = from; i < available; i++) {
    const char = <u32>load<u8>(p + i)
    if (i >= 3 && <u32>load<u8>(p + i - 2) === STAR) return checksumHolds(p, i - 2) ? <i32>(i + 1) : -1
    if (char < 0x20 || char > 0x7e || char === DOLLAR || i >= NMEA_MAX) return -1
  }
  return 0
}

function checksumHolds(p: usize, star: u32): bool {
  let sum: u32 = 0
  for (let i: u32 = 1; i < star; i++) sum ^= <u32>load<u8>(p + i)
  return hexValue(<u32>load<u8>(p + star + 1)) * 16 + hexValue(<u32>load<u8>(p + star + 2)) === sum
}

/** Value of a hexadecimal digit; 4096 for any other character, so that no sum fits. */
function hexValue(char: u32): u32 {
  if (char >= 0x30 && char <= 0x39) return char - 0x30
  const upper = char & ~0x20
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x37 : 4096
}

/** Which sentence this is; any talker of two capitals (GP GN GL GA BD GB GQ QZ ...) is taken. */
export function nmeaKind(p: usize, length: u32): Sentence {
  if (length < 10 || !isCapital(<u32>load<u8>(p, 1)) || !isCapital(<u32>load<u8>(p, 2))) return Sentence.Other
  // A talker of P is a maker's own sentence.
  if (<u32>load<u8>(p, 1) === 0x50 || <u32>load<u8>(p, 6) !== COMMA) return Sentence.Other
  const name = ((<u32>load<u8>(p, 3)) << 16) | ((<u32>load<u8>(p, 4)) << 8) | <u32>load<u8>(p, 5)
  if (name === 0x524d43) return Sentence.Rmc
  if (name === 0x5a4441) return Sentence.Zda
  return name === 0x474741 ? Sentence.Gga : Sentence.Other
}

function isCapital(char: u32): bool {
  return char >= 0x41 && char <= 0x5a
}

/**
 * RMC: `,hhmmss.ss,status,lat,N,lon,E,speed,course,ddmmyy,variation,E[,mode[,navStatus]]`. Writes the report and returns
 * true; false when time or date are missing or malformed. A two-digit year becomes the one within -49..+50 years of
 * `pivotYear`.
 */
export function decodeRmc(p: usize, length: u32, pivotYear: i32, out: TimeReport): bool {
  if (!decodeTime(p, length, 1, out)) return false
  const date = fieldAt(p, length, 9)
  if (fieldLength(p, length, date) !== 6) return false
  out.day = digits(p + date, 2)
  out.month = digits(p + date + 2, 2)
  const year = digits(p + date + 4, 2)
  if (out.day < 0 || out.month < 0 || year < 0) return false
  out.year = fullYear(year, pivotYear)
  const fixed = single(p, length, 2) === 0x41 && isRealFix(single(p, length, 12))
  setFlags(out, fixed)
  return true
}

/** Mode indicator: absent before NMEA 2.3; N no fix, E estimated, M manual and S simulator are not the sky's time. */
function isRealFix(mode: u32): bool {
  return mode !== 0x4e && mode !== 0x45 && mode !== 0x4d && mode !== 0x53
}

/** ZDA: `,hhmmss.ss,dd,mm,yyyy,zone,minutes`. It does not tell of the fix: `fixed` must be known from a neighbour. */
export function decodeZda(p: usize, length: u32, fixed: bool, out: TimeReport): bool {
  if (!decodeTime(p, length, 1, out)) return false
  out.day = number(p, length, 2, 2)
  out.month = number(p, length, 3, 2)
  out.year = number(p, length, 4, 4)
  if (out.day < 0 || out.month < 0 || out.year < 0) return false
  setFlags(out, fixed)
  return true
}

/** GGA: `,hhmmss.ss,lat,N,lon,E,quality,...`. Writes the time of day; true when the quality says a real fix (1..5). */
export function decodeGgaFix(p: usize, length: u32, out: TimeReport): bool {
  if (!decodeTime(p, length, 1, out)) return false
  const quality = single(p, length, 6)
  return quality >= 0x31 && quality <= 0x35
}

/** `year` of 0..99 to the year within -49..+50 of `pivot`. */
export function fullYear(year: i32, pivot: i32): i32 {
  const first = pivot - 49
  return first + ((((year - first) % 100) + 100) % 100)
}

function setFlags(out: TimeReport, fixed: bool): void {
  // NMEA has no word for validity beyond the fix; the wait for leap seconds (label.ts) stands in for it.
  out.flags = TimeFlag.Date | TimeFlag.Time | (fixed ? TimeFlag.Resolved | TimeFlag.Fix : 0)
  out.accuracyNanos = NMEA_ACCURACY
  out.towMillis = NO_TOW
  out.source = TimeSource.Nmea
}

/** hhmmss or hhmmss.s(ssssssss) in field `index`. */
function decodeTime(p: usize, length: u32, index: u32, out: TimeReport): bool {
  const at = fieldAt(p, length, index)
  const size = fieldLength(p, length, at)
  if (size < 6) return false
  out.hour = digits(p + at, 2)
  out.minute = digits(p + at + 2, 2)
  out.second = digits(p + at + 4, 2)
  if (out.hour < 0 || out.minute < 0 || out.second < 0) return false
  out.nanos = 0
  if (size === 6) return true
  if (<u32>load<u8>(p + at + 6) !== DOT || size > 16) return false
  let scale: i32 = 100_000_000
  for (let i: u32 = 7; i < size; i++) {
    const digit = digits(p + at + i, 1)
    if (digit < 0) return false
    out.nanos += digit * scale
    scale /= 10
  }
  return true
}

/** Offset of field `index` (0: the address); the offset of `*` when there are fewer fields. */
function fieldAt(p: usize, length: u32, index: u32): u32 {
  let at: u32 = 1
  let rest = index
  while (rest !== 0 && at < length) {
    const char = <u32>load<u8>(p + at)
    if (char === STAR) return at
    if (char === COMMA) rest--
    at++
  }
  return at
}

/** Characters of the field at offset `at`. */
function fieldLength(p: usize, length: u32, at: u32): u32 {
  let end = at
  while (end < length && <u32>load<u8>(p + end) !== COMMA && <u32>load<u8>(p + end) !== STAR) end++
  return end - at
}

/** The character of a field of one character; 0 for any other field. */
function single(p: usize, length: u32, index: u32): u32 {
  const at = fieldAt(p, length, index)
  return fieldLength(p, length, at) === 1 ? <u32>load<u8>(p + at) : 0
}

/** A field of exactly `width` digits; -1 for any other. */
function number(p: usize, length: u32, index: u32, width: u32): i32 {
  const at = fieldAt(p, length, index)
  return fieldLength(p, length, at) === width ? digits(p + at, width) : -1
}

/** `count` decimal digits at `p`; -1 when one is not a digit. */
function digits(p: usize, count: u32): i32 {
  let value: i32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const digit = <i32>load<u8>(p + i) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}
