// One chart: title, axes, shaded spans of time, areas and lines with a key.

import { type Axis, place } from './axis'
import { areaPath, element, linePath, svgFile, text } from './svg'

export type Layer =
  | { kind: 'area'; points: readonly (readonly [x: number, upper: number, lower: number])[] }
  | { kind: 'line'; style: 1 | 2; points: readonly (readonly [x: number, y: number])[] }
  | { kind: 'span'; from: number; to: number; label: string }

export interface Chart {
  title: string
  /** What was run, below the title. */
  subtitle: string
  x: Axis
  y: Axis
  xLabel: string
  /** Stands above the axis. */
  yLabel: string
  layers: readonly Layer[]
  /** Names of the two styles. */
  key: readonly { style: 1 | 2; label: string }[]
}

export const WIDTH = 760
const HEIGHT = 380
const LEFT = 66
const RIGHT = 28
const TOP = 86
const BOTTOM = 52
const PLOT_WIDTH = WIDTH - LEFT - RIGHT
/** A curve of more points than this is no clearer: two pixels each. */
export const COLUMNS = PLOT_WIDTH / 2
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM

export function chartSvg(chart: Chart): string {
  const parts = [
    text(LEFT, 30, chart.title, { class: 'title' }),
    text(LEFT, 49, chart.subtitle),
    text(LEFT, TOP - 10, chart.yLabel),
    text(LEFT + PLOT_WIDTH / 2, HEIGHT - 14, chart.xLabel, { 'text-anchor': 'middle' }),
    ...spans(chart),
    ...grid(chart),
    ...chart.layers.map((layer) => drawn(layer, chart)),
    element('rect', { class: 'frame', x: LEFT, y: TOP, width: PLOT_WIDTH, height: PLOT_HEIGHT }),
    ...spanLabels(chart),
    ...key(chart),
  ]
  return svgFile(WIDTH, HEIGHT, `${chart.title}. ${chart.subtitle}`, parts)
}

const across = (axis: Axis, value: number): number => LEFT + place(axis, value) * PLOT_WIDTH
const up = (axis: Axis, value: number): number => TOP + (1 - place(axis, value)) * PLOT_HEIGHT

function grid({ x, y }: Chart): string[] {
  const parts: string[] = []
  for (const { value, label } of x.marks) {
    const at = across(x, value)
    parts.push(element('line', { class: 'grid', x1: at, x2: at, y1: TOP, y2: TOP + PLOT_HEIGHT }))
    parts.push(text(at, TOP + PLOT_HEIGHT + 17, label, { 'text-anchor': 'middle' }))
  }
  for (const { value, label } of y.marks) {
    const at = up(y, value)
    parts.push(element('line', { class: 'grid', x1: LEFT, x2: LEFT + PLOT_WIDTH, y1: at, y2: at }))
    parts.push(text(LEFT - 8, at + 4, label, { 'text-anchor': 'end' }))
  }
  return parts
}

function drawn(layer: Layer, { x, y }: Chart): string {
  if (layer.kind === 'span') return ''
  if (layer.kind === 'area') {
    const points = layer.points.map(([at, upper, lower]) => [across(x, at), up(y, upper), up(y, lower)] as const)
    return element('path', { class: 'area', d: areaPath(points) })
  }
  const points = layer.points.map(([at, value]) => [across(x, at), up(y, value)] as const)
  return element('path', { class: `line${layer.style}`, d: linePath(points) })
}

const isSpan = (layer: Layer): layer is Extract<Layer, { kind: 'span' }> => layer.kind === 'span'

function spans({ layers, x }: Chart): string[] {
  return layers.filter(isSpan).map(({ from, to }) => {
    const left = across(x, from)
    return element('rect', { class: 'span', x: left, y: TOP, width: across(x, to) - left, height: PLOT_HEIGHT })
  })
}

function spanLabels({ layers, x }: Chart): string[] {
  return layers.filter(isSpan).map(({ from, to, label }) => {
    const middle = (across(x, from) + across(x, to)) / 2
    return text(middle, TOP + 17, label, { 'text-anchor': 'middle' })
  })
}

/** At the right, on the line of the y axis' label. A word's width is a guess: letters of 12 px are some 6 px wide. */
function key(chart: Chart): string[] {
  const widths = chart.key.map(({ label }) => 24 + label.length * 6.3)
  let at = LEFT + PLOT_WIDTH - widths.reduce((sum, width) => sum + width, 0) - 18 * Math.max(0, widths.length - 1)
  return chart.key.flatMap(({ style, label }, i) => {
    const line = element('line', { class: `line${style}`, x1: at, x2: at + 18, y1: TOP - 14, y2: TOP - 14 })
    const word = text(at + 24, TOP - 10, label)
    at += widths[i]! + 18
    return [line, word]
  })
}
