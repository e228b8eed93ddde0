// UART (TRM chapter 26): FIFOs of 128 bytes, thresholds, receive time-out, interrupts, at the configured baud rate, 8N1.
//
//   in    `arrive(byte)` at the end of its stop bit; register writes
//   out   `line.send(byte, end)`: the byte's stop bit ends at that cycle; `line.baud(rate)`
//
// Not modelled: other frame formats, flow control, autobaud, sleep; framing errors come as the rubbish that the sender's
// model makes of a wrong rate.

import { Source } from './interrupt_matrix'
import { type Chip, InterruptBits, Peripheral } from './peripheral'
import { CYCLE_HZ, XTAL_HZ } from './time_base'

const FIFO = 0x00
const INT_RAW = 0x04
const INT_ST = 0x08
const INT_ENA = 0x0c
const INT_CLR = 0x10
const CLKDIV = 0x14
const STATUS = 0x1c
const CONF0 = 0x20
const CONF1 = 0x24
const MEM_CONF = 0x60
const FSM_STATUS = 0x6c
const CLK_CONF = 0x78
const ID = 0x80

const RXFIFO_FULL = 1 << 0
const TXFIFO_EMPTY = 1 << 1
const RXFIFO_OVF = 1 << 4
const RXFIFO_TOUT = 1 << 8
const TX_DONE = 1 << 14
const RXFIFO_RST = 1 << 17
const TXFIFO_RST = 1 << 18
const RX_TOUT_EN = 21
const REG_UPDATE = 0x8000_0000
const DEPTH = 128
const BITS = 10
const RC_FAST_HZ = 17.5e6
/** A transmitter within this part of a usual rate is meant to have it. */
const TOLERANCE = 0.02
const USUAL = [4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600]

/** What hangs on the two wires. */
export interface UartLine {
  send(byte: number, end: number): void
  baud(rate: number): void
}

export class Uart extends Peripheral {
  line: UartLine | undefined
  /** Bytes lost because the FIFO was full. */
  overruns = 0
  private readonly interrupts: InterruptBits
  private readonly received: number[] = []
  private readonly queued: number[] = []
  private sending = false
  private sendEnd = Number.POSITIVE_INFINITY
  private timeoutAt = Number.POSITIVE_INFINITY
  private rate = 0

  constructor(
    chip: Chip,
    name: 'UART0' | 'UART1',
    private readonly apbHz: () => number,
  ) {
    super(chip, name, [[FIFO, CONF1], MEM_CONF, FSM_STATUS, CLK_CONF, ID])
    this.interrupts = new InterruptBits(chip, name === 'UART0' ? Source.Uart0 : Source.Uart1)
  }

  override reset(): void {
    super.reset()
    this.received.length = 0
    this.queued.length = 0
    this.sending = false
    this.sendEnd = Number.POSITIVE_INFINITY
    this.timeoutAt = Number.POSITIVE_INFINITY
    this.interrupts.reset()
    this.configure()
  }

  /** The receiver has taken a whole byte from the line. */
  arrive(byte: number): void {
    if (!this.running) return
    if (this.received.length === DEPTH) {
      this.overruns++
      this.interrupts.set(RXFIFO_OVF)
    } else {
      this.received.push(byte)
    }
    const bits = this.field(MEM_CONF, 25, 16)
    this.timeoutAt =
      this.bit(CONF1, RX_TOUT_EN) && bits > 0
        ? this.chip.now() + (bits * CYCLE_HZ) / this.baud()
        : Number.POSITIVE_INFINITY
    this.levels()
    this.chip.rescheduled()
  }

  /** The configured rate. */
  baud(): number {
    const select = this.field(CLK_CONF, 21, 20)
    const source = select === 1 ? this.apbHz() : select === 2 ? RC_FAST_HZ : XTAL_HZ
    const divider = this.field(CLKDIV, 11, 0) + this.field(CLKDIV, 23, 20) / 16
    return source / (this.field(CLK_CONF, 19, 12) + 1) / Math.max(1, divider)
  }

  override read(offset: number): number {
    if (offset === FIFO) return this.pop()
    if (offset === STATUS) return (0xe000_c000 | this.received.length | (this.queued.length << 16)) >>> 0
    if (offset === INT_RAW) return this.interrupts.raw
    if (offset === INT_ST) return this.interrupts.status
    if (offset === FSM_STATUS) return this.sending ? 0x10 : 0
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    if (offset === FIFO) {
      this.push(value & 0xff)
      return
    }
    super.write(offset, offset === ID ? value & ~REG_UPDATE : value)
    if (offset === INT_ENA) this.interrupts.enable(value)
    else if (offset === INT_CLR) this.interrupts.clear(value)
    else if (offset === CONF0) this.resetFifos(value)
    else if (offset === CLKDIV || offset === CLK_CONF) this.configure()
    this.levels()
  }

  override nextEvent(): number {
    return Math.min(this.sendEnd, this.timeoutAt)
  }

  override advance(now: number): void {
    if (this.sendEnd <= now) this.sent()
    if (this.timeoutAt <= now) {
      this.timeoutAt = Number.POSITIVE_INFINITY
      if (this.received.length > 0) this.interrupts.set(RXFIFO_TOUT)
    }
  }

  private pop(): number {
    const byte = this.received.shift() ?? 0
    this.levels()
    return byte
  }

  private push(byte: number): void {
    if (this.queued.length === DEPTH) {
      this.chip.complain(`${this.name}: FIFO written while full`)
      return
    }
    this.queued.push(byte)
    if (!this.sending) this.sendNext(this.chip.now())
    this.levels()
    this.chip.rescheduled()
  }

  private sendNext(from: number): void {
    const byte = this.queued.shift()
    this.sending = byte !== undefined
    if (byte === undefined) {
      this.interrupts.set(TX_DONE)
      return
    }
    this.sendEnd = from + (BITS * CYCLE_HZ) / this.baud()
    this.line?.send(byte, this.sendEnd)
  }

  private sent(): void {
    const end = this.sendEnd
    this.sendEnd = Number.POSITIVE_INFINITY
    this.sendNext(end)
    this.levels()
  }

  private resetFifos(value: number): void {
    if (value & RXFIFO_RST) this.received.length = 0
    if (value & TXFIFO_RST) this.queued.length = 0
  }

  private configure(): void {
    const exact = this.baud()
    const rate = USUAL.find((usual) => Math.abs(exact / usual - 1) < TOLERANCE) ?? Math.round(exact)
    if (rate === this.rate) return
    this.rate = rate
    this.line?.baud(rate)
  }

  /** The two interrupts that follow the fill of the FIFOs. */
  private levels(): void {
    if (this.received.length >= Math.max(1, this.field(CONF1, 8, 0))) this.interrupts.set(RXFIFO_FULL)
    if (this.queued.length < this.field(CONF1, 17, 9)) this.interrupts.set(TXFIFO_EMPTY)
  }
}
