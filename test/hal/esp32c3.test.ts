// The ESP32-C3 image: what can be held against the truth without the chip. The compiled C does on the host what the module does
// in V8; the image is the same twice, within its budget, and what must lie in RAM does.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_BOARD_FILE } from '../../bin/board.mjs'
import {
  budgetFaults,
  buildImage,
  findTools,
  generateC,
  type Sizes,
  sizeTable,
  type Tools,
} from '../../bin/build_esp32c3.mjs'
import { LanBoard } from '../../src/lan_board'
import { compileEntry } from '../support/firmware'
import { askNts, askPlain, SECOND, wasm } from '../system/board'
import { Recording } from './esp32c3_record'

const root = fileURLToPath(new URL('../..', import.meta.url))
const machine = join(root, 'hal/esp32c3')
const folder = mkdtempSync(join(tmpdir(), 'noonmark-c3-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The cross tools and the host's gcc, or why they are not there. */
function tools(): Tools | string {
  try {
    return spawnSync('gcc', ['--version']).status === 0 ? findTools() : 'this machine has no gcc'
  } catch (error) {
    return (error as Error).message
  }
}
const found = tools()
const missing = typeof found === 'string'
if (missing) console.log(`the ESP32-C3 image is not tested: ${found}`)
const at = (name: string) => join(folder, name)

describe.skipIf(missing)('the compiled firmware on the host', () => {
  it('does_what_the_module_does_in_v8_call_by_call', async () => {
    const recording = new Recording()
    const board = recording.during(() => {
      const made = new LanBoard({ wasm })
      if (!made.runUntilSaid('ready', 60)) throw new Error('not ready')
      return made
    })
    for (const aead of [15, 30]) {
      const session = await board.keyExchange({ ca: board.authority(), aeads: [aead] })
      for (let i = 0; i < 14; i++) {
        board.advance(SECOND)
        askNts(board, session)
        board.advance(SECOND)
        askPlain(board)
      }
    }
    board.ask('status')
    writeFileSync(at('recording'), recording.bytes())
    const { status, stdout } = spawnSync(hostProgram(), [at('recording')], { encoding: 'utf8' })
    console.log(`${stdout.trim()}, ${recording.bytes().length} bytes of recording`)
    expect(stdout).toContain(`polls ${recording.polls} `)
    expect(recording.polls).toBeGreaterThan(2000)
    expect(stdout).toContain(`memory ${recording.memoryHash()}`)
    expect(status).toBe(0)
  })

  it('notices_when_it_does_something_else', () => {
    // The last return of poll(): a due tick of another second.
    const recording = readFileSync(at('recording'))
    recording[recording.length - 22 + 10]! ^= 1
    writeFileSync(at('spoiled'), recording)
    const { status, stdout } = spawnSync(at('host'), [at('spoiled')], { encoding: 'utf8' })
    expect([status, stdout]).toEqual([1, expect.stringMatching(/record \d+: the due tick is \w+, V8 had \w+/)])
  })

  it('traps_at_the_edges_of_the_memory_where_v8_does', () => {
    const { run, wasm2c } = found as Tools
    const out = at('bounds')
    const source = join(root, 'test/hal/esp32c3_bounds')
    run(join(wasm2c, '../wat2wasm'), [`${source}.wat`, '-o', at('bounds.wasm')])
    const memory = generateC(found as Tools, at('bounds.wasm'), out)
    const flags = ['-O2', '-w', `-DWASM_RT_MEMORY_SIZE=${memory}`, `-I${machine}`, `-I${out}`]
    run('gcc', [...flags, join(out, 'noonmark.c'), `${source}.c`, '-lm', '-o', at('edges')])

    const { exports } = new WebAssembly.Instance(
      new WebAssembly.Module(readFileSync(at('bounds.wasm')) as BufferSource),
    )
    const accesses = ['load8', 'load32', 'load32far', 'store64', 'store64odd', 'fill']
    const attempt = (name: string, address: number): string => {
      try {
        ;(exports[name] as (address: number) => number)(address)
        return '.'
      } catch {
        return 't'
      }
    }
    const near = (edge: number) => [...Array(13).keys()].map((n) => edge - 12 + n)
    const addresses = [0, 1, ...[1024, 64512, 65436, 65536, 2 ** 31, 2 ** 32 - 1024, 2 ** 32 - 1].flatMap(near)]
    const expected = addresses.map((address) => `${address} ${accesses.map((name) => attempt(name, address)).join('')}`)
    expect(expected.join('').match(/t/g)!.length).toBeGreaterThan(200)
    expect(run(at('edges'), addresses.map(String)).trim().split('\n')).toEqual(expected)
  })

  function hostProgram(): string {
    const memory = generateC(found as Tools, join(root, 'build/noonmark.wasm'), folder)
    const sources = [
      at('noonmark.c'),
      join(machine, 'abi.c'),
      join(machine, 'runtime.c'),
      join(root, 'test/hal/esp32c3_host.c'),
    ]
    const flags = ['-O0', '-Wall', '-Wextra', '-Wno-unused', '-Wno-sign-compare', '-Werror', '-ffp-contract=off']
    const defines = [`-DWASM_RT_MEMORY_SIZE=${memory}`, '-DWASM_RT_CHECK_ALIGNMENT', `-I${machine}`, `-I${folder}`]
    const { status, stderr } = spawnSync('gcc', [...flags, ...defines, ...sources, '-lm', '-o', at('host')], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
    return at('host')
  }
})

describe.skipIf(missing)('the image', () => {
  const out = at('image')
  let sizes: Sizes
  let code: Map<string, string[]>
  beforeAll(async () => {
    sizes = await buildImage({ out, wasm: join(root, 'build/noonmark.wasm') })
    code = disassemble(sizes.elf)
  })

  it('is_within_the_budget_of_its_board', () => {
    console.log(sizeTable(sizes))
    expect(budgetFaults(sizes)).toEqual([])
    expect(sizes.flash).toBe(readFileSync(sizes.bin).length)
  })

  it('begins_with_the_words_that_direct_boot_looks_for_and_is_entered_behind_them', () => {
    const image = readFileSync(sizes.bin)
    expect([image.readUInt32LE(0), image.readUInt32LE(4)]).toEqual([0xaedb041d, 0xaedb041d])
    expect(readFileSync(sizes.elf).readUInt32LE(24)).toBe(0x42000008)
  })

  it('has_a_vector_table_of_jumps_at_a_multiple_of_256_in_ram', () => {
    // objdump shows one of the two names that this address has.
    const vectors = instructions(code.has('vectors') ? 'vectors' : 'hot_begin')
    expect(Number.parseInt(vectors[0]!.address, 16) % 256).toBe(0)
    expect(vectors[0]!.address).toMatch(/^4038/)
    expect(vectors.slice(0, 32).map(({ text }) => text.split(/\s/)[0])).toEqual(Array(32).fill('j'))
    expect(vectors[9]!.text).toContain('<edge_vector>')
    expect(vectors[10]!.text).toContain('<service_vector>')
  })

  it('latches_the_cycle_counter_within_three_instructions_of_an_edge', () => {
    const first = instructions('edge_vector').slice(0, 3)
    expect(first[2]!.text).toMatch(/^csrr\s+a0,0x7e2/)
  })

  it('loads_a_word_of_the_module_s_memory_with_one_instruction_behind_a_bounds_check', () => {
    const multiply = instructions('w_crypto_field25519_mul25519')
    const count = (pattern: RegExp) => multiply.filter(({ text }) => pattern.test(text)).length
    expect(count(/^lw\s/)).toBeGreaterThan(16)
    expect(count(/^l[bh]u?\s/)).toBe(0)
    expect(count(/^(bltu|bgeu)\s/)).toBeGreaterThan(0)
    expect(multiply.length).toBeLessThan(600)
  })

  it('calls_nothing_in_flash_and_reads_nothing_there_while_the_flash_is_busy', () => {
    const faults: string[] = []
    const names = [...ramFunctions(), 'edge_vector', 'service_vector', 'exception', 'memcpy', 'memset', 'memcmp']
    expect(names.filter((name) => code.has(name)).length).toBeGreaterThan(20)
    for (const name of names.filter((each) => code.has(each))) {
      for (const { address, text } of instructions(name)) {
        if (!/^4038|^4039/.test(address)) faults.push(`${name} is at ${address}`)
        if (/\b(0x)?(42|3c)[0-9a-f]{6} </.test(text) || /,0x(3c0|420)[0-9a-f]{2}$/.test(text))
          faults.push(`${name}: ${text}`)
      }
    }
    expect(faults).toEqual([])
  })

  it('runs_a_packet_s_way_and_the_arithmetic_from_ram', () => {
    for (const name of [
      'w_ntp_server_ntpServe',
      'w_crypto_aes_aesEncryptBlock',
      'w_crypto_p256_field_mulP256',
      'Z_noonmarkZ_poll',
    ])
      expect(instructions(name)[0]!.address, name).toMatch(/^403/)
  })

  function instructions(name: string): { address: string; text: string }[] {
    const lines = code.get(name)
    if (lines === undefined) throw new Error(`the image has no function ${name}`)
    return lines.map((line) => {
      const [address, ...text] = line.trim().split(/:\s+/)
      return { address: address!, text: text.join(' ') }
    })
  }
})

describe.skipIf(missing)('the build', () => {
  let small: string
  beforeAll(async () => {
    small = at('small.wasm')
    writeFileSync(small, await compileEntry(new URL('./machine.entry.ts', import.meta.url), 'release'))
  })

  it('makes_the_same_bytes_twice', async () => {
    const [one, two] = [at('one'), at('two/deeper')]
    const first = await buildImage({ out: one, wasm: small })
    const second = await buildImage({ out: two, wasm: small })
    expect(readFileSync(second.bin).equals(readFileSync(first.bin))).toBe(true)
    expect(readFileSync(first.elf).includes(folder)).toBe(false)
    expect(readFileSync(second.elf).equals(readFileSync(first.elf))).toBe(true)
  })

  it('fails_over_budget_and_says_by_how_much', () => {
    const board = JSON.parse(readFileSync(DEFAULT_BOARD_FILE, 'utf8'))
    board.budget = { flash: 1000, ram: 2000 }
    writeFileSync(at('tight.json'), JSON.stringify(board))
    const args = ['bin/build_esp32c3.mjs', '--board', at('tight.json'), '--wasm', small, '--out', at('one')]
    const { status, stdout, stderr } = spawnSync('node', args, { cwd: root, encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stdout).toMatch(/budget +1000 +2000/)
    expect(stderr).toMatch(
      /takes \d+ bytes of flash, \d+ over the budget; static RAM is \d+ bytes, \d+ over the budget/,
    )
  })
})

describe('the C of the machine', () => {
  const sources = readdirSync(machine).filter((name) => /\.(c|h|S)$/.test(name))
  const text = (name: string) => readFileSync(join(machine, name), 'utf8')

  it('is_below_2000_lines', () => {
    expect(sources.map((name) => text(name).split('\n').length - 1).reduce((a, b) => a + b)).toBeLessThan(2000)
  })

  it('touches_no_register_that_its_readme_does_not_list', () => {
    const listed = text('README.md')
    const registers = [...text('registers.h').matchAll(/#define (\w+)(?:\(\w+\))? REGISTER\((0x[0-9A-F]{8})/g)]
    expect(registers.length).toBeGreaterThan(100)
    expect(registers.filter(([, , address]) => !listed.includes(address!)).map(([, name]) => name)).toEqual([])
    const code = sources
      .filter((name) => name.endsWith('.c'))
      .map(text)
      .join('')
    expect(registers.filter(([, name]) => !code.includes(name!)).map(([, name]) => name)).toEqual([])
  })

  it('provides_every_function_of_the_abi', () => {
    const abi = readFileSync(join(root, 'hal/abi.ts'), 'utf8')
    const names = [...abi.matchAll(/export declare function (\w+)/g)].map(([, name]) => name)
    expect(names.length).toBeGreaterThan(20)
    expect(names.filter((name) => !text('abi.c').includes(`Z_abiZ_${name}(`))).toEqual([])
  })
})

/** Functions marked IN_RAM, except the superloop, which calls code in flash when the flash is at rest. */
function ramFunctions(): string[] {
  const names = readdirSync(machine)
    .filter((name) => name.endsWith('.c'))
    .flatMap((name) => [...readFileSync(join(machine, name), 'utf8').matchAll(/^IN_RAM [^;]*?(\w+)\([^;]*\{/gm)])
    .map(([, name]) => name!)
  expect(names).toContain('program_all')
  return names.filter((name) => name !== 'superloop')
}

function disassemble(elf: string): Map<string, string[]> {
  const { run, binutils } = found as Tools
  const functions = new Map<string, string[]>()
  let lines: string[] = []
  for (const line of run(binutils('objdump'), ['-d', '--no-show-raw-insn', elf]).split('\n')) {
    const name = /^[0-9a-f]+ <([^>]+)>:$/.exec(line)?.[1]
    if (name !== undefined && !name.startsWith('.L')) {
      lines = []
      functions.set(name, lines)
    } else if (/^\s*[0-9a-f]+:/.test(line)) lines.push(line)
  }
  return functions
}
