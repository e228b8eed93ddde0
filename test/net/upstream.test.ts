// The board asks servers on the LAN in memory for the time: errands, samples, selection. True times on both sides.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DEFAULT_BOARD } from '../../hal/virtual/board'
import { LanBoard } from '../../src/lan_board'
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
})
