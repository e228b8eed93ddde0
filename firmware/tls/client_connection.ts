// The memory of a client's connection: TLS_CLIENT_SIZE bytes, 8-aligned.
//
//   Connection | contexts and secrets | buffer | output | ClientState | state of x509.ts
//
// Before the keys are there the buffer holds a hello of the server at its front (or a public-key state), our ClientHello and
// a HelloRetryRequest's cookie behind. Afterwards the server's handshake messages are joined at its front, and the next
// record lies behind them: a Certificate of 8 KB fits, in whatever pieces it comes, when the server keeps the record size
// that we ask for. One that knows no such wish may send whatever fits as a whole.

import { AEAD_TAG } from '../crypto/aead'
import { BUFFER, Connection } from './connection'
import { X509_SIZE } from './x509'
import { CertificateVerdict } from './x509_verdict'

/** The longest handshake message, its header included: a Certificate with a list of 8192 bytes. */
export const CLIENT_MESSAGE_MAX: u32 = 8200

/** The content that we want in a record at most, and how max_fragment_length (RFC 6066, section 4) says it. */
export const CLIENT_RECORD_CONTENT: u32 = 1024
export const CLIENT_FRAGMENT_CODE: u32 = 2

/** RFC 8449 counts the content type too. */
export const CLIENT_RECORD_LIMIT: u32 = CLIENT_RECORD_CONTENT + 1

export const CLIENT_BUFFER_SIZE: u32 = (CLIENT_MESSAGE_MAX + CLIENT_RECORD_LIMIT + AEAD_TAG + 7) & ~7

/** A ClientHello with the longest name and cookie takes 1,030 bytes; later there are short messages and the application's. */
export const CLIENT_OUTPUT_SIZE: u32 = 1280

/** The longest ServerHello or HelloRetryRequest. */
export const SERVER_HELLO_MAX: u32 = 2048

/** Where our ClientHello stands in the buffer: behind every public-key state. Then the cookie. */
export const OWN_HELLO: u32 = 6144
export const COOKIE: u32 = OWN_HELLO + CLIENT_OUTPUT_SIZE
/** The longest cookie of a HelloRetryRequest. */
export const COOKIE_MAX: u32 = 512

/** The longest host name (RFC 1035, without its last dot). */
export const NAME_MAX: u32 = 253

@unmanaged
export class ClientState {
  /** The `Trust` that the chain is judged by; it has the server's name too. */
  trust: usize
  dates: u32
  /** The message that must come next: an `Expect`. */
  expect: u32
  /** The first message that is not dealt with: its offset in the buffer, and its length with its header. */
  messageAt: u32
  messageLength: u32
  helloLength: u32
  cookieLength: u32
  /** 1: server_name was sent. */
  named: u32
  /** The group that a HelloRetryRequest wants; 0: the share stays. */
  wantedGroup: u32
  /** 1: the server wants a certificate of ours. */
  certificateRequested: u32
  /** What is being checked, a `Checking`. */
  checking: u32
  /** A `CertificateVerdict`, NO_VERDICT before there is one. */
  verdict: u32
  /** The `SignatureScheme` of the CertificateVerify, and its signature. */
  scheme: u32
  signature: usize
  signatureLength: u32
}

export const enum Checking {
  Nothing = 0,
  Chain = 1,
  Signature = 2,
}

/** `ClientState.verdict` while no chain has been judged. */
export const NO_VERDICT: u32 = 0xff

const CLIENT_STATE: usize = (BUFFER + CLIENT_BUFFER_SIZE + CLIENT_OUTPUT_SIZE + 7) & ~(<usize>7)
const CHAIN: usize = (CLIENT_STATE + offsetof<ClientState>() + 7) & ~(<usize>7)

/** Bytes of a client's connection. */
export const TLS_CLIENT_SIZE: u32 = <u32>CHAIN + <u32>X509_SIZE

export function clientState(c: Connection): ClientState {
  return changetype<ClientState>(changetype<usize>(c) + CLIENT_STATE)
}

/** The state of x509.ts. */
export function chainState(c: Connection): usize {
  return changetype<usize>(c) + CHAIN
}

/** True for a verdict that the policy takes. */
export function verdictPasses(dates: u32, verdict: CertificateVerdict): bool {
  if (verdict === CertificateVerdict.Valid) return true
  if (verdict === CertificateVerdict.Undecidable) return dates !== DatePolicy.Strict
  const outdated = verdict === CertificateVerdict.NotYetValid || verdict === CertificateVerdict.Expired
  return outdated && dates === DatePolicy.Off
}

/** What is to be done about a chain whose dates are not known to be right. */
export const enum DatePolicy {
  /** Only a chain that is valid now, whatever the time within its bounds. */
  Strict = 0,
  /** Also one of which that cannot be said. The caller judges its dates again before it believes any time. */
  Undecided = 1,
  /** Dates do not matter. */
  Off = 2,
}
