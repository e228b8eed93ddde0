// A W5500 with faults to order, between the board and the model.

import type { EthernetDevice } from '../../hal/virtual/devices'
import type { W5500Device } from '../../hal/virtual/ethernet'
import type { LanBoard } from './board'

export class FaultyEthernet implements EthernetDevice {
  /** Nothing answers: the bus reads 0xFF. */
  absent = false
  /** The next transfer asks for memory outside the module, as a broken driver would: a trap. */
  trapNext = false
  /** The next transfer takes this long, nanoseconds. */
  hang = 0
  readonly chip: W5500Device['chip']

  private constructor(private readonly device: W5500Device) {
    this.chip = device.chip
  }

  /** Puts itself between a board and its W5500. */
  static into(board: LanBoard): FaultyEthernet {
    const machine = board.machine as { ethernet: EthernetDevice }
    const faulty = new FaultyEthernet(board.machine.ethernet as W5500Device)
    machine.ethernet = faulty
    return faulty
  }

  nextEvent(): number {
    return this.device.nextEvent()
  }

  advance(now: number): void {
    this.device.advance(now)
  }

  write(header: number, headerLength: number, data: Uint8Array, now: number): number {
    return this.delay(this.absent ? now : this.device.write(header, headerLength, data, now))
  }

  read(header: number, headerLength: number, out: Uint8Array, now: number): number {
    if (!this.absent) return this.delay(this.device.read(header, headerLength, out, now))
    out.fill(0xff)
    return this.delay(now)
  }

  interruptLevel(now: number): number {
    return this.absent ? 1 : this.device.interruptLevel(now)
  }

  reset(level: number, now: number): void {
    if (!this.absent) this.device.reset(level, now)
  }

  powerCycle(now: number): void {
    this.device.powerCycle(now)
  }

  private delay(end: number): number {
    if (this.trapNext) {
      this.trapNext = false
      throw new WebAssembly.RuntimeError('memory access out of bounds')
    }
    const { hang } = this
    this.hang = 0
    return end + hang
  }
}
