// The NTS-KE port: TCP connections -> TLS 1.3 -> NTS-KE records -> cookies, on SOCKET_KE_COUNT sockets at once.
//
//   Waiting -> Handshake -> Request -> ExportC2s -> ExportS2c -> Flushing -> Leaving -> Waiting
//
// In: bytes of the sockets, the time. Out: bytes, in as few TCP segments as there are flights: the answer and
// close_notify go out together. One call does one slice of work for one connection, in turn, so that no handshake
// starves another and NTP never waits for longer than a slice.
//
// A connection that has not made its request within PATIENCE is dropped. When no socket is left to listen, one that
// has not even sent its whole ClientHello gives way sooner: five silent strangers must not close the shop.
//
// Some slots are lent to the upstream at times (ke_slots.ts). Their sockets listen all the same: who comes in there waits for
// its first answer until the memory is back.

import { wipe } from '../crypto/constant_time'
import { MILLISECOND } from '../drivers/w5500'
import {
  TcpState,
  tcpAbort,
  tcpAvailable,
  tcpDisconnect,
  tcpListen,
  tcpRead,
  tcpState,
  tcpWritable,
  tcpWrite,
} from '../drivers/w5500_tcp'
import {
  KE_EXPORTER_CONTEXT_LENGTH,
  KE_EXPORTER_LABEL_LENGTH,
  KE_REQUEST_MAX,
  KeDirection,
  KeStatus,
  keKeyLength,
  keNeedsExport,
  keParse,
  keRefuse,
  keRespondStart,
  keRespondStep,
  keResponseLength,
  putExporterContext,
  putExporterLabel,
} from '../nts/ke_server'
import { KeError } from '../nts/record'
import { identityKeeperCredentials } from '../tls/identity_keeper'
import {
  TlsState,
  tlsAlert,
  tlsAwaitsHello,
  tlsClose,
  tlsConsume,
  tlsExported,
  tlsExportStart,
  tlsInput,
  tlsInputLength,
  tlsOutput,
  tlsOutputLength,
  tlsReceive,
  tlsSent,
  tlsServerInit,
  tlsState,
  tlsStep,
  tlsWipe,
  tlsWrite,
} from '../tls/server'
import {
  CHUNK_SIZE,
  chunkOf,
  connectionOf,
  KEYS_SIZE,
  keRequestOf,
  keysOf,
  Phase,
  requestOf,
  Slot,
  slotAt,
  slotClear,
  slotIsAway,
  slotsWaiting,
} from './ke_slots'
import { SOCKET_KE_COUNT, SOCKET_KE_FIRST } from './sockets'

/** How long a client may take from its SYN to its request. */
const PATIENCE: u64 = MILLISECOND * 5000
/** How long one that has not even begun may hold the last free socket; and one whose ClientHello is not whole yet. */
const SHORT_PATIENCE: u64 = MILLISECOND * 300
const HELLO_PATIENCE: u64 = MILLISECOND * 1000
/** How long the answer may take to leave. */
const FLUSH_PATIENCE: u64 = MILLISECOND * 5000

/** Counters of key exchanges; u32, they wrap. */
@unmanaged
export class KeCounters {
  connections: u32
  /** Answered with cookies. */
  served: u32
  /** Answered with an NTS-KE error, or with nothing agreed. */
  refused: u32
  /** TLS failed; `lastAlert` says how. */
  failed: u32
  /** Gave way because they took too long. */
  expired: u32
  /** Came before there was a certificate. */
  early: u32
  /** The last alert, as `tlsAlert` gives it. */
  lastAlert: u32
  unused: u32
}

const LABEL: usize = memory.data(<i32>KE_EXPORTER_LABEL_LENGTH, 8)
const CONTEXT: usize = memory.data(<i32>KE_EXPORTER_CONTEXT_LENGTH, 8)
const COUNTERS: usize = memory.data(32, 8)
/** "ntske/1" with its length before it (RFC 8915, section 4). */
const ALPN: usize = memory.data<u8>([7, 0x6e, 0x74, 0x73, 0x6b, 0x65, 0x2f, 0x31])

let kePort: u32 = 0
let ntpPort: u32 = 0
let opened: bool = false
let turn: u32 = 0

/** Opens the port. `ntp` is the UDP port that clients are told. Needs an identity (tls/identity_keeper.ts). */
export function kePortOpen(port: u32, ntp: u32): void {
  kePort = port
  ntpPort = ntp
  opened = true
  putExporterLabel(LABEL)
  for (let i: u32 = 0; i < SOCKET_KE_COUNT; i++) tcpListen(SOCKET_KE_FIRST + i, port)
}

export function kePortIsOpen(): bool {
  return opened
}

/** One slice for the next connection that has work; true when there is more to do at once. */
export function kePortPoll(now: u64): bool {
  if (!opened) return false
  for (let i: u32 = 0; i < SOCKET_KE_COUNT; i++) {
    turn = turn + 1 < SOCKET_KE_COUNT ? turn + 1 : 0
    if (advance(turn, now)) return true
  }
  return false
}

export function keCounters(): KeCounters {
  return changetype<KeCounters>(COUNTERS)
}

/** True when slot `i` did work and has more. */
function advance(i: u32, now: u64): bool {
  if (slotIsAway(i)) return false
  const slot = slotAt(i)
  switch (slot.phase) {
    case Phase.Waiting:
      return welcome(i, now)
    case Phase.Silent:
    case Phase.Request:
      return converse(i, now)
    case Phase.ExportC2s:
    case Phase.ExportS2c:
      return exportKeys(i, now)
    case Phase.Respond:
      return respond(slot, now)
    case Phase.Flushing:
      return flush(i, now)
    default:
      return leave(i)
  }
}

function welcome(i: u32, now: u64): bool {
  const state = tcpState(SOCKET_KE_FIRST + i)
  if (state === TcpState.Listening) return false
  if (state === TcpState.Closed) {
    tcpListen(SOCKET_KE_FIRST + i, kePort)
    return false
  }
  const credentials = identityKeeperCredentials()
  if (credentials === 0) {
    keCounters().early += 1
    return drop(i)
  }
  keCounters().connections += 1
  const slot = slotAt(i)
  slot.phase = Phase.Silent
  slot.since = now
  slot.deadline = now + PATIENCE
  slot.requestLength = 0
  slot.chunkLength = 0
  slot.chunkTaken = 0
  tlsServerInit(connectionOf(slot), credentials, ALPN)
  return true
}

/** TLS, until the request is whole. */
function converse(i: u32, now: u64): bool {
  const slot = slotAt(i)
  const tls = connectionOf(slot)
  if (mustGo(i, now)) {
    keCounters().expired += 1
    // RFC 8915, section 4.1.3: who has not made a request in time hears that it was a bad one.
    return tlsState(tls) === TlsState.Open ? refuse(slot, now) : drop(i)
  }
  take(i)
  if (tlsStep(tls)) return true
  if (tlsInputLength(tls) !== 0) return takeRequest(slot)
  const state = tlsState(tls)
  if (state === TlsState.Failed) {
    keCounters().failed += 1
    keCounters().lastAlert = tlsAlert(tls)
    return finish(slot, now)
  }
  if (state === TlsState.PeerClosed || (tcpState(SOCKET_KE_FIRST + i) === TcpState.PeerClosed && !hasUnread(i))) {
    // Half a request: the client hears so, if it still listens (RFC 8915, section 4.1.3).
    return state === TlsState.Handshake ? drop(i) : refuse(slot, now)
  }
  if (isGone(i)) return drop(i)
  return send(i, now)
}

/** Application data is part of the request. */
function takeRequest(slot: Slot): bool {
  const tls = connectionOf(slot)
  const length = tlsInputLength(tls)
  const room = KE_REQUEST_MAX - slot.requestLength
  const taken = min(length, room)
  memory.copy(requestOf(slot) + slot.requestLength, tlsInput(tls), taken)
  slot.requestLength += taken
  const parsed = keParse(requestOf(slot), slot.requestLength, keRequestOf(slot))
  // What does not fit, or follows the end of the message, makes it a bad request.
  if (taken < length) keRefuse(keRequestOf(slot), KeError.BadRequest)
  tlsConsume(tls, length)
  if (parsed === KeStatus.NeedMore && taken === length) return true
  slot.phase = Phase.ExportC2s
  return beginExport(slot, KeDirection.ClientToServer)
}

function refuse(slot: Slot, now: u64): bool {
  keRefuse(keRequestOf(slot), KeError.BadRequest)
  return answer(slot, now)
}

function beginExport(slot: Slot, direction: KeDirection): bool {
  const request = keRequestOf(slot)
  if (!keNeedsExport(request)) return true
  putExporterContext(CONTEXT, request, direction)
  const out = keysOf(slot) + (direction === KeDirection.ClientToServer ? 0 : KEYS_SIZE / 2)
  return tlsExportStart(
    connectionOf(slot),
    LABEL,
    KE_EXPORTER_LABEL_LENGTH,
    CONTEXT,
    KE_EXPORTER_CONTEXT_LENGTH,
    out,
    keKeyLength(request),
  )
}

function exportKeys(i: u32, now: u64): bool {
  const slot = slotAt(i)
  const tls = connectionOf(slot)
  if (!tlsExported(tls)) {
    if (!tlsStep(tls)) return drop(i)
    return true
  }
  if (slot.phase === Phase.ExportC2s && keNeedsExport(keRequestOf(slot))) {
    slot.phase = Phase.ExportS2c
    return beginExport(slot, KeDirection.ServerToClient)
  }
  return answer(slot, now)
}

/** Begins the response, over the request that it answers. */
function answer(slot: Slot, now: u64): bool {
  const keys = keysOf(slot)
  if (!keRespondStart(keRequestOf(slot), keys, keys + KEYS_SIZE / 2, ntpPort, requestOf(slot), KE_REQUEST_MAX)) {
    return finish(slot, now)
  }
  slot.phase = Phase.Respond
  return true
}

/** The response and close_notify are queued together, so that they leave together. */
function respond(slot: Slot, now: u64): bool {
  const tls = connectionOf(slot)
  const request = keRequestOf(slot)
  if (!keRespondStep(request)) return true
  const counters = keCounters()
  if (!tlsWrite(tls, requestOf(slot), keResponseLength(request))) counters.failed += 1
  else if (keNeedsExport(request)) counters.served += 1
  else counters.refused += 1
  wipe(keysOf(slot), KEYS_SIZE)
  tlsClose(tls)
  return finish(slot, now)
}

function finish(slot: Slot, now: u64): bool {
  slot.phase = Phase.Flushing
  slot.deadline = now + FLUSH_PATIENCE
  return true
}

function flush(i: u32, now: u64): bool {
  const slot = slotAt(i)
  const tls = connectionOf(slot)
  if (isGone(i) || now >= slot.deadline) return drop(i)
  if (tlsStep(tls)) return true
  if (tlsOutputLength(tls) !== 0) return send(i, now)
  tlsWipe(tls)
  discard(i)
  tcpDisconnect(SOCKET_KE_FIRST + i, now)
  slot.phase = Phase.Leaving
  return false
}

/** Waits for TCP's end; what still comes is thrown away. */
function leave(i: u32): bool {
  discard(i)
  if (tcpState(SOCKET_KE_FIRST + i) !== TcpState.Closed) return false
  return listenAgain(i)
}

/** Sends what TLS has ready, in one write as far as the socket takes it. */
function send(i: u32, now: u64): bool {
  const tls = connectionOf(slotAt(i))
  const length = tlsOutputLength(tls)
  if (length === 0 || !tcpWritable(SOCKET_KE_FIRST + i)) return false
  const sent = tcpWrite(SOCKET_KE_FIRST + i, tlsOutput(tls), length, now)
  tlsSent(tls, sent)
  return sent !== 0
}

/** Moves received bytes to TLS as far as it takes them. */
function take(i: u32): void {
  const slot = slotAt(i)
  if (slot.chunkTaken === slot.chunkLength) {
    slot.chunkTaken = 0
    slot.chunkLength = tcpRead(SOCKET_KE_FIRST + i, chunkOf(slot), CHUNK_SIZE)
    if (slot.chunkLength !== 0 && slot.phase === Phase.Silent) slot.phase = Phase.Request
  }
  const left = slot.chunkLength - slot.chunkTaken
  if (left !== 0) slot.chunkTaken += tlsReceive(connectionOf(slot), chunkOf(slot) + slot.chunkTaken, left)
}

/** Bytes have come that TLS has not taken yet. */
function hasUnread(i: u32): bool {
  const slot = slotAt(i)
  return slot.chunkLength !== slot.chunkTaken || tcpAvailable(SOCKET_KE_FIRST + i) !== 0
}

function discard(i: u32): void {
  tcpRead(SOCKET_KE_FIRST + i, chunkOf(slotAt(i)), CHUNK_SIZE)
}

/** Patience is over; sooner for who has said nothing while nobody else can come in. */
function mustGo(i: u32, now: u64): bool {
  const slot = slotAt(i)
  if (now >= slot.deadline) return true
  if (now < slot.since + SHORT_PATIENCE || slotsWaiting() !== 0) return false
  return slot.phase === Phase.Silent || (now >= slot.since + HELLO_PATIENCE && tlsAwaitsHello(connectionOf(slot)))
}

function isGone(i: u32): bool {
  const state = tcpState(SOCKET_KE_FIRST + i)
  return state === TcpState.Closed || state === TcpState.Closing
}

/** Gives the connection up without a word. */
function drop(i: u32): bool {
  tcpAbort(SOCKET_KE_FIRST + i)
  return listenAgain(i)
}

function listenAgain(i: u32): bool {
  const slot = slotAt(i)
  tlsWipe(connectionOf(slot))
  slotClear(slot)
  tcpListen(SOCKET_KE_FIRST + i, kePort)
  return false
}
