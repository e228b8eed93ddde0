// The server's encrypted flight (RFC 8446, sections 4.3 and 4.4) as a client reads it: EncryptedExtensions,
// CertificateRequest, the frame of Certificate, CertificateVerify. `p` is a message's body, whole.
//
// Every function that can refuse returns the alert, or NO_ALERT. The certificates themselves are x509.ts's business.

import { putAscii } from '../bytes/ascii'
import { loadU16be, loadU24be } from '../bytes/endian'
import { hashLength } from '../crypto/hash'
import { SignatureScheme } from '../crypto/signature'
import { AlertDescription, NO_ALERT } from './alert'
import { CLIENT_FRAGMENT_CODE, clientState } from './client_connection'
import { unexpectedExtension } from './client_server_hello'
import { area, Connection, INFO } from './connection'
import { ExtensionType, PLAINTEXT_MAX } from './constants'
import { KeyKind } from './x509_algorithm'

/** More extensions in a CertificateRequest than this are refused; it bounds the search for duplicates. */
const EXTENSIONS_MAX: u32 = 32

/** More certificates than this are refused; x509.ts takes fewer. */
const ENTRIES_MAX: u32 = 16

/** The content of the longest message that CertificateVerify signs. */
const SIGNED_HEAD: u32 = 64 + 33 + 1

const enum Seen {
  ServerName = 1,
  MaxFragmentLength = 2,
  SupportedGroups = 4,
  Protocol = 8,
  RecordSizeLimit = 16,
}

/** Section 4.3.1. The protocol must be there (RFC 8915, section 4). */
export function readEncryptedExtensions(c: Connection, p: usize, length: u32): u32 {
  if (length < 2 || loadU16be(p) !== length - 2) return AlertDescription.DecodeError
  const named = clientState(c).named !== 0
  let seen: u32 = 0
  for (let at: u32 = 2; at < length; ) {
    if (length - at < 4) return AlertDescription.DecodeError
    const type = loadU16be(p + at)
    const size = loadU16be(p + at + 2)
    if (length - at - 4 < size) return AlertDescription.DecodeError
    const bit = seenBit(type, named)
    if (bit === 0) return unexpectedExtension(type, named)
    if ((seen & bit) !== 0) return AlertDescription.IllegalParameter
    seen |= bit
    const alert = readExtension(c, bit, p + at + 4, size)
    if (alert !== NO_ALERT) return alert
    at += 4 + size
  }
  // RFC 8449, section 5: a server answers one of the two.
  const both = Seen.MaxFragmentLength | Seen.RecordSizeLimit
  if ((seen & both) === both) return AlertDescription.IllegalParameter
  return (seen & Seen.Protocol) !== 0 ? NO_ALERT : AlertDescription.NoApplicationProtocol
}

/** 0 for what may not be there. */
function seenBit(type: u32, named: bool): u32 {
  switch (type) {
    case ExtensionType.ServerName:
      return named ? Seen.ServerName : 0
    case ExtensionType.MaxFragmentLength:
      return Seen.MaxFragmentLength
    case ExtensionType.SupportedGroups:
      return Seen.SupportedGroups
    case ExtensionType.ApplicationLayerProtocolNegotiation:
      return Seen.Protocol
    default:
      return type === ExtensionType.RecordSizeLimit ? Seen.RecordSizeLimit : 0
  }
}

function readExtension(c: Connection, bit: u32, p: usize, length: u32): u32 {
  switch (bit) {
    case Seen.ServerName: // an empty acknowledgement (RFC 6066, section 3)
      return length === 0 ? NO_ALERT : AlertDescription.DecodeError
    case Seen.MaxFragmentLength:
      if (length !== 1) return AlertDescription.DecodeError
      if (<u32>load<u8>(p) !== CLIENT_FRAGMENT_CODE) return AlertDescription.IllegalParameter
      c.contentLimit = 256 << CLIENT_FRAGMENT_CODE
      return NO_ALERT
    case Seen.SupportedGroups: // for later connections (section 4.2.7)
      return length >= 4 && loadU16be(p) === length - 2 ? NO_ALERT : AlertDescription.DecodeError
    case Seen.Protocol:
      return readProtocol(c, p, length)
    default: // RecordSizeLimit
      return readRecordSizeLimit(c, p, length)
  }
}

/** RFC 7301, section 3.1: exactly one name, and it was offered. */
function readProtocol(c: Connection, p: usize, length: u32): u32 {
  if (length < 4 || loadU16be(p) !== length - 2 || <u32>load<u8>(p, 2) !== length - 3)
    return AlertDescription.DecodeError
  const name = length - 3
  const same = name === <u32>load<u8>(c.alpn) && memory.compare(p + 3, c.alpn + 1, name) === 0
  return same ? NO_ALERT : AlertDescription.IllegalParameter
}

/** RFC 8449, section 4: at least 64, and no more than TLS 1.3 has; it counts the content type too. */
function readRecordSizeLimit(c: Connection, p: usize, length: u32): u32 {
  if (length !== 2) return AlertDescription.DecodeError
  const limit = loadU16be(p)
  if (limit < 64 || limit > PLAINTEXT_MAX + 1) return AlertDescription.IllegalParameter
  c.contentLimit = limit - 1
  return NO_ALERT
}

/** Section 4.3.2: signature_algorithms must be there; nothing else matters, since we have no certificate. */
export function readCertificateRequest(p: usize, length: u32): u32 {
  if (length < 3) return AlertDescription.DecodeError
  if (load<u8>(p) !== 0) return AlertDescription.IllegalParameter
  if (loadU16be(p + 1) !== length - 3) return AlertDescription.DecodeError
  let signatures: bool = false
  let count: u32 = 0
  for (let at: u32 = 3; at < length; ) {
    if (length - at < 4) return AlertDescription.DecodeError
    const type = loadU16be(p + at)
    const size = loadU16be(p + at + 2)
    if (length - at - 4 < size) return AlertDescription.DecodeError
    count += 1
    if (count > EXTENSIONS_MAX || isDuplicate(p, at, type)) return AlertDescription.IllegalParameter
    if (type === ExtensionType.SignatureAlgorithms) signatures = true
    at += 4 + size
  }
  return signatures ? NO_ALERT : AlertDescription.MissingExtension
}

/** True when one of the extensions before `end` has this type. */
function isDuplicate(p: usize, end: u32, type: u32): bool {
  for (let at: u32 = 3; at < end; at += 4 + loadU16be(p + at + 2)) {
    if (loadU16be(p + at) === type) return true
  }
  return false
}

/** Bytes before the list of a Certificate message: the empty context, the list's length. */
export const CERTIFICATE_HEAD: u32 = 4

/** Section 4.4.2: context, lengths, extensions of the entries. The list begins at CERTIFICATE_HEAD. */
export function readCertificate(p: usize, length: u32): u32 {
  if (length < CERTIFICATE_HEAD) return AlertDescription.DecodeError
  if (load<u8>(p) !== 0) return AlertDescription.IllegalParameter
  if (loadU24be(p + 1) !== length - CERTIFICATE_HEAD || length === CERTIFICATE_HEAD) return AlertDescription.DecodeError
  let at = CERTIFICATE_HEAD
  for (let count: u32 = 0; at < length; count++) {
    if (count === ENTRIES_MAX) return AlertDescription.IllegalParameter
    if (length - at < 5) return AlertDescription.DecodeError
    const size = loadU24be(p + at)
    if (size === 0 || size > length - at - 5) return AlertDescription.DecodeError
    at += 3 + size
    const block = loadU16be(p + at)
    if (block > length - at - 2) return AlertDescription.DecodeError
    const alert = judgeEntryExtensions(p + at + 2, block)
    if (alert !== NO_ALERT) return alert
    at += 2 + block
  }
  return NO_ALERT
}

/** Stapled OCSP answers and SCTs are stepped over, although nobody asked for them; others are refused (section 4.4.2). */
function judgeEntryExtensions(p: usize, length: u32): u32 {
  let seen: u32 = 0
  for (let at: u32 = 0; at < length; ) {
    if (length - at < 4) return AlertDescription.DecodeError
    const type = loadU16be(p + at)
    const size = loadU16be(p + at + 2)
    if (length - at - 4 < size) return AlertDescription.DecodeError
    if (type !== ExtensionType.StatusRequest && type !== ExtensionType.SignedCertificateTimestamp) {
      return unexpectedExtension(type, true)
    }
    const bit: u32 = type === ExtensionType.StatusRequest ? 1 : 2
    if ((seen & bit) !== 0) return AlertDescription.IllegalParameter
    seen |= bit
    at += 4 + size
  }
  return NO_ALERT
}

/**
 * Section 4.4.3: `algorithm(2) | signature<0..2^16-1>`. The algorithm must be one that we offered for this purpose and must
 * fit the leaf's key, which x509.ts has judged. What the verifier needs of the message goes to the ClientState.
 */
export function readCertificateVerify(c: Connection, p: usize, length: u32, key: KeyKind): u32 {
  if (length < 4 || loadU16be(p + 2) !== length - 4) return AlertDescription.DecodeError
  const scheme = schemeOf(loadU16be(p), key)
  if (scheme === SignatureScheme.None) return AlertDescription.IllegalParameter
  const state = clientState(c)
  state.scheme = scheme
  state.signature = p + 4
  state.signatureLength = length - 4
  return NO_ALERT
}

function schemeOf(algorithm: u32, key: KeyKind): SignatureScheme {
  switch (algorithm) {
    case 0x0403: // ecdsa_secp256r1_sha256
      return key === KeyKind.P256 ? SignatureScheme.EcdsaP256Sha256 : SignatureScheme.None
    case 0x0503: // ecdsa_secp384r1_sha384
      return key === KeyKind.P384 ? SignatureScheme.EcdsaP384Sha384 : SignatureScheme.None
    case 0x0807: // ed25519
      return key === KeyKind.Ed25519 ? SignatureScheme.Ed25519 : SignatureScheme.None
    case 0x0804: // rsa_pss_rsae_sha256
      return key === KeyKind.Rsa ? SignatureScheme.RsaPssSha256 : SignatureScheme.None
    case 0x0805: // rsa_pss_rsae_sha384
      return key === KeyKind.Rsa ? SignatureScheme.RsaPssSha384 : SignatureScheme.None
    case 0x0806: // rsa_pss_rsae_sha512
      return key === KeyKind.Rsa ? SignatureScheme.RsaPssSha512 : SignatureScheme.None
    default:
      return SignatureScheme.None
  }
}

/** Writes what the server's CertificateVerify signs (section 4.4.3) to the area INFO; returns its length. */
export function putSignedContent(c: Connection, transcript: usize): u32 {
  const length = hashLength(c.hash)
  const p = area(c, INFO)
  memory.fill(p, 0x20, 64)
  store<u8>(putAscii(p + 64, 'TLS 1.3, server CertificateVerify'), 0)
  memory.copy(p + SIGNED_HEAD, transcript, length)
  return SIGNED_HEAD + length
}
