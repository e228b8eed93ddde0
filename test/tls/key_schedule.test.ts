// The key schedule and record protection against RFC 8448, section 3 ("Simple 1-RTT Handshake"), and against node:crypto
// where that trace is silent (SHA-384, ChaCha20-Poly1305). The three client records of the trace prove their own values:
// their tags are right under the trace's keys.

import { createCipheriv, createHmac } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '../support/firmware'
import { expandLabel } from './scripted_end'
import { loadTls } from './tls_server'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

// RFC 8448, section 3
const ECDHE = hex('8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d')
const HANDSHAKE_SECRET = hex('1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac')
const HELLOS = hex('860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8')
const SERVER_FINISHED = hex('9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13')
const CLIENT_HANDSHAKE = hex('b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21')
const SERVER_HANDSHAKE = hex('b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38')
const DERIVED = hex('43de77e0c77713859a944db9db2590b53190a65b3ee2e4f12dd7a0bb7ce254b4')
const MASTER_SECRET = hex('18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919')
const CLIENT_APPLICATION = hex('9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5')
const SERVER_APPLICATION = hex('a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643')
const EXPORTER_MASTER = hex('fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50')
const EMPTY = hex('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')

const Label = {
  ClientHandshakeTraffic: 0,
  ServerHandshakeTraffic: 1,
  ClientApplicationTraffic: 2,
  ServerApplicationTraffic: 3,
  ExporterMaster: 4,
  Derived: 5,
  Finished: 6,
  Key: 7,
  Iv: 8,
  TrafficUpdate: 9,
} as const

const Sha256 = 1
const Sha384 = 2

let entry: Entry
beforeAll(async () => {
  entry = await loadTls()
})

function expand(secret: Uint8Array, label: number, context: Uint8Array, length: number): string {
  const { DATA, OUT, expandLabel } = entry.exports
  entry.write(DATA.value, secret)
  entry.write(DATA.value + 64, context)
  expandLabel(label, context.length, length)
  return Buffer.from(entry.read(OUT.value, length)).toString('hex')
}

function opens(aead: number, key: Uint8Array, iv: Uint8Array, sequence: number, record: Uint8Array): Uint8Array {
  const { DATA, OUT, nonce, openInSteps } = entry.exports
  entry.write(DATA.value, iv)
  nonce(BigInt(sequence))
  const perRecord = entry.read(OUT.value, 12)
  entry.write(OUT.value, key)
  entry.write(OUT.value + 32, perRecord)
  entry.write(OUT.value + 64, record.subarray(0, 5))
  entry.write(DATA.value, record.subarray(5))
  expect(openInSteps(aead, 5, record.length - 5)).toBe(1)
  return entry.read(DATA.value, record.length - 21)
}

describe('the key schedule of RFC 8448, section 3', () => {
  beforeAll(() => entry.exports['scheduleHash'](Sha256))

  it('extracts the handshake secret from the derived early secret', () => {
    const { DATA, OUT, handshakeSecret } = entry.exports
    entry.write(DATA.value, ECDHE)
    expect(handshakeSecret(32)).toBe(2)
    expect(entry.read(OUT.value, 32)).toEqual(HANDSHAKE_SECRET)
  })

  it('extracts the master secret', () => {
    const { DATA, OUT, masterSecret } = entry.exports
    entry.write(DATA.value, DERIVED)
    masterSecret()
    expect(entry.read(OUT.value, 32)).toEqual(MASTER_SECRET)
  })

  it.each([
    ['the secret for the master secret', HANDSHAKE_SECRET, Label.Derived, EMPTY, DERIVED],
    ['client_handshake_traffic_secret', HANDSHAKE_SECRET, Label.ClientHandshakeTraffic, HELLOS, CLIENT_HANDSHAKE],
    ['server_handshake_traffic_secret', HANDSHAKE_SECRET, Label.ServerHandshakeTraffic, HELLOS, SERVER_HANDSHAKE],
    [
      'client_application_traffic_secret',
      MASTER_SECRET,
      Label.ClientApplicationTraffic,
      SERVER_FINISHED,
      CLIENT_APPLICATION,
    ],
    [
      'server_application_traffic_secret',
      MASTER_SECRET,
      Label.ServerApplicationTraffic,
      SERVER_FINISHED,
      SERVER_APPLICATION,
    ],
    ['exporter_master_secret', MASTER_SECRET, Label.ExporterMaster, SERVER_FINISHED, EXPORTER_MASTER],
    [
      "the server's finished_key",
      SERVER_HANDSHAKE,
      Label.Finished,
      hex(''),
      hex('008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8'),
    ],
    [
      "the client's finished_key",
      CLIENT_HANDSHAKE,
      Label.Finished,
      hex(''),
      hex('b80ad01015fb2f0bd65ff7d4da5d6bf83f84821d1f87fdc7d3c75b5a7b42d9c4'),
    ],
    ["the server's handshake key", SERVER_HANDSHAKE, Label.Key, hex(''), hex('3fce516009c21727d0f2e4e86ee403bc')],
    ["the server's handshake iv", SERVER_HANDSHAKE, Label.Iv, hex(''), hex('5d313eb2671276ee13000b30')],
    ["the client's handshake key", CLIENT_HANDSHAKE, Label.Key, hex(''), hex('dbfaa693d1762c5b666af5d950258d01')],
    ["the client's handshake iv", CLIENT_HANDSHAKE, Label.Iv, hex(''), hex('5bd3c71b836e0b76bb73265f')],
    ["the server's application key", SERVER_APPLICATION, Label.Key, hex(''), hex('9f02283b6c9c07efc26bb9f2ac92e356')],
    ["the server's application iv", SERVER_APPLICATION, Label.Iv, hex(''), hex('cf782b88dd83549aadf1e984')],
    ["the client's application key", CLIENT_APPLICATION, Label.Key, hex(''), hex('17422dda596ed5d9acd890e3c63f5051')],
    ["the client's application iv", CLIENT_APPLICATION, Label.Iv, hex(''), hex('5b78923dee08579033e523d9')],
  ])('expands %s', (_name, secret, label, context, expected) => {
    expect(expand(secret, label, context, expected.length)).toBe(Buffer.from(expected).toString('hex'))
  })

  it("computes the client's verify_data", () => {
    const { DATA, OUT, hmacSteps } = entry.exports
    entry.write(DATA.value, hex('b80ad01015fb2f0bd65ff7d4da5d6bf83f84821d1f87fdc7d3c75b5a7b42d9c4'))
    entry.write(DATA.value + 64, SERVER_FINISHED)
    hmacSteps(32)
    expect(entry.read(OUT.value, 32)).toEqual(hex('a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61'))
  })
})

describe('the key schedule with SHA-384', () => {
  const secret = Uint8Array.from({ length: 48 }, (_, i) => i)
  beforeAll(() => entry.exports['scheduleHash'](Sha384))

  it('expands every label as HKDF-Expand-Label does, in four steps a block', () => {
    const names = ['c hs traffic', 's hs traffic', 'c ap traffic', 's ap traffic', 'exp master', 'derived', 'finished']
    names.push('key', 'iv', 'traffic upd', 'exporter')
    const context = new Uint8Array(48).fill(9)
    for (const [label, name] of names.entries()) {
      expect(expand(secret, label, context, 48)).toBe(expandLabel('sha384', secret, name, context, 48).toString('hex'))
      expect(entry.exports['expandLabel'](label, 48, 100)).toBe(12)
    }
  })

  it('chains the blocks of a long value', () => {
    const long = expandLabel('sha384', secret, 'exporter', new Uint8Array(48), 200)
    expect(expand(secret, 10, new Uint8Array(48), 200)).toBe(long.toString('hex'))
  })

  it('extracts the handshake secret from its own derived early secret', () => {
    const { DATA, OUT, handshakeSecret } = entry.exports
    const zeros = Buffer.alloc(48)
    const early = createHmac('sha384', zeros).update(zeros).digest()
    const empty = hex(
      '38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b',
    )
    const derived = expandLabel('sha384', early, 'derived', empty, 48)
    entry.write(DATA.value, ECDHE)
    expect(handshakeSecret(32)).toBe(4)
    expect(Buffer.from(entry.read(OUT.value, 48))).toEqual(createHmac('sha384', derived).update(ECDHE).digest())
  })
})

describe('record protection', () => {
  it.each([
    [
      'Finished',
      'dbfaa693d1762c5b666af5d950258d01',
      '5bd3c71b836e0b76bb73265f',
      0,
      `1703030035 75ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1caeacab6867
       d726c40546`,
      '14000020a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce6116',
    ],
    [
      'application data',
      '17422dda596ed5d9acd890e3c63f5051',
      '5b78923dee08579033e523d9',
      0,
      `1703030043 a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a
       6292a2977014bd1e3deae63aeebb21694915e4`,
      `${Buffer.from(Array.from({ length: 50 }, (_, i) => i)).toString('hex')}17`,
    ],
    [
      'close_notify',
      '17422dda596ed5d9acd890e3c63f5051',
      '5b78923dee08579033e523d9',
      1,
      '1703030013 c9872760655666b74d7ff1153efd6db6d0b0e3',
      '010015',
    ],
  ])("opens the trace's %s", (_name, key, iv, sequence, record, inner) => {
    const bytes = hex(record.replaceAll(/\s/g, ''))
    expect(Buffer.from(opens(1, hex(key), hex(iv), sequence, bytes)).toString('hex')).toBe(inner)
  })

  it('puts all 64 bits of the sequence number into the nonce', () => {
    const { DATA, OUT, nonce } = entry.exports
    entry.write(DATA.value, new Uint8Array(12))
    nonce(0x0102030405060708n)
    expect(entry.read(OUT.value, 12)).toEqual(Uint8Array.of(0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8))
  })

  it.each([
    ['aes-128-gcm', 1, 16],
    ['aes-256-gcm', 2, 32],
    ['chacha20-poly1305', 3, 32],
  ] as const)('seals and opens %s in slices as node:crypto does in one', (name, aead, keyLength) => {
    const { DATA, OUT, sealInSteps, openInSteps } = entry.exports
    const key = new Uint8Array(keyLength).fill(0x42)
    const iv = new Uint8Array(12).fill(0x24)
    const header = Uint8Array.of(23, 3, 3, 1, 2)
    for (const length of [0, 1, 15, 16, 17, 127, 128, 129, 255, 256, 511, 512, 513, 1024, 1025, 4719]) {
      const plain = Uint8Array.from({ length }, (_, i) => i * 7)
      const cipher = createCipheriv(name as 'aes-128-gcm', key, iv, { authTagLength: 16 })
      cipher.setAAD(header, { plaintextLength: length })
      const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
      entry.write(OUT.value, key)
      entry.write(OUT.value + 32, iv)
      entry.write(OUT.value + 64, header)
      entry.write(DATA.value, plain)
      sealInSteps(aead, 5, length)
      expect(Buffer.from(entry.read(DATA.value, length + 16))).toEqual(sealed)
      expect(openInSteps(aead, 5, length + 16)).toBe(1)
      expect(entry.read(DATA.value, length)).toEqual(plain)
      for (const at of [0, length >> 1, length + 15]) {
        const wrong = Uint8Array.from(sealed)
        wrong[at]! ^= 0x10
        entry.write(DATA.value, wrong)
        expect(openInSteps(aead, 5, length + 16)).toBe(0)
        expect(entry.read(DATA.value, length + 16)).toEqual(wrong)
      }
    }
    for (const short of [0, 1, 15]) expect(openInSteps(aead, 5, short)).toBe(0)
  })
})
