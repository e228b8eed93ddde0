// RSA signatures against node:crypto: keys of many sizes, every kind of wrong padding, keys and signatures out of range.

import { constants, createHash, sign as nodeSign, verify as nodeVerify } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { bytesBe, numberBe, seededBytes } from './public_key'
import { element, integer, type RsaPair, rsaPairs } from './rsa_keys'
import { loadVerifier, SALT_AS_HASH, type SchemeName, type Verifier } from './signature'

const HASHES = ['sha256', 'sha384', 'sha512'] as const
type HashName = (typeof HASHES)[number]
const LENGTH = { sha256: 32, sha384: 48, sha512: 64 }
/** DigestInfo up to the digest (RFC 8017, section 9.2, note 1). */
const INFO = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
}

const pairs = rsaPairs()
const good = pairs.filter(({ bits }) => bits >= 2048 && bits <= 4096)
const pair = good.find(({ bits }) => bits === 2048) as RsaPair
const cubic = good.find(({ exponent }) => exponent === 3) as RsaPair

let verifier: Verifier
beforeAll(async () => {
  verifier = await loadVerifier()
})

const digestOf = (hash: HashName, message: Uint8Array) => createHash(hash).update(message).digest()

function pkcs1(key: RsaPair, hash: HashName, message: Uint8Array): Uint8Array {
  return new Uint8Array(nodeSign(hash, message, key.privateKey))
}

function pss(key: RsaPair, hash: HashName, message: Uint8Array, saltLength = LENGTH[hash]): Uint8Array {
  const options = { key: key.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
  return new Uint8Array(nodeSign(hash, message, options))
}

function nodeSays(
  scheme: SchemeName,
  key: RsaPair,
  message: Uint8Array,
  signature: Uint8Array,
  salt?: number,
): boolean {
  const hash = scheme.slice(-6) as HashName
  const padding = scheme.includes('pss') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const saltLength = padding === constants.RSA_PKCS1_PSS_PADDING ? (salt ?? LENGTH[hash]) : undefined
  return nodeVerify(hash, message, { key: key.publicKey, padding, saltLength }, signature)
}

/** Both verdicts, which must agree. */
function verdict(scheme: SchemeName, key: RsaPair, message: Uint8Array, signature: Uint8Array, salt?: number): boolean {
  const ours = verifier.verify(scheme, key.der, message, signature, salt ?? SALT_AS_HASH)
  expect(ours, `${scheme}, ${key.bits} bits`).toBe(nodeSays(scheme, key, message, signature, salt))
  return ours
}

describe('RSA', () => {
  it.each(good)('takes what a key of $bits bits and exponent $exponent signs and nothing near it', (key) => {
    const random = seededBytes(key.bits)
    for (const hash of HASHES) {
      const message = random(random(1)[0])
      for (const [scheme, signature] of [
        [`rsa-pkcs1-${hash}`, pkcs1(key, hash, message)],
        [`rsa-pss-${hash}`, pss(key, hash, message)],
      ] as const) {
        expect(verdict(scheme, key, message, signature)).toBe(true)
        expect(verifier.verifyDigest(scheme, key.der, digestOf(hash, message), signature)).toBe(true)
        const other = signature.slice()
        other[random(1)[0] % other.length] ^= 1 << (random(1)[0] & 7)
        expect(verdict(scheme, key, message, other)).toBe(false)
        expect(verdict(scheme, key, random(40), signature)).toBe(false)
        const paddings = (['pkcs1', 'pss'] as const).flatMap((padding) =>
          HASHES.map((h) => `rsa-${padding}-${h}` as const),
        )
        for (const wrong of paddings.filter((name) => name !== scheme)) {
          expect(verdict(wrong, key, message, signature)).toBe(false)
        }
      }
    }
  })

  it('agrees_with_node_crypto_on_a_thousand_changed_signatures', () => {
    const random = seededBytes(7)
    const message = random(33)
    const signatures = {
      'rsa-pkcs1-sha256': pkcs1(pair, 'sha256', message),
      'rsa-pss-sha256': pss(pair, 'sha256', message),
    }
    for (let i = 0; i < 500; i++) {
      for (const [scheme, signature] of Object.entries(signatures) as [SchemeName, Uint8Array][]) {
        const other = signature.slice()
        if (i % 2 === 0) other[random(1)[0]] ^= 1 << (i & 7)
        else other.set(random(8), random(1)[0] % 249)
        expect(verdict(scheme, pair, message, other)).toBe(false)
      }
    }
  })

  it('refuses_signatures_of_the_wrong_length_and_from_the_modulus_up', () => {
    const message = seededBytes(8)(20)
    for (const key of [pair, cubic, ...good.filter(({ bits }) => bits === 2500)]) {
      const signature = pkcs1(key, 'sha256', message)
      const s = numberBe(signature)
      const wrong = [
        signature.subarray(1),
        signature.subarray(0, -1),
        new Uint8Array(0),
        Uint8Array.from([0, ...signature]),
        Uint8Array.from([...signature, 0]),
        bytesBe(key.modulus, key.size),
        bytesBe(0n, key.size),
        bytesBe(1n, key.size),
        bytesBe(key.modulus - 1n, key.size),
        bytesBe(key.modulus - s, key.size),
        new Uint8Array(key.size).fill(255),
      ]
      if (s + key.modulus < 1n << BigInt(8 * key.size)) wrong.push(bytesBe(s + key.modulus, key.size))
      for (const one of wrong) {
        expect(verifier.verify('rsa-pkcs1-sha256', key.der, message, one)).toBe(false)
        expect(verifier.verify('rsa-pss-sha256', key.der, message, one)).toBe(false)
      }
    }
  })

  it('refuses_the_sum_of_signature_and_modulus', () => {
    const key = good.find(({ bits }) => bits === 2049) as RsaPair
    const message = seededBytes(9)(20)
    const again = bytesBe(numberBe(pkcs1(key, 'sha256', message)) + key.modulus, key.size)
    expect(verdict('rsa-pkcs1-sha256', key, message, again)).toBe(false)
  })
})

describe('PKCS#1 v1.5', () => {
  const message = seededBytes(10)(50)
  const digest = digestOf('sha256', message)
  const info = Buffer.from(INFO.sha256, 'hex')

  /** 00 01 ff .. ff 00, then `rest`, in all as long as the modulus. */
  const encoded = (rest: Uint8Array, key = pair, filler = 0xff) =>
    Uint8Array.from([0, 1, ...new Array(key.size - 3 - rest.length).fill(filler), 0, ...rest])
  const wholesome = Buffer.concat([info, digest])

  it('takes_the_one_right_encoded_message', () => {
    for (const hash of HASHES) {
      const right = encoded(Buffer.concat([Buffer.from(INFO[hash], 'hex'), digestOf(hash, message)]))
      expect(verdict(`rsa-pkcs1-${hash}`, pair, message, pair.raw(right))).toBe(true)
    }
  })

  it('refuses_every_single_changed_byte_of_the_encoded_message', () => {
    const right = encoded(wholesome)
    for (let at = 0; at < right.length; at++) {
      for (const change of at < 2 || at > right.length - 54 ? [1, 0x80] : [1]) {
        const wrong = right.slice()
        wrong[at] ^= change
        if (numberBe(wrong) >= pair.modulus) continue
        expect(verdict('rsa-pkcs1-sha256', pair, message, pair.raw(wrong))).toBe(false)
      }
    }
  })

  it('refuses_other_paddings_and_other_shapes_of_DigestInfo', () => {
    const algorithm = Buffer.from('0609608648016503040201', 'hex')
    const octets = element(4, digest)
    const shapes: Record<string, Uint8Array> = {
      'no NULL': element(0x30, element(0x30, algorithm), octets),
      'NULL with contents': element(0x30, element(0x30, algorithm, [5, 1, 0]), octets),
      'NULL with a long length': element(0x30, element(0x30, algorithm, [5, 0x81, 0]), octets),
      'other parameters': element(0x30, element(0x30, algorithm, element(4, new Uint8Array(8))), octets),
      'trailing bytes in the sequence': element(0x30, element(0x30, algorithm, [5, 0]), octets, [0]),
      'trailing bytes behind it': Uint8Array.from([...wholesome, 0]),
      'a long length of the sequence': Uint8Array.from([0x30, 0x81, 0x31, ...wholesome.subarray(2)]),
      'an endless length': Uint8Array.from([0x30, 0x80, ...wholesome.subarray(2), 0, 0]),
      'a long length of the digest': element(0x30, element(0x30, algorithm, [5, 0]), [4, 0x81, 32], digest),
      'no DigestInfo': digest,
      'a digest cut short': element(0x30, element(0x30, algorithm, [5, 0]), element(4, digest.subarray(0, 31))),
      nothing: new Uint8Array(0),
      'the number of SHA-384': Uint8Array.from(wholesome, (byte, i) => (i === 14 ? 2 : byte)),
      'the number of SHA-1': element(0x30, element(0x30, Buffer.from('06052b0e03021a', 'hex'), [5, 0]), octets),
    }
    for (const [name, shape] of Object.entries(shapes)) {
      expect(verdict('rsa-pkcs1-sha256', pair, message, pair.raw(encoded(shape))), name).toBe(false)
    }
    const right = encoded(wholesome)
    const paddings: Record<string, Uint8Array> = {
      'block type 0': Uint8Array.from(right, (byte, i) => (i === 1 ? 0 : i < pair.size - 51 ? 0 : byte)),
      'block type 2': Uint8Array.from(right, (byte, i) => (i === 1 ? 2 : byte)),
      'zeros as filler': encoded(wholesome, pair, 0),
      'no separator': Uint8Array.from(right, (byte, i) => (i === pair.size - 52 ? 0xff : byte)),
      'shifted by one': Uint8Array.from([0, ...right.subarray(0, -1)]),
      'eight bytes of filler, then garbage': Uint8Array.from([
        ...[0, 1, ...new Array(8).fill(255), 0],
        ...wholesome,
        ...new Array(pair.size - 62).fill(7),
      ]),
      'garbage between filler and DigestInfo': Uint8Array.from([
        ...[0, 1, ...new Array(8).fill(255), 0],
        ...new Array(pair.size - 62).fill(7),
        ...wholesome,
      ]),
    }
    for (const [name, wrong] of Object.entries(paddings)) {
      expect(verdict('rsa-pkcs1-sha256', pair, message, pair.raw(wrong)), name).toBe(false)
    }
  })

  it('refuses_a_cube_root_forged_without_the_key', () => {
    // D. Bleichenbacher, 2006: with e = 3 the upper third of a cube can be chosen.
    for (const key of good.filter(({ exponent }) => exponent === 3)) {
      const front = Uint8Array.from([0, 1, ...new Array(8).fill(255), 0, ...wholesome])
      const shift = BigInt(8 * (key.size - front.length))
      const root = cubeRoot((numberBe(front) + 1n) << shift)
      expect((root ** 3n) >> shift).toBe(numberBe(front))
      expect(verdict('rsa-pkcs1-sha256', key, message, bytesBe(root, key.size))).toBe(false)
    }
  })

  it('refuses_a_cube_root_whose_end_is_the_digest', () => {
    // The lower end of a cube can be chosen too, when the number is odd.
    const low = numberBe(Uint8Array.from([0, ...wholesome.subarray(0, -1), wholesome[50] | 1]))
    const bits = 8n * 52n
    let root = 1n
    for (let bit = 0n; bit < bits; bit++) if (((root ** 3n - low) >> bit) & 1n) root += 1n << bit
    expect(BigInt.asUintN(Number(bits), root ** 3n)).toBe(low)
    expect(verdict('rsa-pkcs1-sha256', cubic, message, bytesBe(root, cubic.size))).toBe(false)
  })
})

/** The greatest number whose cube is below `value`. */
function cubeRoot(value: bigint): bigint {
  let root = 0n
  for (let bit = BigInt((value.toString(2).length / 3 + 1) | 0); bit >= 0n; bit--) {
    if ((root + (1n << bit)) ** 3n < value) root += 1n << bit
  }
  return root
}

/** MGF1 (RFC 8017, appendix B.2.1). */
function mask(hash: HashName, seed: Uint8Array, length: number): Uint8Array {
  const parts: Uint8Array[] = []
  for (let i = 0; parts.length * LENGTH[hash] < length; i++) {
    parts.push(
      createHash(hash)
        .update(seed)
        .update(bytesBe(BigInt(i), 4))
        .digest(),
    )
  }
  return Buffer.concat(parts).subarray(0, length)
}

interface PssFaults {
  salt?: Uint8Array
  saltInHash?: Uint8Array
  trailer?: number
  one?: number
  zeros?: number
  spare?: number
  maskHash?: HashName
  prefix?: number
}

/** The encoded message of PSS, with the faults asked for. */
function pssEncoded(key: RsaPair, hash: HashName, message: Uint8Array, faults: PssFaults = {}): Uint8Array {
  const salt = faults.salt ?? new Uint8Array(LENGTH[hash]).fill(0x5a)
  const length = Math.ceil((key.bits - 1) / 8)
  const m = Buffer.concat([
    new Uint8Array(8).fill(faults.prefix ?? 0),
    digestOf(hash, message),
    faults.saltInHash ?? salt,
  ])
  const h = createHash(hash).update(m).digest()
  const db = new Uint8Array(length - h.length - 1)
  db.set(salt, db.length - salt.length)
  db[db.length - salt.length - 1] = faults.one ?? 1
  if (faults.zeros !== undefined) db[faults.zeros] ^= 1
  const masked = mask(faults.maskHash ?? hash, h, db.length).map((byte, i) => byte ^ db[i])
  masked[0] = (masked[0] & (0xff >> (8 * length - (key.bits - 1)))) | (faults.spare ?? 0)
  const em = Uint8Array.from([...masked, ...h, faults.trailer ?? 0xbc])
  return em.length < key.size ? Uint8Array.from([0, ...em]) : em
}

describe('PSS', () => {
  const message = seededBytes(11)(50)

  it('takes_any_salt_of_the_length_that_is_asked_for_and_no_other_length', () => {
    for (const key of good.filter(({ bits }) => [2048, 2049, 2056].includes(bits))) {
      const most = Math.ceil((key.bits - 1) / 8) - 32 - 2
      for (const saltLength of [0, 1, 20, 31, 32, 33, 64, most - 1, most]) {
        const signature = pss(key, 'sha256', message, saltLength)
        for (const asked of [0, 1, 20, 31, 32, 33, 64, most - 1, most]) {
          expect(verdict('rsa-pss-sha256', key, message, signature, asked)).toBe(asked === saltLength)
        }
        expect(verdict('rsa-pss-sha256', key, message, signature)).toBe(saltLength === 32)
        for (const asked of [most + 1, most + 2, 1000, 0x7fff_ffff, 0xffff_fffe]) {
          expect(verifier.verify('rsa-pss-sha256', key.der, message, signature, asked)).toBe(false)
        }
      }
    }
  })

  it('refuses_every_fault_in_the_encoded_message', () => {
    for (const key of good.filter(({ exponent }) => exponent !== 0xfffffffb)) {
      for (const hash of HASHES) {
        const size = LENGTH[hash]
        const scheme = `rsa-pss-${hash}` as const
        const spareBits = 8 * Math.ceil((key.bits - 1) / 8) - (key.bits - 1)
        const judged = (faults: PssFaults) => {
          const encoded = pssEncoded(key, hash, message, faults)
          return numberBe(encoded) < key.modulus && verdict(scheme, key, message, key.raw(encoded))
        }
        expect(judged({})).toBe(true)
        expect(judged({ salt: new Uint8Array(size) })).toBe(true)
        const faults: PssFaults[] = [
          { trailer: 0xcc },
          { trailer: 0 },
          { one: 0 },
          { one: 2 },
          { one: 0x81 },
          { zeros: 1 },
          { zeros: 40 },
          { salt: new Uint8Array(size - 1) },
          { salt: new Uint8Array(size + 1) },
          { saltInHash: new Uint8Array(size) },
          { saltInHash: new Uint8Array(0) },
          { maskHash: hash === 'sha256' ? 'sha512' : 'sha256' },
          { prefix: 1 },
        ]
        if (spareBits > 0) faults.push({ spare: 0x80 >> (spareBits - 1) }, { spare: 0x80 })
        for (const fault of faults) expect(judged(fault), JSON.stringify(fault)).toBe(false)
      }
    }
  })

  it('refuses_every_single_changed_byte_of_the_encoded_message', () => {
    const right = pssEncoded(pair, 'sha256', message)
    for (let at = 0; at < right.length; at += 3) {
      const wrong = right.slice()
      wrong[at] ^= 0x20
      if (numberBe(wrong) < pair.modulus) expect(verdict('rsa-pss-sha256', pair, message, pair.raw(wrong))).toBe(false)
    }
  })

  it('refuses_a_first_byte_that_the_message_has_no_room_for', () => {
    const key = good.find(({ bits }) => bits === 2049) as RsaPair
    const right = pssEncoded(key, 'sha256', message)
    expect(verdict('rsa-pss-sha256', key, message, key.raw(right))).toBe(true)
    const wrong = right.slice()
    wrong[0] = 1
    if (numberBe(wrong) < key.modulus) expect(verdict('rsa-pss-sha256', key, message, key.raw(wrong))).toBe(false)
  })
})

describe('an RSA key', () => {
  const message = seededBytes(12)(10)

  it('is_refused_below_2048_and_above_4096_bits', () => {
    for (const key of pairs) {
      const fits = key.bits >= 2048 && key.bits <= 4096
      expect(verifier.verify('rsa-pkcs1-sha256', key.der, message, pkcs1(key, 'sha256', message))).toBe(fits)
      verifier.write(verifier.area, key.der)
      expect(verifier.exports['signatureRsaBits'](verifier.area, key.der.length)).toBe(fits ? key.bits : 0)
    }
  })

  it('is_refused_with_an_even_modulus_or_an_exponent_out_of_range', () => {
    const signature = bytesBe(1n, pair.size)
    const key = (n: bigint, e: bigint) => element(0x30, integer(n), integer(e))
    const bits = (der: Uint8Array) => {
      verifier.write(verifier.area, der)
      return verifier.exports['signatureRsaBits'](verifier.area, der.length)
    }
    expect(bits(key(pair.modulus, 65537n))).toBe(2048)
    for (const e of [3n, 5n, 0xffffffffn]) expect(bits(key(pair.modulus, e))).toBe(2048)
    for (const e of [0n, 1n, 2n, 4n, 65536n, 0x1_0000_0001n, 2n ** 64n + 1n]) {
      expect(bits(key(pair.modulus, e))).toBe(0)
      expect(verifier.verify('rsa-pkcs1-sha256', key(pair.modulus, e), message, signature)).toBe(false)
    }
    expect(bits(key(pair.modulus - 1n, 65537n))).toBe(0)
    expect(bits(key(0n, 65537n))).toBe(0)
  })

  it('is_refused_unless_it_is_exactly_DER', () => {
    const signature = pkcs1(pair, 'sha256', message)
    const [n, e] = [integer(pair.modulus), integer(65537n)]
    const bare = bytesBe(pair.modulus, pair.size)
    const wrong: Record<string, Uint8Array> = {
      nothing: new Uint8Array(0),
      'a sequence of nothing': element(0x30),
      'no exponent': element(0x30, n),
      'three numbers': element(0x30, n, e, e),
      'trailing bytes': Uint8Array.from([...element(0x30, n, e), 0]),
      'trailing bytes in the sequence': element(0x30, n, e, [0]),
      'a set': element(0x31, n, e),
      'a negative modulus': element(0x30, element(2, bare), e),
      'a zero too many before the modulus': element(0x30, element(2, [0, 0], bare), e),
      'a zero too many before the exponent': element(0x30, n, element(2, [0, 1, 0, 1])),
      'an empty exponent': element(0x30, n, element(2)),
      'an empty modulus': element(0x30, element(2), e),
      'a long length of the exponent': element(0x30, n, [2, 0x81, 3, 1, 0, 1]),
      'an exponent of another type': element(0x30, n, element(4, [1, 0, 1])),
      'an endless length': Uint8Array.from([0x30, 0x80, ...n, ...e, 0, 0]),
      'a length of three bytes': Uint8Array.from([0x30, 0x83, 0, ...element(0x30, n, e).subarray(2)]),
    }
    expect(verifier.verify('rsa-pkcs1-sha256', element(0x30, n, e), message, signature)).toBe(true)
    for (const [name, der] of Object.entries(wrong)) {
      expect(verifier.verify('rsa-pkcs1-sha256', der, message, signature), name).toBe(false)
    }
    for (let length = 0; length < pair.der.length; length++) {
      expect(verifier.verify('rsa-pkcs1-sha256', pair.der.subarray(0, length), message, signature)).toBe(false)
    }
  })

  it('never_traps_on_random_edits', () => {
    const random = seededBytes(13)
    const signature = pkcs1(pair, 'sha256', message)
    for (let i = 0; i < 1500; i++) {
      const der = pair.der.slice()
      const edits = 1 + (random(1)[0] & 3)
      for (let k = 0; k < edits; k++) der[i % 2 === 0 ? random(1)[0] % 12 : random(1)[0] + 12] = random(1)[0]
      if (i % 5 === 0) der.set(random(6), der.length - 6)
      const same = Buffer.from(der).equals(Buffer.from(pair.der))
      expect(verifier.verify('rsa-pkcs1-sha256', der, message, signature)).toBe(same)
    }
  })
})

describe('the machine', () => {
  it('runs_one_verification_at_a_time', () => {
    const { signatureBegin, signatureStep, signatureBusy, signatureCancel, runSignature } = verifier.exports
    const message = seededBytes(14)(300)
    const signature = pkcs1(pair, 'sha256', message)
    const [k, s, m] = [verifier.area, verifier.area + 1024, verifier.area + 2048]
    verifier.write(k, pair.der)
    verifier.write(s, signature)
    verifier.write(m, message)
    const begin = () => signatureBegin(1, k, pair.der.length, m, message.length, s, signature.length, SALT_AS_HASH)
    expect(signatureStep()).toBe(-1)
    expect(signatureBusy()).toBe(0)
    expect(begin()).toBe(1)
    expect(signatureBusy()).toBe(1)
    expect(signatureStep()).toBe(0)
    expect(begin()).toBe(0)
    expect(runSignature()).toBe(1)
    expect(signatureBusy()).toBe(0)
    expect(signatureStep()).toBe(-1)
    expect(begin()).toBe(1)
    for (let i = 0; i < 20; i++) signatureStep()
    signatureCancel()
    expect(signatureBusy()).toBe(0)
    expect(begin()).toBe(1)
    expect(runSignature()).toBe(1)
  })

  it('refuses_schemes_that_do_not_exist', () => {
    for (const scheme of [0, 14, 255, 0xffff_ffff]) {
      expect(verifier.exports['signatureBegin'](scheme, 0, 0, 0, 0, 0, 0, 0)).toBe(1)
      expect(verifier.exports['runSignature']()).toBe(-1)
    }
  })
})
