// Exponential, logarithm, sine and cosine from the four operations alone: the same bits wherever IEEE 754 doubles are.
//
// Accuracy is some 1e-14 where the slow model needs it; the ranges are what it needs. No tables.

const LN2: f64 = Math.LN2
const TWO_PI: f64 = 6.283185307179586

/** 2^k, for k within -1000..1000. */
function powerOfTwo(k: i32): f64 {
  return reinterpret<f64>((<u64>(k + 1023)) << 52)
}

/** Reciprocals of 1..12. */
const RECIPROCALS: usize = memory.data<f64>([
  1,
  1 / 2,
  1 / 3,
  1 / 4,
  1 / 5,
  1 / 6,
  1 / 7,
  1 / 8,
  1 / 9,
  1 / 10,
  1 / 11,
  1 / 12,
])

/** e^x; 0 below e^-600, and no more than e^600. */
export function exponential(x: f64): f64 {
  if (x < -600) return 0
  const clamped = x > 600 ? 600 : x
  const k = <i32>Math.floor(clamped * (1 / LN2) + 0.5)
  const r = clamped - <f64>k * LN2
  let sum: f64 = 1
  for (let i: usize = 12; i > 0; i--) sum = 1 + r * load<f64>(RECIPROCALS + ((i - 1) << 3)) * sum
  return sum * powerOfTwo(k)
}

/** Reciprocals of 1, 3, ... 19. */
const ODD_RECIPROCALS: usize = memory.data<f64>([1, 1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13, 1 / 15, 1 / 17, 1 / 19])

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
  for (let i: usize = 10; i > 0; i--) sum = sum * t2 + load<f64>(ODD_RECIPROCALS + ((i - 1) << 3))
  return 2 * t * sum + <f64>k * LN2
}

/** Ratios of neighbouring terms of the series: -1 / (n (n - 1)). */
const COSINES: usize = memory.data<f64>([-1 / 2, -1 / 12, -1 / 30, -1 / 56, -1 / 90, -1 / 132, -1 / 182])
const SINES: usize = memory.data<f64>([-1 / 6, -1 / 20, -1 / 42, -1 / 72, -1 / 110, -1 / 156, -1 / 210])
const TERMS: usize = 7

let sine: f64 = 0

/** Cosine of `turns` of a circle, for 0 <= turns <= 1; the sine is then in `sineOfTurns`. */
export function cosineOfTurns(turns: f64): f64 {
  // An eighth of the angle is at most pi / 4; three doublings bring it back.
  const a = turns * (TWO_PI / 8)
  const a2 = a * a
  let c: f64 = 1
  let s: f64 = 1
  for (let i: usize = TERMS; i > 0; i--) {
    c = 1 + a2 * load<f64>(COSINES + ((i - 1) << 3)) * c
    s = 1 + a2 * load<f64>(SINES + ((i - 1) << 3)) * s
  }
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
