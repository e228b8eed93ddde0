// What all peripherals are: a block of 32-bit registers at a base address, some of them modelled, with events in time and
// interrupt sources. The unit of time is the cycle of 160 MHz (time_base.ts).
//
// A register that is not modelled keeps what is written and starts with the chip's reset value, but every access to it is
// counted and the first one reported by name (bus.ts): it is never silently taken for something that works.

import { REGISTERS } from './register_names'

/** What a peripheral asks of the chip around it. */
export interface Chip {
  /** Now, in cycles. */
  now(): number
  /** True time of a cycle, for the parts outside the chip. */
  nanos(cycles: number): number
  /** Level of an interrupt source. */
  raise(source: number, level: boolean): void
  /** The peripheral's next event may come sooner than it said. */
  rescheduled(): void
  /** The program polls for what will be at `cycles`: time may go on to there, or to an earlier event of somebody else. */
  polled(cycles: number): void
  /** Something that a driver should not have done; counted, and reported once. */
  complain(sentence: string): void
}

export abstract class Peripheral {
  readonly words: Uint32Array
  /** 1 for each word whose register is modelled. */
  readonly modelled: Uint8Array
  /** Clock on and not held in reset; kept by SYSTEM. */
  running = true
  private readonly atReset: Uint32Array

  /** `registers`: byte offsets that are modelled; a pair is a range with both ends. */
  constructor(
    protected readonly chip: Chip,
    readonly name: string,
    registers: (number | [number, number])[],
    size = 0x1000,
  ) {
    this.words = new Uint32Array(size >>> 2)
    this.modelled = new Uint8Array(size >>> 2)
    this.atReset = new Uint32Array(size >>> 2)
    for (const { offset, reset } of blockOf(name)?.registers ?? [])
      if (offset < size) this.atReset[offset >>> 2] = reset
    for (const entry of registers) {
      const [from, to] = typeof entry === 'number' ? [entry, entry] : entry
      this.modelled.fill(1, from >>> 2, (to >>> 2) + 1)
    }
    this.words.set(this.atReset)
  }

  /** Reset of the chip or of this peripheral alone. */
  reset(): void {
    this.words.set(this.atReset)
  }

  read(offset: number): number {
    return this.words[offset >>> 2]!
  }

  write(offset: number, value: number): void {
    this.words[offset >>> 2] = value
  }

  /** The next cycle at which it acts by itself. */
  nextEvent(): number {
    return Number.POSITIVE_INFINITY
  }

  /** Does what is due. `now` never lies after the next event. */
  advance(_now: number): void {}

  /** A field of a register. */
  protected field(offset: number, high: number, low: number): number {
    return (this.words[offset >>> 2]! << (31 - high)) >>> (31 - high + low)
  }

  protected bit(offset: number, bit: number): boolean {
    return ((this.words[offset >>> 2]! >>> bit) & 1) !== 0
  }
}

/** Registers that only have to be there: written, read back, without effect on anything that is simulated. */
export class PlainRegisters extends Peripheral {}

/** RAW, ENA, ST and CLR of one interrupt source. */
export class InterruptBits {
  raw = 0
  enabled = 0

  constructor(
    private readonly chip: Chip,
    private readonly source: number,
  ) {}

  get status(): number {
    return (this.raw & this.enabled) >>> 0
  }

  set(bits: number): void {
    this.raw = (this.raw | bits) >>> 0
    this.update()
  }

  clear(bits: number): void {
    this.raw = (this.raw & ~bits) >>> 0
    this.update()
  }

  enable(bits: number): void {
    this.enabled = bits >>> 0
    this.update()
  }

  reset(): void {
    this.raw = 0
    this.enabled = 0
    this.update()
  }

  private update(): void {
    this.chip.raise(this.source, (this.raw & this.enabled) !== 0)
  }
}

export interface RegisterName {
  offset: number
  name: string
  reset: number
}

export interface RegisterBlock {
  name: string
  base: number
  registers: RegisterName[]
}

let blocks: Map<string, RegisterBlock> | undefined

/** A peripheral's registers as the chip's description has them. */
export function blockOf(name: string): RegisterBlock | undefined {
  blocks ??= parse(REGISTERS)
  return blocks.get(name)
}

/** The block that an address belongs to. */
export function blockAt(address: number): RegisterBlock | undefined {
  blocks ??= parse(REGISTERS)
  let best: RegisterBlock | undefined
  for (const block of blocks.values())
    if (block.base <= address && address < block.base + 0x1000 && block.base >= (best?.base ?? 0)) best = block
  return best
}

function parse(text: string): Map<string, RegisterBlock> {
  const found = new Map<string, RegisterBlock>()
  for (const line of text.replaceAll('\n ', ' ').split('\n')) {
    const [name = '', base = '', ...rest] = line.split(/ +/)
    if (name === '') continue
    const registers = rest[0] === '=' ? found.get(rest[1] ?? '')!.registers : rest.flatMap(expand)
    found.set(name, { name, base: Number.parseInt(base, 16), registers })
  }
  return found
}

function expand(text: string): RegisterName[] {
  const [, offset = '', count = '1', stride = '0', name = '', reset = '0'] =
    /^(\w+)(?:\*(\w+)\/(\w+))?:([\w%[\]]+)(?:=(\w+))?$/.exec(text) ?? []
  const hex = (digits: string): number => Number.parseInt(digits, 16)
  return Array.from({ length: hex(count) }, (_, n) => ({
    offset: hex(offset) + n * hex(stride),
    name: name.replace('%', String(n)),
    reset: hex(reset),
  }))
}
