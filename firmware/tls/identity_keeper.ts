// Keeps the device's identity: takes it from flash, has it made or renewed in slices, stores it, and offers it to TLS.
//
//   none -> (a trusted time) -> working -> ready;   ready -> (renewal due, once an hour) -> working, the old one serves on
//
// New credentials are used only once they are stored: a client that trusts the authority's certificate must find the same
// one after a power cut. They go to the other of two buffers, since handshakes under way go on with those that they
// began with.

import { storeU24be } from '../bytes/endian'
import { FlashKey } from '../drivers/flash_keys'
import { logLength, logRead, logWrite } from '../drivers/flash_log'
import { CERTIFICATES_MAX } from './connection'
import { TlsCredentials } from './credentials'
import {
  IDENTITY_SIZE,
  IDENTITY_STATE_SIZE,
  IdentityOutcome,
  IdentityStatus,
  identityAuthorityCertificate,
  identityAuthorityCertificateLength,
  identityBlob,
  identityBlobLength,
  identityNamesDigest,
  identityNeedsRenewal,
  identityOutcome,
  identityServerCertificate,
  identityServerCertificateLength,
  identityServerKey,
  identityStart,
  identityStep,
  identityWipe,
  NAMES_DIGEST_SIZE,
} from './identity'

/** Seconds between looks at the dates. */
const CHECK_INTERVAL: i64 = 3600

/** key(32) | certificates address(4) | length(4). */
const CREDENTIALS_SIZE: usize = 40

const STATE: usize = memory.data(<i32>IDENTITY_STATE_SIZE, 8)
const BLOB: usize = memory.data(<i32>IDENTITY_SIZE, 8)
const DIGEST: usize = memory.data(<i32>NAMES_DIGEST_SIZE, 8)
const CREDENTIALS: usize = memory.data(80, 8)
/** Two lists of `CERTIFICATES_MAX` bytes. */
const CERTIFICATES: usize = memory.data(<i32>(2 * CERTIFICATES_MAX), 8)

let names: usize = 0
let namesLength: u32 = 0
let address: u32 = 0
let blobLength: u32 = 0
let working: bool = false
let ready: bool = false
let unsaved: bool = false
let copyUnsaved: bool = false
let current: u32 = 0
let status: IdentityStatus = IdentityStatus.Ok
let outcome: IdentityOutcome = IdentityOutcome.Working
let checkedAt: i64 = 0
let generation: u32 = 0

/** Reads what flash holds. The names (ASCII, separated by NUL) stay where they are; `ip4` in host order, 0: none. */
export function identityKeeperLoad(deviceNames: usize, deviceNamesLength: u32, ip4: u32): void {
  names = deviceNames
  namesLength = deviceNamesLength
  address = ip4
  let length = logRead(FlashKey.Identity, BLOB, <u32>IDENTITY_SIZE)
  if (length <= 0) length = logRead(FlashKey.IdentityCopy, BLOB, <u32>IDENTITY_SIZE)
  blobLength = length > 0 ? length : 0
}

/** Looks whether there is something to do at `nowSeconds`, the POSIX second of a trusted clock. */
export function identityKeeperPoll(nowSeconds: i64): void {
  if (unsaved || copyUnsaved) save()
  if (working || (checkedAt !== 0 && nowSeconds >= checkedAt && nowSeconds < checkedAt + CHECK_INTERVAL)) return
  checkedAt = nowSeconds
  if (ready && !renewalIsDue(nowSeconds)) return
  const existing = blobLength === 0 ? <usize>0 : BLOB
  status = identityStart(STATE, names, namesLength, address, nowSeconds, existing, blobLength)
  working = status === IdentityStatus.Ok
}

/** One slice of work; true while there is more to do at once. */
export function identityKeeperStep(): bool {
  if (!working) return false
  if (!identityStep(STATE)) return true
  working = false
  outcome = identityOutcome(STATE)
  if (outcome !== IdentityOutcome.Failed) take()
  identityWipe(STATE)
  return false
}

/** Credentials for a new TLS connection; 0 while there are none. */
export function identityKeeperCredentials(): usize {
  return ready ? CREDENTIALS + <usize>current * CREDENTIALS_SIZE : 0
}

/** The authority's certificate in DER; 0 while there is none. */
export function identityKeeperAuthority(): usize {
  return ready ? identityAuthorityCertificate(BLOB) : 0
}

export function identityKeeperAuthorityLength(): u32 {
  return ready ? identityAuthorityCertificateLength(BLOB) : 0
}

/** Why there is no identity although the time is known. */
export function identityKeeperStatus(): IdentityStatus {
  return status
}

/** Counts the certificates that were taken into use. */
export function identityKeeperGeneration(): u32 {
  return generation
}

function renewalIsDue(nowSeconds: i64): bool {
  return identityNamesDigest(names, namesLength, address, DIGEST) && identityNeedsRenewal(BLOB, nowSeconds, DIGEST)
}

/** Takes the machine's result; what is new is stored before it is used. */
function take(): void {
  const kept = outcome === IdentityOutcome.Kept
  if (!kept) {
    const made = identityBlob(STATE)
    memory.copy(BLOB, made, identityBlobLength(made))
    blobLength = identityBlobLength(BLOB)
  }
  // One of the two that are stored may not have survived.
  unsaved = !kept || logLength(FlashKey.Identity) < 0
  copyUnsaved = !kept || logLength(FlashKey.IdentityCopy) < 0
  if (kept) use()
  else save()
}

/** One write at a time, tried again once a second: the log may first have to make room. */
function save(): void {
  if (!unsaved) {
    if (logWrite(FlashKey.IdentityCopy, BLOB, blobLength)) copyUnsaved = false
  } else if (logWrite(FlashKey.Identity, BLOB, blobLength)) {
    unsaved = false
    if (outcome !== IdentityOutcome.Kept) use()
  }
}

function use(): void {
  current ^= 1
  const credentials = changetype<TlsCredentials>(CREDENTIALS + <usize>current * CREDENTIALS_SIZE)
  memory.copy(changetype<usize>(credentials), identityServerKey(BLOB), 32)
  credentials.certificates = CERTIFICATES + <usize>(current * CERTIFICATES_MAX)
  credentials.certificatesLength = putCertificates(credentials.certificates)
  ready = true
  generation += 1
}

/** The list for TLS: the server's certificate alone. A client that trusts the authority has the authority's own. */
function putCertificates(list: usize): u32 {
  const length = identityServerCertificateLength(BLOB)
  storeU24be(list, length)
  memory.copy(list + 3, identityServerCertificate(BLOB), length)
  return length + 3
}
