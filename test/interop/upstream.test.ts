// The board as a client of real NTS servers: chronyd and NTPsec's ntpd, on loopback, with a private authority.

import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { lines } from '../net/lan_servers'
import { freeTcpPort, freeUdpPort, temporaryFolder } from '../support/appliance'
import { chronyOffset, chronyQuery, peer, udpPort123IsFree } from '../support/peers'
import { RealBoard } from '../support/real_board'
import {
  makeServerCertificate,
  type ServerCertificate,
  startChronyServer,
  startNtpsecServer,
} from '../support/upstreams'

const wasm: Uint8Array = readFileSync(new URL('../../build/noonmark.wasm', import.meta.url))

const stops: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function boot(options: string[], flash = new Uint8Array(16 * 4096).fill(0xff), sky = true): Promise<RealBoard> {
  const board = new RealBoard(wasm, { ntpPort: await freeUdpPort(), kePort: await freeTcpPort(), options, flash, sky })
  stops.push(() => board.stop())
  return board
}

async function certificateIn(): Promise<{ folder: string; certificate: ServerCertificate }> {
  const folder = temporaryFolder()
  stops.push(() => folder.dispose())
  return { folder: folder.path, certificate: await makeServerCertificate(folder.path) }
}

/** A server's line; polls follow each other in a second. */
function line(name: string, kePort: number, certificate: ServerCertificate): string {
  return `server=${name} nts ntsport ${kePort} minpoll 0 maxpoll 0 pin=${certificate.pin}`
}

const reached = (answer: string): boolean =>
  lines(answer, 'source').length > 0 && lines(answer, 'source').every(({ reach }) => reach === '377')

describe('real NTS servers', () => {
  it('chronyd is reached eight times of eight, and again after a restart without a new handshake', async (context) => {
    const { missing } = peer('chronyd')
    if (missing) context.skip(missing)
    const { folder, certificate } = await certificateIn()
    const chrony = await startChronyServer(folder, certificate)
    stops.push(() => chrony.stop())
    const flash = new Uint8Array(16 * 4096).fill(0xff)
    const options = [line('127.0.0.1', chrony.kePort, certificate)]

    const first = await boot(options, flash)
    const sources = await first.askUntil('sources', reached, 25)
    const [keys] = lines(await first.ask('authdata'), 'auth')
    expect(reached(sources), sources + chrony.log()).toBe(true)
    expect(lines(sources, 'source')[0]).toMatchObject({ mark: '*', stratum: '1', ignored: '0' })
    expect(keys).toMatchObject({ mode: 'nts', keyid: '1', atmp: '0', nak: '0', cook: '8', failure: '0' })
    expect(await chrony.statistic('NTS-KE connections accepted')).toBe(1)
    await first.stop()

    const second = await boot(options, flash)
    const again = await second.askUntil('sources', reached, 25)
    const [restored] = lines(await second.ask('authdata'), 'auth')
    expect(reached(again), again + chrony.log()).toBe(true)
    expect(restored).toMatchObject({ keyid: '0', nak: '0', cook: '8' })
    // Everything that came was one handshake's keys and never a cookie twice.
    expect(await chrony.statistic('NTS-KE connections accepted')).toBe(1)
    expect(await chrony.statistic('Authenticated NTP packets')).toBeGreaterThanOrEqual(16)
    expect(first.problems.concat(second.problems)).toEqual([])
  })

  it('chronyd and NTPsec agree', async (context) => {
    const missing = peer('chronyd').missing ?? peer('ntpd').missing
    if (missing) context.skip(missing)
    if (!(await udpPort123IsFree())) context.skip('UDP port 123, which ntpd insists on, is taken')
    const one = await certificateIn()
    const other = await certificateIn()
    const chrony = await startChronyServer(one.folder, one.certificate)
    const ntpsec = await startNtpsecServer(other.folder, other.certificate)
    stops.push(
      () => chrony.stop(),
      () => ntpsec.stop(),
    )
    const board = await boot([
      line('127.0.0.1', chrony.kePort, one.certificate),
      line('127.0.0.1', ntpsec.kePort, other.certificate),
    ])
    const answered = (text: string): boolean => reached(text) && /^selection .* offset=/m.test(text)
    const answer = await board.askUntil('sources', answered, 35)
    const authdata = await board.ask('authdata')
    expect(reached(answer), answer + authdata + chrony.log() + ntpsec.log()).toBe(true)
    expect(lines(authdata, 'auth').map(({ type }) => type)).toEqual(['15', '15'])
    const together = lines(answer.replace('selection ', 'selection both '), 'selection')[0]!
    expect(together).toMatchObject({ candidates: '2', agreeing: '2', authenticated: '1' })
    // This host's clock is the truth of all three. A loaded machine delays by milliseconds.
    expect(Math.abs(Number(together['offset']))).toBeLessThan(5_000_000)
  })

  it('alone does not vouch for a board that knows no date, which says what is missing', async (context) => {
    const { missing } = peer('chronyd')
    if (missing) context.skip(missing)
    const { folder, certificate } = await certificateIn()
    const chrony = await startChronyServer(folder, certificate)
    stops.push(() => chrony.stop())
    const board = await boot([line('127.0.0.1', chrony.kePort, certificate)], undefined, false)
    expect(reached(await board.askUntil('sources', reached, 25))).toBe(true)
    const tracking = await board.ask('tracking')
    expect(tracking).toMatch(/^Trust +: unknown, /m)
    expect(tracking).toMatch(/^Certificates +: .*three servers with different names must agree$/m)
  })

  it('whose key is not the pinned one is not asked for time', async (context) => {
    const { missing } = peer('chronyd')
    if (missing) context.skip(missing)
    const { folder, certificate } = await certificateIn()
    const chrony = await startChronyServer(folder, certificate)
    stops.push(() => chrony.stop())
    const board = await boot([line('127.0.0.1', chrony.kePort, { ...certificate, pin: '00'.repeat(32) })])
    const failed = (answer: string): boolean => Number(lines(answer, 'auth')[0]?.['failure']) !== 0
    const answer = await board.askUntil('authdata', failed, 15)
    // KeFailure.Certificate with the verdict PinMismatch.
    expect(lines(answer, 'auth')[0], answer).toMatchObject({ failure: String(0x300 + 20), atmp: '1' })
    expect(await chrony.statistic('NTP packets received')).toBe(0)
  })

  it("four chronyd get their keys at once while a slow server has two of the five connections' memory", async (context) => {
    const { missing } = peer('chronyd')
    if (missing) context.skip(missing)
    const folder = temporaryFolder()
    let asked = 0
    const slow = createServer((socket) => {
      asked++
      socket.on('error', () => {})
      setTimeout(() => socket.destroy(), 4000)
    })
    const port = await freeTcpPort()
    slow.listen(port, '127.0.0.1')
    stops.push(
      () => folder.dispose(),
      () => void slow.close(),
    )
    const [ntpPort, kePort] = [await freeUdpPort(), await freeTcpPort()]
    const flash = new Uint8Array(16 * 4096).fill(0xff)
    const board = new RealBoard(wasm, { ntpPort, kePort, flash, options: [`server=127.0.0.1 nts ntsport ${port}`] })
    stops.push(() => board.stop())
    const pem = await board.askUntil('ca', (answer) => answer.includes('END CERTIFICATE'), 20)
    const ca = join(folder.path, 'ca.pem')
    writeFileSync(ca, pem.slice(pem.indexOf('-----BEGIN')))
    const before = asked
    while (asked === before) await new Promise((resolve) => setTimeout(resolve, 100))
    const runs = await Promise.all([1, 2, 3, 4].map(() => chronyQuery(ntpPort, kePort, ca)))
    for (const { output } of runs) expect(Math.abs(chronyOffset(output) ?? 1), output).toBeLessThan(0.001)
  })
})
