// A mixed load for a board: plain and NTS requests, and datagrams that are no requests or spoilt ones. Seeded.

import { Random } from '../../sim/world/random'
import type { Session } from '../../src/nts/key_exchange'
import { encodeHeader } from '../../src/nts/packet'
import { ntsRequest } from '../../src/nts/query'
import { freshTransmit, type LanBoard, NEIGHBOUR } from './board'

/** The longest UDP payload of one Ethernet frame. */
const LONGEST = 1472

export class Load {
  /** Datagrams that the chip stored, and those for which it had no room. */
  stored = 0
  lost = 0
  private readonly random: Random
  private readonly seeds: Uint8Array[]

  constructor(
    private readonly board: LanBoard,
    sessions: readonly Session[],
    seed: number,
  ) {
    this.random = new Random(seed, 'load')
    this.seeds = [
      encodeHeader(freshTransmit()),
      ...sessions.map((session) => ntsRequest(session)),
      ...sessions.map((session) => ntsRequest({ ...session, cookies: session.cookies.slice(0, 3) })),
    ]
  }

  /** One datagram: half of them good, the others spoilt in one way or several. */
  datagram(spoilt = 0.5): Uint8Array {
    const seed = this.seeds[this.below(this.seeds.length)]!
    let packet: Uint8Array = Uint8Array.from(seed)
    if (this.random.uniform() >= spoilt) return packet
    for (let n = 1 + this.below(3); n > 0; n--) packet = this.mutate(packet)
    return packet.length === 0 ? Uint8Array.of(this.below(256)) : packet.subarray(0, LONGEST)
  }

  /** Lets `count` datagrams arrive, `spacing` nanoseconds apart, and the board deal with them. */
  run(count: number, spacing: number, make = () => this.datagram()): void {
    for (let left = count; left > 0; left -= 256) {
      const now = Math.min(left, 256)
      for (let i = 0; i < now; i++) this.send(this.board.now + 1e5 + i * spacing, make())
      this.board.advance(1e5 + now * spacing)
      this.board.takeAnswers()
    }
  }

  send(at: number, packet: Uint8Array, from = NEIGHBOUR): void {
    this.board.lan.sendUdp(at, from, 123, packet, (stored) => {
      if (stored) this.stored++
      else this.lost++
    })
  }

  below(n: number): number {
    return this.random.u32() % n
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.random.fill(bytes)
    return bytes
  }

  private mutate(packet: Uint8Array): Uint8Array {
    const at = this.below(packet.length || 1)
    const copy = Uint8Array.from(packet)
    switch (this.below(8)) {
      case 0:
        copy[at]! ^= 1 << this.below(8)
        return copy
      case 1:
        copy[at] = this.below(256)
        return copy
      case 2:
        return copy.slice(0, at)
      case 3:
        return join(copy, this.bytes(this.below(200)))
      case 4:
        // A length or a type of an extension field.
        if (copy.length > 52) copy.set(this.bytes(2), 48 + (this.below(copy.length - 50) & ~1))
        return copy
      case 5:
        return join(copy.slice(0, at), copy.slice(this.below(packet.length || 1)))
      case 6:
        copy[0] = this.below(256)
        return copy
      default:
        return this.bytes(this.below(LONGEST))
    }
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length)
  all.set(a)
  all.set(b, a.length)
  return all
}

/** Datagrams by outcome: each that the driver saw counts in exactly one of these. */
export function outcomes(counts: Record<string, number>): number {
  // Remarks on packets that count elsewhere.
  const remarks = /^ntp\.(interleaved|merged)/
  const names = Object.keys(counts).filter((name) => name.startsWith('ntp.') && !remarks.test(name))
  return [...names, 'udp.refused', 'udp.no-host', 'udp.no-budget'].reduce((sum, name) => sum + (counts[name] ?? 0), 0)
}
