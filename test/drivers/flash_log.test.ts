import { crc32 } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { NOR_SECTOR, NorFlash, NorFlashHost } from '../../sim/chips/nor_flash'
import { Random } from '../../sim/world/random'
import { compileEntry } from '../support/firmware'

class NoHost extends NorFlashHost {
  changed(): void {}
}

/** A log mounted on a flash, with a model of what it must hold. */
class Bench {
  readonly truth = new Map<number, Uint8Array>()
  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  readonly log: Record<string, any>
  private readonly memory: WebAssembly.Memory
  private readonly at: number

  constructor(readonly flash: NorFlash) {
    const bytes = (address: number, length: number) => new Uint8Array(this.memory.buffer, address, length)
    const instance = new WebAssembly.Instance(module, {
      abi: {
        flash_size: () => flash.bytes.length,
        flash_read: (offset: number, out: number, length: number) => flash.read(offset, bytes(out, length), length),
        flash_write: (offset: number, data: number, length: number) =>
          flash.program(offset, bytes(data, length), length),
        flash_erase: (offset: number) => flash.erase(offset),
      },
    })
    this.log = instance.exports
    this.memory = instance.exports['memory'] as WebAssembly.Memory
    this.at = this.log['buffer']()
    this.mounted = this.log['logMount']() === 1
  }

  readonly mounted: boolean

  read(key: number): Uint8Array | undefined {
    const length = this.log['logRead'](key, this.at, 8192)
    return length < 0 ? undefined : new Uint8Array(this.memory.buffer).slice(this.at, this.at + length)
  }

  /** Writes without upkeep. */
  tryWrite(key: number, value: Uint8Array): boolean {
    new Uint8Array(this.memory.buffer).set(value, this.at)
    return this.log['logWrite'](key, this.at, value.length) === 1
  }

  /** As main does: upkeep first. */
  write(key: number, value: Uint8Array): boolean {
    this.maintain()
    const done = this.tryWrite(key, value)
    if (done) this.truth.set(key, value)
    return done
  }

  maintain(): number {
    let rounds = 0
    while (this.log['logMaintain']() === 1) if (++rounds > 2000) throw new Error('upkeep does not end')
    return rounds
  }
}

let module: WebAssembly.Module
beforeAll(async () => {
  module = new WebAssembly.Module(
    (await compileEntry(new URL('./flash_log.entry.ts', import.meta.url), 'checked')) as BufferSource,
  )
})

function makeFlash(sectors = 4): NorFlash {
  return new NorFlash(new NoHost(), sectors * NOR_SECTOR)
}

/** Another part with the same contents. */
function clone(flash: NorFlash): NorFlash {
  const copy = new NorFlash(new NoHost(), flash.bytes.length)
  copy.bytes.set(flash.bytes)
  return copy
}

function value(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  random.fill(bytes)
  return bytes
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0
}

describe('the flash log', () => {
  it('computes the CRC-32 that everybody computes', () => {
    const bench = new Bench(makeFlash())
    const at = bench.log['buffer']()
    const text = new TextEncoder().encode('123456789')
    new Uint8Array(bench.log['memory'].buffer).set(text, at)
    expect(bench.log['crc32'](at, 9, 0) >>> 0).toBe(0xcbf43926)
    expect(bench.log['crc32'](at, 9, 0) >>> 0).toBe(crc32(text))
  })

  it('is_empty_on_a_blank_flash_and_on_a_foreign_one', () => {
    expect(new Bench(makeFlash()).read(1)).toBeUndefined()
    const foreign = makeFlash()
    new Random(5).fill(foreign.bytes)
    const bench = new Bench(foreign)
    expect(bench.read(1)).toBeUndefined()
    expect(bench.write(1, Uint8Array.of(1, 2, 3))).toBe(true)
    expect(bench.read(1)).toEqual(Uint8Array.of(1, 2, 3))
  })

  it('refuses_a_flash_of_less_than_four_sectors', () => {
    const bench = new Bench(makeFlash(3))
    expect(bench.mounted).toBe(false)
    expect(bench.tryWrite(1, Uint8Array.of(1))).toBe(false)
  })

  it('keeps_values_over_a_restart', () => {
    const flash = makeFlash()
    const first = new Bench(flash)
    expect(first.write(7, Uint8Array.of(1, 2, 3, 4, 5))).toBe(true)
    expect(first.write(8, new Uint8Array(0))).toBe(true)
    const second = new Bench(flash)
    expect(second.read(7)).toEqual(Uint8Array.of(1, 2, 3, 4, 5))
    expect(second.read(8)).toEqual(new Uint8Array(0))
    expect(second.read(9)).toBeUndefined()
    expect(second.log['logLength'](7)).toBe(5)
  })

  it('refuses_values_that_are_too_long_keys_too_many_and_what_would_overfill_it', () => {
    const bench = new Bench(makeFlash())
    expect(bench.write(1, new Uint8Array(3073))).toBe(false)
    expect(bench.write(0xffff, new Uint8Array(1))).toBe(false)
    expect(bench.write(1, new Uint8Array(3072))).toBe(true)
    expect(bench.write(2, new Uint8Array(3072))).toBe(false)
    expect(bench.log['logSpare']()).toBe(bench.log['logCapacity']() - 3084)
    for (let key = 10; key < 25; key++) expect(bench.write(key, Uint8Array.of(key))).toBe(true)
    expect(bench.write(25, Uint8Array.of(1))).toBe(false)
    expect(bench.write(24, Uint8Array.of(2))).toBe(true)
  })

  it('never_programs_a_0_to_a_1_and_wears_all_sectors_alike', () => {
    const flash = makeFlash(6)
    const bench = new Bench(flash)
    const random = new Random(11)
    for (let i = 0; i < 1500; i++) {
      const key = random.u32() % 5
      expect(bench.write(key, value(random, random.u32() % 900)), `write ${i}`).toBe(true)
    }
    for (const [key, bytes] of bench.truth) expect(bench.read(key)).toEqual(bytes)
    expect(flash.illegalPrograms).toBe(0)
    const erases = [...flash.erases]
    expect(Math.min(...erases)).toBeGreaterThan(20)
    expect(Math.max(...erases) - Math.min(...erases)).toBeLessThanOrEqual(2)
  })

  it('takes_every_value_that_fits_whatever_the_sizes', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = new Random(seed, 'sizes')
      const bench = new Bench(makeFlash(4 + (seed % 5)))
      for (let i = 0; i < 150; i++) {
        const key = random.u32() % 6
        const length = [4, 60, 700, 2040, 2050, 3072][random.u32() % 6]!
        const fits = bench.log['logFits'](key, length) === 1
        expect(bench.write(key, value(random, length)), `seed ${seed} write ${i}`).toBe(fits)
      }
      for (const [key, bytes] of bench.truth) expect(bench.read(key)).toEqual(bytes)
    }
  })

  it('survives_a_power_cut_at_every_byte', () => {
    // A log with all that can be under way: values of several sizes, sectors to copy, retire and erase.
    const flash = makeFlash(4)
    const before = new Bench(flash)
    const random = new Random(3)
    for (let i = 0; i < 22; i++) before.write(i % 4, value(random, [300, 21, 700, 90][i % 4]!))
    const script = [2, 0, 1, 3, 2, 0, 2, 2, 0, 2].map((key, i) => ({ key, bytes: value(random, 40 + 130 * i) }))

    const rehearsal = clone(flash)
    const bench = new Bench(rehearsal)
    for (const { key, bytes } of script) expect(bench.write(key, bytes)).toBe(true)
    const total = rehearsal.programmed
    expect(rehearsal.erases.reduce((a, b) => a + b, 0)).toBeGreaterThan(0)

    for (let cut = 0; cut <= total; cut++) cutOnce(flash, before.truth, script, cut)
    console.log(`flash log: a cut at each of ${total} bytes of programming and erasing`)
  })

  it('survives_cut_after_cut_in_its_recovery', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new Random(seed, 'cuts')
      const flash = makeFlash(4)
      let truth = new Map<number, Uint8Array>()
      for (let life = 0; life < 25; life++) {
        const bench = new Bench(flash)
        for (const [key, bytes] of truth) expect(same(bench.read(key), bytes), `seed ${seed} life ${life}`).toBe(true)
        for (const [key, bytes] of truth) bench.truth.set(key, bytes)
        flash.cutAfter(random.u32() % 9000)
        for (let i = 0; i < 12 && flash.powered; i++) {
          const key = random.u32() % 4
          const bytes = value(random, random.u32() % 800)
          const old = bench.truth.get(key)
          if (bench.write(key, bytes) || flash.powered) continue
          // The cut value is the old one or the new one, and stays what it is.
          flash.restorePower()
          const found = new Bench(clone(flash)).read(key)
          expect(same(found, old) || same(found, bytes), `seed ${seed} life ${life}`).toBe(true)
          if (found !== undefined) bench.truth.set(key, found)
          flash.powered = false
        }
        flash.restorePower()
        truth = bench.truth
      }
      expect(flash.illegalPrograms).toBe(0)
    }
  })
})

interface Write {
  key: number
  bytes: Uint8Array
}

/** Runs the script with a cut, then mounts again: every committed value is there, the cut one is old or new. */
function cutOnce(start: NorFlash, truth: Map<number, Uint8Array>, script: Write[], cut: number): void {
  const flash = clone(start)
  const bench = new Bench(flash)
  for (const [key, bytes] of truth) bench.truth.set(key, bytes)
  flash.cutAfter(cut)
  let torn: Write | undefined
  for (const write of script) {
    if (!bench.write(write.key, write.bytes)) {
      torn = write
      break
    }
  }
  flash.restorePower()
  const after = new Bench(flash)
  for (const [key, bytes] of bench.truth) {
    const found = after.read(key)
    const ok = same(found, bytes) || (torn?.key === key && same(found, torn.bytes))
    if (!ok) throw new Error(`cut at ${cut}: key ${key} is lost`)
  }
  if (flash.illegalPrograms !== 0) throw new Error(`cut at ${cut}: programmed a 0 to a 1`)
  // The log goes on working.
  const last = Uint8Array.of(cut & 255, 1, 2)
  if (!after.write(1, last) || !same(after.read(1), last)) throw new Error(`cut at ${cut}: cannot write any more`)
}
