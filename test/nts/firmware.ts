// The NTS room's compiled entry with the calls that its tests share.

import { type Entry, type Flavour, loadEntry } from '../support/firmware'
import type { Association } from './client'

export interface Nts {
  readonly entry: Entry
  /** Calls an exported function that takes and gives numbers. */
  call(name: string, ...args: (number | bigint)[]): number
  /** Puts `bytes` where the entry reads from. */
  input(bytes: Uint8Array): void
  /** What the entry wrote. */
  output(length: number): Uint8Array
  /** A cookie by the current key. */
  seal(association: Association): Uint8Array
  /** The association in a cookie; undefined when the ring does not open it. */
  open(cookie: Uint8Array): Association | undefined
  blob(): Uint8Array
  load(blob: Uint8Array): boolean
}

/** A fresh instance, its random generator seeded with `seed`; the ring is still empty. */
export async function loadNts(seed: number, flavour: Flavour = 'checked'): Promise<Nts> {
  const entry = await loadEntry(new URL('./nts.entry.ts', import.meta.url), flavour)
  const call = (name: string, ...args: (number | bigint)[]): number => Number(entry.exports[name](...args))
  const input = (bytes: Uint8Array): void => entry.write(call('input'), bytes)
  const output = (length: number): Uint8Array => entry.read(call('output'), length)
  input(new Uint8Array(64).fill(seed))
  call('seed', 64)
  return {
    entry,
    call,
    input,
    output,
    seal({ aead, c2s, s2c }) {
      entry.write(call('c2s'), c2s)
      entry.write(call('s2c'), s2c)
      return output(call('sealCookie', aead))
    },
    open(cookie) {
      input(cookie)
      const aead = call('openCookie', cookie.length)
      if (aead === 0) return undefined
      const length = aead === 15 ? 32 : 16
      return { aead, c2s: entry.read(call('c2s'), length), s2c: entry.read(call('s2c'), length) }
    },
    blob: () => entry.read(call('keyringBlob'), call('ringSize')),
    load(blob) {
      input(blob)
      return call('ringLoad', blob.length) === 1
    },
  }
}
