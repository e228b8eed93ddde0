// The NTS-KE client against the real servers, chronyd and NTPsec's ntpd: the exchange, and one NTP request with what it
// brought, sealed and opened by another implementation than the firmware's.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { peer, udpPort123IsFree } from '../support/peers'
import {
  makeServerCertificate,
  type ServerCertificate,
  startChronyServer,
  startNtpsecServer,
} from '../support/upstreams'
import { COOKIE, fields, open, parseReply, request } from './client'
import { type Agreed, exchange, KeClient, loadKeClient, Offer, Phase } from './ke_exchange'

const { missing } = [peer('chronyd'), peer('chronyc'), peer('ntpd'), peer('openssl')].find((one) => one.missing) ?? {}

/** Asks the NTP server once; the number of fresh cookies in an authentic answer. */
async function ask(agreed: Agreed): Promise<number> {
  const socket = createSocket('udp4')
  try {
    for (let tries = 0; tries < 60; tries++) {
      socket.send(
        request(agreed, agreed.cookies[tries % agreed.cookies.length] as Uint8Array),
        agreed.port,
        '127.0.0.1',
      )
      const timer = AbortSignal.timeout(500)
      const answer = await once(socket, 'message', { signal: timer }).catch(() => undefined)
      if (!answer) continue
      const packet = new Uint8Array(answer[0] as Buffer)
      const authenticator = fields(packet, 48).find(({ type }) => type === 0x0404)
      if (!authenticator) throw new Error(`no authenticator; stratum ${parseReply(packet).stratum}`)
      const { body, at } = authenticator
      const nonceLength = ((body[0] as number) << 8) | (body[1] as number)
      const textLength = ((body[2] as number) << 8) | (body[3] as number)
      const textAt = 4 + ((nonceLength + 3) & ~3)
      const nonce = body.slice(4, 4 + nonceLength)
      const text = open(agreed.aead, agreed.s2c, packet.slice(0, at), nonce, body.slice(textAt, textAt + textLength))
      return fields(text, 0).filter(({ type }) => type === COOKIE).length
    }
    throw new Error('no answer')
  } finally {
    socket.close()
  }
}

async function tcpPortIsFree(port: number): Promise<boolean> {
  const server = createServer()
  server.listen(port, '127.0.0.1')
  const free = await Promise.race([once(server, 'listening'), once(server, 'error')]).then(
    () => true,
    () => false,
  )
  server.close()
  return free
}

describe.skipIf(missing)('the key exchange', () => {
  const folder = mkdtempSync(join(tmpdir(), 'noonmark-ke-'))
  const certificates = new Map<string, ServerCertificate>()
  let entry: Entry

  beforeAll(async () => {
    const kinds: [string, string[] | undefined][] = [
      ['p256', undefined],
      ['rsa', ['-newkey', 'rsa:2048']],
    ]
    for (const [kind, options] of kinds) {
      const place = mkdtempSync(join(folder, kind))
      certificates.set(kind, await makeServerCertificate(place, options))
    }
    const anchors = [...certificates.values()].map(({ authority }) => readFileSync(authority, 'utf8'))
    entry = await loadKeClient(anchors, 'release')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each([
    ['p256', Offer.Both],
    ['p256', Offer.Siv],
    ['rsa', Offer.Both],
  ])('with chronyd, a chain of %s and offer %i brings keys and cookies that chronyd takes', async (kind, offer) => {
    const place = mkdtempSync(join(folder, 'chrony'))
    const server = await startChronyServer(place, certificates.get(kind) as ServerCertificate)
    try {
      let client = new KeClient(entry, { offer })
      await exchange(client, server.kePort, kind === 'rsa' ? 7 : undefined)
      // chronyd before 4.6.1 does not know record 1024.
      if (client.failure === 0xc00) {
        client = new KeClient(entry, { offer: Offer.Siv })
        await exchange(client, server.kePort)
      }
      expect([client.phase, client.words], server.log()).toEqual([Phase.Done, 'none'])
      const { agreed } = client
      expect(agreed.port).toBe(server.ntpPort)
      expect(agreed.server).toBe('127.0.0.1')
      expect(agreed.cookies.length).toBe(8)
      expect(await ask(agreed)).toBe(1)
      expect(await server.statistic('NTS-KE connections accepted')).toBeGreaterThan(0)
      expect(await server.statistic('Authenticated NTP packets')).toBe(1)
    } finally {
      await server.stop()
    }
  })

  it('with chronyd by its address brings the same', async () => {
    const place = mkdtempSync(join(folder, 'chrony'))
    const server = await startChronyServer(place, certificates.get('p256') as ServerCertificate)
    try {
      const client = new KeClient(entry, { name: '127.0.0.1', offer: Offer.Siv })
      await exchange(client, server.kePort)
      expect(client.phase).toBe(Phase.Done)
    } finally {
      await server.stop()
    }
  })

  it.for(['p256', 'rsa'])(
    'with NTPsec and a chain of %s brings keys and cookies that ntpd takes',
    async (kind, context) => {
      const place = mkdtempSync(join(folder, 'ntpsec'))
      if (!(await udpPort123IsFree()) || !(await tcpPortIsFree(4460))) return context.skip()
      const server = await startNtpsecServer(place, certificates.get(kind) as ServerCertificate)
      try {
        const client = new KeClient(entry)
        await exchange(client, server.kePort)
        expect([client.phase, client.words], server.log()).toEqual([Phase.Done, 'none'])
        const { agreed } = client
        expect([agreed.aead, agreed.port, agreed.cookies.length]).toEqual([15, 123, 8])
        expect(await ask(agreed)).toBe(1)
      } finally {
        await server.stop()
      }
    },
  )

  it('fails at chronyd with a name that is not in the certificate, and chronyd hears it', async () => {
    const place = mkdtempSync(join(folder, 'chrony'))
    const server = await startChronyServer(place, certificates.get('p256') as ServerCertificate)
    try {
      const client = new KeClient(entry, { name: 'other.test' })
      await exchange(client, server.kePort)
      expect([client.phase, client.words]).toEqual([Phase.Failed, 'certificate: wrong-name'])
    } finally {
      await server.stop()
    }
  })
})
