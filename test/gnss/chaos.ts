// A receiver, a line and a machine that do wrong whatever they can, by chance: what the labels must survive.
//
// The receiver may lose its fix, restart, assume wrong leap seconds, jump in its date. Pulses are lost, doubled, late,
// invented. Messages are lost, damaged, delayed by up to seconds, repeated. The line is slow, may be overfull, and keeps
// the order. The machine stalls and then finds one pulse and many bytes. A leap second may be near.

import { isLeapSecond, leapOfSecond, OpenSky, utcOfSecond } from '../../sim/chips/sky'
import { Chance, type Firmware, TICK_HZ, wrongness } from './bench'
import { concat, navPvt, navTimeLs, rmc, timTp } from './streams'

const SECOND = 1e9
const MILLI = 1e6
/** 2027-01-01 */
const NEW_YEAR = 1_798_761_600
const ROLLOVER = 1024 * 604_800

/** How often what goes wrong, per second or per message. */
interface Rates {
  lostPulse: number
  extraPulse: number
  latePulse: number
  lostMessage: number
  damaged: number
  delayed: number
  repeated: number
  stall: number
  lostFix: number
  restart: number
  overfull: number
}

export interface Outcome {
  labels: number
  wrong: string[]
}

interface Chunk {
  at: number
  bytes: Uint8Array
}

/** One run of `seconds` from `seed`. */
export class Chaos {
  private readonly chance: Chance
  private readonly sky: OpenSky
  private readonly rates: Rates
  private readonly ppm: number
  private readonly baud: number
  private readonly nmea: boolean
  private readonly timeLs: boolean
  private readonly timTp: boolean
  private readonly firmwareLeap: number
  private readonly rolled: boolean
  private leapKnownAt: number
  private fixAt = 0
  private lineFree = 0
  private readonly edges: number[] = []
  private readonly chunks: Chunk[] = []

  constructor(
    private readonly firmware: Firmware,
    seed: number,
    private readonly seconds: number,
  ) {
    const c = new Chance(seed)
    this.chance = c
    const leap = c.below(3)
    const origin = NEW_YEAR - Math.floor(seconds / 2) - c.below(20)
    this.sky = leap === 0 ? new OpenSky(origin) : new OpenSky(origin, 18, NEW_YEAR, leap === 1 ? 1 : -1)
    const rate = (most: number): number => (c.happens(0.5) ? 0 : c.uniform() * most)
    this.rates = {
      lostPulse: rate(0.1),
      extraPulse: rate(0.1),
      latePulse: rate(0.3),
      lostMessage: rate(0.3),
      damaged: rate(0.2),
      delayed: rate(0.3),
      repeated: rate(0.3),
      stall: rate(0.1),
      lostFix: rate(0.02),
      restart: rate(0.02),
      overfull: c.happens(0.1) ? 1 : 0,
    }
    this.ppm = (c.uniform() - 0.5) * 100
    this.baud = [9600, 38_400, 115_200][c.below(3)]!
    this.nmea = c.happens(0.2)
    this.timeLs = !this.nmea && c.happens(0.7)
    this.timTp = !this.nmea && c.happens(0.7)
    this.firmwareLeap = c.happens(0.5) ? 18 : 15 + c.below(5)
    this.leapKnownAt = c.happens(0.5) ? 0 : c.below(seconds)
    this.rolled = c.happens(0.1)
  }

  run(): Outcome {
    const { x } = this.firmware
    x['receiverInitAt'](1_767_225_600n)
    x['ubloxInit'](0n)
    this.hint()
    for (let k = 1; k < this.seconds; k++) this.plan(k)
    this.edges.sort((a, b) => a - b)
    return this.play()
  }

  /** Half of the runs have an RTC; what it says is true within what it says. */
  private hint(): void {
    if (this.chance.happens(0.5)) return
    const bound = this.chance.happens(0.5) ? 0.3 : 3
    const error = (this.chance.uniform() * 2 - 1) * bound
    const seconds = this.sky.unixOrigin() + 1 + error
    const whole = Math.floor(seconds)
    const fraction = Math.floor((seconds - whole) * 2 ** 32)
    this.firmware.x['hint'](BigInt(whole), fraction, 0, this.ticks(SECOND), BigInt(Math.ceil(bound * SECOND)))
  }

  private ticks(nanos: number): bigint {
    return 160_000_000n + BigInt(Math.round(((nanos * TICK_HZ) / SECOND) * (1 + this.ppm * 1e-6)))
  }

  private nanosOf(ticks: bigint): number {
    return (Number(ticks - 160_000_000n) * SECOND) / TICK_HZ / (1 + this.ppm * 1e-6)
  }

  private plan(k: number): void {
    const { chance, rates } = this
    if (chance.happens(rates.restart)) {
      this.fixAt = k + 3 + chance.below(5)
      this.leapKnownAt = chance.happens(0.5) ? this.fixAt : this.fixAt + chance.below(60)
    }
    if (chance.happens(rates.lostFix)) this.fixAt = k + 1 + chance.below(4)
    const fixed = k >= this.fixAt
    this.planPulse(k, fixed)
    this.planMessages(k, fixed)
  }

  private planPulse(k: number, fixed: boolean): void {
    const { chance, rates } = this
    const late = chance.happens(rates.latePulse) ? chance.uniform() * 90_000 : chance.uniform() * 100
    if (fixed && !chance.happens(rates.lostPulse)) this.edges.push(k * SECOND + late)
    if (chance.happens(rates.extraPulse)) this.edges.push((k + chance.uniform()) * SECOND)
  }

  private planMessages(k: number, fixed: boolean): void {
    const { chance, rates } = this
    const ready = k * SECOND + (40 + chance.uniform() * 80) * MILLI
    for (const bytes of this.messages(k, fixed)) {
      if (chance.happens(rates.lostMessage)) continue
      if (chance.happens(rates.damaged)) bytes[chance.below(bytes.length)]! ^= 1 << chance.below(8)
      const delay = chance.happens(rates.delayed) ? chance.uniform() * 2500 * MILLI : 0
      this.send(ready + delay, bytes)
      if (chance.happens(rates.repeated)) this.send(ready + delay + chance.uniform() * 1000 * MILLI, bytes)
    }
    if (rates.overfull > 0) this.send(ready, new Uint8Array(Math.floor(this.baud / 10)).fill(0x41))
  }

  private messages(k: number, fixed: boolean): Uint8Array[] {
    const known = k >= this.leapKnownAt
    const second = this.reported(k) - (this.rolled ? ROLLOVER : 0)
    const sixty = known && isLeapSecond(this.sky, k)
    if (this.nmea) return [rmc(second, fixed ? 'A' : 'V', { sixty, mode: fixed ? 'A' : 'N' })]
    const leap = known ? leapOfSecond(this.sky, k) : this.firmwareLeap
    const parts = [
      navPvt({
        second,
        sixty,
        leap,
        flags: fixed ? 1 : 0,
        valid: fixed ? 7 : 3,
        nano: this.chance.below(800_000) - 400_000,
      }),
    ]
    if (this.timeLs && k % 3 === 0) parts.push(this.announcement(k, known, second + (sixty ? 1 : 0), leap))
    if (this.timTp) parts.push(timTp(this.reported(k + 1), this.chance.below(20_000) - 10_000, known ? 3 : 1))
    return this.chance.happens(0.3) ? parts.reverse() : parts
  }

  private announcement(k: number, known: boolean, second: number, leap: number): Uint8Array {
    const midnight = this.sky.leapMidnight() - this.sky.unixOrigin()
    const event = this.sky.leapChange() < 0 ? midnight - 1 : midnight
    const change = known && this.sky.leapChange() !== 0 && event > k ? this.sky.leapChange() : 0
    return navTimeLs({ second, leap, source: known ? 2 : 0, change, toEvent: change === 0 ? 0 : event - k })
  }

  /** What the receiver takes second `k` to be. */
  private reported(k: number): number {
    if (k >= this.leapKnownAt) return utcOfSecond(this.sky, k)
    return this.sky.unixOrigin() + k + this.sky.leapSeconds() - this.firmwareLeap
  }

  /** Through the line: bytes keep their order, each takes its time. Two chunks show when a message began and ended. */
  private send(ready: number, bytes: Uint8Array): void {
    const start = Math.max(ready, this.lineFree)
    this.lineFree = start + (bytes.length * 10 * SECOND) / this.baud
    this.chunks.push({ at: start + (10 * SECOND) / this.baud, bytes: bytes.slice(0, 1) })
    for (let from = 1; from < bytes.length; from += 32) {
      const part = bytes.slice(from, from + 32)
      this.chunks.push({ at: start + ((from + part.length) * 10 * SECOND) / this.baud, bytes: part })
    }
  }

  /** The machine: wakes for each edge and each chunk, unless it stalls. */
  private play(): Outcome {
    const outcome: Outcome = { labels: 0, wrong: [] }
    const { x } = this.firmware
    let edge = 0
    let chunk = 0
    let busyUntil = 0
    while (edge < this.edges.length || chunk < this.chunks.length) {
      const next = Math.min(this.edges[edge] ?? Infinity, this.chunks[chunk]?.at ?? Infinity)
      const now = Math.max(next + 20_000, busyUntil)
      if (this.chance.happens(this.rates.stall / 8)) busyUntil = now + this.chance.uniform() * 1500 * MILLI
      const first = edge
      while (edge < this.edges.length && this.edges[edge]! <= now) edge++
      if (edge - first > 1) x['receiverPulsesLost']()
      if (edge > first) x['receiverPulse'](this.ticks(this.edges[edge - 1]!), this.ticks(now))
      const read: Uint8Array[] = []
      for (; chunk < this.chunks.length && this.chunks[chunk]!.at <= now; chunk++) read.push(this.chunks[chunk]!.bytes)
      if (read.length > 0) this.firmware.bytes(concat(...read), this.ticks(now))
      if (x['receiverPoll'](this.ticks(now))) this.check(outcome)
    }
    return outcome
  }

  private check(outcome: Outcome): void {
    const label = this.firmware.label()
    outcome.labels++
    const fault = wrongness(this.sky, label, this.nanosOf(label.ticks))
    if (fault !== '') outcome.wrong.push(`at ${(this.nanosOf(label.ticks) / SECOND).toFixed(6)} s: ${fault}`)
  }
}
