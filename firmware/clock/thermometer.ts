// Reads the DS3231's thermometer for the slow model, which wants it about once a minute: the part converts every 64 s.

import { TICK_HZ } from '../../hal/abi'
import { rtcTemperature } from '../drivers/ds3231'
import { oscillatorTemperature } from './oscillator'
import { secondTemperature } from './second_oscillator'

const INTERVAL: u64 = <u64>TICK_HZ * 32
/** Nobody answers: ask again in ten minutes. */
const ABSENT: u64 = <u64>TICK_HZ * 600

let due: u64 = 0

export function thermometerInit(now: u64): void {
  due = now
}

/** At most one transfer of two bytes, seldom. Call it whenever poll() has time. */
export function thermometerPoll(now: u64): void {
  if (now < due) return
  const quarters = rtcTemperature()
  due = now + (quarters === i32.MIN_VALUE ? ABSENT : INTERVAL)
  if (quarters === i32.MIN_VALUE) return
  oscillatorTemperature(quarters << 4)
  secondTemperature(quarters << 4)
}
