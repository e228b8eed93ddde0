// DS3231 for Wokwi: sim/chips/ds3231.ts behind I2C callbacks and the SQW pin.
//
// Attributes, also as controls: unixTime: the POSIX second (UTC) that the part shows at the start of the simulation; 0: it
// was never set. batteryDead: the part forgets everything as this becomes 1. temperature: degrees C.
// They are looked at every 50 ms, first 1 ms after the start: what a scenario sets before its first delay holds from the
// beginning.

import { DS3231_STATE_SIZE, Ds3231, Ds3231Host } from '../../chips/ds3231'
import { Alarm, Attribute, config, INPUT_PULLUP, Output, pin, print, supply, text } from './api.entry'
import { getSimNanos, i2cInit } from './env'

/** Of the part's oscillator: every run has the same part. */
const SEED: i32 = 1

const FIRST_LOOK: f64 = 1e6
const LOOK: f64 = 50e6
const ALARMS: i32 = 0x07
const STATUS: i32 = 0x0f
const DAY: i32 = 86_400
/** 2000-01-01, where the part's years begin, as a POSIX second. */
const Y2000: u32 = 946_684_800

class Part extends Ds3231Host {
  private model: Ds3231 = changetype<Ds3231>(0)
  private square: Output = new Output('SQW', 1)
  private unixTime: Attribute = new Attribute('unixTime', 0)
  private batteryDead: Attribute = new Attribute('batteryDead', 0)
  private degrees: Attribute = new Attribute('temperature', 25)
  private alarm: Alarm = changetype<Alarm>(0)
  private lookAt: f64 = FIRST_LOOK
  private shownUnixTime: u32 = 0
  private wasDead: bool = false
  /** Bytes of the running transfer, and the register that it began with. */
  private written: i32 = 0
  private register: i32 = 0

  start(): void {
    const user = changetype<usize>(this)
    this.model = new Ds3231(this, 0, SEED)
    this.alarm = new Alarm(user, ring)
    supply()
    const at = config(user)
    store<i32>(at + 4, 0x68)
    store<i32>(at + 8, pin('SCL', INPUT_PULLUP))
    store<i32>(at + 12, pin('SDA', INPUT_PULLUP))
    store<u32>(at + 16, connected.index)
    store<u32>(at + 20, read.index)
    store<u32>(at + 24, written.index)
    store<u32>(at + 28, disconnected.index)
    i2cInit(at)
    this.arm()
  }

  // ---- Ds3231Host

  sqw(level: i32, _now: f64): void {
    this.square.set(level)
  }

  temperature(_now: f64): f64 {
    return <f64>(<i32>this.degrees.value)
  }

  // ---- The bus. START and the address come as one call.

  connect(address: i32, read: i32): bool {
    const now = getSimNanos()
    this.tellIfSet()
    this.model.start(now)
    const taken = this.model.address(address, read, now)
    this.arm()
    return taken
  }

  read(): i32 {
    return this.model.read(getSimNanos())
  }

  write(byte: i32): bool {
    if (this.written === 0) this.register = byte
    this.written++
    const taken = this.model.write(byte, getSimNanos())
    this.arm()
    return taken
  }

  disconnect(): void {
    this.model.stop(getSimNanos())
    this.tellIfSet()
    this.arm()
  }

  /** A write of the time registers has ended. */
  private tellIfSet(): void {
    if (this.written > 1 && this.register === 0) {
      text('the time was set')
      print()
    }
    this.written = 0
  }

  // ---- Time.

  ring(): void {
    const now = getSimNanos()
    this.alarm.rang()
    this.model.advance(now)
    if (now >= this.lookAt) this.look(now)
    this.arm()
  }

  private arm(): void {
    const next = this.model.nextEvent()
    this.alarm.set(next < this.lookAt ? next : this.lookAt)
  }

  private look(now: f64): void {
    this.lookAt = now + LOOK
    const unixTime = this.unixTime.value
    if (unixTime !== this.shownUnixTime) this.set(unixTime, now)
    const dead = this.batteryDead.on
    if (dead && !this.wasDead) this.model.loseBattery(now)
    this.wasDead = dead
  }

  /** As if the appliance had set the part just before the start, with its mark, and it had run on its battery since. */
  private set(unixTime: u32, now: f64): void {
    this.shownUnixTime = unixTime
    if (unixTime === 0) {
      this.model.loseBattery(now)
      return
    }
    const state = new Uint8Array(DS3231_STATE_SIZE)
    const seconds = unixTime - Y2000
    const day = <i32>(seconds / DAY)
    const rest = <i32>(seconds % DAY)
    state[0] = bcd(rest % 60)
    state[1] = bcd((rest / 60) % 60)
    state[2] = bcd(rest / 3600)
    state[3] = 1
    putDate(state, day)
    putMark(state, seconds)
    state[0x0e] = 0x1c
    state[STATUS] = 0
    this.model.restore(state, 0)
    this.model.powerOn(now)
  }
}

/** The appliance's note of when it set the part, in the alarm registers (firmware/drivers/ds3231.ts, `rtcMarkSet`). */
function putMark(state: Uint8Array, since: u32): void {
  const check: u32 = ((since ^ 0x4e4d_4b31) * 0x9e37_79b1) >> 8
  for (let i = 0; i < 4; i++) state[ALARMS + i] = <u8>(since >> (8 * i))
  for (let i = 0; i < 3; i++) state[ALARMS + 4 + i] = <u8>(check >> (8 * i))
}

/** Date, month and year of the day `day` after 2000-01-01; the part's leap years are those divisible by 4. */
function putDate(state: Uint8Array, day: i32): void {
  let year = (day / 1461) * 4
  let left = day % 1461
  for (; left >= daysOfYear(year); year++) left -= daysOfYear(year)
  let month = 1
  for (; left >= daysOfMonth(month, year); month++) left -= daysOfMonth(month, year)
  state[4] = bcd(left + 1)
  state[5] = bcd(month)
  state[6] = bcd(year)
}

function daysOfYear(year: i32): i32 {
  return year % 4 === 0 ? 366 : 365
}

function daysOfMonth(month: i32, year: i32): i32 {
  if (month === 2) return year % 4 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function bcd(value: i32): u8 {
  return <u8>(((value / 10) << 4) | (value % 10))
}

function ring(user: usize): void {
  changetype<Part>(user).ring()
}

function connected(user: usize, address: i32, reading: i32): i32 {
  return changetype<Part>(user).connect(address, reading) ? 1 : 0
}

function read(user: usize): i32 {
  return changetype<Part>(user).read()
}

function written(user: usize, byte: i32): i32 {
  return changetype<Part>(user).write(byte & 0xff) ? 1 : 0
}

function disconnected(user: usize): void {
  changetype<Part>(user).disconnect()
}

export function chipInit(): void {
  new Part().start()
}

export function __wokwi_api_version_1(): i32 {
  return 1
}
