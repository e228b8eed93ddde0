// The Wokwi project against the board's file: one wiring, said twice, must be the same.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readBoard } from '../../bin/board.mjs'
import { nameOf, parseDiagram, partOf } from '../../sim/wokwi/host/diagram'
import { chipJson, NAMES } from './chips'

const FOLDER = fileURLToPath(new URL('../../sim/wokwi/', import.meta.url))
const text = readFileSync(`${FOLDER}diagram.json`, 'utf8')
const diagram = parseDiagram(text)
const board = readBoard()

/** The DevKitM's name of a GPIO. */
const pad = (gpio: number) => `esp:${gpio === 20 ? 'RX' : gpio === 21 ? 'TX' : gpio}`
const netOf = (pin: string) => diagram.nets.find((net) => net.includes(pin)) ?? []

describe('diagram.json', () => {
  const { ethernet, receiver, rtc, leds } = board
  const wires: [number, string][] = [
    [ethernet.pins.sclk, 'ethernet:SCLK'],
    [ethernet.pins.mosi, 'ethernet:MOSI'],
    [ethernet.pins.miso, 'ethernet:MISO'],
    [ethernet.pins.cs, 'ethernet:CS'],
    [ethernet.pins.int, 'ethernet:INT'],
    [ethernet.pins.reset, 'ethernet:RST'],
    [receiver.pins.rx, 'receiver:TX'],
    [receiver.pins.tx, 'receiver:RX'],
    [receiver.pins.pps, 'receiver:PPS'],
    [rtc.pins.sda, 'rtc:SDA'],
    [rtc.pins.scl, 'rtc:SCL'],
    [leds.locked, 'locked:A'],
  ]

  it.each(wires)('joins_GPIO%i_to_%s_as_the_board_file_says', (gpio, pin) => {
    expect(netOf(pad(gpio))).toContain(pin)
    expect(netOf(pin).filter((each) => partOf(each) === 'esp')).toEqual([pad(gpio)])
  })

  it('wires_no_other_pin_of_the_board', () => {
    const used = diagram.nets.flat().filter((pin) => partOf(pin) === 'esp' && /:(\d|RX|TX)/.test(pin))
    expect(used.filter((pin) => !/:\dV\d/.test(pin)).sort()).toEqual(wires.map(([gpio]) => pad(gpio)).sort())
    expect(rtc.pins.sqw).toBe(null)
  })

  it('has_the_parts_that_the_board_file_names', () => {
    const type = (id: string) => diagram.parts.find((part) => part.id === id)?.type
    expect(type('ethernet')).toBe(`chip-${ethernet.chip}`)
    expect(type('receiver')).toBe(`chip-${receiver.chip}`)
    expect(type('rtc')).toBe(`chip-${rtc.chip}`)
    const { attrs } = diagram.parts.find(({ id }) => id === 'esp')!
    expect(attrs['firmwareOffset']).toBe(String(board.flash.image.offset))
    expect(Number(attrs['flashSize']) * 2 ** 20).toBe(board.flash.size)
    expect(attrs['serialInterface']).toBe(board.console.bus)
  })

  it('gives_every_chip_one_truth_and_only_controls_that_exist', () => {
    const chips = diagram.parts.filter(({ type }) => type.startsWith('chip-'))
    expect(new Set(chips.map(({ attrs }) => attrs['unixTime'])).size).toBe(1)
    for (const { type, attrs } of chips) {
      const known = [...chipJson(type.slice(5)).controls.map(({ id }) => id), 'seed']
      for (const name of Object.keys(attrs)) expect(known).toContain(name)
    }
  })

  it('ends_every_wire_at_a_pin_of_its_chip', () => {
    for (const { id, type } of diagram.parts.filter((part) => part.type.startsWith('chip-'))) {
      const { pins } = chipJson(type.slice(5))
      for (const pin of diagram.nets.flat()) if (partOf(pin) === id) expect(pins).toContain(nameOf(pin))
    }
  })
})

describe('the other files', () => {
  it('wokwi_toml_names_every_chip_where_the_build_puts_it', () => {
    const toml = readFileSync(`${FOLDER}wokwi.toml`, 'utf8')
    for (const name of NAMES) expect(toml).toContain(`name = '${name}'\nbinary = '../../build/wokwi/${name}.chip.wasm'`)
    expect(toml).toContain("firmware = '../../build/wokwi/flasher_args.json'")
  })

  it('chip_json_has_only_what_wokwi_knows', () => {
    for (const name of NAMES) {
      expect(Object.keys(chipJson(name)).sort()).toEqual(['author', 'controls', 'name', 'pins'])
      for (const { type } of chipJson(name).controls) expect(['boolean', 'range', 'string']).toContain(type)
    }
  })

  it('the_workflow_plays_every_scenario_and_names_no_file_that_is_not_there', () => {
    const root = dirname(dirname(FOLDER.replace(/\/$/, '')))
    const workflow = readFileSync(join(root, '.github/workflows/ci.yml'), 'utf8')
    const listed = [...workflow.matchAll(/scenarios\/([a-z_]+\.test\.yaml)/g)].map(([, name]) => name!)
    expect([...new Set(listed)].sort()).toEqual(readdirSync(`${FOLDER}scenarios`).sort())
    for (const name of listed) expect(existsSync(`${FOLDER}scenarios/${name}`)).toBe(true)
  })
})
