// One end of a TLS connection of the firmware as an object, server or client: bytes in, bytes out, with the owner's loop of
// firmware/tls/stream.ts.

import type { Entry } from '../support/firmware'

export abstract class TlsEnd {
  /** Steps done so far. */
  steps = 0
  protected waiting: Uint8Array = new Uint8Array()

  /** `connection`: its memory in the module; `stepsMax`: a runaway stops there. */
  constructor(
    readonly entry: Entry,
    readonly connection: number,
    private readonly stepsMax: number,
  ) {}

  /** One step of the module; true while there is more to do. */
  protected abstract work(): boolean

  get state(): number {
    return this.entry.exports['tlsState'](this.connection)
  }

  get alert(): number {
    return this.entry.exports['tlsAlert'](this.connection)
  }

  /** Bytes given but not yet taken. */
  get pending(): number {
    return this.waiting.length
  }

  /** One step; true while there is more to do. */
  step(): boolean {
    if (++this.steps > this.stepsMax) throw new Error('the connection does not come to rest')
    return this.work()
  }

  /** Gives it bytes; it takes them as far as it can. */
  offer(bytes: Uint8Array): void {
    this.waiting = this.waiting.length === 0 ? bytes : Buffer.concat([this.waiting, bytes])
    const { DATA, tlsReceive } = this.entry.exports
    while (this.waiting.length !== 0) {
      const chunk = this.waiting.subarray(0, 32768)
      this.entry.write(DATA.value, chunk)
      const taken = tlsReceive(this.connection, DATA.value, chunk.length)
      this.waiting = this.waiting.subarray(taken)
      if (taken < chunk.length) return
    }
  }

  /** What is ready to be sent, at most `limit` bytes. */
  take(limit = Infinity): Uint8Array {
    const { tlsOutput, tlsOutputLength, tlsSent } = this.entry.exports
    const length = Math.min(tlsOutputLength(this.connection), limit)
    const bytes = this.entry.read(tlsOutput(this.connection), length)
    tlsSent(this.connection, length)
    return bytes
  }

  /** Gives bytes, works until it rests, returns all that it sends. */
  deliver(bytes: Uint8Array = new Uint8Array()): Uint8Array {
    const sent: Uint8Array[] = []
    for (let stuck = -1; ; ) {
      this.offer(bytes)
      bytes = new Uint8Array()
      const before = this.waiting.length
      while (this.step()) {}
      const output = this.take()
      sent.push(output)
      if (output.length === 0 && (before === 0 || this.inputLength !== 0)) return Buffer.concat(sent)
      if (output.length === 0 && before === stuck) return Buffer.concat(sent)
      stuck = before
    }
  }

  get inputLength(): number {
    return this.entry.exports['tlsInputLength'](this.connection)
  }

  /** Reads application data. */
  read(limit = Infinity): Uint8Array {
    const { tlsInput, tlsConsume } = this.entry.exports
    const length = Math.min(this.inputLength, limit)
    const bytes = this.entry.read(tlsInput(this.connection), length)
    tlsConsume(this.connection, length)
    return bytes
  }

  write(bytes: Uint8Array | string): boolean {
    const { DATA, tlsWrite } = this.entry.exports
    const data = Buffer.from(bytes)
    this.entry.write(DATA.value, data)
    return Boolean(tlsWrite(this.connection, DATA.value, data.length))
  }

  /** The connection's memory. */
  memory(): Uint8Array {
    return this.entry.read(this.connection, this.entry.exports['connectionSize']())
  }
}
