// Traps: into the handler and back (Privileged Architecture 3.1.6 to 3.1.16), and leaving a decoded block early.

import {
  BUDGET,
  EXCEPTIONS,
  INTERRUPTS,
  MCAUSE,
  MEPC,
  MSTATUS,
  MTVAL,
  MTVEC,
  OPTIONS,
  Option,
  PC,
  PRIVILEGE,
  REASON,
  Reason,
} from '../layout'
import { sideDone, sidePc, sideSize } from './side.entry'

const MSTATUS_MIE: u32 = 1 << 3
const MSTATUS_MPIE: u32 = 1 << 7
const MSTATUS_MPP: u32 = 3 << 11

/** True where interrupts are enabled: always in user mode, by mstatus.MIE in machine mode. */
export function interruptsEnabled(): bool {
  return load<u32>(PRIVILEGE) === 0 || (load<u32>(MSTATUS) & MSTATUS_MIE) !== 0
}

/** Takes an exception: `pc` is the instruction at fault. */
export function raise(cause: u32, value: u32, pc: u32): void {
  enter(cause, value, pc)
  store<u32>(PC, load<u32>(MTVEC) & ~3)
  store<u32>(EXCEPTIONS, load<u32>(EXCEPTIONS) + 1)
  if (load<u32>(OPTIONS) & Option.StopOnException) store<u32>(REASON, Reason.Exception)
}

/** Takes interrupt `number`: `pc` is the instruction to return to. */
export function interrupt(number: u32, pc: u32): void {
  enter(0x8000_0000 | number, 0, pc)
  const vector = load<u32>(MTVEC)
  store<u32>(PC, (vector & ~3) + (vector & 1 ? 4 * number : 0))
  store<u32>(INTERRUPTS, load<u32>(INTERRUPTS) + 1)
}

function enter(cause: u32, value: u32, pc: u32): void {
  store<u32>(MCAUSE, cause)
  store<u32>(MEPC, pc)
  store<u32>(MTVAL, value)
  const status = load<u32>(MSTATUS) & ~(MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP)
  const previous: u32 = (load<u32>(MSTATUS) & MSTATUS_MIE) << 4
  store<u32>(MSTATUS, status | previous | (load<u32>(PRIVILEGE) << 11))
  store<u32>(PRIVILEGE, 3)
}

/** MRET. */
export function returnFromTrap(): void {
  const status = load<u32>(MSTATUS)
  store<u32>(PRIVILEGE, (status >>> 11) & 3)
  const enabled: u32 = (status & MSTATUS_MPIE) >>> 4
  store<u32>(MSTATUS, (status & ~(MSTATUS_MIE | MSTATUS_MPP)) | enabled | MSTATUS_MPIE)
  store<u32>(PC, load<u32>(MEPC))
}

/** Leaves the block behind operation `ip`. `budget` is what was left when the block was entered. Returns 1. */
export function leaveAfter(ip: usize, budget: i32): u32 {
  store<u32>(PC, sidePc(ip) + sideSize(ip))
  store<i32>(BUDGET, budget - sideDone(ip))
  return 1
}

/** Leaves the block by an exception of operation `ip`, which counts as one instruction. Returns 1. */
export function leaveByException(ip: usize, budget: i32, cause: u32, value: u32): u32 {
  raise(cause, value, sidePc(ip))
  store<i32>(BUDGET, budget - sideDone(ip))
  return 1
}

/** Brings PC and BUDGET up to date before operation `ip` calls the host. */
export function settleBefore(ip: usize, budget: i32): void {
  store<u32>(PC, sidePc(ip))
  store<i32>(BUDGET, budget - sideDone(ip) + 1)
}
