// Ed25519 signatures against RFC 8032, node:crypto and @noble/curves.

import { createPublicKey, verify as nodeVerify } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { bytesLe, hex, numberLe, seededBytes, unhex } from './public_key'
import { loadVerifier, type Verifier } from './signature'

const { Point } = ed25519
const P = Point.Fp.ORDER
const L = Point.Fn.ORDER
const B = Point.BASE

let verifier: Verifier
beforeAll(async () => {
  verifier = await loadVerifier()
})

const ours = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
  verifier.verify('ed25519', key, message, signature)

function nodeSays(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const spki = Buffer.concat([unhex('302a300506032b6570032100'), key])
  try {
    return nodeVerify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature)
  } catch {
    return false
  }
}

const nobleSays = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => {
  try {
    return ed25519.verify(signature, message, key, { zip215: false })
  } catch {
    return false
  }
}

/** All three verdicts, which must agree. */
function verdict(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const answer = ours(key, message, signature)
  expect(answer).toBe(nodeSays(key, message, signature))
  expect(answer).toBe(nobleSays(key, message, signature))
  return answer
}

/** The eight points of small order. */
function smallPoints() {
  // [L] P is of small order for every P; one of order 8 makes all of them.
  for (let i = 2; ; i++) {
    let point: InstanceType<typeof Point>
    try {
      point = Point.fromBytes(bytesLe(BigInt(i)), true)
    } catch {
      continue
    }
    const torsion = point.multiplyUnsafe(L - 1n).add(point)
    if (!torsion.multiplyUnsafe(4n).is0()) return Array.from({ length: 8 }, (_, k) => torsion.multiplyUnsafe(BigInt(k)))
  }
}

/** h of the equation. */
const challenge = (r: Uint8Array, key: Uint8Array, message: Uint8Array) =>
  numberLe(sha512(Uint8Array.from([...r, ...key, ...message]))) % L

describe('Ed25519', () => {
  it('takes_the_signatures_of_RFC_8032', () => {
    // Section 7.1: secret key, public key, message, signature.
    const vectors: [string, string, string, string][] = [
      [
        '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
        'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        '',
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
      ],
      [
        '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
        '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        '72',
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
      ],
      [
        'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
        'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
        'af82',
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
      ],
    ]
    for (const [secret, key, message, signature] of vectors) {
      expect(hex(ed25519.sign(unhex(message), unhex(secret)))).toBe(signature)
      expect(verdict(unhex(key), unhex(message), unhex(signature))).toBe(true)
      expect(verdict(unhex(key), unhex(`${message}00`), unhex(signature))).toBe(false)
    }
  })

  it('agrees_with_node_crypto_and_noble_on_hundreds_of_signatures_good_and_changed', () => {
    const random = seededBytes(1)
    for (let i = 0; i < 120; i++) {
      const secret = random(32)
      const key = ed25519.getPublicKey(secret)
      const message = random(i < 80 ? i : 5 * i)
      const signature = ed25519.sign(message, secret)
      expect(verdict(key, message, signature)).toBe(true)
      const wrong = signature.slice()
      wrong[random(1)[0] & 63] ^= 1 << (random(1)[0] & 7)
      expect(verdict(key, message, wrong)).toBe(false)
      const other = key.slice()
      other[random(1)[0] & 31] ^= 1 << (random(1)[0] & 7)
      expect(verdict(other, message, signature)).toBe(false)
      if (i > 0) {
        const changed = message.slice()
        changed[random(1)[0] % i] ^= 0x10
        expect(verdict(key, changed, signature)).toBe(false)
      }
    }
  })

  it('takes_messages_of_every_length_around_a_block_of_the_hash', () => {
    const secret = seededBytes(2)(32)
    const key = ed25519.getPublicKey(secret)
    for (let length = 0; length < 270; length++) {
      const message = seededBytes(length)(length)
      expect(ours(key, message, ed25519.sign(message, secret))).toBe(true)
    }
  })

  it('refuses_an_S_from_the_order_up', () => {
    const secret = seededBytes(3)(32)
    const key = ed25519.getPublicKey(secret)
    const message = seededBytes(4)(20)
    const signature = ed25519.sign(message, secret)
    const s = numberLe(signature.subarray(32))
    for (let k = 1n; s + k * L < 1n << 256n; k++) {
      const again = Uint8Array.from([...signature.subarray(0, 32), ...bytesLe(s + k * L)])
      expect(verdict(key, message, again)).toBe(false)
    }
    for (const wrong of [0n, L - 1n, L, (1n << 256n) - 1n, s ^ (1n << 255n)]) {
      expect(verdict(key, message, Uint8Array.from([...signature.subarray(0, 32), ...bytesLe(wrong)]))).toBe(false)
    }
  })

  it('refuses_keys_and_signatures_of_other_lengths', () => {
    const secret = seededBytes(5)(32)
    const key = ed25519.getPublicKey(secret)
    const message = seededBytes(6)(20)
    const signature = ed25519.sign(message, secret)
    for (const wrong of [key.subarray(1), Uint8Array.from([...key, 0]), new Uint8Array(0)]) {
      expect(ours(wrong, message, signature)).toBe(false)
    }
    for (const wrong of [signature.subarray(0, 63), Uint8Array.from([...signature, 0]), new Uint8Array(0)]) {
      expect(ours(key, message, wrong)).toBe(false)
    }
    expect(verifier.verifyDigest('ed25519', key, message, signature)).toBe(false)
  })

  it('refuses_keys_that_are_no_points_or_not_canonical', () => {
    const message = seededBytes(7)(20)
    const signature = ed25519.sign(message, seededBytes(8)(32))
    for (let y = 0n; y < 40n; y++) expect(ours(bytesLe(y), message, signature)).toBe(false)
    // y from p up, with either sign: 19 values, and those of them that are points are as good as y - p for OpenSSL.
    for (let y = P; y < 1n << 255n; y++) {
      for (const sign of [0n, 1n << 255n]) expect(ours(bytesLe(y | sign), message, signature)).toBe(false)
    }
    // x = 0 has no negative: y = 1 and y = -1 with the sign bit.
    for (const y of [1n, P - 1n]) expect(ours(bytesLe(y | (1n << 255n)), message, signature)).toBe(false)
  })

  it('refuses_keys_of_small_order_and_takes_one_with_a_part_of_small_order', () => {
    const message = seededBytes(9)(20)
    const points = smallPoints()
    expect(new Set(points.map((point) => point.toHex())).size).toBe(8)
    for (const key of points.map((point) => point.toBytes())) {
      // S B = R makes such a key sign everything whose h is a multiple of its order.
      for (let i = 0; i < 16; i++) {
        const s = BigInt(1000 + i)
        const signature = Uint8Array.from([...B.multiply(s).toBytes(), ...bytesLe(s)])
        expect(ours(key, message, signature)).toBe(false)
        expect(nobleSays(key, message, signature)).toBe(false)
      }
    }
    // A = a B + T: the equation without the cofactor holds when T's order divides h. OpenSSL says the same.
    const a = numberLe(seededBytes(10)(31))
    let good = 0
    for (const torsion of points.slice(1)) {
      const key = B.multiply(a).add(torsion).toBytes()
      for (let i = 0; i < 12; i++) {
        const r = BigInt(77 + i)
        const R = B.multiply(r).toBytes()
        const s = (r + challenge(R, key, message) * a) % L
        const signature = Uint8Array.from([...R, ...bytesLe(s)])
        const answer = ours(key, message, signature)
        expect(answer).toBe(nodeSays(key, message, signature))
        if (answer) good++
      }
    }
    expect(good).toBeGreaterThan(0)
  })

  it('refuses_an_R_that_is_not_canonical_or_of_small_order_by_itself', () => {
    const secret = seededBytes(11)(32)
    const key = ed25519.getPublicKey(secret)
    const { scalar } = ed25519.utils.getExtendedPublicKey(secret)
    const message = seededBytes(12)(20)
    const encodings = [
      ...smallPoints().map((point) => point.toBytes()),
      bytesLe(P),
      bytesLe(P + 1n),
      bytesLe(1n | (1n << 255n)),
    ]
    for (const R of encodings) {
      // S as if R were the neutral point.
      const s = (challenge(R, key, message) * scalar) % L
      const signature = Uint8Array.from([...R, ...bytesLe(s)])
      const answer = ours(key, message, signature)
      expect(answer).toBe(nodeSays(key, message, signature))
      expect(answer).toBe(numberLe(R) === 1n)
    }
  })
})

describe('the digits of a scalar', () => {
  it('are_odd_or_zero_five_apart_and_sum_up_to_it', () => {
    const random = seededBytes(13)
    const { area } = verifier
    const scalars = [0n, 1n, 2n, 15n, 16n, 17n, 31n, 32n, (1n << 256n) - 1n, 1n << 255n, L - 1n, 0xaaaan << 240n]
    for (let i = 0; i < 300; i++) scalars.push(numberLe(random(32)))
    for (const scalar of scalars) {
      verifier.write(area, bytesLe(scalar))
      verifier.exports['nafDigits'](area + 64, area, 8)
      const digits = new Int8Array(verifier.exports['memory'].buffer.slice(area + 64, area + 64 + 257))
      let sum = 0n
      let last = -5
      for (const [i, digit] of digits.entries()) {
        if (digit === 0) continue
        expect(Math.abs(digit) % 2 === 1 && Math.abs(digit) < 16 && i - last >= 5).toBe(true)
        last = i
        sum += BigInt(digit) << BigInt(i)
      }
      expect(sum).toBe(scalar)
    }
  })
})
