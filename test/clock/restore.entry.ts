// The RTC's part of the firmware: restore, comparison, last known good time. The clock follows servers that the test plays.

import {
  clockErrorNanos,
  clockInit,
  clockNow,
  clockPoll,
  clockQuorum,
  clockReceiverAlarm,
  clockState,
} from '../../firmware/clock/clock'
import { clockFloor, lastGood, lastGoodWrites } from '../../firmware/clock/last_good'
import { QUORUM_SIZE, Quorum } from '../../firmware/clock/network'
import { restoreInit, restorePoll, restoreStatus } from '../../firmware/clock/restore'
import { rtcSyncInit, rtcSyncPoll, rtcSyncSettings } from '../../firmware/clock/rtc_sync'
import { logMaintain, logMount } from '../../firmware/drivers/flash_log'
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
