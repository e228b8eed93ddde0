// SHA-256, SHA-384 and SHA-512 (FIPS 180-4) over a stream of bytes.
//
// The caller owns the context: HASH_CONTEXT_SIZE bytes, 8-aligned. It remembers its hash, and may be copied with
// memory.copy at any point (the running transcript of RFC 8446, section 4.4.1, is read that way).
//
//   hash u32 | filled u32 | length u64 | state(64) | block(128)
//
// Data may lie at any address. Constant-time in the data; its length is public.

import { storeU32be } from '../bytes/endian'
import { SHA256_STATE_SIZE, sha256Blocks, sha256Start } from './sha256'
import { SHA512_STATE_SIZE, sha384Start, sha512Blocks, sha512Start } from './sha512'

export const enum Hash {
  Sha256 = 1,
  Sha384 = 2,
  Sha512 = 3,
}

@unmanaged
class HashContext {
  /** Which `Hash` this is. */
  hash: u32
  /** Bytes waiting in `block`; always less than a block. PADDED: none, and the padding has begun. */
  filled: u32
  /** Bytes absorbed so far, the waiting ones included. */
  length: u64
}

const STATE: u32 = 16
const BLOCK: u32 = STATE + SHA512_STATE_SIZE
const BLOCK_MAX: u32 = 128
const PADDED: u32 = 0xffff_ffff

/** Bytes of a context. */
export const HASH_CONTEXT_SIZE: u32 = BLOCK + BLOCK_MAX

/** Bytes of the longest digest. */
export const HASH_MAX: u32 = 64

/** Bytes of a hash's digest. */
export function hashLength(hash: Hash): u32 {
  if (hash === Hash.Sha256) return 32
  return hash === Hash.Sha384 ? 48 : 64
}

/** Bytes of a hash's input block (HMAC's B, RFC 2104). */
export function hashBlockLength(hash: Hash): u32 {
  return hash === Hash.Sha256 ? 64 : 128
}

/** Begins a digest. */
export function hashInit(hash: Hash, context: usize): void {
  const head = changetype<HashContext>(context)
  head.hash = hash
  head.filled = 0
  head.length = 0
  if (hash === Hash.Sha256) sha256Start(context + STATE)
  else if (hash === Hash.Sha384) sha384Start(context + STATE)
  else sha512Start(context + STATE)
}

/** Absorbs `length` bytes. */
export function hashUpdate(context: usize, data: usize, length: u32): void {
  const head = changetype<HashContext>(context)
  const blockLength = hashBlockLength(head.hash)
  let filled = head.filled
  head.length += length
  if (filled !== 0) {
    const taken = min(length, blockLength - filled)
    memory.copy(context + BLOCK + filled, data, taken)
    data += taken
    length -= taken
    filled += taken
    if (filled === blockLength) {
      blocks(head.hash, context, context + BLOCK, 1)
      filled = 0
    }
  }
  const whole = length & (0 - blockLength)
  if (whole !== 0) {
    wholeBlocks(head.hash, context, data, whole)
    data += whole
    length -= whole
  }
  if (length !== 0) memory.copy(context + BLOCK + filled, data, length)
  head.filled = filled + length
}

/** Where two compressions are left to a digest, does the first one: after this `hashFinal` does one only. */
export function hashPrepareFinal(context: usize): void {
  const head = changetype<HashContext>(context)
  const blockLength = hashBlockLength(head.hash)
  const block = context + BLOCK
  const filled = head.filled
  if (filled + 1 <= blockLength - (blockLength >> 3)) return
  store<u8>(block + filled, 0x80)
  memory.fill(block + filled + 1, 0, blockLength - filled - 1)
  blocks(head.hash, context, block, 1)
  head.filled = PADDED
}

/** Writes the digest (`hashLength` bytes) at `out` and wipes the context. */
export function hashFinal(context: usize, out: usize): void {
  const head = changetype<HashContext>(context)
  const hash = head.hash
  pad(context)
  if (hash === Hash.Sha256) {
    for (let i: usize = 0; i < 32; i += 4) storeU32be(out + i, load<u32>(context + STATE + i))
    memory.fill(context, 0, STATE + SHA256_STATE_SIZE)
    memory.fill(context + BLOCK, 0, 64)
  } else {
    const end: usize = hashLength(hash)
    for (let i: usize = 0; i < end; i += 8) {
      const word = load<u64>(context + STATE + i)
      storeU32be(out + i, <u32>(word >> 32))
      storeU32be(out + i + 4, <u32>word)
    }
    memory.fill(context, 0, HASH_CONTEXT_SIZE)
  }
}

/** The digest of one span. `out` may overlap `data`. */
export function hash(hash: Hash, data: usize, length: u32, out: usize): void {
  hashInit(hash, ONE_SHOT)
  hashUpdate(ONE_SHOT, data, length)
  hashFinal(ONE_SHOT, out)
}

const ONE_SHOT: usize = memory.data(208, 8)

/** The padding of FIPS 180-4, 5.1: a one bit, zeros, and the length in bits at the end of the last block. */
function pad(context: usize): void {
  const head = changetype<HashContext>(context)
  const hash = head.hash
  const blockLength = hashBlockLength(hash)
  const block = context + BLOCK
  hashPrepareFinal(context)
  let filled = head.filled
  if (filled === PADDED) filled = 0
  else store<u8>(block + filled++, 0x80)
  memory.fill(block + filled, 0, blockLength - filled)
  storeU32be(block + blockLength - 8, <u32>(head.length >> 29))
  storeU32be(block + blockLength - 4, <u32>(head.length << 3))
  blocks(hash, context, block, 1)
}

/** Absorbs whole blocks from any address: those at odd ones pass through the context's own aligned block. */
function wholeBlocks(hash: Hash, context: usize, data: usize, length: u32): void {
  const blockLength = hashBlockLength(hash)
  if ((data & 3) === 0) {
    blocks(hash, context, data, hash === Hash.Sha256 ? length >> 6 : length >> 7)
    return
  }
  for (const end = data + length; data !== end; data += blockLength) {
    memory.copy(context + BLOCK, data, blockLength)
    blocks(hash, context, context + BLOCK, 1)
  }
}

function blocks(hash: Hash, context: usize, data: usize, count: u32): void {
  if (hash === Hash.Sha256) sha256Blocks(context + STATE, data, count)
  else sha512Blocks(context + STATE, data, count)
}
