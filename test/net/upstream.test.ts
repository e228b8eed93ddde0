// The board asks servers on the LAN in memory for the time: errands, samples, selection. True times on both sides.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DEFAULT_BOARD } from '../../hal/virtual/board'
import { ipv4 } from '../../sim/lan/memory_lan'
import { Random } from '../../sim/world/random'
import { LanBoard } from '../../src/lan_board'
import { decodeHeader, encodeHeader } from '../../src/nts/packet'
import { timestampError } from '../../src/served'
import { LanServers, lines } from './lan_servers'

const SECOND = 1e9
const wasm: Uint8Array = readFileSync(new URL('../../build/noonmark.wasm', import.meta.url))

function board(options: string[], sky = true): { board: LanBoard; servers: LanServers } {
  const lan = new LanBoard({
    wasm,
    world: sky ? {} : { outages: [{ from: 0, to: 1e18 }] },
    machine: {
      board: { ...DEFAULT_BOARD, address: '192.168.7.1', mask: '255.255.255.0', gateway: '192.168.7.254', options },
    },
  })
  return { board: lan, servers: new LanServers(lan) }
}

function sources(of: LanBoard): Record<string, string>[] {
  return lines(of.ask('sources'), 'source')
}

function together(of: LanBoard): Record<string, string> {
  return lines(of.ask('sources').replace('selection ', 'selection it '), 'selection')[0]!
}

describe('plain servers', () => {
  it('fills the reach register after a quick burst, with offsets of microseconds', () => {
    const { board: b, servers } = board(['server=192.168.7.20', 'server=192.168.7.21', 'server=192.168.7.22'])
    for (const host of [20, 21, 22]) servers.ntp({ ip: `192.168.7.${host}` })
    expect(b.runUntilSaid('ready', 60)).toBe(true)
    b.advance(180 * SECOND)
    for (const source of sources(b)) {
      expect(source['reach'], JSON.stringify(source)).toBe('377')
      expect(Math.abs(Number(source['offset']))).toBeLessThan(20_000)
      expect(['*', '+']).toContain(source['mark'])
    }
    const all = together(b)
    expect(all).toMatchObject({ candidates: '3', agreeing: '3', authenticated: '0', stratum: '1' })
    expect(Math.abs(Number(all['offset']))).toBeLessThan(20_000)
  })

  it('whose replies meet requests of clients cost those a tenth of a millisecond, not a second', () => {
    const hosts = [20, 21, 22, 23, 24]
    const { board: b, servers } = board(hosts.map((host) => `server=192.168.7.${host} minpoll 0 maxpoll 0`))
    for (const host of hosts) servers.ntp({ ip: `192.168.7.${host}` })
    expect(b.runUntilSaid('ready', 60)).toBe(true)
    b.advance(60 * SECOND)
    const client = { ip: ipv4('192.168.7.10'), port: 40_000 }
    const random = new Random(7, 'meetings')
    const asked = new Map<bigint, number>()
    let transmit = 1n << 40n
    // A request within 60 us of each reply that a server sends.
    const send = b.lan.sendUdp.bind(b.lan)
    b.lan.sendUdp = (at, from, port, data, done) => {
      send(at, from, port, data, done)
      const when = Math.max(at + (random.uniform() - 0.5) * 120_000, b.now + 100)
      transmit += 0x1_0000_0002n
      asked.set(transmit, when)
      send(when, client, 123, encodeHeader(transmit))
    }
    const others = b.lan.onDatagram!
    const dispersions: number[] = []
    b.lan.onDatagram = (datagram) => {
      const header = datagram.sourcePort === 123 ? decodeHeader(datagram.data) : undefined
      const arrived = header && asked.get(header.origin)
      if (!header || arrived === undefined) return others(datagram)
      dispersions.push(header.rootDispersion * 1e9)
      expect(Math.abs(timestampError(b, header.receive, arrived))).toBeLessThan(header.rootDispersion * 1e9)
    }
    b.advance(300 * SECOND)
    expect(dispersions.length).toBeGreaterThan(1000)
    expect(dispersions.filter((nanos) => nanos > 40_000).length).toBeGreaterThan(dispersions.length / 20)
    expect(Math.max(...dispersions)).toBeLessThan(250_000)
  })

  it('are found by name; their addresses take turns until one answers', () => {
    const { board: b, servers } = board(['server=time.example', 'server=nowhere.example', 'dns=192.168.7.53'])
    servers.ntp({ ip: '192.168.7.21' })
    servers.dns('192.168.7.53', { 'time.example': ['192.168.7.20', '192.168.7.21'] })
    expect(b.runUntilSaid('ready', 60)).toBe(true)
    b.advance(300 * SECOND)
    const [found, lost] = sources(b)
    expect(Number(found!['good'])).toBeGreaterThan(2)
    expect(found!['mark']).toBe('*')
    expect(lost).toMatchObject({ reach: '0', mark: '?' })
  })

  it('of which one lies are outvoted, also while nobody has told us the time', () => {
    const { board: b, servers } = board(['server=192.168.7.20', 'server=192.168.7.21', 'server=192.168.7.22'], false)
    servers.ntp({ ip: '192.168.7.20' })
    servers.ntp({ ip: '192.168.7.21', offset: SECOND })
    servers.ntp({ ip: '192.168.7.22', offset: 20_000 })
    b.advance(30 * SECOND)
    expect(sources(b).map(({ mark }) => mark === 'x')).toEqual([false, true, false])
    expect(together(b)).toMatchObject({ candidates: '3', agreeing: '2' })
  })

  it('agree within some milliseconds although nobody knows the crystal', () => {
    const { board: b, servers } = board(
      ['server=192.168.7.20 minpoll 6', 'server=192.168.7.21 minpoll 6', 'server=192.168.7.22 minpoll 6'],
      false,
    )
    for (const host of [20, 21, 22]) servers.ntp({ ip: `192.168.7.${host}` })
    b.advance(20 * SECOND)
    for (let i = 0; i < 20; i++) {
      b.advance(61 * SECOND)
      const all = together(b)
      expect(all['agreeing']).toBe('3')
      // 50 ppm of 64 s on either side, twice as much for a sample that was missed, and the jitter.
      expect(Number(all['width'])).toBeLessThan(20_000_000)
    }
  })

  it('that refuse, slow down or are silent are obeyed', () => {
    const { board: b, servers } = board([
      'server=192.168.7.20',
      'server=192.168.7.21',
      'server=192.168.7.22',
      'server=192.168.7.23 minpoll 4 maxpoll 4',
    ])
    servers.ntp({ ip: '192.168.7.20', stratum: 0, referenceId: 0x4445_4e59 })
    servers.ntp({ ip: '192.168.7.21', stratum: 0, referenceId: 0x5241_5445 })
    servers.ntp({ ip: '192.168.7.22', silent: true })
    servers.ntp({ ip: '192.168.7.23', leap: 3 })
    b.advance(300 * SECOND)
    expect(servers.asked.get('192.168.7.20')).toBe(1)
    // 32, 64, 128 s: each RATE doubles the interval.
    expect(servers.asked.get('192.168.7.21')).toBeLessThanOrEqual(4)
    expect(servers.asked.get('192.168.7.22')).toBeGreaterThan(8)
    expect(sources(b).map(({ mark }) => mark)).toEqual(['?', '?', '?', '?'])
    expect(Number(sources(b)[3]!['useless'])).toBeGreaterThan(8)
  })

  it('are asked from a port that is never the same, with nothing of ourselves in the packet', () => {
    const { board: b, servers } = board(['server=192.168.7.20 minpoll 2'])
    servers.ntp({ ip: '192.168.7.20' })
    b.advance(120 * SECOND)
    const ports = new Set(servers.requests.map(({ sourcePort }) => sourcePort))
    expect(servers.requests.length).toBeGreaterThan(20)
    expect(ports.size).toBeGreaterThan(servers.requests.length - 2)
    for (const { data, sourcePort } of servers.requests) {
      expect(sourcePort).toBeGreaterThanOrEqual(49_152)
      expect(data[0]).toBe(0x23)
      expect(data.subarray(1, 40).every((byte) => byte === 0)).toBe(true)
    }
  })

  it('are not used when a line has a word that nobody knows', () => {
    const { board: b } = board(['server=192.168.7.20 ntss', 'server=192.168.7.21 port 0', 'server='])
    b.advance(1 * SECOND)
    expect(b.consoleText).toContain('server=192.168.7.20 ntss')
    expect(sources(b)).toEqual([])
  })
})
