// The heating's cycle, found in the history of the crystal's rates, for the fast filter.
//
//   in    mean rates of blocks of 128 s (oscillator_history.ts)
//   out   period and amplitude of the strongest cycle, as the turn of a second, handed to the estimator
//
// A periodogram over the last three and a half hours: of each period on a grid, eight percent apart, how much of it there is in the
// differences of neighbouring blocks. Differences make a random walk white, and leave nothing of a day. The slow model knows
// the cycle, too, but only as far as its thermometer does not explain it.
//
// A slice takes a few blocks of one period; a search takes some three minutes, once in an hour.

import { estimatorCycle } from './estimator'
import { BLOCK, historyEnd, historyFirst, historyRate, NO_RATE } from './oscillator_history'
import { cosineOfTurns, sineOfTurns } from './oscillator_math'

/** Blocks that are looked at, most; without so many, an hour and more, nothing is; so many later they are looked at again. */
const WINDOW: i32 = 96
const FEWEST: i32 = 32
const LATER: i32 = 28
/** Blocks in a slice. */
const SLICE: i32 = 5

/** Periods: the first, s, the ratio of two neighbours, how many. At least so many of them must be in the window. */
const SHORTEST: f64 = 500
const RATIO: f64 = 1.08
const PERIODS: i32 = 30
const CYCLES: f64 = 3
/** A cycle must be this share of the differences' variance, and so much of it over so many blocks: noise makes less. */
const STRONG: f64 = 0.3
const CHANCE: f64 = 14
/** The cycle's memory, in periods: thermostats switch a little early and a little late. */
const MEMORY: f64 = 10

/** A period that differs by less, as a share, is the same; one that differs by more is another cycle. */
const SAME: f64 = 0.01
const OTHER: f64 = 0.15

const POWERS: usize = memory.data(30 * 8, 8)

/** What was found last, s, and its amplitude, ns/s; it is another one than before; it waits to be handed over. */
let period: f64 = 0
let amplitude: f64 = 0
let other: bool = false
let news: bool = false
/** The block from which on the next search is due. */
let due: i32 = 0
/** The search: blocks from `begin` to `end`, the next of them; period on trial and its number. */
let searching: bool = false
let begin: i32 = 0
let end: i32 = 0
let block: i32 = 0
let tried: f64 = 0
let number: i32 = 0
/** Mean difference of two blocks; cosine and sine of the block, their turn, and the sums. */
let slope: f64 = 0
let cosine: f64 = 1
let sine: f64 = 0
let turnCosine: f64 = 1
let turnSine: f64 = 0
let cosines: f64 = 0
let sines: f64 = 0
/** Sum of the squares of the differences. */
let squares: f64 = 0

export function heatingInit(): void {
  period = 0
  news = false
  due = 0
  searching = false
}

/** The period found last, s; 0: none yet. */
export function heatingPeriod(): f64 {
  return period
}

/** One slice, about 12,000 instructions. False: there is nothing to do now. */
export function heatingStep(): bool {
  if (news) {
    news = false
    const turn = cosineOfTurns(1 / period)
    estimatorCycle(turn, sineOfTurns(), MEMORY * period, amplitude, other)
    return true
  }
  if (!searching) return start()
  // The history has begun anew, or has lost its beginning.
  if (begin < historyFirst() || end > historyEnd()) {
    searching = false
    return false
  }
  if (number === PERIODS || tried * CYCLES > <f64>((end - begin) * BLOCK)) {
    searching = false
    conclude()
    return true
  }
  if (block === begin) tryPeriod()
  else gather()
  if (block < end) return true
  store<f64>(POWERS + ((<usize>number) << 3), cosines * cosines + sines * sines)
  block = begin
  tried *= RATIO
  number++
  return true
}

function start(): bool {
  const last = historyEnd()
  // A history that has begun anew may count from anywhere.
  if (due - last > LATER) due = last
  if (last - historyFirst() < FEWEST || last < due) return false
  due = last + LATER
  end = last
  begin = max(historyFirst(), last - WINDOW)
  const from = historyRate(begin)
  const to = historyRate(end - 1)
  if (from === NO_RATE || to === NO_RATE) return false
  slope = (to - from) / <f64>(end - 1 - begin)
  block = begin
  number = 0
  tried = SHORTEST
  squares = 0
  searching = true
  return true
}

/** The next period's turn in a block. */
function tryPeriod(): void {
  turnCosine = cosineOfTurns(<f64>BLOCK / tried)
  turnSine = sineOfTurns()
  cosine = 1
  sine = 0
  cosines = 0
  sines = 0
  block++
}

function gather(): void {
  const until = min(block + SLICE, end)
  let before = historyRate(block - 1)
  for (; block < until; block++) {
    const rate = historyRate(block)
    if (rate !== NO_RATE && before !== NO_RATE) {
      const difference = rate - before - slope
      cosines += difference * cosine
      sines += difference * sine
      if (number === 0) squares += difference * difference
    }
    before = rate
    const turned = cosine * turnCosine - sine * turnSine
    sine = sine * turnCosine + cosine * turnSine
    cosine = turned
  }
}

/** The strongest period, if it stands out, and not at an end of the grid. */
function conclude(): void {
  let best: i32 = 0
  for (let i: i32 = 1; i < number; i++) if (power(i) > power(best)) best = i
  if (best === 0 || best >= number - 1) return
  const blocks = <f64>(end - begin)
  if (2 * power(best) < blocks * squares * Math.max(STRONG, CHANCE / blocks)) return
  // The top of a parabola through three points; the periods are a geometric series.
  const bend = power(best - 1) - 2 * power(best) + power(best + 1)
  const off = bend < 0 ? (0.5 * (power(best - 1) - power(best + 1))) / bend : 0
  let found = SHORTEST * (1 + (RATIO - 1) * off)
  for (let i: i32 = 0; i < best; i++) found *= RATIO
  const change = Math.abs(found - period)
  if (change <= SAME * period) return
  other = change > OTHER * period
  news = true
  period = found
  // A cycle's differences are as large as its chord over a block.
  const chord = sqrt<f64>(2 - 2 * cosineOfTurns(<f64>BLOCK / period))
  amplitude = sqrt<f64>(2 * power(best)) / (blocks * chord)
}

function power(i: i32): f64 {
  return load<f64>(POWERS + ((<usize>i) << 3))
}
