// No true date lies before this firmware was made.

/** POSIX second of 2026-01-01T00:00:00Z. Moves forward with releases, never back. */
export const BUILD_SECOND: i64 = 1_767_225_600
