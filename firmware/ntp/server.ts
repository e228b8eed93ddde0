// The NTP server: one request in, at most one reply out (RFC 5905 section 9.2 for mode 3, RFC 8915 section 5.7 for NTS).
//
// In: a datagram, and T2, the instant at which it arrived. Out: the reply in the caller's transmit buffer, or silence.
// T3 is read from the clock as late as the authenticator allows. A reply is never longer than its request; nothing is
// kept between packets but the counters and what interleaved.ts keeps for the clients that ask for its mode.
//
// An unsynchronized clock answers with LI 3, stratum 0 and the kiss code INIT, and any kiss packet repeats the client's
// own transmit timestamp as T2 and T3: "undefined" by RFC 5905 section 7.4, and of no use to a client that takes them.

import { storeU32be, storeU64be } from '../bytes/endian'
import {
  clockLeap,
  clockNow,
  clockPrecision,
  clockReferenceId,
  clockReferenceTime,
  clockRootDelay,
  clockRootDispersion,
  clockSteps,
  clockStratum,
  clockTicks,
} from '../clock/clock'
import { SMEARED, smear, smearActive, smearEnabled } from '../clock/smear'
import { wipe } from '../crypto/constant_time'
import { COOKIE_KEYS_SIZE, CookieKeys } from '../nts/cookie'
import { Instant } from '../time/instant'
import { NtpCount, NtpNote, ntpCount, ntpNote } from './counters'
import { FIELD_HEADER_LENGTH } from './extension_field'
import {
  interleavedAsked,
  interleavedFind,
  interleavedKeep,
  interleavedUnknown,
  receiveTimestamp,
  transmitTimestamp,
} from './interleaved'
import { ntsReplyLength, prepareNtsReply, sealNtsReply } from './nts_reply'
import { checkNtsRequest } from './nts_request'
import {
  copyTimestamp,
  KissCode,
  Leap,
  NTP_HEADER_LENGTH,
  NTP_ORIGIN_TIMESTAMP,
  NTP_POLL,
  NTP_PRECISION,
  NTP_RECEIVE_TIMESTAMP,
  NTP_REFERENCE_ID,
  NTP_REFERENCE_TIMESTAMP,
  NTP_ROOT_DELAY,
  NTP_ROOT_DISPERSION,
  NTP_STRATUM,
  NTP_TRANSMIT_TIMESTAMP,
  NtpMode,
  ntpVersion,
  putLeapVersionMode,
  putTimestamp,
} from './packet'
import { ACCEPTED, isNts, NtpRequest, readRequest } from './request'
import { transmitDelay, transmitDelayLearn } from './transmit_delay'

/**
 * Answers the datagram of `length` bytes at `request`, which arrived at `t2`. Returns the reply's length, 0 for none.
 * `request` may be overwritten (encrypted fields are opened in place); it and `reply` do not overlap. Both want to be
 * 4-aligned for speed.
 */
export function ntpServe(request: usize, length: u32, t2: Instant, reply: usize, capacity: u32): u32 {
  const reason = readRequest(request, length, REQUEST)
  timedLength = 0
  interleavedUnknown()
  if (reason !== ACCEPTED) return drop(reason)
  if (NTP_HEADER_LENGTH + uniqueIdentifierSize() > capacity) return drop(NtpCount.Room)
  return isNts(REQUEST) ? serveNts(t2, reply, capacity) : servePlain(t2, reply)
}

/** The first bit of the last reply left `delay` (2^-32 s) after its T3 was read. Kiss packets have no T3. */
export function ntpLearnTransmitDelay(delay: u32): void {
  if (timedLength !== 0) transmitDelayLearn(timedLength, timedSealed, delay)
  timedLength = 0
}

/**
 * For the next request: the client's address, and what its timestamps may be wrong by, besides the clock, in nanoseconds: the
 * reply's root dispersion contains it.
 */
export function ntpSetPeer(address: u32, wireError: u64): void {
  peerAddress = address
  peerError = wireError
}

/** The tick at which the last reply's T3 was read. */
export function ntpTransmitTicks(): u64 {
  return transmitTicks
}

function servePlain(t2: Instant, reply: usize): u32 {
  const length = NTP_HEADER_LENGTH + putUniqueIdentifier(reply)
  const outcome = putHeader(t2, reply, NtpCount.Served)
  if (outcome === NtpCount.Served && !putInterleaved(reply, false)) putTransmitTime(reply, length, false)
  ntpCount(outcome)
  return length
}

function serveNts(t2: Instant, reply: usize, capacity: u32): u32 {
  const length = answerNts(t2, reply, capacity)
  wipe(changetype<usize>(KEYS), COOKIE_KEYS_SIZE)
  return length
}

function answerNts(t2: Instant, reply: usize, capacity: u32): u32 {
  const verdict = checkNtsRequest(REQUEST, KEYS)
  if (verdict === NtpCount.NtsField) return drop(verdict)
  const at = NTP_HEADER_LENGTH + putUniqueIdentifier(reply)
  if (verdict !== ACCEPTED) {
    putKiss(reply, KissCode.NtsNak)
    ntpCount(verdict)
    return at
  }
  const cookies = prepareNtsReply(REQUEST, KEYS, reply, at, capacity)
  if (cookies === 0) return drop(NtpCount.Room)
  const outcome = putHeader(t2, reply, NtpCount.ServedNts)
  const length = ntsReplyLength(KEYS, at, cookies)
  if (outcome === NtpCount.ServedNts && !putInterleaved(reply, true)) putTransmitTime(reply, length, true)
  sealNtsReply(KEYS, reply, at, length)
  ntpCount(outcome)
  return length
}

function drop(reason: NtpCount): u32 {
  ntpCount(reason)
  return 0
}

/** Writes all of the header but T3, and returns the outcome: `served`, or Unsynchronized for a finished kiss packet. */
function putHeader(t2: Instant, reply: usize, served: NtpCount): NtpCount {
  const now = clockTicks()
  const leap = clockLeap(now)
  const stratum = clockStratum()
  if (leap === Leap.Unknown || stratum === 0 || stratum >= STRATUM_UNSYNCHRONIZED) {
    putKiss(reply, KissCode.Init)
    return NtpCount.Unsynchronized
  }
  clockReferenceTime(INSTANT)
  if (smearEnabled()) {
    putCommon(reply, 0, stratum, smearActive(t2.seconds) ? SMEARED : clockReferenceId())
    smear(t2)
    smear(INSTANT)
  } else {
    putCommon(reply, leap, stratum, clockReferenceId())
  }
  storeU32be(reply + NTP_ROOT_DISPERSION, clockRootDispersion(now, peerError))
  putTimestamp(reply + NTP_REFERENCE_TIMESTAMP, INSTANT)
  received = receiveTimestamp(t2)
  storeU64be(reply + NTP_RECEIVE_TIMESTAMP, received)
  return served
}

/** A kiss-o'-death packet's header (RFC 5905 section 7.4). */
function putKiss(reply: usize, code: KissCode): void {
  const t1 = REQUEST.packet + NTP_TRANSMIT_TIMESTAMP
  putCommon(reply, Leap.Unknown, 0, code)
  storeU32be(reply + NTP_ROOT_DISPERSION, 0)
  memory.fill(reply + NTP_REFERENCE_TIMESTAMP, 0, 8)
  copyTimestamp(reply + NTP_RECEIVE_TIMESTAMP, t1)
  copyTimestamp(reply + NTP_TRANSMIT_TIMESTAMP, t1)
}

/** What every reply has: the request's version and poll, and its transmit timestamp as origin. */
function putCommon(reply: usize, leap: u32, stratum: u32, referenceId: u32): void {
  const request = REQUEST.packet
  putLeapVersionMode(reply, leap, ntpVersion(request), NtpMode.Server)
  store<u8>(reply, stratum, NTP_STRATUM)
  store<u8>(reply, load<u8>(request, NTP_POLL), NTP_POLL)
  store<u8>(reply, clockPrecision(), NTP_PRECISION)
  // With the sky there is no path whose delay could be asymmetric: 0.
  storeU32be(reply + NTP_ROOT_DELAY, clockRootDelay())
  storeU32be(reply + NTP_REFERENCE_ID, referenceId)
  copyTimestamp(reply + NTP_ORIGIN_TIMESTAMP, request + NTP_TRANSMIT_TIMESTAMP)
}

/**
 * If the client asks for interleaved mode, this exchange is kept for its next request; and if the last one is known, the
 * reply gets its transmit time, and the request's receive timestamp as origin. False: it is to be an ordinary reply.
 */
function putInterleaved(reply: usize, sealed: bool): bool {
  if (!interleavedAsked(REQUEST.packet)) return false
  const transmit = interleavedFind(REQUEST.packet, peerAddress, sealed, clockSteps())
  interleavedKeep(received, peerAddress)
  if (transmit === 0) {
    ntpNote(NtpNote.InterleavedUnknown)
    return false
  }
  ntpNote(sealed ? NtpNote.InterleavedNts : NtpNote.Interleaved)
  copyTimestamp(reply + NTP_ORIGIN_TIMESTAMP, REQUEST.packet + NTP_RECEIVE_TIMESTAMP)
  storeU64be(reply + NTP_TRANSMIT_TIMESTAMP, transmit)
  return true
}

/** T3: when a reply of `length` bytes, `sealed` by NTS or not, will leave. */
function putTransmitTime(reply: usize, length: u32, sealed: bool): void {
  const delay = transmitDelay(length, sealed)
  timedLength = length
  timedSealed = sealed
  transmitTicks = clockTicks()
  clockNow(INSTANT, transmitTicks)
  const fraction = <u64>INSTANT.fraction + <u64>delay
  INSTANT.fraction = <u32>fraction
  INSTANT.seconds += <i64>(fraction >> 32)
  if (smearEnabled()) smear(INSTANT)
  storeU64be(reply + NTP_TRANSMIT_TIMESTAMP, transmitTimestamp(INSTANT))
}

/** Repeats the client's unique identifier, in plain replies too (RFC 8915 section 5.3); returns the bytes written. */
function putUniqueIdentifier(reply: usize): u32 {
  const size = uniqueIdentifierSize()
  memory.copy(reply + NTP_HEADER_LENGTH, REQUEST.uniqueIdentifier, size)
  return size
}

function uniqueIdentifierSize(): u32 {
  return REQUEST.uniqueIdentifier === 0 ? 0 : FIELD_HEADER_LENGTH + REQUEST.uniqueIdentifierLength
}

/** Stratum of an unsynchronized clock (RFC 5905, figure 11); on the wire it is 0. */
const STRATUM_UNSYNCHRONIZED: u32 = 16

const REQUEST = changetype<NtpRequest>(memory.data(offsetof<NtpRequest>(), 8))
const KEYS = changetype<CookieKeys>(memory.data(72, 8))
const INSTANT = changetype<Instant>(memory.data(16, 8))

let transmitTicks: u64 = 0
let received: u64 = 0
let peerAddress: u32 = 0
let peerError: u64 = 0
/** The last reply with a T3, 0 when there was none. */
let timedLength: u32 = 0
let timedSealed: bool = false
