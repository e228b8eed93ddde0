// ECDSA on P-384, and on P-256 by the same door, against RFC 6979, node:crypto and @noble/curves.

import { createHash, createPublicKey, verify as nodeVerify } from 'node:crypto'
import { p256, p384 } from '@noble/curves/nist.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { bytesBe, numberBe, numberLe, seededBytes, unhex } from './public_key'
import { element, integer } from './rsa_keys'
import { loadVerifier, type SchemeName, type Verifier } from './signature'

const HASHES = ['sha256', 'sha384', 'sha512'] as const
type HashName = (typeof HASHES)[number]

const CURVES = {
  p256: { curve: p256, size: 32, oid: '2a8648ce3d030107' },
  p384: { curve: p384, size: 48, oid: '2b81040022' },
} as const
type CurveName = keyof typeof CURVES

const { Point } = p384
const N = Point.Fn.ORDER
const P = Point.Fp.ORDER
const G = Point.BASE
const order = Point.Fn

let verifier: Verifier
beforeAll(async () => {
  verifier = await loadVerifier()
})

const digestOf = (hash: HashName, message: Uint8Array) => new Uint8Array(createHash(hash).update(message).digest())

function nodeSays(name: CurveName, hash: HashName, point: Uint8Array, message: Uint8Array, der: Uint8Array): boolean {
  const algorithm = element(0x30, unhex('06072a8648ce3d0201'), element(6, unhex(CURVES[name].oid)))
  const key = Buffer.from(element(0x30, algorithm, element(3, [0], point)))
  try {
    return nodeVerify(hash, message, createPublicKey({ key, format: 'der', type: 'spki' }), der)
  } catch {
    return false
  }
}

/** Both verdicts, which must agree. */
function verdict(name: CurveName, hash: HashName, point: Uint8Array, message: Uint8Array, der: Uint8Array): boolean {
  const ours = verifier.verify(`${name}-${hash}` as SchemeName, point, message, der)
  expect(ours, `${name}, ${hash}`).toBe(nodeSays(name, hash, point, message, der))
  return ours
}

function sign(name: CurveName, hash: HashName, message: Uint8Array, key: Uint8Array): Uint8Array {
  return CURVES[name].curve.sign(digestOf(hash, message), key, { prehash: false, lowS: false, format: 'der' })
}

const derOf = (r: bigint, s: bigint) => element(0x30, integer(r), integer(s))

describe('the constants of P-384', () => {
  it('are_what_the_curve_says', () => {
    const R = 1n << 384n
    const at = (name: string, index = 0) => {
      const address = verifier.exports[name].value + 48 * index
      return numberLe(new Uint8Array(verifier.exports['memory'].buffer.slice(address, address + 48)))
    }
    expect(at('P384_P')).toBe(P)
    expect(at('P384_N')).toBe(N)
    expect(at('P384_ONE')).toBe(R % P)
    expect(at('P384_R2')).toBe((R * R) % P)
    expect(at('P384_N_R2')).toBe((R * R) % N)
    expect(at('P384_B')).toBe((Point.CURVE().b * R) % P)
    for (let i = 0; i < 8; i++) {
      const { x, y } = G.multiply(BigInt(2 * i + 1)).toAffine()
      expect(at('P384_ODD', 2 * i)).toBe((x * R) % P)
      expect(at('P384_ODD', 2 * i + 1)).toBe((y * R) % P)
    }
  })
})

describe('ECDSA on P-384', () => {
  it('takes_the_signatures_of_RFC_6979', () => {
    // Appendix A.2.6.
    const point = unhex(
      '04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13' +
        '8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720',
    )
    const vectors: [HashName, string, string, string][] = [
      [
        'sha256',
        'sample',
        '21b13d1e013c7fa1392d03c5f99af8b30c570c6f98d4ea8e354b63a21d3daa33bde1e888e63355d92fa2b3c36d8fb2cd',
        'f3aa443fb107745bf4bd77cb3891674632068a10ca67e3d45db2266fa7d1feebefdc63eccd1ac42ec0cb8668a4fa0ab0',
      ],
      [
        'sha384',
        'sample',
        '94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46',
        '99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8',
      ],
      [
        'sha512',
        'sample',
        'ed0959d5880ab2d869ae7f6c2915c6d60f96507f9cb3e047c0046861da4a799cfe30f35cc900056d7c99cd7882433709',
        '512c8cceee3890a84058ce1e22dbc2198f42323ce8aca9135329f03c068e5112dc7cc3ef3446defceb01a45c2667fdd5',
      ],
      [
        'sha384',
        'test',
        '8203b63d3c853e8d77227fb377bcf7b7b772e97892a80f36ab775d509d7a5feb0542a7f0812998da8f1dd3ca3cf023db',
        'ddd0760448d42d8a43af45af836fce4de8be06b485e9b61b827c2f13173923e06a739f040649a667bf3b828246baa5a5',
      ],
    ]
    for (const [hash, text, r, s] of vectors) {
      const der = derOf(BigInt(`0x${r}`), BigInt(`0x${s}`))
      expect(verdict('p384', hash, point, Buffer.from(text), der)).toBe(true)
      expect(verdict('p384', hash, point, Buffer.from(`${text}.`), der)).toBe(false)
    }
  })

  it('refuses_r_and_s_of_zero_and_from_the_order_up', () => {
    const key = seededBytes(1)(48)
    const point = p384.getPublicKey(key, false)
    const message = seededBytes(2)(20)
    const { r, s } = p384.Signature.fromBytes(sign('p384', 'sha384', message, key), 'der')
    expect(verdict('p384', 'sha384', point, message, derOf(r, s))).toBe(true)
    expect(verdict('p384', 'sha384', point, message, derOf(r, N - s))).toBe(true)
    const top = (1n << 384n) - 1n
    for (const wrong of [0n, N, N + 1n, top, N - 1n, 1n]) {
      expect(verdict('p384', 'sha384', point, message, derOf(wrong, s))).toBe(false)
      expect(verdict('p384', 'sha384', point, message, derOf(r, wrong))).toBe(false)
    }
    expect(verdict('p384', 'sha384', point, message, derOf(s, r))).toBe(false)
  })

  it('refuses_points_off_the_curve_and_other_encodings', () => {
    const key = seededBytes(3)(48)
    const point = p384.getPublicKey(key, false)
    const message = seededBytes(4)(20)
    const der = sign('p384', 'sha384', message, key)
    const { x, y } = Point.fromBytes(point).toAffine()
    const made = (a: bigint, b: bigint, first = 4) => Uint8Array.from([first, ...bytesBe(a, 48), ...bytesBe(b, 48)])
    expect(verdict('p384', 'sha384', made(x, y), message, der)).toBe(true)
    expect(verdict('p384', 'sha384', made(x, P - y), message, der)).toBe(false)
    for (const wrong of [
      made(x, y ^ 1n),
      made(x ^ 1n, y),
      made(0n, 0n),
      made(x, 0n),
      made(P, y),
      made(x, P),
      made((1n << 384n) - 1n, y),
      made(x, y, 2),
      made(x, y, 0),
      point.subarray(0, 96),
      Uint8Array.from([...point, 0]),
      new Uint8Array([0]),
      new Uint8Array(0),
      p256.getPublicKey(seededBytes(3)(32), false),
    ]) {
      expect(verdict('p384', 'sha384', wrong, message, der)).toBe(false)
    }
    // Those OpenSSL takes; TLS 1.3 and our X.509 know the uncompressed form only (RFC 8446, section 4.2.8.2).
    const compressed = p384.getPublicKey(key, true)
    expect(verifier.verify('p384-sha384', compressed, message, der)).toBe(false)
    expect(verifier.verify('p384-sha384', made(x, y, 6 + Number(y & 1n)), message, der)).toBe(false)
  })

  it('is_right_where_both_parts_of_the_sum_are_alike_opposite_or_infinity', () => {
    // For Q = d G: u1 + u2 d = k. Digest z, r and s follow from chosen u1 and u2.
    const zOf = (d: bigint, u1: bigint, u2: bigint) => {
      const k = order.create(u1 + u2 * d)
      const r = k === 0n ? 5n : order.create(G.multiply(k).toAffine().x)
      const s = order.mul(r, order.inv(u2))
      return { digest: bytesBe(order.mul(u1, s), 48), der: derOf(r, s), good: k !== 0n }
    }
    const cases: [bigint, bigint, bigint][] = [
      [1n, 5n, 5n],
      [1n, 1n, 1n],
      [1n, 7n, N - 7n],
      [N - 1n, 7n, 7n],
      [N - 1n, 9n, 8n],
      [2n, 2n, 1n],
      [2n, N - 2n, 1n],
      [3n, 3n, 1n],
      [5n, 0n, 11n],
      [1n, 0n, 1n],
      [N - 1n, 0n, N - 1n],
      [(N + 1n) / 2n, 1n, 2n],
      [(N + 1n) / 2n, N - 1n, 2n],
    ]
    for (let i = 0; i < 5; i++) {
      const d = numberBe(seededBytes(20 + i)(40)) + 1n
      cases.push([d, d, 1n], [d, N - d, 1n], [d, order.mul(d, 77n), 77n], [d, order.neg(order.mul(d, 77n)), 77n])
    }
    for (const [d, u1, u2] of cases) {
      const { digest, der, good } = zOf(d, u1, u2)
      const point = G.multiply(d).toBytes(false)
      expect(verifier.verifyDigest('p384-sha384', point, digest, der), `${d}, ${u1}, ${u2}`).toBe(good)
      expect(p384.verify(der, digest, point, { prehash: false, lowS: false, format: 'der' })).toBe(good)
    }
  })

  it('knows_that_x_may_lie_between_the_order_and_p', () => {
    // Such an x comes by chance once in 2^190 signatures: look for a point with x = n + small, and take it as k G, whose k
    // nobody knows. With r = x - n, any s and any u1 = z / s: Q = (r / s)^-1 (K - u1 G).
    let found: { x: bigint; y: bigint } | undefined
    let x = N + 1n
    for (; found === undefined; x++) {
      const square = Point.Fp.create(x * x * x - 3n * x + Point.CURVE().b)
      try {
        found = { x, y: Point.Fp.sqrt(square) }
      } catch {
        // Not a square.
      }
    }
    const K = Point.fromAffine(found)
    const r = found.x - N
    expect(r < 100n).toBe(true)
    const digest = seededBytes(30)(48)
    const s = numberBe(seededBytes(31)(40))
    const u1 = order.mul(order.create(numberBe(digest)), order.inv(s))
    const Q = K.subtract(G.multiply(u1)).multiply(order.inv(order.mul(r, order.inv(s))))
    expect(verifier.verifyDigest('p384-sha384', Q.toBytes(false), digest, derOf(r, s))).toBe(true)
    expect(verifier.verifyDigest('p384-sha384', Q.toBytes(false), digest, derOf(r + 1n, s))).toBe(false)
  })

  it('takes_digests_at_and_above_the_order_modulo_the_order', () => {
    const key = seededBytes(40)(48)
    const point = p384.getPublicKey(key, false)
    for (const z of [0n, 1n, N - 1n, N, N + 1n, (1n << 384n) - 1n]) {
      const digest = bytesBe(z, 48)
      const der = p384.sign(digest, key, { prehash: false, lowS: false, format: 'der' })
      expect(verifier.verifyDigest('p384-sha384', point, digest, der)).toBe(true)
      const same = z < N ? z + N : z - N
      if (same < 1n << 384n) expect(verifier.verifyDigest('p384-sha384', point, bytesBe(same, 48), der)).toBe(true)
      expect(verifier.verifyDigest('p384-sha384', point, bytesBe(z ^ 4n, 48), der)).toBe(false)
    }
  })
})

describe.each(['p256', 'p384'] as const)('ECDSA on %s', (name) => {
  const { curve, size } = CURVES[name]

  it('agrees_with_node_crypto_on_hundreds_of_signatures_good_and_changed', () => {
    const random = seededBytes(size)
    for (let i = 0; i < 40; i++) {
      const key = random(size)
      const point = curve.getPublicKey(key, false)
      const hash = HASHES[i % 3]
      const message = random(i)
      const der = sign(name, hash, message, key)
      expect(verdict(name, hash, point, message, der)).toBe(true)
      expect(verifier.verifyDigest(`${name}-${hash}`, point, digestOf(hash, message), der)).toBe(true)
      expect(verdict(name, HASHES[(i + 1) % 3], point, message, der)).toBe(false)
      for (let k = 0; k < 4; k++) {
        const other = der.slice()
        other[random(1)[0] % der.length] ^= 1 << (random(1)[0] & 7)
        expect(verdict(name, hash, point, message, other)).toBe(false)
      }
    }
  })

  it('takes_signatures_in_exactly_DER', () => {
    const key = seededBytes(50)(size)
    const point = curve.getPublicKey(key, false)
    const message = seededBytes(51)(20)
    const der = sign(name, 'sha384', message, key)
    const { r, s } = curve.Signature.fromBytes(der, 'der')
    const [a, b] = [integer(r), integer(s)]
    expect(verdict(name, 'sha384', point, message, element(0x30, a, b))).toBe(true)
    const wrong: Record<string, Uint8Array> = {
      nothing: new Uint8Array(0),
      'trailing bytes': Uint8Array.from([...der, 0]),
      'trailing bytes in the sequence': element(0x30, a, b, [0]),
      'three numbers': element(0x30, a, b, b),
      'one number': element(0x30, a),
      'a set': element(0x31, a, b),
      'a long length': Uint8Array.from([0x30, 0x81, ...der.subarray(1)]),
      'a zero too many': element(0x30, element(2, [0, 0], bytesBe(r, size)), b),
      'r | s': Uint8Array.from([...bytesBe(r, size), ...bytesBe(s, size)]),
      'a negative number': element(0x30, element(2, [0xff], bytesBe(r, size)), b),
    }
    for (const [what, one] of Object.entries(wrong)) {
      expect(verifier.verify(`${name}-sha384`, point, message, one), what).toBe(false)
    }
    for (let length = 0; length < der.length; length++) {
      expect(verifier.verify(`${name}-sha384`, point, message, der.subarray(0, length))).toBe(false)
    }
  })
})
