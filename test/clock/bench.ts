// The clock room in a simulated world: pulses with the receiver's and the capture's noise, a crystal, and the truth.

import { Capture, type CaptureOptions, INTERRUPT } from '../../hal/virtual/capture'
import { Random } from '../../sim/world/random'
import { World, type WorldOptions } from '../../sim/world/world'
import { type Entry, loadEntry } from '../support/firmware'

export const ORIGIN = 1_846_015_200

export interface PulseFault {
  /** No pulse in these seconds. */
  missing?: (k: number) => boolean
  /** Seconds to add to the label. */
  mislabel?: (k: number) => number
  /** The label of these seconds is not earned yet: the edge alone is told. */
  unlabelled?: (k: number) => boolean
  /** Nanoseconds to add to the edge. */
  shift?: (k: number) => number
}

export interface BenchOptions extends PulseFault {
  world?: Partial<WorldOptions>
  capture?: CaptureOptions
  /** Standard deviation of the receiver's pulse, ns. */
  white?: number
  /** Label comes this much after the pulse, ns. */
  labelDelay?: number
  /** The leap second is announced from this second on. */
  announceFrom?: number
}

export interface Sample {
  nanos: number
  /** Served minus truth, ns. */
  error: number
  bound: number
  state: number
  stratum: number
}

/** White, sawtooth and capture noise as in the summary of the world; one label a second. */
export class ClockBench {
  readonly world: World
  readonly samples: Sample[] = []
  private readonly capture: Capture
  private readonly noise: Random
  private beat: number
  private second = 1

  static async make(options: BenchOptions = {}, flavour: 'checked' | 'release' = 'release'): Promise<ClockBench> {
    const bench = { now: 0n }
    const entry = await loadEntry(new URL('./clock.entry.ts', import.meta.url), flavour, {
      abi: { ticks: () => bench.now++ },
    })
    return new ClockBench(entry, options)
  }

  private constructor(
    readonly entry: Entry,
    readonly options: BenchOptions,
  ) {
    this.world = new World({ unixOrigin: ORIGIN, seed: 1, ...options.world })
    this.capture = new Capture(this.world.crystal, this.world.seed, 'pps', options.capture ?? INTERRUPT)
    this.noise = new Random(this.world.seed, 'receiver')
    this.beat = this.noise.uniform()
    entry.exports['init']()
  }

  ticks(nanos: number): bigint {
    return BigInt(this.world.crystal.ticks(nanos))
  }

  /** Runs whole seconds from the present one, sampling `perSecond` times. */
  run(seconds: number, perSecond = 4): this {
    const until = this.second + seconds
    while (this.second < until) {
      this.oneSecond(this.second, perSecond)
      this.second++
    }
    return this
  }

  private oneSecond(k: number, perSecond: number): void {
    const delay = this.options.labelDelay ?? 80e6
    const sawtooth = (this.beat - 0.5) * 20.8
    this.beat = (this.beat + 0.137) % 1
    const white = (this.options.white ?? 20) * this.noise.normal()
    const missed = this.noise.uniform() < 0.001
    const edge = k * 1e9 + sawtooth + white + (this.options.shift?.(k) ?? 0)
    this.capture.edge(edge)
    const arrival = k * 1e9 + delay
    let labelled = missed || this.options.missing?.(k) === true
    for (let i = 0; i < perSecond; i++) {
      const at = k * 1e9 + ((i + 0.037) * 1e9) / perSecond
      if (!labelled && at > arrival) {
        labelled = true
        this.label(k, sawtooth, arrival)
      }
      if (i === 0 || i === perSecond >> 1) this.poll(this.ticks(at))
      this.samples.push(this.sample(at))
    }
    if (!labelled) this.label(k, sawtooth, k * 1e9 + 990e6)
  }

  /** Polls until the clock has nothing more to do at once. */
  poll(ticks: bigint): void {
    for (let i = 0; i < 100 && this.entry.exports['poll'](ticks) <= ticks; i++);
  }

  private label(k: number, sawtooth: number, arrival: number): void {
    const { exports } = this.entry
    if (this.options.unlabelled?.(k) === true) {
      exports['rehearse'](BigInt(this.capture.ticks))
      return
    }
    const utc = this.world.utc(k * 1e9)
    const midnight = this.world.sky.leapMidnight()
    const announced = midnight !== 0 && utc.seconds < midnight && k >= (this.options.announceFrom ?? 0)
    exports['pulse'](
      BigInt(this.capture.ticks),
      BigInt(utc.seconds + (this.options.mislabel?.(k) ?? 0)),
      30,
      Math.round(sawtooth * 1000),
      utc.leap,
      announced ? this.world.sky.leapChange() : 0,
      announced ? BigInt(midnight - 1) : 0n,
      this.ticks(arrival),
    )
  }

  sample(nanos: number): Sample {
    const { exports } = this.entry
    const ticks = this.ticks(nanos)
    return {
      nanos,
      error: this.error(nanos),
      bound: Number(exports['error'](ticks)),
      state: exports['state'](),
      stratum: exports['stratum'](),
    }
  }

  /** Served minus true UTC, ns; the leap second counts. The reading is taken in the middle of its tick. */
  error(nanos: number): number {
    const { exports } = this.entry
    const ticks = this.world.crystal.ticks(nanos)
    const middle = (this.world.crystal.nanosAt(ticks) + this.world.crystal.nanosAt(ticks + 1)) / 2
    exports['now'](BigInt(ticks))
    const utc = this.world.utc(middle)
    const seconds = Number(exports['seconds']()) + exports['leap']() - utc.seconds - utc.leap
    return seconds * 1e9 + ((exports['fraction']() >>> 0) / 2 ** 32) * 1e9 - utc.nanos + 31.25
  }
}

export interface Summary {
  rms: number
  max: number
  p99: number
  mean: number
  /** Share of samples outside their own bound. */
  outside: number
}

export function summarise(samples: Sample[]): Summary {
  const sizes = samples.map(({ error }) => Math.abs(error)).sort((a, b) => a - b)
  const squares = samples.reduce((sum, { error }) => sum + error * error, 0)
  return {
    rms: Math.sqrt(squares / samples.length),
    max: sizes.at(-1) ?? 0,
    p99: sizes[Math.floor(sizes.length * 0.99)] ?? 0,
    mean: samples.reduce((sum, { error }) => sum + error, 0) / samples.length,
    outside: samples.filter(({ error, bound }) => Math.abs(error) > bound).length / samples.length,
  }
}
