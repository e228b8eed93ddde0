// Instants of UTC: seconds since 1970-01-01T00:00:00Z (POSIX, leap seconds not counted) and a binary fraction.
//
// Seconds are signed 64-bit, so no era ever ends; NTP's 32-bit eras (RFC 5905, section 6) exist on the wire only.

/** `seconds i64 | fraction u32 | leap u32`, 16 bytes, 8-aligned. */
@unmanaged
export class Instant {
  /** Whole seconds since 1970, UTC. */
  seconds: i64
  /** 2^-32 seconds. */
  fraction: u32
  /** 1 inside an inserted leap second (23:59:60, `seconds` then repeats 23:59:59); else 0. */
  leap: u32
}

/** Bytes of an `Instant`. */
export const INSTANT_SIZE: usize = 16

/** 1970 minus 1900, in seconds (RFC 5905, figure 4). */
export const NTP_UNIX_OFFSET: i64 = 2_208_988_800

/** The 32-bit NTP era seconds of a POSIX second; the era is dropped (RFC 5905, section 6). */
export function ntpSeconds(unixSeconds: i64): u32 {
  return <u32>(unixSeconds + NTP_UNIX_OFFSET)
}

/** The POSIX second nearest to `pivot` whose NTP era seconds are `era`; right within +-68 years of the pivot. */
export function unixFromNtp(era: u32, pivot: i64): i64 {
  return pivot + <i64>(<i32>(era - ntpSeconds(pivot)))
}

/** Nanoseconds (0..999999999) to 2^-32 seconds, rounded to nearest, saturated below one second. */
export function fractionFromNanos(nanos: u32): u32 {
  const fraction = (((<u64>nanos) << 32) + 500_000_000) / 1_000_000_000
  return fraction > 0xffff_ffff ? 0xffff_ffff : <u32>fraction
}

/** 2^-32 seconds to nanoseconds, rounded down: 0..999999999. */
export function nanosFromFraction(fraction: u32): u32 {
  return <u32>((<u64>fraction * 1_000_000_000) >> 32)
}
