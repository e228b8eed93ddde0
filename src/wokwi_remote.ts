// Plays a scenario on Wokwi's servers, through Wokwi's own client: uploads diagram, flash image and chips, starts the
// simulation paused, and turns steps into its commands.
//
// Tried against a stand-in for the server only (test/wokwi/remote.test.ts): nobody has run it with a token yet.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { APIClient, type APIEvent, type ChipsLogPayload, type SerialMonitorDataPayload } from '@wokwi/client'
import type { Stage } from '../sim/wokwi/host/player'
import type { Project } from '../sim/wokwi/host/project'

/** Where Wokwi's command line connects to, and the variable by which it is told another place. */
const SERVER = process.env['WOKWI_CLI_SERVER'] ?? 'wss://wokwi.com/api/ws/beta'
const FIRMWARE = 'firmware.bin'

interface Socket {
  on(event: 'open' | 'error' | 'close' | 'message', listener: (value: never) => void): void
  send(text: string): void
  close(): void
}

export class RemoteStage implements Stage {
  onSerial: (text: string) => void = () => {}
  onChipOutput: (part: string, text: string) => void = () => {}

  private constructor(
    private readonly client: APIClient,
    private readonly overtime: Promise<never>,
  ) {
    client.listen('serial-monitor:data', (event: APIEvent<SerialMonitorDataPayload>) =>
      this.onSerial(new TextDecoder().decode(Uint8Array.from(event.payload.bytes))),
    )
    client.listen('chips:log', (event: APIEvent<ChipsLogPayload>) =>
      this.onChipOutput(event.payload.chip, event.payload.message),
    )
  }

  /** Connects, uploads and starts, paused at 0. `limit`: simulated nanoseconds that the whole may take. */
  static async open(project: Project, token: string, limit: number): Promise<RemoteStage> {
    const client = new APIClient(new Transport(token))
    client.onError = (error) => console.error(`noonmark: Wokwi: ${error.message}`)
    await client.connected
    await client.fileUpload('diagram.json', readFileSync(resolve(project.folder, 'diagram.json'), 'utf8'))
    await client.fileUpload(FIRMWARE, used(project.flash))
    for (const [name, file] of project.chipFiles) {
      await client.fileUpload(`${name}.chip.json`, readFileSync(file.replace(/\.wasm$/, '.json'), 'utf8'))
      await client.fileUpload(`${name}.chip.wasm`, new Uint8Array(readFileSync(file)))
    }
    await client.serialMonitorListen()
    const overtime = client.atNanos(limit).then((): never => {
      throw new Error(`nothing came in ${limit / 1e9} s`)
    })
    overtime.catch(() => {})
    await client.simStart({ firmware: FIRMWARE, chips: [...project.chipFiles.keys()], pause: true })
    return new RemoteStage(client, overtime)
  }

  get nanos(): number {
    return this.client.lastNanos
  }

  delay(nanos: number): Promise<void> {
    return this.inTime(this.client.delay(nanos))
  }

  waitSerial(text: string): Promise<void> {
    return this.inTime(this.client.waitForSerialBytes(new TextEncoder().encode(text)))
  }

  waitChipOutput(text: string): Promise<void> {
    return this.inTime(this.client.waitForChipOutput(text))
  }

  async writeSerial(bytes: Uint8Array): Promise<void> {
    await this.client.serialMonitorWrite(bytes)
  }

  async setControl(part: string, name: string, value: number): Promise<void> {
    await this.client.controlSet(part, name, value)
  }

  async pin(part: string, name: string): Promise<number> {
    return (await this.client.pinRead(part, name)).value ? 1 : 0
  }

  close(): void {
    this.client.close()
  }

  private inTime(step: Promise<void>): Promise<void> {
    return Promise.race([step, this.overtime])
  }
}

/** The flash up to its last written byte. */
function used(flash: Uint8Array): Uint8Array {
  let end = flash.length
  while (end > 0 && flash[end - 1] === 0xff) end--
  return flash.subarray(0, end)
}

/** JSON messages over a web socket with the token in its request. The socket is the one that Wokwi's client depends on. */
class Transport {
  onMessage: (message: unknown) => void = () => {}
  onClose?: (code: number, reason?: string) => void
  onError?: (error: Error) => void
  private socket: Socket | undefined

  constructor(private readonly token: string) {}

  connect(): Promise<void> {
    const WebSocket = createRequire(import.meta.resolve('@wokwi/client'))('ws')
    const socket: Socket = new WebSocket(SERVER, {
      headers: { Authorization: `Bearer ${this.token}`, 'User-Agent': 'noonmark/0.1.0' },
    })
    this.socket = socket
    socket.on('message', (data: Buffer) => this.onMessage(JSON.parse(data.toString('utf8'))))
    socket.on('close', (code: number) => this.onClose?.(code))
    return new Promise((open, failed) => {
      socket.on('open', () => open())
      socket.on('error', (error: Error) => failed(new Error(`${SERVER} cannot be reached: ${error.message}`)))
    })
  }

  send(message: unknown): void {
    this.socket?.send(JSON.stringify(message))
  }

  close(): void {
    this.socket?.close()
  }
}
