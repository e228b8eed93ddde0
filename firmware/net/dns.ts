// DNS: the A records of a name (RFC 1035). A query is written, an answer is read; the sockets are upstream_resolve.ts's.
//
//   in    a name, a random id; a message of any bytes. out: up to DNS_ADDRESSES addresses in host order, or why not
//
// An answer counts when id and question are ours. CNAMEs are followed within it, wherever they stand. Of a truncated one
// what is there is used. Compressed names may only point backwards, so reading them ends; no byte past the end is read.
// Answers are not authenticated: whoever forges one sends us to a server whose certificate, or whose peers, give it away.

import { loadU16be, loadU32be, storeU16be } from '../bytes/endian'

/** Addresses kept of one answer. */
export const DNS_ADDRESSES: u32 = 4

/** Longest name in text, and longest query. */
export const DNS_NAME_MAX: u32 = 253
export const DNS_QUERY_MAX: u32 = 12 + 255 + 4

/** Longest answer over UDP without EDNS (RFC 1035 section 4.2.1). */
export const DNS_ANSWER_MAX: u32 = 512

export const enum DnsVerdict {
  /** There are addresses. */
  Found = 0,
  /** Not the answer to our question, or malformed. */
  Ignored = 1,
  /** The name does not exist, or has no address. */
  Nothing = 2,
  /** The resolver cannot or will not. */
  Refused = 3,
}

const HEADER: u32 = 12
const TYPE_A: u32 = 1
const TYPE_CNAME: u32 = 5
const CLASS_IN: u32 = 1
const NXDOMAIN: u32 = 3
/** CNAMEs in a row. */
const CHAIN_MAX: u32 = 8
const NONE: u32 = 0xffff_ffff
/** Bytes of a name on the wire (RFC 1035 section 2.3.4). A label and a pointer to it would go on for ever. */
const NAME_BYTES_MAX: u32 = 255

const ADDRESSES: usize = memory.data(16, 4)
let addressCount: u32 = 0

export function dnsAddressCount(): u32 {
  return addressCount
}

/** Address `index` of the last answer that was Found. */
export function dnsAddress(index: u32): u32 {
  return load<u32>(ADDRESSES + ((<usize>index) << 2))
}

/** Writes a query for the A records of a name; returns its length, 0 when it is not a name. A dot at its end is allowed. */
export function dnsQuery(out: usize, id: u32, name: usize, nameLength: u32): u32 {
  if (nameLength !== 0 && load<u8>(name + nameLength - 1) === DOT) nameLength--
  if (nameLength === 0 || nameLength > DNS_NAME_MAX) return 0
  memory.fill(out, 0, HEADER)
  storeU16be(out, id)
  // Recursion desired; one question.
  store<u8>(out, 1, 2)
  store<u8>(out, 1, 5)
  let p = out + HEADER
  let at: u32 = 0
  while (at <= nameLength) {
    let size: u32 = 0
    while (at + size < nameLength && load<u8>(name + at + size) !== DOT) size++
    if (size === 0 || size > 63) return 0
    store<u8>(p, <u8>size)
    memory.copy(p + 1, name + at, size)
    p += 1 + size
    at += size + 1
  }
  store<u8>(p, 0)
  storeU16be(p + 1, TYPE_A)
  storeU16be(p + 3, CLASS_IN)
  return <u32>(p + 5 - out)
}

/** Reads an answer to the query of `queryLength` bytes at `query`. */
export function dnsAnswer(message: usize, length: u32, query: usize, queryLength: u32): DnsVerdict {
  if (length < queryLength || length > DNS_ANSWER_MAX) return DnsVerdict.Ignored
  if (loadU16be(message) !== loadU16be(query)) return DnsVerdict.Ignored
  // QR set, opcode 0; one question, which is ours.
  if ((load<u8>(message, 2) & 0xf8) !== 0x80 || loadU16be(message + 4) !== 1) return DnsVerdict.Ignored
  if (!sameQuestion(message, query, queryLength)) return DnsVerdict.Ignored
  const code = <u32>load<u8>(message, 3) & 15
  if (code === NXDOMAIN) return DnsVerdict.Nothing
  if (code !== 0) return DnsVerdict.Refused
  addressCount = 0
  let owner = HEADER
  for (let i: u32 = 0; i < CHAIN_MAX; i++) {
    const next = collect(message, length, queryLength, owner)
    if (addressCount !== 0) return DnsVerdict.Found
    if (next === NONE) break
    owner = next
  }
  return DnsVerdict.Nothing
}

const DOT: u8 = 0x2e

/** Names as they were sent, but for the case of letters. */
function sameQuestion(message: usize, query: usize, queryLength: u32): bool {
  for (let at = HEADER; at < queryLength; at++) {
    if (lower(load<u8>(message + at)) !== lower(load<u8>(query + at))) return false
  }
  return true
}

/** Takes the addresses of the name at `owner`; returns where the name stands that it is an alias of, NONE for none. */
function collect(message: usize, length: u32, first: u32, owner: u32): u32 {
  let at = first
  let alias = NONE
  for (let left = loadU16be(message + 6); left !== 0; left--) {
    const fixed = nameEnd(message, length, at)
    if (fixed === NONE || fixed + 10 > length) break
    const type = loadU16be(message + fixed)
    const size = loadU16be(message + fixed + 8)
    const data = fixed + 10
    if (data + size > length) break
    if (loadU16be(message + fixed + 2) === CLASS_IN && sameName(message, length, at, owner)) {
      if (type === TYPE_CNAME && alias === NONE) alias = data
      else if (type === TYPE_A && size === 4 && addressCount < DNS_ADDRESSES) {
        store<u32>(ADDRESSES + ((<usize>addressCount) << 2), loadU32be(message + data))
        addressCount++
      }
    }
    at = data + size
  }
  return alias
}

/** Where a name ends in the message; NONE when it does not. */
function nameEnd(message: usize, length: u32, at: u32): u32 {
  while (at < length) {
    const size = <u32>load<u8>(message + at)
    if (size === 0) return at + 1
    if (size >= 0xc0) return at + 2 <= length ? at + 2 : NONE
    if (size > 63) return NONE
    at += 1 + size
  }
  return NONE
}

/** Two names are equal but for case. Malformed ones, and those of more than 255 bytes, equal nothing. */
function sameName(message: usize, length: u32, a: u32, b: u32): bool {
  for (let total: u32 = 0; total < NAME_BYTES_MAX; ) {
    a = labelAt(message, length, a)
    b = labelAt(message, length, b)
    if (a === NONE || b === NONE) return false
    const size = <u32>load<u8>(message + a)
    if (size !== <u32>load<u8>(message + b)) return false
    if (size === 0) return true
    for (let i: u32 = 1; i <= size; i++) {
      if (lower(load<u8>(message + a + i)) !== lower(load<u8>(message + b + i))) return false
    }
    a += 1 + size
    b += 1 + size
    total += 1 + size
  }
  return false
}

/** Follows pointers to a whole label, which may be the empty one; NONE when there is none. Pointers go backwards only. */
function labelAt(message: usize, length: u32, at: u32): u32 {
  while (at < length) {
    const size = <u32>load<u8>(message + at)
    if (size < 64) return at + size < length ? at : NONE
    if (size < 0xc0 || at + 2 > length) return NONE
    const target = loadU16be(message + at) & 0x3fff
    if (target >= at || target < HEADER) return NONE
    at = target
  }
  return NONE
}

function lower(byte: u8): u8 {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
