// ECDSA on P-256 (FIPS 186-5, section 6), as step machines.
//
//   ecdsaSignStart(state, key, hash, hashLength, extra)   key: 32 bytes, big end first; extra: 32 bytes or 0
//   ecdsaSignStep(state)                                  until it returns true
//   ecdsaSignFinish(state, out)                           out: r | s, 32 bytes each, big end first
//
//   ecdsaVerifyStart(state, point, hash, hashLength, signature)   point: 65 bytes 04 | x | y. False: refused at once
//   ecdsaVerifyStep(state)                                        until it returns true
//   ecdsaVerifyFinish(state)                                      whether the signature is the key's
//
// The hash is given as a digest of 32 (SHA-256), 48 (SHA-384) or 64 bytes (SHA-512); its leftmost 256 bits count. The
// number k comes from RFC 6979 with that hash. A step is at most eleven field multiplications, or three compressions of
// the hash. The finishing functions wipe the state; before them it is to be wiped by the owner.
//
// Signing is constant-time in key, nonce and extra data: their only branches are refusals whose chance is below 2^-32
// (nonce not in 1..n-1) or nil (r or s zero). Verifying handles public data and may branch on it.

export { ECDSA_P256_DER_MAX, ecdsaSignatureFromDer, ecdsaSignatureToDer } from './ecdsa_der'

import { Hash } from './hash'
import { INVERT_P256_N, invertFinish, invertStart, invertStep } from './invert'
import { belowMask, equalMask, LIMBS_SIZE, loadLimbsBe, setLimbs, storeLimbsBe, zeroMask } from './limbs'
import { P256_BASE_MUL_SIZE, p256LoadPoint, p256MulFinish, p256MulStart, p256MulStep, p256ScalarMask } from './p256'
import { mulP256, P256_P, sqrP256, toMontgomeryP256 } from './p256_field'
import { MULTIPLY_RESULT, MULTIPLY_SIZE, multiplyBaseStart, multiplyStart, multiplyStep } from './p256_multiply'
import {
  AFFINE_SIZE,
  addFirstHalf,
  addSecondHalf,
  doublePoint,
  JACOBIAN_SIZE,
  POINT_SCRATCH_SIZE,
  sameX,
  sameY,
} from './p256_point'
import { addOrder, mulOrder, P256_N, reduceOrder, toMontgomeryOrder } from './p256_scalar'
import { NONCE_RESULT, NONCE_SIZE, nonceReject, nonceStart, nonceStep } from './rfc6979'

const enum Stage {
  Done = 0,
  /** Signing: RFC 6979's k, k * G, k^-1. */
  Nonce = 1,
  Multiply = 2,
  InvertNonce = 3,
  /** Verifying: s^-1, u1 * G, u2 * Q, their sum in two halves, the comparison. */
  InvertS = 4,
  BasePart = 5,
  PointPart = 6,
  FirstHalf = 7,
  SecondHalf = 8,
}

const STAGE: usize = 0

// Signing: `stage u32, 0 | key | z | r | s | point(72) | nonce | multiplication, then inversion`
const KEY: usize = 8
const SIGN_Z: usize = KEY + LIMBS_SIZE
const SIGN_R: usize = SIGN_Z + LIMBS_SIZE
const SIGN_S: usize = SIGN_R + LIMBS_SIZE
const POINT: usize = SIGN_S + LIMBS_SIZE
const NONCE: usize = POINT + 72
const SIGN_WORK: usize = NONCE + NONCE_SIZE

/** Bytes of a state that only signs, 8-aligned. */
export const ECDSA_P256_SIGN_SIZE: usize = SIGN_WORK + P256_BASE_MUL_SIZE

// Verifying: `stage u32, good u32 | z | r | s | u1 | u2 | Q | u1 G | sum | scratch | inversion, then multiplication`
const GOOD: usize = 4
const Z: usize = 8
const R: usize = Z + LIMBS_SIZE
const S: usize = R + LIMBS_SIZE
const U1: usize = S + LIMBS_SIZE
const U2: usize = U1 + LIMBS_SIZE
const Q: usize = U2 + LIMBS_SIZE
const BASE_PART: usize = Q + AFFINE_SIZE
const SUM: usize = BASE_PART + JACOBIAN_SIZE
const SCRATCH: usize = SUM + JACOBIAN_SIZE
const WORK: usize = SCRATCH + POINT_SCRATCH_SIZE

const VERIFY_SIZE: usize = WORK + MULTIPLY_SIZE

/** Bytes of a state, 8-aligned. */
export const ECDSA_P256_SIZE: usize = VERIFY_SIZE > ECDSA_P256_SIGN_SIZE ? VERIFY_SIZE : ECDSA_P256_SIGN_SIZE

/** Bytes of a signature as r | s. */
export const ECDSA_P256_SIGNATURE_SIZE: usize = 64

/** Begins a signature. False when the key is not in 1..n-1: the signature comes out as zeros then. */
export function ecdsaSignStart(state: usize, key: usize, hash: usize, hashLength: u32, extra: usize): bool {
  memory.fill(state, 0, ECDSA_P256_SIGN_SIZE)
  loadLimbsBe(state + KEY, key)
  if (p256ScalarMask(state + KEY) === 0) {
    setLimbs(state + KEY, 0)
    return false
  }
  loadDigest(state + SIGN_Z, hash)
  storeLimbsBe(state + POINT, state + KEY)
  storeLimbsBe(state + POINT + 32, state + SIGN_Z)
  nonceStart(state + NONCE, hashOfLength(hashLength), state + POINT, state + POINT + 32, extra)
  store<u32>(state + STAGE, Stage.Nonce)
  return true
}

/** Does one step; true when `ecdsaSignFinish` may be called. */
export function ecdsaSignStep(state: usize): bool {
  const work = state + SIGN_WORK
  switch (load<u32>(state + STAGE)) {
    case Stage.Nonce: {
      if (!nonceStep(state + NONCE)) break
      if (p256MulStart(work, state + NONCE + NONCE_RESULT, 0)) store<u32>(state + STAGE, Stage.Multiply)
      else nonceReject(state + NONCE)
      break
    }
    case Stage.Multiply: {
      if (p256MulStep(work)) takeR(state)
      break
    }
    case Stage.InvertNonce: {
      if (invertStep(work)) takeS(state)
      break
    }
  }
  return load<u32>(state + STAGE) === Stage.Done
}

/** Writes r | s and wipes the state. */
export function ecdsaSignFinish(state: usize, out: usize): void {
  storeLimbsBe(out, state + SIGN_R)
  storeLimbsBe(out + 32, state + SIGN_S)
  memory.fill(state, 0, ECDSA_P256_SIGN_SIZE)
}

/** r = the x of k * G mod n; then the inversion of k begins. */
function takeR(state: usize): void {
  const r = state + SIGN_R
  const work = state + SIGN_WORK
  p256MulFinish(work, state + POINT)
  loadLimbsBe(r, state + POINT + 1)
  reduceOrder(r)
  if (zeroMask(r) !== 0) {
    retry(state)
    return
  }
  const k = state + SIGN_S
  loadLimbsBe(k, state + NONCE + NONCE_RESULT)
  invertStart(work, k, INVERT_P256_N)
  store<u32>(state + STAGE, Stage.InvertNonce)
}

/** s = k^-1 * (z + r * key) mod n */
function takeS(state: usize): void {
  const s = state + SIGN_S
  const inverse = state + POINT
  toMontgomeryOrder(s, state + KEY)
  mulOrder(s, s, state + SIGN_R)
  addOrder(s, s, state + SIGN_Z)
  invertFinish(state + SIGN_WORK, inverse)
  toMontgomeryOrder(inverse, inverse)
  mulOrder(s, s, inverse)
  if (zeroMask(s) !== 0) retry(state)
  else store<u32>(state + STAGE, Stage.Done)
}

function retry(state: usize): void {
  nonceReject(state + NONCE)
  store<u32>(state + STAGE, Stage.Nonce)
}

/** Begins a verification. False: r or s is not in 1..n-1, or the point is badly encoded or not on the curve. */
export function ecdsaVerifyStart(state: usize, point: usize, hash: usize, hashLength: u32, signature: usize): bool {
  memory.fill(state, 0, VERIFY_SIZE)
  loadLimbsBe(state + R, signature)
  loadLimbsBe(state + S, signature + 32)
  if (hashLength < 32 || (p256ScalarMask(state + R) & p256ScalarMask(state + S)) === 0) return false
  if (!p256LoadPoint(state + Q, point)) return false
  loadDigest(state + Z, hash)
  invertStart(state + WORK, state + S, INVERT_P256_N)
  store<u32>(state + STAGE, Stage.InvertS)
  return true
}

/** Does one step; true when `ecdsaVerifyFinish` may be called. */
export function ecdsaVerifyStep(state: usize): bool {
  const work = state + WORK
  switch (load<u32>(state + STAGE)) {
    case Stage.InvertS: {
      if (!invertStep(work)) break
      invertFinish(work, state + S)
      toMontgomeryOrder(state + S, state + S)
      mulOrder(state + U1, state + Z, state + S)
      mulOrder(state + U2, state + R, state + S)
      multiplyBaseStart(work, state + U1)
      store<u32>(state + STAGE, Stage.BasePart)
      break
    }
    case Stage.BasePart: {
      if (!multiplyStep(work)) break
      memory.copy(state + BASE_PART, work + MULTIPLY_RESULT, JACOBIAN_SIZE)
      multiplyStart(work, state + U2, state + Q)
      store<u32>(state + STAGE, Stage.PointPart)
      break
    }
    case Stage.PointPart: {
      if (multiplyStep(work)) store<u32>(state + STAGE, Stage.FirstHalf)
      break
    }
    case Stage.FirstHalf: {
      addFirstHalf(state + BASE_PART, work + MULTIPLY_RESULT, state + SCRATCH)
      store<u32>(state + STAGE, Stage.SecondHalf)
      break
    }
    case Stage.SecondHalf: {
      sumParts(state)
      store<u32>(state + GOOD, sumHasX(state) ? 1 : 0)
      store<u32>(state + STAGE, Stage.Done)
      break
    }
  }
  return load<u32>(state + STAGE) === Stage.Done
}

/** Whether the signature is good; wipes the state. */
export function ecdsaVerifyFinish(state: usize): bool {
  const good = load<u32>(state + GOOD) !== 0
  memory.fill(state, 0, VERIFY_SIZE)
  return good
}

/** SUM = u1 G + u2 Q, for every case: unlike k, these can be chosen by whoever signs. u2 Q is not infinity. */
function sumParts(state: usize): void {
  const base = state + BASE_PART
  const part = state + WORK + MULTIPLY_RESULT
  const sum = state + SUM
  const t = state + SCRATCH
  if (zeroMask(base + 64) !== 0) {
    memory.copy(sum, part, JACOBIAN_SIZE)
  } else if (sameX(t) && sameY(t)) {
    memory.copy(sum, base, JACOBIAN_SIZE)
    doublePoint(sum, t)
  } else {
    // Opposite points come out with Z = 0.
    addSecondHalf(sum, base, part, t)
  }
}

/** Whether SUM is not infinity and its x, mod n, is r: X = r Z^2, or X = (r + n) Z^2 when r + n is below p. */
function sumHasX(state: usize): bool {
  const sum = state + SUM
  const t = state + SCRATCH
  if (zeroMask(sum + 64) !== 0) return false
  sqrP256(t, sum + 64)
  toMontgomeryP256(t + 32, state + R)
  mulP256(t + 32, t + 32, t)
  if (equalMask(t + 32, sum) !== 0) return true
  const carry = addLimbs(state + R, P256_N)
  if (carry !== 0 || belowMask(state + R, P256_P) === 0) return false
  toMontgomeryP256(t + 32, state + R)
  mulP256(t + 32, t + 32, t)
  return equalMask(t + 32, sum) !== 0
}

/** a = a + b; returns the carry. */
function addLimbs(a: usize, b: usize): u32 {
  let c: u64 = 0
  for (let i: usize = 0; i < LIMBS_SIZE; i += 4) {
    c = (c >> 32) + <u64>load<u32>(a + i) + <u64>load<u32>(b + i)
    store<u32>(a + i, <u32>c)
  }
  return <u32>(c >> 32)
}

/** out = the leftmost 256 bits of a digest, mod n */
function loadDigest(out: usize, hash: usize): void {
  loadLimbsBe(out, hash)
  reduceOrder(out)
}

function hashOfLength(length: u32): Hash {
  if (length === 48) return Hash.Sha384
  return length === 64 ? Hash.Sha512 : Hash.Sha256
}
