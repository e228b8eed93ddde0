// The heating's cycle, found by the slow model of the crystal, for the fast filter.
//
//   in    the slow model's period, amplitude and memory, when it has learnt others
//   out   the turn of a second, handed to the estimator
//
// A sine and a cosine cost some thousand instructions: they are worked out anew when the period has changed by a percent.

import { estimatorCycle } from './estimator'
import { filterUnit, Theta } from './oscillator_filter'
import { historyEnd, historyFirst } from './oscillator_history'
import { cosineOfTurns, sineOfTurns } from './oscillator_math'
import { searchBest, searchReady, searchTheta } from './oscillator_search'

/** Blocks, an hour and more, before which the slow model has better to do: a cycle for the fast filter costs it a quarter of its slices. */
const BLOCKS: i32 = 32
/** A period that differs by less, as a share, is the same; one that differs by more is another cycle. */
const SAME: f64 = 0.01
const OTHER: f64 = 0.15
/** Limits of the memory, in periods: the fast filter should neither forget a cycle within itself nor swear by it. */
const MEMORY_LEAST: f64 = 3
const MEMORY_MOST: f64 = 20

/** What was handed over last, s. */
let period: f64 = 0

export function heatingInit(): void {
  period = 0
}

/** Call now and then, between slices. True when there was something to hand over. */
export function heatingStep(): bool {
  if (!searchReady() || historyEnd() - historyFirst() < BLOCKS) return false
  const theta: Theta = searchTheta()
  const change = Math.abs(theta.period - period)
  if (change <= SAME * period) return false
  const other = change > OTHER * period
  period = theta.period
  const memory = period * Math.min(Math.max(theta.memory, MEMORY_LEAST), MEMORY_MOST)
  const amplitude = theta.cycle * sqrt<f64>(filterUnit(searchBest()))
  const cosine = cosineOfTurns(1 / period)
  estimatorCycle(cosine, sineOfTurns(), memory, amplitude, other)
  return true
}
