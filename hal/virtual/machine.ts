// The virtual machine: runs build/noonmark.wasm over models of the parts, in a simulated world.
//
//   in    the module's bytes, a world, a clock (real or virtual), board settings, what flash and RTC held before
//   out   a running board: its console, its counters, its flash and RTC, and the truth for tests
//
// The loop is event-driven. poll() runs when its due tick is reached, when an edge was captured, when the receiver's bytes
// have come to rest or fill the FIFO, and when the console has input. With a VirtualClock the loop jumps from event to
// event and each HAL call takes the time that it would take on an ESP32-C3; with a RealClock time is the host's, and the
// loop sleeps in Node's timers. A timer that fires late does no harm to edges: their true time is known from the models.
//
// A trap in the module is recorded; the machine restarts with what its flash and its RTC hold, after `RESTART_NANOS`.
// So does `reset()`, and so does the watchdog when nobody has fed it for `WATCHDOG_NANOS`.

import { randomFillSync } from 'node:crypto'
import type { Ds3231 } from '../../sim/chips/ds3231'
import { NorFlash, NorFlashHost } from '../../sim/chips/nor_flash'
import { RealClock, type SimClock, VirtualClock } from '../../sim/clock/clock'
import { Random } from '../../sim/world/random'
import type { Utc, World } from '../../sim/world/world'
import { type BoardSettings, boardImage, DEFAULT_BOARD } from './board'
import { Capture, type CaptureOptions, INTERRUPT } from './capture'
import { ConsolePort } from './console'
import type { EthernetDevice, EthernetWires, ReceiverDevice, ReceiverWires } from './devices'
import { type Hal, imports } from './imports'
import { makeRtc, type SavedRtc, saveRtc } from './rtc'
import { Uart } from './uart'

export interface MachineOptions {
  /** build/noonmark.wasm. */
  wasm: Uint8Array
  world: World
  clock: SimClock
  board?: Partial<BoardSettings>
  /** Contents of the flash; its length is the flash's size. Written through: the machine's flash lives in this array. */
  flash?: Uint8Array
  /** The trust anchors that a tool has put behind the flash's log; the firmware only reads them. */
  anchors?: Uint8Array
  /** Told when the flash has changed, so that a file can follow. */
  onFlash?: (offset: number, length: number) => void
  /** What `saveRtc()` returned when the world before this one ended. */
  rtc?: SavedRtc
  /** Frequency error of the DS3231, parts per million; drawn from the seed within +-2 when absent. */
  rtcPpm?: number
  /** What else its oscillator does (sim/chips/ds3231_oscillator.ts); 0: nothing; drawn from the seed when absent. */
  rtcSeed?: number
  /** The DS3231's SQW is wired to a capture channel. Default true. */
  sqwWired?: boolean
  /** 'host': node:crypto. 'seeded': from the world's seed, for tests that must repeat. */
  entropy?: 'host' | 'seeded'
  capture?: CaptureOptions
  /** Fits the receiver; without it the UART is silent. */
  receiver?: (wires: ReceiverWires, world: World) => ReceiverDevice
  /** Fits the W5500; without it the SPI bus reads 0xFF. */
  ethernet?: (wires: EthernetWires) => EthernetDevice
  /** Console output as it comes. */
  onConsole?: (text: string) => void
  onTrap?: (trap: Trap) => void
  onPin?: (pin: number, level: number, nanos: number) => void
  /** Times of HAL calls in virtual time, nanoseconds. */
  costs?: Partial<Costs>
}

export interface Costs {
  /** From an event to the first instruction of poll(). */
  wake: number
  /** Reading the tick counter. */
  ticks: number
  /** Any other call. */
  call: number
  /** Chip select and setup of one SPI transfer. */
  spiSetup: number
  /** One byte with its acknowledge on the I2C bus. */
  i2cByte: number
}

/** An ESP32-C3 at 160 MHz, I2C at 400 kHz. */
export const ESP32C3: Costs = { wake: 4000, ticks: 400, call: 500, spiSetup: 2500, i2cByte: 22_500 }

export type { SavedRtc } from './rtc'

export interface Trap {
  nanos: number
  message: string
  stack: string
}

export interface Counters {
  polls: number
  boots: number
  traps: number
  resets: number
  watchdogs: number
  pulses: number
  interrupts: number
}

export const RESTART_NANOS = 50e6
export const WATCHDOG_NANOS = 10e9

const enum Channel {
  Pps = 0,
  EthernetInt = 1,
  RtcSqw = 2,
}

const FEATURE_RTC_SQW = 2
const FLASH_SIZE = 16 * 4096

/** HalError.Range */
const RANGE = -3
const NACK = -1

/** Thrown through the module by reset() and by the watchdog; never leaves this folder. */
class Restart extends Error {
  constructor(
    readonly reason: number,
    readonly watchdog: boolean,
  ) {
    super(watchdog ? 'watchdog' : `reset ${reason}`)
  }
}

interface Firmware {
  boot(): void
  poll(): bigint
  memory: WebAssembly.Memory
}

export class VirtualMachine implements Hal {
  readonly world: World
  readonly clock: SimClock
  readonly rtc: Ds3231
  readonly flash: NorFlash
  readonly uart = new Uart()
  readonly console: ConsolePort
  readonly captures: Capture[]
  readonly receiver: ReceiverDevice | undefined
  readonly ethernet: EthernetDevice | undefined
  readonly counters: Counters = { polls: 0, boots: 0, traps: 0, resets: 0, watchdogs: 0, pulses: 0, interrupts: 0 }
  readonly traps: Trap[] = []
  readonly pins = [1, 0, 0]
  /** The wire of the DS3231's SQW has come off. */
  sqwSilent = false
  /** Reason of the last reset(); 0 after power-on. */
  resetReason = 0

  private readonly options: MachineOptions
  private readonly costs: Costs
  private readonly module: WebAssembly.Module
  private readonly image: Uint8Array
  private readonly seeded: Random
  private readonly virtual: VirtualClock | undefined
  private firmware: Firmware | undefined
  private powered = true
  /** When poll() wants to run, in nanos. */
  private due = 0
  /** An edge or console input has arrived since the last poll. */
  private woken = true
  private fedAt = 0
  private bootAt = 0
  private inPoll = false
  private sqwLevel = 1
  private timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  private timerIsImmediate = false
  private running = false
  private turnedAt = 0
  private recheckAt = 0
  private powerEvents = 0

  constructor(options: MachineOptions) {
    this.options = options
    this.world = options.world
    this.clock = options.clock
    this.virtual = options.clock instanceof VirtualClock ? options.clock : undefined
    this.costs = { ...ESP32C3, ...options.costs }
    this.module = new WebAssembly.Module(options.wasm as BufferSource)
    this.image = boardImage({ ...DEFAULT_BOARD, ...options.board })
    this.seeded = new Random(this.world.seed, 'entropy')
    this.console = new ConsolePort(options.onConsole)
    const capture = options.capture ?? INTERRUPT
    this.captures = ['pps', 'ethernet', 'sqw'].map(
      (name) => new Capture(this.world.crystal, this.world.seed, name, capture),
    )
    this.flash = this.makeFlash()
    this.rtc = this.makeRtc()
    this.receiver = options.receiver?.(this.receiverWires(), this.world)
    this.ethernet = options.ethernet?.({ interrupt: (nanos) => this.interrupt(nanos) })
    this.receiver?.powerOn(this.clock.now())
  }

  // ---- For tests: the truth.

  /** True UTC now. */
  utc(): Utc {
    return this.world.utc(this.clock.now())
  }

  /** The module's memory of the present boot. */
  get memory(): WebAssembly.Memory | undefined {
    return this.firmware?.memory
  }

  /** The module's exports of the present boot: boot, poll, memory, and whatever a test's entry adds. */
  get exports(): WebAssembly.Exports | undefined {
    return this.firmware as unknown as WebAssembly.Exports | undefined
  }

  // ---- Running.

  /** Virtual time: runs until the clock shows `nanos`. */
  runUntil(nanos: number): void {
    const clock = this.virtual
    if (clock === undefined) throw new Error('runUntil needs a VirtualClock; use start() with a RealClock')
    for (;;) {
      const next = this.nextEvent()
      if (next > nanos) break
      clock.advanceTo(next)
      this.turn()
    }
    clock.advanceTo(nanos)
    this.advance(nanos)
  }

  /** Real time: runs on Node's event loop until stop(). */
  start(): void {
    if (this.virtual !== undefined) throw new Error('start needs a RealClock; use runUntil with a VirtualClock')
    if (this.running) return
    this.running = true
    this.wake()
  }

  stop(): void {
    this.running = false
    this.clearTimer()
  }

  /** Something outside the machine's own schedule has happened: looks at once. */
  wake(): void {
    if (!this.running || this.inPoll) return
    this.clearTimer()
    this.timerIsImmediate = true
    this.timer = setImmediate(() => this.realTurn())
  }

  /** Types at the console. */
  type(text: string): void {
    this.console.type(text)
    this.woken = true
    this.wake()
  }

  /** Mains power fails now: the module, the receiver and the network are gone; flash and RTC stay. */
  powerOff(): void {
    const now = this.clock.now()
    this.advance(now)
    this.powered = false
    this.firmware = undefined
    this.uart.clear()
    this.rtc.powerOff(now)
    this.receiver?.powerOff(now)
    this.ethernet?.powerCycle(now)
  }

  powerOn(): void {
    const now = this.clock.now()
    this.flash.restorePower()
    this.rtc.powerOn(now)
    this.receiver?.powerOn(now)
    this.ethernet?.powerCycle(now)
    this.resetReason = 0
    this.powered = true
    this.bootAt = now
    this.wake()
  }

  /** The RTC as it is now, for a later world. */
  saveRtc(): SavedRtc {
    return saveRtc(this.rtc, this.world, this.clock.now())
  }

  /** The reset button: the module starts anew, all parts keep their state. */
  pressReset(): void {
    this.counters.resets++
    this.resetReason = 0
    this.restart(undefined)
  }

  // ---- The loop.

  /** The next instant at which anything happens. */
  nextEvent(): number {
    const power = this.nextPowerEvent()
    const parts = Math.min(this.nextChipEvent(), power)
    if (!this.powered) return parts
    if (this.firmware === undefined) return Math.min(parts, this.bootAt)
    if (this.woken) return Math.min(this.clock.now(), power)
    return Math.min(parts, this.uart.nextWake(), this.due, this.fedAt + WATCHDOG_NANOS)
  }

  /** One turn at the clock's present time: parts first, then the module if it has a reason to run. */
  private turn(): void {
    const now = this.clock.now()
    this.advance(now)
    if (now >= this.nextPowerEvent()) this.switchPower()
    if (!this.powered) return
    if (this.firmware === undefined) {
      if (now >= this.bootAt) this.boot()
    } else if (now >= this.fedAt + WATCHDOG_NANOS) {
      this.restart(new Restart(0, true))
    } else if (this.woken || now >= this.due || this.uart.nextWake() <= now) {
      this.runPoll()
    }
  }

  /** The next of the world's power events: mains going off or coming back. */
  private nextPowerEvent(): number {
    const event = this.world.power[this.powerEvents]
    if (event === undefined) return Number.POSITIVE_INFINITY
    return this.powered ? event.at : event.at + event.off
  }

  private switchPower(): void {
    if (this.powered) {
      this.powerOff()
    } else {
      this.powerEvents++
      this.powerOn()
    }
  }

  private realTurn(): void {
    this.timer = undefined
    if (!this.running) return
    this.followHost()
    this.turn()
    if (!this.running) return
    const wait = this.nextEvent() - this.clock.now()
    // Node's timers count whole milliseconds and fire up to one late: what is shorter is walked by setImmediate.
    this.timerIsImmediate = wait < 1e6
    this.timer = this.timerIsImmediate
      ? setImmediate(() => this.realTurn())
      : setTimeout(() => this.realTurn(), Math.min(Math.floor(wait / 1e6), 250))
  }

  /** Looks after a host that was suspended or whose clock was set: the board has not noticed, its watchdog neither. */
  private followHost(): void {
    const now = this.clock.now()
    if (now - this.turnedAt > 2e9) this.fedAt = now
    this.turnedAt = now
    if (this.clock instanceof RealClock && now > this.recheckAt) {
      this.clock.recheck()
      this.recheckAt = now + 1e9
    }
  }

  private clearTimer(): void {
    if (this.timerIsImmediate) clearImmediate(this.timer as NodeJS.Immediate | undefined)
    else clearTimeout(this.timer as NodeJS.Timeout | undefined)
    this.timer = undefined
  }

  private nextChipEvent(): number {
    const receiver = this.powered && this.receiver ? this.receiver.nextEvent() : Number.POSITIVE_INFINITY
    const ethernet = this.ethernet ? this.ethernet.nextEvent() : Number.POSITIVE_INFINITY
    return Math.min(this.rtc.nextEvent(), receiver, ethernet)
  }

  /** Lets every part act up to `now`, in the order of their events. */
  private advance(now: number): void {
    for (;;) {
      const next = this.nextChipEvent()
      if (next > now) break
      this.advanceParts(next)
    }
    this.advanceParts(now)
  }

  private advanceParts(now: number): void {
    this.rtc.advance(now)
    if (this.powered) this.receiver?.advance(now)
    this.ethernet?.advance(now)
  }

  private boot(): void {
    const now = this.clock.now()
    this.counters.boots++
    this.fedAt = now
    this.due = now
    this.woken = true
    const instance = new WebAssembly.Instance(this.module, { abi: imports(this) })
    this.firmware = instance.exports as unknown as Firmware
    this.guarded(() => this.firmware?.boot())
  }

  private runPoll(): void {
    this.woken = false
    this.uart.served()
    this.spend(this.costs.wake)
    for (const { capturedNanos } of this.captures) this.waitUntil(capturedNanos)
    this.counters.polls++
    this.guarded(() => {
      const due = this.firmware?.poll()
      if (due !== undefined) this.due = this.nanosOf(due)
    })
  }

  private nanosOf(due: bigint): number {
    const now = this.clock.now()
    const ticks = Number(due)
    const ahead = ticks - this.world.crystal.ticks(now)
    if (ahead <= 0) return now
    // Beyond a minute nobody needs to know exactly, and the crystal's future stays undrawn.
    return ahead > 60 * 16e6 ? now + 60e9 : this.world.crystal.nanosAt(ticks)
  }

  /** Runs a piece of the module; a trap or a reset ends the boot. */
  private guarded(run: () => void): void {
    this.inPoll = true
    try {
      run()
    } catch (error) {
      if (error instanceof Restart) this.restart(error)
      else if (error instanceof WebAssembly.RuntimeError) this.trapped(error)
      else throw error
    } finally {
      this.inPoll = false
    }
  }

  private trapped(error: WebAssembly.RuntimeError): void {
    const trap = { nanos: this.clock.now(), message: error.message, stack: error.stack ?? '' }
    this.counters.traps++
    if (this.traps.length < 100) this.traps.push(trap)
    this.options.onTrap?.(trap)
    this.restart(undefined)
  }

  private restart(cause: Restart | undefined): void {
    if (cause?.watchdog) this.counters.watchdogs++
    else if (cause !== undefined) this.counters.resets++
    this.resetReason = cause?.reason ?? 0
    this.firmware = undefined
    this.bootAt = this.clock.now() + RESTART_NANOS
  }

  // ---- Time inside the module.

  private spend(nanos: number): void {
    const clock = this.virtual
    if (clock === undefined) return
    clock.advanceTo(clock.now() + nanos)
    if (this.inPoll && clock.now() > this.fedAt + WATCHDOG_NANOS) throw new Restart(0, true)
  }

  private waitUntil(nanos: number): void {
    if (this.virtual !== undefined) this.virtual.advanceTo(nanos)
    else while (this.clock.now() < nanos);
  }

  // ---- The parts.

  private makeFlash(): NorFlash {
    const machine = this
    class Host extends NorFlashHost {
      changed(offset: number, length: number): void {
        machine.options.onFlash?.(offset, length)
      }
    }
    const { flash } = this.options
    const chip = new NorFlash(new Host(), flash?.length ?? FLASH_SIZE)
    if (flash) chip.bytes = flash
    return chip
  }

  private makeRtc(): Ds3231 {
    return makeRtc({
      world: this.world,
      now: this.clock.now(),
      saved: this.options.rtc,
      ppm: this.options.rtcPpm,
      seed: this.options.rtcSeed,
      sqw: (level, nanos) => this.sqw(level, nanos),
    })
  }

  private receiverWires(): ReceiverWires {
    return {
      pulse: (nanos) => {
        this.counters.pulses++
        this.captures[Channel.Pps]?.edge(nanos)
        this.woken = true
      },
      byte: (value, nanos) => this.uart.arrive(value, nanos),
    }
  }

  private sqw(level: number, nanos: number): void {
    this.sqwLevel = level
    if (level !== 0 || !this.sqwWired || this.sqwSilent || nanos < 0) return
    this.captures[Channel.RtcSqw]?.edge(nanos)
    this.woken = true
  }

  private get sqwWired(): boolean {
    return this.options.sqwWired ?? true
  }

  private interrupt(nanos: number): void {
    this.counters.interrupts++
    this.captures[Channel.EthernetInt]?.edge(nanos)
    this.woken = true
    this.wake()
  }

  // ---- hal/abi.ts. Addresses are checked by `bytes`: a range outside the memory is the module's bug and traps it.

  /** A view of the module's memory. */
  bytes(address: number, length: number): Uint8Array {
    const memory = this.firmware?.memory
    if (memory === undefined || (address >>> 0) + (length >>> 0) > memory.buffer.byteLength)
      throw new WebAssembly.RuntimeError(`HAL call with ${length >>> 0} bytes at ${address >>> 0}: outside the memory`)
    return new Uint8Array(memory.buffer, address >>> 0, length >>> 0)
  }

  ticks(): bigint {
    this.spend(this.costs.ticks)
    return BigInt(this.world.crystal.ticks(this.clock.now()))
  }

  capture(channel: number, out: number): void {
    this.spend(this.costs.call)
    this.advance(this.clock.now())
    const view = this.bytes(out, 16)
    const words = new DataView(view.buffer, view.byteOffset, 16)
    const capture = this.captures[channel >>> 0]
    // The handler runs before the code that asks for its result.
    if (capture) this.waitUntil(capture.capturedNanos)
    words.setUint32(0, capture?.count ?? 0, true)
    words.setUint32(4, 0, true)
    words.setBigUint64(8, BigInt(capture?.ticks ?? 0), true)
  }

  pinRead(channel: number): number {
    this.spend(this.costs.call)
    const now = this.clock.now()
    this.advance(now)
    if (channel === Channel.EthernetInt) return this.ethernet?.interruptLevel(now) ?? 1
    if (channel === Channel.RtcSqw) return this.sqwWired ? this.sqwLevel : 1
    return 0
  }

  pinWrite(pin: number, level: number): void {
    this.spend(this.costs.call)
    if (pin >= this.pins.length || this.pins[pin] === (level & 1)) return
    this.pins[pin] = level & 1
    const now = this.clock.now()
    if (pin === 0) this.ethernet?.reset(level & 1, now)
    this.options.onPin?.(pin, level & 1, now)
  }

  uartConfigure(baud: number): void {
    this.spend(this.costs.call)
    this.uart.baud = baud
    this.receiver?.setBaud(baud)
  }

  uartRead(out: number, capacity: number): number {
    this.spend(this.costs.call)
    this.advance(this.clock.now())
    return this.uart.waiting ? this.uart.take(this.bytes(out, capacity)) : 0
  }

  uartWrite(data: number, length: number): number {
    this.spend(this.costs.call)
    const now = this.clock.now()
    const taken = this.uart.room(length, now)
    for (const byte of this.bytes(data, taken)) this.receiver?.receive(byte, this.uart.sent(now))
    return taken
  }

  i2cTransfer(address: number, write: number, writeLength: number, read: number, readLength: number): number {
    const { rtc } = this
    const byte = (): number => {
      this.spend(this.costs.i2cByte)
      return this.clock.now()
    }
    this.spend(this.costs.call)
    rtc.start(this.clock.now())
    if (!rtc.address(address, 0, byte())) return NACK
    for (const value of this.bytes(write, writeLength)) if (!rtc.write(value, byte())) return NACK
    if (readLength > 0) {
      rtc.start(this.clock.now())
      if (!rtc.address(address, 1, byte())) return NACK
      const out = this.bytes(read, readLength)
      for (let i = 0; i < out.length; i++) out[i] = rtc.read(byte())
    }
    rtc.stop(this.clock.now())
    return 0
  }

  spiWrite(header: number, headerLength: number, data: number, length: number): void {
    this.spend(this.costs.spiSetup)
    const now = this.clock.now()
    this.advance(now)
    const end = this.ethernet?.write(header >>> 0, headerLength, this.bytes(data, length), now) ?? now
    this.spend(end - now)
  }

  spiRead(header: number, headerLength: number, data: number, length: number): void {
    this.spend(this.costs.spiSetup)
    const now = this.clock.now()
    this.advance(now)
    const out = this.bytes(data, length)
    if (this.ethernet) this.spend(this.ethernet.read(header >>> 0, headerLength, out, now) - now)
    else out.fill(0xff)
  }

  flashSize(): number {
    return this.flash.bytes.length
  }

  flashRead(offset: number, out: number, length: number): number {
    this.spend(this.costs.call)
    const behind = (offset >>> 0) - this.flash.bytes.length
    if (behind >= 0) return this.readAnchors(behind, this.bytes(out, length))
    return this.flash.read(offset >>> 0, this.bytes(out, length), length)
  }

  private readAnchors(offset: number, out: Uint8Array): number {
    const { anchors } = this.options
    if (anchors === undefined || offset + out.length > anchors.length) return RANGE
    out.set(anchors.subarray(offset, offset + out.length))
    return 0
  }

  flashWrite(offset: number, data: number, length: number): number {
    this.spend(this.flash.programTime(length))
    return this.flash.program(offset >>> 0, this.bytes(data, length), length)
  }

  flashErase(offset: number): number {
    this.spend(this.flash.eraseTime())
    return this.flash.erase(offset >>> 0)
  }

  entropy(out: number, length: number): number {
    this.spend(this.costs.call)
    const bytes = this.bytes(out, length)
    if (this.options.entropy === 'seeded') this.seeded.fill(bytes)
    else randomFillSync(bytes)
    return 0
  }

  consoleRead(out: number, capacity: number): number {
    this.spend(this.costs.call)
    return this.console.waiting ? this.console.take(this.bytes(out, capacity)) : 0
  }

  consoleWrite(data: number, length: number): number {
    this.spend(this.costs.call)
    this.console.print(this.bytes(data, length))
    return length
  }

  boardConfig(out: number, capacity: number): number {
    this.bytes(out, capacity).set(this.image.subarray(0, capacity))
    return Math.min(capacity, this.image.length)
  }

  features(): number {
    return this.sqwWired ? FEATURE_RTC_SQW : 0
  }

  watchdog(): void {
    this.fedAt = this.clock.now()
  }

  reset(reason: number): void {
    throw new Restart(reason, false)
  }
}
