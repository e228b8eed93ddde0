// WIZnet W5500: a model at the SPI pins, accurate by register, buffer and time. Portable subset of TypeScript.
//
// In: SPI frames (`select`/`transfer`/`deselect`, or `burst`), the RSTn pin, frames from the network (`receiveUdp`,
// `arpReply`, `tcpConnect` ...). Out: MISO bytes, the INTn level with the time and count of its falling edges, and calls
// of `Lan`. Register names and page numbers are those of the W5500 datasheet 1.0.9 (chapter 4, pages 29-58). Times are
// nanoseconds of true time.
//
// Modelled: common registers, 8 sockets in UDP mode and as TCP servers and clients, buffers of configured size that wrap, ARP and its
// retransmission, command acceptance, SENDOK after the wire time, interrupts and INTLEVEL, PHY link, both resets.
// Not modelled: MACRAW, PPPoE, wake-on-LAN, keep-alive probes (KPALVTR is stored only). Their use, and any
// use that the datasheet forbids, is counted in `faults`.
//
// Where the datasheet is silent the model takes the side that is harder for a driver:
//  - RECV is signalled once per arrival, never again for data that the RECV command left behind (`receiveAgain` does);
//  - a received RST closes the socket without an interrupt, also one that answers CONNECT;
//  - a SEND without a link never ends (espressif/esp-idf issue 6233), until CLOSE or OPEN;
//  - of several UDP sockets on one port the lowest-numbered gets the datagram (`udpHighestFirst` turns that round).

import { Lan } from './lan'

/** Indexes of `W5500.faults`: what a driver did wrong. */
export const enum Fault {
  /** SEND while the socket's previous SEND had not ended. The second is ignored. */
  SendInFlight = 0,
  /** A command was written while the previous one was not yet accepted (Sn_CR not 0). Ignored. */
  CommandBusy = 1,
  /** A command that the socket's state or mode does not allow. Ignored. */
  CommandInvalid = 2,
  /** SEND with TX_WR equal to TX_RD. Ignored. */
  SendEmpty = 3,
  /** SEND of more than the TX buffer holds. Ignored. */
  SendOverrun = 4,
  /** RECV with RX_RD outside of what was received. Taken as "all was read". */
  ReceiveOverrun = 5,
  /** A read-only register was written. */
  ReadOnly = 6,
  /** An address or block that does not exist, or a fixed-length frame of the wrong length. */
  Address = 7,
  /** Chip select rose inside the 3 header bytes, or a byte came without chip select. */
  Frame = 8,
  /** RXBUF_SIZE or TXBUF_SIZE is not 0, 1, 2, 4, 8 or 16, or a direction's sum exceeds 16 KB at OPEN. */
  BufferSize = 9,
}

/** Number of `Fault`s. */
export const FAULTS: i32 = 10

/** Indexes of `W5500.counters`. */
export const enum Counter {
  UdpReceived = 0,
  /** No open socket on that port. */
  UdpNoSocket = 1,
  /** The RX buffer had no room for the whole datagram. */
  UdpNoRoom = 2,
  UdpSent = 3,
  ArpRequests = 4,
  ArpTimeouts = 5,
  TcpConnections = 6,
  TcpTimeouts = 7,
  /** A frame came or left while the link was down. */
  NoLink = 8,
  SpiFrames = 9,
  SpiBytes = 10,
}

const COUNTERS: i32 = 11

// Common registers (block 0), page 32.
const MR: i32 = 0x00
const GAR: i32 = 0x01
const SUBR: i32 = 0x05
const SIPR: i32 = 0x0f
const INTLEVEL: i32 = 0x13
const IR: i32 = 0x15
const IMR: i32 = 0x16
const SIR: i32 = 0x17
const SIMR: i32 = 0x18
const RTR: i32 = 0x19
const RCR: i32 = 0x1b
const PTIMER: i32 = 0x1c
const UIPR: i32 = 0x28
const UPORTR: i32 = 0x2c
const PHYCFGR: i32 = 0x2e
const VERSIONR: i32 = 0x39
const COMMON_END: i32 = 0x3a

// Socket registers (block 4n+1), page 44.
const Sn_MR: i32 = 0x00
const Sn_CR: i32 = 0x01
const Sn_IR: i32 = 0x02
const Sn_SR: i32 = 0x03
const Sn_PORT: i32 = 0x04
const Sn_DHAR: i32 = 0x06
const Sn_DIPR: i32 = 0x0c
const Sn_DPORT: i32 = 0x10
const Sn_TTL: i32 = 0x16
const Sn_RXBUF_SIZE: i32 = 0x1e
const Sn_TXBUF_SIZE: i32 = 0x1f
const Sn_TX_FSR: i32 = 0x20
const Sn_TX_RD: i32 = 0x22
const Sn_TX_WR: i32 = 0x24
const Sn_RX_RSR: i32 = 0x26
const Sn_RX_RD: i32 = 0x28
const Sn_RX_WR: i32 = 0x2a
const Sn_IMR: i32 = 0x2c
const Sn_FRAG: i32 = 0x2d
const SOCKET_END: i32 = 0x30

// Sn_CR commands, page 46.
const OPEN: i32 = 0x01
const LISTEN: i32 = 0x02
const CONNECT: i32 = 0x04
const DISCON: i32 = 0x08
const CLOSE: i32 = 0x10
const SEND: i32 = 0x20
const SEND_MAC: i32 = 0x21
const SEND_KEEP: i32 = 0x22
const RECV: i32 = 0x40

// Sn_IR causes, page 48.
const IR_CON: i32 = 1
const IR_DISCON: i32 = 2
const IR_RECV: i32 = 4
const IR_TIMEOUT: i32 = 8
const IR_SENDOK: i32 = 16

// Sn_SR states, page 49.
const SOCK_CLOSED: i32 = 0x00
const SOCK_INIT: i32 = 0x13
const SOCK_LISTEN: i32 = 0x14
const SOCK_SYNSENT: i32 = 0x15
const SOCK_SYNRECV: i32 = 0x16
const SOCK_ESTABLISHED: i32 = 0x17
const SOCK_FIN_WAIT: i32 = 0x18
const SOCK_CLOSE_WAIT: i32 = 0x1c
const SOCK_LAST_ACK: i32 = 0x1d
const SOCK_UDP: i32 = 0x22

const SOCKETS: i32 = 8
const BLOCK_BYTES: i32 = 16384
/** Largest UDP payload of one Ethernet frame. */
const UDP_MAX: i32 = 1472
/** Largest TCP payload of one Ethernet frame. */
const TCP_MSS: i32 = 1460
/** Bytes before the payload in the RX buffer: source address, source port, length. */
const UDP_HEADER: i32 = 8
/** One byte at 100 Mbit/s. */
const BYTE_NANOS: f64 = 80
/** One PLL clock of 150 MHz. */
const PLL_NANOS: f64 = 1000.0 / 150.0

// What a queued arrival does when it becomes visible.
const ARRIVAL_DATA: i32 = 0
const ARRIVAL_CONNECT: i32 = 1
const ARRIVAL_FIN: i32 = 2
const ARRIVAL_RESET: i32 = 3
const ARRIVAL_ACK: i32 = 4
const ARRIVALS: i32 = 512

/** Time on a 100 Mbit/s wire of a frame that carries `ipBytes` of IPv4 packet: preamble, header, padding, FCS. */
export function frameNanos(ipBytes: i32): f64 {
  const body = ipBytes < 46 ? 46 : ipBytes
  return ((8 + 14 + body + 4) as f64) * BYTE_NANOS
}

/** Time on the wire of a UDP datagram with `length` payload bytes. */
export function udpFrameNanos(length: i32): f64 {
  return frameNanos(28 + length)
}

/** One of the eight sockets. */
export class W5500Socket {
  registers: Uint8Array = new Uint8Array(SOCKET_END)
  rx: Uint8Array = new Uint8Array(BLOCK_BYTES)
  tx: Uint8Array = new Uint8Array(BLOCK_BYTES)
  state: i32 = SOCK_CLOSED
  causes: i32 = 0
  /** The port at OPEN. */
  port: i32 = 0
  /** Counts OPEN and CLOSE, so that late arrivals of an earlier life are dropped. */
  life: i32 = 0
  command: i32 = 0
  commandUntil: f64 = 0
  /** RX_WR as the host sees it, and with what has not yet become visible. */
  rxWrite: i32 = 0
  rxEnd: i32 = 0
  /** RX_RD as last confirmed by RECV. */
  rxRead: i32 = 0
  txRead: i32 = 0
  /** A SEND has neither ended in SENDOK nor in TIMEOUT. */
  sending: bool = false
  /** TX_WR at the SEND. */
  txEnd: i32 = 0
  sendDoneAt: f64 = Infinity
  /** The address that the running ARP asks for. */
  arpAddress: u32 = 0
  arpTries: i32 = 0
  arpRetryAt: f64 = Infinity
  /** The destination whose hardware address DHAR holds by ARP. */
  resolved: bool = false
  resolvedFor: u32 = 0
  /** Retransmission of data or FIN gives up. */
  tcpTimeoutAt: f64 = Infinity
}

export class W5500 {
  // The bench's choices, not the chip's.

  /** Time of one SPI byte: 400 at 20 MHz. 0: a frame takes no time, so registers cannot tear. */
  spiByteNanos: f64 = 0
  /** Time from writing a command until Sn_CR reads 0. */
  commandNanos: f64 = 0
  /** From SEND to the frame's first bit; measured 57 us by the authors of two W5500 NTP servers. */
  transmitLatencyNanos: f64 = 57_000
  /** From a frame's last bit to INTn; measured 17 us by the same. */
  receiveLatencyNanos: f64 = 17_000
  /** From cable or reset to link; about 1.5 s on real parts. */
  autonegotiationNanos: f64 = 0
  /** From RSTn high until the registers answer (page 62: PLL lock within 1 ms). */
  pinResetNanos: f64 = 1_000_000
  /** A cause masked by Sn_IMR still shows in Sn_IR. Page 57 can be read both ways; the IDF driver relies on true. */
  maskedCausesShow: bool = true
  /** RECV is signalled again when the RECV command leaves data behind, as on the W5300. */
  receiveAgain: bool = false
  /** After an ARP TIMEOUT the data stay between TX_RD and TX_WR. The datasheet does not say. */
  timeoutKeepsData: bool = false
  /** Of several UDP sockets on one port the highest-numbered gets the datagram. */
  udpHighestFirst: bool = false

  faults: Uint32Array = new Uint32Array(FAULTS)
  counters: Uint32Array = new Uint32Array(COUNTERS)
  /** Socket of the latest fault, -1 for none. */
  lastFault: i32 = -1

  /** Level of INTn: 0 is asserted. */
  intLevel: i32 = 1
  /** Falling edges since power-on, and the time of the latest. */
  intFalls: u32 = 0
  intFallNanos: f64 = 0

  sockets: Array<W5500Socket> = [] as W5500Socket[]
  common: Uint8Array = new Uint8Array(COMMON_END)
  /** The model's time: the latest `now` it has seen. */
  time: f64 = 0

  private lan: Lan
  private next: f64 = Infinity
  private dirty: bool = true

  private pinReset: bool = false
  private readyAt: f64 = 0
  private cable: bool = true
  private linkAt: f64 = 0

  private intRoseNanos: f64 = -Infinity
  private intAssertAt: f64 = Infinity

  private selected: bool = false
  private selectedAt: f64 = 0
  private frameIndex: i32 = 0
  private address: i32 = 0
  private control: i32 = 0

  private wireFreeAt: f64 = 0
  private lastFrameEnd: f64 = -Infinity
  private frame: Uint8Array = new Uint8Array(BLOCK_BYTES)
  private frameMac: Uint8Array = new Uint8Array(6)

  private arrivalTime: Float64Array = new Float64Array(ARRIVALS)
  private arrivalSocket: Int32Array = new Int32Array(ARRIVALS)
  private arrivalLife: Int32Array = new Int32Array(ARRIVALS)
  private arrivalKind: Int32Array = new Int32Array(ARRIVALS)
  private arrivalValue: Int32Array = new Int32Array(ARRIVALS)
  private arrivalHead: i32 = 0
  private arrivalCount: i32 = 0

  constructor(lan: Lan) {
    this.lan = lan
    for (let n: i32 = 0; n < SOCKETS; n++) this.sockets.push(new W5500Socket())
    this.resetRegisters()
  }

  // ---- Pins ------------------------------------------------------------------------------------------------------

  /** Drives RSTn: 0 holds the chip in reset. */
  setReset(now: f64, level: i32): void {
    this.advance(now)
    const low = level === 0
    if (low === this.pinReset) return
    this.pinReset = low
    this.reset(this.pinResetNanos)
  }

  /** Power fails and comes back: all registers as after power-on. */
  powerCycle(now: f64): void {
    this.advance(now)
    this.reset(this.pinResetNanos)
  }

  /** Plugs the cable in or out. */
  setCable(now: f64, plugged: bool): void {
    this.advance(now)
    this.cable = plugged
    this.linkAt = this.time + this.autonegotiationNanos
  }

  /** The PHY has a link. */
  linkUp(): bool {
    return this.cable && !this.pinReset && this.time >= this.linkAt && (this.common[PHYCFGR] & 0x80) !== 0
  }

  select(now: f64): void {
    this.advance(now)
    this.selected = true
    this.selectedAt = this.time
    this.frameIndex = 0
    this.counters[Counter.SpiFrames]++
  }

  /** One byte on the bus: takes MOSI, returns MISO. */
  transfer(mosi: u8): u8 {
    if (!this.selected) {
      this.fault(Fault.Frame, -1)
      return 0xff
    }
    // A byte is read as it stands when its first bit leaves, and written when its last one has come.
    const written = this.frameIndex >= 3 && (this.control & 4) !== 0 ? 1 : 0
    if (this.spiByteNanos > 0) this.advance(this.selectedAt + ((this.frameIndex + written) as f64) * this.spiByteNanos)
    const index = this.frameIndex++
    this.counters[Counter.SpiBytes]++
    if (index === 0) this.address = (mosi as i32) << 8
    else if (index === 1) this.address |= mosi as i32
    else if (index === 2) this.control = mosi as i32
    else return this.dataByte(index - 3, mosi)
    return (index + 1) as u8
  }

  /**
   * The byte that `transfer` would return after `ahead` bytes more, if the frame is a read and nothing changes until then.
   * Nothing is counted. For buses whose slave must know its answer before the byte has begun.
   */
  peek(ahead: i32): u8 {
    const index = this.frameIndex + ahead
    if (index < 3) return (index + 1) as u8
    const fixed = this.fixedLength()
    if ((this.control & 4) !== 0 || !this.answers() || (fixed !== 0 && index - 3 >= fixed)) return 0
    const address = (this.address + ahead) & 0xffff
    const block = this.control >> 3
    const n = block >> 2
    const kind = block & 3
    if (kind === 0) return n === 0 && address < COMMON_END ? this.readCommon(address) : 0
    const socket = this.sockets[n]
    if (kind === 1) return address < SOCKET_END ? this.readSocket(socket, address) : 0
    return kind === 2 ? socket.tx[this.txIndex(socket, address)] : socket.rx[this.rxIndex(socket, address)]
  }

  deselect(now: f64): void {
    this.advance(now)
    if (this.selected && this.frameIndex < 3) this.fault(Fault.Frame, -1)
    const fixed = this.fixedLength()
    if (this.selected && fixed !== 0 && this.frameIndex >= 3 && this.frameIndex - 3 !== fixed) {
      this.fault(Fault.Address, -1)
    }
    this.selected = false
  }

  /**
   * One whole frame with a 3-byte header (address << 8 | control), the same in effect as `select`, `transfer` of each
   * byte and `deselect`. Writes `data` to the chip or reads into it, from `offset` on. Returns the time at its end.
   */
  burst(now: f64, header: u32, data: Uint8Array, offset: i32, length: i32, write: bool): f64 {
    this.select(now)
    const end = this.selectedAt + ((3 + length) as f64) * this.spiByteNanos
    const block = ((header >> 3) & 31) as i32
    const plain = (header & 3) === 0 && ((header & 4) !== 0) === write && this.answers()
    if (plain && (block & 3) >= 2 && this.nextEvent() > end) {
      this.copyBuffer(block >> 2, (block & 3) === 2, (header >> 8) as i32, data, offset, length, write)
      this.counters[Counter.SpiBytes] += (3 + length) as u32
      this.frameIndex = 3 + length
      this.control = (header & 0xff) as i32
    } else {
      this.transfer(((header >> 16) & 0xff) as u8)
      this.transfer(((header >> 8) & 0xff) as u8)
      this.transfer((header & 0xff) as u8)
      for (let i: i32 = 0; i < length; i++) {
        if (write) this.transfer(data[offset + i])
        else data[offset + i] = this.transfer(0)
      }
    }
    this.deselect(end)
    return end
  }

  // ---- Time ------------------------------------------------------------------------------------------------------

  /** When the chip or its network next does something by itself. */
  nextEvent(): f64 {
    const own = this.nextOwn()
    const lan = this.lan.nextEvent()
    return Math.min(lan, own)
  }

  /** Lets everything happen that is due until `now`, in order. */
  advance(now: f64): void {
    while (true) {
      const own = this.nextOwn()
      const lan = this.lan.nextEvent()
      const next = Math.min(lan, own)
      if (next > now) break
      if (next > this.time) this.time = next
      if (lan <= own) this.lan.advance(this.time)
      else this.runOwn()
    }
    if (now > this.time) this.time = now
  }

  // ---- Frames from the network -------------------------------------------------------------------------------------

  /**
   * A datagram whose frame ends at `now` (or right after the previous frame). `destination` is the IP header's. Returns
   * false when it met no open socket or no room.
   */
  receiveUdp(now: f64, source: u32, sourcePort: i32, destination: u32, port: i32, data: Uint8Array, length: i32): bool {
    if (!this.hearing()) return false
    const end = this.frameArrives(now, udpFrameNanos(length))
    const n = this.udpSocket(port, destination)
    if (n < 0) {
      this.counters[Counter.UdpNoSocket]++
      return false
    }
    const socket = this.sockets[n]
    if (this.rxFree(socket) < UDP_HEADER + length || this.arrivalCount >= ARRIVALS) {
      this.counters[Counter.UdpNoRoom]++
      return false
    }
    this.rxPut32(socket, source)
    this.rxPut16(socket, sourcePort)
    this.rxPut16(socket, length)
    this.rxPut(socket, data, 0, length)
    this.counters[Counter.UdpReceived]++
    this.arrives(end, n, ARRIVAL_DATA, socket.rxEnd)
    return true
  }

  /** Largest payload that a datagram to `port` may have now; -1 when no socket is open there. */
  udpRoom(port: i32, destination: u32): i32 {
    const n = this.udpSocket(port, destination)
    return n < 0 ? -1 : greater(0, this.rxFree(this.sockets[n]) - UDP_HEADER)
  }

  /** An ARP reply: `ip` is at `mac`. */
  arpReply(now: f64, ip: u32, mac: Uint8Array): void {
    if (!this.hearing()) return
    const at = Math.max(now, this.time)
    for (let n: i32 = 0; n < SOCKETS; n++) {
      const socket = this.sockets[n]
      if (socket.arpRetryAt === Infinity || socket.arpAddress !== ip) continue
      for (let i: i32 = 0; i < 6; i++) socket.registers[Sn_DHAR + i] = mac[i]
      socket.arpRetryAt = Infinity
      socket.resolved = true
      socket.resolvedFor = this.get32(socket.registers, Sn_DIPR)
      if (socket.state === SOCK_SYNSENT) this.transmitSyn(n, at)
      else this.transmitUdp(n, at)
    }
  }

  /** The chip answers an ARP request for `ip` by itself. */
  answersArp(ip: u32): bool {
    return this.hearing() && ip !== 0 && ip === this.get32(this.common, SIPR)
  }

  /** The chip answers an ICMP echo request to `ip` by itself (MR.PB blocks that). */
  answersPing(ip: u32): bool {
    return this.answersArp(ip) && (this.common[MR] & 0x10) === 0
  }

  /** An ICMP "port unreachable" about a datagram that was sent to ip:port. */
  unreachable(now: f64, ip: u32, port: i32): void {
    if (!this.hearing()) return
    if (now > this.time) this.time = now
    this.put32(this.common, UIPR, ip)
    this.common[UPORTR] = ((port >> 8) & 0xff) as u8
    this.common[UPORTR + 1] = (port & 0xff) as u8
    this.common[IR] |= 0x40
    this.updateInt()
  }

  /** Another machine uses the chip's address. */
  addressConflict(now: f64): void {
    if (!this.hearing()) return
    if (now > this.time) this.time = now
    this.common[IR] |= 0x80
    this.updateInt()
  }

  /** The socket that a SYN to `port` would get; -1: it is answered with RST. */
  tcpListener(port: i32): i32 {
    if (!this.hearing()) return -1
    for (let n: i32 = 0; n < SOCKETS; n++) {
      if (this.sockets[n].state === SOCK_LISTEN && this.sockets[n].port === port) return n
    }
    return -1
  }

  /** A peer's three-way handshake with a listening socket begins at `now`. False when the socket does not listen. */
  tcpConnect(now: f64, n: i32, ip: u32, port: i32, mac: Uint8Array): bool {
    const socket = this.sockets[n]
    if (socket.state !== SOCK_LISTEN || this.arrivalCount >= ARRIVALS) return false
    socket.state = SOCK_SYNRECV
    this.clearPointers(socket)
    this.put32(socket.registers, Sn_DIPR, ip)
    socket.registers[Sn_DPORT] = ((port >> 8) & 0xff) as u8
    socket.registers[Sn_DPORT + 1] = (port & 0xff) as u8
    for (let i: i32 = 0; i < 6; i++) socket.registers[Sn_DHAR + i] = mac[i]
    this.arrives(this.frameArrives(now, frameNanos(40)), n, ARRIVAL_CONNECT, 0)
    return true
  }

  /** The peer's SYN/ACK, in answer to CONNECT. False: nobody waits for it, or too much is going on. */
  tcpConnected(now: f64, n: i32): bool {
    const socket = this.sockets[n]
    if (socket.state !== SOCK_SYNSENT || this.arrivalCount >= ARRIVALS) return false
    this.arrives(this.frameArrives(now, frameNanos(40)), n, ARRIVAL_CONNECT, 0)
    return true
  }

  /** Stream bytes from the peer; returns how many fitted into the RX buffer. The rest must be offered again. */
  tcpReceive(now: f64, n: i32, data: Uint8Array, offset: i32, length: i32): i32 {
    const socket = this.sockets[n]
    if (!this.tcpOpenForInput(socket)) return 0
    let taken: i32 = 0
    let end = now
    while (taken < length && this.arrivalCount < ARRIVALS) {
      const size = lesser(lesser(length - taken, TCP_MSS), this.rxFree(socket))
      if (size === 0) break
      this.rxPut(socket, data, offset + taken, size)
      taken += size
      end = this.frameArrives(end, frameNanos(40 + size))
      this.arrives(end, n, ARRIVAL_DATA, socket.rxEnd)
    }
    return taken
  }

  /** The peer has acknowledged all that the socket sent, its FIN included. False: too much is going on, try again. */
  tcpAcknowledge(now: f64, n: i32): bool {
    return this.tcpArrival(now, n, ARRIVAL_ACK)
  }

  /** The peer's FIN, after all its data. */
  tcpFin(now: f64, n: i32): bool {
    return this.tcpArrival(now, n, ARRIVAL_FIN)
  }

  /** The peer's RST. */
  tcpReset(now: f64, n: i32): bool {
    return this.tcpArrival(now, n, ARRIVAL_RESET)
  }

  /** The peer answers, with a closed window: the retransmission timer stops until `tcpAcknowledge`. */
  tcpWindowClosed(n: i32): void {
    this.sockets[n].tcpTimeoutAt = Infinity
    this.dirty = true
  }

  // ---- Registers ---------------------------------------------------------------------------------------------------

  private dataByte(index: i32, mosi: u8): u8 {
    const fixed = this.fixedLength()
    if (!this.answers()) return 0
    if (fixed !== 0 && index >= fixed) return 0
    const address = this.address
    this.address = (address + 1) & 0xffff
    const block = this.control >> 3
    const write = (this.control & 4) !== 0
    const n = block >> 2
    if ((block & 3) === 0) return this.commonByte(n, address, mosi as i32, write)
    if ((block & 3) === 1) return this.socketByte(n, address, mosi as i32, write)
    const socket = this.sockets[n]
    if ((block & 3) === 2) {
      const at = this.txIndex(socket, address)
      if (!write) return socket.tx[at]
      socket.tx[at] = mosi
    } else {
      if (!write) return socket.rx[this.rxIndex(socket, address)]
      this.fault(Fault.ReadOnly, n)
    }
    return 0
  }

  private commonByte(n: i32, address: i32, value: i32, write: bool): u8 {
    if (n !== 0 || address >= COMMON_END) this.fault(Fault.Address, -1)
    else if (!write) return this.readCommon(address)
    else this.writeCommon(address, value)
    return 0
  }

  private socketByte(n: i32, address: i32, value: i32, write: bool): u8 {
    if (address >= SOCKET_END) this.fault(Fault.Address, n)
    else if (!write) return this.readSocket(this.sockets[n], address)
    else this.writeSocket(n, address, value)
    return 0
  }

  private copyBuffer(n: i32, tx: bool, address: i32, data: Uint8Array, offset: i32, length: i32, write: bool): void {
    const socket = this.sockets[n]
    if (!tx && write) {
      this.faults[Fault.ReadOnly] += length as u32
      return
    }
    const size = tx ? this.txSize(socket) : this.rxSize(socket)
    const memory = tx ? socket.tx : socket.rx
    const mask = size === 0 ? 0 : size - 1
    if (write) for (let i: i32 = 0; i < length; i++) memory[(address + i) & mask] = data[offset + i]
    else for (let i: i32 = 0; i < length; i++) data[offset + i] = memory[(address + i) & mask]
  }

  private readCommon(address: i32): u8 {
    if (address === SIR) return this.sir() as u8
    if (address === PHYCFGR) return ((this.common[PHYCFGR] & 0xf8) | (this.linkUp() ? 7 : 0)) as u8
    return this.common[address]
  }

  private writeCommon(address: i32, value: i32): void {
    if (address === IR) this.common[IR] &= (~value & 0xff) as u8
    else if (address === SIR || (address >= UIPR && address < PHYCFGR) || address > PHYCFGR) {
      this.fault(Fault.ReadOnly, -1)
    } else if (address === MR && (value & 0x80) !== 0) {
      this.reset(0)
      return
    } else if (address === PHYCFGR) {
      if ((this.common[PHYCFGR] & 0x80) === 0 && (value & 0x80) !== 0)
        this.linkAt = this.time + this.autonegotiationNanos
      this.common[PHYCFGR] = (value & 0xf8) as u8
    } else this.common[address] = value as u8
    this.updateInt()
  }

  private readSocket(socket: W5500Socket, address: i32): u8 {
    switch (address) {
      case Sn_CR:
        return (this.time < socket.commandUntil ? socket.command : 0) as u8
      case Sn_IR:
        return socket.causes as u8
      case Sn_SR:
        return socket.state as u8
      case Sn_TX_FSR:
        return (this.txFree(socket) >> 8) as u8
      case Sn_TX_FSR + 1:
        return (this.txFree(socket) & 0xff) as u8
      case Sn_TX_RD:
        return (socket.txRead >> 8) as u8
      case Sn_TX_RD + 1:
        return (socket.txRead & 0xff) as u8
      case Sn_RX_RSR:
        return (this.received(socket) >> 8) as u8
      case Sn_RX_RSR + 1:
        return (this.received(socket) & 0xff) as u8
      case Sn_RX_WR:
        return (socket.rxWrite >> 8) as u8
      case Sn_RX_WR + 1:
        return (socket.rxWrite & 0xff) as u8
      default:
        return socket.registers[address]
    }
  }

  private writeSocket(n: i32, address: i32, value: i32): void {
    const socket = this.sockets[n]
    if (address === Sn_CR) this.startCommand(n, value)
    else if (address === Sn_IR) socket.causes &= ~value & 0xff
    else if (this.isReadOnly(address)) this.fault(Fault.ReadOnly, n)
    else {
      if (address === Sn_RXBUF_SIZE || address === Sn_TXBUF_SIZE) {
        if (value > 16 || (value & (value - 1)) !== 0) this.fault(Fault.BufferSize, n)
      }
      socket.registers[address] = value as u8
    }
    this.updateInt()
  }

  private isReadOnly(address: i32): bool {
    if (address === Sn_SR || address === Sn_RX_WR || address === Sn_RX_WR + 1) return true
    return (address >= Sn_TX_FSR && address < Sn_TX_WR) || address === Sn_RX_RSR || address === Sn_RX_RSR + 1
  }

  // ---- Commands ----------------------------------------------------------------------------------------------------

  private startCommand(n: i32, command: i32): void {
    const socket = this.sockets[n]
    if (command === 0) return
    if (this.time < socket.commandUntil) {
      this.fault(Fault.CommandBusy, n)
      return
    }
    socket.command = command
    socket.commandUntil = this.time + this.commandNanos
    this.dirty = true
    if (command === OPEN) this.open(n)
    else if (command === LISTEN && socket.state === SOCK_INIT) {
      socket.state = SOCK_LISTEN
      this.lan.tcpListening(n, this.get32(this.common, SIPR), socket.port)
    } else if (command === CONNECT && socket.state === SOCK_INIT) this.connect(n)
    else if (command === CLOSE) this.close(n)
    else if (command === RECV && this.hasInput(socket)) this.recv(n)
    else if ((command === SEND || command === SEND_MAC) && socket.state === SOCK_UDP) {
      if (this.beginSend(n)) this.sendUdp(n, command === SEND_MAC)
    } else if (command === SEND && (socket.state === SOCK_ESTABLISHED || socket.state === SOCK_CLOSE_WAIT)) {
      if (this.beginSend(n)) this.sendTcp(n)
    } else if (command === SEND_KEEP && socket.state === SOCK_ESTABLISHED) return
    else if (command === DISCON && socket.state === SOCK_ESTABLISHED) this.finish(n, SOCK_FIN_WAIT)
    else if (command === DISCON && socket.state === SOCK_CLOSE_WAIT) this.finish(n, SOCK_LAST_ACK)
    else this.fault(Fault.CommandInvalid, n)
  }

  private open(n: i32): void {
    const socket = this.sockets[n]
    if (socket.state !== SOCK_CLOSED) {
      this.fault(Fault.CommandInvalid, n)
      this.close(n)
    }
    this.checkBufferSizes(n)
    const protocol = socket.registers[Sn_MR] & 15
    if (protocol !== 1 && protocol !== 2) {
      this.fault(Fault.CommandInvalid, n)
      return
    }
    socket.life++
    socket.port = ((socket.registers[Sn_PORT] as i32) << 8) | (socket.registers[Sn_PORT + 1] as i32)
    this.clearPointers(socket)
    socket.resolved = false
    socket.state = protocol === 1 ? SOCK_INIT : SOCK_UDP
    if (protocol === 2) this.lan.udpOpened(n, this.get32(this.common, SIPR), socket.port)
  }

  private close(n: i32): void {
    const socket = this.sockets[n]
    const state = socket.state
    socket.state = SOCK_CLOSED
    socket.life++
    socket.sending = false
    socket.sendDoneAt = Infinity
    socket.arpRetryAt = Infinity
    socket.tcpTimeoutAt = Infinity
    this.dirty = true
    if (state === SOCK_UDP) this.lan.udpClosed(n, socket.port)
    else if (state !== SOCK_CLOSED && state !== SOCK_INIT) this.lan.tcpClosed(this.time, n)
  }

  private recv(n: i32): void {
    const socket = this.sockets[n]
    const pointer = this.get16(socket.registers, Sn_RX_RD)
    if (((pointer - socket.rxRead) & 0xffff) > this.received(socket)) {
      this.fault(Fault.ReceiveOverrun, n)
      this.put16(socket.registers, Sn_RX_RD, socket.rxWrite)
      socket.rxRead = socket.rxWrite
    } else socket.rxRead = pointer
    if (this.receiveAgain && this.received(socket) > 0) this.raise(socket, IR_RECV)
    if (socket.state !== SOCK_UDP) this.lan.tcpWindow(this.time, n)
  }

  private beginSend(n: i32): bool {
    const socket = this.sockets[n]
    const end = this.get16(socket.registers, Sn_TX_WR)
    const length = (end - socket.txRead) & 0xffff
    if (socket.sending) this.fault(Fault.SendInFlight, n)
    else if (length === 0) this.fault(Fault.SendEmpty, n)
    else if (length > this.txSize(socket)) this.fault(Fault.SendOverrun, n)
    else {
      socket.sending = true
      socket.txEnd = end
      return true
    }
    return false
  }

  private sendUdp(n: i32, withMac: bool): void {
    const socket = this.sockets[n]
    const ip = this.get32(socket.registers, Sn_DIPR)
    if (withMac || (socket.resolved && socket.resolvedFor === ip)) {
      this.transmitUdp(n, this.time)
      return
    }
    const mask = this.get32(this.common, SUBR)
    if (ip === 0xffff_ffff || (this.isLocal(ip) && (ip | mask) >>> 0 === 0xffff_ffff)) {
      for (let i: i32 = 0; i < 6; i++) socket.registers[Sn_DHAR + i] = 0xff
      this.transmitUdp(n, this.time)
      return
    }
    this.resolve(n, ip)
  }

  private isLocal(ip: u32): bool {
    return ((ip ^ this.get32(this.common, SIPR)) & this.get32(this.common, SUBR)) >>> 0 === 0
  }

  /** Asks for the hardware address that frames to `ip` go to. */
  private resolve(n: i32, ip: u32): void {
    const socket = this.sockets[n]
    socket.resolved = false
    socket.arpAddress = this.isLocal(ip) ? ip : this.get32(this.common, GAR)
    socket.arpTries = 0
    this.requestArp(n)
  }

  private connect(n: i32): void {
    const socket = this.sockets[n]
    socket.state = SOCK_SYNSENT
    this.resolve(n, this.get32(socket.registers, Sn_DIPR))
  }

  /** The SYN goes out; it is repeated as data are. */
  private transmitSyn(n: i32, from: f64): void {
    const socket = this.sockets[n]
    socket.tcpTimeoutAt = from + this.tcpTimeoutNanos()
    this.dirty = true
    if (!this.linkUp()) return
    const ip = this.get32(socket.registers, Sn_DIPR)
    const port = this.get16(socket.registers, Sn_DPORT)
    this.lan.tcpConnecting(this.wire(from, frameNanos(44)), n, ip, port, socket.port)
  }

  private requestArp(n: i32): void {
    const socket = this.sockets[n]
    socket.arpTries++
    socket.arpRetryAt = this.time + this.retryNanos()
    this.dirty = true
    this.counters[Counter.ArpRequests]++
    if (this.linkUp()) this.lan.arpRequest(this.wire(this.time, frameNanos(28)), socket.arpAddress)
  }

  /** Hands over the frames of one SEND; SENDOK comes when the last has left. */
  private transmitUdp(n: i32, from: f64): void {
    const socket = this.sockets[n]
    this.dirty = true
    if (!this.linkUp()) {
      this.counters[Counter.NoLink]++
      socket.sendDoneAt = Infinity
      return
    }
    let pointer = socket.txRead
    let left = (socket.txEnd - socket.txRead) & 0xffff
    for (let i: i32 = 0; i < 6; i++) this.frameMac[i] = socket.registers[Sn_DHAR + i]
    const ip = this.get32(socket.registers, Sn_DIPR)
    const port = this.get16(socket.registers, Sn_DPORT)
    while (left > 0) {
      const length = lesser(left, UDP_MAX)
      this.takeTx(socket, pointer, length)
      const at = this.wire(from, udpFrameNanos(length))
      socket.sendDoneAt = this.wireFreeAt
      this.counters[Counter.UdpSent]++
      this.lan.udpTransmit(at, this.frameMac, ip, port, socket.port, this.frame, length)
      pointer = (pointer + length) & 0xffff
      left -= length
    }
  }

  private sendTcp(n: i32): void {
    const socket = this.sockets[n]
    const length = (socket.txEnd - socket.txRead) & 0xffff
    this.takeTx(socket, socket.txRead, length)
    socket.tcpTimeoutAt = this.time + this.tcpTimeoutNanos()
    this.dirty = true
    if (!this.linkUp()) return
    let at = this.time
    for (let left = length; left > 0; left -= TCP_MSS) at = this.wire(this.time, frameNanos(40 + lesser(left, TCP_MSS)))
    this.lan.tcpTransmit(at, n, this.frame, length)
  }

  private finish(n: i32, state: i32): void {
    const socket = this.sockets[n]
    socket.state = state
    socket.tcpTimeoutAt = this.time + this.tcpTimeoutNanos()
    this.dirty = true
    if (this.linkUp()) this.lan.tcpFinish(this.wire(this.time, frameNanos(40)), n)
  }

  /** Books the wire for a frame decided at `from`; returns when the frame begins. */
  private wire(from: f64, nanos: f64): f64 {
    const earliest = from + this.transmitLatencyNanos
    const at = Math.max(earliest, this.wireFreeAt)
    this.wireFreeAt = at + nanos
    return at
  }

  private takeTx(socket: W5500Socket, pointer: i32, length: i32): void {
    const mask = this.txSize(socket) - 1
    for (let i: i32 = 0; i < length; i++) this.frame[i] = socket.tx[(pointer + i) & mask]
  }

  // ---- Own events --------------------------------------------------------------------------------------------------

  private nextOwn(): f64 {
    if (!this.dirty) return this.next
    let next = this.intAssertAt
    if (this.arrivalCount > 0) next = Math.min(next, this.arrivalTime[this.arrivalHead])
    for (let n: i32 = 0; n < SOCKETS; n++) {
      const socket = this.sockets[n]
      next = Math.min(next, Math.min(socket.sendDoneAt, Math.min(socket.arpRetryAt, socket.tcpTimeoutAt)))
    }
    this.next = next
    this.dirty = false
    return next
  }

  /** Does the one thing that is due now. */
  private runOwn(): void {
    this.dirty = true
    const now = this.time
    if (this.intAssertAt <= now) {
      this.intAssertAt = Infinity
      this.updateInt()
      return
    }
    if (this.arrivalCount > 0 && this.arrivalTime[this.arrivalHead] <= now) {
      this.runArrival()
      return
    }
    for (let n: i32 = 0; n < SOCKETS; n++) {
      const socket = this.sockets[n]
      if (socket.sendDoneAt <= now) this.endSend(n, IR_SENDOK)
      else if (socket.arpRetryAt <= now) this.arpUnanswered(n)
      else if (socket.tcpTimeoutAt <= now) this.tcpTimedOut(n)
      else continue
      return
    }
  }

  private endSend(n: i32, cause: i32): void {
    const socket = this.sockets[n]
    socket.sending = false
    socket.sendDoneAt = Infinity
    if (cause === IR_SENDOK || !this.timeoutKeepsData) socket.txRead = socket.txEnd
    this.raise(socket, cause)
  }

  private arpUnanswered(n: i32): void {
    const socket = this.sockets[n]
    if (socket.arpTries <= (this.common[RCR] as i32)) {
      this.requestArp(n)
      return
    }
    socket.arpRetryAt = Infinity
    this.counters[Counter.ArpTimeouts]++
    if (socket.state === SOCK_SYNSENT) {
      this.close(n)
      this.raise(socket, IR_TIMEOUT)
    } else this.endSend(n, IR_TIMEOUT)
  }

  private tcpTimedOut(n: i32): void {
    const socket = this.sockets[n]
    this.counters[Counter.TcpTimeouts]++
    this.close(n)
    this.raise(socket, IR_TIMEOUT)
  }

  private runArrival(): void {
    const slot = this.arrivalHead
    this.arrivalHead = (slot + 1) % ARRIVALS
    this.arrivalCount--
    const n = this.arrivalSocket[slot]
    const socket = this.sockets[n]
    if (this.arrivalLife[slot] !== socket.life) return
    switch (this.arrivalKind[slot]) {
      case ARRIVAL_DATA:
        socket.rxWrite = this.arrivalValue[slot]
        this.raise(socket, IR_RECV)
        break
      case ARRIVAL_CONNECT:
        this.counters[Counter.TcpConnections]++
        if (socket.state === SOCK_SYNSENT) this.clientConnected(n)
        socket.state = SOCK_ESTABLISHED
        this.raise(socket, IR_CON)
        break
      case ARRIVAL_FIN:
        if (socket.state === SOCK_ESTABLISHED) socket.state = SOCK_CLOSE_WAIT
        else if (socket.state === SOCK_FIN_WAIT) this.close(n)
        this.raise(socket, IR_DISCON)
        break
      case ARRIVAL_RESET:
        this.close(n)
        break
      default:
        this.acknowledged(n)
    }
  }

  private clientConnected(n: i32): void {
    const socket = this.sockets[n]
    this.clearPointers(socket)
    socket.tcpTimeoutAt = Infinity
    socket.state = SOCK_ESTABLISHED
    // A peer that spoke at once was not heard until now.
    this.lan.tcpWindow(this.time, n)
  }

  private acknowledged(n: i32): void {
    const socket = this.sockets[n]
    socket.tcpTimeoutAt = socket.state === SOCK_FIN_WAIT ? socket.tcpTimeoutAt : Infinity
    if (socket.sending) this.endSend(n, IR_SENDOK)
    else if (socket.state === SOCK_LAST_ACK) {
      this.close(n)
      this.raise(socket, IR_DISCON)
    }
  }

  private tcpArrival(now: f64, n: i32, kind: i32): bool {
    const state = this.sockets[n].state
    const known = state === SOCK_SYNSENT ? kind === ARRIVAL_RESET : state >= SOCK_SYNRECV && state <= SOCK_LAST_ACK
    if (!known) return true
    if (this.arrivalCount >= ARRIVALS) return false
    this.arrives(this.frameArrives(now, frameNanos(40)), n, kind, 0)
    return true
  }

  /** Books a received frame of `nanos` that ends at `now` or, when the wire is busy, later; returns its end. */
  private frameArrives(now: f64, nanos: f64): f64 {
    const earliest = this.lastFrameEnd + nanos
    let end = Math.max(now, this.time)
    if (earliest > end) end = earliest
    this.lastFrameEnd = end
    return end
  }

  private arrives(frameEnd: f64, n: i32, kind: i32, value: i32): void {
    const slot = (this.arrivalHead + this.arrivalCount) % ARRIVALS
    this.arrivalTime[slot] = frameEnd + this.receiveLatencyNanos
    this.arrivalSocket[slot] = n
    this.arrivalLife[slot] = this.sockets[n].life
    this.arrivalKind[slot] = kind
    this.arrivalValue[slot] = value
    this.arrivalCount++
    this.dirty = true
  }

  // ---- Interrupts --------------------------------------------------------------------------------------------------

  private raise(socket: W5500Socket, cause: i32): void {
    if (!this.maskedCausesShow && (socket.registers[Sn_IMR] & cause) === 0) return
    socket.causes |= cause
    this.updateInt()
  }

  private sir(): i32 {
    let sir: i32 = 0
    for (let n: i32 = 0; n < SOCKETS; n++) {
      if ((this.sockets[n].causes & this.sockets[n].registers[Sn_IMR]) !== 0) sir |= 1 << n
    }
    return sir
  }

  /** INTn is low while an unmasked cause stands; INTLEVEL keeps it high for a while first (page 35). */
  private updateInt(): void {
    const asserted = (this.common[IR] & this.common[IMR]) !== 0 || (this.sir() & this.common[SIMR]) !== 0
    if (!asserted) {
      if (this.intLevel === 0) this.intRoseNanos = this.time
      this.intLevel = 1
      this.intAssertAt = Infinity
      this.dirty = true
    } else if (this.intLevel === 1) {
      const level = this.get16(this.common, INTLEVEL)
      const earliest = level === 0 ? this.time : this.intRoseNanos + ((level + 1) as f64) * 4 * PLL_NANOS
      if (earliest > this.time) {
        this.intAssertAt = earliest
        this.dirty = true
        return
      }
      this.intLevel = 0
      this.intFalls++
      this.intFallNanos = this.time
    }
  }

  // ---- Helpers -----------------------------------------------------------------------------------------------------

  private reset(nanos: f64): void {
    for (let n: i32 = 0; n < SOCKETS; n++) this.close(n)
    this.resetRegisters()
    this.readyAt = this.time + nanos
    this.linkAt = this.time + nanos + this.autonegotiationNanos
    this.arrivalCount = 0
    this.intAssertAt = Infinity
    this.dirty = true
    this.updateInt()
  }

  private resetRegisters(): void {
    this.common.fill(0)
    this.common[RTR] = 0x07
    this.common[RTR + 1] = 0xd0
    this.common[RCR] = 8
    this.common[PTIMER] = 0x28
    this.common[PHYCFGR] = 0xb8
    this.common[VERSIONR] = 4
    for (let n: i32 = 0; n < SOCKETS; n++) {
      const socket = this.sockets[n]
      const registers = socket.registers
      registers.fill(0)
      for (let i: i32 = 0; i < 6; i++) registers[Sn_DHAR + i] = 0xff
      registers[Sn_TTL] = 0x80
      registers[Sn_RXBUF_SIZE] = 2
      registers[Sn_TXBUF_SIZE] = 2
      registers[Sn_IMR] = 0xff
      registers[Sn_FRAG] = 0x40
      socket.causes = 0
      socket.commandUntil = 0
      this.clearPointers(socket)
    }
  }

  private clearPointers(socket: W5500Socket): void {
    socket.rxWrite = 0
    socket.rxEnd = 0
    socket.rxRead = 0
    socket.txRead = 0
    this.put16(socket.registers, Sn_TX_WR, 0)
    this.put16(socket.registers, Sn_RX_RD, 0)
  }

  private checkBufferSizes(n: i32): void {
    let rx: i32 = 0
    let tx: i32 = 0
    for (let i: i32 = 0; i < SOCKETS; i++) {
      rx += this.sockets[i].registers[Sn_RXBUF_SIZE] as i32
      tx += this.sockets[i].registers[Sn_TXBUF_SIZE] as i32
    }
    if (rx > 16 || tx > 16) this.fault(Fault.BufferSize, n)
  }

  private fault(kind: i32, n: i32): void {
    this.faults[kind]++
    this.lastFault = n
  }

  /** The registers answer: not in reset, and the PLL has locked. */
  private answers(): bool {
    return !this.pinReset && this.time >= this.readyAt
  }

  private hearing(): bool {
    if (this.linkUp() && this.answers()) return true
    this.counters[Counter.NoLink]++
    return false
  }

  private fixedLength(): i32 {
    const mode = this.control & 3
    return mode === 0 ? 0 : 1 << (mode - 1)
  }

  private udpSocket(port: i32, destination: u32): i32 {
    let found: i32 = -1
    for (let n: i32 = 0; n < SOCKETS; n++) {
      const socket = this.sockets[n]
      if (socket.state !== SOCK_UDP || socket.port !== port || !this.accepts(socket, destination)) continue
      if (!this.udpHighestFirst) return n
      found = n
    }
    return found
  }

  private accepts(socket: W5500Socket, destination: u32): bool {
    const mode = socket.registers[Sn_MR]
    const own = this.get32(this.common, SIPR)
    const mask = this.get32(this.common, SUBR)
    if (destination === own) return true
    const onNet = ((destination ^ own) & mask) >>> 0 === 0 && (destination | mask) >>> 0 === 0xffff_ffff
    if (destination === 0xffff_ffff || onNet) return (mode & 0x40) === 0
    return (mode & 0x80) !== 0 && destination === this.get32(socket.registers, Sn_DIPR)
  }

  private hasInput(socket: W5500Socket): bool {
    const state = socket.state
    return state === SOCK_UDP || (state >= SOCK_ESTABLISHED && state <= SOCK_LAST_ACK)
  }

  private tcpOpenForInput(socket: W5500Socket): bool {
    const state = socket.state
    return state === SOCK_SYNRECV || state === SOCK_ESTABLISHED || state === SOCK_FIN_WAIT
  }

  private rxSize(socket: W5500Socket): i32 {
    return (lesser(socket.registers[Sn_RXBUF_SIZE] as i32, 16) << 10) as i32
  }

  private txSize(socket: W5500Socket): i32 {
    return (lesser(socket.registers[Sn_TXBUF_SIZE] as i32, 16) << 10) as i32
  }

  private rxIndex(socket: W5500Socket, address: i32): i32 {
    const size = this.rxSize(socket)
    return size === 0 ? 0 : address & (size - 1)
  }

  private txIndex(socket: W5500Socket, address: i32): i32 {
    const size = this.txSize(socket)
    return size === 0 ? 0 : address & (size - 1)
  }

  private received(socket: W5500Socket): i32 {
    return (socket.rxWrite - socket.rxRead) & 0xffff
  }

  private rxFree(socket: W5500Socket): i32 {
    return this.rxSize(socket) - ((socket.rxEnd - socket.rxRead) & 0xffff)
  }

  /** TX_FSR: counts what was written and not yet sent, or for TCP not yet acknowledged (page 54). */
  private txFree(socket: W5500Socket): i32 {
    return (this.txSize(socket) - ((this.get16(socket.registers, Sn_TX_WR) - socket.txRead) & 0xffff)) & 0xffff
  }

  private rxPut(socket: W5500Socket, data: Uint8Array, offset: i32, length: i32): void {
    const mask = this.rxSize(socket) - 1
    const end = socket.rxEnd
    for (let i: i32 = 0; i < length; i++) socket.rx[(end + i) & mask] = data[offset + i]
    socket.rxEnd = (end + length) & 0xffff
  }

  private rxPut16(socket: W5500Socket, value: i32): void {
    const mask = this.rxSize(socket) - 1
    socket.rx[socket.rxEnd & mask] = ((value >> 8) & 0xff) as u8
    socket.rx[(socket.rxEnd + 1) & mask] = (value & 0xff) as u8
    socket.rxEnd = (socket.rxEnd + 2) & 0xffff
  }

  private rxPut32(socket: W5500Socket, value: u32): void {
    this.rxPut16(socket, (value >>> 16) as i32)
    this.rxPut16(socket, (value & 0xffff) as i32)
  }

  private retryNanos(): f64 {
    return (this.get16(this.common, RTR) as f64) * 100_000
  }

  /** RTR doubles at each of RCR retransmissions, up to 65535 units (page 38). */
  private tcpTimeoutNanos(): f64 {
    let units = this.get16(this.common, RTR) as f64
    let sum: f64 = 0
    for (let n: i32 = 0; n <= (this.common[RCR] as i32); n++) {
      sum += units
      units = Math.min(units * 2, 65535)
    }
    return sum * 100_000
  }

  private get16(bytes: Uint8Array, at: i32): i32 {
    return ((bytes[at] as i32) << 8) | (bytes[at + 1] as i32)
  }

  private put16(bytes: Uint8Array, at: i32, value: i32): void {
    bytes[at] = ((value >> 8) & 0xff) as u8
    bytes[at + 1] = (value & 0xff) as u8
  }

  private get32(bytes: Uint8Array, at: i32): u32 {
    return (((this.get16(bytes, at) << 16) | this.get16(bytes, at + 2)) >>> 0) as u32
  }

  private put32(bytes: Uint8Array, at: i32, value: u32): void {
    this.put16(bytes, at, (value >>> 16) as i32)
    this.put16(bytes, at + 2, (value & 0xffff) as i32)
  }
}

function lesser(a: i32, b: i32): i32 {
  return a < b ? a : b
}

function greater(a: i32, b: i32): i32 {
  return a > b ? a : b
}
