// biome-ignore-all lint/correctness/noPrecisionLoss: AssemblyScript reads all 64 bits of the literals below.

// POLYVAL (RFC 8452, section 3) and GHASH (SP 800-38D, section 6.4): universal hashes over GF(2^128).
//
// Both are one multiplication. POLYVAL's is in natural little-endian order; GHASH is POLYVAL of byte-reversed blocks
// under mulX of the byte-reversed key (RFC 8452, appendix A).
//
// No tables: a carry-less product of two 32-bit words is put together from sixteen ordinary 32x32->64 products of words
// in which only every fourth bit is kept. Then at most eight ones meet in a column, their sum stays within the four bits
// of the column, and its lowest bit is the carry-less product's. Constant-time where a multiplication is: for the
// ESP32-C3's multiplier no time that depends on the operands is documented, and current PCs' have none.
//
// A key is POLYVAL_KEY_SIZE bytes, 8-aligned: the nine factors of a two-level Karatsuba product.
// A sum is 16 bytes, 4-aligned, starting as zeros: four words, lowest coefficients first.

import { loadU32be, loadU32le, storeU32be, storeU32le } from '../bytes/endian'

/** Bytes of a key: nine factors, and a word that is not used. */
export const POLYVAL_KEY_SIZE: u32 = 40

/** The zero-padded end of a section, one block. */
const PADDED: usize = memory.data(16, 8)

/** A POLYVAL key from 16 bytes at `h`. */
export function polyvalKey(key: usize, h: usize): void {
  factors(key, loadU32le(h), loadU32le(h + 4), loadU32le(h + 8), loadU32le(h + 12))
}

/** A GHASH key from 16 bytes at `h`: mulX of the reversed block, carry and all, by shifts and a mask. */
export function ghashKey(key: usize, h: usize): void {
  const a = loadU32be(h + 12)
  const b = loadU32be(h + 8)
  const c = loadU32be(h + 4)
  const d = loadU32be(h)
  const carry: u32 = 0 - (d >> 31)
  factors(
    key,
    (a << 1) ^ (carry & 1),
    (b << 1) | (a >> 31),
    (c << 1) | (b >> 31),
    ((d << 1) | (c >> 31)) ^ (carry & 0xc2000000),
  )
}

/** Absorbs `length` bytes and zeros up to the next multiple of 16. */
export function polyvalUpdate(key: usize, sum: usize, data: usize, length: u32): void {
  for (; length >= 16; length -= 16) {
    polyvalBlock(key, sum, data)
    data += 16
  }
  if (length === 0) return
  pad(data, length)
  polyvalBlock(key, sum, PADDED)
  memory.fill(PADDED, 0, 16)
}

/** As `polyvalUpdate`, in GHASH's order. */
export function ghashUpdate(key: usize, sum: usize, data: usize, length: u32): void {
  for (; length >= 16; length -= 16) {
    ghashBlock(key, sum, data)
    data += 16
  }
  if (length === 0) return
  pad(data, length)
  ghashBlock(key, sum, PADDED)
  memory.fill(PADDED, 0, 16)
}

/** A POLYVAL sum as 16 bytes. */
export function polyvalOutput(sum: usize, out: usize): void {
  for (let i: usize = 0; i < 16; i += 4) storeU32le(out + i, load<u32>(sum + i))
}

/** A GHASH sum as 16 bytes. */
export function ghashOutput(sum: usize, out: usize): void {
  for (let i: usize = 0; i < 16; i += 4) storeU32be(out + i, load<u32>(sum + 12 - i))
}

function pad(data: usize, length: u32): void {
  memory.fill(PADDED, 0, 16)
  memory.copy(PADDED, data, length)
}

function polyvalBlock(key: usize, sum: usize, data: usize): void {
  const aligned = (data & 3) === 0
  multiply(
    key,
    sum,
    load<u32>(sum) ^ (aligned ? load<u32>(data) : loadU32le(data)),
    load<u32>(sum, 4) ^ (aligned ? load<u32>(data, 4) : loadU32le(data + 4)),
    load<u32>(sum, 8) ^ (aligned ? load<u32>(data, 8) : loadU32le(data + 8)),
    load<u32>(sum, 12) ^ (aligned ? load<u32>(data, 12) : loadU32le(data + 12)),
  )
}

function ghashBlock(key: usize, sum: usize, data: usize): void {
  const aligned = (data & 3) === 0
  multiply(
    key,
    sum,
    load<u32>(sum) ^ (aligned ? bswap<u32>(load<u32>(data, 12)) : loadU32be(data + 12)),
    load<u32>(sum, 4) ^ (aligned ? bswap<u32>(load<u32>(data, 8)) : loadU32be(data + 8)),
    load<u32>(sum, 8) ^ (aligned ? bswap<u32>(load<u32>(data, 4)) : loadU32be(data + 4)),
    load<u32>(sum, 12) ^ (aligned ? bswap<u32>(load<u32>(data)) : loadU32be(data)),
  )
}

/** sum = (a, b, c, d) * key * x^-128: the carry-less product by Karatsuba, then the reduction. */
function multiply(key: usize, sum: usize, a: u32, b: u32, c: u32, d: u32): void {
  // Each half: low, high and middle products of two-word factors.
  const l0 = carryless(a, load<u32>(key))
  const l1 = carryless(b, load<u32>(key, 4))
  const lm = carryless(a ^ b, load<u32>(key, 8)) ^ l0 ^ l1
  const h0 = carryless(c, load<u32>(key, 12))
  const h1 = carryless(d, load<u32>(key, 16))
  const hm = carryless(c ^ d, load<u32>(key, 20)) ^ h0 ^ h1
  const m0 = carryless(a ^ c, load<u32>(key, 24))
  const m1 = carryless(b ^ d, load<u32>(key, 28))
  const mm = carryless(a ^ b ^ c ^ d, load<u32>(key, 32)) ^ m0 ^ m1
  const lowLow = l0 ^ (lm << 32)
  const lowHigh = l1 ^ (lm >> 32)
  const highLow = h0 ^ (hm << 32)
  const highHigh = h1 ^ (hm >> 32)
  const midLow = m0 ^ (mm << 32) ^ lowLow ^ highLow
  const midHigh = m1 ^ (mm >> 32) ^ lowHigh ^ highHigh
  reduce(sum, lowLow, lowHigh ^ midLow, highLow ^ midHigh, highHigh)
}

/**
 * The product's four 64-bit words times x^-128 modulo x^128 + x^127 + x^126 + x^121 + 1. The lower half is cleared a
 * word at a time by adding a multiple of the modulus; what that adds above is kept.
 */
function reduce(sum: usize, low0: u64, low1: u64, high0: u64, high1: u64): void {
  const w0 = <u32>low0
  const w1 = <u32>(low0 >> 32)
  const w2 = <u32>low1
  const w3 = <u32>(low1 >> 32) ^ spill(w0)
  store<u32>(sum, <u32>high0 ^ fold(w0) ^ spill(w1))
  store<u32>(sum, <u32>(high0 >> 32) ^ fold(w1) ^ spill(w2), 4)
  store<u32>(sum, <u32>high1 ^ fold(w2) ^ spill(w3), 8)
  store<u32>(sum, <u32>(high1 >> 32) ^ fold(w3), 12)
}

/** What clearing word w adds four words above. */
function fold(w: u32): u32 {
  return w ^ (w >> 1) ^ (w >> 2) ^ (w >> 7)
}

/** What clearing word w adds three words above. */
function spill(w: u32): u32 {
  return (w << 31) ^ (w << 30) ^ (w << 25)
}

/** The nine factors of (a, b, c, d), in the order in which `multiply` uses them. */
function factors(key: usize, a: u32, b: u32, c: u32, d: u32): void {
  store<u32>(key, a)
  store<u32>(key, b, 4)
  store<u32>(key, a ^ b, 8)
  store<u32>(key, c, 12)
  store<u32>(key, d, 16)
  store<u32>(key, c ^ d, 20)
  store<u32>(key, a ^ c, 24)
  store<u32>(key, b ^ d, 28)
  store<u32>(key, a ^ b ^ c ^ d, 32)
}

/** The 64-bit carry-less product of two words. */
function carryless(x: u32, y: u32): u64 {
  const x0 = <u64>(x & 0x11111111)
  const x1 = <u64>(x & 0x22222222)
  const x2 = <u64>(x & 0x44444444)
  const x3 = <u64>(x & 0x88888888)
  const y0 = <u64>(y & 0x11111111)
  const y1 = <u64>(y & 0x22222222)
  const y2 = <u64>(y & 0x44444444)
  const y3 = <u64>(y & 0x88888888)
  const z0 = (x0 * y0) ^ (x1 * y3) ^ (x2 * y2) ^ (x3 * y1)
  const z1 = (x0 * y1) ^ (x1 * y0) ^ (x2 * y3) ^ (x3 * y2)
  const z2 = (x0 * y2) ^ (x1 * y1) ^ (x2 * y0) ^ (x3 * y3)
  const z3 = (x0 * y3) ^ (x1 * y2) ^ (x2 * y1) ^ (x3 * y0)
  return (z0 & 0x1111111111111111) | (z1 & 0x2222222222222222) | (z2 & 0x4444444444444444) | (z3 & 0x8888888888888888)
}
