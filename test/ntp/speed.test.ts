// How long a request takes, in the module as it is shipped. The bound is loose, so that a busy machine does not fail;
// the figures are printed.

import { beforeAll, describe, expect, it } from 'vitest'
import { type Association, GCM_SIV, header, random, request, SIV } from '../nts/client'
import { loadNtp, type Ntp } from './firmware'

const ROUNDS = 5
const TIMES = 5000
const BOUND_MICROS = 60

const prng = random(30_000)
const siv: Association = { aead: SIV, c2s: prng.bytes(32), s2c: prng.bytes(32) }
const gcmSiv: Association = { aead: GCM_SIV, c2s: prng.bytes(16), s2c: prng.bytes(16) }

let ntp: Ntp
beforeAll(async () => {
  ntp = await loadNtp(1, 'release')
})

/** Microseconds for one request, in the best of some rounds. */
function measure(packet: Uint8Array): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    expect(ntp.repeat(packet, TIMES)).toBe(TIMES)
    best = Math.min(best, ((performance.now() - start) * 1000) / TIMES)
  }
  return best
}

describe('in the release build', () => {
  it.each<[string, () => Uint8Array]>([
    ['a plain request', () => header()],
    ['an NTS request with AEAD_AES_SIV_CMAC_256', () => request(siv, ntp.seal(siv))],
    ['an NTS request with AEAD_AES_128_GCM_SIV', () => request(gcmSiv, ntp.seal(gcmSiv))],
    ['an NTS request for eight cookies', () => request(siv, ntp.seal(siv), { placeholders: 7 })],
  ])('%s takes some microseconds', (name, make) => {
    const served = ntp.call('ntpCounter', 0) + ntp.call('ntpCounter', 1)
    const micros = measure(make())
    expect(ntp.call('ntpCounter', 0) + ntp.call('ntpCounter', 1) - served).toBe(ROUNDS * TIMES)
    console.log(`${name}: ${micros.toFixed(2)} us`)
    expect(micros).toBeLessThan(BOUND_MICROS)
  })
})
