// Control and status registers, and the SYSTEM instructions. Numbers: Privileged Architecture chapter 2, and the
// ESP32-C3's own in its technical reference manual, chapter 1.

import {
  ATTENTION,
  Attention,
  BUDGET,
  Cause,
  CYCLES_EXTRA,
  INSTRET_EXTRA,
  MCAUSE,
  MCOUNTEREN,
  MEPC,
  MIE,
  MPCER,
  MPCMR,
  MSCRATCH,
  MSTATUS,
  MTVAL,
  MTVEC,
  OPTIONS,
  Option,
  PENDING,
  PMP,
  PRIVILEGE,
  REASON,
  REGISTERS,
  Reason,
  SLICE_END,
} from '../layout'
import { csr_read, csr_write } from './host.entry'
import { sideDone } from './side.entry'
import { leaveAfter, leaveByException, returnFromTrap, settleBefore } from './trap.entry'

/** MIE, MPIE, MPP, TW. */
const MSTATUS_WRITABLE: u32 = 0x0020_1888
/** RV32, I, M, C, and user mode. */
const MISA: u32 = 0x4010_1104

/** True after `readCsr` or `writeCsr` when the register does not exist. */
let missing: bool = false

/** CSRRW, CSRRS, CSRRC and their immediate forms. Returns as slowLoad does. */
export function csrInstruction(ip: usize, budget: i32): u32 {
  const w: u32 = load<u32>(ip, 4)
  const csr = w >>> 20
  const funct3 = (w >>> 12) & 7
  const rd = (w >>> 7) & 31
  const field = (w >>> 15) & 31
  const writes = (funct3 & 3) === 1 || field !== 0
  if (((csr >>> 8) & 3) > load<u32>(PRIVILEGE) || (writes && csr >>> 10 === 3)) {
    return leaveByException(ip, budget, Cause.IllegalInstruction, w)
  }
  settleBefore(ip, budget)
  missing = isClosedCounter(csr)
  // CSRRW to x0 does not read, so that a read has no side effect.
  const old = rd || (funct3 & 3) !== 1 ? readCsr(csr) : 0
  const operand = funct3 & 4 ? field : load<u32>(REGISTERS + (field << 2))
  if (!missing && writes) {
    writeCsr(csr, (funct3 & 3) === 1 ? operand : (funct3 & 3) === 2 ? old | operand : old & ~operand)
  }
  if (missing) return leaveByException(ip, budget, Cause.IllegalInstruction, w)
  if (rd) store<u32>(REGISTERS + (rd << 2), old)
  return load<u32>(ATTENTION) ? leaveAfter(ip, budget) : 0
}

/** ECALL, EBREAK, MRET and WFI. Always leaves the block. */
export function systemInstruction(ip: usize, budget: i32): void {
  const w = load<u32>(ip, 4)
  const machine = load<u32>(PRIVILEGE) === 3
  if (w === 0x0000_0073) {
    leaveByException(ip, budget, machine ? Cause.MachineCall : Cause.UserCall, 0)
  } else if (w === 0x0010_0073) {
    leaveByException(ip, budget, Cause.Breakpoint, 0)
  } else if (w === 0x3020_0073 && machine) {
    store<i32>(BUDGET, budget - sideDone(ip))
    returnFromTrap()
  } else if (w === 0x1050_0073 && (machine || !(load<u32>(MSTATUS) & (1 << 21)))) {
    leaveAfter(ip, budget)
    if (!load<u32>(PENDING)) store<u32>(REASON, Reason.Wfi)
  } else {
    leaveByException(ip, budget, Cause.IllegalInstruction, w)
  }
}

/** Instructions retired before the one in progress. */
export function retired(): u64 {
  return load<u64>(SLICE_END) - <u64>(<i64>load<i32>(BUDGET))
}

function cycles(): u64 {
  return retired() + load<u64>(CYCLES_EXTRA)
}

function instret(): u64 {
  return retired() + load<u64>(INSTRET_EXTRA)
}

export function readCsr(csr: u32): u32 {
  switch (csr) {
    case 0x300:
      return load<u32>(MSTATUS)
    case 0x301:
      return MISA
    case 0x305:
      return load<u32>(MTVEC)
    case 0x340:
      return load<u32>(MSCRATCH)
    case 0x341:
      return load<u32>(MEPC)
    case 0x342:
      return load<u32>(MCAUSE)
    case 0x343:
      return load<u32>(MTVAL)
    case 0xf14: // mhartid
      return 0
  }
  if (csr >= 0x3a0 && csr <= 0x3a3) return load<u32>(PMP + 64 + ((csr - 0x3a0) << 2))
  if (csr >= 0x3b0 && csr <= 0x3bf) return load<u32>(PMP + ((csr - 0x3b0) << 2))
  if (csr >= 0x7a0 && csr <= 0x7a3) return 0
  return load<u32>(OPTIONS) & Option.Standard ? readStandard(csr) : readEsp32c3(csr)
}

function readStandard(csr: u32): u32 {
  switch (csr) {
    case 0x304:
      return load<u32>(MIE)
    case 0x306:
      return load<u32>(MCOUNTEREN)
    case 0x310: // mstatush
    case 0x320: // mcountinhibit
    case 0xf11:
    case 0xf12:
    case 0xf13:
    case 0xf15:
      return 0
    case 0x344:
      return load<u32>(PENDING) ? 1 << load<u32>(PENDING) : 0
    case 0xb00:
    case 0xc00:
    case 0xc01:
      return <u32>cycles()
    case 0xb80:
    case 0xc80:
    case 0xc81:
      return <u32>(cycles() >>> 32)
    case 0xb02:
    case 0xc02:
      return <u32>instret()
    case 0xb82:
    case 0xc82:
      return <u32>(instret() >>> 32)
  }
  if (!isSpareCounter(csr)) missing = true
  return 0
}

/** True for a user counter that mcounteren closes to user mode. */
function isClosedCounter(csr: u32): bool {
  return csr >>> 8 === 0xc && !load<u32>(PRIVILEGE) && !((load<u32>(MCOUNTEREN) >>> (csr & 31)) & 1)
}

/** mhpmcounter3 to 31, their high halves and events: they exist and stay zero. */
function isSpareCounter(csr: u32): bool {
  const number = csr & 31
  const group = csr & ~31
  return number >= 3 && (group === 0xb00 || group === 0xb80 || group === 0x320)
}

function readEsp32c3(csr: u32): u32 {
  switch (csr) {
    case 0x7e0:
      return load<u32>(MPCER)
    case 0x7e1:
      return load<u32>(MPCMR)
    case 0x7e2:
    case 0x802:
      return <u32>cycles()
    case 0x803:
    case 0x804:
    case 0x805:
      return csr_read(csr)
    case 0xf11: // mvendorid
      return 0x612
    case 0xf12: // marchid
      return 0x8000_0001
    case 0xf13: // mimpid
      return 1
  }
  missing = true
  return 0
}

export function writeCsr(csr: u32, value: u32): void {
  switch (csr) {
    case 0x300:
      store<u32>(MSTATUS, (value & MSTATUS_WRITABLE & ~0x1800) | ((value & 0x1800) === 0x1800 ? 0x1800 : 0))
      attend()
      return
    case 0x301:
      return
    case 0x305:
      store<u32>(MTVEC, load<u32>(OPTIONS) & Option.Standard ? value & ~2 : (value & ~0xff) | 1)
      return
    case 0x340:
      store<u32>(MSCRATCH, value)
      return
    case 0x341:
      store<u32>(MEPC, value & ~1)
      return
    case 0x342:
      store<u32>(MCAUSE, value)
      return
    case 0x343:
      store<u32>(MTVAL, value)
      return
  }
  if (csr >= 0x3a0 && csr <= 0x3a3) store<u32>(PMP + 64 + ((csr - 0x3a0) << 2), value)
  else if (csr >= 0x3b0 && csr <= 0x3bf) store<u32>(PMP + ((csr - 0x3b0) << 2), value)
  else if (csr >= 0x7a0 && csr <= 0x7a3) return
  else if (load<u32>(OPTIONS) & Option.Standard) writeStandard(csr, value)
  else writeEsp32c3(csr, value)
}

function writeStandard(csr: u32, value: u32): void {
  switch (csr) {
    case 0x304:
      store<u32>(MIE, value)
      attend()
      return
    case 0x306:
      store<u32>(MCOUNTEREN, value)
      return
    case 0x310:
    case 0x320:
    case 0x344:
      return
    case 0xb00:
      setCounter(CYCLES_EXTRA, (cycles() & 0xffffffff_00000000) | value)
      return
    case 0xb80:
      setCounter(CYCLES_EXTRA, (cycles() & 0xffffffff) | ((<u64>value) << 32))
      return
    case 0xb02:
      setCounter(INSTRET_EXTRA, (instret() & 0xffffffff_00000000) | value)
      return
    case 0xb82:
      setCounter(INSTRET_EXTRA, (instret() & 0xffffffff) | ((<u64>value) << 32))
      return
  }
  if (!isSpareCounter(csr)) missing = true
}

function writeEsp32c3(csr: u32, value: u32): void {
  switch (csr) {
    case 0x7e0:
      store<u32>(MPCER, value & 0x7ff)
      return
    case 0x7e1:
      store<u32>(MPCMR, value & 3)
      return
    case 0x7e2:
    case 0x802:
      setCounter(CYCLES_EXTRA, value)
      return
    case 0x803:
    case 0x804:
    case 0x805:
      csr_write(csr, value)
      return
  }
  missing = true
}

/** Lets a counter, the count of instructions and `extra`, read `value` in the next instruction. */
function setCounter(extra: usize, value: u64): void {
  store<u64>(extra, value - retired() - 1)
}

/** Lets the block be left after this instruction, since an interrupt may have become due. */
function attend(): void {
  if (load<u32>(PENDING)) store<u32>(ATTENTION, load<u32>(ATTENTION) | Attention.Interrupt)
}
