// What the tests of firmware/crypto's symmetric half call, and a buffer for their inputs and outputs.

export { aesEncryptBlock, aesExpandKey, aesUseAccelerator, aesUseSoftware } from '../../firmware/crypto/aes'
export {
  aesSivInit,
  aesSivOpen,
  aesSivOpenLast,
  aesSivSeal,
  aesSivSealLast,
  s2vComponent,
  s2vStart,
} from '../../firmware/crypto/aes_siv'
export { cmac, cmacInit } from '../../firmware/crypto/cmac'
export { equalBytes, selectU32, wipe } from '../../firmware/crypto/constant_time'
export { hash, hashFinal, hashInit, hashLength, hashUpdate } from '../../firmware/crypto/hash'
export { hkdfExpand, hkdfExtract } from '../../firmware/crypto/hkdf'
export { hmac, hmacFinal, hmacInit, hmacUpdate } from '../../firmware/crypto/hmac'

/** Free for the tests: contexts, keys, data. */
const ARENA: usize = memory.data(65536, 16)

export function arena(): usize {
  return ARENA
}
