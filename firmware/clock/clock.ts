// The clock: ticks -> UTC, with an error bound. One writer (pulses, through discipline.ts), any number of readers.
//
//   Unknown    nobody has told us the time
//   Restored   from the RTC, with an error bound; not served as synchronised
//   Locked     pulses are being followed: stratum 1
//   Holdover   no believable pulse for HOLDOVER_AFTER; the bound grows. Stratum 1 until it exceeds holdoverLimit
//   Vouched    an authenticated majority of servers is followed, because the sky is not to be had or not to be believed
//
// docs/trust-ladder.md has the whole of it: what each state may do, and what leads from one to the other.
//
// What is served follows the model line of the discipline without jumps: each correction is slewed in over a quarter of a
// second. After a long holdover the correction can be large; then it takes half a second, at up to 5 %, so that the wrong
// time is not served for longer than need be. Only what exceeds that (26 ms), and a step, which needs persistent
// contradiction, break the line. Readings at later ticks are never earlier, but for those.
//
// No floating point in any function that a packet reaches.

import { TICK_HZ, ticks } from '../../hal/abi'
import { Pulse } from '../gnss/pulse'
import { Instant } from '../time/instant'
import { alarmRaise, ClockAlarm } from './alarm'
import {
  disciplineAge,
  disciplineBound,
  disciplineConfident,
  disciplineForget,
  disciplineInit,
  disciplineKnowsRate,
  disciplineModel,
  disciplineNumber,
  disciplineProve,
  disciplinePulse,
  disciplineRehearse,
  disciplineRenumber,
  disciplineWork,
  Verdict,
} from './discipline'
import {
  leapContinuous,
  leapFold,
  leapHear,
  leapIndicator,
  leapInit,
  leapIsVetoed,
  leapMidnight,
  leapNear,
  leapTaiOffset,
  leapTell,
  leapUtc,
  leapVeto,
} from './leap'
import { crystalNanosPerSecond, Line, lineAt, lineTowards, NOMINAL_RATE, Stamp, stampDifference } from './line'
import {
  networkBound,
  networkFollow,
  networkHear,
  networkInit,
  networkKnowsRate,
  networkLeap,
  networkLeave,
  networkReferenceId,
  networkRootDelay,
  networkStratum,
  Quorum,
  quorumError,
} from './network'
import { measurePrecision } from './precision'
import {
  Disagreement,
  Vouch,
  vouchAlarm,
  vouchCentral,
  vouchCompare,
  vouchDisagreement,
  vouchFarthest,
  vouchInit,
  vouchNobody,
  vouchProves,
  vouchPulse,
  vouchQuorum,
  vouchReady,
  vouchTicks,
  vouchUnjudged,
  vouchWhole,
} from './vouch'

export const enum ClockState {
  Unknown = 0,
  Restored = 1,
  Locked = 2,
  Holdover = 3,
  Vouched = 4,
}

/** What to do when the sky and an authenticated majority of servers disagree: the board's option `on-disagree`. */
export const enum OnDisagree {
  /** Hold over on what was learnt, then stratum 16. */
  Hold = 0,
  FollowNetwork = 1,
  FollowGnss = 2,
}

/** Ticks without an accepted pulse after which Locked becomes Holdover: 10 s. */
const HOLDOVER_AFTER: u64 = 160_000_000

/** Holdover serves as stratum 1 until its bound is worse than this, ns. A LAN client sees it as root dispersion. */
let holdoverLimit: u64 = 10_000_000

/** The network is no longer enough to be served when its bound is worse than this, ns: its quorum is too old. */
const VOUCHED_LIMIT: u64 = 100_000_000

/** From so long before an announced leap second on the servers must know of it too, s. */
const LEAP_KNOWN: i64 = 21_600

/** An error bound that says nothing: 146 years. */
export const ERROR_UNKNOWN: u64 = 0x4000_0000_0000_0000

/** A clock no worse than this knows which second a pulse begins, ns. */
const NEAREST_LIMIT: u64 = 400_000_000
const HALF_SECOND: u64 = 500_000_000

/** The RTC's time grows worse by the crystal's 50 ppm: ns per 2^24 ticks. */
const RESTORED_GROWTH: u64 = 52_429

/** What a captured pulse may be off for the comparison with the network, ns. */
const PULSE_SLACK: i64 = 100_000

/** Corrections are slewed in over 2^22 ticks (0.26 s) at no more than 500 ppm, or over 2^23 at no more than 5 %. */
const SLEW_USUAL: u32 = 22
const SLEW_LIMIT: u64 = NOMINAL_RATE / 2000
const SLEW_HASTE: u32 = 23
const SLEW_HASTE_LIMIT: u64 = NOMINAL_RATE / 20

/** RFC 5905: MAXDISP, 16 s, as an NTP short. */
const MAX_DISPERSION: u32 = 16 << 16

/** "GPS\0" and "INIT" (RFC 5905, figures 12 and 13). */
const GPS: u32 = 0x4750_5300
const INIT: u32 = 0x494e_4954

const SLEWING: Line = changetype<Line>(memory.data(32, 8))
const HERE: Stamp = changetype<Stamp>(memory.data(16, 8))
const FROM: Stamp = changetype<Stamp>(memory.data(16, 8))
const THEN: Stamp = changetype<Stamp>(memory.data(16, 8))
const THERE: Instant = changetype<Instant>(memory.data(16, 8))
const REFERENCE: Instant = changetype<Instant>(memory.data(16, 8))

let state: ClockState = ClockState.Unknown
/** The served line is SLEWING before this tick and the model from it on. */
let slewEnd: u64 = 0
/** |served - model| when the slew began, ns. */
let slewSize: u64 = 0
/** Unlabelled pulses have moved the line. */
let rehearsed: bool = false
/** While sky and network disagree and the line may itself be wrong: how wrong, by the network, ns. */
let disputed: u64 = 0
let restoredTicks: u64 = 0
let restoredError: u64 = 0
let acceptedTicks: u64 = 0
let expired: bool = false
/** A pulse has been worked off since the last poll. */
let pulsed: bool = false
let precision: i32 = 0
let acceptedCount: u32 = 0
let rejectedCount: u32 = 0
let stepCount: u32 = 0
let onDisagree: OnDisagree = OnDisagree.Hold

/** Starts from nothing. Measures the precision: some 64 readings of the counter. */
export function clockInit(): void {
  precision = measurePrecision()
  state = ClockState.Unknown
  slewEnd = 0
  slewSize = 0
  disputed = 0
  restoredError = ERROR_UNKNOWN
  acceptedTicks = 0
  expired = false
  rehearsed = false
  acceptedCount = 0
  rejectedCount = 0
  stepCount = 0
  REFERENCE.seconds = 0
  REFERENCE.fraction = 0
  REFERENCE.leap = 0
  leapInit()
  vouchInit()
  networkInit()
  disciplineInit(ticks())
}

/** Holdover is stratum 1 until its bound is worse than this, ns. Outlives `clockInit`. */
export function clockHoldoverLimit(nanos: u64): void {
  holdoverLimit = nanos
}

/** How to settle a disagreement between sky and network. Outlives `clockInit`. */
export function clockOnDisagree(policy: OnDisagree): void {
  onDisagree = policy
}

export function clockTicks(): u64 {
  return ticks()
}

export function clockState(): ClockState {
  return state
}

/** UTC at a tick, which may lie a little in the past or ahead. */
export function clockNow(out: Instant, atTicks: u64): void {
  lineAt(lineFor(atTicks), atTicks, HERE)
  leapUtc(HERE, out)
}

/** Bound of |clockNow - UTC| at a tick, ns; `ERROR_UNKNOWN` when nothing is known. */
export function clockErrorNanos(atTicks: u64): u64 {
  if (state === ClockState.Vouched) return networkBound(atTicks) + (atTicks < slewEnd ? slewSize : 0)
  if (state >= ClockState.Locked) return max(disciplineBound(atTicks), disputed) + (atTicks < slewEnd ? slewSize : 0)
  if (state === ClockState.Unknown || restoredError === ERROR_UNKNOWN) return ERROR_UNKNOWN
  const elapsed = <i64>(atTicks - restoredTicks)
  return restoredError + (elapsed > 0 ? (RESTORED_GROWTH * <u64>elapsed) >> 24 : 0)
}

/** The leap indicator: 0, 1, 2, or 3 while not synchronised (RFC 5905, figure 9). */
export function clockLeap(atTicks: u64): u32 {
  if (clockStratum() === 16) return 3
  lineAt(lineFor(atTicks), atTicks, HERE)
  return leapIndicator(HERE.seconds)
}

/** A leap second is so near that POSIX seconds of others may mean either side of it. */
export function clockLeapIsNear(atTicks: u64): bool {
  lineAt(lineFor(atTicks), atTicks, HERE)
  return leapNear(HERE.seconds)
}

/** TAI - UTC in seconds; 0: nobody has told. */
export function clockTaiOffset(atTicks: u64): i32 {
  lineAt(lineFor(atTicks), atTicks, HERE)
  return leapTaiOffset(HERE.seconds)
}

/** 1 with the sky, one more than the best server's with the network, 16 without either. */
export function clockStratum(): u32 {
  if (state === ClockState.Locked) return 1
  if (state === ClockState.Vouched) return networkStratum()
  return state === ClockState.Holdover && !expired ? 1 : 16
}

export function clockReferenceId(): u32 {
  if (state === ClockState.Vouched) return networkReferenceId()
  return clockStratum() === 1 ? GPS : INIT
}

/** Delay to the primary reference and back, NTP short format; 0 with the sky. */
export function clockRootDelay(): u32 {
  return state === ClockState.Vouched ? networkRootDelay() : 0
}

/** The second of the last pulse that was followed; 0 before the first. */
export function clockReferenceTime(out: Instant): void {
  out.seconds = REFERENCE.seconds
  out.fraction = REFERENCE.fraction
  out.leap = REFERENCE.leap
}

/**
 * The error bound, and `more` nanoseconds that do not come from the clock, as root dispersion: NTP short format (16.16 s),
 * rounded up; at most 16 s.
 */
export function clockRootDispersion(atTicks: u64, more: u64 = 0): u32 {
  const nanos = clockErrorNanos(atTicks) + more
  if (nanos >= 16_000_000_000) return MAX_DISPERSION
  // 2^16 / 1e9 as 2^-32 units: 281474.98
  return <u32>((nanos * 281_475) >> 32) + 1
}

/** log2 of seconds; measured at boot. */
export function clockPrecision(): i32 {
  return precision
}

/** How fast the crystal is, in 1e-9 of its nominal frequency; positive: too fast. */
export function clockFrequency(): i32 {
  return <i32>crystalNanosPerSecond(disciplineModel().rate)
}

/** Pulses or servers have taught that: else the crystal may be off by whatever crystals are off. */
export function clockRateIsKnown(): bool {
  return disciplineKnowsRate() || networkKnowsRate()
}

export function clockAccepted(): u32 {
  return acceptedCount
}

export function clockRejected(): u32 {
  return rejectedCount
}

export function clockSteps(): u32 {
  return stepCount
}

/**
 * A pulse that nobody has labelled yet, before the first lock: its phase and the crystal's frequency are learnt meanwhile.
 * A restored clock may be moved to the nearest second by it, and its bound then grows by half a second when it
 * cannot tell one second from the next.
 */
export function clockRehearse(edge: u64): void {
  const learning = state <= ClockState.Restored || (rehearsed && state === ClockState.Vouched)
  if (!learning || stepCount > 0) return
  if (vouchReady(edge) && !vouchWhole(PULSE_SLACK, elapsedSinceQuorum(edge))) {
    if (rehearsed) unlearn()
    return
  }
  if (!rehearsed && state === ClockState.Restored && clockErrorNanos(edge) > NEAREST_LIMIT) restoredError += HALF_SECOND
  rehearsed = true
  disciplineRehearse(edge)
}

/** A labelled pulse has come in; `now` is the present tick, a fraction of a second after the pulse's. */
export function clockPulse(pulse: Pulse, now: u64): void {
  takePulse(pulse, now)
  dispute(pulse.ticks)
}

function takePulse(pulse: Pulse, now: u64): void {
  pulsed = true
  if (pulse.valid !== 0 && !skyIsBelieved(pulse)) {
    rejectedCount++
    return
  }
  if (rehearsed && pulse.valid !== 0) endRehearsal(pulse)
  lineAt(lineFor(now), now, FROM)
  const verdict = disciplinePulse(pulse, knownError(pulse.ticks))
  if (verdict === Verdict.Ignored) return
  if (verdict === Verdict.Rejected) {
    rejectedCount++
    return
  }
  if (verdict === Verdict.Stepped) stepped()
  else follow(pulse, now)
  lineAt(disciplineModel(), pulse.ticks, HERE)
  const armed = leapMidnight()
  leapHear(pulse, HERE.seconds)
  // The servers may know already that there is none.
  if (leapMidnight() !== armed && vouchReady(pulse.ticks)) judgeLeap(HERE.seconds)
  leapUtc(HERE, REFERENCE)
  REFERENCE.fraction = 0
  const disagreement = vouchDisagreement()
  if (leapIsVetoed(pulse) && (disagreement === Disagreement.None || disagreement === Disagreement.Leap))
    vouchAlarm(Disagreement.Leap)
}

/** A pulse whose label is withheld, because an earlier clock contradicts it, has come in: it moves nothing, but people are told. */
export function clockContradicted(pulse: Pulse): void {
  skyIsBelieved(pulse)
  dispute(pulse.ticks)
  if (state !== ClockState.Locked && state !== ClockState.Holdover) return
  lineAt(disciplineModel(), pulse.ticks, HERE)
  const apart = <f64>(leapContinuous(pulse) - HERE.seconds) * 1e9 - <f64>(HERE.fraction >> 32) * (1e9 / 4294967296.0)
  alarmRaise(Math.abs(apart) < <f64>HALF_SECOND ? ClockAlarm.Jump : ClockAlarm.Label, apart)
}

/**
 * Time passes: call it at least once a second. Ages the bound, notices lost pulses, folds a past leap second.
 * Returns the tick at which it wants to be called again.
 */
export function clockPoll(now: u64): u64 {
  const aged = disciplineAge(now)
  if (state === ClockState.Locked && now > acceptedTicks && now - acceptedTicks > HOLDOVER_AFTER) {
    state = ClockState.Holdover
  }
  expired = state === ClockState.Holdover && disciplineBound(now) > holdoverLimit
  if (state === ClockState.Vouched && networkBound(now) > VOUCHED_LIMIT) forsaken(now)
  foldLeap(now)
  // A pulse, or a second without one, was work enough for this poll(). What it left to do goes on in slices.
  if (pulsed || aged) {
    pulsed = false
    return now
  }
  return disciplineWork() ? now : now + <u64>(TICK_HZ / 2)
}

/**
 * Takes the RTC's word: at `atTicks` it was `seconds` plus `fraction` (2^-64 s) on the continuous scale, within `errorNanos`.
 * Only before a lock: false, if it is not taken.
 */
export function clockRestore(atTicks: u64, seconds: i64, fraction: u64, errorNanos: u64): bool {
  if (state > ClockState.Restored || stepCount > 0 || rehearsed) return false
  const model = disciplineModel()
  model.ticks = atTicks
  model.seconds = seconds
  model.fraction = fraction
  restoredTicks = atTicks
  restoredError = errorNanos
  state = ClockState.Restored
  return true
}

/** A time that is only kept may be wrong by so much more, ns. */
export function clockDoubt(nanos: u64): void {
  if (state === ClockState.Restored) restoredError += nanos
}

/** An authenticated majority of servers has spoken. `now` is the present tick. */
export function clockQuorum(quorum: Quorum, now: u64): void {
  const seconds = quorum.utc / 1_000_000_000
  if (leapNear(seconds)) return
  vouchQuorum(quorum.ticks, quorum.low, quorum.high)
  networkHear(quorum)
  judgeLeap(seconds)
  dispute(quorum.ticks)
  if (!networkLeads(quorum, now)) return
  lineAt(lineFor(now), now, FROM)
  // Unlabelled pulses know where seconds begin, unless the servers know better.
  if (rehearsed && !vouchWhole(PULSE_SLACK, phaseOf(quorum.ticks))) unlearn()
  const fixed = rehearsed && <u64>quorumError(quorum) < NEAREST_LIMIT
  if (!fixed && rehearsed) return
  const whole = networkFollow(quorum, disciplineModel(), disciplineKnowsRate(), fixed)
  if (whole !== 0) {
    disciplineRenumber(whole)
    FROM.seconds += whole
    slewEnd = 0
  }
  slew(now)
  // What nobody was served need not be left slowly.
  if (state <= ClockState.Restored) slewEnd = 0
  state = ClockState.Vouched
  lineAt(disciplineModel(), quorum.ticks, HERE)
  leapUtc(HERE, REFERENCE)
}

/** There is no majority of servers any more. */
export function clockNoQuorum(): void {
  vouchNobody()
}

/** Why sky and network disagree; None: they do not, or nobody can tell. */
export function clockDisagreement(): Disagreement {
  return vouchDisagreement()
}

/** The receiver itself says that it is being spoofed or jammed: call it as long as it does. A reason that is known stays. */
export function clockReceiverAlarm(): void {
  const disagreement = vouchDisagreement()
  if (disagreement === Disagreement.None || disagreement === Disagreement.Receiver) vouchAlarm(Disagreement.Receiver)
}

/** The tick, to within a few, at which the clock will read the whole second `second` (UTC); `near` when that is past. */
export function clockTicksAt(second: i64, near: u64): u64 {
  clockNow(THERE, near)
  // 2^-32 seconds to go; ticks = that * 16e6 / 2^32. The crystal's error of some ppm is left out.
  const rest = ((second - THERE.seconds) << 32) - <i64>THERE.fraction
  if (rest <= 0) return near
  return near + ((<u64>rest * <u64>(TICK_HZ >> 8)) >> 24)
}

/** The first label gives the rehearsed line its seconds, unless an earlier clock contradicts it: then it must prove itself. */
function endRehearsal(pulse: Pulse): void {
  rehearsed = false
  lineAt(disciplineModel(), pulse.ticks, HERE)
  const apart = <f64>(leapContinuous(pulse) - HERE.seconds) * 1e9
  if (Math.abs(apart) > knownError(pulse.ticks) + 1e9) disciplineForget()
  else disciplineNumber(leapContinuous(pulse), pulse.ticks)
}

function lineFor(atTicks: u64): Line {
  return atTicks < slewEnd ? SLEWING : disciplineModel()
}

function knownError(atTicks: u64): f64 {
  if (state === ClockState.Unknown) return f64.MAX_VALUE
  return <f64>clockErrorNanos(atTicks)
}

function stepped(): void {
  stepCount++
  slewEnd = 0
  // A clock that was synchronised and had to step does not know any more what to believe, unless the network vouches.
  if (state === ClockState.Locked || state === ClockState.Holdover) state = ClockState.Unknown
}

/** An accepted pulse has moved the model; what is served slews after it. */
function follow(pulse: Pulse, now: u64): void {
  acceptedCount++
  acceptedTicks = pulse.ticks
  if (disciplineConfident()) {
    state = ClockState.Locked
    expired = false
    networkLeave()
  }
  slew(now)
}

/** What is served goes on from FROM and meets the model soon. */
function slew(now: u64): void {
  slewEnd = 0
  const model = disciplineModel()
  if (lineTowards(SLEWING, FROM, now, model, SLEW_USUAL, SLEW_LIMIT)) slewEnd = now + ((<u64>1) << SLEW_USUAL)
  else if (lineTowards(SLEWING, FROM, now, model, SLEW_HASTE, SLEW_HASTE_LIMIT))
    slewEnd = now + ((<u64>1) << SLEW_HASTE)
  lineAt(model, now, HERE)
  slewSize = slewEnd === 0 ? 0 : <u64>Math.abs(stampDifference(FROM, HERE))
}

function foldLeap(now: u64): void {
  lineAt(disciplineModel(), now, HERE)
  const shift = leapFold(HERE.seconds)
  if (shift === 0) return
  disciplineRenumber(shift)
  SLEWING.seconds += shift
}

/** Whether a labelled pulse may move the clock, by what the network says of it and by policy. */
function skyIsBelieved(pulse: Pulse): bool {
  const continuous = leapContinuous(pulse)
  let verdict = Vouch.None
  let wrong = false
  if (!leapNear(continuous) && vouchReady(pulse.ticks)) {
    const elapsed = elapsedSinceQuorum(pulse.ticks)
    const error = <i64>pulse.errorNanos + PULSE_SLACK
    verdict = vouchPulse(pulse.ticks, pulse.second * 1_000_000_000, error, elapsed)
    // The line itself. While it lies where the servers say, they cannot tell whether a pulse is the better one.
    wrong = vouchCompare(pulse.ticks, utcNanosHere(), PULSE_SLACK, elapsed) === Vouch.Disagrees
  } else {
    vouchUnjudged()
  }
  disciplineProve(wrong && vouchProves())
  if (onDisagree === OnDisagree.FollowGnss) return true
  // Pulses are right in spite of a leap second that is announced wrongly: it was vetoed.
  const disagreement = vouchDisagreement()
  return verdict !== Vouch.Disagrees && (disagreement === Disagreement.None || disagreement === Disagreement.Leap)
}

/** While sky and network disagree: may the line be wrong itself, and by how much? */
function dispute(atTicks: u64): void {
  disputed = 0
  if (vouchDisagreement() === Disagreement.None || !vouchReady(atTicks)) return
  const elapsed = elapsedSinceQuorum(atTicks)
  if (leapNear(HERE.seconds)) return
  const own = utcNanosHere()
  if (!vouchCentral(own, elapsed)) disputed = vouchFarthest(own, elapsed)
}

/** UTC of HERE in nanoseconds since 1970. */
function utcNanosHere(): i64 {
  leapUtc(HERE, THERE)
  return THERE.seconds * 1_000_000_000 + <i64>((<u64>THERE.fraction * 1_000_000_000) >> 32)
}

/** Nanoseconds that the line puts between the quorum's tick and this one, where HERE is left. */
function elapsedSinceQuorum(atTicks: u64): i64 {
  lineAt(disciplineModel(), vouchTicks(), THEN)
  lineAt(disciplineModel(), atTicks, HERE)
  return <i64>stampDifference(HERE, THEN)
}

/** Nanoseconds from a tick back to where the line has the beginning of its second. */
function phaseOf(atTicks: u64): i64 {
  lineAt(disciplineModel(), atTicks, HERE)
  return -(<i64>(((HERE.fraction >> 32) * 1_000_000_000) >> 32))
}

/** What unlabelled pulses have taught is wrong. */
function unlearn(): void {
  rehearsed = false
  disciplineForget()
  networkLeave()
}

/** The network moves the clock when nothing better does. */
function networkLeads(quorum: Quorum, now: u64): bool {
  if (state === ClockState.Locked) return false
  // A clock that no sky has ever set can only learn from the network, whatever the sky says.
  if (state !== ClockState.Holdover) return true
  if (vouchDisagreement() !== Disagreement.None) return onDisagree === OnDisagree.FollowNetwork
  return expired || disciplineBound(now) > <u64>quorumError(quorum)
}

/** A leap second that is near must be known to the servers; one that only they know of is taken from them without a sky. */
function judgeLeap(second: i64): void {
  const announced = networkLeap()
  const midnight = leapMidnight()
  if (midnight !== 0 && announced === 0 && second > midnight - LEAP_KNOWN && second < midnight - 5) {
    if (onDisagree === OnDisagree.FollowGnss) return
    leapVeto()
    vouchAlarm(Disagreement.Leap)
  } else if (state === ClockState.Vouched && (announced === 1 || announced === 2)) {
    leapTell(announced === 1 ? 1 : -1, second)
  }
}

/** Nobody speaks for the time any more: it is kept, with its bound, but no longer served. */
function forsaken(now: u64): void {
  restoredTicks = now
  restoredError = networkBound(now)
  networkLeave()
  state = ClockState.Restored
}
