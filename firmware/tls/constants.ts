// The registries of TLS 1.3 (RFC 8446, section 4 and appendix B), as far as server and client use them.

export const enum ContentType {
  ChangeCipherSpec = 20,
  Alert = 21,
  Handshake = 22,
  ApplicationData = 23,
}

export const enum HandshakeType {
  ClientHello = 1,
  ServerHello = 2,
  NewSessionTicket = 4,
  EncryptedExtensions = 8,
  Certificate = 11,
  CertificateRequest = 13,
  CertificateVerify = 15,
  Finished = 20,
  KeyUpdate = 24,
  MessageHash = 254,
}

export const enum ExtensionType {
  /** RFC 6066, section 3 */
  ServerName = 0,
  /** RFC 6066, section 4 */
  MaxFragmentLength = 1,
  /** RFC 6066, section 8 */
  StatusRequest = 5,
  SupportedGroups = 10,
  SignatureAlgorithms = 13,
  /** RFC 7301 */
  ApplicationLayerProtocolNegotiation = 16,
  /** RFC 6962 */
  SignedCertificateTimestamp = 18,
  /** RFC 7685 */
  Padding = 21,
  /** RFC 8449 */
  RecordSizeLimit = 28,
  PreSharedKey = 41,
  EarlyData = 42,
  SupportedVersions = 43,
  Cookie = 44,
  PskKeyExchangeModes = 45,
  KeyShare = 51,
}

export const enum CipherSuite {
  Aes128GcmSha256 = 0x1301,
  Aes256GcmSha384 = 0x1302,
  ChaCha20Poly1305Sha256 = 0x1303,
}

export const enum NamedGroup {
  None = 0,
  Secp256r1 = 23,
  X25519 = 29,
}

export const enum KeyUpdateRequest {
  NotRequested = 0,
  Requested = 1,
}

export const TLS_1_2: u32 = 0x0303
export const TLS_1_3: u32 = 0x0304
export const SSL_3_0: u32 = 0x0300
export const ECDSA_SECP256R1_SHA256: u32 = 0x0403

export const RECORD_HEADER: u32 = 5
export const HANDSHAKE_HEADER: u32 = 4
export const RANDOM_LENGTH: u32 = 32
export const SESSION_ID_MAX: u32 = 32
export const X25519_SHARE: u32 = 32
/** An uncompressed point: 4 | x(32) | y(32). */
export const SECP256R1_SHARE: u32 = 65
export const SHARED_SECRET: u32 = 32
export const IV_LENGTH: u32 = 12

/** The longest TLSPlaintext.fragment (RFC 8446, section 5.1) ... */
export const PLAINTEXT_MAX: u32 = 16384
/** ... and the longest TLSCiphertext.encrypted_record (section 5.2). */
export const CIPHERTEXT_MAX: u32 = 16384 + 256
