// USB_DEVICE, the USB Serial/JTAG controller (TRM chapter 30): the serial line only.
//
//   in    `type(bytes)`: what somebody at the host types; register accesses
//   out   `printed(bytes)`: a packet that the host has taken
//
// The host asks for a packet once it is flushed (WR_DONE, or 64 bytes) and takes it `PACKET_SECONDS` later. Without a host
// (`attached` false) nothing is ever taken and IN_EP_DATA_FREE stays 0 from the first full or flushed packet on.

import { Source } from './interrupt_matrix'
import { type Chip, InterruptBits, Peripheral } from './peripheral'
import { CYCLE_HZ } from './time_base'

const EP1 = 0x00
const EP1_CONF = 0x04
const INT_RAW = 0x08
const INT_ST = 0x0c
const INT_ENA = 0x10
const INT_CLR = 0x14
const CONF0 = 0x18
const FRAM_NUM = 0x24

const WR_DONE = 1
const IN_EP_DATA_FREE = 2
const OUT_EP_DATA_AVAIL = 4
const SERIAL_OUT_RECV_PKT = 1 << 2
const SERIAL_IN_EMPTY = 1 << 3
const PACKET = 64
/** From a flush to the host's next bulk transfer: a full-speed host polls many times in a frame of 1 ms. */
const PACKET_SECONDS = 60e-6

export class UsbDevice extends Peripheral {
  printed: (bytes: Uint8Array) => void = () => {}
  attached = true
  private readonly interrupts: InterruptBits
  private out: number[] = []
  private readonly typed: number[] = []
  private packet: number[] = []
  private takenAt = Number.POSITIVE_INFINITY
  private flushed = false

  constructor(chip: Chip) {
    super(chip, 'USB_DEVICE', [[EP1, CONF0], FRAM_NUM])
    this.interrupts = new InterruptBits(chip, Source.Usb)
  }

  override reset(): void {
    super.reset()
    this.out = []
    this.packet = []
    this.flushed = false
    this.takenAt = Number.POSITIVE_INFINITY
    this.interrupts.reset()
    this.interrupts.set(SERIAL_IN_EMPTY)
    this.deliver()
  }

  type(bytes: Uint8Array): void {
    for (const byte of bytes) this.typed.push(byte)
    this.deliver()
  }

  override read(offset: number): number {
    if (offset === EP1) return this.pop()
    if (offset === EP1_CONF)
      return (this.flushed ? 0 : IN_EP_DATA_FREE) | (this.packet.length > 0 ? OUT_EP_DATA_AVAIL : 0)
    if (offset === INT_RAW) return this.interrupts.raw
    if (offset === INT_ST) return this.interrupts.status
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    if (offset === EP1) {
      this.push(value & 0xff)
      return
    }
    super.write(offset, value)
    if (offset === EP1_CONF && value & WR_DONE && this.out.length > 0) this.flush()
    else if (offset === INT_ENA) this.interrupts.enable(value)
    else if (offset === INT_CLR) this.interrupts.clear(value)
  }

  override nextEvent(): number {
    return this.takenAt
  }

  override advance(now: number): void {
    if (this.takenAt > now) return
    this.takenAt = Number.POSITIVE_INFINITY
    const bytes = Uint8Array.from(this.out)
    this.out = []
    this.flushed = false
    this.interrupts.set(SERIAL_IN_EMPTY)
    this.printed(bytes)
  }

  private push(byte: number): void {
    if (this.flushed || this.out.length === PACKET) {
      this.chip.complain('USB_DEVICE: written while IN_EP_DATA_FREE is 0')
      return
    }
    this.out.push(byte)
    if (this.out.length === PACKET) this.flush()
  }

  private flush(): void {
    if (this.flushed) return
    this.flushed = true
    if (this.attached) this.takenAt = this.chip.now() + PACKET_SECONDS * CYCLE_HZ
    this.chip.rescheduled()
  }

  private pop(): number {
    const byte = this.packet.shift() ?? 0
    if (this.packet.length === 0) this.deliver()
    return byte
  }

  /** The next packet from the host, once the one before is read. */
  private deliver(): void {
    if (this.packet.length > 0 || this.typed.length === 0) return
    this.packet = this.typed.splice(0, PACKET)
    this.interrupts.set(SERIAL_OUT_RECV_PKT)
  }
}
