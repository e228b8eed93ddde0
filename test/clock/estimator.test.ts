// The estimator by itself: does it learn the noise it is given, does it stay sane whatever it is given, and for years.

import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Random } from '../../sim/world/random'
import { type Entry, loadEntry } from '../support/firmware'

let entry: Entry
beforeAll(async () => {
  entry = await loadEntry(new URL('./estimator.entry.ts', import.meta.url), 'release')
})
beforeEach(() => entry.exports['init']())

interface Crystal {
  /** Noise of a capture, ns; chance that it is late by 2 to 6 us. */
  capture: number
  late: number
  /** White FM at 1 s (ns), random walk of the frequency and of the drift, each second. */
  white: number
  walk: number
  drift: number
  /** A heating that drives the frequency round a cycle: period (s), amplitude (ns/s); its half periods differ by a tenth. */
  heating?: { period: number; amplitude: number }
}

/** The second at which the slow model has found the heating's cycle. */
const TOLD = 5000

const USUAL: Crystal = { capture: 85, late: 0.01, white: 0.3, walk: 0.1, drift: 0.008 }

/** Follows a crystal for some seconds as the discipline would; returns the root mean square error of the last half. */
function follow(seconds: number, crystal: Crystal, seed = 1, tell?: () => void): number {
  const { exports } = entry
  const random = new Random(seed, 'estimator')
  let frequency = 0
  let drift = 0
  // Truth minus line.
  let error = 0
  let squares = 0
  let turns = 0
  let pace = 1
  let swing = 0
  exports['start'](0, 7000, 0, 200)
  for (let k = 0; k < seconds; k++) {
    drift = drift * (1 - 1 / 300) + crystal.drift * random.normal()
    frequency += drift + crystal.walk * random.normal()
    if (crystal.heating) {
      const { period, amplitude } = crystal.heating
      const half = Math.floor(2 * turns)
      turns += pace / period
      if (Math.floor(2 * turns) !== half) pace = 1 / (1 + 0.1 * random.normal())
      const next = amplitude * Math.sin(2 * Math.PI * turns)
      frequency += next - swing
      swing = next
    }
    error += frequency - exports['rate']() + crystal.white * random.normal()
    exports['advance'](1)
    if (k === TOLD) tell?.()
    const late = random.uniform() < crystal.late ? 2000 + 4000 * random.uniform() : 0
    const seen = error + crystal.capture * random.normal() - late
    const gate = seen < 0 ? exports['lateGate']() : 5
    if (seen * seen <= gate * gate * exports['spread'](0)) error -= exports['update'](seen, 0)
    else exports['refuse'](seen, 0)
    if (k >= seconds / 2) squares += error * error
    while (exports['work']());
  }
  return Math.sqrt(squares / (seconds / 2))
}

describe('what the estimator learns', () => {
  for (const capture of [5, 20, 85, 250, 1000])
    it(`is_a_capture_noise_of_${capture}_ns`, () => {
      follow(2000, { ...USUAL, capture })
      const learnt = entry.exports['learntNoise']()
      console.log(
        `capture ${capture} ns: learnt ${learnt.toFixed(1)} ns, sigma ${entry.exports['phaseSigma']().toFixed(1)} ns`,
      )
      expect(learnt / capture).toBeGreaterThan(0.85)
      expect(learnt / capture).toBeLessThan(1.15)
    })

  it('is_the_same_within_a_minute_or_two', () => {
    follow(120, { ...USUAL, capture: 20 })
    expect(entry.exports['learntNoise']()).toBeLessThan(40)
    entry.exports['init']()
    follow(120, { ...USUAL, capture: 250 })
    expect(entry.exports['learntNoise']()).toBeGreaterThan(180)
  })

  for (const late of [0, 0.01, 0.05, 0.2, 0.4])
    it(`is_a_share_of_late_captures_of_${late * 100}_percent`, () => {
      follow(6000, { ...USUAL, late })
      const { exports } = entry
      expect(Math.abs(exports['lateShare']() - late)).toBeLessThan(0.01 + late * 0.2)
      expect(exports['learntNoise']() / 85).toBeGreaterThan(0.85)
      expect(exports['learntNoise']() / 85).toBeLessThan(1.15)
    })

  it('is_how_restless_the_crystal_is', () => {
    const { exports } = entry
    const quiet = follow(6 * 3600, { ...USUAL, white: 0.01, walk: 0.001, drift: 0.0002 })
    expect(exports['wander']()).toBeLessThan(0.1)
    exports['init']()
    const wild = follow(6 * 3600, { ...USUAL, white: 3, walk: 1, drift: 0.08 })
    console.log(`quiet crystal: rms ${quiet.toFixed(1)} ns; wild one: rms ${wild.toFixed(1)} ns`)
    expect(exports['wander']() * exports['restless']()).toBeGreaterThan(10)
    expect(quiet).toBeLessThan(20)
    expect(wild).toBeLessThan(60)
  })

  const told = (period: number, amplitude: number) => {
    const turn = (2 * Math.PI) / period
    entry.exports['cycle'](Math.cos(turn), Math.sin(turn), 10 * period, amplitude, true)
  }
  const HEATED: Crystal = { ...USUAL, drift: 0.002, heating: { period: 1200, amplitude: 40 } }

  it("is_what_the_heating's_cycle_is_worth", () => {
    const { exports } = entry
    for (const seed of [1, 2, 3]) {
      exports['init']()
      const without = follow(6 * 3600, HEATED, seed)
      exports['init']()
      const cycled = follow(6 * 3600, HEATED, seed, () => told(1260, 20))
      console.log(`a heated room: rms ${without.toFixed(1)} ns; told of the cycle ${cycled.toFixed(1)} ns`)
      expect(exports['heat']()).toBeGreaterThan(0)
      expect(cycled / without).toBeLessThan(0.97)
      expect(cycled / exports['phaseSigma']()).toBeLessThan(1.15)
    }
  })

  it('is_in_a_day_that_there_is_no_such_cycle', () => {
    const { exports } = entry
    for (const crystal of [
      { ...USUAL, drift: 0.002 },
      { ...HEATED, heating: { period: 400, amplitude: 20 } },
    ]) {
      exports['init']()
      const without = follow(24 * 3600, crystal)
      exports['init']()
      const cycled = follow(24 * 3600, crystal, 1, () => told(3000, 20))
      console.log(
        `another cycle, or none: rms ${without.toFixed(1)} ns; told of one ${cycled.toFixed(1)} ns ${exports['heat']()}`,
      )
      expect(cycled / without).toBeLessThan(1.03)
    }
  })

  it('is_forgotten_of_a_cycle_when_it_is_told_of_another_one', () => {
    const { exports } = entry
    follow(6 * 3600, HEATED, 1, () => told(1200, 20))
    expect(exports['heat']()).toBeGreaterThan(0)
    const rate = exports['rate']()
    told(3000, 20)
    expect(exports['heat']()).toBe(0)
    expect(exports['rate']()).toBeCloseTo(rate, 6)
  })

  it('agrees_with_its_own_standard_deviation', () => {
    for (const capture of [20, 85, 250]) {
      entry.exports['init']()
      const rms = follow(20_000, { ...USUAL, capture })
      const sigma = entry.exports['phaseSigma']()
      console.log(`capture ${capture} ns: rms ${rms.toFixed(1)} ns, its sigma ${sigma.toFixed(1)} ns`)
      expect(rms / sigma).toBeGreaterThan(0.7)
      expect(rms / sigma).toBeLessThan(1.3)
    }
  })

  it('does_not_depend_on_when_its_work_is_done', () => {
    const { exports } = entry
    const run = (work: boolean) => {
      exports['init']()
      exports['start'](0, 7000, 0, 200)
      told(1200, 20)
      const random = new Random(7, 'slices')
      for (let k = 0; k < 3000; k++) {
        exports['advance'](1)
        if (random.uniform() < 0.99) exports['update'](150 * random.normal() + 40 * Math.sin(k / 190), 0)
        if (work) while (exports['work']());
      }
      return ['rate', 'phaseSigma', 'wander', 'restless', 'heat'].map((name) => exports[name]())
    }
    expect(run(true)).toEqual(run(false))
  })
})

describe('an estimator that runs for ten years', () => {
  it('stays_sane_in_coarse_steps', () => {
    const { exports } = entry
    const random = new Random(3, 'years')
    exports['start'](0, 7000, 0, 200)
    let error = 0
    for (let seconds = 0; seconds < 10 * 365.25 * 86_400; ) {
      // Mostly a pulse a minute; now and then an hour, a day or a month without.
      const pick = random.uniform()
      const step = pick < 0.9 ? 60 : pick < 0.98 ? 1 : pick < 0.997 ? 3600 : pick < 0.9997 ? 86_400 : 2_600_000
      error += 0.3 * Math.sqrt(step) * random.normal() - exports['rate']() * step
      exports['advance'](step)
      error -= exports['update'](error + 85 * random.normal(), 0)
      seconds += step
      const sigma = exports['phaseSigma']()
      if (!(sigma > 0 && sigma <= 1e9)) throw new Error(`sigma ${sigma} after ${seconds} s`)
    }
    expect(Number.isFinite(exports['rate']())).toBe(true)
    expect(exports['learntNoise']()).toBeGreaterThan(60)
    for (let k = 0; k < 600; k++) {
      error -= exports['rate']()
      exports['advance'](1)
      error -= exports['update'](error + 85 * random.normal(), 0)
    }
    expect(exports['phaseSigma']()).toBeLessThan(60)
    expect(Math.abs(error)).toBeLessThan(200)
  })

  it('bounds_its_variances_through_ten_years_without_a_pulse', () => {
    const { exports } = entry
    exports['start'](0, 7000, 0, 200)
    for (let day = 0; day < 3653; day++) {
      for (let k = 0; k < 24; k++) exports['advance'](3600)
      expect(exports['phaseSigma']() <= 1e9).toBe(true)
      expect(exports['frequencySigma']() <= 3e5).toBe(true)
      expect(exports['phaseVariance'](4) >= 0).toBe(true)
    }
    expect(exports['update'](12_345, 0)).toBeCloseTo(12_345, -1)
  })

  it('never_takes_a_nonsense_to_heart', () => {
    const { exports } = entry
    const wild = [0, -0, 1e-300, 1, -1e9, 1e15, 1e300, -1e300, Infinity, -Infinity, NaN, Number.MAX_VALUE]
    for (const difference of wild)
      for (const extra of wild)
        for (const seconds of [1, 0, 7, 1e9, 1e18]) {
          exports['advance'](seconds)
          exports['refuse'](difference, extra)
          exports['update'](difference, extra)
          exports['work']()
          exports['remember']()
          exports['hold'](difference, extra, difference)
          exports['takeBack']()
          exports['start'](difference, extra, difference, extra)
        }
    exports['init']()
    expect(follow(2000, USUAL)).toBeLessThan(60)
    // And without forgetting.
    for (const difference of wild) {
      exports['update'](difference, 0)
      exports['advance'](1)
    }
    for (let k = 0; k < 3000; k++) {
      exports['advance'](1)
      exports['update'](85 * Math.sin(k * k), 0)
      expect(Number.isNaN(exports['phaseSigma']()) || Number.isNaN(exports['rate']())).toBe(false)
    }
    expect(exports['phaseSigma']()).toBeLessThan(100)
  })
})

describe('the first fit', () => {
  /** Pulses of a crystal that is off by `ppm`, with these delays in ns; the ticks have 1/16 us. */
  function push(ppm: number, delays: number[], firstSecond = 100): void {
    delays.forEach((delay, i) => {
      const second = firstSecond + i
      const nanos = second * 1e9 + delay
      entry.exports['push'](
        BigInt(Math.floor((nanos * (1 + ppm * 1e-6) - firstSecond * 1e3 * ppm) / 62.5)),
        BigInt(second),
        0,
      )
    })
  }

  it('needs_two_pulses', () => {
    push(0, [0])
    expect(entry.exports['fit'](0)).toBe(0)
    push(0, [0], 101)
    expect(entry.exports['fit'](0)).toBe(1)
  })

  for (const ppm of [-200, -8, 0, 8, 200])
    it(`finds_a_crystal_off_by_${ppm}_ppm`, () => {
      push(ppm, [0, 80, -80, 0, 80, -80, 0, 0])
      expect(entry.exports['fit'](31.25)).toBe(1)
      expect(Math.abs(entry.exports['slope']() + ppm * 1000)).toBeLessThan(40)
      expect(entry.exports['inliers']()).toBe(8)
    })

  it('leaves_out_late_captures_wherever_they_are', () => {
    for (let first = 0; first < 8; first++)
      for (let second = first; second < 8; second++)
        for (const late of [2000, 4000, 6000]) {
          entry.exports['init']()
          const delays = [30, -60, 10, 90, -40, 0, 50, -80]
          delays[first]! += late
          if (second !== first) delays[second]! += 8000 - late
          push(12, delays)
          expect(entry.exports['fit'](31.25)).toBe(1)
          expect(Math.abs(entry.exports['slope']() + 12_000), `late ${first}, ${second}`).toBeLessThan(150)
          expect(entry.exports['inliers']()).toBe(second === first ? 7 : 6)
        }
  })

  it('survives_any_pulse', () => {
    const { exports } = entry
    const wild = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 16_000_000n, 10n ** 12n]
    for (const ticks of wild)
      for (const second of wild) {
        exports['push'](ticks, second, -0x8000_0000)
        exports['fit'](1162.5)
        expect(Number.isNaN(exports['phase']()) || Number.isNaN(exports['slope']())).toBe(false)
      }
  })
})
