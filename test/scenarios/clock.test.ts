// The numbered scenarios of test/scenarios/clock: the firmware's clock room through each, against numeric limits.
//
// A file says what happens (sim/world/clock_scenario.ts), with which seeds, and how large each measure may be: `each` for
// every seed, `median` for the middle one of them. All limits are upper ones; the unit is the end of a measure's name.
//
// NOONMARK_SCENARIOS=12 takes so many seeds, if they are more than the file's, and prints the median and the worst of each measure: the
// tables of docs/clock.md and docs/decisions/0013 are made that way.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  BY_HARDWARE,
  BY_INTERRUPT,
  type CaptureKind,
  CLOCK_PLANS,
  type ClockPlan,
  ClockScenario,
  type ClockScenarioOptions,
} from '../../sim/world/clock_scenario'
import type { TemperatureOptions } from '../../sim/world/temperature'
import { type ClockRun, runClock } from '../../src/clock_run'
import { median } from '../../src/clock_score'

interface ScenarioFile {
  about: string
  /** One of CLOCK_PLANS, or a plan. */
  scenario: string | Omit<ClockPlan, 'about'>
  /** How many seeds, from 1 on. */
  seeds: number
  /** Instants served a second; 10 unless it is said. */
  rate?: number
  capture?: 'interrupt' | 'hardware'
  /** Changes to the capture's noise. */
  noise?: Partial<CaptureKind['noise']>
  crystal?: ClockScenarioOptions['crystal']
  temperature?: Partial<TemperatureOptions>
  receiver?: ClockScenarioOptions['receiver']
  thermometer?: ClockScenarioOptions['thermometer']
  readWithPulses?: boolean
  /** Second -> ns by which its capture is late. */
  lateCaptures?: Record<string, number>
  each?: Partial<Record<Measure, number>>
  median?: Partial<Record<Measure, number>>
}

/** More seeds than the file's; 0: the file's. */
const SEEDS = Number(process.env['NOONMARK_SCENARIOS'] ?? 0)

const NEVER = Number.POSITIVE_INFINITY

const MEASURES = {
  rms_ns: ({ score }: ClockRun) => score.normal.rms,
  max_ns: ({ score }: ClockRun) => score.normal.max,
  mean_ns: ({ score }: ClockRun) => Math.abs(score.normal.mean),
  bound_by_rms: ({ score }: ClockRun) => score.bound / score.normal.rms,
  outside_bound_permille: ({ score }: ClockRun) => (1 - score.coverage) * 1000,
  below_1us_s: ({ score }: ClockRun) => score.reach.us1 ?? NEVER,
  steps: ({ steps }: ClockRun) => steps,
  outage_end_us: ({ score }: ClockRun) => (score.outage?.end ?? NEVER) / 1000,
  outage_back_s: ({ score }: ClockRun) => score.outage?.back ?? NEVER,
  spoof_us: ({ score }: ClockRun) => Math.max(score.spoof?.max ?? NEVER, score.spoof?.after ?? NEVER) / 1000,
  spoof_back_s: ({ score }: ClockRun) => score.spoof?.back ?? NEVER,
  spoof_alarm_s: ({ alarms, scenario }: ClockRun) => {
    const from = (scenario.plan.spoofs?.[0]?.[0] ?? NEVER) - 1
    return (
      (alarms.find(({ seconds, text }) => seconds >= from && text.includes('refused'))?.seconds ?? NEVER) - from - 1
    )
  },
  leap_ns: ({ score }: ClockRun) => Math.max(...Object.values(score.leap ?? { none: NEVER })),
}
type Measure = keyof typeof MEASURES

const FOLDER = new URL('./clock/', import.meta.url)
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))
const MODULE = new WebAssembly.Module(readFileSync(fileURLToPath(new URL('../../build/clock.wasm', import.meta.url))))

function scenarioOf(file: ScenarioFile, seed: number): ClockScenario {
  const { scenario } = file
  const plan = typeof scenario === 'string' ? CLOCK_PLANS[scenario] : { about: file.about, ...scenario }
  if (!plan) throw new Error(`there is no scenario ${scenario}`)
  const kind = file.capture === 'hardware' ? BY_HARDWARE : BY_INTERRUPT
  return new ClockScenario(plan, {
    seed,
    capture: { ...kind, noise: { ...kind.noise, ...file.noise } },
    crystal: file.crystal ?? {},
    temperature: file.temperature ?? {},
    receiver: file.receiver ?? {},
    thermometer: file.thermometer ?? 'none',
    readWithPulses: file.readWithPulses ?? false,
    lateCaptures: new Map(Object.entries(file.lateCaptures ?? {}).map(([k, nanos]) => [Number(k), nanos])),
  })
}

function limits(part: ScenarioFile['each']): [Measure, number][] {
  const entries = Object.entries(part ?? {}) as [Measure, number][]
  for (const [name] of entries) if (!(name in MEASURES)) throw new Error(`there is no measure ${name}`)
  return entries
}

function told(runs: ClockRun[]): string {
  const lines = (Object.keys(MEASURES) as Measure[]).map((measure) => {
    const values = runs.map(MEASURES[measure])
    return Number.isFinite(median(values))
      ? `${measure} ${median(values).toPrecision(3)} (${Math.max(...values).toPrecision(3)})`
      : ''
  })
  return lines.filter(Boolean).join('\n  ')
}

describe('the clock keeps its limits', () => {
  it.each(FILES)(
    '%s',
    (name) => {
      const file = parse(readFileSync(new URL(name, FOLDER), 'utf8')) as ScenarioFile
      const many = Array.from({ length: Math.max(SEEDS, file.seeds) }, (_, i) =>
        runClock(MODULE, scenarioOf(file, i + 1), file.rate),
      )
      // The limits are for the file's seeds.
      const runs = many.slice(0, file.seeds)
      const faults: string[] = []
      const check = (what: string, value: number, limit: number) => {
        if (!(value <= limit)) faults.push(`${what} ${value.toPrecision(3)} (at most ${limit})`)
      }
      for (const [measure, limit] of limits(file.each)) {
        const values = runs.map(MEASURES[measure])
        const worst = values.indexOf(Math.max(...values))
        check(`seed ${worst + 1}: ${measure}`, values[worst]!, limit)
      }
      for (const [measure, limit] of limits(file.median))
        check(`median: ${measure}`, median(runs.map(MEASURES[measure])), limit)
      if (SEEDS) console.log(`${name}: ${many.length} seeds, median (worst)\n  ${told(many)}`)
      expect(faults).toEqual([])
    },
    60_000 + SEEDS * 10_000,
  )
})
