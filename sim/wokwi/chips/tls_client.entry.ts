// A small TLS 1.3 client (RFC 8446) for the scripted LAN: TLS_AES_128_GCM_SHA256, X25519, ECDSA with P-256, ALPN "ntske/1".
//
// In: bytes of the server. Out: bytes for it, application data, exported keys. It checks what a client can without knowing
// the authority: the server's signature over the transcript by the key of its certificate, and its Finished. It does NOT
// check the certificate's chain, names or dates. Its random bytes are fixed: it is a test's peer, not a client for use.
//
// The primitives are the firmware's own (firmware/crypto): this client finds faults of the handshake, not of the primitives.

import { AEAD_CONTEXT_SIZE, AEAD_TAG, Aead, aeadInit, aeadOpen, aeadSeal } from '../../../firmware/crypto/aead'
import { ecdsaSignatureFromDer } from '../../../firmware/crypto/ecdsa_der'
import {
  ECDSA_P256_SIZE,
  ecdsaVerifyFinish,
  ecdsaVerifyStart,
  ecdsaVerifyStep,
} from '../../../firmware/crypto/ecdsa_p256'
import { HASH_CONTEXT_SIZE, Hash, hash, hashFinal, hashInit, hashUpdate } from '../../../firmware/crypto/hash'
import { hkdfExpand, hkdfExtract } from '../../../firmware/crypto/hkdf'
import { hmac } from '../../../firmware/crypto/hmac'
import { X25519_SIZE, x25519Finish, x25519Start, x25519Step } from '../../../firmware/crypto/x25519'

export const enum TlsStage {
  ServerHello = 0,
  Flight = 1,
  Open = 2,
  Closed = 3,
  Failed = 4,
}

const DIGEST: i32 = 32
const BUFFER: i32 = 8192
const RECORD_HEADER: i32 = 5
const CHANGE_CIPHER_SPEC: i32 = 20
const ALERT: i32 = 21
const HANDSHAKE: i32 = 22
const APPLICATION_DATA: i32 = 23
const SERVER_HELLO: i32 = 2
const ENCRYPTED_EXTENSIONS: i32 = 8
const CERTIFICATE: i32 = 11
const CERTIFICATE_VERIFY: i32 = 15
const FINISHED: i32 = 20
const ECDSA_SECP256R1_SHA256: i32 = 0x0403

function room(size: i32): usize {
  return changetype<usize>(new StaticArray<u64>((size + 7) / 8))
}

/** Bytes that grow at the end. */
export class Bytes {
  at: usize = room(BUFFER)
  length: i32 = 0

  u8(value: i32): void {
    if (this.length < BUFFER) store<u8>(this.at + this.length++, <u8>value)
  }

  u16(value: i32): void {
    this.u8(value >> 8)
    this.u8(value)
  }

  text(literal: string): void {
    for (let i = 0; i < literal.length; i++) this.u8(literal.charCodeAt(i))
  }

  copy(from: usize, length: i32): void {
    if (length < 0 || this.length + length > BUFFER) return
    memory.copy(this.at + this.length, from, length)
    this.length += length
  }

  drop(count: i32): void {
    memory.copy(this.at, this.at + count, this.length - count)
    this.length -= count
  }

  /** Writes the length of what follows the two bytes at `mark`. */
  close16(mark: i32): void {
    const length = this.length - mark - 2
    store<u8>(this.at + mark, <u8>(length >> 8))
    store<u8>(this.at + mark + 1, <u8>length)
  }
}

export function load16(at: usize): i32 {
  return ((<i32>load<u8>(at)) << 8) | <i32>load<u8>(at + 1)
}

/** One direction's record protection. */
class Protection {
  on: bool = false
  context: usize = room(AEAD_CONTEXT_SIZE)
  iv: usize = room(12)
  nonce: usize = room(12)
  sequence: u64 = 0

  install(secret: usize): void {
    const key = room(16)
    expandLabel(secret, 'key', 0, 0, key, 16)
    expandLabel(secret, 'iv', 0, 0, this.iv, 12)
    aeadInit(Aead.Aes128Gcm, this.context, key)
    this.sequence = 0
    this.on = true
  }

  /** The nonce of the next record (section 5.3). */
  next(): usize {
    memory.copy(this.nonce, this.iv, 12)
    for (let i = 0; i < 8; i++) {
      const at = this.nonce + 11 - i
      store<u8>(at, load<u8>(at) ^ <u8>(this.sequence >> (8 * i)))
    }
    this.sequence++
    return this.nonce
  }
}

export class TlsClient {
  stage: TlsStage = TlsStage.ServerHello
  /** For the server. */
  out: Bytes = new Bytes()
  /** Decrypted application data. */
  data: Bytes = new Bytes()
  /** What went wrong, for a person. */
  fault: string = ''
  private input: Bytes = new Bytes()
  private messages: Bytes = new Bytes()
  private scratch: Bytes = new Bytes()
  private transcript: usize = room(HASH_CONTEXT_SIZE)
  private privateKey: usize = room(32)
  private point: usize = room(72)
  private hasPoint: bool = false
  private verified: bool = false
  private handshakeSecret: usize = room(DIGEST)
  private clientSecret: usize = room(DIGEST)
  private serverSecret: usize = room(DIGEST)
  private exporterSecret: usize = room(DIGEST)
  private read: Protection = new Protection()
  private write: Protection = new Protection()

  /** Begins a new connection: the ClientHello is in `out`. */
  start(): void {
    this.stage = TlsStage.ServerHello
    for (let i: usize = 0; i < 32; i++) store<u8>(this.privateKey + i, <u8>(i * 7 + 1))
    this.read.on = false
    this.write.on = false
    this.out.length = 0
    this.data.length = 0
    this.input.length = 0
    this.messages.length = 0
    this.hasPoint = false
    this.verified = false
    hashInit(Hash.Sha256, this.transcript)
    this.clientHello()
  }

  /** Takes bytes of the server. */
  receive(from: usize, length: i32): void {
    if (this.failed()) return
    this.input.copy(from, length)
    while (this.input.length >= RECORD_HEADER && !this.failed()) {
      const size = load16(this.input.at + 3)
      if (this.input.length < RECORD_HEADER + size) return
      this.record(<i32>load<u8>(this.input.at), size)
      this.input.drop(RECORD_HEADER + size)
    }
  }

  /** Application data for the server. */
  send(from: usize, length: i32): void {
    this.seal(APPLICATION_DATA, from, length)
  }

  /** Exported key material (section 7.5); label and context as NTS has them. */
  export(label: string, context: usize, contextLength: i32, to: usize, length: i32): void {
    const secret = room(DIGEST)
    const digest = room(DIGEST)
    hash(Hash.Sha256, 0, 0, digest)
    expandLabel(this.exporterSecret, label, digest, DIGEST, secret, DIGEST)
    hash(Hash.Sha256, context, contextLength, digest)
    expandLabel(secret, 'exporter', digest, DIGEST, to, length)
  }

  // ---- Records.

  private record(type: i32, size: i32): void {
    const body = this.input.at + RECORD_HEADER
    if (type === CHANGE_CIPHER_SPEC) return
    if (!this.read.on) {
      this.content(type, body, size)
      return
    }
    const length = size - AEAD_TAG
    const nonce = this.read.next()
    if (type !== APPLICATION_DATA || length < 1) this.fail('a record in the clear')
    else if (!aeadOpen(this.read.context, nonce, this.input.at, RECORD_HEADER, body, size, body))
      this.fail('a bad record')
    else {
      let end = length - 1
      while (end > 0 && load<u8>(body + end) === 0) end--
      this.content(<i32>load<u8>(body + end), body, end)
    }
  }

  private content(type: i32, body: usize, length: i32): void {
    if (type === HANDSHAKE) this.handshake(body, length)
    else if (type === APPLICATION_DATA && this.stage === TlsStage.Open) this.data.copy(body, length)
    else if (type === ALERT && length === 2 && load<u8>(body + 1) === 0) this.stage = TlsStage.Closed
    else this.fail(type === ALERT ? 'an alert' : 'a record of another kind')
  }

  private seal(type: i32, from: usize, length: i32): void {
    const out = this.out
    const header = out.at + out.length
    const sealed = length + 1 + <i32>AEAD_TAG
    out.u8(APPLICATION_DATA)
    out.u16(0x0303)
    out.u16(sealed)
    const body = out.at + out.length
    out.copy(from, length)
    out.u8(type)
    aeadSeal(this.write.context, this.write.next(), header, RECORD_HEADER, body, length + 1, body)
    out.length += <i32>AEAD_TAG
  }

  // ---- Handshake messages.

  private clientHello(): void {
    const out = this.out
    out.u8(HANDSHAKE)
    out.u16(0x0301)
    out.u16(0)
    const begin = out.length
    out.u8(1)
    out.u8(0)
    const message = out.length
    out.u16(0)
    out.u16(0x0303)
    for (let i = 0; i < 32; i++) out.u8(0xa0 + i)
    out.u8(0)
    out.u16(2)
    out.u16(0x1301)
    out.u16(0x0100)
    const extensions = out.length
    out.u16(0)
    this.extensions(out)
    out.close16(extensions)
    out.close16(message)
    out.close16(begin - 2)
    hashUpdate(this.transcript, out.at + begin, out.length - begin)
  }

  private extensions(out: Bytes): void {
    // server_name
    out.u16(0)
    out.u16(19)
    out.u16(17)
    out.u8(0)
    out.u16(14)
    out.text('noonmark.local')
    // supported_groups: x25519
    out.u16(10)
    out.u16(4)
    out.u16(2)
    out.u16(0x001d)
    // signature_algorithms
    out.u16(13)
    out.u16(4)
    out.u16(2)
    out.u16(ECDSA_SECP256R1_SHA256)
    // application_layer_protocol_negotiation
    out.u16(16)
    out.u16(10)
    out.u16(8)
    out.u8(7)
    out.text('ntske/1')
    // supported_versions
    out.u16(43)
    out.u16(3)
    out.u8(2)
    out.u16(0x0304)
    // key_share
    out.u16(51)
    out.u16(38)
    out.u16(36)
    out.u16(0x001d)
    out.u16(32)
    multiply(this.privateKey, 0, out.at + out.length)
    out.length += 32
  }

  private handshake(body: usize, length: i32): void {
    this.messages.copy(body, length)
    while (this.messages.length >= 4 && !this.failed()) {
      const at = this.messages.at
      const size = 4 + load16(at + 2)
      if (load<u8>(at + 1) !== 0 || size > BUFFER) this.fail('a message that is too long')
      if (this.messages.length < size || this.failed()) return
      this.message(<i32>load<u8>(at), at, size)
      this.messages.drop(size)
    }
  }

  private message(type: i32, at: usize, size: i32): void {
    if (this.stage === TlsStage.ServerHello) {
      hashUpdate(this.transcript, at, size)
      if (type === SERVER_HELLO) this.serverHello(at + 4, size - 4)
      else this.fail('no ServerHello')
      return
    }
    if (this.stage !== TlsStage.Flight) return
    if (type === CERTIFICATE) this.certificate(at + 4, size - 4)
    else if (type === CERTIFICATE_VERIFY) this.certificateVerify(at + 4, size - 4)
    else if (type === FINISHED) this.finished(at + 4, size - 4)
    else if (type !== ENCRYPTED_EXTENSIONS) this.fail('an unexpected message')
    if (type !== FINISHED) hashUpdate(this.transcript, at, size)
  }

  /** Version, random, session id (empty), suite, compression, extensions. */
  private serverHello(p: usize, length: i32): void {
    const share =
      length > 44 && load<u8>(p + 34) === 0 && load16(p + 35) === 0x1301 ? findShare(p + 40, length - 40) : 0
    if (share === 0) {
      this.fail('a ServerHello that was not asked for')
      return
    }
    const secret = room(DIGEST)
    const zero = room(DIGEST)
    if (!multiply(this.privateKey, share, secret)) this.fail('a weak key share')
    const early = room(DIGEST)
    hkdfExtract(Hash.Sha256, zero, DIGEST, zero, DIGEST, early)
    extractNext(early, secret, this.handshakeSecret)
    const digest = this.digest()
    expandLabel(this.handshakeSecret, 'c hs traffic', digest, DIGEST, this.clientSecret, DIGEST)
    expandLabel(this.handshakeSecret, 's hs traffic', digest, DIGEST, this.serverSecret, DIGEST)
    this.read.install(this.serverSecret)
    this.write.install(this.clientSecret)
    this.stage = TlsStage.Flight
  }

  /** Takes the public key of the first certificate: a P-256 key's SubjectPublicKeyInfo ends with its point. */
  private certificate(p: usize, length: i32): void {
    for (let i = 0; i + 77 <= length && !this.hasPoint; i++) {
      // prime256v1, then BIT STRING of 66 bytes, no unused bits, uncompressed.
      if (load16(p + i) !== 0x0301 || load16(p + i + 2) !== 0x0703 || load16(p + i + 4) !== 0x4200) continue
      if (load<u8>(p + i + 6) !== 4) continue
      memory.copy(this.point, p + i + 6, 65)
      this.hasPoint = true
    }
    if (!this.hasPoint) this.fail('a certificate without a P-256 key')
  }

  private certificateVerify(p: usize, length: i32): void {
    const content = this.scratch
    content.length = 0
    for (let i = 0; i < 64; i++) content.u8(0x20)
    content.text('TLS 1.3, server CertificateVerify')
    content.u8(0)
    content.copy(this.digest(), DIGEST)
    const digest = room(DIGEST)
    hash(Hash.Sha256, content.at, content.length, digest)
    const signature = room(64)
    const state = room(<i32>ECDSA_P256_SIZE)
    const good =
      this.hasPoint &&
      length > 4 &&
      load16(p) === ECDSA_SECP256R1_SHA256 &&
      ecdsaSignatureFromDer(p + 4, load16(p + 2), signature) &&
      ecdsaVerifyStart(state, this.point, digest, DIGEST, signature)
    if (good) while (!ecdsaVerifyStep(state));
    this.verified = good && ecdsaVerifyFinish(state)
    if (!this.verified) this.fail('a wrong signature over the handshake')
  }

  private finished(p: usize, length: i32): void {
    const expected = room(DIGEST)
    finishedMac(this.serverSecret, this.digest(), expected)
    if (!this.verified || length !== DIGEST || memory.compare(p, expected, DIGEST) !== 0) {
      this.fail('a wrong Finished')
      return
    }
    hashUpdate(this.transcript, p - 4, length + 4)
    const digest = this.digest()
    const master = room(DIGEST)
    const zero = room(DIGEST)
    extractNext(this.handshakeSecret, zero, master)
    const mac = room(DIGEST + 4)
    store<u32>(mac, 0x2000_0014)
    finishedMac(this.clientSecret, digest, mac + 4)
    this.seal(HANDSHAKE, mac, DIGEST + 4)
    expandLabel(master, 'c ap traffic', digest, DIGEST, this.clientSecret, DIGEST)
    expandLabel(master, 's ap traffic', digest, DIGEST, this.serverSecret, DIGEST)
    expandLabel(master, 'exp master', digest, DIGEST, this.exporterSecret, DIGEST)
    this.read.install(this.serverSecret)
    this.write.install(this.clientSecret)
    this.stage = TlsStage.Open
  }

  private digest(): usize {
    const copy = room(HASH_CONTEXT_SIZE)
    const digest = room(DIGEST)
    memory.copy(copy, this.transcript, HASH_CONTEXT_SIZE)
    hashFinal(copy, digest)
    return digest
  }

  private failed(): bool {
    return this.stage === TlsStage.Failed
  }

  private fail(fault: string): void {
    this.stage = TlsStage.Failed
    this.fault = fault
  }
}

/** X25519; `point` 0 is the base point. False when the result is zero. */
function multiply(scalar: usize, point: usize, out: usize): bool {
  const state = room(<i32>X25519_SIZE)
  x25519Start(state, scalar, point)
  while (!x25519Step(state));
  return x25519Finish(state, out)
}

/** Where the X25519 share is in the extensions; 0: nowhere. */
function findShare(p: usize, length: i32): usize {
  for (let at = 0; at + 4 <= length; at += 4 + load16(p + at + 2)) {
    const found = load16(p + at) === 51 && load16(p + at + 4) === 0x001d && load16(p + at + 6) === 32
    if (found && at + 40 <= length) return p + at + 8
  }
  return 0
}

/** HKDF-Extract with the "derived" secret of the one before as salt (section 7.1). */
function extractNext(before: usize, input: usize, out: usize): void {
  const digest = room(DIGEST)
  const derived = room(DIGEST)
  hash(Hash.Sha256, 0, 0, digest)
  expandLabel(before, 'derived', digest, DIGEST, derived, DIGEST)
  hkdfExtract(Hash.Sha256, derived, DIGEST, input, DIGEST, out)
}

function finishedMac(secret: usize, digest: usize, out: usize): void {
  const key = room(DIGEST)
  expandLabel(secret, 'finished', 0, 0, key, DIGEST)
  hmac(Hash.Sha256, key, DIGEST, digest, DIGEST, out)
}

const INFO: usize = memory.data(128, 8)

/** HKDF-Expand-Label (section 7.1). */
function expandLabel(secret: usize, label: string, context: usize, contextLength: i32, out: usize, length: i32): void {
  let end: usize = INFO
  store<u8>(end++, <u8>(length >> 8))
  store<u8>(end++, <u8>length)
  store<u8>(end++, <u8>(6 + label.length))
  end = ascii(end, 'tls13 ')
  end = ascii(end, label)
  store<u8>(end++, <u8>contextLength)
  memory.copy(end, context, contextLength)
  hkdfExpand(Hash.Sha256, secret, DIGEST, INFO, <u32>(end + contextLength - INFO), out, length)
}

function ascii(at: usize, literal: string): usize {
  for (let i = 0; i < literal.length; i++) store<u8>(at + i, <u8>literal.charCodeAt(i))
  return at + literal.length
}
