// The pieces under the AEADs: ChaCha20, Poly1305, POLYVAL and GHASH, constant-time helpers, the random generator.
// Vectors: RFC 8439 sections 2.3.2, 2.4.2, 2.5.2 and appendix A.3; RFC 8452 appendix A. Oracles: @noble/ciphers and
// @noble/hashes; for the products also a slow twin in bigints.

import { poly1305 } from '@noble/ciphers/_poly1305.js'
import { ghash, polyval } from '@noble/ciphers/_polyval.js'
import { chacha20 } from '@noble/ciphers/chacha.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { ascii, FLAVOURS, hex, Machine, Random, unhex } from './symmetric'

const RFC8439_KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'

/** RFC 8439, 2.5.2 and A.3: one-time key, message, tag. The last six are built to reach the reduction's corners. */
const POLY1305: [string, string, string][] = [
  [
    '85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b',
    hex(ascii('Cryptographic Forum Research Group')),
    'a8061dc1305136c6c22b8baf0c0127a9',
  ],
  ['00'.repeat(32), '00'.repeat(64), '00'.repeat(16)],
  [`02${'00'.repeat(31)}`, 'ff'.repeat(16), `03${'00'.repeat(15)}`],
  [`02${'00'.repeat(15)}${'ff'.repeat(16)}`, `02${'00'.repeat(15)}`, `03${'00'.repeat(15)}`],
  [`01${'00'.repeat(31)}`, `${'ff'.repeat(16)}f0${'ff'.repeat(15)}11${'00'.repeat(15)}`, `05${'00'.repeat(15)}`],
  [`01${'00'.repeat(31)}`, `${'ff'.repeat(16)}fb${'fe'.repeat(15)}${'01'.repeat(16)}`, '00'.repeat(16)],
  [`02${'00'.repeat(31)}`, `fd${'ff'.repeat(15)}`, `fa${'ff'.repeat(15)}`],
  [
    '0100000000000000040000000000000000000000000000000000000000000000',
    'e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000000000000000000001000000000000000000000000000000',
    '14000000000000005500000000000000',
  ],
]

describe.each(FLAVOURS)('ChaCha20 and Poly1305, %s build', async (flavour) => {
  const machine = await Machine.shared(flavour)

  it('gives_the_block_of_rfc_8439_section_2_3_2', () => {
    const [state, out] = [machine.space(64), machine.space(64)]
    machine.call(
      'chacha20Init',
      state,
      machine.put(unhex(RFC8439_KEY)),
      machine.put(unhex('000000090000004a00000000')),
      1,
    )
    machine.call('chacha20Blocks', state, out, 1)
    expect(hex(machine.take(out, 64))).toBe(
      '10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e' +
        'd2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e',
    )
  })

  it('encrypts_the_text_of_rfc_8439_section_2_4_2', () => {
    const text = ascii(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    )
    const [state, data] = [machine.space(64), machine.space(text.length)]
    machine.write(data, text)
    machine.call(
      'chacha20Init',
      state,
      machine.put(unhex(RFC8439_KEY)),
      machine.put(unhex('000000000000004a00000000')),
      1,
    )
    machine.call('chacha20Xor', state, data, text.length)
    expect(hex(machine.take(data, text.length))).toBe(
      '6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b' +
        'f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8' +
        '07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736' +
        '5af90bbf74a35be6b40b8eedf2785e42874d',
    )
  })

  it('agrees_with_noble_on_random_streams', () => {
    const random = new Random(5)
    for (let round = 0; round < 400; round++) {
      const [key, nonce, text] = [random.bytes(32), random.bytes(12), random.bytes(random.below(300))]
      const counter = random.below(1000)
      const [state, data] = [machine.space(64), machine.space(text.length, random.below(4))]
      machine.write(data, text)
      machine.call(
        'chacha20Init',
        state,
        machine.put(key, random.below(4)),
        machine.put(nonce, random.below(4)),
        counter,
      )
      machine.call('chacha20Xor', state, data, text.length)
      expect(hex(machine.take(data, text.length))).toBe(hex(chacha20(key, nonce, text, undefined, counter)))
      machine.reset()
    }
  })

  function tag(key: Uint8Array, message: Uint8Array, misalign = 0): string {
    const [state, out] = [machine.space(64), machine.space(16, misalign)]
    machine.call('poly1305Init', state, machine.put(key, misalign))
    machine.call('poly1305Message', state, machine.put(message, misalign), message.length)
    machine.call('poly1305Final', state, out)
    return hex(machine.take(out, 16))
  }

  it.each(POLY1305)('gives RFC 8439 tags: key %s, message %s', (key, message, expected) => {
    expect(tag(unhex(key), unhex(message))).toBe(expected)
  })

  it('agrees_with_noble_on_random_tags_and_on_those_near_the_modulus', () => {
    const random = new Random(6)
    for (let round = 0; round < 1000; round++) {
      const key = round & 1 ? random.bytes(32) : new Uint8Array(32).fill(0xff)
      const message = round % 3 === 0 ? new Uint8Array(random.below(100)).fill(0xff) : random.bytes(random.below(100))
      if (round % 5 === 0) key.fill(0, 1, 16)
      expect(tag(key, message, round & 3)).toBe(hex(poly1305(message, key)))
      machine.reset()
    }
  })
})

describe.each(FLAVOURS)('POLYVAL and GHASH, %s build', async (flavour) => {
  const machine = await Machine.shared(flavour)

  function run(kind: 'polyval' | 'ghash', h: Uint8Array, data: Uint8Array, misalign = 0): string {
    const [key, sum, out] = [machine.space(40), machine.space(16), machine.space(16, misalign)]
    machine.write(sum, new Uint8Array(16))
    machine.call(`${kind}Key`, key, machine.put(h, misalign))
    machine.call(`${kind}Update`, key, sum, machine.put(data, misalign), data.length)
    machine.call(`${kind}Output`, sum, out)
    return hex(machine.take(out, 16))
  }

  // RFC 8452, appendix A.
  const H = '25629347589242761d31f826ba4b757b'
  const X = '4f4f95668c83dfb6401762bb2d01a262d1a24ddd2721d006bbe45f20d3c9f362'

  it('gives_the_polyval_of_rfc_8452_appendix_a', () => {
    expect(run('polyval', unhex(H), unhex(X))).toBe('f7a3b47b846119fae5b7866cf5e5b77e')
  })

  it('gives_the_ghash_of_rfc_8452_appendix_a', () => {
    expect(run('ghash', unhex(H), unhex(X))).toBe('bd9b3997046731fb96251b91f9c99d7a')
  })

  it('agrees_with_noble_on_random_sums_at_any_alignment', () => {
    const random = new Random(8)
    for (let round = 0; round < 500; round++) {
      const [h, data] = [random.bytes(16), random.bytes(random.below(120))]
      const padded = new Uint8Array((data.length + 15) & ~15)
      padded.set(data)
      expect(run('polyval', h, data, round & 3)).toBe(hex(polyval(padded, h)))
      expect(run('ghash', h, data, round & 3)).toBe(hex(ghash(padded, h)))
      machine.reset()
    }
  })

  it('keeps_apart_keys_used_in_turn_and_after_forgetting', () => {
    const random = new Random(10)
    const hs = [random.bytes(16), random.bytes(16), new Uint8Array(16)]
    const keys = hs.map((h) => {
      const key = machine.space(24)
      machine.call('polyvalKey', key, machine.put(h))
      return key
    })
    const [sum, out] = [machine.space(16), machine.space(16)]
    for (let round = 0; round < 60; round++) {
      const [which, x] = [random.below(3), random.bytes(16)]
      machine.write(sum, new Uint8Array(16))
      machine.call('polyvalUpdate', keys[which], sum, machine.put(x), 16)
      machine.call('polyvalOutput', sum, out)
      expect(hex(machine.take(out, 16))).toBe(dot(hs[which], x))
      if (random.below(3) === 0) machine.call('polyvalForget')
    }
    machine.reset()
  })

  it('multiplies_as_a_slow_twin_does_where_columns_are_fullest', () => {
    const random = new Random(9)
    const full = new Uint8Array(16).fill(0xff)
    const columns = [0x11, 0x22, 0x44, 0x88].map((byte) => new Uint8Array(16).fill(byte))
    const single = Array.from({ length: 128 }, (_, bit) => {
      const bytes = new Uint8Array(16)
      bytes[bit >> 3] = 1 << (bit & 7)
      return bytes
    })
    const values = [full, ...columns, ...single, random.bytes(16)]
    for (const h of [full, ...columns, single[0], single[127], random.bytes(16)]) {
      for (const x of values) {
        expect(run('polyval', h, x)).toBe(dot(h, x))
        machine.reset()
      }
    }
  })
})

/** dot(a, b) = a * b * x^-128 (RFC 8452, section 3), a bit at a time. */
function dot(a: Uint8Array, b: Uint8Array): string {
  const number = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes.slice().reverse())}`)
  const modulus = (1n << 128n) | (1n << 127n) | (1n << 126n) | (1n << 121n) | 1n
  let product = 0n
  for (let bit = 0n; bit < 128n; bit++) if ((number(b) >> bit) & 1n) product ^= number(a) << bit
  for (let i = 0; i < 128; i++) product = (product & 1n ? product ^ modulus : product) >> 1n
  return hex(unhex(product.toString(16).padStart(32, '0')).reverse())
}

describe.each(FLAVOURS)('constant-time helpers, %s build', async (flavour) => {
  const machine = await Machine.shared(flavour)

  it('tells_equal_bytes_from_any_single_difference', () => {
    const bytes = new Random(1).bytes(33)
    const [a, b] = [machine.put(bytes, 1), machine.space(33, 2)]
    machine.write(b, bytes)
    expect(machine.call('equalBytes', a, b, 33)).toBe(1)
    for (let bit = 0; bit < 33 * 8; bit++) {
      const other = bytes.slice()
      other[bit >> 3] ^= 1 << (bit & 7)
      machine.write(b, other)
      expect(machine.call('equalBytes', a, b, 33)).toBe(0)
    }
    expect(machine.call('equalBytes', a, b, 0)).toBe(1)
  })

  it('stands_on_a_bench_that_notices_a_byte_written_beside_a_buffer_or_over_an_input', () => {
    const [area, input] = [machine.space(4), machine.put(ascii('input'))]
    machine.check()
    machine.call('wipe', area, 5)
    expect(() => machine.check()).toThrow('overwritten')
    machine.write(area + 4, Uint8Array.of(0xa5))
    machine.check()
    machine.call('wipe', input, 1)
    expect(() => machine.check()).toThrow('overwritten')
    machine.write(input, ascii('i'))
  })

  it('selects_by_mask_and_wipes', () => {
    expect(machine.call('selectU32', -1, 0x12345678, 7)).toBe(0x12345678)
    expect(machine.call('selectU32', 0, 0x12345678, 7)).toBe(7)
    const area = machine.space(21, 3)
    machine.call('wipe', area, 21)
    expect(hex(machine.take(area, 21))).toBe('00'.repeat(21))
  })
})

/** The generator of drbg.ts, from its description, on noble's primitives. */
class Twin {
  private key = new Uint8Array(32)
  private pool = new Uint8Array(0)

  reseed(entropy: Uint8Array): void {
    this.key = hmac(sha256, this.key, entropy)
    this.pool = new Uint8Array(0)
  }

  generate(length: number): Uint8Array {
    const out = new Uint8Array(length)
    for (let i = 0; i < length; i++) {
      if (this.pool.length === 0) {
        const stream = chacha20(this.key, new Uint8Array(12), new Uint8Array(256))
        this.key = stream.slice(0, 32)
        this.pool = stream.slice(32)
      }
      out[i] = this.pool[0]
      this.pool = this.pool.slice(1)
    }
    return out
  }
}

describe.each(FLAVOURS)('the random generator, %s build', (flavour) => {
  function generate(machine: Machine, length: number): Uint8Array {
    const out = machine.space(length, length & 7)
    machine.call('drbgGenerate', out, length)
    return machine.take(out, length)
  }

  it('traps_before_it_is_seeded_and_refuses_a_short_seed', async () => {
    const machine = await Machine.load(flavour)
    expect(machine.call('drbgSeeded')).toBe(0)
    expect(machine.call('drbgSeed', machine.put(new Uint8Array(47)), 47)).toBe(0)
    expect(machine.call('drbgSeeded')).toBe(0)
    expect(() => generate(machine, 1)).toThrow(WebAssembly.RuntimeError)
  })

  it('gives_the_stream_of_its_description_whatever_the_pieces', async () => {
    const machine = await Machine.load(flavour)
    const [twin, random] = [new Twin(), new Random(17)]
    const seed = random.bytes(48)
    expect(machine.call('drbgSeed', machine.put(seed), seed.length)).toBe(1)
    expect(machine.call('drbgSeeded')).toBe(1)
    twin.reseed(seed)
    for (let round = 0; round < 300; round++) {
      if (round % 50 === 49) {
        const more = random.bytes(random.below(80))
        machine.call('drbgReseed', machine.put(more), more.length)
        twin.reseed(more)
      }
      const length = random.below(round % 10 === 0 ? 1000 : 40)
      expect(hex(generate(machine, length))).toBe(hex(twin.generate(length)))
      machine.reset()
    }
  })

  it('keeps_nothing_of_what_it_handed_out', async () => {
    const machine = await Machine.load(flavour)
    const seed = new Random(18).bytes(64)
    machine.call('drbgSeed', machine.put(seed), seed.length)
    const address = machine.space(64)
    machine.call('drbgGenerate', address, 64)
    const handedOut = Buffer.from(machine.take(address, 64))
    machine.write(address, new Uint8Array(64))
    const memory = Buffer.from(machine.entry.memory.buffer)
    for (let at = 0; at + 8 <= 64; at += 8) expect(memory.includes(handedOut.subarray(at, at + 8))).toBe(false)
  })

  it('differs_after_another_seed_or_reseed', async () => {
    const streams = new Set<string>()
    for (const [seed, more] of [
      [1, 0],
      [2, 0],
      [1, 3],
      [1, 4],
    ]) {
      const machine = await Machine.load(flavour)
      machine.call('drbgSeed', machine.put(new Random(seed).bytes(48)), 48)
      if (more !== 0) machine.call('drbgReseed', machine.put(new Random(more).bytes(32)), 32)
      streams.add(hex(generate(machine, 32)))
    }
    expect(streams.size).toBe(4)
  })
})

describe.each(FLAVOURS)('secrets, %s build', (flavour) => {
  // Keys and plaintexts may remain only in the caller's own buffers, which the test clears; then nothing may be found.
  it('leaves_no_key_or_plaintext_in_scratch_memory', async () => {
    const machine = await Machine.load(flavour)
    const random = new Random(23)
    const secrets: Uint8Array[] = []
    const places: [number, number][] = []
    const secret = (length: number): number => {
      const bytes = random.bytes(length)
      const address = machine.space(length)
      machine.write(address, bytes)
      secrets.push(bytes)
      places.push([address, length])
      return address
    }
    const area = (length: number): number => {
      const address = machine.space(length)
      places.push([address, length])
      return address
    }
    const [context, out, nonce] = [area(640), area(256), machine.put(random.bytes(12))]
    for (const h of [1, 2, 3]) {
      machine.call('hash', h, secret(77), 77, out)
      machine.call('hmac', h, secret(40), 40, secret(33), 33, out)
      machine.call('hkdfExpand', h, secret(32), 32, secret(20), 20, out, 100)
    }
    machine.call('aesSivInit', context, secret(32))
    machine.call('aesSivSeal', context, 0, 0, nonce, 12, secret(60), 60, out)
    machine.call('aesSivOpen', context, 0, 0, nonce, 12, out, 76, out)
    machine.call('aesGcmSivInit', context, secret(16), 16)
    machine.call('aesGcmSivSeal', context, 0, 0, nonce, secret(60), 60, out)
    machine.call('aesGcmSivOpen', context, 0, 0, nonce, out, 76, out)
    for (const aead of [1, 2, 3]) {
      machine.call('aeadInit', aead, context, secret(32))
      machine.call('aeadSeal', context, nonce, 0, 0, secret(60), 60, out)
      machine.call('aeadOpen', context, nonce, 0, 0, out, 76, out)
    }
    machine.call('cmacInit', context, secret(16), 16)
    machine.call('cmac', context, secret(45), 45, out)
    for (const [address, length] of places) machine.write(address, new Uint8Array(length))
    const memory = Buffer.from(machine.entry.memory.buffer)
    for (const bytes of secrets) {
      for (let at = 0; at + 8 <= bytes.length; at += 4) {
        expect(memory.includes(Buffer.from(bytes.subarray(at, at + 8))), `${bytes.length} bytes, at ${at}`).toBe(false)
      }
    }
  })
})
