// The Ethernet: one poll for the W5500 and all its sockets, and when to poll again.
//
//   ethernetStart(...) once; udpOpen / tcpListen say what the sockets shall be; then in each turn of the main loop
//   ethernetPoll(now); the owners' work (udpReceive, tcpRead ...); ethernetDeadline(now)
// An owner must take what waits: until then the deadline is now.
//
// INTn is taken as a level: it is looked at in every poll and before every sleep, so a lost edge costs time, never the
// service. Only UDP sockets pull it. TCP is found by asking SIR every millisecond while a connection lives, every
// 20 ms while one is waited for. Once a second every socket is looked at whether or not it has said anything.

import { Channel, capture, TICK_HZ } from '../../hal/abi'
import {
  Common,
  MILLISECOND,
  readCommon,
  SOCKETS,
  w5500Configure,
  w5500Interrupt,
  w5500Status,
  w5500Step,
  w5500StepDue,
  w5500Up,
} from './w5500'
import { watchOthers } from './w5500_departure'
import {
  forgetSockets,
  Mode,
  NO_PARTNER,
  quietBefore,
  Sending,
  Socket,
  socketAt,
  socketQuiet,
  socketsQuiet,
} from './w5500_socket'
import { TcpState, tcpBring, tcpExpire, tcpLost, tcpServe } from './w5500_tcp'
import { udpBring, udpCheck, udpFollow, udpStamped, udpWaiting } from './w5500_udp'

const CHECK_INTERVAL: u64 = <u64>TICK_HZ
const TCP_LIVE_INTERVAL: u32 = <u32>MILLISECOND
const TCP_LISTEN_INTERVAL: u32 = <u32>MILLISECOND * 20
/** A connection that was reset says nothing: its state is read this often. */
const TCP_STATE_INTERVAL: u64 = MILLISECOND * 50

/** `count u32 | late u32 | ticks u64`, as `capture` writes it. */
const EDGE: usize = memory.data(16, 8)
/** IR, IMR, SIR. */
const CAUSES: usize = memory.data(8, 8)

let generation: u32 = 0
let checkAt: u64 = 0
/** When to ask SIR: for the sake of TCP, and before every check of all sockets. */
let askAt: u64 = 0
let tcpStateAt: u64 = 0

/** Sets the addresses (`mac` 6 bytes; IPv4 in host order) and brings the chip up, now and whenever it fails. */
export function ethernetStart(mac: usize, ip: u32, mask: u32, gateway: u32, now: u64): void {
  w5500Configure(mac, ip, mask, gateway, now)
}

/** The chip answers, and the PHY has a link. */
export function ethernetLink(): bool {
  return w5500Up() && w5500Status().link !== 0
}

/** Finds out what has happened. Never waits; some 3 SPI frames when nothing has, 15 when a socket must be opened. */
export function ethernetPoll(now: u64): void {
  if (!w5500Step(now)) return
  if (w5500Status().generation !== generation) chipIsNew(now)
  const check = now >= checkAt
  if (check) checkAt = now + CHECK_INTERVAL
  if (now >= askAt || (w5500Interrupt() && !udpAttended())) askCauses(now)
  if (check) checkAll()
  if (now >= tcpStateAt) checkConnections(now)
  let opened = false
  for (let n: u32 = 0; n < SOCKETS; n++) {
    const socket = socketAt(n)
    if (socket.mode === Mode.None) continue
    if (!opened && wantsOpening(socket) && now >= socket.openAt) {
      bring(n, now)
      opened = true
    } else if (socket.open !== 0) follow(n, now)
  }
}

/** When to poll again at the latest. `now` when something is left to do. */
export function ethernetDeadline(now: u64): u64 {
  if (!w5500Up()) return w5500StepDue()
  if (w5500Interrupt() && !udpAttended()) return now
  let due = earlier(w5500StepDue(), earlier(askAt, tcpStateAt))
  for (let n: u32 = 0; n < SOCKETS; n++) {
    const socket = socketAt(n)
    if (socket.mode === Mode.None) continue
    if (socket.open === 0) {
      if (wantsOpening(socket)) due = earlier(due, socket.openAt)
    } else if (socket.mode === Mode.Udp) due = earlier(due, udpDue(n, now))
    else if (socket.attention !== 0) return now
  }
  return due > now ? due : now
}

/** A socket that answers by SEND is followed at once; SEND_MAC only when something waits for its end. */
function udpDue(n: u32, now: u64): u64 {
  const socket = socketAt(n)
  if (socket.sending === Sending.None) return socket.partner !== NO_PARTNER && udpWaiting(n) ? now : u64.MAX_VALUE
  return socket.sending === Sending.Resolving || udpWaiting(n) ? socket.askAt : u64.MAX_VALUE
}

function chipIsNew(now: u64): void {
  generation = w5500Status().generation
  for (let n: u32 = 0; n < SOCKETS; n++) if (socketAt(n).mode === Mode.Tcp) tcpLost(n)
  forgetSockets()
  checkAt = now + CHECK_INTERVAL
  askAt = now
  tcpStateAt = now
}

/** A stamped socket's cause is known and not yet looked at; INTn stays low until it is. */
function udpAttended(): bool {
  for (let n: u32 = 0; n < SOCKETS; n++) {
    const socket = socketAt(n)
    if (socket.mode === Mode.Udp && socket.open !== 0 && socket.attention !== 0) return true
  }
  return false
}

/** Asks SIR, the one frame that all sockets share. */
function askCauses(now: u64): void {
  readCommon(Common.IR, CAUSES, 3)
  const sir = <u32>load<u8>(CAUSES, 2)
  const stamped = sir & udpStamped()
  const alone = (stamped & (stamped - 1)) === 0
  if (stamped === 0) socketsQuiet(now)
  else {
    // INTn stays low for what stands, so its edge is the last one.
    capture(Channel.EthernetInt, EDGE)
    watchOthers(stamped, load<u32>(EDGE))
    quietBefore(EDGE)
  }
  let next: u32 = u32.MAX_VALUE
  for (let n: u32 = 0, left = sir; n < SOCKETS; n++, left >>= 1) {
    const socket = socketAt(n)
    if (socket.mode === Mode.Tcp) next = min(next, tcpInterval(socket))
    if ((left & 1) === 0 || socket.open === 0 || socket.attention !== 0) continue
    socket.attention = 1
    // Input that was announced before and not yet looked at keeps its own edge.
    if (socket.input !== 0) continue
    socketQuiet(socket)
    socket.alone = alone ? 1 : 0
    socket.edgeCount = load<u32>(EDGE)
    socket.edgeLate = load<u32>(EDGE, 4)
    socket.edge = load<u64>(EDGE, 8)
  }
  askAt = earlier(checkAt, now + <u64>next)
}

/** Ticks; u32.MAX_VALUE: it need not be asked. */
function tcpInterval(socket: Socket): u32 {
  if (socket.state === TcpState.Closed) return u32.MAX_VALUE
  return socket.state === TcpState.Listening ? TCP_LISTEN_INTERVAL : TCP_LIVE_INTERVAL
}

/** Lost edges, lost causes and sockets that the chip has closed end here. */
function checkAll(): void {
  for (let n: u32 = 0; n < SOCKETS; n++) {
    const socket = socketAt(n)
    if (socket.open === 0) continue
    if (socket.mode === Mode.Udp) udpCheck(n)
    else if (socket.mode === Mode.Tcp) socket.attention = 1
  }
}

function checkConnections(now: u64): void {
  tcpStateAt = now + TCP_STATE_INTERVAL
  for (let n: u32 = 0; n < SOCKETS; n++) {
    const socket = socketAt(n)
    if (socket.mode === Mode.Tcp && socket.open !== 0 && socket.state >= TcpState.Open) socket.attention = 1
  }
}

function wantsOpening(socket: Socket): bool {
  if (socket.open !== 0) return false
  if (socket.mode === Mode.Udp) return true
  return socket.mode === Mode.Tcp && (socket.state === TcpState.Listening || socket.state === TcpState.Connecting)
}

function bring(n: u32, now: u64): void {
  if (socketAt(n).mode === Mode.Udp) udpBring(n, now)
  else {
    tcpBring(n, now)
    askAt = now
  }
}

function follow(n: u32, now: u64): void {
  const socket = socketAt(n)
  if (socket.mode === Mode.Udp) {
    if (socket.sending === Sending.Resolving) udpFollow(n, now)
    return
  }
  if (socket.attention !== 0) {
    tcpServe(n, now)
    // A connection that has just come is asked for more often than one that is waited for.
    if (socket.state !== TcpState.Closed) askAt = earlier(askAt, now + <u64>tcpInterval(socket))
  }
  tcpExpire(n, now)
}

function earlier(a: u64, b: u64): u64 {
  return a < b ? a : b
}
