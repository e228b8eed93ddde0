// AES-SIV (RFC 5297) as AEAD_AES_SIV_CMAC_256, NTS's mandatory AEAD (RFC 8915, section 5.6): deterministic authenticated
// encryption that survives a repeated nonce.
//
// A context is AES_SIV_CONTEXT_SIZE bytes, 8-aligned: CMAC under K1 | AES under K2 | CMAC of the zero block. The 32-byte
// key is K1 | K2. Ciphertext is V(16) | C. Spans lie at any address; the fast paths want them 4-aligned.
//
// Constant-time where aes.ts is. Lengths and the verdict of `aesSivOpen` are public.

import { AES_CONTEXT_SIZE, aesExpandKey } from './aes'
import { aesCtrBigEndian } from './aes_ctr'
import { copyBlock, doubleBlock, xorBlock, xorBytes, zeroBlock } from './block'
import { CMAC_CONTEXT_SIZE, cmacBlocks, cmacInit, cmacOfZeroBlock, cmacRest, padBlock } from './cmac'
import { equalBytes } from './constant_time'

/** Bytes of a context. */
export const AES_SIV_CONTEXT_SIZE: u32 = CMAC_CONTEXT_SIZE + AES_CONTEXT_SIZE + 16

/** Bytes that sealing adds: the synthetic IV. */
export const AES_SIV_TAG: u32 = 16

const CIPHER: usize = CMAC_CONTEXT_SIZE
const ZERO_MAC: usize = CIPHER + AES_CONTEXT_SIZE

/** S2V's D, a component's code, and the end of the last component (16..31 bytes). */
const D: usize = memory.data(16, 8)
const MAC: usize = memory.data(16, 8)
const TAIL: usize = memory.data(32, 8)
/** V as computed, and V as received. */
const V: usize = memory.data(16, 8)
const RECEIVED: usize = memory.data(16, 8)
const COUNTER: usize = memory.data(16, 8)

/** Takes the 32-byte key K1 | K2. */
export function aesSivInit(context: usize, key: usize): void {
  cmacInit(context, key, 16)
  aesExpandKey(context + CIPHER, key + 16, 16)
  cmacOfZeroBlock(context, context + ZERO_MAC)
}

/**
 * Seals: V(16) | C(plaintextLength) at `out`. S2V's components are AD, nonce, plaintext; a nonce at address 0 with
 * length 0 is absent (an empty nonce elsewhere is a component). `out` may overlap the plaintext in any way, but neither
 * AD nor nonce.
 */
export function aesSivSeal(
  context: usize,
  ad: usize,
  adLength: u32,
  nonce: usize,
  nonceLength: u32,
  plaintext: usize,
  plaintextLength: u32,
  out: usize,
): void {
  s2vStart(context)
  s2vComponent(context, ad, adLength)
  if (nonce !== 0) s2vComponent(context, nonce, nonceLength)
  aesSivSealLast(context, plaintext, plaintextLength, out)
}

/**
 * Opens `length` bytes V | C at `input`: writes the plaintext (`length` - 16 bytes) at `out` and returns true, or writes
 * zeros there and returns false. `out` may overlap `input` in any way, but neither AD nor nonce.
 */
export function aesSivOpen(
  context: usize,
  ad: usize,
  adLength: u32,
  nonce: usize,
  nonceLength: u32,
  input: usize,
  length: u32,
  out: usize,
): bool {
  if (length < AES_SIV_TAG) return false
  s2vStart(context)
  s2vComponent(context, ad, adLength)
  if (nonce !== 0) s2vComponent(context, nonce, nonceLength)
  return aesSivOpenLast(context, input, length, out)
}

// The same for any number of components before the plaintext (RFC 5297, section 3):
// s2vStart, s2vComponent for each, aesSivSealLast or aesSivOpenLast.

/** Begins S2V: D = CMAC(zero). */
export function s2vStart(context: usize): void {
  copyBlock(D, context + ZERO_MAC)
}

/** D = dbl(D) xor CMAC(S). */
export function s2vComponent(context: usize, data: usize, length: u32): void {
  zeroBlock(MAC)
  cmacRest(context, MAC, data, length)
  doubleBlock(D, D)
  xorBlock(D, MAC)
}

/** Seals after the components have been given. */
export function aesSivSealLast(context: usize, plaintext: usize, length: u32, out: usize): void {
  s2vLast(context, plaintext, length)
  memory.copy(out + AES_SIV_TAG, plaintext, length)
  memory.copy(out, V, AES_SIV_TAG)
  crypt(context, V, out + AES_SIV_TAG, length)
  forget()
}

/** Opens after the components have been given. */
export function aesSivOpenLast(context: usize, input: usize, length: u32, out: usize): bool {
  if (length < AES_SIV_TAG) return false
  const plaintextLength = length - AES_SIV_TAG
  memory.copy(RECEIVED, input, AES_SIV_TAG)
  memory.copy(out, input + AES_SIV_TAG, plaintextLength)
  crypt(context, RECEIVED, out, plaintextLength)
  s2vLast(context, out, plaintextLength)
  const good = equalBytes(V, RECEIVED, AES_SIV_TAG)
  if (!good) memory.fill(out, 0, plaintextLength)
  forget()
  return good
}

/** V of the last component (RFC 5297, section 2.4). Only its end, where D goes in, is copied. */
function s2vLast(context: usize, data: usize, length: u32): void {
  zeroBlock(V)
  if (length < 16) {
    doubleBlock(D, D)
    padBlock(TAIL, data, length)
    xorBlock(D, TAIL)
    cmacRest(context, V, D, 16)
    return
  }
  const tail = 16 + (length & 15)
  const before = length - tail
  cmacBlocks(context, V, data, before >> 4)
  memory.copy(TAIL, data + before, tail)
  xorBytes(TAIL + tail - 16, D, 16)
  cmacRest(context, V, TAIL, tail)
}

/** Counter mode from V with bits 31 and 63 cleared (RFC 5297, section 2.5). */
function crypt(context: usize, v: usize, data: usize, length: u32): void {
  if (length === 0) return
  copyBlock(COUNTER, v)
  store<u8>(COUNTER, load<u8>(COUNTER, 8) & 0x7f, 8)
  store<u8>(COUNTER, load<u8>(COUNTER, 12) & 0x7f, 12)
  aesCtrBigEndian(context + CIPHER, COUNTER, data, length)
}

function forget(): void {
  zeroBlock(D)
  zeroBlock(MAC)
  zeroBlock(TAIL)
  zeroBlock(TAIL + 16)
}
