// An RSA public key as X.509 carries it (RFC 8017, appendix A.1.1), strictly DER:
//
//   RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
//
// Taken: odd moduli of 2048 to 4096 bits, odd exponents from 3 to 2^32 - 1. Any address.

export const RSA_BITS_MIN: u32 = 2048
export const RSA_BITS_MAX: u32 = 4096

/** What `rsaKeyParse` finds. */
@unmanaged
export class RsaKey {
  /** The modulus: where its first byte, which is not 0, lies, and its length. */
  modulus: u32
  modulusLength: u32
  modulusBits: u32
  exponent: u32
}

/** Bytes of an `RsaKey`. */
export const RSA_KEY_SIZE: usize = 16

/** Reads a key; false when it is not exactly DER or not one that is taken. */
export function rsaKeyParse(out: usize, der: usize, length: u32): bool {
  const key = changetype<RsaKey>(out)
  const end = der + length
  const first = takeHeader(der, end, 0x30)
  if (first === 0 || first + <usize>contentLength(der, first) !== end) return false

  const modulus = takePositive(first, end)
  if (modulus === 0) return false
  const afterModulus = integerEnd(first, end)
  const exponent = takePositive(afterModulus, end)
  if (exponent === 0 || integerEnd(afterModulus, end) !== end) return false

  key.modulus = <u32>modulus
  key.modulusLength = <u32>(afterModulus - modulus)
  if (key.modulusLength > RSA_BITS_MAX / 8) return false
  key.modulusBits = 8 * key.modulusLength + 24 - <u32>clz<u32>(load<u8>(modulus))
  if (key.modulusBits < RSA_BITS_MIN || (load<u8>(afterModulus - 1) & 1) === 0) return false

  if (end - exponent > 4) return false
  let e: u32 = 0
  for (let p = exponent; p < end; p++) e = (e << 8) | load<u8>(p)
  key.exponent = e
  return e >= 3 && (e & 1) !== 0
}

/** The first byte of the contents of an element with this tag, or 0 when it does not end before `end` or is not DER. */
function takeHeader(p: usize, end: usize, tag: u32): usize {
  if (end - p < 2 || <u32>load<u8>(p) !== tag) return 0
  const short = <u32>load<u8>(p, 1)
  // Lengths of one byte, of 81 and one byte from 128 up, or of 82 and two bytes from 256 up.
  const more: usize = short < 0x80 ? 0 : short === 0x81 ? 1 : 2
  if (short > 0x82 || short === 0x80 || end - p < 2 + more) return 0
  if (more > 0 && load<u8>(p, 2) < (more === 1 ? 0x80 : 1)) return 0
  const contents = p + 2 + more
  return <usize>contentLength(p, contents) > end - contents ? 0 : contents
}

/** The length in a header that `takeHeader` has taken. */
function contentLength(header: usize, contents: usize): u32 {
  const last = <u32>load<u8>(contents - 1)
  return contents - header === 4 ? ((<u32>load<u8>(header, 2)) << 8) | last : last
}

/** The first byte, not 0, of a positive INTEGER in its shortest form; 0 when it is not one. */
function takePositive(p: usize, end: usize): usize {
  const contents = takeHeader(p, end, 2)
  if (contents === 0) return 0
  const length = contentLength(p, contents)
  if (length === 0) return 0
  const top = load<u8>(contents)
  if (top > 0x7f) return 0
  if (top !== 0) return contents
  return length > 1 && load<u8>(contents, 1) > 0x7f ? contents + 1 : 0
}

/** The address behind an INTEGER that `takePositive` has taken. */
function integerEnd(p: usize, end: usize): usize {
  const contents = takeHeader(p, end, 2)
  return contents + contentLength(p, contents)
}
