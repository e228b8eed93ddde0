// X25519 against RFC 7748, @noble/curves and node:crypto.

import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'
import { bytesLe, hex, numberLe, seededBytes, unhex } from './public_key'

const P = (1n << 255n) - 19n

/** 255 of the ladder and 5 of the inversion. */
const POINT_STEPS = 260

/** 31 doublings, 64 additions and 5 of the inversion. */
const BASE_STEPS = 100

let entry: Entry
let state: number
let scalarAt: number
let pointAt: number
let outAt: number
beforeAll(async () => {
  entry = await loadEntry(new URL('./public_key.entry.ts', import.meta.url), 'release')
  state = entry.exports['area']()
  // Deliberately unaligned: keys come from the wire.
  scalarAt = state + 8193
  pointAt = scalarAt + 64
  outAt = scalarAt + 128
})

/** The result, the firmware's word on whether it is not zero, and the number of steps; without a point: the public key. */
function multiply(scalar: Uint8Array, point?: Uint8Array): { out: Uint8Array; good: boolean; steps: number } {
  entry.write(scalarAt, scalar)
  if (point) entry.write(pointAt, point)
  entry.exports['x25519Start'](state, scalarAt, point ? pointAt : 0)
  const steps = entry.exports['runX25519'](state)
  const good = Boolean(entry.exports['x25519Finish'](state, outAt))
  return { out: entry.read(outAt, 32), good, steps }
}

describe('X25519', () => {
  it('computes the vectors of RFC 7748, section 5.2', () => {
    const vectors = [
      [
        'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
        'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
        'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
      ],
      [
        '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
        'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
        '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
      ],
    ] as const
    for (const [scalar, point, out] of vectors) expect(hex(multiply(unhex(scalar), unhex(point)).out)).toBe(out)
  })

  it('iterates once and a thousand times as in RFC 7748, section 5.2', () => {
    let k = unhex('09'.padEnd(64, '0'))
    let u = k
    for (let i = 1; i <= 1000; i++) {
      const { out } = multiply(k, u)
      u = k
      k = out
      if (i === 1) expect(hex(k)).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079')
    }
    expect(hex(k)).toBe('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51')
  })

  it('makes the public keys and secrets that node:crypto makes', () => {
    const random = seededBytes(1)
    for (let i = 0; i < 40; i++) {
      const [mine, theirs] = [random(32), random(32)]
      const key = nodeKey(mine)
      const peer = createPublicKey(nodeKey(theirs))
      const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
      expect(hex(multiply(mine).out)).toBe(hex(publicKey))
      const point = new Uint8Array(peer.export({ format: 'der', type: 'spki' }).subarray(-32))
      expect(hex(multiply(mine, point).out)).toBe(hex(diffieHellman({ privateKey: key, publicKey: peer })))
    }
  })

  it('multiplies any 32 bytes as @noble/curves does', () => {
    const random = seededBytes(2)
    for (let i = 0; i < 100; i++) {
      const [scalar, point] = [random(32), random(32)]
      expect(hex(multiply(scalar, point).out)).toBe(hex(x25519.getSharedSecret(scalar, point)))
    }
  })

  it('multiplies edge scalars as @noble/curves does, with a point and with the base point', () => {
    const point = seededBytes(3)(32)
    const edges = [0n, 1n, 2n, 7n, 8n, P - 1n, P, P + 1n, (1n << 255n) - 1n, (1n << 256n) - 1n]
    for (let bit = 0n; bit < 256n; bit += 5n) edges.push(1n << bit)
    for (const edge of edges) {
      const scalar = bytesLe(edge)
      expect(hex(multiply(scalar, point).out)).toBe(hex(x25519.getSharedSecret(scalar, point)))
      expect(hex(multiply(scalar).out)).toBe(hex(x25519.getPublicKey(scalar)))
    }
  })

  it('multiplies the base point by the comb as the ladder does', () => {
    const random = seededBytes(11)
    const nine = bytesLe(9n)
    for (let i = 0; i < 300; i++) {
      const scalar = random(32)
      expect(hex(multiply(scalar).out)).toBe(hex(multiply(scalar, nine).out))
    }
  })

  it('has the comb that its header describes', () => {
    const at = entry.exports['COMB25519'].value
    const d = ed25519.Point.CURVE().d
    for (let table = 0; table < 2; table++) {
      for (let digit = 1; digit < 16; digit++) {
        let k = 0n
        for (let j = 0; j < 4; j++) if ((digit >> j) & 1) k += 1n << BigInt(64 * j + 32 * table)
        const { x, y } = ed25519.Point.BASE.multiply(k % ed25519.Point.Fn.ORDER).toAffine()
        const numbers = [0, 32, 64].map((i) => numberLe(entry.read(at + 96 * (15 * table + digit - 1) + i, 32)))
        expect(numbers).toEqual([(y + x) % P, (y - x + P) % P, (2n * d * x * y) % P])
      }
    }
  })

  it('takes non-canonical coordinates modulo p and ignores their top bit', () => {
    const scalar = seededBytes(4)(32)
    for (let n = 2n; n < 19n; n++) {
      const canonical = multiply(scalar, bytesLe(n)).out
      expect(hex(multiply(scalar, bytesLe(n + P)).out)).toBe(hex(canonical))
      expect(hex(multiply(scalar, bytesLe(n + (1n << 255n))).out)).toBe(hex(canonical))
      expect(hex(multiply(scalar, bytesLe(n + P + (1n << 255n))).out)).toBe(hex(canonical))
    }
  })

  it('tells points of small order by an all-zero result', () => {
    const small = [
      0n,
      1n,
      325606250916557431795983626356110631294008115727848805560023387167927233504n,
      39382357235489614581723060781553021112529911719440698176882885853963445705823n,
      P - 1n,
      P,
      P + 1n,
    ]
    for (const u of small) {
      for (const point of [bytesLe(u), bytesLe(u + (1n << 255n))]) {
        const { out, good } = multiply(seededBytes(5)(32), point)
        expect({ u, good, out: hex(out) }).toEqual({ u, good: false, out: '00'.repeat(32) })
      }
    }
  })

  it('says that every other result is good', () => {
    expect(multiply(seededBytes(6)(32), seededBytes(7)(32)).good).toBe(true)
    expect(multiply(seededBytes(6)(32)).good).toBe(true)
  })

  it('takes the same number of steps for every scalar and point', () => {
    const random = seededBytes(8)
    const scalars = [new Uint8Array(32), new Uint8Array(32).fill(255), random(32)]
    for (const scalar of scalars) {
      for (const point of [new Uint8Array(32), random(32)]) expect(multiply(scalar, point).steps).toBe(POINT_STEPS)
      expect(multiply(scalar).steps).toBe(BASE_STEPS)
    }
  })

  it('leaves nothing in the state', () => {
    const size = entry.exports['X25519_SIZE'].value
    for (const point of [seededBytes(10)(32), undefined]) {
      entry.write(state, new Uint8Array(size + 64).fill(0xa5))
      multiply(seededBytes(9)(32), point)
      expect(entry.read(state, size)).toEqual(new Uint8Array(size))
      expect(entry.read(state + size, 64).every((byte) => byte === 0xa5)).toBe(true)
    }
  })
})

/** An X25519 private key of node:crypto from its 32 bytes (RFC 8410, section 7). */
function nodeKey(scalar: Uint8Array) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), scalar])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}
