// The RTC's part of the firmware: restore, comparison, last known good time. The clock follows servers that the test plays.

import {
  clockErrorNanos,
  clockInit,
  clockLeap,
  clockNow,
  clockPoll,
  clockQuorum,
  clockReceiverAlarm,
  clockState,
  clockTaiOffset,
} from '../../firmware/clock/clock'
import { clockFloor, LAST_GOOD_SIZE, lastGood, lastGoodWrites } from '../../firmware/clock/last_good'
import { leapContinuous, leapHear, leapKnown, leapMidnight } from '../../firmware/clock/leap'
import { QUORUM_SIZE, Quorum } from '../../firmware/clock/network'
import { restoreAge, restoreInit, restorePoll, restoreStatus } from '../../firmware/clock/restore'
import { leapDoubt } from '../../firmware/clock/rtc_drift'
import { rtcSyncInit, rtcSyncPoll, rtcSyncSettings } from '../../firmware/clock/rtc_sync'
import { FlashKey } from '../../firmware/drivers/flash_keys'
import { logMaintain, logMount, logWrite } from '../../firmware/drivers/flash_log'
import { Pulse } from '../../firmware/gnss/pulse'
import { Instant } from '../../firmware/time/instant'

const QUORUM: Quorum = changetype<Quorum>(memory.data(QUORUM_SIZE, 8))
const NOW: Instant = changetype<Instant>(memory.data(16, 8))

export function boot(): u32 {
  clockInit()
  logMount()
  restoreInit()
  rtcSyncInit()
  return restoreStatus()
}
export function restore(now: u64): u64 {
  restoreAge(now)
  return restorePoll(now)
}
export function sync(now: u64): u64 {
  clockPoll(now)
  return rtcSyncPoll(now)
}
export function maintain(): bool {
  return logMaintain()
}
/** A majority of servers has the time within `error` ns. */
export function quorum(now: u64, utc: i64, error: i64): void {
  QUORUM.ticks = now
  QUORUM.utc = utc
  QUORUM.low = utc - error
  QUORUM.high = utc + error
  QUORUM.stratum = 1
  clockQuorum(QUORUM, now)
}
export function alarm(): void {
  clockReceiverAlarm()
}
export function state(): u32 {
  return clockState()
}
export function seconds(now: u64): i64 {
  clockNow(NOW, now)
  return NOW.seconds
}
export function fraction(now: u64): u32 {
  clockNow(NOW, now)
  return NOW.fraction
}
export function bound(now: u64): u64 {
  return clockErrorNanos(now)
}
export function floor(): i64 {
  return clockFloor()
}
export function settings(): u32 {
  return rtcSyncSettings()
}
export function writes(): u32 {
  return lastGoodWrites()
}
export function lastUtc(): i64 {
  return lastGood().utc
}
export function drift(): i32 {
  return lastGood().drift
}
export function spread(): u32 {
  return lastGood().spread
}
export function samples(): u32 {
  return lastGood().samples
}

// ---- Leap seconds

const PULSE: Pulse = changetype<Pulse>(memory.data(40, 8))

/** Three pulses say what TAI - UTC is, and announce the leap second at `midnight`, or none. */
export function announce(now: u64, tai: i32, midnight: i64, change: i32): void {
  for (let i = 0; i < 3; i++) {
    clockNow(NOW, now)
    PULSE.second = NOW.seconds
    PULSE.leapWarning = <i8>change
    PULSE.leapAt = midnight === 0 ? 0 : midnight - 1
    PULSE.taiOffset = tai
    PULSE.valid = 1
    leapHear(PULSE, leapContinuous(PULSE))
  }
}
export function tai(now: u64): i32 {
  return clockTaiOffset(now)
}
/** The leap indicator, and the leap second that is known of. */
export function indicator(now: u64): u32 {
  return clockLeap(now)
}
export function knownLeap(): i64 {
  return leapKnown()
}
export function armedLeap(): i64 {
  return leapMidnight()
}
/** What the servers say of a leap second: 0 none, 1, 2, or 3: nothing. */
export function serversSay(leap: u32): void {
  QUORUM.leap = leap
}
/** Seconds that a boot at `to` allows for leap seconds since `from`. */
export function missed(from: i64, to: i64, known: i64): u32 {
  return <u32>(leapDoubt(from, to, known) / 1_000_000_000)
}
/** The record in flash, with one byte changed. */
export function spoil(at: usize, byte: u32): void {
  store<u8>(changetype<usize>(lastGood()) + at, byte)
  logWrite(FlashKey.LastGood, changetype<usize>(lastGood()), LAST_GOOD_SIZE)
}
export function recordByte(at: usize): u32 {
  return load<u8>(changetype<usize>(lastGood()) + at)
}
