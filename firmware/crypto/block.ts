// 16-byte blocks: the few operations that CMAC, SIV, GCM and GCM-SIV share. Blocks named `block` are 4-aligned; `data`
// lies at any address. Constant-time on every processor.

import { loadU32le } from '../bytes/endian'

/** block ^= the 16 bytes at `data`. */
export function xorBlock(block: usize, data: usize): void {
  if ((data & 3) === 0) {
    store<u32>(block, load<u32>(block) ^ load<u32>(data))
    store<u32>(block, load<u32>(block, 4) ^ load<u32>(data, 4), 4)
    store<u32>(block, load<u32>(block, 8) ^ load<u32>(data, 8), 8)
    store<u32>(block, load<u32>(block, 12) ^ load<u32>(data, 12), 12)
    return
  }
  store<u32>(block, load<u32>(block) ^ loadU32le(data))
  store<u32>(block, load<u32>(block, 4) ^ loadU32le(data + 4), 4)
  store<u32>(block, load<u32>(block, 8) ^ loadU32le(data + 8), 8)
  store<u32>(block, load<u32>(block, 12) ^ loadU32le(data + 12), 12)
}

/** data ^= the first `length` (0..16) bytes at `mask`. */
export function xorBytes(data: usize, mask: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(data + i, load<u8>(data + i) ^ load<u8>(mask + i))
}

/** block = 0. */
export function zeroBlock(block: usize): void {
  store<u32>(block, 0)
  store<u32>(block, 0, 4)
  store<u32>(block, 0, 8)
  store<u32>(block, 0, 12)
}

/** output = input, both 4-aligned. */
export function copyBlock(output: usize, input: usize): void {
  store<u32>(output, load<u32>(input))
  store<u32>(output, load<u32>(input, 4), 4)
  store<u32>(output, load<u32>(input, 8), 8)
  store<u32>(output, load<u32>(input, 12), 12)
}

/**
 * dbl of RFC 5297, section 2.3 (and the subkeys of RFC 4493): the block, as a big-endian polynomial, times x modulo
 * x^128 + x^7 + x^2 + x + 1. The carry is applied by a mask. May work in place.
 */
export function doubleBlock(output: usize, input: usize): void {
  const a = bswap<u32>(load<u32>(input))
  const b = bswap<u32>(load<u32>(input, 4))
  const c = bswap<u32>(load<u32>(input, 8))
  const d = bswap<u32>(load<u32>(input, 12))
  store<u32>(output, bswap<u32>((a << 1) | (b >> 31)))
  store<u32>(output, bswap<u32>((b << 1) | (c >> 31)), 4)
  store<u32>(output, bswap<u32>((c << 1) | (d >> 31)), 8)
  store<u32>(output, bswap<u32>((d << 1) ^ (0x87 & (0 - (a >> 31)))), 12)
}
