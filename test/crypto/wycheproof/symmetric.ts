// Adapters of the symmetric algorithms, over test/crypto/symmetric.entry.ts.

import { hex, type Machine, unhex } from '../symmetric'
import type { Adapter, Test, Verdict } from './adapter'

const TAG = 16

/** The adapters, on one compiled entry. */
export function symmetricAdapters(machine: Machine): Adapter[] {
  return [
    aead(machine, 'AEAD-AES-SIV-CMAC', /^aead_aes_siv_cmac_test\.json$/, SIV),
    aead(machine, 'AES-SIV-CMAC', /^aes_siv_cmac_test\.json$/, SIV),
    aead(machine, 'AES-GCM', /^aes_gcm_test\.json$/, GCM),
    aead(machine, 'AES-GCM-SIV', /^aes_gcm_siv_test\.json$/, GCM_SIV),
    aead(machine, 'ChaCha20-Poly1305', /^chacha20_poly1305_test\.json$/, CHACHA20_POLY1305),
    aesCmac(machine),
    ...HASHES.flatMap((hash) => [hmac(machine, hash), hkdf(machine, hash)]),
  ]
}

const HASHES = [
  { id: 1, name: 'sha256', length: 32 },
  { id: 2, name: 'sha384', length: 48 },
  { id: 3, name: 'sha512', length: 64 },
] as const
type HashCase = (typeof HASHES)[number]

/** A test's parts in the module's memory. */
interface Message {
  context: number
  key: Uint8Array
  iv: number
  ivLength: number
  ad: number
  adLength: number
  plaintext: number
  plaintextLength: number
  sealed: number
  sealedLength: number
}

/** How an AEAD of the firmware is called. */
interface Aead {
  keyLengths: number[]
  /** Nonce lengths that the firmware takes; undefined: all. */
  ivLengths?: number[]
  /** The vector's `ct` holds the tag already, and where `tag` is separate: does it come first? */
  tagFirst: boolean
  init(m: Machine, s: Message, key: number): void
  seal(m: Machine, s: Message, out: number): void
  open(m: Machine, s: Message, out: number): number
}

const SIV: Aead = {
  keyLengths: [32],
  tagFirst: true,
  init: (m, s, key) => m.call('aesSivInit', s.context, key),
  seal: (m, s, out) =>
    m.call('aesSivSeal', s.context, s.ad, s.adLength, s.iv, s.ivLength, s.plaintext, s.plaintextLength, out),
  open: (m, s, out) =>
    m.call('aesSivOpen', s.context, s.ad, s.adLength, s.iv, s.ivLength, s.sealed, s.sealedLength, out),
}

const GCM_SIV: Aead = {
  keyLengths: [16, 32],
  ivLengths: [12],
  tagFirst: false,
  init: (m, s, key) => m.call('aesGcmSivInit', s.context, key, s.key.length),
  seal: (m, s, out) => m.call('aesGcmSivSeal', s.context, s.ad, s.adLength, s.iv, s.plaintext, s.plaintextLength, out),
  open: (m, s, out) => m.call('aesGcmSivOpen', s.context, s.ad, s.adLength, s.iv, s.sealed, s.sealedLength, out),
}

function tlsAead(keyLengths: number[], id: (keyLength: number) => number): Aead {
  return {
    keyLengths,
    ivLengths: [12],
    tagFirst: false,
    init: (m, s, key) => m.call('aeadInit', id(s.key.length), s.context, key),
    seal: (m, s, out) => m.call('aeadSeal', s.context, s.iv, s.ad, s.adLength, s.plaintext, s.plaintextLength, out),
    open: (m, s, out) => m.call('aeadOpen', s.context, s.iv, s.ad, s.adLength, s.sealed, s.sealedLength, out),
  }
}

const GCM = tlsAead([16, 32], (keyLength) => (keyLength === 16 ? 1 : 2))
const CHACHA20_POLY1305 = tlsAead([32], () => 3)

function aead(machine: Machine, name: string, files: RegExp, algorithm: Aead): Adapter {
  return {
    name,
    files,
    judge(_group, test) {
      const key = unhex(test.key)
      const iv = test.iv === undefined ? undefined : unhex(test.iv)
      if (!algorithm.keyLengths.includes(key.length)) return { unsupported: `keys of ${key.length * 8} bits` }
      if (iv !== undefined && algorithm.ivLengths?.includes(iv.length) === false) {
        return { unsupported: `nonces of ${iv.length * 8} bits` }
      }
      machine.reset()
      return judgeAead(machine, algorithm, test, key, iv)
    },
  }
}

/** Accepted: opening gives the plaintext, and sealing it gives the sealed message again. */
function judgeAead(m: Machine, algorithm: Aead, test: Test, key: Uint8Array, iv: Uint8Array | undefined): Verdict {
  const [ad, plaintext, ct, tag] = [test.aad, test.msg, test.ct, test.tag ?? ''].map(unhex)
  const sealed = Buffer.concat(algorithm.tagFirst ? [tag, ct] : [ct, tag])
  const message: Message = {
    context: m.space(640),
    key,
    iv: iv === undefined ? 0 : m.put(iv),
    ivLength: iv?.length ?? 0,
    ad: m.put(ad),
    adLength: ad.length,
    plaintext: m.put(plaintext),
    plaintextLength: plaintext.length,
    sealed: m.put(sealed),
    sealedLength: sealed.length,
  }
  algorithm.init(m, message, m.put(key))
  const opened = m.space(Math.max(0, sealed.length - TAG))
  if (algorithm.open(m, message, opened) === 0) return 'rejected'
  const resealed = m.space(plaintext.length + TAG)
  algorithm.seal(m, message, resealed)
  const same =
    sealed.length === plaintext.length + TAG &&
    hex(m.take(opened, plaintext.length)) === hex(plaintext) &&
    hex(m.take(resealed, sealed.length)) === hex(sealed)
  // A message that opens must be the vector's own; anything else is a fault whatever the vector says.
  if (!same) throw new Error(`tcId ${test.tcId} opens, but to other bytes than the vector's`)
  return 'accepted'
}

function aesCmac(machine: Machine): Adapter {
  return {
    name: 'AES-CMAC',
    files: /^aes_cmac_test\.json$/,
    judge(_group, test) {
      const [key, data, tag] = [test.key, test.msg, test.tag].map(unhex)
      if (key.length !== 16 && key.length !== 32) return { unsupported: `keys of ${key.length * 8} bits` }
      machine.reset()
      const [context, out] = [machine.space(288), machine.space(TAG)]
      machine.call('cmacInit', context, machine.put(key), key.length)
      machine.call('cmac', context, machine.put(data), data.length, out)
      return sameTag(machine.take(out, TAG), tag)
    },
  }
}

function hmac(machine: Machine, hash: HashCase): Adapter {
  return {
    name: `HMAC-${hash.name}`,
    files: new RegExp(`^hmac_${hash.name}_test\\.json$`),
    judge(_group, test) {
      const [key, data, tag] = [test.key, test.msg, test.tag].map(unhex)
      machine.reset()
      const out = machine.space(hash.length)
      machine.call('hmac', hash.id, machine.put(key), key.length, machine.put(data), data.length, out)
      return sameTag(machine.take(out, hash.length), tag)
    },
  }
}

/** Codes may be given truncated. */
function sameTag(ours: Uint8Array, theirs: Uint8Array): Verdict {
  return theirs.length > 0 && hex(ours.subarray(0, theirs.length)) === hex(theirs) ? 'accepted' : 'rejected'
}

function hkdf(machine: Machine, hash: HashCase): Adapter {
  return {
    name: `HKDF-${hash.name}`,
    files: new RegExp(`^hkdf_${hash.name}_test\\.json$`),
    judge(_group, test) {
      const [ikm, salt, info] = [test.ikm, test.salt, test.info].map(unhex)
      if (test.size > 255 * hash.length) return { unsupported: 'more than 255 digests of output' }
      machine.reset()
      const [prk, out] = [machine.space(hash.length), machine.space(test.size)]
      machine.call('hkdfExtract', hash.id, machine.put(salt), salt.length, machine.put(ikm), ikm.length, prk)
      machine.call('hkdfExpand', hash.id, prk, hash.length, machine.put(info), info.length, out, test.size)
      return hex(machine.take(out, test.size)) === test.okm ? 'accepted' : 'rejected'
    },
  }
}
