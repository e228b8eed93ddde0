// Names of servers: RFC 9525 (matching), RFC 5280, sections 4.2.1.6 and 4.2.1.10 (alternative names and constraints).
//
// In: spans of ASCII or of octets, at any address. Out: yes or no. Host names compare without regard to ASCII case; internationalised names
// are A-labels, on both sides, and need nothing else. There is no fallback to commonName.

/** GeneralName ::= CHOICE: the identifier octets (RFC 5280, section 4.2.1.6). */
export const enum GeneralName {
  Other = 0xa0,
  Rfc822 = 0x81,
  Dns = 0x82,
  X400 = 0xa3,
  Directory = 0xa4,
  EdiParty = 0xa5,
  Uri = 0x86,
  Ip = 0x87,
  RegisteredId = 0x88,
}

/** Longest host name (RFC 1035, section 2.3.4), a last dot aside. */
export const HOST_NAME_MAX: u32 = 253

export function isGeneralName(tag: u32): bool {
  switch (tag) {
    case GeneralName.Other:
    case GeneralName.Rfc822:
    case GeneralName.Dns:
    case GeneralName.X400:
    case GeneralName.Directory:
    case GeneralName.EdiParty:
    case GeneralName.Uri:
    case GeneralName.Ip:
    case GeneralName.RegisteredId:
      return true
    default:
      return false
  }
}

/** The address of a dotted quad, first octet highest; -1 when the text is none. */
export function parseQuad(text: usize, length: u32): i64 {
  let address: i64 = 0
  let octet: u32 = 0
  let digits: u32 = 0
  let dots: u32 = 0
  for (let i: u32 = 0; i < length; i++) {
    const c: u32 = load<u8>(text + i)
    if (c === 0x2e) {
      if (digits === 0 || dots === 3) return -1
      address = (address << 8) | octet
      octet = 0
      digits = 0
      dots++
    } else {
      if (c < 0x30 || c > 0x39 || (digits !== 0 && octet === 0)) return -1
      octet = octet * 10 + (c - 0x30)
      digits++
      if (octet > 255) return -1
    }
  }
  return dots === 3 && digits !== 0 ? (address << 8) | octet : -1
}

/** A configured name without the dot that makes it absolute. */
export function withoutLastDot(name: usize, length: u32): u32 {
  return length !== 0 && load<u8>(name + length - 1) === 0x2e ? length - 1 : length
}

/**
 * True when a dNSName of a certificate is the host's name (RFC 9525, section 6.3). `*` as the whole left-most label stands for
 * one label, if at least two follow.
 */
export function hostMatches(pattern: usize, patternLength: u32, host: usize, hostLength: u32): bool {
  if (isWildcard(pattern, patternLength)) {
    const label = firstLabel(host, hostLength)
    if (label === 0 || label === hostLength || countDots(pattern, patternLength) < 2) return false
    return sameHost(pattern + 1, patternLength - 1, host + label, hostLength - label)
  }
  return patternLength !== 0 && sameHost(pattern, patternLength, host, hostLength)
}

/**
 * True when a host's name is inside a subtree (RFC 5280, section 4.2.1.10): it is the base, or has labels before it. A
 * base with a leading dot wants at least one label; an empty base holds every name.
 */
export function hostIsUnder(name: usize, length: u32, base: usize, baseLength: u32): bool {
  if (baseLength === 0) return true
  if (length < baseLength) return false
  const skip = length - baseLength
  if (!sameHost(name + skip, baseLength, base, baseLength)) return false
  if (load<u8>(base) === 0x2e) return skip !== 0
  return skip === 0 || load<u8>(name + skip - 1) === 0x2e
}

/** As `hostIsUnder`, or a wildcard that stands for a name which is: what an excluded subtree must catch. */
export function hostMayBeUnder(name: usize, length: u32, base: usize, baseLength: u32): bool {
  if (hostIsUnder(name, length, base, baseLength)) return true
  const label = firstLabel(base, baseLength)
  return isWildcard(name, length) && label !== 0 && sameHost(name + 1, length - 1, base + label, baseLength - label)
}

/** True when an address is inside a subtree: address and mask, one after the other (RFC 5280, section 4.2.1.10). */
export function addressIsUnder(address: usize, length: u32, base: usize, baseLength: u32): bool {
  if (baseLength !== 2 * length) return false
  for (let i: u32 = 0; i < length; i++) {
    if (((load<u8>(address + i) ^ load<u8>(base + i)) & load<u8>(base + length + i)) !== 0) return false
  }
  return true
}

/** `*.` in front. A `*` elsewhere is only a character, which no host name has. */
function isWildcard(name: usize, length: u32): bool {
  return length > 2 && load<u8>(name) === 0x2a && load<u8>(name, 1) === 0x2e
}

/** Characters before the first dot. */
function firstLabel(name: usize, length: u32): u32 {
  let i: u32 = 0
  while (i < length && load<u8>(name + i) !== 0x2e) i++
  return i
}

function countDots(name: usize, length: u32): u32 {
  let dots: u32 = 0
  for (let i: u32 = 0; i < length; i++) if (load<u8>(name + i) === 0x2e) dots++
  return dots
}

function sameHost(a: usize, aLength: u32, b: usize, bLength: u32): bool {
  if (aLength !== bLength) return false
  for (let i: u32 = 0; i < aLength; i++) if (lowerCase(load<u8>(a + i)) !== lowerCase(load<u8>(b + i))) return false
  return true
}

function lowerCase(c: u32): u32 {
  return c >= 0x41 && c <= 0x5a ? c + 0x20 : c
}
