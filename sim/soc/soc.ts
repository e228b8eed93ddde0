// The ESP32-C3: core, memories and peripherals in one time.
//
// Time passes by instructions, one cycle each, and by device accesses (`accessCycles`, 0 unless asked for); a WFI skips to
// the next event. The core runs in slices that end at the next event of a peripheral or of a part on the board, so an edge
// is seen by the first instruction after it. A poll of a transfer that is under way takes the time until its end, or until the
// next event, at once: the rounds of a polling loop are not counted as instructions. Not modelled: pipeline stalls, cache misses, the bus's waits. Times of code are
// therefore those of its instruction count at one instruction a cycle.
//
// The mask ROM is not executed: `ROM_BOOT_NANOS` after a reset the processor enters the image at flash offset 8, as the
// ROM's direct boot does, and the ROM functions that the image calls are answered here.

import { NorFlash, type NorFlashHost } from '../chips/nor_flash'
import { Cpu, type CpuHost } from '../cpu/core'
import { Esp32c3Memory, ROM } from '../cpu/esp32c3_memory'
import type { Crystal } from '../world/crystal'
import { PERIPHERALS_FROM, PERIPHERALS_TO } from './bus'
import { FlashChip } from './flash_chip'
import { type Host, Peripherals } from './peripherals'
import { ResetCause } from './rtc_cntl'
import { TimeBase } from './time_base'

/** From a reset to the image's first instruction: the ROM's own start, taken for this long. */
export const ROM_BOOT_NANOS = 30e6

const ENTRY = 0x4200_0008
const ROM_STACK = 0x3fcd_e700
const FLASH_WINDOW = 0x4200_0000
const FLASH_WINDOW_END = 0x4280_0000
const ROM_I2C_WRITE_REG_MASK = 0x4000_1960
/** Two words at the beginning of an image for direct boot. */
const MAGIC = 0xaedb_041d

const CSR_GPIO_INPUT = 0x804
const CSR_GPIO_OUTPUT = 0x805
const RA = 1
/** The future is looked at this far ahead: the crystal's is drawn only as it comes. */
const HORIZON_NANOS = 1e9

/** The parts around the chip. Times are nanoseconds of true time. */
export interface Parts {
  nextEvent(): number
  advance(nanos: number): void
}

export interface SocOptions {
  /** build/rv32.wasm. */
  core: Uint8Array
  crystal: Crystal
  flashSize: number
  flashHost: NorFlashHost
  mac: Uint8Array
  /** 32 bits of noise. */
  random: () => number
  report: (sentence: string) => void
  /** The chip was reset, for this cause. */
  onReset?: (cause: ResetCause) => void
  onBoot?: () => void
  /** Extra cycles of each load or store to a peripheral. */
  accessCycles?: number
  /** Unmap the flash while its cache is off: a stray fetch faults as on the chip. Slow: decoded code is thrown away. */
  strictCache?: boolean
}

export class Soc implements Host, CpuHost {
  readonly cpu: Cpu
  readonly memory: Esp32c3Memory
  readonly peripherals: Peripherals
  readonly timeBase: TimeBase
  /** The flash chip's array and its commands. */
  readonly nor: NorFlash
  readonly flash: FlashChip
  parts: Parts = { nextEvent: () => Number.POSITIVE_INFINITY, advance: () => {} }
  /** Called at hooked addresses (`cpu.setHooks`); true stops `runUntil`. */
  onHook: (pc: number) => boolean = () => false
  /** Writes over the internal analog bus, by the ROM's function: block, register, high bit, low bit, value. */
  readonly analogWrites: number[][] = []
  /** Processor cycles that passed in polling loops, beside the instructions. */
  polledCycles = 0
  /** The program cannot go on: an exception without a handler. Only a watchdog helps. */
  halted = false

  private readonly options: SocOptions
  private powered = false
  private running = false
  private sleeping = false
  private stopped = false
  private bootAt = Number.POSITIVE_INFINITY
  private pendingReset: ResetCause | undefined
  private cacheOn = true

  /** now() = from + (cpu.cycles - fromCpu) * perClock. */
  private from = 0
  private fromCpu = 0
  private perClock = 1

  private eventNanos = Number.NaN
  private eventCycles = 0

  constructor(options: SocOptions) {
    this.options = options
    this.timeBase = new TimeBase(options.crystal)
    this.cpu = new Cpu(options.core, this, { rom: ROM })
    this.memory = new Esp32c3Memory(this.cpu, options.flashSize)
    this.memory.mapFlashForDirectBoot()
    this.nor = new NorFlash(options.flashHost, options.flashSize)
    this.nor.bytes = this.memory.flash
    this.flash = new FlashChip(this.nor)
    this.peripherals = new Peripherals(this, { timeBase: this.timeBase, flash: this.flash, mac: options.mac })
  }

  // ---- Power and reset.

  /** Power comes at true time `nanos`. */
  powerOn(nanos: number): void {
    this.rebase(this.timeBase.cycles(nanos))
    this.powered = true
    this.scramble(this.memory.sram)
    this.scramble(this.memory.rtc)
    this.reset(ResetCause.PowerOn)
  }

  powerOff(): void {
    this.powered = false
    this.running = false
    this.bootAt = Number.POSITIVE_INFINITY
  }

  /** EN is pulled low and let go: like power-on, but the memories keep what they held. */
  pressReset(): void {
    if (this.powered) this.reset(ResetCause.PowerOn)
  }

  /** WFI holds the processor, or it does not run at all. */
  get asleep(): boolean {
    return !this.running || this.halted || (this.sleeping && this.cpu.pendingInterrupt === 0)
  }

  // ---- Running.

  /** The next event of anything, in cycles. */
  nextEvent(): number {
    const next = Math.min(this.partsEvent(), this.bootAt)
    return this.powered ? Math.min(next, this.peripherals.nextEvent()) : next
  }

  /** Runs until the chip's time is `limit` cycles. Returns early, with false, when a hook or `stop` asked for it. */
  runUntil(limit: number): boolean {
    this.stopped = false
    for (;;) {
      const now = this.now()
      if (now >= limit) return true
      const event = this.nextEvent()
      if (event <= now) this.advance(now)
      else if (this.asleep) this.skipTo(Math.min(event, limit))
      else this.slice(Math.min(event, limit) - now)
      if (this.stopped) return false
    }
  }

  /** Ends `runUntil` after the instruction in progress. */
  stop(): void {
    this.stopped = true
    this.cpu.stop()
  }

  // ---- Host of the peripherals.

  now(): number {
    return this.from + (this.cpu.cycles - this.fromCpu) * this.perClock
  }

  interrupt(cpuInterrupt: number): void {
    this.cpu.setInterrupt(cpuInterrupt)
  }

  rescheduled(): void {
    this.cpu.stop()
  }

  /** A program that polls would go round and round until then: it is spared the rounds, not the time. */
  polled(cycles: number): void {
    const until = Math.min(cycles, this.nextEvent())
    const missing = Math.ceil((until - this.now()) / this.perClock)
    if (missing <= 0) return
    this.polledCycles += missing
    this.cpu.addCycles(missing)
    this.cpu.stop()
  }

  resetChip(cause: ResetCause): void {
    this.pendingReset = cause
    this.cpu.stop()
  }

  clockChanged(cyclesPerClock: number): void {
    if (cyclesPerClock === this.perClock) return
    this.rebase(this.now())
    this.perClock = cyclesPerClock
    this.cpu.stop()
  }

  cacheChanged(enabled: boolean): void {
    if (enabled === this.cacheOn) return
    this.cacheOn = enabled
    if (!this.options.strictCache) return
    if (enabled) this.memory.mapFlashForDirectBoot()
    else for (let entry = 0; entry < 128; entry++) this.memory.mapFlash(entry, undefined)
  }

  random(): number {
    return this.options.random()
  }

  report(sentence: string): void {
    this.options.report(sentence)
  }

  // ---- Host of the core.

  mmioRead(address: number, size: number): number {
    if (!isDevice(address)) return this.nothingThere()
    this.accessed(address)
    return this.peripherals.bus.read(address, size)
  }

  mmioWrite(address: number, value: number, size: number): void {
    if (!isDevice(address)) return void this.nothingThere()
    this.accessed(address)
    this.peripherals.bus.write(address, value, size)
  }

  csrRead(csr: number): number {
    if (csr === CSR_GPIO_INPUT && this.peripherals.system.dedicatedGpio) return this.peripherals.gpio.dedicatedInputs()
    this.peripherals.complain(`CSR 0x${csr.toString(16)} read: not modelled, or the dedicated GPIO has no clock`)
    return 0
  }

  csrWrite(csr: number): void {
    const what = csr === CSR_GPIO_OUTPUT ? 'dedicated GPIO output' : `CSR 0x${csr.toString(16)}`
    this.peripherals.complain(`${what} written: not modelled`)
  }

  hook(pc: number): boolean {
    return this.onHook(pc)
  }

  // ---- Within.

  private slice(cycles: number): void {
    this.sleeping = false
    const reason = this.cpu.run(Math.max(1, Math.ceil(cycles / this.perClock)))
    if (reason === 'wfi') this.sleeping = true
    else if (reason === 'rom') this.romFunction(this.cpu.pc)
    else if (reason === 'breakpoint') this.stopped = true
    else if (reason === 'halted') this.halt()
    if (this.pendingReset !== undefined) this.reset(this.pendingReset)
  }

  private advance(now: number): void {
    this.advanceParts(now)
    if (now >= this.bootAt) this.boot()
    if (this.powered) this.peripherals.advance(now)
    if (this.pendingReset !== undefined) this.reset(this.pendingReset)
  }

  /** Parts act in the order of their events, each at its own time. A picosecond is for rounding. */
  private advanceParts(now: number): void {
    const nanos = this.timeBase.nanos(now) + 1e-3
    for (let next = this.parts.nextEvent(); next <= nanos; next = this.parts.nextEvent()) this.parts.advance(next)
  }

  private partsEvent(): number {
    const nanos = this.parts.nextEvent()
    if (nanos === this.eventNanos) return this.eventCycles
    const ahead = this.timeBase.nanos(this.now()) + HORIZON_NANOS
    if (nanos > ahead) return this.timeBase.cycles(ahead)
    this.eventNanos = nanos
    // A clock that was saved in an earlier world may have an edge from before this one began.
    this.eventCycles = this.timeBase.cycles(Math.max(0, nanos))
    return this.eventCycles
  }

  private skipTo(cycles: number): void {
    this.cpu.addCycles(Math.max(1, Math.ceil((cycles - this.now()) / this.perClock)))
  }

  private rebase(now: number): void {
    this.from = now
    this.fromCpu = this.cpu.cycles
  }

  private reset(cause: ResetCause): void {
    this.pendingReset = undefined
    this.running = false
    this.sleeping = false
    this.halted = false
    this.peripherals.reset(cause)
    this.bootAt = this.timeBase.cycles(this.timeBase.nanos(this.now()) + ROM_BOOT_NANOS)
    this.options.onReset?.(cause)
  }

  /** What the ROM does: looks for the header, enters the image. */
  private boot(): void {
    if (this.flash.busy(this.timeBase.nanos(this.now()))) {
      // A reset does not end an erase: the ROM reads 0xFFFFFFFF, finds no header and tries again.
      this.bootAt = this.timeBase.cycles(this.timeBase.nanos(this.now()) + ROM_BOOT_NANOS)
      return
    }
    this.bootAt = Number.POSITIVE_INFINITY
    const words = new DataView(this.nor.bytes.buffer, this.nor.bytes.byteOffset, 8)
    if (words.getUint32(0, true) !== MAGIC || words.getUint32(4, true) !== MAGIC) {
      this.report(`ROM: invalid header: 0x${words.getUint32(0, true).toString(16)}`)
      this.halt()
      return
    }
    this.running = true
    this.cpu.reset(ENTRY, ROM_STACK)
    this.cpu.flush()
    this.options.onBoot?.()
  }

  private halt(): void {
    this.halted = true
    const [pc, cause, value] = [this.cpu.pc, this.cpu.readCsr(0x342), this.cpu.readCsr(0x343)]
    this.report(`the processor has halted: pc 0x${pc.toString(16)}, mcause ${cause}, mtval 0x${value.toString(16)}`)
  }

  private romFunction(address: number): void {
    const argument = (n: number): number => this.cpu.register(10 + n)
    if (address === ROM_I2C_WRITE_REG_MASK)
      this.analogWrites.push([argument(0), argument(2), argument(3), argument(4), argument(5)])
    else this.peripherals.complain(`ROM function 0x${address.toString(16)} called: not modelled`)
    this.cpu.pc = this.cpu.register(RA)
  }

  private accessed(address: number): void {
    const { accessCycles } = this.options
    if (accessCycles) this.cpu.addCycles(accessCycles)
    if (this.cacheOn) return
    const { pc } = this.cpu
    if (pc >= FLASH_WINDOW && pc < FLASH_WINDOW_END)
      this.peripherals.complain(
        `code in flash ran while the cache was off: pc 0x${pc.toString(16)}, at 0x${address.toString(16)}`,
      )
  }

  /** Neither memory nor a peripheral: an access fault. */
  private nothingThere(): number {
    this.cpu.fault()
    return 0
  }

  /** Memory without power holds anything. */
  private scramble(bytes: Uint8Array): void {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    let x = 0x2545_f491
    for (let i = 0; i < words.length; i++) {
      x ^= x << 13
      x ^= x >>> 17
      x ^= x << 5
      words[i] = x
    }
  }
}

function isDevice(address: number): boolean {
  return address >= PERIPHERALS_FROM && address < PERIPHERALS_TO
}
