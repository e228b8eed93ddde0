// A restart must cost nobody anything: real chrony goes on with the cookies that it has.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Appliance, freeTcpPort, freeUdpPort, startAppliance, temporaryFolder } from '../support/appliance'
import { chronyOffset, chronyQuery, peer } from '../support/peers'

const state = temporaryFolder()
const dump = temporaryFolder()
let appliance: Appliance | undefined
afterAll(async () => {
  await appliance?.stop()
  state.dispose()
  dump.dispose()
})

/** A value of the last status line, such as `ke=3`. */
function count(of: Appliance, name: string): number {
  const lines = of.output().match(/^status .*$/gm) ?? []
  return Number(new RegExp(` ${name}=(\\d+)`).exec(lines.at(-1) ?? '')?.[1])
}

describe('a restart with the same state folder', () => {
  it('keeps the certificate authority, and opens cookies from before: no new handshake', async (context) => {
    const { missing } = peer('chronyd')
    if (missing) context.skip(missing)
    const ports = { ntpPort: await freeUdpPort(), kePort: await freeTcpPort() }
    const cookies = [`ntsdumpdir ${dump.path}`]

    appliance = await startAppliance(state.path, ports)
    const authority = readFileSync(join(state.path, 'ca.pem'), 'utf8')
    const before = await chronyQuery(ports.ntpPort, ports.kePort, appliance.ca, cookies)
    expect(chronyOffset(before.output), before.output).toBeDefined()
    expect(await appliance.stop()).toBe(0)
    expect(count(appliance, 'ke')).toBe(1)

    appliance = await startAppliance(state.path, ports)
    expect(readFileSync(join(state.path, 'ca.pem'), 'utf8')).toBe(authority)
    const after = await chronyQuery(ports.ntpPort, ports.kePort, appliance.ca, cookies)
    expect(Math.abs(chronyOffset(after.output) ?? 1), after.output).toBeLessThan(0.001)
    expect(await appliance.stop()).toBe(0)
    // chronyd -Q is content with three samples.
    expect(count(appliance, 'nts')).toBeGreaterThanOrEqual(3)
    expect(count(appliance, 'ke')).toBe(0)
  })
})
