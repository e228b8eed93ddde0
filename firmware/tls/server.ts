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

import { hash } from '../crypto/hash'
import { AlertDescription, NO_ALERT } from './alert'
import { area, Connection, MESSAGE, OUTPUT, TLS_CONNECTION_SIZE, TRANSCRIPT_HASH } from './connection'
import { ContentType, PLAINTEXT_MAX } from './constants'
import { abandon, advance, fail, wipeSecrets } from './handshake'
import { EXPORTER_LABEL_MAX, macStep } from './key_schedule'
import { takeAlert } from './received'
import { Received, receive, receivedLength, receiveVerdict } from './record_in'
import {
  canQueue,
  mustSeal,
  outputLength,
  outputSent,
  queueAlert,
  queueContent,
  sealStep,
  sendStep,
} from './record_out'
import { Stage, TlsState } from './state'
import { hashStep } from './transcript'

export { ALERT_RECEIVED, ALERT_SENT } from './alert'
export { CERTIFICATES_MAX, TLS_CONNECTION_SIZE } from './connection'
export { TLS_CREDENTIALS_SIZE, TlsCredentials } from './credentials'
export { TlsState } from './state'

/**
 * Makes a fresh connection of any memory. `credentials`: a `TlsCredentials`; `alpn`: the one protocol that is spoken, its
 * length in the first byte. Both stay as they are until the handshake is over. The random generator must be seeded
 * before a ClientHello is worked on (internal_error otherwise).
 */
export function tlsServerInit(connection: usize, credentials: usize, alpn: usize): void {
  tlsWipe(connection)
  const c = changetype<Connection>(connection)
  c.credentials = credentials
  c.alpn = alpn
  c.contentLimit = PLAINTEXT_MAX
  c.stage = Stage.Start
  c.state = TlsState.Handshake
}

/**
 * Takes received bytes, returns how many: less than `length` when there is work for `tlsStep`, output to send or input
 * to read first. What comes after the end of the connection is taken and dropped.
 */
export function tlsReceive(connection: usize, data: usize, length: u32): u32 {
  const c = changetype<Connection>(connection)
  let total: u32 = 0
  while (total < length) {
    if (isDeaf(c)) return length
    if (!canReceive(c)) return total
    const received = receive(c, data + total, length - total)
    total += receivedLength()
    let alert = receiveVerdict()
    if (alert === NO_ALERT && received === Received.Hello) c.stage = Stage.ReadHello
    if (alert === NO_ALERT && received === Received.Alert) alert = takeAlert(c, area(c, MESSAGE), 2)
    if (alert !== NO_ALERT) fail(c, alert)
  }
  return total
}

/** One slice of work. True while there is more to do at once. */
export function tlsStep(connection: usize): bool {
  const c = changetype<Connection>(connection)
  if (mustSeal(c)) {
    sealStep(c)
    return true
  }
  if (c.macPhase !== 0) {
    macStep(c)
    return true
  }
  if (c.hashLeft !== 0) {
    hashStep(c)
    return true
  }
  if (c.sendLeft === 0) return advance(c)
  if (sendStep(c)) return true
  // The flight is longer than the output: it goes out in parts.
  c.corked = 0
  return false
}

/** The address of the bytes to send; it may change with every call of another function. */
export function tlsOutput(connection: usize): usize {
  const c = changetype<Connection>(connection)
  return area(c, OUTPUT) + c.outStart
}

/** Bytes to send; 0 while what is queued is not complete. */
export function tlsOutputLength(connection: usize): u32 {
  return outputLength(changetype<Connection>(connection))
}

/** The owner has sent `length` bytes of the output. */
export function tlsSent(connection: usize, length: u32): void {
  outputSent(changetype<Connection>(connection), length)
}

/** The address of the application data received. */
export function tlsInput(connection: usize): usize {
  return changetype<Connection>(connection).inputAt
}

/** Bytes of application data that wait to be read; nothing more is received before they are consumed. */
export function tlsInputLength(connection: usize): u32 {
  return changetype<Connection>(connection).inputLength
}

/** The owner has read `length` bytes of the input. */
export function tlsConsume(connection: usize, length: u32): void {
  const c = changetype<Connection>(connection)
  const consumed = min(length, c.inputLength)
  if (consumed === 0) return
  c.inputAt += consumed
  c.inputLength -= consumed
  if (c.inputLength === 0) c.filled = 0
}

/** Queues application data; false, and nothing is queued, when there is no room now or the connection is not open. */
export function tlsWrite(connection: usize, data: usize, length: u32): bool {
  const c = changetype<Connection>(connection)
  const writable = c.state === TlsState.Open || c.state === TlsState.PeerClosed
  if (!writable || c.answerUpdate || !canQueue(c, length)) return false
  queueContent(c, ContentType.ApplicationData, data, length)
  return true
}

/** Queues close_notify: nothing more is written or received. What was written before goes out with it. */
export function tlsClose(connection: usize): void {
  const c = changetype<Connection>(connection)
  if (c.state >= TlsState.Closed) return
  if (c.state === TlsState.Handshake) {
    c.stage = Stage.Over
    abandon(c)
  }
  c.state = TlsState.Closed
  queueAlert(c, AlertDescription.CloseNotify)
}

export function tlsState(connection: usize): TlsState {
  return changetype<Connection>(connection).state
}

/** The last alert: ALERT_SENT or ALERT_RECEIVED above its description; 0 when there was none. */
export function tlsAlert(connection: usize): u32 {
  return changetype<Connection>(connection).alert
}

/** True while the client's first ClientHello is not whole. */
export function tlsAwaitsHello(connection: usize): bool {
  return changetype<Connection>(connection).stage === Stage.Start
}

/**
 * Begins an exporter's value (section 7.5): `tlsStep` works on it until `tlsExported`, before any other record is
 * opened. The label (at most 96 bytes) and `out` stay where they are until then. False when there are no keys, or
 * another value is under way.
 */
export function tlsExportStart(
  connection: usize,
  label: usize,
  labelLength: u32,
  context: usize,
  contextLength: u32,
  out: usize,
  outLength: u32,
): bool {
  const c = changetype<Connection>(connection)
  const open = c.state === TlsState.Open || c.state === TlsState.PeerClosed
  if (!open || c.exporting || labelLength > EXPORTER_LABEL_MAX || outLength > 255) return false
  hash(c.hash, context, contextLength, area(c, TRANSCRIPT_HASH))
  c.exportLabel = label
  c.exportLabelLength = labelLength
  c.exportOut = out
  c.exportLength = outLength
  c.exporting = 1
  return true
}

/** True when no exporter's value is under way. */
export function tlsExported(connection: usize): bool {
  return changetype<Connection>(connection).exporting === 0
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
  wipeSecrets(changetype<Connection>(connection))
  memory.fill(connection, 0, TLS_CONNECTION_SIZE)
  changetype<Connection>(connection).state = TlsState.Closed
  changetype<Connection>(connection).stage = Stage.Over
}

/** True when received bytes no longer matter. */
function isDeaf(c: Connection): bool {
  return c.state >= TlsState.PeerClosed
}

function canReceive(c: Connection): bool {
  if (c.recordReady || c.inputLength !== 0 || c.rotating || c.answerUpdate) return false
  if (c.stage === Stage.Connected) return c.state === TlsState.Open
  return c.stage === Stage.Start || c.stage === Stage.WaitSecondHello || c.stage === Stage.WaitFinished
}
