// One direction of a UART: bytes in flight, each with the time at which its stop bit has passed. 8N1.
//
// Portable subset: compiles as TypeScript and as AssemblyScript. Times are nanos of true time.

const CAPACITY: i32 = 8192

export class UartLine {
  /** Bytes that did not fit into the sender's buffer. */
  dropped: i32 = 0
  private bytes: Uint8Array = new Uint8Array(CAPACITY)
  private bauds: Int32Array = new Int32Array(CAPACITY)
  private times: Float64Array = new Float64Array(CAPACITY)
  private head: i32 = 0
  private count: i32 = 0
  private free: f64 = 0

  /** Queues a byte that is ready to be sent at `ready`, at `baud`. */
  send(ready: f64, value: i32, baud: i32): void {
    if (this.count === CAPACITY) {
      this.dropped += 1
      return
    }
    const start = this.free > ready ? this.free : ready
    this.free = start + 10_000_000_000.0 / (baud as f64)
    const at = (this.head + this.count) % CAPACITY
    this.bytes[at] = value & 0xff
    this.bauds[at] = baud
    this.times[at] = this.free
    this.count += 1
  }

  /** When the line falls silent: the end of the last queued byte. */
  idleAt(): f64 {
    return this.free
  }

  /** When the next byte has arrived; Infinity when none is in flight. */
  nextAt(): f64 {
    return this.count === 0 ? Infinity : this.times[this.head]
  }

  /** The rate at which the next byte was sent. */
  nextBaud(): i32 {
    return this.bauds[this.head]
  }

  /** Takes the next byte; -1 when none has arrived by `now`. */
  take(now: f64): i32 {
    if (this.count === 0 || this.times[this.head] > now) return -1
    const value = this.bytes[this.head] as i32
    this.head = (this.head + 1) % CAPACITY
    this.count -= 1
    return value
  }

  /** Forgets all bytes in flight: the sender lost power. */
  clear(now: f64): void {
    this.count = 0
    this.free = now
  }
}
