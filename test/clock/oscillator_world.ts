// A crystal in a heated room, a second at a time, and the slow model taught by it: for oscillator.test.ts.
//
// The line is right but for 15 ns of noise, as the fast filter leaves it; how the fast filter knows the rate at the end is
// imitated by the mean of the last 24 s.

import { Random } from '../../sim/world/random'
import { type Entry, loadEntry } from '../support/firmware'

export interface CrystalPlan {
  ppm: number
  whiteFm: number
  randomWalkFm: number
  /** ppm a degree; daily and heating amplitudes in degrees; the heating's period and its relative spread. */
  tempco: number
  daily: number
  heating: number
  period: number
  spread: number
  /** ppm that fade with this time constant after power-on. */
  warmUp: number
  warmUpTime: number
}

export const ROOM: CrystalPlan = {
  ppm: 8,
  whiteFm: 3e-10,
  randomWalkFm: 1e-10,
  tempco: 0.1,
  daily: 3,
  heating: 0.5,
  period: 1200,
  spread: 0.15,
  warmUp: 2,
  warmUpTime: 300,
}

export const UNIX = 1_846_015_200
/** Power-on is this long before the first second. */
const BOOT = 30
const AIR = 600
const BOARD = 120
/** The firmware reads the thermometer so often, s. */
const READ = 32

export class CrystalWorld {
  /** Nanoseconds by which the crystal's count is ahead, and degrees C, at each second. */
  readonly phase: Float64Array
  readonly degrees: Float64Array
  readonly noise: Random

  constructor(seed: number, seconds: number, plan: Partial<CrystalPlan> = {}) {
    const p = { ...ROOM, ...plan }
    const heating = new Random(seed, 'heating')
    const walk = new Random(seed, 'walk')
    const white = new Random(seed, 'white')
    this.noise = new Random(seed, 'noise')
    this.phase = new Float64Array(seconds + 1)
    this.degrees = new Float64Array(seconds + 1)
    const start = 2 * Math.PI * heating.uniform()
    const half = p.period / 2
    const drive = p.heating / Math.tanh(half / (2 * AIR))
    let sign = 1
    let left = half * heating.uniform()
    let air = 0
    let board = p.daily * Math.sin(start)
    const reference = board
    let wandered = 0
    let x = 0
    this.degrees[0] = 23 + board
    for (let t = 0; t < seconds; t++) {
      left -= 1
      if (left <= 0) {
        sign = -sign
        left += half * (1 + p.spread * (2 * heating.uniform() - 1))
      }
      air += (1 - Math.exp(-1 / AIR)) * (sign * drive - air)
      const room = p.daily * Math.sin((2 * Math.PI * t) / 86_400 + start) + air
      board += (1 - Math.exp(-1 / BOARD)) * (room - board)
      wandered += p.randomWalkFm * 1e9 * walk.normal()
      const warm = p.warmUp * 1000 * Math.exp(-(t + BOOT) / p.warmUpTime)
      const rate = p.ppm * 1000 + p.tempco * 1000 * (board - reference) + warm + wandered
      x += rate + p.whiteFm * 1e9 * white.normal()
      this.phase[t + 1] = x
      this.degrees[t + 1] = 23 + board
    }
  }

  /** What a DS3231 shows: quarters, renewed every 64 s; here in 1/64 degree. */
  thermometer(t: number): number {
    return Math.round(this.degrees[Math.max(0, t - (t % 64))]! * 4) * 16
  }
}

export interface Holdover {
  /** Line minus truth at the end, ns; the model's own standard deviation of it. */
  error: number
  sigma: number
  /** The greatest error in standard deviations, over the whole holdover. */
  worst: number
}

export class OscillatorBench {
  static async make(flavour: 'checked' | 'release' = 'release'): Promise<OscillatorBench> {
    const entry = await loadEntry(new URL('./oscillator.entry.ts', import.meta.url), flavour)
    entry.exports['init']()
    return new OscillatorBench(entry)
  }

  /** On an entry that has the same handles and is initialised. */
  static on(entry: Entry): OscillatorBench {
    return new OscillatorBench(entry)
  }

  private constructor(readonly entry: Entry) {}

  /** Pulses from second `from` to `to`. Ticks count from second `boot`, when power came on, less half a minute. */
  learn(world: CrystalWorld, from: number, to: number, options: { thermometer?: boolean; boot?: number } = {}): this {
    const { exports } = this.entry
    for (let t = from; t <= to; t++) {
      if (options.thermometer && t % READ === 7) exports['temperature'](world.thermometer(t))
      const part = (UNIX + t) % 128
      // Another pulse once the readings of the block before have come.
      if (part < 2 || (part === 33 && options.thermometer)) this.pulse(world, t, options.boot ?? 0)
      exports['steps'](2)
    }
    return this
  }

  private pulse(world: CrystalWorld, t: number, boot: number): void {
    const exact = (t - boot + BOOT + world.phase[t]! * 1e-9) * 16e6
    const ticks = Math.floor(exact)
    const nanos = 15 * world.noise.normal() - (exact - ticks) * 62.5
    const second = UNIX + t - (nanos < 0 ? 1 : 0)
    const part = nanos < 0 ? nanos + 1e9 : nanos
    this.entry.exports['observe'](BigInt(ticks), BigInt(second), BigInt(Math.round((part / 1e9) * 2 ** 53)) << 11n)
  }

  /** No pulses from second `from` on. */
  hold(world: CrystalWorld, from: number, seconds: number, thermometer = false): Holdover {
    const { exports } = this.entry
    const rate = (world.phase[from - 24]! - world.phase[from]!) / 24 + 0.7 * world.noise.normal()
    exports['holdover'](BigInt(UNIX + from), rate, 0)
    if (!exports['ready']()) return { error: Number.NaN, sigma: Number.NaN, worst: Number.NaN }
    let error = 0
    let worst = 0
    for (let t = 1; t <= seconds; t++) {
      if (thermometer && (from + t) % READ === 7) exports['temperature'](world.thermometer(from + t))
      exports['steps'](2)
      error += exports['rate'](t - 1) + world.phase[from + t]! - world.phase[from + t - 1]!
      if (t % 16 === 0) worst = Math.max(worst, Math.abs(error) / (exports['sigmaPhase'](t) + 10))
    }
    return { error, sigma: exports['sigmaPhase'](seconds), worst }
  }
}

export function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}
