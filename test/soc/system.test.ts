// Clocks, watchdogs, timer, interrupts, pins: the peripherals of the ESP32-C3 that have no wire to a part.

import { describe, expect, it } from 'vitest'
import { ResetCause } from '../../sim/soc/rtc_cntl'
import { MICRO, MILLI, SECOND, TestChip } from './chip'

describe('the bus', () => {
  it('reports_a_register_that_is_not_modelled_once_by_name_and_counts_every_access', () => {
    const chip = TestChip.started()
    for (let i = 0; i < 5; i++) expect(chip.get(0x6003b010)).toBe(0)
    chip.put(0x60010048, 7)
    expect(chip.reports).toEqual([
      'load of SHA_START (0x6003b010): the peripheral is not modelled',
      'store of UART1_IDLE_CONF (0x60010048): the register is not modelled',
    ])
    expect([...chip.peripherals.bus.unmodelled.values()]).toEqual([5, 1])
  })

  it('starts_registers_with_the_values_of_the_chip', () => {
    const chip = new TestChip()
    expect(chip.get(0x600c0010)).toBe(0xf9c1e06f)
    expect(chip.get(0x600c001c)).toBe(0x1fe)
    expect(chip.get(0x60023000)).toBe(0x46000000)
    expect(chip.get(0x60024020)).toBe(0x3e)
    expect(chip.get(0x60009004)).toBe(0xb00)
    expect(chip.get(0x60004554 + 4 * 21)).toBe(0x80)
  })

  it('takes_bytes_and_half_words_as_parts_of_a_word', () => {
    const chip = TestChip.started()
    chip.put(0x60008050, 0x11223344)
    chip.put(0x60008051, 0xab, 1)
    chip.put(0x60008052, 0x5678, 2)
    expect(chip.get(0x60008050)).toBe(0x5678ab44)
    expect(chip.get(0x60008053, 1)).toBe(0x56)
    expect(chip.get(0x60008050, 2)).toBe(0xab44)
  })

  it('refuses_a_peripheral_that_has_no_clock_or_is_held_in_reset', () => {
    const chip = new TestChip()
    chip.put(0x60013004, 1)
    chip.put(0x6003a040, 2)
    expect(chip.reports).toEqual([
      'I2C0: I2C0_CTR (0x60013004) used without clock or in reset',
      'AES: AES_MODE (0x6003a040) used without clock or in reset',
    ])
  })
})

describe('SYSTEM', () => {
  it('runs_the_processor_at_20_MHz_after_reset_and_at_160_when_told', () => {
    const chip = new TestChip()
    expect(chip.perClock).toBe(8)
    chip.put(0x600c0058, 0x400)
    expect(chip.perClock).toBe(2)
    chip.put(0x600c0008, 5)
    expect(chip.perClock).toBe(1)
  })

  it('raises_an_interrupt_by_software', () => {
    const chip = TestChip.started()
    route(chip, 50, 3, 4)
    chip.put(0x600c0028, 1)
    expect(chip.presented).toBe(3)
    chip.put(0x600c0028, 0)
    expect(chip.presented).toBe(0)
  })
})

/** Leads a source to a CPU interrupt of a priority, and enables it. */
function route(chip: TestChip, source: number, cpu: number, priority: number): void {
  chip.put(0x600c2000 + 4 * source, cpu)
  chip.put(0x600c2114 + 4 * cpu, priority)
  chip.put(0x600c2104, chip.get(0x600c2104) | (1 << cpu))
  if (chip.get(0x600c2194) === 0) chip.put(0x600c2194, 1)
}

describe('the interrupt matrix', () => {
  it('presents_the_highest_priority_and_among_equals_the_lowest_number', () => {
    const chip = TestChip.started()
    route(chip, 50, 9, 2)
    route(chip, 51, 5, 2)
    route(chip, 52, 12, 7)
    chip.put(0x600c0028, 1)
    expect(chip.presented).toBe(9)
    chip.put(0x600c002c, 1)
    expect(chip.presented).toBe(5)
    chip.put(0x600c0030, 1)
    expect(chip.presented).toBe(12)
  })

  it('holds_back_what_is_below_the_threshold', () => {
    const chip = TestChip.started()
    route(chip, 50, 9, 2)
    chip.put(0x600c0028, 1)
    chip.put(0x600c2194, 3)
    expect(chip.presented).toBe(0)
    chip.put(0x600c2194, 2)
    expect(chip.presented).toBe(9)
  })

  it('never_presents_priority_0_nor_a_disabled_interrupt', () => {
    const chip = TestChip.started()
    route(chip, 50, 9, 0)
    chip.put(0x600c2194, 0)
    chip.put(0x600c0028, 1)
    expect(chip.presented).toBe(0)
    chip.put(0x600c2114 + 36, 1)
    expect(chip.presented).toBe(9)
    chip.put(0x600c2104, 0)
    expect(chip.presented).toBe(0)
    expect(chip.get(0x600c2110)).toBe(1 << 9)
  })

  it('latches_an_edge_until_it_is_cleared', () => {
    const chip = TestChip.started()
    route(chip, 50, 9, 2)
    chip.put(0x600c2108, 1 << 9)
    chip.put(0x600c0028, 1)
    chip.put(0x600c0028, 0)
    expect(chip.presented).toBe(9)
    chip.put(0x600c210c, 1 << 9)
    expect(chip.presented).toBe(0)
  })

  it('shows_the_levels_of_all_sources', () => {
    const chip = TestChip.started()
    chip.put(0x600c0028, 1)
    expect(chip.get(0x600c20fc)).toBe(1 << (50 - 32))
    expect(chip.get(0x600c20f8)).toBe(0)
  })
})

describe('SYSTIMER', () => {
  function count(chip: TestChip): number {
    chip.put(0x60023004, 1 << 30)
    expect(chip.get(0x60023004) & (1 << 29)).not.toBe(0)
    return chip.get(0x60023040) * 2 ** 32 + chip.get(0x60023044)
  }

  it('counts_what_the_crystal_counts', () => {
    const chip = new TestChip({ ppm: 23 })
    const base = chip.crystal.ticks(0)
    for (const nanos of [1, 1e3, 12_345_678, 5e8, 3.3e9]) {
      chip.time = chip.peripherals.nextEvent() > 0 ? chip.crystal.cycles(nanos) * 4 : 0
      expect(count(chip)).toBe(chip.crystal.ticks(nanos) - base)
    }
  })

  it('keeps_the_latched_value_until_the_next_update', () => {
    const chip = TestChip.started()
    chip.pass(MILLI)
    const first = count(chip)
    chip.pass(MILLI)
    expect(chip.get(0x60023044)).toBe(first)
    expect(count(chip)).toBe(first + 16_000)
  })

  it('rings_at_the_tick_of_its_target_and_at_once_when_that_is_past', () => {
    const chip = TestChip.started()
    route(chip, 37, 10, 1)
    chip.put(0x60023064, 1)
    chip.put(0x60023020, 1000)
    chip.put(0x60023050, 1)
    chip.put(0x60023000, 0x47000000)
    chip.pass(10_000 - 1)
    expect(chip.presented).toBe(0)
    chip.pass(1)
    expect(chip.presented).toBe(10)
    expect(chip.get(0x60023070)).toBe(1)
    chip.put(0x6002306c, 1)
    expect(chip.presented).toBe(0)
    chip.put(0x60023050, 1)
    chip.pass(0)
    expect(chip.presented).toBe(10)
  })

  it('rings_again_and_again_in_period_mode', () => {
    const chip = TestChip.started()
    chip.put(0x60023038, (1 << 30) | 1600)
    chip.put(0x60023054, 1)
    chip.put(0x60023000, 0x46800000)
    let rings = 0
    for (let i = 0; i < 1000; i++) {
      chip.pass(MICRO)
      if (chip.get(0x60023068) & 2) rings++
      chip.put(0x6002306c, 2)
    }
    expect(rings).toBe(10)
  })
})

describe('the watchdogs', () => {
  it('reset_a_chip_that_does_not_stop_the_one_of_flash_boot', () => {
    const chip = new TestChip()
    chip.put(0x600080b0, 0x8f1d312a)
    chip.put(0x600080ac, 0x40000000)
    chip.put(0x600080a8, 0x50d83aa1)
    chip.put(0x60008090, 0)
    chip.pass(2 * SECOND)
    expect(chip.resets).toEqual([ResetCause.Tg0Wdt])
  })

  it('super_watchdog_bites_within_about_a_second_unless_it_feeds_itself', () => {
    const chip = new TestChip()
    chip.put(0x6001f048, 1 << 22)
    chip.pass(1.1 * SECOND)
    expect(chip.resets).toEqual([ResetCause.SuperWdt])
    const fed = TestChip.started()
    fed.put(0x600080ac, 0x80000000)
    fed.pass(20 * SECOND)
    expect(fed.resets).toEqual([])
  })

  it('rtc_watchdog_resets_the_system_after_its_time_and_not_while_it_is_fed', () => {
    const chip = TestChip.started()
    chip.put(0x60008094, (10 * 136_000) >> 1)
    chip.put(0x60008090, 0x8000_0000 | (3 << 28))
    for (let i = 0; i < 5; i++) {
      chip.pass(9 * SECOND)
      chip.put(0x600080a4, 0x8000_0000)
    }
    expect(chip.resets).toEqual([])
    chip.put(0x60008050, 77)
    chip.pass(10.01 * SECOND)
    expect(chip.resets[0]).toBe(ResetCause.RtcWdtCore)
    expect(chip.get(0x60008038) & 0x3f).not.toBe(ResetCause.PowerOn)
    // The store registers survive.
    expect(chip.get(0x60008050)).toBe(77)
  })

  it('ignores_writes_while_it_is_locked', () => {
    const chip = TestChip.started()
    chip.put(0x600080a8, 0)
    chip.put(0x60008090, 0x8000_0000 | (3 << 28))
    expect(chip.get(0x60008090)).toBe(0)
  })

  it('software_resets_the_chip', () => {
    const chip = TestChip.started()
    chip.put(0x60008000, 0x8000_0000)
    expect(chip.resets).toEqual([ResetCause.SoftwareSystem])
    expect(chip.get(0x60008038) & 0x3f).toBe(ResetCause.SoftwareSystem)
  })
})

describe('GPIO', () => {
  const PPS = 3
  function input(chip: TestChip, type: number): void {
    chip.put(0x60009004 + 4 * PPS, (1 << 12) | (1 << 9))
    chip.put(0x60004074 + 4 * PPS, (type << 7) | (1 << 13))
    route(chip, 16, 9, 7)
  }

  it.each([
    ['rising', 1, [1, 0, 0]],
    ['falling', 2, [0, 1, 0]],
    ['any', 3, [1, 1, 0]],
  ] as const)('interrupts_on_a_%s_edge', (_name, type, expected) => {
    const chip = TestChip.started()
    const gpio = chip.peripherals.gpio
    gpio.drive(PPS, 0)
    input(chip, type)
    const seen = [1, 0, 0].map((level) => {
      gpio.drive(PPS, level)
      const pending = (chip.get(0x60004044) >>> PPS) & 1
      expect(chip.presented).toBe(pending ? 9 : 0)
      chip.put(0x6000404c, 1 << PPS)
      expect(chip.presented).toBe(0)
      return pending
    })
    expect(seen).toEqual(expected)
  })

  it('interrupts_for_as_long_as_a_level_lasts', () => {
    const chip = TestChip.started()
    const gpio = chip.peripherals.gpio
    gpio.drive(PPS, 1)
    input(chip, 4)
    expect(chip.presented).toBe(0)
    gpio.drive(PPS, 0)
    chip.put(0x6000404c, 1 << PPS)
    expect(chip.presented).toBe(9)
    gpio.drive(PPS, 1)
    chip.put(0x6000404c, 1 << PPS)
    expect(chip.presented).toBe(0)
  })

  it('reads_a_pad_only_with_its_input_enabled_and_pulls_what_nobody_drives', () => {
    const chip = TestChip.started()
    chip.peripherals.gpio.drive(PPS, 1)
    // After reset every pad is an input with a pull-up.
    for (let pad = 0; pad < 22; pad++) chip.put(0x60009004 + 4 * pad, 1 << 12)
    expect(chip.get(0x6000403c)).toBe(0)
    chip.put(0x60009004 + 4 * PPS, (1 << 12) | (1 << 9))
    chip.put(0x60009004 + 4 * 4, (1 << 12) | (1 << 9) | (1 << 8))
    expect(chip.get(0x6000403c)).toBe((1 << PPS) | (1 << 4))
  })

  it('leads_pads_to_the_dedicated_inputs', () => {
    const chip = TestChip.started()
    chip.peripherals.gpio.drive(PPS, 1)
    chip.put(0x60009004 + 4 * PPS, (1 << 12) | (1 << 9))
    chip.put(0x60004154 + 4 * 28, 0x40 | PPS)
    chip.put(0x60004154 + 4 * 29, 0x40 | 0x20 | PPS)
    chip.put(0x60004154 + 4 * 30, 0x40 | 0x1e)
    expect(chip.peripherals.gpio.dedicatedInputs()).toBe(0b101)
  })

  it('drives_outputs_and_tells_the_board', () => {
    const chip = TestChip.started()
    const told: [number, number | undefined][] = []
    chip.peripherals.gpio.onOutput = (pad, level) => told.push([pad, level])
    chip.put(0x60009004 + 4 * 10, 1 << 12)
    chip.put(0x60004008, 1 << 10)
    chip.put(0x60004554 + 4 * 10, 128)
    chip.put(0x60004024, 1 << 10)
    chip.put(0x6000400c, 1 << 10)
    chip.put(0x60004028, 1 << 10)
    expect(told).toEqual([
      [10, 1],
      [10, 0],
      [10, undefined],
    ])
  })
})

describe('EFUSE', () => {
  it('holds_the_MAC_address_as_the_chip_orders_it', () => {
    const chip = TestChip.started()
    expect(chip.get(0x60008844)).toBe(0x22334455)
    expect(chip.get(0x60008848)).toBe(0x0211)
  })
})
