// Fits the u-blox model to the machine's UART and capture input.

import { UbloxReceiver } from '../../sim/chips/ublox'
import type { World } from '../../sim/world/world'
import type { ReceiverDevice, ReceiverWires } from './devices'

export interface ReceiverOptions {
  /** The receiver knows ephemerides and time from before power-on: a fix within seconds. Default true. */
  warm?: boolean
  /** Last changes to the model before it gets power. */
  setup?: (receiver: UbloxReceiver) => void
}

/** A factory for `MachineOptions.receiver`. */
export function ublox(options: ReceiverOptions = {}): (wires: ReceiverWires, world: World) => UbloxDevice {
  return (wires, world) => {
    const chip = new UbloxReceiver(world.sky, world.seed)
    options.setup?.(chip)
    return new UbloxDevice(chip, wires, options.warm ?? true)
  }
}

export class UbloxDevice implements ReceiverDevice {
  /** Bytes on their way to the receiver: value and the end of its stop bit. */
  private readonly values: number[] = []
  private readonly ends: number[] = []

  constructor(
    readonly chip: UbloxReceiver,
    private readonly wires: ReceiverWires,
    private warm: boolean,
  ) {}

  powerOn(now: number): void {
    this.chip.powerOn(now, this.warm)
    // From now on its backup battery knows.
    this.warm = true
  }

  powerOff(now: number): void {
    this.values.length = 0
    this.ends.length = 0
    this.chip.powerOff(now)
  }

  nextEvent(): number {
    return Math.min(this.chip.nextEvent(), this.ends[0] ?? Number.POSITIVE_INFINITY)
  }

  advance(now: number): void {
    while (this.ends.length > 0 && this.ends[0]! <= now) this.chip.writeUart(this.ends.shift()!, this.values.shift()!)
    this.chip.advance(now)
    for (let at = this.chip.takePulse(now); at >= 0; at = this.chip.takePulse(now)) this.wires.pulse(at)
    for (let byte = this.chip.readUart(now); byte >= 0; byte = this.chip.readUart(now)) this.wires.byte(byte, now)
  }

  setBaud(baud: number): void {
    this.chip.setHostBaud(baud)
  }

  receive(byte: number, nanos: number): void {
    this.values.push(byte)
    this.ends.push(nanos)
  }
}
