// Does a UBX frame begin here? One examination of the bytes that have come so far; the stream (stream.ts) keeps them.

import { loadU16le } from '../bytes/endian'
import { UBX_HEADER, UBX_OVERHEAD, UBX_SYNC_1, UBX_SYNC_2, ubxChecksum, ubxPayloadLength } from '../drivers/ubx_frame'

/**
 * Longest payload that is taken: MON-VER with 15 extensions is 490 bytes. A longer one counts as noise, so that a
 * damaged length cannot hold back the messages behind it for long.
 */
export const UBX_PAYLOAD_MAX: u32 = 512

/**
 * Examines `available` bytes at `p`. Returns the length of the whole frame when it is complete and its checksum holds,
 * 0 when more bytes are needed, -1 when no frame begins here.
 */
export function ubxExamine(p: usize, available: u32): i32 {
  if (available >= 1 && <u32>load<u8>(p) !== UBX_SYNC_1) return -1
  if (available >= 2 && <u32>load<u8>(p, 1) !== UBX_SYNC_2) return -1
  if (available < UBX_HEADER) return 0
  const length = ubxPayloadLength(p)
  if (length > UBX_PAYLOAD_MAX) return -1
  if (available < length + UBX_OVERHEAD) return 0
  const sum = ubxChecksum(p + 2, length + 4)
  return sum === loadU16le(p + UBX_HEADER + length) ? <i32>(length + UBX_OVERHEAD) : -1
}
