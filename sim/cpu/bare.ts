// A bare machine for test programs: the core, and memory where the program's segments say. It ends when the program stores
// something other than zero to `tohost`: the convention of the public RISC-V test suite (riscv-software-src/riscv-tests).

import { Access, Cpu, PAGE, type StopReason } from './core'
import type { Elf } from './elf'

export interface BareOptions {
  /** Misaligned loads and stores work instead of trapping. */
  readonly misaligned?: boolean
  /** Memory besides the segments, such as a stack below or above them. */
  readonly memory?: readonly { readonly address: number; readonly size: number }[]
}

/** How a program ended. */
export type Ending =
  /** It stored this to tohost. 1: all is well; otherwise twice the number of the failed test, and one. */
  | { readonly kind: 'tohost'; readonly value: number }
  /** The instructions allowed are used up. */
  | { readonly kind: 'limit' }
  /** It cannot go on: its trap handler is not executable ('halted'), or it came to a hook ('breakpoint'). */
  | { readonly kind: 'stuck'; readonly reason: StopReason }

export class BareMachine {
  readonly cpu: Cpu
  readonly #toHost: number | undefined

  /** Loads `elf`. `wasm` is build/rv32.wasm. The program needs no `tohost` if it is to be run by hand. */
  constructor(wasm: Uint8Array, elf: Elf, options: BareOptions = {}) {
    const fault = () => this.cpu.fault()
    const host = {
      mmioRead: () => {
        fault()
        return 0
      },
      mmioWrite: fault,
      hook: () => true,
      watched: () => {
        if (this.#toHostValue() !== 0) this.cpu.stop()
      },
    }
    this.cpu = new Cpu(wasm, host, { standard: true, misaligned: options.misaligned ?? false })
    for (const { address, size } of [...elf.segments, ...(options.memory ?? [])]) this.#map(address, size)
    for (const { loadAddress, data } of elf.segments) this.#map(loadAddress, data.length)
    // A segment whose start-up copies it is at both places, so that one without a start-up runs too.
    for (const { address, loadAddress, data } of elf.segments) {
      this.cpu.write(loadAddress, data)
      this.cpu.write(address, data)
    }
    this.#toHost = elf.symbols.get('tohost')
    if (this.#toHost !== undefined) {
      this.#map(this.#toHost, 4)
      this.cpu.watch(this.#toHost)
      this.cpu.watch(this.#toHost + 2)
    }
    this.cpu.reset(elf.entry, 0)
  }

  /** Runs until tohost, or for `limit` instructions. */
  run(limit: number): Ending {
    const end = this.cpu.instructions + limit
    while (true) {
      const left = end - this.cpu.instructions
      if (left <= 0) return { kind: 'limit' }
      const reason = this.cpu.run(left)
      if (reason === 'stopped') return { kind: 'tohost', value: this.#toHostValue() }
      // Without interrupt sources WFI may as well be a NOP, and a program that waits in a loop is caught by the limit.
      if (reason !== 'budget' && reason !== 'wfi') return { kind: 'stuck', reason }
    }
  }

  #toHostValue(): number {
    const bytes = this.cpu.read(this.#toHost ?? 0, 4)
    return new DataView(bytes.buffer).getUint32(0, true)
  }

  #map(address: number, size: number): void {
    const end = Math.ceil((address + size) / PAGE) * PAGE
    for (let page = address - (address % PAGE); page < end; page += PAGE) {
      if (!this.cpu.isMapped(page)) this.cpu.map(page, PAGE, Access.All)
    }
  }
}
