// The client's side of NTS Key Establishment (RFC 8915, sections 4 and 5.1) over Node's TLS 1.3.
//
// In: host, port, trusted authorities, AEAD algorithms. Out: a `Session` with keys and cookies for NTPv4, or an `AskFailure`.
// Nothing is sent before the certificate has been accepted.

import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { AeadId, aeadName, algorithm, SUPPORTED_AEADS } from './aead'
import { AskFailure, AskStatus } from './failure'
import { decodeMessage, decodeNumbers, encodeRequest, type KeRecord, NTPV4, RecordType } from './records'

export interface KeyExchangeOptions {
  host: string
  port?: number
  /** PEM of the authorities to trust; the system's list when absent. */
  ca?: string
  /** IANA numbers, the preferred one first. */
  aeads?: readonly number[]
  /** Say that we derive the keys of AEAD 30 as RFC 8915 says (chrony's record 1024). */
  compliantExport?: boolean
  /** For the whole exchange. */
  timeoutMillis?: number
  /** Carries the bytes in place of a TCP connection to host and port. */
  transport?: Duplex
  /**
   * The time by which the certificate is judged, for servers in virtual time; the host's clock when absent. Its signer must
   * then be one of `ca` itself.
   */
  now?: Date
}

/** The server's certificate, for people. */
export interface CertificateSummary {
  subject: string
  issuer: string
  /** DNS names and addresses. */
  names: string[]
  notBefore: Date
  notAfter: Date
}

export interface Keys {
  c2s: Uint8Array
  s2c: Uint8Array
}

/** What a key exchange leaves: all that NTP needs. `ntsQuery` uses cookies up and adds new ones. */
export interface Session {
  host: string
  /** Address and port of the key exchange. */
  address: string
  port: number
  tls: { protocol: string; cipher: string; group: string }
  certificate: CertificateSummary
  aead: number
  /** True when the server agreed to the compliant exporter context. */
  compliantExport: boolean
  keys: Keys
  /** The keys with the other exporter context, when it is not certain which one the server uses. */
  otherKeys: Keys | undefined
  cookies: Uint8Array[]
  ntpHost: string
  ntpPort: number
  millis: number
}

export const KE_PORT = 4460
export const NTP_PORT = 123
const ALPN = 'ntske/1'
const EXPORTER_LABEL = 'EXPORTER-network-time-security'
const TIMEOUT_MILLIS = 5000
/** Longest answer that is read: far more than eight cookies need. */
const ANSWER_MAX = 65_536

/** Runs one key exchange. */
export async function keyExchange(options: KeyExchangeOptions): Promise<Session> {
  const started = performance.now()
  const aeads = options.aeads ?? [AeadId.Aes128GcmSiv, AeadId.AesSivCmac256]
  const compliantExport = options.compliantExport ?? aeads.includes(AeadId.Aes128GcmSiv)
  const socket = open(options)
  try {
    await inTime(secured(socket), options, started, AskStatus.Unreachable, 'the handshake')
    // Node 20 gives the certificate to the first caller only.
    const leaf = socket.getPeerX509Certificate()
    if (!leaf) throw new AskFailure(AskStatus.Tls, 'the server showed no certificate')
    const certificate = summary(leaf)
    requireCertificate(socket, options, leaf)
    requireAlpn(socket)
    socket.write(encodeRequest(aeads, compliantExport))
    const records = await inTime(answer(socket), options, started, AskStatus.BadKeyExchange, 'its answer')
    const agreed = session(socket, options, records, aeads, compliantExport)
    return { ...agreed, certificate, millis: performance.now() - started }
  } catch (error) {
    throw error instanceof AskFailure ? error : connectionFailure(error, options)
  } finally {
    socket.destroy()
  }
}

function open(options: KeyExchangeOptions): TLSSocket {
  const { host, port = KE_PORT, ca, transport } = options
  return connect({
    ...(transport === undefined ? { host, port } : { socket: transport }),
    ...(ca === undefined ? {} : { ca }),
    // An address must not go into SNI (RFC 6066, section 3).
    ...(isIP(host) ? {} : { servername: host }),
    ALPNProtocols: [ALPN],
    minVersion: 'TLSv1.3',
    // `requireCertificate` decides, so that it can tell what the certificate says.
    rejectUnauthorized: false,
  })
}

/** `promise`, or after the exchange's time limit a failure which says what did not come. */
async function inTime<T>(
  promise: Promise<T>,
  options: KeyExchangeOptions,
  started: number,
  status: AskStatus,
  what: string,
): Promise<T> {
  const limit = options.timeoutMillis ?? TIMEOUT_MILLIS
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const failure = new AskFailure(status, `${place(options)} did not finish ${what} within ${limit} ms`)
    timer = setTimeout(() => reject(failure), Math.max(0, started + limit - performance.now()))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
}

function place(options: KeyExchangeOptions): string {
  return `${options.host} port ${options.port ?? KE_PORT}`
}

// The certificate.

/** Node has checked the chain, the dates and the name by the time of 'secureConnect', and left its verdict. */
function requireCertificate(socket: TLSSocket, options: KeyExchangeOptions, leaf: X509Certificate): void {
  const { host, now } = options
  // The verdict is a code, though its type says Error.
  const code = now ? verdictAt(leaf, options, now) : socket.authorized ? '' : String(socket.authorizationError)
  if (code === '') return
  throw new AskFailure(AskStatus.Certificate, certificateSentence(code, host, summary(leaf), now ?? new Date()))
}

/** What Node's verdict would be if it were `now`, for a certificate that an authority of `ca` has signed; '' is good. */
function verdictAt(leaf: X509Certificate, { host, ca = '' }: KeyExchangeOptions, now: Date): string {
  const authority = authorities(ca).find((other) => leaf.checkIssued(other) && leaf.verify(other.publicKey))
  if (!authority?.ca) return 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  for (const { validFrom, validTo } of [authority, leaf]) {
    if (now < new Date(validFrom)) return 'CERT_NOT_YET_VALID'
    if (now > new Date(validTo)) return 'CERT_HAS_EXPIRED'
  }
  return (isIP(host) ? leaf.checkIP(host) : leaf.checkHost(host)) ? '' : 'ERR_TLS_CERT_ALTNAME_INVALID'
}

function authorities(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

function certificateSentence(code: string, host: string, certificate: CertificateSummary, now: Date): string {
  const day = (date: Date): string => date.toISOString().slice(0, 16).replace('T', ' ')
  const { issuer, notBefore, notAfter } = certificate
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${host} expired at ${day(notAfter)} UTC; here it is ${day(now)} UTC`
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${host} is not valid before ${day(notBefore)} UTC; here it is ${day(now)} UTC`
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return `the certificate of ${host} is signed by "${issuer}", which is not trusted here: give its CA file with --ca`
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return `the certificate of ${host} is self-signed and not trusted here: give it with --ca`
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate is not for ${host} but for ${certificate.names.join(', ') || certificate.subject}`
    default:
      return `the certificate of ${host} was rejected: ${code.toLowerCase().replaceAll('_', ' ')}`
  }
}

function summary(certificate: X509Certificate): CertificateSummary {
  const names = (certificate.subjectAltName ?? '').split(', ').filter((name) => name !== '')
  return {
    subject: certificate.subject,
    issuer: certificate.issuer,
    names: names.map((name) => name.replace(/^(DNS|IP Address):/, '')),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
  }
}

function requireAlpn(socket: TLSSocket): void {
  if (socket.alpnProtocol === ALPN) return
  throw new AskFailure(AskStatus.NoAlpn, `the server speaks TLS but did not agree to "${ALPN}": it is no NTS-KE server`)
}

// The answer.

function answer(socket: TLSSocket): Promise<KeRecord[]> {
  return new Promise((resolve, reject) => {
    let data = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      data = Buffer.concat([data, chunk])
      const records = decodeMessage(data)
      if (records) resolve(records)
      else if (data.length > ANSWER_MAX) reject(bad(`its answer is longer than ${ANSWER_MAX} bytes`))
    })
    socket.once('end', () => reject(bad(`the server closed after ${data.length} bytes, before End of Message`)))
    socket.once('close', () => reject(bad(`the connection broke after ${data.length} bytes, before End of Message`)))
    socket.on('error', (error) => reject(bad(`the connection broke: ${error.message}`)))
  })
}

function bad(what: string): AskFailure {
  return new AskFailure(AskStatus.BadKeyExchange, `the key exchange went wrong: ${what}`)
}

const ERRORS = ['unrecognized critical record', 'bad request', 'internal server error']

function session(
  socket: TLSSocket,
  options: KeyExchangeOptions,
  records: KeRecord[],
  aeads: readonly number[],
  offeredCompliant: boolean,
): Omit<Session, 'certificate' | 'millis'> {
  refuseErrors(records)
  refuseUnknownCritical(records)
  const protocols = decodeNumbers(only(records, RecordType.NextProtocol, 'Next Protocol').body)
  if (protocols?.length !== 1 || protocols[0] !== NTPV4) throw bad('the server did not agree to NTPv4')
  const aead = chosenAead(records, aeads)
  const compliantExport = offeredCompliant && records.some(({ type }) => type === RecordType.CompliantExport)
  const cookies = records.filter(({ type }) => type === RecordType.NewCookie).map(({ body }) => Uint8Array.from(body))
  if (cookies.length === 0) throw new AskFailure(AskStatus.NoCookies, 'the server sent no cookies')
  const address = socket.remoteAddress ?? options.host
  const cipher = socket.getCipher()
  return {
    host: options.host,
    address,
    port: options.port ?? KE_PORT,
    tls: { protocol: socket.getProtocol() ?? '?', cipher: cipher.standardName ?? cipher.name, group: group(socket) },
    aead,
    compliantExport,
    ...exportKeys(socket, aead, compliantExport),
    cookies,
    ntpHost: ntpServer(records) ?? address,
    ntpPort: ntpPort(records) ?? NTP_PORT,
  }
}

function refuseErrors(records: KeRecord[]): void {
  for (const { type, body } of records) {
    if (type !== RecordType.Error && type !== RecordType.Warning) continue
    const code = decodeNumbers(body)?.[0]
    const kind = type === RecordType.Error ? 'error' : 'warning'
    const meaning = type === RecordType.Error && code !== undefined ? ERRORS[code] : undefined
    throw new AskFailure(
      AskStatus.KeyExchangeError,
      `the server answered the key exchange with ${kind} ${code ?? '?'} (${meaning ?? 'not defined by RFC 8915'})`,
    )
  }
}

function refuseUnknownCritical(records: KeRecord[]): void {
  const unknown = records.find(({ critical, type }) => critical && RecordType[type] === undefined)
  if (unknown) throw bad(`the answer has a critical record of unknown type ${unknown.type}`)
}

/** The one record of a type. */
function only(records: KeRecord[], type: RecordType, name: string): KeRecord {
  const found = records.filter((record) => record.type === type)
  if (found.length !== 1) throw bad(`the answer has ${found.length} ${name} records instead of one`)
  return found[0]!
}

function atMostOne(records: KeRecord[], type: RecordType, name: string): KeRecord | undefined {
  return records.some((record) => record.type === type) ? only(records, type, name) : undefined
}

function chosenAead(records: KeRecord[], offered: readonly number[]): number {
  const chosen = decodeNumbers(only(records, RecordType.AeadAlgorithm, 'AEAD Algorithm').body)
  if (chosen === undefined || chosen.length > 1) throw bad('the AEAD Algorithm record is malformed')
  const aead = chosen[0]
  if (aead === undefined) {
    const names = offered.map((id) => `${id} (${aeadName(id)})`).join(', ')
    throw new AskFailure(AskStatus.NoCommonAead, `the server supports none of the AEAD algorithms offered: ${names}`)
  }
  if (!offered.includes(aead) || !SUPPORTED_AEADS.includes(aead))
    throw bad(`the server chose AEAD ${aead}, not offered`)
  return aead
}

/** The host that the server names; a name with a dot in it is fully qualified (RFC 8915, section 4.1.7). */
function ntpServer(records: KeRecord[]): string | undefined {
  const record = atMostOne(records, RecordType.NtpServer, 'NTPv4 Server')
  if (!record) return undefined
  const name = Buffer.from(record.body).toString('latin1')
  if (!/^[A-Za-z0-9.:-]{1,253}$/.test(name)) throw bad('the NTPv4 Server record holds no host name')
  return isIP(name) || !name.includes('.') || name.endsWith('.') ? name : `${name}.`
}

function ntpPort(records: KeRecord[]): number | undefined {
  const record = atMostOne(records, RecordType.NtpPort, 'NTPv4 Port')
  if (!record) return undefined
  const port = record.body.length === 2 ? decodeNumbers(record.body)![0]! : 0
  if (port === 0) throw bad('the NTPv4 Port record holds no port')
  return port
}

// The keys.

/** Without agreement on record 1024, chrony's servers put 15 into the context and others 30: then both are kept. */
function exportKeys(socket: TLSSocket, aead: number, compliant: boolean): { keys: Keys; otherKeys: Keys | undefined } {
  const right = keysWithContext(socket, aead, aead)
  if (aead !== AeadId.Aes128GcmSiv || compliant) return { keys: right, otherKeys: undefined }
  return { keys: keysWithContext(socket, aead, AeadId.AesSivCmac256), otherKeys: right }
}

/** `protocol u16 | aead u16 | 0 for C2S, 1 for S2C` (RFC 8915, section 5.1). */
function keysWithContext(socket: TLSSocket, aead: number, contextAead: number): Keys {
  const key = (direction: number): Uint8Array => {
    const context = Buffer.from([0, NTPV4, contextAead >> 8, contextAead & 0xff, direction])
    return Uint8Array.from(socket.exportKeyingMaterial(algorithm(aead).keyLength, EXPORTER_LABEL, context))
  }
  return { c2s: key(0), s2c: key(1) }
}

function group(socket: TLSSocket): string {
  const info = socket.getEphemeralKeyInfo() as { name?: string } | null
  return info?.name ?? '?'
}

// Failures of name service, TCP and TLS.

function connectionFailure(error: unknown, options: KeyExchangeOptions): AskFailure {
  const { code = '', message } = error as { code?: string; message: string }
  const where = place(options)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA') {
    return new AskFailure(AskStatus.UnknownHost, `there is no address for the name ${options.host}`)
  }
  if (code === 'ECONNREFUSED') return new AskFailure(AskStatus.Unreachable, `${where} refuses connections`)
  if (/^E(HOSTUNREACH|NETUNREACH|TIMEDOUT|ADDRNOTAVAIL|ACCES|INVAL)$/.test(code)) {
    return new AskFailure(AskStatus.Unreachable, `${where} cannot be reached (${code})`)
  }
  if (code.includes('NO_APPLICATION_PROTOCOL')) {
    return new AskFailure(AskStatus.NoAlpn, `${where} refuses the protocol "${ALPN}": it is no NTS-KE server`)
  }
  return new AskFailure(AskStatus.Tls, `the TLS handshake with ${where} failed: ${tlsReason(code, message)}`)
}

function tlsReason(code: string, message: string): string {
  if (code === 'ECONNRESET' || message === 'closed') return 'the server closed the connection'
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code.includes('PACKET_LENGTH')) return 'the server does not speak TLS'
  if (/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/.test(code)) return 'the server does not speak TLS 1.3'
  const words = code
    .replace(/^ERR_SSL_/, '')
    .toLowerCase()
    .replaceAll('_', ' ')
  return words || message
}
