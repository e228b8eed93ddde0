// The option `server=NAME [nts] [port P] [ntsport P] [minpoll N] [maxpoll N] [iburst] [ca=LABEL] [pin=HEX]`. The
// words are chrony's where chrony has them.
//
//   in    the number of the line; out: what it says. A line with a word that is not known is refused as a whole: a
//         misspelt `nts` must not become a server without authentication.
//
// `ca=` and `pin=` are what a certificate is held against: anchors stored under a label, or the SHA-256 of the server's key.

import { equalsAscii } from '../bytes/ascii'
import {
  optionFind,
  optionLength,
  optionRefuse,
  optionText,
  optionWord,
  optionWordIs,
  optionWordLength,
  optionWordNumber,
  optionWordText,
} from '../drivers/board_options'
import { crc32 } from '../drivers/flash_log'
import { POLL_CEILING, POLL_FLOOR, POLL_LEAST, POLL_MOST } from '../ntp/poll_interval'
import { DNS_NAME_MAX } from './dns'

/** What a line says; 64 bytes and more, 8-aligned. Addresses point into the settings and stay. */
@unmanaged
export class ServerOption {
  name: usize
  nameLength: u32
  nts: u32
  /** UDP port of plain NTP; TCP port of key establishment. */
  port: u32
  kePort: u32
  least: i32
  most: i32
  /** Tells one line from another. */
  tag: u32
  /** Label of the anchors; length 0: the system's. */
  ca: usize
  caLength: u32
  /** 1: `serverPin` has the key's hash. */
  pinned: u32
}

const OPTION = changetype<ServerOption>(memory.data(64, 8))
const PIN: usize = memory.data(32, 8)
const PIN_LENGTH: u32 = 32
const NTP_PORT: u32 = 123
const KE_PORT: u32 = 4460

/** Reads line `index`; address 0 when there is none or it is refused. Valid until the next call. */
export function serverOption(index: u32): ServerOption {
  if (!optionFind('server', index)) return changetype<ServerOption>(0)
  OPTION.nts = 0
  OPTION.port = NTP_PORT
  OPTION.kePort = KE_PORT
  OPTION.least = POLL_LEAST
  OPTION.most = POLL_MOST
  OPTION.caLength = 0
  OPTION.pinned = 0
  OPTION.tag = crc32(optionText(), optionLength(), 0)
  if (readName() && readWords()) return OPTION
  optionRefuse()
  return changetype<ServerOption>(0)
}

/** SHA-256 of the server's public key, when `pinned`. */
export function serverPin(): usize {
  return PIN
}

/** Lines `server=`, refused ones included. */
export function serverLines(): u32 {
  let lines: u32 = 0
  while (optionFind('server', lines)) lines++
  return lines
}

function readName(): bool {
  if (!optionWord(0) || optionWordLength() > DNS_NAME_MAX) return false
  OPTION.name = optionWordText()
  OPTION.nameLength = optionWordLength()
  return true
}

function readWords(): bool {
  for (let i: u32 = 1; optionWord(i); i++) {
    if (optionWordIs('nts')) OPTION.nts = 1
    else if (wordBegins('ca=', 3)) {
      OPTION.ca = optionWordText() + 3
      OPTION.caLength = optionWordLength() - 3
    } else if (wordBegins('pin=', 4)) {
      if (!readPin(optionWordText() + 4, optionWordLength() - 4)) return false
    } else if (!optionWordIs('iburst')) {
      // A word whose value is the next word.
      const word = keyword()
      i++
      if (word === 0 || !optionWord(i) || !takeValue(word)) return false
    }
  }
  return OPTION.most >= OPTION.least
}

/** The found word's number among those with a value; 0: not known. */
function keyword(): u32 {
  if (optionWordIs('port')) return 1
  if (optionWordIs('ntsport')) return 2
  if (optionWordIs('minpoll')) return 3
  return optionWordIs('maxpoll') ? 4 : 0
}

function takeValue(word: u32): bool {
  const number = optionWordNumber()
  if (word <= 2) {
    if (number < 1 || number > 0xffff) return false
    if (word === 1) OPTION.port = <u32>number
    else OPTION.kePort = <u32>number
  } else {
    if (number < <i64>POLL_FLOOR || number > <i64>POLL_CEILING) return false
    if (word === 3) {
      OPTION.least = <i32>number
      if (OPTION.most < OPTION.least) OPTION.most = OPTION.least
    } else OPTION.most = <i32>number
  }
  return true
}

/** The found word begins with these characters and goes on. */
function wordBegins(literal: string, length: u32): bool {
  return optionWordLength() > length && equalsAscii(optionWordText(), length, literal)
}

function readPin(text: usize, length: u32): bool {
  if (length !== 2 * PIN_LENGTH) return false
  for (let i: u32 = 0; i < PIN_LENGTH; i++) {
    const high = nibble(load<u8>(text + 2 * i))
    const low = nibble(load<u8>(text + 2 * i + 1))
    if (high > 15 || low > 15) return false
    store<u8>(PIN + i, <u8>((high << 4) | low))
  }
  OPTION.pinned = 1
  return true
}

function nibble(character: u8): u32 {
  const c = <u32>character
  if (c >= 0x30 && c <= 0x39) return c - 0x30
  if (c >= 0x61 && c <= 0x66) return c - 0x57
  return c >= 0x41 && c <= 0x46 ? c - 0x37 : 16
}
