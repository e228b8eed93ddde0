#!/usr/bin/env node
// `npm run check`: types of both worlds (Node and AssemblyScript) and the linter. `npm test` runs the same.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { installPackages, ROOT } from './setup.mjs'

installPackages()
const steps = [
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'],
  ['node_modules/typescript/bin/tsc', '-p', 'firmware/tsconfig.json'],
  ['node_modules/typescript/bin/tsc', '-p', 'sim/cpu/rv32/tsconfig.json'],
  ['node_modules/typescript/bin/tsc', '-p', 'sim/wokwi/chips/tsconfig.json'],
  ['node_modules/@biomejs/biome/bin/biome', 'check', '.'],
]
let failed = 0
for (const [script, ...args] of steps) {
  const { status } = spawnSync(process.execPath, [join(ROOT, script), ...args], { cwd: ROOT, stdio: 'inherit' })
  if (status !== 0) failed += 1
}
process.exit(failed ? 1 : 0)
