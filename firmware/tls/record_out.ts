// Records that go out (RFC 8446, section 5). They are queued in clear, laid out as they will be sent; `sealStep`
// protects them in place, in order. Nothing is shown to the owner before the whole queue is protected, so an answer and
// its close_notify, or a whole flight (`corked`), leave in one run.

import { loadU16be, storeU16be } from '../bytes/endian'
import { AEAD_TAG } from '../crypto/aead'
import { aeadSealStart, aeadStep, aeadStepsMoved } from '../crypto/aead_steps'
import { ALERT_SENT, AlertDescription, AlertLevel } from './alert'
import { area, Connection, output, WRITE_CIPHER, WRITE_STEPS } from './connection'
import { ContentType, RECORD_HEADER, TLS_1_2 } from './constants'
import { recordNonce, writeIv } from './suite'

/** What protection adds to the content: its type and the tag. */
const PROTECTION: u32 = 1 + AEAD_TAG

/** Kept free for one alert, so that a last word is always possible. */
const ALERT_ROOM: u32 = RECORD_HEADER + 2 + PROTECTION

const NONCE: usize = memory.data(16, 8)
const ALERT: usize = memory.data(8, 8)

/** Bytes of the records that carry `length` bytes of content. */
function recordsLength(c: Connection, length: u32): u32 {
  const overhead = c.writeProtected ? RECORD_HEADER + PROTECTION : RECORD_HEADER
  return length + overhead * ((length + c.contentLimit - 1) / c.contentLimit)
}

function room(c: Connection): u32 {
  return c.outputSize - (c.outEnd - c.outStart)
}

/** True when `length` bytes of content can be queued now. */
export function canQueue(c: Connection, length: u32): bool {
  return length <= c.outputSize && recordsLength(c, length) + ALERT_ROOM <= room(c)
}

/** Queues one record. The caller has made sure of the room and of the peer's limit. */
export function queueRecord(c: Connection, type: u32, content: usize, length: u32): void {
  const fragment = c.writeProtected ? length + PROTECTION : length
  compact(c, RECORD_HEADER + fragment)
  const record = output(c) + c.outEnd
  store<u8>(record, c.writeProtected ? ContentType.ApplicationData : type)
  storeU16be(record + 1, TLS_1_2)
  storeU16be(record + 3, fragment)
  memory.copy(record + RECORD_HEADER, content, length)
  if (c.writeProtected) store<u8>(record + RECORD_HEADER + length, type)
  c.outEnd += RECORD_HEADER + fragment
  if (!c.writeProtected) c.outSealed = c.outEnd
}

/** Queues content of any length that `canQueue` allowed. */
export function queueContent(c: Connection, type: u32, content: usize, length: u32): void {
  while (length !== 0) {
    const taken = min(length, c.contentLimit)
    queueRecord(c, type, content, taken)
    content += taken
    length -= taken
  }
}

/** Queues an alert; it never lacks room. Everything held back goes out with it. */
export function queueAlert(c: Connection, description: AlertDescription): void {
  const warning = description === AlertDescription.CloseNotify
  store<u8>(ALERT, warning ? AlertLevel.Warning : AlertLevel.Fatal)
  store<u8>(ALERT, description, 1)
  queueRecord(c, ContentType.Alert, ALERT, 2)
  c.alert = ALERT_SENT | description
  c.corked = 0
}

/** The dummy record of middlebox compatibility mode (appendix D.4); never protected. */
export function queueChangeCipherSpec(c: Connection): void {
  store<u8>(ALERT, 1)
  queueRecord(c, ContentType.ChangeCipherSpec, ALERT, 1)
}

/** Puts the next piece of the handshake message in a record; false when there is no room for it. */
export function sendStep(c: Connection): bool {
  const taken = min(c.sendLeft, c.contentLimit)
  if (!canQueue(c, taken)) return false
  queueRecord(c, ContentType.Handshake, c.sendAt, taken)
  c.sendAt += taken
  c.sendLeft -= taken
  return true
}

/** True while a queued record can be protected. */
export function mustSeal(c: Connection): bool {
  return c.outSealed !== c.outEnd && !c.rotating
}

/** One slice of protecting the next queued record in place. */
export function sealStep(c: Connection): void {
  if (!c.sealing) startSealing(c)
  if (!aeadStep(area(c, WRITE_STEPS))) return
  c.sealing = 0
  c.writeSequence += 1
  c.outSealed += RECORD_HEADER + loadU16be(output(c) + c.outSealed + 3)
  // After the handshake the only message of ours is KeyUpdate: the key changes right behind it (section 4.6.3).
  if (c.sealingType === ContentType.Handshake && c.established) c.rotating = 1
}

function startSealing(c: Connection): void {
  const record = output(c) + c.outSealed
  const content = record + RECORD_HEADER
  const inner = loadU16be(record + 3) - AEAD_TAG
  c.sealing = 1
  c.sealingType = load<u8>(content + inner - 1)
  recordNonce(NONCE, writeIv(c), c.writeSequence)
  aeadSealStart(area(c, WRITE_STEPS), area(c, WRITE_CIPHER), NONCE, record, RECORD_HEADER, content, inner)
}

/** Bytes that the owner may send now. */
export function outputLength(c: Connection): u32 {
  return c.corked || c.outSealed !== c.outEnd ? 0 : c.outEnd - c.outStart
}

/** The owner has sent `length` bytes. */
export function outputSent(c: Connection, length: u32): void {
  c.outStart += min(length, outputLength(c))
  if (c.outStart === c.outEnd) discardOutput(c)
}

/** Forgets all that is queued: the peer has left. */
export function discardOutput(c: Connection): void {
  c.outStart = 0
  c.outSealed = 0
  c.outEnd = 0
  c.sealing = 0
}

/** Moves the queue to the front when the next record would not fit behind it. */
function compact(c: Connection, length: u32): void {
  if (c.outEnd + length <= c.outputSize) return
  const front = output(c)
  memory.copy(front, front + c.outStart, c.outEnd - c.outStart)
  if (c.sealing) aeadStepsMoved(area(c, WRITE_STEPS), c.outStart)
  c.outSealed -= c.outStart
  c.outEnd -= c.outStart
  c.outStart = 0
}
