// The NTS-KE client of the firmware as an object, and over a loopback socket.

import { createConnection } from 'node:net'
import type { Entry, Flavour } from '../support/firmware'
import { loadWithAnchors } from '../tls/tls_client'

export const Phase = { Idle: 0, Running: 1, Done: 2, Failed: 3 } as const
export const Offer = { Both: 0, Siv: 1 } as const

/** What a key exchange has brought. */
export interface Agreed {
  aead: number
  port: number
  server: string
  cookies: Uint8Array[]
  c2s: Uint8Array
  s2c: Uint8Array
  notBefore: number
  notAfter: number
}

export function loadKeClient(anchors: string[], flavour: Flavour = 'checked', seed = 1): Promise<Entry> {
  return loadWithAnchors(new URL('./ke_client.entry.ts', import.meta.url), flavour, anchors, seed)
}

export function agreed(entry: Entry, at: number): Agreed {
  const number = (name: string): number => Number(entry.exports[name](at))
  const bytes = (name: string, length: number) => entry.read(number(name), length)
  const cookies = entry.read(number('cookies'), 8 * 192)
  return {
    aead: number('aead'),
    port: number('port'),
    server: Buffer.from(bytes('server', number('serverLength'))).toString('latin1'),
    cookies: Array.from({ length: number('cookieCount') }, (_, i) =>
      cookies.slice(192 * i, 192 * i + number('cookieLength')),
    ),
    c2s: bytes('c2s', number('keyLength')),
    s2c: bytes('s2c', number('keyLength')),
    notBefore: number('notBefore'),
    notAfter: number('notAfter'),
  }
}

export interface StartOptions {
  name?: string
  time?: number | [number, number]
  dates?: number
  offer?: number
}

export class KeClient {
  private waiting: Uint8Array = new Uint8Array()

  constructor(
    private readonly entry: Entry,
    { name = 'localhost', time = Math.floor(Date.now() / 1000), dates = 0, offer = Offer.Both }: StartOptions = {},
  ) {
    const [earliest, latest] = typeof time === 'number' ? [time, time] : time
    const { exports } = entry
    exports['keClientForget']()
    entry.write(exports['DATA'].value, Buffer.from(name))
    if (!exports['start'](name.length, earliest, latest, dates, offer)) throw new Error('an exchange is running')
  }

  get phase(): number {
    return this.entry.exports['keClientPhase']()
  }
  get failure(): number {
    return this.entry.exports['keClientFailure']()
  }
  get verdict(): number {
    return this.entry.exports['keClientVerdict']()
  }
  get words(): string {
    const length = this.entry.exports['words'](this.failure)
    return Buffer.from(this.entry.read(this.entry.exports['OUT'].value, length)).toString()
  }
  get agreed(): Agreed {
    return agreed(this.entry, this.entry.exports['answer']())
  }

  end(): void {
    this.entry.exports['keClientEnd']()
  }

  /** Gives bytes, works until the client rests, returns all that it sends. */
  deliver(bytes: Uint8Array = new Uint8Array()): Uint8Array {
    const { DATA, keClientReceive, keClientStep, keClientOutput, keClientOutputLength, keClientSent } =
      this.entry.exports
    this.waiting = Buffer.concat([this.waiting, bytes])
    const sent: Uint8Array[] = []
    for (;;) {
      const chunk = this.waiting.subarray(0, 32768)
      this.entry.write(DATA.value, chunk)
      const taken = keClientReceive(DATA.value, chunk.length)
      this.waiting = this.waiting.subarray(taken)
      let busy = false
      while (keClientStep()) busy = true
      const length = keClientOutputLength()
      if (length !== 0) {
        sent.push(this.entry.read(keClientOutput(), length))
        keClientSent(length)
      }
      if (taken === 0 && length === 0 && !busy) return Buffer.concat(sent)
    }
  }
}

/** Runs the exchange with a server on a port of loopback, until it is over. */
export async function exchange(client: KeClient, port: number, cut = Infinity): Promise<void> {
  for (let tries = 0; ; tries++) {
    const socket = createConnection(port, '127.0.0.1')
    const there = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (there) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no end in phase ${client.phase}`)), 20_000)
        const finish = () => {
          clearTimeout(timer)
          // What still comes belongs to no exchange: the next one has the same memory.
          socket.off('data', take)
          socket.off('close', closed)
          socket.end()
          socket.resume()
          resolve()
        }
        const take = (bytes: Uint8Array) => {
          for (let at = 0; at === 0 || at < bytes.length; at += cut) {
            const output = client.deliver(bytes.subarray(at, Math.min(at + cut, bytes.length)))
            if (output.length !== 0) socket.write(output)
          }
          if (client.phase !== Phase.Running) finish()
        }
        socket.on('error', () => {})
        const closed = () => {
          client.end()
          finish()
        }
        socket.on('close', closed)
        socket.on('data', take)
        take(new Uint8Array())
      })
      return
    }
    if (tries === 100) throw new Error(`nobody listens on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
