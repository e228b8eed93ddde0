// What the shipped module may and may not contain.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'

const WASM = fileURLToPath(new URL('../../build/noonmark.wasm', import.meta.url))
const WAT = fileURLToPath(new URL('../../build/noonmark.wat', import.meta.url))
const ABI = fileURLToPath(new URL('../../hal/abi.ts', import.meta.url))

let module: WebAssembly.Module
let text: string
beforeAll(() => {
  module = new WebAssembly.Module(readFileSync(WASM))
  text = readFileSync(WAT, 'utf8')
})

describe('build/noonmark.wasm', () => {
  it('cannot grow its memory, so nothing allocates after boot', () => {
    expect(text).not.toContain('memory.grow')
  })

  it('has no allocator and no start function', () => {
    expect(text).not.toMatch(/\(start /)
    expect(text).not.toMatch(/~lib\/rt\/(stub|tlsf|itcms)\/__(alloc|new)/)
  })

  it('imports only functions that hal/abi.ts declares', () => {
    const declared = [...readFileSync(ABI, 'utf8').matchAll(/declare function (\w+)/g)].map(([, name]) => name)
    for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
      expect({ from, kind }).toEqual({ from: 'abi', kind: 'function' })
      expect(declared).toContain(name)
    }
  })

  it('exports boot, poll, memory and the end of what it uses, and nothing else', () => {
    const names = WebAssembly.Module.exports(module).map(({ name }) => name)
    expect(names.sort()).toEqual(['boot', 'memory', 'memory_end', 'poll'])
  })
})
