// The flash image asks upstream servers, on the simulated ESP32-C3 in virtual time.

import { describe, expect, it } from 'vitest'
import { LanServers, lines } from '../net/lan_servers'
import { makeC3, missingEsp32c3 } from './esp32c3_board'

const SECOND = 1e9

describe.skipIf(missingEsp32c3)('the image', () => {
  it('is told the same time by three servers, found by address and by name', () => {
    const board = makeC3({
      machine: {
        settings: {
          address: '192.168.7.1',
          mask: '255.255.255.0',
          gateway: '192.168.7.254',
          names: ['noonmark.local', 'localhost'],
          options: [
            'server=192.168.7.20 minpoll 1',
            'server=192.168.7.21 minpoll 1',
            'server=time.example minpoll 1',
            'dns=192.168.7.53',
          ],
        },
      },
    })
    const servers = new LanServers(board)
    for (const host of [20, 21, 22]) servers.ntp({ ip: `192.168.7.${host}` })
    servers.dns('192.168.7.53', { 'time.example': ['192.168.7.22'] })
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    board.advance(10 * SECOND)
    const answer = board.ask('sources')
    board.advance(0.1 * SECOND)
    const sources = lines(board.consoleText, 'source')
    expect(sources.length, answer).toBe(3)
    for (const source of sources) {
      expect(source['reach'], JSON.stringify(source)).toBe('377')
      expect(Math.abs(Number(source['offset']))).toBeLessThan(20_000)
      expect(['*', '+']).toContain(source['mark'])
    }
  })
})
