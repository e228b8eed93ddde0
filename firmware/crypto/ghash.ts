// POLYVAL (RFC 8452, section 3) and GHASH (SP 800-38D, section 6.4): universal hashes over GF(2^128).
//
// Both are one multiplication. POLYVAL's is in natural little-endian order; GHASH is POLYVAL of byte-reversed blocks
// under mulX of the byte-reversed key (RFC 8452, appendix A).
//
// A key's multiples by the polynomials of degree below 4, and x^4 times those, are a table in module memory, one for all
// keys: it is computed (about 400 instructions) when another key is used than last time. Whoever has used a key ends with
// `polyvalForget`, as with all scratch.
//
// Timing. The table is secret, and is looked up by secret nibbles. As for the tables of aes.ts: on the ESP32-C3 linear
// memory is SRAM behind no data cache, so each look-up costs the same and the multiplication is constant-time there; on
// a PC, the virtual board, the data cache sees which lines are used (the table has eight) and it is not. Nothing
// branches on a secret.
//
// A key is POLYVAL_KEY_SIZE bytes, 8-aligned, and may be copied with memory.copy: its four words | serial u32 | unused.
// Zeros are the key of zeros.
// A sum is 16 bytes, 4-aligned, starting as zeros: four words, lowest coefficients first.

import { loadU32be, loadU32le, storeU32be, storeU32le } from '../bytes/endian'
import { zeroBlock } from './block'

/** Bytes of a key. */
export const POLYVAL_KEY_SIZE: u32 = 24

/** The zero-padded end of a section, one block. */
const PADDED: usize = memory.data(16, 8)

/** Multiples of the key whose serial is `tableSerial`, 16 bytes each; zeros under serial 0. The upper half: times x^4. */
const TABLE: usize = memory.data(512, 8)
const TABLE_HIGH: usize = TABLE + 256
let tableSerial: u32 = 0
let lastSerial: u32 = 0

/** A POLYVAL key from 16 bytes at `h`. */
export function polyvalKey(key: usize, h: usize): void {
  setKey(key, loadU32le(h), loadU32le(h + 4), loadU32le(h + 8), loadU32le(h + 12))
}

/** A GHASH key from 16 bytes at `h`: mulX of the reversed block, carry and all, by shifts and a mask. */
export function ghashKey(key: usize, h: usize): void {
  const a = loadU32be(h + 12)
  const b = loadU32be(h + 8)
  const c = loadU32be(h + 4)
  const d = loadU32be(h)
  const carry: u32 = 0 - (d >> 31)
  setKey(
    key,
    (a << 1) ^ (carry & 1),
    (b << 1) | (a >> 31),
    (c << 1) | (b >> 31),
    ((d << 1) | (c >> 31)) ^ (carry & 0xc2000000),
  )
}

/** Forgets what was computed from the key used last; the key itself is its owner's. */
export function polyvalForget(): void {
  memory.fill(TABLE, 0, 512)
  tableSerial = 0
}

/** Absorbs `length` bytes and zeros up to the next multiple of 16. */
export function polyvalUpdate(key: usize, sum: usize, data: usize, length: u32): void {
  if (load<u32>(key, 16) !== tableSerial) buildTable(key)
  const end = data + length
  for (; data < end; data += 16) {
    let block = data
    if (end - data < 16) block = pad(data, <u32>(end - data))
    polyvalBlock(sum, block)
  }
  zeroBlock(PADDED)
}

/** As `polyvalUpdate`, in GHASH's order. */
export function ghashUpdate(key: usize, sum: usize, data: usize, length: u32): void {
  if (load<u32>(key, 16) !== tableSerial) buildTable(key)
  const end = data + length
  for (; data < end; data += 16) {
    let block = data
    if (end - data < 16) block = pad(data, <u32>(end - data))
    ghashBlock(sum, block)
  }
  zeroBlock(PADDED)
}

/** A POLYVAL sum as 16 bytes. */
export function polyvalOutput(sum: usize, out: usize): void {
  for (let i: usize = 0; i < 16; i += 4) storeU32le(out + i, load<u32>(sum + i))
}

/** A GHASH sum as 16 bytes. */
export function ghashOutput(sum: usize, out: usize): void {
  for (let i: usize = 0; i < 16; i += 4) storeU32be(out + i, load<u32>(sum + 12 - i))
}

function pad(data: usize, length: u32): usize {
  zeroBlock(PADDED)
  memory.copy(PADDED, data, length)
  return PADDED
}

function polyvalBlock(sum: usize, data: usize): void {
  const aligned = (data & 3) === 0
  multiply(
    sum,
    load<u32>(sum) ^ (aligned ? load<u32>(data) : loadU32le(data)),
    load<u32>(sum, 4) ^ (aligned ? load<u32>(data, 4) : loadU32le(data + 4)),
    load<u32>(sum, 8) ^ (aligned ? load<u32>(data, 8) : loadU32le(data + 8)),
    load<u32>(sum, 12) ^ (aligned ? load<u32>(data, 12) : loadU32le(data + 12)),
  )
}

function ghashBlock(sum: usize, data: usize): void {
  const aligned = (data & 3) === 0
  multiply(
    sum,
    load<u32>(sum) ^ (aligned ? bswap<u32>(load<u32>(data, 12)) : loadU32be(data + 12)),
    load<u32>(sum, 4) ^ (aligned ? bswap<u32>(load<u32>(data, 8)) : loadU32be(data + 8)),
    load<u32>(sum, 8) ^ (aligned ? bswap<u32>(load<u32>(data, 4)) : loadU32be(data + 4)),
    load<u32>(sum, 12) ^ (aligned ? bswap<u32>(load<u32>(data)) : loadU32be(data)),
  )
}

/**
 * sum = (a, b, c, d) * the table's key * x^-128. The bytes of one place in all four words are looked up together, and the
 * product is shifted by eight between places (a comb), then reduced.
 */
function multiply(sum: usize, a: u32, b: u32, c: u32, d: u32): void {
  let p0: u32 = 0
  let p1: u32 = 0
  let p2: u32 = 0
  let p3: u32 = 0
  let p4: u32 = 0
  let p5: u32 = 0
  let p6: u32 = 0
  let p7: u32 = 0
  for (let left = 4; ; ) {
    let at: usize
    at = (a >> 24) & 0xf0
    p0 ^= load<u32>(at, TABLE_HIGH)
    p1 ^= load<u32>(at, TABLE_HIGH + 4)
    p2 ^= load<u32>(at, TABLE_HIGH + 8)
    p3 ^= load<u32>(at, TABLE_HIGH + 12)
    at = (b >> 24) & 0xf0
    p1 ^= load<u32>(at, TABLE_HIGH)
    p2 ^= load<u32>(at, TABLE_HIGH + 4)
    p3 ^= load<u32>(at, TABLE_HIGH + 8)
    p4 ^= load<u32>(at, TABLE_HIGH + 12)
    at = (c >> 24) & 0xf0
    p2 ^= load<u32>(at, TABLE_HIGH)
    p3 ^= load<u32>(at, TABLE_HIGH + 4)
    p4 ^= load<u32>(at, TABLE_HIGH + 8)
    p5 ^= load<u32>(at, TABLE_HIGH + 12)
    at = (d >> 24) & 0xf0
    p3 ^= load<u32>(at, TABLE_HIGH)
    p4 ^= load<u32>(at, TABLE_HIGH + 4)
    p5 ^= load<u32>(at, TABLE_HIGH + 8)
    p6 ^= load<u32>(at, TABLE_HIGH + 12)
    at = (a >> 20) & 0xf0
    p0 ^= load<u32>(at, TABLE)
    p1 ^= load<u32>(at, TABLE + 4)
    p2 ^= load<u32>(at, TABLE + 8)
    p3 ^= load<u32>(at, TABLE + 12)
    at = (b >> 20) & 0xf0
    p1 ^= load<u32>(at, TABLE)
    p2 ^= load<u32>(at, TABLE + 4)
    p3 ^= load<u32>(at, TABLE + 8)
    p4 ^= load<u32>(at, TABLE + 12)
    at = (c >> 20) & 0xf0
    p2 ^= load<u32>(at, TABLE)
    p3 ^= load<u32>(at, TABLE + 4)
    p4 ^= load<u32>(at, TABLE + 8)
    p5 ^= load<u32>(at, TABLE + 12)
    at = (d >> 20) & 0xf0
    p3 ^= load<u32>(at, TABLE)
    p4 ^= load<u32>(at, TABLE + 4)
    p5 ^= load<u32>(at, TABLE + 8)
    p6 ^= load<u32>(at, TABLE + 12)
    if (--left === 0) break
    a <<= 8
    b <<= 8
    c <<= 8
    d <<= 8
    p7 = (p7 << 8) | (p6 >> 24)
    p6 = (p6 << 8) | (p5 >> 24)
    p5 = (p5 << 8) | (p4 >> 24)
    p4 = (p4 << 8) | (p3 >> 24)
    p3 = (p3 << 8) | (p2 >> 24)
    p2 = (p2 << 8) | (p1 >> 24)
    p1 = (p1 << 8) | (p0 >> 24)
    p0 <<= 8
  }
  reduce(sum, p0, p1, p2, p3, p4, p5, p6, p7)
}

/**
 * The product's eight words times x^-128 modulo x^128 + x^127 + x^126 + x^121 + 1. The lower half is cleared a word at a
 * time by adding a multiple of the modulus; what that adds above is kept.
 */
function reduce(sum: usize, w0: u32, w1: u32, w2: u32, low3: u32, h0: u32, h1: u32, h2: u32, h3: u32): void {
  const w3 = low3 ^ spill(w0)
  store<u32>(sum, h0 ^ fold(w0) ^ spill(w1))
  store<u32>(sum, h1 ^ fold(w1) ^ spill(w2), 4)
  store<u32>(sum, h2 ^ fold(w2) ^ spill(w3), 8)
  store<u32>(sum, h3 ^ fold(w3), 12)
}

/** What clearing word w adds four words above. */
function fold(w: u32): u32 {
  return w ^ (w >> 1) ^ (w >> 2) ^ (w >> 7)
}

/** What clearing word w adds three words above. */
function spill(w: u32): u32 {
  return (w << 31) ^ (w << 30) ^ (w << 25)
}

function setKey(key: usize, a: u32, b: u32, c: u32, d: u32): void {
  store<u32>(key, a)
  store<u32>(key, b, 4)
  store<u32>(key, c, 8)
  store<u32>(key, d, 12)
  lastSerial++
  if (lastSerial === 0) lastSerial = 1
  store<u32>(key, lastSerial, 16)
}

/** Entry n is the key times the polynomial whose coefficients are n's bits; in the second half, times x^4 too. */
function buildTable(key: usize): void {
  store<u32>(TABLE, load<u32>(key), 16)
  store<u32>(TABLE, load<u32>(key, 4), 20)
  store<u32>(TABLE, load<u32>(key, 8), 24)
  store<u32>(TABLE, load<u32>(key, 12), 28)
  timesX(TABLE + 16, TABLE + 32)
  timesX(TABLE + 32, TABLE + 64)
  timesX(TABLE + 64, TABLE + 128)
  timesX(TABLE + 128, TABLE_HIGH + 16)
  timesX(TABLE_HIGH + 16, TABLE_HIGH + 32)
  timesX(TABLE_HIGH + 32, TABLE_HIGH + 64)
  timesX(TABLE_HIGH + 64, TABLE_HIGH + 128)
  sums(TABLE)
  sums(TABLE + 4)
  sums(TABLE + 8)
  sums(TABLE + 12)
  sums(TABLE_HIGH)
  sums(TABLE_HIGH + 4)
  sums(TABLE_HIGH + 8)
  sums(TABLE_HIGH + 12)
  tableSerial = load<u32>(key, 16)
}

/** to = from * x, carry and all, by shifts and a mask. */
function timesX(from: usize, to: usize): void {
  const a = load<u32>(from)
  const b = load<u32>(from, 4)
  const c = load<u32>(from, 8)
  const d = load<u32>(from, 12)
  const carry: u32 = 0 - (d >> 31)
  store<u32>(to, (a << 1) ^ (carry & 1))
  store<u32>(to, (b << 1) | (a >> 31), 4)
  store<u32>(to, (c << 1) | (b >> 31), 8)
  store<u32>(to, ((d << 1) | (c >> 31)) ^ (carry & 0xc2000000), 12)
}

/** One word of each entry that is a sum, from entries 1, 2, 4 and 8. */
function sums(word: usize): void {
  const one = load<u32>(word, 16)
  const two = load<u32>(word, 32)
  const four = load<u32>(word, 64)
  const eight = load<u32>(word, 128)
  const three = one ^ two
  const twelve = four ^ eight
  store<u32>(word, three, 48)
  store<u32>(word, four ^ one, 80)
  store<u32>(word, four ^ two, 96)
  store<u32>(word, four ^ three, 112)
  store<u32>(word, eight ^ one, 144)
  store<u32>(word, eight ^ two, 160)
  store<u32>(word, eight ^ three, 176)
  store<u32>(word, twelve, 192)
  store<u32>(word, twelve ^ one, 208)
  store<u32>(word, twelve ^ two, 224)
  store<u32>(word, twelve ^ three, 240)
}
