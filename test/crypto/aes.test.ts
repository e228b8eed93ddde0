// AES and AES-CMAC. Vectors: FIPS 197 appendices B, C.1 and C.3; RFC 4493 section 4; NIST SP 800-38B appendix D.3
// (AES-256). Oracles: node:crypto and @noble/ciphers. The accelerator is a fake made of node:crypto.

import { createCipheriv } from 'node:crypto'
import { cmac } from '@noble/ciphers/aes.js'
import { describe, expect, it } from 'vitest'
import { FLAVOURS, hex, Machine, Random, unhex } from './symmetric'

const CONTEXT = 256
const CMAC_CONTEXT = 288

const FIPS197: [string, string, string][] = [
  ['2b7e151628aed2a6abf7158809cf4f3c', '3243f6a8885a308d313198a2e0370734', '3925841d02dc09fbdc118597196a0b32'],
  ['000102030405060708090a0b0c0d0e0f', '00112233445566778899aabbccddeeff', '69c4e0d86a7b0430d8cdb78070b4c55a'],
  [
    '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    '00112233445566778899aabbccddeeff',
    '8ea2b7ca516745bfeafc49904b496089',
  ],
]

const MESSAGE =
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51' +
  '30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710'
const KEY_128 = '2b7e151628aed2a6abf7158809cf4f3c'
const KEY_256 = '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'

/** Key, bytes of MESSAGE, code. */
const CMACS: [string, number, string][] = [
  [KEY_128, 0, 'bb1d6929e95937287fa37d129b756746'],
  [KEY_128, 16, '070a16b46b4d4144f79bdd9dd04a287c'],
  [KEY_128, 40, 'dfa66747de9ae63030ca32611497c827'],
  [KEY_128, 64, '51f0bebf7e3b9d92fc49741779363cfe'],
  [KEY_256, 0, '028962f61b7bf89efc6b551f4667d983'],
  [KEY_256, 16, '28a7023f452e8f82bd4bf28d8c37c35c'],
  [KEY_256, 40, 'aaf3d8f1de5640c232f5b169b9c911e6'],
  [KEY_256, 64, 'e1992190549f6ed5696a2c056c315410'],
]

function nodeBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null)
  cipher.setAutoPadding(false)
  return cipher.update(block)
}

describe.each(FLAVOURS)('AES, %s build', async (flavour) => {
  const machine = await Machine.shared(flavour)

  function encrypt(key: Uint8Array, block: Uint8Array, misalign = 0): Uint8Array {
    const [context, out] = [machine.space(CONTEXT), machine.space(16)]
    machine.call('aesExpandKey', context, machine.put(key, misalign), key.length)
    machine.call('aesEncryptBlock', context, machine.put(block), out)
    return machine.take(out, 16)
  }

  it.each(FIPS197)('gives FIPS 197 ciphertexts: key %s', (key, plaintext, ciphertext) => {
    expect(hex(encrypt(unhex(key), unhex(plaintext)))).toBe(ciphertext)
  })

  it.each([16, 32])('agrees_with_node_on_random_keys_of_%i_bytes', (length) => {
    const random = new Random(length)
    for (let round = 0; round < 1500; round++) {
      const [key, block] = [random.bytes(length), random.bytes(16)]
      expect(hex(encrypt(key, block, round & 3))).toBe(hex(nodeBlock(key, block)))
      machine.reset()
    }
  })

  it('encrypts_in_place', () => {
    const [context, block] = [machine.space(CONTEXT), machine.space(16)]
    machine.call('aesExpandKey', context, machine.put(unhex(FIPS197[1][0])), 16)
    machine.write(block, unhex(FIPS197[1][1]))
    machine.call('aesEncryptBlock', context, block, block)
    expect(hex(machine.take(block, 16))).toBe(FIPS197[1][2])
  })

  it('works_from_a_copied_context', () => {
    const [context, copy, out] = [machine.space(CONTEXT), machine.space(CONTEXT), machine.space(16)]
    machine.call('aesExpandKey', context, machine.put(unhex(FIPS197[2][0])), 32)
    machine.write(copy, machine.take(context, CONTEXT))
    machine.call('aesEncryptBlock', copy, machine.put(unhex(FIPS197[2][1])), out)
    expect(hex(machine.take(out, 16))).toBe(FIPS197[2][2])
  })

  it.each(CMACS)('gives RFC 4493 and SP 800-38B codes: key %s, %i bytes', (key, length, code) => {
    const [context, out] = [machine.space(CMAC_CONTEXT), machine.space(16)]
    machine.call('cmacInit', context, machine.put(unhex(key)), key.length / 2)
    machine.call('cmac', context, machine.put(unhex(MESSAGE).subarray(0, length)), length, out)
    expect(hex(machine.take(out, 16))).toBe(code)
  })

  it('agrees_with_noble_on_codes_of_random_data_at_any_alignment', () => {
    const random = new Random(7)
    for (let round = 0; round < 600; round++) {
      const [key, data] = [random.bytes(round & 1 ? 32 : 16), random.bytes(random.below(130))]
      const [context, out] = [machine.space(CMAC_CONTEXT), machine.space(16, random.below(4))]
      machine.call('cmacInit', context, machine.put(key, random.below(4)), key.length)
      machine.call('cmac', context, machine.put(data, random.below(4)), data.length, out)
      expect(hex(machine.take(out, 16))).toBe(hex(cmac(data, key)))
      machine.reset()
    }
  })
})

describe.each(FLAVOURS)('AES through an accelerator, %s build', async (flavour) => {
  const machine = await Machine.shared(flavour)
  const loads: string[] = []
  let key: Uint8Array = new Uint8Array(16)
  let behaviour: 'right' | 'wrong' | 'absent' | 'breaks' = 'right'
  let blocks = 0

  machine.accelerator.load = (address, length) => {
    if (behaviour === 'absent') return -4
    if (behaviour === 'breaks' && blocks > 3) return -4
    key = machine.take(address, length)
    loads.push(hex(key))
    return 0
  }
  machine.accelerator.encrypt = (input, output) => {
    const block = nodeBlock(key, machine.take(input, 16))
    if (behaviour === 'wrong') block[15] ^= 1
    machine.write(output, block)
    blocks++
  }

  function start(as: typeof behaviour): boolean {
    behaviour = as
    blocks = 0
    loads.length = 0
    return machine.call('useAccelerator') !== 0
  }

  function codeOf(keyBytes: Uint8Array, data: Uint8Array): string {
    const [context, out] = [machine.space(CMAC_CONTEXT), machine.space(16)]
    machine.call('cmacInit', context, machine.put(keyBytes), keyBytes.length)
    machine.call('cmac', context, machine.put(data), data.length, out)
    return hex(machine.take(out, 16))
  }

  it('sends_every_block_outside_once_the_known_answer_is_right', () => {
    expect(start('right')).toBe(true)
    expect(blocks).toBe(1)
    expect(codeOf(unhex(KEY_128), unhex(MESSAGE))).toBe(CMACS[3][2])
    expect(blocks).toBe(1 + 1 + 4)
    expect(codeOf(unhex(KEY_256), unhex(MESSAGE))).toBe(CMACS[7][2])
    machine.call('aesUseSoftware')
  })

  it('loads_a_key_only_when_it_differs_from_the_last_one', () => {
    start('right')
    const [one, two, out] = [machine.space(CONTEXT), machine.space(CONTEXT), machine.space(16)]
    const [first, second, block] = [new Random(1).bytes(16), new Random(2).bytes(16), new Random(3).bytes(16)]
    machine.call('aesExpandKey', one, machine.put(first), 16)
    machine.call('aesExpandKey', two, machine.put(second), 16)
    loads.length = 0
    const input = machine.put(block)
    for (const context of [one, one, two, two, two, one]) machine.call('aesEncryptBlock', context, input, out)
    expect(loads).toEqual([hex(first), hex(second), hex(first)])
    expect(hex(machine.take(out, 16))).toBe(hex(nodeBlock(first, block)))
    machine.call('aesUseSoftware')
  })

  it('never_uses_an_old_key_of_the_same_context', () => {
    start('right')
    const [context, out] = [machine.space(CONTEXT), machine.space(16)]
    const block = new Random(4).bytes(16)
    const input = machine.put(block)
    for (let round = 0; round < 20; round++) {
      const bytes = new Random(100 + round).bytes(round & 1 ? 32 : 16)
      machine.call('aesExpandKey', context, machine.put(bytes), bytes.length)
      machine.call('aesEncryptBlock', context, input, out)
      expect(hex(machine.take(out, 16))).toBe(hex(nodeBlock(bytes, block)))
    }
    machine.call('aesUseSoftware')
  })

  it.each(['wrong', 'absent'] as const)('stays_in_software_when_the_accelerator_is_%s', (as) => {
    expect(start(as)).toBe(false)
    const before = blocks
    expect(codeOf(unhex(KEY_128), unhex(MESSAGE))).toBe(CMACS[3][2])
    expect(blocks).toBe(before)
  })

  it('encrypts_in_software_whatever_a_breaking_accelerator_does_not_take', () => {
    expect(start('breaks')).toBe(true)
    for (let round = 0; round < 6; round++) expect(codeOf(unhex(KEY_128), unhex(MESSAGE))).toBe(CMACS[3][2])
    machine.call('aesUseSoftware')
  })

  it('keeps_contexts_good_across_switches', () => {
    const [before, during, out] = [machine.space(CONTEXT), machine.space(CONTEXT), machine.space(16)]
    const [bytes, block] = [new Random(8).bytes(32), new Random(9).bytes(16)]
    const [keyAt, input] = [machine.put(bytes), machine.put(block)]
    machine.call('aesExpandKey', before, keyAt, 32)
    start('right')
    machine.call('aesExpandKey', during, keyAt, 32)
    for (const context of [before, during]) {
      machine.call('aesEncryptBlock', context, input, out)
      expect(hex(machine.take(out, 16))).toBe(hex(nodeBlock(bytes, block)))
    }
    machine.call('aesUseSoftware')
    for (const context of [before, during]) {
      machine.call('aesEncryptBlock', context, input, out)
      expect(hex(machine.take(out, 16))).toBe(hex(nodeBlock(bytes, block)))
    }
  })
})
