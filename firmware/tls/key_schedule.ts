// The key schedule (RFC 8446, sections 7.1 to 7.5): HKDF-Extract, HKDF-Expand-Label and plain HMAC, in slices.
//
// Each `start...` sets up one computation; `macStep` goes on with it while `c.macPhase` is not 0. (crypto/hmac.ts does
// the same in one call of four compressions: too long for one step with SHA-384.)
// Keys, salts and secrets are always as long as the hash; all lengths are public.

import { putAscii } from '../bytes/ascii'
import { storeU16be } from '../bytes/endian'
import { Hash, hashBlockLength, hashFinal, hashInit, hashLength, hashUpdate } from '../crypto/hash'
import { area, Connection, INFO, MAC_DIGEST, WORK_CONTEXT } from './connection'

/** The labels of sections 4.4.4, 7.1, 7.2, 7.3 and 7.5; on the wire each has "tls13 " before it. */
export const enum Label {
  ClientHandshakeTraffic,
  ServerHandshakeTraffic,
  ClientApplicationTraffic,
  ServerApplicationTraffic,
  ExporterMaster,
  Derived,
  Finished,
  Key,
  Iv,
  TrafficUpdate,
  Exporter,
}

/** Longest label of an exporter (`tlsExport`), without "tls13 ". */
export const EXPORTER_LABEL_MAX: u32 = 96

/** A padded key, a code on its way out, a counter. */
const BLOCK: usize = memory.data(128, 8)

/** Derive-Secret(Early Secret, "derived", ""): without a PSK it does not depend on the connection. */
const DERIVED_EARLY_SHA256: usize = memory.data<u8>([
  0x6f, 0x26, 0x15, 0xa1, 0x08, 0xc7, 0x02, 0xc5, 0x67, 0x8f, 0x54, 0xfc, 0x9d, 0xba, 0xb6, 0x97, 0x16, 0xc0, 0x76,
  0x18, 0x9c, 0x48, 0x25, 0x0c, 0xeb, 0xea, 0xc3, 0x57, 0x6c, 0x36, 0x11, 0xba,
])
const DERIVED_EARLY_SHA384: usize = memory.data<u8>([
  0x15, 0x91, 0xda, 0xc5, 0xcb, 0xbf, 0x03, 0x30, 0xa4, 0xa8, 0x4d, 0xe9, 0xc7, 0x53, 0x33, 0x0e, 0x92, 0xd0, 0x1f,
  0x0a, 0x88, 0x21, 0x4b, 0x44, 0x64, 0x97, 0x2f, 0xd6, 0x68, 0x04, 0x9e, 0x93, 0xe5, 0x2f, 0x2b, 0x16, 0xfa, 0xd9,
  0x22, 0xfd, 0xc0, 0x58, 0x44, 0x78, 0x42, 0x8f, 0x28, 0x2b,
])

/** The digests of nothing. */
const EMPTY_SHA256: usize = memory.data<u8>([
  0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
  0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
])
const EMPTY_SHA384: usize = memory.data<u8>([
  0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a, 0x21, 0xfd, 0xb7,
  0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda, 0x27, 0x4e, 0xde, 0xbf, 0xe7, 0x6f,
  0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b,
])
const ZEROS: usize = memory.data(48, 8)

/** Hash("") of the negotiated hash. */
export function emptyHash(c: Connection): usize {
  return c.hash === Hash.Sha384 ? EMPTY_SHA384 : EMPTY_SHA256
}

/** Handshake Secret = HKDF-Extract(derived early secret, ECDHE). */
export function startHandshakeSecret(c: Connection, ecdhe: usize, ecdheLength: u32, out: usize): void {
  const salt = c.hash === Hash.Sha384 ? DERIVED_EARLY_SHA384 : DERIVED_EARLY_SHA256
  startHmac(c, salt, ecdhe, ecdheLength, out)
}

/** Master Secret = HKDF-Extract(derived, 0). */
export function startMasterSecret(c: Connection, derived: usize, out: usize): void {
  startHmac(c, derived, ZEROS, hashLength(c.hash), out)
}

/** HMAC of one message. Key, message and out must stay until it is done; out may be key or message. */
export function startHmac(c: Connection, key: usize, message: usize, messageLength: u32, out: usize): void {
  c.macKey = key
  c.macMessage = message
  c.macMessageLength = messageLength
  c.macOut = out
  c.macOutLength = hashLength(c.hash)
  c.macDone = 0
  c.macCounter = 0
  c.macPhase = Phase.InnerKey
}

/** HKDF-Expand-Label(secret, label, context, outLength). `out` may be the secret itself when one block is enough. */
export function startExpandLabel(
  c: Connection,
  secret: usize,
  label: Label,
  context: usize,
  contextLength: u32,
  out: usize,
  outLength: u32,
): void {
  const p = area(c, INFO)
  const end = putLabel(p + 3, label)
  finishInfo(c, end, context, contextLength, outLength)
  startExpand(c, secret, out, outLength)
}

/** The same with a label that is not one of RFC 8446's own: at most EXPORTER_LABEL_MAX bytes. */
export function startExpandCustomLabel(
  c: Connection,
  secret: usize,
  label: usize,
  labelLength: u32,
  context: usize,
  contextLength: u32,
  out: usize,
  outLength: u32,
): void {
  const p = putAscii(area(c, INFO) + 3, 'tls13 ')
  memory.copy(p, label, labelLength)
  finishInfo(c, p + labelLength, context, contextLength, outLength)
  startExpand(c, secret, out, outLength)
}

/** Derive-Secret(secret, label, messages), given Transcript-Hash(messages). */
export function startDeriveSecret(c: Connection, secret: usize, label: Label, transcript: usize, out: usize): void {
  const length = hashLength(c.hash)
  startExpandLabel(c, secret, label, transcript, length, out, length)
}

/**
 * One slice of the computation: HMAC (RFC 2104) a block at a time, the key with the inner pad, the message, the key with
 * the outer pad, the inner digest. With SHA-256 two of the four make a step.
 */
export function macStep(c: Connection): void {
  macPhase(c)
  if (c.hash !== Hash.Sha384) macPhase(c)
}

const enum Phase {
  InnerKey = 1,
  Message = 2,
  OuterKey = 3,
  Digest = 4,
}

function macPhase(c: Connection): void {
  switch (c.macPhase) {
    case Phase.InnerKey:
      startPadded(c, 0x36)
      break
    case Phase.Message:
      absorbMessage(c)
      hashFinal(area(c, WORK_CONTEXT), area(c, MAC_DIGEST))
      break
    case Phase.OuterKey:
      startPadded(c, 0x5c)
      break
    default: // Digest
      hashUpdate(area(c, WORK_CONTEXT), area(c, MAC_DIGEST), hashLength(c.hash))
      hashFinal(area(c, WORK_CONTEXT), BLOCK)
      endBlock(c)
      return
  }
  c.macPhase += 1
}

/** Begins a hash with the key, padded with zeros to a block, each byte exclusive-ored with `pad`. */
function startPadded(c: Connection, pad: u32): void {
  const length = hashLength(c.hash)
  const block = hashBlockLength(c.hash)
  memory.fill(BLOCK + length, <u8>pad, block - length)
  for (let i: u32 = 0; i < length; i++) store<u8>(BLOCK + i, load<u8>(c.macKey + i) ^ <u8>pad)
  hashInit(c.hash, area(c, WORK_CONTEXT))
  hashUpdate(area(c, WORK_CONTEXT), BLOCK, block)
  memory.fill(BLOCK, 0, block)
}

/** The message; for HKDF-Expand (RFC 5869, section 2.3) the block before, the info and the counter. */
function absorbMessage(c: Connection): void {
  const context = area(c, WORK_CONTEXT)
  const length = hashLength(c.hash)
  if (c.macCounter > 1) hashUpdate(context, c.macOut + c.macDone - length, length)
  hashUpdate(context, c.macMessage, c.macMessageLength)
  if (c.macCounter === 0) return
  store<u8>(BLOCK, c.macCounter)
  hashUpdate(context, BLOCK, 1)
}

/** Hands out the code at BLOCK; begins the next block of a longer value. */
function endBlock(c: Connection): void {
  const taken = min(c.macOutLength - c.macDone, hashLength(c.hash))
  memory.copy(c.macOut + c.macDone, BLOCK, taken)
  memory.fill(BLOCK, 0, 64)
  c.macDone += taken
  c.macPhase = c.macDone < c.macOutLength ? Phase.InnerKey : 0
  c.macCounter += 1
}

function startExpand(c: Connection, secret: usize, out: usize, outLength: u32): void {
  c.macKey = secret
  c.macMessage = area(c, INFO)
  c.macOut = out
  c.macOutLength = outLength
  c.macDone = 0
  c.macCounter = 1
  c.macPhase = Phase.InnerKey
}

/** `length(2) | label length(1) | label | context length(1) | context` around a label that ends at `end`. */
function finishInfo(c: Connection, end: usize, context: usize, contextLength: u32, outLength: u32): void {
  const p = area(c, INFO)
  storeU16be(p, outLength)
  store<u8>(p + 2, end - (p + 3))
  store<u8>(end, contextLength)
  memory.copy(end + 1, context, contextLength)
  c.macMessageLength = <u32>(end + 1 + contextLength - p)
}

function putLabel(p: usize, label: Label): usize {
  p = putAscii(p, 'tls13 ')
  switch (label) {
    case Label.ClientHandshakeTraffic:
      return putAscii(p, 'c hs traffic')
    case Label.ServerHandshakeTraffic:
      return putAscii(p, 's hs traffic')
    case Label.ClientApplicationTraffic:
      return putAscii(p, 'c ap traffic')
    case Label.ServerApplicationTraffic:
      return putAscii(p, 's ap traffic')
    case Label.ExporterMaster:
      return putAscii(p, 'exp master')
    case Label.Derived:
      return putAscii(p, 'derived')
    case Label.Finished:
      return putAscii(p, 'finished')
    case Label.Key:
      return putAscii(p, 'key')
    case Label.Iv:
      return putAscii(p, 'iv')
    case Label.TrafficUpdate:
      return putAscii(p, 'traffic upd')
    default:
      return putAscii(p, 'exporter')
  }
}
