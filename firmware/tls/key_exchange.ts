// (EC)DHE in steps (RFC 8446, section 7.4; RFC 7748; SEC 1): first our share, then the secret that both shares make.
//
// The state of the running multiplication lies in the connection's buffer; the private key at SCALAR until the secret
// is there. Our share does not depend on the client: a pool of precomputed pairs would take the place of
// `startShare` and `shareStep`.

import { wipe } from '../crypto/constant_time'
import { drbgGenerate } from '../crypto/drbg'
import { P256_MUL_SIZE, p256MulFinish, p256MulStart, p256MulStep } from '../crypto/p256'
import { X25519_SIZE, x25519Finish, x25519Start, x25519Step } from '../crypto/x25519'
import { area, BUFFER, Connection, OWN_SHARE, PEER_SHARE, SCALAR, SHARED } from './connection'
import { NamedGroup, SHARED_SECRET } from './constants'

/** A scalar of secp256r1 is out of range once in 2^32 draws; this many in a row do not happen. */
const DRAWS: u32 = 8

const POINT: usize = memory.data(72, 8)

/** Draws the private key and begins our share. False only when the random numbers are broken. */
export function startShare(c: Connection): bool {
  const state = area(c, BUFFER)
  const scalar = area(c, SCALAR)
  for (let i: u32 = 0; i < DRAWS; i++) {
    drbgGenerate(scalar, 32)
    if (c.group === NamedGroup.X25519) {
      x25519Start(state, scalar, 0)
      return true
    }
    if (p256MulStart(state, scalar, 0)) return true
  }
  return false
}

/** True when the multiplication of `startShare` or `startAgreement` is finished. */
export function exchangeStep(c: Connection): bool {
  const state = area(c, BUFFER)
  return c.group === NamedGroup.X25519 ? x25519Step(state) : p256MulStep(state)
}

export function finishShare(c: Connection): void {
  const state = area(c, BUFFER)
  if (c.group === NamedGroup.X25519) x25519Finish(state, area(c, OWN_SHARE))
  else p256MulFinish(state, area(c, OWN_SHARE))
  wipeState(c)
}

/** Begins the shared secret; false when the client's share is not a point of the curve. */
export function startAgreement(c: Connection): bool {
  const state = area(c, BUFFER)
  if (c.group !== NamedGroup.X25519) return p256MulStart(state, area(c, SCALAR), area(c, PEER_SHARE))
  x25519Start(state, area(c, SCALAR), area(c, PEER_SHARE))
  return true
}

/** Writes the secret to SHARED and forgets the private key; false when it is all zero (RFC 7748, section 6.1). */
export function finishAgreement(c: Connection): bool {
  const state = area(c, BUFFER)
  let good: bool = true
  if (c.group === NamedGroup.X25519) {
    good = x25519Finish(state, area(c, SHARED))
  } else {
    p256MulFinish(state, POINT)
    memory.copy(area(c, SHARED), POINT + 1, SHARED_SECRET)
    wipe(POINT, 72)
  }
  wipe(area(c, SCALAR), 32)
  wipeState(c)
  return good
}

function wipeState(c: Connection): void {
  wipe(area(c, BUFFER), max(<u32>X25519_SIZE, <u32>P256_MUL_SIZE))
}
