// What an RSA signature's encoded message must be (RFC 8017): PKCS#1 v1.5 (section 9.2) and PSS (section 9.1.2).
//
// PKCS#1 v1.5: the one right encoded message, with the hash's NULL parameters, is compared byte by byte; nothing of the
// given one is parsed, so there is nothing to forge in.
//
// PSS, a step machine: MGF1 with the same hash, a salt of exactly the length that is asked for.
//
//   pssStart(state, message, bits, hash, digest, saltLength)   message: as long as the modulus; is overwritten
//   pssStep(state)                                             until it returns true
//   pssGood(state)
//
// One step is at most two compressions of the hash. Nothing is constant-time: signatures are public.

import { storeU32be } from '../bytes/endian'
import { HASH_MAX, Hash, hashFinal, hashInit, hashLength, hashUpdate } from './hash'
import { HASH_STEPS_SIZE, hashStepsFinish, hashStepsStart, hashStepsStep } from './hash_steps'

/** DigestInfo up to the digest, for SHA-256; the others differ in three bytes (section 9.2, note 1). */
const DIGEST_INFO: usize = memory.data<u8>([
  0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
])
const DIGEST_INFO_SIZE: u32 = 19

/** Whether the encoded message (`length` bytes, 256 at least) is that of this digest. */
export function pkcs1Good(message: usize, length: u32, hash: Hash, digest: usize): bool {
  const size = hashLength(hash)
  const info = length - size - DIGEST_INFO_SIZE
  if (load<u8>(message) !== 0 || load<u8>(message, 1) !== 1 || load<u8>(message + info - 1) !== 0) return false
  for (let i: u32 = 2; i < info - 1; i++) if (load<u8>(message + i) !== 0xff) return false
  for (let i: u32 = 0; i < DIGEST_INFO_SIZE; i++) {
    if (<u32>load<u8>(message + info + i) !== digestInfoByte(i, hash, size)) return false
  }
  return memory.compare(message + length - size, digest, size) === 0
}

/** Length of the whole, last number of the algorithm (2.16.840.1.101.3.4.2.x: 1, 2, 3), length of the digest. */
function digestInfoByte(i: u32, hash: Hash, size: u32): u32 {
  if (i === 1) return DIGEST_INFO_SIZE - 2 + size
  if (i === 14) return hash
  return i === DIGEST_INFO_SIZE - 1 ? size : load<u8>(DIGEST_INFO + i)
}

const enum Stage {
  Refused = 0,
  /** The mask of DB: one digest of H and a counter a step, taken off at once. */
  Mask = 1,
  /** DB is looked at, and M' = eight zeros, the digest and the salt are put behind the counters. */
  Look = 2,
  /** H' = Hash(M'), sliced. */
  Hash = 3,
  HashEnd = 4,
  Good = 5,
}

@unmanaged
class PssHead {
  stage: u32
  hash: u32
  /** EM: its first byte, and the lengths of DB and salt. */
  message: u32
  dbLength: u32
  saltLength: u32
  /** The mask's digests so far. */
  counter: u32
  /** The first byte's bits that are not EM's. */
  spareBits: u32
  reserved: u32
}

// `head | digest | H' or mask | context | M' (8 + digest + salt)`
const DIGEST: usize = 32
const OUTPUT: usize = DIGEST + HASH_MAX
const CONTEXT: usize = OUTPUT + HASH_MAX
const MESSAGE: usize = CONTEXT + HASH_STEPS_SIZE

/** Bytes of a state for moduli of 4096 bits, 8-aligned: of the encoded message the salt leaves H and two bytes. */
export const PSS_SIZE: usize = MESSAGE + 8 + 512

/** Begins. The encoded message is of a modulus of `bits` bits; it must stay until the end. */
export function pssStart(state: usize, message: usize, bits: u32, hash: Hash, digest: usize, saltLength: u32): void {
  const head = changetype<PssHead>(state)
  const size = hashLength(hash)
  memory.fill(state, 0, PSS_SIZE)
  // EM has one bit less than the modulus, and so perhaps a byte less, which is 0 then.
  const length = (bits + 6) >> 3
  if ((bits & 7) === 1 && load<u8>(message++) !== 0) return
  const dbLength = length - size - 1
  if (saltLength > dbLength - 1 || load<u8>(message + length - 1) !== 0xbc) return
  head.hash = hash
  head.message = <u32>message
  head.dbLength = dbLength
  head.saltLength = saltLength
  head.spareBits = 8 * length - (bits - 1)
  if (<u32>load<u8>(message) >> (8 - head.spareBits) !== 0) return
  memory.copy(state + DIGEST, digest, size)
  head.stage = Stage.Mask
}

/** Does one step; true when `pssGood` knows. */
export function pssStep(state: usize): bool {
  const head = changetype<PssHead>(state)
  switch (head.stage) {
    case Stage.Mask: {
      if (unmask(state)) head.stage = Stage.Look
      break
    }
    case Stage.Look: {
      if (!look(state)) {
        head.stage = Stage.Refused
        break
      }
      const size = 8 + hashLength(head.hash) + head.saltLength
      hashStepsStart(state + CONTEXT, head.hash, 0, 0, state + MESSAGE, size)
      head.stage = Stage.Hash
      break
    }
    case Stage.Hash: {
      if (hashStepsStep(state + CONTEXT)) head.stage = Stage.HashEnd
      break
    }
    case Stage.HashEnd: {
      hashStepsFinish(state + CONTEXT, state + OUTPUT)
      const h = <usize>(head.message + head.dbLength)
      head.stage = memory.compare(state + OUTPUT, h, hashLength(head.hash)) === 0 ? Stage.Good : Stage.Refused
      break
    }
  }
  return head.stage === Stage.Good || head.stage === Stage.Refused
}

/** Whether the encoded message is one of this digest. */
export function pssGood(state: usize): bool {
  return changetype<PssHead>(state).stage === Stage.Good
}

/** Takes one digest of MGF1 (appendix B.2.1) off DB; true with the last one. */
function unmask(state: usize): bool {
  const head = changetype<PssHead>(state)
  const size = hashLength(head.hash)
  const db: usize = head.message
  const mask = state + OUTPUT
  storeU32be(mask, head.counter)
  hashInit(head.hash, state + CONTEXT)
  hashUpdate(state + CONTEXT, db + head.dbLength, size)
  hashUpdate(state + CONTEXT, mask, 4)
  hashFinal(state + CONTEXT, mask)
  const first = head.counter * size
  const length = min(size, head.dbLength - first)
  for (let i: u32 = 0; i < length; i++) {
    store<u8>(db + first + i, load<u8>(db + first + i) ^ load<u8>(mask + i))
  }
  head.counter++
  return first + length === head.dbLength
}

/** Whether DB is zeros, a one and the salt; makes M' then. The first byte's spare bits do not count. */
function look(state: usize): bool {
  const head = changetype<PssHead>(state)
  const size = hashLength(head.hash)
  const db: usize = head.message
  store<u8>(db, <u32>load<u8>(db) & (0xff >> head.spareBits))
  const one = head.dbLength - head.saltLength - 1
  for (let i: u32 = 0; i < one; i++) if (load<u8>(db + i) !== 0) return false
  if (load<u8>(db + one) !== 1) return false
  memory.copy(state + MESSAGE + 8, state + DIGEST, size)
  memory.copy(state + MESSAGE + 8 + size, db + one + 1, head.saltLength)
  return true
}
