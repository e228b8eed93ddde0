// AES in counter mode, in place, with the two 32-bit counters in use. Constant-time where aes.ts is.

import { aesEncryptBlock } from './aes'
import { copyBlock, xorBlock, xorBytes, zeroBlock } from './block'

const COUNTER: usize = memory.data(16, 8)
const KEYSTREAM: usize = memory.data(16, 8)

/**
 * data ^= keystream, the counter being the block's last four bytes, big-endian, modulo 2^32: GCM (SP 800-38D, 6.2), and
 * SIV, whose masked V cannot carry beyond them (RFC 5297, section 2.5). `start` is 4-aligned and left alone.
 */
export function aesCtrBigEndian(context: usize, start: usize, data: usize, length: u32): void {
  copyBlock(COUNTER, start)
  let counter = bswap<u32>(load<u32>(COUNTER, 12))
  for (; length !== 0; ) {
    aesEncryptBlock(context, COUNTER, KEYSTREAM)
    counter++
    store<u32>(COUNTER, bswap<u32>(counter), 12)
    const taken = xorKeystream(data, length)
    data += taken
    length -= taken
  }
  zeroBlock(KEYSTREAM)
  zeroBlock(COUNTER)
}

/** As `aesCtrBigEndian`, the counter being the first four bytes, little-endian (GCM-SIV: RFC 8452, section 4). */
export function aesCtrLittleEndian(context: usize, start: usize, data: usize, length: u32): void {
  copyBlock(COUNTER, start)
  for (; length !== 0; ) {
    aesEncryptBlock(context, COUNTER, KEYSTREAM)
    store<u32>(COUNTER, load<u32>(COUNTER) + 1)
    const taken = xorKeystream(data, length)
    data += taken
    length -= taken
  }
  zeroBlock(KEYSTREAM)
  zeroBlock(COUNTER)
}

/** data ^= the keystream block, at most `length` bytes; returns how many. */
function xorKeystream(data: usize, length: u32): u32 {
  if (length >= 16 && (data & 3) === 0) {
    xorBlock(data, KEYSTREAM)
    return 16
  }
  const taken = min<u32>(length, 16)
  xorBytes(data, KEYSTREAM, taken)
  return taken
}
