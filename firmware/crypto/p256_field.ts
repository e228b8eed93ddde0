// Arithmetic modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1, the field of P-256 (SP 800-186, section 3.2.1.3).
//
// An element x is kept as x * 2^256 mod p (Montgomery form), always below p, as eight limbs (limbs.ts). Inputs must be
// below p. An output may lie on an input.
//
// Because p = -1 mod 2^32, Montgomery's multiplier for a limb is the limb itself, and because of p's form the multiple
// of p is four shifted copies of it: no multiplication is needed to reduce. Sums run in signed 64-bit columns.
//
// Every operation computes its result less p, below zero or not, and then adds p under the mask of the sign.
//
// Constant time: no branch and no address depends on a value (see wide.ts for the processors).

import { setLimbs } from './limbs'
import { mulWide, sqrWide, WIDE } from './wide'

/** Bytes of an element. */
export const P256_FIELD_SIZE: usize = 32

/** p */
export const P256_P: usize = memory.data<u32>([
  0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0x0000_0000, 0x0000_0000, 0x0000_0000, 0x0000_0001, 0xffff_ffff,
])

/** 1, in Montgomery form: 2^256 mod p */
export const P256_ONE: usize = memory.data<u32>([
  0x0000_0001, 0x0000_0000, 0x0000_0000, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_fffe, 0x0000_0000,
])

/** 2^512 mod p */
const R2: usize = memory.data<u32>([
  0x0000_0003, 0x0000_0000, 0xffff_ffff, 0xffff_fffb, 0xffff_fffe, 0xffff_ffff, 0xffff_fffd, 0x0000_0004,
])

/** The chain to p - 2 for power_chain.ts; after each turn the exponent reached, or how its bits end. */
export const P256_INVERT: usize = memory.data<u32>([
  0x01_00_01, // 2^2 - 1
  0x01_00_02, // 2^3 - 1
  0x03_02_03, // 2^6 - 1
  0x06_03_ff, // 2^12 - 1
  0x03_02_02, // 2^15 - 1
  0x0f_02_03, // 2^30 - 1
  0x02_01_02, // 2^32 - 1
  0x20_00_ff, // ffffffff 00000001
  0x80_02_ff, // 00000000 00000000 00000000 ffffffff
  0x20_02_ff, // ffffffff
  0x1e_03_ff, // 30 ones
  0x02_00_ff, // 01
  0x00_ff_ff,
])

/** out = a * b */
export function mulP256(out: usize, a: usize, b: usize): void {
  mulWide(a, b)
  reduce(out)
}

/** out = a * a */
export function sqrP256(out: usize, a: usize): void {
  sqrWide(a)
  reduce(out)
}

/** out = a + b */
export function addP256(out: usize, a: usize, b: usize): void {
  // 2^256 - p is added, so that the carry out says whether a + b reached p.
  let c: i64 = <i64>load<u32>(a) + <i64>load<u32>(b) + 1
  const d0 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 4) + <i64>load<u32>(b, 4)
  const d1 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 8) + <i64>load<u32>(b, 8)
  const d2 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 12) + <i64>load<u32>(b, 12) - 1
  const d3 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 16) + <i64>load<u32>(b, 16)
  const d4 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 20) + <i64>load<u32>(b, 20)
  const d5 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 24) + <i64>load<u32>(b, 24) - 1
  const d6 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 28) + <i64>load<u32>(b, 28) + 1
  const d7 = <u32>c
  settle(out, <u32>((c >> 32) - 1), d0, d1, d2, d3, d4, d5, d6, d7)
}

/** out = a - b */
export function subP256(out: usize, a: usize, b: usize): void {
  let c: i64 = <i64>load<u32>(a) - <i64>load<u32>(b)
  const d0 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 4) - <i64>load<u32>(b, 4)
  const d1 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 8) - <i64>load<u32>(b, 8)
  const d2 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 12) - <i64>load<u32>(b, 12)
  const d3 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 16) - <i64>load<u32>(b, 16)
  const d4 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 20) - <i64>load<u32>(b, 20)
  const d5 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 24) - <i64>load<u32>(b, 24)
  const d6 = <u32>c
  c = (c >> 32) + <i64>load<u32>(a, 28) - <i64>load<u32>(b, 28)
  const d7 = <u32>c
  settle(out, <u32>(c >> 32), d0, d1, d2, d3, d4, d5, d6, d7)
}

/** out = a number below p into Montgomery form */
export function toMontgomeryP256(out: usize, a: usize): void {
  mulP256(out, a, R2)
}

/** out = an element out of Montgomery form, below p */
export function fromMontgomeryP256(out: usize, a: usize): void {
  memory.copy(WIDE, a, P256_FIELD_SIZE)
  setLimbs(WIDE + P256_FIELD_SIZE, 0)
  reduce(out)
}

/** out = WIDE / 2^256 mod p, for a product below p * 2^256 (Montgomery reduction). */
function reduce(out: usize): void {
  // m * p = m * 2^256 - m * 2^224 + m * 2^192 + m * 2^96 - m: limb m_k is column k as it stands, and returns in columns
  // k + 3, k + 6, k + 8, and negated in k + 7. From column 8 on, p is taken away as well.
  const m0: i64 = load<u32>(WIDE)
  const m1: i64 = load<u32>(WIDE, 4)
  const m2: i64 = load<u32>(WIDE, 8)
  let c: i64 = <i64>load<u32>(WIDE, 12) + m0
  const m3: i64 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 16) + m1
  const m4: i64 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 20) + m2
  const m5: i64 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 24) + m3 + m0
  const m6: i64 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 28) + m4 + m1 - m0
  const m7: i64 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 32) + m5 + m2 - m1 + m0 + 1
  const d0 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 36) + m6 + m3 - m2 + m1
  const d1 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 40) + m7 + m4 - m3 + m2
  const d2 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 44) + m5 - m4 + m3 - 1
  const d3 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 48) + m6 - m5 + m4
  const d4 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 52) + m7 - m6 + m5
  const d5 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 56) - m7 + m6 - 1
  const d6 = <u32>c
  c = (c >> 32) + <i64>load<u32>(WIDE, 60) + m7 + 1
  const d7 = <u32>c
  settle(out, <u32>((c >> 32) - 1), d0, d1, d2, d3, d4, d5, d6, d7)
}

/** out = d, plus p where `mask` (the sign of d) is all ones. */
function settle(out: usize, mask: u32, d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32, d6: u32, d7: u32): void {
  const m: u64 = mask
  let c: u64 = <u64>d0 + m
  store<u32>(out, <u32>c)
  c = (c >> 32) + <u64>d1 + m
  store<u32>(out, <u32>c, 4)
  c = (c >> 32) + <u64>d2 + m
  store<u32>(out, <u32>c, 8)
  c = (c >> 32) + <u64>d3
  store<u32>(out, <u32>c, 12)
  c = (c >> 32) + <u64>d4
  store<u32>(out, <u32>c, 16)
  c = (c >> 32) + <u64>d5
  store<u32>(out, <u32>c, 20)
  c = (c >> 32) + <u64>d6 + (m & 1)
  store<u32>(out, <u32>c, 24)
  store<u32>(out, <u32>(c >> 32) + d7 + mask, 28)
}
