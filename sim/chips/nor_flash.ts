// A serial NOR flash (W25Q-like), as far as firmware can see it: 4096-byte sectors, bits go from 1 to 0 by programming and
// back to 1 by erasing a whole sector only.
//
// In: reads, programs, erases with their time. Out: bytes, the duration of each operation, counts of wrong use.
// Faults are injected by `cutAfter(n)`: power fails when n more bytes have been programmed (an erase counts as 4096
// bytes, in a scattered order). After the cut every access fails until `restorePower()`; what the cut left is there.

/** Told of every change, so that a board can keep a file. */
export abstract class NorFlashHost {
  abstract changed(offset: i32, length: i32): void
}

export const NOR_SECTOR: i32 = 4096

/** Typical times (W25Q64JV data sheet, 9.6): a page of 256 bytes 0.7 ms at most 3, a sector erase 45 ms at most 400. */
const PROGRAM_NANOS_PER_BYTE: f64 = 2700
const ERASE_NANOS: f64 = 45e6

export class NorFlash {
  /** The contents. */
  bytes: Uint8Array
  /** Erases of each sector. */
  erases: Uint32Array
  /** Bytes whose programming tried to turn a 0 into a 1. The result was the AND. */
  illegalPrograms: i32 = 0
  /** Bytes programmed since power-on, erases included (4096 each). */
  programmed: f64 = 0
  /** False after an injected power cut. */
  powered: bool = true

  private cutAt: f64 = Infinity

  constructor(
    private host: NorFlashHost,
    size: i32,
  ) {
    this.bytes = new Uint8Array(size)
    this.bytes.fill(0xff)
    this.erases = new Uint32Array((size / NOR_SECTOR) | 0)
  }

  /** Power fails after `count` more bytes. */
  cutAfter(count: f64): void {
    this.cutAt = this.programmed + count
  }

  restorePower(): void {
    this.cutAt = Infinity
    this.powered = true
  }

  /** 0, or -3 when the range is outside the part, or -4 without power. */
  read(offset: i32, out: Uint8Array, length: i32): i32 {
    if (!this.inside(offset, length)) return -3
    if (!this.powered) return -4
    for (let i: i32 = 0; i < length; i++) out[i] = this.bytes[offset + i]
    return 0
  }

  /** Programs `length` bytes: 0, -3 or -4 (power failed, or a byte does not read back as asked for). */
  program(offset: i32, data: Uint8Array, length: i32): i32 {
    if (!this.inside(offset, length)) return -3
    let verified: bool = this.powered
    let done: i32 = 0
    while (done < length && this.spend()) {
      const before: i32 = this.bytes[offset + done] as i32
      const wanted: i32 = data[done] as i32
      if ((wanted & ~before) !== 0) {
        this.illegalPrograms++
        verified = false
      }
      this.bytes[offset + done] = (before & wanted) as u8
      done++
    }
    if (done > 0) this.host.changed(offset, done)
    return verified && done === length ? 0 : -4
  }

  /** Erases the sector that begins at `offset`: 0, -3 or -4. */
  erase(offset: i32): i32 {
    if (!this.inside(offset, NOR_SECTOR) || offset % NOR_SECTOR !== 0) return -3
    let done: i32 = 0
    // 1597 is coprime to 4096: every byte once, in an order that looks like none.
    while (done < NOR_SECTOR && this.spend()) {
      this.bytes[offset + ((done * 1597) & (NOR_SECTOR - 1))] = 0xff
      done++
    }
    if (done > 0) this.host.changed(offset, NOR_SECTOR)
    if (done < NOR_SECTOR) return -4
    this.erases[(offset / NOR_SECTOR) | 0]++
    return 0
  }

  /** Nanoseconds that programming takes. */
  programTime(length: i32): f64 {
    return PROGRAM_NANOS_PER_BYTE * (length as f64)
  }

  eraseTime(): f64 {
    return ERASE_NANOS
  }

  private inside(offset: i32, length: i32): bool {
    return offset >= 0 && length >= 0 && offset + length <= this.bytes.length
  }

  /** One byte's worth of programming; false when power is gone. */
  private spend(): bool {
    if (!this.powered) return false
    if (this.programmed >= this.cutAt) {
      this.powered = false
      return false
    }
    this.programmed += 1
    return true
  }
}
