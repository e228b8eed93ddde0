// What the upstream's errands share: one socket, one buffer, and how far an errand has come.
//
// SOCKET_UPSTREAM carries one errand at a time: a DNS query, a key exchange or an NTP request. Its UDP port is a random one,
// opened for the errand and closed after it, so that who would forge an answer must guess the port too.

import { drbgGenerate } from '../crypto/drbg'
import { settingsNtpPort } from '../drivers/board_settings'

export const enum Progress {
  /** There is more to do at once. */
  Busy = 0,
  /** Waits for the network. */
  Waiting = 1,
  Done = 2,
  Failed = 3,
}

/** Why a key exchange failed before its first byte; what TLS and NTS-KE say is `KeFailure` << 8 | detail. */
export const enum ErrandFailure {
  None = 0,
  /** DNS: no answer, or no such name. */
  NoAddress = 1,
  /** TCP: refused, or nobody there. */
  NoConnection = 2,
  /** It took too long. */
  TimedOut = 3,
  /** The resolver or the server has named an NTP server that has no IPv4 address. */
  NoServer = 4,
}

/** For a request, a DNS query or a record on its way to flash: each is written and used within one call. 8-aligned. */
export const ERRAND_SCRATCH: usize = memory.data(720, 8)
export const ERRAND_SCRATCH_SIZE: u32 = 720

const RANDOM: usize = memory.data(8, 4)

/** A port of the range that is nobody's (RFC 6335 section 6), not our own. */
export function randomPort(): u32 {
  const port = 49_152 + (random16() & 0x3fff)
  return port !== settingsNtpPort() ? port : port ^ 1
}

export function random16(): u32 {
  drbgGenerate(RANDOM, 2)
  return <u32>load<u16>(RANDOM)
}
