// Hosts one custom chip: the module `NAME.chip.wasm` with Wokwi's Chips API as its imports.
//
//   in    the module, the parts of the diagram that are this chip; levels, bytes and instants from the circuit
//   out   calls of the module's callbacks; what the module does to pins, buses and timers, for the circuit
//
// One instance of the module serves all parts of its kind, as in Wokwi: chipInit is called once for each. Handles are the
// module's own, counted from 0. Not hosted: analog pins, frame buffers, float and string attributes, the experimental
// functions. A module that imports one of those is refused by its name.

/** pin_mode of the API. */
const enum Mode {
  Output = 1,
  PullUp = 2,
  PullDown = 3,
  OutputLow = 16,
  OutputHigh = 17,
}

const RISING = 1
const FALLING = 2

export interface ChipPin {
  part: string
  name: string
  /** What it drives; undefined: nothing. */
  driven: number | undefined
  /** What it pulls to when nobody drives its net; undefined: nowhere. */
  pull: number | undefined
  watch: { user: number; edge: number; change: number } | undefined
}

export interface Timer {
  at: number
  every: number
  run: () => void
}

export interface I2cDevice {
  part: string
  address: number
  scl: ChipPin
  sda: ChipPin
  connect(address: number, read: number): boolean
  read(): number
  write(byte: number): boolean
  disconnect(): void
}

export interface SpiDevice {
  part: string
  sck: ChipPin
  mosi: ChipPin
  miso: ChipPin
  /** A transfer is open. */
  readonly active: boolean
  /** One byte each way. */
  exchange(mosi: number): number
}

export interface UartDevice {
  part: string
  rx: ChipPin
  tx: ChipPin
  baud: number
  receive(byte: number): void
}

/** What a chip needs of the circuit. */
export interface ChipWorld {
  now(): number
  level(pin: ChipPin): number
  /** The pin drives another level than before. */
  changed(pin: ChipPin): void
  addTimer(timer: Timer): void
  /** Events have been planned or cancelled. */
  rescheduled(): void
  transmit(device: UartDevice, byte: number): void
  print(part: string, text: string): void
}

type Callback = (...args: number[]) => number

export class Chip {
  readonly pins: ChipPin[] = []
  readonly i2c: I2cDevice[] = []
  readonly spi: SpiDevice[] = []
  readonly uart: UartDevice[] = []
  private readonly timers: Timer[] = []
  private readonly attributes: { part: string; name: string; value: number }[] = []
  private readonly spiTransfers: SpiTransfer[] = []
  private readonly uartWrites: ((buffer: number, count: number) => number)[] = []
  private readonly memory: WebAssembly.Memory
  private readonly table: WebAssembly.Table
  private readonly exports: WebAssembly.Exports
  /** The part whose chipInit runs, and its attributes. */
  private making: { id: string; attrs: Record<string, string> } | undefined
  /** The part that printed last. */
  private speaking = ''

  constructor(
    readonly name: string,
    wasm: Uint8Array,
    private readonly world: ChipWorld,
  ) {
    const module = new WebAssembly.Module(wasm as BufferSource)
    const env = this.imports()
    for (const { module: from, name: wanted } of WebAssembly.Module.imports(module))
      if (from !== 'env' || !(wanted in env)) throw new Error(`${name}.chip.wasm imports ${from}.${wanted}: not hosted`)
    this.exports = new WebAssembly.Instance(module, { env }).exports
    const version = this.exports['__wokwi_api_version_1'] as (() => number) | undefined
    if (version?.() !== 1) throw new Error(`${name}.chip.wasm is not a chip of API version 1`)
    this.memory = this.exports['memory'] as WebAssembly.Memory
    this.table = this.exports['__indirect_function_table'] as WebAssembly.Table
  }

  /** Makes one more part of this kind. */
  add(id: string, attrs: Record<string, string>): void {
    this.making = { id, attrs }
    this.speaking = id
    ;(this.exports['chipInit'] as () => void)()
    this.making = undefined
  }

  /** Sets a control or attribute; false when the part has none of that name. */
  setControl(part: string, name: string, value: number): boolean {
    const attribute = this.attributes.find((each) => each.part === part && each.name === name)
    if (attribute) attribute.value = value >>> 0
    return attribute !== undefined
  }

  /** The level at a pin's net was `before` and is now `level`. */
  levelChanged(pin: ChipPin, before: number, level: number): void {
    if (!pin.watch || before === level) return
    if ((pin.watch.edge & (level ? RISING : FALLING)) === 0) return
    this.call(pin.part, pin.watch.change, pin.watch.user, this.pins.indexOf(pin), level)
  }

  // ---- Within.

  private call(part: string, index: number, ...args: number[]): number {
    this.speaking = part
    return (this.table.get(index) as Callback)(...args)
  }

  private word(at: number): number {
    return new DataView(this.memory.buffer).getInt32(at, true)
  }

  private text(at: number): string {
    const bytes = new Uint8Array(this.memory.buffer, at)
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)))
  }

  private part(what: string): { id: string; attrs: Record<string, string> } {
    if (!this.making) throw new Error(`${this.name}.chip.wasm calls ${what} outside chipInit`)
    return this.making
  }

  private imports(): Record<string, WebAssembly.ImportValue> {
    return {
      pinInit: (name: number, mode: number) => this.pinInit(this.text(name), mode),
      pinRead: (pin: number) => this.world.level(this.pins[pin]!),
      pinWrite: (pin: number, value: number) => this.drive(this.pins[pin]!, value ? 1 : 0),
      pinMode: (pin: number, mode: number) => this.setMode(this.pins[pin]!, mode),
      pinWatch: (pin: number, config: number) => this.pinWatch(this.pins[pin]!, config),
      pinWatchStop: (pin: number) => {
        this.pins[pin]!.watch = undefined
      },
      attrInit: (name: number, value: number) => this.attrInit(this.text(name), value >>> 0),
      attrRead: (id: number) => this.attributes[id]!.value,
      i2cInit: (config: number) => this.i2cInit(config),
      uartInit: (config: number) => this.uartInit(config),
      uartWrite: (device: number, buffer: number, count: number) => this.uartWrites[device]!(buffer, count),
      spiInit: (config: number) => this.spiInit(config),
      spiStart: (device: number, buffer: number, count: number) => this.spiTransfers[device]!.start(buffer, count),
      spiStop: (device: number) => this.spiTransfers[device]!.stop(),
      timerInit: (config: number) => this.timerInit(config),
      timerStart: (timer: number, micros: number, repeat: number) =>
        this.timerStart(this.timers[timer]!, (micros >>> 0) * 1000, repeat),
      timerStartNanos: (timer: number, nanos: number, repeat: number) =>
        this.timerStart(this.timers[timer]!, nanos, repeat),
      timerStop: (timer: number) => this.timerStart(this.timers[timer]!, Number.POSITIVE_INFINITY, 0),
      getSimNanos: () => this.world.now(),
      debugPrint: (text: number) => this.world.print(this.speaking, this.text(text)),
    }
  }

  private pinInit(name: string, mode: number): number {
    const pin = { part: this.part('pinInit').id, name, driven: undefined, pull: undefined, watch: undefined }
    this.pins.push(pin)
    this.setMode(pin, mode)
    return this.pins.length - 1
  }

  private setMode(pin: ChipPin, mode: Mode): void {
    pin.pull = mode === Mode.PullUp ? 1 : mode === Mode.PullDown ? 0 : undefined
    const output = mode === Mode.Output || mode === Mode.OutputLow || mode === Mode.OutputHigh
    this.drive(
      pin,
      output ? (mode === Mode.OutputHigh ? 1 : mode === Mode.OutputLow ? 0 : (pin.driven ?? 0)) : undefined,
    )
  }

  private drive(pin: ChipPin, level: number | undefined): void {
    if (pin.driven === level) return
    pin.driven = level
    if (!this.making) this.world.changed(pin)
  }

  private pinWatch(pin: ChipPin, config: number): number {
    if (pin.watch) return 0
    pin.watch = { user: this.word(config), edge: this.word(config + 4), change: this.word(config + 8) }
    return 1
  }

  private attrInit(name: string, value: number): number {
    const { id, attrs } = this.part('attrInit')
    this.attributes.push({ part: id, name, value: name in attrs ? Number(attrs[name]) >>> 0 : value })
    return this.attributes.length - 1
  }

  private timerInit(config: number): number {
    const { id } = this.part('timerInit')
    const [user, callback] = [this.word(config), this.word(config + 4)]
    const run = () => void this.call(id, callback, user)
    const timer = { at: Number.POSITIVE_INFINITY, every: 0, run }
    this.timers.push(timer)
    this.world.addTimer(timer)
    return this.timers.length - 1
  }

  private timerStart(timer: Timer, nanos: number, repeat: number): void {
    timer.at = this.world.now() + nanos
    timer.every = repeat ? nanos : 0
    this.world.rescheduled()
  }

  private i2cInit(config: number): number {
    const { id } = this.part('i2cInit')
    const w = (n: number) => this.word(config + 4 * n)
    const [user, connect, read, write, disconnect] = [w(0), w(4), w(5), w(6), w(7)]
    this.i2c.push({
      part: id,
      address: w(1),
      scl: this.pins[w(2)]!,
      sda: this.pins[w(3)]!,
      connect: (address, reading) => this.call(id, connect, user, address, reading) !== 0,
      read: () => this.call(id, read, user) & 0xff,
      write: (byte) => this.call(id, write, user, byte) !== 0,
      disconnect: () => void this.call(id, disconnect, user),
    })
    return this.i2c.length - 1
  }

  private spiInit(config: number): number {
    const { id } = this.part('spiInit')
    const w = (n: number) => this.word(config + 4 * n)
    if (w(4) !== 0) throw new Error(`${this.name}.chip.wasm wants SPI mode ${w(4)}: only mode 0 is hosted`)
    const [user, done] = [w(0), w(5)]
    const transfer = new SpiTransfer(this.memory, (buffer, count) => void this.call(id, done, user, buffer, count))
    this.spiTransfers.push(transfer)
    this.spi.push({
      part: id,
      sck: this.pins[w(1)]!,
      mosi: this.pins[w(2)]!,
      miso: this.pins[w(3)]!,
      get active() {
        return transfer.active
      },
      exchange: (mosi) => transfer.exchange(mosi),
    })
    return this.spi.length - 1
  }

  private uartInit(config: number): number {
    const { id } = this.part('uartInit')
    const w = (n: number) => this.word(config + 4 * n)
    const [user, receive, written] = [w(0), w(4), w(5)]
    const [rx, tx, baud] = [this.pins[w(1)]!, this.pins[w(2)]!, w(3)]
    const device = { part: id, rx, tx, baud, receive: (byte: number) => void this.call(id, receive, user, byte) }
    this.uart.push(device)
    this.uartWrites.push(this.writer(device, () => void this.call(id, written, user)))
    return this.uart.length - 1
  }

  /** Sends a buffer's bytes one after the other, ten bits each. */
  private writer(device: UartDevice, written: () => void): (buffer: number, count: number) => number {
    let bytes = new Uint8Array(0)
    let sent = 0
    const byteNanos = 1e10 / device.baud
    const timer = {
      at: Number.POSITIVE_INFINITY,
      every: 0,
      run: () => {
        this.world.transmit(device, bytes[sent]!)
        sent++
        if (sent < bytes.length) this.timerStart(timer, byteNanos, 0)
        else written()
      },
    }
    this.world.addTimer(timer)
    return (buffer, count) => {
      if (sent < bytes.length || count === 0) return 0
      bytes = new Uint8Array(this.memory.buffer).slice(buffer, buffer + count)
      sent = 0
      this.timerStart(timer, byteNanos, 0)
      return 1
    }
  }
}

/** The buffer of an SPI slave: filled by the module with what it will send, taken back with what came. */
class SpiTransfer {
  active = false
  private buffer = 0
  private count = 0
  private done = 0

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly callback: (buffer: number, count: number) => void,
  ) {}

  start(buffer: number, count: number): void {
    this.buffer = buffer
    this.count = count
    this.done = 0
    this.active = true
  }

  stop(): void {
    if (!this.active) return
    this.active = false
    this.callback(this.buffer, this.done)
  }

  exchange(mosi: number): number {
    const bytes = new Uint8Array(this.memory.buffer)
    const at = this.buffer + this.done
    const miso = bytes[at]!
    bytes[at] = mosi
    if (++this.done === this.count) {
      this.active = false
      this.callback(this.buffer, this.count)
    }
    return miso
  }
}
