// The clock filter, the selection and the poll interval, each against a plain reckoning in bigint or by hand.

import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

const SECOND = 16_000_000n
const MILLI = 1_000_000n
const BASE = 1_793_491_200_000_000_000n

let entry: Entry
// biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
let x: Record<string, any>

beforeAll(async () => {
  entry = await loadEntry(new URL('./client.entry.ts', import.meta.url))
  x = entry.exports
})

function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe('the clock filter', () => {
  beforeEach(() => {
    x['clearFilter']()
    x['crystal'](0, 50_000)
  })

  it('says nothing without samples', () => {
    expect(x['estimate'](SECOND)).toBe(0)
  })

  it('believes the sample with the least delay while all are young', () => {
    for (const [i, delay] of [900, 300, 100, 500, 700].entries()) {
      x['add'](BigInt(i + 1) * SECOND, BASE + BigInt(i + 1) * 1000n * MILLI + BigInt(delay), BigInt(delay) * 1000n, 10n)
    }
    expect(x['estimate'](6n * SECOND)).toBe(1)
    expect(x['estimateUtc']()).toBe(BASE + 6000n * MILLI + 100n)
    expect(x['estimateDelay']()).toBe(100_000n)
  })

  it('prefers a younger sample when the crystal may have run away since the better one', () => {
    x['add'](SECOND, BASE, 10_000n, 0n)
    x['add'](1001n * SECOND, BASE + 1_000_000n * MILLI + 777n, 20n * MILLI, 0n)
    // 50 ppm in 1000 s are 50 ms; half of 20 ms is less.
    x['estimate'](1001n * SECOND)
    expect(x['estimateUtc']()).toBe(BASE + 1_000_000n * MILLI + 777n)
    // With a crystal known to 1 ppm the older one is better.
    x['crystal'](0, 1000)
    x['estimate'](1001n * SECOND)
    expect(x['estimateUtc']()).toBe(BASE + 1_000_000n * MILLI)
  })

  it('takes the known frequency out, and lets the dispersion grow, to a part in a thousand', () => {
    for (const [frequency, wander, seconds] of [
      [23_456, 2_000, 1024],
      [-48_000, 50_000, 17],
      [1, 1, 100_000],
      [99_999, 100_000, 131_072],
    ] as const) {
      x['clearFilter']()
      x['crystal'](frequency, wander)
      x['add'](SECOND, BASE, 0n, 500n)
      x['estimate'](SECOND + BigInt(seconds) * SECOND)
      const elapsed = BigInt(seconds) * 1000n * MILLI
      const utc = BASE + elapsed - (elapsed * BigInt(frequency)) / 1_000_000_000n
      const tolerance = Math.abs(Number(utc - BASE - elapsed)) / 1e3 + 2
      expect(Math.abs(Number(x['estimateUtc']() - utc)), `${frequency}`).toBeLessThan(tolerance)
      const dispersion = 500 + seconds * wander
      expect(Math.abs(Number(x['estimateDispersion']()) - dispersion)).toBeLessThan(dispersion / 1e3 + 2)
    }
  })

  it('keeps eight samples and forgets the oldest', () => {
    for (let i = 1; i <= 9; i++) x['add'](BigInt(i) * SECOND, BASE + BigInt(i) * 1000n * MILLI, BigInt(i) * MILLI, 0n)
    x['estimate'](10n * SECOND)
    expect(x['estimateDelay']()).toBe(2n * MILLI)
  })

  it('reckons the jitter as the root mean square of the differences to the best', () => {
    const offsets = [0, 3000, -4000, 12_000]
    for (const [i, offset] of offsets.entries()) {
      x['add'](
        BigInt(i + 1) * SECOND,
        BASE + BigInt(i) * 1000n * MILLI + BigInt(offset),
        i === 0 ? 0n : 40n * MILLI,
        0n,
      )
    }
    x['crystal'](0, 0)
    x['estimate'](5n * SECOND)
    const expected = Math.sqrt((3000 ** 2 + 4000 ** 2 + 12_000 ** 2) / 3)
    expect(Math.abs(Number(x['estimateJitter']()) - expected)).toBeLessThan(2)
  })

  it('does not take for jitter what the crystal explains', () => {
    // 20 ppm of drift, with a crystal of which 50 ppm are to be expected.
    for (let i = 1; i <= 8; i++) x['add'](BigInt(i * 64) * SECOND, BASE + BigInt(i * 64) * 1_000_020_000n, MILLI, 0n)
    x['estimate'](520n * SECOND)
    expect(x['estimateJitter']()).toBe(0n)
    x['crystal'](0, 2000)
    x['estimate'](520n * SECOND)
    expect(Number(x['estimateJitter']())).toBeGreaterThan(1e6)
  })

  it('knows square roots', () => {
    const random = generator(1)
    for (let i = 0; i < 2000; i++) {
      const value = BigInt(Math.floor(random() * 2 ** 52)) * BigInt(Math.floor(random() * 2 ** 11))
      const root = BigInt.asUintN(64, x['rootOf'](value))
      expect(root * root <= value && (root + 1n) * (root + 1n) > value).toBe(true)
    }
    expect(x['rootOf'](0n)).toBe(0n)
  })
})

interface Server {
  /** ns around BASE. */
  offset: number
  distance: number
  jitter?: number
  usable?: boolean
  nts?: boolean
  stratum?: number
  leap?: number
}

enum Mark {
  Unusable,
  Falseticker,
  Outlier,
  Combined,
  Best,
}

function choose(servers: Server[]): { majority: boolean; marks: Mark[] } {
  for (const [i, s] of servers.entries()) {
    x['setSource'](
      i,
      BASE + BigInt(Math.round(s.offset)),
      BigInt(Math.round(s.distance)),
      BigInt(s.jitter ?? 1000),
      s.usable ?? true,
      s.nts ?? true,
      s.stratum ?? 1,
      s.leap ?? 0,
    )
  }
  const majority = x['select'](servers.length, SECOND) === 1
  return { majority, marks: servers.map((_, i) => x['mark'](i)) }
}

const ms = (value: number): number => value * 1e6

describe('the selection', () => {
  it('has nothing to say of nobody', () => {
    expect(choose([]).majority).toBe(false)
    expect(choose([{ offset: 0, distance: ms(1), usable: false }])).toEqual({ majority: false, marks: [Mark.Unusable] })
    expect(x['agreeing']()).toBe(0)
  })

  it('takes a single server at its word', () => {
    expect(choose([{ offset: 500, distance: ms(2) }])).toEqual({ majority: true, marks: [Mark.Best] })
    expect([x['selectedUtc']() - BASE, x['low']() - BASE, x['high']() - BASE]).toEqual([
      500n,
      500n - 2n * MILLI,
      500n + 2n * MILLI,
    ])
  })

  it('unmasks one liar of three, and says where the truth is', () => {
    const { marks } = choose([
      { offset: ms(0.1), distance: ms(1) },
      { offset: ms(1000), distance: ms(1) },
      { offset: ms(-0.2), distance: ms(2) },
    ])
    expect(marks).toEqual([Mark.Best, Mark.Falseticker, Mark.Combined])
    expect([x['candidates'](), x['agreeing'](), x['survivors']()]).toEqual([3, 2, 2])
    expect([x['low']() - BASE, x['high']() - BASE]).toEqual([BigInt(ms(-0.9)), BigInt(ms(1.1))])
  })

  it('has no majority when two disagree, or two pairs do', () => {
    expect(
      choose([
        { offset: 0, distance: ms(1) },
        { offset: ms(10), distance: ms(1) },
      ]),
    ).toEqual({
      majority: false,
      marks: [Mark.Falseticker, Mark.Falseticker],
    })
    const pairs = [0, 0.1, 10, 10.1].map((offset) => ({ offset: ms(offset), distance: ms(1) }))
    expect(choose(pairs).majority).toBe(false)
  })

  it('mixes no server without authentication with one that has it', () => {
    const plain = { distance: ms(1), nts: false }
    const { marks } = choose([
      { offset: ms(1000), ...plain },
      { offset: ms(1000), ...plain },
      { offset: 0, distance: ms(5) },
    ])
    expect(marks).toEqual([Mark.Unusable, Mark.Unusable, Mark.Best])
    expect(x['authenticated']()).toBe(1)
    expect(choose([{ offset: ms(1000), ...plain }]).majority).toBe(true)
    expect(x['authenticated']()).toBe(0)
  })

  it('casts out the farthest of five by the cluster algorithm and weighs the rest by their distance', () => {
    const { marks } = choose([
      { offset: 0, distance: ms(20) },
      { offset: ms(1), distance: ms(10) },
      { offset: ms(8), distance: ms(20) },
      { offset: ms(0.5), distance: ms(40) },
      { offset: ms(-7), distance: ms(20), stratum: 3 },
    ])
    expect(marks).toEqual([Mark.Combined, Mark.Best, Mark.Outlier, Mark.Combined, Mark.Outlier])
    // (0/20 + 1/10 + 0.5/40) / (1/20 + 1/10 + 1/40) ms
    expect(Math.abs(Number(x['selectedUtc']() - BASE) - 642_857)).toBeLessThan(50)
  })

  it('believes a leap second when more than half announce it', () => {
    const at = (leap: number): Server => ({ offset: 0, distance: ms(1), leap })
    choose([at(1), at(1), at(0)])
    expect(x['selectedLeap']()).toBe(1)
    choose([at(1), at(0), at(0)])
    expect(x['selectedLeap']()).toBe(0)
    choose([at(2), at(2), at(1)])
    expect(x['selectedLeap']()).toBe(2)
  })

  it('leaves out who is further than a second and a half from its root', () => {
    expect(choose([{ offset: 0, distance: ms(1600) }]).marks).toEqual([Mark.Unusable])
  })

  it('never loses the truth while more than half hold it, and its interval lies in theirs', () => {
    const random = generator(7)
    for (let round = 0; round < 3000; round++) {
      const count = 1 + Math.floor(random() * 5)
      const liars = Math.floor(random() * Math.ceil(count / 2))
      const servers: Server[] = []
      for (let i = 0; i < count; i++) {
        const distance = ms(0.3 + random() * 50)
        const error = i < liars ? ms((random() - 0.5) * 4000) : (random() * 2 - 1) * distance * 0.999
        servers.push({ offset: error, distance, jitter: Math.floor(random() * 1e5) })
      }
      const { majority } = choose(servers)
      // More than half hold the truth, so they overlap.
      expect(majority).toBe(true)
      const [low, high] = [Number(x['low']() - BASE), Number(x['high']() - BASE)]
      // Liars may lie alike, and near the truth: the interval holds it for certain only when there is none.
      if (liars === 0) expect(low <= 1 && high >= -1, `${low} ${high}`).toBe(true)
      expect(low <= high).toBe(true)
      expect(Number(x['selectedUtc']() - BASE)).toBeLessThanOrEqual(high + 1)
      expect(Number(x['selectedUtc']() - BASE)).toBeGreaterThanOrEqual(low - 1)
    }
  })

  it('gives the same verdict whatever the order of honest and lying servers', () => {
    const honest = { offset: 0, distance: ms(1) }
    const liar = { offset: ms(300), distance: ms(1) }
    for (const order of [
      [honest, honest, liar],
      [honest, liar, honest],
      [liar, honest, honest],
    ]) {
      const { marks } = choose(order)
      for (const [i, server] of order.entries()) expect(marks[i] === Mark.Falseticker).toBe(server === liar)
    }
  })
})

describe('the poll interval', () => {
  it('begins with a burst, two seconds apart, that four good answers end', () => {
    x['startPoll'](4, 10)
    const waits: number[] = []
    for (let i = 0; i < 6; i++) {
      waits.push(Number(x['delayPoll'](0) / SECOND))
      x['goodPoll'](true)
    }
    expect(waits).toEqual([2, 2, 2, 2, 16, 16])
  })

  it('grows to its end while answers are as expected, and shrinks when they are not', () => {
    x['startPoll'](4, 10)
    for (let i = 0; i < 60; i++) x['goodPoll'](true)
    expect(x['pollNow']()).toBe(10)
    for (let i = 0; i < 60; i++) x['goodPoll'](false)
    expect(x['pollNow']()).toBe(4)
  })

  it('grows slowly while nobody answers', () => {
    x['startPoll'](4, 10)
    for (let i = 0; i < 8; i++) {
      x['delayPoll'](0)
      x['missedPoll']()
    }
    expect(x['pollNow']()).toBe(4)
    for (let i = 0; i < 8; i++) x['missedPoll']()
    expect(x['pollNow']()).toBe(5)
    for (let i = 0; i < 80; i++) x['missedPoll']()
    expect(x['pollNow']()).toBe(10)
  })

  it('is never shortened by chance, and lengthened by a sixteenth at most', () => {
    x['startPoll'](6, 6)
    for (let i = 0; i < 8; i++) x['goodPoll'](true)
    for (const random of [0, 1, 0x7fff_ffff, 0xffff_ffff]) {
      const wait = x['delayPoll'](random) as bigint
      expect(wait >= 64n * SECOND && wait <= 68n * SECOND).toBe(true)
    }
  })

  it('keeps within what a configuration may ask for', () => {
    for (const [least, most] of [
      [-5, 3],
      [3, 40],
      [9, 2],
    ] as const) {
      x['startPoll'](least, most)
      for (let i = 0; i < 200; i++) {
        x['goodPoll'](true)
        expect(x['pollNow']()).toBeGreaterThanOrEqual(Math.max(0, least))
        expect(x['pollNow']()).toBeLessThanOrEqual(17)
      }
    }
  })
})
