// The handshake messages that only a client sends (RFC 8446, section 4): ClientHello, and a Certificate without any.
//
// A second ClientHello is written over the first, whose random stays: all is the same but key_share and cookie (section
// 4.1.2).

import { storeU16be, storeU24be } from '../bytes/endian'
import {
  CLIENT_FRAGMENT_CODE,
  CLIENT_RECORD_LIMIT,
  COOKIE,
  clientState,
  NAME_MAX,
  OWN_HELLO,
} from './client_connection'
import { area, BUFFER, Connection, OWN_SHARE, SESSION_ID } from './connection'
import {
  ExtensionType,
  HANDSHAKE_HEADER,
  HandshakeType,
  RANDOM_LENGTH,
  SESSION_ID_MAX,
  TLS_1_2,
  TLS_1_3,
} from './constants'
import { putExtension, shareLength } from './messages'
import { Trust } from './x509'
import { withoutLastDot } from './x509_name'

// Lists of 16-bit numbers, each with its length before it, in the order of preference.

/** ChaCha20 first, as on the server's side: AES in software costs more. */
const SUITES: usize = memory.data<u8>([0, 6, 0x13, 0x03, 0x13, 0x01, 0x13, 0x02])
const GROUPS: usize = memory.data<u8>([0, 4, 0, 29, 0, 23])
/**
 * For CertificateVerify ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, ed25519, ecdsa_secp384r1_sha384, rsa_pss_rsae_sha384 and
 * -sha512. In certificates also rsa_pkcs1_sha256, -sha384 and -sha512, which TLS 1.3 has for them alone (section 4.2.3).
 */
const SIGNATURES: usize = memory.data<u8>([
  0, 18, 0x04, 0x03, 0x08, 0x04, 0x08, 0x07, 0x05, 0x03, 0x08, 0x05, 0x08, 0x06, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01,
])

/** Where the random lies in our ClientHello. */
export const HELLO_RANDOM: u32 = OWN_HELLO + HANDSHAKE_HEADER + 2

/** True for a name that server_name may carry: a host name, not an address (RFC 6066, section 3). */
export function isHostName(name: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) {
    const char = <u32>load<u8>(name + i)
    if (char === 0x3a) return false // an IPv6 address
    if (char !== 0x2e && (char < 0x30 || char > 0x39)) return length <= NAME_MAX
  }
  return false
}

/** Writes the ClientHello at OWN_HELLO, where its random is already. */
export function putClientHello(c: Connection): void {
  const state = clientState(c)
  const message = area(c, BUFFER) + OWN_HELLO
  let p = message + HANDSHAKE_HEADER
  storeU16be(p, TLS_1_2)
  p += 2 + RANDOM_LENGTH
  store<u8>(p, SESSION_ID_MAX)
  memory.copy(p + 1, area(c, SESSION_ID), SESSION_ID_MAX)
  p = putList(p + 1 + SESSION_ID_MAX, SUITES, 8)
  store<u8>(p, 1) // legacy_compression_methods: null
  store<u8>(p, 0, 1)
  const list = p + 2
  p = putNameAndLists(c, list + 2)
  p = putExtension(p, ExtensionType.SupportedVersions, 3)
  store<u8>(p, 2)
  storeU16be(p + 1, TLS_1_3)
  p += 3
  if (state.cookieLength !== 0) {
    p = putExtension(p, ExtensionType.Cookie, 2 + state.cookieLength)
    storeU16be(p, state.cookieLength)
    memory.copy(p + 2, area(c, BUFFER) + COOKIE, state.cookieLength)
    p += 2 + state.cookieLength
  }
  p = putShare(c, p)
  storeU16be(list, <u32>(p - list - 2))
  state.helloLength = <u32>(p - message)
  store<u8>(message, HandshakeType.ClientHello)
  storeU24be(message + 1, state.helloLength - HANDSHAKE_HEADER)
  c.sendAt = message
  c.sendLeft = state.helloLength
}

function putNameAndLists(c: Connection, p: usize): usize {
  const state = clientState(c)
  if (state.named) {
    const trust = changetype<Trust>(state.trust)
    const length = withoutLastDot(trust.name, trust.nameLength)
    p = putExtension(p, ExtensionType.ServerName, 5 + length)
    storeU16be(p, 3 + length)
    store<u8>(p, 0, 2) // host_name
    storeU16be(p + 3, length)
    memory.copy(p + 5, trust.name, length)
    p += 5 + length
  }
  p = putExtension(p, ExtensionType.MaxFragmentLength, 1)
  store<u8>(p, CLIENT_FRAGMENT_CODE)
  p = putExtension(p + 1, ExtensionType.SupportedGroups, 6)
  p = putList(p, GROUPS, 6)
  p = putExtension(p, ExtensionType.SignatureAlgorithms, 20)
  p = putList(p, SIGNATURES, 20)
  const name = <u32>load<u8>(c.alpn) + 1
  p = putExtension(p, ExtensionType.ApplicationLayerProtocolNegotiation, 2 + name)
  storeU16be(p, name)
  memory.copy(p + 2, c.alpn, name)
  p = putExtension(p + 2 + name, ExtensionType.RecordSizeLimit, 2)
  storeU16be(p, CLIENT_RECORD_LIMIT)
  return p + 2
}

function putShare(c: Connection, p: usize): usize {
  const length = shareLength(c.group)
  p = putExtension(p, ExtensionType.KeyShare, 6 + length)
  storeU16be(p, 4 + length)
  storeU16be(p + 2, c.group)
  storeU16be(p + 4, length)
  memory.copy(p + 6, area(c, OWN_SHARE), length)
  return p + 6 + length
}

function putList(p: usize, list: usize, length: u32): usize {
  memory.copy(p, list, length)
  return p + length
}
