// The RTC's square wave as a second oscillator: what is taken for an edge, what is learnt of its rate, what is claimed.

import { beforeEach, describe, expect, it } from 'vitest'
import { Random } from '../../sim/world/random'
import { type Entry, loadEntry } from '../support/firmware'

const HZ = 16e6
const ORIGIN = 1_846_015_200

/** True time, a crystal and an RTC; rates in ns/s, functions of true seconds. */
class Bench {
  t = 0
  /** How slow the RTC is, and how fast the crystal. */
  slow = (_t: number) => 700
  fast = (_t: number) => 8000
  jitter = 80
  lateChance = 0
  flagged = false
  /** NaN: there is no thermometer. */
  degrees = 30
  sigma = 15
  private readonly random = new Random(3, 'edges')
  private crystal = 0
  private edge = 0.3
  private count = 0
  private captured = { count: 0, late: 0, ticks: 0n }

  constructor(readonly fw: Entry['exports']) {}

  static async make(): Promise<Bench> {
    let bench: Bench | undefined
    const entry = await loadEntry(new URL('./second_oscillator.entry.ts', import.meta.url), 'checked', {
      abi: { capture: (_: number, out: number) => bench?.capture(entry.memory, out) },
    })
    entry.exports['init']()
    bench = new Bench(entry.exports)
    return bench
  }

  /** Ticks at the present second. */
  get ticks(): bigint {
    return BigInt(Math.round((this.t + 100 + this.crystal * 1e-9) * HZ))
  }

  /** The RTC is set: its next second begins elsewhere. */
  shift(seconds: number): void {
    this.edge += seconds
  }

  /** One edge more than there were, or one that nobody has counted. */
  miscount(edges: number): void {
    this.count += edges
  }

  capture(memory: WebAssembly.Memory, out: number): void {
    const view = new DataView(memory.buffer)
    view.setUint32(out, this.captured.count, true)
    view.setUint32(out + 4, this.captured.late, true)
    view.setBigUint64(out + 8, this.captured.ticks, true)
  }

  /** Seconds pass; the firmware looks at each edge, or at every so many. */
  run(seconds: number, options: { pulses?: boolean; look?: number } = {}): this {
    for (let end = this.t + seconds; this.t < end; ) {
      if (this.edge < this.t + 1) this.rise(this.edge - this.t)
      this.crystal += this.fast(this.t)
      this.t++
      if (this.t % (options.look ?? 1) === 0) this.fw['look']()
      if (this.t % 32 === 0 && this.degrees > -100) this.fw['temperature'](Math.round(this.degrees * 4) * 16)
      if (options.pulses !== false) this.fw['observe'](this.ticks, BigInt(ORIGIN + this.t), this.sigma)
      else this.fw['pass'](1)
    }
    return this
  }

  private rise(into: number): void {
    const late = this.random.uniform() < this.lateChance ? 2000 + 4000 * this.random.uniform() : 0
    const nanos = this.crystal + this.fast(this.t) * into + this.jitter * this.random.normal() + late
    this.captured = {
      count: ++this.count >>> 0,
      late: late > 0 && this.flagged ? 1 : 0,
      ticks: BigInt(Math.floor((this.t + into + 100 + nanos * 1e-9) * HZ)),
    }
    this.edge += 1 + this.slow(this.edge) * 1e-9
  }

  /** Pulses stop. What the RTC will say after so many seconds, less the truth, ns; and its deviation. */
  hold(seconds: number): { error: number; sigma: number } {
    expect(this.fw['holdover'](this.ticks, BigInt(ORIGIN + this.t))).toBe(1)
    const before = this.crystal
    this.run(seconds, { pulses: false })
    expect(this.fw['holds'](this.ticks)).toBe(1)
    return { error: this.fw['gain'](this.ticks) + this.crystal - before, sigma: this.fw['sigma'](seconds) }
  }
}

describe('the square wave', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await Bench.make()
  })

  it('is_steady_after_some_24_edges_and_has_the_slope_of_crystal_and_RTC_together', () => {
    bench.run(20)
    expect(bench.fw['steady'](bench.ticks)).toBe(0)
    bench.run(60)
    expect(bench.fw['steady'](bench.ticks)).toBe(1)
    expect(Math.abs(bench.fw['slope']() - 8700)).toBeLessThan(20)
  })

  it('is_the_same_when_only_every_third_edge_is_looked_at', () => {
    bench.run(200, { look: 3 })
    expect(bench.fw['steady'](bench.ticks)).toBe(1)
    expect(Math.abs(bench.fw['slope']() - 8700)).toBeLessThan(40)
  })

  it('ends_when_no_edge_comes_for_some_seconds', () => {
    bench.run(100)
    bench.shift(1e6)
    bench.run(6)
    expect(bench.fw['steady'](bench.ticks)).toBe(0)
  })

  it.each([
    ['the RTC is set, and that is told', (b: Bench) => b.fw['set']()],
    ['the RTC is set, and nobody tells', (b: Bench) => b.shift(0.004)],
    ['an edge is lost', (b: Bench) => b.shift(1)],
    ['an edge is counted twice', (b: Bench) => b.miscount(1)],
  ])('begins_anew_when: %s', (_, happens) => {
    bench.run(400)
    bench.fw['holdover'](bench.ticks, BigInt(ORIGIN + bench.t))
    expect(bench.fw['holds'](bench.ticks)).toBe(1)
    happens(bench)
    bench.run(20, { pulses: false })
    expect(bench.fw['steady'](bench.ticks)).toBe(0)
    bench.run(20, { pulses: false })
    expect(bench.fw['steady'](bench.ticks)).toBe(1)
    expect(bench.fw['holds'](bench.ticks)).toBe(0)
  })
})

describe('the second oscillator', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await Bench.make()
  })

  it('knows_its_rate_after_two_minutes_whatever_the_crystal_does_then', () => {
    bench.fast = (t) => 8000 + (t > 120 ? 5 * (t - 120) : 0)
    const { error, sigma } = bench.run(120).hold(600)
    expect(Math.abs(error)).toBeLessThan(3000)
    expect(sigma).toBeGreaterThan(20_000)
  })

  it.each([true, false])('is_not_misled_by_late_captures, flagged: %s', (flagged) => {
    bench.lateChance = 0.03
    bench.flagged = flagged
    expect(Math.abs(bench.run(1000).hold(600).error)).toBeLessThan(1500)
  })

  it('says_nothing_before_it_has_seen_half_a_minute_of_steady_wave', () => {
    bench.run(50)
    expect(bench.fw['holdover'](bench.ticks, BigInt(ORIGIN + bench.t))).toBe(0)
  })

  it('says_nothing_while_the_line_is_vague_or_the_temperature_unknown', async () => {
    bench.sigma = 5000
    bench.run(600)
    expect(bench.fw['holdover'](bench.ticks, BigInt(ORIGIN + bench.t))).toBe(0)
    const blind = await Bench.make()
    blind.degrees = Number.NaN
    blind.run(600)
    expect(blind.fw['holdover'](blind.ticks, BigInt(ORIGIN + blind.t))).toBe(0)
  })

  it('keeps_its_rate_when_the_RTC_is_set', () => {
    bench.run(1500)
    for (let hour = 0; hour < 3; hour++) {
      bench.fw['set']()
      bench.shift(0.0007 + 0.4 * hour)
      bench.run(1200)
    }
    expect(Math.abs(bench.hold(1800).error)).toBeLessThan(1500)
  })

  it('learns_how_good_it_is', async () => {
    const sigmas: number[] = []
    for (const wander of [2, 20, 150]) {
      const part = await Bench.make()
      const random = new Random(wander, 'rate')
      const rates = Array.from({ length: 400 }, () => 500 + wander * random.normal())
      part.slow = (t) => rates[Math.floor(t / 128)]!
      const { error, sigma } = part.run(6 * 3600).hold(3600)
      expect(Math.abs(error)).toBeLessThan(4 * sigma)
      sigmas.push(sigma)
    }
    // A part that is better than was thought before anything was seen, and one that is worse.
    const fresh = (await Bench.make()).run(300).hold(3600).sigma
    expect(sigmas[0]!).toBeLessThan(fresh / 2)
    expect(sigmas[2]!).toBeGreaterThan(1.5 * sigmas[0]!)
  })

  it('follows_a_part_whose_compensation_steps_by_half_a_ppm', () => {
    bench.slow = (t) => ((t >> 6) & 1) * 500
    expect(Math.abs(bench.run(1300).hold(1280).error)).toBeLessThan(40_000)
  })

  it('claims_less_when_the_temperature_goes_where_it_was_not_seen', async () => {
    const calm = bench.run(1500).hold(1800).sigma
    const other = await Bench.make()
    other.run(1500)
    other.degrees = 40
    expect(other.hold(1800).sigma).toBeGreaterThan(2 * calm)
  })

  it('is_within_four_deviations_for_parts_that_wander_in_many_ways', async () => {
    let worst = 0
    for (let seed = 1; seed <= 24; seed++) {
      const part = await Bench.make()
      const random = new Random(seed, 'part')
      const period = 600 + 6000 * random.uniform()
      const swing = 100 * random.uniform()
      const walk = Array.from({ length: 400 }, () => 0)
      for (let i = 1; i < walk.length; i++) walk[i] = walk[i - 1]! + 8 * random.normal()
      part.slow = (t) => swing * Math.sin((2 * Math.PI * t) / period) + walk[Math.floor(t / 128)]!
      const { error, sigma } = part.run(120 * 2 ** (seed % 8)).hold(3600)
      worst = Math.max(worst, Math.abs(error) / sigma)
    }
    console.log(`largest error of 24 holdovers: ${worst.toFixed(2)} deviations`)
    expect(worst).toBeLessThan(3.5)
  })
})
