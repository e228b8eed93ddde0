// RSA's public operation, signature^e mod n (RFC 8017, section 5.2.2), as a step machine.
//
//   rsaStart(state, key, keyLength, signature, signatureLength)   key: an RSAPublicKey in DER (rsa_key.ts). False: refused
//   rsaStep(state)                                                until it returns true
//   state + RSA_MESSAGE                                           then has the encoded message, as long as the modulus
//
// One step is about 320 columns of a Montgomery product. Nothing here is secret and
// nothing is constant-time: keys and signatures are public, and there is no private operation.

import { addModulo, isBelow, loadNumberBe, storeNumberBe } from './bignum'
import { montgomeryFactor, montgomeryFinish, montgomeryRows, montgomeryStart, WORKSPACE_EXTRA } from './montgomery'
import { RSA_BITS_MAX, RSA_KEY_SIZE, RsaKey, rsaKeyParse } from './rsa_key'

const NUMBER: usize = RSA_BITS_MAX / 8

@unmanaged
class RsaHead {
  stage: u32
  limbs: u32
  /** Rows of the product that are done. */
  row: u32
  /** Doublings, or squarings, or bits of the exponent that are left. */
  left: u32
  /** Squarings that make R^2 of what the doublings made. */
  squarings: u32
  reserved: u32
}

// `head | key | s | base | x | workspace`. Before it is made, base has n.
const KEY: usize = 24
const S: usize = KEY + RSA_KEY_SIZE
const BASE: usize = S + NUMBER
const N: usize = BASE
const X: usize = BASE + NUMBER
const WORK: usize = X + NUMBER

/** Bytes of a state, 8-aligned. */
export const RSA_SIZE: usize = WORK + 3 * NUMBER + WORKSPACE_EXTRA

/** Where the state has the encoded message in the end. */
export const RSA_MESSAGE: usize = BASE

/** From here to its end the state is free in the end. */
export const RSA_FREE: usize = X

const enum Stage {
  Done = 0,
  /** x, a power of two, is doubled modulo n, then squared: R^2 mod n. */
  Double = 1,
  SquareR = 2,
  /** base = s R */
  Enter = 3,
  /** x = base^e / R, bit by bit from the top; for the last bit, x^2 * s / R^2 = s^e without the factor R. */
  Square = 4,
  Multiply = 5,
  Leave = 6,
  /** The bytes of the result are written. */
  Write = 7,
}

/** Columns in a step. */
const COLUMNS: u32 = 320

/** Begins. False: the key is not one that is taken, or the signature has another length or is not below the modulus. */
export function rsaStart(state: usize, key: usize, keyLength: u32, signature: usize, signatureLength: u32): bool {
  const head = changetype<RsaHead>(state)
  const parsed = changetype<RsaKey>(state + KEY)
  memory.fill(state, 0, RSA_SIZE)
  if (!rsaKeyParse(state + KEY, key, keyLength) || signatureLength !== parsed.modulusLength) return false
  const limbs = ((parsed.modulusLength + 15) >> 4) << 2
  loadNumberBe(state + N, limbs, parsed.modulus, parsed.modulusLength)
  loadNumberBe(state + S, limbs, signature, signatureLength)
  if (!isBelow(state + S, state + N, limbs)) return false
  head.limbs = limbs
  montgomeryStart(state + WORK, state + N, limbs)
  // From 2^(bits - 1), which is below n, to R 2^d, so that squaring (of Montgomery's kind, R 2^d -> R 2^2d) makes R R.
  const top = parsed.modulusBits - 1
  store<u32>(state + X + ((top >> 5) << 2), 1 << (top & 31))
  let doublings: u32 = 32 * limbs
  for (; doublings > 64 && (doublings & 1) === 0; doublings >>= 1) head.squarings++
  head.left = doublings + 32 * limbs - top
  head.stage = Stage.Double
  return true
}

/** Bits of the modulus. */
export function rsaBits(state: usize): u32 {
  return changetype<RsaKey>(state + KEY).modulusBits
}

/** Does one step; true when the encoded message is there. */
export function rsaStep(state: usize): bool {
  const head = changetype<RsaHead>(state)
  const x = state + X
  switch (head.stage) {
    case Stage.Double: {
      for (let columns = head.limbs; columns <= COLUMNS && head.left > 0; columns += head.limbs, head.left--) {
        addModulo(x, x, x, state + N, head.limbs)
      }
      if (head.left === 0) {
        head.left = head.squarings
        head.stage = Stage.SquareR
      }
      break
    }
    case Stage.SquareR: {
      if (product(state, x, x, x) && --head.left === 0) head.stage = Stage.Enter
      break
    }
    case Stage.Enter: {
      if (!product(state, state + BASE, state + S, x)) break
      memory.copy(x, state + BASE, NUMBER)
      head.left = 31 - <u32>clz<u32>(exponent(state))
      head.stage = Stage.Square
      break
    }
    case Stage.Square: {
      if (!product(state, x, x, x)) break
      const bit = --head.left
      if (bit === 0) head.stage = Stage.Leave
      else if (((exponent(state) >> bit) & 1) !== 0) head.stage = Stage.Multiply
      break
    }
    case Stage.Multiply: {
      if (product(state, x, state + BASE, x)) head.stage = Stage.Square
      break
    }
    case Stage.Leave: {
      if (product(state, x, state + S, x)) head.stage = Stage.Write
      break
    }
    case Stage.Write: {
      storeNumberBe(state + RSA_MESSAGE, changetype<RsaKey>(state + KEY).modulusLength, x)
      head.stage = Stage.Done
      break
    }
  }
  return head.stage === Stage.Done
}

function exponent(state: usize): u32 {
  return changetype<RsaKey>(state + KEY).exponent
}

/** Some rows of out = a * b / R mod n; true with the last ones. b is below n. */
function product(state: usize, out: usize, a: usize, b: usize): bool {
  const head = changetype<RsaHead>(state)
  const work = state + WORK
  const limbs = head.limbs
  const row = head.row
  const rows = min(COLUMNS / limbs, limbs - row)
  if (row === 0) montgomeryFactor(work, b)
  montgomeryRows(work, a + 4 * <usize>row, rows)
  head.row = row + rows
  if (head.row < limbs) return false
  montgomeryFinish(out, work)
  head.row = 0
  return true
}
