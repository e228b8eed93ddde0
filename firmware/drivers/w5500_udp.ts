// UDP over the W5500: datagrams with their arrival times, and replies that never wait for somebody else's ARP.
//
// A port is served by one socket or by two. The main socket answers known neighbours by SEND_MAC; its partner, on the
// same port, answers the others by SEND, for which the chip asks for the hardware address first. When nobody answers,
// the partner is blocked for ARP_LIMIT and the main socket is not. The address that a SEND found is learnt. Datagrams may
// arrive on either, so both are read.
//
// One request and its reply, in SPI frames (the 1 is shared by all sockets, see w5500_ethernet.ts):
//    1 R IR IMR SIR     which socket        7 W CR=RECV
//    2 R CR IR SR       which cause         8 W DHAR DIPR DPORT   left out for the same client again
//    3 W IR             cleared             9 R CR                RECV was accepted
//    4 R RX_RSR RD WR   how much           10 W data
//    5 R datagram       header and data    11 W TX_WR
//    6 W RX_RD                             12 W CR=SEND_MAC
// A datagram of more than 256 bytes that is not alone costs one more. SENDOK is found by 2 of the next request; when the
// next one is there at once, by two frames more. SENDOK pulls INTn only for a reply whose end is watched (`udpWatch`): one
// frame to let it through, and one to stop it for the next reply that is not watched. All other edges of INTn are arrivals.
//
// The arithmetic of T2 and T3: `ticks` of a datagram is the time of INTn; the end of its frame on the wire is earlier by the
// board's constants. After `udpPrepare`, `udpSend` costs three frames; the reply's first bit leaves some time after
// `udpSentTicks()`, again a constant of the board. `udpDeparted` (w5500_departure.ts) tells when INTn said that a watched frame had left.

import { ticks } from '../../hal/abi'
import { loadU16be, loadU32be, storeU16be, storeU32be } from '../bytes/endian'
import { Neighbourhood, neighbourFind, neighbourLearn, neighbourUnreachable, strangerAllowed } from './neighbours'
import {
  ARP_LIMIT,
  Cause,
  Command,
  isHost,
  MICROSECOND,
  MILLISECOND,
  nextHop,
  readRx,
  readSocket,
  readSocket16,
  Sn,
  Status,
  w5500InterruptMask,
  w5500Up,
  writeSocket,
  writeSocket16,
  writeTx,
} from './w5500'
import { Arrivals, Stamp, stampLook } from './w5500_arrival'
import { watchBegin, watchEnd, watchSend, watchTake } from './w5500_departure'
import {
  accepted,
  command,
  edgeCount,
  look,
  Mode,
  NO_PARTNER,
  openSocket,
  release,
  resynchronise,
  Sending,
  Socket,
  socketAt,
  socketCounters,
  socketRelease,
  takeCauses,
  Watch,
} from './w5500_socket'

/** A received datagram; 40 bytes, 8-aligned. Valid until the next `udpReceive`. */
@unmanaged
export class Datagram {
  /** INTn's fall for it, or an upper bound of that. */
  ticks: u64
  /** It may have fallen earlier by up to this many ticks; 0 for an exact time. */
  spread: u32
  /** `Stamp` */
  stamp: u32
  /** Source, in host order. */
  ip: u32
  port: u32
  /** Address of the payload, 8-aligned, and its length. May be overwritten in place: UDP_MAX bytes are there. */
  data: u32
  length: u32
  /** Socket on which it came. */
  socket: u32
  unused: u32
}

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

const HEADER: u32 = 8
/** Up to this many payload bytes are read together with the header when they may belong to one datagram. */
const EAGER: u32 = 256
/** Datagrams looked at in one `udpReceive` before giving up: refused ones are skipped. */
const SKIPS: u32 = 4
/** SEND_MAC without a link never ends; no frame takes this long. */
const SEND_LIMIT: u64 = MILLISECOND * 5
const ASK_INTERVAL: u64 = MICROSECOND * 30
const ASK_STRANGER: u64 = MICROSECOND * 250
/** Time for the chip to accept RECV and to remind. */
const REMINDER: u64 = MICROSECOND * 10
const REOPEN_INTERVAL: u64 = MILLISECOND * 10

/** Header (8) and payload (1472) of the datagram in work. */
const FRAME: usize = memory.data(1480, 8)
const DATAGRAM: usize = memory.data(40, 8)
const ARRIVALS: usize = memory.data(24, 8)
const COUNTERS: usize = memory.data(32, 8)
const DESTINATION: usize = memory.data(16, 8)
/** Sockets that stamp: their RECV pulls INTn. */
let stamped: u32 = 0
let sentTicks: u64 = 0
let preparedSocket: u32 = 0
let preparedPeer: u32 = 0
let preparedRoute: Route = Route.None

/** SEND's end does not show in Sn_IR while Sn_IMR masks it; then it is unmasked and costs an edge. */
let sendCausesHidden: bool = false

// ---- For the owner of a port.

/** `port` shall be open on socket `n`, with `partner` for unknown peers (or NO_PARTNER). Opens when the chip is up. */
export function udpOpen(n: u32, partner: u32, port: u32): void {
  assign(n, partner, port)
  if (partner !== NO_PARTNER) assign(partner, NO_PARTNER, port)
  w5500InterruptMask(stamped)
}

/** Socket `n`, which has no partner, gives its port up. */
export function udpClose(n: u32): void {
  socketRelease(n)
  stamped &= ~(1 << n)
  w5500InterruptMask(stamped)
}

/** A datagram may be received and answered at once: the previous reply has left socket `n`. */
export function udpReady(n: u32, now: u64): bool {
  const socket = socketAt(n)
  if (!w5500Up() || socket.open === 0) return false
  if (socket.sending !== Sending.None) {
    if (socket.attention !== 0) serve(n, now)
    if (socket.sending !== Sending.None && now >= socket.askAt) askSend(n, now)
  }
  return socket.sending === Sending.None && socket.open !== 0
}

/** A datagram waits on socket `n` or its partner, as far as is known without asking the chip. */
export function udpWaiting(n: u32): bool {
  const socket = socketAt(n)
  return waits(socket) || (socket.partner !== NO_PARTNER && waits(socketAt(socket.partner)))
}

/** The next datagram of at most `limit` bytes for the port of socket `n`; address 0 when there is none. */
export function udpReceive(n: u32, limit: u32, now: u64): Datagram {
  const partner = socketAt(n).partner
  for (let i: u32 = 0; i < SKIPS; i++) {
    // The partner first: hardly anything comes there, and a flood on the main socket must not hide it.
    let got: bool = false
    if (partner !== NO_PARTNER && waits(socketAt(partner))) got = receiveFrom(partner, limit, now)
    if (!got && waits(socketAt(n))) got = receiveFrom(n, limit, now)
    if (got) return changetype<Datagram>(DATAGRAM)
    if (!udpWaiting(n)) break
  }
  return changetype<Datagram>(0)
}

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
  if (socketAt(partner).sending === Sending.Resolving) askSend(partner, now)
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

// ---- For w5500_ethernet.ts.

/** Sockets whose RECV pulls INTn, as bits. */
export function udpStamped(): u32 {
  return stamped
}

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

/** Asks for the end of a SEND when it is time. */
export function udpFollow(n: u32, now: u64): void {
  const socket = socketAt(n)
  if (socket.sending !== Sending.None && now >= socket.askAt) askSend(n, now)
}

/** Once a second, whether or not INTn fell: has the chip closed the socket, is there input that nobody announced? */
export function udpCheck(n: u32): void {
  socketAt(n).attention = 1
  socketAt(n).input = 1
}

// ---- Receiving.

function assign(n: u32, partner: u32, port: u32): void {
  const socket = socketAt(n)
  socket.mode = Mode.Udp
  socket.partner = partner
  socket.port = port
  socket.open = 0
  socket.openAt = 0
  stamped |= 1 << n
}

function waits(socket: Socket): bool {
  return socket.open !== 0 && (socket.rxLeft !== 0 || socket.attention !== 0 || socket.input !== 0)
}

/** Looks at all causes of a socket. */
function serve(n: u32, now: u64): void {
  const socket = socketAt(n)
  socket.attention = 0
  const watched = watchBegin(socket)
  const answer = takeCauses(n, 0x1f)
  if (watched) watchTake(socket, answer, changetype<Arrivals>(ARRIVALS))
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

function receiveFrom(n: u32, limit: u32, now: u64): bool {
  const socket = socketAt(n)
  if (socket.rxLeft === 0) {
    if (socket.attention !== 0) serve(n, now)
    if (socket.open === 0 || socket.input === 0) return false
    socket.input = 0
    const from = socket.asked
    if (!look(n)) {
      resynchronise(n)
      return false
    }
    stampNext(socket, from)
    if (socket.rxLeft === 0) return false
  }
  return readDatagram(n, limit)
}

function readDatagram(n: u32, limit: u32): bool {
  const socket = socketAt(n)
  const left = socket.rxLeft
  // All of it when it can be one ordinary datagram; else the header first, to read no more than this datagram.
  const first = left <= HEADER + EAGER ? left : HEADER
  if (left < HEADER) {
    resynchronise(n)
    return false
  }
  readRx(n, socket.rxRead, FRAME, first)
  const length = loadU16be(FRAME + 6)
  if (length > UDP_MAX || HEADER + length > left) {
    resynchronise(n)
    return false
  }
  const wanted = length <= limit && isHost(loadU32be(FRAME))
  if (wanted && HEADER + length > first) {
    readRx(n, socket.rxRead + first, FRAME + first, HEADER + length - first)
  }
  stamp(socket)
  socket.rxRead = (socket.rxRead + HEADER + length) & 0xffff
  socket.rxLeft = left - HEADER - length
  release(n)
  // A chip of this family may remind of what RECV left behind, by an edge that is nobody's arrival.
  if (socket.rxLeft !== 0) socket.trusted = ticks() + REMINDER
  if (!wanted) udpCounters().refused++
  else describe(n, length)
  return wanted
}

function describe(n: u32, length: u32): void {
  const datagram = changetype<Datagram>(DATAGRAM)
  udpCounters().received++
  datagram.ip = loadU32be(FRAME)
  datagram.port = loadU16be(FRAME + 4)
  datagram.data = <u32>(FRAME + HEADER)
  datagram.length = length
  datagram.socket = n
}

/** Decides the stamps of what was just seen. A look that found nothing spends its edges all the same. */
function stampNext(socket: Socket, from: u64): void {
  const all = changetype<Arrivals>(ARRIVALS)
  const alone = socket.alone !== 0 && (socket.watch & Watch.Doubt) === 0
  const edges = edgeCount()
  socket.firstStamp = stampLook(
    all,
    from,
    socket.trusted,
    alone,
    socket.edgeCount,
    socket.edgeLate,
    socket.edge,
    socket.seen,
    edges,
  )
  socket.watch &= ~Watch.Doubt
  socket.trusted = socket.asked
  socket.firstTicks = all.ticks
  socket.firstSpread = all.spread
  socket.restSpread = all.restSpread
  socket.first = 1
  socket.alone = 0
}

function stamp(socket: Socket): void {
  const datagram = changetype<Datagram>(DATAGRAM)
  const first = socket.first !== 0
  socket.first = 0
  datagram.stamp = first ? socket.firstStamp : <u32>Stamp.Merged
  datagram.spread = first ? socket.firstSpread : socket.restSpread
  datagram.ticks = first ? socket.firstTicks : socket.seen
  if (datagram.stamp === Stamp.Exact) socketCounters().exactStamps++
  else socketCounters().mergedStamps++
}

// ---- Sending.

function strangerReady(n: u32, now: u64): bool {
  const socket = socketAt(n)
  if (socket.sending !== Sending.None && now >= socket.askAt) askSend(n, now)
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
function askSend(n: u32, now: u64): void {
  const socket = socketAt(n)
  const watched = watchBegin(socket)
  const answer = takeCauses(n, Cause.SENDOK | Cause.TIMEOUT)
  if (watched) watchTake(socket, answer, changetype<Arrivals>(ARRIVALS))
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
