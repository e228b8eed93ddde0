// The flash image on the simulated ESP32-C3, on the LAN in memory, for the tests of this folder.

import { parseElf } from '../../sim/cpu/elf'
import { type Esp32c3Firmware, esp32c3Firmware } from '../../src/esp32c3'
import { Esp32c3LanBoard, type Esp32c3LanBoardOptions, type LanBoard } from '../../src/lan_board'

export const SECOND = 1e9

/** The image; without a RISC-V compiler there is none, and why. */
let firmware: Esp32c3Firmware | undefined
let reason: string | undefined
try {
  firmware = await esp32c3Firmware()
} catch (error) {
  reason = `the ESP32-C3 image cannot be built here: ${(error as Error).message}`
  console.log(reason)
}

/** Why the image cannot be tested; undefined when it can. */
export const missing: string | undefined = reason

export function imageUnderTest(): Esp32c3Firmware {
  if (!firmware) throw new Error(reason)
  return firmware
}

export type Options = Omit<Esp32c3LanBoardOptions, keyof Esp32c3Firmware>

export function makeChip(options: Options = {}): Esp32c3LanBoard {
  return new Esp32c3LanBoard({ ...imageUnderTest(), ...options })
}

/** A board that has said that it is ready. */
export function readyChip(options: Options = {}): Esp32c3LanBoard {
  const board = makeChip(options)
  if (!board.runUntilSaid('ready', 60)) throw new Error(`not ready within 60 s: ${board.consoleText}`)
  return board
}

/** For the helpers of test/system, which ask nothing that is the virtual board's alone. */
export function asLanBoard(board: Esp32c3LanBoard): LanBoard {
  return board as unknown as LanBoard
}

/** Address of a symbol of the image. */
export function symbol(name: string): number {
  const address = parseElf(imageUnderTest().elf).symbols.get(name)
  if (address === undefined) throw new Error(`the image has no symbol ${name}`)
  return address
}

/** The captured edge of a channel as hal/esp32c3/capture.c holds it. */
export function edge(board: Esp32c3LanBoard, channel: number): { count: number; late: number; ticks: number } {
  const { cpu } = board.machine.soc
  const bytes = cpu.read(symbol('edges') + 16 * channel, 16)
  const view = new DataView(bytes.buffer)
  return {
    count: view.getUint32(0, true),
    late: view.getUint32(4, true),
    ticks: Number(view.getBigUint64(8, true)),
  }
}

/** SYSTIMER at true time `nanos`, with its fraction. */
export function tickAt(board: Esp32c3LanBoard, nanos: number): number {
  const { soc } = board.machine
  const now = soc.now()
  const { systimer } = soc.peripherals
  return systimer.count(0) + (soc.timeBase.cycles(nanos) - now) / 10
}
