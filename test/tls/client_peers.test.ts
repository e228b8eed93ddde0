// Real TLS servers against the client: OpenSSL inside Node, `openssl s_server`, `gnutls-serv`. Chains made by `openssl`.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findProgram } from '../../bin/debian.mjs'
import type { Entry } from '../support/firmware'
import { freePort, serve, talkOver } from './client_wire'
import { type ClientOptions, Dates, loadTlsClient, TlsClient } from './tls_client'
import { ALPN, RECEIVED, SENT, State } from './tls_server'
import { AKI, CA, OPENSSL, serverFor, Workshop } from './x509_openssl'

const EXPORTER = 'EXPORTER-network-time-security'
const CONTEXT = Uint8Array.of(0, 0, 0, 15, 0)
const NOW = Math.floor(Date.now() / 1000)
const GNUTLS = findProgram('gnutls-serv')

/** Kinds of chains: by the keys of anchor and leaf. */
const KINDS = ['rsa2048', 'rsa3072', 'rsa4096', 'p256', 'p384', 'ed25519'] as const
type Kind = (typeof KINDS)[number]

interface Chain {
  root: string
  key: string
  /** The leaf and its issuer. */
  chain: string
  leaf: string
}

function makeChain(workshop: Workshop, kind: Kind): Chain {
  const root = workshop.make(`root-${kind}`, { key: kind, extensions: CA })
  // Long keys take long to make: two a chain are enough.
  const between = kind === 'rsa3072' || kind === 'rsa4096' ? 'p256:middle' : `${kind}:middle`
  const middle = workshop.make(`middle-${kind}`, { key: between, issuer: root, extensions: [...CA, AKI] })
  const names = serverFor('DNS:noonmark.test', 'IP:127.0.0.1')
  const leaf = workshop.make(`leaf-${kind}`, { key: `${kind}:leaf`, issuer: middle, extensions: [...names, AKI] })
  const chain = join(workshop.folder, `${kind}-chain.pem`)
  writeFileSync(chain, readFileSync(leaf.file, 'utf8') + readFileSync(middle.file, 'utf8'))
  return { root: readFileSync(root.file, 'utf8'), key: workshop.key(leaf.key), chain, leaf: leaf.file }
}

describe.skipIf(!OPENSSL)('the client', () => {
  let workshop: Workshop
  const chains = new Map<Kind, Chain>()
  let entry: Entry
  const clientOf = (options: ClientOptions = {}) => new TlsClient(entry, { time: NOW, ...options })
  const chainOf = (kind: Kind): Chain => chains.get(kind) as Chain

  beforeAll(async () => {
    workshop = new Workshop(NOW)
    for (const kind of KINDS) chains.set(kind, makeChain(workshop, kind))
    entry = await loadTlsClient(
      'release',
      KINDS.map((kind) => chainOf(kind).root),
    )
  })
  afterAll(() => workshop?.dispose())

  /** A server of Node's that answers in capitals. */
  async function nodeServer(options: TlsOptions, kind: Kind = 'p256') {
    const sockets: TLSSocket[] = []
    const errors: Error[] = []
    const server = createServer(
      {
        cert: readFileSync(chainOf(kind).chain),
        key: readFileSync(chainOf(kind).key),
        ALPNProtocols: [ALPN],
        minVersion: 'TLSv1.3',
        ...options,
      },
      (socket) => {
        sockets.push(socket)
        socket.on('error', () => {})
        socket.on('data', (data) => socket.write(data.toString().toUpperCase()))
      },
    )
    server.on('tlsClientError', (error) => errors.push(error))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { port: (server.address() as { port: number }).port, sockets, errors, close: () => server.close() }
  }

  const suites = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
  const groups = ['X25519', 'P-256', 'P-384:P-256', 'X25519:P-256']

  it.each(suites.flatMap((ciphers) => groups.map((ecdhCurve) => ({ ciphers, ecdhCurve }))))(
    'talks to Node and exports the same with $ciphers over $ecdhCurve',
    async (options) => {
      const server = await nodeServer(options)
      const client = clientOf()
      expect(await talkOver(client, server.port, 'what time is it?', 'IT?')).toBe('WHAT TIME IS IT?')
      server.close()
      expect(server.sockets[0]?.getCipher().standardName).toBe(options.ciphers)
      expect(server.sockets[0]?.alpnProtocol).toBe(ALPN)
      expect((server.sockets[0] as unknown as { servername: string }).servername).toBe('noonmark.test')
      const exported = server.sockets[0]?.exportKeyingMaterial(32, EXPORTER, Buffer.from(CONTEXT))
      expect(Buffer.from(client.export(EXPORTER, CONTEXT, 32))).toEqual(exported)
    },
  )

  it.each(KINDS)('believes a chain of %s and its signature', async (kind) => {
    const server = await nodeServer({}, kind)
    const client = clientOf()
    const text = await talkOver(client, server.port, 'what time is it?', 'IT?')
    server.close()
    expect([client.verdict, client.alert]).toEqual([0, 0])
    expect(text).toBe('WHAT TIME IS IT?')
  })

  it.each([
    ['RSA-PSS+SHA256', 'rsa2048'],
    ['RSA-PSS+SHA384', 'rsa2048'],
    ['RSA-PSS+SHA512', 'rsa2048'],
    ['ECDSA+SHA256', 'p256'],
    ['ECDSA+SHA384', 'p384'],
    ['ed25519', 'ed25519'],
  ] as const)('takes %s in CertificateVerify', async (sigalgs, kind) => {
    const server = await nodeServer({ sigalgs }, kind)
    const client = clientOf()
    expect(await talkOver(client, server.port, 'hello', 'HELLO')).toBe('HELLO')
    server.close()
  })

  it.each([1, 2, 3, 5, 7, 64, 100])('talks when what it receives is cut every %i bytes', async (cut) => {
    for (const ecdhCurve of ['X25519', 'P-256']) {
      const server = await nodeServer({ ecdhCurve }, 'rsa2048')
      expect(await talkOver(clientOf(), server.port, 'hello', 'HELLO', cut)).toBe('HELLO')
      server.close()
    }
  })

  it('sends no name to an address, and finds the address in the certificate', async () => {
    const server = await nodeServer({})
    const client = clientOf({ name: '127.0.0.1' })
    expect(await talkOver(client, server.port, 'hello', 'HELLO')).toBe('HELLO')
    server.close()
    expect((server.sockets[0] as unknown as { servername: unknown }).servername).toBe(false)
  })

  it('has no certificate for a server that asks for one', async () => {
    const open = await nodeServer({ requestCert: true, rejectUnauthorized: false })
    expect(await talkOver(clientOf(), open.port, 'hello', 'HELLO')).toBe('HELLO')
    open.close()
  })

  it.each<[string, TlsOptions, number]>([
    ['TLS 1.2 only', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }, RECEIVED | 70],
    ['another protocol', { ALPNProtocols: ['h2'] }, RECEIVED | 120],
    ['no protocol', { ALPNProtocols: [] }, SENT | 120],
    ['no common group', { ecdhCurve: 'P-384:P-521' }, RECEIVED | 40],
    ['no common signature', { sigalgs: 'ECDSA+SHA1' }, RECEIVED | 40],
  ])('fails at a server with %s', async (_name, options, alert) => {
    const server = await nodeServer(options)
    const client = clientOf()
    await talkOver(client, server.port, '', 'nothing')
    server.close()
    expect(client.alert).toBe(alert)
    expect(client.state).toBe(State.Failed)
  })

  it('tells a server that is not trusted so', async () => {
    const lonely = await loadTlsClient('release', [chainOf('rsa2048').root])
    const server = await nodeServer({})
    const client = new TlsClient(lonely, { time: NOW })
    await talkOver(client, server.port, '', 'nothing')
    await new Promise((resolve) => setTimeout(resolve, 50))
    server.close()
    expect(client.verdict).toBe(7)
    expect(client.alert).toBe(SENT | 48)
    expect(String(server.errors[0])).toMatch(/unknown ca/)
  })

  it('takes undecidable dates only where the policy says so', async () => {
    const server = await nodeServer({})
    const time: [number, number] = [0, 4_000_000_000]
    const strict = clientOf({ time })
    await talkOver(strict, server.port, '', 'nothing')
    expect([strict.verdict, strict.alert]).toEqual([1, SENT | 46])
    const trusting = clientOf({ time, dates: Dates.Undecided })
    expect(await talkOver(trusting, server.port, 'hello', 'HELLO')).toBe('HELLO')
    expect(trusting.verdict).toBe(1)
    const late = clientOf({ time: 4_000_000_000, dates: Dates.Undecided })
    await talkOver(late, server.port, '', 'nothing')
    expect([late.verdict, late.alert]).toEqual([3, SENT | 45])
    const careless = clientOf({ time: 4_000_000_000, dates: Dates.Off })
    expect(await talkOver(careless, server.port, 'hello', 'HELLO')).toBe('HELLO')
    server.close()
  })

  describe('of openssl s_server', () => {
    it.each([
      ['its defaults', []],
      ['a retry', ['-groups', 'P-256']],
      ['short records', ['-split_send_frag', '512', '-max_send_frag', '512']],
      ['many padding bytes', ['-record_padding', '500']],
      ['no middlebox compatibility', ['-no_middlebox']],
      ['AES-256', ['-ciphersuites', 'TLS_AES_256_GCM_SHA384']],
      ['a request for a certificate', ['-verify', '1', '-verify_quiet']],
      ['tickets', ['-num_tickets', '5']],
    ])('talks with %s', async (_name, more) => {
      const port = await freePort()
      const { key, chain, leaf } = chainOf('rsa2048')
      const files = ['-key', key, '-cert', leaf, '-cert_chain', chain]
      const server = serve(OPENSSL as string, [
        's_server',
        '-accept',
        `${port}`,
        '-rev',
        '-alpn',
        ALPN,
        ...files,
        ...more,
      ])
      const client = clientOf()
      try {
        expect(await talkOver(client, port, 'time\n', 'emit'), server.output()).toContain('emit')
      } finally {
        await server.stop()
      }
    })
  })

  describe.skipIf(!GNUTLS)('of gnutls-serv', () => {
    const base = 'NORMAL:-VERS-ALL:+VERS-TLS1.3'
    it.each([
      ['its defaults', base],
      ['AES-128-GCM', `${base}:-CIPHER-ALL:+AES-128-GCM`],
      ['AES-256-GCM', `${base}:-CIPHER-ALL:+AES-256-GCM`],
      ['ChaCha20', `${base}:-CIPHER-ALL:+CHACHA20-POLY1305`],
      ['a retry for secp256r1', `${base}:-GROUP-ALL:+GROUP-SECP256R1`],
    ])('talks with %s', async (_name, priority) => {
      const port = await freePort()
      const { key, chain } = chainOf('rsa2048')
      const files = [`--x509keyfile=${key}`, `--x509certfile=${chain}`]
      const args = [
        `--port=${port}`,
        `--priority=${priority}`,
        `--alpn=${ALPN}`,
        '--echo',
        '--disable-client-cert',
        ...files,
      ]
      const server = serve(GNUTLS as string, args)
      try {
        expect(await talkOver(clientOf(), port, 'time\n', 'time'), server.output()).toContain('time')
      } finally {
        await server.stop()
      }
    })
  })
})
