// The handshake messages that the server sends, and those that a client sends alike (RFC 8446, section 4). Each is written at the front of the buffer, then
// hashed into the transcript and cut into records by the steps that follow.

import { putAscii } from '../bytes/ascii'
import { loadU24be, storeU16be, storeU24be } from '../bytes/endian'
import { AEAD_TAG } from '../crypto/aead'
import { drbgGenerate } from '../crypto/drbg'
import { ecdsaSignatureToDer } from '../crypto/ecdsa_p256'
import { Hash, hash, hashLength } from '../crypto/hash'
import { area, BUFFER, BUFFER_SIZE, CERTIFICATES_MAX, Connection, OWN_SHARE, SESSION_ID } from './connection'
import {
  ECDSA_SECP256R1_SHA256,
  ExtensionType,
  HANDSHAKE_HEADER,
  HandshakeType,
  KeyUpdateRequest,
  NamedGroup,
  RANDOM_LENGTH,
  SECP256R1_SHARE,
  TLS_1_2,
  TLS_1_3,
  X25519_SHARE,
} from './constants'
import { TlsCredentials } from './credentials'
import { transcriptAdd } from './transcript'

/** The record_size_limit (RFC 8449) that we announce: the inner plaintext of the longest record that we can open. */
export const RECORD_SIZE_LIMIT: u32 = BUFFER_SIZE - AEAD_TAG

/** SHA-256("HelloRetryRequest"): the random that marks a ServerHello as such (section 4.1.3). */
export const HELLO_RETRY_RANDOM: usize = memory.data<u8>([
  0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
  0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
])

/** What a CertificateVerify signs: 64 spaces, the context, a zero, the transcript hash. */
const SIGNED_MAX: u32 = 64 + 33 + 1 + 48
const SIGNED: usize = memory.data(SIGNED_MAX, 8)

/** Bytes of the share of a group. */
export function shareLength(group: u32): u32 {
  return group === NamedGroup.X25519 ? X25519_SHARE : SECP256R1_SHARE
}

export function putServerHello(c: Connection): void {
  const start = beginMessage(c, HandshakeType.ServerHello)
  const length = shareLength(c.group)
  storeU16be(start, TLS_1_2)
  drbgGenerate(start + 2, RANDOM_LENGTH)
  let p = putNegotiated(c, start + 2 + RANDOM_LENGTH)
  const list = p
  p = putExtension(p + 2, ExtensionType.KeyShare, 4 + length)
  storeU16be(p, c.group)
  storeU16be(p + 2, length)
  memory.copy(p + 4, area(c, OWN_SHARE), length)
  p = putSelectedVersion(p + 4 + length)
  storeU16be(list, <u32>(p - list - 2))
  endMessage(c, p)
}

export function putHelloRetryRequest(c: Connection): void {
  const start = beginMessage(c, HandshakeType.ServerHello)
  storeU16be(start, TLS_1_2)
  memory.copy(start + 2, HELLO_RETRY_RANDOM, RANDOM_LENGTH)
  let p = putNegotiated(c, start + 2 + RANDOM_LENGTH)
  const list = p
  p = putExtension(p + 2, ExtensionType.KeyShare, 2)
  storeU16be(p, c.group)
  p = putSelectedVersion(p + 2)
  storeU16be(list, <u32>(p - list - 2))
  endMessage(c, p)
}

/** The protocol, and our record size limit if the client told its own (it needs not expect an answer otherwise). */
export function putEncryptedExtensions(c: Connection): void {
  const start = beginMessage(c, HandshakeType.EncryptedExtensions)
  const name = <u32>load<u8>(c.alpn) + 1
  let p = putExtension(start + 2, ExtensionType.ApplicationLayerProtocolNegotiation, 2 + name)
  storeU16be(p, name)
  memory.copy(p + 2, c.alpn, name)
  p += 2 + name
  if (c.recordSizeLimit !== 0) {
    p = putExtension(p, ExtensionType.RecordSizeLimit, 2)
    storeU16be(p, RECORD_SIZE_LIMIT)
    p += 2
  } else if (c.maxFragmentLength !== 0) {
    p = putExtension(p, ExtensionType.MaxFragmentLength, 1)
    store<u8>(p, c.maxFragmentLength)
    p += 1
  }
  storeU16be(start, <u32>(p - start - 2))
  endMessage(c, p)
}

/** False when the certificates are not a list of `TlsCredentials`. */
export function putCertificate(c: Connection): bool {
  const credentials = changetype<TlsCredentials>(c.credentials)
  if (credentials.certificatesLength === 0 || credentials.certificatesLength > CERTIFICATES_MAX) return false
  const start = beginMessage(c, HandshakeType.Certificate)
  store<u8>(start, 0) // certificate_request_context
  let from = credentials.certificates
  const end = from + credentials.certificatesLength
  let p = start + 4
  while (from < end) {
    if (end - from < 3) return false
    const length: usize = 3 + loadU24be(from)
    if (length > end - from || p + length + 2 > area(c, BUFFER) + BUFFER_SIZE) return false
    memory.copy(p, from, length)
    storeU16be(p + length, 0) // no extensions
    from += length
    p += length + 2
  }
  storeU24be(start + 1, <u32>(p - start - 4))
  endMessage(c, p)
  return true
}

/** A client's answer to a CertificateRequest: no certificate (section 4.4.2). */
export function putNoCertificate(c: Connection): void {
  const start = beginMessage(c, HandshakeType.Certificate)
  store<u8>(start, 0) // certificate_request_context
  storeU24be(start + 1, 0)
  endMessage(c, start + 4)
}

/** Writes the SHA-256 of what the server signs for this transcript hash (section 4.4.3); `out` is 32 bytes. */
export function serverSignatureHash(transcript: usize, h: Hash, out: usize): void {
  memory.fill(SIGNED, 0x20, 64)
  const p = putAscii(SIGNED + 64, 'TLS 1.3, server CertificateVerify')
  store<u8>(p, 0)
  memory.copy(p + 1, transcript, hashLength(h))
  hash(Hash.Sha256, SIGNED, 98 + hashLength(h), out)
}

/** `signature` is r(32) | s(32); it must not lie in the first 80 bytes of the buffer. */
export function putCertificateVerify(c: Connection, signature: usize): void {
  const start = beginMessage(c, HandshakeType.CertificateVerify)
  storeU16be(start, ECDSA_SECP256R1_SHA256)
  const length = ecdsaSignatureToDer(signature, start + 4)
  storeU16be(start + 2, length)
  endMessage(c, start + 4 + length)
}

export function putFinished(c: Connection, verifyData: usize): void {
  const start = beginMessage(c, HandshakeType.Finished)
  const length = hashLength(c.hash)
  memory.copy(start, verifyData, length)
  endMessage(c, start + length)
}

/** Writes a whole KeyUpdate at `out`; it belongs to no transcript. Returns its length. */
export function putKeyUpdate(out: usize): u32 {
  store<u8>(out, HandshakeType.KeyUpdate)
  storeU24be(out + 1, 1)
  store<u8>(out + 4, KeyUpdateRequest.NotRequested)
  return 5
}

function beginMessage(c: Connection, type: HandshakeType): usize {
  store<u8>(area(c, BUFFER), type)
  return area(c, BUFFER) + HANDSHAKE_HEADER
}

function endMessage(c: Connection, end: usize): void {
  const message = area(c, BUFFER)
  const length = <u32>(end - message)
  storeU24be(message + 1, length - HANDSHAKE_HEADER)
  transcriptAdd(c, message, length)
  c.sendAt = message
  c.sendLeft = length
}

/** legacy_session_id_echo, cipher_suite, legacy_compression_method. */
function putNegotiated(c: Connection, p: usize): usize {
  store<u8>(p, c.sessionIdLength)
  memory.copy(p + 1, area(c, SESSION_ID), c.sessionIdLength)
  p += 1 + c.sessionIdLength
  storeU16be(p, c.suite)
  store<u8>(p + 2, 0)
  return p + 3
}

function putSelectedVersion(p: usize): usize {
  p = putExtension(p, ExtensionType.SupportedVersions, 2)
  storeU16be(p, TLS_1_3)
  return p + 2
}

export function putExtension(p: usize, type: ExtensionType, length: u32): usize {
  storeU16be(p, type)
  storeU16be(p + 2, length)
  return p + 4
}
