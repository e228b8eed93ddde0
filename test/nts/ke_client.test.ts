// The NTS-KE client against Node's TLS server with answers of all kinds, and against the firmware's own server.

import { createServer, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { THEN } from '../tls/tls_client'
import { CA, fixture, LEAF, loadTls, State, TlsServer } from '../tls/tls_server'
import { concat, END, GCM_SIV, hex, record, SIV, u16 } from './client'
import { loadNts } from './firmware'
import { exchange, KeClient, loadKeClient, Offer, Phase, type StartOptions } from './ke_exchange'

const NTPV4 = record(1, true, u16(0))
const aead = (...ids: number[]) => record(4, true, u16(...ids))
const cookies = (count: number) =>
  concat(...Array.from({ length: count }, (_, i) => record(5, false, new Uint8Array(100).fill(i))))
const GOOD = concat(NTPV4, aead(SIV), cookies(8), END)
const LABEL = 'EXPORTER-network-time-security'

let entry: Entry
beforeAll(async () => {
  entry = await loadKeClient([CA])
})

const client = (options: StartOptions = {}) => new KeClient(entry, { name: 'noonmark.test', time: THEN, ...options })

interface Served {
  requests: string[]
  sockets: TLSSocket[]
  client: KeClient
}

/** One exchange with a server that answers every request with these bytes, cut into pieces, and hangs up. */
async function served(answer: Uint8Array, options: StartOptions = {}, pieces = 1, hangUp = true): Promise<Served> {
  const requests: string[] = []
  const sockets: TLSSocket[] = []
  const server = createServer(
    {
      cert: fixture('leaf.pem') + CA,
      key: fixture('leaf.key'),
      ALPNProtocols: ['ntske/1'],
      minVersion: 'TLSv1.3',
    },
    (socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      socket.on('data', (data) => {
        requests.push(hex(data))
        const size = Math.max(1, Math.ceil(answer.length / pieces))
        for (let at = 0; at < answer.length; at += size) socket.write(answer.subarray(at, at + size))
        if (hangUp) socket.end()
      })
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const one = client(options)
  await exchange(one, (server.address() as { port: number }).port)
  server.close()
  return { requests, sockets, client: one }
}

describe('the request', () => {
  it('offers AEAD 30, then 15, with record 1024', async () => {
    const { requests } = await served(GOOD)
    expect(requests).toEqual([hex(concat(NTPV4, aead(GCM_SIV, SIV), record(1024, false), END))])
  })

  it('offers AEAD 15 alone when told so', async () => {
    const { requests, client } = await served(GOOD, { offer: Offer.Siv })
    expect(requests).toEqual([hex(concat(NTPV4, aead(SIV), END))])
    expect(client.phase).toBe(Phase.Done)
  })
})

describe('an exchange', () => {
  it.each([
    ['AEAD 15', concat(NTPV4, aead(SIV), cookies(8), END), 15, 32],
    ['AEAD 30', concat(NTPV4, aead(GCM_SIV), record(1024, false), cookies(8), END), 30, 16],
  ])('with %s brings cookies and the keys of RFC 8915', async (_name, answer, id, length) => {
    const { sockets, client } = await served(answer)
    expect([client.phase, client.failure, client.verdict]).toEqual([Phase.Done, 0, 0])
    const { agreed } = client
    const key = (direction: number) =>
      sockets[0]?.exportKeyingMaterial(length, LABEL, Buffer.of(0, 0, 0, id, direction))
    expect(Buffer.from(agreed.c2s)).toEqual(key(0))
    expect(Buffer.from(agreed.s2c)).toEqual(key(1))
    expect(agreed.cookies.length).toBe(8)
    expect(agreed.notBefore * 1000).toBeGreaterThanOrEqual(Date.parse(LEAF.validFrom))
    expect(agreed.notAfter * 1000).toBe(Date.parse(LEAF.validTo))
  })

  it.each([2, 10, 100])('may have its answer in %i records, and a server that does not hang up', async (pieces) => {
    const { client } = await served(GOOD, {}, pieces, false)
    expect(client.phase).toBe(Phase.Done)
    expect(client.agreed.cookies.map((cookie) => cookie[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it.each<[string, Uint8Array, number]>([
    ['an error', concat(record(2, true, u16(1)), END), 0x501],
    ['half an answer', GOOD.subarray(0, 300), 0x400],
    ['no answer', new Uint8Array(), 0x400],
    ['AEAD 30 without record 1024', concat(NTPV4, aead(GCM_SIV), cookies(8), END), 0xc00],
  ])('with %s fails', async (_name, answer, failure) => {
    const { client } = await served(answer)
    expect([client.phase, client.failure]).toEqual([Phase.Failed, failure])
    expect(client.agreed.cookies).toEqual([])
    expect(hex(client.agreed.c2s)).toBe('')
  })

  it('names the verdict about a chain, and the alert of a server', async () => {
    const early = await served(GOOD, { time: 1 })
    expect([early.client.failure, early.client.words]).toEqual([0x302, 'certificate: not-yet-valid'])
    const other = await served(GOOD, { name: 'other.test' })
    expect([other.client.failure, other.client.words]).toEqual([0x304, 'certificate: wrong-name'])
    expect(other.requests).toEqual([])
    const vague = await served(GOOD, { time: [0, THEN] })
    expect(vague.client.failure).toBe(0x301)
    const trusting = await served(GOOD, { time: [0, THEN], dates: 1 })
    expect([trusting.client.phase, trusting.client.verdict]).toEqual([Phase.Done, 1])
  })

  it('is alone: a second one begins when the first is over or forgotten', async () => {
    const first = client()
    first.deliver()
    expect(entry.exports['start'](5, 0, 0, 0, 0)).toBe(0)
    first.end()
    expect([first.phase, first.failure]).toEqual([Phase.Failed, 0x400])
    expect(entry.exports['start'](5, 0, 0, 0, 0)).toBe(1)
    entry.exports['keClientForget']()
    expect(first.phase).toBe(Phase.Idle)
    expect((await served(GOOD)).client.phase).toBe(Phase.Done)
  })

  it('may be forgotten at any step, and leaves no secret behind', async () => {
    const servers = await loadTls()
    for (let steps = 0; steps < 1700; steps += 1 + (steps >> 1)) {
      const one = client()
      const server = new TlsServer(servers)
      const flight = server.deliver(one.deliver())
      const { DATA, keClientReceive, keClientStep } = entry.exports
      entry.write(DATA.value, flight)
      let given = 0
      for (let i = 0; i < steps; i++) {
        given += keClientReceive(DATA.value + given, flight.length - given)
        keClientStep()
      }
      entry.exports['keClientForget']()
      expect(one.phase).toBe(Phase.Idle)
      expect(one.deliver().length).toBe(0)
      const { CONNECTION, KE_CLIENT_SIZE } = entry.exports
      expect(entry.read(CONNECTION.value, KE_CLIENT_SIZE.value).every((byte) => byte === 0)).toBe(true)
    }
    expect((await served(GOOD)).client.phase).toBe(Phase.Done)
  })
})

describe('the server of this firmware', () => {
  it.each([
    [Offer.Both, 30],
    [Offer.Siv, 15],
  ])('agrees with offer %i on AEAD %i, and opens its own cookies to the same keys', async (offer, id) => {
    const nts = await loadNts(7)
    nts.call('keyringCreate')
    const server = new TlsServer(await loadTls())
    const one = client({ offer })
    let toServer = one.deliver()
    let request = new Uint8Array()
    for (let turns = 0; turns < 6 && one.phase === Phase.Running; turns++) {
      const toClient = [server.deliver(toServer)]
      request = Buffer.concat([request, server.read()])
      nts.input(request)
      if (server.state === State.Open && request.length !== 0 && nts.call('parse', request.length) === 1) {
        const length = nts.call('keyLength')
        for (const [direction, to] of ['c2s', 's2c'].entries()) {
          const exporter = nts.output(nts.call('exporter', direction))
          nts.entry.write(nts.call(to), server.export(LABEL, exporter.subarray(30), length))
        }
        server.write(nts.output(nts.call('respond', 11123, nts.call('responseMax'))))
        server.close()
        toClient.push(server.deliver())
      }
      toServer = one.deliver(Buffer.concat(toClient))
    }
    expect([one.phase, one.failure]).toEqual([Phase.Done, 0])
    const { agreed } = one
    expect([agreed.aead, agreed.port, agreed.cookies.length]).toEqual([id, 11123, 8])
    for (const cookie of agreed.cookies) {
      expect(nts.open(cookie)).toEqual({ aead: id, c2s: agreed.c2s, s2c: agreed.s2c })
    }
  })
})
