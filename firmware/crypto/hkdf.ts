// HKDF (RFC 5869): extract, then expand. Constant-time in all secrets; the lengths are public.

import { HASH_MAX, Hash, hashLength } from './hash'
import { HMAC_CONTEXT_SIZE, hmac, hmacFinal, hmacInit, hmacUpdate } from './hmac'

/** HMAC fed with the pseudorandom key only; each block of output starts from a copy. */
const KEYED: usize = memory.data(416, 8)
const RUNNING: usize = memory.data(416, 8)
/** T(i), then the block's counter. */
const BLOCK: usize = memory.data(64, 8)
const COUNTER: usize = memory.data(1, 1)

/** PRK = HMAC(salt, input keying material), `hashLength` bytes at `out` (section 2.2). An absent salt has length 0. */
export function hkdfExtract(h: Hash, salt: usize, saltLength: u32, ikm: usize, ikmLength: u32, out: usize): void {
  hmac(h, salt, saltLength, ikm, ikmLength, out)
}

/**
 * The first `outLength` bytes of T(1) | T(2) | ... at `out` (section 2.3); `outLength` is at most 255 digests.
 * `out` may overlap the pseudorandom key; it may overlap `info` when `outLength` is at most one digest.
 */
export function hkdfExpand(
  h: Hash,
  prk: usize,
  prkLength: u32,
  info: usize,
  infoLength: u32,
  out: usize,
  outLength: u32,
): void {
  const digest = hashLength(h)
  hmacInit(h, KEYED, prk, prkLength)
  for (let counter: u32 = 1; outLength !== 0; counter++) {
    memory.copy(RUNNING, KEYED, HMAC_CONTEXT_SIZE)
    if (counter > 1) hmacUpdate(RUNNING, BLOCK, digest)
    hmacUpdate(RUNNING, info, infoLength)
    store<u8>(COUNTER, counter)
    hmacUpdate(RUNNING, COUNTER, 1)
    hmacFinal(RUNNING, BLOCK)
    const taken = min(outLength, digest)
    memory.copy(out, BLOCK, taken)
    out += taken
    outLength -= taken
  }
  memory.fill(KEYED, 0, HMAC_CONTEXT_SIZE)
  memory.fill(BLOCK, 0, HASH_MAX)
}
