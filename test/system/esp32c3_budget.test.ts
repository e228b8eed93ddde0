// What the flash image costs on the simulated chip, as `noonmark bench --board esp32c3` counts it: instructions against the goals of
// docs/decisions/0011-instruction-budget.md, bytes against the board file's budgets and a quarter of the stack.

import { beforeAll, describe, expect, it } from 'vitest'
import { measureEsp32c3 } from '../../src/bench_esp32c3'
import { imageUnderTest, missing } from '../soc/board'

describe.skipIf(missing !== undefined)('the budget of the image', () => {
  let rows = new Map<string, number>()

  beforeAll(async () => {
    const measured = await measureEsp32c3(imageUnderTest())
    rows = new Map(measured.map(({ name, value }) => [name, value]))
  }, 60_000)

  const limits: [name: string, limit: number][] = [
    ['ntp_reply', 10_000],
    ['ntp_reply_interleaved', 12_000],
    ['nts_reply_aead_30_interleaved', 40_000],
    ['nts_reply_aead_15', 35_000],
    ['nts_reply_aead_30', 35_000],
    ['nts_reply_aead_15_without_accelerator', 110_000],
    ['nts_reply_aead_30_without_accelerator', 110_000],
    ['key_exchange', 9_000_000],
    ['longest_poll_idle', 40_000],
    ['longest_poll_four_handshakes', 40_000],
    ['longest_poll_four_handshakes_and_nts', 40_000],
  ]
  const sizes: [name: string, limit: number][] = [
    ['flash', 1_048_576],
    ['static_ram', 262_144],
    ['stack_high_water', 2048],
  ]
  const cases = [
    ...limits.map(([name, limit]) => ({ name, limit, unit: 'instructions' })),
    ...sizes.map(([name, limit]) => ({ name, limit, unit: 'bytes' })),
  ]
  for (const { name, limit, unit } of cases) {
    it(`holds_${name}_below_${limit}_${unit}`, () => {
      expect(rows.get(name)).toBeGreaterThan(0)
      expect(rows.get(name)).toBeLessThanOrEqual(limit)
    })
  }
})
