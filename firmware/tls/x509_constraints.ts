// Name constraints (RFC 5280, section 4.2.1.10): which names the certificates below an authority may have.
//
// Host names and addresses are compared. A subtree of another kind of name in critical constraints makes its authority useless to
// us (`UnknownCritical`); in constraints that are not critical it is stepped over. Held against the constraints of each
// authority are the alternative names of every certificate below it, self-issued authorities excepted.
//
//   NameConstraints  SEQUENCE { permitted [0] GeneralSubtrees OPTIONAL, excluded [1] GeneralSubtrees OPTIONAL }
//   GeneralSubtree   SEQUENCE { base GeneralName, minimum [0] DEFAULT 0, maximum [1] OPTIONAL }: the base alone
//
// Both walks are resumed where they stopped: a call has some fuel, and each comparison takes its share of it.

import { ANCHOR, AnchorRecord, anchorConstraints } from '../drivers/anchor_store'
import { DerTag } from './der'
import { derEnter, derExpect, derFail, derMore, derNext, derRead } from './der_read'
import { addressIsUnder, GeneralName, HOST_NAME_MAX, hostIsUnder, hostMayBeUnder, isGeneralName } from './x509_name'
import { CertificateFlag, Progress } from './x509_parse'
import {
  baseReader,
  COMPARISONS_MAX,
  certificateAt,
  Judgement,
  namesReader,
  pathCertificate,
  treesReader,
} from './x509_state'
import { CertificateVerdict } from './x509_verdict'

const PERMITTED: u32 = DerTag.ContextConstructed
const EXCLUDED: u32 = DerTag.ContextConstructed + 1

/** Costs of a call, in units of about ten instructions. */
const FUEL: i32 = 1000
const SUBTREE_FUEL: i32 = 20

/** Bits of `Judgement.met`: permitted subtrees of the name's kind were there; one of them holds it; an excluded one does. */
const enum Met {
  Permitted = 1,
  Held = 2,
  Excluded = 4,
}

/** Begins a walk over the contents of NameConstraints. */
export function openTrees(state: usize, contents: usize, length: u32): void {
  const judgement = changetype<Judgement>(state)
  judgement.list = 0
  judgement.treesEnd = contents + length
  derRead(treesReader(state), contents, 0)
}

/** Takes the next subtree's base into `baseReader`; false at the end and at a fault of `treesReader`. */
function nextTree(state: usize): bool {
  const judgement = changetype<Judgement>(state)
  const trees = treesReader(state)
  if (!derMore(trees)) {
    if (trees.fault !== 0 || trees.end >= judgement.treesEnd) return false
    derRead(trees, trees.end, <u32>(judgement.treesEnd - trees.end))
    if (!derNext(trees)) return false
    // Permitted comes before excluded, each at most once, neither empty.
    if (trees.tag <= judgement.list || (trees.tag !== PERMITTED && trees.tag !== EXCLUDED)) return derFail(trees)
    judgement.list = trees.tag
    derEnter(trees)
  }
  if (!derExpect(trees, DerTag.Sequence)) return false
  const base = baseReader(state)
  derRead(base, trees.value, trees.length)
  if (!derNext(base) || derMore(base)) return derFail(trees)
  return true
}

/** Looks whether a certificate's constraints can be used at all. The walk must have been opened. */
export function checkTrees(state: usize, index: u32): Progress {
  const certificate = certificateAt(state, index)
  const trees = treesReader(state)
  const base = baseReader(state)
  for (let fuel = FUEL; fuel > 0; fuel -= SUBTREE_FUEL) {
    if (!nextTree(state)) return trees.fault === 0 ? Progress.Done : Progress.Failed
    if (!isGeneralName(base.tag)) return Progress.Failed
    if (base.tag === GeneralName.Ip) {
      if (base.length !== 8 && base.length !== 32) return Progress.Failed
    } else if (base.tag !== GeneralName.Dns && (certificate.flags & CertificateFlag.ConstraintsCritical) !== 0) {
      if (certificate.verdict === CertificateVerdict.Valid) certificate.verdict = CertificateVerdict.UnknownCritical
      return Progress.Done
    }
  }
  return Progress.More
}

/** Begins to hold the path, whose anchor is loaded, against all constraints. */
export function openConstraints(state: usize): void {
  const judgement = changetype<Judgement>(state)
  judgement.holder = judgement.depth + 2
  judgement.held = 0
  derRead(namesReader(state), 0, 0)
  derRead(treesReader(state), 0, 0)
  judgement.treesEnd = 0
  judgement.met = 0
}

/** Goes on. `Failed`: a name is not permitted, or it takes too much (`comparisons`). */
export function holdConstraints(state: usize): Progress {
  const judgement = changetype<Judgement>(state)
  let fuel = FUEL
  while (fuel > 0) {
    if (nextTree(state)) {
      fuel -= SUBTREE_FUEL + compare(state)
      if (++judgement.comparisons > COMPARISONS_MAX) return Progress.Failed
    } else if (!isAllowed(judgement)) {
      return Progress.Failed
    } else if (nextName(state)) {
      openHolder(state)
      fuel -= SUBTREE_FUEL
    } else if (judgement.holder === 0) {
      return Progress.Done
    } else {
      fuel -= SUBTREE_FUEL
    }
  }
  return Progress.More
}

function isAllowed(judgement: Judgement): bool {
  const met = judgement.met
  return (met & Met.Excluded) === 0 && (met & (Met.Permitted | Met.Held)) !== Met.Permitted
}

/**
 * The next name to be held, into `namesReader`. False when this certificate has no more: then `held` is the next one, or
 * `holder` the next one with constraints, or 0 at the end of all.
 */
function nextName(state: usize): bool {
  const judgement = changetype<Judgement>(state)
  const names = namesReader(state)
  judgement.met = 0
  judgement.treesEnd = 0
  derRead(treesReader(state), 0, 0)
  if (derMore(names) && derNext(names)) return true
  if (judgement.held !== 0) {
    judgement.held--
  } else {
    do {
      judgement.holder--
      if (judgement.holder === 0) return false
    } while (constraintsLength(state) === 0)
    judgement.held = judgement.holder - 1
  }
  const certificate = pathCertificate(state, judgement.held)
  const exempt = judgement.held !== 0 && (certificate.flags & CertificateFlag.SelfIssued) !== 0
  derRead(names, certificate.names, exempt ? 0 : certificate.namesLength)
  return false
}

/** Places of the path up to `depth` are certificates; the one above is the anchor. */
function constraintsLength(state: usize): u32 {
  const judgement = changetype<Judgement>(state)
  if (judgement.holder > judgement.depth) return changetype<AnchorRecord>(ANCHOR).constraintsLength
  return pathCertificate(state, judgement.holder).constraintsLength
}

function openHolder(state: usize): void {
  const judgement = changetype<Judgement>(state)
  const tag = namesReader(state).tag
  if (tag !== GeneralName.Dns && tag !== GeneralName.Ip) return
  if (judgement.holder > judgement.depth) {
    openTrees(state, anchorConstraints(), changetype<AnchorRecord>(ANCHOR).constraintsLength)
  } else {
    const certificate = pathCertificate(state, judgement.holder)
    openTrees(state, certificate.constraints, certificate.constraintsLength)
  }
}

/** Holds the name against the subtree; returns the fuel that it took. */
function compare(state: usize): i32 {
  const judgement = changetype<Judgement>(state)
  const name = namesReader(state)
  const base = baseReader(state)
  if (base.tag !== name.tag) return 0
  if (judgement.list === PERMITTED) {
    judgement.met |= Met.Permitted
    if (isUnder(state, false)) judgement.met |= Met.Held
  } else if (isUnder(state, true)) {
    judgement.met |= Met.Excluded
  }
  return name.length > HOST_NAME_MAX ? 0 : <i32>min(name.length, base.length) * 3
}

/** A host name that is too long is under no permitted base and under every excluded one. */
function isUnder(state: usize, excluded: bool): bool {
  const name = namesReader(state)
  const base = baseReader(state)
  if (name.tag === GeneralName.Ip) return addressIsUnder(name.value, name.length, base.value, base.length)
  if (name.length > HOST_NAME_MAX) return excluded
  return excluded
    ? hostMayBeUnder(name.value, name.length, base.value, base.length)
    : hostIsUnder(name.value, name.length, base.value, base.length)
}
