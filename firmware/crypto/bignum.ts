// Numbers of any length as 32-bit limbs, little end first, at 4-aligned addresses, and Montgomery's product of them: what
// the verification of signatures needs.
//
// `limbs` is a multiple of four, R = 2^(32 limbs), the modulus n is odd. a * b / R mod n is computed by rows: a row adds
// one limb of a times b, and the multiple of n that clears the lowest limb, and moves down by a limb. The accumulator is
// `nothing | limbs + 1 limbs`; a row reads one place above the one it writes. With b < n it stays below 2 n, whatever a is.
//
// Nothing here is constant-time: only public data, the verifier's, may pass through it.

import { loadU32be } from '../bytes/endian'

const LOW: u64 = 0xffff_ffff

/** Bytes of an accumulator more than of a number. */
export const ACCUMULATOR_EXTRA: usize = 8

/** out = `length` bytes at any address, big end first, with zeros above; no more bytes than the limbs have. */
export function loadNumberBe(out: usize, limbs: u32, bytes: usize, length: u32): void {
  memory.fill(out, 0, 4 * <usize>limbs)
  let p = bytes + length
  for (; length >= 4; length -= 4) {
    p -= 4
    store<u32>(out, loadU32be(p))
    out += 4
  }
  for (let shift: u32 = 0; length > 0; length--, shift += 8) {
    p -= 1
    store<u32>(out, load<u32>(out) | ((<u32>load<u8>(p)) << shift))
  }
}

/** Writes the lowest `length` bytes of a at any address, big end first. */
export function storeNumberBe(bytes: usize, length: u32, a: usize): void {
  for (let p = bytes + length; p > bytes; a++) {
    p -= 1
    store<u8>(p, load<u8>(a))
  }
}

/** Whether a < b. */
export function isBelow(a: usize, b: usize, limbs: u32): bool {
  for (let i: usize = 4 * <usize>limbs; i > 0; ) {
    i -= 4
    const x = load<u32>(a + i)
    const y = load<u32>(b + i)
    if (x !== y) return x < y
  }
  return false
}

/** Whether a = 0. */
export function isZero(a: usize, limbs: u32): bool {
  let any: u32 = 0
  for (const end = a + 4 * <usize>limbs; a < end; a += 4) any |= load<u32>(a)
  return any === 0
}

/** Whether a = b. */
export function isSame(a: usize, b: usize, limbs: u32): bool {
  return memory.compare(a, b, 4 * <usize>limbs) === 0
}

/** out = a + b; returns the carry. */
export function addNumbers(out: usize, a: usize, b: usize, limbs: u32): u32 {
  let c: u64 = 0
  for (let i: usize = 0; i < 4 * <usize>limbs; i += 4) {
    c = (c >> 32) + <u64>load<u32>(a + i) + <u64>load<u32>(b + i)
    store<u32>(out + i, <u32>c)
  }
  return <u32>(c >> 32)
}

/** out = a - b; returns the borrow, 0 or 1. */
export function subtractNumbers(out: usize, a: usize, b: usize, limbs: u32): u32 {
  let c: i64 = 0
  for (let i: usize = 0; i < 4 * <usize>limbs; i += 4) {
    c = (c >> 32) + <i64>load<u32>(a + i) - <i64>load<u32>(b + i)
    store<u32>(out + i, <u32>c)
  }
  return <u32>(c >> 32) & 1
}

/** out = a + b mod n, both below n */
export function addModulo(out: usize, a: usize, b: usize, n: usize, limbs: u32): void {
  if (addNumbers(out, a, b, limbs) !== 0 || !isBelow(out, n, limbs)) subtractNumbers(out, out, n, limbs)
}

/** out = a - b mod n, both below n */
export function subtractModulo(out: usize, a: usize, b: usize, n: usize, limbs: u32): void {
  if (subtractNumbers(out, a, b, limbs) !== 0) addNumbers(out, out, n, limbs)
}

/** -1 / n mod 2^32, by Newton's iteration: each doubles the bits that are right, from n * n = 1 mod 8. */
export function negativeInverse(n: u32): u32 {
  let x = n
  for (let i = 0; i < 4; i++) x *= 2 - n * x
  return 0 - x
}

/** Adds `rows` rows of a * b / R, from a's limb at `a` on, to the accumulator t. */
export function montgomeryRows(t: usize, a: usize, b: usize, n: usize, limbs: u32, inverse: u32, rows: u32): void {
  const end = b + 4 * <usize>limbs
  for (; rows > 0; rows--) {
    const x: u64 = load<u32>(a)
    // All of it in 32 bits: where a u64 is wanted, load<u32> gives one.
    const lowest: u32 = load<u32>(t, 4) + load<u32>(a) * load<u32>(b)
    const m: u64 = lowest * inverse
    let c: u64 = 0
    let d: u64 = 0
    let p = t
    let q = n
    // Four columns a turn. The last of four limbs is loaded first: in the image an access is checked against the end of
    // memory, and that check proves the other three.
    for (let y = b; y < end; y += 16) {
      const t3: u64 = load<u32>(p, 16)
      const t2: u64 = load<u32>(p, 12)
      const t1: u64 = load<u32>(p, 8)
      const t0: u64 = load<u32>(p, 4)
      const y3: u64 = load<u32>(y, 12)
      const n3: u64 = load<u32>(q, 12)
      c = x * <u64>load<u32>(y) + t0 + (c >> 32)
      d = m * <u64>load<u32>(q) + (c & LOW) + (d >> 32)
      store<u32>(p, <u32>d)
      c = x * <u64>load<u32>(y, 4) + t1 + (c >> 32)
      d = m * <u64>load<u32>(q, 4) + (c & LOW) + (d >> 32)
      store<u32>(p, <u32>d, 4)
      c = x * <u64>load<u32>(y, 8) + t2 + (c >> 32)
      d = m * <u64>load<u32>(q, 8) + (c & LOW) + (d >> 32)
      store<u32>(p, <u32>d, 8)
      c = x * y3 + t3 + (c >> 32)
      d = m * n3 + (c & LOW) + (d >> 32)
      store<u32>(p, <u32>d, 12)
      p += 16
      q += 16
    }
    c = <u64>load<u32>(p, 4) + (c >> 32) + (d >> 32)
    store<u32>(p, <u32>c)
    store<u32>(p, <u32>(c >> 32), 4)
    a += 4
  }
}

/** out = the accumulator's number, reduced below n; the accumulator is zero again. */
export function montgomeryFinish(out: usize, t: usize, n: usize, limbs: u32): void {
  const low = t + 4
  if (load<u32>(low + 4 * <usize>limbs) !== 0 || !isBelow(low, n, limbs)) subtractNumbers(out, low, n, limbs)
  else memory.copy(out, low, 4 * <usize>limbs)
  memory.fill(t, 0, 4 * <usize>limbs + ACCUMULATOR_EXTRA)
}

/** out = a * b / R mod n; b is below n. `t` is an accumulator that is zero. */
export function mulMontgomery(out: usize, a: usize, b: usize, n: usize, limbs: u32, inverse: u32, t: usize): void {
  montgomeryRows(t, a, b, n, limbs, inverse, limbs)
  montgomeryFinish(out, t, n, limbs)
}
