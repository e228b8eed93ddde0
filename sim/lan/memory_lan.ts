// A network in memory: scripted peers around one W5500, with true times. For tests and the bench.
//
//   in    peers (address, MAC, latencies, reachable or not), datagrams and connections to begin at given instants
//   out   every frame that the chip sent, with the time at which it began and ended; TCP streams of bytes
//
// All times are nanoseconds of true time. Nothing happens by itself: the chip's `advance` drives the network.

import { Lan } from '../chips/lan'
import { frameNanos, udpFrameNanos, type W5500 } from '../chips/w5500'

export interface PeerOptions {
  /** Host-order IPv4 address. */
  ip: number
  /** 6 bytes; made up from the address when absent. */
  mac?: Uint8Array
  /** One way, from the end of a frame here to its end there. Default 2 us: one switch. */
  latency?: number
  /** From the ARP request's arrival to the reply's departure. Default 100 us. */
  arpLatency?: number
  /** False: answers neither ARP nor anything else. */
  reachable?: boolean
}

export interface Peer extends Required<PeerOptions> {}

/** A datagram that the chip sent. */
export interface SentDatagram {
  /** The frame's first and last bit at the chip's end of the wire. */
  at: number
  end: number
  ip: number
  port: number
  sourcePort: number
  mac: Uint8Array
  data: Uint8Array
  /** Somebody had that MAC and that address; else the frame was lost. */
  delivered: boolean
}

export interface LanOptions {
  /** Chance of losing a UDP frame, each direction. Default 0. */
  loss?: number
  seed?: number
  /** Addresses without a peer of their own behave as reachable peers. Default false. */
  anybody?: boolean
  /** The peer whose MAC carries everything to other networks. */
  gateway?: number
}

/** `a.b.c.d` as a host-order number. */
export function ipv4(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** A locally administered MAC that tells the address. */
export function macOf(ip: number): Uint8Array {
  return Uint8Array.of(0x02, 0x4c, (ip >>> 24) & 255, (ip >>> 16) & 255, (ip >>> 8) & 255, ip & 255)
}

export class MemoryLan extends Lan {
  /** Called for each datagram from the chip; without it they collect in `sent`. */
  onDatagram: ((datagram: SentDatagram) => void) | undefined
  readonly sent: SentDatagram[] = []
  readonly counters = { arpRequests: 0, lost: 0, misdirected: 0, refused: 0 }
  readonly chip: () => W5500

  private attached: W5500 | undefined
  private readonly events = new EventQueue()
  private readonly peers = new Map<number, Peer>()
  private readonly connections: (TcpPeer | undefined)[] = new Array(8)
  private readonly services = new Map<string, (peer: TcpPeer) => void>()
  private random: number

  constructor(private readonly options: LanOptions = {}) {
    super()
    this.random = options.seed ?? 1
    this.chip = () => {
      if (this.attached === undefined) throw new Error('no chip is attached to this network')
      return this.attached
    }
  }

  attach(chip: W5500): void {
    this.attached = chip
  }

  addPeer(options: PeerOptions): Peer {
    const peer = { mac: macOf(options.ip), latency: 2_000, arpLatency: 100_000, reachable: true, ...options }
    this.peers.set(options.ip, peer)
    return peer
  }

  /** Does something at an instant. */
  at(nanos: number, action: (nanos: number) => void): void {
    this.events.add(nanos, action)
  }

  /** A datagram from ip:port whose last bit leaves the peer at `nanos`. `arrived` tells whether the chip stored it. */
  sendUdp(
    nanos: number,
    from: { ip: number; port: number },
    port: number,
    data: Uint8Array,
    arrived?: (stored: boolean) => void,
    destination?: number,
  ): void {
    if (this.lose()) return
    const end = nanos + (this.peer(from.ip)?.latency ?? 0)
    this.events.add(end, () => {
      const to = destination ?? this.address
      const stored = this.chip().receiveUdp(end, from.ip, from.port, to, port, data, data.length)
      arrived?.(stored)
    })
  }

  /** A connection from ip:port to the chip's `port`; the SYN arrives at `nanos`. */
  connect(nanos: number, from: { ip: number; port: number }, port: number): TcpPeer {
    const peer = new TcpPeer(this, this.peer(from.ip)?.latency ?? 2_000)
    this.events.add(nanos, () => {
      const socket = this.chip().tcpListener(port)
      if (socket < 0 || !this.chip().tcpConnect(nanos, socket, from.ip, from.port, macOf(from.ip))) {
        this.counters.refused++
        peer.refused()
        return
      }
      this.connections[socket] = peer
      peer.connected(socket)
    })
    return peer
  }

  /** Connections of the chip to ip:port are taken there: `accept` is given the far end of each. */
  listen(ip: number, port: number, accept: (peer: TcpPeer) => void): void {
    this.services.set(`${ip}:${port}`, accept)
  }

  // ---- Lan

  nextEvent(): number {
    return this.events.next
  }

  advance(now: number): void {
    this.events.run(now)
  }

  udpOpened(): void {}
  udpClosed(): void {}

  udpTransmit(
    at: number,
    mac: Uint8Array,
    ip: number,
    port: number,
    sourcePort: number,
    data: Uint8Array,
    n: number,
  ): void {
    const end = at + udpFrameNanos(n)
    const lost = this.lose()
    const delivered = !lost && this.reaches(mac, ip)
    if (!lost && !delivered) this.counters.misdirected++
    const copy = { at, end, ip, port, sourcePort, mac: mac.slice(), data: data.slice(0, n), delivered }
    if (this.onDatagram) this.onDatagram(copy)
    else this.sent.push(copy)
  }

  arpRequest(at: number, ip: number): void {
    this.counters.arpRequests++
    const peer = this.peer(ip)
    if (!peer?.reachable) return
    const answer = at + frameNanos(28) + 2 * peer.latency + peer.arpLatency + frameNanos(28)
    this.events.add(answer, () => this.chip().arpReply(answer, ip, peer.mac))
  }

  tcpListening(): void {}

  tcpConnecting(at: number, socket: number, ip: number, port: number): void {
    const host = this.peer(ip)
    if (!host?.reachable) return
    const accept = this.services.get(`${ip}:${port}`)
    this.events.add(at + frameNanos(44) + 2 * host.latency, (now) => {
      if (!accept) {
        this.counters.refused++
        this.chip().tcpReset(now, socket)
      } else if (this.chip().tcpConnected(now, socket)) {
        const peer = new TcpPeer(this, host.latency)
        this.connections[socket] = peer
        accept(peer)
        peer.connected(socket)
      }
    })
  }

  tcpTransmit(at: number, socket: number, data: Uint8Array, length: number): void {
    this.connections[socket]?.transmitted(at, data.slice(0, length))
  }

  tcpFinish(at: number, socket: number): void {
    this.connections[socket]?.finished(at)
  }

  tcpWindow(at: number, socket: number): void {
    this.connections[socket]?.windowOpened(at)
  }

  tcpClosed(_at: number, socket: number): void {
    this.connections[socket]?.abandoned()
    this.connections[socket] = undefined
  }

  // ---- Helpers

  private get address(): number {
    const bytes = this.chip().common
    return ((bytes[15]! << 24) | (bytes[16]! << 16) | (bytes[17]! << 8) | bytes[18]!) >>> 0
  }

  private peer(ip: number): Peer | undefined {
    return this.peers.get(ip) ?? (this.options.anybody ? this.addPeer({ ip }) : undefined)
  }

  private reaches(mac: Uint8Array, ip: number): boolean {
    if (mac.every((byte) => byte === 0xff)) return true
    const gateway = this.options.gateway === undefined ? undefined : this.peer(this.options.gateway)
    const peer = this.peer(ip)
    if (peer?.reachable && sameBytes(peer.mac, mac)) return true
    return gateway?.reachable === true && sameBytes(gateway.mac, mac)
  }

  private lose(): boolean {
    const loss = this.options.loss ?? 0
    if (loss === 0) return false
    // xorshift32
    this.random ^= this.random << 13
    this.random ^= this.random >>> 17
    this.random ^= this.random << 5
    const lost = (this.random >>> 0) / 2 ** 32 < loss
    if (lost) this.counters.lost++
    return lost
  }
}

/** The far end of one TCP connection. */
export class TcpPeer {
  state: 'connecting' | 'refused' | 'open' | 'abandoned' | 'closed' = 'connecting'
  /** The chip's FIN has come. */
  ended = false
  /** The peer reads nothing while this is true: its window closes. */
  stalled = false
  /** The peer has vanished: it acknowledges nothing and says nothing. */
  dead = false
  socket = -1
  readonly received: Uint8Array[] = []
  onData: ((data: Uint8Array) => void) | undefined

  private outgoing: Uint8Array[] = []
  private unacknowledged = 0
  private finWanted = false
  private finSent = false

  constructor(
    private readonly lan: MemoryLan,
    private readonly latency: number,
  ) {}

  /** All bytes received so far. */
  get bytes(): Uint8Array {
    return concat(this.received)
  }

  /** Sends bytes from `nanos` on, as fast as the chip's window allows. */
  write(nanos: number, data: Uint8Array): void {
    this.lan.at(nanos, (now) => {
      this.outgoing.push(data.slice())
      this.pump(now)
    })
  }

  /** Sends a FIN after all data. */
  end(nanos: number): void {
    this.lan.at(nanos, (now) => {
      this.finWanted = true
      this.pump(now)
    })
  }

  reset(nanos: number): void {
    this.lan.at(nanos, (now) => {
      if (this.socket >= 0) this.lan.chip().tcpReset(now, this.socket)
      this.state = 'closed'
    })
  }

  /** Reads again after `stalled`. */
  resume(nanos: number): void {
    this.lan.at(nanos, (now) => {
      this.stalled = false
      this.acknowledge(now)
    })
  }

  connected(socket: number): void {
    this.socket = socket
    this.state = 'open'
    this.lan.at(this.lan.chip().time, (now) => this.pump(now))
  }

  refused(): void {
    this.state = 'refused'
  }

  abandoned(): void {
    this.socket = -1
    if (this.state === 'open') this.state = this.ended && this.finSent ? 'closed' : 'abandoned'
  }

  transmitted(at: number, data: Uint8Array): void {
    if (this.dead) return
    this.lan.at(at + frameNanos(40 + data.length) + this.latency, (now) => {
      this.received.push(data)
      this.onData?.(data)
      this.unacknowledged++
      if (!this.stalled) this.acknowledge(now + this.latency)
      else if (this.socket >= 0) this.lan.chip().tcpWindowClosed(this.socket)
    })
  }

  finished(at: number): void {
    if (this.dead) return
    this.lan.at(at + frameNanos(40) + this.latency, (now) => {
      this.ended = true
      this.unacknowledged++
      if (!this.stalled) this.acknowledge(now + this.latency)
      if (this.finSent) this.state = 'closed'
    })
  }

  windowOpened(now: number): void {
    if (this.outgoing.length > 0) this.lan.at(now + 2 * this.latency, (at) => this.pump(at))
  }

  private acknowledge(at: number): void {
    this.lan.at(at, (now) => {
      if (this.socket < 0 || this.unacknowledged === 0) return
      if (this.lan.chip().tcpAcknowledge(now, this.socket)) this.unacknowledged = 0
      else this.acknowledge(now + 100_000)
    })
  }

  private pump(now: number): void {
    while (this.socket >= 0 && this.outgoing.length > 0) {
      const chunk = this.outgoing[0]!
      const taken = this.lan.chip().tcpReceive(now, this.socket, chunk, 0, chunk.length)
      if (taken < chunk.length) {
        this.outgoing[0] = chunk.subarray(taken)
        return
      }
      this.outgoing.shift()
    }
    if (this.socket >= 0 && this.finWanted && !this.finSent) {
      this.finSent = true
      this.lan.chip().tcpFin(now, this.socket)
      if (this.ended) this.state = 'closed'
    }
  }
}

/** Actions in order of time; of equal times the first added goes first. A binary heap. */
class EventQueue {
  private readonly heap: { at: number; order: number; action: (nanos: number) => void }[] = []
  private order = 0

  get next(): number {
    return this.heap.length === 0 ? Number.POSITIVE_INFINITY : this.heap[0]!.at
  }

  add(at: number, action: (nanos: number) => void): void {
    const heap = this.heap
    let i = heap.length
    heap.push({ at, order: this.order++, action })
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.before(i, parent)) break
      this.swap(i, parent)
      i = parent
    }
  }

  run(now: number): void {
    while (this.next <= now) {
      const { at, action } = this.take()
      action(at)
    }
  }

  private take() {
    const heap = this.heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    heap[0] = last
    for (let i = 0; ; ) {
      const left = 2 * i + 1
      let least = i
      if (left < heap.length && this.before(left, least)) least = left
      if (left + 1 < heap.length && this.before(left + 1, least)) least = left + 1
      if (least === i) return first
      this.swap(i, least)
      i = least
    }
  }

  private before(a: number, b: number): boolean {
    const x = this.heap[a]!
    const y = this.heap[b]!
    return x.at < y.at || (x.at === y.at && x.order < y.order)
  }

  private swap(a: number, b: number): void {
    const kept = this.heap[a]!
    this.heap[a] = this.heap[b]!
    this.heap[b] = kept
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}

function concat(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
