// The settings sector: the board's own settings, flashed beside the image so that the image stays the same for all boards.
//
//   "NMST"(4) | length u32 | check u32 | settings (as `board_config` of hal/abi.ts), the rest 0xFF. Little-endian.
//
// `check` is FNV-1a of the settings. hal/esp32c3/settings.c reads it through the data bus; without a valid sector the board's
// file holds. Its MAC field is ignored: the eFuses have it.

const MAGIC = 0x5453_4d4e
const HEADER = 12

export function settingsSector(settings: Uint8Array, size: number): Uint8Array {
  if (HEADER + settings.length > size) throw new RangeError(`the settings do not fit into ${size} bytes`)
  const sector = new Uint8Array(size).fill(0xff)
  const view = new DataView(sector.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, settings.length, true)
  view.setUint32(8, fnv1a(settings), true)
  sector.set(settings, HEADER)
  return sector
}

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c_9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193)
  return hash >>> 0
}
