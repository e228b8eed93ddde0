// One certificate, read in place (RFC 5280, section 4): strict DER, nothing copied.
//
//   in    the certificate's bytes, which stay where they are for as long as the `Certificate` is used
//   out   spans (addresses and lengths in those bytes), dates, the kinds of key and signature, what the extensions say
//
// Each call is bounded: `certificateHead` reads everything up to the extensions; then `certificateExtensions`, again and
// again until it says that it is done, the rest.
// A certificate that is no DER, or not built as the RFC says, is `Malformed` and nothing more may be asked of it. One that is well built but
// not to be trusted (old version, weak key, unknown critical extension) is read to its end, and its `verdict` says why.
//
//   bounds   4096 bytes; names of 512 bytes and 16 attributes; 24 extensions, their identifiers of 20 bytes; 32 extended
//            key usages

import { CIVIL_SIZE, Civil, unixFromCivil } from '../time/civil'
import { DerTag } from './der'
import {
  DER_READER_SIZE,
  DerReader,
  derEnter,
  derExpect,
  derFail,
  derLeave,
  derMore,
  derNext,
  derPeek,
  derRead,
  derTakeOctets,
  derTakeTrue,
  derTakeUnsigned,
} from './der_read'
import { CertificateAlgorithm, derIsOid, KeyKind, takeCertificateAlgorithm, takePublicKey } from './x509_algorithm'
import { CertificateVerdict } from './x509_verdict'

/** Longest certificate. */
export const CERTIFICATE_MAX: u32 = 4096

const NAME_MAX: u32 = 512
const ATTRIBUTES_MAX: u32 = 16
const EXTENSIONS_MAX: u32 = 24
const EXTENSIONS_A_CALL: u32 = 2
const IDENTIFIER_MAX: u32 = 20
const PURPOSES_MAX: u32 = 32

/** `pathLength` when there is no such constraint. */
export const NO_PATH_LENGTH: u32 = 0xff

/** Bits of `Certificate.flags`. */
export const enum CertificateFlag {
  /** basicConstraints: cA TRUE. */
  Authority = 1,
  /** There is a keyUsage: `usage` counts. */
  HasUsage = 2,
  /** There is an extendedKeyUsage. */
  HasPurposes = 4,
  /** ... and serverAuth is in it. */
  ServerAuth = 8,
  /** Subject and issuer are the same. */
  SelfIssued = 16,
  /** The name constraints are marked critical. */
  ConstraintsCritical = 32,
}

/** Bits of the first octet of keyUsage (RFC 5280, section 4.2.1.3). */
export const enum KeyUsage {
  DigitalSignature = 0x80,
  KeyCertSign = 0x04,
}

/** Addresses are 0 where a part is missing; lengths in bytes. */
@unmanaged
export class Certificate {
  /** POSIX seconds; both are within the validity. */
  notBefore: i64
  notAfter: i64
  /** The certificate. */
  start: usize
  length: u32
  /** `Valid`, or why it is not to be trusted whatever the path. */
  verdict: u32
  /** The signed part, with its head. */
  signed: usize
  signedLength: u32
  /** Names, with their heads. */
  issuer: usize
  issuerLength: u32
  subject: usize
  subjectLength: u32
  /** SubjectPublicKeyInfo, with its head. */
  keyInfo: usize
  keyInfoLength: u32
  /** The octets in its BIT STRING. */
  key: usize
  keyLength: u32
  keyKind: u32
  /** `CertificateAlgorithm`. */
  algorithm: u32
  signature: usize
  signatureLength: u32
  /** The part of TBSCertificate that has not been read yet. */
  rest: usize
  restLength: u32
  /** Extensions read. */
  extensions: u32
  flags: u32
  /** First octet of keyUsage. */
  usage: u32
  pathLength: u32
  /** The contents of GeneralNames. */
  names: usize
  namesLength: u32
  /** The contents of NameConstraints. */
  constraints: usize
  constraintsLength: u32
  /** Key identifiers, without heads. */
  subjectKeyId: usize
  subjectKeyIdLength: u32
  authorityKeyId: usize
  authorityKeyIdLength: u32
}

/** Bytes of a `Certificate`, a multiple of 8. */
export const CERTIFICATE_SIZE: usize = (offsetof<Certificate>() + 7) & ~7

/** 2.5.29: the arc of the extensions. Their last octets: */
const EXTENSIONS: usize = memory.data<u8>([0x55, 0x1d])
const enum Extension {
  SubjectKeyIdentifier = 14,
  KeyUsage = 15,
  SubjectAltName = 17,
  BasicConstraints = 19,
  NameConstraints = 30,
  AuthorityKeyIdentifier = 35,
  ExtendedKeyUsage = 37,
}

/** 1.3.6.1.5.5.7.3.1 id-kp-serverAuth */
const SERVER_AUTH: usize = memory.data<u8>([0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01])

const READER = changetype<DerReader>(memory.data(<i32>DER_READER_SIZE, 8))
const VALUE = changetype<DerReader>(memory.data(<i32>DER_READER_SIZE, 8))
const CIVIL = changetype<Civil>(memory.data(<i32>CIVIL_SIZE, 8))
/** Identifiers of the extensions met so far, `address u32 | length u32`. */
const SEEN: usize = memory.data(24 * 8, 8)

/** Reads everything but the extensions. False: `verdict` is why nothing else may be asked of it. */
export function certificateHead(certificate: Certificate, start: usize, length: u32): bool {
  memory.fill(changetype<usize>(certificate), 0, CERTIFICATE_SIZE)
  certificate.start = start
  certificate.length = length
  certificate.pathLength = NO_PATH_LENGTH
  if (length > CERTIFICATE_MAX) {
    certificate.verdict = CertificateVerdict.TooLarge
    return false
  }
  const reader = READER
  derRead(reader, start, length)
  derExpect(reader, DerTag.Sequence)
  const end = derEnter(reader)
  if (derExpect(reader, DerTag.Sequence)) {
    certificate.signed = reader.start
    certificate.signedLength = <u32>(reader.at - reader.start)
    takeSignature(certificate, reader)
  }
  if (!derLeave(reader, end) || derMore(reader)) return malformed(certificate)
  derRead(reader, certificate.signed, certificate.signedLength)
  derExpect(reader, DerTag.Sequence)
  derEnter(reader)
  takeFields(certificate, reader)
  return reader.fault === 0 || malformed(certificate)
}

function malformed(certificate: Certificate): bool {
  certificate.verdict = CertificateVerdict.Malformed
  return false
}

/** Keeps the first reason for distrust. */
function distrust(certificate: Certificate, verdict: CertificateVerdict): void {
  if (certificate.verdict === CertificateVerdict.Valid) certificate.verdict = verdict
}

/** signatureAlgorithm and signatureValue: the outer part. The algorithm's bytes are kept as `rest` until the inner is compared. */
function takeSignature(certificate: Certificate, reader: DerReader): void {
  certificate.rest = reader.at
  certificate.algorithm = takeCertificateAlgorithm(reader)
  certificate.restLength = <u32>(reader.at - certificate.rest)
  if (!derTakeOctets(reader)) return
  certificate.signature = reader.value
  certificate.signatureLength = reader.length
}

/** TBSCertificate from its version to its extensions. */
function takeFields(certificate: Certificate, reader: DerReader): void {
  takeVersion(certificate, reader)
  // RFC 5280 has 20 octets at most; a sign octet may come on top of them.
  if (!derExpect(reader, DerTag.Integer) || reader.length === 0 || reader.length > 21 || !isShortest(reader)) {
    derFail(reader)
  }
  takeInnerAlgorithm(certificate, reader)
  certificate.issuer = reader.at
  certificate.issuerLength = takeName(certificate, reader)
  takeValidity(certificate, reader)
  certificate.subject = reader.at
  certificate.subjectLength = takeName(certificate, reader)
  takeKey(certificate, reader)
  if (reader.fault !== 0) return
  if (sameBytes(certificate.subject, certificate.subjectLength, certificate.issuer, certificate.issuerLength)) {
    certificate.flags = CertificateFlag.SelfIssued
  }
  // issuerUniqueID [1] and subjectUniqueID [2]: not of v3 as the RFC wants it made, but allowed to be there.
  if (derPeek(reader) === DerTag.Context + 1) derNext(reader)
  if (derPeek(reader) === DerTag.Context + 2) derNext(reader)
  certificate.rest = reader.at
  certificate.restLength = <u32>(reader.end - reader.at)
}

/** version [0] EXPLICIT INTEGER DEFAULT v1. */
function takeVersion(certificate: Certificate, reader: DerReader): void {
  if (derPeek(reader) !== DerTag.ContextConstructed) {
    distrust(certificate, CertificateVerdict.NotVersion3)
    return
  }
  derNext(reader)
  const end = derEnter(reader)
  if (!derTakeUnsigned(reader, 1)) return
  const version = load<u8>(reader.value)
  if (version === 0 || version > 2) derFail(reader)
  if (version !== 2) distrust(certificate, CertificateVerdict.NotVersion3)
  derLeave(reader, end)
}

/** An INTEGER of any sign: its first nine bits are not all the same (X.690, section 8.3.2). */
function isShortest(reader: DerReader): bool {
  if (reader.length < 2) return true
  const top = ((<u32>load<u8>(reader.value)) << 1) | (<u32>load<u8>(reader.value, 1) >> 7)
  return top !== 0 && top !== 0x1ff
}

/** The signature field: the same octets as signatureAlgorithm (RFC 5280, section 4.1.1.2). */
function takeInnerAlgorithm(certificate: Certificate, reader: DerReader): void {
  if (!derExpect(reader, DerTag.Sequence)) return
  const length = <u32>(reader.at - reader.start)
  if (!sameBytes(reader.start, length, certificate.rest, certificate.restLength)) {
    distrust(certificate, CertificateVerdict.AlgorithmMismatch)
  } else if (certificate.algorithm === CertificateAlgorithm.Weak) {
    distrust(certificate, CertificateVerdict.WeakSignature)
  } else if (certificate.algorithm === CertificateAlgorithm.None) {
    distrust(certificate, CertificateVerdict.UnsupportedAlgorithm)
  }
}

/** Name ::= SEQUENCE OF SET OF SEQUENCE { OID, value }. Returns its length with its head. */
function takeName(certificate: Certificate, reader: DerReader): u32 {
  if (!derExpect(reader, DerTag.Sequence)) return 0
  const length = <u32>(reader.at - reader.start)
  if (length > NAME_MAX) {
    distrust(certificate, CertificateVerdict.TooLarge)
    return length
  }
  const end = derEnter(reader)
  let attributes: u32 = 0
  while (derMore(reader) && attributes <= ATTRIBUTES_MAX) {
    derExpect(reader, DerTag.Set)
    const set = derEnter(reader)
    do {
      derExpect(reader, DerTag.Sequence)
      const pair = derEnter(reader)
      derExpect(reader, DerTag.ObjectIdentifier)
      derNext(reader)
      derLeave(reader, pair)
      attributes++
    } while (derMore(reader) && attributes <= ATTRIBUTES_MAX)
    if (attributes <= ATTRIBUTES_MAX) derLeave(reader, set)
    else reader.end = set
  }
  if (attributes > ATTRIBUTES_MAX) {
    distrust(certificate, CertificateVerdict.TooLarge)
    reader.at = reader.end
  }
  derLeave(reader, end)
  return length
}

function takeValidity(certificate: Certificate, reader: DerReader): void {
  if (!derExpect(reader, DerTag.Sequence)) return
  const end = derEnter(reader)
  certificate.notBefore = takeTime(reader)
  certificate.notAfter = takeTime(reader)
  derLeave(reader, end)
}

/** Time: YYMMDDHHMMSSZ (50..99 are of the last century) or YYYYMMDDHHMMSSZ (RFC 5280, section 4.1.2.5). */
function takeTime(reader: DerReader): i64 {
  if (!derNext(reader)) return 0
  const general = reader.tag === DerTag.GeneralizedTime
  const digits: u32 = general ? 14 : 12
  const at = reader.value
  if ((!general && reader.tag !== DerTag.UtcTime) || reader.length !== digits + 1 || load<u8>(at + digits) !== 0x5a) {
    derFail(reader)
    return 0
  }
  for (let i: u32 = 0; i < digits; i++) {
    const c: u32 = load<u8>(at + i)
    if (c < 0x30 || c > 0x39) derFail(reader)
  }
  const short = twoDigits(at)
  CIVIL.year = general ? short * 100 + twoDigits(at + 2) : short + (short < 50 ? 2000 : 1900)
  const rest = at + (general ? 4 : 2)
  CIVIL.month = twoDigits(rest)
  CIVIL.day = twoDigits(rest + 2)
  CIVIL.hour = twoDigits(rest + 4)
  CIVIL.minute = twoDigits(rest + 6)
  CIVIL.second = twoDigits(rest + 8)
  if (!isCivil()) {
    derFail(reader)
    return 0
  }
  return unixFromCivil(CIVIL)
}

function twoDigits(at: usize): i32 {
  return (<i32>load<u8>(at) - 0x30) * 10 + <i32>load<u8>(at, 1) - 0x30
}

function isCivil(): bool {
  const month = CIVIL.month
  const day = CIVIL.day
  if (month < 1 || month > 12 || day < 1 || day > daysOf(month)) return false
  return CIVIL.hour <= 23 && CIVIL.minute <= 59 && CIVIL.second <= 59
}

function daysOf(month: i32): i32 {
  if (month === 2) {
    const year = CIVIL.year
    return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  }
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function takeKey(certificate: Certificate, reader: DerReader): void {
  certificate.keyInfo = reader.at
  const kind = takePublicKey(reader)
  certificate.keyInfoLength = <u32>(reader.at - certificate.keyInfo)
  certificate.key = reader.value
  certificate.keyLength = reader.length
  certificate.keyKind = kind
  if (kind === KeyKind.Weak) distrust(certificate, CertificateVerdict.WeakKey)
  else if (kind === KeyKind.None) distrust(certificate, CertificateVerdict.UnsupportedAlgorithm)
}

// ---- Extensions

/** What a call of `certificateExtensions` found. */
export const enum Progress {
  More = 0,
  Done = 1,
  /** `verdict` is why nothing else may be asked of the certificate. */
  Failed = 2,
}

/** Reads up to `EXTENSIONS_A_CALL` extensions. Calls for two certificates must not be mixed. */
export function certificateExtensions(certificate: Certificate): Progress {
  const reader = READER
  derRead(reader, certificate.rest, certificate.restLength)
  if (certificate.extensions === 0) {
    if (!derMore(reader)) return Progress.Done
    // extensions [3] EXPLICIT SEQUENCE SIZE (1..MAX) OF Extension, in v3 only; nothing may follow.
    derExpect(reader, DerTag.ContextConstructed + 3)
    if (derMore(reader)) derFail(reader)
    derEnter(reader)
    derExpect(reader, DerTag.Sequence)
    if (derMore(reader)) derFail(reader)
    derEnter(reader)
  }
  const end = certificate.extensions + EXTENSIONS_A_CALL
  do takeExtension(certificate, reader)
  while (derMore(reader) && certificate.extensions < end)
  if (reader.fault !== 0) {
    malformed(certificate)
    return Progress.Failed
  }
  certificate.rest = reader.at
  certificate.restLength = <u32>(reader.end - reader.at)
  if (!derMore(reader)) return Progress.Done
  if (certificate.extensions < EXTENSIONS_MAX) return Progress.More
  distrust(certificate, CertificateVerdict.TooLarge)
  return Progress.Done
}

/** Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }. */
function takeExtension(certificate: Certificate, reader: DerReader): void {
  derExpect(reader, DerTag.Sequence)
  const end = derEnter(reader)
  if (!derExpect(reader, DerTag.ObjectIdentifier)) return
  if (isSeen(certificate, reader)) distrust(certificate, CertificateVerdict.DuplicateExtension)
  if (reader.length > IDENTIFIER_MAX) distrust(certificate, CertificateVerdict.TooLarge)
  const ours = reader.length === 3 && memory.compare(reader.value, EXTENSIONS, 2) === 0
  const id: u32 = ours ? <u32>load<u8>(reader.value, 2) : 0
  const critical = derTakeTrue(reader)
  if (!derExpect(reader, DerTag.OctetString)) return
  const value = VALUE
  derRead(value, reader.value, reader.length)
  const known = takeValue(certificate, value, id, critical)
  if (known && (value.fault !== 0 || derMore(value))) derFail(reader)
  if (critical && !known) distrust(certificate, CertificateVerdict.UnknownCritical)
  derLeave(reader, end)
}

/**
 * True when an extension before had the identifier that was read last; notes this one (RFC 5280, section 4.2). One that is
 * too long condemns the certificate anyway.
 */
function isSeen(certificate: Certificate, reader: DerReader): bool {
  const end = SEEN + <usize>certificate.extensions * 8
  let seen = false
  for (let at = SEEN; at < end; at += 8) {
    if (sameBytes(load<u32>(at), load<u32>(at, 4), reader.value, reader.length)) seen = true
  }
  store<u32>(end, <u32>reader.value)
  store<u32>(end, reader.length > IDENTIFIER_MAX ? 0 : reader.length, 4)
  certificate.extensions++
  return seen
}

/** Takes an extension's value; false when the extension is none that is known here. */
function takeValue(certificate: Certificate, value: DerReader, id: u32, critical: bool): bool {
  switch (id) {
    case Extension.BasicConstraints:
      takeBasicConstraints(certificate, value)
      return true
    case Extension.KeyUsage:
      takeKeyUsage(certificate, value)
      return true
    case Extension.ExtendedKeyUsage:
      takePurposes(certificate, value)
      return true
    case Extension.SubjectAltName:
      takeContents(value)
      certificate.names = value.value
      certificate.namesLength = value.length
      return true
    case Extension.NameConstraints:
      takeContents(value)
      certificate.constraints = value.value
      certificate.constraintsLength = value.length
      if (critical) certificate.flags |= CertificateFlag.ConstraintsCritical
      return true
    case Extension.SubjectKeyIdentifier:
      if (!derExpect(value, DerTag.OctetString)) return true
      certificate.subjectKeyId = value.value
      certificate.subjectKeyIdLength = value.length
      return true
    case Extension.AuthorityKeyIdentifier:
      takeAuthorityKeyId(certificate, value)
      return true
    default:
      return false
  }
}

/** A SEQUENCE that is looked into later; it must not be empty. */
function takeContents(value: DerReader): void {
  if (derExpect(value, DerTag.Sequence) && value.length === 0) derFail(value)
}

/** SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } (RFC 5280, section 4.2.1.9). */
function takeBasicConstraints(certificate: Certificate, value: DerReader): void {
  if (!derExpect(value, DerTag.Sequence)) return
  const end = derEnter(value)
  const authority = derTakeTrue(value)
  if (authority) certificate.flags |= CertificateFlag.Authority
  if (derMore(value) && derTakeUnsigned(value, 4)) {
    if (!authority) derFail(value)
    // Longer paths than ours are all the same.
    const small = value.length === 1 && load<u8>(value.value) < NO_PATH_LENGTH
    certificate.pathLength = small ? <u32>load<u8>(value.value) : NO_PATH_LENGTH
  }
  derLeave(value, end)
}

/**
 * A BIT STRING of named bits, of which one must be set. Zero bits at its end should be left out (X.690, section 11.2.2), but there
 * are authorities in every system's bundle that keep them; bits that do not count must be zero (section 11.2.1).
 */
function takeKeyUsage(certificate: Certificate, value: DerReader): void {
  if (!derExpect(value, DerTag.BitString)) return
  const length = value.length
  const unused: u32 = length === 0 ? 8 : <u32>load<u8>(value.value)
  if (length < 2 || length > 3 || unused > 7) {
    derFail(value)
    return
  }
  const last: u32 = load<u8>(value.value + length - 1)
  const bits = <u32>load<u8>(value.value, 1) | last
  if (bits === 0 || (last & ((1 << unused) - 1)) !== 0) derFail(value)
  certificate.flags |= CertificateFlag.HasUsage
  certificate.usage = load<u8>(value.value, 1)
}

/** SEQUENCE SIZE (1..MAX) OF OBJECT IDENTIFIER (RFC 5280, section 4.2.1.12). */
function takePurposes(certificate: Certificate, value: DerReader): void {
  if (!derExpect(value, DerTag.Sequence)) return
  const end = derEnter(value)
  let count: u32 = 0
  let serverAuth = false
  do {
    if (derExpect(value, DerTag.ObjectIdentifier) && derIsOid(value, SERVER_AUTH, 8)) serverAuth = true
    count++
  } while (derMore(value) && count < PURPOSES_MAX)
  if (derMore(value)) {
    distrust(certificate, CertificateVerdict.TooLarge)
    value.at = value.end
  }
  derLeave(value, end)
  certificate.flags |= CertificateFlag.HasPurposes
  if (serverAuth) certificate.flags |= CertificateFlag.ServerAuth
}

/** SEQUENCE { keyIdentifier [0], authorityCertIssuer [1], authorityCertSerialNumber [2] }, all optional (section 4.2.1.1). */
function takeAuthorityKeyId(certificate: Certificate, value: DerReader): void {
  if (!derExpect(value, DerTag.Sequence)) return
  const end = derEnter(value)
  if (derPeek(value) === DerTag.Context && derNext(value)) {
    certificate.authorityKeyId = value.value
    certificate.authorityKeyIdLength = value.length
  }
  if (derPeek(value) === DerTag.ContextConstructed + 1) derNext(value)
  if (derPeek(value) === DerTag.Context + 2) derNext(value)
  derLeave(value, end)
}

/** Equality of public bytes. */
export function sameBytes(a: usize, aLength: u32, b: usize, bLength: u32): bool {
  return aLength === bLength && memory.compare(a, b, aLength) === 0
}
