// A TLS 1.3 client for tests (RFC 8446), over node:crypto and @noble/curves, that does as it is told: every message,
// every record and every key can be made wrong.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  type KeyObject,
  randomBytes,
  verify,
} from 'node:crypto'
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

const RETRY_RANDOM = createHash('sha256').update('HelloRetryRequest').digest()

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

export interface HelloOptions {
  readonly legacyVersion?: number
  readonly sessionId?: Bytes
  readonly suites?: number[]
  readonly compression?: number[]
  readonly versions?: number[] | undefined
  readonly groups?: number[]
  /** Groups of which a share is sent, or whole entries. */
  readonly shares?: (number | Bytes)[]
  readonly signatureAlgorithms?: number[]
  readonly protocols?: string[]
  /** Extensions (types) to leave out. */
  readonly without?: number[]
  /** Whole extensions to put before and after the usual ones. */
  readonly before?: Bytes[]
  readonly after?: Bytes[]
  /** Instead of the whole extensions block. */
  readonly extensions?: Bytes
}

interface Keys {
  key: Buffer
  iv: Buffer
  sequence: bigint
}

/** A record after its protection, if any, was taken off. */
export interface Content {
  readonly type: number
  readonly content: Bytes
}

export class ScriptedClient {
  readonly random = randomBytes(32)
  private readonly x25519Key = x25519.utils.randomSecretKey()
  private readonly p256Key = p256.utils.randomSecretKey()
  private transcript: Bytes[] = []
  private buffer: Bytes = new Uint8Array()
  private handshakeBuffer: Bytes = new Uint8Array()
  private reading: Keys | undefined
  private writing: Keys | undefined
  private secrets: Record<string, Buffer> = {}
  suite = 0
  group = 0
  /** True after a HelloRetryRequest. */
  retried = false
  /** True when the server's Finished was right. */
  authenticated = false
  /** Everything read, in order. */
  readonly contents: Content[] = []
  /** The EncryptedExtensions by type. */
  readonly encryptedExtensions = new Map<number, Bytes>()
  certificates: Bytes[] = []
  /** Lengths of the protected records read, without their headers. */
  readonly recordLengths: number[] = []

  constructor(private readonly serverKey?: KeyObject) {}

  // What goes out ------------------------------------------------------------------------------------------------

  share(group: number): Bytes {
    if (group === Group.X25519) return x25519.getPublicKey(this.x25519Key)
    if (group === Group.P256) return p256.getPublicKey(this.p256Key, false)
    return randomBytes(group === Group.X25519MLKEM768 ? 1216 : 97)
  }

  /** A ClientHello; it is not yet part of the transcript (`sent`). */
  hello(options: HelloOptions = {}): Bytes {
    const groups = options.groups ?? [Group.X25519, Group.P256]
    const list = (numbers: number[]) => concat(...numbers.map(u16))
    const shares = (options.shares ?? [groups[0]!]).map((entry) =>
      typeof entry === 'number' ? concat(u16(entry), vector(2, this.share(entry))) : entry,
    )
    const protocols = (options.protocols ?? ['ntske/1']).map((name) => vector(1, Buffer.from(name)))
    const usual: [number, Bytes][] = [
      [Extension.SupportedVersions, vector(1, list(options.versions ?? [0x0304]))],
      [Extension.SupportedGroups, vector(2, list(groups))],
      [Extension.SignatureAlgorithms, vector(2, list(options.signatureAlgorithms ?? [0x0403, 0x0804]))],
      [Extension.Alpn, vector(2, ...protocols)],
      [Extension.KeyShare, vector(2, ...shares)],
    ]
    const kept = usual.filter(([type]) => !options.without?.includes(type))
    const extensions = [
      ...(options.before ?? []),
      ...kept.map(([type, data]) => extension(type, data)),
      ...(options.after ?? []),
    ]
    return message(
      Message.ClientHello,
      u16(options.legacyVersion ?? 0x0303),
      this.random,
      vector(1, options.sessionId ?? new Uint8Array(32).fill(7)),
      vector(2, list(options.suites ?? [Suite.ChaCha20, Suite.Aes128, Suite.Aes256])),
      vector(1, Uint8Array.from(options.compression ?? [0])),
      options.extensions ?? vector(2, ...extensions),
    )
  }

  /** Counts a message of ours as sent. */
  sent(bytes: Bytes): Bytes {
    this.transcript.push(bytes)
    return bytes
  }

  /** The record of a ClientHello, counted as sent. */
  sendHello(options: HelloOptions = {}): Bytes {
    return record(Type.Handshake, this.sent(this.hello(options)), 0x0301)
  }

  finished(): Bytes {
    const key = this.expand(this.secrets['c hs']!, 'finished', Buffer.alloc(0), this.hashLength)
    return message(Message.Finished, createHmac(this.hash, key).update(this.transcriptHash()).digest())
  }

  /** Finished under the handshake keys; from then on the application's keys write. */
  sendFinished(): Bytes {
    const finished = this.finished()
    const bytes = this.protect(Type.Handshake, finished)
    this.sent(finished)
    this.writeApplication()
    return bytes
  }

  writeApplication(): void {
    this.writing = this.keys(this.secrets['c ap']!)
  }

  updateWrite(): void {
    this.secrets['c ap'] = this.expand(this.secrets['c ap']!, 'traffic upd', Buffer.alloc(0), this.hashLength)
    this.writeApplication()
  }

  updateRead(): void {
    this.secrets['s ap'] = this.expand(this.secrets['s ap']!, 'traffic upd', Buffer.alloc(0), this.hashLength)
    this.reading = this.keys(this.secrets['s ap']!)
  }

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

  /** Reads bytes from the server, any split; returns the contents of the records that became whole. */
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

  private readMessage(bytes: Bytes): void {
    const body = bytes.subarray(4)
    switch (bytes[0]) {
      case Message.ServerHello:
        this.readServerHello(bytes, body)
        return
      case Message.EncryptedExtensions:
        this.readExtensions(body)
        break
      case Message.Certificate:
        this.readCertificate(body)
        break
      case Message.CertificateVerify:
        this.readCertificateVerify(body)
        break
      case Message.Finished:
        this.readFinished(bytes, body)
        return
      case Message.KeyUpdate:
        this.updateRead()
        return
      default:
        throw new Error(`message ${bytes[0]} from the server`)
    }
    this.transcript.push(bytes)
  }

  private readServerHello(bytes: Bytes, body: Bytes): void {
    const random = body.subarray(2, 34)
    const at = 35 + body[34]!
    this.suite = (body[at]! << 8) | body[at + 1]!
    if (Buffer.compare(random, RETRY_RANDOM) === 0) {
      this.retried = true
      this.transcript = [concat(Uint8Array.of(254, 0, 0, this.hashLength), this.transcriptHash()), bytes]
      this.group = extensionsOf(body.subarray(at + 3))
        .get(Extension.KeyShare)!
        .at(-1)!
      return
    }
    this.transcript.push(bytes)
    const share = extensionsOf(body.subarray(at + 3)).get(Extension.KeyShare)!
    this.group = (share[0]! << 8) | share[1]!
    const peer = share.subarray(4)
    const secret =
      this.group === Group.X25519
        ? x25519.getSharedSecret(this.x25519Key, peer)
        : p256.getSharedSecret(this.p256Key, peer, true).subarray(1)
    this.startHandshakeKeys(secret)
  }

  private startHandshakeKeys(shared: Bytes): void {
    const zeros = Buffer.alloc(this.hashLength)
    const empty = this.digest(new Uint8Array())
    const early = this.extract(zeros, zeros)
    const handshake = this.extract(this.expand(early, 'derived', empty, this.hashLength), shared)
    this.secrets['master'] = this.extract(this.expand(handshake, 'derived', empty, this.hashLength), zeros)
    this.secrets['c hs'] = this.expand(handshake, 'c hs traffic', this.transcriptHash(), this.hashLength)
    this.secrets['s hs'] = this.expand(handshake, 's hs traffic', this.transcriptHash(), this.hashLength)
    this.reading = this.keys(this.secrets['s hs'])
    this.writing = this.keys(this.secrets['c hs'])
  }

  private readExtensions(body: Bytes): void {
    for (const [type, data] of extensionsOf(body)) this.encryptedExtensions.set(type, data)
  }

  private readCertificate(body: Bytes): void {
    for (let at = 4; at < body.length; ) {
      const length = (body[at]! << 16) | (body[at + 1]! << 8) | body[at + 2]!
      this.certificates.push(body.slice(at + 3, at + 3 + length))
      at += 3 + length + 2
    }
  }

  private readCertificateVerify(body: Bytes): void {
    if (body[0] !== 4 || body[1] !== 3) throw new Error('not ecdsa_secp256r1_sha256')
    if (!this.serverKey) return
    const signed = concat(
      new Uint8Array(64).fill(32),
      Buffer.from('TLS 1.3, server CertificateVerify\0'),
      this.transcriptHash(),
    )
    const good = verify('sha256', signed, this.serverKey, body.subarray(4))
    if (!good) throw new Error('the signature of CertificateVerify is wrong')
  }

  private readFinished(bytes: Bytes, body: Bytes): void {
    const key = this.expand(this.secrets['s hs']!, 'finished', Buffer.alloc(0), this.hashLength)
    const expected = createHmac(this.hash, key).update(this.transcriptHash()).digest()
    if (Buffer.compare(expected, body) !== 0) throw new Error("the server's Finished is wrong")
    this.transcript.push(bytes)
    const hash = this.transcriptHash()
    const master = this.secrets['master']!
    this.secrets['c ap'] = this.expand(master, 'c ap traffic', hash, this.hashLength)
    this.secrets['s ap'] = this.expand(master, 's ap traffic', hash, this.hashLength)
    this.secrets['exp'] = this.expand(master, 'exp master', hash, this.hashLength)
    this.reading = this.keys(this.secrets['s ap'])
    this.authenticated = true
  }

  // The key schedule ---------------------------------------------------------------------------------------------

  private get hash(): string {
    return this.suite === Suite.Aes256 ? 'sha384' : 'sha256'
  }

  private get hashLength(): number {
    return this.suite === Suite.Aes256 ? 48 : 32
  }

  private get cipher(): string {
    if (this.suite === Suite.ChaCha20) return 'chacha20-poly1305'
    return this.suite === Suite.Aes256 ? 'aes-256-gcm' : 'aes-128-gcm'
  }

  private digest(bytes: Bytes): Buffer {
    return createHash(this.hash).update(bytes).digest()
  }

  private transcriptHash(): Buffer {
    return this.digest(concat(...this.transcript))
  }

  private extract(salt: Bytes, ikm: Bytes): Buffer {
    return createHmac(this.hash, salt).update(ikm).digest()
  }

  private expand(secret: Bytes, label: string, context: Bytes, length: number): Buffer {
    return expandLabel(this.hash, secret, label, context, length)
  }

  private keys(secret: Bytes): Keys {
    const key = this.expand(secret, 'key', Buffer.alloc(0), this.suite === Suite.Aes128 ? 16 : 32)
    return { key, iv: this.expand(secret, 'iv', Buffer.alloc(0), 12), sequence: 0n }
  }

  private nonce(keys: Keys): Buffer {
    const nonce = Buffer.from(keys.iv)
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ keys.sequence++, 4)
    return nonce
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

function extensionsOf(block: Bytes): Map<number, Bytes> {
  const found = new Map<number, Bytes>()
  for (let at = 2; at < block.length; ) {
    const length = (block[at + 2]! << 8) | block[at + 3]!
    found.set((block[at]! << 8) | block[at + 1]!, block.slice(at + 4, at + 4 + length))
    at += 4 + length
  }
  return found
}
