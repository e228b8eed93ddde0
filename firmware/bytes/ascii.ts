// Text without allocation. A string literal is static data; it may be passed on to these functions and nowhere else:
// no concatenation, no variables that hold strings.

/** Writes a literal's characters as bytes at `p`; returns the address after them. */
export function putAscii(p: usize, literal: string): usize {
  const length = literal.length
  const chars = changetype<usize>(literal)
  for (let i = 0; i < length; i++) store<u8>(p + i, load<u16>(chars + ((<usize>i) << 1)))
  return p + length
}

/** Writes `value` in decimal, padded with zeros to at least `width` digits; returns the address after it. */
export function putDecimal(p: usize, value: u64, width: i32 = 1): usize {
  let digits = 1
  for (let rest = value / 10; rest !== 0; rest /= 10) digits++
  if (digits < width) digits = width
  let rest = value
  for (let i = digits - 1; i >= 0; i--) {
    store<u8>(p + i, 0x30 + <u8>(rest % 10))
    rest /= 10
  }
  return p + digits
}

/** As `putDecimal`, with a minus sign for negative values. */
export function putSigned(p: usize, value: i64): usize {
  if (value >= 0) return putDecimal(p, value)
  store<u8>(p, 0x2d)
  return putDecimal(p + 1, <u64>-value)
}

/** Writes `length` bytes in lower-case hexadecimal; returns the address after them. */
export function putHex(p: usize, bytes: usize, length: usize): usize {
  for (let i: usize = 0; i < length; i++) {
    const byte = load<u8>(bytes + i)
    store<u8>(p + 2 * i, hexDigit(byte >> 4))
    store<u8>(p + 2 * i + 1, hexDigit(byte & 15))
  }
  return p + 2 * length
}

/** True when the `length` bytes at `p` are exactly the literal's characters. */
export function equalsAscii(p: usize, length: usize, literal: string): bool {
  if (length !== <usize>literal.length) return false
  const chars = changetype<usize>(literal)
  for (let i: usize = 0; i < length; i++) {
    if (<u32>load<u8>(p + i) !== <u32>load<u16>(chars + (i << 1))) return false
  }
  return true
}

function hexDigit(nibble: u32): u8 {
  return <u8>(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
}
