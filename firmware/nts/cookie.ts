// Cookies: the server's state for one client, sealed and kept by the client (RFC 8915 section 6).
//
// In: the AEAD that was negotiated and its two keys. Out: an opaque body for the New Cookie record and the NTS Cookie
// field, and back. Layout, integers in network byte order:
//
//   key id(2) | AEAD id(2) | nonce(12) | V(16) | C(2k)        k = 32: 96 bytes, k = 16: 64 bytes
//
// Sealed with AES-SIV-CMAC-256 under the key ring's key: the associated data is the first 16 bytes (so AEAD and key id
// are bound, and the nonce costs no block of its own), the plaintext is `C2S key | S2C key`. RFC 8915 suggests the AEAD
// id inside the plaintext; outside it is authenticated all the same and betrays no more than the length does.
// The length is a multiple of 4, as an extension field needs, and a client's cookies never change their length.

import { loadU16be, storeU16be } from '../bytes/endian'
import { aesSivOpen, aesSivSeal } from '../crypto/aes_siv'
import { wipe } from '../crypto/constant_time'
import { drbgGenerate, drbgSeeded } from '../crypto/drbg'
import { NTS_TAG_LENGTH, ntsKeyLength } from './aead'
import { keyringContext, keyringCurrent } from './keyring'

/** The longest cookie, in bytes. */
export const COOKIE_MAX: u32 = 96

/** Random bytes in each cookie. */
export const COOKIE_NONCE_LENGTH: u32 = 12

/** What a cookie holds. The two keys follow: `aead u32 | key length u32 | C2S key | S2C key`, 4-aligned. */
@unmanaged
export class CookieKeys {
  /** `NtsAead` */
  aead: u32
  /** Bytes of each of the two keys. */
  keyLength: u32
}

/** Bytes of a `CookieKeys` with its keys. */
export const COOKIE_KEYS_SIZE: u32 = 8 + 2 * 32

/** Address of the client-to-server key. */
export function cookieC2s(keys: CookieKeys): usize {
  return changetype<usize>(keys) + offsetof<CookieKeys>()
}

/** Address of the server-to-client key. */
export function cookieS2c(keys: CookieKeys): usize {
  return cookieC2s(keys) + keys.keyLength
}

/** Length of a cookie for this AEAD; 0 for one that the server does not speak. */
export function cookieLength(aead: u32): u32 {
  const keyLength = ntsKeyLength(aead)
  return keyLength === 0 ? 0 : KEYS_OFFSET + 2 * keyLength
}

/**
 * Seals a cookie with the current key into `out` and returns its length, `cookieLength(aead)`; 0 when there is no key, no
 * randomness or no such AEAD.
 */
export function cookieSeal(aead: u32, c2s: usize, s2c: usize, out: usize): u32 {
  if (!drbgSeeded()) return 0
  const keys = changetype<CookieKeys>(SEALING)
  keys.aead = aead
  keys.keyLength = ntsKeyLength(aead)
  memory.copy(cookieC2s(keys), c2s, keys.keyLength)
  memory.copy(cookieS2c(keys), s2c, keys.keyLength)
  drbgGenerate(NONCE, COOKIE_NONCE_LENGTH)
  const length = cookieSealWith(keys, NONCE, out)
  wipe(SEALING, COOKIE_KEYS_SIZE)
  return length
}

/** As `cookieSeal`, with a nonce of `COOKIE_NONCE_LENGTH` fresh random bytes from the caller. */
export function cookieSealWith(keys: CookieKeys, nonce: usize, out: usize): u32 {
  const context = keyringContext(keyringCurrent())
  const length = cookieLength(keys.aead)
  if (context === 0 || length === 0) return 0
  storeU16be(out, keyringCurrent())
  storeU16be(out + AEAD_OFFSET, keys.aead)
  memory.copy(out + NONCE_OFFSET, nonce, COOKIE_NONCE_LENGTH)
  aesSivSeal(context, out, HEAD_LENGTH, 0, 0, cookieC2s(keys), 2 * keys.keyLength, out + HEAD_LENGTH)
  return length
}

/** Opens a cookie. False for one that no key of the ring has sealed, whole; `out` then holds no keys. */
export function cookieOpen(cookie: usize, length: u32, out: CookieKeys): bool {
  if (length < HEAD_LENGTH) return false
  const context = keyringContext(loadU16be(cookie))
  const aead = loadU16be(cookie + AEAD_OFFSET)
  if (context === 0 || length !== cookieLength(aead)) return false
  out.aead = aead
  out.keyLength = ntsKeyLength(aead)
  return aesSivOpen(context, cookie, HEAD_LENGTH, 0, 0, cookie + HEAD_LENGTH, length - HEAD_LENGTH, cookieC2s(out))
}

const AEAD_OFFSET: usize = 2
const NONCE_OFFSET: usize = 4
/** Key id, AEAD id and nonce: the associated data, one AES block. */
const HEAD_LENGTH: u32 = 16
const KEYS_OFFSET: u32 = HEAD_LENGTH + NTS_TAG_LENGTH

const SEALING: usize = memory.data(72, 8)
const NONCE: usize = memory.data(16, 8)
