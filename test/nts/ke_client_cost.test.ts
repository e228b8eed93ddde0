// What a key exchange costs on the ESP32-C3: instructions in all and in the longest step, counted on the simulated core,
// against Node's TLS server with chains of leaf, intermediate and anchor. DEBUG=1 prints the counts.

import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anchorImage } from '../../src/anchor_image'
import type { Entry } from '../support/firmware'
import { loadRv32, missingCompiler, type Rv32Entry } from '../support/rv32'
import { anchor, LOG_SIZE } from '../tls/x509_judge'
import { AKI, CA, OPENSSL, serverFor, Workshop } from '../tls/x509_openssl'
import { concat, END, record, SIV, u16 } from './client'
import { exchange, KeClient, Phase } from './ke_exchange'

const NOW = Math.floor(Date.now() / 1000)

/** Instructions, rounded up from what was counted. The goal of the appliance is 25 million for a chain of RSA-2048. */
const LIMITS: [string, string, number][] = [
  ['rsa2048', 'X25519', 13_000_000],
  ['rsa2048', 'P-256', 16_000_000],
  ['rsa4096', 'X25519', 39_000_000],
  ['p256', 'X25519', 20_000_000],
  ['ed25519', 'X25519', 13_000_000],
  ['p384', 'X25519', 100_000_000],
]
/** The longest step; with SHA-384 a transcript hash may need two blocks. */
const STEP_LIMIT = 25_000
const STEP_LIMIT_SHA384 = 45_000

const ANSWER = concat(
  record(1, true, u16(0)),
  record(4, true, u16(SIV)),
  ...Array.from({ length: 8 }, () => record(5, false, new Uint8Array(100))),
  END,
)

/** The flash HAL over the trust anchors. */
const flash = (image: Uint8Array) => `
struct Z_abi_instance_t;
static const uint8_t image[] = {${image.join(',')}};
uint32_t Z_abiZ_flash_size(struct Z_abi_instance_t *abi) { (void)abi; return ${LOG_SIZE}u; }
uint32_t Z_abiZ_flash_read(struct Z_abi_instance_t *abi, uint32_t offset, uint32_t out, uint32_t length) {
  (void)abi;
  uint32_t at = offset - ${LOG_SIZE}u;
  if (at > sizeof image || length > sizeof image - at) return (uint32_t)-3;
  for (uint32_t i = 0; i < length; i++) noonmark.w2c_memory.data[out + i] = image[at + i];
  return 0;
}
`

/** An entry on the simulated core in the place of one in V8; counts. */
class Counted implements Entry {
  total = 0
  longest = 0
  steps = 0
  readonly memory = new WebAssembly.Memory({ initial: 1 })
  // biome-ignore lint/suspicious/noExplicitAny: as in Entry
  readonly exports: Record<string, any>

  constructor(private readonly machine: Rv32Entry) {
    const data = { value: machine.call('data').value }
    this.exports = new Proxy(
      {},
      {
        get: (_target, name: string) =>
          name === 'DATA' ? data : (...args: number[]) => this.call(name, args.map(Number)),
      },
    )
  }

  private call(name: string, args: number[]): number {
    const { value, instructions } = this.machine.call(name, ...args)
    this.total += instructions
    if (name === 'keClientStep') {
      this.steps++
      this.longest = Math.max(this.longest, instructions)
    }
    return value
  }

  write(address: number, bytes: Uint8Array): void {
    this.machine.write(address, bytes)
  }

  read(address: number, length: number): Uint8Array {
    return this.machine.read(address, length)
  }
}

describe.skipIf(!OPENSSL || missingCompiler() !== undefined)('a key exchange on the simulated chip', () => {
  let workshop: Workshop
  const files = new Map<string, { key: string; chain: string }>()
  let machine: Rv32Entry

  beforeAll(async () => {
    workshop = new Workshop(NOW)
    const roots: Buffer[] = []
    for (const kind of new Set(LIMITS.map(([name]) => name))) {
      const root = workshop.make(`root-${kind}`, { key: kind, extensions: CA })
      const middle = workshop.make(`middle-${kind}`, { key: `${kind}:middle`, issuer: root, extensions: [...CA, AKI] })
      const extensions = [...serverFor('DNS:noonmark.test'), AKI]
      const leaf = workshop.make(`leaf-${kind}`, { key: `${kind}:leaf`, issuer: middle, extensions })
      const chain = join(workshop.folder, `${kind}-chain.pem`)
      writeFileSync(chain, readFileSync(leaf.file, 'utf8') + readFileSync(middle.file, 'utf8'))
      files.set(kind, { key: workshop.key(leaf.key), chain })
      roots.push(new X509Certificate(readFileSync(root.file)).raw)
    }
    machine = await loadRv32(
      new URL('./ke_client.entry.ts', import.meta.url),
      flash(anchorImage(roots.map((der) => anchor(der)))),
    )
    machine.write(machine.call('data').value, new Uint8Array(48).fill(5))
    machine.call('seed', 48)
  })
  afterAll(() => workshop?.dispose())

  async function run(kind: string, ecdhCurve: string, ciphers: string): Promise<Counted> {
    const { key, chain } = files.get(kind) as { key: string; chain: string }
    const options = {
      key: readFileSync(key),
      cert: readFileSync(chain),
      ALPNProtocols: ['ntske/1'],
      ecdhCurve,
      ciphers,
    }
    const server = createServer({ ...options, minVersion: 'TLSv1.3' }, (socket) => {
      socket.on('error', () => {})
      socket.on('data', () => socket.end(ANSWER))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const counted = new Counted(machine)
    const client = new KeClient(counted, { name: 'noonmark.test', time: NOW })
    await exchange(client, (server.address() as { port: number }).port)
    server.close()
    expect([client.phase, client.failure]).toEqual([Phase.Done, 0])
    const { total, steps, longest } = counted
    if (process.env['DEBUG'])
      console.log(`${kind} ${ecdhCurve} ${ciphers}: ${total}, ${steps} steps, the longest ${longest}`)
    return counted
  }

  it.each(LIMITS)('with a chain of %s over %s takes at most %i instructions', async (kind, curve, limit) => {
    const { total, longest } = await run(kind, curve, 'TLS_CHACHA20_POLY1305_SHA256')
    expect(total).toBeLessThanOrEqual(limit)
    expect(longest).toBeLessThanOrEqual(STEP_LIMIT)
  })

  it.each([
    ['TLS_AES_128_GCM_SHA256', STEP_LIMIT],
    ['TLS_AES_256_GCM_SHA384', STEP_LIMIT_SHA384],
  ])('with %s has no step above %i instructions', async (ciphers, limit) => {
    expect((await run('rsa2048', 'X25519', ciphers)).longest).toBeLessThanOrEqual(limit)
  })
})
