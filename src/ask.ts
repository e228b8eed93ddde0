// `noonmark ask HOST`: asks an NTS server for the time and prints what it says, from the TLS suite to the root dispersion.
//
// It shares no code with the firmware: Node's TLS and @noble/ciphers, so its word on the appliance is a second opinion. Each way of failing
// has its sentence on stderr and its exit status (`AskStatus` in nts/failure.ts).

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { aeadName, SUPPORTED_AEADS } from './nts/aead'
import { AskFailure, AskStatus } from './nts/failure'
import { keyExchange, type Session } from './nts/key_exchange'
import { isUnsynchronised, ntsQuery, type Sample } from './nts/query'

export { AskFailure, AskStatus } from './nts/failure'
export { type KeyExchangeOptions, keyExchange, type Session } from './nts/key_exchange'
export { isUnsynchronised, ntpQuery, ntsQuery, type QueryOptions, type Sample } from './nts/query'

export interface AskOptions {
  kePort?: number
  /** Path of a PEM file with the authorities to trust instead of the system's list. */
  ca?: string
  /** How many NTP exchanges; 4 unless told. */
  samples?: number
  /** AEAD algorithms to offer, the preferred one first. */
  aead?: number[]
  /** Limit for the key exchange, and for each NTP exchange; the defaults are 5 s and 2 s. */
  timeoutMillis?: number
  /** Between two NTP exchanges; 250 ms unless told. */
  intervalMillis?: number
}

/** Where lines go. */
export interface Output {
  out(line: string): void
  err(line: string): void
}

const CONSOLE: Output = { out: (line) => console.log(line), err: (line) => console.error(line) }
const SAMPLES = 4
const INTERVAL_MILLIS = 250
const DAY_MILLIS = 86_400_000

/** Runs the command; resolves to the exit status. */
export async function askCommand(host: string, options: AskOptions = {}, output: Output = CONSOLE): Promise<AskStatus> {
  try {
    const session = await keyExchange(exchangeOptions(host, options))
    printSession(session, output)
    return await takeSamples(session, options, output)
  } catch (error) {
    return report(error, output)
  }
}

function report(error: unknown, output: Output): AskStatus {
  if (!(error instanceof AskFailure)) {
    output.err(`noonmark ask: internal error: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
    return AskStatus.Internal
  }
  output.err(`noonmark ask: ${error.message}.`)
  return error.status
}

function exchangeOptions(host: string, options: AskOptions) {
  const { kePort, ca, aead, timeoutMillis } = options
  const unknown = aead?.find((id) => !SUPPORTED_AEADS.includes(id))
  if (unknown !== undefined) {
    throw new AskFailure(AskStatus.Usage, `AEAD ${unknown} is none of ${SUPPORTED_AEADS.join(', ')}`)
  }
  return {
    host,
    ...(kePort === undefined ? {} : { port: kePort }),
    ...(ca === undefined ? {} : { ca: readAuthorities(ca) }),
    ...(aead === undefined || aead.length === 0 ? {} : { aeads: aead }),
    ...(timeoutMillis === undefined ? {} : { timeoutMillis }),
  }
}

function readAuthorities(path: string): string {
  let pem: string
  try {
    pem = readFileSync(path, 'utf8')
  } catch (error) {
    throw new AskFailure(AskStatus.Usage, `cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`)
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new AskFailure(AskStatus.Usage, `${path} holds no PEM certificate`)
  return pem
}

// The session.

function printSession(session: Session, { out }: Output): void {
  const { certificate, tls, cookies } = session
  const lengths = [...new Set(cookies.map(({ length }) => length))].join(', ')
  const day = (date: Date): string => date.toISOString().slice(0, 10)
  const left = Math.floor((certificate.notAfter.getTime() - Date.now()) / DAY_MILLIS)
  out(`Server       ${session.host} (${session.address}) port ${session.port}`)
  out(
    `TLS          ${tls.protocol}, ${tls.cipher}, ${tls.group}, ${session.millis.toFixed(0)} ms with the key exchange`,
  )
  out(`Certificate  ${oneLine(certificate.subject)}, issued by ${oneLine(certificate.issuer)}`)
  out(`Names        ${certificate.names.join(', ')}`)
  out(`Valid        ${day(certificate.notBefore)} to ${day(certificate.notAfter)}, ${left} days left`)
  out(
    `AEAD         ${session.aead} (${aeadName(session.aead)})${session.otherKeys ? ', exporter context not agreed' : ''}`,
  )
  out(`Cookies      ${cookies.length} of ${lengths} bytes`)
  out(`NTP          ${session.ntpHost} port ${session.ntpPort}`)
  out('')
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ')
}

// The samples.

/** A lost packet is no failure as long as another one arrives; anything else ends the run. */
async function takeSamples(session: Session, options: AskOptions, output: Output): Promise<AskStatus> {
  const count = options.samples ?? SAMPLES
  const limit = options.timeoutMillis === undefined ? {} : { timeoutMillis: options.timeoutMillis }
  const samples: Sample[] = []
  let lost: AskFailure | undefined
  output.out(row('#', 'offset', 'delay', 'stratum', 'refid', 'leap', 'root dispersion'))
  for (let i = 1; i <= count; i++) {
    if (i > 1) await pause(options.intervalMillis ?? INTERVAL_MILLIS)
    try {
      const sample = await ntsQuery(session, limit)
      samples.push(sample)
      output.out(formatSample(i, sample))
    } catch (error) {
      if (!(error instanceof AskFailure) || error.status !== AskStatus.NtpTimeout) throw error
      lost = error
      output.out(row(`${i}`, 'lost', '', '', '', '', '').trimEnd())
    }
  }
  if (samples.length === 0 && lost) throw lost
  printSummary(samples, count, output)
  return verdict(samples)
}

/** One line of the table: seven columns. */
function row(...cells: [string, string, string, string, string, string, string]): string {
  const widths = [4, 12, 12, 8, 10, 5, 16]
  return cells.map((cell, i) => cell.padStart(widths[i]!)).join('')
}

function formatSample(number: number, { offset, delay, header, referenceId }: Sample): string {
  const { stratum, leap, rootDispersion } = header
  const times = [formatSeconds(offset, true), formatSeconds(delay)] as const
  return row(`${number}`, ...times, `${stratum}`, referenceId, `${leap}`, formatSeconds(rootDispersion))
}

function printSummary(samples: Sample[], count: number, { out }: Output): void {
  if (samples.length === 0) return
  const best = samples.reduce((a, b) => (b.delay < a.delay ? b : a))
  const offsets = samples.map(({ offset }) => offset).sort((a, b) => a - b)
  const spread = offsets.at(-1)! - offsets[0]!
  const { requestLength, replyLength } = samples.at(-1)!
  out('')
  out(
    `${samples.length} of ${count} answered, all authenticated; request ${requestLength} bytes, reply ${replyLength} bytes.`,
  )
  out(
    `This clock is ${formatSeconds(Math.abs(best.offset))} ${best.offset >= 0 ? 'behind' : 'ahead of'} the server, ` +
      `+-${formatSeconds(best.delay / 2 + best.header.rootDelay / 2 + best.header.rootDispersion)} ` +
      `(sample with the least delay; offsets spread over ${formatSeconds(spread)}).`,
  )
}

function verdict(samples: Sample[]): AskStatus {
  const bad = samples.find(isUnsynchronised)
  if (!bad) return AskStatus.Ok
  const { leap, stratum } = bad.header
  throw new AskFailure(
    AskStatus.Unsynchronised,
    `the server is not synchronised (leap indicator ${leap}, stratum ${stratum}): its time is not to be used`,
  )
}

/** Seconds with a unit that suits them: "12.3 us", "-1.250 ms", "3.5 s". */
export function formatSeconds(seconds: number, signed = false): string {
  const size = Math.abs(seconds)
  const sign = signed && seconds >= 0 ? '+' : ''
  if (size >= 1) return `${sign}${seconds.toFixed(3)} s`
  if (size >= 1e-3) return `${sign}${(seconds * 1e3).toFixed(3)} ms`
  return `${sign}${(seconds * 1e6).toFixed(1)} us`
}
