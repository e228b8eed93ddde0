// The W5500 as a client: connections that it begins, and a UDP port that is opened for one errand, beside the NTP port.

import { describe, expect, it } from 'vitest'
import { udpFrameNanos } from '../../sim/chips/w5500'
import { ipv4, MemoryLan, type SentDatagram, type TcpPeer } from '../../sim/lan/memory_lan'
import { Random } from '../../sim/world/random'
import { type Bench, faultsOf, GATEWAY, makeEcho, NTP } from './w5500_bench'

const MS = 1e6
const SERVER = ipv4('192.168.7.20')
const CLIENT = { ip: ipv4('192.168.7.50'), port: 40000 }
const ERRAND = 7
const NO_PARTNER = 8

enum Tcp {
  Closed,
  Listening,
  Open,
  PeerClosed,
  Closing,
  Connecting,
}

function lan(): MemoryLan {
  const all = new MemoryLan({ gateway: ipv4(GATEWAY) })
  for (const ip of [SERVER, CLIENT.ip, ipv4(GATEWAY)]) all.addPeer({ ip })
  return all
}

function state(bench: Bench): Tcp {
  return bench.exports['tcpState'](ERRAND)
}

function connectTo(bench: Bench, ip = SERVER, port = 4460): void {
  bench.exports['tcpConnect'](ERRAND, 50_000, ip, port, bench.ticks)
  expect(state(bench)).toBe(Tcp.Connecting)
  expect(bench.exports['tcpWritable'](ERRAND)).toBe(0)
  bench.due = bench.now
}

function write(bench: Bench, data: Uint8Array): number {
  bench.entry.write(bench.exports['buffer'](), data)
  const taken = bench.exports['tcpWrite'](ERRAND, bench.exports['buffer'](), data.length, bench.ticks)
  bench.due = bench.now
  return taken
}

function read(bench: Bench): Uint8Array {
  const length = bench.exports['tcpRead'](ERRAND, bench.exports['buffer'](), 4096)
  return bench.entry.read(bench.exports['buffer'](), length)
}

describe('a connection that the board begins', () => {
  it('carries bytes both ways and ends in order', async () => {
    const network = lan()
    let peer: TcpPeer | undefined
    network.listen(SERVER, 4460, (far) => {
      peer = far
    })
    const bench = await makeEcho(network)
    connectTo(bench)
    bench.runUntilTrue(() => state(bench) === Tcp.Open, 20 * MS)
    const hello = Uint8Array.from({ length: 1500 }, (_, i) => i)
    expect(write(bench, hello)).toBe(1500)
    bench.runFor(5 * MS)
    expect(peer!.bytes).toEqual(hello)
    const answer = Uint8Array.from({ length: 5000 }, (_, i) => i * 3)
    peer!.write(bench.now, answer)
    let got = new Uint8Array()
    bench.runUntilTrue(() => {
      got = Buffer.concat([got, read(bench)])
      return got.length === answer.length
    }, 100 * MS)
    expect(got).toEqual(Buffer.from(answer))
    peer!.end(bench.now)
    bench.runUntilTrue(() => state(bench) === Tcp.PeerClosed, 20 * MS)
    bench.exports['tcpDisconnect'](ERRAND, bench.ticks)
    bench.due = bench.now
    bench.runUntilTrue(() => state(bench) === Tcp.Closed, 100 * MS)
    expect(peer!.state).toBe('closed')
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('hears a server that speaks at once', async () => {
    const network = lan()
    network.listen(SERVER, 4460, (far) => far.write(0, Uint8Array.of(1, 2, 3)))
    const bench = await makeEcho(network)
    connectTo(bench)
    bench.runUntilTrue(() => state(bench) === Tcp.Open && bench.exports['tcpAvailable'](ERRAND) === 3, 20 * MS)
    expect([...read(bench)]).toEqual([1, 2, 3])
  })

  it('is refused where nobody listens', async () => {
    const bench = await makeEcho(lan())
    connectTo(bench)
    bench.runUntilTrue(() => state(bench) === Tcp.Closed, 200 * MS)
  })

  it('fails where nobody is, by ARP, and where nobody answers', async () => {
    const network = lan()
    const bench = await makeEcho(network)
    connectTo(bench, ipv4('192.168.7.77'))
    bench.runUntilTrue(() => state(bench) === Tcp.Closed, 500 * MS)
    network.addPeer({ ip: ipv4('192.168.7.78') })
    network.tcpConnecting = () => undefined
    connectTo(bench, ipv4('192.168.7.78'))
    bench.runUntilTrue(() => state(bench) === Tcp.Closed, 5000 * MS)
    // The socket can be used again at once.
    bench.exports['udpOpen'](ERRAND, NO_PARTNER, 50_001)
    bench.due = bench.now
    bench.runUntilTrue(() => bench.exports['udpReady'](ERRAND, bench.ticks) === 1, 100 * MS)
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('ends when the chip is reset in the middle', async () => {
    const network = lan()
    network.listen(SERVER, 4460, () => undefined)
    const bench = await makeEcho(network)
    connectTo(bench)
    bench.runUntilTrue(() => state(bench) === Tcp.Open, 20 * MS)
    bench.chip.powerCycle(bench.now)
    bench.runUntilTrue(() => state(bench) === Tcp.Closed, 2000 * MS)
  })
})

describe('a UDP port for an errand', () => {
  it('sends from its port, stamps the answer by its own edge, and is closed afterwards', async () => {
    const network = lan()
    const sent: SentDatagram[] = []
    network.onDatagram = (datagram) => sent.push(datagram)
    const bench = await makeEcho(network)
    bench.exports['udpOpen'](ERRAND, NO_PARTNER, 50_123)
    bench.due = bench.now
    bench.runUntilTrue(() => bench.exports['udpReady'](ERRAND, bench.ticks) === 1, 20 * MS)
    bench.entry.write(bench.exports['buffer'](), Uint8Array.of(9, 9))
    expect(bench.exports['udpPrepare'](ERRAND, SERVER, 123, bench.ticks)).toBe(2)
    expect(bench.exports['udpSend'](bench.exports['buffer'](), 2)).toBe(1)
    bench.due = bench.now
    bench.runUntilTrue(() => sent.length === 1, 20 * MS)
    expect(sent[0]).toMatchObject({ ip: SERVER, port: 123, sourcePort: 50_123, delivered: true })

    const arrives = bench.now + 1 * MS
    network.sendUdp(arrives, { ip: SERVER, port: 123 }, 50_123, Uint8Array.of(1, 2, 3, 4))
    bench.runUntilTrue(() => bench.exports['udpWaiting'](ERRAND) === 1, 20 * MS)
    const datagram = bench.view(bench.exports['receive'](ERRAND, 1472, bench.ticks), 40)
    expect([datagram.getUint32(8, true), datagram.getUint32(12, true)]).toEqual([0, 0])
    expect(datagram.getUint32(28, true)).toBe(4)

    bench.exports['udpClose'](ERRAND)
    bench.due = bench.now
    bench.runFor(5 * MS)
    expect(bench.chip.udpRoom(50_123, ipv4('192.168.7.2'))).toBe(-1)
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it.each([
    { name: 'one edge after the other', reasserts: 0, reminds: false, loses: 0 },
    { name: 'a chip that lets INTn rise after each clearing', reasserts: 100, reminds: false, loses: 0 },
    { name: 'a chip that reminds', reasserts: 0, reminds: true, loses: 0 },
    { name: 'a chip that does both, edges lost', reasserts: 100, reminds: true, loses: 50 },
  ])('meets requests in one edge, and both say how late they may be: $name', async ({ reasserts, reminds, loses }) => {
    const network = lan()
    const bench = await makeEcho(network, {
      prepare: (chip) => {
        chip.receiveAgain = reminds
      },
    })
    bench.exports['udpOpen'](ERRAND, NO_PARTNER, 50_123)
    bench.due = bench.now
    bench.runUntilTrue(() => bench.exports['udpReady'](ERRAND, bench.ticks) === 1, 20 * MS)
    // INTLEVEL: INTn stays high for so many times 26.7 ns after a cause was cleared, whatever else stands.
    bench.chip.common[0x13] = reasserts >> 8
    bench.chip.common[0x14] = reasserts & 255
    const ends: number[] = []
    const widths: number[] = []
    let exact = 0
    const take = (n: number) => {
      while (bench.exports['udpWaiting'](n) === 1 && bench.exports['udpReady'](n, bench.ticks) === 1) {
        const address = bench.exports['receive'](n, 1472, bench.ticks)
        if (address === 0) return
        const datagram = bench.view(address, 40)
        const seen = (Number(datagram.getBigUint64(0, true)) * 1000) / 16 - bench.chip.receiveLatencyNanos
        const spread = (datagram.getUint32(8, true) * 1000) / 16
        const end = ends[new DataView(bench.entry.memory.buffer).getUint32(datagram.getUint32(24, true))]!
        expect(seen).toBeGreaterThan(end - 70)
        expect(seen - spread).toBeLessThan(end + 70)
        widths.push(spread)
        if (datagram.getUint32(12, true) === 0) exact++
      }
    }
    bench.onTurn = () => {
      take(0)
      take(ERRAND)
    }
    const random = new Random(17, 'edges')
    const send = (from: { ip: number; port: number }, port: number, after: number) => {
      const data = new Uint8Array(48)
      new DataView(data.buffer).setUint32(0, ends.length)
      // Both frames come by one wire.
      const end = Math.max(bench.now + 2000 + after, (ends.at(-1) ?? 0) + udpFrameNanos(48))
      ends.push(end)
      network.sendUdp(bench.now + after, from, port, data)
    }
    for (let i = 0; i < 1500; i++) {
      if (random.uniform() < loses / 1500) bench.loseEdges = 1
      const first = random.uniform() < 0.5
      const later = random.uniform() * 60_000
      if (first) send(CLIENT, NTP, 0)
      send({ ip: SERVER, port: 123 }, 50_123, first ? later : 0)
      if (!first) send(CLIENT, NTP, later)
      bench.runFor(1 * MS + random.uniform() * 60 * MS)
    }
    bench.runFor(1100 * MS)
    expect(widths.length).toBe(3000)
    const [, , , , exactCounted, mergedCounted] = bench.counters('socket')
    expect([exactCounted, mergedCounted]).toEqual([exact, 3000 - exact])
    expect(exact).toBeGreaterThan(1200)
    expect(exact).toBeLessThan(2900)
    const wide = widths.filter((width) => width > 0.1 * MS).length
    expect(wide).toBeLessThanOrEqual(4 * loses)
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('leaves the NTP port its exact stamps while both are busy at different times', async () => {
    const network = lan()
    const bench = await makeEcho(network)
    bench.exports['udpOpen'](ERRAND, NO_PARTNER, 50_123)
    bench.due = bench.now
    bench.runUntilTrue(() => bench.exports['udpReady'](ERRAND, bench.ticks) === 1, 20 * MS)
    const turn = bench.onTurn
    let errands = 0
    bench.onTurn = () => {
      turn?.()
      while (bench.exports['udpWaiting'](ERRAND) === 1 && bench.exports['receive'](ERRAND, 1472, bench.ticks) !== 0)
        errands++
    }
    // The first reply asks for a hardware address.
    network.sendUdp(bench.now, CLIENT, NTP, new Uint8Array(48))
    bench.runFor(50 * MS)
    const before = bench.counters('socket')
    for (let i = 1; i <= 100; i++) {
      network.sendUdp(bench.now + i * 2 * MS, CLIENT, NTP, new Uint8Array(48))
      network.sendUdp(bench.now + i * 2 * MS + 1 * MS, { ip: SERVER, port: 123 }, 50_123, new Uint8Array(48))
    }
    bench.runFor(300 * MS)
    const after = bench.counters('socket')
    expect(errands).toBe(100)
    expect([after[4]! - before[4]!, after[5]! - before[5]!]).toEqual([200, 0])
    expect(faultsOf(bench.chip)).toBe(0)
  })
})
