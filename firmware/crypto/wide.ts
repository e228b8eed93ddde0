// Products of 256-bit numbers: 8 x 8 limbs of 32 bits into 16 limbs, the part that all three moduli share
// (field25519.ts, p256_field.ts, p256_scalar.ts).
//
// Numbers are little end first. The product goes to `WIDE`, a scratch area that every product overwrites; each modulus
// reduces it from there at once. It may hold secrets until `wipeWide`, which every computation calls at its end.
//
// Constant time: no branch and no address depends on a value. Every product is 32 x 32 -> 64 bits, on RV32 the pair
// mul, mulhu; the ESP32-C3 takes the same time for all operands. V8 makes one 64-bit multiplication of it, which runs
// in constant time on x86-64 and on the usual 64-bit Arm cores, but nobody guarantees that for all.

/** The last product: sixteen limbs. */
export const WIDE: usize = memory.data(64, 8)

const LOW: u64 = 0xffff_ffff

/** WIDE = a * b, for eight limbs each at 4-aligned addresses. */
export function mulWide(a: usize, b: usize): void {
  const b0: u64 = load<u32>(b, 0)
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
  // A row a turn. x * b + t + carry is at most (2^32 - 1)^2 + 2 * (2^32 - 1) = 2^64 - 1.
  for (let i: usize = 0; i < 32; i += 4) {
    const x: u64 = load<u32>(a + i)
    let c = x * b0 + t0
    store<u32>(WIDE + i, <u32>c)
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
  store<u32>(WIDE, <u32>t0, 32)
  store<u32>(WIDE, <u32>t1, 36)
  store<u32>(WIDE, <u32>t2, 40)
  store<u32>(WIDE, <u32>t3, 44)
  store<u32>(WIDE, <u32>t4, 48)
  store<u32>(WIDE, <u32>t5, 52)
  store<u32>(WIDE, <u32>t6, 56)
  store<u32>(WIDE, <u32>t7, 60)
}

/** WIDE = a * a, for eight limbs at a 4-aligned address. */
export function sqrWide(a: usize): void {
  const a0: u64 = load<u32>(a, 0)
  const a1: u64 = load<u32>(a, 4)
  const a2: u64 = load<u32>(a, 8)
  const a3: u64 = load<u32>(a, 12)
  const a4: u64 = load<u32>(a, 16)
  const a5: u64 = load<u32>(a, 20)
  const a6: u64 = load<u32>(a, 24)
  const a7: u64 = load<u32>(a, 28)
  // The products of different limbs, once each; t[k] has weight 2^(32 k).
  let c = a0 * a1
  const t1 = c & LOW
  c = a0 * a2 + (c >> 32)
  const t2 = c & LOW
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
  const t14 = c >> 32
  // Twice those, and the squares of the limbs.
  let s = a0 * a0
  store<u32>(WIDE, <u32>s)
  c = 2 * t1 + (s >> 32)
  store<u32>(WIDE, <u32>c, 4)
  s = a1 * a1
  c = (c >> 32) + 2 * t2 + (s & LOW)
  store<u32>(WIDE, <u32>c, 8)
  c = (c >> 32) + 2 * t3 + (s >> 32)
  store<u32>(WIDE, <u32>c, 12)
  s = a2 * a2
  c = (c >> 32) + 2 * t4 + (s & LOW)
  store<u32>(WIDE, <u32>c, 16)
  c = (c >> 32) + 2 * t5 + (s >> 32)
  store<u32>(WIDE, <u32>c, 20)
  s = a3 * a3
  c = (c >> 32) + 2 * t6 + (s & LOW)
  store<u32>(WIDE, <u32>c, 24)
  c = (c >> 32) + 2 * t7 + (s >> 32)
  store<u32>(WIDE, <u32>c, 28)
  s = a4 * a4
  c = (c >> 32) + 2 * t8 + (s & LOW)
  store<u32>(WIDE, <u32>c, 32)
  c = (c >> 32) + 2 * t9 + (s >> 32)
  store<u32>(WIDE, <u32>c, 36)
  s = a5 * a5
  c = (c >> 32) + 2 * t10 + (s & LOW)
  store<u32>(WIDE, <u32>c, 40)
  c = (c >> 32) + 2 * t11 + (s >> 32)
  store<u32>(WIDE, <u32>c, 44)
  s = a6 * a6
  c = (c >> 32) + 2 * t12 + (s & LOW)
  store<u32>(WIDE, <u32>c, 48)
  c = (c >> 32) + 2 * t13 + (s >> 32)
  store<u32>(WIDE, <u32>c, 52)
  s = a7 * a7
  c = (c >> 32) + 2 * t14 + (s & LOW)
  store<u32>(WIDE, <u32>c, 56)
  store<u32>(WIDE, <u32>((c >> 32) + (s >> 32)), 60)
}

/** Forgets the last product. */
export function wipeWide(): void {
  memory.fill(WIDE, 0, 64)
}
