// RSA keys for the tests, from stored primes (rsa_primes.json: random primes, made for this and used for nothing else).

import { constants, createPrivateKey, createPublicKey, type KeyObject, privateEncrypt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { bytesBe } from './public_key'

export interface RsaPair {
  readonly bits: number
  readonly exponent: number
  readonly modulus: bigint
  readonly size: number
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** RSAPublicKey in DER. */
  readonly der: Uint8Array
  /** The private operation on an encoded message as long as the modulus. */
  raw(message: Uint8Array): Uint8Array
}

/** All keys, by size and exponent. */
export function rsaPairs(): RsaPair[] {
  const stored: { bits: number; exponent: number; p: string; q: string }[] = JSON.parse(
    readFileSync(new URL('./rsa_primes.json', import.meta.url), 'utf8'),
  )
  return stored.map(({ bits, exponent, p, q }) => pairOf(bits, exponent, BigInt(`0x${p}`), BigInt(`0x${q}`)))
}

function pairOf(bits: number, exponent: number, p: bigint, q: bigint): RsaPair {
  const modulus = p * q
  const d = inverse(BigInt(exponent), (p - 1n) * (q - 1n))
  const numbers = { n: modulus, e: BigInt(exponent), d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const jwk = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, base64url(value)]))
  const privateKey = createPrivateKey({ key: { kty: 'RSA', ...jwk }, format: 'jwk' })
  const publicKey = createPublicKey(privateKey)
  return {
    bits,
    exponent,
    modulus,
    size: Math.ceil(bits / 8),
    privateKey,
    publicKey,
    der: new Uint8Array(publicKey.export({ type: 'pkcs1', format: 'der' })),
    raw: (message) => new Uint8Array(privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, message)),
  }
}

/** 1 / a mod m */
function inverse(a: bigint, m: bigint): bigint {
  let [r0, r1, x0, x1] = [m, a % m, 0n, 1n]
  while (r1 !== 0n) [r0, r1, x0, x1] = [r1, r0 % r1, x1, x0 - (r0 / r1) * x1]
  return ((x0 % m) + m) % m
}

function base64url(value: bigint): string {
  return Buffer.from(bytesBe(value, Math.ceil(value.toString(16).length / 2))).toString('base64url')
}

/** A DER element: tag, shortest length, contents. */
export function element(tag: number, ...contents: (Uint8Array | number[])[]): Uint8Array {
  const body = Buffer.concat(contents.map((part) => Buffer.from(part)))
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255]
  return new Uint8Array(Buffer.concat([Buffer.from([tag, ...length]), body]))
}

/** A positive INTEGER in its shortest form. */
export function integer(value: bigint): Uint8Array {
  const bytes = bytesBe(value, Math.max(1, Math.ceil(value.toString(16).length / 2)))
  return element(2, bytes[0] > 127 ? [0] : [], bytes)
}
