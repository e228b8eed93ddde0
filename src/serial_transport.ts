// Serial ports for `flash` and `monitor`: the optional package serialport, loaded when it is needed, and its stream in
// the shape of a browser's SerialPort, which esptool-js expects.
//
// Whatever goes wrong while opening is a SerialError whose message is one sentence with what to do about it.

import type { Duplex } from 'node:stream'

export class SerialError extends Error {}

/** What is known of a port: USB ids in lower-case hexadecimal without 0x. */
export interface SerialInfo {
  path: string
  vendorId?: string | undefined
  productId?: string | undefined
  manufacturer?: string | undefined
  serialNumber?: string | undefined
}

/** An open port: serialport's stream. `set` writes every control line, those left out to serialport's defaults. */
export interface SerialLine extends Duplex {
  readonly isOpen: boolean
  set(lines: { dtr: boolean; rts: boolean; brk?: boolean }, done: (error: Error | null) => void): void
  update(options: { baudRate: number }, done: (error: Error | null) => void): void
  close(done?: (error: Error | null) => void): void
}

export interface Serial {
  list(): Promise<SerialInfo[]>
  open(path: string, baudRate: number): Promise<SerialLine>
}

/** Espressif's USB Serial/JTAG peripheral, the native USB port of an ESP32-C3. */
export const USB_SERIAL_JTAG = { vendorId: '303a', productId: '1001' }

/** The ports of this machine. */
export async function loadSerial(): Promise<Serial> {
  const { SerialPort } = await optional('serialport', () => import('serialport'))
  return {
    list: () => SerialPort.list(),
    open: (path, baudRate) =>
      new Promise((resolve, reject) => {
        const line = new SerialPort({ path, baudRate, hupcl: false }, (error) => {
          if (error) reject(new SerialError(explainOpen(path, error)))
          else resolve(line as unknown as SerialLine)
        })
      }),
  }
}

/** Imports an optional dependency; a missing one is named with the way to get it. */
export async function optional<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' ? 'is not installed' : 'does not load'
    throw new SerialError(`the optional package ${name} ${reason} here: \`npm install --include=optional\` gets it`)
  }
}

/** The port's description, for its USB ids. */
export async function findPort(serial: Serial, path: string): Promise<SerialInfo> {
  return (await serial.list()).find((info) => info.path === path) ?? { path }
}

/** A line for each port that could be the board, likely ones first; else a sentence. */
export function portTable(ports: SerialInfo[]): string {
  const usb = ports.filter((info) => info.vendorId !== undefined)
  if (usb.length === 0) return 'no USB serial port is there'
  const likely = usb.filter(isUsbSerialJtag)
  const others = usb.filter((info) => !isUsbSerialJtag(info))
  return [...likely, ...others]
    .map((info) => {
      const name = isUsbSerialJtag(info) ? "an ESP32's own USB port" : (info.manufacturer ?? 'a USB serial adapter')
      return `${info.path}  ${info.vendorId}:${info.productId}  ${name}`
    })
    .join('\n')
}

export function isUsbSerialJtag(info: SerialInfo): boolean {
  const { vendorId, productId } = USB_SERIAL_JTAG
  return info.vendorId?.toLowerCase() === vendorId && info.productId?.toLowerCase() === productId
}

/** What serialport's message means. */
export function explainOpen(path: string, error: Error): string {
  const text = error.message
  if (/no such file|file not found|cannot find/i.test(text)) {
    return `${path} does not exist: \`noonmark flash --list\` shows the serial ports that do`
  }
  if (/permission denied/i.test(text)) {
    return `${path} may not be opened by this user: on Linux, join the group that owns it (often dialout) and log in again`
  }
  if (/lock|busy|access denied|temporarily unavailable/i.test(text)) {
    return `${path} is in use by another program, such as a monitor: end that first`
  }
  return `${path} cannot be opened: ${text}`
}

/**
 * A browser's SerialPort (https://wicg.github.io/serial/) over a SerialLine: `open`, `close`, two streams, control lines.
 * As in a browser, control lines that are not named keep their level.
 */
export class WebSerialPort {
  readable: ReadableStream<Uint8Array> | null = null
  writable: WritableStream<Uint8Array> | null = null
  private line: SerialLine | undefined
  private lines = { dtr: false, rts: false, brk: false }

  constructor(
    private readonly serial: Serial,
    private readonly info: SerialInfo,
  ) {}

  getInfo(): { usbVendorId?: number; usbProductId?: number } {
    const { vendorId, productId } = this.info
    if (vendorId === undefined || productId === undefined) return {}
    return { usbVendorId: Number.parseInt(vendorId, 16), usbProductId: Number.parseInt(productId, 16) }
  }

  async open({ baudRate }: { baudRate: number }): Promise<void> {
    const line = await this.serial.open(this.info.path, baudRate)
    this.line = line
    // An unplugged cable shows as the stream's end and as failing commands.
    line.on('error', () => {})
    let take: (chunk: Uint8Array) => void
    let finish: () => void
    this.readable = new ReadableStream({
      start(controller) {
        take = (chunk) => controller.enqueue(new Uint8Array(chunk))
        finish = () => controller.close()
        line.on('data', take)
        line.once('close', finish)
      },
      cancel() {
        line.off('data', take)
        line.off('close', finish)
      },
    })
    this.writable = new WritableStream({
      write: (chunk) =>
        new Promise((resolve, reject) => {
          line.write(chunk, (error) => (error ? reject(error) : resolve()))
        }),
    })
  }

  async close(): Promise<void> {
    const line = this.line
    this.line = undefined
    this.readable = null
    this.writable = null
    if (line?.isOpen) await new Promise<void>((resolve) => line.close(() => resolve()))
  }

  async setSignals(signals: { dataTerminalReady?: boolean; requestToSend?: boolean; break?: boolean }): Promise<void> {
    const { dataTerminalReady: dtr, requestToSend: rts, break: brk } = signals
    this.lines = { dtr: dtr ?? this.lines.dtr, rts: rts ?? this.lines.rts, brk: brk ?? this.lines.brk }
    await this.command((line, done) => line.set(this.lines, done))
  }

  /** In place: esptool-js would close and open the port otherwise, which resets some boards. */
  async setBaudRate(baudRate: number): Promise<void> {
    await this.command((line, done) => line.update({ baudRate }, done))
  }

  private command(run: (line: SerialLine, done: (error: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.line === undefined) reject(new SerialError(`${this.info.path} is closed`))
      else run(this.line, (error) => (error ? reject(error) : resolve()))
    })
  }
}
