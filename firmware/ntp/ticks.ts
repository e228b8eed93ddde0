// Ticks as nanoseconds, for the client's arithmetic: 62.5 ns each by name; the crystal's truth is the caller's affair.

/** As `TICK_HZ` of hal/abi.ts. */
export const TICKS_PER_SECOND: u64 = 16_000_000

/** Nanoseconds of a span of ticks; a span may be negative. Good for some centuries. */
export function tickNanos(ticks: i64): i64 {
  return (ticks * 125) >> 1
}
