// How fast the public-key primitives are in V8, release build: npx vitest bench --run test/crypto/public_key
//
// A TLS handshake of ours costs one X25519 key pair, one X25519 secret and one signature.

import { bench, describe } from 'vitest'
import { loadEntry } from '../support/firmware'
import { seededBytes } from './public_key'

const entry = await loadEntry(new URL('./public_key.entry.ts', import.meta.url), 'release')
const call = entry.exports
const state: number = call['area']()
const [key, digest, point, signature] = [0, 64, 128, 256].map((offset) => state + 8192 + offset)
entry.write(key, seededBytes(1)(64))
entry.write(digest, seededBytes(2)(32))

function p256(at: number): void {
  call['p256MulStart'](state, key, at)
  call['runP256'](state)
  call['p256MulFinish'](state, point)
}

function x25519(at: number): void {
  call['x25519Start'](state, key, at)
  call['runX25519'](state)
  call['x25519Finish'](state, signature)
}

function sign(): void {
  call['ecdsaSignStart'](state, key, digest, 32, digest)
  call['runSign'](state)
  call['ecdsaSignFinish'](state, signature)
}

function verify(): void {
  call['ecdsaVerifyStart'](state, point, digest, 32, signature)
  call['runVerify'](state)
  call['ecdsaVerifyFinish'](state)
}

describe('once', () => {
  bench('X25519 key pair', () => x25519(0))
  bench('X25519 secret', () => x25519(digest))
  bench('P-256 secret', () => p256(point), { setup: () => p256(0) })
  bench('P-256 key pair', () => p256(0))
  bench('ECDSA P-256 signature', sign)
  bench('ECDSA P-256 verification', verify, { setup: sign })
})
