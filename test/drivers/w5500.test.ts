// The W5500 driver over the model of the chip: every SPI frame takes its time, so registers tear and frames arrive in the
// middle of everything.

import { beforeEach, describe, expect, it } from 'vitest'
import { Counter, Fault, udpFrameNanos } from '../../sim/chips/w5500'
import { ipv4, MemoryLan, type TcpPeer } from '../../sim/lan/memory_lan'
import { loadEntry } from '../support/firmware'
import { type Bench, faultsOf, GATEWAY, KE, makeBench, makeEcho, NTP } from './w5500_bench'

const US = 1e3
const MS = 1e6
const S = 1e9
const CLIENT = { ip: ipv4('192.168.7.50'), port: 40000 }

function lanWithClient(options = {}): MemoryLan {
  const lan = new MemoryLan({ gateway: ipv4(GATEWAY), ...options })
  lan.addPeer({ ip: CLIENT.ip })
  lan.addPeer({ ip: ipv4(GATEWAY) })
  return lan
}

function bytes(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 8)) & 255)
}

function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % below
  }
}

/** The model's time from a frame's last bit to INTn. */
const FRAME_TO_INT = 17 * US

/** What the driver says of a datagram. */
interface Seen {
  /** End of the frame. */
  nanos: number
  spreadNanos: number
  stamp: number
  ip: number
  port: number
  data: Uint8Array
  socket: number
}

function receive(bench: Bench, n: number, limit = 1472): Seen | undefined {
  const address = bench.exports['receive'](n, limit, bench.ticks)
  if (address === 0) return undefined
  const view = bench.view(address, 40)
  return {
    nanos: (Number(view.getBigUint64(0, true)) * 1000) / 16 - FRAME_TO_INT,
    spreadNanos: (view.getUint32(8, true) * 1000) / 16,
    stamp: view.getUint32(12, true),
    ip: view.getUint32(16, true),
    port: view.getUint32(20, true),
    data: bench.entry.read(view.getUint32(24, true), view.getUint32(28, true)),
    socket: view.getUint32(32, true),
  }
}

/** Lets the driver learn the client, so that no reply waits for ARP. */
function acquaint(bench: Bench, lan: MemoryLan): void {
  lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
  bench.runFor(5 * MS)
  lan.sent.length = 0
}

/** A server that records what it was given and answers by `reply`; the end of what is a multiple of `watch` is watched. */
function serve(
  bench: Bench,
  seen: Seen[],
  reply?: (datagram: Seen) => Uint8Array | undefined,
  watch = 0,
  departed?: (nanos: number | undefined) => void,
): void {
  let awaited = 0
  bench.onTurn = () => {
    while (bench.exports['udpWaiting'](0) && bench.exports['udpReady'](0, bench.ticks)) {
      if (awaited > 0) {
        const ticks = Number(bench.exports['udpDepartedTicks']() - bench.exports['frameTicks'](awaited))
        departed?.(bench.exports['udpDeparted']() === 1 ? (ticks * 1000) / 16 : undefined)
        awaited = 0
      }
      const datagram = receive(bench, 0)
      if (!datagram) return
      seen.push(datagram)
      const data = reply?.(datagram)
      if (!data) continue
      const route = bench.exports['udpPrepare'](0, datagram.ip, datagram.port, bench.ticks)
      if (route === 0) continue
      const watched = route === 1 && watch > 0 && seen.length % watch === 0
      bench.exports['udpWatch'](watched ? 1 : 0)
      if (watched) awaited = data.length
      bench.entry.write(bench.exports['buffer'](), data)
      bench.exports['udpSend'](bench.exports['buffer'](), data.length)
    }
  }
}

describe('bring-up', () => {
  it('brings_the_chip_up_and_opens_its_sockets', async () => {
    const bench = await makeEcho(lanWithClient())
    expect(bench.status().slice(0, 4)).toEqual([4, 1, 4, 1])
    expect(bench.chip.sockets[0]!.state).toBe(0x22)
    expect(bench.chip.sockets[1]!.state).toBe(0x22)
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('asks_again_while_VERSIONR_is_not_4', async () => {
    const bench = await makeEcho(lanWithClient(), {
      prepare: (chip) => {
        chip.pinResetNanos = 40 * MS
      },
    })
    expect(bench.status()[0]).toBe(3)
    bench.runFor(40 * MS)
    expect(bench.status()[0]).toBe(4)
    expect(bench.chip.sockets[0]!.state).toBe(0x22)
  })

  it('reports_an_absent_chip_and_goes_on_asking', async () => {
    const bench = await makeEcho(lanWithClient(), {
      prepare: (chip) => {
        chip.pinResetNanos = 3 * S
      },
    })
    bench.runFor(900 * MS)
    expect(bench.status()[0]).toBe(5)
    bench.runFor(10 * S)
    // Each attempt resets the chip; this one never answers in time.
    expect(bench.status()[6]).toBeGreaterThan(5)
    bench.chip.pinResetNanos = MS
    bench.runFor(2.5 * S)
    expect(bench.status()[0]).toBe(4)
  })

  it('reports_the_link', async () => {
    const bench = await makeEcho(lanWithClient())
    expect(bench.exports['ethernetLink']()).toBe(1)
    bench.chip.setCable(bench.now, false)
    bench.runFor(600 * MS)
    expect(bench.exports['ethernetLink']()).toBe(0)
    bench.chip.setCable(bench.now, true)
    bench.runFor(600 * MS)
    expect(bench.exports['ethernetLink']()).toBe(1)
  })
})

describe('UDP', () => {
  it('answers_a_datagram', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    lan.sendUdp(bench.now + MS, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    expect(lan.sent.length).toBe(1)
    expect(lan.sent[0]!.data).toEqual(bytes(48))
    expect(lan.sent[0]).toMatchObject({ ip: CLIENT.ip, port: CLIENT.port, sourcePort: NTP, delivered: true })
    expect(faultsOf(bench.chip)).toBe(0)
    expect(bench.chip.counters[Counter.ArpRequests]).toBe(1)
  })

  it('serves_a_request_in_twelve_spi_frames', async () => {
    const lan = lanWithClient()
    const other = { ip: ipv4('192.168.7.51'), port: 123 }
    lan.addPeer({ ip: other.ip })
    const bench = await makeEcho(lan)
    for (let i = 0; i < 20; i++) {
      lan.sendUdp(bench.now + (i + 1) * 400 * US, i % 2 === 0 ? CLIENT : other, NTP, bytes(228, i))
    }
    bench.runFor(6.5 * MS)
    bench.log = []
    bench.runFor(400 * US)
    expect(lan.sent.length).toBe(17)
    expect(bench.log.length).toBeLessThanOrEqual(12)
  })

  it('echoes_every_length_from_1_to_1472', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    for (let length = 1; length <= 1472; length++) {
      lan.sendUdp(bench.now + 100 * US, CLIENT, NTP, bytes(length, length))
      bench.runUntilTrue(() => lan.sent.length === length, 20 * MS)
      expect(Buffer.compare(lan.sent[length - 1]!.data, bytes(length, length))).toBe(0)
    }
    expect(faultsOf(bench.chip)).toBe(0)
    const [stuck, resynchronised, lost, , exact] = bench.counters('socket')
    expect([stuck, resynchronised, lost]).toEqual([0, 0, 0])
    // Merged are those that came while the socket was looked at without a cause, once a second.
    expect(exact).toBeGreaterThan(1465)
  })

  it('leaves_an_empty_datagram_to_its_owner_and_answers_nothing', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    const seen: Seen[] = []
    serve(bench, seen, (datagram) => datagram.data)
    lan.sendUdp(bench.now, CLIENT, NTP, new Uint8Array(0))
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(5))
    bench.runFor(5 * MS)
    expect(seen.map(({ data }) => data.length)).toEqual([0, 5])
    expect(lan.sent.length).toBe(1)
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('skips_datagrams_that_are_longer_than_the_owner_wants_without_reading_them', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    const lengths: number[] = []
    bench.onTurn = () => {
      for (let next = receive(bench, 0, 1000); next; next = receive(bench, 0, 1000)) lengths.push(next.data.length)
    }
    for (const length of [1001, 1400, 1000, 20]) lan.sendUdp(bench.now, CLIENT, NTP, bytes(length))
    bench.runFor(20 * MS)
    expect(lengths).toEqual([1000, 20])
    expect(bench.counters('udp')[1]).toBe(2)
  })

  it('survives_a_storm_that_overflows_the_buffer', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    acquaint(bench, lan)
    const random = randomFrom(7)
    let stored = 0
    for (let i = 0; i < 3000; i++) {
      lan.sendUdp(bench.now + i * (20 + random(60)) * US, CLIENT, NTP, bytes(1 + random(400), i), (ok) => {
        if (ok) stored++
      })
    }
    bench.runFor(1 * S)
    expect(stored).toBeGreaterThan(300)
    expect(stored).toBeLessThan(3000)
    expect(lan.sent.length).toBe(stored)
    expect(faultsOf(bench.chip)).toBe(0)
    expect(bench.counters('socket')[1]).toBe(0)
  })

  it('never_believes_a_torn_RX_RSR', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    acquaint(bench, lan)
    const random = randomFrom(99)
    // Pairs whose second half arrives while the first is being looked at: 0x00f8 becomes 0x01.. within the read.
    for (let i = 0; i < 1500; i++) {
      const at = bench.now + i * 1.5 * MS
      lan.sendUdp(at, CLIENT, NTP, bytes(240, i))
      lan.sendUdp(at + 10 * US + random(60_000), CLIENT, NTP, bytes(120, i))
    }
    bench.runFor(2300 * MS)
    expect(lan.sent.length).toBe(3000)
    expect(bench.counters('socket')[3]).toBeGreaterThan(0)
    expect(bench.counters('socket')[1]).toBe(0)
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('has_one_SEND_in_flight_under_load', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    acquaint(bench, lan)
    let stored = 0
    for (let i = 0; i < 1000; i++) {
      lan.sendUdp(bench.now + i * 120 * US, CLIENT, NTP, bytes(48, i), (ok) => {
        if (ok) stored++
      })
    }
    bench.runFor(300 * MS)
    expect(bench.chip.faults[Fault.SendInFlight]).toBe(0)
    expect(lan.sent.length).toBe(stored)
    const times = lan.sent.map(({ at }) => at)
    expect(times.every((at, i) => i === 0 || at - times[i - 1]! >= udpFrameNanos(48))).toBe(true)
  })

  it('resynchronises_a_ring_that_makes_no_sense', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    // A length beyond all reason in the next header.
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.onTurn = undefined
    bench.runFor(MS)
    bench.chip.sockets[0]!.rx[56 + 6] = 0x77
    bench.onTurn = () => bench.exports['echo'](0, bench.ticks, 8)
    bench.runFor(2 * S)
    expect(bench.counters('socket')[1]).toBe(1)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48, 9))
    bench.runFor(5 * MS)
    expect(lan.sent.at(-1)!.data).toEqual(bytes(48, 9))
  })
})

describe('neighbours', () => {
  it('are_learnt_from_the_first_reply_and_then_answered_without_ARP', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    for (let i = 0; i < 30; i++) lan.sendUdp(bench.now + i * 5 * MS, CLIENT, NTP, bytes(48, i))
    bench.runFor(200 * MS)
    expect(lan.sent.length).toBe(30)
    expect(lan.counters.arpRequests).toBe(1)
    expect(bench.counters('udp')[3]).toBe(1)
  })

  it('of_other_networks_are_reached_through_the_gateway', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    for (let i = 0; i < 10; i++) {
      lan.sendUdp(bench.now + i * 5 * MS, { ip: ipv4('203.0.113.1') + i, port: 123 }, NTP, bytes(48))
    }
    bench.runFor(100 * MS)
    expect(lan.sent.filter(({ delivered }) => delivered).length).toBe(10)
    expect(lan.counters.arpRequests).toBe(1)
  })

  it('that_nobody_can_have_are_not_answered', async () => {
    const lan = lanWithClient({ anybody: true })
    const bench = await makeEcho(lan)
    for (const ip of ['0.0.0.0', '0.1.2.3', '224.0.1.1', '255.255.255.255', '192.168.7.255', '192.168.7.0']) {
      lan.sendUdp(bench.now, { ip: ipv4(ip), port: 123 }, NTP, bytes(48))
    }
    lan.sendUdp(bench.now, { ip: CLIENT.ip, port: 0 }, NTP, bytes(48))
    bench.runFor(100 * MS)
    expect(lan.sent.length).toBe(0)
    expect(lan.counters.arpRequests).toBe(0)
    expect(bench.counters('udp').slice(0, 2)).toEqual([1, 6])
  })

  it('that_are_forged_do_not_stall_the_service_of_known_clients', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    const answers: number[] = []
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    lan.onDatagram = ({ ip, at, data }) => {
      if (ip === CLIENT.ip) answers.push(at - (data[0]! * 256 + data[1]!) * 100 * US)
    }
    const begin = bench.now
    for (let i = 0; i < 4000; i++) {
      // 1000 forged requests a second, from all over the local network.
      lan.sendUdp(begin + i * MS, { ip: ipv4('192.168.7.60') + (i % 190), port: 123 }, NTP, bytes(48))
    }
    for (let i = 0; i < 400; i++) {
      const at = begin + 350 * US + i * 10 * MS
      lan.sendUdp(at, CLIENT, NTP, Uint8Array.of((i * 100) >> 8, (i * 100) & 255, 0, 0))
    }
    bench.runFor(4.1 * S)
    expect(answers.length).toBe(400)
    const latency = answers.map((nanos) => nanos - begin - 350 * US)
    expect(Math.max(...latency)).toBeLessThan(1.5 * MS)
    expect(bench.chip.faults[Fault.SendInFlight]).toBe(0)
    // Each unreachable address costs one ARP of 8 requests, then none for 30 s.
    expect(lan.counters.arpRequests).toBeLessThan(60 * 8)
  })

  it('that_are_new_get_through_while_forged_ones_are_asked_for', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    lan.addPeer({ ip: ipv4('192.168.7.99') })
    for (let i = 0; i < 20; i++)
      lan.sendUdp(bench.now + i * MS, { ip: ipv4('192.168.7.200') + i, port: 1 }, NTP, bytes(8))
    for (let i = 0; i < 20; i++) {
      lan.sendUdp(bench.now + i * 250 * MS, { ip: ipv4('192.168.7.99'), port: 1 }, NTP, bytes(48))
    }
    bench.runFor(6 * S)
    expect(lan.sent.filter(({ ip }) => ip === ipv4('192.168.7.99')).length).toBeGreaterThan(17)
  })

  it('that_changed_their_card_are_found_again', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    lan.addPeer({ ip: CLIENT.ip, mac: Uint8Array.of(2, 9, 9, 9, 9, 9) })
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(1801 * S)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    expect(lan.sent.map(({ delivered }) => delivered)).toEqual([true, false, true, true])
  })

  it('are_answered_on_whichever_socket_their_datagram_came', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan, {
      prepare: (chip) => {
        chip.udpHighestFirst = true
      },
    })
    const seen: Seen[] = []
    serve(bench, seen, (datagram) => datagram.data)
    for (let i = 0; i < 50; i++) lan.sendUdp(bench.now + i * MS, CLIENT, NTP, bytes(48, i))
    bench.runFor(100 * MS)
    expect(seen.every(({ socket }) => socket === 1)).toBe(true)
    expect(lan.sent.length).toBe(50)
    expect(faultsOf(bench.chip)).toBe(0)
  })
})

describe('the table of neighbours', () => {
  let exports: Bench['entry']['exports']
  let entry: Bench['entry']
  const MINUTE = 60n * 16_000_000n

  beforeEach(async () => {
    const none = () => 0
    const abi = { ticks: () => 0n, capture: none, pin_read: none, pin_write: none, spi_read: none, spi_write: none }
    entry = await loadEntry(new URL('./w5500.entry.ts', import.meta.url), 'checked', { abi })
    exports = entry.exports
    exports['neighboursClear']()
  })

  function mac(seed: number): Uint8Array {
    return Uint8Array.from({ length: 6 }, (_, i) => (seed * 31 + i * 7) & 255)
  }

  function learn(ip: number, seed: number, now: bigint): void {
    entry.write(exports['buffer'](), mac(seed))
    exports['neighbourLearn'](ip, exports['buffer'](), now)
  }

  function find(ip: number, now: bigint): { state: number; mac: Uint8Array } {
    const state = exports['find'](ip, exports['buffer'](), now)
    return { state, mac: entry.read(exports['buffer'](), 6) }
  }

  it('reserves_what_its_structures_need', () => {
    expect(exports['sizeOfSocket']()).toBe(176)
    expect(exports['sizeOfDatagram']()).toBe(40)
    expect(exports['sizeOfArrivals']()).toBe(24)
  })

  it('remembers_128_neighbours_of_one_network', () => {
    for (let i = 0; i < 128; i++) learn(0xc0a80700 + i, i, 1000n)
    for (let i = 0; i < 128; i++) expect(find(0xc0a80700 + i, 2000n)).toEqual({ state: 1, mac: mac(i) })
  })

  it('makes_room_by_forgetting_the_oldest_of_a_set', () => {
    for (let i = 0; i < 5; i++) learn(0x0a000000 + 0x20 * 0x2000 * i, i, BigInt(1000 + i))
    const known = [0, 1, 2, 3, 4].map((i) => find(0x0a000000 + 0x20 * 0x2000 * i, 2000n).state)
    expect(known.filter((state) => state === 1).length).toBeGreaterThanOrEqual(4)
    expect(known[4]).toBe(1)
  })

  it('ages_to_stale_and_keeps_the_address', () => {
    learn(7 << 24, 1, 0n)
    expect(find(7 << 24, 29n * MINUTE).state).toBe(1)
    expect(find(7 << 24, 31n * MINUTE)).toEqual({ state: 2, mac: mac(1) })
  })

  it('remembers_for_30_s_that_nobody_answered', () => {
    exports['neighbourUnreachable'](7 << 24, 0n)
    expect(find(7 << 24, MINUTE / 3n).state).toBe(3)
    expect(find(7 << 24, MINUTE).state).toBe(0)
    learn(7 << 24, 1, MINUTE)
    expect(find(7 << 24, MINUTE).state).toBe(1)
  })

  it('never_drives_out_a_known_neighbour_for_an_unreachable_one', () => {
    for (let i = 0; i < 128; i++) learn(0xc0a80700 + i, i, 1000n)
    for (let i = 0; i < 5000; i++) exports['neighbourUnreachable'](0x0a000000 + i * 3, 2000n)
    let known = 0
    for (let i = 0; i < 128; i++) if (find(0xc0a80700 + i, 3000n).state !== 0) known++
    expect(known).toBe(128)
  })

  it('allows_32_strangers_at_once_and_64_a_second', () => {
    const allow = (now: bigint) => exports['strangerAllowed'](now) as number
    let at0 = 0
    for (let i = 0; i < 100; i++) at0 += allow(1_000_000n)
    expect(at0).toBe(32)
    let later = 0
    for (let i = 0; i < 10_000; i++) later += allow(1_000_000n + BigInt(i) * 1600n)
    expect(later).toBe(64)
  })
})

describe('arrival times', () => {
  it('of_single_datagrams_are_the_ends_of_their_frames', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    const seen: Seen[] = []
    serve(bench, seen, (datagram) => datagram.data)
    const ends: number[] = []
    const random = randomFrom(3)
    for (let i = 0; i < 200; i++) {
      const at = bench.now + i * 2 * MS + random(900_000)
      ends.push(at + 2000)
      lan.sendUdp(at, CLIENT, NTP, bytes(48 + random(900)))
    }
    bench.runFor(410 * MS)
    expect(seen.length).toBe(200)
    for (const [i, datagram] of seen.entries()) {
      expect(datagram.stamp).toBe(0)
      expect(Math.abs(datagram.nanos - ends[i]!)).toBeLessThan(70)
    }
  })

  it.each([
    [false, 0],
    [true, 0],
    [false, 1],
    [true, 1],
    [false, 3],
  ])(
    'are_never_early_and_say_how_late_they_may_be (chip reminds: %s, replies watched: %i)',
    async (receiveAgain, watch) => {
      const lan = lanWithClient()
      const bench = await makeEcho(lan, {
        prepare: (chip) => {
          chip.receiveAgain = receiveAgain
        },
      })
      const seen: Seen[] = []
      const departures: (number | undefined)[] = []
      serve(
        bench,
        seen,
        (datagram) => datagram.data,
        watch,
        (nanos) => departures.push(nanos),
      )
      const random = randomFrom(11)
      const begin = bench.now
      const ends = new Map<number, number>()
      let at = begin
      let lastEnd = 0
      for (let i = 0; i < 4000; i++) {
        at += random(3) === 0 ? random(30_000) : random(900_000)
        const length = 4 + random(200)
        const end = Math.max(at + 2000, lastEnd + udpFrameNanos(length))
        lastEnd = end
        ends.set(i, end)
        const data = new Uint8Array(length)
        new DataView(data.buffer).setUint32(0, i)
        lan.sendUdp(at, CLIENT, NTP, data)
      }
      bench.runUntil(at + 100 * MS)
      expect(seen.length).toBeGreaterThan(3500)
      let exact = 0
      for (const { nanos, spreadNanos, stamp, data } of seen) {
        const end = ends.get(new DataView(data.buffer).getUint32(0))!
        if (stamp === 0) {
          exact++
          expect(Math.abs(nanos - end)).toBeLessThan(70)
        } else {
          expect(nanos).toBeGreaterThan(end - 70)
          expect(nanos - spreadNanos).toBeLessThan(end + 70)
        }
      }
      expect(exact / seen.length).toBeGreaterThan(watch === 0 ? 0.35 : 0.3)
      expect(exact).toBeLessThan(seen.length)
      // A departure that was seen is the true one of a reply.
      const known = departures.filter((nanos) => nanos !== undefined)
      if (watch > 0) expect(known.length).toBeGreaterThan(departures.length * 0.5)
      const truth = lan.sent.map((sent) => sent.at)
      for (const nanos of known) expect(Math.min(...truth.map((at) => Math.abs(at - nanos)))).toBeLessThan(200)
    },
  )

  it('are_upper_bounds_when_both_sockets_of_a_port_had_a_cause', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    const seen: Seen[] = []
    bench.onTurn = undefined
    const first = bench.now + MS
    lan.sendUdp(first, CLIENT, NTP, bytes(8))
    lan.at(first + 10 * US, () => {
      bench.chip.udpHighestFirst = true
    })
    lan.sendUdp(first + 100 * US, CLIENT, NTP, bytes(9))
    // Nobody polls until both are there.
    bench.loseEdges = 1
    bench.runFor(1.2 * MS)
    serve(bench, seen)
    bench.runFor(1100 * MS)
    expect(seen.map(({ stamp }) => stamp)).toEqual([1, 1])
    for (const { nanos, spreadNanos, data } of seen) {
      const end = first + 2000 + (data.length === 9 ? 100 * US : 0)
      expect(nanos).toBeGreaterThan(end)
      expect(nanos - spreadNanos).toBeLessThan(end)
    }
  })

  it('and_departures_are_told_by_the_edge_of_the_frame_s_end_when_they_are_watched', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    const departures: (number | undefined)[] = []
    acquaint(bench, lan)
    serve(
      bench,
      [],
      ({ data }) => data,
      1,
      (nanos) => departures.push(nanos),
    )
    const random = randomFrom(5)
    for (let i = 0; i < 100; i++) {
      lan.sendUdp(bench.now + i * 2 * MS, CLIENT, NTP, bytes([48, 228, 956][random(3)]!))
      // The estimate from the time of SEND would be wrong by this.
      lan.at(bench.now + (i * 2 - 1) * MS, () => {
        bench.chip.transmitLatencyNanos = 50 * US + random(20_000)
      })
    }
    bench.runFor(300 * MS)
    expect(lan.sent.length).toBe(100)
    expect(departures.length).toBe(100)
    const errors = lan.sent.map(({ at }, i) => (departures[i] ?? Number.NaN) - at).slice(1)
    expect(Math.max(...errors.map(Math.abs))).toBeLessThan(200)
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('and_departures_are_told_by_udpSentTicks', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    const told: number[] = []
    bench.onTurn = () => {
      while (bench.exports['udpWaiting'](0) && bench.exports['udpReady'](0, bench.ticks)) {
        const datagram = receive(bench, 0)
        if (!datagram) return
        if (bench.exports['udpPrepare'](0, datagram.ip, datagram.port, bench.ticks) === 0) continue
        bench.exports['udpSend'](bench.exports['buffer'](), datagram.data.length)
        told.push((Number(bench.exports['udpSentTicks']()) * 1000) / 16 + 57 * US)
      }
    }
    const random = randomFrom(5)
    for (let i = 0; i < 100; i++) lan.sendUdp(bench.now + i * 2 * MS, CLIENT, NTP, bytes([48, 228, 956][random(3)]!))
    bench.runFor(300 * MS)
    const errors = lan.sent.map(({ at }, i) => at - told[i]!)
    // The first asks for the address; the others are known to a microsecond.
    expect(Math.abs(errors[0]!)).toBeLessThan(600 * US)
    expect(Math.max(...errors.slice(10).map(Math.abs))).toBeLessThan(1.5 * US)
  })

  describe('by_the_rule', () => {
    const load = async (options: { trusted?: number } = {}) => {
      const none = () => 0
      const abi = { ticks: () => 0n, capture: none, pin_read: none, pin_write: none, spi_read: none, spi_write: none }
      const entry = await loadEntry(new URL('./w5500.entry.ts', import.meta.url), 'checked', { abi })
      const address = entry.exports['arrivalsAddress']() as number
      entry.write(address, new Uint8Array(24))
      const view = new DataView(entry.memory.buffer, address, 24)
      let from = 0
      const trusted = options.trusted ?? 0
      return (alone: boolean, count: number, late: number, edge: number, seen: number, after = count) => {
        const stamp = entry.exports['stamp'](
          BigInt(from),
          BigInt(Math.max(from, trusted)),
          alone ? 1 : 0,
          count,
          late,
          BigInt(edge),
          BigInt(seen),
          after,
        )
        from = seen
        return {
          stamp,
          ticks: Number(view.getBigUint64(0, true)),
          spread: view.getUint32(8, true),
          rest: view.getUint32(12, true),
        }
      }
    }

    it('an_own_edge_is_exact', async () => {
      const stamp = await load()
      expect(stamp(true, 1, 0, 500, 600)).toEqual({ stamp: 0, ticks: 500, spread: 0, rest: 100 })
      expect(stamp(true, 2, 0, 900, 950)).toEqual({ stamp: 0, ticks: 900, spread: 0, rest: 50 })
    })

    it('no_new_edge_gives_the_time_of_the_look', async () => {
      const stamp = await load()
      stamp(true, 1, 0, 500, 600)
      expect(stamp(true, 1, 0, 500, 700)).toEqual({ stamp: 1, ticks: 700, spread: 100, rest: 100 })
    })

    it('two_new_edges_belong_to_nobody_for_certain', async () => {
      const stamp = await load()
      stamp(true, 1, 0, 500, 600)
      expect(stamp(true, 3, 0, 900, 950)).toEqual({ stamp: 1, ticks: 950, spread: 350, rest: 350 })
    })

    it('an_edge_shared_with_another_socket_is_not_ours', async () => {
      const stamp = await load()
      expect(stamp(false, 1, 0, 500, 600)).toEqual({ stamp: 1, ticks: 600, spread: 100, rest: 100 })
    })

    it('an_edge_taken_late_is_an_upper_bound', async () => {
      const stamp = await load()
      expect(stamp(true, 1, 1, 500, 600)).toEqual({ stamp: 1, ticks: 500, spread: 160, rest: 260 })
    })

    it('an_edge_that_came_during_a_look_is_spent_by_it', async () => {
      const stamp = await load()
      expect(stamp(true, 1, 0, 500, 600, 2)).toMatchObject({ stamp: 0 })
      expect(stamp(true, 2, 0, 590, 700)).toMatchObject({ stamp: 1, ticks: 700, spread: 100 })
      expect(stamp(true, 3, 0, 800, 850)).toMatchObject({ stamp: 0, ticks: 800 })
    })

    it('an_edge_older_than_the_last_look_is_not_trusted', async () => {
      const stamp = await load()
      stamp(true, 1, 0, 500, 600)
      expect(stamp(true, 2, 0, 580, 700)).toMatchObject({ stamp: 1, ticks: 700 })
    })

    it('an_edge_that_may_be_a_reminder_is_not_trusted_and_does_not_narrow_the_interval', async () => {
      const stamp = await load({ trusted: 550 })
      expect(stamp(true, 1, 0, 540, 600)).toMatchObject({ stamp: 1, ticks: 600, spread: 600 })
    })

    it('counts_wrap', async () => {
      const stamp = await load()
      stamp(true, 0xffffffff, 0, 1, 2)
      expect(stamp(true, 0, 0, 10, 20)).toMatchObject({ stamp: 0, ticks: 10 })
    })
  })
})

describe('when_something_fails', () => {
  it('a_lost_edge_delays_a_datagram_by_a_second_at_most', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    bench.loseEdges = 1
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48, 2))
    bench.runFor(1010 * MS)
    expect(lan.sent.length).toBe(2)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48, 3))
    bench.runFor(2 * MS)
    expect(lan.sent.length).toBe(3)
  })

  it('a_chip_that_loses_its_power_is_in_service_again_within_a_second', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    for (let i = 0; i < 5; i++) {
      // In the middle of a service, at another point each time.
      lan.sendUdp(bench.now, CLIENT, NTP, bytes(48, 2))
      lan.at(bench.now + 20 * US + i * 17 * US, () => bench.chip.powerCycle(bench.chip.time))
      bench.runFor(1 * S)
      const before = lan.sent.length
      lan.sendUdp(bench.now, CLIENT, NTP, bytes(48, 3))
      bench.runFor(5 * MS)
      expect(lan.sent.length).toBe(before + 1)
      expect(bench.status()[1]).toBe(2 + i)
    }
  })

  it('a_socket_that_the_chip_has_closed_is_opened_again', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    bench.chip.sockets[0]!.state = 0
    bench.chip.sockets[1]!.state = 0
    bench.runFor(1100 * MS)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    expect(lan.sent.length).toBe(1)
    expect(bench.counters('socket')[2]).toBe(2)
  })

  it('a_reply_without_a_link_does_not_end_the_service', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    bench.runFor(5 * MS)
    lan.sendUdp(bench.now, CLIENT, NTP, bytes(48))
    lan.at(bench.now + 60 * US, (now) => bench.chip.setCable(now, false))
    bench.runFor(1500 * MS)
    bench.chip.setCable(bench.now, true)
    const before = lan.sent.length
    for (let i = 0; i < 5; i++) lan.sendUdp(bench.now + i * 10 * MS, CLIENT, NTP, bytes(48))
    bench.runFor(1 * S)
    expect(lan.sent.length).toBe(before + 5)
  })

  it('a_chip_that_hides_masked_causes_is_understood', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan, {
      prepare: (chip) => {
        chip.maskedCausesShow = false
      },
    })
    for (let i = 0; i < 100; i++) lan.sendUdp(bench.now + i * 2 * MS, CLIENT, NTP, bytes(48))
    bench.runFor(1 * S)
    expect(lan.sent.length).toBeGreaterThan(90)
    expect(bench.counters('socket')[0]).toBeLessThanOrEqual(2)
    expect(bench.chip.faults[Fault.SendInFlight]).toBe(0)
  })

  it('what_a_timed_out_SEND_left_in_the_buffer_is_not_sent_later', async () => {
    for (const keeps of [false, true]) {
      const lan = lanWithClient()
      const bench = await makeEcho(lan, {
        prepare: (chip) => {
          chip.timeoutKeepsData = keeps
        },
      })
      lan.sendUdp(bench.now, { ip: ipv4('192.168.7.200'), port: 1 }, NTP, bytes(48, 1))
      bench.runFor(200 * MS)
      lan.sendUdp(bench.now, CLIENT, NTP, bytes(48, 2))
      bench.runFor(5 * MS)
      expect(lan.sent.map(({ data }) => data)).toEqual([bytes(48, 2)])
      expect(bench.counters('udp')[4]).toBe(1)
      expect(faultsOf(bench.chip)).toBe(0)
    }
  })
})

describe('TCP', () => {
  /** Echoes whatever comes on sockets 2 and 3; closes when the peer closes. */
  function echoTcp(bench: Bench, log: string[] = []): void {
    const e = bench.exports
    const buffer = e['buffer']() as number
    const held = new Map<number, Uint8Array>()
    bench.onTurn = () => {
      for (const n of [2, 3]) {
        const state = e['tcpState'](n)
        if (state === 0) {
          log.push(`closed ${n}`)
          held.delete(n)
          e['tcpListen'](n, KE)
          continue
        }
        if (state !== 2 && state !== 3) continue
        let data = held.get(n)
        if (!data && e['tcpAvailable'](n) > 0) {
          const count = e['tcpRead'](n, buffer, 700)
          data = bench.entry.read(buffer, count)
        }
        if (data) {
          bench.entry.write(buffer, data)
          const taken = e['tcpWrite'](n, buffer, data.length, bench.ticks)
          if (taken < data.length) held.set(n, data.subarray(taken))
          else held.delete(n)
        } else if (state === 3 && e['tcpWritable'](n)) e['tcpDisconnect'](n, bench.ticks)
      }
    }
  }

  async function makeTcp(lan: MemoryLan, log?: string[]): Promise<Bench> {
    const bench = await makeBench(lan)
    bench.start()
    bench.exports['tcpListen'](2, KE)
    bench.exports['tcpListen'](3, KE)
    echoTcp(bench, log)
    bench.runUntil(20 * MS)
    return bench
  }

  function total(peer: TcpPeer): number {
    return peer.received.reduce((sum, part) => sum + part.length, 0)
  }

  it('carries_a_stream_both_ways_and_closes_in_order', async () => {
    const lan = lanWithClient()
    const log: string[] = []
    const bench = await makeTcp(lan, log)
    const peer = lan.connect(bench.now + MS, CLIENT, KE)
    const data = bytes(20_000)
    peer.write(bench.now + 2 * MS, data)
    bench.runUntilTrue(() => total(peer) === 20_000, 2 * S)
    expect(Buffer.compare(peer.bytes, data)).toBe(0)
    expect(bench.exports['tcpPeer'](2) >>> 0).toBe(CLIENT.ip)
    expect(bench.exports['tcpPeerPort'](2)).toBe(CLIENT.port)
    peer.end(bench.now)
    bench.runFor(100 * MS)
    expect(peer.state).toBe('closed')
    expect(log).toEqual(['closed 2'])
    expect(bench.exports['tcpState'](2)).toBe(1)
    expect(bench.chip.sockets[2]!.state).toBe(0x14)
    expect(bench.counters('tcp').slice(0, 3)).toEqual([1, 0, 0])
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('serves_connection_after_connection', async () => {
    const lan = lanWithClient()
    const bench = await makeTcp(lan)
    for (let i = 0; i < 60; i++) {
      const peer = lan.connect(bench.now, CLIENT, KE)
      const data = bytes(1 + ((i * 331) % 3000), i)
      peer.write(bench.now, data)
      peer.end(bench.now)
      bench.runUntilTrue(() => peer.state === 'closed', 500 * MS)
      expect(Buffer.compare(peer.bytes, data)).toBe(0)
      bench.runFor(10 * MS)
    }
    expect(bench.counters('tcp').slice(0, 3)).toEqual([60, 0, 0])
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('takes_a_connection_that_is_already_half_closed_when_first_seen', async () => {
    const lan = lanWithClient()
    const bench = await makeTcp(lan)
    const peer = lan.connect(bench.now, CLIENT, KE)
    peer.write(bench.now, bytes(9))
    peer.end(bench.now)
    bench.loseEdges = 5
    bench.runFor(200 * MS)
    expect(peer.bytes).toEqual(bytes(9))
    expect(peer.state).toBe('closed')
  })

  it('refuses_a_third_connection_while_two_are_open', async () => {
    const lan = lanWithClient()
    const bench = await makeTcp(lan)
    const peers = [0, 1, 2].map((i) => lan.connect(bench.now + i * MS, CLIENT, KE))
    bench.runFor(20 * MS)
    expect(peers.map(({ state }) => state)).toEqual(['open', 'open', 'refused'])
  })

  it('notices_a_reset_that_raises_no_interrupt', async () => {
    const lan = lanWithClient()
    const log: string[] = []
    const bench = await makeTcp(lan, log)
    const peer = lan.connect(bench.now, CLIENT, KE)
    bench.runFor(10 * MS)
    peer.reset(bench.now)
    bench.runFor(100 * MS)
    expect(log).toEqual(['closed 2'])
    expect(bench.counters('tcp')[1]).toBe(1)
    expect(bench.chip.sockets[2]!.state).toBe(0x14)
  })

  it('gives_up_a_peer_that_has_vanished', async () => {
    const lan = lanWithClient()
    const log: string[] = []
    const bench = await makeTcp(lan, log)
    const peer = lan.connect(bench.now, CLIENT, KE)
    bench.runFor(10 * MS)
    peer.dead = true
    peer.write(bench.now, bytes(10))
    bench.runFor(3 * S)
    expect(log).toEqual(['closed 2'])
    expect(bench.chip.sockets[2]!.state).toBe(0x14)
  })

  it('bounds_the_states_in_which_a_peer_may_stay_for_ever', async () => {
    const lan = lanWithClient()
    const bench = await makeTcp(lan)
    const e = bench.exports
    // CLOSE_WAIT: the owner never closes.
    bench.onTurn = undefined
    const peer = lan.connect(bench.now, CLIENT, KE)
    peer.end(bench.now)
    bench.runFor(9 * S)
    expect(e['tcpState'](2)).toBe(3)
    bench.runFor(2 * S)
    expect(e['tcpState'](2)).toBe(0)
    // FIN_WAIT: the peer never answers our FIN.
    const other = lan.connect(bench.now, CLIENT, KE)
    bench.runFor(20 * MS)
    other.dead = true
    e['tcpDisconnect'](3, bench.ticks)
    expect(e['tcpState'](3)).toBe(4)
    bench.runFor(3.1 * S)
    expect(e['tcpState'](3)).toBe(0)
    expect(bench.chip.sockets[3]!.state).toBe(0)
    // A peer whose window stays closed.
    e['tcpListen'](2, KE)
    bench.runFor(20 * MS)
    const stalled = lan.connect(bench.now, CLIENT, KE)
    bench.runFor(20 * MS)
    stalled.stalled = true
    e['tcpWrite'](2, e['buffer'](), 100, bench.ticks)
    bench.runFor(5.1 * S)
    expect(e['tcpState'](2)).toBe(0)
    expect(bench.counters('tcp')[2]).toBeGreaterThanOrEqual(2)
  })

  it('sends_what_is_in_flight_before_its_FIN', async () => {
    const lan = lanWithClient()
    const bench = await makeTcp(lan)
    const e = bench.exports
    bench.onTurn = undefined
    const peer = lan.connect(bench.now, CLIENT, KE)
    bench.runFor(20 * MS)
    bench.entry.write(e['buffer'](), bytes(1900))
    expect(e['tcpWrite'](2, e['buffer'](), 1900, bench.ticks)).toBe(1900)
    expect(e['tcpWrite'](2, e['buffer'](), 1, bench.ticks)).toBe(0)
    e['tcpDisconnect'](2, bench.ticks)
    bench.runFor(20 * MS)
    expect(peer.bytes).toEqual(bytes(1900))
    expect(peer.ended).toBe(true)
    peer.end(bench.now)
    bench.runFor(60 * MS)
    expect(e['tcpState'](2)).toBe(0)
    expect(peer.state).toBe('closed')
    expect(faultsOf(bench.chip)).toBe(0)
  })

  it('listens_again_after_the_chip_was_reset', async () => {
    const lan = lanWithClient()
    const log: string[] = []
    const bench = await makeTcp(lan, log)
    lan.connect(bench.now, CLIENT, KE)
    bench.runFor(10 * MS)
    bench.chip.powerCycle(bench.now)
    bench.runFor(1 * S)
    expect(log).toEqual(['closed 2'])
    const peer = lan.connect(bench.now, CLIENT, KE)
    peer.write(bench.now, bytes(50))
    bench.runFor(50 * MS)
    expect(peer.bytes).toEqual(bytes(50))
  })

  it('does_not_blur_the_arrival_times_of_datagrams', async () => {
    const lan = lanWithClient()
    const bench = await makeTcp(lan)
    bench.exports['udpOpen'](0, 1, NTP)
    const tcp = bench.onTurn!
    const seen: Seen[] = []
    serve(bench, seen, (datagram) => datagram.data)
    const udp = bench.onTurn!
    bench.onTurn = () => {
      udp()
      tcp()
    }
    bench.runFor(20 * MS)
    const peer = lan.connect(bench.now, CLIENT, KE)
    peer.write(bench.now, bytes(60_000))
    const ends: number[] = []
    for (let i = 0; i < 200; i++) {
      const at = bench.now + i * 700 * US
      ends.push(at + 2000)
      lan.sendUdp(at, CLIENT, NTP, bytes(48))
    }
    bench.runFor(400 * MS)
    expect(seen.length).toBe(200)
    const exact = seen.filter(({ stamp }) => stamp === 0)
    // A datagram whose frame waits behind two segments ends later than it was handed to the wire.
    for (const datagram of exact) {
      const late = datagram.nanos - ends[seen.indexOf(datagram)]!
      expect(late).toBeGreaterThan(-70)
      expect(late).toBeLessThan(300 * US)
    }
    expect(exact.length).toBeGreaterThan(190)
    expect(faultsOf(bench.chip)).toBe(0)
  })
})

describe('endurance', () => {
  it('serves_20000_datagrams_without_a_leak', async () => {
    const lan = lanWithClient()
    const bench = await makeEcho(lan, { flavour: 'release' })
    const memory = bench.entry.memory.buffer.byteLength
    acquaint(bench, lan)
    let answered = 0
    lan.onDatagram = () => {
      answered++
    }
    const data = bytes(228)
    const frames = bench.frames
    const begin = performance.now()
    for (let i = 0; i < 20_000; i++) {
      lan.sendUdp(bench.now + 100 * US, CLIENT, NTP, data)
      bench.runFor(500 * US)
    }
    const spent = performance.now() - begin
    expect(answered).toBe(20_000)
    expect(bench.entry.memory.buffer.byteLength).toBe(memory)
    expect(faultsOf(bench.chip)).toBe(0)
    expect(bench.counters('socket').slice(0, 4)).toEqual([0, 0, 0, 0])
    const perDatagram = (bench.frames - frames) / 20_000
    expect(perDatagram).toBeLessThan(13)
    console.log(
      `20000 datagrams: ${((spent * 1000) / 20_000).toFixed(1)} us of V8 each ` +
        `(${Math.round(20_000_000 / spent)}/s), ${perDatagram.toFixed(2)} SPI frames each`,
    )
  })
})
