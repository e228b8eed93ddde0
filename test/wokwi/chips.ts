// The custom chips as built, and a circuit with one of them whose board is the test.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buildChips, CHIPS } from '../../bin/build_wokwi.mjs'
import { Circuit } from '../../sim/wokwi/host/circuit'
import { parseDiagram } from '../../sim/wokwi/host/diagram'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

await buildChips()

export const NAMES: string[] = CHIPS
export const MODULES: ReadonlyMap<string, Uint8Array> = new Map(
  CHIPS.map((name) => [name, readFileSync(`${ROOT}build/wokwi/${name}.chip.wasm`)]),
)

export interface ChipJson {
  name: string
  pins: string[]
  controls: { id: string; type: string }[]
}

export function chipJson(name: string): ChipJson {
  return JSON.parse(readFileSync(`${ROOT}sim/wokwi/${name}.chip.json`, 'utf8'))
}

/** One chip, `part`, whose pins go to pads of the same names. */
export function circuitWith(name: string, attrs: Record<string, string> = {}): Circuit {
  const board = { id: 'board', type: 'board-of-the-test', attrs: {} }
  const part = { id: 'part', type: `chip-${name}`, attrs }
  const connections = chipJson(name).pins.map((pin) => [`board:${pin}`, `part:${pin}`, '', []])
  const text = JSON.stringify({ version: 1, parts: [board, part], connections })
  return new Circuit(parseDiagram(text), MODULES)
}

/** xorshift32. */
export function dice(seed: number): (sides: number) => number {
  let state = seed | 1
  return (sides) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % sides
  }
}
