// What a served clock is worth against the truth: errors, how soon they are small, and whether the bound held.
//
//   normal   from SETTLE seconds after the first pulse on, without outages, spoofs and RECOVERY seconds after them
//   reach    seconds until the error stays below a limit for HOLD seconds
//
// Error = served minus true, ns; in 23:59:60 served as 23:59:59 or 00:00:00 is right.

import type { ClockPlan } from '../sim/world/clock_scenario'
import type { Served } from './clock_room'

const SETTLE = 600
const RECOVERY = 600
const HOLD = 60

/** Errors and bounds at increasing instants. */
export class Series {
  length = 0
  private times = new Float64Array(4096)
  private errors = new Float64Array(4096)
  private bounds = new Float64Array(4096)

  add(seconds: number, error: number, bound: number): void {
    if (this.length === this.times.length) {
      this.times = grown(this.times)
      this.errors = grown(this.errors)
      this.bounds = grown(this.bounds)
    }
    this.times[this.length] = seconds
    this.errors[this.length] = error
    this.bounds[this.length] = bound
    this.length++
  }

  /** True seconds since the start. */
  get seconds(): Float64Array {
    return this.times.subarray(0, this.length)
  }

  get error(): Float64Array {
    return this.errors.subarray(0, this.length)
  }

  get bound(): Float64Array {
    return this.bounds.subarray(0, this.length)
  }

  /** Index of the first instant that is not before `seconds`. */
  indexOf(seconds: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.times[middle]! < seconds) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Served minus true, ns: at `second` and `part` of it, `unix0` being the POSIX second of the start. */
export function servedError(served: Served, unix0: number, second: number, part: number, leapAt?: number): number {
  let whole = served.seconds - unix0 - second
  if (leapAt !== undefined && second >= leapAt) {
    // Inside the inserted second either label will do.
    if (second >= leapAt + 1 || whole + (served.nanos / 1e9 - part) < -0.5) whole++
  }
  return whole * 1e9 + (served.nanos - part * 1e9)
}

export interface Spread {
  count: number
  rms: number
  mean: number
  p99: number
  max: number
}

export interface Score {
  normal: Spread
  /** From the first pulse to an error below 10 us, 1 us, 200 ns for good; undefined: never. */
  reach: { us10: number | undefined; us1: number | undefined; ns200: number | undefined }
  /** Share of all served instants within their own bound. */
  coverage: number
  /** Median bound in normal running. */
  bound: number
  outage?: { end: number; max: number; back: number | undefined }
  spoof?: { max: number; after: number; back: number | undefined }
  leap?: { inside: number; before: number; after: number }
}

/** `first`: true second of the first pulse. */
export function score(series: Series, plan: ClockPlan, first: number): Score {
  const { outages = [], spoofs = [], leapAt } = plan
  const holes = [...outages, ...spoofs].map(([from, to]) => [from, to + RECOVERY] as const)
  if (leapAt !== undefined) holes.push([leapAt, leapAt + 1])
  holes.sort((a, b) => a[0] - b[0])
  const normal: [number, number][] = []
  let from = first + SETTLE
  for (const [begin, end] of [...holes, [plan.duration, plan.duration] as const]) {
    if (begin > from) normal.push([series.indexOf(from), series.indexOf(begin)])
    from = Math.max(from, end)
  }
  const result: Score = {
    normal: spread(normal.flatMap(([a, b]) => [...series.error.subarray(a, b)])),
    reach: {
      us10: reach(series, first, 10_000),
      us1: reach(series, first, 1000),
      ns200: reach(series, first, 200),
    },
    coverage: coverage(series, 0, series.length),
    bound: median(normal.flatMap(([a, b]) => [...series.bound.subarray(a, b)])),
  }
  for (const [begin, end] of outages) {
    const last = series.indexOf(end) - 1
    const inside = largest(series, begin, end)
    result.outage = { end: Math.abs(series.error[last]!), max: inside, back: reach(series, end, 1000) }
  }
  for (const [begin, end] of spoofs) {
    const after = largest(series, end, plan.duration)
    result.spoof = { max: largest(series, begin, end), after, back: reach(series, end, 1000) }
  }
  if (leapAt !== undefined) {
    result.leap = {
      inside: largest(series, leapAt, leapAt + 1),
      before: largest(series, leapAt - 60, leapAt),
      after: largest(series, leapAt + 1, leapAt + 61),
    }
  }
  return result
}

/** Share of instants from index `a` to before `b` whose error is within the bound. */
export function coverage(series: Series, a: number, b: number): number {
  let good = 0
  for (let i = a; i < b; i++) if (Math.abs(series.error[i]!) <= series.bound[i]!) good++
  return good / (b - a)
}

export function largest(series: Series, from: number, to: number): number {
  let most = 0
  for (let i = series.indexOf(from); i < series.indexOf(to); i++) most = Math.max(most, Math.abs(series.error[i]!))
  return most
}

function reach(series: Series, start: number, limit: number): number | undefined {
  const { seconds, error } = series
  let good = Number.NaN
  for (let i = series.indexOf(start); i < series.length; i++) {
    if (Math.abs(error[i]!) >= limit) good = Number.NaN
    else if (Number.isNaN(good)) good = seconds[i]!
    if (seconds[i]! - good >= HOLD) return good - start
  }
  return undefined
}

export function spread(errors: ArrayLike<number>): Spread {
  const sizes = Float64Array.from(errors, Math.abs).sort()
  let sum = 0
  let squares = 0
  for (let i = 0; i < errors.length; i++) {
    sum += errors[i]!
    squares += errors[i]! ** 2
  }
  const at = (part: number) => sizes[Math.min(sizes.length - 1, Math.floor(sizes.length * part))] ?? Number.NaN
  return {
    count: errors.length,
    rms: Math.sqrt(squares / errors.length),
    mean: sum / errors.length,
    p99: at(0.99),
    max: at(1),
  }
}

export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[sorted.length >> 1] ?? Number.NaN
}

function grown(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2)
  larger.set(array)
  return larger
}
