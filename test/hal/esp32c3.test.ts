// The ESP32-C3 image: what can be held against the truth without the chip. The compiled C does on the host what the module does
// in V8; the image is the same twice, within its budget, and what must lie in RAM does.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { boardFaults, DEFAULT_BOARD_FILE, readBoard } from '../../bin/board.mjs'
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
      for (let i = 0; i < 20; i++) {
        board.advance(SECOND)
        askNts(board, session)
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

  function hostProgram(): string {
    const memory = generateC(found as Tools, join(root, 'build/noonmark.wasm'), folder)
    const sources = [
      at('noonmark.c'),
      join(machine, 'abi.c'),
      join(machine, 'runtime.c'),
      join(root, 'test/hal/esp32c3_host.c'),
    ]
    const flags = ['-O1', '-Wall', '-Wextra', '-Wno-unused', '-Wno-sign-compare', '-Werror', '-ffp-contract=off']
    const defines = [`-DWASM_RT_MEMORY_SIZE=${memory}`, '-DWASM_RT_CHECK_ALIGNMENT', `-I${machine}`, `-I${folder}`]
    const { status, stderr } = spawnSync('gcc', [...flags, ...defines, ...sources, '-lm', '-o', at('host')], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
    return at('host')
  }
})
