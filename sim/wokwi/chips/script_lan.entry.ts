// The scripted LAN inside the W5500 chip: a custom chip of Wokwi has no sockets. Every address of the board's network answers
// ARP; one host plays a client.
//
//   NTP           a request every `ntpSeconds`, its reply checked (length, mode, origin timestamp) and told on the chips'
//                 console with stratum and offset against the true time, which is `unixTime` plus the time since the start
//   key exchange  when `keyExchange` becomes 1: see nts_client.entry.ts
//
// Attributes, also as controls: unixTime, ntpSeconds (0: none), keyExchange.

import { Lan } from '../../chips/lan'
import { udpFrameNanos, W5500 } from '../../chips/w5500'
import { Attribute, number, print, text } from './api.entry'
import { NtsClient } from './nts_client.entry'

/** The client is the network's host 10. */
const CLIENT_HOST: u32 = 10
const NTP_PORT: i32 = 123
const CLIENT_PORT: i32 = 40_123
/** From the end of an ARP request to the end of its answer. */
const ARP_NANOS: f64 = 120_000
const LOOK: f64 = 50e6
const SECOND: f64 = 1e9
const NTP_LENGTH: i32 = 48
const UNIX_TO_NTP: i64 = 2_208_988_800
const ARPS: i32 = 8

export class ScriptLan extends Lan {
  chip: W5500 = changetype<W5500>(0)
  private unixTime: Attribute = new Attribute('unixTime', 1_793_491_200)
  private ntpSeconds: Attribute = new Attribute('ntpSeconds', 1)
  private keyExchange: Attribute = new Attribute('keyExchange', 0)
  private nts: NtsClient = new NtsClient()
  private lookAt: f64 = LOOK
  private askAt: f64 = SECOND
  private exchangeWanted: bool = false

  private arpAddress: StaticArray<u32> = new StaticArray<u32>(ARPS)
  private arpAt: StaticArray<f64> = new StaticArray<f64>(ARPS)
  private mac: Uint8Array = new Uint8Array(6)
  private request: Uint8Array = new Uint8Array(NTP_LENGTH)
  /** True UTC at which the open request left, nanoseconds since the start; -1: none is open. */
  private asked: f64 = -1
  private sequence: u32 = 0

  constructor() {
    super()
    for (let i = 0; i < ARPS; i++) this.arpAt[i] = Infinity
    this.nts.lan = this
  }

  // ---- Lan

  nextEvent(): f64 {
    let next = Math.min(this.lookAt, this.askAt)
    for (let i = 0; i < ARPS; i++) next = Math.min(next, this.arpAt[i])
    return Math.min(next, this.nts.nextEvent())
  }

  advance(now: f64): void {
    if (this.lookAt <= now) this.look(now)
    if (this.askAt <= now) this.ask(now)
    for (let i = 0; i < ARPS; i++) if (this.arpAt[i] <= now) this.answerArp(now, i)
    this.nts.advance(now)
  }

  udpOpened(_socket: i32, _address: u32, _port: i32): void {}
  udpClosed(_socket: i32, _port: i32): void {}
  tcpListening(_socket: i32, _address: u32, _port: i32): void {}

  tcpConnecting(_at: f64, _socket: i32, _ip: u32, _port: i32, _from: i32): void {}

  udpTransmit(at: f64, _mac: Uint8Array, ip: u32, port: i32, from: i32, data: Uint8Array, length: i32): void {
    if (from !== NTP_PORT || ip !== this.client()) return
    const end = at + udpFrameNanos(length)
    if (port === CLIENT_PORT) this.reply(end, data, length)
    else this.nts.reply(end, port, data, length)
  }

  arpRequest(at: f64, ip: u32): void {
    for (let i = 0; i < ARPS; i++) {
      if (this.arpAt[i] !== Infinity) continue
      this.arpAddress[i] = ip
      this.arpAt[i] = at + ARP_NANOS
      return
    }
  }

  tcpTransmit(at: f64, socket: i32, data: Uint8Array, length: i32): void {
    this.nts.received(at, socket, data, length)
  }

  tcpFinish(at: f64, socket: i32): void {
    this.nts.finished(at, socket)
  }

  tcpWindow(_at: f64, _socket: i32): void {}

  tcpClosed(_at: f64, socket: i32): void {
    this.nts.closed(socket)
  }

  // ---- For the scripted hosts.

  /** The board's address, 0 before it has one. */
  board(): u32 {
    const common = this.chip.common
    return word(common[15], common[16], common[17], common[18])
  }

  client(): u32 {
    const common = this.chip.common
    return (this.board() & word(common[5], common[6], common[7], common[8])) | CLIENT_HOST
  }

  macOf(ip: u32): Uint8Array {
    this.mac[0] = 2
    this.mac[1] = 0
    for (let i = 0; i < 4; i++) this.mac[2 + i] = <u8>(ip >> (24 - 8 * i))
    return this.mac
  }

  /** True time as an NTP timestamp: seconds << 32 | fraction. */
  timestamp(nanos: f64): u64 {
    const second = Math.floor(nanos / SECOND)
    const fraction = <u64>(((nanos - second * SECOND) / SECOND) * 4_294_967_296)
    return ((<u64>(<i64>this.unixTime.value + <i64>second + UNIX_TO_NTP)) << 32) + fraction
  }

  private look(now: f64): void {
    this.lookAt = now + LOOK
    const wanted = this.keyExchange.on
    // A board that does not listen yet is asked again.
    if (!wanted) this.exchangeWanted = false
    else if (!this.exchangeWanted) this.exchangeWanted = this.nts.begin(now)
  }

  private answerArp(now: f64, i: i32): void {
    this.arpAt[i] = Infinity
    const ip = this.arpAddress[i]
    this.chip.arpReply(now, ip, this.macOf(ip))
  }

  // ---- The NTP client.

  private ask(now: f64): void {
    const every = this.ntpSeconds.value
    this.askAt = now + (every === 0 ? SECOND : <f64>every * SECOND)
    const board = this.board()
    if (every === 0 || board === 0 || this.chip.udpRoom(NTP_PORT, board) < NTP_LENGTH) return
    this.request.fill(0)
    this.request[0] = 0x23
    // The transmit timestamp is a number that comes back, not a time (RFC 5905 section 9.2 as data minimisation has it).
    this.sequence++
    for (let i = 0; i < 4; i++) this.request[44 + i] = <u8>(this.sequence >> (24 - 8 * i))
    this.asked = now
    this.chip.receiveUdp(now, this.client(), CLIENT_PORT, board, NTP_PORT, this.request, NTP_LENGTH)
  }

  private reply(now: f64, data: Uint8Array, length: i32): void {
    if (this.asked < 0) return
    text('ntp client: ')
    const fresh = load32(data, 24) === 0 && load32(data, 28) === this.sequence
    if (length !== NTP_LENGTH || (data[0] & 7) !== 4 || !fresh) text('a reply that is none to its request')
    else if (data[1] === 0) text('not synchronised')
    else this.tell(now, data)
    this.asked = -1
    print()
  }

  private tell(now: f64, data: Uint8Array): void {
    const t1 = this.timestamp(this.asked)
    const t4 = this.timestamp(now)
    const forth = <i64>(load64(data, 32) - t1)
    const back = <i64>(load64(data, 40) - t4)
    text('stratum ')
    number(data[1])
    text(' offset ')
    number(<i64>(((<f64>forth + <f64>back) / 2 / 4_294_967_296) * SECOND))
    text(' ns')
  }
}

function word(a: u8, b: u8, c: u8, d: u8): u32 {
  return ((<u32>a) << 24) | ((<u32>b) << 16) | ((<u32>c) << 8) | <u32>d
}

function load32(data: Uint8Array, at: i32): u32 {
  return word(data[at], data[at + 1], data[at + 2], data[at + 3])
}

function load64(data: Uint8Array, at: i32): u64 {
  return ((<u64>load32(data, at)) << 32) | load32(data, at + 4)
}
