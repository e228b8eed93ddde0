// The cipher suites (RFC 8446, appendix B.4) and the traffic keys of a connection (section 7.3).

import { Aead, aeadInit, aeadKeyLength } from '../crypto/aead'
import { wipe } from '../crypto/constant_time'
import { Hash } from '../crypto/hash'
import { area, Connection, KEY, READ_CIPHER, READ_IV, WRITE_CIPHER, WRITE_IV } from './connection'
import { CipherSuite, IV_LENGTH } from './constants'
import { Label, startExpandLabel } from './key_schedule'

export function suiteHash(suite: u32): Hash {
  return suite === CipherSuite.Aes256GcmSha384 ? Hash.Sha384 : Hash.Sha256
}

export function suiteAead(suite: u32): Aead {
  if (suite === CipherSuite.Aes128GcmSha256) return Aead.Aes128Gcm
  return suite === CipherSuite.Aes256GcmSha384 ? Aead.Aes256Gcm : Aead.ChaCha20Poly1305
}

/** [sender]_write_key, to the area KEY. */
export function startTrafficKey(c: Connection, secret: usize): void {
  startExpandLabel(c, secret, Label.Key, 0, 0, area(c, KEY), aeadKeyLength(suiteAead(c.suite)))
}

/** [sender]_write_iv. */
export function startTrafficIv(c: Connection, secret: usize, iv: usize): void {
  startExpandLabel(c, secret, Label.Iv, 0, 0, iv, IV_LENGTH)
}

/** Takes the key at KEY for what is received from now on. Its IV is in place. */
export function installRead(c: Connection): void {
  aeadInit(suiteAead(c.suite), area(c, READ_CIPHER), area(c, KEY))
  wipe(area(c, KEY), 48)
  c.readSequence = 0
}

/** Takes the key at KEY for what is sent from now on. Its IV is in place. */
export function installWrite(c: Connection): void {
  aeadInit(suiteAead(c.suite), area(c, WRITE_CIPHER), area(c, KEY))
  wipe(area(c, KEY), 48)
  c.writeSequence = 0
  c.writeProtected = 1
}

/** The per-record nonce (section 5.3): the IV XORed with the sequence number. */
export function recordNonce(nonce: usize, iv: usize, sequence: u64): void {
  memory.copy(nonce, iv, IV_LENGTH)
  for (let i: usize = 0; i < 8; i++) {
    store<u8>(nonce + 11 - i, load<u8>(nonce + 11 - i) ^ <u8>(sequence >> (i << 3)))
  }
}

export function readIv(c: Connection): usize {
  return area(c, READ_IV)
}

export function writeIv(c: Connection): usize {
  return area(c, WRITE_IV)
}
