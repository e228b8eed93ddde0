// `noonmark sim pulses NAME --out DIR`: writes a scenario of pulses for `noonmark sim clock`.
//
//   meta.json    start (POSIX), events, rate of the counter, mean delay of a capture
//   pulses.csv   k,label_s,leap_s,leap_warn,ticks,true_edge_s,flags; with a thermometer also temperature_c, and then seconds
//                without a pulse have a row too, without ticks
//   truth.csv    true_s,ticks: the counter's exact reading, ten times a second
//
// `true_edge_s` and `flags` (1 late capture, 2 receiver ahead) are the truth, for whoever scores: no clock may read them.

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import {
  BY_HARDWARE,
  BY_INTERRUPT,
  type ClockScenario,
  type ClockScenarioOptions,
  clockScenario,
  type ScenarioPulse,
} from '../sim/world/clock_scenario'
import { reasonOf } from './csv'

export interface SimPulsesOptions {
  readonly out: string
  readonly seed: number
  readonly capture: 'interrupt' | 'hardware'
  readonly thermometer: NonNullable<ClockScenarioOptions['thermometer']>
}

/** Readings a second in truth.csv. */
const RATE = 10

export function simPulses(name: string, options: SimPulsesOptions): number {
  try {
    const { seed, thermometer } = options
    const capture = options.capture === 'hardware' ? BY_HARDWARE : BY_INTERRUPT
    writeScenario(options.out, name, clockScenario(name, { seed, thermometer, capture }))
    return 0
  } catch (error) {
    console.error(`noonmark: ${reasonOf(error)}`)
    return 2
  }
}

/** Plays the scenario into a folder, which is made. */
export function writeScenario(folder: string, name: string, scenario: ClockScenario): void {
  mkdirSync(folder, { recursive: true })
  const warm = (scenario.options.thermometer ?? 'none') !== 'none'
  const pulses = openSync(join(folder, 'pulses.csv'), 'w')
  const truth = openSync(join(folder, 'truth.csv'), 'w')
  writeSync(pulses, `k,label_s,leap_s,leap_warn,ticks,true_edge_s,flags${warm ? ',temperature_c' : ''}\n`)
  writeSync(truth, 'true_s,ticks\n')
  let count = 0
  for (const { second, pulse, ticks, fractions, temperature } of scenario.play(RATE)) {
    if (pulse) count++
    if (pulse) writeSync(pulses, `${row(pulse)}${warm ? `,${temperature}` : ''}\n`)
    else if (temperature !== undefined)
      writeSync(pulses, `${second + 1},${scenario.unix0 + second + 1},0,0,,,0,${temperature}\n`)
    let text = ''
    for (let i = 0; i < RATE; i++) text += `${second}.${i},${exact(ticks[i]!, fractions[i]!)}\n`
    writeSync(truth, text)
  }
  closeSync(pulses)
  closeSync(truth)
  writeFileSync(join(folder, 'meta.json'), `${JSON.stringify(meta(name, scenario, count), null, 1)}\n`)
}

function row(pulse: ScenarioPulse): string {
  const flags = (pulse.late ? 1 : 0) | (pulse.spoofed ? 2 : 0)
  const cells = [
    pulse.k,
    pulse.label,
    pulse.leapSeconds,
    pulse.leapWarning ? 1 : 0,
    pulse.ticks,
    pulse.edge.toFixed(11),
    flags,
  ]
  return cells.join(',')
}

/** A reading with five digits after the point: 0.6 ps. */
function exact(ticks: number, fraction: number): string {
  const digits = Math.round(fraction * 1e5)
  return digits === 100_000 ? `${ticks + 1}.00000` : `${ticks}.${String(digits).padStart(5, '0')}`
}

function meta(name: string, scenario: ClockScenario, pulses: number) {
  const { plan, seed, unix0, tickHz, captureBias } = scenario
  return {
    scenario: name,
    about: plan.about,
    seed,
    duration_s: plan.duration,
    unix0,
    tick_hz: tickHz,
    truth_hz: RATE,
    outages: plan.outages ?? [],
    spoofs: (plan.spoofs ?? []).map(([from_s, to_s, jump_s]) => ({ from_s, to_s, jump_s })),
    leap_at_s: plan.leapAt ?? null,
    calibration: { capture_bias_ns: captureBias },
    pulses,
  }
}
