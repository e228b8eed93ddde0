// The chip's own time against true time.
//
// Everything on the chip follows one crystal of 40 MHz. Its unit here is the *cycle* of 160 MHz, a quarter of the
// crystal's period, counted in f64 since the world's power-on (exact for two years). True time is `nanos` as everywhere
// in the simulation. Within a second of true time the crystal runs evenly (sim/world/crystal.ts), so both directions are
// one multiplication.

import type { Crystal } from '../world/crystal'

/** Nominal cycles a second. */
export const CYCLE_HZ = 160_000_000
/** Cycles of one period of the crystal. */
export const XTAL_CYCLES = 4
export const XTAL_HZ = CYCLE_HZ / XTAL_CYCLES

export class TimeBase {
  /** The second of true time that is at hand, and the cycles at its two ends. */
  private second = -1
  private from = 0
  private to = 0

  constructor(private readonly crystal: Crystal) {
    this.take(0)
  }

  /** Cycles at true time `nanos`, with their fraction. */
  cycles(nanos: number): number {
    const second = Math.floor(nanos / 1e9)
    if (second !== this.second) this.take(second)
    return this.from + ((nanos - second * 1e9) * (this.to - this.from)) / 1e9
  }

  /** True time at which `cycles` have passed. */
  nanos(cycles: number): number {
    if (cycles < this.from || cycles >= this.to) this.find(cycles)
    return this.second * 1e9 + ((cycles - this.from) * 1e9) / (this.to - this.from)
  }

  private find(cycles: number): void {
    let second = Math.max(0, Math.floor(cycles / CYCLE_HZ))
    this.take(second)
    while (cycles < this.from && second > 0) this.take(--second)
    while (cycles >= this.to) this.take(++second)
  }

  private take(second: number): void {
    this.second = second
    this.from = this.crystal.cycles(second * 1e9) * XTAL_CYCLES
    this.to = this.crystal.cycles((second + 1) * 1e9) * XTAL_CYCLES
  }
}
