// The Chips API in words: pins, attributes, an alarm, text. Each object belongs to one instance of a chip; nothing here
// allocates once chipInit has returned.

import {
  attrInit,
  attrRead,
  debugPrint,
  getSimNanos,
  pinInit,
  pinWatch,
  pinWrite,
  timerInit,
  timerStartNanos,
  timerStop,
} from './env'

export const INPUT: i32 = 0
export const OUTPUT: i32 = 1
export const INPUT_PULLUP: i32 = 2
export const OUTPUT_LOW: i32 = 16
export const OUTPUT_HIGH: i32 = 17
const BOTH: u32 = 3

/** Every ..._config of the API fits: at most 8 words and 8 reserved ones. */
const CONFIG_SIZE: i32 = 64

/** A zeroed configuration with `user` as its first word. The API may read it at any time: each call gets its own. */
export function config(user: usize): usize {
  const at = changetype<usize>(new StaticArray<u8>(CONFIG_SIZE))
  store<u32>(at, <u32>user)
  return at
}

export function pin(name: string, mode: i32): i32 {
  return pinInit(cString(name), mode)
}

/** Calls `change(user, pin, level)` at both edges. */
export function watch(pin: i32, user: usize, change: (user: usize, pin: i32, level: i32) => void): void {
  const at = config(user)
  store<u32>(at + 4, BOTH)
  store<u32>(at + 8, change.index)
  pinWatch(pin, at)
}

/** Supply pins, which a chip must have and does not use. */
export function supply(): void {
  pin('VCC', INPUT)
  pin('GND', INPUT)
}

export class Attribute {
  private id: i32

  constructor(name: string, value: u32) {
    this.id = attrInit(cString(name), value)
  }

  get value(): u32 {
    return attrRead(this.id)
  }

  get on(): bool {
    return attrRead(this.id) !== 0
  }
}

/** An output that is written only when it changes. */
export class Output {
  private pin: i32
  private level: i32

  constructor(name: string, level: i32) {
    this.pin = pin(name, level !== 0 ? OUTPUT_HIGH : OUTPUT_LOW)
    this.level = level
  }

  set(level: i32): void {
    if (level === this.level) return
    this.level = level
    pinWrite(this.pin, level)
  }
}

/** One timer that is set to an instant. */
export class Alarm {
  private timer: i32
  private at: f64 = Infinity

  constructor(user: usize, rings: (user: usize) => void) {
    const at = config(user)
    store<u32>(at + 4, rings.index)
    this.timer = timerInit(at)
  }

  /** Rings at `nanos`, or a nanosecond from now when that has passed; Infinity: not at all. */
  set(nanos: f64): void {
    if (nanos === this.at) return
    if (this.at !== Infinity) timerStop(this.timer)
    this.at = nanos
    if (nanos === Infinity) return
    const left = nanos - getSimNanos()
    timerStartNanos(this.timer, left > 1 ? left : 1, 0)
  }

  /** It has rung. */
  rang(): void {
    this.at = Infinity
  }
}

const LINE_SIZE: i32 = 200
const LINE: usize = memory.data(LINE_SIZE, 8)
let end: usize = 0

/** Appends to the line that `print` writes. */
export function text(literal: string): void {
  for (let i = 0; i < literal.length; i++) character(literal.charCodeAt(i))
}

export function number(value: i64): void {
  if (value < 0) character(0x2d)
  let rest: u64 = <u64>(value < 0 ? -value : value)
  let unit: u64 = 1
  while (rest / unit >= 10) unit *= 10
  for (; unit > 0; unit /= 10) {
    character(0x30 + <i32>(rest / unit))
    rest %= unit
  }
}

function character(code: i32): void {
  if (<i32>end < LINE_SIZE - 1) store<u8>(LINE + end++, <u8>code)
}

/** Writes the line to the chips' console. */
export function print(): void {
  store<u8>(LINE + end, 0)
  debugPrint(LINE)
  end = 0
}

function cString(literal: string): usize {
  return changetype<usize>(String.UTF8.encode(literal, true))
}
