// No sky: three chronyd and NTPsec's ntpd, with certificates of one private authority, are all that the appliance has. From its first
// boot, knowing no date, it comes to the time and serves NTS at their stratum plus one to another chronyd. Everything is
// the command's: `anchors --ca`, `up --no-sky`, `status`.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type Appliance, startAppliance, temporaryFolder } from '../support/appliance'
import { chronyOffset, chronyQuery, peer, type Run, run, startChronyClient, udpPort123IsFree } from '../support/peers'
import { makeServerCertificate, type NtsServer, startChronyServer, startNtpsecServer } from '../support/upstreams'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

const STRATUM = 3

function noonmark(...args: string[]): Promise<Run> {
  return run(process.execPath, ['bin/noonmark.mjs', ...args])
}

interface Report {
  status: { state: string; stratum: number }
  tracking: Record<string, string>
  sources: { name: string; mark: string; reach: string; stratum: number }[]
  selection: { agreeing: number; authenticated: number }
  authdata: { name: string; keyid: number; type: number; klen: number; cook: number; clen: number; nak: number }[]
}

async function report(state: string): Promise<Report> {
  const { status, output } = await noonmark('status', '--state', state, '--json')
  if (status !== 0) throw new Error(output)
  return JSON.parse(output)
}

async function until<T>(ask: () => Promise<T>, good: (answer: T) => boolean, seconds: number): Promise<T> {
  for (const end = performance.now() + seconds * 1000; ; ) {
    const answer = await ask()
    if (good(answer) || performance.now() > end) return answer
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

describe('without a sky', () => {
  it('three chronyd and an NTPsec of a private authority vouch for the time, which is served at stratum n+1', async (context) => {
    const missing = peer('chronyd').missing ?? peer('ntpd').missing ?? peer('openssl').missing
    if (missing) context.skip(missing)
    const folder = temporaryFolder()
    stops.push(() => folder.dispose())
    const place = (name: string): string => {
      const path = join(folder.path, name)
      mkdirSync(path, { mode: 0o700 })
      return path
    }

    const servers: { address: string; server: NtsServer }[] = []
    const ntpsec = await udpPort123IsFree()
    const first = await makeServerCertificate(place('ntpsec'))
    if (ntpsec)
      servers.push({ address: first.address, server: await startNtpsecServer(join(folder.path, 'ntpsec'), first) })
    for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) {
      const own = place(address)
      const certificate = await makeServerCertificate(own, undefined, { address, like: first })
      servers.push({ address, server: await startChronyServer(own, certificate, STRATUM) })
    }
    stops.push(
      ...servers.map(
        ({ server }) =>
          () =>
            server.stop(),
      ),
    )

    const state = join(folder.path, 'state')
    const made = await noonmark('anchors', '--no-system', '--ca', `lab=${first.authority}`, '--state', state)
    expect(made.status, made.output).toBe(0)
    const options = servers.map(
      ({ address, server }) => `server=${address} nts ntsport ${server.kePort} minpoll 0 maxpoll 0 ca=lab`,
    )
    const appliance: Appliance = await startAppliance(state, {
      extra: ['--no-sky', ...options.flatMap((option) => ['--option', option])],
    })
    stops.push(() => appliance.stop())

    const all = (answer: Report): boolean => answer.sources.every(({ reach }) => reach === '377')
    const seen = await until(() => report(state), all, 40)
    const text = JSON.stringify(seen) + servers.map(({ server }) => server.log()).join('\n')
    expect(
      seen.sources.map(({ name, reach }) => [name, reach]),
      text,
    ).toEqual(servers.map(({ address }) => [address, '377']))
    expect(seen.sources.filter(({ mark }) => mark === '*').length, text).toBe(1)
    expect(seen.selection, text).toMatchObject({ agreeing: servers.length, authenticated: 1 })
    for (const auth of seen.authdata) expect(auth).toMatchObject({ keyid: 1, nak: 0, cook: 8 })
    expect(seen.tracking['Trust']).toMatch(/^vouched/)
    expect(seen.tracking['Alarm']).toBe('none')
    // NTPsec in orphan mode is at stratum 3 too.
    expect(seen.status).toMatchObject({ state: 'vouched', stratum: STRATUM + 1 })

    const { ntpPort, kePort, ca } = appliance
    const query = await chronyQuery(ntpPort, kePort, ca)
    expect(Math.abs(chronyOffset(query.output) ?? Number.NaN), query.output).toBeLessThan(0.01)
    const client = startChronyClient(place('client'), ca, `port ${ntpPort} nts ntsport ${kePort}`)
    stops.push(() => client.stop())
    const data = await until(
      () => client.data(),
      (answer) => Number(answer['Total valid RX']) >= 4,
      15,
    )
    expect(data).toMatchObject({ Stratum: String(STRATUM + 1), Authenticated: 'Yes' })
    expect(data['Leap status']).toBe('Normal')

    const shown = await noonmark('status', '--state', state)
    expect(shown.output).toMatch(/^Noonmark \S+: vouched, serves stratum 4; its time is 20/m)
    expect(shown.output).toMatch(/^\^\* 127\.0\.0\.\d +3 +0 +377 +\d /m)
    expect(shown.output).toMatch(/^127\.0\.0\.2 +NTS +1 +\d+ +\d+ +\d+ +0 +0 +8 +\d+$/m)
    expect(await appliance.stop()).toBe(0)
    const after = await noonmark('status', '--state', state)
    expect(after.output).toMatch(/^noonmark: no board runs with the state folder/m)
    expect(after.status).toBe(1)
  }, 120_000)
})
