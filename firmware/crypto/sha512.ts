// biome-ignore-all lint/correctness/noPrecisionLoss: AssemblyScript reads all 64 bits of these literals.

// The compression function of SHA-384 and SHA-512 (FIPS 180-4, sections 4.1.3, 4.2.3, 5.3.4, 5.3.5 and 6.4.2).
// The streaming interface and the padding are hash.ts's.
//
// Constant-time on every processor: additions, rotations and logic; K is indexed by the round only.
// The message schedule lives in locals: nothing of a message stays in linear memory.

/** First 64 bits of the fractional parts of the cube roots of the first 80 primes. */
const K: StaticArray<u64> = [
  0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
  0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
  0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
  0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
  0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
  0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
  0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
  0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
  0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
  0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
  0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
  0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
  0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
  0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
  0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
  0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
]

/** Bytes of the chaining value: eight words in host order. */
export const SHA512_STATE_SIZE: u32 = 64

/** Writes SHA-512's initial chaining value at `state` (8-aligned). */
export function sha512Start(state: usize): void {
  store<u64>(state, 0x6a09e667f3bcc908)
  store<u64>(state, 0xbb67ae8584caa73b, 8)
  store<u64>(state, 0x3c6ef372fe94f82b, 16)
  store<u64>(state, 0xa54ff53a5f1d36f1, 24)
  store<u64>(state, 0x510e527fade682d1, 32)
  store<u64>(state, 0x9b05688c2b3e6c1f, 40)
  store<u64>(state, 0x1f83d9abfb41bd6b, 48)
  store<u64>(state, 0x5be0cd19137e2179, 56)
}

/** Writes SHA-384's initial chaining value at `state` (8-aligned). */
export function sha384Start(state: usize): void {
  store<u64>(state, 0xcbbb9d5dc1059ed8)
  store<u64>(state, 0x629a292a367cd507, 8)
  store<u64>(state, 0x9159015a3070dd17, 16)
  store<u64>(state, 0x152fecd8f70e5939, 24)
  store<u64>(state, 0x67332667ffc00b31, 32)
  store<u64>(state, 0x8eb44a8768581511, 40)
  store<u64>(state, 0xdb0c2e0d64f98fa7, 48)
  store<u64>(state, 0x47b5481dbefa4fa4, 56)
}

/** Absorbs `count` blocks of 128 bytes at `data` (4-aligned) into the chaining value. */
export function sha512Blocks(state: usize, data: usize, count: u32): void {
  for (; count !== 0; count--) {
    compress(state, data)
    data += 128
  }
}

/** One block: 80 rounds on the working variables, sixteen at a time so that they rotate by name and not by moves. */
function compress(state: usize, data: usize): void {
  let a = load<u64>(state)
  let b = load<u64>(state, 8)
  let c = load<u64>(state, 16)
  let d = load<u64>(state, 24)
  let e = load<u64>(state, 32)
  let f = load<u64>(state, 40)
  let g = load<u64>(state, 48)
  let h = load<u64>(state, 56)
  let w0 = loadWord(data)
  let w1 = loadWord(data + 8)
  let w2 = loadWord(data + 16)
  let w3 = loadWord(data + 24)
  let w4 = loadWord(data + 32)
  let w5 = loadWord(data + 40)
  let w6 = loadWord(data + 48)
  let w7 = loadWord(data + 56)
  let w8 = loadWord(data + 64)
  let w9 = loadWord(data + 72)
  let w10 = loadWord(data + 80)
  let w11 = loadWord(data + 88)
  let w12 = loadWord(data + 96)
  let w13 = loadWord(data + 104)
  let w14 = loadWord(data + 112)
  let w15 = loadWord(data + 120)
  for (let i = 0; ; i += 16) {
    h += bigSigma1(e) + choose(e, f, g) + unchecked(K[i]) + w0
    d += h
    h += bigSigma0(a) + majority(a, b, c)
    g += bigSigma1(d) + choose(d, e, f) + unchecked(K[i + 1]) + w1
    c += g
    g += bigSigma0(h) + majority(h, a, b)
    f += bigSigma1(c) + choose(c, d, e) + unchecked(K[i + 2]) + w2
    b += f
    f += bigSigma0(g) + majority(g, h, a)
    e += bigSigma1(b) + choose(b, c, d) + unchecked(K[i + 3]) + w3
    a += e
    e += bigSigma0(f) + majority(f, g, h)
    d += bigSigma1(a) + choose(a, b, c) + unchecked(K[i + 4]) + w4
    h += d
    d += bigSigma0(e) + majority(e, f, g)
    c += bigSigma1(h) + choose(h, a, b) + unchecked(K[i + 5]) + w5
    g += c
    c += bigSigma0(d) + majority(d, e, f)
    b += bigSigma1(g) + choose(g, h, a) + unchecked(K[i + 6]) + w6
    f += b
    b += bigSigma0(c) + majority(c, d, e)
    a += bigSigma1(f) + choose(f, g, h) + unchecked(K[i + 7]) + w7
    e += a
    a += bigSigma0(b) + majority(b, c, d)
    h += bigSigma1(e) + choose(e, f, g) + unchecked(K[i + 8]) + w8
    d += h
    h += bigSigma0(a) + majority(a, b, c)
    g += bigSigma1(d) + choose(d, e, f) + unchecked(K[i + 9]) + w9
    c += g
    g += bigSigma0(h) + majority(h, a, b)
    f += bigSigma1(c) + choose(c, d, e) + unchecked(K[i + 10]) + w10
    b += f
    f += bigSigma0(g) + majority(g, h, a)
    e += bigSigma1(b) + choose(b, c, d) + unchecked(K[i + 11]) + w11
    a += e
    e += bigSigma0(f) + majority(f, g, h)
    d += bigSigma1(a) + choose(a, b, c) + unchecked(K[i + 12]) + w12
    h += d
    d += bigSigma0(e) + majority(e, f, g)
    c += bigSigma1(h) + choose(h, a, b) + unchecked(K[i + 13]) + w13
    g += c
    c += bigSigma0(d) + majority(d, e, f)
    b += bigSigma1(g) + choose(g, h, a) + unchecked(K[i + 14]) + w14
    f += b
    b += bigSigma0(c) + majority(c, d, e)
    a += bigSigma1(f) + choose(f, g, h) + unchecked(K[i + 15]) + w15
    e += a
    a += bigSigma0(b) + majority(b, c, d)
    if (i === 64) break
    // The schedule's next sixteen words (step 1), each in the place of the word sixteen before it.
    w0 += smallSigma1(w14) + w9 + smallSigma0(w1)
    w1 += smallSigma1(w15) + w10 + smallSigma0(w2)
    w2 += smallSigma1(w0) + w11 + smallSigma0(w3)
    w3 += smallSigma1(w1) + w12 + smallSigma0(w4)
    w4 += smallSigma1(w2) + w13 + smallSigma0(w5)
    w5 += smallSigma1(w3) + w14 + smallSigma0(w6)
    w6 += smallSigma1(w4) + w15 + smallSigma0(w7)
    w7 += smallSigma1(w5) + w0 + smallSigma0(w8)
    w8 += smallSigma1(w6) + w1 + smallSigma0(w9)
    w9 += smallSigma1(w7) + w2 + smallSigma0(w10)
    w10 += smallSigma1(w8) + w3 + smallSigma0(w11)
    w11 += smallSigma1(w9) + w4 + smallSigma0(w12)
    w12 += smallSigma1(w10) + w5 + smallSigma0(w13)
    w13 += smallSigma1(w11) + w6 + smallSigma0(w14)
    w14 += smallSigma1(w12) + w7 + smallSigma0(w15)
    w15 += smallSigma1(w13) + w8 + smallSigma0(w0)
  }
  store<u64>(state, load<u64>(state) + a)
  store<u64>(state, load<u64>(state, 8) + b, 8)
  store<u64>(state, load<u64>(state, 16) + c, 16)
  store<u64>(state, load<u64>(state, 24) + d, 24)
  store<u64>(state, load<u64>(state, 32) + e, 32)
  store<u64>(state, load<u64>(state, 40) + f, 40)
  store<u64>(state, load<u64>(state, 48) + g, 48)
  store<u64>(state, load<u64>(state, 56) + h, 56)
}

/** A big-endian word; only 4-aligned. */
function loadWord(p: usize): u64 {
  return ((<u64>bswap<u32>(load<u32>(p))) << 32) | <u64>bswap<u32>(load<u32>(p, 4))
}

function choose(x: u64, y: u64, z: u64): u64 {
  return z ^ (x & (y ^ z))
}

function majority(x: u64, y: u64, z: u64): u64 {
  return (x & y) | (z & (x | y))
}

function bigSigma0(x: u64): u64 {
  return rotr<u64>(x, 28) ^ rotr<u64>(x, 34) ^ rotr<u64>(x, 39)
}

function bigSigma1(x: u64): u64 {
  return rotr<u64>(x, 14) ^ rotr<u64>(x, 18) ^ rotr<u64>(x, 41)
}

function smallSigma0(x: u64): u64 {
  return rotr<u64>(x, 1) ^ rotr<u64>(x, 8) ^ (x >> 7)
}

function smallSigma1(x: u64): u64 {
  return rotr<u64>(x, 19) ^ rotr<u64>(x, 61) ^ (x >> 6)
}
