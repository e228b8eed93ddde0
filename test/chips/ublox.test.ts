// The u-blox model: what a driver relies on.

import { describe, expect, it } from 'vitest'
import { isLeapSecond, leapOfSecond, OpenSky, utcOfSecond } from '../../sim/chips/sky'
import { UbloxReceiver } from '../../sim/chips/ublox'
import { loadEntry } from '../support/firmware'
import { digest } from './ublox.entry'

const NOON = 1_795_348_800
const SECOND = 1e9

interface Heard {
  text: string
  bytes: number[]
  times: number[]
  edges: number[]
}

/** Runs the model, reading it every millisecond. */
function run(chip: UbloxReceiver, from: number, to: number): Heard {
  const heard: Heard = { text: '', bytes: [], times: [], edges: [] }
  for (let now = from * SECOND; now < to * SECOND; now += 1e6) {
    chip.advance(now)
    for (let byte = chip.readUart(now); byte >= 0; byte = chip.readUart(now)) {
      heard.bytes.push(byte)
      heard.times.push(now)
      heard.text += String.fromCharCode(byte)
    }
    const edge = chip.takePulse(now)
    if (edge >= 0) heard.edges.push(edge)
  }
  return heard
}

function frame(cls: number, id: number, payload: number[]): number[] {
  const body = [cls, id, payload.length & 255, payload.length >> 8, ...payload]
  let a = 0
  let b = 0
  for (const byte of body) {
    a = (a + byte) & 255
    b = (b + a) & 255
  }
  return [0xb5, 0x62, ...body, a, b]
}

function powered(setup: (chip: UbloxReceiver) => void = () => {}, sky = new OpenSky(NOON)): UbloxReceiver {
  const chip = new UbloxReceiver(sky, 9)
  setup(chip)
  chip.powerOn(0, false)
  return chip
}

const send = (chip: UbloxReceiver, now: number, bytes: number[]): void => {
  for (const byte of bytes) chip.writeUart(now * SECOND, byte)
}

const includes = (heard: Heard, bytes: number[]): boolean => heard.text.includes(String.fromCharCode(...bytes))

describe('the u-blox model', () => {
  it('gives_no_pulse_before_it_has_a_fix_and_one_in_each_second_after', () => {
    const { edges } = run(powered(), 0, 60)
    expect(edges.length).toBeGreaterThan(25)
    expect(edges[0]!).toBeGreaterThan(28 * SECOND)
    for (const edge of edges) {
      const error = edge - Math.round(edge / SECOND) * SECOND
      expect(Math.abs(error)).toBeLessThan(200)
    }
    const gaps = edges.slice(1).map((edge, i) => Math.round((edge - edges[i]!) / SECOND))
    expect(new Set(gaps)).toEqual(new Set([1]))
  })

  it('sends_its_bytes_no_faster_than_its_rate', () => {
    const { times } = run(powered(), 0, 10)
    const perSecond = new Map<number, number>()
    for (const time of times)
      perSecond.set(Math.floor(time / SECOND), (perSecond.get(Math.floor(time / SECOND)) ?? 0) + 1)
    for (const count of perSecond.values()) expect(count).toBeLessThanOrEqual(960)
  })

  it('begins_a_burst_40_to_130_ms_after_its_second', () => {
    const { times } = run(powered(), 32, 60)
    const starts = times.filter((time, i) => i > 0 && time - times[i - 1]! > 100e6)
    expect(starts.length).toBeGreaterThan(20)
    for (const start of starts) {
      expect(start % SECOND).toBeGreaterThan(40e6)
      expect(start % SECOND).toBeLessThan(130e6)
    }
  })

  it('acknowledges_what_it_knows_and_refuses_what_it_does_not', () => {
    const chip = powered()
    run(chip, 0, 2)
    send(chip, 2, frame(6, 1, [1, 7, 1]))
    send(chip, 2, frame(6, 1, [1, 0x99, 1]))
    send(chip, 2, frame(6, 0x8a, [0, 1, 0, 0, 7, 0, 0x91, 0x20, 1]))
    const heard = run(chip, 2, 4)
    expect(includes(heard, frame(5, 1, [6, 1]))).toBe(true)
    expect(includes(heard, frame(5, 0, [6, 1]))).toBe(true)
    expect(includes(heard, frame(5, 0, [6, 0x8a]))).toBe(true)
    expect([chip.acked, chip.naked]).toEqual([1, 2])
    expect(includes(heard, [0xb5, 0x62, 1, 7, 92, 0])).toBe(true)
  })

  it('refuses_a_whole_VALSET_for_one_unknown_key', () => {
    const chip = powered((c) => {
      c.generation = 10
    })
    run(chip, 0, 2)
    send(chip, 2, frame(6, 0x8a, [0, 1, 0, 0, 7, 0, 0x91, 0x20, 1, 1, 2, 3, 0x20, 1]))
    const heard = run(chip, 2, 4)
    expect(includes(heard, frame(5, 0, [6, 0x8a]))).toBe(true)
    expect(includes(heard, [0xb5, 0x62, 1, 7, 92, 0])).toBe(false)
  })

  it('understands_nothing_at_another_rate_than_its_own', () => {
    const chip = powered()
    run(chip, 0, 2)
    chip.setHostBaud(115_200)
    send(chip, 2, frame(6, 1, [1, 7, 1]))
    const heard = run(chip, 2, 5)
    expect(chip.acked).toBe(0)
    expect(heard.text).not.toContain('$GN')
  })

  it('forgets_its_settings_at_a_restart', () => {
    const chip = powered()
    run(chip, 0, 2)
    send(chip, 2, frame(6, 0, [1, 0, 0, 0, 0xd0, 8, 0, 0, 0, 0xc2, 1, 0, 3, 0, 1, 0, 0, 0, 0, 0]))
    run(chip, 2, 3)
    expect([chip.rate(), chip.speaksNmea()]).toEqual([115_200, false])
    chip.restart(3 * SECOND, true)
    expect([chip.rate(), chip.speaksNmea()]).toEqual([9600, true])
  })

  it('assumes_its_firmwares_leap_seconds_until_the_sky_tells', () => {
    const chip = powered((c) => {
      c.firmwareLeap = 16
      c.leapDelay = 20
    })
    const before = run(chip, 0, 40)
    const after = run(chip, 40, 70)
    const shown = (heard: Heard): number[] =>
      [...heard.text.matchAll(/RMC,12(\d\d)(\d\d)\.00,A/g)].map(([, m, s]) => Number(m) * 60 + Number(s))
    // Two seconds ahead while it counts two leap seconds too few.
    expect(shown(before).at(-1)! - Math.round(before.edges.at(-1)! / SECOND)).toBe(2)
    expect(shown(after).at(-1)! - Math.round(after.edges.at(-1)! / SECOND)).toBe(0)
  })

  it('does_the_same_compiled_by_AssemblyScript', async () => {
    const { exports } = await loadEntry(new URL('./ublox.entry.ts', import.meta.url), 'release', {
      env: { abort: () => {} },
    })
    for (const [generation, seed] of [
      [8, 1],
      [10, 2],
      [6, 3],
    ] as const) {
      expect(exports['digest'](generation, seed, 90)).toBe(digest(generation, seed, 90))
    }
  })
})

describe('a leap second in the sky', () => {
  it('inserts_and_leaves_out_a_second_before_its_midnight', () => {
    const utc = (change: number): number[] => {
      const sky = new OpenSky(97, 18, 100, change)
      return [0, 1, 2, 3, 4, 5].map((k) => utcOfSecond(sky, k))
    }
    expect(utc(0)).toEqual([97, 98, 99, 100, 101, 102])
    expect(utc(1)).toEqual([97, 98, 99, 99, 100, 101])
    expect(utc(-1)).toEqual([97, 98, 100, 101, 102, 103])
    const sky = new OpenSky(97, 18, 100, 1)
    expect([2, 3, 4].map((k) => isLeapSecond(sky, k))).toEqual([false, true, false])
    expect([2, 3, 4].map((k) => leapOfSecond(sky, k))).toEqual([18, 18, 19])
    expect([0, 1, 2].map((k) => leapOfSecond(new OpenSky(97, 18, 100, -1), k))).toEqual([18, 18, 17])
  })
})
