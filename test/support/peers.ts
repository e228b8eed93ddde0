// Real clients, from Debian's packages or this machine: chronyd, NTPsec's ntpd, gnutls-cli and openssl. None may set the
// machine's clock: chronyd runs with -Q, or with -x and without CAP_SYS_TIME; ntpd without it and with its own discipline
// switched off.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { debianEnvironment, fetchDebianPackages, findProgram } from '../../bin/debian.mjs'

export interface Run {
  status: number | null
  output: string
}

const unavailable = fetchDebianPackages(['chrony', 'ntpsec', 'gnutls-bin', 'openssl'])

/** A peer's program, or the sentence that says why it is not to be had. */
export function peer(name: string): { path: string; missing?: undefined } | { path?: undefined; missing: string } {
  const path = findProgram(name)
  if (path) return { path }
  return { missing: unavailable ?? `${name} is neither in the fetched Debian packages nor on this machine` }
}

/** Runs a program to its end, at most `timeout` milliseconds; `input` is its standard input. */
export async function run(path: string, args: string[], timeout = 30_000, input = ''): Promise<Run> {
  const child = spawn(path, args, { env: debianEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('latin1')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString('latin1')
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
  const [status] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { status, output }
}

/** One measurement by `chronyd -Q`, which prints the offset and ends without setting the clock. */
export async function chronyQuery(ntpPort: number, kePort: number, ca: string, more: string[] = []): Promise<Run> {
  const { path, missing } = peer('chronyd')
  if (!path) throw new Error(missing)
  return run(path, [
    '-Q',
    '-U',
    '-u',
    userName(),
    '-t',
    '10',
    `server localhost port ${ntpPort} nts ntsport ${kePort} iburst maxsamples 4`,
    `ntstrustedcerts ${ca}`,
    ...more,
  ])
}

/** The offset in seconds that `chronyd -Q` printed ("System clock wrong by X seconds"), or undefined. */
export function chronyOffset(output: string): number | undefined {
  const match = /System clock wrong by (-?[\d.]+) seconds/.exec(output)
  return match?.[1] === undefined ? undefined : Number(match[1])
}

/** True when nothing on this machine holds UDP port 123, which NTPsec's client wants for itself. */
export async function udpPort123IsFree(): Promise<boolean> {
  const socket = createSocket('udp4')
  try {
    socket.bind(123, '0.0.0.0')
    await Promise.race([once(socket, 'listening'), once(socket, 'error').then(([error]) => Promise.reject(error))])
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}

export interface NtpsecClient {
  /** What it has logged so far. */
  log(): string
  /** The samples that it accepted so far, in seconds. Configured with `nts`, it accepts only authentic ones. */
  samples(): { offset: number; delay: number }[]
  stop(): Promise<void>
}

/** NTPsec's ntpd as a client without the right to touch the clock. `stop()` ends it. */
export function startNtpsecClient(folder: string, kePort: number, ca: string): NtpsecClient {
  const { path, missing } = peer('ntpd')
  if (!path) throw new Error(missing)
  const log = join(folder, 'ntpd.log')
  const config = join(folder, 'ntp.conf')
  writeFileSync(
    config,
    [
      'disable ntp',
      'interface ignore wildcard',
      'interface listen 127.0.0.1',
      'restrict default ignore',
      'restrict 127.0.0.1',
      `statsdir ${folder}/`,
      'filegen peerstats file peerstats type none enable',
      'statistics peerstats',
      `server localhost:${kePort} nts ca ${ca} iburst minpoll 3 maxpoll 3`,
      '',
    ].join('\n'),
  )
  const child: ChildProcess = spawn(
    'setpriv',
    [
      '--bounding-set=-sys_time',
      '--inh-caps=-sys_time',
      path,
      '-n',
      '-c',
      config,
      '-l',
      log,
      '-f',
      join(folder, 'drift'),
    ],
    { env: debianEnvironment(), stdio: 'ignore' },
  )
  const text = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')
  return {
    log: () => text(log),
    samples: () =>
      // day, second, address, status, offset, delay, dispersion, jitter
      text(join(folder, 'peerstats'))
        .split('\n')
        .filter((line) => line.includes(' 127.0.0.1 '))
        .map((line) => line.split(' ').map(Number))
        .map(([, , , , offset = Number.NaN, delay = Number.NaN]) => ({ offset, delay })),
    stop: () => ended(child),
  }
}

export interface ChronyClient {
  /** What `chronyc ntpdata` says of its server, by name. */
  data(): Promise<Record<string, string>>
  stop(): Promise<void>
}

/** chronyd as a client that stays, four requests a second, without the right to touch the clock. `server`: its options. */
export function startChronyClient(folder: string, ca: string, server: string): ChronyClient {
  const { path, missing } = peer('chronyd')
  const control = peer('chronyc')
  if (!path || !control.path) throw new Error(missing ?? control.missing)
  const socket = join(folder, 'chronyd.sock')
  const config = join(folder, 'chrony.conf')
  writeFileSync(
    config,
    [
      `server localhost ${server} minpoll -2 maxpoll -2`,
      `ntstrustedcerts ${ca}`,
      `bindcmdaddress ${socket}`,
      'cmdport 0',
      'port 0',
      `pidfile ${join(folder, 'chronyd.pid')}`,
      '',
    ].join('\n'),
  )
  const child: ChildProcess = spawn(
    'setpriv',
    ['--bounding-set=-sys_time', '--inh-caps=-sys_time', path, '-x', '-d', '-U', '-u', userName(), '-f', config],
    { env: debianEnvironment(), stdio: 'ignore' },
  )
  return {
    data: async () => {
      const { output } = await run(control.path, ['-h', socket, '-n', 'ntpdata'])
      const lines = output.split('\n').map((line) => /^(.+?) +: (.*)$/.exec(line))
      return Object.fromEntries(lines.flatMap((match) => (match ? [[match[1], match[2]]] : [])))
    },
    stop: () => ended(child),
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
  await once(child, 'exit')
  clearTimeout(timer)
}

function userName(): string {
  return spawnSync('id', ['-un'], { encoding: 'utf8' }).stdout.trim()
}
