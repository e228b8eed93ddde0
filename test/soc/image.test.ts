// The flash image as it would be flashed, run instruction by instruction: it boots, serves, keeps time and keeps its keys.

import { describe, expect, it } from 'vitest'
import { readBoard } from '../../bin/board.mjs'
import { Random } from '../../sim/world/random'
import { AeadId } from '../../src/nts/aead'
import { encodeHeader } from '../../src/nts/packet'
import { askNts, askPlain, describeStatistics, offsetError, statistics, status, uncertainty } from '../system/board'
import { asLanBoard, edge, makeChip, missing, readyChip, SECOND, tickAt } from './board'

/** Served time may be wrong by this much: the goal of the real board. */
const GOAL = 1000

/** Captures are this late on the average: the board's own constant, nanoseconds. */
const CAPTURE_DELAY = readBoard().calibration.pulseDelayPs / 1000

describe.skipIf(missing !== undefined)('the image', () => {
  it('boots_and_locks_and_touches_no_register_that_is_not_modelled', async () => {
    const board = readyChip()
    board.advance(20 * SECOND)
    expect(status(asLanBoard(board))).toMatchObject({ state: 'locked', stratum: '1' })
    expect(board.machine.reports).toEqual([])
    expect(board.machine.counters).toMatchObject({ boots: 1, traps: 0, resets: 0, watchdogs: 0 })
    expect(board.machine.soc.cpu.statistics.exceptions).toBe(0)
    expect(board.machine.soc.flash.faults).toEqual({ busy: 0, notEnabled: 0, unknown: 0, failed: 0 })
  })

  it('runs_nothing_from_flash_while_the_flash_is_busy', async () => {
    // With the cache off the flash is not there: a stray fetch or read would be an exception.
    const board = readyChip({ machine: { strictCache: true } })
    expect(board.machine.soc.flash.counters.programs).toBeGreaterThan(10)
    expect(board.machine.counters.traps).toBe(0)
    expect(board.machine.soc.cpu.statistics.exceptions).toBe(0)
  })

  it('does_the_same_for_the_same_seed', async () => {
    const run = async () => {
      const board = readyChip()
      board.advance(3 * SECOND)
      const { soc } = board.machine
      return [soc.cpu.instructions, soc.cpu.cycles, soc.peripherals.bus.reads, board.authority()]
    }
    expect(await run()).toEqual(await run())
  })

  it('captures_the_pulse_to_within_50_ns', async () => {
    const board = readyChip()
    const errors: number[] = []
    for (let i = 0; i < 60; i++) {
      board.advance(SECOND)
      const { ticks } = edge(board, 0)
      errors.push((ticks - tickAt(board, board.machine.pulseNanos)) * 62.5)
    }
    const corrected = errors.map((error) => error - CAPTURE_DELAY)
    console.log(describeStatistics('captured pulse against the truth', corrected))
    expect(statistics(corrected).deviation).toBeLessThan(50)
    expect(Math.abs(statistics(corrected).mean)).toBeLessThan(62.5)
  })

  it('serves_NTP_and_NTS_with_timestamps_that_are_true_to_a_microsecond', async () => {
    const board = readyChip()
    const asked = asLanBoard(board)
    board.advance(30 * SECOND)
    const ca = board.authority()
    const replies = []
    for (let i = 0; i < 41; i++) {
      board.advance(0.11 * SECOND)
      const reply = askPlain(asked)
      // The first of each kind: the board does not know yet how long it takes.
      if (i > 0) replies.push(reply)
      else expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
    }
    for (const aead of [AeadId.AesSivCmac256, AeadId.Aes128GcmSiv]) {
      const session = await board.keyExchange({ ca, aeads: [aead] })
      for (let i = 0; i < 21; i++) {
        board.advance(0.13 * SECOND)
        const reply = askNts(asked, session)
        expect(reply.cookies).toHaveLength(1)
        if (i > 0) replies.push(reply)
      }
    }
    console.log(
      describeStatistics(
        'T2',
        replies.map(({ t2 }) => t2),
      ),
    )
    console.log(
      describeStatistics(
        'T3',
        replies.map(({ t3 }) => t3),
      ),
    )
    console.log(describeStatistics('offset', replies.map(offsetError)))
    for (const reply of replies) expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
    expect(Math.abs(statistics(replies.map(offsetError)).mean)).toBeLessThan(GOAL)
    expect(board.machine.reports).toEqual([])
  })

  it('keeps_authority_and_cookie_keys_when_power_fails', async () => {
    const board = readyChip()
    board.advance(5 * SECOND)
    const ca = board.authority()
    const session = await board.keyExchange({ ca, aeads: [AeadId.AesSivCmac256] })
    board.machine.powerOff()
    board.advance(3 * SECOND)
    expect(board.exchange(new Uint8Array(48).fill(0x23, 0, 1))).toBeUndefined()
    board.consoleText = ''
    board.machine.powerOn()
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    expect(board.authority()).toBe(ca)
    expect(askNts(asLanBoard(board), session).cookies).toHaveLength(1)
  })

  it('serves_four_handshakes_at_once_and_NTP_meanwhile', async () => {
    const board = readyChip()
    board.advance(5 * SECOND)
    const ca = board.authority()
    const before = board.machine.soc.cpu.instructions
    const sessions = await Promise.all([1, 2, 3, 4].map(() => board.keyExchange({ ca })))
    for (const session of sessions) expect(session.cookies).toHaveLength(8)
    const each = (board.machine.soc.cpu.instructions - before) / 4
    console.log(`a handshake of four: ${Math.round(each)} instructions`)
    expect(each).toBeLessThan(9e6)
    expect(askPlain(asLanBoard(board)).header.stratum).toBe(1)
  })

  it('answers_every_request_while_handshakes_run', async () => {
    const board = readyChip()
    board.advance(5 * SECOND)
    const ca = board.authority()
    const random = new Random(3, 'arrivals')
    for (let round = 0; round < 4; round++) {
      const from = board.freshPort()
      let at = board.now
      for (let i = 0; i < 60; i++) {
        at += 0.6e6 + 3e6 * random.uniform()
        board.lan.sendUdp(at, from, 123, encodeHeader(BigInt(i + 1)))
      }
      board.takeAnswers()
      await Promise.all([1, 2, 3, 4].map(() => board.keyExchange({ ca })))
      board.advance(Math.max(0, at - board.now) + 30e6)
      expect(board.takeAnswers()).toHaveLength(60)
    }
    expect(board.machine.reports).toEqual([])
  })

  it('serves_with_nobody_at_the_console', () => {
    const board = makeChip()
    board.machine.soc.peripherals.usb.attached = false
    board.advance(30 * SECOND)
    expect(askPlain(asLanBoard(board)).header.stratum).toBe(1)
  })

  it('serves_without_the_AES_accelerator_when_that_is_out_of_order', async () => {
    const board = makeChip()
    board.machine.soc.peripherals.aes.faulty = true
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    const { blocks } = board.machine.soc.peripherals.aes
    const session = await board.keyExchange({ ca: board.authority(), aeads: [AeadId.AesSivCmac256] })
    expect(askNts(asLanBoard(board), session).cookies).toHaveLength(1)
    expect(board.machine.soc.peripherals.aes.blocks).toBe(blocks)
  })
})
