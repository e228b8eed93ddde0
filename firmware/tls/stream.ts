// The owner's side of a connection, server or client: bytes in, bytes out, application data, alerts, the exporter.
// What differs (how it begins, its step) is in server.ts and client.ts.

import { hash } from '../crypto/hash'
import { AlertDescription, NO_ALERT } from './alert'
import { abandon, fail } from './connected'
import { area, Connection, MESSAGE, output, TRANSCRIPT_HASH } from './connection'
import { ContentType } from './constants'
import { EXPORTER_LABEL_MAX, macStep } from './key_schedule'
import { takeAlert } from './received'
import { Received, receive, receivedLength, receiveVerdict } from './record_in'
import { canQueue, mustSeal, outputLength, outputSent, queueAlert, queueContent, sealStep } from './record_out'
import { Stage, TlsState } from './state'
import { hashStep } from './transcript'

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
    if (alert === NO_ALERT && received === Received.Hello) c.stage = c.client ? Stage.ReadServerHello : Stage.ReadHello
    if (alert === NO_ALERT && received === Received.Alert) alert = takeAlert(c, area(c, MESSAGE), 2)
    if (alert !== NO_ALERT) fail(c, alert)
  }
  return total
}

/** One slice of the work that a step of the handshake left behind; false when none of it is left. */
export function workStep(c: Connection): bool {
  if (mustSeal(c)) {
    sealStep(c)
    return true
  }
  if (c.macPhase !== 0) {
    macStep(c)
    return true
  }
  if (c.hashLeft === 0) return false
  hashStep(c)
  return true
}

/** The address of the bytes to send; it may change with every call of another function. */
export function tlsOutput(connection: usize): usize {
  const c = changetype<Connection>(connection)
  return output(c) + c.outStart
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

/** True when received bytes no longer matter. */
function isDeaf(c: Connection): bool {
  return c.state >= TlsState.PeerClosed
}

function canReceive(c: Connection): bool {
  if (c.recordReady || c.inputLength !== 0 || c.rotating || c.answerUpdate) return false
  if (c.stage === Stage.Connected) return c.state === TlsState.Open
  if (c.client) return c.stage === Stage.WaitServerHello || c.stage === Stage.WaitFlight
  return c.stage === Stage.Start || c.stage === Stage.WaitSecondHello || c.stage === Stage.WaitFinished
}
