// TCP over the W5500. One socket carries one connection; several sockets may listen on one port.
//
//   tcpListen -> Listening -> Open -> PeerClosed -> (tcpDisconnect) Closing -> Closed -> tcpListen again
//   tcpConnect -> Connecting -> Open ...; refused, or nobody there: Closed. Then `socketRelease` or tcpConnect again
//
// The owner reads and writes; the driver bounds the states that a vanished peer would keep for ever. After Closed the
// owner forgets its connection and listens again. Listening survives a reset of the chip by itself; a connection does not.
//
// TCP does not pull INTn, which would blur the arrival times of NTP: w5500_ethernet.ts asks SIR for it every millisecond
// while a connection lives. A reset by the peer raises no interrupt at all (datasheet page 47), so Sn_SR is read
// now and then.

import { loadU16be, loadU32be, storeU16be, storeU32be } from '../bytes/endian'
import {
  Cause,
  Command,
  MILLISECOND,
  readRx,
  readSocket,
  readSocket8,
  readSocket16,
  Sn,
  Status,
  w5500Up,
  writeSocket,
  writeSocket8,
  writeSocket16,
  writeTx,
} from './w5500'
import {
  accepted,
  command,
  look,
  Mode,
  NO_PARTNER,
  openSocket,
  release,
  Sending,
  Socket,
  socketAt,
  socketCounters,
  takeCauses,
} from './w5500_socket'

export const enum TcpState {
  /** No connection; `tcpListen` to begin anew. */
  Closed = 0,
  Listening = 1,
  Open = 2,
  /** The peer has sent its FIN: what it sent before may still be read, and it may be written to. */
  PeerClosed = 3,
  /** Our FIN is out, or will be after the data in flight. */
  Closing = 4,
  /** Our SYN is out, or will be. */
  Connecting = 5,
}

/** Counters of TCP; 32 bytes. */
@unmanaged
export class TcpCounters {
  accepted: u32
  /** Ended by the peer's reset or the chip's time-out. */
  lost: u32
  /** Given up by us: a state lasted too long. */
  expired: u32
  bytesIn: u32
  bytesOut: u32
  unused1: u32
  unused2: u32
  unused3: u32
}

/** Mode TCP without delayed acknowledge (Sn_MR: ND, page 45). */
const MODE_TCP: u32 = 0x21
/** Keep-alive every 10 s (KPALVTR counts 5 s); works after the first byte. */
const KEEP_ALIVE: u32 = 2
/** How long the peer's half-closed connection is kept for an owner that does not close it. */
const PEER_CLOSED_LIMIT: u64 = MILLISECOND * 10_000
const CLOSING_LIMIT: u64 = MILLISECOND * 3000
/** ARP, then the SYN's repetitions; the chip gives up after 2.63 s. */
const CONNECT_LIMIT: u64 = MILLISECOND * 4000
/** RTR and RCR give up after 2.55 s. */
const SEND_LIMIT: u64 = MILLISECOND * 5000
const REOPEN_INTERVAL: u64 = MILLISECOND * 10
/** Reads of TX_FSR until two agree. */
const STABLE_READS: u32 = 8

const SCRATCH: usize = memory.data(16, 8)
const COUNTERS: usize = memory.data(32, 8)

// ---- For the owner.

/** Socket `n` shall wait for a connection to `port`. Ends what it did before. */
export function tcpListen(n: u32, port: u32): void {
  const socket = socketAt(n)
  socket.mode = Mode.Tcp
  socket.partner = NO_PARTNER
  socket.port = port
  socket.open = 0
  socket.openAt = 0
  socket.state = TcpState.Listening
}

/** Socket `n` shall connect from `port` to `ip`:`peerPort`. Ends what it did before. */
export function tcpConnect(n: u32, port: u32, ip: u32, peerPort: u32, now: u64): void {
  tcpListen(n, port)
  const socket = socketAt(n)
  socket.peer = ip
  socket.peerPort = peerPort
  socket.giveUpAt = now + CONNECT_LIMIT
  socket.sending = Sending.None
  socket.state = TcpState.Connecting
}

export function tcpState(n: u32): TcpState {
  return socketAt(n).state
}

/** Peer's address in host order, and its port. */
export function tcpPeer(n: u32): u32 {
  return socketAt(n).peer
}

export function tcpPeerPort(n: u32): u32 {
  return socketAt(n).peerPort
}

/** Bytes that can be read. Asks the chip only when it has announced some. */
export function tcpAvailable(n: u32): u32 {
  const socket = socketAt(n)
  if (!readable(socket)) return 0
  if (socket.rxLeft === 0 && socket.input !== 0) {
    socket.input = 0
    if (!look(n)) fail(n)
  }
  return socket.rxLeft
}

/** Moves up to `capacity` received bytes to `out`; returns how many. */
export function tcpRead(n: u32, out: usize, capacity: u32): u32 {
  const available = tcpAvailable(n)
  const length = available < capacity ? available : capacity
  if (length === 0) return 0
  const socket = socketAt(n)
  readRx(n, socket.rxRead, out, length)
  socket.rxRead = (socket.rxRead + length) & 0xffff
  socket.rxLeft -= length
  // What came since the last look raises RECV again; what came before it did not.
  release(n)
  tcpCounters().bytesIn += length
  return length
}

/** The previous write has been acknowledged and the connection takes data. */
export function tcpWritable(n: u32): bool {
  const socket = socketAt(n)
  const state = socket.state
  return w5500Up() && socket.sending === Sending.None && (state === TcpState.Open || state === TcpState.PeerClosed)
}

/** Sends up to `length` bytes; returns how many were taken: 0 while the previous write is not acknowledged. */
export function tcpWrite(n: u32, data: usize, length: u32, now: u64): u32 {
  if (!tcpWritable(n) || length === 0) return 0
  const free = txFree(n)
  const taken = length < free ? length : free
  if (taken === 0) return 0
  const socket = socketAt(n)
  writeTx(n, socket.txWrite, data, taken)
  socket.txWrite = (socket.txWrite + taken) & 0xffff
  writeSocket16(n, Sn.TX_WR, socket.txWrite)
  if (!command(n, Command.SEND)) return 0
  socket.sending = Sending.Stream
  socket.giveUpAt = now + SEND_LIMIT
  tcpCounters().bytesOut += taken
  return taken
}

/** Ends the connection in order, after the data in flight. */
export function tcpDisconnect(n: u32, now: u64): void {
  const socket = socketAt(n)
  if (socket.state === TcpState.Listening || socket.state === TcpState.Connecting) tcpAbort(n)
  if (socket.state !== TcpState.Open && socket.state !== TcpState.PeerClosed) return
  if (socket.sending === Sending.None) command(n, Command.DISCON)
  else socket.finish = 1
  socket.state = TcpState.Closing
  socket.giveUpAt = now + CLOSING_LIMIT
}

/** Drops the connection. The chip says nothing to the peer, who learns it by a reset when it sends. */
export function tcpAbort(n: u32): void {
  const socket = socketAt(n)
  if (socket.open !== 0 && w5500Up()) {
    command(n, Command.CLOSE)
    accepted(n)
  }
  ended(socket)
}

export function tcpCounters(): TcpCounters {
  return changetype<TcpCounters>(COUNTERS)
}

// ---- For w5500_ethernet.ts.

/** Opens the socket on the chip, and listens or connects. */
export function tcpBring(n: u32, now: u64): void {
  const socket = socketAt(n)
  socket.openAt = now + REOPEN_INTERVAL
  if (!openSocket(n, MODE_TCP, socket.port, 0x1f, Status.INIT)) return
  writeSocket8(n, Sn.KPALVTR, KEEP_ALIVE)
  const connects: bool = socket.state === TcpState.Connecting
  if (connects) {
    storeU32be(SCRATCH, socket.peer)
    storeU16be(SCRATCH + 4, socket.peerPort)
    writeSocket(n, Sn.DIPR, SCRATCH, 6)
  }
  // A SYN may be answered before Sn_SR is read for the first time: whatever it shows, `tcpServe` will see it.
  if (command(n, connects ? Command.CONNECT : Command.LISTEN) && accepted(n)) socket.open = 1
  socket.attention = 1
}

/** The chip was reset: a connection is gone, listening will be taken up again. */
export function tcpLost(n: u32): void {
  const socket = socketAt(n)
  if (socket.state === TcpState.Closed || socket.state === TcpState.Listening) return
  tcpCounters().lost++
  ended(socket)
}

/** Looks at the socket's causes and state. */
export function tcpServe(n: u32, now: u64): void {
  const socket = socketAt(n)
  socket.attention = 0
  const answer = takeCauses(n, 0x1f)
  const status = answer >> 8
  if ((answer & Cause.RECV) !== 0) socket.input = 1
  if (socket.state === TcpState.Listening) {
    serveListening(n, status, now)
    return
  }
  if (socket.state === TcpState.Connecting) {
    if (status === Status.ESTABLISHED || status === Status.CLOSE_WAIT) begin(n, status, now)
    else if (status !== Status.SYNSENT && status !== Status.INIT) ended(socket)
    return
  }
  if ((answer & Cause.SENDOK) !== 0) acknowledged(n, now)
  if (status === Status.CLOSED) {
    if (socket.state !== TcpState.Closing) tcpCounters().lost++
    ended(socket)
  } else if (status === Status.CLOSE_WAIT && socket.state === TcpState.Open) peerClosed(socket, now)
}

/** Gives up what lasts too long. */
export function tcpExpire(n: u32, now: u64): void {
  const socket = socketAt(n)
  const bounded = socket.sending !== Sending.None || socket.state >= TcpState.PeerClosed
  if (!bounded || now < socket.giveUpAt) return
  tcpCounters().expired++
  tcpAbort(n)
}

// ---- Helpers.

function serveListening(n: u32, status: u32, now: u64): void {
  const socket = socketAt(n)
  if (status === Status.LISTEN || status === Status.SYNRECV) return
  if (status !== Status.ESTABLISHED && status !== Status.CLOSE_WAIT) {
    // The handshake failed, or LISTEN did: once more.
    socket.open = 0
    return
  }
  readSocket(n, Sn.DIPR, SCRATCH, 6)
  socket.peer = loadU32be(SCRATCH)
  socket.peerPort = loadU16be(SCRATCH + 4)
  tcpCounters().accepted++
  begin(n, status, now)
}

/** The connection stands. */
function begin(n: u32, status: u32, now: u64): void {
  const socket = socketAt(n)
  // The pointers are set anew at the connection (page 54).
  readSocket(n, Sn.TX_WR, SCRATCH, 6)
  socket.txWrite = loadU16be(SCRATCH)
  socket.rxRead = loadU16be(SCRATCH + 4)
  socket.rxLeft = 0
  socket.input = 1
  socket.state = TcpState.Open
  if (status === Status.CLOSE_WAIT) peerClosed(socket, now)
}

function acknowledged(n: u32, now: u64): void {
  const socket = socketAt(n)
  socket.sending = Sending.None
  if (socket.state === TcpState.PeerClosed) socket.giveUpAt = now + PEER_CLOSED_LIMIT
  if (socket.finish === 0) return
  socket.finish = 0
  command(n, Command.DISCON)
}

function peerClosed(socket: Socket, now: u64): void {
  socket.state = TcpState.PeerClosed
  socket.input = 1
  // A write in flight has its own bound, which may be earlier.
  if (socket.sending === Sending.None) socket.giveUpAt = now + PEER_CLOSED_LIMIT
}

function ended(socket: Socket): void {
  socket.state = TcpState.Closed
  socket.open = 0
  socket.sending = Sending.None
  socket.rxLeft = 0
  socket.input = 0
  socket.attention = 0
  socket.finish = 0
}

function fail(n: u32): void {
  socketCounters().resynchronised++
  tcpAbort(n)
}

function readable(socket: Socket): bool {
  return socket.open !== 0 && socket.state >= TcpState.Open && socket.state <= TcpState.Closing
}

function txFree(n: u32): u32 {
  let previous: u32 = 0xffff_ffff
  for (let i: u32 = 0; i < STABLE_READS; i++) {
    const free = readSocket16(n, Sn.TX_FSR)
    if (free === previous) return free
    previous = free
  }
  return 0
}

/** Sn_SR, for tests and the console. */
export function tcpStatus(n: u32): u32 {
  return readSocket8(n, Sn.SR)
}
