// Decoding: guest instructions into blocks of operations, found again by their program counter.
//
// A block follows one path: straight on past conditional branches, and through direct jumps and calls, until an indirect
// jump, a SYSTEM instruction or BLOCK_MAX instructions end it. Header, 16 bytes before the first operation:
//
//   next in bucket(4) | 0(4) | instructions at most(4) | pc(4)
//
// A block never changes the machine's state other than one instruction at a time would.

import {
  ATTENTION,
  Attention,
  BUCKET_TABLE,
  BUCKETS,
  CODE,
  CODE_END,
  DISCARD,
  EXECUTE_TABLE,
  FLUSHES,
  HOOK_COUNT,
  HOOKS,
  JUMP_CACHE,
  JUMPS,
  LINK,
  Mark,
  Op,
  PAGE_SHIFT,
} from '../layout'
import { expand } from './compressed.entry'
import { sideDone, writeSide } from './side.entry'

/** Instructions in a block at most. */
const BLOCK_MAX: u32 = 64
/** Bytes that a block can take: its header, and an operation and a hook for each instruction, two for a jump, one at the end. */
const BLOCK_BYTES: u32 = 16 + 24 * BLOCK_MAX + 16
/** An instruction fetch that found nothing. */
const NOT_EXECUTABLE: u32 = 0xffffffff

/** A block that nobody may enter, since no budget suffices for it: what a jump refers to until it is linked. */
const UNLINKED: u32 = CODE + 16
/** Where the block is put that runs only once. */
const ONCE: u32 = CODE + 32
const FIRST: u32 = ONCE + BLOCK_BYTES

let free: usize = FIRST
/** The marks of decoded half-words lie between these. */
let firstMark: usize = 0xffffffff
let lastMark: usize = 0

// The block in the making.
let out: usize = 0
let pc: u32 = 0
let size: u32 = 0
let count: u32 = 0
/** The register that the last operation set to a constant, times 4; 0: it was another operation. */
let setRegister: u32 = 0
let setValue: u32 = 0
let finished: bool = false

/** The block at `pc`, decoded if need be; 0 where nothing is executable. */
export function blockAt(start: u32): usize {
  const slot: usize = BUCKET_TABLE + (((start >>> 1) & (BUCKETS - 1)) << 2)
  let block: usize = load<u32>(slot)
  while (block && load<u32>(block - 4) !== start) block = load<u32>(block - 16)
  if (!block) {
    if (fetch(start) === NOT_EXECUTABLE) return 0
    if (free + BLOCK_BYTES > CODE_END) flush()
    block = free + 16
    decode(start, block, BLOCK_MAX, false)
    free = out
    store<u32>(block - 16, load<u32>(slot))
    store<u32>(slot, block)
  }
  const jump: usize = JUMP_CACHE + (((start >>> 1) & (JUMPS - 1)) << 3)
  store<u32>(jump, start)
  store<u32>(jump, block, 4)
  return block
}

/** A block of at most `limit` instructions, to be run once; 0 where nothing is executable. */
export function blockOnce(start: u32, limit: u32, passHook: bool): usize {
  if (fetch(start) === NOT_EXECUTABLE) return 0
  decode(start, ONCE + 16, limit < BLOCK_MAX ? limit : BLOCK_MAX, passHook)
  return ONCE + 16
}

/**
 * The operation of `block` before which `limit` instructions are done, so that a Stop can stand in its place; 0 where
 * there is none, since the instructions there were merged into one operation or none.
 */
export function stopPoint(block: usize, limit: u32): usize {
  let ip = block
  while (<u32>sideDone(ip) < limit) ip += 8
  // This operation completes instruction `limit` or, merged, a later one; a hook stands before its instruction.
  if (<u32>sideDone(ip) !== limit) return 0
  if (load<u8>(ip) !== Op.Hook) ip += 8
  const op = load<u8>(ip)
  if (op === Op.Hook) return <u32>sideDone(ip) === limit ? ip : 0
  return op !== Op.Goto && <u32>sideDone(ip) === limit + 1 ? ip : 0
}

/** Lets the jump at `ip` go to `block` straight away. */
export function link(ip: usize, block: usize): void {
  if (ip >= FIRST) store<u32>(ip, block, 4)
}

/** Forgets all decoded blocks: after a change of code, of mappings or of hooks. */
export function flush(): void {
  store<u32>(UNLINKED - 8, 0x7fffffff)
  // Where nothing was decoded there is nothing to forget; but the tables must have been filled once.
  if (free === FIRST && lastMark < firstMark && load<u32>(JUMP_CACHE) === 0xffffffff) return
  free = FIRST
  memory.fill(BUCKET_TABLE, 0, BUCKETS << 2)
  // An odd program counter is at home nowhere.
  memory.fill(JUMP_CACHE, 0xff, JUMPS << 3)
  unmarkAll()
  store<u32>(LINK, 0)
  store<u32>(FLUSHES, load<u32>(FLUSHES) + 1)
  store<u32>(ATTENTION, load<u32>(ATTENTION) | Attention.Flushed)
}

/** Takes the marks of code away, four at a time; those of watched places stay. */
function unmarkAll(): void {
  if (lastMark >= firstMark) {
    for (let at = firstMark & ~3; at <= lastMark; at += 4) store<u32>(at, load<u32>(at) & 0x02020202)
  }
  firstMark = 0xffffffff
  lastMark = 0
}

/** The half-word at `at`, or NOT_EXECUTABLE. */
function fetch(at: u32): u32 {
  const delta = load<u32>((at >>> PAGE_SHIFT) << 2, EXECUTE_TABLE)
  return delta ? load<u16>(at + delta) : NOT_EXECUTABLE
}

/** Remembers that the half-word at `at` was decoded, if stores can reach it. */
function mark(at: u32): void {
  const page: usize = (at >>> PAGE_SHIFT) << 2
  const delta = load<u32>(page, EXECUTE_TABLE)
  // Memory that is not writable here may be writable by an alias: marks go by the place in the arena.
  const place: usize = (at + delta) >>> 1
  store<u8>(place, load<u8>(place) | Mark.Code)
  if (place < firstMark) firstMark = place
  if (place > lastMark) lastMark = place
}

function decode(start: u32, block: usize, limit: u32, passHook: bool): void {
  out = block
  pc = start
  count = 0
  setRegister = 0
  finished = false
  while (!finished && count < limit) {
    if (!(passHook && count === 0) && isHooked(pc)) emitAt(Op.Hook, 0, 0, 0, pc)
    const low = fetch(pc)
    if (low === NOT_EXECUTABLE) break
    if ((low & 3) === 3) {
      const high = fetch(pc + 2)
      if (high === NOT_EXECUTABLE) {
        // The fault is the second half's; only an instruction alone in its block may raise it.
        if (count === 0) endByIllegal(low)
        break
      }
      size = 4
      mark(pc)
      mark(pc + 2)
      count += 1
      if (!decodeOne(low | (high << 16))) illegal(low | (high << 16))
    } else {
      size = 2
      mark(pc)
      count += 1
      if (!decodeOne(expand(low))) illegal(low)
    }
  }
  if (!finished) {
    writeSide(out, pc, pc, count, 0)
    put(Op.Goto, 0, 0, count, UNLINKED)
  }
  store<u32>(block - 8, count)
  store<u32>(block - 4, start)
}

function isHooked(at: u32): bool {
  const hooks = load<u32>(HOOK_COUNT)
  for (let i: u32 = 0; i < hooks; i++) if (load<u32>(HOOKS + (i << 2)) === at) return true
  return false
}

/** Decodes the instruction `w` at pc and moves pc on. False where no such instruction is. */
function decodeOne(w: u32): bool {
  const funct3 = (w >>> 12) & 7
  const rd = (w >>> 7) & 31
  const rs1 = (w >>> 15) & 31
  const signed = <u32>(<i32>w >> 20)
  switch (w & 0x7f) {
    case 0x37: // LUI
      set(rd, w & 0xfffff000)
      break
    case 0x17: // AUIPC
      set(rd, pc + (w & 0xfffff000))
      break
    case 0x6f: {
      const target = pc + jumpOffset(w)
      set(rd, pc + size)
      pc = target
      return true
    }
    case 0x67:
      if (funct3) return false
      jumpRegister(rd, rs1, signed)
      return true
    case 0x63:
      if (funct3 === 2 || funct3 === 3) return false
      branch(funct3, rs1, (w >>> 20) & 31, pc + branchOffset(w))
      break
    case 0x03:
      if (funct3 === 3 || funct3 > 5) return false
      emit(Op.Lb + (funct3 > 3 ? funct3 - 1 : funct3), rd ? rd << 2 : DISCARD, rs1 << 2, 0, signed)
      break
    case 0x23:
      if (funct3 > 2) return false
      emit(Op.Sb + funct3, 0, rs1 << 2, ((w >>> 20) & 31) << 2, (signed & ~31) | rd)
      break
    case 0x13:
      if (!arithmeticImmediate(w, funct3, rd, rs1, signed)) return false
      break
    case 0x33:
      if (!arithmetic(w >>> 25, funct3, rd, rs1, (w >>> 20) & 31)) return false
      break
    case 0x0f: // FENCE, FENCE.I: stores are seen by fetches at once
      if (funct3 > 1) return false
      break
    case 0x73:
      if (funct3 === 4) return false
      if (funct3) emit(Op.Csr, 0, 0, 0, w)
      else return system(w)
      break
    default:
      return false
  }
  pc += size
  return true
}

/** ECALL, EBREAK, MRET, WFI. */
function system(w: u32): bool {
  if (w !== 0x0000_0073 && w !== 0x0010_0073 && w !== 0x3020_0073 && w !== 0x1050_0073) return false
  emit(Op.System, 0, 0, 0, w)
  finished = true
  return true
}

function illegal(raw: u32): void {
  emit(Op.Illegal, 0, 0, 0, raw)
  finished = true
}

/** A 32-bit instruction whose second half is not executable: Illegal with a size of 0 stands for the fetch fault. */
function endByIllegal(low: u32): void {
  count = 1
  writeSide(out, pc, pc + 2, 1, 0)
  put(Op.Illegal, 0, 0, 0, low)
  finished = true
}

/** x[rd] = value, merged with the operation before where that set the same register. */
function set(rd: u32, value: u32): void {
  if (!rd) return
  if (setRegister === rd << 2) out -= 8
  emit(Op.Set, rd << 2, 0, 0, value)
  setRegister = rd << 2
  setValue = value
}

function jumpRegister(rd: u32, rs1: u32, offset: u32): void {
  const next = pc + size
  if (rs1 && setRegister === rs1 << 2) {
    const target = (setValue + offset) & ~1
    set(rd, next)
    pc = target
    return
  }
  if (rd && rd === rs1) emit(Op.JumpLink, rd << 2, rs1 << 2, count, offset)
  else {
    if (rd) emit(Op.Set, rd << 2, 0, 0, next)
    emit(Op.Jump, 0, rs1 << 2, count, offset)
  }
  finished = true
}

function branch(funct3: u32, rs1: u32, rs2: u32, target: u32): void {
  const op = funct3 < 2 ? Op.Beq + funct3 : Op.Blt + (funct3 - 4)
  writeSide(out, pc, target, count, size)
  put(op, rs1 << 2, rs2 << 2, count, UNLINKED)
  setRegister = 0
}

/** OP-IMM. False where no such instruction is. */
function arithmeticImmediate(w: u32, funct3: u32, rd: u32, rs1: u32, value: u32): bool {
  const high = w >>> 25
  if (funct3 === 1 && high) return false
  if (funct3 === 5 && high && high !== 0x20) return false
  if (!rd) return true
  const a = rd << 2
  const b = rs1 << 2
  switch (funct3) {
    case 0:
      if (!rs1) set(rd, value)
      else if (setRegister === b) set(rd, setValue + value)
      else if (value) emit(Op.Addi, a, b, 0, value)
      else emit(Op.Move, a, b, 0, 0)
      break
    case 1:
      emit(Op.Slli, a, b, 0, value & 31)
      break
    case 2:
      emit(Op.Slti, a, b, 0, value)
      break
    case 3:
      emit(Op.Sltiu, a, b, 0, value)
      break
    case 4:
      emit(Op.Xori, a, b, 0, value)
      break
    case 5:
      emit(high ? Op.Srai : Op.Srli, a, b, 0, value & 31)
      break
    case 6:
      emit(Op.Ori, a, b, 0, value)
      break
    default:
      emit(Op.Andi, a, b, 0, value)
  }
  return true
}

/** OP. False where no such instruction is. */
function arithmetic(funct7: u32, funct3: u32, rd: u32, rs1: u32, rs2: u32): bool {
  let op: u32 = 0
  if (funct7 === 1) op = Op.Mul + funct3
  else if (funct7 === 0x20 && funct3 === 0) op = Op.Sub
  else if (funct7 === 0x20 && funct3 === 5) op = Op.Sra
  else if (funct7) return false
  else if (funct3 === 0) op = Op.Add
  else if (funct3 < 6) op = Op.Sll + (funct3 - 1)
  else op = Op.Or + (funct3 - 6)
  if (!rd) return true
  if (op === Op.Add && !rs1) emit(Op.Move, rd << 2, rs2 << 2, 0, 0)
  else emit(op, rd << 2, rs1 << 2, rs2 << 2, 0)
  return true
}

function emit(op: u32, a: u32, b: u32, c: u32, imm: u32): void {
  emitAt(op, a, b, c, imm)
}

function emitAt(op: u32, a: u32, b: u32, c: u32, imm: u32): void {
  writeSide(out, pc, 0, count, size)
  put(op, a, b, c, imm)
  setRegister = 0
}

function put(op: u32, a: u32, b: u32, c: u32, imm: u32): void {
  store<u8>(out, <u8>op)
  store<u8>(out, <u8>a, 1)
  store<u8>(out, <u8>b, 2)
  store<u8>(out, <u8>c, 3)
  store<u32>(out, imm, 4)
  out += 8
}

function jumpOffset(w: u32): u32 {
  return ((<u32>(<i32>w >> 31)) << 20) | (w & 0xff000) | ((w >>> 9) & 0x800) | ((w >>> 20) & 0x7fe)
}

function branchOffset(w: u32): u32 {
  return ((<u32>(<i32>w >> 31)) << 12) | ((w << 4) & 0x800) | ((w >>> 20) & 0x7e0) | ((w >>> 7) & 0x1e)
}
