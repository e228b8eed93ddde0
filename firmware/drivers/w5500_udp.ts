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
// board's constants. w5500_udp_send.ts has the replies; `udpDeparted` (w5500_departure.ts) tells when INTn said that a watched
// frame had left.

import { ticks } from '../../hal/abi'
import { loadU16be, loadU32be } from '../bytes/endian'
import { isHost, MICROSECOND, readRx, w5500InterruptMask, w5500Up } from './w5500'
import { Arrivals, Stamp, stampLook } from './w5500_arrival'
import {
  edgeCount,
  look,
  Mode,
  NO_PARTNER,
  release,
  resynchronise,
  Sending,
  Socket,
  settle,
  socketAt,
  socketCounters,
  socketRelease,
  Watch,
} from './w5500_socket'
import { ARRIVALS, UDP_MAX, udpAskSend, udpCounters, udpServe } from './w5500_udp_send'

export {
  frameBytes,
  frameTicks,
  Route,
  SEND_TO_FRAME,
  UDP_MAX,
  UdpCounters,
  udpBring,
  udpCounters,
  udpPrepare,
  udpSend,
  udpSentTicks,
  udpWatch,
} from './w5500_udp_send'

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

const HEADER: u32 = 8
/** Up to this many payload bytes are read together with the header when they may belong to one datagram. */
const EAGER: u32 = 256
/** Datagrams looked at in one `udpReceive` before giving up: refused ones are skipped. */
const SKIPS: u32 = 4
/** Time for the chip to accept RECV and to remind. */
const REMINDER: u64 = MICROSECOND * 10

/** Header (8) and payload (1472) of the datagram in work. */
const FRAME: usize = memory.data(1480, 8)
const DATAGRAM: usize = memory.data(40, 8)
/** Sockets that stamp: their RECV pulls INTn. */
let stamped: u32 = 0

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
  settle(edgeCount())
}

/** A datagram may be received and answered at once: the previous reply has left socket `n`. */
export function udpReady(n: u32, now: u64): bool {
  const socket = socketAt(n)
  if (!w5500Up() || socket.open === 0) return false
  if (socket.sending !== Sending.None) {
    if (socket.attention !== 0) udpServe(n, now)
    if (socket.sending !== Sending.None && now >= socket.askAt) udpAskSend(n, now)
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

// ---- For w5500_ethernet.ts.

/** Sockets whose RECV pulls INTn, as bits. */
export function udpStamped(): u32 {
  return stamped
}

/** Asks for the end of a SEND when it is time. */
export function udpFollow(n: u32, now: u64): void {
  const socket = socketAt(n)
  if (socket.sending !== Sending.None && now >= socket.askAt) udpAskSend(n, now)
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

function receiveFrom(n: u32, limit: u32, now: u64): bool {
  const socket = socketAt(n)
  if (socket.rxLeft === 0) {
    if (socket.attention !== 0) udpServe(n, now)
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
  settle(edges)
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
