// When did a reply's first bit leave? The estimate, and what INTn said of the frame's end, held against each other.
//
//   in    the tick of SEND; for a watched frame INTn's edge at its end, with the frame's length
//   out   the instant of the first bit, for interleaved mode; how far the board's constants are off
//
// The estimate is SEND plus the board's constant (`sendToFramePs`). The edge is that of SENDOK, less the frame's time on the wire
// and the constants of the way to the tick. The edge is believed unless it is further from the estimate than edges usually
// are: a handler that was late, an edge that was another's after all. `departureDoubt` is what they differ by in the mean.
//
// Offsets and deviations are in 1/16 tick (4 ns), smoothed over eight edges; instants as in time/instant.ts.

import { clockNow } from '../clock/clock'
import { Calibration, settingsCalibration } from '../drivers/board_settings'
import { Departure, udpDeparted, udpDepartedTicks } from '../drivers/w5500_departure'
import { frameBytes, frameTicks } from '../drivers/w5500_udp'
import { Instant } from '../time/instant'

/** One byte at 100 Mbit/s. */
const BYTE_PICOS: i32 = 80_000

/** 1 us, and 20 us, in 1/16 tick. */
const MICROSECOND: i32 = 256
const FAR: i32 = 5120
/** No constant is longer than this: 1 ms, in ticks. */
const LONGEST: i64 = 16_000
/** Deviations from the mean that an edge may have on top of a microsecond. */
const GATE: i32 = 6

/** Counters and the state of the check, for the console; 16 bytes. */
@unmanaged
export class DepartureCheck {
  /** Edges that were believed, and those that were not seen or not believed. */
  seen: u32
  missed: u32
  /** Edge minus estimate: mean, and mean deviation from it. */
  offset: i32
  deviation: i32
}

const CHECK = changetype<DepartureCheck>(memory.data(16, 8))

let sendToFrame: i32 = 0
let endToTick: i32 = 0
/** The edge, less the frame, minus SEND, as the constants have it; 1/16 tick. */
let expected: i32 = 0

/** Reads the board's constants. */
export function departureInit(): void {
  sendToFrame = settingsCalibration(Calibration.SendToFrame)
  endToTick = settingsCalibration(Calibration.ArrivalDelay) + settingsCalibration(Calibration.EndToInt)
  // A tick is 62,500 ps.
  expected = <i32>(((<i64>(endToTick + sendToFrame)) << 4) / 62_500)
}

/** The first bit of the reply of `length` bytes, whose SEND ended at tick `sent` and whose end was watched. */
export function departureOf(out: Instant, sent: u64, length: u32): void {
  const edge = udpDepartedTicks() - frameTicks(length)
  if (udpDeparted() === Departure.Seen && isBelievable(edge, sent)) {
    CHECK.seen++
    clockNow(out, udpDepartedTicks())
    instantAdd(out, -endToTick - <i32>frameBytes(length) * BYTE_PICOS)
  } else {
    CHECK.missed++
    clockNow(out, sent)
    instantAdd(out, sendToFrame)
  }
}

export function departureCheck(): DepartureCheck {
  return CHECK
}

/** What departures may be wrong by, as far as the edges tell, nanoseconds. */
export function departureDoubt(): u32 {
  return <u32>((<u32>abs(CHECK.offset) * 125) >> 5)
}

/** Picoseconds to 2^-32 seconds. */
export function fractionFromPicos(picos: i32): i32 {
  // 2^32 / 1e12 = 1152921.5 / 2^28.
  return <i32>((<i64>picos * 1_152_922) >> 28)
}

/** Moves an instant by less than a second. */
export function instantAdd(instant: Instant, picos: i32): void {
  const fraction = <i64>instant.fraction + <i64>fractionFromPicos(picos)
  instant.seconds += fraction >> 32
  instant.fraction = <u32>fraction
}

function isBelievable(edge: u64, sent: u64): bool {
  const difference = <i64>(edge - sent)
  if (difference < 0 || difference > LONGEST) return false
  const offset = ((<i32>difference) << 4) - expected
  if (abs(offset) > FAR) return false
  if (CHECK.seen === 0) CHECK.offset = offset
  const away = abs(offset - CHECK.offset)
  const believable = away <= MICROSECOND + GATE * CHECK.deviation
  // What is not believed counts a little: if it goes on, the gate opens.
  CHECK.deviation += (min(away, 4 * MICROSECOND) - CHECK.deviation) >> (believable ? 3 : 4)
  if (believable) CHECK.offset += (offset - CHECK.offset) >> 3
  return believable
}
