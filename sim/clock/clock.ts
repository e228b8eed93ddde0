// The one clock of the simulation. Everything that happens in a world happens at a reading of this clock.
//
// The specification, for both kinds:
//
//   nanos       f64, nanoseconds of true time since the world's power-on. Never goes back. The spacing of doubles is below
//               0.1 ns for the first 5 days and below 4 ns for the first half year.
//   unixOrigin  integer, the POSIX second (UTC) of true time at nanos 0. UTC = unixOrigin + nanos / 1e9, less the leap
//               seconds that the world has inserted since (sim/world/world.ts knows them).
//
//   VirtualClock stands still until somebody moves it: as fast as possible, and the same every time.
//   RealClock follows the host's CLOCK_REALTIME, which it takes for the truth, to about a microsecond.
//
// How RealClock reads CLOCK_REALTIME in Node, where only whole milliseconds of it are to be had: it never trusts one
// reading. `Date.now()` returning D between two readings m1, m2 of the monotonic clock says that realtime minus monotonic
// lies in (D - m2, D + 1 ms - m1). Many such intervals are intersected; those taken around a millisecond's change are
// narrow. Both clocks are slewed alike by the host, so the difference stays until somebody *steps* the host's clock;
// then an interval misses the intersection, which starts anew.
//
//   A step forward is followed at once: nanos jumps, as if nobody had looked for that long.
//   A step back of up to `FREEZE_LIMIT` is followed by standing still until the host has caught up.
//   A larger step back cannot be followed within one world: `lost` becomes true and time runs on along the old line.
//   `steps` counts them all, `lastStep` holds the last one in nanoseconds (positive: the host went forward).

export interface SimClock {
  readonly unixOrigin: number
  /** Nanoseconds of true time since the world's power-on. */
  now(): number
}

/** Stands still until it is moved. */
export class VirtualClock implements SimClock {
  private nanos = 0

  constructor(readonly unixOrigin: number) {
    if (!Number.isInteger(unixOrigin)) throw new RangeError('unixOrigin is a whole second')
  }

  now(): number {
    return this.nanos
  }

  /** Moves on to `nanos`; an instant of the past leaves the clock where it is. */
  advanceTo(nanos: number): void {
    if (nanos > this.nanos) this.nanos = nanos
  }
}

/** What RealClock reads; a test puts its own here. */
export interface HostTime {
  /** Monotonic nanoseconds. */
  monotonic(): bigint
  /** CLOCK_REALTIME in whole milliseconds, rounded down. */
  millis(): number
}

export const HOST: HostTime = { monotonic: () => process.hrtime.bigint(), millis: () => Date.now() }

/** Steps back up to this many nanoseconds are waited out. */
export const FREEZE_LIMIT = 250_000_000

/** A bound may miss the intersection by this much before it counts as a step: the host slews while we look. */
const SLACK = 20_000

/** The intersection forgets at this rate, nanoseconds a second. Hosts slew both clocks alike; this is for rounding. */
const FORGET = 5

const MILLI = 1_000_000

export class RealClock implements SimClock {
  readonly unixOrigin: number
  steps = 0
  lastStep = 0
  lost = false

  /** Monotonic reading at construction: all arithmetic is relative to it, in doubles. */
  private readonly start: bigint
  /** realtime - monotonic lies between these (nanoseconds, relative to unixOrigin and start). */
  private low = Number.NEGATIVE_INFINITY
  private high = Number.POSITIVE_INFINITY
  private boundsAt = 0
  /** realtime - monotonic as served. */
  private offset: number
  private last = 0

  /** Looks at the host's clock for some `settle` milliseconds; then nanos 0 is the host's present time. */
  constructor(
    private readonly host: HostTime = HOST,
    settle = 12,
    unixOrigin?: number,
  ) {
    this.start = host.monotonic()
    this.unixOrigin = unixOrigin ?? Math.floor(host.millis() / 1000)
    const until = this.monotonic() + settle * MILLI
    do this.observe()
    while (this.monotonic() < until)
    this.offset = (this.low + this.high) / 2
  }

  /** Half the width of what is known about the host's clock, in nanoseconds. */
  get uncertainty(): number {
    return (this.high - this.low) / 2
  }

  now(): number {
    const nanos = this.monotonic() + this.offset
    if (nanos > this.last) this.last = nanos
    return this.last
  }

  /** Looks at the host's clock again. Cheap; call it about once a second. Returns false after a step. */
  recheck(): boolean {
    const before = this.steps
    this.observe()
    if (this.steps === before) {
      // Glide inside the bounds: the served line moves only when they leave it.
      const middle = (this.low + this.high) / 2
      if (this.offset < this.low || this.offset > this.high) this.offset = middle
    }
    return this.steps === before
  }

  private monotonic(): number {
    return Number(this.host.monotonic() - this.start)
  }

  private observe(): void {
    const before = this.monotonic()
    const millis = this.host.millis()
    const after = this.monotonic()
    const realtime = (millis - this.unixOrigin * 1000) * MILLI
    const low = realtime - after
    const high = realtime + MILLI - before
    const age = Math.max(0, after - this.boundsAt)
    this.boundsAt = after
    this.low -= (age * FORGET) / 1e9
    this.high += (age * FORGET) / 1e9
    if (low > this.high + SLACK || high < this.low - SLACK) {
      this.step(low, high)
    } else {
      const wanted = { low: Math.max(this.low, low), high: Math.min(this.high, high) }
      if (wanted.low <= wanted.high) {
        this.low = wanted.low
        this.high = wanted.high
      }
    }
  }

  private step(low: number, high: number): void {
    const size = (low + high) / 2 - this.offset
    this.steps++
    this.lastStep = size
    this.low = low
    this.high = high
    if (size < -FREEZE_LIMIT) this.lost = true
    else this.offset = (low + high) / 2
  }
}
