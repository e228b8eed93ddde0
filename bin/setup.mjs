// What a fresh clone needs before anything else runs: Node's version, the npm packages, the firmware and the command.
// Plain JavaScript without dependencies, since it must run before `npm ci` has.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Installs and builds whatever is missing or stale. Prints a line for each thing done; nothing when all is fresh. */
export async function setUp() {
  checkNode()
  installPackages()
  await buildFirmware()
  await buildClock()
  await buildCpu()
  await buildCommand()
}

/** Prints one sentence and ends the process. */
export function fail(sentence) {
  console.error(`noonmark: ${sentence}`)
  process.exit(1)
}

function checkNode() {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 20) fail(`Node 20 or newer is needed; this is ${process.version}.`)
}

/** Runs `npm ci` when node_modules is missing or was made from another package-lock.json. */
export function installPackages() {
  const stamp = join(ROOT, 'node_modules/.noonmark-lock')
  const lock = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.error('noonmark: installing npm packages (once)')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) fail('`npm ci` failed; see its message above.')
  writeFileSync(stamp, lock)
}

/** Compiles firmware/main.ts to build/noonmark.wasm when a source changed. */
export async function buildFirmware() {
  const sources = [...list('firmware'), 'hal/abi.ts', 'asconfig.json', 'package-lock.json']
  await whenStale('firmware', sources, ['build/noonmark.wasm'], async () => {
    const { default: asc } = await import('assemblyscript/asc')
    const out = []
    const { error, stderr } = await asc.main(['--config', 'asconfig.json', '--target', 'release', '--baseDir', ROOT], {
      stdout: { write: () => true },
    })
    out.push(stderr.toString())
    if (error) fail(`the firmware does not compile:\n${out.join('')}`)
  })
}

/** Compiles the firmware's clock room alone, behind src/clock.entry.ts, to build/clock.wasm when a source changed. */
export async function buildClock() {
  const rooms = ['time', 'bytes', 'crypto', 'drivers', 'gnss', 'clock'].flatMap((room) => list(`firmware/${room}`))
  const sources = [...rooms, 'src/clock.entry.ts', 'hal/abi.ts', 'asconfig.json', 'package-lock.json']
  await whenStale('clock room', sources, ['build/clock.wasm'], async () => {
    const { default: asc } = await import('assemblyscript/asc')
    // The firmware's own options, without its entry.
    const { options } = JSON.parse(readFileSync(join(ROOT, 'asconfig.json'), 'utf8'))
    const flags = Object.entries(options)
      .filter(([name, value]) => name !== 'baseDir' && value !== false)
      .flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, String(value)]))
    const { error, stderr } = await asc.main([
      'src/clock.entry.ts',
      ...['--config', 'sim/cpu/rv32/asconfig.json', '--baseDir', ROOT, '--outFile', 'build/clock.wasm'],
      ...flags,
    ])
    if (error) fail(`the clock room does not compile:\n${stderr.toString()}`)
  })
}

/** Compiles sim/cpu/rv32/ to build/rv32.wasm, the simulated processor core, when a source changed. */
export async function buildCpu() {
  const sources = [...list('sim/cpu/rv32'), 'sim/cpu/layout.ts', 'package-lock.json']
  await whenStale('processor core', sources, ['build/rv32.wasm'], async () => {
    const { default: asc } = await import('assemblyscript/asc')
    const options = ['--runtime', 'stub', '--use', 'abort=', '--noAssert', '--importMemory']
    const levels = ['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge']
    const { error, stderr } = await asc.main([
      'sim/cpu/rv32/rv32.entry.ts',
      // Without a configuration of its own asc would read asconfig.json and compile the firmware's entry too.
      ...['--config', 'sim/cpu/rv32/asconfig.json', '--baseDir', ROOT, '--outFile', 'build/rv32.wasm'],
      ...options,
      ...levels,
    ])
    if (error) fail(`the processor core does not compile:\n${stderr.toString()}`)
  })
}

/** Bundles src/ to build/noonmark.mjs when a source changed. */
export async function buildCommand() {
  const sources = [...list('src'), ...list('sim'), ...list('hal'), ...list('boards'), 'package-lock.json']
  await whenStale('command', sources, ['build/noonmark.mjs'], async () => {
    const { build } = await import('esbuild')
    await build({
      absWorkingDir: ROOT,
      entryPoints: ['src/main.ts'],
      outfile: 'build/noonmark.mjs',
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      sourcemap: true,
      logLevel: 'error',
    })
  })
}

/** Runs `make` unless the stamp beside the build says that `outputs` were made from these very `sources`. */
export async function whenStale(name, sources, outputs, make) {
  const stamp = join(ROOT, 'build', `.${name.replaceAll(' ', '-')}-sources`)
  const hash = createHash('sha256')
  for (const file of sources.sort()) hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)))
  const digest = hash.digest('hex')
  const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === digest
  if (fresh && outputs.every((file) => existsSync(join(ROOT, file)))) return
  mkdirSync(join(ROOT, 'build'), { recursive: true })
  const begun = Date.now()
  await make()
  writeFileSync(stamp, digest)
  console.error(`noonmark: built the ${name} in ${((Date.now() - begun) / 1000).toFixed(1)} s`)
}

/** The TypeScript and JSON files under a folder, as paths from the project's root. */
export function list(folder) {
  if (!existsSync(join(ROOT, folder))) return []
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|json)$/.test(name))
    .map((name) => join(folder, name))
}
