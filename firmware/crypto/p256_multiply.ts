// scalar * point on P-256 as a step machine, up to the Jacobian result. p256.ts and ecdsa_p256.ts finish from there.
//
// Any point: windows of four bits from the top, a table of 1 P .. 15 P. The base point: a comb of four teeth 64 bits
// apart, and four tables 16 bits apart (p256_base.ts), so 15 doublings and 64 additions.
//
// Every step does the same for every scalar: a table is read from end to end and the entry kept by a mask; an addition
// is always computed, and masks choose between its result and the two cases that involve infinity.
//
// Why no other exception of the addition formulas occurs, for 0 <= scalar < n: the accumulator is a P and the entry is
// e P, where a and e are sums of parts of the scalar that do not overlap, so a + e <= scalar < n.
//   Opposite points: a + e = 0 mod n only if a = e = 0, which is infinity on both sides.
//   Equal points: both are below n, so a = e as integers. With windows a is a multiple of 16 and e < 16. With the comb,
//   cut a and e into the scalar's pieces of 16 bits: where e has a bit, it is the lowest of its piece, and there a is
//   even, the bit not yet added. Either way a = e = 0.
// The table's own additions are (d-1) P + P for d >= 3, and d < n.

import { combDigit, pickElement } from './comb'
import { maskIfZero, moveIf, zeroMask } from './limbs'
import { COMB, COMB_TABLE_SIZE } from './p256_base'
import { P256_ONE } from './p256_field'
import {
  AFFINE_SIZE,
  addAffineFirstHalf,
  addAffineSecondHalf,
  addFirstHalf,
  addSecondHalf,
  doublePoint,
  JACOBIAN_SIZE,
  POINT_SCRATCH_SIZE,
} from './p256_point'

// `scalar | accumulator | sum | entry | scratch | stage u32 | index u32 | count u32, 0 | table`
const SCALAR: usize = 0
const ACCUMULATOR: usize = 32
const SUM: usize = ACCUMULATOR + JACOBIAN_SIZE
const ENTRY: usize = SUM + JACOBIAN_SIZE
const SCRATCH: usize = ENTRY + JACOBIAN_SIZE
const STAGE: usize = SCRATCH + POINT_SCRATCH_SIZE
const INDEX: usize = STAGE + 4
const COUNT: usize = STAGE + 8
const TABLE: usize = STAGE + 16

/** Bytes of the state for the base point, 8-aligned. */
export const BASE_MULTIPLY_SIZE: usize = TABLE

/** Bytes of the state for any point. */
export const MULTIPLY_SIZE: usize = TABLE + 15 * JACOBIAN_SIZE

/** Where the state has the result, after the last step. */
export const MULTIPLY_RESULT: usize = ACCUMULATOR

const Z: usize = 64

const enum Stage {
  Done = 0,
  /** The entry INDEX of the table is next. */
  Table = 1,
  /** Window INDEX: COUNT doublings are left, then the first and the second half of the addition. */
  Double = 2,
  FirstHalf = 3,
  SecondHalf = 4,
  /** Comb column INDEX (15..0): the doubling, then the additions from table COUNT (3..0) in two halves. */
  CombDouble = 5,
  CombFirstHalf = 6,
  CombSecondHalf = 7,
}

/** Begins scalar * G; the scalar is eight limbs, below n. */
export function multiplyBaseStart(state: usize, scalar: usize): void {
  begin(state, scalar)
  enter(state, Stage.CombFirstHalf, 15, 3)
}

/** Begins scalar * point; the scalar is eight limbs, below n; the point is affine and on the curve. */
export function multiplyStart(state: usize, scalar: usize, point: usize): void {
  begin(state, scalar)
  const first = state + TABLE
  memory.copy(first, point, AFFINE_SIZE)
  memory.copy(first + Z, P256_ONE, 32)
  enter(state, Stage.Table, 2, 0)
}

/** Does one step, at most 11 multiplications, or 8 and a table scan; true when the result is there. */
export function multiplyStep(state: usize): bool {
  const accumulator = state + ACCUMULATOR
  const t = state + SCRATCH
  const index = load<u32>(state + INDEX)
  const count = load<u32>(state + COUNT)
  switch (load<u32>(state + STAGE)) {
    case Stage.Table: {
      tableStep(state, index)
      if (index < 15) enter(state, Stage.Table, index + 1, 0)
      else enter(state, Stage.FirstHalf, 63, 0)
      break
    }
    case Stage.Double: {
      doublePoint(accumulator, t)
      if (count > 1) enter(state, Stage.Double, index, count - 1)
      else enter(state, Stage.FirstHalf, index, 0)
      break
    }
    case Stage.FirstHalf: {
      pickWindow(state, window(state, index))
      addFirstHalf(accumulator, state + ENTRY, t)
      enter(state, Stage.SecondHalf, index, 0)
      break
    }
    case Stage.SecondHalf: {
      addSecondHalf(state + SUM, accumulator, state + ENTRY, t)
      settleSum(state, window(state, index))
      if (index > 0) enter(state, Stage.Double, index - 1, 4)
      else enter(state, Stage.Done, 0, 0)
      break
    }
    case Stage.CombDouble: {
      doublePoint(accumulator, t)
      enter(state, Stage.CombFirstHalf, index, 3)
      break
    }
    case Stage.CombFirstHalf: {
      pickComb(state, count, combDigit(state + SCALAR, index + 16 * count))
      addAffineFirstHalf(accumulator, state + ENTRY, t)
      enter(state, Stage.CombSecondHalf, index, count)
      break
    }
    case Stage.CombSecondHalf: {
      addAffineSecondHalf(state + SUM, accumulator, t)
      settleSum(state, combDigit(state + SCALAR, index + 16 * count))
      if (count > 0) enter(state, Stage.CombFirstHalf, index, count - 1)
      else if (index > 0) enter(state, Stage.CombDouble, index - 1, 0)
      else enter(state, Stage.Done, 0, 0)
      break
    }
  }
  return load<u32>(state + STAGE) === Stage.Done
}

function begin(state: usize, scalar: usize): void {
  memory.copy(state + SCALAR, scalar, 32)
  memory.fill(state + ACCUMULATOR, 0, JACOBIAN_SIZE)
  memory.copy(state + ENTRY + Z, P256_ONE, 32)
}

function enter(state: usize, stage: Stage, index: u32, count: u32): void {
  store<u32>(state + STAGE, stage)
  store<u32>(state + INDEX, index)
  store<u32>(state + COUNT, count)
}

/** Entry d of the table: d * P, from the entry before it. */
function tableStep(state: usize, d: u32): void {
  const first = state + TABLE
  const before = first + <usize>(d - 2) * JACOBIAN_SIZE
  const entry = before + JACOBIAN_SIZE
  if (d === 2) {
    memory.copy(entry, first, JACOBIAN_SIZE)
    doublePoint(entry, state + SCRATCH)
  } else {
    addAffineFirstHalf(before, first, state + SCRATCH)
    addAffineSecondHalf(entry, before, state + SCRATCH)
  }
}

/** Bits 4 index .. 4 index + 3 of the scalar. */
function window(state: usize, index: u32): u32 {
  return (load<u32>(state + SCALAR + ((index >> 3) << 2)) >> ((index & 7) << 2)) & 15
}

/** ENTRY = digit * P, zero for digit 0. */
function pickWindow(state: usize, digit: u32): void {
  const entry = state + ENTRY
  const table = state + TABLE
  for (let i: usize = 0; i < JACOBIAN_SIZE; i += 32) pickElement(entry + i, table + i, JACOBIAN_SIZE, digit)
}

/** ENTRY = entry `digit` of one of the comb's tables, zero for digit 0. */
function pickComb(state: usize, table: u32, digit: u32): void {
  const entry = state + ENTRY
  const entries = COMB + <usize>table * COMB_TABLE_SIZE
  for (let i: usize = 0; i < AFFINE_SIZE; i += 32) pickElement(entry + i, entries + i, AFFINE_SIZE, digit)
}

/** ACCUMULATOR = SUM; or ENTRY, when the accumulator was infinity; or itself, when the digit is 0. */
function settleSum(state: usize, digit: u32): void {
  const accumulator = state + ACCUMULATOR
  moveIf(zeroMask(accumulator + Z), state + SUM, state + ENTRY, JACOBIAN_SIZE)
  moveIf(~maskIfZero(digit), accumulator, state + SUM, JACOBIAN_SIZE)
}
