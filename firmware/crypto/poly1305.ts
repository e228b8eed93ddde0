// Poly1305 (RFC 8439, section 2.5): a one-time authenticator modulo 2^130 - 5.
//
// A state is POLY1305_STATE_SIZE bytes, 8-aligned. Numbers are five limbs of 26 bits, little end first, so that a column
// of five 32x32->64 products with its carries stays below 2^64:
//
//   r(5 words) | h(5 words) | s(4 words) | reserved(2 words)
//
// Constant-time where a multiplication is: for the ESP32-C3's multiplier no time that depends on the operands is
// documented, and current PCs' have none. No branch and no address depends on data; the last reduction selects by a mask.

import { loadU32le, storeU32le } from '../bytes/endian'
import { maskOfBit, selectU32 } from './constant_time'

/** Bytes of a state. */
export const POLY1305_STATE_SIZE: u32 = 64

const LIMB: u32 = 0x3ffffff
const H: usize = 20
const S: usize = 40

/** The zero-padded end of a section, one block. */
const PADDED: usize = memory.data(16, 8)

/** Takes the 32-byte one-time key r | s, clamping r (section 2.5.1). */
export function poly1305Init(state: usize, key: usize): void {
  const a = loadU32le(key)
  const b = loadU32le(key + 4)
  const c = loadU32le(key + 8)
  const d = loadU32le(key + 12)
  store<u32>(state, a & 0x3ffffff)
  store<u32>(state, ((a >> 26) | (b << 6)) & 0x3ffff03, 4)
  store<u32>(state, ((b >> 20) | (c << 12)) & 0x3ffc0ff, 8)
  store<u32>(state, ((c >> 14) | (d << 18)) & 0x3f03fff, 12)
  store<u32>(state, (d >> 8) & 0x00fffff, 16)
  memory.fill(state + H, 0, 20)
  for (let i: usize = 0; i < 16; i += 4) store<u32>(state + S + i, loadU32le(key + 16 + i))
}

/** Absorbs a message's whole length at once: full blocks, then a partial one marked by its own 1 (section 2.5.1). */
export function poly1305Message(state: usize, data: usize, length: u32): void {
  blocks(state, data, length >> 4, 1 << 24)
  const rest = length & 15
  if (rest === 0) return
  memory.fill(PADDED, 0, 16)
  memory.copy(PADDED, data + (length - rest), rest)
  store<u8>(PADDED + rest, 1)
  blocks(state, PADDED, 1, 0)
  memory.fill(PADDED, 0, 16)
}

/** Absorbs `length` bytes and zeros up to the next multiple of 16 (section 2.8's pad16). */
export function poly1305Padded(state: usize, data: usize, length: u32): void {
  blocks(state, data, length >> 4, 1 << 24)
  const rest = length & 15
  if (rest === 0) return
  memory.fill(PADDED, 0, 16)
  memory.copy(PADDED, data + (length - rest), rest)
  blocks(state, PADDED, 1, 1 << 24)
  memory.fill(PADDED, 0, 16)
}

/** Writes the 16-byte tag h mod 2^130 - 5 + s at `out` and wipes the state. */
export function poly1305Final(state: usize, out: usize): void {
  reduce(state)
  let h0 = load<u32>(state, 20)
  let h1 = load<u32>(state, 24)
  let h2 = load<u32>(state, 28)
  let h3 = load<u32>(state, 32)
  const h4 = load<u32>(state, 36)
  h0 |= h1 << 26
  h1 = (h1 >> 6) | (h2 << 20)
  h2 = (h2 >> 12) | (h3 << 14)
  h3 = (h3 >> 18) | (h4 << 8)
  let sum = <u64>h0 + <u64>load<u32>(state, 40)
  storeU32le(out, <u32>sum)
  sum = <u64>h1 + <u64>load<u32>(state, 44) + (sum >> 32)
  storeU32le(out + 4, <u32>sum)
  sum = <u64>h2 + <u64>load<u32>(state, 48) + (sum >> 32)
  storeU32le(out + 8, <u32>sum)
  sum = <u64>h3 + <u64>load<u32>(state, 52) + (sum >> 32)
  storeU32le(out + 12, <u32>sum)
  memory.fill(state, 0, POLY1305_STATE_SIZE)
}

/** h = (h + block + top bit) * r for each block; `top` is 2^128 in the last limb, or 0. Limbs of h stay below 2^26 + 2^7. */
function blocks(state: usize, data: usize, count: u32, top: u32): void {
  const r0 = <u64>load<u32>(state)
  const r1 = <u64>load<u32>(state, 4)
  const r2 = <u64>load<u32>(state, 8)
  const r3 = <u64>load<u32>(state, 12)
  const r4 = <u64>load<u32>(state, 16)
  const s1 = r1 * 5
  const s2 = r2 * 5
  const s3 = r3 * 5
  const s4 = r4 * 5
  let h0 = load<u32>(state, 20)
  let h1 = load<u32>(state, 24)
  let h2 = load<u32>(state, 28)
  let h3 = load<u32>(state, 32)
  let h4 = load<u32>(state, 36)
  const aligned = (data & 3) === 0
  for (; count !== 0; count--) {
    const a = aligned ? load<u32>(data) : loadU32le(data)
    const b = aligned ? load<u32>(data, 4) : loadU32le(data + 4)
    const c = aligned ? load<u32>(data, 8) : loadU32le(data + 8)
    const d = aligned ? load<u32>(data, 12) : loadU32le(data + 12)
    data += 16
    h0 += a & LIMB
    h1 += ((a >> 26) | (b << 6)) & LIMB
    h2 += ((b >> 20) | (c << 12)) & LIMB
    h3 += ((c >> 14) | (d << 18)) & LIMB
    h4 += (d >> 8) | top
    const d0 = <u64>h0 * r0 + <u64>h1 * s4 + <u64>h2 * s3 + <u64>h3 * s2 + <u64>h4 * s1
    let d1 = <u64>h0 * r1 + <u64>h1 * r0 + <u64>h2 * s4 + <u64>h3 * s3 + <u64>h4 * s2
    let d2 = <u64>h0 * r2 + <u64>h1 * r1 + <u64>h2 * r0 + <u64>h3 * s4 + <u64>h4 * s3
    let d3 = <u64>h0 * r3 + <u64>h1 * r2 + <u64>h2 * r1 + <u64>h3 * r0 + <u64>h4 * s4
    let d4 = <u64>h0 * r4 + <u64>h1 * r3 + <u64>h2 * r2 + <u64>h3 * r1 + <u64>h4 * r0
    d1 += d0 >> 26
    d2 += d1 >> 26
    d3 += d2 >> 26
    d4 += d3 >> 26
    const low = <u64>(<u32>d0 & LIMB) + (d4 >> 26) * 5
    h0 = <u32>low & LIMB
    h1 = (<u32>d1 & LIMB) + <u32>(low >> 26)
    h2 = <u32>d2 & LIMB
    h3 = <u32>d3 & LIMB
    h4 = <u32>d4 & LIMB
  }
  store<u32>(state, h0, 20)
  store<u32>(state, h1, 24)
  store<u32>(state, h2, 28)
  store<u32>(state, h3, 32)
  store<u32>(state, h4, 36)
}

/** Carries h fully and takes 2^130 - 5 away once if h is not below it. */
function reduce(state: usize): void {
  let h0 = load<u32>(state, 20)
  let h1 = load<u32>(state, 24)
  let h2 = load<u32>(state, 28)
  let h3 = load<u32>(state, 32)
  let h4 = load<u32>(state, 36)
  for (let pass = 0; pass < 2; pass++) {
    h1 += h0 >> 26
    h2 += h1 >> 26
    h3 += h2 >> 26
    h4 += h3 >> 26
    h0 = (h0 & LIMB) + (h4 >> 26) * 5
    h1 &= LIMB
    h2 &= LIMB
    h3 &= LIMB
    h4 &= LIMB
  }
  // g = h + 5 - 2^130: its bit 26 of the last limb says whether h was 2^130 - 5 or more.
  let g0 = h0 + 5
  let g1 = h1 + (g0 >> 26)
  let g2 = h2 + (g1 >> 26)
  let g3 = h3 + (g2 >> 26)
  const g4 = h4 + (g3 >> 26)
  g0 &= LIMB
  g1 &= LIMB
  g2 &= LIMB
  g3 &= LIMB
  const over = maskOfBit(g4 >> 26)
  store<u32>(state, selectU32(over, g0, h0), 20)
  store<u32>(state, selectU32(over, g1, h1), 24)
  store<u32>(state, selectU32(over, g2, h2), 28)
  store<u32>(state, selectU32(over, g3, h3), 32)
  store<u32>(state, selectU32(over, g4 & LIMB, h4), 36)
}
