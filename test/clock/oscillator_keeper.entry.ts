// The slow model, its keeper and the flash log, for oscillator_keeper.test.ts.

import {
  oscillatorKeeperLoad,
  oscillatorKeeperPoll,
  oscillatorKeeperWrites,
} from '../../firmware/clock/oscillator_keeper'
import { logMount } from '../../firmware/drivers/flash_log'

export * from './oscillator.entry'

export function mount(): bool {
  return logMount()
}
export function keeperLoad(): void {
  oscillatorKeeperLoad()
}
export function keeperPoll(seconds: i64): void {
  oscillatorKeeperPoll(seconds)
}
export function keeperWrites(): u32 {
  return oscillatorKeeperWrites()
}
