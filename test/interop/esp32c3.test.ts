// The flash image on the simulated ESP32-C3, in real time: real clients get NTS time from it, as from the virtual board.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Appliance, freeTcpPort, freeUdpPort, startAppliance, temporaryFolder } from '../support/appliance'
import { chronyOffset, chronyQuery, peer, run, startNtpsecClient, udpPort123IsFree } from '../support/peers'

const IMAGE = fileURLToPath(new URL('../../build/esp32c3/noonmark.bin', import.meta.url))

const state = temporaryFolder()
const dump = temporaryFolder()
const ports = { ntpPort: 0, kePort: 0 }
let appliance: Appliance | undefined
let missing: string | undefined

beforeAll(async () => {
  // The image wants a RISC-V compiler; without one the build says what is missing.
  const built = await run(process.execPath, ['bin/build_esp32c3.mjs'], 600_000)
  if (built.status !== 0 || !existsSync(IMAGE)) {
    missing = `the ESP32-C3 image cannot be built here: ${built.output.trim().split('\n').at(-1)}`
    return
  }
  ports.ntpPort = await freeUdpPort()
  ports.kePort = await freeTcpPort()
  appliance = await startC3()
}, 700_000)
afterAll(async () => {
  await appliance?.stop()
  state.dispose()
  dump.dispose()
})

function startC3(): Promise<Appliance> {
  return startAppliance(state.path, { ...ports, extra: ['--board', 'esp32c3'], timeout: 50_000 })
}

/** Skips a test by name when it cannot be run here. */
function needs(context: { skip(note?: string): void }, ...programs: string[]): void {
  if (missing) context.skip(missing)
  for (const name of programs) {
    const reason = peer(name).missing
    if (reason) context.skip(reason)
  }
}

/** A value of the last status line, such as `ke=3`. */
function count(of: Appliance | undefined, name: string): number {
  const lines = of?.output().match(/^status .*$/gm) ?? []
  return Number(new RegExp(` ${name}=(\\d+)`).exec(lines.at(-1) ?? '')?.[1])
}

describe('the simulated ESP32-C3', () => {
  it('gives chrony authenticated time within a millisecond', async (context) => {
    needs(context, 'chronyd')
    const { output } = await chronyQuery(ports.ntpPort, ports.kePort, appliance?.ca ?? '', [`ntsdumpdir ${dump.path}`])
    expect(Math.abs(chronyOffset(output) ?? 1), output).toBeLessThan(0.001)
  })

  it('gives NTPsec authenticated time within a millisecond', async (context) => {
    needs(context, 'ntpd')
    if (!(await udpPort123IsFree())) context.skip('UDP port 123 of this machine is taken')
    const place = temporaryFolder()
    const client = startNtpsecClient(place.path, ports.kePort, appliance?.ca ?? '')
    try {
      for (let attempt = 0; attempt < 40 && client.samples().length < 4; attempt++) {
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
      const [best] = client.samples().sort((a, b) => a.delay - b.delay)
      expect(Math.abs(best?.offset ?? 1), client.log()).toBeLessThan(0.001)
    } finally {
      await client.stop()
      place.dispose()
    }
  })

  it('answers noonmark ask with both AEADs', async (context) => {
    needs(context)
    for (const aead of ['15', '30']) {
      const args = ['ask', 'localhost', '--ke-port', String(ports.kePort), '--ca', appliance?.ca ?? '', '-n', '2']
      const { status, output } = await run(process.execPath, ['bin/noonmark.mjs', ...args, '--aead', aead])
      expect(status, output).toBe(0)
      expect(output).toMatch(new RegExp(`^AEAD +${aead} `, 'm'))
      expect(output).toMatch(/2 of 2 answered, all authenticated/)
    }
  })

  it('keeps its keys over a restart: chrony goes on with the cookies that it has', async (context) => {
    needs(context, 'chronyd')
    expect(await appliance?.stop()).toBe(0)
    appliance = await startC3()
    const { output } = await chronyQuery(ports.ntpPort, ports.kePort, appliance.ca, [`ntsdumpdir ${dump.path}`])
    expect(Math.abs(chronyOffset(output) ?? 1), output).toBeLessThan(0.001)
    expect(await appliance.stop()).toBe(0)
    expect(count(appliance, 'nts')).toBeGreaterThanOrEqual(3)
    expect(count(appliance, 'ke')).toBe(0)
  }, 120_000)
})
