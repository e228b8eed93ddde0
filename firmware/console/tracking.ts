// `tracking`: what the clock follows and how well, with the labels of `chronyc tracking`, and below them what only an appliance
// has: the step of the trust ladder with its reason, the alarms, TAI, the leap second.

import { ClockAlarm, clockAlarm, clockAlarmNanos } from '../clock/alarm'
import {
  ClockState,
  clockDisagreement,
  clockErrorNanos,
  clockFrequency,
  clockLeap,
  clockReferenceId,
  clockReferenceTime,
  clockRootDelay,
  clockRootDispersion,
  clockState,
  clockStratum,
  clockTaiOffset,
  ERROR_UNKNOWN,
} from '../clock/clock'
import { disciplineDifference } from '../clock/discipline'
import { leapIsRemembered, leapKnown, leapKnownChange, leapMidnight } from '../clock/leap'
import { Disagreement } from '../clock/vouch'
import { CertificateTime, trustCertificateTime, trustDropped } from '../net/trust'
import { upstreamCount, upstreamUndecided } from '../net/upstream'
import { Instant } from '../time/instant'
import { sayInstant } from './instant'
import { say, sayLine, sayNumber, sayPadded, saySigned } from './text'

const THEN = changetype<Instant>(memory.data(16, 8))

/** Answers `tracking`. `now` in ticks. */
export function sayTracking(now: u64): void {
  sayReference()
  say('Stratum         : ')
  sayNumber(clockStratum())
  sayLine()
  sayReferenceTime()
  sayOffset()
  sayFrequency()
  say('Root delay      : ')
  sayShort(clockRootDelay())
  say('Root dispersion : ')
  sayShort(clockRootDispersion(now))
  say('Leap status     : ')
  sayLeap(clockLeap(now))
  sayTrust(now)
  sayAlarms()
  sayTai(now)
  sayLeapSecond()
}

function sayReference(): void {
  const id = clockReferenceId()
  say('Reference ID    : ')
  if (clockStratum() === 1) say('GPS')
  else if (clockStratum() === 16) say('none')
  else {
    sayNumber(id >> 24)
    for (let shift = 16; shift >= 0; shift -= 8) {
      say('.')
      sayNumber((id >> shift) & 0xff)
    }
  }
  sayLine()
}

function sayReferenceTime(): void {
  clockReferenceTime(THEN)
  say('Ref time (UTC)  : ')
  if (THEN.seconds === 0) say('never')
  else sayInstant(THEN)
  sayLine()
}

/** Truth minus clock at the last pulse. */
function sayOffset(): void {
  if (clockState() !== ClockState.Locked) return
  say('Last offset     : ')
  saySigned(<i64>disciplineDifference())
  say(' ns')
  sayLine()
}

function sayFrequency(): void {
  const ppb = clockFrequency()
  const size = ppb < 0 ? -ppb : ppb
  say('Frequency       : ')
  sayNumber(size / 1000)
  say('.')
  sayPadded(size % 1000, 3)
  say(ppb < 0 ? ' ppm slow' : ' ppm fast')
  sayLine()
}

/** 2^-16 s as seconds with six digits. */
function sayShort(value: u32): void {
  sayNumber(value >> 16)
  say('.')
  sayPadded(<u32>((<u64>(value & 0xffff) * 1_000_000) >> 16), 6)
  say(' seconds')
  sayLine()
}

function sayLeap(indicator: u32): void {
  if (indicator === 0) say('Normal')
  else if (indicator === 1) say('Insert second')
  else if (indicator === 2) say('Delete second')
  else say('Not synchronised')
  sayLine()
}

function sayTrust(now: u64): void {
  say('Trust           : ')
  const state = clockState()
  const error = clockErrorNanos(now)
  if (state === ClockState.Locked) say('locked, the pulses are followed')
  else if (state === ClockState.Holdover) say('holdover, no pulse to be followed')
  else if (state === ClockState.Vouched) say('vouched, the servers are followed')
  else if (state === ClockState.Restored) say('restored, from the clock that runs on its battery')
  else say('unknown, neither sky nor enough servers yet')
  if (error !== ERROR_UNKNOWN) {
    say('; within ')
    sayNumber(error)
    say(' ns')
  }
  sayLine()
  if (upstreamCount() !== 0 && trustCertificateTime() === CertificateTime.Off) {
    say('Certificates    : DATES ARE NOT CHECKED (certificate-time=off)')
    sayLine()
  }
  if (
    state < ClockState.Locked &&
    upstreamUndecided() !== 0 &&
    trustCertificateTime() === CertificateTime.FirstContact
  ) {
    say('Certificates    : without a date they cannot be judged; three servers with different names must agree')
    sayLine()
  }
  if (trustDropped() !== 0) {
    say('Certificates    : ')
    sayNumber(trustDropped())
    say(' servers dropped: not valid at the right time')
    sayLine()
  }
}

function sayAlarms(): void {
  say('Alarm           : ')
  const network = clockDisagreement()
  const pulses = clockAlarm()
  if (network === Disagreement.None && pulses === ClockAlarm.None) say('none')
  if (network !== Disagreement.None) {
    say('gnss-disagrees, ')
    if (network === Disagreement.Seconds) say('whole seconds')
    else if (network === Disagreement.WeekRollover) say('week rollover')
    else if (network === Disagreement.Date) say('date')
    else if (network === Disagreement.Phase) say('phase')
    else if (network === Disagreement.Leap) say('leap second')
    else say('the receiver says spoofed or jammed')
    if (pulses !== ClockAlarm.None) say('; ')
  }
  if (pulses !== ClockAlarm.None) {
    if (pulses === ClockAlarm.Jump) say('pulses jumped by ')
    else if (pulses === ClockAlarm.Label) say('labels jumped by ')
    else if (pulses === ClockAlarm.Shift) say('a shift was followed: ')
    else say('gave in to a step of ')
    saySigned(clockAlarmNanos())
    say(' ns')
  }
  sayLine()
}

function sayTai(now: u64): void {
  const offset = clockTaiOffset(now)
  if (offset === 0) return
  say('TAI - UTC       : ')
  saySigned(offset)
  say(' s')
  sayLine()
}

/** The leap second to come, or the last one that is known of. */
function sayLeapSecond(): void {
  const midnight = leapKnown()
  if (midnight === 0) return
  say('Leap second     : ')
  say(leapKnownChange() > 0 ? 'inserted, ' : 'left out, ')
  THEN.seconds = midnight
  THEN.fraction = 0
  THEN.leap = 0
  sayInstant(THEN)
  say(leapMidnight() === 0 ? ', past' : leapIsRemembered() ? ', remembered' : ', announced')
  sayLine()
}
