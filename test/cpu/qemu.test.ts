// The core against qemu-system-riscv32: random programs, run by both, must leave the same registers, the same memory, the
// same traps and, where nothing traps, the same count of instructions.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { debianEnvironment, fetchDebianPackages, findProgram } from '../../bin/debian.mjs'
import { BareMachine } from '../../sim/cpu/bare'
import { parseElf } from '../../sim/cpu/elf'
import { wasm } from './bench'
import { makeElf } from './elf_file'
import { BASE, differences, type Image, type Mix, makeImage, trapCount } from './programs'
import { Random } from './random'

const PROGRAM = 'qemu-system-riscv32'
/** What the core has, and nothing more: RV32IMC, machine and user mode. */
const PROCESSOR = 'rv32,a=off,f=off,d=off,s=off,h=off,zba=off,zbb=off,zbc=off,zbs=off,sstc=off'

const missing = findProgram(PROGRAM) ? undefined : fetchDebianPackages(['qemu-system-misc'])
const qemu = findProgram(PROGRAM)

describe.skipIf(!qemu)(`the core and ${PROGRAM}${missing ? ` (${missing})` : ''}`, () => {
  it.each<[string, number, Mix]>([
    ['plain programs', 1, { misaligned: false, traps: false }],
    ['programs with traps', 2, { misaligned: false, traps: true }],
    ['programs with misaligned accesses', 3, { misaligned: true, traps: false }],
  ])('agree_on_%s', (_, seed, mix) => {
    const image = makeImage(new Random(seed), 300, 300, mix)
    const elf = makeElf(BASE, image.code, {}, 0x30_0000)
    const ours = runOurs(image, elf, mix)
    const theirs = runQemu(elf)
    expect(differences(image, ours, theirs, mix)).toEqual([])
    if (mix.traps) expect(trapCount(ours)).toBeGreaterThan(1000)
  })
})

function runOurs(image: Image, elf: Uint8Array, mix: Mix): Uint8Array {
  const machine = new BareMachine(wasm, parseElf(elf), { misaligned: mix.misaligned })
  machine.cpu.setHooks([image.done])
  const ending = machine.run(10_000_000)
  if (ending.kind !== 'stuck' || ending.reason !== 'breakpoint')
    throw new Error(`ended by ${JSON.stringify(ending)} at ${machine.cpu.pc.toString(16)}`)
  return machine.cpu.read(image.results.start, image.results.size)
}

/** What the program sends to its serial line. */
function runQemu(elf: Uint8Array): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'noonmark-qemu-'))
  try {
    writeFileSync(join(folder, 'program.elf'), elf)
    const machine = ['-M', 'virt', '-cpu', PROCESSOR, '-m', '16M', '-icount', 'shift=0', '-bios', 'none']
    const devices = ['-display', 'none', '-monitor', 'none', '-serial', `file:${join(folder, 'out')}`]
    const result = spawnSync(qemu ?? '', [...machine, ...devices, '-kernel', join(folder, 'program.elf')], {
      env: debianEnvironment(),
      timeout: 50_000,
      encoding: 'utf8',
    })
    if (result.status !== 0) throw new Error(`${PROGRAM}: ${result.stderr || result.error || result.signal}`)
    return readFileSync(join(folder, 'out'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
