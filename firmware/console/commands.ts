// The text commands of the serial console: a line in, text out (console/text.ts).
//
//   help     what there is
//   status   one line: the clock's state, its error bound, what was served
//   counts   every counter, one a line
//   tracking what the clock follows, and how well
//   sources  upstream servers, and what they say together
//   authdata their keys and cookies
//   ca       the authority's certificate in PEM: what clients are to trust
//   version  the firmware's version

import { equalsAscii } from '../bytes/ascii'
import {
  ClockState,
  clockAccepted,
  clockErrorNanos,
  clockFrequency,
  clockNow,
  clockRejected,
  clockState,
  clockSteps,
  clockStratum,
  ERROR_UNKNOWN,
} from '../clock/clock'
import { lastGood, lastGoodWrites } from '../clock/last_good'
import { restoreStatus } from '../clock/restore'
import { rtcSyncSettings } from '../clock/rtc_sync'
import { logFaults } from '../drivers/flash_log'
import { ubloxState } from '../drivers/ublox'
import { w5500Status } from '../drivers/w5500'
import { socketCounters } from '../drivers/w5500_socket'
import { udpCounters } from '../drivers/w5500_udp'
import { receiverReason } from '../gnss/receiver'
import { departureCheck, departureDoubt } from '../net/departure'
import { keCounters } from '../net/ke_port'
import { NTP_COUNTS, NtpCount, NtpNote, ntpCounter, ntpNoted } from '../ntp/counters'
import { Instant } from '../time/instant'
import { identityKeeperAuthority, identityKeeperAuthorityLength } from '../tls/identity_keeper'
import { pemEncode } from '../tls/pem'
import { sayInstant } from './instant'
import { lineBytes, lineLength } from './line'
import { say, sayBytes, sayLine, sayNumber, saySigned } from './text'
import { sayTracking } from './tracking'
import { sayAuthData, saySources } from './upstream'

const NOW = changetype<Instant>(memory.data(16, 8))
/** The authority's certificate in PEM: at most 448 bytes of DER, 4/3 of it and the lines around. */
const PEM: usize = memory.data(800, 8)

/** Answers the completed line. `now` in ticks. */
export function consoleCommand(now: u64): void {
  if (is('status')) sayStatus(now)
  else if (is('counts')) sayCounts()
  else if (is('tracking')) sayTracking(now)
  else if (is('sources')) saySources(now)
  else if (is('authdata')) sayAuthData(now)
  else if (is('ca')) sayAuthority()
  else if (is('version')) sayVersion()
  else if (is('help')) sayHelp()
  else {
    say('unknown command; try: help')
    sayLine()
  }
}

function is(command: string): bool {
  return equalsAscii(lineBytes(), lineLength(), command)
}

function sayVersion(): void {
  say('noonmark 0.1.0')
  sayLine()
}

function sayHelp(): void {
  say('commands: status counts tracking sources authdata ca version help')
  sayLine()
}

function sayAuthority(): void {
  const der = identityKeeperAuthority()
  if (der === 0) {
    say('no certificate yet: it is made once the time is known')
    sayLine()
    return
  }
  const length = pemEncode(der, identityKeeperAuthorityLength(), 'CERTIFICATE', PEM)
  sayBytes(PEM, length)
}

/** `status time=... state=... stratum=... ...`: keys and values, so that a program reads it too. */
function sayStatus(now: u64): void {
  clockNow(NOW, now)
  say('status time=')
  sayInstant(NOW)
  say(' state=')
  sayState()
  say(' stratum=')
  sayNumber(clockStratum())
  say(' error=')
  sayError(clockErrorNanos(now))
  say(' frequency=')
  saySigned(clockFrequency())
  say('ppb pulses=')
  sayNumber(clockAccepted())
  say(' ntp=')
  sayNumber(ntpCounter(NtpCount.Served))
  say(' nts=')
  sayNumber(ntpCounter(NtpCount.ServedNts))
  say(' ke=')
  sayNumber(keCounters().served)
  say(' interleaved=')
  sayNumber(ntpNoted(NtpNote.Interleaved) + ntpNoted(NtpNote.InterleavedNts))
  say(' merged=')
  sayNumber(ntpNoted(NtpNote.Merged))
  say(' dropped=')
  sayNumber(dropped())
  sayLine()
}

function sayState(): void {
  const state = clockState()
  if (state === ClockState.Locked) say('locked')
  else if (state === ClockState.Holdover) say('holdover')
  else if (state === ClockState.Vouched) say('vouched')
  else if (state === ClockState.Restored) say('restored')
  else say('unknown')
}

function sayError(nanos: u64): void {
  if (nanos === ERROR_UNKNOWN) say('unknown')
  else {
    sayNumber(nanos)
    say('ns')
  }
}

/** Packets that came to the NTP port and got no answer. */
function dropped(): u32 {
  let count: u32 = 0
  for (let outcome: u32 = NtpCount.Short; outcome < NTP_COUNTS; outcome++) count += ntpCounter(outcome)
  return count
}

function sayCounts(): void {
  sayNtpCounts()
  const ke = keCounters()
  count('ke.connections', ke.connections)
  count('ke.served', ke.served)
  count('ke.refused', ke.refused)
  count('ke.failed', ke.failed)
  count('ke.expired', ke.expired)
  count('ke.last-alert', ke.lastAlert)
  const udp = udpCounters()
  count('udp.received', udp.received)
  count('udp.refused', udp.refused)
  count('udp.sent', udp.sent)
  count('udp.strangers', udp.strangers)
  count('udp.unanswered', udp.unanswered)
  count('udp.no-host', udp.noHost)
  count('udp.no-budget', udp.noBudget)
  const sockets = socketCounters()
  count('udp.exact-stamps', sockets.exactStamps)
  count('udp.merged-stamps', sockets.mergedStamps)
  const departures = departureCheck()
  count('udp.departures-seen', departures.seen)
  count('udp.departures-missed', departures.missed)
  count('udp.departure-doubt-ns', departureDoubt())
  const chip = w5500Status()
  count('w5500.link', chip.link)
  count('w5500.restarts', chip.restarts)
  count('receiver.state', ubloxState())
  count('receiver.reason', receiverReason())
  count('clock.accepted', clockAccepted())
  count('clock.rejected', clockRejected())
  count('clock.steps', clockSteps())
  count('rtc.reason', restoreStatus())
  count('rtc.settings', rtcSyncSettings())
  say('rtc.drift-ppb=')
  saySigned(<i64>(lastGood().drift / 1000))
  sayLine()
  count('rtc.records', lastGoodWrites())
  count('flash.faults', logFaults())
}

function sayNtpCounts(): void {
  count('ntp.served', ntpCounter(NtpCount.Served))
  count('ntp.served-nts', ntpCounter(NtpCount.ServedNts))
  count('ntp.unsynchronized', ntpCounter(NtpCount.Unsynchronized))
  count('ntp.nak-cookie', ntpCounter(NtpCount.NakCookie))
  count('ntp.nak-authenticator', ntpCounter(NtpCount.NakAuthenticator))
  count('ntp.short', ntpCounter(NtpCount.Short))
  count('ntp.long', ntpCounter(NtpCount.Long))
  count('ntp.version', ntpCounter(NtpCount.Version))
  count('ntp.symmetric-active', ntpCounter(NtpCount.SymmetricActive))
  count('ntp.control', ntpCounter(NtpCount.Control))
  count('ntp.mode', ntpCounter(NtpCount.Mode))
  count('ntp.mac', ntpCounter(NtpCount.Mac))
  count('ntp.field', ntpCounter(NtpCount.Field))
  count('ntp.nts-field', ntpCounter(NtpCount.NtsField))
  count('ntp.room', ntpCounter(NtpCount.Room))
  count('ntp.interleaved', ntpNoted(NtpNote.Interleaved))
  count('ntp.interleaved-nts', ntpNoted(NtpNote.InterleavedNts))
  count('ntp.interleaved-unknown', ntpNoted(NtpNote.InterleavedUnknown))
  count('ntp.merged-arrivals', ntpNoted(NtpNote.Merged))
}

function count(name: string, value: u32): void {
  say(name)
  say('=')
  sayNumber(value)
  sayLine()
}
