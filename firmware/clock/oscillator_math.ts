// Exponential, logarithm, sine and cosine from the four operations alone: the same bits wherever IEEE 754 doubles are.
//
// Accuracy is some 1e-14 where the slow model needs it; the ranges are what it needs. No tables.

const LN2: f64 = Math.LN2
const TWO_PI: f64 = 6.283185307179586

/** 2^k, for k within -1000..1000. */
function powerOfTwo(k: i32): f64 {
  return reinterpret<f64>((<u64>(k + 1023)) << 52)
}

/** e^x; 0 below e^-600, and no more than e^600. */
export function exponential(x: f64): f64 {
  if (x < -600) return 0
  const clamped = x > 600 ? 600 : x
  const k = <i32>Math.floor(clamped / LN2 + 0.5)
  const r = clamped - <f64>k * LN2
  let sum: f64 = 1
  for (let i = 14; i > 0; i--) sum = 1 + (r / <f64>i) * sum
  return sum * powerOfTwo(k)
}

/** Natural logarithm of a positive, normal number. */
export function logarithm(x: f64): f64 {
  const bits = reinterpret<u64>(x)
  let k = <i32>(bits >> 52) - 1023
  let m = reinterpret<f64>((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000)
  if (m > Math.SQRT2) {
    m *= 0.5
    k++
  }
  // ln m = 2 artanh((m - 1) / (m + 1)), |t| < 0.172
  const t = (m - 1) / (m + 1)
  const t2 = t * t
  let sum: f64 = 0
  for (let i = 19; i > 0; i -= 2) sum = sum * t2 + 1 / <f64>i
  return 2 * t * sum + <f64>k * LN2
}

let sine: f64 = 0

/** Cosine of `turns` of a circle, for 0 <= turns <= 1; the sine is then in `sineOfTurns`. */
export function cosineOfTurns(turns: f64): f64 {
  // An eighth of the angle is at most pi / 4; three doublings bring it back.
  const a = turns * (TWO_PI / 8)
  const a2 = a * a
  let c: f64 = 1
  for (let i = 16; i > 0; i -= 2) c = 1 - (a2 / <f64>(i * (i - 1))) * c
  let s: f64 = 1
  for (let i = 17; i > 1; i -= 2) s = 1 - (a2 / <f64>(i * (i - 1))) * s
  s *= a
  for (let i = 0; i < 3; i++) {
    const twice = c * c - s * s
    s = 2 * c * s
    c = twice
  }
  sine = s
  return c
}

export function sineOfTurns(): f64 {
  return sine
}
