// The last known good time, in flash: what a boot may hold against the RTC, and what is known of the RTC itself.
//
//   in    the hourly comparison of the RTC with the clock (rtc_sync.ts); the flash log
//   out   the time before which it cannot be (`clockFloor`); the RTC's offset, its drift, and when that was; TAI - UTC then, and
//         the leap second that was announced, or the last one
//
// One record of LAST_GOOD_SIZE bytes under FlashKey.LastGood: written soon after the lock (or after the servers' word), then
// once an hour. docs/trust-ladder.md has what that wears. The log gives back a record whole or not at all; a record that
// makes no sense is no record. Little-endian as memory is.
//
// The RTC bears the same second as its mark (ds3231.ts) from the moment at which the offset was measured: a mark that is
// later than the record says that the part was being set when power failed; an earlier one, or none, that it is another
// part, or that its battery was dead.
//
//   version u8 | tai u8 | leap i16 | ...    `tai`: TAI - UTC, s, 0: not known. `leap`: months from 1970-01 to the month that the
//                                            leap second's midnight begins; negative: a second is left out; 0: none is known
//
// Records from before that have zeros there.

import { FlashKey } from '../drivers/flash_keys'
import { logRead, logWrite } from '../drivers/flash_log'
import { BUILD_SECOND } from '../gnss/build_date'
import { CIVIL_SIZE, Civil, civilFromUnix, daysFromCivil } from '../time/civil'

/** 40 bytes, 8-aligned. */
@unmanaged
export class LastGood {
  version: u8
  taiOffset: u8
  leap: i16
  /** Bound of the clock's error then, ns. */
  bound: u32
  /** POSIX seconds; 0: never. */
  utc: i64
  /** RTC minus UTC then, ns. */
  offset: i64
  /** Of `offset`, the clock's own bound included, ns; `OFFSET_UNKNOWN`. */
  offsetError: u32
  /** How fast the RTC is, 1e-12, and the mean of what single comparisons differed from that. */
  drift: i32
  spread: u32
  /** Comparisons that `drift` comes from. */
  samples: u16
  /** Of the RTC then, quarter degrees C; `TEMPERATURE_UNKNOWN`. */
  temperature: i16
}

export const LAST_GOOD_SIZE: u32 = 40

export const OFFSET_UNKNOWN: u32 = 0xffff_ffff
export const TEMPERATURE_UNKNOWN: i32 = i32.MIN_VALUE
/** As the record's sixteen bits have it. */
const NO_TEMPERATURE: i32 = -0x8000

const VERSION: u8 = 1
const NANOS: i64 = 1_000_000_000
/** 2000-01-01 and 2200-01-01: what the RTC can show lies between them. */
const FIRST: i64 = 946_684_800
const LAST: i64 = 7_258_118_400
/** No DS3231 that works is this far off, 1e-12: 20 ppm. */
const DRIFT_MOST: i32 = 20_000_000
/** Offsets beyond this are not kept, ns: the part is set before. */
const OFFSET_MOST: i64 = 2 * NANOS
/** A record that is younger than this need not be renewed, s: a lock that comes and goes must not wear the flash. */
const YOUNG: i64 = 600
const MILLISECOND: u32 = 1_000_000
/** TAI - UTC was 10 s in 1972, and will not be this in the next century. */
const TAI_LEAST: i32 = 10
const TAI_MOST: i32 = 99
/** The first leap second, as months from 1970-01; and how far ahead one is announced at most: a year. */
const FIRST_LEAP: i32 = 30
const LEAP_AHEAD: i64 = 366 * 86_400

const CIVIL: Civil = changetype<Civil>(memory.data(<i32>CIVIL_SIZE, 8))
const RECORD: LastGood = changetype<LastGood>(memory.data(<i32>LAST_GOOD_SIZE, 8))

let stored: bool = false
let writes: u32 = 0

/** Reads the record. Call it in boot(), once the log is mounted. False: there is none. */
export function lastGoodLoad(): bool {
  writes = 0
  const length = logRead(FlashKey.LastGood, changetype<usize>(RECORD), LAST_GOOD_SIZE)
  stored = length === <i32>LAST_GOOD_SIZE && sensible()
  if (stored) return true
  memory.fill(changetype<usize>(RECORD), 0, <usize>LAST_GOOD_SIZE)
  lastGoodStranger()
  RECORD.temperature = <i16>NO_TEMPERATURE
  return false
}

/** What is known; `utc` is 0 when nothing is. */
export function lastGood(): LastGood {
  return RECORD
}

/** POSIX second before which it cannot be: the firmware was made then, or the time was known later than that. */
export function clockFloor(): i64 {
  return max(BUILD_SECOND, RECORD.utc - 1 - <i64>RECORD.bound / NANOS)
}

/** The RTC is not the one that the record is about, or has lost what it knew. */
export function lastGoodStranger(): void {
  lastGoodOffsetLost()
  RECORD.drift = 0
  RECORD.spread = 0
  RECORD.samples = 0
}

/** The RTC was set since, or may have been. */
export function lastGoodOffsetLost(): void {
  RECORD.offset = 0
  RECORD.offsetError = OFFSET_UNKNOWN
}

/** Nothing new would be stored: the record is some minutes old, and no worse than one with this error would be. */
export function lastGoodFresh(utc: i64, error: u32): bool {
  const age = utc - RECORD.utc
  if (!stored || age < 0 || age >= YOUNG || RECORD.offsetError === OFFSET_UNKNOWN) return false
  return RECORD.offsetError / 4 <= error + MILLISECOND
}

/** At `utc` the clock was right within `bound` ns. The RTC's offset then is another call's affair. */
export function lastGoodTime(utc: i64, bound: u64): void {
  RECORD.utc = utc
  RECORD.bound = saturated(bound)
  stored = false
}

/** At that time the RTC was `offset` ns ahead of UTC, within `error`; it has been marked with that second. */
export function lastGoodOffset(offset: i64, error: u64): void {
  RECORD.offset = offset
  RECORD.offsetError = saturated(error)
  if (offset > OFFSET_MOST || offset < -OFFSET_MOST) lastGoodOffsetLost()
}

/** At the record's time TAI - UTC was `tai` (0: not known), and this was the leap second to come, or the last one (0: none known). */
export function lastGoodLeaps(tai: i32, midnight: i64, change: i64): void {
  RECORD.taiOffset = <u8>kept(tai)
  RECORD.leap = <i16>months(midnight, change)
}

/** The record does not say so. */
export function lastGoodLeapsDiffer(tai: i32, midnight: i64, change: i64): bool {
  return <i32>RECORD.taiOffset !== kept(tai) || <i32>RECORD.leap !== months(midnight, change)
}

/** The midnight after the leap second that the record knows of; 0: none. */
export function lastGoodLeap(): i64 {
  const leap = abs(<i32>RECORD.leap)
  return leap === 0 ? 0 : <i64>daysFromCivil(1970 + leap / 12, 1 + (leap % 12), 1) * 86_400
}

/** What that leap second does: +1 inserted, -1 left out. */
export function lastGoodLeapChange(): i64 {
  return RECORD.leap < 0 ? -1 : 1
}

/** Quarter degrees C, or `TEMPERATURE_UNKNOWN`. */
export function lastGoodTemperature(): i32 {
  return RECORD.temperature === <i16>NO_TEMPERATURE ? TEMPERATURE_UNKNOWN : <i32>RECORD.temperature
}

/** Writes the record. False: the flash does not take it now. */
export function lastGoodStore(temperature: i32): bool {
  RECORD.version = VERSION
  RECORD.temperature = temperature === TEMPERATURE_UNKNOWN ? <i16>NO_TEMPERATURE : <i16>temperature
  if (!logWrite(FlashKey.LastGood, changetype<usize>(RECORD), LAST_GOOD_SIZE)) return false
  stored = true
  writes++
  return true
}

/** How often it was written since boot. */
export function lastGoodWrites(): u32 {
  return writes
}

function saturated(nanos: u64): u32 {
  return nanos >= <u64>OFFSET_UNKNOWN ? OFFSET_UNKNOWN - 1 : <u32>nanos
}

function kept(tai: i32): i32 {
  return tai < TAI_LEAST || tai > TAI_MOST ? 0 : tai
}

/** As the record has it. Leap seconds come at the end of a month: of others nothing is kept. */
function months(midnight: i64, change: i64): i32 {
  if (midnight === 0) return 0
  civilFromUnix(midnight, CIVIL)
  const leap = (CIVIL.year - 1970) * 12 + CIVIL.month - 1
  return midnight % 86_400 !== 0 || CIVIL.day !== 1 ? 0 : change < 0 ? -leap : leap
}

function sensible(): bool {
  if (RECORD.version !== VERSION || RECORD.utc < FIRST || RECORD.utc > LAST) return false
  if (RECORD.drift > DRIFT_MOST || RECORD.drift < -DRIFT_MOST || RECORD.spread > <u32>DRIFT_MOST) return false
  if (RECORD.taiOffset !== 0 && kept(<i32>RECORD.taiOffset) === 0) return false
  if (RECORD.leap !== 0 && abs(<i32>RECORD.leap) < FIRST_LEAP) return false
  if (lastGoodLeap() > RECORD.utc + LEAP_AHEAD) return false
  return RECORD.offset <= OFFSET_MOST && RECORD.offset >= -OFFSET_MOST
}
