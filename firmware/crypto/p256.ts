// Multiplication on P-256 (SP 800-186, section 3.2.1.3) between byte strings: key pairs and ECDH (SP 800-56A).
//
//   p256MulStart(state, scalar, point)   scalar: 32 bytes, big end first; point: 65 bytes 04 | x | y (SEC 1, section
//                                        2.3.3), 0 for the base point; any addresses. False: not to be used
//   p256MulStep(state)                   until it returns true
//   p256MulFinish(state, out)            65 bytes 04 | x | y; the ECDH secret is bytes 1..32. The state is wiped
//
// The result is never infinity: the order is prime and the scalar is in 1..n-1. One step is at most 11 field
// multiplications. A state for the base point alone may be P256_BASE_MUL_SIZE bytes.
//
// Constant time in the scalar, apart from the refusal of 0 and of n and above, and in the point's coordinates, apart
// from the refusal of points that are not on the curve.

import { INVERT_P256_P, INVERT_SIZE, invertFinish, invertStart, invertStep } from './invert'
import { belowMask, loadLimbsBe, storeLimbsBe, zeroMask } from './limbs'
import { fromMontgomeryP256, mulP256, P256_P, sqrP256, toMontgomeryP256 } from './p256_field'
import {
  BASE_MULTIPLY_SIZE,
  MULTIPLY_RESULT,
  MULTIPLY_SIZE,
  multiplyBaseStart,
  multiplyStart,
  multiplyStep,
} from './p256_multiply'
import { AFFINE_SIZE, onCurve, POINT_SCRATCH_SIZE } from './p256_point'
import { P256_N } from './p256_scalar'

// `inversion | stage u32 | size u32 | multiplication`
const INVERSION: usize = 0
const STAGE: usize = INVERT_SIZE
const SIZE: usize = STAGE + 4
const MULTIPLY: usize = STAGE + 8
const RESULT: usize = MULTIPLY + MULTIPLY_RESULT

/** Bytes of a state, 8-aligned. */
export const P256_MUL_SIZE: usize = MULTIPLY + MULTIPLY_SIZE

/** Bytes of a state that will only see the base point. */
export const P256_BASE_MUL_SIZE: usize = MULTIPLY + BASE_MULTIPLY_SIZE

/** Bytes of an uncompressed point. */
export const P256_POINT_SIZE: usize = 65

const enum Stage {
  Multiply = 0,
  Invert = 1,
  Affine = 2,
  Done = 3,
}

/** Scalar and point while a multiplication begins. */
const INPUT_SCALAR: usize = memory.data(32, 8)
const INPUT_POINT: usize = memory.data(<i32>AFFINE_SIZE, 8)
const INPUT_SCRATCH: usize = memory.data(<i32>POINT_SCRATCH_SIZE, 8)

/** Begins scalar * point; false when the scalar is not in 1..n-1, or the point is badly encoded or not on the curve. */
export function p256MulStart(state: usize, scalar: usize, point: usize): bool {
  if (point !== 0 && !p256LoadPoint(INPUT_POINT, point)) return false
  loadLimbsBe(INPUT_SCALAR, scalar)
  const good = p256ScalarMask(INPUT_SCALAR) !== 0
  if (good) {
    store<u32>(state + STAGE, Stage.Multiply)
    store<u32>(state + SIZE, <u32>(point === 0 ? P256_BASE_MUL_SIZE : P256_MUL_SIZE))
    if (point === 0) multiplyBaseStart(state + MULTIPLY, INPUT_SCALAR)
    else multiplyStart(state + MULTIPLY, INPUT_SCALAR, INPUT_POINT)
  }
  memory.fill(INPUT_SCALAR, 0, 32)
  return good
}

/** Does one step; true when `p256MulFinish` may be called. */
export function p256MulStep(state: usize): bool {
  const stage = load<u32>(state + STAGE)
  if (stage === Stage.Multiply) {
    if (multiplyStep(state + MULTIPLY)) {
      invertStart(state + INVERSION, state + RESULT + 64, INVERT_P256_P)
      store<u32>(state + STAGE, Stage.Invert)
    }
  } else if (stage === Stage.Invert) {
    if (invertStep(state + INVERSION)) store<u32>(state + STAGE, Stage.Affine)
  } else if (stage === Stage.Affine) {
    makeAffine(state)
    store<u32>(state + STAGE, Stage.Done)
  }
  return load<u32>(state + STAGE) === Stage.Done
}

/** Writes the result as 65 bytes and wipes the state. */
export function p256MulFinish(state: usize, out: usize): void {
  store<u8>(out, 4)
  storeLimbsBe(out + 1, state + RESULT)
  storeLimbsBe(out + 33, state + RESULT + 32)
  memory.fill(state, 0, load<u32>(state + SIZE))
}

/** out = the affine point of the 65 bytes at any address; false when badly encoded or not on the curve. */
export function p256LoadPoint(out: usize, bytes: usize): bool {
  if (load<u8>(bytes) !== 4) return false
  loadLimbsBe(out, bytes + 1)
  loadLimbsBe(out + 32, bytes + 33)
  if ((belowMask(out, P256_P) & belowMask(out + 32, P256_P)) === 0) return false
  toMontgomeryP256(out, out)
  toMontgomeryP256(out + 32, out + 32)
  return onCurve(out, INPUT_SCRATCH)
}

/** Whether eight limbs are a scalar in 1..n-1, as a mask. */
export function p256ScalarMask(scalar: usize): u32 {
  return belowMask(scalar, P256_N) & ~zeroMask(scalar)
}

/** The result's x and y, out of Montgomery form. */
function makeAffine(state: usize): void {
  const x = state + RESULT
  const y = x + 32
  const square = x + 64
  const inverse = state + MULTIPLY
  // The inverse of z * 2^256 is z^-1 / 2^256; two factors of 2^256 bring it into Montgomery form.
  invertFinish(state + INVERSION, inverse)
  toMontgomeryP256(inverse, inverse)
  toMontgomeryP256(inverse, inverse)
  sqrP256(square, inverse)
  mulP256(x, x, square)
  mulP256(inverse, inverse, square)
  mulP256(y, y, inverse)
  fromMontgomeryP256(x, x)
  fromMontgomeryP256(y, y)
}
