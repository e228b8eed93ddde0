// Adapters of the public-key algorithms, over test/crypto/public_key.entry.ts.

import { createHash } from 'node:crypto'
import { type Entry, loadEntry } from '../../support/firmware'
import { bytesBe, hex, numberBe, unhex } from '../public_key'
import type { Adapter } from './adapter'

/** The adapters, on an entry of their own. */
export async function publicKeyAdapters(): Promise<Adapter[]> {
  const entry = await loadEntry(new URL('../public_key.entry.ts', import.meta.url), 'release')
  return [
    x25519(entry),
    ecdh(entry),
    ...['256', '512'].flatMap((bits) => [ecdsa(entry, bits, ''), ecdsa(entry, bits, '_p1363')]),
  ]
}

/** Places in the entry's area: the state at its start, then inputs, then the output. */
function places(entry: Entry): { state: number; inputs: number[]; out: number } {
  const state: number = entry.exports['area']()
  return { state, inputs: [0, 1, 2, 3].map((i) => state + 8193 + 256 * i), out: state + 8193 + 1024 }
}

function x25519(entry: Entry): Adapter {
  return {
    name: 'X25519',
    files: /^x25519_test\.json$/,
    judge(_group, test) {
      const { state, inputs, out } = places(entry)
      const [scalar, point] = [unhex(test.private), unhex(test.public)]
      if (scalar.length !== 32 || point.length !== 32) return 'rejected'
      entry.write(inputs[0], scalar)
      entry.write(inputs[1], point)
      entry.exports['x25519Start'](state, inputs[0], inputs[1])
      entry.exports['runX25519'](state)
      const good = entry.exports['x25519Finish'](state, out) !== 0
      return good && hex(entry.read(out, 32)) === test.shared ? 'accepted' : 'rejected'
    },
  }
}

/** The private key is an ASN.1 integer, the public key a point as in TLS. */
function ecdh(entry: Entry): Adapter {
  return {
    name: 'ECDH on P-256',
    files: /^ecdh_secp256r1_ecpoint_test\.json$/,
    judge(_group, test) {
      const { state, inputs, out } = places(entry)
      const [scalar, point] = [numberBe(unhex(test.private)), unhex(test.public)]
      if (point.length === 33) return { unsupported: 'compressed points' }
      // The length is the caller's to check: the firmware takes 65 bytes.
      if (point.length !== 65) return 'rejected'
      entry.write(inputs[0], bytesBe(scalar))
      entry.write(inputs[1], point)
      if (!entry.exports['p256MulStart'](state, inputs[0], inputs[1])) return 'rejected'
      entry.exports['runP256'](state)
      entry.exports['p256MulFinish'](state, out)
      return hex(entry.read(out + 1, 32)) === test.shared ? 'accepted' : 'rejected'
    },
  }
}

/** Verification of signatures in DER, or as r | s. */
function ecdsa(entry: Entry, bits: string, form: '' | '_p1363'): Adapter {
  return {
    name: `ECDSA on P-256 with SHA-${bits}${form === '' ? '' : ', P1363'}`,
    files: new RegExp(`^ecdsa_secp256r1_sha${bits}${form}_test\\.json$`),
    judge(group, test) {
      const { state, inputs } = places(entry)
      const [point, digest, signature] = inputs
      const given = unhex(test.sig)
      // A longer one is longer than the firmware's buffers for it.
      if (given.length > 255) return 'rejected'
      entry.write(point, unhex((group['publicKey'] ?? group['key']).uncompressed))
      const hash = createHash(`sha${bits}`).update(unhex(test.msg)).digest()
      entry.write(digest, hash)
      if (form === '') {
        entry.write(inputs[3], given)
        if (!entry.exports['ecdsaSignatureFromDer'](inputs[3], given.length, signature)) return 'rejected'
      } else {
        if (given.length !== 64) return 'rejected'
        entry.write(signature, given)
      }
      if (!entry.exports['ecdsaVerifyStart'](state, point, digest, hash.length, signature)) return 'rejected'
      entry.exports['runVerify'](state)
      return entry.exports['ecdsaVerifyFinish'](state) !== 0 ? 'accepted' : 'rejected'
    },
  }
}
