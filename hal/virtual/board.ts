// The settings that a virtual board is given, and their image for `board_config` of hal/abi.ts.

export interface BoardSettings {
  /** 6 bytes. */
  mac: Uint8Array
  ntpPort: number
  kePort: number
  /** Dotted quads. */
  address: string
  mask: string
  gateway: string
  /** DNS names, the first is the device's own. */
  names: string[]
  /** `key=value` each. */
  options: string[]
  calibration: Calibration
}

/** Constants of a board, picoseconds; hal/abi.ts says what each is. Boards of boards/*.json have the same names there. */
export interface Calibration {
  pulseDelayPs: number
  pulseResidualPs: number
  arrivalDelayPs: number
  frameToIntPs: number
  sendToFramePs: number
  plainReplyPs: number
  sealedReplyPs: number
  wireResidualPs: number
  endToIntPs: number
}

/** Captures of hal/virtual/capture.ts: 1.2 us, less the 37.5 ns that the counter is behind on the average. */
export const VIRTUAL_CALIBRATION: Calibration = {
  pulseDelayPs: 1_162_500,
  pulseResidualPs: 150_000,
  arrivalDelayPs: 1_162_500,
  frameToIntPs: 17_000_000,
  sendToFramePs: 57_000_000,
  plainReplyPs: 0,
  sealedReplyPs: 0,
  wireResidualPs: 150_000,
  endToIntPs: 0,
}

export const DEFAULT_BOARD: BoardSettings = {
  mac: Uint8Array.of(0x02, 0x4e, 0x4d, 0x00, 0x00, 0x01),
  ntpPort: 123,
  kePort: 4460,
  address: '127.0.0.1',
  mask: '255.0.0.0',
  gateway: '0.0.0.0',
  names: ['noonmark.local'],
  options: [],
  calibration: VIRTUAL_CALIBRATION,
}

const LAYOUT = 1
const CALIBRATION = 28
const FIXED = 64
const NAMES_MAX = 228
const OPTIONS_MAX = 1024

/** The image; throws a RangeError whose message is a sentence when a setting does not fit. */
export function boardImage(board: BoardSettings): Uint8Array {
  const names = joined(board.names, NAMES_MAX, 'names')
  for (const option of board.options) checkOption(option)
  const options = joined(board.options, OPTIONS_MAX, 'options')
  const image = new Uint8Array(FIXED + names.length + options.length)
  const view = new DataView(image.buffer)
  image.set(board.mac.subarray(0, 6), 0)
  view.setUint16(6, board.ntpPort, true)
  view.setUint16(8, board.kePort, true)
  image.set(quad(board.address), 10)
  image.set(quad(board.mask), 14)
  image.set(quad(board.gateway), 18)
  view.setUint8(22, LAYOUT)
  view.setUint16(24, names.length, true)
  view.setUint16(26, options.length, true)
  for (const [i, word] of calibrationWords(board.calibration).entries()) view.setInt32(CALIBRATION + 4 * i, word, true)
  image.set(names, FIXED)
  image.set(options, FIXED + names.length)
  return image
}

/** An option that the firmware could read; throws a RangeError otherwise. Whether it knows the key is its own affair. */
export function checkOption(option: string): void {
  if (!/^[a-z][a-z0-9-]*=[ -~]*$/.test(option)) throw new RangeError(`not an option of the form key=value: ${option}`)
}

function calibrationWords(c: Calibration): number[] {
  return [
    c.pulseDelayPs,
    c.pulseResidualPs,
    c.arrivalDelayPs,
    c.frameToIntPs,
    c.sendToFramePs,
    c.plainReplyPs,
    c.sealedReplyPs,
    c.wireResidualPs,
    c.endToIntPs,
  ]
}

function joined(texts: string[], limit: number, what: string): Uint8Array {
  const bytes = new TextEncoder().encode(texts.join('\0'))
  if (bytes.length > limit) throw new RangeError(`the ${what} take ${bytes.length} bytes; ${limit} fit`)
  return bytes
}

function quad(text: string): Uint8Array {
  const parts = text.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    throw new RangeError(`not an IPv4 address: ${text}`)
  return Uint8Array.from(parts)
}
