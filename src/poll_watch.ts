// What every poll() of the flash image costs on the simulated ESP32-C3, from its first instruction to its return, with what
// interrupts it; and how deep its stack has become.

import { parseElf } from '../sim/cpu/elf'
import type { Esp32c3Firmware } from './esp32c3'
import type { Esp32c3LanBoard } from './lan_board'

/** Instructions, and time in cycles of 160 MHz. */
export interface Cost {
  instructions: number
  cycles: number
}

/** What start.S fills the stack with. */
const PAINT = 0xa5a5_a5a5

/** Tells of every poll() from now on. The simulated core has one watcher. */
export function watchPolls(board: Esp32c3LanBoard, firmware: Esp32c3Firmware, polled: (cost: Cost) => void): void {
  const { soc } = board.machine
  const entry = symbol(firmware, 'runtime_poll')
  // The compiler may call it from several places.
  const exits = new Set<number>()
  let begun: Cost | undefined
  soc.onHook = (pc) => {
    if (pc === entry) {
      begun = { instructions: soc.cpu.instructions, cycles: soc.now() }
      const back = soc.cpu.register(1)
      if (!exits.has(back)) soc.cpu.setHooks([entry, ...exits.add(back)])
    } else if (begun) {
      polled(difference({ instructions: soc.cpu.instructions, cycles: soc.now() }, begun))
      begun = undefined
    }
    return false
  }
  soc.cpu.setHooks([entry])
}

export function difference(after: Cost, before: Cost): Cost {
  return { instructions: after.instructions - before.instructions, cycles: after.cycles - before.cycles }
}

/** Bytes of the stack that were ever written. */
export function stackUsed(board: Esp32c3LanBoard, firmware: Esp32c3Firmware): number {
  const bottom = symbol(firmware, 'stack_bottom')
  const bytes = board.machine.soc.cpu.read(bottom, symbol(firmware, 'stack_top') - bottom)
  const used = new Uint32Array(bytes.buffer).findIndex((word) => word !== PAINT)
  return used < 0 ? 0 : bytes.length - 4 * used
}

function symbol(firmware: Esp32c3Firmware, name: string): number {
  const address = parseElf(firmware.elf).symbols.get(name)
  if (address === undefined) throw new Error(`the image has no symbol ${name}`)
  return address
}
