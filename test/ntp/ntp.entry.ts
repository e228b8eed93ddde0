// The NTP server with its NTS side, for the tests beside this file.

import { drbgSeed } from '../../firmware/crypto/drbg'
import { ntpCounter, ntpNoted } from '../../firmware/ntp/counters'
import { interleavedDeparted } from '../../firmware/ntp/interleaved'
import { ntpLearnTransmitDelay, ntpServe, ntpSetPeer } from '../../firmware/ntp/server'
import { cookieSeal } from '../../firmware/nts/cookie'
import { keyringCreate, keyringRotate } from '../../firmware/nts/keyring'
import { Instant } from '../../firmware/time/instant'

export { keyringCreate, keyringRotate, ntpCounter, ntpLearnTransmitDelay, ntpNoted, ntpSetPeer }

const REQUEST: usize = memory.data(4096, 8)
const REPLY: usize = memory.data(4096, 8)
const KEYS: usize = memory.data(64, 8)
const COOKIE: usize = memory.data(128, 8)
const T2 = changetype<Instant>(memory.data(16, 8))

export function request(): usize {
  return REQUEST
}
export function reply(): usize {
  return REPLY
}
export function keys(): usize {
  return KEYS
}
export function cookie(): usize {
  return COOKIE
}
export function seed(length: u32): void {
  drbgSeed(REQUEST, length)
}
export function setReceiveTime(seconds: i64, fraction: u32): void {
  T2.seconds = seconds
  T2.fraction = fraction
}
/** The last reply left at this time. */
export function departed(seconds: i64, fraction: u32): void {
  T2.seconds = seconds
  T2.fraction = fraction
  interleavedDeparted(T2)
}
/** Serves the request of `length` bytes that lies `offset` bytes after REQUEST; the reply goes to REPLY + offset. */
export function serve(length: u32, capacity: u32, offset: u32): u32 {
  return ntpServe(REQUEST + offset, length, T2, REPLY + offset, capacity)
}
/** Seals the keys at KEYS (C2S, then S2C) to COOKIE. */
export function sealCookie(aead: u32, keyLength: u32): u32 {
  return cookieSeal(aead, KEYS, KEYS + keyLength, COOKIE)
}
/** Serves the same request `times` times: what a benchmark measures. Copies it first, since serving may change it. */
export function serveRepeatedly(length: u32, times: u32): u32 {
  let served: u32 = 0
  for (let i: u32 = 0; i < times; i++) {
    memory.copy(REQUEST, REQUEST + 2048, length)
    if (ntpServe(REQUEST, length, T2, REPLY, 2048) !== 0) served += 1
  }
  return served
}
