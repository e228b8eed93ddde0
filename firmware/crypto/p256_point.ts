// Points of P-256, y^2 = x^3 - 3x + b (SP 800-186, section 3.2.1.3), and their addition.
//
// An affine point is `x | y`; a Jacobian point is `X | Y | Z` and means (X / Z^2, Y / Z^3), Z = 0 the point at infinity.
// All are field elements in Montgomery form (p256_field.ts). `t` is scratch of POINT_SCRATCH_SIZE bytes.
//
// `doublePoint` is right for every point: infinity gives infinity, and the curve, of prime order, has no point of
// order 2. The additions are right only where neither point is infinity and the points are neither equal nor opposite
// (they give Z = 0 then); p256_multiply.ts says why its sums meet no other case than infinity, and treats that.

import { equalMask, LIMBS_SIZE, zeroMask } from './limbs'
import { addP256, mulP256, P256_FIELD_SIZE, P256_ONE, sqrP256, subP256 } from './p256_field'

/** Bytes of an affine point. */
export const AFFINE_SIZE: usize = 2 * P256_FIELD_SIZE

/** Bytes of a Jacobian point. */
export const JACOBIAN_SIZE: usize = 3 * P256_FIELD_SIZE

/** Scratch of every function here. */
export const POINT_SCRATCH_SIZE: usize = 6 * P256_FIELD_SIZE

const Y: usize = P256_FIELD_SIZE
const Z: usize = 2 * P256_FIELD_SIZE

/** b, in Montgomery form */
const B: usize = memory.data<u32>([
  0x29c4_bddf, 0xd89c_df62, 0x7884_3090, 0xacf0_05cd, 0xf721_2ed6, 0xe5a2_20ab, 0x0487_4834, 0xdc30_061d,
])

/** True when the affine point is on the curve. Not for secret points: the answer is public. */
export function onCurve(point: usize, t: usize): bool {
  const right = t
  const left = t + LIMBS_SIZE
  sqrP256(right, point)
  subP256(right, right, P256_ONE)
  subP256(right, right, P256_ONE)
  subP256(right, right, P256_ONE)
  mulP256(right, right, point)
  addP256(right, right, B)
  sqrP256(left, point + Y)
  return equalMask(left, right) !== 0
}

/** point = 2 * point; 8 multiplications (the formulas dbl-2001-b of the Explicit-Formulas Database). */
export function doublePoint(point: usize, t: usize): void {
  const x = point
  const y = point + Y
  const z = point + Z
  const delta = t
  const gamma = t + 32
  const beta4 = t + 64
  const alpha = t + 96
  const s = t + 128
  sqrP256(delta, z)
  sqrP256(gamma, y)
  mulP256(beta4, x, gamma)
  addP256(beta4, beta4, beta4)
  addP256(beta4, beta4, beta4)
  subP256(alpha, x, delta)
  addP256(s, x, delta)
  mulP256(s, s, alpha)
  addP256(alpha, s, s)
  addP256(alpha, alpha, s) // 3 (X - delta) (X + delta)
  mulP256(z, y, z)
  addP256(z, z, z) // 2 Y Z
  sqrP256(x, alpha)
  subP256(x, x, beta4)
  subP256(x, x, beta4) // alpha^2 - 8 beta
  addP256(gamma, gamma, gamma)
  sqrP256(gamma, gamma)
  addP256(gamma, gamma, gamma) // 8 gamma^2
  subP256(y, beta4, x)
  mulP256(y, y, alpha)
  subP256(y, y, gamma)
}

/** out = point + affine; 11 multiplications. `out` must not lie on `point`. */
export function addAffine(out: usize, point: usize, affine: usize, t: usize): void {
  const x = out
  const y = out + Y
  const z = out + Z
  const h = t
  const r = t + 32
  const v = t + 64
  const hhh = t + 96
  sqrP256(v, point + Z)
  mulP256(h, affine, v)
  mulP256(v, v, point + Z)
  mulP256(r, affine + Y, v)
  subP256(h, h, point)
  subP256(r, r, point + Y)
  mulP256(z, point + Z, h)
  sqrP256(v, h)
  mulP256(hhh, v, h)
  mulP256(v, v, point)
  sqrP256(x, r)
  subP256(x, x, hhh)
  subP256(x, x, v)
  subP256(x, x, v)
  subP256(v, v, x)
  mulP256(v, v, r)
  mulP256(y, hhh, point + Y)
  subP256(y, v, y)
}

// The sum of two Jacobian points in two slices of 8 multiplications. Between them `t` holds
//   h = X2 Z1^2 - X1 Z2^2 | r = Y2 Z1^3 - Y1 Z2^3 | u = X1 Z2^2 | s = Y1 Z2^3
const H: usize = 0
const R: usize = 32
const U: usize = 64
const S: usize = 96
const V: usize = 128

/** First half of out = a + b.. */
export function addFirstHalf(a: usize, b: usize, t: usize): void {
  sqrP256(t + V, b + Z)
  mulP256(t + U, a, t + V)
  mulP256(t + V, t + V, b + Z)
  mulP256(t + S, a + Y, t + V)
  sqrP256(t + V, a + Z)
  mulP256(t + H, b, t + V)
  mulP256(t + V, t + V, a + Z)
  mulP256(t + R, b + Y, t + V)
  subP256(t + H, t + H, t + U)
  subP256(t + R, t + R, t + S)
}

/** Second half of out = a + b. `out` must not lie on a or b. */
export function addSecondHalf(out: usize, a: usize, b: usize, t: usize): void {
  const x = out
  const y = out + Y
  const z = out + Z
  mulP256(z, a + Z, b + Z)
  mulP256(z, z, t + H)
  sqrP256(t + V, t + H)
  mulP256(t + H, t + V, t + H) // H^3
  mulP256(t + V, t + V, t + U)
  sqrP256(x, t + R)
  subP256(x, x, t + H)
  subP256(x, x, t + V)
  subP256(x, x, t + V)
  subP256(t + V, t + V, x)
  mulP256(t + V, t + V, t + R)
  mulP256(y, t + H, t + S)
  subP256(y, t + V, y)
}

/** After `addFirstHalf`: whether a and b have the same x. */
export function sameX(t: usize): bool {
  return zeroMask(t + H) !== 0
}

/** After `addFirstHalf`: whether a and b have the same y. */
export function sameY(t: usize): bool {
  return zeroMask(t + R) !== 0
}
