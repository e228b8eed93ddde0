// The secret number k of a P-256 signature, from key and message (RFC 6979, section 3.2), as a step machine.
//
// The hash of HMAC_DRBG is the message's (section 3.1.1). Extra data makes the number unpredictable as well (section
// 3.6): a weak random source then does no harm, and neither does a fault that makes a device sign the same twice.
//
// One step is at most three compressions of the hash. Constant time in everything secret, as the hashes are.

import { HASH_MAX, Hash, hashLength } from './hash'
import { HMAC_CONTEXT_SIZE, hmacFinal, hmacInit, hmacUpdate } from './hmac'

// `V(64) | K(64) | message(96) | HMAC context | call u32, phase u32, hash u32, message length u32`
const V: usize = 0
const K: usize = V + HASH_MAX
const MESSAGE: usize = K + HASH_MAX
const MESSAGE_MAX: usize = 96
const CONTEXT: usize = MESSAGE + MESSAGE_MAX
const CALL: usize = CONTEXT + HMAC_CONTEXT_SIZE
const PHASE: usize = CALL + 4
const HASH: usize = CALL + 8
const LENGTH: usize = CALL + 12

/** Bytes of the state, 8-aligned. */
export const NONCE_SIZE: usize = CALL + 16

/** Where the state has the candidate, after the last step: 32 bytes, big end first. */
export const NONCE_RESULT: usize = V

/** The calls of HMAC, by the steps of section 3.2. */
const enum Call {
  D = 0,
  E = 1,
  F = 2,
  G = 3,
  H2 = 4,
  H3K = 5,
  H3V = 6,
}

const SEPARATOR: usize = memory.data<u8>([0, 1])

/**
 * Begins the first candidate. `key` is int2octets(x), `digest` bits2octets(H(m)), 32 bytes each; `extra` 32 bytes of
 * additional data, or 0 for none.
 */
export function nonceStart(state: usize, hash: Hash, key: usize, digest: usize, extra: usize): void {
  const length = hashLength(hash)
  memory.fill(state + V, 1, length)
  memory.fill(state + K, 0, length)
  memory.copy(state + MESSAGE, key, 32)
  memory.copy(state + MESSAGE + 32, digest, 32)
  if (extra !== 0) memory.copy(state + MESSAGE + 64, extra, 32)
  store<u32>(state + LENGTH, extra !== 0 ? 96 : 64)
  store<u32>(state + HASH, hash)
  store<u32>(state + CALL, Call.D)
  store<u32>(state + PHASE, 0)
}

/** Does a third of one HMAC; true when a candidate is there. The caller checks that it is in 1..n-1. */
export function nonceStep(state: usize): bool {
  const hash = load<u32>(state + HASH)
  const length = hashLength(hash)
  const call = load<u32>(state + CALL)
  const phase = load<u32>(state + PHASE)
  if (phase === 0) {
    hmacInit(hash, state + CONTEXT, state + K, length)
  } else if (phase === 1) {
    hmacUpdate(state + CONTEXT, state + V, length)
    absorb(state, call)
  } else {
    hmacFinal(state + CONTEXT, makesKey(call) ? state + K : state + V)
    store<u32>(state + CALL, call === Call.H3V ? Call.H2 : call + 1)
    store<u32>(state + PHASE, 0)
    return call === Call.H2
  }
  store<u32>(state + PHASE, phase + 1)
  return false
}

/** Begins the next candidate, after one that could not be used. */
export function nonceReject(state: usize): void {
  store<u32>(state + CALL, Call.H3K)
  store<u32>(state + PHASE, 0)
}

function makesKey(call: u32): bool {
  return call === Call.D || call === Call.F || call === Call.H3K
}

/** What follows V in the message of a call that makes K. */
function absorb(state: usize, call: u32): void {
  if (!makesKey(call)) return
  hmacUpdate(state + CONTEXT, call === Call.F ? SEPARATOR + 1 : SEPARATOR, 1)
  if (call !== Call.H3K) hmacUpdate(state + CONTEXT, state + MESSAGE, load<u32>(state + LENGTH))
}
