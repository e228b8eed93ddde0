// All peripherals of the ESP32-C3 that are modelled, at their base addresses.
//
//   in    loads and stores (`bus`), the time, parts on the board (gpio.drive, uart1.arrive, the devices on I2C and SPI)
//   out   `Host`: the interrupt to present, resets, clock changes, complaints
//
// Time is pulled: whoever drives this calls `advance` when `nextEvent` has come. It needs no processor, so tests drive it
// as a driver would.

import { Aes } from './aes'
import { Bus } from './bus'
import { Efuse } from './efuse'
import { Extmem, MmuTable } from './extmem'
import type { FlashChip } from './flash_chip'
import { Gpio } from './gpio'
import { I2c } from './i2c'
import { InterruptMatrix } from './interrupt_matrix'
import { IoMux } from './io_mux'
import { type Chip, type Peripheral, PlainRegisters } from './peripheral'
import { ApbCtrl, SarAdc } from './rng'
import { type ResetCause, RtcCntl } from './rtc_cntl'
import { SpiCache, SpiFlash } from './spi_mem'
import { Spi2 } from './spi2'
import { System } from './system'
import { Systimer } from './systimer'
import type { TimeBase } from './time_base'
import { Timg } from './timg'
import { Uart } from './uart'
import { UsbDevice } from './usb_device'

/** What the peripherals ask of the processor and of the world. */
export interface Host {
  /** Now, in cycles of 160 MHz. */
  now(): number
  /** The CPU interrupt that is asserted, 0 for none. */
  interrupt(cpuInterrupt: number): void
  /** The next event may have come closer. */
  rescheduled(): void
  polled(cycles: number): void
  resetChip(cause: ResetCause): void
  /** Cycles of 160 MHz per processor cycle. */
  clockChanged(cyclesPerClock: number): void
  /** The flash cache was switched on or off. */
  cacheChanged(enabled: boolean): void
  /** 32 bits of the world's noise. */
  random(): number
  /** Something to tell, once each. */
  report(sentence: string): void
}

export interface PeripheralOptions {
  timeBase: TimeBase
  flash: FlashChip
  /** Base MAC address in the eFuses. */
  mac: Uint8Array
}

export class Peripherals implements Chip {
  readonly bus: Bus
  readonly matrix: InterruptMatrix
  readonly system: System
  readonly systimer: Systimer
  readonly rtc: RtcCntl
  readonly timg0: Timg
  readonly timg1: Timg
  readonly ioMux: IoMux
  readonly gpio: Gpio
  readonly uart0: Uart
  readonly uart1: Uart
  readonly i2c0: I2c
  readonly spi1: SpiFlash
  readonly spi0: SpiCache
  readonly spi2: Spi2
  readonly extmem: Extmem
  readonly usb: UsbDevice
  readonly aes: Aes
  readonly apbCtrl: ApbCtrl
  readonly sarAdc: SarAdc
  readonly efuse: Efuse
  private readonly all: Peripheral[]
  /** Those with events of their own. */
  private readonly timed: Peripheral[]

  constructor(
    private readonly host: Host,
    private readonly options: PeripheralOptions,
  ) {
    this.bus = new Bus((sentence) => host.report(sentence))
    const apb = () => this.system.apbHz()
    const reset = (cause: ResetCause) => host.resetChip(cause)
    this.matrix = new InterruptMatrix(this, (n) => host.interrupt(n))
    this.system = new System(this, (divider) => host.clockChanged(divider))
    this.systimer = new Systimer(this)
    this.rtc = new RtcCntl(this, reset)
    this.timg0 = new Timg(this, 0, apb, reset)
    this.timg1 = new Timg(this, 1, apb, reset)
    this.gpio = new Gpio(this, () => this.ioMux)
    this.ioMux = new IoMux(this, () => this.gpio.configure())
    this.uart0 = new Uart(this, 'UART0', apb)
    this.uart1 = new Uart(this, 'UART1', apb)
    this.i2c0 = new I2c(this)
    this.spi1 = new SpiFlash(this, options.flash)
    this.spi0 = new SpiCache(this, options.flash)
    this.spi2 = new Spi2(this)
    this.extmem = new Extmem(this, () => host.cacheChanged(this.extmem?.enabled ?? true))
    this.usb = new UsbDevice(this)
    this.aes = new Aes(this)
    this.sarAdc = new SarAdc(this)
    this.apbCtrl = new ApbCtrl(
      this,
      () => this.noisy,
      () => host.random(),
    )
    this.efuse = new Efuse(this, options.mac)
    this.all = this.attach()
    this.timed = [
      this.systimer,
      this.uart1,
      this.spi2,
      this.i2c0,
      this.spi1,
      this.usb,
      this.rtc,
      this.timg0,
      this.timg1,
      this.uart0,
    ]
    this.gateClocks()
  }

  /** The random numbers are backed by noise. */
  get noisy(): boolean {
    return this.sarAdc.converting && this.rtc.sarPowered
  }

  // ---- Chip: what the peripherals ask for.

  now(): number {
    return this.host.now()
  }

  nanos(cycles: number): number {
    return this.options.timeBase.nanos(cycles)
  }

  raise(source: number, level: boolean): void {
    this.matrix.level(source, level)
  }

  rescheduled(): void {
    this.host.rescheduled()
  }

  polled(cycles: number): void {
    this.host.polled(cycles)
  }

  complain(sentence: string): void {
    this.bus.count(sentence)
  }

  // ---- Time.

  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    for (const peripheral of this.timed) {
      const at = peripheral.nextEvent()
      if (at < next) next = at
    }
    return next
  }

  /** Lets every peripheral do what is due at `now`. */
  advance(now: number): void {
    for (const peripheral of this.timed) if (peripheral.nextEvent() <= now) peripheral.advance(now)
  }

  /** The digital part starts anew; RTC_CNTL's store registers stay unless power was lost. */
  reset(cause: ResetCause): void {
    this.rtc.cause = cause
    for (const peripheral of this.all) peripheral.reset()
    this.system.reset()
  }

  private attach(): Peripheral[] {
    const blocks: [base: number, size: number, peripheral: Peripheral][] = [
      [0x6000_0000, 0x1000, this.uart0],
      [0x6000_2000, 0x1000, this.spi1],
      [0x6000_3000, 0x1000, this.spi0],
      [0x6000_4000, 0xf00, this.gpio],
      [0x6000_8000, 0x200, this.rtc],
      [0x6000_8800, 0x200, this.efuse],
      [0x6000_9000, 0x1000, this.ioMux],
      // The internal bus to the analog blocks: ANA_CONFIG and ANA_CONFIG2.
      [0x6000_e000, 0x1000, new PlainRegisters(this, 'I2C_ANA_MST', [0x44, 0x48])],
      [0x6001_0000, 0x1000, this.uart1],
      [0x6001_3000, 0x1000, this.i2c0],
      [0x6001_f000, 0x1000, this.timg0],
      [0x6002_0000, 0x1000, this.timg1],
      [0x6002_3000, 0x1000, this.systimer],
      [0x6002_4000, 0x1000, this.spi2],
      [0x6002_6000, 0x1000, this.apbCtrl],
      [0x6003_a000, 0x1000, this.aes],
      [0x6004_0000, 0x1000, this.sarAdc],
      [0x6004_3000, 0x1000, this.usb],
      [0x600c_0000, 0x1000, this.system],
      [0x600c_2000, 0x1000, this.matrix],
      [0x600c_4000, 0x1000, this.extmem],
      [0x600c_5000, 0x200, new MmuTable(this)],
    ]
    for (const [base, size, peripheral] of blocks) this.bus.attach(base, size, peripheral)
    return blocks.map(([, , peripheral]) => peripheral)
  }

  /** PERIP_CLK_EN0/1 and PERIP_RST_EN0/1: bit of the clock, bits of the resets (TRM table 16-1). */
  private gateClocks(): void {
    this.system.gate(
      { peripheral: this.uart0, register: 0, clock: 2, resets: 1 << 2 },
      { peripheral: this.uart1, register: 0, clock: 5, resets: 1 << 5 },
      { peripheral: this.spi2, register: 0, clock: 6, resets: 1 << 6 },
      { peripheral: this.i2c0, register: 0, clock: 7, resets: 1 << 7 },
      { peripheral: this.timg0, register: 0, clock: 13, resets: 1 << 13 },
      { peripheral: this.timg1, register: 0, clock: 15, resets: 1 << 15 },
      { peripheral: this.usb, register: 0, clock: 23, resets: 1 << 23 },
      { peripheral: this.sarAdc, register: 0, clock: 28, resets: 1 << 28 },
      { peripheral: this.systimer, register: 0, clock: 29, resets: 1 << 29 },
      { peripheral: this.aes, register: 1, clock: 1, resets: (1 << 1) | (1 << 4) },
    )
  }
}
