// The noise of one capture, learnt from the pulses: its variance, and the share of captures that come late.
//
//   in    differences of pulses from the line (truth minus line, ns) with the variance of the line itself
//   out   the variance of an ordinary capture (ns^2), the share of late ones (0..1), the gate behind which one is late
//
// A handler that had to wait captures late, never early, and late means a negative difference. So the early side of the
// distribution is clean, however many captures are late: a positive difference always teaches (cut at CUT sigma, so that
// a jump does not run away with the variance, while a guess that was too small still grows); a negative one only within
// the gate. The gate on the late side is where a late capture becomes likelier than an ordinary one.

/** Before the first pulse: 100 ns, worth so many pulses. */
const FIRST_GUESS: f64 = 100 * 100
const FIRST_WORTH: f64 = 6
const MEMORY: f64 = 500

/** A capture is no better than this, ns, whatever a lucky run suggests; and no worse. */
const VARIANCE_LEAST: f64 = 3 * 3
const VARIANCE_MOST: f64 = 1e10

const CUT: f64 = 3
/** Mean of the square of a standard normal variable that is cut at +-CUT. */
const CUT_MEAN: f64 = 0.9972

const SHARE_MEMORY: f64 = 500
const FIRST_SHARE: f64 = 0.01

let variance: f64 = 1
let worth: f64 = 1
let share: f64 = 0

export function noiseInit(): void {
  variance = FIRST_GUESS
  worth = FIRST_WORTH
  share = FIRST_SHARE
}

export function noiseVariance(): f64 {
  return variance
}

export function lateShare(): f64 {
  return share
}

/** Sigmas behind which a difference on the late side is taken for a late capture. */
export function lateGate(): f64 {
  if (share < 0.003) return 4.5
  if (share < 0.03) return 4
  return share < 0.1 ? 3.5 : 3
}

/** Takes note of a difference (ns) from a line whose own variance is `known`. */
export function noiseLearn(difference: f64, known: f64): void {
  const spread = known + variance
  const square = difference * difference
  const gate = lateGate()
  const late = difference < 0 && square > gate * gate * spread
  share += ((late ? 1.0 : 0.0) - share) * (1 / SHARE_MEMORY)
  // While the line is known no better than the capture, little is learnt about the capture.
  if (late || known > 4 * variance) return
  const seen = square > CUT * CUT * spread ? CUT * CUT * spread : square
  if (worth < MEMORY) worth++
  variance += (seen * (1 / CUT_MEAN) - spread) / worth
  if (!(variance > VARIANCE_LEAST)) variance = VARIANCE_LEAST
  if (variance > VARIANCE_MOST) variance = VARIANCE_MOST
}

/** The residuals of a first fit: the sum of their squares, and how many they are beyond the fit's two parameters. */
export function noiseFitted(squares: f64, free: f64): void {
  if (!(free > 0) || !(squares >= 0)) return
  variance += (squares - free * variance) / (worth + free)
  worth += free
  if (worth > MEMORY) worth = MEMORY
  if (!(variance > VARIANCE_LEAST)) variance = VARIANCE_LEAST
  if (variance > VARIANCE_MOST) variance = VARIANCE_MOST
}
