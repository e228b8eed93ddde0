// The eight sockets of the W5500: what they share. UDP is in w5500_udp.ts, TCP in w5500_tcp.ts.
//
// A socket's owner says what it shall be (`udpOpen`, `tcpListen`, `tcpConnect`); the driver keeps it so, over resets of the chip.
// Nothing waits for the network. The only loop on a register is for the acceptance of a command, which takes the chip
// about a microsecond: it is bounded, and a chip that exceeds the bound is brought up again.

import { Channel, capture, ticks } from '../../hal/abi'
import { loadU16be } from '../bytes/endian'
import {
  Command,
  readSocket,
  readSocket8,
  Sn,
  SOCKETS,
  Status,
  w5500Restart,
  w5500Up,
  writeSocket8,
  writeSocket16,
} from './w5500'
import { LATE_LIMIT } from './w5500_arrival'

export const enum Mode {
  None = 0,
  Udp = 1,
  Tcp = 2,
}

/** What has happened to a SEND. */
export const enum Sending {
  None = 0,
  /** SEND_MAC: ends when the frame has left. */
  Direct = 1,
  /** SEND: the chip may first have to ask for the hardware address. */
  Resolving = 2,
  /** TCP: ends when the peer has acknowledged. */
  Stream = 3,
}

/** One socket's state; 176 bytes, 8-aligned. */
@unmanaged
export class Socket {
  /** When the SEND in flight began. */
  sentAt: u64
  /** When the SEND in flight, or a TCP state that must not last, is given up. */
  giveUpAt: u64
  /** When to ask for the SEND's end. */
  askAt: u64
  /** When to try to open again. */
  openAt: u64
  /** Ticks after the last read of RX_RSR. */
  seen: u64
  /** What the last read did not show arrived later than this: ticks before it, or a later moment without a cause. */
  asked: u64
  /** INTn may have fallen until then for data that had been seen. */
  trusted: u64
  /** Stamp of the next datagram; those after it have `seen`. */
  firstTicks: u64
  /** The capture that belongs to the cause: count, late, ticks. */
  edgeCount: u32
  edgeLate: u32
  edge: u64
  /** `Mode` */
  mode: u32
  port: u32
  /** UDP: the socket that asks for unknown peers' hardware addresses, or NO_PARTNER. */
  partner: u32
  /** The chip has it open as wanted. */
  open: u32
  /** `Sending` */
  sending: u32
  /** Destination of the SEND in flight (UDP), peer (TCP). */
  peer: u32
  peerPort: u32
  /** RX_RD, and how many bytes behind it are known to be there. */
  rxRead: u32
  rxLeft: u32
  /** TX_WR. */
  txWrite: u32
  /** SIR showed a cause that nobody has looked at. */
  attention: u32
  /** RECV was signalled and RX_RSR has not been read since. */
  input: u32
  /** No other stamped socket had a cause when this one's was found. */
  alone: u32
  /** `Stamp` and spread of the next datagram, and of those after it. */
  firstStamp: u32
  firstSpread: u32
  restSpread: u32
  /** 1: the next datagram is the first of its look. */
  first: u32
  /** A command was written and its acceptance has not been seen. */
  pending: u32
  /** TCP: `TcpState`. */
  state: i32
  /** TCP: DISCON as soon as the SEND in flight has ended. */
  finish: u32
  /** UDP: the destination of the last SEND, whose hardware address the chip keeps. */
  resolvedFor: u32
  /** UDP: the destination in the chip's registers is `peer`:`peerPort` with this MAC (0: unknown). */
  macLow: u32
  macHigh: u32
  /** UDP: `Watch` bits. */
  watch: u32
}

/** Does the end of a SEND pull INTn? */
export const enum Watch {
  /** Sn_IMR lets SENDOK through. */
  On = 1,
  /** INTn fell for SENDOK or for RECV, nobody knows which: the next look's first datagram cannot claim the edge. */
  Doubt = 2,
}

export const NO_PARTNER: u32 = 8

const SOCKET_SIZE: usize = 176
const TABLE: usize = memory.data(1408, 8)
const SCRATCH: usize = memory.data(16, 8)

/** Reads of Sn_CR before the chip counts as dead. */
const ACCEPTANCE_READS: u32 = 32
/** Reads of RX_RSR until it agrees with itself. */
const STABLE_READS: u32 = 8

/**
 * Edges that show nothing: those until the last look. Clearing one cause may let INTn rise and fall again for another that
 * stands on (page 35). `unsettled`: a cause was cleared, and its look has not been.
 */
let settledCount: u32 = 0
let unsettled: bool = false
/** INTn was high then: just before an edge. */
let quietAt: u64 = 0

/** Counters of the sockets; 32 bytes. */
@unmanaged
export class SocketCounters {
  /** A SEND that ended neither in SENDOK nor in TIMEOUT: the socket was opened again. */
  sendStuck: u32
  /** The RX ring made no sense: everything in it was dropped. */
  resynchronised: u32
  /** The chip had closed a UDP socket by itself. */
  socketsLost: u32
  /** RX_RSR changed between its two bytes and was read again. */
  torn: u32
  /** Datagrams stamped by their own edge, and by an upper bound. */
  exactStamps: u32
  mergedStamps: u32
  unused1: u32
  unused2: u32
}

const COUNTERS: usize = memory.data(32, 8)

export function socketCounters(): SocketCounters {
  return changetype<SocketCounters>(COUNTERS)
}

export function socketAt(n: u32): Socket {
  return changetype<Socket>(TABLE + <usize>n * SOCKET_SIZE)
}

/** The chip is new: no socket is open, nothing is on its way. */
export function forgetSockets(): void {
  for (let n: u32 = 0; n < SOCKETS; n++) {
    const socket = socketAt(n)
    socket.open = 0
    socket.openAt = 0
    clearProgress(socket)
  }
}

/** After OPEN all pointers are 0. */
export function clearProgress(socket: Socket): void {
  socket.sending = Sending.None
  socket.rxRead = 0
  socket.rxLeft = 0
  socket.txWrite = 0
  socket.attention = 0
  socket.input = 0
  socket.alone = 0
  socket.pending = 0
  socket.finish = 0
  socket.first = 0
  socket.resolvedFor = 0
  socket.macLow = 0
  socket.macHigh = 0
  socket.watch = 0
}

/** Writes a command. The previous one has been accepted before. */
export function command(n: u32, code: Command): bool {
  if (!accepted(n)) return false
  writeSocket8(n, Sn.CR, code)
  socketAt(n).pending = 1
  return true
}

/** The last command has been accepted: Sn_CR is 0 (page 46). */
export function accepted(n: u32): bool {
  const socket = socketAt(n)
  if (socket.pending === 0) return true
  for (let i: u32 = 0; i < ACCEPTANCE_READS; i++) {
    if (readSocket8(n, Sn.CR) === 0) {
      socket.pending = 0
      return true
    }
  }
  socket.pending = 0
  w5500Restart(ticks())
  return false
}

/** The socket shall be nothing: what it did ends without a word to the peer. */
export function socketRelease(n: u32): void {
  const socket = socketAt(n)
  if (socket.open !== 0 && w5500Up() && command(n, Command.CLOSE)) accepted(n)
  socket.mode = Mode.None
  socket.open = 0
  socket.state = 0
  clearProgress(socket)
}

/** Opens a closed or unknown socket in a mode (Sn_MR) on a port; true when Sn_SR then shows `expected`. */
export function openSocket(n: u32, mode: u32, port: u32, interrupts: u32, expected: Status): bool {
  if (readSocket8(n, Sn.SR) !== Status.CLOSED && !command(n, Command.CLOSE)) return false
  clearProgress(socketAt(n))
  if (!accepted(n)) return false
  writeSocket8(n, Sn.IR, 0x1f)
  writeSocket8(n, Sn.MR, mode)
  writeSocket16(n, Sn.PORT, port)
  writeSocket8(n, Sn.IMR, interrupts)
  return command(n, Command.OPEN) && accepted(n) && readSocket8(n, Sn.SR) === expected
}

/** Reads Sn_CR, Sn_IR and Sn_SR in one frame, clears the causes in `mask`; returns cause | status << 8. */
export function takeCauses(n: u32, mask: u32): u32 {
  readSocket(n, Sn.CR, SCRATCH, 3)
  if (load<u8>(SCRATCH) === 0) socketAt(n).pending = 0
  const causes = <u32>load<u8>(SCRATCH, 1)
  const status = <u32>load<u8>(SCRATCH, 2)
  if ((causes & mask) !== 0) writeSocket8(n, Sn.IR, causes & mask)
  return causes | (status << 8)
}

/** A cause that may have pulled INTn was cleared. */
export function unsettle(): void {
  unsettled = true
}

/** A look at what the cleared cause announced is over, and there have been `count` edges. */
export function settle(count: u32): void {
  settledCount = count
  unsettled = false
}

/** No cause that pulls INTn stood at a tick: what sockets hold and nobody has seen came later. */
export function socketsQuiet(tick: u64): void {
  for (let n: u32 = 0; n < SOCKETS; n++) {
    const socket = socketAt(n)
    // A cause that was cleared and not yet followed by its look shows no more.
    if (socket.mode !== Mode.Udp || socket.input !== 0) continue
    if (tick > socket.asked) socket.asked = tick
    if (tick > socket.trusted) socket.trusted = tick
  }
}

/** `edge`: the last capture. INTn was high just before it, unless that was only the rise that a clearing may leave. */
export function quietBefore(edge: usize): void {
  if (unsettled || load<u32>(edge) === settledCount) return
  quietAt = load<u64>(edge, 8)
  if (load<u32>(edge, 4) !== 0) quietAt -= LATE_LIMIT
}

/** No cause stood when INTn was last seen high: what this socket holds and nobody has seen came later. Not while input waits for its look. */
export function socketQuiet(socket: Socket): void {
  if (quietAt > socket.asked) socket.asked = quietAt
}

/** Keeps the capture that belongs to the causes standing now. Taken before they are cleared. */
export function keepEdge(socket: Socket): void {
  capture(Channel.EthernetInt, SCRATCH)
  socket.edgeCount = load<u32>(SCRATCH)
  socket.edgeLate = load<u32>(SCRATCH, 4)
  socket.edge = load<u64>(SCRATCH, 8)
}

/** Edges of INTn until now. */
export function edgeCount(): u32 {
  capture(Channel.EthernetInt, SCRATCH)
  return load<u32>(SCRATCH)
}

/**
 * Reads how much lies in the RX buffer into `rxLeft`. The chip may change RX_RSR between the reads of its two bytes
 * (page 55), so its value counts only when a second source agrees: RX_WR - RX_RD of the same frame, or the previous
 * read. False when the ring makes no sense.
 */
export function look(n: u32): bool {
  const socket = socketAt(n)
  let previous: u32 = 0xffff_ffff
  for (let i: u32 = 0; i < STABLE_READS; i++) {
    const asked = ticks()
    readSocket(n, Sn.RX_RSR, SCRATCH, 6)
    const received = loadU16be(SCRATCH)
    const pointer = loadU16be(SCRATCH + 2)
    const written = loadU16be(SCRATCH + 4)
    if (received === ((written - pointer) & 0xffff) || received === previous) {
      socket.seen = ticks()
      socket.asked = asked
      socket.rxLeft = received
      return pointer === socket.rxRead
    }
    previous = received
    socketCounters().torn++
  }
  return false
}

/** Tells the chip that everything up to `rxRead` was read. */
export function release(n: u32): void {
  writeSocket16(n, Sn.RX_RD, socketAt(n).rxRead)
  command(n, Command.RECV)
}

/** Drops all that lies in the RX buffer: the ring's bookkeeping was lost. */
export function resynchronise(n: u32): void {
  const socket = socketAt(n)
  socketCounters().resynchronised++
  readSocket(n, Sn.RX_WR, SCRATCH, 2)
  const first = loadU16be(SCRATCH)
  readSocket(n, Sn.RX_WR, SCRATCH, 2)
  // If it moved meanwhile, the next datagram will not parse either and this is done once more.
  socket.rxRead = loadU16be(SCRATCH)
  socket.rxLeft = 0
  socket.input = first === socket.rxRead ? 0 : 1
  release(n)
}
