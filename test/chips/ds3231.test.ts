import { beforeEach, describe, expect, it } from 'vitest'
import { DS3231_ADDRESS, DS3231_STATE_SIZE, Ds3231, Ds3231Host } from '../../sim/chips/ds3231'
import { Random } from '../../sim/world/random'

class Host extends Ds3231Host {
  readonly edges: [number, number][] = []
  degrees = 25.25
  sqw(level: number, now: number): void {
    this.edges.push([level, now])
  }
  temperature(): number {
    return this.degrees
  }
}

let host: Host
let chip: Ds3231
beforeEach(() => {
  host = new Host()
  chip = new Ds3231(host, 0)
})

function write(now: number, register: number, ...bytes: number[]): void {
  chip.start(now)
  expect(chip.address(DS3231_ADDRESS, 0, now)).toBe(true)
  for (const byte of [register, ...bytes]) expect(chip.write(byte, now)).toBe(true)
  chip.stop(now)
}

function read(now: number, register: number, length: number, later = now): number[] {
  chip.start(now)
  chip.address(DS3231_ADDRESS, 0, now)
  chip.write(register, now)
  chip.start(now)
  chip.address(DS3231_ADDRESS, 1, now)
  const bytes = Array.from({ length }, () => chip.read(later))
  chip.stop(later)
  return bytes
}

describe('a DS3231', () => {
  it('answers_to_its_own_address_only', () => {
    chip.start(0)
    expect(chip.address(0x57, 0, 0)).toBe(false)
    expect(chip.write(0, 0)).toBe(false)
    expect(chip.read(0)).toBe(0xff)
  })

  it('wakes_up_with_the_oscillator_stopped_flag_and_control_0x1c', () => {
    expect(read(0, 0x0e, 2)).toEqual([0x1c, 0x88])
    expect(read(0, 0x00, 7)).toEqual([0, 0, 0, 1, 1, 1, 0])
  })

  it('counts_in_bcd_through_the_end_of_a_leap_year_s_february', () => {
    write(0, 0x00, 0x58, 0x59, 0x23, 0x07, 0x28, 0x02, 0x28)
    expect(read(1.5e9, 0, 7)).toEqual([0x59, 0x59, 0x23, 7, 0x28, 0x02, 0x28])
    expect(read(2.5e9, 0, 7)).toEqual([0x00, 0x00, 0x00, 1, 0x29, 0x02, 0x28])
    write(3e9, 0x00, 0x59, 0x59, 0x23, 0x03, 0x31, 0x12, 0x99)
    expect(read(4.1e9, 0, 7)).toEqual([0, 0, 0, 4, 0x01, 0x81, 0x00])
  })

  it('counts_in_12_hours_when_told_to', () => {
    write(0, 0x00, 0x59, 0x59, 0x40 | 0x11)
    expect(read(1.5e9, 2, 1)).toEqual([0x40 | 0x20 | 0x12])
    write(2e9, 0x00, 0x59, 0x59, 0x40 | 0x20 | 0x11)
    expect(read(3.5e9, 2, 1)).toEqual([0x40 | 0x12])
    write(4e9, 0x00, 0x59, 0x59, 0x40 | 0x20 | 0x12)
    expect(read(5.5e9, 2, 1)).toEqual([0x40 | 0x20 | 0x01])
  })

  it('begins_a_second_when_the_seconds_are_written', () => {
    write(0.7e9, 0x00, 0x10)
    expect(read(1.69e9, 0, 1)).toEqual([0x10])
    expect(read(1.71e9, 0, 1)).toEqual([0x11])
  })

  it('reads_what_was_true_at_start', () => {
    write(0, 0x00, 0x59, 0x59, 0x23, 0x01, 0x01, 0x01, 0x25)
    expect(read(0.99e9, 0, 3, 1.01e9)).toEqual([0x59, 0x59, 0x23])
    expect(read(1.02e9, 0, 3)).toEqual([0, 0, 0])
  })

  it('gives_a_square_wave_that_falls_where_seconds_begin', () => {
    write(0.25e9, 0x0e, 0x00)
    write(0.3e9, 0x00, 0x00)
    chip.advance(2.4e9)
    expect(host.edges).toEqual([
      [1, 0.8e9],
      [0, 1.3e9],
      [1, 1.8e9],
      [0, 2.3e9],
    ])
    expect(chip.nextEvent()).toBe(2.8e9)
  })

  it('gives_none_when_the_pin_belongs_to_the_alarms', () => {
    chip.advance(5e9)
    expect(host.edges).toEqual([])
    expect(chip.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })

  it('runs_fast_or_slow_by_its_own_error_and_by_the_aging_offset', () => {
    chip = new Ds3231(host, 2)
    write(0, 0x00, 0x00)
    // 2 ppm of a million seconds.
    expect(chip.secondsSince2000(1_000_000.5e9)).toBe(1_000_002)
    chip = new Ds3231(host, 0)
    write(0, 0x10, 0x0a)
    write(0, 0x0e, 0x20)
    write(0, 0x00, 0x00)
    chip.advance(100_000.9e9)
    expect(chip.secondBegan(100_000.9e9) - 100_000e9).toBeGreaterThan(0.09e9)
    expect(chip.secondBegan(100_000.9e9) - 100_000e9).toBeLessThan(0.11e9)
  })

  it('measures_temperature_in_quarter_degrees_every_64_seconds', () => {
    chip.advance(65e9)
    expect(read(65e9, 0x11, 2)).toEqual([25, 0x40])
    host.degrees = -10.5
    expect(read(66e9, 0x11, 2)).toEqual([25, 0x40])
    chip.advance(135e9)
    expect(read(135e9, 0x11, 2)).toEqual([0xf5, 0x80])
  })

  it('clears_the_stopped_flag_only_when_it_is_written_to_0', () => {
    write(0, 0x0f, 0x08)
    expect(read(0, 0x0f, 1)).toEqual([0x08])
    write(0, 0x0f, 0x88)
    expect(read(0, 0x0f, 1)).toEqual([0x08])
  })

  it('keeps_time_on_the_battery_and_is_deaf_meanwhile', () => {
    write(0, 0x0e, 0x00)
    write(0, 0x0f, 0x00)
    write(0, 0x00, 0x00, 0x00, 0x00)
    chip.powerOff(10.5e9)
    const edges = host.edges.length
    chip.start(20e9)
    expect(chip.address(DS3231_ADDRESS, 0, 20e9)).toBe(false)
    chip.powerOn(100.5e9)
    expect(host.edges.length).toBeLessThanOrEqual(edges + 1)
    expect(read(100.6e9, 0, 2)).toEqual([0x40, 0x01])
    expect(read(100.6e9, 0x0f, 1)[0]! & 0x80).toBe(0)
  })

  it('stops_on_the_battery_when_eosc_is_set_and_says_so', () => {
    write(0, 0x0e, 0x80)
    write(0, 0x0f, 0x00)
    write(0, 0x00, 0x00)
    chip.powerOff(10.5e9)
    chip.powerOn(100e9)
    expect(read(100.2e9, 0, 1)).toEqual([0x10])
    expect(read(100.2e9, 0x0f, 1)[0]! & 0x80).toBe(0x80)
  })

  it('forgets_all_without_a_battery', () => {
    write(0, 0x0f, 0x00)
    chip.loseBattery(5e9)
    expect(read(5e9, 0x0f, 1)[0]! & 0x80).toBe(0x80)
  })

  it('goes_on_in_another_world_where_it_was_saved', () => {
    write(0.25e9, 0x00, 0x00, 0x00, 0x12, 0x01, 0x15, 0x06, 0x26)
    const state = new Uint8Array(DS3231_STATE_SIZE)
    chip.save(state, 10.5e9)
    // The next world begins an hour after the save.
    const later = new Ds3231(new Host(), 0)
    later.restore(state, -3600e9)
    later.powerOn(0)
    expect(later.secondsSince2000(0) - chip.secondsSince2000(10.5e9)).toBe(3600)
    expect(later.secondBegan(0)).toBeCloseTo(-0.25e9, 0)
  })

  it('raises_the_alarm_flags', () => {
    write(0, 0x0f, 0x00)
    write(0, 0x00, 0x00, 0x00, 0x00)
    write(0, 0x07, 0x05, 0x80, 0x80, 0x80)
    chip.advance(4.5e9)
    expect(read(4.5e9, 0x0f, 1)[0]! & 3).toBe(0)
    chip.advance(5.5e9)
    expect(read(5.5e9, 0x0f, 1)[0]! & 1).toBe(1)
  })

  it('counts_seconds_since_2000_as_the_calendar_does', () => {
    for (const date of ['2000-01-01', '2000-03-01', '2024-02-29', '2026-11-22', '2038-01-19', '2099-12-31']) {
      const at = new Date(`${date}T12:34:56Z`)
      const bcd = (n: number) => (Math.floor(n / 10) << 4) | (n % 10)
      const parts = [56, 34, 12, 1, at.getUTCDate(), at.getUTCMonth() + 1, at.getUTCFullYear() % 100].map(bcd)
      write(0, 0x00, ...parts)
      expect(chip.secondsSince2000(0)).toBe(at.getTime() / 1000 - 946_684_800)
      chip = new Ds3231(host, 0)
    }
  })
})

describe("a DS3231's oscillator", () => {
  const DAY = 86_400e9

  /** A part that has run for a while at a temperature: its rate over the next `seconds`, ppm. */
  function rate(part: Ds3231, from: number, seconds: number): number {
    const ends = [from, from + seconds * 1e9].map((now) => [part.secondsSince2000(now), part.secondBegan(now)] as const)
    const counted = ends[1]![0] - ends[0]![0]
    return ((counted * 1e9) / (ends[1]![1] - ends[0]![1]) - 1) * 1e6
  }

  function part(seed: number, degrees = 25.25): { chip: Ds3231; host: Host } {
    const host = new Host()
    host.degrees = degrees
    return { chip: new Ds3231(host, 0, seed), host }
  }

  it('runs_evenly_without_a_seed_and_the_same_way_for_the_same_one', () => {
    expect(rate(part(0, 39).chip, 100e9, 1000)).toBe(0)
    expect(rate(part(7).chip, 100e9, 1000)).toBe(rate(part(7).chip, 100e9, 1000))
    expect(rate(part(7).chip, 100e9, 1000)).not.toBe(rate(part(8).chip, 100e9, 1000))
  })

  it('stays_within_2_ppm_from_0_to_40_degrees_where_its_crystal_alone_would_be_off_by_22', () => {
    let worst = 0
    for (let seed = 1; seed <= 40; seed++)
      for (let degrees = 0; degrees <= 40; degrees += 4.1)
        worst = Math.max(worst, Math.abs(rate(part(seed, degrees).chip, 100e9, 200)))
    expect(worst).toBeGreaterThan(0.3)
    expect(worst).toBeLessThan(2)
  })

  it('follows_the_temperature_only_with_its_next_conversion_and_in_steps', () => {
    const { chip, host } = part(3, 31)
    const before = rate(chip, 200e9, 50)
    // It converts after 1 s and then every 64 s.
    chip.advance(325e9)
    // 1 C at 31 C: 0.035 (7^2 - 6^2) = 0.46 ppm until the capacitors are set anew, then no more than a step and a little.
    host.degrees = 32
    expect(rate(chip, 326e9, 50) - before).toBeCloseTo(-0.46, 1)
    expect(Math.abs(rate(chip, 450e9, 50) - before)).toBeLessThan(0.15)
  })

  it('ages_by_less_than_a_ppm_in_a_year', () => {
    for (const seed of [1, 2, 3]) {
      const { chip } = part(seed)
      write(0, 0x0e, 0)
      chip.powerOff(1000e9)
      const young = rate(chip, 1000e9, 86_400)
      expect(Math.abs(rate(chip, 365 * DAY, 86_400) - young)).toBeLessThan(0.6)
    }
  })

  it('has_jitter_on_its_edges_that_does_not_add_up', () => {
    const { chip, host } = part(5)
    const at = new Random(1, 'at').uniform() * 1e9
    chip.start(at)
    chip.address(DS3231_ADDRESS, 0, at)
    for (const byte of [0x0e, 0]) chip.write(byte, at)
    chip.stop(at)
    chip.advance(400e9)
    const falls = host.edges.filter(([level]) => level === 0).map(([, now]) => now)
    const slope = (falls[300]! - falls[100]!) / 200
    const left = falls.slice(100, 300).map((now, i) => now - falls[100]! - i * slope)
    const mean = left.reduce((a, b) => a + b) / left.length
    const deviation = Math.sqrt(left.reduce((a, b) => a + (b - mean) ** 2, 0) / left.length)
    expect(deviation).toBeGreaterThan(20)
    expect(deviation).toBeLessThan(100)
  })

  it('goes_on_in_another_world_as_it_was', () => {
    const { chip } = part(9, 30)
    chip.advance(3000e9)
    const state = new Uint8Array(DS3231_STATE_SIZE)
    chip.save(state, 3000.5e9)
    const later = part(9, 30)
    later.chip.restore(state, 0)
    later.chip.powerOn(0)
    expect(rate(later.chip, 1e9, 50)).toBeCloseTo(rate(chip, 3001.5e9, 50), 2)
    // A state of a model that had no such oscillator is a state all the same.
    state.fill(0, 48)
    later.chip.restore(state, 0)
    expect(Number.isFinite(rate(later.chip, 1e9, 100))).toBe(true)
  })
})
