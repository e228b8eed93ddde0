// The board's own settings as `board_config` of hal/abi.ts gives them: addresses, ports, names.
//
// Read once at boot. A board that gives nonsense (too short, names past the end) gets the defaults of the protocols:
// it is better to serve on the well-known ports than not at all.

import { board_config } from '../../hal/abi'
import { loadU16le, loadU32be } from '../bytes/endian'

/** Layout: `mac(6) | ntp u16 | ke u16 | address(4) | mask(4) | gateway(4) | 0(2) | names length u16 | 0(2) | names`. */
const FIXED: u32 = 28
const NAMES_MAX: u32 = 228
const IMAGE: usize = memory.data(256, 8)

const NTP_PORT: u32 = 123
const NTS_KE_PORT: u32 = 4460

let imageLength: u32 = 0

/** Reads the settings. False when the board has none. */
export function settingsRead(): bool {
  imageLength = board_config(IMAGE, FIXED + NAMES_MAX)
  if (imageLength > FIXED + NAMES_MAX) imageLength = FIXED + NAMES_MAX
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

/** ASCII names separated by NUL, the device's own first. */
export function settingsNames(): usize {
  return IMAGE + FIXED
}

export function settingsNamesLength(): u32 {
  if (imageLength < FIXED) return 0
  const told = loadU16le(IMAGE + 24)
  const present = imageLength - FIXED
  return min(told, present)
}

function portAt(offset: usize, otherwise: u32): u32 {
  const port = imageLength >= FIXED ? loadU16le(IMAGE + offset) : 0
  return port === 0 ? otherwise : port
}

function addressAt(offset: usize): u32 {
  return imageLength >= FIXED ? loadU32be(IMAGE + offset) : 0
}
