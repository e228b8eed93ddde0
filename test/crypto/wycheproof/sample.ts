// A few home-made files in Wycheproof's format, to test the runner itself where the real vectors are not at hand.
// All values come from @noble, those of RSA from node:crypto, on seeded random inputs, so they also are one more comparison with it.

import { constants, createHash, sign as nodeSign } from 'node:crypto'
import { aessiv, cmac, gcm, gcmsiv } from '@noble/ciphers/aes.js'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { p256, p384 } from '@noble/curves/nist.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { rsaPairs } from '../rsa_keys'
import { hex, Random } from '../symmetric'
import type { Group, VectorFile } from './adapter'

const HASHES = { sha256, sha384, sha512 }
const TAG = 16

/** File name to contents. */
export function sampleFiles(): Record<string, VectorFile> {
  const files: Record<string, VectorFile> = {
    'aead_aes_siv_cmac_test.json': aead(32, 16, true, (key, iv, ad, msg) => aessiv(key, ad, iv).encrypt(msg)),
    'aes_siv_cmac_test.json': daead(),
    'aes_gcm_test.json': aead(16, 12, false, (key, iv, ad, msg) => gcm(key, iv, ad).encrypt(msg)),
    'aes_gcm_siv_test.json': aead(32, 12, false, (key, iv, ad, msg) => gcmsiv(key, iv, ad).encrypt(msg)),
    'chacha20_poly1305_test.json': aead(32, 12, false, (key, iv, ad, msg) =>
      chacha20poly1305(key, iv, ad).encrypt(msg),
    ),
    'aes_cmac_test.json': mac(16, (key, msg) => cmac(msg, key)),
  }
  files['x25519_test.json'] = exchange('XdhComp', x25519Secret)
  files['ecdh_secp256r1_ecpoint_test.json'] = exchange('EcdhEcpointTest', p256Secret)
  for (const name of ['sha256', 'sha512'] as const) {
    files[`ecdsa_secp256r1_${name}_test.json`] = signatures(name, 'der')
    files[`ecdsa_secp256r1_${name}_p1363_test.json`] = signatures(name, 'compact')
  }
  files['rsa_signature_2048_sha256_test.json'] = rsaSignatures('RsassaPkcs1Verify', constants.RSA_PKCS1_PADDING)
  files['rsa_pss_2048_sha256_mgf1_32_test.json'] = rsaSignatures('RsassaPssVerify', constants.RSA_PKCS1_PSS_PADDING)
  files['ecdsa_secp384r1_sha384_test.json'] = p384Signatures()
  files['ed25519_test.json'] = edwardsSignatures()
  for (const [name, hash] of Object.entries(HASHES)) {
    files[`hmac_${name}_test.json`] = mac(40, (key, msg) => hmac(hash, key, msg))
    files[`hkdf_${name}_test.json`] = derivation((ikm, salt, info, size) => hkdf(hash, ikm, salt, info, size))
  }
  return files
}

/** One file of one group; tests are numbered here. */
export function vectorFile(algorithm: string, group: Omit<Group, 'tests'>, tests: object[]): VectorFile {
  const numbered = tests.map((test, i) => ({ tcId: i + 1, comment: 'home-made', flags: [], ...test }))
  return {
    algorithm,
    numberOfTests: numbered.length,
    testGroups: [{ ...group, tests: numbered } as unknown as Group],
  }
}

type Seal = (key: Uint8Array, iv: Uint8Array, ad: Uint8Array, msg: Uint8Array) => Uint8Array

/** Per message length: the sealed message, then the same with a changed tag. */
function aead(keyLength: number, ivLength: number, tagFirst: boolean, seal: Seal): VectorFile {
  const random = new Random(keyLength * ivLength)
  const tests = [0, 1, 16, 45].flatMap((length) => {
    const [key, iv, ad, msg] = [keyLength, ivLength, length, length].map((n) => random.bytes(n))
    const sealed = seal(key, iv, ad, msg)
    const [tag, ct] = tagFirst
      ? [sealed.subarray(0, TAG), sealed.subarray(TAG)]
      : [sealed.subarray(length), sealed.subarray(0, length)]
    const fields = { key: hex(key), iv: hex(iv), aad: hex(ad), msg: hex(msg), ct: hex(ct), tag: hex(tag) }
    return [
      { ...fields, result: 'valid' },
      { ...fields, tag: changed(tag), result: 'invalid' },
    ]
  })
  return vectorFile('AEAD', { type: 'AeadTest', keySize: keyLength * 8, ivSize: ivLength * 8, tagSize: 128 }, tests)
}

/** Deterministic SIV: no nonce, and `ct` begins with the synthetic IV. */
function daead(): VectorFile {
  const random = new Random(4)
  const tests = [0, 20].flatMap((length) => {
    const [key, ad, msg] = [32, 9, length].map((n) => random.bytes(n))
    const sealed = aessiv(key, ad).encrypt(msg)
    const fields = { key: hex(key), aad: hex(ad), msg: hex(msg), ct: hex(sealed) }
    return [
      { ...fields, result: 'valid' },
      { ...fields, ct: changed(sealed), result: 'invalid' },
    ]
  })
  return vectorFile('AES-SIV-CMAC', { type: 'DaeadTest', keySize: 256 }, tests)
}

function mac(keyLength: number, code: (key: Uint8Array, msg: Uint8Array) => Uint8Array): VectorFile {
  const random = new Random(keyLength)
  const tests = [0, 16, 70].flatMap((length) => {
    const [key, msg] = [keyLength, length].map((n) => random.bytes(n))
    const tag = code(key, msg)
    const fields = { key: hex(key), msg: hex(msg) }
    return [
      { ...fields, tag: hex(tag), result: 'valid' },
      { ...fields, tag: hex(tag.subarray(0, 8)), result: 'valid' },
      { ...fields, tag: changed(tag), result: 'invalid' },
    ]
  })
  return vectorFile('MAC', { type: 'MacTest', keySize: keyLength * 8, tagSize: 128 }, tests)
}

type Derive = (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, size: number) => Uint8Array

function derivation(derive: Derive): VectorFile {
  const random = new Random(6)
  const tests = [1, 42, 200].flatMap((size) => {
    const [ikm, salt, info] = [22, 13, 10].map((n) => random.bytes(n))
    const okm = derive(ikm, salt, info, size)
    const fields = { ikm: hex(ikm), salt: hex(salt), info: hex(info), size }
    return [
      { ...fields, okm: hex(okm), result: 'valid' },
      { ...fields, okm: changed(okm), result: 'invalid' },
    ]
  })
  return vectorFile('HKDF', { type: 'HkdfTest', keySize: 176 }, tests)
}

type Exchange = (mine: Uint8Array, theirs: Uint8Array) => { point: Uint8Array; secret: Uint8Array }

const x25519Secret: Exchange = (mine, theirs) => {
  const point = x25519.getPublicKey(theirs)
  return { point, secret: x25519.getSharedSecret(mine, point) }
}

const p256Secret: Exchange = (mine, theirs) => {
  const point = p256.getPublicKey(theirs, false)
  return { point, secret: p256.getSharedSecret(mine, point).subarray(1) }
}

function exchange(type: string, agree: Exchange): VectorFile {
  const random = new Random(7)
  const tests = [0, 1, 2].flatMap(() => {
    const mine = random.bytes(32)
    const { point, secret } = agree(mine, random.bytes(32))
    const fields = { public: hex(point), private: hex(mine) }
    return [
      { ...fields, shared: hex(secret), result: 'valid' },
      { ...fields, shared: changed(secret), result: 'invalid' },
    ]
  })
  return vectorFile('Diffie-Hellman', { type }, tests)
}

function signatures(hash: keyof typeof HASHES, format: 'der' | 'compact'): VectorFile {
  const random = new Random(8)
  const key = random.bytes(32)
  const tests = [0, 20, 100].flatMap((length) => {
    const msg = random.bytes(length)
    const signature = p256.sign(HASHES[hash](msg), key, { prehash: false, lowS: false, format })
    const fields = { msg: hex(msg) }
    return [
      { ...fields, sig: hex(signature), result: 'valid' },
      { ...fields, sig: changed(signature), result: 'invalid' },
    ]
  })
  const publicKey = { uncompressed: hex(p256.getPublicKey(key, false)) }
  return vectorFile('ECDSA', { type: 'EcdsaVerify', publicKey }, tests)
}

/** A signature of each message, and the same with a changed bit. */
function judged(sign: (msg: Uint8Array) => Uint8Array): object[] {
  const random = new Random(9)
  return [0, 20, 300].flatMap((length) => {
    const msg = random.bytes(length)
    const signature = sign(msg)
    return [
      { msg: hex(msg), sig: hex(signature), result: 'valid' },
      { msg: hex(msg), sig: changed(signature), result: 'invalid' },
    ]
  })
}

function rsaSignatures(type: string, padding: number): VectorFile {
  const pair = rsaPairs().find(({ bits, exponent }) => bits === 2048 && exponent === 65537)
  if (!pair) throw new Error('no key of 2048 bits')
  const saltLength = padding === constants.RSA_PKCS1_PSS_PADDING ? 32 : undefined
  const key = { key: pair.privateKey, padding, saltLength }
  const publicKey = { modulus: pair.modulus.toString(16), publicExponent: pair.exponent.toString(16) }
  const group = { type, publicKey, sha: 'SHA-256', mgfSha: 'SHA-256', sLen: 32 }
  return vectorFile(
    type,
    group,
    judged((msg) => new Uint8Array(nodeSign('sha256', msg, key))),
  )
}

function p384Signatures(): VectorFile {
  const key = new Random(10).bytes(48)
  const digest = (msg: Uint8Array) => new Uint8Array(createHash('sha384').update(msg).digest())
  const publicKey = { uncompressed: hex(p384.getPublicKey(key, false)) }
  return vectorFile(
    'ECDSA',
    { type: 'EcdsaVerify', publicKey, sha: 'SHA-384' },
    judged((msg) => p384.sign(digest(msg), key, { prehash: false, lowS: false, format: 'der' })),
  )
}

function edwardsSignatures(): VectorFile {
  const key = new Random(11).bytes(32)
  return vectorFile(
    'EDDSA',
    { type: 'EddsaVerify', publicKey: { pk: hex(ed25519.getPublicKey(key)) } },
    judged((msg) => ed25519.sign(msg, key)),
  )
}

/** Hexadecimal with the last bit flipped. */
export function changed(bytes: Uint8Array): string {
  const other = bytes.slice()
  other[other.length - 1] ^= 1
  return hex(other)
}
