// Compiles an AssemblyScript entry (a `*.entry.ts` beside the test) and gives the test its exports and memory.
//
// Two builds of the same source: `checked` keeps every index check (`--uncheckedBehavior never`), so that a wrong
// index traps in a test; `release` is compiled exactly as build/noonmark.wasm is. Compiled modules are cached under
// build/test by the content of every source that can reach them.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export type Flavour = 'checked' | 'release'

/** A compiled entry: its exported functions, and its memory as bytes. */
export interface Entry {
  /** The exported functions. `i64`/`u64` are bigint. */
  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  readonly exports: Record<string, any>
  readonly memory: WebAssembly.Memory
  /** Copies bytes into the module's memory. */
  write(address: number, bytes: Uint8Array): void
  /** Copies bytes out of the module's memory. */
  read(address: number, length: number): Uint8Array
}

/** Compiles `entryUrl` (a file URL or a path from the project's root) if it is not in the cache; returns the bytes. */
export async function compileEntry(entryUrl: URL | string, flavour: Flavour = 'checked'): Promise<Uint8Array> {
  const entry = relative(ROOT, entryUrl instanceof URL ? fileURLToPath(entryUrl) : join(ROOT, entryUrl))
  // Without a configuration of its own asc would read asconfig.json and compile the firmware's entry too.
  const options = [
    '--config',
    'test/support/asconfig.json',
    '--runtime',
    'stub',
    '--use',
    'abort=',
    '--noAssert',
    '--optimizeLevel',
    '3',
    '--shrinkLevel',
    '0',
  ]
  if (flavour === 'checked') options.push('--uncheckedBehavior', 'never')
  else options.push('--converge')
  const key = createHash('sha256')
    .update(`${options.join(' ')}\0${entry}\0${sourceDigest(entry)}`)
    .digest('hex')
    .slice(0, 24)
  const file = join(ROOT, 'build/test', `${entry.replaceAll(/[/.]/g, '-')}-${key}.wasm`)
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true })
    const part = `${file}.${process.pid}`
    const { error, stderr } = await asc.main([entry, '--baseDir', ROOT, '--outFile', relative(ROOT, part), ...options])
    if (error) throw new Error(`asc ${entry}: ${error.message}\n${stderr.toString()}`)
    renameSync(part, file)
  }
  return readFileSync(file)
}

/** Compiles and instantiates an entry. `imports` defaults to none. */
export async function loadEntry(
  entryUrl: URL | string,
  flavour: Flavour = 'checked',
  imports: WebAssembly.Imports = {},
): Promise<Entry> {
  const { instance } = (await WebAssembly.instantiate(
    (await compileEntry(entryUrl, flavour)) as BufferSource,
    imports,
  )) as unknown as { instance: WebAssembly.Instance }
  const memory = instance.exports['memory'] as WebAssembly.Memory
  return {
    exports: instance.exports,
    memory,
    write: (address, bytes) => new Uint8Array(memory.buffer).set(bytes, address),
    read: (address, length) => new Uint8Array(memory.buffer).slice(address, address + length),
  }
}

/** One digest over the entry and all that it imports, directly or not. */
function sourceDigest(entry: string): string {
  const hash = createHash('sha256')
  const seen = new Set<string>()
  const queue = [entry]
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    const text = readFileSync(join(ROOT, file), 'utf8')
    hash.update(`${file}\0`).update(text)
    for (const [, name = ''] of text.matchAll(/\bfrom\s*'(\.[^']+)'/g)) {
      queue.push(`${normalize(join(dirname(file), name))}.ts`)
    }
  }
  return hash.digest('hex')
}
