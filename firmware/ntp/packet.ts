// The NTP packet header (RFC 5905 section 7.3, figure 8), as a view: byte offsets and accessors over an address.
//
//   LI(2 bits) VN(3) mode(3) | stratum(1) | poll(1) | precision(1) | root delay(4) | root dispersion(4) |
//   reference id(4) | reference timestamp(8) | origin(8) | receive(8) | transmit(8)
//
// Poll and precision are signed log2 seconds. Root delay and dispersion are seconds in unsigned 16.16. Timestamps are
// seconds of the era since 1900 in unsigned 32.32. All in network byte order, at any address.

import { storeU32be } from '../bytes/endian'
import { Instant, ntpSeconds } from '../time/instant'

/** Bytes of the header. */
export const NTP_HEADER_LENGTH: u32 = 48

/** The longest packet served: what one Ethernet frame carries in an unfragmented UDP datagram over IPv4. */
export const NTP_PACKET_MAX: u32 = 1472

export const NTP_STRATUM: usize = 1
export const NTP_POLL: usize = 2
export const NTP_PRECISION: usize = 3
export const NTP_ROOT_DELAY: usize = 4
export const NTP_ROOT_DISPERSION: usize = 8
export const NTP_REFERENCE_ID: usize = 12
export const NTP_REFERENCE_TIMESTAMP: usize = 16
export const NTP_ORIGIN_TIMESTAMP: usize = 24
export const NTP_RECEIVE_TIMESTAMP: usize = 32
export const NTP_TRANSMIT_TIMESTAMP: usize = 40

/** Leap indicator (RFC 5905, figure 9). */
export const enum Leap {
  NoWarning = 0,
  LastMinuteHas61Seconds = 1,
  LastMinuteHas59Seconds = 2,
  /** The clock is not synchronized. */
  Unknown = 3,
}

/** Association modes (RFC 5905, figure 10). */
export const enum NtpMode {
  SymmetricActive = 1,
  SymmetricPassive = 2,
  Client = 3,
  Server = 4,
  Broadcast = 5,
  Control = 6,
  Private = 7,
}

/** Kiss codes (RFC 5905 figure 13, RFC 8915 section 5.7), as reference ids. */
export const enum KissCode {
  /** 'INIT': the server has not synchronized yet. */
  Init = 0x494e_4954,
  /** 'DENY', 'RSTR': the server does not want to be asked (RFC 5905 section 7.4). */
  Deny = 0x4445_4e59,
  Restrict = 0x5253_5452,
  /** 'RATE': the server is asked too often. */
  Rate = 0x5241_5445,
  /** 'NTSN': the cookie or the authenticator is no good. */
  NtsNak = 0x4e54_534e,
}

export function ntpVersion(packet: usize): u32 {
  return (<u32>load<u8>(packet) >> 3) & 7
}

export function ntpMode(packet: usize): u32 {
  return <u32>load<u8>(packet) & 7
}

export function putLeapVersionMode(packet: usize, leap: u32, version: u32, mode: u32): void {
  store<u8>(packet, (leap << 6) | (version << 3) | mode)
}

/** Writes an instant as a 64-bit NTP timestamp. */
export function putTimestamp(p: usize, instant: Instant): void {
  storeU32be(p, ntpSeconds(instant.seconds))
  storeU32be(p + 4, instant.fraction)
}

/** Copies a timestamp as it is. */
export function copyTimestamp(to: usize, from: usize): void {
  memory.copy(to, from, 8)
}
