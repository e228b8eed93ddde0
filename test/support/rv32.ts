// Runs a test's entry as the flash image runs the firmware: wasm2c's C, compiled for rv32imc with the image's flags, on
// the simulated core. So a test can count the instructions of one call. Needs the compiler of `npm run build:esp32c3`.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { COMPILE, findTools, generateC, type Tools } from '../../bin/build_esp32c3.mjs'
import { BareMachine } from '../../sim/cpu/bare'
import { parseElf } from '../../sim/cpu/elf'
import { compileEntry } from './firmware'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const STACK = 0x9000_0000
const STACK_SIZE = 0x1_0000
const STACK_TOP = STACK + STACK_SIZE - 64
const RETURN = STACK + STACK_SIZE
const TRAP = RETURN + 64

/** What the generated C asks of its embedder, and the routines of the C library that gcc calls. */
const RUNTIME = `
#include "noonmark.h"
Z_noonmark_instance_t noonmark;
void start(void) { Z_noonmark_init_module(); Z_noonmark_instantiate(&noonmark IMPORTS); }
uint8_t *memory_at(void) { return noonmark.w2c_memory.data; }
bool wasm_rt_is_initialized(void) { return true; }
void wasm_rt_trap(wasm_rt_trap_t trap) { (void)trap; for (;;) __asm__ volatile("ebreak"); }
uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) { return params << 4 | results; }
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t pages, uint32_t max_pages) {
  memory->pages = pages; memory->max_pages = max_pages; memory->size = WASM_RT_MEMORY_SIZE;
}
void wasm_rt_free_memory(wasm_rt_memory_t *memory) { (void)memory; }
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t size, uint32_t max_size) {
  static wasm_rt_funcref_t functions[64];
  *table = (wasm_rt_funcref_table_t){functions, max_size, size};
}
void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table) { (void)table; }
`

/** Why it cannot be done here, or undefined. */
export function missingCompiler(): string | undefined {
  try {
    findTools()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** An entry on the simulated core. */
export interface Rv32Entry {
  /** Calls an export (no 64-bit arguments): what it returns, and the instructions that it took. */
  call(name: string, ...args: number[]): { value: number; instructions: number }
  write(address: number, bytes: Uint8Array): void
  read(address: number, length: number): Uint8Array
}

/** Compiles an entry of the release build. `machine`: C for its imports, if it has any. */
export async function loadRv32(entryUrl: URL, machine = ''): Promise<Rv32Entry> {
  const folder = mkdtempSync(join(tmpdir(), 'noonmark-rv32-'))
  try {
    const file = join(folder, 'entry.wasm')
    writeFileSync(file, await compileEntry(entryUrl, 'release'))
    return machineOf(buildElf(findTools(), file, join(folder, 'out'), machine))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function buildElf(tools: Tools, wasm: string, out: string, machine: string): Uint8Array {
  mkdirSync(out)
  const memorySize = generateC(tools, wasm, out)
  writeFileSync(join(out, 'runtime.c'), RUNTIME.replace('IMPORTS', machine === '' ? '' : ', NULL') + machine)
  const { include, libraries, here } = tools
  const flags = [`-DWASM_RT_MEMORY_SIZE=${memorySize}`, '-w', '-isystem', include, `-I${ROOT}hal/esp32c3`, `-I${out}`]
  const link = ['-nostdlib', '-static', '-Wl,-Ttext-segment=0x80000000', '-Wl,-e,start', `-L${libraries}`]
  // The image's own memcpy and memset come before the library's.
  const sources = [join(out, 'noonmark.c'), join(out, 'runtime.c'), join(ROOT, 'hal/esp32c3/memory.c')]
  const elf = join(out, 'entry.elf')
  tools.run(tools.gcc, [...here, ...COMPILE, ...flags, ...sources, ...link, '-lc', '-lm', '-lgcc', '-o', elf])
  return readFileSync(elf)
}

function machineOf(elfBytes: Uint8Array): Rv32Entry {
  const elf = parseElf(elfBytes)
  const wasm = readFileSync(join(ROOT, 'build/rv32.wasm'))
  const { cpu } = new BareMachine(wasm, elf, { memory: [{ address: STACK, size: STACK_SIZE + 4096 }] })
  cpu.setHooks([RETURN, TRAP])
  cpu.writeCsr(0x305, TRAP)
  const symbol = (name: string): number => {
    const address = elf.symbols.get(name)
    if (address === undefined) throw new Error(`the entry has no ${name}`)
    return address
  }
  const jump = (address: number, args: number[]) => {
    cpu.setRegister(1, RETURN)
    cpu.setRegister(3, elf.symbols.get('__global_pointer$') ?? 0)
    // Eight arguments go in registers, the others on the stack.
    cpu.setRegister(2, STACK_TOP)
    for (const [i, value] of args.slice(0, 8).entries()) cpu.setRegister(10 + i, value)
    cpu.write(STACK_TOP, new Uint8Array(Uint32Array.from(args.slice(8)).buffer))
    cpu.pc = address
    const before = cpu.instructions
    let reason = cpu.run(1 << 30)
    while (reason === 'budget') reason = cpu.run(1 << 30)
    if (cpu.pc !== RETURN) {
      const [cause, at, value] = [0x342, 0x341, 0x343].map((csr) => cpu.readCsr(csr).toString(16))
      throw new Error(`${reason}: trap ${cause} at ${at}, value ${value}`)
    }
    return { value: cpu.register(10) | 0, instructions: cpu.instructions - before }
  }
  jump(symbol('start'), [])
  const memory = jump(symbol('memory_at'), []).value >>> 0
  return {
    call: (name, ...args) => jump(symbol(`Z_noonmarkZ_${name}`), [symbol('noonmark'), ...args]),
    write: (address, bytes) => cpu.write(memory + address, bytes),
    read: (address, length) => cpu.read(memory + address, length),
  }
}
