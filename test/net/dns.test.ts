// DNS: queries as RFC 1035 has them, and answers of every kind.

import { beforeAll, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

let entry: Entry
// biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
let x: Record<string, any>

beforeAll(async () => {
  const none = () => 0
  const names = ['ticks', 'capture', 'pin_read', 'pin_write', 'spi_read', 'spi_write', 'board_config']
  const abi = Object.fromEntries(names.map((name) => [name, none]))
  entry = await loadEntry(new URL('./dns.entry.ts', import.meta.url), 'checked', { abi })
  x = entry.exports
})

enum Verdict {
  Found,
  Ignored,
  Nothing,
  Refused,
}

const ID = 0x1234

function query(name: string, id = ID): Buffer {
  entry.write(x['text'](), Buffer.from(name, 'latin1'))
  return Buffer.from(entry.read(x['queryAt'](), x['query'](id, name.length)))
}

function wire(name: string): Buffer {
  return Buffer.concat([
    ...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.of(0),
  ])
}

interface ResourceRecord {
  name: Buffer
  type?: number
  class?: number
  data: Buffer
}

const A = (name: Buffer, address: string): ResourceRecord => ({
  name,
  data: Buffer.from(address.split('.').map(Number)),
})
const CNAME = (name: Buffer, target: Buffer): ResourceRecord => ({ name, type: 5, data: target })
/** A pointer to the question's name. */
const HERE = Buffer.of(0xc0, 12)

function answer(question: Buffer, records: ResourceRecord[], flags = 0x8180, id = ID): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(flags, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(records.length, 6)
  const bodies = records.map(({ name, type = 1, class: of = 1, data }) => {
    const fixed = Buffer.alloc(10)
    fixed.writeUInt16BE(type, 0)
    fixed.writeUInt16BE(of, 2)
    fixed.writeUInt32BE(300, 4)
    fixed.writeUInt16BE(data.length, 8)
    return Buffer.concat([name, fixed, data])
  })
  return Buffer.concat([head, question.subarray(12), ...bodies])
}

function read(message: Uint8Array, question: Uint8Array): Verdict {
  entry.write(x['message'](), new Uint8Array(1024).fill(0xee))
  entry.write(x['message'](), message.subarray(0, 1024))
  return x['answer'](message.length, question.length)
}

function addresses(): string[] {
  return Array.from({ length: x['dnsAddressCount']() }, (_, i) => {
    const address = x['dnsAddress'](i) >>> 0
    return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
  })
}

describe('a query', () => {
  it('asks for the A records of the name, with recursion', () => {
    expect(query('time.example.org').toString('hex')).toBe(
      `${ID.toString(16)}01000001000000000000${wire('time.example.org').toString('hex')}00010001`,
    )
    expect(query('time.example.org.')).toEqual(query('time.example.org'))
  })

  it('is not made of what is no name', () => {
    const long = Array.from({ length: 43 }, () => 'abcde').join('.')
    for (const bad of ['', '.', '..', 'a..b', '.a', 'x'.repeat(64), `${long}`]) expect(query(bad)).toHaveLength(0)
    expect(query('x'.repeat(63))).toHaveLength(12 + 65 + 4)
  })
})

describe('an answer', () => {
  it('gives its addresses, at most four', () => {
    const q = query('time.example')
    expect(read(answer(q, [A(HERE, '192.0.2.1'), A(HERE, '192.0.2.2')]), q)).toBe(Verdict.Found)
    expect(addresses()).toEqual(['192.0.2.1', '192.0.2.2'])
    const many = [1, 2, 3, 4, 5, 6].map((i) => A(wire('TIME.Example'), `10.0.0.${i}`))
    expect(read(answer(q, many), q)).toBe(Verdict.Found)
    expect(addresses()).toEqual([1, 2, 3, 4].map((i) => `10.0.0.${i}`))
  })

  it('leads along CNAMEs, in whatever order they stand', () => {
    const q = query('time.example')
    const records = [
      A(wire('third.example'), '192.0.2.9'),
      CNAME(wire('second.example'), wire('third.example')),
      A(wire('other.example'), '192.0.2.66'),
      CNAME(HERE, wire('second.example')),
    ]
    expect(read(answer(q, records), q)).toBe(Verdict.Found)
    expect(addresses()).toEqual(['192.0.2.9'])
  })

  it('without an address of the name is nothing, and so are loops of CNAMEs', () => {
    const q = query('time.example')
    expect(read(answer(q, []), q)).toBe(Verdict.Nothing)
    expect(read(answer(q, [A(wire('other.example'), '192.0.2.1')]), q)).toBe(Verdict.Nothing)
    expect(read(answer(q, [CNAME(HERE, HERE)]), q)).toBe(Verdict.Nothing)
    expect(read(answer(q, [CNAME(HERE, wire('a')), CNAME(wire('a'), wire('time.example'))]), q)).toBe(Verdict.Nothing)
    expect(read(answer(q, [{ name: HERE, type: 28, data: Buffer.alloc(16) }]), q)).toBe(Verdict.Nothing)
    expect(read(answer(q, [{ name: HERE, class: 3, data: Buffer.alloc(4) }]), q)).toBe(Verdict.Nothing)
    expect(read(answer(q, [{ name: HERE, data: Buffer.alloc(5) }]), q)).toBe(Verdict.Nothing)
  })

  it('tells a name that does not exist from a resolver that will not', () => {
    const q = query('time.example')
    expect(read(answer(q, [], 0x8183), q)).toBe(Verdict.Nothing)
    expect(read(answer(q, [], 0x8182), q)).toBe(Verdict.Refused)
    expect(read(answer(q, [], 0x8185), q)).toBe(Verdict.Refused)
  })

  it('is ignored when it is not to our question', () => {
    const q = query('time.example')
    const records = [A(HERE, '192.0.2.1')]
    expect(read(answer(q, records, 0x8180, ID ^ 1), q)).toBe(Verdict.Ignored)
    expect(read(answer(q, records, 0x0100), q)).toBe(Verdict.Ignored)
    expect(read(answer(q, records, 0xa180), q)).toBe(Verdict.Ignored)
    const other = answer(q, records)
    other[13] = 'x'.charCodeAt(0)
    expect(read(other, q)).toBe(Verdict.Ignored)
    expect(read(Buffer.concat([answer(q, records), Buffer.alloc(600)]), q)).toBe(Verdict.Ignored)
  })

  it('of which the end is missing is used as far as it goes', () => {
    const q = query('time.example')
    const whole = answer(q, [A(HERE, '192.0.2.1'), A(HERE, '192.0.2.2')], 0x8380)
    expect(read(whole.subarray(0, whole.length - 3), q)).toBe(Verdict.Found)
    expect(addresses()).toEqual(['192.0.2.1'])
  })

  it('with pointers forwards, to itself or in circles ends', () => {
    const q = query('time.example')
    const at = q.length
    for (const name of [
      Buffer.of(0xc0, at),
      Buffer.of(0xc0, at + 2),
      Buffer.of(0xff, 0xff),
      Buffer.of(0xc0, 0),
      Buffer.concat([Buffer.of(1, 0x61), Buffer.of(0xc0, at)]),
      Buffer.of(0x80, 1),
      Buffer.of(0x40, 1),
    ]) {
      expect(read(answer(q, [A(name, '192.0.2.1')]), q)).toBe(Verdict.Nothing)
      // In this place some of them point backwards, to a good name.
      expect([Verdict.Found, Verdict.Nothing]).toContain(read(answer(q, [CNAME(HERE, name), A(name, '192.0.2.1')]), q))
    }
  })

  it('of any bytes ends without a trap, and never reads past its end', () => {
    const q = query('time.example')
    const seeds = [
      answer(q, [
        CNAME(HERE, wire('a.b')),
        CNAME(wire('a.b'), Buffer.concat([wire('c').subarray(0, 2), HERE])),
        A(wire('a.b'), '1.2.3.4'),
      ]),
      answer(q, [A(HERE, '192.0.2.1'), A(HERE, '192.0.2.2')]),
    ]
    let state = 4711
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return (state >>> 8) % below
    }
    const seen = new Set<Verdict>()
    for (let i = 0; i < 30_000; i++) {
      const seed = seeds[i & 1]!
      const bad = Uint8Array.from(seed.subarray(0, random(2) === 0 ? seed.length : random(seed.length)))
      for (let edits = 1 + random(4); edits > 0 && bad.length > q.length; edits--) {
        bad[q.length + random(bad.length - q.length)] = random(3) === 0 ? 0xc0 : random(256)
      }
      seen.add(read(bad, q))
    }
    expect(seen.has(Verdict.Found) && seen.has(Verdict.Nothing)).toBe(true)
  })
})

describe('a literal address', () => {
  it('is four numbers below 256 with dots between', () => {
    const quad = (text: string): number => {
      entry.write(x['text'](), Buffer.from(text))
      return x['quad'](text.length) >>> 0
    }
    expect(quad('192.0.2.1')).toBe(0xc000_0201)
    expect(quad('255.255.255.255')).toBe(0xffff_ffff)
    for (const bad of [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '1..2.3',
      '1.2.3.',
      '.1.2.3',
      'a.b.c.d',
      '1.2.3.4a',
      '0001.2.3.4',
    ])
      expect(quad(bad), bad).toBe(0)
  })
})
