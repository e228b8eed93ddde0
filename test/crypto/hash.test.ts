// SHA-256, SHA-384, SHA-512, HMAC and HKDF. Vectors: FIPS 180-4's examples (the NIST example files for "abc", the
// two-block messages and a million times "a"), RFC 4231 section 4, RFC 5869 appendix A. Oracles: node:crypto and @noble/hashes.

import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { ascii, FLAVOURS, hex, Machine, Random, unhex } from './symmetric'

const HASHES = [
  { id: 1, name: 'sha256', length: 32, block: 64, noble: sha256 },
  { id: 2, name: 'sha384', length: 48, block: 128, noble: sha384 },
  { id: 3, name: 'sha512', length: 64, block: 128, noble: sha512 },
] as const
type HashCase = (typeof HASHES)[number]

const CONTEXT = 208

const TWO_BLOCKS_256 = 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'
const TWO_BLOCKS_512 =
  'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu'

const EXAMPLES: [number, string, string][] = [
  [1, 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [1, '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  [1, TWO_BLOCKS_256, '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
  [2, 'abc', 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7'],
  [
    2,
    TWO_BLOCKS_512,
    '09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039',
  ],
  [
    3,
    'abc',
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  ],
  [
    3,
    TWO_BLOCKS_512,
    '8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909',
  ],
]

const MILLION_A: Record<number, string> = {
  1: 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
  2: '9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985',
  3: 'e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973ebde0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b',
}

describe.each(FLAVOURS)('hashes, %s build', async (flavour) => {
  const machine = await Machine.shared(flavour)

  function digest(h: HashCase, data: Uint8Array, misalign = 0, outMisalign = 0): Uint8Array {
    const out = machine.space(h.length, outMisalign)
    machine.call('hash', h.id, machine.put(data, misalign), data.length, out)
    return machine.take(out, h.length)
  }

  it.each(EXAMPLES)('gives FIPS 180-4 example digests: hash %i of %j', (id, message, expected) => {
    expect(hex(digest(HASHES[id - 1], ascii(message)))).toBe(expected)
  })

  describe.each(HASHES)('$name', (h) => {
    it('digests_a_million_letters_a', () => {
      const context = machine.space(CONTEXT)
      const piece = machine.put(ascii('a'.repeat(1000)))
      const out = machine.space(h.length)
      machine.call('hashInit', h.id, context)
      for (let i = 0; i < 1000; i++) machine.call('hashUpdate', context, piece, 1000)
      machine.call('hashFinal', context, out)
      expect(hex(machine.take(out, h.length))).toBe(MILLION_A[h.id])
    })

    it('agrees_with_node_at_every_length_and_alignment', () => {
      const random = new Random(11 + h.id)
      for (let length = 0; length <= 3 * h.block + 2; length++) {
        const data = random.bytes(length)
        const ours = digest(h, data, length & 7, (length >> 3) & 3)
        expect(hex(ours)).toBe(createHash(h.name).update(data).digest('hex'))
        machine.reset()
      }
    })

    it('gives_the_same_digest_for_every_split_in_two', () => {
      const data = new Random(21).bytes(2 * h.block + 9)
      const expected = hex(h.noble(data))
      for (let cut = 0; cut <= data.length; cut++) {
        const context = machine.space(CONTEXT)
        const address = machine.put(data, cut & 3)
        const out = machine.space(h.length)
        machine.call('hashInit', h.id, context)
        machine.call('hashUpdate', context, address, cut)
        machine.call('hashUpdate', context, address + cut, data.length - cut)
        machine.call('hashFinal', context, out)
        expect(hex(machine.take(out, h.length)), `cut at ${cut}`).toBe(expected)
        machine.reset()
      }
    })

    it('gives_the_same_digest_for_random_splits_in_many', () => {
      const random = new Random(31)
      for (let round = 0; round < 300; round++) {
        const data = random.bytes(random.below(700))
        const context = machine.space(CONTEXT)
        const address = machine.put(data, random.below(8))
        const out = machine.space(h.length)
        machine.call('hashInit', h.id, context)
        for (let at = 0; at < data.length; ) {
          const length = Math.min(random.below(2 * h.block + 3), data.length - at)
          machine.call('hashUpdate', context, address + at, length)
          at += length
        }
        machine.call('hashFinal', context, out)
        expect(hex(machine.take(out, h.length))).toBe(hex(h.noble(data)))
        machine.reset()
      }
    })

    it('continues_from_a_copied_context', () => {
      const [head, tail] = [new Random(41).bytes(100), new Random(42).bytes(77)]
      const [context, copy, out] = [machine.space(CONTEXT), machine.space(CONTEXT), machine.space(h.length)]
      machine.call('hashInit', h.id, context)
      machine.call('hashUpdate', context, machine.put(head), head.length)
      machine.write(copy, machine.take(context, CONTEXT))
      machine.call('hashFinal', copy, out)
      expect(hex(machine.take(out, h.length))).toBe(hex(h.noble(head)))
      machine.call('hashUpdate', context, machine.put(tail), tail.length)
      machine.call('hashFinal', context, out)
      expect(hex(machine.take(out, h.length))).toBe(hex(h.noble(Buffer.concat([head, tail]))))
    })

    it('leaves_nothing_of_the_message_in_a_finished_context', () => {
      const [context, out] = [machine.space(CONTEXT), machine.space(h.length)]
      machine.write(context, new Uint8Array(CONTEXT))
      machine.call('hashInit', h.id, context)
      machine.call('hashUpdate', context, machine.put(new Random(5).bytes(200)), 200)
      machine.call('hashFinal', context, out)
      expect(machine.take(context, CONTEXT).every((byte) => byte === 0)).toBe(true)
    })

    it('knows_its_length', () => {
      expect(machine.call('hashLength', h.id)).toBe(h.length)
    })
  })
})

// RFC 4231, section 4: test cases 1 to 7 for SHA-256, SHA-384 and SHA-512. Case 5 is truncated to 128 bits.
const AA131 = 'aa'.repeat(131)
const RFC4231: { key: string; data: string; codes: [string, string, string] }[] = [
  {
    key: '0b'.repeat(20),
    data: hex(ascii('Hi There')),
    codes: [
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
      'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
      '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
    ],
  },
  {
    key: hex(ascii('Jefe')),
    data: hex(ascii('what do ya want for nothing?')),
    codes: [
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    ],
  },
  {
    key: 'aa'.repeat(20),
    data: 'dd'.repeat(50),
    codes: [
      '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
      '88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27',
      'fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb',
    ],
  },
  {
    key: '0102030405060708090a0b0c0d0e0f10111213141516171819',
    data: 'cd'.repeat(50),
    codes: [
      '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
      '3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb',
      'b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd',
    ],
  },
  {
    key: '0c'.repeat(20),
    data: hex(ascii('Test With Truncation')),
    codes: ['a3b6167473100ee06e0c796c2955552b', '3abf34c3503b2a23a46efc619baef897', '415fad6271580a531d4179bc891d87a6'],
  },
  {
    key: AA131,
    data: hex(ascii('Test Using Larger Than Block-Size Key - Hash Key First')),
    codes: [
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
      '4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952',
      '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598',
    ],
  },
  {
    key: AA131,
    data: hex(
      ascii(
        'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
      ),
    ),
    codes: [
      '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
      '6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e',
      'e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58',
    ],
  },
]

// RFC 5869, appendix A.1 to A.3 (SHA-256): ikm, salt, info, PRK, OKM.
const RFC5869: [string, string, string, string, string][] = [
  [
    '0b'.repeat(22),
    '000102030405060708090a0b0c',
    'f0f1f2f3f4f5f6f7f8f9',
    '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  ],
  [
    hex(Uint8Array.from({ length: 80 }, (_, i) => i)),
    hex(Uint8Array.from({ length: 80 }, (_, i) => 0x60 + i)),
    hex(Uint8Array.from({ length: 80 }, (_, i) => 0xb0 + i)),
    '06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244',
    'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
  ],
  [
    '0b'.repeat(22),
    '',
    '',
    '19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04',
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  ],
]

describe.each(FLAVOURS)('HMAC and HKDF, %s build', async (flavour) => {
  const machine = await Machine.shared(flavour)

  function code(h: HashCase, key: Uint8Array, data: Uint8Array, misalign = 0): Uint8Array {
    const out = machine.space(h.length, misalign)
    machine.call('hmac', h.id, machine.put(key, misalign), key.length, machine.put(data, misalign), data.length, out)
    return machine.take(out, h.length)
  }

  it.each(RFC4231)('gives RFC 4231 codes: key $key', ({ key, data, codes }) => {
    for (const h of HASHES) {
      const expected = codes[h.id - 1]
      expect(hex(code(h, unhex(key), unhex(data))).slice(0, expected.length)).toBe(expected)
    }
  })

  it.each(RFC5869)('gives RFC 5869 keys: ikm %s', (ikm, salt, info, prk, okm) => {
    const [h] = HASHES
    const [first, last] = [machine.space(32), machine.space(okm.length / 2)]
    machine.call(
      'hkdfExtract',
      1,
      machine.put(unhex(salt)),
      salt.length / 2,
      machine.put(unhex(ikm)),
      ikm.length / 2,
      first,
    )
    expect(hex(machine.take(first, h.length))).toBe(prk)
    machine.call('hkdfExpand', 1, first, 32, machine.put(unhex(info)), info.length / 2, last, okm.length / 2)
    expect(hex(machine.take(last, okm.length / 2))).toBe(okm)
  })

  describe.each(HASHES)('with $name', (h) => {
    it('agrees_with_node_and_noble_for_keys_and_data_of_many_lengths', () => {
      const random = new Random(51 + h.id)
      for (let round = 0; round < 400; round++) {
        const [key, data] = [random.bytes(random.below(2 * h.block + 5)), random.bytes(random.below(300))]
        const ours = hex(code(h, key, data, round & 7))
        expect(ours).toBe(createHmac(h.name, key).update(data).digest('hex'))
        expect(ours).toBe(hex(hmac(h.noble, key, data)))
        machine.reset()
      }
    })

    it('streams_at_every_split', () => {
      const [key, data] = [new Random(61).bytes(40), new Random(62).bytes(h.block + 20)]
      const expected = hex(hmac(h.noble, key, data))
      for (let cut = 0; cut <= data.length; cut++) {
        const [context, address] = [machine.space(2 * CONTEXT), machine.put(data)]
        const out = machine.space(h.length)
        machine.call('hmacInit', h.id, context, machine.put(key), key.length)
        machine.call('hmacUpdate', context, address, cut)
        machine.call('hmacUpdate', context, address + cut, data.length - cut)
        machine.call('hmacFinal', context, out)
        expect(hex(machine.take(out, h.length))).toBe(expected)
        machine.reset()
      }
    })

    it('may_write_the_code_over_key_and_data', () => {
      const bytes = new Random(71).bytes(h.length)
      const both = machine.space(h.length)
      machine.write(both, bytes)
      machine.call('hmac', h.id, both, h.length, both, h.length, both)
      expect(hex(machine.take(both, h.length))).toBe(hex(hmac(h.noble, bytes, bytes)))
    })

    it('expands_as_node_and_noble_do_to_many_lengths', () => {
      const random = new Random(81 + h.id)
      for (let round = 0; round < 150; round++) {
        const [ikm, salt, info] = [
          random.bytes(random.below(100)),
          random.bytes(random.below(150)),
          random.bytes(random.below(100)),
        ]
        const length = 1 + random.below(5 * h.length)
        const [prk, out] = [machine.space(h.length, round & 7), machine.space(length, round & 3)]
        machine.call('hkdfExtract', h.id, machine.put(salt), salt.length, machine.put(ikm), ikm.length, prk)
        machine.call('hkdfExpand', h.id, prk, h.length, machine.put(info), info.length, out, length)
        const ours = hex(machine.take(out, length))
        expect(ours).toBe(hex(hkdf(h.noble, ikm, salt, info, length)))
        expect(ours).toBe(hex(new Uint8Array(hkdfSync(h.name, ikm, salt, info, length))))
        machine.reset()
      }
    })

    it('expands_over_its_own_key', () => {
      const [prk, info] = [new Random(91).bytes(h.length), new Random(92).bytes(20)]
      const place = machine.space(h.length)
      machine.write(place, prk)
      machine.call('hkdfExpand', h.id, place, h.length, machine.put(info), info.length, place, h.length)
      const twin = machine.space(h.length)
      machine.call('hkdfExpand', h.id, machine.put(prk), h.length, machine.put(info), info.length, twin, h.length)
      expect(hex(machine.take(place, h.length))).toBe(hex(machine.take(twin, h.length)))
    })

    it('expands_to_255_digests', () => {
      const [ikm, length] = [new Random(95).bytes(32), 255 * h.length]
      const [prk, out] = [machine.space(h.length), machine.space(length)]
      machine.call('hkdfExtract', h.id, 0, 0, machine.put(ikm), ikm.length, prk)
      machine.call('hkdfExpand', h.id, prk, h.length, 0, 0, out, length)
      expect(hex(machine.take(out, length))).toBe(hex(hkdf(h.noble, ikm, undefined, undefined, length)))
    })
  })
})
