// Hashing in slices: the running transcript (RFC 8446, section 4.4.1), and spans of a ClientHello.

import { HASH_CONTEXT_SIZE, Hash, hashFinal, hashInit, hashLength, hashUpdate } from '../crypto/hash'
import { area, Connection, TRANSCRIPT, TRANSCRIPT_HASH, WORK_CONTEXT } from './connection'
import { HandshakeType } from './constants'

/** Bytes hashed in one step: three blocks of SHA-256 (about 6,500 RV32 instructions each) or one of SHA-384 (20,000). */
const SHA256_SLICE: u32 = 192
const SHA384_SLICE: u32 = 128

const COPY: usize = memory.data(HASH_CONTEXT_SIZE, 8)

/** Begins the transcript with the negotiated hash. */
export function transcriptStart(c: Connection): void {
  hashInit(c.hash, area(c, TRANSCRIPT))
}

/** Begins to hash a span into the transcript; `hashStep` goes on while `c.hashLeft` is not 0. */
export function transcriptAdd(c: Connection, at: usize, length: u32): void {
  hashSpan(c, area(c, TRANSCRIPT), at, length)
}

/** Writes Transcript-Hash of all messages so far to the area TRANSCRIPT_HASH; the transcript runs on. */
export function transcriptHash(c: Connection): usize {
  memory.copy(COPY, area(c, TRANSCRIPT), HASH_CONTEXT_SIZE)
  hashFinal(COPY, area(c, TRANSCRIPT_HASH))
  return area(c, TRANSCRIPT_HASH)
}

/** Puts the synthetic message_hash in the place of ClientHello1 (RFC 8446, section 4.4.1). */
export function transcriptRestart(c: Connection): void {
  const length = hashLength(c.hash)
  const digest = transcriptHash(c)
  transcriptStart(c)
  store<u8>(COPY, HandshakeType.MessageHash)
  store<u8>(COPY, 0, 1)
  store<u8>(COPY, 0, 2)
  store<u8>(COPY, length, 3)
  hashUpdate(area(c, TRANSCRIPT), COPY, 4)
  hashUpdate(area(c, TRANSCRIPT), digest, length)
}

/** Begins a SHA-256 of one span on its own; ends with `spanDigest`. */
export function digestSpan(c: Connection, at: usize, length: u32): void {
  hashInit(Hash.Sha256, area(c, WORK_CONTEXT))
  hashSpan(c, area(c, WORK_CONTEXT), at, length)
}

export function spanDigest(c: Connection, out: usize): void {
  hashFinal(area(c, WORK_CONTEXT), out)
}

/** Hashes the next slice of the span. */
export function hashStep(c: Connection): void {
  // The digest of an extension is SHA-256 whatever the transcript's hash; its slice may well be the shorter one.
  const length = min(c.hashLeft, c.hash === Hash.Sha384 ? SHA384_SLICE : SHA256_SLICE)
  hashUpdate(c.hashContext, c.hashAt, length)
  c.hashAt += length
  c.hashLeft -= length
}

function hashSpan(c: Connection, context: usize, at: usize, length: u32): void {
  c.hashContext = context
  c.hashAt = at
  c.hashLeft = length
}
