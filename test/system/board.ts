// The whole board in virtual time, for the tests of this folder: it is asked over the wire and held against the truth.
//
// Errors are nanoseconds, positive when the served time is ahead of true UTC.

import { readFileSync } from 'node:fs'
import type { Machine } from '../../sim/machine'
import { LAN_BOARD_ORIGIN, type LanBench, LanBoard, type LanBoardOptions } from '../../src/lan_board'
import type { Session } from '../../src/nts/key_exchange'
import {
  decodeFields,
  decodeHeader,
  encodeHeader,
  FieldType,
  NTP_HEADER,
  type NtpHeader,
  unseal,
} from '../../src/nts/packet'
import { ntsRequest } from '../../src/nts/query'

export { LAN_BOARD_ORIGIN, LanBoard }

export const SECOND = 1e9
export const MINUTE = 60 * SECOND
export const HOUR = 3600 * SECOND
export const DAY = 86_400 * SECOND

/** Seconds until a board with a view of the sky must be ready, when nothing before has told it the time. */
export const READY_WITHIN = 60

/** 1970 minus 1900, in seconds. */
const NTP_UNIX = 2_208_988_800

export const wasm: Uint8Array = readFileSync(new URL('../../build/noonmark.wasm', import.meta.url))

export type Options = Omit<LanBoardOptions, 'wasm'>

/** A board of either kind: virtual, or the simulated chip. */
export type Bench = LanBench<Machine>

export function makeBoard(options: Options = {}): LanBoard {
  return new LanBoard({ wasm, ...options })
}

/** A board that says that it is ready. */
export function readyBoard(options: Options = {}, within = READY_WITHIN): LanBoard {
  const board = makeBoard(options)
  if (!board.runUntilSaid('ready', within)) {
    throw new Error(`not ready after ${within} s: ${board.ask('status')}\n${board.ask('counts')}`)
  }
  return board
}

/** What an NTP timestamp is ahead of true UTC at `nanos`, in any era. */
export function timestampError(board: Bench, timestamp: bigint, nanos: number): number {
  const utc = board.world.utc(nanos)
  const seconds = (Number(timestamp >> 32n) - NTP_UNIX - utc.seconds) % 2 ** 32
  const nearest = seconds > 2 ** 31 ? seconds - 2 ** 32 : seconds < -(2 ** 31) ? seconds + 2 ** 32 : seconds
  return nearest * 1e9 + (Number(timestamp & 0xffff_ffffn) * 1e9) / 2 ** 32 - utc.nanos
}

/** A served reply beside the truth. */
export interface Reply {
  header: NtpHeader
  /** Error of T2 against the request's last bit, and of T3 against the reply's first bit; nanoseconds. */
  t2: number
  t3: number
  /** Root dispersion in nanoseconds. */
  dispersion: number
  /** From the request's last bit to the reply's first bit, nanoseconds. */
  turnaround: number
  request: Uint8Array
  data: Uint8Array
  /** The cookies inside, for an NTS reply that is authentic. */
  cookies: Uint8Array[]
}

/** The neighbour whose hardware address the board knows after its first question. */
export const NEIGHBOUR = { ip: 0xc0a8_070a, port: 40_000 }

let transmit = 0x1234_5678_0000_0000n

/** A transmit timestamp that no other request has. */
export function freshTransmit(): bigint {
  transmit += 1n
  return transmit
}

/** Sends a request and holds the answer against the truth; undefined when there is none. */
export function exchange(board: Bench, request: Uint8Array, from?: { ip: number; port: number }): Reply | undefined {
  const answer = board.exchange(request, undefined, from)
  const header = answer && decodeHeader(answer.data)
  if (!header || !answer) return undefined
  return {
    header,
    t2: timestampError(board, header.receive, answer.arrived),
    t3: timestampError(board, header.transmit, answer.left),
    dispersion: header.rootDispersion * 1e9,
    turnaround: answer.left - answer.arrived,
    request,
    data: answer.data,
    cookies: [],
  }
}

/** A plain request from the neighbour. Throws when it is not answered. */
export function askPlain(board: Bench, from: { ip: number; port: number } = NEIGHBOUR): Reply {
  const sent = freshTransmit()
  const reply = exchange(board, encodeHeader(sent), from)
  if (!reply) throw new Error(`no answer at ${board.now / 1e9} s`)
  if (reply.header.origin !== sent) throw new Error('the answer is to another request')
  return reply
}

/**
 * An NTS request with the session's oldest cookie, which is used up. Throws when the answer is not authentic; new cookies
 * go to the session. A NAK comes back as it is, without cookies.
 */
export function askNts(board: Bench, session: Session, from: { ip: number; port: number } = NEIGHBOUR): Reply {
  const cookie = session.cookies.shift()
  if (!cookie) throw new Error('the session has no cookies left')
  const request = ntsRequest(session, cookie)
  const reply = exchange(board, request, from)
  if (!reply) throw new Error(`no answer at ${board.now / 1e9} s`)
  if (isNak(reply)) return reply
  reply.cookies = openCookies(session, request, reply.data)
  session.cookies.push(...reply.cookies)
  return reply
}

export function isNak(reply: Reply): boolean {
  return reply.header.stratum === 0 && Buffer.from(reply.header.referenceId).toString('latin1') === 'NTSN'
}

/** The cookies of an authentic reply to `request`. */
function openCookies(session: Session, request: Uint8Array, data: Uint8Array): Uint8Array[] {
  const identifier = (packet: Uint8Array): string =>
    Buffer.from(
      decodeFields(packet, NTP_HEADER)?.find(({ type }) => type === FieldType.UniqueIdentifier)?.body ?? [],
    ).toString('hex')
  if (identifier(request) !== identifier(data)) throw new Error('the identifier is not the one that was sent')
  const authenticator = decodeFields(data, NTP_HEADER)?.find(({ type }) => type === FieldType.Authenticator)
  const text = authenticator && unseal(session.aead, session.keys.s2c, data, authenticator)
  if (!text) throw new Error('the reply is not authentic')
  return (decodeFields(text, 0) ?? []).map(({ body }) => Uint8Array.from(body))
}

/** The error of the offset that a client computes: half of each. */
export function offsetError({ t2, t3 }: Reply): number {
  return (t2 + t3) / 2
}

/**
 * What the client knows of that error: the root dispersion, and half of what the wrong timestamps add to its delay (when T3
 * is early by an ARP exchange).
 */
export function uncertainty({ t2, t3, dispersion }: Reply): number {
  return dispersion + Math.max(0, t2 - t3) / 2
}

/** All counters of the console, by name. */
export function counts(board: Bench): Record<string, number> {
  const lines = board.ask('counts').split('\n')
  return Object.fromEntries(
    lines
      .filter(Boolean)
      .map((line) => line.split('='))
      .map(([name, value]) => [name, Number(value)]),
  )
}

/** The status line, by name. */
export function status(board: Bench): Record<string, string> {
  const words = board.ask('status').trim().split(' ').slice(1)
  return Object.fromEntries(words.map((word) => word.split('=')))
}

/** The clock's own error bound, nanoseconds; Infinity when it has none. */
export function bound(board: Bench): number {
  const { error } = status(board)
  return error === 'unknown' ? Number.POSITIVE_INFINITY : Number.parseInt(error ?? '', 10)
}

export interface Statistics {
  count: number
  mean: number
  deviation: number
  /** Smallest, median, largest, and the largest of the absolute values. */
  min: number
  median: number
  max: number
  worst: number
}

export function statistics(values: readonly number[]): Statistics {
  const sorted = [...values].sort((a, b) => a - b)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
  const [min = 0, max = 0] = [sorted[0], sorted[sorted.length - 1]]
  const median = sorted[sorted.length >> 1] ?? 0
  return { count: values.length, mean, deviation, min, median, max, worst: Math.max(-min, max) }
}

/** One line, in whole nanoseconds. */
export function describeStatistics(what: string, values: readonly number[]): string {
  const { count, mean, deviation, min, median, max } = statistics(values)
  const [a, b, c, d, e] = [mean, deviation, min, median, max].map(Math.round)
  return `${what}: ${count} samples, mean ${a} ns, deviation ${b}, min ${c}, median ${d}, max ${e}`
}
