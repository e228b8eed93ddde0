// A machine that is nothing but the Ethernet: the driver's wasm over the W5500 model on a virtual clock. The HAL calls take
// about the time they take on an ESP32-C3 with 20 MHz SPI, so registers tear, edges fall between calls, and time passes.

import type { Lan } from '../../sim/chips/lan'
import { FAULTS, W5500 } from '../../sim/chips/w5500'
import { ipv4, MemoryLan } from '../../sim/lan/memory_lan'
import { type Entry, type Flavour, loadEntry } from '../support/firmware'

export const ADDRESS = '192.168.7.2'
export const MASK = '255.255.255.0'
export const GATEWAY = '192.168.7.1'
export const NTP = 123
export const KE = 4460
export const MAC = Uint8Array.of(0x02, 0x4e, 0x4d, 0, 0, 1)

const SPI_SETUP = 2500
const SPI_BYTE = 400
const CALL = 400
const WAKE = 4000
const MS = 1e6

export class Bench {
  now = 0
  /** SPI frames since the bench began. */
  frames = 0
  /** Frames as text, while it is an array. */
  log: string[] | undefined
  /** Edges that the machine loses: capture does not count them, and nobody wakes. */
  loseEdges = 0
  /** Runs after each poll. */
  onTurn: (() => void) | undefined
  polls = 0
  due = 0

  private seenFalls = 0
  private count = 0
  private edge = 0
  private woken = true

  constructor(
    readonly entry: Entry,
    readonly chip: W5500,
  ) {}

  get ticks(): bigint {
    return BigInt(Math.floor((this.now * 16) / 1000))
  }

  get exports() {
    return this.entry.exports
  }

  view(address: number, length: number): DataView {
    return new DataView(this.entry.memory.buffer, address, length)
  }

  counters(which: 'udp' | 'tcp' | 'socket'): number[] {
    const address = this.exports[`${which}CountersAddress`]()
    return Array.from({ length: 8 }, (_, i) => this.view(address, 32).getUint32(4 * i, true))
  }

  /** state, generation, version, link, mismatches, restarts, absences, phy */
  status(): number[] {
    return Array.from({ length: 8 }, (_, i) => this.view(this.exports['statusAddress'](), 32).getUint32(4 * i, true))
  }

  start(): void {
    this.entry.write(this.exports['buffer'](), MAC)
    this.exports['ethernetStart'](this.exports['buffer'](), ipv4(ADDRESS), ipv4(MASK), ipv4(GATEWAY), this.ticks)
  }

  /** Runs the main loop until `nanos`. */
  runUntil(nanos: number): void {
    for (;;) {
      this.observe()
      const next = this.woken ? this.now : Math.max(this.now, Math.min(this.due, this.chip.nextEvent()))
      if (next > nanos) break
      this.now = next
      this.observe()
      if (!this.woken && this.now < this.due) continue
      this.turn()
    }
    this.now = Math.max(this.now, nanos)
    this.observe()
  }

  runFor(nanos: number): void {
    this.runUntil(this.now + nanos)
  }

  runUntilTrue(condition: () => boolean, limit: number): void {
    const end = this.now + limit
    while (!condition()) {
      if (this.now >= end) throw new Error(`not true within ${limit / 1e6} ms`)
      this.runFor(Math.min(50_000, end - this.now))
    }
  }

  private turn(): void {
    this.woken = false
    this.now += WAKE
    this.polls++
    this.exports['ethernetPoll'](this.ticks)
    this.onTurn?.()
    const due = this.exports['ethernetDeadline'](this.ticks) as bigint
    this.due = due > 1n << 60n ? Number.POSITIVE_INFINITY : (Number(due) * 1000) / 16
    if (this.due <= this.now) this.woken = true
  }

  /** Lets the chip act until now, and takes its edges. */
  private observe(): void {
    this.chip.advance(this.now)
    if (this.chip.intFalls === this.seenFalls) return
    this.seenFalls = this.chip.intFalls
    if (this.loseEdges > 0) {
      this.loseEdges--
      return
    }
    this.count++
    this.edge = this.chip.intFallNanos
    this.woken = true
  }

  imports(): WebAssembly.ModuleImports {
    return {
      ticks: () => {
        this.now += CALL
        return this.ticks
      },
      capture: (channel: number, out: number) => {
        if (channel !== 1) throw new Error(`capture of channel ${channel}`)
        this.now += CALL
        this.observe()
        const view = this.view(out, 16)
        view.setUint32(0, this.count, true)
        view.setUint32(4, 0, true)
        view.setBigUint64(8, BigInt(Math.floor((this.edge * 16) / 1000)), true)
      },
      pin_read: () => {
        this.now += CALL
        this.observe()
        return this.chip.intLevel
      },
      pin_write: (pin: number, level: number) => {
        this.now += CALL
        if (pin === 0) this.chip.setReset(this.now, level)
      },
      spi_read: (header: number, headerLength: number, data: number, length: number) =>
        this.spi(header, headerLength, data, length, false),
      spi_write: (header: number, headerLength: number, data: number, length: number) =>
        this.spi(header, headerLength, data, length, true),
    }
  }

  private spi(header: number, headerLength: number, data: number, length: number, write: boolean): void {
    if (headerLength !== 3) throw new Error(`header of ${headerLength} bytes`)
    this.frames++
    this.log?.push(`${write ? 'W' : 'R'} ${header.toString(16).padStart(6, '0')} ${length}`)
    this.now += SPI_SETUP
    const memory = new Uint8Array(this.entry.memory.buffer)
    this.now = Math.max(
      this.now + (3 + length) * SPI_BYTE,
      this.chip.burst(this.now, header, memory, data, length, write),
    )
    this.observe()
  }
}

export interface BenchOptions {
  flavour?: Flavour
  prepare?: (chip: W5500) => void
}

/** The bench with a chip on `lan`. */
export async function makeBench<L extends Lan>(lan: L, options: BenchOptions = {}): Promise<Bench> {
  const chip = new W5500(lan)
  chip.spiByteNanos = SPI_BYTE
  chip.commandNanos = 800
  options.prepare?.(chip)
  if (lan instanceof MemoryLan) lan.attach(chip)
  // The module wants its imports before the bench can have its memory.
  const calls = ['ticks', 'capture', 'pin_read', 'pin_write', 'spi_read', 'spi_write']
  let imports: WebAssembly.ModuleImports = {}
  const abi = Object.fromEntries(
    calls.map((name) => [name, (...args: number[]) => (imports[name] as (...a: number[]) => number)(...args)]),
  )
  const entry = await loadEntry(new URL('./w5500.entry.ts', import.meta.url), options.flavour ?? 'checked', { abi })
  const bench = new Bench(entry, chip)
  imports = bench.imports()
  return bench
}

/** The bench up and running, with the NTP port on sockets 0 and 1 echoing. */
export async function makeEcho(lan: MemoryLan, options: BenchOptions = {}): Promise<Bench> {
  const bench = await makeBench(lan, options)
  bench.start()
  bench.exports['udpOpen'](0, 1, NTP)
  bench.onTurn = () => bench.exports['echo'](0, bench.ticks, 8)
  bench.runUntil(20 * MS)
  return bench
}

/** Sum of all faults that the chip has counted. */
export function faultsOf(chip: W5500): number {
  let sum = 0
  for (let i = 0; i < FAULTS; i++) sum += chip.faults[i]!
  return sum
}
