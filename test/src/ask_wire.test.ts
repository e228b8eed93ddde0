import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AeadId, aeadOpen, algorithm } from '../../src/nts/aead'
import {
  decodeFields,
  decodeHeader,
  encodeField,
  encodeHeader,
  FieldType,
  formatReferenceId,
  nanosFromTimestamp,
  seal,
  unseal,
} from '../../src/nts/packet'
import { decodeMessage, decodeNumbers, encodeRecord, encodeRequest, RecordType } from '../../src/nts/records'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const nanos = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000_000n

describe('records', () => {
  it('are_written_as_RFC_8915_section_4_draws_them', () => {
    expect(hex(encodeRequest([15], false))).toBe('800100020000' + '80040002000f' + '80000000')
    expect(hex(encodeRequest([30, 15], true))).toBe('800100020000' + '80040004001e000f' + '04000000' + '80000000')
  })

  it('are_incomplete_at_every_length_but_the_whole', () => {
    const whole = encodeRequest([30, 15], true)
    for (let length = 0; length < whole.length; length++) {
      expect(decodeMessage(whole.subarray(0, length))).toBeUndefined()
    }
    const types = decodeMessage(whole)!.map(({ type, critical }) => [type, critical])
    expect(types).toEqual([
      [RecordType.NextProtocol, true],
      [RecordType.AeadAlgorithm, true],
      [RecordType.CompliantExport, false],
      [RecordType.EndOfMessage, true],
    ])
  })

  it('end_at_End_of_Message_whatever_follows', () => {
    const message = Buffer.concat([encodeRecord(5, bytes('0102'), false), bytes('80000000'), bytes('ffffffff')])
    expect(decodeMessage(message)!.map(({ body }) => hex(body))).toEqual(['0102', ''])
  })

  it('hold_whole_numbers_only', () => {
    expect(decodeNumbers(bytes('000f001e'))).toEqual([15, 30])
    expect(decodeNumbers(bytes(''))).toEqual([])
    expect(decodeNumbers(bytes('000f00'))).toBeUndefined()
  })
})

describe('timestamps', () => {
  it('belong_to_the_era_nearest_to_now', () => {
    const now = nanos('2026-06-01T00:00:00Z')
    expect(nanosFromTimestamp(0xffff_ffffn << 32n, now)).toBe(nanos('2036-02-07T06:28:15Z'))
    expect(nanosFromTimestamp(1n << 32n, now)).toBe(nanos('2036-02-07T06:28:17Z'))
    expect(nanosFromTimestamp(0n, nanos('1950-01-01T00:00:00Z'))).toBe(nanos('1900-01-01T00:00:00Z'))
  })

  it('keep_their_fraction_to_the_nanosecond', () => {
    const base = nanos('2036-02-07T06:28:16Z')
    expect(nanosFromTimestamp(0x8000_0000n, base)).toBe(base + 500_000_000n)
    expect(nanosFromTimestamp(1n, base)).toBe(base)
    expect(nanosFromTimestamp(0xffff_ffffn, base)).toBe(base + 1_000_000_000n)
  })

  it('survive_a_round_trip_within_half_an_era_of_now', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 31n) + 1n, 2n ** 31n - 1n), fc.bigInt(0n, 2n ** 33n), (distance, seconds) => {
        const timestamp = ((seconds + distance + 2_208_988_800n) & 0xffff_ffffn) << 32n
        expect(nanosFromTimestamp(timestamp, seconds * 1_000_000_000n)).toBe((seconds + distance) * 1_000_000_000n)
      }),
      { seed: 8, numRuns: 500 },
    )
  })
})

describe('packets', () => {
  const key = bytes('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f')
  const sealed = (aead: number): { packet: Uint8Array; key: Uint8Array } => {
    const { keyLength, nonceLength } = algorithm(aead)
    const open = Buffer.concat([encodeHeader(7n), encodeField(FieldType.UniqueIdentifier, new Uint8Array(32))])
    const k = key.subarray(0, keyLength)
    return { packet: seal(aead, k, new Uint8Array(nonceLength).fill(9), open, bytes('deadbeef')), key: k }
  }

  it('have_a_client_header_that_tells_nothing', () => {
    expect(hex(encodeHeader(0x0123456789abcdefn))).toBe(`23${'00'.repeat(39)}0123456789abcdef`)
  })

  it('open_with_their_key_and_with_no_changed_bit', () => {
    for (const aead of [AeadId.AesSivCmac256, AeadId.Aes128GcmSiv]) {
      const { packet, key } = sealed(aead)
      const open = (changed: Uint8Array): Uint8Array | undefined => {
        const field = decodeFields(changed, 48)?.find(({ type }) => type === FieldType.Authenticator)
        return field && unseal(aead, key, changed, field)
      }
      expect(hex(open(packet)!)).toBe('deadbeef')
      for (let at = 0; at < packet.length; at++) {
        const changed = Uint8Array.from(packet)
        changed[at]! ^= 0x80
        expect(open(changed)).toBeUndefined()
      }
    }
  })

  it('never_throw_when_they_are_noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 120 }), (noise, body) => {
        decodeMessage(noise)
        decodeHeader(noise)
        decodeFields(noise, 0)
        for (const aead of [15, 30]) {
          const k = key.subarray(0, algorithm(aead).keyLength)
          expect(unseal(aead, k, noise, { type: FieldType.Authenticator, body, offset: 0 })).toBeUndefined()
          expect(aeadOpen(aead, k, noise.subarray(0, 12), new Uint8Array(0), body)).toBeUndefined()
        }
      }),
      { seed: 15, numRuns: 500 },
    )
  })

  it('have_fields_that_fill_them_exactly', () => {
    expect(decodeFields(bytes('01040008aabbccdd'), 0)).toMatchObject([{ type: 0x0104, offset: 0 }])
    for (const broken of ['0104', '01040000', '01040003', '01040006aabb', '01040010aabbccdd', '01040008aabbccdd00']) {
      expect(decodeFields(bytes(broken), 0)).toBeUndefined()
    }
    expect(hex(encodeField(0x0204, bytes('aabbcc')))).toBe('02040008aabbcc00')
  })

  it('name_their_reference_as_people_do', () => {
    const header = (stratum: number, id: string) => {
      const packet = Buffer.alloc(48)
      packet[0] = 0x24
      packet[1] = stratum
      packet.set(bytes(id), 12)
      return decodeHeader(packet)!
    }
    expect(formatReferenceId(header(1, '47505300'))).toBe('GPS')
    expect(formatReferenceId(header(0, '4e54534e'))).toBe('NTSN')
    expect(formatReferenceId(header(1, '7f7f0101'))).toBe('7f7f0101')
    expect(formatReferenceId(header(2, 'c0a80001'))).toBe('192.168.0.1')
    expect(formatReferenceId(header(16, '494e4954'))).toBe('INIT')
    expect(formatReferenceId(header(1, '00000000'))).toBe('-')
  })
})
