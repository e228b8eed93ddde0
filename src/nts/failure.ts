// The ways in which asking an NTS server for the time can fail: one sentence and one exit status each.

/** Exit status of `noonmark ask`. */
export enum AskStatus {
  Ok = 0,
  /** A fault of this program. */
  Internal = 1,
  /** The command line is wrong, or a file that it names cannot be read. */
  Usage = 2,
  UnknownHost = 3,
  /** The key exchange's port refuses, does not answer, or there is no route. */
  Unreachable = 4,
  /** The handshake failed for a reason other than the certificate. */
  Tls = 5,
  /** The certificate is not trusted, not valid now, or not for this host. */
  Certificate = 6,
  /** The server did not agree to "ntske/1" (RFC 8915, section 4). */
  NoAlpn = 7,
  /** The server answered with an Error or Warning record. */
  KeyExchangeError = 8,
  /** The answer of the key exchange is malformed, incomplete or late. */
  BadKeyExchange = 9,
  /** The server took none of the AEAD algorithms offered. */
  NoCommonAead = 10,
  NoCookies = 11,
  /** No valid NTP reply in time. */
  NtpTimeout = 12,
  /** Kiss code NTSN: the server could not use the cookie (RFC 8915, section 5.7). */
  Nak = 13,
  /** A reply to our request whose authenticator is missing or wrong. */
  BadAuthenticator = 14,
  /** Another kiss code: DENY, RSTD, RATE ... (RFC 5905, section 7.4). */
  KissOfDeath = 15,
  /** The server says that it has no time to give: leap indicator 3 or stratum 16. */
  Unsynchronised = 16,
}

/** A failure that has a name. The message is a sentence for a person, without its full stop. */
export class AskFailure extends Error {
  constructor(
    readonly status: AskStatus,
    message: string,
  ) {
    super(message)
    this.name = 'AskFailure'
  }
}
