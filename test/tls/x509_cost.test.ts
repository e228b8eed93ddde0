// What judging a chain costs on the ESP32-C3, in instructions: all of it but the signatures, and its longest step, also for chains
// that are built to be long to judge. Reads of the flash are copies here: on the chip 128 bytes wait 51 us for SPI.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anchorImage } from '../../src/anchor_image'
import { loadRv32, missingCompiler, type Rv32Entry } from '../support/rv32'
import { anchor, certificateList, NOW, VERDICTS } from './x509_judge'
import { AKI, CA, type Made, OPENSSL, SERVER, serverFor, Workshop } from './x509_openssl'

const STEP_LIMIT = 15_000
/** Phase.Verify of x509_state.ts: a step of the signature's own machine. */
const VERIFY = 14

const FLASH = `
#include <string.h>
u32 Z_abiZ_flash_size(struct Z_abi_instance_t *host) { return 65536; }
u32 Z_abiZ_flash_read(struct Z_abi_instance_t *host, u32 offset, u32 out, u32 n) {
  memcpy(noonmark.w2c_memory.data + out, noonmark.w2c_memory.data + Z_noonmarkZ_area(&noonmark) + offset - 65536, n);
  return 0;
}
u32 Z_abiZ_flash_write(struct Z_abi_instance_t *host, u32 offset, u32 data, u32 n) { return -4; }
u32 Z_abiZ_flash_erase(struct Z_abi_instance_t *host, u32 offset) { return -4; }
`

const missing = OPENSSL === undefined ? 'no openssl' : missingCompiler()

let core: Rv32Entry
let shop: Workshop

interface Cost {
  verdict: string
  /** Of all steps but those of signatures. */
  sum: number
  longest: number
  longestPhase: number
  steps: number
  signatures: number
}

function measure(chain: Made[], root: Made, name: string): Cost {
  core.write(core.call('area').value, anchorImage([anchor(root.der)]))
  const list = certificateList(chain.map(({ der }) => der))
  core.write(core.call('list').value + 2, list)
  core.write(core.call('name').value, Buffer.from(name))
  core.call('setNow', NOW)
  const cost: Cost = { verdict: '', sum: 0, longest: 0, longestPhase: 0, steps: 0, signatures: 0 }
  cost.sum += core.call('begin', list.length, name.length, 0, 0, 2).instructions
  for (let done = 0; done === 0; ) {
    const phase = core.call('phase').value
    const { value, instructions } = core.call('step')
    done = value
    if (phase === VERIFY) {
      cost.signatures += instructions
      continue
    }
    cost.steps++
    cost.sum += instructions
    if (instructions > cost.longest) {
      cost.longest = instructions
      cost.longestPhase = phase
    }
  }
  cost.verdict = VERDICTS[core.call('verdict').value] ?? ''
  return cost
}

describe.skipIf(missing)(`judging a chain on the ESP32-C3${missing ? ` (${missing})` : ''}`, () => {
  beforeAll(async () => {
    core = await loadRv32(new URL('./x509.entry.ts', import.meta.url), FLASH)
    shop = new Workshop(NOW)
  })
  afterAll(() => shop?.dispose())

  it('costs little beside its signatures for a chain as public authorities issue them', () => {
    const name = (cn: string) => `/C=US/O=Some Authority Services LLC/CN=${cn}`
    const more = [
      'certificatePolicies=2.23.140.1.2.1',
      'crlDistributionPoints=URI:http://crl.example.net/some/authority/r1.crl',
      'authorityInfoAccess=OCSP;URI:http://ocsp.example.net,caIssuers;URI:http://certs.example.net/r1.der',
    ]
    const root = shop.make('Root', { subject: name('Some Root R1'), key: 'rsa2048:root' })
    const above = shop.make('Above', {
      subject: name('Some Intermediate E5'),
      key: 'rsa2048:above',
      issuer: root,
      extensions: [...CA, ...more, AKI],
    })
    const stamps = `1.3.6.1.4.1.11129.2.4.2=DER:0481F2${'00'.repeat(242)}`
    const names = ['DNS:time.example.com', 'DNS:nts.example.com', 'DNS:*.example.net']
    const leaf = shop.make('Leaf', {
      key: 'rsa2048:leaf',
      issuer: above,
      extensions: [...serverFor(...names), ...more, stamps, AKI],
    })
    const cost = measure([leaf, above], root, 'time.example.com')
    expect(cost.verdict).toBe('Valid')
    expect(leaf.der.length + above.der.length).toBeGreaterThan(2300)
    // 48,311 in 27 steps, the longest of 8,488; docs/decisions/0016-certificates.md
    expect(cost.sum).toBeLessThan(60_000)
    expect(cost.longest).toBeLessThan(STEP_LIMIT)
  })

  const long = (length: number, letter: string) => letter.repeat(length)
  const host = [long(60, 'a'), long(60, 'b'), long(60, 'c'), long(60, 'd')].join('.')
  const hard: [string, () => [Made[], Made]][] = [
    [
      'many long names and constraints that differ in their first letter',
      () => {
        const bases = [...Array(6).keys()].map((i) => `permitted;DNS:${i}${host.slice(1)}`)
        const root = shop.make('Root', { key: 'p256:root' })
        const above = shop.make('Above', {
          key: 'p256:above',
          issuer: root,
          extensions: [...CA, `nameConstraints=critical,${bases.join(',')},permitted;DNS:${host}`],
        })
        const names = [...Array(10).keys()].map(() => `DNS:${host}`)
        return [[shop.make('Leaf', { issuer: above, extensions: serverFor(...names) }), above], root]
      },
    ],
    [
      'many short names, wildcards and many small constraints',
      () => {
        const bases = [...Array(200).keys()].map((i) => `excluded;DNS:${i}`)
        const root = shop.make('Root', { key: 'p256:root' })
        const above = shop.make('Above', {
          key: 'p256:above',
          issuer: root,
          extensions: [...CA, `nameConstraints=critical,${bases.join(',')}`],
        })
        const names = [...Array(250).keys()].map((i) => `DNS:*.x.${i}`)
        return [
          [shop.make('Leaf', { issuer: above, extensions: [...serverFor('DNS:a.example', ...names)] }), above],
          root,
        ]
      },
    ],
    [
      'names of many parts, many extensions of long and equal identifiers, many purposes',
      () => {
        const parts = [...Array(16).keys()].map((i) => `/OU=${long(10, 'x')}${i}`).join('')
        const same = shop.make('Same', { subject: parts, key: 'p256:root' })
        const arc = '1.2.3.999999999.999999999.999999999'
        const odd = [...Array(19).keys()].map((i) => `${arc}.${i}=ASN1:NULL`)
        const purposes = [...Array(31).keys()].map((i) => `1.2.3.${i}`)
        const server = [...SERVER.slice(0, 2), `extendedKeyUsage=serverAuth,${purposes.join(',')}`, SERVER[3] as string]
        const made = ['a', 'b', 'c', 'd'].map((key) =>
          shop.make(key, { subject: parts, key: `p256:${key}`, extensions: [...CA.slice(0, 2), ...odd] }),
        )
        return [[shop.make('Leaf', { issuer: same, extensions: [...server, ...odd] }), ...made], made[0] as Made]
      },
    ],
  ]
  for (const [name, make] of hard) {
    it(`takes no step of more than ${STEP_LIMIT} instructions with ${name}`, () => {
      const [chain, root] = make()
      for (const name of [host, 'a.example', 'time.example.com']) {
        expect(measure(chain, root, name).longest).toBeLessThan(STEP_LIMIT)
      }
    })
  }
})
