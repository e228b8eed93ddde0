// Writes X.509 v3 certificates for P-256 keys, signed with ecdsa-with-SHA256 (RFC 5280, RFC 5480, RFC 5758).
//
// Two profiles, and no others:
//   Authority: self-signed. basicConstraints critical CA:TRUE pathlen 0; keyUsage critical keyCertSign, cRLSign; SKI.
//   Server:    keyUsage critical digitalSignature; extendedKeyUsage serverAuth; subjectAltName; SKI; AKI.
//
// The authority's name is "Noonmark CA xxxxxx", the first six hexadecimal digits of its key identifier, so the issuer's
// name follows from its key. No name constraints: the authority outlives the names (a renamed device keeps its CA), and
// a permitted subtree that does not hold the next name would shut out every client.
//
// Who calls: `x509BeginCertificate`, `x509WriteTbs`; hashes and signs what that wrote; `x509EndCertificate`.

import { putAscii, putHex } from '../bytes/ascii'
import { CIVIL_SIZE, Civil, civilFromUnix } from '../time/civil'
import {
  DerTag,
  DerWriter,
  derByte,
  derBytes,
  derClose,
  derInteger,
  derOpen,
  derOpenBits,
  derReserve,
  derTrue,
  derValue,
} from './der'

export const enum Profile {
  Authority = 0,
  Server = 1,
}

/** Bytes of a key identifier: RFC 7093, section 2, method 1 - the leftmost 160 bits of SHA-256 over the point. */
export const KEY_ID_SIZE: usize = 20

/** Bytes of a serial number: 128 bits. */
export const SERIAL_SIZE: usize = 16

/** Bytes of an uncompressed P-256 point, 0x04 | X | Y (RFC 5480, section 2.2). */
export const POINT_SIZE: usize = 65

/** Longest commonName (RFC 5280, appendix A: ub-common-name). */
export const COMMON_NAME_MAX: u32 = 64

/** What a certificate says. All members are the caller's; addresses are borrowed for the length of a call. */
@unmanaged
export class CertificateFields {
  /** POSIX seconds, 0 (1970) to 253402300799 (the end of 9999). */
  notBefore: i64
  /** POSIX seconds; the last second of validity. */
  notAfter: i64
  profile: u32
  /** `SERIAL_SIZE` bytes, big-endian; positive because the writer leaves the sign to DER. */
  serial: usize
  /** Key identifier of the signer (`KEY_ID_SIZE`), which also names it. */
  issuerKeyId: usize
  /** Key identifier of the certified key; for an authority the same as `issuerKeyId`. */
  subjectKeyId: usize
  /** The certified key (`POINT_SIZE`). */
  point: usize
  /** Server only: the subject's commonName, ASCII, 1..64 bytes. */
  commonName: usize
  commonNameLength: u32
  /** Server only: the content of GeneralNames (RFC 5280, section 4.2.1.6), already in DER. */
  alternativeNames: usize
  alternativeNamesLength: u32
}

/** Bytes of a `CertificateFields`. */
export const CERTIFICATE_FIELDS_SIZE: usize = offsetof<CertificateFields>()

// Content octets of the object identifiers.
/** 1.2.840.10045.2.1 id-ecPublicKey */
const EC_PUBLIC_KEY: usize = memory.data<u8>([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01])
/** 1.2.840.10045.3.1.7 secp256r1 */
const SECP256R1: usize = memory.data<u8>([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07])
/** 1.2.840.10045.4.3.2 ecdsa-with-SHA256 */
const ECDSA_WITH_SHA256: usize = memory.data<u8>([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])
/** 2.5.4.3 commonName */
const COMMON_NAME: usize = memory.data<u8>([0x55, 0x04, 0x03])
/** 1.3.6.1.5.5.7.3.1 serverAuth */
const SERVER_AUTH: usize = memory.data<u8>([0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01])

/** Last octet of the 2.5.29.x identifiers of extensions (RFC 5280, section 4.2.1). */
const enum Extension {
  SubjectKeyIdentifier = 14,
  KeyUsage = 15,
  SubjectAltName = 17,
  BasicConstraints = 19,
  AuthorityKeyIdentifier = 35,
  ExtendedKeyUsage = 37,
}

/** digitalSignature is bit 0: one byte 0x80, seven bits unused. */
const DIGITAL_SIGNATURE: u32 = 0x80
/** keyCertSign and cRLSign are bits 5 and 6: one byte 0x06, one bit unused. */
const CERT_AND_CRL_SIGN: u32 = 0x06

/** First second of 2050, from which on dates are GeneralizedTime (RFC 5280, section 4.1.2.5). */
const YEAR_2050: i64 = 2_524_608_000

const CIVIL = changetype<Civil>(memory.data(<i32>CIVIL_SIZE, 8))

/** Opens the Certificate; returns the mark for `x509EndCertificate`. The to-be-signed part begins at `writer.at`. */
export function x509BeginCertificate(writer: DerWriter): usize {
  return derOpen(writer, DerTag.Sequence)
}

/** Writes the TBSCertificate (RFC 5280, section 4.1.2). */
export function x509WriteTbs(writer: DerWriter, fields: CertificateFields): void {
  const tbs = derOpen(writer, DerTag.Sequence)
  writeVersion(writer)
  derInteger(writer, fields.serial, SERIAL_SIZE)
  writeSignatureAlgorithm(writer)
  writeAuthorityName(writer, fields.issuerKeyId)
  writeValidity(writer, fields)
  if (fields.profile === Profile.Authority) writeAuthorityName(writer, fields.subjectKeyId)
  else writeServerName(writer, fields)
  writePublicKey(writer, fields.point)
  writeExtensions(writer, fields)
  derClose(writer, tbs)
}

/** Adds the signature, already as the DER of Ecdsa-Sig-Value, and closes the Certificate. */
export function x509EndCertificate(writer: DerWriter, mark: usize, signature: usize, length: u32): void {
  writeSignatureAlgorithm(writer)
  const bits = derOpenBits(writer, 0)
  derBytes(writer, signature, length)
  derClose(writer, bits)
  derClose(writer, mark)
}

/** Time ::= CHOICE { utcTime, generalTime }, both in UTC with seconds (RFC 5280, section 4.1.2.5). */
export function x509WriteTime(writer: DerWriter, unixSeconds: i64): void {
  civilFromUnix(unixSeconds, CIVIL)
  const general = unixSeconds >= YEAR_2050
  const mark = derOpen(writer, general ? DerTag.GeneralizedTime : DerTag.UtcTime)
  if (general) writeTwoDigits(writer, CIVIL.year / 100)
  writeTwoDigits(writer, CIVIL.year % 100)
  writeTwoDigits(writer, CIVIL.month)
  writeTwoDigits(writer, CIVIL.day)
  writeTwoDigits(writer, CIVIL.hour)
  writeTwoDigits(writer, CIVIL.minute)
  writeTwoDigits(writer, CIVIL.second)
  derByte(writer, 0x5a)
  derClose(writer, mark)
}

function writeTwoDigits(writer: DerWriter, value: i32): void {
  derByte(writer, 0x30 + value / 10)
  derByte(writer, 0x30 + (value % 10))
}

/** version [0] EXPLICIT v3(2) */
function writeVersion(writer: DerWriter): void {
  const mark = derOpen(writer, DerTag.ContextConstructed)
  derByte(writer, DerTag.Integer)
  derByte(writer, 1)
  derByte(writer, 2)
  derClose(writer, mark)
}

/** AlgorithmIdentifier without parameters (RFC 5758, section 3.2). */
function writeSignatureAlgorithm(writer: DerWriter): void {
  const mark = derOpen(writer, DerTag.Sequence)
  derValue(writer, DerTag.ObjectIdentifier, ECDSA_WITH_SHA256, 8)
  derClose(writer, mark)
}

function writeAuthorityName(writer: DerWriter, keyId: usize): void {
  const name = openCommonName(writer)
  const text = derOpen(writer, DerTag.Utf8String)
  const at = derReserve(writer, 18)
  if (at !== 0) putHex(putAscii(at, 'Noonmark CA '), keyId, 3)
  derClose(writer, text)
  closeCommonName(writer, name)
}

function writeServerName(writer: DerWriter, fields: CertificateFields): void {
  const name = openCommonName(writer)
  derValue(writer, DerTag.Utf8String, fields.commonName, fields.commonNameLength)
  closeCommonName(writer, name)
}

/** Name of one RDN of one commonName: SEQUENCE { SET { SEQUENCE { OID, value } } }. The value is the caller's. */
function openCommonName(writer: DerWriter): usize {
  const name = derOpen(writer, DerTag.Sequence)
  derOpen(writer, DerTag.Set)
  derOpen(writer, DerTag.Sequence)
  derValue(writer, DerTag.ObjectIdentifier, COMMON_NAME, 3)
  return name
}

/** All three lengths are below 128 (a commonName has at most 64 bytes), so the marks stand two bytes apart. */
function closeCommonName(writer: DerWriter, name: usize): void {
  derClose(writer, name + 4)
  derClose(writer, name + 2)
  derClose(writer, name)
}

function writeValidity(writer: DerWriter, fields: CertificateFields): void {
  const mark = derOpen(writer, DerTag.Sequence)
  x509WriteTime(writer, fields.notBefore)
  x509WriteTime(writer, fields.notAfter)
  derClose(writer, mark)
}

/** SubjectPublicKeyInfo (RFC 5480, section 2). */
function writePublicKey(writer: DerWriter, point: usize): void {
  const info = derOpen(writer, DerTag.Sequence)
  const algorithm = derOpen(writer, DerTag.Sequence)
  derValue(writer, DerTag.ObjectIdentifier, EC_PUBLIC_KEY, 7)
  derValue(writer, DerTag.ObjectIdentifier, SECP256R1, 8)
  derClose(writer, algorithm)
  const bits = derOpenBits(writer, 0)
  derBytes(writer, point, POINT_SIZE)
  derClose(writer, bits)
  derClose(writer, info)
}

/** extensions [3] EXPLICIT SEQUENCE OF Extension */
function writeExtensions(writer: DerWriter, fields: CertificateFields): void {
  const context = derOpen(writer, DerTag.ContextConstructed + 3)
  const list = derOpen(writer, DerTag.Sequence)
  if (fields.profile === Profile.Authority) {
    writeBasicConstraints(writer)
    writeKeyUsage(writer, CERT_AND_CRL_SIGN, 1)
  } else {
    writeKeyUsage(writer, DIGITAL_SIGNATURE, 7)
    writeExtendedKeyUsage(writer)
    writeAlternativeNames(writer, fields)
    writeAuthorityKeyId(writer, fields.issuerKeyId)
  }
  writeSubjectKeyId(writer, fields.subjectKeyId)
  derClose(writer, list)
  derClose(writer, context)
}

/** Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue OCTET STRING }; returns the outer mark. */
function openExtension(writer: DerWriter, id: u32, critical: bool): usize {
  const mark = derOpen(writer, DerTag.Sequence)
  derByte(writer, DerTag.ObjectIdentifier)
  derByte(writer, 3)
  derByte(writer, 0x55)
  derByte(writer, 0x1d)
  derByte(writer, id)
  if (critical) derTrue(writer)
  return mark
}

/** basicConstraints: SEQUENCE { cA TRUE, pathLenConstraint 0 } (RFC 5280, section 4.2.1.9). */
function writeBasicConstraints(writer: DerWriter): void {
  const extension = openExtension(writer, Extension.BasicConstraints, true)
  const value = derOpen(writer, DerTag.OctetString)
  const constraints = derOpen(writer, DerTag.Sequence)
  derTrue(writer)
  derByte(writer, DerTag.Integer)
  derByte(writer, 1)
  derByte(writer, 0)
  derClose(writer, constraints)
  derClose(writer, value)
  derClose(writer, extension)
}

/** keyUsage: BIT STRING of one byte (RFC 5280, section 4.2.1.3). */
function writeKeyUsage(writer: DerWriter, bits: u32, unused: u32): void {
  const extension = openExtension(writer, Extension.KeyUsage, true)
  const value = derOpen(writer, DerTag.OctetString)
  const mark = derOpenBits(writer, unused)
  derByte(writer, bits)
  derClose(writer, mark)
  derClose(writer, value)
  derClose(writer, extension)
}

/** extendedKeyUsage: SEQUENCE { serverAuth } (RFC 5280, section 4.2.1.12). */
function writeExtendedKeyUsage(writer: DerWriter): void {
  const extension = openExtension(writer, Extension.ExtendedKeyUsage, false)
  const value = derOpen(writer, DerTag.OctetString)
  const list = derOpen(writer, DerTag.Sequence)
  derValue(writer, DerTag.ObjectIdentifier, SERVER_AUTH, 8)
  derClose(writer, list)
  derClose(writer, value)
  derClose(writer, extension)
}

/** subjectAltName: GeneralNames (RFC 5280, section 4.2.1.6); not critical, since the subject is not empty. */
function writeAlternativeNames(writer: DerWriter, fields: CertificateFields): void {
  const extension = openExtension(writer, Extension.SubjectAltName, false)
  const value = derOpen(writer, DerTag.OctetString)
  derValue(writer, DerTag.Sequence, fields.alternativeNames, fields.alternativeNamesLength)
  derClose(writer, value)
  derClose(writer, extension)
}

/** authorityKeyIdentifier: SEQUENCE { keyIdentifier [0] } (RFC 5280, section 4.2.1.1). */
function writeAuthorityKeyId(writer: DerWriter, keyId: usize): void {
  const extension = openExtension(writer, Extension.AuthorityKeyIdentifier, false)
  const value = derOpen(writer, DerTag.OctetString)
  const sequence = derOpen(writer, DerTag.Sequence)
  derValue(writer, DerTag.Context, keyId, KEY_ID_SIZE)
  derClose(writer, sequence)
  derClose(writer, value)
  derClose(writer, extension)
}

/** subjectKeyIdentifier: OCTET STRING (RFC 5280, section 4.2.1.2). */
function writeSubjectKeyId(writer: DerWriter, keyId: usize): void {
  const extension = openExtension(writer, Extension.SubjectKeyIdentifier, false)
  const value = derOpen(writer, DerTag.OctetString)
  derValue(writer, DerTag.OctetString, keyId, KEY_ID_SIZE)
  derClose(writer, value)
  derClose(writer, extension)
}
