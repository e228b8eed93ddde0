// AES-GCM (NIST SP 800-38D; AEAD_AES_128_GCM and AEAD_AES_256_GCM of RFC 5116) with 96-bit nonces and full tags.
//
// A context is AES_GCM_CONTEXT_SIZE bytes, 8-aligned: the AES context, then GHASH's key. Ciphertext is C | tag(16).
// Constant-time where aes.ts and ghash.ts are; lengths and the verdict are public. A nonce must never come twice under
// one key.

import { loadU32le, storeU32be } from '../bytes/endian'
import { AES_CONTEXT_SIZE, aesEncryptBlock, aesExpandKey } from './aes'
import { aesCtrBigEndian } from './aes_ctr'
import { xorBlock, zeroBlock } from './block'
import { equalBytes } from './constant_time'
import { ghashKey, ghashOutput, ghashUpdate, POLYVAL_KEY_SIZE, polyvalForget } from './ghash'

/** Bytes of a context. */
export const AES_GCM_CONTEXT_SIZE: u32 = AES_CONTEXT_SIZE + POLYVAL_KEY_SIZE

const HASH_KEY: usize = AES_CONTEXT_SIZE
const TAG_SIZE: u32 = 16

/** The counter block, GHASH's sum, the lengths, the tag. */
const COUNTER: usize = memory.data(16, 8)
const SUM: usize = memory.data(16, 8)
const LENGTHS: usize = memory.data(16, 8)
const TAG: usize = memory.data(16, 8)

/** Takes a key of 16 or 32 bytes; GHASH's key is the encrypted zero block. */
export function aesGcmInit(context: usize, key: usize, keyLength: u32): void {
  aesExpandKey(context, key, keyLength)
  zeroBlock(TAG)
  aesEncryptBlock(context, TAG, TAG)
  ghashKey(context + HASH_KEY, TAG)
  zeroBlock(TAG)
}

/** Seals to C | tag at `out`, which may overlap the plaintext in any way, but neither AD nor nonce. */
export function aesGcmSeal(
  context: usize,
  ad: usize,
  adLength: u32,
  nonce: usize,
  plaintext: usize,
  length: u32,
  out: usize,
): void {
  memory.copy(out, plaintext, length)
  counterBlock(nonce, 2)
  aesCtrBigEndian(context, COUNTER, out, length)
  authenticate(context, ad, adLength, out, length)
  memory.copy(out + length, TAG, TAG_SIZE)
}

/**
 * Opens `length` bytes C | tag: the plaintext (`length` - 16 bytes) at `out` and true, or zeros there and false.
 * The tag is checked before anything is decrypted. `out` may overlap `input` in any way.
 */
export function aesGcmOpen(
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
  counterBlock(nonce, 2)
  authenticate(context, ad, adLength, input, plaintextLength)
  const good = equalBytes(TAG, input + plaintextLength, TAG_SIZE)
  zeroBlock(TAG)
  if (!good) {
    memory.fill(out, 0, plaintextLength)
    return false
  }
  memory.copy(out, input, plaintextLength)
  counterBlockAgain(2)
  aesCtrBigEndian(context, COUNTER, out, plaintextLength)
  return true
}

/** TAG = GHASH(AD | pad | C | pad | lengths in bits) xor E(J0), where J0 is COUNTER's nonce with counter 1. */
function authenticate(context: usize, ad: usize, adLength: u32, ciphertext: usize, length: u32): void {
  const key = context + HASH_KEY
  zeroBlock(SUM)
  ghashUpdate(key, SUM, ad, adLength)
  ghashUpdate(key, SUM, ciphertext, length)
  storeU32be(LENGTHS, adLength >> 29)
  storeU32be(LENGTHS + 4, adLength << 3)
  storeU32be(LENGTHS + 8, length >> 29)
  storeU32be(LENGTHS + 12, length << 3)
  ghashUpdate(key, SUM, LENGTHS, 16)
  polyvalForget()
  counterBlockAgain(1)
  aesEncryptBlock(context, COUNTER, TAG)
  ghashOutput(SUM, SUM_BYTES)
  xorBlock(TAG, SUM_BYTES)
  zeroBlock(SUM)
  zeroBlock(SUM_BYTES)
}

const SUM_BYTES: usize = memory.data(16, 8)

/** COUNTER = nonce(12) | counter, big-endian. */
function counterBlock(nonce: usize, counter: u32): void {
  store<u32>(COUNTER, loadU32le(nonce))
  store<u32>(COUNTER, loadU32le(nonce + 4), 4)
  store<u32>(COUNTER, loadU32le(nonce + 8), 8)
  counterBlockAgain(counter)
}

/** Another counter with the same nonce. */
function counterBlockAgain(counter: u32): void {
  store<u32>(COUNTER, bswap<u32>(counter), 12)
}
