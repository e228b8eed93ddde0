// The NTP port: datagram -> T2 -> server -> reply on the wire.
//
// In: INTn's captured edges and datagrams from drivers/w5500_udp. Out: replies. One datagram a call, so that the superloop
// stays in charge. T2 is the end of the request's frame on the wire. T3 is read in ntp/server and moved forward by the
// time that the reply still needs to its first bit on the wire: sealing, SPI frames, and the chip's own latency.

import { clockNow, clockTicks } from '../clock/clock'
import { Calibration, settingsCalibration } from '../drivers/board_settings'
import { Stamp } from '../drivers/w5500_arrival'
import {
  Datagram,
  Route,
  SEND_TO_FRAME,
  udpOpen,
  udpPrepare,
  udpReady,
  udpReceive,
  udpSend,
  udpSentTicks,
  udpWaiting,
} from '../drivers/w5500_udp'
import { NTP_HEADER_LENGTH, NtpMode, ntpMode } from '../ntp/packet'
import { ntpLearnTransmitDelay, ntpServe, ntpSetArrivalSpread, ntpTransmitTicks } from '../ntp/server'
import { Instant } from '../time/instant'
import { SOCKET_NTP, SOCKET_NTP_STRANGERS } from './sockets'

/** Longest request that is read, and longest reply: what fits an unfragmented Ethernet frame. */
const PACKET_MAX: u32 = 1472

const REPLY: usize = memory.data(1472, 8)
/** Ticks that one reading of the counter takes. */
let readingTicks: u64 = 0

const T2 = changetype<Instant>(memory.data(16, 8))

/** Mean delay from INTn's edge to the captured tick, in ticks: the board's calibration. */
let arrivalDelay: i64 = 0

/** 2^-32 seconds in a tick, times 2^8: 2^40 / 16e6. */
const FRACTION_PER_TICK: u64 = 68_719

/** Opens the port; the driver keeps it open from then on. */
export function ntpPortOpen(port: u32): void {
  readingTicks = measureReading()
  arrivalDelay = (<i64>settingsCalibration(Calibration.ArrivalDelay) * 16) / 1_000_000
  udpOpen(SOCKET_NTP, SOCKET_NTP_STRANGERS, port)
}

/** Serves at most one datagram; true when there may be another at once. */
export function ntpPortPoll(now: u64): bool {
  if (!udpWaiting(SOCKET_NTP) || !udpReady(SOCKET_NTP, now)) return false
  const datagram = udpReceive(SOCKET_NTP, PACKET_MAX, now)
  if (changetype<usize>(datagram) === 0) return false
  serve(datagram, now)
  return udpWaiting(SOCKET_NTP)
}

function serve(datagram: Datagram, now: u64): void {
  // The route is prepared first, since that takes time which T3 must not contain. Nothing is prepared for a packet that
  // will not be answered: asking for hardware addresses has a budget.
  if (!looksLikeRequest(datagram)) {
    ntpServe(datagram.data, datagram.length, T2, REPLY, PACKET_MAX)
    return
  }
  ntpSetArrivalSpread(short(datagram.spread))
  clockNow(T2, datagram.stamp === Stamp.Exact ? datagram.ticks - arrivalDelay : datagram.ticks)
  if (udpPrepare(SOCKET_NTP, datagram.ip, datagram.port, now) === Route.None) return
  const length = ntpServe(datagram.data, datagram.length, T2, REPLY, PACKET_MAX)
  if (length === 0 || !udpSend(REPLY, length)) return
  ntpLearnTransmitDelay(fraction(udpSentTicks() - readingTicks - ntpTransmitTicks() + SEND_TO_FRAME))
}

function looksLikeRequest(datagram: Datagram): bool {
  return datagram.length >= NTP_HEADER_LENGTH && ntpMode(datagram.data) === NtpMode.Client
}

/** Ticks to 2^-16 seconds, rounded up. */
function short(ticks: u32): u32 {
  return ticks === 0 ? 0 : <u32>((<u64>ticks * 4295) >> 20) + 1
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
