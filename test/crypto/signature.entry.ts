// The verification of signatures, and a buffer for the test to fill.

export * from '../../firmware/crypto/bignum'
export * from '../../firmware/crypto/ecdsa_der'
export { nafDigits } from '../../firmware/crypto/naf'
export { P384_B, P384_N, P384_N_R2, P384_ODD, P384_ONE, P384_P, P384_R2 } from '../../firmware/crypto/p384_base'
export * from '../../firmware/crypto/rsa'
export * from '../../firmware/crypto/rsa_padding'
export * from '../../firmware/crypto/signature'

import { signatureStep } from '../../firmware/crypto/signature'

const AREA: usize = memory.data(16384, 16)

export function area(): usize {
  return AREA
}

let taken: u32 = 0

/** Steps until the verdict. */
export function runSignature(): i32 {
  taken = 1
  let verdict = signatureStep()
  for (; verdict === 0; taken++) verdict = signatureStep()
  return verdict
}

/** Steps that the last verdict took. */
export function stepsTaken(): u32 {
  return taken
}
