// A TLS 1.3 server for tests (RFC 8446), over node:crypto and @noble/curves, that does as it is told: every message, every
// record and every key can be made wrong. The mirror image of scripted_client.ts.

import { constants, createPrivateKey, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { x25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'
import {
  concat,
  Extension,
  extension,
  Group,
  Message,
  message,
  RETRY_RANDOM,
  record,
  ScriptedEnd,
  Suite,
  Type,
  u8,
  u16,
  vector,
} from './scripted_end'
import { ALPN, CA, fixture, LEAF } from './tls_server'

type Bytes = Uint8Array

const LEAF_KEY = createPrivateKey(fixture('leaf.key'))

export interface ServerHelloOptions {
  readonly legacyVersion?: number
  readonly random?: Bytes
  readonly echo?: Bytes
  readonly suite?: number
  readonly compression?: number
  readonly version?: number | undefined
  readonly group?: number
  readonly share?: Bytes
  readonly without?: number[]
  readonly before?: Bytes[]
  readonly after?: Bytes[]
  readonly extensions?: Bytes
}

export interface RetryOptions extends Omit<ServerHelloOptions, 'group' | 'share'> {
  readonly group?: number
  readonly cookie?: Bytes
}

export class ScriptedServer extends ScriptedEnd {
  readonly random = new Uint8Array(32).fill(9)
  override suite: number = Suite.ChaCha20
  /** The ClientHellos, with their headers. */
  readonly hellos: Bytes[] = []
  /** Of the last ClientHello. */
  clientRandom: Bytes = new Uint8Array()
  sessionId: Bytes = new Uint8Array()
  suites: number[] = []
  extensions = new Map<number, Bytes>()
  /** True when the client's Finished was right. */
  finishedRead = false
  /** The client's Certificate message, if any. */
  certificateRead: Bytes | undefined

  constructor(
    private readonly key: KeyObject = LEAF_KEY,
    private readonly certificates: Bytes[] = [LEAF.raw, new X509Certificate(CA).raw],
  ) {
    super()
  }

  // What goes out ------------------------------------------------------------------------------------------------

  share(group: number): Bytes {
    return group === Group.P256 ? p256.getPublicKey(this.p256Key, false) : x25519.getPublicKey(this.x25519Key)
  }

  serverHello(options: ServerHelloOptions = {}): Bytes {
    const group = options.group ?? this.sharedGroup
    const usual: [number, Bytes][] = [
      [Extension.SupportedVersions, u16(options.version ?? 0x0304)],
      [Extension.KeyShare, concat(u16(group), vector(2, options.share ?? this.share(group)))],
    ]
    return this.helloMessage(options, options.random ?? this.random, usual)
  }

  retryRequest(options: RetryOptions = {}): Bytes {
    const usual: [number, Bytes][] = [[Extension.SupportedVersions, u16(options.version ?? 0x0304)]]
    if (options.group !== undefined) usual.push([Extension.KeyShare, u16(options.group)])
    if (options.cookie !== undefined) usual.push([Extension.Cookie, vector(2, options.cookie)])
    return this.helloMessage(options, RETRY_RANDOM, usual)
  }

  private helloMessage(options: ServerHelloOptions, random: Bytes, usual: [number, Bytes][]): Bytes {
    const kept = usual.filter(([type]) => !options.without?.includes(type)).map(([type, data]) => extension(type, data))
    const suite = options.suite ?? this.suite
    return message(
      Message.ServerHello,
      u16(options.legacyVersion ?? 0x0303),
      random,
      vector(1, options.echo ?? this.sessionId),
      u16(suite),
      u8(options.compression ?? 0),
      options.extensions ?? vector(2, ...(options.before ?? []), ...kept, ...(options.after ?? [])),
    )
  }

  /** Counts a message of ours as sent. */
  sent(bytes: Bytes): Bytes {
    this.transcript.push(bytes)
    if (bytes[0] === Message.Finished) this.deriveApplicationSecrets()
    return bytes
  }

  /** The record of a HelloRetryRequest, counted as sent. */
  sendRetry(options: RetryOptions = { group: Group.P256 }): Bytes {
    this.suite = options.suite ?? this.suite
    this.transcript = [concat(Uint8Array.of(254, 0, 0, this.hashLength), this.transcriptHash())]
    return record(Type.Handshake, this.sent(this.retryRequest(options)))
  }

  /** The record of a ServerHello, counted as sent; from then on the handshake keys write and read. */
  sendServerHello(options: ServerHelloOptions = {}): Bytes {
    this.suite = options.suite ?? this.suite
    const hello = this.sent(this.serverHello(options))
    this.startHandshakeKeys()
    return record(Type.Handshake, hello)
  }

  encryptedExtensions(...extensions: Bytes[]): Bytes {
    return message(8, vector(2, ...extensions))
  }

  /** The answer to application_layer_protocol_negotiation. */
  protocols(...names: string[]): Bytes {
    return extension(Extension.Alpn, vector(2, ...names.map((name) => vector(1, Buffer.from(name)))))
  }

  certificate(...entries: Bytes[]): Bytes {
    const list = entries.length === 0 ? this.certificates.map((der) => this.entry(der)) : entries
    return message(Message.Certificate, vector(1), vector(3, ...list))
  }

  entry(der: Bytes, ...extensions: Bytes[]): Bytes {
    return concat(vector(3, der), vector(2, ...extensions))
  }

  certificateVerify(
    scheme = this.key.asymmetricKeyType === 'rsa' ? 0x0804 : 0x0403,
    context = 'TLS 1.3, server CertificateVerify',
    transcript = this.transcriptHash(),
  ): Bytes {
    const signed = concat(new Uint8Array(64).fill(32), Buffer.from(`${context}\0`), transcript)
    const { key } = this
    const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    const signature = sign('sha256', signed, key.asymmetricKeyType === 'rsa' ? pss : key)
    return message(Message.CertificateVerify, u16(scheme), vector(2, signature))
  }

  certificateRequest(context: Bytes = new Uint8Array(), ...extensions: Bytes[]): Bytes {
    const list =
      extensions.length === 0 ? [extension(Extension.SignatureAlgorithms, vector(2, u16(0x0403)))] : extensions
    return message(13, vector(1, context), vector(2, ...list))
  }

  finished(): Bytes {
    return message(Message.Finished, this.verifyData('s hs'))
  }

  /** The application's keys write from now on. */
  startApplicationKeys(): void {
    this.writing = this.keys(this.secrets['s ap']!)
  }

  /** The messages from EncryptedExtensions to Finished, counted as sent. */
  flight(...before: Bytes[]): Bytes[] {
    const messages: Bytes[] = []
    const say = (bytes: Bytes) => messages.push(this.sent(bytes))
    say(this.encryptedExtensions(this.protocols(ALPN)))
    for (const bytes of before) say(bytes)
    say(this.certificate())
    say(this.certificateVerify())
    say(this.finished())
    return messages
  }

  /** The whole flight, a record for each message; from then on the application's keys write. */
  sendFlight(...before: Bytes[]): Bytes {
    const records = this.flight(...before).map((bytes) => this.protect(Type.Handshake, bytes))
    this.startApplicationKeys()
    return concat(...records)
  }

  updateWrite(): void {
    this.writing = this.nextKeys('s ap')
  }

  // What comes in ------------------------------------------------------------------------------------------------

  protected readMessage(bytes: Bytes): void {
    switch (bytes[0]) {
      case Message.ClientHello:
        this.readHello(bytes)
        break
      case Message.Certificate:
        this.certificateRead = bytes
        break
      case Message.Finished:
        if (Buffer.compare(this.verifyData('c hs'), bytes.subarray(4)) !== 0)
          throw new Error("the client's Finished is wrong")
        this.finishedRead = true
        this.reading = this.keys(this.secrets['c ap']!)
        break
      case Message.KeyUpdate:
        this.reading = this.nextKeys('c ap')
        return
      default:
        throw new Error(`message ${bytes[0]} from the client`)
    }
    this.transcript.push(bytes)
  }

  private readHello(bytes: Bytes): void {
    this.hellos.push(bytes)
    this.clientRandom = bytes.slice(6, 38)
    const suitesAt = 39 + bytes[38]!
    this.sessionId = bytes.slice(39, suitesAt)
    const count = (bytes[suitesAt]! << 8) | bytes[suitesAt + 1]!
    this.suites = []
    for (let at = suitesAt + 2; at < suitesAt + 2 + count; at += 2) this.suites.push((bytes[at]! << 8) | bytes[at + 1]!)
    this.extensions = new Map()
    let at = suitesAt + 2 + count + 2
    for (at += 2; at < bytes.length; ) {
      const length = (bytes[at + 2]! << 8) | bytes[at + 3]!
      this.extensions.set((bytes[at]! << 8) | bytes[at + 1]!, bytes.slice(at + 4, at + 4 + length))
      at += 4 + length
    }
  }

  /** The group of the client's one share. */
  get sharedGroup(): number {
    const share = this.extensions.get(Extension.KeyShare)!
    return (share[2]! << 8) | share[3]!
  }

  private startHandshakeKeys(): void {
    const peer = this.extensions.get(Extension.KeyShare)!.subarray(6)
    this.deriveHandshakeSecrets(this.sharedSecret(this.sharedGroup, peer))
    this.reading = this.keys(this.secrets['c hs']!)
    this.writing = this.keys(this.secrets['s hs']!)
  }
}
