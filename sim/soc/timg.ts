// TIMG (TRM chapter 11): the main system watchdog of a timer group. Its general timer and the slow clock's calibration
// are not modelled.
//
// The watchdog counts APB cycles divided by the prescaler. After a reset that of group 0 runs in flash-boot mode and bites
// unless the program stops it.

import { Source } from './interrupt_matrix'
import { type Chip, Peripheral } from './peripheral'
import { ResetCause } from './rtc_cntl'
import { CYCLE_HZ } from './time_base'

const WDTCONFIG0 = 0x48
const WDTCONFIG1 = 0x4c
const WDTCONFIG2 = 0x50
const WDTFEED = 0x60
const WDTWPROTECT = 0x64
const INT_ENA = 0x70
const INT_RAW = 0x74
const INT_ST = 0x78
const INT_CLR = 0x7c
const REGCLK = 0xfc

const WDT_EN = 31
const CONF_UPDATE_EN = 1 << 22
const FLASHBOOT_MOD_EN = 14
const WDT_KEY = 0x50d8_3aa1
const INT_WDT = 2
const STAGES = 4
/** Bit positions of WDT_STG0..3. */
const STAGE_BITS = [29, 27, 25, 23]

const enum Action {
  Interrupt = 1,
  ResetCpu = 2,
  ResetSystem = 3,
}

export class Timg extends Peripheral {
  private stage = 0
  private from = 0
  /** WDTCONFIG0 as it is at work: written values count from CONF_UPDATE_EN on. */
  private config = 0
  private raw = 0

  constructor(
    chip: Chip,
    private readonly group: 0 | 1,
    private readonly apbHz: () => number,
    private readonly resetChip: (cause: ResetCause) => void,
  ) {
    super(chip, `TIMG${group}`, [[WDTCONFIG0, WDTWPROTECT], [INT_ENA, INT_CLR], REGCLK])
  }

  override reset(): void {
    super.reset()
    this.raw = 0
    this.config = this.words[WDTCONFIG0 >>> 2]!
    if (this.group === 1) this.config &= ~(1 << FLASHBOOT_MOD_EN)
    this.feed()
    this.raise()
  }

  override read(offset: number): number {
    if (offset === INT_RAW) return this.raw
    if (offset === INT_ST) return this.raw & this.words[INT_ENA >>> 2]!
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    if (offset >= WDTCONFIG0 && offset <= WDTFEED && this.words[WDTWPROTECT >>> 2] !== WDT_KEY) return
    if (offset === INT_RAW || offset === INT_ST) return
    if (offset === WDTFEED) {
      this.feed()
      return
    }
    super.write(offset, offset === WDTCONFIG0 ? value & ~CONF_UPDATE_EN : value)
    if (offset === WDTCONFIG0 && (value & CONF_UPDATE_EN) !== 0) {
      this.config = this.words[WDTCONFIG0 >>> 2]!
      this.feed()
    }
    if (offset === INT_CLR) this.raw &= ~value
    this.raise()
  }

  override nextEvent(): number {
    if (((this.config >>> WDT_EN) & 1) === 0 && ((this.config >>> FLASHBOOT_MOD_EN) & 1) === 0)
      return Number.POSITIVE_INFINITY
    const prescale = Math.max(1, this.field(WDTCONFIG1, 31, 16))
    const hold = this.words[(WDTCONFIG2 >>> 2) + this.stage]!
    return this.from + (hold * prescale * CYCLE_HZ) / this.apbHz()
  }

  override advance(now: number): void {
    if (this.nextEvent() > now) return
    const flashBoot = ((this.config >>> WDT_EN) & 1) === 0
    const action = flashBoot ? Action.ResetSystem : (this.config >>> STAGE_BITS[this.stage]!) & 3
    this.from = this.nextEvent()
    this.stage = (this.stage + 1) % STAGES
    if (action === Action.Interrupt) this.raw |= INT_WDT
    else if (action === Action.ResetCpu) this.resetChip(this.group === 0 ? ResetCause.Tg0WdtCpu : ResetCause.Tg1WdtCpu)
    else if (action === Action.ResetSystem) this.resetChip(this.group === 0 ? ResetCause.Tg0Wdt : ResetCause.Tg1Wdt)
    this.raise()
  }

  private feed(): void {
    this.stage = 0
    this.from = this.chip.now()
    this.chip.rescheduled()
  }

  private raise(): void {
    this.chip.raise(this.group === 0 ? Source.Tg0Wdt : Source.Tg1Wdt, (this.raw & this.words[INT_ENA >>> 2]!) !== 0)
  }
}
