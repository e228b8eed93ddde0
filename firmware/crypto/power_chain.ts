// Raising to a fixed public power by an addition chain, in slices: the inversions (a^(m-2), Fermat).
//
// A chain is a table of turns, each a u32 of three bytes: 0x<squarings>_<factor>_<save>. A turn squares the accumulator
// that many times, multiplies it by register `factor`, and copies it to register `save`; ff stands for no register.
// The turn 0x00_ff_ff ends the chain. The accumulator and register 0 start as the number itself.
//
// Which multiplications run depends on the chain alone, never on the number.

import { mul25519, sqr25519 } from './field25519'
import { mulP256, sqrP256 } from './p256_field'
import { mulOrder, sqrOrder } from './p256_scalar'

/** Which arithmetic a chain runs in. */
export const enum Modulus {
  /** 2^255 - 19 */
  Field25519 = 0,
  /** P-256's p, in Montgomery form */
  P256Field = 1,
  /** P-256's n, in Montgomery form */
  P256Order = 2,
}

/** Bytes of an element, for every modulus. */
const ELEMENT: usize = 32

/** Registers that a chain may use. */
const REGISTERS: usize = 9

/** Multiplications in one slice. */
const SLICE: u32 = 8

const NONE: u32 = 0xff
const END: u32 = 0x00_ff_ff

/** `accumulator | registers | turn u32 | squared u32`, 4-aligned. */
export const POWER_SIZE: usize = ELEMENT * (1 + REGISTERS) + 8

const TURN: usize = ELEMENT * (1 + REGISTERS)
const SQUARED: usize = TURN + 4

/** Begins with the number at `a`. */
export function powerStart(state: usize, a: usize): void {
  memory.copy(state, a, ELEMENT)
  memory.copy(state + ELEMENT, a, ELEMENT)
  store<u32>(state + TURN, 0)
  store<u32>(state + SQUARED, 0)
}

/** Runs one slice; true when the power stands at `state`. */
export function powerStep(state: usize, chain: usize, modulus: Modulus): bool {
  let turn = load<u32>(state + TURN)
  let squared = load<u32>(state + SQUARED)
  let budget = SLICE
  while (budget > 0) {
    const word = load<u32>(chain + 4 * <usize>turn)
    if (word === END) return true
    const squarings = word >> 16
    const factor = (word >> 8) & 0xff
    const save = word & 0xff
    if (squared < squarings) {
      square(state, modulus)
      squared++
      budget--
      continue
    }
    if (factor !== NONE) {
      multiply(state, state + ELEMENT * <usize>(1 + factor), modulus)
      budget--
    }
    if (save !== NONE) memory.copy(state + ELEMENT * <usize>(1 + save), state, ELEMENT)
    turn++
    squared = 0
  }
  store<u32>(state + TURN, turn)
  store<u32>(state + SQUARED, squared)
  return false
}

function multiply(a: usize, b: usize, modulus: Modulus): void {
  if (modulus === Modulus.Field25519) mul25519(a, a, b)
  else if (modulus === Modulus.P256Field) mulP256(a, a, b)
  else mulOrder(a, a, b)
}

function square(a: usize, modulus: Modulus): void {
  if (modulus === Modulus.Field25519) sqr25519(a, a)
  else if (modulus === Modulus.P256Field) sqrP256(a, a)
  else sqrOrder(a, a)
}
