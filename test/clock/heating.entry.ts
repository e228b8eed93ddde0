// The search for the heating's cycle over a history of rates, for heating.test.ts.

import { estimatorInit } from '../../firmware/clock/estimator'
import { heatingInit, heatingPeriod, heatingStep } from '../../firmware/clock/heating'
import { historyAdd, historyClear, NO_TEMPERATURE } from '../../firmware/clock/oscillator_history'

export function init(): void {
  estimatorInit()
  historyClear()
  heatingInit()
}
export function clear(): void {
  historyClear()
}
/** The mean rate of a block, ns/s. */
export function add(block: i32, rate: f64): void {
  historyAdd(block, rate, NO_TEMPERATURE, <f64>block * 128)
}
export function step(): bool {
  return heatingStep()
}
export function period(): f64 {
  return heatingPeriod()
}
