// Arithmetic modulo p = 2^255 - 19, the field of Curve25519 (RFC 7748, section 4.1).
//
// An element is eight 32-bit limbs, little end first, in 32 bytes of 4-aligned memory. Every 256-bit value is a valid
// input; results are below 2^256, not always below p (`reduce25519` sees to that). An output may lie on an input.
//
// One pass of carries: the part of a sum from bit 255 up is estimated from the last limb's column before any carry is
// known, taken away there, and 19 times it enters at the first limb (2^255 = 19 mod p). That leaves 31 bits in the last
// limb, and the carry that arrives there in the end (at most 2^17) cannot overflow it.
//
// Constant time: no branch and no address depends on a value (limbs.ts says what that means on which processor).

import { loadU32le, storeU32le } from '../bytes/endian'

/** Bytes of a field element. */
export const FIELD25519_SIZE: usize = 32

const LOW: u64 = 0xffff_ffff

/** out = a * b */
export function mul25519(out: usize, a: usize, b: usize): void {
  const b0: u64 = load<u32>(b)
  const b1: u64 = load<u32>(b, 4)
  const b2: u64 = load<u32>(b, 8)
  const b3: u64 = load<u32>(b, 12)
  const b4: u64 = load<u32>(b, 16)
  const b5: u64 = load<u32>(b, 20)
  const b6: u64 = load<u32>(b, 24)
  const b7: u64 = load<u32>(b, 28)
  let t0: u64 = 0
  let t1: u64 = 0
  let t2: u64 = 0
  let t3: u64 = 0
  let t4: u64 = 0
  let t5: u64 = 0
  let t6: u64 = 0
  let t7: u64 = 0
  // A row a turn. x * b + t + carry is at most (2^32 - 1)^2 + 2 * (2^32 - 1) = 2^64 - 1. Limb i of the product is
  // complete and goes to out, where limb i of a is no longer needed.
  for (let i: usize = 0; i < 32; i += 4) {
    const x: u64 = load<u32>(a + i)
    let c = x * b0 + t0
    store<u32>(out + i, <u32>c)
    c = x * b1 + t1 + (c >> 32)
    t0 = c & LOW
    c = x * b2 + t2 + (c >> 32)
    t1 = c & LOW
    c = x * b3 + t3 + (c >> 32)
    t2 = c & LOW
    c = x * b4 + t4 + (c >> 32)
    t3 = c & LOW
    c = x * b5 + t5 + (c >> 32)
    t4 = c & LOW
    c = x * b6 + t6 + (c >> 32)
    t5 = c & LOW
    c = x * b7 + t7 + (c >> 32)
    t6 = c & LOW
    t7 = c >> 32
  }
  // 2^256 = 38 mod p folds the upper half onto the lower.
  let last: u64 = <u64>load<u32>(out, 28) + 38 * t7
  const over = last >> 31
  last -= over << 31
  let c: u64 = 19 * over + <u64>load<u32>(out) + 38 * t0
  store<u32>(out, <u32>c)
  c = (c >> 32) + <u64>load<u32>(out, 4) + 38 * t1
  store<u32>(out, <u32>c, 4)
  c = (c >> 32) + <u64>load<u32>(out, 8) + 38 * t2
  store<u32>(out, <u32>c, 8)
  c = (c >> 32) + <u64>load<u32>(out, 12) + 38 * t3
  store<u32>(out, <u32>c, 12)
  c = (c >> 32) + <u64>load<u32>(out, 16) + 38 * t4
  store<u32>(out, <u32>c, 16)
  c = (c >> 32) + <u64>load<u32>(out, 20) + 38 * t5
  store<u32>(out, <u32>c, 20)
  c = (c >> 32) + <u64>load<u32>(out, 24) + 38 * t6
  store<u32>(out, <u32>c, 24)
  store<u32>(out, <u32>((c >> 32) + last), 28)
}

/** out = a * a */
export function sqr25519(out: usize, a: usize): void {
  const a0: u64 = load<u32>(a)
  const a1: u64 = load<u32>(a, 4)
  const a2: u64 = load<u32>(a, 8)
  const a3: u64 = load<u32>(a, 12)
  const a4: u64 = load<u32>(a, 16)
  const a5: u64 = load<u32>(a, 20)
  const a6: u64 = load<u32>(a, 24)
  const a7: u64 = load<u32>(a, 28)
  // The products of different limbs, once each; limb k has weight 2^(32 k).
  let c = a0 * a1
  let t1 = c & LOW
  c = a0 * a2 + (c >> 32)
  let t2 = c & LOW
  c = a0 * a3 + (c >> 32)
  let t3 = c & LOW
  c = a0 * a4 + (c >> 32)
  let t4 = c & LOW
  c = a0 * a5 + (c >> 32)
  let t5 = c & LOW
  c = a0 * a6 + (c >> 32)
  let t6 = c & LOW
  c = a0 * a7 + (c >> 32)
  let t7 = c & LOW
  let t8 = c >> 32
  c = a1 * a2 + t3
  t3 = c & LOW
  c = a1 * a3 + t4 + (c >> 32)
  t4 = c & LOW
  c = a1 * a4 + t5 + (c >> 32)
  t5 = c & LOW
  c = a1 * a5 + t6 + (c >> 32)
  t6 = c & LOW
  c = a1 * a6 + t7 + (c >> 32)
  t7 = c & LOW
  c = a1 * a7 + t8 + (c >> 32)
  t8 = c & LOW
  let t9 = c >> 32
  c = a2 * a3 + t5
  t5 = c & LOW
  c = a2 * a4 + t6 + (c >> 32)
  t6 = c & LOW
  c = a2 * a5 + t7 + (c >> 32)
  t7 = c & LOW
  c = a2 * a6 + t8 + (c >> 32)
  t8 = c & LOW
  c = a2 * a7 + t9 + (c >> 32)
  t9 = c & LOW
  let t10 = c >> 32
  c = a3 * a4 + t7
  t7 = c & LOW
  c = a3 * a5 + t8 + (c >> 32)
  t8 = c & LOW
  c = a3 * a6 + t9 + (c >> 32)
  t9 = c & LOW
  c = a3 * a7 + t10 + (c >> 32)
  t10 = c & LOW
  let t11 = c >> 32
  c = a4 * a5 + t9
  t9 = c & LOW
  c = a4 * a6 + t10 + (c >> 32)
  t10 = c & LOW
  c = a4 * a7 + t11 + (c >> 32)
  t11 = c & LOW
  let t12 = c >> 32
  c = a5 * a6 + t11
  t11 = c & LOW
  c = a5 * a7 + t12 + (c >> 32)
  t12 = c & LOW
  let t13 = c >> 32
  c = a6 * a7 + t13
  t13 = c & LOW
  let t14 = c >> 32
  // Twice those, and the squares of the limbs.
  let q = a0 * a0
  const t0 = q & LOW
  c = 2 * t1 + (q >> 32)
  t1 = c & LOW
  q = a1 * a1
  c = (c >> 32) + 2 * t2 + (q & LOW)
  t2 = c & LOW
  c = (c >> 32) + 2 * t3 + (q >> 32)
  t3 = c & LOW
  q = a2 * a2
  c = (c >> 32) + 2 * t4 + (q & LOW)
  t4 = c & LOW
  c = (c >> 32) + 2 * t5 + (q >> 32)
  t5 = c & LOW
  q = a3 * a3
  c = (c >> 32) + 2 * t6 + (q & LOW)
  t6 = c & LOW
  c = (c >> 32) + 2 * t7 + (q >> 32)
  t7 = c & LOW
  q = a4 * a4
  c = (c >> 32) + 2 * t8 + (q & LOW)
  t8 = c & LOW
  c = (c >> 32) + 2 * t9 + (q >> 32)
  t9 = c & LOW
  q = a5 * a5
  c = (c >> 32) + 2 * t10 + (q & LOW)
  t10 = c & LOW
  c = (c >> 32) + 2 * t11 + (q >> 32)
  t11 = c & LOW
  q = a6 * a6
  c = (c >> 32) + 2 * t12 + (q & LOW)
  t12 = c & LOW
  c = (c >> 32) + 2 * t13 + (q >> 32)
  t13 = c & LOW
  q = a7 * a7
  c = (c >> 32) + 2 * t14 + (q & LOW)
  t14 = c & LOW
  const t15 = (c >> 32) + (q >> 32)
  // 2^256 = 38 mod p folds the upper half onto the lower.
  let last: u64 = t7 + 38 * t15
  const over = last >> 31
  last -= over << 31
  c = 19 * over + t0 + 38 * t8
  store<u32>(out, <u32>c)
  c = (c >> 32) + t1 + 38 * t9
  store<u32>(out, <u32>c, 4)
  c = (c >> 32) + t2 + 38 * t10
  store<u32>(out, <u32>c, 8)
  c = (c >> 32) + t3 + 38 * t11
  store<u32>(out, <u32>c, 12)
  c = (c >> 32) + t4 + 38 * t12
  store<u32>(out, <u32>c, 16)
  c = (c >> 32) + t5 + 38 * t13
  store<u32>(out, <u32>c, 20)
  c = (c >> 32) + t6 + 38 * t14
  store<u32>(out, <u32>c, 24)
  store<u32>(out, <u32>((c >> 32) + last), 28)
}

/** out = a + b */
export function add25519(out: usize, a: usize, b: usize): void {
  let last: u64 = <u64>load<u32>(a, 28) + <u64>load<u32>(b, 28)
  const over = last >> 31
  last -= over << 31
  let c: u64 = 19 * over + <u64>load<u32>(a) + <u64>load<u32>(b)
  store<u32>(out, <u32>c)
  c = (c >> 32) + <u64>load<u32>(a, 4) + <u64>load<u32>(b, 4)
  store<u32>(out, <u32>c, 4)
  c = (c >> 32) + <u64>load<u32>(a, 8) + <u64>load<u32>(b, 8)
  store<u32>(out, <u32>c, 8)
  c = (c >> 32) + <u64>load<u32>(a, 12) + <u64>load<u32>(b, 12)
  store<u32>(out, <u32>c, 12)
  c = (c >> 32) + <u64>load<u32>(a, 16) + <u64>load<u32>(b, 16)
  store<u32>(out, <u32>c, 16)
  c = (c >> 32) + <u64>load<u32>(a, 20) + <u64>load<u32>(b, 20)
  store<u32>(out, <u32>c, 20)
  c = (c >> 32) + <u64>load<u32>(a, 24) + <u64>load<u32>(b, 24)
  store<u32>(out, <u32>c, 24)
  store<u32>(out, <u32>((c >> 32) + last), 28)
}

/** out = a - b */
export function sub25519(out: usize, a: usize, b: usize): void {
  // Here the carries are signed. One more 2^255 than the estimate is left in the last limb, so that borrows (2 at the
  // most) do not take it below zero.
  let last: i64 = <i64>load<u32>(a, 28) - <i64>load<u32>(b, 28)
  const over = (last >> 31) - 1
  last -= over << 31
  let c: i64 = 19 * over + <i64>load<u32>(a) - <i64>load<u32>(b)
  store<u32>(out, <u32>c)
  c = (c >> 32) + <i64>load<u32>(a, 4) - <i64>load<u32>(b, 4)
  store<u32>(out, <u32>c, 4)
  c = (c >> 32) + <i64>load<u32>(a, 8) - <i64>load<u32>(b, 8)
  store<u32>(out, <u32>c, 8)
  c = (c >> 32) + <i64>load<u32>(a, 12) - <i64>load<u32>(b, 12)
  store<u32>(out, <u32>c, 12)
  c = (c >> 32) + <i64>load<u32>(a, 16) - <i64>load<u32>(b, 16)
  store<u32>(out, <u32>c, 16)
  c = (c >> 32) + <i64>load<u32>(a, 20) - <i64>load<u32>(b, 20)
  store<u32>(out, <u32>c, 20)
  c = (c >> 32) + <i64>load<u32>(a, 24) - <i64>load<u32>(b, 24)
  store<u32>(out, <u32>c, 24)
  store<u32>(out, <u32>((c >> 32) + last), 28)
}

/** out = a + factor * b, for factors below 2^17 */
export function addMul25519(out: usize, a: usize, factor: u32, b: usize): void {
  const f: u64 = factor
  let last: u64 = <u64>load<u32>(a, 28) + f * <u64>load<u32>(b, 28)
  const over = last >> 31
  last -= over << 31
  let c: u64 = 19 * over + <u64>load<u32>(a) + f * <u64>load<u32>(b)
  store<u32>(out, <u32>c)
  c = (c >> 32) + <u64>load<u32>(a, 4) + f * <u64>load<u32>(b, 4)
  store<u32>(out, <u32>c, 4)
  c = (c >> 32) + <u64>load<u32>(a, 8) + f * <u64>load<u32>(b, 8)
  store<u32>(out, <u32>c, 8)
  c = (c >> 32) + <u64>load<u32>(a, 12) + f * <u64>load<u32>(b, 12)
  store<u32>(out, <u32>c, 12)
  c = (c >> 32) + <u64>load<u32>(a, 16) + f * <u64>load<u32>(b, 16)
  store<u32>(out, <u32>c, 16)
  c = (c >> 32) + <u64>load<u32>(a, 20) + f * <u64>load<u32>(b, 20)
  store<u32>(out, <u32>c, 20)
  c = (c >> 32) + <u64>load<u32>(a, 24) + f * <u64>load<u32>(b, 24)
  store<u32>(out, <u32>c, 24)
  store<u32>(out, <u32>((c >> 32) + last), 28)
}

/** Exchanges a and b where `mask` is all ones, leaves them where it is 0. */
export function swap25519(mask: u32, a: usize, b: usize): void {
  for (let i: usize = 0; i < 32; i += 4) {
    const x = load<u32>(a + i)
    const y = load<u32>(b + i)
    const d = (x ^ y) & mask
    store<u32>(a + i, x ^ d)
    store<u32>(b + i, y ^ d)
  }
}

/** out = a small number */
export function set25519(out: usize, value: u32): void {
  memory.fill(out, 0, FIELD25519_SIZE)
  store<u32>(out, value)
}

/** A u coordinate from 32 bytes at any address; bit 255 is ignored (RFC 7748, section 5). Values from p up are valid. */
export function fromBytes25519(out: usize, bytes: usize): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(out + i, loadU32le(bytes + i))
  store<u32>(out, load<u32>(out, 28) & 0x7fff_ffff, 28)
}

/** Reduces a below p. */
export function reduce25519(a: usize): void {
  // Twice, because the first sum may be 2^255 and a little.
  let over = addSmall(a, 0)
  over = addSmall(a, 19 * over)
  addSmall(a, 19 * over)
  // a < 2^255. It is p or more exactly when a + 19 reaches 2^255, and then that sum, less 2^255, is a - p.
  over = addSmall(a, 19)
  addSmall(a, 19 * (over - 1))
}

/** Writes a, reduced below p, as 32 bytes at any address, and leaves it reduced. */
export function toBytes25519(bytes: usize, a: usize): void {
  reduce25519(a)
  for (let i: usize = 0; i < 32; i += 4) storeU32le(bytes + i, load<u32>(a + i))
}

/** a = (a + value) mod 2^255; returns what a + value had from bit 255 up. */
function addSmall(a: usize, value: i64): i64 {
  let c = value << 32
  for (let i: usize = 0; i < 32; i += 4) {
    c = (c >> 32) + <i64>load<u32>(a + i)
    store<u32>(a + i, <u32>c)
  }
  store<u32>(a, load<u32>(a, 28) & 0x7fff_ffff, 28)
  return c >> 31
}
