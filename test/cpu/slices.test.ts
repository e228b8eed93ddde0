// The same random programs in one run, in slices of random length, one instruction at a time, and with hooks all over: the
// end must be the same, and every hook must be seen as often as its instruction is executed.

import { describe, expect, it } from 'vitest'
import { Access, Cpu } from '../../sim/cpu/core'
import { wasm } from './bench'
import { BASE, type Image, makeImage } from './programs'
import { Random } from './random'

const image: Image = makeImage(new Random(99), 60, 200, { misaligned: false, traps: true })

/** Runs the image up to its end by `advance`, which runs some instructions; returns all that can be seen of it. */
function result(
  advance: (cpu: Cpu) => void,
  hooks: number[] = [],
  onHook: (pc: number) => boolean = () => false,
): string {
  const host = { mmioRead: () => 0, mmioWrite: () => undefined, hook: (pc: number) => pc === image.done || onHook(pc) }
  const cpu = new Cpu(wasm, host, { standard: true })
  cpu.map(BASE, 0x30_0000, Access.All)
  cpu.write(BASE, image.code)
  cpu.reset(BASE, 0)
  cpu.setHooks([image.done, ...hooks])
  while (cpu.pc !== image.done) advance(cpu)
  const registers = Array.from({ length: 32 }, (_, x) => cpu.register(x))
  const memory = Buffer.from(cpu.read(image.results.start, image.results.size)).toString('base64')
  return JSON.stringify([cpu.instructions, registers, memory])
}

describe('a run in slices', () => {
  const whole = result((cpu) => cpu.run(1_000_000))

  it('of_one_instruction_ends_like_a_whole_run', () => {
    expect(result((cpu) => cpu.run(1)) === whole).toBe(true)
  })

  it.each([3, 20, 70, 300])('of_up_to_%i_instructions_ends_like_a_whole_run', (most) => {
    const random = new Random(most)
    expect(result((cpu) => cpu.run(1 + random.below(most))) === whole).toBe(true)
  })

  it('with_hooks_sees_each_hooked_instruction_as_often_as_it_is_executed', () => {
    const every: number[] = []
    result((cpu) => {
      every.push(cpu.pc)
      cpu.run(1)
    })
    const random = new Random(5)
    const hooks = [...new Set(every)].filter((pc) => pc !== image.done && random.below(20) === 0).slice(0, 1000)
    const wanted = every.filter((pc) => hooks.includes(pc))
    for (const most of [5, 100, 1_000_000]) {
      const seen: number[] = []
      const stops = (pc: number) => {
        seen.push(pc)
        return random.below(4) === 0
      }
      expect(result((cpu) => cpu.run(1 + random.below(most)), hooks, stops) === whole).toBe(true)
      expect(seen).toEqual(wanted)
    }
  })
})

describe('interrupts at any instruction', () => {
  it('leave_the_interrupted_program_as_it_was', () => {
    // The handler of interrupt 1 is one mret at its vector: nothing of it can be seen but the count.
    const random = new Random(8)
    const quiet = makeImage(new Random(31), 20, 200, { misaligned: false, traps: false, withoutCsrs: true })
    const run = (disturbed: boolean): string => {
      const machine = new Cpu(
        wasm,
        { mmioRead: () => 0, mmioWrite: () => undefined, hook: () => true },
        { standard: true },
      )
      machine.map(BASE, 0x30_0000, Access.All)
      machine.write(BASE, quiet.code)
      machine.write(BASE + 0x2f_0004, Uint8Array.of(0x73, 0, 0x20, 0x30))
      machine.reset(BASE, 0)
      machine.setHooks([quiet.done])
      // Past the start-up, which sets mtvec.
      machine.run(60)
      if (disturbed) {
        machine.writeCsr(0x305, (BASE + 0x2f_0000) | 1)
        machine.writeCsr(0x304, 2)
        machine.writeCsr(0x300, 8)
      }
      let interrupts = 0
      while (machine.pc !== quiet.done) {
        machine.run(1 + random.below(30))
        if (!disturbed || machine.pc === quiet.done) continue
        machine.setInterrupt(1)
        machine.run(1)
        machine.setInterrupt(0)
        interrupts++
      }
      if (disturbed) expect(interrupts).toBeGreaterThan(200)
      const registers = Array.from({ length: 32 }, (_, x) => machine.register(x))
      return JSON.stringify([machine.instructions - interrupts, registers])
    }
    expect(run(true)).toBe(run(false))
  })
})
