// HMAC (RFC 2104) with any hash of hash.ts.
//
// A context is HMAC_CONTEXT_SIZE bytes, 8-aligned: the inner hash, then the outer one, both already fed with the padded
// key. It may be copied with memory.copy: a copy of a fresh context saves the two compressions of the key.
// Constant-time in key and data, as the hashes are; the lengths are public.

import { HASH_CONTEXT_SIZE, Hash, hash, hashBlockLength, hashFinal, hashInit, hashLength, hashUpdate } from './hash'

/** Bytes of a context. */
export const HMAC_CONTEXT_SIZE: u32 = HASH_CONTEXT_SIZE + HASH_CONTEXT_SIZE

const OUTER: usize = HASH_CONTEXT_SIZE

/** The padded key, at most one block of SHA-512. */
const PAD: usize = memory.data(128, 8)
const ONE_SHOT: usize = memory.data(416, 8)

/** Begins a code. A key longer than a block is hashed first. */
export function hmacInit(h: Hash, context: usize, key: usize, keyLength: u32): void {
  const blockLength = hashBlockLength(h)
  memory.fill(PAD, 0, blockLength)
  if (keyLength > blockLength) hash(h, key, keyLength, PAD)
  else memory.copy(PAD, key, keyLength)
  xorPad(blockLength, 0x36363636)
  hashInit(h, context)
  hashUpdate(context, PAD, blockLength)
  xorPad(blockLength, 0x36363636 ^ 0x5c5c5c5c)
  hashInit(h, context + OUTER)
  hashUpdate(context + OUTER, PAD, blockLength)
  memory.fill(PAD, 0, blockLength)
}

/** Absorbs `length` bytes. */
export function hmacUpdate(context: usize, data: usize, length: u32): void {
  hashUpdate(context, data, length)
}

/** Writes the code (`hashLength` bytes) at `out` and wipes the context. */
export function hmacFinal(context: usize, out: usize): void {
  const length = hashLength(load<u32>(context))
  hashFinal(context, PAD)
  hashUpdate(context + OUTER, PAD, length)
  hashFinal(context + OUTER, out)
  memory.fill(PAD, 0, length)
}

/** The code of one span. `out` may overlap key and data. */
export function hmac(h: Hash, key: usize, keyLength: u32, data: usize, dataLength: u32, out: usize): void {
  hmacInit(h, ONE_SHOT, key, keyLength)
  hmacUpdate(ONE_SHOT, data, dataLength)
  hmacFinal(ONE_SHOT, out)
}

function xorPad(length: u32, pattern: u32): void {
  for (let i: u32 = 0; i < length; i += 4) store<u32>(PAD + i, load<u32>(PAD + i) ^ pattern)
}
