// When did a reply leave? The end of a watched SEND_MAC pulls INTn, and its edge is told from those of arrivals.
//
//   in    what is about to be sent, the causes that were read, the edges of INTn
//   out   the tick at which INTn fell for the frame's end, or that nobody knows; and which edges no datagram may claim
//
// SENDOK pulls INTn only while somebody wants to know: the arrivals of the 20 us until it is cleared have no edge of their own.
// The edge is taken for the end of the SEND when it is the only one since others' and no RECV stands beside the SENDOK. One
// reply is watched at a time. Ticks as in hal/abi.ts.

import { Channel, capture } from '../../hal/abi'
import { Cause, Sn, writeSocket8 } from './w5500'
import { Arrivals } from './w5500_arrival'
import { edgeCount, Sending, Socket, socketAt, Watch } from './w5500_socket'

/** What INTn said of the end of a watched SEND. */
export const enum Departure {
  /** Nothing yet, or nothing was watched. */
  None = 0,
  /** It fell for the SEND's end alone: `udpDepartedTicks`. */
  Seen = 1,
  /** The SEND has ended, but the edge was another's too, was lost, or was taken late. */
  Missed = 2,
}

/** `count u32 | late u32 | ticks u64`, as `capture` writes it. */
const EDGE: usize = memory.data(16, 8)

let departure: Departure = Departure.None
let departedTicks: u64 = 0
let watchedSocket: u32 = 0
/** Edges until here are known to be others' than the watched SEND's end. */
let othersEdges: u32 = 0

/** What became of the last reply that was watched. */
export function udpDeparted(): Departure {
  return departure
}

/** When INTn fell for its end. */
export function udpDepartedTicks(): u64 {
  return departedTicks
}

/** Lets the end of socket `n`'s SENDs pull INTn, or not. Nothing is on its way, so no SENDOK stands. */
export function watchEnd(n: u32, on: bool): void {
  const socket = socketAt(n)
  departure = Departure.None
  if (on === ((socket.watch & Watch.On) !== 0)) return
  writeSocket8(n, Sn.IMR, on ? Cause.RECV | Cause.SENDOK | Cause.TIMEOUT : Cause.RECV)
  socket.watch = (socket.watch & Watch.Doubt) | (on ? Watch.On : 0)
}

/** SEND_MAC was just given on socket `n`. */
export function watchSend(n: u32): void {
  if ((socketAt(n).watch & Watch.On) === 0) return
  watchedSocket = n
  othersEdges = edgeCount()
}

/** SIR showed causes of these sockets, as bits, when there had been `count` edges. */
export function watchOthers(sockets: u32, count: u32): void {
  if ((sockets & ~(1 << watchedSocket)) !== 0) othersEdges = count
}

/** Before the causes are read: a SEND_MAC is on its way whose end pulls INTn, and its edge, if it is there, is kept. */
export function watchBegin(socket: Socket): bool {
  if ((socket.watch & Watch.On) === 0 || socket.sending !== Sending.Direct) return false
  capture(Channel.EthernetInt, EDGE)
  return true
}

/** After `watchBegin`: `causes` were read and cleared. */
export function watchTake(socket: Socket, causes: u32, arrivals: Arrivals): void {
  if ((causes & (Cause.SENDOK | Cause.TIMEOUT)) === 0) {
    othersEdges = edgeCount()
    return
  }
  const count = load<u32>(EDGE)
  const own: bool = (causes & Cause.RECV) === 0 && count - othersEdges === 1
  departure = own && load<u32>(EDGE, 4) === 0 ? Departure.Seen : Departure.Missed
  departedTicks = load<u64>(EDGE, 8)
  // A datagram that waits has its edge already, and spends them all at its look.
  if (socket.input !== 0) return
  if ((causes & Cause.RECV) !== 0) socket.watch |= Watch.Doubt
  else arrivals.used = count
}
