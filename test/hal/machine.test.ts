// The virtual machine with a small firmware of its own (machine.entry.ts), in virtual and in real time.

import { beforeAll, describe, expect, it } from 'vitest'
import { type MachineOptions, VirtualMachine, WATCHDOG_NANOS } from '../../hal/virtual/machine'
import { ublox } from '../../hal/virtual/receiver'
import { RealClock, VirtualClock } from '../../sim/clock/clock'
import { World, type WorldOptions } from '../../sim/world/world'
import { compileEntry } from '../support/firmware'

const ORIGIN = 1_846_015_200
const MINUTE = 60e9
const HOUR = 3600e9
const RESTORED = 1
const LOCKED = 2

let wasm: Uint8Array
beforeAll(async () => {
  wasm = await compileEntry(new URL('./machine.entry.ts', import.meta.url), 'release')
})

function machine(world: Partial<WorldOptions> = {}, options: Partial<MachineOptions> = {}): VirtualMachine {
  const made = new World({ unixOrigin: ORIGIN, seed: 1, ...world })
  const clock = new VirtualClock(made.unixOrigin)
  return new VirtualMachine({ wasm, world: made, clock, receiver: ublox(), ...options })
}

// biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
function api(board: VirtualMachine): Record<string, any> {
  if (board.exports === undefined) throw new Error('the board is not running')
  return board.exports
}

/** Served minus true UTC at this moment, ns. */
function clockError(board: VirtualMachine): number {
  const nanos = board.clock.now()
  api(board)['now'](BigInt(board.world.crystal.ticks(nanos)))
  const truth = board.world.utc(nanos)
  return (
    (Number(api(board)['seconds']()) - truth.seconds) * 1e9 +
    (api(board)['fraction']() >>> 0) / 4.294967296 -
    truth.nanos
  )
}

function bound(board: VirtualMachine): number {
  return Number(api(board)['clockErrorNanos'](BigInt(board.world.crystal.ticks(board.clock.now()))))
}

/** Error of the RTC against true UTC, ns; positive: the RTC is ahead. */
function rtcError(board: VirtualMachine): number {
  const now = board.clock.now()
  const began = board.rtc.secondBegan(now)
  const shown = board.rtc.secondsSince2000(now) + 946_684_800
  return (shown - board.world.unixOrigin) * 1e9 - began
}

describe('the machine in virtual time', () => {
  it('locks_the_clock_to_the_receiver_and_keeps_it_within_its_bound', () => {
    const board = machine()
    board.runUntil(MINUTE)
    expect(api(board)['clockState']()).toBe(LOCKED)
    let worst = 0
    for (let i = 0; i < 400; i++) {
      board.runUntil(MINUTE + i * 0.731e9)
      const error = clockError(board)
      worst = Math.max(worst, Math.abs(error))
      expect(Math.abs(error)).toBeLessThan(bound(board))
    }
    console.log(`whole path, first 6 minutes: worst ${worst.toFixed(0)} ns, bound ${bound(board)} ns`)
    expect(worst).toBeLessThan(500)
    expect(board.counters).toMatchObject({ boots: 1, traps: 0, resets: 0, watchdogs: 0 })
    expect(board.uart.overruns).toBe(0)
  })

  it('does_the_same_for_the_same_seed', () => {
    const run = (seed: number) => {
      const board = machine({ seed }, { entropy: 'seeded' })
      board.runUntil(90e9)
      return [board.counters, board.clock.now(), clockError(board), api(board)['random']()]
    }
    expect(run(5)).toEqual(run(5))
    expect(run(5)).not.toEqual(run(6))
  })

  it('runs_an_hour_in_seconds', () => {
    const board = machine()
    const begun = performance.now()
    board.runUntil(HOUR)
    const took = performance.now() - begun
    console.log(`an hour of virtual time: ${took.toFixed(0)} ms, ${board.counters.polls} polls`)
    expect(took).toBeLessThan(8000)
  })

  it('makes_bus_transfers_and_readings_take_time', () => {
    const board = machine()
    board.runUntil(1e9)
    const before = board.clock.now()
    api(board)['rtcTemperature']()
    // Address, register; address, two bytes: 5 bytes of 22.5 us.
    expect(board.clock.now() - before).toBeGreaterThan(112_000)
    expect(board.clock.now() - before).toBeLessThan(115_000)
    // A reading every 0.4 us: 6.4 ticks, so 2^-21 s.
    expect(api(board)['clockPrecision']()).toBe(-21)
  })

  it('gives_the_board_s_settings', () => {
    const board = machine({}, { board: { address: '192.168.7.9', ntpPort: 11123, names: ['a.local', 'b'] } })
    board.runUntil(1e9)
    const length = api(board)['settings']()
    const bytes = new Uint8Array(board.memory?.buffer ?? new ArrayBuffer(0), api(board)['buffer'](), length)
    expect([...bytes.subarray(6, 14)]).toEqual([0x73, 0x2b, 0x6c, 0x11, 192, 168, 7, 9])
    expect(bytes[24]).toBe(9)
    expect(new TextDecoder().decode(bytes.subarray(64))).toBe('a.local\0b')
  })

  it('prints_and_is_typed_at', () => {
    const board = machine()
    board.runUntil(1e9)
    board.type('e')
    board.runUntil(2e9)
    expect(board.console.output).toBe('B\ne')
    expect(board.console.lines).toEqual(['B'])
  })
})

describe('the machine and its mishaps', () => {
  it('records_a_trap_and_restarts_anchoredwhat_the_flash_held', () => {
    const board = machine()
    board.runUntil(30e9)
    board.type('f')
    board.runUntil(31e9)
    board.type('t')
    board.runUntil(32e9)
    expect(board.traps).toHaveLength(1)
    expect(board.traps[0]?.message).toContain('unreachable')
    expect(board.counters).toMatchObject({ boots: 2, traps: 1 })
    expect(api(board)['flashByte']()).toBe(0x66)
    board.runUntil(90e9)
    expect(api(board)['clockState']()).toBe(LOCKED)
  })

  it('has_the_trust_anchors_behind_the_flash_or_nothing', () => {
    const anchored = machine({}, { anchors: Uint8Array.of(7, 8) })
    anchored.runUntil(1e9)
    expect([0, 1, 2].map((at) => api(anchored)['byteBehindFlash'](at))).toEqual([7, 8, -3])
    const without = machine()
    without.runUntil(1e9)
    expect(api(without)['byteBehindFlash'](0)).toBe(-3)
  })

  it('traps_a_call_anchoredan_address_outside_the_memory', () => {
    const board = machine()
    board.runUntil(1e9)
    board.type('o')
    board.runUntil(2e9)
    expect(board.traps[0]?.message).toContain('outside the memory')
    expect(board.counters.boots).toBe(2)
  })

  it('restarts_when_told_to_and_keeps_the_reason', () => {
    const board = machine()
    board.runUntil(1e9)
    board.type('r')
    board.runUntil(2e9)
    expect(board.resetReason).toBe(77)
    expect(board.counters).toMatchObject({ boots: 2, resets: 1, traps: 0 })
  })

  it('restarts_when_nobody_feeds_the_watchdog', () => {
    const board = machine()
    board.runUntil(1e9)
    board.type('d')
    board.runUntil(2e9 + WATCHDOG_NANOS)
    expect(board.counters).toMatchObject({ boots: 2, watchdogs: 1 })
  })

  it('restarts_a_module_that_never_returns', () => {
    const board = machine({}, { costs: { ticks: 1e6 } })
    board.runUntil(1e9)
    board.type('h')
    board.runUntil(15e9)
    expect(board.counters).toMatchObject({ boots: 2, watchdogs: 1 })
  })

  it('loses_all_but_flash_and_rtc_when_power_fails', () => {
    const board = machine({ power: [{ at: 5 * MINUTE, off: HOUR }] })
    board.runUntil(4 * MINUTE)
    expect(api(board)['clockState']()).toBe(LOCKED)
    board.runUntil(10 * MINUTE)
    expect(board.exports).toBeUndefined()
    board.runUntil(5 * MINUTE + HOUR + 0.5e9)
    expect(api(board)['clockState']()).toBe(RESTORED)
    expect(Math.abs(clockError(board))).toBeLessThan(bound(board))
    expect(bound(board)).toBeLessThan(1e9)
    board.runUntil(7 * MINUTE + HOUR)
    expect(api(board)['clockState']()).toBe(LOCKED)
    expect(board.counters.boots).toBe(2)
  })
})

describe('the RTC on the machine', () => {
  it('is_set_at_a_second_s_boundary_once_the_clock_is_locked', () => {
    const board = machine({}, { rtcPpm: 0, rtcSeed: 0 })
    board.runUntil(2 * MINUTE)
    expect(api(board)['rtcSyncSettings']()).toBe(1)
    console.log(`RTC set to within ${(rtcError(board) / 1000).toFixed(1)} us`)
    expect(Math.abs(rtcError(board))).toBeLessThan(20_000)
    expect(api(board)['rtcMarkedAt']()).toBeGreaterThan(BigInt(ORIGIN))
  })

  it('is_left_alone_while_it_is_right_and_set_again_when_it_has_drifted', () => {
    const board = machine({}, { rtcPpm: 2, receiver: ublox() })
    board.runUntil(2 * MINUTE)
    const set = api(board)['rtcSyncSettings']()
    // 2 ppm: 7.2 ms an hour, and the limit is 2 ms.
    board.runUntil(HOUR + 3 * MINUTE)
    expect(api(board)['rtcSyncSettings']()).toBe(set + 1)
    expect(Math.abs(rtcError(board))).toBeLessThan(500_000)
    const good = machine({}, { rtcPpm: 0.1, rtcSeed: 0 })
    good.runUntil(HOUR + 3 * MINUTE)
    expect(api(good)['rtcSyncSettings']()).toBe(1)
    expect(api(good)['rtcMarkedAt']()).toBeGreaterThan(BigInt(ORIGIN + 3600))
  })

  it('restores_the_time_at_boot_and_gains_the_phase_at_its_next_second', () => {
    const before = machine()
    before.runUntil(3 * MINUTE)
    const rtc = before.saveRtc()
    // Ten days later, under a covered sky. A month has begun since, so the bound has a second for a leap second.
    const later = machine(
      { unixOrigin: ORIGIN + 864_000, seed: 2, outages: [{ from: 0, to: HOUR }] },
      { rtc, rtcPpm: 2 },
    )
    later.runUntil(0.05e9)
    expect(api(later)['clockState']()).toBe(RESTORED)
    // 7 ppm by the data sheet, since nothing was learnt.
    expect(bound(later)).toBeGreaterThan(7.5e9)
    expect(Math.abs(clockError(later))).toBeLessThan(bound(later))
    later.runUntil(1.2e9)
    expect(bound(later)).toBeLessThan(7.2e9)
    console.log(
      `ten days at 2 ppm: error ${(clockError(later) / 1e9).toFixed(3)} s within ${(bound(later) / 1e9).toFixed(3)} s`,
    )
    expect(Math.abs(clockError(later))).toBeLessThan(1.8e9)
    expect(api(later)['clockStratum']()).toBe(16)
  })

  it('does_without_the_square_wave', () => {
    const board = machine({}, { sqwWired: false, rtcPpm: 0.1, rtcSeed: 0 })
    board.runUntil(HOUR + 3 * MINUTE)
    // An hour later readings find that its phase is still right.
    expect(api(board)['rtcSyncSettings']()).toBe(1)
    expect(Math.abs(rtcError(board))).toBeLessThan(500_000)
  })

  it('is_put_right_after_a_leap_second', () => {
    const midnight = ORIGIN + 7200
    const board = machine({ leapSecond: { midnight, change: 1 } }, { rtcPpm: 0 })
    board.runUntil(2 * HOUR - MINUTE)
    expect(Math.abs(rtcError(board))).toBeLessThan(1e6)
    board.runUntil(2 * HOUR + 2 * MINUTE)
    // The world's second count is one ahead of UTC now.
    expect(Math.abs(rtcError(board) + 1e9)).toBeLessThan(1e6)
  })

  it('measures_the_board_s_temperature', () => {
    const board = machine()
    board.runUntil(5 * MINUTE)
    expect(
      Math.abs(api(board)['rtcTemperature']() / 4 - board.world.crystal.degreesAt(board.clock.now())),
    ).toBeLessThan(3)
  })
})

describe('the machine in real time', () => {
  it('captures_pulses_at_their_true_time_though_timers_are_late', async () => {
    const clock = new RealClock()
    const world = new World({ unixOrigin: clock.unixOrigin, seed: 1 })
    const receiver = ublox({
      setup: (chip) => {
        chip.warmFix = 0
      },
    })
    const board = new VirtualMachine({ wasm, world, clock, receiver })
    board.start()
    const delays: number[] = []
    let seen = 0
    const until = Date.now() + 3800
    while (Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      const pps = board.captures[0]
      if (pps === undefined || pps.count === seen) continue
      seen = pps.count
      delays.push(clock.now() - pps.edgeNanos)
    }
    board.stop()
    const polls = board.counters.polls
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(board.counters.polls).toBe(polls)
    expect(seen).toBeGreaterThanOrEqual(2)
    const { edgeNanos, ticks, capturedNanos } = board.captures[0]!
    expect(Math.abs(edgeNanos - Math.round(edgeNanos / 1e9) * 1e9)).toBeLessThan(200)
    expect(ticks).toBe(world.crystal.ticks(capturedNanos))
    expect(board.counters).toMatchObject({ boots: 1, traps: 0, watchdogs: 0 })
  })

  it('refuses_the_wrong_kind_of_clock', () => {
    const clock = new RealClock()
    const world = new World({ unixOrigin: clock.unixOrigin })
    expect(() => new VirtualMachine({ wasm, world, clock }).runUntil(1e9)).toThrow(/VirtualClock/)
    expect(() => machine().start()).toThrow(/RealClock/)
  })
})
