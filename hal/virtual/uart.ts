// The UART to the receiver, as the ESP32-C3 has it: a receive FIFO that wakes the processor when it is half full or when
// the line has been silent for a while, and a transmit FIFO that drains at the baud rate.

const FIFO = 1024
const TRANSMIT_FIFO = 128

/** Bytes in the FIFO that wake the processor. */
export const FIFO_WAKE = 64

/** Silence that wakes the processor, nanoseconds: a few bytes' time. */
export const IDLE_NANOS = 1.5e6

export class Uart {
  baud = 9600
  /** Bytes lost because nobody read them. */
  overruns = 0

  private readonly fifo = new Uint8Array(FIFO)
  private head = 0
  private count = 0
  private wakeAt = Number.POSITIVE_INFINITY
  private transmitFree = 0

  /** A byte has been received completely. */
  arrive(value: number, nanos: number): void {
    if (this.count === FIFO) {
      this.overruns++
      return
    }
    this.fifo[(this.head + this.count) % FIFO] = value
    this.count++
    this.wakeAt = this.count >= FIFO_WAKE ? nanos : nanos + IDLE_NANOS
  }

  /** When the processor is to be woken for bytes. */
  nextWake(): number {
    return this.wakeAt
  }

  /** The processor has been woken. */
  served(): void {
    this.wakeAt = Number.POSITIVE_INFINITY
  }

  /** True when there is something to take. */
  get waiting(): boolean {
    return this.count > 0
  }

  take(out: Uint8Array): number {
    const count = Math.min(out.length, this.count)
    for (let i = 0; i < count; i++) out[i] = this.fifo[(this.head + i) % FIFO]!
    this.head = (this.head + count) % FIFO
    this.count -= count
    return count
  }

  /** How many of `length` bytes the transmit FIFO takes now. */
  room(length: number, now: number): number {
    const queued = Math.max(0, Math.ceil(((this.transmitFree - now) * this.baud) / 10e9))
    return Math.max(0, Math.min(length, TRANSMIT_FIFO - queued))
  }

  /** Queues one byte; returns when its stop bit ends. */
  sent(now: number): number {
    this.transmitFree = Math.max(this.transmitFree, now) + 10e9 / this.baud
    return this.transmitFree
  }

  clear(): void {
    this.count = 0
    this.wakeAt = Number.POSITIVE_INFINITY
  }
}
