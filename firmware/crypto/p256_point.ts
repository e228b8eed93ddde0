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

// A sum goes in two slices: 4 and 7 multiplications where the second point is affine, else 8 and 8. Between them `t`
// holds h | r | u | s: the points have the coordinates u and u + h, s and s + r over a common denominator.
const H: usize = 0
const R: usize = 32
const U: usize = 64
const S: usize = 96
const V: usize = 128

/** First half of out = a + affine; u and s are a's X and Y, and stay there. */
export function addAffineFirstHalf(a: usize, affine: usize, t: usize): void {
  sqrP256(t + V, a + Z)
  mulP256(t + H, affine, t + V)
  mulP256(t + V, t + V, a + Z)
  mulP256(t + R, affine + Y, t + V)
  subP256(t + H, t + H, a)
  subP256(t + R, t + R, a + Y)
}

/** Second half of out = a + affine. `out` must not lie on a. */
export function addAffineSecondHalf(out: usize, a: usize, t: usize): void {
  mulP256(out + Z, a + Z, t + H)
  combine(out, a, a + Y, t)
}

/** First half of out = a + b. */
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
  mulP256(out + Z, a + Z, b + Z)
  mulP256(out + Z, out + Z, t + H)
  combine(out, t + U, t + S, t)
}

/** After `addFirstHalf`: whether a and b have the same x. */
export function sameX(t: usize): bool {
  return zeroMask(t + H) !== 0
}

/** After `addFirstHalf`: whether a and b have the same y. */
export function sameY(t: usize): bool {
  return zeroMask(t + R) !== 0
}

/** X and Y of a sum: r^2 - h^3 - 2 u h^2 and r (u h^2 - X) - s h^3. */
function combine(out: usize, u: usize, s: usize, t: usize): void {
  const x = out
  const y = out + Y
  const v = t + V
  const h = t + H
  sqrP256(v, h)
  mulP256(h, v, h)
  mulP256(v, v, u)
  sqrP256(x, t + R)
  subP256(x, x, h)
  subP256(x, x, v)
  subP256(x, x, v)
  subP256(v, v, x)
  mulP256(v, v, t + R)
  mulP256(y, h, s)
  subP256(y, v, y)
}
