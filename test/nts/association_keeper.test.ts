// Sessions in flash: whatever happens, no cookie is used twice.

import { describe, expect, it } from 'vitest'
import { type Entry, loadEntry } from '../support/firmware'

const SIZE = 8 * 4096

enum Kept {
  None,
  Loaded,
  Later,
}

interface Keeper {
  entry: Entry
  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  x: Record<string, any>
}

/** A boot over `flash`. `budget`: bytes that can still be programmed before power fails, with an exception. */
async function boot(flash: Uint8Array, power = { budget: Number.POSITIVE_INFINITY }): Promise<Keeper> {
  let memory: WebAssembly.Memory | undefined
  const abi = {
    flash_size: () => SIZE,
    flash_read: (offset: number, out: number, length: number) => {
      new Uint8Array(memory!.buffer).set(flash.subarray(offset, offset + length), out)
      return 0
    },
    flash_write: (offset: number, data: number, length: number) => {
      const bytes = new Uint8Array(memory!.buffer)
      for (let i = 0; i < length; i++) {
        if (power.budget-- <= 0) throw new Error('power')
        flash[offset + i]! &= bytes[data + i]!
      }
      return 0
    },
    flash_erase: (offset: number) => {
      flash.fill(0xff, offset, offset + 4096)
      return 0
    },
  }
  const entry = await loadEntry(new URL('./association_keeper.entry.ts', import.meta.url), 'checked', { abi })
  memory = entry.memory
  expect(entry.exports['logMount']()).toBe(1)
  return { entry, x: entry.exports }
}

function fill({ entry, x }: Keeper, cookies: number, length = 100, first = 1): void {
  x['wipe']()
  entry.write(x['buffer'](), new Uint8Array(64).fill(0x33))
  x['fill'](15, 32)
  for (let i = 0; i < cookies; i++) {
    entry.write(x['buffer'](), new Uint8Array(length).fill(first + i))
    expect(x['put'](length)).toBe(1)
  }
}

/** All cookies of the jar, by their first byte. */
function drain({ entry, x }: Keeper): number[] {
  const all: number[] = []
  while (x['take']() !== 0) all.push(entry.read(x['buffer'](), 1)[0]!)
  return all
}

const blank = (): Uint8Array => new Uint8Array(SIZE).fill(0xff)

describe('a session in flash', () => {
  it('comes back with its keys and the cookies that were set aside, which the jar had given up', async () => {
    const flash = blank()
    const before = await boot(flash)
    fill(before, 8)
    expect(before.x['save'](0, 77)).toBe(1)
    expect(drain(before)).toEqual([4, 5, 6, 7, 8])
    const after = await boot(flash)
    expect(after.x['restore'](0, 77)).toBe(Kept.Loaded)
    expect([after.x['aead'](), after.x['port']()]).toEqual([15, 4123])
    expect(after.entry.read(after.x['keys'](), 64)).toEqual(new Uint8Array(64).fill(0x33))
    expect(drain(after)).toEqual([1, 2, 3])
    expect(after.entry.read(after.x['scratch'](), after.x['scratchSize']()).every((byte) => byte === 0)).toBe(true)
  })

  it('comes back once: the next restart finds no cookies', async () => {
    const flash = blank()
    const before = await boot(flash)
    fill(before, 8)
    before.x['save'](2, 77)
    expect((await boot(flash)).x['restore'](2, 77)).toBe(Kept.Loaded)
    expect((await boot(flash)).x['restore'](2, 77)).toBe(Kept.None)
  })

  it('is nothing for another configuration, another slot, after it was forgotten, or without cookies to spare', async () => {
    const flash = blank()
    const one = await boot(flash)
    fill(one, 8)
    one.x['save'](1, 77)
    expect(one.x['restore'](1, 78)).toBe(Kept.None)
    expect(one.x['restore'](0, 77)).toBe(Kept.None)
    expect(one.x['restore'](9, 77)).toBe(Kept.None)
    expect(one.x['forget'](1)).toBe(1)
    expect(one.x['restore'](1, 77)).toBe(Kept.None)
    fill(one, 4)
    expect(one.x['save'](1, 77)).toBe(0)
    expect(one.x['count']()).toBe(4)
  })

  it('keeps the longest cookies of all five servers', async () => {
    const keeper = await boot(blank())
    for (let slot = 0; slot < 5; slot++) {
      fill(keeper, 5, 192, 10 * slot)
      expect(keeper.x['save'](slot, slot)).toBe(1)
      while (keeper.x['logMaintain']());
    }
    for (let slot = 0; slot < 5; slot++) {
      expect(keeper.x['restore'](slot, slot)).toBe(Kept.Loaded)
      expect(drain(keeper)).toEqual([0, 1, 2].map((i) => 10 * slot + i))
      while (keeper.x['logMaintain']());
    }
  })

  it('is not torn by a power cut at any byte: no cookie is in flash and in use', async () => {
    // The first save needs a sector's head besides the record.
    for (let budget = 0; budget < 420; budget += 13) {
      const flash = blank()
      const before = await boot(flash, { budget })
      fill(before, 8)
      let used: number[] = []
      try {
        before.x['save'](0, 1)
        used = drain(before)
      } catch {
        // Power failed while the record was written: what the jar had was never sent.
      }
      const power = { budget: Number.POSITIVE_INFINITY }
      const after = await boot(flash, power)
      const kept = after.x['restore'](0, 1)
      const back = kept === Kept.Loaded ? drain(after) : []
      expect(back.filter((cookie) => used.includes(cookie))).toEqual([])
    }
  })

  it('does not use its cookies when power fails before flash has let go of them', async () => {
    for (let budget = 0; budget < 130; budget += 3) {
      const flash = blank()
      const before = await boot(flash)
      fill(before, 8)
      before.x['save'](0, 1)
      let used: number[] = []
      try {
        const middle = await boot(flash, { budget })
        if (middle.x['restore'](0, 1) === Kept.Loaded) used = drain(middle)
      } catch {
        // Cut short: nothing was sent.
      }
      const last = await boot(flash)
      const back = last.x['restore'](0, 1) === Kept.Loaded ? drain(last) : []
      expect(back.filter((cookie) => used.includes(cookie))).toEqual([])
    }
  })

  it('of random bytes is nothing, and never traps', async () => {
    const flash = blank()
    let state = 99
    for (let i = 0; i < SIZE; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      flash[i] = state >>> 24
    }
    const keeper = await boot(flash)
    for (let slot = 0; slot < 5; slot++) expect(keeper.x['restore'](slot, 1)).toBe(Kept.None)
  })
})
