// TLS alerts (RFC 8446, section 6). A function that judges a peer's bytes returns the alert that they deserve.

export const enum AlertDescription {
  CloseNotify = 0,
  UnexpectedMessage = 10,
  BadRecordMac = 20,
  RecordOverflow = 22,
  HandshakeFailure = 40,
  BadCertificate = 42,
  UnsupportedCertificate = 43,
  CertificateRevoked = 44,
  CertificateExpired = 45,
  CertificateUnknown = 46,
  IllegalParameter = 47,
  UnknownCa = 48,
  DecodeError = 50,
  DecryptError = 51,
  ProtocolVersion = 70,
  InternalError = 80,
  UserCanceled = 90,
  MissingExtension = 109,
  UnsupportedExtension = 110,
  NoApplicationProtocol = 120,
}

export const enum AlertLevel {
  Warning = 1,
  Fatal = 2,
}

/** Returned where no alert is due. It is close_notify's number, and close_notify is never a verdict. */
export const NO_ALERT: u32 = 0

/** `tlsAlert` sets this bit above the description of an alert that was sent ... */
export const ALERT_SENT: u32 = 0x100
/** ... and this one above the description of an alert that was received. 0 is no alert at all. */
export const ALERT_RECEIVED: u32 = 0x200
