// A client's cookies for one server, each to be used once (RFC 8915 sections 5.7 and 9.2), oldest first.
//
//   in    cookies from a key exchange or a reply; out: one cookie at a time, which is wiped here as it leaves
//
// All cookies of a jar are equally long: a server's cookies change their length only when the server changes, and then
// the old ones are dropped. JAR_COOKIES of up to 120 bytes fit; of longer ones as many as there is room for.

import { wipe } from '../crypto/constant_time'

/** As many as a key exchange gives (RFC 8915 section 4.1.6). */
export const JAR_COOKIES: u32 = 8

/** The longest cookie that is kept. */
export const JAR_COOKIE_MAX: u32 = 192

/** The shortest: its field must have 16 bytes (RFC 7822 section 3). */
export const JAR_COOKIE_MIN: u32 = 12

@unmanaged
class Jar {
  /** Bytes of each cookie; 0: there never was one. */
  length: u32
  count: u32
  /** Slot of the oldest. */
  first: u32
}

const ROOM: u32 = 960
const COOKIES: usize = 12

/** Bytes of a jar, 4-aligned. */
export const JAR_SIZE: u32 = 12 + 960

/** Throws all cookies away. */
export function jarClear(jar: usize): void {
  wipe(jar, JAR_SIZE)
}

export function jarCount(jar: usize): u32 {
  return changetype<Jar>(jar).count
}

/** Bytes of each cookie; 0 when there never was one. */
export function jarCookieLength(jar: usize): u32 {
  return changetype<Jar>(jar).length
}

/** How many more fit. */
export function jarFree(jar: usize): u32 {
  return slots(changetype<Jar>(jar)) - changetype<Jar>(jar).count
}

/** Keeps a copy of a cookie. False: it is too long, too short, or there is no room. */
export function jarPut(jar: usize, cookie: usize, length: u32): bool {
  if (length > JAR_COOKIE_MAX || length < JAR_COOKIE_MIN || (length & 3) !== 0) return false
  const j = changetype<Jar>(jar)
  if (j.length !== length) {
    jarClear(jar)
    j.length = length
  }
  if (j.count >= slots(j)) return false
  memory.copy(slot(j, j.first + j.count), cookie, length)
  j.count += 1
  return true
}

/** Moves the oldest cookie to `out`; returns its length, 0 when there is none. */
export function jarTake(jar: usize, out: usize): u32 {
  const j = changetype<Jar>(jar)
  if (j.count === 0) return 0
  const cookie = slot(j, j.first)
  memory.copy(out, cookie, j.length)
  wipe(cookie, j.length)
  j.first = j.first + 1 < slots(j) ? j.first + 1 : 0
  j.count -= 1
  return j.length
}

function slots(jar: Jar): u32 {
  return jar.length === 0 ? JAR_COOKIES : min<u32>(JAR_COOKIES, ROOM / jar.length)
}

function slot(jar: Jar, index: u32): usize {
  const all = slots(jar)
  return changetype<usize>(jar) + COOKIES + <usize>(index < all ? index : index - all) * jar.length
}
