// One NTP exchange over UDP: plain (RFC 5905) or with NTS (RFC 8915, section 5).
//
// In: an address or a `Session`. Out: a `Sample`, or an `AskFailure`. The request's transmit timestamp is random, so that it
// tells nothing about this host's clock and a reply that repeats it answers this request. Offsets are seconds: positive
// when the server's clock is ahead of this host's.

import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { algorithm } from './aead'
import { AskFailure, AskStatus } from './failure'
import { NTP_PORT, type Session } from './key_exchange'
import {
  decodeFields,
  decodeHeader,
  encodeField,
  encodeHeader,
  FieldType,
  formatReferenceId,
  type Nanos,
  NTP_HEADER,
  type NtpHeader,
  nanosFromTimestamp,
  seal,
  unseal,
} from './packet'

export interface QueryOptions {
  timeoutMillis?: number
}

export interface Sample {
  /** Server minus this host, in seconds. */
  offset: number
  /** Round trip without the server's own time, in seconds. */
  delay: number
  /** Time between the server's two timestamps, in seconds. */
  turnaround: number
  header: NtpHeader
  referenceId: string
  /** Server's receive and transmit time, and ours of sending and of arrival. */
  t1: Nanos
  t2: Nanos
  t3: Nanos
  t4: Nanos
  /** Cookies that came with the reply; 0 without NTS. */
  newCookies: number
  requestLength: number
  replyLength: number
}

/** Cookies that a client keeps (RFC 8915, section 5.7). */
const COOKIES = 8
/** Requests with placeholders stay below this, so that no datagram is fragmented. */
const REQUEST_MAX = 1280
const UNIQUE_IDENTIFIER_LENGTH = 32
const TIMEOUT_MILLIS = 2000
/** 2^16 log2 units would be absurd: LI 3 is "unknown", stratum 16 and above "unsynchronised" (RFC 5905, figure 11). */
const LEAP_UNKNOWN = 3
const STRATUM_UNSYNCHRONISED = 16

/** True when the server says that it has no time to give. */
export function isUnsynchronised({ header }: Sample): boolean {
  return header.leap === LEAP_UNKNOWN || header.stratum === 0 || header.stratum >= STRATUM_UNSYNCHRONISED
}

/** One exchange without authentication. */
export async function ntpQuery(options: { host: string; port?: number } & QueryOptions): Promise<Sample> {
  const transmit = randomBytes(8).readBigUInt64BE()
  return exchange(options.host, options.port ?? NTP_PORT, options, encodeHeader(transmit), (packet) => {
    const header = ownReply(packet, transmit)
    if (header?.stratum === 0) throw kiss(header)
    return header && { header, newCookies: 0 }
  })
}

/**
 * One exchange with NTS. Takes a cookie from the session and puts the new ones in. When the server's exporter context is in doubt
 * and it answers the first guess with NTS NAK, the other one is tried, once.
 */
export async function ntsQuery(session: Session, options: QueryOptions = {}): Promise<Sample> {
  try {
    return await ntsExchange(session, options)
  } catch (error) {
    if (!(error instanceof AskFailure) || error.status !== AskStatus.Nak || !session.otherKeys) throw error
    session.keys = session.otherKeys
    session.otherKeys = undefined
    session.compliantExport = true
    return await ntsExchange(session, options)
  }
}

async function ntsExchange(session: Session, options: QueryOptions): Promise<Sample> {
  const cookie = session.cookies.shift()
  if (!cookie) throw new AskFailure(AskStatus.NoCookies, 'there are no cookies left for another request')
  const transmit = randomBytes(8).readBigUInt64BE()
  const identifier = randomBytes(UNIQUE_IDENTIFIER_LENGTH)
  const request = ntsRequest(session, cookie, transmit, identifier)
  return exchange(session.ntpHost, session.ntpPort, options, request, (packet) => {
    const header = ownReply(packet, transmit)
    const fields = header && decodeFields(packet, NTP_HEADER)
    const echo = fields?.find(({ type }) => type === FieldType.UniqueIdentifier)
    // Whoever does not know the identifier did not see the request: RFC 8915, section 5.7, has such packets dropped.
    if (!header || !fields || !echo || !identifier.equals(echo.body)) return undefined
    const authenticator = fields.find(({ type }) => type === FieldType.Authenticator)
    if (!authenticator) {
      if (header.stratum === 0) throw kiss(header)
      throw new AskFailure(AskStatus.BadAuthenticator, 'the server answered an NTS request without an authenticator')
    }
    const plaintext = unseal(session.aead, session.keys.s2c, packet, authenticator)
    if (!plaintext || echo.offset > authenticator.offset) {
      throw new AskFailure(AskStatus.BadAuthenticator, "the authenticator of the server's reply is wrong")
    }
    if (header.stratum === 0) throw kiss(header)
    return { header, newCookies: keepCookies(session, plaintext) }
  })
}

/** Unique identifier, cookie, placeholders for the cookies that are missing, authenticator without plaintext. */
export function ntsRequest(
  session: Session,
  cookie = session.cookies[0] ?? new Uint8Array(0),
  transmit = randomBytes(8).readBigUInt64BE(),
  identifier: Uint8Array = randomBytes(UNIQUE_IDENTIFIER_LENGTH),
  header = encodeHeader(transmit),
): Uint8Array {
  const { aead, keys, cookies } = session
  const cookieField = encodeField(FieldType.Cookie, cookie)
  const placeholder = encodeField(FieldType.CookiePlaceholder, new Uint8Array(cookieField.length - 4))
  const room = Math.floor((REQUEST_MAX - 200 - cookieField.length) / cookieField.length)
  const missing = Math.max(0, Math.min(COOKIES - 1 - cookies.length, room))
  const packet = Buffer.concat([
    header,
    encodeField(FieldType.UniqueIdentifier, identifier),
    cookieField,
    ...Array<Uint8Array>(missing).fill(placeholder),
  ])
  return seal(aead, keys.c2s, randomBytes(algorithm(aead).nonceLength), packet, new Uint8Array(0))
}

/** Adds the cookies among the decrypted fields to the session; returns how many. */
function keepCookies(session: Session, plaintext: Uint8Array): number {
  const fields = decodeFields(plaintext, 0) ?? []
  const cookies = fields.filter(({ type }) => type === FieldType.Cookie).map(({ body }) => Uint8Array.from(body))
  session.cookies.push(...cookies)
  return cookies.length
}

/** The header of a version-4 server packet that repeats our transmit timestamp. */
function ownReply(packet: Uint8Array, transmit: bigint): NtpHeader | undefined {
  const header = decodeHeader(packet)
  return header?.mode === 4 && header.version === 4 && header.origin === transmit ? header : undefined
}

function kiss(header: NtpHeader): AskFailure {
  const code = formatReferenceId(header)
  if (code === 'NTSN') {
    return new AskFailure(AskStatus.Nak, 'the server answered NTSN (NTS NAK): it cannot use the cookie or the keys')
  }
  return new AskFailure(AskStatus.KissOfDeath, `the server answered with the kiss code ${code}`)
}

/** Sends a request and gives replies to `judge` until it returns what it made of one, or throws. */
async function exchange(
  host: string,
  port: number,
  options: QueryOptions,
  request: Uint8Array,
  judge: (packet: Uint8Array) => { header: NtpHeader; newCookies: number } | undefined,
): Promise<Sample> {
  const { address, family } = await resolve(host)
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  try {
    await connected(socket, port, address)
    return await new Promise<Sample>((done, fail) => {
      const limit = options.timeoutMillis ?? TIMEOUT_MILLIS
      const late = new AskFailure(AskStatus.NtpTimeout, `no NTP reply from ${address} port ${port} within ${limit} ms`)
      const timer = setTimeout(() => fail(late), limit)
      let t1: Nanos = 0n
      socket.on('error', (error) => fail(unreachable(error, address, port)))
      socket.on('message', (packet) => {
        const t4 = now()
        try {
          const reply = judge(packet)
          if (reply) done(sample(reply.header, t1, t4, reply.newCookies, request.length, packet.length))
        } catch (error) {
          fail(error)
        }
      })
      socket.once('close', () => clearTimeout(timer))
      t1 = now()
      socket.send(request)
    })
  } finally {
    socket.close()
  }
}

async function resolve(host: string): Promise<{ address: string; family: number }> {
  try {
    return await lookup(host)
  } catch {
    throw new AskFailure(AskStatus.UnknownHost, `there is no address for the NTP server's name ${host}`)
  }
}

/** A connected socket hears of refused ports, and takes packets from this server only. */
function connected(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(unreachable(error, address, port)))
    socket.connect(port, address, () => {
      socket.removeAllListeners('error')
      resolve()
    })
  })
}

function unreachable(error: Error & { code?: string }, address: string, port: number): AskFailure {
  const refused = error.code === 'ECONNREFUSED'
  const what = refused ? 'nobody listens there' : (error.code ?? error.message)
  return new AskFailure(AskStatus.NtpTimeout, `no NTP reply from ${address} port ${port}: ${what}`)
}

/** Offset and delay (RFC 5905, section 8). */
function sample(
  header: NtpHeader,
  t1: Nanos,
  t4: Nanos,
  newCookies: number,
  requestLength: number,
  replyLength: number,
): Sample {
  const t2 = nanosFromTimestamp(header.receive, t4)
  const t3 = nanosFromTimestamp(header.transmit, t4)
  return {
    offset: Number(t2 - t1 + (t3 - t4)) / 2e9,
    delay: Number(t4 - t1 - (t3 - t2)) / 1e9,
    turnaround: Number(t3 - t2) / 1e9,
    header,
    referenceId: formatReferenceId(header),
    t1,
    t2,
    t3,
    t4,
    newCookies,
    requestLength,
    replyLength,
  }
}

/** Where the monotonic clock stood at the epoch; the host's clock is read once, as finely as Node gives it. */
const EPOCH = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)) - process.hrtime.bigint()

/** This host's time in nanoseconds since 1970. */
function now(): Nanos {
  return EPOCH + process.hrtime.bigint()
}
