// The commands of a serial NOR flash (W25Q32-like) over the array of sim/chips/nor_flash.ts: what the SPI1 controller
// talks to.
//
//   in    one frame: command, address, data, at a time
//   out   data, busy times, counts of what a driver should not have done
//
// A program or erase changes the array when it begins; BUSY stays set for the time that it takes.

import type { NorFlash } from '../chips/nor_flash'
import { NOR_SECTOR } from '../chips/nor_flash'

const WRITE_STATUS_1 = 0x01
const PAGE_PROGRAM = 0x02
const READ = 0x03
const WRITE_DISABLE = 0x04
const READ_STATUS_1 = 0x05
const WRITE_ENABLE = 0x06
const FAST_READ = 0x0b
const SECTOR_ERASE = 0x20
const WRITE_STATUS_2 = 0x31
const READ_STATUS_2 = 0x35
const READ_ID = 0x9f

const BUSY = 1
const WRITE_ENABLE_LATCH = 2
const PAGE = 256
/** Winbond, W25Q, 4 MB. */
const JEDEC_ID = [0xef, 0x40, 0x16]
const STATUS_WRITE_NANOS = 10e6

export class FlashChip {
  /** When the operation in progress ends, nanos. */
  busyUntil = Number.NEGATIVE_INFINITY
  /** Commands that came while busy, programs and erases without write enable, unknown commands. */
  readonly faults = { busy: 0, notEnabled: 0, unknown: 0, failed: 0 }
  readonly counters = { programs: 0, erases: 0 }
  /** Status register 2; bit 1 is QE. */
  status2 = 0
  private enabled = false

  constructor(readonly array: NorFlash) {}

  busy(nanos: number): boolean {
    return nanos < this.busyUntil
  }

  /** One frame; returns `length` bytes of answer. */
  command(code: number, address: number, data: Uint8Array, length: number, nanos: number): Uint8Array {
    const out = new Uint8Array(length).fill(0xff)
    if (code === READ_STATUS_1) return out.fill(this.status1(nanos))
    if (code === READ_STATUS_2) return out.fill(this.status2)
    if (this.busy(nanos)) {
      this.faults.busy++
      return out
    }
    this.execute(code, address, data, out, nanos)
    return out
  }

  private status1(nanos: number): number {
    const busy = this.busy(nanos)
    return (busy ? BUSY : 0) | (this.enabled || busy ? WRITE_ENABLE_LATCH : 0)
  }

  private execute(code: number, address: number, data: Uint8Array, out: Uint8Array, nanos: number): void {
    switch (code) {
      case READ:
      case FAST_READ:
        this.read(address, out)
        break
      case READ_ID:
        out.forEach((_, i) => {
          out[i] = JEDEC_ID[i % 3]!
        })
        break
      case WRITE_ENABLE:
        this.enabled = true
        break
      case WRITE_DISABLE:
        this.enabled = false
        break
      case WRITE_STATUS_1:
      case WRITE_STATUS_2:
      case PAGE_PROGRAM:
      case SECTOR_ERASE:
        this.change(code, address, data, nanos)
        break
      default:
        this.faults.unknown++
    }
  }

  private read(address: number, out: Uint8Array): void {
    const size = this.array.bytes.length
    if (!this.array.powered) return
    for (let i = 0; i < out.length; i++) out[i] = this.array.bytes[(address + i) % size]!
  }

  private change(code: number, address: number, data: Uint8Array, nanos: number): void {
    if (!this.enabled) {
      this.faults.notEnabled++
      return
    }
    this.enabled = false
    if (code === PAGE_PROGRAM) this.program(address, data, nanos)
    else if (code === SECTOR_ERASE) this.erase(address, nanos)
    else {
      if (code === WRITE_STATUS_2) this.status2 = data[0] ?? 0
      this.busyUntil = nanos + STATUS_WRITE_NANOS
    }
  }

  /** Addresses wrap within the page of 256 bytes. */
  private program(address: number, data: Uint8Array, nanos: number): void {
    const page = (address - (address % PAGE)) % this.array.bytes.length
    let column = address % PAGE
    for (let from = 0; from < data.length; ) {
      const length = Math.min(data.length - from, PAGE - column)
      if (this.array.program(page + column, data.subarray(from, from + length), length) !== 0) this.faults.failed++
      from += length
      column = 0
    }
    this.counters.programs++
    this.busyUntil = nanos + this.array.programTime(data.length)
  }

  private erase(address: number, nanos: number): void {
    const at = address % this.array.bytes.length
    if (this.array.erase(at - (at % NOR_SECTOR)) !== 0) this.faults.failed++
    this.counters.erases++
    this.busyUntil = nanos + this.array.eraseTime()
  }
}
