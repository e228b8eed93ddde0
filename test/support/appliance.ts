// Starts `noonmark up` as a user would, on free loopback ports with a state folder of its own, and stops it again.

import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface Appliance {
  readonly state: string
  readonly ntpPort: number
  readonly kePort: number
  readonly ca: string
  /** Milliseconds from the start of the process to its `ready` line. */
  readonly readyAfter: number
  /** All that it printed on stdout so far. */
  output(): string
  errors(): string
  /** Sends SIGINT, as Ctrl-C does; resolves to the exit status. */
  stop(): Promise<number | null>
}

/** A folder that is removed by `dispose()`. */
export function temporaryFolder(): { path: string; dispose(): void } {
  const path = mkdtempSync(join(tmpdir(), 'noonmark-test-'))
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) }
}

export async function freeTcpPort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}

/** Boots the appliance and waits for its `ready` line, at most `timeout` milliseconds. */
export async function startAppliance(
  state: string,
  options: { ntpPort?: number; kePort?: number; extra?: string[]; timeout?: number } = {},
): Promise<Appliance> {
  const ntpPort = options.ntpPort ?? (await freeUdpPort())
  const kePort = options.kePort ?? (await freeTcpPort())
  const begun = performance.now()
  const child = spawn(
    process.execPath,
    [
      join(ROOT, 'bin/noonmark.mjs'),
      'up',
      '--state',
      state,
      '--ntp-port',
      String(ntpPort),
      '--ke-port',
      String(kePort),
      ...(options.extra ?? []),
    ],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  let errors = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const ca = await ready(child, () => output, options.timeout ?? 30_000).catch(async (error: Error) => {
    await end(child)
    throw new Error(`${error.message}\nstdout: ${output}\nstderr: ${errors}`)
  })
  return {
    state,
    ntpPort,
    kePort,
    ca,
    readyAfter: performance.now() - begun,
    output: () => output,
    errors: () => errors,
    stop: () => end(child),
  }
}

/** The path of ca.pem from the `ready` line. */
async function ready(child: ChildProcess, output: () => string, timeout: number): Promise<string> {
  const deadline = performance.now() + timeout
  while (performance.now() < deadline) {
    const line = /^ready ntp=\S+:\d+ ke=\S+:\d+ ca=(.+) name=\S+$/m.exec(output())
    if (line?.[1]) return line[1]
    if (child.exitCode !== null) throw new Error(`noonmark up ended with status ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`noonmark up printed no ready line within ${timeout} ms`)
}

async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  const [status] = (await once(child, 'exit')) as [number | null]
  clearTimeout(timer)
  return status
}
