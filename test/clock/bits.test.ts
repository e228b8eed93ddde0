// The estimates are the same to the last bit on the simulated ESP32-C3, where floating point is a library's work, as in V8.

import { describe, expect, it } from 'vitest'
import type { ClockPlan } from '../../sim/world/clock_scenario'
import { missingCompiler } from '../support/rv32'
import { inV8, OPS, onCore } from './replay'

/** Instructions that no call may need; one in some 30,000, a pulse after others were refused, needs 43,000, the others 36,000. */
const LONGEST = 45_000

const PLAN: ClockPlan = {
  about: 'power-on, an outage, a lie, a leap second',
  duration: 3600,
  outages: [[1000, 1500]],
  spoofs: [[2000, 2060, 0.1]],
  leapAt: 3000,
}

const missing = missingCompiler()

describe.skipIf(missing !== undefined)('the clock room on the simulated ESP32-C3', () => {
  it('estimates_bit_for_bit_what_it_estimates_in_V8_in_bounded_time', async () => {
    // A fresh power-on, so that the hour holds all.
    const { calls, boot } = inV8({ ...PLAN }, { seed: 3, unix0: 1_846_022_400 - PLAN.leapAt! })
    expect(calls.filter(({ op }) => op === OPS.pulse).length).toBeGreaterThan(3000)
    const most = [0, 0, 0, 0, 0]
    await onCore(calls, boot, (call, results, instructions, i) => {
      if (results.some((value, j) => !Object.is(value, call.results[j])))
        expect(results, `call ${i}`).toEqual(call.results)
      most[call.op] = Math.max(most[call.op]!, instructions)
    })
    const [, , pulse = 0, poll = 0, serve = 0] = most
    expect({ pulse, poll, serve }, 'instructions of the longest calls').toSatisfy(
      () => Math.max(pulse, poll, serve) < LONGEST,
    )
  })
})
