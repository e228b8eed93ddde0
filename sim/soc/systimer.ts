// SYSTIMER (TRM chapter 10): two counters of 52 bits at 16 MHz, which is 40 MHz divided by 3 and 2 in turn, and three
// comparators with interrupts 37, 38 and 39.
//
// The counters run on the crystal whatever the processor does. A comparator that is loaded with a target that has passed
// fires at once, as the chip does for a target less than half the range back.

import { Source } from './interrupt_matrix'
import { type Chip, InterruptBits, Peripheral } from './peripheral'
import { XTAL_CYCLES } from './time_base'

const CONF = 0x00
const UNIT0_OP = 0x04
const UNIT0_LOAD_HI = 0x0c
const TARGET0_HI = 0x1c
const TARGET0_CONF = 0x34
const UNIT0_VALUE_HI = 0x40
const COMP0_LOAD = 0x50
const UNIT0_LOAD = 0x5c
const INT_ENA = 0x64
const INT_RAW = 0x68
const INT_CLR = 0x6c
const INT_ST = 0x70

const UPDATE = 1 << 30
const VALUE_VALID = 1 << 29
const PERIOD_MODE = 30
const UNIT_SEL = 31
const UNIT_WORK_EN = [30, 29]
const TARGET_WORK_EN = [24, 23, 22]
const XTAL_PER_TICK = 2.5
const HIGH = 2 ** 32

class Unit {
  /** The counter showed `value` when the crystal's count of 40 MHz periods was `from`; it runs unless `stopped`. */
  value = 0
  from = 0
  running = true
  latched = 0
  valid = false
}

class Comparator {
  target = Number.POSITIVE_INFINITY
  unit = 0
  period = 0
  enabled = false
}

export class Systimer extends Peripheral {
  private readonly units = [new Unit(), new Unit()]
  private readonly comparators = [new Comparator(), new Comparator(), new Comparator()]
  private readonly interrupts: InterruptBits[]

  constructor(chip: Chip) {
    super(chip, 'SYSTIMER', [[0x00, 0x70]])
    this.interrupts = [0, 1, 2].map((n) => new InterruptBits(chip, Source.Systimer0 + n))
  }

  override reset(): void {
    super.reset()
    const xtal = this.xtal()
    for (const unit of this.units) Object.assign(unit, new Unit(), { from: xtal })
    this.units[1]!.running = false
    for (const comparator of this.comparators) Object.assign(comparator, new Comparator())
    for (const interrupt of this.interrupts) interrupt.reset()
    this.applyConf()
  }

  /** Ticks of a unit now. */
  count(unit: number): number {
    const { value, from, running } = this.units[unit]!
    return running ? value + Math.floor((this.xtal() - from) / XTAL_PER_TICK) : value
  }

  /** The first cycle at which a running unit shows `ticks`. */
  cycleOf(unit: number, ticks: number): number {
    const { value, from } = this.units[unit]!
    return (from + Math.ceil((ticks - value) * XTAL_PER_TICK)) * XTAL_CYCLES
  }

  override read(offset: number): number {
    if (offset === UNIT0_OP || offset === UNIT0_OP + 4)
      return this.units[(offset - UNIT0_OP) >>> 2]!.valid ? VALUE_VALID : 0
    if (offset >= UNIT0_VALUE_HI && offset < UNIT0_VALUE_HI + 16) {
      const { latched } = this.units[(offset - UNIT0_VALUE_HI) >>> 3]!
      return (offset & 4) === 0 ? Math.floor(latched / HIGH) : latched % HIGH
    }
    if (offset === INT_ENA) return this.interrupts.reduce((bits, { enabled }, n) => bits | (enabled << n), 0)
    if (offset === INT_RAW) return this.interrupts.reduce((bits, { raw }, n) => bits | (raw << n), 0)
    if (offset === INT_ST) return this.interrupts.reduce((bits, { status }, n) => bits | (status << n), 0)
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    super.write(offset, value)
    if (offset === CONF) this.applyConf()
    else if (offset === UNIT0_OP || offset === UNIT0_OP + 4) this.operate((offset - UNIT0_OP) >>> 2, value)
    else if (offset >= COMP0_LOAD && offset < COMP0_LOAD + 12) this.loadComparator((offset - COMP0_LOAD) >>> 2)
    else if (offset === UNIT0_LOAD || offset === UNIT0_LOAD + 4) this.loadUnit((offset - UNIT0_LOAD) >>> 2)
    else if (offset === INT_ENA) for (const [n, one] of this.interrupts.entries()) one.enable((value >>> n) & 1)
    else if (offset === INT_CLR) for (const [n, one] of this.interrupts.entries()) one.clear((value >>> n) & 1)
  }

  override nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { enabled, target, unit } of this.comparators) {
      if (!enabled || target === Number.POSITIVE_INFINITY || !this.units[unit]!.running) continue
      next = Math.min(next, this.cycleOf(unit, target))
    }
    return next
  }

  override advance(now: number): void {
    this.comparators.forEach((comparator, n) => {
      const { enabled, target, unit, period } = comparator
      if (!enabled || !this.units[unit]!.running || this.cycleOf(unit, target) > now) return
      comparator.target = period > 0 ? target + period : Number.POSITIVE_INFINITY
      this.interrupts[n]!.set(1)
    })
  }

  /** Whole periods of the crystal so far. */
  private xtal(): number {
    return Math.floor(this.chip.now() / XTAL_CYCLES)
  }

  private applyConf(): void {
    this.units.forEach((unit, n) => {
      const running = this.bit(CONF, UNIT_WORK_EN[n]!)
      if (running === unit.running) return
      unit.value = this.count(n)
      unit.from = this.xtal()
      unit.running = running
    })
    this.comparators.forEach((comparator, n) => {
      comparator.enabled = this.bit(CONF, TARGET_WORK_EN[n]!)
    })
    this.chip.rescheduled()
  }

  private operate(n: number, value: number): void {
    if ((value & UPDATE) === 0) return
    this.units[n]!.latched = this.count(n)
    this.units[n]!.valid = true
  }

  private loadUnit(n: number): void {
    const at = UNIT0_LOAD_HI + 8 * n
    this.units[n]!.value = this.field(at, 19, 0) * HIGH + this.words[(at + 4) >>> 2]!
    this.units[n]!.from = this.xtal()
    this.chip.rescheduled()
  }

  private loadComparator(n: number): void {
    const comparator = this.comparators[n]!
    const conf = TARGET0_CONF + 4 * n
    comparator.unit = this.bit(conf, UNIT_SEL) ? 1 : 0
    comparator.period = this.bit(conf, PERIOD_MODE) ? this.field(conf, 25, 0) : 0
    const at = TARGET0_HI + 8 * n
    comparator.target =
      comparator.period > 0
        ? this.count(comparator.unit) + comparator.period
        : this.field(at, 19, 0) * HIGH + this.words[(at + 4) >>> 2]!
    this.chip.rescheduled()
  }
}
