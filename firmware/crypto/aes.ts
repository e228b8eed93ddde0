// AES-128 and AES-256 (FIPS 197), encryption only: every mode here (CMAC, CTR, GCM, SIV) needs nothing else.
//
// A context is AES_CONTEXT_SIZE bytes, 8-aligned, and may be copied with memory.copy:
//
//   rounds u32 (10, 14; 0: the schedule is not expanded yet) | keyLength u32 | serial u32 | reserved u32 | round keys(240)
//
// The state is four little-endian words, one a column, so that no byte is ever swapped; so are the round keys.
//
// Timing. The rounds look up tables by secret bytes. On the ESP32-C3 the tables are in linear memory, which is SRAM
// behind no data cache: each look-up costs the same and the cipher is constant-time there. (The sandbox compares an
// address with the memory's size before it loads; that branch is never taken.) On a PC, the virtual board, the data
// cache sees which lines are used, and another process of the same machine could learn about the key: do not keep keys
// of value on a virtual board that shares its processor with strangers. Nothing branches on a secret.
//
// The tables are computed at the first key expansion (about 15,000 instructions, once) rather than stored in flash.

import { loadU32le } from '../bytes/endian'

@unmanaged
class AesContext {
  rounds: u32
  keyLength: u32
  /** Names this key to the accelerator; 0 names none. */
  serial: u32
  reserved: u32
}

const ROUND_KEYS: usize = 16

/** Bytes of a context. */
export const AES_CONTEXT_SIZE: u32 = 256

/** T0: MixColumns(SubBytes) of a column's first byte, 256 words. T1..T3 are T0 rotated left by 8, 16, 24 bits. */
const T0: usize = memory.data(4096, 8)
const T1: usize = T0 + 1024
const T2: usize = T0 + 2048
const T3: usize = T0 + 3072
const SBOX: usize = memory.data(256, 8)

let tablesReady: bool = false

/** Takes a key of `keyLength` (16 or 32) bytes at any address into the context. */
export function aesExpandKey(context: usize, key: usize, keyLength: u32): void {
  const head = changetype<AesContext>(context)
  head.rounds = 0
  head.keyLength = keyLength
  head.serial = nextSerial()
  const words = context + ROUND_KEYS
  for (let i: usize = 0; i < <usize>keyLength; i += 4) store<u32>(words + i, loadU32le(key + i))
  if (!accelerated) expand(context)
}

/** Bytes of the key that the context holds. */
export function aesKeyLength(context: usize): u32 {
  return changetype<AesContext>(context).keyLength
}

/** Encrypts the 16 bytes at `input` to `output`, which may be the same. Both 4-aligned. */
export function aesEncryptBlock(context: usize, input: usize, output: usize): void {
  if (accelerated && encryptOutside(context, input, output)) return
  const head = changetype<AesContext>(context)
  if (head.rounds === 0) expand(context)
  let k = context + ROUND_KEYS
  let s0 = load<u32>(input) ^ load<u32>(k)
  let s1 = load<u32>(input, 4) ^ load<u32>(k, 4)
  let s2 = load<u32>(input, 8) ^ load<u32>(k, 8)
  let s3 = load<u32>(input, 12) ^ load<u32>(k, 12)
  let t0 = column(s0, s1, s2, s3) ^ load<u32>(k, 16)
  let t1 = column(s1, s2, s3, s0) ^ load<u32>(k, 20)
  let t2 = column(s2, s3, s0, s1) ^ load<u32>(k, 24)
  let t3 = column(s3, s0, s1, s2) ^ load<u32>(k, 28)
  for (let left = head.rounds - 2; left !== 0; left -= 2) {
    s0 = column(t0, t1, t2, t3) ^ load<u32>(k, 32)
    s1 = column(t1, t2, t3, t0) ^ load<u32>(k, 36)
    s2 = column(t2, t3, t0, t1) ^ load<u32>(k, 40)
    s3 = column(t3, t0, t1, t2) ^ load<u32>(k, 44)
    t0 = column(s0, s1, s2, s3) ^ load<u32>(k, 48)
    t1 = column(s1, s2, s3, s0) ^ load<u32>(k, 52)
    t2 = column(s2, s3, s0, s1) ^ load<u32>(k, 56)
    t3 = column(s3, s0, s1, s2) ^ load<u32>(k, 60)
    k += 32
  }
  store<u32>(output, lastColumn(t0, t1, t2, t3) ^ load<u32>(k, 32))
  store<u32>(output, lastColumn(t1, t2, t3, t0) ^ load<u32>(k, 36), 4)
  store<u32>(output, lastColumn(t2, t3, t0, t1) ^ load<u32>(k, 40), 8)
  store<u32>(output, lastColumn(t3, t0, t1, t2) ^ load<u32>(k, 44), 12)
}

/** One column of a full round: SubBytes, ShiftRows and MixColumns of the bytes a0, b1, c2, d3. */
function column(a: u32, b: u32, c: u32, d: u32): u32 {
  return (
    load<u32>((a << 2) & 0x3fc, T0) ^
    load<u32>((b >> 6) & 0x3fc, T1) ^
    load<u32>((c >> 14) & 0x3fc, T2) ^
    load<u32>((d >> 22) & 0x3fc, T3)
  )
}

/** One column of the last round, which has no MixColumns. */
function lastColumn(a: u32, b: u32, c: u32, d: u32): u32 {
  return (
    <u32>load<u8>(a & 0xff, SBOX) |
    ((<u32>load<u8>((b >> 8) & 0xff, SBOX)) << 8) |
    ((<u32>load<u8>((c >> 16) & 0xff, SBOX)) << 16) |
    ((<u32>load<u8>(d >> 24, SBOX)) << 24)
  )
}

// The key schedule (FIPS 197, section 5.2). RotWord of a little-endian word is a rotation right.

function expand(context: usize): void {
  if (!tablesReady) buildTables()
  const head = changetype<AesContext>(context)
  if (head.keyLength === 16) expand128(context + ROUND_KEYS)
  else expand256(context + ROUND_KEYS)
  head.rounds = head.keyLength === 16 ? 10 : 14
}

function expand128(k: usize): void {
  let a = load<u32>(k)
  let b = load<u32>(k, 4)
  let c = load<u32>(k, 8)
  let d = load<u32>(k, 12)
  let rcon: u32 = 1
  for (const end = k + 160; k !== end; k += 16) {
    a ^= subWord(rotr<u32>(d, 8)) ^ rcon
    b ^= a
    c ^= b
    d ^= c
    store<u32>(k, a, 16)
    store<u32>(k, b, 20)
    store<u32>(k, c, 24)
    store<u32>(k, d, 28)
    rcon = timesX(rcon)
  }
}

function expand256(k: usize): void {
  let rcon: u32 = 1
  for (const end = k + 208; ; k += 32) {
    expandHalf(k, subWord(rotr<u32>(load<u32>(k, 28), 8)) ^ rcon)
    if (k + 16 >= end) return
    expandHalf(k + 16, subWord(load<u32>(k, 44)))
    rcon <<= 1
  }
}

/** Four words, 32 bytes after `k`, of a schedule whose period is eight words. */
function expandHalf(k: usize, first: u32): void {
  let word = first
  for (let i: usize = 0; i < 16; i += 4) {
    word ^= load<u32>(k + i)
    store<u32>(k + i, word, 32)
  }
}

function subWord(w: u32): u32 {
  return lastColumn(w, w, w, w)
}

// The tables (FIPS 197, sections 4.2 and 5.1.1).

/** Multiplication by x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function timesX(a: u32): u32 {
  return ((a << 1) ^ ((a >> 7) * 0x11b)) & 0xff
}

function buildTables(): void {
  buildSbox()
  for (let i: usize = 0; i < 256; i++) {
    const s: u32 = load<u8>(SBOX + i)
    const twice = timesX(s)
    const word = twice | (s << 8) | (s << 16) | ((twice ^ s) << 24)
    store<u32>(T0 + (i << 2), word)
    store<u32>(T1 + (i << 2), rotl<u32>(word, 8))
    store<u32>(T2 + (i << 2), rotl<u32>(word, 16))
    store<u32>(T3 + (i << 2), rotl<u32>(word, 24))
  }
  tablesReady = true
}

/** S(a) is the affine map of 1/a. 3 generates the field: 1/3^i is 3^(255-i). Its powers lie in T0's place meanwhile. */
function buildSbox(): void {
  let power: u32 = 1
  for (let i: usize = 0; i < 256; i++) {
    store<u8>(T0 + i, power)
    power ^= timesX(power)
  }
  store<u8>(SBOX, 0x63)
  for (let i: usize = 0; i < 255; i++) {
    const inverse: u32 = load<u8>(T0 + 255 - i)
    const spread = inverse ^ (inverse << 1) ^ (inverse << 2) ^ (inverse << 3) ^ (inverse << 4)
    store<u8>(SBOX + <usize>load<u8>(T0 + i), spread ^ (spread >> 8) ^ 0x63)
  }
}

// The accelerator's door. A board with an AES engine gives two functions (hal/abi's aes_load and aes_encrypt; this file
// may not name them); every block then goes there, and a key's schedule is never expanded. Without them a block pays
// for one branch.

let accelerated: bool = false
let loadKey: (key: usize, keyLength: u32) => i32 = noLoad
let encryptLoaded: (input: usize, output: usize) => void = noEncrypt
/** Serial of the key that the accelerator holds. */
let loadedSerial: u32 = 0
let lastSerial: u32 = 0

/**
 * Sends all blocks through an accelerator, if it gives FIPS 197's answer (appendix C.1) now; false: it does not, and
 * the software goes on. `load` returns 0 when it holds the key (4-aligned); when it ever fails, that block is
 * encrypted in software. May be called at any time.
 */
export function aesUseAccelerator(
  load: (key: usize, keyLength: u32) => i32,
  encrypt: (input: usize, output: usize) => void,
): bool {
  loadKey = load
  encryptLoaded = encrypt
  loadedSerial = 0
  accelerated = true
  accelerated = answersRight()
  return accelerated
}

/** Back to software. Contexts made meanwhile stay good. */
export function aesUseSoftware(): void {
  accelerated = false
}

function encryptOutside(context: usize, input: usize, output: usize): bool {
  const head = changetype<AesContext>(context)
  if (head.serial !== loadedSerial) {
    loadedSerial = 0
    if (loadKey(context + ROUND_KEYS, head.keyLength) !== 0) return false
    loadedSerial = head.serial
  }
  encryptLoaded(input, output)
  return true
}

const PROBE: usize = memory.data(256, 8)
const PROBE_BLOCK: usize = memory.data(16, 8)

/** Key 00 01 .. 0f, plaintext 00 11 .. ff: the ciphertext begins 69 c4 e0 d8 and ends 70 b4 c5 5a. */
function answersRight(): bool {
  for (let i: usize = 0; i < 16; i++) {
    store<u8>(PROBE + ROUND_KEYS + i, i)
    store<u8>(PROBE_BLOCK + i, i * 0x11)
  }
  const head = changetype<AesContext>(PROBE)
  head.keyLength = 16
  head.serial = nextSerial()
  return (
    encryptOutside(PROBE, PROBE_BLOCK, PROBE_BLOCK) &&
    load<u32>(PROBE_BLOCK) === 0xd8e0c469 &&
    load<u32>(PROBE_BLOCK, 4) === 0x30047b6a &&
    load<u32>(PROBE_BLOCK, 8) === 0x80b7cdd8 &&
    load<u32>(PROBE_BLOCK, 12) === 0x5ac5b470
  )
}

function nextSerial(): u32 {
  lastSerial++
  if (lastSerial === 0) lastSerial = 1
  return lastSerial
}

function noLoad(_key: usize, _keyLength: u32): i32 {
  return -1
}

function noEncrypt(_input: usize, _output: usize): void {}
