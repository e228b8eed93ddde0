// UART, I2C, SPI, flash, AES, random numbers, console: the peripherals with something at their other end.

import { createCipheriv } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { MICRO, MILLI, SECOND, TestChip } from './chip'

const U1 = 0x60010000

describe('UART1', () => {
  function uart(baud: number): { chip: TestChip; sent: [number, number][]; rates: number[] } {
    const chip = TestChip.started()
    const sent: [number, number][] = []
    const rates: number[] = []
    chip.peripherals.uart1.line = {
      send: (byte, end) => sent.push([byte, end]),
      baud: (rate) => rates.push(rate),
    }
    chip.put(U1 + 0x78, 0x03700000 | (3 << 12))
    const divider = Math.floor((10e6 * 16) / baud)
    chip.put(U1 + 0x14, (divider >>> 4) | ((divider & 15) << 20))
    chip.put(U1 + 0x20, 0x1000001c)
    return { chip, sent, rates }
  }

  it('sends_at_the_configured_rate_one_byte_after_the_other', () => {
    const { chip, sent, rates } = uart(9600)
    expect(rates.at(-1)).toBe(9600)
    const begun = chip.time
    for (const byte of [1, 2, 3]) chip.put(U1, byte)
    expect((chip.get(U1 + 0x1c) >>> 16) & 0x3ff).toBe(2)
    chip.pass(4 * MILLI)
    expect(sent.map(([byte]) => byte)).toEqual([1, 2, 3])
    for (const [n, [, end]] of sent.entries()) expect((end - begun) / ((n + 1) * (SECOND / 960))).toBeCloseTo(1, 3)
    expect(chip.get(U1 + 4) & (1 << 14)).not.toBe(0)
  })

  it('has_a_rate_of_its_own_when_the_divider_overflows_its_twelve_bits', () => {
    const { chip, rates } = uart(9600)
    chip.put(U1 + 0x78, 0x03700000)
    chip.put(U1 + 0x14, (40e6 / 9600) & 0xfff)
    expect(rates.at(-1)).toBeGreaterThan(500_000)
  })

  it('interrupts_at_the_threshold_and_after_silence', () => {
    const { chip } = uart(115_200)
    chip.put(0x600c2000 + 4 * 22, 10)
    chip.put(0x600c2114 + 40, 1)
    chip.put(0x600c2104, 1 << 10)
    chip.put(0x600c2194, 1)
    chip.put(U1 + 0x24, 4 | (1 << 21))
    chip.put(U1 + 0x60, 20 << 16)
    chip.put(U1 + 0x0c, 1 | (1 << 8))
    for (let i = 0; i < 3; i++) chip.peripherals.uart1.arrive(i)
    expect(chip.presented).toBe(0)
    chip.pass((20 * SECOND) / 115_200 + 3 * MICRO)
    expect(chip.get(U1 + 8)).toBe(1 << 8)
    expect(chip.presented).toBe(10)
    chip.put(U1 + 0x10, 1 << 8)
    expect(chip.presented).toBe(0)
    chip.peripherals.uart1.arrive(3)
    expect(chip.get(U1 + 8) & 1).toBe(1)
    expect([0, 1, 2, 3].map(() => chip.get(U1))).toEqual([0, 1, 2, 3])
    expect(chip.get(U1 + 0x1c) & 0x3ff).toBe(0)
  })

  it('loses_and_reports_what_does_not_fit_into_128_bytes', () => {
    const { chip } = uart(9600)
    for (let i = 0; i < 130; i++) chip.peripherals.uart1.arrive(i)
    expect(chip.get(U1 + 0x1c) & 0x3ff).toBe(128)
    expect(chip.peripherals.uart1.overruns).toBe(2)
    expect(chip.get(U1 + 4) & (1 << 4)).not.toBe(0)
  })
})

const I2C = 0x60013000

describe('I2C0', () => {
  class Slave {
    readonly log: string[] = []
    constructor(readonly id: number) {}
    start(): void {
      this.log.push('start')
    }
    address(address: number, read: number): boolean {
      this.log.push(`${address.toString(16)}${read ? 'r' : 'w'}`)
      return address === this.id
    }
    write(byte: number): boolean {
      this.log.push(`<${byte}`)
      return byte !== 0xee
    }
    read(): number {
      this.log.push('>')
      return 0x40 + this.log.length
    }
    stop(): void {
      this.log.push('stop')
    }
  }

  function bus(): { chip: TestChip; slave: Slave } {
    const chip = TestChip.started()
    const slave = new Slave(0x68)
    chip.peripherals.i2c0.slave = slave
    chip.put(I2C + 0x54, 1 << 21)
    chip.put(I2C, 49)
    chip.put(I2C + 0x38, 27 | (23 << 9))
    chip.put(I2C + 0x0c, 32 | 16)
    return { chip, slave }
  }

  /** Runs a command list; returns the causes. */
  function run(chip: TestChip, data: number[], commands: number[]): number {
    for (const byte of data) chip.put(I2C + 0x1c, byte)
    for (const [n, command] of commands.entries()) chip.put(I2C + 0x58 + 4 * n, command)
    chip.put(I2C + 0x24, 0x3ffff)
    chip.put(I2C + 4, 0x113 | (1 << 5))
    chip.waitFor(() => (chip.get(I2C + 0x20) & 0x5a0) !== 0)
    return chip.get(I2C + 0x20) & 0x5a0
  }

  const RSTART = 6 << 11
  const STOP = 2 << 11
  const write = (n: number) => (1 << 11) | 0x100 | n
  const read = (n: number) => (3 << 11) | n

  it('writes_then_reads_with_a_repeated_start_in_nine_clocks_a_byte', () => {
    const { chip, slave } = bus()
    const begun = chip.time
    const list = [RSTART, write(2), RSTART, write(1), read(1), read(1) | 0x400, STOP]
    expect(run(chip, [0xd0, 5, 0xd1], list)).toBe(1 << 7)
    expect(slave.log).toEqual(['start', '68w', '<5', 'start', '68r', '>', '>', 'stop'])
    expect((chip.get(I2C + 8) >>> 8) & 0x3f).toBe(2)
    expect([chip.get(I2C + 0x1c), chip.get(I2C + 0x1c)]).toEqual([0x46, 0x47])
    const bits = (chip.time - begun) / (SECOND / 400_000)
    expect(bits).toBeGreaterThan(45)
    expect(bits).toBeLessThan(50)
    expect(chip.get(I2C + 8) & 0x10).toBe(0)
  })

  it('stops_with_NACK_when_nobody_answers_or_a_byte_is_refused', () => {
    const { chip, slave } = bus()
    expect(run(chip, [0xa0, 5], [RSTART, write(2), STOP])).toBe(1 << 10)
    chip.put(I2C + 0x18, 0x3000)
    expect(run(chip, [0xd0, 0xee], [RSTART, write(2), STOP])).toBe(1 << 10)
    expect(slave.log.at(-1)).toBe('stop')
  })

  it('times_out_while_SCL_is_held_low', () => {
    const { chip } = bus()
    chip.peripherals.i2c0.stuck = 'scl'
    expect(run(chip, [0xd0, 5], [RSTART, write(2), STOP])).toBe(1 << 8)
  })

  it('loses_arbitration_while_SDA_is_held_low_and_frees_it_with_nine_clocks', () => {
    const { chip } = bus()
    chip.peripherals.i2c0.stuck = 'sda'
    expect(chip.get(I2C + 8) & 0x10).toBe(0x10)
    expect(run(chip, [0xd0, 5], [RSTART, write(2), STOP])).toBe(1 << 5)
    chip.put(I2C + 0x80, (9 << 1) | 1)
    expect(chip.waitFor(() => (chip.get(I2C + 0x80) & 1) === 0)).toBe(true)
    chip.put(I2C + 0x18, 0x3000)
    expect(run(chip, [0xd0, 5], [RSTART, write(2), STOP])).toBe(1 << 7)
  })
})

const SPI2 = 0x60024000

describe('SPI2', () => {
  function spi(): { chip: TestChip; seen: [number, number][] } {
    const chip = TestChip.started()
    const seen: [number, number][] = []
    chip.peripherals.spi2.device = {
      transfer: (mosi, nanos) => {
        seen.push([mosi, nanos])
        return 0x80 + seen.length
      },
    }
    chip.put(SPI2 + 0xe8, 7)
    chip.put(SPI2 + 0x0c, (3 << 12) | (1 << 6) | 3)
    return { chip, seen }
  }

  /** Starts and waits; returns the cycles that it took. */
  function go(chip: TestChip): number {
    const begun = chip.time
    chip.put(SPI2, 1 << 23)
    expect(chip.get(SPI2)).toBe(0)
    chip.put(SPI2, 1 << 24)
    while (chip.get(SPI2) !== 0) chip.pass(1)
    return chip.time - begun
  }

  it('sends_address_and_data_and_takes_the_time_of_their_bits_at_20_MHz', () => {
    const { chip, seen } = spi()
    chip.put(SPI2 + 4, 0x00390400)
    chip.put(SPI2 + 0x14, 23 << 27)
    chip.put(SPI2 + 0x10, (1 << 30) | (1 << 27))
    chip.put(SPI2 + 0x1c, 8 * 5 - 1)
    chip.put(SPI2 + 0x98, 0x04030201)
    chip.put(SPI2 + 0x9c, 5)
    expect(go(chip)).toBe(8 * 8 * 8)
    expect(seen.map(([mosi]) => mosi)).toEqual([0, 0x39, 0x04, 1, 2, 3, 4, 5])
    expect(seen[1]![1] - seen[0]![1]).toBeCloseTo(400, 6)
  })

  it('reads_into_the_buffer_low_byte_first', () => {
    const { chip, seen } = spi()
    chip.put(SPI2 + 0x10, 1 << 28)
    chip.put(SPI2 + 0x1c, 8 * 64 - 1)
    go(chip)
    expect(seen).toHaveLength(64)
    expect(chip.get(SPI2 + 0x98)).toBe(0x84838281)
    expect(chip.get(SPI2 + 0xd4)).toBe(0xc0bfbebd)
  })

  it('complains_about_more_than_64_bytes_and_about_pads_that_lead_nowhere', () => {
    const { chip } = spi()
    chip.peripherals.spi2.connected = () => false
    chip.put(SPI2 + 0x10, 1 << 28)
    chip.put(SPI2 + 0x1c, 8 * 65 - 1)
    go(chip)
    expect(chip.reports).toEqual(['SPI2: the pads are not joined to the bus', 'SPI2: more than 64 bytes without DMA'])
    expect(chip.get(SPI2 + 0x98)).toBe(0xffffffff)
  })
})

const SPI1 = 0x60002000

describe('SPI1 and the flash', () => {
  interface Command {
    code: number
    address?: number
    data?: number[]
    answer?: number
  }

  function command(chip: TestChip, { code, address, data = [], answer = 0 }: Command): number[] {
    chip.put(SPI1 + 8, 0)
    let user = 2 ** 31
    if (address !== undefined) user += 1 << 30
    if (data.length > 0) user += 1 << 27
    if (answer > 0) user += 1 << 28
    chip.put(SPI1 + 0x18, user)
    chip.put(SPI1 + 0x1c, 23 << 26)
    chip.put(SPI1 + 0x20, (7 << 28) | code)
    chip.put(SPI1 + 4, address ?? 0)
    chip.put(SPI1 + 0x24, 8 * data.length - 1)
    chip.put(SPI1 + 0x28, 8 * answer - 1)
    for (const [i, byte] of data.entries()) chip.put(SPI1 + 0x58 + i, byte, 1)
    chip.put(SPI1, 1 << 18)
    expect(chip.waitFor(() => chip.get(SPI1) === 0)).toBe(true)
    return Array.from({ length: answer }, (_, i) => chip.get(SPI1 + 0x58 + i, 1))
  }

  const busy = (chip: TestChip) => (command(chip, { code: 5, answer: 1 })[0]! & 1) === 1

  it('programs_what_was_erased_and_reads_it_back', () => {
    const chip = TestChip.started()
    expect(command(chip, { code: 0x9f, answer: 3 })).toEqual([0xef, 0x40, 0x16])
    command(chip, { code: 6 })
    expect(command(chip, { code: 5, answer: 1 })).toEqual([2])
    command(chip, { code: 2, address: 0x1000, data: [1, 2, 3, 4, 5] })
    expect(busy(chip)).toBe(true)
    expect(chip.waitFor(() => !busy(chip))).toBe(true)
    expect(command(chip, { code: 3, address: 0x0fff, answer: 7 })).toEqual([0xff, 1, 2, 3, 4, 5, 0xff])
    command(chip, { code: 6 })
    const begun = chip.time
    command(chip, { code: 0x20, address: 0x1234 })
    expect(chip.waitFor(() => !busy(chip))).toBe(true)
    expect((chip.time - begun) / MILLI).toBeGreaterThan(40)
    expect(command(chip, { code: 3, address: 0x1000, answer: 2 })).toEqual([0xff, 0xff])
    expect(chip.flash.faults).toEqual({ busy: 0, notEnabled: 0, unknown: 0, failed: 0 })
  })

  it('changes_nothing_without_write_enable_or_while_busy', () => {
    const chip = TestChip.started()
    command(chip, { code: 2, address: 0, data: [0] })
    expect(chip.nor.bytes[0]).toBe(0xff)
    command(chip, { code: 6 })
    command(chip, { code: 0x20, address: 0 })
    expect(command(chip, { code: 3, address: 0, answer: 1 })).toEqual([0xff])
    command(chip, { code: 6 })
    expect(chip.flash.faults).toMatchObject({ busy: 2, notEnabled: 1 })
  })

  it('wraps_within_a_page', () => {
    const chip = TestChip.started()
    command(chip, { code: 6 })
    command(chip, { code: 2, address: 0xfe, data: [1, 2, 3, 4] })
    expect([...chip.nor.bytes.subarray(0xfe, 0x102)]).toEqual([1, 2, 0xff, 0xff])
    expect([...chip.nor.bytes.subarray(0, 2)]).toEqual([3, 4])
  })

  it('complains_about_quad_reads_that_the_flash_is_not_set_up_for', () => {
    const chip = TestChip.started()
    chip.put(0x60003008, 1 << 24)
    expect(chip.reports).toEqual(['SPI0: quad reads while the flash has its QE bit clear'])
  })
})

describe('AES', () => {
  /** Words as the memory holds them. */
  function load(chip: TestChip, address: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    for (let i = 0; i < bytes.length; i += 4) chip.put(address + i, view.getUint32(i, true))
  }

  function transform(chip: TestChip, mode: number, key: Uint8Array, block: Uint8Array): string {
    chip.put(0x6003a040, mode)
    load(chip, 0x6003a000, key)
    load(chip, 0x6003a020, block)
    chip.put(0x6003a048, 1)
    expect(chip.waitFor(() => chip.get(0x6003a04c) === 0, MILLI)).toBe(true)
    const out = Buffer.alloc(16)
    for (let i = 0; i < 4; i++) out.writeUInt32LE(chip.get(0x6003a030 + 4 * i), 4 * i)
    return out.toString('hex')
  }

  // FIPS 197, appendix C.1 and C.3.
  const block = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  const key = Uint8Array.from({ length: 32 }, (_, i) => i)

  it('encrypts_and_decrypts_the_examples_of_FIPS_197', () => {
    const chip = TestChip.started()
    const short = '69c4e0d86a7b0430d8cdb78070b4c55a'
    const long = '8ea2b7ca516745bfeafc49904b496089'
    expect(transform(chip, 0, key.subarray(0, 16), block)).toBe(short)
    expect(transform(chip, 2, key, block)).toBe(long)
    expect(transform(chip, 4, key.subarray(0, 16), Buffer.from(short, 'hex'))).toBe(block.toString('hex'))
    expect(transform(chip, 6, key, Buffer.from(long, 'hex'))).toBe(block.toString('hex'))
  })

  it('takes_a_new_key_at_once_and_is_busy_for_a_while', () => {
    const chip = TestChip.started()
    for (let n = 0; n < 50; n++) {
      const other = key.subarray(0, 16).map((byte) => (byte * 7 + n) & 0xff)
      const expected = createCipheriv('aes-128-ecb', other, null).update(block).toString('hex')
      expect(transform(chip, 0, other, block)).toBe(expected)
    }
    chip.put(0x6003a048, 1)
    expect(chip.get(0x6003a04c)).toBe(1)
  })
})

describe('random numbers', () => {
  const DATA = 0x600260b0

  function noiseOn(chip: TestChip): void {
    chip.put(0x6000811c, 3 << 30)
    chip.put(0x60008034, 1 << 22)
    chip.put(0x60040054, (2 << 21) | (1 << 20) | 15)
    chip.put(0x60040004, 1 << 24)
  }

  function draw(chip: TestChip, count: number, gap: number): Set<number> {
    const words = new Set<number>()
    for (let i = 0; i < count; i++) {
      chip.pass(gap)
      words.add(chip.get(DATA))
    }
    return words
  }

  it('are_a_poor_pattern_until_the_noise_source_runs', () => {
    const chip = TestChip.started()
    expect(draw(chip, 1000, MICRO).size).toBeLessThan(4)
    noiseOn(chip)
    expect(draw(chip, 1000, MICRO).size).toBeGreaterThan(990)
  })

  it.each([
    ['its supply', 0x60008034],
    ['its power-up', 0x6000811c],
    ['its timer', 0x60040004],
    ['its clock', 0x60040054],
  ])('are_poor_again_without_%s', (_name, register) => {
    const chip = TestChip.started()
    noiseOn(chip)
    chip.put(register, 0)
    expect(draw(chip, 100, MICRO).size).toBeLessThan(4)
  })

  it('repeat_when_they_are_read_too_fast', () => {
    const chip = TestChip.started()
    noiseOn(chip)
    expect(draw(chip, 100, 8).size).toBeLessThan(40)
  })
})

describe('the USB console', () => {
  const USB = 0x60043000

  it('prints_packets_and_is_full_until_the_host_has_taken_them', () => {
    const chip = TestChip.started()
    const text: string[] = []
    chip.peripherals.usb.printed = (bytes) => text.push(Buffer.from(bytes).toString())
    for (const char of 'hello') chip.put(USB, char.charCodeAt(0))
    chip.put(USB + 4, 1)
    expect(chip.get(USB + 4) & 2).toBe(0)
    chip.pass(MILLI)
    expect(text).toEqual(['hello'])
    expect(chip.get(USB + 4) & 2).toBe(2)
    for (let i = 0; i < 64; i++) chip.put(USB, 0x61)
    expect(chip.get(USB + 4) & 2).toBe(0)
    chip.pass(MILLI)
    expect(text[1]).toBe('a'.repeat(64))
  })

  it('never_becomes_free_without_a_host', () => {
    const chip = TestChip.started()
    chip.peripherals.usb.attached = false
    chip.put(USB, 0x61)
    chip.put(USB + 4, 1)
    chip.pass(10 * SECOND)
    expect(chip.get(USB + 4) & 2).toBe(0)
  })

  it('interrupts_for_what_is_typed', () => {
    const chip = TestChip.started()
    chip.put(0x600c2000 + 4 * 26, 10)
    chip.put(0x600c2114 + 40, 1)
    chip.put(0x600c2104, 1 << 10)
    chip.put(0x600c2194, 1)
    chip.put(USB + 0x14, 0xc)
    chip.put(USB + 0x10, 4)
    chip.peripherals.usb.type(Buffer.from('x'.repeat(70)))
    expect(chip.presented).toBe(10)
    let count = 0
    for (; chip.get(USB + 4) & 4; count++) expect(chip.get(USB)).toBe(0x78)
    expect(count).toBe(70)
    chip.put(USB + 0x14, 4)
    expect(chip.presented).toBe(0)
  })
})
