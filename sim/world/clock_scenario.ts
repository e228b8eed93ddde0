// Scenarios for the clock alone: which pulses a board captures, and what its counter showed when.
//
// No board runs here: a receiver's pulse with its noise and sawtooth, a capture by an interrupt's handler or by hardware,
// a crystal with its temperature; outages, a leap second, a receiver that lies. Power-on is `BOOT` seconds before the
// start, with the first pulse a second after it. Everything follows from name, seed and options.

import { type CaptureOptions, INTERRUPT, PERFECT } from '../../hal/virtual/capture'
import { Crystal, type CrystalOptions, ORDINARY } from './crystal'
import { Random } from './random'
import { ROOM, Temperature, type TemperatureOptions } from './temperature'

const HOUR = 3600

/** What happens, in seconds since the start. */
export interface ClockPlan {
  about: string
  duration: number
  /** From, to: no pulses. */
  outages?: readonly (readonly [number, number])[]
  /** From, to, and by how many seconds the receiver's time is ahead. */
  spoofs?: readonly (readonly [number, number, number])[]
  /** 23:59:60 begins. */
  leapAt?: number
}

export const CLOCK_PLANS: Record<string, ClockPlan> = {
  coldstart: { about: 'the first hour after power-on', duration: HOUR },
  steady6h: { about: 'six hours without events', duration: 6 * HOUR },
  steady24h: { about: 'a day without events', duration: 24 * HOUR },
  outage1h: {
    about: 'four hours locked, one without pulses, one of recovery',
    duration: 6 * HOUR,
    outages: [[4 * HOUR, 5 * HOUR]],
  },
  outage24h: {
    about: 'a day locked, a day without pulses, two hours of recovery',
    duration: 50 * HOUR,
    outages: [[24 * HOUR, 48 * HOUR]],
  },
  leap: { about: 'a leap second is inserted after two hours', duration: 4 * HOUR, leapAt: 2 * HOUR },
  spoof: {
    about: 'after two hours the receiver is 100 ms ahead for ten minutes',
    duration: 4 * HOUR,
    spoofs: [[2 * HOUR, 2 * HOUR + 600, 0.1]],
  },
}

/** What takes the time of an edge. */
export interface CaptureKind {
  /** Rate of the oscillator's cycles, and cycles per tick of the counter. */
  cycleHz: number
  divider: number
  noise: CaptureOptions
}

/** The handler of an interrupt reads SYSTIMER: 16 MHz from a crystal of 40 MHz. */
export const BY_INTERRUPT: CaptureKind = { cycleHz: 40e6, divider: 2.5, noise: INTERRUPT }

/** A capture unit at 80 MHz: no handler in the path. */
export const BY_HARDWARE: CaptureKind = { cycleHz: 80e6, divider: 1, noise: PERFECT }

export interface ReceiverNoise {
  /** White noise of the pulse, ns. */
  white: number
  /** Its clock places the pulse: rate, relative offset, and the offset's random walk each second. */
  clockHz: number
  clockOffset: number
  clockWalk: number
  /** Share of pulses that are not captured. */
  missing: number
}

export const ORDINARY_RECEIVER: ReceiverNoise = {
  white: 20,
  clockHz: 48e6,
  clockOffset: 0.5e-6,
  clockWalk: 2e-10,
  missing: 0.001,
}

export interface ClockScenarioOptions {
  seed?: number
  /** POSIX second of the start. */
  unix0?: number
  crystal?: Partial<CrystalOptions>
  temperature?: Partial<TemperatureOptions>
  receiver?: Partial<ReceiverNoise>
  capture?: CaptureKind
  /** Degrees C as a DS3231 tells them, of the room or of the board with its own warming. */
  thermometer?: 'none' | 'room' | 'board'
  /** The thermometer is read when a pulse has come, and only then. */
  readWithPulses?: boolean
  /** Seconds whose capture is late by as many nanoseconds, whatever chance says. */
  lateCaptures?: ReadonlyMap<number, number>
}

/** A captured pulse, with the truth about it. */
export interface ScenarioPulse {
  /** The true second that it marks. */
  k: number
  /** POSIX second that the receiver says begins, counted on through a leap second. */
  label: number
  /** Leap seconds to take off the label. */
  leapSeconds: number
  leapWarning: boolean
  ticks: number
  /** True time of the edge at the pin, seconds since the start. */
  edge: number
  late: boolean
  spoofed: boolean
}

/** One true second: the pulse that marks its end, if it is captured, and the counter's readings in it. */
export interface ScenarioSecond {
  second: number
  pulse: ScenarioPulse | undefined
  /** Readings at equal distances from the second's start on: whole ticks, and the fraction of the next one. */
  ticks: Float64Array
  fractions: Float64Array
  /** What the thermometer shows, if there is one. */
  temperature: number | undefined
}

/** 2028-06-30 22:00:00 UTC; its leap second is invented. */
export const CLOCK_UNIX0 = 1_846_015_200

/** From power-on to the start: the receiver's cold start. */
const BOOT = 30

/** A DS3231 converts once in 64 s, to a quarter of a degree. */
const CONVERSION = 64
const QUARTER = 4

export class ClockScenario {
  readonly seed: number
  readonly unix0: number
  /** Nominal rate of the counter. */
  readonly tickHz: number
  /** Mean of captured minus true, without the late ones: what a loop back on the bench would show, ns. */
  readonly captureBias: number
  /** For the truth about it; it must not be read further back than it remembers. */
  readonly crystal: Crystal

  private readonly capture: CaptureKind
  private readonly receiver: ReceiverNoise
  private readonly startTicks: number
  private readonly saw: Random
  private readonly white: Random
  private readonly latency: Random
  private readonly late: Random
  private readonly missing: Random
  private beat: number
  private clockOffset: number
  private shown: number | undefined
  private converted = Number.NEGATIVE_INFINITY

  constructor(
    readonly plan: ClockPlan,
    readonly options: ClockScenarioOptions = {},
  ) {
    this.seed = options.seed ?? 1
    this.unix0 = options.unix0 ?? CLOCK_UNIX0
    this.capture = options.capture ?? BY_INTERRUPT
    this.receiver = { ...ORDINARY_RECEIVER, ...options.receiver }
    const { cycleHz, divider, noise } = this.capture
    this.tickHz = cycleHz / divider
    this.captureBias = noise.mean - (1e9 / cycleHz) * (0.5 + meanRemainder(divider))
    const temperature = new Temperature(this.seed, { ...ROOM, ...options.temperature })
    this.crystal = new Crystal(this.seed, { ...ORDINARY, ...options.crystal }, temperature)
    this.startTicks = Math.floor(this.tickHz * new Random(this.seed, 'counter-start').uniform())
    this.saw = new Random(this.seed, 'sawtooth')
    this.white = new Random(this.seed, 'receiver')
    this.latency = new Random(this.seed, 'latency')
    this.late = new Random(this.seed, 'late')
    this.missing = new Random(this.seed, 'missing')
    this.beat = new Random(this.seed, 'beat').uniform()
    this.clockOffset = this.receiver.clockOffset
  }

  /** Plays the scenario once, `rate` readings a second. A spoofed pulse may lie before the second's last readings. */
  *play(rate = 10): Generator<ScenarioSecond> {
    for (let second = 0; second < this.plan.duration; second++) {
      const ticks = new Float64Array(rate)
      const fractions = new Float64Array(rate)
      for (let i = 0; i < rate; i++) {
        const exact = this.cycles(second, i / rate) / this.capture.divider
        ticks[i] = this.startTicks + Math.floor(exact)
        fractions[i] = exact - Math.floor(exact)
      }
      const pulse = this.pulseOf(second + 1)
      const shown = this.thermometer(second + 1)
      const temperature = pulse || this.options.readWithPulses !== true ? shown : undefined
      yield { second, pulse, ticks, fractions, temperature }
    }
  }

  /** Relative frequency error of the crystal in a second that is being played (positive: fast). */
  frequencyError(second: number): number {
    return this.crystal.frequencyError((second + BOOT) * 1e9)
  }

  /** Every source of chance moves on by one second, whatever becomes of the pulse. */
  private pulseOf(k: number): ScenarioPulse | undefined {
    const { receiver, capture } = this
    this.clockOffset += receiver.clockWalk * this.saw.normal()
    this.beat += receiver.clockHz * this.clockOffset
    this.beat -= Math.floor(this.beat)
    const noise = ((this.beat - 0.5) * 1e9) / receiver.clockHz + receiver.white * this.white.normal()
    const { mean, jitter, minimum, lateChance, lateFrom, lateTo } = capture.noise
    let delay = Math.max(mean + jitter * this.latency.normal(), minimum)
    const late = this.late.uniform() < lateChance
    const extra = lateFrom + this.late.uniform() * (lateTo - lateFrom)
    const missed = this.missing.uniform() < receiver.missing
    if (late) delay += extra
    const forced = this.options.lateCaptures?.get(k) ?? 0
    if (missed || k >= this.plan.duration || within(this.plan.outages, k)) return undefined
    const jump = within(this.plan.spoofs, k)?.[2] ?? 0
    const captured = noise + delay + forced - jump * 1e9
    const cycles = Math.floor(this.cycles(k, captured / 1e9))
    const { leapAt } = this.plan
    return {
      k,
      label: this.unix0 + k,
      leapSeconds: leapAt !== undefined && k >= leapAt + 1 ? 1 : 0,
      leapWarning: leapAt !== undefined && k < leapAt + 1,
      ticks: this.startTicks + Math.floor(cycles / capture.divider),
      edge: k + noise / 1e9 - jump,
      late: late || forced > 0,
      spoofed: jump !== 0,
    }
  }

  /** Cycles since power-on at `second` and a part of a second, before or after it. */
  private cycles(second: number, part: number): number {
    return (this.crystal.cycles((second + BOOT) * 1e9 + part * 1e9) * this.capture.cycleHz) / 40e6
  }

  private thermometer(k: number): number | undefined {
    const kind = this.options.thermometer ?? 'none'
    if (kind === 'none') return undefined
    if (k - this.converted >= CONVERSION) {
      this.converted = k
      const board = this.crystal.degreesAt((k + BOOT) * 1e9)
      const { warmUp, warmUpTau } = this.crystal.temperature.options
      const own = warmUp * (1 - (1 - 1 / warmUpTau) ** (k + BOOT))
      this.shown = Math.round((kind === 'board' ? board : board - own) * QUARTER) / QUARTER
    }
    return this.shown
  }
}

/** A scenario by its name; throws a sentence for an unknown one. */
export function clockScenario(name: string, options: ClockScenarioOptions = {}): ClockScenario {
  const plan = CLOCK_PLANS[name]
  if (!plan) throw new Error(`there is no scenario ${name}: it is one of ${Object.keys(CLOCK_PLANS).join(', ')}`)
  return new ClockScenario(plan, options)
}

function within<T extends readonly [number, number, ...number[]]>(
  spans: readonly T[] | undefined,
  k: number,
): T | undefined {
  return spans?.find(([from, to]) => k >= from && k < to)
}

/** Cycles that rounding down to a multiple of `divider` costs on average. */
function meanRemainder(divider: number): number {
  let sum = 0
  for (let i = 0; i < 10; i++) sum += i - divider * Math.floor(i / divider)
  return sum / 10
}
