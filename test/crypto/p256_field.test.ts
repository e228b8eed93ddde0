// The field of P-256 and the numbers modulo its order against BigInt, on numbers whose limbs break carries and on
// random ones.

import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'
import { bytesLe, edgeNumbers, numberLe, seededBytes } from './public_key'

const P = (1n << 256n) - (1n << 224n) + (1n << 192n) + (1n << 96n) - 1n
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const R = 1n << 256n

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

const random = seededBytes(200)

/** Numbers below m: edges, random ones, and those whose Montgomery form is an edge. */
function numbersBelow(m: bigint): bigint[] {
  const inverse = invert(R % m, m)
  const edges = edgeNumbers(m).filter((n) => n < m)
  const some = Array.from({ length: 12 }, () => numberLe(random(32)) % m)
  return [...new Set([...edges, ...edges.map((n) => (n * inverse) % m), ...some])]
}

function invert(x: bigint, m: bigint): bigint {
  let result = 1n
  for (let e = m - 2n, base = x; e > 0n; e >>= 1n, base = (base * base) % m) if (e & 1n) result = (result * base) % m
  return result
}

/** Every pair of numbers below m through one operation, to a fresh place and onto each input; the result is exact. */
function everyPair(operation: string, m: bigint, expected: (x: bigint, y: bigint) => bigint): void {
  const numbers = numbersBelow(m)
  for (const x of numbers) {
    for (const y of numbers) {
      const want = ((expected(x, y) % m) + m) % m
      for (const place of [out, a, b]) {
        entry.write(a, bytesLe(x))
        entry.write(b, bytesLe(y))
        entry.exports[operation](place, a, b)
        const got = numberLe(entry.read(place, 32))
        if (got !== want) expect({ operation, x, y, got }).toEqual({ operation, x, y, got: want })
      }
    }
  }
}

/** Every number given through an operation on one number. */
function everyOne(operation: string, m: bigint, numbers: bigint[], expected: (x: bigint) => bigint): void {
  for (const x of numbers) {
    for (const place of [out, a]) {
      entry.write(a, bytesLe(x))
      entry.exports[operation](place, a)
      const got = numberLe(entry.read(place, 32))
      expect({ operation, x, got }).toEqual({ operation, x, got: expected(x) % m })
    }
  }
}

describe("the field of P-256, in Montgomery's form", () => {
  const inverse = invert(R % P, P)

  it('multiplies', () => everyPair('mulP256', P, (x, y) => x * y * inverse))

  it('adds', () => everyPair('addP256', P, (x, y) => x + y))

  it('subtracts', () => everyPair('subP256', P, (x, y) => x - y))

  it('squares', () => everyOne('sqrP256', P, numbersBelow(P), (x) => x * x * inverse))

  it('goes into the form', () => everyOne('toMontgomeryP256', P, numbersBelow(P), (x) => x * R))

  it('comes out of the form', () => everyOne('fromMontgomeryP256', P, numbersBelow(P), (x) => x * inverse))
})

describe('the numbers modulo the order of P-256', () => {
  const inverse = invert(R % N, N)

  it('multiply', () => everyPair('mulOrder', N, (x, y) => x * y * inverse))

  it('add', () => everyPair('addOrder', N, (x, y) => x + y))

  it('go into the form from any 256-bit number', () => {
    everyOne('toMontgomeryOrder', N, [...edgeNumbers(N), ...numbersBelow(N)], (x) => x * R)
  })

  it('reduce any 256-bit number', () => {
    for (const x of [...edgeNumbers(N), ...numbersBelow(N)]) {
      entry.write(a, bytesLe(x))
      entry.exports['reduceOrder'](a)
      expect(numberLe(entry.read(a, 32))).toBe(x % N)
    }
  })
})

describe('masks about 256-bit numbers', () => {
  const numbers = [...edgeNumbers(P), ...edgeNumbers(N)]

  it('say whether a number is zero, equal, below', () => {
    for (const x of numbers) {
      for (const y of numbers) {
        entry.write(a, bytesLe(x))
        entry.write(b, bytesLe(y))
        const masks = ['equalMask', 'belowMask'].map((name) => entry.exports[name](a, b))
        const want = [x === y ? -1 : 0, x < y ? -1 : 0]
        if (masks.join() !== want.join()) expect({ x, y, masks }).toEqual({ x, y, masks: want })
      }
      expect(entry.exports['zeroMask'](a)).toBe(x === 0n ? -1 : 0)
    }
  })

  it('say whether a word is zero', () => {
    for (const word of [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      expect(entry.exports['maskIfZero'](word)).toBe(word === 0 ? -1 : 0)
    }
  })

  it('move bytes or leave them', () => {
    entry.write(a, bytesLe(1n))
    entry.write(b, bytesLe(2n))
    entry.exports['moveIf'](0, a, b, 32)
    expect(numberLe(entry.read(a, 32))).toBe(1n)
    entry.exports['moveIf'](-1, a, b, 32)
    expect(numberLe(entry.read(a, 32))).toBe(2n)
  })
})
