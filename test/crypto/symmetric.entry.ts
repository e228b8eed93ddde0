// What the tests of firmware/crypto's symmetric half call, and a buffer for their inputs and outputs.

import { aesUseAccelerator } from '../../firmware/crypto/aes'

export { aeadInit, aeadKeyLength, aeadOpen, aeadSeal } from '../../firmware/crypto/aead'
export { aesEncryptBlock, aesExpandKey, aesUseSoftware } from '../../firmware/crypto/aes'
export { aesGcmInit, aesGcmOpen, aesGcmSeal } from '../../firmware/crypto/aes_gcm'
export { aesGcmSivInit, aesGcmSivOpen, aesGcmSivSeal } from '../../firmware/crypto/aes_gcm_siv'
export {
  aesSivInit,
  aesSivOpen,
  aesSivOpenLast,
  aesSivSeal,
  aesSivSealLast,
  s2vComponent,
  s2vStart,
} from '../../firmware/crypto/aes_siv'
export { chacha20Blocks, chacha20Init, chacha20Xor } from '../../firmware/crypto/chacha20'
export {
  chacha20Poly1305Init,
  chacha20Poly1305Open,
  chacha20Poly1305Seal,
} from '../../firmware/crypto/chacha20_poly1305'
export { cmac, cmacInit } from '../../firmware/crypto/cmac'
export { equalBytes, selectU32, wipe } from '../../firmware/crypto/constant_time'
export { drbgGenerate, drbgReseed, drbgSeed, drbgSeeded } from '../../firmware/crypto/drbg'
export {
  ghashKey,
  ghashOutput,
  ghashUpdate,
  polyvalForget,
  polyvalKey,
  polyvalOutput,
  polyvalUpdate,
} from '../../firmware/crypto/ghash'
export { hash, hashFinal, hashInit, hashLength, hashUpdate } from '../../firmware/crypto/hash'
export { hkdfExpand, hkdfExtract } from '../../firmware/crypto/hkdf'
export { hmac, hmacFinal, hmacInit, hmacUpdate } from '../../firmware/crypto/hmac'
export { poly1305Final, poly1305Init, poly1305Message } from '../../firmware/crypto/poly1305'

/** Free for the tests: contexts, keys, data. */
const ARENA: usize = memory.data(65536, 16)

export function arena(): usize {
  return ARENA
}

declare function fake_load(key: usize, keyLength: u32): i32
declare function fake_encrypt(input: usize, output: usize): void

/** Registers the test's two functions as an AES accelerator. */
export function useAccelerator(): bool {
  return aesUseAccelerator(fake_load, fake_encrypt)
}
