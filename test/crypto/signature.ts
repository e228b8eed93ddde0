// What the tests of signature verification share: the module as one function, and its schemes by name.

import { loadEntry } from '../support/firmware'

/** SignatureScheme of firmware/crypto/signature.ts. */
export const SCHEME = {
  'rsa-pkcs1-sha256': 1,
  'rsa-pkcs1-sha384': 2,
  'rsa-pkcs1-sha512': 3,
  'rsa-pss-sha256': 4,
  'rsa-pss-sha384': 5,
  'rsa-pss-sha512': 6,
  'p256-sha256': 7,
  'p256-sha384': 8,
  'p256-sha512': 9,
  'p384-sha256': 10,
  'p384-sha384': 11,
  'p384-sha512': 12,
  ed25519: 13,
} as const
export type SchemeName = keyof typeof SCHEME

export const SALT_AS_HASH = 0xffff_ffff

export interface Verifier {
  /** Whether the signature is valid. */
  verify(scheme: SchemeName, key: Uint8Array, message: Uint8Array, signature: Uint8Array, saltLength?: number): boolean
  /** The same, from the digest. */
  verifyDigest(scheme: SchemeName, key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean
  /** The steps of the last verdict. */
  steps(): number
  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  readonly exports: Record<string, any>
  /** Where inputs can be written, 8 KB. */
  readonly area: number
  write(address: number, bytes: Uint8Array): void
}

export async function loadVerifier(): Promise<Verifier> {
  const entry = await loadEntry(new URL('./signature.entry.ts', import.meta.url), 'release')
  const { signatureBegin, signatureBeginDigest, runSignature, stepsTaken, area } = entry.exports
  // Deliberately unaligned: all of it comes from the wire.
  const at = area() + 1
  const put = (offset: number, bytes: Uint8Array) => {
    entry.write(at + offset, bytes)
    return at + offset
  }
  const verdict = (begun: number) => {
    if (!begun) throw new Error('the machine is busy')
    const answer = runSignature()
    if (answer !== 1 && answer !== -1) throw new Error(`verdict ${answer}`)
    return answer === 1
  }
  return {
    verify(scheme, key, message, signature, saltLength = SALT_AS_HASH) {
      const [k, s, m] = [put(0, key), put(2048, signature), put(4096, message)]
      const parts = [k, key.length, m, message.length, s, signature.length]
      return verdict(signatureBegin(SCHEME[scheme], ...parts, saltLength))
    },
    verifyDigest(scheme, key, digest, signature) {
      const [k, s, d] = [put(0, key), put(2048, signature), put(4096, digest)]
      const parts = [k, key.length, d, s, signature.length]
      return verdict(signatureBeginDigest(SCHEME[scheme], ...parts, SALT_AS_HASH))
    },
    steps: () => stepsTaken(),
    exports: entry.exports,
    area: at - 1,
    write: entry.write,
  }
}
