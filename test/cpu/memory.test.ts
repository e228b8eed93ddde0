// Memories, devices, code that changes, hooks and watches.

import { describe, expect, it } from 'vitest'
import { Access, Cpu } from '../../sim/cpu/core'
import { Esp32c3Memory, ROM } from '../../sim/cpu/esp32c3_memory'
import { BASE, bench, DATA, place, put, wasm, word, words } from './bench'
import * as rv from './encode'

const DEVICE = 0x6000_0000

describe('code that changes', () => {
  it('is_executed_as_it_stands_after_a_store', () => {
    const cpu = bench()
    // Stores "addi x7, x7, 100" over "addi x7, x7, 1" three instructions ahead, in the same block, without fence.i.
    place(cpu, [rv.sw(6, 5, 12), rv.nop, rv.nop, rv.addi(7, 7, 1), rv.nop])
    cpu.setRegister(5, BASE)
    cpu.setRegister(6, rv.addi(7, 7, 100))
    cpu.run(5)
    expect(cpu.register(7)).toBe(100)
  })

  it.each([
    ['sw', rv.sw(6, 5, 0)],
    ['sh', rv.sh(6, 5, 2)],
    ['sb', rv.sb(6, 5, 3)],
  ])('is_seen_by_the_next_round_of_a_loop_after_%s', (_, store) => {
    const cpu = bench()
    const target = BASE + 0x100
    place(cpu, [rv.jal(1, 0x100), store, rv.jal(0, -8)])
    put(cpu, [rv.addi(7, 7, 1), rv.jalr(0, 1, 0)], target)
    // addi x7, x7, 17 differs in the upper half's lowest byte; shifted for the widths.
    const changed = rv.addi(7, 7, 0x101)
    cpu.setRegister(5, target)
    cpu.setRegister(6, store === rv.sw(6, 5, 0) ? changed : store === rv.sh(6, 5, 2) ? changed >>> 16 : changed >>> 24)
    cpu.run(5)
    expect(cpu.register(7)).toBe(1)
    cpu.run(5)
    expect(cpu.register(7)).toBeGreaterThan(1)
    expect(word(cpu, target)).not.toBe(rv.addi(7, 7, 1))
  })

  it('is_seen_through_an_alias', () => {
    const cpu = bench()
    const place2 = cpu.map(0x4000_0000, 0x2000, Access.Read | Access.Execute)
    cpu.map(0x2000_0000, 0x2000, Access.Read | Access.Write, place2)
    put(cpu, [rv.addi(7, 7, 1), rv.jalr(0, 1, 0)], 0x4000_0000)
    place(cpu, [rv.jalr(1, 10, 0), rv.sw(6, 5, 0), rv.jal(0, -8)])
    cpu.setRegister(10, 0x4000_0000)
    cpu.setRegister(5, 0x2000_0000)
    cpu.setRegister(6, rv.addi(7, 7, 50))
    cpu.run(8)
    expect(cpu.register(7)).toBe(51)
  })

  it('does_not_make_stores_beside_it_slow', () => {
    const cpu = bench()
    place(cpu, [rv.sw(6, 5, 16), rv.addi(6, 6, 1), rv.jal(0, -8), rv.nop])
    cpu.setRegister(5, BASE)
    cpu.run(1000)
    const { flushes } = cpu.statistics
    cpu.run(100_000)
    expect(cpu.statistics.flushes).toBe(flushes)
  })

  it('copies_itself_and_runs_the_copy', () => {
    const cpu = bench()
    // Copies the 6 instructions of a routine word by word, then calls the copy: what a start-up does with RAM code.
    const routine = [rv.addi(7, 0, 5), rv.add(7, 7, 7), rv.addi(7, 7, 3), rv.jalr(0, 1, 0)]
    put(cpu, routine, BASE + 0x800)
    place(cpu, [
      rv.lw(8, 5, 0),
      rv.sw(8, 6, 0),
      rv.addi(5, 5, 4),
      rv.addi(6, 6, 4),
      rv.bltu(5, 9, -16),
      rv.jalr(1, 10, 0),
      rv.jal(0, 0),
    ])
    for (const [x, value] of [
      [5, BASE + 0x800],
      [6, DATA],
      [9, BASE + 0x810],
      [10, DATA],
    ] as const)
      cpu.setRegister(x, value)
    cpu.run(4 * 5 + 1 + 4)
    expect([cpu.register(7), cpu.pc]).toEqual([13, BASE + 24])
  })
})

describe('devices', () => {
  it('see_each_access_once_with_its_address_size_and_exact_time', () => {
    const log: unknown[] = []
    const cpu: Cpu = bench(
      {},
      {
        mmioRead: (address, size) => (log.push(['read', address, size, cpu.instructions, cpu.pc]) ? 0xfedc_ba98 : 0),
        mmioWrite: (address, value, size) => log.push(['write', address, value, size, cpu.instructions, cpu.pc]),
      },
    )
    cpu.setRegister(10, DEVICE)
    cpu.setRegister(6, 0x89abcdef)
    place(cpu, [
      rv.nop,
      rv.lw(11, 10, 4),
      rv.LOADS.lb(12, 10, 1),
      rv.lhu(13, 10, 2),
      rv.sw(6, 10, 8),
      rv.sb(6, 10, 9),
      rv.sh(6, 10, 10),
    ])
    cpu.run(7)
    expect([11, 12, 13].map((x) => cpu.register(x))).toEqual([0xfedcba98, 0xffffff98, 0xba98])
    expect(log).toEqual([
      ['read', DEVICE + 4, 4, 1, BASE + 4],
      ['read', DEVICE + 1, 1, 2, BASE + 8],
      ['read', DEVICE + 2, 2, 3, BASE + 12],
      ['write', DEVICE + 8, 0x89abcdef, 4, 4, BASE + 16],
      ['write', DEVICE + 9, 0xef, 1, 5, BASE + 20],
      ['write', DEVICE + 10, 0xcdef, 2, 6, BASE + 24],
    ])
  })

  it('stop_the_run_behind_their_access', () => {
    const cpu: Cpu = bench({}, { mmioWrite: () => cpu.stop(), mmioRead: () => 0 })
    cpu.setRegister(10, DEVICE)
    place(cpu, [rv.nop, rv.sw(0, 10, 0), rv.addi(7, 7, 1), rv.addi(7, 7, 1)])
    expect(cpu.run(100)).toBe('stopped')
    expect([cpu.pc, cpu.instructions, cpu.register(7)]).toEqual([BASE + 8, 2, 0])
    expect(cpu.run(2)).toBe('budget')
    expect(cpu.register(7)).toBe(2)
  })

  it('may_throw_and_leave_the_core_at_the_instruction', () => {
    const cpu: Cpu = bench(
      {},
      {
        mmioRead: () => {
          throw new Error('no such register')
        },
      },
    )
    cpu.setRegister(10, DEVICE)
    place(cpu, [rv.nop, rv.nop, rv.lw(7, 10, 0)])
    expect(() => cpu.run(100)).toThrow('no such register')
    expect([cpu.pc, cpu.instructions]).toEqual([BASE + 8, 2])
  })
})

describe('hooks and watches', () => {
  it('call_the_host_before_the_instruction_with_exact_counts', () => {
    const seen: number[][] = []
    const cpu: Cpu = bench({}, { hook: (pc) => seen.push([pc, cpu.instructions, cpu.register(5)]) === 0 })
    place(cpu, [rv.addi(5, 5, 1), rv.addi(6, 6, 1), rv.jal(0, -8)])
    cpu.setHooks([BASE, BASE + 4])
    cpu.run(7)
    expect(seen).toEqual([
      [BASE, 0, 0],
      [BASE + 4, 1, 1],
      [BASE, 3, 1],
      [BASE + 4, 4, 2],
      [BASE, 6, 2],
    ])
    cpu.setHooks([])
    cpu.run(1000)
    expect(seen.length).toBe(5)
  })

  it('stop_the_run_and_are_passed_by_the_next', () => {
    const cpu = bench({}, { hook: () => true })
    place(cpu, [rv.addi(5, 5, 1), rv.C.addi(6, 1), rv.jal(0, -6)])
    cpu.setHooks([BASE + 4])
    for (let i = 1; i <= 5; i++) {
      expect(cpu.run(1000)).toBe('breakpoint')
      expect([cpu.pc, cpu.instructions, cpu.register(5), cpu.register(6)]).toEqual([BASE + 4, 3 * i - 2, i, i - 1])
    }
  })

  it('tell_of_stores_to_a_watched_place_even_after_code_was_forgotten', () => {
    const seen: number[] = []
    const cpu: Cpu = bench({}, { watched: (address) => seen.push(address, word(cpu, DATA)) })
    cpu.watch(DATA)
    cpu.watch(DATA + 2)
    cpu.setRegister(5, DATA)
    cpu.setRegister(6, 0x1234)
    place(cpu, [rv.sw(6, 5, -4), rv.sw(6, 5, 0), rv.sw(6, 5, 4), rv.sh(6, 5, 2), rv.sb(0, 5, 0)])
    cpu.flush()
    cpu.run(5)
    expect(seen).toEqual([DATA, 0x1234, DATA + 2, 0x1234_1234, DATA, 0x1234_1200])
  })
})

describe('the memories of the ESP32-C3', () => {
  const chip = (): [Cpu, Esp32c3Memory] => {
    const host = { mmioRead: () => 0xdead, mmioWrite: () => undefined }
    const cpu = new Cpu(wasm, host, { rom: ROM })
    return [cpu, new Esp32c3Memory(cpu, 0x40_0000)]
  }

  it('are_one_sram_by_two_buses', () => {
    const [cpu, memory] = chip()
    cpu.setRegister(5, 0x3fc8_0000)
    cpu.setRegister(6, rv.addi(7, 7, 9))
    cpu.write(0x4038_0000, rv.bytes([rv.sw(6, 5, 8), rv.nop, rv.ecall]))
    cpu.reset(0x4038_0000, 0x3fcd_c700)
    cpu.setRegister(5, 0x3fc8_0000)
    cpu.setRegister(6, rv.addi(7, 7, 9))
    cpu.run(3)
    expect([cpu.register(7), memory.sram[8]]).toEqual([9, rv.addi(7, 7, 9) & 255])
  })

  it('show_flash_through_the_page_table_on_both_windows', () => {
    const [cpu, memory] = chip()
    memory.flash.set(words([rv.lw(7, 5, 0), rv.jal(0, 0)]), 0x3_0000)
    memory.mapFlash(5, 3)
    cpu.reset(0x4205_0000, 0)
    cpu.setRegister(5, 0x3c05_0000)
    cpu.run(2)
    expect([cpu.register(7), cpu.pc]).toEqual([rv.lw(7, 5, 0), 0x4205_0004])
    memory.mapFlash(5, undefined)
    cpu.reset(0x4205_0000, 0)
    expect(cpu.run(1)).toBe('halted')
  })

  it('are_mapped_1_to_1_for_direct_boot_as_far_as_the_flash_goes', () => {
    const [cpu, memory] = chip()
    memory.flash.set(words([0xaedb_041d, 0xaedb_041d, rv.auipc(7, 0)]), 0)
    memory.mapFlashForDirectBoot()
    cpu.reset(0x4200_0008, 0)
    cpu.run(1)
    expect(cpu.register(7)).toBe(0x4200_0008)
    expect([cpu.isMapped(0x3c3f_fffc), cpu.isMapped(0x3c40_0000)]).toEqual([true, false])
  })

  it('do_not_let_a_store_change_flash', () => {
    const [cpu, memory] = chip()
    memory.mapFlashForDirectBoot()
    cpu.write(0x4038_0000, rv.bytes([rv.sw(0, 5, 0)]))
    cpu.reset(0x4038_0000, 0)
    cpu.setRegister(5, 0x3c00_0000)
    cpu.run(1)
    expect(memory.flash[0]).toBe(0xff)
  })

  it('stop_at_a_function_of_the_rom_which_the_host_answers', () => {
    const [cpu, memory] = chip()
    memory.mapFlashForDirectBoot()
    const romFunction = 0x4000_0068
    cpu.write(0x4038_0000, rv.bytes([rv.jalr(1, 5, 0), rv.addi(11, 10, 1)]))
    cpu.reset(0x4038_0000, 0)
    cpu.setRegister(5, romFunction)
    expect(cpu.run(100)).toBe('rom')
    expect([cpu.pc, cpu.register(1)]).toEqual([romFunction, 0x4038_0004])
    cpu.setRegister(10, 41)
    cpu.pc = cpu.register(1)
    cpu.run(1)
    expect(cpu.register(11)).toBe(42)
  })
})
