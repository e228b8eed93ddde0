// Faults on the simulated board. Each ends with the appliance serving again and nothing lost.

import { describe, expect, it } from 'vitest'
import { ResetCause } from '../../sim/soc/rtc_cntl'
import { Random } from '../../sim/world/random'
import type { Esp32c3LanBoard } from '../../src/lan_board'
import { AeadId } from '../../src/nts/aead'
import { encodeHeader } from '../../src/nts/packet'
import { askNts, askPlain, freshTransmit, NEIGHBOUR, offsetError, status, uncertainty } from '../system/board'
import { asLanBoard, makeChip, missing, readyChip, SECOND, symbol } from './board'

/** Runs until the next call of a function of the image; the processor stands before its first instruction. */
function stopAt(board: Esp32c3LanBoard, name: string): void {
  const { soc } = board.machine
  soc.onHook = () => true
  soc.cpu.setHooks([symbol(name)])
  if (soc.runUntil(soc.now() + 160e6 * 10)) throw new Error(`${name} was not called for 10 s`)
  soc.cpu.setHooks([])
}

/** Says `ready` again after the restart that is under way. */
function readyAgain(board: Esp32c3LanBoard, within = 60): void {
  board.consoleText = ''
  if (!board.runUntilSaid('ready', within)) throw new Error(`not ready again: ${board.consoleText}`)
}

function expectServed(board: Esp32c3LanBoard): void {
  const reply = askPlain(asLanBoard(board))
  expect(reply.header.stratum).toBe(1)
  expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
}

async function session(board: Esp32c3LanBoard) {
  return board.keyExchange({ ca: board.authority(), aeads: [AeadId.AesSivCmac256] })
}

describe.skipIf(missing !== undefined)('the program', () => {
  it('is_recorded_and_restarted_when_the_module_traps', async () => {
    const board = readyChip()
    const before = await session(board)
    stopAt(board, 'runtime_poll')
    const { cpu } = board.machine.soc
    cpu.setRegister(10, 5)
    cpu.pc = symbol('wasm_rt_trap')
    readyAgain(board)
    expect(board.machine.traps[0]?.message).toMatch(/^wasm 5 at pc 0x/)
    expect(board.machine.counters).toMatchObject({ boots: 2, traps: 1, resets: 1 })
    expect(askNts(asLanBoard(board), before).cookies).toHaveLength(1)
  })

  it('is_recorded_and_restarted_when_it_jumps_into_nowhere', async () => {
    const board = readyChip()
    stopAt(board, 'runtime_poll')
    board.machine.soc.cpu.pc = 0x1000_0000
    readyAgain(board)
    expect(board.machine.traps[0]?.message).toMatch(/^trap 1 at pc 0x10000000/)
    expectServed(board)
  })

  it('is_bitten_by_the_watchdog_when_it_hangs', async () => {
    const board = readyChip()
    const before = await session(board)
    stopAt(board, 'runtime_poll')
    const { cpu } = board.machine.soc
    // `j .` at the far end of the stack, with interrupts on: they alone must not keep the watchdog quiet.
    cpu.write(0x4038_0000, Uint8Array.of(0x6f, 0, 0, 0))
    cpu.pc = 0x4038_0000
    const begun = board.now
    readyAgain(board)
    expect(board.machine.resetCauses.at(-1)).toBe(ResetCause.RtcWdtCore)
    expect((board.now - begun) / SECOND).toBeGreaterThan(9)
    expect(board.machine.counters.watchdogs).toBe(1)
    expect(askNts(asLanBoard(board), before).cookies).toHaveLength(1)
  })

  it('starts_anew_at_the_press_of_the_button', async () => {
    const board = readyChip()
    const before = await session(board)
    board.machine.pressReset()
    readyAgain(board)
    expect(askNts(asLanBoard(board), before).cookies).toHaveLength(1)
  })
})

describe.skipIf(missing !== undefined)('the flash', () => {
  it('may_lose_power_at_any_moment_of_a_write', async () => {
    const fresh = readyChip()
    const total = fresh.machine.flash.programmed
    expect(total).toBeGreaterThan(1000)
    for (let cut = 1; cut < total; cut += Math.ceil(total / 9)) {
      const board = makeChip()
      const { flash } = board.machine
      flash.cutAfter(cut)
      while (flash.powered) board.advance(0.01 * SECOND)
      board.machine.powerOff()
      board.advance(SECOND)
      board.machine.powerOn()
      expect(board.runUntilSaid('ready', 60), `cut after ${cut} bytes`).toBe(true)
      const ca = board.authority()
      const before = await session(board)
      board.machine.powerOff()
      board.advance(SECOND)
      board.machine.powerOn()
      readyAgain(board)
      expect(board.authority()).toBe(ca)
      expect(askNts(asLanBoard(board), before).cookies).toHaveLength(1)
    }
  }, 60_000)
})

describe.skipIf(missing !== undefined)('the parts', () => {
  it('w5500_may_be_reset_in_the_middle_of_a_transfer', async () => {
    const board = readyChip()
    const { soc, ethernet } = board.machine
    let slowest = 0
    for (let i = 0; i < 12; i++) {
      board.advance(0.2 * SECOND)
      board.lan.sendUdp(board.now + 1000, NEIGHBOUR, 123, encodeHeader(freshTransmit()))
      const { bytes } = soc.peripherals.spi2
      // Into the transfers that serve the request.
      while (soc.peripherals.spi2.bytes < bytes + 5 + 13 * i) board.advance(500)
      ethernet?.chip.powerCycle(board.now)
      const begun = board.now
      while (board.exchange(encodeHeader(freshTransmit()), 20e6, NEIGHBOUR) === undefined) {
        if (board.now > begun + 10 * SECOND) throw new Error('not served for 10 s')
      }
      slowest = Math.max(slowest, (board.now - begun) / SECOND)
    }
    expect(slowest).toBeLessThan(3)
    expectServed(board)
    expect(board.machine.counters).toMatchObject({ boots: 1, traps: 0 })
  })

  it.each(['sda', 'scl'] as const)('i2c_bus_may_be_stuck_with_%s_low', async (line) => {
    const board = readyChip()
    const { i2c0 } = board.machine.soc.peripherals
    for (let i = 0; i < 5; i++) {
      i2c0.stuck = line
      board.advance(3 * SECOND)
      expectServed(board)
      i2c0.stuck = ''
      board.advance(3 * SECOND)
    }
    expect(status(asLanBoard(board))).toMatchObject({ state: 'locked' })
    expect(board.machine.counters).toMatchObject({ boots: 1, traps: 0, watchdogs: 0 })
  })

  it('uart_may_be_noisy', async () => {
    const board = readyChip()
    const { uart1 } = board.machine.soc.peripherals
    const random = new Random(5, 'noise')
    for (let i = 0; i < 20_000; i++) {
      board.advance(1e6)
      if (random.uniform() < 0.3) uart1.arrive(random.u32() & 0xff)
    }
    expectServed(board)
    board.advance(60 * SECOND)
    expect(status(asLanBoard(board))).toMatchObject({ state: 'locked' })
    expect(board.machine.counters).toMatchObject({ boots: 1, traps: 0, watchdogs: 0 })
  })

  it('pulse_may_be_lost_and_come_back', async () => {
    const board = readyChip()
    board.advance(60 * SECOND)
    const from = board.now
    board.world.sky.outages.push({ from, to: from + 120 * SECOND })
    board.advance(60 * SECOND)
    expectServed(board)
    expect(status(asLanBoard(board))).toMatchObject({ state: 'holdover' })
    board.advance(120 * SECOND)
    expectServed(board)
    expect(status(asLanBoard(board))).toMatchObject({ state: 'locked' })
  })

  it('console_may_have_no_host', async () => {
    const board = makeChip()
    board.machine.soc.peripherals.usb.attached = false
    board.advance(30 * SECOND)
    expectServed(board)
  })
})
