// What the machine does when the firmware goes wrong: the small firmware of machine.entry.ts as an image, on the simulated
// chip. Its letters: `t` traps, `o` hands out a bad address, `r` resets, `d` stops feeding the watchdog, `f` writes.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_BOARD_FILE, readBoard } from '../../bin/board.mjs'
import { buildImage, findTools } from '../../bin/build_esp32c3.mjs'
import { VirtualClock } from '../../sim/clock/clock'
import { Esp32c3Machine } from '../../sim/soc/machine'
import { World } from '../../sim/world/world'
import { compileEntry } from '../support/firmware'

const core = fileURLToPath(new URL('../../build/rv32.wasm', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'noonmark-mishaps-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function reason(): string | undefined {
  if (!existsSync(core)) return 'the simulated processor core is not built'
  try {
    findTools()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
const missing = reason()
if (missing) console.log(`the machine's mishaps are not tested: ${missing}`)

describe.skipIf(missing !== undefined)('the ESP32-C3 machine and its mishaps', () => {
  let image: Uint8Array
  beforeAll(async () => {
    const wasm = join(folder, 'small.wasm')
    writeFileSync(wasm, await compileEntry(new URL('./machine.entry.ts', import.meta.url), 'release'))
    image = readFileSync((await buildImage({ wasm, out: folder })).bin)
  })

  function boot(): Esp32c3Machine {
    const world = new World({ unixOrigin: 1_846_015_200, seed: 1 })
    const clock = new VirtualClock(world.unixOrigin)
    const board = readBoard(DEFAULT_BOARD_FILE)
    const machine = new Esp32c3Machine({ image, core: readFileSync(core), board, world, clock, entropy: 'seeded' })
    machine.runUntil(1e9)
    expect(machine.console.output).toBe('board esp32c3 reset=1\nB\n')
    return machine
  }

  /** Types a letter at 1 s; what the console has said `after` nanoseconds later. */
  function typed(machine: Esp32c3Machine, letter: string, after: number): string {
    machine.type(letter)
    machine.runUntil(1e9 + after)
    return machine.console.output.replace('board esp32c3 reset=1\nB\n', '')
  }

  it('records_a_trap_of_the_module_and_restarts_within_a_second', () => {
    expect(typed(boot(), 't', 1e9)).toMatch(/^board esp32c3 reset=3 last=wasm code=5 pc=\w+ address=0 count=1\nB\n$/)
  })

  it('traps_a_call_with_an_address_outside_the_memory', () => {
    expect(typed(boot(), 'o', 1e9)).toMatch(/reset=3 last=wasm code=1 /)
  })

  it('keeps_the_reason_of_a_reset_and_tells_it_once', () => {
    const machine = boot()
    expect(typed(machine, 'r', 1e9)).toMatch(/reset=3 last=reset code=4d /)
    const before = machine.console.output.length
    machine.type('d')
    machine.runUntil(20e9)
    expect(machine.console.output.slice(before)).toBe('board esp32c3 reset=9\nB\n')
  })

  it('is_reset_by_the_rtc_watchdog_ten_seconds_after_the_last_feed', () => {
    const machine = boot()
    expect(typed(machine, 'd', 7e9)).toBe('')
    expect(typed(machine, '', 13e9)).toBe('board esp32c3 reset=9\nB\n')
  })

  it('records_a_fault_of_the_processor_with_its_place', () => {
    const machine = boot()
    machine.soc.cpu.pc = 0x3000_0000
    expect(typed(machine, 'e', 1e9)).toMatch(
      /^board esp32c3 reset=3 last=trap code=1 pc=30000000 address=\w+ count=1\nB\n/,
    )
  })

  it('writes_to_the_log_area_of_the_flash_alone', () => {
    const machine = boot()
    const before = machine.flash.bytes.slice()
    typed(machine, 'f', 1e9)
    const after = machine.flash.bytes
    const changed: number[] = []
    for (let i = 0; i < after.length; i++) if (after[i] !== before[i]) changed.push(i)
    expect(changed).toEqual([readBoard().flash.log.offset + 4096])
    expect(after[changed[0]!]).toBe('f'.charCodeAt(0))
  })

  it('echoes_what_is_typed_and_touches_no_register_that_is_not_modelled', () => {
    const machine = boot()
    expect(typed(machine, 'e', 1e9)).toBe('e')
    expect(machine.reports).toEqual([])
  })
})
