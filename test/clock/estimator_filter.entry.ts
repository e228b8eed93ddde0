// One filter of the estimator, its 23 numbers in memory, for estimator_filter.test.ts.

import * as filter from '../../firmware/clock/estimator_filter'

const FILTER: filter.Filter = changetype<filter.Filter>(memory.data(184, 8))

export function at(): usize {
  return changetype<usize>(FILTER)
}
export function cycle(cosine: f64, sine: f64, memory: f64, amplitude: f64): void {
  filter.cycleSet(cosine, sine, memory, amplitude)
}
export function split(): void {
  filter.filterSplit(FILTER)
}
export function merge(): void {
  filter.filterMerge(FILTER)
}
export function advance(seconds: f64): void {
  filter.filterAdvance(FILTER, seconds)
}
export function update(surprise: f64, r: f64): void {
  filter.filterUpdate(FILTER, surprise, r)
}
export function clamp(): bool {
  return filter.filterClamp(FILTER)
}
export function rate(): f64 {
  return filter.filterRate(FILTER)
}
export function drift(): f64 {
  return filter.filterDrift(FILTER)
}
export function frequencySigma(): f64 {
  return filter.filterFrequencySigma(FILTER)
}
export function phaseVariance(ahead: f64): f64 {
  return filter.filterPhaseVariance(FILTER, ahead)
}
