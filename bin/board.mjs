// Board files: reads boards/NAME.json, checks it against boards/board.schema.json and against what no schema can say, and
// writes it as a C header for hal/esp32c3.
//
// Only the keywords that the schema uses are known here; another one in it is an error, not ignored.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './setup.mjs'

export const DEFAULT_BOARD_FILE = join(ROOT, 'boards/esp32c3-devkitm-w5500.json')

/** The board in `file`; throws an Error whose message lists everything that is wrong with it. */
export function readBoard(file = DEFAULT_BOARD_FILE) {
  const board = JSON.parse(readFileSync(file, 'utf8'))
  const faults = boardFaults(board)
  if (faults.length > 0) throw new Error(`${file}:\n  ${faults.join('\n  ')}`)
  return board
}

/** Everything that is wrong with a board, one sentence each. */
export function boardFaults(board) {
  const schema = JSON.parse(readFileSync(join(ROOT, 'boards/board.schema.json'), 'utf8'))
  const faults = schemaFaults(board, schema, schema, 'board')
  return faults.length > 0 ? faults : [...pinFaults(board), ...flashFaults(board), ...textFaults(board)]
}

const ANNOTATIONS = ['$schema', '$defs', 'title', 'description']

function schemaFaults(value, schema, root, path) {
  const faults = []
  for (const [keyword, wanted] of Object.entries(schema)) {
    if (ANNOTATIONS.includes(keyword)) continue
    const check = KEYWORDS[keyword]
    if (check === undefined) throw new Error(`boards/board.schema.json: this check does not know "${keyword}"`)
    faults.push(...check(value, wanted, schema, root, path))
  }
  return faults
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const TYPES = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  integer: Number.isInteger,
}
const when = (fault, sentence) => (fault ? [sentence] : [])

const KEYWORDS = {
  type: (value, type, _schema, _root, path) => when(!TYPES[type](value), `${path} is not of type ${type}`),
  enum: (value, list, _schema, _root, path) => when(!list.includes(value), `${path} is not one of ${list.join(', ')}`),
  pattern: (value, pattern, _schema, _root, path) =>
    when(typeof value === 'string' && !new RegExp(pattern).test(value), `${path} "${value}" does not match ${pattern}`),
  minimum: (value, least, _schema, _root, path) => when(value < least, `${path} is below ${least}`),
  maximum: (value, most, _schema, _root, path) => when(value > most, `${path} is above ${most}`),
  multipleOf: (value, unit, _schema, _root, path) => when(value % unit !== 0, `${path} is no multiple of ${unit}`),
  minItems: (value, least, _schema, _root, path) =>
    when(Array.isArray(value) && value.length < least, `${path} has fewer than ${least} items`),
  maxItems: (value, most, _schema, _root, path) =>
    when(Array.isArray(value) && value.length > most, `${path} has more than ${most} items`),
  required: (value, names, _schema, _root, path) =>
    isObject(value) ? names.filter((name) => !(name in value)).map((name) => `${path}.${name} is missing`) : [],
  additionalProperties: (value, _no, schema, _root, path) =>
    isObject(value)
      ? Object.keys(value)
          .filter((name) => !(name in schema.properties))
          .map((name) => `${path}.${name} is not known`)
      : [],
  properties: (value, schemas, _schema, root, path) =>
    isObject(value)
      ? Object.keys(schemas)
          .filter((name) => name in value)
          .flatMap((name) => schemaFaults(value[name], schemas[name], root, `${path}.${name}`))
      : [],
  items: (value, item, _schema, root, path) =>
    Array.isArray(value) ? value.flatMap((each, i) => schemaFaults(each, item, root, `${path}[${i}]`)) : [],
  $ref: (value, name, _schema, root, path) => schemaFaults(value, root.$defs[name.replace('#/$defs/', '')], root, path),
}

function pinFaults(board) {
  const users = new Map()
  const faults = []
  for (const part of ['ethernet', 'receiver', 'rtc']) {
    for (const [name, gpio] of Object.entries(board[part].pins)) use(`${part}.${name}`, gpio)
  }
  for (const [name, gpio] of Object.entries(board.leds)) use(`leds.${name}`, gpio)
  function use(user, gpio) {
    if (gpio === null) return
    if (users.has(gpio)) faults.push(`GPIO ${gpio} is both ${users.get(gpio)} and ${user}`)
    users.set(gpio, user)
  }
  return faults
}

function flashFaults({ flash, budget, stack }) {
  const { image, log, anchors } = flash
  const faults = []
  if (image.offset !== 0) faults.push('flash.image.offset is not 0, where direct boot looks')
  const areas = ['image', 'log', 'anchors', 'settings'].sort((a, b) => flash[a].offset - flash[b].offset)
  areas.forEach((name, i) => {
    const { offset, size } = flash[name]
    const next = areas[i + 1]
    if (next && offset + size > flash[next].offset) faults.push(`flash.${name} overlaps flash.${next}`)
    if (offset + size > flash.size) faults.push(`flash.${name} ends beyond the flash`)
  })
  if (anchors.offset !== log.offset + log.size) faults.push('flash.anchors does not follow flash.log')
  if (log.size < 4 * 4096) faults.push('flash.log has fewer than 4 sectors')
  if (budget.flash > image.size) faults.push('budget.flash is more than flash.image holds')
  if (stack % 256 !== 0) faults.push('stack is no multiple of 256')
  return faults
}

/** What `board_config` of hal/abi.ts has room for. */
function textFaults({ network, options }) {
  const faults = []
  if (network.names.join('\0').length > 228) faults.push('network.names take more than 228 bytes')
  if (options.join('\0').length > 1024) faults.push('options take more than 1024 bytes')
  return faults
}

/** The board as hal/esp32c3/board.h. */
export function boardHeader(board) {
  const { ethernet, receiver, rtc, leds, capture, calibration, flash, network, options } = board
  const values = {
    CRYSTAL_HZ: board.crystalHz,
    CPU_HZ: board.cpuHz,
    ETHERNET_CLOCK_HZ: ethernet.clockHz,
    ...prefixed('ETHERNET', ethernet.pins),
    RECEIVER_BAUD: receiver.baud,
    ...prefixed('RECEIVER', receiver.pins),
    RTC_CLOCK_HZ: rtc.clockHz,
    ...prefixed('RTC', { sda: rtc.pins.sda, scl: rtc.pins.scl, sqw: rtc.pins.sqw ?? 0 }),
    RTC_SQW_BIT: rtc.pins.sqw === null ? 0 : 1 << rtc.pins.sqw,
    ...prefixed('LED', leds),
    INTERRUPT_CYCLES: capture.interruptCycles,
    SPIN_CYCLES: capture.spinCycles,
    FLASH_LOG_OFFSET: flash.log.offset,
    FLASH_LOG_SIZE: flash.log.size,
    FLASH_ANCHORS_SIZE: flash.anchors.size,
    FLASH_SETTINGS_OFFSET: flash.settings.offset,
    FLASH_SETTINGS_SIZE: flash.settings.size,
    ADDRESS: commas(network.address),
    MASK: commas(network.mask),
    GATEWAY: commas(network.gateway),
    NTP_PORT: network.ntpPort,
    KE_PORT: network.kePort,
    NAMES: literal(network.names),
    OPTIONS: literal(options),
    CALIBRATION: CALIBRATION.map((name) => calibration[name]).join(', '),
  }
  const lines = Object.entries(values).map(([name, value]) => {
    return `#define BOARD_${name} ${typeof value === 'number' ? `${value}u` : value}`
  })
  return [`// Made from the board file "${board.name}" by bin/board.mjs.`, '#pragma once', ...lines, ''].join('\n')
}

const prefixed = (prefix, pins) =>
  Object.fromEntries(Object.entries(pins).map(([name, gpio]) => [`${prefix}_${name.toUpperCase()}`, gpio]))
/** In the order of `board_config`. */
const CALIBRATION = [
  'pulseDelayPs',
  'pulseResidualPs',
  'arrivalDelayPs',
  'frameToIntPs',
  'sendToFramePs',
  'plainReplyPs',
  'sealedReplyPs',
  'wireResidualPs',
  'endToIntPs',
]

/** Texts separated by NUL as one C string literal. */
const literal = (texts) => texts.map((text) => JSON.stringify(text)).join(' "\\0" ') || '""'
const commas = (quad) => quad.split('.').join(', ')
