// Maxim DS3231: the real-time clock on the I2C bus, address 0x68 (data sheet 19-5170; pages in brackets).
//
// In: bus conditions with their time, ambient temperature. Out: acknowledges, bytes, edges of the SQW pin.
// `now` is nanoseconds of true time since the world's power-on; it may be negative for a state that is older than the world.
//
//   Time registers are BCD, 12 or 24 hours, century bit [12]. Reads are latched at START [8]. Writing the seconds register
//   resets the countdown chain at its acknowledge: the next second begins one second later, SQW goes high 500 ms later
//   and falls at the second's boundary [12]. OSF says that the oscillator has stood still [14].
//   Aging offset: about 0.1 ppm a step, positive slows, taken over with the next temperature conversion (every 64 s,
//   or CONV) [14]. Temperature: 10 bits of 0.25 C [15].
//
// How fast it runs besides its fixed error is in ds3231_oscillator.ts.
//
// Not modelled: alarm interrupts on the pin (the flags are set), SQW rates other than 1 Hz, 32 kHz output.

import { Ds3231Oscillator } from './ds3231_oscillator'

/** What the model needs of its board. */
export abstract class Ds3231Host {
  /** The SQW pin changes to `level` at `now`. Called only while the 1 Hz square wave is on. */
  abstract sqw(level: i32, now: f64): void
  /** Degrees C of the part at `now`. */
  abstract temperature(now: f64): f64
}

export const DS3231_ADDRESS: i32 = 0x68

/** Bytes of a saved state. */
export const DS3231_STATE_SIZE: i32 = 64

const SECONDS: i32 = 0x00
const MINUTES: i32 = 0x01
const HOURS: i32 = 0x02
const WEEKDAY: i32 = 0x03
const DATE: i32 = 0x04
const MONTH: i32 = 0x05
const YEAR: i32 = 0x06
const ALARM_1: i32 = 0x07
const ALARM_2: i32 = 0x0b
const CONTROL: i32 = 0x0e
const STATUS: i32 = 0x0f
const AGING: i32 = 0x10
const TEMPERATURE_MSB: i32 = 0x11
const TEMPERATURE_LSB: i32 = 0x12
const REGISTERS: i32 = 0x13

const CONTROL_EOSC: i32 = 0x80
const CONTROL_BBSQW: i32 = 0x40
const CONTROL_CONV: i32 = 0x20
const CONTROL_RS: i32 = 0x18
const CONTROL_INTCN: i32 = 0x04
const CONTROL_POWER_ON: i32 = 0x1c
const STATUS_OSF: i32 = 0x80
const STATUS_EN32KHZ: i32 = 0x08
const STATUS_A2F: i32 = 0x02
const STATUS_A1F: i32 = 0x01

/** Where the oscillator's 16 bytes begin in a saved state. */
const SAVED_OSCILLATOR: i32 = 48

const SECOND: f64 = 1e9
const CONVERSION: f64 = 64e9
const HOURS_12: i32 = 0x40
const HOURS_PM: i32 = 0x20
const CENTURY: i32 = 0x80

export class Ds3231 {
  private registers: Uint8Array = new Uint8Array(REGISTERS)
  /** What a read returns: copied from the registers at START. */
  private latch: Uint8Array = new Uint8Array(REGISTERS)
  private pointer: i32 = 0
  private addressed: bool = false
  private pointerNext: bool = false

  /** True time at which the countdown chain last wrapped: the start of the second that the registers show. */
  private boundary: f64 = 0
  /** The same without the jitter, which does not add up; true nanoseconds of the present second. */
  private wrapped: f64 = 0
  private length: f64 = SECOND
  /** Of the next wrap. */
  private jitter: f64 = 0
  private readonly oscillator: Ds3231Oscillator
  private sqwLevel: i32 = 0
  /** The aging offset that is at work. */
  private agingApplied: i32 = 0
  private nextConversion: f64 = 0
  private onBattery: bool = false

  /**
   * A part without a history: 2000-01-01 00:00:00, Saturday in weekday 1's place, OSF set. `ppm` positive runs fast. `seed`: what
   * else its oscillator does; 0: nothing.
   */
  constructor(
    private host: Ds3231Host,
    private ppm: f64,
    seed: i32 = 0,
  ) {
    this.oscillator = new Ds3231Oscillator(seed)
    this.registers[WEEKDAY] = 1
    this.registers[DATE] = 1
    this.registers[MONTH] = 1
    this.registers[CONTROL] = CONTROL_POWER_ON as u8
    this.registers[STATUS] = (STATUS_OSF | STATUS_EN32KHZ) as u8
  }

  /** The I2C bus: START or repeated START. Reads of this transfer see the time of this instant. */
  start(now: f64): void {
    this.advance(now)
    for (let i: i32 = 0; i < REGISTERS; i++) this.latch[i] = this.registers[i]
    this.addressed = false
    this.pointerNext = false
  }

  /** The address byte (7 bits, then read = 1). True when the part acknowledges. */
  address(address: i32, read: i32, now: f64): bool {
    this.advance(now)
    if (address !== DS3231_ADDRESS || this.onBattery) return false
    this.addressed = true
    this.pointerNext = read === 0
    return true
  }

  /** A byte from the master; its acknowledge happens at `now`. */
  write(byte: i32, now: f64): bool {
    if (!this.addressed) return false
    this.advance(now)
    if (this.pointerNext) {
      this.pointer = (byte & 0xff) % REGISTERS
      this.pointerNext = false
    } else {
      this.store(this.pointer, byte & 0xff, now)
      this.pointer = (this.pointer + 1) % REGISTERS
    }
    return true
  }

  /** A byte for the master. */
  read(now: f64): i32 {
    this.advance(now)
    if (!this.addressed) return 0xff
    const byte: i32 = this.latch[this.pointer] as i32
    this.pointer = (this.pointer + 1) % REGISTERS
    return byte
  }

  stop(now: f64): void {
    this.advance(now)
    this.addressed = false
  }

  /** The next instant at which the pin changes by itself. */
  nextEvent(): f64 {
    if (!this.sqwRuns()) return Infinity
    return this.sqwLevel !== 0 ? this.secondEnds() : this.boundary + this.length / 2
  }

  advance(now: f64): void {
    if (!this.oscillates()) {
      if (this.boundary < now) this.restartSecond(now)
      return
    }
    while (this.nextChange() <= now) this.change(this.nextChange())
  }

  /** Main power goes. On battery the bus is deaf; with EOSC set the oscillator stops and OSF says so. */
  powerOff(now: f64): void {
    this.advance(now)
    this.onBattery = true
    this.addressed = false
    if (!this.oscillates()) this.registers[STATUS] = ((this.registers[STATUS] as i32) | STATUS_OSF) as u8
  }

  powerOn(now: f64): void {
    this.advance(now)
    this.onBattery = false
  }

  /** The battery is gone and comes back: nothing is left but OSF. */
  loseBattery(now: f64): void {
    for (let i: i32 = 0; i < REGISTERS; i++) this.registers[i] = 0
    this.registers[WEEKDAY] = 1
    this.registers[DATE] = 1
    this.registers[MONTH] = 1
    this.registers[CONTROL] = CONTROL_POWER_ON as u8
    this.registers[STATUS] = (STATUS_OSF | STATUS_EN32KHZ) as u8
    this.agingApplied = 0
    this.restartSecond(now)
    this.sqwLevel = 0
  }

  /** Writes `DS3231_STATE_SIZE` bytes: registers, then the age of the current second, then the oscillator. Little endian. */
  save(out: Uint8Array, now: f64): void {
    this.advance(now)
    const view: DataView = new DataView(out.buffer, out.byteOffset, DS3231_STATE_SIZE)
    for (let i: i32 = 0; i < REGISTERS; i++) out[i] = this.registers[i]
    view.setInt32(24, this.agingApplied, true)
    view.setFloat64(32, now - this.boundary, true)
    view.setFloat64(40, this.nextConversion - now, true)
    this.oscillator.save(view, SAVED_OSCILLATOR)
  }

  /**
   * Takes over a state that was saved when true time was `savedAt` on this world's scale (negative: before it began).
   * Since then the part has lived on its battery: `powerOn` ends that.
   */
  restore(state: Uint8Array, savedAt: f64): void {
    const view: DataView = new DataView(state.buffer, state.byteOffset, DS3231_STATE_SIZE)
    for (let i: i32 = 0; i < REGISTERS; i++) this.registers[i] = state[i]
    this.agingApplied = view.getInt32(24, true)
    this.nextConversion = savedAt + view.getFloat64(40, true)
    this.oscillator.restore(view, SAVED_OSCILLATOR)
    this.sqwLevel = 0
    this.onBattery = true
    this.restartSecond(savedAt - view.getFloat64(32, true))
  }

  /** Seconds since 2000-01-01 that the registers show; for tests. */
  secondsSince2000(now: f64): f64 {
    this.advance(now)
    return this.count()
  }

  /** True time at which the current second of the part began; for tests. */
  secondBegan(now: f64): f64 {
    this.advance(now)
    return this.boundary
  }

  private oscillates(): bool {
    return !(this.onBattery && ((this.registers[CONTROL] as i32) & CONTROL_EOSC) !== 0)
  }

  private sqwRuns(): bool {
    const control: i32 = this.registers[CONTROL] as i32
    if ((control & (CONTROL_INTCN | CONTROL_RS)) !== 0) return false
    return !this.onBattery || (control & CONTROL_BBSQW) !== 0
  }

  /** The second that begins at `at` has a rate of its own; on the battery each of those between two conversions has the same. */
  private beginSecond(at: f64, converted: bool): void {
    if (!this.onBattery) this.setLength(this.oscillator.rate(this.host.temperature(at)) + this.oscillator.white())
    else if (converted) this.setLength(this.oscillator.rate(this.host.temperature(at)))
  }

  private setLength(ppm: f64): void {
    this.length = SECOND / (1 + (this.ppm - 0.1 * (this.agingApplied as f64) + ppm) * 1e-6)
  }

  /** The countdown chain is reset. */
  private restartSecond(at: f64): void {
    this.boundary = at
    this.wrapped = at
    this.jitter = 0
    this.beginSecond(at, true)
  }

  private secondEnds(): f64 {
    return this.wrapped + this.length + this.jitter
  }

  private nextChange(): f64 {
    return this.sqwRuns() && this.sqwLevel === 0 ? this.boundary + this.length / 2 : this.secondEnds()
  }

  private change(at: f64): void {
    if (this.sqwRuns() && this.sqwLevel === 0) {
      this.sqwLevel = 1
      this.host.sqw(1, at)
      return
    }
    this.catchUp(at)
    if (this.sqwLevel !== 0) {
      this.sqwLevel = 0
      if (this.sqwRuns()) this.host.sqw(0, at)
    }
  }

  /** A second ends at `at`. */
  private catchUp(at: f64): void {
    this.boundary = at
    this.wrapped += this.length
    this.jitter = this.onBattery ? 0 : this.oscillator.jitter()
    this.tick()
    // Its own 64 seconds, however long they are.
    const due: bool = this.nextConversion <= at + SECOND / 2
    if (due) this.convert(at)
    this.beginSecond(at, due)
    this.matchAlarms()
  }

  private convert(now: f64): void {
    this.agingApplied = signed(this.registers[AGING] as i32)
    let quarters: i32 = Math.round(this.host.temperature(now) * 4) as i32
    if (quarters > 511) quarters = 511
    if (quarters < -512) quarters = -512
    this.registers[TEMPERATURE_MSB] = ((quarters >> 2) & 0xff) as u8
    this.registers[TEMPERATURE_LSB] = ((quarters & 3) << 6) as u8
    this.oscillator.convert(quarters)
    this.nextConversion = now + CONVERSION
  }

  private store(register: i32, byte: i32, now: f64): void {
    if (register === SECONDS) {
      this.registers[SECONDS] = (byte & 0x7f) as u8
      this.restartSecond(now)
      if (this.sqwLevel !== 0 && this.sqwRuns()) this.host.sqw(0, now)
      this.sqwLevel = 0
    } else if (register === CONTROL) {
      this.registers[CONTROL] = (byte & ~CONTROL_CONV) as u8
      if ((byte & CONTROL_CONV) !== 0) this.convert(now)
      this.sqwLevel = now - this.boundary >= this.length / 2 ? 1 : 0
    } else if (register === STATUS) {
      // OSF and the alarm flags can be written to 0 only; BSY is read-only.
      const sticky: i32 = STATUS_OSF | STATUS_A1F | STATUS_A2F
      const kept: i32 = (this.registers[STATUS] as i32) & byte & sticky
      this.registers[STATUS] = (kept | (byte & STATUS_EN32KHZ)) as u8
    } else if (register < TEMPERATURE_MSB) {
      this.registers[register] = (byte & writable(register)) as u8
    }
  }

  /** One second more on the registers, with the carries of the data sheet. */
  private tick(): void {
    const r: Uint8Array = this.registers
    const second: i32 = fromBcd(r[SECONDS] as i32) + 1
    r[SECONDS] = toBcd(second > 59 ? 0 : second) as u8
    if (second <= 59) return
    const minute: i32 = fromBcd(r[MINUTES] as i32) + 1
    r[MINUTES] = toBcd(minute > 59 ? 0 : minute) as u8
    if (minute <= 59) return
    const hour: i32 = hourOf(r[HOURS] as i32) + 1
    r[HOURS] = hourRegister(hour > 23 ? 0 : hour, (r[HOURS] as i32) & HOURS_12) as u8
    if (hour <= 23) return
    const weekday: i32 = (r[WEEKDAY] as i32) + 1
    r[WEEKDAY] = (weekday > 7 ? 1 : weekday) as u8
    const date: i32 = fromBcd(r[DATE] as i32) + 1
    const month: i32 = fromBcd((r[MONTH] as i32) & 0x1f)
    const year: i32 = fromBcd(r[YEAR] as i32)
    const last: i32 = daysOfMonth(month, year)
    r[DATE] = toBcd(date > last ? 1 : date) as u8
    if (date <= last) return
    const century: i32 = (r[MONTH] as i32) & CENTURY
    r[MONTH] = (toBcd(month > 11 ? 1 : month + 1) | century) as u8
    if (month <= 11) return
    r[YEAR] = toBcd(year > 98 ? 0 : year + 1) as u8
    if (year > 98) r[MONTH] = ((r[MONTH] as i32) ^ CENTURY) as u8
  }

  private matchAlarms(): void {
    const r: Uint8Array = this.registers
    if (alarmMatches(r, ALARM_1, 4)) r[STATUS] = ((r[STATUS] as i32) | STATUS_A1F) as u8
    if ((r[SECONDS] as i32) === 0 && alarmMatches(r, ALARM_2, 3)) r[STATUS] = ((r[STATUS] as i32) | STATUS_A2F) as u8
  }

  private count(): f64 {
    const r: Uint8Array = this.registers
    const century: i32 = ((r[MONTH] as i32) & CENTURY) !== 0 ? 100 : 0
    const year: i32 = fromBcd(r[YEAR] as i32) + century
    let days: i32 = year * 365 + ((year + 3) >> 2) - (year > 100 ? 1 : 0)
    const month: i32 = fromBcd((r[MONTH] as i32) & 0x1f)
    for (let m: i32 = 1; m < month; m++) days += daysOfMonth(m, year % 100)
    if (year === 100 && month > 2) days -= 1
    days += fromBcd(r[DATE] as i32) - 1
    const rest: i32 = hourOf(r[HOURS] as i32) * 3600 + fromBcd(r[MINUTES] as i32) * 60 + fromBcd(r[SECONDS] as i32)
    return (days as f64) * 86400 + (rest as f64)
  }
}

function writable(register: i32): i32 {
  if (register === MINUTES || register === HOURS) return 0x7f
  if (register === WEEKDAY) return 0x07
  if (register === DATE) return 0x3f
  if (register === MONTH) return 0x9f
  return 0xff
}

function fromBcd(bcd: i32): i32 {
  return ((bcd >> 4) & 15) * 10 + (bcd & 15)
}

function toBcd(value: i32): i32 {
  return (((value / 10) | 0) << 4) | (value % 10)
}

/** Hour 0..23 of the hours register. */
function hourOf(register: i32): i32 {
  if ((register & HOURS_12) === 0) return fromBcd(register & 0x3f)
  const hour: i32 = fromBcd(register & 0x1f) % 12
  return (register & HOURS_PM) !== 0 ? hour + 12 : hour
}

function hourRegister(hour: i32, mode12: i32): i32 {
  if (mode12 === 0) return toBcd(hour)
  const twelve: i32 = hour % 12 === 0 ? 12 : hour % 12
  return HOURS_12 | (hour >= 12 ? HOURS_PM : 0) | toBcd(twelve)
}

/** The part takes every year divisible by 4 for a leap year (right from 2000 to 2099). */
function daysOfMonth(month: i32, year: i32): i32 {
  if (month === 2) return year % 4 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Alarm registers match the time where their mask bit (7) is clear [11]. */
function alarmMatches(r: Uint8Array, alarm: i32, length: i32): bool {
  const first: i32 = 4 - length
  for (let i: i32 = 0; i < length; i++) {
    const value: i32 = r[alarm + i] as i32
    if ((value & 0x80) !== 0) continue
    const field: i32 = first + i
    const byDay: bool = field === 3 && (value & 0x40) !== 0
    const time: i32 = (byDay || field < 3 ? r[field] : r[DATE]) as i32
    if ((value & (field === 3 ? 0x3f : 0x7f)) !== (time & 0x7f)) return false
  }
  return true
}

function signed(byte: i32): i32 {
  return byte > 127 ? byte - 256 : byte
}
