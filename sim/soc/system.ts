// SYSTEM (TRM chapters 6 and 16): clock and reset gates of the peripherals, the processor's clock, software interrupts.
//
//   out   `clockChanged(divider)`: cycles of 160 MHz per processor cycle; `running` of each gated peripheral
//
// A clock switch takes effect at once. PLL: 480 MHz divided to 160 or 80; XTAL: 40 MHz / (PRE_DIV_CNT + 1); RC_FAST:
// taken for 17.5 MHz.

import { Source } from './interrupt_matrix'
import { type Chip, Peripheral } from './peripheral'
import { CYCLE_HZ, XTAL_HZ } from './time_base'

const CPU_PERI_CLK_EN = 0x00
const CPU_PERI_RST_EN = 0x04
const CPU_PER_CONF = 0x08
const MEM_PD_MASK = 0x0c
const PERIP_CLK_EN0 = 0x10
const PERIP_CLK_EN1 = 0x14
const PERIP_RST_EN0 = 0x18
const PERIP_RST_EN1 = 0x1c
const FROM_CPU_0 = 0x28
const CLOCK_GATE = 0x54
const SYSCLK_CONF = 0x58
const RC_FAST_HZ = 17.5e6

const enum SocClock {
  Xtal = 0,
  Pll = 1,
  RcFast = 2,
}

/** A peripheral's clock bit and the reset bits that hold it, in PERIP_CLK_EN and PERIP_RST_EN 0 or 1. */
export interface Gate {
  peripheral: Peripheral
  register: 0 | 1
  clock: number
  resets: number
}

export class System extends Peripheral {
  /** The dedicated GPIO has its clock and is not in reset. */
  dedicatedGpio = false
  private readonly gates: Gate[] = []

  constructor(
    chip: Chip,
    private readonly clockChanged: (cyclesPerClock: number) => void,
  ) {
    super(chip, 'SYSTEM', [
      [CPU_PERI_CLK_EN, PERIP_RST_EN1],
      [FROM_CPU_0, FROM_CPU_0 + 12],
      CLOCK_GATE,
      SYSCLK_CONF,
      MEM_PD_MASK,
    ])
  }

  gate(...gates: Gate[]): void {
    this.gates.push(...gates)
    this.applyGates()
  }

  override reset(): void {
    super.reset()
    for (const { peripheral } of this.gates) peripheral.running = true
    this.applyGates()
    for (let n = 0; n < 4; n++) this.chip.raise(Source.FromCpu0 + n, false)
    this.clockChanged(CYCLE_HZ / this.cpuHz())
  }

  /** Frequency of the processor. */
  cpuHz(): number {
    if (this.field(SYSCLK_CONF, 11, 10) === SocClock.Pll)
      return (this.field(CPU_PER_CONF, 1, 0) & 1) === 1 ? 160e6 : 80e6
    return this.slowHz()
  }

  /** Frequency of the peripheral bus. */
  apbHz(): number {
    return this.field(SYSCLK_CONF, 11, 10) === SocClock.Pll ? 80e6 : this.slowHz()
  }

  override write(offset: number, value: number): void {
    super.write(offset, value)
    if (offset >= PERIP_CLK_EN0 && offset <= PERIP_RST_EN1) this.applyGates()
    else if (offset <= CPU_PERI_RST_EN) this.applyGates()
    else if (offset === SYSCLK_CONF || offset === CPU_PER_CONF) this.clockChanged(CYCLE_HZ / this.cpuHz())
    else if (offset >= FROM_CPU_0 && offset < FROM_CPU_0 + 16)
      this.chip.raise(Source.FromCpu0 + ((offset - FROM_CPU_0) >>> 2), (value & 1) === 1)
  }

  private slowHz(): number {
    const source = this.field(SYSCLK_CONF, 11, 10) === SocClock.RcFast ? RC_FAST_HZ : XTAL_HZ
    return source / (this.field(SYSCLK_CONF, 9, 0) + 1)
  }

  private applyGates(): void {
    this.dedicatedGpio = this.bit(CPU_PERI_CLK_EN, 7) && !this.bit(CPU_PERI_RST_EN, 7)
    for (const { peripheral, register, clock, resets } of this.gates) {
      const on = this.bit(register === 0 ? PERIP_CLK_EN0 : PERIP_CLK_EN1, clock)
      const held = (this.words[(register === 0 ? PERIP_RST_EN0 : PERIP_RST_EN1) >>> 2]! & resets) !== 0
      if (held && peripheral.running) peripheral.reset()
      peripheral.running = on && !held
    }
  }
}
