// Real NTS servers for the appliance to ask: chronyd and NTPsec's ntpd, on loopback and high ports, with a private authority.
// Neither may set the machine's clock.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { debianEnvironment } from '../../bin/debian.mjs'
import { freeTcpPort, freeUdpPort } from './appliance'
import { peer, run } from './peers'

/** A certificate for `localhost` and 127.0.0.1, signed by an authority of its own. */
export interface ServerCertificate {
  key: string
  certificate: string
  authority: string
  /** SHA-256 of the server's SubjectPublicKeyInfo, in hexadecimal. */
  pin: string
}

export async function makeServerCertificate(
  folder: string,
  keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
): Promise<ServerCertificate> {
  const { path, missing } = peer('openssl')
  if (!path) throw new Error(missing)
  const file = (name: string): string => join(folder, name)
  const openssl = async (...args: string[]): Promise<void> => {
    const { status, output } = await run(path, args)
    if (status !== 0) throw new Error(output)
  }
  const subject = (name: string): string[] => ['-subj', `/CN=${name}`, '-nodes']
  await openssl(
    'req',
    '-x509',
    ...keyOptions,
    ...subject('Test authority'),
    '-days',
    '30',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
  )
  await openssl('req', ...keyOptions, ...subject('localhost'), '-keyout', file('key.pem'), '-out', file('request.pem'))
  writeFileSync(
    file('extensions'),
    'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n',
  )
  await openssl(
    'x509',
    '-req',
    '-in',
    file('request.pem'),
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-days',
    '30',
    '-sha256',
    '-extfile',
    file('extensions'),
    '-out',
    file('certificate.pem'),
  )
  const spki = new X509Certificate(readFileSync(file('certificate.pem'))).publicKey.export({
    type: 'spki',
    format: 'der',
  })
  return {
    key: file('key.pem'),
    certificate: file('certificate.pem'),
    authority: file('ca.pem'),
    pin: createHash('sha256').update(spki).digest('hex'),
  }
}

export interface NtsServer {
  readonly ntpPort: number
  readonly kePort: number
  log(): string
  stop(): Promise<void>
}

export interface ChronyServer extends NtsServer {
  /** A number of `chronyc serverstats`, by the beginning of its line. */
  statistic(name: string): Promise<number>
}

/** chronyd as a server at stratum 1 on its own clock. */
export async function startChronyServer(folder: string, certificate: ServerCertificate): Promise<ChronyServer> {
  const { path, missing } = peer('chronyd')
  const client = peer('chronyc')
  if (!path || !client.path) throw new Error(missing ?? client.missing)
  const ntpPort = await freeUdpPort()
  const kePort = await freeTcpPort()
  const directory = join(folder, 'run')
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, 0o770)
  const socket = join(directory, 'chronyd.sock')
  const config = join(folder, 'chrony.conf')
  writeFileSync(
    config,
    [
      'local stratum 1',
      'allow 127.0.0.0/8',
      'bindaddress 127.0.0.1',
      `port ${ntpPort}`,
      `ntsport ${kePort}`,
      `ntsserverkey ${certificate.key}`,
      `ntsservercert ${certificate.certificate}`,
      'ntsntpserver 127.0.0.1',
      `pidfile ${join(directory, 'chronyd.pid')}`,
      `bindcmdaddress ${socket}`,
      'cmdport 0',
      '',
    ].join('\n'),
  )
  const server = start(path, ['-d', '-x', '-U', '-u', 'root', '-f', config])
  return {
    ntpPort,
    kePort,
    ...server,
    statistic: async (name) => {
      const { output } = await run(client.path!, ['-h', socket, 'serverstats'])
      const line = output.split('\n').find((text) => text.startsWith(name))
      if (!line) throw new Error(`chronyc: ${output}\n${server.log()}`)
      return Number(line.split(':')[1])
    },
  }
}

/** NTPsec's ntpd as a server. Both its ports are fixed: UDP 123 and TCP 4460. */
export async function startNtpsecServer(folder: string, certificate: ServerCertificate): Promise<NtsServer> {
  const { path, missing } = peer('ntpd')
  if (!path) throw new Error(missing)
  const kePort = 4460
  const log = join(folder, 'ntpd.log')
  const config = join(folder, 'ntp.conf')
  writeFileSync(
    config,
    [
      'disable ntp',
      'interface ignore wildcard',
      'interface listen 127.0.0.1',
      // It follows nobody, and serves its own clock all the same.
      'tos orphan 3 orphanwait 1',
      'restrict 127.0.0.1',
      `nts enable`,
      `nts key ${certificate.key}`,
      `nts cert ${certificate.certificate}`,
      `nts cookie ${join(folder, 'cookies')}`,
      '',
    ].join('\n'),
  )
  const server = start('setpriv', [
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
  ])
  return {
    ntpPort: 123,
    kePort,
    ...server,
    log: () => (existsSync(log) ? readFileSync(log, 'utf8') : '') + server.log(),
  }
}

function start(path: string, args: string[]): { log(): string; stop(): Promise<void> } {
  const child: ChildProcess = spawn(path, args, { env: debianEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1')
    })
  }
  return {
    log: () => output,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
      await once(child, 'exit')
      clearTimeout(timer)
    },
  }
}
