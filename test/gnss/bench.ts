// A bench in virtual time: the firmware's receiver and driver on one end of a UART, the u-blox model on the other.

import { isLeapSecond, type OpenSky, type Sky, utcOfSecond } from '../../sim/chips/sky'
import { UartLine } from '../../sim/chips/uart_line'
import { UbloxReceiver } from '../../sim/chips/ublox'
import { compileEntry, type Entry, type Flavour } from '../support/firmware'

export const TICK_HZ = 16_000_000
export const SECOND = 1e9

/** firmware/drivers/ublox.ts, UbloxState. */
export const State = { Search: 0, Identify: 1, Speed: 2, Configure: 3, Running: 4, Listening: 5 } as const

/** firmware/gnss/label.ts, LabelFault. */
export const Fault = {
  None: 0,
  PulseExtra: 1,
  PulseMissing: 2,
  PulseLost: 3,
  ReportMissing: 4,
  ReportBad: 5,
  NoFix: 6,
  NotResolved: 7,
  Unconfirmed: 8,
  Inaccurate: 9,
  LabelDisagrees: 10,
  TimTpDisagrees: 11,
  LeapUnknown: 12,
  LeapDisagrees: 13,
  HintDisagrees: 14,
  Spoofed: 15,
  RolledOver: 16,
  Earning: 17,
} as const

export interface Label {
  ticks: bigint
  second: number
  leapAt: number
  errorNanos: number
  sawtoothPicos: number
  taiOffset: number
  leapWarning: number
  leapSecond: number
  valid: number
  rollover: number
}

/** A 32-bit xorshift: the same chances every time. */
export class Chance {
  private x: number
  constructor(seed: number) {
    this.x = (seed * 2_654_435_761) | 0 || 1
    for (let i = 0; i < 8; i++) this.next()
  }
  next(): number {
    this.x ^= this.x << 13
    this.x ^= this.x >>> 17
    this.x ^= this.x << 5
    return this.x >>> 0
  }
  /** 0 <= u < 1 */
  uniform(): number {
    return this.next() / 4_294_967_296
  }
  /** 0 <= n < bound */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound)
  }
  happens(probability: number): boolean {
    return this.uniform() < probability
  }
}

/** The entry with a UART that is a pair of functions. */
export class Firmware {
  private constructor(
    readonly entry: Entry,
    private readonly uart: { configure(baud: number): void; write(bytes: Uint8Array): number },
  ) {}

  static async load(flavour: Flavour = 'checked'): Promise<Firmware> {
    const uart = { configure: (_baud: number): void => {}, write: (bytes: Uint8Array): number => bytes.length }
    let memory: WebAssembly.Memory | undefined
    const imports = {
      abi: {
        uart_configure: (baud: number) => uart.configure(baud),
        uart_write: (data: number, length: number) =>
          uart.write(new Uint8Array(memory!.buffer).slice(data, data + length)),
      },
    }
    const url = new URL('./gnss.entry.ts', import.meta.url)
    const { instance } = (await WebAssembly.instantiate(
      (await compileEntry(url, flavour)) as BufferSource,
      imports,
    )) as unknown as { instance: WebAssembly.Instance }
    memory = instance.exports['memory'] as WebAssembly.Memory
    const bytes = memory
    const entry: Entry = {
      exports: instance.exports,
      memory,
      write: (address, data) => new Uint8Array(bytes.buffer).set(data, address),
      read: (address, length) => new Uint8Array(bytes.buffer).slice(address, address + length),
    }
    return new Firmware(entry, uart)
  }

  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  get x(): Record<string, any> {
    return this.entry.exports
  }

  connect(configure: (baud: number) => void, write: (bytes: Uint8Array) => number): void {
    this.uart.configure = configure
    this.uart.write = write
  }

  /** Gives bytes to the receiver as read at `ticks`. */
  bytes(data: Uint8Array, ticks: bigint): void {
    for (let at = 0; at < data.length; at += 4096) {
      const part = data.subarray(at, at + 4096)
      this.entry.write(this.x['input'](), part)
      this.x['receiverBytes'](this.x['input'](), part.length, ticks)
    }
  }

  label(): Label {
    const view = new DataView(this.entry.memory.buffer, this.x['label'](), 40)
    return {
      ticks: view.getBigUint64(0, true),
      second: Number(view.getBigInt64(8, true)),
      leapAt: Number(view.getBigInt64(16, true)),
      errorNanos: view.getUint32(24, true),
      sawtoothPicos: view.getInt32(28, true),
      taiOffset: view.getInt32(32, true),
      leapWarning: view.getInt8(36),
      leapSecond: view.getUint8(37),
      valid: view.getUint8(38),
      rollover: view.getUint8(39),
    }
  }

  /** All faults counted so far, by number. */
  faults(): number[] {
    return Object.values(Fault).map((fault) => this.x['receiverFaults'](fault))
  }
}

/** What the bench may do to the wires on the way; every function may be replaced. */
export interface Interference {
  /** Edges that the firmware sees for one true edge. */
  edge(nanos: number): number[]
  /** Bytes that the firmware reads instead of those that came. */
  bytes(bytes: Uint8Array, nanos: number): Uint8Array
  /** Nanos for which the firmware does not run after `nanos`. */
  stall(nanos: number): number
}

export interface Labelled extends Label {
  /** True time of the labelled edge. */
  nanos: number
}

export class Bench {
  now = 0
  readonly labels: Labelled[] = []
  /** Labels that were wrong. */
  readonly wrong: string[] = []
  readonly interference: Interference = { edge: (nanos) => [nanos], bytes: (bytes) => bytes, stall: () => 0 }
  /** The firmware's bytes to the chip arrive. */
  wired = true
  private readonly toChip = new UartLine()
  private hostBaud = 9600
  private deadline = 0
  private busyUntil = 0
  private edges: number[] = []

  constructor(
    readonly firmware: Firmware,
    readonly chip: UbloxReceiver,
    readonly sky: Sky,
    readonly ppm = 13,
    built = 1_767_225_600n,
  ) {
    firmware.connect(
      (baud) => {
        this.hostBaud = baud
        chip.setHostBaud(baud)
      },
      (bytes) => {
        if (this.wired) for (const byte of bytes) this.toChip.send(this.now, byte, this.hostBaud)
        return bytes.length
      },
    )
    firmware.x['receiverInitAt'](built)
    firmware.x['ubloxInit'](this.ticks(0))
  }

  /** The crystal's reading, `ppm` fast, at true time `nanos`; it started a little before the world. */
  ticks(nanos: number): bigint {
    return 1_000_000n + BigInt(Math.round(nanos * 0.016 * (1 + this.ppm * 1e-6)))
  }

  nanosOf(ticks: bigint): number {
    return Number(ticks - 1_000_000n) / (0.016 * (1 + this.ppm * 1e-6))
  }

  /** Lets `seconds` of true time pass. */
  run(seconds: number): void {
    const end = this.now + seconds * SECOND
    while (this.now < end) {
      const next = Math.min(this.chip.nextEvent(), this.toChip.nextAt(), this.deadline)
      // Bytes are read in handfuls: the firmware is not woken more often than once in a millisecond.
      this.now = Math.min(end, Math.max(next, this.now + 1e6))
      this.step()
    }
  }

  /** Runs until `done` or for `limit` seconds; true when done. */
  runUntil(done: () => boolean, limit: number): boolean {
    for (let i = 0; i < limit * 4; i++) {
      if (done()) return true
      this.run(0.25)
    }
    return done()
  }

  private step(): void {
    for (let byte = this.toChip.take(this.now); byte >= 0; byte = this.toChip.take(this.now)) {
      this.chip.writeUart(this.now, byte)
    }
    this.chip.advance(this.now)
    for (let at = this.chip.takePulse(this.now); at >= 0; at = this.chip.takePulse(this.now)) {
      this.edges.push(...this.interference.edge(at))
    }
    this.edges.sort((a, b) => a - b)
    if (this.now < this.busyUntil) return
    const stall = this.interference.stall(this.now)
    if (stall > 0) {
      this.busyUntil = this.now + stall
      return
    }
    this.poll()
  }

  private poll(): void {
    const { x } = this.firmware
    const ticks = this.ticks(this.now)
    // The machine keeps the latest edge only and a count.
    const due = this.edges.filter((edge) => edge <= this.now)
    this.edges = this.edges.filter((edge) => edge > this.now)
    if (due.length > 1) x['receiverPulsesLost']()
    if (due.length > 0) x['receiverPulse'](this.ticks(due.at(-1)!), ticks)
    const read: number[] = []
    for (let byte = this.chip.readUart(this.now); byte >= 0; byte = this.chip.readUart(this.now)) read.push(byte)
    if (read.length > 0) this.firmware.bytes(this.interference.bytes(Uint8Array.from(read), this.now), ticks)
    this.deadline = Math.max(this.nanosOf(x['ubloxPoll'](ticks)), this.now + 1e5)
    if (x['receiverPoll'](ticks)) this.note()
  }

  private note(): void {
    const label = this.firmware.label()
    const nanos = this.nanosOf(label.ticks)
    this.labels.push({ ...label, nanos })
    const fault = wrongness(this.sky, label, nanos)
    if (fault !== '') this.wrong.push(`at ${nanos / SECOND} s: ${fault}`)
  }
}

/** What is wrong with a label of the edge at true time `nanos`; empty when nothing is. */
export function wrongness(sky: Sky, label: Label, nanos: number): string {
  const k = Math.round(nanos / SECOND)
  if (Math.abs(nanos - k * SECOND) > 300_000) return 'no second begins there'
  const truth = utcOfSecond(sky, k)
  const leap = isLeapSecond(sky, k) ? 1 : 0
  if (label.second !== truth) return `second ${label.second}, in truth ${truth}`
  if (label.leapSecond !== leap) return `leapSecond ${label.leapSecond}, in truth ${leap}`
  if (label.leapWarning !== 0 && label.leapAt + 1 !== sky.leapMidnight()) return `leapAt ${label.leapAt}`
  return ''
}

/** A powered model under `sky`, changed by `setup` before it gets power. */
export function poweredChip(
  sky: OpenSky | Sky,
  seed: number,
  setup: (chip: UbloxReceiver) => void,
  warm = false,
): UbloxReceiver {
  const chip = new UbloxReceiver(sky, seed)
  setup(chip)
  chip.powerOn(0, warm)
  return chip
}
