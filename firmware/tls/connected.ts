// What server and client do alike, one step a call: the traffic keys, the connection once it is open (records, KeyUpdate,
// exporter), and its end. The steps of the handshakes are in handshake.ts and client_handshake.ts.

import { wipe } from '../crypto/constant_time'
import { hashLength } from '../crypto/hash'
import { NO_ALERT } from './alert'
import {
  area,
  BUFFER,
  Connection,
  EXPECTED,
  EXPORTER,
  KEY,
  OWN_TRAFFIC,
  PEER_TRAFFIC,
  SECRET_NOW,
  SESSION_ID,
  TRANSCRIPT_HASH,
} from './connection'
import { ContentType } from './constants'
import {
  emptyHash,
  Label,
  startDeriveSecret,
  startExpandCustomLabel,
  startExpandLabel,
  startHmac,
} from './key_schedule'
import { putKeyUpdate } from './messages'
import { takeRecord } from './received'
import { judgeOpened, openStep, releaseRecord, skippedRecord } from './record_in'
import { canQueue, queueAlert, queueChangeCipherSpec, queueRecord } from './record_out'
import { Stage, TlsState } from './state'
import { installRead, installWrite, readIv, startTrafficIv, startTrafficKey, writeIv } from './suite'
import { transcriptHash } from './transcript'

/** A KeyUpdate. */
const MESSAGE: usize = memory.data(8, 8)

/** Ends the connection with an alert. */
export function fail(c: Connection, description: u32): void {
  c.state = TlsState.Failed
  c.stage = Stage.Over
  abandon(c)
  queueAlert(c, description)
}

/** Drops the work that a handshake has left behind. */
export function abandon(c: Connection): void {
  c.macPhase = 0
  c.hashLeft = 0
  c.sendLeft = 0
}

/** Forgets every secret and all that was received. What is queued stays. */
export function wipeSecrets(c: Connection): void {
  wipe(area(c, SESSION_ID), <u32>(BUFFER - SESSION_ID) + c.bufferSize)
  c.inputLength = 0
  c.wiped = 1
}

/** Goes on at `stage`, or fails with the alert. */
export function next(c: Connection, alert: u32, stage: Stage): bool {
  if (alert === NO_ALERT) c.stage = stage
  else fail(c, alert)
  return true
}

/** Derive-Secret of the current secret with the transcript hash last taken. */
export function derive(c: Connection, label: Label, out: usize, stage: Stage): bool {
  startDeriveSecret(c, area(c, SECRET_NOW), label, area(c, TRANSCRIPT_HASH), area(c, out))
  return next(c, NO_ALERT, stage)
}

/** Goes through a chain of traffic keys, then on at `resume`. */
export function chain(c: Connection, stage: Stage, resume: Stage): bool {
  c.resume = resume
  return next(c, NO_ALERT, stage)
}

/** finished_key of a side (section 4.4.4), to KEY. */
export function startFinishedKey(c: Connection, secret: usize, stage: Stage): bool {
  startExpandLabel(c, area(c, secret), Label.Finished, 0, 0, area(c, KEY), hashLength(c.hash))
  return next(c, NO_ALERT, stage)
}

/** verify_data over all messages so far, to EXPECTED. */
export function startVerifyData(c: Connection, stage: Stage): bool {
  startHmac(c, area(c, KEY), transcriptHash(c), hashLength(c.hash), area(c, EXPECTED))
  return next(c, NO_ALERT, stage)
}

/** The dummy ChangeCipherSpec, behind our first message, in compatibility mode (appendix D.4). */
export function queueDummy(c: Connection): void {
  if (c.sessionIdLength !== 0) queueChangeCipherSpec(c)
}

export function advanceConnected(c: Connection): bool {
  switch (c.stage) {
    case Stage.WaitFinished:
      return c.recordReady ? openRecord(c) : false
    case Stage.ApplicationReadKeys:
      return chain(c, Stage.ReadKey, Stage.Connected)
    case Stage.Connected:
      return connected(c)
    case Stage.UpdateRead:
      updateSecret(c, area(c, PEER_TRAFFIC))
      return chain(c, Stage.ReadKey, Stage.Connected)
    case Stage.UpdateWrite:
      updateSecret(c, area(c, OWN_TRAFFIC))
      return next(c, NO_ALERT, Stage.WriteKey)
    case Stage.ExportValue:
      startExpandLabel(
        c,
        area(c, KEY),
        Label.Exporter,
        area(c, TRANSCRIPT_HASH),
        hashLength(c.hash),
        c.exportOut,
        c.exportLength,
      )
      return next(c, NO_ALERT, Stage.ExportDone)
    case Stage.ExportDone:
      wipe(area(c, KEY), hashLength(c.hash))
      c.exporting = 0
      return next(c, NO_ALERT, Stage.Connected)
    case Stage.Over:
      return over(c)
    default:
      return advanceKeys(c)
  }
}

/** [sender]_write_key, [sender]_write_iv, then both are taken. */
function advanceKeys(c: Connection): bool {
  switch (c.stage) {
    case Stage.WriteKey:
      startTrafficKey(c, area(c, OWN_TRAFFIC))
      return next(c, NO_ALERT, Stage.WriteIv)
    case Stage.WriteIv:
      startTrafficIv(c, area(c, OWN_TRAFFIC), writeIv(c))
      return next(c, NO_ALERT, Stage.InstallWrite)
    case Stage.InstallWrite:
      installWrite(c)
      c.rotating = 0
      return next(c, NO_ALERT, c.resume)
    case Stage.ReadKey:
      startTrafficKey(c, area(c, PEER_TRAFFIC))
      return next(c, NO_ALERT, Stage.ReadIv)
    case Stage.ReadIv:
      startTrafficIv(c, area(c, PEER_TRAFFIC), readIv(c))
      return next(c, NO_ALERT, Stage.InstallRead)
    default: // InstallRead
      installRead(c)
      return next(c, NO_ALERT, c.resume)
  }
}

function connected(c: Connection): bool {
  if (c.state === TlsState.Handshake) {
    c.state = TlsState.Open
    c.established = 1
    c.corked = 0
    return true
  }
  if (c.rotating) return chain(c, Stage.UpdateWrite, Stage.Connected)
  if (c.state >= TlsState.Closed) return next(c, NO_ALERT, Stage.Over)
  if (c.answerUpdate && canQueue(c, 5)) {
    queueRecord(c, ContentType.Handshake, MESSAGE, putKeyUpdate(MESSAGE))
    c.answerUpdate = 0
    return true
  }
  if (c.exporting) return startExport(c)
  return c.recordReady ? openRecord(c) : false
}

/** Derive-Secret(exporter_master_secret, label, ""), the first half of section 7.5. */
function startExport(c: Connection): bool {
  const length = hashLength(c.hash)
  const label = c.exportLabel
  startExpandCustomLabel(c, area(c, EXPORTER), label, c.exportLabelLength, emptyHash(c), length, area(c, KEY), length)
  return next(c, NO_ALERT, Stage.ExportValue)
}

/** application_traffic_secret_N+1 (section 7.2). */
function updateSecret(c: Connection, secret: usize): void {
  startExpandLabel(c, secret, Label.TrafficUpdate, 0, 0, secret, hashLength(c.hash))
}

/** A slice of opening the record in the buffer, and at the end what it brings. */
export function openRecord(c: Connection): bool {
  if (!openStep(c)) return true
  let alert = judgeOpened(c)
  if (alert === NO_ALERT) {
    if (skippedRecord(c)) releaseRecord(c)
    else alert = takeRecord(c)
  }
  if (alert !== NO_ALERT) fail(c, alert)
  return true
}

/** Closed or failed: the last records still get their protection, then all secrets go. */
function over(c: Connection): bool {
  if (c.rotating) return chain(c, Stage.UpdateWrite, Stage.Over)
  if (c.wiped) return false
  wipeSecrets(c)
  return true
}
