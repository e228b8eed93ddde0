// Runs vector files of Project Wycheproof (https://github.com/C2SP/wycheproof) through an adapter.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Adapter, VectorFile } from './adapter'

/** What happened to a file's tests. */
export interface Tally {
  /** Judged and right. */
  passed: number
  /** By reason. */
  unsupported: Map<string, number>
}

/** The folder that holds the vectors: `testvectors_v1` or `testvectors` of a checkout, or the folder itself. */
export function vectorFolder(directory: string): string {
  for (const name of ['testvectors_v1', 'testvectors']) {
    const folder = join(directory, name)
    if (existsSync(folder)) return folder
  }
  return directory
}

/** The vector files that an adapter is for. Throws when there are none: a run that ran nothing must not look green. */
export function filesFor(adapter: Adapter, directory: string): string[] {
  const folder = vectorFolder(directory)
  if (!existsSync(folder)) throw new Error(`${folder} does not exist`)
  const names = readdirSync(folder).filter((name) => adapter.files.test(name))
  if (names.length === 0) throw new Error(`${folder} has no file that matches ${adapter.files} for ${adapter.name}`)
  return names.sort().map((name) => join(folder, name))
}

/** Judges every test of a file. Throws at the end, naming each test whose verdict is wrong, or when no test was judged. */
export function runFile(adapter: Adapter, path: string): Tally {
  const file = JSON.parse(readFileSync(path, 'utf8')) as VectorFile
  const tally: Tally = { passed: 0, unsupported: new Map() }
  const wrong: string[] = []
  let seen = 0
  for (const group of file.testGroups) {
    for (const test of group.tests) {
      seen++
      const verdict = adapter.judge(group, test)
      if (typeof verdict === 'object') {
        tally.unsupported.set(verdict.unsupported, (tally.unsupported.get(verdict.unsupported) ?? 0) + 1)
      } else if (verdict === (test.result === 'valid' ? 'rejected' : test.result === 'invalid' ? 'accepted' : '')) {
        wrong.push(`${path} tcId ${test.tcId} (${test.comment}; ${test.flags?.join(' ')}): ${test.result}, ${verdict}`)
      } else tally.passed++
    }
  }
  if (wrong.length > 0) throw new Error(`${wrong.length} wrong verdicts:\n${wrong.join('\n')}`)
  if (seen !== file.numberOfTests) throw new Error(`${path} announces ${file.numberOfTests} tests and has ${seen}`)
  if (tally.passed === 0) throw new Error(`${path}: not one of ${seen} tests was judged`)
  return tally
}
