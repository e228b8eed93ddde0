// Spoiled certificate lists: whatever comes, there is a verdict, nothing traps, and nothing is read outside of the list.
// The certificates are the project's own fixtures and what an earlier run of OpenSSL made of them.

import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { Random } from '../../sim/world/random'
import { certificateList, type Judge, loadJudge, type Verdict } from './x509_judge'
import { pemToDer } from './x509_openssl'

const MUTATIONS = 20_000
const file = (name: string) => pemToDer(readFileSync(new URL(name, import.meta.url), 'latin1'))

let judge: Judge
let seeds: Buffer[]

beforeAll(async () => {
  judge = await loadJudge()
  const ca = file('./fixtures/ca.pem')
  const leaf = file('./fixtures/leaf.pem')
  const chain = ['good', 'trusted'].map((name) => file(`../src/certificates/${name}.pem`))
  judge.trust({ der: ca })
  seeds = [[leaf], [leaf, ca], [chain[0] as Buffer], chain].map((each) => Buffer.from(certificateList(each)))
})

/** One to four of: a bit, an octet, a length octet, a piece cut out, put in, doubled. */
function mutate(seed: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(seed)
  const below = (n: number) => Math.floor(random.uniform() * n)
  for (let i = below(4); i >= 0; i--) {
    const at = below(bytes.length)
    const length = below(Math.min(40, bytes.length - at))
    switch (below(6)) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << below(8))
        break
      case 1:
        bytes[at] = below(256)
        break
      case 2:
        bytes[at] = [0, 1, 0x7f, 0x80, 0x81, 0x82, 0x83, 0xff][below(8)] as number
        break
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        break
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
        break
      default:
        bytes.copy(bytes, at, below(bytes.length), bytes.length - length)
    }
    if (bytes.length === 0) return bytes
  }
  return bytes
}

/** The outer lengths put right again, so that the change is seen by what lies deeper. */
function repair(bytes: Buffer): Buffer {
  if (bytes.length < 9) return bytes
  const length = bytes.length - 5
  bytes.writeUIntBE(length, 0, 3)
  bytes.writeUInt16BE(length - 4, 5)
  return bytes
}

describe('a spoiled list', () => {
  it(`gets a verdict without a trap, and the same one whatever lies around it, ${MUTATIONS} times`, () => {
    const random = new Random(20_261_122)
    const verdicts = new Map<Verdict, number>()
    for (let i = 0; i < MUTATIONS; i++) {
      const bytes = mutate(seeds[i % seeds.length] as Buffer, random)
      const list = i % 3 === 0 ? repair(bytes) : bytes
      const ask = () => judge.judgeList(list, 'localhost', [1_767_225_600, 1_800_000_000])
      judge.filler = 0x30
      const verdict = ask()
      judge.filler = 0xff
      if (ask() !== verdict) throw new Error(`what lies around the list matters: ${list.toString('hex')}`)
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    }
    expect(verdicts.get('Malformed')).toBeGreaterThan(MUTATIONS / 4)
    expect(verdicts.size).toBeGreaterThan(6)
  })
})
