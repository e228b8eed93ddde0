// The NTS-KE client, with memory for a test to work in.

import { drbgSeed } from '../../firmware/crypto/drbg'
import { ANSWER_SIZE, answerStart, answerTake } from '../../firmware/nts/ke_answer'
import {
  KE_CLIENT_SIZE,
  KE_SETTINGS_SIZE,
  KeAnswer,
  KeSettings,
  keClientAnswer,
  keClientStart,
  putKeFailure,
} from '../../firmware/nts/ke_client'
import { TRUST_SIZE, Trust } from '../../firmware/tls/x509'

export {
  keClientEnd,
  keClientFailure,
  keClientForget,
  keClientOutput,
  keClientOutputLength,
  keClientPhase,
  keClientReceive,
  keClientSent,
  keClientStep,
  keClientVerdict,
} from '../../firmware/nts/ke_client'
export { drbgSeed, KE_CLIENT_SIZE }

export const DATA: usize = memory.data(32768, 8)
export const OUT: usize = memory.data(256, 8)
const NAME: usize = memory.data(512, 8)
const TRUST = changetype<Trust>(memory.data(<i32>TRUST_SIZE, 8))
export const CONNECTION: usize = memory.data(<i32>KE_CLIENT_SIZE, 8)
const SETTINGS = changetype<KeSettings>(memory.data(<i32>KE_SETTINGS_SIZE, 8))

export function data(): usize {
  return DATA
}
export function seed(length: u32): void {
  drbgSeed(DATA, length)
}

/** The name lies at DATA; POSIX seconds as numbers, so that a caller without 64-bit arguments can give them. */
export function start(nameLength: u32, earliest: u32, latest: u32, dates: u32, offer: u32): bool {
  memory.copy(NAME, DATA, nameLength)
  TRUST.name = NAME
  TRUST.nameLength = nameLength
  TRUST.earliest = <i64>earliest
  TRUST.latest = <i64>latest
  SETTINGS.trust = changetype<usize>(TRUST)
  SETTINGS.dates = dates
  SETTINGS.offer = offer
  return keClientStart(SETTINGS, CONNECTION)
}

/** A failure in words at OUT; returns its length. */
export function words(failure: u32): u32 {
  return <u32>(putKeFailure(OUT, failure) - OUT)
}

// The answer: of the exchange, or of the reader alone ----------------------------------------------------------------

const READER = changetype<KeAnswer>(memory.data(<i32>ANSWER_SIZE + 64, 8))

export function startReader(sivOnly: bool): void {
  memory.fill(changetype<usize>(READER), 0xa5, ANSWER_SIZE + 64)
  answerStart(READER, sivOnly)
}
export function read(offset: u32, length: u32): u32 {
  return answerTake(READER, DATA + offset, length)
}
export function spilt(): bool {
  const end = changetype<usize>(READER) + ANSWER_SIZE
  for (let i: usize = 0; i < 64; i++) if (load<u8>(end + i) !== 0xa5) return true
  return false
}
export function reader(): usize {
  return changetype<usize>(READER)
}
export function answer(): usize {
  return changetype<usize>(keClientAnswer())
}
export function notBefore(at: usize): i64 {
  return changetype<KeAnswer>(at).notBefore
}
export function notAfter(at: usize): i64 {
  return changetype<KeAnswer>(at).notAfter
}
export function ended(at: usize): bool {
  return changetype<KeAnswer>(at).ended !== 0
}
export function aead(at: usize): u32 {
  return changetype<KeAnswer>(at).aead
}
export function keyLength(at: usize): u32 {
  return changetype<KeAnswer>(at).keyLength
}
export function port(at: usize): u32 {
  return changetype<KeAnswer>(at).port
}
export function serverLength(at: usize): u32 {
  return changetype<KeAnswer>(at).serverLength
}
export function cookieCount(at: usize): u32 {
  return changetype<KeAnswer>(at).cookieCount
}
export function cookieLength(at: usize): u32 {
  return changetype<KeAnswer>(at).cookieLength
}
export function server(at: usize): usize {
  return changetype<KeAnswer>(at).server
}
export function cookies(at: usize): usize {
  return changetype<KeAnswer>(at).cookies
}
export function c2s(at: usize): usize {
  return changetype<KeAnswer>(at).c2s
}
export function s2c(at: usize): usize {
  return changetype<KeAnswer>(at).s2c
}
