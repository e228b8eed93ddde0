// The stories of the folder beside this file, each with its limits; and what the command makes of bad ones.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { report } from '../../src/sim_soak'
import { failures, randomStory, soak, summarise } from '../../src/soak/soak'
import { parseStory } from '../../src/soak/story'

const FOLDER = fileURLToPath(new URL('./board/', import.meta.url))
const wasm = readFileSync(new URL('../../build/noonmark.wasm', import.meta.url))

/** Largest error but for one answer in a hundred, by the stories' numbers. */
const reached = new Map<string, number>()

describe('a board keeps to the limits of', () => {
  for (const file of readdirSync(FOLDER).sort()) {
    const story = parseStory(readFileSync(FOLDER + file, 'utf8'), file)
    it(`${file.slice(0, 3)} ${story.name}`, () => {
      const begun = performance.now()
      const result = soak(wasm, story)
      console.log(report(result, (performance.now() - begun) / 1000))
      expect(failures(result)).toEqual([])
      reached.set(file.slice(0, 3), summarise(result).p99)
    }, 90_000)
  }

  it.each([
    ['207', '208'],
    ['209', '210'],
  ])('%s with a fifth of the error of %s, which has no square wave', (wired, not) => {
    expect(reached.get(wired)! * 5).toBeLessThan(reached.get(not)!)
  })

  it('half a day of misfortunes by chance', () => {
    const result = soak(wasm, randomStory(0.5, 21))
    expect(failures(result)).toEqual([])
    expect(result.samples.length).toBeGreaterThan(1000)
  }, 60_000)
})

describe('a story', () => {
  const story = 'name: x\nhours: 1\n'

  it.each([
    ['events:\n  - { at: 4, sky: lost, for: 1h }', 'a.yaml:4: at: 4 is no time with its unit, such as 10min'],
    ['events:\n  - { at: 4h, sky: lost }', 'a.yaml:4: sky lasts for a while: for: 10min'],
    ['events:\n  - { at: 4h, sky: found, for: 1h }', 'a.yaml:4: sky is lost'],
    ['events:\n  - { at: 4h, wave: out, for: 1h }', 'a.yaml:4: wave is silent'],
    ['events:\n  - { at: 4h, sky: lost, power: cut, for: 1h }', /a.yaml:4: an event is exactly one of sky, power/],
    ['events:\n  - { at: 4h, weather: bad, for: 1h }', /a.yaml:4: weather is not known here/],
    ['limits: { worst: 5 parsecs }', 'a.yaml:3: worst: 5 parsecs is no time with its unit, such as 10min'],
    ['limits: { coverage: 2 }', 'a.yaml:3: coverage is a part of 1'],
    ['begins: tomorrow', /a.yaml:1: begins is a date/],
    ['sqw: maybe', 'a.yaml:1: sqw is true or false'],
    ['hours: 2', /a.yaml:3: /],
  ])('is_refused_with_its_line: %j', (text, message) => {
    expect(() => parseStory(`${story}${text}\n`, 'a.yaml')).toThrow(message)
  })

  it('by_chance_is_the_same_for_the_same_seed', () => {
    expect(randomStory(3, 5)).toEqual(randomStory(3, 5))
    expect(randomStory(3, 5)).not.toEqual(randomStory(3, 6))
  })
})
