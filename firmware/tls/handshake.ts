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
import { advanceConnected, chain, derive, next, queueDummy, startFinishedKey, startVerifyData } from './connected'
import {
  area,
  BUFFER,
  Connection,
  EXPECTED,
  EXPORTER,
  HELLO_DIGEST,
  KEY,
  OWN_TRAFFIC,
  PEER_TRAFFIC,
  SECRET_NOW,
  SHARED,
  TRANSCRIPT_HASH,
} from './connection'
import { HANDSHAKE_HEADER, SHARED_SECRET } from './constants'
import { exchangeStep, finishAgreement, finishShare, startAgreement, startShare } from './key_exchange'
import { emptyHash, Label, startDeriveSecret, startHandshakeSecret, startMasterSecret } from './key_schedule'
import {
  putCertificate,
  putCertificateVerify,
  putEncryptedExtensions,
  putFinished,
  putHelloRetryRequest,
  putServerHello,
  serverSignatureHash,
} from './messages'
import { Stage } from './state'
import { digestSpan, spanDigest, transcriptAdd, transcriptHash, transcriptRestart, transcriptStart } from './transcript'

/** A digest, a signature, fresh randomness: never longer than one step. */
const SCRATCH: usize = memory.data(64, 8)

/** The next step; false when the connection waits for bytes or for room. */
export function advance(c: Connection): bool {
  if (c.stage <= Stage.RetryQueued) return advanceHello(c)
  if (c.stage <= Stage.HandshakeReadKeys) return advanceKeyExchange(c)
  if (c.stage <= Stage.Finished) return advanceFlight(c)
  if (c.stage <= Stage.FlightQueued) return advanceSecrets(c)
  return advanceConnected(c)
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
      return derive(c, Label.ClientHandshakeTraffic, PEER_TRAFFIC, Stage.ServerHandshakeTraffic)
    case Stage.ServerHandshakeTraffic:
      return derive(c, Label.ServerHandshakeTraffic, OWN_TRAFFIC, Stage.HandshakeWriteKeys)
    case Stage.HandshakeWriteKeys:
      c.contentLimit = peerContentLimit(c)
      return chain(c, Stage.WriteKey, Stage.HandshakeReadKeys)
    default: // HandshakeReadKeys
      return chain(c, Stage.ReadKey, Stage.EncryptedExtensions)
  }
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
      return startFinishedKey(c, OWN_TRAFFIC, Stage.VerifyData)
    case Stage.VerifyData:
      return startVerifyData(c, Stage.Finished)
    default: // Finished
      putFinished(c, area(c, EXPECTED))
      return next(c, NO_ALERT, Stage.ClientFinishedKey)
  }
}

// --- NEGOTIATED: the client's Finished, the application's secrets ----------------------------------------------------

function advanceSecrets(c: Connection): bool {
  switch (c.stage) {
    case Stage.ClientFinishedKey:
      return startFinishedKey(c, PEER_TRAFFIC, Stage.ClientVerifyData)
    case Stage.ClientVerifyData:
      return startVerifyData(c, Stage.DerivedSecret)
    case Stage.DerivedSecret:
      startDeriveSecret(c, area(c, SECRET_NOW), Label.Derived, emptyHash(c), area(c, SECRET_NOW))
      return next(c, NO_ALERT, Stage.MasterSecret)
    case Stage.MasterSecret:
      startMasterSecret(c, area(c, SECRET_NOW), area(c, SECRET_NOW))
      return next(c, NO_ALERT, Stage.ClientApplicationTraffic)
    case Stage.ClientApplicationTraffic:
      return derive(c, Label.ClientApplicationTraffic, PEER_TRAFFIC, Stage.ServerApplicationTraffic)
    case Stage.ServerApplicationTraffic:
      return derive(c, Label.ServerApplicationTraffic, OWN_TRAFFIC, Stage.ExporterMaster)
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
