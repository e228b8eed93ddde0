// How fast the symmetric primitives are in V8, release build: npx vitest bench --run test/crypto
//
// The mean is nanoseconds-accurate only for a quiet machine; divide bytes by the mean for a rate.

import { bench, describe } from 'vitest'
import { loadEntry } from '../support/firmware'

const entry = await loadEntry(new URL('./symmetric.entry.ts', import.meta.url), 'release', {
  'symmetric.entry': { fake_load: () => -4, fake_encrypt: () => {} },
})
const call = entry.exports
const arena: number = call['arena']()
const [siv, gcmSiv, gcm, chacha, aes] = [0, 1024, 2048, 3072, 4096].map((offset) => arena + offset)
const [data, out] = [arena + 8192, arena + 32768]
const [key, nonce] = [data, data + 64]
call['aesSivInit'](siv, key)
call['aesGcmSivInit'](gcmSiv, key, 16)
call['aeadInit'](1, gcm, key)
call['aeadInit'](3, chacha, key)
call['drbgSeed'](data, 48)

/** Runs `work` a hundred times a sample: one call is too short for the timer. */
const hundred = (work: () => void) => (): void => {
  for (let i = 0; i < 100; i++) work()
}

describe('a hundred times', () => {
  call['aesExpandKey'](aes, key, 16)
  bench(
    'AES-128 block',
    hundred(() => call['aesEncryptBlock'](aes, data, out)),
  )
  bench(
    'AES-128 key expansion',
    hundred(() => call['aesExpandKey'](aes, key, 16)),
  )
  bench(
    'AES-SIV key',
    hundred(() => call['aesSivInit'](siv, key)),
  )
  bench(
    'AES-SIV seal, AD 200, plaintext 100',
    hundred(() => call['aesSivSeal'](siv, data, 200, nonce, 16, data, 100, out)),
  )
  bench(
    'AES-SIV seal, AD 200, no plaintext',
    hundred(() => call['aesSivSeal'](siv, data, 200, nonce, 16, 0, 0, out)),
  )
  bench(
    'AES-128-GCM-SIV seal, AD 200, plaintext 100',
    hundred(() => call['aesGcmSivSeal'](gcmSiv, data, 200, nonce, data, 100, out)),
  )
  bench(
    'AES-128-GCM seal, 1024',
    hundred(() => call['aeadSeal'](gcm, nonce, data, 13, data, 1024, out)),
  )
  bench(
    'ChaCha20-Poly1305 seal, 1024',
    hundred(() => call['aeadSeal'](chacha, nonce, data, 13, data, 1024, out)),
  )
  bench(
    'SHA-256, 1024',
    hundred(() => call['hash'](1, data, 1024, out)),
  )
  bench(
    'SHA-384, 1024',
    hundred(() => call['hash'](2, data, 1024, out)),
  )
  bench(
    'HMAC-SHA-256, 32',
    hundred(() => call['hmac'](1, key, 32, data, 32, out)),
  )
  bench(
    'random, 16 bytes',
    hundred(() => call['drbgGenerate'](out, 16)),
  )
})
