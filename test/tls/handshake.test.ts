// Handshakes that succeed, however the bytes are cut, and what an open connection does.

import { createHash, X509Certificate } from 'node:crypto'
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
  vector,
} from './scripted_end'
import { CA, certificateList, LEAF, loadTls, RECEIVED, SENT, State, TlsServer } from './tls_server'

let entry: Entry
beforeAll(async () => {
  entry = await loadTls()
})

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

function pair(): { server: TlsServer; client: ScriptedClient } {
  return { server: new TlsServer(entry), client: new ScriptedClient(LEAF.publicKey) }
}

/** A finished handshake. */
function open(options: HelloOptions = {}): { server: TlsServer; client: ScriptedClient } {
  const { server, client } = pair()
  client.read(server.deliver(client.sendHello(options)))
  if (client.retried) {
    client.read(server.deliver(client.sendHello({ ...options, shares: [client.group] })))
  }
  expect(client.authenticated).toBe(true)
  expect(server.deliver(client.sendFinished())).toHaveLength(0)
  expect(server.state).toBe(State.Open)
  return { server, client }
}

/** Both sides say something and hear it. */
function converse({ server, client }: { server: TlsServer; client: ScriptedClient }): void {
  server.deliver(client.protect(Type.ApplicationData, 'What time is it?'))
  expect(text(server.read())).toBe('What time is it?')
  expect(server.write('Noon.')).toBe(true)
  client.read(server.deliver())
  expect(text(client.data)).toBe('Noon.')
}

describe('the handshake', () => {
  const suites = Object.entries(Suite)
  const groups = [
    ['X25519', Group.X25519],
    ['secp256r1', Group.P256],
  ] as const

  it.each(suites.flatMap(([suite, a]) => groups.map(([group, b]) => [suite, group, a, b] as const)))(
    'succeeds with %s over %s',
    (_suite, _group, suite, group) => {
      const both = open({ suites: [suite], groups: [group] })
      expect(both.client.suite).toBe(suite)
      expect(both.client.group).toBe(group)
      converse(both)
    },
  )

  it.each(suites.flatMap(([suite, a]) => groups.map(([group, b]) => [suite, group, a, b] as const)))(
    'succeeds with %s over %s after a HelloRetryRequest',
    (_suite, _group, suite, group) => {
      const both = open({ suites: [suite], groups: [Group.P384, group], shares: [Group.P384] })
      expect(both.client.retried).toBe(true)
      expect(both.client.group).toBe(group)
      converse(both)
    },
  )

  it('prefers ChaCha20, and X25519 when both shares are there', () => {
    const { client } = open({
      suites: [Suite.Aes256, Suite.Aes128, Suite.ChaCha20],
      groups: [Group.P256, Group.X25519],
      shares: [Group.P256, Group.X25519],
    })
    expect(client.suite).toBe(Suite.ChaCha20)
    expect(client.group).toBe(Group.X25519)
  })

  it('takes a share that is there rather than asking for a better one', () => {
    const { client } = open({ groups: [Group.X25519, Group.P256], shares: [Group.P256] })
    expect(client.retried).toBe(false)
    expect(client.group).toBe(Group.P256)
  })

  it('asks for X25519 when there are no shares at all', () => {
    const { client } = open({ groups: [Group.P256, Group.X25519], shares: [] })
    expect(client.retried).toBe(true)
    expect(client.group).toBe(Group.X25519)
  })

  it('steps over an X25519MLKEM768 share to the X25519 share beside it', () => {
    const groups = [Group.X25519MLKEM768, Group.X25519]
    const { client } = open({ groups, shares: groups })
    expect(client.retried).toBe(false)
    expect(client.group).toBe(Group.X25519)
  })

  it('asks for X25519 when X25519MLKEM768 is the only share', () => {
    const { client } = open({ groups: [Group.X25519MLKEM768, Group.X25519], shares: [Group.X25519MLKEM768] })
    expect(client.retried).toBe(true)
    expect(client.group).toBe(Group.X25519)
  })

  it('ignores what it does not know: extensions, versions, suites, groups, algorithms (GREASE)', () => {
    converse(
      open({
        suites: [0x0a0a, 0x00ff, Suite.Aes128, 0xc02b],
        versions: [0x7a7a, 0x0305, 0x0304, 0x0303],
        groups: [0x2a2a, Group.X25519, 0x0100],
        shares: [concat(u16(0x2a2a), vector(2, u8(0))), Group.X25519],
        signatureAlgorithms: [0x5a5a, 0x0804, 0x0403],
        protocols: ['h2', 'ntske/2', 'ntske/1', 'http/1.1'],
        before: [extension(0x3a3a)],
        after: [extension(0xfafa, u8(0)), extension(Extension.ServerName, vector(2, u8(0), vector(2, u8(65))))],
      }),
    )
  })

  it('ignores the versions of records and of the hello', () => {
    const { server, client } = pair()
    const hello = client.sent(client.hello({ legacyVersion: 0x0301 }))
    client.read(server.deliver(record(Type.Handshake, hello, 0x0399)))
    server.deliver(client.sendFinished())
    expect(server.state).toBe(State.Open)
  })

  it('ignores a pre-shared key that comes with its modes', () => {
    const identity = vector(2, vector(2, new Uint8Array(16)), new Uint8Array(4))
    const { client } = open({
      after: [
        extension(Extension.PskKeyExchangeModes, vector(1, u8(1))),
        extension(Extension.PreSharedKey, identity, vector(2, vector(1, new Uint8Array(32)))),
      ],
    })
    expect(client.certificates).toHaveLength(2)
  })

  it('sends the chain, the protocol, nothing else', () => {
    const { client } = open()
    expect(client.certificates.map((der) => Buffer.from(der))).toEqual([LEAF.raw, new X509Certificate(CA).raw])
    expect([...client.encryptedExtensions]).toEqual([[Extension.Alpn, vector(2, vector(1, Buffer.from('ntske/1')))]])
  })

  it('makes its whole flight one run, with nothing to send before it is complete', () => {
    const { server, client } = pair()
    server.offer(client.sendHello())
    let runs = 0
    while (server.step()) {
      const flight = server.take()
      if (flight.length === 0) continue
      runs++
      client.read(flight)
    }
    expect(runs).toBe(1)
    expect(client.authenticated).toBe(true)
  })

  it('echoes the session id and sends one ChangeCipherSpec behind its first message', () => {
    const { server, client } = pair()
    const types = client.read(server.deliver(client.sendHello())).map(({ type }) => type)
    expect(types.slice(0, 3)).toEqual([Type.Handshake, Type.ChangeCipherSpec, Type.Handshake])
    expect(client.contents[0]!.content.subarray(38, 71)).toEqual(vector(1, new Uint8Array(32).fill(7)))
    expect(types.filter((type) => type === Type.ChangeCipherSpec)).toHaveLength(1)
  })

  it('sends ChangeCipherSpec behind HelloRetryRequest and not again', () => {
    const { client } = open({ shares: [Group.P384], groups: [Group.P384, Group.X25519] })
    const types = client.contents.map(({ type }) => type)
    expect(types[1]).toBe(Type.ChangeCipherSpec)
    expect(types.filter((type) => type === Type.ChangeCipherSpec)).toHaveLength(1)
  })

  it('sends no ChangeCipherSpec to a client without a session id', () => {
    const { client } = open({ sessionId: new Uint8Array() })
    expect(client.contents.some(({ type }) => type === Type.ChangeCipherSpec)).toBe(false)
  })

  it("lets the client's ChangeCipherSpec pass before its second hello and before Finished", () => {
    const { server, client } = pair()
    const dummy = record(Type.ChangeCipherSpec, u8(1))
    const options = { groups: [Group.P384, Group.X25519] }
    client.read(server.deliver(client.sendHello({ ...options, shares: [Group.P384] })))
    client.read(server.deliver(concat(dummy, client.sendHello({ ...options, shares: [Group.X25519] }))))
    server.deliver(concat(dummy, client.sendFinished()))
    expect(server.state).toBe(State.Open)
  })

  it('lets the second hello shuffle, pad and drop what RFC 8446 allows', () => {
    const { server, client } = pair()
    const padding = (n: number) => extension(Extension.Padding, new Uint8Array(n))
    const name = extension(Extension.ServerName, vector(2, u8(0), vector(2, u8(65))))
    const options = { groups: [Group.P384, Group.X25519] }
    const early = extension(Extension.EarlyData)
    client.read(
      server.deliver(
        client.sendHello({ ...options, shares: [Group.P384], before: [name], after: [padding(9), early] }),
      ),
    )
    client.read(
      server.deliver(client.sendHello({ ...options, shares: [Group.X25519], before: [padding(50)], after: [name] })),
    )
    expect(client.authenticated).toBe(true)
  })

  it.each([
    ['a padded hello of 4,736 bytes', [extension(Extension.Padding, new Uint8Array(4736 - 240 - 8))]],
    ['128 extensions', Array.from({ length: 123 }, (_, i) => extension(0x4000 + i))],
  ])('takes %s', (_name, after) => {
    const { server, client } = pair()
    const base = client.hello().length
    const most = after.length === 1 ? [extension(Extension.Padding, new Uint8Array(4736 - base - 4))] : after
    client.read(server.deliver(client.sendHello({ after: most })))
    expect(client.authenticated).toBe(true)
  })

  it('takes a long list of protocols', () => {
    const protocols = [...Array.from({ length: 200 }, (_, i) => `protocol-${i}`), 'ntske/1']
    expect(open({ protocols }).client.authenticated).toBe(true)
  })

  it('is the same handshake for the same random numbers, and another for others', async () => {
    const hello = new ScriptedClient().sendHello({ suites: [Suite.Aes128] })
    const flights = []
    for (const seed of [5, 5, 6]) {
      const server = new TlsServer(await loadTls('checked', seed))
      flights.push(createHash('sha256').update(server.deliver(hello)).digest('hex'))
    }
    expect(flights[0]).toBe(flights[1])
    expect(flights[0]).not.toBe(flights[2])
  })

  it('keeps two handshakes apart that take turns', () => {
    const first = new TlsServer(entry)
    const second = new TlsServer(entry, { second: true })
    const clients = [new ScriptedClient(LEAF.publicKey), new ScriptedClient(LEAF.publicKey)]
    first.offer(clients[0]!.sendHello({ suites: [Suite.Aes256], groups: [Group.P256] }))
    second.offer(clients[1]!.sendHello({ suites: [Suite.ChaCha20], groups: [Group.X25519] }))
    for (let busy = true; busy; ) busy = [first.step(), second.step()].includes(true)
    clients[0]!.read(first.take())
    clients[1]!.read(second.take())
    first.deliver(clients[0]!.sendFinished())
    second.deliver(clients[1]!.sendFinished())
    expect([first.state, second.state]).toEqual([State.Open, State.Open])
  })
})

describe('the stream', () => {
  /** Hello, Finished and a request, each as its own bytes. */
  function script(server: TlsServer, client: ScriptedClient, cut: (bytes: Uint8Array) => Uint8Array[]): void {
    for (const piece of cut(client.sendHello())) client.read(server.deliver(piece))
    expect(client.authenticated).toBe(true)
    const rest = concat(client.sendFinished(), client.protect(Type.ApplicationData, 'request'))
    for (const piece of cut(rest)) server.deliver(piece)
    expect(text(server.read())).toBe('request')
  }

  it('may come a byte at a time', () => {
    const { server, client } = pair()
    script(server, client, (bytes) => [...bytes].map(u8))
  })

  it('may be cut at any one place', { timeout: 120_000 }, () => {
    // The first hello is long enough to hold all lengths, short enough to be cut everywhere.
    const length = new ScriptedClient().sendHello().length
    for (let at = 1; at < length; at++) {
      const { server, client } = pair()
      const hello = client.sendHello()
      server.offer(hello.subarray(0, at))
      while (server.step()) {}
      expect(server.take()).toHaveLength(0)
      server.offer(hello.subarray(at))
      // The handshake itself is the same from here: that the hello was taken whole is enough.
      expect(server.pending).toBe(0)
      expect(server.step()).toBe(true)
      expect(server.state).toBe(State.Handshake)
    }
    const { server, client } = pair()
    client.read(server.deliver(client.sendHello()))
    const image = server.memory()
    const rest = concat(client.sendFinished(), client.protect(Type.ApplicationData, 'request'))
    for (let at = 1; at < rest.length; at++) {
      entry.write(server.connection, image)
      server.deliver(rest.subarray(0, at))
      server.deliver(rest.subarray(at))
      expect(text(server.read())).toBe('request')
    }
  })

  it('may spread the hello over records of any size, and Finished over records of its own', () => {
    for (const size of [1, 2, 3, 4, 5, 50, 255]) {
      const { server, client } = pair()
      const hello = client.sent(client.hello())
      for (let at = 0; at < hello.length; at += size) {
        client.read(server.deliver(record(Type.Handshake, hello.subarray(at, at + size))))
      }
      expect(client.authenticated).toBe(true)
      const finished = client.sent(client.finished())
      for (let at = 0; at < finished.length; at += size) {
        server.deliver(client.protect(Type.Handshake, finished.subarray(at, at + size)))
      }
      client.writeApplication()
      converse({ server, client })
    }
  })

  it('may bring Finished, requests and close_notify in one piece', () => {
    const { server, client } = pair()
    client.read(server.deliver(client.sendHello()))
    const bytes = concat(
      client.sendFinished(),
      client.protect(Type.ApplicationData, 'one'),
      client.protect(Type.ApplicationData, ''),
      client.protect(Type.ApplicationData, 'two', 100),
      client.protect(Type.Alert, client.alert(Alert.CloseNotify, 1)),
    )
    server.deliver(bytes)
    expect(text(server.read())).toBe('one')
    server.deliver()
    expect(text(server.read(2))).toBe('tw')
    expect(text(server.read())).toBe('o')
    server.deliver()
    expect(server.state).toBe(State.PeerClosed)
  })

  it('waits for the rest when it is cut short', () => {
    const { server, client } = pair()
    const hello = client.sendHello()
    for (const byte of hello.subarray(0, -1)) expect(server.deliver(u8(byte))).toHaveLength(0)
    expect(server.state).toBe(State.Handshake)
    expect(server.alert).toBe(0)
  })

  it('takes nothing while there is work to do or input to read', () => {
    const { server, client } = open()
    server.offer(concat(client.protect(Type.ApplicationData, 'one'), client.protect(Type.ApplicationData, 'two')))
    expect(server.pending).toBe(5 + 3 + 17)
    while (server.step()) {}
    server.offer(new Uint8Array())
    expect(server.pending).toBe(5 + 3 + 17)
    expect(text(server.read())).toBe('one')
    server.deliver()
    expect(text(server.read())).toBe('two')
  })
})

describe('an open connection', () => {
  it('hands out an answer and close_notify in one run', () => {
    const { server, client } = open()
    expect(server.write(new Uint8Array(900).fill(65))).toBe(true)
    server.close()
    const runs: Uint8Array[] = []
    while (server.step()) {
      const run = server.take()
      if (run.length !== 0) runs.push(run)
    }
    expect(runs).toHaveLength(1)
    expect(client.read(runs[0]!)).toHaveLength(2)
    expect(client.data).toHaveLength(900)
    expect(client.alertRead).toBe(Alert.CloseNotify)
    expect(server.state).toBe(State.Closed)
    expect(server.alert).toBe(SENT | Alert.CloseNotify)
  })

  it('still answers after the client has said close_notify', () => {
    const { server, client } = open()
    server.deliver(client.protect(Type.Alert, client.alert(Alert.CloseNotify, 1)))
    expect(server.state).toBe(State.PeerClosed)
    expect(server.alert).toBe(RECEIVED | Alert.CloseNotify)
    server.deliver(client.protect(Type.ApplicationData, 'too late'))
    expect(server.inputLength).toBe(0)
    expect(server.write('answer')).toBe(true)
    server.close()
    client.read(server.deliver())
    expect(text(client.data)).toBe('answer')
    expect(client.alertRead).toBe(Alert.CloseNotify)
  })

  it('refuses to write what has no room, and writes again when there is', () => {
    const { server, client } = open()
    let queued = 0
    while (server.write(new Uint8Array(500))) queued += 500
    expect(queued).toBeGreaterThanOrEqual(2000)
    expect(server.write(new Uint8Array(5000))).toBe(false)
    client.read(server.deliver())
    expect(client.data).toHaveLength(queued)
    expect(server.write(new Uint8Array(500))).toBe(true)
  })

  it('sends in any portions, writing between them', () => {
    const { server, client } = open()
    let expected = ''
    for (let i = 0; i < 200; i++) {
      const line = `${i}:${'x'.repeat((i * 37) % 300)};`
      if (server.write(line)) expected += line
      for (let steps = i % 4; steps > 0; steps--) server.step()
      client.read(server.take((i * 13) % 200))
    }
    client.read(server.deliver())
    expect(text(client.data)).toBe(expected)
  })

  it('exports what the client exports', () => {
    for (const suite of Object.values(Suite)) {
      const { server, client } = open({ suites: [suite] })
      const label = 'EXPORTER-network-time-security'
      for (const length of [16, 32, 64, 100]) {
        for (const context of [Uint8Array.of(0, 0, 0, 15, 0), Uint8Array.of(0, 0, 0, 15, 1), new Uint8Array()]) {
          expect(Buffer.from(server.export(label, context, length))).toEqual(
            client.exportKeyingMaterial(label, context, length),
          )
        }
      }
      converse({ server, client })
    }
  })

  it('exports nothing before it is open', () => {
    const { server } = pair()
    expect(() => server.export('EXPORTER-x', new Uint8Array(), 32)).toThrow()
  })

  it('follows a KeyUpdate of the client', () => {
    const { server, client } = open()
    for (let i = 0; i < 3; i++) {
      server.deliver(client.protect(Type.Handshake, message(Message.KeyUpdate, u8(0))))
      client.updateWrite()
      converse({ server, client: client })
      client.contents.length = 0
    }
  })

  it('answers a KeyUpdate that asks for one, and what it wrote before still reads', () => {
    const { server, client } = open()
    server.write('before ')
    while (server.step()) {}
    server.offer(client.protect(Type.Handshake, message(Message.KeyUpdate, u8(1))))
    client.updateWrite()
    while (server.step()) {}
    expect(server.write('after')).toBe(true)
    while (server.step()) {}
    client.read(server.take())
    const types = client.contents.map(({ type }) => type)
    expect(types.slice(-3)).toEqual([Type.ApplicationData, Type.Handshake, Type.ApplicationData])
    expect(text(client.data)).toBe('before after')
    client.contents.length = 0
    converse({ server, client })
  })

  it('lets user_canceled pass', () => {
    const { server, client } = open()
    server.deliver(client.protect(Type.Alert, client.alert(Alert.UserCanceled, 1)))
    expect(server.state).toBe(State.Open)
    server.deliver(client.protect(Type.Alert, client.alert(Alert.CloseNotify, 1)))
    expect(server.state).toBe(State.PeerClosed)
  })

  it('ends without a word when the client sends an alert', () => {
    const { server, client } = open()
    server.write('unsent')
    const sent = server.deliver(client.protect(Type.Alert, client.alert(Alert.DecryptError)))
    expect(server.state).toBe(State.Failed)
    expect(server.alert).toBe(RECEIVED | Alert.DecryptError)
    client.read(sent)
    expect(client.alertRead).toBeUndefined()
  })

  it('hears an alert in clear from a client that cannot make the keys', () => {
    const { server, client } = pair()
    server.deliver(client.sendHello())
    server.deliver(record(Type.Alert, client.alert(Alert.IllegalParameter)))
    expect(server.state).toBe(State.Failed)
    expect(server.alert).toBe(RECEIVED | Alert.IllegalParameter)
  })

  it('takes a record as long as its buffer, with as much padding', () => {
    const { server, client } = open()
    server.deliver(client.protect(Type.ApplicationData, new Uint8Array(4719)))
    expect(server.read()).toHaveLength(4719)
    server.deliver(client.protect(Type.ApplicationData, 'x', 4718))
    expect(text(server.read())).toBe('x')
    for (let padding = 0; padding < 40; padding++) {
      server.deliver(client.protect(Type.ApplicationData, 'ends in zeros\0\0', padding))
      expect(text(server.read())).toBe('ends in zeros\0\0')
    }
  })
})

describe('record sizes', () => {
  it("keeps to the client's record_size_limit and tells its own", () => {
    for (const limit of [64, 65, 100, 512, 16385]) {
      const after = [extension(Extension.RecordSizeLimit, u16(limit)), extension(Extension.MaxFragmentLength, u8(1))]
      const { server, client } = open({ after })
      expect(client.encryptedExtensions.get(Extension.RecordSizeLimit)).toEqual(u16(4720))
      expect(client.encryptedExtensions.has(Extension.MaxFragmentLength)).toBe(false)
      server.write(new Uint8Array(700))
      client.read(server.deliver())
      expect(client.data).toHaveLength(700)
      expect(Math.max(...client.recordLengths)).toBeLessThanOrEqual(limit + 16)
    }
  })

  it('keeps to max_fragment_length', () => {
    for (const code of [1, 2, 3, 4]) {
      const { server, client } = open({ after: [extension(Extension.MaxFragmentLength, u8(code))] })
      expect(client.encryptedExtensions.get(Extension.MaxFragmentLength)).toEqual(u8(code))
      server.write(new Uint8Array(700))
      client.read(server.deliver())
      expect(Math.max(...client.recordLengths)).toBeLessThanOrEqual((256 << code) + 17)
    }
  })

  it('sends a flight longer than its output in parts', () => {
    const chain = certificateList(...Array.from({ length: 3 }, () => new Uint8Array(500).fill(0x30)))
    const server = new TlsServer(entry, { certificates: chain })
    const client = new ScriptedClient()
    client.read(server.deliver(client.sendHello({ after: [extension(Extension.RecordSizeLimit, u16(64))] })))
    expect(client.authenticated).toBe(true)
    expect(client.certificates).toHaveLength(3)
    server.deliver(client.sendFinished())
    expect(server.state).toBe(State.Open)
  })
})

describe('early data', () => {
  const early = (length: number) => record(Type.ApplicationData, new Uint8Array(length).fill(0xee))

  it('is skipped when it comes behind the hello', () => {
    const { server, client } = pair()
    const hello = client.sendHello({ after: [extension(Extension.EarlyData)] })
    client.read(server.deliver(concat(hello, early(100), early(2000))))
    expect(client.encryptedExtensions.has(Extension.EarlyData)).toBe(false)
    server.deliver(concat(early(8000), early(17), early(3), early(0), client.sendFinished()))
    converse({ server, client })
  })

  it('is skipped between a HelloRetryRequest and the second hello', () => {
    const { server, client } = pair()
    const options = { groups: [Group.P384, Group.X25519] }
    const first = client.sendHello({ ...options, shares: [Group.P384], after: [extension(Extension.EarlyData)] })
    client.read(server.deliver(concat(first, early(100), early(8000))))
    client.read(server.deliver(concat(early(50), client.sendHello({ ...options, shares: [Group.X25519] }))))
    server.deliver(client.sendFinished())
    converse({ server, client })
  })
})

describe('the memory of a connection', () => {
  it('is less than 10 KB, and its buffer holds the state of every operation', () => {
    const { connectionSize, bufferSize, bufferOffset, largestState } = entry.exports
    expect(connectionSize()).toBeLessThanOrEqual(10_240)
    expect(bufferOffset() % 8).toBe(0)
    expect(largestState()).toBeLessThanOrEqual(bufferSize())
  })

  it('holds no secrets once it has failed, when the alert still waits', () => {
    const { server, client } = pair()
    client.read(server.deliver(client.sendHello()))
    const before = server.memory()
    server.deliver(client.protect(Type.ApplicationData, 'too early'))
    expect(server.state).toBe(State.Failed)
    expect(zeroShare(server.memory().subarray(512))).toBeGreaterThan(0.6)
    expect(zeroShare(before.subarray(512))).toBeLessThan(zeroShare(server.memory().subarray(512)))
    server.wipe()
    expect(zeroShare(server.memory())).toBeGreaterThan(0.999)
  })

  function zeroShare(bytes: Uint8Array): number {
    return bytes.filter((byte) => byte === 0).length / bytes.length
  }
})
