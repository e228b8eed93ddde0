import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Ds3231, Ds3231Host } from '../../sim/chips/ds3231'
import { compileEntry } from '../support/firmware'

const OK = 0
const ABSENT = 1
const STOPPED = 2
const INVALID = 3
const BYTE = 22_500

class Host extends Ds3231Host {
  sqw(): void {}
  temperature(): number {
    return -7.75
  }
}

let module: WebAssembly.Module
beforeAll(async () => {
  module = new WebAssembly.Module(
    (await compileEntry(new URL('./ds3231.entry.ts', import.meta.url), 'checked')) as BufferSource,
  )
})

/** The part, its bus at 400 kHz, and the driver. `now` moves with the bytes on the bus. */
class Bench {
  now = 0
  present = true
  longest = 0
  readonly chip = new Ds3231(new Host(), 0)
  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  readonly driver: Record<string, any>

  constructor() {
    const instance = new WebAssembly.Instance(module, {
      abi: {
        i2c_transfer: (address: number, write: number, writeLength: number, read: number, readLength: number) =>
          this.transfer(address, this.bytes(write, writeLength), this.bytes(read, readLength)),
      },
    })
    this.driver = instance.exports
  }

  /** Puts bytes into the registers behind the driver's back. */
  poke(register: number, ...bytes: number[]): void {
    this.transfer(0x68, Uint8Array.of(register, ...bytes), new Uint8Array(0))
  }

  private bytes(address: number, length: number): Uint8Array {
    return new Uint8Array((this.driver['memory'] as WebAssembly.Memory).buffer, address, length)
  }

  private transfer(address: number, write: Uint8Array, read: Uint8Array): number {
    if (!this.present) return -1
    const begun = this.now
    const tick = () => {
      this.now += BYTE
      return this.now
    }
    this.chip.start(this.now)
    if (!this.chip.address(address, 0, tick())) return -1
    for (const byte of write) this.chip.write(byte, tick())
    if (read.length > 0) {
      this.chip.start(this.now)
      this.chip.address(address, 1, tick())
      for (let i = 0; i < read.length; i++) read[i] = this.chip.read(tick())
    }
    this.chip.stop(this.now)
    this.longest = Math.max(this.longest, this.now - begun)
    return 0
  }
}

let bench: Bench
beforeEach(() => {
  bench = new Bench()
})

const posix = (text: string) => BigInt(Date.parse(text) / 1000)

describe('the DS3231 driver', () => {
  it('says_when_nobody_answers', () => {
    bench.present = false
    expect(bench.driver['rtcRead']()).toBe(ABSENT)
    expect(bench.driver['rtcWriteTime'](posix('2026-01-01T00:00:00Z'))).toBe(0)
    expect(bench.driver['rtcMarkedAt']()).toBe(0n)
    expect(bench.driver['rtcTemperature']()).toBe(-0x8000_0000)
  })

  it('does_not_take_a_stopped_clock_s_word', () => {
    expect(bench.driver['rtcRead']()).toBe(STOPPED)
  })

  it('writes_and_reads_dates_of_two_centuries', () => {
    for (const text of [
      '2000-01-01T00:00:00Z',
      '2024-02-29T23:59:58Z',
      '2026-11-22T13:05:09Z',
      '2038-01-19T03:14:08Z',
      '2099-12-31T23:59:59Z',
      '2135-12-31T12:34:56Z',
    ]) {
      const seconds = posix(text)
      expect(bench.driver['rtcWriteTime'](seconds)).toBe(1)
      expect(bench.driver['rtcMarkSet'](seconds)).toBe(1)
      expect(bench.driver['rtcRead']()).toBe(OK)
      expect(bench.driver['rtcSeconds']()).toBe(seconds)
      expect(bench.driver['rtcMarkedAt']()).toBe(seconds)
    }
  })

  it('refuses_to_write_what_the_part_cannot_hold', () => {
    expect(bench.driver['rtcWriteTime'](posix('1999-12-31T23:59:59Z'))).toBe(0)
    expect(bench.driver['rtcWriteTime'](posix('2200-01-01T00:00:00Z'))).toBe(0)
  })

  it('begins_the_second_67_microseconds_after_the_call', () => {
    bench.now = 5e9
    bench.driver['rtcWriteTime'](posix('2026-11-22T13:05:09Z'))
    expect(bench.chip.secondBegan(5.5e9)).toBe(5e9 + 3 * BYTE)
  })

  it('keeps_every_transfer_below_a_quarter_of_a_millisecond', () => {
    bench.driver['rtcWriteTime'](posix('2026-11-22T13:05:09Z'))
    bench.driver['rtcMarkSet'](posix('2026-11-22T13:05:09Z'))
    bench.driver['rtcRead']()
    bench.driver['rtcMarkedAt']()
    bench.driver['rtcTemperature']()
    expect(bench.longest).toBeLessThan(250_000)
  })

  it('reads_a_part_that_somebody_set_to_12_hours', () => {
    for (const [register, hour] of [
      [0x40 | 0x12, '00'],
      [0x40 | 0x01, '01'],
      [0x40 | 0x20 | 0x12, '12'],
      [0x40 | 0x20 | 0x11, '23'],
    ] as const) {
      bench.poke(0x00, 0x30, 0x59, register, 1, 0x22, 0x11, 0x26)
      expect(bench.driver['rtcReadTime']()).toBe(OK)
      expect(bench.driver['rtcSeconds']()).toBe(posix(`2026-11-22T${hour}:59:30Z`))
    }
  })

  it('refuses_registers_that_are_no_date', () => {
    for (const registers of [
      [0x30, 0x59, 0x12, 1, 0x00, 0x11, 0x26],
      [0x30, 0x59, 0x12, 1, 0x22, 0x13, 0x26],
      [0x30, 0x59, 0x25, 1, 0x22, 0x11, 0x26],
      [0x30, 0x7a, 0x12, 1, 0x22, 0x11, 0x26],
      [0x30, 0x59, 0x12, 1, 0x22, 0x11, 0xa6],
    ]) {
      bench.poke(0x00, ...registers)
      expect(bench.driver['rtcReadTime']()).toBe(INVALID)
    }
  })

  it('knows_a_mark_from_noise', () => {
    bench.poke(0x07, 0, 0, 0, 0, 0, 0, 0)
    expect(bench.driver['rtcMarkedAt']()).toBe(0n)
    bench.driver['rtcMarkSet'](posix('2026-11-22T13:05:09Z'))
    bench.poke(0x08, 0x55)
    expect(bench.driver['rtcMarkedAt']()).toBe(0n)
  })

  it('turns_the_square_wave_on_and_reads_the_temperature', () => {
    expect(bench.driver['rtcSquareWave']()).toBe(1)
    expect(bench.chip.nextEvent()).toBeLessThan(2e9)
    bench.now = 70e9
    expect(bench.driver['rtcTemperature']()).toBe(-31)
  })
})
