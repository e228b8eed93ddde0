// The ClientHello (RFC 8446, section 4.1.2): read where it lies in the buffer, one extension a step.
//
//   legacy_version(2) | random(32) | legacy_session_id<0..32> | cipher_suites<2..2^16-2> |
//   legacy_compression_methods<1..255> | extensions<0..2^16-1>: type(2) | data<0..2^16-1>
//
// Reading collects what was offered; `negotiate` then judges it as a whole, so that a client of TLS 1.2 hears of its
// version and not of something else. Every function that can refuse returns the alert, or NO_ALERT.
// Unknown extensions, versions, suites, groups and algorithms (GREASE, RFC 8701) are skipped.

import { loadU16be } from '../bytes/endian'
import { AlertDescription, NO_ALERT } from './alert'
import { area, BUFFER, Connection, PEER_SHARE, SESSION_ID } from './connection'
import {
  CipherSuite,
  ECDSA_SECP256R1_SHA256,
  ExtensionType,
  HANDSHAKE_HEADER,
  NamedGroup,
  PLAINTEXT_MAX,
  RANDOM_LENGTH,
  SECP256R1_SHARE,
  SESSION_ID_MAX,
  SSL_3_0,
  TLS_1_3,
  X25519_SHARE,
} from './constants'
import { shareLength } from './messages'
import { suiteHash } from './suite'

/** More extensions than this are refused; it bounds the search for duplicates. Clients send about 20. */
const EXTENSIONS_MAX: u32 = 128

/** No list may have more entries than this; it bounds the work of one step. Clients send about 40. */
const ENTRIES_MAX: u32 = 1000

/** The same for shares, which are dearer to read. */
const SHARES_MAX: u32 = 250

/** Extensions seen, and those whose content fits ours. */
const enum Seen {
  SupportedVersions = 1 << 0,
  Tls13 = 1 << 1,
  SupportedGroups = 1 << 2,
  SignatureAlgorithms = 1 << 3,
  EcdsaSecp256r1Sha256 = 1 << 4,
  KeyShare = 1 << 5,
  Protocol = 1 << 6,
  PreSharedKey = 1 << 7,
  PskKeyExchangeModes = 1 << 8,
  EarlyData = 1 << 9,
}

/** Suites and groups offered. */
const enum Offered {
  Aes128GcmSha256 = 1 << 0,
  Aes256GcmSha384 = 1 << 1,
  ChaCha20Poly1305Sha256 = 1 << 2,
  X25519 = 1 << 3,
  Secp256r1 = 1 << 4,
}

/** Reads all before the extensions. `c.filled` bytes of the message are in the buffer. */
export function readHello(c: Connection): u32 {
  c.seen = 0
  c.offered = 0
  c.extensionCount = 0
  c.x25519Share = 0
  c.secp256r1Share = 0
  c.shareCount = 0
  c.recordSizeLimit = 0
  c.maxFragmentLength = 0
  const buffer = area(c, BUFFER)
  const end = c.filled
  c.end = end
  let at: u32 = HANDSHAKE_HEADER + 2 + RANDOM_LENGTH
  if (end < at + 1) return AlertDescription.DecodeError
  c.legacyVersion = loadU16be(buffer + HANDSHAKE_HEADER)
  const sessionId = <u32>load<u8>(buffer + at)
  if (sessionId > SESSION_ID_MAX || end - at - 1 < sessionId + 2) return AlertDescription.DecodeError
  c.sessionIdLength = sessionId
  memory.copy(area(c, SESSION_ID), buffer + at + 1, sessionId)
  at += 1 + sessionId
  const suites = loadU16be(buffer + at)
  at += 2
  if (suites === 0 || (suites & 1) !== 0 || end - at < suites + 1) return AlertDescription.DecodeError
  if (suites > 2 * ENTRIES_MAX) return AlertDescription.IllegalParameter
  for (let i: u32 = 0; i < suites; i += 2) c.offered |= offeredSuite(loadU16be(buffer + at + i))
  at += suites
  c.compressionLength = load<u8>(buffer + at)
  at += 1
  if (c.compressionLength === 0 || end - at < c.compressionLength) return AlertDescription.DecodeError
  c.compressionMethod = load<u8>(buffer + at)
  at += c.compressionLength
  c.extensions = at
  c.cursor = at
  if (at === end) return NO_ALERT // before TLS 1.3: `negotiate` says so
  if (end - at < 2 || loadU16be(buffer + at) !== end - at - 2) return AlertDescription.DecodeError
  c.extensions = at + 2
  c.cursor = at + 2
  return NO_ALERT
}

/** Reads the extension at the cursor and moves the cursor behind it. The cursor is before `c.end`. */
export function readExtension(c: Connection): u32 {
  if (c.end - c.cursor < 4) return AlertDescription.DecodeError
  const extension = area(c, BUFFER) + c.cursor
  const type = loadU16be(extension)
  const length = loadU16be(extension + 2)
  if (c.end - c.cursor - 4 < length) return AlertDescription.DecodeError
  c.extensionCount += 1
  if (c.extensionCount > EXTENSIONS_MAX || isDuplicate(c, type)) return AlertDescription.IllegalParameter
  // pre_shared_key must be the last one (section 4.2.11)
  if ((c.seen & Seen.PreSharedKey) !== 0) return AlertDescription.IllegalParameter
  c.cursor += 4 + length
  return readContent(c, type, extension + 4, length)
}

/** Judges the whole: picks suite, group and share, or returns the alert. */
export function negotiate(c: Connection): u32 {
  const seen = c.seen
  if ((seen & Seen.Tls13) === 0 || c.legacyVersion <= SSL_3_0) return AlertDescription.ProtocolVersion
  if (c.compressionLength !== 1 || c.compressionMethod !== 0) return AlertDescription.IllegalParameter
  const needed = Seen.SupportedGroups | Seen.SignatureAlgorithms | Seen.KeyShare
  if ((seen & needed) !== needed) return AlertDescription.MissingExtension
  if ((seen & Seen.PreSharedKey) !== 0 && (seen & Seen.PskKeyExchangeModes) === 0) {
    return AlertDescription.MissingExtension
  }
  c.suite = chooseSuite(c.offered)
  if (c.suite === 0 || (seen & Seen.EcdsaSecp256r1Sha256) === 0) return AlertDescription.HandshakeFailure
  c.hash = suiteHash(c.suite)
  if ((seen & Seen.Protocol) === 0) return AlertDescription.NoApplicationProtocol
  c.earlyData = (seen & Seen.EarlyData) !== 0 ? 1 : 0
  return c.retried ? takeSecondShare(c) : chooseShare(c)
}

/** True when `negotiate` found a common group but no share of it: a HelloRetryRequest is due. */
export function lacksShare(c: Connection): bool {
  return shareOffset(c, c.group) === 0
}

/** Moves the cursor to the next extension that a second ClientHello must repeat; false at the end. */
export function seekFixedExtension(c: Connection): bool {
  const buffer = area(c, BUFFER)
  while (c.cursor < c.end && mayChange(loadU16be(buffer + c.cursor))) {
    c.cursor += 4 + loadU16be(buffer + c.cursor + 2)
  }
  return c.cursor < c.end
}

/** What a client may change, add or leave out after a HelloRetryRequest without a cookie (section 4.1.2). */
function mayChange(type: u32): bool {
  return (
    type === ExtensionType.KeyShare ||
    type === ExtensionType.EarlyData ||
    type === ExtensionType.PreSharedKey ||
    type === ExtensionType.Padding
  )
}

/** ChaCha20 first: without AES hardware it costs a fraction of GCM, and it is constant-time on every machine. */
function chooseSuite(offered: u32): u32 {
  if ((offered & Offered.ChaCha20Poly1305Sha256) !== 0) return CipherSuite.ChaCha20Poly1305Sha256
  if ((offered & Offered.Aes128GcmSha256) !== 0) return CipherSuite.Aes128GcmSha256
  return (offered & Offered.Aes256GcmSha384) !== 0 ? CipherSuite.Aes256GcmSha384 : 0
}

/** X25519 before secp256r1, but a share that is there before a retry. */
function chooseShare(c: Connection): u32 {
  if (!sharesWereOffered(c)) return AlertDescription.IllegalParameter
  if (c.x25519Share !== 0) c.group = NamedGroup.X25519
  else if (c.secp256r1Share !== 0) c.group = NamedGroup.Secp256r1
  else if ((c.offered & Offered.X25519) !== 0) c.group = NamedGroup.X25519
  else if ((c.offered & Offered.Secp256r1) !== 0) c.group = NamedGroup.Secp256r1
  else return AlertDescription.HandshakeFailure
  takeShare(c)
  return NO_ALERT
}

/** The second ClientHello brings exactly the share that was asked for, and no early data (section 4.1.2). */
function takeSecondShare(c: Connection): u32 {
  if (!sharesWereOffered(c) || c.shareCount !== 1 || lacksShare(c) || c.earlyData) {
    return AlertDescription.IllegalParameter
  }
  takeShare(c)
  return NO_ALERT
}

/** No share of a group that supported_groups does not name (section 4.2.8). */
function sharesWereOffered(c: Connection): bool {
  if (c.x25519Share !== 0 && (c.offered & Offered.X25519) === 0) return false
  return c.secp256r1Share === 0 || (c.offered & Offered.Secp256r1) !== 0
}

function takeShare(c: Connection): void {
  const offset = shareOffset(c, c.group)
  if (offset !== 0) memory.copy(area(c, PEER_SHARE), area(c, BUFFER) + offset, shareLength(c.group))
}

function shareOffset(c: Connection, group: u32): u32 {
  return group === NamedGroup.X25519 ? c.x25519Share : c.secp256r1Share
}

/** True when one of the extensions before the cursor has this type. */
function isDuplicate(c: Connection, type: u32): bool {
  const buffer = area(c, BUFFER)
  for (let at = c.extensions; at < c.cursor; at += 4 + loadU16be(buffer + at + 2)) {
    if (loadU16be(buffer + at) === type) return true
  }
  return false
}

function readContent(c: Connection, type: u32, p: usize, length: u32): u32 {
  switch (type) {
    case ExtensionType.SupportedVersions:
      return readSupportedVersions(c, p, length)
    case ExtensionType.SupportedGroups:
      return readSupportedGroups(c, p, length)
    case ExtensionType.SignatureAlgorithms:
      return readSignatureAlgorithms(c, p, length)
    case ExtensionType.KeyShare:
      return readKeyShare(c, p, length)
    case ExtensionType.ApplicationLayerProtocolNegotiation:
      return readProtocols(c, p, length)
    case ExtensionType.RecordSizeLimit:
      return readRecordSizeLimit(c, p, length)
    case ExtensionType.MaxFragmentLength:
      return readMaxFragmentLength(c, p, length)
    case ExtensionType.EarlyData:
      c.seen |= Seen.EarlyData
      return length === 0 ? NO_ALERT : AlertDescription.DecodeError
    case ExtensionType.PreSharedKey:
      c.seen |= Seen.PreSharedKey
      return NO_ALERT
    case ExtensionType.PskKeyExchangeModes:
      c.seen |= Seen.PskKeyExchangeModes
      return NO_ALERT
    default:
      return NO_ALERT
  }
}

function readSupportedVersions(c: Connection, p: usize, length: u32): u32 {
  if (length < 3 || (length & 1) === 0 || <u32>load<u8>(p) !== length - 1) return AlertDescription.DecodeError
  c.seen |= Seen.SupportedVersions
  for (let i: u32 = 1; i < length; i += 2) {
    if (loadU16be(p + i) === TLS_1_3) c.seen |= Seen.Tls13
  }
  return NO_ALERT
}

/** True when the extension is one non-empty list of 16-bit numbers with its length before it. */
function isListOfU16(p: usize, length: u32): bool {
  return length >= 4 && (length & 1) === 0 && loadU16be(p) === length - 2
}

function readSupportedGroups(c: Connection, p: usize, length: u32): u32 {
  if (!isListOfU16(p, length)) return AlertDescription.DecodeError
  if (length > 2 * ENTRIES_MAX) return AlertDescription.IllegalParameter
  c.seen |= Seen.SupportedGroups
  for (let i: u32 = 2; i < length; i += 2) {
    const group = loadU16be(p + i)
    if (group === NamedGroup.X25519) c.offered |= Offered.X25519
    else if (group === NamedGroup.Secp256r1) c.offered |= Offered.Secp256r1
  }
  return NO_ALERT
}

function readSignatureAlgorithms(c: Connection, p: usize, length: u32): u32 {
  if (!isListOfU16(p, length)) return AlertDescription.DecodeError
  if (length > 2 * ENTRIES_MAX) return AlertDescription.IllegalParameter
  c.seen |= Seen.SignatureAlgorithms
  for (let i: u32 = 2; i < length; i += 2) {
    if (loadU16be(p + i) === ECDSA_SECP256R1_SHA256) c.seen |= Seen.EcdsaSecp256r1Sha256
  }
  return NO_ALERT
}

/** Shares of groups that we do not know (X25519MLKEM768 and others) are stepped over. An empty list asks for a retry. */
function readKeyShare(c: Connection, p: usize, length: u32): u32 {
  if (length < 2 || loadU16be(p) !== length - 2) return AlertDescription.DecodeError
  c.seen |= Seen.KeyShare
  let at: u32 = 2
  while (at < length) {
    if (length - at < 5) return AlertDescription.DecodeError
    const share = loadU16be(p + at + 2)
    if (share === 0 || length - at - 4 < share) return AlertDescription.DecodeError
    const alert = noteShare(c, loadU16be(p + at), p + at + 4, share)
    if (alert !== NO_ALERT) return alert
    at += 4 + share
  }
  return NO_ALERT
}

function noteShare(c: Connection, group: u32, share: usize, length: u32): u32 {
  c.shareCount += 1
  if (c.shareCount > SHARES_MAX) return AlertDescription.IllegalParameter
  const offset = <u32>(share - area(c, BUFFER))
  if (group === NamedGroup.X25519) {
    if (length !== X25519_SHARE || c.x25519Share !== 0) return AlertDescription.IllegalParameter
    c.x25519Share = offset
  } else if (group === NamedGroup.Secp256r1) {
    // legacy_form 4, x, y (section 4.2.8.2); whether it is on the curve shows later
    if (length !== SECP256R1_SHARE || load<u8>(share) !== 4 || c.secp256r1Share !== 0) {
      return AlertDescription.IllegalParameter
    }
    c.secp256r1Share = offset
  }
  return NO_ALERT
}

function readProtocols(c: Connection, p: usize, length: u32): u32 {
  if (length < 4 || loadU16be(p) !== length - 2) return AlertDescription.DecodeError
  let at: u32 = 2
  for (let names: u32 = 1; at < length; names++) {
    const name = <u32>load<u8>(p + at)
    if (names > ENTRIES_MAX) return AlertDescription.IllegalParameter
    if (name === 0 || length - at - 1 < name) return AlertDescription.DecodeError
    if (name === load<u8>(c.alpn) && memory.compare(p + at + 1, c.alpn + 1, name) === 0) c.seen |= Seen.Protocol
    at += 1 + name
  }
  return NO_ALERT
}

/** RFC 8449, section 4: at least 64; it counts the content type too. */
function readRecordSizeLimit(c: Connection, p: usize, length: u32): u32 {
  if (length !== 2) return AlertDescription.DecodeError
  const limit = loadU16be(p)
  if (limit < 64) return AlertDescription.IllegalParameter
  c.recordSizeLimit = limit
  return NO_ALERT
}

/** RFC 6066, section 4: 2^9 .. 2^12 as 1 .. 4. Ignored beside record_size_limit (RFC 8449, section 5). */
function readMaxFragmentLength(c: Connection, p: usize, length: u32): u32 {
  if (length !== 1) return AlertDescription.DecodeError
  const code = <u32>load<u8>(p)
  if (code < 1 || code > 4) return AlertDescription.IllegalParameter
  c.maxFragmentLength = code
  return NO_ALERT
}

/** Bytes of content that the peer takes in one protected record. */
export function peerContentLimit(c: Connection): u32 {
  if (c.recordSizeLimit !== 0) return min(c.recordSizeLimit - 1, PLAINTEXT_MAX)
  return c.maxFragmentLength !== 0 ? 256 << c.maxFragmentLength : PLAINTEXT_MAX
}

function offeredSuite(suite: u32): u32 {
  if (suite === CipherSuite.Aes128GcmSha256) return Offered.Aes128GcmSha256
  if (suite === CipherSuite.Aes256GcmSha384) return Offered.Aes256GcmSha384
  return suite === CipherSuite.ChaCha20Poly1305Sha256 ? Offered.ChaCha20Poly1305Sha256 : 0
}
