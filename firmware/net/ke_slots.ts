// The memory of the KE port's connections, one slot each, and the loan of the last ones.
//
//   Slot | KeRequest | keys(64) | chunk(512) | request, then response (1024) | TLS connection
//
// The upstream's key exchange needs some 15 KB, for seconds. It borrows the last KE_LENT slots: `keLend` until it gives an
// address, `keTakeBack` when the exchange is over or given up. From the first `keLend` on no connection begins in
// these slots, so those that are there, whose time is bounded, are the last to wait for, whatever number of strangers
// comes. The borrower bounds its own time (upstream_ke.ts); the other slots serve on. Both hands wipe: nothing of the one's
// keys is there when the other's turn comes.

import { wipe } from '../crypto/constant_time'
import { KE_REQUEST_MAX, KE_REQUEST_SIZE, KeRequest } from '../nts/ke_server'
import { TLS_CONNECTION_SIZE } from '../tls/server'
import { SOCKET_KE_COUNT } from './sockets'

/** Slots that are lent, all at once. */
const KE_LENT: u32 = 2
const LENT_FIRST: u32 = SOCKET_KE_COUNT - KE_LENT

export const enum Phase {
  /** The socket listens, or is on its way to. */
  Waiting = 0,
  /** Not a byte has come. */
  Silent = 1,
  /** TLS handshake, then the request's records. */
  Request = 2,
  /** The exporter works on a key. */
  ExportC2s = 3,
  ExportS2c = 4,
  /** The response is written, a cookie at a time. */
  Respond = 5,
  /** The response and close_notify, or an alert, go out. */
  Flushing = 6,
  /** TCP ends. */
  Leaving = 7,
}

/** 32 bytes, 8-aligned. */
@unmanaged
export class Slot {
  /** Tick at which the connection is given up. */
  deadline: u64
  /** Tick at which it came. */
  since: u64
  phase: u32
  requestLength: u32
  chunkLength: u32
  /** Bytes of the chunk that TLS has taken. */
  chunkTaken: u32
}

export const CHUNK_SIZE: u32 = 512
export const KEYS_SIZE: u32 = 64

const KE_REQUEST_AT: usize = 32
const KEYS_AT: usize = KE_REQUEST_AT + ((KE_REQUEST_SIZE + 7) & ~7)
const CHUNK_AT: usize = KEYS_AT + KEYS_SIZE
const REQUEST_AT: usize = CHUNK_AT + CHUNK_SIZE
const CONNECTION_AT: usize = REQUEST_AT + KE_REQUEST_MAX
const SLOT_SIZE: usize = CONNECTION_AT + ((TLS_CONNECTION_SIZE + 7) & ~7)

const SLOTS: usize = memory.data(<i32>(<usize>SOCKET_KE_COUNT * SLOT_SIZE), 8)

/** Bytes of the loan. */
export const KE_LOAN_SIZE: usize = <usize>KE_LENT * SLOT_SIZE
const LOAN: usize = SLOTS + <usize>LENT_FIRST * SLOT_SIZE

const enum Loan {
  None = 0,
  /** Asked for: no connection begins in these slots. */
  Asked = 1,
  Lent = 2,
}

let loan: Loan = Loan.None

/** KE_LOAN_SIZE bytes, all zero, 8-aligned, until `keTakeBack`; 0 while connections are in them: ask again soon. */
export function keLend(): usize {
  if (loan === Loan.None) loan = Loan.Asked
  if (loan !== Loan.Asked) return 0
  for (let i = LENT_FIRST; i < SOCKET_KE_COUNT; i++) if (slotAt(i).phase !== Phase.Waiting) return 0
  loan = Loan.Lent
  wipe(LOAN, <u32>KE_LOAN_SIZE)
  return LOAN
}

/** The loan is no longer needed, or no longer asked for. */
export function keTakeBack(): void {
  if (loan === Loan.Lent) wipe(LOAN, <u32>KE_LOAN_SIZE)
  loan = Loan.None
}

/** True when nothing may be done in this slot: it is lent, or will be. */
export function slotIsAway(i: u32): bool {
  if (loan === Loan.None || i < LENT_FIRST) return false
  return loan === Loan.Lent || slotAt(i).phase === Phase.Waiting
}

/** Slots that could take a connection now. */
export function slotsWaiting(): u32 {
  let count: u32 = 0
  for (let i: u32 = 0; i < SOCKET_KE_COUNT; i++) {
    if (!slotIsAway(i) && slotAt(i).phase === Phase.Waiting) count += 1
  }
  return count
}

/** Forgets everything but the TLS connection, which has a wipe of its own. */
export function slotClear(slot: Slot): void {
  wipe(changetype<usize>(slot) + KE_REQUEST_AT, <u32>(CONNECTION_AT - KE_REQUEST_AT))
  slot.phase = Phase.Waiting
}

export function slotAt(i: u32): Slot {
  return changetype<Slot>(SLOTS + <usize>i * SLOT_SIZE)
}

export function keRequestOf(slot: Slot): KeRequest {
  return changetype<KeRequest>(changetype<usize>(slot) + KE_REQUEST_AT)
}

export function keysOf(slot: Slot): usize {
  return changetype<usize>(slot) + KEYS_AT
}

export function chunkOf(slot: Slot): usize {
  return changetype<usize>(slot) + CHUNK_AT
}

export function requestOf(slot: Slot): usize {
  return changetype<usize>(slot) + REQUEST_AT
}

export function connectionOf(slot: Slot): usize {
  return changetype<usize>(slot) + CONNECTION_AT
}
