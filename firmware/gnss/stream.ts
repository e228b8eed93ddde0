// The receiver's UART: UBX frames, NMEA sentences and noise in any mixture, one byte at a time.
//
// Bytes wait in one buffer until they are decided. The first undecided byte begins a frame, begins a sentence, or is
// noise; when a beginning turns out false, only its first byte is dropped and the bytes behind it are read again, so
// that damage costs no message but the damaged one. An item that was found only on such a second reading is stale: the
// time of its arrival is not known.
//
//     decided | candidate: start .. start+examined .. end | free

import { UBX_HEADER, UBX_OVERHEAD, UBX_SYNC_1, ubxMessage, ubxPayloadLength } from '../drivers/ubx_frame'
import { nmeaExamine } from './nmea'
import { UBX_PAYLOAD_MAX, ubxExamine } from './ubx'

export const enum StreamItem {
  None = 0,
  Ubx = 1,
  Nmea = 2,
}

/** Two of the longest frame, so that the candidate always has room after it was moved to the front. */
const CAPACITY: u32 = 2 * (UBX_PAYLOAD_MAX + UBX_OVERHEAD)
const BUFFER: usize = memory.data(CAPACITY, 8)

let start: u32 = 0
let examined: u32 = 0
let end: u32 = 0
let itemStart: u32 = 0
let itemLength: u32 = 0
let itemFresh: bool = false

let frames: u32 = 0
let sentences: u32 = 0
let noise: u32 = 0
let damaged: u32 = 0

export function streamInit(): void {
  start = 0
  examined = 0
  end = 0
  frames = 0
  sentences = 0
  noise = 0
  damaged = 0
}

/** Appends one byte. Call `streamNext` until it says None before the next. */
export function streamPush(byte: u32): void {
  if (end === CAPACITY) {
    memory.copy(BUFFER, BUFFER + start, end - start)
    end -= start
    start = 0
  }
  store<u8>(BUFFER + end, byte)
  end++
}

/** The next complete item among the bytes so far; None when more are needed. */
export function streamNext(): StreamItem {
  while (start < end) {
    const p = BUFFER + start
    const isUbx = <u32>load<u8>(p) === UBX_SYNC_1
    const length = isUbx ? ubxExamine(p, end - start) : nmeaExamine(p, examined, end - start)
    if (length === 0) {
      examined = end - start
      return StreamItem.None
    }
    if (length > 0) return take(isUbx ? StreamItem.Ubx : StreamItem.Nmea, <u32>length)
    skip(1)
  }
  start = 0
  end = 0
  return StreamItem.None
}

/** The line has fallen silent: what is incomplete now stays so. Call `streamNext` until None; all it gives is stale. */
export function streamBreak(): void {
  if (start < end) skip(1)
}

function take(item: StreamItem, length: u32): StreamItem {
  itemStart = start
  itemLength = length
  itemFresh = start + length === end
  start += length
  examined = 0
  if (item === StreamItem.Ubx) frames++
  else sentences++
  return item
}

function skip(count: u32): void {
  const char = <u32>load<u8>(BUFFER + start)
  if (char === UBX_SYNC_1 || char === 0x24) damaged++
  // The line ends between sentences are no noise.
  else if (char !== 13 && char !== 10) noise++
  start += count
  examined = 0
}

/** Address of the item that `streamNext` has just given; valid until the next `streamPush`. */
export function streamAddress(): usize {
  return BUFFER + itemStart
}

export function streamLength(): u32 {
  return itemLength
}

/** True when the item ended with the newest byte: it arrived just now. */
export function streamFresh(): bool {
  return itemFresh
}

/** `class << 8 | id` of a UBX item. */
export function streamMessage(): u32 {
  return ubxMessage(BUFFER + itemStart)
}

export function streamPayload(): usize {
  return BUFFER + itemStart + UBX_HEADER
}

export function streamPayloadLength(): u32 {
  return ubxPayloadLength(BUFFER + itemStart)
}

/** Frames and sentences taken, bytes of noise, and beginnings that came to nothing. */
export function streamFrames(): u32 {
  return frames
}

export function streamSentences(): u32 {
  return sentences
}

export function streamNoise(): u32 {
  return noise
}

export function streamDamaged(): u32 {
  return damaged
}
