// A core with one flat memory for the tests.

import { readFileSync } from 'node:fs'
import { Access, Cpu, type CpuHost, type CpuOptions } from '../../sim/cpu/core'
import { bytes, type Instruction } from './encode'

export const wasm: Uint8Array = readFileSync(new URL('../../build/rv32.wasm', import.meta.url))

/** Where the tests' memory begins, and its size. */
export const BASE = 0x8000_0000
export const SIZE = 0x4_0000
/** A place for data in it. */
export const DATA = BASE + 0x2_0000

/** A host without devices: each access is a fault of the test, unless it is overridden. */
export function bench(options: CpuOptions = {}, host: Partial<CpuHost> = {}): Cpu {
  const cpu = new Cpu(
    wasm,
    {
      mmioRead: (address) => {
        throw new Error(`read of 0x${address.toString(16)}`)
      },
      mmioWrite: (address) => {
        throw new Error(`write of 0x${address.toString(16)}`)
      },
      ...host,
    },
    options,
  )
  cpu.map(BASE, SIZE, Access.All)
  cpu.reset(BASE, BASE + SIZE)
  return cpu
}

/** Puts a program at `address` (BASE) and sets the program counter to it. */
export function place(cpu: Cpu, program: readonly Instruction[], address = BASE): void {
  put(cpu, program, address)
  cpu.pc = address
}

/** Puts instructions at `address` and leaves the program counter alone. */
export function put(cpu: Cpu, program: readonly Instruction[], address: number): void {
  cpu.write(address, bytes(program))
}

export function word(cpu: Cpu, address: number): number {
  return new DataView(cpu.read(address, 4).buffer).getUint32(0, true)
}

export function words(values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer)
}
