import { describe, expect, it } from 'vitest'
import { Crystal, ORDINARY, TICK_HZ } from '../../sim/world/crystal'
import { Random } from '../../sim/world/random'
import { ROOM, Temperature } from '../../sim/world/temperature'

const HOUR = 3600e9

describe('the crystal', () => {
  it('counts_the_same_whatever_is_asked_first', () => {
    const instants = [5e9, 1.5, 3600e9, 17.25e9, 7.000000001e9]
    const forward = new Crystal(3)
    const backward = new Crystal(3)
    const a = instants.map((at) => forward.ticks(at))
    const b = [...instants].reverse().map((at) => backward.ticks(at))
    expect(b.reverse()).toEqual(a)
    expect(new Crystal(4).ticks(3600e9)).not.toBe(a[2])
  })

  it('never_counts_backwards_and_moves_by_16_cycles_of_2_and_a_half', () => {
    const crystal = new Crystal(1)
    let before = crystal.ticks(100e9)
    for (let i = 0; i < 4000; i++) {
      const now = crystal.ticks(100e9 + i * 12.5)
      expect(now - before === 0 || now - before === 1).toBe(true)
      before = now
    }
  })

  it('turns_ticks_into_the_instant_at_which_they_begin', () => {
    const crystal = new Crystal(9, { ...ORDINARY, startTicks: 12_345 })
    const random = new Random(1)
    for (let i = 0; i < 5000; i++) {
      const ticks = 12_346 + Math.floor(random.uniform() * 16e6 * 5000)
      const nanos = crystal.nanosAt(ticks)
      expect(crystal.ticks(nanos)).toBe(ticks)
      expect(crystal.ticks(nanos - 0.5)).toBe(ticks - 1)
    }
  })

  it('is_off_by_what_its_options_say', () => {
    const crystal = new Crystal(2, { ...ORDINARY, ppm: -20, warmUpPpm: 0, tempco: 0, randomWalkFm: 0 })
    expect(crystal.ticks(1000e9) / (1000 * TICK_HZ) - 1).toBeCloseTo(-20e-6, 9)
  })

  it('drifts_with_temperature_and_warming_up', () => {
    const crystal = new Crystal(2, { ...ORDINARY, ppm: 0 })
    const cold = crystal.frequencyError(1e9)
    const warm = crystal.frequencyError(1800e9)
    expect((cold - warm) * 1e6).toBeGreaterThan(1)
    expect((cold - warm) * 1e6).toBeLessThan(3)
    expect(crystal.degreesAt(1800e9) - crystal.degreesAt(0)).toBeGreaterThan(5)
  })

  it('has_the_stability_of_an_ordinary_crystal', () => {
    // Allan deviation at 1 s: white FM dominates; at 1000 s: temperature.
    const crystal = new Crystal(5)
    const phase = (s: number) => crystal.ticks(s * 1e9) / TICK_HZ - s
    const adev = (tau: number, from: number, n: number) => {
      let sum = 0
      for (let i = 0; i < n; i++) {
        const t = from + i * tau
        sum += (phase(t + 2 * tau) - 2 * phase(t + tau) + phase(t)) ** 2
      }
      return Math.sqrt(sum / n / 2) / tau
    }
    // 62.5 ns of resolution hides 3e-10 at 1 s; at 100 s it does not.
    expect(adev(100, 7200, 200)).toBeLessThan(3e-8)
    expect(adev(100, 7200, 200)).toBeGreaterThan(1e-9)
    expect(adev(1000, 7200, 40)).toBeLessThan(2e-7)
  })

  it('makes_a_day_in_a_moment', () => {
    const begun = performance.now()
    const crystal = new Crystal(1)
    let sum = 0
    for (let i = 0; i < 24 * 3600; i++) sum += crystal.ticks(i * 1e9)
    expect(sum).toBeGreaterThan(0)
    expect(performance.now() - begun).toBeLessThan(2000)
  })

  it('refuses_instants_that_it_has_forgotten', () => {
    const crystal = new Crystal(1)
    crystal.ticks(48 * HOUR)
    expect(() => crystal.ticks(1e9)).toThrow(RangeError)
    expect(() => crystal.ticks(-1)).toThrow(RangeError)
  })
})

describe('the temperature', () => {
  it('stays_within_its_amplitudes', () => {
    const temperature = new Temperature(7)
    let least = 99
    let most = -99
    for (let i = 0; i < 86_400; i++) {
      temperature.step()
      least = Math.min(least, temperature.ambient)
      most = Math.max(most, temperature.ambient)
    }
    expect(most).toBeLessThan(ROOM.mean + ROOM.daily + 2 * ROOM.heating)
    expect(least).toBeGreaterThan(ROOM.mean - ROOM.daily - 2 * ROOM.heating)
    expect(most - least).toBeGreaterThan(ROOM.daily)
  })
})

describe('the dice', () => {
  it('are_the_same_for_the_same_seed_and_name_and_others_for_others', () => {
    const take = (seed: number, name: string) => {
      const random = new Random(seed, name)
      return [random.u32(), random.u32(), random.uniform(), random.normal()]
    }
    expect(take(1, 'a')).toEqual(take(1, 'a'))
    expect(take(1, 'a')).not.toEqual(take(1, 'b'))
    expect(take(1, 'a')).not.toEqual(take(2, 'a'))
  })

  it('are_uniform_and_normal', () => {
    const random = new Random(42)
    const n = 100_000
    let sum = 0
    let square = 0
    const bins = new Array(16).fill(0)
    for (let i = 0; i < n; i++) {
      bins[Math.floor(random.uniform() * 16)]++
      const z = random.normal()
      sum += z
      square += z * z
    }
    for (const bin of bins) expect(Math.abs(bin - n / 16)).toBeLessThan(6 * Math.sqrt(n / 16))
    expect(Math.abs(sum / n)).toBeLessThan(0.02)
    expect(Math.abs(square / n - 1)).toBeLessThan(0.02)
  })
})
