// Verification of ECDSA signatures on P-384 (FIPS 186-5, section 6.4.2), as a step machine.
//
//   p384VerifyStart(state, point, digest, digestLength, signature)   point: 97 bytes 04 | x | y; signature: r | s, 48
//                                                                    bytes each. False: refused at once
//   p384VerifyStep(state)                                            until it returns true
//   p384VerifyGood(state)                                            whether the signature is the key's
//
// The digest's leftmost 384 bits count. u1 G + u2 Q is computed in one chain of doublings, from the scalars' digits
// (naf.ts). Of the eight odd multiples of each point that they ask for, Q's are made here and G's are stored
// (p384_base.ts).
//
// A point is Jacobian, `X | Y | Z`, (X / Z^2, Y / Z^3), Z = 0 for infinity, in Montgomery form. The formulas are programs,
// one operation in four bytes: so they can stop anywhere, and a step is three multiplications whatever they belong to.
//
// Nothing here is constant-time and must never see a secret: keys and signatures are public.

import {
  ACCUMULATOR_EXTRA,
  addModulo,
  addNumbers,
  isBelow,
  isSame,
  isZero,
  loadNumberBe,
  mulMontgomery,
  negativeInverse,
  subtractModulo,
  subtractNumbers,
} from './bignum'
import { nafDigits } from './naf'
import { P384_B, P384_LIMBS, P384_N, P384_N_R2, P384_ODD, P384_ONE, P384_P, P384_R2, P384_SIZE } from './p384_base'

@unmanaged
class Head {
  stage: u32
  /** The next operation of the program that runs; 0: none does. */
  pc: u32
  /** -1 / n mod 2^32 */
  inverse: u32
  /** The bit of the exponent or the place of the digits that is next; the entry of the table. */
  index: u32
  good: u32
  reserved: u32
}

const enum Stage {
  Done = 0,
  /** The key's point is brought into Montgomery form, and its two sides of the curve's equation are made. */
  Curve = 1,
  /** 1 / s = s^(n - 2), bit by bit: square, multiply. */
  Square = 2,
  Multiply = 3,
  /** The digits of u1 and u2. */
  DigitsG = 4,
  DigitsQ = 5,
  /** 2 Q is made, then entry after entry of the table. */
  Twice = 6,
  DifferTable = 7,
  Table = 8,
  /** After a place's doubling: the digit of Q is next, that of G is next. */
  PlaceQ = 9,
  PlaceG = 10,
  /** An addition has computed how the points differ. */
  DifferQ = 11,
  DifferG = 12,
  /** r Z^2 is made; then (r + n) Z^2. */
  Compare = 13,
  CompareAgain = 14,
}

// Places of numbers in the state. The sum, the point to add, and what a program needs between.
const enum Slot {
  X = 0,
  Y = 1,
  Z = 2,
  OtherX = 3,
  OtherY = 4,
  OtherZ = 5,
  /** The differences of x and of y over a common denominator, and x and y of the sum over it. */
  H = 6,
  D = 7,
  U = 8,
  S = 9,
  V = 10,
}
const SLOTS: usize = 11

const enum Op {
  End = 0,
  Mul = 1,
  Add = 2,
  Sub = 3,
}

// The programs: operation, out, a, b, as numbers of `Op` and `Slot`.

/** V = R^2: both coordinates into Montgomery form. H = x^3 - 3 x + b where U = 1 and S = b; D = y^2. */
const CURVE: usize = memory.data<u8>([
  1, 3, 3, 10, 1, 4, 4, 10, 1, 6, 3, 3, 3, 6, 6, 8, 3, 6, 6, 8, 3, 6, 6, 8, 1, 6, 6, 3, 2, 6, 6, 9, 1, 7, 4, 4, 0, 0, 0,
  0,
])

/** (X, Y, Z) = 2 (X, Y, Z), the formulas dbl-2001-b of the Explicit-Formulas Database; right for infinity too. */
const DOUBLE: usize = memory.data<u8>([
  // delta = Z^2, gamma = Y^2, 4 beta = 4 X gamma
  1, 6, 2, 2, 1, 7, 1, 1, 1, 8, 0, 7, 2, 8, 8, 8, 2, 8, 8, 8,
  // alpha = 3 (X - delta) (X + delta)
  3, 9, 0, 6, 2, 10, 0, 6, 1, 10, 10, 9, 2, 9, 10, 10, 2, 9, 9, 10,
  // Z = 2 Y Z; X = alpha^2 - 8 beta
  1, 2, 1, 2, 2, 2, 2, 2, 1, 0, 9, 9, 3, 0, 0, 8, 3, 0, 0, 8,
  // Y = alpha (4 beta - X) - 8 gamma^2
  2, 7, 7, 7, 1, 7, 7, 7, 2, 7, 7, 7, 3, 1, 8, 0, 1, 1, 1, 9, 3, 1, 1, 7, 0, 0, 0, 0,
])

/** U = X Z'^2, S = Y Z'^3, H = X' Z^2 - U, D = Y' Z^3 - S */
const DIFFER: usize = memory.data<u8>([
  1, 10, 5, 5, 1, 8, 0, 10, 1, 10, 10, 5, 1, 9, 1, 10, 1, 10, 2, 2, 1, 6, 3, 10, 1, 10, 10, 2, 1, 7, 4, 10, 3, 6, 6, 8,
  3, 7, 7, 9, 0, 0, 0, 0,
])

/** The same for Z' = 1, where U and S are X and Y. */
const DIFFER_AFFINE: usize = memory.data<u8>([
  1, 10, 2, 2, 1, 6, 3, 10, 1, 10, 10, 2, 1, 7, 4, 10, 3, 6, 6, 8, 3, 7, 7, 9, 0, 0, 0, 0,
])

/** Z = Z Z' H, X = D^2 - H^3 - 2 U H^2, Y = D (U H^2 - X) - S H^3; infinity for opposite points. */
const SUM: usize = memory.data<u8>([
  1, 2, 2, 5, 1, 2, 2, 6, 1, 10, 6, 6, 1, 6, 10, 6, 1, 10, 10, 8, 1, 0, 7, 7, 3, 0, 0, 6, 3, 0, 0, 10, 3, 0, 0, 10, 3,
  10, 10, 0, 1, 10, 10, 7, 1, 1, 6, 9, 3, 1, 10, 1, 0, 0, 0, 0,
])
/** For Z' = 1 it begins with the second operation. */
const SUM_AFFINE: usize = SUM + 4

/** V = R^2: H = other x in Montgomery form times Z^2. */
const COMPARE: usize = memory.data<u8>([1, 3, 3, 10, 1, 6, 2, 2, 1, 6, 6, 3, 0, 0, 0, 0])

const POINT_SIZE: usize = 3 * P384_SIZE
/** Places of a digit: 0 .. 384, one more than a scalar has bits. */
const PLACES: u32 = 385
const DIGITS_SIZE: usize = 388

// `head | r | slots | accumulator | digits of u1 | digits of u2 | table`; s, z and u1 begin in the table's place.
const R: usize = 24
const FIRST_SLOT: usize = R + P384_SIZE
const ACCUMULATOR: usize = FIRST_SLOT + SLOTS * P384_SIZE
const DIGITS_G: usize = ACCUMULATOR + P384_SIZE + ACCUMULATOR_EXTRA
const DIGITS_Q: usize = DIGITS_G + DIGITS_SIZE
const TABLE: usize = DIGITS_Q + DIGITS_SIZE
const S: usize = TABLE
const Z: usize = S + P384_SIZE
const POWER: usize = Z + P384_SIZE

/** Bytes of a state, 8-aligned. */
export const ECDSA_P384_SIZE: usize = TABLE + 8 * POINT_SIZE

/** Multiplications in a step. */
const SLICE: i32 = 2

/** Begins. False: r or s is not in 1..n-1, or the point is badly encoded. */
export function p384VerifyStart(state: usize, point: usize, digest: usize, digestLength: u32, signature: usize): bool {
  const head = changetype<Head>(state)
  memory.fill(state, 0, ECDSA_P384_SIZE)
  if (load<u8>(point) !== 4) return false
  loadNumberBe(state + R, P384_LIMBS, signature, 48)
  loadNumberBe(state + S, P384_LIMBS, signature + 48, 48)
  if (!isScalar(state + R) || !isScalar(state + S)) return false
  loadNumberBe(state + Z, P384_LIMBS, digest, min(digestLength, 48))
  if (!isBelow(state + Z, P384_N, P384_LIMBS)) subtractNumbers(state + Z, state + Z, P384_N, P384_LIMBS)

  loadNumberBe(slot(state, Slot.OtherX), P384_LIMBS, point + 1, 48)
  loadNumberBe(slot(state, Slot.OtherY), P384_LIMBS, point + 49, 48)
  if (!isBelow(slot(state, Slot.OtherX), P384_P, P384_LIMBS)) return false
  if (!isBelow(slot(state, Slot.OtherY), P384_P, P384_LIMBS)) return false
  copy(slot(state, Slot.V), P384_R2)
  copy(slot(state, Slot.U), P384_ONE)
  copy(slot(state, Slot.S), P384_B)
  head.inverse = negativeInverse(load<u32>(P384_N))
  run(state, CURVE, Stage.Curve)
  return true
}

/** Does one step; true when `p384VerifyGood` knows. */
export function p384VerifyStep(state: usize): bool {
  const head = changetype<Head>(state)
  for (let left = SLICE; left > 0 && head.stage !== Stage.Done; ) {
    left -= head.pc !== 0 ? operate(state) : advance(state)
  }
  return head.stage === Stage.Done
}

/** Whether the signature is good. */
export function p384VerifyGood(state: usize): bool {
  return changetype<Head>(state).good !== 0
}

/** Does the next operation of the program; returns the multiplications that it is. */
function operate(state: usize): i32 {
  const head = changetype<Head>(state)
  const at: usize = head.pc
  const op = load<u8>(at)
  if (op === Op.End) {
    head.pc = 0
    return 0
  }
  head.pc += 4
  const out = slot(state, load<u8>(at, 1))
  const a = slot(state, load<u8>(at, 2))
  const b = slot(state, load<u8>(at, 3))
  if (op === Op.Add) addModulo(out, a, b, P384_P, P384_LIMBS)
  else if (op === Op.Sub) subtractModulo(out, a, b, P384_P, P384_LIMBS)
  // p = -1 mod 2^32, so that -1 / p is 1.
  else mulMontgomery(out, a, b, P384_P, P384_LIMBS, 1, state + ACCUMULATOR)
  return op === Op.Mul ? 1 : 0
}

/** Between two programs: what comes next. Returns its work, in multiplications. */
function advance(state: usize): i32 {
  const head = changetype<Head>(state)
  const sum = slot(state, Slot.X)
  const other = slot(state, Slot.OtherX)
  switch (head.stage) {
    case Stage.Curve: {
      if (!isSame(slot(state, Slot.H), slot(state, Slot.D), P384_LIMBS)) return verdict(state, false)
      mulOrder(state, state + S, state + S, P384_N_R2)
      copy(state + POWER, state + S)
      head.index = 383
      head.stage = Stage.Square
      return 1
    }
    case Stage.Square: {
      mulOrder(state, state + POWER, state + POWER, state + POWER)
      head.index--
      if (exponentBit(head.index) !== 0) head.stage = Stage.Multiply
      else if (head.index === 0) head.stage = Stage.DigitsG
      return 1
    }
    case Stage.Multiply: {
      mulOrder(state, state + POWER, state + POWER, state + S)
      head.stage = head.index === 0 ? Stage.DigitsG : Stage.Square
      return 1
    }
    case Stage.DigitsG: {
      mulOrder(state, state + Z, state + Z, state + POWER)
      nafDigits(state + DIGITS_G, state + Z, P384_LIMBS)
      head.stage = Stage.DigitsQ
      return SLICE
    }
    case Stage.DigitsQ: {
      mulOrder(state, state + Z, state + R, state + POWER)
      nafDigits(state + DIGITS_Q, state + Z, P384_LIMBS)
      copy(slot(state, Slot.OtherZ), P384_ONE)
      memory.copy(sum, other, POINT_SIZE)
      memory.copy(state + TABLE, other, POINT_SIZE)
      run(state, DOUBLE, Stage.Twice)
      return SLICE
    }
    case Stage.Twice: {
      memory.copy(other, sum, POINT_SIZE)
      nextEntry(state, 1)
      return 0
    }
    case Stage.DifferTable: {
      finishAddition(state, SUM, Stage.Table)
      return 0
    }
    case Stage.Table: {
      memory.copy(state + TABLE + <usize>head.index * POINT_SIZE, sum, POINT_SIZE)
      if (head.index < 7) {
        nextEntry(state, head.index + 1)
        return 0
      }
      memory.fill(sum, 0, POINT_SIZE)
      head.index = PLACES - 1
      head.stage = Stage.PlaceQ
      return 0
    }
    case Stage.PlaceQ: {
      const digit = <i32>load<i8>(state + DIGITS_Q + head.index)
      head.stage = Stage.PlaceG
      if (digit === 0) return 0
      memory.copy(other, state + TABLE + <usize>(abs(digit) >> 1) * POINT_SIZE, POINT_SIZE)
      addOther(state, digit, DIFFER, Stage.DifferQ, Stage.PlaceG)
      return 0
    }
    case Stage.DifferQ: {
      finishAddition(state, SUM, Stage.PlaceG)
      return 0
    }
    case Stage.PlaceG: {
      const digit = <i32>load<i8>(state + DIGITS_G + head.index)
      if (digit === 0) {
        nextPlace(state)
        return 0
      }
      memory.copy(other, P384_ODD + <usize>(abs(digit) >> 1) * 2 * P384_SIZE, 2 * P384_SIZE)
      copy(slot(state, Slot.OtherZ), P384_ONE)
      // The addition comes back here, to a digit that is done.
      store<u8>(state + DIGITS_G + head.index, 0)
      copy(slot(state, Slot.U), sum)
      copy(slot(state, Slot.S), slot(state, Slot.Y))
      addOther(state, digit, DIFFER_AFFINE, Stage.DifferG, Stage.PlaceG)
      return 0
    }
    case Stage.DifferG: {
      finishAddition(state, SUM_AFFINE, Stage.PlaceG)
      return 0
    }
    case Stage.Compare: {
      if (isSame(slot(state, Slot.H), sum, P384_LIMBS)) return verdict(state, true)
      // r is x mod n: x may have been r + n, when that is below p.
      if (addNumbers(other, state + R, P384_N, P384_LIMBS) !== 0) return verdict(state, false)
      if (!isBelow(other, P384_P, P384_LIMBS)) return verdict(state, false)
      run(state, COMPARE, Stage.CompareAgain)
      return 0
    }
    default: {
      return verdict(state, isSame(slot(state, Slot.H), sum, P384_LIMBS))
    }
  }
}

function slot(state: usize, index: u32): usize {
  return state + FIRST_SLOT + <usize>index * P384_SIZE
}

function copy(out: usize, a: usize): void {
  memory.copy(out, a, P384_SIZE)
}

function run(state: usize, program: usize, stage: Stage): void {
  const head = changetype<Head>(state)
  head.pc = <u32>program
  head.stage = stage
}

function verdict(state: usize, good: bool): i32 {
  const head = changetype<Head>(state)
  head.good = good ? 1 : 0
  head.stage = Stage.Done
  return 0
}

/** Whether a number is in 1..n-1. */
function isScalar(a: usize): bool {
  return !isZero(a, P384_LIMBS) && isBelow(a, P384_N, P384_LIMBS)
}

/** out = a * b / R mod n; b is below n. */
function mulOrder(state: usize, out: usize, a: usize, b: usize): void {
  mulMontgomery(out, a, b, P384_N, P384_LIMBS, changetype<Head>(state).inverse, state + ACCUMULATOR)
}

/** A bit of n - 2: n ends in ..73, so that only the lowest limb differs. */
function exponentBit(index: u32): u32 {
  const word = load<u32>(P384_N + ((index >> 5) << 2)) - (index < 32 ? 2 : 0)
  return (word >> (index & 31)) & 1
}

/** Entry `index` of the table is the one before it and 2 Q. */
function nextEntry(state: usize, index: u32): void {
  const head = changetype<Head>(state)
  head.index = index
  memory.copy(slot(state, Slot.X), state + TABLE + <usize>(index - 1) * POINT_SIZE, POINT_SIZE)
  run(state, DIFFER, Stage.DifferTable)
}

/** The doubling before the next place, or the comparison after the last one. */
function nextPlace(state: usize): void {
  const head = changetype<Head>(state)
  if (head.index > 0) {
    head.index--
    run(state, DOUBLE, Stage.PlaceQ)
  } else if (isZero(slot(state, Slot.Z), P384_LIMBS)) {
    verdict(state, false)
  } else {
    copy(slot(state, Slot.OtherX), state + R)
    copy(slot(state, Slot.V), P384_R2)
    run(state, COMPARE, Stage.Compare)
  }
}

/** Begins sum = sum + other, or - other: at once when the sum is infinity. */
function addOther(state: usize, digit: i32, program: usize, differ: Stage, after: Stage): void {
  const y = slot(state, Slot.OtherY)
  // y is not 0: no point of a curve of prime order is its own opposite.
  if (digit < 0) subtractNumbers(y, P384_P, y, P384_LIMBS)
  if (isZero(slot(state, Slot.Z), P384_LIMBS)) {
    memory.copy(slot(state, Slot.X), slot(state, Slot.OtherX), POINT_SIZE)
    changetype<Head>(state).stage = after
  } else run(state, program, differ)
}

/** Ends it: by doubling, where the points are the same. */
function finishAddition(state: usize, program: usize, after: Stage): void {
  const same = isZero(slot(state, Slot.H), P384_LIMBS) && isZero(slot(state, Slot.D), P384_LIMBS)
  run(state, same ? DOUBLE : program, after)
}
