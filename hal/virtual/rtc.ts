// The DS3231 of a machine: fitted to its world, saved and restored with it.

import { DS3231_STATE_SIZE, Ds3231, Ds3231Host } from '../../sim/chips/ds3231'
import { Random } from '../../sim/world/random'
import type { World } from '../../sim/world/world'

/** A DS3231's state with the true UTC at which it was saved (POSIX seconds, fractional part in nanos). */
export interface SavedRtc {
  state: Uint8Array
  seconds: number
  nanos: number
}

export interface RtcOptions {
  world: World
  /** True time at which it gets power. */
  now: number
  /** What `saveRtc` returned when the world before this one ended. */
  saved?: SavedRtc | undefined
  /** Frequency error at 25 C, parts per million; drawn from the world's seed within +-2 when absent. */
  ppm?: number | undefined
  /** What else its oscillator does; 0: nothing; drawn from the world's seed when absent. */
  seed?: number | undefined
  /** The SQW pin changes. */
  sqw: (level: number, nanos: number) => void
}

export function makeRtc(options: RtcOptions): Ds3231 {
  const { world, now, saved, ppm, seed, sqw } = options
  class Host extends Ds3231Host {
    sqw(level: number, nanos: number): void {
      sqw(level, nanos)
    }
    temperature(nanos: number): number {
      return world.crystal.degreesAt(Math.max(0, nanos))
    }
  }
  const random = new Random(world.seed, 'rtc')
  const drawn = 4 * random.uniform() - 2
  const chip = new Ds3231(new Host(), ppm ?? drawn, seed ?? random.u32() | 1)
  // What is not a state of this model is a battery that was taken out.
  if (saved?.state.length === DS3231_STATE_SIZE) {
    chip.restore(saved.state, (saved.seconds - world.unixOrigin) * 1e9 + saved.nanos)
    chip.powerOn(now)
  }
  return chip
}

/** The RTC as it is now, for a later world. */
export function saveRtc(rtc: Ds3231, world: World, now: number): SavedRtc {
  const state = new Uint8Array(DS3231_STATE_SIZE)
  rtc.save(state, now)
  const { seconds, nanos } = world.utc(now)
  return { state, seconds, nanos }
}
