// A small firmware for the machine's tests: receiver, clock, RTC and flash log, and a console of single letters:
// `e` echoes, `t` traps, `r` resets, `h` hangs, `d` stops feeding the watchdog, `f` writes to the flash, `o` reads outside.

import {
  board_config,
  Channel,
  capture,
  console_read,
  console_write,
  entropy,
  flash_read,
  flash_size,
  flash_write,
  reset,
  TICK_HZ,
  ticks,
  uart_read,
  watchdog,
} from '../../hal/abi'

export {
  clockAccepted,
  clockErrorNanos,
  clockPrecision,
  clockRejected,
  clockState,
  clockSteps,
  clockStratum,
} from '../../firmware/clock/clock'

import { clockInit, clockNow, clockPoll, clockPulse } from '../../firmware/clock/clock'
import { restoreInit, restorePoll } from '../../firmware/clock/restore'
import { rtcSyncInit, rtcSyncPoll } from '../../firmware/clock/rtc_sync'

export { rtcSyncSettings } from '../../firmware/clock/rtc_sync'
export { rtcMarkedAt, rtcTemperature } from '../../firmware/drivers/ds3231'

import { ubloxInit, ubloxPoll } from '../../firmware/drivers/ublox'
import { receiverBytes, receiverInit, receiverLabel, receiverPoll, receiverPulse } from '../../firmware/gnss/receiver'
import { Instant } from '../../firmware/time/instant'

const CAPTURE: usize = memory.data(16, 8)
const BYTES: usize = memory.data(256, 8)
const INSTANT: Instant = changetype<Instant>(memory.data(16, 8))

let pulses: u32 = 0
let fed: bool = true
let ubloxDue: u64 = 0

export function boot(): void {
  clockInit()
  store<u32>(BYTES, restoreInit())
  rtcSyncInit()
  receiverInit()
  ubloxInit(ticks())
  store<u32>(BYTES, 0x0a42)
  console_write(BYTES, 2)
}

export function poll(): u64 {
  const now = ticks()
  if (fed) watchdog()
  takePulse(now)
  for (let n = uart_read(BYTES, 256); n !== 0; n = uart_read(BYTES, 256)) {
    receiverBytes(BYTES, n, now)
    ubloxDue = now
  }
  if (now >= ubloxDue) ubloxDue = ubloxPoll(now)
  if (receiverPoll(now)) clockPulse(receiverLabel(), now)
  let due = clockPoll(now)
  const restore = restorePoll(now)
  if (restore < due) due = restore
  const rtc = rtcSyncPoll(now)
  if (rtc < due) due = rtc
  if (ubloxDue < due) due = ubloxDue
  if (console_read(BYTES, 1) !== 0) command(load<u8>(BYTES))
  return due
}

function takePulse(now: u64): void {
  capture(Channel.Pps, CAPTURE)
  if (load<u32>(CAPTURE) === pulses) return
  pulses = load<u32>(CAPTURE)
  receiverPulse(load<u64>(CAPTURE, 8), now)
}

function command(letter: u8): void {
  if (letter === 0x65) console_write(BYTES, 1)
  if (letter === 0x74) unreachable()
  if (letter === 0x72) reset(77)
  if (letter === 0x64) fed = false
  if (letter === 0x66) flash_write(4096, BYTES, 1)
  if (letter === 0x6f) console_write(0xffff_0000, 100)
  while (letter === 0x68) ticks()
}

/** Reads the clock at a tick. */
export function now(at: u64): void {
  clockNow(INSTANT, at)
}
export function seconds(): i64 {
  return INSTANT.seconds
}
export function fraction(): u32 {
  return INSTANT.fraction
}

/** The settings at `buffer()`; returns their length. */
export function settings(): u32 {
  return board_config(BYTES, 256)
}
export function buffer(): usize {
  return BYTES
}
export function random(): u64 {
  entropy(BYTES, 8)
  return load<u64>(BYTES)
}
export function flashByte(): u32 {
  flash_read(4096, BYTES, 1)
  return load<u8>(BYTES)
}
/** First byte of what lies behind the flash's log; -3 where there is nothing. */
export function byteBehindFlash(at: u32): i32 {
  const status = flash_read(flash_size() + at, BYTES, 1)
  return status === 0 ? <i32>load<u8>(BYTES) : status
}
export const SECOND: u32 = TICK_HZ
