// The AEADs of aead.ts in slices, in place, for a server that must not stop for a long record.
//
// The caller owns the state: AEAD_STEPS_SIZE bytes, 8-aligned. Context, data and state stay where they are until the
// last step (but see `aeadStepsMoved`); one context serves one operation at a time. Sealing encrypts and authenticates a
// slice in one step; opening authenticates everything first and decrypts only what is authentic.
// Constant-time where the AEADs are; lengths and the verdict are public.

import { loadU32le, storeU32be, storeU32le } from '../bytes/endian'
import { AEAD_CONTEXT_SIZE, AEAD_TAG, Aead } from './aead'
import { AES_CONTEXT_SIZE, aesEncryptBlock } from './aes'
import { aesCtrBigEndian } from './aes_ctr'
import { AES_GCM_CONTEXT_SIZE } from './aes_gcm'
import { chacha20Blocks, chacha20Nonce, chacha20Xor } from './chacha20'
import { equalBytes } from './constant_time'
import { ghashOutput, ghashUpdate, polyvalForget } from './ghash'
import { POLY1305_STATE_SIZE, poly1305Final, poly1305Init, poly1305Padded } from './poly1305'

const enum Phase {
  Done = 0,
  Seal = 1,
  Authenticate = 2,
  Decrypt = 3,
}

@unmanaged
class Steps {
  phase: Phase
  /** 1: opened, and authentic. */
  good: u32
  /** The AEAD's own context. */
  context: usize
  chacha: u32
  /** Start and length of the data without its tag. */
  data: usize
  length: u32
  /** Bytes done in this phase. */
  done: u32
  adLength: u32
  /** The counter of the next block of AES-CTR. */
  counter: u32
}

/** Where aead.ts keeps the AEAD's own context, and aes_gcm.ts the key of GHASH. */
const INNER: usize = AEAD_CONTEXT_SIZE - AES_GCM_CONTEXT_SIZE
const HASH_KEY: usize = AES_CONTEXT_SIZE

const NONCE: usize = (offsetof<Steps>() + 7) & ~(<usize>7)
/** GHASH's sum, or Poly1305's state. */
const MAC: usize = NONCE + 16

/** Bytes of a state. */
export const AEAD_STEPS_SIZE: u32 = <u32>MAC + POLY1305_STATE_SIZE

/** Bytes in one step, whole blocks of the ciphers: about 20,000 RV32 instructions either way. */
const GCM_SLICE: u32 = 96
const CHACHA_SLICE: u32 = 320

const BLOCK: usize = memory.data(16, 8)
const MASK: usize = memory.data(16, 8)
const TAG: usize = memory.data(16, 8)
const ONE_TIME_KEY: usize = memory.data(64, 8)

/** Begins to seal `length` bytes at `data` in place; 16 bytes behind them take the tag. */
export function aeadSealStart(
  state: usize,
  context: usize,
  nonce: usize,
  ad: usize,
  adLength: u32,
  data: usize,
  length: u32,
): void {
  start(changetype<Steps>(state), context, nonce, ad, adLength, data, length)
  changetype<Steps>(state).phase = Phase.Seal
}

/** Begins to open `length` bytes C | tag at `data` in place. Shorter than a tag is not authentic. */
export function aeadOpenStart(
  state: usize,
  context: usize,
  nonce: usize,
  ad: usize,
  adLength: u32,
  data: usize,
  length: u32,
): void {
  const s = changetype<Steps>(state)
  s.good = 0
  s.phase = Phase.Done
  if (length < AEAD_TAG) return
  start(s, context, nonce, ad, adLength, data, length - AEAD_TAG)
  s.phase = Phase.Authenticate
}

/** One slice; true when all is done. */
export function aeadStep(state: usize): bool {
  const s = changetype<Steps>(state)
  if (s.phase === Phase.Done) return true
  const length = min(s.length - s.done, s.chacha ? CHACHA_SLICE : GCM_SLICE)
  const at = s.data + s.done
  if (s.phase !== Phase.Authenticate) crypt(s, at, length)
  if (s.phase !== Phase.Decrypt) authenticate(s, at, length)
  s.done += length
  if (s.done !== s.length) return false
  return finishPhase(s)
}

/** After an opening: true when it was authentic. If not, the ciphertext stands as it was. */
export function aeadGood(state: usize): bool {
  return changetype<Steps>(state).good !== 0
}

/** The owner has moved the data, the part for the tag included, `distance` bytes towards address 0. */
export function aeadStepsMoved(state: usize, distance: usize): void {
  changetype<Steps>(state).data -= distance
}

/** Forgets what the state knows. */
export function aeadStepsWipe(state: usize): void {
  memory.fill(state, 0, AEAD_STEPS_SIZE)
}

function start(s: Steps, context: usize, nonce: usize, ad: usize, adLength: u32, data: usize, length: u32): void {
  s.good = 0
  s.context = context + INNER
  s.chacha = load<u32>(context) === Aead.ChaCha20Poly1305 ? 1 : 0
  s.data = data
  s.length = length
  s.done = 0
  s.adLength = adLength
  memory.fill(mac(s), 0, POLY1305_STATE_SIZE)
  if (s.chacha) {
    chacha20Nonce(s.context, nonce, 0)
    chacha20Blocks(s.context, ONE_TIME_KEY, 1)
    poly1305Init(mac(s), ONE_TIME_KEY)
    memory.fill(ONE_TIME_KEY, 0, 64)
  } else {
    for (let i: usize = 0; i < 12; i += 4) store<u32>(counterBlock(s) + i, loadU32le(nonce + i))
    s.counter = 2
  }
  authenticate(s, ad, adLength)
}

function finishPhase(s: Steps): bool {
  if (s.phase === Phase.Decrypt) {
    s.phase = Phase.Done
    return true
  }
  const end = s.data + s.length
  if (s.phase === Phase.Seal) {
    finishTag(s, end)
    s.phase = Phase.Done
    return true
  }
  finishTag(s, TAG)
  s.good = equalBytes(TAG, end, AEAD_TAG) ? 1 : 0
  memory.fill(TAG, 0, AEAD_TAG)
  s.done = 0
  s.phase = s.good && s.length !== 0 ? Phase.Decrypt : Phase.Done
  return s.phase === Phase.Done
}

/** data ^= keystream; `length` is a whole number of blocks but for the last slice. */
function crypt(s: Steps, data: usize, length: u32): void {
  if (s.chacha) {
    chacha20Xor(s.context, data, length)
    return
  }
  store<u32>(counterBlock(s), bswap<u32>(s.counter), 12)
  aesCtrBigEndian(s.context, counterBlock(s), data, length)
  s.counter += length >> 4
}

/** Absorbs a slice (or the additional data), padded to a whole block at its end. */
function authenticate(s: Steps, data: usize, length: u32): void {
  if (s.chacha) {
    poly1305Padded(mac(s), data, length)
    return
  }
  ghashUpdate(s.context + HASH_KEY, mac(s), data, length)
  polyvalForget()
}

function finishTag(s: Steps, out: usize): void {
  if (s.chacha) {
    storeU32le(BLOCK, s.adLength)
    storeU32le(BLOCK + 4, 0)
    storeU32le(BLOCK + 8, s.length)
    storeU32le(BLOCK + 12, 0)
    poly1305Padded(mac(s), BLOCK, 16)
    poly1305Final(mac(s), out)
    return
  }
  storeU32be(BLOCK, s.adLength >> 29)
  storeU32be(BLOCK + 4, s.adLength << 3)
  storeU32be(BLOCK + 8, s.length >> 29)
  storeU32be(BLOCK + 12, s.length << 3)
  ghashUpdate(s.context + HASH_KEY, mac(s), BLOCK, 16)
  polyvalForget()
  ghashOutput(mac(s), BLOCK)
  store<u32>(counterBlock(s), bswap<u32>(1), 12)
  aesEncryptBlock(s.context, counterBlock(s), MASK)
  for (let i: usize = 0; i < 16; i++) store<u8>(out + i, load<u8>(BLOCK + i) ^ load<u8>(MASK + i))
  memory.fill(BLOCK, 0, 16)
  memory.fill(MASK, 0, 16)
}

/** nonce(12) | counter(4), big-endian. */
function counterBlock(s: Steps): usize {
  return changetype<usize>(s) + NONCE
}

function mac(s: Steps): usize {
  return changetype<usize>(s) + MAC
}
