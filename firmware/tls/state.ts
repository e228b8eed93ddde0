// Where a connection stands: what its owner sees, and the steps between.

/** What the owner of a connection sees. */
export const enum TlsState {
  /** Not yet authenticated; no application data either way. */
  Handshake = 0,
  /** Application data both ways. */
  Open = 1,
  /** The client sent close_notify: nothing more comes, but answers may still go. */
  PeerClosed = 2,
  /** This side sent close_notify (it may still wait in the output). */
  Closed = 3,
  /** An alert was sent (it may still wait in the output) or received; nothing works any more. */
  Failed = 4,
}

/**
 * The server's states of RFC 8446, appendix A.2, cut into slices. A step begins when the work that the one before
 * started (a span to hash, a code to compute, a message to queue) is done.
 *
 *   START | RECVD_CH | NEGOTIATED | WAIT_FLIGHT2 and WAIT_FINISHED (one: no 0-RTT, no client certificate) | CONNECTED
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
  // CONNECTED
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
}
