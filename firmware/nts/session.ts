// What a client has agreed with one NTS server: keys, cookies, and where that server answers NTP (RFC 8915 section 4).
//
// Secret: the keys and the cookies. A session is written by one key exchange or from flash, and wiped as a whole.

import { wipe } from '../crypto/constant_time'
import { JAR_SIZE, jarClear } from './cookie_jar'

/** The fixed part; the keys and the jar follow. 32 bytes, 8-aligned. */
@unmanaged
export class NtsSession {
  /** Validity of the server's certificate path, POSIX seconds: what is to be judged again when the time is better known. */
  notBefore: i64
  notAfter: i64
  /** `NtsAead`; 0: there is no session. */
  aead: u32
  /** Bytes of each key. */
  keyLength: u32
  /** IPv4 address of the NTP server in host order, and its UDP port. */
  address: u32
  port: u32
}

const KEY_MAX: u32 = 32
const C2S: usize = 32
const S2C: usize = C2S + 32
const JAR: usize = S2C + 32

/** Bytes of a session with its keys and cookies; a multiple of 8 is wanted by what follows it. */
export const SESSION_SIZE: u32 = 32 + 2 * KEY_MAX + ((JAR_SIZE + 7) & ~7)

export function sessionC2s(session: NtsSession): usize {
  return changetype<usize>(session) + C2S
}

export function sessionS2c(session: NtsSession): usize {
  return changetype<usize>(session) + S2C
}

export function sessionJar(session: NtsSession): usize {
  return changetype<usize>(session) + JAR
}

export function sessionStands(session: NtsSession): bool {
  return session.aead !== 0
}

/** Forgets keys and cookies. */
export function sessionWipe(session: NtsSession): void {
  jarClear(sessionJar(session))
  wipe(changetype<usize>(session), <u32>JAR)
}
