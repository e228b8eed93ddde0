// The DER and X.509 writers and PEM, for der.test.ts.

import { encodeAlternativeNames } from '../../firmware/tls/alternative_names'
import {
  DER_WRITER_SIZE,
  DerTag,
  DerWriter,
  derByte,
  derBytes,
  derClose,
  derInit,
  derInteger,
  derLength,
  derOpen,
  derTrue,
  derValue,
} from '../../firmware/tls/der'
import { pemEncode, pemLength } from '../../firmware/tls/pem'
import { x509WriteTime } from '../../firmware/tls/x509_write'

const WRITER = changetype<DerWriter>(memory.data(<i32>DER_WRITER_SIZE, 8))
const INPUT: usize = memory.data(70_000, 8)
const OUTPUT: usize = memory.data(70_000, 8)

export function input(): usize {
  return INPUT
}
export function output(): usize {
  return OUTPUT
}
/** Output begins 16 bytes into the buffer, so that a test sees what is written before it. */
export function begin(capacity: u32): void {
  derInit(WRITER, OUTPUT + 16, capacity)
}
export function length(): u32 {
  return derLength(WRITER)
}
export function overflow(): u32 {
  return WRITER.overflow
}
export function open(tag: u32): usize {
  return derOpen(WRITER, tag)
}
export function close(mark: usize): void {
  derClose(WRITER, mark)
}
export function byte(value: u32): void {
  derByte(WRITER, value)
}
export function bytes(count: u32): void {
  derBytes(WRITER, INPUT, count)
}
export function integer(count: u32): void {
  derInteger(WRITER, INPUT, count)
}
export function octetString(count: u32): void {
  derValue(WRITER, DerTag.OctetString, INPUT, count)
}
export function yes(): void {
  derTrue(WRITER)
}
export function time(seconds: i64): void {
  x509WriteTime(WRITER, seconds)
}
export function pem(count: u32): u32 {
  return pemEncode(INPUT, count, 'CERTIFICATE', OUTPUT + 16)
}
export function pemSize(count: u32): u32 {
  return pemLength(count, 11)
}
export function names(count: u32, ip4: u32): i32 {
  return encodeAlternativeNames(INPUT, count, ip4, OUTPUT + 16)
}
