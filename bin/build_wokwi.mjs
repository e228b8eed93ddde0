#!/usr/bin/env node
// `npm run build:wokwi`: what a Wokwi project needs beside sim/wokwi: the flash image at offset 0 and the custom chips.
//
//   build/wokwi/flasher_args.json   the flash: build/esp32c3/noonmark.bin at 0x0
//   build/wokwi/NAME.chip.wasm      sim/wokwi/chips/NAME.entry.ts compiled by AssemblyScript
//   build/wokwi/NAME.chip.json      its pins and controls, from sim/wokwi/NAME.chip.json

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readBoard } from './board.mjs'
import { buildFirmware, fail, installPackages, list, ROOT, whenStale } from './setup.mjs'

const OUT = join(ROOT, 'build/wokwi')
export const CHIPS = ['ds3231', 'ublox', 'w5500']
/** clang's name of the function table, which hosts look for; AssemblyScript's own is "table". */
const TABLE = '__indirect_function_table'
const EXPORT_SECTION = 7

/** Compiles the chips when a source changed. Rejects with an Error whose message is a sentence. */
export async function buildChips() {
  const sources = [
    ...list('sim/wokwi/chips'),
    ...list('sim/chips'),
    ...list('firmware/crypto'),
    ...list('firmware/bytes'),
    ...CHIPS.map((name) => `sim/wokwi/${name}.chip.json`),
    'bin/build_wokwi.mjs',
    'package-lock.json',
  ]
  const outputs = CHIPS.flatMap((name) => [`build/wokwi/${name}.chip.wasm`, `build/wokwi/${name}.chip.json`])
  await whenStale('Wokwi chips', sources, outputs, async () => {
    mkdirSync(OUT, { recursive: true })
    for (const name of CHIPS) await compile(name)
  })
}

async function compile(name) {
  const { default: asc } = await import('assemblyscript/asc')
  const output = `build/wokwi/${name}.${process.pid}.wasm`
  const { error, stderr } = await asc.main([
    `sim/wokwi/chips/${name}.entry.ts`,
    // Without a configuration of its own asc would read asconfig.json and compile the firmware's entry too.
    ...['--config', 'sim/wokwi/chips/asconfig.json', '--baseDir', ROOT, '--outFile', output],
    ...['--runtime', 'stub', '--use', 'abort=', '--noAssert', '--exportTable'],
    ...['--optimizeLevel', '3', '--shrinkLevel', '0'],
  ])
  if (error) throw new Error(`the chip ${name} does not compile:\n${stderr.toString()}`)
  const module = exportTable(readFileSync(join(ROOT, output)))
  rmSync(join(ROOT, output))
  replace(`${name}.chip.wasm`, module)
  replace(`${name}.chip.json`, readFileSync(join(ROOT, `sim/wokwi/${name}.chip.json`)))
}

/** The module with its function table exported under clang's name too. */
function exportTable(wasm) {
  for (let at = 8; at < wasm.length; ) {
    const id = wasm[at]
    const size = leb(wasm, at + 1)
    const end = size.end + size.value
    if (id === EXPORT_SECTION) {
      const count = leb(wasm, size.end)
      const entry = [TABLE.length, ...Buffer.from(TABLE), 1, 0]
      const body = [...lebBytes(count.value + 1), ...wasm.subarray(count.end, end), ...entry]
      const head = wasm.subarray(0, at + 1)
      return Buffer.concat([head, Buffer.from([...lebBytes(body.length), ...body]), wasm.subarray(end)])
    }
    at = end
  }
  throw new Error('the module exports nothing')
}

function leb(bytes, from) {
  let value = 0
  for (let at = from, shift = 0; ; at++, shift += 7) {
    value |= (bytes[at] & 0x7f) << shift
    if (bytes[at] < 0x80) return { value: value >>> 0, end: at + 1 }
  }
}

function lebBytes(value) {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...lebBytes(value >>> 7)]
}

/** flasher_args.json, as Espressif's build writes it: which file of the image goes where. */
export function writeFlasherArgs(size) {
  const args = {
    flash_files: { '0x0': '../esp32c3/noonmark.bin' },
    flash_settings: { flash_size: `${size >> 20}MB` },
  }
  mkdirSync(OUT, { recursive: true })
  replace('flasher_args.json', `${JSON.stringify(args, null, 2)}\n`)
}

/** Writes a file at once: somebody may be reading it. */
function replace(name, content) {
  const part = join(OUT, `${name}.${process.pid}`)
  writeFileSync(part, content)
  renameSync(part, join(OUT, name))
}

async function main() {
  installPackages()
  await buildFirmware()
  const { buildImage } = await import('./build_esp32c3.mjs')
  await buildImage()
  await buildChips()
  writeFlasherArgs(readBoard().flash.size)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main().catch((error) => fail(error.message))
