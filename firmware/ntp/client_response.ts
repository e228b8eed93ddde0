// A server's reply, checked: is it the answer to our request, is it authentic, and does its header make sense?
//
//   in    a datagram, what the request had that the reply must repeat, and the session (or none: plain NTP)
//   out   a verdict; for Good the header's numbers, and fresh cookies in the session's jar
//
// RFC 5905 section 9.2 and figure 25 (sanity of the header), RFC 8915 section 5.7. The reply is opened where it lies. Nothing
// that is not authenticated is believed where there are keys, but the kiss code NTSN with our own unique identifier: the
// server cannot do better, and who forges it can do no more than delay (`association.ts` waits for a better answer).
// The identifier is compared in constant time; it is no secret, but it costs nothing.

import { loadU16be, loadU32be } from '../bytes/endian'
import { equalBytes } from '../crypto/constant_time'
import { BUILD_SECOND } from '../gnss/build_date'
import { NTS_TAG_LENGTH, ntsLoadKey, ntsOpen, ntsPlaintextOffset, ntsTakesNonce } from '../nts/aead'
import { jarPut } from '../nts/cookie_jar'
import { NtsSession, sessionJar, sessionS2c, sessionStands } from '../nts/session'
import { nanosFromFraction, unixFromNtp } from '../time/instant'
import { CLIENT_IDENTIFIER_LENGTH } from './client_request'
import { MAX_DISPERSION } from './clock_filter'
import {
  ENCRYPTED_FIELD_MIN,
  FIELD_HEADER_LENGTH,
  FIELD_MIN,
  FieldType,
  fieldBody,
  fieldLength,
  fieldType,
} from './extension_field'
import {
  KissCode,
  Leap,
  NTP_HEADER_LENGTH,
  NTP_ORIGIN_TIMESTAMP,
  NTP_PACKET_MAX,
  NTP_POLL,
  NTP_PRECISION,
  NTP_RECEIVE_TIMESTAMP,
  NTP_REFERENCE_ID,
  NTP_ROOT_DELAY,
  NTP_ROOT_DISPERSION,
  NTP_STRATUM,
  NTP_TRANSMIT_TIMESTAMP,
  NtpMode,
  ntpMode,
  ntpVersion,
} from './packet'

export const enum ReplyVerdict {
  Good = 0,
  /** Not the answer to our request, not authentic, or malformed: as if it had never come. */
  Ignored = 1,
  /** Authentic, but the server has no time to give, or its header makes no sense. */
  Useless = 2,
  /** The kiss codes that mean something to a client. */
  Nak = 3,
  Denied = 4,
  Rate = 5,
}

/** A good reply's header; 64 bytes, 8-aligned. Nanoseconds; times are UTC since 1970. */
@unmanaged
export class NtpReply {
  received: i64
  transmitted: i64
  rootDelay: i64
  rootDispersion: i64
  leap: u32
  stratum: u32
  poll: i32
  precision: i32
  referenceId: u32
  /** Cookies that it brought. */
  cookies: u32
  unused: u64
}

export const NTP_REPLY_SIZE: u32 = 64

/** Checks the datagram at `packet`. `nonce`: CLIENT_NONCE_SIZE bytes, as `putClientRequest` gave them. */
export function checkReply(
  packet: usize,
  length: u32,
  nonce: usize,
  nts: bool,
  session: NtsSession,
  reply: NtpReply,
): ReplyVerdict {
  reply.cookies = 0
  if (length < NTP_HEADER_LENGTH || length > NTP_PACKET_MAX) return ReplyVerdict.Ignored
  if (ntpMode(packet) !== NtpMode.Server || ntpVersion(packet) !== 4) return ReplyVerdict.Ignored
  if (!equalBytes(packet + NTP_ORIGIN_TIMESTAMP, nonce, 8)) return ReplyVerdict.Ignored
  if (nts) {
    const verdict = checkFields(packet, length, nonce + 8, session, reply)
    if (verdict !== ReplyVerdict.Good) return verdict
  }
  return checkHeader(packet, reply)
}

// ---- NTS

/** Walks the fields before the authenticator; only what it covers counts. */
function checkFields(
  packet: usize,
  length: u32,
  identifier: usize,
  session: NtsSession,
  reply: NtpReply,
): ReplyVerdict {
  let ours: bool = false
  let at = NTP_HEADER_LENGTH
  while (length - at >= FIELD_MIN) {
    const field = packet + at
    const size = fieldLength(field, length - at, FIELD_MIN)
    if (size === 0) break
    const type = fieldType(field)
    if (type === FieldType.UniqueIdentifier) {
      if (ours || size !== FIELD_HEADER_LENGTH + CLIENT_IDENTIFIER_LENGTH) return ReplyVerdict.Ignored
      if (!equalBytes(fieldBody(field), identifier, CLIENT_IDENTIFIER_LENGTH)) return ReplyVerdict.Ignored
      ours = true
    } else if (type === FieldType.NtsAuthenticator) {
      if (!ours || !sessionStands(session)) return ReplyVerdict.Ignored
      return open(packet, at, size - FIELD_HEADER_LENGTH, session, reply) ? ReplyVerdict.Good : ReplyVerdict.Ignored
    }
    at += size
  }
  return ours && isNak(packet) ? ReplyVerdict.Nak : ReplyVerdict.Ignored
}

function isNak(packet: usize): bool {
  return load<u8>(packet, NTP_STRATUM) === 0 && loadU32be(packet + NTP_REFERENCE_ID) === KissCode.NtsNak
}

/** Opens the authenticator's field at `at` (RFC 8915 section 5.6) and takes the cookies out of it. */
function open(packet: usize, at: u32, bodyLength: u32, session: NtsSession, reply: NtpReply): bool {
  const body = packet + at + FIELD_HEADER_LENGTH
  if (bodyLength < LENGTHS) return false
  const nonceLength = loadU16be(body)
  const sealedLength = loadU16be(body + 2)
  if (sealedLength < NTS_TAG_LENGTH || !ntsTakesNonce(session.aead, nonceLength)) return false
  const nonceRoom = padded(nonceLength)
  if (LENGTHS + nonceRoom + padded(sealedLength) > bodyLength) return false
  const nonce = body + LENGTHS
  const sealed = nonce + nonceRoom
  ntsLoadKey(session.aead, sessionS2c(session))
  if (!ntsOpen(session.aead, packet, at, nonce, nonceLength, sealed, sealedLength)) return false
  takeCookies(sealed + ntsPlaintextOffset(session.aead), sealedLength - NTS_TAG_LENGTH, session, reply)
  return true
}

/** Only cookies that came encrypted are kept; a field that makes no sense ends the reading. */
function takeCookies(plaintext: usize, length: u32, session: NtsSession, reply: NtpReply): void {
  let at: u32 = 0
  while (length - at >= FIELD_HEADER_LENGTH) {
    const field = plaintext + at
    const size = fieldLength(field, length - at, ENCRYPTED_FIELD_MIN)
    if (size === 0) return
    if (fieldType(field) === FieldType.NtsCookie) {
      if (jarPut(sessionJar(session), fieldBody(field), size - FIELD_HEADER_LENGTH)) reply.cookies += 1
    }
    at += size
  }
}

function padded(length: u32): u32 {
  return (length + 3) & ~3
}

/** Bytes of the authenticator's two lengths. */
const LENGTHS: u32 = 4

// ---- The header

function checkHeader(packet: usize, reply: NtpReply): ReplyVerdict {
  reply.leap = <u32>load<u8>(packet) >> 6
  reply.stratum = <u32>load<u8>(packet, NTP_STRATUM)
  reply.poll = <i32>load<i8>(packet, NTP_POLL)
  reply.precision = <i32>load<i8>(packet, NTP_PRECISION)
  reply.referenceId = loadU32be(packet + NTP_REFERENCE_ID)
  if (reply.stratum === 0) return kiss(reply.referenceId)
  reply.rootDelay = shortNanos(packet + NTP_ROOT_DELAY)
  reply.rootDispersion = shortNanos(packet + NTP_ROOT_DISPERSION)
  reply.received = timestampNanos(packet + NTP_RECEIVE_TIMESTAMP)
  reply.transmitted = timestampNanos(packet + NTP_TRANSMIT_TIMESTAMP)
  if (reply.leap === Leap.Unknown || reply.stratum >= STRATUM_UNSYNCHRONIZED) return ReplyVerdict.Useless
  if ((reply.rootDelay >> 1) + reply.rootDispersion >= MAX_DISPERSION) return ReplyVerdict.Useless
  if (isZero(packet + NTP_RECEIVE_TIMESTAMP) || isZero(packet + NTP_TRANSMIT_TIMESTAMP)) return ReplyVerdict.Useless
  const held = reply.transmitted - reply.received
  return held < 0 || held > HELD_MAX ? ReplyVerdict.Useless : ReplyVerdict.Good
}

/** RFC 5905 section 7.4. Other codes say that the server has no time at present. */
function kiss(code: u32): ReplyVerdict {
  if (code === KissCode.Deny || code === KissCode.Restrict) return ReplyVerdict.Denied
  return code === KissCode.Rate ? ReplyVerdict.Rate : ReplyVerdict.Useless
}

function isZero(timestamp: usize): bool {
  return loadU32be(timestamp) === 0 && loadU32be(timestamp + 4) === 0
}

/** Unsigned 16.16 seconds, rounded up. */
function shortNanos(p: usize): i64 {
  return <i64>((<u64>loadU32be(p) * 1_000_000_000 + 0xffff) >> 16)
}

function timestampNanos(p: usize): i64 {
  return unixFromNtp(loadU32be(p), PIVOT) * 1_000_000_000 + <i64>nanosFromFraction(loadU32be(p + 4))
}

/** Stratum of an unsynchronized clock (RFC 5905, figure 11). */
const STRATUM_UNSYNCHRONIZED: u32 = 16

/** No server keeps a request for longer, ns. */
const HELD_MAX: i64 = 4_000_000_000

/** The era's seconds are those from a year before the build on, for 136 years (RFC 5905 section 6). */
const PIVOT: i64 = BUILD_SECOND + 0x8000_0000 - 31_536_000
