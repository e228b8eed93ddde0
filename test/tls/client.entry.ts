// The TLS client, with memory for a test to work in.

import { P256_MUL_SIZE } from '../../firmware/crypto/p256'
import { X25519_SIZE } from '../../firmware/crypto/x25519'
import { tlsClientChain, tlsClientInit, tlsClientStep, tlsExported, tlsExportStart } from '../../firmware/tls/client'
import { CLIENT_BUFFER_SIZE, OWN_HELLO, TLS_CLIENT_SIZE } from '../../firmware/tls/client_connection'
import { TRUST_SIZE, Trust, x509NotAfter, x509NotBefore } from '../../firmware/tls/x509'

export { drbgReseed, drbgSeed } from '../../firmware/crypto/drbg'
export {
  tlsAlert,
  tlsClientClose,
  tlsClientStep,
  tlsClientVerdict,
  tlsClientWipe,
  tlsConsume,
  tlsInput,
  tlsInputLength,
  tlsOutput,
  tlsOutputLength,
  tlsReceive,
  tlsSent,
  tlsState,
  tlsWrite,
} from '../../firmware/tls/client'

export const CONNECTION: usize = memory.data(TLS_CLIENT_SIZE + 64, 8)
export const DATA: usize = memory.data(32768, 8)
export const OUT: usize = memory.data(1024, 8)
export const PIN: usize = memory.data(32, 8)
const TRUST = changetype<Trust>(memory.data(<i32>TRUST_SIZE, 8))
const NAME: usize = memory.data(512, 8)
const ALPN: usize = memory.data(256, 8)

export function connectionSize(): u32 {
  return TLS_CLIENT_SIZE
}
export function bufferSize(): u32 {
  return CLIENT_BUFFER_SIZE
}
export function ownHello(): u32 {
  return OWN_HELLO
}
export function largestState(): u32 {
  return max(<u32>X25519_SIZE, <u32>P256_MUL_SIZE)
}

/** Name and protocol lie at DATA, one behind the other. */
export function start(
  nameLength: u32,
  alpnLength: u32,
  earliest: i64,
  latest: i64,
  dates: u32,
  tag: u32,
  pin: usize,
): void {
  memory.copy(NAME, DATA, nameLength)
  memory.copy(ALPN + 1, DATA + nameLength, alpnLength)
  store<u8>(ALPN, alpnLength)
  TRUST.earliest = earliest
  TRUST.latest = latest
  TRUST.name = NAME
  TRUST.nameLength = nameLength
  TRUST.tag = tag
  TRUST.pin = pin
  tlsClientInit(CONNECTION, changetype<usize>(TRUST), dates, ALPN)
}

export function notBefore(): i64 {
  return x509NotBefore(tlsClientChain(CONNECTION))
}
export function notAfter(): i64 {
  return x509NotAfter(tlsClientChain(CONNECTION))
}

/** Label and context lie at DATA, the value comes to OUT. */
export function exportValue(labelLength: u32, contextLength: u32, length: u32): bool {
  if (!tlsExportStart(CONNECTION, DATA, labelLength, DATA + labelLength, contextLength, OUT, length)) return false
  while (!tlsExported(CONNECTION)) if (!tlsClientStep(CONNECTION)) return false
  return true
}
