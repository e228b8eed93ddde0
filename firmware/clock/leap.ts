// Leap seconds: from the continuous scale of line.ts to UTC and back.
//
// The continuous scale agrees with POSIX seconds until an armed leap second; from then on it is ahead (insertion) or
// behind (deletion) by one, until `leapFold` takes the difference out of all lines at once, ten seconds later.
//
// In: announcements on the pulses. A leap second is armed when ANNOUNCEMENTS pulses in a row agree on it, and disarmed
// when WITHDRAWALS pulses in a row do not mention it. It must lie at a midnight (RFC 5905, section 7.3: the warning
// concerns the last minute of the day). At boot the record in flash arms one (`leapRestore`): whoever speaks now is
// believed instead, but silence for as long as a receiver may need to learn of it takes nothing back.

import { Pulse } from '../gnss/pulse'
import { Instant } from '../time/instant'
import { Stamp } from './line'

const ANNOUNCEMENTS: u32 = 3
const WITHDRAWALS: u32 = 60
/** The almanac, and the announcement with it, comes every 12.5 minutes. */
const FORGETTING: u32 = 900
const FOLD_AFTER: i64 = 10
const DAY: i64 = 86_400

/** The midnight of the armed leap second, 0 when none is armed. */
let midnight: i64 = 0
/** +1 inserted, -1 left out. */
let change: i64 = 0
let candidate: i64 = 0
let candidateChange: i64 = 0
let agreed: u32 = 0
let silent: u32 = 0
/** A midnight at which no leap second is believed any more. */
let vetoed: i64 = 0
/** What is known is from the record in flash, and nobody has said it since. */
let remembered: bool = false
/** The last leap second that has passed: its midnight, and what it did; 0: none that is known of. */
let passed: i64 = 0
let passedChange: i64 = 0
/** TAI - UTC in seconds as it is before the armed leap second; 0: nobody has told. */
let taiOffset: i32 = 0

export function leapInit(): void {
  midnight = 0
  change = 0
  candidate = 0
  agreed = 0
  silent = 0
  vetoed = 0
  remembered = false
  passed = 0
  taiOffset = 0
}

/**
 * At boot: the record knows of a leap second, which is armed unless the time is past it (`over`); and TAI - UTC before it,
 * 0 when that is not known.
 */
export function leapRestore(at: i64, by: i64, over: bool, tai: i32): void {
  midnight = over ? 0 : at
  change = by
  passed = over ? at : 0
  passedChange = by
  candidate = 0
  agreed = 0
  silent = 0
  remembered = at !== 0
  taiOffset = tai !== 0 && over ? tai + <i32>by : tai
}

/** A leap second may have passed of which nobody has told. */
export function leapTaiLost(): void {
  taiOffset = 0
}

/** The midnight of the leap second that is announced, else of the last one; 0: none is known of. */
export function leapKnown(): i64 {
  return midnight !== 0 ? midnight : passed
}

/** What that did or will do. */
export function leapKnownChange(): i64 {
  return midnight !== 0 ? change : passedChange
}

/** It is known from the record in flash alone. */
export function leapIsRemembered(): bool {
  return remembered
}

/** The continuous second of a pulse's label. */
export function leapContinuous(pulse: Pulse): i64 {
  if (pulse.leapSecond !== 0) return pulse.second + 1
  if (midnight === 0 || pulse.second < midnight) return pulse.second
  return pulse.second + change
}

/** Writes the label of a continuous second into `pulse`: `leapContinuous` backwards. */
export function leapLabel(second: i64, pulse: Pulse): void {
  pulse.leapSecond = midnight !== 0 && change > 0 && second === midnight ? 1 : 0
  pulse.second = second
  if (midnight === 0) return
  if (change > 0 ? second >= midnight : second >= midnight - 1) pulse.second = second - change
}

/** The continuous second of a POSIX second. Inside 23:59:60 that is not one: nobody should ask then. */
export function leapContinuousSecond(second: i64): i64 {
  return midnight === 0 || second < midnight ? second : second + change
}

/** True within some seconds of the armed leap second, where POSIX seconds of others may mean either. */
export function leapNear(second: i64): bool {
  return midnight !== 0 && second > midnight - 5 && second < midnight + 5
}

/** Disarms, and listens no more to announcements of this midnight: somebody who must know says that there is none. */
export function leapVeto(): void {
  vetoed = midnight
  midnight = 0
  agreed = 0
}

/** The pulse announces a leap second that was vetoed. */
export function leapIsVetoed(pulse: Pulse): bool {
  return vetoed !== 0 && pulse.leapWarning !== 0 && pulse.leapAt + 1 === vetoed
}

/** Takes a majority of servers' word for a leap second at the end of the UTC day of `now`: +1 or -1. */
export function leapTell(announced: i64, now: i64): void {
  const end = (now / DAY + 1) * DAY
  if (midnight !== 0 || end === vetoed || (announced !== 1 && announced !== -1)) return
  midnight = end
  change = announced
  silent = 0
}

/** Takes note of what a pulse announces; `now` is the continuous second. */
export function leapHear(pulse: Pulse, now: i64): void {
  if (pulse.taiOffset !== 0) taiOffset = pulse.taiOffset - pastChange(leapContinuous(pulse))
  if (pulse.leapSecond !== 0 || (midnight !== 0 && now >= midnight - 2)) return
  const announced = pulse.leapWarning !== 0 && pulse.leapAt !== 0 ? pulse.leapAt + 1 : 0
  if (announced === 0 || announced % DAY !== 0 || announced <= now || announced === vetoed) {
    agreed = 0
    if (++silent >= (remembered ? FORGETTING : WITHDRAWALS)) midnight = 0
    return
  }
  silent = 0
  const same = announced === candidate && <i64>pulse.leapWarning === candidateChange
  candidate = announced
  candidateChange = <i64>pulse.leapWarning
  agreed = same ? agreed + 1 : 1
  if (agreed < ANNOUNCEMENTS) return
  remembered = false
  midnight = candidate
  change = candidateChange > 0 ? 1 : -1
}

/** UTC of a continuous time. */
export function leapUtc(time: Stamp, out: Instant): void {
  const second = time.seconds
  out.fraction = <u32>(time.fraction >> 32)
  out.leap = 0
  out.seconds = second
  if (midnight === 0) return
  if (change > 0) {
    if (second >= midnight) out.seconds = second - 1
    if (second === midnight) out.leap = 1
  } else if (second >= midnight - 1) {
    out.seconds = second + 1
  }
}

/** The leap indicator at a continuous second (RFC 5905, figure 9): 0, 1 or 2. It stands for the day before the leap. */
export function leapIndicator(second: i64): u32 {
  if (midnight === 0 || second < midnight - DAY) return 0
  if (change > 0) return second <= midnight ? 1 : 0
  return second < midnight - 1 ? 2 : 0
}

/** Once the leap is well past: the seconds to add to every line; the scale is POSIX again. 0: nothing to do. */
export function leapFold(second: i64): i64 {
  if (midnight === 0 || second < midnight + FOLD_AFTER) return 0
  const shift = -change
  taiOffset = leapTaiOffset(second)
  passed = midnight
  passedChange = change
  midnight = 0
  candidate = 0
  agreed = 0
  return shift
}

/** The armed midnight, 0 when none. */
export function leapMidnight(): i64 {
  return midnight
}

/** TAI - UTC at a continuous second; 0: the receiver has never told. It steps with the leap second, heard or not. */
export function leapTaiOffset(second: i64): i32 {
  return taiOffset === 0 ? 0 : taiOffset + pastChange(second)
}

/** TAI - UTC at a POSIX second of this minute; 0: not known. */
export function leapTaiAt(second: i64): i32 {
  if (midnight !== 0 || passed === 0 || second >= passed) return leapTaiOffset(leapContinuousSecond(second))
  return taiOffset === 0 ? 0 : taiOffset - <i32>passedChange
}

/** What the armed leap second has already done to TAI - UTC at a continuous second: 23:59:60 still counts as before. */
function pastChange(second: i64): i32 {
  if (midnight === 0) return 0
  if (change > 0) return second > midnight ? 1 : 0
  return second >= midnight - 1 ? -1 : 0
}
