// A virtual board on loopback: the machine, its world and its sockets put together for the commands.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import type { BoardSettings } from '../hal/virtual/board'

/** build/noonmark.wasm, beside the bundled command. */
export function firmware(): Uint8Array {
  compileAhead()
  return readFileSync(fileURLToPath(new URL('./noonmark.wasm', import.meta.url)))
}

/** Modules are compiled for speed before they run: the first reply must not be later than its T3 says. */
export function compileAhead(): void {
  setFlagsFromString('--no-liftoff')
  setFlagsFromString('--no-wasm-lazy-compilation')
}

/** Settings of a board that serves `address` under the names that a client on this machine would use. */
export function loopbackBoard(
  address: string,
  ntpPort: number,
  kePort: number,
  options: string[] = [],
): Omit<BoardSettings, 'calibration'> {
  return {
    mac: Uint8Array.of(0x02, 0x4e, 0x4d, 0x00, 0x00, 0x01),
    ntpPort,
    kePort,
    address,
    mask: '255.0.0.0',
    gateway: '0.0.0.0',
    names: ['noonmark.local', 'localhost'],
    options,
  }
}
