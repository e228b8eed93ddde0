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

/** A certificate for `localhost` and an address, signed by an authority of its own or of another server. */
export interface ServerCertificate {
  key: string
  certificate: string
  authority: string
  authorityKey: string
  address: string
  /** SHA-256 of the server's SubjectPublicKeyInfo, in hexadecimal. */
  pin: string
}

export async function makeServerCertificate(
  folder: string,
  keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  { address = '127.0.0.1', like }: { address?: string; like?: ServerCertificate } = {},
): Promise<ServerCertificate> {
  const { path, missing } = peer('openssl')
  if (!path) throw new Error(missing)
  const file = (name: string): string => join(folder, name)
  const openssl = async (...args: string[]): Promise<void> => {
    const { status, output } = await run(path, args)
    if (status !== 0) throw new Error(output)
  }
  const subject = (name: string): string[] => ['-subj', `/CN=${name}`, '-nodes']
  const authority = like?.authority ?? file('ca.pem')
  const authorityKey = like?.authorityKey ?? file('ca.key')
  if (!like) {
    const place = ['-days', '30', '-keyout', authorityKey, '-out', authority]
    await openssl('req', '-x509', ...keyOptions, ...subject('Test authority'), ...place)
  }
  await openssl('req', ...keyOptions, ...subject('localhost'), '-keyout', file('key.pem'), '-out', file('request.pem'))
  writeFileSync(
    file('extensions'),
    `subjectAltName=DNS:localhost,IP:${address}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n`,
  )
  await openssl(
    'x509',
    '-req',
    '-in',
    file('request.pem'),
    '-CA',
    authority,
    '-CAkey',
    authorityKey,
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
    authority,
    authorityKey,
    address,
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

/** chronyd as a server on its own clock, at the certificate's address. */
export async function startChronyServer(
  folder: string,
  certificate: ServerCertificate,
  stratum = 1,
): Promise<ChronyServer> {
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
      `local stratum ${stratum}`,
      'allow 127.0.0.0/8',
      `bindaddress ${certificate.address}`,
      `port ${ntpPort}`,
      `ntsport ${kePort}`,
      `ntsserverkey ${certificate.key}`,
      `ntsservercert ${certificate.certificate}`,
      `ntsntpserver ${certificate.address}`,
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
