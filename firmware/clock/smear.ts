// The leap smear: an inserted or deleted second spread evenly over the day around it, from noon UTC to noon UTC, so that
// clients see no second twice and none missing. Off unless the board's option `smear=on` says so.
//
//   inserted   the 86,401 seconds between the noons are served as 86,400: each lasts 11.6 us longer
//   deleted    the 86,399 seconds are served as 86,400
//
// In: UTC, as leap.ts makes it, and the leap second that leap.ts has armed. Out: the time that is served. At midnight it is
// half a second from UTC. Such time must not be mixed with true UTC: the leap indicator stays 0 and the reference identifier
// says 127.127.1.255 meanwhile, as chrony's does for smoothed time. Integers only: packets come here.

import { Instant } from '../time/instant'
import { leapIsRemembered, leapKnown, leapKnownChange } from './leap'

const HALF_DAY: i64 = 43_200
const DAY: i64 = 86_400

/** 127.127.1.255 (chrony.conf, `smoothtime`). */
export const SMEARED: u32 = 0x7f7f_01ff

let enabled: bool = false
/** The leap second that is being smeared: kept until the noon after it, longer than leap.ts knows it. 0: none. */
let midnight: i64 = 0
let change: i64 = 0

export function smearInit(on: bool): void {
  enabled = on
  midnight = 0
}

export function smearEnabled(): bool {
  return enabled
}

/** Takes note of what leap.ts has armed; `now` is the present second of UTC. Call once a second. */
export function smearPoll(now: i64): void {
  if (!enabled) return
  if (midnight !== 0 && now >= midnight + HALF_DAY) midnight = 0
  const known = leapKnown()
  if (known === midnight) return
  // Only the announcement can change before the smear begins: what has begun is finished.
  if (midnight !== 0 && now >= midnight - HALF_DAY) return
  // An announcement within the last hours would make the time jump: it is spread over what is left by nobody; UTC then. One
  // from before a power cut goes on where the smear would be.
  const until = leapIsRemembered() ? known + HALF_DAY : known - HALF_DAY
  midnight = known !== 0 && now < until ? known : 0
  change = leapKnownChange()
}

/** True while the served time differs from UTC. */
export function smearActive(now: i64): bool {
  return midnight !== 0 && now >= midnight - HALF_DAY && now < midnight + HALF_DAY
}

/** Turns UTC into the time to serve. */
export function smear(time: Instant): void {
  if (!smearActive(time.seconds)) return
  const start = midnight - HALF_DAY
  // Seconds since noon, all of them counted.
  const passed = time.seconds - start + (time.leap !== 0 ? 1 : time.seconds >= midnight ? change : 0)
  const elapsed = ((<u64>passed) << 32) + <u64>time.fraction
  const share = elapsed / <u64>(DAY + change)
  const served = change > 0 ? elapsed - share : elapsed + share
  time.seconds = start + <i64>(served >> 32)
  time.fraction = <u32>served
  time.leap = 0
}
