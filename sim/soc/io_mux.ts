// IO_MUX (TRM chapter 5.13): the function, pulls and input enable of each pad.

import { type Chip, Peripheral } from './peripheral'

export const PADS = 22

const GPIO0 = 0x04
const MCU_SEL = { high: 14, low: 12 }
const FUN_IE = 9
const FUN_WPU = 8
const FUN_WPD = 7

/** MCU_SEL: the GPIO matrix. */
export const FUNCTION_GPIO = 1

export class IoMux extends Peripheral {
  constructor(
    chip: Chip,
    private readonly changed: () => void,
  ) {
    super(chip, 'IO_MUX', [[0x00, GPIO0 + 4 * PADS - 4]])
  }

  override reset(): void {
    super.reset()
    this.changed()
  }

  override write(offset: number, value: number): void {
    super.write(offset, value)
    this.changed()
  }

  function(pad: number): number {
    return this.field(GPIO0 + 4 * pad, MCU_SEL.high, MCU_SEL.low)
  }

  inputEnabled(pad: number): boolean {
    return this.bit(GPIO0 + 4 * pad, FUN_IE)
  }

  /** The level of a pad that nobody drives: its pull; a floating pad reads 0. */
  pull(pad: number): number {
    return this.bit(GPIO0 + 4 * pad, FUN_WPU) && !this.bit(GPIO0 + 4 * pad, FUN_WPD) ? 1 : 0
  }
}
