// Everything at once, by chance but the same chance in every run: outages, resets, noise, glitches, power cuts, traps. Nothing
// that is served as synchronised may be wrong, and once it is quiet the board is as good as ever.

import { describe, expect, it } from 'vitest'
import type { ReceiverWires } from '../../hal/virtual/devices'
import { type UbloxDevice, ublox } from '../../hal/virtual/receiver'
import { Random } from '../../sim/world/random'
import { encodeHeader } from '../../src/nts/packet'
import {
  askNts,
  askPlain,
  exchange,
  freshTransmit,
  isNak,
  type LanBoard,
  MINUTE,
  makeBoard,
  NEIGHBOUR,
  offsetError,
  type Reply,
  SECOND,
  status,
  uncertainty,
} from './board'
import { FaultyEthernet } from './faulty_ethernet'

const ROUNDS = 120

class Chaos {
  readonly board: LanBoard
  /** What happened, for the message of a failure. */
  readonly story: string[] = []
  private readonly random: Random
  private readonly ethernet: FaultyEthernet
  private wires: ReceiverWires | undefined
  private noise = 0

  constructor(seed: number) {
    this.random = new Random(seed, 'chaos')
    this.board = makeBoard({
      world: { seed },
      machine: {
        receiver: (wires, world): UbloxDevice => {
          this.wires = wires
          return ublox({ warm: seed % 2 === 0 })(wires, world)
        },
      },
    })
    this.ethernet = FaultyEthernet.into(this.board)
    const { uart } = this.board.machine
    const arrive = uart.arrive.bind(uart)
    uart.arrive = (value, nanos) =>
      arrive(this.noise > 0 && this.random.uniform() < this.noise ? this.random.u32() & 255 : value, nanos)
  }

  /** One misfortune. */
  strike(): void {
    const { board, ethernet, random } = this
    const { machine, now } = board
    const chip = (machine.receiver as UbloxDevice).chip
    const pick = random.u32() % 14
    const some = random.uniform()
    this.story.push(`${(now / SECOND).toFixed(1)} s: ${pick} ${some.toFixed(2)}`)
    if (pick === 0) board.world.sky.outages.push({ from: now, to: now + some ** 3 * 20 * MINUTE })
    else if (pick === 1) ethernet.chip.powerCycle(now)
    else if (pick === 2) ethernet.chip.setCable(now, false)
    else if (pick === 3) ethernet.chip.setCable(now, true)
    else if (pick === 4) ethernet.trapNext = true
    else if (pick === 5) machine.pressReset()
    else if (pick === 6) this.cutPower(some)
    else if (pick === 7) chip.restart(now, some < 0.7)
    else if (pick === 8) this.noise = some ** 4
    else if (pick === 9) this.noise = 0
    else if (pick === 10) for (let i = 0; i < 1 + some * 5; i++) this.glitch()
    else if (pick === 11) machine.rtc.powerOff(now)
    else if (pick === 12) machine.rtc.powerOn(now)
    else ethernet.hang = some * 3 * SECOND
  }

  /** Lets `span` pass, asking all the while. Returns how many answers were synchronised. */
  watch(span: number): number {
    let served = 0
    for (const end = this.board.now + span; this.board.now < end; ) {
      this.board.advance(this.random.uniform() * 3 * SECOND)
      const reply = exchange(this.board, encodeHeader(freshTransmit()), NEIGHBOUR)
      if (reply?.header.stratum !== 1) continue
      served++
      if (Math.abs(offsetError(reply)) >= uncertainty(reply)) this.fail(reply)
    }
    return served
  }

  private fail(reply: Reply): never {
    const { board } = this
    const { t2, t3, dispersion } = reply
    throw new Error(
      `wrong at ${board.now / SECOND} s: T2 ${t2} ns, T3 ${t3} ns, root dispersion ${dispersion} ns\n` +
        `${this.story.slice(-10).join('\n')}\n${board.ask('status')}${board.ask('counts')}`,
    )
  }

  calm(): void {
    const { board } = this
    this.noise = 0
    this.ethernet.chip.setCable(board.now, true)
    board.machine.rtc.powerOn(board.now)
    for (const outage of board.world.sky.outages) outage.to = Math.min(outage.to, board.now)
  }

  private cutPower(some: number): void {
    const { board } = this
    // Half of the time in the middle of a write, should there be one.
    if (some < 0.5) board.machine.flash.cutAfter(Math.floor(some * 2000))
    board.advance(some * SECOND)
    board.machine.powerOff()
    board.advance(some * MINUTE)
    board.machine.powerOn()
  }

  private glitch(): void {
    this.board.advance(this.random.uniform() * 0.3 * SECOND)
    this.wires?.pulse(this.board.now)
  }
}

describe('chaos', () => {
  for (let seed = 1; seed <= 6; seed++) {
    it(`of seed ${seed} never makes the board tell a wrong time, and leaves no trace`, async () => {
      const chaos = new Chaos(seed)
      const { board } = chaos
      expect(board.runUntilSaid('ready', 300)).toBe(true)
      const ca = board.authority()
      askPlain(board)
      const session = await board.keyExchange({ ca })
      // A handshake takes a little more or less in each run; from here on all runs are the same.
      board.advance(2 * SECOND - (board.now % SECOND))
      let served = 0
      for (let round = 0; round < ROUNDS; round++) {
        chaos.strike()
        served += chaos.watch(30 * SECOND)
      }
      chaos.calm()
      board.advance(20 * MINUTE)
      expect(status(board)['state'], chaos.story.slice(-10).join(', ')).toBe('locked')
      expect(chaos.watch(MINUTE)).toBeGreaterThan(20)
      expect(Math.abs(askPlain(board).t2)).toBeLessThan(8000)
      expect(board.authority()).toBe(ca)
      expect(isNak(askNts(board, session))).toBe(false)
      expect((await board.keyExchange({ ca })).cookies).toHaveLength(8)
      const { boots, traps, watchdogs } = board.machine.counters
      console.log(
        `seed ${seed}: ${served} true answers, ${boots} boots, ${traps} traps (all ordered), ${watchdogs} watchdogs`,
      )
      for (const { message } of board.machine.traps) expect(message).toBe('memory access out of bounds')
    }, 60_000)
  }
})
