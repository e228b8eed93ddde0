import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import {
  AskFailure,
  type AskOptions,
  AskStatus,
  askCommand,
  formatSeconds,
  isUnsynchronised,
  keyExchange,
  ntpQuery,
  ntsQuery,
  type Session,
} from '../../src/ask'
import { END, FakeNtsServer, type Faults, keRecord, plainServer, type Reply, u16 } from './fake_nts_server'

const file = (name: string): string => fileURLToPath(new URL(`./certificates/${name}.pem`, import.meta.url))
/** Time limit where it is expected to pass; elsewhere a loaded machine has time enough. */
const PATIENCE = 700
/** A name that fails in every resolver, without asking a name server. */
const NOBODY = 'no..such.host'
const TRUSTED = file('trusted')

let server: FakeNtsServer | undefined

afterEach(async () => {
  await server?.stop()
  server = undefined
})

interface Asked {
  status: AskStatus
  out: string
  err: string
}

async function run(host: string, options: AskOptions): Promise<Asked> {
  const lines = { out: [] as string[], err: [] as string[] }
  const output = { out: (line: string) => lines.out.push(line), err: (line: string) => lines.err.push(line) }
  const status = await askCommand(host, { timeoutMillis: 10_000, intervalMillis: 1, ...options }, output)
  return { status, out: lines.out.join('\n'), err: lines.err.join('\n') }
}

/** Asks a fake server with these faults. */
async function ask(faults: Faults = {}, options: AskOptions = {}, host = 'localhost'): Promise<Asked> {
  await server?.stop()
  server = await FakeNtsServer.start(faults)
  return run(host, { kePort: server.kePort, ca: TRUSTED, samples: 2, ...options })
}

/** An answer to the key exchange: these records and the End of Message. */
const answer = (...records: Buffer[]): Faults => ({ answer: Buffer.concat([...records, END]) })
const PROTOCOL = keRecord(1, u16(0))
const AEAD = keRecord(4, u16(15))
const COOKIE = keRecord(5, Buffer.alloc(100), false)

describe('noonmark_ask', () => {
  it('prints_session_and_samples_and_exits_with_0', async () => {
    const { status, out, err } = await ask({ compliantRecord: true })
    expect(err).toBe('')
    expect(status).toBe(AskStatus.Ok)
    expect(out).toMatch(/^Server {7}localhost \(127\.0\.0\.1\) port \d+$/m)
    expect(out).toMatch(/^TLS {10}TLSv1\.3, TLS_AES_256_GCM_SHA384, X25519, \d+ ms with the key exchange$/m)
    expect(out).toContain('Certificate  CN=good, issued by CN=Noonmark test CA\n')
    expect(out).toContain('Names        localhost, 127.0.0.1\n')
    expect(out).toMatch(/^Valid {8}2020-01-01 to 2120-01-01, \d+ days left$/m)
    expect(out).toContain('AEAD         30 (AES-128-GCM-SIV)\n')
    expect(out).toContain('Cookies      8 of 100 bytes\n')
    expect(out).toContain(`NTP          127.0.0.1 port ${server!.ntpPort}\n`)
    expect(out.match(/^ +[12] .* 1 +GPS +0 +1\.007 ms$/gm)).toHaveLength(2)
    expect(out).toMatch(/^2 of 2 answered, all authenticated; request 2\d\d bytes, reply 2\d\d bytes\.$/m)
    expect(out).toMatch(/^This clock is .* (behind|ahead of) the server, \+-/m)
  })

  it('sends_a_name_in_SNI_but_never_an_address', async () => {
    expect((await ask()).status).toBe(AskStatus.Ok)
    expect(server!.seen.servername).toBe('localhost')
    expect((await ask({}, {}, '127.0.0.1')).status).toBe(AskStatus.Ok)
    expect(server!.seen.servername).toBe(false)
  })

  it('says_which_clock_is_ahead', async () => {
    const ahead = await ask({ header: { offsetSeconds: 3 } })
    expect(ahead.out).toMatch(/This clock is 3\.\d+ s behind the server/)
    const behind = await ask({ header: { offsetSeconds: -3 } })
    expect(behind.out).toMatch(/This clock is 2\.99\d s ahead of the server|This clock is 3\.000 s ahead of the server/)
  })

  it('goes_on_after_a_lost_packet_and_asks_for_another_cookie_instead', async () => {
    const { status, out } = await ask(
      { compliantRecord: true, reply: (i) => (i === 0 ? 'silent' : 'answer') },
      { samples: 3, timeoutMillis: PATIENCE },
    )
    expect(status).toBe(AskStatus.Ok)
    expect(out).toMatch(/^ +1 +lost$/m)
    expect(out).toContain('2 of 3 answered')
    expect(server!.seen.requests.map(({ placeholders }) => placeholders)).toEqual([0, 1, 0])
  })

  it('prints_what_an_unsynchronised_server_says_and_fails', async () => {
    for (const header of [{ leap: 3 }, { stratum: 16, referenceId: 'INIT' }, { leap: 3, stratum: 16 }]) {
      const { status, out, err } = await ask({ header })
      expect(status).toBe(AskStatus.Unsynchronised)
      expect(out).toContain('2 of 2 answered')
      expect(err).toContain('the server is not synchronised (leap indicator')
    }
  })

  it('has_a_status_of_its_own_for_each_failure', () => {
    const values = Object.values(AskStatus).filter((value) => typeof value === 'number')
    expect(new Set(values).size).toBe(values.length)
  })
})

describe('what_it_negotiates', () => {
  it('offers_30_then_15_and_says_that_it_exports_by_the_RFC', async () => {
    await ask()
    expect(server!.seen.records.get(1)).toEqual(u16(0))
    expect(server!.seen.records.get(4)).toEqual(u16(30, 15))
    expect(server!.seen.records.get(1024)).toEqual(Buffer.alloc(0))
  })

  it('offers_what_it_is_told', async () => {
    const { out, status } = await ask({}, { aead: [15] })
    expect(status).toBe(AskStatus.Ok)
    expect(server!.seen.records.get(4)).toEqual(u16(15))
    expect(server!.seen.records.has(1024)).toBe(false)
    expect(out).toContain('AEAD         15 (AES-SIV-CMAC-256)\n')
    expect(server!.seen.requests[0]!.nonceLength).toBe(16)
  })

  it('takes_the_second_choice_of_its_offer', async () => {
    const { out, status } = await ask({ aead: 15 })
    expect(status).toBe(AskStatus.Ok)
    expect(out).toContain('AEAD         15')
  })

  it('understands_servers_with_the_noncompliant_exporter_context', async () => {
    const { out, status } = await ask({ contextAead: 15 })
    expect(status).toBe(AskStatus.Ok)
    expect(out).toContain('exporter context not agreed')
    expect(server!.seen.requests).toHaveLength(2)
  })

  it('tries_the_other_exporter_context_after_a_NAK', async () => {
    const { status } = await ask({ contextAead: 30, compliantRecord: false })
    expect(status).toBe(AskStatus.Ok)
    expect(server!.seen.requests).toHaveLength(3)
  })

  it('uses_the_right_context_when_it_is_agreed', async () => {
    expect((await ask({ compliantRecord: true })).status).toBe(AskStatus.Ok)
    expect(server!.seen.requests).toHaveLength(2)
    expect((await ask({ compliantRecord: true, contextAead: 15 })).status).toBe(AskStatus.Nak)
  })

  it('reads_an_answer_that_comes_byte_by_byte_or_is_never_closed', async () => {
    expect((await ask({ pieces: 1, close: false })).status).toBe(AskStatus.Ok)
  })

  it('ignores_unknown_records_that_are_not_critical', async () => {
    expect((await ask({ extraRecords: [keRecord(0x4001, Buffer.from('hello'), false)] })).status).toBe(AskStatus.Ok)
  })

  it('goes_to_the_NTP_server_that_is_named', async () => {
    const elsewhere = await ask({ extraRecords: [keRecord(6, Buffer.from('127.0.0.1'))] })
    expect(elsewhere.status).toBe(AskStatus.Ok)
    const nowhere = await ask({ extraRecords: [keRecord(6, Buffer.from(NOBODY))] })
    expect(nowhere.status).toBe(AskStatus.UnknownHost)
    expect(nowhere.err).toContain(`no address for the NTP server's name ${NOBODY}`)
  })
})

describe('failures_to_connect', () => {
  it('an_unknown_host', async () => {
    const { status, err } = await run(NOBODY, { kePort: 1 })
    expect(err).toBe(`noonmark ask: there is no address for the name ${NOBODY}.`)
    expect(status).toBe(AskStatus.UnknownHost)
  })

  it('a_port_that_refuses', async () => {
    const closed = await plainServer('')
    closed.stop()
    const { status, err } = await run('127.0.0.1', { kePort: closed.port })
    expect(status).toBe(AskStatus.Unreachable)
    expect(err).toBe(`noonmark ask: 127.0.0.1 port ${closed.port} refuses connections.`)
  })

  it.each([
    ['a port that says nothing', '', AskStatus.Unreachable, 'did not finish the handshake within 700 ms'],
    ['a port that hangs up', null, AskStatus.Tls, 'the server closed the connection'],
    ['a port that speaks something else', 'SSH-2.0-OpenSSH_9.2\r\n', AskStatus.Tls, 'the server does not speak TLS'],
  ])('%s', async (_what, greeting, status, sentence) => {
    const plain = await plainServer(greeting)
    const asked = await run('127.0.0.1', { kePort: plain.port, timeoutMillis: PATIENCE })
    plain.stop()
    expect(asked.err).toContain(sentence)
    expect(asked.status).toBe(status)
  })

  it('a_server_without_TLS_1_3', async () => {
    const { status, err } = await ask({ maxVersion: 'TLSv1.2' })
    expect(err).toContain('the server does not speak TLS 1.3')
    expect(status).toBe(AskStatus.Tls)
  })

  it('a_server_that_speaks_other_protocols_over_TLS', async () => {
    const { status, err } = await ask({ alpn: ['http/1.1'] })
    expect(err).toContain('refuses the protocol "ntske/1"')
    expect(status).toBe(AskStatus.NoAlpn)
  })

  it('a_server_that_does_not_answer_ALPN', async () => {
    const { status, err } = await ask({ alpn: [] })
    expect(err).toContain('did not agree to "ntske/1"')
    expect(status).toBe(AskStatus.NoAlpn)
  })
})

describe('failures_of_the_certificate', () => {
  it.each([
    [
      'expired',
      TRUSTED,
      /^noonmark ask: the certificate of localhost expired at 2021-01-01 00:00 UTC; here it is \d{4}-/,
    ],
    ['future', TRUSTED, /is not valid before 2110-01-01 00:00 UTC; here it is/],
    ['elsewhere', TRUSTED, /the certificate is not for localhost but for elsewhere\.example\.$/],
    ['good', file('stranger'), /is signed by "CN=Noonmark test CA", which is not trusted here: give its CA file/],
    ['good', undefined, /is signed by "CN=Noonmark test CA", which is not trusted here: give its CA file/],
  ])('%s_with_%s', async (certificate, ca, sentence) => {
    server = await FakeNtsServer.start({ certificate })
    const asked = await run('localhost', { kePort: server.kePort, ...(ca ? { ca } : {}) })
    expect(asked.err).toMatch(sentence)
    expect(asked.status).toBe(AskStatus.Certificate)
    expect(asked.out).toBe('')
    expect(server.seen.records.size).toBe(0)
  })

  it('self_signed', async () => {
    const { status, err } = await ask({ certificate: 'alone' })
    expect(err).toContain('is self-signed and not trusted here')
    expect(status).toBe(AskStatus.Certificate)
  })
})

describe('failures_of_the_command_line', () => {
  it.each([
    ['a CA file that is not there', { ca: '/nowhere/ca.pem' }, 'cannot read /nowhere/ca.pem: ENOENT'],
    ['a CA file without certificates', { ca: fileURLToPath(import.meta.url) }, 'holds no PEM certificate'],
    ['an algorithm that nobody has', { aead: [15, 99] }, 'AEAD 99 is none of 15, 30'],
  ])('%s', async (_what, options, sentence) => {
    const { status, err } = await run('localhost', options)
    expect(err).toContain(sentence)
    expect(status).toBe(AskStatus.Usage)
  })
})

describe('failures_of_the_key_exchange', () => {
  const E = AskStatus.KeyExchangeError
  const B = AskStatus.BadKeyExchange
  it.each<[string, Faults, AskStatus, string]>([
    ['error 0', answer(keRecord(2, u16(0))), E, 'with error 0 (unrecognized critical record)'],
    ['error 1', answer(keRecord(2, u16(1))), E, 'with error 1 (bad request)'],
    ['error 2 among others', answer(PROTOCOL, AEAD, COOKIE, keRecord(2, u16(2))), E, 'error 2 (internal server error)'],
    ['error 77', answer(keRecord(2, u16(77))), E, 'error 77 (not defined by RFC 8915)'],
    ['a warning', answer(PROTOCOL, AEAD, COOKIE, keRecord(3, u16(5))), E, 'warning 5'],
    ['no cookies', answer(PROTOCOL, AEAD), AskStatus.NoCookies, 'the server sent no cookies'],
    [
      'no algorithm',
      answer(PROTOCOL, keRecord(4, u16())),
      AskStatus.NoCommonAead,
      'none of the AEAD algorithms offered: 30',
    ],
    ['an algorithm not offered', answer(PROTOCOL, keRecord(4, u16(16)), COOKIE), B, 'chose AEAD 16'],
    ['two algorithms', answer(PROTOCOL, keRecord(4, u16(15, 30)), COOKIE), B, 'malformed'],
    ['no algorithm record', answer(PROTOCOL, COOKIE), B, '0 AEAD Algorithm records'],
    ['no protocol record', answer(AEAD, COOKIE), B, '0 Next Protocol records'],
    ['two protocol records', answer(PROTOCOL, PROTOCOL, AEAD, COOKIE), B, '2 Next Protocol records'],
    ['another protocol', answer(keRecord(1, u16(1)), AEAD, COOKIE), B, 'did not agree to NTPv4'],
    ['no protocol', answer(keRecord(1, u16()), AEAD, COOKIE), B, 'did not agree to NTPv4'],
    ['half a number', answer(keRecord(1, Buffer.of(0)), AEAD, COOKIE), B, 'did not agree to NTPv4'],
    ['an unknown critical record', answer(PROTOCOL, AEAD, COOKIE, keRecord(99, u16(1))), B, 'unknown type 99'],
    ['port 0', answer(PROTOCOL, AEAD, COOKIE, keRecord(7, u16(0))), B, 'holds no port'],
    ['a port of three bytes', answer(PROTOCOL, AEAD, COOKIE, keRecord(7, Buffer.of(0, 0, 1))), B, 'holds no port'],
    [
      'a server that is no name',
      answer(PROTOCOL, AEAD, COOKIE, keRecord(6, Buffer.from('a b'))),
      B,
      'holds no host name',
    ],
    ['an answer that is cut off', { answer: Buffer.concat([PROTOCOL, AEAD]) }, B, 'closed after 12 bytes, before End'],
    ['an answer that never ends', { answer: PROTOCOL, close: false }, B, 'did not finish its answer within 700 ms'],
    ['an answer that is too long', { answer: Buffer.alloc(70_000, 1), close: false }, B, 'longer than 65536 bytes'],
  ])('%s', async (_what, faults, status, sentence) => {
    const asked = await ask(faults, { timeoutMillis: sentence.includes('within') ? PATIENCE : 10_000 })
    expect(asked.err).toContain(sentence)
    expect(asked.err).toMatch(/^noonmark ask: [^\n]+\.$/)
    expect(asked.status).toBe(status)
  })
})

describe('failures_of_NTP', () => {
  it.each<[Reply, AskStatus, string]>([
    ['silent', AskStatus.NtpTimeout, 'no NTP reply from 127.0.0.1 port'],
    ['nak', AskStatus.Nak, 'NTSN (NTS NAK)'],
    ['nak of a stranger', AskStatus.NtpTimeout, 'within 700 ms'],
    ['plain', AskStatus.BadAuthenticator, 'without an authenticator'],
    ['bad tag', AskStatus.BadAuthenticator, "the authenticator of the server's reply is wrong"],
    ['identifier not authenticated', AskStatus.BadAuthenticator, "the authenticator of the server's reply is wrong"],
    ['kiss', AskStatus.KissOfDeath, 'the kiss code RATE'],
  ])('%s', async (reply, status, sentence) => {
    const timeoutMillis = status === AskStatus.NtpTimeout ? PATIENCE : 10_000
    for (const aead of [15, 30]) {
      const asked = await ask(
        { reply: () => reply, compliantRecord: true },
        { aead: [aead], samples: 1, timeoutMillis },
      )
      expect(asked.err).toContain(sentence)
      expect(asked.status).toBe(status)
    }
  })

  it('waits_through_packets_that_are_not_the_answer', async () => {
    const { status, err } = await ask({ reply: () => 'junk first', compliantRecord: true })
    expect(err).toBe('')
    expect(status).toBe(AskStatus.Ok)
  })

  it('a_port_where_nobody_listens', async () => {
    const { status, err } = await ask({ sendPort: false, extraRecords: [keRecord(7, u16(1))] })
    expect(err).toContain('no NTP reply from 127.0.0.1 port 1: nobody listens there')
    expect(status).toBe(AskStatus.NtpTimeout)
  })
})

describe('the_library', () => {
  async function session(faults: Faults = {}): Promise<Session> {
    server = await FakeNtsServer.start({ compliantRecord: true, ...faults })
    const { readFileSync } = await import('node:fs')
    return keyExchange({ host: 'localhost', port: server.kePort, ca: readFileSync(TRUSTED, 'utf8') })
  }

  it('keeps_eight_cookies_and_never_uses_one_twice', async () => {
    const it = await session()
    for (let i = 0; i < 20; i++) {
      expect((await ntsQuery(it)).newCookies).toBe(1)
      expect(it.cookies).toHaveLength(8)
    }
    expect(new Set(server!.seen.requests.map(({ cookie }) => cookie)).size).toBe(20)
    expect(new Set(server!.seen.requests.map(({ transmit }) => transmit)).size).toBe(20)
  })

  it('asks_for_as_many_cookies_as_are_missing', async () => {
    const it = await session({ cookies: 2 })
    expect((await ntsQuery(it)).newCookies).toBe(7)
    expect(it.cookies).toHaveLength(8)
    expect(server!.seen.requests[0]!.placeholders).toBe(6)
  })

  it('keeps_requests_below_1280_bytes', async () => {
    const it = await session({ cookies: 1, cookieLength: 300 })
    await ntsQuery(it)
    expect(server!.seen.requests[0]!.length).toBeLessThanOrEqual(1280)
    expect(server!.seen.requests[0]!.placeholders).toBeGreaterThan(0)
  })

  it('takes_cookies_whose_length_is_no_multiple_of_four', async () => {
    const it = await session({ cookieLength: 101 })
    await expect(ntsQuery(it, { timeoutMillis: 300 })).rejects.toMatchObject({ status: AskStatus.Nak })
  })

  it('says_when_there_are_no_cookies_left', async () => {
    const it = await session({ cookies: 1, reply: () => 'silent' })
    await expect(ntsQuery(it, { timeoutMillis: 50 })).rejects.toMatchObject({ status: AskStatus.NtpTimeout })
    await expect(ntsQuery(it)).rejects.toMatchObject({ status: AskStatus.NoCookies })
  })

  it('answers_with_requests_no_longer_than_the_replies_deserve', async () => {
    const it = await session()
    const { requestLength, replyLength } = await ntsQuery(it)
    expect(replyLength).toBeLessThanOrEqual(requestLength)
  })

  it('measures_offset_and_delay', async () => {
    const it = await session({ header: { offsetSeconds: 12.5 } })
    const sample = await ntsQuery(it)
    expect(sample.offset).toBeCloseTo(12.5, 1)
    expect(sample.delay).toBeGreaterThan(0)
    expect(sample.delay).toBeLessThan(0.2)
    expect(isUnsynchronised(sample)).toBe(false)
  })

  it('asks_plain_NTP_too', async () => {
    server = await FakeNtsServer.start({ header: { offsetSeconds: -1, stratum: 2, referenceId: '\x7f\x01\x02\x03' } })
    const sample = await ntpQuery({ host: '127.0.0.1', port: server.ntpPort })
    expect(sample.offset).toBeCloseTo(-1, 1)
    expect(sample.referenceId).toBe('127.1.2.3')
    expect(sample.newCookies).toBe(0)
    await server.stop()
    server = await FakeNtsServer.start({ reply: () => 'kiss' })
    const kissed = ntpQuery({ host: '127.0.0.1', port: server.ntpPort })
    await expect(kissed).rejects.toMatchObject({ status: AskStatus.KissOfDeath })
    await expect(kissed).rejects.toBeInstanceOf(AskFailure)
  })
})

it('writes_seconds_with_a_unit_that_suits_them', () => {
  expect(formatSeconds(0, true)).toBe('+0.0 us')
  expect(formatSeconds(-0.000_012_34, true)).toBe('-12.3 us')
  expect(formatSeconds(0.001_25)).toBe('1.250 ms')
  expect(formatSeconds(-3.5, true)).toBe('-3.500 s')
})
