// Streams of UBX and NMEA made by hand, and the items that the firmware finds in a stream.

import { MessageBuilder } from '../../sim/chips/message_builder'
import type { Firmware } from './bench'

/** 1980-01-06 as a POSIX second. */
export const GPS_EPOCH = 315_964_800
export const WEEK = 604_800

const builder = new MessageBuilder()

function taken(): Uint8Array {
  return builder.bytes.slice(0, builder.length)
}

export function ubx(cls: number, id: number, fill: (b: MessageBuilder) => void): Uint8Array {
  builder.beginUbx(cls, id)
  fill(builder)
  builder.endUbx()
  return taken()
}

export function nmea(body: string): Uint8Array {
  builder.beginNmea(body)
  builder.endNmea()
  return taken()
}

export interface PvtOptions {
  /** POSIX second named by the fields. */
  second: number
  /** Fields show 23:59:60 of the day that `second` (23:59:59) ends. */
  sixty?: boolean
  nano?: number
  valid?: number
  tAcc?: number
  fixType?: number
  flags?: number
  flags2?: number
  /** GPS - UTC from which iTOW is made. */
  leap?: number
  length?: 84 | 92
}

export function timeOfWeekMillis(second: number, leap: number): number {
  return ((((second + leap - GPS_EPOCH) % WEEK) + WEEK) % WEEK) * 1000
}

export function navPvt(o: PvtOptions): Uint8Array {
  const date = new Date(o.second * 1000)
  return ubx(0x01, 0x07, (b) => {
    b.unsigned(timeOfWeekMillis(o.second + (o.sixty ? 1 : 0), o.leap ?? 18))
    b.u16(date.getUTCFullYear())
    b.u8(date.getUTCMonth() + 1)
    b.u8(date.getUTCDate())
    b.u8(date.getUTCHours())
    b.u8(date.getUTCMinutes())
    b.u8(o.sixty ? 60 : date.getUTCSeconds())
    b.u8(o.valid ?? 7)
    b.unsigned(o.tAcc ?? 30)
    b.u32(o.nano ?? 0)
    b.u8(o.fixType ?? 3)
    b.u8(o.flags ?? 1)
    b.u8(o.flags2 ?? 0)
    b.u8(9)
    b.zeros((o.length ?? 92) - 24)
  })
}

export interface TimeLsOptions {
  second: number
  leap?: number
  source?: number
  change?: number
  toEvent?: number
  valid?: number
}

export function navTimeLs(o: TimeLsOptions): Uint8Array {
  const leap = o.leap ?? 18
  return ubx(0x01, 0x26, (b) => {
    b.unsigned(timeOfWeekMillis(o.second, leap))
    b.zeros(4)
    b.u8(o.source ?? 2)
    b.u8(leap)
    b.u8(2)
    b.u8(o.change ?? 0)
    b.u32(o.toEvent ?? 0)
    b.zeros(7)
    b.u8(o.valid ?? 3)
  })
}

/** TIM-TP that announces the UTC second `second`. */
export function timTp(second: number, qErr = 0, flags = 3): Uint8Array {
  return ubx(0x0d, 0x01, (b) => {
    b.unsigned(timeOfWeekMillis(second, 0))
    b.u32(0)
    b.u32(qErr)
    b.u16(Math.floor((second - GPS_EPOCH) / WEEK))
    b.u8(flags)
    b.u8(0)
  })
}

export function navStatus(spoofing: number): Uint8Array {
  return ubx(0x01, 0x03, (b) => {
    b.zeros(7)
    b.u8(spoofing << 3)
    b.zeros(8)
  })
}

export function monHw(jamming: number): Uint8Array {
  return ubx(0x0a, 0x09, (b) => {
    b.zeros(22)
    b.u8(jamming << 2)
    b.zeros(37)
  })
}

/** MON-RF with an antenna block for each state. */
export function monRf(...jamming: number[]): Uint8Array {
  return ubx(0x0a, 0x38, (b) => {
    b.u8(0)
    b.u8(jamming.length)
    b.zeros(2)
    for (const state of jamming) {
      b.zeros(1)
      b.u8(state)
      b.zeros(22)
    }
  })
}

const two = (n: number): string => String(n).padStart(2, '0')

export function rmc(
  second: number,
  status = 'A',
  options: { sixty?: boolean; fraction?: string; mode?: string } = {},
): Uint8Array {
  const d = new Date(second * 1000)
  const time = `${two(d.getUTCHours())}${two(d.getUTCMinutes())}${options.sixty ? '60' : two(d.getUTCSeconds())}${options.fraction ?? '.00'}`
  const date = `${two(d.getUTCDate())}${two(d.getUTCMonth() + 1)}${two(d.getUTCFullYear() % 100)}`
  return nmea(`GNRMC,${time},${status},4716.80000,N,00833.00000,E,0.021,,${date},,,${options.mode ?? 'A'}`)
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export interface Item {
  kind: 'ubx' | 'nmea'
  bytes: Uint8Array
  fresh: boolean
}

/** All items that the stream parser finds in `bytes`, pushed one at a time. */
export function itemsOf(firmware: Firmware, bytes: Uint8Array, breakAtEnd = false): Item[] {
  const { x, entry } = firmware
  const items: Item[] = []
  const drain = (): void => {
    for (let kind = x['streamNext'](); kind !== 0; kind = x['streamNext']()) {
      items.push({
        kind: kind === 1 ? 'ubx' : 'nmea',
        bytes: entry.read(x['streamAddress'](), x['streamLength']()),
        fresh: x['streamFresh']() !== 0,
      })
    }
  }
  x['streamInit']()
  for (const byte of bytes) {
    x['streamPush'](byte)
    drain()
  }
  for (let i = 0; breakAtEnd && i < bytes.length; i++) {
    x['streamBreak']()
    drain()
  }
  return items
}

export interface Report {
  /** Milliseconds since 1970, rounded. */
  millis: number
  fix: boolean
  source: string
}

/** The report that an item makes, if it tells the time. */
export function reportOf(firmware: Firmware, item: Item, pivot = 2026): Report | undefined {
  const { x, entry } = firmware
  const at = x['input']()
  entry.write(at, item.bytes)
  let known = false
  let source = ''
  if (item.kind === 'ubx') {
    const message = item.bytes[2]! * 256 + item.bytes[3]!
    source = message.toString(16).padStart(4, '0')
    if (message === 0x0107) known = x['pvt'](at + 6, item.bytes.length - 8) !== 0
    if (message === 0x0121) known = x['timeUtc'](at + 6, item.bytes.length - 8) !== 0
  } else {
    const kind = x['kind'](at, item.bytes.length)
    source = ['', 'RMC', 'ZDA', 'GGA'][kind]!
    if (kind === 1) known = x['rmc'](at, item.bytes.length, pivot) !== 0
    if (kind === 2) known = x['zda'](at, item.bytes.length) !== 0
  }
  if (!known || x['plausible']() === 0) return undefined
  const view = new DataView(entry.memory.buffer, x['report'](), 48)
  const flags = view.getUint32(36, true)
  const seconds = Date.UTC(
    view.getInt32(0, true),
    view.getInt32(4, true) - 1,
    view.getInt32(8, true),
    view.getInt32(12, true),
    view.getInt32(16, true),
    view.getInt32(20, true),
  )
  return { millis: seconds + Math.round(view.getInt32(24, true) / 1e6), fix: (flags & 8) !== 0, source }
}
