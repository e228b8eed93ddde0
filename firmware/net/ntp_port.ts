// The NTP port: datagram -> T2 -> server -> reply on the wire.
//
// In: INTn's captured edges and datagrams from drivers/w5500_udp. Out: replies. One datagram a call, so that the superloop
// stays in charge. T2 is the end of the request's frame on the wire. T3 is read in ntp/server and moved forward by the
// time that the reply still needs to its first bit on the wire: sealing, SPI frames, and the chip's own latency. For a client
// of interleaved mode the end of the reply is watched, and its true T3 goes into the next one.

import { clockNow, clockTicks } from '../clock/clock'
import { smear, smearEnabled } from '../clock/smear'
import { Calibration, settingsCalibration } from '../drivers/board_settings'
import { LATE_LIMIT, Stamp } from '../drivers/w5500_arrival'
import {
  Datagram,
  Route,
  udpOpen,
  udpPrepare,
  udpReady,
  udpReceive,
  udpSend,
  udpSentTicks,
  udpWaiting,
  udpWatch,
} from '../drivers/w5500_udp'
import { NtpNote, ntpNote } from '../ntp/counters'
import { interleavedAsked, interleavedDeparted, interleavedUnknown } from '../ntp/interleaved'
import { NTP_HEADER_LENGTH, NtpMode, ntpMode } from '../ntp/packet'
import { ntpLearnTransmitDelay, ntpServe, ntpSetPeer, ntpTransmitTicks } from '../ntp/server'
import { transmitDelayStart } from '../ntp/transmit_delay'
import { Instant } from '../time/instant'
import { departureDoubt, departureInit, departureOf, fractionFromPicos, instantAdd } from './departure'
import { SOCKET_NTP, SOCKET_NTP_STRANGERS } from './sockets'

/** Longest request that is read, and longest reply: what fits an unfragmented Ethernet frame. */
const PACKET_MAX: u32 = 1472

const REPLY: usize = memory.data(1472, 8)
/** Ticks that one reading of the counter takes. */
let readingTicks: u64 = 0

const INSTANT = changetype<Instant>(memory.data(16, 8))

/** Standard deviations of the board's constants that the root dispersion covers. */
const RESIDUALS: u32 = 4

/** The board's constants: from a request's last bit to the tick of its own edge, to where it is seen; picoseconds. */
let frameToTick: i32 = 0
let frameToInt: i32 = 0
/** From SEND to the first bit, 2^-32 s. */
let sendToFrame: u32 = 0
/** What the board's constants may be wrong by, nanoseconds. */
let residual: u32 = 0

/** The last reply's departure is to be told to ntp/interleaved: its length, and the tick of its SEND. */
let awaited: bool = false
let awaitedLength: u32 = 0
let awaitedSent: u64 = 0

/** An edge that bounds somebody else's arrival may have been taken late by this, nanoseconds. */
const LATE_NANOS: u64 = (LATE_LIMIT * 125) / 2

/** 2^-32 seconds in a tick, times 2^8: 2^40 / 16e6. */
const FRACTION_PER_TICK: u64 = 68_719

/** Opens the port; the driver keeps it open from then on. */
export function ntpPortOpen(port: u32): void {
  readingTicks = measureReading()
  frameToInt = settingsCalibration(Calibration.FrameToInt)
  frameToTick = frameToInt + settingsCalibration(Calibration.ArrivalDelay)
  sendToFrame = fractionFromPicos(settingsCalibration(Calibration.SendToFrame))
  residual = (<u32>settingsCalibration(Calibration.WireResidual) / 1000) * RESIDUALS
  transmitDelayStart(startValue(Calibration.PlainReply), startValue(Calibration.SealedReply))
  departureInit()
  udpOpen(SOCKET_NTP, SOCKET_NTP_STRANGERS, port)
}

/** Serves at most one datagram; true when there may be another at once. */
export function ntpPortPoll(now: u64): bool {
  if (!udpWaiting(SOCKET_NTP) || !udpReady(SOCKET_NTP, now)) return false
  if (awaited) takeDeparture()
  const datagram = udpReceive(SOCKET_NTP, PACKET_MAX, now)
  if (changetype<usize>(datagram) === 0) return false
  serve(datagram, now)
  return udpWaiting(SOCKET_NTP)
}

function serve(datagram: Datagram, now: u64): void {
  // The route is prepared first, since that takes time which T3 must not contain. Nothing is prepared for a packet that
  // will not be answered: asking for hardware addresses has a budget.
  if (!looksLikeRequest(datagram)) {
    ntpServe(datagram.data, datagram.length, INSTANT, REPLY, PACKET_MAX)
    return
  }
  const watch = interleavedAsked(datagram.data)
  const route = udpPrepare(SOCKET_NTP, datagram.ip, datagram.port, now)
  if (route === Route.None) return
  udpWatch(watch)
  arrival(datagram)
  const length = ntpServe(datagram.data, datagram.length, INSTANT, REPLY, PACKET_MAX)
  if (length === 0 || !udpSend(REPLY, length)) {
    interleavedUnknown()
    return
  }
  const sent = udpSentTicks() - readingTicks
  ntpLearnTransmitDelay(fraction(sent - ntpTransmitTicks()) + sendToFrame)
  awaited = watch && route === Route.Known
  if (!awaited) interleavedUnknown()
  awaitedLength = length
  awaitedSent = sent
}

/** T2, and what it may be wrong by. */
function arrival(datagram: Datagram): void {
  const exact = datagram.stamp === Stamp.Exact
  if (!exact) ntpNote(NtpNote.Merged)
  const spread = exact ? 0 : nanos(datagram.spread) + LATE_NANOS
  ntpSetPeer(datagram.ip, <u64>(residual + departureDoubt()) + spread)
  clockNow(INSTANT, datagram.ticks)
  instantAdd(INSTANT, exact ? -frameToTick : -frameToInt)
}

/** The watched reply has left. */
function takeDeparture(): void {
  awaited = false
  departureOf(INSTANT, awaitedSent, awaitedLength)
  if (smearEnabled()) smear(INSTANT)
  interleavedDeparted(INSTANT)
}

function looksLikeRequest(datagram: Datagram): bool {
  return datagram.length >= NTP_HEADER_LENGTH && ntpMode(datagram.data) === NtpMode.Client
}

/** From T3's reading to the reply's first bit, before anything was learnt; 2^-32 s. */
function startValue(which: Calibration): u32 {
  const known = settingsCalibration(which)
  return known === 0 ? 0 : fractionFromPicos(known) + sendToFrame
}

/** Ticks to nanoseconds, rounded up. */
function nanos(ticks: u32): u64 {
  return (<u64>ticks * 125 + 1) >> 1
}

/** Ticks to 2^-32 seconds. */
function fraction(ticks: u64): u32 {
  return <u32>((ticks * FRACTION_PER_TICK) >> 8)
}

/** The least time between two readings of the tick counter: the last reading of an interval does not belong to it. */
function measureReading(): u64 {
  let least: u64 = u64.MAX_VALUE
  let before = clockTicks()
  for (let i = 0; i < 8; i++) {
    const now = clockTicks()
    least = min(least, now - before)
    before = now
  }
  return least
}
