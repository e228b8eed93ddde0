// What outlives a power cut: keys, certificates, time. And what does not: cookies of a week ago.

import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SavedRtc } from '../../hal/virtual/machine'
import type { Session } from '../../src/nts/key_exchange'
import {
  askNts,
  askPlain,
  bound,
  counts,
  HOUR,
  isNak,
  LAN_BOARD_ORIGIN,
  type LanBoard,
  makeBoard,
  type Options,
  READY_WITHIN,
  SECOND,
  status,
} from './board'

const FLASH = 16 * 4096
const DAY_SECONDS = 86_400

/** A board that is switched off and on again over days: each time a new machine over the same flash and RTC. */
class Device {
  rtc: SavedRtc | undefined
  private boots = 0

  constructor(readonly flash: Uint8Array = new Uint8Array(FLASH).fill(0xff)) {}

  /** Power comes on `seconds` after the first day began. */
  powerOn(seconds: number, options: Options = {}): LanBoard {
    this.boots++
    return makeBoard({
      ...options,
      // Another seed for each world: or its entropy would repeat.
      world: { unixOrigin: LAN_BOARD_ORIGIN + seconds, seed: this.boots, ...options.world },
      machine: { flash: this.flash, ...(this.rtc === undefined ? {} : { rtc: this.rtc }), ...options.machine },
    })
  }

  ready(seconds: number, options: Options = {}): LanBoard {
    const board = this.powerOn(seconds, options)
    expect(board.runUntilSaid('ready', READY_WITHIN), board.ask('counts')).toBe(true)
    // The key ring is rotated, and the RTC set, soon after.
    board.advance(12 * SECOND)
    return board
  }

  powerOff(board: LanBoard): void {
    board.machine.powerOff()
    this.rtc = board.machine.saveRtc()
  }
}

/** True when the board takes one of the session's cookies; false when it says NAK. */
function opens(board: LanBoard, session: Session): boolean {
  const cookie = session.cookies[0]!
  return !isNak(askNts(board, { ...session, cookies: [cookie] }))
}

describe('after a power cut', () => {
  it('the same machine takes its cookies and shows its certificate as before, without a new handshake', async () => {
    const board = makeBoard()
    expect(board.runUntilSaid('ready', READY_WITHIN)).toBe(true)
    const ca = board.authority()
    const session = await board.keyExchange({ ca })
    board.advance(3 * SECOND)
    board.machine.powerOff()
    board.advance(20 * SECOND)
    board.consoleText = ''
    board.machine.powerOn()
    expect(board.runUntilSaid('ready', READY_WITHIN)).toBe(true)
    for (let i = 0; i < 8; i++) expect(askNts(board, session).header.stratum).toBe(1)
    expect(board.authority()).toBe(ca)
    expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
    expect(board.machine.counters).toMatchObject({ boots: 2, traps: 0, watchdogs: 0 })
  })

  it('another machine over the same flash and RTC does the same', async () => {
    const device = new Device()
    const first = device.ready(0)
    const ca = first.authority()
    const session = await first.keyExchange({ ca })
    device.powerOff(first)
    const second = device.ready(3600)
    expect(second.authority()).toBe(ca)
    for (let i = 0; i < 8; i++) expect(askNts(second, session).header.stratum).toBe(1)
  })

  it('the time comes from the RTC at once, within a bound that holds, and is not served as synchronised', () => {
    for (const [index, off] of [60, 3600, DAY_SECONDS, 30 * DAY_SECONDS].entries()) {
      const device = new Device()
      const first = device.ready(0, { machine: { rtcPpm: [2, -2, 1.5, -1.9][index]! } })
      first.advance(20 * SECOND)
      device.powerOff(first)
      const second = device.powerOn(Math.ceil(first.now / SECOND) + off, {
        receiver: {
          setup: (chip) => {
            chip.mute = true
          },
        },
        machine: { rtcPpm: [2, -2, 1.5, -1.9][index]! },
      })
      second.advance(0.1 * SECOND)
      // A month has begun since: there may have been a leap second, and it may have been cold.
      const allowed = off < 30 * DAY_SECONDS ? off * 7000 : SECOND + off * 8500
      expectRestored(second, 1.02e9 + allowed)
      // The square wave's edge has told its phase.
      second.advance(3 * SECOND)
      expectRestored(second, 0.03e9 + allowed)
      const { header } = askPlain(second)
      expect([header.leap, header.stratum]).toEqual([3, 0])
    }
  })

  it('a board that had the time for six hours knows its RTC: the bound is a third, and still holds', () => {
    const device = new Device()
    // A part whose compensation leaves nothing, so that its drift is known.
    const machine = { rtcPpm: 1.9, rtcSeed: 0 }
    const first = device.ready(0, { machine })
    first.advance(6 * HOUR)
    const { 'rtc.records': records, 'rtc.drift-ppb': drift, 'rtc.reason': reason } = counts(first)
    expect([records, reason]).toEqual([6, 2])
    expect(drift).toBeGreaterThan(1880)
    expect(drift).toBeLessThan(1920)
    device.powerOff(first)
    const second = device.powerOn(9 * DAY_SECONDS, {
      receiver: {
        setup: (chip) => {
          chip.mute = true
        },
      },
      machine,
    })
    second.advance(3 * SECOND)
    expectRestored(second, (9 * DAY_SECONDS * 7000) / 3)
  })

  it('the receiver need not be waited for as long when the RTC vouches for it', () => {
    const device = new Device()
    device.powerOff(device.ready(0))
    const board = device.powerOn(3600)
    expect(board.runUntilSaid('ready', READY_WITHIN)).toBe(true)
    expect(board.now / SECOND).toBeLessThan(13)
  })

  it('of the mains, by the schedule of the world, it comes back each time', () => {
    const board = makeBoard({
      world: {
        power: [
          { at: 40 * SECOND, off: 10 * SECOND },
          { at: 52 * SECOND, off: SECOND },
          { at: 100 * SECOND, off: HOUR },
        ],
      },
    })
    board.advance(HOUR + 160 * SECOND)
    expect(status(board)['state']).toBe('locked')
    expect(Math.abs(askPlain(board).t2)).toBeLessThan(20_000)
    expect(board.machine.counters).toMatchObject({ boots: 4, traps: 0 })
  })
})

/** The clock is set from the RTC: what it says is true within the bound that it gives, and the bound is below `limit`. */
function expectRestored(board: LanBoard, limit: number): void {
  const said = status(board)
  expect(said['state']).toBe('restored')
  const utc = board.machine.utc()
  const error = Date.parse(said['time']!) * 1e6 - (utc.seconds * 1e9 + utc.nanos)
  expect(bound(board)).toBeLessThan(limit)
  // The console has milliseconds.
  expect(Math.abs(error)).toBeLessThan(bound(board) + 3e6)
}

describe('over days', () => {
  it('a key seals for a day and opens for seven more; then its cookies get NTS NAK', async () => {
    const device = new Device()
    const sessions: Session[] = []
    let ca = ''
    for (let day = 0; day < 10; day++) {
      const board = device.ready(day * DAY_SECONDS)
      if (day === 0) ca = board.authority()
      expect(board.authority()).toBe(ca)
      askPlain(board)
      sessions.push(await board.keyExchange({ ca }))
      for (const [made, session] of sessions.entries()) {
        expect(opens(board, session), `cookie of day ${made} on day ${day}`).toBe(day - made <= 7)
      }
      device.powerOff(board)
    }
  })

  it('the server certificate is renewed at two thirds of its life, by the same authority', async () => {
    const device = new Device()
    const first = device.ready(0)
    const ca = first.authority()
    const { certificate } = await first.keyExchange({ ca })
    device.powerOff(first)
    const kept = device.ready(240 * DAY_SECONDS)
    expect((await kept.keyExchange({ ca })).certificate.notAfter).toEqual(certificate.notAfter)
    device.powerOff(kept)
    const renewed = device.ready(250 * DAY_SECONDS)
    expect(renewed.authority()).toBe(ca)
    const after = (await renewed.keyExchange({ ca })).certificate
    expect(after.notAfter.getTime() - certificate.notAfter.getTime()).toBeGreaterThan(200 * DAY_SECONDS * 1000)
    device.powerOff(renewed)
    // It is the new one that is stored.
    const again = device.ready(251 * DAY_SECONDS)
    expect((await again.keyExchange({ ca })).certificate.notAfter).toEqual(after.notAfter)
  })

  it('it is renewed while the board runs, without a break', async () => {
    const device = new Device()
    device.powerOff(device.ready(0))
    // A notBefore one day back, 365 days, two thirds: due 242 days and 8 hours after the making.
    const board = device.ready(242 * DAY_SECONDS + 7 * 3600)
    const ca = board.authority()
    const before = (await board.keyExchange({ ca })).certificate
    let changes = 0
    for (let i = 0; i < 24; i++) {
      board.advance(HOUR / 6)
      const { certificate } = await board.keyExchange({ ca })
      if (certificate.notAfter.getTime() !== before.notAfter.getTime()) changes++
    }
    expect(changes).toBeGreaterThan(0)
    expect(changes).toBeLessThan(24)
  })

  it('the authority is certified anew after 20 years, with the same key', async () => {
    const device = new Device()
    const first = device.ready(0)
    const before = new X509Certificate(first.authority())
    device.powerOff(first)
    // Its battery has not lasted that long.
    device.rtc = undefined
    const later = device.ready(21 * 365 * DAY_SECONDS)
    const after = new X509Certificate(later.authority())
    expect(after.publicKey.export({ format: 'jwk' })).toEqual(before.publicKey.export({ format: 'jwk' }))
    expect(new Date(after.validTo).getFullYear()).toBeGreaterThan(new Date(before.validTo).getFullYear() + 15)
    // Whoever trusts the old one still trusts the server.
    expect((await later.keyExchange({ ca: before.toString() })).cookies).toHaveLength(8)
  })
})

describe('a power cut while the flash is written', () => {
  /** Runs until the flash has lost power, then cuts the rest too, and switches on again. */
  function cut(board: LanBoard, after: number, until: number): boolean {
    board.machine.flash.cutAfter(after)
    const end = board.now + until
    while (board.machine.flash.powered && board.now < end) board.advance(0.5e6)
    return !board.machine.flash.powered
  }

  it('at first boot: comes up again whatever the byte, and keeps the authority that it has shown', () => {
    const whole = new Device().ready(0).machine.flash.programmed
    expect(whole).toBeGreaterThan(1000)
    const step = whole / 41
    for (let after = 0; after < whole; after += step) {
      const device = new Device()
      const board = device.powerOn(0)
      expect(cut(board, Math.floor(after), 40 * SECOND)).toBe(true)
      const shown = board.machine.console.output.includes('ready') ? board.authority() : ''
      device.powerOff(board)
      const again = device.ready(60)
      const ca = again.authority()
      expect(ca).toMatch(/^-----BEGIN CERTIFICATE-----/)
      if (shown) expect(ca).toBe(shown)
      expect(askPlain(again).header.stratum).toBe(1)
      device.powerOff(again)
      expect(device.ready(120).authority()).toBe(ca)
    }
  }, 60_000)

  it('while a key rotates and sectors are erased: cookies of before still open, the authority is the same', async () => {
    // Four sectors, so that a rotation soon needs room.
    const device = new Device(new Uint8Array(4 * 4096).fill(0xff))
    let board = device.ready(0)
    const ca = board.authority()
    let sessions: Session[] = []
    let erases = 0
    for (let day = 1; day <= 60; day++) {
      sessions = [await board.keyExchange({ ca }), ...sessions].slice(0, 6)
      device.powerOff(board)
      board = device.powerOn(day * DAY_SECONDS)
      // The rotation writes some 300 bytes; maintenance erases 4096 at a time.
      if (cut(board, day % 3 === 0 ? 400 + ((day * 997) % 4096) : (day * 37) % 330, 40 * SECOND)) {
        device.powerOff(board)
        board = device.powerOn(day * DAY_SECONDS + 60)
      } else board.machine.flash.restorePower()
      if (!board.machine.console.output.includes('ready')) expect(board.runUntilSaid('ready', READY_WITHIN)).toBe(true)
      board.advance(12 * SECOND)
      erases += board.machine.flash.erases.reduce((sum, count) => sum + count, 0)
      expect(board.authority()).toBe(ca)
      askPlain(board)
      for (const [age, session] of sessions.entries())
        expect(opens(board, session), `day ${day}, ${age} old`).toBe(true)
    }
    expect(erases).toBeGreaterThan(2)
    console.log(`${erases} sectors were erased in 60 days`)
  }, 60_000)
})
