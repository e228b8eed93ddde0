// Network Time Security on the whole board: key exchanges by Node's TLS over a LAN in memory, NTP with their cookies.

import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { KE_PORT } from '../../src/nts/key_exchange'
import { encodeHeader } from '../../src/nts/packet'
import { ntsRequest } from '../../src/nts/query'
import { decodeMessage, encodeRequest, RecordType } from '../../src/nts/records'
import {
  askNts,
  askPlain,
  counts,
  exchange,
  freshTransmit,
  isNak,
  type LanBoard,
  NEIGHBOUR,
  readyBoard,
  SECOND,
} from './board'
import { rawKeyExchange } from './raw_tls'

describe('a key exchange', () => {
  let board: LanBoard
  let ca: string

  beforeAll(() => {
    board = readyBoard()
    ca = board.authority()
    askPlain(board)
  })

  it('gives eight different cookies of at most 100 bytes, over TLS 1.3 with "ntske/1"', async () => {
    for (const aead of [15, 30]) {
      const session = await board.keyExchange({ ca, aeads: [aead] })
      expect(session.tls.protocol).toBe('TLSv1.3')
      expect(session.aead).toBe(aead)
      expect(session.cookies).toHaveLength(8)
      expect(new Set(session.cookies.map((cookie) => Buffer.from(cookie).toString('hex'))).size).toBe(8)
      for (const { length } of session.cookies) expect(length).toBeLessThanOrEqual(100)
    }
  })

  it('shows a certificate for its names and its address, signed by the authority that the console gives', async () => {
    const { certificate } = await board.keyExchange({ ca })
    expect(certificate.names).toEqual(expect.arrayContaining(['noonmark.local', 'localhost', '192.168.7.1']))
    const authority = new X509Certificate(ca)
    expect(authority.ca).toBe(true)
    expect(certificate.issuer).toBe(authority.subject)
    expect(certificate.notAfter.getTime()).toBeGreaterThan(board.machine.utc().seconds * 1000)
  })

  it('goes by each of its names, and by its address', async () => {
    for (const host of ['noonmark.local', 'localhost', '192.168.7.1']) {
      expect((await board.keyExchange({ ca, host })).cookies).toHaveLength(8)
    }
    await expect(board.keyExchange({ ca, host: 'example.org' })).rejects.toThrow(/not for example.org/)
  })

  it('succeeds when every byte of the client comes in a segment of its own', async () => {
    const connect = board.connect.bind(board)
    board.connect = () => {
      const stream = connect()
      const write = stream.peer.write.bind(stream.peer)
      let free = 0
      stream.peer.write = (nanos, data) => {
        for (let i = 0; i < data.length; i++, free += 0.2e6) {
          free = Math.max(free, nanos)
          write(free, data.subarray(i, i + 1))
        }
      }
      return stream
    }
    const session = await board.keyExchange({ ca })
    board.connect = connect
    expect(session.cookies).toHaveLength(8)
  })

  it('is not trusted by who does not trust that authority', async () => {
    await expect(board.keyExchange({ ca: '' })).rejects.toThrow(/not trusted/)
  })

  it('does not mention a port when it is 123, nor a server', async () => {
    const records = decodeMessage(await rawKeyExchange(board, encodeRequest([30, 15], true)))!
    const types = records.map(({ type }) => type)
    expect(types).not.toContain(RecordType.NtpPort)
    expect(types).not.toContain(RecordType.NtpServer)
    expect(types.filter((type) => type === RecordType.NewCookie)).toHaveLength(8)
    expect(types.at(-1)).toBe(RecordType.EndOfMessage)
  })

  it('names the port when it is another', async () => {
    const other = readyBoard({
      machine: {
        board: { address: '192.168.7.1', mask: '255.255.255.0', names: ['localhost'], ntpPort: 11_123 },
      },
    })
    const session = await other.keyExchange({ ca: other.authority() })
    expect(session.ntpPort).toBe(11_123)
  })

  it('answers what it cannot agree to with the error that RFC 8915 has for it', async () => {
    const end = Buffer.of(0x80, 0, 0, 0)
    const critical = Buffer.concat([Buffer.of(0xbf, 0xff, 0, 0), encodeRequest([15], false)])
    expect(error(await rawKeyExchange(board, critical))).toBe(0)
    expect(error(await rawKeyExchange(board, end))).toBe(1)
    const none = decodeMessage(await rawKeyExchange(board, encodeRequest([1], false)))!
    expect(none.find(({ type }) => type === RecordType.AeadAlgorithm)?.body).toHaveLength(0)
    expect(none.some(({ type }) => type === RecordType.NewCookie)).toBe(false)
  })

  it('reads the request to its end although the client has already closed its side of TCP', async () => {
    for (const fill of [0, 440, 700, 900]) {
      const stream = board.connect()
      const { peer } = stream
      const write = peer.write.bind(peer)
      // The ClientHello goes out; Finished waits for the request, and a FIN follows them at once.
      const flights: Uint8Array[] = []
      peer.write = (nanos, data) => {
        const flight = flights.push(data)
        if (flight === 1) write(nanos, data)
        if (flight !== 3) return
        write(nanos, Buffer.concat(flights.slice(1)))
        peer.end(nanos)
      }
      const answer = decodeMessage(await rawKeyExchange(board, paddedRequest(fill), stream)) ?? []
      expect(answer.filter(({ type }) => type === RecordType.NewCookie)).toHaveLength(8)
    }
  })

  it('calls it a bad request when time is over before the request is whole', async () => {
    const answer = decodeMessage(await rawKeyExchange(board, encodeRequest([15], false).subarray(0, -4))) ?? []
    expect(answer.map(({ type, body }) => [type, ...body])).toEqual([
      [RecordType.Error, 0, 1],
      [RecordType.EndOfMessage],
    ])
  })

  it('lets NTP be authentic, with a fresh cookie for the one used and for each placeholder', async () => {
    for (const aead of [15, 30]) {
      const session = await board.keyExchange({ ca, aeads: [aead] })
      const seen = new Set(session.cookies.map((cookie) => Buffer.from(cookie).toString('hex')))
      for (const kept of [8, 7, 5, 2, 1]) {
        session.cookies.length = kept
        const reply = askNts(board, session)
        expect(reply.header.stratum).toBe(1)
        // What was asked for, as far as the request was kept short of a fragment.
        expect(session.cookies.length).toBe(8)
        expect(reply.cookies.length).toBe(9 - kept)
        for (const cookie of reply.cookies) {
          expect(seen.has(Buffer.from(cookie).toString('hex'))).toBe(false)
          seen.add(Buffer.from(cookie).toString('hex'))
        }
      }
    }
  })

  it('is answered by NTS NAK when the cookie is foreign or the packet was changed on its way', async () => {
    const session = await board.keyExchange({ ca })
    const foreign = { ...session, cookies: [Uint8Array.from(session.cookies[0]!, (byte) => byte ^ 0x55)] }
    expect(isNak(askNts(board, foreign))).toBe(true)
    const request = Uint8Array.from(ntsRequest(session))
    request[3]! ^= 1
    const nak = exchange(board, request, NEIGHBOUR)!
    expect(isNak(nak)).toBe(true)
    expect(nak.header.leap).toBe(3)
    expect(nak.data.length).toBe(48 + 36)
    const truth = askNts(board, session)
    expect(truth.header.stratum).toBe(1)
  })
})

function error(answer: Uint8Array): number | undefined {
  const body = decodeMessage(answer)?.find(({ type }) => type === RecordType.Error)?.body
  return body && body[0]! * 256 + body[1]!
}

/** A good request with an unknown record of `fill` bytes in it, which is not critical. */
function paddedRequest(fill: number): Uint8Array {
  const unknown = Buffer.alloc(4 + fill)
  unknown.writeUInt16BE(3000, 0)
  unknown.writeUInt16BE(fill, 2)
  return Buffer.concat([unknown, encodeRequest([15], false)])
}

describe('many at once', () => {
  it('lets four key exchanges go on side by side, and NTP goes first', async () => {
    const board = readyBoard()
    const ca = board.authority()
    askPlain(board)
    // The flash takes the new certificate's copy: that is one poll of some milliseconds.
    board.advance(3 * SECOND)
    const from = board.now
    const requests = 1500
    const arrivals = new Map<bigint, number>()
    for (let i = 0; i < requests; i++) {
      const sent = freshTransmit()
      arrivals.set(sent, from + 1e6 + i * 1.37e6)
      board.lan.sendUdp(arrivals.get(sent)!, NEIGHBOUR, 123, encodeHeader(sent))
    }
    board.takeAnswers()
    const rounds = []
    for (let round = 0; round < 3; round++) {
      rounds.push(...(await Promise.all([0, 1, 2, 3].map(() => board.keyExchange({ ca })))))
      // The sockets need a millisecond or two to listen again.
      board.advance(20e6)
    }
    const spent = board.now - from
    board.advance(Math.max(0, from + requests * 1.37e6 + 20e6 - board.now))
    expect(rounds).toHaveLength(12)
    const turnarounds: number[] = []
    for (const { data, at } of board.takeAnswers()) {
      const arrived = arrivals.get(Buffer.from(data).readBigUInt64BE(24))
      if (arrived !== undefined) turnarounds.push(at - arrived)
    }
    for (const session of rounds) expect(askNts(board, session).header.stratum).toBe(1)
    const slowest = Math.max(...turnarounds)
    console.log(`12 key exchanges in ${(spent / 1e6).toFixed(0)} ms of virtual time, slowest reply ${slowest / 1e3} us`)
    expect(turnarounds).toHaveLength(requests)
    expect(slowest).toBeLessThan(1e6)
    expect(counts(board)).toMatchObject({ 'ke.served': 12, 'ke.failed': 0, 'ke.expired': 0 })
  })

  it('lets somebody in although silent clients hold every socket', async () => {
    const board = readyBoard()
    const ca = board.authority()
    const silent = Array.from({ length: 5 }, () => board.lan.connect(board.now + 1000, board.freshPort(), KE_PORT))
    board.advance(100e6)
    expect(silent.map(({ state }) => state)).toEqual(Array(5).fill('open'))
    expect(board.lan.connect(board.now, board.freshPort(), KE_PORT).state).toBe('connecting')
    // They give way after a fraction of a second; a real client tries its SYN again after one second.
    board.advance(SECOND)
    const session = await board.keyExchange({ ca })
    expect(session.cookies).toHaveLength(8)
  })

  it('lets somebody in although clients with half a ClientHello hold every socket', async () => {
    const board = readyBoard()
    const ca = board.authority()
    const half = Array.from({ length: 5 }, () => board.lan.connect(board.now + 1000, board.freshPort(), KE_PORT))
    for (const peer of half) peer.write(board.now + 2e6, Uint8Array.of(0x16, 3, 1, 2, 0))
    board.advance(900e6)
    expect(half.map(({ state }) => state)).toEqual(Array(5).fill('open'))
    board.advance(300e6)
    expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
  })

  it('does not wait for a client that sends a byte now and then', async () => {
    const board = readyBoard()
    const ca = board.authority()
    const slow = Array.from({ length: 4 }, () => board.lan.connect(board.now + 1000, board.freshPort(), KE_PORT))
    for (const peer of slow) {
      for (let i = 0; i < 100; i++)
        peer.write(board.now + 2e6 + i * 200e6, Uint8Array.of([0x16, 3, 1, 1, 0, 1][i] ?? 0))
    }
    for (let i = 0; i < 5; i++) {
      expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
      board.advance(0.3 * SECOND)
    }
    board.advance(20 * SECOND)
    for (const { state } of slow) expect(state).not.toBe('open')
    expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
  })

  it('frees the socket of a client that vanishes in the middle', async () => {
    const board = readyBoard()
    const ca = board.authority()
    for (let i = 0; i < 8; i++) {
      const stream = board.connect()
      const gone = board.keyExchange({ ca, timeoutMillis: 300 }).catch(() => undefined)
      // The first flight goes out, then the cable of that client is cut.
      stream.peer.dead = true
      stream.write(Buffer.from('160301', 'hex'))
      stream.destroy()
      await gone
    }
    board.advance(15 * SECOND)
    expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
  })

  it('takes rubbish for what it is, and says an alert at most', async () => {
    const board = readyBoard()
    const ca = board.authority()
    for (const text of [
      'GET / HTTP/1.0\r\n\r\n',
      '\0'.repeat(600),
      '\x16\x03\x01\xff\xff',
      '\x15\x03\x03\0\x02\x02\x28',
    ]) {
      const peer = board.lan.connect(board.now + 1000, board.freshPort(), KE_PORT)
      peer.write(board.now + 1e6, Buffer.from(text, 'latin1'))
      board.advance(6 * SECOND)
      expect(peer.state).not.toBe('open')
      expect(peer.bytes.length).toBeLessThanOrEqual(7)
    }
    expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
    expect(board.machine.counters).toMatchObject({ traps: 0, watchdogs: 0, boots: 1 })
  })
})
