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
}

export const DEFAULT_BOARD: BoardSettings = {
  mac: Uint8Array.of(0x02, 0x4e, 0x4d, 0x00, 0x00, 0x01),
  ntpPort: 123,
  kePort: 4460,
  address: '127.0.0.1',
  mask: '255.0.0.0',
  gateway: '0.0.0.0',
  names: ['noonmark.local'],
}

const FIXED = 28

/** `mac(6) | ntp u16 | ke u16 | address(4) | mask(4) | gateway(4) | 0(2) | names length u16 | 0(2) | names`. */
export function boardImage(board: BoardSettings): Uint8Array {
  const names = new TextEncoder().encode(board.names.join('\0'))
  const image = new Uint8Array(FIXED + names.length)
  const view = new DataView(image.buffer)
  image.set(board.mac.subarray(0, 6), 0)
  view.setUint16(6, board.ntpPort, true)
  view.setUint16(8, board.kePort, true)
  image.set(quad(board.address), 10)
  image.set(quad(board.mask), 14)
  image.set(quad(board.gateway), 18)
  view.setUint16(24, names.length, true)
  image.set(names, FIXED)
  return image
}

function quad(text: string): Uint8Array {
  const parts = text.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    throw new RangeError(`not an IPv4 address: ${text}`)
  return Uint8Array.from(parts)
}
