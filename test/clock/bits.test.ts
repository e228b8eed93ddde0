// The estimates are the same to the last bit on the simulated ESP32-C3, where floating point is a library's work, as in V8.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type ClockPlan, ClockScenario } from '../../sim/world/clock_scenario'
import { ClockRoom } from '../../src/clock_room'
import { loadRv32, missingCompiler, type Rv32Entry } from '../support/rv32'

/** As in replay.entry.ts. */
const OPS = { init: 1, pulse: 2, poll: 3, serve: 4 } as const
const RECORD = 72

/** Instructions that no call may need; one in 29,560, a pulse after others were refused, needs 42,000, the others 36,000. */
const LONGEST = 45_000

/** The counter that the clock reads at boot: here as in ClockRoom each reading is one tick later. */
const machine = (start: number) => `
struct Z_abi_instance_t;
uint64_t Z_abiZ_ticks(struct Z_abi_instance_t *abi) { static uint64_t now = ${start}u; (void)abi; return now++; }
`

interface Call {
  op: number
  args: number[]
  results: number[]
}

const PLAN: ClockPlan = {
  about: 'power-on, an outage, a lie, a leap second',
  duration: 3600,
  outages: [[1000, 1500]],
  spoofs: [[2000, 2060, 0.1]],
  leapAt: 3000,
}

/** Every call that the clock room got in V8, with what it answered. */
function inV8(): { calls: Call[]; boot: number } {
  const module = new WebAssembly.Module(readFileSync(fileURLToPath(new URL('../../build/clock.wasm', import.meta.url))))
  // A fresh power-on, so that the hour holds all.
  const scenario = new ClockScenario({ ...PLAN }, { seed: 3, unix0: 1_846_022_400 - PLAN.leapAt! })
  const room = new ClockRoom(module, { tickHz: scenario.tickHz, captureBias: scenario.captureBias })
  const calls: Call[] = []
  const { clock } = room as unknown as { clock: Record<string, (...args: number[]) => number> }
  const seen = { ...clock }
  const noted = (op: number, results: (value: number, args: number[]) => number[], call: keyof typeof clock) => {
    seen[call] = (...args: number[]) => {
      const value = clock[call]!(...args)
      calls.push({ op, args, results: results(value, args) })
      return value
    }
  }
  let boot = 0
  seen['init'] = (...args) => {
    boot = (room as unknown as { now: number }).now
    calls.push({ op: OPS.init, args, results: [] })
    return clock['init']!(...args)
  }
  noted(OPS.pulse, () => [clock['difference']!(), clock['state']!()], 'pulse')
  noted(OPS.poll, (due) => [due], 'poll')
  noted(
    OPS.serve,
    (seconds, [ticks]) => [seconds, clock['fraction']!() >>> 0, clock['leap']!(), clock['error']!(ticks!)],
    'serve',
  )
  Object.assign(room, { clock: seen })
  for (const { pulse, ticks } of scenario.play(2)) {
    if (pulse) room.pulse(pulse)
    for (const tick of ticks) room.serve(tick)
  }
  return { calls, boot }
}

/** What the same call answers on the simulated core. */
function onCore(core: Rv32Entry, record: number, { op, args, results }: Call) {
  const bytes = new DataView(new ArrayBuffer(RECORD))
  bytes.setUint32(0, op, true)
  for (const [i, value] of args.entries()) bytes.setFloat64(8 + 8 * i, value, true)
  core.write(record, new Uint8Array(bytes.buffer))
  const { instructions } = core.call('run')
  const answer = new DataView(core.read(record, RECORD).slice().buffer)
  return { results: results.map((_, i) => answer.getFloat64(8 + 8 * i, true)), instructions }
}

const missing = missingCompiler()

describe.skipIf(missing !== undefined)('the clock room on the simulated ESP32-C3', () => {
  it('estimates_bit_for_bit_what_it_estimates_in_V8_in_bounded_time', async () => {
    const { calls, boot } = inV8()
    expect(calls.filter(({ op }) => op === OPS.pulse).length).toBeGreaterThan(3000)
    const core = await loadRv32(new URL('./replay.entry.ts', import.meta.url), machine(boot))
    const record = core.call('record').value
    const most = [0, 0, 0, 0, 0]
    for (const [i, call] of calls.entries()) {
      const { results, instructions } = onCore(core, record, call)
      if (results.some((value, j) => !Object.is(value, call.results[j])))
        expect(results, `call ${i}`).toEqual(call.results)
      most[call.op] = Math.max(most[call.op]!, instructions)
    }
    const [, , pulse = 0, poll = 0, serve = 0] = most
    expect({ pulse, poll, serve }, 'instructions of the longest calls').toSatisfy(
      () => Math.max(pulse, poll, serve) < LONGEST,
    )
  })
})
