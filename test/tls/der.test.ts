import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

let entry: Entry
let out: number

beforeAll(async () => {
  entry = await loadEntry(new URL('./der.entry.ts', import.meta.url))
  out = entry.exports['output']() + 16
})

beforeEach(() => {
  entry.write(out - 16, new Uint8Array(2048).fill(0xa5))
})

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function given(bytes: Uint8Array | number[]): number {
  const data = Uint8Array.from(bytes)
  entry.write(entry.exports['input'](), data)
  return data.length
}

/** What `write` leaves in a span of `capacity` bytes, after checking that it kept inside. */
function written(write: () => void, capacity = 1024): Uint8Array {
  entry.exports['begin'](capacity)
  write()
  const length: number = entry.exports['length']()
  expect(length).toBeLessThanOrEqual(capacity)
  expect(hex(entry.read(out - 16, 16))).toBe('a5'.repeat(16))
  expect(hex(entry.read(out + capacity, 16))).toBe('a5'.repeat(16))
  return entry.read(out, length)
}

describe('lengths', () => {
  it('takes_the_shortest_form_at_every_boundary', () => {
    for (const [size, header] of [
      [0, '0400'],
      [1, '0401'],
      [127, '047f'],
      [128, '048180'],
      [255, '0481ff'],
      [256, '04820100'],
      [700, '048202bc'],
    ] as const) {
      const content = Uint8Array.from({ length: size }, (_, i) => i * 7)
      const der = written(() => entry.exports['octetString'](given(content)))
      expect(hex(der)).toBe(header + hex(content))
    }
  })

  it('refuses_content_of_more_than_65535_bytes', () => {
    given(new Uint8Array(65_536))
    entry.exports['begin'](69_000)
    entry.exports['octetString'](65_536)
    expect(entry.exports['overflow']()).toBe(1)
    entry.exports['begin'](69_000)
    entry.exports['octetString'](65_535)
    expect(entry.exports['overflow']()).toBe(0)
  })

  it('moves_nested_content_when_its_containers_close', () => {
    const content = Uint8Array.from({ length: 200 }, (_, i) => i)
    const der = written(() => {
      const outer = entry.exports['open'](0x30)
      const inner = entry.exports['open'](0x31)
      entry.exports['bytes'](given(content))
      entry.exports['close'](inner)
      entry.exports['yes']()
      entry.exports['close'](outer)
    })
    expect(hex(der)).toBe(`3081ce3181c8${hex(content)}0101ff`)
  })
})

describe('integers', () => {
  it.each([
    ['00', '020100'],
    ['0000', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['0080', '02020080'],
    ['0000017f', '0202017f'],
    ['ff00000000000000000000000000000001', '021200ff00000000000000000000000000000001'],
  ])('writes_%s_as_%s', (value, der) => {
    expect(hex(written(() => entry.exports['integer'](given(Buffer.from(value, 'hex')))))).toBe(der)
  })
})

describe('overflow', () => {
  it('never_writes_outside_the_span_whatever_its_size', () => {
    const content = new Uint8Array(150).fill(0x11)
    const whole = () => {
      const outer = entry.exports['open'](0x30)
      const inner = entry.exports['open'](0x30)
      entry.exports['bytes'](given(content))
      entry.exports['close'](inner)
      entry.exports['integer'](given([0x80]))
      entry.exports['close'](outer)
    }
    const size = written(whole).length
    for (let capacity = 0; capacity < size; capacity++) {
      entry.write(out - 16, new Uint8Array(2048).fill(0xa5))
      written(whole, capacity)
      expect(entry.exports['overflow']()).toBe(1)
    }
    written(whole, size)
    expect(entry.exports['overflow']()).toBe(0)
  })
})

describe('time', () => {
  /** The text that a Time holds, by its type. */
  function time(iso: string): string {
    const der = written(() => entry.exports['time'](BigInt(Date.parse(iso) / 1000)))
    expect(der[1]).toBe(der.length - 2)
    return `${der[0] === 0x17 ? 'UTCTime' : der[0] === 0x18 ? 'GeneralizedTime' : '?'} ${Buffer.from(der.subarray(2))}`
  }

  it('is_UTCTime_until_the_end_of_2049_and_GeneralizedTime_from_2050', () => {
    expect(time('1970-01-01T00:00:00Z')).toBe('UTCTime 700101000000Z')
    expect(time('2026-02-28T23:59:59Z')).toBe('UTCTime 260228235959Z')
    expect(time('2036-02-07T06:28:16Z')).toBe('UTCTime 360207062816Z')
    expect(time('2049-12-31T23:59:59Z')).toBe('UTCTime 491231235959Z')
    expect(time('2050-01-01T00:00:00Z')).toBe('GeneralizedTime 20500101000000Z')
    expect(time('2100-02-28T12:34:56Z')).toBe('GeneralizedTime 21000228123456Z')
    expect(time('9999-12-31T23:59:59Z')).toBe('GeneralizedTime 99991231235959Z')
  })

  it('agrees_with_the_host_for_any_second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        const digits = new Date(seconds * 1000).toISOString().replace(/[-T:]/g, '').slice(0, 14)
        const text = time(new Date(seconds * 1000).toISOString())
        expect(text.replace(/^\w+ /, '')).toBe(`${seconds < 2_524_608_000 ? digits.slice(2) : digits}Z`)
      }),
      { seed: 4, numRuns: 300 },
    )
  })
})

describe('pem', () => {
  it('wraps_base64_at_64_characters_for_every_length', () => {
    const data = Uint8Array.from({ length: 200 }, (_, i) => (i * 89 + 3) & 0xff)
    for (let length = 1; length <= data.length; length++) {
      given(data.subarray(0, length))
      entry.write(out - 16, new Uint8Array(2048).fill(0xa5))
      const size: number = entry.exports['pem'](length)
      expect(size).toBe(entry.exports['pemSize'](length))
      const body = Buffer.from(data.subarray(0, length))
        .toString('base64')
        .match(/.{1,64}/g)!
      expect(Buffer.from(entry.read(out, size)).toString()).toBe(
        ['-----BEGIN CERTIFICATE-----', ...body, '-----END CERTIFICATE-----', ''].join('\n'),
      )
      expect(entry.read(out + size, 1)[0]).toBe(0xa5)
      expect(entry.read(out - 1, 1)[0]).toBe(0xa5)
    }
  })
})

describe('alternative_names', () => {
  /** The names as "dns:..." and "ip:...". A number is an error. */
  function names(list: string, ip4 = 0): string[] | number {
    const length: number = entry.exports['names'](given(Buffer.from(list)), ip4)
    if (length < 0) return length
    const found: string[] = []
    const der = entry.read(out, length)
    for (let at = 0; at < der.length; at += 2 + der[at + 1]!) {
      const value = der.subarray(at + 2, at + 2 + der[at + 1]!)
      found.push(der[at] === 0x82 ? `dns:${Buffer.from(value)}` : `ip:${value.join('.')}`)
    }
    return found
  }

  it('takes_host_names_and_dotted_quads_and_the_address', () => {
    expect(names(['localhost', 'noonmark.local', '192.168.1.7'].join('\0'), 0x7f000001)).toEqual([
      'dns:localhost',
      'dns:noonmark.local',
      'ip:192.168.1.7',
      'ip:127.0.0.1',
    ])
  })

  it('writes_names_in_lower_case', () => {
    expect(names('NoonMark.LOCAL')).toEqual(['dns:noonmark.local'])
  })

  it('leaves_out_what_is_no_host_name', () => {
    const bad = [
      '',
      '.',
      'a..b',
      '-a',
      'a-',
      'a.-b',
      'a-.b',
      'a b',
      'a_b',
      'caf\u00e9',
      'a.',
      '.a',
      '*.local',
      'x'.repeat(64),
    ]
    expect(names([...bad, 'good'].join('\0'))).toEqual(['dns:good'])
    expect(names(bad.join('\0'))).toEqual([])
  })

  it('takes_no_sloppy_addresses_for_addresses', () => {
    expect(names(['1.2.3', '256.1.1.1', '01.2.3.4', '1.2.3.4.5', '0.0.0.0'].join('\0'))).toEqual([
      'dns:1.2.3',
      'dns:256.1.1.1',
      'dns:01.2.3.4',
      'dns:1.2.3.4.5',
      'dns:0.0.0.0',
    ])
  })

  it('accepts_trailing_and_repeated_separators', () => {
    expect(names('a\0\0b\0')).toEqual(['dns:a', 'dns:b'])
    expect(names('')).toEqual([])
  })

  it('says_when_the_names_do_not_fit_and_writes_nothing_past_the_end', () => {
    const label = 'x'.repeat(60)
    expect(names([label, label, label, label].join('\0'))).toHaveLength(4)
    expect(names([label, label, label, label].join('\0'), 0x01020304)).toHaveLength(5)
    expect(names([label, label, label, label, 'abcdefg'].join('\0'))).toBe(-1)
    expect(names([label, label, label, label, 'ab'].join('\0'), 0x01020304)).toBe(-1)
    expect(names(`${label}.${label}.${label}`)).toBe(-1)
    expect(hex(entry.read(out + 256, 16))).toBe('a5'.repeat(16))
  })
})
