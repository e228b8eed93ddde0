// Plays a story on the virtual board: things happen, a client asks, and every answer is held against the truth.

import type { W5500Device } from '../../hal/virtual/ethernet'
import { type UbloxDevice, ublox } from '../../hal/virtual/receiver'
import { Sky } from '../../sim/chips/sky'
import { Random } from '../../sim/world/random'
import type { World } from '../../sim/world/world'
import { LAN_BOARD_ORIGIN, LanBoard } from '../lan_board'
import { encodeHeader } from '../nts/packet'
import { offsetError, served, uncertainty } from '../served'
import type { Event, Happening, Limits, Story } from './story'

const SECOND = 1e9
/** A client that is on the LAN all the while. */
const CLIENT = { ip: 0xc0a8_070a, port: 40_000 }
/** Mean time between two questions; each comes at another place in its second. */
const POLL = 16 * SECOND

/** One answer that claims to be synchronised. */
export interface Sample {
  /** True nanoseconds since power-on. */
  at: number
  /** Error of the offset that the client computes, and what it may be by what the answer says; nanoseconds. */
  error: number
  bound: number
  stratum: number
}

export interface Soak {
  story: Story
  asked: number
  /** Questions that got no answer at all, and answers that said: not synchronised. */
  silent: number
  unsynchronised: number
  samples: Sample[]
  traps: number
  watchdogs: number
}

/** How often a story's progress is told: each simulated hour. */
export type Progress = (hours: number) => void

export function soak(wasm: Uint8Array, story: Story, progress: Progress = () => undefined): Soak {
  const { ppm, tempco, daily, heating, heatingPeriod } = story.world
  const given = <T extends object>(options: T) =>
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
  const board = new LanBoard({
    wasm,
    world: {
      seed: story.seed,
      unixOrigin: story.begins ?? LAN_BOARD_ORIGIN,
      crystal: given({ ppm, tempco }) as { ppm: number; tempco: number },
      temperature: given({ daily, heating, heatingPeriod }) as {
        daily: number
        heating: number
        heatingPeriod: number
      },
    },
    machine: { receiver: ublox({ warm: !story.cold }), sqwWired: story.sqw },
  })
  const stage = new Stage(board, story.events)
  const random = new Random(story.seed, 'soak')
  const result: Soak = { story, asked: 0, silent: 0, unsynchronised: 0, samples: [], traps: 0, watchdogs: 0 }
  let transmit = BigInt(random.u32()) << 32n
  let told = 0
  while (board.now < story.lasts) {
    stage.runUntil(Math.min(board.now + POLL * (0.5 + random.uniform()), story.lasts))
    transmit += 1n
    const answer = served(board, encodeHeader(transmit), CLIENT)
    result.asked++
    if (!answer) result.silent++
    else if (answer.header.leap === 3 || answer.header.stratum === 0) result.unsynchronised++
    else {
      const { stratum } = answer.header
      result.samples.push({ at: board.now, error: offsetError(answer), bound: uncertainty(answer), stratum })
    }
    const hours = Math.floor(board.now / 3600e9)
    if (hours > told) progress(hours)
    told = hours
  }
  const { traps, watchdogs } = board.machine.counters
  return { ...result, traps, watchdogs }
}

/** Lets the events of a story happen to a board, each at its time. */
export class Stage {
  private readonly acts: { at: number; act: () => void }[] = []
  private readonly sky: ClaimedSky

  constructor(
    private readonly board: LanBoard,
    events: readonly Event[],
  ) {
    const { chip } = board.machine.receiver as UbloxDevice
    this.sky = new ClaimedSky(board.world)
    chip.sky = this.sky
    for (const { at, lasts, what } of events) this.plan(at, at + lasts, what)
    this.acts.sort((a, b) => a.at - b.at)
  }

  runUntil(nanos: number): void {
    for (let next = this.acts[0]; next !== undefined && next.at <= nanos; next = this.acts[0]) {
      this.acts.shift()
      if (next.at > this.board.now) this.board.advance(next.at - this.board.now)
      next.act()
    }
    if (nanos > this.board.now) this.board.advance(nanos - this.board.now)
  }

  private plan(from: number, to: number, what: Happening): void {
    const { board } = this
    const { machine } = board
    const chip = (machine.receiver as UbloxDevice).chip
    const during = (begin: () => void, end: () => void) => {
      this.acts.push({ at: from, act: begin }, { at: to, act: end })
    }
    if (what.kind === 'sky') board.world.sky.outages.push({ from, to })
    else if (what.kind === 'power')
      during(
        () => machine.powerOff(),
        () => machine.powerOn(),
      )
    else if (what.kind === 'cable')
      during(
        () => this.cable(false),
        () => this.cable(true),
      )
    else if (what.kind === 'wave')
      during(
        () => (machine.sqwSilent = true),
        () => (machine.sqwSilent = false),
      )
    else if (what.kind === 'spoof')
      during(
        () => (chip.bias -= what.nanos),
        () => (chip.bias += what.nanos),
      )
    else if (what.kind === 'drag') this.drag(from, to, what.nanos)
    else if (what.kind === 'seconds')
      during(
        () => (chip.secondShift += what.seconds),
        () => (chip.secondShift -= what.seconds),
      )
    else if (what.kind === 'weeks')
      during(
        () => (chip.weekShift += what.weeks),
        () => (chip.weekShift -= what.weeks),
      )
    else if (what.kind === 'ahead')
      during(
        () => (this.sky.ahead += what.seconds),
        () => (this.sky.ahead -= what.seconds),
      )
    else if (what.kind === 'announces')
      during(
        () => this.sky.announce(what.change, board.now),
        () => this.sky.announce(0, board.now),
      )
    else if (what.kind === 'warns') {
      const state = what.of === 'spoofed' ? 'spoofing' : 'jamming'
      during(
        () => (chip[state] = 3),
        () => (chip[state] = 1),
      )
    } else if (what.what === 'device') this.acts.push({ at: from, act: () => machine.pressReset() })
    else this.acts.push({ at: from, act: () => chip.restart(board.now, true) })
  }

  private cable(plugged: boolean): void {
    ;(this.board.machine.ethernet as W5500Device).chip.setCable(this.board.now, plugged)
  }

  private drag(from: number, to: number, nanosPerSecond: number): void {
    const chip = (this.board.machine.receiver as UbloxDevice).chip
    let dragged = 0
    for (let at = from; at < to; at += SECOND) {
      this.acts.push({ at, act: () => (chip.bias -= nanosPerSecond) })
      dragged += nanosPerSecond
    }
    this.acts.push({ at: to, act: () => (chip.bias += dragged) })
  }
}

/** The sky as a receiver is made to believe it. Signals that are forged together agree with each other. */
class ClaimedSky extends Sky {
  /** Seconds by which all of it is ahead. */
  ahead = 0
  private midnight = 0
  private change = 0

  constructor(private readonly world: World) {
    super()
  }

  /** Announces a leap second at the end of the month, against the truth; 0: no more. */
  announce(change: number, now: number): void {
    const date = new Date(this.world.utc(now).seconds * 1000)
    this.midnight = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / 1000
    this.change = change
  }

  unixOrigin(): number {
    return this.world.sky.unixOrigin() + this.ahead
  }

  leapSeconds(): number {
    return this.world.sky.leapSeconds()
  }

  leapMidnight(): number {
    return this.change === 0 ? this.world.sky.leapMidnight() : this.midnight
  }

  leapChange(): number {
    return this.change === 0 ? this.world.sky.leapChange() : this.change
  }

  visible(nanos: number): boolean {
    return this.world.sky.visible(nanos)
  }
}

/** Days of misfortunes by chance: the same for the same seed. Skies are lost often, power and cable now and then. */
export function randomStory(days: number, seed: number): Story {
  const random = new Random(seed, 'story')
  const lasts = days * 86_400 * SECOND
  const between = (low: number, high: number) => low * (high / low) ** random.uniform()
  const events: Event[] = []
  const scatter = (everyHours: number, event: () => Omit<Event, 'at'>) => {
    for (let at = 0; ; ) {
      at += -Math.log(1 - random.uniform()) * everyHours * 3600 * SECOND
      const { lasts: span, what } = event()
      if (at + span + 600 * SECOND >= lasts) return
      events.push({ at, lasts: span, what })
      at += span
    }
  }
  scatter(6, () => ({ lasts: between(5, 4 * 3600) * SECOND, what: { kind: 'sky' } }))
  scatter(30, () => ({ lasts: between(1, 3600) * SECOND, what: { kind: 'power' } }))
  scatter(20, () => ({ lasts: between(1, 1800) * SECOND, what: { kind: 'cable' } }))
  scatter(24, () => ({ lasts: between(10, 600) * SECOND, what: { kind: 'spoof', nanos: between(2e6, 4e8) } }))
  scatter(40, () => ({ lasts: 0, what: { kind: 'reset', what: random.uniform() < 0.5 ? 'device' : 'receiver' } }))
  events.sort((a, b) => a.at - b.at)
  return {
    name: `${days} days by chance, seed ${seed}`,
    seed,
    lasts,
    cold: random.uniform() < 0.5,
    sqw: true,
    begins: undefined,
    world: {},
    events,
    limits: { coverage: 0.999 },
    more: {},
  }
}

export interface Summary {
  median: number
  p99: number
  p999: number
  worst: number
  /** Parts of 1. */
  coverage: number
  served: number
  medianBound: number
  /** Answers above their bound. */
  violations: number
}

export function summarise({ samples, asked }: Soak): Summary {
  const sizes = samples.map(({ error }) => Math.abs(error)).sort((a, b) => a - b)
  const bounds = samples.map(({ bound }) => bound).sort((a, b) => a - b)
  const at = (sorted: number[], part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
  const violations = samples.filter(({ error, bound }) => Math.abs(error) > bound).length
  return {
    median: at(sizes, 0.5),
    p99: at(sizes, 0.99),
    p999: at(sizes, 0.999),
    worst: sizes.at(-1) ?? 0,
    coverage: samples.length === 0 ? 1 : 1 - violations / samples.length,
    served: asked === 0 ? 0 : samples.length / asked,
    medianBound: at(bounds, 0.5),
    violations,
  }
}

/** What of its limits a story did not keep, in sentences; empty when all is well. */
export function failures(result: Soak): string[] {
  const summary = summarise(result)
  const { limits } = result.story
  const found: string[] = []
  const above = (key: 'median' | 'p99' | 'worst') => {
    const limit: number | undefined = (limits as Limits)[key]
    if (limit !== undefined && summary[key] > limit)
      found.push(`${key} error ${showNanos(summary[key])}, above the limit of ${showNanos(limit)}`)
  }
  above('median')
  above('p99')
  above('worst')
  for (const key of ['coverage', 'served'] as const) {
    const limit = limits[key]
    if (limit !== undefined && summary[key] < limit) found.push(`${key} ${summary[key].toFixed(5)}, below ${limit}`)
  }
  if (result.traps > 0) found.push(`${result.traps} traps`)
  if (result.watchdogs > 0) found.push(`${result.watchdogs} watchdog resets`)
  return found
}

/** 1234567 -> `1.23 ms`. */
export function showNanos(nanos: number): string {
  const size = Math.abs(nanos)
  const [unit, name] = size < 1e3 ? [1, 'ns'] : size < 1e6 ? [1e3, 'us'] : size < 1e9 ? [1e6, 'ms'] : [1e9, 's']
  const value = nanos / (unit as number)
  return `${Math.abs(value) < 10 && unit !== 1 ? value.toFixed(2) : Math.abs(value) < 100 && unit !== 1 ? value.toFixed(1) : value.toFixed(0)} ${name}`
}
