// Inverses by division steps against BigInt, on edge numbers and on random ones.

import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'
import { bytesLe, edgeNumbers, numberLe, seededBytes } from './public_key'

/** 20 batches, four in a slice. */
const STEPS = 5

const MODULI = {
  INVERT_25519: (1n << 255n) - 19n,
  INVERT_P256_P: (1n << 256n) - (1n << 224n) + (1n << 192n) + (1n << 96n) - 1n,
  INVERT_P256_N: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
}

let entry: Entry
let state: number
let a: number
beforeAll(async () => {
  entry = await loadEntry(new URL('./public_key.entry.ts', import.meta.url))
  state = entry.exports['area']()
  a = state + 4096
})

function invert(x: bigint, modulus: string): bigint {
  entry.write(a, bytesLe(x))
  entry.exports['invertStart'](state, a, entry.exports[modulus].value)
  expect(entry.exports['runInvert'](state)).toBe(STEPS)
  entry.exports['invertFinish'](state, a)
  return numberLe(entry.read(a, 32))
}

describe('the inverse', () => {
  for (const [name, modulus] of Object.entries(MODULI)) {
    it(`is the one below the modulus, of every edge and random number (${name})`, () => {
      const random = seededBytes(500)
      const numbers = edgeNumbers(modulus)
      for (let bit = 0n; bit < 256n; bit++) numbers.push(1n << bit, (1n << bit) - 1n, modulus - (1n << bit))
      for (let i = 0; i < 1500; i++) numbers.push(numberLe(random(32)) % modulus)
      for (const x of numbers.filter((n) => n > 0n && n < modulus)) {
        const inverse = invert(x, name)
        if (inverse >= modulus || (x * inverse) % modulus !== 1n) expect({ x, inverse }).toBe('an inverse')
      }
    })

    it(`of 0 is 0 (${name})`, () => {
      expect(invert(0n, name)).toBe(0n)
    })
  }
})
