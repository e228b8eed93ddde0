// The committed streams give the labels written in them, however their bytes are cut.

import { readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { Chance, Firmware } from './bench'
import { FIXTURES, makeFixture } from './fixtures'

let firmware: Firmware
beforeAll(async () => {
  firmware = await Firmware.load()
})

const file = (name: string): URL => new URL(`./fixtures/${name}.txt`, import.meta.url)

/** How a run of bytes reaches the receiver. */
type Cut = (bytes: Uint8Array) => Uint8Array[]

/** Plays a fixture; the lines that came out otherwise. */
function play(text: string, cut: Cut): string[] {
  const { x } = firmware
  const wrong: string[] = []
  let given = '-'
  x['receiverInitAt'](1_767_225_600n)
  x['ubloxInit'](0n)
  const poll = (ticks: bigint): void => {
    if (!x['receiverPoll'](ticks)) return
    const label = firmware.label()
    given = `${label.second}${label.leapSecond ? '+' : ''}`
  }
  text.split('\n').forEach((line, number) => {
    const [kind, first = '', second = '', third = ''] = line.split(' ')
    if (kind === 'H') x['hint'](BigInt(second), 0, 0, BigInt(first), BigInt(third) * 1_000_000n)
    if (kind === 'P') {
      x['receiverPulse'](BigInt(first), BigInt(first) + 100n)
      poll(BigInt(first) + 100n)
    }
    if (kind === 'B') {
      for (const part of cut(Uint8Array.from(Buffer.from(second, 'hex')))) firmware.bytes(part, BigInt(first))
      poll(BigInt(first))
    }
    if (kind === '=') {
      if (given !== first) wrong.push(`line ${number + 1}: expected ${first}, got ${given}`)
      given = '-'
    }
  })
  return wrong
}

describe('the made-up streams', () => {
  for (const name of FIXTURES) {
    it(`labels_${name}_as_written`, () => {
      if (process.env['NOONMARK_WRITE_FIXTURES']) writeFileSync(file(name), makeFixture(name))
      expect(play(readFileSync(file(name), 'utf8'), (bytes) => [bytes])).toEqual([])
    })

    it(`labels_${name}_the_same_with_its_bytes_cut_anywhere`, () => {
      const text = readFileSync(file(name), 'utf8')
      expect(play(text, (bytes) => Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual([])
      const chance = new Chance(name.length)
      for (let i = 0; i < 20; i++) {
        const at = (bytes: Uint8Array): number => chance.below(bytes.length + 1)
        const halves: Cut = (bytes) => {
          const middle = at(bytes)
          return [bytes.slice(0, middle), bytes.slice(middle)]
        }
        expect(play(text, halves)).toEqual([])
      }
    })

    it(`is_${name}_as_its_maker_writes_it`, () => {
      expect(readFileSync(file(name), 'utf8')).toBe(makeFixture(name))
    })
  }
})
