// ChaCha20 (RFC 8439, sections 2.1 to 2.4).
//
// A state is CHACHA20_STATE_SIZE bytes, 8-aligned: the sixteen words of section 2.3, in host order:
//
//   constants(4 words) | key(8) | counter(1) | nonce(3)
//
// Constant-time on every processor: additions, rotations and exclusive ors of words; no tables.

import { loadU32le } from '../bytes/endian'

/** Bytes of a state. */
export const CHACHA20_STATE_SIZE: u32 = 64

const COUNTER: usize = 48

/** One block of keystream. */
const KEYSTREAM: usize = memory.data(64, 8)

/** Takes a 32-byte key, a 12-byte nonce and the first block's counter. */
export function chacha20Init(state: usize, key: usize, nonce: usize, counter: u32): void {
  store<u32>(state, 0x61707865)
  store<u32>(state, 0x3320646e, 4)
  store<u32>(state, 0x79622d32, 8)
  store<u32>(state, 0x6b206574, 12)
  for (let i: usize = 0; i < 32; i += 4) store<u32>(state + i, loadU32le(key + i), 16)
  chacha20Nonce(state, nonce, counter)
}

/** Another nonce and counter under the same key. */
export function chacha20Nonce(state: usize, nonce: usize, counter: u32): void {
  store<u32>(state, counter, COUNTER)
  store<u32>(state, loadU32le(nonce), 52)
  store<u32>(state, loadU32le(nonce + 4), 56)
  store<u32>(state, loadU32le(nonce + 8), 60)
}

/** Writes `count` blocks of keystream at `out` (4-aligned) and moves the counter on. */
export function chacha20Blocks(state: usize, out: usize, count: u32): void {
  for (; count !== 0; count--) {
    block(state, out)
    store<u32>(state, load<u32>(state, COUNTER) + 1, COUNTER)
    out += 64
  }
}

/** data ^= keystream (section 2.4), in place, at any address. A partial last block uses its keystream up. */
export function chacha20Xor(state: usize, data: usize, length: u32): void {
  for (; length !== 0; ) {
    chacha20Blocks(state, KEYSTREAM, 1)
    const taken = min<u32>(length, 64)
    if (taken === 64 && (data & 3) === 0) {
      for (let i: usize = 0; i < 64; i += 4) store<u32>(data + i, load<u32>(data + i) ^ load<u32>(KEYSTREAM + i))
    } else {
      for (let i: usize = 0; i < taken; i++) store<u8>(data + i, load<u8>(data + i) ^ load<u8>(KEYSTREAM + i))
    }
    data += taken
    length -= taken
  }
  memory.fill(KEYSTREAM, 0, 64)
}

/** The block function (section 2.3): ten times a column round and a diagonal round, each four quarter rounds (2.1). */
function block(state: usize, out: usize): void {
  let x0 = load<u32>(state)
  let x1 = load<u32>(state, 4)
  let x2 = load<u32>(state, 8)
  let x3 = load<u32>(state, 12)
  let x4 = load<u32>(state, 16)
  let x5 = load<u32>(state, 20)
  let x6 = load<u32>(state, 24)
  let x7 = load<u32>(state, 28)
  let x8 = load<u32>(state, 32)
  let x9 = load<u32>(state, 36)
  let x10 = load<u32>(state, 40)
  let x11 = load<u32>(state, 44)
  let x12 = load<u32>(state, 48)
  let x13 = load<u32>(state, 52)
  let x14 = load<u32>(state, 56)
  let x15 = load<u32>(state, 60)
  for (let i = 0; i < 10; i++) {
    x0 += x4
    x12 = rotl<u32>(x12 ^ x0, 16)
    x8 += x12
    x4 = rotl<u32>(x4 ^ x8, 12)
    x0 += x4
    x12 = rotl<u32>(x12 ^ x0, 8)
    x8 += x12
    x4 = rotl<u32>(x4 ^ x8, 7)
    x1 += x5
    x13 = rotl<u32>(x13 ^ x1, 16)
    x9 += x13
    x5 = rotl<u32>(x5 ^ x9, 12)
    x1 += x5
    x13 = rotl<u32>(x13 ^ x1, 8)
    x9 += x13
    x5 = rotl<u32>(x5 ^ x9, 7)
    x2 += x6
    x14 = rotl<u32>(x14 ^ x2, 16)
    x10 += x14
    x6 = rotl<u32>(x6 ^ x10, 12)
    x2 += x6
    x14 = rotl<u32>(x14 ^ x2, 8)
    x10 += x14
    x6 = rotl<u32>(x6 ^ x10, 7)
    x3 += x7
    x15 = rotl<u32>(x15 ^ x3, 16)
    x11 += x15
    x7 = rotl<u32>(x7 ^ x11, 12)
    x3 += x7
    x15 = rotl<u32>(x15 ^ x3, 8)
    x11 += x15
    x7 = rotl<u32>(x7 ^ x11, 7)
    x0 += x5
    x15 = rotl<u32>(x15 ^ x0, 16)
    x10 += x15
    x5 = rotl<u32>(x5 ^ x10, 12)
    x0 += x5
    x15 = rotl<u32>(x15 ^ x0, 8)
    x10 += x15
    x5 = rotl<u32>(x5 ^ x10, 7)
    x1 += x6
    x12 = rotl<u32>(x12 ^ x1, 16)
    x11 += x12
    x6 = rotl<u32>(x6 ^ x11, 12)
    x1 += x6
    x12 = rotl<u32>(x12 ^ x1, 8)
    x11 += x12
    x6 = rotl<u32>(x6 ^ x11, 7)
    x2 += x7
    x13 = rotl<u32>(x13 ^ x2, 16)
    x8 += x13
    x7 = rotl<u32>(x7 ^ x8, 12)
    x2 += x7
    x13 = rotl<u32>(x13 ^ x2, 8)
    x8 += x13
    x7 = rotl<u32>(x7 ^ x8, 7)
    x3 += x4
    x14 = rotl<u32>(x14 ^ x3, 16)
    x9 += x14
    x4 = rotl<u32>(x4 ^ x9, 12)
    x3 += x4
    x14 = rotl<u32>(x14 ^ x3, 8)
    x9 += x14
    x4 = rotl<u32>(x4 ^ x9, 7)
  }
  store<u32>(out, x0 + load<u32>(state))
  store<u32>(out, x1 + load<u32>(state, 4), 4)
  store<u32>(out, x2 + load<u32>(state, 8), 8)
  store<u32>(out, x3 + load<u32>(state, 12), 12)
  store<u32>(out, x4 + load<u32>(state, 16), 16)
  store<u32>(out, x5 + load<u32>(state, 20), 20)
  store<u32>(out, x6 + load<u32>(state, 24), 24)
  store<u32>(out, x7 + load<u32>(state, 28), 28)
  store<u32>(out, x8 + load<u32>(state, 32), 32)
  store<u32>(out, x9 + load<u32>(state, 36), 36)
  store<u32>(out, x10 + load<u32>(state, 40), 40)
  store<u32>(out, x11 + load<u32>(state, 44), 44)
  store<u32>(out, x12 + load<u32>(state, 48), 48)
  store<u32>(out, x13 + load<u32>(state, 52), 52)
  store<u32>(out, x14 + load<u32>(state, 56), 56)
  store<u32>(out, x15 + load<u32>(state, 60), 60)
}
