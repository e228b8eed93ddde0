// Judges the certificate chain of a TLS server (RFC 5280, section 6; RFC 9525), in slices.
//
//   in    certificate_list of the Certificate message (RFC 8446, section 4.4.2), which stays where it is until the verdict;
//         whom to trust and what name to find (`Trust`); the interval of POSIX seconds in which now is
//   out   a verdict (x509_verdict.ts); the leaf's key, copied; the bounds of the path's dates, for when the clock is better
//
//   each certificate    Head -> Extensions -> Names -> Subtrees        x509_parse.ts, x509_constraints.ts
//   the leaf            Leaf: name, usage; with a pin: HashKey, and that is all
//   a path              Node -> HashIssuer -> Search -> Load -> Anchor -> Constraints -> Begin -> Verify      x509_path.ts
//
// Certificates: at most CHAIN_MAX, 4096 bytes each. The leaf is the first; the others may come in any order, and some
// may be of no use. What is no DER condemns the chain wherever it is; what is merely unfit is left out of paths.
//
// No step takes more than 15,000 instructions of an ESP32-C3. Everything here is public: nothing needs constant time.

import { loadU16be, loadU24be } from '../bytes/endian'
import { signatureCancel } from '../crypto/signature'
import { anchorTag } from '../drivers/anchor_store'
import { derFail, derMore, derNext, derRead } from './der_read'
import { KeyKind } from './x509_algorithm'
import { checkTrees, openTrees } from './x509_constraints'
import { GeneralName, HOST_NAME_MAX, hostMatches, isGeneralName, parseQuad, withoutLastDot } from './x509_name'
import { Certificate, CertificateFlag, certificateExtensions, certificateHead, KeyUsage, Progress } from './x509_parse'
import { beginSearch, pathStep } from './x509_path'
import {
  beginDigest,
  CHAIN_MAX,
  certificateAt,
  digest,
  digestSlice,
  finish,
  Judgement,
  leafKey,
  namesReader,
  Phase,
  X509_SIZE,
} from './x509_state'
import { CertificateVerdict, judgeDates } from './x509_verdict'

/** Whom a chain must convince. Addresses are borrowed until the verdict. */
@unmanaged
export class Trust {
  /** POSIX seconds: now, less and plus its error. No idea: i64.MIN_VALUE and i64.MAX_VALUE. */
  earliest: i64
  latest: i64
  /** The server's name as it was configured, ASCII: a host name, or a dotted quad, which wants an iPAddress. */
  name: usize
  nameLength: u32
  /** 0: the anchors of the system. Else `trustTag` of a label: the anchors stored under it, and no others. */
  tag: u32
  /** 0, or the SHA-256 of the leaf's SubjectPublicKeyInfo: then the key is trusted, whoever signed it. */
  pin: usize
}

/** Bytes of a `Trust`, 8-aligned. */
export const TRUST_SIZE: usize = (offsetof<Trust>() + 7) & ~7

export { X509_SIZE }

/** Longest certificate_list. */
export const CERTIFICATE_LIST_MAX: u32 = 8192

/** Costs of a step over alternative names, in units of about ten instructions. */
const NAMES_FUEL: i32 = 1000
const WILDCARD_FUEL: i32 = 60

/** Begins to judge. `state` is X509_SIZE bytes, 8-aligned. Then `x509Step` until it is true. */
export function x509Begin(state: usize, list: usize, listLength: u32, trust: Trust): void {
  memory.fill(state, 0, X509_SIZE)
  const judgement = changetype<Judgement>(state)
  judgement.earliest = trust.earliest
  judgement.latest = trust.latest
  judgement.name = trust.name
  judgement.nameLength = withoutLastDot(trust.name, trust.nameLength)
  judgement.address = parseQuad(trust.name, trust.nameLength)
  judgement.tag = trust.tag
  judgement.pin = trust.pin
  const verdict = split(state, list, listLength)
  if (verdict !== CertificateVerdict.Valid) finish(state, verdict)
  else judgement.phase = Phase.Head
}

/** One slice; true when the verdict is there. */
export function x509Step(state: usize): bool {
  const judgement = changetype<Judgement>(state)
  switch (judgement.phase) {
    case Phase.Done:
      break
    case Phase.Head:
      head(state)
      break
    case Phase.Extensions:
      extensions(state)
      break
    case Phase.Names:
      names(state)
      break
    case Phase.Subtrees:
      subtrees(state)
      break
    case Phase.Leaf:
      leaf(state)
      break
    case Phase.HashKey:
      hashKey(state)
      break
    default:
      pathStep(state)
      break
  }
  return judgement.phase === Phase.Done
}

/** Ends the work before the verdict; the connection is gone. */
export function x509Cancel(state: usize): void {
  const judgement = changetype<Judgement>(state)
  if (judgement.phase === Phase.Verify) signatureCancel()
  finish(state, CertificateVerdict.UnknownAnchor)
}

export function x509Verdict(state: usize): CertificateVerdict {
  return changetype<Judgement>(state).verdict
}

/** The octets of the leaf's public key (crypto/signature.ts), when the verdict leaves nothing but the dates to doubt. */
export function x509LeafKey(state: usize): usize {
  return leafKey(state)
}

export function x509LeafKeyLength(state: usize): u32 {
  return changetype<Judgement>(state).keyLength
}

export function x509LeafKeyKind(state: usize): KeyKind {
  return changetype<Judgement>(state).keyKind
}

/** First second at which the whole path is valid. The anchor's own dates are no part of it (RFC 5280, section 6.1.1). */
export function x509NotBefore(state: usize): i64 {
  return changetype<Judgement>(state).notBefore
}

/** The last such second. */
export function x509NotAfter(state: usize): i64 {
  return changetype<Judgement>(state).notAfter
}

/** The tag of the anchors that are stored under a label. */
export function trustTag(label: usize, length: u32): u32 {
  return anchorTag(label, length)
}

/** CertificateEntry: length u24 | certificate | length u16 | extensions. Notes where each certificate lies. */
function split(state: usize, list: usize, listLength: u32): CertificateVerdict {
  const judgement = changetype<Judgement>(state)
  if (listLength === 0) return CertificateVerdict.NoCertificate
  if (listLength > CERTIFICATE_LIST_MAX) return CertificateVerdict.TooLarge
  let at = list
  const end = list + listLength
  while (at < end) {
    if (end - at < 3) return CertificateVerdict.Malformed
    const length = loadU24be(at)
    if (length === 0 || length > end - at - 3 || end - at - 3 - length < 2) return CertificateVerdict.Malformed
    const more = loadU16be(at + 3 + length)
    if (more > end - at - 5 - length) return CertificateVerdict.Malformed
    if (judgement.count === CHAIN_MAX) return CertificateVerdict.TooLarge
    const certificate = certificateAt(state, judgement.count)
    certificate.start = at + 3
    certificate.length = length
    judgement.count++
    at += 5 + length + more
  }
  return CertificateVerdict.Valid
}

function current(state: usize): Certificate {
  return certificateAt(state, changetype<Judgement>(state).current)
}

function head(state: usize): void {
  const certificate = current(state)
  if (!certificateHead(certificate, certificate.start, certificate.length)) finish(state, certificate.verdict)
  else changetype<Judgement>(state).phase = Phase.Extensions
}

function extensions(state: usize): void {
  const certificate = current(state)
  const progress = certificateExtensions(certificate)
  if (progress === Progress.Failed) finish(state, certificate.verdict)
  if (progress !== Progress.Done) return
  derRead(namesReader(state), certificate.names, certificate.namesLength)
  changetype<Judgement>(state).phase = Phase.Names
}

/** Reads the alternative names; looks for the server's among those of the leaf. */
function names(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const reader = namesReader(state)
  for (let fuel = NAMES_FUEL; fuel > 0 && derMore(reader); fuel -= 10) {
    if (!derNext(reader)) break
    if (!isGeneralName(reader.tag)) derFail(reader)
    if (judgement.current === 0 && judgement.named === 0 && isNamed(state)) judgement.named = 1
    if (reader.length <= HOST_NAME_MAX) fuel -= <i32>reader.length * 3
    if (reader.length !== 0 && load<u8>(reader.value) === 0x2a) fuel -= WILDCARD_FUEL
  }
  if (reader.fault !== 0) {
    finish(state, CertificateVerdict.Malformed)
  } else if (!derMore(reader)) {
    const certificate = current(state)
    openTrees(state, certificate.constraints, certificate.constraintsLength)
    judgement.phase = Phase.Subtrees
  }
}

/** True when the name read last is the server's (RFC 9525, section 6): by dNSName or by iPAddress, never by both. */
function isNamed(state: usize): bool {
  const judgement = changetype<Judgement>(state)
  const reader = namesReader(state)
  if (judgement.address >= 0) {
    if (reader.tag !== GeneralName.Ip || reader.length !== 4) return false
    for (let i: u32 = 0; i < 4; i++) {
      if (<u32>load<u8>(reader.value + i) !== (<u32>judgement.address >> (24 - 8 * i)) % 256) return false
    }
    return true
  }
  if (reader.tag !== GeneralName.Dns || reader.length > HOST_NAME_MAX) return false
  return hostMatches(reader.value, reader.length, judgement.name, judgement.nameLength)
}

function subtrees(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const progress = checkTrees(state, judgement.current)
  if (progress === Progress.Failed) finish(state, CertificateVerdict.Malformed)
  if (progress !== Progress.Done) return
  judgement.current++
  judgement.phase = judgement.current < judgement.count ? Phase.Head : Phase.Leaf
}

/** What must hold of the leaf whatever the path. */
function leaf(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const certificate = certificateAt(state, 0)
  if (certificate.verdict !== CertificateVerdict.Valid) {
    finish(state, certificate.verdict)
  } else if (judgement.named === 0) {
    finish(state, CertificateVerdict.WrongName)
  } else if (!mayServe(certificate)) {
    finish(state, CertificateVerdict.WrongUsage)
  } else {
    judgement.keyKind = certificate.keyKind
    judgement.keyLength = certificate.keyLength
    memory.copy(leafKey(state), certificate.key, certificate.keyLength)
    if (judgement.pin === 0) beginSearch(state)
    else beginPin(state)
  }
}

/** A TLS 1.3 server signs (RFC 8446, section 4.4.2.2); and it is a server, if its purposes are told. */
function mayServe(certificate: Certificate): bool {
  const flags = certificate.flags
  if ((flags & CertificateFlag.HasUsage) !== 0 && (certificate.usage & KeyUsage.DigitalSignature) === 0) return false
  return (flags & CertificateFlag.HasPurposes) === 0 || (flags & CertificateFlag.ServerAuth) !== 0
}

function beginPin(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const certificate = certificateAt(state, 0)
  beginDigest(state, certificate.keyInfo, certificate.keyInfoLength)
  judgement.phase = Phase.HashKey
}

function hashKey(state: usize): void {
  const judgement = changetype<Judgement>(state)
  if (!digestSlice(state)) return
  const certificate = certificateAt(state, 0)
  judgement.notBefore = certificate.notBefore
  judgement.notAfter = certificate.notAfter
  if (memory.compare(digest(state), judgement.pin, 32) !== 0) {
    finish(state, CertificateVerdict.PinMismatch)
  } else {
    finish(state, judgeDates(certificate.notBefore, certificate.notAfter, judgement.earliest, judgement.latest))
  }
}
