// Verification of one signature at a time, whatever its kind, in slices: what X.509 chains and a TLS client ask.
//
//   signatureBegin(scheme, key, keyLength, message, messageLength, signature, signatureLength, saltLength)
//   signatureBeginDigest(scheme, key, keyLength, digest, signature, signatureLength, saltLength)
//   signatureStep()      0: goes on; 1: valid; -1: invalid
//   signatureCancel()    gives a verification up
//
// Key and signature are the contents of X.509's BIT STRINGs: an RSAPublicKey in DER, 04 | x | y, or 32 bytes of Ed25519;
// a signature as long as the modulus, an Ecdsa-Sig-Value in DER, or 64 bytes. Any addresses. Key, message and signature
// must stay as they are until the verdict; a digest is copied.
//
// One step is at most 15,000 instructions on the ESP32-C3 (test/crypto/signature_cost.test.ts counts). All kinds share one
// state, because only one verification runs at a time; the server's signatures (tls/handshake.ts) have a state of their
// own, since they can fall between the slices of a verification.
//
// Nothing is constant-time, and need not be: keys, messages and signatures are public.

import { ecdsaSignatureRead } from './ecdsa_der'
import { ECDSA_P256_SIZE, ecdsaVerifyFinish, ecdsaVerifyStart, ecdsaVerifyStep } from './ecdsa_p256'
import { ECDSA_P384_SIZE, p384VerifyGood, p384VerifyStart, p384VerifyStep } from './ecdsa_p384'
import { ED25519_SIZE, ed25519Good, ed25519Start, ed25519Step } from './ed25519'
import { HASH_MAX, Hash, hashLength } from './hash'
import { hashStepsFinish, hashStepsStart, hashStepsStep } from './hash_steps'
import { RSA_FREE, RSA_MESSAGE, RSA_SIZE, rsaBits, rsaStart, rsaStep } from './rsa'
import { RSA_KEY_SIZE, RsaKey, rsaKeyParse } from './rsa_key'
import { pkcs1Good, pssGood, pssStart, pssStep } from './rsa_padding'

export const enum SignatureScheme {
  None = 0,
  RsaPkcs1Sha256 = 1,
  RsaPkcs1Sha384 = 2,
  RsaPkcs1Sha512 = 3,
  /** MGF1 has the same hash. */
  RsaPssSha256 = 4,
  RsaPssSha384 = 5,
  RsaPssSha512 = 6,
  EcdsaP256Sha256 = 7,
  EcdsaP256Sha384 = 8,
  EcdsaP256Sha512 = 9,
  EcdsaP384Sha256 = 10,
  EcdsaP384Sha384 = 11,
  EcdsaP384Sha512 = 12,
  Ed25519 = 13,
}

/** As a salt's length: that of the hash, as TLS 1.3 has it (RFC 8446, section 4.2.3). */
export const SALT_AS_HASH: u32 = 0xffff_ffff

const enum Kind {
  Pkcs1 = 0,
  Pss = 1,
  P256 = 2,
  P384 = 3,
  Ed25519 = 4,
}

const enum Stage {
  Idle = 0,
  Refused = 1,
  Hash = 2,
  HashEnd = 3,
  /** The digest is ready. */
  Start = 4,
  Run = 5,
  /** RSA's operation is done and the padding is next. */
  Padding = 6,
  Pss = 7,
}

@unmanaged
class Head {
  stage: u32
  kind: u32
  hash: u32
  key: u32
  keyLength: u32
  signature: u32
  signatureLength: u32
  saltLength: u32
}

const HEAD: usize = memory.data(32, 8)
const DIGEST: usize = memory.data(<i32>HASH_MAX, 8)
// r | s of a signature on a curve lies behind the state that takes it.
const P256_SIZE: usize = ECDSA_P256_SIZE + 2 * 32
const P384_SIZE: usize = ECDSA_P384_SIZE + 2 * 48
const ECDSA_SIZE: usize = P256_SIZE > P384_SIZE ? P256_SIZE : P384_SIZE
const NOT_RSA_SIZE: usize = ECDSA_SIZE > ED25519_SIZE ? ECDSA_SIZE : ED25519_SIZE
const STATE_SIZE: usize = RSA_SIZE > NOT_RSA_SIZE ? RSA_SIZE : NOT_RSA_SIZE
/** The state of the kind that is at work; before that, of the hash. */
const STATE: usize = memory.data(<i32>STATE_SIZE, 16)

/** Begins a verification of a message; false when another one is under way, and then nothing is changed. */
export function signatureBegin(
  scheme: SignatureScheme,
  key: usize,
  keyLength: u32,
  message: usize,
  messageLength: u32,
  signature: usize,
  signatureLength: u32,
  saltLength: u32,
): bool {
  if (!begin(scheme, key, keyLength, signature, signatureLength, saltLength)) return false
  const head = changetype<Head>(HEAD)
  if (head.stage === Stage.Refused) return true
  if (head.kind === Kind.Ed25519) {
    // Its hash begins with the signature and the key.
    const good =
      keyLength === 32 && signatureLength === 64 && ed25519Start(STATE, key, message, messageLength, signature)
    head.stage = good ? Stage.Run : Stage.Refused
    return true
  }
  hashStepsStart(STATE, head.hash, 0, 0, message, messageLength)
  head.stage = Stage.Hash
  return true
}

/** The same with the digest of the message by the scheme's hash. Ed25519 has no such form: invalid. */
export function signatureBeginDigest(
  scheme: SignatureScheme,
  key: usize,
  keyLength: u32,
  digest: usize,
  signature: usize,
  signatureLength: u32,
  saltLength: u32,
): bool {
  if (!begin(scheme, key, keyLength, signature, signatureLength, saltLength)) return false
  const head = changetype<Head>(HEAD)
  if (head.kind === Kind.Ed25519) head.stage = Stage.Refused
  if (head.stage === Stage.Refused) return true
  memory.copy(DIGEST, digest, hashLength(head.hash))
  head.stage = Stage.Start
  return true
}

/** Does one step: 0 while it goes on, then once 1 (valid) or -1 (invalid). -1 when nothing is under way. */
export function signatureStep(): i32 {
  const head = changetype<Head>(HEAD)
  let verdict = -1
  switch (head.stage) {
    case Stage.Hash: {
      verdict = 0
      if (hashStepsStep(STATE)) head.stage = Stage.HashEnd
      break
    }
    case Stage.HashEnd: {
      verdict = 0
      hashStepsFinish(STATE, DIGEST)
      head.stage = Stage.Start
      break
    }
    case Stage.Start: {
      if (!start(head)) break
      verdict = 0
      head.stage = Stage.Run
      break
    }
    case Stage.Run: {
      verdict = run(head)
      break
    }
    case Stage.Padding: {
      if (head.kind === Kind.Pkcs1) {
        if (pkcs1Good(STATE + RSA_MESSAGE, head.signatureLength, head.hash, DIGEST)) verdict = 1
        break
      }
      pssStart(STATE + RSA_FREE, STATE + RSA_MESSAGE, rsaBits(STATE), head.hash, DIGEST, head.saltLength)
      head.stage = Stage.Pss
      verdict = 0
      break
    }
    case Stage.Pss: {
      if (!pssStep(STATE + RSA_FREE)) verdict = 0
      else if (pssGood(STATE + RSA_FREE)) verdict = 1
      break
    }
  }
  if (verdict !== 0) head.stage = Stage.Idle
  return verdict
}

/** Whether a verification has begun and has no verdict yet. */
export function signatureBusy(): bool {
  return changetype<Head>(HEAD).stage !== Stage.Idle
}

/** Gives up what is under way. Only for who has begun it. */
export function signatureCancel(): void {
  changetype<Head>(HEAD).stage = Stage.Idle
}

/** Bits of the modulus of an RSAPublicKey in DER, 0 when it is not one that is taken. */
export function signatureRsaBits(key: usize, keyLength: u32): u32 {
  return rsaKeyParse(PARSED, key, keyLength) ? changetype<RsaKey>(PARSED).modulusBits : 0
}

const PARSED: usize = memory.data(<i32>RSA_KEY_SIZE, 8)

function begin(
  scheme: SignatureScheme,
  key: usize,
  keyLength: u32,
  signature: usize,
  signatureLength: u32,
  saltLength: u32,
): bool {
  const head = changetype<Head>(HEAD)
  if (head.stage !== Stage.Idle) return false
  head.stage = scheme === SignatureScheme.None || scheme > SignatureScheme.Ed25519 ? Stage.Refused : Stage.Start
  // Three schemes of a kind, in the order of the hashes.
  head.kind = (<u32>scheme - 1) / 3
  head.hash = scheme === SignatureScheme.Ed25519 ? Hash.Sha512 : ((<u32>scheme - 1) % 3) + Hash.Sha256
  head.key = <u32>key
  head.keyLength = keyLength
  head.signature = <u32>signature
  head.signatureLength = signatureLength
  head.saltLength = saltLength === SALT_AS_HASH ? hashLength(head.hash) : saltLength
  return true
}

/** With the digest: the kind's own refusals. */
function start(head: Head): bool {
  const size = hashLength(head.hash)
  switch (head.kind) {
    case Kind.Pkcs1:
    case Kind.Pss:
      return rsaStart(STATE, head.key, head.keyLength, head.signature, head.signatureLength)
    case Kind.P256: {
      const rs = STATE + ECDSA_P256_SIZE
      if (head.keyLength !== 65 || !ecdsaSignatureRead(head.signature, head.signatureLength, rs, 32)) return false
      return ecdsaVerifyStart(STATE, head.key, DIGEST, size, rs)
    }
    case Kind.P384: {
      const rs = STATE + ECDSA_P384_SIZE
      if (head.keyLength !== 97 || !ecdsaSignatureRead(head.signature, head.signatureLength, rs, 48)) return false
      return p384VerifyStart(STATE, head.key, DIGEST, size, rs)
    }
  }
  return false
}

/** A step of the kind's own; the verdict so far. */
function run(head: Head): i32 {
  switch (head.kind) {
    case Kind.Pkcs1:
    case Kind.Pss: {
      if (rsaStep(STATE)) head.stage = Stage.Padding
      return 0
    }
    case Kind.P256: {
      if (!ecdsaVerifyStep(STATE)) return 0
      return ecdsaVerifyFinish(STATE) ? 1 : -1
    }
    case Kind.P384: {
      if (!p384VerifyStep(STATE)) return 0
      return p384VerifyGood(STATE) ? 1 : -1
    }
    case Kind.Ed25519: {
      if (!ed25519Step(STATE)) return 0
      return ed25519Good(STATE) ? 1 : -1
    }
  }
  return -1
}
