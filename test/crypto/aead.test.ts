// All AEADs: one suite of properties for each, then their vectors.
// Vectors: RFC 5297 appendix A; RFC 8452 appendix C; the GCM specification (McGrew and Viega) test cases 1-4 and 13-16;
// RFC 8439 section 2.8.2. Oracles: @noble/ciphers for all; node:crypto for GCM and ChaCha20-Poly1305
// (OpenSSL 3.0's AES-SIV fails on an empty plaintext, so it is no oracle).

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { aessiv, cmac, gcm, gcmsiv } from '@noble/ciphers/aes.js'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { describe, expect, it } from 'vitest'
import { ascii, FLAVOURS, hex, Machine, Random, unhex } from './symmetric'

/** One AEAD behind the suite's interface. Addresses are the module's; `nonceLength` 0 is an absent nonce. */
interface AeadCase {
  name: string
  keyLength: number
  nonceLengths: number[]
  contextSize: number
  init(m: Machine, context: number, key: number): void
  seal(m: Machine, s: Spans, out: number): void
  open(m: Machine, s: Spans, out: number): boolean
  /** Other implementations' sealed message, each must be ours. */
  oracles: ((key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array) => Uint8Array)[]
}

/** Where a message's parts lie; `data` is the plaintext or the sealed message. */
interface Spans {
  context: number
  nonce: number
  nonceLength: number
  ad: number
  adLength: number
  data: number
  length: number
}

const TAG = 16

function openssl(name: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305') {
  return (key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array): Uint8Array => {
    const cipher = createCipheriv(name as 'aes-128-gcm', key, nonce, { authTagLength: TAG })
    cipher.setAAD(ad)
    return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  }
}

function tlsAead(id: number, name: string, keyLength: number, oracles: AeadCase['oracles']): AeadCase {
  return {
    name: `${name} by way of aead.ts`,
    keyLength,
    nonceLengths: [12],
    contextSize: 304,
    init: (m, context, key) => m.call('aeadInit', id, context, key),
    seal: (m, s, out) => m.call('aeadSeal', s.context, s.nonce, s.ad, s.adLength, s.data, s.length, out),
    open: (m, s, out) => m.call('aeadOpen', s.context, s.nonce, s.ad, s.adLength, s.data, s.length, out) !== 0,
    oracles,
  }
}

function gcmSiv(keyLength: number): AeadCase {
  return {
    name: `AES-${keyLength * 8}-GCM-SIV`,
    keyLength,
    nonceLengths: [12],
    contextSize: 256,
    init: (m, context, key) => m.call('aesGcmSivInit', context, key, keyLength),
    seal: (m, s, out) => m.call('aesGcmSivSeal', s.context, s.ad, s.adLength, s.nonce, s.data, s.length, out),
    open: (m, s, out) => m.call('aesGcmSivOpen', s.context, s.ad, s.adLength, s.nonce, s.data, s.length, out) !== 0,
    oracles: [(key, nonce, ad, plaintext) => gcmsiv(key, nonce, ad).encrypt(plaintext)],
  }
}

const AES_SIV: AeadCase = {
  name: 'AES-SIV-CMAC-256',
  keyLength: 32,
  nonceLengths: [16, 16, 0, 1, 12, 15, 17, 32, 40],
  contextSize: 560,
  init: (m, context, key) => m.call('aesSivInit', context, key),
  seal: (m, s, out) => m.call('aesSivSeal', s.context, s.ad, s.adLength, s.nonce, s.nonceLength, s.data, s.length, out),
  open: (m, s, out) =>
    m.call('aesSivOpen', s.context, s.ad, s.adLength, s.nonce, s.nonceLength, s.data, s.length, out) !== 0,
  oracles: [
    (key, nonce, ad, plaintext) => aessiv(key, ...(nonce.length === 0 ? [ad] : [ad, nonce])).encrypt(plaintext),
  ],
}

const AES_128_GCM = tlsAead(1, 'AES-128-GCM', 16, [
  openssl('aes-128-gcm'),
  (key, nonce, ad, plaintext) => gcm(key, nonce, ad).encrypt(plaintext),
])
const AES_256_GCM = tlsAead(2, 'AES-256-GCM', 32, [
  openssl('aes-256-gcm'),
  (key, nonce, ad, plaintext) => gcm(key, nonce, ad).encrypt(plaintext),
])
const CHACHA20_POLY1305 = tlsAead(3, 'ChaCha20-Poly1305', 32, [
  openssl('chacha20-poly1305'),
  (key, nonce, ad, plaintext) => chacha20poly1305(key, nonce, ad).encrypt(plaintext),
])
const AES_128_GCM_SIV = gcmSiv(16)
const AES_256_GCM_SIV = gcmSiv(32)

const AEADS = [AES_SIV, AES_128_GCM_SIV, AES_256_GCM_SIV, AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305]

describe.each(FLAVOURS)('AEADs, %s build', async (flavour) => {
  const machine = await Machine.shared(flavour)

  /** Lays a message out at the given offsets from alignment. */
  function lay(
    aead: AeadCase,
    message: { key: Uint8Array; nonce: Uint8Array; ad: Uint8Array; data: Uint8Array },
    misalign = 0,
  ): Spans {
    const context = machine.space(aead.contextSize)
    aead.init(machine, context, machine.put(message.key, misalign))
    return {
      context,
      nonce: message.nonce.length === 0 ? 0 : machine.put(message.nonce, misalign),
      nonceLength: message.nonce.length,
      ad: machine.put(message.ad, misalign),
      adLength: message.ad.length,
      data: machine.put(message.data, misalign),
      length: message.data.length,
    }
  }

  function draw(aead: AeadCase, random: Random, longest: number) {
    return {
      key: random.bytes(aead.keyLength),
      nonce: random.bytes(aead.nonceLengths[random.below(aead.nonceLengths.length)]),
      ad: random.bytes(random.below(longest)),
      data: random.bytes(random.below(longest)),
    }
  }

  function seal(aead: AeadCase, message: Parameters<typeof lay>[1], misalign = 0): Uint8Array {
    const spans = lay(aead, message, misalign)
    const out = machine.space(spans.length + TAG, misalign)
    aead.seal(machine, spans, out)
    return machine.take(out, spans.length + TAG)
  }

  function open(aead: AeadCase, message: Parameters<typeof lay>[1], misalign = 0): Uint8Array | undefined {
    const spans = lay(aead, message, misalign)
    const length = Math.max(0, spans.length - TAG)
    const out = machine.space(length, misalign)
    const good = aead.open(machine, spans, out)
    const plaintext = machine.take(out, length)
    if (!good && spans.length >= TAG) expect(plaintext.every((byte) => byte === 0)).toBe(true)
    return good ? plaintext : undefined
  }

  describe.each(AEADS)('$name', (aead) => {
    it('seals_as_the_oracles_do_and_opens_what_they_sealed', () => {
      const random = new Random(aead.name.length * 1000 + aead.keyLength)
      for (let round = 0; round < 500; round++) {
        const message = draw(aead, random, round % 20 === 0 ? 1600 : 90)
        const sealed = seal(aead, message, round & 3)
        for (const oracle of aead.oracles) {
          expect(hex(sealed)).toBe(hex(oracle(message.key, message.nonce, message.ad, message.data)))
        }
        expect(hex(open(aead, { ...message, data: sealed }, (round >> 2) & 3)!)).toBe(hex(message.data))
        machine.reset()
      }
    })

    it('seals_and_opens_every_length_around_block_boundaries', () => {
      const random = new Random(77)
      for (let length = 0; length <= 68; length++) {
        const message = { ...draw(aead, random, 70), data: random.bytes(length), ad: random.bytes(length) }
        const sealed = seal(aead, message)
        expect(hex(sealed)).toBe(hex(aead.oracles[0](message.key, message.nonce, message.ad, message.data)))
        expect(hex(open(aead, { ...message, data: sealed })!)).toBe(hex(message.data))
        machine.reset()
      }
    })

    it('seals_and_opens_at_every_overlap_of_input_and_output', () => {
      const random = new Random(88)
      const MARGIN = 40
      for (const length of [0, 5, 16, 33, 100]) {
        const message = { ...draw(aead, random, 60), data: random.bytes(length) }
        const sealed = aead.oracles[0](message.key, message.nonce, message.ad, message.data)
        for (let shift = -MARGIN; shift <= MARGIN; shift++) {
          const spans = lay(aead, { ...message, data: new Uint8Array(0) })
          const area = machine.space(length + TAG + 2 * MARGIN)
          const input = area + MARGIN
          machine.write(input, message.data)
          aead.seal(machine, { ...spans, data: input, length }, input + shift)
          expect(hex(machine.take(input + shift, length + TAG)), `seal, ${length} bytes, shift ${shift}`).toBe(
            hex(sealed),
          )
          machine.write(input, sealed)
          expect(aead.open(machine, { ...spans, data: input, length: length + TAG }, input + shift)).toBe(true)
          expect(hex(machine.take(input + shift, length)), `open, ${length} bytes, shift ${shift}`).toBe(
            hex(message.data),
          )
          machine.reset()
        }
      }
    })

    it('rejects_every_changed_bit_of_a_sealed_message_and_leaves_zeros', () => {
      const message = { ...draw(aead, new Random(99), 40), data: new Random(98).bytes(37) }
      const sealed = seal(aead, message)
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const forged = sealed.slice()
        forged[bit >> 3] ^= 1 << (bit & 7)
        expect(open(aead, { ...message, data: forged })).toBeUndefined()
        machine.reset()
      }
    })

    it('rejects_changed_associated_data_nonces_keys_and_lengths', () => {
      const random = new Random(101)
      for (let round = 0; round < 300; round++) {
        const message = draw(aead, random, 60)
        const sealed = seal(aead, message)
        const forged = { ...message, data: sealed }
        const flip = (bytes: Uint8Array): Uint8Array => {
          const changed = bytes.slice()
          changed[random.below(bytes.length)] ^= 1 << random.below(8)
          return changed
        }
        const kind = round % 6
        if (kind === 0) forged.key = flip(message.key)
        else if (kind === 1 && message.nonce.length > 0) forged.nonce = flip(message.nonce)
        else if (kind === 2 && message.ad.length > 0) forged.ad = flip(message.ad)
        else if (kind === 3) forged.ad = Buffer.concat([message.ad, Buffer.from([0])])
        else if (kind === 4) forged.data = Buffer.concat([sealed, Buffer.from([random.below(256)])])
        else forged.data = sealed.subarray(0, random.below(sealed.length))
        expect(open(aead, forged)).toBeUndefined()
        machine.reset()
      }
    })

    it('rejects_what_is_shorter_than_a_tag_without_touching_the_output', () => {
      for (let length = 0; length < TAG; length++) {
        const spans = lay(aead, { ...draw(aead, new Random(3), 20), data: new Uint8Array(length) })
        const out = machine.space(8)
        expect(aead.open(machine, spans, out)).toBe(false)
        expect(hex(machine.take(out, 8))).toBe('a5'.repeat(8))
      }
    })

    it('does_not_change_its_context_by_use', () => {
      const random = new Random(55)
      const message = draw(aead, random, 60)
      const spans = lay(aead, message)
      const out = machine.space(spans.length + TAG)
      aead.seal(machine, spans, out)
      const first = hex(machine.take(out, spans.length + TAG))
      aead.open(machine, { ...spans, data: out, length: spans.length + TAG }, machine.space(spans.length))
      const again = machine.space(spans.length + TAG)
      aead.seal(machine, spans, again)
      expect(hex(machine.take(again, spans.length + TAG))).toBe(first)
    })
  })

  it('knows_the_key_lengths', () => {
    expect([1, 2, 3].map((id) => machine.call('aeadKeyLength', id))).toEqual([16, 32, 32])
  })

  it.each(VECTORS)('gives published ciphertexts: $origin', ({ aead, key, nonce, ad, plaintext, sealed }) => {
    const message = { key: unhex(key), nonce: unhex(nonce), ad: unhex(ad) }
    expect(hex(seal(aead, { ...message, data: unhex(plaintext) }))).toBe(hex(unhex(sealed)))
    expect(hex(open(aead, { ...message, data: unhex(sealed) })!)).toBe(hex(unhex(plaintext)))
  })

  // RFC 5297, appendix A.2: two components of associated data and a nonce.
  it('takes_any_number_of_components_before_the_plaintext', () => {
    const key = unhex('7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f')
    const components = [
      unhex('00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100'),
      unhex('102030405060708090a0'),
      unhex('09f911029d74e35bd84156c5635688c0'),
    ]
    const plaintext = ascii('this is some plaintext to encrypt using SIV-AES')
    const sealed = unhex(
      '7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17' +
        'dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d',
    )
    const [context, out] = [machine.space(AES_SIV.contextSize), machine.space(sealed.length)]
    AES_SIV.init(machine, context, machine.put(key))
    const give = (): void => {
      machine.call('s2vStart', context)
      for (const bytes of components) machine.call('s2vComponent', context, machine.put(bytes), bytes.length)
    }
    give()
    machine.call('aesSivSealLast', context, machine.put(plaintext), plaintext.length, out)
    expect(hex(machine.take(out, sealed.length))).toBe(hex(sealed))
    give()
    expect(machine.call('aesSivOpenLast', context, out, sealed.length, out)).toBe(1)
    expect(hex(machine.take(out, plaintext.length))).toBe(hex(plaintext))
  })

  // The synthetic IV is made to order by solving CMAC for the last block of the plaintext.
  it.each([
    'ffffffffffffffffffffffffffffffff',
    '7fffffffffffffff7fffffffffffffff',
    '00000000000000000000000000000000',
    'fffffffffffffffffffffffffffffffe',
    '0000000000000000ffffffff7fffffff',
  ])('counts on from the synthetic IV %s', (iv) => {
    const random = new Random(64)
    const [key, ad, head] = [random.bytes(32), random.bytes(30), random.bytes(80)]
    const plaintext = Buffer.concat([head, lastBlockFor(unhex(iv), key.subarray(0, 16), ad, head)])
    const message = { key, nonce: new Uint8Array(0), ad, data: plaintext }
    const sealed = seal(AES_SIV, message)
    expect(hex(sealed.subarray(0, TAG))).toBe(iv)
    expect(hex(sealed)).toBe(hex(aessiv(key, ad).encrypt(plaintext)))
    expect(hex(open(AES_SIV, { ...message, data: sealed })!)).toBe(hex(plaintext))
  })

  it('distinguishes_an_empty_nonce_from_an_absent_one', () => {
    const key = new Random(1).bytes(32)
    const context = machine.space(AES_SIV.contextSize)
    AES_SIV.init(machine, context, machine.put(key))
    const [empty, absent] = [machine.space(16), machine.space(16)]
    machine.call('aesSivSeal', context, 0, 0, machine.space(0), 0, 0, 0, empty)
    machine.call('aesSivSeal', context, 0, 0, 0, 0, 0, 0, absent)
    const none = new Uint8Array(0)
    expect(hex(machine.take(empty, 16))).toBe(hex(aessiv(key, none, none).encrypt(none)))
    expect(hex(machine.take(absent, 16))).toBe(hex(aessiv(key, none).encrypt(none)))
  })
})

/** The plaintext's last block that makes S2V of one component and `head` | block come out as `iv` (RFC 5297, section 2.4). */
function lastBlockFor(iv: Uint8Array, key: Uint8Array, ad: Uint8Array, head: Uint8Array): Uint8Array {
  const ecb = (make: typeof createCipheriv | typeof createDecipheriv, block: Uint8Array): Uint8Array => {
    const cipher = make('aes-128-ecb', key, null)
    cipher.setAutoPadding(false)
    return cipher.update(block)
  }
  const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ b[i])
  const double = (block: Uint8Array): Uint8Array => {
    const value = BigInt(`0x${hex(block)}`) << 1n
    return unhex((value >> 128n ? value ^ (1n << 128n) ^ 0x87n : value).toString(16).padStart(32, '0'))
  }
  const zero = new Uint8Array(16)
  const d = xor(double(cmac(zero, key)), cmac(ad, key))
  let state: Uint8Array = zero
  for (let at = 0; at < head.length; at += 16) state = ecb(createCipheriv, xor(state, head.subarray(at, at + 16)))
  const subkey = double(ecb(createCipheriv, zero))
  return xor(xor(xor(ecb(createDecipheriv, iv), state), subkey), d)
}

interface Vector {
  origin: string
  aead: AeadCase
  key: string
  nonce: string
  ad: string
  plaintext: string
  sealed: string
}

const ONE = '01000000000000000000000000000000'
const [TWO, THREE, FOUR, FIVE] = [2, 3, 4, 5].map((n) => `0${n}${'00'.repeat(15)}`)

/** RFC 8452, appendix C.1 and C.2: the messages that both key lengths share. */
function rfc8452(name: string, aead: AeadCase, results: string[]): Vector[] {
  const messages = [
    ['', ''],
    ['', '0100000000000000'],
    ['', '010000000000000000000000'],
    ['', ONE],
    ['', ONE + TWO],
    ['', ONE + TWO + THREE],
    ['', ONE + TWO + THREE + FOUR],
    ['01', '0200000000000000'],
    ['01', '020000000000000000000000'],
    ['01', TWO],
    ['01', TWO + THREE],
    ['01', TWO + THREE + FOUR],
    ['01', TWO + THREE + FOUR + FIVE],
    ['010000000000000000000000', '02000000'],
    ['010000000000000000000000000000000200', `${THREE}04000000`],
    ['0100000000000000000000000000000002000000', `${THREE}0400`],
  ]
  return results.map((sealed, i) => ({
    origin: `RFC 8452, ${name}, message ${i + 1}`,
    aead,
    key: '01'.padEnd(2 * aead.keyLength, '0'),
    nonce: '030000000000000000000000',
    ad: messages[i][0],
    plaintext: messages[i][1],
    sealed,
  }))
}

const GCM_PLAINTEXT =
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255'

const VECTORS: Vector[] = [
  {
    origin: 'RFC 5297, A.1',
    aead: AES_SIV,
    key: 'fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff',
    nonce: '',
    ad: '101112131415161718191a1b1c1d1e1f2021222324252627',
    plaintext: '112233445566778899aabbccddee',
    sealed: '85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c',
  },
  ...rfc8452('C.1', AES_128_GCM_SIV, [
    'dc20e2d83f25705bb49e439eca56de25',
    'b5d839330ac7b786578782fff6013b815b287c22493a364c',
    '7323ea61d05932260047d942a4978db357391a0bc4fdec8b0d106639',
    '743f7c8077ab25f8624e2e948579cf77303aaf90f6fe21199c6068577437a0c4',
    '84e07e62ba83a6585417245d7ec413a9fe427d6315c09b57ce45f2e3936a94451a8e45dcd4578c667cd86847bf6155ff',
    '3fd24ce1f5a67b75bf2351f181a475c7b800a5b4d3dcf70106b1eea82fa1d64df42bf7226122fa92e17a40eeaac1201b5e6e311dbf395d35b0fe39c2714388f8',
    '2433668f1058190f6d43e360f4f35cd8e475127cfca7028ea8ab5c20f7ab2af02516a2bdcbc08d521be37ff28c152bba36697f25b4cd169c6590d1dd39566d3f8a263dd317aa88d56bdf3936dba75bb8',
    '1e6daba35669f4273b0a1a2560969cdf790d99759abd1508',
    '296c7889fd99f41917f4462008299c5102745aaa3a0c469fad9e075a',
    'e2b0c5da79a901c1745f700525cb335b8f8936ec039e4e4bb97ebd8c4457441f',
    '620048ef3c1e73e57e02bb8562c416a319e73e4caac8e96a1ecb2933145a1d71e6af6a7f87287da059a71684ed3498e1',
    '50c8303ea93925d64090d07bd109dfd9515a5a33431019c17d93465999a8b0053201d723120a8562b838cdff25bf9d1e6a8cc3865f76897c2e4b245cf31c51f2',
    '2f5c64059db55ee0fb847ed513003746aca4e61c711b5de2e7a77ffd02da42feec601910d3467bb8b36ebbaebce5fba30d36c95f48a3e7980f0e7ac299332a80cdc46ae475563de037001ef84ae21744',
    'a8fe3e8707eb1f84fb28f8cb73de8e99e2f48a14',
    '6bb0fecf5ded9b77f902c7d5da236a4391dd029724afc9805e976f451e6d87f6fe106514',
    '44d0aaf6fb2f1f34add5e8064e83e12a2adabff9b2ef00fb47920cc72a0c0f13b9fd',
  ]),
  {
    origin: 'RFC 8452, C.1, random keys, 1',
    aead: AES_128_GCM_SIV,
    key: 'e66021d5eb8e4f4066d4adb9c33560e4',
    nonce: 'f46e44bb3da0015c94f70887',
    ad: '',
    plaintext: '',
    sealed: 'a4194b79071b01a87d65f706e3949578',
  },
  {
    origin: 'RFC 8452, C.1, random keys, 2',
    aead: AES_128_GCM_SIV,
    key: '36864200e0eaf5284d884a0e77d31646',
    nonce: 'bae8e37fc83441b16034566b',
    ad: '46bb91c3c5',
    plaintext: '7a806c',
    sealed: 'af60eb711bd85bc1e4d3e0a462e074eea428a8',
  },
  {
    origin: 'RFC 8452, C.2, random keys',
    aead: AES_256_GCM_SIV,
    key: '9745b3d1ae06556fb6aa7890bebc18fe6b3db4da3d57aa94842b9803a96e07fb',
    nonce: '6de71860f762ebfbd08284e4',
    ad: 'f37de21c7ff901cfe8a69615a93fdf7a98cad481796245709f',
    plaintext: '21702de0de18baa9c9596291b08466',
    sealed: '793576dfa5c0f88729a7ed3c2f1bffb3080d28f6ebb5d3648ce97bd5ba67fd',
  },
  {
    origin: 'RFC 8452, C.2, random keys, last',
    aead: AES_256_GCM_SIV,
    key: '3c535de192eaed3822a2fbbe2ca9dfc88255e14a661b8aa82cc54236093bbc23',
    nonce: '688089e55540db1872504e1c',
    ad: '734320ccc9d9bbbb19cb81b2af4ecbc3e72834321f7aa0f70b7282b4f33df23f167541',
    plaintext: 'ced532ce4159b035277d4dfbb7db62968b13cd4eec',
    sealed: '626660c26ea6612fb17ad91e8e767639edd6c9faee9d6c7029675b89eaf4ba1ded1a286594',
  },
  {
    origin: 'RFC 8452, C.3, the counter wraps',
    aead: AES_256_GCM_SIV,
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    ad: '',
    plaintext: '000000000000000000000000000000004db923dc793ee6497c76dcc03a98e108',
    sealed: 'f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3eaffffffff000000000000000000000000',
  },
  {
    origin: 'RFC 8452, C.3, the counter wraps, second',
    aead: AES_256_GCM_SIV,
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    ad: '',
    plaintext: 'eb3640277c7ffd1303c7a542d02d3e4c0000000000000000',
    sealed: '18ce4f0b8cb4d0cac65fea8f79257b20888e53e72299e56dffffffff000000000000000000000000',
  },
  {
    origin: 'GCM specification, test case 1',
    aead: AES_128_GCM,
    key: '00'.repeat(16),
    nonce: '00'.repeat(12),
    ad: '',
    plaintext: '',
    sealed: '58e2fccefa7e3061367f1d57a4e7455a',
  },
  {
    origin: 'GCM specification, test case 2',
    aead: AES_128_GCM,
    key: '00'.repeat(16),
    nonce: '00'.repeat(12),
    ad: '',
    plaintext: '00'.repeat(16),
    sealed: '0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf',
  },
  {
    origin: 'GCM specification, test case 3',
    aead: AES_128_GCM,
    key: 'feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    ad: '',
    plaintext: GCM_PLAINTEXT,
    sealed:
      '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985' +
      '4d5c2af327cd64a62cf35abd2ba6fab4',
  },
  {
    origin: 'GCM specification, test case 4',
    aead: AES_128_GCM,
    key: 'feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    ad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    plaintext: GCM_PLAINTEXT.slice(0, 120),
    sealed:
      '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091' +
      '5bc94fbc3221a5db94fae95ae7121a47',
  },
  {
    origin: 'GCM specification, test case 13',
    aead: AES_256_GCM,
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    ad: '',
    plaintext: '',
    sealed: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  {
    origin: 'GCM specification, test case 14',
    aead: AES_256_GCM,
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    ad: '',
    plaintext: '00'.repeat(16),
    sealed: 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    origin: 'GCM specification, test case 15',
    aead: AES_256_GCM,
    key: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    ad: '',
    plaintext: GCM_PLAINTEXT,
    sealed:
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad' +
      'b094dac5d93471bdec1a502270e3cc6c',
  },
  {
    origin: 'GCM specification, test case 16',
    aead: AES_256_GCM,
    key: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    ad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    plaintext: GCM_PLAINTEXT.slice(0, 120),
    sealed:
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
      '76fc6ece0f4e1768cddf8853bb2d551b',
  },
  {
    origin: 'RFC 8439, 2.8.2',
    aead: CHACHA20_POLY1305,
    key: '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f',
    nonce: '070000004041424344454647',
    ad: '50515253c0c1c2c3c4c5c6c7',
    plaintext: hex(
      ascii(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
      ),
    ),
    sealed:
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36' +
      '92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
  },
]
