// Four hours of the clock room on the simulated ESP32-C3, call by call beside V8: the slow model learns, finds the heating's
// cycle, and the fast filter takes it up. What that costs in a second, and in one call.

import { describe, expect, it } from 'vitest'
import { inV8, OPS, onCore } from '../clock/replay'
import { missingCompiler } from '../support/rv32'

/** Instructions in one call, in a second on the average, in any second (the most while a cycle is searched for, three minutes in an hour). */
const CALL = 40_000
const MEAN = 100_000
const MOST = 120_000

const missing = missingCompiler()

describe.skipIf(missing !== undefined)('four hours of pulses on the simulated ESP32-C3', () => {
  it('are_followed_bit_for_bit_as_in_V8_within_the_budget_of_instructions', async () => {
    const { calls, boot } = inV8({ about: 'nothing happens', duration: 4 * 3600 }, { seed: 5 })
    // A second begins with its pulse, or where that is missing.
    const seconds: number[] = []
    let began = 0
    let longest = 0
    await onCore(calls, boot, (call, results, instructions, i) => {
      if (results.some((value, j) => !Object.is(value, call.results[j])))
        expect(results, `call ${i}`).toEqual(call.results)
      if (call.op !== OPS.pulse && call.op !== OPS.poll) return
      const now = call.args.at(-1)!
      if (call.op === OPS.pulse || now >= began + 18_000_000) {
        seconds.push(0)
        began = now
      }
      seconds[seconds.length - 1]! += instructions
      longest = Math.max(longest, instructions)
    })
    const hour = (from: number) => seconds.slice(from * 3600, (from + 1) * 3600)
    for (const from of [0, 1, 2, 3]) {
      const mean = hour(from).reduce((sum, value) => sum + value, 0) / 3600
      const most = Math.max(...hour(from))
      console.log(`hour ${from + 1}: ${Math.round(mean)} instructions a second, at most ${most}`)
      expect(mean).toBeLessThan(MEAN)
      expect(most).toBeLessThan(MOST)
    }
    console.log(`longest call: ${longest} instructions`)
    expect(longest).toBeLessThan(CALL)
  }, 300_000)
})
