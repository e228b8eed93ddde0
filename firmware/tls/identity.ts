// The device's identity: a certificate authority of its own, and the server certificate that it signs for the names
// and the address under which clients reach the device. Both are ECDSA P-256 (RFC 5480); profiles in x509_write.ts.
//
// In: names, address, now, random bytes (crypto/drbg), and the blob that an earlier run left in flash. Out: a blob to
// keep in flash. An administrator installs the authority's certificate once; so the authority's key is kept for as long as the blob
// lives, and only the server's key and certificate are made anew: at two thirds of their life, when the names change, or
// when the clock shows that they were made in the future. The authority's own certificate is reissued by the same rule
// with the same key and name, so that a client which still holds the old one goes on working.
//
// It is a step machine: no step does more than one step of a point multiplication or signature, or hashes
// more than `HASH_SLICE` bytes. The blob holds private keys in clear; protecting the flash is the board's affair.

import { wipe } from '../crypto/constant_time'
import { drbgGenerate, drbgSeeded } from '../crypto/drbg'
import {
  ECDSA_P256_SIGN_SIZE,
  ecdsaSignatureToDer,
  ecdsaSignFinish,
  ecdsaSignStart,
  ecdsaSignStep,
} from '../crypto/ecdsa_p256'
import { HASH_CONTEXT_SIZE, Hash, hash, hashFinal, hashInit, hashUpdate } from '../crypto/hash'
import { p256MulFinish, p256MulStart, p256MulStep } from '../crypto/p256'
import { ALTERNATIVE_NAMES_MAX, encodeAlternativeNames } from './alternative_names'
import { DER_WRITER_SIZE, DerWriter, derInit, derLength } from './der'
import {
  CERTIFICATE_FIELDS_SIZE,
  CertificateFields,
  COMMON_NAME_MAX,
  KEY_ID_SIZE,
  POINT_SIZE,
  Profile,
  SERIAL_SIZE,
  x509BeginCertificate,
  x509EndCertificate,
  x509WriteTbs,
} from './x509_write'

const DAY: i64 = 86_400

/** Life of the authority's certificate: 30 years. */
export const AUTHORITY_LIFE: i64 = 10_957 * DAY
/** Life of the server's certificate: one year. */
export const SERVER_LIFE: i64 = 365 * DAY
/** How far before its making a certificate begins: for clients whose clocks are behind. */
export const BACKDATE: i64 = DAY
/** No time before 2020-01-01 is believed: this firmware did not exist. */
export const EARLIEST_TIME: i64 = 1_577_836_800
/** Nor one whose certificates would outlive the year 9999 (RFC 5280, section 4.1.2.5). */
export const LATEST_TIME: i64 = 253_402_300_799 - AUTHORITY_LIFE

export const enum IdentityStatus {
  Ok = 0,
  /** No usable name and no address. */
  NoNames = 1,
  /** The names take more than `ALTERNATIVE_NAMES_MAX` bytes. */
  TooManyNames = 2,
  /** `now` cannot be true. */
  BadTime = 3,
  /** The random generator has not been seeded. */
  NoEntropy = 4,
}

/** What the step machine found or did. */
export const enum IdentityOutcome {
  /** Not finished. */
  Working = 0,
  /** The existing blob is good as it is. */
  Kept = 1,
  /** A new server certificate; the authority's certificate is unchanged. */
  Renewed = 2,
  /** The same authority key, but both certificates are new. */
  Reissued = 3,
  /** Everything is new: there was no blob, or it was damaged. */
  Created = 4,
  /** An internal limit was met; nothing usable was made. */
  Failed = 5,
}

// The blob, little-endian, 8-aligned:
//
//   magic u32 | version u32 | length u32 | authority length u32 | server length u32 | zero u32
//   | authority notBefore i64, notAfter i64 | server notBefore i64, notAfter i64
//   | names digest(32) | authority key(32) | server key(32) | authority key identifier(20) | zero(4)
//   | authority point(65) | zero(7) | authority certificate | server certificate | SHA-256 of all before(32)

@unmanaged
class Blob {
  magic: u32
  version: u32
  /** Bytes of the whole blob, digest included. */
  length: u32
  authorityLength: u32
  serverLength: u32
  zero: u32
  authorityNotBefore: i64
  authorityNotAfter: i64
  serverNotBefore: i64
  serverNotAfter: i64
}

/** 'NMID' */
const MAGIC: u32 = 0x4449_4d4e
const VERSION: u32 = 1

const DIGEST_SIZE: usize = 32
const KEY_SIZE: usize = 32

const NAMES_DIGEST: usize = offsetof<Blob>()
const AUTHORITY_KEY: usize = NAMES_DIGEST + DIGEST_SIZE
const SERVER_KEY: usize = AUTHORITY_KEY + KEY_SIZE
const AUTHORITY_KEY_ID: usize = SERVER_KEY + KEY_SIZE
const AUTHORITY_POINT: usize = AUTHORITY_KEY_ID + 24
const CERTIFICATES: usize = AUTHORITY_POINT + 72

/** Room for an authority's certificate: 390 bytes with the longest dates and signature. */
const AUTHORITY_MAX: usize = 448
/** Room for a server's certificate: 428 bytes likewise, beside its names and its commonName. */
const SERVER_MAX: usize = 448 + ALTERNATIVE_NAMES_MAX + COMMON_NAME_MAX

/** Most bytes of a blob; the buffer of whoever keeps one. */
export const IDENTITY_SIZE: usize = CERTIFICATES + AUTHORITY_MAX + SERVER_MAX + DIGEST_SIZE

/** Bytes of the names' digest. */
export const NAMES_DIGEST_SIZE: usize = DIGEST_SIZE

const enum Phase {
  CheckBlob = 0,
  DigestNames = 1,
  Decide = 2,
  DrawKey = 3,
  MultiplyPoint = 4,
  IdentifyKey = 5,
  WriteTbs = 6,
  DigestTbs = 7,
  StartSignature = 8,
  Sign = 9,
  DigestBlob = 10,
  Done = 11,
}

@unmanaged
class Identity {
  now: i64
  /** The blob of an earlier run, the caller's; 0 when there is none or it is damaged. */
  existing: usize
  existingLength: u32
  phase: u32
  outcome: u32
  /** `Profile` of the certificate being made. */
  making: u32
  namesLength: u32
  /** Mark of the Certificate in the writer. */
  mark: usize
  /** What is still to be hashed. */
  hashAt: usize
  hashLeft: u32
}

// The state: Identity | fields | writer | names | hash context | digest | point | serial | key id | signature | its DER
//            | work of the public-key machines | draft of the blob
const FIELDS: usize = (offsetof<Identity>() + 7) & ~7
const WRITER: usize = FIELDS + ((CERTIFICATE_FIELDS_SIZE + 7) & ~7)
const NAMES: usize = WRITER + DER_WRITER_SIZE
const HASH_CONTEXT: usize = NAMES + ALTERNATIVE_NAMES_MAX
const DIGEST: usize = HASH_CONTEXT + ((HASH_CONTEXT_SIZE + 7) & ~7)
const POINT: usize = DIGEST + DIGEST_SIZE
const SERIAL: usize = POINT + 72
const KEY_ID: usize = SERIAL + SERIAL_SIZE
const SIGNATURE: usize = KEY_ID + 24
const SIGNATURE_DER: usize = SIGNATURE + 64
const EXTRA: usize = SIGNATURE_DER + 72
const WORK: usize = EXTRA + 32
// A signature contains a multiplication of the base point, so its state is the larger one.
const WORK_SIZE: usize = (ECDSA_P256_SIGN_SIZE + 7) & ~7
const DRAFT: usize = WORK + WORK_SIZE

/** Bytes of the step machine's state (8-aligned), the draft of the blob included. */
export const IDENTITY_STATE_SIZE: usize = DRAFT + IDENTITY_SIZE

/** Bytes hashed in one step: four blocks of SHA-256. */
const HASH_SLICE: u32 = 256

/** The commonName of a server whose first name is no host name, or too long for one. */
const FALLBACK_NAME: usize = memory.data<u8>([0x6e, 0x6f, 0x6f, 0x6e, 0x6d, 0x61, 0x72, 0x6b])
const FALLBACK_NAME_LENGTH: u32 = 8

const NAMES_SCRATCH: usize = memory.data(<i32>ALTERNATIVE_NAMES_MAX, 8)

/**
 * Begins to check or make the identity. `names` is a list of ASCII names separated by NUL, `ip4` an address with its
 * first octet in the highest byte (0: none), `nowSeconds` POSIX seconds. `existing` is a blob of `existingLength` bytes from an
 * earlier run, 8-aligned, or 0; it is borrowed until the machine has finished. Then call `identityStep` until it is true.
 */
export function identityStart(
  state: usize,
  names: usize,
  namesLength: u32,
  ip4: u32,
  nowSeconds: i64,
  existing: usize,
  existingLength: u32,
): IdentityStatus {
  const identity = changetype<Identity>(state)
  identity.phase = Phase.Done
  identity.outcome = IdentityOutcome.Failed
  if (nowSeconds < EARLIEST_TIME || nowSeconds > LATEST_TIME) return IdentityStatus.BadTime
  if (!drbgSeeded()) return IdentityStatus.NoEntropy
  const length = encodeAlternativeNames(names, namesLength, ip4, state + NAMES)
  if (length === 0) return IdentityStatus.NoNames
  if (length < 0) return IdentityStatus.TooManyNames
  identity.now = nowSeconds
  identity.namesLength = length
  identity.existing = existing
  identity.existingLength = existingLength
  identity.outcome = IdentityOutcome.Working
  identity.phase = Phase.DigestNames
  if (existing !== 0) beginCheck(state)
  return IdentityStatus.Ok
}

/** One slice of work; true when finished: then see `identityOutcome`. */
export function identityStep(state: usize): bool {
  switch (changetype<Identity>(state).phase) {
    case Phase.CheckBlob:
      checkBlob(state)
      break
    case Phase.DigestNames:
      digestNames(state)
      break
    case Phase.Decide:
      decide(state)
      break
    case Phase.DrawKey:
      drawKey(state)
      break
    case Phase.MultiplyPoint:
      multiplyPoint(state)
      break
    case Phase.IdentifyKey:
      identifyKey(state)
      break
    case Phase.WriteTbs:
      writeTbs(state)
      break
    case Phase.DigestTbs:
      if (hashSlice(state)) changetype<Identity>(state).phase = Phase.StartSignature
      break
    case Phase.StartSignature:
      startSignature(state)
      break
    case Phase.Sign:
      sign(state)
      break
    case Phase.DigestBlob:
      digestBlob(state)
      break
    default:
      break
  }
  return changetype<Identity>(state).phase === Phase.Done
}

export function identityOutcome(state: usize): IdentityOutcome {
  return changetype<Identity>(state).outcome
}

/** The finished blob inside the state. Valid until the next `identityStart`; meaningless when the outcome is `Failed`. */
export function identityBlob(state: usize): usize {
  return state + DRAFT
}

/** Wipes the state, which holds private keys: when the caller has its own copy of the blob. */
export function identityWipe(state: usize): void {
  wipe(state, <u32>IDENTITY_STATE_SIZE)
}

// Accessors of a blob that the machine has checked or made.

export function identityBlobLength(blob: usize): u32 {
  return changetype<Blob>(blob).length
}

/** Private key of the server, 32 bytes, big-endian. */
export function identityServerKey(blob: usize): usize {
  return blob + SERVER_KEY
}

/** The server's certificate in DER. */
export function identityServerCertificate(blob: usize): usize {
  return blob + CERTIFICATES + changetype<Blob>(blob).authorityLength
}

export function identityServerCertificateLength(blob: usize): u32 {
  return changetype<Blob>(blob).serverLength
}

/** The authority's certificate in DER: what clients are to trust. */
export function identityAuthorityCertificate(blob: usize): usize {
  return blob + CERTIFICATES
}

export function identityAuthorityCertificateLength(blob: usize): u32 {
  return changetype<Blob>(blob).authorityLength
}

/** Key identifier of the authority, `KEY_ID_SIZE` bytes; its first three are in its name. */
export function identityAuthorityKeyId(blob: usize): usize {
  return blob + AUTHORITY_KEY_ID
}

/** POSIX second from which on the server's certificate is to be renewed: two thirds of its life. */
export function identityRenewalTime(blob: usize): i64 {
  const header = changetype<Blob>(blob)
  return renewalTime(header.serverNotBefore, header.serverNotAfter)
}

/** POSIX second until which the server's certificate is valid. */
export function identityNotAfter(blob: usize): i64 {
  return changetype<Blob>(blob).serverNotAfter
}

/** True when the certificates of a checked blob do not suit this time or these names (`identityNamesDigest`). */
export function identityNeedsRenewal(blob: usize, nowSeconds: i64, namesDigest: usize): bool {
  const header = changetype<Blob>(blob)
  return (
    isDue(nowSeconds, header.authorityNotBefore, header.authorityNotAfter) ||
    isDue(nowSeconds, header.serverNotBefore, header.serverNotAfter) ||
    !sameBytes(blob + NAMES_DIGEST, namesDigest, DIGEST_SIZE)
  )
}

/** Digest of names and address as a certificate would carry them, to `out` (32 bytes); false when they cannot be. */
export function identityNamesDigest(names: usize, namesLength: u32, ip4: u32, out: usize): bool {
  const length = encodeAlternativeNames(names, namesLength, ip4, NAMES_SCRATCH)
  if (length <= 0) return false
  hash(Hash.Sha256, NAMES_SCRATCH, length, out)
  return true
}

// The steps.

function beginCheck(state: usize): void {
  const identity = changetype<Identity>(state)
  if (!hasBlobShape(identity.existing, identity.existingLength)) {
    identity.existing = 0
    return
  }
  beginHash(state, identity.existing, identity.existingLength - <u32>DIGEST_SIZE)
  identity.phase = Phase.CheckBlob
}

/** True when the lengths in the header agree with each other and with what the flash gave. */
function hasBlobShape(blob: usize, length: u32): bool {
  const fixed = <u32>(CERTIFICATES + DIGEST_SIZE)
  if (length <= fixed || length > <u32>IDENTITY_SIZE) return false
  const header = changetype<Blob>(blob)
  if (header.magic !== MAGIC || header.version !== VERSION || header.length !== length) return false
  const authority = header.authorityLength
  const server = header.serverLength
  return authority <= <u32>AUTHORITY_MAX && server <= <u32>SERVER_MAX && fixed + authority + server === length
}

function checkBlob(state: usize): void {
  const identity = changetype<Identity>(state)
  if (!hashSlice(state)) return
  const length = identity.existingLength
  if (sameBytes(identity.existing + length - DIGEST_SIZE, state + DIGEST, DIGEST_SIZE)) {
    memory.copy(state + DRAFT, identity.existing, length)
  } else {
    identity.existing = 0
  }
  identity.phase = Phase.DigestNames
}

function digestNames(state: usize): void {
  const identity = changetype<Identity>(state)
  hash(Hash.Sha256, state + NAMES, identity.namesLength, state + DIGEST)
  identity.phase = Phase.Decide
}

function decide(state: usize): void {
  const identity = changetype<Identity>(state)
  const blob = state + DRAFT
  const header = changetype<Blob>(blob)
  const now = identity.now
  if (identity.existing === 0) {
    memory.fill(blob, 0, IDENTITY_SIZE)
    makeKey(identity, Profile.Authority, IdentityOutcome.Created)
  } else if (isDue(now, header.authorityNotBefore, header.authorityNotAfter)) {
    memory.copy(state + POINT, blob + AUTHORITY_POINT, POINT_SIZE)
    memory.copy(state + KEY_ID, blob + AUTHORITY_KEY_ID, KEY_ID_SIZE)
    identity.making = Profile.Authority
    identity.phase = Phase.WriteTbs
    identity.outcome = IdentityOutcome.Reissued
  } else if (identityNeedsRenewal(blob, now, state + DIGEST)) {
    makeKey(identity, Profile.Server, IdentityOutcome.Renewed)
  } else {
    identity.outcome = IdentityOutcome.Kept
    finish(state)
  }
  memory.copy(blob + NAMES_DIGEST, state + DIGEST, DIGEST_SIZE)
}

function makeKey(identity: Identity, profile: Profile, outcome: IdentityOutcome): void {
  identity.making = profile
  identity.outcome = outcome
  identity.phase = Phase.DrawKey
}

/** Draws 256 random bits until they are a scalar of 1..n-1: once, but for one case in 2^32. */
function drawKey(state: usize): void {
  const key = makingKey(state)
  drbgGenerate(key, <u32>KEY_SIZE)
  if (p256MulStart(state + WORK, key, 0)) changetype<Identity>(state).phase = Phase.MultiplyPoint
}

function multiplyPoint(state: usize): void {
  if (!p256MulStep(state + WORK)) return
  p256MulFinish(state + WORK, state + POINT)
  changetype<Identity>(state).phase = Phase.IdentifyKey
}

function identifyKey(state: usize): void {
  const identity = changetype<Identity>(state)
  hash(Hash.Sha256, state + POINT, <u32>POINT_SIZE, state + DIGEST)
  memory.copy(state + KEY_ID, state + DIGEST, KEY_ID_SIZE)
  if (identity.making === Profile.Authority) {
    memory.copy(state + DRAFT + AUTHORITY_KEY_ID, state + KEY_ID, KEY_ID_SIZE)
    memory.copy(state + DRAFT + AUTHORITY_POINT, state + POINT, POINT_SIZE)
  }
  identity.phase = Phase.WriteTbs
}

function writeTbs(state: usize): void {
  const identity = changetype<Identity>(state)
  const writer = changetype<DerWriter>(state + WRITER)
  const authority = identity.making === Profile.Authority
  setFields(state)
  if (authority) derInit(writer, state + DRAFT + CERTIFICATES, AUTHORITY_MAX)
  else derInit(writer, identityServerCertificate(state + DRAFT), SERVER_MAX)
  identity.mark = x509BeginCertificate(writer)
  const tbs = writer.at
  x509WriteTbs(writer, changetype<CertificateFields>(state + FIELDS))
  beginHash(state, tbs, <u32>(writer.at - tbs))
  identity.phase = Phase.DigestTbs
}

function setFields(state: usize): void {
  const identity = changetype<Identity>(state)
  const fields = changetype<CertificateFields>(state + FIELDS)
  const authority = identity.making === Profile.Authority
  fields.profile = identity.making
  fields.notBefore = identity.now - BACKDATE
  fields.notAfter = fields.notBefore + (authority ? AUTHORITY_LIFE : SERVER_LIFE) - 1
  drawSerial(state + SERIAL)
  fields.serial = state + SERIAL
  fields.issuerKeyId = state + DRAFT + AUTHORITY_KEY_ID
  fields.subjectKeyId = state + KEY_ID
  fields.point = state + POINT
  fields.alternativeNames = state + NAMES
  fields.alternativeNamesLength = identity.namesLength
  setCommonName(fields)
}

/** 128 bits, of which 126 are random: the first byte is 01xxxxxx, so DER adds and drops nothing. */
function drawSerial(out: usize): void {
  drbgGenerate(out, <u32>SERIAL_SIZE)
  store<u8>(out, (load<u8>(out) & 0x3f) | 0x40)
}

/** The first name when it is a dNSName that fits. */
function setCommonName(fields: CertificateFields): void {
  const names = fields.alternativeNames
  const length: u32 = load<u8>(names, 1)
  const usable = load<u8>(names) === 0x82 && length <= COMMON_NAME_MAX
  fields.commonName = usable ? names + 2 : FALLBACK_NAME
  fields.commonNameLength = usable ? length : FALLBACK_NAME_LENGTH
}

/** Both certificates are signed by the authority. The extra bytes hedge against faults (RFC 6979, section 3.6). */
function startSignature(state: usize): void {
  drbgGenerate(state + EXTRA, 32)
  ecdsaSignStart(state + WORK, state + DRAFT + AUTHORITY_KEY, state + DIGEST, <u32>DIGEST_SIZE, state + EXTRA)
  changetype<Identity>(state).phase = Phase.Sign
}

function sign(state: usize): void {
  const identity = changetype<Identity>(state)
  if (!ecdsaSignStep(state + WORK)) return
  ecdsaSignFinish(state + WORK, state + SIGNATURE)
  const writer = changetype<DerWriter>(state + WRITER)
  const length = ecdsaSignatureToDer(state + SIGNATURE, state + SIGNATURE_DER)
  x509EndCertificate(writer, identity.mark, state + SIGNATURE_DER, length)
  if (writer.overflow !== 0) {
    identity.outcome = IdentityOutcome.Failed
    finish(state)
  } else {
    keepCertificate(state, derLength(writer))
  }
}

function keepCertificate(state: usize, length: u32): void {
  const identity = changetype<Identity>(state)
  const header = changetype<Blob>(state + DRAFT)
  const fields = changetype<CertificateFields>(state + FIELDS)
  if (identity.making === Profile.Authority) {
    header.authorityLength = length
    header.authorityNotBefore = fields.notBefore
    header.authorityNotAfter = fields.notAfter
    identity.making = Profile.Server
    identity.phase = Phase.DrawKey
  } else {
    header.serverLength = length
    header.serverNotBefore = fields.notBefore
    header.serverNotAfter = fields.notAfter
    sealBlob(state)
  }
}

function sealBlob(state: usize): void {
  const header = changetype<Blob>(state + DRAFT)
  header.magic = MAGIC
  header.version = VERSION
  header.length = <u32>(CERTIFICATES + DIGEST_SIZE) + header.authorityLength + header.serverLength
  beginHash(state, state + DRAFT, header.length - <u32>DIGEST_SIZE)
  changetype<Identity>(state).phase = Phase.DigestBlob
}

function digestBlob(state: usize): void {
  if (!hashSlice(state)) return
  const blob = state + DRAFT
  memory.copy(blob + identityBlobLength(blob) - DIGEST_SIZE, state + DIGEST, DIGEST_SIZE)
  finish(state)
}

function finish(state: usize): void {
  wipe(state + EXTRA, 32 + <u32>WORK_SIZE)
  changetype<Identity>(state).phase = Phase.Done
}

// Helpers.

/** Where the private key of the certificate being made lies in the draft. */
function makingKey(state: usize): usize {
  const authority = changetype<Identity>(state).making === Profile.Authority
  return state + DRAFT + (authority ? AUTHORITY_KEY : SERVER_KEY)
}

function renewalTime(notBefore: i64, notAfter: i64): i64 {
  return notBefore + ((notAfter + 1 - notBefore) * 2) / 3
}

function isDue(now: i64, notBefore: i64, notAfter: i64): bool {
  return now < notBefore || now >= renewalTime(notBefore, notAfter)
}

/** Equality of public bytes. */
function sameBytes(a: usize, b: usize, length: usize): bool {
  return memory.compare(a, b, length) === 0
}

function beginHash(state: usize, data: usize, length: u32): void {
  const identity = changetype<Identity>(state)
  identity.hashAt = data
  identity.hashLeft = length
  hashInit(Hash.Sha256, state + HASH_CONTEXT)
}

/** Hashes the next `HASH_SLICE` bytes; true when all are done and the digest is written. */
function hashSlice(state: usize): bool {
  const identity = changetype<Identity>(state)
  const length = identity.hashLeft < HASH_SLICE ? identity.hashLeft : HASH_SLICE
  hashUpdate(state + HASH_CONTEXT, identity.hashAt, length)
  identity.hashAt += length
  identity.hashLeft -= length
  if (identity.hashLeft !== 0) return false
  hashFinal(state + HASH_CONTEXT, state + DIGEST)
  return true
}
