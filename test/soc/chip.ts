// The ESP32-C3's peripherals without a processor: a test reads and writes registers as a driver would, and moves time.

import { NorFlash, NorFlashHost } from '../../sim/chips/nor_flash'
import { FlashChip } from '../../sim/soc/flash_chip'
import { type Host, Peripherals } from '../../sim/soc/peripherals'
import type { ResetCause } from '../../sim/soc/rtc_cntl'
import { CYCLE_HZ, TimeBase } from '../../sim/soc/time_base'
import { Crystal } from '../../sim/world/crystal'
import { Random } from '../../sim/world/random'

export const MICRO = CYCLE_HZ / 1e6
export const MILLI = 1000 * MICRO
export const SECOND = CYCLE_HZ

class FlashHost extends NorFlashHost {
  changed(): void {}
}

export class TestChip implements Host {
  /** Cycles of 160 MHz. */
  time = 0
  presented = 0
  readonly resets: ResetCause[] = []
  readonly reports: string[] = []
  perClock = 1
  readonly crystal: Crystal
  readonly nor = new NorFlash(new FlashHost(), 0x2_0000)
  readonly flash = new FlashChip(this.nor)
  readonly peripherals: Peripherals
  private readonly noise = new Random(1, 'noise')

  constructor(crystal: Partial<ConstructorParameters<typeof Crystal>[1]> = {}) {
    const exact = { ppm: 0, tempco: 0, warmUpPpm: 0, ageing: 0, whiteFm: 0, randomWalkFm: 0, startTicks: 0 }
    this.crystal = new Crystal(1, { ...exact, ...crystal })
    const mac = Uint8Array.of(0x02, 0x11, 0x22, 0x33, 0x44, 0x55)
    this.peripherals = new Peripherals(this, { timeBase: new TimeBase(this.crystal), flash: this.flash, mac })
    this.peripherals.reset(1)
  }

  /** A chip whose start-up code has run: watchdogs off, 160 MHz, all clocks on, all resets released. */
  static started(): TestChip {
    const chip = new TestChip()
    chip.put(0x600080a8, 0x50d83aa1)
    chip.put(0x60008090, 0)
    chip.put(0x600080b0, 0x8f1d312a)
    chip.put(0x600080ac, 0x40000000)
    chip.put(0x6001f048, 1 << 22)
    chip.put(0x600c0008, 5)
    chip.put(0x600c0058, 1 << 10)
    chip.put(0x600c0000, 0x80)
    chip.put(0x600c0004, 0)
    chip.put(0x600c0010, 0xffffffff)
    chip.put(0x600c0014, 0xffffffff)
    chip.put(0x600c0018, 0)
    chip.put(0x600c001c, 0)
    return chip
  }

  get(address: number, size = 4): number {
    return this.peripherals.bus.read(address, size)
  }

  put(address: number, value: number, size = 4): void {
    this.peripherals.bus.write(address, value >>> 0, size)
  }

  /** Lets `cycles` pass, event by event. */
  pass(cycles: number): void {
    const end = this.time + cycles
    for (let next = this.peripherals.nextEvent(); next <= end; next = this.peripherals.nextEvent()) {
      this.time = Math.max(this.time, next)
      this.peripherals.advance(this.time)
    }
    this.time = end
  }

  /** Lets time pass until `done`; false when it is not within `cycles`. */
  waitFor(done: () => boolean, cycles = SECOND): boolean {
    for (const end = this.time + cycles; this.time < end; this.pass(MICRO)) if (done()) return true
    return done()
  }

  now(): number {
    return this.time
  }
  interrupt(cpuInterrupt: number): void {
    this.presented = cpuInterrupt
  }
  rescheduled(): void {}
  polled(): void {}
  resetChip(cause: ResetCause): void {
    this.resets.push(cause)
    this.peripherals.reset(cause)
  }
  clockChanged(cyclesPerClock: number): void {
    this.perClock = cyclesPerClock
  }
  cacheChanged(): void {}
  random(): number {
    return this.noise.u32()
  }
  report(sentence: string): void {
    this.reports.push(sentence)
  }
}
