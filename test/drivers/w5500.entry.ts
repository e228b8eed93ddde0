// What the tests of the W5500 driver call.

export {
  neighbourLearn,
  neighboursClear,
  neighbourUnreachable,
  strangerAllowed,
} from '../../firmware/drivers/neighbours'
export { udpDeparted, udpDepartedTicks } from '../../firmware/drivers/w5500_departure'
export { ethernetDeadline, ethernetLink, ethernetPoll, ethernetStart } from '../../firmware/drivers/w5500_ethernet'
export {
  tcpAbort,
  tcpAvailable,
  tcpConnect,
  tcpDisconnect,
  tcpListen,
  tcpPeer,
  tcpPeerPort,
  tcpRead,
  tcpState,
  tcpWritable,
  tcpWrite,
} from '../../firmware/drivers/w5500_tcp'
export {
  frameTicks,
  udpClose,
  udpOpen,
  udpPrepare,
  udpReady,
  udpSend,
  udpSentTicks,
  udpWaiting,
  udpWatch,
} from '../../firmware/drivers/w5500_udp'

import { neighbourFind } from '../../firmware/drivers/neighbours'
import { w5500Status } from '../../firmware/drivers/w5500'
import { ARRIVALS_SIZE, Arrivals, stampLook } from '../../firmware/drivers/w5500_arrival'
import { Socket, socketCounters } from '../../firmware/drivers/w5500_socket'
import { tcpCounters } from '../../firmware/drivers/w5500_tcp'
import {
  Datagram,
  udpCounters,
  udpPrepare,
  udpReady,
  udpReceive,
  udpSend,
  udpWaiting,
} from '../../firmware/drivers/w5500_udp'

const BUFFER: usize = memory.data(4096, 8)
const ARRIVALS: usize = memory.data(24, 8)

/** Scratch of 4096 bytes for the test. */
export function buffer(): usize {
  return BUFFER
}

/** Address of the `Datagram`, 0 for none. */
export function receive(n: u32, limit: u32, now: u64): usize {
  return changetype<usize>(udpReceive(n, limit, now))
}

/** Answers what is there, as the main loop does: the payload goes back as it came. Returns how many. */
export function echo(n: u32, now: u64, most: u32): u32 {
  let served: u32 = 0
  while (served < most && udpWaiting(n) && udpReady(n, now)) {
    const datagram = udpReceive(n, 1472, now)
    if (changetype<usize>(datagram) === 0) break
    served++
    if (udpPrepare(n, datagram.ip, datagram.port, now) !== 0) udpSend(datagram.data, datagram.length)
  }
  return served
}

export function find(ip: u32, mac: usize, now: u64): i32 {
  return neighbourFind(ip, mac, now)
}

export function statusAddress(): usize {
  return changetype<usize>(w5500Status())
}

export function udpCountersAddress(): usize {
  return changetype<usize>(udpCounters())
}

export function tcpCountersAddress(): usize {
  return changetype<usize>(tcpCounters())
}

export function socketCountersAddress(): usize {
  return changetype<usize>(socketCounters())
}

/** Bytes of the structures, as the driver's reservations must have them. */
export function sizeOfSocket(): usize {
  return offsetof<Socket>()
}

export function sizeOfDatagram(): usize {
  return offsetof<Datagram>()
}

export function sizeOfArrivals(): usize {
  return offsetof<Arrivals>() === ARRIVALS_SIZE ? ARRIVALS_SIZE : 0
}

// The stamping rule alone.

export function arrivalsAddress(): usize {
  return ARRIVALS
}

export function stamp(
  from: u64,
  trusted: u64,
  alone: bool,
  count: u32,
  late: u32,
  edge: u64,
  seen: u64,
  countAfter: u32,
): i32 {
  return stampLook(changetype<Arrivals>(ARRIVALS), from, trusted, alone, count, late, edge, seen, countAfter)
}
