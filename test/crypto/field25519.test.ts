// The field of Curve25519 against BigInt, on numbers whose limbs break carries and on random ones.

import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'
import { bytesLe, edgeNumbers, numberLe, seededBytes } from './public_key'

const P = (1n << 255n) - 19n

let entry: Entry
let a: number
let b: number
let out: number
beforeAll(async () => {
  entry = await loadEntry(new URL('./public_key.entry.ts', import.meta.url))
  a = entry.exports['area']()
  b = a + 32
  out = a + 64
})

const random = seededBytes(100)
const numbers = [...edgeNumbers(P), ...Array.from({ length: 12 }, () => numberLe(random(32)))]

/** Every pair of numbers through one operation, to a fresh place and onto each input. */
function everyPair(operation: string, expected: (x: bigint, y: bigint) => bigint): void {
  for (const x of numbers) {
    for (const y of numbers) {
      const places = [out, a, b]
      for (const place of places) {
        entry.write(a, bytesLe(x))
        entry.write(b, bytesLe(y))
        entry.exports[operation](place, a, b)
        const got = numberLe(entry.read(place, 32)) % P
        const want = ((expected(x, y) % P) + P) % P
        if (got !== want) expect({ operation, x, y, got }).toEqual({ operation, x, y, got: want })
      }
    }
  }
}

describe('the field 2^255 - 19', () => {
  it('multiplies', () => everyPair('mul25519', (x, y) => x * y))

  it('adds', () => everyPair('add25519', (x, y) => x + y))

  it('subtracts', () => everyPair('sub25519', (x, y) => x - y))

  it('squares', () => {
    for (const x of numbers) {
      entry.write(a, bytesLe(x))
      entry.exports['sqr25519'](out, a)
      expect(numberLe(entry.read(out, 32)) % P).toBe((x * x) % P)
    }
  })

  it('adds multiples by small factors', () => {
    for (const x of numbers) {
      for (const y of numbers) {
        for (const factor of [0, 1, 121_665, 0x1_ffff]) {
          entry.write(a, bytesLe(x))
          entry.write(b, bytesLe(y))
          entry.exports['addMul25519'](out, a, factor, b)
          const got = numberLe(entry.read(out, 32)) % P
          const want = (x + BigInt(factor) * y) % P
          if (got !== want) expect({ x, y, factor, got }).toEqual({ x, y, factor, got: want })
        }
      }
    }
  })

  it('writes the one number below p', () => {
    for (const x of [...numbers, P + 18n, P + 19n, 2n * P + 18n, 2n * P + 37n]) {
      entry.write(a, bytesLe(x))
      entry.exports['toBytes25519'](out + 1, a)
      expect(numberLe(entry.read(out + 1, 32))).toBe(x % P)
      expect(numberLe(entry.read(a, 32))).toBe(x % P)
    }
  })

  it('reads a coordinate without its top bit', () => {
    for (const x of numbers) {
      entry.write(b + 1, bytesLe(x))
      entry.exports['fromBytes25519'](a, b + 1)
      expect(numberLe(entry.read(a, 32))).toBe(x % (1n << 255n))
    }
  })

  it('swaps by a mask of ones and not by a mask of zeros', () => {
    entry.write(a, bytesLe(1n))
    entry.write(b, bytesLe(2n))
    entry.exports['swap25519'](0, a, b)
    expect(numberLe(entry.read(a, 32))).toBe(1n)
    entry.exports['swap25519'](-1, a, b)
    expect(numberLe(entry.read(a, 32))).toBe(2n)
    expect(numberLe(entry.read(b, 32))).toBe(1n)
  })
})
