// The TLS server, its key schedule and its sliced AEAD, with memory for a test to work in.

import { AEAD_CONTEXT_SIZE, Aead, aeadInit } from '../../firmware/crypto/aead'
import { AEAD_STEPS_SIZE, aeadGood, aeadOpenStart, aeadSealStart, aeadStep } from '../../firmware/crypto/aead_steps'
import { ECDSA_P256_SIZE } from '../../firmware/crypto/ecdsa_p256'
import { Hash, hashLength } from '../../firmware/crypto/hash'
import { P256_MUL_SIZE } from '../../firmware/crypto/p256'
import { X25519_SIZE } from '../../firmware/crypto/x25519'
import { BUFFER, BUFFER_SIZE, Connection } from '../../firmware/tls/connection'
import { TLS_CREDENTIALS_SIZE, TlsCredentials } from '../../firmware/tls/credentials'
import {
  Label,
  macStep,
  startExpandLabel,
  startHandshakeSecret,
  startHmac,
  startMasterSecret,
} from '../../firmware/tls/key_schedule'
import { TLS_CONNECTION_SIZE } from '../../firmware/tls/server'
import { recordNonce } from '../../firmware/tls/suite'

export { drbgReseed, drbgSeed } from '../../firmware/crypto/drbg'
export {
  tlsAlert,
  tlsClose,
  tlsConsume,
  tlsExport,
  tlsExported,
  tlsExportStart,
  tlsInput,
  tlsInputLength,
  tlsOutput,
  tlsOutputLength,
  tlsReceive,
  tlsSent,
  tlsServerInit,
  tlsState,
  tlsStep,
  tlsWipe,
  tlsWrite,
} from '../../firmware/tls/server'

export function connectionSize(): u32 {
  return TLS_CONNECTION_SIZE
}

/** Bytes of the buffer, and of the largest state that shares it. */
export function bufferSize(): u32 {
  return BUFFER_SIZE
}

export function bufferOffset(): u32 {
  return <u32>BUFFER
}

export function largestState(): u32 {
  return max(max(<u32>X25519_SIZE, <u32>P256_MUL_SIZE), <u32>ECDSA_P256_SIZE)
}

// Memory -------------------------------------------------------------------------------------------------------------

export const CONNECTION: usize = memory.data(TLS_CONNECTION_SIZE, 8)
export const SECOND: usize = memory.data(TLS_CONNECTION_SIZE, 8)
export const DATA: usize = memory.data(32768, 8)
export const OUT: usize = memory.data(1024, 8)
const CREDENTIALS: usize = memory.data(TLS_CREDENTIALS_SIZE, 8)
export const CERTIFICATES: usize = memory.data(4096, 8)
export const ALPN: usize = memory.data(256, 8)

export function credentials(key: usize, certificatesLength: u32): usize {
  memory.copy(CREDENTIALS, key, 32)
  const c = changetype<TlsCredentials>(CREDENTIALS)
  c.certificates = CERTIFICATES
  c.certificatesLength = certificatesLength
  return CREDENTIALS
}

// The key schedule: one value at a time, from DATA to OUT ------------------------------------------------------------

export function scheduleHash(hash: Hash): u32 {
  changetype<Connection>(CONNECTION).hash = hash
  return hashLength(hash)
}

function run(): u32 {
  let steps: u32 = 0
  for (; changetype<Connection>(CONNECTION).macPhase !== 0; steps++) macStep(changetype<Connection>(CONNECTION))
  return steps
}

export function handshakeSecret(ecdheLength: u32): u32 {
  startHandshakeSecret(changetype<Connection>(CONNECTION), DATA, ecdheLength, OUT)
  return run()
}

export function masterSecret(): u32 {
  startMasterSecret(changetype<Connection>(CONNECTION), DATA, OUT)
  return run()
}

/** The secret at DATA, the context at DATA + 64. */
export function expandLabel(label: Label, contextLength: u32, outLength: u32): u32 {
  startExpandLabel(changetype<Connection>(CONNECTION), DATA, label, DATA + 64, contextLength, OUT, outLength)
  return run()
}

export function hmacSteps(messageLength: u32): u32 {
  startHmac(changetype<Connection>(CONNECTION), DATA, DATA + 64, messageLength, OUT)
  return run()
}

export function nonce(sequence: u64): void {
  recordNonce(OUT, DATA, sequence)
}

// The AEADs in slices: key at OUT, nonce at OUT + 32, additional data at OUT + 64, data at DATA -----------------------

const CONTEXT: usize = memory.data(AEAD_CONTEXT_SIZE, 8)
const STEPS: usize = memory.data(AEAD_STEPS_SIZE, 8)

export function sealInSteps(aead: Aead, adLength: u32, length: u32): u32 {
  aeadInit(aead, CONTEXT, OUT)
  aeadSealStart(STEPS, CONTEXT, OUT + 32, OUT + 64, adLength, DATA, length)
  let steps: u32 = 1
  while (!aeadStep(STEPS)) steps++
  return steps
}

export function openInSteps(aead: Aead, adLength: u32, length: u32): bool {
  aeadInit(aead, CONTEXT, OUT)
  aeadOpenStart(STEPS, CONTEXT, OUT + 32, OUT + 64, adLength, DATA, length)
  while (!aeadStep(STEPS)) {}
  return aeadGood(STEPS)
}
