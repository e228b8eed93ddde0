// The ServerHello and the HelloRetryRequest (RFC 8446, sections 4.1.3 and 4.1.4), read where they lie in the buffer.
//
//   legacy_version(2) | random(32) | legacy_session_id_echo<0..32> | cipher_suite(2) | legacy_compression_method(1) |
//   extensions<6..2^16-1>: type(2) | data<0..2^16-1>
//
// Whether it is TLS 1.3 at all is judged first, so that an old server hears of its version and not of something else.
// Every function that can refuse returns the alert, or NO_ALERT.

import { loadU16be } from '../bytes/endian'
import { equalBytes } from '../crypto/constant_time'
import { AlertDescription, NO_ALERT } from './alert'
import { COOKIE, COOKIE_MAX, clientState } from './client_connection'
import { area, BUFFER, Connection, PEER_SHARE, SESSION_ID } from './connection'
import {
  CipherSuite,
  ExtensionType,
  HANDSHAKE_HEADER,
  NamedGroup,
  RANDOM_LENGTH,
  SESSION_ID_MAX,
  TLS_1_2,
  TLS_1_3,
} from './constants'
import { HELLO_RETRY_RANDOM, shareLength } from './messages'
import { suiteHash } from './suite'

const RANDOM: u32 = HANDSHAKE_HEADER + 2
const ECHO: u32 = RANDOM + RANDOM_LENGTH

/** "DOWNGRD", the first seven of the last eight bytes of a random by a server that would speak TLS 1.3; then 1 or 0. */
const DOWNGRADE: usize = memory.data<u8>([0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44])

const enum Seen {
  SupportedVersions = 1,
  KeyShare = 2,
  Cookie = 4,
}

/** True when the message in the buffer is a HelloRetryRequest. */
export function isRetryRequest(c: Connection): bool {
  return equalBytes(area(c, BUFFER) + RANDOM, HELLO_RETRY_RANDOM, RANDOM_LENGTH)
}

/** Reads the message, `c.filled` bytes: suite and share, or what a second ClientHello must change. */
export function readServerHello(c: Connection): u32 {
  const buffer = area(c, BUFFER)
  const end = c.filled
  if (end < ECHO + 1) return AlertDescription.DecodeError
  const echo = <u32>load<u8>(buffer + ECHO)
  const suiteAt = ECHO + 1 + echo
  if (echo > SESSION_ID_MAX || end < suiteAt + 3) return AlertDescription.DecodeError
  const extensions = suiteAt + 3
  if (end !== extensions && (end < extensions + 2 || loadU16be(buffer + extensions) !== end - extensions - 2)) {
    return AlertDescription.DecodeError
  }
  c.cursor = min(end, extensions + 2)
  c.end = end
  const alert = judgeVersion(c)
  if (alert !== NO_ALERT) return alert
  if (echo !== c.sessionIdLength || !equalBytes(buffer + ECHO + 1, area(c, SESSION_ID), echo)) {
    return AlertDescription.IllegalParameter
  }
  if (load<u8>(buffer + suiteAt + 2) !== 0) return AlertDescription.IllegalParameter
  const retry = isRetryRequest(c)
  if (retry && c.retried) return AlertDescription.UnexpectedMessage
  const suite = loadU16be(buffer + suiteAt)
  if (!isOffered(suite) || (c.retried && suite !== c.suite)) return AlertDescription.IllegalParameter
  c.suite = suite
  c.hash = suiteHash(suite)
  return readExtensions(c, retry)
}

/** Steps through all extensions: their lengths must be right, and supported_versions must say TLS 1.3. */
function judgeVersion(c: Connection): u32 {
  const buffer = area(c, BUFFER)
  let found: u32 = 0
  for (let at = c.cursor; at < c.end; ) {
    if (c.end - at < 4) return AlertDescription.DecodeError
    const length = loadU16be(buffer + at + 2)
    if (c.end - at - 4 < length) return AlertDescription.DecodeError
    if (loadU16be(buffer + at) === ExtensionType.SupportedVersions && found === 0) found = at
    at += 4 + length
  }
  const legacy = loadU16be(buffer + HANDSHAKE_HEADER)
  if (found === 0) {
    // An older version. A server that could do better was held back by somebody (section 4.1.3).
    const mark = buffer + RANDOM + RANDOM_LENGTH - 8
    const downgraded = memory.compare(mark, DOWNGRADE, 7) === 0 && load<u8>(mark, 7) <= 1
    return downgraded ? AlertDescription.IllegalParameter : AlertDescription.ProtocolVersion
  }
  if (loadU16be(buffer + found + 2) !== 2) return AlertDescription.DecodeError
  const right = loadU16be(buffer + found + 4) === TLS_1_3 && legacy === TLS_1_2
  return right ? NO_ALERT : AlertDescription.IllegalParameter
}

function isOffered(suite: u32): bool {
  return (
    suite === CipherSuite.ChaCha20Poly1305Sha256 ||
    suite === CipherSuite.Aes128GcmSha256 ||
    suite === CipherSuite.Aes256GcmSha384
  )
}

/** The lengths of the extensions are right. What may be there depends on which of the two messages it is. */
function readExtensions(c: Connection, retry: bool): u32 {
  const state = clientState(c)
  state.wantedGroup = 0
  state.cookieLength = 0
  let seen: u32 = 0
  while (c.cursor < c.end) {
    const extension = area(c, BUFFER) + c.cursor
    const type = loadU16be(extension)
    const length = loadU16be(extension + 2)
    const bit = seenBit(type, retry)
    if (bit === 0) return unexpectedExtension(type, state.named !== 0)
    if ((seen & bit) !== 0) return AlertDescription.IllegalParameter
    seen |= bit
    c.cursor += 4 + length
    let alert: u32 = NO_ALERT
    if (bit === Seen.Cookie) alert = readCookie(c, extension + 4, length)
    else if (bit === Seen.KeyShare) alert = readShare(c, extension + 4, length, retry)
    if (alert !== NO_ALERT) return alert
  }
  if (retry) {
    // Section 4.1.4: a request that changes nothing.
    return (seen & (Seen.KeyShare | Seen.Cookie)) !== 0 ? NO_ALERT : AlertDescription.IllegalParameter
  }
  return (seen & Seen.KeyShare) !== 0 ? NO_ALERT : AlertDescription.MissingExtension
}

/** 0 for what may not be there. */
function seenBit(type: u32, retry: bool): u32 {
  if (type === ExtensionType.SupportedVersions) return Seen.SupportedVersions
  if (type === ExtensionType.KeyShare) return Seen.KeyShare
  return type === ExtensionType.Cookie && retry ? Seen.Cookie : 0
}

/**
 * Section 4.2: an extension of ours in the wrong message is an illegal parameter, one that we did not send is not supported.
 */
export function unexpectedExtension(type: u32, named: bool): u32 {
  switch (type) {
    case ExtensionType.ServerName:
      return named ? AlertDescription.IllegalParameter : AlertDescription.UnsupportedExtension
    case ExtensionType.MaxFragmentLength:
    case ExtensionType.SupportedGroups:
    case ExtensionType.SignatureAlgorithms:
    case ExtensionType.ApplicationLayerProtocolNegotiation:
    case ExtensionType.RecordSizeLimit:
    case ExtensionType.SupportedVersions:
    case ExtensionType.KeyShare:
      return AlertDescription.IllegalParameter
    default:
      return AlertDescription.UnsupportedExtension
  }
}

/** Section 4.2.2. */
function readCookie(c: Connection, p: usize, length: u32): u32 {
  if (length < 3 || loadU16be(p) !== length - 2) return AlertDescription.DecodeError
  if (length - 2 > COOKIE_MAX) return AlertDescription.IllegalParameter
  memory.copy(area(c, BUFFER) + COOKIE, p + 2, length - 2)
  clientState(c).cookieLength = length - 2
  return NO_ALERT
}

/** Section 4.2.8: a share of our group; or, in a HelloRetryRequest, a group of ours that had no share. */
function readShare(c: Connection, p: usize, length: u32, retry: bool): u32 {
  if (retry) {
    if (length !== 2) return AlertDescription.DecodeError
    const group = loadU16be(p)
    const known = group === NamedGroup.X25519 || group === NamedGroup.Secp256r1
    if (!known || group === c.group) return AlertDescription.IllegalParameter
    clientState(c).wantedGroup = group
    return NO_ALERT
  }
  if (length < 5 || loadU16be(p + 2) !== length - 4) return AlertDescription.DecodeError
  const share = shareLength(c.group)
  if (loadU16be(p) !== c.group || length - 4 !== share) return AlertDescription.IllegalParameter
  // legacy_form of a point (section 4.2.8.2); whether it is on the curve shows later
  if (c.group === NamedGroup.Secp256r1 && load<u8>(p + 4) !== 4) return AlertDescription.IllegalParameter
  memory.copy(area(c, PEER_SHARE), p + 4, share)
  return NO_ALERT
}
