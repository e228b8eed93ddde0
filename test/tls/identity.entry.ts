// The identity's step machine, for identity.test.ts. Every buffer has a guard of 64 bytes on both sides.

import { drbgSeed } from '../../firmware/crypto/drbg'
import {
  IDENTITY_SIZE,
  IDENTITY_STATE_SIZE,
  identityAuthorityCertificate,
  identityAuthorityCertificateLength,
  identityAuthorityKeyId,
  identityBlob,
  identityBlobLength,
  identityNamesDigest,
  identityNeedsRenewal,
  identityNotAfter,
  identityOutcome,
  identityRenewalTime,
  identityServerCertificate,
  identityServerCertificateLength,
  identityServerKey,
  identityStart,
  identityStep,
  identityWipe,
} from '../../firmware/tls/identity'

const GUARD: usize = 64
const STATE: usize = memory.data(<i32>(GUARD + IDENTITY_STATE_SIZE + GUARD), 8) + GUARD
const EXISTING: usize = memory.data(<i32>(GUARD + IDENTITY_SIZE + GUARD), 8) + GUARD
const NAMES: usize = memory.data(4096, 8)
const DIGEST: usize = memory.data(32, 8)

export function state(): usize {
  return STATE
}
export function stateSize(): usize {
  return IDENTITY_STATE_SIZE
}
export function existing(): usize {
  return EXISTING
}
export function blobSize(): usize {
  return IDENTITY_SIZE
}
export function names(): usize {
  return NAMES
}
export function seed(length: u32): void {
  drbgSeed(NAMES, length)
}
export function start(namesLength: u32, ip4: u32, now: i64, existingLength: u32): u32 {
  return identityStart(STATE, NAMES, namesLength, ip4, now, existingLength === 0 ? 0 : EXISTING, existingLength)
}
export function step(): bool {
  return identityStep(STATE)
}
export function outcome(): u32 {
  return identityOutcome(STATE)
}
export function blob(): usize {
  return identityBlob(STATE)
}
export function blobLength(at: usize): u32 {
  return identityBlobLength(at)
}
export function wipe(): void {
  identityWipe(STATE)
}
export function serverKey(at: usize): usize {
  return identityServerKey(at)
}
export function serverCertificate(at: usize): usize {
  return identityServerCertificate(at)
}
export function serverCertificateLength(at: usize): u32 {
  return identityServerCertificateLength(at)
}
export function authorityCertificate(at: usize): usize {
  return identityAuthorityCertificate(at)
}
export function authorityCertificateLength(at: usize): u32 {
  return identityAuthorityCertificateLength(at)
}
export function authorityKeyId(at: usize): usize {
  return identityAuthorityKeyId(at)
}
export function renewalTime(at: usize): i64 {
  return identityRenewalTime(at)
}
export function notAfter(at: usize): i64 {
  return identityNotAfter(at)
}
export function needsRenewal(at: usize, now: i64, namesLength: u32, ip4: u32): i32 {
  if (!identityNamesDigest(NAMES, namesLength, ip4, DIGEST)) return -1
  return identityNeedsRenewal(at, now, DIGEST) ? 1 : 0
}
