// Keys and signature algorithms of certificates (RFC 3279, RFC 4055, RFC 5480, RFC 5758, RFC 8410).
//
// In: an AlgorithmIdentifier or a SubjectPublicKeyInfo under a DER reader. Out: a small number. The parameters must be
// exactly what the RFC asks for: NULL with RSA, nothing with ECDSA and Ed25519, and for RSASSA-PSS one hash throughout.

import { SignatureScheme } from '../crypto/signature'
import { DerTag } from './der'
import {
  DER_READER_SIZE,
  DerReader,
  derEnter,
  derExpect,
  derFail,
  derLeave,
  derMore,
  derPeek,
  derRead,
  derTakeOctets,
  derTakeUnsigned,
} from './der_read'

export const enum KeyKind {
  /** None that this firmware has. */
  None = 0,
  Rsa = 1,
  P256 = 2,
  P384 = 3,
  Ed25519 = 4,
  /** RSA below 2048 bits. */
  Weak = 5,
}

/** How a certificate is signed. ECDSA does not say on which curve: that is the signer's key's. */
export const enum CertificateAlgorithm {
  /** None that this firmware has. */
  None = 0,
  RsaPkcs1Sha256 = 1,
  RsaPkcs1Sha384 = 2,
  RsaPkcs1Sha512 = 3,
  RsaPssSha256 = 4,
  RsaPssSha384 = 5,
  RsaPssSha512 = 6,
  EcdsaSha256 = 7,
  EcdsaSha384 = 8,
  EcdsaSha512 = 9,
  Ed25519 = 10,
  /** With MD2, MD4, MD5 or SHA-1. */
  Weak = 11,
}

/** RSA keys shorter than this are weak; longer ones than that are more work than the verifier does. */
const RSA_BITS_MIN: u32 = 2048
const RSA_BITS_MAX: u32 = 4096

// Content octets of the object identifiers, without their last octet where it tells them apart.
/** 1.2.840.113549.1.1: rsaEncryption 1, md2 2, md4 3, md5 4, sha1 5, RSASSA-PSS 10, sha256 11, sha384 12, sha512 13 */
const PKCS1: usize = memory.data<u8>([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01])
/** 1.2.840.113549.1.1.8 id-mgf1 is in PKCS1 as well. */
const MGF1: u32 = 8
/** 1.2.840.10045.4: ecdsa-with-SHA1 1 */
const ECDSA_WITH_SHA1: usize = memory.data<u8>([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01])
/** 1.2.840.10045.4.3: SHA256 2, SHA384 3, SHA512 4 */
const ECDSA_WITH_SHA2: usize = memory.data<u8>([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03])
/** 1.2.840.10045.2.1 id-ecPublicKey */
const EC_PUBLIC_KEY: usize = memory.data<u8>([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01])
/** 1.2.840.10045.3.1.7 secp256r1 */
const SECP256R1: usize = memory.data<u8>([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07])
/** 1.3.132.0.34 secp384r1 */
const SECP384R1: usize = memory.data<u8>([0x2b, 0x81, 0x04, 0x00, 0x22])
/** 1.3.101.112 id-Ed25519 */
const ED25519: usize = memory.data<u8>([0x2b, 0x65, 0x70])
/** 2.16.840.1.101.3.4.2: sha256 1, sha384 2, sha512 3 */
const SHA2: usize = memory.data<u8>([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02])

/** 1.3.14.3.2.26 */
const SHA1: usize = memory.data<u8>([0x2b, 0x0e, 0x03, 0x02, 0x1a])

/** For a key's own DER inside its BIT STRING. */
const INNER = changetype<DerReader>(memory.data(<i32>DER_READER_SIZE, 8))

/** True when the value read last is the OBJECT IDENTIFIER with these content octets. */
export function derIsOid(reader: DerReader, octets: usize, length: u32): bool {
  return reader.length === length && memory.compare(reader.value, octets, length) === 0
}

/** The last octet of the OBJECT IDENTIFIER read last, when those before are `octets`; else 0. */
function lastArc(reader: DerReader, octets: usize, length: u32): u32 {
  if (reader.length !== length + 1 || memory.compare(reader.value, octets, length) !== 0) return 0
  return <u32>load<u8>(reader.value + length)
}

/** Reads a signature's AlgorithmIdentifier. What is no DER is the reader's fault. */
export function takeCertificateAlgorithm(reader: DerReader): CertificateAlgorithm {
  if (!derExpect(reader, DerTag.Sequence)) return CertificateAlgorithm.None
  const outer = derEnter(reader)
  if (!derExpect(reader, DerTag.ObjectIdentifier)) return CertificateAlgorithm.None
  let algorithm = CertificateAlgorithm.None
  const rsa = lastArc(reader, PKCS1, 8)
  const ecdsa = lastArc(reader, ECDSA_WITH_SHA2, 7)
  if (rsa === 10) algorithm = takePssParameters(reader)
  else if (rsa >= 2 && rsa <= 5) algorithm = CertificateAlgorithm.Weak
  else if (rsa >= 11 && rsa <= 13 && takeNull(reader)) algorithm = CertificateAlgorithm.RsaPkcs1Sha256 + rsa - 11
  else if (ecdsa >= 2 && ecdsa <= 4 && !derMore(reader)) algorithm = CertificateAlgorithm.EcdsaSha256 + ecdsa - 2
  else if (derIsOid(reader, ECDSA_WITH_SHA1, 7)) algorithm = CertificateAlgorithm.Weak
  else if (derIsOid(reader, ED25519, 3) && !derMore(reader)) algorithm = CertificateAlgorithm.Ed25519
  // What follows an algorithm that is not ours says nothing to us.
  if (algorithm === CertificateAlgorithm.None || algorithm === CertificateAlgorithm.Weak) reader.at = reader.end
  derLeave(reader, outer)
  return algorithm
}

/** Steps over a NULL; false when the next value is none. */
function takeNull(reader: DerReader): bool {
  return derPeek(reader) === 0x05 && derExpect(reader, 0x05) && (reader.length === 0 || derFail(reader))
}

/**
 * RSASSA-PSS-params (RFC 4055, section 3.1): the defaults mean SHA-1 and count as weak. One hash for message and mask,
 * a salt as long as the hash, the common trailer.
 */
function takePssParameters(reader: DerReader): CertificateAlgorithm {
  if (derPeek(reader) !== DerTag.Sequence) return CertificateAlgorithm.None
  if (!derExpect(reader, DerTag.Sequence)) return CertificateAlgorithm.None
  const outer = derEnter(reader)
  const hash = takeTaggedHash(reader, DerTag.ContextConstructed)
  const maskHash = takeMaskHash(reader)
  const saltLength = takeTaggedNumber(reader, DerTag.ContextConstructed + 2, 20)
  const trailer = takeTaggedNumber(reader, DerTag.ContextConstructed + 3, 1)
  if (!derLeave(reader, outer)) return CertificateAlgorithm.None
  if (hash === 0 || maskHash === 0) return CertificateAlgorithm.Weak
  if (hash > 3 || maskHash !== hash || trailer !== 1 || saltLength !== 16 + 16 * hash) return CertificateAlgorithm.None
  return CertificateAlgorithm.RsaPssSha256 + hash - 1
}

/** 1..3: SHA-256, -384, -512; 0: SHA-1, which not being there means; 4: another. */
function takeTaggedHash(reader: DerReader, tag: u32): u32 {
  if (derPeek(reader) !== tag) return 0
  derExpect(reader, tag)
  const outer = derEnter(reader)
  const hash = takeHash(reader)
  derLeave(reader, outer)
  return hash
}

/** A hash's AlgorithmIdentifier, whose parameters are NULL or absent (RFC 4055, section 2.1). */
function takeHash(reader: DerReader): u32 {
  if (!derExpect(reader, DerTag.Sequence)) return 4
  const outer = derEnter(reader)
  if (!derExpect(reader, DerTag.ObjectIdentifier)) return 4
  const arc = lastArc(reader, SHA2, 8)
  const sha1 = derIsOid(reader, SHA1, 5)
  if (derMore(reader) && !takeNull(reader)) reader.at = reader.end
  derLeave(reader, outer)
  if (sha1) return 0
  return arc >= 1 && arc <= 3 ? arc : 4
}

function takeMaskHash(reader: DerReader): u32 {
  if (derPeek(reader) !== DerTag.ContextConstructed + 1) return 0
  derExpect(reader, DerTag.ContextConstructed + 1)
  const outer = derEnter(reader)
  if (!derExpect(reader, DerTag.Sequence)) return 4
  const inner = derEnter(reader)
  if (!derExpect(reader, DerTag.ObjectIdentifier)) return 4
  const known = lastArc(reader, PKCS1, 8) === MGF1
  const hash = takeHash(reader)
  derLeave(reader, inner)
  derLeave(reader, outer)
  return known ? hash : 4
}

/** A small INTEGER under an explicit tag; `absent` when it is not there. */
function takeTaggedNumber(reader: DerReader, tag: u32, absent: u32): u32 {
  if (derPeek(reader) !== tag) return absent
  derExpect(reader, tag)
  const outer = derEnter(reader)
  const number: u32 = derTakeUnsigned(reader, 2) ? <u32>load<u8>(reader.value + reader.length - 1) : 0
  const small = reader.length === 1 || load<u8>(reader.value) === 0
  derLeave(reader, outer)
  return small ? number : 0
}

/**
 * Reads a SubjectPublicKeyInfo. Afterwards `reader.value` and `reader.length` are the octets of its BIT STRING. What is no
 * DER is the reader's fault; what is another kind of key, or an ill-made one, is `None`.
 */
export function takePublicKey(reader: DerReader): KeyKind {
  if (!derExpect(reader, DerTag.Sequence)) return KeyKind.None
  const outer = derEnter(reader)
  if (!derExpect(reader, DerTag.Sequence)) return KeyKind.None
  const inner = derEnter(reader)
  let kind = KeyKind.None
  if (derExpect(reader, DerTag.ObjectIdentifier)) kind = takeKeyAlgorithm(reader)
  if (kind === KeyKind.None) reader.at = reader.end
  derLeave(reader, inner)
  if (!derTakeOctets(reader) || !derLeave(reader, outer)) return KeyKind.None
  const key = reader.value
  const length = reader.length
  if (kind === KeyKind.Rsa) return rsaKind(key, length)
  if (kind === KeyKind.P256) return length === 65 && load<u8>(key) === 4 ? kind : KeyKind.None
  if (kind === KeyKind.P384) return length === 97 && load<u8>(key) === 4 ? kind : KeyKind.None
  return kind === KeyKind.Ed25519 && length !== 32 ? KeyKind.None : kind
}

/** The kind by the identifier read last and the parameters after it; RSA keys that are for PSS alone are none of ours. */
function takeKeyAlgorithm(reader: DerReader): KeyKind {
  if (lastArc(reader, PKCS1, 8) === 1) return takeNull(reader) ? KeyKind.Rsa : KeyKind.None
  if (derIsOid(reader, ED25519, 3)) return derMore(reader) ? KeyKind.None : KeyKind.Ed25519
  if (!derIsOid(reader, EC_PUBLIC_KEY, 7) || derPeek(reader) !== DerTag.ObjectIdentifier) return KeyKind.None
  if (!derExpect(reader, DerTag.ObjectIdentifier)) return KeyKind.None
  if (derIsOid(reader, SECP256R1, 8)) return KeyKind.P256
  return derIsOid(reader, SECP384R1, 5) ? KeyKind.P384 : KeyKind.None
}

/** RSAPublicKey (RFC 8017, appendix A.1.1): its modulus decides. The verifier has the last word on the rest. */
function rsaKind(key: usize, length: u32): KeyKind {
  derRead(INNER, key, length)
  if (!derExpect(INNER, DerTag.Sequence)) return KeyKind.None
  const outer = derEnter(INNER)
  if (!derTakeUnsigned(INNER, length)) return KeyKind.None
  const padding: u32 = load<u8>(INNER.value) === 0 && INNER.length > 1 ? 1 : 0
  const bits: u32 = 8 * (INNER.length - padding) + 24 - <u32>clz<u32>(load<u8>(INNER.value + padding))
  derTakeUnsigned(INNER, 4 + 1)
  if (!derLeave(INNER, outer) || derMore(INNER) || bits > RSA_BITS_MAX) return KeyKind.None
  return bits < RSA_BITS_MIN ? KeyKind.Weak : KeyKind.Rsa
}

/** The scheme for an algorithm with the signer's key; `None` when they do not go together. */
export function signatureScheme(algorithm: CertificateAlgorithm, key: KeyKind): SignatureScheme {
  if (algorithm >= CertificateAlgorithm.RsaPkcs1Sha256 && algorithm <= CertificateAlgorithm.RsaPssSha512) {
    return key === KeyKind.Rsa ? <SignatureScheme>(<u32>algorithm) : SignatureScheme.None
  }
  if (algorithm >= CertificateAlgorithm.EcdsaSha256 && algorithm <= CertificateAlgorithm.EcdsaSha512) {
    const step = algorithm - CertificateAlgorithm.EcdsaSha256
    if (key === KeyKind.P256) return SignatureScheme.EcdsaP256Sha256 + step
    return key === KeyKind.P384 ? SignatureScheme.EcdsaP384Sha256 + step : SignatureScheme.None
  }
  return algorithm === CertificateAlgorithm.Ed25519 && key === KeyKind.Ed25519
    ? SignatureScheme.Ed25519
    : SignatureScheme.None
}
