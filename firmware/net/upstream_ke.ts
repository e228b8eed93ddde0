// An errand: one NTS key exchange with a server, from the TCP connection to the session (RFC 8915 section 4).
//
//   keBegin(option, address) -> kePoll until Done or Failed -> keTake(session), keForget
//
// TLS and the records are nts/ke_client's; here bytes move between it and the socket, in slices, and it is bounded in time.
// The memory is borrowed from the KE port before TCP is begun, so that no server waits for it.

import { MILLISECOND } from '../drivers/w5500'
import { socketRelease } from '../drivers/w5500_socket'
import {
  TcpState,
  tcpAbort,
  tcpAvailable,
  tcpConnect,
  tcpDisconnect,
  tcpRead,
  tcpState,
  tcpWritable,
  tcpWrite,
} from '../drivers/w5500_tcp'
import { jarPut } from '../nts/cookie_jar'
import {
  ANSWER_COOKIE_MAX,
  DatePolicy,
  KE_CLIENT_SIZE,
  KE_SETTINGS_SIZE,
  KeFailure,
  KeOffer,
  KePhase,
  KeSettings,
  keClientAnswer,
  keClientEnd,
  keClientFailure,
  keClientForget,
  keClientOutput,
  keClientOutputLength,
  keClientPhase,
  keClientReceive,
  keClientSent,
  keClientStart,
  keClientStep,
  keClientVerdict,
} from '../nts/ke_client'
import { NtsSession, sessionC2s, sessionJar, sessionS2c, sessionWipe } from '../nts/session'
import { TRUST_SIZE, Trust, trustTag } from '../tls/x509'
import { CertificateVerdict } from '../tls/x509_verdict'
import { KE_LOAN_SIZE, keLend, keTakeBack } from './ke_slots'
import { SOCKET_UPSTREAM } from './sockets'
import { ErrandFailure, Progress, randomPort } from './upstream_errand'
import { ServerOption, serverPin } from './upstream_options'

/** For the memory; then for the TLS connection: a slow machine with a slow server and a chain of RSA-4096 must fit. */
const PATIENCE: u64 = MILLISECOND * 20_000
/** From SYN to SYN-ACK, while KE_LENT slots of our own clients lie idle. */
const CONNECTING: u64 = MILLISECOND * 5000
/** How often it asks for the memory. */
const ASKING: u64 = MILLISECOND * 20
/** For the last bytes to leave, and TCP's end. */
const LEAVING: u64 = MILLISECOND * 3000

const CHUNK_SIZE: u32 = 512
const CHUNK: usize = memory.data(512, 8)
const TRUST = changetype<Trust>(memory.data(<i32>TRUST_SIZE, 8))
const SETTINGS = changetype<KeSettings>(memory.data(<i32>KE_SETTINGS_SIZE, 8))
const PIN: usize = memory.data(32, 8)

const enum Phase {
  /** Waits for the memory. */
  Borrowing = 0,
  Connecting = 1,
  Talking = 2,
  /** close_notify or an alert goes out, then TCP ends. */
  Flushing = 3,
  Leaving = 4,
}

let phase: Phase = Phase.Borrowing
/** What the KE port has lent. */
let loan: usize = 0
let peer: u32 = 0
let port: u32 = 0
let deadline: u64 = 0
let again: u64 = 0
let chunkLength: u32 = 0
let chunkTaken: u32 = 0
let failure: u32 = 0

/** The time lies in here, POSIX seconds; `dates` is `DatePolicy`. For exchanges that begin from now on. */
export function keCertificateTime(earliest: i64, latest: i64, dates: u32): void {
  TRUST.earliest = earliest
  TRUST.latest = latest
  SETTINGS.dates = dates
}

/** Nothing is known of the time until somebody says so. */
export function keInit(): void {
  keCertificateTime(i64.MIN_VALUE, i64.MAX_VALUE, DatePolicy.Undecided)
}

/** Begins, with the server that the option names, at `address`. */
export function keBegin(option: ServerOption, address: u32, sivOnly: bool, now: u64): void {
  TRUST.name = option.name
  TRUST.nameLength = option.nameLength
  TRUST.tag = option.caLength === 0 ? 0 : trustTag(option.ca, option.caLength)
  TRUST.pin = 0
  if (option.pinned !== 0) {
    memory.copy(PIN, serverPin(), 32)
    TRUST.pin = PIN
  }
  SETTINGS.trust = changetype<usize>(TRUST)
  SETTINGS.offer = sivOnly ? KeOffer.Siv : KeOffer.Both
  failure = ErrandFailure.None
  chunkLength = 0
  chunkTaken = 0
  peer = address
  port = option.kePort
  phase = Phase.Borrowing
  deadline = now + PATIENCE
  borrow(now)
}

/** One slice. Busy: there is more to do at once. */
export function kePoll(now: u64): Progress {
  if (now >= deadline) return expire()
  switch (phase) {
    case Phase.Borrowing:
      return borrow(now)
    case Phase.Connecting:
      return connect(now)
    case Phase.Talking:
      return talk(now)
    case Phase.Flushing:
      return flush(now)
    default:
      return leave()
  }
}

export function keDue(): u64 {
  return phase === Phase.Borrowing ? again : deadline
}

/** Why it failed: `ErrandFailure`, or above 0xff what nts/ke_client says. */
export function keFailure(): u32 {
  return failure
}

/** After Done: fills the session but for its address; what the exchange knew is wiped. */
export function keTake(session: NtsSession): void {
  const answer = keClientAnswer()
  sessionWipe(session)
  session.notBefore = answer.notBefore
  session.notAfter = answer.notAfter
  session.keyLength = answer.keyLength
  session.port = answer.port
  memory.copy(sessionC2s(session), answer.c2s, answer.keyLength)
  memory.copy(sessionS2c(session), answer.s2c, answer.keyLength)
  for (let i: u32 = 0; i < answer.cookieCount; i++) {
    jarPut(sessionJar(session), answer.cookies + i * ANSWER_COOKIE_MAX, answer.cookieLength)
  }
  session.aead = answer.aead
}

/** The NTP server's name after Done, valid until `keForget`; length 0: the same machine. */
export function keServer(): usize {
  return keClientAnswer().server
}

export function keServerLength(): u32 {
  return keClientAnswer().serverLength
}

/** The server speaks AEAD 30 in its own way: an exchange that offers only AEAD 15 will do. */
export function keWantsSivOnly(): bool {
  return (failure & 0xff00) === KeFailure.UseSivOnly
}

/** After Done: the path's certificates were certainly within their validity. */
export function keDecided(): bool {
  return keClientVerdict() === CertificateVerdict.Valid
}

/** Wipes what the exchange knew and gives its memory back. */
export function keForget(): void {
  keClientForget()
  loan = 0
  keTakeBack()
}

/** Connections of ours that are in the memory have their time first; it is bounded (ke_slots.ts). */
function borrow(now: u64): Progress {
  if (KE_CLIENT_SIZE > KE_LOAN_SIZE) ERROR('the loan is too small')
  loan = keLend()
  if (loan === 0) {
    again = now + ASKING
    return Progress.Waiting
  }
  phase = Phase.Connecting
  deadline = now + CONNECTING
  tcpConnect(SOCKET_UPSTREAM, randomPort(), peer, port, now)
  return Progress.Waiting
}

function connect(now: u64): Progress {
  const state = tcpState(SOCKET_UPSTREAM)
  if (state === TcpState.Connecting) return Progress.Waiting
  if (state === TcpState.Closed) return fail(ErrandFailure.NoConnection)
  if (!keClientStart(SETTINGS, loan)) return fail(ErrandFailure.NoConnection)
  phase = Phase.Talking
  deadline = now + PATIENCE
  return Progress.Busy
}

function talk(now: u64): Progress {
  take()
  if (keClientStep()) return Progress.Busy
  const ended = keClientPhase() !== KePhase.Running
  if (ended) {
    phase = Phase.Flushing
    deadline = now + LEAVING
    return Progress.Busy
  }
  if (send(now)) return Progress.Busy
  const state = tcpState(SOCKET_UPSTREAM)
  const over: bool = state === TcpState.Closed || state === TcpState.Closing
  if (over || (state === TcpState.PeerClosed && chunkTaken === chunkLength && tcpAvailable(SOCKET_UPSTREAM) === 0)) {
    keClientEnd()
    return Progress.Busy
  }
  return chunkTaken !== chunkLength ? Progress.Busy : Progress.Waiting
}

/** What the client still has to say goes out; then TCP ends in order. */
function flush(now: u64): Progress {
  const state = tcpState(SOCKET_UPSTREAM)
  if (state !== TcpState.Open && state !== TcpState.PeerClosed) return finish()
  if (keClientOutputLength() !== 0) {
    send(now)
    return Progress.Waiting
  }
  tcpDisconnect(SOCKET_UPSTREAM, now)
  phase = Phase.Leaving
  return Progress.Waiting
}

/** Waits for TCP's end; what still comes is thrown away. */
function leave(): Progress {
  tcpRead(SOCKET_UPSTREAM, CHUNK, CHUNK_SIZE)
  return tcpState(SOCKET_UPSTREAM) === TcpState.Closed ? finish() : Progress.Waiting
}

function expire(): Progress {
  if (phase >= Phase.Flushing) return finish()
  if (phase !== Phase.Borrowing) tcpAbort(SOCKET_UPSTREAM)
  return fail(phase === Phase.Talking ? ErrandFailure.TimedOut : ErrandFailure.NoConnection)
}

function finish(): Progress {
  socketRelease(SOCKET_UPSTREAM)
  if (keClientPhase() === KePhase.Done) return Progress.Done
  failure = keClientFailure()
  keForget()
  return Progress.Failed
}

function fail(why: ErrandFailure): Progress {
  keForget()
  socketRelease(SOCKET_UPSTREAM)
  failure = why
  return Progress.Failed
}

function send(now: u64): bool {
  const length = keClientOutputLength()
  if (length === 0 || !tcpWritable(SOCKET_UPSTREAM)) return false
  const sent = tcpWrite(SOCKET_UPSTREAM, keClientOutput(), length, now)
  keClientSent(sent)
  return sent !== 0
}

function take(): void {
  if (chunkTaken === chunkLength) {
    chunkTaken = 0
    chunkLength = tcpRead(SOCKET_UPSTREAM, CHUNK, CHUNK_SIZE)
  }
  if (chunkTaken < chunkLength) chunkTaken += keClientReceive(CHUNK + chunkTaken, chunkLength - chunkTaken)
}
