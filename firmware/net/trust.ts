// The trust ladder's upper half: what the servers are told of the time, and what the clock is told of the servers.
//
//   in    the clock's state and bound; new samples of the associations; the options
//           certificate-time=strict|first-contact|off     on-disagree=hold|follow-network|follow-gnss     minsources=N
//   out   the interval against which certificates are judged; quorums for the clock
//
// A quorum is a majority (ntp/select.ts) of authenticated servers, at least `minsources` of them. Their certificates were
// judged against the time as it was known when keys were exchanged. Where that could not be decided (no RTC, or one that is years
// off) the servers have FIRST_CONTACT votes to bring together before they count: then every chain is judged against the
// time that they agree on, those that fail are dropped with all that they have said, and the rest must still agree.
// Once the time is known every chain is judged again, and then every hour. docs/trust-ladder.md has the whole of it.

import {
  ClockState,
  clockErrorNanos,
  clockFrequency,
  clockLeapIsNear,
  clockNoQuorum,
  clockNow,
  clockOnDisagree,
  clockQuorum,
  clockRateIsKnown,
  clockState,
  ERROR_UNKNOWN,
  OnDisagree,
} from '../clock/clock'
import { clockFloor } from '../clock/last_good'
import { QUORUM_SIZE, Quorum } from '../clock/network'
import { optionFind, optionIs, optionNumber, optionRefuse } from '../drivers/board_options'
import { Mark, Selection, sourceAt } from '../ntp/select'
import { TICKS_PER_SECOND } from '../ntp/ticks'
import { Instant } from '../time/instant'
import {
  UPSTREAM_MAX,
  upstreamCertificateTime,
  upstreamCount,
  upstreamCrystal,
  upstreamForgetSamples,
  upstreamJudge,
  upstreamOption,
  upstreamSamples,
  upstreamSelect,
  upstreamUndecided,
} from './upstream'

/** What to do about certificates whose dates cannot be judged; the numbers are nts/ke_client's DatePolicy. */
export const enum CertificateTime {
  /** Wait for the sky. */
  Strict = 0,
  /** Ask such servers, but believe only several that agree, and judge them afterwards. */
  FirstContact = 1,
  /** Do not look at dates at all. The last resort. */
  Off = 2,
}

/** So many servers with different names must agree on the time before undecided certificates are judged by it. */
const FIRST_CONTACT: u32 = 3

/** How wrong the crystal's frequency may be, 1e-9: taught by pulses, by the network, by nobody. */
const WANDER_KNOWN: u32 = 2_000
const WANDER_UNKNOWN: u32 = 50_000

const NANOS: i64 = 1_000_000_000
const HOUR: u64 = TICKS_PER_SECOND * 3600

const QUORUM: Quorum = changetype<Quorum>(memory.data(QUORUM_SIZE, 8))
const NOW = changetype<Instant>(memory.data(16, 8))

let dates: CertificateTime = CertificateTime.FirstContact
let minSources: u32 = 1
let seen: u32 = 0
let waiting: bool = false
let judgeDue: u64 = 0
let judged: bool = false
let droppedCount: u32 = 0

/** Reads the options; in boot(). */
export function trustInit(): void {
  seen = 0
  waiting = false
  judged = false
  droppedCount = 0
  dates = CertificateTime.FirstContact
  if (optionFind('certificate-time')) {
    if (optionIs('strict')) dates = CertificateTime.Strict
    else if (optionIs('off')) dates = CertificateTime.Off
    else if (!optionIs('first-contact')) optionRefuse()
  }
  let policy = OnDisagree.Hold
  if (optionFind('on-disagree')) {
    if (optionIs('follow-network')) policy = OnDisagree.FollowNetwork
    else if (optionIs('follow-gnss')) policy = OnDisagree.FollowGnss
    else if (!optionIs('hold')) optionRefuse()
  }
  clockOnDisagree(policy)
  minSources = optionNumber('minsources', 1, UPSTREAM_MAX, 1)
}

/** The policy for certificates whose dates cannot be judged. */
export function trustCertificateTime(): CertificateTime {
  return dates
}

/** Servers that lost their keys because their certificates turned out not to be valid, since boot. */
export function trustDropped(): u32 {
  return droppedCount
}

/** Call once a second: tells the upstream what is known of the time. */
export function trustPoll(now: u64): void {
  if (upstreamCount() === 0) return
  const known = clockRateIsKnown()
  upstreamCrystal(known ? clockFrequency() : 0, known ? WANDER_KNOWN : WANDER_UNKNOWN)
  tellTime(now)
  if (clockLeapIsNear(now)) {
    upstreamForgetSamples()
    seen = upstreamSamples()
    clockNoQuorum()
  }
  waiting = upstreamSamples() !== seen
}

/** True when there are samples to consider: at most once a second. */
export function trustWaits(): bool {
  return waiting
}

/** Makes a selection of the samples, and perhaps a judgement. */
export function trustConsider(now: u64): void {
  waiting = false
  seen = upstreamSamples()
  consider(now)
}

/** The time as far as certificates may know it; and the chains judged again, when it has become known and each hour. */
function tellTime(now: u64): void {
  const error = clockErrorNanos(now)
  if (error === ERROR_UNKNOWN) {
    upstreamCertificateTime(clockFloor(), i64.MAX_VALUE, dates)
    return
  }
  clockNow(NOW, now)
  const slack = <i64>(error / <u64>NANOS) + 1
  upstreamCertificateTime(NOW.seconds - slack, NOW.seconds + slack, dates)
  const synchronised = clockState() >= ClockState.Locked
  if (!synchronised) {
    judged = false
    // Keys from the flash were never held against the present time; it may be known well enough to decide.
    if (upstreamUndecided() !== 0) judge(NOW.seconds - slack, NOW.seconds + slack)
  } else if (!judged || now >= judgeDue) {
    judged = true
    judgeDue = now + HOUR
    judge(NOW.seconds - slack, NOW.seconds + slack)
  }
}

/** New samples: is there a quorum, and may it be believed? */
function consider(now: u64): void {
  let together = upstreamSelect(now)
  if (!isQuorum(together, minSources)) {
    clockNoQuorum()
    return
  }
  if (dates !== CertificateTime.Off && upstreamUndecided() !== 0 && clockState() < ClockState.Locked) {
    // What they agree on cannot be before the last known good time.
    if (namesThatAgree() < FIRST_CONTACT || floorSeconds(together.high) + 1 < clockFloor()) return
    if (judge(floorSeconds(together.low), floorSeconds(together.high) + 1) !== 0) {
      together = upstreamSelect(now)
      if (!isQuorum(together, max(minSources, 2))) return
    }
  }
  QUORUM.ticks = together.ticks
  QUORUM.utc = together.utc
  QUORUM.low = together.low
  QUORUM.high = together.high
  QUORUM.rootDelay = together.rootDelay
  QUORUM.rootDispersion = together.rootDispersion
  QUORUM.stratum = together.stratum
  QUORUM.referenceId = together.referenceId
  QUORUM.leap = together.leap
  clockQuorum(QUORUM, now)
}

function isQuorum(together: Selection, least: u32): bool {
  return together.authenticated !== 0 && together.agreeing >= least && together.agreeing * 2 > together.candidates
}

/** Servers that agree, those with the same name counted once: one machine is one witness. */
function namesThatAgree(): u32 {
  let names: u32 = 0
  for (let i: u32 = 0; i < upstreamCount(); i++) {
    if (sourceAt(i).mark < <u32>Mark.Outlier) continue
    const name = upstreamOption(i).name
    const length = upstreamOption(i).nameLength
    let known = false
    for (let j: u32 = 0; j < i && !known; j++) {
      const other = upstreamOption(j)
      known =
        sourceAt(j).mark >= <u32>Mark.Outlier &&
        other.nameLength === length &&
        memory.compare(other.name, name, length) === 0
    }
    if (!known) names++
  }
  return names
}

function judge(earliest: i64, latest: i64): u32 {
  if (dates === CertificateTime.Off) return 0
  const dropped = upstreamJudge(earliest, latest)
  droppedCount += dropped
  return dropped
}

function floorSeconds(nanos: i64): i64 {
  const seconds = nanos / NANOS
  return nanos < seconds * NANOS ? seconds - 1 : seconds
}
