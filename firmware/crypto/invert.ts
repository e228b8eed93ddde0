// Inverses modulo an odd number below 2^256, in constant time and in slices: the division steps of D. J. Bernstein and
// B.-Y. Yang, "Fast constant-time gcd computation and modular inversion" (2019), in the variant that starts with
// delta = 1/2. About a tenth of the work of Fermat's power.
//
// f starts as the modulus M, g as the number a. A division step looks at the sign of delta and the lowest bit of g:
//
//   delta > 0, g odd    delta, f, g  =  1 - delta, g, (g - f) / 2
//   g odd               delta, f, g  =  1 + delta, f, (g + f) / 2
//   g even              delta, f, g  =  1 + delta, f, g / 2
//
// 590 steps bring g to 0 and f to 1 or -1, for every a below a 256-bit M (P. Wuille's computed bound for this variant;
// secp256k1 rests on it too); here are 600. Thirty steps at a time act on the low bits alone and give a matrix, which
// is then applied to f and g, and modulo M to d and e. These keep d * a = f and e * a = g (mod M), so that at the end
// the inverse is d with the sign of f.
//
// Numbers are nine signed limbs of 30 bits, little end first; the last one has the sign.

/** `f | g | d | e | matrix u v q r | zeta i32 | batches left u32 | modulus u32`, 4-aligned. */
export const INVERT_SIZE: usize = 4 * 36 + 16 + 16

const F: usize = 0
const G: usize = 36
const D: usize = 72
const E: usize = 108
const MATRIX: usize = 144
const ZETA: usize = 160
const LEFT: usize = 164
const MODULUS: usize = 168

const BATCHES: u32 = 20

/** Batches in one slice. */
const SLICE: u32 = 4

const LIMBS: usize = 36
const MASK: i32 = 0x3fff_ffff

// A modulus: nine limbs, and its inverse modulo 2^30.

/** 2^255 - 19 */
export const INVERT_25519: usize = memory.data<u32>([
  0x3fff_ffed, 0x3fff_ffff, 0x3fff_ffff, 0x3fff_ffff, 0x3fff_ffff, 0x3fff_ffff, 0x3fff_ffff, 0x3fff_ffff, 0x0000_7fff,
  0x1794_35e5,
])

/** P-256's p */
export const INVERT_P256_P: usize = memory.data<u32>([
  0x3fff_ffff, 0x3fff_ffff, 0x3fff_ffff, 0x0000_003f, 0x0000_0000, 0x0000_0000, 0x0000_1000, 0x3fff_c000, 0x0000_ffff,
  0x3fff_ffff,
])

/** P-256's n */
export const INVERT_P256_N: usize = memory.data<u32>([
  0x3c63_2551, 0x0ee7_2b0b, 0x3179_e84f, 0x39be_ab69, 0x3fff_ffbc, 0x3fff_ffff, 0x0000_0fff, 0x3fff_c000, 0x0000_ffff,
  0x11ff_43b1,
])

/** Begins 1 / a; a is eight limbs of 32 bits, below the modulus. */
export function invertStart(state: usize, a: usize, modulus: usize): void {
  memory.copy(state + F, modulus, LIMBS)
  unpack(state + G, a)
  memory.fill(state + D, 0, 2 * LIMBS)
  store<i32>(state + E, 1)
  store<i32>(state + ZETA, -1)
  store<u32>(state + LEFT, BATCHES)
  store<u32>(state + MODULUS, <u32>modulus)
}

/** Does one slice of 120 division steps; true when `invertFinish` may be called. */
export function invertStep(state: usize): bool {
  let left = load<u32>(state + LEFT)
  for (let i: u32 = 0; i < SLICE && left > 0; i++, left--) {
    divideSteps(state)
    updateFG(state)
    updateDE(state, load<u32>(state + MODULUS))
  }
  store<u32>(state + LEFT, left)
  return left === 0
}

/** out = the inverse, below the modulus; 0 for 0. */
export function invertFinish(state: usize, out: usize): void {
  const modulus: usize = load<u32>(state + MODULUS)
  const d = state + D
  // d is above -2M and below M.
  addMasked(d, modulus, load<i32>(d, 32) >> 31)
  negateMasked(d, load<i32>(state + F, 32) >> 31)
  addMasked(d, modulus, load<i32>(d, 32) >> 31)
  pack(out, d)
}

/** Thirty steps on the low bits of f and g: MATRIX * (f, g) = 2^30 * (the f and g after them). */
function divideSteps(state: usize): void {
  // zeta is -(delta + 1/2), so that delta > 0 is its sign bit.
  let zeta = load<i32>(state + ZETA)
  let f = load<i32>(state + F)
  let g = load<i32>(state + G)
  let u: i32 = 1
  let v: i32 = 0
  let q: i32 = 0
  let r: i32 = 1
  for (let i = 0; i < 30; i++) {
    let swap = zeta >> 31
    const odd = -(g & 1)
    g += ((f ^ swap) - swap) & odd
    q += ((u ^ swap) - swap) & odd
    r += ((v ^ swap) - swap) & odd
    swap &= odd
    zeta = (zeta ^ swap) - 1
    f += g & swap
    u += q & swap
    v += r & swap
    g >>= 1
    u <<= 1
    v <<= 1
  }
  store<i32>(state + ZETA, zeta)
  store<i32>(state + MATRIX, u)
  store<i32>(state + MATRIX, v, 4)
  store<i32>(state + MATRIX, q, 8)
  store<i32>(state + MATRIX, r, 12)
}

/** (f, g) = MATRIX * (f, g) / 2^30. The low 30 bits of the products are zero. */
function updateFG(state: usize): void {
  const u: i64 = load<i32>(state + MATRIX)
  const v: i64 = load<i32>(state + MATRIX, 4)
  const q: i64 = load<i32>(state + MATRIX, 8)
  const r: i64 = load<i32>(state + MATRIX, 12)
  let cf: i64 = 0
  let cg: i64 = 0
  for (let p = state; p < state + LIMBS; p += 4) {
    const f: i64 = load<i32>(p, F)
    const g: i64 = load<i32>(p, G)
    cf += u * f + v * g
    cg += q * f + r * g
    if (p !== state) {
      store<i32>(p - 4, <i32>cf & MASK, F)
      store<i32>(p - 4, <i32>cg & MASK, G)
    }
    cf >>= 30
    cg >>= 30
  }
  store<i32>(state + F, <i32>cf, 32)
  store<i32>(state + G, <i32>cg, 32)
}

/**
 * (d, e) = MATRIX * (d, e) / 2^30 mod M, both above -2M and below M, before and after: M is added to what is negative,
 * then taken away as often (0 .. 2^30 - 1 times) as clears the low 30 bits.
 */
function updateDE(state: usize, modulus: usize): void {
  const u = load<i32>(state + MATRIX)
  const v = load<i32>(state + MATRIX, 4)
  const q = load<i32>(state + MATRIX, 8)
  const r = load<i32>(state + MATRIX, 12)
  const dSign = load<i32>(state + D, 32) >> 31
  const eSign = load<i32>(state + E, 32) >> 31
  const inverse = load<i32>(modulus, 36)
  const d0 = load<i32>(state + D)
  const e0 = load<i32>(state + E)
  let md = (u & dSign) + (v & eSign)
  let me = (q & dSign) + (r & eSign)
  md -= ((u * d0 + v * e0) * inverse + md) & MASK
  me -= ((q * d0 + r * e0) * inverse + me) & MASK
  let cd: i64 = 0
  let ce: i64 = 0
  for (let i: usize = 0; i < LIMBS; i += 4) {
    const p = state + i
    const d: i64 = load<i32>(p, D)
    const e: i64 = load<i32>(p, E)
    const m: i64 = load<i32>(modulus + i)
    cd += <i64>u * d + <i64>v * e + <i64>md * m
    ce += <i64>q * d + <i64>r * e + <i64>me * m
    if (i !== 0) {
      store<i32>(p - 4, <i32>cd & MASK, D)
      store<i32>(p - 4, <i32>ce & MASK, E)
    }
    cd >>= 30
    ce >>= 30
  }
  store<i32>(state + D, <i32>cd, 32)
  store<i32>(state + E, <i32>ce, 32)
}

/** a = a + M where `mask` is all ones */
function addMasked(a: usize, modulus: usize, mask: i32): void {
  let c: i32 = 0
  for (let i: usize = 0; i < LIMBS - 4; i += 4) {
    c += load<i32>(a + i) + (load<i32>(modulus + i) & mask)
    store<i32>(a + i, c & MASK)
    c >>= 30
  }
  store<i32>(a, c + load<i32>(a, 32) + (load<i32>(modulus, 32) & mask), 32)
}

/** a = -a where `mask` is all ones */
function negateMasked(a: usize, mask: i32): void {
  let c: i32 = 0
  for (let i: usize = 0; i < LIMBS - 4; i += 4) {
    c += (load<i32>(a + i) ^ mask) - mask
    store<i32>(a + i, c & MASK)
    c >>= 30
  }
  store<i32>(a, c + ((load<i32>(a, 32) ^ mask) - mask), 32)
}

/** Eight limbs of 32 bits into nine of 30. */
function unpack(out: usize, a: usize): void {
  let pending: u64 = 0
  let bits: u64 = 0
  for (let i: usize = 0; i < 32; i += 4) {
    pending |= (<u64>load<u32>(a + i)) << bits
    bits += 32
    // Limb i of 30 bits is complete; 2 bits more wait with each turn.
    store<i32>(out + i, <i32>pending & MASK)
    pending >>= 30
    bits -= 30
  }
  store<i32>(out, <i32>pending, 32)
}

/** Nine limbs of 30 bits, not negative and below 2^256, into eight of 32. */
function pack(out: usize, a: usize): void {
  let pending: u64 = load<u32>(a)
  let bits: u64 = 30
  for (let i: usize = 0; i < 32; i += 4) {
    pending |= (<u64>load<u32>(a + i, 4)) << bits
    store<u32>(out + i, <u32>pending)
    pending >>= 32
    bits -= 2
  }
}
