// Project Wycheproof's vectors, when they are at hand:
//
//   WYCHEPROOF_DIR=/path/to/wycheproof npm test -- wycheproof
//
// The directory is a checkout of https://github.com/C2SP/wycheproof (its testvectors_v1 or testvectors is used) or a folder
// of vector files. Without it only the runner is tested, on home-made files in the same format.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { allAdapters } from './wycheproof/adapters'
import { filesFor, runFile, vectorFolder } from './wycheproof/runner'
import { sampleFiles } from './wycheproof/sample'

const DIRECTORY = process.env['WYCHEPROOF_DIR']

const adapters = await allAdapters()

describe('the Wycheproof runner', () => {
  const directory = mkdtempSync(join(tmpdir(), 'noonmark-wycheproof-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  /** A folder with the samples; `edit` may spoil them first. */
  function folder(name: string, edit: (files: ReturnType<typeof sampleFiles>) => void = () => {}): string {
    const path = join(directory, name)
    mkdirSync(path, { recursive: true })
    const files = sampleFiles()
    edit(files)
    for (const [file, contents] of Object.entries(files)) writeFileSync(join(path, file), JSON.stringify(contents))
    return path
  }

  it.each(adapters)('judges the sample of $name', (adapter) => {
    const [file] = filesFor(adapter, folder('plain'))
    const tally = runFile(adapter, file)
    expect(tally.passed).toBeGreaterThan(3)
    expect(tally.unsupported.size).toBe(0)
  })

  it('finds_the_vectors_of_a_checkout_and_of_a_plain_folder', () => {
    const [adapter] = adapters
    for (const layout of ['testvectors', 'testvectors_v1']) {
      folder(join('checkout', layout))
      expect(vectorFolder(join(directory, 'checkout'))).toBe(join(directory, 'checkout', layout))
      expect(filesFor(adapter, join(directory, 'checkout'))).toHaveLength(1)
    }
    expect(vectorFolder(folder('plain'))).toBe(join(directory, 'plain'))
  })

  it.each(adapters)('fails on an empty folder: $name', (adapter) => {
    const empty = join(directory, 'empty')
    mkdirSync(empty, { recursive: true })
    expect(() => filesFor(adapter, empty)).toThrow('has no file that matches')
    expect(() => filesFor(adapter, join(directory, 'nowhere'))).toThrow('does not exist')
  })

  it.each(adapters)(
    'reports a valid vector that is rejected, and an invalid one that is accepted: $name',
    (adapter) => {
      const path = folder('turned', (files) => {
        for (const file of Object.values(files)) {
          for (const test of file.testGroups[0].tests) test.result = test.result === 'valid' ? 'invalid' : 'valid'
        }
      })
      const [file] = filesFor(adapter, path)
      expect(() => runFile(adapter, file)).toThrow(/wrong verdicts:\n.*tcId 1 /)
    },
  )

  it('fails_on_a_file_with_no_tests_or_with_fewer_than_it_announces', () => {
    const [adapter] = adapters
    const none = folder('none', (files) => {
      for (const file of Object.values(files)) Object.assign(file, { testGroups: [], numberOfTests: 0 })
    })
    expect(() => runFile(adapter, filesFor(adapter, none)[0])).toThrow('not one of 0 tests was judged')
    const fewer = folder('fewer', (files) => {
      for (const file of Object.values(files)) file.testGroups[0].tests.pop()
    })
    expect(() => runFile(adapter, filesFor(adapter, fewer)[0])).toThrow(/announces \d+ tests and has/)
  })

  it('counts_what_the_firmware_has_no_way_to_ask_for', () => {
    const path = folder('odd', (files) => {
      files['aes_gcm_test.json'].testGroups[0].tests[0].key = '00'.repeat(24)
      files['aes_gcm_test.json'].testGroups[0].tests[2].iv = '00'.repeat(8)
    })
    const adapter = adapters.find(({ name }) => name === 'AES-GCM')!
    const { passed, unsupported } = runFile(adapter, filesFor(adapter, path)[0])
    expect(passed).toBe(6)
    expect([...unsupported]).toEqual([
      ['keys of 192 bits', 1],
      ['nonces of 64 bits', 1],
    ])
  })
})

describe.runIf(DIRECTORY !== undefined)('Wycheproof', () => {
  it.each(adapters)('$name', (adapter) => {
    for (const file of filesFor(adapter, DIRECTORY!)) {
      const { passed, unsupported } = runFile(adapter, file)
      const rest = [...unsupported].map(([reason, count]) => `${count} with ${reason}`).join(', ')
      console.log(`${file}: ${passed} passed${rest === '' ? '' : `; unsupported: ${rest}`}`)
    }
  })
})
