// Keeps the key ring in flash, so that cookies outlive a restart.

import { FlashKey } from '../drivers/flash_keys'
import { logRead, logWrite } from '../drivers/flash_log'
import { KEYRING_SIZE, keyringBlob, keyringCreate, keyringLoad, keyringRotate } from './keyring'

const BLOB: usize = memory.data(304, 8)

/** The ring has changed and is not in flash yet. */
let unsaved: bool = false

/** Takes the stored ring, or makes a new one when there is none. The random generator must have been seeded. */
export function keyringKeeperLoad(): void {
  const length = logRead(FlashKey.Keyring, BLOB, KEYRING_SIZE)
  const loaded = length > 0 && keyringLoad(BLOB, length)
  memory.fill(BLOB, 0, KEYRING_SIZE)
  if (!loaded && keyringCreate()) unsaved = true
}

/** Rotates when due and stores what has changed. `nowSeconds`: POSIX seconds of a trusted clock, 0 when there is none. */
export function keyringKeeperPoll(nowSeconds: i64): void {
  if (nowSeconds > 0 && keyringRotate(nowSeconds)) unsaved = true
  if (unsaved && logWrite(FlashKey.Keyring, keyringBlob(), KEYRING_SIZE)) unsaved = false
}

/** True when the ring in use is also the one in flash. */
export function keyringKeeperSaved(): bool {
  return !unsaved
}
