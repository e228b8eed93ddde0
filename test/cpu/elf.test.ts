// `noonmark sim elf`: programs that end by tohost, and files that are no such programs.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { BareMachine } from '../../sim/cpu/bare'
import { parseElf } from '../../sim/cpu/elf'
import { BASE, wasm } from './bench'
import { makeElf } from './elf_file'
import * as rv from './encode'

const COMMAND = fileURLToPath(new URL('../../build/noonmark.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'noonmark-elf-'))
afterAll(() => rmSync(folder, { recursive: true }))

const TOHOST = BASE + 0x1000
/** Stores `value` to tohost by instruction `store`, then waits in a loop. */
const storing = (value: number, store = rv.sw(6, 5, 0)) => [
  ...rv.li(5, TOHOST),
  ...rv.li(6, value),
  store,
  rv.jal(0, 0),
]

function run(file: Uint8Array, ...options: string[]): { status: number | null; stdout: string; stderr: string } {
  const path = join(folder, 'program.elf')
  writeFileSync(path, file)
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, 'sim', 'elf', path, ...options], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr: stderr.replaceAll(path, 'FILE') }
}

describe('noonmark sim elf', () => {
  it('ends_well_for_the_value_1_and_prints_nothing', () => {
    expect(run(makeElf(BASE, rv.bytes(storing(1)), { tohost: TOHOST }, 0x2000))).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    })
  })

  it('prints_any_other_value_and_the_test_that_it_stands_for', () => {
    const { status, stdout } = run(makeElf(BASE, rv.bytes(storing(11)), { tohost: TOHOST }, 0x2000))
    expect([status, stdout]).toEqual([1, 'tohost = 11 (test 5 failed)\n'])
    expect(run(makeElf(BASE, rv.bytes(storing(0x80000000)), { tohost: TOHOST }, 0x2000)).stdout).toBe(
      'tohost = 2147483648\n',
    )
  })

  it('stops_at_its_limit', () => {
    const { status, stderr } = run(
      makeElf(BASE, rv.bytes([rv.jal(0, 0)]), { tohost: TOHOST }, 0x2000),
      '--limit',
      '1000',
    )
    expect([status, stderr]).toEqual([
      2,
      'noonmark: nothing was stored to tohost in 1000 instructions; pc is 0x80000000\n',
    ])
  })

  it('says_where_a_program_failed_that_has_no_trap_handler', () => {
    const { status, stderr } = run(makeElf(BASE, rv.bytes([rv.nop, rv.lw(5, 0, 4)]), { tohost: TOHOST }, 0x2000))
    expect(status).toBe(2)
    expect(stderr).toContain('mcause 1, mepc 0x00000000')
  })

  it.each<[string, Uint8Array, string]>([
    ['something else', Buffer.from('#!/bin/sh\n'), 'is not an ELF file'],
    ['an empty file', new Uint8Array(), 'is not an ELF file'],
    ['a 64-bit program', changed(4, 2), 'is a 64-bit ELF file'],
    ['a big-endian program', changed(5, 2), 'is big-endian'],
    ['a program for another processor', changed(18, 40), 'is for another processor (ELF machine 40'],
    ['an object file', changed(16, 1), 'is not an executable'],
    ['a program without tohost', makeElf(BASE, rv.bytes([rv.nop]), { main: BASE }), 'has no symbol `tohost`'],
    [
      'half a program',
      makeElf(BASE, new Uint8Array(1000), { tohost: BASE }).subarray(0, 500),
      'is cut short or damaged',
    ],
    [
      'a program with too much memory',
      makeElf(BASE, new Uint8Array(4), { tohost: BASE }, 0x7000_0000),
      'the core holds 64 MB at most',
    ],
  ])('refuses_%s', (_, file, message) => {
    const { status, stdout, stderr } = run(file)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`noonmark: FILE: ${message}`)
  })

  it('names_a_file_that_is_not_there', () => {
    const { status, stderr } = spawnSync(process.execPath, [COMMAND, 'sim', 'elf', join(folder, 'none')], {
      encoding: 'utf8',
    })
    expect(status).toBe(2)
    expect(stderr).toContain('no such file')
  })
})

function changed(at: number, value: number): Uint8Array {
  const file = makeElf(BASE, rv.bytes([rv.nop]), { tohost: BASE })
  file[at] = value
  return file
}

describe('a bare machine', () => {
  const machine = (program: number[], memorySize = 0x2000, options = {}) =>
    new BareMachine(wasm, parseElf(makeElf(BASE, rv.bytes(program), { tohost: TOHOST }, memorySize)), options)

  it('takes_a_store_of_any_width_and_ignores_zeros', () => {
    for (const store of [rv.sb(6, 5, 0), rv.sh(6, 5, 0), rv.sw(6, 5, 0)]) {
      expect(machine([...rv.li(5, TOHOST), rv.sw(0, 5, 0), ...storing(7, store)]).run(100)).toEqual({
        kind: 'tohost',
        value: 7,
      })
    }
    expect(machine([...rv.li(5, TOHOST), rv.sw(0, 5, 0), rv.jal(0, 0)]).run(1000)).toEqual({ kind: 'limit' })
  })

  it('traps_accesses_outside_the_segments', () => {
    const { cpu } = machine([
      rv.auipc(5, 0),
      rv.addi(5, 5, 20),
      rv.csrrw(0, 0x305, 5),
      rv.lui(6, 0x70000),
      rv.sw(0, 6, 4),
      rv.jal(0, 0),
    ])
    cpu.run(100)
    expect([cpu.readCsr(0x342), cpu.readCsr(0x341), cpu.readCsr(0x343), cpu.pc]).toEqual([
      7,
      BASE + 16,
      0x7000_0004,
      BASE + 20,
    ])
  })

  it('holds_a_segment_where_it_lies_and_where_it_is_found', () => {
    const file = makeElf(BASE, rv.bytes([rv.nop]), { tohost: BASE + 16 }, 0x100)
    new DataView(file.buffer).setUint32(52 + 12, 0x2000_0000, true)
    const { cpu } = new BareMachine(wasm, parseElf(file))
    expect([cpu.read(BASE, 4), cpu.read(0x2000_0000, 4)]).toEqual([rv.bytes([rv.nop]), rv.bytes([rv.nop])])
  })

  it('has_more_memory_where_it_is_asked_for', () => {
    const program = [rv.lui(6, 0x70000), rv.sw(6, 6, 0), rv.lw(7, 6, 0), ...storing(3)]
    const bare = machine(program, 0x2000, { memory: [{ address: 0x7000_0000, size: 16 }] })
    expect(bare.run(100)).toEqual({ kind: 'tohost', value: 3 })
    expect(bare.cpu.register(7)).toBe(0x7000_0000)
  })

  it('runs_the_shape_of_a_riscv_tests_program_down_to_user_mode', () => {
    // As riscv-tests' environment "p" does: probe registers that may be missing, go to user mode by mret, end by ecall.
    const handler = BASE + 0x400
    const start = [
      ...rv.li(5, BASE + 0x40),
      rv.csrrw(0, 0x305, 5),
      rv.csrrwi(0, 0x180, 0), // satp: not there; the trap goes to BASE + 0x40
    ]
    const main = [
      ...rv.li(5, BASE + 0x80),
      rv.csrrw(0, 0x305, 5),
      ...rv.li(5, 0x1fffffff),
      rv.csrrw(0, 0x3b0, 5),
      rv.csrrwi(0, 0x3a0, 0x1f),
      rv.csrrwi(0, 0x304, 0),
      rv.csrrwi(0, 0x300, 0),
    ]
    const rest = [
      ...rv.li(5, handler),
      rv.csrrw(0, 0x305, 5),
      ...rv.li(5, BASE + 0x100),
      rv.csrrw(0, 0x341, 5),
      rv.csrrs(10, 0xf14, 0),
      rv.mret,
    ]
    const user = [rv.fence, rv.addi(3, 0, 1), rv.ecall]
    const end = [
      rv.csrrs(30, 0x342, 0),
      rv.addi(31, 0, 8),
      rv.bne(30, 31, 20),
      ...rv.li(30, TOHOST),
      rv.sw(3, 30, 0),
      rv.sw(0, 30, 4),
      rv.jal(0, 0),
    ]
    const bare = machine([])
    const parts: [number, number[]][] = [
      [0, start],
      [0x40, main],
      [0x80, rest],
      [0x100, user],
      [0x400, end],
    ]
    for (const [offset, part] of parts) bare.cpu.write(BASE + offset, rv.bytes(part))
    bare.cpu.write(BASE + 0x40 + rv.bytes(main).length, rv.bytes([rv.jal(0, 0x40 - rv.bytes(main).length)]))
    expect(bare.run(1000)).toEqual({ kind: 'tohost', value: 1 })
  })
})
