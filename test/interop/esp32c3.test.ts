// Real clients against the flash image on the simulated ESP32-C3, in real time: `noonmark up --board esp32c3`.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Appliance, freeTcpPort, freeUdpPort, startAppliance, temporaryFolder } from '../support/appliance'
import { chronyOffset, chronyQuery, peer, run, startNtpsecClient, udpPort123IsFree } from '../support/peers'

const state = temporaryFolder()
const dump = temporaryFolder()
let appliance: Appliance | undefined
afterAll(async () => {
  await appliance?.stop()
  state.dispose()
  dump.dispose()
})

describe('the simulated ESP32-C3 in real time', () => {
  it('serves_chrony_NTPsec_and_noonmark_ask_and_keeps_its_keys_over_a_restart', async (context) => {
    const { missing } = peer('chronyd')
    if (missing) context.skip(missing)
    const options = {
      ntpPort: await freeUdpPort(),
      kePort: await freeTcpPort(),
      extra: ['--board', 'esp32c3'],
      timeout: 60_000,
    }
    const cookies = [`ntsdumpdir ${dump.path}`]

    appliance = await startAppliance(state.path, options)
    const authority = readFileSync(join(state.path, 'ca.pem'), 'utf8')
    const first = await chronyQuery(options.ntpPort, options.kePort, appliance.ca, cookies)
    expect(Math.abs(chronyOffset(first.output) ?? 1), first.output).toBeLessThan(0.002)

    const ask = ['ask', 'localhost', '--ke-port', String(options.kePort), '--ca', appliance.ca]
    const { status, output } = await run(process.execPath, ['bin/noonmark.mjs', ...ask])
    expect(status, output).toBe(0)
    expect(output).toMatch(/4 of 4 answered, all authenticated/)
    await askByNtpsec(options.kePort, appliance.ca)
    expect(await appliance.stop()).toBe(0)

    appliance = await startAppliance(state.path, options)
    expect(readFileSync(join(state.path, 'ca.pem'), 'utf8')).toBe(authority)
    const second = await chronyQuery(options.ntpPort, options.kePort, appliance.ca, cookies)
    expect(Math.abs(chronyOffset(second.output) ?? 1), second.output).toBeLessThan(0.002)
    const [last] = (await stopAndRead(appliance)).match(/^status .*$/gm)?.slice(-1) ?? ['']
    // chrony went on with the cookies that it had.
    expect(last).toMatch(/ ke=0 /)
    expect(appliance.errors()).not.toMatch(/the simulated chip/)
  }, 120_000)
})

async function stopAndRead(running: Appliance): Promise<string> {
  await running.stop()
  return running.output()
}

/** Where NTPsec and its port 123 are to be had. */
async function askByNtpsec(kePort: number, ca: string): Promise<void> {
  if (peer('ntpd').missing || !(await udpPort123IsFree())) return
  const place = temporaryFolder()
  const client = startNtpsecClient(place.path, kePort, ca)
  try {
    for (let attempt = 0; attempt < 60 && client.samples().length < 2; attempt++)
      await new Promise((resolve) => setTimeout(resolve, 500))
    expect(client.samples().length, client.log()).toBeGreaterThanOrEqual(2)
  } finally {
    await client.stop()
    place.dispose()
  }
}
