// The reader of NTS-KE responses (RFC 8915 section 4): what it keeps, what it steps over, what it refuses and how.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { CA } from '../tls/tls_server'
import { ascii, concat, END, GCM_SIV, random, record, SIV, u16 } from './client'
import { type Agreed, agreed, loadKeClient } from './ke_exchange'

const Failure = {
  ServerError: 0x500,
  ServerWarning: 0x600,
  BadAnswer: 0x700,
  CriticalRecord: 0x800,
  NoProtocol: 0x900,
  NoAead: 0xa00,
  NoCookies: 0xb00,
  UseSivOnly: 0xc00,
} as const

let entry: Entry
beforeAll(async () => {
  entry = await loadKeClient([CA])
})

interface Read {
  failure: number
  ended: boolean
  answer: Agreed
}

/** Reads a response in pieces of `cut` bytes. */
function read(response: Uint8Array, sivOnly = false, cut = Infinity): Read {
  const { exports } = entry
  exports['startReader'](sivOnly ? 1 : 0)
  let failure = 0
  for (let at = 0; at < response.length && failure === 0; at += Math.min(cut, 32768)) {
    const piece = response.subarray(at, at + Math.min(cut, 32768))
    entry.write(exports['DATA'].value, piece)
    failure = exports['read'](0, piece.length)
  }
  const at = exports['reader']()
  expect(exports['spilt']()).toBe(0)
  return { failure, ended: Boolean(exports['ended'](at)), answer: agreed(entry, at) }
}

const NTPV4 = record(1, true, u16(0))
const aead = (...ids: number[]) => record(4, true, u16(...ids))
const cookie = (fill: number, length = 100) => record(5, false, new Uint8Array(length).fill(fill))
const COMPLIANT = record(1024, false)
const EIGHT = concat(...Array.from({ length: 8 }, (_, i) => cookie(i)))
const SIV_ANSWER = concat(NTPV4, aead(SIV), EIGHT, END)

describe('a response', () => {
  it('brings AEAD, cookies, server and port, in whatever pieces it comes', () => {
    const name = ascii('ntp1.example.net')
    const whole = concat(NTPV4, aead(GCM_SIV), COMPLIANT, record(6, true, name), record(7, true, u16(4123)), EIGHT, END)
    for (const cut of [1, 2, 3, 4, 5, 7, 64, 100, whole.length]) {
      const { failure, ended, answer } = read(whole, false, cut)
      expect([failure, ended]).toEqual([0, true])
      expect([answer.aead, answer.port, answer.server]).toEqual([30, 4123, 'ntp1.example.net'])
      expect(answer.cookies.map((bytes) => [bytes.length, bytes[0]])).toEqual(
        Array.from({ length: 8 }, (_, i) => [100, i]),
      )
    }
  })

  it('without port and server means port 123 at the same address', () => {
    const { answer } = read(SIV_ANSWER)
    expect([answer.aead, answer.port, answer.server, answer.cookies.length]).toEqual([15, 123, '', 8])
  })

  it('is not whole before its last byte', () => {
    for (let length = 0; length < SIV_ANSWER.length; length++) {
      expect(read(SIV_ANSWER.subarray(0, length))).toMatchObject({ failure: 0, ended: false })
    }
  })

  it('may have more cookies than there is room for', () => {
    const { failure, answer } = read(concat(NTPV4, aead(SIV), EIGHT, cookie(8), cookie(9), END))
    expect(failure).toBe(0)
    expect(answer.cookies.map((bytes) => bytes[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it.each([
    ['of another length than the first', 96],
    ['that would need padding', 99],
    ['that are empty', 0],
    ['that are too long', 196],
    ['that are much too long', 60_000],
  ])('may have cookies %s, which are dropped', (_name, length) => {
    const { failure, answer } = read(concat(NTPV4, aead(SIV), cookie(1), cookie(2, length), cookie(3), END))
    expect(failure).toBe(0)
    expect(answer.cookies.map((bytes) => bytes[0])).toEqual([1, 3])
  })

  it('may have cookies of 192 bytes', () => {
    expect(read(concat(NTPV4, aead(SIV), cookie(1, 192), END)).answer.cookies[0]?.length).toBe(192)
  })

  it('may have unknown records that are not critical, of any length', () => {
    const strange = concat(record(99, false, new Uint8Array(5000)), record(0x4000, false))
    for (const cut of [1, 1000, 6000]) {
      expect(read(concat(strange, NTPV4, strange, aead(SIV), strange, EIGHT, END), false, cut).failure).toBe(0)
    }
  })

  it('may have 65,536 bytes and not more', () => {
    const filler = (length: number) => concat(record(99, false, new Uint8Array(length - 4)), SIV_ANSWER)
    const rest = 65536 - SIV_ANSWER.length
    expect(read(filler(rest))).toMatchObject({ failure: 0, ended: true })
    expect(read(filler(rest + 1)).failure).toBe(Failure.BadAnswer)
  })

  it('ends with its End of Message; what follows is not read', () => {
    expect(read(concat(SIV_ANSWER, record(2, true, u16(1))))).toMatchObject({ failure: 0, ended: true })
  })

  it.each<[string, number, Uint8Array[]]>([
    ['an error', Failure.ServerError | 1, [record(2, true, u16(1)), END]],
    ['an error behind all else', Failure.ServerError | 2, [NTPV4, aead(SIV), EIGHT, record(2, true, u16(2)), END]],
    ['an error with a large code', Failure.ServerError | 255, [record(2, true, u16(4660))]],
    ['an error of three bytes', Failure.BadAnswer, [record(2, true, new Uint8Array(3))]],
    ['a warning', Failure.ServerWarning | 7, [NTPV4, record(3, true, u16(7))]],
    ['an unknown critical record', Failure.CriticalRecord, [NTPV4, record(99, true)]],
    ['no protocol in its record', Failure.NoProtocol, [record(1, true), END]],
    ['no record of the protocol', Failure.BadAnswer, [aead(SIV), EIGHT, END]],
    ['two records of the protocol', Failure.BadAnswer, [NTPV4, NTPV4, aead(SIV), EIGHT, END]],
    ['another protocol', Failure.BadAnswer, [record(1, true, u16(1)), aead(SIV), EIGHT, END]],
    ['two protocols', Failure.BadAnswer, [record(1, true, u16(0, 1)), aead(SIV), EIGHT, END]],
    ['a protocol that is not critical', Failure.BadAnswer, [record(1, false, u16(0))]],
    ['no AEAD in its record', Failure.NoAead, [NTPV4, aead(), END]],
    ['no record of the AEAD', Failure.BadAnswer, [NTPV4, EIGHT, END]],
    ['two records of the AEAD', Failure.BadAnswer, [NTPV4, aead(SIV), aead(SIV), EIGHT, END]],
    ['two AEADs', Failure.BadAnswer, [NTPV4, aead(SIV, GCM_SIV)]],
    ['an AEAD that was not offered', Failure.BadAnswer, [NTPV4, aead(16)]],
    ['AEAD 0', Failure.BadAnswer, [NTPV4, aead(0)]],
    ['AEAD 30 without record 1024', Failure.UseSivOnly, [NTPV4, aead(GCM_SIV), EIGHT, END]],
    ['no cookies', Failure.NoCookies, [NTPV4, aead(SIV), END]],
    ['no cookie of use', Failure.NoCookies, [NTPV4, aead(SIV), cookie(1, 200), cookie(2, 99), END]],
    ['a server without a name', Failure.BadAnswer, [NTPV4, record(6, true)]],
    ['a server with a long name', Failure.BadAnswer, [NTPV4, record(6, true, new Uint8Array(256).fill(97))]],
    ['a server with a blank in its name', Failure.BadAnswer, [NTPV4, record(6, true, ascii('a b'))]],
    ['a server with a strange name', Failure.BadAnswer, [NTPV4, record(6, true, Uint8Array.of(97, 200))]],
    ['two servers', Failure.BadAnswer, [NTPV4, record(6, true, ascii('a')), record(6, true, ascii('b'))]],
    ['port 0', Failure.BadAnswer, [NTPV4, record(7, true, u16(0))]],
    ['a port of one byte', Failure.BadAnswer, [NTPV4, record(7, true, new Uint8Array(1))]],
    ['two ports', Failure.BadAnswer, [NTPV4, record(7, true, u16(1)), record(7, true, u16(1))]],
    ['a record 1024 with a body', Failure.BadAnswer, [NTPV4, record(1024, false, u16(0))]],
    ['an end that is not critical', Failure.BadAnswer, [NTPV4, aead(SIV), EIGHT, record(0, false)]],
    ['an end with a body', Failure.BadAnswer, [NTPV4, aead(SIV), EIGHT, record(0, true, u16(0))]],
  ])('with %s fails with %i', (_name, failure, parts) => {
    for (const cut of [1, 3, 100_000]) expect(read(concat(...parts), false, cut).failure).toBe(failure)
  })

  it('with AEAD 30 is refused when it was not offered', () => {
    expect(read(concat(NTPV4, aead(GCM_SIV), COMPLIANT, EIGHT, END), true).failure).toBe(Failure.BadAnswer)
  })

  it('with a server name of 255 bytes is read', () => {
    expect(
      read(concat(NTPV4, aead(SIV), record(6, false, new Uint8Array(255).fill(97)), EIGHT, END)).answer.server.length,
    ).toBe(255)
  })

  it('damaged 20,000 times never traps and never brings what it must not', () => {
    const prng = random(20)
    const whole = concat(NTPV4, aead(GCM_SIV), COMPLIANT, record(6, true, ascii('a.example')), EIGHT, END)
    let refused = 0
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from(whole)
      for (let times = 1 + prng.below(3); times > 0; times--) {
        const at = prng.below(3) === 0 ? prng.below(bytes.length) : prng.below(60)
        bytes[at] = prng.below(2) === 0 ? prng.below(256) : (bytes[at] as number) ^ (1 << prng.below(8))
      }
      const { failure, ended, answer } = read(bytes, prng.below(2) === 0, 1 + prng.below(300))
      if (failure !== 0) refused++
      else if (ended) {
        expect([15, 30]).toContain(answer.aead)
        expect(answer.cookies.length).toBeGreaterThan(0)
        expect(answer.port).toBeGreaterThan(0)
      }
    }
    expect(refused).toBeGreaterThan(5000)
  })
})

describe('a failure', () => {
  it.each([
    [0x100 | 40, 'refused, TLS alert 40'],
    [0x200 | 48, 'refused by server, TLS alert 48'],
    [0x300 | 3, 'certificate: expired'],
    [0x400, 'connection closed'],
    [0x500 | 1, 'NTS-KE error 1'],
    [0x600 | 7, 'NTS-KE warning 7'],
    [0x700, 'bad NTS-KE response'],
    [0x800, 'unknown critical NTS-KE record'],
    [0x900, 'server does not offer NTPv4'],
    [0xa00, 'no common AEAD'],
    [0xb00, 'no usable cookie'],
    [0xc00, 'AEAD 30 without record 1024'],
    [0, 'none'],
  ])('%i has words', (failure, words) => {
    const length = entry.exports['words'](failure)
    expect(Buffer.from(entry.read(entry.exports['OUT'].value, length)).toString()).toBe(words)
  })
})
