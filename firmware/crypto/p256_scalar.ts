// Arithmetic modulo n, the order of P-256's base point (SP 800-186, section 3.2.1.3), for signatures.
//
// Numbers are eight limbs (limbs.ts) below n; an output may lie on an input. `mulOrder` is Montgomery's product
// a * b / 2^256 mod n: a number in Montgomery form (x * 2^256) times a plain one gives the plain product.
//
// Constant time: no branch and no address depends on a value (limbs.ts says what that means on which processor).

const N0: u64 = 0xfc63_2551
const N1: u64 = 0xf3b9_cac2
const N2: u64 = 0xa717_9e84
const N3: u64 = 0xbce6_faad
const LOW: u64 = 0xffff_ffff

/** -1 / n mod 2^32 */
const NEGATIVE_INVERSE: u32 = 0xee00_bc4f

/** n; its upper half is 0xffffffff, 0xffffffff, 0, 0xffffffff from the low end. */
export const P256_N: usize = memory.data<u32>([
  0xfc63_2551, 0xf3b9_cac2, 0xa717_9e84, 0xbce6_faad, 0xffff_ffff, 0xffff_ffff, 0x0000_0000, 0xffff_ffff,
])

/** 2^512 mod n */
const R2: usize = memory.data<u32>([
  0xbe79_eea2, 0x8324_4c95, 0x49bd_6fa6, 0x4699_799c, 0x2b6b_ec59, 0x2845_b239, 0xf3d9_5620, 0x66e1_2d94,
])

/** out = a * b / 2^256 */
export function mulOrder(out: usize, a: usize, b: usize): void {
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
  let t8: u64 = 0
  // A turn adds a row of the product, then the multiple of n that clears the lowest limb, and moves down by one.
  for (let i: usize = 0; i < 32; i += 4) {
    const x: u64 = load<u32>(a + i)
    let c = x * b0 + t0
    t0 = c & LOW
    c = x * b1 + t1 + (c >> 32)
    t1 = c & LOW
    c = x * b2 + t2 + (c >> 32)
    t2 = c & LOW
    c = x * b3 + t3 + (c >> 32)
    t3 = c & LOW
    c = x * b4 + t4 + (c >> 32)
    t4 = c & LOW
    c = x * b5 + t5 + (c >> 32)
    t5 = c & LOW
    c = x * b6 + t6 + (c >> 32)
    t6 = c & LOW
    c = x * b7 + t7 + (c >> 32)
    t7 = c & LOW
    t8 += c >> 32
    const m: u64 = <u32>t0 * NEGATIVE_INVERSE
    const m32: u64 = m * LOW
    c = m * N0 + t0
    c = m * N1 + t1 + (c >> 32)
    t0 = c & LOW
    c = m * N2 + t2 + (c >> 32)
    t1 = c & LOW
    c = m * N3 + t3 + (c >> 32)
    t2 = c & LOW
    c = m32 + t4 + (c >> 32)
    t3 = c & LOW
    c = m32 + t5 + (c >> 32)
    t4 = c & LOW
    c = t6 + (c >> 32)
    t5 = c & LOW
    c = m32 + t7 + (c >> 32)
    t6 = c & LOW
    c = t8 + (c >> 32)
    t7 = c & LOW
    t8 = c >> 32
  }
  store<u32>(out, <u32>t0)
  store<u32>(out, <u32>t1, 4)
  store<u32>(out, <u32>t2, 8)
  store<u32>(out, <u32>t3, 12)
  store<u32>(out, <u32>t4, 16)
  store<u32>(out, <u32>t5, 20)
  store<u32>(out, <u32>t6, 24)
  store<u32>(out, <u32>t7, 28)
  subtractOnce(out, t8)
}

/** out = a number below 2^256 into Montgomery form */
export function toMontgomeryOrder(out: usize, a: usize): void {
  mulOrder(out, a, R2)
}

/** out = a + b */
export function addOrder(out: usize, a: usize, b: usize): void {
  let c: u64 = 0
  for (let i: usize = 0; i < 32; i += 4) {
    c = (c >> 32) + <u64>load<u32>(a + i) + <u64>load<u32>(b + i)
    store<u32>(out + i, <u32>c)
  }
  subtractOnce(out, c >> 32)
}

/** a = a mod n, for any 256-bit number (2^256 < 2n) */
export function reduceOrder(a: usize): void {
  subtractOnce(a, 0)
}

/** a = a + over * 2^256, less n if that is not below n; the whole is below 2n. */
function subtractOnce(a: usize, over: u64): void {
  let c: i64 = 0
  for (let i: usize = 0; i < 32; i += 4) {
    c = (c >> 32) + <i64>load<u32>(a + i) - <i64>load<u32>(P256_N + i)
    store<u32>(a + i, <u32>c)
  }
  // The sign of the difference.
  const mask = <u32>((c >> 32) + <i64>over)
  let d: u64 = 0
  for (let i: usize = 0; i < 32; i += 4) {
    d = (d >> 32) + <u64>load<u32>(a + i) + <u64>(load<u32>(P256_N + i) & mask)
    store<u32>(a + i, <u32>d)
  }
}
