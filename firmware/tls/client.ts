// The TLS 1.3 client (RFC 8446), sans-IO: bytes in, bytes out, work in between, one slice a call.
//
// What it speaks: TLS_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384; a share of x25519, and
// secp256r1 after a HelloRetryRequest; server_name (host names only), ALPN, which the server must answer with our protocol;
// max_fragment_length and record_size_limit. CertificateVerify with RSA-PSS, ECDSA on P-256 and P-384, and Ed25519; the chain
// is x509.ts's. No resumption and no 0-RTT: tickets are stepped over. A server that asks for our certificate gets none.
//
// Limits: a handshake message of 8,200 bytes (illegal_parameter), a record that does not fit behind the messages before it
// (record_overflow; 1,041 bytes always fit, and servers are asked for 1,024), a cookie of 512 bytes, 32 records in a row that
// move nothing forward. Times are the owner's business.
//
// The owner's loop is that of server.ts, with `tlsClientStep` in place of `tlsStep`, and `tlsClientClose` and `tlsClientWipe`.
// One signature is checked at a time in the whole firmware, so there is one client's connection at a time.

import { wipe } from '../crypto/constant_time'
import { signatureCancel } from '../crypto/signature'
import {
  Checking,
  CLIENT_BUFFER_SIZE,
  CLIENT_OUTPUT_SIZE,
  chainState,
  clientState,
  DatePolicy,
  NO_VERDICT,
  SERVER_HELLO_MAX,
  TLS_CLIENT_SIZE,
} from './client_connection'
import { advanceClient } from './client_handshake'
import { Connection } from './connection'
import { PLAINTEXT_MAX } from './constants'
import { sendStep } from './record_out'
import { Expect, Stage, TlsState } from './state'
import { tlsClose, workStep } from './stream'
import { x509Cancel } from './x509'

export { ALERT_RECEIVED, ALERT_SENT } from './alert'
export { DatePolicy, NO_VERDICT, TLS_CLIENT_SIZE } from './client_connection'
export { TlsState } from './state'
export {
  tlsAlert,
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
} from './stream'

/**
 * Makes a fresh connection of any memory, which begins with the next step. `trust`: the `Trust` (x509.ts) that names the server
 * and tells the time; `alpn`: the one protocol, its length in the first byte. Both stay as they are until the handshake is
 * over. The random generator must be seeded (internal_error otherwise).
 */
export function tlsClientInit(connection: usize, trust: usize, dates: DatePolicy, alpn: usize): void {
  wipe(connection, TLS_CLIENT_SIZE)
  const c = changetype<Connection>(connection)
  c.client = 1
  c.bufferSize = CLIENT_BUFFER_SIZE
  c.outputSize = CLIENT_OUTPUT_SIZE
  c.helloMax = SERVER_HELLO_MAX
  c.alpn = alpn
  c.contentLimit = PLAINTEXT_MAX
  c.stage = Stage.ClientStart
  c.state = TlsState.Handshake
  const state = clientState(c)
  state.trust = trust
  state.dates = dates
  state.expect = Expect.EncryptedExtensions
  state.verdict = NO_VERDICT
}

/** One slice of work. True while there is more to do at once. */
export function tlsClientStep(connection: usize): bool {
  const c = changetype<Connection>(connection)
  if (workStep(c)) return true
  if (c.sendLeft === 0) return advanceClient(c)
  if (sendStep(c)) return true
  // What waits is longer than the output: it goes out in parts.
  c.corked = 0
  return false
}

/** The `CertificateVerdict` about the server's chain; NO_VERDICT while there is none. */
export function tlsClientVerdict(connection: usize): u32 {
  return clientState(changetype<Connection>(connection)).verdict
}

/** The state of x509.ts, for the dates of the chain. Its memory is free for other use once the connection is open. */
export function tlsClientChain(connection: usize): usize {
  return chainState(changetype<Connection>(connection))
}

/** Queues close_notify, as `tlsClose` does. */
export function tlsClientClose(connection: usize): void {
  stopChecking(changetype<Connection>(connection))
  tlsClose(connection)
}

/** Forgets everything, secrets first. For memory that `tlsClientInit` has seen, or zeros. */
export function tlsClientWipe(connection: usize): void {
  stopChecking(changetype<Connection>(connection))
  wipe(connection, TLS_CLIENT_SIZE)
  const c = changetype<Connection>(connection)
  c.state = TlsState.Closed
  c.stage = Stage.Over
  c.wiped = 1
}

function stopChecking(c: Connection): void {
  const state = clientState(c)
  if (state.checking === Checking.Chain) x509Cancel(chainState(c))
  if (state.checking === Checking.Signature) signatureCancel()
  state.checking = Checking.Nothing
}
