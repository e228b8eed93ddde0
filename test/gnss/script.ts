// A hand-written second after second: pulses and messages at chosen times, without the receiver model.

import { type Firmware, type Label, TICK_HZ } from './bench'
import { concat, navPvt, navTimeLs, type PvtOptions, type TimeLsOptions, timTp } from './streams'

const HZ = BigInt(TICK_HZ)

export interface SecondOptions {
  /** No pulse; or pulses at these ms after the second. Default [0]. */
  pulses?: number[]
  /** Arrival of the report, ms after the second. Default 80. */
  delay?: number
  /** Bytes instead of the usual messages; null: none. */
  bytes?: Uint8Array | null
  pvt?: Partial<PvtOptions>
  /** false: no TIMELS in this second. */
  timeLs?: Partial<TimeLsOptions> | false
  /** false: no TIM-TP. A number: the second that it announces. */
  timTp?: number | false
  /** How late the machine tells the pulse, ms. */
  late?: number
}

export class Script {
  /** Ticks at which the present second begins. */
  base = 10n * HZ
  /** Labels given, by the second that the script was at. */
  readonly labels: Label[] = []
  timeLs = true
  timTp = true
  leap = 18

  constructor(
    readonly firmware: Firmware,
    /** The true POSIX second of `base`. */
    public utc: number,
    built = 1_767_225_600n,
  ) {
    firmware.x['receiverInitAt'](built)
    firmware.x['ubloxInit'](0n)
  }

  at(millis: number): bigint {
    return this.base + BigInt(Math.round(millis * 16_000))
  }

  pulse(millis: number, late = 0.01): void {
    this.firmware.x['receiverPulse'](this.at(millis), this.at(millis + late))
    this.poll(millis + late)
  }

  bytes(millis: number, data: Uint8Array): void {
    this.firmware.bytes(data, this.at(millis))
    this.poll(millis)
  }

  poll(millis: number): void {
    if (this.firmware.x['receiverPoll'](this.at(millis))) this.labels.push(this.firmware.label())
  }

  /** One true second: pulse, then messages. The label, if one was given. */
  second(o: SecondOptions = {}): Label | undefined {
    const before = this.labels.length
    for (const millis of o.pulses ?? [0]) this.pulse(millis, o.late)
    const data = o.bytes === undefined ? this.messages(o) : o.bytes
    if (data !== null) this.bytes(o.delay ?? 80, data)
    this.poll(950)
    this.base += HZ
    this.utc += 1
    return this.labels.length > before ? this.labels.at(-1) : undefined
  }

  messages(o: SecondOptions = {}): Uint8Array {
    const parts = [navPvt({ second: this.utc, leap: this.leap, ...o.pvt })]
    if (this.timeLs && o.timeLs !== false) parts.push(navTimeLs({ second: this.utc, leap: this.leap, ...o.timeLs }))
    const announced = o.timTp === undefined ? this.utc + 1 : o.timTp
    if (this.timTp && announced !== false) parts.push(timTp(announced))
    return concat(...parts)
  }

  seconds(count: number, o: SecondOptions = {}): void {
    for (let i = 0; i < count; i++) this.second(o)
  }

  get valid(): boolean {
    return this.firmware.x['receiverValid']() !== 0
  }

  get reason(): number {
    return this.firmware.x['receiverReason']()
  }

  faults(fault: number): number {
    return this.firmware.x['receiverFaults'](fault)
  }

  /** Seconds until a label is given again, counting the one that gives it; 0 when none within 50. */
  untilLabel(o: SecondOptions = {}): number {
    for (let i = 1; i <= 50; i++) if (this.second(o) !== undefined) return i
    return 0
  }
}
