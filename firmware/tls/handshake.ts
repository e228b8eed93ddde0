// The server's side of the handshake (RFC 8446, sections 2, 4 and appendix A.2), one step a call.
//
// A step may leave work behind that is done in slices before the next one: a computation of the key schedule, a span to
// hash, a message to queue, a record to protect. `advance` is called when none of it is left.

import { loadU16be } from '../bytes/endian'
import { equalBytes, wipe } from '../crypto/constant_time'
import { drbgGenerate, drbgSeeded } from '../crypto/drbg'
import { ECDSA_P256_SIZE, ecdsaSignFinish, ecdsaSignStart, ecdsaSignStep } from '../crypto/ecdsa_p256'
import { hashLength } from '../crypto/hash'
import { AlertDescription, NO_ALERT } from './alert'
import { lacksShare, negotiate, peerContentLimit, readExtension, readHello, seekFixedExtension } from './client_hello'
import {
  area,
  BUFFER,
  CLIENT_TRAFFIC,
  Connection,
  EXPECTED,
  EXPORTER,
  HELLO_DIGEST,
  KEY,
  OUTPUT,
  SECRET_NOW,
  SERVER_TRAFFIC,
  SESSION_ID,
  SHARED,
  TRANSCRIPT_HASH,
} from './connection'
import { ContentType, HANDSHAKE_HEADER, SHARED_SECRET } from './constants'
import { exchangeStep, finishAgreement, finishShare, startAgreement, startShare } from './key_exchange'
import {
  emptyHash,
  Label,
  startDeriveSecret,
  startExpandCustomLabel,
  startExpandLabel,
  startHandshakeSecret,
  startHmac,
  startMasterSecret,
} from './key_schedule'
import {
  putCertificate,
  putCertificateVerify,
  putEncryptedExtensions,
  putFinished,
  putHelloRetryRequest,
  putKeyUpdate,
  putServerHello,
  serverSignatureHash,
} from './messages'
import { takeRecord } from './received'
import { judgeOpened, openStep, releaseRecord, skippedRecord } from './record_in'
import { canQueue, queueAlert, queueChangeCipherSpec, queueRecord } from './record_out'
import { Stage, TlsState } from './state'
import { installRead, installWrite, readIv, startTrafficIv, startTrafficKey, writeIv } from './suite'
import { digestSpan, spanDigest, transcriptAdd, transcriptHash, transcriptRestart, transcriptStart } from './transcript'

/** A digest, a signature, fresh randomness, a short message: never longer than one step. */
const SCRATCH: usize = memory.data(64, 8)

/** The next step; false when the connection waits for bytes or for room. */
export function advance(c: Connection): bool {
  if (c.stage <= Stage.RetryQueued) return advanceHello(c)
  if (c.stage <= Stage.HandshakeReadKeys) return advanceKeyExchange(c)
  if (c.stage <= Stage.Finished) return advanceFlight(c)
  if (c.stage <= Stage.FlightQueued) return advanceSecrets(c)
  return advanceConnected(c)
}

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
  wipe(area(c, SESSION_ID), <u32>(OUTPUT - SESSION_ID))
  c.inputLength = 0
  c.wiped = 1
}

/** Goes on at `stage`, or fails with the alert. */
function next(c: Connection, alert: u32, stage: Stage): bool {
  if (alert === NO_ALERT) c.stage = stage
  else fail(c, alert)
  return true
}

// --- START, RECVD_CH -------------------------------------------------------------------------------------------------

function advanceHello(c: Connection): bool {
  switch (c.stage) {
    case Stage.ReadHello:
      return next(c, drbgSeeded() ? readHello(c) : AlertDescription.InternalError, Stage.ReadExtension)
    case Stage.ReadExtension:
      if (c.cursor === c.end) return next(c, NO_ALERT, Stage.Negotiate)
      return next(c, readExtension(c), Stage.ReadExtension)
    case Stage.Negotiate:
      return negotiated(c, negotiate(c))
    case Stage.HashedHello:
      return hashedHello(c)
    case Stage.DigestFold:
      return digestFold(c)
    case Stage.DigestDone:
      return digestDone(c)
    case Stage.RetryQueued:
      queueDummy(c)
      c.filled = 0
      return next(c, NO_ALERT, Stage.WaitSecondHello)
    default: // Start, WaitSecondHello
      return false
  }
}

function negotiated(c: Connection, alert: u32): bool {
  if (alert !== NO_ALERT) return next(c, alert, Stage.Over)
  if (!c.retried) transcriptStart(c)
  transcriptAdd(c, area(c, BUFFER), c.filled)
  return next(c, NO_ALERT, Stage.HashedHello)
}

function hashedHello(c: Connection): bool {
  if (!c.retried && !lacksShare(c)) return next(c, NO_ALERT, Stage.GenerateShare)
  // What a second ClientHello must repeat (section 4.1.2): first all before the extensions, then each of them.
  wipe(area(c, KEY), 32)
  const fixed = area(c, BUFFER) + HANDSHAKE_HEADER
  digestSpan(c, fixed, c.extensions - 2 - HANDSHAKE_HEADER)
  c.cursor = c.extensions
  return next(c, NO_ALERT, Stage.DigestFold)
}

/**
 * The digest of a ClientHello is the exclusive or of its parts' digests: the parts must be the same, their order may
 * differ. RFC 8446 wants the order kept too, but GnuTLS from 3.8.6 on shuffles anew; the transcript covers it anyway.
 */
function digestFold(c: Connection): bool {
  spanDigest(c, SCRATCH)
  const sum = area(c, KEY)
  for (let i: usize = 0; i < 32; i++) store<u8>(sum + i, load<u8>(sum + i) ^ load<u8>(SCRATCH + i))
  if (!seekFixedExtension(c)) return next(c, NO_ALERT, Stage.DigestDone)
  const extension = area(c, BUFFER) + c.cursor
  const length = 4 + loadU16be(extension + 2)
  digestSpan(c, extension, length)
  c.cursor += length
  return true
}

function digestDone(c: Connection): bool {
  if (c.retried) {
    const same = equalBytes(area(c, KEY), area(c, HELLO_DIGEST), 32)
    return next(c, same ? NO_ALERT : AlertDescription.IllegalParameter, Stage.GenerateShare)
  }
  memory.copy(area(c, HELLO_DIGEST), area(c, KEY), 32)
  transcriptRestart(c)
  putHelloRetryRequest(c)
  c.retried = 1
  return next(c, NO_ALERT, Stage.RetryQueued)
}

/** The dummy ChangeCipherSpec, behind our first message, for a client in compatibility mode (appendix D.4). */
function queueDummy(c: Connection): void {
  if (c.sessionIdLength !== 0) queueChangeCipherSpec(c)
}

// --- NEGOTIATED: key exchange ----------------------------------------------------------------------------------------

function advanceKeyExchange(c: Connection): bool {
  switch (c.stage) {
    case Stage.GenerateShare:
      return next(c, startShare(c) ? NO_ALERT : AlertDescription.InternalError, Stage.GenerateShareStep)
    case Stage.GenerateShareStep:
      if (!exchangeStep(c)) return true
      finishShare(c)
      return next(c, startAgreement(c) ? NO_ALERT : AlertDescription.IllegalParameter, Stage.AgreeStep)
    case Stage.AgreeStep:
      if (!exchangeStep(c)) return true
      return next(c, finishAgreement(c) ? NO_ALERT : AlertDescription.IllegalParameter, Stage.ServerHello)
    case Stage.ServerHello:
      c.corked = 1
      putServerHello(c)
      return next(c, NO_ALERT, Stage.HandshakeSecret)
    case Stage.HandshakeSecret:
      if (!c.retried) queueDummy(c)
      startHandshakeSecret(c, area(c, SHARED), SHARED_SECRET, area(c, SECRET_NOW))
      return next(c, NO_ALERT, Stage.ClientHandshakeTraffic)
    case Stage.ClientHandshakeTraffic:
      wipe(area(c, SHARED), SHARED_SECRET)
      transcriptHash(c)
      return derive(c, Label.ClientHandshakeTraffic, CLIENT_TRAFFIC, Stage.ServerHandshakeTraffic)
    case Stage.ServerHandshakeTraffic:
      return derive(c, Label.ServerHandshakeTraffic, SERVER_TRAFFIC, Stage.HandshakeWriteKeys)
    case Stage.HandshakeWriteKeys:
      c.contentLimit = peerContentLimit(c)
      return chain(c, Stage.WriteKey, Stage.HandshakeReadKeys)
    default: // HandshakeReadKeys
      return chain(c, Stage.ReadKey, Stage.EncryptedExtensions)
  }
}

/** Derive-Secret of the current secret with the transcript hash last taken. */
function derive(c: Connection, label: Label, out: usize, stage: Stage): bool {
  startDeriveSecret(c, area(c, SECRET_NOW), label, area(c, TRANSCRIPT_HASH), area(c, out))
  return next(c, NO_ALERT, stage)
}

/** Goes through a chain of traffic keys, then on at `resume`. */
function chain(c: Connection, stage: Stage, resume: Stage): bool {
  c.resume = resume
  return next(c, NO_ALERT, stage)
}

// --- NEGOTIATED: the encrypted flight --------------------------------------------------------------------------------

function advanceFlight(c: Connection): bool {
  switch (c.stage) {
    case Stage.EncryptedExtensions:
      putEncryptedExtensions(c)
      return next(c, NO_ALERT, Stage.Certificate)
    case Stage.Certificate:
      return next(c, putCertificate(c) ? NO_ALERT : AlertDescription.InternalError, Stage.CertificateVerify)
    case Stage.CertificateVerify:
      transcriptHash(c)
      return next(c, NO_ALERT, Stage.SignatureHash)
    case Stage.SignatureHash:
      serverSignatureHash(area(c, TRANSCRIPT_HASH), c.hash, area(c, KEY))
      return next(c, NO_ALERT, Stage.Sign)
    case Stage.Sign:
      drbgGenerate(SCRATCH, 32)
      if (!ecdsaSignStart(area(c, BUFFER), c.credentials, area(c, KEY), 32, SCRATCH)) {
        return next(c, AlertDescription.InternalError, Stage.Over)
      }
      return next(c, NO_ALERT, Stage.SignStep)
    case Stage.SignStep:
      if (!ecdsaSignStep(area(c, BUFFER))) return true
      ecdsaSignFinish(area(c, BUFFER), SCRATCH)
      wipe(area(c, BUFFER), <u32>ECDSA_P256_SIZE)
      putCertificateVerify(c, SCRATCH)
      return next(c, NO_ALERT, Stage.FinishedKey)
    case Stage.FinishedKey:
      return startFinishedKey(c, SERVER_TRAFFIC, Stage.VerifyData)
    case Stage.VerifyData:
      return startVerifyData(c, Stage.Finished)
    default: // Finished
      putFinished(c, area(c, EXPECTED))
      return next(c, NO_ALERT, Stage.ClientFinishedKey)
  }
}

/** finished_key of a side (section 4.4.4), to KEY. */
function startFinishedKey(c: Connection, secret: usize, stage: Stage): bool {
  startExpandLabel(c, area(c, secret), Label.Finished, 0, 0, area(c, KEY), hashLength(c.hash))
  return next(c, NO_ALERT, stage)
}

/** verify_data over all messages so far, to EXPECTED. */
function startVerifyData(c: Connection, stage: Stage): bool {
  startHmac(c, area(c, KEY), transcriptHash(c), hashLength(c.hash), area(c, EXPECTED))
  return next(c, NO_ALERT, stage)
}

// --- NEGOTIATED: the client's Finished, the application's secrets ----------------------------------------------------

function advanceSecrets(c: Connection): bool {
  switch (c.stage) {
    case Stage.ClientFinishedKey:
      return startFinishedKey(c, CLIENT_TRAFFIC, Stage.ClientVerifyData)
    case Stage.ClientVerifyData:
      return startVerifyData(c, Stage.DerivedSecret)
    case Stage.DerivedSecret:
      startDeriveSecret(c, area(c, SECRET_NOW), Label.Derived, emptyHash(c), area(c, SECRET_NOW))
      return next(c, NO_ALERT, Stage.MasterSecret)
    case Stage.MasterSecret:
      startMasterSecret(c, area(c, SECRET_NOW), area(c, SECRET_NOW))
      return next(c, NO_ALERT, Stage.ClientApplicationTraffic)
    case Stage.ClientApplicationTraffic:
      return derive(c, Label.ClientApplicationTraffic, CLIENT_TRAFFIC, Stage.ServerApplicationTraffic)
    case Stage.ServerApplicationTraffic:
      return derive(c, Label.ServerApplicationTraffic, SERVER_TRAFFIC, Stage.ExporterMaster)
    case Stage.ExporterMaster:
      return derive(c, Label.ExporterMaster, EXPORTER, Stage.ApplicationWriteKeys)
    case Stage.ApplicationWriteKeys:
      wipe(area(c, SECRET_NOW), hashLength(c.hash))
      return chain(c, Stage.WriteKey, Stage.FlightQueued)
    default: // FlightQueued
      c.corked = 0
      c.filled = 0
      return next(c, NO_ALERT, Stage.WaitFinished)
  }
}

// --- WAIT_FINISHED, CONNECTED, traffic keys --------------------------------------------------------------------------

function advanceConnected(c: Connection): bool {
  switch (c.stage) {
    case Stage.WaitFinished:
      return c.recordReady ? openRecord(c) : false
    case Stage.ApplicationReadKeys:
      return chain(c, Stage.ReadKey, Stage.Connected)
    case Stage.Connected:
      return connected(c)
    case Stage.UpdateRead:
      updateSecret(c, area(c, CLIENT_TRAFFIC))
      return chain(c, Stage.ReadKey, Stage.Connected)
    case Stage.UpdateWrite:
      updateSecret(c, area(c, SERVER_TRAFFIC))
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
      startTrafficKey(c, area(c, SERVER_TRAFFIC))
      return next(c, NO_ALERT, Stage.WriteIv)
    case Stage.WriteIv:
      startTrafficIv(c, area(c, SERVER_TRAFFIC), writeIv(c))
      return next(c, NO_ALERT, Stage.InstallWrite)
    case Stage.InstallWrite:
      installWrite(c)
      c.rotating = 0
      return next(c, NO_ALERT, c.resume)
    case Stage.ReadKey:
      startTrafficKey(c, area(c, CLIENT_TRAFFIC))
      return next(c, NO_ALERT, Stage.ReadIv)
    case Stage.ReadIv:
      startTrafficIv(c, area(c, CLIENT_TRAFFIC), readIv(c))
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
    return true
  }
  if (c.rotating) return chain(c, Stage.UpdateWrite, Stage.Connected)
  if (c.state >= TlsState.Closed) return next(c, NO_ALERT, Stage.Over)
  if (c.answerUpdate && canQueue(c, 5)) {
    queueRecord(c, ContentType.Handshake, SCRATCH, putKeyUpdate(SCRATCH))
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
function openRecord(c: Connection): bool {
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
