// The flash image on the simulated ESP32-C3, for the tests of this folder: boards from given flash and RTC, what each must
// be able to do after a fault, and a record of everything that was programmed into the flash.

import { expect } from 'vitest'
import type { SavedRtc } from '../../hal/virtual/rtc'
import { NOR_SECTOR, NorFlash, NorFlashHost } from '../../sim/chips/nor_flash'
import { type Esp32c3Firmware, esp32c3Firmware } from '../../src/esp32c3'
import { Esp32c3LanBoard, type Esp32c3LanBoardOptions } from '../../src/lan_board'
import type { Session } from '../../src/nts/key_exchange'
import { encodeHeader } from '../../src/nts/packet'
import {
  askNts,
  exchange,
  freshTransmit,
  isNak,
  NEIGHBOUR,
  offsetError,
  READY_WITHIN,
  type Reply,
  SECOND,
  uncertainty,
} from './board'

/** The image; without a RISC-V compiler there is none, and why. */
let firmware: Esp32c3Firmware | undefined
let missing: string | undefined
try {
  firmware = await esp32c3Firmware()
} catch (error) {
  missing = `the ESP32-C3 image cannot be built here: ${(error as Error).message}`
}

/** Why the tests of this machine cannot be run; undefined when they can. */
export const missingEsp32c3: string | undefined = missing

export type C3Options = Omit<Esp32c3LanBoardOptions, 'image' | 'core' | 'board'>

export function image(): Esp32c3Firmware {
  if (!firmware) throw new Error(missing)
  return firmware
}

export function makeC3(options: C3Options = {}): Esp32c3LanBoard {
  return new Esp32c3LanBoard({ ...image(), ...options })
}

export function readyC3(options: C3Options = {}): Esp32c3LanBoard {
  const board = makeC3(options)
  untilReady(board)
  return board
}

export function untilReady(board: Esp32c3LanBoard, within = READY_WITHIN): void {
  if (!board.runUntilSaid('ready', within)) {
    throw new Error(`not ready after ${within} s: ${board.consoleText} ${board.machine.reports} ${board.ask('counts')}`)
  }
}

/** What a client holds from before the fault. */
export interface Client {
  ca: string
  session: Session
}

/** The authority's certificate. The answer may wait for a sector that is being erased. */
export function authority(board: Esp32c3LanBoard): string {
  board.ask('ca')
  for (const end = board.now + SECOND / 2; !board.consoleText.includes('-----END') && board.now < end; )
    board.advance(SECOND / 100)
  board.advance(SECOND / 100)
  return board.consoleText.slice(Math.max(0, board.consoleText.indexOf('-----BEGIN')))
}

/** A client of a board that is ready, with eight cookies. */
export async function client(board: Esp32c3LanBoard): Promise<Client> {
  const ca = authority(board)
  return { ca, session: await board.keyExchange({ ca }) }
}

/** A plain answer to this very question, which may be lost. */
function ask(board: Esp32c3LanBoard): Reply | undefined {
  const sent = freshTransmit()
  const reply = exchange(board, encodeHeader(sent), NEIGHBOUR)
  return reply?.header.origin === sent ? reply : undefined
}

/** Asks every quarter of a second until the time is served, and true; the seconds that it took. */
export function untilServed(board: Esp32c3LanBoard, limit = 40): number {
  const from = board.now
  for (;;) {
    const reply = ask(board)
    if (reply?.header.stratum === 1) {
      expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
      return (board.now - from) / SECOND
    }
    if (board.now > from + limit * SECOND) throw new Error(`not served for ${limit} s: ${board.ask('status')}`)
    board.advance(SECOND / 4)
  }
}

/** Asks for a while: an answer is true, or says that it is not. Returns how many were served, and the largest bound. */
export function expectTrueFor(
  board: Esp32c3LanBoard,
  span: number,
  spacing = SECOND,
): { served: number; bound: number } {
  let served = 0
  let bound = 0
  for (const end = board.now + span; board.now < end; board.advance(spacing)) {
    const reply = ask(board)
    if (reply?.header.stratum !== 1) continue
    served++
    bound = Math.max(bound, reply.dispersion)
    expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
  }
  return { served, bound }
}

/** The board takes one of the client's cookies, which is used up. */
export function opens(board: Esp32c3LanBoard, { session }: Client): boolean {
  // A frame may be lost while the network part is set up anew.
  for (let tries = 0; ; tries++) {
    try {
      const [cookie] = session.cookies
      return !isNak(askNts(board, { ...session, cookies: [cookie!] }))
    } catch (error) {
      if (tries === 8) throw error
      board.advance(SECOND / 2)
    }
  }
}

/** It serves again and nothing is lost: plain and NTS time are true, the cookies open, the authority is the same. */
export async function expectWhole(board: Esp32c3LanBoard, before: Client, limit = 40): Promise<number> {
  const seconds = untilServed(board, limit)
  const reply = askNts(board, before.session)
  expect(isNak(reply)).toBe(false)
  expect(reply.header.stratum).toBe(1)
  expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
  for (let i = 0; authority(board).startsWith('no certificate') && i < 20; i++) board.advance(SECOND)
  expect(authority(board)).toBe(before.ca)
  expect((await board.keyExchange({ ca: before.ca })).cookies).toHaveLength(8)
  expectNothingStrange(board)
  return seconds
}

/** The image has touched no register that is not modelled, and the chip had nothing else to complain of. */
export function expectNothingStrange(board: Esp32c3LanBoard, ...expected: RegExp[]): void {
  expect(board.machine.reports.filter((report) => !expected.some((pattern) => pattern.test(report)))).toEqual([])
  expect(
    [...board.machine.soc.peripherals.bus.unmodelled.keys()].filter((what) => !expected.some((p) => p.test(what))),
  ).toEqual([])
  const { faults } = board.machine.soc.flash
  expect([faults.busy, faults.notEnabled, faults.unknown, board.machine.flash.illegalPrograms]).toEqual([0, 0, 0, 0])
}

/** One program or erase, and what else lasted at that moment. */
interface FlashWrite {
  /** Bytes that had been programmed before it. */
  from: number
  offset: number
  /** Undefined: an erase. */
  data: Uint8Array | undefined
  rtc: SavedRtc
}

class Unheard extends NorFlashHost {
  changed(): void {}
}

/**
 * Everything that a board programs into its flash. A power cut loses all but flash and RTC; so what a cut at any byte
 * leaves can be made from the record, without running up to it again.
 */
export class FlashRecord {
  readonly writes: FlashWrite[] = []
  private readonly before: Uint8Array
  private readonly begun: number

  constructor(private readonly board: Esp32c3LanBoard) {
    const { flash } = board.machine
    this.before = Uint8Array.from(flash.bytes)
    this.begun = flash.programmed
    const program = flash.program.bind(flash)
    const erase = flash.erase.bind(flash)
    flash.program = (offset, data, length) => {
      this.note(offset, data.slice(0, length))
      return program(offset, data, length)
    }
    flash.erase = (offset) => {
      this.note(offset, undefined)
      return erase(offset)
    }
  }

  /** Bytes programmed until now; an erase counts as 4096. */
  get length(): number {
    return this.board.machine.flash.programmed - this.begun
  }

  /** Bytes at which a cut is worth a try: around and within each write. */
  cuts(perWrite: number): number[] {
    const all = new Set<number>()
    for (const { from, data } of this.writes) {
      const length = data?.length ?? NOR_SECTOR
      all.add(from).add(from + length - 1)
      for (let i = 1; i < perWrite; i++) all.add(from + Math.floor((length * i) / perWrite))
    }
    return [...all].sort((a, b) => a - b)
  }

  /** Bytes within each erase. */
  cutsOfErases(perErase: number): number[] {
    const froms = this.writes.filter(({ data }) => !data).map(({ from }) => from)
    return froms.flatMap((from) =>
      Array.from({ length: perErase }, (_, i) => from + Math.round(((NOR_SECTOR - 1) * i) / (perErase - 1))),
    )
  }

  /**
   * Flash and RTC after a cut at byte `at`. `torn`: bits of the byte in progress that had already changed; a cell may be
   * anywhere between its old and its new state.
   */
  cutAt(at: number, torn = 0): { flash: Uint8Array; rtc: SavedRtc; what: string } {
    const flash = new NorFlash(new Unheard(), this.before.length)
    flash.bytes = Uint8Array.from(this.before)
    flash.cutAfter(at)
    let last = this.writes[0]!
    for (const write of this.writes) {
      if (write.from > at) break
      last = write
      if (write.data) flash.program(write.offset, write.data, write.data.length)
      else flash.erase(write.offset)
    }
    const within = at - last.from
    if (last.data && within < last.data.length) flash.bytes[last.offset + within]! &= last.data[within]! | ~torn
    const what = `${last.data ? `program of ${last.data.length}` : 'erase'} at 0x${last.offset.toString(16)}, byte ${within}`
    return { flash: flash.bytes, rtc: last.rtc, what }
  }

  private note(offset: number, data: Uint8Array | undefined): void {
    this.writes.push({ from: this.length, offset, data, rtc: this.board.machine.saveRtc() })
  }
}
