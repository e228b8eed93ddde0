// What the content of an authentic record, or an alert in clear, does to the connection.

import { loadU24be } from '../bytes/endian'
import { equalBytes } from '../crypto/constant_time'
import { hashLength } from '../crypto/hash'
import { ALERT_RECEIVED, AlertDescription, NO_ALERT } from './alert'
import { area, BUFFER, Connection, EXPECTED, MESSAGE, recordFragment } from './connection'
import { ContentType, HANDSHAKE_HEADER, HandshakeType, KeyUpdateRequest } from './constants'
import { countIdle, releaseRecord, unpaddedLength } from './record_in'
import { discardOutput } from './record_out'
import { Stage, TlsState } from './state'

/** A NewSessionTicket without its header: with a ticket of one byte, and longer than any that was ever seen. */
const TICKET_MIN: u32 = 14
const TICKET_MAX: u32 = 16384

/** Takes the content of the record in the buffer; returns the alert that it deserves. */
export function takeRecord(c: Connection): u32 {
  const inner = unpaddedLength(c)
  if (inner === 0) return AlertDescription.UnexpectedMessage // no content type at all (RFC 8446, section 5.4)
  const content = recordFragment(c)
  const type = <u32>load<u8>(content + inner - 1)
  const length = inner - 1
  if (type === ContentType.ApplicationData) return takeApplicationData(c, length)
  let alert: u32 = AlertDescription.UnexpectedMessage
  if (type === ContentType.Handshake) {
    if (c.stage === Stage.WaitFlight) alert = joinMessages(c, content, length)
    else if (c.client) alert = takeAfterHandshake(c, content, length)
    else alert = takeHandshake(c, content, length)
  } else if (type === ContentType.Alert) alert = takeAlert(c, content, length)
  releaseRecord(c)
  return alert
}

/** An alert ends the connection, but for user_canceled, which only announces close_notify (section 6.1). */
export function takeAlert(c: Connection, content: usize, length: u32): u32 {
  if (length === 0) return AlertDescription.UnexpectedMessage
  if (length !== 2) return AlertDescription.DecodeError
  const description = <u32>load<u8>(content, 1)
  if (description === AlertDescription.UserCanceled) return countIdle(c)
  c.alert = ALERT_RECEIVED | description
  if (description === AlertDescription.CloseNotify && c.state === TlsState.Open) {
    c.state = TlsState.PeerClosed
    return NO_ALERT
  }
  c.state = TlsState.Failed
  c.stage = Stage.Over
  discardOutput(c)
  return NO_ALERT
}

function takeApplicationData(c: Connection, length: u32): u32 {
  if (c.stage !== Stage.Connected || c.messageFilled !== 0) return AlertDescription.UnexpectedMessage
  if (length === 0) {
    releaseRecord(c)
    return countIdle(c)
  }
  c.idleRecords = 0
  c.recordReady = 0
  c.opening = 0
  c.inputAt = area(c, BUFFER)
  c.inputLength = length
  return NO_ALERT
}

/** The server's encrypted flight: its bytes are joined at the front of the buffer, read by client_handshake.ts. */
function joinMessages(c: Connection, content: usize, length: u32): u32 {
  if (length === 0) return AlertDescription.UnexpectedMessage
  memory.copy(area(c, BUFFER) + c.messageFilled, content, length)
  c.messageFilled += length
  c.stage = Stage.ReadFlight
  return NO_ALERT
}

/** What a server may send behind its Finished: NewSessionTickets, which are stepped over unread, and a KeyUpdate. */
function takeAfterHandshake(c: Connection, content: usize, length: u32): u32 {
  if (length === 0) return AlertDescription.UnexpectedMessage
  while (length !== 0) {
    const first = c.messageFilled === 0 ? <u32>load<u8>(content) : <u32>load<u8>(area(c, MESSAGE))
    if (first !== HandshakeType.NewSessionTicket) return takeHandshake(c, content, length)
    const head = min(length, HANDSHAKE_HEADER - c.messageFilled)
    if (head !== 0) {
      takeBytes(c, content, head)
      content += head
      length -= head
      if (c.messageFilled < HANDSHAKE_HEADER) break
      c.ticketLeft = loadU24be(area(c, MESSAGE) + 1)
      if (c.ticketLeft < TICKET_MIN) return AlertDescription.DecodeError
      if (c.ticketLeft > TICKET_MAX) return AlertDescription.IllegalParameter
    }
    const skipped = min(length, c.ticketLeft)
    content += skipped
    length -= skipped
    c.ticketLeft -= skipped
    if (c.ticketLeft === 0) {
      c.messageFilled = 0
      if (countIdle(c) !== NO_ALERT) return AlertDescription.UnexpectedMessage
    }
  }
  return NO_ALERT
}

/**
 * Joins the pieces of a Finished or a KeyUpdate, the only messages that may come. Our read key changes behind both, so
 * the end of the message must be the end of a record (section 5.1).
 */
function takeHandshake(c: Connection, content: usize, length: u32): u32 {
  if (length === 0) return AlertDescription.UnexpectedMessage
  const head = min(length, HANDSHAKE_HEADER - min(c.messageFilled, HANDSHAKE_HEADER))
  takeBytes(c, content, head)
  const alert = judgeMessage(c)
  if (alert !== NO_ALERT || c.messageFilled < HANDSHAKE_HEADER) return alert
  const whole = HANDSHAKE_HEADER + loadU24be(area(c, MESSAGE) + 1)
  if (c.messageFilled + (length - head) > whole) return AlertDescription.UnexpectedMessage
  takeBytes(c, content + head, length - head)
  if (c.messageFilled !== whole) return NO_ALERT
  c.messageFilled = 0
  return c.stage === Stage.WaitFinished ? takeFinished(c) : takeKeyUpdate(c)
}

function takeBytes(c: Connection, content: usize, length: u32): void {
  memory.copy(area(c, MESSAGE) + c.messageFilled, content, length)
  c.messageFilled += length
}

/** Judges the type, and the length once it is there: it bounds what the area must hold. */
function judgeMessage(c: Connection): u32 {
  const finishing = c.stage === Stage.WaitFinished
  const expected: u32 = finishing ? HandshakeType.Finished : HandshakeType.KeyUpdate
  if (<u32>load<u8>(area(c, MESSAGE)) !== expected) return AlertDescription.UnexpectedMessage
  if (c.messageFilled < HANDSHAKE_HEADER) return NO_ALERT
  const length: u32 = finishing ? hashLength(c.hash) : 1
  return loadU24be(area(c, MESSAGE) + 1) === length ? NO_ALERT : AlertDescription.DecodeError
}

/** Section 4.4.4. */
function takeFinished(c: Connection): u32 {
  const verifyData = area(c, MESSAGE) + HANDSHAKE_HEADER
  if (!equalBytes(verifyData, area(c, EXPECTED), hashLength(c.hash))) return AlertDescription.DecryptError
  c.idleRecords = 0
  c.stage = Stage.ApplicationReadKeys
  return NO_ALERT
}

/** Section 4.6.3. */
function takeKeyUpdate(c: Connection): u32 {
  const request = <u32>load<u8>(area(c, MESSAGE) + HANDSHAKE_HEADER)
  if (request > <u32>KeyUpdateRequest.Requested) return AlertDescription.IllegalParameter
  if (request === KeyUpdateRequest.Requested) c.answerUpdate = 1
  c.stage = Stage.UpdateRead
  return countIdle(c)
}
