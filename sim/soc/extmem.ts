// EXTMEM (TRM chapter 3.3.3): the flash cache's switches and its MMU table of 128 pages of 64 KB, shared by both buses.
//
//   out   `changed()`: what the processor sees of the flash has changed (`enabled`, `page`)
//
// The cache is taken to be always idle and always coherent: its invalidation is accepted and does nothing. The ROM leaves
// the flash mapped one to one (direct boot), so that is the state after reset.

import { type Chip, Peripheral } from './peripheral'

const ICACHE_CTRL = 0x00
const ICACHE_CTRL1 = 0x04
const ICACHE_SYNC_CTRL = 0x28
const ICACHE_SYNC_SIZE = 0x30
const CACHE_STATE = 0xb0
const ICACHE_FREEZE = 0xcc

const ENABLE = 1
const SYNC_DONE = 1 << 1
const IDLE = 1
const SHUT_BUSES = 3

export class Extmem extends Peripheral {
  constructor(
    chip: Chip,
    private readonly changed: () => void,
  ) {
    super(chip, 'EXTMEM', [
      [ICACHE_CTRL, ICACHE_CTRL1],
      [ICACHE_SYNC_CTRL, ICACHE_SYNC_SIZE],
      CACHE_STATE,
      ICACHE_FREEZE,
    ])
  }

  /** As the ROM leaves it for a direct-boot image: cache on, both buses open. */
  override reset(): void {
    super.reset()
    this.words[ICACHE_CTRL >>> 2] = ENABLE
    this.words[ICACHE_CTRL1 >>> 2] = 0
    this.changed()
  }

  /** The flash can be read and executed through the cache. */
  get enabled(): boolean {
    return this.bit(ICACHE_CTRL, 0) && (this.words[ICACHE_CTRL1 >>> 2]! & SHUT_BUSES) === 0
  }

  override read(offset: number): number {
    if (offset === CACHE_STATE) return IDLE
    if (offset === ICACHE_SYNC_CTRL) return super.read(offset) | SYNC_DONE
    if (offset === ICACHE_FREEZE)
      return (super.read(offset) & 1) === 1 ? super.read(offset) | 4 : super.read(offset) & ~4
    return super.read(offset)
  }

  override write(offset: number, value: number): void {
    super.write(offset, value)
    if (offset <= ICACHE_CTRL1) this.changed()
  }
}

/** The MMU table at 0x600C5000: flash page of each virtual page; bit 8: invalid. */
export class MmuTable extends Peripheral {
  constructor(chip: Chip) {
    super(chip, 'MMU', [[0, 4 * 128 - 4]], 0x200)
    this.reset()
  }

  override reset(): void {
    for (let page = 0; page < 128; page++) this.words[page] = page
  }

  override write(offset: number, value: number): void {
    if (value !== offset >>> 2) this.chip.complain('MMU: only a one-to-one mapping of the flash is modelled')
    super.write(offset, value)
  }
}
