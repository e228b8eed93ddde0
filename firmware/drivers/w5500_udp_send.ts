// The sending half of w5500_udp.ts: replies, and what becomes of them.
//
// After `udpPrepare`, `udpSend` costs three SPI frames; the reply's first bit leaves some time after `udpSentTicks()`, a constant
// of the board. Whether a SEND has ended is asked when it should have (`udpAskSend`), or seen among a socket's other causes
// (`udpServe`).

import { ticks } from '../../hal/abi'
import { storeU16be, storeU32be } from '../bytes/endian'
import { Neighbourhood, neighbourFind, neighbourLearn, neighbourUnreachable, strangerAllowed } from './neighbours'
import {
  ARP_LIMIT,
  Cause,
  Command,
  isHost,
  MICROSECOND,
  MILLISECOND,
  nextHop,
  readSocket,
  readSocket16,
  Sn,
  Status,
  writeSocket,
  writeSocket16,
  writeTx,
} from './w5500'
import { Arrivals } from './w5500_arrival'
import { watchBegin, watchEnd, watchSend, watchTake } from './w5500_departure'
import {
  accepted,
  command,
  NO_PARTNER,
  openSocket,
  Sending,
  socketAt,
  socketCounters,
  takeCauses,
  unsettle,
  Watch,
} from './w5500_socket'

/** Where a reply will go; see `udpPrepare`. */
export const enum Route {
  /** Nowhere: no such host, nobody answers there, or the budget for unknown peers is spent. Drop the reply. */
  None = 0,
  /** At once, by SEND_MAC. */
  Known = 1,
  /** By SEND: the chip asks for the hardware address first. T3 will be early by that exchange. */
  Stranger = 2,
}

/** Counters of UDP; 32 bytes. */
@unmanaged
export class UdpCounters {
  received: u32
  /** Longer than the caller wanted, or from an impossible source. */
  refused: u32
  sent: u32
  /** Replies that had to ask for the hardware address, and those whose ARP nobody answered. */
  strangers: u32
  unanswered: u32
  /** Replies dropped: no such host or nobody there; budget spent or the partner busy. */
  noHost: u32
  noBudget: u32
  unused: u32
}

/** Largest UDP payload of one Ethernet frame. */
export const UDP_MAX: u32 = 1472

/** From SEND to the frame's first bit, about: 57 us, measured by the authors of two W5500 time servers. For asking in time. */
export const SEND_TO_FRAME: u64 = 912

/** SEND_MAC without a link never ends; no frame takes this long. */
const SEND_LIMIT: u64 = MILLISECOND * 5
const ASK_INTERVAL: u64 = MICROSECOND * 30
const ASK_STRANGER: u64 = MICROSECOND * 250
const REOPEN_INTERVAL: u64 = MILLISECOND * 10

const COUNTERS: usize = memory.data(32, 8)
/** What is known of INTn's edges (`Arrivals`); receiving has it too. */
export const ARRIVALS: usize = memory.data(24, 8)
const DESTINATION: usize = memory.data(16, 8)
let sentTicks: u64 = 0
let preparedSocket: u32 = 0
let preparedPeer: u32 = 0
let preparedRoute: Route = Route.None

/** SEND's end does not show in Sn_IR while Sn_IMR masks it; then it is unmasked and costs an edge. */
let sendCausesHidden: bool = false

// ---- For the owner of a port, by way of w5500_udp.ts.

/**
 * Prepares a reply to ip:port from socket `n`, before its payload is ready. Call it after `udpReady`; then take T3, build
 * the reply and call `udpSend`.
 */
export function udpPrepare(n: u32, ip: u32, port: u32, now: u64): Route {
  preparedRoute = Route.None
  if (!isHost(ip) || port === 0) {
    udpCounters().noHost++
    return Route.None
  }
  const partner = socketAt(n).partner === NO_PARTNER ? n : socketAt(n).partner
  // Its answer may just have come, and be for this very peer.
  if (socketAt(partner).sending === Sending.Resolving) udpAskSend(partner, now)
  const known = neighbourFind(nextHop(ip), DESTINATION, now)
  if (known === Neighbourhood.Unreachable) {
    udpCounters().noHost++
    return Route.None
  }
  if (known === Neighbourhood.Known || (known === Neighbourhood.Stale && !strangerReady(partner, now))) {
    addressKnown(n, ip, port)
  } else if (known === Neighbourhood.Stale || strangerReady(partner, now)) {
    addressStranger(partner, ip, port)
  } else udpCounters().noBudget++
  return preparedRoute
}

/** INTn shall tell when the prepared reply has left, or shall not. Only for `Route.Known`. */
export function udpWatch(wanted: bool): void {
  if (preparedRoute === Route.Known) watchEnd(preparedSocket, wanted || sendCausesHidden)
}

/** Sends the prepared reply. False: it was not prepared, or the chip failed meanwhile. */
export function udpSend(data: usize, length: u32): bool {
  const route = preparedRoute
  preparedRoute = Route.None
  if (route === Route.None || length === 0 || length > UDP_MAX) return false
  const n = preparedSocket
  const socket = socketAt(n)
  writeTx(n, socket.txWrite, data, length)
  socket.txWrite = (socket.txWrite + length) & 0xffff
  writeSocket16(n, Sn.TX_WR, socket.txWrite)
  const known = route === Route.Known
  if (!command(n, known ? Command.SEND_MAC : Command.SEND)) return false
  const end = ticks()
  sentTicks = end
  if (known) watchSend(n)
  socket.sending = known ? Sending.Direct : Sending.Resolving
  socket.sentAt = end
  if (!known) socket.resolvedFor = preparedPeer
  socket.peer = preparedPeer
  socket.askAt = end + SEND_TO_FRAME + frameTicks(length) + (known ? 0 : ASK_STRANGER)
  socket.giveUpAt = end + SEND_LIMIT + (known ? 0 : ARP_LIMIT + MILLISECOND * 20)
  if (known) udpCounters().sent++
  else udpCounters().strangers++
  return true
}

/**
 * The tick, read at once afterwards, at which the last `udpSend` gave its command: the first bit follows SEND_TO_FRAME later,
 * for a stranger after the ARP exchange, whose length nobody knows.
 */
export function udpSentTicks(): u64 {
  return sentTicks
}

/** Bytes of a UDP frame on the wire, preamble to FCS. */
export function frameBytes(length: u32): u32 {
  return 26 + max<u32>(length + 28, 46)
}

/** Its time on a 100 Mbit/s wire, in ticks. */
export function frameTicks(length: u32): u64 {
  return (<u64>frameBytes(length) * 164) >> 7
}

export function udpCounters(): UdpCounters {
  return changetype<UdpCounters>(COUNTERS)
}

// ---- For w5500_udp.ts, and the owner of all sockets.

/** Opens the socket on the chip. */
export function udpBring(n: u32, now: u64): void {
  const socket = socketAt(n)
  const interrupts: u32 = sendCausesHidden ? Cause.RECV | Cause.SENDOK | Cause.TIMEOUT : Cause.RECV
  socket.open = openSocket(n, 2, socket.port, interrupts, Status.UDP) ? 1 : 0
  socket.watch = sendCausesHidden ? Watch.On : 0
  socket.openAt = now + REOPEN_INTERVAL
  socket.asked = now
  socket.trusted = now
}

/** Looks at all causes of a socket. */
export function udpServe(n: u32, now: u64): void {
  const socket = socketAt(n)
  socket.attention = 0
  const watched = watchBegin(socket)
  const answer = takeCauses(n, 0x1f)
  if (watched) watchTake(socket, answer, changetype<Arrivals>(ARRIVALS))
  unsettle()
  if (answer >> 8 !== Status.UDP) {
    socketCounters().socketsLost++
    socket.open = 0
    socket.openAt = now
    return
  }
  if ((answer & Cause.RECV) !== 0) socket.input = 1
  if ((answer & Cause.SENDOK) !== 0) sendEnded(n, true, now)
  else if ((answer & Cause.TIMEOUT) !== 0) sendEnded(n, false, now)
}

function strangerReady(n: u32, now: u64): bool {
  const socket = socketAt(n)
  if (socket.sending !== Sending.None && now >= socket.askAt) udpAskSend(n, now)
  return socket.open !== 0 && socket.sending === Sending.None && strangerAllowed(now)
}

/** SEND_MAC on the main socket: hardware address (in DESTINATION already), address and port in one frame. */
function addressKnown(n: u32, ip: u32, port: u32): void {
  const socket = socketAt(n)
  const macLow = load<u32>(DESTINATION)
  const macHigh = <u32>load<u16>(DESTINATION, 4)
  if (ip !== socket.peer || port !== socket.peerPort || macLow !== socket.macLow || macHigh !== socket.macHigh) {
    storeU32be(DESTINATION + 6, ip)
    storeU16be(DESTINATION + 10, port)
    writeSocket(n, Sn.DHAR, DESTINATION, 12)
    socket.macLow = macLow
    socket.macHigh = macHigh
  }
  prepared(n, ip, port, Route.Known)
}

/** SEND on the partner. It asks for a hardware address only when the destination is not its last one: opened anew, it does. */
function addressStranger(n: u32, ip: u32, port: u32): void {
  const socket = socketAt(n)
  if (socket.resolvedFor === ip) udpBring(n, ticks())
  storeU32be(DESTINATION + 6, ip)
  storeU16be(DESTINATION + 10, port)
  writeSocket(n, Sn.DIPR, DESTINATION + 6, 6)
  socket.macLow = 0
  socket.macHigh = 0
  prepared(n, ip, port, Route.Stranger)
}

function prepared(n: u32, ip: u32, port: u32, route: Route): void {
  if (!accepted(n) || socketAt(n).open === 0) return
  preparedSocket = n
  preparedPeer = ip
  socketAt(n).peer = ip
  socketAt(n).peerPort = port
  preparedRoute = route
}

/** Asks the chip whether a SEND has ended. Leaves RECV standing: it belongs to the look that takes its edge. */
export function udpAskSend(n: u32, now: u64): void {
  const socket = socketAt(n)
  const watched = watchBegin(socket)
  const answer = takeCauses(n, Cause.SENDOK | Cause.TIMEOUT)
  if (watched) {
    watchTake(socket, answer, changetype<Arrivals>(ARRIVALS))
    unsettle()
  }
  if ((answer & Cause.SENDOK) !== 0) sendEnded(n, true, now)
  else if ((answer & Cause.TIMEOUT) !== 0) sendEnded(n, false, now)
  else if (answer >> 8 !== Status.UDP) {
    socketCounters().socketsLost++
    socket.open = 0
    socket.openAt = now
  } else if (now >= socket.giveUpAt || (now >= socket.sentAt + SEND_LIMIT && endIsHidden(n))) sendStuck(n, now)
  else socket.askAt = now + (socket.sending === Sending.Direct ? ASK_INTERVAL : ASK_STRANGER)
}

function sendEnded(n: u32, ok: bool, now: u64): void {
  const socket = socketAt(n)
  const how = socket.sending
  socket.sending = Sending.None
  if (how === Sending.Resolving) {
    if (ok) {
      readSocket(n, Sn.DHAR, DESTINATION, 6)
      neighbourLearn(nextHop(socket.peer), DESTINATION, now)
    } else {
      neighbourUnreachable(nextHop(socket.peer), now)
      udpCounters().unanswered++
    }
  }
  // What a TIMEOUT leaves in the buffer is not said: go on from where the chip is.
  if (!ok) socket.txWrite = readSocket16(n, Sn.TX_RD)
}

/** The frame has left and yet the chip shows no cause for it: it hides what Sn_IMR masks (page 57 can be read so). */
function endIsHidden(n: u32): bool {
  if (readSocket16(n, Sn.TX_RD) !== socketAt(n).txWrite) return false
  // Not when it left just now.
  if ((takeCauses(n, 0) & (Cause.SENDOK | Cause.TIMEOUT)) !== 0) return false
  sendCausesHidden = true
  return true
}

/** Neither SENDOK nor TIMEOUT will come: no link, or the chip hides them. */
function sendStuck(n: u32, now: u64): void {
  const socket = socketAt(n)
  socketCounters().sendStuck++
  socket.open = 0
  socket.openAt = now
  socket.sending = Sending.None
}
