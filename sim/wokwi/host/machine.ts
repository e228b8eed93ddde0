// The simulated ESP32-C3 in the circuit of a Wokwi diagram: the flash image of flasher_args.json, the custom chips as Wokwi
// loads them, and between them the pads that IO_MUX and matrix really lead a peripheral's signals to.
//
//   in    what `readProject` found; scenario steps (player.ts)
//   out   serial text, lines of the chips' console, levels of pins
//
// Time is virtual: `now` is the simulated time in nanoseconds, which is also the true time of the chips' world. The board's
// crystal is an ordinary one, off by some parts per million; Wokwi's has no error.

import { NorFlashHost } from '../../chips/nor_flash'
import { Soc } from '../../soc/soc'
import { Random } from '../../world/random'
import { World } from '../../world/world'
import { Circuit, type SpiPads } from './circuit'
import type { Project } from './project'

const BOARD_TYPE = 'board-esp32-c3-devkitm-1'
const PADS = 22
/** Pads that the DevKitM labels by their function. */
const LABELS: Record<number, string> = { 20: 'RX', 21: 'TX' }
const padName = (pad: number): string => LABELS[pad] ?? String(pad)
const padNumber = (name: string): number =>
  /^\d+$/.test(name) ? Number(name) : Number(Object.keys(LABELS).find((pad) => LABELS[Number(pad)] === name) ?? -1)

const U1_SIGNAL = 9
const SCL_SIGNAL = 53
const SDA_SIGNAL = 54
const FSPI_FUNCTION = 2
/** SPI2's signals: number in the matrix, pad by IO_MUX. */
const FSPICLK = { signal: 63, pad: 6 }
const FSPIQ = { signal: 64, pad: 2 }
const FSPID = { signal: 65, pad: 7 }

/** Wokwi's default address. */
const MAC = Uint8Array.of(0x24, 0x0a, 0xc4, 0x00, 0x01, 0x10)
const SEED = 1

export class WokwiMachine {
  readonly circuit: Circuit
  readonly soc: Soc
  /** Complaints of the simulated chip, once each. */
  readonly reports: string[] = []
  onSerial: (bytes: Uint8Array) => void = () => {}
  onPrint: (part: string, text: string) => void = () => {}
  private readonly world: World
  private spiPads: SpiPads | undefined

  /** `core`: build/rv32.wasm. */
  constructor(project: Project, core: Uint8Array) {
    const { diagram, modules, flash } = project
    this.circuit = new Circuit(diagram, modules)
    const board = diagram.parts.find(({ id }) => id === this.circuit.board)!
    if (board.type !== BOARD_TYPE)
      throw new Error(`the diagram's board is ${board.type}: only ${BOARD_TYPE} is simulated`)
    this.world = new World({ unixOrigin: 0, seed: SEED })
    this.soc = this.makeSoc(core, flash.length)
    this.soc.nor.bytes.set(flash)
    this.soc.cpu.flush()
    this.wire()
    this.soc.powerOn(0)
  }

  get now(): number {
    return this.soc.timeBase.nanos(this.soc.now())
  }

  /** Runs to `nanos`; returns early, with false, when `stop` was called. */
  runUntil(nanos: number): boolean {
    return this.soc.runUntil(this.soc.timeBase.cycles(nanos))
  }

  stop(): void {
    this.soc.stop()
  }

  /** Bytes typed at the serial monitor. */
  type(bytes: Uint8Array): void {
    this.soc.peripherals.usb.type(bytes)
  }

  private makeSoc(core: Uint8Array, flashSize: number): Soc {
    class FlashHost extends NorFlashHost {
      changed(): void {
        // Nothing of the image changes: the log lies behind it.
      }
    }
    const noise = new Random(SEED, 'entropy')
    return new Soc({
      core,
      crystal: this.world.crystal,
      flashSize,
      flashHost: new FlashHost(),
      mac: MAC,
      random: () => noise.u32(),
      report: (sentence) => this.reports.push(sentence),
    })
  }

  private wire(): void {
    const { circuit, soc } = this
    const { gpio, spi2, i2c0, uart1, usb } = soc.peripherals
    soc.parts = { nextEvent: () => circuit.nextEvent(), advance: (nanos) => circuit.advance(nanos) }
    circuit.onReschedule = () => soc.peripherals.rescheduled()
    circuit.onPrint = (part, text) => this.onPrint(part, text)
    circuit.onPad = (name, level) => {
      const pad = padNumber(name)
      if (pad >= 0) gpio.drive(pad, level)
    }
    circuit.onUart = (name, byte, baud) => {
      if (gpio.inputPad(U1_SIGNAL) !== padNumber(name)) return
      uart1.arrive(near(uart1.baud(), baud) ? byte : (byte * 37 + 11) & 0xff)
    }
    for (const name of circuit.drivenPads()) circuit.onPad(name, circuit.level(name))
    gpio.onOutput = (pad, level) => circuit.drive(padName(pad), level, this.now)
    usb.printed = (bytes) => this.onSerial(bytes)
    spi2.connected = () => this.findSpi()
    spi2.device = {
      transfer: (mosi, nanos) => (this.spiPads ? circuit.spiExchange(this.spiPads, mosi, nanos) : 0xff),
    }
    i2c0.connected = () => this.i2cPads() !== undefined
    i2c0.slave = {
      start: () => {},
      address: (address, read, nanos) => circuit.i2cAddress(this.i2cPads()!, address, read, nanos),
      write: (byte, nanos) => circuit.i2cWrite(byte, nanos),
      read: (nanos) => circuit.i2cRead(nanos),
      stop: (nanos) => circuit.i2cStop(nanos),
    }
    uart1.line = {
      send: (byte, end) => this.sendUart(byte, soc.timeBase.nanos(end)),
      baud: () => {},
    }
  }

  private sendUart(byte: number, nanos: number): void {
    const { gpio, uart1 } = this.soc.peripherals
    const pad = padOf((each) => gpio.outputSignal(each) === U1_SIGNAL)
    if (pad !== undefined) this.circuit.uartSend(padName(pad), byte, uart1.baud(), nanos)
  }

  private i2cPads(): { scl: string; sda: string } | undefined {
    const { gpio } = this.soc.peripherals
    const find = (signal: number) =>
      padOf((pad) => gpio.outputSignal(pad) === signal && gpio.inputPad(signal) === pad && gpio.openDrain(pad))
    const [scl, sda] = [find(SCL_SIGNAL), find(SDA_SIGNAL)]
    return scl === undefined || sda === undefined ? undefined : { scl: padName(scl), sda: padName(sda) }
  }

  private findSpi(): boolean {
    const { gpio, ioMux } = this.soc.peripherals
    const out = ({ signal, pad }: typeof FSPICLK) =>
      ioMux.function(pad) === FSPI_FUNCTION ? pad : padOf((each) => gpio.outputSignal(each) === signal)
    const direct = ioMux.function(FSPIQ.pad) === FSPI_FUNCTION && ioMux.inputEnabled(FSPIQ.pad)
    const [sck, mosi, miso] = [out(FSPICLK), out(FSPID), direct ? FSPIQ.pad : gpio.inputPad(FSPIQ.signal)]
    const found = sck !== undefined && mosi !== undefined && miso !== undefined
    this.spiPads = found ? { sck: padName(sck), mosi: padName(mosi), miso: padName(miso) } : undefined
    return found && this.circuit.spiDevices(this.spiPads!).length > 0
  }
}

function padOf(is: (pad: number) => boolean): number | undefined {
  for (let pad = 0; pad < PADS; pad++) if (is(pad)) return pad
  return undefined
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= 0.03 * b
}
