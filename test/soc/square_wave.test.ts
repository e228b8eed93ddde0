// A board whose DS3231 has its square wave on a pin (boards/esp32c3-supermini-w5500.json): what the image captures of it, what that does to the
// pulse, and what it is worth in holdover.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { readBoard } from '../../bin/board.mjs'
import { parseElf } from '../../sim/cpu/elf'
import type { Esp32c3Firmware } from '../../src/esp32c3'
import { Esp32c3LanBoard } from '../../src/lan_board'
import { watchPolls } from '../../src/poll_watch'
import { statistics } from '../../src/served'
import { status } from '../system/board'
import { asLanBoard, imageUnderTest, missing, type Options, SECOND } from './board'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FILE = join(ROOT, 'boards/esp32c3-supermini-w5500.json')
const OUT = join(ROOT, 'build/test/esp32c3-sqw')
const MINUTE = 60 * SECOND
const PPS = 0
const SQW = 2

let wired: Esp32c3Firmware
beforeAll(() => {
  if (missing !== undefined) return
  const args = ['bin/build_esp32c3.mjs', '--board', FILE, '--out', OUT]
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  const image = readFileSync(join(OUT, 'noonmark.bin'))
  const elf = readFileSync(join(OUT, 'noonmark.elf'))
  wired = { ...imageUnderTest(), image, elf, board: readBoard(FILE) }
}, 240_000)

function chip(firmware: Esp32c3Firmware, options: Options): Esp32c3LanBoard {
  const board = new Esp32c3LanBoard({ ...firmware, ...options })
  if (!board.runUntilSaid('ready', 60)) throw new Error(board.consoleText)
  return board
}

/** The last edge of a channel as hal/esp32c3/capture.c holds it. */
function edge(board: Esp32c3LanBoard, channel: number) {
  const bytes = board.machine.soc.cpu.read(parseElf(wired.elf).symbols.get('edges')! + 16 * channel, 16)
  const view = new DataView(bytes.buffer)
  const [count, late] = [view.getUint32(0, true), view.getUint32(4, true)]
  return { count, late, ticks: Number(view.getBigUint64(8, true)) }
}

/** Nanoseconds by which a captured tick lies behind the true instant. */
function behind(board: Esp32c3LanBoard, ticks: number, nanos: number): number {
  const { soc } = board.machine
  const tick = soc.peripherals.systimer.count(0) + (soc.timeBase.cycles(nanos) - soc.now()) / 10
  return (ticks - tick) * 62.5
}

interface Seen {
  /** The RTC's edge after the pulse, us. */
  apart: number
  pulse: number
  wave: number
  pulseLate: number
  waveLate: number
}

/** An edge of each, second by second. */
function watch(board: Esp32c3LanBoard, seconds: number): Seen[] {
  const seen: Seen[] = []
  let counts = [edge(board, PPS).count, edge(board, SQW).count]
  for (let i = 0; i < seconds; i++) {
    board.advance(SECOND)
    const [pulse, wave] = [edge(board, PPS), edge(board, SQW)]
    const began = board.machine.rtc.secondBegan(board.now)
    expect([pulse.count, wave.count]).toEqual(counts.map((count) => count + 1))
    counts = [pulse.count, wave.count]
    seen.push({
      apart: (began - board.machine.pulseNanos) / 1000,
      pulse: behind(board, pulse.ticks, board.machine.pulseNanos),
      wave: behind(board, wave.ticks, began),
      pulseLate: pulse.late,
      waveLate: wave.late,
    })
  }
  return seen
}

describe.skipIf(missing !== undefined)('the square wave', () => {
  it('is_captured_and_leaves_the_pulse_as_exact_while_its_edge_passes_through_it', () => {
    const board = chip(wired, { machine: { rtcPpm: 0.25, rtcSeed: 0 } })
    expect(board.consoleText).toContain('features=3')
    board.advance(20 * SECOND)
    const seen = watch(board, 600)
    const [first, last] = [seen[0]!, seen[seen.length - 1]!]
    expect(first.apart).toBeGreaterThan(10)
    expect(last.apart).toBeLessThan(-10)
    const near = seen.filter(({ apart }) => Math.abs(apart) < 6)
    const pulses = statistics(seen.map(({ pulse }) => pulse))
    const nearPulses = statistics(near.map(({ pulse }) => pulse))
    const waves = statistics(seen.filter(({ waveLate }) => waveLate === 0).map(({ wave }) => wave))
    const exact = statistics(
      seen.filter(({ waveLate, wave }) => waveLate === 0 && Math.abs(wave) < 600).map(({ wave }) => wave),
    )
    const round = ({ mean, deviation, min, max }: typeof pulses) =>
      `mean ${mean.toFixed(0)}, sd ${deviation.toFixed(0)}, ${min.toFixed(0)} to ${max.toFixed(0)} ns`
    console.log(`pulse: ${round(pulses)}; while the RTC's edge is within 6 us (${near.length}): ${round(nearPulses)}`)
    console.log(
      `square wave: ${round(waves)}; ${seen.filter(({ waveLate }) => waveLate !== 0).length} of ${seen.length} late`,
    )
    expect(near.length).toBeGreaterThan(30)
    expect(pulses.deviation).toBeLessThan(50)
    expect(nearPulses.deviation).toBeLessThan(50)
    // An edge that comes in the 0.2 us before the pulse makes that as much late.
    expect(pulses.worst).toBeLessThan(300)
    expect(seen.filter(({ pulseLate }) => pulseLate !== 0)).toEqual([])
    // Just after the pulse, and as the watch begins, an edge has to wait: for 0.5 us, and once in a while until the watch ends.
    expect(seen.filter(({ waveLate, wave }) => waveLate === 0 && Math.abs(wave) > 600).length).toBeLessThan(4)
    expect(exact.deviation).toBeLessThan(60)
    expect(board.machine.reports).toEqual([])
  })

  it('steers_when_the_sky_is_lost_soon_after_power_on_within_the_budget_of_a_poll', () => {
    const world = { seed: 25, crystal: { tempco: 1 }, outages: [{ from: 5 * MINUTE, to: 25 * MINUTE }] }
    const bounds = [wired, imageUnderTest()].map((firmware) => {
      const board = chip(firmware, { world: world as NonNullable<Options['world']> })
      let longest = 0
      board.advance(5 * MINUTE - board.now)
      watchPolls(board, firmware, ({ instructions }) => {
        longest = Math.max(longest, instructions)
      })
      board.advance(24.9 * MINUTE - board.now)
      const { state, error } = status(asLanBoard(board))
      expect(state).toBe('holdover')
      console.log(`bound after 20 minutes ${error}, longest poll ${longest} instructions`)
      expect(longest).toBeLessThan(40_000)
      return Number.parseInt(error!, 10)
    })
    expect(bounds[0]! * 2).toBeLessThan(bounds[1]!)
  })
})
