// The appliance. boot() prepares the parts; poll() lets each do what is due and says when to call again.
//
//   PPS edge, receiver's bytes -> gnss -> clock -> NTP replies
//   RTC -> clock, until the receiver speaks; clock -> RTC, from then on
//   flash -> key ring, identity -> NTS-KE; flash -> what was learnt of the crystal and of the RTC -> clock
//   upstream servers -> samples, and what they say together
//
// One thread, no waiting: a poll() does at most one NTP request and a bounded share of the public-key work. NTP comes
// first. Nothing here allocates; every buffer is static.

import {
  aes_encrypt,
  aes_load,
  Channel,
  capture,
  console_read,
  console_write,
  entropy,
  Feature,
  features,
  Pin,
  pin_write,
  TICK_HZ,
  ticks,
  uart_read,
  watchdog,
} from '../hal/abi'
import {
  ClockState,
  clockContradicted,
  clockErrorNanos,
  clockHoldoverLimit,
  clockInit,
  clockNow,
  clockPoll,
  clockPulse,
  clockReceiverAlarm,
  clockRehearse,
  clockState,
} from './clock/clock'
import { disciplineCalibrate } from './clock/discipline'
import { oscillatorKeeperLoad, oscillatorKeeperPoll } from './clock/oscillator_keeper'
import { restoreAge, restoreInit, restorePoll } from './clock/restore'
import { rtcSyncInit, rtcSyncPoll } from './clock/rtc_sync'
import { waveInit, wavePoll } from './clock/rtc_wave'
import { smearInit, smearPoll } from './clock/smear'
import { thermometerInit, thermometerPoll } from './clock/thermometer'
import { consoleCommand } from './console/commands'
import { lineTake } from './console/line'
import { say, sayBytes, sayLine, sayNumber, textBytes, textDrained, textLength } from './console/text'
import { aesUseAccelerator } from './crypto/aes'
import { wipe } from './crypto/constant_time'
import { drbgReseed, drbgSeed } from './crypto/drbg'
import { optionFault, optionLength, optionNumber, optionSwitch, optionText } from './drivers/board_options'
import {
  Calibration,
  settingsAddress,
  settingsCalibration,
  settingsGateway,
  settingsKePort,
  settingsMac,
  settingsMask,
  settingsNames,
  settingsNamesLength,
  settingsNtpPort,
  settingsRead,
} from './drivers/board_settings'
import { logMaintain, logMount } from './drivers/flash_log'
import { ubloxInit, ubloxPoll } from './drivers/ublox'
import { ethernetDeadline, ethernetPoll, ethernetStart } from './drivers/w5500_ethernet'
import {
  receiverBytes,
  receiverContradicted,
  receiverHint,
  receiverInit,
  receiverLabel,
  receiverPoll,
  receiverPulse,
  receiverPulsesLost,
  receiverValid,
  receiverWarns,
} from './gnss/receiver'
import { kePortIsOpen, kePortOpen, kePortPoll } from './net/ke_port'
import { ntpPortOpen, ntpPortPoll } from './net/ntp_port'
import { trustConsider, trustInit, trustPoll, trustWaits } from './net/trust'
import { upstreamDue, upstreamInit, upstreamPoll } from './net/upstream'
import { keyringKeeperLoad, keyringKeeperPoll } from './nts/keyring_keeper'
import { Instant } from './time/instant'
import {
  identityKeeperCredentials,
  identityKeeperLoad,
  identityKeeperPoll,
  identityKeeperStep,
} from './tls/identity_keeper'

const SECOND: u64 = <u64>TICK_HZ

/** No slice of public-key work (at most 25,000 instructions, 160 us) begins this long after poll(): 50 us. */
const WORK_TICKS: u64 = 800

/** A receiver's part longer than this leaves the network's, which may take 220 us, to the next poll(): 12.5 us. */
const RECEIVER_TICKS: u64 = 200

/** An NTP reply takes longer than this; public-key work and the clock's then wait for the next poll(): 12.5 us. */
const SERVED_TICKS: u64 = 200

/** For so long at most: 50 ms. */
const CHORE_PATIENCE: u64 = SECOND / 20

/** Flash is erased only while the next pulse is at least this far: 0.45 s, when an erase may take 0.4 s. */
const ERASE_CLEARANCE: u32 = 0x7333_3333

/** Fresh entropy for the random generator every ten minutes. */
const RESEED_INTERVAL: u64 = SECOND * 600
const SEED_SIZE: u32 = 64

/** More than the UART's FIFO can hold, in reads of BYTES_SIZE. */
const STALE_READS: u32 = 64

const CAPTURE: usize = memory.data(16, 8)
const BYTES: usize = memory.data(128, 8)
const BYTES_SIZE: u32 = 128
const SEED: usize = memory.data(64, 8)
const NOW = changetype<Instant>(memory.data(16, 8))

let pulses: u32 = 0
let ubloxDue: u64 = 0
let clockDue: u64 = 0
let rtcDue: u64 = 0
let restoreDue: u64 = 0
let secondDue: u64 = 0
let reseedDue: u64 = 0
let seeded: bool = false
/** A pulse has its label; the clock has yet to follow it. */
let labelled: bool = false
let upstreamFirst: bool = false

export function boot(): void {
  const now = ticks()
  settingsRead()
  if ((features() & Feature.Aes) !== 0) aesUseAccelerator(aes_load, aes_encrypt)
  seed()
  clockInit()
  disciplineCalibrate(
    <f64>settingsCalibration(Calibration.PulseDelay) / 1000,
    <f64>settingsCalibration(Calibration.PulseResidual) / 1000,
  )
  if (!logMount()) {
    say('fault: the flash cannot be used')
    sayLine()
  }
  restoreInit()
  rtcSyncInit()
  waveInit()
  receiverInit()
  // What has come before now was said to an earlier boot, at whatever rate.
  for (let i: u32 = 0; i < STALE_READS && uart_read(BYTES, BYTES_SIZE) !== 0; i++);
  ubloxInit(now)
  capture(Channel.Pps, CAPTURE)
  pulses = load<u32>(CAPTURE)
  keyringKeeperLoad()
  oscillatorKeeperLoad()
  thermometerInit(now)
  identityKeeperLoad(settingsNames(), settingsNamesLength(), settingsAddress())
  ethernetStart(settingsMac(), settingsAddress(), settingsMask(), settingsGateway(), now)
  ntpPortOpen(settingsNtpPort())
  smearInit(optionSwitch('smear', false))
  clockHoldoverLimit(<u64>optionNumber('holdover-limit', 1, 10_000, 10) * 1_000_000)
  trustInit()
  upstreamInit(now)
  reseedDue = now + RESEED_INTERVAL
  everySecond(now)
  say('noonmark boot features=')
  sayNumber(features())
  sayLine()
  sayOptionFaults()
}

/** One past the last byte of memory that is ever used: a machine that is short of RAM need not provide whole pages. */
export function memory_end(): u32 {
  return <u32>__heap_base
}

/** Serves what is due; returns the tick at which it wants to run again at the latest. */
export function poll(): u64 {
  const now = ticks()
  takePulse(now)
  takeReceiver(now)
  // The receiver's part was long: the network's gets a poll() of its own. Arrival times are captured by the machine.
  if (ticks() - now > RECEIVER_TICKS) return now
  const more = serveNetwork(now)
  const free = ticks() - now < SERVED_TICKS || now > min(clockDue, secondDue) + CHORE_PATIENCE
  // A slice of the clock's may take 17,000 instructions, a selection of servers 20,000: each has a poll() of its own.
  const sliced = free && now >= clockDue
  if (sliced) clockDue = clockPoll(now)
  restoreDue = restorePoll(now)
  if (now >= rtcDue) rtcDue = rtcSyncPoll(now)
  // clockPoll() comes twice a second, so the thermometer finds a poll() without the second's work.
  if (free && !sliced) {
    if (now >= secondDue) everySecond(now)
    else if (trustWaits()) trustConsider(now)
  }
  if (now < secondDue) thermometerPoll(now)
  openDoors()
  serveConsole()
  return more || labelled ? now : nextDue(now)
}

/** The start of a second, as the machine captured it. */
function takePulse(now: u64): void {
  capture(Channel.Pps, CAPTURE)
  const count = load<u32>(CAPTURE)
  if (count === pulses) return
  const edge = load<u64>(CAPTURE, 8)
  if (count - pulses > 1) receiverPulsesLost()
  pulses = count
  receiverPulse(edge, now)
  if (!receiverValid()) clockRehearse(edge)
}

/** The receiver's words; and, in a poll() of its own, what they make of the last pulse. */
function takeReceiver(now: u64): void {
  if (labelled) {
    labelled = false
    followPulse(now)
    return
  }
  for (let length = uart_read(BYTES, BYTES_SIZE); length !== 0; length = uart_read(BYTES, BYTES_SIZE)) {
    receiverBytes(BYTES, length, now)
    ubloxDue = now
  }
  if (now >= ubloxDue) ubloxDue = ubloxPoll(now)
  labelled = receiverPoll(now)
  if (!labelled && receiverContradicted()) clockContradicted(receiverLabel())
}

function followPulse(now: u64): void {
  const before = clockState()
  clockPulse(receiverLabel(), now)
  // What waits for the time need not wait for the next second too.
  if (clockState() !== before) secondDue = now
}

/** NTP first; in a poll() without a reply, slices of public-key work. True when there is more to do at once. */
function serveNetwork(now: u64): bool {
  ethernetPoll(now)
  const begun = ticks()
  if (ntpPortPoll(now) || ticks() - begun > SERVED_TICKS || choresWait(now)) return true
  do {
    if (!serveStreams(now) && !identityKeeperStep()) return false
  } while (ticks() - now < WORK_TICKS)
  return true
}

/** The clock or the second has something to do: public-key work waits for the next poll(). */
function choresWait(now: u64): bool {
  return now >= clockDue || now >= secondDue || trustWaits()
}

/** The KE port and the upstream take turns in going first. */
function serveStreams(now: u64): bool {
  upstreamFirst = !upstreamFirst
  return upstreamFirst ? upstreamPoll(now) || kePortPoll(now) : kePortPoll(now) || upstreamPoll(now)
}

/** Called from boot() too, so that the compiler leaves it a function: poll() runs from RAM, this need not. */
function everySecond(now: u64): void {
  secondDue = now + SECOND
  watchdog()
  wavePoll()
  if (now >= reseedDue) {
    reseedDue = now + RESEED_INTERVAL
    seed()
  }
  const locked = clockState() === ClockState.Locked
  pin_write(Pin.LedLocked, locked ? 1 : 0)
  clockNow(NOW, now)
  if (clockState() !== ClockState.Unknown && !locked) receiverHint(NOW, now, clockErrorNanos(now))
  if (NOW.fraction < ERASE_CLEARANCE) logMaintain()
  smearPoll(NOW.seconds)
  restoreAge(now)
  if (receiverWarns()) clockReceiverAlarm()
  trustPoll(now)
  if (locked) oscillatorKeeperPoll(NOW.seconds)
  // In holdover the time is still good enough for dates.
  if (clockState() < ClockState.Locked) {
    keyringKeeperPoll(0)
    return
  }
  keyringKeeperPoll(NOW.seconds)
  identityKeeperPoll(NOW.seconds)
}

/** Opens the KE port once there is a certificate to show, and says so. */
function openDoors(): void {
  if (kePortIsOpen() || identityKeeperCredentials() === 0) return
  kePortOpen(settingsKePort(), settingsNtpPort())
  say('ready')
  sayLine()
}

function serveConsole(): void {
  for (let length = console_read(BYTES, BYTES_SIZE); length !== 0; length = console_read(BYTES, BYTES_SIZE)) {
    for (let i: u32 = 0; i < length; i++) if (lineTake(<u32>load<u8>(BYTES + i))) consoleCommand(ticks())
  }
  const length = textLength()
  if (length !== 0) textDrained(console_write(textBytes(), <u32>length))
}

function nextDue(now: u64): u64 {
  let due = ethernetDeadline(now)
  if (ubloxDue < due) due = ubloxDue
  if (clockDue < due) due = clockDue
  if (rtcDue < due) due = rtcDue
  if (restoreDue < due) due = restoreDue
  if (secondDue < due) due = secondDue
  if (trustWaits()) return now
  const upstream = upstreamDue(now)
  if (upstream < due) due = upstream
  return due
}

/** Options that do nothing: misspelt, or with a value that their reader cannot use. */
function sayOptionFaults(): void {
  for (let i: u32 = 0; optionFault(i); i++) {
    say('fault: this option means nothing: ')
    sayBytes(optionText(), optionLength())
    sayLine()
  }
}

/** Gives the random generator fresh entropy. A source that fails its tests leaves it as it is: unseeded, if it was. */
function seed(): void {
  if (entropy(SEED, SEED_SIZE) !== 0) {
    say('fault: no entropy')
    sayLine()
  } else if (seeded) drbgReseed(SEED, SEED_SIZE)
  else {
    drbgSeed(SEED, SEED_SIZE)
    seeded = true
  }
  wipe(SEED, SEED_SIZE)
}
