// The slots of the KE port and their loan.

import { slotAt } from '../../firmware/net/ke_slots'
import { SOCKET_KE_COUNT } from '../../firmware/net/sockets'
import { KE_CLIENT_SIZE } from '../../firmware/nts/ke_client'

export { KE_LOAN_SIZE, keLend, keTakeBack, slotIsAway, slotsWaiting } from '../../firmware/net/ke_slots'
export { KE_CLIENT_SIZE }

export function setPhase(i: u32, phase: u32): void {
  slotAt(i).phase = phase
}

/** Fills everything of the slots `from` and after but their heads, which tell their phase. */
export function scribble(from: u32): void {
  for (let i = from; i < SOCKET_KE_COUNT; i++) {
    const begin = changetype<usize>(slotAt(i)) + 32
    memory.fill(begin, 0xa5, changetype<usize>(slotAt(i + 1)) - begin)
  }
}
