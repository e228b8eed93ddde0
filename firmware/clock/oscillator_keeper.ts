// Keeps what was learnt of the crystal in flash: soon after there is something worth keeping, and then every six hours.

import { FlashKey } from '../drivers/flash_keys'
import { logRead, logWrite } from '../drivers/flash_log'
import { MEMORY_SIZE, memoryRecall, memoryStore } from './oscillator_memory'

const BLOB: usize = memory.data(<i32>MEMORY_SIZE, 8)

const SIX_HOURS: i64 = 21_600
/** Between two attempts, s. */
const RETRY: i64 = 60

let due: i64 = 0
let writes: u32 = 0

/** Takes what an earlier boot has learnt. Call it once, after `clockInit` and when the log is mounted. */
export function oscillatorKeeperLoad(): void {
  due = 0
  writes = 0
  const length = logRead(FlashKey.Oscillator, BLOB, MEMORY_SIZE)
  if (length > 0) memoryRecall(BLOB, length)
}

/** Stores when it is time to. `nowSeconds`: POSIX seconds of a locked clock. Most calls do nothing. */
export function oscillatorKeeperPoll(nowSeconds: i64): void {
  if (due !== 0 && nowSeconds < due && nowSeconds > due - 2 * SIX_HOURS) return
  due = nowSeconds + RETRY
  if (!memoryStore(BLOB) || !logWrite(FlashKey.Oscillator, BLOB, MEMORY_SIZE)) return
  writes++
  due = nowSeconds + SIX_HOURS
}

/** How often it was written since boot. */
export function oscillatorKeeperWrites(): u32 {
  return writes
}
