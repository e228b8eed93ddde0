// Adapters of signature verification, over test/crypto/signature.entry.ts.

import { unhex } from '../public_key'
import { element, integer } from '../rsa_keys'
import { loadVerifier, type SchemeName, type Verifier } from '../signature'
import type { Adapter, Group, Verdict } from './adapter'

/** The adapters, on an entry of their own. */
export async function signatureAdapters(): Promise<Adapter[]> {
  const verifier = await loadVerifier()
  return [pkcs1(verifier), pss(verifier), p384(verifier), edwards(verifier)]
}

/** SHA-384 -> sha384 */
const hashOf = (group: Group) => String(group['sha']).replace('-', '').toLowerCase()

/** RSAPublicKey; the older files have its numbers in the group. */
function rsaKey(group: Group): Uint8Array {
  const { modulus, publicExponent } = group['publicKey'] ?? { modulus: group['n'], publicExponent: group['e'] }
  return element(0x30, integer(BigInt(`0x${modulus}`)), integer(BigInt(`0x${publicExponent}`)))
}

const verdict = (good: boolean): Verdict => (good ? 'accepted' : 'rejected')

/** What is longer than the test's buffers is longer than any signature. */
const fits = (signature: Uint8Array) => signature.length < 2048

function pkcs1(verifier: Verifier): Adapter {
  return {
    name: 'RSA, PKCS#1 v1.5',
    files: /^rsa_signature_(2048|3072|4096)_sha(256|384|512)_test\.json$/,
    judge(group, test) {
      const [message, signature] = [unhex(test.msg), unhex(test.sig)]
      const scheme = `rsa-pkcs1-${hashOf(group)}` as SchemeName
      return verdict(fits(signature) && verifier.verify(scheme, rsaKey(group), message, signature))
    },
  }
}

function pss(verifier: Verifier): Adapter {
  return {
    name: 'RSA, PSS',
    files: /^rsa_pss_(2048|3072|4096)_sha(256|384|512)_mgf1_\d+_test\.json$/,
    judge(group, test) {
      if (group['mgfSha'] !== group['sha']) return { unsupported: 'another hash in MGF1' }
      const [message, signature] = [unhex(test.msg), unhex(test.sig)]
      const scheme = `rsa-pss-${hashOf(group)}` as SchemeName
      return verdict(fits(signature) && verifier.verify(scheme, rsaKey(group), message, signature, group['sLen']))
    },
  }
}

function p384(verifier: Verifier): Adapter {
  return {
    name: 'ECDSA on P-384',
    files: /^ecdsa_secp384r1_sha(256|384|512)_test\.json$/,
    judge(group, test) {
      const [message, signature] = [unhex(test.msg), unhex(test.sig)]
      const key = unhex((group['publicKey'] ?? group['key']).uncompressed)
      return verdict(fits(signature) && verifier.verify(`p384-${hashOf(group)}` as SchemeName, key, message, signature))
    },
  }
}

function edwards(verifier: Verifier): Adapter {
  return {
    name: 'Ed25519',
    files: /^(ed25519|eddsa)_test\.json$/,
    judge(group, test) {
      const [message, signature] = [unhex(test.msg), unhex(test.sig)]
      const key = unhex((group['publicKey'] ?? group['key']).pk)
      return verdict(fits(signature) && verifier.verify('ed25519', key, message, signature))
    },
  }
}
