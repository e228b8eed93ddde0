// Real clients of this machine talk to the W5500 model through the bridge: node:dgram and node:net on loopback, the
// driver's wasm behind the chip, time from the host.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { W5500 } from '../../sim/chips/w5500'
import { type BridgeProblem, LoopbackBridge } from '../../sim/lan/bridge'
import { ipv4 } from '../../sim/lan/memory_lan'
import { type Bench, faultsOf, makeBench } from '../drivers/w5500_bench'

const HOST = '127.0.0.1'

/** Driver, chip and bridge, run by the host's clock until `stop`. */
class Board {
  readonly problems: BridgeProblem[] = []
  listening = 0
  bench!: Bench
  bridge!: LoopbackBridge
  udpPort = 0
  tcpPort = 0
  private readonly begin = process.hrtime.bigint()
  private running = true

  async start(udpPort: number, tcpPort: number, tcpSockets: number[], backlogMillis = 50): Promise<this> {
    this.udpPort = udpPort
    this.tcpPort = tcpPort
    this.bridge = new LoopbackBridge({
      now: () => this.elapsed(),
      onProblem: (problem) => this.problems.push(problem),
      onListening: () => {
        this.listening++
      },
      address: HOST,
      backlogMillis,
    })
    this.bench = await makeBench(this.bridge)
    this.bridge.attach(this.bench.chip)
    this.bench.start()
    this.bench.exports['udpOpen'](0, 1, udpPort)
    for (const n of tcpSockets) this.bench.exports['tcpListen'](n, tcpPort)
    this.bench.onTurn = () => {
      this.bench.exports['echo'](0, this.bench.ticks, 8)
      this.echoTcp(tcpSockets)
    }
    setImmediate(() => this.turn())
    return this
  }

  async ready(count: number): Promise<void> {
    while (this.listening + this.problems.length < count) await pause(2)
  }

  async stop(): Promise<void> {
    this.running = false
    await this.bridge.dispose()
  }

  private elapsed(): number {
    return Number(process.hrtime.bigint() - this.begin)
  }

  private turn(): void {
    if (!this.running) return
    const now = this.elapsed()
    if (now > this.bench.now) this.bench.runUntil(now)
    setImmediate(() => this.turn())
  }

  private readonly held = new Map<number, Uint8Array>()

  private echoTcp(sockets: number[]): void {
    const { bench, held } = this
    const e = bench.exports
    const buffer = e['buffer']() as number
    for (const n of sockets) {
      const state = e['tcpState'](n)
      if (state === 0) {
        held.delete(n)
        e['tcpListen'](n, this.tcpPort)
      }
      if (state !== 2 && state !== 3) continue
      let data = held.get(n)
      if (!data && e['tcpAvailable'](n) > 0) data = bench.entry.read(buffer, e['tcpRead'](n, buffer, 1000))
      if (data) {
        bench.entry.write(buffer, data)
        const taken = e['tcpWrite'](n, buffer, data.length, bench.ticks)
        if (taken < data.length) held.set(n, data.subarray(taken))
        else held.delete(n)
      } else if (state === 3 && e['tcpWritable'](n)) e['tcpDisconnect'](n, bench.ticks)
    }
  }
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis))
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function bytes(length: number, seed = 1): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 8)) & 255))
}

async function readAll(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of socket) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

let board: Board | undefined

afterEach(async () => {
  await board?.stop()
  board = undefined
})

async function startBoard(tcpSockets = [2, 3], backlogMillis = 50): Promise<Board> {
  board = await new Board().start(await freePort(), await freePort(), tcpSockets, backlogMillis)
  await board.ready(2)
  return board
}

describe('UDP over the bridge', () => {
  it('answers_a_client_of_this_machine', async () => {
    const { udpPort, bench } = await startBoard()
    const client = createSocket('udp4')
    client.send(bytes(48), udpPort, HOST)
    const [data, from] = await once(client, 'message')
    expect(data).toEqual(bytes(48))
    expect(from).toMatchObject({ address: HOST, port: udpPort })
    client.close()
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('loses_nothing_of_a_burst_that_fits_its_queue', async () => {
    const { udpPort, bridge } = await startBoard()
    const client = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
    const got = new Set<number>()
    client.on('message', (data) => got.add(data.readUInt16BE(0)))
    // The first makes the client known; without it the burst would wait for its ARP and be dropped.
    client.send(bytes(48), udpPort, HOST)
    await once(client, 'message')
    got.clear()
    for (let i = 0; i < 200; i++) {
      const data = bytes(228)
      data.writeUInt16BE(i, 0)
      client.send(data, udpPort, HOST)
    }
    for (let i = 0; i < 500 && got.size < 200; i++) await pause(10)
    expect(got.size).toBe(200)
    expect(bridge.counters.udpDropped).toBe(0)
    client.close()
  })

  it('carries_every_size_up_to_1472', async () => {
    const { udpPort } = await startBoard()
    const client = createSocket('udp4')
    for (let length = 1; length <= 1472; length += 97) {
      client.send(bytes(length, length), udpPort, HOST)
      const [data] = await once(client, 'message')
      expect(data).toEqual(bytes(length, length))
    }
    client.close()
  })

  it('says_in_a_sentence_that_a_port_is_taken', async () => {
    const taken = createSocket('udp4')
    taken.bind(0, HOST)
    await once(taken, 'listening')
    const server = createServer()
    server.listen(0, HOST)
    await once(server, 'listening')
    const udp = taken.address().port
    const tcp = (server.address() as { port: number }).port
    board = await new Board().start(udp, tcp, [2])
    await board.ready(2)
    expect(board.problems.map(({ message }) => message).sort()).toEqual([
      `Cannot open TCP port ${tcp} on ${HOST}: another program uses it already (EADDRINUSE).`,
      `Cannot open UDP port ${udp} on ${HOST}: another program uses it already (EADDRINUSE).`,
    ])
    expect(board.problems.map(({ code }) => code)).toEqual(['EADDRINUSE', 'EADDRINUSE'])
    taken.close()
    server.close()
  })

  it('gives_its_ports_back', async () => {
    const { udpPort, tcpPort } = await startBoard()
    await board!.stop()
    const again = createSocket('udp4')
    again.bind(udpPort, HOST)
    await once(again, 'listening')
    again.close()
    const server = createServer()
    server.listen(tcpPort, HOST)
    await once(server, 'listening')
    server.close()
  })
})

describe('TCP over the bridge', () => {
  it('carries_a_connection_both_ways_and_closes_it_in_order', async () => {
    const { tcpPort, bench, bridge } = await startBoard()
    const client = connect({ port: tcpPort, host: HOST, allowHalfOpen: true })
    client.end(bytes(5000))
    expect(await readAll(client)).toEqual(bytes(5000))
    for (let i = 0; i < 100 && bridge.pending.connections > 0; i++) await pause(10)
    expect(bridge.pending.connections).toBe(0)
    expect(bridge.counters.tcpReset).toBe(0)
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('serves_more_clients_in_turn_than_it_has_sockets', async () => {
    const { tcpPort, bench } = await startBoard([2, 3], 2000)
    const work = Array.from({ length: 12 }, async (_, i) => {
      const client = connect({ port: tcpPort, host: HOST, allowHalfOpen: true })
      client.end(bytes(300 + i, i))
      return readAll(client)
    })
    const results = await Promise.all(work)
    for (const [i, data] of results.entries()) expect(data).toEqual(bytes(300 + i, i))
    expect(bench.counters('tcp')[0]).toBe(12)
  })

  it('resets_a_client_for_whom_no_socket_listens', async () => {
    const { tcpPort } = await startBoard([2])
    const first = connect({ port: tcpPort, host: HOST })
    await once(first, 'connect')
    await pause(50)
    const second = connect({ port: tcpPort, host: HOST })
    const [error] = await once(second, 'error')
    expect(error.code).toBe('ECONNRESET')
    first.destroy()
  })

  it('slows_a_client_down_that_sends_faster_than_the_board_reads', async () => {
    const { tcpPort } = await startBoard()
    const client = connect({ port: tcpPort, host: HOST, allowHalfOpen: true })
    client.end(bytes(200_000))
    expect(Buffer.compare(await readAll(client), bytes(200_000))).toBe(0)
  })

  it('frees_its_socket_when_a_client_resets_or_vanishes', async () => {
    const { tcpPort, bridge, bench } = await startBoard([2])
    for (let i = 0; i < 5; i++) {
      const client = connect({ port: tcpPort, host: HOST })
      await once(client, 'connect')
      client.write(bytes(100))
      await once(client, 'data')
      client.resetAndDestroy()
      for (let wait = 0; wait < 100 && bridge.pending.connections > 0; wait++) await pause(5)
    }
    expect(bridge.pending.connections).toBe(0)
    const client = connect({ port: tcpPort, host: HOST, allowHalfOpen: true })
    client.end(bytes(10))
    expect(await readAll(client)).toEqual(bytes(10))
    expect(bench.counters('tcp')[0]).toBe(6)
  })

  it('drops_connections_and_ports_when_disposed_in_the_middle', async () => {
    const { tcpPort } = await startBoard()
    const client = connect({ port: tcpPort, host: HOST })
    await once(client, 'connect')
    client.write(bytes(100))
    await once(client, 'data')
    const closed = once(client, 'close').catch(() => undefined)
    client.on('error', () => undefined)
    await board!.stop()
    await closed
  })
})

describe('the bridge', () => {
  it('binds_the_address_of_the_chip_when_it_is_given_none', async () => {
    const where: string[] = []
    const bridge = new LoopbackBridge({
      now: () => 0,
      onListening: (what, address) => where.push(`${what} ${address}`),
    })
    const chip = new W5500(bridge)
    bridge.attach(chip)
    const port = await freePort()
    chip.burst(0, 0x000f04, Uint8Array.of(127, 0, 0, 1), 0, 4, true)
    chip.burst(0, 0x00000c, Uint8Array.of(2), 0, 1, true)
    chip.burst(0, 0x00040c, Uint8Array.of(port >> 8, port & 255), 0, 2, true)
    chip.burst(0, 0x00010c, Uint8Array.of(1), 0, 1, true)
    while (where.length === 0) await pause(1)
    expect(where).toEqual([`udp ${HOST}`])
    expect(chip.answersPing(ipv4(HOST))).toBe(true)
    await bridge.dispose()
  })

  it('connects the board to programs of this machine, and tells it when nobody is there', async () => {
    const [udpPort, tcpPort, servicePort] = [await freePort(), await freePort(), await freePort()]
    const service = createServer((client) => {
      client.on('error', () => undefined)
      client.on('data', (data) => client.end(Buffer.concat([Buffer.from('you said '), data])))
    })
    service.listen(servicePort, HOST)
    await once(service, 'listening')
    const board = await new Board().start(udpPort, tcpPort, [])
    await board.ready(1)
    const { bench } = board
    const e = bench.exports
    const until = async (state: number): Promise<void> => {
      while (e['tcpState'](7) !== state) await pause(2)
    }
    e['tcpConnect'](7, 50_000, ipv4(HOST), servicePort, bench.ticks)
    bench.due = bench.now
    await until(2)
    bench.entry.write(e['buffer'](), Buffer.from('hello'))
    expect(e['tcpWrite'](7, e['buffer'](), 5, bench.ticks)).toBe(5)
    await until(3)
    let heard = ''
    while (e['tcpAvailable'](7) > 0)
      heard += Buffer.from(bench.entry.read(e['buffer'](), e['tcpRead'](7, e['buffer'](), 100)))
    expect(heard).toBe('you said hello')
    e['tcpDisconnect'](7, bench.ticks)
    bench.due = bench.now
    await until(0)

    service.close()
    await once(service, 'close')
    e['tcpConnect'](7, 50_001, ipv4(HOST), servicePort, bench.ticks)
    bench.due = bench.now
    await until(0)
    expect(faultsOf(bench.chip)).toBe(0)
    await board.stop()
  })
})
