// UBX frames as they lie on the wire (u-blox 8/M8 protocol specification UBX-13003221, chapter 32):
//
//     B5 62 | class u8 | id u8 | length u16 le | payload(length) | CK_A | CK_B
//
// Checksum: 8-bit Fletcher over class..payload. All payload integers are little-endian.

import { loadU16le, storeU16le } from '../bytes/endian'

export const UBX_SYNC_1: u32 = 0xb5
export const UBX_SYNC_2: u32 = 0x62
/** Bytes before the payload, and bytes around it. */
export const UBX_HEADER: u32 = 6
export const UBX_OVERHEAD: u32 = 8

/** Messages by `class << 8 | id`. */
export const enum Ubx {
  NavStatus = 0x0103,
  NavPvt = 0x0107,
  NavTimeUtc = 0x0121,
  NavTimeLs = 0x0126,
  AckNak = 0x0500,
  AckAck = 0x0501,
  CfgPrt = 0x0600,
  CfgMsg = 0x0601,
  CfgRate = 0x0608,
  CfgNav5 = 0x0624,
  CfgTp5 = 0x0631,
  CfgItfm = 0x0639,
  CfgValset = 0x068a,
  MonVer = 0x0a04,
  MonHw = 0x0a09,
  MonRf = 0x0a38,
  TimTp = 0x0d01,
}

/** The checksum over `length` bytes at `p`: `CK_A | CK_B << 8`. */
export function ubxChecksum(p: usize, length: u32): u32 {
  let a: u32 = 0
  let b: u32 = 0
  for (let i: u32 = 0; i < length; i++) {
    a += <u32>load<u8>(p + i)
    b += a
  }
  return (a & 0xff) | ((b & 0xff) << 8)
}

/** Puts header and checksum around a payload that already lies at `frame + UBX_HEADER`; returns the frame's length. */
export function ubxSeal(frame: usize, message: u32, payloadLength: u32): u32 {
  store<u8>(frame, UBX_SYNC_1)
  store<u8>(frame, UBX_SYNC_2, 1)
  store<u8>(frame, message >> 8, 2)
  store<u8>(frame, message, 3)
  storeU16le(frame + 4, payloadLength)
  storeU16le(frame + UBX_HEADER + payloadLength, ubxChecksum(frame + 2, payloadLength + 4))
  return payloadLength + UBX_OVERHEAD
}

/** `class << 8 | id` of the frame at `frame`. */
export function ubxMessage(frame: usize): u32 {
  return ((<u32>load<u8>(frame, 2)) << 8) | <u32>load<u8>(frame, 3)
}

/** Length of the payload as the header says. */
export function ubxPayloadLength(frame: usize): u32 {
  return loadU16le(frame + 4)
}
