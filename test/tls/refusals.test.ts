// What the server refuses, and with which alert (RFC 8446, section 6.2, and the section of each message).

import { p256 } from '@noble/curves/nist.js'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { type HelloOptions, ScriptedClient } from './scripted_client'
import {
  Alert,
  concat,
  Extension,
  extension,
  Group,
  Message,
  message,
  record,
  Suite,
  Type,
  u8,
  u16,
  u24,
  vector,
} from './scripted_end'
import { LEAF, loadTls, SENT, type ServerOptions, State, TlsServer } from './tls_server'

let entry: Entry
beforeAll(async () => {
  entry = await loadTls()
})

interface Pair {
  server: TlsServer
  client: ScriptedClient
}

function pair(): Pair {
  return { server: new TlsServer(entry), client: new ScriptedClient(LEAF.publicKey) }
}

/** The server has sent its flight and waits for Finished. */
function waiting(options: HelloOptions = {}): Pair {
  const both = pair()
  both.client.read(both.server.deliver(both.client.sendHello(options)))
  expect(both.client.authenticated).toBe(true)
  return both
}

/** The server has sent HelloRetryRequest and waits for the second hello. */
function retrying(options: HelloOptions = {}): Pair {
  const both = pair()
  const first = { ...RETRY, shares: [Group.P384], ...options }
  both.client.read(both.server.deliver(both.client.sendHello(first)))
  expect(both.client.retried).toBe(true)
  return both
}

const RETRY: HelloOptions = { groups: [Group.P384, Group.X25519, Group.P256] }

function open(): Pair {
  const both = waiting()
  both.server.deliver(both.client.sendFinished())
  expect(both.server.state).toBe(State.Open)
  return both
}

/** The server, given these bytes, says exactly this alert, fails, and takes nothing more. */
function refuses({ server, client }: Pair, bytes: Uint8Array, alert: number): void {
  const before = client.contents.length
  client.read(server.deliver(bytes))
  const alerts = client.contents.slice(before).filter(({ type }) => type === Type.Alert)
  expect(alerts.map(({ content }) => [...content])).toEqual([[2, alert]])
  expect(server.alert).toBe(SENT | alert)
  expect(server.state).toBe(State.Failed)
  expect(server.deliver(bytes)).toHaveLength(0)
  expect(server.pending).toBe(0)
  expect(server.write('x')).toBe(false)
}

function refusesHello(options: HelloOptions, alert: number): void {
  const both = pair()
  refuses(both, both.client.sendHello(options), alert)
}

const { KeyShare, SupportedGroups, SignatureAlgorithms, SupportedVersions, Alpn } = Extension

describe('a ClientHello', () => {
  it.each<[string, number, HelloOptions]>([
    ['of TLS 1.2, without supported_versions', Alert.ProtocolVersion, { without: [SupportedVersions] }],
    [
      'of TLS 1.2 with several compression methods',
      Alert.ProtocolVersion,
      { without: [SupportedVersions, KeyShare], compression: [1, 0] },
    ],
    ['that lists only older versions', Alert.ProtocolVersion, { versions: [0x0303, 0x0302] }],
    ['without extensions', Alert.ProtocolVersion, { extensions: new Uint8Array() }],
    ['with an empty list of extensions', Alert.ProtocolVersion, { extensions: u16(0) }],
    ['of SSL 3.0 by its legacy_version', Alert.ProtocolVersion, { legacyVersion: 0x0300 }],
    ['without a common suite', Alert.HandshakeFailure, { suites: [0x1304, 0x1305, 0xc02b] }],
    ['without a common group', Alert.HandshakeFailure, { groups: [Group.P384, 0x0019] }],
    ['without ecdsa_secp256r1_sha256', Alert.HandshakeFailure, { signatureAlgorithms: [0x0804, 0x0503] }],
    ['without key_share', Alert.MissingExtension, { without: [KeyShare] }],
    ['without supported_groups', Alert.MissingExtension, { without: [SupportedGroups] }],
    ['without signature_algorithms', Alert.MissingExtension, { without: [SignatureAlgorithms] }],
    ['without ALPN', Alert.NoApplicationProtocol, { without: [Alpn] }],
    ['with other protocols', Alert.NoApplicationProtocol, { protocols: ['h2', 'ntske/10', 'ntske/', 'NTSKE/1'] }],
    ['with a compression method', Alert.IllegalParameter, { compression: [1] }],
    ['with several compression methods', Alert.IllegalParameter, { compression: [0, 1] }],
    ['without compression methods', Alert.DecodeError, { compression: [] }],
    ['without suites', Alert.DecodeError, { suites: [] }],
    ['with a session id of 33 bytes', Alert.DecodeError, { sessionId: new Uint8Array(33) }],
    [
      'with a known extension twice',
      Alert.IllegalParameter,
      { after: [extension(Alpn, vector(2, vector(1, u8(65))))] },
    ],
    [
      'with an unknown extension twice',
      Alert.IllegalParameter,
      { before: [extension(0x7777)], after: [extension(0x7777)] },
    ],
    [
      'with 129 extensions',
      Alert.IllegalParameter,
      { after: Array.from({ length: 124 }, (_, i) => extension(0x4000 + i)) },
    ],
    ['with pre_shared_key before the end', Alert.IllegalParameter, { before: [extension(Extension.PreSharedKey)] }],
    ['with pre_shared_key without its modes', Alert.MissingExtension, { after: [extension(Extension.PreSharedKey)] }],
    ['with early_data that is not empty', Alert.DecodeError, { after: [extension(Extension.EarlyData, u8(0))] }],
    [
      'with a record_size_limit of 63',
      Alert.IllegalParameter,
      { after: [extension(Extension.RecordSizeLimit, u16(63))] },
    ],
    [
      'with a record_size_limit of 3 bytes',
      Alert.DecodeError,
      { after: [extension(Extension.RecordSizeLimit, u24(512))] },
    ],
    [
      'with a max_fragment_length of 5',
      Alert.IllegalParameter,
      { after: [extension(Extension.MaxFragmentLength, u8(5))] },
    ],
    [
      'with a max_fragment_length of 0',
      Alert.IllegalParameter,
      { after: [extension(Extension.MaxFragmentLength, u8(0))] },
    ],
    ['with an empty max_fragment_length', Alert.DecodeError, { after: [extension(Extension.MaxFragmentLength)] }],
    ['with an empty protocol name', Alert.DecodeError, { protocols: ['', 'ntske/1'] }],
    ['with no protocols', Alert.DecodeError, { protocols: [] }],
    ['with no versions', Alert.DecodeError, { versions: [] }],
    ['with no groups in the list', Alert.DecodeError, { groups: [], shares: [Group.X25519] }],
    ['with no signature algorithms', Alert.DecodeError, { signatureAlgorithms: [] }],
    ['with 1,001 suites', Alert.IllegalParameter, { suites: Array(1001).fill(Suite.Aes128) }],
    ['with 1,001 groups', Alert.IllegalParameter, { groups: Array(1001).fill(Group.X25519) }],
    ['with 1,001 algorithms', Alert.IllegalParameter, { signatureAlgorithms: Array(1001).fill(0x0403) }],
    ['with 1,001 protocols', Alert.IllegalParameter, { protocols: Array(1001).fill('h') }],
    ['with 251 shares', Alert.IllegalParameter, { shares: Array(251).fill(concat(u16(9), vector(2, u8(1)))) }],
  ])('%s: alert %i', (_name, alert, options) => {
    refusesHello(options, alert)
  })

  it.each<[string, number, Uint8Array]>([
    ['lists with an odd length: versions', SupportedVersions, vector(1, Uint8Array.of(3, 4, 3))],
    ['groups', SupportedGroups, vector(2, Uint8Array.of(0, 29, 0))],
    ['algorithms', SignatureAlgorithms, vector(2, Uint8Array.of(4, 3, 4))],
    ['lists with bytes behind them: versions', SupportedVersions, concat(vector(1, u16(0x0304)), u8(0))],
    ['groups', SupportedGroups, concat(vector(2, u16(29)), u8(0))],
    ['algorithms', SignatureAlgorithms, concat(vector(2, u16(0x0403)), u8(0))],
    ['protocols', Alpn, concat(vector(2, vector(1, Buffer.from('ntske/1'))), u8(0))],
    ['shares', KeyShare, concat(vector(2), u8(0))],
    ['a share cut short', KeyShare, vector(2, u16(29), u16(32), new Uint8Array(31))],
    ['a share of no bytes', KeyShare, vector(2, u16(0x1234), u16(0))],
    ['half a share', KeyShare, vector(2, u16(29), u8(0))],
    ['a name cut short', Alpn, vector(2, u8(9), Buffer.from('ntske/1'))],
    ['empty extensions: versions', SupportedVersions, new Uint8Array()],
    ['groups', SupportedGroups, new Uint8Array()],
    ['algorithms', SignatureAlgorithms, new Uint8Array()],
    ['shares', KeyShare, new Uint8Array()],
    ['protocols', Alpn, new Uint8Array()],
  ])('is a decode_error with %s (%#)', (_name, type, data) => {
    refusesHello({ without: [type], after: [extension(type, data)] }, Alert.DecodeError)
  })

  it.each<[string, HelloOptions]>([
    ['of 31 bytes', { shares: [concat(u16(Group.X25519), vector(2, new Uint8Array(31).fill(9)))] }],
    ['of zeros', { shares: [concat(u16(Group.X25519), vector(2, new Uint8Array(32)))] }],
    ['of low order', { shares: [concat(u16(Group.X25519), vector(2, u8(1), new Uint8Array(31)))] }],
    ['twice', { shares: [Group.X25519, Group.X25519] }],
    ['that supported_groups does not name', { groups: [Group.P256], shares: [Group.P256, Group.X25519] }],
  ])('is refused with an X25519 share %s', (_name, options) => {
    refusesHello(options, Alert.IllegalParameter)
  })

  it.each<[string, (point: Uint8Array) => Uint8Array]>([
    ['off the curve', (point) => point.with(64, point[64]! ^ 1)],
    ['compressed', (point) => concat(u8(2), point.subarray(1, 33))],
    ['marked as compressed', (point) => point.with(0, 2)],
    ['at infinity', () => u8(0)],
    ['of zeros', () => concat(u8(4), new Uint8Array(64))],
    ['with a coordinate of p and more', (point) => concat(u8(4), new Uint8Array(32).fill(255), point.subarray(33))],
    ['cut short', (point) => point.subarray(0, 64)],
  ])('is refused with a secp256r1 share %s', (_name, change) => {
    const point = p256.getPublicKey(p256.utils.randomSecretKey(), false)
    const share = concat(u16(Group.P256), vector(2, change(point)))
    refusesHello({ groups: [Group.P256], shares: [share] }, Alert.IllegalParameter)
  })

  it('is refused as illegal_parameter when it is longer than the buffer, by its header alone', () => {
    refuses(pair(), record(Type.Handshake, concat(u8(Message.ClientHello), u24(4733))), Alert.IllegalParameter)
    refuses(pair(), record(Type.Handshake, concat(u8(Message.ClientHello), u24(0xffffff))), Alert.IllegalParameter)
  })

  it('is refused when it ends too early or too late', () => {
    const whole = new ScriptedClient().hello()
    for (let length = 4; length < whole.length; length++) {
      const cut = message(Message.ClientHello, whole.subarray(4, length))
      const server = new TlsServer(entry)
      server.deliver(record(Type.Handshake, cut))
      // Without its extensions it is a hello of an older version; every other cut breaks a length.
      const older = server.alert === (SENT | Alert.ProtocolVersion)
      if (!older) expect([length, server.alert]).toEqual([length, SENT | Alert.DecodeError])
    }
    refuses(pair(), record(Type.Handshake, message(1, whole.subarray(4), u8(0))), Alert.DecodeError)
  })

  it('is refused when something follows it in its record', () => {
    const hello = new ScriptedClient().hello()
    refuses(pair(), record(Type.Handshake, concat(hello, u8(0))), Alert.UnexpectedMessage)
    refuses(pair(), record(Type.Handshake, concat(hello, hello)), Alert.UnexpectedMessage)
  })

  it('fails as internal_error while there is no randomness', async () => {
    const { loadEntry } = await import('../support/firmware')
    const unseeded = await loadEntry(new URL('./tls.entry.ts', import.meta.url))
    const both = { server: new TlsServer(unseeded), client: new ScriptedClient() }
    refuses(both, both.client.sendHello(), Alert.InternalError)
  })
})

describe('bad credentials', () => {
  const certificate = vector(3, new Uint8Array(400))

  it.each<[string, ServerOptions]>([
    ['no certificate', { certificates: new Uint8Array() }],
    ['more certificates than fit', { certificates: concat(certificate, certificate, certificate, certificate) }],
    ['a certificate cut short', { certificates: certificate.subarray(0, 300) }],
    ['half a length', { certificates: concat(certificate, u16(0)) }],
    ['a key of zero', { key: new Uint8Array(32) }],
    ['a key above the order', { key: new Uint8Array(32).fill(255) }],
  ])('%s: internal_error', (_name, options) => {
    const server = new TlsServer(entry, options)
    server.deliver(new ScriptedClient().sendHello())
    expect(server.state).toBe(State.Failed)
    expect(server.alert).toBe(SENT | Alert.InternalError)
  })
})

describe('a first record', () => {
  it.each<[string, number, Uint8Array]>([
    ['of application data', Alert.UnexpectedMessage, record(Type.ApplicationData, new Uint8Array(40))],
    ['of ChangeCipherSpec', Alert.UnexpectedMessage, record(Type.ChangeCipherSpec, u8(1))],
    ['of an unknown type', Alert.UnexpectedMessage, record(99, u8(1))],
    ['of heartbeat', Alert.UnexpectedMessage, record(24, u8(1))],
    ['of HTTP', Alert.UnexpectedMessage, Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['of SSL 2', Alert.UnexpectedMessage, Uint8Array.of(0x80, 0x2e, 1, 3, 1, 0, 0)],
    ['of an empty handshake fragment', Alert.UnexpectedMessage, record(Type.Handshake, new Uint8Array())],
    ['of an empty alert', Alert.UnexpectedMessage, record(Type.Alert, new Uint8Array())],
    ['of two alerts', Alert.DecodeError, record(Type.Alert, Uint8Array.of(2, 40, 2, 40))],
    ['of half an alert', Alert.DecodeError, record(Type.Alert, u8(2))],
    ['of 16,385 bytes', Alert.RecordOverflow, concat(u8(22), u16(0x0301), u16(16385))],
    ['with a ServerHello', Alert.UnexpectedMessage, record(Type.Handshake, message(Message.ServerHello))],
    ['with a Finished', Alert.UnexpectedMessage, record(Type.Handshake, message(Message.Finished, new Uint8Array(32)))],
    ['with the first byte of another message', Alert.UnexpectedMessage, record(Type.Handshake, u8(11))],
    ['with an empty ClientHello', Alert.DecodeError, record(Type.Handshake, message(Message.ClientHello))],
  ])('%s: alert %i', (_name, alert, bytes) => {
    refuses(pair(), bytes, alert)
  })

  it.each<[string, number, Uint8Array]>([
    ['ChangeCipherSpec', Alert.UnexpectedMessage, record(Type.ChangeCipherSpec, u8(1))],
    ['application data', Alert.UnexpectedMessage, record(Type.ApplicationData, new Uint8Array(40))],
    ['an empty fragment', Alert.UnexpectedMessage, record(Type.Handshake, new Uint8Array())],
  ])('is refused between two fragments of a hello: %s', (_name, alert, bytes) => {
    const hello = new ScriptedClient().hello()
    refuses(pair(), concat(record(Type.Handshake, hello.subarray(0, 50)), bytes), alert)
  })
})

describe('a second ClientHello', () => {
  const second: HelloOptions = { ...RETRY, shares: [Group.X25519] }

  it.each<[string, HelloOptions, HelloOptions?]>([
    ['whose share is for another group', { ...second, shares: [Group.P256] }],
    ['that brings two shares', { ...second, shares: [Group.X25519, Group.P256] }],
    ['that brings no share', { ...second, shares: [] }],
    ['that brings the old share', { ...second, shares: [Group.P384] }],
    ['with other suites', { ...second, suites: [Suite.ChaCha20, Suite.Aes128] }],
    ['with the suites in another order', { ...second, suites: [Suite.Aes128, Suite.ChaCha20, Suite.Aes256] }],
    ['with other groups', { ...second, groups: [Group.X25519, Group.P384, Group.P256] }],
    ['with other protocols', { ...second, protocols: ['ntske/1', 'h2'] }],
    ['with other algorithms', { ...second, signatureAlgorithms: [0x0403] }],
    ['with another session id', { ...second, sessionId: new Uint8Array(32) }],
    ['with another legacy_version', { ...second, legacyVersion: 0x0302 }],
    ['with one extension more', { ...second, after: [extension(0x4444)] }],
    ['with one extension less', second, { after: [extension(0x4444)] }],
    [
      'with a changed extension',
      { ...second, after: [extension(0x4444, u8(1))] },
      { after: [extension(0x4444, u8(2))] },
    ],
    ['with a cookie that nobody gave', { ...second, after: [extension(Extension.Cookie, vector(2, u8(1)))] }],
    [
      'with early_data',
      { ...second, after: [extension(Extension.EarlyData)] },
      { after: [extension(Extension.EarlyData)] },
    ],
  ])('%s is an illegal_parameter', (_name, options, first) => {
    const both = retrying(first)
    refuses(both, both.client.sendHello(options), Alert.IllegalParameter)
  })

  it('with another random is an illegal_parameter', () => {
    const both = retrying()
    const hello = both.client.hello(second)
    hello[10]! ^= 1
    refuses(both, record(Type.Handshake, hello), Alert.IllegalParameter)
  })

  it('gets no second HelloRetryRequest', () => {
    const both = retrying()
    refuses(both, both.client.sendHello({ ...RETRY, shares: [Group.P384] }), Alert.IllegalParameter)
    expect(both.client.contents.filter(({ type }) => type === Type.Handshake)).toHaveLength(1)
  })

  it('that is not there: application data without early data is unexpected', () => {
    refuses(retrying(), record(Type.ApplicationData, new Uint8Array(40)), Alert.UnexpectedMessage)
  })

  it('that does not come for too much early data is unexpected', () => {
    const both = retrying({ after: [extension(Extension.EarlyData)] })
    const early = record(Type.ApplicationData, new Uint8Array(8000))
    expect(both.server.deliver(concat(early, early))).toHaveLength(0)
    refuses(both, early, Alert.UnexpectedMessage)
  })

  it('must not wait behind endless ChangeCipherSpec', () => {
    const both = retrying()
    const dummies = concat(...Array.from({ length: 32 }, () => record(Type.ChangeCipherSpec, u8(1))))
    expect(both.server.deliver(dummies)).toHaveLength(0)
    refuses(both, record(Type.ChangeCipherSpec, u8(1)), Alert.UnexpectedMessage)
  })
})

describe('in place of Finished', () => {
  it.each<[string, number, (client: ScriptedClient) => Uint8Array]>([
    ['a wrong Finished', Alert.DecryptError, (c) => c.protect(Type.Handshake, flip(c.finished(), 20))],
    ['a Finished of zeros', Alert.DecryptError, (c) => c.protect(22, message(20, new Uint8Array(32)))],
    ['a Finished of 31 bytes', Alert.DecodeError, (c) => c.protect(22, message(20, new Uint8Array(31)))],
    ['a Finished of 48 bytes', Alert.DecodeError, (c) => c.protect(22, message(20, new Uint8Array(48)))],
    ['a Finished with a byte behind it', Alert.UnexpectedMessage, (c) => c.protect(22, concat(c.finished(), u8(0)))],
    [
      'a Finished with a KeyUpdate behind it',
      Alert.UnexpectedMessage,
      (c) => c.protect(22, concat(c.finished(), message(24, u8(0)))),
    ],
    ['a wrong tag', Alert.BadRecordMac, (c) => flip(c.sendFinished(), -1)],
    ['a wrong ciphertext', Alert.BadRecordMac, (c) => flip(c.sendFinished(), 9)],
    ['a record under the application keys', Alert.BadRecordMac, (c) => underApplicationKeys(c)],
    ['a record without a tag', Alert.BadRecordMac, () => record(Type.ApplicationData, new Uint8Array(15))],
    ['an empty protected record', Alert.BadRecordMac, () => record(Type.ApplicationData, new Uint8Array())],
    ['application data', Alert.UnexpectedMessage, (c) => c.protect(Type.ApplicationData, 'x')],
    ['empty application data', Alert.UnexpectedMessage, (c) => c.protect(Type.ApplicationData, '')],
    [
      'application data within Finished',
      Alert.UnexpectedMessage,
      (c) => concat(c.protect(22, c.finished().subarray(0, 9)), c.protect(23, 'x')),
    ],
    [
      'ChangeCipherSpec within Finished',
      Alert.UnexpectedMessage,
      (c) => concat(c.protect(22, c.finished().subarray(0, 9)), record(20, u8(1))),
    ],
    ['protected ChangeCipherSpec', Alert.UnexpectedMessage, (c) => c.protect(Type.ChangeCipherSpec, u8(1))],
    ['ChangeCipherSpec of 2', Alert.UnexpectedMessage, () => record(Type.ChangeCipherSpec, u8(2))],
    ['ChangeCipherSpec of two bytes', Alert.UnexpectedMessage, () => record(Type.ChangeCipherSpec, u16(257))],
    ['an empty ChangeCipherSpec', Alert.UnexpectedMessage, () => record(Type.ChangeCipherSpec, new Uint8Array())],
    ['a handshake record in clear', Alert.UnexpectedMessage, (c) => record(Type.Handshake, c.finished())],
    ['a ClientHello', Alert.UnexpectedMessage, (c) => c.protect(Type.Handshake, c.hello())],
    ['a Certificate', Alert.UnexpectedMessage, (c) => c.protect(22, message(11, new Uint8Array(4)))],
    ['EndOfEarlyData', Alert.UnexpectedMessage, (c) => c.protect(22, message(5))],
    ['a KeyUpdate', Alert.UnexpectedMessage, (c) => c.protect(22, message(24, u8(0)))],
    ['an empty handshake record', Alert.UnexpectedMessage, (c) => c.protect(Type.Handshake, '')],
    ['an empty handshake record with padding', Alert.UnexpectedMessage, (c) => c.protect(Type.Handshake, '', 50)],
    ['a record of zeros', Alert.UnexpectedMessage, (c) => c.seal(new Uint8Array(30))],
    ['a record of nothing', Alert.UnexpectedMessage, (c) => c.seal(new Uint8Array())],
    ['a record of an unknown type', Alert.UnexpectedMessage, (c) => c.protect(99, 'x')],
    ['a protected alert of 3 bytes', Alert.DecodeError, (c) => c.protect(Type.Alert, Uint8Array.of(2, 0, 0))],
    ['an empty protected alert', Alert.UnexpectedMessage, (c) => c.protect(Type.Alert, '')],
    ['a record of 4,737 bytes', Alert.RecordOverflow, () => concat(u8(23), u16(0x0303), u16(4737))],
    ['a record of 16,641 bytes', Alert.RecordOverflow, () => concat(u8(23), u16(0x0303), u16(16641))],
  ])('%s: alert %i', (_name, alert, bytes) => {
    const both = waiting()
    refuses(both, bytes(both.client), alert)
  })

  it('too much early data is unexpected', () => {
    const both = waiting({ after: [extension(Extension.EarlyData)] })
    const early = record(Type.ApplicationData, new Uint8Array(4000))
    expect(both.server.deliver(concat(early, early, early, early))).toHaveLength(0)
    refuses(both, early, Alert.UnexpectedMessage)
  })

  it('nothing is skipped any more once a record was opened', () => {
    const both = waiting({ after: [extension(Extension.EarlyData)] })
    const finished = both.client.finished()
    both.server.deliver(both.client.protect(Type.Handshake, finished.subarray(0, 9)))
    refuses(both, record(Type.ApplicationData, new Uint8Array(40)), Alert.BadRecordMac)
  })

  it('an alert in clear is unexpected once a record was opened', () => {
    const both = waiting()
    both.server.deliver(both.client.protect(Type.Handshake, both.client.finished().subarray(0, 9)))
    refuses(both, record(Type.Alert, both.client.alert(40)), Alert.UnexpectedMessage)
  })
})

describe('on an open connection', () => {
  it.each<[string, number, (client: ScriptedClient) => Uint8Array]>([
    ['a wrong tag', Alert.BadRecordMac, (c) => flip(c.protect(23, 'x'), -1)],
    ['a replayed record', Alert.BadRecordMac, (c) => twice(c.protect(Type.Alert, c.alert(Alert.UserCanceled, 1)))],
    ['a lost record', Alert.BadRecordMac, (c) => secondOf(c.protect(23, 'lost'), c.protect(23, 'x'))],
    ['ChangeCipherSpec', Alert.UnexpectedMessage, () => record(Type.ChangeCipherSpec, u8(1))],
    ['a handshake record in clear', Alert.UnexpectedMessage, (c) => record(Type.Handshake, c.hello())],
    ['an alert in clear', Alert.UnexpectedMessage, (c) => record(Type.Alert, c.alert(0, 1))],
    ['a new ClientHello', Alert.UnexpectedMessage, (c) => c.protect(Type.Handshake, c.hello())],
    ['NewSessionTicket', Alert.UnexpectedMessage, (c) => c.protect(22, message(4, new Uint8Array(20)))],
    ['a second Finished', Alert.UnexpectedMessage, (c) => c.protect(22, c.finished())],
    ['a KeyUpdate of 2', Alert.IllegalParameter, (c) => c.protect(22, message(24, u8(2)))],
    ['an empty KeyUpdate', Alert.DecodeError, (c) => c.protect(22, message(24))],
    ['a KeyUpdate of two bytes', Alert.DecodeError, (c) => c.protect(22, message(24, u16(0)))],
    ['a KeyUpdate with another behind it', Alert.UnexpectedMessage, (c) => c.protect(22, twice(message(24, u8(0))))],
    [
      'old keys after a KeyUpdate',
      Alert.BadRecordMac,
      (c) => concat(c.protect(22, message(24, u8(0))), c.protect(23, 'x')),
    ],
    [
      'application data within a KeyUpdate',
      Alert.UnexpectedMessage,
      (c) => concat(c.protect(22, u8(24)), c.protect(23, 'x')),
    ],
    ['an empty handshake record', Alert.UnexpectedMessage, (c) => c.protect(Type.Handshake, '')],
    ['two alerts in a record', Alert.DecodeError, (c) => c.protect(Type.Alert, Uint8Array.of(1, 0, 1, 0))],
    ['a record of zeros', Alert.UnexpectedMessage, (c) => c.seal(new Uint8Array(100))],
    ['a record of 4,737 bytes', Alert.RecordOverflow, () => concat(u8(23), u16(0x0303), u16(4737))],
    [
      '33 empty records',
      Alert.UnexpectedMessage,
      (c) => concat(...Array.from({ length: 33 }, () => c.protect(23, ''))),
    ],
    [
      '33 times user_canceled',
      Alert.UnexpectedMessage,
      (c) => concat(...Array.from({ length: 33 }, () => c.protect(21, c.alert(90, 1)))),
    ],
  ])('%s: alert %i', (_name, alert, bytes) => {
    const both = open()
    refuses(both, bytes(both.client), alert)
  })

  it('endless KeyUpdates are unexpected', () => {
    const both = open()
    for (let i = 0; i < 32; i++) {
      both.server.deliver(both.client.protect(Type.Handshake, message(Message.KeyUpdate, u8(0))))
      both.client.updateWrite()
    }
    refuses(both, both.client.protect(Type.Handshake, message(Message.KeyUpdate, u8(0))), Alert.UnexpectedMessage)
  })

  it('a client that never reads its KeyUpdate answers is not heard until it does', () => {
    const both = open()
    const { server, client } = both
    for (let i = 0; i < 40; i++) {
      server.offer(client.protect(Type.Handshake, message(Message.KeyUpdate, u8(1))))
      server.offer(client.protect(Type.ApplicationData, 'x'))
      client.updateWrite()
      while (server.step()) {}
      server.read()
      if (server.pending > 0) break
    }
    expect(server.state === State.Open || server.state === State.Failed).toBe(true)
  })
})

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const index = at < 0 ? bytes.length + at : at
  return bytes.with(index, bytes[index]! ^ 1)
}

function underApplicationKeys(client: ScriptedClient): Uint8Array {
  client.writeApplication()
  return client.protect(Type.Handshake, client.finished())
}

function secondOf(_lost: Uint8Array, second: Uint8Array): Uint8Array {
  return second
}

function twice(bytes: Uint8Array): Uint8Array {
  return concat(bytes, bytes)
}
