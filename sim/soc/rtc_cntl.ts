// RTC_CNTL (TRM chapters 9 and 12): watchdog, super watchdog, reset cause and software reset, slow clock, store registers.
//
//   in    register writes
//   out   `resetChip(cause)`: the chip is to be reset now
//
// The slow clock is the RC oscillator of 136 kHz; its real rate differs from chip to chip (`slowHz`). The watchdog counts
// it: stage 0 for WDTCONFIG1 << (1 + WDT_DELAY_SEL) ticks, the later stages as written. The super watchdog bites after
// about a second unless it is fed, feeds itself or is off. What this file keeps over resets: STORE0..7.

import { Source } from './interrupt_matrix'
import { type Chip, Peripheral } from './peripheral'
import { CYCLE_HZ } from './time_base'

const OPTIONS0 = 0x00
const TIME_UPDATE = 0x0c
const TIME_LOW0 = 0x10
const TIME_HIGH0 = 0x14
const ANA_CONF = 0x34
const RESET_STATE = 0x38
const INT_ENA = 0x40
const INT_RAW = 0x44
const INT_ST = 0x48
const INT_CLR = 0x4c
const STORE0 = 0x50
const CLK_CONF = 0x70
const WDTCONFIG0 = 0x90
const WDTFEED = 0xa4
const WDTWPROTECT = 0xa8
const SWD_CONF = 0xac
const SWD_WPROTECT = 0xb0
const STORE4 = 0xb8
const BROWN_OUT = 0xd8
const OPTION1 = 0xf4
const SENSOR_CTRL = 0x11c

const SW_SYS_RST = 31
const SW_PROCPU_RST = 5
const WDT_EN = 31
const WDT_FLASHBOOT_MOD_EN = 12
const WDT_KEY = 0x50d8_3aa1
const SWD_KEY = 0x8f1d_312a
const SWD_DISABLE = 30
const SWD_AUTO_FEED_EN = 31
const SWD_FEED = 29
const SWD_SECONDS = 1
const INT_WDT = 1 << 3
const STAGES = 4

/** RESET_CAUSE_PROCPU. */
export const enum ResetCause {
  PowerOn = 0x01,
  SoftwareSystem = 0x03,
  Tg0Wdt = 0x07,
  Tg1Wdt = 0x08,
  RtcWdtCore = 0x09,
  Tg0WdtCpu = 0x0b,
  SoftwareCpu = 0x0c,
  RtcWdtCpu = 0x0d,
  BrownOut = 0x0f,
  RtcWdtRtc = 0x10,
  Tg1WdtCpu = 0x11,
  SuperWdt = 0x12,
}

const enum Action {
  Interrupt = 1,
  ResetCpu = 2,
  ResetCore = 3,
  ResetRtc = 4,
}

export class RtcCntl extends Peripheral {
  /** Real rate of the slow clock, hertz. */
  slowHz = 136_000
  /** WDT_DELAY_SEL of the eFuses. */
  delaySelect = 0
  cause: ResetCause = ResetCause.PowerOn
  private stage = 0
  private stageFrom = 0
  private superFrom = 0
  private interruptRaw = 0
  private latchedTime = 0

  constructor(
    chip: Chip,
    private readonly resetChip: (cause: ResetCause) => void,
  ) {
    super(
      chip,
      'RTC_CNTL',
      [
        OPTIONS0,
        [TIME_UPDATE, TIME_HIGH0],
        [ANA_CONF, RESET_STATE],
        [INT_ENA, STORE0 + 12],
        CLK_CONF,
        [WDTCONFIG0, SWD_WPROTECT],
        [STORE4, STORE4 + 12],
        BROWN_OUT,
        OPTION1,
        SENSOR_CTRL,
      ],
      0x200,
    )
  }

  /** After a reset of the digital part; all but the store registers starts anew. */
  override reset(): void {
    const kept = this.words.slice()
    super.reset()
    if (this.cause !== ResetCause.PowerOn) {
      for (let n = 0; n < 4; n++) {
        this.words[(STORE0 >>> 2) + n] = kept[(STORE0 >>> 2) + n]!
        this.words[(STORE4 >>> 2) + n] = kept[(STORE4 >>> 2) + n]!
      }
    }
    this.words[RESET_STATE >>> 2] = (this.words[RESET_STATE >>> 2]! & ~0x3f) | this.cause
    this.interruptRaw = 0
    this.superFrom = this.chip.now()
    this.feed()
    this.raise()
  }

  /** The analog supply of the SAR ADC is on: what the noise source needs of this block. */
  get sarPowered(): boolean {
    return this.bit(ANA_CONF, 22) && this.field(SENSOR_CTRL, 31, 30) === 3
  }

  override read(offset: number): number {
    if (offset === TIME_LOW0) return this.latchedTime % 2 ** 32
    if (offset === TIME_HIGH0) return Math.floor(this.latchedTime / 2 ** 32) & 0xffff
    if (offset === INT_RAW) return this.interruptRaw
    if (offset === INT_ST) return this.interruptRaw & this.words[INT_ENA >>> 2]!
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    if (this.locked(offset)) return
    if (offset === RESET_STATE || offset === INT_RAW || offset === INT_ST) return
    if (offset === WDTFEED) {
      this.feed()
      return
    }
    super.write(offset, value)
    if (offset === OPTIONS0) this.options(value)
    else if (offset === TIME_UPDATE) this.latchedTime = Math.floor((this.chip.now() * this.slowHz) / CYCLE_HZ)
    else if (offset === INT_CLR) this.interruptRaw &= ~value
    else if (offset === WDTCONFIG0) this.feed()
    else if (offset === SWD_CONF && (value >>> SWD_FEED) & 1) this.superFrom = this.chip.now()
    this.raise()
    this.chip.rescheduled()
  }

  override nextEvent(): number {
    return Math.min(this.stageEnd(), this.superEnd())
  }

  override advance(now: number): void {
    if (this.superEnd() <= now) {
      this.resetChip(ResetCause.SuperWdt)
      return
    }
    if (this.stageEnd() <= now) this.endStage()
  }

  private locked(offset: number): boolean {
    const lock = offset === SWD_CONF ? SWD_WPROTECT : WDTWPROTECT
    const key = offset === SWD_CONF ? SWD_KEY : WDT_KEY
    const guarded = (offset >= WDTCONFIG0 && offset <= WDTFEED) || offset === SWD_CONF
    return guarded && this.words[lock >>> 2] !== key
  }

  private options(value: number): void {
    this.words[OPTIONS0 >>> 2] = (value & ~((2 ** SW_SYS_RST) | (1 << SW_PROCPU_RST))) >>> 0
    if ((value >>> SW_SYS_RST) & 1) this.resetChip(ResetCause.SoftwareSystem)
    else if ((value >>> SW_PROCPU_RST) & 1) this.resetChip(ResetCause.SoftwareCpu)
  }

  private feed(): void {
    this.stage = 0
    this.stageFrom = this.chip.now()
    this.chip.rescheduled()
  }

  /** When the present stage of the watchdog ends. */
  private stageEnd(): number {
    const flashBoot = this.bit(WDTCONFIG0, WDT_FLASHBOOT_MOD_EN)
    if (!this.bit(WDTCONFIG0, WDT_EN) && !flashBoot) return Number.POSITIVE_INFINITY
    const hold = this.words[(WDTCONFIG0 >>> 2) + 1 + this.stage]!
    const ticks = this.stage === 0 ? hold * 2 ** (1 + this.delaySelect) : hold
    return this.stageFrom + (ticks * CYCLE_HZ) / this.slowHz
  }

  private superEnd(): number {
    if (this.bit(SWD_CONF, SWD_DISABLE) || this.bit(SWD_CONF, SWD_AUTO_FEED_EN)) return Number.POSITIVE_INFINITY
    return this.superFrom + SWD_SECONDS * CYCLE_HZ
  }

  private endStage(): void {
    const flashBoot = this.bit(WDTCONFIG0, WDT_FLASHBOOT_MOD_EN) && !this.bit(WDTCONFIG0, WDT_EN)
    const action = flashBoot ? Action.ResetRtc : this.field(WDTCONFIG0, 30 - 3 * this.stage, 28 - 3 * this.stage)
    this.stageFrom = this.stageEnd()
    this.stage = (this.stage + 1) % STAGES
    if (action === Action.Interrupt) this.interruptRaw |= INT_WDT
    else if (action === Action.ResetCpu) this.resetChip(ResetCause.RtcWdtCpu)
    else if (action === Action.ResetCore) this.resetChip(ResetCause.RtcWdtCore)
    else if (action === Action.ResetRtc) this.resetChip(ResetCause.RtcWdtRtc)
    this.raise()
  }

  private raise(): void {
    this.chip.raise(Source.RtcCore, (this.interruptRaw & this.words[INT_ENA >>> 2]!) !== 0)
  }
}
