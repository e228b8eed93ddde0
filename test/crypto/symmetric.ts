// What the tests of the symmetric half share: seeded bytes, and a compiled entry whose every buffer stands between guards.

import { afterEach, expect } from 'vitest'
import { type Entry, type Flavour, loadEntry } from '../support/firmware'

export const FLAVOURS: readonly Flavour[] = ['checked', 'release']

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Bytes from hexadecimal; blanks do not count. */
export const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))

export const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))

/** A small seeded generator (xorshift32): tests repeat exactly. */
export class Random {
  constructor(private state: number) {}

  word(): number {
    let x = this.state | 0
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x
    return x >>> 0
  }

  /** 0..limit-1. */
  below(limit: number): number {
    return this.word() % limit
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.word() >>> 11)
  }
}

/** What hal/abi's aes_load and aes_encrypt would be. */
export interface Accelerator {
  load(key: number, length: number): number
  encrypt(input: number, output: number): void
}

const FILL = 0xa5
const GUARD = 24

/**
 * A compiled entry and its arena. Buffers are cut from it one after another at a chosen offset from 16-byte alignment,
 * each between guard bytes; inputs are remembered. `check` tells whether anything was written where it should not be.
 */
export class Machine {
  private next = 0
  private readonly base: number
  private readonly guarded: { start: number; bytes: Uint8Array }[] = []

  private constructor(
    readonly entry: Entry,
    /** The fake accelerator's two functions; a test sets them. */
    readonly accelerator: Accelerator,
  ) {
    this.base = entry.exports['arena']()
  }

  /** A machine of its own, for one test. */
  static async load(flavour: Flavour): Promise<Machine> {
    const accelerator: Accelerator = { load: () => -4, encrypt: () => {} }
    const imports = {
      'symmetric.entry': {
        fake_load: (key: number, length: number) => accelerator.load(key, length),
        fake_encrypt: (input: number, output: number) => accelerator.encrypt(input, output),
      },
    }
    const entry = await loadEntry(new URL('./symmetric.entry.ts', import.meta.url), flavour, imports)
    return new Machine(entry, accelerator)
  }

  /** A machine for all tests of a `describe`: after each of them it is checked and its buffers are forgotten. */
  static async shared(flavour: Flavour): Promise<Machine> {
    const machine = await Machine.load(flavour)
    afterEach(() => machine.reset())
    return machine
  }

  // biome-ignore lint/suspicious/noExplicitAny: the exports of a module have no static type
  call(name: string, ...args: number[]): any {
    return this.entry.exports[name](...args)
  }

  /** An input: its bytes must not change. */
  put(bytes: Uint8Array, misalign = 0): number {
    const address = this.space(bytes.length, misalign)
    this.entry.write(address, bytes)
    this.guarded.push({ start: address, bytes: bytes.slice() })
    return address
  }

  /** An output or a working area, filled with 0xA5. */
  space(length: number, misalign = 0): number {
    const start = this.base + this.next
    const address = ((start + GUARD + 15) & ~15) + misalign
    const end = address + length
    this.next = end + GUARD - this.base
    if (this.next > 65536) throw new Error('arena full')
    this.entry.write(start, new Uint8Array(end + GUARD - start).fill(FILL))
    this.guarded.push({ start, bytes: new Uint8Array(address - start).fill(FILL) })
    this.guarded.push({ start: end, bytes: new Uint8Array(GUARD).fill(FILL) })
    return address
  }

  take(address: number, length: number): Uint8Array {
    return this.entry.read(address, length)
  }

  write(address: number, bytes: Uint8Array): void {
    this.entry.write(address, bytes)
  }

  /** Throws when a guard or an input has changed. */
  check(): void {
    for (const { start, bytes } of this.guarded) {
      if (Buffer.compare(this.take(start, bytes.length), bytes) !== 0) {
        expect.fail(`bytes around a buffer, or an input, were overwritten at arena offset ${start - this.base}`)
      }
    }
  }

  /** Forgets all buffers. */
  reset(): void {
    this.check()
    this.next = 0
    this.guarded.length = 0
  }
}
