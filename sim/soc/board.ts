// The board around the chip: W5500, receiver and RTC joined to the pads that boards/*.json names.
//
// A part hears the chip only where IO_MUX and GPIO matrix really lead the peripheral's signal to its pad: wrong wiring in
// the image is found here as it would be on a real board.

import type { Calibration } from '../../hal/virtual/board'
import type { Ds3231 } from '../chips/ds3231'
import type { W5500 } from '../chips/w5500'
import type { Gpio } from './gpio'
import type { I2cSlave } from './i2c'
import type { Peripherals } from './peripherals'
import type { Parts } from './soc'
import type { SpiDevice } from './spi2'

/** The part of boards/*.json that is wires. */
export interface BoardFile {
  name: string
  ethernet: { pins: { sclk: number; mosi: number; miso: number; cs: number; int: number; reset: number } }
  receiver: { pins: { rx: number; tx: number; pps: number } }
  rtc: { pins: { sda: number; scl: number; sqw: number | null } }
  leds: { locked: number }
  calibration: Calibration
  flash: { size: number; image: Area; log: Area; anchors: Area; settings: Area }
}

export interface Area {
  offset: number
  size: number
}

/** The receiver as the board sees it. */
export interface BoardReceiver {
  nextEvent(): number
  advance(nanos: number): void
  setBaud(baud: number): void
  receive(byte: number, nanos: number): void
  /** When the pulse that rose last falls. */
  pulseEnds(): number
}

const U1_SIGNAL = 9
const SCL_SIGNAL = 53
const SDA_SIGNAL = 54
const FSPI_FUNCTION = 2
const FSPICLK_SIGNAL = 63
const FSPIQ_SIGNAL = 64
const FSPID_SIGNAL = 65

export class Board implements Parts {
  ethernet: { chip: W5500; advance(nanos: number): void; nextEvent(): number } | undefined
  receiver: BoardReceiver | undefined
  /** The receiver and the network part have power (the RTC has its battery). */
  powered = false
  onPin: (pad: number, level: number, nanos: number) => void = () => {}
  private pulseFalls = Number.POSITIVE_INFINITY
  private selected = false
  /** Falls of INTn that the pad has seen. */
  private falls = 0

  constructor(
    private readonly soc: { readonly peripherals: Peripherals; readonly timeBase: { nanos(cycles: number): number } },
    readonly file: BoardFile,
    readonly rtc: Ds3231,
  ) {
    const { gpio, spi2, i2c0, uart1 } = soc.peripherals
    const { pins } = file.ethernet
    gpio.drive(pins.int, 1)
    gpio.drive(file.receiver.pins.pps, 0)
    gpio.onOutput = (pad, level) => this.output(pad, level)
    spi2.device = this.spiDevice()
    spi2.connected = () => this.spiConnected(gpio)
    i2c0.slave = this.i2cSlave()
    i2c0.connected = () => this.i2cConnected(gpio)
    uart1.line = {
      send: (byte, end) => this.toReceiver(byte, end),
      baud: (rate) => this.receiver?.setBaud(rate),
    }
  }

  nextEvent(): number {
    let next = this.rtc.nextEvent()
    if (this.ethernet) next = Math.min(next, this.ethernet.nextEvent())
    if (this.powered && this.receiver) next = Math.min(next, this.receiver.nextEvent(), this.pulseFalls)
    return next
  }

  advance(nanos: number): void {
    this.rtc.advance(nanos)
    if (this.powered) this.receiver?.advance(nanos)
    if (this.pulseFalls <= nanos) {
      this.pulseFalls = Number.POSITIVE_INFINITY
      this.soc.peripherals.gpio.drive(this.file.receiver.pins.pps, 0)
    }
    this.ethernet?.advance(nanos)
    this.showInterrupt()
  }

  /** The receiver's pulse has risen. */
  pulse(): void {
    this.soc.peripherals.gpio.drive(this.file.receiver.pins.pps, 1)
    this.pulseFalls = this.receiver?.pulseEnds() ?? Number.POSITIVE_INFINITY
  }

  /** The receiver has sent a byte. */
  byte(value: number): void {
    const { gpio, uart1 } = this.soc.peripherals
    if (gpio.inputPad(U1_SIGNAL) === this.file.receiver.pins.rx) uart1.arrive(value)
  }

  /** Power comes or goes. */
  power(on: boolean): void {
    this.powered = on
    this.pulseFalls = Number.POSITIVE_INFINITY
    this.soc.peripherals.gpio.drive(this.file.receiver.pins.pps, 0)
    this.showInterrupt()
  }

  /** INTn at its pad. A fall that followed a rise unseen is an edge all the same. */
  private showInterrupt(): void {
    const { gpio } = this.soc.peripherals
    const pad = this.file.ethernet.pins.int
    const chip = this.ethernet?.chip
    const falls = chip?.intFalls ?? 0
    if (falls !== this.falls) gpio.drive(pad, 1)
    this.falls = falls
    gpio.drive(pad, chip?.intLevel ?? 1)
  }

  private nanos(): number {
    return this.soc.timeBase.nanos(this.soc.peripherals.now())
  }

  /** An output pad has changed; an undriven one is pulled high by the parts. */
  private output(pad: number, driven: number | undefined): void {
    const level = driven ?? 1
    const { pins } = this.file.ethernet
    const nanos = this.nanos()
    if (pad === pins.cs) this.select(level === 0, nanos)
    else if (pad === pins.reset) {
      this.ethernet?.chip.setReset(nanos, level)
      this.changed()
    }
    this.onPin(pad, level, nanos)
  }

  private select(low: boolean, nanos: number): void {
    if (low === this.selected) return
    this.selected = low
    if (low) this.ethernet?.chip.select(nanos)
    else this.ethernet?.chip.deselect(nanos)
    this.changed()
  }

  /** The network part may want attention sooner. */
  private changed(): void {
    this.showInterrupt()
    this.soc.peripherals.rescheduled()
  }

  private spiDevice(): SpiDevice {
    return {
      transfer: (mosi, nanos) => {
        if (this.ethernet === undefined || !this.selected) return 0xff
        const { chip } = this.ethernet
        chip.advance(nanos)
        const miso = chip.transfer(mosi)
        this.showInterrupt()
        return miso
      },
    }
  }

  private spiConnected(gpio: Gpio): boolean {
    const { sclk, mosi, miso } = this.file.ethernet.pins
    const { ioMux } = this.soc.peripherals
    const out = (pad: number, signal: number) =>
      ioMux.function(pad) === FSPI_FUNCTION || gpio.outputSignal(pad) === signal
    const back =
      (ioMux.function(miso) === FSPI_FUNCTION && ioMux.inputEnabled(miso)) || gpio.inputPad(FSPIQ_SIGNAL) === miso
    return out(sclk, FSPICLK_SIGNAL) && out(mosi, FSPID_SIGNAL) && back
  }

  private i2cConnected(gpio: Gpio): boolean {
    const { sda, scl } = this.file.rtc.pins
    const joined = (pad: number, signal: number) =>
      gpio.outputSignal(pad) === signal && gpio.inputPad(signal) === pad && gpio.openDrain(pad)
    return joined(scl, SCL_SIGNAL) && joined(sda, SDA_SIGNAL)
  }

  private i2cSlave(): I2cSlave {
    const { rtc } = this
    return {
      start: (nanos) => rtc.start(nanos),
      address: (address, read, nanos) => rtc.address(address, read, nanos),
      write: (byte, nanos) => rtc.write(byte, nanos),
      read: (nanos) => rtc.read(nanos),
      stop: (nanos) => rtc.stop(nanos),
    }
  }

  private toReceiver(byte: number, end: number): void {
    const { gpio } = this.soc.peripherals
    if (gpio.outputSignal(this.file.receiver.pins.tx) !== U1_SIGNAL) return
    this.receiver?.receive(byte, this.soc.timeBase.nanos(end))
    this.soc.peripherals.rescheduled()
  }
}
