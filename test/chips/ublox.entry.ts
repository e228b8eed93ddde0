// The u-blox model compiled by AssemblyScript: it must do the same as under Node.

import { OpenSky } from '../../sim/chips/sky'
import { UbloxReceiver } from '../../sim/chips/ublox'

/** A hash over all bytes and edges of `seconds` after power-on, read every millisecond. */
export function digest(generation: i32, seed: i32, seconds: i32): f64 {
  const chip = new UbloxReceiver(new OpenSky(1_798_761_540, 18, 1_798_761_600, 1), seed)
  chip.generation = generation
  chip.zda = true
  chip.coldFix = 8
  chip.leapDelay = 10
  chip.powerOn(0, false)
  let hash: f64 = 0
  for (let i: i32 = 0; i < seconds * 1000; i++) {
    const now = (i as f64) * 1e6
    chip.advance(now)
    for (let byte = chip.readUart(now); byte >= 0; byte = chip.readUart(now)) hash = (hash * 31 + (byte as f64)) % 1e9
    const edge = chip.takePulse(now)
    if (edge >= 0) hash = (hash * 31 + Math.floor((edge % 1e9) * 1000)) % 1e9
  }
  return hash
}
