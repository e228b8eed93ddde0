// SPI2, the general SPI as a master (TRM chapter 27): transfers by the processor over W0..W15, one line each way, with
// command, address, dummy and data phases.
//
//   in    register writes; CMD.USR starts a transfer
//   out   bytes to `device` at the end of the transfer, each with the true time at which it began on the wire
//
// Chip select is the board's affair: a plain output (`select` of the device is then called by the chip's pins), or CS0 of
// the peripheral, which frames each transfer. Not modelled: DMA, slave mode, segments, several lines, bits that are no
// whole bytes.

import { Source } from './interrupt_matrix'
import { type Chip, InterruptBits, Peripheral } from './peripheral'
import { CYCLE_HZ, XTAL_HZ } from './time_base'

const CMD = 0x00
const ADDR = 0x04
const CLOCK = 0x0c
const USER = 0x10
const USER1 = 0x14
const USER2 = 0x18
const MS_DLEN = 0x1c
const MISC = 0x20
const DMA_CONF = 0x30
const DMA_INT_ENA = 0x34
const DMA_INT_CLR = 0x38
const DMA_INT_RAW = 0x3c
const DMA_INT_ST = 0x40
const W0 = 0x98
const W15 = 0xd4
const SLAVE = 0xe0
const CLK_GATE = 0xe8

const UPDATE = 1 << 23
const USR = 1 << 24
const DOUTDIN = 0
const USR_MOSI = 27
const USR_MISO = 28
const USR_DUMMY = 29
const USR_ADDR = 30
const USR_COMMAND = 31
const CLK_EQU_SYSCLK = 31
const TRANS_DONE = 1 << 12
const DMA_ENABLES = 3 << 27
const PLL_HZ = 80e6
const BUFFER = 64

/** What hangs on the bus. Times are nanoseconds of true time. */
export interface SpiDevice {
  /** One byte each way. `nanos`: its first bit, or, when nothing is read back, the end of its last. */
  transfer(mosi: number, nanos: number): number
}

export class Spi2 extends Peripheral {
  device: SpiDevice | undefined
  /** The pads are joined to the bus. */
  connected: () => boolean = () => true
  transfers = 0
  bytes = 0
  /** Cycles of 160 MHz during which a transfer was in progress. */
  busyCycles = 0
  private readonly interrupts: InterruptBits
  private start = 0
  private end = Number.POSITIVE_INFINITY

  constructor(chip: Chip) {
    super(chip, 'SPI2', [[CMD, MISC], [DMA_CONF, DMA_INT_ST], [W0, W15], SLAVE, CLK_GATE])
    this.interrupts = new InterruptBits(chip, Source.Spi2)
  }

  override reset(): void {
    super.reset()
    this.end = Number.POSITIVE_INFINITY
    this.interrupts.reset()
  }

  /** Frequency of the bus clock. */
  clockHz(): number {
    const source = this.bit(CLK_GATE, 2) ? PLL_HZ : XTAL_HZ
    if (this.bit(CLOCK, CLK_EQU_SYSCLK)) return source
    return source / (this.field(CLOCK, 21, 18) + 1) / (this.field(CLOCK, 17, 12) + 1)
  }

  override read(offset: number): number {
    if (offset === CMD) {
      if (this.end !== Number.POSITIVE_INFINITY) this.chip.polled(this.end)
      this.finishIfDue()
      return this.end === Number.POSITIVE_INFINITY ? 0 : USR
    }
    if (offset === DMA_INT_RAW) {
      this.finishIfDue()
      return this.interrupts.raw
    }
    if (offset === DMA_INT_ST) return this.interrupts.status
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    if (this.end !== Number.POSITIVE_INFINITY && offset <= W15 && offset !== DMA_INT_ENA) {
      this.finishIfDue()
      if (this.end !== Number.POSITIVE_INFINITY) this.chip.complain('SPI2: registers written during a transfer')
    }
    super.write(offset, offset === CMD ? value & ~(UPDATE | USR) : value)
    if (offset === CMD && value & USR) this.begin()
    else if (offset === DMA_INT_ENA) this.interrupts.enable(value)
    else if (offset === DMA_INT_CLR) this.interrupts.clear(value)
    else if (offset === DMA_CONF && value & DMA_ENABLES) this.chip.complain('SPI2: DMA is not modelled')
  }

  override nextEvent(): number {
    return this.end
  }

  override advance(now: number): void {
    if (this.end <= now) this.finish()
  }

  private finishIfDue(): void {
    if (this.end <= this.chip.now()) this.finish()
  }

  private begin(): void {
    if (this.end !== Number.POSITIVE_INFINITY) {
      this.chip.complain('SPI2: a transfer begun during another')
      return
    }
    if ((this.words[CLK_GATE >>> 2]! & 3) !== 3) {
      this.chip.complain('SPI2: a transfer without clock')
      return
    }
    if (!this.connected()) this.chip.complain('SPI2: the pads are not joined to the bus')
    this.start = this.chip.now()
    this.end = this.start + (this.bits() * CYCLE_HZ) / this.clockHz()
    this.chip.rescheduled()
  }

  /** Bits of all phases. */
  private bits(): number {
    let bits = this.outgoing().length * 8
    if (this.bit(USER, USR_DUMMY)) bits += this.field(USER1, 7, 0) + 1
    if (this.hasData()) bits += this.dataBytes() * 8
    return bits
  }

  private hasData(): boolean {
    return this.bit(USER, USR_MOSI) || this.bit(USER, USR_MISO)
  }

  private dataBytes(): number {
    const bits = this.field(MS_DLEN, 17, 0) + 1
    if ((bits & 7) !== 0) this.chip.complain('SPI2: a length that is no whole bytes')
    if (bits > BUFFER * 8) this.chip.complain('SPI2: more than 64 bytes without DMA')
    return Math.min(BUFFER, Math.ceil(bits / 8))
  }

  /** Command and address phases as bytes: the command low byte first, the address from its most significant bit. */
  private outgoing(): number[] {
    const bytes: number[] = []
    if (this.bit(USER, USR_COMMAND)) {
      const length = this.whole(this.field(USER2, 31, 28) + 1)
      for (let i = 0; i < length; i++) bytes.push((this.field(USER2, 15, 0) >>> (8 * i)) & 0xff)
    }
    if (this.bit(USER, USR_ADDR)) {
      const length = this.whole(this.field(USER1, 31, 27) + 1)
      for (let i = 0; i < length; i++) bytes.push((this.words[ADDR >>> 2]! >>> (24 - 8 * i)) & 0xff)
    }
    return bytes
  }

  private whole(bits: number): number {
    if ((bits & 7) !== 0) this.chip.complain('SPI2: a phase that is no whole bytes')
    return bits >>> 3
  }

  private finish(): void {
    const byteCycles = (8 * CYCLE_HZ) / this.clockHz()
    let at = this.start
    for (const byte of this.outgoing()) {
      this.exchange(byte, at)
      at += byteCycles
    }
    if (this.bit(USER, USR_DUMMY)) at += ((this.field(USER1, 7, 0) + 1) * byteCycles) / 8
    if (this.hasData()) this.data(at, byteCycles)
    this.busyCycles += this.end - this.start
    this.end = Number.POSITIVE_INFINITY
    this.transfers++
    this.interrupts.set(TRANS_DONE)
  }

  private data(from: number, byteCycles: number): void {
    const out = this.bit(USER, USR_MOSI)
    const into = this.bit(USER, USR_MISO) || this.bit(USER, DOUTDIN)
    const length = this.dataBytes()
    for (let i = 0; i < length; i++) {
      const word = (W0 >>> 2) + (i >>> 2)
      const shift = 8 * (i & 3)
      const mosi = out ? (this.words[word]! >>> shift) & 0xff : 0
      const miso = this.exchange(mosi, from + (into ? i : i + 1) * byteCycles)
      if (into) this.words[word] = (this.words[word]! & ~(0xff << shift)) | (miso << shift)
    }
  }

  private exchange(mosi: number, at: number): number {
    this.bytes++
    if (this.device === undefined || !this.connected()) return 0xff
    return this.device.transfer(mosi, this.chip.nanos(at)) & 0xff
  }
}
