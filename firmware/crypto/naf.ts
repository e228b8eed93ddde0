// A scalar's digits in the width-5 non-adjacent form (D. Hankerson, A. Menezes, S. Vanstone, "Guide to Elliptic Curve
// Cryptography", algorithm 3.35): each is 0, or odd and from -15 to 15, and of five neighbours one at most is not 0. So a
// multiplication adds one of eight odd multiples, or its opposite, at every sixth place or so.
//
// For public scalars only: the digits decide what is done.

const WIDTH: u32 = 5

/** The odd multiples that digits ask for: entry |digit| / 2 of 1, 3, .. 15. */
export const NAF_ENTRIES: u32 = 8

/** Digits of a scalar of so many limbs: one more than bits. */
export function nafPlaces(limbs: u32): u32 {
  return 32 * limbs + 1
}

/** Writes the digits, lowest first, a signed byte each. */
export function nafDigits(digits: usize, scalar: usize, limbs: u32): void {
  const places = nafPlaces(limbs)
  let carry: u32 = 0
  memory.fill(digits, 0, places)
  for (let i: u32 = 0; i < places; ) {
    const window = bits(scalar, limbs, i) + carry
    if ((window & 1) === 0) {
      i++
      continue
    }
    carry = window > 16 ? 1 : 0
    store<u8>(digits + i, window - (carry << WIDTH))
    i += WIDTH
  }
}

/** Bits i .. i + 4 of a scalar; zeros above its end. */
function bits(scalar: usize, limbs: u32, i: u32): u32 {
  const word = i >> 5
  if (word >= limbs) return 0
  const low = load<u32>(scalar + (word << 2))
  const high = word + 1 < limbs ? load<u32>(scalar + ((word + 1) << 2)) : 0
  return <u32>((<u64>low | ((<u64>high) << 32)) >> (i & 31)) & 31
}
