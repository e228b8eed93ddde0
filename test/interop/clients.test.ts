// Real clients against `noonmark up`, as a user would start it.

import { existsSync } from 'node:fs'
import { createConnection } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Appliance, startAppliance, temporaryFolder } from '../support/appliance'
import { chronyOffset, chronyQuery, peer, run, startNtpsecClient, udpPort123IsFree } from '../support/peers'

const folder = temporaryFolder()
let appliance: Appliance
beforeAll(async () => {
  appliance = await startAppliance(folder.path)
})
afterAll(async () => {
  await appliance?.stop()
  folder.dispose()
})

/** Skips a test by name when its program is not to be had. */
function needs(context: { skip(note?: string): void }, ...programs: string[]): void {
  for (const name of programs) {
    const { missing } = peer(name)
    if (missing) context.skip(missing)
  }
}

describe('chrony', () => {
  it('gets authenticated time within a millisecond', async (context) => {
    needs(context, 'chronyd')
    const { output, status } = await chronyQuery(appliance.ntpPort, appliance.kePort, appliance.ca)
    const offset = chronyOffset(output)
    expect(offset, output).toBeDefined()
    expect(Math.abs(offset ?? 1), output).toBeLessThan(0.001)
    expect(status).toBe(0)
  })

  it('serves four clients at once', async (context) => {
    needs(context, 'chronyd')
    const runs = await Promise.all(
      [1, 2, 3, 4].map(() => chronyQuery(appliance.ntpPort, appliance.kePort, appliance.ca)),
    )
    for (const { output } of runs) expect(Math.abs(chronyOffset(output) ?? 1), output).toBeLessThan(0.001)
  })

  it('refuses the appliance when its certificate authority is another', async (context) => {
    needs(context, 'chronyd')
    const other = '/etc/ssl/certs/ca-certificates.crt'
    if (!existsSync(other)) context.skip('this machine has no system certificate bundle')
    const { output } = await chronyQuery(appliance.ntpPort, appliance.kePort, other, ['nosystemcert'])
    expect(chronyOffset(output), output).toBeUndefined()
  })
})

describe('NTPsec', () => {
  it('gets NTS time, with the NTP port from the port record', async (context) => {
    needs(context, 'ntpd')
    if (!(await udpPort123IsFree())) context.skip('UDP port 123 of this machine is taken')
    const place = temporaryFolder()
    const client = startNtpsecClient(place.path, appliance.kePort, appliance.ca)
    try {
      for (let attempt = 0; attempt < 40 && client.samples().length < 4; attempt++) {
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
      expect(client.log()).toContain(`NTSc: Using port ${appliance.ntpPort}`)
      expect(client.log()).toMatch(/NTSc: .*Got 8 cookies/)
      expect(client.samples().length, client.log()).toBeGreaterThanOrEqual(4)
      // As every NTP client does: the sample with the least delay is the one to believe.
      const [best] = client.samples().sort((a, b) => a.delay - b.delay)
      expect(Math.abs(best?.offset ?? 1)).toBeLessThan(0.001)
    } finally {
      await client.stop()
      place.dispose()
    }
  })
})

describe('command-line TLS clients', () => {
  it('openssl completes a key exchange and verifies the certificate', async (context) => {
    needs(context, 'openssl')
    const { output } = await run(peer('openssl').path as string, [
      's_client',
      '-connect',
      `127.0.0.1:${appliance.kePort}`,
      '-servername',
      'localhost',
      '-verify_hostname',
      'localhost',
      '-alpn',
      'ntske/1',
      '-CAfile',
      appliance.ca,
      '-verify_return_error',
      '-brief',
    ])
    expect(output).toMatch(/Protocol version: TLSv1.3/)
    expect(output).toMatch(/Verification: OK/)
    expect(output).toMatch(/Verified peername: localhost/)
  })

  it.each(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])(
    'openssl completes a key exchange with %s, by X25519 and by P-256',
    async (suite) => {
      const { path } = peer('openssl')
      if (!path) return
      for (const group of ['X25519', 'P-256', 'P-384:P-256']) {
        const { output } = await run(path, [
          's_client',
          '-connect',
          `127.0.0.1:${appliance.kePort}`,
          '-alpn',
          'ntske/1',
          '-CAfile',
          appliance.ca,
          '-ciphersuites',
          suite,
          '-groups',
          group,
          '-brief',
        ])
        expect(output, group).toContain(`Ciphersuite: ${suite}`)
        expect(output, group).toMatch(/Verification: OK/)
      }
    },
  )

  it('gnutls-cli completes a key exchange and trusts the certificate', async (context) => {
    needs(context, 'gnutls-cli')
    const { output } = await run(peer('gnutls-cli').path as string, [
      '--alpn=ntske/1',
      `--x509cafile=${appliance.ca}`,
      '--priority=NORMAL:-VERS-ALL:+VERS-TLS1.3',
      '-p',
      String(appliance.kePort),
      'localhost',
    ])
    expect(output).toMatch(/Status: The certificate is trusted/)
    expect(output).toMatch(/Handshake was completed/)
  })

  it('a client that speaks only TLS 1.2 is turned away with protocol_version', async (context) => {
    needs(context, 'openssl')
    const { output } = await run(peer('openssl').path as string, [
      's_client',
      '-connect',
      `127.0.0.1:${appliance.kePort}`,
      '-tls1_2',
      '-alpn',
      'ntske/1',
    ])
    expect(output).toMatch(/alert protocol version/)
  })

  it('a client that says nothing does not keep the others out', async () => {
    const idle = [1, 2, 3].map(() => createConnection(appliance.kePort, '127.0.0.1'))
    try {
      const { status, output } = await run(process.execPath, [
        'bin/noonmark.mjs',
        'ask',
        'localhost',
        '--ke-port',
        String(appliance.kePort),
        '--ca',
        appliance.ca,
        '-n',
        '1',
      ])
      expect(status, output).toBe(0)
    } finally {
      for (const socket of idle) socket.destroy()
    }
  })
})
