// Plain NTP: requests in, exact replies out.

import { beforeAll, describe, expect, it } from 'vitest'
import { ascii, concat, field, header, hex, parseReply, random, TRANSMIT, UID, UNIQUE_IDENTIFIER } from '../nts/client'
import { loadNtp, type Ntp, type Outcome } from './firmware'

let ntp: Ntp
beforeAll(async () => {
  ntp = await loadNtp(1)
})

const NTP_UNIX = 2_208_988_800n

function timestamp(seconds: bigint, fraction: number): bigint {
  return (((seconds + NTP_UNIX) & 0xffff_ffffn) << 32n) | BigInt(fraction)
}

describe('a synchronized server', () => {
  it('answers a client byte for byte', () => {
    ntp.call('setReceiveTime', 1_782_043_200n, 0x7000_0000)
    const [outcome, reply] = ntp.outcome(header({ poll: 10 }))
    expect(outcome).toBe('served')
    expect(hex(reply!)).toBe(
      [
        '24010ae9', // LI 0, version 4, mode 4; stratum 1; poll 10; precision -23
        '00000000', // root delay
        '00000003', // root dispersion, 3/65536 s
        '47505300', // GPS
        'ede250bf00000007', // 2026-06-21T11:59:59
        'a1a2a3a4a5a6a7a8',
        'ede250c070000001', // 2026-06-21T12:00:00.4375, odd as every receive timestamp
        'ede250c080000000',
      ].join(''),
    )
  })

  it.each([3, 4])('echoes version %i, poll and the transmit timestamp', (version) => {
    for (const poll of [-7, 0, 3, 17, 127]) {
      const transmit = random(poll + 200).bytes(8)
      const [outcome, reply] = ntp.outcome(header({ version, poll, transmit, leap: 3 }))
      expect(outcome).toBe('served')
      const parsed = parseReply(reply!)
      expect(parsed).toMatchObject({ version, poll, mode: 4, leap: 0, stratum: 1 })
      expect(parsed.origin).toBe(new DataView(transmit.buffer).getBigUint64(0))
    }
  })

  it('tells what the clock says', async () => {
    const other = await loadNtp(2)
    Object.assign(other.clock, {
      leap: 1,
      stratum: 10,
      referenceId: 0x5254_4300,
      rootDispersion: 0x0012_3456,
      precision: -19,
      referenceSeconds: -1n,
      referenceFraction: 0xffff_ffff,
      // The second after the end of era 0.
      seconds: 2_085_978_496n,
      fraction: 5,
    })
    other.call('setReceiveTime', 2_085_978_495n, 0xffff_fff0)
    expect(parseReply(other.serve(header())!)).toMatchObject({
      leap: 1,
      stratum: 10,
      referenceId: 0x5254_4300,
      rootDelay: 0,
      rootDispersion: 0x0012_3456,
      precision: -19,
      reference: timestamp(-1n, 0xffff_ffff),
      // Receive timestamps are odd, transmit timestamps even.
      receive: 0xffff_ffff_ffff_fff1n,
      transmit: 4n,
    })
    other.clock.leap = 2
    expect(parseReply(other.serve(header())!).leap).toBe(2)
  })

  it('reads T3 anew for each reply, and adds the delay that the last one of its length had, carry included', async () => {
    const other = await loadNtp(2)
    other.clock.fraction = 0xffff_ff00
    expect(parseReply(other.serve(header())!).transmit).toBe(timestamp(1_782_043_200n, 0xffff_ff00))
    other.call('ntpLearnTransmitDelay', 0x0fff)
    expect(parseReply(other.serve(header())!).transmit).toBe(timestamp(1_782_043_201n, 0x0efe))
    other.clock.seconds += 1n
    other.clock.fraction = 0
    expect(parseReply(other.serve(header())!).transmit).toBe(timestamp(1_782_043_201n, 0x0ffe))
  })

  it('answers the same at any address', () => {
    const serve = (offset: number) => {
      ntp.call('setReceiveTime', 1_782_043_300n + BigInt(offset), 0)
      const reply = ntp.serve(header(), 2048, offset)!
      return hex(reply.fill(0, 32, 40))
    }
    const aligned = serve(0)
    for (const offset of [1, 2, 3, 5, 7]) expect(serve(offset)).toBe(aligned)
  })

  it('echoes a unique identifier without NTS (RFC 8915 section 5.3)', () => {
    const packet = concat(header(), field(UNIQUE_IDENTIFIER, UID))
    const [outcome, reply] = ntp.outcome(packet)
    expect(outcome).toBe('served')
    expect(parseReply(reply!).fields).toEqual([{ type: UNIQUE_IDENTIFIER, body: UID, at: 48 }])
  })

  it('says nothing when the reply buffer is too small', () => {
    expect(ntp.outcome(header(), 47)).toEqual(['room', undefined])
    expect(ntp.outcome(concat(header(), field(UNIQUE_IDENTIFIER, UID)), 83)).toEqual(['room', undefined])
    expect(ntp.outcome(concat(header(), field(UNIQUE_IDENTIFIER, UID)), 84)[0]).toBe('served')
  })
})

describe('an unsynchronized server', () => {
  it.each<[string, { leap?: number; stratum?: number }]>([
    ['leap indicator 3', { leap: 3 }],
    ['stratum 16', { stratum: 16 }],
    ['stratum 0', { stratum: 0 }],
    ['stratum 255', { stratum: 255 }],
  ])('with %s answers with the kiss code INIT and tells no time', async (_, state) => {
    const other = await loadNtp(3)
    Object.assign(other.clock, state)
    other.call('setReceiveTime', 5n, 5)
    const [outcome, reply] = other.outcome(header())
    expect(outcome).toBe('unsynchronized')
    expect(hex(reply!)).toBe(
      `e40006e9${'00000000'.repeat(2)}${hex(ascii('INIT'))}${'0'.repeat(16)}${hex(TRANSMIT).repeat(3)}`,
    )
  })
})

describe('what the server answers', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('of version %i is mode 3 alone, versions 3 and 4', (version) => {
    const expected: Record<number, Outcome> = { 1: 'symmetric active', 6: 'control', 7: 'control' }
    for (let mode = 0; mode < 8; mode++) {
      const [outcome, reply] = ntp.outcome(header({ version, mode }))
      const serves = version === 3 || version === 4
      expect(outcome, `mode ${mode}`).toBe(mode === 3 ? (serves ? 'served' : 'version') : (expected[mode] ?? 'mode'))
      expect(reply !== undefined).toBe(outcome === 'served')
    }
  })

  it('is nothing for modes 6 and 7 of any length', () => {
    for (const mode of [6, 7]) {
      for (const length of [8, 12, 47, 48, 60, 200, 468]) {
        const packet = new Uint8Array(length)
        packet.set(header({ version: 2, mode }).slice(0, length))
        expect(ntp.outcome(packet)).toEqual([length < 48 ? 'short' : 'control', undefined])
      }
    }
  })

  it('is nothing below 48 and above 1472 bytes', () => {
    for (let length = 0; length < 48; length++) {
      expect(ntp.outcome(header().slice(0, length))).toEqual(['short', undefined])
    }
    expect(ntp.outcome(concat(header(), field(0x9999, new Uint8Array(1420))))[0]).toBe('served')
    expect(ntp.outcome(concat(header(), field(0x9999, new Uint8Array(1424))))).toEqual(['long', undefined])
  })

  it.each<[number, Outcome]>([
    [4, 'mac'],
    [20, 'mac'],
    [24, 'mac'],
    ...[1, 2, 3, 5, 8, 12, 16, 19, 21, 23, 25, 27].map((length): [number, Outcome] => [length, 'field']),
  ])('is nothing with %i bytes of MAC or rubbish after header or field', (length, outcome) => {
    const tail = new Uint8Array(length).fill(1)
    const middle = field(0x2222, new Uint8Array(28))
    for (const version of [3, 4]) expect(ntp.outcome(concat(header({ version }), tail))).toEqual([outcome, undefined])
    expect(ntp.outcome(concat(header(), middle, tail))).toEqual([outcome, undefined])
  })

  it('is nothing for version 3 with extension fields', () => {
    expect(ntp.outcome(concat(header({ version: 3 }), field(0x2222, new Uint8Array(28))))).toEqual(['field', undefined])
  })
})

describe('extension fields (RFC 7822)', () => {
  /** A field whose length field says `says` and that has `has` bytes. */
  const odd = (says: number, has: number): Uint8Array => {
    const bytes = new Uint8Array(has)
    bytes.set([0x22, 0x22, says >> 8, says & 0xff])
    return bytes
  }

  it.each<[number, Outcome]>([
    ...[0, 1, 3, 4, 8, 12, 15, 17, 18, 19, 27, 29, 30, 31].map((says): [number, Outcome] => [says, 'field']),
    ...[36, 40, 0xfffc, 0xffff].map((says): [number, Outcome] => [says, 'field']),
    [16, 'field'], // Leaves 16 bytes, which are neither a field nor a MAC.
    [28, 'mac'], // Leaves 4 bytes, a crypto-NAK.
    [32, 'served'],
  ])('a last field of 32 bytes that says %i', (says, outcome) => {
    expect(ntp.outcome(concat(header(), odd(says, 32)))[0]).toBe(outcome)
  })

  it.each<[number, Outcome]>([
    ...[0, 3, 4, 12, 15, 17, 18, 22, 27, 29].map((says): [number, Outcome] => [says, 'field']),
    [16, 'served'],
  ])('a first field of 16 bytes that says %i, before one of 28', (says, outcome) => {
    expect(ntp.outcome(concat(header(), odd(says, 16), odd(28, 28)))[0]).toBe(outcome)
  })

  it.each([16, 20, 24])('a single field of %i bytes is too short to be told from a MAC', (length) => {
    const [outcome] = ntp.outcome(concat(header(), odd(length, length)))
    expect(outcome).toBe(length === 16 ? 'field' : 'mac')
  })

  it('of 28 bytes and more may stand alone, of 16 and more before another', () => {
    expect(ntp.outcome(concat(header(), odd(28, 28)))[0]).toBe('served')
    expect(ntp.outcome(concat(header(), odd(16, 16), odd(20, 20), odd(24, 24), odd(28, 28)))[0]).toBe('served')
  })

  it('of unknown types are skipped and not echoed', () => {
    for (const type of [0, 0x0002, 0x2005, 0x0504, 0xf323, 0xffff]) {
      const [outcome, reply] = ntp.outcome(concat(header(), field(type, new Uint8Array(32).fill(0xff))))
      expect(outcome).toBe('served')
      expect(reply!.length).toBe(48)
    }
  })

  it('as many as a packet can hold cost one walk', () => {
    const many = Array.from({ length: 87 }, () => field(0x2222, new Uint8Array(12)))
    expect(ntp.outcome(concat(header(), ...many, field(0x2222, new Uint8Array(28))))[0]).toBe('served')
  })

  it.each<[string, Uint8Array]>([
    ['shorter than 32 bytes', field(UNIQUE_IDENTIFIER, new Uint8Array(28))],
    ['twice', concat(field(UNIQUE_IDENTIFIER, UID), field(UNIQUE_IDENTIFIER, UID))],
  ])('a unique identifier %s is refused', (_, bytes) => {
    expect(ntp.outcome(concat(header(), bytes))).toEqual(['nts field', undefined])
  })
})
