// The outside of a simulated machine: what commands, benches and tests may do with a board without knowing whether the
// module runs in V8 (hal/virtual/machine.ts) or the flash image instruction by instruction (sim/soc/machine.ts).

import type { ConsolePort } from '../hal/virtual/console'
import type { SavedRtc } from '../hal/virtual/rtc'
import type { Ds3231 } from './chips/ds3231'
import type { NorFlash } from './chips/nor_flash'
import type { SimClock } from './clock/clock'
import type { Utc, World } from './world/world'

export interface Counters {
  polls: number
  boots: number
  traps: number
  resets: number
  watchdogs: number
  pulses: number
  interrupts: number
}

export interface Trap {
  nanos: number
  message: string
  stack: string
}

export interface Machine {
  readonly world: World
  readonly clock: SimClock
  readonly rtc: Ds3231
  readonly flash: NorFlash
  readonly console: ConsolePort
  readonly counters: Counters
  readonly traps: Trap[]
  /** True UTC now. */
  utc(): Utc
  /** Virtual time: runs until the clock shows `nanos`. */
  runUntil(nanos: number): void
  /** Real time: runs on Node's event loop until stop(). */
  start(): void
  stop(): void
  /** Something outside the machine's own schedule has happened: looks at once. */
  wake(): void
  /** Types at the console. */
  type(text: string): void
  /** Mains power fails now: flash and RTC keep what they hold. */
  powerOff(): void
  powerOn(): void
  /** The reset button. */
  pressReset(): void
  /** The RTC as it is now, for a later world. */
  saveRtc(): SavedRtc
}
