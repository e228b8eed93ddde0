// What a server proves its name with.

/**
 * A P-256 key and the certificates that go with it. The owner keeps both unchanged while a handshake runs.
 *
 *   key(32) | certificates address(4) | certificatesLength(4)          TLS_CREDENTIALS_SIZE bytes, 8-aligned
 *
 * The certificates are the list of RFC 8446, section 4.4.2, without extensions: for each, its length as three bytes,
 * big-endian, and its DER; the server's own first, then each that certifies the one before. At most CERTIFICATES_MAX
 * bytes in all.
 */
@unmanaged
export class TlsCredentials {
  /** The private scalar, big-endian. */
  key0: u64
  key1: u64
  key2: u64
  key3: u64
  certificates: usize
  certificatesLength: u32
}

/** Bytes of a `TlsCredentials`. */
export const TLS_CREDENTIALS_SIZE: u32 = 40
