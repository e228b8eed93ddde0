// `noonmark sim pulses` and `noonmark sim clock` as commands: files in, files out, and what they say of bad ones.

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClockScenario, clockScenario } from '../../sim/world/clock_scenario'
import { runClock } from '../../src/clock_run'
import { Series, score } from '../../src/clock_score'
import { writeScenario } from '../../src/sim_pulses'

const COMMAND = fileURLToPath(new URL('../../build/noonmark.mjs', import.meta.url))
const WASM = fileURLToPath(new URL('../../build/clock.wasm', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'noonmark-clock-'))
afterAll(() => rmSync(folder, { recursive: true }))

const GOOD = join(folder, 'good')
const PLAN = { about: 'a short outage and a leap second', duration: 1500, outages: [[700, 800]], leapAt: 1000 } as const
const OPTIONS = { seed: 4, unix0: 1_846_022_400 - 1000 }

function command(...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [COMMAND, 'sim', ...args], { encoding: 'utf8' })
  return { status, stderr }
}

beforeAll(() => writeScenario(GOOD, 'good', new ClockScenario(PLAN, OPTIONS)))

/** The good scenario with one file changed. */
function spoilt(name: string, file: string, change: (text: string) => string): string {
  const copy = join(folder, name)
  cpSync(GOOD, copy, { recursive: true })
  writeFileSync(join(copy, file), change(readFileSync(join(copy, file), 'utf8')))
  return copy
}

/** Column 0 and the error of column 1 in ns. */
function errors(file: string): Series {
  const series = new Series()
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n').slice(1)) {
    const [truth = '', served = '', bound = ''] = line.split(',')
    const second = Math.floor(Number(truth))
    const [whole = '', part = ''] = served.split('.')
    const nanos = Number(part) / 10 - (Number(truth) - second) * 1e9
    let error = (Number(whole) - second) * 1e9 + nanos
    if (second >= PLAN.leapAt + 1 || (second === PLAN.leapAt && error < -5e8)) error += 1e9
    series.add(Number(truth), error, Number(bound) * 1e9)
  }
  return series
}

describe('noonmark sim clock', () => {
  it('serves_from_files_what_it_serves_in_memory', () => {
    const out = join(folder, 'good.csv')
    const { status, stderr } = command('clock', GOOD, '--out', out)
    expect(status, stderr).toBe(0)
    expect(stderr).toMatch(/^alarm \d+\.\d locked$/m)
    expect(stderr).toMatch(/^alarm 7\d\d\.\d holdover/m)
    const run = runClock(new WebAssembly.Module(readFileSync(WASM)), new ClockScenario(PLAN, OPTIONS))
    const series = errors(out)
    expect(series.length).toBe(run.series.length)
    for (let i = 0; i < series.length; i++) {
      expect(Math.abs(series.error[i]! - run.series.error[i]!), `instant ${i}`).toBeLessThan(0.2)
    }
    expect(score(series, PLAN, 1).leap?.inside).toBeLessThan(1000)
  })

  it('reads_no_column_that_says_what_is_true', () => {
    const blind = spoilt('blind', 'pulses.csv', (text) => {
      const [header, ...rows] = text.trimEnd().split('\n')
      const order = [4, 0, 3, 2, 1]
      const cut = (row: string) => order.map((column) => row.split(',')[column]).join(',')
      return `${[header!, ...rows].map(cut).join('\n')}\n`
    })
    expect(command('clock', blind, '--out', join(folder, 'blind.csv')).status).toBe(0)
    expect(command('clock', GOOD, '--out', join(folder, 'good2.csv')).status).toBe(0)
    expect(readFileSync(join(folder, 'blind.csv'), 'utf8')).toBe(readFileSync(join(folder, 'good2.csv'), 'utf8'))
  })

  it('takes_a_fraction_of_almost_a_tick_for_what_it_is', () => {
    const LONG_AGO = 600_000_000_000n
    const later = (row: string, column: number) =>
      row
        .split(',')
        .map((cell, i) => (i === column ? cell.replace(/^\d+/, (whole) => String(BigInt(whole) + LONG_AGO)) : cell))
        .join(',')
    const served = (name: string, ticks: (whole: bigint) => string) => {
      const copy = spoilt(name, 'truth.csv', (text) =>
        text
          .split('\n')
          .map((row) => later(row, 1))
          .join('\n')
          .replace(/\n600\.1,(\d+)\.\d+/, (_, whole) => `\n600.1,${ticks(BigInt(whole))}`),
      )
      const pulses = join(copy, 'pulses.csv')
      const rows = readFileSync(pulses, 'utf8').split('\n')
      const column = rows[0]!.split(',').indexOf('ticks')
      writeFileSync(pulses, rows.map((row) => later(row, column)).join('\n'))
      const out = join(folder, `${name}.csv`)
      expect(command('clock', copy, '--out', out).status).toBe(0)
      return Number(/\n600\.1,600(\.\d+)/.exec(readFileSync(out, 'utf8'))![1]) * 1e9
    }
    const before = served('before', (whole) => `${whole}.99996`)
    const after = served('after', (whole) => `${whole + 1n}.00000`)
    expect(Math.abs(after - before)).toBeLessThan(1)
  })

  it.each([
    ['a folder that is not there', () => join(folder, 'nowhere'), /nowhere: there is no such folder/],
    [
      'a missing file',
      () => {
        const copy = spoilt('no-truth', 'meta.json', (text) => text)
        rmSync(join(copy, 'truth.csv'))
        return copy
      },
      /truth\.csv: there is no such file/,
    ],
    ['a meta.json that is none', () => spoilt('bad-meta', 'meta.json', () => '{ "unix0": '), /bad-meta.meta\.json: /],
    [
      'a meta.json without a calibration',
      () => spoilt('no-bias', 'meta.json', (text) => text.replace('capture_bias_ns', 'other')),
      /meta\.json: calibration\.capture_bias_ns is missing/,
    ],
    [
      'a missing column',
      () => spoilt('no-column', 'pulses.csv', (text) => text.replace('leap_warn', 'leap_warm')),
      /pulses\.csv:1: the column leap_warn is missing; there are k, label_s/,
    ],
    [
      'a row cut short',
      () => spoilt('cut', 'pulses.csv', (text) => text.replace(/\n(10,\d+),.*\n/, '\n$1\n')),
      /pulses\.csv:\d+: 2 fields are too few/,
    ],
    [
      'a number that is none',
      () => spoilt('no-number', 'truth.csv', (text) => text.replace(/\n(500\.3),.*\n/, '\n$1,12x4\n')),
      /truth\.csv:5005: ticks is not a number: "12x4"/,
    ],
    [
      'ticks out of order',
      () => spoilt('order', 'pulses.csv', (text) => text.replace(/\n(20,\d+,\d,\d),\d+/, '\n$1,5')),
      /pulses\.csv:\d+: ticks are not in order: 5 after \d+/,
    ],
    [
      'instants out of order',
      () => spoilt('back', 'truth.csv', (text) => text.replace(/\n(600\.0),.*\n/, '\n$1,7.5\n')),
      /truth\.csv:6002: ticks go back: 7\.5 after \d+/,
    ],
    ['an empty file', () => spoilt('empty', 'truth.csv', () => ''), /truth\.csv:\d: the file is empty/],
  ])('says_in_a_sentence_what_is_wrong_with_%s', (_, make, sentence) => {
    const out = join(folder, 'none.csv')
    const { status, stderr } = command('clock', make(), '--out', out)
    expect(stderr).toMatch(sentence)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(status).toBe(2)
    expect(readdirSync(folder).filter((name) => name.startsWith('none.csv'))).toEqual([])
  })

  it('says_that_the_output_cannot_be_written', () => {
    const { status, stderr } = command('clock', GOOD, '--out', join(folder, 'no/such/served.csv'))
    expect(stderr).toMatch(/noonmark: .*served\.csv: there is no such file or folder/)
    expect(status).toBe(2)
  })
})

describe('noonmark sim pulses', () => {
  it('makes_the_same_files_from_the_same_seed', () => {
    for (const out of ['a', 'b']) {
      const { status, stderr } = command(
        'pulses',
        'coldstart',
        '--seed',
        '9',
        '--thermometer',
        'board',
        '--out',
        join(folder, out),
      )
      expect(status, stderr).toBe(0)
    }
    for (const file of ['meta.json', 'pulses.csv', 'truth.csv']) {
      expect(readFileSync(join(folder, 'a', file)).equals(readFileSync(join(folder, 'b', file))), file).toBe(true)
    }
  })

  it('knows_its_scenarios', () => {
    const { status, stderr } = command('pulses', 'eclipse', '--out', join(folder, 'eclipse'))
    expect(stderr).toMatch(/there is no scenario eclipse: it is one of coldstart, /)
    expect(status).toBe(2)
    expect(existsSync(join(folder, 'eclipse'))).toBe(false)
  })
})

describe('the scenarios', () => {
  it('have_the_spread_of_pulses_that_their_noise_says', () => {
    const errors: number[] = []
    let late = 0
    for (const { pulse } of clockScenario('coldstart', { seed: 8 }).play(1)) {
      if (pulse?.late) late++
      if (pulse) errors.push((pulse.edge - pulse.k) * 1e9)
    }
    const rms = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length)
    // 20 ns white, and the sawtooth of a 48 MHz clock: 6 ns.
    expect(rms).toBeGreaterThan(19)
    expect(rms).toBeLessThan(23)
    expect(late / errors.length).toBeGreaterThan(0.005)
    expect(late / errors.length).toBeLessThan(0.016)
    expect(errors.length).toBeLessThan(3600)
  })
})
