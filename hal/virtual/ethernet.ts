// Fits the W5500 model to the machine's SPI bus and capture input.

import type { Lan } from '../../sim/chips/lan'
import { W5500 } from '../../sim/chips/w5500'
import type { EthernetDevice, EthernetWires } from './devices'

export interface EthernetOptions {
  /** The network beyond the connector. Hand the chip to it (`attach`) in `setup`. */
  lan: Lan
  /** Nanoseconds of one SPI byte; 0 when time is the host's. */
  spiByteNanos?: number
  setup?: (chip: W5500) => void
}

/** A factory for `MachineOptions.ethernet`. */
export function w5500(options: EthernetOptions): (wires: EthernetWires) => W5500Device {
  return (wires) => {
    const chip = new W5500(options.lan)
    chip.spiByteNanos = options.spiByteNanos ?? 0
    options.setup?.(chip)
    return new W5500Device(chip, wires)
  }
}

export class W5500Device implements EthernetDevice {
  private falls = 0

  constructor(
    readonly chip: W5500,
    private readonly wires: EthernetWires,
  ) {}

  nextEvent(): number {
    return this.chip.nextEvent()
  }

  advance(now: number): void {
    this.chip.advance(now)
    this.report()
  }

  write(header: number, headerLength: number, data: Uint8Array, now: number): number {
    return this.frame(header, headerLength, data, now, true)
  }

  read(header: number, headerLength: number, out: Uint8Array, now: number): number {
    return this.frame(header, headerLength, out, now, false)
  }

  interruptLevel(now: number): number {
    this.advance(now)
    return this.chip.intLevel
  }

  reset(level: number, now: number): void {
    this.chip.setReset(now, level)
    this.report()
  }

  powerCycle(now: number): void {
    this.chip.powerCycle(now)
    this.report()
  }

  private frame(header: number, headerLength: number, data: Uint8Array, now: number, write: boolean): number {
    const { chip } = this
    let end = now
    if (headerLength === 3) {
      end = chip.burst(now, header, data, 0, data.length, write)
    } else {
      chip.select(now)
      for (let i = headerLength - 1; i >= 0; i--) chip.transfer((header >>> (8 * i)) & 0xff)
      for (let i = 0; i < data.length; i++) {
        const miso = chip.transfer(write ? data[i]! : 0)
        if (!write) data[i] = miso
      }
      end = now + (headerLength + data.length) * chip.spiByteNanos
      chip.deselect(end)
    }
    this.report()
    return end
  }

  /** Passes on the falling edges of INTn since the last look. */
  private report(): void {
    const { intFalls, intFallNanos } = this.chip
    for (; this.falls !== intFalls; this.falls = (this.falls + 1) >>> 0) this.wires.interrupt(intFallNanos)
  }
}
