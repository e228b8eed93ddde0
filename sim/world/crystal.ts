// The board's crystal: true time in, ticks out, and back.
//
//   y(t) = initial + tempco * (T(t) - T(0)) + warm-up + ageing * t + random walk,  white FM on the phase
//
// The phase error x (seconds) is drawn once a second, in order, and runs straight in between, so a reading costs a few
// operations and is the same in whatever order instants are asked for. Ticks are what the ESP32-C3's SYSTIMER counts:
// 40 MHz cycles divided by 2.5 (alternately 3 and 2 cycles), floor(floor(cycles) / 2.5).
//
// The last `HISTORY` seconds are kept; asking for an instant before them is an error of the caller.

import { Random } from './random'
import { Temperature } from './temperature'

export interface CrystalOptions {
  /** Frequency error at power-on, parts per million. */
  ppm: number
  /** Parts per million per degree C. */
  tempco: number
  /** Frequency that the crystal loses while the board warms up, parts per million (positive: it is fast when cold). */
  warmUpPpm: number
  /** Parts per million a year. */
  ageing: number
  /** White FM: Allan deviation at 1 s. */
  whiteFm: number
  /** Random-walk FM: step of the relative frequency a second. */
  randomWalkFm: number
  /** Ticks on the counter when the world's clock reads 0. */
  startTicks: number
}

/** An ordinary 40 MHz crystal beside a warm processor. */
export const ORDINARY: CrystalOptions = {
  ppm: 8,
  tempco: 0.1,
  warmUpPpm: 2,
  ageing: 3,
  whiteFm: 3e-10,
  randomWalkFm: 1e-10,
  startTicks: 0,
}

/** Nominal ticks a second. */
export const TICK_HZ = 16_000_000

const CYCLE_HZ = 40_000_000
const YEAR = 365.25 * 86_400
const HISTORY = 1 << 17

export class Crystal {
  readonly temperature: Temperature

  private readonly white: Random
  private readonly walkSource: Random
  private readonly phase = new Float64Array(HISTORY)
  private readonly degrees = new Float32Array(HISTORY)
  private readonly reference: number
  /** The last second whose phase is drawn. */
  private drawn = 0
  private walk = 0

  constructor(
    seed: number | string,
    readonly options: CrystalOptions = ORDINARY,
    temperature: Temperature = new Temperature(seed),
  ) {
    this.temperature = temperature
    this.white = new Random(seed, 'white-fm')
    this.walkSource = new Random(seed, 'random-walk-fm')
    this.reference = temperature.ambient
    this.degrees[0] = temperature.degrees
    this.draw(1)
  }

  /** The counter at true time `nanos`. An integer below 2^53. */
  ticks(nanos: number): number {
    return this.options.startTicks + Math.floor(Math.floor(this.cycles(nanos)) / 2.5)
  }

  /** The first instant (nanos) at which the counter shows `ticks`, within a fraction of a nanosecond. */
  nanosAt(ticks: number): number {
    const cycles = Math.ceil((ticks - this.options.startTicks) * 2.5)
    let second = Math.max(0, Math.floor(cycles / CYCLE_HZ))
    this.draw(second + 2)
    while (second > 0 && this.cyclesAtSecond(second) > cycles) second--
    while (this.cyclesAtSecond(second + 1) <= cycles) second++
    const from = this.cyclesAtSecond(second)
    const span = this.cyclesAtSecond(second + 1) - from
    let nanos = second * 1e9 + (Math.max(0, cycles - from) / span) * 1e9
    // Rounding may have landed just before the tick.
    while (this.ticks(nanos) < ticks) nanos += Math.max(0.0625, nanos * 2.3e-16)
    return nanos
  }

  /** Relative frequency error now (positive: fast), averaged over the second that contains `nanos`. */
  frequencyError(nanos: number): number {
    const second = Math.floor(nanos / 1e9)
    return this.phaseAt(second + 1) - this.phaseAt(second)
  }

  /** Degrees C of the board. */
  degreesAt(nanos: number): number {
    const second = Math.floor(nanos / 1e9)
    this.phaseAt(second)
    return this.degrees[second % HISTORY]!
  }

  /** Exact count of 40 MHz cycles since nanos 0, with its fraction. */
  cycles(nanos: number): number {
    const second = Math.floor(nanos / 1e9)
    const rest = nanos - second * 1e9
    const from = this.phaseAt(second)
    const phase = from + ((this.phaseAt(second + 1) - from) * rest) / 1e9
    return second * CYCLE_HZ + (rest * (CYCLE_HZ / 1e9) + phase * CYCLE_HZ)
  }

  private cyclesAtSecond(second: number): number {
    return second * CYCLE_HZ + this.phaseAt(second) * CYCLE_HZ
  }

  private phaseAt(second: number): number {
    if (second > this.drawn) this.draw(second + 1)
    if (second < 0 || second <= this.drawn - HISTORY) throw new RangeError(`second ${second} is not remembered`)
    return this.phase[second % HISTORY]!
  }

  /** Draws the phase up to the given second. */
  private draw(until: number): void {
    const { ppm, tempco, warmUpPpm, ageing, whiteFm, randomWalkFm } = this.options
    while (this.drawn < until) {
      this.temperature.step()
      this.walk += randomWalkFm * this.walkSource.normal()
      const slow =
        ppm +
        tempco * (this.temperature.ambient - this.reference) +
        warmUpPpm * (this.temperature.cold / (this.temperature.options.warmUp || 1)) +
        (ageing * this.drawn) / YEAR
      const before = this.phase[this.drawn % HISTORY]!
      this.drawn++
      this.phase[this.drawn % HISTORY] = before + slow * 1e-6 + this.walk + whiteFm * this.white.normal()
      this.degrees[this.drawn % HISTORY] = this.temperature.degrees
    }
  }
}
