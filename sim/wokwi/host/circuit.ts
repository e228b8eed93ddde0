// The circuit of a diagram without its board: the custom chips, their nets and their time.
//
//   in    levels, bus bytes and instants from the board's side (`drive`, `spiExchange`, `i2c...`, `uartSend`, `advance`)
//   out   levels and bytes to the board's pins (`onPad`, `onUart`), lines of the chips' console (`onPrint`)
//
// Pins of the board are named as in the diagram: "6", "RX". Times are nanoseconds since the start; they never go back: what
// the board reports late happens at the latest instant that the circuit has seen.

import { Chip, type ChipPin, type ChipWorld, type I2cDevice, type SpiDevice, type Timer, type UartDevice } from './chip'
import { type Diagram, nameOf, partOf } from './diagram'

interface Net {
  pads: string[]
  pins: { chip: Chip; pin: ChipPin }[]
  /** What the board drives. */
  board: number | undefined
  level: number
}

/** The pins that a bus of the board is led to. */
export interface SpiPads {
  sck: string
  mosi: string
  miso: string
}

const BOARD = /^board-/
const CHIP = /^chip-/
/** A transmitter within this part of the rate is understood. */
const BAUD_TOLERANCE = 0.03

export class Circuit implements ChipWorld {
  /** The board's id in the diagram. */
  readonly board: string
  readonly chips = new Map<string, Chip>()
  onPad: (pad: string, level: number) => void = () => {}
  onUart: (pad: string, byte: number, baud: number) => void = () => {}
  onPrint: (part: string, text: string) => void = () => {}
  onReschedule: () => void = () => {}
  private time = 0
  private readonly timers: Timer[] = []
  private readonly nets: Net[] = []
  private readonly netOfPad = new Map<string, Net>()
  private readonly netOfPin = new Map<ChipPin, Net>()
  private selected: I2cDevice[] = []

  /** `modules`: the .chip.wasm of each chip's name. */
  constructor(diagram: Diagram, modules: ReadonlyMap<string, Uint8Array>) {
    const boards = diagram.parts.filter(({ type }) => BOARD.test(type))
    if (boards.length !== 1) throw new Error(`the diagram has ${boards.length} boards: one is needed`)
    this.board = boards[0]!.id
    for (const { id, type, attrs } of diagram.parts)
      if (CHIP.test(type)) this.addChip(id, type.slice(5), attrs, modules)
    for (const net of diagram.nets) this.addNet(net)
  }

  // ---- Time.

  now(): number {
    return this.time
  }

  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { at } of this.timers) if (at < next) next = at
    return next
  }

  /** Runs what is due until `nanos`, in order. */
  advance(nanos: number): void {
    for (let timer = this.due(nanos); timer; timer = this.due(nanos)) {
      this.passTo(timer.at)
      timer.at = timer.every > 0 ? timer.at + timer.every : Number.POSITIVE_INFINITY
      timer.run()
    }
    this.passTo(nanos)
  }

  // ---- The board's side.

  /** The board drives a pin of its own; undefined: it no longer does. */
  drive(pad: string, level: number | undefined, nanos: number): void {
    const net = this.netOfPad.get(pad)
    if (!net) return
    this.passTo(nanos)
    net.board = level
    this.settle(net, undefined)
  }

  level(at: ChipPin | string): number {
    const net = typeof at === 'string' ? this.netOfPad.get(at) : this.netOfPin.get(at)
    if (net) return net.level
    return typeof at === 'string' ? 1 : (at.driven ?? at.pull ?? 1)
  }

  /** The level at a part's pin, for `expect-pin`; undefined when the part has no such pin. */
  probe(part: string, name: string): number | undefined {
    if (part === this.board) return this.netOfPad.get(name)?.level
    for (const chip of this.chips.values())
      for (const pin of chip.pins) if (pin.part === part && pin.name === name) return this.level(pin)
    return this.nets.find(({ pads }) => pads.includes(`${part}:${name}`))?.level
  }

  /** The board's pins that chips drive or pull. */
  drivenPads(): string[] {
    const busy = ({ pin }: { pin: ChipPin }) => pin.driven !== undefined
    return this.nets.flatMap(({ pads, pins }) => (pins.some(busy) ? pads : []))
  }

  /** Sets a control; false when there is no such part or control. */
  setControl(part: string, name: string, value: number): boolean {
    return [...this.chips.values()].some((chip) => chip.setControl(part, name, value))
  }

  /** One byte on the SPI bus that the board leads to these pins. */
  spiExchange(pads: SpiPads, mosi: number, nanos: number): number {
    this.passTo(nanos)
    const device = this.spiDevices(pads).find(({ active }) => active)
    return device ? device.exchange(mosi) : 0xff
  }

  /** The slaves that these pins reach. */
  spiDevices({ sck, mosi, miso }: SpiPads): SpiDevice[] {
    return this.devices((chip) => chip.spi).filter(
      (device) => this.joined(device.sck, sck) && this.joined(device.mosi, mosi) && this.joined(device.miso, miso),
    )
  }

  i2cAddress(pads: { scl: string; sda: string }, address: number, read: number, nanos: number): boolean {
    this.passTo(nanos)
    this.selected = this.devices((chip) => chip.i2c).filter(
      (device) =>
        this.joined(device.scl, pads.scl) &&
        this.joined(device.sda, pads.sda) &&
        (device.address === address || device.address === 0) &&
        device.connect(address, read),
    )
    return this.selected.length > 0
  }

  i2cWrite(byte: number, nanos: number): boolean {
    this.passTo(nanos)
    return this.selected.map((device) => device.write(byte)).some((taken) => taken)
  }

  i2cRead(nanos: number): number {
    this.passTo(nanos)
    return this.selected.reduce((byte, device) => byte & device.read(), 0xff)
  }

  i2cStop(nanos: number): void {
    this.passTo(nanos)
    for (const device of this.selected) device.disconnect()
    this.selected = []
  }

  /** A byte that the board sent on `pad` at `baud` ends at `nanos`. At another rate the chip hears rubbish. */
  uartSend(pad: string, byte: number, baud: number, nanos: number): void {
    const at = Math.max(nanos, this.time)
    for (const device of this.devices((chip) => chip.uart)) {
      if (!this.joined(device.rx, pad)) continue
      const heard = sameRate(baud, device.baud) ? byte : (byte * 37 + 11) & 0xff
      const timer = { at, every: 0, run: () => this.deliver(timer, device, heard) }
      this.timers.push(timer)
    }
    this.rescheduled()
  }

  // ---- The chips' side.

  changed(pin: ChipPin): void {
    const net = this.netOfPin.get(pin)
    if (net) this.settle(net, pin)
  }

  addTimer(timer: Timer): void {
    this.timers.push(timer)
  }

  rescheduled(): void {
    this.onReschedule()
  }

  transmit(device: UartDevice, byte: number): void {
    for (const pad of this.netOfPin.get(device.tx)?.pads ?? []) this.onUart(pad, byte, device.baud)
  }

  print(part: string, text: string): void {
    this.onPrint(part, text)
  }

  // ---- Within.

  private addChip(
    id: string,
    name: string,
    attrs: Record<string, string>,
    modules: ReadonlyMap<string, Uint8Array>,
  ): void {
    const wasm = modules.get(name)
    if (!wasm) throw new Error(`the diagram has a chip-${name}, but wokwi.toml names no such chip`)
    const chip = this.chips.get(name) ?? new Chip(name, wasm, this)
    this.chips.set(name, chip)
    chip.add(id, attrs)
  }

  private addNet(ends: string[]): void {
    const net: Net = { pads: [], pins: [], board: undefined, level: 1 }
    for (const end of ends) {
      const [part, name] = [partOf(end), nameOf(end)]
      if (part === this.board) {
        net.pads.push(name)
        this.netOfPad.set(name, net)
        if (/^GND/.test(name)) net.board = 0
        if (/^(3V3|5V)/.test(name)) net.board = 1
        continue
      }
      const found = [...this.chips.values()].flatMap((chip) =>
        chip.pins.filter((pin) => pin.part === part && pin.name === name).map((pin) => ({ chip, pin })),
      )
      const isChip = [...this.chips.values()].some((chip) => chip.pins.some((pin) => pin.part === part))
      if (isChip && found.length === 0) throw new Error(`diagram.json: a wire ends at ${end}: the chip has no such pin`)
      if (!isChip) net.pads.push(end)
      net.pins.push(...found)
      for (const { pin } of found) this.netOfPin.set(pin, net)
    }
    net.level = levelOf(net)
    this.nets.push(net)
  }

  /** The net's level follows what drives it; everybody else on it is told. */
  private settle(net: Net, by: ChipPin | undefined): void {
    const before = net.level
    const level = levelOf(net)
    if (level === before) return
    net.level = level
    for (const { chip, pin } of net.pins) if (pin !== by) chip.levelChanged(pin, before, level)
    if (by) for (const pad of net.pads) this.onPad(pad, level)
  }

  private passTo(nanos: number): void {
    if (nanos > this.time) this.time = nanos
  }

  private due(nanos: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.timers) if (timer.at <= nanos && (!first || timer.at < first.at)) first = timer
    return first
  }

  private deliver(timer: Timer, device: UartDevice, byte: number): void {
    this.timers.splice(this.timers.indexOf(timer), 1)
    device.receive(byte)
  }

  private devices<T>(of: (chip: Chip) => T[]): T[] {
    return [...this.chips.values()].flatMap(of)
  }

  private joined(pin: ChipPin, pad: string): boolean {
    return this.netOfPin.get(pin)?.pads.includes(pad) ?? false
  }
}

function levelOf(net: Net): number {
  const driver = net.pins.find(({ pin }) => pin.driven !== undefined)
  if (driver) return driver.pin.driven!
  if (net.board !== undefined) return net.board
  return net.pins.find(({ pin }) => pin.pull !== undefined)?.pin.pull ?? 1
}

function sameRate(a: number, b: number): boolean {
  return Math.abs(a - b) <= BAUD_TOLERANCE * b
}
