// What became of each packet that came to the NTP port: one counter an outcome, so that every drop has its reason.
// Counters are u32 and wrap.

/** The outcomes. A packet counts in exactly one of them. */
export const enum NtpCount {
  // Answered.
  /** Plain NTP, answered. */
  Served = 0,
  /** NTS, authenticated and answered. */
  ServedNts = 1,
  /** Either, answered with the kiss code INIT because the clock is not synchronized. */
  Unsynchronized = 2,
  /** NTS NAK: no key of the ring opens the cookie. */
  NakCookie = 3,
  /** NTS NAK: the cookie is good, but the packet is not authentic under its key. */
  NakAuthenticator = 4,
  // Dropped.
  /** Shorter than a header. */
  Short = 5,
  /** Longer than NTP_PACKET_MAX. */
  Long = 6,
  /** Neither version 3 nor 4. */
  Version = 7,
  /** Mode 1: a symmetric peer, or a Windows machine whose `manualpeerlist` lacks the flag 0x8. */
  SymmetricActive = 8,
  /** Mode 6 or 7: control and private messages. */
  Control = 9,
  /** Any other mode than 3. */
  Mode = 10,
  /** A MAC or crypto-NAK follows: the server holds no symmetric keys. */
  Mac = 11,
  /** Extension fields against RFC 7822. */
  Field = 12,
  /** NTS fields that RFC 8915 forbids: repeated, missing, of a wrong length. */
  NtsField = 13,
  /** No room for the reply: the reply buffer, or the request, is too small. */
  Room = 14,
}

/** Number of counters. */
export const NTP_COUNTS: u32 = 15

/** What else is counted of packets that were answered. */
export const enum NtpNote {
  /** The reply was interleaved (RFC 9769). */
  Interleaved = 0,
  /** The same, with NTS. */
  InterleavedNts = 1,
  /** It was asked for, but the transmit time was not known: an ordinary reply. */
  InterleavedUnknown = 2,
  /** The arrival time is not the request's own edge: merged with another's, lost, or taken late. */
  Merged = 3,
}

export function ntpNote(note: NtpNote): void {
  const counter = NOTES + ((<usize>note) << 2)
  store<u32>(counter, load<u32>(counter) + 1)
}

/** How often this was. */
export function ntpNoted(note: NtpNote): u32 {
  return load<u32>(NOTES + ((<usize>note) << 2))
}

export function ntpCount(outcome: NtpCount): void {
  const counter = COUNTERS + ((<usize>outcome) << 2)
  store<u32>(counter, load<u32>(counter) + 1)
}

/** How often this outcome was. */
export function ntpCounter(outcome: u32): u32 {
  return outcome < NTP_COUNTS ? load<u32>(COUNTERS + ((<usize>outcome) << 2)) : 0
}

const COUNTERS: usize = memory.data(4 * 15, 4)
const NOTES: usize = memory.data(4 * 4, 4)
