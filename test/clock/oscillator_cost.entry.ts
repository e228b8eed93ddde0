// The slow model with integer handles, so that a simulated core can be asked what its slices cost.

import { Line } from '../../firmware/clock/line'
import * as oscillator from '../../firmware/clock/oscillator'
import { degreesLearn } from '../../firmware/clock/oscillator_degrees'
import { historyAdd } from '../../firmware/clock/oscillator_history'
import { MEMORY_SIZE, memoryStore } from '../../firmware/clock/oscillator_memory'

const LINE: Line = changetype<Line>(memory.data(32, 8))
const BLOB: usize = memory.data(<i32>MEMORY_SIZE, 8)

export function init(): void {
  oscillator.oscillatorInit()
}
/** A block's rate in 1e-6 ns/s and temperature in 1/64 C; `age` seconds after power-on. */
export function block(number: i32, rate: i32, temperature: i32, age: i32): void {
  oscillator.oscillatorTemperature(temperature)
  degreesLearn()
  historyAdd(number, <f64>rate * 1e-6, temperature, <f64>age)
}
export function observe(second: i32): void {
  LINE.ticks = <u64>second * 16_000_000
  LINE.seconds = <i64>second
  LINE.fraction = 0
  oscillator.oscillatorObserve(LINE, 10)
}
export function step(): i32 {
  return oscillator.oscillatorStep() ? 1 : 0
}
export function holdover(second: i32): i32 {
  oscillator.oscillatorHoldover(<i64>second, -8000, 0.01)
  return oscillator.oscillatorReady() ? 1 : 0
}
/** What a second of holdover asks for. */
export function second(ahead: u32): i32 {
  return <i32>(
    (oscillator.oscillatorRate(ahead) +
      oscillator.oscillatorSigmaRate(ahead) +
      oscillator.oscillatorSigmaPhase(ahead) +
      oscillator.oscillatorSigmaPhase(ahead + 2))
  )
}
export function remember(): i32 {
  return memoryStore(BLOB) ? 1 : 0
}
