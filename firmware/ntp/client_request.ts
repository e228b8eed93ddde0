// A client's request, plain or protected by NTS (RFC 5905 section 7.3, RFC 8915 section 5.7).
//
//   header(48) | unique identifier(36) | cookie | placeholders | authenticator: nonce, tag
//
// In: the session whose oldest cookie is spent. Out: the packet, and the two random numbers that its reply must repeat. The
// header tells nothing about the client: all zero but version, mode and a transmit timestamp that is a random number.

import { storeU16be } from '../bytes/endian'
import { drbgGenerate } from '../crypto/drbg'
import { NTS_NONCE_MAX, NTS_TAG_LENGTH, ntsLoadKey, ntsNonceLength, ntsSeal } from '../nts/aead'
import { JAR_COOKIE_MAX, jarCookieLength, jarFree, jarTake } from '../nts/cookie_jar'
import { NtsSession, sessionC2s, sessionJar } from '../nts/session'
import { FIELD_HEADER_LENGTH, FieldType, putFieldHeader } from './extension_field'
import { Leap, NTP_HEADER_LENGTH, NTP_TRANSMIT_TIMESTAMP, NtpMode, putLeapVersionMode } from './packet'

/** Random bytes that the reply must repeat: the transmit timestamp as its origin, then the unique identifier. */
export const CLIENT_NONCE_SIZE: u32 = 8 + 32
export const CLIENT_IDENTIFIER_LENGTH: u32 = 32

/** Placeholders in one request at most: a jar fills up over several polls, so that no reply takes long to open. */
export const CLIENT_PLACEHOLDERS: u32 = 2

/** The longest request. */
export const CLIENT_REQUEST_MAX: u32 = 48 + 36 + 3 * (4 + 192) + 4 + 4 + 16 + 16

/** Writes a plain request of NTP_HEADER_LENGTH bytes; what must come back goes to `nonce`. */
export function putClientRequest(out: usize, nonce: usize): u32 {
  memory.fill(out, 0, NTP_HEADER_LENGTH)
  putLeapVersionMode(out, Leap.NoWarning, 4, NtpMode.Client)
  drbgGenerate(nonce, CLIENT_NONCE_SIZE)
  memory.copy(out + NTP_TRANSMIT_TIMESTAMP, nonce, 8)
  return NTP_HEADER_LENGTH
}

/** Writes a protected request of at most CLIENT_REQUEST_MAX bytes and spends a cookie; 0 when there is none left. */
export function putNtsRequest(out: usize, nonce: usize, session: NtsSession): u32 {
  const jar = sessionJar(session)
  const cookieLength = jarCookieLength(jar)
  let p = out + putClientRequest(out, nonce)
  p = putFieldHeader(p, FieldType.UniqueIdentifier, CLIENT_IDENTIFIER_LENGTH)
  memory.copy(p, nonce + 8, CLIENT_IDENTIFIER_LENGTH)
  p += CLIENT_IDENTIFIER_LENGTH
  if (cookieLength > JAR_COOKIE_MAX || jarTake(jar, p + FIELD_HEADER_LENGTH) === 0) return 0
  p = putFieldHeader(p, FieldType.NtsCookie, cookieLength) + cookieLength
  // The reply brings one cookie in any case.
  const missing = jarFree(jar) - 1
  for (let i: u32 = 0; i < missing && i < CLIENT_PLACEHOLDERS; i++) {
    p = putFieldHeader(p, FieldType.NtsCookiePlaceholder, cookieLength)
    memory.fill(p, 0, cookieLength)
    p += cookieLength
  }
  return putAuthenticator(out, p, session)
}

/** Everything before `field` is authenticated; nothing is encrypted. */
function putAuthenticator(packet: usize, field: usize, session: NtsSession): u32 {
  const nonceLength = ntsNonceLength(session.aead)
  drbgGenerate(NONCE, NTS_NONCE_MAX)
  const body = putFieldHeader(field, FieldType.NtsAuthenticator, LENGTHS + nonceLength + NTS_TAG_LENGTH)
  storeU16be(body, nonceLength)
  storeU16be(body + 2, NTS_TAG_LENGTH)
  const nonce = body + LENGTHS
  memory.copy(nonce, NONCE, nonceLength)
  ntsLoadKey(session.aead, sessionC2s(session))
  ntsSeal(session.aead, packet, <u32>(field - packet), nonce, nonce + nonceLength, 0)
  return <u32>(nonce + nonceLength + NTS_TAG_LENGTH - packet)
}

/** Bytes of the authenticator's two lengths. */
const LENGTHS: u32 = 4

const NONCE: usize = memory.data(16, 8)
