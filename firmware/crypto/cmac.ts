// AES-CMAC (RFC 4493, NIST SP 800-38B) with AES-128 or AES-256.
//
// A context is CMAC_CONTEXT_SIZE bytes, 8-aligned: the AES context, then the subkeys K1 and K2. Data lies at any address
// and is read in place. Constant-time where aes.ts is; lengths are public.

import { AES_CONTEXT_SIZE, aesEncryptBlock, aesExpandKey } from './aes'
import { copyBlock, doubleBlock, xorBlock, zeroBlock } from './block'

/** Bytes of a context. */
export const CMAC_CONTEXT_SIZE: u32 = AES_CONTEXT_SIZE + 32

const K1: usize = AES_CONTEXT_SIZE
const K2: usize = K1 + 16

/** The running block of `cmac`, and the padded last one. */
const ACCUMULATOR: usize = memory.data(16, 8)
const LAST: usize = memory.data(16, 8)

/** Takes a key of 16 or 32 bytes and makes the subkeys (RFC 4493, section 2.3). */
export function cmacInit(context: usize, key: usize, keyLength: u32): void {
  aesExpandKey(context, key, keyLength)
  zeroBlock(context + K1)
  aesEncryptBlock(context, context + K1, context + K1)
  doubleBlock(context + K1, context + K1)
  doubleBlock(context + K2, context + K1)
}

/** The 16-byte code of one span, at `out` (any address; may overlap the data). */
export function cmac(context: usize, data: usize, length: u32, out: usize): void {
  zeroBlock(ACCUMULATOR)
  cmacRest(context, ACCUMULATOR, data, length)
  memory.copy(out, ACCUMULATOR, 16)
  zeroBlock(ACCUMULATOR)
}

/** Absorbs `count` blocks none of which is the last. `accumulator` is 4-aligned and starts as zeros. */
export function cmacBlocks(context: usize, accumulator: usize, data: usize, count: u32): void {
  for (; count !== 0; count--) {
    xorBlock(accumulator, data)
    aesEncryptBlock(context, accumulator, accumulator)
    data += 16
  }
}

/** Absorbs all that is left (possibly nothing) and turns the accumulator into the code (RFC 4493, section 2.4). */
export function cmacRest(context: usize, accumulator: usize, data: usize, length: u32): void {
  const before = length === 0 ? 0 : (length - 1) >> 4
  cmacBlocks(context, accumulator, data, before)
  data += before << 4
  length -= before << 4
  if (length === 16) {
    xorBlock(accumulator, data)
    xorBlock(accumulator, context + K1)
  } else {
    padBlock(LAST, data, length)
    xorBlock(accumulator, LAST)
    zeroBlock(LAST)
    xorBlock(accumulator, context + K2)
  }
  aesEncryptBlock(context, accumulator, accumulator)
}

/** pad of RFC 5297, section 2.1: `length` (0..15) bytes, then 10000000, then zeros. `block` is 4-aligned. */
export function padBlock(block: usize, data: usize, length: u32): void {
  zeroBlock(block)
  for (let i: u32 = 0; i < length; i++) store<u8>(block + i, load<u8>(data + i))
  store<u8>(block + length, 0x80)
}

/** CMAC of the all-zero block: D of an empty S2V (RFC 5297, section 2.4). `out` is 4-aligned. */
export function cmacOfZeroBlock(context: usize, out: usize): void {
  copyBlock(out, context + K1)
  aesEncryptBlock(context, out, out)
}
