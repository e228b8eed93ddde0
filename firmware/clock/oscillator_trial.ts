// How honest the slow model is: while locked it makes forecasts too, and each is compared with what came.
//
// One trial at a time: from some block on, 10 minutes and an hour ahead, and every fourth time four hours. The error of the phase,
// in standard deviations, is squared and averaged; old trials are forgotten. `trialCaution` is the square root of that.

import {
  AHEAD_SIZE,
  Ahead,
  aheadBegin,
  aheadFilter,
  aheadGather,
  aheadMultiply,
  aheadPredict,
  aheadSigma,
} from './oscillator_ahead'
import { degreesSettled } from './oscillator_degrees'
import { Filter, filterRate, filterShare } from './oscillator_filter'
import { BLOCK, historyEnd, historyFirst, historyRate, NO_RATE } from './oscillator_history'

/** Blocks ahead at which a trial is judged. */
const NEAR: i32 = 5
const MIDDLE: i32 = 28
const FAR: i32 = 112

/** Before the first trials, as if so many had come out as expected. */
const FAITH: f64 = 2
/** Share that a trial keeps when the next one comes. */
const KEPT: f64 = 0.9
/** No single trial counts for more than this many squared standard deviations. */
const WORST: f64 = 60

const TRIAL: Ahead = changetype<Ahead>(memory.data(<i32>AHEAD_SIZE, 8))
/** Sums of squares and weights of the three distances. */
const SQUARES: usize = memory.data(3 * 8, 8)
const WEIGHTS: usize = memory.data(3 * 8, 8)

let running: bool = false
/** Slices of the present block that are done. */
let slices: i32 = 0
let length: i32 = 0
let done: i32 = 0
let turn: u32 = 0
let error: f64 = 0

export function trialInit(): void {
  running = false
  slices = 0
  turn = 0
  memory.fill(SQUARES, 0, 24)
  memory.fill(WEIGHTS, 0, 24)
}

export const TRIALS_SIZE: i32 = 48

/** The sums and weights, to be kept. */
export function trialsStore(out: usize): void {
  memory.copy(out, SQUARES, 24)
  memory.copy(out + 24, WEIGHTS, 24)
}

/** Takes them back, if they make sense. */
export function trialsLoad(data: usize): bool {
  for (let i: usize = 0; i < 24; i += 8) {
    const square = load<f64>(data + i)
    const weight = load<f64>(data + 24 + i)
    if (!(weight >= 0 && weight <= 10 && square >= 0 && square <= 10 * WORST)) return false
  }
  memory.copy(SQUARES, data, 24)
  memory.copy(WEIGHTS, data + 24, 24)
  return true
}

/** The history begins anew: a trial that runs cannot be judged. */
export function trialBreak(): void {
  running = false
  slices = 0
}

/** One slice. `best`: a model that has taken all blocks. False when there is nothing to do. */
export function trialStep(best: Filter): bool {
  const filter = aheadFilter(TRIAL)
  if (slices === 1) {
    aheadMultiply(TRIAL)
    slices = 2
    return true
  }
  if (slices === 2) {
    finish(filter)
    return true
  }
  if (running && filter.block < historyFirst()) running = false
  if (!running) {
    aheadBegin(TRIAL, best)
    running = true
    error = 0
    done = 0
    turn++
    length = turn % 4 === 0 ? FAR : MIDDLE
    return true
  }
  const end = degreesSettled()
  if (filter.block >= end) return false
  aheadPredict(TRIAL, end)
  slices = 1
  return true
}

/** A slice of a trial is half done. */
export function trialHalfway(): bool {
  return slices !== 0
}

function finish(filter: Filter): void {
  slices = 0
  const known = filter.block >= historyFirst() && filter.block < historyEnd()
  const rate = known ? historyRate(filter.block) : NO_RATE
  if (rate === NO_RATE) {
    running = false
    return
  }
  error += (rate - filterRate() - filterShare(filter)) * <f64>BLOCK
  aheadGather(TRIAL)
  done++
  if (done === NEAR) record(0)
  if (done === MIDDLE) record(1)
  if (done === FAR) record(2)
  if (done === length) running = false
}

function record(distance: i32): void {
  const sigma = aheadSigma(TRIAL)
  const ratio = sigma > 0 ? error / sigma : 0
  const at = (<usize>distance) << 3
  store<f64>(SQUARES + at, load<f64>(SQUARES + at) * KEPT + Math.min(ratio * ratio, WORST))
  store<f64>(WEIGHTS + at, load<f64>(WEIGHTS + at) * KEPT + 1)
}

/** By how much errors were greater than was thought, `blocks` ahead; never less than 1. */
export function trialCaution(blocks: f64): f64 {
  const near = caution(0)
  const middle = caution(1)
  if (blocks <= <f64>MIDDLE) {
    const part = Math.min(Math.max((blocks - <f64>NEAR) / <f64>(MIDDLE - NEAR), 0), 1)
    return near + (middle - near) * part
  }
  const part = Math.min((blocks - <f64>MIDDLE) / <f64>(FAR - MIDDLE), 1)
  return middle + (caution(2) - middle) * part
}

function caution(distance: i32): f64 {
  const at = (<usize>distance) << 3
  const square = (load<f64>(SQUARES + at) + FAITH) / (load<f64>(WEIGHTS + at) + FAITH)
  return square > 1 ? sqrt<f64>(square) : 1
}
