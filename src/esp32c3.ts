// What the simulated ESP32-C3 runs: the flash image, built when it is stale, the processor core, the board's file.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BoardFile } from '../sim/soc/board'
import { compileAhead } from './board'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const OUT = join(ROOT, 'build/esp32c3')
const BOARD = join(ROOT, 'boards/esp32c3-devkitm-w5500.json')
const STAMP = join(OUT, '.built')
const LOCK = join(OUT, '.lock')
/** Milliseconds. */
const LONGEST_BUILD = 180_000

export interface Esp32c3Firmware {
  /** build/esp32c3/noonmark.bin. */
  image: Uint8Array
  /** build/esp32c3/noonmark.elf, for its symbols. */
  elf: Uint8Array
  /** build/rv32.wasm. */
  core: Uint8Array
  board: BoardFile
  /** Bytes of flash and of static RAM, as the build counts them. */
  sizes: { flash: number; ram: number }
}

/** Builds the image if its sources have changed. Rejects with an Error whose message is a sentence. */
export async function esp32c3Firmware(): Promise<Esp32c3Firmware> {
  if (!isFresh()) await alone(build)
  compileAhead()
  const { flash, ram } = JSON.parse(readFileSync(STAMP, 'utf8'))
  return {
    image: readFileSync(join(OUT, 'noonmark.bin')),
    elf: readFileSync(join(OUT, 'noonmark.elf')),
    core: readFileSync(join(ROOT, 'build/rv32.wasm')),
    board: JSON.parse(readFileSync(BOARD, 'utf8')) as BoardFile,
    sizes: { flash, ram },
  }
}

function isFresh(): boolean {
  return existsSync(STAMP) && JSON.parse(readFileSync(STAMP, 'utf8')).digest === sourceDigest()
}

async function build(): Promise<void> {
  if (isFresh()) return
  console.error('noonmark: building the ESP32-C3 image')
  // Not bundled: the build finds its files from its own place.
  const { buildImage } = await import(new URL('../bin/build_esp32c3.mjs', import.meta.url).href)
  const { flash, ram } = await buildImage()
  writeFileSync(STAMP, JSON.stringify({ digest: sourceDigest(), flash, ram }))
}

/** One build at a time: test files run side by side. A lock older than the longest build is left over. */
async function alone(work: () => Promise<void>): Promise<void> {
  mkdirSync(OUT, { recursive: true })
  for (;;) {
    try {
      mkdirSync(LOCK)
      break
    } catch {
      const age = Date.now() - (statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      if (age > LONGEST_BUILD) rmSync(LOCK, { recursive: true, force: true })
      else await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  try {
    await work()
  } finally {
    rmSync(LOCK, { recursive: true, force: true })
  }
}

/** Of everything that the image is made from, and of the image itself. */
function sourceDigest(): string {
  const machine = join(ROOT, 'hal/esp32c3')
  const sources = readdirSync(machine).filter((name) => !name.endsWith('.md'))
  const files = [
    ...sources.sort().map((name) => join(machine, name)),
    join(ROOT, 'build/noonmark.wasm'),
    join(ROOT, 'bin/build_esp32c3.mjs'),
    join(ROOT, 'bin/board.mjs'),
    BOARD,
    join(OUT, 'noonmark.bin'),
    join(OUT, 'noonmark.elf'),
  ]
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`).update(existsSync(file) ? readFileSync(file) : '')
  return hash.digest('hex')
}
