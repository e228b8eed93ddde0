// `noonmark bench --board esp32c3`: what the flash image costs on the simulated ESP32-C3, in instructions. Exact: the same
// image and seed give the same numbers on every host.
//
// A reply costs what a second with a hundred requests takes more than one without; an interleaved one is always the answer to
// a client that is in that mode already. A handshake is counted the same way.
// Microseconds are the time inside poll(), from its first instruction to its return: instructions at 160 MHz, one each cycle,
// what interrupts it, and the waits for SPI, in which the processor sleeps. The real chip waits for its flash cache on top.

import type { Esp32c3Machine } from '../sim/soc/machine'
import type { Esp32c3Firmware } from './esp32c3'
import { Esp32c3LanBoard } from './lan_board'
import { AeadId } from './nts/aead'
import type { Session } from './nts/key_exchange'
import { decodeHeader, encodeHeader } from './nts/packet'
import { ntsRequest } from './nts/query'
import { type Cost, difference, stackUsed, watchPolls } from './poll_watch'

export interface Esp32c3Row {
  name: string
  value: number
  unit: 'instructions' | 'microseconds' | 'bytes'
}

const MHZ = 160
const SECOND = 1e9
const REQUESTS = 100
const HANDSHAKES = 4

export async function measureEsp32c3(firmware: Esp32c3Firmware): Promise<Esp32c3Row[]> {
  const fast = new Bench(firmware, true)
  const slow = new Bench(firmware, false)
  const rows: Esp32c3Row[] = [
    ...(await fast.replies('')),
    ...(await slow.replies('_without_accelerator')),
    ...cost('key_exchange', await fast.handshake()),
    ...cost('longest_poll_idle', await fast.longestPoll(async () => fast.board.advance(3 * SECOND))),
    ...cost('longest_poll_four_handshakes', await fast.longestPoll(() => fast.fourHandshakes())),
    ...cost('longest_poll_four_handshakes_and_nts', await fast.longestPoll(() => fast.fourHandshakes(true))),
    ...cost('longest_poll_without_accelerator', await slow.longestPoll(() => slow.fourHandshakes(true))),
    { name: 'flash', value: firmware.sizes.flash, unit: 'bytes' },
    { name: 'static_ram', value: firmware.sizes.ram, unit: 'bytes' },
    {
      name: 'stack_high_water',
      value: Math.max(...[fast, slow].map(({ board }) => stackUsed(board, firmware))),
      unit: 'bytes',
    },
  ]
  for (const { board } of [fast, slow]) {
    const { reports } = board.machine
    if (reports.length > 0) throw new Error(`the simulated chip has something to say: ${reports.join('; ')}`)
  }
  return rows
}

export function esp32c3Table(rows: Esp32c3Row[]): string[] {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const micros = new Map(rows.map(({ name, value }) => [name, value]))
  return [
    'The flash image on the simulated ESP32-C3 (exact counts; time inside poll() at 160 MHz, one instruction a cycle):',
    ...rows
      .filter(({ unit }) => unit !== 'microseconds')
      .map(({ name, value, unit }) => {
        const time = micros.get(`${name}_micros`)
        const number = Math.round(value).toLocaleString('en').padStart(11)
        return `  ${name.padEnd(width)} ${number} ${unit.padEnd(12)}${time === undefined ? '' : `${time.toFixed(1).padStart(10)} us`}`
      }),
  ]
}

function cost(name: string, { instructions, cycles }: Cost): Esp32c3Row[] {
  return [
    { name, value: instructions, unit: 'instructions' },
    { name: `${name}_micros`, value: cycles / MHZ, unit: 'microseconds' },
  ]
}

/** A board that is ready, with its authority. */
class Bench {
  readonly board: Esp32c3LanBoard
  private readonly authority: string
  /** Cycles inside poll() so far, and the longest poll() since `longest` was last reset. */
  private polling = 0
  private longest: Cost = { instructions: 0, cycles: 0 }

  constructor(firmware: Esp32c3Firmware, accelerator: boolean) {
    this.board = new Esp32c3LanBoard(firmware)
    // The firmware tries the accelerator before it trusts it: one that is out of order is not used.
    this.machine.soc.peripherals.aes.faulty = !accelerator
    if (!this.board.runUntilSaid('ready', 120)) throw new Error('the board was not ready within 120 virtual seconds')
    this.board.advance(5 * SECOND)
    this.authority = this.board.authority()
    watchPolls(this.board, firmware, (cost) => this.polled(cost))
  }

  async replies(suffix: string): Promise<Esp32c3Row[]> {
    const plain = encodeHeader(0x0123_4567_89ab_cdefn)
    const siv = await this.session(AeadId.AesSivCmac256)
    const gcm = await this.session(AeadId.Aes128GcmSiv)
    const interleaved = [
      ...cost(
        'ntp_reply_interleaved',
        this.interleavedReply((header) => header),
      ),
      ...cost(
        'nts_reply_aead_30_interleaved',
        this.interleavedReply((header) => ntsRequest(gcm, undefined, undefined, undefined, header)),
      ),
    ]
    return [
      ...(suffix === '' ? [...cost('ntp_reply', this.reply(plain)), ...interleaved] : []),
      ...cost(`nts_reply_aead_15${suffix}`, this.reply(ntsRequest(siv))),
      ...cost(`nts_reply_aead_30${suffix}`, this.reply(ntsRequest(gcm))),
    ]
  }

  /** One whole key exchange, TCP open to close. */
  async handshake(): Promise<Cost> {
    const begun = this.board.now
    const before = this.cost()
    await this.session(AeadId.Aes128GcmSiv)
    // The connection's end is part of it.
    this.board.advance(50e6)
    const lasted = this.board.now - begun
    const whole = difference(this.cost(), before)
    return difference(whole, this.during(lasted))
  }

  /** Four handshakes at once; `busy`: with an NTS request every 3 ms. */
  async fourHandshakes(busy = false): Promise<void> {
    if (busy) {
      const request = ntsRequest(await this.session(AeadId.AesSivCmac256))
      const from = this.board.freshPort()
      for (let i = 0; i < REQUESTS; i++) this.board.lan.sendUdp(this.board.now + (i + 1) * 3e6, from, 123, request)
    }
    await Promise.all(Array.from({ length: HANDSHAKES }, () => this.session(AeadId.AesSivCmac256)))
  }

  /** Most instructions and longest time of a poll() while `run` runs. */
  async longestPoll(run: () => Promise<void>): Promise<Cost> {
    this.longest = { instructions: 0, cycles: 0 }
    await run()
    return this.longest
  }

  private get machine(): Esp32c3Machine {
    return this.board.machine
  }

  private session(aead: number): Promise<Session> {
    return this.board.keyExchange({ ca: this.authority, aeads: [aead] })
  }

  /** One reply: what a hundred of them add to a second. */
  private reply(request: Uint8Array): Cost {
    const from = this.board.freshPort()
    this.board.advance(SECOND - (this.board.now % SECOND) + 0.2 * SECOND)
    const idle = this.during(0.7 * SECOND)
    this.board.advance(0.3 * SECOND)
    for (let i = 0; i < REQUESTS; i++) this.board.lan.sendUdp(this.board.now + (i + 1) * 5e6, from, 123, request)
    this.board.takeAnswers()
    const loaded = this.during(0.7 * SECOND)
    const answered = this.board.takeAnswers().length
    if (answered !== REQUESTS) throw new Error(`${REQUESTS - answered} of ${REQUESTS} requests were not answered`)
    return each(difference(loaded, idle))
  }

  /** The same, each request made from the reply before. */
  private interleavedReply(make: (header: Uint8Array) => Uint8Array): Cost {
    const from = this.board.freshPort()
    let origin = 1n
    let interleaved = 0
    const ask = (): void => {
      this.board.takeAnswers()
      this.board.lan.sendUdp(this.board.now + 5e6, from, 123, make(encodeHeader(2n, origin, 3n)))
      this.board.advance(7e6)
      const [answer] = this.board.takeAnswers()
      const header = answer && decodeHeader(answer.data)
      if (!header) throw new Error('a request was not answered')
      if (header.origin === 3n) interleaved++
      origin = header.receive
    }
    ask()
    ask()
    this.board.advance(SECOND - (this.board.now % SECOND) + 0.2 * SECOND)
    const idle = this.during(0.7 * SECOND)
    this.board.advance(0.3 * SECOND)
    interleaved = 0
    const before = this.cost()
    for (let i = 0; i < REQUESTS; i++) ask()
    if (interleaved !== REQUESTS) throw new Error(`${REQUESTS - interleaved} replies were not interleaved`)
    return each(difference(difference(this.cost(), before), idle))
  }

  private during(nanos: number): Cost {
    const before = this.cost()
    this.board.advance(nanos)
    return difference(this.cost(), before)
  }

  private cost(): Cost {
    return { instructions: this.machine.soc.cpu.instructions, cycles: this.polling }
  }

  private polled({ instructions, cycles }: Cost): void {
    this.polling += cycles
    this.longest.instructions = Math.max(this.longest.instructions, instructions)
    this.longest.cycles = Math.max(this.longest.cycles, cycles)
  }
}

function each({ instructions, cycles }: Cost): Cost {
  return { instructions: instructions / REQUESTS, cycles: cycles / REQUESTS }
}
