// Multiplication on P-256 against known points, @noble/curves and node:crypto.

import { createECDH } from 'node:crypto'
import { p256 } from '@noble/curves/nist.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'
import { bytesBe, hex, numberBe, numberLe, seededBytes, unhex } from './public_key'

const P = p256.Point.Fp.ORDER
const N = p256.Point.Fn.ORDER
const G = p256.Point.BASE

/** 15 doublings and 64 times 2 halves of an addition, 5 of the inversion, 1 for the affine point. */
const BASE_STEPS = 149

/** 14 for the table, 63 times 4 doublings, 64 times 2 halves of an addition, and the last 6. */
const POINT_STEPS = 400

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
  outAt = scalarAt + 192
})

interface Result {
  /** Whether the inputs were taken. */
  readonly taken: boolean
  readonly out: string
  readonly steps: number
}

/** scalar * point, or scalar * G without one. */
function multiply(scalar: Uint8Array, point?: Uint8Array): Result {
  entry.write(scalarAt, scalar)
  if (point) entry.write(pointAt, point)
  if (!entry.exports['p256MulStart'](state, scalarAt, point ? pointAt : 0)) return { taken: false, out: '', steps: 0 }
  const steps = entry.exports['runP256'](state)
  entry.exports['p256MulFinish'](state, outAt)
  return { taken: true, out: hex(entry.read(outAt, 65)), steps }
}

/** What @noble/curves says. */
function expected(scalar: bigint, point = G): string {
  return hex(point.multiply(scalar).toBytes(false))
}

/** A point that nothing knows the logarithm of, for this test. */
const someone = G.multiply(numberBe(seededBytes(300)(32)) % N)

/** Scalars at the borders of the windows and of the comb's pieces. */
const edgeScalars = [
  1n,
  2n,
  3n,
  14n,
  15n,
  16n,
  17n,
  31n,
  32n,
  N - 1n,
  N - 2n,
  N - 15n,
  N - 16n,
  N >> 1n,
  (N >> 1n) + 1n,
]
for (let bit = 4n; bit < 256n; bit += 12n) edgeScalars.push(1n << bit, (1n << bit) - 1n)
for (let tooth = 0n; tooth < 4n; tooth++) {
  for (let table = 0n; table < 4n; table++)
    edgeScalars.push(1n << (64n * tooth + 16n * table), 3n << (64n * tooth + 15n))
}
edgeScalars.push(0x0001_0001_0001_0001n * ((1n << 192n) | (1n << 128n) | (1n << 64n) | 1n), (1n << 255n) | 1n)

describe('P-256', () => {
  it('gives the multiples of the base point published by NSA (Mathematical routines for the NIST prime elliptic curves)', () => {
    const k5 = '51590b7a515140d2d784c85608668fdfef8c82fd1f5be52421554a0dc3d033ed'
    const y5 = 'e0c17da8904a727d8ae1bf36bf8a79260d012f00d4d80888d1d0bb44fda16da4'
    expect(multiply(bytesBe(5n)).out).toBe(`04${k5}${y5}`)
    const k = bytesBe(112233445566778899n)
    const x = '339150844ec15234807fe862a86be77977dbfb3ae3d96f4c22795513aeaab82f'
    const y = 'b1c14ddfdc8ec1b2583f51e85a5eb3a155840f2034730e9b5ada38b674336a21'
    expect(multiply(k).out).toBe(`04${x}${y}`)
    expect(multiply(k, G.toBytes(false)).out).toBe(`04${x}${y}`)
  })

  it('agrees on a shared secret as RFC 5903, section 8.1', () => {
    const i = unhex('c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433')
    const r = unhex('c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53')
    const secret = 'd6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de'
    expect(multiply(i, unhex(multiply(r).out)).out.slice(2, 66)).toBe(secret)
    expect(multiply(r, unhex(multiply(i).out)).out.slice(2, 66)).toBe(secret)
  })

  it('multiplies the base point by edge scalars as @noble/curves does', () => {
    for (const k of edgeScalars) expect({ k, out: multiply(bytesBe(k)).out }).toEqual({ k, out: expected(k) })
  })

  it('multiplies a point by edge scalars as @noble/curves does', () => {
    const point = someone.toBytes(false)
    for (const k of edgeScalars) {
      expect({ k, out: multiply(bytesBe(k), point).out }).toEqual({ k, out: expected(k, someone) })
    }
  })

  it('makes the public keys and secrets that node:crypto makes', () => {
    const random = seededBytes(301)
    for (let i = 0; i < 60; i++) {
      const [mine, theirs] = [createECDH('prime256v1'), createECDH('prime256v1')]
      mine.setPrivateKey(random(32))
      theirs.setPrivateKey(random(32))
      const scalar = unhex(mine.getPrivateKey('hex').padStart(64, '0'))
      expect(multiply(scalar).out).toBe(mine.getPublicKey('hex'))
      const secret = hex(mine.computeSecret(theirs.getPublicKey()))
      expect(multiply(scalar, new Uint8Array(theirs.getPublicKey())).out.slice(2, 66)).toBe(secret)
    }
  })

  it('gives secrets with special coordinates (0, small, p - 3, single bits, repeated bytes)', () => {
    const scalar = numberBe(seededBytes(303)(32)) % N
    const special = [0n, P - 3n, BigInt(`0x${'55'.repeat(32)}`), BigInt(`0x${'ff00'.repeat(16)}`) % P]
    for (let bit = 0n; bit < 256n; bit += 8n) special.push(1n << bit, P - (1n << bit))
    let found = 0
    for (const x of special) {
      const secret = pointWithX(x)
      if (!secret) continue
      found++
      const point = secret.multiply(p256.Point.Fn.inv(scalar)).toBytes(false)
      expect(multiply(bytesBe(scalar), point).out).toBe(hex(secret.toBytes(false)))
    }
    expect(found).toBeGreaterThan(20)
  })

  it('reaches the same point by both ways', () => {
    const random = seededBytes(302)
    for (let i = 0; i < 60; i++) {
      const scalar = bytesBe((numberBe(random(32)) % (N - 1n)) + 1n)
      expect(multiply(scalar, G.toBytes(false)).out).toBe(multiply(scalar).out)
    }
  })

  it('has the comb that its header describes', () => {
    const at = entry.exports['COMB'].value
    const field = p256.Point.Fp
    for (let table = 0; table < 4; table++) {
      for (let d = 1; d < 16; d++) {
        let k = 0n
        for (let j = 0; j < 4; j++) if ((d >> j) & 1) k += 1n << BigInt(64 * j + 16 * table)
        const { x, y } = G.multiply(k).toAffine()
        const words = entry.read(at + 64 * (15 * table + d - 1), 64)
        expect(numberLe(words.slice(0, 32))).toBe(field.mul(x, 1n << 256n))
        expect(numberLe(words.slice(32))).toBe(field.mul(y, 1n << 256n))
      }
    }
  })

  it('refuses the scalar 0 and scalars from the order up', () => {
    for (const k of [0n, N, N + 1n, (1n << 256n) - 1n]) {
      expect(multiply(bytesBe(k)).taken).toBe(false)
      expect(multiply(bytesBe(k), G.toBytes(false)).taken).toBe(false)
    }
  })

  it('refuses points that are not on the curve', () => {
    const { x, y } = someone.toAffine()
    const wrong = [
      [x, y + 1n],
      [x + 1n, y],
      [y, x],
      [0n, 0n],
      [x, 0n],
      [0n, 1n],
    ] as const
    for (const [px, py] of wrong) expect(multiply(bytesBe(1n), encode(px, py)).taken).toBe(false)
  })

  it('refuses a point with any one bit wrong', () => {
    const point = someone.toBytes(false)
    for (let bit = 0; bit < 520; bit++) {
      const wrong = point.slice()
      wrong[bit >> 3]! ^= 1 << (bit & 7)
      expect({ bit, taken: multiply(bytesBe(1n), wrong).taken }).toEqual({ bit, taken: false })
    }
  })

  it('refuses coordinates that are not reduced', () => {
    // (0, sqrt(b)) is on the curve, and x = p would be the same point.
    const y = p256.Point.Fp.sqrt(p256.Point.CURVE().b)
    expect(multiply(bytesBe(1n), encode(0n, y)).taken).toBe(true)
    expect(multiply(bytesBe(1n), encode(P, y)).taken).toBe(false)
  })

  it('refuses compressed points and the point at infinity', () => {
    for (const first of [0, 1, 2, 3, 5, 6, 7, 255]) {
      const wrong = someone.toBytes(false)
      wrong[0] = first
      expect(multiply(bytesBe(1n), wrong).taken).toBe(false)
    }
  })

  it('takes the same number of steps for every scalar', () => {
    for (const k of edgeScalars) {
      expect(multiply(bytesBe(k)).steps).toBe(BASE_STEPS)
      expect(multiply(bytesBe(k), someone.toBytes(false)).steps).toBe(POINT_STEPS)
    }
  })

  it('leaves nothing in the state', () => {
    multiply(bytesBe(N - 5n), someone.toBytes(false))
    expect(entry.read(state, entry.exports['P256_MUL_SIZE'].value).some((byte) => byte !== 0)).toBe(false)
  })

  it('needs no more than the smaller state for the base point', () => {
    const size = entry.exports['P256_BASE_MUL_SIZE'].value
    entry.write(state, new Uint8Array(entry.exports['P256_MUL_SIZE'].value).fill(0xa5))
    expect(multiply(bytesBe(77n)).out).toBe(expected(77n))
    const bytes = entry.read(state, entry.exports['P256_MUL_SIZE'].value)
    expect(bytes.slice(0, size).every((byte) => byte === 0)).toBe(true)
    expect(bytes.slice(size).every((byte) => byte === 0xa5)).toBe(true)
  })
})

/** One of the two points with this x, if there are any. */
function pointWithX(x: bigint) {
  const field = p256.Point.Fp
  const square = field.create(x * x * x - 3n * x + p256.Point.CURVE().b)
  if (field.pow(square, (P - 1n) / 2n) === P - 1n) return undefined
  return p256.Point.fromAffine({ x, y: field.sqrt(square) })
}

/** 04 | x | y, without asking whether it is a point. */
function encode(x: bigint, y: bigint): Uint8Array {
  return new Uint8Array([4, ...bytesBe(x), ...bytesBe(y)])
}
