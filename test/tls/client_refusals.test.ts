// What a TLS client must refuse, and with which alert (RFC 8446, sections 4, 5 and 6): a scripted server breaks one rule at a
// time.

import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { concat, Extension, extension, Group, message, record, Suite, Type, u8, u16, vector } from './scripted_end'
import { ScriptedServer } from './scripted_server'
import { type ClientOptions, loadTlsClient, THEN, TlsClient } from './tls_client'
import { ALPN, CA, LEAF, RECEIVED, SENT, State } from './tls_server'

let entry: Entry
beforeAll(async () => {
  entry = await loadTlsClient()
})

interface Pair {
  client: TlsClient
  server: ScriptedServer
  /** Gives the client bytes; the server reads the answer. */
  say(...bytes: Uint8Array[]): void
}

/** A client that has sent its ClientHello. */
function begin(options: ClientOptions = {}): Pair {
  const client = new TlsClient(entry, options)
  const server = new ScriptedServer()
  server.read(client.deliver())
  return { client, server, say: (...bytes) => void server.read(client.deliver(concat(...bytes))) }
}

/** The same after the ServerHello. */
function encrypted(options: ClientOptions = {}): Pair {
  const pair = begin(options)
  pair.say(pair.server.sendServerHello())
  return pair
}

/** The same when the handshake is over. */
function open(): Pair {
  const pair = encrypted()
  pair.say(pair.server.sendFlight())
  expect(pair.client.state).toBe(State.Open)
  expect(pair.server.finishedRead).toBe(true)
  return pair
}

/** The client has ended with this alert, has told the server, and rests. */
function refused({ client, server }: Pair, alert: number): void {
  expect(client.alert).toBe(SENT | alert)
  expect(client.state).toBe(State.Failed)
  expect(server.alertRead).toBe(alert)
  expect(client.step()).toBe(false)
  client.offer(new Uint8Array(50))
  expect(client.pending).toBe(0)
}

function clear(bytes: Uint8Array): Uint8Array {
  return record(Type.Handshake, bytes)
}

type Made = (server: ScriptedServer) => Uint8Array

describe('the ClientHello', () => {
  it('offers what the firmware speaks, and the server name', () => {
    const { server, client } = begin({ name: 'noonmark.test.' })
    expect(server.suites).toEqual([Suite.ChaCha20, Suite.Aes128, Suite.Aes256])
    expect(Buffer.from(server.extensions.get(Extension.ServerName)!.subarray(5)).toString()).toBe('noonmark.test')
    expect([...server.extensions.get(Extension.SupportedGroups)!]).toEqual([0, 4, 0, 29, 0, 23])
    expect([...server.extensions.get(Extension.SupportedVersions)!]).toEqual([2, 3, 4])
    expect([...server.extensions.get(Extension.RecordSizeLimit)!]).toEqual([4, 1])
    expect(server.sharedGroup).toBe(Group.X25519)
    expect(server.sessionId.length).toBe(32)
    expect(client.state).toBe(State.Handshake)
  })

  it('is not sent before the random generator is seeded', async () => {
    const client = new TlsClient(await loadTlsClient('checked', [CA], 0))
    expect([...client.deliver()]).toEqual([21, 3, 3, 0, 2, 2, 80])
    expect(client.alert).toBe(SENT | 80)
  })

  it('has a name of 253 bytes, and not of 254', () => {
    const name = `${'a'.repeat(49)}.`.repeat(5).concat('abc')
    expect(begin({ name }).server.extensions.get(Extension.ServerName)!.length).toBe(258)
    const client = new TlsClient(entry, { name: `${name}d` })
    client.deliver()
    expect(client.alert).toBe(SENT | 80)
  })

  it.each(['192.0.2.1', '2001:db8::1', '::ffff:c000:201'])('has no server name for the address %s', (name) => {
    expect(begin({ name }).server.extensions.has(Extension.ServerName)).toBe(false)
  })
})

describe('a ServerHello', () => {
  const zeros = new Uint8Array(32)
  const downgrade = (last: number) => concat(zeros.subarray(0, 24), Buffer.from('DOWNGRD'), u8(last))
  const noVersion = [Extension.SupportedVersions]
  it.each<[string, number, Made]>([
    ['of TLS 1.2', 70, (s) => s.serverHello({ without: noVersion })],
    ['of TLS 1.2 without any extensions', 70, (s) => s.serverHello({ extensions: new Uint8Array() })],
    ['of TLS 1.0', 70, (s) => s.serverHello({ without: noVersion, legacyVersion: 0x0301 })],
    ['held down to TLS 1.2', 47, (s) => s.serverHello({ without: noVersion, random: downgrade(1) })],
    ['held down to TLS 1.1', 47, (s) => s.serverHello({ without: noVersion, random: downgrade(0) })],
    ['nearly held down', 70, (s) => s.serverHello({ without: noVersion, random: downgrade(2) })],
    ['that selects TLS 1.2', 47, (s) => s.serverHello({ version: 0x0303 })],
    ['that selects an unknown version', 47, (s) => s.serverHello({ version: 0x0305 })],
    [
      'with a long version',
      50,
      (s) => s.serverHello({ without: noVersion, after: [extension(43, u16(0x0304), u8(0))] }),
    ],
    ['with another legacy version', 47, (s) => s.serverHello({ legacyVersion: 0x0304 })],
    ['with another session id', 47, (s) => s.serverHello({ echo: new Uint8Array(32) })],
    ['without the session id', 47, (s) => s.serverHello({ echo: new Uint8Array() })],
    ['with a session id of 33 bytes', 50, (s) => s.serverHello({ echo: new Uint8Array(33) })],
    ['with compression', 47, (s) => s.serverHello({ compression: 1 })],
    ['with a suite that was not offered', 47, (s) => s.serverHello({ suite: 0x1304 })],
    ['with a suite of TLS 1.2', 47, (s) => s.serverHello({ suite: 0xc02f })],
    ['without a share', 109, (s) => s.serverHello({ without: [Extension.KeyShare] })],
    ['with a share of another group', 47, (s) => s.serverHello({ group: Group.P256 })],
    ['with a share of a group that was not offered', 47, (s) => s.serverHello({ group: Group.P384 })],
    ['with a short share', 47, (s) => s.serverHello({ share: zeros.subarray(1) })],
    ['with a long share', 47, (s) => s.serverHello({ share: concat(zeros, u8(1)) })],
    ['with an empty share', 50, (s) => s.serverHello({ share: new Uint8Array() })],
    ['with a share that makes no secret', 47, (s) => s.serverHello({ share: zeros })],
    [
      'with a share whose length is wrong',
      50,
      (s) => s.serverHello({ without: [51], after: [extension(51, u16(29), u16(31), zeros)] }),
    ],
    ['with an extension that was not asked for', 110, (s) => s.serverHello({ after: [extension(0x1234)] })],
    ['with the extension of another message', 47, (s) => s.serverHello({ after: [s.protocols(ALPN)] })],
    ['with a server name', 47, (s) => s.serverHello({ before: [extension(0)] })],
    ['with a pre-shared key', 110, (s) => s.serverHello({ after: [extension(41, u16(0))] })],
    ['with a cookie', 110, (s) => s.serverHello({ after: [extension(44, vector(2, u8(1)))] })],
    ['with two versions', 47, (s) => s.serverHello({ after: [extension(43, u16(0x0304))] })],
    ['with two shares', 47, (s) => s.serverHello({ after: [extension(51, u16(29), vector(2, s.share(29)))] })],
    ['with a byte behind it', 50, (s) => message(2, s.serverHello().subarray(4), u8(0))],
    ['with half an extension', 50, (s) => s.serverHello({ after: [Uint8Array.of(0, 51, 0)] })],
    ['with an extension longer than all', 50, (s) => s.serverHello({ after: [Uint8Array.of(0, 51, 0, 1)] })],
    ['of more than 2048 bytes', 47, (s) => s.serverHello({ after: [extension(43, new Uint8Array(2000))] })],
  ])('%s gets alert %i', (_name, alert, made) => {
    const pair = begin()
    pair.say(clear(made(pair.server)))
    refused(pair, alert)
  })

  it('cut anywhere, with a length to fit, gets decode_error or what its rest deserves', () => {
    const whole = begin().server
    const { length } = whole.serverHello()
    for (let cut = 4; cut < length; cut++) {
      const pair = begin()
      pair.say(clear(message(2, pair.server.serverHello().subarray(4, cut))))
      // 74 bytes and no more: no extensions at all, so that it seems to be of TLS 1.2
      refused(pair, cut === 74 ? 70 : 50)
    }
  })
})

describe('a HelloRetryRequest', () => {
  it('for secp256r1 gets a share of it, and all else again', () => {
    const pair = begin()
    const before = new Map(pair.server.extensions)
    pair.say(pair.server.sendRetry())
    expect(pair.server.hellos.length).toBe(2)
    expect(pair.server.sharedGroup).toBe(Group.P256)
    before.delete(Extension.KeyShare)
    const after = new Map(pair.server.extensions)
    after.delete(Extension.KeyShare)
    expect(after).toEqual(before)
    expect(pair.server.hellos[1]!.subarray(4, 80)).toEqual(pair.server.hellos[0]!.subarray(4, 80))
    pair.say(pair.server.sendServerHello(), pair.server.sendFlight())
    expect(pair.client.state).toBe(State.Open)
    expect(pair.server.finishedRead).toBe(true)
  })

  it.each([1, 32, 512])('with a cookie of %i bytes gets the cookie back, and the same share', (length) => {
    const pair = begin()
    const share = pair.server.extensions.get(Extension.KeyShare)
    const cookie = Uint8Array.from({ length }, (_, i) => i)
    pair.say(pair.server.sendRetry({ cookie, suite: Suite.Aes256 }))
    expect(pair.server.extensions.get(Extension.Cookie)).toEqual(vector(2, cookie))
    expect(pair.server.extensions.get(Extension.KeyShare)).toEqual(share)
    pair.say(pair.server.sendServerHello(), pair.server.sendFlight())
    expect(pair.client.state).toBe(State.Open)
  })

  it('with the longest name, the longest cookie and another group gets all of them', () => {
    const name = `${'a'.repeat(49)}.`.repeat(5).concat('abc')
    const pair = begin({ name })
    pair.say(pair.server.sendRetry({ cookie: new Uint8Array(512).fill(7), group: Group.P256 }))
    expect(pair.server.hellos[1]!.length).toBeGreaterThan(900)
    expect(pair.server.sharedGroup).toBe(Group.P256)
  })

  it.each<[string, number, Made]>([
    ['that changes nothing', 47, (s) => s.retryRequest()],
    ['for the group of the share', 47, (s) => s.retryRequest({ group: Group.X25519 })],
    ['for a group that was not offered', 47, (s) => s.retryRequest({ group: Group.P384 })],
    ['with an empty cookie', 50, (s) => s.retryRequest({ cookie: new Uint8Array() })],
    ['with a cookie of 513 bytes', 47, (s) => s.retryRequest({ cookie: new Uint8Array(513) })],
    ['with a whole share', 50, (s) => s.retryRequest({ after: [extension(51, u16(23), vector(2, s.share(23)))] })],
    ['with an unknown extension', 110, (s) => s.retryRequest({ group: Group.P256, after: [extension(0x1234)] })],
    ['with a protocol', 47, (s) => s.retryRequest({ group: Group.P256, after: [s.protocols(ALPN)] })],
    ['with two cookies', 47, (s) => s.retryRequest({ cookie: u8(1), after: [extension(44, vector(2, u8(1)))] })],
    ['with another session id', 47, (s) => s.retryRequest({ group: Group.P256, echo: u8(1) })],
    ['with a suite that was not offered', 47, (s) => s.retryRequest({ group: Group.P256, suite: 0x1305 })],
    ['of TLS 1.2', 70, (s) => s.retryRequest({ group: Group.P256, without: [43] })],
  ])('%s gets alert %i', (_name, alert, made) => {
    const pair = begin()
    pair.say(clear(made(pair.server)))
    refused(pair, alert)
  })

  const off = Uint8Array.from([4, ...new Array(64).fill(1)])
  it.each<[string, number, Made]>([
    ['another HelloRetryRequest', 10, (s) => s.retryRequest({ cookie: u8(1) })],
    ['another suite', 47, (s) => s.serverHello({ suite: Suite.Aes128 })],
    ['a share of the first group', 47, (s) => s.serverHello({ group: Group.X25519 })],
    ['a point that is not on the curve', 47, (s) => s.serverHello({ share: off })],
    ['a compressed point', 47, (s) => s.serverHello({ share: concat(u8(2), off.subarray(1)) })],
    ['a short point', 47, (s) => s.serverHello({ share: off.subarray(0, 33) })],
  ])('and then %s gets alert %i', (_name, alert, made) => {
    const pair = begin()
    pair.say(pair.server.sendRetry())
    pair.say(clear(made(pair.server)))
    refused(pair, alert)
  })
})

describe('records in clear', () => {
  it.each<[string, number, Made]>([
    ['of application data', 10, () => record(Type.ApplicationData, new Uint8Array(20))],
    ['of an unknown type', 10, () => record(24, u8(1))],
    ['that are empty', 10, () => clear(new Uint8Array())],
    ['of more than 2^14 bytes', 22, () => concat(u8(22), u16(0x0303), u16(16385))],
    ['with another message', 10, (s) => clear(s.encryptedExtensions())],
    ['with a ClientHello', 10, (s) => clear(s.hellos[0]!)],
    ['with a message that says it has 16 MB', 47, () => clear(Uint8Array.of(2, 255, 255, 255))],
    ['with two messages', 10, (s) => clear(concat(s.serverHello(), s.encryptedExtensions()))],
    ['with a bad ChangeCipherSpec', 10, () => record(Type.ChangeCipherSpec, u8(2))],
    ['with a long ChangeCipherSpec', 10, () => record(Type.ChangeCipherSpec, u16(0x0101))],
    [
      'with a ChangeCipherSpec within the ServerHello',
      10,
      (s) =>
        concat(
          clear(s.serverHello().subarray(0, 50)),
          record(Type.ChangeCipherSpec, u8(1)),
          clear(s.serverHello().subarray(50)),
        ),
    ],
    [
      '33 times ChangeCipherSpec',
      10,
      () => concat(...new Array<Uint8Array>(33).fill(record(Type.ChangeCipherSpec, u8(1)))),
    ],
    ['with a long alert', 50, () => record(Type.Alert, Uint8Array.of(2, 40, 0))],
    ['with an empty alert', 10, () => record(Type.Alert, new Uint8Array())],
  ])('%s get alert %i', (_name, alert, made) => {
    const pair = begin()
    pair.say(made(pair.server))
    refused(pair, alert)
  })

  it('may bring the ServerHello in pieces of any size, behind 32 ChangeCipherSpecs', () => {
    for (const size of [1, 2, 3, 5, 40]) {
      const { client, server, say } = begin()
      for (let i = 0; i < 32; i++) say(record(Type.ChangeCipherSpec, u8(1)))
      const hello = server.sendServerHello().subarray(5)
      for (let at = 0; at < hello.length; at += size) say(clear(hello.subarray(at, at + size)))
      say(server.sendFlight())
      expect(client.state).toBe(State.Open)
    }
  })

  it.each([
    [2, 40],
    [1, 112],
    [1, 0],
    [77, 255],
  ])('with an alert of level %i and description %i end the connection', (level, description) => {
    const { client, server } = begin()
    expect(client.deliver(record(Type.Alert, Uint8Array.of(level, description))).length).toBe(0)
    expect(client.state).toBe(State.Failed)
    expect(client.alert).toBe(RECEIVED | description)
    expect(server.alertRead).toBe(undefined)
  })
})

describe('EncryptedExtensions', () => {
  const limit = (value: number) => extension(Extension.RecordSizeLimit, u16(value))
  const fragment = (code: number) => extension(Extension.MaxFragmentLength, u8(code))
  it.each<[string, number, (s: ScriptedServer) => Uint8Array[]]>([
    ['without the protocol', 120, () => []],
    ['with another protocol', 47, (s) => [s.protocols('ntske/2')]],
    ['with a longer protocol', 47, (s) => [s.protocols('ntske/11')]],
    ['with two protocols', 50, (s) => [s.protocols(ALPN, ALPN)]],
    ['with no name of a protocol', 50, (s) => [s.protocols()]],
    ['with an empty name', 50, (s) => [s.protocols('')]],
    ['with the protocol twice', 47, (s) => [s.protocols(ALPN), s.protocols(ALPN)]],
    ['with an unknown extension', 110, (s) => [s.protocols(ALPN), extension(0x1234)]],
    ['with early data', 110, (s) => [s.protocols(ALPN), extension(Extension.EarlyData)]],
    ['with a share', 47, (s) => [extension(51), s.protocols(ALPN)]],
    ['with a version', 47, (s) => [extension(43, u16(0x0304)), s.protocols(ALPN)]],
    ['with signature algorithms', 47, (s) => [extension(13, vector(2, u16(0x0403))), s.protocols(ALPN)]],
    ['with a name for a name', 50, (s) => [extension(0, u8(1)), s.protocols(ALPN)]],
    ['with no groups', 50, (s) => [extension(10, u16(0)), s.protocols(ALPN)]],
    ['with a record size limit of 63', 47, (s) => [limit(63), s.protocols(ALPN)]],
    ['with a record size limit of 16386', 47, (s) => [limit(16386), s.protocols(ALPN)]],
    ['with a long record size limit', 50, (s) => [extension(28, u8(1), u16(64)), s.protocols(ALPN)]],
    ['with another fragment length', 47, (s) => [fragment(3), s.protocols(ALPN)]],
    ['with a long fragment length', 50, (s) => [extension(1, u16(2)), s.protocols(ALPN)]],
    ['with both limits', 47, (s) => [fragment(2), limit(64), s.protocols(ALPN)]],
    ['with half an extension', 50, (s) => [s.protocols(ALPN), Uint8Array.of(0, 10)]],
    ['with an extension longer than all', 50, (s) => [s.protocols(ALPN), Uint8Array.of(0, 10, 0, 9, 1)]],
  ])('%s get alert %i', (_name, alert, made) => {
    const pair = encrypted()
    pair.say(pair.server.protect(Type.Handshake, pair.server.encryptedExtensions(...made(pair.server))))
    refused(pair, alert)
  })

  it('with a server name get unsupported_extension when none was sent', () => {
    const pair = encrypted({ name: '192.0.2.1' })
    const { server } = pair
    pair.say(server.protect(Type.Handshake, server.encryptedExtensions(server.protocols(ALPN), extension(0))))
    refused(pair, 110)
  })

  it('of the wrong length get decode_error', () => {
    const pair = encrypted()
    pair.say(pair.server.protect(Type.Handshake, message(8, u16(1))))
    refused(pair, 50)
  })

  it.each<[string, (s: ScriptedServer) => Uint8Array[]]>([
    ['a name acknowledged', () => [extension(0)]],
    ['groups', () => [extension(10, vector(2, u16(29), u16(0x11ec)))]],
    ['the smallest record size limit', () => [limit(64)]],
    ['the largest record size limit', () => [limit(16385)]],
    ['our fragment length', () => [fragment(2)]],
  ])('may have %s', (_name, made) => {
    const pair = encrypted()
    const { server, client } = pair
    const messages = [server.sent(server.encryptedExtensions(server.protocols(ALPN), ...made(server)))]
    messages.push(server.sent(server.certificate()), server.sent(server.certificateVerify()))
    messages.push(server.sent(server.finished()))
    pair.say(...messages.map((bytes) => server.protect(Type.Handshake, bytes)))
    expect(client.state).toBe(State.Open)
    expect(server.finishedRead).toBe(true)
    client.write('x'.repeat(700))
    server.startApplicationKeys()
    server.read(client.deliver())
    expect(server.data.length).toBe(700)
  })
})

/** A client that has seen EncryptedExtensions. */
function extended(options: ClientOptions = {}): Pair {
  const pair = encrypted(options)
  const { server } = pair
  pair.say(server.protect(Type.Handshake, server.sent(server.encryptedExtensions(server.protocols(ALPN)))))
  return pair
}

describe('a CertificateRequest', () => {
  it('is answered with no certificate', () => {
    const pair = encrypted()
    pair.say(pair.server.sendFlight(pair.server.certificateRequest()))
    expect(pair.client.state).toBe(State.Open)
    expect([...pair.server.certificateRead!]).toEqual([11, 0, 0, 4, 0, 0, 0, 0])
    expect(pair.server.finishedRead).toBe(true)
  })

  const algorithms = extension(13, vector(2, u16(0x0403)))
  it.each<[string, number, Made]>([
    ['with a context', 47, (s) => s.certificateRequest(u8(1))],
    ['without signature algorithms', 109, (s) => s.certificateRequest(undefined, extension(47))],
    ['with them twice', 47, (s) => s.certificateRequest(undefined, algorithms, algorithms)],
    [
      'with 33 extensions',
      47,
      (s) => s.certificateRequest(undefined, ...Array.from({ length: 33 }, (_, i) => extension(99 + i))),
    ],
    ['of the wrong length', 50, () => message(13, u8(0), u16(5))],
    ['that is empty', 50, () => message(13)],
    ['with half an extension', 50, (s) => s.certificateRequest(undefined, algorithms, u8(0))],
  ])('%s gets alert %i', (_name, alert, made) => {
    const pair = extended()
    pair.say(pair.server.protect(Type.Handshake, made(pair.server)))
    refused(pair, alert)
  })
})

describe('a Certificate', () => {
  const ocsp = extension(5, u8(1), vector(3, new Uint8Array(40)))
  const timestamps = extension(18, vector(2, new Uint8Array(100)))

  it('may bring OCSP answers and timestamps, which are stepped over', () => {
    const pair = extended()
    const { server, client } = pair
    const entries = [server.entry(LEAF.raw, ocsp, timestamps), server.entry(new X509Certificate(CA).raw, timestamps)]
    pair.say(server.protect(Type.Handshake, server.sent(server.certificate(...entries))))
    pair.say(server.protect(Type.Handshake, server.sent(server.certificateVerify())))
    pair.say(server.protect(Type.Handshake, server.sent(server.finished())))
    expect(client.state).toBe(State.Open)
  })

  it.each<[string, number, Made]>([
    ['with a context', 47, (s) => message(11, vector(1, u8(1)), vector(3, s.entry(LEAF.raw)))],
    ['with none in it', 50, () => message(11, u8(0), vector(3))],
    ['of the wrong length', 50, (s) => message(11, u8(0), vector(3, s.entry(LEAF.raw)), u8(0))],
    ['that is empty', 50, () => message(11)],
    ['with an empty certificate', 50, (s) => s.certificate(s.entry(new Uint8Array()))],
    ['with half an entry', 50, (s) => s.certificate(s.entry(LEAF.raw), Uint8Array.of(0, 0, 1))],
    ['with an entry longer than all', 50, (s) => s.certificate(s.entry(LEAF.raw).subarray(0, -2))],
    ['with extensions longer than all', 50, (s) => s.certificate(concat(s.entry(LEAF.raw).subarray(0, -2), u16(1)))],
    ['with an unknown extension', 110, (s) => s.certificate(s.entry(LEAF.raw, extension(0x1234)))],
    ['with the extension of another message', 47, (s) => s.certificate(s.entry(LEAF.raw, extension(16)))],
    ['with two OCSP answers', 47, (s) => s.certificate(s.entry(LEAF.raw, ocsp, ocsp))],
    ['with 17 entries', 47, (s) => s.certificate(...new Array<Uint8Array>(17).fill(s.entry(u8(1))))],
    ['of 8201 bytes', 47, () => Uint8Array.of(11, 0, 8197 >> 8, 8197 & 255)],
    ['that is no DER', 42, (s) => s.certificate(s.entry(new Uint8Array(100)))],
    ['with the certificate of somebody else', 46, (s) => s.certificate(s.entry(new X509Certificate(CA).raw))],
  ])('%s gets alert %i', (_name, alert, made) => {
    const pair = extended()
    pair.say(pair.server.protect(Type.Handshake, made(pair.server)))
    refused(pair, alert)
  })

  it.each<[string, number, ClientOptions]>([
    ['another name', 46, { name: 'other.test' }],
    ['a time long ago', 45, { time: 1 }],
    ['a time far ahead', 45, { time: 32_000_000_000 }],
    ['no idea of the time', 46, { time: [0, 32_000_000_000] }],
    ['a pinned key that is another', 46, { pin: new X509Certificate(CA) }],
  ])('for a client with %s gets alert %i', (_name, alert, options) => {
    const pair = extended(options)
    pair.say(pair.server.protect(Type.Handshake, pair.server.certificate()))
    refused(pair, alert)
  })

  it('of 8200 bytes is read, in whatever pieces it comes', () => {
    for (const size of [1, 7, 100, 1000, 1024, 8200]) {
      const pair = extended()
      const { server } = pair
      const known = [server.entry(LEAF.raw), server.entry(new X509Certificate(CA).raw)]
      const room = 8192 - known[0]!.length - known[1]!.length
      const filler = server.entry(new Uint8Array(room - 5 - 5 - 4000))
      const bytes = server.certificate(...known, filler, server.entry(new Uint8Array(4000)))
      expect(bytes.length).toBe(8200)
      for (let at = 0; at < bytes.length; at += size) {
        pair.client.offer(server.protect(Type.Handshake, bytes.subarray(at, at + size)))
        while (pair.client.step()) {}
      }
      // Understood as a list; the fillers are no certificates.
      pair.say()
      refused(pair, 42)
    }
  })
})

/** A client that has seen Certificate. */
function certified(options: ClientOptions = {}): Pair {
  const pair = extended(options)
  pair.say(pair.server.protect(Type.Handshake, pair.server.sent(pair.server.certificate())))
  expect(pair.client.alert).toBe(0)
  return pair
}

describe('a CertificateVerify', () => {
  const flipped = (bytes: Uint8Array, at: number) =>
    Uint8Array.from(Array.from(bytes), (byte, i) => (i === at ? byte ^ 1 : byte))
  it.each<[string, number, Made]>([
    ['that is damaged', 51, (s) => flipped(s.certificateVerify(), 40)],
    ['of a client', 51, (s) => s.certificateVerify(0x0403, 'TLS 1.3, client CertificateVerify')],
    ['of another transcript', 51, (s) => s.certificateVerify(0x0403, undefined, Buffer.alloc(32))],
    ['with an algorithm for another key', 47, (s) => s.certificateVerify(0x0804)],
    ['with another curve', 47, (s) => s.certificateVerify(0x0503)],
    ['with an algorithm for certificates only', 47, (s) => s.certificateVerify(0x0401)],
    ['with an algorithm that was not offered', 47, (s) => s.certificateVerify(0x0603)],
    ['with SHA-1', 47, (s) => s.certificateVerify(0x0203)],
    ['with no signature', 51, () => message(15, u16(0x0403), u16(0))],
    ['with half a signature', 51, (s) => message(15, u16(0x0403), vector(2, s.certificateVerify().subarray(8, 40)))],
    ['of the wrong length', 50, () => message(15, u16(0x0403), u16(1))],
    ['that is empty', 50, () => message(15)],
  ])('%s gets alert %i', (_name, alert, made) => {
    const pair = certified()
    pair.say(pair.server.protect(Type.Handshake, made(pair.server)))
    refused(pair, alert)
  })
})

describe('a Finished', () => {
  const flipped = (bytes: Uint8Array, at: number) =>
    Uint8Array.from(Array.from(bytes), (byte, i) => (i === at ? byte ^ 1 : byte))
  it.each<[string, number, Made]>([
    ['with its first byte damaged', 51, (s) => flipped(s.finished(), 4)],
    ['with its last byte damaged', 51, (s) => flipped(s.finished(), 35)],
    ['that is short', 50, (s) => message(20, s.finished().subarray(4, 35))],
    ['that is long', 50, (s) => message(20, s.finished().subarray(4), u8(0))],
    ['with something behind it in its record', 10, (s) => concat(s.finished(), u8(4))],
  ])('%s gets alert %i', (_name, alert, made) => {
    const pair = certified()
    const { server } = pair
    pair.say(server.protect(Type.Handshake, server.sent(server.certificateVerify())))
    pair.say(server.protect(Type.Handshake, made(server)))
    refused(pair, alert)
  })
})

describe('the order of messages', () => {
  const names = ['extensions', 'request', 'certificate', 'verify', 'finished'] as const
  const made: Record<(typeof names)[number], Made> = {
    extensions: (s) => s.encryptedExtensions(s.protocols(ALPN)),
    request: (s) => s.certificateRequest(),
    certificate: (s) => s.certificate(),
    verify: (s) => s.certificateVerify(),
    finished: (s) => s.finished(),
  }
  const orders: (keyof typeof made)[][] = [
    ['certificate'],
    ['finished'],
    ['extensions', 'extensions'],
    ['extensions', 'verify'],
    ['extensions', 'finished'],
    ['extensions', 'request', 'request'],
    ['extensions', 'request', 'finished'],
    ['extensions', 'certificate', 'certificate'],
    ['extensions', 'certificate', 'request'],
    ['extensions', 'certificate', 'finished'],
    ['extensions', 'certificate', 'verify', 'verify'],
    ['extensions', 'certificate', 'verify', 'certificate'],
  ]
  it.each(orders.map((order) => [order.join(', '), order] as const))('%s gets unexpected_message', (_name, order) => {
    const pair = encrypted()
    for (const name of order) {
      expect(pair.client.alert).toBe(0)
      pair.say(pair.server.protect(Type.Handshake, pair.server.sent(made[name](pair.server))))
    }
    refused(pair, 10)
  })

  it.each([0, 1, 2, 4, 24, 254, 255])('is broken by a message of type %i', (type) => {
    const pair = encrypted()
    pair.say(pair.server.protect(Type.Handshake, Uint8Array.of(type)))
    refused(pair, 10)
  })
})

describe('protected records', () => {
  it.each<[string, number, Made]>([
    [
      'that are damaged',
      20,
      (s) => {
        const bytes = s.protect(Type.Handshake, s.encryptedExtensions(s.protocols(ALPN)))
        bytes[20]! ^= 1
        return bytes
      },
    ],
    ['shorter than a tag', 20, () => record(Type.ApplicationData, new Uint8Array(15))],
    ['without a content type', 10, (s) => s.protect(undefined, '', 20)],
    ['with an empty message', 10, (s) => s.protect(Type.Handshake, '')],
    ['with application data', 10, (s) => s.protect(Type.ApplicationData, 'too early')],
    ['with a ChangeCipherSpec', 10, (s) => s.protect(Type.ChangeCipherSpec, u8(1))],
    ['that are not protected', 10, (s) => clear(s.encryptedExtensions(s.protocols(ALPN)))],
    ['with an alert in clear', 10, () => record(Type.Alert, Uint8Array.of(2, 40))],
    ['longer than any may be', 22, () => concat(u8(23), u16(0x0303), u16(16384 + 257))],
    [
      'longer than the buffer',
      22,
      (s) => concat(u8(23), u16(0x0303), u16(entry.exports['bufferSize']() + 1), s.random),
    ],
    [
      'with a ChangeCipherSpec within a message',
      10,
      (s) => concat(s.protect(Type.Handshake, Uint8Array.of(8, 0)), record(Type.ChangeCipherSpec, u8(1))),
    ],
    ['with an alert that is too long', 50, (s) => s.protect(Type.Alert, Uint8Array.of(1, 0, 0))],
  ])('%s get alert %i', (_name, alert, made) => {
    const pair = encrypted()
    pair.say(made(pair.server))
    refused(pair, alert)
  })

  it.each([1, 2, 3, 4, 5, 50, 333, 1024])('may cut the flight into pieces of %i bytes', (size) => {
    const pair = encrypted()
    const { server, client } = pair
    const flight = concat(...server.flight())
    for (let at = 0; at < flight.length; at += size) {
      pair.say(server.protect(Type.Handshake, flight.subarray(at, at + size), at % 40))
    }
    expect(client.state).toBe(State.Open)
    expect(server.finishedRead).toBe(true)
  })

  it('may hold the whole flight in one, and the stream may be cut anywhere', () => {
    const pair = encrypted()
    const bytes = pair.server.protect(Type.Handshake, concat(...pair.server.flight()))
    for (const byte of bytes) pair.client.offer(u8(byte))
    pair.say()
    expect(pair.client.state).toBe(State.Open)
    expect(pair.server.finishedRead).toBe(true)
  })

  it.each([
    [2, 80],
    [1, 112],
    [1, 0],
  ])('with an alert of level %i and description %i end the handshake', (level, description) => {
    const pair = encrypted()
    expect(pair.client.deliver(pair.server.protect(Type.Alert, Uint8Array.of(level, description))).length).toBe(0)
    expect(pair.client.state).toBe(State.Failed)
    expect(pair.client.alert).toBe(RECEIVED | description)
  })
})

describe('behind the handshake', () => {
  const ticket = (length = 30) => message(4, new Uint8Array(length))
  const update = (request: number) => message(24, u8(request))

  it('tickets are stepped over, however they are cut', () => {
    const { client, server, say } = open()
    say(server.protect(Type.Handshake, concat(ticket(), ticket(14), ticket(700))))
    const long = concat(ticket(16384), ticket())
    for (let at = 0; at < long.length; at += 900) {
      say(server.protect(Type.Handshake, long.subarray(at, at + 900)))
    }
    say(server.protect(Type.ApplicationData, 'answer'))
    expect(Buffer.from(client.read()).toString()).toBe('answer')
    expect(client.state).toBe(State.Open)
  })

  it('the server may change its keys, and ask for the same, behind a ticket too', () => {
    const { client, server, say } = open()
    for (const request of [0, 1, 1]) {
      say(server.protect(Type.Handshake, concat(ticket(), update(request))))
      server.updateWrite()
    }
    expect(client.write('question')).toBe(true)
    say(server.protect(Type.ApplicationData, 'answer'))
    expect(Buffer.from(client.read()).toString()).toBe('answer')
    expect(Buffer.from(server.data).toString()).toBe('question')
  })

  it.each<[string, number, Made]>([
    ['a ticket of 13 bytes', 50, (s) => s.protect(Type.Handshake, ticket(13))],
    ['a ticket of 16385 bytes', 47, (s) => s.protect(Type.Handshake, Uint8Array.of(4, 0, 64, 1))],
    ['33 tickets', 10, (s) => s.protect(Type.Handshake, concat(...new Array<Uint8Array>(33).fill(ticket())))],
    [
      'data within a ticket',
      10,
      (s) => concat(s.protect(Type.Handshake, ticket().subarray(0, 20)), s.protect(Type.ApplicationData, 'x')),
    ],
    [
      'data within the header of a ticket',
      10,
      (s) => concat(s.protect(Type.Handshake, ticket().subarray(0, 2)), s.protect(Type.ApplicationData, 'x')),
    ],
    ['a KeyUpdate of another kind', 47, (s) => s.protect(Type.Handshake, update(2))],
    ['a long KeyUpdate', 50, (s) => s.protect(Type.Handshake, message(24, u16(0)))],
    ['a KeyUpdate with a message behind it', 10, (s) => s.protect(Type.Handshake, concat(update(0), ticket()))],
    ['a CertificateRequest', 10, (s) => s.protect(Type.Handshake, s.certificateRequest())],
    ['a HelloRequest', 10, (s) => s.protect(Type.Handshake, message(0))],
    ['a Finished', 10, (s) => s.protect(Type.Handshake, message(20, new Uint8Array(32)))],
    ['a ChangeCipherSpec', 10, () => record(Type.ChangeCipherSpec, u8(1))],
    [
      '33 empty records',
      10,
      (s) => concat(...Array.from({ length: 33 }, () => s.protect(Type.ApplicationData, '', 5))),
    ],
    ['an empty message', 10, (s) => s.protect(Type.Handshake, '')],
    ['a damaged record', 20, (s) => concat(s.protect(Type.ApplicationData, 'x').subarray(0, -1), u8(0))],
    ['a record that is too long', 22, () => concat(u8(23), u16(0x0303), u16(9300))],
  ])('%s gets alert %i', (_name, alert, made) => {
    const pair = open()
    pair.say(made(pair.server))
    refused(pair, alert)
  })

  it('close_notify ends what comes, and what was written still goes', () => {
    const { client, server, say } = open()
    say(server.protect(Type.Alert, Uint8Array.of(1, 90)), server.protect(Type.Alert, Uint8Array.of(1, 0)))
    expect(client.state).toBe(State.PeerClosed)
    expect(client.write('bye')).toBe(true)
    client.close()
    say()
    expect(Buffer.from(server.data).toString()).toBe('bye')
    expect(server.alertRead).toBe(0)
    expect(client.state).toBe(State.Closed)
  })

  it('the exporter gives what the server has', () => {
    for (const suite of [Suite.ChaCha20, Suite.Aes128, Suite.Aes256]) {
      const pair = begin()
      pair.say(pair.server.sendServerHello({ suite }), pair.server.sendFlight())
      for (const length of [16, 32, 100]) {
        const expected = pair.server.exportKeyingMaterial(
          'EXPORTER-network-time-security',
          Uint8Array.of(0, 0, 0, 30, 1),
          length,
        )
        const exported = pair.client.export('EXPORTER-network-time-security', Uint8Array.of(0, 0, 0, 30, 1), length)
        expect(Buffer.from(exported)).toEqual(expected)
      }
    }
  })
})

describe('a connection', () => {
  it('may be closed or wiped at any step of the handshake, and begun anew', () => {
    for (let steps = 0; ; steps += 1 + (steps >> 5)) {
      const { client, server } = begin()
      client.offer(concat(server.sendServerHello(), server.sendFlight()))
      let busy = true
      for (let i = 0; i < steps && busy; i++) {
        busy = client.step()
        client.offer(new Uint8Array())
      }
      if (steps % 2 === 0) {
        client.close()
        while (client.step()) {}
        expect(client.state).toBe(State.Closed)
        expect(client.take().length).toBeGreaterThan(0)
      }
      client.wipe()
      expect(client.state).toBe(State.Closed)
      expect(client.step()).toBe(false)
      // All of it but the state: closed, over, wiped
      expect(client.memory().filter((byte) => byte !== 0).length).toBe(3)
      if (!busy && steps > 100) break
    }
    open()
  })

  it('holds its public-key states and its ClientHello apart', () => {
    expect(entry.exports['largestState']()).toBeLessThanOrEqual(entry.exports['ownHello']())
    expect(THEN).toBeGreaterThan(0)
  })
})
