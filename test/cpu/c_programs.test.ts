// Compiled C on the core against the same C on this machine, and the core's speed with it.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { findProgram } from '../../bin/debian.mjs'
import { BareMachine } from '../../sim/cpu/bare'
import { parseElf } from '../../sim/cpu/elf'
import { wasm } from './bench'

const CROSS = findProgram('riscv64-unknown-elf-gcc')
const NATIVE = findProgram('gcc') ?? findProgram('cc')
const SOURCE = fileURLToPath(new URL('./programs.c', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'noonmark-c-'))
afterAll(() => rmSync(folder, { recursive: true }))

function compile(compiler: string, name: string, ...options: string[]): string {
  const output = join(folder, name)
  const { status, stderr } = spawnSync(compiler, [SOURCE, '-o', output, ...options], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return output
}

function machine(rounds: number, ...options: string[]): BareMachine {
  const bare = [
    '-DBARE',
    `-DROUNDS=${rounds}`,
    '-nostdlib',
    '-nostartfiles',
    '-ffreestanding',
    '-Wl,-Ttext-segment=0x80000000',
    '-Wl,-e_start',
  ]
  const file = compile(CROSS ?? '', `core-${rounds}${options.join('')}`, '-mabi=ilp32', ...bare, ...options, '-lgcc')
  return new BareMachine(wasm, parseElf(readFileSync(file)))
}

function results(bare: BareMachine, file: string): number[] {
  const address = parseElf(readFileSync(file)).symbols.get('result') ?? 0
  return [...new Uint32Array(bare.cpu.read(address, 256).buffer)]
}

describe.skipIf(!CROSS)('C compiled by riscv64-unknown-elf-gcc', () => {
  it.each([
    ['-O0', '-march=rv32imc'],
    ['-Os', '-march=rv32imc'],
    ['-O2', '-march=rv32imc'],
    ['-O3', '-march=rv32im'],
    ['-O2', '-march=rv32ic'],
  ])('computes_the_same_with_%s_%s_as_on_this_machine', (level, architecture) => {
    const bare = machine(2, level, architecture)
    expect(bare.run(200_000_000)).toEqual({ kind: 'tohost', value: 1 })
    const ours = results(bare, join(folder, `core-2${level}${architecture}`))
    const digest = createHash('sha256')
      .update(Uint8Array.from({ length: 4096 }, (_, i) => i * 7))
      .digest()
    expect(ours.slice(0, 8)).toEqual(Array.from({ length: 8 }, (_, i) => digest.readUInt32BE(4 * i)))
    if (!NATIVE) return
    const native = spawnSync(compile(NATIVE, 'native', '-DROUNDS=2', '-O1', '-fwrapv'), { encoding: 'utf8' })
    expect(ours).toEqual(native.stdout.trim().split('\n').map(Number))
  })

  it('runs_at_200_million_instructions_a_second_or_more', () => {
    const bare = machine(600, '-O2', '-march=rv32imc')
    // Once for the engine's optimiser, which replaces the first code of the core while it runs.
    bare.run(20_000_000)
    let best = 0
    while (true) {
      const before = bare.cpu.instructions
      const begun = process.hrtime.bigint()
      const ending = bare.run(50_000_000)
      const seconds = Number(process.hrtime.bigint() - begun) / 1e9
      best = Math.max(best, (bare.cpu.instructions - before) / seconds / 1e6)
      if (ending.kind !== 'limit') break
    }
    console.log(
      `the core's best of slices of 50 million instructions: ${best.toFixed(0)} million instructions a second`,
    )
    // Half of what an idle machine must reach, since other tests run beside this one.
    expect(best).toBeGreaterThan(100)
  })
})
