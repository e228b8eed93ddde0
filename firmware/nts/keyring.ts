// The keys that seal cookies: one current, up to seven old ones that still open (RFC 8915 section 6).
//
// In: random bytes, the POSIX time of a trusted clock in seconds, a stored blob. Out: cipher contexts by key id, and the
// blob to store. A key seals for one day; a cookie therefore opens for seven to eight days, and across restarts when
// the blob is stored. Keys are independent random values: an erased one cannot be derived from those that are left.
//
// A key id is a 16-bit sequence number from a random start. Its low three bits are the slot, so a look-up is one
// comparison and an id that has left the window of eight never matches its slot's new key.
//
// Blob, 296 bytes, integers little-endian:
//   magic u32 | current id u32 | since i64 | used u32 | reserved u32 | key(32) of slot 0 .. 7 | digest(16)
// `since` is the POSIX second from which the current key seals, 0 while no trusted time was known. `used` has bit n set
// when slot n holds a key. The digest is the first half of SHA-256 over all before it: it finds damage, not malice.

import { AES_SIV_CONTEXT_SIZE, aesSivInit } from '../crypto/aes_siv'
import { equalBytes, wipe } from '../crypto/constant_time'
import { drbgGenerate, drbgSeeded } from '../crypto/drbg'
import { Hash, hash } from '../crypto/hash'

/** How long a key seals, in seconds. */
export const KEYRING_PERIOD: i64 = 86_400

/** Keys held: the current one and seven old ones. */
export const KEYRING_SLOTS: u32 = 8

/** Bytes of the stored blob. */
export const KEYRING_SIZE: u32 = 296

/** Makes a new ring with one random key. False when there is no randomness; the ring is then as before. */
export function keyringCreate(): bool {
  if (!drbgSeeded()) return false
  wipe(changetype<usize>(RING), KEYRING_SIZE)
  wipe(CONTEXTS, KEYRING_SLOTS * <u32>AES_SIV_CONTEXT_SIZE)
  RING.magic = MAGIC
  drbgGenerate(changetype<usize>(RING) + CURRENT_OFFSET, 2)
  makeCurrentKey()
  sealBlob()
  return true
}

/** Takes a stored blob. False when it is not one of ours or damaged; the ring is then as before. */
export function keyringLoad(blob: usize, length: u32): bool {
  if (length !== KEYRING_SIZE || !isSound(blob)) return false
  memory.copy(changetype<usize>(RING), blob, KEYRING_SIZE)
  for (let slot: u32 = 0; slot < KEYRING_SLOTS; slot++) {
    if ((RING.used >> slot) & 1) aesSivInit(contextOf(slot), keyOf(slot))
    else wipe(contextOf(slot), <u32>AES_SIV_CONTEXT_SIZE)
  }
  return true
}

/**
 * Retires the current key when its day is over; true when the ring changed and its blob must be stored. To be called
 * with the POSIX second of a trusted clock, or not at all: while time is unknown nothing rotates.
 *
 * A gap of several days (the appliance was off) retires as many keys at once, so that no key opens for longer than it
 * should. A clock that was ahead and came back starts the current key's day again at `nowSeconds`.
 */
export function keyringRotate(nowSeconds: i64): bool {
  if (nowSeconds <= 0 || !keyringReady()) return false
  if (RING.since === 0 || RING.since > nowSeconds) {
    RING.since = nowSeconds
    sealBlob()
    return true
  }
  const periods = (nowSeconds - RING.since) / KEYRING_PERIOD
  if (periods === 0 || !drbgSeeded()) return false
  const steps = periods < <i64>KEYRING_SLOTS ? <u32>periods : KEYRING_SLOTS
  for (let i: u32 = 0; i < steps; i++) advance()
  makeCurrentKey()
  RING.since += periods * KEYRING_PERIOD
  sealBlob()
  return true
}

/** Address of the blob to store, `KEYRING_SIZE` bytes. It holds secrets. */
export function keyringBlob(): usize {
  return changetype<usize>(RING)
}

/** True when there is a key to seal with. */
export function keyringReady(): bool {
  return RING.used !== 0
}

/** POSIX second from which the current key seals; 0 when no trusted time was known yet. */
export function keyringSince(): i64 {
  return RING.since
}

/** The id of the key that seals now. */
export function keyringCurrent(): u32 {
  return RING.current
}

/** AES-SIV context of the key `id`, or 0 when the ring does not hold it (any more). */
export function keyringContext(id: u32): usize {
  const age = (RING.current - id) & ID_MASK
  const slot = id & SLOT_MASK
  if (age >= KEYRING_SLOTS || ((RING.used >> slot) & 1) === 0) return 0
  return contextOf(slot)
}

/** Moves on to the next id; whatever key its slot held is gone. */
function advance(): void {
  RING.current = (RING.current + 1) & ID_MASK
  const slot = RING.current & SLOT_MASK
  wipe(keyOf(slot), KEY_LENGTH)
  wipe(contextOf(slot), <u32>AES_SIV_CONTEXT_SIZE)
  RING.used &= ~((<u32>1) << slot)
}

function makeCurrentKey(): void {
  const slot = RING.current & SLOT_MASK
  drbgGenerate(keyOf(slot), KEY_LENGTH)
  aesSivInit(contextOf(slot), keyOf(slot))
  RING.used |= (<u32>1) << slot
}

/** Writes the digest, so that the blob can be stored as it lies. */
function sealBlob(): void {
  hash(Hash.Sha256, changetype<usize>(RING), DIGEST_OFFSET, DIGEST)
  memory.copy(changetype<usize>(RING) + DIGEST_OFFSET, DIGEST, DIGEST_LENGTH)
}

function isSound(blob: usize): bool {
  memory.copy(CANDIDATE, blob, KEYRING_SIZE)
  const ring = changetype<Ring>(CANDIDATE)
  hash(Hash.Sha256, CANDIDATE, DIGEST_OFFSET, DIGEST)
  const sound =
    ring.magic === MAGIC &&
    ring.current <= ID_MASK &&
    ring.since >= 0 &&
    ((ring.used >> (ring.current & SLOT_MASK)) & 1) === 1 &&
    equalBytes(CANDIDATE + DIGEST_OFFSET, DIGEST, DIGEST_LENGTH)
  wipe(CANDIDATE, KEYRING_SIZE)
  return sound
}

function keyOf(slot: u32): usize {
  return changetype<usize>(RING) + KEYS_OFFSET + slot * KEY_LENGTH
}

function contextOf(slot: u32): usize {
  return CONTEXTS + slot * AES_SIV_CONTEXT_SIZE
}

/** The head of the blob; keys and digest follow it. */
@unmanaged
class Ring {
  magic: u32
  /** Id of the key that seals, 16 bits. */
  current: u32
  /** POSIX seconds. */
  since: i64
  used: u32
  reserved: u32
}

/** 'NMK1' */
const MAGIC: u32 = 0x314b_4d4e
const ID_MASK: u32 = 0xffff
const SLOT_MASK: u32 = KEYRING_SLOTS - 1
const KEY_LENGTH: u32 = 32
const CURRENT_OFFSET: usize = 4
const KEYS_OFFSET: usize = 24
const DIGEST_OFFSET: u32 = 280
const DIGEST_LENGTH: u32 = 16

const RING = changetype<Ring>(memory.data(296, 8))
const CANDIDATE: usize = memory.data(296, 8)
const DIGEST: usize = memory.data(64, 8)
const CONTEXTS: usize = memory.data(8 * AES_SIV_CONTEXT_SIZE, 8)
