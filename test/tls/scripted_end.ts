// What the scripted TLS 1.3 peers share (RFC 8446): code points, vectors and messages, the record layer and the key schedule,
// over node:crypto and @noble/curves. A client or a server derives from `ScriptedEnd`.

import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'
import { x25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'

type Bytes = Uint8Array

export const Type = { ChangeCipherSpec: 20, Alert: 21, Handshake: 22, ApplicationData: 23 } as const

export const Message = {
  ClientHello: 1,
  ServerHello: 2,
  NewSessionTicket: 4,
  EncryptedExtensions: 8,
  Certificate: 11,
  CertificateVerify: 15,
  Finished: 20,
  KeyUpdate: 24,
} as const

export const Extension = {
  ServerName: 0,
  MaxFragmentLength: 1,
  SupportedGroups: 10,
  SignatureAlgorithms: 13,
  Alpn: 16,
  Padding: 21,
  RecordSizeLimit: 28,
  PreSharedKey: 41,
  EarlyData: 42,
  SupportedVersions: 43,
  Cookie: 44,
  PskKeyExchangeModes: 45,
  KeyShare: 51,
} as const

export const Suite = { Aes128: 0x1301, Aes256: 0x1302, ChaCha20: 0x1303 } as const
export const Group = { P256: 23, P384: 24, X25519: 29, X25519MLKEM768: 0x11ec } as const

export const Alert = {
  CloseNotify: 0,
  UnexpectedMessage: 10,
  BadRecordMac: 20,
  RecordOverflow: 22,
  HandshakeFailure: 40,
  IllegalParameter: 47,
  DecodeError: 50,
  DecryptError: 51,
  ProtocolVersion: 70,
  InternalError: 80,
  UserCanceled: 90,
  MissingExtension: 109,
  NoApplicationProtocol: 120,
} as const

export const RETRY_RANDOM = createHash('sha256').update('HelloRetryRequest').digest()

export function u8(value: number): Bytes {
  return Uint8Array.of(value)
}
export function u16(value: number): Bytes {
  return Uint8Array.of(value >> 8, value)
}
export function u24(value: number): Bytes {
  return Uint8Array.of(value >> 16, value >> 8, value)
}
export function concat(...parts: Bytes[]): Bytes {
  return new Uint8Array(Buffer.concat(parts))
}
/** A vector with a length of one, two or three bytes before it. */
export function vector(size: 1 | 2 | 3, ...parts: Bytes[]): Bytes {
  const body = concat(...parts)
  return concat(size === 1 ? u8(body.length) : size === 2 ? u16(body.length) : u24(body.length), body)
}
export function message(type: number, ...parts: Bytes[]): Bytes {
  return concat(u8(type), vector(3, ...parts))
}
/** A record in clear. */
export function record(type: number, fragment: Bytes, version = 0x0303): Bytes {
  return concat(u8(type), u16(version), vector(2, fragment))
}
export function extension(type: number, ...parts: Bytes[]): Bytes {
  return concat(u16(type), vector(2, ...parts))
}

export interface Keys {
  key: Buffer
  iv: Buffer
  sequence: bigint
}

/** A record after its protection, if any, was taken off. */
export interface Content {
  readonly type: number
  readonly content: Bytes
}

export abstract class ScriptedEnd {
  protected readonly x25519Key = x25519.utils.randomSecretKey()
  protected readonly p256Key = p256.utils.randomSecretKey()
  transcript: Bytes[] = []
  private buffer: Bytes = new Uint8Array()
  private handshakeBuffer: Bytes = new Uint8Array()
  reading: Keys | undefined
  writing: Keys | undefined
  secrets: Record<string, Buffer> = {}
  suite = 0
  /** Everything read, in order. */
  readonly contents: Content[] = []
  /** Lengths of the protected records read, without their headers. */
  readonly recordLengths: number[] = []

  /** One whole handshake message of the peer, with its header. */
  protected abstract readMessage(bytes: Bytes): void

  // What goes out ------------------------------------------------------------------------------------------------

  /** A protected record; `type` undefined leaves even the content type out. */
  protect(type: number | undefined, content: Bytes | string, padding = 0): Bytes {
    const inner = concat(Buffer.from(content), type === undefined ? u8(0) : u8(type), new Uint8Array(padding))
    return this.seal(inner)
  }

  /** A protected record of any inner plaintext. */
  seal(inner: Bytes): Bytes {
    const keys = this.writing!
    const header = concat(u8(Type.ApplicationData), u16(0x0303), u16(inner.length + 16))
    const cipher = createCipheriv(this.cipher as 'aes-128-gcm', keys.key, this.nonce(keys), { authTagLength: 16 })
    cipher.setAAD(header, { plaintextLength: inner.length })
    return concat(header, cipher.update(inner), cipher.final(), cipher.getAuthTag())
  }

  alert(description: number, level = 2): Bytes {
    return Uint8Array.of(level, description)
  }

  // What comes in ------------------------------------------------------------------------------------------------

  /** Reads bytes from the peer, any split; returns the contents of the records that became whole. */
  read(bytes: Bytes): Content[] {
    this.buffer = concat(this.buffer, bytes)
    const found: Content[] = []
    while (this.buffer.length >= 5) {
      const length = (this.buffer[3]! << 8) | this.buffer[4]!
      if (this.buffer.length < 5 + length) break
      const whole = this.buffer.subarray(0, 5 + length)
      this.buffer = this.buffer.slice(5 + length)
      const content = this.open(whole)
      found.push(content)
      this.contents.push(content)
      if (content.type === Type.Handshake) this.readHandshake(content.content)
    }
    return found
  }

  /** The alert among the contents read so far, if any. */
  get alertRead(): number | undefined {
    return this.contents.find(({ type }) => type === Type.Alert)?.content[1]
  }

  /** All application data read so far. */
  get data(): Bytes {
    return concat(...this.contents.filter(({ type }) => type === Type.ApplicationData).map(({ content }) => content))
  }

  exportKeyingMaterial(label: string, context: Bytes, length: number): Buffer {
    const secret = this.expand(this.secrets['exp']!, label, this.digest(new Uint8Array()), this.hashLength)
    return this.expand(secret, 'exporter', this.digest(context), length)
  }

  private open(whole: Bytes): Content {
    const type = whole[0]!
    const fragment = whole.subarray(5)
    if (type !== Type.ApplicationData) return { type, content: fragment.slice() }
    this.recordLengths.push(fragment.length)
    const keys = this.reading!
    const decipher = createDecipheriv(this.cipher as 'aes-128-gcm', keys.key, this.nonce(keys), { authTagLength: 16 })
    decipher.setAAD(whole.subarray(0, 5), { plaintextLength: fragment.length - 16 })
    decipher.setAuthTag(fragment.subarray(-16))
    const inner = concat(decipher.update(fragment.subarray(0, -16)), decipher.final())
    const end = inner.findLastIndex((byte) => byte !== 0)
    return { type: inner[end]!, content: inner.slice(0, end) }
  }

  private readHandshake(content: Bytes): void {
    this.handshakeBuffer = concat(this.handshakeBuffer, content)
    while (this.handshakeBuffer.length >= 4) {
      const bytes = this.handshakeBuffer
      const length = 4 + ((bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!)
      if (bytes.length < length) return
      this.handshakeBuffer = bytes.slice(length)
      this.readMessage(bytes.slice(0, length))
    }
  }

  // The key schedule ---------------------------------------------------------------------------------------------

  protected get hash(): string {
    return this.suite === Suite.Aes256 ? 'sha384' : 'sha256'
  }

  protected get hashLength(): number {
    return this.suite === Suite.Aes256 ? 48 : 32
  }

  private get cipher(): string {
    if (this.suite === Suite.ChaCha20) return 'chacha20-poly1305'
    return this.suite === Suite.Aes256 ? 'aes-256-gcm' : 'aes-128-gcm'
  }

  protected digest(bytes: Bytes): Buffer {
    return createHash(this.hash).update(bytes).digest()
  }

  transcriptHash(): Buffer {
    return this.digest(concat(...this.transcript))
  }

  private extract(salt: Bytes, ikm: Bytes): Buffer {
    return createHmac(this.hash, salt).update(ikm).digest()
  }

  protected expand(secret: Bytes, label: string, context: Bytes, length: number): Buffer {
    return expandLabel(this.hash, secret, label, context, length)
  }

  protected keys(secret: Bytes): Keys {
    const key = this.expand(secret, 'key', Buffer.alloc(0), this.suite === Suite.Aes128 ? 16 : 32)
    return { key, iv: this.expand(secret, 'iv', Buffer.alloc(0), 12), sequence: 0n }
  }

  private nonce(keys: Keys): Buffer {
    const nonce = Buffer.from(keys.iv)
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ keys.sequence++, 4)
    return nonce
  }

  /** The secret that both have from their shares. */
  protected sharedSecret(group: number, peer: Bytes): Bytes {
    if (group === Group.P256) return p256.getSharedSecret(this.p256Key, peer, true).subarray(1)
    return x25519.getSharedSecret(this.x25519Key, peer)
  }

  /** The secrets of the handshake and the master secret, from what the shares gave. */
  protected deriveHandshakeSecrets(shared: Bytes): void {
    const zeros = Buffer.alloc(this.hashLength)
    const empty = this.digest(new Uint8Array())
    const early = this.extract(zeros, zeros)
    const handshake = this.extract(this.expand(early, 'derived', empty, this.hashLength), shared)
    this.secrets['master'] = this.extract(this.expand(handshake, 'derived', empty, this.hashLength), zeros)
    this.secrets['c hs'] = this.expand(handshake, 'c hs traffic', this.transcriptHash(), this.hashLength)
    this.secrets['s hs'] = this.expand(handshake, 's hs traffic', this.transcriptHash(), this.hashLength)
  }

  /** The application's secrets, from the transcript up to the server's Finished. */
  protected deriveApplicationSecrets(): void {
    const hash = this.transcriptHash()
    for (const [name, label] of [
      ['c ap', 'c ap traffic'],
      ['s ap', 's ap traffic'],
      ['exp', 'exp master'],
    ] as const) {
      this.secrets[name] = this.expand(this.secrets['master']!, label, hash, this.hashLength)
    }
  }

  /** The verify_data of the Finished under a handshake traffic secret, `c hs` or `s hs`. */
  protected verifyData(secret: 'c hs' | 's hs'): Buffer {
    const key = this.expand(this.secrets[secret]!, 'finished', Buffer.alloc(0), this.hashLength)
    return createHmac(this.hash, key).update(this.transcriptHash()).digest()
  }

  /** The next traffic secret in place of `c ap` or `s ap` (RFC 8446, section 7.2), and its keys. */
  protected nextKeys(secret: 'c ap' | 's ap'): Keys {
    this.secrets[secret] = this.expand(this.secrets[secret]!, 'traffic upd', Buffer.alloc(0), this.hashLength)
    return this.keys(this.secrets[secret])
  }
}

/** HKDF-Expand-Label (RFC 8446, section 7.1). */
export function expandLabel(hash: string, secret: Bytes, label: string, context: Bytes, length: number): Buffer {
  const info = concat(u16(length), vector(1, Buffer.from(`tls13 ${label}`)), vector(1, context))
  let out: Bytes = new Uint8Array()
  let block: Bytes = new Uint8Array()
  for (let i = 1; out.length < length; i++) {
    block = createHmac(hash, secret)
      .update(concat(block, info, u8(i)))
      .digest()
    out = concat(out, block)
  }
  return Buffer.from(out.subarray(0, length))
}

/** Extensions by type; the block begins with its length. */
export function extensionsOf(block: Bytes): Map<number, Bytes> {
  const found = new Map<number, Bytes>()
  for (let at = 2; at < block.length; ) {
    const length = (block[at + 2]! << 8) | block[at + 3]!
    found.set((block[at]! << 8) | block[at + 1]!, block.slice(at + 4, at + 4 + length))
    at += 4 + length
  }
  return found
}
