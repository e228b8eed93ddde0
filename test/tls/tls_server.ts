// The TLS server of the firmware as an object: bytes in, bytes out, with the owner's loop of firmware/tls/server.ts.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Entry, type Flavour, loadEntry } from '../support/firmware'
import { TlsEnd } from './tls_end'

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

export class TlsServer extends TlsEnd {
  constructor(entry: Entry, options: ServerOptions = {}) {
    const { exports } = entry
    super(entry, exports[options.second ? 'SECOND' : 'CONNECTION'].value, STEPS_MAX)
    const certificates = options.certificates ?? CHAIN
    const alpn = Buffer.from(options.alpn ?? ALPN)
    entry.write(exports['CERTIFICATES'].value, certificates)
    entry.write(exports['ALPN'].value, Buffer.concat([Buffer.from([alpn.length]), alpn]))
    entry.write(exports['OUT'].value, options.key ?? LEAF_KEY)
    const credentials = exports['credentials'](exports['OUT'].value, certificates.length)
    exports['tlsServerInit'](this.connection, credentials, exports['ALPN'].value)
  }

  protected work(): boolean {
    return Boolean(this.entry.exports['tlsStep'](this.connection))
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
}
