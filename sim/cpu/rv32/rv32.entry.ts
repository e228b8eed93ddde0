// An RV32IMC core with machine and user mode: build/rv32.wasm. The host (core.ts) maps memories, answers devices and
// calls run(). The speed lies in execute(): decoded operations, one br_table, no count but at a block's end.

import {
  ATTENTION,
  Attention,
  BUDGET,
  Cause,
  HOOK_SEEN,
  JUMP_CACHE,
  JUMPS,
  LINK,
  MIE,
  OPTIONS,
  Op,
  Option,
  PAGE_SHIFT,
  PC,
  PENDING,
  READ_TABLE,
  REASON,
  REGISTERS,
  Reason,
  SLICE_END,
  WRITE_TABLE,
} from '../layout'
import { csrInstruction, readCsr, retired, systemInstruction, writeCsr } from './csr.entry'
import { blockAt, blockOnce, flush, link, stopPoint } from './decode.entry'
import { hook } from './host.entry'
import { slowLoad, slowStore } from './memory.entry'
import { sidePc, sideSize, sideTarget } from './side.entry'
import { interrupt, interruptsEnabled, leaveByException, raise, settleBefore } from './trap.entry'

export { flush, raise, readCsr, writeCsr }

/** Runs `budget` instructions, or fewer: a `Reason`. */
export function run(budget: i32): u32 {
  store<u64>(SLICE_END, retired() + <u64>budget)
  store<i32>(BUDGET, budget)
  store<u32>(REASON, Reason.None)
  store<u32>(LINK, 0)
  while (true) {
    const attention = load<u32>(ATTENTION)
    store<u32>(ATTENTION, 0)
    if (attention & Attention.Stop) return Reason.Stop
    if (load<u32>(REASON)) return load<u32>(REASON)
    const left = load<i32>(BUDGET)
    if (left <= 0) return Reason.Budget
    takeInterrupt()
    const block = nextBlock()
    if (!block) return Reason.Fetch
    if (load<i32>(block - 8) <= left) execute(block, left)
    else executeSome(block, left)
  }
}

/** Runs `left` instructions of a block that has more, or fewer if it jumps away. */
function executeSome(block: usize, left: i32): void {
  const stop = stopPoint(block, left)
  if (!stop) {
    execute(blockOnce(load<u32>(PC), left, false), left)
    return
  }
  const operation = load<u64>(stop)
  store<u8>(stop, Op.Stop)
  store<u8>(stop, <u8>left, 3)
  execute(block, left)
  store<u64>(stop, operation)
}

function takeInterrupt(): void {
  const number = load<u32>(PENDING)
  if (!number || !interruptsEnabled()) return
  if (load<u32>(OPTIONS) & Option.Standard && !(load<u32>(MIE) & (1 << number))) return
  interrupt(number, load<u32>(PC))
  store<u32>(LINK, 0)
}

/** The block at PC, linked to the jump that led there. */
function nextBlock(): usize {
  const pc = load<u32>(PC)
  const seen = load<u32>(HOOK_SEEN)
  store<u32>(HOOK_SEEN, 0)
  if (seen && seen === pc) return blockOnce(pc, 1, true)
  const block = blockAt(pc)
  if (!block) return 0
  const from = load<u32>(LINK)
  store<u32>(LINK, 0)
  if (from) link(from, block)
  return block
}

/** Leaves by a jump whose target has no block yet, or needs more budget than is left. */
function leaveByJump(ip: usize, budget: i32): void {
  store<u32>(PC, sideTarget(ip))
  store<u32>(LINK, ip)
  store<i32>(BUDGET, budget)
}

/** The block at `pc` if the jump cache has it and `budget` suffices; else 0, and PC and BUDGET are set. */
function jumpTo(pc: u32, budget: i32): usize {
  const slot: usize = JUMP_CACHE + (((pc >>> 1) & (JUMPS - 1)) << 3)
  if (load<u32>(slot) === pc) {
    const block: usize = load<u32>(slot, 4)
    if (load<i32>(block - 8) <= budget) return block
  }
  store<u32>(PC, pc)
  store<i32>(BUDGET, budget)
  return 0
}

/** Calls the host's hook; 1 when it stops the run. */
function callHook(ip: usize, budget: i32): u32 {
  const pc = sidePc(ip)
  // The hook stands before its instruction: all that were counted are done.
  settleBefore(ip, budget - 1)
  if (hook(pc)) {
    store<u32>(HOOK_SEEN, pc)
    store<u32>(REASON, Reason.Hook)
    return 1
  }
  if (!load<u32>(ATTENTION)) return 0
  store<u32>(HOOK_SEEN, pc)
  return 1
}

function illegalInstruction(ip: usize, budget: i32): void {
  if (sideSize(ip)) leaveByException(ip, budget, Cause.IllegalInstruction, load<u32>(ip, 4))
  else leaveByException(ip, budget, Cause.InstructionAccess, sideTarget(ip))
}

/** The upper half of a product; each factor was widened by its own sign. */
function multiplyHigh(a: i64, b: i64): u32 {
  return <u32>((a * b) >>> 32)
}

/** Signed division (Unprivileged ISA, table 7.1): by zero gives -1, overflow gives the dividend. */
function divide(a: i32, b: i32): i32 {
  if (!b) return -1
  return b === -1 ? 0 - a : a / b
}

function remainder(a: i32, b: i32): i32 {
  if (!b) return a
  return b === -1 ? 0 : a % b
}

// The fields of an operation, and the registers they name.

function set(ip: usize, value: u32): void {
  store<u32>(load<u8>(ip, 1), value, REGISTERS)
}

function first(ip: usize): u32 {
  return load<u32>(load<u8>(ip, 1), REGISTERS)
}

function base(ip: usize): u32 {
  return load<u32>(load<u8>(ip, 2), REGISTERS)
}

function second(ip: usize): u32 {
  return load<u32>(load<u8>(ip, 3), REGISTERS)
}

function imm(ip: usize): u32 {
  return load<u32>(ip, 4)
}

/** The instructions that the block has executed when this jump is taken. */
function passed(ip: usize): i32 {
  return load<u8>(ip, 3)
}

/** Runs from operation `ip` on until the block chain is left; PC and BUDGET then say where and with what. */
function execute(ip: usize, budget: i32): void {
  while (true) {
    switch (<i32>load<u8>(ip)) {
      case Op.Set:
        set(ip, imm(ip))
        ip += 8
        break
      case Op.Move:
        set(ip, base(ip))
        ip += 8
        break
      case Op.Addi:
        set(ip, base(ip) + imm(ip))
        ip += 8
        break
      case Op.Slti:
        set(ip, <i32>base(ip) < <i32>imm(ip) ? 1 : 0)
        ip += 8
        break
      case Op.Sltiu:
        set(ip, base(ip) < imm(ip) ? 1 : 0)
        ip += 8
        break
      case Op.Xori:
        set(ip, base(ip) ^ imm(ip))
        ip += 8
        break
      case Op.Ori:
        set(ip, base(ip) | imm(ip))
        ip += 8
        break
      case Op.Andi:
        set(ip, base(ip) & imm(ip))
        ip += 8
        break
      case Op.Slli:
        set(ip, base(ip) << imm(ip))
        ip += 8
        break
      case Op.Srli:
        set(ip, base(ip) >>> imm(ip))
        ip += 8
        break
      case Op.Srai:
        set(ip, <i32>base(ip) >> <i32>imm(ip))
        ip += 8
        break
      case Op.Add:
        set(ip, base(ip) + second(ip))
        ip += 8
        break
      case Op.Sub:
        set(ip, base(ip) - second(ip))
        ip += 8
        break
      case Op.Sll: {
        const shift = second(ip)
        set(ip, base(ip) << shift)
        ip += 8
        break
      }
      case Op.Slt:
        set(ip, <i32>base(ip) < <i32>second(ip) ? 1 : 0)
        ip += 8
        break
      case Op.Sltu:
        set(ip, base(ip) < second(ip) ? 1 : 0)
        ip += 8
        break
      case Op.Xor:
        set(ip, base(ip) ^ second(ip))
        ip += 8
        break
      case Op.Srl:
        set(ip, base(ip) >>> second(ip))
        ip += 8
        break
      case Op.Sra:
        set(ip, <i32>base(ip) >> <i32>second(ip))
        ip += 8
        break
      case Op.Or:
        set(ip, base(ip) | second(ip))
        ip += 8
        break
      case Op.And:
        set(ip, base(ip) & second(ip))
        ip += 8
        break
      case Op.Mul:
        set(ip, base(ip) * second(ip))
        ip += 8
        break
      case Op.Mulh:
        set(ip, multiplyHigh(<i32>base(ip), <i32>second(ip)))
        ip += 8
        break
      case Op.Mulhsu:
        set(ip, multiplyHigh(<i32>base(ip), second(ip)))
        ip += 8
        break
      case Op.Mulhu:
        set(ip, multiplyHigh(base(ip), second(ip)))
        ip += 8
        break
      case Op.Div:
        set(ip, divide(<i32>base(ip), <i32>second(ip)))
        ip += 8
        break
      case Op.Divu:
        set(ip, second(ip) ? base(ip) / second(ip) : 0xffffffff)
        ip += 8
        break
      case Op.Rem:
        set(ip, remainder(<i32>base(ip), <i32>second(ip)))
        ip += 8
        break
      case Op.Remu:
        set(ip, second(ip) ? base(ip) % second(ip) : base(ip))
        ip += 8
        break
      case Op.Lb: {
        const address = base(ip) + imm(ip)
        const delta = load<u32>((address >>> PAGE_SHIFT) << 2, READ_TABLE)
        if (delta) set(ip, load<i8>(address + delta))
        else if (slowLoad(ip, budget, address)) return
        ip += 8
        break
      }
      case Op.Lh: {
        const address = base(ip) + imm(ip)
        const delta = load<u32>((address >>> PAGE_SHIFT) << 2, READ_TABLE)
        if (delta && !(address & 1)) set(ip, load<i16>(address + delta))
        else if (slowLoad(ip, budget, address)) return
        ip += 8
        break
      }
      case Op.Lw: {
        const address = base(ip) + imm(ip)
        const delta = load<u32>((address >>> PAGE_SHIFT) << 2, READ_TABLE)
        if (delta && !(address & 3)) set(ip, load<u32>(address + delta))
        else if (slowLoad(ip, budget, address)) return
        ip += 8
        break
      }
      case Op.Lbu: {
        const address = base(ip) + imm(ip)
        const delta = load<u32>((address >>> PAGE_SHIFT) << 2, READ_TABLE)
        if (delta) set(ip, load<u8>(address + delta))
        else if (slowLoad(ip, budget, address)) return
        ip += 8
        break
      }
      case Op.Lhu: {
        const address = base(ip) + imm(ip)
        const delta = load<u32>((address >>> PAGE_SHIFT) << 2, READ_TABLE)
        if (delta && !(address & 1)) set(ip, load<u16>(address + delta))
        else if (slowLoad(ip, budget, address)) return
        ip += 8
        break
      }
      case Op.Sb: {
        const address = base(ip) + imm(ip)
        const delta = load<u32>((address >>> PAGE_SHIFT) << 2, WRITE_TABLE)
        const place: usize = address + delta
        if (delta && !load<u8>(place >>> 1)) store<u8>(place, <u8>second(ip))
        else if (slowStore(ip, budget, address)) return
        ip += 8
        break
      }
      case Op.Sh: {
        const address = base(ip) + imm(ip)
        const delta = load<u32>((address >>> PAGE_SHIFT) << 2, WRITE_TABLE)
        const place: usize = address + delta
        if (delta && !(address & 1) && !load<u8>(place >>> 1)) store<u16>(place, <u16>second(ip))
        else if (slowStore(ip, budget, address)) return
        ip += 8
        break
      }
      case Op.Sw: {
        const address = base(ip) + imm(ip)
        const delta = load<u32>((address >>> PAGE_SHIFT) << 2, WRITE_TABLE)
        const place: usize = address + delta
        if (delta && !(address & 3) && !load<u16>(place >>> 1)) store<u32>(place, second(ip))
        else if (slowStore(ip, budget, address)) return
        ip += 8
        break
      }
      case Op.Beq: {
        if (first(ip) === base(ip)) {
          budget -= passed(ip)
          const block: usize = imm(ip)
          if (load<i32>(block - 8) > budget) {
            leaveByJump(ip, budget)
            return
          }
          ip = block
        } else ip += 8
        break
      }
      case Op.Bne: {
        if (first(ip) !== base(ip)) {
          budget -= passed(ip)
          const block: usize = imm(ip)
          if (load<i32>(block - 8) > budget) {
            leaveByJump(ip, budget)
            return
          }
          ip = block
        } else ip += 8
        break
      }
      case Op.Blt: {
        if (<i32>first(ip) < <i32>base(ip)) {
          budget -= passed(ip)
          const block: usize = imm(ip)
          if (load<i32>(block - 8) > budget) {
            leaveByJump(ip, budget)
            return
          }
          ip = block
        } else ip += 8
        break
      }
      case Op.Bge: {
        if (<i32>first(ip) >= <i32>base(ip)) {
          budget -= passed(ip)
          const block: usize = imm(ip)
          if (load<i32>(block - 8) > budget) {
            leaveByJump(ip, budget)
            return
          }
          ip = block
        } else ip += 8
        break
      }
      case Op.Bltu: {
        if (first(ip) < base(ip)) {
          budget -= passed(ip)
          const block: usize = imm(ip)
          if (load<i32>(block - 8) > budget) {
            leaveByJump(ip, budget)
            return
          }
          ip = block
        } else ip += 8
        break
      }
      case Op.Bgeu: {
        if (first(ip) >= base(ip)) {
          budget -= passed(ip)
          const block: usize = imm(ip)
          if (load<i32>(block - 8) > budget) {
            leaveByJump(ip, budget)
            return
          }
          ip = block
        } else ip += 8
        break
      }
      case Op.Goto: {
        budget -= passed(ip)
        const block: usize = imm(ip)
        if (load<i32>(block - 8) > budget) {
          leaveByJump(ip, budget)
          return
        }
        ip = block
        break
      }
      case Op.Jump: {
        budget -= passed(ip)
        ip = jumpTo((base(ip) + imm(ip)) & ~1, budget)
        if (!ip) return
        break
      }
      case Op.JumpLink: {
        budget -= passed(ip)
        const target = (base(ip) + imm(ip)) & ~1
        set(ip, sidePc(ip) + sideSize(ip))
        ip = jumpTo(target, budget)
        if (!ip) return
        break
      }
      case Op.Csr:
        if (csrInstruction(ip, budget)) return
        ip += 8
        break
      case Op.Hook:
        if (callHook(ip, budget)) return
        ip += 8
        break
      case Op.Stop:
        store<u32>(PC, sidePc(ip))
        store<i32>(BUDGET, budget - passed(ip))
        return
      case Op.System:
        systemInstruction(ip, budget)
        return
      default:
        illegalInstruction(ip, budget)
        return
    }
  }
}
