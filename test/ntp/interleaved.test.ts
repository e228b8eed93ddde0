// Interleaved mode (RFC 9769), the server's side.

import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Association, header, parseReply, random, request, SIV } from '../nts/client'
import { loadNtp, type Ntp } from './firmware'

const UNIX_NTP = 2_208_988_800n
const START = 1_782_043_200n
const CLIENT = 0x0a00_0007
const prng = random(77)
const association: Association = { aead: SIV, c2s: prng.bytes(32), s2c: prng.bytes(32) }

const INTERLEAVED = 0
const INTERLEAVED_NTS = 1
const UNKNOWN = 2

let ntp: Ntp
beforeEach(async () => {
  ntp = await loadNtp(5)
  now = START
})

/** Seconds; each exchange has its own. */
let now = START

interface Exchange {
  origin: bigint
  receive: bigint
  transmit: bigint
}

/** What the client sends: its origin and receive timestamps are 0 in a first request. */
interface Sent {
  origin?: bigint
  receive?: bigint
  transmit?: bigint
}

const at = (seconds: bigint, fraction: bigint) => ((seconds + UNIX_NTP) << 32n) | fraction

/** One exchange: the reply's timestamps. `departure`: fraction at which it leaves; undefined: nobody saw it. */
function exchange(sent: Sent, departure?: bigint, address = CLIENT, sealed = false): Exchange {
  now += 1n
  const packet = sealed ? request(association, ntp.seal(association), { stamps: stamps(sent) }) : plain(sent)
  ntp.call('setReceiveTime', now, 0x1000_0000)
  ntp.call('ntpSetPeer', address, 0n)
  ntp.clock.seconds = now
  const reply = parseReply(ntp.serve(packet)!)
  if (departure !== undefined) ntp.call('departed', now, Number(departure))
  return reply
}

function stamps({ origin = 0n, receive = 0n, transmit = 0xaaaa_bbbb_cccc_ddd0n }: Sent): Uint8Array {
  const bytes = new Uint8Array(24)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, origin)
  view.setBigUint64(8, receive)
  view.setBigUint64(16, transmit)
  return bytes
}

function plain(sent: Sent): Uint8Array {
  return header({ stamps: stamps(sent) })
}

const noted = (note: number) => ntp.call('ntpNoted', note)

describe.each([
  ['plain', false],
  ['NTS', true],
])('a client of interleaved mode, %s,', (_, sealed) => {
  const ask = (sent: Sent, departure?: bigint, address = CLIENT) => exchange(sent, departure, address, sealed)

  it('gets the true transmit time of the reply before, from the third on', () => {
    const first = ask({}, 0x3000_0000n)
    const second = ask({ origin: first.receive, receive: 5n, transmit: 6n }, 0x3000_0001n)
    // Nothing was kept of the first: its request did not ask for it.
    expect(second).toMatchObject({ origin: 6n, receive: at(now, 0x1000_0001n), transmit: at(now, 0x8000_0000n) })
    const third = ask({ origin: second.receive, receive: 7n, transmit: 8n }, 0x3000_0003n)
    expect(third).toMatchObject({ origin: 7n, receive: at(now, 0x1000_0001n), transmit: at(now - 1n, 0x3000_0000n) })
    const fourth = ask({ origin: third.receive, receive: 9n, transmit: 10n }, 0x3000_0004n)
    expect(fourth).toMatchObject({ origin: 9n, transmit: at(now - 1n, 0x3000_0002n) })
    expect([noted(INTERLEAVED), noted(INTERLEAVED_NTS), noted(UNKNOWN)]).toEqual(sealed ? [0, 2, 1] : [2, 0, 1])
  })

  it('gets an ordinary reply when its last one was lost, and goes on from there', () => {
    const first = ask({}, 1n)
    const second = ask({ origin: first.receive, receive: 5n }, 0x4000_0000n)
    // This one does not arrive.
    ask({ origin: second.receive, receive: 7n }, 0x5000_0000n)
    const again = ask({ origin: second.receive, receive: 7n, transmit: 8n }, 0x6000_0000n)
    expect(again).toMatchObject({ origin: 8n, transmit: at(now, 0x8000_0000n) })
    const next = ask({ origin: again.receive, receive: 9n, transmit: 10n })
    expect(next).toMatchObject({ origin: 9n, transmit: at(now - 1n, 0x6000_0000n) })
  })

  it('gets an ordinary reply when nobody saw the last one leave', () => {
    const first = ask({}, 1n)
    const second = ask({ origin: first.receive, receive: 5n })
    expect(ask({ origin: second.receive, receive: 7n, transmit: 8n }).origin).toBe(8n)
  })

  it('gets an ordinary reply when its two own timestamps are the same', () => {
    const first = ask({}, 1n)
    const second = ask({ origin: first.receive, receive: 5n }, 0x4000_0000n)
    const third = ask({ origin: second.receive, receive: 8n, transmit: 8n })
    expect(third).toMatchObject({ origin: 8n, transmit: at(now, 0x8000_0000n) })
  })

  it('is forgotten when the clock was stepped', () => {
    const first = ask({}, 1n)
    const second = ask({ origin: first.receive, receive: 5n }, 0x4000_0000n)
    ntp.clock.steps++
    expect(ask({ origin: second.receive, receive: 7n, transmit: 8n }).origin).toBe(8n)
  })

  it('is another at another address', () => {
    const first = ask({}, 1n)
    const second = ask({ origin: first.receive, receive: 5n }, 0x4000_0000n)
    expect(ask({ origin: second.receive, receive: 7n, transmit: 8n }, 2n, CLIENT + 1).origin).toBe(8n)
    expect(ask({ origin: second.receive, receive: 7n, transmit: 8n }, 2n).origin).toBe(7n)
  })
})

/** A client that always asks for it; true when the reply was interleaved. */
class Client {
  last = 1n
  private count = 0n
  constructor(
    readonly address: number,
    readonly sealed = false,
  ) {}
  ask(): boolean {
    this.count += 2n
    const sent = { origin: this.last, receive: this.count + 1n, transmit: this.count + 0x1_0000n }
    const reply = exchange(sent, 0x2000_0000n, this.address, this.sealed)
    this.last = reply.receive
    expect([sent.receive, sent.transmit]).toContain(reply.origin)
    return reply.origin === sent.receive
  }
}

describe('the table', () => {
  it('has room for 32 clients, and one that comes again keeps its place', () => {
    const clients = Array.from({ length: 32 }, (_, i) => new Client(100 + i))
    for (const client of clients) expect(client.ask()).toBe(false)
    for (let i = 0; i < 5; i++) for (const client of clients) expect(client.ask()).toBe(true)
  })

  it('gives the place of the client that was longest silent to a new one', () => {
    const clients = Array.from({ length: 32 }, (_, i) => new Client(100 + i))
    for (const client of clients) client.ask()
    for (const client of clients.slice(1)) client.ask()
    new Client(7).ask()
    expect(clients[0]!.ask()).toBe(false)
    // Which took the place of the next.
    expect(clients[2]!.ask()).toBe(true)
  })

  it('does not let one address push out the others', () => {
    const clients = Array.from({ length: 24 }, (_, i) => new Client(100 + i))
    for (const client of clients) client.ask()
    for (let i = 0; i < 500; i++) new Client(7).ask()
    for (const client of clients) expect(client.ask()).toBe(true)
  })

  it('does not let plain clients push out authenticated ones', () => {
    const clients = Array.from({ length: 10 }, (_, i) => new Client(100 + i, true))
    for (const client of clients) client.ask()
    for (let i = 0; i < 500; i++) new Client(1000 + i).ask()
    for (const client of clients) expect(client.ask()).toBe(true)
  })

  it('is not touched by ordinary clients', () => {
    const client = new Client(7)
    client.ask()
    for (let i = 0; i < 500; i++) exchange({}, 1n, 1000 + i)
    for (let i = 0; i < 500; i++) exchange({ origin: at(now, 0x8000_0000n) }, 1n, 1000 + i)
    expect(client.ask()).toBe(true)
  })
})

it('gives what the timestamps may be wrong by to the root dispersion', () => {
  ntp.call('ntpSetPeer', CLIENT, 123_456n)
  ntp.serve(plain({}))
  expect(ntp.clock.more).toBe(123_456n)
})

describe('receive timestamps', () => {
  it('are odd and never repeat, transmit timestamps are even, whenever requests arrive', () => {
    const arrivals = fc.array(
      fc.record({ step: fc.constantFrom(0, 0, 0, 1, 268, 5000), leave: fc.boolean(), ask: fc.boolean() }),
      { minLength: 2, maxLength: 200 },
    )
    let fraction = 0
    const seen = new Set<bigint>()
    fc.assert(
      fc.property(arrivals, (list) => {
        let last = 1n
        for (const { step, leave, ask } of list) {
          fraction += step
          ntp.call('setReceiveTime', START, fraction)
          const reply = parseReply(ntp.serve(plain(ask ? { origin: last, receive: 3n } : {}))!)
          if (leave) ntp.call('departed', START, fraction + 999)
          expect(seen.has(reply.receive)).toBe(false)
          seen.add(reply.receive)
          expect([reply.receive & 1n, reply.transmit & 1n]).toEqual([1n, 0n])
          // Moved by no more than a few nanoseconds.
          expect(Math.abs(Number(reply.receive - at(START, BigInt(fraction))))).toBeLessThan(1024)
          last = reply.receive
        }
      }),
      { seed: 9, numRuns: 60 },
    )
  })
})
