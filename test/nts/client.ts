// An NTS client for the tests, written from RFC 8915 and RFC 5297/8452 over @noble/ciphers: a second opinion on the
// firmware, with which it shares no code. It can also say wrong things, on purpose.

import { aessiv, gcmsiv } from '@noble/ciphers/aes.js'

export const SIV = 15
export const GCM_SIV = 30

export const UNIQUE_IDENTIFIER = 0x0104
export const COOKIE = 0x0204
export const PLACEHOLDER = 0x0304
export const AUTHENTICATOR = 0x0404

/** What a client holds after key establishment. */
export interface Association {
  aead: number
  c2s: Uint8Array
  s2c: Uint8Array
}

// Bytes.

export function concat(...parts: ArrayLike<number>[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export function u16(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(2 * values.length)
  values.forEach((value, i) => {
    bytes.set([value >> 8, value & 0xff], 2 * i)
  })
  return bytes
}

export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** A small generator (xorshift32), so that every test is the same in every run. */
export function random(seed: number): { u32(): number; below(n: number): number; bytes(n: number): Uint8Array } {
  let state = seed | 1
  const u32 = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  return {
    u32,
    below: (n) => u32() % n,
    bytes: (n) => new Uint8Array(n).map(() => u32() >>> 24),
  }
}

// AEAD.

export function seal(aead: number, key: Uint8Array, ad: Uint8Array, nonce: Uint8Array, text: Uint8Array): Uint8Array {
  return aead === SIV ? aessiv(key, ad, nonce).encrypt(text) : gcmsiv(key, nonce, ad).encrypt(text)
}

/** Throws when the text is not authentic. */
export function open(aead: number, key: Uint8Array, ad: Uint8Array, nonce: Uint8Array, text: Uint8Array): Uint8Array {
  return aead === SIV ? aessiv(key, ad, nonce).decrypt(text) : gcmsiv(key, nonce, ad).decrypt(text)
}

// NTP.

export interface Header {
  /** Origin, receive and transmit timestamp, 24 bytes, instead of `transmit` alone. */
  stamps?: Uint8Array
  version?: number
  mode?: number
  leap?: number
  poll?: number
  transmit?: Uint8Array
}

export const TRANSMIT: Uint8Array = Uint8Array.from([0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8])

/** A client's header; all that a client need not tell is zero. */
export function header({
  version = 4,
  mode = 3,
  leap = 0,
  poll = 6,
  transmit = TRANSMIT,
  stamps,
}: Header = {}): Uint8Array {
  const packet = new Uint8Array(48)
  packet[0] = (leap << 6) | (version << 3) | mode
  packet[2] = poll
  packet.set(transmit, 40)
  if (stamps) packet.set(stamps, 24)
  return packet
}

/** An extension field, with its true length. */
export function field(type: number, body: Uint8Array): Uint8Array {
  return concat(u16(type, 4 + body.length), body)
}

export interface Field {
  type: number
  body: Uint8Array
  /** Offset of the field. */
  at: number
}

/** The extension fields from `at` on; throws when they do not fill `bytes` exactly. */
export function fields(bytes: Uint8Array, at: number): Field[] {
  const found: Field[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  while (at < bytes.length) {
    const length = view.getUint16(at + 2)
    if (length < 4 || length % 4 || at + length > bytes.length) throw new Error(`bad field at ${at}`)
    found.push({ type: view.getUint16(at), body: bytes.slice(at + 4, at + length), at })
    at += length
  }
  return found
}

function padded(bytes: Uint8Array): Uint8Array {
  return concat(bytes, new Uint8Array((4 - (bytes.length % 4)) % 4))
}

export interface AuthenticatorOptions {
  /** Fields to encrypt. */
  encrypted?: Uint8Array
  nonce?: Uint8Array
  /** Bytes after the padded ciphertext; by default what RFC 8915 section 5.6 asks for. */
  additionalPadding?: number
  nonceLength?: number
  ciphertextLength?: number
}

/** The authenticator field over all of `packet`. */
export function authenticator(
  association: Association,
  key: Uint8Array,
  packet: Uint8Array,
  options: AuthenticatorOptions = {},
): Uint8Array {
  const required = association.aead === SIV ? 16 : 12
  const { encrypted = new Uint8Array(), nonce = Uint8Array.from({ length: required }, (_, i) => 0x60 + i) } = options
  const sealed = seal(association.aead, key, packet, nonce, encrypted)
  const missing = Math.max(0, required - padded(nonce).length)
  return field(
    AUTHENTICATOR,
    concat(
      u16(options.nonceLength ?? nonce.length, options.ciphertextLength ?? sealed.length),
      padded(nonce),
      padded(sealed),
      new Uint8Array(options.additionalPadding ?? missing),
    ),
  )
}

export interface RequestOptions extends AuthenticatorOptions, Header {
  uniqueIdentifier?: Uint8Array
  placeholders?: number
  /** Fields between the header and the authenticator, instead of identifier, cookie and placeholders. */
  plain?: Uint8Array
  /** Bytes after the authenticator. */
  after?: Uint8Array
}

export const UID: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => 0xc0 + i)

/** A request as RFC 8915 section 5.7 has it, or as the options spoil it. */
export function request(association: Association, cookie: Uint8Array, options: RequestOptions = {}): Uint8Array {
  const placeholder = field(PLACEHOLDER, new Uint8Array(cookie.length))
  const plain =
    options.plain ??
    concat(
      field(UNIQUE_IDENTIFIER, options.uniqueIdentifier ?? UID),
      field(COOKIE, cookie),
      ...Array.from({ length: options.placeholders ?? 0 }, () => placeholder),
    )
  const packet = concat(header(options), plain)
  const proof = authenticator(association, association.c2s, packet, options)
  return concat(packet, proof, options.after ?? [])
}

export interface Reply {
  leap: number
  version: number
  mode: number
  stratum: number
  poll: number
  precision: number
  rootDelay: number
  rootDispersion: number
  referenceId: number
  reference: bigint
  origin: bigint
  receive: bigint
  transmit: bigint
  fields: Field[]
}

export function parseReply(packet: Uint8Array): Reply {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
  const first = view.getUint8(0)
  return {
    leap: first >> 6,
    version: (first >> 3) & 7,
    mode: first & 7,
    stratum: view.getUint8(1),
    poll: view.getInt8(2),
    precision: view.getInt8(3),
    rootDelay: view.getUint32(4),
    rootDispersion: view.getUint32(8),
    referenceId: view.getUint32(12),
    reference: view.getBigUint64(16),
    origin: view.getBigUint64(24),
    receive: view.getBigUint64(32),
    transmit: view.getBigUint64(40),
    fields: fields(packet, 48),
  }
}

/**
 * The cookies of an authentic reply. Throws unless it holds exactly the identifier and one authenticator, in this
 * order, and nothing but cookies inside.
 */
export function openReply(
  association: Association,
  reply: Uint8Array,
  uniqueIdentifier: Uint8Array = UID,
): Uint8Array[] {
  const [identifier, proof, ...more] = fields(reply, 48)
  if (identifier?.type !== UNIQUE_IDENTIFIER || hex(identifier.body) !== hex(uniqueIdentifier)) {
    throw new Error('not the identifier that was sent')
  }
  if (proof?.type !== AUTHENTICATOR || more.length) throw new Error('not one authenticator at the end')
  const view = new DataView(proof.body.buffer)
  const nonceLength = view.getUint16(0)
  const start = 4 + Math.ceil(nonceLength / 4) * 4
  const sealed = proof.body.slice(start, start + view.getUint16(2))
  const nonce = proof.body.slice(4, 4 + nonceLength)
  const text = open(association.aead, association.s2c, reply.slice(0, proof.at), nonce, sealed)
  return fields(text, 0).map(({ type, body }) => {
    if (type !== COOKIE) throw new Error(`field ${type} within the authenticator`)
    return body
  })
}

// NTS-KE.

export interface Record {
  type: number
  critical: boolean
  body: Uint8Array
}

export function record(type: number, critical: boolean, body: ArrayLike<number> = []): Uint8Array {
  return concat(u16(type | (critical ? 0x8000 : 0), body.length), body)
}

export const END = record(0, true)

/** The records of a whole message; throws when they do not fill it. */
export function records(bytes: Uint8Array): Record[] {
  const found: Record[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint16(at + 2)
    if (at + 4 + length > bytes.length) throw new Error(`bad record at ${at}`)
    const type = view.getUint16(at)
    found.push({ type: type & 0x7fff, critical: type > 0x7fff, body: bytes.slice(at + 4, at + 4 + length) })
    at += 4 + length
  }
  return found
}
