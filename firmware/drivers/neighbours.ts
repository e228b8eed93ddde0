// Who is where on the LAN: IPv4 address -> hardware address, and the budget for peers that are not known yet.
//
// The W5500 resolves addresses by itself but forgets all but the last, and a socket that waits for an ARP reply sends
// nothing else. With this table a reply goes out by SEND_MAC at once. Addresses that nobody answers for are remembered
// too, so that forged sources cost one ARP each and no more. Static pool; ticks as in hal/abi.ts; addresses in host order.

import { TICK_HZ } from '../../hal/abi'

/** `seen u64 | ip u32 | mac low u32 | mac high u16 | state u8 | 0`, 24 bytes. The MAC's first byte is the lowest. */
@unmanaged
class Neighbour {
  /** Ticks of the ARP reply or of its absence. */
  seen: u64
  ip: u32
  macLow: u32
  macHigh: u16
  state: u8
  unused: u8
  unused4: u32
}

export const enum Neighbourhood {
  /** Not in the table. */
  Unknown = 0,
  Known = 1,
  /** Known, but old enough to be asked for again when there is an occasion. */
  Stale = 2,
  /** Nobody answered lately. */
  Unreachable = 3,
}

const SETS: u32 = 32
const WAYS: u32 = 4
const ENTRY_SIZE: usize = 24
/** 32 sets of 4 entries of 24 bytes. */
const TABLE_SIZE: usize = 3072
const TABLE: usize = memory.data(3072, 8)

/** A neighbour's card rarely changes; a client that polls every 1024 s must not meet an ARP each time. */
export const STALE_AFTER: u64 = <u64>TICK_HZ * 1800
/** For so long an address that nobody answered for is not asked for again. */
export const UNREACHABLE_FOR: u64 = <u64>TICK_HZ * 30

/** Peers not known yet: 32 at once, 64 a second. */
export const STRANGER_BURST: u64 = 32
export const STRANGER_INTERVAL: u64 = <u64>TICK_HZ / 64

let budgetUsedUntil: u64 = 0

/** Forgets everybody. */
export function neighboursClear(): void {
  memory.fill(TABLE, 0, TABLE_SIZE)
  budgetUsedUntil = 0
}

/** Looks an address up; writes its 6-byte MAC at `mac` when it is known or stale. */
export function neighbourFind(ip: u32, mac: usize, now: u64): Neighbourhood {
  const entry = find(ip)
  if (changetype<usize>(entry) === 0) return Neighbourhood.Unknown
  const age = now - entry.seen
  if (entry.state === Neighbourhood.Unreachable) {
    return age < UNREACHABLE_FOR ? Neighbourhood.Unreachable : Neighbourhood.Unknown
  }
  const low = entry.macLow
  const high = <u32>entry.macHigh
  store<u8>(mac, low)
  store<u8>(mac, low >> 8, 1)
  store<u8>(mac, low >> 16, 2)
  store<u8>(mac, low >> 24, 3)
  store<u8>(mac, high, 4)
  store<u8>(mac, high >> 8, 5)
  return age < STALE_AFTER ? Neighbourhood.Known : Neighbourhood.Stale
}

/** An ARP reply said that `ip` is at the 6 bytes of `mac`. The oldest of its set makes room. */
export function neighbourLearn(ip: u32, mac: usize, now: u64): void {
  let entry = find(ip)
  if (changetype<usize>(entry) === 0) entry = victim(ip, true)
  entry.seen = now
  entry.ip = ip
  entry.macLow =
    <u32>load<u8>(mac) |
    ((<u32>load<u8>(mac, 1)) << 8) |
    ((<u32>load<u8>(mac, 2)) << 16) |
    ((<u32>load<u8>(mac, 3)) << 24)
  entry.macHigh = <u16>(<u32>load<u8>(mac, 4) | ((<u32>load<u8>(mac, 5)) << 8))
  entry.state = <u8>Neighbourhood.Known
}

/** Nobody answered for `ip`. Such an entry never drives out a known neighbour. */
export function neighbourUnreachable(ip: u32, now: u64): void {
  let entry = find(ip)
  if (changetype<usize>(entry) === 0) entry = victim(ip, false)
  if (changetype<usize>(entry) === 0) return
  entry.seen = now
  entry.ip = ip
  entry.state = <u8>Neighbourhood.Unreachable
}

/** Takes one from the budget for unknown peers; false when it is spent. */
export function strangerAllowed(now: u64): bool {
  const used = budgetUsedUntil > now ? budgetUsedUntil : now
  if (used - now >= STRANGER_BURST * STRANGER_INTERVAL) return false
  budgetUsedUntil = used + STRANGER_INTERVAL
  return true
}

function setOf(ip: u32): usize {
  const hash = (ip ^ (ip >> 5) ^ (ip >> 13)) & (SETS - 1)
  return TABLE + <usize>(hash * WAYS) * ENTRY_SIZE
}

function find(ip: u32): Neighbour {
  const set = setOf(ip)
  for (let way: u32 = 0; way < WAYS; way++) {
    const entry = changetype<Neighbour>(set + <usize>way * ENTRY_SIZE)
    if (entry.state !== Neighbourhood.Unknown && entry.ip === ip) return entry
  }
  return changetype<Neighbour>(0)
}

/** The entry to overwrite: a free one, else the oldest unreachable, else (for a known neighbour) the oldest. */
function victim(ip: u32, known: bool): Neighbour {
  const set = setOf(ip)
  let chosen: usize = 0
  let chosenRank: u32 = 0
  for (let way: u32 = 0; way < WAYS; way++) {
    const at = set + <usize>way * ENTRY_SIZE
    const entry = changetype<Neighbour>(at)
    const rank: u32 = entry.state === Neighbourhood.Unknown ? 3 : entry.state === Neighbourhood.Unreachable ? 2 : 1
    if (rank === 1 && !known) continue
    const older = chosen !== 0 && rank === chosenRank && entry.seen < changetype<Neighbour>(chosen).seen
    if (rank > chosenRank || older) {
      chosen = at
      chosenRank = rank
    }
  }
  return changetype<Neighbour>(chosen)
}
