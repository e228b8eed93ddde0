// `noonmark monitor PORT`: the device's console. What it prints goes to stdout, what is typed goes to it line by line,
// sentences about the connection go to stderr. Ctrl-C ends.
//
// The ESP32-C3's own USB port vanishes while the chip restarts: the monitor waits until it is back, under its old name or
// under another with the same serial number. With input that is no terminal (`echo ca | noonmark monitor PORT`) it ends
// once the input has ended and the device has been silent for a second.

import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { loadSerial, portTable, type Serial, SerialError, type SerialInfo, type SerialLine } from './serial_transport'

/** USB needs no rate; a UART behind an adapter would. */
const BAUD = 115_200
const RETRY_MILLISECONDS = 250
const QUIET_MILLISECONDS = 1000

export interface MonitorOptions {
  list: boolean
}

/** What the command works with; tests bring their own. */
export interface MonitorTools {
  serial: Serial
  input: Readable & { isTTY?: boolean }
  output: Writable
  complain: (sentence: string) => void
  /** Ends the monitor: Ctrl-C. */
  end: AbortSignal
}

/** Resolves to the exit status. */
export async function monitor(
  port: string | undefined,
  options: MonitorOptions,
  tools: Partial<MonitorTools> = {},
): Promise<number> {
  const complain = tools.complain ?? ((sentence) => console.error(`noonmark: ${sentence}`))
  try {
    const all: MonitorTools = { ...terminal(tools), ...tools, complain, serial: tools.serial ?? (await loadSerial()) }
    if (options.list || port === undefined) {
      if (!options.list) complain('a serial port is needed; these are there:')
      all.output.write(`${portTable(await all.serial.list())}\n`)
      return options.list ? 0 : 1
    }
    await new Monitor(port, all).run()
    return 0
  } catch (error) {
    if (!(error instanceof SerialError)) throw error
    complain(error.message)
    return 1
  }
}

function terminal(tools: Partial<MonitorTools>): Pick<MonitorTools, 'input' | 'output' | 'end'> {
  const end = new AbortController()
  if (tools.end === undefined) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort())
  }
  return { input: process.stdin, output: process.stdout, end: end.signal }
}

class Monitor {
  private path: string
  private serialNumber: string | undefined
  private line: SerialLine | undefined
  /** Typed while the device was away. */
  private waiting: string[] = []
  private heardAt = 0
  private inputEnded = false

  constructor(
    port: string,
    private readonly tools: MonitorTools,
  ) {
    this.path = port
  }

  async run(): Promise<void> {
    const { serial, input, complain, end } = this.tools
    let line = await serial.open(this.path, BAUD)
    this.serialNumber = (await serial.list()).find((info) => info.path === this.path)?.serialNumber
    const typed = createInterface({ input })
    typed.on('line', (text) => this.send(text))
    typed.on('close', () => {
      this.inputEnded = !input.isTTY
      this.heardAt = Date.now()
    })
    if (input.isTTY) complain(`connected to ${this.path}; Ctrl-C ends`)
    try {
      while (await this.session(line)) {
        complain(`${this.path} is gone; waiting for it`)
        const back = await this.reopen()
        if (back === undefined) return
        line = back
        complain(`${this.path} is back`)
      }
    } finally {
      typed.close()
      if (!end.aborted) input.destroy?.()
    }
  }

  /** One connection: true when the device went away, false when the monitor is to end. */
  private session(line: SerialLine): Promise<boolean> {
    const { output, end } = this.tools
    return new Promise((resolve) => {
      const finish = (gone: boolean) => {
        clearInterval(quiet)
        end.removeEventListener('abort', stop)
        line.off('close', lost)
        this.line = undefined
        if (line.isOpen) line.close(() => resolve(gone))
        else resolve(gone)
      }
      const stop = () => finish(false)
      const lost = () => finish(true)
      const quiet = setInterval(() => {
        if (this.inputEnded && Date.now() - this.heardAt >= QUIET_MILLISECONDS) finish(false)
      }, RETRY_MILLISECONDS)
      line.on('data', (chunk: Uint8Array) => {
        this.heardAt = Date.now()
        output.write(chunk)
      })
      line.on('error', () => {})
      line.once('close', lost)
      end.addEventListener('abort', stop)
      if (end.aborted) return stop()
      // Neither line asserted: on USB Serial/JTAG and with the usual two transistors this lets the chip run.
      line.set({ dtr: false, rts: false }, () => {})
      this.line = line
      for (const text of this.waiting.splice(0)) this.send(text)
    })
  }

  private send(text: string): void {
    this.heardAt = Date.now()
    if (this.line?.isOpen) this.line.write(`${text}\n`)
    else this.waiting.push(text)
  }

  private async reopen(): Promise<SerialLine | undefined> {
    while (!this.tools.end.aborted) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS))
      const found = (await this.tools.serial.list()).find((info) => this.isDevice(info))
      if (found === undefined) continue
      try {
        const line = await this.tools.serial.open(found.path, BAUD)
        this.path = found.path
        return line
      } catch {
        // Listed but not ready yet, or its permissions are not set yet.
      }
    }
    return undefined
  }

  private isDevice(info: SerialInfo): boolean {
    return this.serialNumber === undefined ? info.path === this.path : info.serialNumber === this.serialNumber
  }
}
