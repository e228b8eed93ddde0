// The clock room in V8 and on the simulated ESP32-C3 by turns: every call of one, with what it answered, is made on the other.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ClockPlan, ClockScenario, type ClockScenarioOptions } from '../../sim/world/clock_scenario'
import { ClockRoom } from '../../src/clock_room'
import { loadRv32 } from '../support/rv32'

/** As in replay.entry.ts. */
export const OPS = { init: 1, pulse: 2, poll: 3, serve: 4 } as const
const RECORD = 72

/** The counter that the clock reads at boot: here as in ClockRoom each reading is one tick later. */
const machine = (start: number) => `
struct Z_abi_instance_t;
uint64_t Z_abiZ_ticks(struct Z_abi_instance_t *abi) { static uint64_t now = ${start}u; (void)abi; return now++; }
`

export interface Call {
  op: number
  args: number[]
  results: number[]
  /** Second of the scenario. */
  second: number
}

/** Every call that the clock room got in V8, with what it answered; two instants a second are served. */
export function inV8(plan: ClockPlan, options: ClockScenarioOptions): { calls: Call[]; boot: number } {
  const module = new WebAssembly.Module(readFileSync(fileURLToPath(new URL('../../build/clock.wasm', import.meta.url))))
  const scenario = new ClockScenario(plan, options)
  const room = new ClockRoom(module, { tickHz: scenario.tickHz, captureBias: scenario.captureBias })
  const calls: Call[] = []
  const { clock } = room as unknown as { clock: Record<string, (...args: number[]) => number> }
  const seen = { ...clock }
  let now = 0
  const noted = (op: number, results: (value: number, args: number[]) => number[], call: keyof typeof clock) => {
    seen[call] = (...args: number[]) => {
      const value = clock[call]!(...args)
      calls.push({ op, args, results: results(value, args), second: now })
      return value
    }
  }
  let boot = 0
  seen['init'] = (...args) => {
    boot = (room as unknown as { now: number }).now
    calls.push({ op: OPS.init, args, results: [], second: 0 })
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
  for (const { second, pulse, ticks } of scenario.play(2)) {
    now = second
    if (pulse) room.pulse(pulse)
    for (const tick of ticks) room.serve(tick)
  }
  return { calls, boot }
}

/** Makes the calls on the simulated core: `each` gets what they answered, and the instructions that they took. */
export async function onCore(
  calls: readonly Call[],
  boot: number,
  each: (call: Call, results: number[], instructions: number, index: number) => void,
): Promise<void> {
  const core = await loadRv32(new URL('./replay.entry.ts', import.meta.url), machine(boot))
  const record = core.call('record').value
  const bytes = new DataView(new ArrayBuffer(RECORD))
  for (const [i, call] of calls.entries()) {
    bytes.setUint32(0, call.op, true)
    for (const [j, value] of call.args.entries()) bytes.setFloat64(8 + 8 * j, value, true)
    core.write(record, new Uint8Array(bytes.buffer))
    const { instructions } = core.call('run')
    const answer = new DataView(core.read(record, RECORD).slice().buffer)
    each(
      call,
      call.results.map((_, j) => answer.getFloat64(8 + 8 * j, true)),
      instructions,
      i,
    )
  }
}
