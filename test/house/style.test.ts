// The types and the linter, so that `npm test` says all that CI says.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

function run(script: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: ROOT, encoding: 'utf8' })
  return { status, output: `${stdout}${stderr}`.slice(0, 4000) }
}

describe('the sources', () => {
  it('have sound types on the Node side', () => {
    expect(run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json')).toEqual({ status: 0, output: '' })
  })

  it('have sound types in the firmware', () => {
    expect(run('node_modules/typescript/bin/tsc', '-p', 'firmware/tsconfig.json')).toEqual({ status: 0, output: '' })
  })

  it('have sound types in the simulated processor core', () => {
    const project = ['-p', 'sim/cpu/rv32/tsconfig.json']
    expect(run('node_modules/typescript/bin/tsc', ...project)).toEqual({ status: 0, output: '' })
  })

  it('satisfy the linter and the formatter', () => {
    const { status, output } = run('node_modules/@biomejs/biome/bin/biome', 'check', '.', '--colors=off')
    expect(status, output).toBe(0)
  })
})
