// What is said of a server's certificate chain: one number, and its TLS alert (RFC 8446, section 6.2).

import { putAscii } from '../bytes/ascii'
import { AlertDescription, NO_ALERT } from './alert'

export const enum CertificateVerdict {
  /** Everything holds, at every second of the interval in which now may be. */
  Valid = 0,
  // Everything holds but the dates.
  /** Now may be inside or outside of the dates: the interval holds an end of them. */
  Undecidable = 1,
  /** The whole interval is before the first second of some certificate of the path. */
  NotYetValid = 2,
  /** The whole interval is after the last second of some certificate of the path, or their dates never overlap. */
  Expired = 3,
  /** No subjectAltName is the server's name. */
  WrongName = 4,
  /** A key usage or extended key usage that is none of a TLS 1.3 server, or of an authority over servers. */
  WrongUsage = 5,
  /** The issuer's certificate is none of an authority: basicConstraints, keyCertSign. */
  NotAuthority = 6,
  /** No path leads to an anchor. */
  UnknownAnchor = 7,
  BadSignature = 8,
  /** More intermediate certificates than a pathLenConstraint allows. */
  PathTooLong = 9,
  /** A name outside of the permitted subtrees, or inside an excluded one. */
  NameNotPermitted = 10,
  /** RSA below 2048 bits. */
  WeakKey = 11,
  /** A signature with SHA-1 or older. */
  WeakSignature = 12,
  /** A key or a signature of a kind that this firmware does not have. */
  UnsupportedAlgorithm = 13,
  /** A critical extension, or a part of one, that this firmware does not know. */
  UnknownCritical = 14,
  DuplicateExtension = 15,
  /** No DER, or not the structure of RFC 5280. */
  Malformed = 16,
  /** A version other than v3. */
  NotVersion3 = 17,
  /** More or longer certificates, or more parts in one, than there is room for. */
  TooLarge = 18,
  /** More paths, comparisons or signatures than a chain is worth. */
  TooMuchWork = 19,
  /** The key is not the one that is pinned. */
  PinMismatch = 20,
  /** The algorithm outside of the signed part is not the one inside. */
  AlgorithmMismatch = 21,
  NoCertificate = 22,
  /** The anchors' area of the flash is empty or damaged. */
  AnchorsUnreadable = 23,
}

/** The alert for a verdict. Whether the dates end a connection is the caller's policy. */
export function verdictAlert(verdict: CertificateVerdict): u32 {
  switch (verdict) {
    case CertificateVerdict.Valid:
      return NO_ALERT
    case CertificateVerdict.NotYetValid:
    case CertificateVerdict.Expired:
      return AlertDescription.CertificateExpired
    case CertificateVerdict.Undecidable:
    case CertificateVerdict.WrongName:
    case CertificateVerdict.PinMismatch:
      return AlertDescription.CertificateUnknown
    case CertificateVerdict.UnknownAnchor:
      return AlertDescription.UnknownCa
    case CertificateVerdict.WrongUsage:
    case CertificateVerdict.WeakKey:
    case CertificateVerdict.WeakSignature:
    case CertificateVerdict.UnsupportedAlgorithm:
    case CertificateVerdict.UnknownCritical:
    case CertificateVerdict.NotVersion3:
      return AlertDescription.UnsupportedCertificate
    case CertificateVerdict.NoCertificate:
      // RFC 8446, section 4.4.2.4
      return AlertDescription.DecodeError
    case CertificateVerdict.AnchorsUnreadable:
      return AlertDescription.InternalError
    default:
      return AlertDescription.BadCertificate
  }
}

/**
 * Dates against an interval of POSIX seconds, both ends included on both sides (RFC 5280, section 4.1.2.5). The bounds
 * of a path are the latest beginning and the earliest end of its certificates.
 */
export function judgeDates(notBefore: i64, notAfter: i64, earliest: i64, latest: i64): CertificateVerdict {
  if (earliest > notAfter || notBefore > notAfter) return CertificateVerdict.Expired
  if (latest < notBefore) return CertificateVerdict.NotYetValid
  return earliest >= notBefore && latest <= notAfter ? CertificateVerdict.Valid : CertificateVerdict.Undecidable
}

/** True for the verdicts that leave nothing but the dates to doubt, `Valid` among them. */
export function verdictIsOfDates(verdict: CertificateVerdict): bool {
  return verdict <= CertificateVerdict.Expired
}

/** Writes a verdict in words; returns the address after them. At most 24 bytes. */
export function putVerdict(at: usize, verdict: CertificateVerdict): usize {
  switch (verdict) {
    case CertificateVerdict.Valid:
      return putAscii(at, 'valid')
    case CertificateVerdict.Undecidable:
      return putAscii(at, 'dates-undecidable')
    case CertificateVerdict.NotYetValid:
      return putAscii(at, 'not-yet-valid')
    case CertificateVerdict.Expired:
      return putAscii(at, 'expired')
    case CertificateVerdict.WrongName:
      return putAscii(at, 'wrong-name')
    case CertificateVerdict.WrongUsage:
      return putAscii(at, 'wrong-usage')
    case CertificateVerdict.NotAuthority:
      return putAscii(at, 'not-an-authority')
    case CertificateVerdict.UnknownAnchor:
      return putAscii(at, 'unknown-anchor')
    case CertificateVerdict.BadSignature:
      return putAscii(at, 'bad-signature')
    case CertificateVerdict.PathTooLong:
      return putAscii(at, 'path-too-long')
    case CertificateVerdict.NameNotPermitted:
      return putAscii(at, 'name-not-permitted')
    case CertificateVerdict.WeakKey:
      return putAscii(at, 'weak-key')
    case CertificateVerdict.WeakSignature:
      return putAscii(at, 'weak-signature')
    case CertificateVerdict.UnsupportedAlgorithm:
      return putAscii(at, 'unsupported-algorithm')
    case CertificateVerdict.UnknownCritical:
      return putAscii(at, 'unknown-critical')
    case CertificateVerdict.DuplicateExtension:
      return putAscii(at, 'duplicate-extension')
    case CertificateVerdict.Malformed:
      return putAscii(at, 'malformed')
    case CertificateVerdict.NotVersion3:
      return putAscii(at, 'not-version-3')
    case CertificateVerdict.TooLarge:
      return putAscii(at, 'too-large')
    case CertificateVerdict.TooMuchWork:
      return putAscii(at, 'too-much-work')
    case CertificateVerdict.PinMismatch:
      return putAscii(at, 'pin-mismatch')
    case CertificateVerdict.AlgorithmMismatch:
      return putAscii(at, 'algorithm-mismatch')
    case CertificateVerdict.NoCertificate:
      return putAscii(at, 'no-certificate')
    default:
      return putAscii(at, 'anchors-unreadable')
  }
}
