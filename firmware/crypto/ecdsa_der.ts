// The DER form of an ECDSA signature (RFC 3279, section 2.2.3), as TLS and X.509 carry it:
//
//   ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }
//
// The other form is r | s, big end first, 32 bytes each on P-256 and 48 on P-384. Any addresses; signatures are public.

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

/** Reads a signature on P-256 into r | s at `out`, as `ecdsaSignatureRead` does. */
export function ecdsaSignatureFromDer(der: usize, length: u32, out: usize): bool {
  return ecdsaSignatureRead(der, length, out, 32)
}

/**
 * Reads DER into r | s at `out`, `size` bytes each, 32 or 48. False unless it is exactly DER: shortest lengths, shortest
 * positive integers.
 */
export function ecdsaSignatureRead(der: usize, length: u32, out: usize, size: u32): bool {
  // The longest form, and so every length in it, is shorter than 128 bytes.
  if (length < 2 || length > 2 + 2 * (3 + size)) return false
  if (load<u8>(der) !== 0x30 || <u32>load<u8>(der, 1) !== length - 2) return false
  const end = der + length
  const middle = takeInteger(der + 2, end, out, size)
  return middle !== 0 && takeInteger(middle, end, out + size, size) === end
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

/** Reads an INTEGER of 0 .. 2^(8 size) - 1 into `size` bytes; returns the address after it, or 0. */
function takeInteger(p: usize, end: usize, out: usize, size: usize): usize {
  if (end - p < 3 || load<u8>(p) !== 2) return 0
  const length = <usize>load<u8>(p, 1)
  const first = p + 2
  if (length === 0 || length > size + 1 || length > end - first) return 0
  const top = load<u8>(first)
  if (top > 0x7f || (length > 1 && top === 0 && load<u8>(first, 1) < 0x80) || (length > size && top !== 0)) return 0
  const skip: usize = length > size ? 1 : 0
  memory.fill(out, 0, size)
  memory.copy(out + size + skip - length, first + skip, length - skip)
  return first + length
}
