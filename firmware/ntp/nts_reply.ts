// The protected part of a reply, built where it will be sent from (RFC 8915 sections 5.6 and 5.7):
//
//   header(48) | unique identifier field | authenticator field: nonce, sealed cookie fields
//
// Two steps, so that the transmit timestamp is taken between them: `prepareNtsReply` does all that does not depend on it
// (random bytes, fresh cookies, key expansion), `sealNtsReply` only the one AEAD over the packet.

import { storeU16be } from '../bytes/endian'
import { drbgGenerate, drbgSeeded } from '../crypto/drbg'
import { NTS_NONCE_MAX, NTS_TAG_LENGTH, ntsLoadKey, ntsNonceLength, ntsPlaintextOffset, ntsSeal } from '../nts/aead'
import { COOKIE_NONCE_LENGTH, CookieKeys, cookieLength, cookieS2c, cookieSealWith } from '../nts/cookie'
import { keyringReady } from '../nts/keyring'
import { FIELD_HEADER_LENGTH, FieldType, putFieldHeader } from './extension_field'
import { NtpRequest, protectedLength } from './request'

/** The most cookies in one reply, however many placeholders ask for more (RFC 8915 section 5.7: at most seven). */
export const NTS_REPLY_COOKIES: u32 = 8

/** Length of a reply whose authenticator begins at `at` and holds `cookies` cookies. */
export function ntsReplyLength(keys: CookieKeys, at: u32, cookies: u32): u32 {
  return at + FIELD_HEADER_LENGTH + LENGTHS + ntsNonceLength(keys.aead) + NTS_TAG_LENGTH + cookies * cookieField(keys)
}

/**
 * Writes the authenticator field at `reply + at`, with its cookies still in the clear, and returns their number: one and
 * one more for each placeholder, as far as they fit into `capacity` and the request's length. 0 when not even one does,
 * or when there is nothing to make one from.
 */
export function prepareNtsReply(request: NtpRequest, keys: CookieKeys, reply: usize, at: u32, capacity: u32): u32 {
  const room = min<u32>(capacity, protectedLength(request))
  if (ntsReplyLength(keys, at, 1) > room || !keyringReady() || !drbgSeeded()) return 0
  const fitting = (room - ntsReplyLength(keys, at, 0)) / cookieField(keys)
  const cookies = min<u32>(min<u32>(1 + request.placeholders, NTS_REPLY_COOKIES), fitting)
  drbgGenerate(RANDOM, NTS_NONCE_MAX + cookies * COOKIE_NONCE_LENGTH)
  const nonceLength = ntsNonceLength(keys.aead)
  const bodyLength = ntsReplyLength(keys, at, cookies) - at - FIELD_HEADER_LENGTH
  const body = putFieldHeader(reply + at, FieldType.NtsAuthenticator, bodyLength)
  storeU16be(body, nonceLength)
  storeU16be(body + 2, bodyLength - LENGTHS - nonceLength)
  memory.copy(body + LENGTHS, RANDOM, nonceLength)
  putCookies(body + LENGTHS + nonceLength + ntsPlaintextOffset(keys.aead), keys, cookies)
  ntsLoadKey(keys.aead, cookieS2c(keys))
  return cookies
}

/** Seals the reply that was prepared at `at`, `length` bytes in all. The associated data is all before the field. */
export function sealNtsReply(keys: CookieKeys, reply: usize, at: u32, length: u32): void {
  const nonce = reply + at + FIELD_HEADER_LENGTH + LENGTHS
  const sealed = nonce + ntsNonceLength(keys.aead)
  ntsSeal(keys.aead, reply, at, nonce, sealed, <u32>(reply + length - sealed) - NTS_TAG_LENGTH)
}

/** The client's own keys again, under the ring's current key: each cookie is as long as the one that came. */
function putCookies(p: usize, keys: CookieKeys, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    p = putFieldHeader(p, FieldType.NtsCookie, cookieLength(keys.aead))
    p += cookieSealWith(keys, RANDOM + NTS_NONCE_MAX + i * COOKIE_NONCE_LENGTH, p)
  }
}

function cookieField(keys: CookieKeys): u32 {
  return FIELD_HEADER_LENGTH + cookieLength(keys.aead)
}

/** Bytes of the two lengths. */
const LENGTHS: u32 = 4

/** Nonce of the reply, then one for each cookie. */
const RANDOM: usize = memory.data(16 + 8 * 12, 8)
