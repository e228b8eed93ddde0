// AES-GCM-SIV (RFC 8452): AEAD_AES_128_GCM_SIV (number 30, chrony's choice for NTS) and AEAD_AES_256_GCM_SIV. A repeated
// nonce shows only whether two messages were equal.
//
// A context is AES_GCM_SIV_CONTEXT_SIZE bytes, 8-aligned: the key-generating AES. Each message has its own authentication
// and encryption keys, derived from the nonce (section 4). Ciphertext is C | tag(16).
// Constant-time where aes.ts and ghash.ts are; lengths and the verdict are public.

import { loadU32le, storeU32le } from '../bytes/endian'
import { AES_CONTEXT_SIZE, aesEncryptBlock, aesExpandKey, aesKeyLength } from './aes'
import { aesCtrLittleEndian } from './aes_ctr'
import { copyBlock, zeroBlock } from './block'
import { equalBytes } from './constant_time'
import { POLYVAL_KEY_SIZE, polyvalForget, polyvalKey, polyvalUpdate } from './ghash'

/** Bytes of a context. */
export const AES_GCM_SIV_CONTEXT_SIZE: u32 = AES_CONTEXT_SIZE

const TAG_SIZE: u32 = 16

/** The message's keys: authentication(16) | encryption(16 or 32), then what they expand to. */
const KEYS: usize = memory.data(48, 8)
const CIPHER: usize = memory.data(256, 8)
const HASH_KEY: usize = memory.data(24, 8)
/** The derivation's block, POLYVAL's sum, the lengths, the tag as computed and as received. */
const BLOCK: usize = memory.data(16, 8)
const SUM: usize = memory.data(16, 8)
const LENGTHS: usize = memory.data(16, 8)
const TAG: usize = memory.data(16, 8)
const RECEIVED: usize = memory.data(16, 8)
const COUNTER: usize = memory.data(16, 8)

/** Takes the key-generating key of 16 or 32 bytes. */
export function aesGcmSivInit(context: usize, key: usize, keyLength: u32): void {
  aesExpandKey(context, key, keyLength)
}

/** Seals to C | tag at `out`, which may overlap the plaintext in any way, but neither AD nor nonce (12 bytes). */
export function aesGcmSivSeal(
  context: usize,
  ad: usize,
  adLength: u32,
  nonce: usize,
  plaintext: usize,
  length: u32,
  out: usize,
): void {
  deriveKeys(context, nonce)
  authenticate(ad, adLength, nonce, plaintext, length)
  memory.copy(out, plaintext, length)
  crypt(TAG, out, length)
  memory.copy(out + length, TAG, TAG_SIZE)
  forget()
}

/**
 * Opens `length` bytes C | tag: the plaintext (`length` - 16 bytes) at `out` and true, or zeros there and false.
 * `out` may overlap `input` in any way, but neither AD nor nonce.
 */
export function aesGcmSivOpen(
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
  deriveKeys(context, nonce)
  memory.copy(RECEIVED, input + plaintextLength, TAG_SIZE)
  memory.copy(out, input, plaintextLength)
  crypt(RECEIVED, out, plaintextLength)
  authenticate(ad, adLength, nonce, out, plaintextLength)
  const good = equalBytes(TAG, RECEIVED, TAG_SIZE)
  if (!good) memory.fill(out, 0, plaintextLength)
  forget()
  return good
}

/** Section 4: the first halves of E(0 | nonce), E(1 | nonce), ... */
function deriveKeys(context: usize, nonce: usize): void {
  const keyLength = aesKeyLength(context)
  const halves: u32 = (keyLength + 16) >> 3
  for (let i: u32 = 0; i < halves; i++) {
    store<u32>(BLOCK, i)
    store<u32>(BLOCK, loadU32le(nonce), 4)
    store<u32>(BLOCK, loadU32le(nonce + 4), 8)
    store<u32>(BLOCK, loadU32le(nonce + 8), 12)
    aesEncryptBlock(context, BLOCK, BLOCK)
    store<u32>(KEYS + (i << 3), load<u32>(BLOCK))
    store<u32>(KEYS + (i << 3), load<u32>(BLOCK, 4), 4)
  }
  polyvalKey(HASH_KEY, KEYS)
  aesExpandKey(CIPHER, KEYS + 16, keyLength)
}

/** TAG = E(POLYVAL(AD | pad | plaintext | pad | lengths in bits) xor nonce, top bit cleared). */
function authenticate(ad: usize, adLength: u32, nonce: usize, plaintext: usize, length: u32): void {
  zeroBlock(SUM)
  polyvalUpdate(HASH_KEY, SUM, ad, adLength)
  polyvalUpdate(HASH_KEY, SUM, plaintext, length)
  storeU32le(LENGTHS, adLength << 3)
  storeU32le(LENGTHS + 4, adLength >> 29)
  storeU32le(LENGTHS + 8, length << 3)
  storeU32le(LENGTHS + 12, length >> 29)
  polyvalUpdate(HASH_KEY, SUM, LENGTHS, 16)
  store<u32>(SUM, load<u32>(SUM) ^ loadU32le(nonce))
  store<u32>(SUM, load<u32>(SUM, 4) ^ loadU32le(nonce + 4), 4)
  store<u32>(SUM, load<u32>(SUM, 8) ^ loadU32le(nonce + 8), 8)
  store<u32>(SUM, load<u32>(SUM, 12) & 0x7fffffff, 12)
  aesEncryptBlock(CIPHER, SUM, TAG)
}

/** Counter mode from the tag with its top bit set. */
function crypt(tag: usize, data: usize, length: u32): void {
  copyBlock(COUNTER, tag)
  store<u8>(COUNTER, load<u8>(COUNTER, 15) | 0x80, 15)
  aesCtrLittleEndian(CIPHER, COUNTER, data, length)
}

function forget(): void {
  memory.fill(KEYS, 0, 48)
  memory.fill(CIPHER, 0, AES_CONTEXT_SIZE)
  memory.fill(HASH_KEY, 0, POLYVAL_KEY_SIZE)
  polyvalForget()
  zeroBlock(BLOCK)
  zeroBlock(SUM)
}
