// A board, virtual or simulated, in virtual time on a LAN in memory, with a client beside it that knows the true time of every frame. For the
// bench and for tests of the whole: nothing here waits for the host's clock or for its network.

import { Duplex } from 'node:stream'
import type { BoardSettings } from '../hal/virtual/board'
import { w5500 } from '../hal/virtual/ethernet'
import { type MachineOptions, VirtualMachine } from '../hal/virtual/machine'
import { type ReceiverOptions, ublox } from '../hal/virtual/receiver'
import { VirtualClock } from '../sim/clock/clock'
import { ipv4, MemoryLan, type SentDatagram, type TcpPeer } from '../sim/lan/memory_lan'
import type { Machine } from '../sim/machine'
import type { BoardFile } from '../sim/soc/board'
import { Esp32c3Machine, type Esp32c3Options } from '../sim/soc/machine'
import { World, type WorldOptions } from '../sim/world/world'
import { type KeyExchangeOptions, keyExchange, type Session } from './nts/key_exchange'

const BOARD = '192.168.7.1'
const CLIENT = ipv4('192.168.7.10')
const MILLI = 1e6
/** One byte on a 20 MHz SPI bus, nanoseconds. */
const SPI_BYTE = 400

/** 2026-11-01T00:00:00Z. */
export const LAN_BOARD_ORIGIN = 1_793_491_200

/** What every board on the LAN in memory is given, whatever it is made of. */
interface BenchOptions {
  world?: Partial<WorldOptions>
  receiver?: ReceiverOptions
}

export interface LanBoardOptions extends BenchOptions {
  wasm: Uint8Array
  machine?: Partial<MachineOptions>
}

export interface Esp32c3LanBoardOptions extends BenchOptions {
  /** build/esp32c3/noonmark.bin. */
  image: Uint8Array
  /** build/rv32.wasm. */
  core: Uint8Array
  /** boards/*.json. */
  board: BoardFile
  machine?: Partial<Esp32c3Options>
}

const SETTINGS: Partial<BoardSettings> = {
  address: BOARD,
  mask: '255.255.255.0',
  names: ['noonmark.local', 'localhost'],
}

/** A reply as it left: its bytes, and the true times (nanos) of request and reply. */
export interface Answer {
  data: Uint8Array
  /** The request's last bit reached the board. */
  arrived: number
  /** The reply's first bit left it. */
  left: number
}

/** A machine on the LAN, with its client. */
export abstract class LanBench<M extends Machine> {
  readonly world: World
  readonly lan: MemoryLan
  abstract readonly machine: M
  /** Milliseconds of the host's time spent inside the board. */
  busyMillis = 0
  /** Everything that the console said. */
  consoleText = ''

  /** How long the console's answer to a command may take. */
  protected readonly answerNanos: number = MILLI

  private nextPort = 40_000
  private answers: SentDatagram[] = []

  constructor(options: BenchOptions) {
    this.world = new World({ unixOrigin: LAN_BOARD_ORIGIN, seed: 1, ...options.world })
    this.lan = new MemoryLan()
    this.lan.addPeer({ ip: CLIENT, latency: 0 })
    this.lan.onDatagram = (datagram) => this.answers.push(datagram)
  }

  /** The parts and wires that every machine takes. `spiByteNanos`: 0 where the machine's own SPI keeps the time. */
  protected wiring(receiver: ReceiverOptions | undefined, spiByteNanos: number) {
    return {
      world: this.world,
      clock: new VirtualClock(this.world.unixOrigin),
      entropy: 'seeded' as const,
      receiver: ublox(receiver),
      ethernet: w5500({ lan: this.lan, spiByteNanos, setup: (chip) => this.lan.attach(chip) }),
      onConsole: (text: string) => {
        this.consoleText += text
      },
    }
  }

  /** True time, nanos. */
  get now(): number {
    return this.machine.clock.now()
  }

  /** Lets `nanos` of true time pass. */
  advance(nanos: number): void {
    const begun = performance.now()
    this.machine.runUntil(this.now + nanos)
    this.busyMillis += performance.now() - begun
  }

  /** Runs until the console has said `text`, at most `seconds`; false when it has not. */
  runUntilSaid(text: string, seconds: number): boolean {
    const end = this.now + seconds * 1e9
    while (!this.consoleText.includes(text)) {
      if (this.now >= end) return false
      this.advance(10 * MILLI)
    }
    return true
  }

  /** Types a command and returns what the console says to it. */
  ask(command: string): string {
    this.consoleText = ''
    this.machine.type(`${command}\n`)
    this.advance(this.answerNanos)
    return this.consoleText
  }

  /** Sends one datagram to the NTP port and returns the answer, if there is one within `limit` nanos. */
  exchange(
    packet: Uint8Array,
    limit = 20 * MILLI,
    from: { ip: number; port: number } = this.freshPort(),
  ): Answer | undefined {
    this.answers = []
    const at = this.now + 1000
    this.lan.sendUdp(at, from, 123, packet)
    const end = this.now + limit
    // The frame's last bit arrives when it leaves: the client's latency is 0.
    while (this.answers.length === 0 && this.now < end) this.advance(50_000)
    const answer = this.answers[0]
    return answer && { data: answer.data, arrived: at, left: answer.at }
  }

  /** The datagrams that the board has sent since the last call. */
  takeAnswers(): SentDatagram[] {
    const taken = this.answers
    this.answers = []
    return taken
  }

  /** A client address with a port that was not used lately. */
  freshPort(): { ip: number; port: number } {
    this.nextPort = this.nextPort < 60_000 ? this.nextPort + 1 : 40_000
    return { ip: CLIENT, port: this.nextPort }
  }

  /** A TCP connection to the KE port, as a stream of Node's. Time passes while its user waits. */
  connect(): LanStream {
    return new LanStream(this, this.lan.connect(this.now + 1000, this.freshPort(), 4460))
  }

  /** A whole key exchange over the in-memory LAN. */
  async keyExchange(options: Partial<KeyExchangeOptions> = {}): Promise<Session> {
    const stream = this.connect()
    try {
      const now = new Date(this.machine.utc().seconds * 1000)
      return await keyExchange({ host: 'localhost', now, ...options, transport: stream })
    } finally {
      stream.destroy()
    }
  }

  /** The authority's certificate as the console gives it. */
  authority(): string {
    const text = this.ask('ca')
    this.advance(10 * MILLI)
    return this.consoleText.slice(text.indexOf('-----BEGIN'))
  }
}

/** The module in V8, on the virtual board. */
export class LanBoard extends LanBench<VirtualMachine> {
  readonly machine: VirtualMachine

  constructor(options: LanBoardOptions) {
    super(options)
    const { wasm, receiver, machine } = options
    this.machine = new VirtualMachine({ wasm, board: SETTINGS, ...this.wiring(receiver, SPI_BYTE), ...machine })
  }
}

/** The flash image, instruction by instruction, on the simulated ESP32-C3. */
export class Esp32c3LanBoard extends LanBench<Esp32c3Machine> {
  /** The serial line carries 64 bytes at a time. */
  protected override readonly answerNanos = 30 * MILLI
  readonly machine: Esp32c3Machine

  constructor(options: Esp32c3LanBoardOptions) {
    super(options)
    const { image, core, board, receiver, machine } = options
    this.machine = new Esp32c3Machine({
      image,
      core,
      board,
      settings: SETTINGS,
      ...this.wiring(receiver, 0),
      ...machine,
    })
  }
}

/** One TCP connection as a Duplex. While it is open, each turn of Node's event loop is 200 us on the board. */
export class LanStream extends Duplex {
  private timer: NodeJS.Immediate | undefined

  constructor(
    private readonly board: LanBench<Machine>,
    readonly peer: TcpPeer,
  ) {
    super()
    peer.onData = (data) => this.push(Buffer.from(data))
    this.turn()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.peer.write(this.board.now, chunk)
    done()
  }

  override _final(done: () => void): void {
    this.peer.end(this.board.now)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearImmediate(this.timer)
    if (this.peer.state === 'open') this.peer.end(this.board.now)
    done(error)
  }

  private turn(): void {
    this.board.advance(200_000)
    if (this.peer.ended || this.peer.state === 'refused' || this.peer.state === 'abandoned') this.push(null)
    else this.timer = setImmediate(() => this.turn())
  }
}
