// Instants as text: ISO 8601 with milliseconds, `2026-11-22T14:56:16.542Z`. During a leap second the seconds read 60.

import { Civil, civilFromUnix } from '../time/civil'
import { Instant, nanosFromFraction } from '../time/instant'
import { say, sayPadded } from './text'

const CIVIL = changetype<Civil>(memory.data(24, 8))

export function sayInstant(instant: Instant): void {
  civilFromUnix(instant.seconds, CIVIL)
  sayPadded(CIVIL.year, 4)
  say('-')
  sayPadded(CIVIL.month, 2)
  say('-')
  sayPadded(CIVIL.day, 2)
  say('T')
  sayPadded(CIVIL.hour, 2)
  say(':')
  sayPadded(CIVIL.minute, 2)
  say(':')
  sayPadded(instant.leap !== 0 ? 60 : CIVIL.second, 2)
  say('.')
  sayPadded(nanosFromFraction(instant.fraction) / 1_000_000, 3)
  say('Z')
}
