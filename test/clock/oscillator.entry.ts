// The slow model with a hand on every door, for oscillator.test.ts.

import { Line } from '../../firmware/clock/line'
import * as oscillator from '../../firmware/clock/oscillator'
import { DEGREES_UNIT, degreesOf, degreesSettled } from '../../firmware/clock/oscillator_degrees'
import { Filter, filterMean, filterUnit } from '../../firmware/clock/oscillator_filter'
import { historyFirst, historyTemperature } from '../../firmware/clock/oscillator_history'
import * as math from '../../firmware/clock/oscillator_math'
import { MEMORY_SIZE, memoryRecall, memoryStore } from '../../firmware/clock/oscillator_memory'
import { searchBest, searchTheta, searchTried } from '../../firmware/clock/oscillator_search'
import { trialCaution } from '../../firmware/clock/oscillator_trial'

const LINE: Line = changetype<Line>(memory.data(32, 8))

export function init(): void {
  oscillator.oscillatorInit()
}
export function observe(ticks: u64, seconds: i64, fraction: u64): void {
  LINE.ticks = ticks
  LINE.seconds = seconds
  LINE.fraction = fraction
  oscillator.oscillatorObserve(LINE, 10)
}
export function broken(): void {
  oscillator.oscillatorBreak()
}
export function temperature(sixtyfourths: i32): void {
  oscillator.oscillatorTemperature(sixtyfourths)
}
export function step(): bool {
  return oscillator.oscillatorStep()
}
export function steps(count: i32): void {
  for (let i = 0; i < count; i++) oscillator.oscillatorStep()
}
export function holdover(second: i64, rate: f64, drift: f64): void {
  oscillator.oscillatorHoldover(second, rate, drift)
}
export function ready(): bool {
  return oscillator.oscillatorReady()
}
export function rate(ahead: u32): f64 {
  return oscillator.oscillatorRate(ahead)
}
export function sigmaRate(ahead: u32): f64 {
  return oscillator.oscillatorSigmaRate(ahead)
}
export function sigmaPhase(ahead: u32): f64 {
  return oscillator.oscillatorSigmaPhase(ahead)
}
export function tried(): u32 {
  return searchTried()
}
/** Parameter `i` of the best model; 6: the level's step, ns/s. */
export function caution(blocks: f64): f64 {
  return trialCaution(blocks)
}
export function theta(i: i32): f64 {
  return i < 6 ? load<f64>(changetype<usize>(searchTheta()) + ((<usize>i) << 3)) : sqrt<f64>(filterUnit(searchBest()))
}
export function mean(i: i32): f64 {
  const best: Filter = searchBest()
  return filterMean(best, i)
}

/** The first block, and the one after the last whose temperature is settled. */
export function first(): i32 {
  return historyFirst()
}
export function settled(): i32 {
  return degreesSettled()
}
/** Degrees C of a block: as estimated, and as read. */
export function estimate(block: i32): f64 {
  return <f64>degreesOf(block) * DEGREES_UNIT
}
export function reading(block: i32): f64 {
  return <f64>historyTemperature(block) * 0.015625
}

export function exponential(x: f64): f64 {
  return math.exponential(x)
}
export function logarithm(x: f64): f64 {
  return math.logarithm(x)
}
export function cosine(turns: f64): f64 {
  return math.cosineOfTurns(turns)
}
export function sine(): f64 {
  return math.sineOfTurns()
}

const BLOB: usize = memory.data(256, 8)
export function blob(): usize {
  return BLOB
}
export function remember(): i32 {
  return memoryStore(BLOB) ? <i32>MEMORY_SIZE : -1
}
export function recall(length: i32): bool {
  return memoryRecall(BLOB, length)
}
