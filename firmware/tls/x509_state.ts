// What the machine of x509.ts remembers while it judges a chain, and what its parts share.

import { HASH_CONTEXT_SIZE, Hash, hashFinal, hashInit, hashUpdate } from '../crypto/hash'
import { DER_READER_SIZE, DerReader } from './der_read'
import { CERTIFICATE_SIZE, Certificate } from './x509_parse'
import { CertificateVerdict } from './x509_verdict'

/** Certificates that may be sent; a path has no more, the anchor aside. */
export const CHAIN_MAX: u32 = 5

/** Longest key's octets: RSAPublicKey of 4096 bits with an exponent of 32. */
export const KEY_MAX: u32 = 4 + 4 + 513 + 7

/** The most of each kind of work that one chain is worth. */
export const NODES_MAX: u32 = 24
export const SIGNATURES_MAX: u32 = 10
export const COMPARISONS_MAX: u32 = 4096

/** Bytes hashed in one step: three blocks of SHA-256. */
const HASH_SLICE: u32 = 192

export const enum Phase {
  Done = 0,
  Head = 1,
  Extensions = 2,
  Names = 3,
  Subtrees = 4,
  Leaf = 5,
  HashKey = 6,
  Node = 7,
  HashIssuer = 8,
  Search = 9,
  Load = 10,
  Anchor = 11,
  Constraints = 12,
  Begin = 13,
  Verify = 14,
  Extend = 15,
}

@unmanaged
export class Judgement {
  // From the caller.
  earliest: i64
  latest: i64
  name: usize
  nameLength: u32
  /** The name as an IPv4 address, -1 when it is none. */
  address: i64
  tag: u32
  pin: usize
  // The result.
  verdict: u32
  keyKind: u32
  /** Bounds of the path's dates. */
  notBefore: i64
  notAfter: i64
  keyLength: u32
  // The machine.
  phase: u32
  /** Certificates in the chain, and the one that is being read. */
  count: u32
  current: u32
  /** What would be said if no path were found: the first reason against one. */
  failure: u32
  /** 1 once the leaf has the server's name. */
  named: u32
  /** Verdict about dates that a path must have now, and a bit for each that paths have had. */
  wanted: u32
  seen: u32
  /** The path: its length less 1; `pathAt` is the certificate at a place, `nextAt` the next to try above it. */
  depth: u32
  path: u64
  next: u64
  /** Pairs (certificate * CHAIN_MAX + issuer) whose signature holds, and does not. */
  good: u32
  bad: u32
  nodes: u32
  signatures: u32
  comparisons: u32
  /** The place in the path whose signature is being verified. */
  place: u32
  // Name constraints: who holds them (a place in the path), whom they are held against, what has been met.
  holder: u32
  held: u32
  list: u32
  treesEnd: usize
  met: u32
  // Hashing.
  hashAt: usize
  hashLeft: u32
}

const CONTEXT: usize = (offsetof<Judgement>() + 7) & ~7
const DIGEST: usize = CONTEXT + HASH_CONTEXT_SIZE
const NAMES: usize = DIGEST + 32
const TREES: usize = NAMES + ((DER_READER_SIZE + 7) & ~7)
const BASE: usize = TREES + ((DER_READER_SIZE + 7) & ~7)
const CERTIFICATES: usize = BASE + ((DER_READER_SIZE + 7) & ~7)
const KEY: usize = CERTIFICATES + <usize>CHAIN_MAX * CERTIFICATE_SIZE

/** Bytes of the machine's state, 8-aligned. */
export const X509_SIZE: usize = (KEY + KEY_MAX + 7) & ~7

export function digest(state: usize): usize {
  return state + DIGEST
}

/** Over the alternative names of a certificate. */
export function namesReader(state: usize): DerReader {
  return changetype<DerReader>(state + NAMES)
}

/** Over the subtrees of a certificate's or an anchor's name constraints, and over the base of one. */
export function treesReader(state: usize): DerReader {
  return changetype<DerReader>(state + TREES)
}

export function baseReader(state: usize): DerReader {
  return changetype<DerReader>(state + BASE)
}

/** The copy of the leaf's key. */
export function leafKey(state: usize): usize {
  return state + KEY
}

export function certificateAt(state: usize, index: u32): Certificate {
  return changetype<Certificate>(state + CERTIFICATES + <usize>index * CERTIFICATE_SIZE)
}

/** The certificate at a place of the path; 0 is the leaf. */
export function pathAt(state: usize, place: u32): u32 {
  return <u32>load<u8>(state + offsetof<Judgement>('path') + place)
}

export function setPathAt(state: usize, place: u32, index: u32): void {
  store<u8>(state + offsetof<Judgement>('path') + place, index)
}

export function nextAt(state: usize, place: u32): u32 {
  return <u32>load<u8>(state + offsetof<Judgement>('next') + place)
}

export function setNextAt(state: usize, place: u32, index: u32): void {
  store<u8>(state + offsetof<Judgement>('next') + place, index)
}

export function pathCertificate(state: usize, place: u32): Certificate {
  return certificateAt(state, pathAt(state, place))
}

/** Begins to hash a span with SHA-256. */
export function beginDigest(state: usize, at: usize, length: u32): void {
  const judgement = changetype<Judgement>(state)
  judgement.hashAt = at
  judgement.hashLeft = length
  hashInit(Hash.Sha256, state + CONTEXT)
}

/** Hashes the next `HASH_SLICE` bytes; true when all are done and `digest` is there. */
export function digestSlice(state: usize): bool {
  const judgement = changetype<Judgement>(state)
  const length = min(judgement.hashLeft, HASH_SLICE)
  hashUpdate(state + CONTEXT, judgement.hashAt, length)
  judgement.hashAt += length
  judgement.hashLeft -= length
  if (judgement.hashLeft !== 0) return false
  hashFinal(state + CONTEXT, state + DIGEST)
  return true
}

/** Remembers the first reason against a path. */
export function note(state: usize, reason: CertificateVerdict): void {
  const judgement = changetype<Judgement>(state)
  if (judgement.failure === CertificateVerdict.Valid) judgement.failure = reason
}

export function finish(state: usize, verdict: CertificateVerdict): void {
  const judgement = changetype<Judgement>(state)
  judgement.verdict = verdict
  judgement.phase = Phase.Done
}
