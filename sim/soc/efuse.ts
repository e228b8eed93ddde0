// EFUSE (TRM chapter 4): what a program reads of it. Nothing can be burnt.

import { type Chip, Peripheral } from './peripheral'

const RD_REPEAT_DATA0 = 0x30
const RD_REPEAT_DATA1 = 0x34
const RD_REPEAT_DATA4 = 0x40
const RD_MAC_SPI_SYS_0 = 0x44
const RD_MAC_SPI_SYS_1 = 0x48
const RD_MAC_SPI_SYS_3 = 0x50
const RD_MAC_SPI_SYS_5 = 0x58
/** Minor chip revision at bit 18: v0.4. */
const REVISION = 4 << 18

export class Efuse extends Peripheral {
  /** `mac`: 6 bytes in the order of transmission. `delaySelect`: WDT_DELAY_SEL. */
  constructor(
    chip: Chip,
    private readonly mac: Uint8Array,
    private readonly delaySelect = 0,
  ) {
    super(
      chip,
      'EFUSE',
      [
        [RD_REPEAT_DATA0, RD_REPEAT_DATA4],
        [RD_MAC_SPI_SYS_0, RD_MAC_SPI_SYS_5],
      ],
      0x200,
    )
    this.reset()
  }

  override reset(): void {
    super.reset()
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = this.mac
    this.words[RD_REPEAT_DATA1 >>> 2] = this.delaySelect << 16
    this.words[RD_MAC_SPI_SYS_0 >>> 2] = ((c << 24) | (d << 16) | (e << 8) | f) >>> 0
    this.words[RD_MAC_SPI_SYS_1 >>> 2] = (a << 8) | b
    this.words[RD_MAC_SPI_SYS_3 >>> 2] = REVISION
  }

  override write(): void {
    this.chip.complain('EFUSE: written')
  }
}
