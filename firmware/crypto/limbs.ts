// 256-bit numbers as eight 32-bit limbs, little end first, at 4-aligned addresses: what does not depend on a modulus.
//
// Answers about numbers are masks, all ones for yes and 0 for no, so that secrets choose without branches.
//
// Constant time, here and in the arithmetic on such numbers (field25519.ts, p256_field.ts, p256_scalar.ts), means: no
// branch and no address depends on a value. On the ESP32-C3, where the module is compiled ahead of time, that settles
// it: every product is 32 x 32 -> 64 bits, the pair mul and mulhu, which takes the same time for all operands, and
// linear memory has no cache. In V8 a product is one 64-bit multiplication, constant-time on x86-64 and on the usual
// 64-bit Arm cores; but nobody promises what a just-in-time compiler makes of a mask or a multiplication, so there we
// answer for this source and not for the machine code.

import { loadU32be, storeU32be } from '../bytes/endian'

/** Bytes of a number. */
export const LIMBS_SIZE: usize = 32

/** out = the 32 bytes at any address, big end first */
export function loadLimbsBe(out: usize, bytes: usize): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(out + i, loadU32be(bytes + 28 - i))
}

/** Writes a as 32 bytes at any address, big end first. */
export function storeLimbsBe(bytes: usize, a: usize): void {
  for (let i: usize = 0; i < 32; i += 4) storeU32be(bytes + 28 - i, load<u32>(a + i))
}

/** out = a small number */
export function setLimbs(out: usize, value: u32): void {
  memory.fill(out, 0, LIMBS_SIZE)
  store<u32>(out, value)
}

/** Whether a = 0. */
export function zeroMask(a: usize): u32 {
  let any: u32 = 0
  for (let i: usize = 0; i < 32; i += 4) any |= load<u32>(a + i)
  return maskIfZero(any)
}

/** Whether a = b. */
export function equalMask(a: usize, b: usize): u32 {
  let difference: u32 = 0
  for (let i: usize = 0; i < 32; i += 4) difference |= load<u32>(a + i) ^ load<u32>(b + i)
  return maskIfZero(difference)
}

/** Whether a < b. */
export function belowMask(a: usize, b: usize): u32 {
  let borrow: i64 = 0
  for (let i: usize = 0; i < 32; i += 4) borrow = (borrow + <i64>load<u32>(a + i) - <i64>load<u32>(b + i)) >> 32
  return <u32>borrow
}

/** Whether a single word is 0. */
export function maskIfZero(word: u32): u32 {
  return <u32>((<i64>word - 1) >> 63)
}

/** Copies `size` bytes (a multiple of 8, 8-aligned) from `from` to `out` where `mask` is all ones; reads and writes both always. */
export function moveIf(mask: u32, out: usize, from: usize, size: usize): void {
  const mask64 = <u64>(<i64>(<i32>mask))
  for (let i: usize = 0; i < size; i += 8) {
    const old = load<u64>(out + i)
    store<u64>(out + i, old ^ ((old ^ load<u64>(from + i)) & mask64))
  }
}
