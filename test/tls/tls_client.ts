// The TLS client of the firmware as an object: bytes in, bytes out, with the owner's loop of firmware/tls/client.ts.

import { createHash, X509Certificate } from 'node:crypto'
import { anchorImage } from '../../src/anchor_image'
import { type Entry, type Flavour, loadEntry } from '../support/firmware'
import { ALPN, CA, LEAF } from './tls_server'
import { AnchorFlash, anchor } from './x509_judge'

/** A time at which the certificate among the fixtures is valid. */
export const THEN = Math.floor(Date.parse(LEAF.validFrom) / 1000) + 86_400

export const Dates = { Strict: 0, Undecided: 1, Off: 2 } as const

/** Loads a module that trusts the certificates, and seeds its random generator. */
export async function loadTlsClient(flavour: Flavour = 'checked', anchors = [CA], seed = 1): Promise<Entry> {
  return loadWithAnchors(new URL('./client.entry.ts', import.meta.url), flavour, anchors, seed)
}

/** The same for any entry with the memory DATA and the function drbgSeed. Seed 0: none. */
export async function loadWithAnchors(url: URL, flavour: Flavour, anchors: string[], seed: number): Promise<Entry> {
  const flash = new AnchorFlash()
  flash.bytes = anchorImage(anchors.map((pem) => anchor(new X509Certificate(pem).raw)))
  let entry: Entry | undefined
  entry = await loadEntry(
    url,
    flavour,
    flash.imports(() => (entry as Entry).memory),
  )
  const { DATA, drbgSeed } = entry.exports
  const bytes = new Uint8Array(48)
  new DataView(bytes.buffer).setUint32(0, seed)
  entry.write(DATA.value, bytes)
  if (seed !== 0) drbgSeed(DATA.value, bytes.length)
  return entry
}

export interface ClientOptions {
  readonly name?: string
  readonly alpn?: string
  /** POSIX seconds; THEN without it. */
  readonly time?: number | [number, number]
  readonly dates?: number
  /** A certificate whose key is trusted, whoever signed it. */
  readonly pin?: X509Certificate
}

/** A runaway stops here: a whole handshake is about 10,000 steps. */
const STEPS_MAX = 100_000

export class TlsClient {
  readonly connection: number
  /** Steps done so far. */
  steps = 0
  private waiting: Uint8Array = new Uint8Array()

  constructor(
    readonly entry: Entry,
    options: ClientOptions = {},
  ) {
    const { exports } = entry
    const name = Buffer.from(options.name ?? 'noonmark.test')
    const alpn = Buffer.from(options.alpn ?? ALPN)
    const time = options.time ?? THEN
    const [earliest, latest] = typeof time === 'number' ? [time, time] : time
    this.connection = exports['CONNECTION'].value
    entry.write(exports['DATA'].value, Buffer.concat([name, alpn]))
    let pin = 0
    if (options.pin) {
      pin = exports['PIN'].value
      const key = options.pin.publicKey.export({ format: 'der', type: 'spki' })
      entry.write(pin, createHash('sha256').update(key).digest())
    }
    exports['start'](name.length, alpn.length, BigInt(earliest), BigInt(latest), options.dates ?? Dates.Strict, 0, pin)
  }

  get state(): number {
    return this.entry.exports['tlsState'](this.connection)
  }

  get alert(): number {
    return this.entry.exports['tlsAlert'](this.connection)
  }

  /** The verdict about the chain; 255 before there is one. */
  get verdict(): number {
    return this.entry.exports['tlsClientVerdict'](this.connection)
  }

  /** Bytes given but not yet taken. */
  get pending(): number {
    return this.waiting.length
  }

  /** One step; true while there is more to do. */
  step(): boolean {
    if (++this.steps > STEPS_MAX) throw new Error('the client does not come to rest')
    return Boolean(this.entry.exports['tlsClientStep'](this.connection))
  }

  /** Drops the bytes that were not taken, and counts steps anew. */
  forget(): void {
    this.waiting = new Uint8Array()
    this.steps = 0
  }

  /** Gives the client bytes; it takes them as far as it can. */
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

  /** Gives bytes, works until the client rests, returns all that it sends. */
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

  close(): void {
    this.entry.exports['tlsClientClose'](this.connection)
  }

  wipe(): void {
    this.entry.exports['tlsClientWipe'](this.connection)
  }

  export(label: string, context: Uint8Array, length: number): Uint8Array {
    const { DATA, OUT, exportValue } = this.entry.exports
    this.entry.write(DATA.value, Buffer.concat([Buffer.from(label), context]))
    if (!exportValue(label.length, context.length, length)) throw new Error('no exporter')
    return this.entry.read(OUT.value, length)
  }

  /** The connection's memory. */
  memory(): Uint8Array {
    return this.entry.read(this.connection, this.entry.exports['connectionSize']())
  }
}
