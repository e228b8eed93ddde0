// GPIO (TRM chapter 5): levels, edge and level interrupts, the matrix that leads signals to pads, dedicated GPIO.
//
//   in    levels that the parts on the board drive onto pads (`drive`), at the moment at which they change
//   out   levels that the chip drives (`onOutput`); interrupt 16; `connected`: whether a peripheral's signal really
//         reaches the pad that the board wired, through IO_MUX and matrix
//
// The input synchroniser's two APB cycles are not modelled: an edge is seen by the first instruction after it.

import { Source } from './interrupt_matrix'
import { FUNCTION_GPIO, type IoMux, PADS } from './io_mux'
import { type Chip, Peripheral } from './peripheral'

const OUT = 0x04
const OUT_W1TS = 0x08
const OUT_W1TC = 0x0c
const ENABLE = 0x20
const ENABLE_W1TS = 0x24
const ENABLE_W1TC = 0x28
const STRAP = 0x38
const IN = 0x3c
const STATUS = 0x44
const STATUS_W1TS = 0x48
const STATUS_W1TC = 0x4c
const PCPU_INT = 0x5c
const PIN0 = 0x74
const FUNC0_IN_SEL_CFG = 0x154
const FUNC0_OUT_SEL_CFG = 0x554
const CLOCK_GATE = 0x62c

const SIGNALS = 128
/** OUT_SEL: the pad follows OUT. */
const OUT_SEL_GPIO = 128
const IN_SEL_HIGH = 0x1e
const IN_SEL_LOW = 0x1f
const CPU_INT = 13
/** First signal of the dedicated inputs, CSR 0x804. */
const CPU_GPIO_IN0 = 28
const DEDICATED = 8
/** Flash boot: GPIO8 and 9 high. */
const STRAP_VALUE = 0x8

const enum IntType {
  Rising = 1,
  Falling = 2,
  Any = 3,
  Low = 4,
  High = 5,
}

export class Gpio extends Peripheral {
  /** A plain output pad has changed; undefined: the chip no longer drives it. */
  onOutput: (pad: number, level: number | undefined) => void = () => {}
  /** Pads that parts on the board drive, and to what. */
  private driven = 0
  private external = 0
  private input = 0
  private status = 0
  private readonly outputs: (number | undefined)[] = new Array(PADS).fill(undefined)
  /** Pads whose input is enabled; whose changes, or levels, are latched; that interrupt the processor. By bit. */
  private inputs = 0
  private rising = 0
  private falling = 0
  private whileLow = 0
  private whileHigh = 0
  private interrupting = 0
  private ready = false

  constructor(
    chip: Chip,
    private readonly ioMux: () => IoMux,
  ) {
    super(chip, 'GPIO', [
      [OUT, OUT_W1TC],
      [ENABLE, ENABLE_W1TC],
      STRAP,
      IN,
      [STATUS, STATUS_W1TC],
      PCPU_INT,
      [PIN0, PIN0 + 4 * PADS - 4],
      [FUNC0_IN_SEL_CFG, FUNC0_IN_SEL_CFG + 4 * SIGNALS - 4],
      [FUNC0_OUT_SEL_CFG, FUNC0_OUT_SEL_CFG + 4 * PADS - 4],
      CLOCK_GATE,
    ])
    this.ready = true
  }

  override reset(): void {
    super.reset()
    this.status = 0
    this.configure()
  }

  /** A part on the board drives a pad. */
  drive(pad: number, level: number): void {
    const bit = 1 << pad
    if ((this.driven & bit) !== 0 && (this.external & bit) === level << pad) return
    this.driven |= bit
    this.external = level === 0 ? this.external & ~bit : this.external | bit
    this.update()
  }

  /** The level at a pad. */
  level(pad: number): number {
    if ((this.driven >>> pad) & 1) return (this.external >>> pad) & 1
    return this.outputs[pad] ?? this.ioMux().pull(pad)
  }

  /** The pad that an input signal comes from by the matrix; undefined when it does not. */
  inputPad(signal: number): number | undefined {
    const config = this.words[(FUNC0_IN_SEL_CFG >>> 2) + signal]!
    const pad = config & 31
    return (config & 0x40) !== 0 && pad < PADS && this.ioMux().inputEnabled(pad) ? pad : undefined
  }

  /** The signal that the matrix leads to a pad; undefined when the pad is none of the matrix's. */
  outputSignal(pad: number): number | undefined {
    if (this.ioMux().function(pad) !== FUNCTION_GPIO) return undefined
    return this.words[(FUNC0_OUT_SEL_CFG >>> 2) + pad]! & 0xff
  }

  /** The pad is an open-drain output: PAD_DRIVER. */
  openDrain(pad: number): boolean {
    return this.bit(PIN0 + 4 * pad, 2)
  }

  /** CSR 0x804: the dedicated inputs. */
  dedicatedInputs(): number {
    let bits = 0
    for (let n = 0; n < DEDICATED; n++) bits |= this.signalLevel(CPU_GPIO_IN0 + n) << n
    return bits
  }

  /** Functions, pulls or drivers of pads may have changed. */
  configure(): void {
    if (!this.ready) return
    this.inputs = 0
    this.rising = 0
    this.falling = 0
    this.whileLow = 0
    this.whileHigh = 0
    this.interrupting = 0
    for (let pad = 0; pad < PADS; pad++) {
      const bit = 1 << pad
      const type = this.field(PIN0 + 4 * pad, 9, 7)
      if (this.ioMux().inputEnabled(pad)) this.inputs |= bit
      if (type === IntType.Rising || type === IntType.Any) this.rising |= bit
      if (type === IntType.Falling || type === IntType.Any) this.falling |= bit
      if (type === IntType.Low) this.whileLow |= bit
      if (type === IntType.High) this.whileHigh |= bit
      if (this.bit(PIN0 + 4 * pad, CPU_INT)) this.interrupting |= bit
      this.updateOutput(pad)
    }
    this.update()
  }

  /** Levels may have changed. */
  private update(): void {
    if (!this.ready) return
    const before = this.input
    let input = this.external & this.driven
    for (let rest = this.inputs & ~this.driven; rest !== 0; rest &= rest - 1) {
      const pad = 31 - Math.clz32(rest & -rest)
      input |= this.level(pad) << pad
    }
    this.input = input & this.inputs
    this.sense(before)
  }

  override read(offset: number): number {
    if (offset === IN) return this.input
    if (offset === STRAP) return STRAP_VALUE
    if (offset === STATUS) return this.status
    if (offset === PCPU_INT) return this.status & this.interrupting
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    if (offset === OUT_W1TS) this.setOut(this.words[OUT >>> 2]! | value)
    else if (offset === OUT_W1TC) this.setOut(this.words[OUT >>> 2]! & ~value)
    else if (offset === OUT) this.setOut(value)
    else if (offset === STATUS_W1TC) this.setStatus(this.status & ~value)
    else if (offset === STATUS_W1TS) this.setStatus(this.status | value)
    else if (offset === STATUS) this.setStatus(value)
    else {
      if (offset === ENABLE_W1TS) this.words[ENABLE >>> 2]! |= value
      else if (offset === ENABLE_W1TC) this.words[ENABLE >>> 2]! &= ~value
      else super.write(offset, value)
      this.configure()
    }
  }

  private setOut(value: number): void {
    let changed = this.words[OUT >>> 2]! ^ value
    this.words[OUT >>> 2] = value
    for (changed &= (1 << PADS) - 1; changed !== 0; changed &= changed - 1)
      this.updateOutput(31 - Math.clz32(changed & -changed))
    this.update()
  }

  private setStatus(value: number): void {
    this.status = value
    this.sense(this.input)
  }

  private signalLevel(signal: number): number {
    const config = this.words[(FUNC0_IN_SEL_CFG >>> 2) + signal]!
    if ((config & 0x40) === 0) return 0
    const pad = config & 31
    const inverted = (config >>> 5) & 1
    if (pad === IN_SEL_HIGH) return 1 ^ inverted
    if (pad === IN_SEL_LOW || pad >= PADS) return inverted
    return ((this.input >>> pad) & 1) ^ inverted
  }

  private updateOutput(pad: number): void {
    const plain = this.outputSignal(pad) === OUT_SEL_GPIO && ((this.words[ENABLE >>> 2]! >>> pad) & 1) !== 0
    const level = plain ? (this.words[OUT >>> 2]! >>> pad) & 1 : undefined
    const driven = level === 1 && this.openDrain(pad) ? undefined : level
    if (driven === this.outputs[pad]) return
    this.outputs[pad] = driven
    this.onOutput(pad, driven)
  }

  /** Latches what the change from `before` to the present input asks for. */
  private sense(before: number): void {
    const changed = before ^ this.input
    this.status |= changed & this.input & this.rising
    this.status |= changed & ~this.input & this.falling
    this.status |= (this.input & this.whileHigh) | (~this.input & this.whileLow)
    this.chip.raise(Source.Gpio, (this.status & this.interrupting) !== 0)
  }
}
