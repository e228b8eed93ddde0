// NTPv4 packets (RFC 5905, section 7.3) with extension fields (RFC 7822) and NTS's authenticator (RFC 8915, section 5.6).

import { aeadOpen, algorithm } from './aead'

/** Extension field types (RFC 8915, section 7.8). */
export enum FieldType {
  UniqueIdentifier = 0x0104,
  Cookie = 0x0204,
  CookiePlaceholder = 0x0304,
  Authenticator = 0x0404,
}

export const NTP_HEADER = 48

/** 1970 minus 1900, in seconds. */
const NTP_UNIX_OFFSET = 2_208_988_800n

/** Nanoseconds since 1970. */
export type Nanos = bigint

/** The fixed part of a reply. */
export interface NtpHeader {
  leap: number
  version: number
  mode: number
  stratum: number
  poll: number
  /** log2 seconds */
  precision: number
  /** seconds */
  rootDelay: number
  /** seconds */
  rootDispersion: number
  /** The four bytes as they came. */
  referenceId: Uint8Array
  reference: bigint
  origin: bigint
  receive: bigint
  transmit: bigint
}

export interface Field {
  type: number
  body: Uint8Array
  /** Where the field begins in the packet: the end of what is associated data when it is the authenticator. */
  offset: number
}

/**
 * A client's request: version 4, mode 3, all else zero but the transmit timestamp (a random number here), and for interleaved
 * mode (RFC 9769) the server's receive timestamp of before and a number of the client's own.
 */
export function encodeHeader(transmit: bigint, origin = 0n, receive = 0n): Uint8Array {
  const header = Buffer.alloc(NTP_HEADER)
  header[0] = (4 << 3) | 3
  header.writeBigUInt64BE(origin, 24)
  header.writeBigUInt64BE(receive, 32)
  header.writeBigUInt64BE(transmit, 40)
  return header
}

export function decodeHeader(packet: Uint8Array): NtpHeader | undefined {
  if (packet.length < NTP_HEADER) return undefined
  const view = Buffer.from(packet.buffer, packet.byteOffset, packet.length)
  const first = view[0]!
  return {
    leap: first >> 6,
    version: (first >> 3) & 7,
    mode: first & 7,
    stratum: view[1]!,
    poll: view.readInt8(2),
    precision: view.readInt8(3),
    rootDelay: view.readUInt32BE(4) / 65_536,
    rootDispersion: view.readUInt32BE(8) / 65_536,
    referenceId: packet.slice(12, 16),
    reference: view.readBigUInt64BE(16),
    origin: view.readBigUInt64BE(24),
    receive: view.readBigUInt64BE(32),
    transmit: view.readBigUInt64BE(40),
  }
}

/** An NTP timestamp as nanoseconds since 1970, in the era that is nearest to `pivot`. */
export function nanosFromTimestamp(timestamp: bigint, pivot: Nanos): Nanos {
  const seconds = (timestamp >> 32n) - NTP_UNIX_OFFSET
  const nanos = ((timestamp & 0xffff_ffffn) * 1_000_000_000n + (1n << 31n)) >> 32n
  const era = (pivot / 1_000_000_000n - seconds + (1n << 31n)) >> 32n
  return (seconds + (era << 32n)) * 1_000_000_000n + nanos
}

/** Reference ID as people write it: four letters at stratum 0 and 1, else an address (RFC 5905, section 7.3). */
export function formatReferenceId(header: NtpHeader): string {
  const { referenceId, stratum } = header
  const text = Buffer.from(referenceId).toString('latin1').replace(/\0+$/, '')
  if (stratum <= 1 || stratum >= 16)
    return /^[\x21-\x7e]*$/.test(text) ? text || '-' : Buffer.from(referenceId).toString('hex')
  return referenceId.join('.')
}

const padded = (length: number): number => (length + 3) & ~3

/** `type u16 | length u16, header included | body`, padded with zeros to a word. */
export function encodeField(type: number, body: Uint8Array): Uint8Array {
  const field = Buffer.alloc(4 + padded(body.length))
  field.writeUInt16BE(type, 0)
  field.writeUInt16BE(field.length, 2)
  field.set(body, 4)
  return field
}

/** The extension fields from `start` on; undefined when they do not fill the packet exactly. */
export function decodeFields(packet: Uint8Array, start: number): Field[] | undefined {
  const view = Buffer.from(packet.buffer, packet.byteOffset, packet.length)
  const fields: Field[] = []
  let at = start
  while (at < view.length) {
    const length = at + 4 <= view.length ? view.readUInt16BE(at + 2) : 0
    if (length < 4 || length % 4 !== 0 || at + length > view.length) return undefined
    fields.push({ type: view.readUInt16BE(at), body: packet.subarray(at + 4, at + length), offset: at })
    at += length
  }
  return fields
}

/** `packet` with the authenticator field over all of it; `plaintext` holds the fields to encrypt. */
export function seal(
  aead: number,
  key: Uint8Array,
  nonce: Uint8Array,
  packet: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const ciphertext = algorithm(aead).seal(key, nonce, packet, plaintext)
  const nonceRoom = padded(nonce.length)
  const body = Buffer.alloc(4 + nonceRoom + padded(ciphertext.length))
  body.writeUInt16BE(nonce.length, 0)
  body.writeUInt16BE(ciphertext.length, 2)
  body.set(nonce, 4)
  body.set(ciphertext, 4 + nonceRoom)
  return Buffer.concat([packet, encodeField(FieldType.Authenticator, body)])
}

/** The plaintext of an authenticator field, or undefined when it is malformed or does not verify. */
export function unseal(aead: number, key: Uint8Array, packet: Uint8Array, field: Field): Uint8Array | undefined {
  const { body, offset } = field
  if (body.length < 4) return undefined
  const nonceLength = body[0]! * 256 + body[1]!
  const ciphertextLength = body[2]! * 256 + body[3]!
  const begin = 4 + padded(nonceLength)
  if (begin + padded(ciphertextLength) > body.length) return undefined
  const nonce = body.subarray(4, 4 + nonceLength)
  return aeadOpen(aead, key, nonce, packet.subarray(0, offset), body.subarray(begin, begin + ciphertextLength))
}
