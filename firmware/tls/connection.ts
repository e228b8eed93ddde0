// The memory of one connection. The caller owns it, 8-aligned; everything is inside. A server's (TLS_CONNECTION_SIZE bytes):
//
//   Connection | contexts and secrets | buffer(BUFFER_SIZE) | output(OUTPUT_SIZE)
//
// The buffer holds one thing at a time: the ClientHello, then the state of a public-key operation or an outgoing
// message in clear, then a protected record and, opened in place, its application data. While it is taken, `tlsReceive`
// takes no bytes; that is the whole flow control. A client's buffer and output have other sizes (client_connection.ts).

import { AEAD_CONTEXT_SIZE } from '../crypto/aead'
import { AEAD_STEPS_SIZE } from '../crypto/aead_steps'
import { HASH_CONTEXT_SIZE, Hash } from '../crypto/hash'
import { Stage, TlsState } from './state'

@unmanaged
export class Connection {
  /** Sequence numbers of the next record (RFC 8446, section 5.3). */
  readSequence: u64
  writeSequence: u64

  /** 1 on the client's side. */
  client: u32
  bufferSize: u32
  outputSize: u32
  /** The longest hello that is taken, its header included. */
  helloMax: u32

  credentials: usize
  alpn: usize
  state: TlsState
  stage: Stage
  /** Where a chain of traffic keys goes on. */
  resume: Stage
  /** See `tlsAlert`. */
  alert: u32
  wiped: u32
  /** 1 once the handshake is over, whatever came after. */
  established: u32

  // Negotiated
  suite: u32
  hash: Hash
  group: u32
  sessionIdLength: u32
  /** Bytes of content that one protected record to the peer may carry. */
  contentLimit: u32
  /** 1 after a HelloRetryRequest. */
  retried: u32

  // The record that comes in
  headerFilled: u32
  recordType: u32
  recordLength: u32
  /** Bytes of its fragment still to come. */
  recordLeft: u32
  /** 1: its bytes are early data to be skipped. */
  skipping: u32
  /** Where the record lies in the buffer: behind the `messageFilled` bytes that a client has joined there, else 0. */
  recordAt: u32
  /** Bytes of the hello or of the record in the buffer. */
  filled: u32
  /** 1: a whole protected record waits in the buffer. */
  recordReady: u32
  /** 1: it is being opened. */
  opening: u32
  /** 1: early data was offered and refused; see record_in.ts. */
  earlyData: u32
  /** Early data skipped so far, bytes. */
  skipped: u32
  /** Records in a row that moved nothing forward. */
  idleRecords: u32
  /** Bytes of a handshake message that is not whole: in the area MESSAGE, or at the front of a client's buffer. */
  messageFilled: u32
  /** Bytes of a NewSessionTicket still to come. */
  ticketLeft: u32
  /** The application data: address and bytes left. */
  inputAt: usize
  inputLength: u32

  // The records that go out: offsets into the output, outStart <= outSealed <= outEnd
  outStart: u32
  /** Everything before is ready to send; from here to outEnd records wait for their protection. */
  outSealed: u32
  outEnd: u32
  /** 1: the output is held back, so that the whole flight leaves at once. */
  corked: u32
  writeProtected: u32
  /** 1: the record at outSealed is being protected; its content type. */
  sealing: u32
  sealingType: u32
  /** 1: a KeyUpdate was sent under the old write key; the next record needs the new one. */
  rotating: u32
  /** 1: the peer asked for a KeyUpdate of ours, which is not queued yet. */
  answerUpdate: u32
  /** The handshake message being cut into records. */
  sendAt: usize
  sendLeft: u32

  // The ClientHello being read: offsets into the buffer
  cursor: u32
  extensions: u32
  end: u32
  extensionCount: u32
  seen: u32
  offered: u32
  compressionLength: u32
  compressionMethod: u32
  legacyVersion: u32
  x25519Share: u32
  secp256r1Share: u32
  shareCount: u32
  recordSizeLimit: u32
  maxFragmentLength: u32

  // Hashing in slices
  hashContext: usize
  hashAt: usize
  hashLeft: u32

  // HMAC in slices (key_schedule.ts)
  macPhase: u32
  /** 0: a plain HMAC. Else the number of the next block of HKDF-Expand. */
  macCounter: u32
  macKey: usize
  macMessage: usize
  macMessageLength: u32
  macOut: usize
  macOutLength: u32
  /** Bytes already at macOut. */
  macDone: u32

  // The exporter's value (server.ts, `tlsExportStart`)
  exportLabel: usize
  exportLabelLength: u32
  exportOut: usize
  exportLength: u32
  exporting: u32
}

/**
 * The longest handshake message, its header included: a ClientHello of 4 KB and the 1216 bytes of an X25519MLKEM768
 * share among other things. Also the longest protected record that can be taken in.
 */
export const BUFFER_SIZE: u32 = 4736

/** What the certificates may take in `TlsCredentials`. */
export const CERTIFICATES_MAX: u32 = 1536

/**
 * The flight in one run: ServerHello 160, ChangeCipherSpec 6, EncryptedExtensions 100, Certificate 1536 + 100,
 * CertificateVerify 110, Finished 80, and some more records when the peer wants short ones.
 */
export const OUTPUT_SIZE: u32 = 2560

/** A secret, a digest or a verify_data of SHA-384 at most. */
const SECRET: usize = 48

export const SESSION_ID: usize = (offsetof<Connection>() + 7) & ~(<usize>7)
export const PEER_SHARE: usize = SESSION_ID + 32
export const OWN_SHARE: usize = PEER_SHARE + 72
/** The ephemeral private key. */
export const SCALAR: usize = OWN_SHARE + 72
/** The ECDHE shared secret. */
export const SHARED: usize = SCALAR + 32
/** Handshake Secret, then Master Secret. */
export const SECRET_NOW: usize = SHARED + 32
/** The traffic secrets of what is received and of what is sent. */
export const PEER_TRAFFIC: usize = SECRET_NOW + SECRET
export const OWN_TRAFFIC: usize = PEER_TRAFFIC + SECRET
export const EXPORTER: usize = OWN_TRAFFIC + SECRET
/** A finished_key or a traffic key on its way. */
export const KEY: usize = EXPORTER + SECRET
/** The verify_data that the peer must send, or our own. */
export const EXPECTED: usize = KEY + SECRET
/** The last Transcript-Hash taken. */
export const TRANSCRIPT_HASH: usize = EXPECTED + SECRET
export const READ_IV: usize = TRANSCRIPT_HASH + SECRET
export const WRITE_IV: usize = READ_IV + 16
/** Digest of what a second ClientHello must repeat. */
export const HELLO_DIGEST: usize = WRITE_IV + 16
/** The message or HkdfLabel of the running HMAC. */
export const INFO_SIZE: u32 = 160
export const INFO: usize = HELLO_DIGEST + 32
/** Its inner digest. */
export const MAC_DIGEST: usize = INFO + INFO_SIZE
export const RECORD: usize = MAC_DIGEST + SECRET
export const MESSAGE_SIZE: u32 = 56
export const MESSAGE: usize = RECORD + 8
export const TRANSCRIPT: usize = MESSAGE + MESSAGE_SIZE
/** The running HMAC, or the digest of one extension. */
export const WORK_CONTEXT: usize = (TRANSCRIPT + HASH_CONTEXT_SIZE + 7) & ~(<usize>7)
export const READ_CIPHER: usize = (WORK_CONTEXT + HASH_CONTEXT_SIZE + 7) & ~(<usize>7)
export const WRITE_CIPHER: usize = (READ_CIPHER + AEAD_CONTEXT_SIZE + 7) & ~(<usize>7)
/** The opening and the sealing that are under way. */
export const READ_STEPS: usize = (WRITE_CIPHER + AEAD_CONTEXT_SIZE + 7) & ~(<usize>7)
export const WRITE_STEPS: usize = READ_STEPS + AEAD_STEPS_SIZE
export const BUFFER: usize = WRITE_STEPS + AEAD_STEPS_SIZE

/** Bytes of a server's connection. */
export const TLS_CONNECTION_SIZE: u32 = <u32>BUFFER + BUFFER_SIZE + OUTPUT_SIZE

/** The address of one of the areas above. */
export function area(c: Connection, offset: usize): usize {
  return changetype<usize>(c) + offset
}

/** The address of the output, behind the buffer. */
export function output(c: Connection): usize {
  return area(c, BUFFER) + c.bufferSize
}

/** The address of the record in the buffer. */
export function recordFragment(c: Connection): usize {
  return area(c, BUFFER) + c.recordAt
}
