// X25519 (RFC 7748, section 5): the Diffie-Hellman function of Curve25519, as a step machine.
//
//   x25519Start(state, scalar, point)   32 bytes each, at any address; point 0 stands for the base point, u = 9
//   x25519Step(state)                   until it returns true: 255 steps of the ladder, then those of the inversion
//   x25519Finish(state, out)            32 bytes; false when the result is all zero (section 6.1), out is zero then
//
// One step is at most ten field multiplications and ten additions. The state is wiped at the end.
//
// Constant time: the ladder does the same for every bit, conditional swaps go by masks. limbs.ts says what
// that means on which processor.

import { loadU32le } from '../bytes/endian'
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

// `scalar | x1 | x2 | z2 | x3 | z3 | a b c d | bit u32, swap u32, stage u32, 0 | inversion`, the names of section 5.
const SCALAR: usize = 0
const X1: usize = 32
const X2: usize = 64
const Z2: usize = 96
const X3: usize = 128
const Z3: usize = 160
const A: usize = 192
const B: usize = 224
const C: usize = 256
const D: usize = 288
const BIT: usize = 320
const SWAP: usize = 324
const STAGE: usize = 328
const INVERSION: usize = 336

/** Bytes of the state, 8-aligned. */
export const X25519_SIZE: usize = INVERSION + INVERT_SIZE

/** (486662 - 2) / 4 */
const A24: u32 = 121_665

const enum Stage {
  Ladder = 0,
  Invert = 1,
  Done = 2,
}

/** Begins scalar * point. The inputs are copied. */
export function x25519Start(state: usize, scalar: usize, point: usize): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(state + SCALAR + i, loadU32le(scalar + i))
  // decodeScalar25519
  store<u32>(state + SCALAR, load<u32>(state + SCALAR) & 0xffff_fff8)
  store<u32>(state + SCALAR, (load<u32>(state + SCALAR, 28) & 0x7fff_ffff) | 0x4000_0000, 28)
  if (point === 0) set25519(state + X1, 9)
  else fromBytes25519(state + X1, point)
  set25519(state + X2, 1)
  set25519(state + Z2, 0)
  memory.copy(state + X3, state + X1, FIELD25519_SIZE)
  set25519(state + Z3, 1)
  store<u32>(state + BIT, 254)
  store<u32>(state + SWAP, 0)
  store<u32>(state + STAGE, Stage.Ladder)
}

/** Does one step; true when `x25519Finish` may be called. */
export function x25519Step(state: usize): bool {
  const stage = load<u32>(state + STAGE)
  if (stage === Stage.Ladder) {
    ladderStep(state)
  } else if (stage === Stage.Invert) {
    if (invertStep(state + INVERSION)) store<u32>(state + STAGE, Stage.Done)
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

/** One bit of the scalar, from the top; after the last one, the inversion of z2 begins. */
function ladderStep(state: usize): void {
  const t = load<u32>(state + BIT)
  const bit = (load<u32>(state + SCALAR + ((t >> 5) << 2)) >> (t & 31)) & 1
  conditionalSwap(state, load<u32>(state + SWAP) ^ bit)
  store<u32>(state + SWAP, bit)

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

  if (t !== 0) {
    store<u32>(state + BIT, t - 1)
    return
  }
  conditionalSwap(state, bit)
  reduce25519(z2)
  invertStart(state + INVERSION, z2, INVERT_25519)
  store<u32>(state + STAGE, Stage.Invert)
}

function conditionalSwap(state: usize, bit: u32): void {
  const mask = 0 - bit
  swap25519(mask, state + X2, state + X3)
  swap25519(mask, state + Z2, state + Z3)
}
