// The pictures of `noonmark bench --plots`: what they compute, and that they are files a browser and a reader can use.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { Random } from '../../sim/world/random'
import { allanDeviation } from '../../src/plots/allan'
import { decades, nanosLabel, place, powerLabel, secondsLabel, steps } from '../../src/plots/axis'
import { areaPath, element, linePath, text } from '../../src/plots/svg'

describe('the Allan deviation', () => {
  it('of_white_frequency_noise_falls_with_the_root_of_tau', () => {
    const random = new Random(1, 'white')
    let sum = 0
    const phase = Array.from({ length: 40_000 }, () => {
      sum += 3e-10 * random.normal()
      return sum
    })
    for (const [tau, deviation] of allanDeviation(phase).slice(0, 8))
      expect(deviation / (3e-10 / Math.sqrt(tau)), `tau ${tau}`).toBeCloseTo(1, 0)
  })

  it('of_white_phase_noise_falls_with_tau', () => {
    const random = new Random(2, 'white')
    const phase = Array.from({ length: 40_000 }, () => 1e-9 * random.normal())
    for (const [tau, deviation] of allanDeviation(phase).slice(0, 8))
      expect(deviation / ((Math.sqrt(3) * 1e-9) / tau), `tau ${tau}`).toBeCloseTo(1, 1)
  })

  it('of_a_steady_frequency_is_nothing', () => {
    const phase = Array.from({ length: 1000 }, (_, i) => i * 8e-6)
    for (const [, deviation] of allanDeviation(phase)) expect(deviation).toBeLessThan(1e-17)
  })
})

describe('an axis', () => {
  it('has_whole_decades_or_round_steps', () => {
    const log = decades(3, 40_000, nanosLabel)
    expect(log.marks.map(({ label }) => label)).toEqual(['1 ns', '10 ns', '100 ns', '1 µs', '10 µs', '100 µs'])
    expect(place(log, 1000)).toBeCloseTo(0.6)
    expect(place(log, 0)).toBe(0)
    expect(steps(-250, 250, 8, nanosLabel).marks.map(({ label }) => label)).toEqual([
      '−200 ns',
      '−100 ns',
      '0',
      '100 ns',
      '200 ns',
    ])
    expect([30, 90, 600, 7200].map(secondsLabel)).toEqual(['30 s', '90 s', '10 min', '2 h'])
    expect([1e-11, 1, 1e4].map(powerLabel)).toEqual(['10⁻¹¹', '10⁰', '10⁴'])
  })
})

describe('SVG', () => {
  it('is_written_with_few_digits_and_nothing_that_breaks_it', () => {
    expect(
      linePath([
        [0, 1.26],
        [1, Number.NaN],
        [2, 3],
      ]),
    ).toBe('M0 1.3M2 3')
    expect(
      areaPath([
        [0, 1, 5],
        [2, 3, 4],
      ]),
    ).toBe('M0 1L2 3L2 4L0 5Z')
    expect(text(1, 2, 'a < b & "c"')).toBe('<text x="1" y="2">a &#60; b &#38; &#34;c&#34;</text>')
    expect(element('g', { id: undefined })).toBe('<g/>')
  })
})

describe('noonmark bench --plots', () => {
  const folder = mkdtempSync(join(tmpdir(), 'noonmark-plots-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('draws_every_picture_small_and_without_gaps', () => {
    const command = fileURLToPath(new URL('../../build/noonmark.mjs', import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, [command, 'bench', '--plots', folder], { encoding: 'utf8' })
    expect(status, stderr).toBe(0)
    const names = ['allan', 'histogram', 'leap', 'outage', 'power-on', 'spoof', 'steady']
    expect(readdirSync(folder).sort()).toEqual(names.map((name) => `${name}.svg`))
    for (const name of names) {
      const svg = readFileSync(join(folder, `${name}.svg`), 'utf8')
      expect(svg.length, name).toBeLessThan(60_000)
      expect(svg, name).not.toMatch(/NaN|undefined|Infinity/)
      expect(svg, name).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+" .*<\/svg>\n$/s)
    }
  })
})
