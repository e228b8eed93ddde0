// What verifying costs on the ESP32-C3: instructions in all and in the longest step, counted on the simulated core. The
// goals are rounded up from what was counted; DEBUG=1 prints the counts.

import { constants, createHash, sign as nodeSign } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384 } from '@noble/curves/nist.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadRv32, missingCompiler, type Rv32Entry } from '../support/rv32'
import { seededBytes } from './public_key'
import { rsaPairs } from './rsa_keys'
import { SALT_AS_HASH, SCHEME, type SchemeName } from './signature'

/** The longest step of all, in instructions. */
const STEP_LIMIT = 15_000

interface Case {
  scheme: SchemeName
  name: string
  /** Instructions in all. */
  limit: number
  key: Uint8Array
  signature: Uint8Array
}

const message = seededBytes(1)(1200)

function rsa(bits: number, padding: 'pkcs1' | 'pss', hash: string, limit: number): Case {
  const pair = rsaPairs().find((one) => one.bits === bits && one.exponent === 65537)
  if (!pair) throw new Error(`no key of ${bits} bits`)
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const signature = new Uint8Array(nodeSign(hash, message, { key: pair.privateKey, ...(padding === 'pss' ? pss : {}) }))
  const scheme = `rsa-${padding}-${hash}` as SchemeName
  return { scheme, name: `RSA-${bits} ${padding} ${hash}`, limit, key: pair.der, signature }
}

function ecdsa(name: 'p256' | 'p384', hash: string, limit: number): Case {
  const curve = name === 'p256' ? p256 : p384
  const secret = seededBytes(2)(name === 'p256' ? 32 : 48)
  const digest = new Uint8Array(createHash(hash).update(message).digest())
  const signature = curve.sign(digest, secret, { prehash: false, lowS: false, format: 'der' })
  const scheme = `${name}-${hash}` as SchemeName
  return { scheme, name: `ECDSA ${name} ${hash}`, limit, key: curve.getPublicKey(secret, false), signature }
}

function edwards(limit: number): Case {
  const secret = seededBytes(3)(32)
  const parts = { key: ed25519.getPublicKey(secret), signature: ed25519.sign(message, secret) }
  return { scheme: 'ed25519', name: 'Ed25519', limit, ...parts }
}

const cases: Case[] = [
  rsa(2048, 'pkcs1', 'sha256', 3_000_000),
  rsa(2048, 'pss', 'sha256', 3_000_000),
  rsa(2048, 'pss', 'sha512', 3_000_000),
  rsa(3072, 'pkcs1', 'sha384', 7_000_000),
  rsa(4096, 'pkcs1', 'sha256', 12_000_000),
  rsa(4096, 'pss', 'sha512', 12_000_000),
  ecdsa('p256', 'sha256', 6_000_000),
  ecdsa('p384', 'sha384', 25_000_000),
  edwards(8_000_000),
]

describe.skipIf(missingCompiler() !== undefined)('verification on the simulated chip', () => {
  let machine: Rv32Entry
  let area = 0
  beforeAll(async () => {
    machine = await loadRv32(new URL('./signature.entry.ts', import.meta.url))
    area = machine.call('area').value
  })

  it.each(cases)(
    'takes at most $limit instructions for $name, in short steps',
    ({ scheme, name, limit, key, signature }) => {
      const [k, s, m] = [area + 1, area + 2048 + 1, area + 4096 + 1]
      machine.write(k, key)
      machine.write(s, signature)
      machine.write(m, message)
      const parts = [k, key.length, m, message.length, s, signature.length, SALT_AS_HASH]
      let total = machine.call('signatureBegin', SCHEME[scheme], ...parts).instructions
      let longest = total
      let steps = 0
      let verdict = 0
      for (; verdict === 0; steps++) {
        const { value, instructions } = machine.call('signatureStep')
        verdict = value
        total += instructions
        longest = Math.max(longest, instructions)
      }
      if (process.env['DEBUG']) console.log(`${name}: ${total} instructions, ${steps} steps, the longest ${longest}`)
      expect(verdict).toBe(1)
      expect(total).toBeLessThanOrEqual(limit)
      expect(longest).toBeLessThanOrEqual(STEP_LIMIT)
    },
  )
})
