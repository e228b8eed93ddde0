// I2C0 as a master (TRM chapter 28): the list of eight commands, FIFOs of 32 bytes, NACK, time-out, arbitration, bus clear.
//
//   in    register writes; `stuck`: a fault on the bus
//   out   bus conditions and bytes to `slave`, each at the true time of its acknowledge
//
// A byte takes nine periods of SCL as the period registers set them. Not modelled: slave mode, 10-bit addresses by
// hardware, non-FIFO access, slaves that stretch the clock.

import { Source } from './interrupt_matrix'
import { type Chip, InterruptBits, Peripheral } from './peripheral'
import { XTAL_CYCLES } from './time_base'

const SCL_LOW_PERIOD = 0x00
const CTR = 0x04
const SR = 0x08
const TO = 0x0c
const FIFO_ST = 0x14
const FIFO_CONF = 0x18
const DATA = 0x1c
const INT_RAW = 0x20
const INT_CLR = 0x24
const INT_ENA = 0x28
const INT_ST = 0x2c
const SDA_HOLD = 0x30
const SCL_HIGH_PERIOD = 0x38
const SCL_START_HOLD = 0x40
const CLK_CONF = 0x54
const COMD0 = 0x58
const SCL_SP_CONF = 0x80

const TRANS_START = 1 << 5
const FSM_RST = 1 << 10
const CONF_UPGATE = 1 << 11
const STROBES = TRANS_START | FSM_RST | CONF_UPGATE
const RX_FIFO_RST = 1 << 12
const TX_FIFO_RST = 1 << 13
const SCL_RST_SLV_EN = 1
const COMMAND_DONE = 0x8000_0000
const COMMANDS = 8
const DEPTH = 32

const END_DETECT = 1 << 3
const ARBITRATION_LOST = 1 << 5
const TRANS_COMPLETE = 1 << 7
const TIME_OUT = 1 << 8
const NACK = 1 << 10

const enum Command {
  Write = 1,
  Stop = 2,
  Read = 3,
  End = 4,
  Restart = 6,
}

/** The parts on the bus. Times are nanoseconds of true time; `address` is the 7-bit address. */
export interface I2cSlave {
  start(nanos: number): void
  address(address: number, read: number, nanos: number): boolean
  write(byte: number, nanos: number): boolean
  read(nanos: number): number
  stop(nanos: number): void
}

export class I2c extends Peripheral {
  slave: I2cSlave | undefined
  /** The pads are joined to the bus through the matrix. */
  connected: () => boolean = () => true
  /** A fault: something holds a line low. A stuck SDA lets go after nine pulses of SCL. */
  stuck: '' | 'sda' | 'scl' = ''
  private readonly interrupts: InterruptBits
  private readonly sent: number[] = []
  private readonly received: number[] = []
  private index = 0
  private left = 0
  private busy = false
  private addressNext = false
  private at = Number.POSITIVE_INFINITY
  private clearAt = Number.POSITIVE_INFINITY

  constructor(chip: Chip) {
    super(chip, 'I2C0', [
      [SCL_LOW_PERIOD, TO],
      [FIFO_ST, SDA_HOLD + 4],
      SCL_HIGH_PERIOD,
      [SCL_START_HOLD, COMD0 + 28],
      SCL_SP_CONF,
    ])
    this.interrupts = new InterruptBits(chip, Source.I2c0)
  }

  override reset(): void {
    super.reset()
    this.sent.length = 0
    this.received.length = 0
    this.interrupts.reset()
    this.idle()
  }

  override read(offset: number): number {
    if (offset === SR)
      return (this.busy || this.stuck !== '' ? 0x10 : 0) | (this.received.length << 8) | (this.sent.length << 18)
    if (offset === DATA) return this.received.shift() ?? 0
    if (offset === INT_RAW) {
      if (this.at !== Number.POSITIVE_INFINITY) this.chip.polled(this.at)
      return this.interrupts.raw
    }
    if (offset === INT_ST) return this.interrupts.status
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    if (offset === DATA) {
      this.push(value & 0xff)
      return
    }
    super.write(offset, offset === CTR ? value & ~STROBES : value)
    if (offset === CTR) this.control(value)
    else if (offset === FIFO_CONF) this.resetFifos(value)
    else if (offset === INT_ENA) this.interrupts.enable(value)
    else if (offset === INT_CLR) this.interrupts.clear(value)
    else if (offset === SCL_SP_CONF && value & SCL_RST_SLV_EN) this.clearBus((value >>> 1) & 31)
  }

  override nextEvent(): number {
    return Math.min(this.at, this.clearAt)
  }

  override advance(now: number): void {
    if (this.clearAt <= now) {
      this.clearAt = Number.POSITIVE_INFINITY
      this.words[SCL_SP_CONF >>> 2]! &= ~SCL_RST_SLV_EN
      if (this.stuck === 'sda') this.stuck = ''
    }
    if (this.at <= now) this.step()
  }

  /** Cycles of one period of SCL. */
  private period(): number {
    const low = this.field(SCL_LOW_PERIOD, 8, 0) + 1
    const high = this.field(SCL_HIGH_PERIOD, 8, 0) + this.field(SCL_HIGH_PERIOD, 15, 9)
    return (low + high) * this.sourceCycles()
  }

  /** Cycles of the module's clock: XTAL divided. */
  private sourceCycles(): number {
    return XTAL_CYCLES * (this.field(CLK_CONF, 7, 0) + 1)
  }

  private push(byte: number): void {
    if (this.sent.length === DEPTH) this.chip.complain('I2C0: FIFO written while full')
    else this.sent.push(byte)
  }

  private resetFifos(value: number): void {
    if (value & RX_FIFO_RST) this.received.length = 0
    if (value & TX_FIFO_RST) this.sent.length = 0
  }

  private control(value: number): void {
    if (value & FSM_RST) this.idle()
    if (value & TRANS_START) this.begin()
  }

  private idle(): void {
    this.busy = false
    this.at = Number.POSITIVE_INFINITY
  }

  private begin(): void {
    const now = this.chip.now()
    this.index = 0
    this.left = 0
    this.busy = true
    if (this.stuck === 'sda') this.fail(ARBITRATION_LOST)
    else if (this.stuck === 'scl') this.at = now + 2 ** this.field(TO, 4, 0) * this.sourceCycles()
    else this.at = now + this.period()
    this.chip.rescheduled()
  }

  /** One START, STOP or byte has taken place. */
  private step(): void {
    if (this.stuck === 'scl') {
      this.fail(this.bit(TO, 5) ? TIME_OUT : 0)
      return
    }
    if (this.stuck === 'sda') {
      this.fail(ARBITRATION_LOST)
      return
    }
    const command = this.words[(COMD0 >>> 2) + this.index]!
    const nanos = this.chip.nanos(this.at)
    switch ((command >>> 11) & 7) {
      case Command.Restart:
        this.slave?.start(nanos)
        this.addressNext = true
        this.next()
        break
      case Command.Write:
        this.writeByte(command, nanos)
        break
      case Command.Read:
        this.readByte(command, nanos)
        break
      case Command.Stop:
        this.slave?.stop(nanos)
        this.done()
        this.idle()
        this.interrupts.set(TRANS_COMPLETE)
        break
      case Command.End:
        this.done()
        this.at = Number.POSITIVE_INFINITY
        this.interrupts.set(END_DETECT)
        break
      default:
        this.chip.complain(`I2C0: unknown command ${(command >>> 11) & 7}`)
        this.idle()
        break
    }
  }

  private writeByte(command: number, nanos: number): void {
    const byte = this.sent.shift() ?? 0xff
    const acknowledged = this.offer(byte, nanos)
    this.addressNext = false
    if ((command & 0x100) !== 0 && acknowledged === ((command & 0x200) !== 0)) {
      this.slave?.stop(nanos)
      this.fail(NACK)
      return
    }
    this.afterByte(command)
  }

  private offer(byte: number, nanos: number): boolean {
    if (this.slave === undefined || !this.connected()) return false
    return this.addressNext ? this.slave.address(byte >>> 1, byte & 1, nanos) : this.slave.write(byte, nanos)
  }

  private readByte(command: number, nanos: number): void {
    const byte = this.slave !== undefined && this.connected() ? this.slave.read(nanos) : 0xff
    if (this.received.length < DEPTH) this.received.push(byte & 0xff)
    this.afterByte(command)
  }

  private afterByte(command: number): void {
    const total = command & 0xff
    this.left = this.left === 0 ? total : this.left
    this.left--
    if (this.left > 0) this.at += 9 * this.period()
    else this.next()
  }

  private done(): void {
    this.words[(COMD0 >>> 2) + this.index]! |= COMMAND_DONE
  }

  /** On to the next command; its first byte or condition takes some periods. */
  private next(): void {
    this.done()
    this.index++
    if (this.index === COMMANDS) {
      this.idle()
      return
    }
    const op = (this.words[(COMD0 >>> 2) + this.index]! >>> 11) & 7
    this.at += (op === Command.Write || op === Command.Read ? 9 : 1) * this.period()
  }

  private fail(cause: number): void {
    this.idle()
    this.interrupts.set(cause)
  }

  private clearBus(pulses: number): void {
    this.clearAt = this.chip.now() + Math.max(1, pulses) * this.period()
    this.chip.rescheduled()
  }
}
