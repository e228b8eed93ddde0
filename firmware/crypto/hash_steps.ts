// A digest of a long span in slices: no step is longer than one compression of SHA-512, or two of SHA-256.

import { HASH_CONTEXT_SIZE, Hash, hashFinal, hashInit, hashPrepareFinal, hashUpdate } from './hash'

@unmanaged
class Span {
  data: u32
  left: u32
}

const CONTEXT: usize = 8

/** Bytes of a state, 8-aligned. */
export const HASH_STEPS_SIZE: usize = CONTEXT + HASH_CONTEXT_SIZE

/** Absorbed in one step; a whole number of blocks of every hash. */
const SLICE: u32 = 128

/** Begins the digest of `prefix | data`. The prefix is short and absorbed at once; `data` must stay until the end. */
export function hashStepsStart(
  state: usize,
  hash: Hash,
  prefix: usize,
  prefixLength: u32,
  data: usize,
  length: u32,
): void {
  hashInit(hash, state + CONTEXT)
  if (prefixLength !== 0) hashUpdate(state + CONTEXT, prefix, prefixLength)
  const span = changetype<Span>(state)
  span.data = <u32>data
  span.left = length
}

/** Does one step; true when `hashStepsFinish` may be called. */
export function hashStepsStep(state: usize): bool {
  const span = changetype<Span>(state)
  if (span.left === 0) {
    hashPrepareFinal(state + CONTEXT)
    return true
  }
  const length = min(span.left, SLICE)
  hashUpdate(state + CONTEXT, span.data, length)
  span.data += length
  span.left -= length
  return false
}

/** Writes the digest. */
export function hashStepsFinish(state: usize, out: usize): void {
  hashFinal(state + CONTEXT, out)
}
