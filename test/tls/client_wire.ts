// The TLS client of the firmware over a loopback socket, and servers to talk to.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { debianEnvironment } from '../../bin/debian.mjs'
import type { TlsClient } from './tls_client'
import { State } from './tls_server'

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Connects, tries again while nobody listens. */
async function dial(port: number): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = createConnection(port, '127.0.0.1')
    const error = await new Promise<Error | undefined>((resolve) => {
      socket.once('connect', () => resolve(undefined))
      socket.once('error', resolve)
    })
    if (!error) return socket
    if (tries === 100) throw error
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/**
 * Connects the client to a port; `said` is sent once it is open. Ends when `heard` has come, when the client is no longer
 * open, or when the peer hangs up. Returns the application data. `cut` splits what the server sends.
 */
export async function talkOver(
  client: TlsClient,
  port: number,
  said: string,
  heard: string,
  cut = Infinity,
): Promise<string> {
  const socket = await dial(port)
  let text = ''
  let asked = false
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no end; heard ${JSON.stringify(text)}`)), 20_000)
    const end = () => {
      clearTimeout(timer)
      // What still comes belongs to no client: the next one may have its memory already.
      socket.off('data', exchange)
      resolve()
    }
    const exchange = (bytes: Uint8Array) => {
      for (let at = 0; at === 0 || at < bytes.length; at += cut) {
        socket.write(client.deliver(bytes.subarray(at, Math.min(at + cut, bytes.length))))
        for (let read = client.read(); read.length !== 0; read = client.read()) {
          text += Buffer.from(read).toString()
          socket.write(client.deliver())
        }
        if (client.state === State.Open && !asked) {
          asked = true
          client.write(said)
          socket.write(client.deliver())
        }
      }
      if (text.includes(heard) || client.state >= State.PeerClosed) end()
    }
    socket.on('data', exchange)
    socket.on('error', end)
    socket.on('close', end)
    exchange(new Uint8Array())
  })
  return new Promise((resolve) => {
    socket.end(() => resolve(text))
    socket.resume()
  })
}

/** Runs a server program until `stop`. */
export function serve(path: string, args: string[]): { stop(): Promise<void>; output(): string } {
  let output = ''
  const child: ChildProcess = spawn(path, args, { env: debianEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdout?.on('data', (data: Buffer) => {
    output += data
  })
  child.stderr?.on('data', (data: Buffer) => {
    output += data
  })
  return {
    output: () => output,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
