// One association with a server: what to do next, and what its answers are worth (RFC 5905 section 9, RFC 8915 section 5.7).
//
//   in    the time in ticks; that a request has left, what came back, that nothing did; results of key exchanges
//   out   what is wanted now (a key exchange, a request), the request's bytes, the samples in the clock filter
//
// Sans-IO: net/upstream.ts moves the bytes. A key exchange is wanted when there is no session, no cookie, after a NAK that no
// good answer followed, after REFRESH, and when a server has been silent for long; its attempts back off from 16 s by
// doubling to 36 h, and the count starts anew only when a reply was authentic (RFC 8915 section 4.2). A server that no attempt has
// reached was not troubled by any: after a day without network it is asked within 17 minutes. Until
// one succeeds the old keys and cookies stay in use. A server configured without NTS is asked without it, one with NTS never.

import { drbgGenerate } from '../crypto/drbg'
import { jarCount } from '../nts/cookie_jar'
import { NtsSession, SESSION_SIZE, sessionJar, sessionStands, sessionWipe } from '../nts/session'
import { putClientRequest, putNtsRequest } from './client_request'
import { checkReply, NtpReply, ReplyVerdict } from './client_response'
import { Crystal, Estimate, FILTER_SIZE, filterAdd, filterClear, filterEstimate, magnitude } from './clock_filter'
import { PollInterval, pollAgain, pollDelay, pollGood, pollMissed, pollRate, pollStart } from './poll_interval'
import { Source } from './select'
import { TICKS_PER_SECOND, tickNanos } from './ticks'

/** What an association wants now. */
export const enum Want {
  Nothing = 0,
  KeyExchange = 1,
  Request = 2,
}

/** Bits of `Association.flags`. */
export const enum AssociationFlag {
  /** Configured with `nts`. */
  Nts = 1,
  /** A NAK came for the request that is out. */
  Nak = 2,
  /** A new key exchange is wanted, though there may be keys and cookies. */
  Renew = 4,
  /** The server does not want to be asked: it is not, until a restart. */
  Denied = 8,
  /** A request is out. */
  Asking = 16,
  /** The path's certificates were once wholly inside their validity. */
  Decided = 32,
  /** Its AEAD 30 is not the one of RFC 8915: only AEAD 15 is offered to it. */
  SivOnly = 64,
}

/** The fixed part; poll, nonce, filter and session follow. 8-aligned. */
@unmanaged
export class Association {
  /** When the next request is due, and the next key exchange at the earliest. */
  askDue: u64
  keDue: u64
  /** Ticks of the last key exchange (or of the restart that brought the keys back), and of the last good answer; 0: never. */
  keAt: u64
  heardAt: u64
  /** T1 of the request that is out. */
  sentAt: u64
  /** From the last good answer, ns. */
  rootDelay: i64
  rootDispersion: i64
  /** `AssociationFlag` bits */
  flags: u32
  /** The last eight requests, the newest in bit 0: 1 was answered well. */
  reach: u32
  stratum: u32
  leap: u32
  precision: i32
  referenceId: u32
  /** Where it answers NTP: IPv4 in host order and port; of a server with NTS in the session. */
  address: u32
  port: u32
  /** Requests without a good answer in a row. */
  missed: u32
  /** Key exchanges that succeeded; attempts since the last answer under their keys. */
  keCount: u32
  keAttempts: u32
  /** Doublings of the wait between attempts. */
  keBackoff: u32
  /** The last failure, as net/upstream.ts names it; 0: none. */
  keFailure: u32
  naks: u32
  sent: u32
  good: u32
  /** Datagrams on our port that were no answer. */
  ignored: u32
  /** Packets without a usable time; kiss codes obeyed. */
  useless: u32
  kisses: u32
}

const POLL: usize = (offsetof<Association>() + 7) & ~(<usize>7)
const NONCE: usize = POLL + 24
const FILTER: usize = NONCE + 40
const SESSION: usize = FILTER + FILTER_SIZE

/** Bytes of an association with all that belongs to it. */
export const ASSOCIATION_SIZE: u32 = <u32>SESSION + SESSION_SIZE

/** The first attempts at a key exchange may come at once; then 2^4 s, doubled up to 2^17 s. */
const KE_FIRST: u32 = 4
const KE_MOST: u32 = 17
/** While the server cannot be reached at all: 2^10 s at most. */
const KE_UNREACHED: u32 = 10

/** chrony's ntsrefresh: keys are renewed after four weeks. */
const REFRESH: u64 = TICKS_PER_SECOND * 2_419_200

/** So many missed answers in a row, and the server is looked for again: by a key exchange, or by its name. */
const LOST_AFTER: u32 = 8

/** Samples without which a source has no vote. */
const VOTE_SAMPLES: u32 = 3

/** A sample is as expected when it is no further off than the jitter, half the delay and this, ns. */
const STEADY: i64 = 100_000

/** Our own reading of T1 and T4, ns. */
const OWN_PRECISION: i64 = 1_000

/** Wrongness of a raw tick while a request is on its way: 100 ppm, as a shift. */
const RAW_SHIFT: u32 = 13

const REPLY = changetype<NtpReply>(memory.data(64, 8))
const ESTIMATE = changetype<Estimate>(memory.data(48, 8))
const RANDOM: usize = memory.data(8, 8)

export function associationPoll(a: Association): PollInterval {
  return changetype<PollInterval>(changetype<usize>(a) + POLL)
}

export function associationFilter(a: Association): usize {
  return changetype<usize>(a) + FILTER
}

export function associationSession(a: Association): NtsSession {
  return changetype<NtsSession>(changetype<usize>(a) + SESSION)
}

export function associationHas(a: Association, flag: AssociationFlag): bool {
  return (a.flags & flag) !== 0
}

/** Begins from nothing. `port`: where plain NTP is asked. The first request is due at once. */
export function associationInit(a: Association, nts: bool, port: u32, least: i32, most: i32, now: u64): void {
  memory.fill(changetype<usize>(a), 0, ASSOCIATION_SIZE)
  if (nts) a.flags = AssociationFlag.Nts
  a.port = port
  a.stratum = 0
  a.askDue = now
  a.keDue = now
  pollStart(associationPoll(a), least, most)
}

/** What is due. A key exchange comes first, since without it there may be nothing to ask with. */
export function associationWants(a: Association, now: u64): Want {
  if (associationHas(a, AssociationFlag.Denied)) return Want.Nothing
  if (wantsKeys(a, now) && now >= a.keDue) return Want.KeyExchange
  return canAsk(a) && now >= a.askDue ? Want.Request : Want.Nothing
}

/** When `associationWants` may next answer differently. */
export function associationDue(a: Association, now: u64): u64 {
  if (associationHas(a, AssociationFlag.Denied)) return u64.MAX_VALUE
  const keys = wantsKeys(a, now) ? a.keDue : u64.MAX_VALUE
  const ask = canAsk(a) ? a.askDue : u64.MAX_VALUE
  return keys < ask ? keys : ask
}

// ---- Requests

/** Where the next request goes. */
export function associationAddress(a: Association): u32 {
  return associationHas(a, AssociationFlag.Nts) ? associationSession(a).address : a.address
}

export function associationPort(a: Association): u32 {
  return associationHas(a, AssociationFlag.Nts) ? associationSession(a).port : a.port
}

/** Writes a request (CLIENT_REQUEST_MAX bytes of room) and spends its cookie. 0: it cannot. */
export function associationAsk(a: Association, out: usize): u32 {
  return associationHas(a, AssociationFlag.Nts)
    ? putNtsRequest(out, nonce(a), associationSession(a))
    : putClientRequest(out, nonce(a))
}

/** The request has left: its first bit at the tick `t1`. */
export function associationSent(a: Association, t1: u64, now: u64): void {
  a.sentAt = t1
  a.flags |= AssociationFlag.Asking
  a.flags &= ~AssociationFlag.Nak
  a.sent += 1
  a.reach = (a.reach << 1) & 0xff
  scheduleNext(a, now)
}

/** The request could not leave, or no good answer has come in time. */
export function associationMissed(a: Association, now: u64): void {
  if (!associationHas(a, AssociationFlag.Asking)) {
    a.reach = (a.reach << 1) & 0xff
    scheduleNext(a, now)
  }
  a.flags &= ~AssociationFlag.Asking
  a.missed += 1
  pollMissed(associationPoll(a))
  if (a.reach === 0) filterClear(associationFilter(a))
  // RFC 8915 section 5.7: a NAK counts when no good answer has come until now.
  if (associationHas(a, AssociationFlag.Nak)) {
    a.naks += 1
    a.flags |= AssociationFlag.Renew
  }
  a.flags &= ~AssociationFlag.Nak
  if (a.missed < LOST_AFTER) return
  a.flags |= AssociationFlag.Renew
  a.address = 0
}

/**
 * A datagram came from the server's address and port: its last bit at the tick `t4`, or up to `spread` ticks earlier. What
 * is not Ignored (or Nak, for which a better answer may follow) ends the request. `crystal` as for the filter.
 */
export function associationReceive(
  a: Association,
  packet: usize,
  length: u32,
  t4: u64,
  spread: u32,
  crystal: Crystal,
  now: u64,
): ReplyVerdict {
  if (!associationHas(a, AssociationFlag.Asking)) return ReplyVerdict.Ignored
  const nts = associationHas(a, AssociationFlag.Nts)
  const verdict = checkReply(packet, length, nonce(a), nts, associationSession(a), REPLY)
  if (verdict === ReplyVerdict.Ignored) {
    a.ignored += 1
    return verdict
  }
  if (verdict === ReplyVerdict.Nak) {
    a.flags |= AssociationFlag.Nak
    return verdict
  }
  a.flags &= ~(AssociationFlag.Asking | AssociationFlag.Nak)
  // Authentic: the keys work, and the next trouble starts from the beginning.
  a.keAttempts = 0
  // Keys whose certificate turns out not to be valid are dropped: then the next exchange has to wait longer every time.
  if (associationHas(a, AssociationFlag.Decided)) a.keBackoff = 0
  if (verdict === ReplyVerdict.Good && takeSample(a, t4, spread, crystal)) heard(a, now)
  else refused(a, verdict, now)
  return verdict
}

// ---- Key exchanges

/** A key exchange begins; its result will be told. */
export function associationKeBegin(a: Association, now: u64): void {
  a.keDue = now + (TICKS_PER_SECOND << (KE_FIRST + a.keBackoff))
  if (KE_FIRST + a.keBackoff < KE_MOST) a.keBackoff += 1
  a.keAttempts += 1
}

/** The session has been filled anew, by a key exchange or from flash. */
export function associationKeDone(a: Association, fresh: bool, now: u64): void {
  a.flags &= ~(AssociationFlag.Renew | AssociationFlag.Nak | AssociationFlag.Decided)
  a.keAt = now
  a.keFailure = 0
  a.missed = 0
  if (fresh) a.keCount += 1
  a.askDue = now
}

export function associationKeFailed(a: Association, failure: u32): void {
  a.keFailure = failure
}

/** The key exchange has failed without a byte from the server: its name or the way to it is missing. */
export function associationKeUnreached(a: Association, failure: u32, now: u64): void {
  a.keFailure = failure
  a.keDue = min(a.keDue, now + (TICKS_PER_SECOND << KE_UNREACHED))
  if (KE_FIRST + a.keBackoff > KE_UNREACHED) a.keBackoff -= 1
}

/** What this server has said is not to be believed: keys, cookies and samples go. A key exchange is wanted, with back-off. */
export function associationDistrust(a: Association): void {
  sessionWipe(associationSession(a))
  filterClear(associationFilter(a))
  a.reach = 0
  a.flags &= ~(AssociationFlag.Asking | AssociationFlag.Nak | AssociationFlag.Decided)
}

// ---- Its word

/** The association as a source at the tick `atTicks`. */
export function associationSource(a: Association, atTicks: u64, crystal: Crystal, out: Source): void {
  out.authenticated = associationHas(a, AssociationFlag.Nts) ? 1 : 0
  out.usable = 0
  if (!filterEstimate(associationFilter(a), atTicks, crystal, ESTIMATE)) return
  out.usable = a.reach !== 0 && ESTIMATE.samples >= VOTE_SAMPLES ? 1 : 0
  out.utc = ESTIMATE.utc
  out.jitter = ESTIMATE.jitter
  out.rootDelay = a.rootDelay + ESTIMATE.delay
  out.rootDispersion = a.rootDispersion + ESTIMATE.dispersion + ESTIMATE.jitter
  out.distance = (out.rootDelay >> 1) + out.rootDispersion
  out.stratum = a.stratum
  out.leap = a.leap
  out.referenceId = associationAddress(a)
}

// ---- Helpers

function nonce(a: Association): usize {
  return changetype<usize>(a) + NONCE
}

function wantsKeys(a: Association, now: u64): bool {
  if (!associationHas(a, AssociationFlag.Nts)) return false
  const session = associationSession(a)
  if (!sessionStands(session) || jarCount(sessionJar(session)) === 0) return true
  return associationHas(a, AssociationFlag.Renew) || now - a.keAt >= REFRESH
}

function canAsk(a: Association): bool {
  if (!associationHas(a, AssociationFlag.Nts)) return true
  const session = associationSession(a)
  return sessionStands(session) && jarCount(sessionJar(session)) !== 0
}

function scheduleNext(a: Association, now: u64): void {
  drbgGenerate(RANDOM, 4)
  a.askDue = now + pollDelay(associationPoll(a), load<u32>(RANDOM))
}

/** RFC 5905 section 8. False: the numbers contradict each other. */
function takeSample(a: Association, t4: u64, spread: u32, crystal: Crystal): bool {
  const away = tickNanos(<i64>(t4 - a.sentAt))
  if (away < 0) return false
  const held = REPLY.transmitted - REPLY.received
  const wrong = (away >> RAW_SHIFT) + OWN_PRECISION
  let delay = away - held
  // The server's clock may run faster than our ticks, and its stamps have a grain.
  const grain = precisionNanos(REPLY.precision)
  if (delay < -(wrong + grain + tickNanos(spread))) return false
  if (delay < 0) delay = 0
  const ticks = a.sentAt + ((t4 - a.sentAt) >> 1)
  const utc = REPLY.received + (held >> 1)
  const filter = associationFilter(a)
  let steady = false
  if (filterEstimate(filter, ticks, crystal, ESTIMATE)) {
    steady = magnitude(utc - ESTIMATE.utc) <= ESTIMATE.jitter + (delay >> 1) + STEADY
  }
  filterAdd(filter, ticks, utc, delay, wrong + grain + tickNanos(spread))
  if (a.reach === 0 && a.missed >= LOST_AFTER) pollAgain(associationPoll(a))
  pollGood(associationPoll(a), steady)
  return true
}

function heard(a: Association, now: u64): void {
  a.good += 1
  a.missed = 0
  a.reach |= 1
  a.heardAt = now
  a.rootDelay = REPLY.rootDelay
  a.rootDispersion = REPLY.rootDispersion
  a.stratum = REPLY.stratum
  a.leap = REPLY.leap
  a.precision = REPLY.precision
  a.referenceId = REPLY.referenceId
}

/** Authentic and yet no sample. RFC 5905 section 7.4: DENY and RSTR end the association, RATE slows it down. */
function refused(a: Association, verdict: ReplyVerdict, now: u64): void {
  a.missed += 1
  if (verdict === ReplyVerdict.Denied) {
    a.kisses += 1
    a.flags |= AssociationFlag.Denied
    filterClear(associationFilter(a))
  } else if (verdict === ReplyVerdict.Rate) {
    a.kisses += 1
    pollRate(associationPoll(a))
    scheduleNext(a, now)
  } else {
    a.useless += 1
    if (a.reach === 0) filterClear(associationFilter(a))
    pollMissed(associationPoll(a))
  }
}

/** log2 of seconds as nanoseconds, rounded up; what a server says of more than a second is a second. */
function precisionNanos(precision: i32): i64 {
  if (precision >= 0) return 1_000_000_000
  return precision < -30 ? 1 : (1_000_000_000 >> -precision) + 1
}
