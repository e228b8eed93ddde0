// Text in the making: one output buffer that console answers are written into, drained by main.ts.
//
// Writing past the end drops the rest: a console answer is never worth a trap.

import { putAscii, putDecimal, putHex, putSigned } from '../bytes/ascii'

/** Room for several answers; the authority's certificate in PEM, at most 800 bytes, is one of the long ones. */
const TEXT_SIZE: usize = 4096
const TEXT: usize = memory.data(<i32>TEXT_SIZE, 8)

/** Longest single item that the functions below write. */
const ITEM_MAX: usize = 256

let start: usize = 0
let end: usize = 0

/** Address of the text not yet drained. */
export function textBytes(): usize {
  return TEXT + start
}

/** Bytes not yet drained. */
export function textLength(): usize {
  return end - start
}

/** Bytes that can still be written. */
export function textRoom(): usize {
  return TEXT_SIZE - end
}

/** Forgets the first `length` bytes. */
export function textDrained(length: usize): void {
  start += length
  if (start >= end) {
    start = 0
    end = 0
  }
}

/** Appends a literal. */
export function say(literal: string): void {
  if (hasRoom(<usize>literal.length)) end = putAscii(TEXT + end, literal) - TEXT
}

/** Appends an unsigned number in decimal. */
export function sayNumber(value: u64): void {
  if (hasRoom(20)) end = putDecimal(TEXT + end, value) - TEXT
}

/** Appends a number padded with zeros. */
export function sayPadded(value: u64, width: i32): void {
  if (hasRoom(20)) end = putDecimal(TEXT + end, value, width) - TEXT
}

/** Appends a signed number in decimal. */
export function saySigned(value: i64): void {
  if (hasRoom(21)) end = putSigned(TEXT + end, value) - TEXT
}

/** Appends bytes in hexadecimal, at most 64 of them. */
export function sayHex(bytes: usize, length: usize): void {
  if (length <= 64 && hasRoom(2 * length)) end = putHex(TEXT + end, bytes, length) - TEXT
}

/** Appends raw bytes. */
export function sayBytes(bytes: usize, length: usize): void {
  if (!fits(length)) return
  memory.copy(TEXT + end, bytes, length)
  end += length
}

/** Appends the end of a line. */
export function sayLine(): void {
  if (!fits(1)) return
  store<u8>(TEXT + end, 0x0a)
  end += 1
}

function hasRoom(length: usize): bool {
  return length <= ITEM_MAX && fits(length)
}

function fits(length: usize): bool {
  if (end + length > TEXT_SIZE && start > 0) {
    memory.copy(TEXT, TEXT + start, end - start)
    end -= start
    start = 0
  }
  return end + length <= TEXT_SIZE
}
