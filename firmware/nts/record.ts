// NTS-KE records (RFC 8915 section 4, figure 2): `critical(1 bit) | type(15 bits) | body length(2) | body`.
//
// A view for the reader (offsets from a record's address) and `put...` for the writer, which returns the address after
// what it wrote. Integers in network byte order. The length counts the body alone, unlike that of an extension field.

import { loadU16be, storeU16be } from '../bytes/endian'

/** IANA "NTS Key Establishment Record Types". */
export const enum RecordType {
  EndOfMessage = 0,
  NextProtocol = 1,
  Error = 2,
  Warning = 3,
  AeadAlgorithm = 4,
  NewCookie = 5,
  NtpServer = 6,
  NtpPort = 7,
  /** Asks for and confirms RFC 8915's exporter context with AES-128-GCM-SIV (chrony's nts-compliant-128gcm). */
  CompliantGcmSivExport = 1024,
}

/** IANA "NTS Next Protocols". */
export const enum NextProtocol {
  Ntpv4 = 0,
}

/** IANA "NTS Error Codes". */
export const enum KeError {
  UnrecognizedCriticalRecord = 0,
  BadRequest = 1,
  InternalServerError = 2,
}

/** Bytes before the body. */
export const RECORD_HEADER_LENGTH: u32 = 4

export function recordIsCritical(record: usize): bool {
  return (load<u8>(record) & 0x80) !== 0
}

export function recordType(record: usize): u32 {
  return loadU16be(record) & 0x7fff
}

export function recordBodyLength(record: usize): u32 {
  return loadU16be(record + 2)
}

export function recordBody(record: usize): usize {
  return record + RECORD_HEADER_LENGTH
}

/** Writes a record's header; the caller writes `bodyLength` bytes after it. */
export function putRecordHeader(p: usize, type: u32, critical: bool, bodyLength: u32): usize {
  storeU16be(p, critical ? type | 0x8000 : type)
  storeU16be(p + 2, bodyLength)
  return p + RECORD_HEADER_LENGTH
}

/** Writes a record without a body. */
export function putEmptyRecord(p: usize, type: u32, critical: bool): usize {
  return putRecordHeader(p, type, critical, 0)
}

/** Writes a record whose body is one 16-bit integer. */
export function putU16Record(p: usize, type: u32, critical: bool, value: u32): usize {
  const body = putRecordHeader(p, type, critical, 2)
  storeU16be(body, value)
  return body + 2
}
