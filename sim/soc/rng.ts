// The random number generator (TRM chapter 25) at APB_CTRL + 0xB0, and the SAR ADC that gives it noise.
//
// RND_DATA is random only while the noise source is on: the SAR's supply (RTC_CNTL), its clock, its timer. Otherwise it
// repeats a short pattern, so that a program that forgets the source, or has no health test, is found out. Reads less than
// 16 bus cycles apart get the same word again.

import { type Chip, Peripheral } from './peripheral'

const RND_DATA = 0xb0
/** 16 cycles of the 80 MHz bus. */
const FRESH_CYCLES = 32
const POOR = [0x5a5a_5a5a, 0x5a5a_5a5a, 0x5a5a_5a5b, 0x5a5a_5a5a]

const CTRL = 0x00
const CTRL2 = 0x04
const FSM_WAIT = 0x0c
const SAR_PATT_TAB1 = 0x18
const SAR_PATT_TAB2 = 0x1c
const DMA_CONF = 0x50
const CLKM_CONF = 0x54
const TIMER_EN = 24
const CLK_EN = 20

/** Registers of the SAR ADC's digital controller. No conversion is modelled, only whether it runs. */
export class SarAdc extends Peripheral {
  constructor(chip: Chip) {
    super(chip, 'APB_SARADC', [[CTRL, CTRL2], FSM_WAIT, [SAR_PATT_TAB1, SAR_PATT_TAB2], [DMA_CONF, CLKM_CONF]])
  }

  /** The controller converts without end. */
  get converting(): boolean {
    const clocked = this.field(CLKM_CONF, 22, 21) !== 0 || this.bit(CLKM_CONF, CLK_EN)
    return this.running && clocked && this.bit(CTRL2, TIMER_EN)
  }
}

/** APB_CTRL: only the random number. */
export class ApbCtrl extends Peripheral {
  reads = 0
  /** Reads that came too soon for a new word. */
  stale = 0
  private word = 0
  private readAt = Number.NEGATIVE_INFINITY

  constructor(
    chip: Chip,
    private readonly noisy: () => boolean,
    private readonly random: () => number,
  ) {
    super(chip, 'APB_CTRL', [RND_DATA])
  }

  override read(offset: number): number {
    if (offset !== RND_DATA) return super.read(offset)
    const now = this.chip.now()
    this.reads++
    if (!this.noisy()) return POOR[this.reads % POOR.length]!
    if (now - this.readAt < FRESH_CYCLES) {
      this.stale++
      return this.word
    }
    this.readAt = now
    this.word = this.random() >>> 0
    return this.word
  }

  override write(offset: number, value: number): void {
    if (offset !== RND_DATA) super.write(offset, value)
  }
}
