// A DS3231 whose time can be computed for any instant, so that years on the battery cost nothing; a flash; and a board that
// boots over both. Power may be cut at any byte of a transfer and at any byte that the flash programs.
//
// `t` is true seconds since ORIGIN; UTC is ORIGIN + t, less the leap seconds inserted since.

import { NOR_SECTOR, NorFlash, NorFlashHost } from '../../sim/chips/nor_flash'
import { type Entry, loadEntry } from '../support/firmware'

/** 2027-03-10T08:00:00Z. */
export const ORIGIN = 1_804_665_600
export const HOUR = 3600
export const DAY = 86_400
export const YEAR = 31_557_600

export const UNKNOWN = 0
export const RESTORED = 1
export const VOUCHED = 4

const BYTE = 22.5e-6
const HZ = 16e6

export class PowerCut extends Error {}

class NoHost extends NorFlashHost {
  changed(): void {}
}

export interface Part {
  /** Parts per million, positive runs fast. */
  ppm?: number
  /** Of a daily wave, ppm; and what is added to `ppm` in a year. */
  wave?: number
  ageing?: number
  degrees?: number
}

/** The part with its battery. */
export class Rtc {
  present = true
  degrees: number
  readonly registers = new Uint8Array(0x13)
  /** Bytes of transfers until power fails. */
  cutAfter = Number.POSITIVE_INFINITY
  /** RTC minus UTC at `t0`, s. */
  private offset0 = 0
  private t0 = 0

  constructor(readonly part: Part = {}) {
    this.degrees = part.degrees ?? 23
    this.registers[0x0f] = 0x88
    // 2000-01-01.
    this.offset0 = 946_684_800 - ORIGIN
  }

  /** RTC minus UTC, s. */
  offset(t: number): number {
    const { ppm = 0, wave = 0, ageing = 0 } = this.part
    const gained = (x: number) =>
      ppm * x + (ageing / YEAR / 2) * x * x - ((wave * DAY) / (2 * Math.PI)) * Math.cos((2 * Math.PI * x) / DAY)
    return this.offset0 + (gained(t) - gained(this.t0)) * 1e-6
  }

  /** Somebody sets it, or a leap second passes that it knows nothing of. */
  shift(seconds: number): void {
    this.offset0 += seconds
  }

  loseBattery(): void {
    this.registers.fill(0)
    this.registers[0x0f] = 0x88
    this.offset0 = 946_684_800 - ORIGIN
    this.t0 = 0
  }

  /** The second that it shows, and the true time at which that began. */
  edge(t: number): number {
    const shown = Math.floor(t + this.offset(t))
    let at = t
    for (let i = 0; i < 4; i++) at += shown - (at + this.offset(at))
    return at
  }

  transfer(bench: Bench, write: Uint8Array, read: Uint8Array): number {
    if (!this.present) return -1
    const spend = () => {
      if (--this.cutAfter < 0) throw new PowerCut('bus')
      bench.t += BYTE
    }
    spend()
    let pointer = 0
    for (const [index, byte] of write.entries()) {
      spend()
      if (index === 0) pointer = byte
      else this.store(pointer++, byte, bench.t)
    }
    if (read.length === 0) return 0
    this.latch(bench.t)
    spend()
    for (let i = 0; i < read.length; i++) {
      spend()
      read[i] = this.registers[pointer++]!
    }
    return 0
  }

  private store(register: number, byte: number, t: number): void {
    this.latch(t)
    if (register === 0x0f) this.registers[0x0f] = (this.registers[0x0f]! & byte & 0x80) | (byte & 8)
    else this.registers[register] = byte
    if (register > 6) return
    const phase = register === 0 ? 0 : (t + this.offset(t)) % 1
    this.offset0 = this.shown() + phase - ORIGIN - t
    this.t0 = t
  }

  /** The time registers as they are at `t`. */
  private latch(t: number): void {
    const date = new Date((ORIGIN + Math.floor(t + this.offset(t))) * 1000)
    const bcd = (n: number) => ((n / 10) << 4) | (n % 10)
    const fields = [date.getUTCSeconds(), date.getUTCMinutes(), date.getUTCHours(), 1, date.getUTCDate()]
    for (const [i, field] of fields.entries()) this.registers[i] = bcd(field)
    const year = date.getUTCFullYear() - 2000
    this.registers[5] = bcd(date.getUTCMonth() + 1) | (year > 99 ? 0x80 : 0)
    this.registers[6] = bcd(year % 100)
    const quarters = Math.round(this.degrees * 4)
    this.registers[0x11] = quarters >> 2
    this.registers[0x12] = (quarters & 3) << 6
  }

  /** What the time registers say, as the part would count on from there. */
  private shown(): number {
    const [s = 0, m = 0, h = 0, , d = 0, month = 0, y = 0] = this.registers
    const bin = (b: number) => (b >> 4) * 10 + (b & 15)
    const year = 2000 + bin(y) + (month & 0x80 ? 100 : 0)
    return Date.UTC(year, bin(month & 0x1f) - 1, bin(d), bin(h), bin(m), bin(s)) / 1000
  }
}

/** One device over its life: an RTC, a flash, and the firmware of the present boot. */
export class Bench {
  t = 0
  leaps = 0
  sqw = true
  readonly flash = new NorFlash(new NoHost(), NOR_SECTOR * 16)
  private bootedAt = 0
  private entry: Entry | undefined

  constructor(readonly rtc: Rtc) {}

  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  get fw(): Record<string, any> {
    return this.entry!.exports
  }

  /** Power comes on `off` seconds after it went. Returns what became of the RTC's time. */
  async powerOn(off = 0): Promise<number> {
    this.t += off
    this.bootedAt = this.t
    this.rtc.cutAfter = Number.POSITIVE_INFINITY
    this.flash.restorePower()
    const bytes = (address: number, length: number) => new Uint8Array(this.entry!.memory.buffer, address, length)
    this.entry = await loadEntry(new URL('./restore.entry.ts', import.meta.url), 'release', {
      abi: {
        ticks: () => this.ticks(),
        features: () => (this.sqw ? 2 : 0),
        capture: (channel: number, out: number) => this.capture(channel, out),
        i2c_transfer: (_: number, write: number, writeLength: number, read: number, readLength: number) =>
          this.rtc.transfer(this, bytes(write, writeLength), bytes(read, readLength)),
        flash_size: () => this.flash.bytes.length,
        flash_read: (offset: number, out: number, length: number) =>
          this.flash.read(offset, bytes(out, length), length),
        flash_write: (offset: number, data: number, length: number) => {
          const done = this.flash.program(offset, bytes(data, length), length)
          if (!this.flash.powered) throw new PowerCut('flash')
          return done
        },
        flash_erase: (offset: number) => this.flash.erase(offset),
      },
    })
    return this.fw['boot']()
  }

  ticks(): bigint {
    return BigInt(Math.round((this.t - this.bootedAt) * HZ))
  }

  /** True UTC now, POSIX nanoseconds. */
  utc(): bigint {
    return BigInt(ORIGIN - this.leaps) * 1_000_000_000n + BigInt(Math.round(this.t * 1e9))
  }

  /** Clock minus truth, and its bound; seconds. */
  error(): { error: number; bound: number } {
    const now = this.ticks()
    const nanos =
      this.fw['seconds'](now) * 1_000_000_000n + ((BigInt(this.fw['fraction'](now) >>> 0) * 1_000_000_000n) >> 32n)
    return { error: Number(nanos - this.utc()) / 1e9, bound: Number(BigInt.asUintN(64, this.fw['bound'](now))) / 1e9 }
  }

  /** Without sky or servers: the phase is looked for. */
  idle(seconds: number): void {
    const end = this.t + seconds
    while (this.t < end) {
      const due = BigInt.asUintN(64, this.fw['restore'](this.ticks()))
      const wait = Number(due - this.ticks()) / HZ
      this.t = Math.min(end, this.t + Math.min(Math.max(wait, 1e-5), 0.25))
    }
  }

  /** For so long three servers have the time, within a microsecond. Returns the clock's state. */
  follow(seconds: number): number {
    const end = this.t + seconds
    while (this.t < end) {
      this.fw['quorum'](this.ticks(), this.utc(), 1000n)
      const wait = Number(BigInt.asUintN(64, this.fw['sync'](this.ticks())) - this.ticks()) / HZ
      while (this.fw['maintain']());
      // A quorum stands for a quarter of an hour; close to a comparison there is one each second.
      this.t = Math.min(end, this.t + Math.max(1e-5, wait > 1000 ? 900 : wait > 3 ? wait - 2 : wait))
    }
    return this.fw['state']()
  }

  private capture(channel: number, out: number): void {
    const view = new DataView(this.entry!.memory.buffer)
    const edge = channel === 2 && this.sqw ? this.rtc.edge(this.t) : 0
    const known = channel === 2 && this.sqw && edge >= this.bootedAt
    view.setUint32(out, known ? Math.floor(this.t + this.rtc.offset(this.t)) & 0xffff : 0, true)
    view.setUint32(out + 4, 0, true)
    view.setBigUint64(out + 8, known ? BigInt(Math.round((edge - this.bootedAt) * HZ)) : 0n, true)
  }
}
