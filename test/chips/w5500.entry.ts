// The W5500 model compiled by AssemblyScript: the file is written in the subset of TypeScript that both compilers take.

import { Lan } from '../../sim/chips/lan'
import { W5500 } from '../../sim/chips/w5500'

/** A network that answers nothing and counts what the chip sends. */
class DeafLan extends Lan {
  transmitted: i32 = 0

  nextEvent(): f64 {
    return Infinity
  }
  advance(_now: f64): void {}
  udpOpened(_socket: i32, _address: u32, _port: i32): void {}
  udpClosed(_socket: i32, _port: i32): void {}
  udpTransmit(_at: f64, _mac: Uint8Array, _ip: u32, _port: i32, _from: i32, _data: Uint8Array, length: i32): void {
    this.transmitted += length
  }
  arpRequest(_at: f64, _ip: u32): void {}
  tcpListening(_socket: i32, _address: u32, _port: i32): void {}
  tcpConnecting(_at: f64, _socket: i32, _ip: u32, _port: i32, _from: i32): void {}
  tcpTransmit(_at: f64, _socket: i32, _data: Uint8Array, _length: i32): void {}
  tcpFinish(_at: f64, _socket: i32): void {}
  tcpWindow(_at: f64, _socket: i32): void {}
  tcpClosed(_at: f64, _socket: i32): void {}
}

let lan: DeafLan = changetype<DeafLan>(0)
let chip: W5500 = changetype<W5500>(0)
let data: Uint8Array = changetype<Uint8Array>(0)

/** Makes the chip. Returns the address of 2048 bytes for the caller. */
export function create(spiByteNanos: f64): usize {
  lan = new DeafLan()
  chip = new W5500(lan)
  chip.spiByteNanos = spiByteNanos
  data = new Uint8Array(2048)
  return data.dataStart
}

export function burst(now: f64, header: u32, length: i32, write: bool): f64 {
  return chip.burst(now, header, data, 0, length, write)
}

export function receiveUdp(now: f64, source: u32, port: i32, destination: u32, to: i32, length: i32): bool {
  return chip.receiveUdp(now, source, port, destination, to, data, length)
}

export function advance(now: f64): f64 {
  chip.advance(now)
  return chip.nextEvent()
}

export function intFallNanos(): f64 {
  return chip.intFallNanos
}

export function transmitted(): i32 {
  return lan.transmitted
}

/** The rest of the interface, so that it is compiled too. */
export function others(now: f64): i32 {
  chip.select(now)
  chip.transfer(0)
  chip.deselect(now)
  chip.arpReply(now, 1, data)
  chip.unreachable(now, 1, 1)
  chip.addressConflict(now)
  const free = chip.udpRoom(123, 1) + chip.tcpListener(1)
  if (chip.tcpConnect(now, 7, 1, 1, data)) chip.tcpReceive(now, 7, data, 0, 1)
  chip.tcpWindowClosed(7)
  chip.tcpAcknowledge(now, 7)
  chip.tcpFin(now, 7)
  chip.tcpReset(now, 7)
  chip.setCable(now, true)
  chip.setReset(now, 1)
  chip.powerCycle(now)
  return free + i32(chip.answersPing(1)) + i32(chip.linkUp())
}
