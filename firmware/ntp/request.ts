// Reads a request in place: is it one that this server answers, and where in it lies what?
//
// In: a datagram. Out: `NtpRequest`, or the reason to drop it as an `NtpCount`. Nothing is decrypted here; after this
// file every offset in the `NtpRequest` lies inside the datagram. RFC 5905 section 7.3, RFC 7822, RFC 8915 section 5.
//
// Extension field or MAC (RFC 7822, 7.5.1): a field that ends the packet has at least 28 bytes, a MAC at most 24, so
// fewer than 28 bytes left are a MAC (20 or 24, or the 4 of a crypto-NAK) or rubbish. Either is dropped.

import { NtpCount } from './counters'
import {
  FIELD_HEADER_LENGTH,
  FIELD_MIN,
  FieldType,
  fieldBody,
  fieldLength,
  fieldType,
  LAST_FIELD_MIN,
  UNIQUE_IDENTIFIER_MIN,
} from './extension_field'
import { NTP_HEADER_LENGTH, NTP_PACKET_MAX, NtpMode, ntpMode, ntpVersion } from './packet'

/** Where things lie in a request. Addresses are 0 for what is absent; lengths are of bodies, without type and length. */
@unmanaged
export class NtpRequest {
  packet: usize
  length: u32
  /** The whole unique identifier field. */
  uniqueIdentifier: usize
  uniqueIdentifierLength: u32
  cookie: usize
  cookieLength: u32
  /** Placeholders outside the authenticator; all have `placeholderLength` bytes. */
  placeholders: u32
  placeholderLength: u32
  /** The whole authenticator field; fields after it are not authenticated and not read (RFC 8915 section 5.7). */
  authenticator: usize
  authenticatorLength: u32
}

/** Bytes of an `NtpRequest`. */
export const NTP_REQUEST_SIZE: usize = offsetof<NtpRequest>()

/** `readRequest` and the NTS check return this when there is nothing to complain about. */
export const ACCEPTED: i32 = -1

/** True when the request is to be answered with NTS. */
export function isNts(request: NtpRequest): bool {
  return request.authenticator !== 0
}

/** Length of the request up to and with its authenticator: what an NTS reply may be as long as. */
export function protectedLength(request: NtpRequest): u32 {
  const end = request.authenticator + FIELD_HEADER_LENGTH + request.authenticatorLength
  return <u32>(end - request.packet)
}

/** Returns ACCEPTED, or the `NtpCount` under which to drop the packet. */
export function readRequest(packet: usize, length: u32, out: NtpRequest): i32 {
  memory.fill(changetype<usize>(out), 0, NTP_REQUEST_SIZE)
  if (length < NTP_HEADER_LENGTH) return NtpCount.Short
  if (length > NTP_PACKET_MAX) return NtpCount.Long
  const mode = ntpMode(packet)
  if (mode !== NtpMode.Client) return dropOfMode(mode)
  const version = ntpVersion(packet)
  if (version !== 3 && version !== 4) return NtpCount.Version
  out.packet = packet
  out.length = length
  // NTPv3 knows MACs, of at most 24 bytes, but no extension fields.
  if (version === 3 && length !== NTP_HEADER_LENGTH) return dropOfTail(length - NTP_HEADER_LENGTH)
  return readFields(out)
}

function dropOfMode(mode: u32): i32 {
  if (mode === NtpMode.SymmetricActive) return NtpCount.SymmetricActive
  return mode === NtpMode.Control || mode === NtpMode.Private ? NtpCount.Control : NtpCount.Mode
}

/** The reason to drop a packet for `rest` bytes that are no extension field. */
function dropOfTail(rest: u32): i32 {
  return rest === 4 || rest === 20 || rest === 24 ? NtpCount.Mac : NtpCount.Field
}

/** Walks the fields up to and with the authenticator. Each step is at least 16 bytes long. */
function readFields(out: NtpRequest): i32 {
  const end = out.packet + out.length
  let field = out.packet + NTP_HEADER_LENGTH
  while (field < end) {
    const rest = <u32>(end - field)
    if (rest < LAST_FIELD_MIN) return dropOfTail(rest)
    const length = fieldLength(field, rest, FIELD_MIN)
    if (length === 0) return NtpCount.Field
    if (!takeField(field, length - FIELD_HEADER_LENGTH, out)) return NtpCount.NtsField
    if (out.authenticator !== 0) break
    field += length
  }
  return isConsistent(out) ? ACCEPTED : NtpCount.NtsField
}

/** Notes where a field lies; false when RFC 8915 forbids it here. Unknown fields are skipped (RFC 7822 section 3). */
function takeField(field: usize, bodyLength: u32, out: NtpRequest): bool {
  switch (fieldType(field)) {
    case FieldType.UniqueIdentifier:
      if (out.uniqueIdentifier !== 0 || bodyLength < UNIQUE_IDENTIFIER_MIN) return false
      out.uniqueIdentifier = field
      out.uniqueIdentifierLength = bodyLength
      return true
    case FieldType.NtsCookie:
      if (out.cookie !== 0) return false
      out.cookie = fieldBody(field)
      out.cookieLength = bodyLength
      return true
    case FieldType.NtsCookiePlaceholder:
      if (out.placeholders !== 0 && out.placeholderLength !== bodyLength) return false
      out.placeholders += 1
      out.placeholderLength = bodyLength
      return true
    case FieldType.NtsAuthenticator:
      out.authenticator = field
      out.authenticatorLength = bodyLength
      return true
    default:
      return true
  }
}

/**
 * NTS needs a unique identifier, a cookie and an authenticator (RFC 8915 section 5.7), and placeholders of the cookie's
 * length (5.5). Without NTS there may be a unique identifier (5.3), but neither cookie nor placeholder.
 */
function isConsistent(request: NtpRequest): bool {
  if (!isNts(request)) return request.cookie === 0 && request.placeholders === 0
  if (request.uniqueIdentifier === 0 || request.cookie === 0) return false
  return request.placeholders === 0 || request.placeholderLength === request.cookieLength
}
