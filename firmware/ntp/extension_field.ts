// NTP extension fields (RFC 7822): `type(2) | length(2) | value and padding`, the length counts the whole field.
//
// A view for the reader, in place, and one function for the writer. Lengths are multiples of 4. In a packet a field has
// at least 16 bytes, and the last one at least 28 when no MAC follows; inside the NTS authenticator at least 4
// (RFC 8915 section 5.6).

import { loadU16be, storeU16be } from '../bytes/endian'

/** IANA "NTP Extension Field Types". */
export const enum FieldType {
  UniqueIdentifier = 0x0104,
  NtsCookie = 0x0204,
  NtsCookiePlaceholder = 0x0304,
  NtsAuthenticator = 0x0404,
}

/** Bytes of type and length. */
export const FIELD_HEADER_LENGTH: u32 = 4

/** The shortest field of a packet (RFC 7822 section 3). */
export const FIELD_MIN: u32 = 16

/** The shortest last field of a packet without a MAC (RFC 7822, 7.5.1.4); also what tells a field from a MAC. */
export const LAST_FIELD_MIN: u32 = 28

/** The shortest field inside an NTS authenticator. */
export const ENCRYPTED_FIELD_MIN: u32 = 4

/** The unique identifier's shortest value (RFC 8915 section 5.3). */
export const UNIQUE_IDENTIFIER_MIN: u32 = 32

/** Length of the field at `field`, of which `rest` bytes (at least 4) are there; 0 when it is malformed. */
export function fieldLength(field: usize, rest: u32, shortest: u32): u32 {
  const length = loadU16be(field + 2)
  return length < shortest || length > rest || (length & 3) !== 0 ? 0 : length
}

export function fieldType(field: usize): u32 {
  return loadU16be(field)
}

export function fieldBody(field: usize): usize {
  return field + FIELD_HEADER_LENGTH
}

/** Writes a field's header and returns the address of its body of `bodyLength` bytes, a multiple of 4. */
export function putFieldHeader(p: usize, type: u32, bodyLength: u32): usize {
  storeU16be(p, type)
  storeU16be(p + 2, FIELD_HEADER_LENGTH + bodyLength)
  return p + FIELD_HEADER_LENGTH
}
