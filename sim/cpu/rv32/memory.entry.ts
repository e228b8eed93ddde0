// Loads and stores off the fast path: devices, misaligned addresses, stores into decoded code or watched places.

import {
  ATTENTION,
  Attention,
  Cause,
  Mark,
  OPTIONS,
  Op,
  Option,
  PAGE_SHIFT,
  READ_TABLE,
  REGISTERS,
  WRITE_TABLE,
} from '../layout'
import { flush } from './decode.entry'
import { mmio_read, mmio_write, watched } from './host.entry'
import { leaveAfter, leaveByException, settleBefore } from './trap.entry'

/** Completes the load `ip` from `address`. 0: go on with the next operation; 1: PC and BUDGET say where to go on. */
export function slowLoad(ip: usize, budget: i32, address: u32): u32 {
  const op: u32 = load<u8>(ip)
  const size: u32 = op === Op.Lw ? 4 : op === Op.Lh || op === Op.Lhu ? 2 : 1
  if (isRefused(address, size)) return leaveByException(ip, budget, Cause.LoadMisaligned, address)
  settleBefore(ip, budget)
  const value = read(address, size)
  if (load<u32>(ATTENTION) & Attention.Fault) {
    store<u32>(ATTENTION, load<u32>(ATTENTION) & ~Attention.Fault)
    return leaveByException(ip, budget, Cause.LoadAccess, address)
  }
  store<u32>(REGISTERS + load<u8>(ip, 1), extend(op, value))
  return load<u32>(ATTENTION) ? leaveAfter(ip, budget) : 0
}

/** Completes the store `ip` to `address`. Returns as slowLoad does. */
export function slowStore(ip: usize, budget: i32, address: u32): u32 {
  const op: u32 = load<u8>(ip)
  const size: u32 = op === Op.Sw ? 4 : op === Op.Sh ? 2 : 1
  if (isRefused(address, size)) return leaveByException(ip, budget, Cause.StoreMisaligned, address)
  settleBefore(ip, budget)
  write(address, load<u32>(REGISTERS + load<u8>(ip, 3)), size)
  if (load<u32>(ATTENTION) & Attention.Fault) {
    store<u32>(ATTENTION, load<u32>(ATTENTION) & ~Attention.Fault)
    return leaveByException(ip, budget, Cause.StoreAccess, address)
  }
  return load<u32>(ATTENTION) ? leaveAfter(ip, budget) : 0
}

function isRefused(address: u32, size: u32): bool {
  return (address & (size - 1)) !== 0 && (load<u32>(OPTIONS) & Option.Misaligned) === 0
}

function extend(op: u32, value: u32): u32 {
  if (op === Op.Lb) return <i8>value
  if (op === Op.Lh) return <i16>value
  return value
}

function read(address: u32, size: u32): u32 {
  if (address & (size - 1)) {
    let value: u32 = 0
    for (let i: u32 = 0; i < size; i++) value |= read(address + i, 1) << (8 * i)
    return value
  }
  const delta = load<u32>((address >>> PAGE_SHIFT) << 2, READ_TABLE)
  if (!delta) {
    const value = mmio_read(address, size)
    return size === 4 ? value : value & ((1 << (8 * size)) - 1)
  }
  const place: usize = address + delta
  return size === 4 ? load<u32>(place) : size === 2 ? load<u16>(place) : load<u8>(place)
}

function write(address: u32, value: u32, size: u32): void {
  if (address & (size - 1)) {
    for (let i: u32 = 0; i < size; i++) write(address + i, value >>> (8 * i), 1)
    return
  }
  const delta = load<u32>((address >>> PAGE_SHIFT) << 2, WRITE_TABLE)
  if (!delta) {
    mmio_write(address, size === 4 ? value : value & ((1 << (8 * size)) - 1), size)
    return
  }
  const place: usize = address + delta
  if (size === 4) store<u32>(place, value)
  else if (size === 2) store<u16>(place, <u16>value)
  else store<u8>(place, <u8>value)
  const marks: u32 = load<u8>(place >>> 1) | (size === 4 ? load<u8>((place >>> 1) + 1) : 0)
  if (marks & Mark.Code) flush()
  if (marks & Mark.Watched) watched(address, size)
}
