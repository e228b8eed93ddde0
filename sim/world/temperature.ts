// The temperature of the board: a room with a daily swing and a heating that switches, air and board that follow slowly,
// and the board's own warming after power-on. One step a second, in order; the same seed gives the same day.

import { Random } from './random'

export interface TemperatureOptions {
  /** Mean of the room, degrees C. */
  mean: number
  /** Amplitude of the daily swing, degrees C. */
  daily: number
  /** Amplitude of the heating's cycle, degrees C. */
  heating: number
  /** Mean period of the heating's cycle, seconds; each half cycle varies by +-15 %. */
  heatingPeriod: number
  /** How much the board warms itself after power-on, degrees C. */
  warmUp: number
  /** Time constant of that warming, seconds. */
  warmUpTau: number
}

export const ROOM: TemperatureOptions = {
  mean: 24,
  daily: 3,
  heating: 0.5,
  heatingPeriod: 1200,
  warmUp: 8,
  warmUpTau: 300,
}

const AIR_TAU = 600
const BOARD_TAU = 120
const HALF_CYCLE_SPREAD = 0.15
const DAY = 86_400

export class Temperature {
  /** Degrees C of the board's surroundings now, without its own warming. */
  ambient: number
  /** What the board has still to warm up: falls from `warmUp` to 0. */
  cold: number

  private readonly random: Random
  private readonly phase: number
  private readonly drive: number
  private direction = 1
  private left: number
  private air = 0
  private board: number
  private second = 0

  constructor(
    seed: number | string,
    readonly options: TemperatureOptions = ROOM,
  ) {
    this.random = new Random(seed, 'temperature')
    this.phase = 2 * Math.PI * this.random.uniform()
    const half = options.heatingPeriod / 2
    this.drive = options.heating / Math.tanh(half / (2 * AIR_TAU))
    this.left = half * this.random.uniform()
    this.board = options.daily * Math.sin(this.phase)
    this.ambient = options.mean + this.board
    this.cold = options.warmUp
  }

  /** Degrees C of the board. */
  get degrees(): number {
    return this.ambient + this.options.warmUp - this.cold
  }

  /** One second passes. */
  step(): void {
    const { mean, daily, heatingPeriod, warmUpTau } = this.options
    this.second++
    this.left--
    if (this.left <= 0) {
      this.direction = -this.direction
      this.left += (heatingPeriod / 2) * (1 + HALF_CYCLE_SPREAD * (2 * this.random.uniform() - 1))
    }
    this.air += (this.direction * this.drive - this.air) / AIR_TAU
    const room = daily * Math.sin((2 * Math.PI * this.second) / DAY + this.phase) + this.air
    this.board += (room - this.board) / BOARD_TAU
    this.ambient = mean + this.board
    this.cold -= this.cold / warmUpTau
  }
}
