// What the multiplications by a fixed point share: digits of the scalar, and reading a table without telling which
// entry.
//
// A comb of four teeth 64 bits apart cuts a 256-bit scalar into 64 columns of four bits; a column's digit selects among
// the 15 sums of the points that the teeth stand for (M. Lim, P. Lee 1994).

import { maskIfZero } from './limbs'

/** Bits column, column + 64, column + 128 and column + 192 of eight limbs, the last one highest; `column` is 0..63. */
export function combDigit(scalar: usize, column: u32): u32 {
  const word = scalar + ((column >> 5) << 2)
  const shift = column & 31
  const low = ((load<u32>(word) >> shift) & 1) | (((load<u32>(word, 8) >> shift) & 1) << 1)
  const high = ((load<u32>(word, 16) >> shift) & 1) | (((load<u32>(word, 24) >> shift) & 1) << 1)
  return low | (high << 2)
}

/**
 * out = the 32 bytes that belong to `digit` (1..15), zero for digit 0. Those of digit 1 are at `elements`, the others
 * follow `stride` bytes apart, 8-aligned; all are read.
 */
export function pickElement(out: usize, elements: usize, stride: usize, digit: u32): void {
  let w0: u64 = 0
  let w1: u64 = 0
  let w2: u64 = 0
  let w3: u64 = 0
  for (let d: u32 = 1; d < 16; d++) {
    const mask = <u64>(<i64>(<i32>maskIfZero(d ^ digit)))
    w0 |= load<u64>(elements) & mask
    w1 |= load<u64>(elements, 8) & mask
    w2 |= load<u64>(elements, 16) & mask
    w3 |= load<u64>(elements, 24) & mask
    elements += stride
  }
  store<u64>(out, w0)
  store<u64>(out, w1, 8)
  store<u64>(out, w2, 16)
  store<u64>(out, w3, 24)
}
