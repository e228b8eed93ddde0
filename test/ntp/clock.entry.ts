// A clock that says what the test tells it: stands in for firmware/clock/clock.ts when an NTP test is compiled
// (test/ntp/firmware.ts). The values are the host's; its imports are in the module "clock".

import { Instant } from '../../firmware/time/instant'

declare function ticks(): u64
declare function seconds(atTicks: u64): i64
declare function fraction(atTicks: u64): u32
declare function leap(atTicks: u64): u32
declare function stratum(): u32
declare function referenceId(): u32
declare function referenceSeconds(): i64
declare function referenceFraction(): u32
declare function rootDispersion(atTicks: u64, more: u64): u32
declare function precision(): i32
declare function steps(): u32

export function clockTicks(): u64 {
  return ticks()
}
export function clockNow(out: Instant, atTicks: u64): void {
  out.seconds = seconds(atTicks)
  out.fraction = fraction(atTicks)
  out.leap = 0
}
export function clockLeap(atTicks: u64): u32 {
  return leap(atTicks)
}
export function clockStratum(): u32 {
  return stratum()
}
export function clockReferenceId(): u32 {
  return referenceId()
}
export function clockReferenceTime(out: Instant): void {
  out.seconds = referenceSeconds()
  out.fraction = referenceFraction()
  out.leap = 0
}
export function clockRootDispersion(atTicks: u64, more: u64): u32 {
  return rootDispersion(atTicks, more)
}
export function clockRootDelay(): u32 {
  return 0
}
export function clockSteps(): u32 {
  return steps()
}
export function clockPrecision(): i32 {
  return precision()
}
