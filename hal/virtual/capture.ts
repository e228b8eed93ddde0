// Edge capture as the ESP32-C3 does it: an interrupt handler reads the tick counter. The edge's own time is known
// exactly; the handler is late by a latency that is drawn for each edge, and now and then by much more.

import type { Crystal } from '../../sim/world/crystal'
import { Random } from '../../sim/world/random'

export interface CaptureOptions {
  /** Mean and standard deviation of the handler's latency, nanoseconds; it is never below `minimum`. */
  mean: number
  jitter: number
  minimum: number
  /** Chance that a capture is late by a further `lateFrom` to `lateTo` nanoseconds: another handler was running. */
  lateChance: number
  lateFrom: number
  lateTo: number
}

/** A GPIO interrupt handler in RAM. */
export const INTERRUPT: CaptureOptions = {
  mean: 1200,
  jitter: 80,
  minimum: 700,
  lateChance: 0.01,
  lateFrom: 2000,
  lateTo: 6000,
}

/** No error but the counter's own resolution. */
export const PERFECT: CaptureOptions = { mean: 0, jitter: 0, minimum: 0, lateChance: 0, lateFrom: 0, lateTo: 0 }

/** The latest edge of one channel. */
export class Capture {
  count = 0
  ticks = 0
  /** Edge and capture of the latest edge in true nanos; for tests. */
  edgeNanos = Number.NEGATIVE_INFINITY
  capturedNanos = Number.NEGATIVE_INFINITY
  private readonly random: Random

  constructor(
    private readonly crystal: Crystal,
    seed: number,
    name: string,
    private readonly options: CaptureOptions,
  ) {
    this.random = new Random(seed, `capture-${name}`)
  }

  edge(nanos: number): void {
    const { mean, jitter, minimum, lateChance, lateFrom, lateTo } = this.options
    let latency = Math.max(minimum, mean + jitter * this.random.normal())
    const late = this.random.uniform() < lateChance
    const more = lateFrom + (lateTo - lateFrom) * this.random.uniform()
    if (late) latency += more
    this.count = (this.count + 1) >>> 0
    this.edgeNanos = nanos
    this.capturedNanos = nanos + latency
    this.ticks = this.crystal.ticks(nanos + latency)
  }
}
