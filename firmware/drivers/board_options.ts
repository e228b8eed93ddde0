// The board's options: lines `key=value`, separated by NUL, in the board's settings (`noonmark up --option`, "options" in
// boards/*.json). What the keys mean is their readers' affair; this file finds them.
//
//   in    the settings (board_settings.ts), a key; out: the value's text, its words, numbers
//
// A key may be there several times (`server=`): they are counted from 0. Every reader asks for its keys during boot(). A line
// that has no key, that nobody asked for, or whose value its reader refuses, does nothing; `optionFault` names them
// afterwards, for the console.

import { equalsAscii } from '../bytes/ascii'
import { settingsOptions, settingsOptionsLength } from './board_settings'

/** Lines that are read; a board has a dozen. */
const LINES: u32 = 64

const enum Line {
  Unasked = 0,
  Asked = 1,
  Refused = 2,
}

const LINE_STATES: usize = memory.data(64, 8)

/** The line that was found: its number and its value. */
let foundLine: u32 = 64
let value: usize = 0
let valueLength: u32 = 0
/** The word that was found. */
let word: usize = 0
let wordLength: u32 = 0
/** The line that a search has come to. */
let line: usize = 0
let lineLength: u32 = 0

/** Finds line `index` of those with this key; then the functions below tell of its value. False: no such line. */
export function optionFind(key: string, index: u32 = 0): bool {
  const end = settingsOptions() + settingsOptionsLength()
  lineFirst(end)
  for (let n: u32 = 0; n < LINES && line < end; n++) {
    const keyLength = keyLengthOf(line, lineLength)
    if (keyLength !== 0 && equalsAscii(line, keyLength, key)) {
      if (index === 0) return found(n, keyLength)
      index--
    }
    lineNext(end)
  }
  foundLine = LINES
  valueLength = 0
  return false
}

/** How many lines have this key. */
export function optionCount(key: string): u32 {
  let count: u32 = 0
  while (optionFind(key, count)) count++
  return count
}

/** The found value: ASCII, not ended by NUL. */
export function optionText(): usize {
  return value
}

export function optionLength(): u32 {
  return valueLength
}

/** The found value is exactly this. */
export function optionIs(literal: string): bool {
  return equalsAscii(value, valueLength, literal)
}

/** The found value's reader cannot use it: it shall be named on the console. */
export function optionRefuse(): void {
  if (foundLine < LINES) store<u8>(LINE_STATES + foundLine, Line.Refused)
}

/** `key=on` or `key=off`; without the line, or with another value, `otherwise`. */
export function optionSwitch(key: string, otherwise: bool): bool {
  if (!optionFind(key)) return otherwise
  if (optionIs('on')) return true
  if (optionIs('off')) return false
  optionRefuse()
  return otherwise
}

/** `key=NUMBER`, decimal; without the line, or with a value outside of `least` to `most`, `otherwise`. */
export function optionNumber(key: string, least: u32, most: u32, otherwise: u32): u32 {
  if (!optionFind(key)) return otherwise
  const number = decimal(value, valueLength)
  if (number >= <i64>least && number <= <i64>most) return <u32>number
  optionRefuse()
  return otherwise
}

/** Finds word `index` (from 0) of the found value: words are parted by blanks. False: it has fewer. */
export function optionWord(index: u32): bool {
  word = value
  wordLength = 0
  do {
    wordTake(word + wordLength)
  } while (wordLength !== 0 && index-- !== 0)
  return wordLength !== 0
}

export function optionWordText(): usize {
  return word
}

export function optionWordLength(): u32 {
  return wordLength
}

/** The found word is exactly this. */
export function optionWordIs(literal: string): bool {
  return equalsAscii(word, wordLength, literal)
}

/** The found word as a decimal number; -1 when it is none, or above 2^32 - 1. */
export function optionWordNumber(): i64 {
  return decimal(word, wordLength)
}

/** The found word as a dotted IPv4 address, in host order; 0 when it is none. */
export function optionWordAddress(): u32 {
  let address: u32 = 0
  let p = word
  for (let part: u32 = 0; part < 4; part++) {
    const begin = p
    while (p < word + wordLength && load<u8>(p) !== DOT) p++
    const number = decimal(begin, <u32>(p - begin))
    const more: bool = p < word + wordLength
    if (number < 0 || number > 255 || more !== part < 3) return 0
    address = (address << 8) | <u32>number
    p++
  }
  return address
}

/** Line `index` of those that did nothing: `optionText` is then the whole line. False: there are no more. */
export function optionFault(index: u32): bool {
  const end = settingsOptions() + settingsOptionsLength()
  lineFirst(end)
  for (let n: u32 = 0; line < end; n++) {
    if (n >= LINES || load<u8>(LINE_STATES + n) !== Line.Asked) {
      if (index === 0) {
        foundLine = LINES
        value = line
        valueLength = lineLength
        return true
      }
      index--
    }
    lineNext(end)
  }
  return false
}

const BLANK: u8 = 0x20
const DOT: u8 = 0x2e

function found(n: u32, keyLength: u32): bool {
  foundLine = n
  value = line + keyLength + 1
  valueLength = lineLength - keyLength - 1
  if (load<u8>(LINE_STATES + n) === Line.Unasked) store<u8>(LINE_STATES + n, Line.Asked)
  return true
}

/** Takes the first word at `p` or after it. */
function wordTake(p: usize): void {
  const end = value + valueLength
  while (p < end && load<u8>(p) === BLANK) p++
  word = p
  wordLength = lengthUntil(p, end, BLANK)
}

function lineFirst(end: usize): void {
  line = settingsOptions()
  lineLength = lengthUntil(line, end, 0)
}

/** Past the line and its NUL. */
function lineNext(end: usize): void {
  line += lineLength + 1
  lineLength = line < end ? lengthUntil(line, end, 0) : 0
}

/** Bytes before the `=`; 0 when the line has none. */
function keyLengthOf(p: usize, length: u32): u32 {
  const key = lengthUntil(p, p + length, 0x3d)
  return key < length ? key : 0
}

/** Bytes before the first `stop`, or all. */
function lengthUntil(p: usize, end: usize, stop: u8): u32 {
  let length: u32 = 0
  while (p + length < end && load<u8>(p + length) !== stop) length++
  return length
}

/** -1 when it is no decimal number of at most ten digits, or above 2^32 - 1. */
function decimal(p: usize, length: u32): i64 {
  if (length === 0 || length > 10) return -1
  let number: i64 = 0
  for (let i: u32 = 0; i < length; i++) {
    const digit = <i64>load<u8>(p + i) - 0x30
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return number > 0xffff_ffff ? -1 : number
}
