// What a board on the LAN in memory serves, held against the truth. Errors are nanoseconds, positive when the served time is
// ahead of true UTC.

import type { Machine } from '../sim/machine'
import type { LanBench } from './lan_board'
import { decodeHeader, type NtpHeader } from './nts/packet'

/** 1970 minus 1900, in seconds. */
const NTP_UNIX = 2_208_988_800

/** A served reply beside the truth. */
export interface Served {
  header: NtpHeader
  /** Error of T2 against the request's last bit, and of T3 against the reply's first bit; nanoseconds. */
  t2: number
  t3: number
  /** Root dispersion in nanoseconds. */
  dispersion: number
  /** From the request's last bit to the reply's first bit, nanoseconds. */
  turnaround: number
  data: Uint8Array
}

/** What an NTP timestamp is ahead of true UTC at `nanos`, in any era. */
export function timestampError(board: LanBench<Machine>, timestamp: bigint, nanos: number): number {
  const utc = board.world.utc(nanos)
  const seconds = (Number(timestamp >> 32n) - NTP_UNIX - utc.seconds) % 2 ** 32
  const nearest = seconds > 2 ** 31 ? seconds - 2 ** 32 : seconds < -(2 ** 31) ? seconds + 2 ** 32 : seconds
  return nearest * 1e9 + (Number(timestamp & 0xffff_ffffn) * 1e9) / 2 ** 32 - utc.nanos
}

/** Sends a request and holds the answer against the truth; undefined when there is none. */
export function served(
  board: LanBench<Machine>,
  request: Uint8Array,
  from?: { ip: number; port: number },
): Served | undefined {
  const answer = board.exchange(request, undefined, from)
  const header = answer && decodeHeader(answer.data)
  if (!header || !answer) return undefined
  return {
    header,
    t2: timestampError(board, header.receive, answer.arrived),
    t3: timestampError(board, header.transmit, answer.left),
    dispersion: header.rootDispersion * 1e9,
    turnaround: answer.left - answer.arrived,
    data: answer.data,
  }
}

/** The error of the offset that a client computes: half of each. */
export function offsetError({ t2, t3 }: Pick<Served, 't2' | 't3'>): number {
  return (t2 + t3) / 2
}

/**
 * What the client knows of that error: the root dispersion, and half of what the wrong timestamps add to its delay (when T3
 * is early by an ARP exchange).
 */
export function uncertainty({ t2, t3, dispersion }: Pick<Served, 't2' | 't3' | 'dispersion'>): number {
  return dispersion + Math.max(0, t2 - t3) / 2
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
