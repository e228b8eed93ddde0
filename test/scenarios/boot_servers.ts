// NTS servers on the LAN in memory, in virtual time: what a board's boot story has around it. Each has its own idea of the time
// and a certificate with the dates that the story wants.
//
//   TCP 4460   TLS 1.3 and NTS-KE (RFC 8915, section 4): AES-SIV-CMAC-256, eight cookies
//   UDP 123    NTPv4 with NTS (section 5); requests without it are not answered
//   DNS        all names, at RESOLVER
//
// Nothing waits for the host: TLS is the scripted server of test/tls, which answers as soon as it is asked.

import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { udpFrameNanos } from '../../sim/chips/w5500'
import { ipv4, type SentDatagram, type TcpPeer } from '../../sim/lan/memory_lan'
import { Random } from '../../sim/world/random'
import { anchorImage, makeAnchor } from '../../src/anchor_image'
import type { LanBoard } from '../../src/lan_board'
import { AeadId, algorithm } from '../../src/nts/aead'
import { LanServers } from '../net/lan_servers'
import { Extension, Type, u16 } from '../tls/scripted_end'
import { ScriptedServer } from '../tls/scripted_server'
import { AKI, CA, type Made, serverFor, Workshop } from '../tls/x509_openssl'

export const RESOLVER = '192.168.7.53'
const FIRST_ADDRESS = ipv4('192.168.7.100')
const KE_PORT = 4460
const NTP_PORT = 123
const UNIX_TO_NTP = 2_208_988_800n
const MICRO = 1e3
/** From a request's last bit to the reply's first bit. */
const TURNAROUND = 50 * MICRO
const AUTHORITY = { notBefore: 315_532_800, notAfter: 4_102_444_800 }
const COOKIES = 8
const COOKIE_LENGTH = 100
const END = record(0x8000, new Uint8Array())

export interface NtsServerOptions {
  name: string
  /** Nanoseconds that it is ahead of true UTC. */
  lies: number
  /** Nanoseconds that a packet takes, one way; and by how much that varies, each way by itself. */
  latency: number
  jitter: number
  stratum: number
  /** Leap indicator that it announces; undefined: the right one. */
  leap: number | undefined
  /** Does not exist. */
  silent: boolean
  /** POSIX seconds. */
  notBefore: number
  notAfter: number
}

/** A server that tells the truth, 0.2 ms away, with a certificate for these dates (POSIX seconds). */
export function honestServer(name: string, notBefore: number, notAfter: number): NtsServerOptions {
  return {
    name,
    lies: 0,
    latency: 200_000,
    jitter: 20_000,
    stratum: 1,
    leap: undefined,
    silent: false,
    notBefore,
    notAfter,
  }
}

/** Authority, keys and certificates, made once for all stories of a test run. */
export class Certificates {
  private readonly workshop = new Workshop(AUTHORITY.notBefore)
  private readonly authority = this.workshop.make('Authority of the stories', {
    key: 'p256:authority',
    extensions: CA,
    ...AUTHORITY,
  })
  private readonly made = new Map<string, Made>()
  private readonly keys = new Map<string, KeyObject>()

  /** What a board has to have in its flash to trust the servers. */
  anchors(): Uint8Array {
    const made = makeAnchor(this.authority.der, '', AUTHORITY.notBefore)
    if (!('anchor' in made)) throw new Error(made.reason)
    return anchorImage([made.anchor])
  }

  server({ name, notBefore, notAfter }: NtsServerOptions): Uint8Array[] {
    const id = `${name} ${notBefore} ${notAfter}`
    let made = this.made.get(id)
    if (made === undefined) {
      const extensions = [...serverFor(`DNS:${name}`), AKI]
      made = this.workshop.make(name, { key: 'p256:server', issuer: this.authority, extensions, notBefore, notAfter })
      this.made.set(id, made)
    }
    return [made.der]
  }

  key(): KeyObject {
    const key = this.keys.get('server') ?? createPrivateKey(readFileSync(this.workshop.key('p256:server')))
    this.keys.set('server', key)
    return key
  }

  dispose(): void {
    this.workshop.dispose()
  }
}

interface Keys {
  c2s: Uint8Array
  s2c: Uint8Array
}

/** Servers that outlive a board: their cookies are good for the next one too. */
export class NtsServers {
  /** Key exchanges that were completed, and NTP requests that were answered. */
  exchanges = 0
  answered = 0
  private readonly cookies = new Map<string, Keys>()
  private readonly random: Random
  private board!: LanBoard

  constructor(
    private readonly servers: readonly NtsServerOptions[],
    private readonly certificates: Certificates,
    seed: number,
  ) {
    this.random = new Random(seed, 'servers')
  }

  /** Puts the servers on a board's LAN. */
  attach(board: LanBoard): void {
    this.board = board
    const names = this.servers.map(({ name }, i) => [name, [addressOf(i)]] as [string, string[]])
    new LanServers(board).dns(RESOLVER, Object.fromEntries(names))
    const others = board.lan.onDatagram
    board.lan.onDatagram = (datagram) => {
      const i = datagram.ip - FIRST_ADDRESS
      const server = this.servers[i]
      if (!server || datagram.port !== NTP_PORT) others?.(datagram)
      else if (datagram.delivered) this.answer(datagram, server)
    }
    this.servers.forEach((server, i) => {
      if (server.silent) return
      board.lan.addPeer({ ip: FIRST_ADDRESS + i, latency: 20 * MICRO })
      board.lan.listen(FIRST_ADDRESS + i, KE_PORT, (peer) => this.exchange(peer, server))
    })
  }

  /** The keys of every session so far. */
  keys(): Set<Keys> {
    return new Set(this.cookies.values())
  }

  // ---- NTS-KE

  private exchange(peer: TcpPeer, server: NtsServerOptions): void {
    const tls = new ScriptedServer(this.certificates.key(), this.certificates.server(server))
    const say = (bytes: Uint8Array) => peer.write(this.board.now, bytes)
    peer.onData = (data) => {
      for (const { type, content } of tls.read(data)) {
        const asks = type === Type.Handshake && tls.hellos.length === 1 && !tls.writing
        if (asks && tls.extensions.has(Extension.KeyShare)) {
          say(tls.sendServerHello())
          say(tls.sendFlight())
        } else if (type === Type.ApplicationData && content.length > 0) {
          say(tls.protect(Type.ApplicationData, this.agreement(tls)))
          say(tls.protect(Type.Alert, Uint8Array.of(1, 0)))
          this.exchanges++
        } else if (type === Type.Alert) peer.end(this.board.now)
      }
    }
  }

  private agreement(tls: ScriptedServer): Uint8Array {
    const key = (direction: number): Uint8Array =>
      tls.exportKeyingMaterial(
        'EXPORTER-network-time-security',
        Uint8Array.of(0, 0, 0, AeadId.AesSivCmac256, direction),
        32,
      )
    const keys = { c2s: key(0), s2c: key(1) }
    return Buffer.concat([
      record(0x8001, u16(0)),
      record(0x8004, u16(AeadId.AesSivCmac256)),
      ...Array.from({ length: COOKIES }, () => record(5, this.cookie(keys))),
      END,
    ])
  }

  private cookie(keys: Keys): Uint8Array {
    const cookie = this.bytes(COOKIE_LENGTH)
    this.cookies.set(Buffer.from(cookie).toString('hex'), keys)
    return cookie
  }

  // ---- NTP

  private answer(datagram: SentDatagram, server: NtsServerOptions): void {
    if (server.silent) return
    const request = Buffer.from(datagram.data)
    const read = this.read(request)
    if (!read) return
    const received = datagram.end + this.way(server)
    const sent = received + TURNAROUND
    const open = Buffer.concat([this.header(request, server, received, sent), request.subarray(48, 48 + 36)])
    const fresh = Array.from({ length: 1 + read.placeholders }, () => field(0x0204, this.cookie(read.keys)))
    const nonce = this.bytes(16)
    const sealed = algorithm(AeadId.AesSivCmac256).seal(read.keys.s2c, nonce, open, Buffer.concat(fresh))
    const reply = Buffer.concat([open, field(0x0404, Buffer.concat([u16(16), u16(sealed.length), nonce, sealed]))])
    const from = { ip: datagram.ip, port: NTP_PORT }
    this.board.lan.sendUdp(sent + udpFrameNanos(reply.length) + this.way(server), from, datagram.sourcePort, reply)
    this.answered++
  }

  private way({ latency, jitter }: NtsServerOptions): number {
    return latency + jitter * this.random.uniform()
  }

  private read(request: Buffer): { keys: Keys; placeholders: number } | undefined {
    let cookie = ''
    let placeholders = 0
    let at = 48
    for (; at + 8 <= request.length && request.readUInt16BE(at) !== 0x0404; at += request.readUInt16BE(at + 2)) {
      const body = request.subarray(at + 4, at + request.readUInt16BE(at + 2))
      if (request.readUInt16BE(at) === 0x0204) cookie = body.toString('hex')
      if (request.readUInt16BE(at) === 0x0304) placeholders++
    }
    const keys = this.cookies.get(cookie)
    if (!keys || at + 8 > request.length) return undefined
    const nonceEnd = at + 8 + request.readUInt16BE(at + 4)
    const ciphertext = request.subarray(nonceEnd, nonceEnd + request.readUInt16BE(at + 6))
    // Throws when it is not authentic: then the firmware is wrong.
    algorithm(AeadId.AesSivCmac256).open(
      keys.c2s,
      request.subarray(at + 8, nonceEnd),
      request.subarray(0, at),
      ciphertext,
    )
    return { keys, placeholders }
  }

  private header(request: Buffer, server: NtsServerOptions, received: number, sent: number): Buffer {
    const reply = Buffer.alloc(48)
    reply[0] = (this.leap(server, received) << 6) | (4 << 3) | 4
    reply[1] = server.stratum
    reply.writeInt8(-23, 3)
    // 15 us of root dispersion.
    reply.writeUInt32BE(1, 8)
    reply.writeUInt32BE(0x4750_5300, 12)
    request.copy(reply, 24, 40, 48)
    reply.writeBigUInt64BE(this.timestamp(received, server.lies), 32)
    reply.writeBigUInt64BE(this.timestamp(sent, server.lies), 40)
    return reply
  }

  /** The true one on the day that it ends, unless the story says otherwise. */
  private leap({ leap }: NtsServerOptions, nanos: number): number {
    const { sky } = this.board.world
    const left = sky.leapMidnight() - this.board.world.utc(nanos).seconds
    if (leap !== undefined) return leap
    return sky.leapChange() === 0 || left <= 0 || left > 86_400 ? 0 : sky.leapChange() > 0 ? 1 : 2
  }

  private timestamp(nanos: number, lies: number): bigint {
    const utc = this.board.world.utc(nanos)
    const all = BigInt(utc.seconds) * 1_000_000_000n + BigInt(Math.round(utc.nanos + lies))
    const seconds = (all / 1_000_000_000n + UNIX_TO_NTP) & 0xffff_ffffn
    return (seconds << 32n) | (((all % 1_000_000_000n) << 32n) / 1_000_000_000n)
  }

  private bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.random.fill(bytes)
    return bytes
  }
}

function addressOf(index: number): string {
  return `192.168.7.${100 + index}`
}

function record(type: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([u16(type), u16(body.length), body])
}

function field(type: number, body: Uint8Array): Uint8Array {
  const padding = new Uint8Array((4 - (body.length % 4)) % 4)
  return Buffer.concat([u16(type), u16(4 + body.length + padding.length), body, padding])
}
