// The upstream's key exchange borrows the memory of two of the KE port's five connections: neither starves the other, and
// nothing of the one is left for the other.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DEFAULT_BOARD } from '../../hal/virtual/board'
import { ublox } from '../../hal/virtual/receiver'
import { ipv4 } from '../../sim/lan/memory_lan'
import { LAN_BOARD_ORIGIN, LanBoard } from '../../src/lan_board'
import { Certificates, honestServer, NtsServers } from '../scenarios/boot_servers'
import { type Entry, loadEntry } from '../support/firmware'
import { OPENSSL } from '../tls/x509_openssl'
import { lines } from './lan_servers'

const SECOND = 1e9
const SLOTS = 5
const LENT = [3, 4]
const wasm: Uint8Array = readFileSync(new URL('../../build/noonmark.wasm', import.meta.url))

describe('the loan', () => {
  let entry: Entry
  const call = (name: string, ...args: number[]): number => Number(entry.exports[name](...args))

  beforeEach(async () => {
    entry = await loadEntry(new URL('./ke_slots.entry.ts', import.meta.url), 'checked', {})
  })

  it('is made of the last slots when they wait, is all zeros then and when it comes back, and is large enough', () => {
    const size = entry.exports['KE_LOAN_SIZE'].value
    expect(size).toBeGreaterThanOrEqual(entry.exports['KE_CLIENT_SIZE'].value)
    call('scribble', 3)
    const memory = call('keLend')
    expect(entry.read(memory, size).every((byte) => byte === 0)).toBe(true)
    expect(LENT.map((i) => call('slotIsAway', i))).toEqual([1, 1])
    expect([0, 1, 2].map((i) => call('slotIsAway', i))).toEqual([0, 0, 0])
    expect(call('slotsWaiting')).toBe(3)
    expect(call('keLend'), 'it is lent once').toBe(0)

    entry.write(memory, new Uint8Array(size).fill(0x5a))
    call('keTakeBack')
    expect(entry.read(memory, size).every((byte) => byte === 0)).toBe(true)
    expect(call('slotsWaiting')).toBe(SLOTS)
  })

  it('waits for connections that are in the slots, and lets no other begin there', () => {
    call('setPhase', 3, 2)
    call('setPhase', 4, 7)
    expect(call('keLend')).toBe(0)
    expect(LENT.map((i) => call('slotIsAway', i))).toEqual([0, 0])
    call('setPhase', 4, 0)
    expect(call('keLend')).toBe(0)
    expect(LENT.map((i) => call('slotIsAway', i))).toEqual([0, 1])
    expect(call('slotsWaiting')).toBe(3)
    call('setPhase', 3, 0)
    expect(call('keLend')).not.toBe(0)
  })

  it('need not be taken to be given up', () => {
    call('setPhase', 3, 2)
    call('scribble', 3)
    expect(call('keLend')).toBe(0)
    call('keTakeBack')
    expect(call('slotIsAway', 4)).toBe(0)
    expect(call('slotsWaiting')).toBe(SLOTS - 1)
  })
})

const SILENT = '192.168.7.99'

describe.skipIf(!OPENSSL)('a board whose upstream exchanges keys', () => {
  let certificates: Certificates

  beforeAll(() => {
    certificates = new Certificates()
  })
  afterAll(() => certificates?.dispose())

  function makeBoard(options: string[]): LanBoard {
    const board = { ...DEFAULT_BOARD, address: '192.168.7.1', mask: '255.255.255.0', names: ['localhost'], options }
    return new LanBoard({
      wasm,
      world: { seed: 5, unixOrigin: LAN_BOARD_ORIGIN },
      machine: { board, receiver: ublox({ warm: true }), anchors: certificates.anchors() },
    })
  }

  function makeServers(): NtsServers {
    const [from, to] = [LAN_BOARD_ORIGIN - 86_400, LAN_BOARD_ORIGIN + 86_400 * 90]
    const server = { ...honestServer('a.example', from, to), latency: 20_000, jitter: 0 }
    return new NtsServers([server], certificates, 5)
  }

  /** A key establishment server that takes connections and says nothing. */
  function silentServer(board: LanBoard): { asked: () => number } {
    let asked = 0
    board.lan.addPeer({ ip: ipv4(SILENT), latency: 20_000 })
    board.lan.listen(ipv4(SILENT), 4460, () => {
      asked++
    })
    return { asked: () => asked }
  }

  function found(board: LanBoard, bytes: Uint8Array): number {
    const memory = Buffer.from(board.machine.memory!.buffer)
    let count = 0
    for (let at = memory.indexOf(bytes); at >= 0; at = memory.indexOf(bytes, at + 1)) count++
    return count
  }

  it('serves five clients at once when nothing is lent; when an exchange runs the last two wait for its end', async () => {
    const board = makeBoard([`server=${SILENT} nts`])
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    const ca = board.authority()
    const five = async (): Promise<number> => {
      const begun = board.now
      const sessions = await Promise.all(Array.from({ length: SLOTS }, () => board.keyExchange({ ca })))
      for (const { cookies } of sessions) expect(cookies).toHaveLength(8)
      // What was theirs alone is no longer there.
      for (const { keys } of sessions) expect(found(board, keys.c2s) + found(board, keys.s2c)).toBe(0)
      return (board.now - begun) / SECOND
    }
    expect(await five()).toBeLessThan(5)

    const server = silentServer(board)
    for (let i = 0; i < 3600 && server.asked() === 0; i++) board.advance(SECOND)
    expect(server.asked()).toBe(1)
    // The exchange's patience is 20 s; who came in to one of the lent connections is served after it.
    const waited = await five()
    expect(waited).toBeGreaterThan(15)
    expect(waited).toBeLessThan(25)
    board.advance(30 * SECOND)
    expect(await five()).toBeLessThan(5)
  })

  it('gets its keys although strangers fill all connections again and again, and leaves one copy of them', () => {
    const board = makeBoard(['server=a.example nts', 'dns=192.168.7.53'])
    const servers = makeServers()
    const strangers = (): void => {
      for (let i = 0; i < 8; i++) board.lan.connect(board.now + 1000 * i, board.freshPort(), 4460)
    }
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    servers.attach(board)
    for (let i = 0; i < 600 && servers.exchanges === 0; i++) {
      strangers()
      board.advance(0.2 * SECOND)
    }
    expect(servers.exchanges).toBe(1)
    board.advance(5 * SECOND)
    const [auth] = lines(board.ask('authdata'), 'auth')
    expect(auth).toMatchObject({ mode: 'nts', keyid: '1' })
    for (const keys of servers.keys()) {
      expect(found(board, keys.c2s)).toBe(1)
      expect(found(board, keys.s2c)).toBe(1)
    }
  })
})
