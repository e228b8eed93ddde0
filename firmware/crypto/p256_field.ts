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
// Constant time: no branch and no address depends on a value (limbs.ts says what that means on which processor).

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

/** The plain number 1 */
const UNIT: usize = memory.data<u32>([1, 0, 0, 0, 0, 0, 0, 0])

const LOW: u64 = 0xffff_ffff

/** 2^512 mod p */
const R2: usize = memory.data<u32>([
  0x0000_0003, 0x0000_0000, 0xffff_ffff, 0xffff_fffb, 0xffff_fffe, 0xffff_ffff, 0xffff_fffd, 0x0000_0004,
])

/** out = a * b */
export function mulP256(out: usize, a: usize, b: usize): void {
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
  // Montgomery reduction: limb m_k of the multiplier is column k as it stands (header). From column 8 on, p is taken
  // away as well.
  const m0: i64 = <i64>load<u32>(out)
  const m1: i64 = <i64>load<u32>(out, 4)
  const m2: i64 = <i64>load<u32>(out, 8)
  let s: i64 = <i64>load<u32>(out, 12) + m0
  const m3: i64 = <u32>s
  s = (s >> 32) + <i64>load<u32>(out, 16) + m1
  const m4: i64 = <u32>s
  s = (s >> 32) + <i64>load<u32>(out, 20) + m2
  const m5: i64 = <u32>s
  s = (s >> 32) + <i64>load<u32>(out, 24) + m3 + m0
  const m6: i64 = <u32>s
  s = (s >> 32) + <i64>load<u32>(out, 28) + m4 + m1 - m0
  const m7: i64 = <u32>s
  s = (s >> 32) + <i64>t0 + m5 + m2 + m0 - m1 + 1
  const d0 = <u32>s
  s = (s >> 32) + <i64>t1 + m6 + m3 + m1 - m2
  const d1 = <u32>s
  s = (s >> 32) + <i64>t2 + m7 + m4 + m2 - m3
  const d2 = <u32>s
  s = (s >> 32) + <i64>t3 + m5 + m3 - m4 - 1
  const d3 = <u32>s
  s = (s >> 32) + <i64>t4 + m6 + m4 - m5
  const d4 = <u32>s
  s = (s >> 32) + <i64>t5 + m7 + m5 - m6
  const d5 = <u32>s
  s = (s >> 32) + <i64>t6 + m6 - m7 - 1
  const d6 = <u32>s
  s = (s >> 32) + <i64>t7 + m7 + 1
  const d7 = <u32>s
  settle(out, <u32>((s >> 32) - 1), d0, d1, d2, d3, d4, d5, d6, d7)
}

/** out = a * a */
export function sqrP256(out: usize, a: usize): void {
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
  // Montgomery reduction: limb m_k of the multiplier is column k as it stands (header). From column 8 on, p is taken
  // away as well.
  const m0: i64 = <i64>t0
  const m1: i64 = <i64>t1
  const m2: i64 = <i64>t2
  let s: i64 = <i64>t3 + m0
  const m3: i64 = <u32>s
  s = (s >> 32) + <i64>t4 + m1
  const m4: i64 = <u32>s
  s = (s >> 32) + <i64>t5 + m2
  const m5: i64 = <u32>s
  s = (s >> 32) + <i64>t6 + m3 + m0
  const m6: i64 = <u32>s
  s = (s >> 32) + <i64>t7 + m4 + m1 - m0
  const m7: i64 = <u32>s
  s = (s >> 32) + <i64>t8 + m5 + m2 + m0 - m1 + 1
  const d0 = <u32>s
  s = (s >> 32) + <i64>t9 + m6 + m3 + m1 - m2
  const d1 = <u32>s
  s = (s >> 32) + <i64>t10 + m7 + m4 + m2 - m3
  const d2 = <u32>s
  s = (s >> 32) + <i64>t11 + m5 + m3 - m4 - 1
  const d3 = <u32>s
  s = (s >> 32) + <i64>t12 + m6 + m4 - m5
  const d4 = <u32>s
  s = (s >> 32) + <i64>t13 + m7 + m5 - m6
  const d5 = <u32>s
  s = (s >> 32) + <i64>t14 + m6 - m7 - 1
  const d6 = <u32>s
  s = (s >> 32) + <i64>t15 + m7 + 1
  const d7 = <u32>s
  settle(out, <u32>((s >> 32) - 1), d0, d1, d2, d3, d4, d5, d6, d7)
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
  mulP256(out, a, UNIT)
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
