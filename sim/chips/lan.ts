// The network beyond the W5500's connector, as the chip model sees it. Portable subset of TypeScript.
//
// The chip calls these methods; an implementation answers through the chip's own methods (`receiveUdp`, `arpReply`,
// `tcpConnect` ...). Times are nanoseconds of true time since the world's power-on. IPv4 addresses are numbers in host
// order (192.168.0.1 is 0xC0A80001). Byte arrays are borrowed for the length of the call.
//
// Implementations: memory_lan.ts (scripted peers, true times) and bridge.ts (the host's own sockets).

export abstract class Lan {
  /** Time of the next thing that the network does by itself; Infinity when nothing is due. */
  abstract nextEvent(): f64

  /** Does all that is due at `now` or before. Afterwards `nextEvent()` is later than `now`. */
  abstract advance(now: f64): void

  /** A UDP socket of the chip opened on address:port. Several sockets may share one port. */
  abstract udpOpened(socket: i32, address: u32, port: i32): void
  abstract udpClosed(socket: i32, port: i32): void

  /**
   * A UDP datagram leaves. `at`: when its frame begins on the wire; may lie after the call, since the chip hands a
   * frame over as soon as its fate is decided. `mac`: 6 bytes, the frame's destination.
   */
  abstract udpTransmit(
    at: f64,
    mac: Uint8Array,
    ip: u32,
    port: i32,
    sourcePort: i32,
    data: Uint8Array,
    length: i32,
  ): void

  /** Somebody may answer with `arpReply`. `at`: as in `udpTransmit`. */
  abstract arpRequest(at: f64, ip: u32): void

  /** A socket listens on address:port. A connection is given to it by `tcpConnect`. */
  abstract tcpListening(socket: i32, address: u32, port: i32): void

  /** A SYN to ip:port. Answered by `tcpConnected` or `tcpReset`; by nothing when nobody is there. `at`: as in `udpTransmit`. */
  abstract tcpConnecting(at: f64, socket: i32, ip: u32, port: i32, sourcePort: i32): void

  /** One SEND's worth of bytes; confirm it by `tcpAcknowledge`. */
  abstract tcpTransmit(at: f64, socket: i32, data: Uint8Array, length: i32): void

  /** The chip's FIN, after all its data; confirm it by `tcpAcknowledge`, and the peer's own FIN by `tcpFin`. */
  abstract tcpFinish(at: f64, socket: i32): void

  /** The RX buffer has room again. */
  abstract tcpWindow(at: f64, socket: i32): void

  /**
   * The socket forgot its connection or stopped listening (CLOSE, time-out, reset). Nothing was said to the peer; what
   * the peer still sends meets nobody.
   */
  abstract tcpClosed(at: f64, socket: i32): void
}
