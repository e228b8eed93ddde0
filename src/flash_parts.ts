// What `noonmark flash` writes, each part read and checked before a port is opened: the image, the trust anchors, the settings
// sector, at the places of the board file's flash map.
//
//   out   address and bytes of every part, padded with 0xff to whole words as the flash is written
//
// Every failure is a FlashError with one sentence.

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { boardImage } from '../hal/virtual/board'
import type { Area } from '../sim/soc/board'
import { settingsSector } from '../sim/soc/settings'
import { anchorImageFault } from './anchor_image'
import { AnchorsError, systemAnchors } from './anchors'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const BOARD_FILE = `${ROOT}boards/esp32c3-devkitm-w5500.json`
const IMAGE_FILE = `${ROOT}build/esp32c3/noonmark.bin`

/** The first eight bytes that make the ROM boot directly: 0xaedb041d, twice. */
const DIRECT_BOOT_MAGIC = Buffer.from('1d04dbae1d04dbae', 'hex')

/** The eFuses have the address: the firmware ignores the one in the settings. */
const NO_MAC = new Uint8Array(6)

export class FlashError extends Error {}

export interface FlashMap {
  size: number
  image: Area
  log: Area
  anchors: Area
  settings: Area
}

export interface FlashPart {
  /** For people. */
  name: string
  address: number
  data: Uint8Array
}

export interface PartOptions {
  /** The image; build/esp32c3/noonmark.bin when not given; false: not to be written. */
  image?: string | false
  /** An image of trust anchors; true: made from the system's bundle. */
  anchors?: string | true
  /** JSON: some keys of the board file's `network`, and `options`. */
  settings?: string
}

export function flashMap(): FlashMap {
  return JSON.parse(readFileSync(BOARD_FILE, 'utf8')).flash
}

/** All that is to be written, in the order of the addresses. */
export async function flashParts(
  { image, anchors, settings }: PartOptions,
  map: FlashMap,
  say: (sentence: string) => void,
): Promise<FlashPart[]> {
  const parts: FlashPart[] = []
  if (image !== false) parts.push({ name: 'image', address: map.image.offset, data: readImage(image, map) })
  if (anchors !== undefined) {
    parts.push({ name: 'anchors', address: map.anchors.offset, data: readAnchors(anchors, map, say) })
  }
  if (settings !== undefined) {
    parts.push({ name: 'settings', address: map.settings.offset, data: await readSettings(settings, map) })
  }
  if (parts.length === 0) throw new FlashError('with --no-image there is nothing to write but --anchors or --settings')
  return parts
}

export function readImage(file: string | undefined, map: FlashMap): Uint8Array {
  if (file === undefined && !existsSync(IMAGE_FILE)) {
    throw new FlashError('there is no image yet: `npm run build:esp32c3` makes it')
  }
  const image = read(file ?? IMAGE_FILE)
  const name = file ?? 'build/esp32c3/noonmark.bin'
  if (!image.subarray(0, DIRECT_BOOT_MAGIC.length).equals(DIRECT_BOOT_MAGIC)) {
    throw new FlashError(`${name} is no image for direct boot: it does not begin with the words 0xaedb041d 0xaedb041d`)
  }
  return fitted(name, image, map.image)
}

function readAnchors(file: string | true, map: FlashMap, say: (sentence: string) => void): Uint8Array {
  if (file === true) {
    try {
      return fitted("the system's anchors", systemAnchors(say), map.anchors)
    } catch (error) {
      if (error instanceof AnchorsError) throw new FlashError(error.message)
      throw error
    }
  }
  const image = read(file)
  const fault = anchorImageFault(image)
  if (fault !== undefined) {
    throw new FlashError(`${file} is no image of trust anchors, as \`noonmark anchors --out\` makes it: ${fault}`)
  }
  return fitted(file, image, map.anchors)
}

/** The whole sector. What the file leaves out is as in the board file, and so is the calibration. */
async function readSettings(file: string, map: FlashMap): Promise<Uint8Array> {
  // Not bundled: it finds the schema from its own place.
  const { boardFaults } = (await import(
    new URL('../bin/board.mjs', import.meta.url).href
  )) as typeof import('../bin/board.mjs')
  const board = JSON.parse(readFileSync(BOARD_FILE, 'utf8'))
  const { options = board.options, ...network } = readObject(file)
  const own = { ...board, network: { ...board.network, ...network }, options }
  const faults = boardFaults(own).map((fault) => fault.replace(/^board\.(network\.)?|^network\./, ''))
  if (faults.length > 0) throw new FlashError(`${file} is not right: ${faults.join('; ')}`)
  const { calibration } = own
  return settingsSector(boardImage({ mac: NO_MAC, ...own.network, options, calibration }), map.settings.size)
}

function readObject(file: string): { [key: string]: unknown } {
  const text = read(file).toString()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new FlashError(`${file} is not JSON: ${(error as Error).message.replace(/\s+/g, ' ')}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FlashError(`${file} is not an object of settings, such as {"address": "192.168.1.5"}`)
  }
  return value as { [key: string]: unknown }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new FlashError(`${file} cannot be read: ${(error as Error).message}`)
  }
}

function fitted(name: string, bytes: Uint8Array, area: Area): Uint8Array {
  if (bytes.length > area.size) {
    throw new FlashError(
      `${name} has ${bytes.length} bytes, more than the ${area.size} that the board's flash map has for it`,
    )
  }
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4).fill(0xff)
  padded.set(bytes)
  return padded
}
