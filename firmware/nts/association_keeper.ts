// Keeps sessions with upstream servers in flash, so that a restart needs no key exchange (RFC 8915 section 5.7: at least one
// unused but recent cookie) and no cookie is ever sent twice (section 9.2: whoever sees a cookie again knows the client again).
//
//   in    a session, and a tag of the configuration it was made for; out: the session as it was stored
//
// RESERVE cookies leave the jar for flash and are not used while the device runs. On a restart they come back, and before
// the first of them may be used the record is written again without cookies. So power may fail at any moment: a cookie is
// in flash or in use, never both. What is lost is at most the cookies of the jar.
//
// Writes: after a key exchange, after a restart (two), and every STORE_INTERVAL, because servers forget their old cookie keys.
// That is 4 writes of at most 680 bytes a day and server: with five servers, three and a half sectors a day of the log's ring.
// Keys and cookies lie in flash as the key ring's own keys do: in clear. Nothing is constant-time here, nothing needs to be.

import { loadU16le, storeU16le } from '../bytes/endian'
import { wipe } from '../crypto/constant_time'
import { FlashKey } from '../drivers/flash_keys'
import { logRead, logWrite } from '../drivers/flash_log'
import { ntsKeyLength } from './aead'
import { JAR_COOKIE_MAX, JAR_COOKIE_MIN, jarCookieLength, jarCount, jarPut, jarTake } from './cookie_jar'
import { NtsSession, sessionJar, sessionStands, sessionWipe } from './session'

/** Sessions that can be kept: keys FlashKey.Upstream and following. */
export const KEEPER_SLOTS: u32 = 5

/** Cookies in flash for one server: the first request after a restart may be lost, and the second. */
export const KEEPER_RESERVE: u32 = 3

/** So many must stay in the jar. */
const LEAST_LEFT: u32 = 2

export const enum Kept {
  /** Nothing that can be used. */
  None = 0,
  Loaded = 1,
  /** The flash does not take the record without the cookies now: try again, or do without. */
  Later = 2,
}

// Record: version u8 | cookies u8 | cookie length u16le | tag u32 | session without jar (96) | cookies
const VERSION: u8 = 1
const SESSION_AT: usize = 8
/** NtsSession and both keys. */
const SESSION_LENGTH: u32 = 32 + 64
const COOKIES_AT: usize = 8 + 96

/** Bytes of scratch, 8-aligned, that the caller lends. */
export const KEEPER_SCRATCH: u32 = 8 + 96 + 3 * 192

/** Moves cookies from the session's jar to flash, with all else of it. False: the jar has too few, or the flash refused. */
export function keeperStore(slot: u32, tag: u32, session: NtsSession, scratch: usize): bool {
  const jar = sessionJar(session)
  if (slot >= KEEPER_SLOTS || !sessionStands(session) || jarCount(jar) < KEEPER_RESERVE + LEAST_LEFT) return false
  const length = jarCookieLength(jar)
  putHead(scratch, tag, session, KEEPER_RESERVE, length)
  for (let i: u32 = 0; i < KEEPER_RESERVE; i++) jarTake(jar, cookieAt(scratch, i, length))
  const stored = logWrite(FlashKey.Upstream + slot, scratch, <u32>COOKIES_AT + KEEPER_RESERVE * length)
  // Not in flash: they may still be used, once.
  if (!stored) for (let i: u32 = 0; i < KEEPER_RESERVE; i++) jarPut(jar, cookieAt(scratch, i, length), length)
  wipe(scratch, KEEPER_SCRATCH)
  return stored
}

/** Takes a stored session back, once its cookies are no longer in flash. */
export function keeperLoad(slot: u32, tag: u32, session: NtsSession, scratch: usize): Kept {
  if (slot >= KEEPER_SLOTS) return Kept.None
  const stored = logRead(FlashKey.Upstream + slot, scratch, KEEPER_SCRATCH)
  let kept = Kept.None
  if (stored > 0 && isSound(scratch, stored, tag)) {
    kept = Kept.Later
    const cookies = load<u8>(scratch, 1)
    store<u8>(scratch, 0, 1)
    if (logWrite(FlashKey.Upstream + slot, scratch, <u32>COOKIES_AT)) {
      take(scratch, cookies, session)
      kept = Kept.Loaded
    }
  }
  wipe(scratch, KEEPER_SCRATCH)
  return kept
}

/** What is stored shall not be used again. */
export function keeperForget(slot: u32, scratch: usize): bool {
  if (slot >= KEEPER_SLOTS || logRead(FlashKey.Upstream + slot, scratch, KEEPER_SCRATCH) < 0) return true
  const used: bool = load<u8>(scratch, 1) !== 0
  wipe(scratch, KEEPER_SCRATCH)
  return !used || logWrite(FlashKey.Upstream + slot, scratch, <u32>COOKIES_AT)
}

function putHead(record: usize, tag: u32, session: NtsSession, cookies: u32, length: u32): void {
  store<u8>(record, VERSION)
  store<u8>(record, <u8>cookies, 1)
  storeU16le(record + 2, length)
  store<u32>(record, tag, 4)
  memory.copy(record + SESSION_AT, changetype<usize>(session), SESSION_LENGTH)
}

/** A record for this configuration, with cookies that were never used and lengths that hold. */
function isSound(record: usize, stored: i32, tag: u32): bool {
  if (<u32>stored < <u32>COOKIES_AT || load<u8>(record) !== VERSION || load<u32>(record, 4) !== tag) return false
  const cookies = <u32>load<u8>(record, 1)
  const length = loadU16le(record + 2)
  if (cookies === 0 || cookies > KEEPER_RESERVE) return false
  if (length < JAR_COOKIE_MIN || length > JAR_COOKIE_MAX || (length & 3) !== 0) return false
  const session = changetype<NtsSession>(record + SESSION_AT)
  const keyLength = ntsKeyLength(session.aead)
  return keyLength !== 0 && session.keyLength === keyLength && <u32>stored === <u32>COOKIES_AT + cookies * length
}

function take(record: usize, cookies: u32, session: NtsSession): void {
  const length = loadU16le(record + 2)
  sessionWipe(session)
  memory.copy(changetype<usize>(session), record + SESSION_AT, SESSION_LENGTH)
  for (let i: u32 = 0; i < cookies; i++) jarPut(sessionJar(session), cookieAt(record, i, length), length)
}

function cookieAt(record: usize, index: u32, length: u32): usize {
  return record + COOKIES_AT + <usize>(index * length)
}
