// The trust anchors in flash: whose certificates are believed. `noonmark anchors` makes the image (src/anchors.ts), the
// firmware only reads it. It lies behind the log in the address space of the flash HAL: offset `flash_size()`.
//
//   in    the first four bytes of the SHA-256 of a subject's DER
//   out   the anchors with such a subject, one after the other, each loaded into `ANCHOR`
//
//   image    magic u32 "NMA1" | length u32 | count u32 | check u32 | index entry ... | record ...
//   index    prefix u32 | offset u32 of the record; ascending by prefix (the first hash byte is the highest)
//   record   check u32 | length u16 | flags u8 | path length u8 (255: none) | tag u32 | key kind u8 | key id length u8 |
//            key length u16 | constraints length u16 | 0 u16 | 0 u32 | not after i64 | subject hash(32) | key id | key | constraints | label
//
// Little-endian, 4-aligned. `check` is the CRC-32 of what follows it (of the header: of the words before it). Flags: 1 an
// authority (others vouch for their own key only). Tag 0: an anchor of the system; others are for servers that name them.
// Key: the octets of the BIT STRING; constraints: the contents of NameConstraints, or none. The label is for people.
//
// Reading a byte over SPI takes 0.4 us, in which the processor waits, so every call reads a few bytes only.

import { flash_read, flash_size } from '../../hal/abi'
import { crc32 } from './flash_log'

const MAGIC: u32 = 0x3141_4d4e
const HEADER: u32 = 16
const ENTRY: u32 = 8

/** Longest record. */
export const ANCHOR_MAX: u32 = 1024
/** Bytes read by one step: 51 us. */
const CHUNK: u32 = 128
/** Probes of the index in one step. */
const PROBES: u32 = 4

/** The head of a record, 64 bytes; then key id, key, constraints, label. */
@unmanaged
export class AnchorRecord {
  check: u32
  length: u16
  flags: u8
  pathLength: u8
  tag: u32
  keyKind: u8
  keyIdLength: u8
  keyLength: u16
  constraintsLength: u16
  unused: u16
  unused2: u32
  /** POSIX seconds. For people: RFC 5280 does not make the anchor's dates a part of the path. */
  notAfter: i64
}
const SUBJECT_HASH: usize = 32
const RECORD_HEAD: u32 = 64

/** Bit of `AnchorRecord.flags`. */
export const ANCHOR_IS_AUTHORITY: u32 = 1

export const enum AnchorProgress {
  Working = 0,
  /** Found; loaded. */
  Done = 1,
  /** No (more) such anchor. */
  None = 2,
  /** The flash does not hold what its checks promise. */
  Damaged = 3,
}

/** The record that was loaded last. */
export const ANCHOR: usize = memory.data(1024, 8)

const BYTES: usize = memory.data(16, 8)

let count: u32 = 0
/** Search: the first entry at or after `prefix` is in [low, high]. */
let prefix: u32 = 0
let low: u32 = 0
let high: u32 = 0
/** Load: where the record lies, and how much of it has been read. */
let offset: u32 = 0
let loaded: u32 = 0

/** Looks for an image; false when there is none that can be used. */
export function anchorsMount(): bool {
  count = 0
  if (flash_read(flash_size(), BYTES, HEADER) !== 0) return false
  if (load<u32>(BYTES) !== MAGIC || load<u32>(BYTES, 12) !== crc32(BYTES, 12, 0)) return false
  const entries = load<u32>(BYTES, 8)
  if (entries > 4096) return false
  count = entries
  return true
}

/** Number of anchors of the image that is mounted. */
export function anchorsCount(): u32 {
  return count
}

/** Begins to look for anchors by the first four bytes of their subject's hash, the first byte highest. */
export function anchorsSearch(hashPrefix: u32): void {
  prefix = hashPrefix
  low = 0
  high = count
}

/** A few probes; true when `anchorsNext` may be called. */
export function anchorsSearchStep(): bool {
  for (let probes: u32 = 0; low < high && probes < PROBES; probes++) {
    const middle = (low + high) >> 1
    if (!readEntry(middle)) low = high = count
    else if (load<u32>(BYTES) < prefix) low = middle + 1
    else high = middle
  }
  return low >= high
}

/** Begins to load the next anchor of the search: `Working`, then call `anchorsLoadStep`; or `None`. */
export function anchorsNext(): AnchorProgress {
  if (low >= count || !readEntry(low) || load<u32>(BYTES) !== prefix) return AnchorProgress.None
  offset = load<u32>(BYTES, 4)
  loaded = 0
  low++
  return AnchorProgress.Working
}

/** Reads on. `None`: it is not the one with this subject hash (32 bytes) and tag, so `anchorsNext` again. */
export function anchorsLoadStep(subjectHash: usize, tag: u32): AnchorProgress {
  const record = changetype<AnchorRecord>(ANCHOR)
  const length: u32 = loaded === 0 ? RECORD_HEAD : record.length
  const part = min(length - loaded, CHUNK)
  if (flash_read(flash_size() + offset + loaded, ANCHOR + loaded, part) !== 0) return AnchorProgress.Damaged
  if (loaded === 0) {
    if (record.tag !== tag || memory.compare(ANCHOR + SUBJECT_HASH, subjectHash, 32) !== 0) return AnchorProgress.None
    if (!isShaped(record)) return AnchorProgress.Damaged
  }
  loaded += part
  if (loaded < record.length) return AnchorProgress.Working
  return crc32(ANCHOR + 4, <u32>record.length - 4, 0) === record.check ? AnchorProgress.Done : AnchorProgress.Damaged
}

export function anchorKeyId(): usize {
  return ANCHOR + RECORD_HEAD
}

export function anchorKey(): usize {
  return anchorKeyId() + changetype<AnchorRecord>(ANCHOR).keyIdLength
}

export function anchorConstraints(): usize {
  return anchorKey() + changetype<AnchorRecord>(ANCHOR).keyLength
}

/** The tag of the anchors stored under a label; never 0. */
export function anchorTag(label: usize, length: u32): u32 {
  const tag = crc32(label, length, 0)
  return tag === 0 ? 1 : tag
}

function readEntry(index: u32): bool {
  return flash_read(flash_size() + HEADER + index * ENTRY, BYTES, ENTRY) === 0
}

/** True when the parts fit into the record and the record into its buffer. */
function isShaped(record: AnchorRecord): bool {
  const parts = RECORD_HEAD + <u32>record.keyIdLength + <u32>record.keyLength + <u32>record.constraintsLength
  return record.length <= ANCHOR_MAX && parts <= record.length
}
