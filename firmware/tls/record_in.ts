// Records that come in (RFC 8446, section 5): any split of the stream is taken, a header or fragment may end anywhere.
//
// In clear (until the ServerHello) the fragments of a ClientHello, or of a ServerHello on the client's side, go straight to
// the buffer, joined; nothing else of theirs is kept. Protected records are gathered whole in the buffer, since only a whole record can be authenticated;
// hence a record longer than the buffer is refused with record_overflow, unless it may be early data, which is skipped
// as it flows by (section 4.2.10):
//   after a HelloRetryRequest all of application_data's type before the second ClientHello,
//   otherwise whatever cannot be opened before the first record that can.

import { loadU16be, loadU24be } from '../bytes/endian'
import { AEAD_TAG } from '../crypto/aead'
import { aeadGood, aeadOpenStart, aeadStep } from '../crypto/aead_steps'
import { AlertDescription, NO_ALERT } from './alert'
import { area, BUFFER, Connection, MESSAGE, READ_CIPHER, READ_STEPS, RECORD, recordFragment } from './connection'
import { CIPHERTEXT_MAX, ContentType, HANDSHAKE_HEADER, HandshakeType, PLAINTEXT_MAX, RECORD_HEADER } from './constants'
import { Stage } from './state'
import { readIv, recordNonce } from './suite'

/** How much early data may be skipped: a full record and some. We issue no tickets, so none is expected. */
const EARLY_DATA_MAX: u32 = 20_000

/** Records in a row that carry nothing (ChangeCipherSpec, empty data, KeyUpdate, padding) before we hang up. */
export const IDLE_RECORDS_MAX: u32 = 32

/** What became of the bytes given to `receive`. */
export const enum Received {
  /** All bytes taken; more is needed. */
  More,
  /** A whole ClientHello or ServerHello is in the buffer. */
  Hello,
  /** A whole protected record is in the buffer. */
  Record,
  /** An alert in clear is in the area MESSAGE. */
  Alert,
}

const NONCE: usize = memory.data(16, 8)

/** The alert that the received bytes deserve, after `receive`. */
let verdict: u32 = 0
/** Bytes taken by the last `receive`. */
let taken: u32 = 0

export function receiveVerdict(): u32 {
  return verdict
}

export function receivedLength(): u32 {
  return taken
}

/** True while records in clear are expected. */
function inClear(c: Connection): bool {
  return c.stage === Stage.Start || c.stage === Stage.WaitSecondHello || c.stage === Stage.WaitServerHello
}

/** Takes bytes until something is whole, something is wrong (`receiveVerdict`), or all are taken. */
export function receive(c: Connection, data: usize, length: u32): Received {
  verdict = NO_ALERT
  taken = 0
  while (taken < length) {
    if (c.headerFilled < RECORD_HEADER) {
      takeHeader(c, data, length)
      if (c.headerFilled < RECORD_HEADER) return Received.More
      verdict = judgeHeader(c)
    } else {
      takeFragment(c, data + taken, length - taken)
    }
    if (verdict !== NO_ALERT) return Received.More
    if (c.headerFilled === RECORD_HEADER && c.recordLeft === 0) {
      const received = endRecord(c)
      if (verdict !== NO_ALERT || received !== Received.More) return received
    }
  }
  return Received.More
}

/** The record in the buffer is dealt with: the next one may come. */
export function releaseRecord(c: Connection): void {
  c.recordReady = 0
  c.opening = 0
  c.filled = 0
}

/** One slice of opening the record in the buffer, in place; true when it is done. */
export function openStep(c: Connection): bool {
  if (!c.opening) {
    c.opening = 1
    recordNonce(NONCE, readIv(c), c.readSequence)
    const steps = area(c, READ_STEPS)
    aeadOpenStart(steps, area(c, READ_CIPHER), NONCE, area(c, RECORD), RECORD_HEADER, recordFragment(c), c.recordLength)
  }
  return aeadStep(area(c, READ_STEPS))
}

/**
 * After `openStep`: the alert for a record that is not authentic; NO_ALERT for one that is, or that counts as early data
 * (`skippedRecord` tells).
 */
export function judgeOpened(c: Connection): u32 {
  if (aeadGood(area(c, READ_STEPS))) {
    c.readSequence += 1
    c.earlyData = 0
    return NO_ALERT
  }
  return c.earlyData ? countSkipped(c) : AlertDescription.BadRecordMac
}

export function skippedRecord(c: Connection): bool {
  return !aeadGood(area(c, READ_STEPS))
}

/**
 * TLSInnerPlaintext = content | type | zeros (section 5.4): the length of content and type, without the zeros; 0 if all
 * is zero. Every word is read, wherever the type stands, so the time does not tell how much padding there was.
 */
export function unpaddedLength(c: Connection): u32 {
  const p = recordFragment(c)
  const length = c.recordLength - AEAD_TAG
  // The tag stands behind; zeros there make the last word whole.
  memory.fill(p + length, 0, 4)
  let word: u32 = 0
  let at: u32 = 0
  for (let i: u32 = 0; i < length; i += 4) {
    const value = load<u32>(p + i)
    const mask: u32 = value !== 0 ? -1 : 0
    word = (value & mask) | (word & ~mask)
    at = (i & mask) | (at & ~mask)
  }
  return word === 0 ? 0 : at + 4 - (clz<u32>(word) >> 3)
}

/** A record that moved nothing forward; too many in a row are refused. */
export function countIdle(c: Connection): u32 {
  c.idleRecords += 1
  return c.idleRecords > IDLE_RECORDS_MAX ? AlertDescription.UnexpectedMessage : NO_ALERT
}

function takeHeader(c: Connection, data: usize, length: u32): void {
  const wanted = min(RECORD_HEADER - c.headerFilled, length - taken)
  memory.copy(area(c, RECORD) + c.headerFilled, data + taken, wanted)
  c.headerFilled += wanted
  taken += wanted
}

/** Says what is wrong with a complete header, or prepares for its fragment. The version is ignored (section 5.1). */
function judgeHeader(c: Connection): u32 {
  const header = area(c, RECORD)
  c.recordType = load<u8>(header)
  c.recordLength = loadU16be(header + 3)
  c.recordLeft = c.recordLength
  c.skipping = 0
  switch (c.recordType) {
    case ContentType.Handshake:
      return judgeHandshake(c)
    case ContentType.ChangeCipherSpec:
      return judgeChangeCipherSpec(c)
    case ContentType.Alert:
      return judgeAlert(c)
    case ContentType.ApplicationData:
      return inClear(c) ? judgeEarlyData(c) : judgeProtected(c)
    default:
      return AlertDescription.UnexpectedMessage
  }
}

function judgeHandshake(c: Connection): u32 {
  if (!inClear(c) || c.recordLength === 0) return AlertDescription.UnexpectedMessage
  return c.recordLength > PLAINTEXT_MAX ? AlertDescription.RecordOverflow : NO_ALERT
}

/** Only between the first ClientHello and the peer's Finished, and not within a handshake message (section 5). */
function judgeChangeCipherSpec(c: Connection): u32 {
  const toServer = c.stage === Stage.WaitSecondHello || c.stage === Stage.WaitFinished
  const expected = toServer || c.stage === Stage.WaitServerHello || c.stage === Stage.WaitFlight
  if (!expected || withinMessage(c) || c.recordLength !== 1) return AlertDescription.UnexpectedMessage
  return NO_ALERT
}

/** An alert in clear: from a peer that has no keys yet, or a client that could not make them. Always whole, always alone. */
function judgeAlert(c: Connection): u32 {
  const expected = inClear(c) || (c.stage === Stage.WaitFinished && c.readSequence === 0)
  if (!expected || c.recordLength === 0) return AlertDescription.UnexpectedMessage
  return c.recordLength === 2 ? NO_ALERT : AlertDescription.DecodeError
}

function judgeEarlyData(c: Connection): u32 {
  if (!c.earlyData || withinMessage(c)) return AlertDescription.UnexpectedMessage
  if (c.recordLength > CIPHERTEXT_MAX) return AlertDescription.RecordOverflow
  c.skipping = 1
  return countSkipped(c)
}

function judgeProtected(c: Connection): u32 {
  if (c.recordLength > CIPHERTEXT_MAX) return AlertDescription.RecordOverflow
  if (c.recordLength <= c.bufferSize - c.recordAt) return NO_ALERT
  if (!c.earlyData) return AlertDescription.RecordOverflow
  c.skipping = 1
  return countSkipped(c)
}

function countSkipped(c: Connection): u32 {
  c.skipped += RECORD_HEADER + c.recordLength
  return c.skipped > EARLY_DATA_MAX ? AlertDescription.UnexpectedMessage : NO_ALERT
}

/** True when a handshake message has begun and not ended. */
function withinMessage(c: Connection): bool {
  return inClear(c) ? c.filled !== 0 : c.messageFilled !== 0
}

function takeFragment(c: Connection, data: usize, length: u32): void {
  const wanted = min(c.recordLeft, length)
  if (!c.skipping) {
    if (c.recordType === ContentType.Handshake) verdict = takeHello(c, data, wanted)
    else if (c.recordType === ContentType.ApplicationData) takeBytes(c, recordFragment(c), data, wanted)
    else memory.copy(area(c, MESSAGE) + (c.recordLength - c.recordLeft), data, wanted)
  }
  c.recordLeft -= wanted
  taken += wanted
}

/** Joins the bytes of a hello. Its end must be the end of a record: our keys change behind it (section 5.1). */
function takeHello(c: Connection, data: usize, length: u32): u32 {
  const head = min(length, HANDSHAKE_HEADER - min(c.filled, HANDSHAKE_HEADER))
  takeBytes(c, area(c, BUFFER), data, head)
  if (c.filled < HANDSHAKE_HEADER) return judgeType(c)
  if (head !== 0) {
    const alert = judgeMessage(c)
    if (alert !== NO_ALERT) return alert
  }
  const rest = length - head
  if (c.filled + rest > helloLength(c)) return AlertDescription.UnexpectedMessage
  takeBytes(c, area(c, BUFFER), data + head, rest)
  return NO_ALERT
}

function judgeType(c: Connection): u32 {
  const expected: u32 = c.client ? HandshakeType.ServerHello : HandshakeType.ClientHello
  return c.filled === 0 || <u32>load<u8>(area(c, BUFFER)) === expected ? NO_ALERT : AlertDescription.UnexpectedMessage
}

function judgeMessage(c: Connection): u32 {
  const alert = judgeType(c)
  if (alert !== NO_ALERT) return alert
  return helloLength(c) > c.helloMax ? AlertDescription.IllegalParameter : NO_ALERT
}

function helloLength(c: Connection): u32 {
  return HANDSHAKE_HEADER + loadU24be(area(c, BUFFER) + 1)
}

function takeBytes(c: Connection, to: usize, data: usize, length: u32): void {
  memory.copy(to + c.filled, data, length)
  c.filled += length
}

/** The fragment is complete. */
function endRecord(c: Connection): Received {
  c.headerFilled = 0
  if (c.skipping) return Received.More
  switch (c.recordType) {
    case ContentType.Handshake:
      return c.filled >= HANDSHAKE_HEADER && c.filled === helloLength(c) ? Received.Hello : Received.More
    case ContentType.ChangeCipherSpec:
      verdict = load<u8>(area(c, MESSAGE)) === 1 ? countIdle(c) : AlertDescription.UnexpectedMessage
      return Received.More
    case ContentType.Alert:
      return Received.Alert
    default:
      c.recordReady = 1
      return Received.Record
  }
}
