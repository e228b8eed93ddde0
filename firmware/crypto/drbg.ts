// The random generator: ChaCha20 with fast key erasure.
//
// The state is a 32-byte key. A refill runs ChaCha20 (nonce 0) under it: the first 32 bytes of the keystream become the
// next key at once, the rest is handed out, and every byte is wiped as it leaves. Whoever reads the memory later learns
// nothing of what was handed out before. Entropy is mixed in by HKDF-Extract (RFC 5869) with the old key as the salt, so
// that reseeding from a weak source never loses what was there.
//
// Constant-time on every processor in the key and the output; lengths are public. One state for the whole firmware.

import { CHACHA20_STATE_SIZE, chacha20Blocks, chacha20Init } from './chacha20'
import { Hash } from './hash'
import { hkdfExtract } from './hkdf'

const KEY_SIZE: u32 = 32
/** Bytes of entropy that the first seed needs at least. */
export const DRBG_SEED_MIN: u32 = 48

/** The key, four blocks of keystream whose unread end is still to be handed out, and the cipher's state. */
const KEY: usize = memory.data(32, 8)
const POOL: usize = memory.data(256, 8)
const POOL_SIZE: u32 = 256
const NONCE: usize = memory.data(12, 4)
const CIPHER: usize = memory.data(64, 8)

let seeded: bool = false
/** Bytes of the pool that are spent or were never filled. */
let spent: u32 = 256

/** The first seed: at least DRBG_SEED_MIN bytes of full entropy. False (and nothing happens) when it is shorter. */
export function drbgSeed(entropy: usize, length: u32): bool {
  if (length < DRBG_SEED_MIN) return false
  drbgReseed(entropy, length)
  seeded = true
  return true
}

/** Mixes `length` bytes in. What is left of the pool is thrown away. */
export function drbgReseed(entropy: usize, length: u32): void {
  hkdfExtract(Hash.Sha256, KEY, KEY_SIZE, entropy, length, KEY)
  memory.fill(POOL, 0, POOL_SIZE)
  spent = POOL_SIZE
}

/** True after a successful `drbgSeed`. */
export function drbgSeeded(): bool {
  return seeded
}

/** Writes `length` random bytes at `out`. Traps when never seeded: no caller may go on with anything less. */
export function drbgGenerate(out: usize, length: u32): void {
  if (!seeded) unreachable()
  while (length !== 0) {
    if (spent === POOL_SIZE) refill()
    const taken = min(length, POOL_SIZE - spent)
    memory.copy(out, POOL + spent, taken)
    memory.fill(POOL + spent, 0, taken)
    spent += taken
    out += taken
    length -= taken
  }
}

function refill(): void {
  chacha20Init(CIPHER, KEY, NONCE, 0)
  chacha20Blocks(CIPHER, POOL, POOL_SIZE >> 6)
  memory.copy(KEY, POOL, KEY_SIZE)
  memory.fill(POOL, 0, KEY_SIZE)
  memory.fill(CIPHER, 0, CHACHA20_STATE_SIZE)
  spent = KEY_SIZE
}
