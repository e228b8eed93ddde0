// Sets up a u-blox receiver on the UART, and notices when that must be done again.
//
//     Search -> Identify -> Speed -> Configure -> Running
//        ^          |          |                     |
//        |          v          |                     |   silence for SILENT, or NMEA after it was switched off:
//        +----- Listening      +---------------------+   the receiver has restarted and lost its settings
//
// Search tries the rates in turn until something with a valid checksum is heard. Identify polls MON-VER: who does not
// answer is an NMEA-only part, or our TX is not wired, and is listened to as it is. Settings go to the receiver's RAM
// only: a restart gives its own defaults back, and nothing wears out. Receivers of protocol 27 and later (F9, M9, M10)
// take CFG-VALSET, older ones CFG-PRT, CFG-MSG, CFG-RATE, CFG-NAV5 and CFG-TP5.
//
// The time pulse: 1 Hz, rising edge, aligned to the time of week, on the UTC grid, so that TIM-TP names the pulse in the
// same scale as NAV-PVT and the two can be compared; length 0 while not locked and 100 ms while locked, so that a
// receiver that does not know the time gives no pulse at all.
//
// In: ticks, and what the stream parser heard (`ubloxHeard...`). Out: bytes and rates on the UART.
// u-blox 8/M8 protocol specification UBX-13003221, chapters 31-32; M10 interface description UBX-21035062, chapter 6.

import { TICK_HZ, uart_configure, uart_write } from '../../hal/abi'
import { storeU16le, storeU32le } from '../bytes/endian'
import { UBX_HEADER, Ubx, ubxSeal } from './ubx_frame'

/** `hal/abi` TICK_HZ, for rooms that may not speak to the machine. */
export const TICKS_PER_SECOND: u64 = <u64>TICK_HZ

export const enum UbloxState {
  /** Looking for the rate. */
  Search = 0,
  /** Asking for MON-VER. */
  Identify = 1,
  /** Raising the rate. */
  Speed = 2,
  Configure = 3,
  /** All that the receiver accepts is set; UBX is coming. */
  Running = 4,
  /** Nobody acknowledges: whatever comes is taken as it is. */
  Listening = 5,
}

const MILLISECOND: u64 = TICKS_PER_SECOND / 1000
/** The rate that is aimed at, and how many there are to try. */
const FAST: u32 = 115_200
const RATES: u32 = 3
/** Time for each rate in a search: an epoch is heard, whatever its phase. */
const DWELL: u64 = 1500 * MILLISECOND
/** A boot at a tick before this is one after power-on. */
const POWER_ON: u64 = 3 * TICKS_PER_SECOND
/** Time for an answer or acknowledgement, and how often it is asked for. */
const PATIENCE: u64 = 1000 * MILLISECOND
const TRIES: u32 = 3
/** The receiver takes its new rate after its own output has drained. */
const SETTLE: u64 = 300 * MILLISECOND
/** No valid message for so long: the receiver has restarted at another rate, or is gone. */
const SILENT: u64 = 5 * TICKS_PER_SECOND
/** A part that does not answer is asked again after this. */
const ASK_AGAIN: u64 = 60 * TICKS_PER_SECOND
/** NMEA is switched off only after a time message came in UBX; it is waited for so long. */
const PROOF: u64 = 3 * TICKS_PER_SECOND

/** Largest frame built here: CFG-VALSET of the time pulse. */
const FRAME_MAX: u32 = 160
const FRAME: usize = memory.data(FRAME_MAX, 8)

const VALSET_STEPS: u32 = 9
const OLD_STEPS: u32 = 11
/** The first protocol version with CFG-VALSET, in hundredths. */
const VALSET_PROTOCOL: u32 = 2700

let state: u32 = UbloxState.Search
let deadline: u64 = 0
let rateIndex: u32 = 0
let baud: u32 = 9600
let tries: u32 = 0
let step: u32 = 0
let asked: bool = false
/** The fast rate did not work: stay at the one that was found. */
let speedFailed: bool = false
/** Rate to switch our own UART to once the command has left; 0 none. */
let switchTo: u32 = 0
let protocol: u32 = 0
let nmeaOff: bool = false
let pvtAccepted: bool = false

let frameLength: u32 = 0
let frameSent: u32 = 0
/** The command that waits for its ACK, and what came: 0 nothing, 1 ACK, 2 NAK. */
let awaited: u32 = 0
let acknowledged: u32 = 0

let heardAnything: bool = false
let heardTicks: u64 = 0
let heardVersion: bool = false
let heardTimeTicks: u64 = 0
let heardTime: bool = false
let heardSentences: u32 = 0

let accepted: u32 = 0
let refused: u32 = 0
let restarts: u32 = 0

/** Begins the search at `now`. The tick counter runs on when the module restarts: then the receiver is as it was left. */
export function ubloxInit(now: u64): void {
  speedFailed = false
  accepted = 0
  refused = 0
  restarts = 0
  rateIndex = now < POWER_ON ? 0 : RATES - 1
  protocol = 0
  search(now)
}

export function ubloxState(): u32 {
  return state
}

/** Our UART's rate. */
export function ubloxBaud(): u32 {
  return baud
}

/** PROTVER in hundredths (1800, 3410); 0: not told. */
export function ubloxProtocol(): u32 {
  return protocol
}

/** Settings that the receiver took and refused, and how often it had to be set up again. */
export function ubloxAccepted(): u32 {
  return accepted
}

export function ubloxRefused(): u32 {
  return refused
}

export function ubloxRestarts(): u32 {
  return restarts
}

// ---- what was heard

/** A frame with a valid checksum: `class << 8 | id`, its payload, at `now`. */
export function ubloxHeard(message: u32, payload: usize, length: u32, now: u64): void {
  heardAnything = true
  heardTicks = now
  if (message === Ubx.NavPvt || message === Ubx.NavTimeUtc) {
    heardTime = true
    heardTimeTicks = now
  } else if (message === Ubx.MonVer && length >= 40) {
    heardVersion = true
    protocol = protocolOf(payload, length)
  } else if ((message === Ubx.AckAck || message === Ubx.AckNak) && length === 2) {
    const command = ((<u32>load<u8>(payload)) << 8) | <u32>load<u8>(payload, 1)
    if (command === awaited) acknowledged = message === Ubx.AckAck ? 1 : 2
  }
}

/** An NMEA sentence with a valid checksum. */
export function ubloxHeardSentence(now: u64): void {
  heardAnything = true
  heardTicks = now
  heardSentences++
}

/** MON-VER: `swVersion(30) | hwVersion(10) | extension(30)*`; one extension says `PROTVER=18.00` or `PROTVER 18.00`. */
function protocolOf(payload: usize, length: u32): u32 {
  for (let at: u32 = 40; at + 30 <= length; at += 30) {
    const p = payload + at
    // "PROTVER", then one separator.
    const found =
      load<u8>(p) === 0x50 &&
      load<u8>(p, 1) === 0x52 &&
      load<u8>(p, 2) === 0x4f &&
      load<u8>(p, 3) === 0x54 &&
      load<u8>(p, 4) === 0x56 &&
      load<u8>(p, 5) === 0x45 &&
      load<u8>(p, 6) === 0x52
    if (found) return hundredths(p + 8, 22)
  }
  return 0
}

/** `18.00` to 1800. At most `length` characters; stops at the first that does not fit. */
function hundredths(p: usize, length: u32): u32 {
  let value: u32 = 0
  let decimals: u32 = 0
  let inFraction = false
  for (let i: u32 = 0; i < length && decimals < 2 && value < 100_000; i++) {
    const char = <u32>load<u8>(p + i)
    if (char === 0x2e && !inFraction) inFraction = true
    else if (char >= 0x30 && char <= 0x39) {
      value = value * 10 + (char - 0x30)
      if (inFraction) decimals++
    } else break
  }
  for (; decimals < 2; decimals++) value *= 10
  return value
}

// ---- the state machine

/** Does what is due at `now`; returns the tick at which it wants to be called again at the latest. */
export function ubloxPoll(now: u64): u64 {
  if (!sendRest()) return now + MILLISECOND
  if (switchTo !== 0 && now >= deadline) switchRate(now)
  else if (state === UbloxState.Search) pollSearch(now)
  else if (state === UbloxState.Identify) pollIdentify(now)
  else if (state === UbloxState.Speed) pollSpeed(now)
  else if (state === UbloxState.Configure) pollConfigure(now)
  else pollRunning(now)
  return deadline > now ? deadline : now + MILLISECOND
}

function search(now: u64): void {
  state = UbloxState.Search
  setRate(rateAt(rateIndex))
  heardAnything = false
  asked = false
  switchTo = 0
  frameLength = 0
  frameSent = 0
  deadline = now + DWELL / 4
}

function rateAt(index: u32): u32 {
  return index === 0 ? 9600 : index === 1 ? 38_400 : FAST
}

function setRate(rate: u32): void {
  baud = rate
  uart_configure(rate)
}

function pollSearch(now: u64): void {
  if (heardAnything) {
    identify(now)
  } else if (now >= deadline && !asked) {
    // A receiver that was set to say nothing may answer.
    asked = true
    pollVersion()
    deadline = now + (DWELL * 3) / 4
  } else if (now >= deadline) {
    rateIndex = (rateIndex + 1) % RATES
    search(now)
  }
}

function identify(now: u64): void {
  state = UbloxState.Identify
  heardVersion = false
  tries = 0
  nmeaOff = false
  pollVersion()
  deadline = now + PATIENCE
}

function pollIdentify(now: u64): void {
  if (heardVersion) {
    raiseSpeed(now)
  } else if (now >= deadline) {
    if (++tries >= TRIES) {
      listen(now)
    } else {
      pollVersion()
      deadline = now + PATIENCE
    }
  }
}

function listen(now: u64): void {
  state = UbloxState.Listening
  deadline = now + ASK_AGAIN
}

function raiseSpeed(now: u64): void {
  if (baud === FAST || speedFailed) {
    configure(now)
    return
  }
  state = UbloxState.Speed
  tries = 0
  if (takesValset()) {
    beginValset()
    addKey4(0x40520001, FAST) // UART1-BAUDRATE
    endValset()
  } else {
    buildPort(FAST, 3)
  }
  switchTo = FAST
  // The command's own time on the line, ten bits a byte.
  deadline = now + (<u64>(frameLength * 10) * TICKS_PER_SECOND) / <u64>baud + SETTLE
}

/** The command has left: our own UART follows, and the receiver is asked again at the new rate. */
function switchRate(now: u64): void {
  setRate(switchTo)
  switchTo = 0
  heardVersion = false
  pollVersion()
  deadline = now + PATIENCE
}

function pollSpeed(now: u64): void {
  if (switchTo !== 0) return
  if (heardVersion) {
    configure(now)
  } else if (now >= deadline) {
    if (++tries < TRIES) {
      pollVersion()
      deadline = now + PATIENCE
    } else {
      speedFailed = true
      search(now)
    }
  }
}

function configure(now: u64): void {
  state = UbloxState.Configure
  step = 0
  pvtAccepted = false
  heardTime = false
  beginStep(now)
}

function beginStep(now: u64): void {
  tries = 0
  if (step >= stepCount()) run(now)
  else sendStep(now)
}

function stepCount(): u32 {
  return takesValset() ? VALSET_STEPS : OLD_STEPS
}

function sendStep(now: u64): void {
  acknowledged = 0
  frameLength = 0
  frameSent = 0
  if (takesValset()) buildValsetStep()
  else buildOldStep()
  deadline = now + PATIENCE
}

function pollConfigure(now: u64): void {
  // The last step switches NMEA off: only when the time comes in UBX.
  if (step === stepCount() - 1 && frameLength === 0) {
    if (heardTime) buildNmeaOff(now)
    else if (now >= deadline + PROOF - PATIENCE) run(now)
    return
  }
  if (frameLength === 0 || acknowledged !== 0) {
    if (acknowledged === 1) accept()
    else if (acknowledged === 2) refused++
    step++
    beginStep(now)
  } else if (now >= deadline) {
    if (++tries < TRIES) {
      sendStep(now)
      if (step === stepCount() - 1) buildNmeaOff(now)
    } else {
      refused++
      step++
      beginStep(now)
    }
  }
}

function accept(): void {
  accepted++
  if (step === 0) pvtAccepted = true
  if (step === stepCount() - 1) nmeaOff = true
}

function buildNmeaOff(now: u64): void {
  if (takesValset()) {
    beginValset()
    addKey1(0x10740002, 0) // UART1OUTPROT-NMEA
    endValset()
  } else {
    buildPort(baud, 1)
  }
  deadline = now + PATIENCE
}

function run(now: u64): void {
  if (!heardTime) {
    // It answers, but gives no time in UBX: its NMEA must do.
    listen(now)
    return
  }
  state = UbloxState.Running
  heardSentences = 0
  heardTimeTicks = now
  deadline = now + SILENT
}

/** Running or Listening: is it still there? */
function pollRunning(now: u64): void {
  const silent = now >= (state === UbloxState.Running ? heardTimeTicks : heardTicks) + SILENT
  if (silent) {
    restarts++
    speedFailed = false
    rateIndex = 0
    search(now)
  } else if (state === UbloxState.Running && nmeaOff && heardSentences > 1) {
    restarts++
    identify(now)
  } else if (state === UbloxState.Listening && now >= deadline) {
    identify(now)
  } else if (state === UbloxState.Running) {
    deadline = heardTimeTicks + SILENT
  }
}

function takesValset(): bool {
  return protocol >= VALSET_PROTOCOL
}

// ---- commands

/** Sends what the UART has not yet taken; true when all has gone. */
function sendRest(): bool {
  if (frameSent < frameLength) frameSent += uart_write(FRAME + frameSent, frameLength - frameSent)
  return frameSent >= frameLength
}

/** Sends the frame whose payload lies in FRAME. */
function sendFrame(message: u32, payloadLength: u32): void {
  awaited = message
  frameLength = ubxSeal(FRAME, message, payloadLength)
  frameSent = 0
  sendRest()
}

function pollVersion(): void {
  sendFrame(Ubx.MonVer, 0)
}

/** CFG-VALSET: `version 0 | layers 1 (RAM) | reserved(2) | (key u4 | value)*`. */
let keysLength: u32 = 0

function beginValset(): void {
  storeU32le(FRAME + UBX_HEADER, 0x0100)
  keysLength = 4
}

function addKey1(key: u32, value: u32): void {
  const p = FRAME + UBX_HEADER + keysLength
  storeU32le(p, key)
  store<u8>(p, value, 4)
  keysLength += 5
}

function addKey2(key: u32, value: u32): void {
  const p = FRAME + UBX_HEADER + keysLength
  storeU32le(p, key)
  storeU16le(p + 4, value)
  keysLength += 6
}

function addKey4(key: u32, value: u32): void {
  const p = FRAME + UBX_HEADER + keysLength
  storeU32le(p, key)
  storeU32le(p + 4, value)
  keysLength += 8
}

function endValset(): void {
  sendFrame(Ubx.CfgValset, keysLength)
}

/** One key that is refused refuses its whole message, so each wish has its own. */
function buildValsetStep(): void {
  if (step === VALSET_STEPS - 1) return
  beginValset()
  if (step === 0) {
    addKey1(0x10730001, 1) // UART1INPROT-UBX
    addKey1(0x10740001, 1) // UART1OUTPROT-UBX
    addKey2(0x30210001, 1000) // RATE-MEAS, ms
    addKey2(0x30210002, 1) // RATE-NAV
    addKey1(0x20910007, 1) // MSGOUT NAV_PVT
  } else if (step === 1) addTimePulseKeys()
  else if (step === 2)
    addKey1(0x20910061, 5) // MSGOUT NAV_TIMELS
  else if (step === 3)
    addKey1(0x2091017e, 1) // MSGOUT TIM_TP
  else if (step === 4)
    addKey1(0x2091001b, 5) // MSGOUT NAV_STATUS
  else if (step === 5)
    addKey1(0x1041000d, 1) // ITFM-ENABLE: look for jamming
  else if (step === 6)
    addKey1(0x2091035a, 5) // MSGOUT MON_RF
  else addKey1(0x20110021, 2) // NAVSPG-DYNMODEL: stationary
  endValset()
}

function addTimePulseKeys(): void {
  addKey1(0x20050023, 0) // TP-PULSE_DEF: period
  addKey1(0x20050030, 1) // TP-PULSE_LENGTH_DEF: length
  addKey4(0x40050002, 1_000_000) // PERIOD_TP1, us
  addKey4(0x40050003, 1_000_000) // PERIOD_LOCK_TP1
  addKey4(0x40050004, 0) // LEN_TP1: no pulse without lock
  addKey4(0x40050005, 100_000) // LEN_LOCK_TP1, us
  addKey1(0x10050007, 1) // TP1_ENA
  addKey1(0x10050008, 1) // SYNC_GNSS_TP1
  addKey1(0x10050009, 1) // USE_LOCKED_TP1
  addKey1(0x1005000a, 1) // ALIGN_TO_TOW_TP1
  addKey1(0x1005000b, 1) // POL_TP1: rising edge
  addKey1(0x2005000c, 0) // TIMEGRID_TP1: UTC
}

/** Protocols before 27. A step that builds no frame is passed over. */
function buildOldStep(): void {
  if (step === 0) buildRateOf(Ubx.NavPvt, 1)
  // Generation 6 has no NAV-PVT.
  else if (step === 1) {
    if (!pvtAccepted) buildRateOf(Ubx.NavTimeUtc, 1)
  } else if (step === 2) buildNavigationRate()
  else if (step === 3) buildTimePulse()
  else if (step === 4) buildRateOf(Ubx.NavTimeLs, 5)
  else if (step === 5) buildRateOf(Ubx.TimTp, 1)
  else if (step === 6) buildRateOf(Ubx.NavStatus, 5)
  else if (step === 7) buildStationary()
  else if (step === 8) buildInterference()
  else if (step === 9) buildRateOf(Ubx.MonHw, 5)
}

/** CFG-MSG, short form: `class | id | rate` on the port that the command comes from. */
function buildRateOf(message: u32, rate: u32): void {
  const p = FRAME + UBX_HEADER
  store<u8>(p, message >> 8)
  store<u8>(p, message, 1)
  store<u8>(p, rate, 2)
  sendFrame(Ubx.CfgMsg, 3)
}

/** CFG-RATE: `measRate u2 ms | navRate u2 | timeRef u2 (1 GPS)`. */
function buildNavigationRate(): void {
  const p = FRAME + UBX_HEADER
  storeU16le(p, 1000)
  storeU16le(p + 2, 1)
  storeU16le(p + 4, 1)
  sendFrame(Ubx.CfgRate, 6)
}

/** CFG-NAV5 with mask `dyn` only: dynModel 2, stationary. */
function buildStationary(): void {
  const p = FRAME + UBX_HEADER
  memory.fill(p, 0, 36)
  storeU16le(p, 1)
  store<u8>(p, 2, 2)
  sendFrame(Ubx.CfgNav5, 36)
}

/** CFG-ITFM: `config u4 | config2 u4`: the defaults of the data sheet, with the monitor's enable bit 31. */
function buildInterference(): void {
  const p = FRAME + UBX_HEADER
  storeU32le(p, 0xad62_acf3)
  storeU32le(p + 4, 0x0000_031e)
  sendFrame(Ubx.CfgItfm, 8)
}

/** CFG-PRT for UART1, 8N1; protocols: bit 0 UBX, bit 1 NMEA. */
function buildPort(rate: u32, outProtocols: u32): void {
  const p = FRAME + UBX_HEADER
  memory.fill(p, 0, 20)
  store<u8>(p, 1)
  storeU32le(p + 4, 0x08d0)
  storeU32le(p + 8, rate)
  storeU16le(p + 12, 3)
  storeU16le(p + 14, outProtocols)
  sendFrame(Ubx.CfgPrt, 20)
}

/**
 * CFG-TP5 for TIMEPULSE: flags 0x77 = active, lockGnssFreq, lockedOtherSet, isLength, alignToTow, polarity rising;
 * gridUtcGnss 0 is UTC.
 */
function buildTimePulse(): void {
  const p = FRAME + UBX_HEADER
  memory.fill(p, 0, 32)
  storeU32le(p + 8, 1_000_000) // freqPeriod, us
  storeU32le(p + 12, 1_000_000) // freqPeriodLock
  storeU32le(p + 16, 0) // pulseLenRatio: no pulse without lock
  storeU32le(p + 20, 100_000) // pulseLenRatioLock, us
  storeU32le(p + 28, 0x77)
  sendFrame(Ubx.CfgTp5, 32)
}
