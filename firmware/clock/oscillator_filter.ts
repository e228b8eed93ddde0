// The slow model of the crystal: a Kalman filter over blocks of 128 s (oscillator_history.ts).
//
//   rate = level + daily cycle + cycle of the heating + temperature coefficient * temperature + warm-up + white noise
//
// The level walks at random. The heating's cycle is a resonator that is kept going by noise: it has a period, an amplitude and
// a memory. Cycles are kept as a pair of amplitudes that stand still (or fade) while the cosine and sine that
// multiply them turn; so nothing but numbers on the diagonal moves a state from block to block. Means over a block are
// predicted from means over blocks: what a block's length does to a cycle's amplitude is in the amplitude.
//
// All variances are in units of the variance of the level's step in one block. That unit is estimated at the end, from all
// innovations: one parameter less to search for. The other parameters are in a block of six doubles, `Theta`.
//
// One block costs three slices, `filterPredict`, `filterMultiply` and `filterCorrect`, of at most 15,000 instructions each on the
// ESP32-C3. Slices of two filters must not be interleaved: they share H and G.

import { DEGREES_NOISE, DEGREES_UNIT, degreesIgnored, degreesOf, NO_DEGREES } from './oscillator_degrees'
import {
  BLOCK,
  historyAge,
  historyFirst,
  historyFirstTemperature,
  historyRate,
  NO_RATE,
  NO_TEMPERATURE,
} from './oscillator_history'
import { cosineOfTurns, exponential, logarithm, sineOfTurns } from './oscillator_math'

/** What a model assumes. Amplitudes are standard deviations in units of the level's step. */
@unmanaged
export class Theta {
  /** Amplitude of the daily cycle. */
  daily: f64
  /** Amplitude of the heating's cycle, its period in seconds and its memory in periods. */
  cycle: f64
  period: f64
  memory: f64
  /** White noise of a block's rate. */
  white: f64
  /** Time constant of the warm-up, s. */
  warmUp: f64
}

export const THETA_SIZE: i32 = 48

/** What was learnt before the history began. */
@unmanaged
export class Prior {
  /** Coefficients of the daily cosine and sine (of the continuous second), ns/s, and their variance; 0 when unknown. */
  cosine: f64
  sine: f64
  dailyVariance: f64
  /** Coefficient of the temperature, ns/s a degree, and its variance; 0 when unknown. */
  coefficient: f64
  coefficientVariance: f64
}

export const PRIOR_SIZE: i32 = 40

/** States: the level, two of the daily cycle, two of the heating's, the temperature coefficient, the warm-up. */
export const STATES: i32 = 7
const LEVEL: i32 = 0
const DAY: i32 = 1
const CYCLE: i32 = 3
export const COEFFICIENT: i32 = 5
const WARM: i32 = 6

/** Nothing is known of these, in units of the level's step. */
const LEVEL_PRIOR: f64 = 20_000
const COEFFICIENT_PRIOR: f64 = 1000
const WARM_PRIOR: f64 = 3000
/** A warm-up this many time constants old, 7e-5 of it left, is over. */
const WARM_LONGEST: f64 = 9.6

const BLOCKS_A_DAY: i32 = 675
/** Cosine and sine of the day's turn in a block. */
const DAY_TURN_COSINE: f64 = 0.9999566769464484
const DAY_TURN_SINE: f64 = 0.009308288253816802

/** Rows of the covariance that the first slice deals with. */
const EARLY_ROWS: i32 = 2

/** The unit of variance begins as if this many innovations of this size, (ns/s)^2, had been seen; more when it was learnt before. */
const UNIT_WEIGHT: f64 = 2
const UNIT_GUESS: f64 = 0.3
const LEARNT_WEIGHT: f64 = 20

let unitWeight: f64 = 0
let unitGuess: f64 = 0

/** Says what the unit of variance is likely to be; 0: nobody knows. */
export function filterGuess(unit: f64): void {
  unitWeight = unit > 0 ? LEARNT_WEIGHT : UNIT_WEIGHT
  unitGuess = unit > 0 ? unit : UNIT_GUESS
}

@unmanaged
export class Filter {
  /** The next block that it will take, and the first one that it took. */
  block: i32
  start: i32
  /** States in use, 5 to 7; 1 once a block was predicted, 2 once a rate was taken. */
  size: i32
  begun: i32
  /** Per block: fading of the heating's cycle and the variance that it gains. */
  fade: f64
  gain: f64
  /** The cosines and sines at `block`, and their turn in a block. */
  cycleCosine: f64
  cycleSine: f64
  cycleTurnCosine: f64
  cycleTurnSine: f64
  dayCosine: f64
  daySine: f64
  warm: f64
  warmFade: f64
  white: f64
  /** Normalised innovations: sum of squares, how many; and the sum of the logarithms of their variances. */
  squares: f64
  count: f64
  logarithms: f64
  product: f64
  /** Degrees at which the coefficient's share is zero; the last that were seen. */
  origin: f64
  degrees: f64
}

const SCALARS: usize = 16 + 17 * 8
const MEANS: usize = SCALARS
const VARIANCES: usize = SCALARS + 7 * 8

/** Scalars, seven means, the upper triangle of the covariance. */
export const FILTER_SIZE: i32 = 16 + 17 * 8 + 7 * 8 + 28 * 8

/** The row of the measurement; the covariance times it; the innovation and its variance. Shared by all filters. */
const H: usize = memory.data(7 * 8, 8)
const G: usize = memory.data(7 * 8, 8)
let spread: f64 = 0
let rate: f64 = 0
/** Cosine and sine of the day at the first block, and which that was. */
let firstCosine: f64 = 1
let firstSine: f64 = 0
let knownBlock: i32 = 0
let known: bool = false

export function filterMean(f: Filter, i: i32): f64 {
  return load<f64>(changetype<usize>(f) + MEANS + ((<usize>i) << 3))
}

export function filterVariance(f: Filter, i: i32): f64 {
  return load<f64>(cell(f, i, i))
}

function setMean(f: Filter, i: i32, value: f64): void {
  store<f64>(changetype<usize>(f) + MEANS + ((<usize>i) << 3), value)
}

/** Address of an element of the upper triangle, i <= j. */
function cell(f: Filter, i: i32, j: i32): usize {
  return changetype<usize>(f) + VARIANCES + ((<usize>(i * STATES - ((i * (i - 1)) >> 1) + j - i)) << 3)
}

function setVariance(f: Filter, i: i32, value: f64): void {
  store<f64>(cell(f, i, i), value)
}

/** Element of the shared vectors. */
export function filterRow(i: i32): f64 {
  return load<f64>(H + ((<usize>i) << 3))
}
export function filterColumn(i: i32): f64 {
  return load<f64>(G + ((<usize>i) << 3))
}
/** Variance of the block's rate by the model, as of the last `filterMultiply`. */
export function filterSpread(): f64 {
  return spread
}

/** Prepares a filter for the first block of the history; `filterTurns` must follow. */
export function filterBegin(f: Filter, theta: Theta, prior: Prior): void {
  memory.fill(changetype<usize>(f), 0, <usize>FILTER_SIZE)
  const first = historyFirst()
  f.block = first
  f.start = first
  f.product = 1
  f.fade = exponential(-(<f64>BLOCK) / (theta.period * theta.memory))
  const cycle = theta.cycle * theta.cycle
  f.gain = (1 - f.fade * f.fade) * cycle
  f.white = theta.white * theta.white
  f.size = COEFFICIENT
  setVariance(f, LEVEL, LEVEL_PRIOR * LEVEL_PRIOR)
  const daily = prior.dailyVariance > 0 ? prior.dailyVariance : theta.daily * theta.daily
  setMean(f, DAY, prior.cosine)
  setMean(f, DAY + 1, prior.sine)
  setVariance(f, DAY, daily)
  setVariance(f, DAY + 1, daily)
  setVariance(f, CYCLE, cycle)
  setVariance(f, CYCLE + 1, cycle)
  const temperature = historyFirstTemperature()
  if (temperature !== NO_TEMPERATURE && !degreesIgnored()) {
    f.size = WARM
    f.origin = degrees(temperature)
    f.degrees = f.origin
    const learnt = prior.coefficientVariance > 0
    setMean(f, COEFFICIENT, prior.coefficient)
    setVariance(f, COEFFICIENT, learnt ? prior.coefficientVariance : COEFFICIENT_PRIOR * COEFFICIENT_PRIOR)
  }
  const warmth = -historyAge() / theta.warmUp
  if (warmth < -WARM_LONGEST) return
  f.warm = exponential(warmth)
  f.size = STATES
  setVariance(f, WARM, WARM_PRIOR * WARM_PRIOR)
}

/** The second half of the preparation: how the cycles turn. */
export function filterTurns(f: Filter, theta: Theta): void {
  f.cycleTurnCosine = cosineOfTurns(<f64>BLOCK / theta.period)
  f.cycleTurnSine = sineOfTurns()
  f.cycleCosine = 1
  f.dayCosine = firstCosine
  f.daySine = firstSine
  if (f.size === STATES) f.warmFade = exponential(-(<f64>BLOCK) / theta.warmUp)
}

/** Works out where in the day the history's first block lies, once for all filters. True when there was something to do. */
export function filterDay(): bool {
  const block = historyFirst()
  if (known && block === knownBlock) return false
  known = true
  knownBlock = block
  const ofDay = block % BLOCKS_A_DAY
  firstCosine = cosineOfTurns(<f64>(ofDay < 0 ? ofDay + BLOCKS_A_DAY : ofDay) / <f64>BLOCKS_A_DAY)
  firstSine = sineOfTurns()
  return true
}

function degrees(sixtyfourths: i32): f64 {
  return <f64>sixtyfourths * 0.015625
}

/** One block passes: cycles turn, the heating's fades, the level may have walked. */
function advance(f: Filter): void {
  const cycleCosine = f.cycleCosine * f.cycleTurnCosine - f.cycleSine * f.cycleTurnSine
  f.cycleSine = f.cycleCosine * f.cycleTurnSine + f.cycleSine * f.cycleTurnCosine
  f.cycleCosine = cycleCosine
  const dayCosine = f.dayCosine * DAY_TURN_COSINE - f.daySine * DAY_TURN_SINE
  f.daySine = f.dayCosine * DAY_TURN_SINE + f.daySine * DAY_TURN_COSINE
  f.dayCosine = dayCosine
  f.warm *= f.warmFade
  const fade = f.fade
  for (let i = CYCLE; i < CYCLE + 2; i++) {
    setMean(f, i, filterMean(f, i) * fade)
    for (let j = 0; j < f.size; j++) {
      const at = j < i ? cell(f, j, i) : cell(f, i, j)
      store<f64>(at, load<f64>(at) * (j === i ? fade * fade : fade))
    }
    setVariance(f, i, filterVariance(f, i) + f.gain)
  }
  setVariance(f, LEVEL, filterVariance(f, LEVEL) + 1)
}

/** First slice of a block: H and the beginning of G at `f.block`. Temperatures after the history's end are the last ones. */
export function filterPredict(f: Filter, end: i32): void {
  if (f.begun !== 0) advance(f)
  else f.begun = 1
  if (f.size > COEFFICIENT && f.block < end && !degreesIgnored()) {
    const temperature = degreesOf(f.block)
    if (temperature !== NO_DEGREES) f.degrees = <f64>temperature * DEGREES_UNIT
  }
  store<f64>(H, 1)
  store<f64>(H, f.dayCosine, 8)
  store<f64>(H, f.daySine, 16)
  store<f64>(H, f.cycleCosine, 24)
  store<f64>(H, f.cycleSine, 32)
  store<f64>(H, f.degrees - f.origin, 40)
  store<f64>(H, f.warm, 48)
  memory.fill(G, 0, 7 * 8)
  multiply(f, 0, EARLY_ROWS)
}

/** Second slice: the rest of G, and the spread of the rate. */
export function filterMultiply(f: Filter): void {
  multiply(f, EARLY_ROWS, f.size)
  let sum = f.white
  for (let i = 0; i < f.size; i++) sum += filterRow(i) * filterColumn(i)
  spread = sum
  sum = 0
  for (let i = 0; i < f.size; i++) if (i !== COEFFICIENT) sum += filterRow(i) * filterMean(f, i)
  rate = sum
}

/** G = P H, as far as rows `from` to `to` of the upper triangle tell it. */
function multiply(f: Filter, from: i32, to: i32): void {
  const size = f.size
  for (let i = from; i < to; i++) {
    const row = filterRow(i)
    let at = cell(f, i, i)
    let sum = filterColumn(i) + load<f64>(at) * row
    for (let j = i + 1; j < size; j++) {
      at += 8
      const p = load<f64>(at)
      sum += p * filterRow(j)
      // The first row of H is 1.
      store<f64>(G + ((<usize>j) << 3), filterColumn(j) + (i === 0 ? p : p * row))
    }
    store<f64>(G + ((<usize>i) << 3), sum)
  }
}

/** The rate that the means make, without the temperature's share, as of the last `filterMultiply`. */
export function filterRate(): f64 {
  return rate
}

/** The temperature's share of the rate. */
export function filterShare(f: Filter): f64 {
  return f.size > COEFFICIENT ? filterRow(COEFFICIENT) * filterMean(f, COEFFICIENT) : 0
}

/** What `sixtyfourths` of a degree make of the rate. */
export function filterTemperatureRate(f: Filter, sixtyfourths: i32): f64 {
  if (f.size <= COEFFICIENT || sixtyfourths === NO_TEMPERATURE) return 0
  return (degrees(sixtyfourths) - f.origin) * filterMean(f, COEFFICIENT)
}

/** The temperature's coefficient, ns/s a degree. */
export function filterCoefficient(f: Filter): f64 {
  return f.size > COEFFICIENT ? filterMean(f, COEFFICIENT) : 0
}

/** The filter knows a coefficient of temperature. */
export function filterHears(f: Filter): bool {
  return f.size > COEFFICIENT && filterVariance(f, COEFFICIENT) > 0
}

/** From its next block on temperatures are as they are read: the white noise is larger by what their steps make of the rate. */
export function filterRough(f: Filter, unit: f64): void {
  const coefficient = filterCoefficient(f)
  f.white += (coefficient * coefficient * DEGREES_NOISE) / unit
}

/** Third slice of a block: takes its rate, if there is one, and goes on to the next. */
export function filterCorrect(f: Filter): void {
  const measured = historyRate(f.block)
  f.block++
  if (measured === NO_RATE) return
  const size = f.size
  let news = measured - filterRate() - filterShare(f)
  const inverse = 1 / spread
  if (f.begun === 1) {
    // The first rate of all: the level starts there, and that is no news.
    f.begun = 2
    setMean(f, LEVEL, news)
    news = 0
  } else count(f, news * news * inverse)
  for (let i = 0; i < size; i++) {
    const k = filterColumn(i) * inverse
    setMean(f, i, filterMean(f, i) + k * news)
    let at = cell(f, i, i)
    for (let j = i; j < size; j++) {
      store<f64>(at, load<f64>(at) - k * filterColumn(j))
      at += 8
    }
  }
}

function count(f: Filter, square: f64): void {
  f.squares += square
  f.count += 1
  f.product *= spread
  if (f.product > 1e200 || f.product < 1e-200) {
    f.logarithms += logarithm(f.product)
    f.product = 1
  }
}

/** Variance of the level's step in a block, (ns/s)^2. */
export function filterUnit(f: Filter): f64 {
  return (f.squares + unitWeight * unitGuess) / (f.count + unitWeight)
}

/** Minus twice the logarithm of the likelihood, up to a constant. Less is better. */
export function filterScore(f: Filter): f64 {
  return (f.count + unitWeight) * logarithm(filterUnit(f)) + f.logarithms + logarithm(f.product)
}
