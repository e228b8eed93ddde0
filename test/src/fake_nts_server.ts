// An NTS server on the loopback address with faults to order: what the tests of `noonmark ask` talk to. It is written
// from RFC 8915 and uses nothing of src/.

import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { aessiv, gcmsiv } from '@noble/ciphers/aes.js'

export interface Faults {
  /** Name of a file in certificates/; `good` unless told. */
  certificate?: string
  alpn?: string[]
  maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** The whole NTS-KE answer, instead of the right one. */
  answer?: Buffer
  /** Close after the answer has been written (true), or leave the connection open. */
  close?: boolean
  /** Send the answer in pieces of this size. */
  pieces?: number
  aead?: number
  cookies?: number
  cookieLength?: number
  /** Understand and send chrony's record 1024. */
  compliantRecord?: boolean
  /** AEAD number in the exporter's context; the negotiated one unless told. */
  contextAead?: number
  /** Records before the End of Message. */
  extraRecords?: Buffer[]
  sendPort?: boolean
  /** Header fields of replies. */
  header?: { leap?: number; stratum?: number; referenceId?: string; offsetSeconds?: number }
  /** What to do with a request, by its number from 0; `answer` unless told. */
  reply?: (number: number) => Reply
}

export type Reply =
  | 'answer'
  | 'silent'
  | 'nak'
  | 'nak of a stranger'
  | 'plain'
  | 'bad tag'
  | 'identifier not authenticated'
  | 'junk first'
  | 'kiss'

export interface Seen {
  /** Bodies of the request's records by type. */
  records: Map<number, Buffer>
  servername: string | false | null
  /** NTP requests: length, placeholders, the cookie. */
  requests: { length: number; placeholders: number; cookie: string; transmit: bigint; nonceLength: number }[]
}

interface Keys {
  aead: number
  c2s: Uint8Array
  s2c: Uint8Array
}

const record = (type: number, body: Buffer, critical = true): Buffer => {
  const header = Buffer.alloc(4)
  header.writeUInt16BE(type + (critical ? 0x8000 : 0), 0)
  header.writeUInt16BE(body.length, 2)
  return Buffer.concat([header, body])
}

export const u16 = (...values: number[]): Buffer => Buffer.from(values.flatMap((value) => [value >> 8, value & 255]))

export const keRecord = record

export const END = record(0, Buffer.alloc(0))

const field = (type: number, body: Uint8Array): Buffer => {
  const padding = Buffer.alloc((4 - (body.length % 4)) % 4)
  return Buffer.concat([u16(type, 4 + body.length + padding.length), body, padding])
}

export class FakeNtsServer {
  readonly seen: Seen = { records: new Map(), servername: null, requests: [] }
  private readonly cookies = new Map<string, Keys>()
  private readonly sockets = new Set<TLSSocket>()
  private tls!: NetServer
  private udp!: Socket

  private constructor(private readonly faults: Faults) {}

  static async start(faults: Faults = {}): Promise<FakeNtsServer> {
    const server = new FakeNtsServer(faults)
    await server.listen()
    return server
  }

  get kePort(): number {
    return (this.tls.address() as AddressInfo).port
  }

  get ntpPort(): number {
    return this.udp.address().port
  }

  /** Stops once; further calls do nothing. */
  async stop(): Promise<void> {
    if (!this.tls.listening) return
    for (const socket of this.sockets) socket.destroy()
    await new Promise((done) => this.tls.close(done))
    this.udp.close()
  }

  private async listen(): Promise<void> {
    const pem = readFileSync(new URL(`./certificates/${this.faults.certificate ?? 'good'}.pem`, import.meta.url))
    const { alpn = ['ntske/1'], maxVersion = 'TLSv1.3' } = this.faults
    this.tls = createServer({ key: pem, cert: pem, ALPNProtocols: alpn, maxVersion }, (socket) =>
      this.establish(socket),
    )
    this.tls.on('tlsClientError', () => {})
    this.udp = createSocket('udp4')
    this.udp.on('message', (packet, from) => this.answer(packet, from))
    await new Promise<void>((done) => this.tls.listen(0, '127.0.0.1', done))
    await new Promise<void>((done) => this.udp.bind(0, '127.0.0.1', done))
  }

  // NTS-KE

  private establish(socket: TLSSocket): void {
    this.sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.sockets.delete(socket))
    this.seen.servername = (socket as TLSSocket & { servername: string | false }).servername
    let data = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      data = Buffer.concat([data, chunk])
      if (data.length < 4 || !data.subarray(-4).equals(END)) return
      for (let at = 0; at < data.length; at += 4 + data.readUInt16BE(at + 2)) {
        const body = data.subarray(at + 4, at + 4 + data.readUInt16BE(at + 2))
        this.seen.records.set(data.readUInt16BE(at) & 0x7fff, Buffer.from(body))
      }
      this.respond(socket)
    })
  }

  private async respond(socket: TLSSocket): Promise<void> {
    const answer = this.faults.answer ?? this.agreement(socket)
    const size = this.faults.pieces ?? answer.length
    for (let at = 0; at < answer.length; at += size) {
      await new Promise((done) => socket.write(answer.subarray(at, at + size), done))
      await new Promise((done) => setImmediate(done))
    }
    if (this.faults.close ?? true) socket.end()
  }

  private agreement(socket: TLSSocket): Buffer {
    const { faults, seen } = this
    const aead = faults.aead ?? seen.records.get(4)!.readUInt16BE(0)
    const compliant = aead === 30 && seen.records.has(1024) && faults.compliantRecord
    const key = (direction: number): Uint8Array =>
      socket.exportKeyingMaterial(
        aead === 15 ? 32 : 16,
        'EXPORTER-network-time-security',
        Buffer.concat([u16(0, faults.contextAead ?? aead), Buffer.of(direction)]),
      )
    const keys = { aead, c2s: key(0), s2c: key(1) }
    return Buffer.concat([
      record(1, u16(0)),
      record(4, u16(aead)),
      ...(compliant ? [record(1024, Buffer.alloc(0), false)] : []),
      ...Array.from({ length: faults.cookies ?? 8 }, () => record(5, this.newCookie(keys), false)),
      ...((faults.sendPort ?? true) ? [record(7, u16(this.ntpPort))] : []),
      ...(faults.extraRecords ?? []),
      END,
    ])
  }

  private newCookie(keys: Keys): Buffer {
    const cookie = randomBytes(this.faults.cookieLength ?? 100)
    this.cookies.set(cookie.toString('hex'), keys)
    return cookie
  }

  // NTP

  private answer(packet: Buffer, from: RemoteInfo): void {
    const receive = timestamp(this.faults.header?.offsetSeconds)
    const send = (reply: Buffer): void => this.udp.send(reply, from.port, from.address)
    const kind = this.faults.reply?.(this.seen.requests.length) ?? 'answer'
    if (packet.length === 48) {
      if (kind !== 'silent') send(this.header(packet, receive, kind === 'kiss' ? 'RATE' : undefined))
      return
    }
    const request = this.read(packet)
    if (kind === 'silent') return
    if (!request || kind.startsWith('nak')) {
      const identifier = kind === 'nak of a stranger' ? randomBytes(32) : packet.subarray(52, 84)
      send(Buffer.concat([this.header(packet, receive, 'NTSN'), field(0x0104, identifier)]))
      return
    }
    const { keys, placeholders } = request
    const identified = Buffer.concat([this.header(packet, receive), field(0x0104, packet.subarray(52, 84))])
    const bare = this.header(packet, receive, kind === 'kiss' ? 'RATE' : undefined)
    const open = kind === 'identifier not authenticated' ? bare : Buffer.concat([bare, identified.subarray(48)])
    const cookies = Array.from({ length: 1 + placeholders }, () => field(0x0204, this.newCookie(keys)))
    const sealed = this.seal(keys, open, Buffer.concat(cookies))
    if (kind === 'bad tag') sealed[sealed.length - 1]! ^= 1
    if (kind === 'junk first') this.junk(sealed, identified).forEach(send)
    if (kind === 'plain') send(identified)
    else if (kind === 'identifier not authenticated') send(Buffer.concat([sealed, identified.subarray(48)]))
    else send(sealed)
  }

  /** Packets that must not count: noise, a client's packet, another version, other timestamps, other identifiers. */
  private junk(good: Buffer, plain: Buffer): Buffer[] {
    const changed = (packet: Buffer, at: number, value: number): Buffer => {
      const copy = Buffer.from(packet)
      copy[at] = value
      return copy
    }
    return [
      Buffer.alloc(0),
      randomBytes(47),
      changed(good, 0, 0x23),
      changed(good, 0, 0x1c),
      changed(good, 24, good[24]! ^ 1),
      changed(good, 60, good[60]! ^ 1),
      changed(plain, 60, plain[60]! ^ 1),
      plain.subarray(0, 48),
      good.subarray(0, 83),
    ]
  }

  /** Checks a request as a server must; undefined when it is not authentic. */
  private read(packet: Buffer): { keys: Keys; placeholders: number } | undefined {
    let at = 48
    let cookie = ''
    let placeholders = 0
    for (; packet.readUInt16BE(at) !== 0x0404; at += packet.readUInt16BE(at + 2)) {
      const body = packet.subarray(at + 4, at + packet.readUInt16BE(at + 2))
      if (packet.readUInt16BE(at) === 0x0204) cookie = body.toString('hex')
      if (packet.readUInt16BE(at) === 0x0304) placeholders++
    }
    const nonceLength = packet.readUInt16BE(at + 4)
    const nonce = packet.subarray(at + 8, at + 8 + nonceLength)
    const ciphertext = packet.subarray(at + 8 + nonceLength, at + 8 + nonceLength + packet.readUInt16BE(at + 6))
    this.seen.requests.push({
      length: packet.length,
      placeholders,
      cookie,
      transmit: packet.readBigUInt64BE(40),
      nonceLength,
    })
    const keys = this.cookies.get(cookie)
    if (!keys) return undefined
    try {
      cipher(keys.aead, keys.c2s, nonce, packet.subarray(0, at)).decrypt(ciphertext)
    } catch {
      return undefined
    }
    return { keys, placeholders }
  }

  private header(request: Buffer, receive: bigint, kissCode?: string): Buffer {
    const { leap = 0, stratum = 1, referenceId = 'GPS\0', offsetSeconds } = this.faults.header ?? {}
    const reply = Buffer.alloc(48)
    reply[0] = (leap << 6) | (4 << 3) | 4
    reply[1] = kissCode ? 0 : stratum
    reply.writeInt8(-20, 3)
    reply.writeUInt32BE(66, 8)
    reply.write(kissCode ?? referenceId, 12, 'latin1')
    request.copy(reply, 24, 40, 48)
    reply.writeBigUInt64BE(receive, 16)
    reply.writeBigUInt64BE(receive, 32)
    reply.writeBigUInt64BE(timestamp(offsetSeconds), 40)
    return reply
  }

  private seal(keys: Keys, open: Buffer, plaintext: Buffer): Buffer {
    const nonce = randomBytes(keys.aead === 15 ? 16 : 12)
    const ciphertext = cipher(keys.aead, keys.s2c, nonce, open).encrypt(plaintext)
    return Buffer.concat([
      open,
      field(0x0404, Buffer.concat([u16(nonce.length, ciphertext.length), nonce, ciphertext])),
    ])
  }
}

function cipher(aead: number, key: Uint8Array, nonce: Uint8Array, ad: Uint8Array) {
  return aead === 15 ? aessiv(key, ad, nonce) : gcmsiv(key, nonce, ad)
}

/** NTP timestamp of the host's time plus an offset. */
function timestamp(offsetSeconds = 0): bigint {
  const seconds = (performance.timeOrigin + performance.now()) / 1000 + offsetSeconds + 2_208_988_800
  const whole = Math.floor(seconds)
  return (BigInt(whole % 2 ** 32) << 32n) | BigInt(Math.floor((seconds - whole) * 2 ** 32))
}

/** A TCP server that sends `greeting` to whoever connects; for what is no TLS server. */
export async function plainServer(greeting: string | null): Promise<{ port: number; stop(): void }> {
  const sockets = new Set<{ destroy(): void }>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (greeting === null) socket.destroy()
    else if (greeting !== '') socket.write(greeting)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
