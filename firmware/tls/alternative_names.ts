// The names of this device as the content of GeneralNames, in DER (RFC 5280, section 4.2.1.6).
//
// In: the board's list of names (ASCII, separated by NUL) and its IPv4 address. Out: a dNSName in lower case for each
// host name (RFC 1123, section 2.1), an iPAddress for each name that is a dotted quad, and one for the address.
// What is neither is left out: a certificate that names it would help nobody.

/** Largest content that is made. Bounds the certificate's size and the time to hash it. */
export const ALTERNATIVE_NAMES_MAX: u32 = 256

/** dNSName [2] IA5String */
const DNS_NAME: u32 = 0x82
/** iPAddress [7] OCTET STRING, 4 bytes for IPv4 */
const IP_ADDRESS: u32 = 0x87

/** Longest host name and longest label (RFC 1035, section 2.3.4). */
const HOST_NAME_MAX: u32 = 253
const LABEL_MAX: u32 = 63

/**
 * Writes the names to `out` (`ALTERNATIVE_NAMES_MAX` bytes); returns the length: 0 when no usable name was given, -1 when
 * they do not fit. `ip4` has the first octet in its highest byte; 0 means none.
 */
export function encodeAlternativeNames(names: usize, namesLength: u32, ip4: u32, out: usize): i32 {
  let length: i32 = 0
  let begin: u32 = 0
  while (begin < namesLength && length >= 0) {
    let end = begin
    while (end < namesLength && load<u8>(names + end) !== 0) end++
    length = appendName(names + begin, end - begin, out, length)
    begin = end + 1
  }
  return ip4 === 0 || length < 0 ? length : appendAddress(ip4, out, length)
}

function appendName(name: usize, length: u32, out: usize, at: i32): i32 {
  const address = parseIp4(name, length)
  if (address !== 0) return appendAddress(<u32>address, out, at)
  if (!isHostName(name, length)) return at
  // A name of 128 bytes and more would need a longer DER length; half the space for one name is too much anyway.
  if (<u32>at + 2 + length > ALTERNATIVE_NAMES_MAX || length > 0x7f) return -1
  store<u8>(out + at, DNS_NAME)
  store<u8>(out + at, length, 1)
  for (let i: u32 = 0; i < length; i++) store<u8>(out + at + i, lowerCase(load<u8>(name + i)), 2)
  return at + 2 + <i32>length
}

function appendAddress(ip4: u32, out: usize, at: i32): i32 {
  if (<u32>at + 6 > ALTERNATIVE_NAMES_MAX) return -1
  store<u8>(out + at, IP_ADDRESS)
  store<u8>(out + at, 4, 1)
  for (let i: u32 = 0; i < 4; i++) store<u8>(out + at + i, ip4 >> (24 - 8 * i), 2)
  return at + 6
}

/** Labels of letters, digits and inner hyphens, separated by single dots. */
function isHostName(name: usize, length: u32): bool {
  if (length === 0 || length > HOST_NAME_MAX) return false
  let labelLength: u32 = 0
  let previous: u32 = 0x2e
  for (let i: u32 = 0; i < length; i++) {
    const c: u32 = load<u8>(name + i)
    if (c === 0x2e) {
      if (labelLength === 0 || previous === 0x2d) return false
      labelLength = 0
    } else {
      const hyphen = c === 0x2d
      if (!isLetterOrDigit(c) && !(hyphen && labelLength !== 0)) return false
      labelLength++
      if (labelLength > LABEL_MAX) return false
    }
    previous = c
  }
  return labelLength !== 0 && previous !== 0x2d
}

function isLetterOrDigit(c: u32): bool {
  const lower = lowerCase(c)
  return (c >= 0x30 && c <= 0x39) || (lower >= 0x61 && lower <= 0x7a)
}

function lowerCase(c: u32): u32 {
  return c >= 0x41 && c <= 0x5a ? c + 0x20 : c
}

/** The address of a dotted quad without leading zeros, in the low 32 bits; 0 when it is none (or 0.0.0.0). */
function parseIp4(text: usize, length: u32): u64 {
  let address: u64 = 0
  let octet: u32 = 0
  let digits: u32 = 0
  let dots: u32 = 0
  for (let i: u32 = 0; i < length; i++) {
    const c: u32 = load<u8>(text + i)
    if (c === 0x2e) {
      if (digits === 0 || dots === 3) return 0
      address = (address << 8) | octet
      octet = 0
      digits = 0
      dots++
    } else {
      if (c < 0x30 || c > 0x39 || (digits !== 0 && octet === 0)) return 0
      octet = octet * 10 + (c - 0x30)
      digits++
      if (octet > 255) return 0
    }
  }
  return dots === 3 && digits !== 0 ? (address << 8) | octet : 0
}
