// Each instruction of RV32IM with edge values, against a slow twin written in BigInt and DataView.

import { describe, expect, it } from 'vitest'
import type { Cpu } from '../../sim/cpu/core'
import { BASE, bench, DATA, place, word, words } from './bench'
import * as rv from './encode'
import { Random } from './random'

const EDGES = [
  0, 1, 2, 3, 31, 32, 0x7ff, 0x800, 0x7fff, 0x8000, 0xffff, 0x12345678, 0x55555555, 0x7fffffff, 0x80000000, 0x80000001,
  0xaaaaaaaa, 0xfffff800, 0xfffffffe, 0xffffffff,
]
const IMMEDIATES = [-2048, -2047, -1, 0, 1, 2, 5, 31, 32, 0x555, 2046, 2047]

const signed = (value: number) => BigInt(value | 0)
const unsigned = (value: number) => BigInt(value >>> 0)
const low = (value: bigint) => Number(BigInt.asUintN(32, value))
const high = (value: bigint) => low(value >> 32n)

const SPECIFICATION: Record<keyof typeof rv.REGISTER_OPS, (a: number, b: number) => number> = {
  add: (a, b) => low(signed(a) + signed(b)),
  sub: (a, b) => low(signed(a) - signed(b)),
  sll: (a, b) => low(unsigned(a) << (unsigned(b) & 31n)),
  slt: (a, b) => (signed(a) < signed(b) ? 1 : 0),
  sltu: (a, b) => (unsigned(a) < unsigned(b) ? 1 : 0),
  xor: (a, b) => low(unsigned(a) ^ unsigned(b)),
  srl: (a, b) => low(unsigned(a) >> (unsigned(b) & 31n)),
  sra: (a, b) => low(signed(a) >> (unsigned(b) & 31n)),
  or: (a, b) => low(unsigned(a) | unsigned(b)),
  and: (a, b) => low(unsigned(a) & unsigned(b)),
  mul: (a, b) => low(signed(a) * signed(b)),
  mulh: (a, b) => high(signed(a) * signed(b)),
  mulhsu: (a, b) => high(signed(a) * unsigned(b)),
  mulhu: (a, b) => high(unsigned(a) * unsigned(b)),
  // Division by zero gives all ones or the dividend; the one overflow gives the dividend or 0 (table 7.1).
  div: (a, b) => (b === 0 ? 0xffffffff : low(signed(a) / signed(b))),
  divu: (a, b) => (b === 0 ? 0xffffffff : low(unsigned(a) / unsigned(b))),
  rem: (a, b) => (b === 0 ? a : low(signed(a) % signed(b))),
  remu: (a, b) => (b === 0 ? a : low(unsigned(a) % unsigned(b))),
}
const IMMEDIATE_SPECIFICATION: Record<keyof typeof rv.IMMEDIATE_OPS, (a: number, b: number) => number> = {
  addi: SPECIFICATION.add,
  slti: SPECIFICATION.slt,
  sltiu: SPECIFICATION.sltu,
  xori: SPECIFICATION.xor,
  ori: SPECIFICATION.or,
  andi: SPECIFICATION.and,
}
const BRANCH_SPECIFICATION: Record<keyof typeof rv.BRANCHES, (a: number, b: number) => boolean> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blt: (a, b) => signed(a) < signed(b),
  bge: (a, b) => signed(a) >= signed(b),
  bltu: (a, b) => unsigned(a) < unsigned(b),
  bgeu: (a, b) => unsigned(a) >= unsigned(b),
}

/** Runs the one instruction at BASE with x5 = a and x6 = b. */
function execute(cpu: Cpu, a: number, b: number): void {
  cpu.pc = BASE
  cpu.setRegister(5, a)
  cpu.setRegister(6, b)
  expect(cpu.run(1)).toBe('budget')
}

describe('register with register', () => {
  it.each(Object.keys(SPECIFICATION) as (keyof typeof SPECIFICATION)[])(
    '%s_does_as_specified_on_edge_values',
    (name) => {
      const cpu = bench()
      const encode = rv.REGISTER_OPS[name]
      for (const [rd, rs1, rs2] of [
        [7, 5, 6],
        [5, 5, 6],
        [6, 5, 6],
      ] as const) {
        place(cpu, [encode(rd, rs1, rs2)])
        for (const a of EDGES) {
          for (const b of EDGES) {
            execute(cpu, a, b)
            expect([name, a, b, cpu.register(rd)]).toEqual([name, a, b, SPECIFICATION[name](a, b)])
          }
        }
      }
      place(cpu, [encode(7, 5, 5)])
      for (const a of EDGES) {
        execute(cpu, a, 0)
        expect(cpu.register(7)).toBe(SPECIFICATION[name](a, a))
      }
    },
  )

  it('leaves_x0_zero', () => {
    const cpu = bench()
    for (const encode of Object.values(rv.REGISTER_OPS)) {
      place(cpu, [encode(0, 5, 6), rv.add(7, 0, 0), rv.add(8, 5, 0)])
      cpu.setRegister(5, 77)
      cpu.setRegister(6, 5)
      cpu.run(3)
      expect([cpu.register(0), cpu.register(7), cpu.register(8)]).toEqual([0, 0, 77])
    }
  })
})

describe('register with immediate', () => {
  it.each(Object.keys(IMMEDIATE_SPECIFICATION) as (keyof typeof IMMEDIATE_SPECIFICATION)[])(
    '%s_sign_extends',
    (name) => {
      const cpu = bench()
      for (const imm of IMMEDIATES) {
        place(cpu, [rv.IMMEDIATE_OPS[name](7, 5, imm)])
        for (const a of EDGES) {
          execute(cpu, a, 0)
          expect([name, a, imm, cpu.register(7)]).toEqual([name, a, imm, IMMEDIATE_SPECIFICATION[name](a, imm >>> 0)])
        }
      }
    },
  )

  it.each(['slli', 'srli', 'srai'] as const)('%s_shifts_by_every_amount', (name) => {
    const cpu = bench()
    const specification = { slli: SPECIFICATION.sll, srli: SPECIFICATION.srl, srai: SPECIFICATION.sra }[name]
    for (let amount = 0; amount < 32; amount++) {
      place(cpu, [rv.SHIFT_OPS[name](7, 5, amount)])
      for (const a of EDGES) {
        execute(cpu, a, 0)
        expect([a, amount, cpu.register(7)]).toEqual([a, amount, specification(a, amount)])
      }
    }
  })

  it('builds_constants_with_lui_and_addi_in_one_block', () => {
    const cpu = bench()
    for (const value of EDGES) {
      place(cpu, [...rv.li(7, value), rv.addi(8, 7, 1), rv.add(9, 7, 8)])
      cpu.run(4)
      expect([cpu.register(7), cpu.register(8), cpu.register(9)]).toEqual([
        value,
        (value + 1) >>> 0,
        (2 * value + 1) >>> 0,
      ])
    }
  })

  it('adds_auipc_to_the_program_counter', () => {
    const cpu = bench()
    place(cpu, [rv.nop, rv.auipc(7, 0x12345), rv.auipc(8, 0xfffff), rv.C.nop, rv.auipc(9, 0)])
    cpu.run(5)
    expect([cpu.register(7), cpu.register(8), cpu.register(9)]).toEqual([
      (BASE + 4 + 0x12345000) >>> 0,
      BASE + 8 - 0x1000,
      BASE + 14,
    ])
  })
})

describe('branches and jumps', () => {
  it.each(Object.keys(BRANCH_SPECIFICATION) as (keyof typeof BRANCH_SPECIFICATION)[])('%s_goes_both_ways', (name) => {
    const cpu = bench()
    for (const offset of [8, -8, 4094, -4096]) {
      place(cpu, [rv.BRANCHES[name](5, 6, offset)], BASE + 0x2000)
      for (const a of EDGES) {
        for (const b of EDGES) {
          cpu.pc = BASE + 0x2000
          cpu.setRegister(5, a)
          cpu.setRegister(6, b)
          cpu.run(1)
          expect(cpu.pc).toBe(BASE + 0x2000 + (BRANCH_SPECIFICATION[name](a, b) ? offset : 4))
        }
      }
    }
  })

  it('links_and_reaches_one_megabyte_with_jal', () => {
    const cpu = bench()
    for (const offset of [4, -4, 2, 0x7fe, 0x800, 0x1000, -0x1000, 0x1fffe]) {
      place(cpu, [rv.jal(7, offset)], BASE + 0x10000)
      expect(cpu.run(1)).toBe('budget')
      expect([cpu.pc, cpu.register(7)]).toEqual([BASE + 0x10000 + offset, BASE + 0x10004])
    }
  })

  it('clears_the_lowest_bit_of_a_jalr_target_and_reads_the_base_before_it_links', () => {
    const cpu = bench()
    place(cpu, [rv.jalr(5, 5, -1)])
    cpu.setRegister(5, BASE + 0x102)
    cpu.run(1)
    expect([cpu.pc, cpu.register(5)]).toEqual([BASE + 0x100, BASE + 4])
  })

  it('calls_and_returns_through_a_far_call', () => {
    const cpu = bench()
    // auipc ra, 1; jalr ra, 0x10(ra) -> BASE + 0x1010, where x7 is counted up before the return.
    place(cpu, [rv.addi(7, 7, 1), rv.jalr(0, 1, 0)], BASE + 0x1010)
    place(cpu, [rv.auipc(1, 1), rv.jalr(1, 1, 0x10), rv.addi(8, 8, 1), rv.jal(0, -12)])
    cpu.run(6 * 1000)
    expect([cpu.register(7), cpu.register(8), cpu.pc]).toEqual([1000, 1000, BASE])
  })

  it('runs_a_jump_to_itself_for_the_whole_budget', () => {
    const cpu = bench()
    place(cpu, [rv.jal(0, 0)])
    expect(cpu.run(1_000_003)).toBe('budget')
    expect([cpu.instructions, cpu.pc]).toEqual([1_000_003, BASE])
  })
})

describe('loads and stores', () => {
  it('loads_each_width_with_its_extension', () => {
    const cpu = bench()
    cpu.write(DATA, words([0x80ff7f01, 0x12348000]))
    const cases: [number, number][] = [
      [rv.LOADS.lb(7, 5, 0), 1],
      [rv.LOADS.lb(7, 5, 2), 0xffffffff],
      [rv.LOADS.lb(7, 5, 3), 0xffffff80],
      [rv.LOADS.lbu(7, 5, 3), 0x80],
      [rv.LOADS.lh(7, 5, 0), 0x7f01],
      [rv.LOADS.lh(7, 5, 2), 0xffff80ff],
      [rv.LOADS.lhu(7, 5, 2), 0x80ff],
      [rv.LOADS.lh(7, 5, 4), 0xffff8000],
      [rv.LOADS.lw(7, 5, 4), 0x12348000],
    ]
    for (const [instruction, value] of cases) {
      place(cpu, [instruction])
      execute(cpu, DATA, 0)
      expect(cpu.register(7)).toBe(value)
    }
  })

  it('stores_each_width_and_nothing_beside_it', () => {
    const cpu = bench()
    const cases: [number, number][] = [
      [rv.STORES.sb(6, 5, 0), 0xa5a5a578],
      [rv.STORES.sb(6, 5, 3), 0x78a5a5a5],
      [rv.STORES.sh(6, 5, 0), 0xa5a55678],
      [rv.STORES.sh(6, 5, 2), 0x5678a5a5],
      [rv.STORES.sw(6, 5, 0), 0x12345678],
    ]
    for (const [instruction, value] of cases) {
      cpu.write(DATA, words([0xa5a5a5a5, 0xa5a5a5a5]))
      place(cpu, [instruction])
      execute(cpu, DATA, 0x12345678)
      expect([word(cpu, DATA), word(cpu, DATA + 4)]).toEqual([value, 0xa5a5a5a5])
    }
  })

  it('reaches_2_kb_to_both_sides', () => {
    const cpu = bench()
    for (const offset of [-2048, 2044]) {
      place(cpu, [rv.sw(6, 5, offset), rv.lw(7, 5, offset)])
      cpu.setRegister(5, DATA)
      cpu.setRegister(6, 0xcafe0000 + offset)
      cpu.run(2)
      expect([cpu.register(7), word(cpu, DATA + offset)]).toEqual([
        (0xcafe0000 + offset) >>> 0,
        (0xcafe0000 + offset) >>> 0,
      ])
    }
  })

  it('discards_a_load_to_x0', () => {
    const cpu = bench()
    cpu.write(DATA, words([5]))
    place(cpu, [rv.lw(0, 5, 0), rv.add(7, 0, 0)])
    cpu.setRegister(5, DATA)
    cpu.run(2)
    expect(cpu.register(7)).toBe(0)
  })
})

describe('the budget', () => {
  it('is_kept_to_the_instruction_wherever_it_ends', () => {
    const program = [
      rv.addi(5, 5, 1),
      rv.C.addi(6, 2),
      rv.lw(7, 2, -16),
      rv.beq(0, 5, 8),
      rv.add(8, 8, 5),
      rv.jal(0, -18),
    ]
    const slow = bench()
    place(slow, program)
    const fast = bench()
    place(fast, program)
    const random = new Random(7)
    for (let round = 0; round < 200; round++) {
      const count = 1 + random.below(300)
      for (let i = 0; i < count; i++) expect(slow.run(1)).toBe('budget')
      expect(fast.run(count)).toBe('budget')
      expect(fast.instructions).toBe(slow.instructions)
      expect([fast.pc, fast.register(5), fast.register(6), fast.register(8)]).toEqual([
        slow.pc,
        slow.register(5),
        slow.register(6),
        slow.register(8),
      ])
    }
  })
})
