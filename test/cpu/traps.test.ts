// Exceptions and interrupts with their exact mcause, mepc and mtval; CSRs; the two kinds of machine.

import { describe, expect, it } from 'vitest'
import type { Cpu } from '../../sim/cpu/core'
import { BASE, bench, DATA, place, put, word, words } from './bench'
import * as rv from './encode'

const MSTATUS = 0x300
const MTVEC = 0x305
const MSCRATCH = 0x340
const MEPC = 0x341
const MCAUSE = 0x342
const MTVAL = 0x343
const MIE = 8
const MPIE = 0x80
const MPP = 0x1800
const HANDLER = BASE + 0x1000

/** cause, address of the instruction, value, and where execution goes on. */
function trap(cpu: Cpu): number[] {
  return [cpu.readCsr(MCAUSE), cpu.readCsr(MEPC), cpu.readCsr(MTVAL), cpu.pc]
}

describe('exceptions', () => {
  it.each<[string, number, number, number]>([
    ['a word of zeros', 0, 2, 0],
    ['a word of ones', 0xffffffff, 2, 0xffffffff],
    ['an unknown opcode', 0x0000100b, 2, 0x0000100b],
    ['a reserved compressed form', 0x8002, 2, 0x8002],
    ['a shift by 32 or more', rv.iType(0x13, 1)(5, 5, 32), 2, rv.iType(0x13, 1)(5, 5, 32)],
    ['a CSR that does not exist', rv.csrrs(5, 0x123, 0), 2, rv.csrrs(5, 0x123, 0)],
    ['a write to a read-only CSR', rv.csrrw(5, 0xf14, 0), 2, rv.csrrw(5, 0xf14, 0)],
    ['sret', 0x10200073, 2, 0x10200073],
    ['ecall', rv.ecall, 11, 0],
    ['ebreak', rv.ebreak, 3, 0],
    ['c.ebreak', rv.C.ebreak, 3, 0],
    ['lw at 1', rv.lw(7, 5, 1), 4, DATA + 1],
    ['lw at 2', rv.lw(7, 5, 2), 4, DATA + 2],
    ['lh at 3', rv.LOADS.lh(7, 5, 3), 4, DATA + 3],
    ['lhu at -1', rv.lhu(7, 5, -1), 4, DATA - 1],
    ['sw at 2', rv.sw(7, 5, 2), 6, DATA + 2],
    ['sh at 1', rv.sh(7, 5, 1), 6, DATA + 1],
  ])('report_%s', (_, instruction, cause, value) => {
    const cpu = bench()
    cpu.writeCsr(MTVEC, HANDLER)
    cpu.setRegister(5, DATA)
    cpu.setRegister(7, 0x1111)
    cpu.write(DATA, words([0xa5a5a5a5, 0xa5a5a5a5]))
    place(cpu, [rv.nop, rv.C.nop, instruction, rv.nop])
    expect(cpu.run(3)).toBe('budget')
    expect(trap(cpu)).toEqual([cause, BASE + 6, value, HANDLER])
    // Nothing was written, neither a register nor memory.
    expect([cpu.register(7), word(cpu, DATA), word(cpu, DATA + 4)]).toEqual([0x1111, 0xa5a5a5a5, 0xa5a5a5a5])
    expect(cpu.instructions).toBe(3)
  })

  it('save_and_restore_the_interrupt_enable_and_the_privilege', () => {
    const cpu = bench()
    cpu.writeCsr(MTVEC, HANDLER)
    cpu.writeCsr(MSTATUS, MIE)
    put(cpu, [rv.mret], HANDLER)
    place(cpu, [rv.ecall])
    cpu.run(1)
    expect(cpu.readCsr(MSTATUS)).toBe(MPIE | MPP)
    cpu.run(1)
    expect([cpu.pc, cpu.readCsr(MSTATUS)]).toEqual([BASE, MIE | MPIE])
  })

  it('come_from_user_mode_with_a_cause_of_their_own', () => {
    const cpu = bench()
    cpu.writeCsr(MTVEC, HANDLER)
    cpu.writeCsr(MEPC, BASE + 0x100)
    place(cpu, [rv.mret])
    put(cpu, [rv.ecall, rv.csrrs(5, MSCRATCH, 0), rv.mret], BASE + 0x100)
    cpu.run(1)
    expect([cpu.pc, cpu.privilege]).toEqual([BASE + 0x100, 0])
    cpu.run(1)
    expect([...trap(cpu), cpu.privilege, cpu.readCsr(MSTATUS) & MPP]).toEqual([8, BASE + 0x100, 0, HANDLER, 3, 0])
    for (const at of [BASE + 0x104, BASE + 0x108]) {
      cpu.writeCsr(MEPC, at)
      cpu.pc = BASE
      cpu.run(2)
      expect(trap(cpu)).toEqual([2, at, word(cpu, at), HANDLER])
    }
  })

  it('report_a_jump_to_where_nothing_is', () => {
    const cpu = bench()
    cpu.writeCsr(MTVEC, HANDLER)
    place(cpu, [rv.jalr(1, 5, 0)])
    put(cpu, [rv.jal(0, 0)], HANDLER)
    cpu.setRegister(5, 0x1000)
    expect(cpu.run(10)).toBe('budget')
    expect([...trap(cpu), cpu.register(1)]).toEqual([1, 0x1000, 0x1000, HANDLER, BASE + 4])
  })

  it('report_the_half_of_an_instruction_that_is_missing', () => {
    const cpu = bench()
    const end = BASE + 0x4_0000
    cpu.writeCsr(MTVEC, HANDLER)
    cpu.write(end - 2, Uint8Array.of(0x13, 0))
    place(cpu, [rv.C.nop], end - 4)
    cpu.run(2)
    expect(trap(cpu)).toEqual([1, end - 2, end, HANDLER])
  })

  it('halt_the_run_when_nothing_is_at_the_handler', () => {
    const cpu = bench()
    place(cpu, [rv.ecall])
    expect(cpu.run(10)).toBe('halted')
    expect(trap(cpu).slice(0, 3)).toEqual([1, 0, 0])
  })

  it('stop_the_run_when_the_host_wants_it', () => {
    const cpu = bench({ stopOnException: true })
    cpu.writeCsr(MTVEC, HANDLER)
    place(cpu, [rv.nop, rv.ecall])
    expect(cpu.run(10)).toBe('trap')
    expect(trap(cpu)).toEqual([11, BASE + 4, 0, HANDLER])
    place(cpu, [rv.jalr(0, 0, 0x100)])
    expect(cpu.run(10)).toBe('trap')
    expect(trap(cpu)).toEqual([1, 0x100, 0x100, HANDLER])
  })

  it('are_raised_by_the_host_inside_an_access', () => {
    const cpu: Cpu = bench({}, { mmioRead: () => cpu.fault() ?? 5, mmioWrite: () => cpu.fault() })
    cpu.writeCsr(MTVEC, HANDLER)
    cpu.setRegister(5, 0x6000_0000)
    place(cpu, [rv.lw(7, 5, 4)])
    cpu.run(1)
    expect([...trap(cpu), cpu.register(7)]).toEqual([5, BASE, 0x6000_0004, HANDLER, 0])
    place(cpu, [rv.sb(7, 5, 9)])
    cpu.run(1)
    expect(trap(cpu)).toEqual([7, BASE, 0x6000_0009, HANDLER])
  })

  it('do_not_happen_for_misaligned_accesses_where_these_are_allowed', () => {
    const cpu = bench({ misaligned: true })
    cpu.write(DATA, words([0x44332211, 0x88776655]))
    cpu.setRegister(5, DATA)
    cpu.setRegister(6, 0xaabbccdd)
    place(cpu, [rv.lw(7, 5, 1), rv.LOADS.lh(8, 5, 3), rv.lhu(9, 5, 5), rv.sw(6, 5, 2), rv.sh(6, 5, 7)])
    cpu.run(5)
    expect([cpu.register(7), cpu.register(8), cpu.register(9)]).toEqual([0x55443322, 0x5544, 0x7766])
    expect([word(cpu, DATA), word(cpu, DATA + 4)]).toEqual([0xccdd2211, 0xdd77aabb])
  })
})

describe('interrupts', () => {
  /** A program that counts x5 up for ever, with interrupts on; each vector jumps to one handler. */
  function counting(enabled: boolean): Cpu {
    const cpu = bench()
    cpu.writeCsr(MTVEC, HANDLER)
    cpu.writeCsr(MSTATUS, enabled ? MIE : 0)
    place(cpu, [rv.addi(5, 5, 1), rv.jal(0, -4)])
    return cpu
  }

  it.each([1, 7, 31])('number_%i_goes_to_its_vector', (n) => {
    const cpu = counting(true)
    put(cpu, [rv.jal(0, 0)], HANDLER + 4 * n)
    cpu.run(100)
    cpu.setInterrupt(n)
    cpu.run(1)
    expect(trap(cpu)).toEqual([0x8000_0000 + n, BASE, 0, HANDLER + 4 * n])
    expect(cpu.readCsr(MSTATUS)).toBe(MPIE | MPP)
    expect(cpu.register(5)).toBe(50)
  })

  it('wait_until_they_are_enabled', () => {
    const cpu = counting(false)
    cpu.setInterrupt(5)
    expect(cpu.run(100)).toBe('budget')
    expect([cpu.register(5), cpu.readCsr(MCAUSE)]).toEqual([50, 0])
    put(cpu, [rv.jal(0, 0)], HANDLER + 20)
    place(cpu, [rv.csrrsi(0, MSTATUS, MIE), rv.addi(6, 6, 1)])
    cpu.run(1)
    expect([cpu.pc, cpu.readCsr(MSTATUS)]).toEqual([BASE + 4, MIE])
    cpu.run(1)
    expect([...trap(cpu), cpu.register(6)]).toEqual([0x8000_0005, BASE + 4, 0, HANDLER + 20, 0])
  })

  it('are_taken_right_behind_the_csr_write_or_mret_that_enables_them', () => {
    for (const last of [rv.csrrsi(0, MSTATUS, MIE), rv.mret]) {
      const cpu = counting(false)
      cpu.writeCsr(MSTATUS, MPIE | MPP)
      cpu.writeCsr(MEPC, BASE + 8)
      place(cpu, [rv.nop, last, rv.addi(6, 6, 1), rv.addi(6, 6, 1)])
      put(cpu, [rv.jal(0, 0)], HANDLER + 12)
      cpu.setInterrupt(3)
      cpu.run(20)
      expect([cpu.readCsr(MCAUSE), cpu.readCsr(MEPC), cpu.register(6)]).toEqual([0x8000_0003, BASE + 8, 0])
    }
  })

  it('are_taken_right_behind_the_device_access_that_presents_them', () => {
    const cpu: Cpu = bench({}, { mmioWrite: () => cpu.setInterrupt(4), mmioRead: () => 7 })
    cpu.writeCsr(MTVEC, HANDLER)
    cpu.writeCsr(MSTATUS, MIE)
    cpu.setRegister(10, 0x6000_0000)
    place(cpu, [rv.nop, rv.sw(0, 10, 0), rv.addi(6, 6, 1)])
    put(cpu, [rv.jal(0, 0)], HANDLER + 16)
    cpu.run(10)
    expect([cpu.readCsr(MCAUSE), cpu.readCsr(MEPC), cpu.register(6)]).toEqual([0x8000_0004, BASE + 8, 0])
  })

  it('return_to_the_very_instruction_that_was_next', () => {
    const cpu = counting(true)
    // The handler counts x6, tells the device, and returns.
    put(cpu, [rv.addi(6, 6, 1), rv.mret], HANDLER + 8)
    for (let i = 0; i < 1000; i++) {
      cpu.setInterrupt(2)
      cpu.run(1)
      cpu.setInterrupt(0)
      cpu.run(1 + (i % 17))
    }
    expect(cpu.register(6)).toBe(1000)
    // Every instruction but the handler's two was one of the loop's: none was lost, none done twice.
    const counted = cpu.instructions - 2000
    expect(Math.abs(cpu.register(5) - counted / 2)).toBeLessThanOrEqual(1)
  })

  it('wake_wfi_even_when_disabled_and_let_it_pass_when_pending', () => {
    const cpu = bench()
    place(cpu, [rv.wfi, rv.addi(6, 6, 1), rv.wfi, rv.addi(6, 6, 1)])
    expect(cpu.run(10)).toBe('wfi')
    expect([cpu.pc, cpu.instructions, cpu.register(6)]).toEqual([BASE + 4, 1, 0])
    cpu.setInterrupt(9)
    expect(cpu.run(3)).toBe('budget')
    expect(cpu.register(6)).toBe(2)
  })
})

describe('control and status registers', () => {
  it.each([
    ['csrrw', 0x0f0f, 0x0f0f, rv.csrrw],
    ['csrrs', 0x0f0f, 0xff0f, rv.csrrs],
    ['csrrc', 0x0f0f, 0xf000, rv.csrrc],
  ] as const)('%s_returns_the_old_value', (_, operand, result, encode) => {
    const cpu = bench()
    cpu.writeCsr(MSCRATCH, 0xff00)
    cpu.setRegister(5, operand)
    place(cpu, [encode(5, MSCRATCH, 5)])
    cpu.run(1)
    expect([cpu.register(5), cpu.readCsr(MSCRATCH)]).toEqual([0xff00, result])
  })

  it.each([
    ['csrrwi', 0x15, rv.csrrwi],
    ['csrrsi', 0x1f, rv.csrrsi],
    ['csrrci', 0x0a, rv.csrrci],
  ] as const)('%s_takes_five_bits', (_, result, encode) => {
    const cpu = bench()
    cpu.writeCsr(MSCRATCH, 0x1f)
    place(cpu, [encode(7, MSCRATCH, 0x15)])
    cpu.run(1)
    expect([cpu.register(7), cpu.readCsr(MSCRATCH)]).toEqual([0x1f, result])
  })

  it('read_only_registers_can_be_read_by_csrrs_with_x0', () => {
    const cpu = bench()
    place(cpu, [rv.csrrs(5, 0xf11, 0), rv.csrrs(6, 0xf12, 0), rv.csrrs(7, 0x301, 0), rv.csrrs(8, 0xf14, 0)])
    cpu.run(4)
    expect([5, 6, 7, 8].map((x) => cpu.register(x))).toEqual([0x612, 0x8000_0001, 0x4010_1104, 0])
  })

  it('keep_only_the_bits_that_exist', () => {
    const cpu = bench()
    for (const csr of [MSTATUS, MTVEC, MEPC]) cpu.writeCsr(csr, 0xffffffff)
    expect(cpu.readCsr(MSTATUS)).toBe(0x0020_1888)
    expect(cpu.readCsr(MTVEC)).toBe(0xffffff01)
    expect(cpu.readCsr(MEPC)).toBe(0xfffffffe)
    cpu.writeCsr(MSTATUS, 0x0800)
    expect(cpu.readCsr(MSTATUS)).toBe(0)
  })

  it('count_cycles_exactly_and_by_two_names', () => {
    const cpu = bench()
    place(cpu, [
      rv.csrrs(5, 0x7e2, 0),
      rv.nop,
      rv.C.nop,
      rv.csrrs(6, 0x802, 0),
      rv.csrrw(0, 0x7e2, 0),
      rv.csrrs(7, 0x7e2, 0),
      rv.nop,
      rv.csrrs(8, 0x7e2, 0),
    ])
    cpu.run(4)
    cpu.addCycles(1000)
    expect([cpu.register(6) - cpu.register(5), cpu.cycles, cpu.instructions]).toEqual([3, 1004, 4])
    cpu.run(4)
    expect([cpu.register(7), cpu.register(8)]).toEqual([0, 2])
  })

  it('ask_the_host_for_the_dedicated_gpio', () => {
    const log: unknown[] = []
    const cpu: Cpu = bench(
      {},
      {
        csrRead: (csr) => (log.push(csr, cpu.instructions) ? 0xa5 : 0),
        csrWrite: (csr, value) => log.push(csr, value, cpu.instructions),
      },
    )
    place(cpu, [rv.nop, rv.csrrs(5, 0x804, 0), rv.csrrwi(0, 0x805, 3), rv.csrrsi(6, 0x803, 2)])
    cpu.run(4)
    expect(cpu.register(5)).toBe(0xa5)
    expect(log).toEqual([0x804, 1, 0x805, 3, 2, 0x803, 3, 0x803, 0xa7, 3])
  })

  it('lack_what_the_esp32c3_lacks_and_have_it_on_a_standard_machine', () => {
    for (const csr of [0x304, 0x344, 0xb00, 0xc02]) {
      const chip = bench()
      chip.writeCsr(MTVEC, HANDLER)
      place(chip, [rv.csrrs(5, csr, 0)])
      chip.run(1)
      expect(chip.readCsr(MCAUSE)).toBe(2)
      const standard = bench({ standard: true })
      place(standard, [rv.csrrs(5, csr, 0)])
      standard.run(1)
      expect(standard.pc).toBe(BASE + 4)
    }
  })

  it('take_a_trap_vector_of_either_mode_on_a_standard_machine', () => {
    for (const [vector, at] of [
      [HANDLER, HANDLER],
      [HANDLER | 1, HANDLER + 44],
    ] as const) {
      const cpu = bench({ standard: true })
      cpu.writeCsr(MTVEC, vector)
      cpu.writeCsr(MSTATUS, MIE)
      cpu.writeCsr(0x304, 1 << 11)
      cpu.setInterrupt(11)
      put(cpu, [rv.jal(0, 0)], at)
      place(cpu, [rv.nop])
      cpu.run(1)
      expect(trap(cpu)).toEqual([0x8000_000b, BASE, 0, at])
    }
  })
})
