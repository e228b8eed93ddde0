// The board's own settings as `board_config` of hal/abi.ts gives them: addresses, ports, names, calibration. The options, which
// are text, are read by board_options.ts.
//
// Read once at boot. A board that gives nonsense (too short, another layout, names past the end) gets the defaults of the
// protocols: it is better to serve on the well-known ports than not at all.

import { board_config } from '../../hal/abi'
import { loadU16le, loadU32be } from '../bytes/endian'

/**
 * Layout: `mac(6) | ntp u16 | ke u16 | address(4) | mask(4) | gateway(4) | layout u8 | 0 u8 | names length u16 |
 * options length u16 | calibration: 9 times i32 | names | options`.
 */
const FIXED: u32 = 64
const LAYOUT: u32 = 1
const NAMES_MAX: u32 = 228
/** Bytes of options at most. */
export const OPTIONS_MAX: u32 = 1024
const IMAGE: usize = memory.data(64 + 228 + 1024, 8)

const NTP_PORT: u32 = 123
const NTS_KE_PORT: u32 = 4460

/** Constants of the board, picoseconds: `hal/abi.ts` says what each is. */
export const enum Calibration {
  PulseDelay = 28,
  PulseResidual = 32,
  ArrivalDelay = 36,
  FrameToInt = 40,
  SendToFrame = 44,
  PlainReply = 48,
  SealedReply = 52,
  WireResidual = 56,
  EndToInt = 60,
}

let imageLength: u32 = 0

/** Reads the settings. False when the board has none. */
export function settingsRead(): bool {
  imageLength = board_config(IMAGE, FIXED + NAMES_MAX + OPTIONS_MAX)
  if (imageLength > FIXED + NAMES_MAX + OPTIONS_MAX || <u32>load<u8>(IMAGE, 22) !== LAYOUT) imageLength = 0
  return imageLength >= FIXED
}

/** Address of the six bytes of the MAC. */
export function settingsMac(): usize {
  return IMAGE
}

/** UDP port of NTP. */
export function settingsNtpPort(): u32 {
  return portAt(6, NTP_PORT)
}

/** TCP port of NTS key establishment (RFC 8915, section 7.1). */
export function settingsKePort(): u32 {
  return portAt(8, NTS_KE_PORT)
}

/** IPv4 address in host order; 0: none. */
export function settingsAddress(): u32 {
  return addressAt(10)
}

export function settingsMask(): u32 {
  return addressAt(14)
}

export function settingsGateway(): u32 {
  return addressAt(18)
}

/** A constant of this board, picoseconds; 0 when the board has no settings. */
export function settingsCalibration(which: Calibration): i32 {
  return imageLength >= FIXED ? load<i32>(IMAGE + <usize>which) : 0
}

/** ASCII names separated by NUL, the device's own first. */
export function settingsNames(): usize {
  return IMAGE + FIXED
}

export function settingsNamesLength(): u32 {
  if (imageLength < FIXED) return 0
  return min(loadU16le(IMAGE + 24), imageLength - FIXED)
}

/** ASCII lines `key=value` separated by NUL. */
export function settingsOptions(): usize {
  return settingsNames() + settingsNamesLength()
}

export function settingsOptionsLength(): u32 {
  if (imageLength < FIXED) return 0
  const present = imageLength - FIXED - settingsNamesLength()
  return min(min(loadU16le(IMAGE + 26), present), OPTIONS_MAX)
}

function portAt(offset: usize, otherwise: u32): u32 {
  const port = imageLength >= FIXED ? loadU16le(IMAGE + offset) : 0
  return port === 0 ? otherwise : port
}

function addressAt(offset: usize): u32 {
  return imageLength >= FIXED ? loadU32be(IMAGE + offset) : 0
}
