// The network in memory, seen from a W5500 model that a test drives by hand.

import { beforeEach, describe, expect, it } from 'vitest'
import { udpFrameNanos, W5500 } from '../../sim/chips/w5500'
import { ipv4, MemoryLan, macOf } from '../../sim/lan/memory_lan'

const OWN = ipv4('10.0.0.2')
const PEER = ipv4('10.0.0.9')
const MS = 1e6

function write(chip: W5500, n: number, address: number, ...data: number[]): void {
  chip.burst(chip.time, (address << 8) | ((4 * n + 1) << 3) | 4, Uint8Array.from(data), 0, data.length, true)
}

function make(options = {}): { lan: MemoryLan; chip: W5500 } {
  const lan = new MemoryLan(options)
  const chip = new W5500(lan)
  lan.attach(chip)
  chip.burst(0, 0x000104, Uint8Array.of(10, 0, 0, 1, 255, 255, 255, 0, 2, 0, 0, 0, 0, 1, 10, 0, 0, 2), 0, 18, true)
  write(chip, 0, 0, 2)
  write(chip, 0, 4, 0, 123)
  write(chip, 0, 1, 1)
  return { lan, chip }
}

/** SEND_MAC of `length` bytes to PEER at `mac`. */
function send(chip: W5500, mac: Uint8Array, length: number): void {
  const end = (chip.sockets[0]!.txRead + length) & 0xffff
  write(chip, 0, 6, ...mac, 10, 0, 0, 9, 0, 99)
  write(chip, 0, 0x24, end >> 8, end & 255)
  write(chip, 0, 1, 0x21)
}

describe('the network in memory', () => {
  let lan: MemoryLan
  let chip: W5500

  beforeEach(() => {
    ;({ lan, chip } = make())
    lan.addPeer({ ip: PEER, latency: 5000 })
  })

  it('delivers_a_datagram_after_the_latency_of_its_peer', () => {
    const stored: number[] = []
    lan.sendUdp(MS, { ip: PEER, port: 1 }, 123, new Uint8Array(48), () => stored.push(chip.time))
    expect(chip.nextEvent()).toBe(MS + 5000)
    chip.advance(2 * MS)
    expect(stored).toEqual([MS + 5000])
  })

  it('tells_when_a_frame_of_the_chip_began_and_ended_and_whether_it_met_anybody', () => {
    send(chip, macOf(PEER), 100)
    chip.advance(MS)
    send(chip, macOf(OWN), 100)
    chip.advance(2 * MS)
    expect(lan.sent.map(({ at, end, delivered }) => [at, end, delivered])).toEqual([
      [57_000, 57_000 + udpFrameNanos(100), true],
      [MS + 57_000, MS + 57_000 + udpFrameNanos(100), false],
    ])
    expect(lan.counters.misdirected).toBe(1)
  })

  it('runs_events_of_equal_time_in_the_order_in_which_they_were_added', () => {
    const order: number[] = []
    for (let i = 0; i < 100; i++) lan.at((i % 3) * MS, () => order.push(i))
    chip.advance(5 * MS)
    const expected = Array.from({ length: 100 }, (_, i) => i).sort((a, b) => (a % 3) - (b % 3) || a - b)
    expect(order).toEqual(expected)
  })

  it('loses_frames_by_chance_and_the_same_ones_each_time', () => {
    const run = () => {
      const { lan, chip } = make({ loss: 0.25, seed: 42, anybody: true })
      const arrived: number[] = []
      for (let i = 0; i < 400; i++)
        lan.sendUdp(i * 1000, { ip: PEER, port: i }, 99, new Uint8Array(1), () => arrived.push(i))
      chip.advance(MS)
      return arrived
    }
    const first = run()
    expect(first.length).toBeGreaterThan(250)
    expect(first.length).toBeLessThan(350)
    expect(run()).toEqual(first)
  })
})
