// One NTS key exchange as a client (RFC 8915 section 4), sans-IO, in slices: TLS 1.3, the request, the response, the keys.
//
//   Handshake -> Response -> ExportC2s -> ExportS2c -> Done, or Failed from anywhere
//
// In: the name of the server and what its chain is judged by, bytes of a TCP connection. Out: bytes, then a `KeAnswer`. The
// owner moves the bytes and keeps the time: `keClientReceive` what came until it takes no more, one `keClientStep` a poll,
// send `keClientOutput`; when the phase is Done or Failed send what is left (close_notify, or an alert), close TCP, copy the
// answer, `keClientForget`.
//
// AEAD_AES_128_GCM_SIV (30) is offered before AEAD_AES_SIV_CMAC_256 (15), with record 1024; docs/decisions/0017-tls-client.md
// tells what becomes of a server that chooses 30 and does not know the record.
//
// There is one exchange at a time, in KE_CLIENT_SIZE bytes that its owner lends from `keClientStart` to `keClientForget`.
// The answer takes the place of the certificate checker, which is no longer needed when the connection is open.

import { putAscii, putDecimal } from '../bytes/ascii'
import { storeU16be } from '../bytes/endian'
import { wipe } from '../crypto/constant_time'
import {
  ALERT_RECEIVED,
  DatePolicy,
  NO_VERDICT,
  TLS_CLIENT_SIZE,
  TlsState,
  tlsAlert,
  tlsClientChain,
  tlsClientClose,
  tlsClientInit,
  tlsClientStep,
  tlsClientVerdict,
  tlsClientWipe,
  tlsConsume,
  tlsExported,
  tlsExportStart,
  tlsInput,
  tlsInputLength,
  tlsOutput,
  tlsOutputLength,
  tlsReceive,
  tlsSent,
  tlsState,
  tlsWrite,
} from '../tls/client'
import { verdictPasses } from '../tls/client_connection'
import { X509_SIZE, x509NotAfter, x509NotBefore } from '../tls/x509'
import { putVerdict } from '../tls/x509_verdict'
import { NtsAead, ntsKeyLength } from './aead'
import { ANSWER_SIZE, answerStart, answerTake, KeAnswer, KeFailure } from './ke_answer'
import {
  KE_EXPORTER_CONTEXT_LENGTH,
  KE_EXPORTER_LABEL_LENGTH,
  KeDirection,
  putAeadContext,
  putExporterLabel,
} from './ke_server'
import { NextProtocol, putEmptyRecord, putRecordHeader, putU16Record, RecordType } from './record'

export { DatePolicy, NO_VERDICT as KE_NO_VERDICT } from '../tls/client'
export { ANSWER_COOKIE_MAX, ANSWER_COOKIES, KeAnswer, KeFailure } from './ke_answer'

/** What the client asks for. */
export const enum KeOffer {
  /** AEAD 30, then 15. */
  Both = 0,
  /** AEAD 15 alone. */
  Siv = 1,
}

export const enum KePhase {
  Idle = 0,
  Running = 1,
  Done = 2,
  Failed = 3,
}

/** What one exchange needs to know; it stays as it is until the exchange is over. */
@unmanaged
export class KeSettings {
  /** A `Trust` (tls/x509.ts): the server's name, the time, the anchors. */
  trust: usize
  /** What becomes of dates that cannot be judged, or are wrong. */
  dates: DatePolicy
  offer: KeOffer
}

export const KE_SETTINGS_SIZE: usize = offsetof<KeSettings>()

const enum Stage {
  Handshake = 0,
  Response = 1,
  ExportC2s = 2,
  ExportS2c = 3,
  Over = 4,
}

/** The answer lies where x509.ts has worked, at the end of the connection's memory. */
const CHAIN: usize = <usize>TLS_CLIENT_SIZE - X509_SIZE
/** Bytes of memory that an exchange needs. */
export const KE_CLIENT_SIZE: usize = CHAIN + (ANSWER_SIZE > X509_SIZE ? ANSWER_SIZE : X509_SIZE)

const SCRATCH: usize = memory.data(32, 8)
const LABEL: usize = memory.data(<i32>KE_EXPORTER_LABEL_LENGTH, 8)
const CONTEXT: usize = memory.data(<i32>KE_EXPORTER_CONTEXT_LENGTH, 8)
/** "ntske/1" with its length before it (RFC 8915, section 4). */
const ALPN: usize = memory.data<u8>([7, 0x6e, 0x74, 0x73, 0x6b, 0x65, 0x2f, 0x31])

/** The lent memory; 0 between exchanges. */
let connection: usize = 0
let phase: KePhase = KePhase.Idle
let stage: Stage = Stage.Over
let failure: u32 = KeFailure.None
/** NO_VERDICT, as a literal: an imported constant would have to be put here by a start function. */
let verdict: u32 = 0xff
let policy: DatePolicy = DatePolicy.Strict
let sivOnly: bool = false

/**
 * Begins an exchange over a TCP connection that is there, or about to be. False when one is running. `memory`:
 * KE_CLIENT_SIZE bytes, 8-aligned, nobody else's until `keClientForget`.
 */
export function keClientStart(settings: KeSettings, memory: usize): bool {
  if (phase === KePhase.Running) return false
  keClientForget()
  connection = memory
  tlsClientInit(connection, settings.trust, settings.dates, ALPN)
  policy = settings.dates
  sivOnly = settings.offer === KeOffer.Siv
  phase = KePhase.Running
  stage = Stage.Handshake
  return true
}

/** Takes received bytes, returns how many: less than `length` when there is work for `keClientStep` first. */
export function keClientReceive(data: usize, length: u32): u32 {
  return phase === KePhase.Idle ? length : tlsReceive(connection, data, length)
}

/** One slice of work. True while there is more to do at once. */
export function keClientStep(): bool {
  if (phase === KePhase.Idle) return false
  const busy = tlsClientStep(connection)
  return phase === KePhase.Running ? advance() || busy : busy
}

/** The address of the bytes to send; it may change with every call of another function. */
export function keClientOutput(): usize {
  return tlsOutput(connection)
}

export function keClientOutputLength(): u32 {
  return phase === KePhase.Idle ? 0 : tlsOutputLength(connection)
}

/** The owner has sent `length` bytes of the output. */
export function keClientSent(length: u32): void {
  if (phase !== KePhase.Idle) tlsSent(connection, length)
}

/** TCP has ended, after all its bytes were taken; or the owner's patience has. */
export function keClientEnd(): void {
  if (phase === KePhase.Running) fail(KeFailure.ConnectionClosed)
}

export function keClientPhase(): KePhase {
  return phase
}

/** A `KeFailure` with its detail in the lowest byte. */
export function keClientFailure(): u32 {
  return failure
}

/** The `CertificateVerdict` about the server's chain; KE_NO_VERDICT while there is none. */
export function keClientVerdict(): u32 {
  return verdict
}

/** What was agreed, when the phase is Done. It stands until `keClientStart` or `keClientForget`. */
export function keClientAnswer(): KeAnswer {
  return changetype<KeAnswer>(connection + CHAIN)
}

/** Forgets everything, in any phase: all the lent memory is wiped, and used no more. */
export function keClientForget(): void {
  if (connection !== 0) {
    tlsClientWipe(connection)
    wipe(connection, <u32>KE_CLIENT_SIZE)
    connection = 0
  }
  phase = KePhase.Idle
  stage = Stage.Over
  failure = KeFailure.None
  verdict = NO_VERDICT
}

/** Writes a failure in words; at most 48 bytes. */
export function putKeFailure(p: usize, what: u32): usize {
  const detail = what & 0xff
  switch (what & 0xff00) {
    case KeFailure.None:
      return putAscii(p, 'none')
    case KeFailure.AlertSent:
      return putDecimal(putAscii(p, 'refused, TLS alert '), detail)
    case KeFailure.AlertReceived:
      return putDecimal(putAscii(p, 'refused by server, TLS alert '), detail)
    case KeFailure.Certificate:
      return putVerdict(putAscii(p, 'certificate: '), detail)
    case KeFailure.ConnectionClosed:
      return putAscii(p, 'connection closed')
    case KeFailure.ServerError:
      return putDecimal(putAscii(p, 'NTS-KE error '), detail)
    case KeFailure.ServerWarning:
      return putDecimal(putAscii(p, 'NTS-KE warning '), detail)
    case KeFailure.BadAnswer:
      return putAscii(p, 'bad NTS-KE response')
    case KeFailure.CriticalRecord:
      return putAscii(p, 'unknown critical NTS-KE record')
    case KeFailure.NoProtocol:
      return putAscii(p, 'server does not offer NTPv4')
    case KeFailure.NoAead:
      return putAscii(p, 'no common AEAD')
    case KeFailure.NoCookies:
      return putAscii(p, 'no usable cookie')
    default: // UseSivOnly
      return putAscii(p, 'AEAD 30 without record 1024')
  }
}

/** What the connection's state asks for; true when there may be more. */
function advance(): bool {
  verdict = tlsClientVerdict(connection)
  const state = tlsState(connection)
  if (state === TlsState.Failed) {
    fail(alertFailure())
    return true
  }
  switch (stage) {
    case Stage.Handshake:
      return state === TlsState.Handshake ? false : request()
    case Stage.Response:
      return response(state)
    default: // ExportC2s, ExportS2c
      return exported()
  }
}

/** Handshake and chain are good: asks for keys. */
function request(): bool {
  const answer = keClientAnswer()
  const notBefore = x509NotBefore(tlsClientChain(connection))
  const notAfter = x509NotAfter(tlsClientChain(connection))
  answerStart(answer, sivOnly)
  answer.notBefore = notBefore
  answer.notAfter = notAfter
  let p = putU16Record(SCRATCH, RecordType.NextProtocol, true, NextProtocol.Ntpv4)
  if (sivOnly) {
    p = putU16Record(p, RecordType.AeadAlgorithm, true, NtsAead.AesSivCmac256)
  } else {
    p = putRecordHeader(p, RecordType.AeadAlgorithm, true, 4)
    storeU16be(p, NtsAead.Aes128GcmSiv)
    storeU16be(p + 2, NtsAead.AesSivCmac256)
    p = putEmptyRecord(p + 4, RecordType.CompliantGcmSivExport, false)
  }
  p = putEmptyRecord(p, RecordType.EndOfMessage, true)
  // Not written when the server has closed already; then no response will come either.
  tlsWrite(connection, SCRATCH, <u32>(p - SCRATCH))
  stage = Stage.Response
  return true
}

function response(state: TlsState): bool {
  const length = tlsInputLength(connection)
  if (length === 0) {
    if (state !== TlsState.PeerClosed) return false
    fail(KeFailure.ConnectionClosed)
    return true
  }
  const answer = keClientAnswer()
  const fault = answerTake(answer, tlsInput(connection), length)
  tlsConsume(connection, length)
  if (fault !== KeFailure.None) fail(fault)
  else if (answer.ended) beginExport(answer, KeDirection.ClientToServer)
  return true
}

function beginExport(answer: KeAnswer, direction: KeDirection): void {
  const toServer = direction === KeDirection.ClientToServer
  stage = toServer ? Stage.ExportC2s : Stage.ExportS2c
  answer.keyLength = ntsKeyLength(answer.aead)
  putExporterLabel(LABEL)
  putAeadContext(CONTEXT, answer.aead, direction)
  const out = toServer ? answer.c2s : answer.s2c
  const length = answer.keyLength
  tlsExportStart(connection, LABEL, KE_EXPORTER_LABEL_LENGTH, CONTEXT, KE_EXPORTER_CONTEXT_LENGTH, out, length)
}

function exported(): bool {
  if (!tlsExported(connection)) return true
  if (stage === Stage.ExportC2s) {
    beginExport(keClientAnswer(), KeDirection.ServerToClient)
    return true
  }
  phase = KePhase.Done
  stage = Stage.Over
  tlsClientClose(connection)
  return true
}

function fail(what: u32): void {
  failure = what
  phase = KePhase.Failed
  stage = Stage.Over
  wipe(connection + CHAIN, <u32>(KE_CLIENT_SIZE - CHAIN))
  tlsClientClose(connection)
}

function alertFailure(): u32 {
  const alert = tlsAlert(connection)
  if ((alert & ALERT_RECEIVED) !== 0) return KeFailure.AlertReceived | (alert & 0xff)
  if (verdict !== NO_VERDICT && !verdictPasses(policy, verdict)) return KeFailure.Certificate | verdict
  return KeFailure.AlertSent | (alert & 0xff)
}
