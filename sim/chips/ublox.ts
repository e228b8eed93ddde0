// A u-blox receiver on a UART with its time pulse: M8 (protocol 18, CFG-PRT and friends), M10 (protocol 34,
// CFG-VALSET) or a nameless NMEA-only part. Message layouts: u-blox 8/M8 protocol specification UBX-13003221,
// chapters 31-32; M10 interface description UBX-21035062.
//
// In: time, bytes from the host, the sky. Out: pulse edges (nanos, sub-nanosecond), bytes with their arrival times.
// Portable subset: compiles as TypeScript and as AssemblyScript. Times are nanos of true time.
//
//     power-on --boot--> silent --> time unknown --> time known --> fix, firmware's leap seconds --> fix, sky's leap seconds

import { MessageBuilder } from './message_builder'
import { isLeapSecond, leapOfSecond, Sky, utcOfSecond } from './sky'
import { UartLine } from './uart_line'

/** 1980-01-06, the origin of GPS weeks, as a POSIX second. */
const GPS_EPOCH: f64 = 315_964_800
const WEEK: f64 = 604_800
const SECOND: f64 = 1e9
const MILLI: f64 = 1e6

/** Half the period of the clock that drives the pulse (48 MHz): the sawtooth's amplitude, nanos. */
const SAWTOOTH: f64 = 10.4167

/** Slots of the output rates: how often a message is sent on UART1, in navigation epochs; 0 never. */
const NAV_PVT: i32 = 0
const NAV_STATUS: i32 = 1
const NAV_TIMEUTC: i32 = 2
const NAV_TIMELS: i32 = 3
const TIM_TP: i32 = 4
/** MON-HW; MON-RF on generation 9 and later. */
const MON_RF: i32 = 5
const RATES: i32 = 6

export class UbloxReceiver {
  // Options: set them before `powerOn`.

  /** 8: protocol 18 and the CFG-PRT family. 10: protocol 34 and CFG-VALSET. 6: protocol 13, no NAV-PVT, no TIMELS. */
  generation: i32 = 8
  /** UART rate after power-on: 9600 on M8, 38400 on M9, 9600 or 38400 on M10 modules. */
  defaultBaud: i32 = 9600
  /** The part knows no UBX at all. */
  nmeaOnly: bool = false
  /** The host's TX is not wired: commands never arrive. */
  deaf: bool = false
  /** The receiver's TX is not wired or broken: nothing is ever heard. */
  mute: bool = false
  /** The UART's rate cannot be changed: a port setting with another one is refused. */
  rateFixed: bool = false
  /** ZDA is among the NMEA sentences. */
  zda: bool = false
  /** This configuration key is refused (VALSET), or this class << 8 | id (old messages); 0 none. */
  refuse: i32 = 0
  /** GPS - UTC that the firmware assumes until the almanac says otherwise. */
  firmwareLeap: i32 = 18
  /** Seconds from visible sky to the first fix after a cold start, and after a warm one. */
  coldFix: i32 = 28
  warmFix: i32 = 3
  /** Seconds of fix until the UTC parameters have been received after a cold start (0..750 on a real sky). */
  leapDelay: i32 = 120
  /** Weeks added to all dates: -1024 after a rollover. */
  weekShift: i32 = 0
  /** Seconds added to all dates: what a receiver or a spoofer that is whole seconds off says. */
  secondShift: i32 = 0
  /** Range of the delay from a pulse to its messages, nanos. */
  latencyMin: f64 = 40 * MILLI
  latencyMax: f64 = 120 * MILLI
  /** White noise of the pulse, one sigma, nanos. */
  jitter: f64 = 20
  /** Constant lateness of the pulse, nanos: cable and filter. */
  bias: f64 = 0
  /** What the receiver says of spoofing (NAV-STATUS: 1 none, 3 several signs) and of jamming (1 none, 3 critical). */
  spoofing: i32 = 1
  jamming: i32 = 1

  // What an observer may read.

  /** True error of the last pulse, nanos: edge minus second. */
  pulseError: f64 = 0
  /** Commands answered with ACK and NAK. */
  acked: i32 = 0
  naked: i32 = 0
  /** True while the receiver has a fix, and while it knows the sky's leap seconds. */
  fix: bool = false
  leapKnown: bool = false

  private baud: i32 = 9600
  private hostBaud: i32 = 9600
  private line: UartLine = new UartLine()
  private out: MessageBuilder = new MessageBuilder()
  private rates: Int32Array = new Int32Array(RATES)
  private outUbx: bool = true
  private outNmea: bool = true
  private measMillis: i32 = 1000
  private pulseOn: bool = true
  private lengthUnlocked: i32 = 0
  private lengthLocked: i32 = 100_000
  private dynamicModel: i32 = 0
  private jamMonitor: bool = false

  private powered: bool = false
  private bootedAt: f64 = Infinity
  private newBaud: i32 = 0
  private newBaudAt: f64 = Infinity
  /** The continuous second of the next edge, of the next messages, and of power-on. */
  private edgeSecond: f64 = 0
  private edgeAt: f64 = Infinity
  private edgeSawtooth: f64 = 0
  private messageSecond: f64 = 0
  private messageAt: f64 = Infinity
  private subEpoch: i32 = 0
  private bootSecond: f64 = 0
  private rtcError: i32 = 0
  private warm: bool = false
  private toFix: i32 = 0
  private fixSeconds: i32 = 0
  private leapSecondsLeft: i32 = 0
  private epochs: i32 = 0
  private clockBias: f64 = 0
  private clockDrift: f64 = 0
  private beat: f64 = 0
  private beatStep: f64 = 0

  private edges: Float64Array = new Float64Array(16)
  private edgeHead: i32 = 0
  private edgeCount: i32 = 0
  private highUntil: f64 = -1
  private highSince: f64 = -1

  private frame: Uint8Array = new Uint8Array(1024)
  private frameLength: i32 = 0

  constructor(
    public sky: Sky,
    private seed: i32,
  ) {
    if (this.seed === 0) this.seed = 1
  }

  // ---- time

  /** Applies power at `now`. `warm`: ephemerides and an RTC survived on backup supply. */
  powerOn(now: f64, warm: bool): void {
    this.powered = true
    this.warm = warm
    this.loadDefaults()
    this.line.clear(now)
    this.bootedAt = now + 300 * MILLI + this.uniform() * 500 * MILLI
    this.bootSecond = Math.floor(now / SECOND)
    this.edgeSecond = Math.floor(this.bootedAt / SECOND) + 1
    this.messageSecond = this.edgeSecond
    this.messageAt = Infinity
    this.subEpoch = 0
    this.epochs = 0
    this.fix = false
    this.fixSeconds = 0
    this.toFix = warm ? this.warmFix : this.coldFix
    this.leapKnown = warm
    this.leapSecondsLeft = warm ? 0 : this.leapDelay
    this.rtcError = (Math.floor(this.uniform() * 3) as i32) - 1
    this.clockBias = (this.uniform() - 0.5) * MILLI
    this.clockDrift = (this.uniform() - 0.5) * 1000
    this.beat = this.uniform()
    this.beatStep = 0.02 + this.uniform() * 0.3
    this.planEdge()
  }

  powerOff(now: f64): void {
    this.powered = false
    this.line.clear(now)
    this.bootedAt = Infinity
    this.edgeAt = Infinity
    this.messageAt = Infinity
    this.newBaudAt = Infinity
    this.highUntil = -1
    this.fix = false
  }

  /** A restart: configuration and, unless `warm`, all knowledge of the sky are lost. */
  restart(now: f64, warm: bool): void {
    this.powerOff(now)
    this.powerOn(now, warm)
  }

  /** Nanos of the receiver's next own action or arriving byte; Infinity: none. */
  nextEvent(): f64 {
    let next = this.line.nextAt()
    if (this.edgeAt < next) next = this.edgeAt
    if (this.messageAt < next) next = this.messageAt
    if (this.newBaudAt < next) next = this.newBaudAt
    return next
  }

  /** Does everything that is due by `now`. */
  advance(now: f64): void {
    let busy = true
    while (busy) {
      busy = false
      if (this.newBaudAt <= now) {
        this.baud = this.newBaud
        this.newBaudAt = Infinity
      }
      if (this.edgeAt <= now && this.edgeAt <= this.messageAt) {
        this.emitEdge()
        busy = true
      } else if (this.messageAt <= now) {
        this.emitEpoch()
        busy = true
      }
    }
  }

  // ---- the pulse

  /** Takes the next rising edge; its nanos, or -1 when there is none by `now`. */
  takePulse(now: f64): f64 {
    if (this.edgeCount === 0 || this.edges[this.edgeHead] > now) return -1
    const at = this.edges[this.edgeHead]
    this.edgeHead = (this.edgeHead + 1) & 15
    this.edgeCount -= 1
    return at
  }

  /** When the latest pulse falls; in the past once it has fallen. */
  pulseEnds(): f64 {
    return this.highUntil
  }

  /** Level of the TIMEPULSE pin. */
  pulseLevel(now: f64): i32 {
    return now >= this.highSince && now < this.highUntil ? 1 : 0
  }

  private planEdge(): void {
    this.beat += this.beatStep
    this.beat -= Math.floor(this.beat)
    this.edgeSawtooth = (this.beat * 2 - 1) * SAWTOOTH
    this.edgeAt = this.edgeSecond * SECOND + this.bias + this.edgeSawtooth + this.gaussian() * this.jitter
    // An unlocked pulse runs freely: its phase means nothing.
    if (!this.fix) this.edgeAt += 370 * MILLI
    const earliest = this.bootedAt
    if (this.edgeAt < earliest) this.edgeAt = earliest
  }

  private emitEdge(): void {
    const length = this.fix ? this.lengthLocked : this.lengthUnlocked
    if (this.pulseOn && length > 0 && this.edgeCount < 16) {
      this.edges[(this.edgeHead + this.edgeCount) & 15] = this.edgeAt
      this.edgeCount += 1
      this.highSince = this.edgeAt
      this.highUntil = this.edgeAt + (length as f64) * 1000
      this.pulseError = this.edgeAt - this.edgeSecond * SECOND
    }
    if (this.messageAt === Infinity) {
      this.messageSecond = this.edgeSecond
      this.subEpoch = 0
      this.messageAt = this.edgeSecond * SECOND + this.latency()
      if (this.messageAt < this.edgeAt) this.messageAt = this.edgeAt
    }
    this.stepSecond(this.edgeSecond)
    this.edgeSecond += 1
    this.planEdge()
  }

  // ---- the sky

  /** Moves the acquisition on by the second `k`. */
  private stepSecond(k: f64): void {
    const visible = this.sky.visible(k * SECOND)
    if (!visible) {
      this.fix = false
      this.fixSeconds = 0
      if (this.toFix < 3) this.toFix = 3
      return
    }
    if (this.toFix > 0) {
      this.toFix -= 1
      return
    }
    this.fix = true
    this.fixSeconds += 1
    if (this.leapSecondsLeft > 0) this.leapSecondsLeft -= 1
    else this.leapKnown = true
    this.clockBias += this.clockDrift
    if (this.clockBias > 0.5 * MILLI) this.clockBias -= MILLI
    if (this.clockBias < -0.5 * MILLI) this.clockBias += MILLI
  }

  /** True when some time of day is known: from the RTC, or from the first decoded satellite. */
  private timeKnown(): bool {
    return this.warm || this.fixSeconds > 0 || this.toFix < 5
  }

  /** The POSIX second that the receiver believes second `k` to be. */
  private believed(k: f64): f64 {
    const shift = (this.weekShift as f64) * WEEK + (this.secondShift as f64)
    if (!this.timeKnown()) return 1_445_412_000 + k - this.bootSecond + shift
    if (this.warm && this.fixSeconds === 0) return utcOfSecond(this.sky, k) + (this.rtcError as f64) + shift
    if (this.leapKnown) return utcOfSecond(this.sky, k) + shift
    return this.sky.unixOrigin() + k + ((this.sky.leapSeconds() - this.firmwareLeap) as f64) + shift
  }

  /** GPS - UTC that the receiver believes during second `k`. */
  private believedLeap(k: f64): i32 {
    return this.leapKnown ? leapOfSecond(this.sky, k) : this.firmwareLeap
  }

  private inLeapSecond(k: f64): bool {
    return this.leapKnown && this.fixSeconds > 0 && isLeapSecond(this.sky, k)
  }

  /** GPS seconds since 1980 of second `k`, as the receiver believes. */
  private gpsSecond(k: f64): f64 {
    if (this.timeKnown() && !(this.warm && this.fixSeconds === 0)) {
      return this.sky.unixOrigin() + k + (this.sky.leapSeconds() as f64) - GPS_EPOCH
    }
    return this.believed(k) + (this.believedLeap(k) as f64) - GPS_EPOCH
  }

  // ---- the UART

  /** The host's UART is set to `baud`. While it differs from the receiver's, both hear rubbish. */
  setHostBaud(baud: i32): void {
    this.hostBaud = baud
  }

  /** The next byte that has arrived at the host by `now`; -1: none. */
  readUart(now: f64): i32 {
    const sent = this.line.nextBaud()
    const value = this.line.take(now)
    if (value < 0 || sent === this.hostBaud) return value
    return this.random() & 0xff
  }

  /** A byte from the host, whose stop bit passed at `now`. */
  writeUart(now: f64, value: i32): void {
    if (this.deaf || !this.powered || now < this.bootedAt) return
    if (this.newBaudAt <= now) {
      this.baud = this.newBaud
      this.newBaudAt = Infinity
    }
    const heard = this.hostBaud === this.baud ? value & 0xff : this.random() & 0xff
    if (this.nmeaOnly) return
    this.collect(now, heard)
  }

  private collect(now: f64, value: i32): void {
    if (this.frameLength === 0 && value !== 0xb5) return
    if (this.frameLength === 1 && value !== 0x62) {
      this.frameLength = value === 0xb5 ? 1 : 0
      return
    }
    this.frame[this.frameLength] = value
    this.frameLength += 1
    if (this.frameLength < 6) return
    const length = (this.frame[4] as i32) | ((this.frame[5] as i32) << 8)
    if (length > 1000) {
      this.frameLength = 0
      return
    }
    if (this.frameLength < length + 8) return
    this.frameLength = 0
    if (this.checksumHolds(length)) this.command(now, this.frame[2] as i32, this.frame[3] as i32, length)
  }

  private checksumHolds(length: i32): bool {
    let a: i32 = 0
    let b: i32 = 0
    for (let i: i32 = 2; i < length + 6; i++) {
      a = (a + (this.frame[i] as i32)) & 0xff
      b = (b + a) & 0xff
    }
    return a === (this.frame[length + 6] as i32) && b === (this.frame[length + 7] as i32)
  }

  // ---- commands

  private command(now: f64, cls: i32, id: i32, length: i32): void {
    const ready = now + 5 * MILLI
    if (cls === 0x0a && id === 0x04 && length === 0) {
      this.sendVersion(ready)
      return
    }
    if (cls !== 0x06) return
    const before = this.newBaudAt
    let done: bool
    if (((cls << 8) | id) === this.refuse) done = false
    else if (id === 0x8a) done = this.generation >= 9 && this.applyValset(ready, length)
    else done = this.generation < 9 && this.applyOld(ready, id, length)
    if (done) this.acked += 1
    else this.naked += 1
    // Receivers differ on whether the ACK of a change of rate still goes out at the old one.
    const late = this.newBaudAt !== before && (this.random() & 1) === 1
    if (late) {
      const baud = this.baud
      this.baud = this.newBaud
      this.sendAck(this.newBaudAt + MILLI, cls, id, done)
      this.baud = baud
    } else {
      this.sendAck(ready, cls, id, done)
      if (this.newBaudAt !== before) this.newBaudAt = this.line.idleAt() + MILLI
    }
  }

  private sendAck(ready: f64, cls: i32, id: i32, done: bool): void {
    this.out.beginUbx(0x05, done ? 1 : 0)
    this.out.u8(cls)
    this.out.u8(id)
    this.sendUbx(ready)
  }

  private sendVersion(ready: f64): void {
    const out = this.out
    out.beginUbx(0x0a, 0x04)
    if (this.generation >= 9) {
      out.padded('ROM SPG 5.10 (7b202e)', 30)
      out.padded('000A0000', 10)
      out.padded('FWVER=SPG 5.10', 30)
      out.padded('PROTVER=34.10', 30)
      out.padded('GPS;GLO;GAL;BDS', 30)
    } else if (this.generation >= 8) {
      out.padded('ROM CORE 3.01 (107888)', 30)
      out.padded('00080000', 10)
      out.padded('FWVER=SPG 3.01', 30)
      out.padded('PROTVER=18.00', 30)
      out.padded('GPS;GLO;GAL;BDS', 30)
    } else {
      out.padded('7.03 (45969)', 30)
      out.padded('00040007', 10)
    }
    this.sendUbx(ready)
  }

  private changeBaud(ready: f64, baud: i32): void {
    if (baud === this.baud) return
    this.newBaud = baud
    const idle = this.line.idleAt()
    this.newBaudAt = (idle > ready ? idle : ready) + 2 * MILLI
  }

  private field(offset: i32): i32 {
    return this.frame[6 + offset] as i32
  }

  private field16(offset: i32): i32 {
    return this.field(offset) | (this.field(offset + 1) << 8)
  }

  private field32(offset: i32): i32 {
    return this.field16(offset) | (this.field16(offset + 2) << 16)
  }

  /** CFG-PRT, CFG-MSG, CFG-RATE, CFG-NAV5, CFG-TP5. False: NAK. */
  private applyOld(ready: f64, id: i32, length: i32): bool {
    if (id === 0x00 && length === 20) {
      if (this.field(0) !== 1 || (this.rateFixed && this.field32(8) !== this.baud)) return false
      this.outUbx = (this.field16(14) & 1) !== 0
      this.outNmea = (this.field16(14) & 2) !== 0
      this.changeBaud(ready, this.field32(8))
      return true
    }
    if (id === 0x01 && (length === 3 || length === 8)) {
      const rate = length === 3 ? this.field(2) : this.field(3)
      return this.setRate(this.slotOf(this.field(0), this.field(1)), (this.field(0) << 8) | this.field(1), rate)
    }
    if (id === 0x08 && length === 6) {
      this.measMillis = this.field16(0)
      return this.measMillis >= 100
    }
    if (id === 0x24 && length === 36) {
      if ((this.field16(0) & 1) !== 0) this.dynamicModel = this.field(2)
      return true
    }
    if (id === 0x39 && length === 8) {
      this.jamMonitor = (this.field(3) & 0x80) !== 0
      return true
    }
    if (id === 0x31 && length === 32) {
      if (this.field(0) !== 0) return false
      const flags = this.field32(28)
      this.pulseOn = (flags & 1) !== 0
      this.lengthLocked = this.field32(20)
      // Without lockedOtherSet (bit 2) the unlocked settings hold always.
      if ((flags & 4) === 0) this.lengthLocked = this.field32(16)
      this.lengthUnlocked = this.field32(16)
      return true
    }
    return false
  }

  private slotOf(cls: i32, id: i32): i32 {
    if (cls === 0x01 && id === 0x07) return this.generation >= 7 ? NAV_PVT : -1
    if (cls === 0x01 && id === 0x03) return NAV_STATUS
    if (cls === 0x01 && id === 0x21) return NAV_TIMEUTC
    if (cls === 0x01 && id === 0x26) return this.generation >= 8 ? NAV_TIMELS : -1
    if (cls === 0x0d && id === 0x01) return TIM_TP
    if (cls === 0x0a && id === 0x09) return this.generation >= 7 ? MON_RF : -1
    return -1
  }

  private setRate(slot: i32, name: i32, rate: i32): bool {
    if (slot < 0 || name === this.refuse) return false
    this.rates[slot] = rate
    return true
  }

  /** CFG-VALSET: version 0, layers, reserved(2), then (key u4, value). One unknown key refuses the whole message. */
  private applyValset(ready: f64, length: i32): bool {
    if (length < 4 || this.field(0) !== 0) return false
    for (let pass: i32 = 0; pass < 2; pass++) {
      let at: i32 = 4
      while (at < length) {
        if (at + 4 > length) return false
        const key = this.field32(at)
        const size = valueSize(key)
        if (size === 0 || at + 4 + size > length) return false
        if (!this.setKey(ready, key, at + 4, size, pass === 1)) return false
        at += 4 + size
      }
    }
    return true
  }

  private setKey(ready: f64, key: i32, at: i32, size: i32, apply: bool): bool {
    if (key === this.refuse) return false
    let value = this.field(at)
    if (size === 2) value = this.field16(at)
    if (size >= 4) value = this.field32(at)
    if (key === 0x40520001) {
      if (apply) this.changeBaud(ready, value)
    } else if (key === 0x10740001) {
      if (apply) this.outUbx = value !== 0
    } else if (key === 0x10740002) {
      if (apply) this.outNmea = value !== 0
    } else if (key === 0x30210001) {
      if (apply) this.measMillis = value
      return value >= 100
    } else if (key === 0x10050007) {
      if (apply) this.pulseOn = value !== 0
    } else if (key === 0x40050004) {
      if (apply) this.lengthUnlocked = value
    } else if (key === 0x40050005) {
      if (apply) this.lengthLocked = value
    } else if (key === 0x20110021) {
      if (apply) this.dynamicModel = value
    } else if (key === 0x1041000d) {
      if (apply) this.jamMonitor = value !== 0
    } else if (slotOfKey(key) >= 0) {
      if (apply) this.rates[slotOfKey(key)] = value
    } else {
      return isKnownKey(key)
    }
    return true
  }

  /** The dynamic platform model that was set: 0 portable, 2 stationary. */
  dynamics(): i32 {
    return this.dynamicModel
  }

  /** The receiver's present UART rate. */
  rate(): i32 {
    return this.baud
  }

  /** True while NMEA is sent. */
  speaksNmea(): bool {
    return this.outNmea
  }

  private loadDefaults(): void {
    this.baud = this.defaultBaud
    this.outUbx = true
    this.outNmea = true
    this.measMillis = 1000
    this.pulseOn = true
    this.lengthUnlocked = 0
    this.lengthLocked = 100_000
    this.dynamicModel = 0
    this.jamMonitor = false
    this.frameLength = 0
    this.newBaudAt = Infinity
    for (let i: i32 = 0; i < RATES; i++) this.rates[i] = 0
  }

  // ---- output

  private latency(): f64 {
    return this.latencyMin + this.uniform() * (this.latencyMax - this.latencyMin)
  }

  private send(ready: f64): void {
    if (this.mute) return
    for (let i: i32 = 0; i < this.out.length; i++) this.line.send(ready, this.out.bytes[i] as i32, this.baud)
  }

  private sendUbx(ready: f64): void {
    this.out.endUbx()
    if (this.outUbx) this.send(ready)
  }

  private sendNmea(ready: f64): void {
    this.out.endNmea()
    this.send(ready)
  }

  /** All messages of one navigation epoch, in the order in which an M8 sends them. */
  private emitEpoch(): void {
    const ready = this.messageAt
    const k = this.messageSecond
    const perSecond = Math.floor(1000 / (this.measMillis as f64)) as i32
    this.epochs += 1
    if (this.epochs === 1) this.sendBanner(ready)
    if (this.due(NAV_PVT)) this.sendPvt(ready, k)
    if (this.due(NAV_STATUS)) this.sendStatus(ready, k)
    if (this.due(NAV_TIMEUTC)) this.sendTimeUtc(ready, k)
    if (this.due(NAV_TIMELS)) this.sendTimeLs(ready, k)
    if (this.due(MON_RF)) this.sendJamming(ready)
    if (this.subEpoch === 0 && this.rates[TIM_TP] > 0) this.sendTimTp(ready, k + 1)
    if (this.outNmea) this.sendSentences(ready, k)
    this.subEpoch += 1
    if (this.subEpoch < perSecond) {
      const offset = (this.subEpoch * this.measMillis) as f64
      this.messageAt = this.messageSecond * SECOND + offset * MILLI + this.latency()
    } else {
      this.messageAt = Infinity
    }
  }

  private due(slot: i32): bool {
    return this.rates[slot] > 0 && this.epochs % this.rates[slot] === 0
  }

  private sendBanner(ready: f64): void {
    if (!this.outNmea || this.nmeaOnly) return
    this.out.beginNmea('GNTXT')
    this.out.ascii(',01,01,02,u-blox AG - www.u-blox.com')
    this.sendNmea(ready)
  }

  /** iTOW in ms: GPS time of week of the epoch, rounded to the epoch. */
  private timeOfWeek(k: f64): f64 {
    const gps = this.gpsSecond(k)
    return (gps - Math.floor(gps / WEEK) * WEEK) * 1000 + ((this.subEpoch * this.measMillis) as f64)
  }

  private tAcc(): f64 {
    if (!this.timeKnown()) return 4_294_967_295
    if (this.warm && this.fixSeconds === 0) return 500_000_000
    if (this.fixSeconds === 0) return 2_000_000
    const settled = this.fixSeconds > 10 ? 25.0 : 2000.0 / (this.fixSeconds as f64)
    return settled + Math.floor(this.uniform() * 15)
  }

  /** validDate, validTime, fullyResolved. A receiver that kept the time over the break has the week already. */
  private validity(): i32 {
    if (this.fixSeconds > (this.warm ? 0 : 2)) return 7
    return this.timeKnown() ? 3 : 0
  }

  private nano(): i32 {
    const offset = (this.subEpoch * this.measMillis) as f64
    return Math.floor(this.clockBias + offset * MILLI) as i32
  }

  private putDate(k: f64): void {
    const civil = civilOf(this.believed(k))
    this.out.u16(civil.year)
    this.out.u8(civil.month)
    this.out.u8(civil.day)
    this.out.u8(civil.hour)
    this.out.u8(civil.minute)
    this.out.u8(this.inLeapSecond(k) ? 60 : civil.second)
  }

  private sendPvt(ready: f64, k: f64): void {
    const out = this.out
    out.beginUbx(0x01, 0x07)
    out.unsigned(this.timeOfWeek(k))
    this.putDate(k)
    out.u8(this.validity())
    out.unsigned(this.tAcc())
    out.u32(this.nano())
    out.u8(this.fix ? 3 : 0)
    out.u8(this.fix ? 1 : 0)
    const confirmed = this.fixSeconds > 4 ? 0xe0 : 0x20
    out.u8(this.generation >= 9 ? confirmed : 0)
    out.u8(this.fix ? 11 : 0)
    out.u32(85_500_000)
    out.u32(472_800_000)
    out.u32(450_000)
    out.u32(403_000)
    out.u32(1500)
    out.u32(2100)
    out.zeros(20)
    out.u32(200)
    out.u32(18_000_000)
    out.u16(this.fix ? 120 : 9999)
    out.zeros(this.generation >= 8 ? 14 : 6)
    this.sendUbx(ready)
  }

  private sendStatus(ready: f64, k: f64): void {
    const out = this.out
    out.beginUbx(0x01, 0x03)
    out.unsigned(this.timeOfWeek(k))
    out.u8(this.fix ? 3 : 0)
    out.u8((this.fix ? 1 : 0) | (this.timeKnown() ? 12 : 0))
    out.u8(0)
    out.u8(this.spoofing << 3)
    out.u32(this.coldFix * 1000)
    out.unsigned((k - this.bootSecond) * 1000)
    this.sendUbx(ready)
  }

  private sendTimeUtc(ready: f64, k: f64): void {
    this.out.beginUbx(0x01, 0x21)
    this.out.unsigned(this.timeOfWeek(k))
    this.out.unsigned(this.tAcc())
    this.out.u32(this.nano())
    this.putDate(k)
    this.out.u8(this.validity())
    this.sendUbx(ready)
  }

  private sendTimeLs(ready: f64, k: f64): void {
    const out = this.out
    const midnight = this.sky.leapMidnight() - this.sky.unixOrigin()
    const event = this.sky.leapChange() < 0 ? midnight - 1 : midnight
    const announced = this.leapKnown && this.sky.leapChange() !== 0 && event - k < 180 * 86_400 && event - k > -86_400
    out.beginUbx(0x01, 0x26)
    out.unsigned(this.timeOfWeek(k))
    out.u8(0)
    out.zeros(3)
    out.u8(this.leapKnown ? 2 : 0)
    out.u8(this.believedLeap(k))
    out.u8(this.leapKnown ? 2 : 0)
    out.u8(announced && event > k ? this.sky.leapChange() : 0)
    out.u32(announced ? ((event - k) as i32) : 0)
    out.u16(0)
    out.u16(0)
    out.zeros(3)
    out.u8(this.leapKnown ? 3 : 1)
    this.sendUbx(ready)
  }

  /** MON-HW, or MON-RF with one antenna block. */
  private sendJamming(ready: f64): void {
    const out = this.out
    const state = this.jamMonitor ? this.jamming : 0
    if (this.generation >= 9) {
      out.beginUbx(0x0a, 0x38)
      out.u8(0)
      out.u8(1)
      out.zeros(3)
      out.u8(state)
      out.zeros(22)
    } else {
      out.beginUbx(0x0a, 0x09)
      out.zeros(22)
      out.u8(state << 2)
      out.zeros(37)
    }
    this.sendUbx(ready)
  }

  /** TIM-TP announces the pulse of second `next`; the sawtooth with the sign of a correction to add. */
  private sendTimTp(ready: f64, next: f64): void {
    const out = this.out
    const utc = this.believed(next) - GPS_EPOCH
    const week = Math.floor(utc / WEEK)
    let millis = (utc - week * WEEK) * 1000
    let below: f64 = 0
    // Seen on real parts: 0.99999997 ms of the millisecond before instead of the round one.
    if ((this.random() & 3) === 0 && millis > 0) {
      millis -= 1
      below = 4_294_967_168
    }
    out.beginUbx(0x0d, 0x01)
    out.unsigned(millis)
    out.unsigned(below)
    out.u32(Math.round(-this.edgeSawtooth * 1000) as i32)
    out.u16(week as i32)
    out.u8(this.fixSeconds > 2 ? 3 : 1)
    out.u8(0)
    this.sendUbx(ready)
  }

  // ---- NMEA

  private sendSentences(ready: f64, k: f64): void {
    this.sendRmc(ready, k)
    this.sendFixed(ready, 'GNVTG', ',,T,,M,0.021,N,0.039,K,A')
    this.sendGga(ready, k)
    this.sendFixed(ready, 'GNGSA', ',A,3,03,09,16,07,26,23,,,,,,,1.71,1.01,1.38')
    this.sendFixed(ready, 'GPGSV', ',2,1,08,03,21,174,29,07,46,259,26,09,67,312,39,16,47,064,35')
    this.sendFixed(ready, 'GPGSV', ',2,2,08,22,08,167,29,23,68,103,28,26,23,045,27,27,12,109,21')
    if (this.zda) this.sendZda(ready, k)
  }

  private sendFixed(ready: f64, address: string, body: string): void {
    this.out.beginNmea(address)
    this.out.ascii(body)
    this.sendNmea(ready)
  }

  private putTime(k: f64): void {
    this.out.u8(0x2c)
    if (!this.timeKnown()) return
    const civil = civilOf(this.believed(k))
    this.out.decimal(civil.hour, 2)
    this.out.decimal(civil.minute, 2)
    this.out.decimal(this.inLeapSecond(k) ? 60 : civil.second, 2)
    this.out.u8(0x2e)
    this.out.decimal(Math.floor(((this.subEpoch * this.measMillis) / 10) as f64) as i32, 2)
  }

  private sendRmc(ready: f64, k: f64): void {
    const out = this.out
    out.beginNmea('GNRMC')
    this.putTime(k)
    out.ascii(this.fix ? ',A,4716.80000,N,00833.00000,E,0.021,,' : ',V,,,,,,,')
    if (this.timeKnown()) {
      const civil = civilOf(this.believed(k))
      out.decimal(civil.day, 2)
      out.decimal(civil.month, 2)
      out.decimal(civil.year % 100, 2)
    }
    out.ascii(this.fix ? ',,,A' : ',,,N')
    this.sendNmea(ready)
  }

  private sendGga(ready: f64, k: f64): void {
    this.out.beginNmea('GNGGA')
    this.putTime(k)
    this.out.ascii(this.fix ? ',4716.80000,N,00833.00000,E,1,11,1.01,403.0,M,47.0,M,,' : ',,,,,0,00,99.99,,,,,,')
    this.sendNmea(ready)
  }

  private sendZda(ready: f64, k: f64): void {
    this.out.beginNmea('GNZDA')
    this.putTime(k)
    if (this.timeKnown()) {
      const civil = civilOf(this.believed(k))
      this.out.u8(0x2c)
      this.out.decimal(civil.day, 2)
      this.out.u8(0x2c)
      this.out.decimal(civil.month, 2)
      this.out.u8(0x2c)
      this.out.decimal(civil.year, 4)
      this.out.ascii(',00,00')
    } else {
      this.out.ascii(',,,,00,00')
    }
    this.sendNmea(ready)
  }

  // ---- chance

  private random(): i32 {
    let x = this.seed
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.seed = x
    return x
  }

  /** 0 <= u < 1. */
  private uniform(): f64 {
    return ((this.random() >>> 8) as f64) / 16_777_216.0
  }

  /** Mean 0, sigma 1: twelve uniforms. */
  private gaussian(): f64 {
    let sum: f64 = -6
    for (let i: i32 = 0; i < 12; i++) sum += this.uniform()
    return sum
  }
}

/** Value size of a configuration key: bits 30:28. 0: not a key. */
function valueSize(key: i32): i32 {
  const code = (key >> 28) & 7
  if (code === 1 || code === 2) return 1
  if (code === 3) return 2
  if (code === 4) return 4
  return code === 5 ? 8 : 0
}

function slotOfKey(key: i32): i32 {
  if (key === 0x20910007) return NAV_PVT
  if (key === 0x2091001b) return NAV_STATUS
  if (key === 0x2091005c) return NAV_TIMEUTC
  if (key === 0x20910061) return NAV_TIMELS
  if (key === 0x2091017e) return TIM_TP
  if (key === 0x2091035a) return MON_RF
  return -1
}

/** Keys that are accepted and change nothing in this model. */
function isKnownKey(key: i32): bool {
  return (
    key === 0x10730001 || // UART1INPROT-UBX
    key === 0x10730002 || // UART1INPROT-NMEA
    key === 0x30210002 || // RATE-NAV
    key === 0x20210003 || // RATE-TIMEREF
    key === 0x20050023 || // TP-PULSE_DEF
    key === 0x20050030 || // TP-PULSE_LENGTH_DEF
    key === 0x40050002 || // TP-PERIOD_TP1
    key === 0x40050003 || // TP-PERIOD_LOCK_TP1
    key === 0x30050001 || // TP-ANT_CABLEDELAY
    key === 0x40050006 || // TP-USER_DELAY_TP1
    key === 0x10050008 || // TP-SYNC_GNSS_TP1
    key === 0x10050009 || // TP-USE_LOCKED_TP1
    key === 0x1005000a || // TP-ALIGN_TO_TOW_TP1
    key === 0x1005000b || // TP-POL_TP1
    key === 0x2005000c // TP-TIMEGRID_TP1
  )
}

/** A civil time, for the model's own use. */
class Civil {
  year: i32 = 0
  month: i32 = 0
  day: i32 = 0
  hour: i32 = 0
  minute: i32 = 0
  second: i32 = 0
}

/** The civil time of a POSIX second, counted day by day from the start of its year. */
function civilOf(posix: f64): Civil {
  const civil = new Civil()
  let days = Math.floor(posix / 86_400)
  const second = (posix - days * 86_400) as i32
  civil.hour = Math.floor((second / 3600) as f64) as i32
  civil.minute = (Math.floor((second / 60) as f64) as i32) % 60
  civil.second = second % 60
  let year: i32 = 1970
  while (days >= (daysOfYear(year) as f64)) {
    days -= daysOfYear(year) as f64
    year += 1
  }
  let month: i32 = 1
  while (days >= (daysOfMonth(year, month) as f64)) {
    days -= daysOfMonth(year, month) as f64
    month += 1
  }
  civil.year = year
  civil.month = month
  civil.day = (days as i32) + 1
  return civil
}

function daysOfYear(year: i32): i32 {
  return daysOfMonth(year, 2) + 337
}

function daysOfMonth(year: i32, month: i32): i32 {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
