// The firmware's clock room (build/clock.wasm) at work: captured pulses in, the time it would serve out.
//
// Time is the local counter, at any rate. The firmware counts 16 MHz: a capture on a finer counter is handed in as the
// tick that it fell into, and the rest as a correction of the pulse, the way a receiver's quantisation is.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** build/clock.wasm, beside the bundled command. */
export function clockModule(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(fileURLToPath(new URL('./clock.wasm', import.meta.url))))
}

/** A captured pulse with the receiver's label. */
export interface CapturedPulse {
  /** The counter at the capture. */
  ticks: number
  /** POSIX second that begins, counted on through a leap second. */
  label: number
  /** Leap seconds to take off the label: 1 once the inserted second has passed. */
  leapSeconds: number
  /** A leap second will be inserted at the end of this UTC day. */
  leapWarning: boolean
}

export interface Served {
  /** POSIX second of UTC. Inside 23:59:60 it is that of 23:59:59. */
  seconds: number
  /** 0 .. below 1e9. */
  nanos: number
  /** Bound on the error, ns. */
  bound: number
}

export interface Alarm {
  /** Counter when it was raised. */
  ticks: number
  text: string
}

export interface ClockRoomOptions {
  /** Nominal rate of the counter. */
  tickHz: number
  /** Mean delay of a capture, ns. */
  captureBias: number
  /** What the calibration of that delay may have left, ns. */
  captureResidual?: number
}

/** firmware/clock/clock.ts. */
export const enum ClockState {
  Unknown = 0,
  Restored = 1,
  Locked = 2,
  Holdover = 3,
  Vouched = 4,
}

const FIRMWARE_HZ = 16_000_000
const TICK_NANOS = 1e9 / FIRMWARE_HZ
const DAY = 86_400

/** The receiver's own bound on its pulse, as an ordinary one states it, ns. */
const RECEIVER_ERROR = 30

/** From the edge to the arrival of its label, in the firmware's ticks: 80 ms. */
const LABEL_DELAY = FIRMWARE_HZ * 0.08

/** By firmware/clock/alarm.ts' ClockAlarm. */
const ALARMS: Record<number, string> = {
  0: 'over: pulses are followed again',
  1: 'jump refused: pulses are off by',
  2: 'label refused: off by',
  3: 'shift followed:',
  4: 'gave in to a contradiction of',
}

/** Polls at one instant before the clock must have come to rest. */
const POLLS = 10_000

interface Exports {
  init(delayNanos: number, residualNanos: number): void
  pulse(
    ticks: number,
    second: number,
    errorNanos: number,
    sawtoothPicos: number,
    leapSecond: number,
    leapWarning: number,
    leapAt: number,
    now: number,
  ): void
  temperature(sixtyfourths: number): void
  poll(now: number): number
  serve(ticks: number): number
  fraction(): number
  leap(): number
  error(ticks: number): number
  state(): ClockState
  stratum(): number
  accepted(): number
  rejected(): number
  steps(): number
  difference(): number
  alarm(): number
  alarmNanos(): number
}

export class ClockRoom {
  readonly alarms: Alarm[] = []
  onAlarm: ((alarm: Alarm) => void) | undefined

  private readonly clock: Exports
  private readonly scale: number
  private readonly waiting: CapturedPulse[] = []
  /** The firmware's tick up to which it has run. */
  private now = 0
  private due = 0
  private booted = false
  /** Midnight (POSIX) of the leap second that the pulses announce. */
  private midnight = Number.NaN
  private state = ClockState.Unknown
  private alarm = 0

  constructor(
    module: WebAssembly.Module,
    readonly options: ClockRoomOptions,
  ) {
    this.scale = options.tickHz / FIRMWARE_HZ
    this.clock = new WebAssembly.Instance(
      module,
      importsOf(module, () => this.now++),
    ).exports as unknown as Exports
  }

  /** A pulse was captured; it is labelled a little later. Pulses come in the order of their ticks. */
  pulse(pulse: CapturedPulse): void {
    this.waiting.push(pulse)
  }

  /** The board's thermometer is read, in degrees C. */
  temperature(degrees: number): void {
    this.clock.temperature(Math.round(degrees * 64))
  }

  /** Runs up to an instant of the counter (whole ticks and a fraction), and reads the clock there; undefined: it knows nothing. */
  serve(ticks: number, fraction = 0): Served | undefined {
    const at = this.fromCounter(ticks)
    const here = at.ticks
    this.runTo(here)
    if (this.clock.state() === ClockState.Unknown) return undefined
    let seconds = this.clock.serve(here)
    // The tick's remainder runs at the nominal rate: some ppm of some nanoseconds are nothing.
    let nanos = ((this.clock.fraction() >>> 0) / 2 ** 32) * 1e9 + (at.rest + fraction / this.scale) * TICK_NANOS
    if (nanos >= 1e9) {
      nanos -= 1e9
      seconds++
    }
    return { seconds, nanos, bound: this.clock.error(here) }
  }

  counters(): { accepted: number; rejected: number; steps: number; state: ClockState } {
    const { clock } = this
    return { accepted: clock.accepted(), rejected: clock.rejected(), steps: clock.steps(), state: clock.state() }
  }

  /** The firmware's tick of an instant, and what remains, as part of a tick. */
  private fromCounter(ticks: number): { ticks: number; rest: number } {
    if (this.scale === 1) return { ticks, rest: 0 }
    const whole = Math.floor(ticks / this.scale)
    return { ticks: whole, rest: (ticks - whole * this.scale) / this.scale }
  }

  private runTo(until: number): void {
    if (!this.booted) this.boot(until)
    while (this.waiting[0] !== undefined) {
      const edge = this.fromCounter(this.waiting[0].ticks)
      if (edge.ticks > until) break
      const arrival = Math.max(this.now, Math.min(edge.ticks + LABEL_DELAY, until))
      this.pollTo(arrival)
      this.deliver(this.waiting.shift()!, edge, arrival)
    }
    this.pollTo(until)
  }

  private boot(at: number): void {
    const first = this.waiting[0] ? Math.min(this.fromCounter(this.waiting[0].ticks).ticks, at) : at
    // Reading the counter some dozens of times, to measure its precision, must not lead beyond the first pulse.
    this.now = Math.max(0, first - 1000)
    this.clock.init(this.options.captureBias, this.options.captureResidual ?? 25)
    this.due = this.now
    this.booted = true
  }

  private pollTo(until: number): void {
    for (let i = 0; this.due <= until; i++) {
      if (i > POLLS && this.due <= this.now) throw new Error(`the clock does not come to rest at tick ${this.now}`)
      this.now = Math.max(this.now, this.due)
      this.due = this.clock.poll(this.now)
      this.watch()
    }
    this.now = Math.max(this.now, until)
  }

  private deliver(pulse: CapturedPulse, edge: { ticks: number; rest: number }, now: number): void {
    const inLeap = this.hearWarning(pulse)
    const second = inLeap ? pulse.label - 1 : pulse.label - pulse.leapSeconds
    const announced = !Number.isNaN(this.midnight)
    // The edge came later than the tick: that is a sawtooth the other way round.
    const sawtooth = -Math.round(edge.rest * TICK_NANOS * 1000)
    this.clock.pulse(
      edge.ticks,
      second,
      RECEIVER_ERROR,
      sawtooth,
      inLeap ? 1 : 0,
      announced ? 1 : 0,
      announced ? this.midnight - 1 : 0,
      now,
    )
    this.due = now
    this.watch()
    this.pollTo(now)
  }

  /** Keeps the announced midnight; true for the pulse of 23:59:60, which is the first after its day. */
  private hearWarning(pulse: CapturedPulse): boolean {
    if (!pulse.leapWarning) {
      this.midnight = Number.NaN
      return false
    }
    if (pulse.label === this.midnight) return true
    this.midnight = (Math.floor((pulse.label - pulse.leapSeconds) / DAY) + 1) * DAY
    return false
  }

  /** Tells what has changed. */
  private watch(): void {
    const alarm = this.clock.alarm()
    if (alarm !== this.alarm) {
      this.alarm = alarm
      const text = ALARMS[alarm] ?? `alarm ${alarm}`
      this.raise(alarm === 0 ? text : `${text} ${sized(this.clock.alarmNanos())}`)
    }
    const state = this.clock.state()
    if (state === this.state) return
    if (state === ClockState.Locked) this.raise(this.state === ClockState.Holdover ? 'locked again' : 'locked')
    if (state === ClockState.Holdover) this.raise('holdover: no believable pulse')
    if (state === ClockState.Unknown) this.raise('stepped: the time was wrong')
    this.state = state
  }

  private raise(text: string): void {
    const alarm = { ticks: this.now * this.scale, text }
    this.alarms.push(alarm)
    this.onAlarm?.(alarm)
  }
}

/** The counter; whatever else a clock room may import answers 0, as a machine without the part does. */
function importsOf(module: WebAssembly.Module, counter: () => number): WebAssembly.Imports {
  const imports: Record<string, Record<string, unknown>> = {}
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {}
    imports[from][name] = name === 'ticks' ? () => BigInt(counter()) : () => 0
  }
  return imports as WebAssembly.Imports
}

/** Nanoseconds with a sign and a unit that suits. */
function sized(nanos: number): string {
  const size = Math.abs(nanos)
  const [unit, name] = size < 1e3 ? [1, 'ns'] : size < 1e6 ? [1e3, 'us'] : size < 1e9 ? [1e6, 'ms'] : [1e9, 's']
  return `${nanos < 0 ? '-' : '+'}${(size / unit).toPrecision(4)} ${name}`
}
