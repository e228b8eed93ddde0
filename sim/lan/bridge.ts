// The virtual board's network cable: joins the W5500 model to sockets of the host, so that any program here can talk to
// the board without privileges.
//
//   in    what the chip opens, sends and closes
//   out   UDP and TCP on the chip's own address (or `address`), and `onProblem` when the host refuses a port
//
// UDP: OPEN binds address:port. Datagrams keep the sender's address and port; those that find no room in the chip's RX
// buffer wait here, up to `QUEUE`, as they would in a switch; the rest is dropped and counted. Every address has a
// neighbour: ARP is answered at once with a MAC that tells the address.
//
// TCP: LISTEN opens a server. Each connection is given to a listening socket of the chip; when none listens it waits
// `backlogMillis` for one, since a driver needs a moment to listen again, and then is reset. A real W5500 resets at once.
// Bytes flow only as fast as the RX buffer is read; a SEND is acknowledged when the host's socket has taken it, later if
// the client does not read.
//
// The board's own errands: a SYN becomes a connection of the host, a datagram leaves from the port that the chip opened.
// An address of 127/8 is this machine; to reach any other the host's own address is used, since nothing gets out from 127/8.
//
// A port stays bound while the chip's sockets close and open again, until `dispose` or `release`: a driver that closes a
// socket for a millisecond must not lose the port to another program. An ephemeral UDP port (49152 and above) that the chip has
// closed is given back after `EPHEMERAL_MILLIS`.
//
// Time: what arrives from the host is stamped with `now()` when Node reports it and delivered in the chip's next
// `advance`; `onArrival` tells the machine to look. A frame from the chip goes out when the chip decides its fate, which is
// up to 57 us before its time of departure (W5500.transmitLatencyNanos): about what Node needs.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, createServer, type Server, type Socket as TcpSocket } from 'node:net'
import { Lan } from '../chips/lan'
import type { W5500 } from '../chips/w5500'
import { ipv4, macOf } from './memory_lan'

export interface BridgeOptions {
  /** Nanoseconds of the machine's clock. */
  now: () => number
  /** Something has arrived: `chip.advance` would do something. May be called at any time but during `advance`. */
  onArrival?: () => void
  /** A port could not be had, or was lost. */
  onProblem?: (problem: BridgeProblem) => void
  /** A port is open on the host. */
  onListening?: (what: 'udp' | 'tcp', address: string, port: number) => void
  /** Binds here instead of the chip's own address (SIPR). */
  address?: string
  /** How long a connection waits for a socket that listens. Default 50. */
  backlogMillis?: number
}

/** Why a port could not be had, in words for the person at the keyboard. */
export interface BridgeProblem {
  what: 'udp' | 'tcp'
  address: string
  port: number
  /** Node's error code: EADDRINUSE, EACCES, EADDRNOTAVAIL ... */
  code: string
  /** One sentence. */
  message: string
}

/** UDP datagrams that wait for room in the chip. */
const QUEUE = 256
/** Connections that wait for a listening socket. */
const BACKLOG = 16
const EPHEMERAL_FIRST = 49_152
const EPHEMERAL_MILLIS = 5000

interface Waiting {
  at: number
  ip: number
  port: number
  data: Uint8Array
}

interface UdpPort {
  socket: UdpSocket
  /** Chip sockets that are open on it. */
  users: number
  queue: Waiting[]
  /** For addresses that cannot be reached from 127/8. */
  outside?: UdpSocket
}

interface TcpPort {
  server: Server
  port: number
  backlog: { at: number; client: TcpSocket }[]
}

/** A connection between a program and a socket of the chip. */
class Connection {
  /** The program has taken a connection that the chip began; that was passed on. */
  established = false
  establishedPassed = false
  chunks: Uint8Array[] = []
  /** The client has sent its FIN, and it was passed on. */
  ended = false
  endPassed = false
  /** The client is gone: reset, or an error. */
  broken = false
  /** The chip has sent its FIN. */
  finished = false
  /** Something that the chip sent is to be acknowledged. */
  acknowledge = false
  constructor(
    readonly client: TcpSocket,
    readonly socket: number,
  ) {}
}

export class LoopbackBridge extends Lan {
  readonly counters = { udpIn: 0, udpOut: 0, udpDropped: 0, tcpAccepted: 0, tcpReset: 0, sendErrors: 0 }
  private chip: W5500 | undefined
  private readonly udpPorts = new Map<number, UdpPort>()
  private readonly tcpPorts = new Map<number, TcpPort>()
  private readonly connections: (Connection | undefined)[] = new Array(8)
  private readonly clients = new Set<TcpSocket>()
  private readonly arps: { at: number; ip: number }[] = []
  /** Ports that the host refused, until when they are not tried again: other sockets of the chip open the same port. */
  private readonly refused = new Map<string, number>()
  private disposed = false
  /** Work for `advance`, from this time on; Infinity when there is none. */
  private dueAt = Number.POSITIVE_INFINITY

  constructor(private readonly options: BridgeOptions) {
    super()
  }

  attach(chip: W5500): void {
    this.chip = chip
  }

  /** UDP datagrams waiting and connections open, for tests. */
  get pending(): { datagrams: number; connections: number } {
    let datagrams = 0
    for (const { queue } of this.udpPorts.values()) datagrams += queue.length
    return { datagrams, connections: this.connections.filter((connection) => connection).length }
  }

  /** Gives all ports back and drops all connections. Resolves when the host has closed everything. */
  async dispose(): Promise<void> {
    if (this.disposed) return
    this.disposed = true
    this.dueAt = Number.POSITIVE_INFINITY
    const closings: Promise<void>[] = []
    for (const client of this.clients) {
      client.resetAndDestroy()
    }
    for (const { socket, outside } of this.udpPorts.values()) {
      if (outside) closeUdp(outside, () => undefined)
      closings.push(new Promise((resolve) => closeUdp(socket, resolve)))
    }
    for (const { server } of this.tcpPorts.values()) {
      closings.push(new Promise((resolve) => closeServer(server, resolve)))
    }
    this.udpPorts.clear()
    this.tcpPorts.clear()
    this.connections.fill(undefined)
    await Promise.all(closings)
  }

  // ---- Lan

  nextEvent(): number {
    return this.dueAt
  }

  advance(now: number): void {
    if (this.disposed) return
    this.dueAt = Number.POSITIVE_INFINITY
    while (this.arps.length > 0) {
      const { at, ip } = this.arps.shift()!
      this.chip!.arpReply(Math.min(at, now), ip, macOf(ip))
    }
    for (const [port, { queue }] of this.udpPorts) this.deliverUdp(port, queue, now)
    for (const port of this.tcpPorts.values()) this.serveBacklog(port, now)
    for (const connection of this.connections) if (connection) this.pump(connection, now)
  }

  udpOpened(_socket: number, address: number, port: number): void {
    const known = this.udpPorts.get(port)
    if (known) {
      known.users++
      return
    }
    if (this.mayBind('udp', port)) this.bindUdp(this.hostAddress(address), port)
  }

  udpClosed(_socket: number, port: number): void {
    const known = this.udpPorts.get(port)
    if (!known) return
    known.users--
    if (port >= EPHEMERAL_FIRST) setTimeout(() => this.giveBack(port, known), EPHEMERAL_MILLIS).unref()
  }

  udpTransmit(
    _at: number,
    _mac: Uint8Array,
    ip: number,
    port: number,
    sourcePort: number,
    data: Uint8Array,
    n: number,
  ): void {
    const known = this.udpPorts.get(sourcePort)
    if (!known) return
    this.counters.udpOut++
    this.wayTo(known, ip).send(data.slice(0, n), port, dotted(ip), (error) => {
      if (error) this.counters.sendErrors++
    })
  }

  arpRequest(at: number, ip: number): void {
    this.arps.push({ at, ip })
    this.due(0)
  }

  tcpListening(_socket: number, address: number, port: number): void {
    const known = this.tcpPorts.get(port)
    if (known) {
      if (known.backlog.length > 0) this.due(0)
      return
    }
    if (this.mayBind('tcp', port)) this.bindTcp(this.hostAddress(address), port)
  }

  tcpConnecting(_at: number, socket: number, ip: number, port: number): void {
    const client = connect({ host: dotted(ip), port, allowHalfOpen: true, noDelay: true })
    this.clients.add(client)
    client.on('close', () => this.clients.delete(client))
    client.pause()
    const connection = this.join(client, socket)
    client.on('connect', () => {
      connection.established = true
      if (this.connections[socket] === connection) this.arrived(this.options.now())
    })
  }

  tcpTransmit(_at: number, socket: number, data: Uint8Array, length: number): void {
    const connection = this.connections[socket]
    if (!connection || connection.broken) return
    if (connection.client.write(data.slice(0, length))) {
      connection.acknowledge = true
      this.due(0)
    } else this.chip!.tcpWindowClosed(socket)
  }

  tcpFinish(_at: number, socket: number): void {
    const connection = this.connections[socket]
    if (!connection) return
    connection.finished = true
    connection.client.end()
    connection.acknowledge = true
    this.due(0)
  }

  tcpWindow(_at: number, socket: number): void {
    if (this.connections[socket]) this.due(0)
  }

  tcpClosed(_at: number, socket: number): void {
    const connection = this.connections[socket]
    this.connections[socket] = undefined
    if (!connection) return
    if (connection.finished && connection.endPassed) connection.client.destroySoon()
    else if (!connection.client.destroyed) {
      this.counters.tcpReset++
      connection.client.resetAndDestroy()
    }
  }

  // ---- UDP

  private bindUdp(address: string, port: number): void {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
    const entry: UdpPort = { socket, users: 1, queue: [] }
    this.udpPorts.set(port, entry)
    socket.on('message', (data, from) => this.arriveUdp(entry, data, from.address, from.port))
    socket.on('error', (error) => {
      this.udpPorts.delete(port)
      closeUdp(socket, () => undefined)
      this.problem('udp', address, port, error)
    })
    socket.on('listening', () => this.options.onListening?.('udp', address, port))
    socket.bind({ address, port, exclusive: true })
  }

  /** The socket that reaches an address. */
  private wayTo(entry: UdpPort, ip: number): UdpSocket {
    if (ip >>> 24 === 127 || !this.hostAddress(this.chipAddress()).startsWith('127.')) return entry.socket
    if (!entry.outside) {
      entry.outside = createSocket('udp4')
      entry.outside.on('message', (data, from) => this.arriveUdp(entry, data, from.address, from.port))
      entry.outside.on('error', () => {
        this.counters.sendErrors++
      })
    }
    return entry.outside
  }

  /** Closes a port that the chip has not opened again. */
  private giveBack(port: number, entry: UdpPort): void {
    if (entry.users > 0 || this.udpPorts.get(port) !== entry) return
    this.udpPorts.delete(port)
    closeUdp(entry.socket, () => undefined)
    if (entry.outside) closeUdp(entry.outside, () => undefined)
  }

  private arriveUdp(entry: UdpPort, data: Uint8Array, address: string, port: number): void {
    if (this.disposed) return
    this.counters.udpIn++
    if (entry.users <= 0 || entry.queue.length >= QUEUE || data.length > 1472) {
      this.counters.udpDropped++
      return
    }
    const at = this.options.now()
    entry.queue.push({ at, ip: ipv4(address), port, data })
    this.arrived(at)
  }

  private deliverUdp(port: number, queue: Waiting[], now: number): void {
    const chip = this.chip!
    const own = this.chipAddress()
    while (queue.length > 0) {
      const first = queue[0]!
      if (first.at > now) {
        this.due(first.at)
        return
      }
      const room = chip.udpRoom(port, own)
      if (room >= 0 && room < first.data.length && chip.linkUp()) {
        // Comes again when the driver has made room: a datagram is served in some hundred microseconds.
        this.due(now + 100_000)
        return
      }
      queue.shift()
      if (!chip.receiveUdp(first.at, first.ip, first.port, own, port, first.data, first.data.length)) {
        this.counters.udpDropped++
      }
    }
  }

  // ---- TCP

  private bindTcp(address: string, port: number): void {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
    const entry: TcpPort = { server, port, backlog: [] }
    this.tcpPorts.set(port, entry)
    server.on('connection', (client) => this.arriveTcp(entry, client))
    server.on('error', (error) => {
      this.tcpPorts.delete(port)
      closeServer(server, () => undefined)
      this.problem('tcp', address, port, error)
    })
    server.on('listening', () => this.options.onListening?.('tcp', address, port))
    server.listen({ host: address, port, exclusive: true })
  }

  private arriveTcp(entry: TcpPort, client: TcpSocket): void {
    this.clients.add(client)
    client.on('close', () => this.clients.delete(client))
    client.on('error', () => undefined)
    if (this.disposed || entry.backlog.length >= BACKLOG) {
      this.refuse(client)
      return
    }
    const at = this.options.now()
    entry.backlog.push({ at, client })
    this.arrived(at)
  }

  private serveBacklog(entry: TcpPort, now: number): void {
    const patience = (this.options.backlogMillis ?? 50) * 1e6
    while (entry.backlog.length > 0) {
      const { at, client } = entry.backlog[0]!
      const socket = this.chip!.tcpListener(entry.port)
      if (socket < 0 && now < at + patience && !client.destroyed) {
        this.due(Math.max(now + 500_000, at))
        return
      }
      entry.backlog.shift()
      if (socket < 0) this.refuse(client)
      else if (!client.destroyed) this.connect(client, socket, at)
    }
  }

  private connect(client: TcpSocket, socket: number, at: number): void {
    const ip = ipv4(client.remoteAddress ?? '0.0.0.0')
    if (!this.chip!.tcpConnect(at, socket, ip, client.remotePort ?? 0, macOf(ip))) {
      this.refuse(client)
      return
    }
    this.counters.tcpAccepted++
    this.join(client, socket)
    client.resume()
  }

  /** Ties a socket of the host to one of the chip. */
  private join(client: TcpSocket, socket: number): Connection {
    const connection = new Connection(client, socket)
    this.connections[socket] = connection
    const happened = () => {
      if (this.connections[socket] === connection) this.arrived(this.options.now())
    }
    client.on('data', (data) => {
      connection.chunks.push(data as Uint8Array)
      client.pause()
      happened()
    })
    client.on('end', () => {
      connection.ended = true
      happened()
    })
    client.on('drain', () => {
      connection.acknowledge = true
      happened()
    })
    client.on('error', () => {
      connection.broken = true
      happened()
    })
    client.on('close', () => {
      // In order only when both sides have said goodbye.
      if (!connection.ended || !connection.finished) connection.broken = true
      happened()
    })
    return connection
  }

  /** Passes on what the client has sent and what it has taken. */
  private pump(connection: Connection, now: number): void {
    const chip = this.chip!
    const { socket, chunks } = connection
    if (connection.broken) {
      if (chip.tcpReset(now, socket)) this.connections[socket] = undefined
      else this.due(now + 100_000)
      return
    }
    if (connection.established && !connection.establishedPassed) {
      if (!chip.tcpConnected(now, socket)) {
        this.due(now + 100_000)
        return
      }
      connection.establishedPassed = true
      connection.client.resume()
    }
    if (connection.acknowledge) {
      if (chip.tcpAcknowledge(now, socket)) connection.acknowledge = false
      else this.due(now + 100_000)
      if (this.connections[socket] !== connection) return
    }
    while (chunks.length > 0) {
      const first = chunks[0]!
      const taken = chip.tcpReceive(now, socket, first, 0, first.length)
      if (taken < first.length) {
        // The chip's window is closed: it says when it opens (`tcpWindow`).
        chunks[0] = first.subarray(taken)
        return
      }
      chunks.shift()
      if (chunks.length === 0 && !connection.ended) connection.client.resume()
    }
    if (connection.ended && !connection.endPassed) {
      if (chip.tcpFin(now, socket)) connection.endPassed = true
      else this.due(now + 100_000)
    }
  }

  private refuse(client: TcpSocket): void {
    this.counters.tcpReset++
    client.resetAndDestroy()
  }

  // ---- Helpers

  private due(at: number): void {
    if (at < this.dueAt) this.dueAt = at
  }

  private arrived(at: number): void {
    this.due(at)
    this.options.onArrival?.()
  }

  private chipAddress(): number {
    const bytes = this.chip!.common
    return ((bytes[15]! << 24) | (bytes[16]! << 16) | (bytes[17]! << 8) | bytes[18]!) >>> 0
  }

  private hostAddress(chipAddress: number): string {
    return this.options.address ?? dotted(chipAddress)
  }

  private mayBind(what: 'udp' | 'tcp', port: number): boolean {
    return performance.now() >= (this.refused.get(`${what} ${port}`) ?? 0)
  }

  private problem(what: 'udp' | 'tcp', address: string, port: number, error: Error): void {
    if (this.disposed) return
    this.refused.set(`${what} ${port}`, performance.now() + 1000)
    const code = (error as NodeJS.ErrnoException).code ?? 'ERROR'
    const message = `Cannot open ${what.toUpperCase()} port ${port} on ${address}: ${reason(code, error)}`
    this.options.onProblem?.({ what, address, port, code, message })
  }
}

function reason(code: string, error: Error): string {
  if (code === 'EADDRINUSE') return 'another program uses it already (EADDRINUSE).'
  if (code === 'EACCES') return 'ports below 1024 need privileges on this machine (EACCES).'
  if (code === 'EADDRNOTAVAIL') return 'this machine does not have that address (EADDRNOTAVAIL).'
  return `${error.message}.`
}

function dotted(ip: number): string {
  return [ip >>> 24, (ip >>> 16) & 255, (ip >>> 8) & 255, ip & 255].join('.')
}

function closeUdp(socket: UdpSocket, done: () => void): void {
  try {
    socket.close(done)
  } catch {
    // Closed already.
    done()
  }
}

function closeServer(server: Server, done: () => void): void {
  server.close(() => done())
}
