// The NTP client without sockets, for the tests beside this file.

import { drbgSeed } from '../../firmware/crypto/drbg'
import {
  ASSOCIATION_SIZE,
  Association,
  associationAsk,
  associationDistrust,
  associationDue,
  associationFilter,
  associationInit,
  associationKeBegin,
  associationKeDone,
  associationKeUnreached,
  associationMissed,
  associationPoll,
  associationReceive,
  associationSent,
  associationSession,
  associationSource,
  associationWants,
} from '../../firmware/ntp/association'
import {
  Crystal,
  correction,
  Estimate,
  FILTER_SIZE,
  filterAdd,
  filterClear,
  filterEstimate,
  rootOf,
} from '../../firmware/ntp/clock_filter'
import { PollInterval, pollDelay, pollGood, pollMissed, pollRate, pollStart } from '../../firmware/ntp/poll_interval'
import { select, selection, sourceAt } from '../../firmware/ntp/select'
import { jarClear, jarCookieLength, jarCount, jarFree, jarPut, jarTake } from '../../firmware/nts/cookie_jar'
import { sessionC2s, sessionJar, sessionS2c } from '../../firmware/nts/session'

export { correction, rootOf, select }

const BUFFER: usize = memory.data(4096, 8)
const ASSOCIATION: usize = memory.data(<i32>ASSOCIATION_SIZE, 8)
const FILTER: usize = memory.data(<i32>FILTER_SIZE, 8)
const CRYSTAL = changetype<Crystal>(memory.data(16, 8))
const ESTIMATE = changetype<Estimate>(memory.data(48, 8))
const POLL = changetype<PollInterval>(memory.data(24, 8))

function a(): Association {
  return changetype<Association>(ASSOCIATION)
}

export function buffer(): usize {
  return BUFFER
}
export function associationSize(): u32 {
  return ASSOCIATION_SIZE
}
export function seed(length: u32): void {
  drbgSeed(BUFFER, length)
}
export function crystal(frequency: i32, wander: u32): void {
  CRYSTAL.frequency = frequency
  CRYSTAL.wander = wander
}

// ---- Association

export function init(nts: bool, least: i32, most: i32, now: u64): void {
  associationInit(a(), nts, 123, least, most, now)
}
/** C2S and S2C at BUFFER. */
export function setKeys(aead: u32, keyLength: u32, now: u64): void {
  const session = associationSession(a())
  session.aead = aead
  session.keyLength = keyLength
  session.address = 0x7f00_0001
  session.port = 123
  memory.copy(sessionC2s(session), BUFFER, keyLength)
  memory.copy(sessionS2c(session), BUFFER + keyLength, keyLength)
  associationKeDone(a(), true, now)
}
/** A cookie at BUFFER. */
export function putCookie(length: u32): bool {
  return jarPut(sessionJar(associationSession(a())), BUFFER, length)
}
export function cookies(): u32 {
  return jarCount(sessionJar(associationSession(a())))
}
export function wants(now: u64): u32 {
  return associationWants(a(), now)
}
export function due(now: u64): u64 {
  return associationDue(a(), now)
}
export function keBegin(now: u64): void {
  associationKeBegin(a(), now)
}
export function ask(): u32 {
  return associationAsk(a(), BUFFER)
}
export function sent(t1: u64, now: u64): void {
  associationSent(a(), t1, now)
}
export function missed(now: u64): void {
  associationMissed(a(), now)
}
export function distrust(): void {
  associationDistrust(a())
}
export function receive(length: u32, t4: u64, spread: u32, now: u64): u32 {
  return associationReceive(a(), BUFFER, length, t4, spread, CRYSTAL, now)
}
export function reach(): u32 {
  return a().reach
}
export function flags(): u32 {
  return a().flags
}
export function poll(): i32 {
  return associationPoll(a()).poll
}
export function keUnreached(now: u64): void {
  associationKeUnreached(a(), 1, now)
}
export function keAttempts(): u32 {
  return a().keAttempts
}
/** The association as source 0 at a tick. */
export function source(at: u64): void {
  associationSource(a(), at, CRYSTAL, sourceAt(0))
}
export function estimateOfAssociation(at: u64): bool {
  return filterEstimate(associationFilter(a()), at, CRYSTAL, ESTIMATE)
}

// ---- Filter

export function clearFilter(): void {
  filterClear(FILTER)
}
export function add(ticks: u64, utc: i64, delay: i64, dispersion: i64): void {
  filterAdd(FILTER, ticks, utc, delay, dispersion)
}
export function estimate(at: u64): bool {
  return filterEstimate(FILTER, at, CRYSTAL, ESTIMATE)
}
export function estimateUtc(): i64 {
  return ESTIMATE.utc
}
export function estimateDelay(): i64 {
  return ESTIMATE.delay
}
export function estimateDispersion(): i64 {
  return ESTIMATE.dispersion
}
export function estimateJitter(): i64 {
  return ESTIMATE.jitter
}

// ---- Selection

export function setSource(
  index: u32,
  utc: i64,
  distance: i64,
  jitter: i64,
  usable: bool,
  authenticated: bool,
  stratum: u32,
  leap: u32,
): void {
  const s = sourceAt(index)
  s.utc = utc
  s.distance = distance
  s.jitter = jitter
  s.rootDelay = distance
  s.rootDispersion = distance >> 1
  s.usable = usable ? 1 : 0
  s.authenticated = authenticated ? 1 : 0
  s.stratum = stratum
  s.leap = leap
}
export function sourceUsable(index: u32): u32 {
  return sourceAt(index).usable
}
export function sourceUtc(index: u32): i64 {
  return sourceAt(index).utc
}
export function sourceDistance(index: u32): i64 {
  return sourceAt(index).distance
}
export function mark(index: u32): u32 {
  return sourceAt(index).mark
}
export function selectedUtc(): i64 {
  return selection().utc
}
export function low(): i64 {
  return selection().low
}
export function high(): i64 {
  return selection().high
}
export function candidates(): u32 {
  return selection().candidates
}
export function agreeing(): u32 {
  return selection().agreeing
}
export function survivors(): u32 {
  return selection().survivors
}
export function authenticated(): u32 {
  return selection().authenticated
}
export function selectedLeap(): u32 {
  return selection().leap
}
export function best(): u32 {
  return selection().best
}

// ---- Poll interval

export function startPoll(least: i32, most: i32): void {
  pollStart(POLL, least, most)
}
export function goodPoll(steady: bool): void {
  pollGood(POLL, steady)
}
export function missedPoll(): void {
  pollMissed(POLL)
}
export function ratePoll(): void {
  pollRate(POLL)
}
export function delayPoll(random: u32): u64 {
  return pollDelay(POLL, random)
}
export function pollNow(): i32 {
  return POLL.poll
}

// ---- Jar: the association's

export function clearJar(): void {
  jarClear(sessionJar(associationSession(a())))
}
export function takeCookie(): u32 {
  return jarTake(sessionJar(associationSession(a())), BUFFER)
}
export function freeCookies(): u32 {
  return jarFree(sessionJar(associationSession(a())))
}
export function cookieLength(): u32 {
  return jarCookieLength(sessionJar(associationSession(a())))
}
