// The driver against the model: every kind of receiver is found, set up, and set up again.

import { beforeAll, describe, expect, it } from 'vitest'
import { OpenSky } from '../../sim/chips/sky'
import type { UbloxReceiver } from '../../sim/chips/ublox'
import { Bench, Fault, Firmware, poweredChip, State } from './bench'

/** 2026-11-22T12:00:00Z */
const NOON = 1_795_348_800

let firmware: Firmware
beforeAll(async () => {
  firmware = await Firmware.load()
})

function bench(setup: (chip: UbloxReceiver) => void, seed = 7, warm = false): Bench {
  const sky = new OpenSky(NOON)
  return new Bench(firmware, poweredChip(sky, seed, setup, warm), sky)
}

const state = (): number => firmware.x['ubloxState']()

describe('the u-blox driver', () => {
  for (const [generation, rates] of [
    [8, [9600, 38_400, 115_200]],
    [10, [9600, 38_400, 115_200]],
  ] as const) {
    for (const rate of rates) {
      it(`sets_up_generation_${generation}_found_at_${rate}_baud`, () => {
        const b = bench((chip) => {
          chip.generation = generation
          chip.defaultBaud = rate
        })
        expect(b.runUntil(() => state() === State.Running, 20)).toBe(true)
        expect(firmware.x['ubloxProtocol']()).toBe(generation === 8 ? 1800 : 3410)
        expect(b.chip.rate()).toBe(115_200)
        expect(b.chip.dynamics()).toBe(2)
        expect(b.chip.speaksNmea()).toBe(false)
        expect(firmware.x['ubloxRefused']()).toBe(0)
      })
    }
  }

  it('labels_pulses_after_a_cold_start_of_generation_10', () => {
    const b = bench((chip) => {
      chip.generation = 10
      chip.defaultBaud = 38_400
    })
    b.run(200)
    expect(b.wrong).toEqual([])
    expect(b.labels.length).toBeGreaterThan(30)
    const last = b.labels.at(-1)!
    expect(last.taiOffset).toBe(37)
    expect(last.errorNanos).toBeLessThan(100)
    expect(Math.abs(last.sawtoothPicos)).toBeLessThanOrEqual(10_417)
  })

  it('announces_the_sawtooth_of_the_right_pulse_with_the_right_sign', () => {
    const b = bench(
      (chip) => {
        chip.jitter = 0
      },
      3,
      true,
    )
    b.run(60)
    expect(b.labels.length).toBeGreaterThan(30)
    for (const label of b.labels) {
      // Without jitter the sawtooth is the whole error: 62.5 ns is a tick, half of it is lost by rounding.
      const k = Math.round(label.nanos / 1e9)
      const error = label.nanos - k * 1e9
      expect(Math.abs(error - label.sawtoothPicos / 1000)).toBeLessThan(32)
    }
    const spread = new Set(b.labels.map((label) => label.sawtoothPicos))
    expect(spread.size).toBeGreaterThan(20)
  })

  it('uses_NAV_TIMEUTC_of_generation_6_after_the_wait_for_leap_seconds', () => {
    const b = bench((chip) => {
      chip.generation = 6
      chip.firmwareLeap = 15
      chip.leapDelay = 700
    })
    b.run(60)
    expect(state()).toBe(State.Running)
    expect(firmware.x['ubloxProtocol']()).toBe(0)
    b.run(1800)
    expect(b.wrong).toEqual([])
    expect(b.labels.length).toBeGreaterThan(5)
    expect(b.labels[0]!.nanos / 1e9).toBeGreaterThan(900)
  })

  it('listens_to_an_NMEA_only_receiver_and_labels_after_the_wait', () => {
    const b = bench((chip) => {
      chip.nmeaOnly = true
      chip.firmwareLeap = 16
    })
    b.run(60)
    expect(state()).toBe(State.Listening)
    expect(firmware.x['receiverReason']()).toBe(Fault.LeapUnknown)
    b.run(1100)
    expect(b.wrong).toEqual([])
    expect(b.labels.length).toBeGreaterThan(20)
    expect(b.labels.at(-1)!.taiOffset).toBe(0)
  })

  it('labels_an_NMEA_only_receiver_at_once_when_the_RTC_agrees_to_better_than_a_second', () => {
    const b = bench((chip) => {
      chip.nmeaOnly = true
      chip.zda = true
    })
    firmware.x['hint'](BigInt(NOON), 0, 0, b.ticks(0), 200_000_000n)
    b.run(60)
    expect(b.wrong).toEqual([])
    expect(b.labels.length).toBeGreaterThan(10)
  })

  it('listens_when_its_own_transmitter_is_not_wired', () => {
    const b = bench((chip) => {
      chip.deaf = true
    })
    expect(b.runUntil(() => state() === State.Listening, 20)).toBe(true)
    expect(b.chip.acked + b.chip.naked).toBe(0)
  })

  it('keeps_searching_while_nothing_is_heard', () => {
    const b = bench((chip) => {
      chip.mute = true
    })
    b.run(30)
    expect(state()).toBe(State.Search)
    expect(b.labels).toEqual([])
  })

  for (const [name, generation, key] of [
    ['TIM_TP_of_generation_10', 10, 0x2091017e],
    ['NAV_TIMELS_of_generation_10', 10, 0x20910061],
    ['NAV_STATUS_of_generation_8', 8, 0x0103],
    ['CFG_NAV5_of_generation_8', 8, 0x0624],
    ['TIM_TP_of_generation_8', 8, 0x0d01],
  ] as const) {
    it(`goes_on_without_${name}_when_it_is_refused`, () => {
      const b = bench((chip) => {
        chip.generation = generation
        chip.refuse = key
      })
      expect(b.runUntil(() => state() === State.Running, 25)).toBe(true)
      expect(firmware.x['ubloxRefused']()).toBe(1)
      expect(b.chip.speaksNmea()).toBe(false)
    })
  }

  it('stays_at_the_first_rate_when_the_fast_one_is_refused', () => {
    const b = bench((chip) => {
      chip.generation = 10
      chip.refuse = 0x40520001
    })
    expect(b.runUntil(() => state() === State.Running, 40)).toBe(true)
    expect(b.chip.rate()).toBe(9600)
    b.run(60)
    expect(b.wrong).toEqual([])
  })

  it('leaves_NMEA_on_when_no_time_comes_in_UBX', () => {
    const b = bench((chip) => {
      chip.generation = 10
      chip.refuse = 0x20910007
    })
    b.run(40)
    expect(state()).toBe(State.Listening)
    expect(b.chip.speaksNmea()).toBe(true)
  })

  for (const [generation, rate] of [
    [8, 9600],
    [8, 115_200],
    [10, 38_400],
  ] as const) {
    it(`sets_up_generation_${generation}_again_after_a_restart_at_${rate}_baud`, () => {
      const b = bench((chip) => {
        chip.generation = generation
        chip.defaultBaud = rate
      })
      expect(b.runUntil(() => state() === State.Running, 20)).toBe(true)
      b.run(10)
      b.chip.restart(b.now, true)
      b.run(30)
      expect(state()).toBe(State.Running)
      expect(b.chip.rate()).toBe(115_200)
      expect(b.chip.speaksNmea()).toBe(false)
      expect(firmware.x['ubloxRestarts']()).toBe(1)
      expect(b.wrong).toEqual([])
      expect(b.labels.at(-1)!.nanos).toBeGreaterThan(b.now - 3e9)
    })
  }

  it('sets_up_a_receiver_that_restarts_in_the_middle_of_its_configuration', () => {
    for (let at = 1; at < 12; at += 0.37) {
      const b = bench(
        (chip) => {
          chip.generation = at % 2 < 1 ? 8 : 10
        },
        Math.round(at * 100),
      )
      b.run(at)
      b.chip.restart(b.now, true)
      expect(b.runUntil(() => state() === State.Running, 40)).toBe(true)
      b.run(25)
      expect(b.wrong).toEqual([])
      expect(b.labels.length).toBeGreaterThan(0)
    }
  })

  it('finds_the_receiver_again_after_power_was_away', () => {
    const b = bench(() => {})
    b.run(30)
    b.chip.powerOff(b.now)
    b.run(20)
    expect(firmware.x['receiverValid']()).toBe(0)
    b.chip.powerOn(b.now, true)
    expect(b.runUntil(() => state() === State.Running, 30)).toBe(true)
    b.run(20)
    expect(firmware.x['receiverValid']()).toBe(1)
    expect(b.wrong).toEqual([])
  })
})
