// How fast signatures are verified in V8, release build: npx vitest bench --run test/crypto/signature
//
// signature_cost.test.ts counts the instructions on the ESP32-C3.

import { createHash, sign as nodeSign } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384 } from '@noble/curves/nist.js'
import { bench, describe } from 'vitest'
import { seededBytes } from './public_key'
import { rsaPairs } from './rsa_keys'
import { loadVerifier } from './signature'

const verifier = await loadVerifier()
const message = seededBytes(1)(1200)
const digest = new Uint8Array(createHash('sha384').update(message).digest())

describe('the signature of 1,200 bytes', () => {
  for (const bits of [2048, 3072, 4096]) {
    const pair = rsaPairs().find((one) => one.bits === bits && one.exponent === 65537)
    if (!pair) throw new Error(`no key of ${bits} bits`)
    const signature = new Uint8Array(nodeSign('sha384', message, pair.privateKey))
    bench(`RSA-${bits}`, () => void verifier.verify('rsa-pkcs1-sha384', pair.der, message, signature))
  }
  for (const [name, curve, size] of [
    ['p256', p256, 32],
    ['p384', p384, 48],
  ] as const) {
    const secret = seededBytes(2)(size)
    const key = curve.getPublicKey(secret, false)
    const signature = curve.sign(digest, secret, { prehash: false, lowS: false, format: 'der' })
    bench(`ECDSA ${name}`, () => void verifier.verify(`${name}-sha384`, key, message, signature))
  }
  const secret = seededBytes(3)(32)
  const [key, signature] = [ed25519.getPublicKey(secret), ed25519.sign(message, secret)]
  bench('Ed25519', () => void verifier.verify('ed25519', key, message, signature))
})
