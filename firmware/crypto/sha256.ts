// SHA-256's compression function (FIPS 180-4, sections 4.1.2, 4.2.2, 5.3.3 and 6.2.2). The streaming interface and the
// padding are hash.ts's.
//
// Constant-time on every processor: additions, rotations and logic; K is indexed by the round only.
// The message schedule lives in locals: nothing of a message stays in linear memory.

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const K: StaticArray<u32> = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]

/** Bytes of the chaining value: eight words in host order. */
export const SHA256_STATE_SIZE: u32 = 32

/** Writes the initial chaining value at `state` (4-aligned). */
export function sha256Start(state: usize): void {
  store<u32>(state, 0x6a09e667)
  store<u32>(state, 0xbb67ae85, 4)
  store<u32>(state, 0x3c6ef372, 8)
  store<u32>(state, 0xa54ff53a, 12)
  store<u32>(state, 0x510e527f, 16)
  store<u32>(state, 0x9b05688c, 20)
  store<u32>(state, 0x1f83d9ab, 24)
  store<u32>(state, 0x5be0cd19, 28)
}

/** Absorbs `count` blocks of 64 bytes at `data` (4-aligned) into the chaining value. */
export function sha256Blocks(state: usize, data: usize, count: u32): void {
  for (; count !== 0; count--) {
    compress(state, data)
    data += 64
  }
}

/** One block: 64 rounds on the working variables, sixteen at a time so that they rotate by name and not by moves. */
function compress(state: usize, data: usize): void {
  let a = load<u32>(state)
  let b = load<u32>(state, 4)
  let c = load<u32>(state, 8)
  let d = load<u32>(state, 12)
  let e = load<u32>(state, 16)
  let f = load<u32>(state, 20)
  let g = load<u32>(state, 24)
  let h = load<u32>(state, 28)
  let w0 = bswap<u32>(load<u32>(data))
  let w1 = bswap<u32>(load<u32>(data, 4))
  let w2 = bswap<u32>(load<u32>(data, 8))
  let w3 = bswap<u32>(load<u32>(data, 12))
  let w4 = bswap<u32>(load<u32>(data, 16))
  let w5 = bswap<u32>(load<u32>(data, 20))
  let w6 = bswap<u32>(load<u32>(data, 24))
  let w7 = bswap<u32>(load<u32>(data, 28))
  let w8 = bswap<u32>(load<u32>(data, 32))
  let w9 = bswap<u32>(load<u32>(data, 36))
  let w10 = bswap<u32>(load<u32>(data, 40))
  let w11 = bswap<u32>(load<u32>(data, 44))
  let w12 = bswap<u32>(load<u32>(data, 48))
  let w13 = bswap<u32>(load<u32>(data, 52))
  let w14 = bswap<u32>(load<u32>(data, 56))
  let w15 = bswap<u32>(load<u32>(data, 60))
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
    if (i === 48) break
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
  store<u32>(state, load<u32>(state) + a)
  store<u32>(state, load<u32>(state, 4) + b, 4)
  store<u32>(state, load<u32>(state, 8) + c, 8)
  store<u32>(state, load<u32>(state, 12) + d, 12)
  store<u32>(state, load<u32>(state, 16) + e, 16)
  store<u32>(state, load<u32>(state, 20) + f, 20)
  store<u32>(state, load<u32>(state, 24) + g, 24)
  store<u32>(state, load<u32>(state, 28) + h, 28)
}

function choose(x: u32, y: u32, z: u32): u32 {
  return z ^ (x & (y ^ z))
}

function majority(x: u32, y: u32, z: u32): u32 {
  return (x & y) | (z & (x | y))
}

function bigSigma0(x: u32): u32 {
  return rotr<u32>(x, 2) ^ rotr<u32>(x, 13) ^ rotr<u32>(x, 22)
}

function bigSigma1(x: u32): u32 {
  return rotr<u32>(x, 6) ^ rotr<u32>(x, 11) ^ rotr<u32>(x, 25)
}

function smallSigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3)
}

function smallSigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10)
}
