// The truth that a receiver model looks up to. The world implements it; a test may use `OpenSky`.
//
// Portable subset: compiles as TypeScript and as AssemblyScript.

/** What is true above the antenna. Times are nanoseconds of true time since the world's power-on. */
export abstract class Sky {
  /** POSIX second of UTC at nanos 0: an integer. Second boundaries are at whole multiples of 1e9 nanos. */
  abstract unixOrigin(): f64
  /** GPS - UTC at nanos 0, in whole seconds: 18 since 2017. */
  abstract leapSeconds(): i32
  /** POSIX number of the midnight that follows the next leap second; 0 when none is scheduled. */
  abstract leapMidnight(): f64
  /** +1: 23:59:60 is inserted before that midnight; -1: 23:59:59 is left out; 0: none. */
  abstract leapChange(): i32
  /** True when the antenna sees enough satellites at `nanos`. */
  abstract visible(nanos: f64): bool
}

/** A clear sky: always visible, an optional leap second. */
export class OpenSky extends Sky {
  constructor(
    public origin: f64,
    public leap: i32 = 18,
    public midnight: f64 = 0,
    public change: i32 = 0,
  ) {
    super()
  }

  unixOrigin(): f64 {
    return this.origin
  }

  leapSeconds(): i32 {
    return this.leap
  }

  leapMidnight(): f64 {
    return this.midnight
  }

  leapChange(): i32 {
    return this.change
  }

  visible(nanos: f64): bool {
    return nanos >= 0
  }
}

/** True UTC of the continuous second `k` (boundary at `k * 1e9` nanos): its POSIX number; see `isLeapSecond`. */
export function utcOfSecond(sky: Sky, k: f64): f64 {
  const midnight = sky.leapMidnight()
  const change = sky.leapChange()
  const plain = sky.unixOrigin() + k
  if (change > 0 && plain >= midnight) return plain - 1
  if (change < 0 && plain >= midnight - 1) return plain + 1
  return plain
}

/** True when the continuous second `k` is an inserted 23:59:60. */
export function isLeapSecond(sky: Sky, k: f64): bool {
  return sky.leapChange() > 0 && sky.unixOrigin() + k === sky.leapMidnight()
}

/** GPS - UTC during the continuous second `k`. */
export function leapOfSecond(sky: Sky, k: f64): i32 {
  const midnight = sky.leapMidnight()
  const change = sky.leapChange()
  const plain = sky.unixOrigin() + k
  if (change > 0 && plain > midnight) return sky.leapSeconds() + 1
  if (change < 0 && plain >= midnight - 1) return sky.leapSeconds() - 1
  return sky.leapSeconds()
}
