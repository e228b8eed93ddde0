// X25519 (RFC 7748, section 5): the Diffie-Hellman function of Curve25519, as a step machine.
//
//   x25519Start(state, scalar, point)   32 bytes each, at any address; point 0 stands for the base point, u = 9
//   x25519Step(state)                   until it returns true
//   x25519Finish(state, out)            32 bytes; false when the result is all zero (section 6.1), out is zero then
//
// Any point goes up the Montgomery ladder, a step for each of 255 bits. The base point is multiplied on edwards25519
// by a comb of two tables 32 bits apart (edwards25519_base.ts): 31 doublings and 64 additions. Both end as a fraction,
// whose denominator is inverted in slices. One step is at most ten field multiplications and ten additions.
//
// Constant time: the ladder does the same for every bit, and swaps by masks; the comb adds for every digit, and reads
// its tables from end to end. limbs.ts says what that means on which processor. The state is wiped at the end.

import { loadU32le } from '../bytes/endian'
import { combDigit, pickElement } from './comb'
import { addNiels, doubleEdwards, EDWARDS_SCRATCH_SIZE, EDWARDS_SIZE, NIELS_SIZE, setNeutral } from './edwards25519'
import { COMB25519, COMB25519_TABLE_SIZE } from './edwards25519_base'
import {
  add25519,
  addMul25519,
  FIELD25519_SIZE,
  fromBytes25519,
  mul25519,
  reduce25519,
  set25519,
  sqr25519,
  sub25519,
  swap25519,
  toBytes25519,
} from './field25519'
import { INVERT_25519, INVERT_SIZE, invertFinish, invertStart, invertStep } from './invert'
import { maskIfZero } from './limbs'

// `scalar | stage u32, index u32, last u32, 0 | inversion | work`
const SCALAR: usize = 0
const STAGE: usize = 32
/** Ladder: the bit, 254..0. Comb: the column, 31..0. */
const INDEX: usize = 36
/** Ladder: whether the last step left the two points exchanged. Comb: the table, 1..0. */
const LAST: usize = 40
const INVERSION: usize = 48
const WORK: usize = INVERSION + INVERT_SIZE

// Work of the ladder, by the names of section 5: `x2 | z2 | x3 | z3 | x1 | a | b | c | d`. The result is x2 / z2.
const X2: usize = WORK
const Z2: usize = WORK + 32
const X3: usize = WORK + 64
const Z3: usize = WORK + 96
const X1: usize = WORK + 128
const A: usize = WORK + 160
const B: usize = WORK + 192
const C: usize = WORK + 224
const D: usize = WORK + 256

// Work of the comb: `point | entry | scratch`.
const POINT: usize = WORK
const ENTRY: usize = POINT + EDWARDS_SIZE
const SCRATCH: usize = ENTRY + NIELS_SIZE

/** Bytes of the state, 8-aligned. */
export const X25519_SIZE: usize = SCRATCH + EDWARDS_SCRATCH_SIZE

/** (486662 - 2) / 4 */
const A24: u32 = 121_665

const enum Stage {
  Done = 0,
  Ladder = 1,
  CombDouble = 2,
  CombAdd = 3,
  Invert = 4,
}

/** Begins scalar * point. The inputs are copied. */
export function x25519Start(state: usize, scalar: usize, point: usize): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(state + SCALAR + i, loadU32le(scalar + i))
  // decodeScalar25519
  store<u32>(state + SCALAR, load<u32>(state + SCALAR) & 0xffff_fff8)
  store<u32>(state + SCALAR, (load<u32>(state + SCALAR, 28) & 0x7fff_ffff) | 0x4000_0000, 28)
  if (point === 0) {
    setNeutral(state + POINT)
    enter(state, Stage.CombAdd, 31, 1)
    return
  }
  fromBytes25519(state + X1, point)
  set25519(state + X2, 1)
  set25519(state + Z2, 0)
  memory.copy(state + X3, state + X1, FIELD25519_SIZE)
  set25519(state + Z3, 1)
  enter(state, Stage.Ladder, 254, 0)
}

/** Does one step; true when `x25519Finish` may be called. */
export function x25519Step(state: usize): bool {
  const index = load<u32>(state + INDEX)
  const last = load<u32>(state + LAST)
  switch (load<u32>(state + STAGE)) {
    case Stage.Ladder: {
      ladderStep(state, index, last)
      break
    }
    case Stage.CombDouble: {
      doubleEdwards(state + POINT, state + SCRATCH)
      enter(state, Stage.CombAdd, index, 1)
      break
    }
    case Stage.CombAdd: {
      pickComb(state, last, combDigit(state + SCALAR, index + 32 * last))
      addNiels(state + POINT, state + ENTRY, state + SCRATCH)
      if (last > 0) enter(state, Stage.CombAdd, index, 0)
      else if (index > 0) enter(state, Stage.CombDouble, index - 1, 0)
      else toMontgomeryCurve(state)
      break
    }
    case Stage.Invert: {
      if (invertStep(state + INVERSION)) enter(state, Stage.Done, 0, 0)
      break
    }
  }
  return load<u32>(state + STAGE) === Stage.Done
}

/** Writes the result and wipes the state; false when the result is zero: the peer's point was of small order. */
export function x25519Finish(state: usize, out: usize): bool {
  invertFinish(state + INVERSION, state + Z2)
  mul25519(state + X2, state + X2, state + Z2)
  toBytes25519(out, state + X2)
  let any: u32 = 0
  for (let i: usize = 0; i < 32; i++) any |= load<u8>(out + i)
  memory.fill(state, 0, X25519_SIZE)
  return any !== 0
}

function enter(state: usize, stage: Stage, index: u32, last: u32): void {
  store<u32>(state + STAGE, stage)
  store<u32>(state + INDEX, index)
  store<u32>(state + LAST, last)
}

/** One bit of the scalar, from the top; after the last one, the inversion of z2 begins. */
function ladderStep(state: usize, t: u32, swapped: u32): void {
  const bit = (load<u32>(state + SCALAR + ((t >> 5) << 2)) >> (t & 31)) & 1
  conditionalSwap(state, swapped ^ bit)

  const x2 = state + X2
  const z2 = state + Z2
  const x3 = state + X3
  const z3 = state + Z3
  const a = state + A
  const b = state + B
  const c = state + C
  const d = state + D
  add25519(a, x2, z2)
  sub25519(b, x2, z2)
  add25519(c, x3, z3)
  sub25519(d, x3, z3)
  mul25519(d, d, a) // DA
  mul25519(c, c, b) // CB
  sqr25519(a, a) // AA
  sqr25519(b, b) // BB
  add25519(x3, d, c)
  sqr25519(x3, x3)
  sub25519(z3, d, c)
  sqr25519(z3, z3)
  mul25519(z3, z3, state + X1)
  mul25519(x2, a, b)
  sub25519(b, a, b) // E
  addMul25519(a, a, A24, b)
  mul25519(z2, a, b)

  if (t > 0) {
    enter(state, Stage.Ladder, t - 1, bit)
  } else {
    conditionalSwap(state, bit)
    beginInversion(state)
  }
}

function conditionalSwap(state: usize, bit: u32): void {
  const mask = 0 - bit
  swap25519(mask, state + X2, state + X3)
  swap25519(mask, state + Z2, state + Z3)
}

/** ENTRY = entry `digit` of one of the comb's tables; the neutral point, 1 | 1 | 0, for digit 0. */
function pickComb(state: usize, table: u32, digit: u32): void {
  const entry = state + ENTRY
  const entries = COMB25519 + <usize>table * COMB25519_TABLE_SIZE
  for (let i: usize = 0; i < NIELS_SIZE; i += 32) pickElement(entry + i, entries + i, NIELS_SIZE, digit)
  const one = maskIfZero(digit) & 1
  store<u32>(entry, load<u32>(entry) | one)
  store<u32>(entry + 32, load<u32>(entry + 32) | one)
}

/**
 * x2 / z2 = (1 + y) / (1 - y) = (Z + Y) / (Z - Y), the u of the comb's point. That is never the neutral point, where
 * y = 1: the scalar would have to be a multiple of the order, so of 8 times the order, which is above 2^255.
 */
function toMontgomeryCurve(state: usize): void {
  const y = state + POINT + 32
  const z = state + POINT + 64
  add25519(state + SCRATCH, z, y)
  sub25519(state + Z2, z, y)
  memory.copy(state + X2, state + SCRATCH, FIELD25519_SIZE)
  beginInversion(state)
}

function beginInversion(state: usize): void {
  reduce25519(state + Z2)
  invertStart(state + INVERSION, state + Z2, INVERT_25519)
  enter(state, Stage.Invert, 0, 0)
}
