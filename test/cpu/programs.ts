// Random programs for two machines that must agree: the core, and qemu's `virt` board. One image holds many programs; each
// sets all registers, runs its random body, and stores all registers to its own row of results. A trap handler logs cause,
// address and value of every trap and goes on behind the instruction.
//
// x2 and x9 point into a window of data and are never written; x27 counts loops. mscratch belongs to the handler.

import * as rv from './encode'
import type { Random } from './random'

export const BASE = 0x8000_0000
const WINDOW = BASE + 0x20_0000
const WINDOW_SIZE = 0x1000
const SAVED = BASE + 0x20_2000
const LOG = BASE + 0x20_4000
const LOG_SIZE = 0x4_0000
const RESULTS = LOG + LOG_SIZE
/** Where the log and the rows are in what is sent, in words. */
const LOG_AT = (LOG - WINDOW) / 4
const ROWS_AT = (RESULTS - WINDOW) / 4
/** Words in a row of results: x1 to x31, and the instructions counted. */
const ROW = 32
const LOG_ENTRY = 4

const SP = 2
const WINDOW_REGISTER = 9
const COUNTER = 27
const RESERVED = [SP, WINDOW_REGISTER, COUNTER]
const TARGETS = Array.from({ length: 32 }, (_, i) => i).filter((i) => !RESERVED.includes(i))
const NEAR_TARGETS = [8, 10, 11, 12, 13, 14, 15]
const NEAR = [8, 9, 10, 11, 12, 13, 14, 15]
const EDGES = [
  0, 1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0xfffffffe, 0x7ff, 0x800, 0xfffff800, 31, 32, 0xffff, 0x8000,
]

export interface Image {
  readonly code: Uint8Array
  /** Where the results and the log are complete: the core stops here, qemu's program goes on to send them. */
  readonly done: number
  /** What is sent: from here, so many bytes. */
  readonly results: { readonly start: number; readonly size: number }
  readonly programs: number
}

export interface Mix {
  /** Misaligned loads and stores, which both machines then carry out. */
  readonly misaligned: boolean
  readonly traps: boolean
  /** No instructions that see mcause and mtval, which an interrupt would change. */
  readonly withoutCsrs?: boolean
}

/** An image of `count` programs, each of about `size` random instructions. */
export function makeImage(random: Random, count: number, size: number, mix: Mix): Image {
  const handlerOffset = 16
  const program: rv.Instruction[] = [
    rv.jal(0, handlerOffset + rv.bytes(handler()).length),
    rv.nop,
    rv.nop,
    rv.nop,
    ...handler(),
    ...rv.li(1, BASE + handlerOffset),
    rv.csrrw(0, 0x305, 1),
    ...rv.li(1, SAVED),
    ...rv.li(3, LOG),
    rv.sw(3, 1, 8),
  ]
  for (let i = 0; i < count; i++) program.push(...prologue(random), ...body(random, size, mix), ...epilogue(i))
  const done = BASE + rv.bytes(program).length
  const results = { start: WINDOW, size: RESULTS - WINDOW + count * ROW * 4 }
  program.push(...send(results.start, results.size))
  return { code: rv.bytes(program), done, results, programs: count }
}

/** The differences between two machines' results, in words that lead to the instruction. */
export function differences(image: Image, ours: Uint8Array, theirs: Uint8Array, mix: Mix): string[] {
  const found: string[] = []
  const a = new Uint32Array(ours.slice().buffer)
  const b = new Uint32Array(theirs.slice().buffer)
  // The counts begin where the machine was switched on, or earlier: what matters is how they go on. An instruction that
  // traps counts as one in the core; in qemu it depends on the kind of trap.
  for (const rows of [a, b]) {
    const first = rows[ROWS_AT] ?? 0
    for (let i = ROWS_AT; i < rows.length; i += ROW) rows[i] = mix.traps ? 0 : rows[i]! - first
  }
  for (let i = 0; i < a.length && found.length < 20; i++) {
    if (a[i] === b[i] || isBreakpointValue(a, i)) continue
    found.push(`${place(i, a)}: ${hex(a[i])}, qemu ${hex(b[i])}`)
  }
  if (a.length !== b.length) found.push(`qemu sent ${b.length} words of ${a.length}; ${image.programs} programs`)
  return found
}

/** Machines differ in what they put into mtval for a breakpoint (cause 3); the specification allows that. */
function isBreakpointValue(results: Uint32Array, i: number): boolean {
  return i >= LOG_AT && i < ROWS_AT && (i - LOG_AT) % LOG_ENTRY === 2 && results[i - 2] === 3
}

/** What word `i` of the results is. */
function place(i: number, results: Uint32Array): string {
  if (i >= ROWS_AT) {
    const register = (i - ROWS_AT) % ROW
    return `program ${Math.floor((i - ROWS_AT) / ROW)} ${register === 0 ? 'instructions' : `x${register}`}`
  }
  if (i < LOG_AT) return `data ${hex(WINDOW + 4 * i)}`
  const field = (i - LOG_AT) % LOG_ENTRY
  return `trap at ${hex(results[i - field + 1])} ${['mcause', 'mepc', 'mtval', 'mstatus'][field]}`
}

function hex(value: number | undefined): string {
  return `0x${(value ?? 0).toString(16)}`
}

/** The number of traps in a log. */
export function trapCount(results: Uint8Array): number {
  const log = new Uint32Array(results.slice(4 * LOG_AT, 4 * ROWS_AT).buffer)
  let count = 0
  while (log[count * LOG_ENTRY + 1]) count++
  return count
}

function prologue(random: Random): rv.Instruction[] {
  const out: rv.Instruction[] = []
  for (let x = 1; x < 32; x++) out.push(...rv.li(x, random.below(3) === 0 ? random.pick(EDGES) : random.u32()))
  out.push(...rv.li(SP, WINDOW), ...rv.li(WINDOW_REGISTER, WINDOW + WINDOW_SIZE / 2))
  return out
}

function epilogue(index: number): rv.Instruction[] {
  const out = [rv.csrrw(0, 0x340, 31), ...rv.li(31, RESULTS + index * ROW * 4)]
  for (let x = 1; x < 31; x++) out.push(rv.sw(x, 31, 4 * x))
  // The count of instructions, which both machines know to the last one.
  out.push(rv.csrrs(1, 0xb02, 0), rv.sw(1, 31, 0), rv.csrrs(1, 0x340, 0), rv.sw(1, 31, 4 * 31))
  return out
}

function handler(): rv.Instruction[] {
  const log = (csr: number, offset: number) => [rv.csrrs(29, csr, 0), rv.sw(29, 30, offset)]
  return [
    rv.csrrw(0, 0x340, 31),
    ...rv.li(31, SAVED),
    rv.sw(30, 31, 0),
    rv.sw(29, 31, 4),
    rv.lw(30, 31, 8),
    ...log(0x342, 0),
    ...log(0x341, 4),
    ...log(0x343, 8),
    ...log(0x300, 12),
    // A breakpoint's mtval is zero or its address, as a machine likes: the programs do not see it.
    rv.csrrw(0, 0x343, 0),
    rv.addi(30, 30, 4 * LOG_ENTRY),
    rv.sw(30, 31, 8),
    // Behind the instruction: 4 bytes if its two lowest bits are set, else 2.
    rv.csrrs(29, 0x341, 0),
    rv.lhu(30, 29, 0),
    rv.IMMEDIATE_OPS.andi(30, 30, 3),
    rv.IMMEDIATE_OPS.sltiu(30, 30, 3),
    rv.addi(29, 29, 4),
    rv.sub(29, 29, 30),
    rv.sub(29, 29, 30),
    rv.csrrw(0, 0x341, 29),
    rv.lw(30, 31, 0),
    rv.lw(29, 31, 4),
    rv.csrrs(31, 0x340, 0),
    rv.mret,
  ]
}

/** Sends `size` bytes from `start` to the UART of qemu's virt board, then switches the board off. */
function send(start: number, size: number): rv.Instruction[] {
  return [
    ...rv.li(5, start),
    ...rv.li(6, start + size),
    ...rv.li(7, 0x1000_0000),
    rv.lbu(28, 7, 5), // line status: bit 5, transmitter empty
    rv.IMMEDIATE_OPS.andi(28, 28, 0x20),
    rv.beq(28, 0, -8),
    rv.lbu(28, 5, 0),
    rv.sb(28, 7, 0),
    rv.addi(5, 5, 1),
    rv.bltu(5, 6, -24),
    ...rv.li(7, 0x0010_0000),
    ...rv.li(28, 0x5555),
    rv.sw(28, 7, 0),
    rv.jal(0, 0),
  ]
}

function body(random: Random, size: number, mix: Mix): rv.Instruction[] {
  const out: rv.Instruction[] = []
  while (out.length < size) {
    const kind = random.below(20)
    if (kind === 0) out.push(...loop(random, mix))
    else if (kind < 4) out.push(...skip(random, mix))
    else out.push(...straight(random, mix))
  }
  return out
}

/** A body of straight instructions, two to five times. */
function loop(random: Random, mix: Mix): rv.Instruction[] {
  const inside = Array.from({ length: 1 + random.below(6) }, () => straight(random, mix)).flat()
  const back = -(rv.bytes(inside).length + 4)
  return [rv.addi(COUNTER, 0, 2 + random.below(4)), ...inside, rv.addi(COUNTER, COUNTER, -1), rv.bne(COUNTER, 0, back)]
}

/** A jump or branch, taken or not, over some instructions. */
function skip(random: Random, mix: Mix): rv.Instruction[] {
  const over = Array.from({ length: random.below(4) }, () => straight(random, mix)).flat()
  const distance = rv.bytes(over).length
  const x = () => random.below(32)
  const near = random.pick(NEAR)
  switch (random.below(9)) {
    case 0:
      return [rv.jal(random.pick(TARGETS), 4 + distance), ...over]
    case 1: {
      const link = random.pick(TARGETS.slice(1))
      return [rv.auipc(link, 0), rv.jalr(random.pick(TARGETS), link, 8 + distance), ...over]
    }
    case 2: {
      const link = random.pick(TARGETS.slice(1))
      // An odd target: the lowest bit is dropped.
      return [rv.auipc(link, 0), rv.addi(link, link, 1), rv.jalr(link, link, 12 + distance), ...over]
    }
    case 3:
      return [rv.C.j(2 + distance), ...over]
    case 4:
      return [rv.C.jal(2 + distance), ...over]
    case 5: {
      const link = random.pick(TARGETS.slice(1))
      const jump = random.below(2) ? rv.C.jr(link) : rv.C.jalr(link)
      return [rv.auipc(link, 0), rv.addi(link, link, 10 + distance), jump, ...over]
    }
    case 6:
      return [random.below(2) ? rv.C.beqz(near, 2 + distance) : rv.C.bnez(near, 2 + distance), ...over]
    default: {
      const rs1 = x()
      return [random.pick(Object.values(rv.BRANCHES))(rs1, random.below(4) ? x() : rs1, 4 + distance), ...over]
    }
  }
}

/** One instruction that goes on to the next (after a trap, perhaps). */
function straight(random: Random, mix: Mix): rv.Instruction[] {
  const rd = random.pick(TARGETS)
  const rs1 = random.below(32)
  const rs2 = random.below(32)
  const imm = random.below(4096) - 2048
  switch (random.below(mix.traps ? 18 : 16)) {
    case 0:
      return [rv.lui(rd, random.below(1 << 20))]
    case 1:
      return [rv.auipc(rd, random.below(1 << 20))]
    case 2:
    case 3:
    case 4:
    case 5:
      return [random.pick(Object.values(rv.REGISTER_OPS))(rd, rs1, rs2)]
    case 6:
    case 7:
      return [random.pick(Object.values(rv.IMMEDIATE_OPS))(rd, rs1, imm)]
    case 8:
      return [random.pick(Object.values(rv.SHIFT_OPS))(rd, rs1, random.below(32))]
    case 9:
    case 10:
      return [access(random, rd, rs2, mix.misaligned)]
    case 11:
      return [mix.withoutCsrs ? compressed(random) : csr(random, rd, rs1)]
    case 16:
      return [random.below(4) ? illegal(random) : random.pick([rv.ecall, rv.ebreak, rv.C.ebreak])]
    case 17:
      return [illegalCompressed(random)]
    default:
      return [compressed(random)]
  }
}

function access(random: Random, rd: number, rs2: number, misaligned: boolean): rv.Instruction {
  const store = random.below(2) === 0
  const [name, encode] = random.pick(Object.entries(store ? rv.STORES : rv.LOADS))
  const size = name.includes('w') ? 4 : name.includes('h') ? 2 : 1
  let offset = random.below(4096 - 4) - 2048
  if (!misaligned || random.below(4)) offset &= ~(size - 1)
  return encode(store ? rs2 : rd, WINDOW_REGISTER, offset)
}

/**
 * mcause and mtval hold any value until the next trap. mepc would too, but for its lowest bit: always zero by the
 * specification (3.1.14), writable in qemu 7.2.
 */
function csr(random: Random, rd: number, source: number): rv.Instruction {
  return random.pick(Object.values(rv.CSR_OPS))(rd, random.pick([0x342, 0x343]), source)
}

function compressed(random: Random): rv.Instruction {
  const rd = random.pick(TARGETS.slice(1))
  const rs2 = 1 + random.below(31)
  const near = random.pick(NEAR_TARGETS)
  const near2 = random.pick(NEAR)
  const imm = random.below(64) - 32
  const { C } = rv
  const forms: (() => rv.Instruction)[] = [
    () => C.addi4spn(near, 4 * (1 + random.below(255))),
    () => C.lw(near, WINDOW_REGISTER, 4 * random.below(32)),
    () => C.sw(near2, WINDOW_REGISTER, 4 * random.below(32)),
    () => C.addi(rd, imm || 1),
    () => C.li(rd, imm),
    () => C.lui(rd, imm || 1),
    () => C.srli(near, random.below(32)),
    () => C.srai(near, random.below(32)),
    () => C.andi(near, imm),
    () => C.sub(near, near2),
    () => C.xor(near, near2),
    () => C.or(near, near2),
    () => C.and(near, near2),
    () => C.slli(rd, random.below(32)),
    () => C.lwsp(rd, 4 * random.below(64)),
    () => C.mv(rd, rs2),
    () => C.add(rd, rs2),
    () => C.swsp(rs2, 4 * random.below(64)),
    () => C.nop,
  ]
  return random.pick(forms)()
}

/** 32-bit encodings that stand for nothing in RV32IM with Zicsr and Zifencei. */
function illegal(random: Random): rv.Instruction {
  const noise = random.u32()
  const make = (opcode: number, funct3: number) => ((noise & ~0x707f) | (funct3 << 12) | opcode) >>> 0
  const forms: (() => rv.Instruction)[] = [
    // Major opcodes without a meaning here: AMO, floating point, vectors, custom, 64-bit, longer than 32 bits.
    () =>
      make(
        random.pick([0x07, 0x0b, 0x1b, 0x27, 0x2b, 0x2f, 0x3b, 0x43, 0x47, 0x4b, 0x4f, 0x53, 0x5b, 0x7b, 0x1f, 0x3f]),
        noise & 7,
      ),
    () => make(0x03, random.pick([3, 6, 7])),
    () => make(0x23, random.pick([3, 4, 5, 6, 7])),
    () => make(0x63, random.pick([2, 3])),
    () => make(0x67, random.pick([1, 2, 3, 4, 5, 6, 7])),
    () => make(0x0f, random.pick([3, 4, 5, 6, 7])),
    () => (rv.rType(0x33, noise & 7, random.pick([2, 3, 6, 8, 9, 31, 33, 64, 127]))(noise >>> 27, 3, 4) | 0) >>> 0,
    () => rv.rType(0x33, random.pick([1, 2, 3]), 32)(1, 2, 3),
    () => rv.rType(0x13, random.pick([1, 5]), random.pick([1, 2, 3, 64, 65]))(1, 2, 3),
    () => rv.iType(0x73, 4)(1, 2, noise & 4095),
    // CSRs that do not exist, and writes to one that is read-only.
    () => random.pick(Object.values(rv.CSR_OPS))(5, random.pick([0x123, 0x5c0, 0x8ff, 0x9c0, 0xfc0]), 1),
    () => rv.csrrw(0, 0xf14, 5),
  ]
  return random.pick(forms)()
}

/** Reserved encodings of RV32C without F and D. */
function illegalCompressed(random: Random): rv.Instruction {
  const noise = random.u32()
  const forms: (() => rv.Instruction)[] = [
    () => 0,
    () => (random.pick([1, 3, 4, 5, 7]) << 13) | (noise & 0x1ffc),
    () => rv.C.addi16sp(0),
    () => rv.C.lui(random.pick(TARGETS.slice(1)), 0),
    () => rv.C.srli(random.pick(NEAR_TARGETS), 32 | (noise & 31)),
    () => rv.C.srai(random.pick(NEAR_TARGETS), 32 | (noise & 31)),
    () => 0x9c01 | (noise & 0x3fc),
    () => rv.C.slli(random.pick(TARGETS.slice(1)), 32 | (noise & 31)),
    () => rv.C.lwsp(0, noise & 0xfc),
    () => rv.C.jr(0),
    () => (random.pick([1, 3, 5, 7]) << 13) | (noise & 0x1ffc) | 2,
  ]
  return random.pick(forms)()
}
