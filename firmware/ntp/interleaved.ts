// Interleaved mode, the server's side (RFC 9769 section 2): a reply whose transmit timestamp is the true one of the previous
// reply to the same client.
//
// A client asks for it by an origin timestamp that is the receive timestamp of an earlier reply. If the pair (receive
// timestamp, true transmit time of that reply) is still known, the new reply carries that transmit time, and the request's
// own receive timestamp as its origin: so the client sees what it got. Otherwise it is an ordinary reply.
//
// Receive timestamps have bit 0 set, transmit timestamps have it clear: a request that can be meant so is told by its origin
// alone, and nothing is kept for all others. No receive timestamp is handed out twice.
//
// What is kept: `PAIRS` pairs of plain clients and as many of authenticated ones, so that nobody without a cookie can
// push those out. A client's next pair takes the place of its last; a new client takes the place of the one that was
// longest silent, of its own address if that has `SHARE` already. So the table never grows, and a flood costs others no more
// than this mode. An entry belongs to an IPv4 address, not to a port.
//
// Timestamps are NTP timestamps, 32.32, in host order.

import { loadU32be } from '../bytes/endian'
import { Instant, ntpSeconds } from '../time/instant'
import { NTP_ORIGIN_TIMESTAMP, NTP_RECEIVE_TIMESTAMP, NTP_TRANSMIT_TIMESTAMP } from './packet'

/** `receive u64 | transmit u64 (0: not known yet) | address u32 | used u32 (0: free)`, 24 bytes. */
@unmanaged
class Pair {
  receive: u64
  transmit: u64
  address: u32
  used: u32
}

const PAIR_SIZE: u32 = 24
const PAIRS: u32 = 32
/** Pairs that one address may have while others want room. */
const SHARE: u32 = 8

const PLAIN: usize = memory.data(32 * 24, 8)
const SEALED: usize = memory.data(32 * 24, 8)

/** Receive timestamps this close after another (240 ns: no two frames are) were made of the same tick. */
const SAME: u64 = 1024

let clockEpoch: u32 = 0
let sequence: u32 = 0
let lastReceive: u64 = 0
/** Where the exchange in work is to be kept, and where the last reply's is, whose departure is not known yet; 0: nowhere. */
let place: usize = 0
let open: usize = 0

/** The request's header can be meant so: its origin is a receive timestamp of ours, its own two differ. */
export function interleavedAsked(packet: usize): bool {
  if ((loadU32be(packet + NTP_ORIGIN_TIMESTAMP + 4) & 1) === 0) return false
  return timestampAt(packet + NTP_RECEIVE_TIMESTAMP) !== timestampAt(packet + NTP_TRANSMIT_TIMESTAMP)
}

/**
 * The true transmit time of the reply that the request names; 0 when it is not known. Chooses the place for what
 * `interleavedKeep` will say. `epoch`: how often the clock has been stepped; times of before are forgotten.
 */
export function interleavedFind(packet: usize, address: u32, sealed: bool, epoch: u32): u64 {
  if (epoch !== clockEpoch) forget(epoch)
  const origin = timestampAt(packet + NTP_ORIGIN_TIMESTAMP)
  const table = sealed ? SEALED : PLAIN
  // Most clients are where they were put first.
  let free = changetype<Pair>(table + ((address ^ (address >> 8)) & (PAIRS - 1)) * PAIR_SIZE)
  if (free.used !== 0 && free.address === address && free.receive === origin) {
    place = changetype<usize>(free)
    return free.transmit
  }
  let own = changetype<Pair>(0)
  let share: u32 = 0
  for (let i: u32 = 0; i < PAIRS; i++) {
    const pair = changetype<Pair>(table + i * PAIR_SIZE)
    if (pair.used !== 0 && pair.address === address) {
      if (pair.receive === origin) {
        place = changetype<usize>(pair)
        return pair.transmit
      }
      share++
      if (changetype<usize>(own) === 0 || pair.used < own.used) own = pair
    }
    if (pair.used < free.used) free = pair
  }
  place = changetype<usize>(share >= SHARE ? own : free)
  return 0
}

/** Keeps the exchange whose request arrived at `receive`, at the place that was chosen. */
export function interleavedKeep(receive: u64, address: u32): void {
  const pair = changetype<Pair>(place)
  pair.receive = receive
  pair.transmit = 0
  pair.address = address
  pair.used = ++sequence
  open = place
}

/** The reply of the last exchange that was kept left at this time. */
export function interleavedDeparted(at: Instant): void {
  if (open !== 0) changetype<Pair>(open).transmit = transmitTimestamp(at)
  open = 0
}

/** No departure will be told of the last exchange. */
export function interleavedUnknown(): void {
  open = 0
}

/** A receive timestamp: odd, and never the same as another. */
export function receiveTimestamp(at: Instant): u64 {
  let receive = timestamp(at) | 1
  if (lastReceive !== 0 && lastReceive - receive < SAME) receive = lastReceive + 2
  lastReceive = receive
  return receive
}

/** A transmit timestamp: even. */
export function transmitTimestamp(at: Instant): u64 {
  return timestamp(at) & ~1
}

function timestamp(at: Instant): u64 {
  return ((<u64>ntpSeconds(at.seconds)) << 32) | <u64>at.fraction
}

function timestampAt(p: usize): u64 {
  return ((<u64>loadU32be(p)) << 32) | <u64>loadU32be(p + 4)
}

function forget(epoch: u32): void {
  clockEpoch = epoch
  memory.fill(PLAIN, 0, PAIRS * PAIR_SIZE)
  memory.fill(SEALED, 0, PAIRS * PAIR_SIZE)
  open = 0
}
