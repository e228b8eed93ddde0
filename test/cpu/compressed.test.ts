// Every form of RV32C (no F, no D) does what its 32-bit form does, and every reserved encoding is illegal.

import { describe, expect, it } from 'vitest'
import type { Cpu } from '../../sim/cpu/core'
import { BASE, bench, DATA, place } from './bench'
import * as rv from './encode'

const { C } = rv
const NEAR = [8, 9, 10, 11, 12, 13, 14, 15]
const IMM6 = Array.from({ length: 64 }, (_, i) => i - 32)
/** Even offsets but 2 and 4, where going on and jumping look the same. */
const even = (from: number, to: number) =>
  Array.from({ length: (to - from) / 2 + 1 }, (_, i) => from + 2 * i).filter((offset) => offset !== 2 && offset !== 4)

/** Pairs: the compressed form, and the one that it stands for (Unprivileged ISA 16.3 to 16.5). */
const PAIRS: Record<string, [number, number][]> = {
  'c.addi4spn': Array.from({ length: 255 }, (_, i) => [
    C.addi4spn(NEAR[i % 8]!, 4 * (i + 1)),
    rv.addi(NEAR[i % 8]!, 2, 4 * (i + 1)),
  ]),
  'c.lw': Array.from({ length: 32 }, (_, i) => [C.lw(NEAR[i % 8]!, 9, 4 * i), rv.lw(NEAR[i % 8]!, 9, 4 * i)]),
  'c.sw': Array.from({ length: 32 }, (_, i) => [C.sw(NEAR[i % 8]!, 9, 4 * i), rv.sw(NEAR[i % 8]!, 9, 4 * i)]),
  'c.addi': IMM6.map((imm, i) => [C.addi(i % 32, imm), rv.addi(i % 32, i % 32, imm)]),
  'c.jal': even(-2048, 2046).map((offset) => [C.jal(offset), rv.jal(1, offset)]),
  'c.li': IMM6.map((imm, i) => [C.li(i % 32, imm), rv.addi(i % 32, 0, imm)]),
  'c.addi16sp': IMM6.filter((imm) => imm !== 0).map((imm) => [C.addi16sp(16 * imm), rv.addi(2, 2, 16 * imm)]),
  'c.lui': IMM6.filter((imm) => imm !== 0).map((imm) => [C.lui(7, imm), rv.lui(7, imm & 0xfffff)]),
  'c.srli': Array.from({ length: 32 }, (_, i) => [
    C.srli(NEAR[i % 8]!, i),
    rv.SHIFT_OPS.srli(NEAR[i % 8]!, NEAR[i % 8]!, i),
  ]),
  'c.srai': Array.from({ length: 32 }, (_, i) => [
    C.srai(NEAR[i % 8]!, i),
    rv.SHIFT_OPS.srai(NEAR[i % 8]!, NEAR[i % 8]!, i),
  ]),
  'c.andi': IMM6.map((imm, i) => [C.andi(NEAR[i % 8]!, imm), rv.IMMEDIATE_OPS.andi(NEAR[i % 8]!, NEAR[i % 8]!, imm)]),
  'c.sub': near2(C.sub, rv.REGISTER_OPS.sub),
  'c.xor': near2(C.xor, rv.REGISTER_OPS.xor),
  'c.or': near2(C.or, rv.REGISTER_OPS.or),
  'c.and': near2(C.and, rv.REGISTER_OPS.and),
  'c.j': even(-2048, 2046).map((offset) => [C.j(offset), rv.jal(0, offset)]),
  'c.beqz': even(-256, 254).map((offset, i) => [C.beqz(NEAR[i % 8]!, offset), rv.beq(NEAR[i % 8]!, 0, offset)]),
  'c.bnez': even(-256, 254).map((offset, i) => [C.bnez(NEAR[i % 8]!, offset), rv.bne(NEAR[i % 8]!, 0, offset)]),
  'c.slli': Array.from({ length: 32 }, (_, i) => [C.slli(i, i), rv.SHIFT_OPS.slli(i, i, i)]),
  'c.lwsp': Array.from({ length: 64 }, (_, i) => [C.lwsp(1 + (i % 31), 4 * i), rv.lw(1 + (i % 31), 2, 4 * i)]),
  'c.jr': Array.from({ length: 31 }, (_, i) => [C.jr(i + 1), rv.jalr(0, i + 1, 0)]),
  'c.mv': far2(C.mv, (rd, rs2) => rv.add(rd, 0, rs2)),
  'c.jalr': Array.from({ length: 31 }, (_, i) => [C.jalr(i + 1), rv.jalr(1, i + 1, 0)]),
  'c.add': far2(C.add, (rd, rs2) => rv.add(rd, rd, rs2)),
  'c.swsp': Array.from({ length: 64 }, (_, i) => [C.swsp(i % 32, 4 * i), rv.sw(i % 32, 2, 4 * i)]),
  'c.nop': [[C.nop, rv.nop]],
}

function near2(
  short: (rd: number, rs2: number) => number,
  long: (rd: number, rs1: number, rs2: number) => number,
): [number, number][] {
  return NEAR.flatMap((rd) => NEAR.map((rs2): [number, number] => [short(rd, rs2), long(rd, rd, rs2)]))
}

function far2(
  short: (rd: number, rs2: number) => number,
  long: (rd: number, rs2: number) => number,
): [number, number][] {
  return Array.from({ length: 31 * 32 }, (_, i) => [
    short(i % 32, 1 + Math.floor(i / 32)),
    long(i % 32, 1 + Math.floor(i / 32)),
  ])
}

const START = BASE + 0x8000

/** Everything that one instruction at START does: the program counter less the instruction's length where it falls through. */
function effect(cpu: Cpu, instruction: number): string {
  cpu.write(
    DATA,
    new Uint8Array(512).map((_, i) => 17 * i),
  )
  for (let x = 1; x < 32; x++) cpu.setRegister(x, (DATA + 4 * x) >>> 0)
  cpu.setRegister(12, 0)
  cpu.setRegister(2, DATA)
  place(cpu, [instruction], START)
  expect(cpu.run(1)).toBe('budget')
  const size = rv.length(instruction)
  const next = cpu.pc === START + size ? 'next' : cpu.pc
  const registers = Array.from({ length: 32 }, (_, x) => (cpu.register(x) === START + size ? 'link' : cpu.register(x)))
  return JSON.stringify([next, registers, Buffer.from(cpu.read(DATA, 512)).toString('hex')])
}

describe('compressed instructions', () => {
  const cpu = bench()

  it.each(Object.keys(PAIRS))('%s_does_what_its_long_form_does', (name) => {
    for (const [short, long] of PAIRS[name]!) {
      expect(rv.length(short)).toBe(2)
      expect([name, short, effect(cpu, short)]).toEqual([name, short, effect(cpu, long)])
    }
  })

  it('raises_an_illegal_instruction_for_every_encoding_that_no_form_has', () => {
    // All 49,152 half-words: legal ones were listed above or are hints with rd = 0.
    let illegal = 0
    cpu.writeCsr(0x305, BASE + 0x4000)
    for (let c = 0; c < 0x10000; c++) {
      if ((c & 3) === 3) continue
      cpu.writeCsr(0x342, 0)
      for (let x = 1; x < 32; x++) cpu.setRegister(x, DATA)
      place(cpu, [c], START)
      cpu.run(1)
      const isIllegal = cpu.readCsr(0x342) === 2
      if (isIllegal) expect([cpu.readCsr(0x341), cpu.readCsr(0x343)]).toEqual([START, c])
      if (isIllegal !== isReserved(c)) expect([c.toString(16), isIllegal]).toEqual([c.toString(16), isReserved(c)])
      illegal += isIllegal ? 1 : 0
    }
    expect(illegal).toBeGreaterThan(20_000)
  })
})

/** Written from tables 16.5 to 16.7 of the Unprivileged ISA. */
function isReserved(c: number): boolean {
  const funct3 = c >>> 13
  const bit12 = (c >>> 12) & 1
  const rd = (c >>> 7) & 31
  const rs2 = (c >>> 2) & 31
  switch (c & 3) {
    case 0:
      return funct3 === 0 ? (c & 0x1fe0) === 0 : funct3 !== 2 && funct3 !== 6
    case 1:
      if (funct3 === 3) return bit12 === 0 && rs2 === 0
      if (funct3 !== 4) return false
      return ((c >>> 10) & 3) === 2 ? false : bit12 === 1
    default:
      if (funct3 === 0) return bit12 === 1
      if (funct3 === 2) return rd === 0
      if (funct3 === 4) return bit12 === 0 && rs2 === 0 && rd === 0
      return funct3 !== 6
  }
}
