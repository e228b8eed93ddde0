// The key ring and the cookies that its keys seal.

import { createHash } from 'node:crypto'
import { aessiv } from '@noble/ciphers/aes.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Association, concat, GCM_SIV, hex, random, SIV } from './client'
import { loadNts, type Nts } from './firmware'

const DAY = 86_400n
/** A midsummer noon. */
const NOW = 1_782_043_200n

const prng = random(8)
const siv: Association = { aead: SIV, c2s: prng.bytes(32), s2c: prng.bytes(32) }
const gcmSiv: Association = { aead: GCM_SIV, c2s: prng.bytes(16), s2c: prng.bytes(16) }

let nts: Nts
beforeAll(async () => {
  nts = await loadNts(1)
})

function rotate(now: bigint): boolean {
  return nts.call('keyringRotate', now) === 1
}

/** A new ring whose first key began to seal at NOW. */
function newRing(): void {
  expect(nts.call('keyringCreate')).toBe(1)
  expect(rotate(NOW)).toBe(true)
}

/** The key in a slot of the stored blob. */
function keyOf(blob: Uint8Array, id: number): Uint8Array {
  const at = 24 + 32 * (id & 7)
  return blob.slice(at, at + 32)
}

describe('a cookie', () => {
  it.each([
    ['AEAD_AES_SIV_CMAC_256', siv, 96],
    ['AEAD_AES_128_GCM_SIV', gcmSiv, 64],
  ])('for %s gives its keys back', (_, association, length) => {
    newRing()
    const cookie = nts.seal(association)
    expect(cookie.length).toBe(length)
    expect(nts.open(cookie)).toEqual(association)
  })

  it('is what RFC 5297 makes of its layout', () => {
    newRing()
    const cookie = nts.seal(siv)
    const id = nts.call('keyringCurrent')
    expect([...cookie.slice(0, 4)]).toEqual([id >> 8, id & 0xff, 0, SIV])
    const opened = aessiv(keyOf(nts.blob(), id), cookie.slice(0, 16)).decrypt(cookie.slice(16))
    expect(hex(opened)).toBe(hex(concat(siv.c2s, siv.s2c)))
  })

  it('never repeats for the same keys', () => {
    newRing()
    const cookies = Array.from({ length: 1000 }, () => hex(nts.seal(siv).slice(4)))
    expect(new Set(cookies).size).toBe(1000)
  })

  it('does not open with any single bit changed', () => {
    newRing()
    for (const association of [siv, gcmSiv]) {
      const cookie = nts.seal(association)
      for (let bit = 0; bit < cookie.length * 8; bit++) {
        const changed = cookie.slice()
        changed[bit >> 3]! ^= 1 << (bit & 7)
        expect(nts.open(changed), `bit ${bit}`).toBeUndefined()
      }
    }
  })

  it('does not open at any other length', () => {
    newRing()
    for (const association of [siv, gcmSiv]) {
      const cookie = nts.seal(association)
      for (let length = 0; length < 200; length++) {
        if (length === cookie.length) continue
        const other = new Uint8Array(length)
        other.set(cookie.slice(0, length))
        expect(nts.open(other), `length ${length}`).toBeUndefined()
      }
    }
  })

  it('of any length or AEAD writes nothing beyond the keys', () => {
    newRing()
    nts.call('spilt')
    const head = nts.seal(siv).slice(0, 2)
    for (const aead of [0, SIV, GCM_SIV, 16, 0xffff]) {
      for (let length = 4; length <= 800; length += 4) {
        const cookie = concat(head, [aead >> 8, aead & 0xff], new Uint8Array(length - 4))
        expect(nts.open(cookie)).toBeUndefined()
      }
    }
    expect(nts.call('spilt')).toBe(0)
  })

  it('cannot turn into one for the other AEAD', () => {
    newRing()
    const cookie = nts.seal(gcmSiv)
    cookie[3] = SIV
    expect(nts.open(cookie)).toBeUndefined()
    expect(nts.open(concat(cookie, new Uint8Array(32)))).toBeUndefined()
  })

  it('is not made for an AEAD that the server does not speak', () => {
    newRing()
    expect(nts.seal({ ...siv, aead: 16 }).length).toBe(0)
  })
})

describe('the key ring', () => {
  it('cannot be made without randomness', async () => {
    const { loadEntry } = await import('../support/firmware')
    const bare = await loadEntry(new URL('./nts.entry.ts', import.meta.url))
    expect(bare.exports['keyringCreate']()).toBe(0)
    expect(bare.exports['sealCookie'](SIV)).toBe(0)
  })

  it('rotates once a day', () => {
    newRing()
    const first = nts.call('keyringCurrent')
    expect(rotate(NOW + DAY - 1n)).toBe(false)
    expect(rotate(NOW + DAY)).toBe(true)
    expect(rotate(NOW + DAY)).toBe(false)
    expect(nts.call('keyringCurrent')).toBe((first + 1) & 0xffff)
    expect(rotate(NOW + 2n * DAY - 1n)).toBe(false)
    expect(rotate(NOW + 2n * DAY + 5000n)).toBe(true)
    // The day's phase stays.
    expect(rotate(NOW + 3n * DAY)).toBe(true)
  })

  it('opens_a_cookie_sealed_by_each_kept_key', () => {
    newRing()
    const cookies = [nts.seal(siv)]
    for (let day = 1n; day <= 7n; day++) {
      expect(rotate(NOW + day * DAY)).toBe(true)
      cookies.push(nts.seal(siv))
      for (const cookie of cookies) expect(nts.open(cookie)).toEqual(siv)
    }
  })

  it('rejects_a_cookie_sealed_by_a_retired_key', () => {
    newRing()
    const cookie = nts.seal(siv)
    for (let day = 1n; day <= 7n; day++) rotate(NOW + day * DAY)
    expect(nts.open(cookie)).toEqual(siv)
    rotate(NOW + 8n * DAY)
    expect(nts.open(cookie)).toBeUndefined()
    for (let day = 9n; day <= 40n; day++) {
      rotate(NOW + day * DAY)
      expect(nts.open(cookie)).toBeUndefined()
    }
  })

  it('erases a retired key from the stored blob', () => {
    newRing()
    const key = hex(keyOf(nts.blob(), nts.call('keyringCurrent')))
    for (let day = 1n; day <= 7n; day++) rotate(NOW + day * DAY)
    expect(hex(nts.blob())).toContain(key)
    rotate(NOW + 8n * DAY)
    expect(hex(nts.blob())).not.toContain(key)
  })

  it('erases all keys that retire at once', () => {
    newRing()
    const keys = [hex(keyOf(nts.blob(), nts.call('keyringCurrent')))]
    for (let day = 1n; day <= 7n; day++) {
      rotate(NOW + day * DAY)
      keys.push(hex(keyOf(nts.blob(), nts.call('keyringCurrent'))))
    }
    rotate(NOW + 12n * DAY)
    const blob = hex(nts.blob())
    expect(keys.map((key) => blob.includes(key))).toEqual([...Array(5).fill(false), ...Array(3).fill(true)])
  })

  it('retires as many keys as days have passed while the appliance was off', () => {
    newRing()
    const cookies = [nts.seal(siv)]
    for (let day = 1n; day <= 7n; day++) {
      rotate(NOW + day * DAY)
      cookies.push(nts.seal(siv))
    }
    expect(rotate(NOW + 10n * DAY)).toBe(true)
    expect(cookies.map((cookie) => nts.open(cookie) !== undefined)).toEqual([
      ...[false, false, false],
      ...[true, true, true, true, true],
    ])
    expect(nts.open(nts.seal(gcmSiv))).toEqual(gcmSiv)
    expect(rotate(NOW + 1000n * DAY)).toBe(true)
    expect(cookies.some((cookie) => nts.open(cookie))).toBe(false)
    expect(nts.open(nts.seal(gcmSiv))).toEqual(gcmSiv)
  })

  it('never rotates while time is unknown', () => {
    expect(nts.call('keyringCreate')).toBe(1)
    const id = nts.call('keyringCurrent')
    expect(rotate(0n)).toBe(false)
    expect(rotate(-5n)).toBe(false)
    expect(nts.call('keyringSince')).toBe(0)
    // The first known time starts the day of the key that was made before it.
    expect(rotate(NOW)).toBe(true)
    expect(rotate(NOW)).toBe(false)
    expect(nts.call('keyringCurrent')).toBe(id)
    expect(nts.call('keyringSince')).toBe(Number(NOW))
  })

  it('starts the day again when the clock was ahead and came back', () => {
    newRing()
    const id = nts.call('keyringCurrent')
    expect(rotate(NOW - 100n * DAY)).toBe(true)
    expect(nts.call('keyringCurrent')).toBe(id)
    expect(rotate(NOW - 100n * DAY)).toBe(false)
    expect(rotate(NOW - 99n * DAY)).toBe(true)
    expect(nts.call('keyringCurrent')).toBe((id + 1) & 0xffff)
  })

  it('counts ids through 65535 to 0', () => {
    newRing()
    const start = nts.call('keyringCurrent')
    for (let day = 1n; day <= 65_540n; day++) {
      if (day % 8191n === 0n || nts.call('keyringCurrent') > 65_530 || nts.call('keyringCurrent') < 5) {
        const before = nts.seal(siv)
        rotate(NOW + day * DAY)
        expect(nts.open(before)).toEqual(siv)
      } else rotate(NOW + day * DAY)
    }
    expect(nts.call('keyringCurrent')).toBe((start + 65_540) & 0xffff)
  })
})

describe('the stored blob', () => {
  it('brings every key back after a restart', async () => {
    newRing()
    const cookies = [nts.seal(siv)]
    for (let day = 1n; day <= 12n; day++) {
      rotate(NOW + day * DAY)
      cookies.push(nts.seal(day % 2n ? siv : gcmSiv))
    }
    const restarted = await loadNts(2)
    expect(restarted.load(nts.blob())).toBe(true)
    expect(hex(restarted.blob())).toBe(hex(nts.blob()))
    const opened = cookies.map((cookie) => restarted.open(cookie) !== undefined)
    expect(opened).toEqual([...Array(5).fill(false), ...Array(8).fill(true)])
    expect(restarted.call('keyringRotate', NOW + 13n * DAY - 1n)).toBe(0)
    expect(restarted.call('keyringRotate', NOW + 13n * DAY)).toBe(1)
    expect(restarted.open(cookies[5]!)).toBeUndefined()
    expect(restarted.open(cookies[6]!)).toEqual(gcmSiv)
  })

  it('is refused with any single bit changed, and the ring stays as it was', () => {
    newRing()
    const cookie = nts.seal(siv)
    const blob = nts.blob()
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const damaged = blob.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(nts.load(damaged), `bit ${bit}`).toBe(false)
    }
    expect(hex(nts.blob())).toBe(hex(blob))
    expect(nts.open(cookie)).toEqual(siv)
  })

  it('is refused at any other length', () => {
    newRing()
    const blob = concat(nts.blob(), new Uint8Array(64))
    for (let length = 0; length < 360; length++) {
      expect(nts.load(blob.slice(0, length)), `length ${length}`).toBe(length === 296)
    }
  })

  it('is refused when its current key is missing, though its digest is right', () => {
    newRing()
    const blob = nts.blob()
    new DataView(blob.buffer).setUint32(16, 0, true)
    blob.set(createHash('sha256').update(blob.slice(0, 280)).digest().subarray(0, 16), 280)
    expect(nts.load(blob)).toBe(false)
  })

  it('opens nothing of another ring', () => {
    newRing()
    const cookie = nts.seal(siv)
    newRing()
    expect(nts.open(cookie)).toBeUndefined()
  })
})
