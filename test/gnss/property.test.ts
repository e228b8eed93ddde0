// The property that all of gnss/ is for: whatever is lost, late, doubled or false, a valid label is never wrong.

import { beforeAll, describe, expect, it } from 'vitest'
import { OpenSky, type Sky } from '../../sim/chips/sky'
import { Bench, Chance, Firmware, poweredChip } from './bench'
import { Chaos } from './chaos'

const MODEL_RUNS = 150
const RUNS = Number(process.env['NOONMARK_GNSS_RUNS'] ?? 2000)
/** 2027-01-01 */
const NEW_YEAR = 1_798_761_600

let firmware: Firmware
beforeAll(async () => {
  firmware = await Firmware.load('release')
})

/** A sky that closes and opens again. */
class BrokenSky extends OpenSky {
  constructor(
    origin: number,
    midnight: number,
    change: number,
    private readonly closed: [number, number][],
  ) {
    super(origin, 18, midnight, change)
  }
  override visible(nanos: number): boolean {
    return !this.closed.some(([from, to]) => nanos >= from && nanos < to)
  }
}

describe('a valid label', () => {
  it('is_never_wrong_in_thousands_of_runs_of_chaos', () => {
    const wrong: string[] = []
    let labelled = 0
    let labels = 0
    for (let seed = 1; seed <= RUNS; seed++) {
      const outcome = new Chaos(firmware, seed, 60).run()
      labels += outcome.labels
      if (outcome.labels > 0) labelled++
      wrong.push(...outcome.wrong.map((what) => `seed ${seed} ${what}`))
    }
    expect(wrong).toEqual([])
    // The property is not empty.
    expect(labelled).toBeGreaterThan(RUNS / 10)
    expect(labels).toBeGreaterThan(RUNS)
  })

  it('is_never_wrong_with_the_receiver_model_under_faults', () => {
    const wrong: string[] = []
    let labels = 0
    for (let seed = 1; seed <= MODEL_RUNS; seed++) {
      const bench = faultyBench(seed)
      bench.run(240)
      labels += bench.labels.length
      wrong.push(...bench.wrong.map((what) => `seed ${seed} ${what}`))
    }
    expect(wrong).toEqual([])
    expect(labels).toBeGreaterThan(MODEL_RUNS * 20)
  })
})

/** The model with chance faults on its wires, under a sky that closes, near a leap second. */
function faultyBench(seed: number): Bench {
  const chance = new Chance(seed)
  const closed: [number, number][] = []
  for (let i = chance.below(3); i > 0; i--) {
    const from = chance.below(240) * 1e9
    closed.push([from, from + chance.below(30) * 1e9])
  }
  const leap = chance.below(3)
  const sky: Sky = new BrokenSky(NEW_YEAR - 150, leap === 0 ? 0 : NEW_YEAR, leap === 2 ? -1 : leap, closed)
  const chip = poweredChip(
    sky,
    seed,
    (c) => {
      c.generation = [6, 8, 10][chance.below(3)]!
      c.defaultBaud = [9600, 38_400][chance.below(2)]!
      c.nmeaOnly = chance.happens(0.2)
      c.zda = chance.happens(0.3)
      c.firmwareLeap = 16 + chance.below(3)
      c.leapDelay = chance.below(100)
      c.weekShift = chance.happens(0.1) ? -1024 : 0
    },
    chance.happens(0.5),
  )
  const bench = new Bench(firmware, chip, sky, (chance.uniform() - 0.5) * 80)
  if (chance.happens(0.6)) firmware.x['hint'](BigInt(NEW_YEAR - 150), 0, 0, bench.ticks(0), 300_000_000n)
  const rate = (most: number): number => (chance.happens(0.5) ? 0 : chance.uniform() * most)
  const lostEdge = rate(0.03)
  const extraEdge = rate(0.03)
  const lostByte = rate(0.002)
  const flippedByte = rate(0.002)
  const stall = rate(0.002)
  const restart = rate(0.005)
  bench.interference.edge = (nanos) => {
    if (chance.happens(restart)) chip.restart(bench.now, chance.happens(0.7))
    if (chance.happens(lostEdge)) return []
    return chance.happens(extraEdge) ? [nanos, nanos + chance.uniform() * 1e9] : [nanos]
  }
  bench.interference.bytes = (bytes) =>
    bytes
      .filter(() => !chance.happens(lostByte))
      .map((byte) => (chance.happens(flippedByte) ? byte ^ (1 << chance.below(8)) : byte))
  bench.interference.stall = () => (chance.happens(stall) ? chance.uniform() * 1.5e9 : 0)
  return bench
}
