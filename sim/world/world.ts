// The world that a board lives in: true time and UTC, the crystal and its temperature, the sky, and power.
//
// Everything follows from the options and the seed; nothing is drawn from the host.

import { leapOfSecond, Sky, utcOfSecond } from '../chips/sky'
import { Crystal, type CrystalOptions, ORDINARY } from './crystal'
import { ROOM, Temperature, type TemperatureOptions } from './temperature'

/** The antenna sees nothing from `from` to `to` (nanos). */
export interface Outage {
  from: number
  to: number
}

export interface LeapSecond {
  /** The midnight (POSIX) before which the second is inserted or left out. */
  midnight: number
  change: 1 | -1
}

export interface WorldOptions {
  /** POSIX second of UTC at power-on: an integer. */
  unixOrigin: number
  seed?: number
  crystal?: Partial<CrystalOptions>
  temperature?: Partial<TemperatureOptions>
  outages?: Outage[]
  leapSecond?: LeapSecond
  /** GPS - UTC at power-on. */
  leapSeconds?: number
  /** Mains power fails at these nanos and comes back `PowerEvent.off` later. */
  power?: PowerEvent[]
}

export interface PowerEvent {
  at: number
  /** Nanoseconds without power. */
  off: number
}

/** True UTC of an instant. */
export interface Utc {
  /** POSIX seconds; inside 23:59:60 those of 23:59:59. */
  seconds: number
  /** 0 .. below 1e9, with a fraction. */
  nanos: number
  /** 1 inside an inserted second. */
  leap: number
}

export class World {
  readonly seed: number
  readonly unixOrigin: number
  readonly temperature: Temperature
  readonly crystal: Crystal
  readonly sky: WorldSky
  readonly power: readonly PowerEvent[]

  constructor(options: WorldOptions) {
    this.seed = options.seed ?? 1
    this.unixOrigin = options.unixOrigin
    this.temperature = new Temperature(this.seed, { ...ROOM, ...options.temperature })
    this.crystal = new Crystal(this.seed, { ...ORDINARY, ...options.crystal }, this.temperature)
    this.sky = new WorldSky(options)
    this.power = options.power ?? []
  }

  utc(nanos: number): Utc {
    const k = Math.floor(nanos / 1e9)
    const midnight = this.sky.leapMidnight()
    const leap = this.sky.leapChange() > 0 && this.unixOrigin + k === midnight ? 1 : 0
    return { seconds: utcOfSecond(this.sky, k), nanos: nanos - k * 1e9, leap }
  }
}

/** The sky of a world: open but for the scheduled outages. */
export class WorldSky extends Sky {
  readonly outages: Outage[]
  private readonly options: WorldOptions

  constructor(options: WorldOptions) {
    super()
    this.options = options
    this.outages = [...(options.outages ?? [])]
  }

  unixOrigin(): number {
    return this.options.unixOrigin
  }

  leapSeconds(): number {
    return this.options.leapSeconds ?? 18
  }

  leapMidnight(): number {
    return this.options.leapSecond?.midnight ?? 0
  }

  leapChange(): number {
    return this.options.leapSecond?.change ?? 0
  }

  visible(nanos: number): boolean {
    return nanos >= 0 && !this.outages.some(({ from, to }) => nanos >= from && nanos < to)
  }

  /** GPS - UTC during the second that contains `nanos`. */
  leapAt(nanos: number): number {
    return leapOfSecond(this, Math.floor(nanos / 1e9))
  }
}
