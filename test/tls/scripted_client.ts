// A TLS 1.3 client for tests (RFC 8446), over node:crypto and @noble/curves, that does as it is told: every message,
// every record and every key can be made wrong.

import { type KeyObject, randomBytes, verify } from 'node:crypto'
import { x25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'
import {
  concat,
  Extension,
  extension,
  extensionsOf,
  Group,
  Message,
  message,
  RETRY_RANDOM,
  record,
  ScriptedEnd,
  Suite,
  Type,
  u16,
  vector,
} from './scripted_end'

type Bytes = Uint8Array

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

export class ScriptedClient extends ScriptedEnd {
  readonly random = randomBytes(32)
  group = 0
  /** True after a HelloRetryRequest. */
  retried = false
  /** True when the server's Finished was right. */
  authenticated = false
  /** The EncryptedExtensions by type. */
  readonly encryptedExtensions = new Map<number, Bytes>()
  certificates: Bytes[] = []

  constructor(private readonly serverKey?: KeyObject) {
    super()
  }

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
    return message(Message.Finished, this.verifyData('c hs'))
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
    this.writing = this.nextKeys('c ap')
  }

  updateRead(): void {
    this.reading = this.nextKeys('s ap')
  }

  // What comes in ------------------------------------------------------------------------------------------------

  protected readMessage(bytes: Bytes): void {
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
    this.startHandshakeKeys(this.sharedSecret(this.group, peer))
  }

  private startHandshakeKeys(shared: Bytes): void {
    this.deriveHandshakeSecrets(shared)
    this.reading = this.keys(this.secrets['s hs']!)
    this.writing = this.keys(this.secrets['c hs']!)
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
    if (Buffer.compare(this.verifyData('s hs'), body) !== 0) throw new Error("the server's Finished is wrong")
    this.transcript.push(bytes)
    this.deriveApplicationSecrets()
    this.reading = this.keys(this.secrets['s ap']!)
    this.authenticated = true
  }
}
