// An errand: one NTP request to a server, and its reply.
//
//   askBegin(association) -> askPoll until Done or Failed
//
// T1 is the request's first bit on the wire: the SEND command's tick and the chip's latency after it, known when the request
// has left; nothing of it is in the packet. When the chip must ask for a hardware address first, T1 is early by that
// exchange, the delay longer by it, and its half covers the error. T4 is INTn's captured edge, as for the server's T2.
// Done means that the request has ended, well or not: the association knows.

import { Calibration, settingsCalibration } from '../drivers/board_settings'
import { MILLISECOND } from '../drivers/w5500'
import { Stamp } from '../drivers/w5500_arrival'
import { NO_PARTNER } from '../drivers/w5500_socket'
import {
  Route,
  SEND_TO_FRAME,
  udpClose,
  udpOpen,
  udpPrepare,
  udpReady,
  udpReceive,
  udpSend,
  udpSentTicks,
  udpWaiting,
} from '../drivers/w5500_udp'
import {
  Association,
  associationAddress,
  associationAsk,
  associationMissed,
  associationPort,
  associationReceive,
  associationSent,
} from '../ntp/association'
import { ReplyVerdict } from '../ntp/client_response'
import { Crystal } from '../ntp/clock_filter'
import { SOCKET_UPSTREAM } from './sockets'
import { ERRAND_SCRATCH, Progress, randomPort } from './upstream_errand'

/** How long the socket may take to open, the request to leave, and the reply to come. */
const OPENING: u64 = MILLISECOND * 500
const PATIENCE: u64 = MILLISECOND * 800

/** The longest datagram of interest. */
const REPLY_MAX: u32 = 1472

const enum Phase {
  Opening = 0,
  Waiting = 1,
  Over = 2,
}

let phase: Phase = Phase.Over
let deadline: u64 = 0
let arrivalDelay: i64 = 0
let frameToInt: i64 = 0
let association = changetype<Association>(0)

/** Reads the board's calibration; in boot(). */
export function askInit(): void {
  arrivalDelay = (<i64>settingsCalibration(Calibration.ArrivalDelay) * 16) / 1_000_000
  frameToInt = (<i64>settingsCalibration(Calibration.FrameToInt) * 16) / 1_000_000
}

export function askBegin(a: Association, now: u64): void {
  association = a
  udpOpen(SOCKET_UPSTREAM, NO_PARTNER, randomPort())
  phase = Phase.Opening
  deadline = now + OPENING
}

export function askPoll(crystal: Crystal, now: u64): Progress {
  if (phase === Phase.Opening && udpReady(SOCKET_UPSTREAM, now)) {
    return send(now) ? Progress.Busy : missed(now)
  }
  if (phase === Phase.Waiting && udpWaiting(SOCKET_UPSTREAM)) return receive(crystal, now) ? end() : Progress.Busy
  return now < deadline ? Progress.Waiting : missed(now)
}

export function askDue(now: u64): u64 {
  return udpWaiting(SOCKET_UPSTREAM) || (phase === Phase.Opening && udpReady(SOCKET_UPSTREAM, now)) ? now : deadline
}

function send(now: u64): bool {
  const route = udpPrepare(SOCKET_UPSTREAM, associationAddress(association), associationPort(association), now)
  if (route === Route.None) return false
  const length = associationAsk(association, ERRAND_SCRATCH)
  if (length === 0 || !udpSend(ERRAND_SCRATCH, length)) return false
  associationSent(association, udpSentTicks() + SEND_TO_FRAME, now)
  phase = Phase.Waiting
  deadline = now + PATIENCE
  return true
}

/** True when the request has ended. */
function receive(crystal: Crystal, now: u64): bool {
  const datagram = udpReceive(SOCKET_UPSTREAM, REPLY_MAX, now)
  if (changetype<usize>(datagram) === 0) return false
  if (datagram.ip !== associationAddress(association) || datagram.port !== associationPort(association)) {
    association.ignored += 1
    return false
  }
  // The driver's ticks are INTn's: the frame's last bit was earlier.
  const t4 = datagram.ticks - (datagram.stamp === Stamp.Exact ? arrivalDelay + frameToInt : frameToInt)
  const verdict = associationReceive(association, datagram.data, datagram.length, t4, datagram.spread, crystal, now)
  return verdict !== ReplyVerdict.Ignored && verdict !== ReplyVerdict.Nak
}

function missed(now: u64): Progress {
  associationMissed(association, now)
  return end()
}

function end(): Progress {
  phase = Phase.Over
  udpClose(SOCKET_UPSTREAM)
  return Progress.Done
}
