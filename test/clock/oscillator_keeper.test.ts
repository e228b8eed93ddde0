// What was learnt of the crystal goes to flash seldom, and comes back.

import { describe, expect, it } from 'vitest'
import { NOR_SECTOR, NorFlash, NorFlashHost } from '../../sim/chips/nor_flash'
import { type Entry, loadEntry } from '../support/firmware'
import { CrystalWorld, OscillatorBench, UNIX } from './oscillator_world'

const HOUR = 3600

class NoHost extends NorFlashHost {
  changed(): void {}
}

async function boot(flash: NorFlash): Promise<OscillatorBench> {
  const memory = { entry: undefined as Entry | undefined }
  const bytes = (address: number, length: number) => new Uint8Array(memory.entry!.memory.buffer, address, length)
  const entry = await loadEntry(new URL('./oscillator_keeper.entry.ts', import.meta.url), 'release', {
    abi: {
      flash_size: () => flash.bytes.length,
      flash_read: (offset: number, out: number, length: number) => flash.read(offset, bytes(out, length), length),
      flash_write: (offset: number, data: number, length: number) => flash.program(offset, bytes(data, length), length),
      flash_erase: (offset: number) => flash.erase(offset),
    },
  })
  memory.entry = entry
  entry.exports['init']()
  expect(entry.exports['mount']()).toBe(1)
  entry.exports['keeperLoad']()
  return OscillatorBench.on(entry)
}

/** As long as the firmware would: the keeper is asked once a second; once a minute is enough here. */
function learn(bench: OscillatorBench, world: CrystalWorld, from: number, to: number): void {
  for (let t = from; t < to; t += 60) {
    bench.learn(world, t, Math.min(t + 59, to))
    bench.entry.exports['keeperPoll'](BigInt(UNIX + t + 60))
  }
}

const theta = ({ entry }: OscillatorBench) => [0, 1, 2, 3, 4, 5].map((i) => entry.exports['theta'](i) as number)

describe('the keeper of the slow model', () => {
  it('writes_after_two_hours_and_then_every_six', async () => {
    const flash = new NorFlash(new NoHost(), NOR_SECTOR * 16)
    const bench = await boot(flash)
    const world = new CrystalWorld(1, 15 * HOUR)
    learn(bench, world, 30, 2 * HOUR)
    expect(bench.entry.exports['keeperWrites']()).toBe(0)
    learn(bench, world, 2 * HOUR, 3 * HOUR)
    expect(bench.entry.exports['keeperWrites']()).toBe(1)
    learn(bench, world, 3 * HOUR, 8 * HOUR)
    expect(bench.entry.exports['keeperWrites']()).toBe(1)
    learn(bench, world, 8 * HOUR, 14 * HOUR)
    expect(bench.entry.exports['keeperWrites']()).toBe(2)
  })

  it('gives_back_after_a_power_cut_what_it_wrote', async () => {
    const flash = new NorFlash(new NoHost(), NOR_SECTOR * 16)
    const fresh = theta(await boot(flash))
    const before = await boot(flash)
    learn(before, new CrystalWorld(2, 3 * HOUR), 30, 2.3 * HOUR)
    expect(before.entry.exports['keeperWrites']()).toBe(1)
    const after = await boot(flash)
    expect(theta(after)).not.toEqual(fresh)
    // The period of the heating is the true one.
    expect(theta(after)[2]).toBeGreaterThan(1000)
    expect(theta(after)[2]).toBeLessThan(1450)
  })
})
