// The whole board in virtual time: what is served, against the world's truth.

import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { LanBoard } from '../../src/lan_board'
import { decodeHeader, encodeHeader } from '../../src/nts/packet'

const wasm = readFileSync(new URL('../../build/noonmark.wasm', import.meta.url))

/** Difference in nanoseconds between an NTP timestamp and true UTC at `nanos`. */
function error(board: LanBoard, timestamp: bigint, nanos: number): number {
  const utc = board.world.utc(nanos)
  const seconds = Number(timestamp >> 32n) - 2_208_988_800 - utc.seconds
  return seconds * 1e9 + (Number(timestamp & 0xffff_ffffn) * 1e9) / 2 ** 32 - utc.nanos
}

describe('a board with a view of the sky', () => {
  const board = new LanBoard({ wasm })
  let lockedAt = 0
  beforeAll(() => {
    expect(board.runUntilSaid('ready', 60)).toBe(true)
    lockedAt = board.now
  })

  it('is ready within 15 seconds', () => {
    console.log('ready after', lockedAt / 1e9)
    expect(lockedAt / 1e9).toBeLessThan(15)
  })

  it('serves plain NTP whose timestamps are the true ones', () => {
    for (let i = 0; i < 20; i++) {
      board.advance(137e6)
      const answer = board.exchange(encodeHeader(0x1234_5678_9abc_def0n))
      const header = answer && decodeHeader(answer.data)
      console.log(
        header &&
          answer && [
            error(board, header.receive, answer.arrived),
            error(board, header.transmit, answer.left),
            header.rootDispersion,
          ],
      )
    }
  })

  it('serves NTS', async () => {
    const session = await board.keyExchange({ ca: board.authority() })
    console.log(session.tls, session.cookies.length, session.cookies[0]?.length, session.aead)
  })
})
