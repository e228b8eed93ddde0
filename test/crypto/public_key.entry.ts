// The public-key primitives, with buffers for the test to fill.

export * from '../../firmware/crypto/field25519'
export * from '../../firmware/crypto/x25519'

import { x25519Step } from '../../firmware/crypto/x25519'

const AREA: usize = memory.data(16384, 16)

export function area(): usize {
  return AREA
}

/** Steps until done; the number of steps. */
export function runX25519(state: usize): i32 {
  let steps = 1
  while (!x25519Step(state)) steps++
  return steps
}
