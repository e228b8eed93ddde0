// The sky as the board sees it: lost and found again, missing, odd, and when UTC itself does something odd.

import { describe, expect, it } from 'vitest'
import type { ReceiverDevice } from '../../hal/virtual/devices'
import { type UbloxDevice, ublox } from '../../hal/virtual/receiver'
import {
  askNts,
  askPlain,
  bound,
  counts,
  describeStatistics,
  HOUR,
  LAN_BOARD_ORIGIN,
  type LanBoard,
  MINUTE,
  makeBoard,
  NEIGHBOUR,
  type Options,
  offsetError,
  type Reply,
  readyBoard,
  SECOND,
  statistics,
  status,
  uncertainty,
} from './board'

/** Nothing is plugged in. */
const UNPLUGGED: ReceiverDevice = {
  nextEvent: () => Number.POSITIVE_INFINITY,
  advance: () => undefined,
  setBaud: () => undefined,
  receive: () => undefined,
  powerOn: () => undefined,
  powerOff: () => undefined,
}

function receiver(board: LanBoard): UbloxDevice {
  return board.machine.receiver as UbloxDevice
}

function isSynchronised(reply: Reply): boolean {
  return reply.header.leap !== 3 && reply.header.stratum === 1
}

/** Asks every `spacing` for `span`; whatever is served as synchronised must be true within what the client knows. */
function watch(board: LanBoard, span: number, spacing: number): Reply[] {
  const replies: Reply[] = []
  for (const end = board.now + span; board.now < end; ) {
    board.advance(spacing)
    const reply = askPlain(board)
    if (isSynchronised(reply)) expect(Math.abs(offsetError(reply))).toBeLessThan(uncertainty(reply))
    else expect([reply.header.leap, reply.header.stratum]).toEqual([3, 0])
    replies.push(reply)
  }
  return replies
}

function state(board: LanBoard): string {
  return status(board)['state'] ?? ''
}

/** Runs until the clock is in this state; the seconds that it took. */
function until(board: LanBoard, wanted: string, seconds: number): number {
  const from = board.now
  while (state(board) !== wanted) {
    if (board.now > from + seconds * SECOND) throw new Error(`${state(board)} after ${seconds} s, not ${wanted}`)
    board.advance(SECOND / 4)
  }
  return (board.now - from) / SECOND
}

describe('when the sky is lost', () => {
  it('holdover is served no longer than the option holdover-limit allows', () => {
    const board = readyBoard({
      machine: {
        board: {
          address: '192.168.7.1',
          mask: '255.255.255.0',
          names: ['noonmark.local'],
          options: ['holdover-limit=1'],
        },
      },
    })
    board.advance(10 * MINUTE)
    board.world.sky.outages.push({ from: board.now, to: board.now + 12 * HOUR })
    let last = 0
    while (isSynchronised(askPlain(board))) {
      last = bound(board)
      board.advance(MINUTE)
      expect(board.now).toBeLessThan(12 * HOUR)
    }
    expect(last).toBeGreaterThan(700_000)
    expect(last).toBeLessThan(1_000_000)
    expect([state(board), bound(board) > 1_000_000]).toEqual(['holdover', true])
  })

  it('the board holds over: its dispersion grows and covers the error, and it locks again', () => {
    const board = readyBoard()
    board.advance(20 * MINUTE)
    askPlain(board)
    const before = bound(board)
    const from = board.now
    board.world.sky.outages.push({ from, to: from + HOUR })
    expect(until(board, 'holdover', 20)).toBeLessThan(15)
    const held = watch(board, 59 * MINUTE, 20 * SECOND)
    expect(state(board)).toBe('holdover')
    for (const reply of held) expect(isSynchronised(reply)).toBe(true)
    const dispersions = held.map(({ dispersion }) => dispersion)
    expect(dispersions).toEqual([...dispersions].sort((a, b) => a - b))
    const last = held.at(-1)!
    expect(bound(board)).toBeGreaterThan(10 * before)
    console.log(
      `after an hour of holdover: error ${Math.round(offsetError(last))} ns, bound ${bound(board)} ns;`,
      describeStatistics('all', held.map(offsetError)),
    )
    // A bound that is not idle: within a hundred times the error that an ordinary crystal makes.
    expect(bound(board)).toBeLessThan(20e6)
    board.advance(2 * MINUTE)
    expect(state(board)).toBe('locked')
    const after = watch(board, 5 * MINUTE, 7 * SECOND)
    expect(statistics(after.slice(-10).map(({ t2 }) => t2)).worst).toBeLessThan(8000)
    expect(counts(board)['clock.steps']).toBeLessThan(2)
  })

  it('a pulse that does not come any more is missed although the messages go on', () => {
    let cut = false
    const board = readyBoard({
      machine: {
        receiver: (wires, world) =>
          ublox()({ ...wires, pulse: (nanos) => (cut ? undefined : wires.pulse(nanos)) }, world),
      },
    })
    board.advance(5 * MINUTE)
    cut = true
    expect(until(board, 'holdover', 20)).toBeLessThan(15)
    for (const reply of watch(board, 10 * MINUTE, 10 * SECOND)) expect(isSynchronised(reply)).toBe(true)
    cut = false
    expect(until(board, 'locked', 60)).toBeLessThan(40)
    watch(board, MINUTE, SECOND)
    expect(counts(board)['clock.steps']).toBeLessThan(2)
  })

  it('it says so when its bound is worse than 10 ms, to NTS clients authentically', async () => {
    const board = readyBoard()
    const session = await board.keyExchange({ ca: board.authority() })
    board.advance(20 * MINUTE)
    const from = board.now
    board.world.sky.outages.push({ from, to: from + 30 * HOUR })
    let replies = watch(board, HOUR, 5 * MINUTE)
    while (isSynchronised(replies.at(-1)!) && board.now < 26 * HOUR) {
      expect(bound(board)).toBeLessThan(10.1e6)
      replies = watch(board, 10 * MINUTE, 2 * MINUTE)
    }
    console.log(`holdover ended after ${((board.now - from) / HOUR).toFixed(1)} h`)
    expect(board.now - from).toBeGreaterThan(HOUR)
    expect(bound(board)).toBeGreaterThan(10e6)
    for (const { header } of [replies.at(-1)!, askNts(board, session)]) {
      expect([header.leap, header.stratum]).toEqual([3, 0])
      expect(Buffer.from(header.referenceId).toString()).toBe('INIT')
    }
    expect(session.cookies).toHaveLength(8)
  }, 120_000)

  it('short outages do not take it out of lock for longer than they last', () => {
    const board = readyBoard()
    board.advance(5 * MINUTE)
    for (const seconds of [1, 2, 3, 5, 8, 13, 30]) {
      board.world.sky.outages.push({ from: board.now, to: board.now + seconds * SECOND })
      watch(board, 2 * MINUTE, 3 * SECOND)
      expect(state(board), `after ${seconds} s`).toBe('locked')
    }
    expect(counts(board)['clock.steps']).toBeLessThan(2)
  })
})

describe('a receiver that', () => {
  it('is not plugged in leaves the board unsynchronised, and nothing else stops working', () => {
    const board = makeBoard({ machine: { receiver: () => UNPLUGGED } })
    board.advance(10 * SECOND)
    for (const reply of watch(board, 10 * MINUTE, 20 * SECOND)) expect(isSynchronised(reply)).toBe(false)
    expect(board.ask('version')).toMatch(/^noonmark/)
    expect(board.machine.counters).toMatchObject({ boots: 1, watchdogs: 0, traps: 0 })
  })

  it('is plugged in later is found', () => {
    const board = makeBoard({ receiver: { setup: (chip) => (chip.mute = true) } })
    board.advance(3 * MINUTE)
    expect(isSynchronised(askPlain(board))).toBe(false)
    receiver(board).chip.mute = false
    receiver(board).chip.restart(board.now, false)
    expect(until(board, 'locked', 300)).toBeGreaterThan(20)
    watch(board, MINUTE, 5 * SECOND)
  })

  it('restarts, with or without what it knew, is set up again', () => {
    const board = readyBoard()
    board.advance(5 * MINUTE)
    for (const warm of [true, false]) {
      receiver(board).chip.restart(board.now, warm)
      watch(board, 15 * SECOND, SECOND)
      until(board, 'locked', 240)
      for (const reply of watch(board, 2 * MINUTE, 5 * SECOND)) expect(isSynchronised(reply)).toBe(true)
    }
    expect(counts(board)['clock.steps']).toBeLessThan(2)
  })

  it('speaks NMEA only is believed after a quarter of an hour, or at once when the RTC agrees', () => {
    const nmea: Options = { receiver: { setup: (chip) => (chip.nmeaOnly = true) } }
    const first = makeBoard(nmea)
    expect(first.runUntilSaid('ready', 1000)).toBe(true)
    expect(first.now / SECOND).toBeGreaterThan(900)
    watch(first, MINUTE, 5 * SECOND)
    first.advance(10 * SECOND)
    first.machine.powerOff()
    const rtc = first.machine.saveRtc()
    const second = makeBoard({
      ...nmea,
      world: { unixOrigin: LAN_BOARD_ORIGIN + 7200, seed: 2 },
      machine: { rtc, flash: first.machine.flash.bytes },
    })
    expect(second.runUntilSaid('ready', 60)).toBe(true)
    watch(second, MINUTE, 5 * SECOND)
  })

  it('counts weeks from the wrong epoch is put right', () => {
    const rolled: Options = { receiver: { setup: (chip) => (chip.weekShift = -1024) } }
    const board = makeBoard(rolled)
    expect(board.runUntilSaid('ready', 1200)).toBe(true)
    for (const reply of watch(board, MINUTE, 5 * SECOND)) expect(Math.abs(reply.t2)).toBeLessThan(20_000)
  })

  it('wakes up cold never makes the board tell a wrong time', () => {
    for (const seed of [3, 4, 5]) {
      const board = makeBoard({
        world: { seed, leapSeconds: 19 },
        receiver: { warm: false, setup: (chip) => (chip.leapDelay = 300) },
      })
      board.advance(SECOND)
      watch(board, 12 * MINUTE, 2 * SECOND)
      expect(state(board)).toBe('locked')
    }
  })
})

describe('the RTC', () => {
  it('whose battery is dead is no hindrance', () => {
    const first = readyBoard()
    first.machine.powerOff()
    first.machine.rtc.loseBattery(first.now)
    first.advance(5 * SECOND)
    first.machine.powerOn()
    first.advance(SECOND)
    expect(state(first)).toBe('unknown')
    until(first, 'locked', 60)
    watch(first, MINUTE, 5 * SECOND)
  })

  it('that is wrong is overruled, but not at once, and no wrong time is served meanwhile', () => {
    for (const wrong of [1, -1, 3600, -86_400]) {
      const first = readyBoard()
      first.advance(15 * SECOND)
      first.machine.powerOff()
      const rtc = first.machine.saveRtc()
      // The part was set by somebody else meanwhile.
      const board = makeBoard({
        world: { unixOrigin: LAN_BOARD_ORIGIN + 7200, seed: 2 },
        machine: { rtc: { ...rtc, seconds: rtc.seconds - wrong } },
      })
      board.advance(SECOND)
      watch(board, 2 * MINUTE, 5 * SECOND)
      until(board, 'locked', 1100)
      for (const reply of watch(board, MINUTE, 5 * SECOND)) expect(isSynchronised(reply)).toBe(true)
    }
  })
})

describe('UTC', () => {
  /** 2027-01-01T00:00:00Z. */
  const NEW_YEAR = 1_798_761_600

  for (const change of [1, -1] as const) {
    const name = change > 0 ? 'an inserted second 23:59:60' : 'a second 23:59:59 that is left out'
    it(`${name} is announced on its day and passed without a wrong answer`, () => {
      const board = readyBoard({
        world: { unixOrigin: NEW_YEAR - 150, leapSecond: { midnight: NEW_YEAR, change } },
      })
      askPlain(board)
      const midnight = (150 + (change < 0 ? -1 : 0)) * SECOND
      // A quarter of a second off the whole ones, so that arrival and departure lie in the same second.
      const replies: { at: number; reply: Reply }[] = []
      board.advance(30.25 * SECOND - (board.now % SECOND))
      while (board.now < midnight + 40 * SECOND) {
        board.advance(SECOND / 2)
        const at = board.now
        const reply = askPlain(board)
        expect(isSynchronised(reply)).toBe(true)
        // Inside 23:59:60 UTC has no number of its own: the board repeats those of 23:59:59, as `world.utc` does.
        expect(Math.abs(offsetError(reply)), `${(at - midnight) / SECOND} s`).toBeLessThan(uncertainty(reply))
        replies.push({ at, reply })
      }
      const announced = change > 0 ? 1 : 2
      for (const { at, reply } of replies) {
        if (at < midnight) expect(reply.header.leap).toBe(announced)
        // The warning ends with the leap second itself.
        else if (at > midnight + (change > 0 ? SECOND : 0)) expect(reply.header.leap).toBe(0)
      }
      expect(counts(board)['clock.steps']).toBeLessThan(2)
      board.advance(5 * MINUTE)
      expect(Math.abs(askPlain(board).t2)).toBeLessThan(8000)
    })
  }

  const misfortunes: [string, (board: LanBoard) => void][] = [
    ['the sky is hidden', (board) => board.world.sky.outages.push({ from: board.now, to: board.now + MINUTE })],
    ['the receiver restarts warm', (board) => receiver(board).chip.restart(board.now, true)],
    ['the receiver restarts cold', (board) => receiver(board).chip.restart(board.now, false)],
    ['the module restarts', (board) => board.machine.pressReset()],
  ]
  for (const [what, happens] of misfortunes) {
    it(`no second is told wrong when ${what} over the leap second`, () => {
      for (const change of [1, -1] as const) {
        const board = readyBoard({
          world: { unixOrigin: NEW_YEAR - 150, leapSecond: { midnight: NEW_YEAR, change } },
        })
        board.advance(148.75 * SECOND - board.now)
        happens(board)
        watch(board, 2 * MINUTE, SECOND / 2)
        until(board, 'locked', 120)
      }
    })
  }

  it('a board that was off over the leap second that it had heard of takes it off its RTC', () => {
    for (const change of [1, -1] as const) {
      const board = readyBoard({
        world: { unixOrigin: NEW_YEAR - 150, leapSecond: { midnight: NEW_YEAR, change } },
      })
      board.advance(145.25 * SECOND - board.now)
      board.machine.powerOff()
      board.advance(10 * SECOND)
      board.machine.powerOn()
      board.advance(3 * SECOND)
      expect(state(board)).toBe('restored')
      const utc = board.machine.utc()
      const error = Date.parse(status(board)['time']!) * 1e6 - (utc.seconds * 1e9 + utc.nanos)
      expect(bound(board)).toBeLessThan(0.01 * SECOND)
      expect(Math.abs(error)).toBeLessThan(bound(board))
      watch(board, MINUTE, SECOND / 2)
      expect(state(board)).toBe('locked')
    }
  })

  it('with the option smear=on, a leap second is spread over the day from noon on and never announced', () => {
    const noon = NEW_YEAR - 43_200
    const board = readyBoard({
      world: { unixOrigin: noon - 150, leapSecond: { midnight: NEW_YEAR, change: 1 } },
      machine: {
        board: { address: '192.168.7.1', mask: '255.255.255.0', names: ['noonmark.local'], options: ['smear=on'] },
      },
    })
    /** How far the served time is behind UTC, and what goes with it. */
    const behind = (seconds: number) => {
      board.advance(150 * SECOND + seconds * SECOND - board.now)
      const { header, t2, t3 } = askPlain(board)
      expect(header.leap).toBe(0)
      return { seconds: -(t2 + t3) / 2 / SECOND, id: Buffer.from(header.referenceId).toString('hex') }
    }
    expect(behind(-20)).toEqual({ seconds: expect.closeTo(0, 3), id: '47505300' })
    expect(behind(4320)).toEqual({ seconds: expect.closeTo(4320 / 86_401, 3), id: '7f7f01ff' })
  })

  it('without a leap second, the new year is a second like any other', () => {
    const board = readyBoard({ world: { unixOrigin: NEW_YEAR - 100 } })
    for (const reply of watch(board, 2 * MINUTE, SECOND)) expect(reply.header.leap).toBe(0)
  })

  it('over the end of a GPS week nothing happens', () => {
    // Saturday midnight of GPS time, 18 s before UTC's: 2026-11-08.
    const board = readyBoard({ world: { unixOrigin: LAN_BOARD_ORIGIN + 7 * 86_400 - 80 } })
    for (const reply of watch(board, 2 * MINUTE, SECOND)) expect(isSynchronised(reply)).toBe(true)
  })

  it('over the end of the first NTP era, in 2036, timestamps go on from zero', () => {
    const era = 2_085_978_496
    const board = readyBoard({ world: { unixOrigin: era - 60 } })
    const replies = watch(board, 2 * MINUTE, SECOND)
    expect(replies.every(isSynchronised)).toBe(true)
    expect(replies[0]!.header.transmit >> 32n).toBeGreaterThan(0xffff_ff00n)
    expect(replies.at(-1)!.header.transmit >> 32n).toBeLessThan(200n)
    expect(NEIGHBOUR.port).toBe(40_000)
  })

  it('in 2038 and after, seconds have more than 31 bits', () => {
    const board = readyBoard({ world: { unixOrigin: 2 ** 31 - 60 } })
    expect(watch(board, 2 * MINUTE, SECOND).every(isSynchronised)).toBe(true)
  })
})
