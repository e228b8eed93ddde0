// Parts that fail: whatever it is, the board comes back by itself, loses nothing that it had stored, and tells no wrong time.

import { describe, expect, it } from 'vitest'
import type { ReceiverWires } from '../../hal/virtual/devices'
import type { W5500Device } from '../../hal/virtual/ethernet'
import { type UbloxDevice, ublox } from '../../hal/virtual/receiver'
import { Random } from '../../sim/world/random'
import { encodeHeader } from '../../src/nts/packet'
import {
  askNts,
  askPlain,
  counts,
  exchange,
  freshTransmit,
  HOUR,
  type LanBoard,
  MINUTE,
  makeBoard,
  NEIGHBOUR,
  type Options,
  offsetError,
  readyBoard,
  SECOND,
  status,
  uncertainty,
} from './board'
import { FaultyEthernet } from './faulty_ethernet'

const FLASH = 16 * 4096

/** Asks every second until there is an answer; the seconds that it took. */
function untilServed(board: LanBoard, limit: number): number {
  const from = board.now
  for (;;) {
    const reply = exchange(board, encodeHeader(freshTransmit()), NEIGHBOUR)
    if (reply?.header.stratum === 1) {
      expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
      return (board.now - from) / SECOND
    }
    if (board.now > from + limit * SECOND) throw new Error(`not served for ${limit} s: ${board.ask('status')}`)
    board.advance(SECOND / 4)
  }
}

/** Asks for a while: an answer is true, or says that it is not. */
function expectTrueFor(board: LanBoard, span: number, spacing = SECOND): number {
  let served = 0
  for (const end = board.now + span; board.now < end; board.advance(spacing)) {
    const reply = exchange(board, encodeHeader(freshTransmit()), NEIGHBOUR)
    if (reply?.header.stratum !== 1) continue
    served++
    expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
  }
  return served
}

describe('the W5500', () => {
  it('may be reset at any point of an exchange: it is set up again within a second or two', () => {
    const board = readyBoard()
    const { chip } = board.machine.ethernet as W5500Device
    let slowest = 0
    for (let i = 0; i < 40; i++) {
      askPlain(board)
      board.advance(100e6)
      board.lan.sendUdp(board.now + 1000, NEIGHBOUR, 123, encodeHeader(freshTransmit()))
      board.advance(1000 + i * 11_000)
      chip.powerCycle(board.now)
      board.advance(1e6)
      slowest = Math.max(slowest, untilServed(board, 10))
    }
    console.log(`served again after at most ${slowest.toFixed(2)} s`)
    expect(slowest).toBeLessThan(3)
    expect(counts(board)['w5500.restarts']).toBeGreaterThanOrEqual(40)
    expect(board.machine.counters).toMatchObject({ boots: 1, traps: 0 })
  })

  it('may be reset in the middle of key exchanges: those are lost, the next ones succeed', async () => {
    const board = readyBoard()
    const ca = board.authority()
    const { chip } = board.machine.ethernet as W5500Device
    for (let i = 0; i < 10; i++) {
      board.lan.at(board.now + 0.4e6 * (i + 1), (now) => chip.powerCycle(now))
      await board.keyExchange({ ca, timeoutMillis: 50 }).catch(() => undefined)
      board.advance(4 * SECOND)
      expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
    }
  })

  it('may be missing at boot and come back', () => {
    const board = makeBoard()
    const ethernet = FaultyEthernet.into(board)
    ethernet.absent = true
    board.advance(40 * SECOND)
    expect(status(board)['state']).toBe('locked')
    ethernet.absent = false
    expect(untilServed(board, 10)).toBeLessThan(3)
    ethernet.absent = true
    board.advance(5 * SECOND)
    ethernet.absent = false
    expect(untilServed(board, 10)).toBeLessThan(3)
  })

  it('may lose its link for a while', () => {
    const board = readyBoard()
    const { chip } = board.machine.ethernet as W5500Device
    for (const seconds of [1, 10, 100]) {
      chip.setCable(board.now, false)
      board.advance(seconds * SECOND)
      expect(counts(board)['w5500.link']).toBe(0)
      chip.setCable(board.now, true)
      expect(untilServed(board, 10)).toBeLessThan(3)
    }
  })
})

describe('the RTC', () => {
  it('may not answer for hours; it is set when it does', () => {
    const board = makeBoard()
    board.machine.rtc.powerOff(0)
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    expect(expectTrueFor(board, 10 * MINUTE, 10 * SECOND)).toBeGreaterThan(55)
    board.machine.rtc.powerOn(board.now)
    board.advance(1.2 * HOUR)
    board.machine.powerOff()
    board.advance(SECOND)
    board.machine.powerOn()
    board.advance(2 * SECOND)
    expect(status(board)['state']).toBe('restored')
  })
})

describe('the flash', () => {
  it('with a flipped bit anywhere in what is stored: the board serves NTP and NTS', async () => {
    const first = readyBoard({ machine: { flash: new Uint8Array(FLASH).fill(0xff) } })
    first.advance(3 * SECOND)
    const ca = first.authority()
    const image = Uint8Array.from(first.machine.flash.bytes)
    const used = image.findLastIndex((byte) => byte !== 0xff) + 1
    const random = new Random(5, 'flash')
    let kept = 0
    for (let i = 0; i < 40; i++) {
      const flash = Uint8Array.from(image)
      flash[random.u32() % used]! ^= 1 << (random.u32() % 8)
      const board = readyBoard({ world: { seed: i + 2 }, machine: { flash } })
      askPlain(board)
      const authority = board.authority()
      if (authority === ca) kept++
      expect((await board.keyExchange({ ca: authority })).cookies).toHaveLength(8)
    }
    // It is stored twice; only a flip in the head of their sector would cost both.
    expect(kept).toBeGreaterThanOrEqual(39)
  })

  it('with cells that cannot be written: the log goes round them', () => {
    const stuck = new Map([5, 300, 4100, 4100 + 1500, 12_288 + 2, 40_000].map((at) => [at, 0xee]))
    const flash = new Uint8Array(FLASH).fill(0xff)
    const hold = (): void => {
      for (const [at, mask] of stuck) flash[at]! &= mask
    }
    hold()
    const options: Options = { machine: { flash, onFlash: hold } }
    const board = readyBoard(options)
    board.advance(20 * SECOND)
    const ca = board.authority()
    board.machine.powerOff()
    board.consoleText = ''
    board.advance(SECOND)
    board.machine.powerOn()
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    expect(board.authority()).toBe(ca)
  })

  it('that is dead altogether: NTP is served, the console says what is wrong, and no certificate is shown that would not last', () => {
    const board = makeBoard()
    board.machine.flash.powered = false
    expect(untilServed(board, 60)).toBeLessThan(30)
    board.advance(10 * SECOND)
    expect(board.machine.console.output).toContain('fault: the flash cannot be used')
    expect(board.machine.console.output).not.toContain('ready')
    expect(board.machine.counters).toMatchObject({ boots: 1, traps: 0, watchdogs: 0 })
  })
})

describe('the module', () => {
  /** Runs until the next boot; the seconds that it took. */
  function untilBooted(board: LanBoard, limit: number): number {
    const { boots } = board.machine.counters
    const from = board.now
    while (board.machine.counters.boots === boots) {
      if (board.now > from + limit * SECOND) throw new Error(`no boot within ${limit} s`)
      board.advance(10e6)
    }
    return (board.now - from) / SECOND
  }

  it('traps: it runs again at once with its keys, and serves as soon as the receiver has confirmed the time', async () => {
    const board = readyBoard()
    const ethernet = FaultyEthernet.into(board)
    const ca = board.authority()
    const session = await board.keyExchange({ ca })
    board.advance(20 * SECOND)
    for (let i = 1; i <= 3; i++) {
      ethernet.trapNext = true
      expect(untilBooted(board, 2)).toBeLessThan(1)
      expect(board.machine.counters).toMatchObject({ traps: i, boots: i + 1 })
      board.advance(SECOND)
      // It answers, and knows the time within the RTC's bound, which is not enough to serve it.
      expect(askPlain(board).header.leap).toBe(3)
      expect(status(board)['state']).toBe('restored')
      const seconds = untilServed(board, 30)
      console.log(`served again ${(seconds + 1).toFixed(1)} s after a trap`)
      expect(seconds).toBeLessThan(20)
      expect(askNts(board, session).header.stratum).toBe(1)
      board.advance(5 * SECOND)
      expect(board.authority()).toBe(ca)
    }
  })

  it('hangs: the watchdog bites, and nothing stored is lost', async () => {
    const board = readyBoard()
    const ethernet = FaultyEthernet.into(board)
    const ca = board.authority()
    const session = await board.keyExchange({ ca })
    board.advance(20 * SECOND)
    ethernet.hang = 11 * SECOND
    board.advance(12 * SECOND)
    expect(board.machine.counters).toMatchObject({ watchdogs: 1, boots: 2, traps: 0 })
    untilServed(board, 30)
    expect(askNts(board, session).header.stratum).toBe(1)
  })

  it('is reset by its button at odd moments and comes up each time', () => {
    const board = readyBoard()
    for (let i = 0; i < 25; i++) {
      board.machine.pressReset()
      expect(untilBooted(board, 1)).toBeLessThan(0.2)
      board.advance((i * 731e6) % 9e9)
    }
    expect(untilServed(board, 60)).toBeLessThan(30)
    expect(board.machine.counters.traps).toBe(0)
  })
})

describe("the receiver's wires", () => {
  it('may carry noise: the label is lost and found, and no wrong time is served', () => {
    const board = readyBoard()
    const random = new Random(9, 'noise')
    const { uart } = board.machine
    const arrive = uart.arrive.bind(uart)
    let noise = 0.001
    uart.arrive = (value, nanos) => arrive(random.uniform() < noise ? random.u32() & 255 : value, nanos)
    expect(expectTrueFor(board, 5 * MINUTE)).toBeGreaterThan(250)
    noise = 0.2
    expectTrueFor(board, 5 * MINUTE)
    noise = 1
    expectTrueFor(board, MINUTE)
    noise = 0
    board.advance(2 * MINUTE)
    expect(status(board)['state']).toBe('locked')
    expect(board.machine.counters.traps).toBe(0)
  })

  it('may carry pulses that are none', () => {
    let wires: ReceiverWires | undefined
    const board = readyBoard({
      machine: {
        receiver: (fitted, world): UbloxDevice => {
          wires = fitted
          return ublox()(fitted, world)
        },
      },
    })
    const random = new Random(4, 'glitches')
    for (let i = 0; i < 120; i++) {
      board.advance(random.uniform() * 2 * SECOND)
      wires?.pulse(board.now)
      // A burst, now and then.
      for (let n = random.u32() % 8; n > 5; n--) {
        board.advance(3e6)
        wires?.pulse(board.now)
      }
      expectTrueFor(board, 1, 10e6)
    }
    board.advance(MINUTE)
    expect(status(board)['state']).toBe('locked')
    expectTrueFor(board, MINUTE)
  })
})
