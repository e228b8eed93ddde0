// Builds paths from the leaf to an anchor (RFC 4158), and holds each against RFC 5280, section 6.
//
// Depth first: above a certificate, the anchors with its issuer's name are tried before the other certificates that were
// sent. What costs little is asked first; signatures are verified, from the anchor down, only on a path that fulfils everything else.
// A signature that was verified once is remembered. A path whose dates are `Valid` is looked for first; if there is none,
// one that is `Undecidable`, then one that is not, so that the verdict about dates says that they alone are wrong.
//
// Names chain when their DER is the same, octet by octet (RFC 5280, section 4.1.2.6, asks authorities for that), and when
// the key identifiers agree, where both are given.

import { loadU32be } from '../bytes/endian'
import { SALT_AS_HASH, SignatureScheme, signatureBegin, signatureStep } from '../crypto/signature'
import {
  ANCHOR,
  ANCHOR_IS_AUTHORITY,
  AnchorProgress,
  AnchorRecord,
  anchorKey,
  anchorKeyId,
  anchorsLoadStep,
  anchorsMount,
  anchorsNext,
  anchorsSearch,
  anchorsSearchStep,
} from '../drivers/anchor_store'
import { signatureScheme } from './x509_algorithm'
import { holdConstraints, openConstraints } from './x509_constraints'
import { Certificate, CertificateFlag, KeyUsage, Progress, sameBytes } from './x509_parse'
import {
  beginDigest,
  CHAIN_MAX,
  COMPARISONS_MAX,
  certificateAt,
  digest,
  digestSlice,
  finish,
  Judgement,
  NODES_MAX,
  nextAt,
  note,
  Phase,
  pathAt,
  pathCertificate,
  SIGNATURES_MAX,
  setNextAt,
  setPathAt,
} from './x509_state'
import { CertificateVerdict, judgeDates } from './x509_verdict'

/** Begins with the leaf alone. */
export function beginSearch(state: usize): void {
  const judgement = changetype<Judgement>(state)
  if (!anchorsMount()) {
    finish(state, CertificateVerdict.AnchorsUnreadable)
    return
  }
  judgement.depth = 0
  setPathAt(state, 0, 0)
  judgement.phase = Phase.Node
}

/** One slice of the search. */
export function pathStep(state: usize): void {
  switch (changetype<Judgement>(state).phase) {
    case Phase.Node:
      node(state)
      break
    case Phase.HashIssuer:
      hashIssuer(state)
      break
    case Phase.Search:
      if (anchorsSearchStep()) nextAnchor(state)
      break
    case Phase.Load:
      loadAnchor(state)
      break
    case Phase.Anchor:
      meetAnchor(state)
      break
    case Phase.Constraints:
      constraints(state)
      break
    case Phase.Begin:
      beginSignature(state)
      break
    case Phase.Verify:
      verify(state)
      break
    default:
      extend(state)
      break
  }
}

/** The path has a new top: looks for anchors with its issuer's name. */
function node(state: usize): void {
  const judgement = changetype<Judgement>(state)
  if (++judgement.nodes > NODES_MAX) {
    finish(state, CertificateVerdict.TooMuchWork)
    return
  }
  const top = pathCertificate(state, judgement.depth)
  setNextAt(state, judgement.depth, 1)
  beginDigest(state, top.issuer, top.issuerLength)
  judgement.phase = Phase.HashIssuer
}

function hashIssuer(state: usize): void {
  if (!digestSlice(state)) return
  anchorsSearch(loadU32be(digest(state)))
  changetype<Judgement>(state).phase = Phase.Search
}

function nextAnchor(state: usize): void {
  const found = anchorsNext() === AnchorProgress.Working
  changetype<Judgement>(state).phase = found ? Phase.Load : Phase.Extend
}

function loadAnchor(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const progress = anchorsLoadStep(digest(state), judgement.tag)
  if (progress === AnchorProgress.Working) return
  if (progress === AnchorProgress.Done) {
    judgement.phase = Phase.Anchor
    return
  }
  if (progress === AnchorProgress.Damaged) note(state, CertificateVerdict.AnchorsUnreadable)
  nextAnchor(state)
}

/** Everything about path and anchor that costs little. */
function meetAnchor(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const anchor = changetype<AnchorRecord>(ANCHOR)
  const top = pathCertificate(state, judgement.depth)
  const known = sameKeyId(top.authorityKeyId, top.authorityKeyIdLength, anchorKeyId(), anchor.keyIdLength)
  if (!known || !anchorMaySign(state)) {
    nextAnchor(state)
    return
  }
  boundDates(state)
  const dates = judgeDates(judgement.notBefore, judgement.notAfter, judgement.earliest, judgement.latest)
  judgement.seen |= 1 << dates
  if (dates !== judgement.wanted || hasBadPair(state)) {
    nextAnchor(state)
    return
  }
  openConstraints(state)
  judgement.phase = Phase.Constraints
}

/** Key identifiers agree, or one of them is missing. */
function sameKeyId(a: usize, aLength: u32, b: usize, bLength: u32): bool {
  return aLength === 0 || bLength === 0 || sameBytes(a, aLength, b, bLength)
}

/** An authority with this path below it; or the very key of a leaf that stands alone. */
function anchorMaySign(state: usize): bool {
  const judgement = changetype<Judgement>(state)
  const anchor = changetype<AnchorRecord>(ANCHOR)
  if ((anchor.flags & ANCHOR_IS_AUTHORITY) === 0) {
    const leaf = certificateAt(state, 0)
    if (judgement.depth === 0 && sameBytes(leaf.key, leaf.keyLength, anchorKey(), anchor.keyLength)) return true
    note(state, CertificateVerdict.NotAuthority)
    return false
  }
  if (countIntermediates(state) <= <u32>anchor.pathLength) return true
  note(state, CertificateVerdict.PathTooLong)
  return false
}

/** Certificates above the leaf that are not self-issued (RFC 5280, section 4.2.1.9). */
function countIntermediates(state: usize): u32 {
  const depth = changetype<Judgement>(state).depth
  let count: u32 = 0
  for (let place: u32 = 1; place <= depth; place++) {
    if ((pathCertificate(state, place).flags & CertificateFlag.SelfIssued) === 0) count++
  }
  return count
}

function boundDates(state: usize): void {
  const judgement = changetype<Judgement>(state)
  judgement.notBefore = i64.MIN_VALUE
  judgement.notAfter = i64.MAX_VALUE
  for (let place: u32 = 0; place <= judgement.depth; place++) {
    const certificate = pathCertificate(state, place)
    if (certificate.notBefore > judgement.notBefore) judgement.notBefore = certificate.notBefore
    if (certificate.notAfter < judgement.notAfter) judgement.notAfter = certificate.notAfter
  }
}

function constraints(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const progress = holdConstraints(state)
  if (progress === Progress.More) return
  if (progress === Progress.Done) {
    judgement.place = judgement.depth
    judgement.phase = Phase.Begin
  } else if (judgement.comparisons > COMPARISONS_MAX) {
    finish(state, CertificateVerdict.TooMuchWork)
  } else {
    note(state, CertificateVerdict.NameNotPermitted)
    nextAnchor(state)
  }
}

// ---- Signatures

/** The bit of a certificate of the path and the one above it. */
function pairBit(state: usize, place: u32): u32 {
  return 1 << (pathAt(state, place) * CHAIN_MAX + pathAt(state, place + 1))
}

function hasBadPair(state: usize): bool {
  const judgement = changetype<Judgement>(state)
  for (let place: u32 = 0; place < judgement.depth; place++) {
    if ((judgement.bad & pairBit(state, place)) !== 0) return true
  }
  return false
}

/** Begins with the signature at `place`, unless it is known to hold; after the leaf's the verdict is there. */
function beginSignature(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const place = judgement.place
  const certificate = pathCertificate(state, place)
  const byAnchor = place === judgement.depth
  if (!byAnchor && (judgement.good & pairBit(state, place)) !== 0) {
    signatureHolds(state)
    return
  }
  if (judgement.signatures >= SIGNATURES_MAX) {
    finish(state, CertificateVerdict.TooMuchWork)
    return
  }
  let begun: bool = false
  if (byAnchor) {
    const anchor = changetype<AnchorRecord>(ANCHOR)
    begun = beginVerify(certificate, anchor.keyKind, anchorKey(), anchor.keyLength)
  } else {
    const issuer = pathCertificate(state, place + 1)
    begun = beginVerify(certificate, issuer.keyKind, issuer.key, issuer.keyLength)
  }
  // Another verification may be under way: then the next step tries again.
  if (!begun) return
  judgement.signatures++
  judgement.phase = Phase.Verify
}

function beginVerify(certificate: Certificate, keyKind: u32, key: usize, keyLength: u32): bool {
  const scheme: SignatureScheme = signatureScheme(certificate.algorithm, keyKind)
  return signatureBegin(
    scheme,
    key,
    keyLength,
    certificate.signed,
    certificate.signedLength,
    certificate.signature,
    certificate.signatureLength,
    SALT_AS_HASH,
  )
}

function verify(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const result = signatureStep()
  if (result === 0) return
  const byAnchor = judgement.place === judgement.depth
  if (result > 0) {
    if (!byAnchor) judgement.good |= pairBit(state, judgement.place)
    signatureHolds(state)
    return
  }
  if (!byAnchor) judgement.bad |= pairBit(state, judgement.place)
  note(state, CertificateVerdict.BadSignature)
  nextAnchor(state)
}

function signatureHolds(state: usize): void {
  const judgement = changetype<Judgement>(state)
  if (judgement.place === 0) {
    finish(state, judgement.wanted)
  } else {
    judgement.place--
    judgement.phase = Phase.Begin
  }
}

// ---- The other certificates

/** Tries one of the certificates that were sent above the top of the path; after the last, the top is taken off. */
function extend(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const candidate = nextAt(state, judgement.depth)
  if (candidate >= judgement.count) {
    retreat(state)
    return
  }
  setNextAt(state, judgement.depth, candidate + 1)
  if (!isIssuer(state, candidate)) return
  judgement.depth++
  setPathAt(state, judgement.depth, candidate)
  judgement.phase = Phase.Node
}

function isIssuer(state: usize, candidate: u32): bool {
  const judgement = changetype<Judgement>(state)
  for (let place: u32 = 0; place <= judgement.depth; place++) if (pathAt(state, place) === candidate) return false
  const top = pathCertificate(state, judgement.depth)
  const issuer = certificateAt(state, candidate)
  if (!sameBytes(top.issuer, top.issuerLength, issuer.subject, issuer.subjectLength)) return false
  if (!sameKeyId(top.authorityKeyId, top.authorityKeyIdLength, issuer.subjectKeyId, issuer.subjectKeyIdLength)) {
    return false
  }
  const reason = whyNotIssuer(state, issuer)
  if (reason !== CertificateVerdict.Valid) note(state, reason)
  return reason === CertificateVerdict.Valid
}

/** RFC 5280, section 6.1.4 (k) to (n); and the purposes, which an authority hands down. */
function whyNotIssuer(state: usize, issuer: Certificate): CertificateVerdict {
  const flags = issuer.flags
  if (issuer.verdict !== CertificateVerdict.Valid) return issuer.verdict
  if ((flags & CertificateFlag.Authority) === 0) return CertificateVerdict.NotAuthority
  if ((flags & CertificateFlag.HasUsage) !== 0 && (issuer.usage & KeyUsage.KeyCertSign) === 0) {
    return CertificateVerdict.NotAuthority
  }
  if ((flags & CertificateFlag.HasPurposes) !== 0 && (flags & CertificateFlag.ServerAuth) === 0) {
    return CertificateVerdict.WrongUsage
  }
  return countIntermediates(state) > issuer.pathLength ? CertificateVerdict.PathTooLong : CertificateVerdict.Valid
}

/** Back to the certificate below; from the leaf, the search begins again for worse dates, or ends. */
function retreat(state: usize): void {
  const judgement = changetype<Judgement>(state)
  if (judgement.depth !== 0) {
    judgement.depth--
    return
  }
  const worst: u32 = CertificateVerdict.Expired
  let wanted: u32 = judgement.wanted + 1
  while (wanted <= worst && (judgement.seen & (1 << wanted)) === 0) wanted++
  if (wanted > worst) {
    const failure = judgement.failure
    finish(state, failure === CertificateVerdict.Valid ? CertificateVerdict.UnknownAnchor : failure)
    return
  }
  judgement.wanted = wanted
  judgement.phase = Phase.Node
}
