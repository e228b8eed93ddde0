// NTS-protected NTP (RFC 8915 section 5): the firmware against the tests' own client.

import { beforeAll, describe, expect, it } from 'vitest'
import {
  type Association,
  AUTHENTICATOR,
  ascii,
  authenticator,
  COOKIE,
  concat,
  field,
  GCM_SIV,
  header,
  hex,
  openReply,
  PLACEHOLDER,
  parseReply,
  random,
  request,
  SIV,
  TRANSMIT,
  UID,
  UNIQUE_IDENTIFIER,
  u16,
} from '../nts/client'
import { loadNtp, type Ntp, type Outcome } from './firmware'

const prng = random(123)
const siv: Association = { aead: SIV, c2s: prng.bytes(32), s2c: prng.bytes(32) }
const gcmSiv: Association = { aead: GCM_SIV, c2s: prng.bytes(16), s2c: prng.bytes(16) }
const BOTH: [string, Association][] = [
  ['AEAD_AES_SIV_CMAC_256', siv],
  ['AEAD_AES_128_GCM_SIV', gcmSiv],
]

let ntp: Ntp
beforeAll(async () => {
  ntp = await loadNtp(9)
})

const identifier = field(UNIQUE_IDENTIFIER, UID)

/** The kiss packet NTSN, and not a byte more. */
function expectNak(reply: Uint8Array | undefined, uniqueIdentifier: Uint8Array = UID): void {
  const zeros = (n: number): string => '00'.repeat(n)
  expect(hex(reply!)).toBe(
    [
      `e40006e9${zeros(8)}${hex(ascii('NTSN'))}${zeros(8)}${hex(TRANSMIT).repeat(3)}`,
      hex(field(UNIQUE_IDENTIFIER, uniqueIdentifier)),
    ].join(''),
  )
}

describe.each(BOTH)('with %s the server', (_, association) => {
  it('answers with an authentic reply as long as the request and one fresh cookie', () => {
    ntp.call('setReceiveTime', 1_782_043_200n + BigInt(association.aead), 0x7000_0000)
    const cookie = ntp.seal(association)
    const packet = request(association, cookie, { poll: 8 })
    const [outcome, reply] = ntp.outcome(packet)
    expect(outcome).toBe('served nts')
    expect(reply!.length).toBe(packet.length)
    const [fresh, ...more] = openReply(association, reply!)
    expect(more).toEqual([])
    expect(fresh!.length).toBe(cookie.length)
    expect(hex(fresh!)).not.toBe(hex(cookie))
    expect(parseReply(reply!)).toMatchObject({
      ...{ leap: 0, version: 4, mode: 4, stratum: 1, poll: 8, precision: -23, rootDelay: 0, rootDispersion: 3 },
      referenceId: 0x4750_5300,
      origin: 0xa1a2_a3a4_a5a6_a7a8n,
      receive: 0xede2_50c0_7000_0001n + (BigInt(association.aead) << 32n),
      transmit: 0xede2_50c0_8000_0000n,
    })
  })

  it('accepts its own cookies, reply after reply', () => {
    let cookie: Uint8Array = ntp.seal(association)
    const seen = new Set([hex(cookie)])
    for (let i = 0; i < 50; i++) {
      const reply = ntp.serve(request(association, cookie, { uniqueIdentifier: random(i).bytes(32) }))
      ;[cookie] = openReply(association, reply!, random(i).bytes(32)) as [Uint8Array]
      seen.add(hex(cookie))
    }
    expect(seen.size).toBe(51)
  })

  it('gives one cookie more for each placeholder, up to eight', () => {
    const cookie = ntp.seal(association)
    for (let placeholders = 0; placeholders <= 12; placeholders++) {
      const packet = request(association, cookie, { placeholders })
      const reply = ntp.serve(packet)
      const cookies = openReply(association, reply!)
      expect(cookies.length).toBe(Math.min(placeholders + 1, 8))
      expect(new Set(cookies.map(hex)).size).toBe(cookies.length)
      if (placeholders <= 7) expect(reply!.length).toBe(packet.length)
      expect(reply!.length).toBeLessThanOrEqual(packet.length)
    }
  })

  it('counts placeholders that are encrypted', () => {
    const cookie = ntp.seal(association)
    const placeholder = field(PLACEHOLDER, new Uint8Array(cookie.length))
    const encrypted = concat(placeholder, field(0x7777, new Uint8Array(0)), placeholder)
    const reply = ntp.serve(request(association, cookie, { encrypted, placeholders: 1 }))
    expect(openReply(association, reply!).length).toBe(4)
  })

  it('echoes unique identifiers of any legal length', () => {
    const cookie = ntp.seal(association)
    for (const length of [32, 36, 64, 128, 512]) {
      const uniqueIdentifier = random(length).bytes(length)
      const packet = request(association, cookie, { uniqueIdentifier })
      const reply = ntp.serve(packet)
      expect(openReply(association, reply!, uniqueIdentifier).length).toBe(1)
      expect(reply!.length).toBe(packet.length)
    }
  })

  it('takes the fields in any order and skips unknown ones', () => {
    const cookie = ntp.seal(association)
    const [mine, holder] = [field(COOKIE, cookie), field(PLACEHOLDER, new Uint8Array(cookie.length))]
    const unknown = field(0x2222, new Uint8Array(12))
    for (const plain of [
      concat(mine, identifier),
      concat(holder, mine, identifier),
      concat(unknown, identifier, unknown, mine, unknown),
    ]) {
      expect(openReply(association, ntp.serve(request(association, cookie, { plain }))!).length).toBeGreaterThan(0)
    }
  })

  it('ignores whatever follows the authenticator, and gives no more for it', () => {
    const cookie = ntp.seal(association)
    const holder = field(PLACEHOLDER, new Uint8Array(cookie.length))
    const bare = request(association, cookie)
    for (const after of [holder, identifier, field(COOKIE, cookie), new Uint8Array(20), [1, 2, 3, 4, 5]]) {
      const [outcome, reply] = ntp.outcome(concat(bare, after))
      expect(outcome).toBe('served nts')
      expect(openReply(association, reply!).length).toBe(1)
      expect(reply!.length).toBe(bare.length)
    }
  })

  it('gives fewer cookies when the reply buffer is small, and silence when not even one fits', () => {
    const cookie = ntp.seal(association)
    const packet = request(association, cookie, { placeholders: 3 })
    const one = request(association, cookie).length
    const each = cookie.length + 4
    for (let capacity = 0; capacity <= packet.length; capacity++) {
      const [outcome, reply] = ntp.outcome(packet, capacity)
      if (capacity < one) expect(outcome).toBe('room')
      else expect(openReply(association, reply!).length).toBe(1 + Math.floor((capacity - one) / each))
    }
  })

  it('answers with a NAK when the cookie is no good', () => {
    const cookie = ntp.seal(association)
    const other = { ...association, s2c: prng.bytes(association.s2c.length) }
    const garbage = random(5).bytes(cookie.length)
    const foreign = random(6).bytes(cookie.length + 4)
    const short = new Uint8Array(12)
    for (const bad of [garbage, foreign, short, concat(cookie.slice(0, -1), [cookie.at(-1)! ^ 1])]) {
      const [outcome, reply] = ntp.outcome(request(other, bad))
      expect(outcome).toBe('nak cookie')
      expectNak(reply)
    }
  })

  it('answers with a NAK when the authenticator is no good', () => {
    const cookie = ntp.seal(association)
    const packet = request(association, cookie)
    for (const at of [2, 47, 60, packet.length - 1, packet.length - 20]) {
      const changed = packet.slice()
      changed[at]! ^= 0x40
      if (at === 2) changed[at] = 6 ^ 0x40
      const [outcome, reply] = ntp.outcome(changed)
      expect(outcome).toBe('nak authenticator')
      expect(reply!.length).toBe(84)
      expect(parseReply(reply!)).toMatchObject({ stratum: 0, leap: 3, mode: 4 })
      expect(parseReply(reply!).fields.map(({ type }) => type)).toEqual([UNIQUE_IDENTIFIER])
    }
    const wrongKey = { ...association, c2s: prng.bytes(association.c2s.length) }
    expectNak(ntp.outcome(request(wrongKey, cookie))[1])
  })

  it('tells an authentic client that it is not synchronized', async () => {
    const other = await loadNtp(10)
    other.clock.leap = 3
    const [outcome, reply] = other.outcome(request(association, other.seal(association)))
    expect(outcome).toBe('unsynchronized')
    expect(openReply(association, reply!).length).toBe(1)
    expect(parseReply(reply!)).toMatchObject({
      ...{ leap: 3, stratum: 0, referenceId: 0x494e_4954, reference: 0n },
      receive: 0xa1a2_a3a4_a5a6_a7a8n,
      transmit: 0xa1a2_a3a4_a5a6_a7a8n,
    })
  })

  it('adds to T3 what the last reply of its length took; to a new length, what a shorter one took', async () => {
    const other = await loadNtp(11)
    const cookie = other.seal(association)
    const added = (placeholders: number): bigint =>
      (parseReply(other.serve(request(association, cookie, { placeholders }))!).transmit & 0xffff_ffffn) - 0x8000_0000n
    expect(added(2)).toBe(0n)
    other.call('ntpLearnTransmitDelay', 0x1000)
    expect([added(0), added(1), added(2), added(3), added(7)]).toEqual([0n, 0n, 0x1000n, 0x1000n, 0x1000n])
    other.call('ntpLearnTransmitDelay', 0x3000)
    expect([added(2), added(3), added(6), added(7)]).toEqual([0x1000n, 0x1000n, 0x1000n, 0x3000n])
    other.call('ntpLearnTransmitDelay', 0x4000)
    expect(added(7)).toBe(0x3400n)
    // A plain reply has nothing of a sealed one's.
    expect(parseReply(other.serve(header())!).transmit & 0xffff_ffffn).toBe(0x8000_0000n)
  })

  it('opens a cookie as long as its key is kept, and then says NAK', async () => {
    const other = await loadNtp(12)
    const day = 86_400n
    other.call('keyringRotate', 1_782_043_200n)
    const cookie = other.seal(association)
    for (let i = 1n; i <= 7n; i++) {
      other.call('keyringRotate', 1_782_043_200n + i * day)
      const [fresh] = openReply(association, other.serve(request(association, cookie))!)
      expect([...fresh!.slice(0, 2)]).not.toEqual([...cookie.slice(0, 2)])
    }
    other.call('keyringRotate', 1_782_043_200n + 8n * day)
    const [outcome, reply] = other.outcome(request(association, cookie))
    expect(outcome).toBe('nak cookie')
    expectNak(reply)
  })
})

describe('nonces and paddings (RFC 8915 section 5.6)', () => {
  it.each([1, 2, 3, 4, 8, 11, 12, 13, 15, 16, 17, 32, 100])('SIV takes a nonce of %i bytes', (length) => {
    const packet = request(siv, ntp.seal(siv), { nonce: random(length).bytes(length) })
    const [outcome, reply] = ntp.outcome(packet)
    expect(outcome).toBe('served nts')
    expect(reply!.length).toBeLessThanOrEqual(packet.length)
    openReply(siv, reply!)
  })

  it.each([1, 4, 8, 11, 12])('SIV refuses a nonce of %i bytes with a word of padding too little', (length) => {
    const room = Math.ceil(length / 4) * 4
    for (let additionalPadding = 0; additionalPadding <= 20; additionalPadding += 4) {
      const packet = request(siv, ntp.seal(siv), { nonce: random(length).bytes(length), additionalPadding })
      expect(ntp.outcome(packet)[0]).toBe(room + additionalPadding < 16 ? 'nts field' : 'served nts')
    }
  })

  it('SIV refuses an empty nonce', () => {
    const packet = request(siv, ntp.seal(siv), { nonce: new Uint8Array(0), additionalPadding: 16 })
    expect(ntp.outcome(packet)).toEqual(['nts field', undefined])
  })

  it('GCM-SIV refuses any nonce but one of 12 bytes', () => {
    for (const nonceLength of [0, 1, 4, 8, 11, 13, 16]) {
      const packet = request(gcmSiv, ntp.seal(gcmSiv), { additionalPadding: 32, nonceLength })
      expect(ntp.outcome(packet)).toEqual(['nts field', undefined])
    }
  })

  it('more padding than asked for is welcome', () => {
    for (const [, association] of BOTH) {
      for (const additionalPadding of [4, 16, 256]) {
        const packet = request(association, ntp.seal(association), { additionalPadding })
        expect(ntp.outcome(packet)[0]).toBe('served nts')
      }
    }
  })

  it.each<[string, { nonceLength?: number; ciphertextLength?: number }, Outcome]>([
    ['a nonce longer than the field', { nonceLength: 36 }, 'nts field'],
    ['a nonce of 65535 bytes', { nonceLength: 0xffff }, 'nts field'],
    ['a ciphertext longer than the field', { ciphertextLength: 17 }, 'nts field'],
    ['a ciphertext of 65535 bytes', { ciphertextLength: 0xffff }, 'nts field'],
    ['a ciphertext shorter than a tag', { ciphertextLength: 15 }, 'nts field'],
    ['no ciphertext', { ciphertextLength: 0 }, 'nts field'],
    ['both of 65535 bytes', { nonceLength: 0xffff, ciphertextLength: 0xffff }, 'nts field'],
    ['a nonce whose length is not the one used', { nonceLength: 15 }, 'nak authenticator'],
  ])('%s', (_, lengths, outcome) => {
    expect(ntp.outcome(request(siv, ntp.seal(siv), lengths))[0]).toBe(outcome)
  })

  it('an authenticator too short for its two lengths', () => {
    const cookie = ntp.seal(siv)
    for (const length of [0, 2, 4, 8, 20]) {
      const stub = field(AUTHENTICATOR, new Uint8Array(Math.max(length, 24)))
      const packet = concat(header(), identifier, field(COOKIE, cookie), stub)
      expect(ntp.outcome(packet)).toEqual(['nts field', undefined])
    }
  })
})

describe('the server refuses, without a word', () => {
  let cookie: Uint8Array
  beforeAll(() => {
    cookie = ntp.seal(siv)
  })
  const mine = (): Uint8Array => field(COOKIE, cookie)
  const holder = (length: number): Uint8Array => field(PLACEHOLDER, new Uint8Array(length))

  it.each<[string, () => Uint8Array]>([
    ['a request without unique identifier', () => request(siv, cookie, { plain: mine() })],
    ['two unique identifiers', () => request(siv, cookie, { plain: concat(identifier, mine(), identifier) })],
    ['an identifier of 28 bytes', () => request(siv, cookie, { uniqueIdentifier: new Uint8Array(28) })],
    ['a request without cookie', () => request(siv, cookie, { plain: identifier })],
    ['two cookies', () => request(siv, cookie, { plain: concat(identifier, mine(), mine()) })],
    ['a short placeholder', () => request(siv, cookie, { plain: concat(identifier, mine(), holder(92)) })],
    ['a long placeholder', () => request(siv, cookie, { plain: concat(identifier, mine(), holder(100)) })],
    ['one bad placeholder', () => request(siv, cookie, { plain: concat(identifier, mine(), holder(96), holder(92)) })],
    ['a cookie without authenticator', () => concat(header(), identifier, mine())],
    ['placeholders alone', () => concat(header(), holder(96))],
    ['an encrypted unique identifier', () => request(siv, cookie, { encrypted: identifier })],
    ['an encrypted cookie', () => request(siv, cookie, { encrypted: mine() })],
    ['an authenticator within', () => request(siv, cookie, { encrypted: field(AUTHENTICATOR, new Uint8Array(40)) })],
    ['an encrypted placeholder of 92 bytes', () => request(siv, cookie, { encrypted: holder(92) })],
    ['encrypted rubbish of 3 bytes', () => request(siv, cookie, { encrypted: new Uint8Array(3) })],
    ['an encrypted field of length 0', () => request(siv, cookie, { encrypted: u16(0x7777, 0) })],
    ['an encrypted field of length 3', () => request(siv, cookie, { encrypted: u16(0x7777, 3) })],
    ['an encrypted field of odd length', () => request(siv, cookie, { encrypted: concat(u16(0x7777, 7), [0, 0, 0]) })],
    ['an encrypted field beyond the end', () => request(siv, cookie, { encrypted: u16(0x7777, 8) })],
    ['a tail within', () => request(siv, cookie, { encrypted: concat(field(0x7777, new Uint8Array(4)), [0, 0]) })],
  ])('%s', (_, make) => {
    expect(ntp.outcome(make())).toEqual(['nts field', undefined])
  })

  it('NTS in version 3 and in other modes', () => {
    expect(ntp.outcome(request(siv, cookie, { version: 3 }))).toEqual(['field', undefined])
    expect(ntp.outcome(request(siv, cookie, { mode: 1 }))).toEqual(['symmetric active', undefined])
    expect(ntp.outcome(request(siv, cookie, { mode: 4 }))).toEqual(['mode', undefined])
  })
})

describe('a second authenticator', () => {
  it('is outside the first one, so it is not read', () => {
    const cookie = ntp.seal(siv)
    const packet = request(siv, cookie)
    const [outcome, reply] = ntp.outcome(concat(packet, authenticator(siv, siv.c2s, packet)))
    expect(outcome).toBe('served nts')
    openReply(siv, reply!)
  })
})

/**
 * What the server must make of any packet, written once more and differently. `known` are authentic requests: a packet
 * is authentic when the bytes under its authenticator, its nonce and its ciphertext are those of a known one.
 */
function expectation(packet: Uint8Array, known: Uint8Array[], keep: Map<string, number>): Outcome {
  if (packet.length < 48) return 'short'
  if (packet.length > 1472) return 'long'
  const [mode, version] = [packet[0]! & 7, (packet[0]! >> 3) & 7]
  if (mode === 1) return 'symmetric active'
  if (mode > 5) return 'control'
  if (mode !== 3) return 'mode'
  if (version !== 3 && version !== 4) return 'version'
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
  const count = { [UNIQUE_IDENTIFIER]: 0, [COOKIE]: 0, [PLACEHOLDER]: 0 } as Record<number, number>
  const sizes = new Set<number>()
  let [cookie, at, placeholder] = ['', 48, 0]
  while (at < packet.length) {
    const rest = packet.length - at
    if (version === 3 || rest < 28) return [4, 20, 24].includes(rest) ? 'mac' : 'field'
    const [type, length] = [view.getUint16(at), view.getUint16(at + 2)]
    if (length < 16 || length % 4 || length > rest) return 'field'
    if (type === AUTHENTICATOR) break
    if (type === UNIQUE_IDENTIFIER && length < 36) return 'nts field'
    if (type === COOKIE) cookie = hex(packet.slice(at + 4, at + length))
    if (type in count) count[type]! += 1
    if (count[UNIQUE_IDENTIFIER]! > 1 || count[COOKIE]! > 1) return 'nts field'
    if (type === PLACEHOLDER && placeholder && placeholder !== length) return 'nts field'
    if (type === PLACEHOLDER) placeholder = length
    if (type === COOKIE || type === PLACEHOLDER) sizes.add(length)
    at += length
  }
  const isNts = at < packet.length
  if (sizes.size > 1) return 'nts field'
  if (!isNts) return count[COOKIE] || count[PLACEHOLDER] ? 'nts field' : 'served'
  if (count[UNIQUE_IDENTIFIER] !== 1 || count[COOKIE] !== 1) return 'nts field'
  const [nonceLength, textLength] = [view.getUint16(at + 4), view.getUint16(at + 6)]
  const room = (length: number): number => Math.ceil(length / 4) * 4
  const spare = view.getUint16(at + 2) - 8 - room(nonceLength) - room(textLength)
  if (spare < 0 || textLength < 16) return 'nts field'
  const aead = keep.get(cookie)
  if (aead === undefined) return 'nak cookie'
  if (aead === GCM_SIV ? nonceLength !== 12 : nonceLength === 0 || room(nonceLength) + spare < 16) return 'nts field'
  const proof = (bytes: Uint8Array): string => {
    const text = at + 8 + room(nonceLength)
    const parts = [bytes.slice(0, at), bytes.slice(at + 8, at + 8 + nonceLength), bytes.slice(text, text + textLength)]
    return parts.map(hex).join()
  }
  const same = known.filter((other) => {
    const original = new DataView(other.buffer, other.byteOffset, other.length)
    return (
      other.length > at + 8 &&
      original.getUint16(at) === AUTHENTICATOR &&
      original.getUint16(at + 4) === nonceLength &&
      original.getUint16(at + 6) === textLength &&
      proof(other) === proof(packet)
    )
  })
  return same.length ? 'served nts' : 'nak authenticator'
}

describe('whatever comes', () => {
  let requests: Uint8Array[]
  let cookies: Map<string, number>
  beforeAll(() => {
    const [first, second] = [ntp.seal(siv), ntp.seal(gcmSiv)]
    cookies = new Map([
      [hex(first), SIV],
      [hex(second), GCM_SIV],
    ])
    requests = [
      request(siv, first),
      request(gcmSiv, second),
      request(siv, first, { nonce: random(3).bytes(6), additionalPadding: 12, after: identifier }),
      request(siv, first, { encrypted: field(PLACEHOLDER, new Uint8Array(96)), placeholders: 2 }),
      request(gcmSiv, second, { encrypted: field(0x4444, new Uint8Array(8)), additionalPadding: 8 }),
      concat(header(), identifier),
      header({ version: 3 }),
    ]
  })

  /** One packet: the outcome is the expected one, the reply no longer than the packet and what its outcome promises. */
  function check(packet: Uint8Array, thorough: boolean): Outcome {
    const [outcome, reply] = ntp.outcome(packet)
    const expected = expectation(packet, requests, cookies)
    if (outcome !== expected) throw new Error(`${outcome}, not ${expected}: ${hex(packet)}`)
    if (!reply) return outcome
    if (reply.length > packet.length) throw new Error(`${reply.length} bytes for ${packet.length}: ${hex(packet)}`)
    if (!thorough) return outcome
    const types = parseReply(reply).fields.map(({ type }) => type)
    if (outcome === 'served nts') {
      openReply([siv, gcmSiv].find((one) => one.aead === aeadOf(packet))!, reply)
      expect(types).toEqual([UNIQUE_IDENTIFIER, AUTHENTICATOR])
    } else {
      expect(types).not.toContain(AUTHENTICATOR)
      expect(types).not.toContain(COOKIE)
    }
    return outcome
  }

  function aeadOf(packet: Uint8Array): number | undefined {
    const text = hex(packet)
    return [...cookies].find(([cookie]) => text.includes(cookie))?.[1]
  }

  it('every truncation of a request gets its due', () => {
    const seen = new Set<Outcome>()
    for (const packet of requests) {
      for (let length = 0; length <= packet.length; length++) {
        // The rest of the request still lies behind the truncated one: reading on would find it.
        ntp.serve(packet)
        seen.add(check(packet.slice(0, length), true))
      }
    }
    expect([...seen].sort()).toEqual(['field', 'mac', 'nts field', 'served', 'served nts', 'short'])
  })

  it('100,000 mutated requests get their due, and no mutation of what is authenticated is answered with time', () => {
    const { below, u32, bytes } = random(5905)
    const seen = new Map<Outcome, number>()
    for (let i = 0; i < 100_000; i++) {
      let packet: Uint8Array = requests[below(requests.length)]!.slice()
      for (let changes = below(20) ? 1 : 3; changes > 0; changes--) packet = mutate(packet, below, u32, bytes)
      const outcome = check(packet, i % 16 === 0)
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
    }
    // Every outcome that a mutation can have was met.
    const met = [
      'served',
      'served nts',
      'nak cookie',
      'nak authenticator',
      'short',
      'version',
      'mac',
      'field',
      'nts field',
    ]
    for (const outcome of met) expect(seen.get(outcome as Outcome), outcome).toBeGreaterThan(20)
  })

  it('100,000 packets of random bytes never get NTS', () => {
    const { below, bytes } = random(7822)
    for (let i = 0; i < 100_000; i++) {
      const packet = bytes(below(16) ? 48 + below(20) * 4 : below(300))
      if (packet.length) packet[0] = below(4) ? 0x23 : packet[0]!
      if (packet.length > 52 && below(2)) packet.set(u16([UNIQUE_IDENTIFIER, COOKIE, AUTHENTICATOR, 9][below(4)]!), 48)
      if (packet.length > 52 && below(2)) packet.set(u16(packet.length - 48 - 4 * below(3)), 50)
      expect(check(packet, false)).not.toBe('served nts')
    }
  })
})

function mutate(
  packet: Uint8Array,
  below: (n: number) => number,
  u32: () => number,
  bytes: (n: number) => Uint8Array,
): Uint8Array {
  const at = below(packet.length || 1)
  switch (below(8)) {
    case 0:
    case 1:
      packet[at]! ^= 1 << below(8)
      return packet
    case 2:
      packet[at] = u32() & 0xff
      return packet
    case 3:
      return packet.slice(0, at)
    case 4:
      return concat(packet.slice(0, at), bytes(1 + below(32)), packet.slice(at))
    case 5: {
      // The type or length of some word: where the fields begin most of them are.
      const word = 48 + 4 * below(((packet.length || 52) - 48) >> 2 || 1)
      if (word + 4 <= packet.length) packet.set(u16(u32() & 0xffff & (below(2) ? 0xffff : 0x00fc)), word + 2 * below(2))
      return packet
    }
    case 6:
      return concat(packet, bytes(4 * below(12)))
    default: {
      const from = 48 + 4 * below(((packet.length || 52) - 48) >> 2 || 1)
      return concat(packet.slice(0, from), packet.slice(from + 4 * (1 + below(10))))
    }
  }
}
