// Points of edwards25519, -x^2 + y^2 = 1 + d x^2 y^2 (RFC 7748, section 4.1): the curve on which Curve25519's base
// point is multiplied, because there its multiples can be tabled. u = (1 + y) / (1 - y) leads back.
//
// A point is `X | Y | Z | T`, x = X / Z, y = Y / Z, x y = T / Z; an affine point to add is `y + x | y - x | 2 d x y`.
// The addition is complete: -1 is a square and d is not, so it is right for every pair of points, the same and the
// neutral one included (Hisil, Wong, Carter, Dawson 2008). `t` is scratch of EDWARDS_SCRATCH_SIZE bytes.
//
// Constant time: no branch and no address depends on a value (limbs.ts says what that means on which processor).

import { add25519, FIELD25519_SIZE, mul25519, set25519, sqr25519, sub25519 } from './field25519'

/** Bytes of a point. */
export const EDWARDS_SIZE: usize = 4 * FIELD25519_SIZE

/** Bytes of an affine point to add. */
export const NIELS_SIZE: usize = 3 * FIELD25519_SIZE

/** Scratch of every function here. */
export const EDWARDS_SCRATCH_SIZE: usize = 4 * FIELD25519_SIZE

const Y: usize = 32
const Z: usize = 64
const T: usize = 96

// Scratch, by the formulas' names.
const E: usize = 0
const F: usize = 32
const G: usize = 64
const H: usize = 96

/** point = the neutral point, x = 0, y = 1 */
export function setNeutral(point: usize): void {
  set25519(point, 0)
  set25519(point + Y, 1)
  set25519(point + Z, 1)
  set25519(point + T, 0)
}

/** point = 2 * point; 8 multiplications (dbl-2008-hwcd with a = -1, and all signs of the result turned). */
export function doubleEdwards(point: usize, t: usize): void {
  const e = t + E
  const f = t + F
  const g = t + G
  const h = t + H
  add25519(e, point, point + Y)
  sqr25519(e, e)
  sqr25519(f, point)
  sqr25519(g, point + Y)
  add25519(h, f, g) // Y^2 + X^2
  sub25519(g, g, f) // Y^2 - X^2
  sub25519(e, e, h) // 2 X Y
  sqr25519(f, point + Z)
  add25519(f, f, f)
  sub25519(f, f, g) // 2 Z^2 - Y^2 + X^2
  multiplyOut(point, t)
}

/** point = point + affine; 7 multiplications (madd-2008-hwcd-3). */
export function addNiels(point: usize, affine: usize, t: usize): void {
  const e = t + E
  const f = t + F
  const g = t + G
  const h = t + H
  sub25519(e, point + Y, point)
  mul25519(e, e, affine + 32)
  add25519(f, point + Y, point)
  mul25519(f, f, affine)
  add25519(h, f, e)
  sub25519(e, f, e)
  mul25519(g, point + T, affine + 64)
  add25519(point + Z, point + Z, point + Z)
  sub25519(f, point + Z, g)
  add25519(g, point + Z, g)
  multiplyOut(point, t)
}

/** X = E F, Y = G H, T = E H, Z = F G */
function multiplyOut(point: usize, t: usize): void {
  mul25519(point, t + E, t + F)
  mul25519(point + Y, t + G, t + H)
  mul25519(point + T, t + E, t + H)
  mul25519(point + Z, t + F, t + G)
}
