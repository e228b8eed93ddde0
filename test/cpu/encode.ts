// Encoders of RV32IMC instructions for the tests, written from the tables of the Unprivileged ISA (chapter 24, and 16.8 for
// C) and from nothing else. Each returns the instruction's bits; `bytes` lays a program out.

/** A 32-bit instruction, or a 16-bit one (marked by its two lowest bits). */
export type Instruction = number

export function bytes(program: readonly Instruction[]): Uint8Array {
  const out: number[] = []
  for (const w of program) {
    out.push(w & 255, (w >>> 8) & 255)
    if ((w & 3) === 3) out.push((w >>> 16) & 255, w >>> 24)
  }
  return Uint8Array.from(out)
}

export function length(w: Instruction): number {
  return (w & 3) === 3 ? 4 : 2
}

const bits = (value: number, high: number, low: number) => (value >>> low) & (2 ** (high - low + 1) - 1)

export const rType = (opcode: number, funct3: number, funct7: number) => (rd: number, rs1: number, rs2: number) =>
  ((funct7 << 25) | (rs2 << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0
export const iType = (opcode: number, funct3: number) => (rd: number, rs1: number, imm: number) =>
  ((imm << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0
const sType = (funct3: number) => (rs2: number, rs1: number, imm: number) =>
  ((bits(imm, 11, 5) << 25) | (rs2 << 20) | (rs1 << 15) | (funct3 << 12) | (bits(imm, 4, 0) << 7) | 0x23) >>> 0
const bType = (funct3: number) => (rs1: number, rs2: number, offset: number) =>
  ((bits(offset, 12, 12) << 31) |
    (bits(offset, 10, 5) << 25) |
    (rs2 << 20) |
    (rs1 << 15) |
    (funct3 << 12) |
    (bits(offset, 4, 1) << 8) |
    (bits(offset, 11, 11) << 7) |
    0x63) >>>
  0

export const lui = (rd: number, upper: number) => ((upper << 12) | (rd << 7) | 0x37) >>> 0
export const auipc = (rd: number, upper: number) => ((upper << 12) | (rd << 7) | 0x17) >>> 0
export const jal = (rd: number, offset: number) =>
  ((bits(offset, 20, 20) << 31) |
    (bits(offset, 10, 1) << 21) |
    (bits(offset, 11, 11) << 20) |
    (bits(offset, 19, 12) << 12) |
    (rd << 7) |
    0x6f) >>>
  0
export const jalr = iType(0x67, 0)

export const REGISTER_OPS = {
  add: rType(0x33, 0, 0),
  sub: rType(0x33, 0, 32),
  sll: rType(0x33, 1, 0),
  slt: rType(0x33, 2, 0),
  sltu: rType(0x33, 3, 0),
  xor: rType(0x33, 4, 0),
  srl: rType(0x33, 5, 0),
  sra: rType(0x33, 5, 32),
  or: rType(0x33, 6, 0),
  and: rType(0x33, 7, 0),
  mul: rType(0x33, 0, 1),
  mulh: rType(0x33, 1, 1),
  mulhsu: rType(0x33, 2, 1),
  mulhu: rType(0x33, 3, 1),
  div: rType(0x33, 4, 1),
  divu: rType(0x33, 5, 1),
  rem: rType(0x33, 6, 1),
  remu: rType(0x33, 7, 1),
} as const

export const IMMEDIATE_OPS = {
  addi: iType(0x13, 0),
  slti: iType(0x13, 2),
  sltiu: iType(0x13, 3),
  xori: iType(0x13, 4),
  ori: iType(0x13, 6),
  andi: iType(0x13, 7),
} as const

const shift = (funct3: number, funct7: number) => (rd: number, rs1: number, amount: number) =>
  iType(0x13, funct3)(rd, rs1, (funct7 << 5) | amount)
export const SHIFT_OPS = { slli: shift(1, 0), srli: shift(5, 0), srai: shift(5, 32) } as const

export const LOADS = { lb: iType(3, 0), lh: iType(3, 1), lw: iType(3, 2), lbu: iType(3, 4), lhu: iType(3, 5) } as const
export const STORES = { sb: sType(0), sh: sType(1), sw: sType(2) } as const
export const BRANCHES = {
  beq: bType(0),
  bne: bType(1),
  blt: bType(4),
  bge: bType(5),
  bltu: bType(6),
  bgeu: bType(7),
} as const

export const { add, sub } = REGISTER_OPS
export const { addi } = IMMEDIATE_OPS
export const { lw, lbu, lhu } = LOADS
export const { sb, sh, sw } = STORES
export const { beq, bne, bltu } = BRANCHES
export const nop = addi(0, 0, 0)
export const fence = 0x0ff0_000f
export const fenceI = 0x0000_100f
export const ecall = 0x0000_0073
export const ebreak = 0x0010_0073
export const mret = 0x3020_0073
export const wfi = 0x1050_0073

const csr = (funct3: number) => (rd: number, number: number, source: number) => iType(0x73, funct3)(rd, source, number)
export const CSR_OPS = {
  csrrw: csr(1),
  csrrs: csr(2),
  csrrc: csr(3),
  csrrwi: csr(5),
  csrrsi: csr(6),
  csrrci: csr(7),
} as const
export const { csrrw, csrrs, csrrc, csrrwi, csrrsi, csrrci } = CSR_OPS

/** Two instructions that set rd to any constant. */
export function li(rd: number, value: number): Instruction[] {
  const low = (value << 20) >> 20
  return [lui(rd, ((value - low) >>> 12) & 0xfffff), addi(rd, rd, low)]
}

// Compressed forms. Registers are x-numbers; where only x8 to x15 can be named, the caller sees to it.

const near = (x: number) => x - 8
const ci = (funct3: number, op: number) => (rd: number, imm6: number) =>
  (funct3 << 13) | (bits(imm6, 5, 5) << 12) | (rd << 7) | (bits(imm6, 4, 0) << 2) | op
const ca = (funct6: number, funct2: number) => (rd: number, rs2: number) =>
  (funct6 << 10) | (near(rd) << 7) | (funct2 << 5) | (near(rs2) << 2) | 1
const cb = (funct2: number) => (rd: number, imm6: number) =>
  (4 << 13) | (bits(imm6, 5, 5) << 12) | (funct2 << 10) | (near(rd) << 7) | (bits(imm6, 4, 0) << 2) | 1
const cj = (funct3: number) => (offset: number) =>
  (funct3 << 13) |
  (bits(offset, 11, 11) << 12) |
  (bits(offset, 4, 4) << 11) |
  (bits(offset, 9, 8) << 9) |
  (bits(offset, 10, 10) << 8) |
  (bits(offset, 6, 6) << 7) |
  (bits(offset, 7, 7) << 6) |
  (bits(offset, 3, 1) << 3) |
  (bits(offset, 5, 5) << 2) |
  1
const cBranch = (funct3: number) => (rs1: number, offset: number) =>
  (funct3 << 13) |
  (bits(offset, 8, 8) << 12) |
  (bits(offset, 4, 3) << 10) |
  (near(rs1) << 7) |
  (bits(offset, 7, 6) << 5) |
  (bits(offset, 2, 1) << 3) |
  (bits(offset, 5, 5) << 2) |
  1
const clw = (funct3: number) => (rd: number, rs1: number, offset: number) =>
  (funct3 << 13) |
  (bits(offset, 5, 3) << 10) |
  (near(rs1) << 7) |
  (bits(offset, 2, 2) << 6) |
  (bits(offset, 6, 6) << 5) |
  (near(rd) << 2)
const cr = (funct4: number) => (rd: number, rs2: number) => (funct4 << 12) | (rd << 7) | (rs2 << 2) | 2

export const C = {
  addi4spn: (rd: number, imm: number) =>
    (bits(imm, 5, 4) << 11) |
    (bits(imm, 9, 6) << 7) |
    (bits(imm, 2, 2) << 6) |
    (bits(imm, 3, 3) << 5) |
    (near(rd) << 2),
  lw: clw(2),
  sw: clw(6),
  nop: 1,
  addi: ci(0, 1),
  jal: cj(1),
  li: ci(2, 1),
  addi16sp: (imm: number) =>
    (3 << 13) |
    (bits(imm, 9, 9) << 12) |
    (2 << 7) |
    (bits(imm, 4, 4) << 6) |
    (bits(imm, 6, 6) << 5) |
    (bits(imm, 8, 7) << 3) |
    (bits(imm, 5, 5) << 2) |
    1,
  lui: ci(3, 1),
  srli: cb(0),
  srai: cb(1),
  andi: cb(2),
  sub: ca(0x23, 0),
  xor: ca(0x23, 1),
  or: ca(0x23, 2),
  and: ca(0x23, 3),
  j: cj(5),
  beqz: cBranch(6),
  bnez: cBranch(7),
  slli: ci(0, 2),
  lwsp: (rd: number, offset: number) =>
    (2 << 13) | (bits(offset, 5, 5) << 12) | (rd << 7) | (bits(offset, 4, 2) << 4) | (bits(offset, 7, 6) << 2) | 2,
  jr: (rs1: number) => cr(8)(rs1, 0),
  mv: cr(8),
  ebreak: 0x9002,
  jalr: (rs1: number) => cr(9)(rs1, 0),
  add: cr(9),
  swsp: (rs2: number, offset: number) =>
    (6 << 13) | (bits(offset, 5, 2) << 9) | (bits(offset, 7, 6) << 7) | (rs2 << 2) | 2,
} as const
