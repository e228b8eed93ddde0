// The clock room through a scenario: what it served, against the truth.

import type { ClockScenario } from '../sim/world/clock_scenario'
import { type Alarm, ClockRoom } from './clock_room'
import { type Score, Series, score, servedError } from './clock_score'

export interface ClockRun {
  readonly scenario: ClockScenario
  readonly series: Series
  /** True second, to a tenth, and text. */
  readonly alarms: readonly { seconds: number; text: string }[]
  readonly score: Score
  readonly steps: number
  /** Phase of the free crystal at each second, seconds: its time minus the true time, less that at the start. */
  readonly crystal: Float64Array
}

/** Serves `rate` instants a second. */
export function runClock(module: WebAssembly.Module, scenario: ClockScenario, rate = 10): ClockRun {
  const { plan, unix0 } = scenario
  const room = new ClockRoom(module, { tickHz: scenario.tickHz, captureBias: scenario.captureBias })
  const series = new Series()
  const alarms: ClockRun['alarms'][number][] = []
  const crystal = new Float64Array(plan.duration)
  let now = 0
  let first = Number.NaN
  room.onAlarm = ({ text }: Alarm) => alarms.push({ seconds: now, text })
  for (const { second, pulse, ticks, fractions, temperature } of scenario.play(rate)) {
    if (temperature !== undefined) room.temperature(temperature)
    if (pulse) {
      room.pulse(pulse)
      if (Number.isNaN(first)) first = pulse.edge
    }
    for (let i = 0; i < rate; i++) {
      now = second + i / rate
      const served = room.serve(ticks[i]!, fractions[i])
      if (served) series.add(now, servedError(served, unix0, second, i / rate, plan.leapAt), served.bound)
    }
    if (second + 1 < plan.duration) crystal[second + 1] = crystal[second]! + scenario.frequencyError(second)
  }
  return { scenario, series, alarms, score: score(series, plan, first), steps: room.counters().steps, crystal }
}
