// The NTS side of a request: is it authentic, and under which keys shall the reply be (RFC 8915 sections 5.6 and 5.7)?
//
// In: an `NtpRequest` whose offsets are good. Out: keys, number of cookies to give, or the outcome as an `NtpCount`:
// NakCookie and NakAuthenticator are answered with the kiss code NTSN, NtsField is dropped. The cheap checks come
// first; the cookie costs nine AES blocks, the authenticator as many as the packet has and no packet exceeds
// NTP_PACKET_MAX.
//
// Body of the authenticator field (figure 4):
//   nonce length(2) | ciphertext length(2) | nonce, padded to 4 | ciphertext, padded to 4 | additional padding

import { loadU16be } from '../bytes/endian'
import { NTS_TAG_LENGTH, ntsLoadKey, ntsNonceLength, ntsOpen, ntsPlaintextOffset, ntsTakesNonce } from '../nts/aead'
import { CookieKeys, cookieC2s, cookieOpen } from '../nts/cookie'
import { NtpCount } from './counters'
import {
  ENCRYPTED_FIELD_MIN,
  FIELD_HEADER_LENGTH,
  FieldType,
  fieldBody,
  fieldLength,
  fieldType,
} from './extension_field'
import { ACCEPTED, NtpRequest } from './request'

/**
 * Checks the request and fills `keys`. Counts the placeholders within the encrypted fields in `request.placeholders`;
 * the ciphertext is decrypted where it lies.
 */
export function checkNtsRequest(request: NtpRequest, keys: CookieKeys): i32 {
  const body = fieldBody(request.authenticator)
  if (request.authenticatorLength < LENGTHS) return NtpCount.NtsField
  const nonceLength = loadU16be(body)
  const sealedLength = loadU16be(body + 2)
  const nonceRoom = padded(nonceLength)
  const needed = LENGTHS + nonceRoom + padded(sealedLength)
  if (needed > request.authenticatorLength || sealedLength < NTS_TAG_LENGTH) return NtpCount.NtsField

  if (!cookieOpen(request.cookie, request.cookieLength, keys)) return NtpCount.NakCookie
  if (!ntsTakesNonce(keys.aead, nonceLength)) return NtpCount.NtsField
  const additionalPadding = request.authenticatorLength - needed
  if (nonceRoom + additionalPadding < ntsNonceLength(keys.aead)) return NtpCount.NtsField

  const nonce = body + LENGTHS
  const sealed = nonce + nonceRoom
  const adLength = <u32>(request.authenticator - request.packet)
  ntsLoadKey(keys.aead, cookieC2s(keys))
  if (!ntsOpen(keys.aead, request.packet, adLength, nonce, nonceLength, sealed, sealedLength)) {
    return NtpCount.NakAuthenticator
  }
  const plaintext = sealed + ntsPlaintextOffset(keys.aead)
  return readEncryptedFields(plaintext, sealedLength - NTS_TAG_LENGTH, request) ? ACCEPTED : NtpCount.NtsField
}

/** Placeholders may be encrypted, identifier and cookie must not be (RFC 8915 section 5.7); others are skipped. */
function readEncryptedFields(plaintext: usize, length: u32, request: NtpRequest): bool {
  let at: u32 = 0
  while (at < length) {
    if (length - at < FIELD_HEADER_LENGTH) return false
    const field = plaintext + at
    const size = fieldLength(field, length - at, ENCRYPTED_FIELD_MIN)
    if (size === 0 || !takeEncryptedField(fieldType(field), size - FIELD_HEADER_LENGTH, request)) return false
    at += size
  }
  return true
}

function takeEncryptedField(type: u32, bodyLength: u32, request: NtpRequest): bool {
  switch (type) {
    case FieldType.UniqueIdentifier:
    case FieldType.NtsCookie:
    case FieldType.NtsAuthenticator:
      return false
    case FieldType.NtsCookiePlaceholder:
      request.placeholders += 1
      return bodyLength === request.cookieLength
    default:
      return true
  }
}

/** Rounded up to a word of four octets. */
function padded(length: u32): u32 {
  return (length + 3) & ~3
}

/** Bytes of the two lengths. */
const LENGTHS: u32 = 4
