// The whole board in virtual time, for the tests of this folder: it is asked over the wire and held against the truth.
//
// Errors are nanoseconds, positive when the served time is ahead of true UTC.

import { readFileSync } from 'node:fs'
import type { Machine } from '../../sim/machine'
import { LAN_BOARD_ORIGIN, type LanBench, LanBoard, type LanBoardOptions } from '../../src/lan_board'
import type { Session } from '../../src/nts/key_exchange'
import { decodeFields, encodeHeader, FieldType, NTP_HEADER, unseal } from '../../src/nts/packet'
import { ntsRequest } from '../../src/nts/query'
import { type Served, served, statistics } from '../../src/served'

export { offsetError, type Statistics, statistics, timestampError, uncertainty } from '../../src/served'
export { LAN_BOARD_ORIGIN, LanBoard }

export const SECOND = 1e9
export const MINUTE = 60 * SECOND
export const HOUR = 3600 * SECOND
export const DAY = 86_400 * SECOND

/** Seconds until a board with a view of the sky must be ready, when nothing before has told it the time. */
export const READY_WITHIN = 60

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

/** A served reply beside the truth, and what was asked. */
export interface Reply extends Served {
  request: Uint8Array
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
  const reply = served(board, request, from)
  return reply && { ...reply, request, cookies: [] }
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

/** One line, in whole nanoseconds. */
export function describeStatistics(what: string, values: readonly number[]): string {
  const { count, mean, deviation, min, median, max } = statistics(values)
  const [a, b, c, d, e] = [mean, deviation, min, median, max].map(Math.round)
  return `${what}: ${count} samples, mean ${a} ns, deviation ${b}, min ${c}, median ${d}, max ${e}`
}
