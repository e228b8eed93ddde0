// The table of base addresses: which peripheral answers where, and what becomes of an access that nobody models.
//
//   in    a load or store of 1, 2 or 4 bytes to 0x60000000 .. 0x600FFFFF
//   out   the peripheral's answer; `unmodelled`: counts by register, and one report each

import { blockAt, type Peripheral } from './peripheral'

export const PERIPHERALS_FROM = 0x6000_0000
export const PERIPHERALS_TO = 0x6010_0000

/** Blocks begin on this grid. */
const GRID = 8

export class Bus {
  /** Accesses to what is not modelled, or to what has no clock, by what they were. */
  readonly unmodelled = new Map<string, number>()
  reads = 0
  writes = 0
  private readonly owners: (Peripheral | undefined)[] = new Array((PERIPHERALS_TO - PERIPHERALS_FROM) >>> GRID)
  private readonly bases = new Uint32Array((PERIPHERALS_TO - PERIPHERALS_FROM) >>> GRID)

  constructor(private readonly report: (sentence: string) => void) {}

  attach(base: number, size: number, peripheral: Peripheral): void {
    for (let at = base; at < base + size; at += 1 << GRID) {
      this.owners[(at - PERIPHERALS_FROM) >>> GRID] = peripheral
      this.bases[(at - PERIPHERALS_FROM) >>> GRID] = base
    }
  }

  read(address: number, size: number): number {
    this.reads++
    const slot = (address - PERIPHERALS_FROM) >>> GRID
    const owner = this.owners[slot]
    const offset = (address - this.bases[slot]!) & ~3
    if (owner === undefined) return this.nobody('load', address)
    if (!owner.running) return this.asleep(owner, address)
    if (owner.modelled[offset >>> 2] !== 1) this.strange('load', address, owner)
    const word = owner.read(offset) >>> 0
    return size === 4 ? word : (word >>> (8 * (address & 3))) & (size === 1 ? 0xff : 0xffff)
  }

  write(address: number, value: number, size: number): void {
    this.writes++
    const slot = (address - PERIPHERALS_FROM) >>> GRID
    const owner = this.owners[slot]
    const offset = (address - this.bases[slot]!) & ~3
    if (owner === undefined) return void this.nobody('store', address)
    if (!owner.running) return void this.asleep(owner, address)
    if (owner.modelled[offset >>> 2] !== 1) this.strange('store', address, owner)
    if (size === 4) owner.write(offset, value >>> 0)
    else owner.write(offset, merged(owner.words[offset >>> 2]!, value, address & 3, size))
  }

  /** Counts something and reports its first time. */
  count(sentence: string): void {
    const before = this.unmodelled.get(sentence) ?? 0
    this.unmodelled.set(sentence, before + 1)
    if (before === 0) this.report(sentence)
  }

  private nobody(what: string, address: number): number {
    this.count(`${what} of ${registerName(address)}: the peripheral is not modelled`)
    return 0
  }

  private asleep(owner: Peripheral, address: number): number {
    this.count(`${owner.name}: ${registerName(address)} used without clock or in reset`)
    return 0
  }

  private strange(what: string, address: number, owner: Peripheral): void {
    this.count(`${what} of ${registerName(address, owner)}: the register is not modelled`)
  }
}

/** The name in the chip's description, or the bare address. */
export function registerName(address: number, owner?: Peripheral): string {
  const block = blockAt(address)
  const register = block?.registers.find(({ offset }) => offset === ((address - block.base) & ~3))
  const number = `0x${address.toString(16)}`
  return register
    ? `${block?.name}_${register.name} (${number})`
    : `${owner?.name ?? block?.name ?? 'register'} ${number}`
}

function merged(word: number, value: number, byte: number, size: number): number {
  const mask = (size === 1 ? 0xff : 0xffff) << (8 * byte)
  return ((word & ~mask) | ((value << (8 * byte)) & mask)) >>> 0
}
