import { CIVIL_SIZE, Civil } from '../../firmware/time/civil'

export { daysFromCivil, weekday } from '../../firmware/time/civil'
export { fractionFromNanos, nanosFromFraction, ntpSeconds, unixFromNtp } from '../../firmware/time/instant'

import { civilFromUnix, unixFromCivil } from '../../firmware/time/civil'

export const CIVIL: usize = memory.data(CIVIL_SIZE, 8)

export function toCivil(seconds: i64): void {
  civilFromUnix(seconds, changetype<Civil>(CIVIL))
}

export function fromCivil(): i64 {
  return unixFromCivil(changetype<Civil>(CIVIL))
}
