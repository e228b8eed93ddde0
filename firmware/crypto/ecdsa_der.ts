// The DER form of an ECDSA signature on P-256 (RFC 3279, section 2.2.3), as TLS and X.509 carry it:
//
//   ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }
//
// The other form is r | s, 32 bytes each, big end first. Any addresses; signatures are public.

/** Longest DER form of a signature. */
export const ECDSA_P256_DER_MAX: u32 = 2 + 2 * (2 + 33)

/** Writes r | s in DER at `out`; returns the length, ECDSA_P256_DER_MAX at most. */
export function ecdsaSignatureToDer(signature: usize, out: usize): u32 {
  let p = putInteger(out + 2, signature)
  p = putInteger(p, signature + 32)
  const length = <u32>(p - out)
  store<u8>(out, 0x30)
  store<u8>(out, length - 2, 1)
  return length
}

/** Reads DER into r | s at `out`. False unless it is exactly DER: shortest lengths, shortest positive integers. */
export function ecdsaSignatureFromDer(der: usize, length: u32, out: usize): bool {
  if (length < 2 || load<u8>(der) !== 0x30 || <u32>load<u8>(der, 1) !== length - 2 || length > ECDSA_P256_DER_MAX) {
    return false
  }
  const end = der + length
  const middle = takeInteger(der + 2, end, out)
  return middle !== 0 && takeInteger(middle, end, out + 32) === end
}

/** Writes 32 bytes as a positive INTEGER without leading zeros; returns the address after it. */
function putInteger(p: usize, bytes: usize): usize {
  let skip: usize = 0
  while (skip < 31 && load<u8>(bytes + skip) === 0) skip++
  const sign = <usize>(load<u8>(bytes + skip) >> 7)
  const length: usize = 32 - skip
  store<u8>(p, 2)
  store<u8>(p, <u32>(length + sign), 1)
  store<u8>(p, 0, 2)
  memory.copy(p + 2 + sign, bytes + skip, length)
  return p + 2 + sign + length
}

/** Reads an INTEGER of 0 .. 2^256 - 1 into 32 bytes; returns the address after it, or 0. */
function takeInteger(p: usize, end: usize, out: usize): usize {
  if (end - p < 3 || load<u8>(p) !== 2) return 0
  const length = <usize>load<u8>(p, 1)
  const first = p + 2
  if (length === 0 || length > 33 || length > end - first) return 0
  const top = load<u8>(first)
  if (top > 0x7f || (length > 1 && top === 0 && load<u8>(first, 1) < 0x80) || (length === 33 && top !== 0)) return 0
  const skip: usize = length === 33 ? 1 : 0
  memory.fill(out, 0, 32)
  memory.copy(out + 32 + skip - length, first + skip, length - skip)
  return first + length
}
