// ECDSA on P-256 against RFC 6979, node:crypto and @noble/curves.

import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto'
import { p256 } from '@noble/curves/nist.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'
import { bytesBe, hex, numberBe, seededBytes, unhex } from './public_key'

const N = p256.Point.Fn.ORDER
const P = p256.Point.Fp.ORDER
const G = p256.Point.BASE
const order = p256.Point.Fn

/** 15 of HMAC, 149 of k * G, 5 of the inversion of k. */
const SIGN_STEPS = 169

let entry: Entry
let state: number
let key: number
let digestAt: number
let extraAt: number
let pointAt: number
let out: number
beforeAll(async () => {
  entry = await loadEntry(new URL('./public_key.entry.ts', import.meta.url), 'release')
  state = entry.exports['area']()
  key = state + 8193
  digestAt = key + 32
  extraAt = key + 128
  pointAt = key + 256
  out = key + 512
})

interface Signed {
  readonly signature: Uint8Array
  readonly steps: number
  readonly taken: boolean
}

function sign(privateKey: Uint8Array, digest: Uint8Array, extra?: Uint8Array): Signed {
  entry.write(key, privateKey)
  entry.write(digestAt, digest)
  if (extra) entry.write(extraAt, extra)
  const taken = entry.exports['ecdsaSignStart'](state, key, digestAt, digest.length, extra ? extraAt : 0) !== 0
  const steps = entry.exports['runSign'](state)
  entry.exports['ecdsaSignFinish'](state, out)
  return { signature: entry.read(out, 64), steps, taken }
}

function verify(point: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  entry.write(pointAt, point)
  entry.write(digestAt, digest)
  entry.write(out, signature)
  if (!entry.exports['ecdsaVerifyStart'](state, pointAt, digestAt, digest.length, out)) return false
  entry.exports['runVerify'](state)
  return entry.exports['ecdsaVerifyFinish'](state) !== 0
}

function digestOf(name: string, message: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash(name).update(message).digest())
}

const random = seededBytes(400)

function randomKey(): { secret: Uint8Array; point: Uint8Array } {
  const scalar = (numberBe(random(32)) % (N - 1n)) + 1n
  return { secret: bytesBe(scalar), point: G.multiply(scalar).toBytes(false) }
}

/** r | s from two numbers. */
function pair(r: bigint, s: bigint): Uint8Array {
  return new Uint8Array([...bytesBe(r), ...bytesBe(s)])
}

describe('signing', () => {
  it('makes the nonces and signatures of RFC 6979, appendix A.2.5', () => {
    const secret = unhex('c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721')
    for (const [message, hash, k, r, s] of RFC6979_A25) {
      const digest = digestOf(hash, message)
      entry.write(key, secret)
      entry.write(digestAt, bytesBe(numberBe(digest.slice(0, 32)) % N))
      entry.exports['nonceStart'](state, { sha256: 1, sha384: 2, sha512: 3 }[hash], key, digestAt, 0)
      entry.exports['runNonce'](state)
      expect(hex(entry.read(state, 32))).toBe(k)
      expect(hex(sign(secret, digest).signature)).toBe(r + s)
    }
  })

  it('tries the nonces in the order of RFC 6979, section 3.2, step h', () => {
    // Appendix A.2.3 (P-192) is not ours; @noble/curves tries the next one when its caller refuses the first.
    const { secret } = randomKey()
    const digest = digestOf('sha256', 'again')
    entry.write(key, secret)
    entry.write(digestAt, bytesBe(numberBe(digest) % N))
    entry.exports['nonceStart'](state, 1, key, digestAt, 0)
    const mine: string[] = []
    for (let i = 0; i < 4; i++) {
      entry.exports['runNonce'](state)
      mine.push(hex(entry.read(state, 32)))
      entry.exports['nonceReject'](state)
    }
    expect(mine).toEqual(noncesByHand(secret, bytesBe(numberBe(digest) % N), 4))
  })

  it('makes what node:crypto accepts', () => {
    for (let i = 0; i < 40; i++) {
      const { secret, point } = randomKey()
      const message = random(1 + i)
      const { signature } = sign(secret, digestOf('sha256', message), i % 2 ? random(32) : undefined)
      expect(nodeVerify('sha256', message, { key: nodeKey(point), dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
    }
  })

  it('mixes extra data into the nonce as @noble/curves does (RFC 6979, section 3.6)', () => {
    for (let i = 0; i < 20; i++) {
      const { secret } = randomKey()
      const [digest, extra] = [random(32), random(32)]
      const theirs = p256.sign(digest, secret, { prehash: false, lowS: false, extraEntropy: extra })
      expect(hex(sign(secret, digest, extra).signature)).toBe(hex(theirs))
    }
  })

  it('takes digests at and above the order', () => {
    for (const digest of [bytesBe(0n), bytesBe(N), bytesBe(N - 1n), bytesBe(N + 1n), new Uint8Array(32).fill(255)]) {
      const { secret } = randomKey()
      const theirs = p256.sign(digest, secret, { prehash: false, lowS: false })
      expect(hex(sign(secret, digest).signature)).toBe(hex(theirs))
    }
  })

  it('takes the keys 1 and n - 1', () => {
    const digest = random(32)
    for (const scalar of [1n, 2n, N - 2n, N - 1n]) {
      const theirs = p256.sign(digest, bytesBe(scalar), { prehash: false, lowS: false })
      expect(hex(sign(bytesBe(scalar), digest).signature)).toBe(hex(theirs))
    }
  })

  it('refuses keys outside 1..n-1, and then gives zeros', () => {
    for (const scalar of [0n, N, N + 1n, (1n << 256n) - 1n]) {
      const { taken, signature } = sign(bytesBe(scalar), random(32))
      expect(taken).toBe(false)
      expect(signature).toEqual(new Uint8Array(64))
    }
  })

  it('takes the same number of steps for every key and digest', () => {
    for (let i = 0; i < 10; i++) {
      expect(sign(randomKey().secret, random(32)).steps).toBe(SIGN_STEPS)
      expect(sign(bytesBe(1n), random(32), random(32)).steps).toBe(SIGN_STEPS)
    }
  })

  it('leaves nothing in the state', () => {
    const size = entry.exports['ECDSA_P256_SIGN_SIZE'].value
    entry.write(state, new Uint8Array(size + 64).fill(0xa5))
    sign(randomKey().secret, random(32))
    expect(entry.read(state, size).every((byte) => byte === 0)).toBe(true)
    expect(entry.read(state + size, 64).every((byte) => byte === 0xa5)).toBe(true)
  })
})

describe('verifying', () => {
  it('accepts what node:crypto signs', () => {
    for (let i = 0; i < 30; i++) {
      const { secret, point } = randomKey()
      const message = random(20 + i)
      const hash = i % 3 === 2 ? 'sha384' : 'sha256'
      const signature = nodeSign(hash, message, { key: nodePrivateKey(secret, point), dsaEncoding: 'ieee-p1363' })
      expect(verify(point, digestOf(hash, message), new Uint8Array(signature))).toBe(true)
    }
  })

  it('rejects a signature, digest or point with one bit wrong', () => {
    const { secret, point } = randomKey()
    const digest = random(32)
    const { signature } = sign(secret, digest)
    expect(verify(point, digest, signature)).toBe(true)
    for (let bit = 0; bit < 512; bit += 3) expect(verify(point, digest, flipped(signature, bit))).toBe(false)
    for (let bit = 0; bit < 256; bit += 7) expect(verify(point, flipped(digest, bit), signature)).toBe(false)
    for (let bit = 0; bit < 520; bit += 7) expect(verify(flipped(point, bit), digest, signature)).toBe(false)
  })

  it("rejects another key's signature", () => {
    const digest = random(32)
    expect(verify(randomKey().point, digest, sign(randomKey().secret, digest).signature)).toBe(false)
  })

  it('rejects r and s outside 1..n-1', () => {
    const { secret, point } = randomKey()
    const digest = random(32)
    const { signature } = sign(secret, digest)
    const [r, s] = [numberBe(signature.slice(0, 32)), numberBe(signature.slice(32))]
    for (const wrong of [0n, N, N + 1n, P, (1n << 256n) - 1n]) {
      expect(verify(point, digest, pair(wrong, s))).toBe(false)
      expect(verify(point, digest, pair(r, wrong))).toBe(false)
      expect(verify(point, digest, pair(wrong, wrong))).toBe(false)
    }
    for (const [a, b] of [
      [r + N, s],
      [r, s + N],
    ] as const) {
      if (a < 1n << 256n && b < 1n << 256n) expect(verify(point, digest, pair(a, b))).toBe(false)
    }
  })

  it('accepts -s for s, as ECDSA does', () => {
    const { secret, point } = randomKey()
    const digest = random(32)
    const { signature } = sign(secret, digest)
    const [r, s] = [numberBe(signature.slice(0, 32)), numberBe(signature.slice(32))]
    expect(verify(point, digest, pair(r, N - s))).toBe(true)
  })

  it('accepts a signature of the digest 0, where the base point has no part', () => {
    const { secret, point } = randomKey()
    for (const digest of [bytesBe(0n), bytesBe(N)]) {
      expect(verify(point, digest, sign(secret, digest).signature)).toBe(true)
    }
  })

  it('accepts a signature whose two parts are the same point', () => {
    const { secret, point } = randomKey()
    const d = numberBe(secret)
    const k = 1234567n
    const r = G.multiply(k).toAffine().x % N
    const z = order.mul(r, d)
    const s = order.mul(order.inv(k), order.add(z, z))
    expect(verify(point, bytesBe(z), pair(r, s))).toBe(true)
    expect(verify(point, bytesBe(z), pair(order.add(r, 1n), s))).toBe(false)
  })

  it('accepts signatures with special r, s and digests', () => {
    const special = [1n, 2n, 3n, 0xffffn, 1n << 32n, 1n << 128n, N >> 1n, (N >> 1n) + 1n, N - 3n, N - 2n, N - 1n]
    for (const k of [1n, 2n, N - 1n, order.inv(2n), numberBe(random(32)) % N]) {
      const r = G.multiply(k).toAffine().x % N
      for (const s of special) {
        for (const z of [0n, 1n, r, N - 1n, order.mul(s, k + 1n)]) {
          // The key that makes this a signature: d = (s k - z) / r.
          const d = order.mul(order.sub(order.mul(s, k), z), order.inv(r))
          if (d === 0n) continue
          const good = verify(G.multiply(d).toBytes(false), bytesBe(z), pair(r, s))
          if (!good) expect({ k, s, z, good }).toEqual({ k, s, z, good: true })
        }
      }
    }
  })

  it('rejects a signature whose two parts are opposite points', () => {
    const { secret, point } = randomKey()
    const r = G.multiply(99n).toAffine().x % N
    const z = order.neg(order.mul(r, numberBe(secret)))
    for (const s of [1n, 2n, N - 1n]) expect(verify(point, bytesBe(z), pair(r, s))).toBe(false)
  })

  it('compares x modulo the order, also when x is not below it', () => {
    let x = N
    while (!p256.Point.Fp.isValid(x) || !isSquare(right(x))) x++
    const big = p256.Point.fromAffine({ x, y: p256.Point.Fp.sqrt(right(x)) })
    const r = x - N === 0n ? 0n : x - N
    expect(r).toBeGreaterThan(0n)
    const [s, z] = [order.create(numberBe(random(32))), order.create(numberBe(random(32)))]
    const point = big.multiply(s).subtract(G.multiply(z)).multiply(order.inv(r)).toBytes(false)
    expect(verify(point, bytesBe(z), pair(r, s))).toBe(true)
    expect(verify(point, bytesBe(z), pair(r + 1n, s))).toBe(false)
  })

  it('does not take r for r + n when that is no field element', () => {
    // x = r only: the second comparison must not wrap around p.
    const { secret, point } = randomKey()
    const digest = random(32)
    const { signature } = sign(secret, digest)
    const r = numberBe(signature.slice(0, 32))
    const wrapped = (((r - N) % P) + P) % P
    if (wrapped > 0n && wrapped < N) {
      expect(verify(point, digest, pair(wrapped, numberBe(signature.slice(32))))).toBe(false)
    }
  })

  it('leaves nothing in the state', () => {
    const size = entry.exports['ECDSA_P256_SIZE'].value
    const { secret, point } = randomKey()
    const digest = random(32)
    const { signature } = sign(secret, digest)
    entry.write(state, new Uint8Array(size + 64).fill(0xa5))
    expect(verify(point, digest, signature)).toBe(true)
    expect(entry.read(state, size).every((byte) => byte === 0)).toBe(true)
    expect(entry.read(state + size, 64).every((byte) => byte === 0xa5)).toBe(true)
  })
})

describe("a signature's DER form", () => {
  function toDer(signature: Uint8Array): Uint8Array {
    entry.write(key, signature)
    entry.write(out, new Uint8Array(80).fill(0xa5))
    const length = entry.exports['ecdsaSignatureToDer'](key, out)
    expect(entry.read(out + length, 4)).toEqual(new Uint8Array(4).fill(0xa5))
    return entry.read(out, length)
  }

  function fromDer(der: Uint8Array): string | undefined {
    entry.write(key, new Uint8Array(80).fill(0xa5))
    entry.write(key, der)
    return entry.exports['ecdsaSignatureFromDer'](key, der.length, out) ? hex(entry.read(out, 64)) : undefined
  }

  const numbers = [1n, 0x7fn, 0x80n, 0xffn, 0x100n, (1n << 255n) - 1n, 1n << 255n, N - 1n, (1n << 247n) + 5n]

  it('is what @noble/curves writes, and reads back', () => {
    for (const r of numbers) {
      for (const s of numbers) {
        const der = toDer(pair(r, s))
        expect(hex(der)).toBe(new p256.Signature(r, s).toHex('der'))
        expect(der.length).toBeLessThanOrEqual(72)
        expect(fromDer(der)).toBe(hex(pair(r, s)))
      }
    }
  })

  it('is refused when it is not exactly DER', () => {
    const good = toDer(pair(N - 1n, 0x7fn))
    expect(fromDer(good)).toBeDefined()
    for (let length = 0; length < good.length; length++) expect(fromDer(good.slice(0, length))).toBeUndefined()
    const wrong = [
      '3007020100020101', // one byte short
      '300602010002010100', // one byte after it
      '3006020101020181', // negative
      '300702020001020101', // a zero too many
      '3006028101020101', // long length
      '30050200020101', // empty integer
      '3106020101020101', // a set
      '3006030101020101', // a bit string
      '3080020101020101', // indefinite length
      `30260221${'01'.repeat(33)}020101`, // 257 bits
      `30270222${'00'.repeat(2)}${'ff'.repeat(32)}020101`,
    ]
    for (const text of wrong) expect({ text, value: fromDer(unhex(text)) }).toEqual({ text, value: undefined })
    expect(fromDer(unhex('3006020101020101'))).toBe(hex(pair(1n, 1n)))
  })

  it('never reads or writes elsewhere for any bytes', () => {
    for (let i = 0; i < 3000; i++) {
      const der = random(i % 76)
      if (der.length > 4) {
        der[0] = 0x30
        der[1] = der.length - 2
        der[2] = 2
        if (i % 2) der[3] = i % 35
      }
      const read = fromDer(der)
      if (read !== undefined) expect(hex(toDer(unhex(read)))).toBe(hex(der))
    }
  })
})

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice()
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

/** x^3 - 3x + b */
function right(x: bigint): bigint {
  return (((x * x * x - 3n * x + p256.Point.CURVE().b) % P) + P) % P
}

function isSquare(x: bigint): boolean {
  return p256.Point.Fp.pow(x, (P - 1n) / 2n) === 1n
}

function nodeKey(point: Uint8Array): KeyObject {
  const prefix = unhex('3059301306072a8648ce3d020106082a8648ce3d030107034200')
  return createPublicKey({ key: Buffer.concat([prefix, point]), format: 'der', type: 'spki' })
}

function nodePrivateKey(secret: Uint8Array, point: Uint8Array) {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  const jwk = { kty: 'EC', crv: 'P-256', d: text(secret), x: text(point.slice(1, 33)), y: text(point.slice(33)) }
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

/** RFC 6979, section 3.2, written down again with node:crypto: the first candidates, without asking their range. */
function noncesByHand(secret: Uint8Array, digest: Uint8Array, count: number): string[] {
  const mac = (k: Uint8Array, ...parts: Uint8Array[]) =>
    new Uint8Array(createHmac('sha256', k).update(Buffer.concat(parts)).digest())
  let v: Uint8Array = new Uint8Array(32).fill(1)
  let k: Uint8Array = new Uint8Array(32)
  for (const separator of [0, 1]) {
    k = mac(k, v, Uint8Array.of(separator), secret, digest)
    v = mac(k, v)
  }
  const nonces: string[] = []
  while (nonces.length < count) {
    v = mac(k, v)
    nonces.push(hex(v))
    k = mac(k, v, Uint8Array.of(0))
    v = mac(k, v)
  }
  return nonces
}

/** Message, hash, k, r, s. */
const RFC6979_A25 = [
  [
    'sample',
    'sha256',
    'a6e3c57dd01abe90086538398355dd4c3b17aa873382b0f24d6129493d8aad60',
    'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716',
    'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  ],
  [
    'sample',
    'sha384',
    '09f634b188cefd98e7ec88b1aa9852d734d0bc272f7d2a47decc6ebeb375aad4',
    '0eafea039b20e9b42309fb1d89e213057cbf973dc0cfc8f129edddc800ef7719',
    '4861f0491e6998b9455193e34e7b0d284ddd7149a74b95b9261f13abde940954',
  ],
  [
    'sample',
    'sha512',
    '5fa81c63109badb88c1f367b47da606da28cad69aa22c4fe6ad7df73a7173aa5',
    '8496a60b5e9b47c825488827e0495b0e3fa109ec4568fd3f8d1097678eb97f00',
    '2362ab1adbe2b8adf9cb9edab740ea6049c028114f2460f96554f61fae3302fe',
  ],
  [
    'test',
    'sha256',
    'd16b6ae827f17175e040871a1c7ec3500192c4c92677336ec2537acaee0008e0',
    'f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367',
    '019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083',
  ],
  [
    'test',
    'sha384',
    '16aeffa357260b04b1dd199693960740066c1a8f3e8edd79070aa914d361b3b8',
    '83910e8b48bb0c74244ebdf7f07a1c5413d61472bd941ef3920e623fbccebeb6',
    '8ddbec54cf8cd5874883841d712142a56a8d0f218f5003cb0296b6b509619f2c',
  ],
  [
    'test',
    'sha512',
    '6915d11632aca3c40d5d51c08daf9c555933819548784480e93499000d9f0b7f',
    '461d93f31b6540894788fd206c07cfa0cc35f46fa3c91816fff1040ad1581a04',
    '39af9f15de0db8d97e72719c74820d304ce5226e32dedae67519e840d1194e55',
  ],
] as const
