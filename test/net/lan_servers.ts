// Scripted NTP and DNS servers on the LAN in memory, for a board that asks them. They know true time.

import { ipv4, type SentDatagram } from '../../sim/lan/memory_lan'
import type { Machine } from '../../sim/machine'
import type { LanBench } from '../../src/lan_board'

const UNIX_TO_NTP = 2_208_988_800
const MICRO = 1e3

export interface NtpServerOptions {
  ip: string
  port?: number
  /** Nanoseconds that it is ahead of true UTC. */
  offset?: number
  stratum?: number
  /** 32-bit word, for kiss codes with stratum 0. */
  referenceId?: number
  leap?: number
  /** Answers at all. */
  silent?: boolean
  /** Nanoseconds of its root dispersion. */
  dispersion?: number
  /** Changes the reply's bytes before it leaves. */
  edit?: (reply: Uint8Array) => Uint8Array
}

export class LanServers {
  /** Requests by server address. */
  readonly asked = new Map<string, number>()
  readonly requests: SentDatagram[] = []
  private readonly servers = new Map<string, NtpServerOptions>()
  private readonly names = new Map<string, string[]>()
  private resolver = -1

  constructor(private readonly board: LanBench<Machine>) {
    const others = board.lan.onDatagram
    board.lan.onDatagram = (datagram) => {
      if (!this.take(datagram)) others?.(datagram)
    }
  }

  ntp(options: NtpServerOptions): NtpServerOptions {
    this.board.lan.addPeer({ ip: ipv4(options.ip), latency: 20 * MICRO })
    this.servers.set(`${ipv4(options.ip)}:${options.port ?? 123}`, options)
    return options
  }

  dns(ip: string, names: Record<string, string[]>): void {
    this.resolver = ipv4(ip)
    this.board.lan.addPeer({ ip: this.resolver, latency: 20 * MICRO })
    for (const [name, addresses] of Object.entries(names)) this.names.set(name, addresses)
  }

  private take(datagram: SentDatagram): boolean {
    if (datagram.ip === this.resolver && datagram.port === 53) this.resolve(datagram)
    const server = this.servers.get(`${datagram.ip}:${datagram.port}`)
    if (!server) return datagram.ip === this.resolver
    this.asked.set(server.ip, (this.asked.get(server.ip) ?? 0) + 1)
    this.requests.push(datagram)
    if (!server.silent && datagram.delivered) this.answer(datagram, server)
    return true
  }

  private answer(datagram: SentDatagram, server: NtpServerOptions): void {
    const reply = new Uint8Array(48)
    const view = new DataView(reply.buffer)
    const received = datagram.end + 20 * MICRO
    // The reply's last bit leaves when it is sent: its first bit did so 90 bytes before.
    const sent = received + 50 * MICRO
    reply[0] = ((server.leap ?? 0) << 6) | (4 << 3) | 4
    reply[1] = server.stratum ?? 1
    reply[3] = 0xe9
    view.setUint32(8, Math.ceil(((server.dispersion ?? 10_000) / 1e9) * 65_536))
    view.setUint32(12, server.referenceId ?? 0x4750_5300)
    reply.set(datagram.data.subarray(40, 48), 24)
    this.stamp(view, 32, received, server.offset ?? 0)
    this.stamp(view, 40, sent, server.offset ?? 0)
    const from = { ip: datagram.ip, port: datagram.port }
    const data = server.edit?.(reply) ?? reply
    if (data.length > 0) this.board.lan.sendUdp(sent + 9.28 * MICRO, from, datagram.sourcePort, data)
  }

  private stamp(view: DataView, at: number, nanos: number, offset: number): void {
    const utc = this.board.world.utc(nanos)
    const all = BigInt(utc.seconds) * 1_000_000_000n + BigInt(Math.round(utc.nanos + offset))
    view.setUint32(at, Number((all / 1_000_000_000n + BigInt(UNIX_TO_NTP)) & 0xffff_ffffn))
    view.setUint32(at + 4, Number(((all % 1_000_000_000n) << 32n) / 1_000_000_000n))
  }

  private resolve(datagram: SentDatagram): void {
    const query = datagram.data
    const labels: string[] = []
    let at = 12
    while (query[at] !== 0) {
      labels.push(Buffer.from(query.subarray(at + 1, at + 1 + query[at]!)).toString())
      at += 1 + query[at]!
    }
    const addresses = this.names.get(labels.join('.'))
    const question = query.subarray(12, at + 5)
    const header = Uint8Array.of(
      query[0]!,
      query[1]!,
      0x81,
      addresses ? 0x80 : 0x83,
      0,
      1,
      0,
      addresses?.length ?? 0,
      0,
      0,
      0,
      0,
    )
    const records = (addresses ?? []).map((address) =>
      Buffer.concat([
        Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]),
        Buffer.from(address.split('.').map(Number)),
      ]),
    )
    const reply = Buffer.concat([header, question, ...records])
    const from = { ip: datagram.ip, port: 53 }
    this.board.lan.sendUdp(datagram.end + 500 * MICRO, from, datagram.sourcePort, reply)
  }
}

/** The `sources` or `authdata` lines as keys and values. */
export function lines(text: string, kind: string): Record<string, string>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${kind} `))
    .map((line) => {
      const words = line.split(' ').slice(1)
      const pairs = words.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string])
      return { name: words[0]!, ...Object.fromEntries(pairs) }
    })
}
