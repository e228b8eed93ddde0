// SPI1, the flash controller for software, and SPI0, that of the cache (TRM chapter 27; not documented there in full).
//
// SPI1: user-defined commands with command, address, dummy and data phases over W0..W15, one line each way. The commands
// that the controller knows by itself (FLASH_SE, FLASH_PP ...) are refused with a complaint. SPI0: registers are kept; a
// read mode that the flash is not set up for is complained about.

import type { FlashChip } from './flash_chip'
import { type Chip, Peripheral } from './peripheral'
import { CYCLE_HZ } from './time_base'

const CMD = 0x00
const ADDR = 0x04
const CTRL = 0x08
const CLOCK = 0x14
const USER = 0x18
const USER1 = 0x1c
const USER2 = 0x20
const MOSI_DLEN = 0x24
const MISO_DLEN = 0x28
const RD_STATUS = 0x2c
const MISC = 0x34
const W0 = 0x58
const W15 = 0x94

const USR = 1 << 18
/** FLASH_PE .. FLASH_READ: commands of the controller's own. */
const OWN_COMMANDS = 0xfffa_0000
const USR_MOSI = 27
const USR_MISO = 28
const USR_DUMMY = 29
const USR_ADDR = 30
const USR_COMMAND = 31
const CLK_EQU_SYSCLK = 31
const FREAD_QUAD = 20
const FREAD_QIO = 24
const QE = 2
const SOURCE_HZ = 80e6
const BUFFER = 64
const DATA_MODES = (1 << 14) | (1 << 20) | (1 << 23) | (1 << 24)

export class SpiFlash extends Peripheral {
  private end = Number.POSITIVE_INFINITY

  constructor(
    chip: Chip,
    private readonly flash: FlashChip,
  ) {
    super(chip, 'SPI1', [[CMD, MISO_DLEN], RD_STATUS, MISC, [W0, W15]])
  }

  override reset(): void {
    super.reset()
    this.end = Number.POSITIVE_INFINITY
  }

  override read(offset: number): number {
    if (offset !== CMD) return super.read(offset)
    if (this.end === Number.POSITIVE_INFINITY) return 0
    this.chip.polled(this.end)
    return USR
  }

  override write(offset: number, value: number): void {
    if (offset !== CMD) {
      super.write(offset, value)
      return
    }
    if (value & OWN_COMMANDS & ~USR) this.chip.complain(`SPI1: command 0x${value.toString(16)} is not modelled`)
    if (value & USR) this.begin()
  }

  override nextEvent(): number {
    return this.end
  }

  override advance(now: number): void {
    if (this.end > now) return
    const at = this.end
    this.end = Number.POSITIVE_INFINITY
    this.execute(at)
  }

  private begin(): void {
    if (this.words[CTRL >>> 2]! & DATA_MODES) this.chip.complain('SPI1: commands over several lines are not modelled')
    let bits = 0
    if (this.bit(USER, USR_COMMAND)) bits += this.field(USER2, 31, 28) + 1
    if (this.bit(USER, USR_ADDR)) bits += this.field(USER1, 31, 26) + 1
    if (this.bit(USER, USR_DUMMY)) bits += this.field(USER1, 5, 0) + 1
    bits += 8 * (this.length(USR_MOSI, MOSI_DLEN) + this.length(USR_MISO, MISO_DLEN))
    this.end = this.chip.now() + (bits * CYCLE_HZ) / this.clockHz()
    this.chip.rescheduled()
  }

  private clockHz(): number {
    return this.bit(CLOCK, CLK_EQU_SYSCLK) ? SOURCE_HZ : SOURCE_HZ / (this.field(CLOCK, 23, 16) + 1)
  }

  /** Bytes of a data phase. */
  private length(phase: number, register: number): number {
    return this.bit(USER, phase) ? Math.min(BUFFER, Math.ceil((this.field(register, 9, 0) + 1) / 8)) : 0
  }

  private execute(at: number): void {
    const buffer = new Uint8Array(this.words.buffer, this.words.byteOffset + W0, BUFFER)
    const data = buffer.slice(0, this.length(USR_MOSI, MOSI_DLEN))
    const answer = this.length(USR_MISO, MISO_DLEN)
    const bits = this.bit(USER, USR_ADDR) ? this.field(USER1, 31, 26) + 1 : 0
    const address = bits > 0 ? this.words[ADDR >>> 2]! % 2 ** bits : 0
    const code = this.bit(USER, USR_COMMAND) ? this.field(USER2, 7, 0) : 0
    buffer.set(this.flash.command(code, address, data, answer, this.chip.nanos(at)))
  }
}

/** SPI0: the cache's way to the flash. */
export class SpiCache extends Peripheral {
  constructor(
    chip: Chip,
    private readonly flash: FlashChip,
  ) {
    super(chip, 'SPI0', [
      [CTRL, CTRL],
      [CLOCK, USER2],
    ])
  }

  override write(offset: number, value: number): void {
    super.write(offset, value)
    const quad = this.bit(CTRL, FREAD_QUAD) || this.bit(CTRL, FREAD_QIO)
    if (offset === CTRL && quad && (this.flash.status2 & QE) === 0)
      this.chip.complain('SPI0: quad reads while the flash has its QE bit clear')
  }
}
