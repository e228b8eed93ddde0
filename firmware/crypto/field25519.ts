// Arithmetic modulo p = 2^255 - 19, the field of Curve25519 (RFC 7748, section 4.1).
//
// An element is eight 32-bit limbs, little end first, in 32 bytes of 4-aligned memory. Every 256-bit value is a valid
// input; results are below 2^256, not always below p (`toBytes25519` reduces fully). An output may lie on an input.
//
// One pass of carries: the part of a sum from bit 255 up is estimated from the last limb's column before any carry is
// known, taken away there, and 19 times it enters at the first limb (2^255 = 19 mod p). That leaves 31 bits in the last
// limb, and the carry that arrives there in the end (at most 2^17) cannot overflow it.
//
// Constant time: no branch and no address depends on a value (see wide.ts for the processors).

import { loadU32le, storeU32le } from '../bytes/endian'
import { mulWide, sqrWide, WIDE } from './wide'

/** Bytes of a field element. */
export const FIELD25519_SIZE: usize = 32

/** out = a * b */
export function mul25519(out: usize, a: usize, b: usize): void {
  mulWide(a, b)
  reduce(out)
}

/** out = a * a */
export function sqr25519(out: usize, a: usize): void {
  sqrWide(a)
  reduce(out)
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

/** Writes a, reduced below p, as 32 bytes at any address, and leaves it reduced. */
export function toBytes25519(bytes: usize, a: usize): void {
  // Twice, because the first sum may be 2^255 and a little.
  let over = addSmall(a, 0)
  over = addSmall(a, 19 * over)
  addSmall(a, 19 * over)
  // a < 2^255. It is p or more exactly when a + 19 reaches 2^255, and then that sum, less 2^255, is a - p.
  over = addSmall(a, 19)
  addSmall(a, 19 * (over - 1))
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

/** out = WIDE mod p, below 2^256. 2^256 = 38 mod p folds the upper half onto the lower. */
function reduce(out: usize): void {
  let last: u64 = <u64>load<u32>(WIDE, 28) + 38 * <u64>load<u32>(WIDE, 60)
  const over = last >> 31
  last -= over << 31
  let c: u64 = 19 * over + <u64>load<u32>(WIDE) + 38 * <u64>load<u32>(WIDE, 32)
  store<u32>(out, <u32>c)
  c = (c >> 32) + <u64>load<u32>(WIDE, 4) + 38 * <u64>load<u32>(WIDE, 36)
  store<u32>(out, <u32>c, 4)
  c = (c >> 32) + <u64>load<u32>(WIDE, 8) + 38 * <u64>load<u32>(WIDE, 40)
  store<u32>(out, <u32>c, 8)
  c = (c >> 32) + <u64>load<u32>(WIDE, 12) + 38 * <u64>load<u32>(WIDE, 44)
  store<u32>(out, <u32>c, 12)
  c = (c >> 32) + <u64>load<u32>(WIDE, 16) + 38 * <u64>load<u32>(WIDE, 48)
  store<u32>(out, <u32>c, 16)
  c = (c >> 32) + <u64>load<u32>(WIDE, 20) + 38 * <u64>load<u32>(WIDE, 52)
  store<u32>(out, <u32>c, 20)
  c = (c >> 32) + <u64>load<u32>(WIDE, 24) + 38 * <u64>load<u32>(WIDE, 56)
  store<u32>(out, <u32>c, 24)
  store<u32>(out, <u32>((c >> 32) + last), 28)
}
