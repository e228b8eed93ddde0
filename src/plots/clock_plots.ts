// `noonmark bench --plots DIR`: what the firmware's clock does in the scenarios, as pictures.
//
//   power-on.svg steady.svg outage.svg spoof.svg leap.svg    error and its bound over time
//   allan.svg                                                Allan deviation, served and of the free crystal
//   histogram.svg                                            served errors of a day
//
// Errors are served minus true at ten instants a second; each column of two pixels shows the largest of its time. The same firmware and
// the same seed draw the same bytes.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clockScenario } from '../../sim/world/clock_scenario'
import { clockModule } from '../clock_room'
import { type ClockRun, runClock } from '../clock_run'
import { allanDeviation } from './allan'
import { type Axis, decades, every, minus, nanosLabel, place, powerLabel, secondsLabel, steps } from './axis'
import { type Chart, COLUMNS, chartSvg, type Layer } from './chart'

const SEED = 1
/** Below this nothing is told apart on a logarithmic axis, ns. */
const FLOOR = 1

export function clockPlots(folder: string): void {
  const module = clockModule()
  const run = (name: string) => runClock(module, clockScenario(name, { seed: SEED, thermometer: 'room' }))
  const day = run('steady24h')
  const charts: Record<string, Chart> = {
    'power-on': powerOn(run('coldstart')),
    steady: steady(day),
    outage: outage(run('outage1h')),
    spoof: spoof(run('spoof')),
    leap: leap(run('leap')),
    allan: allan(day),
    histogram: histogram(day),
  }
  mkdirSync(folder, { recursive: true })
  for (const [name, chart] of Object.entries(charts)) writeFileSync(join(folder, `${name}.svg`), chartSvg(chart))
}

const named = (name: string): string => `sim pulses ${name}, seed ${SEED}`

function powerOn(run: ClockRun): Chart {
  const x: Axis = {
    from: 1,
    to: 3600,
    log: true,
    marks: [1, 10, 60, 600, 3600].map((value) => ({ value, label: secondsLabel(value) })),
  }
  const { reach, normal } = run.score
  return {
    title: 'After power-on',
    subtitle: `${named('coldstart')}: below 1 µs after ${(reach.us1 ?? Number.NaN).toFixed(1)} s, rms ${normal.rms.toFixed(0)} ns after ten minutes`,
    ...sizes(run, x),
    xLabel: 'time since the first pulse',
  }
}

function steady(run: ClockRun): Chart {
  const { rms, max } = run.score.normal
  return {
    title: 'A day without events',
    subtitle: `${named('steady24h')}: rms ${rms.toFixed(0)} ns, largest ${max.toFixed(0)} ns, median bound ${run.score.bound.toFixed(0)} ns`,
    ...signed(run, every(600, 86_400, 4 * 3600, secondsLabel)),
    xLabel: 'time since the start',
  }
}

function outage(run: ClockRun): Chart {
  const [from, to] = [4 * 3600, 5 * 3600]
  const x = every(from - 1800, to + 1800, 900, (seconds) => `${minus((seconds - from) / 60)} min`)
  const end = run.score.outage?.end ?? Number.NaN
  const chart = sizes(run, x, 10)
  const span: Layer = { kind: 'span', from, to, label: 'no pulses' }
  return {
    title: 'An hour without the sky',
    subtitle: `${named('outage1h')}, with a thermometer: ${nanosLabel(Number(end.toPrecision(2)))} off at its end`,
    ...chart,
    layers: [span, ...chart.layers],
    xLabel: 'time since the last pulse',
  }
}

function spoof(run: ClockRun): Chart {
  const x = every(7200 - 600, 7800 + 600, 300, (seconds) => secondsLabel(seconds - 7200))
  const { max = Number.NaN } = run.score.spoof ?? {}
  const chart = sizes(run, x, 10)
  const span: Layer = { kind: 'span', from: 7200, to: 7800, label: 'the receiver is 100 ms ahead' }
  return {
    title: 'A receiver that lies',
    subtitle: `${named('spoof')}: the jump is refused; largest error ${nanosLabel(Number(max.toPrecision(2)))}`,
    ...chart,
    layers: [span, ...chart.layers],
    xLabel: 'time since the jump',
  }
}

function leap(run: ClockRun): Chart {
  const inside = run.score.leap?.inside ?? Number.NaN
  const chart = signed(
    run,
    every(7200 - 60, 7200 + 61, 15, (seconds) => secondsLabel(seconds - 7200)),
  )
  const span: Layer = { kind: 'span', from: 7200, to: 7201, label: '23:59:60' }
  return {
    title: 'A leap second',
    subtitle: `${named('leap')}: largest error inside it ${inside.toFixed(0)} ns`,
    ...chart,
    layers: [span, ...chart.layers],
    xLabel: 'time since the leap second began',
  }
}

function allan(run: ClockRun): Chart {
  const { series, crystal } = run
  // Once a second, from ten minutes after the start on.
  const from = series.indexOf(600)
  const served = Array.from(
    series.error.subarray(from).filter((_, i) => i % 10 === 0),
    (nanos) => nanos * 1e-9,
  )
  const clock = allanDeviation(served)
  const free = allanDeviation(crystal.subarray(600))
  const all = [...clock, ...free].map(([, deviation]) => deviation)
  return {
    title: 'Allan deviation',
    subtitle: `${named('steady24h')}: the served clock, and the crystal that it is made from`,
    x: decades(1, clock.at(-1)![0], (value) => (value >= 1e3 ? `${powerLabel(value)} s` : `${value} s`)),
    y: decades(Math.min(...all), Math.max(...all), powerLabel),
    xLabel: 'averaging time',
    yLabel: 'overlapping Allan deviation',
    layers: [
      { kind: 'line', style: 2, points: free },
      { kind: 'line', style: 1, points: clock },
    ],
    key: [
      { style: 1, label: 'served' },
      { style: 2, label: 'free crystal' },
    ],
  }
}

function histogram(run: ClockRun): Chart {
  const width = 4
  const from = run.series.indexOf(600)
  const errors = run.series.error.subarray(from)
  const { rms, mean, p99 } = run.score.normal
  const reach = Math.ceil(run.score.normal.max / 20) * 20
  const bins = new Float64Array((2 * reach) / width)
  for (const error of errors) bins[Math.min(bins.length - 1, Math.max(0, Math.floor((error + reach) / width)))]! += 1
  const percent = Array.from(bins, (count) => (100 * count) / errors.length)
  const points = percent.flatMap((value, i) => {
    const left = i * width - reach
    return [[left, value, 0] as const, [left + width, value, 0] as const]
  })
  const most = Math.max(...percent)
  return {
    title: 'Served errors of a day',
    subtitle: `${named('steady24h')}: mean ${minus(Number(mean.toFixed(1)))} ns, rms ${rms.toFixed(0)} ns, 99 % within ${p99.toFixed(0)} ns`,
    x: steps(-reach, reach, 12, nanosLabel),
    y: steps(0, most * 1.1, 6, (value) => `${Number(value.toPrecision(3))} %`),
    xLabel: 'served minus true',
    yLabel: `share of instants in ${width} ns`,
    layers: [
      { kind: 'area', points },
      { kind: 'line', style: 1, points: points.map(([x, y]) => [x, y] as const) },
    ],
    key: [],
  }
}

type Drawn = Pick<Chart, 'x' | 'y' | 'yLabel' | 'layers' | 'key'>

/** |error| and its bound on a logarithmic axis, with `room` above. */
function sizes(run: ClockRun, x: Axis, room = 1): Drawn {
  const columns = columnsOf(run, x)
  const most = Math.max(...columns.map(({ bound, high, low }) => Math.max(bound, high, -low)))
  return {
    x,
    y: decades(FLOOR, Math.min(most * room, 1e9), nanosLabel),
    yLabel: 'size of the error',
    layers: [
      { kind: 'area', points: columns.map(({ at, high, low }) => [at, Math.max(high, -low, FLOOR), FLOOR] as const) },
      {
        kind: 'line',
        style: 1,
        points: columns.map(({ at, high, low }) => [at, Math.max(high, -low, FLOOR)] as const),
      },
      { kind: 'line', style: 2, points: columns.map(({ at, bound }) => [at, Math.max(bound, FLOOR)] as const) },
    ],
    key: KEY,
  }
}

/** The error with its sign between plus and minus its bound. */
function signed(run: ClockRun, x: Axis): Drawn {
  const columns = columnsOf(run, x)
  const most = Math.max(...columns.map(({ bound, high, low }) => Math.max(bound, high, -low)))
  const reach = Math.ceil((most * 1.1) / 50) * 50
  // Where a column holds few instants the area is as good as empty.
  const sparse = columns.length * 6 > columns.reduce((sum, { count }) => sum + count, 0)
  const points = columns.map(({ at, high, low }) => [at, (high + low) / 2] as const)
  const middle: Layer[] = sparse ? [{ kind: 'line', style: 1, points }] : []
  return {
    x,
    y: steps(-reach, reach, 8, nanosLabel),
    yLabel: 'served minus true',
    layers: [
      { kind: 'area', points: columns.map(({ at, high, low }) => [at, high, low] as const) },
      ...middle,
      { kind: 'line', style: 2, points: columns.map(({ at, bound }) => [at, bound] as const) },
      { kind: 'line', style: 2, points: columns.map(({ at, bound }) => [at, -bound] as const) },
    ],
    key: KEY,
  }
}

const KEY: Chart['key'] = [
  { style: 1, label: 'error' },
  { style: 2, label: 'bound' },
]

interface Column {
  /** On the x axis. */
  at: number
  count: number
  high: number
  low: number
  /** The smallest of the column, so that what sticks out is seen. */
  bound: number
}

/** The series within the axis, gathered by columns. Time starts with the first pulse on a logarithmic axis. */
function columnsOf(run: ClockRun, x: Axis): Column[] {
  const { seconds, error, bound } = run.series
  const start = x.log ? 1 : 0
  const columns = new Map<number, Column>()
  for (let i = 0; i < run.series.length; i++) {
    const at = seconds[i]! - start
    if (at < x.from || at > x.to) continue
    const index = Math.round(place(x, at) * COLUMNS)
    const column = columns.get(index)
    if (!column) columns.set(index, { at, count: 1, high: error[i]!, low: error[i]!, bound: bound[i]! })
    else {
      column.count++
      column.high = Math.max(column.high, error[i]!)
      column.low = Math.min(column.low, error[i]!)
      column.bound = Math.min(column.bound, bound[i]!)
    }
  }
  return [...columns.values()]
}
