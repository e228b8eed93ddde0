// The simulated ESP32-C3 board: runs the flash image over the same parts and the same world as the virtual board, with the
// same outside (sim/machine.ts).
//
//   in    build/esp32c3/noonmark.bin as it would be flashed, build/rv32.wasm, the board's file, a world, a clock
//   out   a running board: console, counters, flash, RTC, and the truth for tests
//
// With a VirtualClock the machine runs as fast as it can and moves the clock. With a RealClock it follows the host: each turn
// brings the chip up to the host's present time; while the processor is busy the turns follow each other, while it
// sleeps the machine sleeps in Node's timers. The chip's own time never runs ahead of the host's by more than a poll().

import { randomFillSync } from 'node:crypto'
import type { BoardSettings } from '../../hal/virtual/board'
import { boardImage, DEFAULT_BOARD } from '../../hal/virtual/board'
import { ConsolePort } from '../../hal/virtual/console'
import type { EthernetWires, ReceiverWires } from '../../hal/virtual/devices'
import type { W5500Device } from '../../hal/virtual/ethernet'
import type { UbloxDevice } from '../../hal/virtual/receiver'
import { makeRtc, type SavedRtc, saveRtc } from '../../hal/virtual/rtc'
import type { Ds3231 } from '../chips/ds3231'
import { type NorFlash, NorFlashHost } from '../chips/nor_flash'
import { Counter } from '../chips/w5500'
import { RealClock, type SimClock, VirtualClock } from '../clock/clock'
import type { Counters, Machine, Trap } from '../machine'
import { Random } from '../world/random'
import type { Utc, World } from '../world/world'
import { Board, type BoardFile } from './board'
import { crashOf } from './crash'
import { ResetCause } from './rtc_cntl'
import { settingsSector } from './settings'
import { Soc } from './soc'

export interface Esp32c3Options {
  /** build/esp32c3/noonmark.bin. */
  image: Uint8Array
  /** build/rv32.wasm. */
  core: Uint8Array
  /** boards/*.json. */
  board: BoardFile
  world: World
  clock: SimClock
  /** Settings that are flashed beside the image; without them those of the board's file hold. */
  settings?: Partial<BoardSettings> | undefined
  /** Trust anchors that are flashed beside the image; without them the area keeps what it held. */
  anchors?: Uint8Array
  /** What the flash held before; its image and settings areas are written anew. Changes are written through. */
  flash?: Uint8Array
  onFlash?: (offset: number, length: number) => void
  rtc?: SavedRtc
  rtcPpm?: number
  rtcSeed?: number
  /** 'host': node:crypto. 'seeded': from the world's seed, for tests that must repeat. */
  entropy?: 'host' | 'seeded'
  receiver?: (wires: ReceiverWires, world: World) => UbloxDevice
  ethernet?: (wires: EthernetWires) => W5500Device
  onConsole?: (text: string) => void
  onTrap?: (trap: Trap) => void
  onPin?: (pad: number, level: number, nanos: number) => void
  /** Told once each: registers that are not modelled, misuse of the chip. */
  onReport?: (sentence: string) => void
  strictCache?: boolean
  accessCycles?: number
}

/** Real time: the event loop gets its turn after this much of the host's time, milliseconds. */
const TURN_MILLIS = 5
/** How far the chip is let run between two looks at the host's clock, nanoseconds. */
const STRIDE = 2e6
/** The image adds this to the last byte of the eFuses' MAC for Ethernet. */
const ETHERNET_MAC = 3

export class Esp32c3Machine implements Machine {
  readonly world: World
  readonly clock: SimClock
  readonly soc: Soc
  readonly board: Board
  readonly rtc: Ds3231
  readonly console: ConsolePort
  readonly receiver: UbloxDevice | undefined
  readonly ethernet: W5500Device | undefined
  readonly counters: Counters = { polls: 0, boots: 0, traps: 0, resets: 0, watchdogs: 0, pulses: 0, interrupts: 0 }
  readonly traps: Trap[] = []
  /** Causes of the resets since the machine was made, in order. */
  readonly resetCauses: ResetCause[] = []
  /** What was complained about, once each. */
  readonly reports: string[] = []
  /** True time of the receiver's latest pulse. */
  pulseNanos = Number.NEGATIVE_INFINITY

  private readonly options: Esp32c3Options
  private readonly virtual: VirtualClock | undefined
  private readonly noise: () => number
  private powered = true
  private powerEvents = 0
  private running = false
  private turning = false
  private turnedAt = 0
  private recheckAt = 0
  private timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  private timerIsImmediate = false

  constructor(options: Esp32c3Options) {
    this.options = options
    this.world = options.world
    this.clock = options.clock
    this.virtual = options.clock instanceof VirtualClock ? options.clock : undefined
    this.noise = noise(options)
    this.console = new ConsolePort(options.onConsole)
    this.rtc = makeRtc({
      world: this.world,
      now: this.clock.now(),
      saved: options.rtc,
      ppm: options.rtcPpm,
      seed: options.rtcSeed,
      sqw: (level) => this.sqw(level),
    })
    this.soc = this.makeSoc()
    this.board = new Board(this.soc, options.board, this.rtc)
    this.soc.parts = this.board
    this.soc.peripherals.usb.printed = (bytes) => this.console.print(bytes)
    this.board.onPin = (pad, level, nanos) => options.onPin?.(pad, level, nanos)
    this.ethernet = options.ethernet?.({
      interrupt: () => {
        this.counters.interrupts++
        this.wake()
      },
    })
    this.receiver = options.receiver?.(this.receiverWires(), this.world)
    this.board.ethernet = this.ethernet
    this.board.receiver = this.receiver && boardReceiver(this.receiver)
    this.flashImage()
    this.switchOn()
  }

  get flash(): NorFlash {
    return this.soc.nor
  }

  /** The chip's own present, nanoseconds of true time. In real time it may lag behind the clock. */
  get now(): number {
    return this.soc.timeBase.nanos(this.soc.now())
  }

  utc(): Utc {
    return this.world.utc(this.clock.now())
  }

  // ---- Running.

  runUntil(nanos: number): void {
    if (this.virtual === undefined) throw new Error('runUntil needs a VirtualClock; use start() with a RealClock')
    this.virtual.advanceTo(this.advance(nanos) ? nanos : this.now)
  }

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

  wake(): void {
    if (!this.running || this.turning) return
    this.clearTimer()
    this.timerIsImmediate = true
    this.timer = setImmediate(() => this.turn())
  }

  type(text: string): void {
    this.soc.peripherals.usb.type(new TextEncoder().encode(text))
    this.wake()
  }

  powerOff(): void {
    const { now } = this
    this.powered = false
    this.soc.powerOff()
    this.board.power(false)
    this.rtc.powerOff(now)
    this.receiver?.powerOff(now)
    this.ethernet?.powerCycle(now)
  }

  powerOn(): void {
    const now = this.virtual ? this.now : Math.max(this.now, this.clock.now())
    this.flash.restorePower()
    this.rtc.powerOn(now)
    this.ethernet?.powerCycle(now)
    this.powered = true
    this.switchOn(now)
    this.wake()
  }

  pressReset(): void {
    this.counters.resets++
    this.soc.pressReset()
    this.wake()
  }

  saveRtc(): SavedRtc {
    return saveRtc(this.rtc, this.world, this.now)
  }

  // ---- Virtual time.

  /** Runs to `nanos`, with the world's power events on the way; false when a hook stopped it before. */
  private advance(nanos: number): boolean {
    for (;;) {
      const event = this.nextPowerEvent()
      if (!this.soc.runUntil(this.soc.timeBase.cycles(Math.min(event, nanos)))) return false
      if (event > nanos) return true
      if (this.powered) {
        this.powerOff()
      } else {
        this.powerEvents++
        this.powerOn()
      }
    }
  }

  private nextPowerEvent(): number {
    const event = this.world.power[this.powerEvents]
    if (event === undefined) return Number.POSITIVE_INFINITY
    return this.powered ? event.at : event.at + event.off
  }

  // ---- Real time.

  private turn(): void {
    this.timer = undefined
    if (!this.running) return
    this.turning = true
    this.recheckClock()
    this.catchUp()
    this.turning = false
    if (this.running) this.rest()
  }

  /**
   * Brings the chip to the host's present, in strides, and stays with it while the processor works. Ends when a datagram
   * has left: Node sends it only when this turn is over, and its timestamp says that it is on the wire.
   */
  private catchUp(): void {
    const begun = performance.now()
    const sent = this.datagramsSent()
    let goOn = true
    while (goOn) {
      const target = this.clock.now()
      while (goOn && this.now < target) {
        this.advance(Math.min(target, this.now + STRIDE))
        goOn = performance.now() - begun < TURN_MILLIS && this.datagramsSent() === sent
      }
      goOn &&= this.running && !this.soc.asleep
    }
  }

  private datagramsSent(): number {
    return this.ethernet?.chip.counters[Counter.UdpSent] ?? 0
  }

  private rest(): void {
    const next = this.soc.timeBase.nanos(this.soc.nextEvent())
    const behind = this.now < this.turnedAt || !this.soc.asleep
    const wait = behind ? 0 : next - this.clock.now()
    // Node's timers count whole milliseconds and fire up to one late: what is shorter is walked by setImmediate.
    this.timerIsImmediate = wait < 1e6
    this.timer = this.timerIsImmediate
      ? setImmediate(() => this.turn())
      : setTimeout(() => this.turn(), Math.min(Math.floor(wait / 1e6), 250))
  }

  private recheckClock(): void {
    this.turnedAt = this.clock.now()
    if (this.clock instanceof RealClock && this.turnedAt > this.recheckAt) {
      this.clock.recheck()
      this.recheckAt = this.turnedAt + 1e9
    }
  }

  private clearTimer(): void {
    if (this.timerIsImmediate) clearImmediate(this.timer as NodeJS.Immediate | undefined)
    else clearTimeout(this.timer as NodeJS.Timeout | undefined)
    this.timer = undefined
  }

  // ---- The parts.

  private makeSoc(): Soc {
    const machine = this
    class FlashHost extends NorFlashHost {
      changed(offset: number, length: number): void {
        machine.flashChanged(offset, length)
      }
    }
    const { options } = this
    const { mac } = { ...DEFAULT_BOARD, ...options.settings }
    const base = Uint8Array.from(mac)
    base[5] = (base[5]! - ETHERNET_MAC) & 0xff
    return new Soc({
      core: options.core,
      crystal: this.world.crystal,
      flashSize: options.board.flash.size,
      flashHost: new FlashHost(),
      mac: base,
      random: this.noise,
      report: (sentence) => this.report(sentence),
      onReset: (cause) => this.wasReset(cause),
      onBoot: () => this.booted(),
      ...(options.accessCycles === undefined ? {} : { accessCycles: options.accessCycles }),
      ...(options.strictCache === undefined ? {} : { strictCache: options.strictCache }),
    })
  }

  /** What `noonmark flash` does: image, settings and anchors; the log area stays. */
  private flashImage(): void {
    const { image, flash, settings, anchors, board } = this.options
    const { bytes } = this.flash
    if (flash) bytes.set(flash.subarray(0, bytes.length))
    const area = board.flash.image
    bytes.fill(0xff, area.offset, area.offset + area.size)
    bytes.set(image, area.offset)
    if (settings) {
      const { offset, size } = board.flash.settings
      bytes.set(
        settingsSector(boardImage({ ...DEFAULT_BOARD, calibration: board.calibration, ...settings }), size),
        offset,
      )
    }
    const written = [area, board.flash.settings]
    if (anchors) {
      const { offset, size } = board.flash.anchors
      bytes.fill(0xff, offset, offset + size)
      bytes.set(anchors.subarray(0, size), offset)
      written.push(board.flash.anchors)
    }
    flash?.set(bytes.subarray(0, flash.length))
    for (const { offset, size } of written) if (size > 0) this.options.onFlash?.(offset, size)
    this.soc.cpu.flush()
  }

  private flashChanged(offset: number, length: number): void {
    const { flash, onFlash, board } = this.options
    if (offset < board.flash.image.offset + board.flash.image.size) this.soc.cpu.flush()
    flash?.set(this.flash.bytes.subarray(offset, offset + length), offset)
    onFlash?.(offset, length)
  }

  private receiverWires(): ReceiverWires {
    return {
      pulse: (nanos) => {
        this.counters.pulses++
        this.pulseNanos = nanos
        this.board.pulse()
      },
      byte: (value) => this.board.byte(value),
    }
  }

  private sqw(level: number): void {
    const pad = this.options.board.rtc.pins.sqw
    if (pad !== null) this.soc?.peripherals.gpio.drive(pad, level)
  }

  private switchOn(now = this.clock.now()): void {
    this.receiver?.powerOn(now)
    this.board.power(true)
    this.soc.powerOn(now)
  }

  private booted(): void {
    this.counters.boots++
    const crash = crashOf(this.soc.memory.rtc)
    if (crash === undefined || crash.kind === 'reset') return
    this.counters.traps++
    const trap = { nanos: this.now, message: crash.message, stack: '' }
    if (this.traps.length < 100) this.traps.push(trap)
    this.options.onTrap?.(trap)
  }

  private wasReset(cause: ResetCause): void {
    this.resetCauses.push(cause)
    if (cause === ResetCause.SoftwareSystem || cause === ResetCause.SoftwareCpu) this.counters.resets++
    else if (cause !== ResetCause.PowerOn) this.counters.watchdogs++
  }

  private report(sentence: string): void {
    this.reports.push(sentence)
    this.options.onReport?.(sentence)
  }
}

function boardReceiver(device: UbloxDevice): Board['receiver'] {
  return {
    nextEvent: () => device.nextEvent(),
    advance: (nanos) => device.advance(nanos),
    setBaud: (baud) => device.setBaud(baud),
    receive: (byte, nanos) => device.receive(byte, nanos),
    pulseEnds: () => device.chip.pulseEnds(),
  }
}

function noise(options: Esp32c3Options): () => number {
  if (options.entropy === 'seeded') {
    const random = new Random(options.world.seed, 'entropy')
    return () => random.u32()
  }
  const words = new Uint32Array(256)
  let left = 0
  return () => {
    if (left === 0) {
      randomFillSync(words)
      left = words.length
    }
    return words[--left]!
  }
}
