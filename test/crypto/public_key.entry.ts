// The public-key primitives, and buffers for the test to fill.

export * from '../../firmware/crypto/ecdsa_p256'
export { COMB25519 } from '../../firmware/crypto/edwards25519_base'
export * from '../../firmware/crypto/field25519'
export * from '../../firmware/crypto/invert'
export { belowMask, equalMask, maskIfZero, moveIf, zeroMask } from '../../firmware/crypto/limbs'
export * from '../../firmware/crypto/p256'
export { COMB } from '../../firmware/crypto/p256_base'
export * from '../../firmware/crypto/p256_field'
export * from '../../firmware/crypto/p256_scalar'
export * from '../../firmware/crypto/rfc6979'
export * from '../../firmware/crypto/x25519'

import { ecdsaSignStep, ecdsaVerifyStep } from '../../firmware/crypto/ecdsa_p256'
import { invertStep } from '../../firmware/crypto/invert'
import { p256MulStep } from '../../firmware/crypto/p256'
import { nonceStep } from '../../firmware/crypto/rfc6979'
import { x25519Step } from '../../firmware/crypto/x25519'

const AREA: usize = memory.data(16384, 16)

export function area(): usize {
  return AREA
}

// Each steps until done and returns the number of steps.

export function runX25519(state: usize): i32 {
  let steps = 1
  while (!x25519Step(state)) steps++
  return steps
}

export function runP256(state: usize): i32 {
  let steps = 1
  while (!p256MulStep(state)) steps++
  return steps
}

export function runSign(state: usize): i32 {
  let steps = 1
  while (!ecdsaSignStep(state)) steps++
  return steps
}

export function runVerify(state: usize): i32 {
  let steps = 1
  while (!ecdsaVerifyStep(state)) steps++
  return steps
}

export function runNonce(state: usize): i32 {
  let steps = 1
  while (!nonceStep(state)) steps++
  return steps
}

export function runInvert(state: usize): i32 {
  let steps = 1
  while (!invertStep(state)) steps++
  return steps
}
