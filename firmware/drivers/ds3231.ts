// DS3231 real-time clock on I2C, address 0x68 (Maxim data sheet 19-5170). It holds UTC in 24-hour BCD and knows nothing
// of leap seconds or of fractions; its square wave falls where its second begins.
//
// Times are POSIX seconds. Each transfer is at most 8 bytes long: 0.25 ms on the bus.
//
// The alarm registers 0x07..0x0D serve as seven bytes of battery-backed memory: the POSIX second at which we last set
// the clock (u32, counted from 2000, until 2136) and a 24-bit check, so that after a power cut the age of the setting is known.

import { i2c_transfer } from '../../hal/abi'
import { Civil, civilFromUnix, unixFromCivil, weekday } from '../time/civil'

export const enum RtcStatus {
  Ok = 0,
  /** Nobody answers on the bus. */
  Absent = 1,
  /** The oscillator has stood still: the registers are not the time. */
  Stopped = 2,
  /** The registers hold no date. */
  Invalid = 3,
}

const ADDRESS: u32 = 0x68

const SECONDS: u32 = 0x00
const ALARMS: u32 = 0x07
const CONTROL: u32 = 0x0e
const STATUS: u32 = 0x0f
const TEMPERATURE: u32 = 0x11

const STATUS_OSF: u32 = 0x80
const HOURS_12: u32 = 0x40
const HOURS_PM: u32 = 0x20
const CENTURY: u32 = 0x80

/** 2000-01-01T00:00:00Z. */
const EPOCH_2000: i64 = 946_684_800

const OUT: usize = memory.data(12, 8)
const IN: usize = memory.data(12, 8)
const CIVIL: Civil = changetype<Civil>(memory.data(24, 8))
const RESULT: usize = memory.data(8, 8)

/** Reads the time. On `Ok`, `rtcSeconds()` is the POSIX second that the part shows. */
export function rtcRead(): RtcStatus {
  if (!read(STATUS, 1)) return RtcStatus.Absent
  if ((<u32>load<u8>(IN) & STATUS_OSF) !== 0) return RtcStatus.Stopped
  return rtcReadTime()
}

/** As `rtcRead`, in one transfer, without asking whether the oscillator has stood still. */
export function rtcReadTime(): RtcStatus {
  if (!read(SECONDS, 7)) return RtcStatus.Absent
  const month = <u32>load<u8>(IN, 5)
  CIVIL.second = fromBcd(<u32>load<u8>(IN, 0))
  CIVIL.minute = fromBcd(<u32>load<u8>(IN, 1))
  CIVIL.hour = hourOf(<u32>load<u8>(IN, 2))
  CIVIL.day = fromBcd(<u32>load<u8>(IN, 4))
  CIVIL.month = fromBcd(month & 0x1f)
  CIVIL.year = 2000 + fromBcd(<u32>load<u8>(IN, 6)) + ((month & CENTURY) !== 0 ? 100 : 0)
  if (!plausible()) return RtcStatus.Invalid
  store<i64>(RESULT, unixFromCivil(CIVIL))
  return RtcStatus.Ok
}

/** The time of the last read that ended in `Ok`. */
export function rtcSeconds(): i64 {
  return load<i64>(RESULT)
}

/**
 * Sets the time: the second `seconds` begins when the part acknowledges the seconds byte, `RTC_WRITE_LEAD` ticks after
 * this call. Years 2000 to 2199. Does not touch OSF.
 */
export function rtcWriteTime(seconds: i64): bool {
  civilFromUnix(seconds, CIVIL)
  const year = CIVIL.year - 2000
  if (year < 0 || year > 199) return false
  store<u8>(OUT, SECONDS)
  store<u8>(OUT, toBcd(CIVIL.second), 1)
  store<u8>(OUT, toBcd(CIVIL.minute), 2)
  store<u8>(OUT, toBcd(CIVIL.hour), 3)
  store<u8>(OUT, weekday(seconds), 4)
  store<u8>(OUT, toBcd(CIVIL.day), 5)
  store<u8>(OUT, toBcd(CIVIL.month) | (year > 99 ? CENTURY : 0), 6)
  store<u8>(OUT, toBcd(year % 100), 7)
  return i2c_transfer(ADDRESS, OUT, 8, 0, 0) === 0
}

/** Ticks from the call of `rtcWriteTime` to the acknowledge of the seconds byte: three bytes of 22.5 us. */
export const RTC_WRITE_LEAD: u64 = 1080

/** Declares the time valid (clears OSF) and notes when it was set. */
export function rtcMarkSet(seconds: i64): bool {
  const since = <u32>(seconds - EPOCH_2000)
  store<u8>(OUT, ALARMS)
  for (let i: u32 = 0; i < 4; i++) store<u8>(OUT + 1 + i, since >> (8 * i))
  const check = markCheck(since)
  for (let i: u32 = 0; i < 3; i++) store<u8>(OUT + 5 + i, check >> (8 * i))
  return i2c_transfer(ADDRESS, OUT, 8, 0, 0) === 0 && write(STATUS, 0)
}

/** Takes the note of when it was set away: the time is about to be changed by much. */
export function rtcMarkClear(): bool {
  memory.fill(OUT, 0, 8)
  store<u8>(OUT, ALARMS)
  return i2c_transfer(ADDRESS, OUT, 8, 0, 0) === 0
}

/** The POSIX second at which `rtcMarkSet` was last called; 0 when the part does not say. */
export function rtcMarkedAt(): i64 {
  if (!read(ALARMS, 7)) return 0
  let since: u32 = 0
  let check: u32 = 0
  for (let i: u32 = 0; i < 4; i++) since |= (<u32>load<u8>(IN + i)) << (8 * i)
  for (let i: u32 = 0; i < 3; i++) check |= (<u32>load<u8>(IN + 4 + i)) << (8 * i)
  return check === markCheck(since) ? EPOCH_2000 + <i64>since : 0
}

/** Turns the 1 Hz square wave on (INTCN = 0, RS = 0), off on battery. */
export function rtcSquareWave(): bool {
  return write(CONTROL, 0)
}

/** Quarter degrees C; i32.MIN_VALUE when nobody answers. Renewed by the part every 64 s. */
export function rtcTemperature(): i32 {
  if (!read(TEMPERATURE, 2)) return i32.MIN_VALUE
  return ((<i32>load<i8>(IN)) << 2) | (<i32>load<u8>(IN, 1) >> 6)
}

function read(register: u32, length: u32): bool {
  store<u8>(OUT, register)
  return i2c_transfer(ADDRESS, OUT, 1, IN, length) === 0
}

function write(register: u32, value: u32): bool {
  store<u8>(OUT, register)
  store<u8>(OUT, value, 1)
  return i2c_transfer(ADDRESS, OUT, 2, 0, 0) === 0
}

/** A 24-bit check of the mark; never that of a part fresh from the factory (all zero). */
function markCheck(since: u32): u32 {
  return ((since ^ 0x4e4d_4b31) * 0x9e37_79b1) >> 8
}

function plausible(): bool {
  if (CIVIL.second < 0 || CIVIL.minute < 0 || CIVIL.hour < 0 || CIVIL.year < 2000) return false
  if (CIVIL.second > 59 || CIVIL.minute > 59 || CIVIL.hour > 23) return false
  return CIVIL.month >= 1 && CIVIL.month <= 12 && CIVIL.day >= 1 && CIVIL.day <= 31
}

/** Two BCD digits; a negative number when they are none. */
function fromBcd(bcd: u32): i32 {
  const low = bcd & 15
  return low > 9 || bcd > 0x99 ? -1000 : <i32>((bcd >> 4) * 10 + low)
}

function toBcd(value: i32): u32 {
  return ((<u32>value / 10) << 4) | (<u32>value % 10)
}

function hourOf(register: u32): i32 {
  if ((register & HOURS_12) === 0) return fromBcd(register & 0x3f)
  const hour = fromBcd(register & 0x1f) % 12
  return (register & HOURS_PM) !== 0 ? hour + 12 : hour
}
