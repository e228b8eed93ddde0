// What the RTC is believed at boot, with what bound; what it teaches; and what is kept in flash for it.

import { describe, expect, it } from 'vitest'
import { Random } from '../../sim/world/random'
import { Bench, DAY, HOUR, ORIGIN, RESTORED, Rtc, UNKNOWN, VOUCHED, YEAR } from './rtc_bench'

const DONE = 0
const ABSENT = 1
const STOPPED = 2
const UNMARKED = 4
const OLD = 5
const BEHIND = 6
const BEFORE_BUILD = 7
const BUILD_SECOND = 1_767_225_600n

/** A device that has had the time for `seconds`. */
async function device(rtc: Rtc, seconds = 60, sqw = true): Promise<Bench> {
  const bench = new Bench(rtc)
  bench.sqw = sqw
  await bench.powerOn()
  expect(bench.follow(seconds)).toBe(VOUCHED)
  return bench
}

/** Restored, and true within the bound; then again when the phase is known. Returns the bound. */
function expectRestored(bench: Bench): number {
  expect(bench.fw['state']()).toBe(RESTORED)
  const first = bench.error()
  expect(Math.abs(first.error)).toBeLessThan(first.bound)
  bench.idle(20)
  const then = bench.error()
  expect(Math.abs(then.error)).toBeLessThan(then.bound)
  expect(then.bound).toBeLessThan(first.bound - 0.49)
  return then.bound
}

describe('the RTC at boot', () => {
  it.each([true, false])('gives the time within a bound that holds, square wave: %s', async (sqw) => {
    for (const off of [1, 60, HOUR, 3 * DAY]) {
      const bench = await device(new Rtc({ ppm: 1.7 }), 60, sqw)
      expect(await bench.powerOn(off)).toBe(DONE)
      const bound = expectRestored(bench)
      // Set within 0.7 ms, 7 ppm by the data sheet, and the crystal's 50 ppm since the boot.
      expect(bound).toBeLessThan(0.002 + 7e-6 * (off + 60) + 20 * 50e-6)
    }
  })

  it('three years old, with a good battery, gives it within minutes', async () => {
    for (const ppm of [-3, -1.2, 0.4, 3.4]) {
      const bench = await device(new Rtc({ ppm, ageing: ppm / 4 }))
      expect(await bench.powerOn(3 * YEAR)).toBe(DONE)
      const bound = expectRestored(bench)
      expect(bound).toBeGreaterThan(60)
      // 8.5 ppm, and six leap seconds.
      expect(bound).toBeLessThan(14 * 60)
    }
  })

  it('is not believed when nobody answers, or when it has stood still', async () => {
    const bench = await device(new Rtc())
    bench.rtc.present = false
    expect(await bench.powerOn(60)).toBe(ABSENT)
    bench.rtc.present = true
    expect(await bench.powerOn(60)).toBe(DONE)
    bench.rtc.registers[0x0f] = 0x88
    expect(await bench.powerOn(60)).toBe(STOPPED)
    expect(bench.fw['state']()).toBe(UNKNOWN)
  })

  it('is not believed when it does not say when it was set', async () => {
    const bench = await device(new Rtc())
    bench.rtc.registers[0x08] ^= 1
    expect(await bench.powerOn(60)).toBe(UNMARKED)
    expect(bench.fw['state']()).toBe(UNKNOWN)
  })

  it('is not believed before its mark, before the last known good time, nor before the firmware was made', async () => {
    const bench = await device(new Rtc())
    const known = bench.fw['lastUtc']()
    bench.rtc.shift(-DAY)
    expect(await bench.powerOn(60)).toBe(BEHIND)
    expect(bench.fw['state']()).toBe(UNKNOWN)
    // Certificates that ended before that have surely expired.
    expect(bench.fw['floor']()).toBeGreaterThan(known - 3n)
    expect(bench.fw['floor']()).toBeLessThanOrEqual(known)

    // A part with a mark of its own, of last year.
    const other = await device(new Rtc())
    other.rtc.shift(-YEAR)
    mark(other.rtc, ORIGIN - YEAR)
    expect(await other.powerOn(60)).toBe(BEHIND)

    const old = new Bench(new Rtc())
    const year2020 = 1_577_836_800
    old.rtc.shift(year2020 - 946_684_800)
    old.rtc.registers[0x0f] = 0
    mark(old.rtc, year2020)
    expect(await old.powerOn(60)).toBe(BEFORE_BUILD)
    expect(old.fw['state']()).toBe(UNKNOWN)
    expect(old.fw['floor']()).toBe(BUILD_SECOND)
  })

  it('is not believed when it was set longer ago than a battery lasts', async () => {
    const bench = await device(new Rtc())
    expect(await bench.powerOn(11 * YEAR)).toBe(OLD)
  })

  it('is believed when it came from another device, but not what was learnt of the one before', async () => {
    const bench = await device(new Rtc({ ppm: 1.5 }), 12 * HOUR)
    expect(bench.fw['samples']()).toBeGreaterThan(8)
    // That one was set half a day before ours had the time for the last time.
    mark(bench.rtc, ORIGIN + 100)
    expect(await bench.powerOn(DAY)).toBe(DONE)
    expect(bench.fw['samples']()).toBe(0)
    const bound = expectRestored(bench)
    expect(bound).toBeGreaterThan(7e-6 * DAY)
  })

  it('allows for a leap second that passed while it was off', async () => {
    const bench = await device(new Rtc({ ppm: 0.2 }))
    // From March to July.
    const off = 120 * DAY
    bench.rtc.shift(1)
    bench.leaps = 1
    expect(await bench.powerOn(off)).toBe(DONE)
    expectRestored(bench)
    // It is no drift: at the next comparison the part is set, and nothing is learnt.
    const { samples } = bench.fw as { samples: () => number }
    const before = samples()
    expect(bench.follow(60)).toBe(VOUCHED)
    expect(bench.fw['settings']()).toBe(1)
    expect(samples()).toBe(before)
    expect(Math.abs(bench.rtc.offset(bench.t) + 1)).toBeLessThan(0.002)
  })

  it('is warmer or colder than 0 to 40 degrees: the bound is wider', async () => {
    const bounds: number[] = []
    for (const degrees of [23, 60, -15]) {
      const bench = await device(new Rtc({ ppm: 1.5, degrees }))
      expect(await bench.powerOn(DAY)).toBe(DONE)
      bounds.push(expectRestored(bench))
    }
    expect(bounds[1]! - bounds[0]!).toBeCloseTo(1.5e-6 * DAY, 2)
    expect(bounds[2]! - bounds[0]!).toBeCloseTo(1.5e-6 * DAY, 2)
  })
})

/** Writes the mark as ds3231.ts does. */
function mark(rtc: Rtc, posix: number): void {
  const since = posix - 946_684_800
  const check = Math.imul(since ^ 0x4e4d_4b31, 0x9e37_79b1) >>> 8
  for (let i = 0; i < 4; i++) rtc.registers[7 + i] = since >>> (8 * i)
  for (let i = 0; i < 3; i++) rtc.registers[11 + i] = check >>> (8 * i)
}

describe('the RTC while the time is known', () => {
  it.each([true, false])('teaches its drift in hours, square wave: %s', async (sqw) => {
    for (const ppm of [-1.8, -0.3, 0.05, 1.9]) {
      const bench = await device(new Rtc({ ppm }), 30 * HOUR, sqw)
      expect(bench.fw['samples']()).toBeGreaterThan(25)
      const off = Math.abs(bench.fw['drift']() / 1e6 - ppm)
      expect(off).toBeLessThan(sqw ? 0.02 : 0.15)
      expect(off * 1e6).toBeLessThan(3 * bench.fw['spread']())
    }
  })

  it('is measured again after the power was off: a long time alone teaches, too', async () => {
    const bench = await device(new Rtc({ ppm: 1.25 }))
    for (let i = 0; i < 5; i++) {
      await bench.powerOn(2 * HOUR)
      bench.follow(60)
    }
    expect(bench.fw['samples']()).toBe(5)
    expect(bench.fw['drift']() / 1e6).toBeCloseTo(1.25, 1)
  })

  it('learnt over ten days: the bound is narrower, and holds for forty parts', async () => {
    const ratios: number[] = []
    const used: number[] = []
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed, 'rtc')
      const draw = (most: number) => (2 * random.uniform() - 1) * most
      const rtc = new Rtc({ ppm: draw(2), wave: draw(0.2), ageing: draw(1) })
      const bench = await device(rtc, 10 * DAY, seed % 2 === 0)
      const off = Math.exp(Math.log(HOUR) + random.uniform() * Math.log((2 * YEAR) / HOUR))
      expect(await bench.powerOn(off), `seed ${seed}`).toBe(DONE)
      const bound = expectRestored(bench)
      used.push(Math.abs(bench.error().error) / bound)
      if (off > DAY && off < 30 * DAY) ratios.push(bound / (7e-6 * off))
    }
    used.sort((a, b) => a - b)
    console.log(
      `learnt: bound ${Math.max(...ratios).toFixed(2)} of the data sheet's at most; ` +
        `error ${used[20]!.toFixed(2)} of its bound in the median, ${used[39]!.toFixed(2)} at most`,
    )
    // A month's turn allows for a second.
    expect(Math.min(...ratios)).toBeLessThan(0.3)
    expect(used[39]).toBeLessThan(1)
  }, 60_000)

  it('is neither set nor recorded while sky and servers disagree', async () => {
    const bench = new Bench(new Rtc())
    await bench.powerOn()
    bench.follow(2)
    bench.fw['alarm']()
    expect(bench.follow(HOUR)).toBe(VOUCHED)
    expect(bench.fw['settings']()).toBe(0)
    expect(bench.fw['writes']()).toBe(0)
  })

  it('need not be there for the last known good time to be kept', async () => {
    const rtc = new Rtc()
    rtc.present = false
    const bench = await device(rtc, 3 * HOUR)
    expect(bench.fw['writes']()).toBe(3)
    expect(await bench.powerOn(DAY)).toBe(ABSENT)
    expect(Number(bench.fw['floor']()) - ORIGIN).toBeGreaterThan(2 * HOUR)
  })
})

describe('the last known good time in flash', () => {
  it('is written 24 times a day, 52 bytes each, and wears sixteen sectors evenly', async () => {
    const bench = await device(new Rtc({ ppm: 1 }), 60)
    const before = bench.flash.programmed
    const written = bench.fw['writes']()
    expect(written).toBe(1)
    bench.follow(30 * DAY)
    const records = bench.fw['writes']() - written
    expect(records).toBeGreaterThan(715)
    expect(records).toBeLessThanOrEqual(720)
    // With the heads of sectors and what is moved from one to the next.
    const bytes = (bench.flash.programmed - before) / records
    const erases = bench.flash.erases.reduce((sum, count) => sum + count, 0)
    console.log(`${records} records in 30 days, ${bytes.toFixed(1)} bytes each, ${erases} erases`)
    expect(bytes).toBeGreaterThanOrEqual(52)
    expect(bytes).toBeLessThan(53)
  })

  it('is not written again by a lock that comes and goes, nor by a boot soon after', async () => {
    const bench = await device(new Rtc(), 60)
    expect(bench.fw['writes']()).toBe(1)
    for (let i = 0; i < 5; i++) {
      await bench.powerOn(20)
      bench.follow(30)
      expect(bench.fw['writes']()).toBe(0)
    }
  })

  it('torn or nonsense is as if it were not there: the RTC alone is believed', async () => {
    const bench = await device(new Rtc({ ppm: 1.1 }), 8 * HOUR)
    const sound = bench.flash.bytes.slice()
    expect(await bench.powerOn(60)).toBe(DONE)
    expect(bench.fw['samples']()).toBeGreaterThan(4)
    // The records begin behind the sector's head, each with a head of 12 bytes; single bits, and whole records of noise.
    const random = new Random(7, 'noise')
    for (let i = 0; i < 200; i++) {
      bench.flash.bytes.set(sound)
      const at = Math.floor(random.uniform() * 12 * 52)
      if (i % 2) bench.flash.bytes[at] = bench.flash.bytes[at]! ^ (1 << (i % 8))
      else for (let k = 0; k < 60; k++) bench.flash.bytes[at + k] = Math.floor(random.uniform() * 256)
      const status = await bench.powerOn(60)
      expect([DONE, BEHIND]).toContain(status)
      if (status !== DONE) continue
      const { error, bound } = bench.error()
      expect(Math.abs(error)).toBeLessThan(bound)
    }
  })

  it('wherever power fails, the next boot is told no lie', async () => {
    let boots = 0
    const unknown = { first: 0, hour: 0, far: 0 }
    // The first setting; the comparison after an hour, which sets it by 7 ms; one that sets it by two minutes.
    for (const story of ['first', 'hour', 'far'] as const) {
      for (const what of ['bus', 'flash'] as const) {
        for (let after = 0; ; after++) {
          const bench = new Bench(new Rtc({ ppm: 2 }))
          await bench.powerOn()
          if (story !== 'first') bench.follow(HOUR)
          if (story === 'far') {
            bench.rtc.shift(-120)
            bench.rtc.cutAfter = Number.POSITIVE_INFINITY
          }
          if (what === 'bus') bench.rtc.cutAfter = after
          else bench.flash.cutAfter(after)
          let cut = false
          try {
            bench.follow(60)
          } catch {
            cut = true
          }
          if (!cut) break
          const status = await bench.powerOn(300)
          boots++
          if (status !== DONE) {
            unknown[story]++
            expect(bench.fw['state']()).toBe(UNKNOWN)
          } else {
            const { error, bound } = bench.error()
            // A part that somebody has moved by two minutes behind our back says so to nobody.
            const moved = story === 'far' && Math.abs(error + 120) < bound
            if (!moved) expect(Math.abs(error), `${story} ${what} ${after}`).toBeLessThan(bound)
          }
          expect(bench.follow(60)).toBe(VOUCHED)
          expect(await bench.powerOn(60)).toBe(DONE)
        }
      }
    }
    console.log(`${boots} power cuts; boots without a time: ${JSON.stringify(unknown)}`)
    expect(boots).toBeGreaterThan(200)
    // A part that was right is lost only by a mark that is torn: two marks of seven bytes.
    expect(unknown.hour).toBeLessThanOrEqual(14)
  }, 60_000)
})

/** 2027-04-01T00:00:00Z, and where that is in the bench's time. */
const APRIL = 1_806_537_600
const MIDNIGHT = APRIL - ORIGIN

describe('a leap second that was announced', () => {
  /** A device that heard of it, and lost its power at `t`. */
  async function told(change: number, t: number, part = {}, midnight = APRIL, sqw = true): Promise<Bench> {
    const bench = await device(new Rtc(part), 30, sqw)
    bench.fw['serversSay'](3)
    bench.fw['announce'](bench.ticks(), 37, BigInt(midnight), change)
    if (t > bench.t) bench.follow(t - bench.t)
    return bench
  }
  const knows = (bench: Bench) => [bench.fw['tai'](bench.ticks()), Number(bench.fw['knownLeap']())]

  it.each([
    [1, true],
    [1, false],
    [-1, true],
  ])('and passed while the power was off is taken off: %i, square wave %s', async (change, sqw) => {
    for (const off of [3, HOUR, 3 * DAY, 20 * DAY]) {
      const bench = await told(change, MIDNIGHT - 3600, { ppm: 1.7 }, APRIL, sqw)
      bench.leaps = change
      expect(await bench.powerOn(3600 + off)).toBe(DONE)
      const bound = expectRestored(bench)
      expect(bound).toBeLessThan(0.003 + 7e-6 * (off + 2 * HOUR) + 20 * 50e-6)
      // The next half second folds the scale.
      bench.fw['sync'](bench.ticks())
      expect(Math.abs(bench.error().error)).toBeLessThan(bound)
      bench.idle(15)
      bench.fw['sync'](bench.ticks())
      expect(Math.abs(bench.error().error)).toBeLessThan(bound)
      expect(knows(bench)).toEqual([37 + change, APRIL])
      expect(Number(bench.fw['armedLeap']())).toBe(0)
      // The part is set right, and what was a second is not taken for drift.
      const { samples } = bench.fw as { samples: () => number }
      const before = samples()
      expect(bench.follow(60)).toBe(VOUCHED)
      expect(samples()).toBe(before)
      expect(Math.abs(bench.rtc.offset(bench.t) + change)).toBeLessThan(0.002)
      // What is known of it is known at the next boot, too, and it is not taken off again.
      expect(await bench.powerOn(600)).toBe(DONE)
      expectRestored(bench)
      expect(knows(bench)).toEqual([37 + change, APRIL])
    }
  })

  it('and passes soon after the power came back is gone through', async () => {
    for (const before of [30, 3, 0.7]) {
      const bench = await told(1, MIDNIGHT - 3600)
      expect(await bench.powerOn(3600 - before)).toBe(DONE)
      bench.idle(before + 1.4 - 1)
      expect(bench.error().error).toBeLessThan(bench.error().bound)
      // 23:59:60 is over.
      bench.idle(20)
      bench.leaps = 1
      bench.fw['sync'](bench.ticks())
      const then = bench.error()
      expect(Math.abs(then.error)).toBeLessThan(then.bound)
      expect(then.bound).toBeLessThan(before > 1 ? 0.05 : 1.1)
      expect(knows(bench)).toEqual([38, APRIL])
    }
  })

  it('is doubted only while the time may lie on either side of it', async () => {
    const ages = [-40, -1, -0.4, 0.2, 0.9, 1.5, 8, 11, 40]
    for (const age of ages) {
      // Three weeks make 16 s of doubt.
      const bench = await told(1, 700, { ppm: -3 }, APRIL)
      const off = MIDNIGHT + age - bench.t
      bench.leaps = age >= 1 ? 1 : 0
      expect(await bench.powerOn(off)).toBe(DONE)
      const { error, bound } = bench.error()
      if (age < 0 || age >= 1) expect(Math.abs(error), `${age} s`).toBeLessThan(bound)
      expect(bound).toBeLessThan(Math.abs(age) > 20 ? 14.7 : 15.7)
    }
  })

  it('and lies ahead is announced again, to the day; servers that deny it are believed', async () => {
    const bench = await told(1, 700)
    expect(await bench.powerOn(MIDNIGHT - 3 * DAY)).toBe(DONE)
    expect(knows(bench)).toEqual([37, APRIL])
    bench.fw['serversSay'](3)
    bench.follow(DAY)
    expect(bench.fw['indicator'](bench.ticks())).toBe(0)
    bench.follow(MIDNIGHT - HOUR - bench.t)
    expect(bench.fw['indicator'](bench.ticks())).toBe(1)
    expect(await bench.powerOn(60)).toBe(DONE)
    // A restored time is not served.
    expect(bench.fw['indicator'](bench.ticks())).toBe(3)
    bench.fw['serversSay'](3)
    bench.follow(60)
    expect(bench.fw['indicator'](bench.ticks())).toBe(1)
    bench.fw['serversSay'](0)
    bench.follow(60)
    expect(bench.fw['indicator'](bench.ticks())).toBe(0)
    expect(Number(bench.fw['armedLeap']())).toBe(0)
  })

  it('survives a battery that died', async () => {
    const bench = await told(-1, 700)
    bench.rtc.loseBattery()
    expect(await bench.powerOn(HOUR)).toBe(STOPPED)
    expect(bench.fw['state']()).toBe(UNKNOWN)
    bench.fw['serversSay'](3)
    bench.follow(MIDNIGHT - HOUR - bench.t)
    expect(bench.fw['indicator'](bench.ticks())).toBe(2)
  })

  it('is taken off the RTC seconds after it has passed, and the mark is from after it', async () => {
    const bench = await told(1, MIDNIGHT - 120)
    const settings = bench.fw['settings']()
    bench.follow(MIDNIGHT - bench.t)
    expect(bench.fw['settings']()).toBe(settings)
    bench.leaps = 1
    bench.follow(40)
    expect(bench.fw['settings']()).toBe(settings + 1)
    expect(Math.abs(bench.rtc.offset(bench.t) + 1)).toBeLessThan(0.002)
    expect(Number(bench.fw['lastUtc']())).toBeGreaterThan(APRIL)
    expect(await bench.powerOn(600)).toBe(DONE)
    expectRestored(bench)
    expect(knows(bench)).toEqual([38, APRIL])
  })

  it.each([1, -1])('is no reason for a lie wherever power fails while the part is set after it: %i', async (change) => {
    let restored = 0
    let unknown = 0
    for (const what of ['bus', 'flash'] as const) {
      for (let after = 0; ; after++) {
        const bench = await told(change, 700)
        await bench.powerOn(MIDNIGHT - 900 - bench.t)
        bench.fw['serversSay'](3)
        bench.follow(MIDNIGHT - bench.t - (change < 0 ? 1 : 0))
        bench.leaps = change
        if (what === 'bus') bench.rtc.cutAfter = after
        else bench.flash.cutAfter(after)
        let cut = false
        try {
          bench.follow(40)
        } catch {
          cut = true
        }
        if (!cut) break
        if ((await bench.powerOn(300)) !== DONE) {
          unknown++
          continue
        }
        restored++
        const { error, bound } = bench.error()
        expect(Math.abs(error), `${what} ${after}`).toBeLessThan(bound)
        expect(bound).toBeLessThan(0.7)
        bench.fw['sync'](bench.ticks())
        expect(knows(bench)).toEqual([37 + change, APRIL])
      }
    }
    console.log(`leap ${change}: restored after ${restored} cuts, not after ${unknown}`)
    expect(restored).toBeGreaterThan(60)
    // From the mark that is taken away to the new one.
    expect(unknown).toBeLessThan(45)
  })

  it('and was called off is forgotten when the receiver has had the time to know', async () => {
    const bench = await told(1, 700)
    expect(await bench.powerOn(60)).toBe(DONE)
    for (let i = 0; i < 299; i++) bench.fw['announce'](bench.ticks(), 37, 0n, 0)
    expect(knows(bench)).toEqual([37, APRIL])
    bench.fw['announce'](bench.ticks(), 37, 0n, 0)
    expect(knows(bench)).toEqual([37, 0])
    // Heard now, it is dropped after a minute, as ever.
    bench.fw['announce'](bench.ticks(), 37, BigInt(APRIL), -1)
    for (let i = 0; i < 20; i++) bench.fw['announce'](bench.ticks(), 37, 0n, 0)
    expect(knows(bench)).toEqual([37, 0])
  })

  it('is told otherwise by the receiver, at once', async () => {
    const bench = await told(1, 700)
    expect(await bench.powerOn(60)).toBe(DONE)
    bench.fw['announce'](bench.ticks(), 38, BigInt(APRIL + 91 * DAY), -1)
    expect(knows(bench)).toEqual([38, APRIL + 91 * DAY])
  })

  it('and is heard of long after the record was made is kept within minutes', async () => {
    const bench = await device(new Rtc(), 1000)
    bench.fw['serversSay'](3)
    const before = bench.fw['writes']()
    bench.fw['announce'](bench.ticks(), 37, BigInt(APRIL), 1)
    bench.follow(180)
    expect(bench.fw['writes']()).toBe(before + 1)
    // One that wavers does not wear the flash.
    for (let i = 0; i < 20; i++) {
      bench.fw['announce'](bench.ticks(), 37, BigInt(APRIL), i % 2 === 0 ? -1 : 1)
      bench.follow(61)
    }
    expect(bench.fw['writes']()).toBeLessThan(before + 5)
    expect(await bench.powerOn(60)).toBe(DONE)
    expect(knows(bench)[1]).toBe(APRIL)
  })
})

describe('TAI - UTC', () => {
  it('comes back while no leap second can have been missed', async () => {
    const known = async (off: number, announced: number): Promise<number> => {
      const bench = await device(new Rtc(), 30)
      bench.fw['announce'](bench.ticks(), 37, BigInt(announced), announced === 0 ? 0 : 1)
      bench.follow(700)
      expect(await bench.powerOn(off)).toBe(DONE)
      bench.fw['sync'](bench.ticks())
      return bench.fw['tai'](bench.ticks())
    }
    expect(await known(600, 0)).toBe(37)
    expect(await known(10 * DAY, 0)).toBe(37)
    // A month has begun, and nobody has said what with.
    expect(await known(30 * DAY, 0)).toBe(0)
    expect(await known(30 * DAY, APRIL)).toBe(38)
    // None follows within half a year.
    expect(await known(190 * DAY, APRIL)).toBe(38)
    expect(await known(230 * DAY, APRIL)).toBe(0)
  })

  it('is not known from a record of before it was kept, which is read all the same', async () => {
    const bench = await device(new Rtc({ ppm: 1.7 }), 60)
    const bytes = [0, 1, 2, 3].map((at) => bench.fw['recordByte'](at))
    expect(bytes).toEqual([1, 0, 0, 0])
    const known = bench.fw['lastUtc']()
    expect(await bench.powerOn(600)).toBe(DONE)
    expect(bench.fw['lastUtc']()).toBe(known)
    expect(bench.fw['tai'](bench.ticks())).toBe(0)
    expect(expectRestored(bench)).toBeLessThan(0.01)
  })

  it.each([
    ['TAI - UTC of 5 s', 1, 5],
    ['TAI - UTC of 200 s', 1, 200],
    ['a leap second in 1970', 2, 3],
    ['a leap second years ahead', 3, 3],
    ['another version', 0, 2],
  ])('refuses a record with %s, as a whole', async (_, at, byte) => {
    const bench = await device(new Rtc({ ppm: 1.7 }), 60)
    bench.fw['announce'](bench.ticks(), 37, BigInt(APRIL), 1)
    bench.follow(2 * HOUR)
    bench.fw['spoil'](1, 37)
    expect(await bench.powerOn(600)).toBe(DONE)
    expect(bench.fw['lastUtc']()).toBeGreaterThan(0n)
    bench.fw['spoil'](at, byte)
    if (at === 2) bench.fw['spoil'](3, 0)
    expect(await bench.powerOn(600)).toBe(DONE)
    expect(bench.fw['lastUtc']()).toBe(0n)
    expect([bench.fw['tai'](bench.ticks()), bench.fw['knownLeap']()]).toEqual([0, 0n])
  })

  it('allows for a leap second at a month that begins after the boot, unless it knows better', async () => {
    for (const announced of [0, APRIL]) {
      const bench = await device(new Rtc({ ppm: 0.5 }), 30)
      bench.fw['announce'](bench.ticks(), 37, BigInt(announced), announced === 0 ? 0 : 1)
      bench.follow(700)
      expect(await bench.powerOn(MIDNIGHT - 600 - bench.t)).toBe(DONE)
      bench.idle(480)
      const before = bench.error()
      expect(Math.abs(before.error)).toBeLessThan(before.bound)
      bench.idle(125)
      bench.leaps = 1
      const then = bench.error()
      expect(Math.abs(then.error)).toBeLessThan(then.bound)
      expect(then.bound - before.bound).toBeCloseTo(announced === 0 ? 1 : 0, 1)
      bench.fw['sync'](bench.ticks())
      expect(bench.fw['tai'](bench.ticks())).toBe(announced === 0 ? 0 : 38)
      // The next may come in half a year.
      bench.t += 150 * DAY
      bench.idle(1)
      expect(Math.abs(bench.error().error)).toBeLessThan(bench.error().bound)
      expect(bench.error().bound - then.bound).toBeCloseTo(150 * DAY * 50e-6, 0)
    }
  })

  it('allows for the leap seconds of which nobody has told', async () => {
    const bench = await device(new Rtc(), 30)
    const missed = (from: string, to: string, known = '') =>
      bench.fw['missed'](
        ...[from, to, known].map((day) => BigInt(day === '' ? 0 : Date.parse(`${day}T00:00:10Z`) / 1000)),
      )
    expect(missed('2027-03-10', '2027-03-30')).toBe(0)
    expect(missed('2027-03-10', '2027-04-01')).toBe(1)
    expect(missed('2027-03-10', '2027-09-02')).toBe(1)
    expect(missed('2027-03-10', '2027-10-02')).toBe(2)
    expect(missed('2027-03-10', '2027-09-30', '2027-04-01')).toBe(0)
    expect(missed('2027-03-10', '2027-10-01', '2027-04-01')).toBe(1)
    expect(missed('2027-03-10', '2027-06-01', '2027-07-01')).toBe(0)
    // The last one was in January: none before July.
    expect(missed('2027-03-10', '2027-06-30', '2027-01-01')).toBe(0)
    expect(missed('2027-03-10', '2027-07-02', '2027-01-01')).toBe(1)
    expect(missed('2027-03-10', '2028-03-02', '2020-01-01')).toBe(2)
  })
})
