// INTERRUPT_CORE0 (TRM chapter 8): leads 62 sources to 31 CPU interrupts, each with type, priority and enable, under one
// threshold.
//
//   in    levels of sources
//   out   the CPU interrupt that is asserted now (0: none): the highest priority at or above the threshold; among equals
//         the lowest number
//
// An edge-type CPU interrupt is latched when its sources' common level rises, and stays until CPU_INT_CLEAR.

import { type Chip, Peripheral } from './peripheral'

/** Sources, by their number in the matrix. */
export const enum Source {
  Gpio = 16,
  GpioNmi = 17,
  Spi1 = 18,
  Spi2 = 19,
  Uart0 = 21,
  Uart1 = 22,
  Usb = 26,
  RtcCore = 27,
  I2c0 = 29,
  Tg0T0 = 32,
  Tg0Wdt = 33,
  Tg1T0 = 34,
  Tg1Wdt = 35,
  Systimer0 = 37,
  Aes = 48,
  FromCpu0 = 50,
}

const SOURCES = 62
const INTR_STATUS_0 = 0x0f8
const INTR_STATUS_1 = 0x0fc
const CLOCK_GATE = 0x100
const CPU_INT_ENABLE = 0x104
const CPU_INT_TYPE = 0x108
const CPU_INT_CLEAR = 0x10c
const CPU_INT_EIP_STATUS = 0x110
const CPU_INT_PRI_0 = 0x114
const CPU_INT_THRESH = 0x194

export class InterruptMatrix extends Peripheral {
  /** Number of the CPU interrupt that is asserted, 0 for none. */
  asserted = 0
  private readonly levels = new Uint8Array(SOURCES)
  /** CPU interrupts whose sources are high, and the edges that are latched; by bit. */
  private high = 0
  private latched = 0

  constructor(
    chip: Chip,
    private readonly changed: (cpuInterrupt: number) => void,
  ) {
    super(chip, 'INTERRUPT_CORE0', [[0, 4 * SOURCES - 4], INTR_STATUS_0, INTR_STATUS_1, [CLOCK_GATE, CPU_INT_THRESH]])
  }

  override reset(): void {
    super.reset()
    this.latched = 0
    this.update()
  }

  /** Bits of the CPU interrupts that wait, enabled or not. */
  get pending(): number {
    const edges = this.words[CPU_INT_TYPE >>> 2]!
    return ((this.high & ~edges) | (this.latched & edges)) >>> 0
  }

  level(source: number, high: boolean): void {
    const now = high ? 1 : 0
    if (this.levels[source] === now) return
    this.levels[source] = now
    this.update()
  }

  override read(offset: number): number {
    if (offset === INTR_STATUS_0) return this.status(0)
    if (offset === INTR_STATUS_1) return this.status(32)
    if (offset === CPU_INT_EIP_STATUS) return this.pending
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    super.write(offset, value)
    if (offset === CPU_INT_CLEAR) this.latched &= ~value
    this.update()
  }

  private status(from: number): number {
    let bits = 0
    for (let i = 0; i < 32 && from + i < SOURCES; i++) bits |= this.levels[from + i]! << i
    return bits >>> 0
  }

  private update(): void {
    let high = 0
    for (let source = 0; source < SOURCES; source++) {
      if (this.levels[source] === 1) high |= 1 << (this.words[source]! & 31)
    }
    high &= ~1
    this.latched |= high & ~this.high
    this.high = high
    const asserted = this.highest(this.pending & this.words[CPU_INT_ENABLE >>> 2]!)
    if (asserted === this.asserted) return
    this.asserted = asserted
    this.changed(asserted)
  }

  private highest(waiting: number): number {
    let best = 0
    let bestPriority = Math.max(1, this.words[CPU_INT_THRESH >>> 2]! & 15)
    for (let n = 1; n < 32; n++) {
      if (((waiting >>> n) & 1) === 0) continue
      const priority = this.words[(CPU_INT_PRI_0 >>> 2) + n]! & 15
      if (priority > bestPriority || (priority === bestPriority && best === 0)) {
        best = n
        bestPriority = priority
      }
    }
    return best
  }
}
