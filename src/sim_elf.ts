// `noonmark sim elf FILE`: runs a bare RV32IMC program on the simulated core until it stores to its symbol `tohost`.
//
// Exit status: 0 when the value is 1; 1 for another value, which is printed; 2 when the program could not be run to its end.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BareMachine, type Ending } from '../sim/cpu/bare'
import { type Elf, ElfError, parseElf } from '../sim/cpu/elf'

export interface SimElfOptions {
  /** Instructions at most. */
  readonly limit: number
  readonly misaligned: boolean
  readonly memory: readonly { readonly address: number; readonly size: number }[]
  /** Say how many instructions ran, and how fast. */
  readonly stats: boolean
}

export function simElf(file: string, options: SimElfOptions): number {
  let machine: BareMachine
  try {
    machine = new BareMachine(readFileSync(fileURLToPath(new URL('./rv32.wasm', import.meta.url))), load(file), options)
  } catch (error) {
    console.error(`noonmark: ${file}: ${error instanceof Error ? error.message : error}`)
    return 2
  }
  const begun = process.hrtime.bigint()
  const ending = machine.run(options.limit)
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9
  if (options.stats) {
    const count = machine.cpu.instructions
    console.error(
      `${count} instructions in ${seconds.toFixed(3)} s: ${(count / seconds / 1e6).toFixed(0)} million a second`,
    )
  }
  return report(machine, ending, options.limit)
}

function load(file: string): Elf {
  const elf = parseElf(readFileSync(file))
  if (!elf.symbols.has('tohost')) throw new ElfError('has no symbol `tohost`, by which a program says that it is done')
  return elf
}

function report(machine: BareMachine, ending: Ending, limit: number): number {
  const { cpu } = machine
  switch (ending.kind) {
    case 'tohost':
      if (ending.value === 1) return 0
      console.log(`tohost = ${ending.value}${ending.value & 1 ? ` (test ${ending.value >>> 1} failed)` : ''}`)
      return 1
    case 'limit':
      console.error(`noonmark: nothing was stored to tohost in ${limit} instructions; pc is ${hex(cpu.pc)}`)
      return 2
    case 'stuck':
      console.error(
        `noonmark: trap without a handler: mcause ${cpu.readCsr(0x342)}, mepc ${hex(cpu.readCsr(0x341))}, ` +
          `mtval ${hex(cpu.readCsr(0x343))}, mtvec ${hex(cpu.readCsr(0x305))}`,
      )
      return 2
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}
