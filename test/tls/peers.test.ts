// Real TLS clients against the server: OpenSSL inside Node, over the sans-IO interface; the commands `openssl s_client`
// and `gnutls-cli` over a socket, where they are installed.

import { spawn, spawnSync } from 'node:child_process'
import { createServer, type Server } from 'node:net'
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ALPN, CA, loadTls, RECEIVED, SENT, State, TlsServer } from './tls_server'

/** A server with a module of its own: a client of the test before may still be closing its connection. */
async function freshServer(): Promise<TlsServer> {
  return new TlsServer(await loadTls('release'))
}

const CA_FILE = fileURLToPath(new URL('./fixtures/ca.pem', import.meta.url))
const EXPORTER = 'EXPORTER-network-time-security'

/** The server as the other end of a socket; echoes what it reads in capitals. `cut` splits what the client sends. */
class ServerSocket extends Duplex {
  constructor(
    readonly server: TlsServer,
    private readonly cut = Infinity,
  ) {
    super()
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (let at = 0; at < chunk.length; at += this.cut)
      this.exchange(chunk.subarray(at, Math.min(at + this.cut, chunk.length)))
    done()
  }

  override _read(): void {}

  private exchange(bytes: Uint8Array): void {
    for (let next = bytes; ; next = new Uint8Array()) {
      const output = this.server.deliver(next)
      const input = this.server.read()
      if (input.length !== 0) this.server.write(Buffer.from(input).toString().toUpperCase())
      if (output.length !== 0) this.push(output)
      if (output.length === 0 && input.length === 0) break
    }
    if (this.server.state === State.PeerClosed) this.finish()
    if (this.server.state === State.Failed) this.push(null)
  }

  finish(): void {
    this.server.close()
    const last = this.server.deliver()
    if (last.length !== 0) this.push(last)
    this.push(null)
  }
}

interface Talk {
  readonly socket: TLSSocket
  readonly server: TlsServer
  readonly answer: string
  readonly exported: Buffer
}

/** Connects, compares an exported value, sends a line, reads the answer, closes. */
async function talk(options: ConnectionOptions, cut?: number): Promise<Talk> {
  const server = await freshServer()
  const wire = new ServerSocket(server, cut)
  return new Promise((resolve, reject) => {
    const socket = connect({
      socket: wire,
      ca: CA,
      servername: 'noonmark.test',
      ALPNProtocols: [ALPN],
      minVersion: 'TLSv1.3',
      ...options,
    } as ConnectionOptions)
    socket.on('error', reject)
    socket.on('secureConnect', () => socket.write('what time is it?'))
    socket.on('data', (data) => {
      const exported = socket.exportKeyingMaterial(32, EXPORTER, Buffer.from([0, 0, 0, 15, 0]))
      socket.end()
      resolve({ socket, server, answer: data.toString(), exported })
    })
  })
}

describe('OpenSSL in Node', () => {
  const suites = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
  const groups = ['X25519', 'P-256', 'P-384:X25519', 'P-521:P-256', 'X25519:P-256:P-384']

  it.each(suites.flatMap((ciphers) => groups.map((ecdhCurve) => ({ ciphers, ecdhCurve }))))(
    'verifies the certificate, talks and exports with $ciphers over $ecdhCurve',
    async (options) => {
      const { socket, server, answer, exported } = await talk(options)
      expect(answer).toBe('WHAT TIME IS IT?')
      expect(socket.authorized).toBe(true)
      expect(socket.alpnProtocol).toBe(ALPN)
      expect(socket.getCipher().standardName).toBe(options.ciphers)
      expect(socket.getProtocol()).toBe('TLSv1.3')
      expect(Buffer.from(server.export(EXPORTER, Uint8Array.of(0, 0, 0, 15, 0), 32))).toEqual(exported)
    },
  )

  it.each([1, 2, 3, 5, 7, 64, 100])('talks when its stream is cut every %i bytes', async (cut) => {
    expect((await talk({}, cut)).answer).toBe('WHAT TIME IS IT?')
    expect((await talk({ ecdhCurve: 'P-384:X25519' }, cut)).answer).toBe('WHAT TIME IS IT?')
  })

  it('talks with a ClientHello of more than 4 KB', async () => {
    const ALPNProtocols = [...Array.from({ length: 250 }, (_, i) => `protocol-of-ours-${i}`.slice(0, 16)), ALPN]
    expect((await talk({ ALPNProtocols })).answer).toBe('WHAT TIME IS IT?')
  })

  it('takes the IP address of the certificate', async () => {
    expect((await talk({ servername: '', host: '127.0.0.1' })).socket.authorized).toBe(true)
  })

  it.each<[string, ConnectionOptions, RegExp, number]>([
    ['TLS 1.2 only', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }, /protocol version/, SENT | 70],
    ['another protocol', { ALPNProtocols: ['h2'] }, /no application protocol/, SENT | 120],
    ['no protocol', { ALPNProtocols: [] }, /no application protocol/, SENT | 120],
    ['no common group', { ecdhCurve: 'P-384:P-521' }, /handshake failure/, SENT | 40],
    ['no common signature', { sigalgs: 'RSA-PSS+SHA256' }, /handshake failure/, SENT | 40],
  ])('is refused with %s', async (_name, options, message, alert) => {
    const server = await freshServer()
    const wire = new ServerSocket(server)
    const error = await new Promise<Error>((resolve, reject) => {
      const common = { socket: wire, ca: CA, servername: 'noonmark.test', ALPNProtocols: [ALPN] }
      const socket = connect({ ...common, minVersion: 'TLSv1.3', ...options } as ConnectionOptions)
      socket.on('secureConnect', () => reject(new Error('connected')))
      socket.on('error', resolve)
    })
    expect(error.message).toMatch(message)
    expect(server.alert).toBe(alert)
  })

  it('refuses a certificate of an authority that it does not know, and the server hears it', async () => {
    const server = await freshServer()
    const wire = new ServerSocket(server)
    await new Promise((resolve) => {
      const socket = connect({ socket: wire, servername: 'noonmark.test', ALPNProtocols: [ALPN] })
      socket.on('error', resolve)
    })
    // Node itself, not OpenSSL, judges the certificate: it hangs up without an alert.
    expect([0, RECEIVED, RECEIVED | 48]).toContain(server.alert)
  })
})

function installed(command: string): boolean {
  return spawnSync(command, ['--version']).error === undefined
}

/** A socket server on loopback for one connection after another. */
function listen(): Promise<{ port: number; servers: TlsServer[]; listener: Server }> {
  const servers: TlsServer[] = []
  const listener = createServer(async (socket) => {
    const server = await freshServer()
    servers.push(server)
    const wire = new ServerSocket(server)
    wire.pipe(socket).pipe(wire)
    socket.on('error', () => {})
  })
  return new Promise((resolve) => {
    listener.listen(0, '127.0.0.1', () =>
      resolve({ port: (listener.address() as { port: number }).port, servers, listener }),
    )
  })
}

/** Runs a command, says `first` and then one line to it once it is connected, returns all it wrote. */
function converse(command: string, args: string[], first = ''): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(command, args)
    let out = ''
    let said = false
    const timer = setTimeout(() => child.kill(), 10_000)
    const read = (data: Buffer) => {
      out += data
      if (!said && /Simple Client Mode|Verify return code/.test(out)) {
        said = true
        child.stdin.write(first)
        setTimeout(() => child.stdin.write('what time is it?\n'), first === '' ? 0 : 200)
      }
      if (out.includes('WHAT TIME')) child.stdin.end()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('close', () => {
      clearTimeout(timer)
      resolve(out)
    })
  })
}

describe.skipIf(!installed('gnutls-cli'))('GnuTLS', () => {
  const base = 'NORMAL:-VERS-ALL:+VERS-TLS1.3'

  it.each([
    ['its defaults', base],
    ['AES-128-GCM', `${base}:-CIPHER-ALL:+AES-128-GCM`],
    ['AES-256-GCM', `${base}:-CIPHER-ALL:+AES-256-GCM`],
    ['ChaCha20', `${base}:-CIPHER-ALL:+CHACHA20-POLY1305`],
    ['secp256r1', `${base}:-GROUP-ALL:+GROUP-SECP256R1`],
    ['X25519', `${base}:-GROUP-ALL:+GROUP-X25519`],
    ['a retry for X25519', `${base}:-GROUP-ALL:+GROUP-SECP521R1:+GROUP-SECP384R1:+GROUP-X25519`],
    ['a retry for secp256r1', `${base}:-GROUP-ALL:+GROUP-SECP384R1:+GROUP-SECP256R1`],
  ])('talks with %s', async (name, priority) => {
    const { port, servers, listener } = await listen()
    const single = name.startsWith('a retry') ? ['--single-key-share'] : []
    const out = await converse('gnutls-cli', [
      '127.0.0.1',
      `--port=${port}`,
      `--priority=${priority}`,
      `--x509cafile=${CA_FILE}`,
      `--alpn=${ALPN}`,
      '--verify-hostname=noonmark.test',
      ...single,
    ])
    listener.close()
    expect(out).toContain('WHAT TIME IS IT?')
    expect(out).toContain('The certificate is trusted')
    expect(servers[0]!.state).toBeGreaterThan(State.Open)
  })

  it('refuses a certificate that it does not trust', async () => {
    const { port, servers, listener } = await listen()
    await converse('gnutls-cli', ['127.0.0.1', `--port=${port}`, `--alpn=${ALPN}`, '--verify-hostname=other.test'])
    listener.close()
    expect(servers[0]!.alert & RECEIVED).toBe(RECEIVED)
  })
})

describe.skipIf(!installed('openssl'))('openssl s_client', () => {
  it.each([
    ['its defaults', []],
    ['a retry', ['-groups', 'P-384:X25519']],
    ['short records', ['-maxfraglen', '512']],
    // s_client's command "K": a KeyUpdate that asks for another
    ['key updates', [], 'K\n'],
  ])('talks with %s', async (_name, args, first = '') => {
    const { port, listener } = await listen()
    const to = ['-connect', `127.0.0.1:${port}`, '-alpn', ALPN]
    const trust = ['-CAfile', CA_FILE, '-verify_hostname', 'noonmark.test']
    const out = await converse('openssl', ['s_client', ...to, ...trust, ...args], first)
    listener.close()
    if (first !== '') expect(out).toContain('KEYUPDATE')
    expect(out).toContain('WHAT TIME IS IT?')
    expect(out).toContain('Verify return code: 0 (ok)')
  })
})
