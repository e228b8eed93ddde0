// node bin/draw_wiring.mjs: draws docs/wiring.svg from the board file, so that the picture cannot disagree with it.
//
// Two columns of parts, the chip between them; every wire is a straight line, since the chip's pins are drawn where the
// parts want them. Sizes in pixels.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readBoard } from './board.mjs'
import { ROOT } from './setup.mjs'

export const WIRING_FILE = join(ROOT, 'docs/wiring.svg')

const ROW = 34
const HEADER = 52
const GAP = 26
const TOP = 84
const WIDTH = 1180
const PART = { left: 30, right: 910, width: 240 }
const CHIP = { x: 430, width: 320 }
const COLOURS = {
  spi: '#1f5fbf',
  uart: '#1d7f3c',
  pulse: '#b0126e',
  i2c: '#b35900',
  usb: '#6a3fb5',
  pin: '#475569',
  power: '#c0262d',
  ground: '#111827',
}

/** GPIOs that the chip reads at reset to choose its boot mode. */
const STRAPPING = [2, 8, 9]

/** The picture of one board, as SVG text. */
export function drawWiring(board) {
  const left = [receiver(board), rtc(board), usb()]
  const right = [ethernet(board), leds(board)]
  const height = TOP + Math.max(columnHeight(left), columnHeight(right)) + 30
  const drawing = [
    ...column(left, 'left'),
    ...column(right, 'right'),
    ...chip(placed(left), placed(right), height - TOP - 30),
    ...legend(TOP + columnHeight(right) + 34),
  ]
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="Helvetica, Arial, sans-serif">`,
    '<title>Noonmark: how the parts are wired</title>',
    `<!-- Made from boards/${board.name}.json by bin/draw_wiring.mjs; do not edit. -->`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(30, 38, 'Noonmark: wiring', { size: 22, bold: true }),
    text(30, 60, `${board.title} (boards/${board.name}.json)`, { size: 14, colour: '#475569' }),
    ...drawing,
    '</svg>',
  ].join('\n')}\n`
}

const signal = (name, gpio, role, kind, note) => ({ name, gpio, role, kind, note })
const supply = (name, rail) => ({ name, rail })

function receiver({ receiver: { pins, bus } }) {
  return {
    title: 'u-blox receiver',
    subtitle: 'M8, M9 or M10 module with PPS pin',
    rows: [
      supply('VCC', '3V3'),
      supply('GND', 'GND'),
      signal('TXD', pins.rx, `${bus} RX`, 'uart'),
      signal('RXD', pins.tx, `${bus} TX`, 'uart'),
      signal('PPS', pins.pps, 'pulse, rising edge', 'pulse', 'short wire'),
    ],
  }
}

function rtc({ rtc: { pins, bus } }) {
  const square = pins.sqw === null ? { name: 'SQW, 32K', nothing: true } : signal('SQW', pins.sqw, '1 Hz', 'pin')
  return {
    title: 'DS3231 clock',
    subtitle: 'with coin cell',
    rows: [
      supply('VCC', '3V3'),
      supply('GND', 'GND'),
      signal('SDA', pins.sda, `${bus} SDA`, 'i2c', '4.7 kΩ to 3V3'),
      signal('SCL', pins.scl, `${bus} SCL`, 'i2c', '4.7 kΩ to 3V3'),
      square,
    ],
  }
}

function ethernet({ ethernet: { pins, bus } }) {
  return {
    title: 'W5500 module',
    subtitle: '100 µF and 100 nF at its supply pins',
    rows: [
      supply('3.3V', '3V3'),
      supply('GND', 'GND'),
      signal('SCLK', pins.sclk, `${bus} clock`, 'spi'),
      signal('MOSI', pins.mosi, `${bus} out`, 'spi'),
      signal('MISO', pins.miso, `${bus} in`, 'spi', '10 kΩ to 3V3'),
      signal('SCSn', pins.cs, 'chip select', 'spi', '10 kΩ to 3V3'),
      signal('INTn', pins.int, 'arrival, falling edge', 'pulse', 'short wire'),
      signal('RSTn', pins.reset, 'reset', 'pin'),
    ],
  }
}

function leds({ leds: { locked } }) {
  return {
    title: 'LED (optional)',
    subtitle: 'anode here, cathode to GND',
    rows: [signal('locked', locked, 'on: locked', 'pin', '1 kΩ in series')],
  }
}

/** The console's pins belong to the chip, not to the board file. */
function usb() {
  return {
    title: 'USB cable to the computer',
    subtitle: 'supply, flashing and console',
    rows: [
      signal('D−', 18, 'USB D−', 'usb'),
      signal('D+', 19, 'USB D+', 'usb'),
      supply('VBUS', '5V'),
      supply('GND', 'GND'),
    ],
  }
}

const partHeight = (part) => HEADER + part.rows.length * ROW
const columnHeight = (parts) => parts.reduce((sum, part) => sum + partHeight(part) + GAP, -GAP)

/** Every row with its y. */
function placed(parts) {
  let y = TOP
  return parts.flatMap((part) => {
    const rows = part.rows.map((row, i) => ({ ...row, y: y + HEADER + i * ROW + ROW / 2 - 4 }))
    y += partHeight(part) + GAP
    return rows
  })
}

function column(parts, side) {
  const x = PART[side]
  let y = TOP
  const boxes = parts.flatMap((part) => {
    const height = partHeight(part)
    const box = [
      rect(x, y, PART.width, height, '#f8fafc', '#334155'),
      text(x + 14, y + 22, part.title, { size: 15, bold: true }),
      text(x + 14, y + 40, part.subtitle, { size: 11, colour: '#475569' }),
    ]
    y += height + GAP
    return box
  })
  return [...boxes, ...placed(parts).flatMap((row) => wire(row, side))]
}

/** A row of a part: its pin's name and its wire to the chip, to a rail, or to nothing. */
function wire(row, side) {
  const isLeft = side === 'left'
  const edge = isLeft ? PART.left + PART.width : PART.right
  const away = isLeft ? 1 : -1
  const name = text(edge - away * 12, row.y + 4, row.name, { size: 13, anchor: isLeft ? 'end' : 'start' })
  if (row.nothing) return [name, text(edge + away * 12, row.y + 4, 'not wired', note(isLeft))]
  if (row.rail) return [name, ...flag(edge, row.y, away, row.rail)]
  const end = isLeft ? CHIP.x : CHIP.x + CHIP.width
  const colour = COLOURS[row.kind]
  const parts = [name, line(edge, row.y, end, row.y, colour, row.kind === 'pulse' ? 3 : 2)]
  if (row.note) parts.push(text((edge + end) / 2, row.y - 6, row.note, { size: 11, anchor: 'middle', colour }))
  return parts
}

const note = (isLeft) => ({ size: 11, anchor: isLeft ? 'start' : 'end', colour: '#64748b' })

/** A wire to a supply rail, shown by the rail's name. */
function flag(x, y, away, rail) {
  const colour = rail === 'GND' ? COLOURS.ground : COLOURS.power
  const start = x + away * 22
  const left = away > 0 ? start : start - 40
  return [
    line(x, y, start, y, colour, 2),
    `<rect x="${left}" y="${y - 9}" width="40" height="18" rx="9" fill="${colour}"/>`,
    text(left + 20, y + 4, rail, { size: 11, anchor: 'middle', colour: '#ffffff', bold: true }),
  ]
}

function chip(left, right, height) {
  const middle = CHIP.x + CHIP.width / 2
  const pins = [...chipPins(left, CHIP.x, 1), ...chipPins(right, CHIP.x + CHIP.width, -1)]
  const bottom = TOP + height
  return [
    rect(CHIP.x, TOP, CHIP.width, height, '#eef2ff', '#1e3a8a'),
    text(middle, TOP + 24, 'ESP32-C3', { size: 18, bold: true, anchor: 'middle' }),
    text(middle, TOP + 42, 'revision v0.3 or later', { size: 12, anchor: 'middle', colour: '#475569' }),
    ...pins,
    ...rails(middle, bottom),
  ]
}

/** The chip's pins along one of its edges; `inward` is 1 at the left edge. */
function chipPins(rows, x, inward) {
  const anchor = inward > 0 ? 'start' : 'end'
  const wired = rows.filter((row) => row.gpio !== undefined)
  return wired.flatMap((row) => {
    const parts = [
      `<circle cx="${x}" cy="${row.y}" r="4.5" fill="${COLOURS[row.kind]}"/>`,
      text(x + inward * 12, row.y + 1, `GPIO ${row.gpio}`, { size: 13, anchor, bold: true }),
      text(x + inward * 12, row.y + 14, row.role, { size: 11, anchor, colour: '#475569' }),
    ]
    if (STRAPPING.includes(row.gpio)) parts.push(...strap(x + inward * 96, row.y - 3))
    return parts
  })
}

/** The chip's own supply pins, at its foot. */
function rails(middle, bottom) {
  const names = ['5V', '3V3', 'GND']
  return names.flatMap((rail, i) => {
    const x = middle + (i - 1) * 56
    const colour = rail === 'GND' ? COLOURS.ground : COLOURS.power
    return [
      `<rect x="${x - 20}" y="${bottom - 40}" width="40" height="18" rx="9" fill="${colour}"/>`,
      text(x, bottom - 27, rail, { size: 11, anchor: 'middle', colour: '#ffffff', bold: true }),
    ]
  })
}

function strap(x, y) {
  return [
    `<rect x="${x - 25}" y="${y - 9}" width="50" height="17" rx="3" fill="#fde68a" stroke="#b45309"/>`,
    text(x, y + 4, 'strap', { size: 11, anchor: 'middle', colour: '#7c2d12' }),
  ]
}

function legend(y) {
  const x = 796
  const lines = [
    ['spi', 'SPI, on the IO MUX pins'],
    ['uart', 'UART'],
    ['i2c', 'I2C'],
    ['pulse', 'edges whose time is taken'],
    ['usb', "the chip's own USB"],
    ['pin', 'plain outputs'],
  ]
  return [
    ...lines.flatMap(([kind, meaning], i) => [
      line(x, y + i * 22, x + 34, y + i * 22, COLOURS[kind], kind === 'pulse' ? 3 : 2),
      text(x + 44, y + i * 22 + 4, meaning, { size: 12 }),
    ]),
    ...strap(x + 17 + 8, y + lines.length * 22 + 1),
    text(x + 58, y + lines.length * 22 + 4, 'read at reset: must be high then', { size: 12 }),
    text(x, y + lines.length * 22 + 28, 'All rails of one name are joined. Signals are 3.3 V only.', { size: 12 }),
  ]
}

function text(x, y, words, { size, bold = false, anchor = 'start', colour = '#0f172a' }) {
  const weight = bold ? ' font-weight="bold"' : ''
  return `<text x="${x}" y="${y}" font-size="${size}"${weight} text-anchor="${anchor}" fill="${colour}">${words}</text>`
}

function line(x1, y1, x2, y2, colour, width) {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="${width}"/>`
}

function rect(x, y, width, height, fill, stroke) {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="8" fill="${fill}" stroke="${stroke}" stroke-width="1.5"/>`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(WIRING_FILE, drawWiring(readBoard()))
  console.log(`drew ${WIRING_FILE}`)
}
