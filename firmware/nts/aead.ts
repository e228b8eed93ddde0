// The AEADs of NTS: which algorithms the server speaks, and one door to both.
//
// In and out: addresses and lengths in bytes. Reading list: RFC 8915 section 5.6 (how NTS feeds the AEAD), RFC 5297
// (AES-SIV-CMAC), RFC 8452 (AES-GCM-SIV), IANA "AEAD Algorithms".
//
// The two put their tag on different sides, so a sealed text is `V(16) | C(n)` for SIV and `C(n) | tag(16)` for GCM-SIV.
// `ntsPlaintextOffset` tells where in the room for the sealed text the plaintext must lie to be sealed in place.

import { AES_GCM_SIV_CONTEXT_SIZE, aesGcmSivInit, aesGcmSivOpen, aesGcmSivSeal } from '../crypto/aes_gcm_siv'
import { AES_SIV_CONTEXT_SIZE, aesSivInit, aesSivOpen, aesSivSeal } from '../crypto/aes_siv'

/** IANA "AEAD Algorithms": the numeric identifiers that this server speaks. */
export const enum NtsAead {
  /** Reserved by IANA; here: none was agreed. */
  None = 0,
  /** AEAD_AES_SIV_CMAC_256, which RFC 8915 section 4.1.5 obliges a server to speak. */
  AesSivCmac256 = 15,
  /** AEAD_AES_128_GCM_SIV: half the key, so a shorter cookie. */
  Aes128GcmSiv = 30,
}

/** The longest key of the two, in bytes. */
export const NTS_KEY_MAX: u32 = 32

/** Bytes that sealing adds, for both. */
export const NTS_TAG_LENGTH: u32 = 16

/** The longest nonce that this server makes. */
export const NTS_NONCE_MAX: u32 = 16

/** Key length in bytes; 0 for an algorithm that the server does not speak. */
export function ntsKeyLength(aead: u32): u32 {
  if (aead === NtsAead.AesSivCmac256) return 32
  return aead === NtsAead.Aes128GcmSiv ? 16 : 0
}

/** Length of the server's nonces, which is also RFC 8915's N_REQ: the lesser of 16 and N_MAX, a multiple of 4. */
export function ntsNonceLength(aead: u32): u32 {
  return aead === NtsAead.Aes128GcmSiv ? 12 : 16
}

/** True when the algorithm takes a nonce of `length` bytes: SIV any (RFC 5297 section 6), GCM-SIV 12 (RFC 8452). */
export function ntsTakesNonce(aead: u32, length: u32): bool {
  return aead === NtsAead.Aes128GcmSiv ? length === 12 : length !== 0
}

/** Where the plaintext lies within the room for its sealed text, for sealing in place. */
export function ntsPlaintextOffset(aead: u32): u32 {
  return aead === NtsAead.AesSivCmac256 ? NTS_TAG_LENGTH : 0
}

/** Prepares the one context for `key`, until the next call: key expansion happens here, before a transmit time is taken. */
export function ntsLoadKey(aead: u32, key: usize): void {
  if (aead === NtsAead.AesSivCmac256) aesSivInit(CONTEXT, key)
  else aesGcmSivInit(CONTEXT, key, 16)
}

/**
 * Seals, in place, the `plaintextLength` bytes at `sealed + ntsPlaintextOffset(aead)` with the loaded key; `sealed` then
 * holds `plaintextLength + NTS_TAG_LENGTH` bytes. The nonce is `ntsNonceLength(aead)` bytes.
 */
export function ntsSeal(aead: u32, ad: usize, adLength: u32, nonce: usize, sealed: usize, plaintextLength: u32): void {
  const plaintext = sealed + ntsPlaintextOffset(aead)
  if (aead === NtsAead.AesSivCmac256) {
    aesSivSeal(CONTEXT, ad, adLength, nonce, ntsNonceLength(aead), plaintext, plaintextLength, sealed)
  } else {
    aesGcmSivSeal(CONTEXT, ad, adLength, nonce, plaintext, plaintextLength, sealed)
  }
}

/**
 * Opens, in place, the `sealedLength` bytes at `sealed` (tag included) with the loaded key; the plaintext then lies at
 * `sealed + ntsPlaintextOffset(aead)`. False when the text is not authentic; zeros then lie there. The caller has checked
 * the nonce with `ntsTakesNonce`.
 */
export function ntsOpen(
  aead: u32,
  ad: usize,
  adLength: u32,
  nonce: usize,
  nonceLength: u32,
  sealed: usize,
  sealedLength: u32,
): bool {
  const plaintext = sealed + ntsPlaintextOffset(aead)
  return aead === NtsAead.AesSivCmac256
    ? aesSivOpen(CONTEXT, ad, adLength, nonce, nonceLength, sealed, sealedLength, plaintext)
    : aesGcmSivOpen(CONTEXT, ad, adLength, nonce, sealed, sealedLength, plaintext)
}

/** Room for the greater of the two contexts; their sizes are not comparable at compile time, so both are counted. */
const CONTEXT: usize = memory.data(AES_SIV_CONTEXT_SIZE + AES_GCM_SIV_CONTEXT_SIZE, 8)
