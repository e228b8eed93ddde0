// The keeper of sessions over a flash that the test provides.

import { logMaintain, logMount } from '../../firmware/drivers/flash_log'
import { KEEPER_SCRATCH, keeperForget, keeperLoad, keeperStore } from '../../firmware/nts/association_keeper'
import { jarCount, jarPut, jarTake } from '../../firmware/nts/cookie_jar'
import { NtsSession, SESSION_SIZE, sessionC2s, sessionJar, sessionWipe } from '../../firmware/nts/session'

export { logMaintain, logMount }

const BUFFER: usize = memory.data(512, 8)
const SCRATCH: usize = memory.data(<i32>KEEPER_SCRATCH, 8)
const SESSION = changetype<NtsSession>(memory.data(<i32>SESSION_SIZE, 8))

export function buffer(): usize {
  return BUFFER
}
export function scratch(): usize {
  return SCRATCH
}
export function scratchSize(): u32 {
  return KEEPER_SCRATCH
}
export function wipe(): void {
  sessionWipe(SESSION)
}
/** 64 bytes of keys at BUFFER. */
export function fill(aead: u32, keyLength: u32): void {
  SESSION.aead = aead
  SESSION.keyLength = keyLength
  SESSION.address = 0x7f00_0001
  SESSION.port = 4123
  SESSION.notBefore = 1_700_000_000
  SESSION.notAfter = 1_900_000_000
  memory.copy(sessionC2s(SESSION), BUFFER, 64)
}
export function put(length: u32): bool {
  return jarPut(sessionJar(SESSION), BUFFER, length)
}
export function take(): u32 {
  return jarTake(sessionJar(SESSION), BUFFER)
}
export function count(): u32 {
  return jarCount(sessionJar(SESSION))
}
export function aead(): u32 {
  return SESSION.aead
}
export function port(): u32 {
  return SESSION.port
}
export function keys(): usize {
  return sessionC2s(SESSION)
}
export function save(slot: u32, tag: u32): bool {
  return keeperStore(slot, tag, SESSION, SCRATCH)
}
export function restore(slot: u32, tag: u32): u32 {
  return keeperLoad(slot, tag, SESSION, SCRATCH)
}
export function forget(slot: u32): bool {
  return keeperForget(slot, SCRATCH)
}
