// The client's side of the handshake (RFC 8446, sections 2, 4 and appendix A.1), one step a call.
//
// As in handshake.ts a step may leave work behind that is done in slices before the next one. `advanceClient` is called
// when none of it is left. While a chain or a signature is checked, and while whole messages wait in the buffer, nothing is
// received.

import { loadU24be } from '../bytes/endian'
import { equalBytes, wipe } from '../crypto/constant_time'
import { drbgGenerate, drbgSeeded } from '../crypto/drbg'
import { hashLength } from '../crypto/hash'
import { SALT_AS_HASH, signatureBegin, signatureStep } from '../crypto/signature'
import { AlertDescription, NO_ALERT } from './alert'
import {
  Checking,
  CLIENT_MESSAGE_MAX,
  ClientState,
  chainState,
  clientState,
  NAME_MAX,
  OWN_HELLO,
  verdictPasses,
} from './client_connection'
import {
  CERTIFICATE_HEAD,
  putSignedContent,
  readCertificate,
  readCertificateRequest,
  readCertificateVerify,
  readEncryptedExtensions,
} from './client_flight'
import { HELLO_RANDOM, isHostName, putClientHello } from './client_messages'
import { isRetryRequest, readServerHello } from './client_server_hello'
import {
  advanceConnected,
  chain,
  derive,
  next,
  openRecord,
  queueDummy,
  startFinishedKey,
  startVerifyData,
} from './connected'
import {
  area,
  BUFFER,
  Connection,
  EXPECTED,
  EXPORTER,
  INFO,
  OWN_TRAFFIC,
  output,
  PEER_TRAFFIC,
  SECRET_NOW,
  SESSION_ID,
  SHARED,
} from './connection'
import { HANDSHAKE_HEADER, HandshakeType, NamedGroup, RANDOM_LENGTH, SESSION_ID_MAX, SHARED_SECRET } from './constants'
import { exchangeStep, finishAgreement, finishShare, startAgreement, startShare } from './key_exchange'
import { emptyHash, Label, startDeriveSecret, startHandshakeSecret, startMasterSecret } from './key_schedule'
import { putFinished, putNoCertificate } from './messages'
import { Expect, Stage } from './state'
import { transcriptAdd, transcriptHash, transcriptRestart, transcriptStart } from './transcript'
import { Trust, x509Begin, x509LeafKey, x509LeafKeyKind, x509LeafKeyLength, x509Step, x509Verdict } from './x509'
import { verdictAlert } from './x509_verdict'

/** The next step; false when the connection waits for bytes or for room. */
export function advanceClient(c: Connection): bool {
  if (c.stage < Stage.ClientStart) return advanceConnected(c)
  if (c.stage <= Stage.RetryHashed) return advanceHello(c)
  if (c.stage <= Stage.ClientWriteKeys) return advanceKeyExchange(c)
  if (c.stage <= Stage.MessageDone) return advanceServerFlight(c)
  return advanceOwnFlight(c)
}

// --- START, WAIT_SH --------------------------------------------------------------------------------------------------

function advanceHello(c: Connection): bool {
  switch (c.stage) {
    case Stage.ClientStart:
      return next(c, start(c), Stage.ClientShareStep)
    case Stage.ClientShareStep:
      if (!exchangeStep(c)) return true
      finishShare(c)
      return next(c, NO_ALERT, Stage.ClientHello)
    case Stage.ClientHello:
      putClientHello(c)
      if (c.retried) transcriptAdd(c, c.sendAt, c.sendLeft)
      return next(c, NO_ALERT, Stage.ClientHelloQueued)
    case Stage.ClientHelloQueued:
      // The version of the first record that old servers like best (section 5.1).
      if (!c.retried) store<u8>(output(c) + 2, 1)
      c.filled = 0
      return next(c, NO_ALERT, Stage.WaitServerHello)
    case Stage.ReadServerHello:
      return serverHello(c)
    case Stage.HashedFirstHello:
      return hashedFirstHello(c)
    case Stage.RetryHashed:
      return retry(c)
    default: // WaitServerHello
      return false
  }
}

/** What stays the same in a second ClientHello, and our share of X25519. */
function start(c: Connection): u32 {
  const state = clientState(c)
  const trust = changetype<Trust>(state.trust)
  if (!drbgSeeded() || trust.nameLength > NAME_MAX) return AlertDescription.InternalError
  state.named = isHostName(trust.name, trust.nameLength) ? 1 : 0
  // A random session id, as in TLS 1.2: middlebox compatibility mode (appendix D.4).
  drbgGenerate(area(c, SESSION_ID), SESSION_ID_MAX)
  c.sessionIdLength = SESSION_ID_MAX
  drbgGenerate(area(c, BUFFER) + HELLO_RANDOM, RANDOM_LENGTH)
  c.group = NamedGroup.X25519
  return startShare(c) ? NO_ALERT : AlertDescription.InternalError
}

/** The hash is known now: our first ClientHello, which is still in the buffer, begins the transcript. */
function serverHello(c: Connection): bool {
  const alert = readServerHello(c)
  if (alert !== NO_ALERT) return next(c, alert, Stage.Over)
  if (!c.retried) {
    transcriptStart(c)
    transcriptAdd(c, area(c, BUFFER) + OWN_HELLO, clientState(c).helloLength)
  }
  return next(c, NO_ALERT, Stage.HashedFirstHello)
}

function hashedFirstHello(c: Connection): bool {
  const again = isRetryRequest(c)
  if (again) transcriptRestart(c)
  transcriptAdd(c, area(c, BUFFER), c.filled)
  return next(c, NO_ALERT, again ? Stage.RetryHashed : Stage.HashedServerHello)
}

/** Section 4.1.4: a second ClientHello with the share or the cookie that was asked for. */
function retry(c: Connection): bool {
  c.retried = 1
  queueDummy(c)
  const wanted = clientState(c).wantedGroup
  if (wanted === 0) return next(c, NO_ALERT, Stage.ClientHello)
  c.group = wanted
  return next(c, startShare(c) ? NO_ALERT : AlertDescription.InternalError, Stage.ClientShareStep)
}

// --- Key exchange ----------------------------------------------------------------------------------------------------

function advanceKeyExchange(c: Connection): bool {
  switch (c.stage) {
    case Stage.HashedServerHello:
      // The rest of our handshake leaves in one run, with what the owner writes once the connection is open.
      c.corked = 1
      if (!c.retried) queueDummy(c)
      return next(c, startAgreement(c) ? NO_ALERT : AlertDescription.IllegalParameter, Stage.ClientAgreeStep)
    case Stage.ClientAgreeStep:
      if (!exchangeStep(c)) return true
      return next(c, finishAgreement(c) ? NO_ALERT : AlertDescription.IllegalParameter, Stage.ClientHandshakeSecret)
    case Stage.ClientHandshakeSecret:
      startHandshakeSecret(c, area(c, SHARED), SHARED_SECRET, area(c, SECRET_NOW))
      return next(c, NO_ALERT, Stage.ClientHandshakeTraffics)
    case Stage.ClientHandshakeTraffics:
      wipe(area(c, SHARED), SHARED_SECRET)
      transcriptHash(c)
      return derive(c, Label.ClientHandshakeTraffic, OWN_TRAFFIC, Stage.ServerHandshakeTraffics)
    case Stage.ServerHandshakeTraffics:
      return derive(c, Label.ServerHandshakeTraffic, PEER_TRAFFIC, Stage.ClientReadKeys)
    case Stage.ClientReadKeys:
      return chain(c, Stage.ReadKey, Stage.ClientWriteKeys)
    default: // ClientWriteKeys
      c.filled = 0
      return chain(c, Stage.WriteKey, Stage.WaitFlight)
  }
}

// --- WAIT_EE, WAIT_CERT_CR, WAIT_CERT, WAIT_CV, WAIT_FINISHED --------------------------------------------------------

function advanceServerFlight(c: Connection): bool {
  switch (c.stage) {
    case Stage.WaitFlight:
      return c.recordReady ? openRecord(c) : false
    case Stage.ReadFlight:
      return readFlight(c)
    case Stage.ChainStep:
      return chainStep(c)
    case Stage.SignatureBegin:
      return signature(c)
    case Stage.SignatureStep:
      return judgeSignature(c)
    case Stage.CheckFinishedKey:
      return startFinishedKey(c, PEER_TRAFFIC, Stage.CheckVerifyData)
    case Stage.CheckVerifyData:
      return startVerifyData(c, Stage.CheckFinished)
    case Stage.CheckFinished:
      return checkFinished(c)
    default: // MessageDone
      return messageDone(c)
  }
}

/** Looks at the first message in the buffer. A message is judged by its type and length as soon as they are there. */
function readFlight(c: Connection): bool {
  const state = clientState(c)
  const message = area(c, BUFFER) + state.messageAt
  const there = c.messageFilled - state.messageAt
  if (there === 0) return awaitRecord(c)
  const type = <u32>load<u8>(message)
  if (!isExpected(type, state.expect)) return next(c, AlertDescription.UnexpectedMessage, Stage.Over)
  if (there < HANDSHAKE_HEADER) return awaitRecord(c)
  const body = loadU24be(message + 1)
  if (body > CLIENT_MESSAGE_MAX - HANDSHAKE_HEADER) return next(c, AlertDescription.IllegalParameter, Stage.Over)
  if (there < HANDSHAKE_HEADER + body) return awaitRecord(c)
  state.messageLength = HANDSHAKE_HEADER + body
  c.idleRecords = 0
  return readMessage(c, state, type, message + HANDSHAKE_HEADER, body)
}

/** Moves what is left to the front; the next record comes behind it. */
function awaitRecord(c: Connection): bool {
  const state = clientState(c)
  const buffer = area(c, BUFFER)
  c.messageFilled -= state.messageAt
  memory.copy(buffer, buffer + state.messageAt, c.messageFilled)
  state.messageAt = 0
  c.recordAt = (c.messageFilled + 7) & ~7
  return next(c, NO_ALERT, Stage.WaitFlight)
}

function isExpected(type: u32, expect: u32): bool {
  switch (expect) {
    case Expect.EncryptedExtensions:
      return type === HandshakeType.EncryptedExtensions
    case Expect.CertificateOrRequest:
      return type === HandshakeType.Certificate || type === HandshakeType.CertificateRequest
    case Expect.Certificate:
      return type === HandshakeType.Certificate
    case Expect.CertificateVerify:
      return type === HandshakeType.CertificateVerify
    default: // Finished
      return type === HandshakeType.Finished
  }
}

function readMessage(c: Connection, state: ClientState, type: u32, body: usize, length: u32): bool {
  switch (type) {
    case HandshakeType.EncryptedExtensions:
      state.expect = Expect.CertificateOrRequest
      return hashMessage(c, readEncryptedExtensions(c, body, length))
    case HandshakeType.CertificateRequest:
      state.expect = Expect.Certificate
      state.certificateRequested = 1
      return hashMessage(c, readCertificateRequest(body, length))
    case HandshakeType.Certificate:
      state.expect = Expect.CertificateVerify
      return certificate(c, readCertificate(body, length), body + CERTIFICATE_HEAD, length - CERTIFICATE_HEAD)
    case HandshakeType.CertificateVerify: {
      state.expect = Expect.Finished
      const alert = readCertificateVerify(c, body, length, x509LeafKeyKind(chainState(c)))
      return next(c, alert, Stage.SignatureBegin)
    }
    default: {
      // Finished: our read key changes behind it, so it must end its record (section 5.1)
      if (c.messageFilled !== state.messageAt + state.messageLength) {
        return next(c, AlertDescription.UnexpectedMessage, Stage.Over)
      }
      return next(c, length === hashLength(c.hash) ? NO_ALERT : AlertDescription.DecodeError, Stage.CheckFinishedKey)
    }
  }
}

/** Puts the message into the transcript, unless it deserves an alert. */
function hashMessage(c: Connection, alert: u32): bool {
  const state = clientState(c)
  if (alert === NO_ALERT) transcriptAdd(c, area(c, BUFFER) + state.messageAt, state.messageLength)
  return next(c, alert, Stage.MessageDone)
}

function messageDone(c: Connection): bool {
  const state = clientState(c)
  state.messageAt += state.messageLength
  return next(c, NO_ALERT, Stage.ReadFlight)
}

function certificate(c: Connection, alert: u32, list: usize, length: u32): bool {
  if (alert !== NO_ALERT) return next(c, alert, Stage.Over)
  const state = clientState(c)
  x509Begin(chainState(c), list, length, changetype<Trust>(state.trust))
  state.checking = Checking.Chain
  return next(c, NO_ALERT, Stage.ChainStep)
}

function chainStep(c: Connection): bool {
  if (!x509Step(chainState(c))) return true
  const state = clientState(c)
  const verdict = x509Verdict(chainState(c))
  state.checking = Checking.Nothing
  state.verdict = verdict
  return hashMessage(c, verdictPasses(state.dates, verdict) ? NO_ALERT : verdictAlert(verdict))
}

/** Section 4.4.3: over all messages up to Certificate. */
function signature(c: Connection): bool {
  const state = clientState(c)
  const content = area(c, INFO)
  const length = putSignedContent(c, transcriptHash(c))
  const key = x509LeafKey(chainState(c))
  const keyLength = x509LeafKeyLength(chainState(c))
  const at = state.signature
  if (!signatureBegin(state.scheme, key, keyLength, content, length, at, state.signatureLength, SALT_AS_HASH)) {
    return false // the machine is busy; only another connection could be the reason
  }
  state.checking = Checking.Signature
  return next(c, NO_ALERT, Stage.SignatureStep)
}

function judgeSignature(c: Connection): bool {
  const verdict = signatureStep()
  if (verdict === 0) return true
  clientState(c).checking = Checking.Nothing
  return hashMessage(c, verdict > 0 ? NO_ALERT : AlertDescription.DecryptError)
}

/** Section 4.4.4. */
function checkFinished(c: Connection): bool {
  const state = clientState(c)
  const message = area(c, BUFFER) + state.messageAt
  if (!equalBytes(message + HANDSHAKE_HEADER, area(c, EXPECTED), hashLength(c.hash))) {
    return next(c, AlertDescription.DecryptError, Stage.Over)
  }
  transcriptAdd(c, message, state.messageLength)
  return next(c, NO_ALERT, Stage.ClientFlight)
}

// --- Our answer, the application's secrets ---------------------------------------------------------------------------

function advanceOwnFlight(c: Connection): bool {
  switch (c.stage) {
    case Stage.ClientFlight:
      c.messageFilled = 0
      c.recordAt = 0
      transcriptHash(c)
      // Our finished_key stays in KEY while the secrets that it came from are replaced.
      return startFinishedKey(c, OWN_TRAFFIC, Stage.ClientDerivedSecret)
    case Stage.ClientDerivedSecret:
      startDeriveSecret(c, area(c, SECRET_NOW), Label.Derived, emptyHash(c), area(c, SECRET_NOW))
      return next(c, NO_ALERT, Stage.ClientMasterSecret)
    case Stage.ClientMasterSecret:
      startMasterSecret(c, area(c, SECRET_NOW), area(c, SECRET_NOW))
      return next(c, NO_ALERT, Stage.ClientApplicationSecret)
    case Stage.ClientApplicationSecret:
      return derive(c, Label.ClientApplicationTraffic, OWN_TRAFFIC, Stage.ServerApplicationSecret)
    case Stage.ServerApplicationSecret:
      return derive(c, Label.ServerApplicationTraffic, PEER_TRAFFIC, Stage.ClientExporterMaster)
    case Stage.ClientExporterMaster:
      return derive(c, Label.ExporterMaster, EXPORTER, Stage.ClientCertificate)
    case Stage.ClientCertificate:
      wipe(area(c, SECRET_NOW), hashLength(c.hash))
      if (clientState(c).certificateRequested) putNoCertificate(c)
      return next(c, NO_ALERT, Stage.OwnVerifyData)
    case Stage.OwnVerifyData:
      return startVerifyData(c, Stage.OwnFinished)
    case Stage.OwnFinished:
      putFinished(c, area(c, EXPECTED))
      return next(c, NO_ALERT, Stage.ClientApplicationWriteKeys)
    default: // ClientApplicationWriteKeys
      c.filled = 0
      return chain(c, Stage.WriteKey, Stage.ApplicationReadKeys)
  }
}
