// The W5500 model against its datasheet (1.0.9), register by register, over plain SPI frames.

import { beforeEach, describe, expect, it } from 'vitest'
import { Counter, Fault, udpFrameNanos, W5500 } from '../../sim/chips/w5500'
import { ipv4, MemoryLan } from '../../sim/lan/memory_lan'
import { loadEntry } from '../support/firmware'

const US = 1e3
const MS = 1e6

const OPEN = 1
const LISTEN = 2
const DISCON = 8
const CLOSE = 0x10
const SEND = 0x20
const SEND_MAC = 0x21
const RECV = 0x40

const RECEIVED = 4
const TIMEOUT = 8
const SENDOK = 16

const OWN = ipv4('10.0.0.2')
const PEER = ipv4('10.0.0.9')

/** A host that talks to the chip by SPI frames and lets time pass. */
class Host {
  now = 0
  constructor(readonly chip: W5500) {}

  wait(nanos: number): void {
    this.now += nanos
    this.chip.advance(this.now)
  }

  /** One frame byte by byte. `block`: 0 common, 4n+1 registers, 4n+2 TX, 4n+3 RX. */
  frame(block: number, address: number, out: number[], count = 0, mode = 0): number[] {
    const write = out.length > 0
    this.chip.select(this.now)
    for (const byte of [address >> 8, address & 255, (block << 3) | (write ? 4 : 0) | mode]) this.chip.transfer(byte)
    const result: number[] = []
    if (write) for (const byte of out) this.chip.transfer(byte)
    else for (let i = 0; i < count; i++) result.push(this.chip.transfer(0))
    this.now = Math.max(this.now, this.chip.time)
    this.chip.deselect(this.now)
    return result
  }

  read(n: number, address: number, count = 1): number[] {
    return this.frame(4 * n + 1, address, [], count)
  }

  read16(n: number, address: number): number {
    const [high, low] = this.read(n, address, 2)
    return high! * 256 + low!
  }

  write(n: number, address: number, ...out: number[]): void {
    this.frame(4 * n + 1, address, out)
  }

  write16(n: number, address: number, value: number): void {
    this.write(n, address, (value >> 8) & 255, value & 255)
  }

  common(address: number, ...out: number[]): void {
    this.frame(0, address, out)
  }

  readCommon(address: number, count = 1): number[] {
    return this.frame(0, address, [], count)
  }

  command(n: number, code: number): void {
    this.write(n, 1, code)
  }

  causes(n: number): number {
    return this.read(n, 2)[0]!
  }

  state(n: number): number {
    return this.read(n, 3)[0]!
  }

  openUdp(n: number, port: number): void {
    this.write(n, 0, 2)
    this.write16(n, 4, port)
    this.command(n, OPEN)
  }

  listen(n: number, port: number): void {
    this.write(n, 0, 1)
    this.write16(n, 4, port)
    this.command(n, OPEN)
    this.command(n, LISTEN)
  }

  destination(n: number, ip: number, port: number): void {
    this.write(n, 12, ...quad(ip), port >> 8, port & 255)
  }

  put(n: number, data: Uint8Array | number[]): void {
    const pointer = this.read16(n, 0x24)
    this.frame(4 * n + 2, pointer, [...data])
    this.write16(n, 0x24, (pointer + data.length) & 0xffff)
  }

  /** Takes one datagram as the datasheet says (page 55). */
  take(n: number): { ip: number; port: number; data: number[] } {
    const pointer = this.read16(n, 0x28)
    const header = this.frame(4 * n + 3, pointer, [], 8)
    const length = header[6]! * 256 + header[7]!
    const data = this.frame(4 * n + 3, (pointer + 8) & 0xffff, [], length)
    this.write16(n, 0x28, (pointer + 8 + length) & 0xffff)
    this.command(n, RECV)
    return { ip: ipv4(header.slice(0, 4).join('.')), port: header[4]! * 256 + header[5]!, data }
  }
}

function quad(ip: number): number[] {
  return [(ip >>> 24) & 255, (ip >>> 16) & 255, (ip >>> 8) & 255, ip & 255]
}

function bytes(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 8)) & 255)
}

let lan: MemoryLan
let chip: W5500
let host: Host

beforeEach(() => {
  lan = new MemoryLan()
  chip = new W5500(lan)
  lan.attach(chip)
  lan.addPeer({ ip: PEER, latency: 1000, arpLatency: 50_000 })
  host = new Host(chip)
  host.common(1, ...quad(ipv4('10.0.0.1')), 255, 255, 255, 0, 2, 0, 0, 0, 0, 1, ...quad(OWN))
})

function faults(): number {
  return chip.faults.reduce((sum, count) => sum + count, 0)
}

describe('registers', () => {
  it('shows_the_reset_values_of_the_datasheet', () => {
    const fresh = new Host(new W5500(lan))
    expect(fresh.readCommon(0x39)).toEqual([4])
    expect(fresh.readCommon(0x19, 3)).toEqual([0x07, 0xd0, 8])
    expect(fresh.readCommon(0x2e)).toEqual([0xbf])
    expect(fresh.read(3, 6, 6)).toEqual([255, 255, 255, 255, 255, 255])
    expect(fresh.read(7, 0x16)).toEqual([0x80])
    expect(fresh.read(7, 0x1e, 2)).toEqual([2, 2])
    expect(fresh.read16(0, 0x20)).toBe(2048)
    expect(fresh.read(0, 0x2c, 3)).toEqual([0xff, 0x40, 0])
  })

  it('keeps_what_is_written_and_auto_increments', () => {
    expect(host.readCommon(1, 18)).toEqual([10, 0, 0, 1, 255, 255, 255, 0, 2, 0, 0, 0, 0, 1, 10, 0, 0, 2])
    expect(faults()).toBe(0)
  })

  it('counts_writes_to_read_only_registers_and_to_nowhere', () => {
    host.common(0x39, 9)
    host.write(0, 3, 0x22)
    expect(chip.faults[Fault.ReadOnly]).toBe(2)
    host.common(0x40, 1)
    host.readCommon(0x3a)
    expect(chip.faults[Fault.Address]).toBe(2)
    expect(host.readCommon(0x39)).toEqual([4])
  })

  it('counts_a_frame_that_ends_in_its_header_and_a_fixed_length_frame_of_another_length', () => {
    chip.select(0)
    chip.transfer(0)
    chip.deselect(0)
    expect(chip.faults[Fault.Frame]).toBe(1)
    host.frame(0, 0x39, [], 1, 1)
    expect(faults()).toBe(1)
    host.frame(0, 0x39, [], 2, 1)
    expect(chip.faults[Fault.Address]).toBe(1)
  })

  it('is_reset_by_MR_and_by_the_pin', () => {
    host.openUdp(0, 123)
    host.common(0, 0x80)
    expect(host.readCommon(15, 4)).toEqual([0, 0, 0, 0])
    expect(host.state(0)).toBe(0)
    host.common(1, 9)
    chip.setReset(host.now, 0)
    expect(host.readCommon(0x39)).toEqual([0])
    host.wait(MS)
    chip.setReset(host.now, 1)
    expect(host.readCommon(0x39)).toEqual([0])
    host.wait(2 * MS)
    expect(host.readCommon(0x39)).toEqual([4])
    expect(host.readCommon(1)).toEqual([0])
  })

  it('shows_the_link_after_autonegotiation', () => {
    chip.autonegotiationNanos = 1500 * MS
    chip.setCable(host.now, false)
    expect(host.readCommon(0x2e)[0]! & 1).toBe(0)
    chip.setCable(host.now, true)
    host.wait(1499 * MS)
    expect(host.readCommon(0x2e)[0]! & 1).toBe(0)
    host.wait(2 * MS)
    expect(host.readCommon(0x2e)[0]! & 7).toBe(7)
  })

  it('counts_buffer_sizes_that_do_not_exist_or_do_not_fit', () => {
    host.write(0, 0x1e, 3)
    expect(chip.faults[Fault.BufferSize]).toBe(1)
    host.write(0, 0x1e, 16)
    host.openUdp(0, 1)
    expect(chip.faults[Fault.BufferSize]).toBe(2)
  })
})

describe('UDP reception', () => {
  it('stores_a_datagram_with_its_8_byte_header', () => {
    host.openUdp(2, 123)
    expect(host.state(2)).toBe(0x22)
    lan.sendUdp(host.now, { ip: PEER, port: 4000 }, 123, bytes(48))
    host.wait(MS)
    expect(host.causes(2)).toBe(RECEIVED)
    expect(host.read16(2, 0x26)).toBe(56)
    expect(host.take(2)).toEqual({ ip: PEER, port: 4000, data: [...bytes(48)] })
    expect(host.read16(2, 0x26)).toBe(0)
    expect(faults()).toBe(0)
  })

  it('shows_it_17_us_after_the_end_of_the_frame', () => {
    host.openUdp(0, 123)
    host.common(0x18, 1)
    chip.receiveUdp(host.now + 500 * US, PEER, 1, OWN, 123, bytes(10), 10)
    host.wait(516 * US)
    expect(host.read16(0, 0x26)).toBe(0)
    expect(chip.intLevel).toBe(1)
    host.wait(US)
    expect(host.read16(0, 0x26)).toBe(18)
    expect(chip.intLevel).toBe(0)
    expect(chip.intFallNanos).toBe(517 * US)
  })

  it('wraps_at_the_end_of_the_buffer_and_of_the_pointer', () => {
    host.openUdp(0, 123)
    for (let i = 0; i < 150; i++) {
      const data = bytes(1 + ((i * 97) % 1400), i)
      lan.sendUdp(host.now, { ip: PEER, port: 4000 + i }, 123, data)
      host.wait(MS)
      expect(host.take(0)).toEqual({ ip: PEER, port: 4000 + i, data: [...data] })
    }
    expect(chip.counters[Counter.UdpReceived]).toBe(150)
    expect(faults()).toBe(0)
  })

  it('drops_a_datagram_that_does_not_fit_as_a_whole', () => {
    host.openUdp(0, 123)
    const stored: boolean[] = []
    for (const length of [1000, 1000, 32, 33]) {
      lan.sendUdp(host.now, { ip: PEER, port: 1 }, 123, bytes(length), (ok) => stored.push(ok))
    }
    host.wait(MS)
    expect(stored).toEqual([true, true, false, false])
    expect(host.read16(0, 0x26)).toBe(2016)
    expect(chip.counters[Counter.UdpNoRoom]).toBe(2)
    host.take(0)
    lan.sendUdp(host.now, { ip: PEER, port: 1 }, 123, bytes(32), (ok) => stored.push(ok))
    host.wait(MS)
    expect(stored[4]).toBe(true)
  })

  it('tears_RX_RSR_between_its_two_bytes', () => {
    chip.spiByteNanos = 400
    host.openUdp(0, 123)
    // 0x00f8 becomes 0x0130 just after its high byte was read.
    chip.receiveUdp(host.now, PEER, 1, OWN, 123, bytes(240), 240)
    host.wait(MS)
    expect(host.read16(0, 0x26)).toBe(0xf8)
    const lowByteAt = host.now + 4 * 400
    chip.receiveLatencyNanos = 0
    chip.receiveUdp(lowByteAt - 100, PEER, 1, OWN, 123, bytes(48), 48)
    const torn = host.read16(0, 0x26)
    expect(torn).toBe(0x30)
    expect(host.read16(0, 0x26)).toBe(0x130)
    expect(host.read16(0, 0x26)).toBe(0x130)
  })

  it('spaces_frames_by_their_wire_time', () => {
    host.openUdp(0, 123)
    host.common(0x18, 1)
    chip.receiveUdp(host.now, PEER, 1, OWN, 123, bytes(48), 48)
    chip.receiveUdp(host.now, PEER, 1, OWN, 123, bytes(48), 48)
    const first = host.now + 17 * US
    host.wait(first - host.now)
    expect(host.read16(0, 0x26)).toBe(56)
    host.wait(udpFrameNanos(48))
    expect(host.read16(0, 0x26)).toBe(112)
  })

  it('gives_a_shared_port_to_the_lowest_socket_and_multicast_to_nobody', () => {
    host.openUdp(3, 123)
    host.openUdp(1, 123)
    chip.receiveUdp(host.now, PEER, 1, OWN, 123, bytes(8), 8)
    chip.receiveUdp(host.now, PEER, 1, ipv4('10.0.0.255'), 123, bytes(8), 8)
    expect(chip.receiveUdp(host.now, PEER, 1, ipv4('224.0.1.1'), 123, bytes(8), 8)).toBe(false)
    expect(chip.receiveUdp(host.now, PEER, 1, ipv4('10.0.0.3'), 123, bytes(8), 8)).toBe(false)
    host.wait(MS)
    expect([host.read16(1, 0x26), host.read16(3, 0x26)]).toEqual([32, 0])
  })

  it('takes_RECV_beyond_the_received_data_as_a_fault', () => {
    host.openUdp(0, 123)
    host.write16(0, 0x28, 8)
    host.command(0, RECV)
    expect(chip.faults[Fault.ReceiveOverrun]).toBe(1)
  })
})

describe('UDP transmission', () => {
  it('asks_for_the_hardware_address_sends_and_shows_it_in_DHAR', () => {
    host.openUdp(0, 123)
    host.destination(0, PEER, 4000)
    host.put(0, bytes(48))
    host.command(0, SEND)
    host.wait(20 * US)
    expect(host.causes(0)).toBe(0)
    host.wait(MS)
    expect(host.causes(0)).toBe(SENDOK)
    expect(host.read(0, 6, 6)).toEqual([...lan.sent[0]!.mac])
    expect(lan.sent[0]).toMatchObject({ ip: PEER, port: 4000, sourcePort: 123, delivered: true, data: bytes(48) })
    expect(host.read16(0, 0x20)).toBe(2048)
    expect(faults()).toBe(0)
  })

  it('does_not_ask_again_for_the_same_destination', () => {
    host.openUdp(0, 123)
    host.destination(0, PEER, 4000)
    for (let i = 0; i < 3; i++) {
      host.put(0, bytes(48))
      host.command(0, SEND)
      host.wait(MS)
    }
    expect(lan.counters.arpRequests).toBe(1)
    expect(lan.sent.length).toBe(3)
  })

  it('asks_the_gateway_for_another_network', () => {
    const far = ipv4('192.0.2.7')
    lan.addPeer({ ip: ipv4('10.0.0.1') })
    host.openUdp(0, 123)
    host.destination(0, far, 4000)
    host.put(0, bytes(8))
    host.command(0, SEND)
    host.wait(MS)
    expect([...lan.sent[0]!.mac.slice(2)]).toEqual(quad(ipv4('10.0.0.1')))
  })

  it('gives_up_an_unreachable_peer_after_RCR_plus_1_times_RTR_and_is_blocked_meanwhile', () => {
    host.common(0x19, 0, 100, 3)
    host.openUdp(0, 123)
    host.destination(0, ipv4('10.0.0.77'), 4000)
    host.put(0, bytes(8))
    const begin = host.now
    host.command(0, SEND)
    host.wait(begin + 39 * MS - host.now)
    expect(host.causes(0)).toBe(0)
    host.command(0, SEND)
    expect(chip.faults[Fault.SendInFlight]).toBe(1)
    host.wait(2 * MS)
    expect(host.causes(0)).toBe(TIMEOUT)
    expect(host.state(0)).toBe(0x22)
    expect(lan.counters.arpRequests).toBe(4)
    expect(lan.sent.length).toBe(0)
  })

  it('sends_by_SEND_MAC_without_asking', () => {
    host.openUdp(0, 123)
    host.write(0, 6, 2, 0x4c, ...quad(PEER))
    host.destination(0, PEER, 4000)
    host.put(0, bytes(300))
    const begin = host.now
    host.command(0, SEND_MAC)
    host.wait(57 * US + udpFrameNanos(300) - 1)
    expect(host.causes(0)).toBe(0)
    host.wait(1)
    expect(host.causes(0)).toBe(SENDOK)
    expect(lan.sent[0]).toMatchObject({ at: begin + 57 * US, delivered: true })
    expect(lan.counters.arpRequests).toBe(0)
  })

  it('refuses_a_second_SEND_before_SENDOK', () => {
    host.openUdp(0, 123)
    host.write(0, 6, 2, 0x4c, ...quad(PEER))
    host.destination(0, PEER, 4000)
    host.put(0, bytes(48))
    host.command(0, SEND_MAC)
    host.put(0, bytes(48))
    host.command(0, SEND_MAC)
    expect(chip.faults[Fault.SendInFlight]).toBe(1)
    expect(chip.lastFault).toBe(0)
    host.wait(MS)
    expect(lan.sent.length).toBe(1)
  })

  it('counts_an_empty_SEND_and_one_that_exceeds_the_buffer', () => {
    host.openUdp(0, 123)
    host.command(0, SEND_MAC)
    host.write16(0, 0x24, 2049)
    host.command(0, SEND_MAC)
    expect([chip.faults[Fault.SendEmpty], chip.faults[Fault.SendOverrun]]).toEqual([1, 1])
  })

  it('never_ends_a_SEND_without_a_link', () => {
    host.openUdp(0, 123)
    chip.setCable(host.now, false)
    host.put(0, bytes(8))
    host.command(0, SEND_MAC)
    host.wait(1000 * MS)
    expect(host.causes(0)).toBe(0)
    host.command(0, CLOSE)
    host.openUdp(0, 123)
    expect(host.state(0)).toBe(0x22)
  })

  it('sends_every_length_across_the_buffer_end', () => {
    host.openUdp(0, 123)
    host.write(0, 6, 2, 0x4c, ...quad(PEER))
    host.destination(0, PEER, 4000)
    for (let length = 1; length <= 1472; length += 7) {
      host.put(0, bytes(length, length))
      host.command(0, SEND_MAC)
      host.wait(MS)
      expect(lan.sent.at(-1)!.data).toEqual(bytes(length, length))
    }
    expect(faults()).toBe(0)
  })
})

describe('commands', () => {
  it('clear_the_command_register_when_accepted', () => {
    chip.commandNanos = 2 * US
    host.write(0, 0, 2)
    host.command(0, OPEN)
    expect(host.read(0, 1)).toEqual([OPEN])
    host.command(0, CLOSE)
    expect(chip.faults[Fault.CommandBusy]).toBe(1)
    host.wait(2 * US)
    expect(host.read(0, 1)).toEqual([0])
    expect(host.state(0)).toBe(0x22)
  })

  it('are_refused_in_the_wrong_state', () => {
    host.command(0, LISTEN)
    host.command(0, SEND)
    host.command(0, DISCON)
    host.command(0, RECV)
    host.write(0, 0, 4)
    host.command(0, OPEN)
    expect(chip.faults[Fault.CommandInvalid]).toBe(5)
    expect(host.state(0)).toBe(0)
  })
})

describe('INTn', () => {
  function arrive(n: number): void {
    chip.receiveUdp(host.now, PEER, 1, OWN, 100 + n, bytes(8), 8)
    host.wait(100 * US)
  }

  it('is_low_while_an_unmasked_cause_stands', () => {
    host.openUdp(0, 100)
    host.openUdp(1, 101)
    arrive(0)
    expect(chip.intLevel).toBe(1)
    host.common(0x18, 3)
    expect(chip.intLevel).toBe(0)
    arrive(1)
    expect(host.readCommon(0x17)).toEqual([3])
    host.write(0, 2, RECEIVED)
    expect(chip.intLevel).toBe(0)
    host.write(1, 2, RECEIVED)
    expect(chip.intLevel).toBe(1)
    expect(chip.intFalls).toBe(1)
  })

  it('shows_a_masked_cause_without_falling', () => {
    host.openUdp(0, 100)
    host.common(0x18, 1)
    host.write(0, 0x2c, SENDOK)
    arrive(0)
    expect(host.causes(0)).toBe(RECEIVED)
    expect(host.readCommon(0x17)).toEqual([0])
    expect(chip.intLevel).toBe(1)
    chip.maskedCausesShow = false
    host.write(0, 2, 0xff)
    arrive(0)
    expect(host.causes(0)).toBe(0)
  })

  it('stays_high_for_INTLEVEL_before_it_falls_again', () => {
    host.openUdp(0, 100)
    host.common(0x13, 0xff, 0xff)
    host.common(0x18, 1)
    arrive(0)
    host.write(0, 2, RECEIVED)
    const rose = host.now
    arrive(0)
    expect(chip.intLevel).toBe(1)
    host.wait(2 * MS)
    expect(chip.intLevel).toBe(0)
    expect(chip.intFallNanos - rose).toBeCloseTo((65536 * 4000) / 150, -1)
  })

  it('signals_unreachable_and_conflict_in_IR', () => {
    host.common(0x16, 0xc0)
    chip.unreachable(host.now, PEER, 4000)
    expect(host.readCommon(0x28, 6)).toEqual([...quad(PEER), 4000 >> 8, 4000 & 255])
    chip.addressConflict(host.now)
    expect(host.readCommon(0x15)).toEqual([0xc0])
    expect(chip.intLevel).toBe(0)
    host.common(0x15, 0xc0)
    expect(chip.intLevel).toBe(1)
  })
})

describe('ARP and ping', () => {
  it('are_answered_by_the_chip_itself', () => {
    expect(chip.answersArp(OWN)).toBe(true)
    expect(chip.answersArp(PEER)).toBe(false)
    expect(chip.answersPing(OWN)).toBe(true)
    host.common(0, 0x10)
    expect(chip.answersPing(OWN)).toBe(false)
    expect(chip.answersArp(OWN)).toBe(true)
  })
})

describe('TCP server', () => {
  const CLIENT = { ip: PEER, port: 50000 }

  it('carries_one_connection_a_socket_from_LISTEN_to_CLOSED', () => {
    host.listen(2, 4460)
    expect(host.state(2)).toBe(0x14)
    const peer = lan.connect(host.now + MS, CLIENT, 4460)
    const second = lan.connect(host.now + 2 * MS, CLIENT, 4460)
    host.wait(3 * MS)
    expect(host.state(2)).toBe(0x17)
    expect(host.causes(2)).toBe(1)
    expect(second.state).toBe('refused')
    expect(host.read(2, 12, 6)).toEqual([...quad(PEER), 50000 >> 8, 50000 & 255])
    peer.write(host.now, bytes(100))
    host.wait(MS)
    expect(host.read16(2, 0x26)).toBe(100)
    expect(host.frame(11, 0, [], 100)).toEqual([...bytes(100)])
    host.write16(2, 0x28, 100)
    host.command(2, RECV)
    host.put(2, bytes(300, 5))
    host.command(2, SEND)
    host.wait(MS)
    expect(peer.bytes).toEqual(bytes(300, 5))
    expect(host.causes(2) & SENDOK).toBe(SENDOK)
    peer.end(host.now)
    host.wait(MS)
    expect(host.state(2)).toBe(0x1c)
    expect(host.causes(2) & 2).toBe(2)
    host.command(2, DISCON)
    host.wait(MS)
    expect(host.state(2)).toBe(0)
    expect(peer.state).toBe('closed')
    expect(faults()).toBe(0)
  })

  it('closes_actively_through_FIN_WAIT', () => {
    host.listen(0, 1)
    const peer = lan.connect(host.now, CLIENT, 1)
    host.wait(MS)
    host.command(0, DISCON)
    expect(host.state(0)).toBe(0x18)
    host.wait(MS)
    expect(peer.ended).toBe(true)
    peer.end(host.now)
    host.wait(MS)
    expect(host.state(0)).toBe(0)
    expect(peer.state).toBe('closed')
  })

  it('gives_a_second_connection_to_another_listening_socket', () => {
    host.listen(4, 1)
    host.listen(3, 1)
    lan.connect(host.now, CLIENT, 1)
    lan.connect(host.now, CLIENT, 1)
    const third = lan.connect(host.now, CLIENT, 1)
    host.wait(MS)
    expect([host.state(3), host.state(4)]).toEqual([0x17, 0x17])
    expect(third.state).toBe('refused')
  })

  it('closes_its_window_while_the_buffer_is_full', () => {
    host.listen(0, 1)
    const peer = lan.connect(host.now, CLIENT, 1)
    const data = bytes(5000)
    peer.write(host.now, data)
    host.wait(5 * MS)
    expect(host.read16(0, 0x26)).toBe(2048)
    const got: number[] = []
    while (got.length < 5000) {
      const size = host.read16(0, 0x26)
      const pointer = host.read16(0, 0x28)
      got.push(...host.frame(3, pointer, [], size))
      host.write16(0, 0x28, (pointer + size) & 0xffff)
      host.command(0, RECV)
      host.wait(MS)
    }
    expect(Uint8Array.from(got)).toEqual(data)
  })

  it('is_closed_without_an_interrupt_by_a_reset', () => {
    host.listen(0, 1)
    const peer = lan.connect(host.now, CLIENT, 1)
    host.wait(MS)
    host.write(0, 2, 0xff)
    peer.reset(host.now)
    host.wait(MS)
    expect(host.state(0)).toBe(0)
    expect(host.causes(0)).toBe(0)
  })

  it('gives_up_a_peer_that_acknowledges_nothing', () => {
    host.common(0x19, 0, 100, 3)
    host.listen(0, 1)
    const peer = lan.connect(host.now, CLIENT, 1)
    host.wait(MS)
    peer.dead = true
    host.put(0, bytes(10))
    host.command(0, SEND)
    host.wait(149 * MS)
    expect(host.state(0)).toBe(0x17)
    expect(host.read16(0, 0x20)).toBe(2038)
    host.wait(3 * MS)
    expect(host.state(0)).toBe(0)
    expect(host.causes(0) & TIMEOUT).toBe(TIMEOUT)
  })

  it('keeps_a_peer_with_a_closed_window', () => {
    host.common(0x19, 0, 100, 3)
    host.listen(0, 1)
    const peer = lan.connect(host.now, CLIENT, 1)
    host.wait(MS)
    peer.stalled = true
    host.put(0, bytes(10))
    host.command(0, SEND)
    host.wait(5000 * MS)
    expect(host.state(0)).toBe(0x17)
    peer.resume(host.now)
    host.wait(MS)
    expect(host.causes(0) & SENDOK).toBe(SENDOK)
  })
})

describe('burst', () => {
  /** The same work done by frames of bytes, or by bursts; everything observable is returned. */
  function work(useBurst: boolean): unknown {
    const ownLan = new MemoryLan({ anybody: true })
    const part = new W5500(ownLan)
    ownLan.attach(part)
    part.spiByteNanos = 400
    part.commandNanos = 700
    let seed = 12345
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % below
    }
    let now = 0
    const seen: unknown[] = []
    const frame = (header: number, data: Uint8Array, write: boolean) => {
      if (useBurst) {
        const at = new Uint8Array(data.length + 5)
        at.set(data, 5)
        now = part.burst(now, header, at, 5, data.length, write)
        data.set(at.subarray(5))
      } else {
        part.select(now)
        for (const shift of [16, 8, 0]) part.transfer((header >> shift) & 255)
        for (let i = 0; i < data.length; i++) {
          const value = part.transfer(write ? data[i]! : 0)
          if (!write) data[i] = value
        }
        now += (3 + data.length) * 400
        part.deselect(now)
      }
      seen.push(now, part.intLevel, part.intFalls, part.intFallNanos, write ? 0 : [...data])
    }
    frame(0x000f04, Uint8Array.of(10, 0, 0, 2), true)
    frame(0x001804, Uint8Array.of(255), true)
    for (const n of [0, 1]) {
      frame(0x00000c | (n << 5), Uint8Array.of(2, 0, 0, 0, 0, 123 + n), true)
      frame(0x00010c | (n << 5), Uint8Array.of(1), true)
    }
    for (let i = 0; i < 3000; i++) {
      const n = random(3)
      const data = Uint8Array.from({ length: 1 + random(60) }, () => random(256))
      const block = [1, 2, 3][random(3)]!
      const write = block !== 3 && random(2) === 0
      // Registers are written in harmless places only, buffers anywhere, commands now and then.
      const address = block === 1 ? (write ? 6 + random(10) : random(0x30)) : random(0x10000)
      const size = block === 1 ? Math.min(data.length, (write ? 0x1e : 0x30) - address) : data.length
      frame((address << 8) | (((n << 2) | block) << 3) | (write ? 4 : 0), data.slice(0, size), write)
      if (random(4) === 0)
        frame(0x000100 | (((n << 2) | 1) << 3) | 4, Uint8Array.of([SEND_MAC, RECV][random(2)]!), true)
      if (random(3) === 0) frame(0x002400 | (((n << 2) | 1) << 3) | 4, Uint8Array.of(0, random(256)), true)
      if (random(3) === 0) part.receiveUdp(now + random(30000), 0x0a000009, 9, 0x0a000002, 123 + random(2), data, size)
      if (random(9) === 0) frame(0x00020c | (n << 5), Uint8Array.of(255), true)
      if (random(5) === 0) now += random(100000)
    }
    const sockets = part.sockets.map((socket) => [[...socket.registers], socket.rxWrite, socket.txRead, socket.causes])
    return { seen, sockets, faults: [...part.faults], counters: [...part.counters], sent: ownLan.sent }
  }

  it('does_exactly_what_single_bytes_do', () => {
    expect(work(true)).toEqual(work(false))
  })
})

describe('compiled by AssemblyScript', () => {
  it('behaves_as_it_does_in_JavaScript', async () => {
    const entry = await loadEntry(new URL('./w5500.entry.ts', import.meta.url), 'checked', {
      env: { abort: () => undefined },
    })
    const { exports } = entry
    const address = exports['create'](400) as number
    const quiet = new MemoryLan()
    const twin = new W5500(quiet)
    quiet.attach(twin)
    twin.spiByteNanos = 400
    let seed = 7
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % below
    }
    let now = 0
    const frame = (header: number, data: Uint8Array) => {
      const write = (header & 4) !== 0
      entry.write(address, data)
      const end = twin.burst(now, header, data, 0, data.length, write)
      expect(exports['burst'](now, header, data.length, write)).toBe(end)
      if (!write) expect(entry.read(address, data.length)).toEqual(data)
      now = end
    }
    frame(0x000f04, Uint8Array.of(10, 0, 0, 2))
    frame(0x001804, Uint8Array.of(255))
    frame(0x00000c, Uint8Array.of(2))
    frame(0x00040c, Uint8Array.of(0, 123))
    frame(0x00010c, Uint8Array.of(OPEN))
    for (let i = 0; i < 400; i++) {
      const data = Uint8Array.from({ length: 1 + random(100) }, () => random(256))
      if (random(2) === 0) {
        entry.write(address, data)
        const at = now + random(20_000)
        expect(exports['receiveUdp'](at, PEER, 99, OWN, 123, data.length) !== 0).toBe(
          twin.receiveUdp(at, PEER, 99, OWN, 123, data, data.length),
        )
      }
      frame([0x000108, 0x002008, 0x000018, 0x000110, 0x001500][random(5)]!, new Uint8Array(16))
      if (random(2) === 0) frame(random(0x10000) * 256 + 0x14, data)
      if (random(3) === 0) frame(0x00240c, Uint8Array.of(random(8), random(256)))
      if (random(3) === 0) frame(0x00010c, Uint8Array.of([SEND_MAC, RECV][random(2)]!))
      if (random(3) === 0) frame(0x00280c, Uint8Array.of(...[...new Uint8Array(2)].map(() => random(256))))
      if (random(4) === 0) frame(0x00020c, Uint8Array.of(255))
      now += random(50_000)
      twin.advance(now)
      expect(exports['advance'](now)).toBe(twin.nextEvent())
      expect(exports['intFallNanos']()).toBe(twin.intFallNanos)
    }
    const bytesSent = quiet.sent.reduce((sum, { data }) => sum + data.length, 0)
    expect(bytesSent).toBeGreaterThan(1000)
    expect(exports['transmitted']()).toBe(bytesSent)
    expect(exports['others'](now)).toBeTypeOf('number')
  })
})
