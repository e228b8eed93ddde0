// The upstream: associations with the servers that the options name, and the errands that keep them.
//
//   in    options `server=`, the time in ticks; how well the crystal is known; the time as far as certificates may know it
//   out   samples and sessions in the associations; what the servers say together (`upstreamSelect`)
//
// One errand at a time on one socket: a key exchange (name -> address -> TLS), the name of the NTP server that it named, or a
// request. Whose turn it is goes round. Samples are held against raw ticks, so nothing here needs or sets the clock.
//
// Sessions survive a restart (nts/association_keeper.ts). They are taken back before the first key exchange is tried.

import { drbgSeeded } from '../crypto/drbg'
import { ethernetLink } from '../drivers/w5500_ethernet'
import {
  ASSOCIATION_SIZE,
  Association,
  AssociationFlag,
  associationDistrust,
  associationDue,
  associationFilter,
  associationHas,
  associationInit,
  associationKeBegin,
  associationKeDone,
  associationKeFailed,
  associationKeUnreached,
  associationMissed,
  associationSession,
  associationSource,
  associationWants,
  Want,
} from '../ntp/association'
import { Crystal, filterClear } from '../ntp/clock_filter'
import { Selection, SOURCES_MAX, select, selection, sourceAt } from '../ntp/select'
import { TICKS_PER_SECOND } from '../ntp/ticks'
import { Kept, keeperForget, keeperLoad, keeperStore } from '../nts/association_keeper'
import { jarFree } from '../nts/cookie_jar'
import { sessionJar, sessionStands, sessionWipe } from '../nts/session'
import { askBegin, askDue, askInit, askPoll } from './upstream_ask'
import { ERRAND_SCRATCH, ErrandFailure, Progress } from './upstream_errand'
import {
  keBegin,
  keCertificateTime,
  keDecided,
  keDue,
  keFailure,
  keForget,
  keInit,
  kePoll,
  keServer,
  keServerLength,
  keTake,
  keWantsSivOnly,
} from './upstream_ke'
import { ServerOption, serverLines, serverOption } from './upstream_options'
import { resolveAddress, resolveBegin, resolveDue, resolveInit, resolvePoll } from './upstream_resolve'

/** Servers at most. */
export const UPSTREAM_MAX: u32 = SOURCES_MAX

const SECOND: u64 = TICKS_PER_SECOND
/** The flash may take the record without cookies only later: how often that is tried, and for how long. */
const RESTORE_INTERVAL: u64 = SECOND
const RESTORE_TRIES: u32 = 10
/** Cookies in flash are renewed as often: servers rotate their keys, some within a day. */
const STORE_INTERVAL: u64 = SECOND * 21_600
const STORE_RETRY: u64 = SECOND * 10

const enum Errand {
  None = 0,
  /** A name to ask for time without NTS. */
  ServerName = 1,
  /** The name of a key establishment server. */
  KeName = 2,
  KeyExchange = 3,
  /** The name of the NTP server that a key exchange named. */
  NtpName = 4,
  Request = 5,
}

/** What the scheduler keeps for each server besides the association; 32 bytes, 8-aligned. */
@unmanaged
class Keeping {
  /** When the session is to be stored, or to be taken back. */
  storeDue: u64
  /** Number of its `server=` line. */
  line: u32
  tag: u32
  /** Tries left to take the stored session back; 0: it is decided. */
  restores: u32
  /** Which of a name's addresses is next. */
  turn: u32
  /** Results of the last selection's sources. */
  unused: u64
}

const ASSOCIATIONS: usize = memory.data(<i32>(5 * ASSOCIATION_SIZE), 8)
const KEEPINGS: usize = memory.data(5 * 32, 8)
const CRYSTAL = changetype<Crystal>(memory.data(16, 8))

let count: u32 = 0
let errand: Errand = Errand.None
/** The server that the errand is for. */
let subject: u32 = 0
let samples: u32 = 0

/** Reads the options; in boot(), after the flash log is mounted. */
export function upstreamInit(now: u64): void {
  count = 0
  errand = Errand.None
  resolveInit()
  askInit()
  keInit()
  upstreamCrystal(0, 50_000)
  const lines = serverLines()
  for (let line: u32 = 0; line < lines && count < UPSTREAM_MAX; line++) {
    const option = serverOption(line)
    if (changetype<usize>(option) === 0) continue
    add(option, line, now)
  }
}

/** How the ticks are to be taken: the crystal's frequency error and how wrong that may be, both in 1e-9. */
export function upstreamCrystal(frequency: i32, wander: u32): void {
  CRYSTAL.frequency = frequency
  CRYSTAL.wander = wander
}

/** For the next key exchange: the time lies in here, POSIX seconds; `dates` is nts/ke_client's DatePolicy. */
export function upstreamCertificateTime(earliest: i64, latest: i64, dates: u32): void {
  keCertificateTime(earliest, latest, dates)
}

/** Servers in use. */
export function upstreamCount(): u32 {
  return count
}

export function upstreamAssociation(index: u32): Association {
  return changetype<Association>(ASSOCIATIONS + <usize>(index * ASSOCIATION_SIZE))
}

/** The option line that server `index` came from, for its name; address 0 when it cannot be read any more. */
export function upstreamOption(index: u32): ServerOption {
  return serverOption(keepingAt(index).line)
}

/** Counts good samples: when it has changed, a new selection may say something new. */
export function upstreamSamples(): u32 {
  return samples
}

/** What the servers say together about UTC at the tick `now`. */
export function upstreamSelect(now: u64): Selection {
  for (let i: u32 = 0; i < count; i++) associationSource(upstreamAssociation(i), now, CRYSTAL, sourceAt(i))
  select(count, now)
  return selection()
}

/**
 * The time lies between these POSIX seconds: judges every certificate path that was ever accepted again. A server whose path
 * is certainly outside of its validity loses its keys, cookies and samples. Returns how many did.
 */
export function upstreamJudge(earliest: i64, latest: i64): u32 {
  let dropped: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const a = upstreamAssociation(i)
    const session = associationSession(a)
    if (!sessionStands(session)) continue
    if (latest < session.notBefore || earliest > session.notAfter) {
      upstreamDistrust(i)
      dropped++
    } else if (earliest >= session.notBefore && latest <= session.notAfter) a.flags |= AssociationFlag.Decided
  }
  return dropped
}

/** Sessions whose certificate path was never certainly within its validity, as bits. */
export function upstreamUndecided(): u32 {
  let undecided: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const a = upstreamAssociation(i)
    if (sessionStands(associationSession(a)) && !associationHas(a, AssociationFlag.Decided)) undecided |= 1 << i
  }
  return undecided
}

/** No sample of before may be compared with those of after: a leap second has come between. */
export function upstreamForgetSamples(): void {
  for (let i: u32 = 0; i < count; i++) filterClear(associationFilter(upstreamAssociation(i)))
}

/** Nothing that server `index` has said is to be believed; a new key exchange follows, with back-off. */
export function upstreamDistrust(index: u32): void {
  associationDistrust(upstreamAssociation(index))
  keeperForget(index, ERRAND_SCRATCH)
}

/** Does a piece of what is due; true when there is more to do at once. */
export function upstreamPoll(now: u64): bool {
  if (count === 0 || !drbgSeeded()) return false
  if (errand !== Errand.None) return goOn(now)
  for (let i: u32 = 0; i < count; i++) keep(i, now)
  if (!ethernetLink()) return false
  for (let i: u32 = 0; i < count; i++) {
    subject = subject + 1 < count ? subject + 1 : 0
    if (begin(now)) return false
  }
  return false
}

/** When `upstreamPoll` has something to do. */
export function upstreamDue(now: u64): u64 {
  if (count === 0 || !drbgSeeded()) return u64.MAX_VALUE
  switch (errand) {
    case Errand.None:
      return ethernetLink() ? idleDue(now) : now + SECOND
    case Errand.KeyExchange:
      return keDue()
    case Errand.Request:
      return askDue(now)
    default:
      return resolveDue(now)
  }
}

// ---- Beginning

function add(option: ServerOption, line: u32, now: u64): void {
  associationInit(upstreamAssociation(count), option.nts !== 0, option.port, option.least, option.most, now)
  const keeping = keepingAt(count)
  keeping.storeDue = now
  keeping.line = line
  keeping.tag = option.tag
  keeping.turn = 0
  keeping.restores = option.nts !== 0 ? RESTORE_TRIES : 0
  count++
}

/** True when an errand has begun for the subject. */
function begin(now: u64): bool {
  const a = upstreamAssociation(subject)
  if (keepingAt(subject).restores !== 0) return false
  const want = associationWants(a, now)
  if (want === Want.Nothing) return false
  if (want === Want.KeyExchange) {
    associationKeBegin(a, now)
    resolve(Errand.KeName, now)
  } else if (!associationHas(a, AssociationFlag.Nts) && a.address === 0) resolve(Errand.ServerName, now)
  else request(a, now)
  return true
}

function request(a: Association, now: u64): void {
  errand = Errand.Request
  askBegin(a, now)
}

/** Asks for the configured name. */
function resolve(what: Errand, now: u64): void {
  errand = what
  const option = upstreamOption(subject)
  resolved(resolveBegin(option.name, option.nameLength, now), now)
}

// ---- Going on

function goOn(now: u64): bool {
  const a = upstreamAssociation(subject)
  if (errand === Errand.Request) {
    const good = a.good
    const progress = askPoll(CRYSTAL, now)
    if (progress === Progress.Done) errand = Errand.None
    if (a.good !== good) samples++
    // An authenticator was made or opened: enough for one turn.
    return progress !== Progress.Waiting
  }
  if (errand !== Errand.KeyExchange) {
    resolved(resolvePoll(now), now)
    return false
  }
  const progress = kePoll(now)
  if (progress === Progress.Done) exchanged(a, now)
  else if (progress === Progress.Failed) {
    failed(a, keFailure(), now)
    if (keWantsSivOnly() && !associationHas(a, AssociationFlag.SivOnly)) {
      a.flags |= AssociationFlag.SivOnly
      a.keDue = now
    }
  }
  return progress === Progress.Busy
}

/** A name is an address now, or will never be. */
function resolved(progress: Progress, now: u64): void {
  if (progress === Progress.Busy || progress === Progress.Waiting) return
  const a = upstreamAssociation(subject)
  const keeping = keepingAt(subject)
  const address = progress === Progress.Done ? resolveAddress(keeping.turn) : 0
  keeping.turn++
  if (errand === Errand.ServerName) {
    errand = Errand.None
    a.address = address
    if (address === 0) associationMissed(a, now)
  } else if (errand === Errand.NtpName) settled(a, address, now)
  else if (address === 0) failed(a, ErrandFailure.NoAddress, now)
  else {
    errand = Errand.KeyExchange
    // The NTP server is the same machine unless the answer names another.
    a.address = address
    keBegin(upstreamOption(subject), a.address, associationHas(a, AssociationFlag.SivOnly), now)
  }
}

/** The key exchange is done: where is the NTP server? */
function exchanged(a: Association, now: u64): void {
  if (keServerLength() === 0) {
    settled(a, a.address, now)
    return
  }
  errand = Errand.NtpName
  resolved(resolveBegin(keServer(), keServerLength(), now), now)
}

/** Keys, cookies and address are there: they replace what was (RFC 8915 section 5.7). */
function settled(a: Association, address: u32, now: u64): void {
  if (address === 0) {
    keForget()
    failed(a, ErrandFailure.NoServer, now)
    return
  }
  const session = associationSession(a)
  keTake(session)
  session.address = address
  associationKeDone(a, true, now)
  if (keDecided()) a.flags |= AssociationFlag.Decided
  keForget()
  keepingAt(subject).storeDue = now
  errand = Errand.None
}

function failed(a: Association, failure: u32, now: u64): void {
  const unreached: bool = failure === ErrandFailure.NoAddress || failure === ErrandFailure.NoConnection
  if (unreached) associationKeUnreached(a, failure, now)
  else associationKeFailed(a, failure)
  errand = Errand.None
}

// ---- Keeping

/** Takes a stored session back, or stores the present one. */
function keep(index: u32, now: u64): void {
  const keeping = keepingAt(index)
  if (now < keeping.storeDue) return
  const a = upstreamAssociation(index)
  const session = associationSession(a)
  if (keeping.restores !== 0) {
    restore(a, keeping, index, now)
    return
  }
  keeping.storeDue = now + STORE_RETRY
  // When the jar is full again: the reserve takes what the next replies bring back.
  if (!sessionStands(session) || jarFree(sessionJar(session)) !== 0) return
  if (keeperStore(index, keeping.tag, session, ERRAND_SCRATCH)) keeping.storeDue = now + STORE_INTERVAL
}

function restore(a: Association, keeping: Keeping, index: u32, now: u64): void {
  const kept = keeperLoad(index, keeping.tag, associationSession(a), ERRAND_SCRATCH)
  if (kept === Kept.Loaded) associationKeDone(a, false, now)
  if (kept === Kept.Later && keeping.restores > 1) {
    keeping.restores--
    keeping.storeDue = now + RESTORE_INTERVAL
    return
  }
  keeping.restores = 0
  keeping.storeDue = now + STORE_RETRY
  if (kept !== Kept.Loaded) sessionWipe(associationSession(a))
}

function idleDue(now: u64): u64 {
  let due = u64.MAX_VALUE
  for (let i: u32 = 0; i < count; i++) {
    const keeping = keepingAt(i)
    const a = upstreamAssociation(i)
    if (keeping.restores === 0) due = min<u64>(due, associationDue(a, now))
    if (associationHas(a, AssociationFlag.Nts)) due = min<u64>(due, keeping.storeDue)
  }
  return due > now ? due : now
}

function keepingAt(index: u32): Keeping {
  return changetype<Keeping>(KEEPINGS + ((<usize>index) << 5))
}
