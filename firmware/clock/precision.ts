// The precision of the clock, measured as RFC 5905 (section 7.3) wants it: the larger of the counter's resolution and the
// time that it takes to read it, as a power of two of a second.

import { TICK_HZ, ticks } from '../../hal/abi'

const READINGS: i32 = 64

/** log2 of seconds, rounded up: -23 when two readings can be one tick of 62.5 ns apart. */
export function measurePrecision(): i32 {
  let least: u64 = 0xffff_ffff
  let before = ticks()
  for (let i = 0; i < READINGS; i++) {
    const now = ticks()
    const spacing = now - before
    if (spacing > 0 && spacing < least) least = spacing
    before = now
  }
  if (least === 0xffff_ffff) least = 1
  // The smallest power of two of a second that is not below `least` ticks.
  let exponent = 0
  for (let doubled = least << 1; doubled <= <u64>TICK_HZ; doubled <<= 1) exponent--
  return exponent
}
