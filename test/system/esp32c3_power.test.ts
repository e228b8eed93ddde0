// Power cuts on the simulated chip, at any byte of what the image programs or erases: it boots, and has the old or the new,
// never nothing that a client was once shown. NOONMARK_POWER_CUTS=200 tries so many moments of each test.

import { describe, expect, it } from 'vitest'
import type { SavedRtc } from '../../hal/virtual/rtc'
import type { Esp32c3LanBoard } from '../../src/lan_board'
import { askNts, isNak, LAN_BOARD_ORIGIN, SECOND } from './board'
import {
  authority,
  type Client,
  client,
  expectNothingStrange,
  expectWhole,
  FlashRecord,
  image,
  makeC3,
  missingEsp32c3,
  opens,
  readyC3,
  untilReady,
} from './esp32c3_board'

const DAY = 86_400
const SECTOR = 4096
const CUTS = Number(process.env['NOONMARK_POWER_CUTS'] ?? 30)

/** A board with power again, a minute after `nanos` of the one before. */
function again(origin: number, nanos: number, flash: Uint8Array, rtc: SavedRtc, seed: number): Esp32c3LanBoard {
  const unixOrigin = origin + Math.ceil(nanos / SECOND) + 60
  return makeC3({ world: { unixOrigin, seed }, machine: { flash, rtc } })
}

/** A client, and the byte of the record from which on its cookies must open. */
interface Shown extends Client {
  at: number
}

/** Each cookie can be asked for once; a sweep asks often. */
function copy({ ca, session }: Client): Client {
  return { ca, session: { ...session, cookies: [...session.cookies] } }
}

interface Sweep {
  boards: number
  /** Seconds until it was ready, at most. */
  slowest: number
  /** What each board ended up with. */
  authorities: Set<string>
}

/**
 * Boots a board from what each cut leaves. It must come up; the authority and the cookies that were shown before the cut
 * must be there. Of every eighth all is tried, with another power cut behind it.
 */
async function sweep(record: FlashRecord, origin: number, cuts: number[], shown: Shown[]): Promise<Sweep> {
  const result: Sweep = { boards: 0, slowest: 0, authorities: new Set() }
  for (const [index, at] of cuts.entries()) {
    const { flash, rtc, what } = record.cutAt(at, [0, 0xff, 0x5a, 0x01][index % 4])
    const board = again(origin, rtc.nanos, flash, rtc, 1000 + index)
    const known = shown.filter((client) => client.at <= at)
    try {
      // The network part is set up some hundred milliseconds after the boot.
      board.advance(SECOND)
      for (const client of known) expect(opens(board, copy(client))).toBe(true)
      untilReady(board, 40)
      result.boards++
      result.slowest = Math.max(result.slowest, board.now / SECOND)
      const ca = authority(board)
      result.authorities.add(ca)
      const [first] = known
      if (first) expect(ca).toBe(first.ca)
      if (index % 8 === 0) {
        const now = await client(board)
        await expectWhole(board, now)
        board.advance(15 * SECOND)
        board.machine.powerOff()
        const third = again(origin, rtc.nanos + board.now + 60 * SECOND, flash, board.machine.saveRtc(), 5000 + index)
        untilReady(third)
        expect(authority(third)).toBe(ca)
        expect(isNak(askNts(third, now.session))).toBe(false)
        for (const client of known) expect(opens(third, copy(client))).toBe(true)
      }
      expectNothingStrange(board)
      expect(board.machine.traps).toEqual([])
    } catch (error) {
      throw new Error(`after a cut at byte ${at}, ${what}: ${(error as Error).message}`, { cause: error })
    }
  }
  return result
}

/** At most `count` of them, evenly spread. */
function thinned(cuts: number[], count: number): number[] {
  const step = Math.max(1, cuts.length / count)
  return Array.from({ length: Math.min(count, cuts.length) }, (_, i) => cuts[Math.floor(i * step)]!)
}

function freshFlash(): Uint8Array {
  return new Uint8Array(image().board.flash.size).fill(0xff)
}

/** CRC-32 of IEEE 802.3. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0)
  }
  return ~crc >>> 0
}

/** The log as years leave it: every sector was used after those with the records, so room must be made and sectors erased. */
function age(flash: Uint8Array): void {
  const { offset, size } = image().board.flash.log
  const view = new DataView(flash.buffer, flash.byteOffset + offset, size)
  const word = (sector: number, n: number): number => view.getUint32(sector * SECTOR + 4 * n, true)
  const sectors = Array.from({ length: size / SECTOR }, (_, sector) => sector)
  const used = sectors.filter((sector) => word(sector, 0) !== 0xffff_ffff)
  let newest = Math.max(...used.map((sector) => word(sector, 1)))
  const blank = sectors.filter((sector) => !used.includes(sector))
  // Two stay erased, as the log keeps them. The byte near the end says that no more fits.
  for (const sector of blank.slice(0, -2)) {
    const at = sector * SECTOR
    view.setUint32(at, word(used[0]!, 0), true)
    view.setUint32(at + 4, ++newest, true)
    view.setUint32(at + 8, crc32(new Uint8Array(view.buffer, view.byteOffset + at, 8)), true)
    view.setUint8(at + SECTOR - 100, 0)
  }
}

describe.skipIf(missingEsp32c3)(`a power cut on the simulated ESP32-C3 (${missingEsp32c3 ?? 'flash image'})`, () => {
  it('at any byte of the first boot: it comes up, and keeps the authority and cookies that it has shown', async () => {
    const board = makeC3({ machine: { flash: freshFlash() } })
    const record = new FlashRecord(board)
    untilReady(board)
    const shown = { ...(await client(board)), at: record.length }
    board.advance(25 * SECOND)
    const late = { ...(await client(board)), at: record.length }
    const cuts = thinned(record.cuts(4), CUTS)
    const result = await sweep(record, LAN_BOARD_ORIGIN, cuts, [shown, late])
    console.log(
      `first boot: ${record.writes.length} writes of ${record.length} bytes, ${result.boards} boards from cuts, ` +
        `ready after at most ${result.slowest.toFixed(1)} s, ${result.authorities.size} authorities`,
    )
    expect(result.authorities.has(shown.ca)).toBe(true)
  }, 600_000)

  it('leaves on the running machine what the record says', async () => {
    const board = makeC3({ machine: { flash: freshFlash() } })
    const record = new FlashRecord(board)
    untilReady(board)
    board.advance(5 * SECOND)
    for (const [index, at] of thinned(record.cuts(1), 4).entries()) {
      const cut = makeC3({ machine: { flash: freshFlash() } })
      const { flash } = cut.machine
      flash.cutAfter(at)
      while (flash.powered) cut.advance(0.1e6)
      cut.machine.powerOff()
      const { offset, size } = image().board.flash.log
      expect(flash.bytes.slice(offset, offset + size)).toEqual(record.cutAt(at).flash.slice(offset, offset + size))
      cut.advance((1 + index) * SECOND)
      cut.consoleText = ''
      cut.machine.powerOn()
      untilReady(cut)
      expect(cut.consoleText).toContain('board esp32c3 reset=1\n')
      await expectWhole(cut, await client(cut))
    }
  })

  it('at any byte while keys rotate, a certificate is renewed, records are moved and sectors erased', async () => {
    const flash = freshFlash()
    const first = readyC3({ machine: { flash } })
    first.advance(25 * SECOND)
    first.machine.powerOff()
    const origin = LAN_BOARD_ORIGIN + 241 * DAY
    const dayBefore = readyC3({
      world: { unixOrigin: origin, seed: 2 },
      machine: { flash, rtc: first.machine.saveRtc() },
    })
    dayBefore.advance(15 * SECOND)
    const old = { ...(await client(dayBefore)), at: 0 }
    dayBefore.machine.powerOff()
    age(flash)
    const board = makeC3({
      world: { unixOrigin: origin + 2 * DAY, seed: 3 },
      machine: { flash, rtc: dayBefore.machine.saveRtc() },
    })
    const record = new FlashRecord(board)
    untilReady(board)
    board.advance(30 * SECOND)
    const notAfter = old.session.certificate.notAfter.getTime()
    const renewed = await client(board)
    expect(renewed.session.certificate.notAfter.getTime()).toBeGreaterThan(notAfter)
    const erases = record.writes.filter(({ data }) => !data).length
    const cuts = [...thinned(record.cuts(4), CUTS), ...record.cutsOfErases(5)]
    const result = await sweep(record, origin + 2 * DAY, cuts, [old, { ...renewed, at: record.length }])
    console.log(
      `rotation and renewal: ${record.writes.length} writes, ${erases} erases, ${result.boards} boards from cuts, ` +
        `ready after at most ${result.slowest.toFixed(1)} s`,
    )
    expect(erases).toBeGreaterThan(0)
    expect(result.authorities).toEqual(new Set([old.ca]))
  }, 600_000)
})
