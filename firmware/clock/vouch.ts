// Does the network vouch for the sky? Compares what a pulse says with the interval in which an authenticated majority of
// servers says that UTC lies (RFC 5905, section 11.2.1: the intersection), and remembers the verdicts.
//
//   in    the quorum: UTC at a tick lies in [low, high]; labelled pulses
//   out   a verdict on each pulse, the alarm `gnss-disagrees` with its reason
//
// Times are POSIX nanoseconds (i64: good until 2262). The quorum gets wider with age: `WANDER` for what the crystal may do
// beyond the frequency at which the caller says it runs. One contradiction is noise on a wire; CONTRADICTIONS in a row raise
// the alarm. Only AGREEMENTS in a row in the middle half of the interval clear it again: what is being dragged away lies in
// and out of an interval that is wide and narrow by turns. For servers whose middle is not the truth, PATIENCE in a row
// anywhere. No floating point: this runs once for each pulse and each quorum.

/** What a comparison came to. */
export const enum Vouch {
  /** No quorum, or too old a one. */
  None = 0,
  Agrees = 1,
  Disagrees = 2,
}

/** Why the alarm was raised. */
export const enum Disagreement {
  None = 0,
  /** Off by whole seconds: a wrong leap count, or a receiver that is a second off. */
  Seconds = 1,
  /** Off by 1024 weeks or a multiple. */
  WeekRollover = 2,
  /** Off by more than a second and nothing of the above. */
  Date = 3,
  /** Off by less than a second, but more than the quorum allows: dragged or replayed signals. */
  Phase = 4,
  /** A leap second is announced that the network knows nothing of. */
  Leap = 5,
  /** The receiver itself says that it is spoofed or jammed. */
  Receiver = 6,
}

const NANOS: i64 = 1_000_000_000
const WEEK_1024: i64 = 1024 * 604_800 * NANOS
/** An old quorum says nothing: 2^10 s, the longest poll, and half again. */
const STALE_TICKS: u64 = 1536 * 16_000_000
/** What the crystal may have gained on its known frequency, in 2^-20: some 5 ppm. */
const WANDER: i64 = 5
/** Within this of a whole number of seconds it is the count that is wrong: 50 ms. */
const NEAR: i64 = 50_000_000

const CONTRADICTIONS: u32 = 3
const AGREEMENTS: u32 = 60
const PATIENCE: u32 = 900

let quorumTicks: u64 = 0
let quorumLow: i64 = 0
let quorumHigh: i64 = 0
let quorumValid: bool = false
/** Pulses in a row that the quorum contradicted, and that it confirmed. */
let contradicted: u32 = 0
let confirmed: u32 = 0
/** Of the latter those in a row that lay in the middle half. */
let central: u32 = 0
let alarm: Disagreement = Disagreement.None
let latest: Disagreement = Disagreement.None
let raised: u32 = 0

export function vouchInit(): void {
  quorumValid = false
  contradicted = 0
  confirmed = 0
  central = 0
  alarm = Disagreement.None
  latest = Disagreement.None
  raised = 0
}

/** An authenticated majority says: at `ticks` UTC was in [low, high]. */
export function vouchQuorum(ticks: u64, low: i64, high: i64): void {
  quorumTicks = ticks
  quorumLow = low
  quorumHigh = high
  quorumValid = low <= high
}

/** There is no majority any more. */
export function vouchNobody(): void {
  quorumValid = false
}

/** True when a quorum speaks for the time at `ticks`. */
export function vouchReady(ticks: u64): bool {
  return quorumValid && ageTicks(ticks) <= STALE_TICKS
}

/**
 * Compares: somebody says that at `ticks` UTC was `utc` nanoseconds, give or take `error`. `elapsed` are the nanoseconds
 * that the clock's own line puts between the quorum's tick (`vouchTicks`) and `ticks`. Keeps nothing.
 */
export function vouchCompare(ticks: u64, utc: i64, error: i64, elapsed: i64): Vouch {
  latest = Disagreement.None
  if (!vouchReady(ticks)) return Vouch.None
  const age = elapsed < 0 ? -elapsed : elapsed
  const wander = (age * WANDER) >> 20
  const low = quorumLow + elapsed - wander
  const high = quorumHigh + elapsed + wander
  if (utc + error >= low && utc - error <= high) return Vouch.Agrees
  latest = reason(utc < low ? utc - low : utc - high, high - low + 2 * error)
  return Vouch.Disagrees
}

/** Judges a labelled pulse of the receiver and keeps count: the alarm follows. Arguments as `vouchCompare`. */
export function vouchPulse(ticks: u64, utc: i64, error: i64, elapsed: i64): Vouch {
  const verdict = vouchCompare(ticks, utc, error, elapsed)
  if (verdict === Vouch.Disagrees) {
    confirmed = 0
    central = 0
    if (++contradicted >= CONTRADICTIONS) raise(latest)
  } else if (verdict === Vouch.Agrees) {
    contradicted = 0
    confirmed++
    central = vouchCentral(utc, elapsed) ? central + 1 : 0
    if (central >= AGREEMENTS || confirmed >= PATIENCE) alarm = Disagreement.None
  }
  return verdict
}

/** A pulse came that nobody can judge. An alarm that the receiver itself has raised ends when it has been quiet for long enough. */
export function vouchUnjudged(): void {
  if (alarm === Disagreement.Receiver && ++confirmed >= AGREEMENTS) alarm = Disagreement.None
}

/** Raises the alarm for a reason that no pulse shows. It is cleared by pulses that agree, as ever. */
export function vouchAlarm(why: Disagreement): void {
  confirmed = 0
  central = 0
  raise(why)
}

/** `utc` lies in the middle half of what the quorum said, `elapsed` nanoseconds ago. */
export function vouchCentral(utc: i64, elapsed: i64): bool {
  const margin = (quorumHigh - quorumLow) / 4
  return utc - elapsed >= quorumLow + margin && utc - elapsed <= quorumHigh - margin
}

/** How far the truth may be from `utc`, when it is where the quorum said, ns. */
export function vouchFarthest(utc: i64, elapsed: i64): u64 {
  const age = elapsed < 0 ? -elapsed : elapsed
  return <u64>(max(utc - elapsed - quorumLow, quorumHigh - utc + elapsed) + ((age * WANDER) >> 20))
}

/** Some whole second may begin `elapsed` nanoseconds after the quorum's tick, give or take `error`. */
export function vouchWhole(error: i64, elapsed: i64): bool {
  const slack = error + (((elapsed < 0 ? -elapsed : elapsed) * WANDER) >> 20)
  const latestSecond = ((quorumHigh + elapsed + slack) / NANOS) * NANOS
  return latestSecond >= quorumLow + elapsed - slack
}

/** The alarm `gnss-disagrees`; None: all is well, or nobody can tell. */
export function vouchDisagreement(): Disagreement {
  return alarm
}

/** How often the alarm was raised since boot. */
export function vouchRaised(): u32 {
  return raised
}

/** The quorum has confirmed enough pulses in a row that a step to them may be believed at once. */
export function vouchProves(): bool {
  return confirmed >= CONTRADICTIONS
}

/** The tick for which the quorum spoke last. */
export function vouchTicks(): u64 {
  return quorumTicks
}

function ageTicks(ticks: u64): u64 {
  return ticks > quorumTicks ? ticks - quorumTicks : quorumTicks - ticks
}

function raise(why: Disagreement): void {
  if (alarm === Disagreement.None) raised++
  alarm = why
}

/** What kind of error `beyond` (outside the interval) is; `slack` is how far the truth may be from the interval's end. */
function reason(beyond: i64, slack: i64): Disagreement {
  const size = beyond < 0 ? -beyond : beyond
  if (size + slack < NANOS / 2) return Disagreement.Phase
  const weeks = (size + WEEK_1024 / 2) / WEEK_1024
  const fromWeeks = size - weeks * WEEK_1024
  if (weeks !== 0 && fromWeeks > -NANOS - slack && fromWeeks < NANOS + slack) return Disagreement.WeekRollover
  const seconds = (size + NANOS / 2) / NANOS
  const apart = size - seconds * NANOS
  const whole = apart >= -NEAR - slack && apart <= NEAR + slack
  if (seconds !== 0 && seconds < 60 && whole) return Disagreement.Seconds
  return size < NANOS ? Disagreement.Phase : Disagreement.Date
}
