// The NTP client against a scripted server whose cryptography shares nothing with the firmware's.

import { beforeAll, describe, expect, it } from 'vitest'
import { algorithm } from '../../src/nts/aead'
import { decodeFields, encodeField, type Field, FieldType, NTP_HEADER, seal, unseal } from '../../src/nts/packet'
import { type Entry, loadEntry } from '../support/firmware'

const SECOND = 16_000_000n
const NANOS = 1_000_000_000n
const ORIGIN = 1_793_491_200n
const UNIX_TO_NTP = 2_208_988_800n

let entry: Entry
// biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
let x: Record<string, any>
let buffer: number

beforeAll(async () => {
  entry = await loadEntry(new URL('./client.entry.ts', import.meta.url))
  x = entry.exports
  buffer = x['buffer']()
  entry.write(buffer, new Uint8Array(64).fill(7))
  x['seed'](64)
  x['crystal'](0, 50_000)
})

enum Want {
  Nothing,
  KeyExchange,
  Request,
}

enum Verdict {
  Good,
  Ignored,
  Useless,
  Nak,
  Denied,
  Rate,
}

const keys = { c2s: new Uint8Array(32).fill(1), s2c: new Uint8Array(32).fill(2) }
let cookieNumber = 0

function cookie(length = 100): Uint8Array {
  cookieNumber++
  return new Uint8Array(length).fill(cookieNumber)
}

/** An association with keys and `count` cookies. */
function withKeys(aead = 15, count = 8, cookieLength = 100): void {
  x['init'](true, 4, 10, SECOND)
  const { keyLength } = algorithm(aead)
  entry.write(buffer, Buffer.concat([keys.c2s.subarray(0, keyLength), keys.s2c.subarray(0, keyLength)]))
  x['setKeys'](aead, keyLength, SECOND)
  for (let i = 0; i < count; i++) {
    entry.write(buffer, cookie(cookieLength))
    expect(x['putCookie'](cookieLength)).toBe(1)
  }
}

function request(t1 = SECOND): Uint8Array {
  const length = x['ask']()
  expect(length).toBeGreaterThan(0)
  const packet = entry.read(buffer, length)
  x['sent'](t1, t1)
  return packet
}

function fields(packet: Uint8Array): Field[] {
  return decodeFields(packet, NTP_HEADER) ?? []
}

function stampOf(nanos: bigint): bigint {
  return (((nanos / NANOS + UNIX_TO_NTP) & 0xffff_ffffn) << 32n) | (((nanos % NANOS) << 32n) / NANOS)
}

interface ReplyOptions {
  t2?: bigint
  t3?: bigint
  leap?: number
  stratum?: number
  mode?: number
  version?: number
  referenceId?: number
  rootDelay?: number
  rootDispersion?: number
  origin?: Uint8Array
}

function header(to: Uint8Array, options: ReplyOptions = {}): Uint8Array {
  const reply = Buffer.alloc(NTP_HEADER)
  reply[0] = ((options.leap ?? 0) << 6) | ((options.version ?? 4) << 3) | (options.mode ?? 4)
  reply[1] = options.stratum ?? 2
  reply.writeInt8(-20, 3)
  reply.writeUInt32BE(options.rootDelay ?? 66, 4)
  reply.writeUInt32BE(options.rootDispersion ?? 33, 8)
  reply.writeUInt32BE(options.referenceId ?? 0x0a00_0001, 12)
  reply.set(options.origin ?? to.subarray(40, 48), 24)
  const t2 = options.t2 ?? ORIGIN * NANOS
  reply.writeBigUInt64BE(stampOf(t2), 32)
  reply.writeBigUInt64BE(stampOf(options.t3 ?? t2 + 10_000n), 40)
  return reply
}

interface NtsOptions extends ReplyOptions {
  aead?: number
  cookies?: Uint8Array[]
  key?: Uint8Array
  identifier?: Uint8Array
  /** Fields after the authenticator. */
  after?: Uint8Array
}

function ntsReply(to: Uint8Array, options: NtsOptions = {}): Uint8Array {
  const aead = options.aead ?? 15
  const { keyLength, nonceLength } = algorithm(aead)
  const identifier = options.identifier ?? fields(to).find(({ type }) => type === FieldType.UniqueIdentifier)!.body
  const open = Buffer.concat([header(to, options), encodeField(FieldType.UniqueIdentifier, identifier)])
  const hidden = Buffer.concat((options.cookies ?? [cookie()]).map((body) => encodeField(FieldType.Cookie, body)))
  const key = options.key ?? keys.s2c.subarray(0, keyLength)
  const sealed = seal(aead, key, new Uint8Array(nonceLength).fill(9), open, hidden)
  return Buffer.concat([sealed, options.after ?? new Uint8Array(0)])
}

function nak(to: Uint8Array, identifier?: Uint8Array): Uint8Array {
  const body = identifier ?? fields(to).find(({ type }) => type === FieldType.UniqueIdentifier)!.body
  const kiss = header(to, { stratum: 0, leap: 3, referenceId: 0x4e54_534e })
  return Buffer.concat([kiss, encodeField(FieldType.UniqueIdentifier, body)])
}

function receive(packet: Uint8Array, t4 = SECOND + 1600n, spread = 0): Verdict {
  entry.write(buffer, packet)
  return x['receive'](packet.length, t4, spread, t4)
}

describe('a request', () => {
  it('tells nothing but version and mode, and a random transmit timestamp', () => {
    x['init'](false, 4, 10, SECOND)
    const one = request()
    const two = request()
    expect(one.length).toBe(48)
    expect(one[0]).toBe(0x23)
    expect(one.subarray(1, 40).every((byte) => byte === 0)).toBe(true)
    expect(Buffer.compare(one.subarray(40), two.subarray(40))).not.toBe(0)
  })

  it.each([15, 30])('is authentic under AEAD %i, with a fresh identifier and one cookie, each used once', (aead) => {
    withKeys(aead)
    const seen = new Set<string>()
    for (let i = 0; i < 8; i++) {
      const packet = request()
      const all = fields(packet)
      const types = all.map(({ type }) => type)
      expect(types.slice(0, 2)).toEqual([FieldType.UniqueIdentifier, FieldType.Cookie])
      expect(types.at(-1)).toBe(FieldType.Authenticator)
      const { keyLength } = algorithm(aead)
      expect(unseal(aead, keys.c2s.subarray(0, keyLength), packet, all.at(-1)!)).toHaveLength(0)
      for (const { type, body } of all.slice(0, 2)) {
        const text = `${type} ${Buffer.from(body).toString('hex')}`
        expect(seen.has(text)).toBe(false)
        seen.add(text)
      }
      const placeholders = all.filter(({ type }) => type === FieldType.CookiePlaceholder)
      expect(placeholders.length).toBe(Math.min(i, 2))
      for (const { body } of placeholders) expect(body.length).toBe(100)
    }
    expect(x['cookies']()).toBe(0)
    expect(x['ask']()).toBe(0)
  })
})

describe('a reply', () => {
  it.each([15, 30])('under AEAD %i becomes a sample and brings cookies', (aead) => {
    withKeys(aead)
    const packet = request()
    expect(x['cookies']()).toBe(7)
    // 100 us there and back, 10 us of them inside the server.
    expect(receive(ntsReply(packet, { aead, t2: ORIGIN * NANOS + 45_000n }))).toBe(Verdict.Good)
    expect(x['cookies']()).toBe(8)
    expect(x['reach']()).toBe(1)
    x['source'](SECOND + 800n)
    expectNear(x['sourceUtc'](0), ORIGIN * NANOS + 50_000n)
    expect(x['estimateOfAssociation'](SECOND + 800n)).toBe(1)
    expectNear(x['estimateDelay'](), 90_000n)
  })

  it('refills the jar two cookies more at a time', () => {
    withKeys(15, 2)
    for (const expected of [4, 6, 8, 8]) {
      const packet = request()
      const asked = fields(packet).filter(({ type }) => type === FieldType.CookiePlaceholder).length
      const fresh = Array.from({ length: 1 + asked }, () => cookie())
      expect(receive(ntsReply(packet, { cookies: fresh }))).toBe(Verdict.Good)
      expect(x['cookies']()).toBe(expected)
    }
  })

  it('is ignored when anything about it is not ours, and the next good one still counts', () => {
    withKeys()
    const packet = request()
    const good = ntsReply(packet)
    const wrongKey = ntsReply(packet, { key: new Uint8Array(32).fill(5) })
    const otherIdentifier = ntsReply(packet, { identifier: new Uint8Array(32).fill(5) })
    const shortIdentifier = ntsReply(packet, { identifier: new Uint8Array(16).fill(5) })
    const plain = header(packet)
    for (const bad of [
      wrongKey,
      otherIdentifier,
      shortIdentifier,
      plain,
      ntsReply(packet, { origin: new Uint8Array(8) }),
      ntsReply(packet, { mode: 3 }),
      ntsReply(packet, { mode: 5 }),
      ntsReply(packet, { version: 3 }),
      good.subarray(0, 47),
      good.subarray(0, good.length - 4),
      new Uint8Array(0),
    ]) {
      expect(receive(bad)).toBe(Verdict.Ignored)
    }
    expect(receive(good)).toBe(Verdict.Good)
    expect(receive(good), 'a duplicate').toBe(Verdict.Ignored)
    expect(x['reach']()).toBe(1)
  })

  it('brings no cookie that was not encrypted, nor one behind the authenticator', () => {
    withKeys()
    const packet = request()
    const reply = ntsReply(packet, { cookies: [], after: encodeField(FieldType.Cookie, cookie()) })
    expect(receive(reply)).toBe(Verdict.Good)
    expect(x['cookies']()).toBe(7)
  })

  it('is ignored with any single bit turned, or cut anywhere', () => {
    withKeys(30, 8, 68)
    const packet = request()
    const good = ntsReply(packet, { aead: 30, cookies: [cookie(68)] })
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = Uint8Array.from(good)
      bad[bit >> 3]! ^= 1 << (bit & 7)
      expect(receive(bad), `bit ${bit}`).toBe(Verdict.Ignored)
    }
    for (let length = 0; length < good.length; length++) expect(receive(good.subarray(0, length))).toBe(Verdict.Ignored)
    expect(x['cookies']()).toBe(7)
    expect(receive(good)).toBe(Verdict.Good)
  })

  it('of random bytes never traps', () => {
    withKeys()
    const packet = request()
    let state = 12_345
    const random = (): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return state >>> 8
    }
    for (let i = 0; i < 20_000; i++) {
      const good = ntsReplyCached(packet)
      const bad = Uint8Array.from(good.subarray(0, 1 + (random() % good.length)))
      for (let edits = random() % 6; edits > 0; edits--) bad[random() % bad.length] = random()
      if (Buffer.compare(bad, good) !== 0) expect([Verdict.Ignored, Verdict.Nak]).toContain(receive(bad))
    }
    expect(receive(ntsReplyCached(packet))).toBe(Verdict.Good)
  })

  it.each([
    ['leap 3', { leap: 3 }],
    ['stratum 16', { stratum: 16 }],
    ['a root delay of 40 s', { rootDelay: 40 << 16 }],
    ['a root dispersion of 17 s', { rootDispersion: 17 << 16 }],
    ['T3 before T2', { t3: ORIGIN * NANOS - 1_000n }],
    ['five seconds inside the server', { t3: ORIGIN * NANOS + 5n * NANOS }],
    ['more time inside the server than away', { t3: ORIGIN * NANOS + 900_000n }],
    ['an INIT kiss', { stratum: 0, referenceId: 0x494e_4954 }],
  ])('with %s is authentic and gives no time', (_name, options: ReplyOptions) => {
    withKeys()
    const packet = request()
    const verdict = receive(ntsReply(packet, options))
    expect([Verdict.Useless, Verdict.Good]).toContain(verdict)
    expect(x['reach']()).toBe(0)
    expect(x['estimateOfAssociation'](SECOND)).toBe(0)
  })

  it('across an era boundary is in the new era', () => {
    x['init'](false, 4, 10, SECOND)
    // 2036-02-07T06:28:16Z is the first second of era 1.
    const t2 = 2_085_978_497n * NANOS
    expect(receive(header(request(), { t2 }))).toBe(Verdict.Good)
    x['source'](SECOND + 800n)
    expectNear(x['sourceUtc'](0), t2 + 5_000n)
  })
})

describe('kiss codes', () => {
  it('obeys RATE: the interval grows and stays', () => {
    x['init'](false, 4, 10, SECOND)
    expect(receive(header(request(), { stratum: 0, referenceId: 0x5241_5445 }))).toBe(Verdict.Rate)
    expect(x['poll']()).toBe(5)
    expect(x['due'](SECOND) - SECOND).toBeGreaterThanOrEqual(32n * SECOND)
  })

  it.each([0x4445_4e59, 0x5253_5452])('obeys DENY and RSTR (%i): nothing more is asked', (referenceId) => {
    withKeys()
    expect(receive(ntsReply(request(), { stratum: 0, referenceId }))).toBe(Verdict.Denied)
    expect(x['wants'](SECOND * 1_000_000n)).toBe(Want.Nothing)
  })

  it('ignores DENY and RATE that are not authenticated where there are keys', () => {
    withKeys()
    const packet = request()
    const identifier = encodeField(FieldType.UniqueIdentifier, fields(packet)[0]!.body)
    for (const referenceId of [0x4445_4e59, 0x5241_5445]) {
      const kiss = Buffer.concat([header(packet, { stratum: 0, referenceId }), identifier])
      expect(receive(kiss)).toBe(Verdict.Ignored)
    }
    expect(receive(ntsReply(packet))).toBe(Verdict.Good)
  })

  it('takes an NTS NAK with our identifier for a wish for new keys, once no better answer has come', () => {
    withKeys()
    const packet = request()
    expect(receive(nak(packet, new Uint8Array(32)))).toBe(Verdict.Ignored)
    expect(receive(nak(packet))).toBe(Verdict.Nak)
    expect(x['wants'](SECOND + 1n)).toBe(Want.Nothing)
    x['missed'](2n * SECOND)
    expect(x['wants'](2n * SECOND)).toBe(Want.KeyExchange)
    // The old cookies stay in use until there are new keys.
    expect(x['cookies']()).toBe(7)
    x['keBegin'](2n * SECOND)
    expect(x['wants'](18n * SECOND - 1n)).toBe(Want.Request)
  })

  it('forgets the NAK when the good answer follows', () => {
    withKeys()
    const packet = request()
    expect(receive(nak(packet))).toBe(Verdict.Nak)
    expect(receive(ntsReply(packet))).toBe(Verdict.Good)
    expect(x['wants'](SECOND + 2000n)).toBe(Want.Nothing)
  })
})

describe('key exchanges', () => {
  it('are wanted without keys, and back off from 16 s to 36 hours', () => {
    x['init'](true, 4, 10, SECOND)
    let now = SECOND
    const waits: number[] = []
    for (let i = 0; i < 16; i++) {
      expect(x['wants'](now)).toBe(Want.KeyExchange)
      x['keBegin'](now)
      const due = x['due'](now) as bigint
      expect(x['wants'](due - 1n)).toBe(Want.Nothing)
      waits.push(Number((due - now) / SECOND))
      now = due
    }
    expect(waits).toEqual([
      16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072, 131_072, 131_072,
    ])
  })

  it('are tried every 17 minutes while the server cannot be reached, and back off when it refuses again', () => {
    x['init'](true, 4, 10, SECOND)
    let now = SECOND
    const wait = (reached: boolean): number => {
      x['keBegin'](now)
      if (!reached) x['keUnreached'](now)
      const due = x['due'](now) as bigint
      const seconds = Number((due - now) / SECOND)
      now = due
      return seconds
    }
    const away = Array.from({ length: 90 }, () => wait(false))
    expect(away.slice(0, 8)).toEqual([16, 32, 64, 128, 256, 512, 1024, 1024])
    expect(away.slice(8).every((seconds) => seconds === 1024)).toBe(true)
    expect(Array.from({ length: 9 }, () => wait(true))).toEqual([
      1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072, 131_072,
    ])
    expect([wait(false), wait(true)]).toEqual([1024, 65_536])
  })

  it('start their back-off anew only when a reply was authentic', () => {
    x['init'](true, 4, 10, SECOND)
    x['keBegin'](SECOND)
    x['keBegin'](SECOND)
    entry.write(buffer, Buffer.concat([keys.c2s, keys.s2c]))
    x['setKeys'](15, 32, SECOND)
    expect(x['keAttempts']()).toBe(2)
    entry.write(buffer, cookie())
    x['putCookie'](100)
    expect(receive(ntsReply(request()))).toBe(Verdict.Good)
    expect(x['keAttempts']()).toBe(0)
  })

  it('are wanted again after four weeks, after eight missed answers, and after distrust', () => {
    withKeys()
    expect(x['wants'](SECOND + 2_419_200n * SECOND)).toBe(Want.KeyExchange)
    withKeys()
    for (let i = 0; i < 8; i++) {
      expect(x['wants'](SECOND)).not.toBe(Want.KeyExchange)
      entry.write(buffer, cookie())
      x['putCookie'](100)
      request()
      x['missed'](SECOND)
    }
    expect(x['wants'](SECOND)).toBe(Want.KeyExchange)
    withKeys()
    expect(receive(ntsReply(request()))).toBe(Verdict.Good)
    x['distrust']()
    expect(x['cookies']()).toBe(0)
    expect(x['estimateOfAssociation'](SECOND)).toBe(0)
    expect(x['wants'](SECOND)).toBe(Want.KeyExchange)
  })
})

describe('the cookie jar', () => {
  it.each([
    [12, 8],
    [100, 8],
    [120, 8],
    [124, 7],
    [192, 5],
  ])('keeps cookies of %i bytes: %i of them, oldest first', (length, room) => {
    x['init'](true, 4, 10, SECOND)
    const put: Uint8Array[] = []
    const take = (): void => {
      expect(x['takeCookie']()).toBe(length)
      expect(entry.read(buffer, length)).toEqual(put.shift())
    }
    for (let round = 0; round < 5; round++) {
      while (put.length < room) {
        const one = cookie(length)
        entry.write(buffer, one)
        expect(x['putCookie'](length)).toBe(1)
        put.push(one)
      }
      expect(x['freeCookies']()).toBe(0)
      expect(x['putCookie'](length)).toBe(0)
      for (let i = 0; i < 1 + (round % room); i++) take()
    }
  })

  it('drops what it has when the length changes, and refuses lengths that no field can have', () => {
    withKeys(15, 3, 100)
    for (const bad of [0, 8, 11, 101, 196, 4000]) expect(x['putCookie'](bad)).toBe(0)
    expect(x['cookies']()).toBe(3)
    expect(x['putCookie'](104)).toBe(1)
    expect([x['cookies'](), x['cookieLength']()]).toEqual([1, 104])
  })
})

/** Timestamps of 2^-32 s are rounded twice. */
function expectNear(actual: bigint, expected: bigint): void {
  expect(Math.abs(Number(actual - expected)), `${actual} for ${expected}`).toBeLessThanOrEqual(2)
}

let cached: { to: Uint8Array; reply: Uint8Array } | undefined
function ntsReplyCached(to: Uint8Array): Uint8Array {
  if (cached?.to !== to) cached = { to, reply: ntsReply(to) }
  return cached.reply
}
