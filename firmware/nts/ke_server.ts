// The server's side of NTS Key Establishment (RFC 8915 section 4), without I/O and without TLS.
//
// In: what the client has sent so far on the TLS channel; when it is complete, two exported keys. Out: the one response.
//
//   keParse(all bytes so far) -> NeedMore: call again with more (or `keRefuse` when patience ends)
//                             -> Complete: if keNeedsExport, export two keys (label `putExporterLabel`, context
//                                `putExporterContext`, `keKeyLength` bytes each); then respond, send, close.
//   keRespond at once, or keRespondStart and keRespondStep until it is true: a step seals one cookie, nine AES blocks.
//
// Decisions (docs/decisions): a request may have 1024 bytes, the RFC's floor. The first fault in the request decides the
// error code, and it is told when the request has ended. AES-128-GCM-SIV (30) is agreed only with a client that sends
// record 1024: without it chrony 4.4 to 4.6 derives other keys than the RFC says, and such a client always offers 15.

import { putAscii } from '../bytes/ascii'
import { loadU16be, storeU16be } from '../bytes/endian'
import { drbgSeeded } from '../crypto/drbg'
import { NtsAead, ntsKeyLength } from './aead'
import { cookieLength, cookieSeal } from './cookie'
import { keyringReady } from './keyring'
import {
  KeError,
  NextProtocol,
  putEmptyRecord,
  putRecordHeader,
  putU16Record,
  RECORD_HEADER_LENGTH,
  RecordType,
  recordBody,
  recordBodyLength,
  recordIsCritical,
  recordType,
} from './record'

/** The longest request in bytes: what RFC 8915 section 4 obliges a server to accept. */
export const KE_REQUEST_MAX: u32 = 1024

/** Cookies in a response (RFC 8915 section 4.1.6). */
export const KE_COOKIES: u32 = 8

/** The longest response: next protocol, AEAD, record 1024, port, cookies, end. */
export const KE_RESPONSE_MAX: u32 = 6 + 6 + 4 + 6 + 8 * (4 + 96) + 4

/** Length of the exporter's label. */
export const KE_EXPORTER_LABEL_LENGTH: u32 = 30

/** Length of the exporter's context. */
export const KE_EXPORTER_CONTEXT_LENGTH: u32 = 5

export const enum KeStatus {
  /** The request has not ended yet. */
  NeedMore = 0,
  /** The request has ended, or can no longer become a good one: answer it. */
  Complete = 1,
}

/** Which of the two keys an exporter context is for: the context's last octet (RFC 8915 section 5.1). */
export const enum KeDirection {
  ClientToServer = 0,
  ServerToClient = 1,
}

/** What a request says, and how far the response has come. 4-aligned. */
@unmanaged
export class KeRequest {
  /** A `KeError`, or `KE_NO_ERROR`. */
  error: i32
  /** The `NtsAead` that both will use; None when the request offers none that the server speaks. */
  aead: u32
  nextProtocolRecords: u32
  /** 1 when NTPv4 is among the next protocols. */
  offersNtpv4: u32
  aeadRecords: u32
  serverRecords: u32
  /** Place of AES-SIV-CMAC-256 in the client's list, from 1; 0 when it is not offered. */
  sivPlace: u32
  /** Place of AES-128-GCM-SIV. */
  gcmSivPlace: u32
  /** 1 when the client wants the RFC's exporter context with AES-128-GCM-SIV. */
  compliantExport: u32
  /** The response: where it begins, where its next record goes, cookies still to come, the keys to put into them. */
  response: usize
  responseEnd: usize
  cookiesLeft: u32
  c2s: usize
  s2c: usize
}

/** Bytes of a `KeRequest`. */
export const KE_REQUEST_SIZE: usize = offsetof<KeRequest>()

/** `KeRequest.error` of a request without a fault. */
export const KE_NO_ERROR: i32 = -1

/** Reads the request: the first `length` bytes of it, from its beginning, in whatever pieces they came. */
export function keParse(request: usize, length: u32, out: KeRequest): KeStatus {
  memory.fill(changetype<usize>(out), 0, KE_REQUEST_SIZE)
  out.error = KE_NO_ERROR
  let at: u32 = 0
  while (at + RECORD_HEADER_LENGTH <= length) {
    const record = request + at
    const end = at + RECORD_HEADER_LENGTH + recordBodyLength(record)
    if (end > KE_REQUEST_MAX) return refuse(out, KeError.BadRequest)
    if (end > length) return KeStatus.NeedMore
    takeRecord(record, out)
    if (recordType(record) === RecordType.EndOfMessage) return finish(out, end === length)
    at = end
  }
  // What is left must hold at least the End of Message record.
  if (at + RECORD_HEADER_LENGTH > KE_REQUEST_MAX) return refuse(out, KeError.BadRequest)
  return KeStatus.NeedMore
}

/**
 * Gives up on a request that has not ended: BadRequest when time is up or the client closed (section 4.1.3),
 * InternalServerError when the server cannot serve. `keRespond` then writes that error.
 */
export function keRefuse(out: KeRequest, error: KeError): void {
  memory.fill(changetype<usize>(out), 0, KE_REQUEST_SIZE)
  out.error = error
}

/** True when the response will hold cookies, so that keys are needed. */
export function keNeedsExport(request: KeRequest): bool {
  return request.error === KE_NO_ERROR && request.aead !== NtsAead.None && canSeal()
}

/** Bytes to export for each key. */
export function keKeyLength(request: KeRequest): u32 {
  return ntsKeyLength(request.aead)
}

/** Writes the exporter's label (section 4.3), `KE_EXPORTER_LABEL_LENGTH` bytes; returns the address after it. */
export function putExporterLabel(p: usize): usize {
  return putAscii(p, 'EXPORTER-network-time-security')
}

/** Writes the exporter's context (section 5.1), `KE_EXPORTER_CONTEXT_LENGTH` bytes; returns the address after it. */
export function putExporterContext(p: usize, request: KeRequest, direction: KeDirection): usize {
  return putAeadContext(p, request.aead, direction)
}

/** The same for an AEAD that was agreed. */
export function putAeadContext(p: usize, aead: u32, direction: KeDirection): usize {
  storeU16be(p, NextProtocol.Ntpv4)
  storeU16be(p + 2, aead)
  store<u8>(p + 4, direction)
  return p + KE_EXPORTER_CONTEXT_LENGTH
}

/**
 * Writes the response to a complete request at `out` and returns its length, 0 when `capacity` is too small
 * (`KE_RESPONSE_MAX` always suffices). `c2s` and `s2c` are the exported keys, unused unless `keNeedsExport`.
 * `ntpPort` is told to the client when it is not 123.
 */
export function keRespond(request: KeRequest, c2s: usize, s2c: usize, ntpPort: u32, out: usize, capacity: u32): u32 {
  if (!keRespondStart(request, c2s, s2c, ntpPort, out, capacity)) return 0
  while (!keRespondStep(request)) {}
  return keResponseLength(request)
}

/** As `keRespond`, in steps. False when `capacity` is too small. The keys must stay where they are until the end. */
export function keRespondStart(
  request: KeRequest,
  c2s: usize,
  s2c: usize,
  ntpPort: u32,
  out: usize,
  capacity: u32,
): bool {
  if (capacity < KE_RESPONSE_MAX) return false
  request.response = out
  request.c2s = c2s
  request.s2c = s2c
  request.cookiesLeft = keNeedsExport(request) ? KE_COOKIES : 0
  request.responseEnd = putAnswer(out, request, ntpPort)
  return true
}

/** Adds one cookie, or the end; true when the response is whole. */
export function keRespondStep(request: KeRequest): bool {
  if (request.cookiesLeft === 0) {
    request.responseEnd = putEmptyRecord(request.responseEnd, RecordType.EndOfMessage, true)
    return true
  }
  const body = putRecordHeader(request.responseEnd, RecordType.NewCookie, false, cookieLength(request.aead))
  request.responseEnd = body + cookieSeal(request.aead, request.c2s, request.s2c, body)
  request.cookiesLeft -= 1
  return false
}

/** Bytes of the response so far. */
export function keResponseLength(request: KeRequest): u32 {
  return <u32>(request.responseEnd - request.response)
}

/** All records but the cookies and the end. */
function putAnswer(p: usize, request: KeRequest, ntpPort: u32): usize {
  if (request.error !== KE_NO_ERROR) return putU16Record(p, RecordType.Error, true, request.error)
  if (!request.offersNtpv4) return putEmptyRecord(p, RecordType.NextProtocol, true)
  if (request.aead === NtsAead.None) {
    p = putU16Record(p, RecordType.NextProtocol, true, NextProtocol.Ntpv4)
    return putEmptyRecord(p, RecordType.AeadAlgorithm, true)
  }
  if (!canSeal()) return putU16Record(p, RecordType.Error, true, KeError.InternalServerError)
  p = putU16Record(p, RecordType.NextProtocol, true, NextProtocol.Ntpv4)
  p = putU16Record(p, RecordType.AeadAlgorithm, true, request.aead)
  if (request.aead === NtsAead.Aes128GcmSiv) p = putEmptyRecord(p, RecordType.CompliantGcmSivExport, false)
  // Critical: a client that does not understand the port must not go to port 123.
  return ntpPort === NTP_PORT ? p : putU16Record(p, RecordType.NtpPort, true, ntpPort)
}

function canSeal(): bool {
  return keyringReady() && drbgSeeded()
}

function takeRecord(record: usize, out: KeRequest): void {
  const body = recordBody(record)
  const length = recordBodyLength(record)
  const critical = recordIsCritical(record)
  switch (recordType(record)) {
    case RecordType.EndOfMessage:
      if (!critical || length !== 0) blame(out, KeError.BadRequest)
      break
    case RecordType.NextProtocol:
      out.nextProtocolRecords += 1
      if (!critical || !isU16List(length)) blame(out, KeError.BadRequest)
      else if (placeOf(NextProtocol.Ntpv4, body, length) !== 0) out.offersNtpv4 = 1
      break
    case RecordType.AeadAlgorithm:
      out.aeadRecords += 1
      if (!isU16List(length)) blame(out, KeError.BadRequest)
      out.sivPlace = placeOf(NtsAead.AesSivCmac256, body, length)
      out.gcmSivPlace = placeOf(NtsAead.Aes128GcmSiv, body, length)
      break
    case RecordType.NtpServer:
      // A wish that the server may ignore (section 4.1.7), and does; but at most one.
      out.serverRecords += 1
      if (out.serverRecords > 1) blame(out, KeError.BadRequest)
      break
    case RecordType.NtpPort:
      if (length !== 2) blame(out, KeError.BadRequest)
      break
    case RecordType.CompliantGcmSivExport:
      if (length !== 0) blame(out, KeError.BadRequest)
      out.compliantExport = 1
      break
    case RecordType.Error:
    case RecordType.Warning:
    case RecordType.NewCookie:
      // Section 4.1: clients must not send these.
      blame(out, KeError.BadRequest)
      break
    default:
      if (critical) blame(out, KeError.UnrecognizedCriticalRecord)
  }
}

/** Section 4.1: what a whole request must contain; then the choice of the AEAD. */
function finish(out: KeRequest, nothingAfter: bool): KeStatus {
  if (!nothingAfter) blame(out, KeError.BadRequest)
  if (out.nextProtocolRecords !== 1) blame(out, KeError.BadRequest)
  if (out.offersNtpv4 && out.aeadRecords !== 1) blame(out, KeError.BadRequest)
  if (out.error === KE_NO_ERROR && out.offersNtpv4) out.aead = chooseAead(out)
  return KeStatus.Complete
}

/** The first in the client's order of those that the server can speak with this client. */
function chooseAead(request: KeRequest): NtsAead {
  const siv = request.sivPlace
  const gcmSiv = request.compliantExport ? request.gcmSivPlace : 0
  if (gcmSiv !== 0 && (siv === 0 || gcmSiv < siv)) return NtsAead.Aes128GcmSiv
  return siv !== 0 ? NtsAead.AesSivCmac256 : NtsAead.None
}

function refuse(out: KeRequest, error: KeError): KeStatus {
  blame(out, error)
  return KeStatus.Complete
}

/** Notes a fault, unless there was one before it. */
function blame(out: KeRequest, error: KeError): void {
  if (out.error === KE_NO_ERROR) out.error = error
}

/** True for the length of a list of one or more 16-bit integers. */
function isU16List(length: u32): bool {
  return length !== 0 && (length & 1) === 0
}

/** Place of `value` in a list of 16-bit integers, from 1; 0 when it is not there. */
function placeOf(value: u32, list: usize, length: u32): u32 {
  for (let i: u32 = 0; i + 2 <= length; i += 2) {
    if (loadU16be(list + i) === value) return i / 2 + 1
  }
  return 0
}

const NTP_PORT: u32 = 123
