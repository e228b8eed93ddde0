// The AEADs of TLS 1.3's suites (RFC 8446, section B.4) behind one interface: 12-byte nonce, ciphertext C | tag(16).
//
// A context is AEAD_CONTEXT_SIZE bytes, 8-aligned: which AEAD it is, then that AEAD's own context.

import { AES_GCM_CONTEXT_SIZE, aesGcmInit, aesGcmOpen, aesGcmSeal } from './aes_gcm'
import { chacha20Poly1305Init, chacha20Poly1305Open, chacha20Poly1305Seal } from './chacha20_poly1305'

export const enum Aead {
  Aes128Gcm = 1,
  Aes256Gcm = 2,
  ChaCha20Poly1305 = 3,
}

const INNER: u32 = 8

/** Bytes of a context: the largest AEAD's, AES-GCM's. */
export const AEAD_CONTEXT_SIZE: u32 = INNER + AES_GCM_CONTEXT_SIZE

/** Bytes that sealing adds. */
export const AEAD_TAG: u32 = 16

/** Bytes of an AEAD's key. */
export function aeadKeyLength(aead: Aead): u32 {
  return aead === Aead.Aes128Gcm ? 16 : 32
}

/** Takes a key of `aeadKeyLength` bytes at any address. */
export function aeadInit(aead: Aead, context: usize, key: usize): void {
  store<u32>(context, aead)
  if (aead === Aead.ChaCha20Poly1305) chacha20Poly1305Init(context + INNER, key)
  else aesGcmInit(context + INNER, key, aeadKeyLength(aead))
}

/** Seals to C | tag at `out`, which may overlap the plaintext in any way, but neither AD nor nonce. */
export function aeadSeal(
  context: usize,
  nonce: usize,
  ad: usize,
  adLength: u32,
  plaintext: usize,
  length: u32,
  out: usize,
): void {
  if (load<u32>(context) === Aead.ChaCha20Poly1305) {
    chacha20Poly1305Seal(context + INNER, ad, adLength, nonce, plaintext, length, out)
  } else aesGcmSeal(context + INNER, ad, adLength, nonce, plaintext, length, out)
}

/**
 * Opens `length` bytes C | tag: the plaintext (`length` - 16 bytes) at `out` and true, or zeros there and false.
 * `out` may overlap `input` in any way, but neither AD nor nonce.
 */
export function aeadOpen(
  context: usize,
  nonce: usize,
  ad: usize,
  adLength: u32,
  input: usize,
  length: u32,
  out: usize,
): bool {
  return load<u32>(context) === Aead.ChaCha20Poly1305
    ? chacha20Poly1305Open(context + INNER, ad, adLength, nonce, input, length, out)
    : aesGcmOpen(context + INNER, ad, adLength, nonce, input, length, out)
}
