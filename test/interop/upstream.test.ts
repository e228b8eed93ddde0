// The board as a client of real NTS servers: chronyd and NTPsec's ntpd, on loopback, with a private authority.

import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { lines } from '../net/lan_servers'
import { freeTcpPort, freeUdpPort, temporaryFolder } from '../support/appliance'
import { peer } from '../support/peers'
import { RealBoard } from '../support/real_board'
import { makeServerCertificate, startChronyServer, startNtpsecServer } from '../support/upstreams'

const wasm: Uint8Array = readFileSync(new URL('../../build/noonmark.wasm', import.meta.url))

const stops: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function boot(options: string[], flash: Uint8Array): Promise<RealBoard> {
  const board = new RealBoard(wasm, { ntpPort: await freeUdpPort(), kePort: await freeTcpPort(), options, flash })
  stops.push(() => board.stop())
  return board
}

const reached = (answer: string): boolean =>
  lines(answer, 'source').length > 0 && lines(answer, 'source').every(({ reach }) => reach === '377')

describe('real NTS servers', () => {
  it('are reached eight times of eight, and once more after a restart without a new handshake', async (context) => {
    const { missing } = peer('chronyd')
    if (missing) context.skip(missing)
    const folder = temporaryFolder()
    stops.push(() => folder.dispose())
    const certificate = await makeServerCertificate(folder.path)
    const chrony = await startChronyServer(folder.path, certificate)
    stops.push(() => chrony.stop())
    const flash = new Uint8Array(16 * 4096).fill(0xff)
    const options = [
      `server=localhost nts ntsport ${chrony.kePort} minpoll 0 maxpoll 0 pin=${certificate.pin}`.replace(
        'localhost',
        '127.0.0.1',
      ),
    ]

    const first = await boot(options, flash)
    const sources = await first.askUntil('sources', reached, 25)
    const authdata = await first.ask('authdata')
    console.log(sources, authdata, first.problems, chrony.log())
    expect(reached(sources), sources + authdata + chrony.log()).toBe(true)
    expect(await chrony.statistic('NTS-KE connections accepted')).toBe(1)
    await first.stop()

    const second = await boot(options, flash)
    const again = await second.askUntil('sources', reached, 25)
    console.log(again, await second.ask('authdata'))
    expect(reached(again), again).toBe(true)
    expect(await chrony.statistic('NTS-KE connections accepted')).toBe(1)
  })
})
