// AEAD_CHACHA20_POLY1305 (RFC 8439, section 2.8).
//
// The context is CHACHA20_POLY1305_CONTEXT_SIZE bytes, 8-aligned: a ChaCha20 state that holds the key. Ciphertext is
// C | tag(16). Constant-time where poly1305.ts is; lengths and the verdict are public.

import { storeU32le } from '../bytes/endian'
import { CHACHA20_STATE_SIZE, chacha20Blocks, chacha20Init, chacha20Nonce, chacha20Xor } from './chacha20'
import { equalBytes } from './constant_time'
import { poly1305Final, poly1305Init, poly1305Padded } from './poly1305'

/** Bytes of a context. */
export const CHACHA20_POLY1305_CONTEXT_SIZE: u32 = CHACHA20_STATE_SIZE

const TAG_SIZE: u32 = 16

/** The block whose first half is the one-time key (section 2.6), Poly1305's state, the lengths, the tag. */
const ONE_TIME_KEY: usize = memory.data(64, 8)
const MAC: usize = memory.data(64, 8)
const LENGTHS: usize = memory.data(16, 8)
const TAG: usize = memory.data(16, 8)
const ZERO_NONCE: usize = memory.data(12, 4)

/** Takes the 32-byte key. */
export function chacha20Poly1305Init(context: usize, key: usize): void {
  chacha20Init(context, key, ZERO_NONCE, 0)
}

/** Seals to C | tag at `out`, which may overlap the plaintext in any way, but neither AD nor nonce. */
export function chacha20Poly1305Seal(
  context: usize,
  ad: usize,
  adLength: u32,
  nonce: usize,
  plaintext: usize,
  length: u32,
  out: usize,
): void {
  start(context, nonce)
  memory.copy(out, plaintext, length)
  chacha20Xor(context, out, length)
  authenticate(ad, adLength, out, length, out + length)
}

/**
 * Opens `length` bytes C | tag: the plaintext (`length` - 16 bytes) at `out` and true, or zeros there and false.
 * The tag is checked before anything is decrypted. `out` may overlap `input` in any way.
 */
export function chacha20Poly1305Open(
  context: usize,
  ad: usize,
  adLength: u32,
  nonce: usize,
  input: usize,
  length: u32,
  out: usize,
): bool {
  if (length < TAG_SIZE) return false
  const plaintextLength = length - TAG_SIZE
  start(context, nonce)
  authenticate(ad, adLength, input, plaintextLength, TAG)
  if (!equalBytes(TAG, input + plaintextLength, TAG_SIZE)) {
    memory.fill(TAG, 0, TAG_SIZE)
    memory.fill(out, 0, plaintextLength)
    return false
  }
  memory.copy(out, input, plaintextLength)
  chacha20Xor(context, out, plaintextLength)
  return true
}

/** Block 0 of the keystream gives the one-time key; the counter goes on at 1. */
function start(context: usize, nonce: usize): void {
  chacha20Nonce(context, nonce, 0)
  chacha20Blocks(context, ONE_TIME_KEY, 1)
  poly1305Init(MAC, ONE_TIME_KEY)
  memory.fill(ONE_TIME_KEY, 0, 64)
}

/** The tag over AD | pad16 | C | pad16 | lengths. */
function authenticate(ad: usize, adLength: u32, ciphertext: usize, length: u32, out: usize): void {
  poly1305Padded(MAC, ad, adLength)
  poly1305Padded(MAC, ciphertext, length)
  storeU32le(LENGTHS, adLength)
  storeU32le(LENGTHS + 8, length)
  poly1305Padded(MAC, LENGTHS, 16)
  poly1305Final(MAC, out)
}
