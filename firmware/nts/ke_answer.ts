// A server's NTS-KE response (RFC 8915 section 4), read as it comes, in whatever pieces.
//
// In: bytes. Out: a `KeAnswer`: AEAD, cookies, where the NTP server is; or a `KeFailure` with a detail in its lowest byte.
// Records that need not be kept are stepped over, so a response may have 65,536 bytes; what may be dropped (surplus cookies,
// cookies that do not fit, unknown records) costs no memory. The first fault ends the reading; what follows the End of
// Message record is not read.

import { loadU16be } from '../bytes/endian'
import { NtsAead } from './aead'
import {
  NextProtocol,
  RECORD_HEADER_LENGTH,
  RecordType,
  recordBodyLength,
  recordIsCritical,
  recordType,
} from './record'

/** Why a key exchange failed; the detail is in the lowest byte. */
export const enum KeFailure {
  None = 0,
  /** TLS: the alert that we sent. */
  AlertSent = 0x100,
  /** TLS: the alert that the server sent. */
  AlertReceived = 0x200,
  /** The server's chain was not accepted: a `CertificateVerdict`. */
  Certificate = 0x300,
  /** The server hung up, or the owner did. */
  ConnectionClosed = 0x400,
  /** NTS-KE: the error code, at most 255. */
  ServerError = 0x500,
  /** NTS-KE: the warning code, at most 255. No warning is known, so each is an error (section 4.1.4). */
  ServerWarning = 0x600,
  /** NTS-KE: a response that breaks a rule. */
  BadAnswer = 0x700,
  /** NTS-KE: a critical record that is not known. */
  CriticalRecord = 0x800,
  /** The server does not speak NTPv4. */
  NoProtocol = 0x900,
  /** No common AEAD. */
  NoAead = 0xa00,
  /** No cookie, or none that can be used. */
  NoCookies = 0xb00,
  /** The server chose AEAD 30 without record 1024: ask again for AEAD 15 alone. */
  UseSivOnly = 0xc00,
}

/** Cookies that are kept. */
export const ANSWER_COOKIES: u32 = 8
/** Bytes of the longest cookie that is kept. */
export const ANSWER_COOKIE_MAX: u32 = 192
/** Bytes of the longest server name that is taken. */
export const ANSWER_SERVER_MAX: u32 = 255

/** The longest response. */
const RESPONSE_MAX: u32 = 65536

const NTP_PORT: u32 = 123

/** 8-aligned; ANSWER_SIZE bytes with what follows. */
@unmanaged
export class KeAnswer {
  /** Validity of the server's certificate path, POSIX seconds. */
  notBefore: i64
  notAfter: i64
  /** `NtsAead`, and the bytes of each key. */
  aead: u32
  keyLength: u32
  /** UDP port of the NTP server. */
  port: u32
  /** Bytes of the NTP server's name or address in text, printable ASCII; 0: the address of the key exchange. */
  serverLength: u32
  /** Cookies, all of `cookieLength` bytes, a multiple of 4; cookie i is at `cookies` + i * ANSWER_COOKIE_MAX. */
  cookieCount: u32
  cookieLength: u32
  server: usize
  cookies: usize
  c2s: usize
  s2c: usize
  // The reader
  /** AES-SIV-CMAC-256 alone was offered. */
  sivOnly: u32
  protocolRecords: u32
  /** 1: NTPv4 is among the protocols. */
  speaksNtpv4: u32
  aeadRecords: u32
  portRecords: u32
  serverRecords: u32
  compliantExport: u32
  /** Bytes of all records so far. */
  total: u32
  /** Bytes of the record's header that are there, and of its body that are still to come. */
  headerFilled: u32
  bodyLeft: u32
  /** 1: its body is stepped over. */
  skipping: u32
  bodyFilled: u32
  /** 1: End of Message was read. */
  ended: u32
}

const HEADER: usize = offsetof<KeAnswer>()
const BODY: usize = HEADER + RECORD_HEADER_LENGTH
const KEYS: usize = (BODY + 256 + 7) & ~(<usize>7)
const KEY: usize = 32
const SERVER: usize = KEYS + 2 * KEY
const COOKIES: usize = SERVER + 256

/** Bytes of a `KeAnswer` and of what it points to. */
export const ANSWER_SIZE: usize = COOKIES + <usize>ANSWER_COOKIES * ANSWER_COOKIE_MAX

export function answerStart(answer: KeAnswer, sivOnly: bool): void {
  const at = changetype<usize>(answer)
  memory.fill(at, 0, ANSWER_SIZE)
  answer.sivOnly = sivOnly ? 1 : 0
  answer.port = NTP_PORT
  answer.c2s = at + KEYS
  answer.s2c = at + KEYS + KEY
  answer.server = at + SERVER
  answer.cookies = at + COOKIES
}

/** Reads bytes; a `KeFailure` with its detail, or None. `answer.ended` tells when the response is whole, and good. */
export function answerTake(answer: KeAnswer, data: usize, length: u32): u32 {
  while (length !== 0 && !answer.ended) {
    let taken: u32 = 0
    let failure: u32 = KeFailure.None
    if (answer.headerFilled < RECORD_HEADER_LENGTH) {
      taken = min(length, RECORD_HEADER_LENGTH - answer.headerFilled)
      memory.copy(headerOf(answer) + answer.headerFilled, data, taken)
      answer.headerFilled += taken
      if (answer.headerFilled === RECORD_HEADER_LENGTH) failure = judgeHeader(answer)
    } else {
      taken = min(length, answer.bodyLeft)
      if (!answer.skipping) memory.copy(bodyOf(answer) + answer.bodyFilled, data, taken)
      answer.bodyFilled += taken
      answer.bodyLeft -= taken
    }
    data += taken
    length -= taken
    if (failure === KeFailure.None && answer.headerFilled === RECORD_HEADER_LENGTH && answer.bodyLeft === 0) {
      answer.headerFilled = 0
      if (!answer.skipping) failure = takeRecord(answer)
    }
    if (failure !== KeFailure.None) return failure
  }
  return KeFailure.None
}

/** What can be said before the body: whether it is of use, and what length it must not have. */
function judgeHeader(answer: KeAnswer): u32 {
  const header = headerOf(answer)
  const length = recordBodyLength(header)
  const critical = recordIsCritical(header)
  answer.bodyLeft = length
  answer.bodyFilled = 0
  answer.skipping = 0
  answer.total += RECORD_HEADER_LENGTH + length
  if (answer.total > RESPONSE_MAX) return KeFailure.BadAnswer
  switch (recordType(header)) {
    case RecordType.EndOfMessage:
      return critical && length === 0 ? KeFailure.None : KeFailure.BadAnswer
    case RecordType.NextProtocol: // a subset of one: NTPv4 or nothing
      answer.protocolRecords += 1
      return critical && (length === 0 || length === 2) ? KeFailure.None : KeFailure.BadAnswer
    case RecordType.Error:
    case RecordType.Warning:
    case RecordType.NtpPort:
      return length === 2 ? KeFailure.None : KeFailure.BadAnswer
    case RecordType.AeadAlgorithm:
      answer.aeadRecords += 1
      return length === 0 || length === 2 ? KeFailure.None : KeFailure.BadAnswer
    case RecordType.NewCookie:
      answer.skipping = fits(answer, length) ? 0 : 1
      return KeFailure.None
    case RecordType.NtpServer:
      answer.serverRecords += 1
      return length !== 0 && length <= ANSWER_SERVER_MAX ? KeFailure.None : KeFailure.BadAnswer
    case RecordType.CompliantGcmSivExport:
      return length === 0 ? KeFailure.None : KeFailure.BadAnswer
    default:
      answer.skipping = 1
      return critical ? KeFailure.CriticalRecord : KeFailure.None
  }
}

/** A cookie of which there is room, as long as the others, and without need of padding in an extension field. */
function fits(answer: KeAnswer, length: u32): bool {
  if (answer.cookieCount === ANSWER_COOKIES) return false
  if (length === 0 || length > ANSWER_COOKIE_MAX || (length & 3) !== 0) return false
  return answer.cookieCount === 0 || length === answer.cookieLength
}

function takeRecord(answer: KeAnswer): u32 {
  const body = bodyOf(answer)
  const length = answer.bodyFilled
  switch (recordType(headerOf(answer))) {
    case RecordType.EndOfMessage:
      return finish(answer)
    case RecordType.NextProtocol:
      if (length === 0) return KeFailure.None
      answer.speaksNtpv4 = 1
      return loadU16be(body) === NextProtocol.Ntpv4 ? KeFailure.None : KeFailure.BadAnswer
    case RecordType.Error:
      return KeFailure.ServerError | min(loadU16be(body), 255)
    case RecordType.Warning:
      return KeFailure.ServerWarning | min(loadU16be(body), 255)
    case RecordType.AeadAlgorithm:
      if (length !== 0) answer.aead = loadU16be(body)
      return length === 0 || wasOffered(answer) ? KeFailure.None : KeFailure.BadAnswer
    case RecordType.NewCookie:
      memory.copy(answer.cookies + <usize>answer.cookieCount * ANSWER_COOKIE_MAX, body, length)
      answer.cookieLength = length
      answer.cookieCount += 1
      return KeFailure.None
    case RecordType.NtpServer:
      memory.copy(answer.server, body, length)
      answer.serverLength = length
      return isPrintable(body, length) && answer.serverRecords === 1 ? KeFailure.None : KeFailure.BadAnswer
    case RecordType.NtpPort:
      answer.portRecords += 1
      answer.port = loadU16be(body)
      return answer.port !== 0 && answer.portRecords === 1 ? KeFailure.None : KeFailure.BadAnswer
    default: // CompliantGcmSivExport
      answer.compliantExport = 1
      return KeFailure.None
  }
}

/** Section 4.1: what a whole response must contain. */
function finish(answer: KeAnswer): u32 {
  answer.ended = 1
  if (answer.protocolRecords !== 1) return KeFailure.BadAnswer
  if (!answer.speaksNtpv4) return KeFailure.NoProtocol
  if (answer.aeadRecords !== 1) return KeFailure.BadAnswer
  if (answer.aead === NtsAead.None) return KeFailure.NoAead
  // chrony 4.4 to 4.6 derive other keys than the RFC says, and do not say so (docs/decisions/0017-tls-client.md).
  if (answer.aead === NtsAead.Aes128GcmSiv && !answer.compliantExport) return KeFailure.UseSivOnly
  return answer.cookieCount !== 0 ? KeFailure.None : KeFailure.NoCookies
}

function wasOffered(answer: KeAnswer): bool {
  return answer.aead === NtsAead.AesSivCmac256 || (answer.aead === NtsAead.Aes128GcmSiv && !answer.sivOnly)
}

function isPrintable(p: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) {
    const char = load<u8>(p + i)
    if (char <= 0x20 || char >= 0x7f) return false
  }
  return true
}

function headerOf(answer: KeAnswer): usize {
  return changetype<usize>(answer) + HEADER
}

function bodyOf(answer: KeAnswer): usize {
  return changetype<usize>(answer) + BODY
}
