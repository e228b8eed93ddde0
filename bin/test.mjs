#!/usr/bin/env node
// `npm test`: sets up what is missing, runs vitest, and ends with the line `N passed, N failed`.
// Arguments are vitest's: `npm test -- wycheproof` runs the test files whose name contains it.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildChips } from './build_wokwi.mjs'
import { ROOT, setUp } from './setup.mjs'

await setUp()
await buildChips()
const report = join(ROOT, 'build/test-results.json')
rmSync(report, { force: true })
const vitest = spawn(
  process.execPath,
  [
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: ROOT, stdio: 'inherit' },
)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => vitest.kill(signal))
vitest.on('exit', (status) => {
  if (!existsSync(report)) {
    console.log('0 passed, 1 failed')
    process.exit(status || 1)
  }
  const result = JSON.parse(readFileSync(report, 'utf8'))
  const passed = result.numPassedTests
  // A file that does not load fails without a failed test of its own: count it.
  const broken = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = result.numFailedTests + broken.length
  const skipped = result.numPendingTests + (result.numTodoTests ?? 0)
  for (const file of result.testResults) {
    for (const test of file.assertionResults) {
      if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`)
    }
  }
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
  process.exit(status ?? (failed ? 1 : 0))
})
