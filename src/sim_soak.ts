// `noonmark sim soak`: the virtual board lives for days in virtual time; what it serves is held against the truth.
//
// Exit status: 0 when all limits were kept, 1 when one was not, 2 when the story could not be played.

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { failures, randomStory, type Soak, showNanos, soak, summarise } from './soak/soak'
import { type Event, parseStory, type Story } from './soak/story'

const WASM = fileURLToPath(new URL('../build/noonmark.wasm', import.meta.url))

export interface SimSoakOptions {
  readonly days: number
  readonly seed: number
  /** Print the summary as JSON. */
  readonly json: boolean
}

export function simSoak(file: string | undefined, options: SimSoakOptions): number {
  let story: Story
  try {
    story = file === undefined ? randomStory(options.days, options.seed) : readStory(file)
  } catch (error) {
    console.error(`noonmark: ${error instanceof Error ? error.message : error}`)
    return 2
  }
  const begun = performance.now()
  const shown = process.stderr.isTTY
  const result = soak(readFileSync(WASM), story, (hours) => {
    if (shown) process.stderr.write(`\r${hours} of ${Math.ceil(story.lasts / 3600e9)} hours`)
  })
  if (shown) process.stderr.write('\r\x1b[K')
  const seconds = (performance.now() - begun) / 1000
  const failed = failures(result)
  if (options.json) console.log(JSON.stringify({ name: story.name, ...summarise(result), failed }))
  else console.log(report(result, seconds))
  for (const sentence of failed) console.error(`noonmark: ${story.name}: ${sentence}`)
  return failed.length === 0 ? 0 : 1
}

function readStory(file: string): Story {
  if (!existsSync(file)) throw new Error(`${file}: there is no such file`)
  return parseStory(readFileSync(file, 'utf8'), file)
}

/** The summary as a person reads it. */
export function report(result: Soak, seconds: number): string {
  const { story, asked, silent, unsynchronised, samples } = result
  const of = summarise(result)
  const row = (name: string, text: string) => `  ${name.padEnd(14)}${text}`
  const ratio = of.median === 0 ? '' : `, ${(of.medianBound / of.median).toFixed(0)} times the median error`
  return [
    `${story.name}: ${(story.lasts / 3600e9).toFixed(1)} hours in ${seconds.toFixed(0)} s`,
    row('asked', `${asked}: ${samples.length} synchronised, ${unsynchronised} not synchronised, ${silent} silent`),
    row(
      'served error',
      `median ${showNanos(of.median)}, 99 % ${showNanos(of.p99)}, 99.9 % ${showNanos(of.p999)}, worst ${showNanos(of.worst)}`,
    ),
    row(
      'its bound',
      `kept by ${(of.coverage * 100).toFixed(3)} %, ${of.violations} above; median ${showNanos(of.medianBound)}${ratio}`,
    ),
    row('happenings', happenings(story.events)),
  ].join('\n')
}

function happenings(events: readonly Event[]): string {
  const names = {
    sky: 'sky lost',
    power: 'power cut',
    cable: 'cable out',
    wave: 'square wave silent',
    spoof: 'pulses spoofed',
    drag: 'pulses dragged',
    seconds: 'dates seconds off',
    weeks: 'dates weeks off',
    ahead: 'sky seconds off',
    announces: 'false leap second announced',
    warns: 'receiver warned',
    reset: 'reset',
  }
  const totals = new Map<string, { times: number; nanos: number }>()
  for (const { lasts, what } of events) {
    const total = totals.get(names[what.kind]) ?? { times: 0, nanos: 0 }
    totals.set(names[what.kind], { times: total.times + 1, nanos: total.nanos + lasts })
  }
  if (totals.size === 0) return 'none'
  const span = (nanos: number) => (nanos === 0 ? '' : ` (${(nanos / 60e9).toFixed(0)} min)`)
  return [...totals].map(([name, { times, nanos }]) => `${name} ${times} x${span(nanos)}`).join(', ')
}
