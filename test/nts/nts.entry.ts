// The NTS room, for the tests beside this file.

import { drbgSeed } from '../../firmware/crypto/drbg'
import { COOKIE_KEYS_SIZE, CookieKeys, cookieC2s, cookieOpen, cookieS2c, cookieSeal } from '../../firmware/nts/cookie'
import {
  KE_RESPONSE_MAX,
  KeDirection,
  KeRequest,
  keKeyLength,
  keNeedsExport,
  keParse,
  keRefuse,
  keRespond,
  keRespondStart,
  keRespondStep,
  keResponseLength,
  putExporterContext,
  putExporterLabel,
} from '../../firmware/nts/ke_server'
import {
  KEYRING_SIZE,
  keyringBlob,
  keyringCreate,
  keyringCurrent,
  keyringLoad,
  keyringRotate,
  keyringSince,
} from '../../firmware/nts/keyring'
import { KeError } from '../../firmware/nts/record'

export { keyringBlob, keyringCreate, keyringCurrent, keyringRotate, keyringSince }

/** What goes in: requests, cookies, blobs, entropy. With a guard on both sides. */
const INPUT: usize = memory.data(8192, 8) + 64
const OUTPUT: usize = memory.data(4096, 8) + 64
const C2S: usize = memory.data(32, 8)
const S2C: usize = memory.data(32, 8)
/** With 1024 bytes behind it that nobody may touch. */
const KEYS = changetype<CookieKeys>(memory.data(<i32>COOKIE_KEYS_SIZE + 1024, 8))
const REQUEST = changetype<KeRequest>(memory.data(offsetof<KeRequest>(), 8))

export function input(): usize {
  return INPUT
}
export function output(): usize {
  return OUTPUT
}
export function c2s(): usize {
  return C2S
}
export function s2c(): usize {
  return S2C
}
export function seed(length: u32): void {
  drbgSeed(INPUT, length)
}

export function ringSize(): u32 {
  return KEYRING_SIZE
}
export function ringLoad(length: u32): bool {
  return keyringLoad(INPUT, length)
}

/** Seals the keys at C2S and S2C to OUTPUT. */
export function sealCookie(aead: u32): u32 {
  return cookieSeal(aead, C2S, S2C, OUTPUT)
}
/** Opens INPUT; the keys go back to C2S and S2C, the AEAD is returned, 0 for a bad cookie. */
export function openCookie(length: u32): u32 {
  if (!cookieOpen(INPUT, length, KEYS)) return 0
  memory.copy(C2S, cookieC2s(KEYS), KEYS.keyLength)
  memory.copy(S2C, cookieS2c(KEYS), KEYS.keyLength)
  return KEYS.aead
}

/** Bytes behind the opened keys that were written to since the last call. */
export function spilt(): u32 {
  let count: u32 = 0
  const end = changetype<usize>(KEYS) + COOKIE_KEYS_SIZE
  for (let i: usize = 0; i < 1024; i++) {
    if (load<u8>(end + i) !== 0xa5) count += 1
    store<u8>(end + i, 0xa5)
  }
  return count
}

export function parse(length: u32): u32 {
  return keParse(INPUT, length, REQUEST)
}
export function refuse(error: u32): void {
  keRefuse(REQUEST, <KeError>error)
}
export function error(): i32 {
  return REQUEST.error
}
export function needsExport(): bool {
  return keNeedsExport(REQUEST)
}
export function keyLength(): u32 {
  return keKeyLength(REQUEST)
}
/** Label and context at OUTPUT; returns their length. */
export function exporter(direction: u32): usize {
  return putExporterContext(putExporterLabel(OUTPUT), REQUEST, <KeDirection>direction) - OUTPUT
}
export function responseMax(): u32 {
  return KE_RESPONSE_MAX
}
export function respond(port: u32, capacity: u32): u32 {
  return keRespond(REQUEST, C2S, S2C, port, OUTPUT, capacity)
}
/** The same in steps; returns their number, and leaves the length to `responseLength`. */
export function respondInSteps(port: u32): u32 {
  keRespondStart(REQUEST, C2S, S2C, port, OUTPUT, KE_RESPONSE_MAX)
  let steps: u32 = 1
  while (!keRespondStep(REQUEST)) steps += 1
  return steps
}
export function responseLength(): u32 {
  return keResponseLength(REQUEST)
}
