// The TLS 1.3 server (RFC 8446), sans-IO: bytes in, bytes out, work in between, one slice a call.
//
// What it speaks: TLS_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384; x25519 and secp256r1,
// with HelloRetryRequest; ecdsa_secp256r1_sha256 with a P-256 certificate; ALPN, which a client must offer (a client
// without it gets no_application_protocol: RFC 8915, section 4, makes it mandatory); record_size_limit and
// max_fragment_length. No resumption, no 0-RTT (early data is skipped), no client certificates, no session tickets.
//
// Limits: a ClientHello or a protected record of at most BUFFER_SIZE bytes (illegal_parameter, record_overflow), 128
// extensions, 1,000 entries in a list of a hello, 32 records in a row that move nothing forward. Times are the owner's business: a silent client is closed
// with `tlsClose` or simply forgotten with `tlsWipe`.
//
// The owner's loop: `tlsReceive` what came until it takes no more; `tlsStep` while it returns true (at most one call in
// a poll: a step is below 25,000 RV32 instructions of its own work, but for a transcript hash of SHA-384 that needs a
// second block, 43,000, and for what the public-key machines take for theirs); send `tlsOutput`, say so with `tlsSent`; read `tlsInput`, say so
// with `tlsConsume`. A connection is TLS_CONNECTION_SIZE bytes, 8-aligned.

import { wipe } from '../crypto/constant_time'
import { BUFFER_SIZE, Connection, OUTPUT_SIZE, TLS_CONNECTION_SIZE } from './connection'
import { PLAINTEXT_MAX } from './constants'
import { advance } from './handshake'
import { sendStep } from './record_out'
import { Stage, TlsState } from './state'
import { tlsExported, tlsExportStart, workStep } from './stream'

export { ALERT_RECEIVED, ALERT_SENT } from './alert'
export { CERTIFICATES_MAX, TLS_CONNECTION_SIZE } from './connection'
export { TLS_CREDENTIALS_SIZE, TlsCredentials } from './credentials'
export { TlsState } from './state'
export {
  tlsAlert,
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
  tlsState,
  tlsWrite,
} from './stream'

/**
 * Makes a fresh connection of any memory. `credentials`: a `TlsCredentials`; `alpn`: the one protocol that is spoken, its
 * length in the first byte. Both stay as they are until the handshake is over. The random generator must be seeded
 * before a ClientHello is worked on (internal_error otherwise).
 */
export function tlsServerInit(connection: usize, credentials: usize, alpn: usize): void {
  tlsWipe(connection)
  const c = changetype<Connection>(connection)
  c.bufferSize = BUFFER_SIZE
  c.outputSize = OUTPUT_SIZE
  c.helloMax = BUFFER_SIZE
  c.credentials = credentials
  c.alpn = alpn
  c.contentLimit = PLAINTEXT_MAX
  c.stage = Stage.Start
  c.state = TlsState.Handshake
}

/** One slice of work. True while there is more to do at once. */
export function tlsStep(connection: usize): bool {
  const c = changetype<Connection>(connection)
  if (workStep(c)) return true
  if (c.sendLeft === 0) return advance(c)
  if (sendStep(c)) return true
  // The flight is longer than the output: it goes out in parts.
  c.corked = 0
  return false
}

/** True while the client's first ClientHello is not whole. */
export function tlsAwaitsHello(connection: usize): bool {
  return changetype<Connection>(connection).stage === Stage.Start
}

/** `tlsExportStart` and all its steps at once: about 10 compressions of the hash. */
export function tlsExport(
  connection: usize,
  label: usize,
  labelLength: u32,
  context: usize,
  contextLength: u32,
  out: usize,
  outLength: u32,
): bool {
  if (!tlsExportStart(connection, label, labelLength, context, contextLength, out, outLength)) return false
  while (!tlsExported(connection)) {
    if (!tlsStep(connection)) return false
  }
  return true
}

/** Forgets everything, secrets first. */
export function tlsWipe(connection: usize): void {
  wipe(connection, TLS_CONNECTION_SIZE)
  changetype<Connection>(connection).state = TlsState.Closed
  changetype<Connection>(connection).stage = Stage.Over
}
