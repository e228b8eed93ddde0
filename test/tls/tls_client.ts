// The TLS client of the firmware as an object: bytes in, bytes out, with the owner's loop of firmware/tls/client.ts.

import { createHash, X509Certificate } from 'node:crypto'
import { anchorImage } from '../../src/anchor_image'
import { type Entry, type Flavour, loadEntry } from '../support/firmware'
import { TlsEnd } from './tls_end'
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

export class TlsClient extends TlsEnd {
  constructor(entry: Entry, options: ClientOptions = {}) {
    const { exports } = entry
    super(entry, exports['CONNECTION'].value, STEPS_MAX)
    const name = Buffer.from(options.name ?? 'noonmark.test')
    const alpn = Buffer.from(options.alpn ?? ALPN)
    const time = options.time ?? THEN
    const [earliest, latest] = typeof time === 'number' ? [time, time] : time
    entry.write(exports['DATA'].value, Buffer.concat([name, alpn]))
    let pin = 0
    if (options.pin) {
      pin = exports['PIN'].value
      const key = options.pin.publicKey.export({ format: 'der', type: 'spki' })
      entry.write(pin, createHash('sha256').update(key).digest())
    }
    exports['start'](name.length, alpn.length, BigInt(earliest), BigInt(latest), options.dates ?? Dates.Strict, 0, pin)
  }

  protected work(): boolean {
    return Boolean(this.entry.exports['tlsClientStep'](this.connection))
  }

  /** The verdict about the chain; 255 before there is one. */
  get verdict(): number {
    return this.entry.exports['tlsClientVerdict'](this.connection)
  }

  /** Drops the bytes that were not taken, and counts steps anew. */
  forget(): void {
    this.waiting = new Uint8Array()
    this.steps = 0
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
}
