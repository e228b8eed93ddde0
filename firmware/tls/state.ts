// Where a connection stands: what its owner sees, and the steps between.

/** What the owner of a connection sees. */
export const enum TlsState {
  /** Not yet authenticated; no application data either way. */
  Handshake = 0,
  /** Application data both ways. */
  Open = 1,
  /** The peer sent close_notify: nothing more comes, but answers may still go. */
  PeerClosed = 2,
  /** This side sent close_notify (it may still wait in the output). */
  Closed = 3,
  /** An alert was sent (it may still wait in the output) or received; nothing works any more. */
  Failed = 4,
}

/**
 * The states of RFC 8446, appendix A, cut into slices. A step begins when the work that the one before
 * started (a span to hash, a code to compute, a message to queue) is done.
 *
 *   server: START | RECVD_CH | NEGOTIATED | WAIT_FLIGHT2 and WAIT_FINISHED (one: no 0-RTT, no client certificate) | CONNECTED
 *   client: START | WAIT_SH | WAIT_EE .. WAIT_FINISHED (WaitFlight; `Expect` tells which message) | CONNECTED
 */
export const enum Stage {
  // START: these two wait for a ClientHello
  Start,
  WaitSecondHello,
  // RECVD_CH
  ReadHello,
  ReadExtension,
  Negotiate,
  HashedHello,
  DigestFold,
  DigestDone,
  RetryQueued,
  // NEGOTIATED: key exchange
  GenerateShare,
  GenerateShareStep,
  AgreeStep,
  ServerHello,
  HandshakeSecret,
  ClientHandshakeTraffic,
  ServerHandshakeTraffic,
  HandshakeWriteKeys,
  HandshakeReadKeys,
  // NEGOTIATED: the encrypted flight
  EncryptedExtensions,
  Certificate,
  CertificateVerify,
  SignatureHash,
  Sign,
  SignStep,
  FinishedKey,
  VerifyData,
  Finished,
  // NEGOTIATED: what the client must answer, and the application's secrets
  ClientFinishedKey,
  ClientVerifyData,
  DerivedSecret,
  MasterSecret,
  ClientApplicationTraffic,
  ServerApplicationTraffic,
  ExporterMaster,
  ApplicationWriteKeys,
  FlightQueued,
  // WAIT_FLIGHT2, WAIT_FINISHED
  WaitFinished,
  ApplicationReadKeys,
  // CONNECTED, on either side
  Connected,
  UpdateRead,
  UpdateWrite,
  ExportValue,
  ExportDone,
  // Traffic keys (RFC 8446, 7.3); each chain goes on at `resume`
  WriteKey,
  WriteIv,
  InstallWrite,
  ReadKey,
  ReadIv,
  InstallRead,
  // Closed or failed: only what is queued still goes out
  Over,
  // From here on the client's. START
  ClientStart,
  ClientShareStep,
  ClientHello,
  ClientHelloQueued,
  // WAIT_SH: waits for a ServerHello or a HelloRetryRequest
  WaitServerHello,
  ReadServerHello,
  HashedFirstHello,
  RetryHashed,
  // Key exchange
  HashedServerHello,
  ClientAgreeStep,
  ClientHandshakeSecret,
  ClientHandshakeTraffics,
  ServerHandshakeTraffics,
  ClientReadKeys,
  ClientWriteKeys,
  // WAIT_EE, WAIT_CERT_CR, WAIT_CERT, WAIT_CV, WAIT_FINISHED: waits for the rest of a message
  WaitFlight,
  ReadFlight,
  ChainStep,
  SignatureBegin,
  SignatureStep,
  CheckFinishedKey,
  CheckVerifyData,
  CheckFinished,
  MessageDone,
  // The client's answer and the application's secrets
  ClientFlight,
  ClientDerivedSecret,
  ClientMasterSecret,
  ClientApplicationSecret,
  ServerApplicationSecret,
  ClientExporterMaster,
  ClientCertificate,
  OwnVerifyData,
  OwnFinished,
  ClientApplicationWriteKeys,
}

/** The message of the server's flight that a client waits for. */
export const enum Expect {
  EncryptedExtensions,
  CertificateOrRequest,
  Certificate,
  CertificateVerify,
  Finished,
}
