// The scripted LAN's NTS client (RFC 8915): a key exchange over TCP port 4460, then one authenticated NTP request.
//
//   begin -> TCP -> TLS handshake -> NTS-KE request -> cookies -> NTP request with a cookie -> its reply, verified
//
// Told on the chips' console: "key exchange: 8 cookies for AEAD 15", "nts client: authenticated, stratum 1", or what failed.
// What the TLS client checks and what not: tls_client.entry.ts. Each exchange takes some 60 KB of the module's memory, which
// is never given back.

import { AES_SIV_CONTEXT_SIZE, aesSivInit, aesSivOpen, aesSivSeal } from '../../../firmware/crypto/aes_siv'
import { frameNanos } from '../../chips/w5500'
import { number, print, text } from './api.entry'
import { ScriptLan } from './script_lan.entry'
import { Bytes, load16, TlsClient, TlsStage } from './tls_client.entry'

const KE_PORT: i32 = 4460
const NTP_PORT: i32 = 123
const TCP_PORT: i32 = 40_460
const UDP_PORT: i32 = 40_124
const AEAD: i32 = 15
const KEY: i32 = 32
const TAG: i32 = 16
const UNIQUE_IDENTIFIER: i32 = 0x0104
const COOKIE: i32 = 0x0204
const AUTHENTICATOR: i32 = 0x0404
const NTP_HEADER: i32 = 48
const UNIQUE_LENGTH: i32 = 32
/** The client thinks this long before it acknowledges or sends. */
const DELAY: f64 = 50_000
const RETRY: f64 = 1e6
const PATIENCE: f64 = 10e9
const CONTEXT: usize = memory.data(8, 8)

export class NtsClient {
  lan: ScriptLan = changetype<ScriptLan>(0)
  private tls: TlsClient = new TlsClient()
  private keys: usize = changetype<usize>(new StaticArray<u64>((2 * KEY) / 8))
  private siv: usize = changetype<usize>(new StaticArray<u64>((<i32>AES_SIV_CONTEXT_SIZE + 7) / 8))
  private cookie: Bytes = new Bytes()
  private packet: Bytes = new Bytes()
  private offered: Uint8Array = new Uint8Array(1400)
  private socket: i32 = -1
  private ackAt: f64 = Infinity
  private pumpAt: f64 = Infinity
  private askAt: f64 = Infinity
  private giveUpAt: f64 = Infinity
  private requested: bool = false
  private peerEnded: bool = false

  /** False when the board does not listen yet. */
  begin(now: f64): bool {
    const chip = this.lan.chip
    const client = this.lan.client()
    const socket = chip.tcpListener(KE_PORT)
    if (socket < 0 || !chip.tcpConnect(now, socket, client, TCP_PORT, this.lan.macOf(client))) return false
    this.socket = socket
    this.requested = false
    this.peerEnded = false
    this.tls.start()
    this.pumpAt = now + RETRY
    this.giveUpAt = now + PATIENCE
    return true
  }

  nextEvent(): f64 {
    return Math.min(Math.min(this.ackAt, this.pumpAt), Math.min(this.askAt, this.giveUpAt))
  }

  advance(now: f64): void {
    if (this.ackAt <= now) this.acknowledge(now)
    if (this.pumpAt <= now) this.pump(now)
    if (this.askAt <= now) this.ask(now)
    if (this.giveUpAt <= now) this.fail('no end within 10 s')
  }

  /** TCP bytes of the board. */
  received(at: f64, socket: i32, data: Uint8Array, length: i32): void {
    if (socket !== this.socket) return
    this.tls.receive(data.dataStart, length)
    this.ackAt = at + frameNanos(40 + length) + DELAY
    this.pumpAt = this.ackAt
    this.step()
  }

  /** The board's FIN. */
  finished(at: f64, socket: i32): void {
    if (socket !== this.socket) return
    this.peerEnded = true
    this.ackAt = at + frameNanos(40) + DELAY
  }

  closed(socket: i32): void {
    if (socket !== this.socket) return
    this.socket = -1
    this.ackAt = Infinity
    this.pumpAt = Infinity
  }

  /** A datagram from the board's NTP port to one of the client's. */
  reply(_now: f64, port: i32, data: Uint8Array, length: i32): void {
    if (port !== UDP_PORT || this.packet.length === 0) return
    text('nts client: ')
    if (!this.authentic(data.dataStart, length)) text('a reply that is not authentic')
    else if (data[1] === 0) text('authenticated, not synchronised')
    else {
      text('authenticated, stratum ')
      number(data[1])
    }
    this.packet.length = 0
    this.giveUpAt = Infinity
    print()
  }

  // ---- TCP.

  private acknowledge(now: f64): void {
    this.ackAt = Infinity
    if (this.socket < 0) return
    if (!this.lan.chip.tcpAcknowledge(now, this.socket)) this.ackAt = now + RETRY
    else if (this.peerEnded) this.lan.chip.tcpFin(now, this.socket)
  }

  private pump(now: f64): void {
    this.pumpAt = Infinity
    const out = this.tls.out
    if (this.socket < 0 || out.length === 0) return
    const count = <i32>min(out.length, this.offered.length)
    memory.copy(this.offered.dataStart, out.at, count)
    out.drop(this.lan.chip.tcpReceive(now, this.socket, this.offered, 0, count))
    if (out.length > 0) this.pumpAt = now + RETRY
  }

  // ---- NTS-KE.

  private step(): void {
    const tls = this.tls
    if (tls.stage === TlsStage.Failed) this.fail(tls.fault)
    else if (tls.stage === TlsStage.Open && !this.requested) this.request()
    if (this.requested && this.giveUpAt !== Infinity) this.response()
  }

  /** Next Protocol NTPv4, AEAD 15, End of Message. */
  private request(): void {
    this.requested = true
    const out = this.packet
    out.length = 0
    out.u16(0x8001)
    out.u16(2)
    out.u16(0)
    out.u16(0x8004)
    out.u16(2)
    out.u16(AEAD)
    out.u16(0x8000)
    out.u16(0)
    this.tls.send(out.at, out.length)
    out.length = 0
    for (let direction = 0; direction < 2; direction++) {
      store<u32>(CONTEXT, 0x0f00_0000)
      store<u8>(CONTEXT + 4, <u8>direction)
      this.tls.export('EXPORTER-network-time-security', CONTEXT, 5, this.keys + direction * KEY, KEY)
    }
  }

  private response(): void {
    const data = this.tls.data
    let cookies = 0
    let aead = 0
    for (let at = 0; at + 4 <= data.length; at += 4 + load16(data.at + at + 2)) {
      const type = load16(data.at + at) & 0x7fff
      const length = load16(data.at + at + 2)
      if (at + 4 + length > data.length) return
      if (type === 4) aead = load16(data.at + at + 4)
      if (type === 2) this.fail('an Error record')
      if (type === 5 && cookies++ === 0) {
        this.cookie.length = 0
        this.cookie.copy(data.at + at + 4, length)
      }
      if (type === 0) this.tell(cookies, aead)
    }
  }

  private tell(cookies: i32, aead: i32): void {
    text('key exchange: ')
    number(cookies)
    text(' cookies for AEAD ')
    number(aead)
    print()
    this.tls.data.length = 0
    this.askAt = this.lan.chip.time + RETRY
  }

  private fail(why: string): void {
    text('key exchange: failed: ')
    text(why)
    print()
    this.giveUpAt = Infinity
    this.pumpAt = Infinity
    if (this.socket >= 0) this.lan.chip.tcpReset(this.lan.chip.time, this.socket)
    this.socket = -1
  }

  // ---- The authenticated request.

  private ask(now: f64): void {
    this.askAt = Infinity
    const out = this.packet
    out.length = 0
    for (let i = 0; i < NTP_HEADER; i++) out.u8(i === 0 ? 0x23 : i >= 40 ? i : 0)
    out.u16(UNIQUE_IDENTIFIER)
    out.u16(4 + UNIQUE_LENGTH)
    for (let i = 0; i < UNIQUE_LENGTH; i++) out.u8(i + 1)
    out.u16(COOKIE)
    out.u16(4 + ((this.cookie.length + 3) & ~3))
    out.copy(this.cookie.at, this.cookie.length)
    while ((out.length & 3) !== 0) out.u8(0)
    const authenticated = out.length
    out.u16(AUTHENTICATOR)
    out.u16(8 + TAG + TAG)
    out.u16(TAG)
    out.u16(TAG)
    const nonce = out.at + out.length
    for (let i = 0; i < TAG; i++) out.u8(0xc0 + i)
    aesSivInit(this.siv, this.keys)
    aesSivSeal(this.siv, out.at, authenticated, nonce, TAG, 0, 0, nonce + TAG)
    out.length += TAG
    memory.copy(this.offered.dataStart, out.at, out.length)
    const lan = this.lan
    lan.chip.receiveUdp(now, lan.client(), UDP_PORT, lan.board(), NTP_PORT, this.offered, out.length)
  }

  /** Our unique identifier comes back, and the authenticator opens with the server's key. */
  private authentic(p: usize, length: i32): bool {
    let unique = false
    for (let at = NTP_HEADER; at + 8 <= length; ) {
      const type = load16(p + at)
      const size = load16(p + at + 2)
      if (size < 8 || at + size > length) return false
      const body = p + at + 4
      if (type === UNIQUE_IDENTIFIER)
        unique = memory.compare(body, this.packet.at + NTP_HEADER + 4, UNIQUE_LENGTH) === 0
      if (type === AUTHENTICATOR) {
        const nonce = load16(body)
        const sealed = load16(body + 2)
        if (8 + ((nonce + 3) & ~3) + sealed > size) return false
        aesSivInit(this.siv, this.keys + KEY)
        const from = body + 4 + ((nonce + 3) & ~3)
        return unique && aesSivOpen(this.siv, p, at, body + 4, nonce, from, sealed, from)
      }
      at += size
    }
    return false
  }
}
