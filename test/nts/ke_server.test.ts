// NTS Key Establishment: requests in, exact responses out (RFC 8915 section 4).

import { beforeAll, describe, expect, it } from 'vitest'
import { ascii, concat, END, GCM_SIV, hex, random, record, records, SIV, u16 } from './client'
import { loadNts, type Nts } from './firmware'

const NEED_MORE = 0
const COMPLETE = 1
const REQUEST_MAX = 1024

const NTPV4 = record(1, true, u16(0))
const aeads = (...ids: number[]): Uint8Array => record(4, true, u16(...ids))
const COMPLIANT = record(1024, false)
/** What chrony 4.8 sends. */
const CHRONY = concat(NTPV4, aeads(GCM_SIV, SIV), COMPLIANT, END)
/** What a client without a taste for novelty sends. */
const MINIMAL = concat(NTPV4, aeads(SIV), END)

const prng = random(4460)
const c2s = prng.bytes(32)
const s2c = prng.bytes(32)

let nts: Nts
beforeAll(async () => {
  nts = await loadNts(3)
  nts.call('keyringCreate')
})

function parse(request: Uint8Array): number {
  nts.input(request)
  return nts.call('parse', request.length)
}

function respond(port = 123): Uint8Array {
  nts.entry.write(nts.call('c2s'), c2s)
  nts.entry.write(nts.call('s2c'), s2c)
  const capacity = nts.call('responseMax')
  nts.entry.write(nts.call('output'), new Uint8Array(capacity + 64).fill(0xa5))
  const length = nts.call('respond', port, capacity)
  expect(hex(nts.output(capacity + 64).slice(length))).toMatch(/^(a5)*$/)
  return nts.output(length)
}

/** The response to a whole request, cookies checked and shown as `cookie`: one line a record, `!` for critical. */
function answer(request: Uint8Array, port = 123): string[] {
  expect(parse(request)).toBe(COMPLETE)
  return show(respond(port))
}

function show(response: Uint8Array): string[] {
  return records(response).map(({ type, critical, body }) => {
    const text = type === 5 ? 'cookie' : hex(body)
    return `${critical ? '!' : ''}${type} ${text}`.trim()
  })
}

const COOKIES = Array(8).fill('5 cookie')
const SIV_ANSWER = ['!1 0000', '!4 000f', ...COOKIES, '!0']
const GCM_SIV_ANSWER = ['!1 0000', '!4 001e', '1024', ...COOKIES, '!0']
const UNRECOGNIZED = ['!2 0000', '!0']
const BAD_REQUEST = ['!2 0001', '!0']
const INTERNAL = ['!2 0002', '!0']

describe('the NTS-KE server answers', () => {
  it.each<[string, Uint8Array, string[]]>([
    ['a minimal request', MINIMAL, SIV_ANSWER],
    ['chrony, which sends record 1024', CHRONY, GCM_SIV_ANSWER],
    ['a client that prefers 15 to 30', concat(NTPV4, aeads(SIV, GCM_SIV), COMPLIANT, END), SIV_ANSWER],
    ['an old chrony, which offers 30 without record 1024', concat(NTPV4, aeads(GCM_SIV, SIV), END), SIV_ANSWER],
    ['a client that offers unknown AEADs first', concat(NTPV4, aeads(16, 17, 0xffff, SIV), END), SIV_ANSWER],
    ['a client that names the same AEAD twice', concat(NTPV4, aeads(SIV, SIV), END), SIV_ANSWER],
    ['record 1024 before and after the list alike', concat(COMPLIANT, aeads(GCM_SIV), NTPV4, END), GCM_SIV_ANSWER],
    ['record 1024 marked critical', concat(NTPV4, aeads(GCM_SIV), record(1024, true), END), GCM_SIV_ANSWER],
    ['a request in another order', concat(aeads(SIV), NTPV4, END), SIV_ANSWER],
    ['an AEAD record that is not critical', concat(NTPV4, record(4, false, u16(SIV)), END), SIV_ANSWER],
    ['NTPv4 among other protocols', concat(record(1, true, u16(0x8001, 0, 7)), aeads(SIV), END), SIV_ANSWER],
    ['unknown records that are not critical', concat(record(99, false, [1, 2, 3]), MINIMAL), SIV_ANSWER],
    [
      'a wish for a server and a port, with its own',
      concat(NTPV4, aeads(SIV), record(6, false, ascii('time.example.')), record(7, false, u16(123)), END),
      SIV_ANSWER,
    ],
    [
      'the same wish marked critical, since it knows the records',
      concat(NTPV4, aeads(SIV), record(6, true, ascii('time.example.')), record(7, true, u16(123)), END),
      SIV_ANSWER,
    ],
  ])('%s', (_, request, expected) => {
    expect(answer(request)).toEqual(expected)
  })

  it.each<[string, Uint8Array, string[]]>([
    ['only unknown protocols: none agreed', concat(record(1, true, u16(1, 0x8000)), END), ['!1', '!0']],
    [
      'only unknown protocols, with AEADs twice',
      concat(record(1, true, u16(1)), aeads(SIV), aeads(SIV), END),
      ['!1', '!0'],
    ],
    ['only unknown AEADs: none agreed', concat(NTPV4, aeads(1, 2, 16), END), ['!1 0000', '!4', '!0']],
    ['only 30 without record 1024: none agreed', concat(NTPV4, aeads(GCM_SIV), END), ['!1 0000', '!4', '!0']],
  ])('%s', (_, request, expected) => {
    expect(answer(request)).toEqual(expected)
    expect(nts.call('needsExport')).toBe(0)
  })

  it('the port when it is not 123, as a critical record', () => {
    expect(answer(MINIMAL, 4123)).toEqual(['!1 0000', '!4 000f', '!7 101b', ...COOKIES, '!0'])
    expect(answer(CHRONY, 4123)).toEqual(['!1 0000', '!4 001e', '1024', '!7 101b', ...COOKIES, '!0'])
  })

  it('with eight different cookies that hold the exported keys', () => {
    for (const [request, aead, length] of [
      [MINIMAL, SIV, 32],
      [CHRONY, GCM_SIV, 16],
    ] as const) {
      parse(request)
      const cookies = records(respond())
        .filter(({ type }) => type === 5)
        .map(({ body }) => body)
      expect(new Set(cookies.map(hex)).size).toBe(8)
      for (const cookie of cookies) {
        expect(cookie.length).toBeLessThanOrEqual(100)
        expect(nts.open(cookie)).toEqual({ aead, c2s: c2s.slice(0, length), s2c: s2c.slice(0, length) })
      }
    }
  })

  it('one cookie a step, so that no step is long', () => {
    for (const [request, expected, steps] of [
      [CHRONY, GCM_SIV_ANSWER, 9],
      [END, BAD_REQUEST, 1],
    ] as const) {
      parse(request)
      expect(nts.call('respondInSteps', 123)).toBe(steps)
      expect(show(nts.output(nts.call('responseLength')))).toEqual(expected)
    }
  })

  it('by exporting keys as RFC 8915 section 5.1 says', () => {
    const label = hex(ascii('EXPORTER-network-time-security'))
    for (const [request, context, length] of [
      [MINIMAL, '0000000f', 32],
      [CHRONY, '0000001e', 16],
    ] as const) {
      parse(request)
      expect(nts.call('needsExport')).toBe(1)
      expect(nts.call('keyLength')).toBe(length)
      expect(hex(nts.output(nts.call('exporter', 0)))).toBe(`${label}${context}00`)
      expect(hex(nts.output(nts.call('exporter', 1)))).toBe(`${label}${context}01`)
    }
  })
})

describe('the NTS-KE server refuses', () => {
  it.each<[string, Uint8Array]>([
    ['an unknown critical record', concat(record(99, true), MINIMAL)],
    ['an unknown critical record before a bad one', concat(record(99, true), record(1, true), END)],
    ['a private critical record', concat(NTPV4, aeads(SIV), record(0x4001, true, [1]), END)],
  ])('%s as an unrecognized critical record', (_, request) => {
    expect(answer(request)).toEqual(UNRECOGNIZED)
    expect(nts.call('needsExport')).toBe(0)
  })

  it.each<[string, Uint8Array]>([
    ['an empty request', END],
    ['no next protocol', concat(aeads(SIV), END)],
    ['two next protocol records', concat(NTPV4, NTPV4, aeads(SIV), END)],
    ['an empty next protocol record', concat(record(1, true), aeads(SIV), END)],
    ['a next protocol record of odd length', concat(record(1, true, [0, 0, 0]), aeads(SIV), END)],
    ['a next protocol record that is not critical', concat(record(1, false, u16(0)), aeads(SIV), END)],
    ['no AEAD record', concat(NTPV4, END)],
    ['two AEAD records', concat(NTPV4, aeads(SIV), aeads(SIV), END)],
    ['an empty AEAD record', concat(NTPV4, aeads(), END)],
    ['an AEAD record of odd length', concat(NTPV4, record(4, true, [0, SIV, 0]), END)],
    ['an error record', concat(NTPV4, aeads(SIV), record(2, true, u16(1)), END)],
    ['a warning record', concat(NTPV4, aeads(SIV), record(3, true, u16(1)), END)],
    ['a cookie', concat(NTPV4, aeads(SIV), record(5, false, new Uint8Array(96)), END)],
    ['two server records', concat(NTPV4, aeads(SIV), record(6, false, [65]), record(6, false, [65]), END)],
    ['a port of one byte', concat(NTPV4, aeads(SIV), record(7, false, [1]), END)],
    ['a port of three bytes', concat(NTPV4, aeads(SIV), record(7, false, [1, 2, 3]), END)],
    ['record 1024 with a body', concat(NTPV4, aeads(SIV), record(1024, false, [1]), END)],
    ['an end that is not critical', concat(NTPV4, aeads(SIV), record(0, false))],
    ['an end with a body', concat(NTPV4, aeads(SIV), record(0, true, [0]))],
    ['bytes after the end', concat(MINIMAL, [0])],
    ['a record after the end', concat(MINIMAL, NTPV4)],
    ['a second end', concat(MINIMAL, END)],
    ['a bad record before an unknown critical one', concat(record(1, true), record(99, true), END)],
    ['a record that can never fit', concat(NTPV4, u16(99, REQUEST_MAX))],
    ['a request that fills the limit and does not end', concat(NTPV4, record(99, false, new Uint8Array(1014)))],
  ])('%s as a bad request', (_, request) => {
    expect(answer(request)).toEqual(BAD_REQUEST)
    expect(nts.call('needsExport')).toBe(0)
  })

  it('a request that stopped half-way, when the caller gives up on it', () => {
    expect(parse(NTPV4)).toBe(NEED_MORE)
    nts.call('refuse', 1)
    expect(show(respond())).toEqual(BAD_REQUEST)
  })

  it('with an internal error when there is no key to seal cookies with', async () => {
    const empty = await loadNts(4)
    empty.input(MINIMAL)
    expect(empty.call('parse', MINIMAL.length)).toBe(COMPLETE)
    expect(empty.call('needsExport')).toBe(0)
    expect(show(empty.output(empty.call('respond', 123, empty.call('responseMax'))))).toEqual(INTERNAL)
  })

  it('to write into a buffer that might not hold the response', () => {
    parse(MINIMAL)
    expect(nts.call('respond', 123, nts.call('responseMax') - 1)).toBe(0)
  })
})

describe('a request in pieces', () => {
  const requests = [MINIMAL, CHRONY, concat(record(99, true), MINIMAL), concat(record(6, false, ascii('a.')), CHRONY)]

  it('is incomplete at every truncation and complete at its end', () => {
    for (const request of requests) {
      for (let length = 0; length < request.length; length++) {
        expect(parse(request.slice(0, length)), `${length} bytes`).toBe(NEED_MORE)
      }
      expect(parse(request)).toBe(COMPLETE)
    }
  })

  it('gives the same answer at every split', () => {
    for (const request of requests) {
      const whole = answer(request)
      for (let split = 0; split <= request.length; split++) {
        parse(request.slice(0, split))
        expect(answer(request)).toEqual(whole)
      }
    }
  })

  it('may have 1024 bytes and no more', () => {
    const fill = (length: number): Uint8Array =>
      concat(NTPV4, aeads(SIV), record(99, false, new Uint8Array(length - MINIMAL.length - 4)), END)
    expect(fill(REQUEST_MAX).length).toBe(REQUEST_MAX)
    expect(answer(fill(REQUEST_MAX))).toEqual(SIV_ANSWER)
    expect(answer(fill(REQUEST_MAX + 1))).toEqual(BAD_REQUEST)
  })
})

/** What RFC 8915 makes of a request, written once more and differently: an error code, an AEAD, or neither. */
function expectation(request: Uint8Array): { more?: true; error?: number; aead?: number; none?: true } {
  const view = new DataView(request.buffer, request.byteOffset, request.length)
  const found: { type: number; critical: boolean; values: number[]; length: number }[] = []
  let at = 0
  for (;;) {
    if (at + 4 > request.length) return at + 4 > REQUEST_MAX ? { error: firstError(found) ?? 1 } : { more: true }
    const length = view.getUint16(at + 2)
    if (at + 4 + length > REQUEST_MAX) return { error: firstError(found) ?? 1 }
    if (at + 4 + length > request.length) return { more: true }
    const type = view.getUint16(at) & 0x7fff
    const values = Array.from({ length: length >> 1 }, (_, i) => view.getUint16(at + 4 + 2 * i))
    found.push({ type, critical: view.getUint16(at) > 0x7fff, values, length })
    at += 4 + length
    if (type === 0) break
  }
  const error = firstError(found)
  if (error !== undefined) return { error }
  const of = (type: number): typeof found => found.filter((record) => record.type === type)
  if (at !== request.length || of(1).length !== 1) return { error: 1 }
  if (!of(1)[0]!.values.includes(0)) return { none: true }
  if (of(4).length !== 1) return { error: 1 }
  const spoken = of(1024).length ? [SIV, GCM_SIV] : [SIV]
  const aead = of(4)[0]!.values.find((value) => spoken.includes(value))
  return aead === undefined ? { none: true } : { aead }
}

function firstError(found: { type: number; critical: boolean; length: number }[]): number | undefined {
  let servers = 0
  for (const { type, critical, length } of found) {
    const list = length > 0 && length % 2 === 0
    if (type === 0 && (!critical || length)) return 1
    if (type === 1 && (!critical || !list)) return 1
    if (type === 4 && !list) return 1
    if (type === 6 && ++servers > 1) return 1
    if (type === 7 && length !== 2) return 1
    if (type === 1024 && length) return 1
    if ([2, 3, 5].includes(type)) return 1
    if (critical && ![0, 1, 4, 6, 7, 1024].includes(type)) return 0
  }
  return undefined
}

describe('100,000 mutated requests', () => {
  it('get the answer that a second reading of the RFC gives, and never a trap', () => {
    const { below, u32 } = random(8915)
    const seeds = [
      MINIMAL,
      CHRONY,
      concat(record(6, false, ascii('time.example.')), record(7, false, u16(123)), CHRONY),
      concat(record(1, true, u16(1, 0)), record(99, false, new Uint8Array(900)), aeads(SIV), END),
    ]
    const seen = new Map<string, number>()
    for (let i = 0; i < 100_000; i++) {
      let request: Uint8Array = seeds[below(seeds.length)]!.slice()
      for (let changes = 1 + below(3); changes > 0; changes--) request = mutate(request, below, u32)
      const expected = expectation(request)
      const status = parse(request)
      if (status !== (expected.more ? NEED_MORE : COMPLETE)) throw new Error(`status ${status}: ${hex(request)}`)
      const outcome = JSON.stringify(expected)
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      if (expected.more) continue
      const length = expected.aead ? (expected.aead === SIV ? 32 : 16) : 0
      const got = [nts.call('error'), nts.call('needsExport'), nts.call('keyLength')]
      const wanted = [expected.error ?? -1, expected.aead ? 1 : 0, length]
      if (String(got) !== String(wanted)) throw new Error(`${got}, not ${wanted}: ${hex(request)}`)
      if (i % 20 === 0) {
        const lines = show(respond())
        if (expected.error !== undefined) expect(lines).toEqual([`!2 000${expected.error}`, '!0'])
        else expect(lines.filter((line) => line === '5 cookie').length).toBe(expected.aead ? 8 : 0)
      }
    }
    // Every kind of answer was reached, so the mutations were not all rubbish.
    for (const outcome of [
      '{"more":true}',
      '{"error":0}',
      '{"error":1}',
      '{"none":true}',
      '{"aead":15}',
      '{"aead":30}',
    ]) {
      expect(seen.get(outcome), outcome).toBeGreaterThan(100)
    }
  })
})

function mutate(request: Uint8Array, below: (n: number) => number, u32: () => number): Uint8Array {
  const at = below(request.length || 1)
  const known = [0, 1, 2, 3, 4, 5, 6, 7, 1024, 99]
  switch (below(6)) {
    case 0:
      request[at]! ^= 1 << below(8)
      return request
    case 1:
      request[at] = u32() & 0xff
      return request
    case 2:
      return request.slice(0, at)
    case 3:
      return concat(request.slice(0, at), request.slice(Math.min(at + 1 + below(8), request.length)))
    case 4: {
      const extra = record(known[below(known.length)]!, below(2) === 1, new Uint8Array(below(4)))
      return concat(extra, request)
    }
    default:
      return concat(request.slice(0, at), [u32() & 0xff], request.slice(at))
  }
}
