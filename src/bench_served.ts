// `noonmark bench`: what a board serves, held against the true time of every frame: mean and spread of the error.
//
// In: a board that is ready, on the LAN in memory. Out: for plain NTP and NTS, basic and interleaved, the errors of T2 (against
// the request's last bit), of T3 (against the reply's first bit) and of the offset that a client computes from them, in
// nanoseconds, positive when the served time is ahead. In interleaved mode T3 is the true one, told by the next reply, and
// held against the departure of the reply that it belongs to. Virtual time and seeded requests: the same in every run.

import type { Machine } from '../sim/machine'
import { Random } from '../sim/world/random'
import type { LanBench } from './lan_board'
import { AeadId } from './nts/aead'
import { encodeHeader } from './nts/packet'
import { ntsRequest } from './nts/query'
import { type Served, type Statistics, served, statistics, timestampError } from './served'

export interface ServedRow {
  /** `plain_basic`, `nts_interleaved` ... */
  name: string
  t2: Statistics
  t3: Statistics
  offset: Statistics
}

const MILLI = 1e6
/** Requests come this far apart, and a random part of it more. */
const SPACING = 90 * MILLI
/** Exchanges of each kind that are not counted: the board learns how long its replies take, a client gets into the mode. */
const LEARNING = 12
/** A neighbour whose hardware address the board knows from then on. */
const CLIENT = { ip: 0xc0a8_070a, port: 40_000 }

/** A request with these timestamps. */
type MakeRequest = (header: Uint8Array) => Uint8Array

/** What is measured, and how often; `before` each exchange a test may disturb the parts. */
interface Measurement {
  board: LanBench<Machine>
  samples: number
  random: Random
  before: () => void
}

export async function measureServed(
  board: LanBench<Machine>,
  samples: number,
  before: () => void = () => {},
): Promise<ServedRow[]> {
  const session = await board.keyExchange({ ca: board.authority(), aeads: [AeadId.Aes128GcmSiv] })
  const kinds: [string, MakeRequest][] = [
    ['plain', (header) => header],
    ['nts', (header) => ntsRequest(session, undefined, undefined, undefined, header)],
  ]
  const measurement = { board, samples, random: new Random(board.world.seed, 'served'), before }
  return kinds.flatMap(([name, make]) => [
    row(`${name}_basic`, basic(measurement, make)),
    row(`${name}_interleaved`, interleaved(measurement, make)),
  ])
}

type Errors = Pick<Served, 't2' | 't3'>[]

function basic(measurement: Measurement, make: MakeRequest): Errors {
  const replies: Errors = []
  for (let i = 0n; i < LEARNING + measurement.samples; i++) replies.push(ask(measurement, make(encodeHeader(i + 1n))))
  return replies.slice(LEARNING)
}

function interleaved(measurement: Measurement, make: MakeRequest): Errors {
  const { board, samples } = measurement
  const errors: Errors = []
  let last: (Served & { left: number }) | undefined
  for (let i = 0n; i < LEARNING + samples; i++) {
    const receive = 2n * i + 1n
    const reply = ask(measurement, make(encodeHeader(1n << 40n, last?.header.receive, receive)))
    if (last && reply.header.origin === receive)
      errors.push({ t2: last.t2, t3: timestampError(board, reply.header.transmit, last.left) })
    else if (i > 2) throw new Error(`exchange ${i} was not interleaved`)
    last = reply
  }
  return errors.slice(-samples)
}

function ask({ board, random, before }: Measurement, request: Uint8Array): Served & { left: number } {
  before()
  board.advance(SPACING * (1 + random.uniform()))
  const arrived = board.now + 1000
  const reply = served(board, request, CLIENT)
  if (!reply) throw new Error(`a request at ${board.now / 1e9} s was not answered`)
  return { ...reply, left: arrived + reply.turnaround }
}

function row(name: string, errors: Errors): ServedRow {
  return {
    name,
    t2: statistics(errors.map(({ t2 }) => t2)),
    t3: statistics(errors.map(({ t3 }) => t3)),
    offset: statistics(errors.map(({ t2, t3 }) => (t2 + t3) / 2)),
  }
}

export function servedTable(board: string, rows: ServedRow[]): string[] {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const cell = ({ mean, deviation }: Statistics): string =>
    `${mean.toFixed(0).padStart(7)} +- ${deviation.toFixed(0).padEnd(5)}`
  return [
    `Served time against the truth on the ${board}, ns, mean and standard deviation of ${rows[0]?.t2.count} exchanges each:`,
    `  ${''.padEnd(width)}  T2 - last bit    T3 - first bit   client's offset`,
    ...rows.map(({ name, t2, t3, offset }) => `  ${name.padEnd(width)} ${cell(t2)} ${cell(t3)} ${cell(offset)}`),
  ]
}
