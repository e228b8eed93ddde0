// chronyd with `xleave` (RFC 9769) against `noonmark up`.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Appliance, startAppliance, temporaryFolder } from '../support/appliance'
import { peer, startChronyClient } from '../support/peers'

const folder = temporaryFolder()
let appliance: Appliance
beforeAll(async () => {
  appliance = await startAppliance(folder.path)
})
afterAll(async () => {
  await appliance?.stop()
  folder.dispose()
})

describe('chrony with xleave', () => {
  it.each([
    ['plain NTP', false],
    ['NTS', true],
  ])('is served interleaved with %s', async (_, nts) => {
    const missing = peer('chronyd').missing ?? peer('chronyc').missing
    if (missing) return void console.log(missing)
    const place = temporaryFolder()
    const security = nts ? `nts ntsport ${appliance.kePort}` : ''
    const client = startChronyClient(place.path, appliance.ca, `port ${appliance.ntpPort} ${security} xleave`)
    try {
      let data: Record<string, string> = {}
      for (let attempt = 0; attempt < 30 && !(Number(data['Total good RX']) >= 6); attempt++) {
        await new Promise((resolve) => setTimeout(resolve, 500))
        data = await client.data()
      }
      expect(data).toMatchObject({ Interleaved: 'Yes', Authenticated: nts ? 'Yes' : 'No', Stratum: '1' })
      expect(Math.abs(Number.parseFloat(data['Offset'] ?? ''))).toBeLessThan(0.001)
    } finally {
      await client.stop()
      place.dispose()
    }
  })

  it('is counted by the board', async () => {
    if (peer('chronyd').missing) return
    await appliance.stop()
    const line = appliance.output().trim().split('\n').at(-1) ?? ''
    expect(Number(/ interleaved=(\d+)/.exec(line)?.[1]), line).toBeGreaterThan(6)
  })
})
