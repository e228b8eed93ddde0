// The AEAD algorithms of NTS by their IANA numbers, from @noble/ciphers: code that shares nothing with the firmware's.

import { aessiv, gcmsiv } from '@noble/ciphers/aes.js'

/** IANA "AEAD Algorithms". */
export enum AeadId {
  AesSivCmac256 = 15,
  Aes128GcmSiv = 30,
}

interface Algorithm {
  name: string
  keyLength: number
  /** Length of the nonces that we make. */
  nonceLength: number
  /** True when an opener takes nonces of this length. */
  takesNonce(length: number): boolean
  seal(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** Throws when the tag is wrong. */
  open(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array): Uint8Array
}

const ALGORITHMS = new Map<number, Algorithm>([
  [
    AeadId.AesSivCmac256,
    {
      name: 'AES-SIV-CMAC-256',
      keyLength: 32,
      nonceLength: 16,
      takesNonce: (length) => length > 0,
      seal: (key, nonce, ad, plaintext) => aessiv(key, ad, nonce).encrypt(plaintext),
      open: (key, nonce, ad, ciphertext) => aessiv(key, ad, nonce).decrypt(ciphertext),
    },
  ],
  [
    AeadId.Aes128GcmSiv,
    {
      name: 'AES-128-GCM-SIV',
      keyLength: 16,
      nonceLength: 12,
      takesNonce: (length) => length === 12,
      seal: (key, nonce, ad, plaintext) => gcmsiv(key, nonce, ad).encrypt(plaintext),
      open: (key, nonce, ad, ciphertext) => gcmsiv(key, nonce, ad).decrypt(ciphertext),
    },
  ],
])

export const SUPPORTED_AEADS: readonly number[] = [...ALGORITHMS.keys()]

/** The algorithm of a number that is in `SUPPORTED_AEADS`. */
export function algorithm(aead: number): Algorithm {
  const found = ALGORITHMS.get(aead)
  if (!found) throw new RangeError(`AEAD ${aead} is not supported`)
  return found
}

export function aeadName(aead: number): string {
  return ALGORITHMS.get(aead)?.name ?? 'unknown'
}

/** The plaintext, or undefined when nonce or tag is wrong. */
export function aeadOpen(
  aead: number,
  key: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  const { takesNonce, open } = algorithm(aead)
  if (!takesNonce(nonce.length) || ciphertext.length < 16) return undefined
  try {
    return open(key, nonce, ad, ciphertext)
  } catch {
    return undefined
  }
}
