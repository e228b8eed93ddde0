// Montgomery's product a * b / R mod n of long numbers, row by row, for RSA: R = 2^(32 limbs), n odd, the limbs a multiple
// of four. A row adds one limb of a times b, and the multiple of n that clears the lowest limb, and moves down by a limb.
// With b < n the sum t stays below 2 n, whatever a is.
//
// n, b and t lie in a workspace in turns, four limbs of each, so that one pointer with constant offsets reaches what a row
// needs: the image's code is bound by loads and their bounds checks. (bignum.ts has the product of short numbers.)
//
// Not constant-time: only public data, the verifier's, may pass through it.

import { negativeInverse } from './bignum'

const LOW: u64 = 0xffff_ffff

// A workspace is `limbs u32 | -1 / n mod 2^32 | groups`, a group `four limbs of n | of b | of t`. Limb j of t has place
// j + 1: a row reads one place above the one that it writes. The last group has the two uppermost places only.
const INVERSE: usize = 4
const HEAD: usize = 8
const GROUP: usize = 48
const B: usize = 16
const T: usize = 32

/** Bytes of a workspace less twelve for every limb, 8-aligned. */
export const WORKSPACE_EXTRA: usize = HEAD + GROUP

/** Prepares a workspace for a modulus. */
export function montgomeryStart(work: usize, n: usize, limbs: u32): void {
  memory.fill(work, 0, 12 * <usize>limbs + WORKSPACE_EXTRA)
  store<u32>(work, limbs)
  store<u32>(work, negativeInverse(load<u32>(n)), INVERSE)
  let p = work + HEAD
  for (const end = n + 4 * <usize>limbs; n < end; n += 16, p += GROUP) copyFour(p, n)
}

/** Takes the second factor, which is below n. */
export function montgomeryFactor(work: usize, b: usize): void {
  const end = groupsEnd(work)
  for (let p = work + HEAD; p < end; p += GROUP, b += 16) copyFour(p + B, b)
}

/** Adds `rows` rows of a * b / R, from a's limb at `a` on. */
export function montgomeryRows(work: usize, a: usize, rows: u32): void {
  const first = work + HEAD
  const end = groupsEnd(work)
  const inverse = load<u32>(work, INVERSE)
  for (; rows > 0; rows--) {
    const x: u64 = load<u32>(a)
    // All of it in 32 bits: where a u64 is wanted, load<u32> gives one.
    const lowest: u32 = load<u32>(first, T + 4) + load<u32>(a) * load<u32>(first, B)
    const m: u64 = lowest * inverse
    let c: u64 = 0
    let d: u64 = 0
    for (let p = first; p < end; p += GROUP) {
      // The uppermost first: in the image an access is checked against the end of memory, and this check proves the rest.
      const t3: u64 = load<u32>(p, GROUP + T)
      c = x * <u64>load<u32>(p, B) + <u64>load<u32>(p, T + 4) + (c >> 32)
      d = m * <u64>load<u32>(p) + (c & LOW) + (d >> 32)
      store<u32>(p, <u32>d, T)
      c = x * <u64>load<u32>(p, B + 4) + <u64>load<u32>(p, T + 8) + (c >> 32)
      d = m * <u64>load<u32>(p, 4) + (c & LOW) + (d >> 32)
      store<u32>(p, <u32>d, T + 4)
      c = x * <u64>load<u32>(p, B + 8) + <u64>load<u32>(p, T + 12) + (c >> 32)
      d = m * <u64>load<u32>(p, 8) + (c & LOW) + (d >> 32)
      store<u32>(p, <u32>d, T + 8)
      c = x * <u64>load<u32>(p, B + 12) + t3 + (c >> 32)
      d = m * <u64>load<u32>(p, 12) + (c & LOW) + (d >> 32)
      store<u32>(p, <u32>d, T + 12)
    }
    c = <u64>load<u32>(end, T + 4) + (c >> 32) + (d >> 32)
    store<u32>(end, <u32>c, T)
    store<u32>(end, <u32>(c >> 32), T + 4)
    a += 4
  }
}

/** out = the sum, reduced below n; the workspace is ready for the next product. */
export function montgomeryFinish(out: usize, work: usize): void {
  const end = groupsEnd(work)
  const over = load<u32>(end, T + 4)
  let borrow: i64 = 0
  let q = out
  for (let p = work + HEAD; p < end; p += GROUP, q += 16) {
    const t3: i64 = load<u32>(p, GROUP + T)
    const t2: i64 = load<u32>(p, T + 12)
    const t1: i64 = load<u32>(p, T + 8)
    const t0: i64 = load<u32>(p, T + 4)
    store<u32>(q, <u32>t3, 12)
    store<u32>(q, <u32>t2, 8)
    store<u32>(q, <u32>t1, 4)
    store<u32>(q, <u32>t0)
    borrow = (t0 - <i64>load<u32>(p) + borrow) >> 32
    borrow = (t1 - <i64>load<u32>(p, 4) + borrow) >> 32
    borrow = (t2 - <i64>load<u32>(p, 8) + borrow) >> 32
    borrow = (t3 - <i64>load<u32>(p, 12) + borrow) >> 32
    store<u64>(p, 0, T)
    store<u64>(p, 0, T + 8)
  }
  store<u64>(end, 0, T)
  if (over !== 0 || borrow === 0) subtractModulus(out, work)
}

/** The last group. */
function groupsEnd(work: usize): usize {
  return work + HEAD + 12 * <usize>load<u32>(work)
}

/** a = a - n */
function subtractModulus(a: usize, work: usize): void {
  const end = groupsEnd(work)
  let c: i64 = 0
  for (let p = work + HEAD; p < end; p += GROUP, a += 16) {
    for (let i: usize = 0; i < 16; i += 4) {
      c = (c >> 32) + <i64>load<u32>(a + i) - <i64>load<u32>(p + i)
      store<u32>(a + i, <u32>c)
    }
  }
}

function copyFour(out: usize, a: usize): void {
  const a3 = load<u32>(a, 12)
  const a2 = load<u32>(a, 8)
  const a1 = load<u32>(a, 4)
  store<u32>(out, a3, 12)
  store<u32>(out, a2, 8)
  store<u32>(out, a1, 4)
  store<u32>(out, load<u32>(a))
}
