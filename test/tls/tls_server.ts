// The TLS server of the firmware as an object: bytes in, bytes out, with the owner's loop of firmware/tls/server.ts.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Entry, type Flavour, loadEntry } from '../support/firmware'

export const ALPN = 'ntske/1'

export const State = { Handshake: 0, Open: 1, PeerClosed: 2, Closed: 3, Failed: 4 } as const
export const SENT = 0x100
export const RECEIVED = 0x200

export function fixture(name: string): string {
  return readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
}

export const CA = fixture('ca.pem')
export const LEAF = new X509Certificate(fixture('leaf.pem'))

/** Loads a module and seeds its random generator: the same seed, the same handshakes. */
export async function loadTls(flavour: Flavour = 'checked', seed = 1): Promise<Entry> {
  const entry = await loadEntry(new URL('./tls.entry.ts', import.meta.url), flavour)
  const { DATA, drbgSeed } = entry.exports
  const bytes = new Uint8Array(48)
  new DataView(bytes.buffer).setUint32(0, seed)
  entry.write(DATA.value, bytes)
  drbgSeed(DATA.value, bytes.length)
  return entry
}

/** The certificate list of TlsCredentials. */
export function certificateList(...certificates: Uint8Array[]): Uint8Array {
  return Buffer.concat(certificates.flatMap((der) => [Buffer.from([0, der.length >> 8, der.length & 255]), der]))
}

const LEAF_KEY = Buffer.from(createPrivateKey(fixture('leaf.key')).export({ format: 'jwk' }).d!, 'base64url')
const CHAIN = certificateList(LEAF.raw, new X509Certificate(CA).raw)

export interface ServerOptions {
  readonly alpn?: string
  readonly certificates?: Uint8Array
  /** The private scalar. */
  readonly key?: Uint8Array
  /** The second connection's memory. */
  readonly second?: boolean
}

/** A runaway stops here: a whole handshake is about 3,000 steps. */
const STEPS_MAX = 20_000

export class TlsServer {
  readonly connection: number
  /** Steps done so far. */
  steps = 0
  private waiting: Uint8Array = new Uint8Array()

  constructor(
    private readonly entry: Entry,
    options: ServerOptions = {},
  ) {
    const { exports } = entry
    const certificates = options.certificates ?? CHAIN
    const alpn = Buffer.from(options.alpn ?? ALPN)
    entry.write(exports['CERTIFICATES'].value, certificates)
    entry.write(exports['ALPN'].value, Buffer.concat([Buffer.from([alpn.length]), alpn]))
    entry.write(exports['OUT'].value, options.key ?? LEAF_KEY)
    const credentials = exports['credentials'](exports['OUT'].value, certificates.length)
    this.connection = exports[options.second ? 'SECOND' : 'CONNECTION'].value
    exports['tlsServerInit'](this.connection, credentials, exports['ALPN'].value)
  }

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
    if (++this.steps > STEPS_MAX) throw new Error('the server does not come to rest')
    return Boolean(this.entry.exports['tlsStep'](this.connection))
  }

  /** Gives the server bytes; it takes them as far as it can. */
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

  /** Gives bytes, works until the server rests, returns all that it sends. */
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
    this.entry.exports['tlsClose'](this.connection)
  }

  wipe(): void {
    this.entry.exports['tlsWipe'](this.connection)
  }

  export(label: string, context: Uint8Array, length: number): Uint8Array {
    const { DATA, OUT, tlsExport } = this.entry.exports
    this.entry.write(DATA.value, Buffer.concat([Buffer.from(label), context]))
    const at = DATA.value
    if (!tlsExport(this.connection, at, label.length, at + label.length, context.length, OUT.value, length)) {
      throw new Error('no exporter')
    }
    return this.entry.read(OUT.value, length)
  }

  /** The connection's memory. */
  memory(): Uint8Array {
    return this.entry.read(this.connection, this.entry.exports['connectionSize']())
  }
}
