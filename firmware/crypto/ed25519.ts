// Verification of Ed25519 signatures (RFC 8032, section 5.1.7), as a step machine.
//
//   ed25519Start(state, key, message, messageLength, signature)   key: 32 bytes; signature: R | S, 64 bytes
//   ed25519Step(state)                                            until it returns true
//   ed25519Good(state)                                            whether the signature is the key's
//
// The message must stay as it is until the hash is done; key and signature are copied. Any addresses.
//
// Which signatures are good, where implementations differ: the equation is checked without the cofactor, as OpenSSL does,
// by encoding S B - h A and comparing it with R byte by byte; so an R that is not canonical never is good. S must be below
// L. The key must be canonical (y below p, no negative zero) as section 5.1.3 says, and not one of the eight points of
// small order, for which a signature says nothing: @noble/curves refuses those too, OpenSSL does not.
//
// S B - h A is computed in one chain of doublings: h by its digits (naf.ts) and eight odd multiples of -A that are made
// here, S by the comb of X25519 (edwards25519_base.ts), whose 32 columns go with the last 32 doublings.
//
// One step is two additions or doublings at most. The point formulas are constant-time, what is done here with public
// numbers is not, and must never see a secret.

import { ACCUMULATOR_EXTRA, addModulo, isBelow, isSame, isZero, mulMontgomery, negativeInverse } from './bignum'
import { combDigit } from './comb'
import { addNiels, doubleEdwards, EDWARDS_SCRATCH_SIZE, EDWARDS_SIZE, NIELS_SIZE, setNeutral } from './edwards25519'
import { COMB25519, COMB25519_TABLE_SIZE } from './edwards25519_base'
import {
  add25519,
  fromBytes25519,
  mul25519,
  reduce25519,
  set25519,
  sqr25519,
  sub25519,
  toBytes25519,
} from './field25519'
import { Hash } from './hash'
import { HASH_STEPS_SIZE, hashStepsFinish, hashStepsStart, hashStepsStep } from './hash_steps'
import { INVERT_25519, INVERT_SIZE, invertFinish, invertStart, invertStep } from './invert'
import { NAF_ENTRIES, nafDigits } from './naf'

@unmanaged
class Head {
  stage: u32
  /** The exponent's bit, the table's entry or the place that is next. */
  index: u32
  good: u32
  reserved: u32
}

const enum Stage {
  Done = 0,
  /** The power in the square root that gives A's x. */
  Root = 1,
  /** -A from the power. */
  Point = 2,
  /** 8 A, by doublings. */
  SmallOrder = 3,
  /** h = SHA-512(R | A | message) mod L, and its digits. */
  Hash = 4,
  HashEnd = 5,
  Digits = 6,
  /** -2 A, then -3 A, -5 A, .. -15 A. */
  Twice = 7,
  Table = 8,
  /** At a place: the doubling, the digit of h, the two of the comb. */
  Double = 9,
  Digit = 10,
  Comb0 = 11,
  Comb1 = 12,
  /** 1 / Z, to encode the sum. */
  Invert = 13,
  Encode = 14,
}

const LIMBS: u32 = 8
const NUMBER: usize = 32

/** d of the curve's equation, -121665 / 121666 */
const D: usize = memory.data<u32>([
  0x1359_78a3, 0x75eb_4dca, 0x4141_d8ab, 0x0070_0a4d, 0x7779_e898, 0x8cc7_4079, 0x2b6f_fe73, 0x5203_6cee,
])
/** A square root of -1 */
const SQRT_MINUS_1: usize = memory.data<u32>([
  0x4a0e_a0b0, 0xc4ee_1b27, 0xad2f_e478, 0x2f43_1806, 0x3dfb_d7a7, 0x2b4d_0099, 0x4fc1_df0b, 0x2b83_2480,
])
/** The order of the base point. */
const L: usize = memory.data<u32>([
  0x5cf5_d3ed, 0x5812_631a, 0xa2f7_9cd6, 0x14de_f9de, 0x0000_0000, 0x0000_0000, 0x0000_0000, 0x1000_0000,
])
/** 2^512 mod L */
const L_R2: usize = memory.data<u32>([
  0x449c_0f01, 0xa406_11e3, 0x6885_9347, 0xd00e_1ba7, 0x17f5_be65, 0xceec_73d2, 0x7c30_9a3d, 0x0399_411b,
])

/** A point to add: y + x | y - x | 2 d x y | z */
const CACHED_SIZE: usize = NIELS_SIZE + NUMBER

// `head | R | A's bytes | S | sum | scratch | v | inversion | accumulator | digits | hash | table`; while A is unpacked the
// table's place has u, the power's base and the power.
const R: usize = 16
const KEY: usize = R + NUMBER
const S: usize = KEY + NUMBER
const SUM: usize = S + NUMBER
const SCRATCH: usize = SUM + EDWARDS_SIZE
const V: usize = SCRATCH + EDWARDS_SCRATCH_SIZE
const INVERSION: usize = V + NUMBER
const ACCUMULATOR: usize = INVERSION + INVERT_SIZE
const DIGITS: usize = ACCUMULATOR + NUMBER + ACCUMULATOR_EXTRA
const HASH: usize = DIGITS + 264
const TABLE: usize = HASH + HASH_STEPS_SIZE
const U: usize = TABLE
const ROOT_BASE: usize = U + NUMBER
const ROOT: usize = ROOT_BASE + NUMBER
/** The addend in the making of the table, and a digit's entry with its sign. */
const ENTRY: usize = TABLE + <usize>NAF_ENTRIES * CACHED_SIZE

/** Bytes of a state, 8-aligned. */
export const ED25519_SIZE: usize = ENTRY + CACHED_SIZE

const Y: usize = 32
const Z: usize = 64
const T: usize = 96

/** Bits of the exponent (p - 5) / 8 = 2^252 - 3 in a step: a squaring and mostly a multiplication each. */
const ROOT_SLICE: u32 = 10

/** Begins. False: S is not below L, or the key's y is not below p. */
export function ed25519Start(state: usize, key: usize, message: usize, messageLength: u32, signature: usize): bool {
  memory.fill(state, 0, ED25519_SIZE)
  memory.copy(state + R, signature, 32)
  memory.copy(state + KEY, key, 32)
  memory.copy(state + S, signature + 32, 32)
  if (!isBelow(state + S, L, LIMBS)) return false
  const y = state + SUM + Y
  fromBytes25519(y, key)
  memory.copy(state + V, y, NUMBER)
  reduce25519(state + V)
  if (!isSame(state + V, y, LIMBS)) return false
  hashStepsStart(state + HASH, Hash.Sha512, state + R, 64, message, messageLength)
  beginRoot(state)
  return true
}

/** Does one step; true when `ed25519Good` knows. */
export function ed25519Step(state: usize): bool {
  const head = changetype<Head>(state)
  switch (head.stage) {
    case Stage.Root: {
      rootStep(state)
      break
    }
    case Stage.Point: {
      if (!makePoint(state)) finish(state, false)
      else enter(state, Stage.SmallOrder, 3)
      break
    }
    case Stage.SmallOrder: {
      doubleEdwards(state + SUM, state + SCRATCH)
      if (--head.index > 0) break
      if (isZeroElement(state, state + SUM)) finish(state, false)
      else enter(state, Stage.Hash, 0)
      break
    }
    case Stage.Hash: {
      if (hashStepsStep(state + HASH)) enter(state, Stage.HashEnd, 0)
      break
    }
    case Stage.HashEnd: {
      hashStepsFinish(state + HASH, state + SCRATCH)
      enter(state, Stage.Digits, 0)
      break
    }
    case Stage.Digits: {
      makeDigits(state)
      enter(state, Stage.Twice, 0)
      break
    }
    case Stage.Twice: {
      // The table's first entry is -A; its double is what leads from entry to entry.
      uncache(state + SUM, state + TABLE, state + SCRATCH)
      doubleEdwards(state + SUM, state + SCRATCH)
      cache(state + ENTRY, state + SUM)
      enter(state, Stage.Table, 1)
      break
    }
    case Stage.Table: {
      const entry = state + TABLE + <usize>head.index * CACHED_SIZE
      if (head.index === 1) uncache(state + SUM, state + TABLE, state + SCRATCH)
      addCached(state + SUM, state + ENTRY, state + SCRATCH)
      cache(entry, state + SUM)
      if (++head.index < NAF_ENTRIES) break
      setNeutral(state + SUM)
      // h is below 2^253, so its digits end at place 253.
      enter(state, Stage.Double, 254)
      break
    }
    case Stage.Invert: {
      if (invertStep(state + INVERSION)) enter(state, Stage.Encode, 0)
      break
    }
    case Stage.Encode: {
      finish(state, encodesR(state))
      break
    }
    default: {
      placeStep(state)
      if (head.stage !== Stage.Invert) placeStep(state)
    }
  }
  return head.stage === Stage.Done
}

/** Whether the signature is good. */
export function ed25519Good(state: usize): bool {
  return changetype<Head>(state).good !== 0
}

function enter(state: usize, stage: Stage, index: u32): void {
  const head = changetype<Head>(state)
  head.stage = stage
  head.index = index
}

function finish(state: usize, good: bool): void {
  changetype<Head>(state).good = good ? 1 : 0
  enter(state, Stage.Done, 0)
}

/** u = y^2 - 1, v = d y^2 + 1; x^2 = u / v. The power is that of u v^7 (section 5.1.3, step 2). */
function beginRoot(state: usize): void {
  const y = state + SUM + Y
  const u = state + U
  const v = state + V
  const base = state + ROOT_BASE
  const one = state + ROOT
  set25519(one, 1)
  sqr25519(u, y)
  mul25519(v, u, D)
  sub25519(u, u, one)
  add25519(v, v, one)
  sqr25519(base, v)
  mul25519(base, base, v)
  sqr25519(base, base)
  mul25519(base, base, v)
  mul25519(base, base, u)
  enter(state, Stage.Root, 252)
}

/** Some bits of the exponent: all of them are ones but bit 1. */
function rootStep(state: usize): void {
  const head = changetype<Head>(state)
  const power = state + ROOT
  for (let left = ROOT_SLICE; left > 0 && head.index > 0; left--) {
    head.index--
    sqr25519(power, power)
    if (head.index !== 1) mul25519(power, power, state + ROOT_BASE)
  }
  if (head.index === 0) head.stage = Stage.Point
}

/** x = u v^3 power, or that times the root of -1; then -A, in SUM and as the table's first entry. False: no point. */
function makePoint(state: usize): bool {
  const x = state + SUM
  const u = state + U
  const v = state + V
  const t = state + SCRATCH
  sqr25519(t, v)
  mul25519(t, t, v)
  mul25519(t, t, u)
  mul25519(x, t, state + ROOT)
  // v x^2 is u, or -u, or u / v is no square.
  sqr25519(t, x)
  mul25519(t, t, v)
  sub25519(t + NUMBER, t, u)
  if (!isZeroElement(state, t + NUMBER)) {
    add25519(t + NUMBER, t, u)
    if (!isZeroElement(state, t + NUMBER)) return false
    mul25519(x, x, SQRT_MINUS_1)
  }
  reduce25519(x)
  const sign = <u32>load<u8>(state + KEY, 31) >> 7
  const odd = load<u32>(x) & 1
  if (sign !== 0 && isZero(x, LIMBS)) return false
  // Of x and -x the one that is not A's.
  if (odd === sign) {
    set25519(t, 0)
    sub25519(x, t, x)
  }
  set25519(state + SUM + Z, 1)
  mul25519(state + SUM + T, x, state + SUM + Y)
  cache(state + TABLE, state + SUM)
  return true
}

/** Whether an element is 0; SCRATCH's last element is used. */
function isZeroElement(state: usize, a: usize): bool {
  const t = state + SCRATCH + T
  memory.copy(t, a, NUMBER)
  reduce25519(t)
  return isZero(t, LIMBS)
}

/** Of h in SCRATCH: h mod L = upper half * 2^256 + lower half, by Montgomery's product with R = 2^256; then its digits. */
function makeDigits(state: usize): void {
  const low = state + SCRATCH
  const high = low + NUMBER
  const one = high + NUMBER
  const t = state + ACCUMULATOR
  const inverse = negativeInverse(load<u32>(L))
  set25519(one, 1)
  mulMontgomery(high, high, L_R2, L, LIMBS, inverse, t)
  mulMontgomery(low, low, L_R2, L, LIMBS, inverse, t)
  mulMontgomery(low, low, one, L, LIMBS, inverse, t)
  addModulo(low, low, high, L, LIMBS)
  nafDigits(state + DIGITS, low, LIMBS)
}

/** entry = a point, ready to be added */
function cache(entry: usize, point: usize): void {
  add25519(entry, point + Y, point)
  sub25519(entry + 32, point + Y, point)
  mul25519(entry + 64, point + T, D)
  add25519(entry + 64, entry + 64, entry + 64)
  memory.copy(entry + 96, point + Z, NUMBER)
}

/** point = an entry: the neutral point and it. */
function uncache(point: usize, entry: usize, t: usize): void {
  setNeutral(point)
  addCached(point, entry, t)
}

/** point = point + entry; 8 multiplications. */
function addCached(point: usize, entry: usize, t: usize): void {
  mul25519(point + Z, point + Z, entry + 96)
  addNiels(point, entry, t)
}

/** One doubling or addition at a place, from place 253 down. */
function placeStep(state: usize): void {
  const head = changetype<Head>(state)
  const sum = state + SUM
  const t = state + SCRATCH
  switch (head.stage) {
    case Stage.Double: {
      doubleEdwards(sum, t)
      head.index--
      head.stage = load<u8>(state + DIGITS + head.index) !== 0 ? Stage.Digit : afterDigit(head.index)
      break
    }
    case Stage.Digit: {
      addDigit(state, <i32>load<i8>(state + DIGITS + head.index))
      head.stage = afterDigit(head.index)
      break
    }
    case Stage.Comb0: {
      addComb(state, 0, combDigit(state + S, head.index))
      head.stage = Stage.Comb1
      break
    }
    case Stage.Comb1: {
      addComb(state, 1, combDigit(state + S, head.index + 32))
      if (head.index > 0) {
        head.stage = Stage.Double
        break
      }
      reduce25519(sum + Z)
      invertStart(state + INVERSION, sum + Z, INVERT_25519)
      head.stage = Stage.Invert
      break
    }
  }
}

function afterDigit(index: u32): Stage {
  return index < 32 ? Stage.Comb0 : Stage.Double
}

/** Adds an odd multiple of -A, or its opposite: y + x and y - x exchanged, x y negative. */
function addDigit(state: usize, digit: i32): void {
  let entry = state + TABLE + <usize>(abs(digit) >> 1) * CACHED_SIZE
  if (digit < 0) {
    const opposite = state + ENTRY
    memory.copy(opposite, entry + 32, NUMBER)
    memory.copy(opposite + 32, entry, NUMBER)
    set25519(opposite + 64, 0)
    sub25519(opposite + 64, opposite + 64, entry + 64)
    memory.copy(opposite + 96, entry + 96, NUMBER)
    entry = opposite
  }
  addCached(state + SUM, entry, state + SCRATCH)
}

function addComb(state: usize, table: u32, digit: u32): void {
  if (digit === 0) return
  const entry = COMB25519 + <usize>table * COMB25519_TABLE_SIZE + <usize>(digit - 1) * NIELS_SIZE
  addNiels(state + SUM, entry, state + SCRATCH)
}

/** Whether the sum's encoding, y and the lowest bit of x (section 5.1.2), is R. */
function encodesR(state: usize): bool {
  const inverse = state + SCRATCH
  const x = state + SUM
  const y = x + Y
  invertFinish(state + INVERSION, inverse)
  mul25519(x, x, inverse)
  mul25519(y, y, inverse)
  reduce25519(x)
  toBytes25519(inverse, y)
  store<u8>(inverse, load<u8>(inverse, 31) | ((load<u32>(x) & 1) << 7), 31)
  return memory.compare(inverse, state + R, 32) === 0
}
