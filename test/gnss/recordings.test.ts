// Recordings of real receivers, compared with what gpsd makes of them. The recordings are gpsd's own test data
// (test/daemon/*.log with *.log.chk); they are not part of this tree and are read when they lie beside it.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { Firmware } from './bench'
import { itemsOf, type Report, reportOf } from './streams'

const FOLDER = fileURLToPath(new URL('../../../shared/data/gnss/', import.meta.url))
const LOGS = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.log')) : []
const ROLLOVER = 1024 * 604_800_000

let firmware: Firmware
beforeAll(async () => {
  firmware = await Firmware.load()
})

/** The times in gpsd's decoding, in ms, by class TPV. */
function gpsdTimes(name: string): number[] {
  const lines = readFileSync(`${FOLDER}${name}.chk`, 'latin1').split('\n')
  const times: number[] = []
  for (const line of lines) {
    if (!line.startsWith('{"class":"TPV"')) continue
    const report = JSON.parse(line) as { time?: string }
    if (report.time !== undefined) times.push(Date.parse(report.time))
  }
  return times
}

function ourReports(name: string): Report[] {
  return itemsOf(firmware, readFileSync(`${FOLDER}${name}`), true)
    .map((item) => reportOf(firmware, item))
    .filter((report) => report?.fix) as Report[]
}

describe('recordings of real receivers', () => {
  it.skipIf(LOGS.length > 0)('are_not_here_and_are_passed_over', () => {
    expect(LOGS).toEqual([])
  })

  for (const name of LOGS) {
    it(`gives_the_times_of_${name}_as_gpsd_does`, () => {
      const theirs = gpsdTimes(name)
      const ours = ourReports(name)
      expect(ours.length).toBeGreaterThan(3)
      // gpsd dates one old recording by the day on which its expectation was made: whole rollovers do not count here.
      const shift = Math.round((theirs.at(-1)! - ours.at(-1)!.millis) / ROLLOVER) * ROLLOVER
      const known = new Set(theirs)
      const strange = ours.filter((report) => !known.has(report.millis + shift))
      // It does not report the epoch on which it recognises the receiver, nor one that the recording's end cuts off.
      const first = Math.min(...theirs)
      const last = Math.max(...theirs)
      const invented = strange.filter(({ millis }) => millis + shift > first && millis + shift < last)
      expect(invented).toEqual([])
      for (const { millis } of strange) {
        expect(Math.min(Math.abs(millis + shift - first), Math.abs(millis + shift - last))).toBeLessThanOrEqual(1000)
      }
    })

    it(`misses_no_second_that_gpsd_found_in_${name}`, () => {
      const theirs = gpsdTimes(name)
      const ours = ourReports(name)
      const shift = Math.round((theirs.at(-1)! - ours.at(-1)!.millis) / ROLLOVER) * ROLLOVER
      const found = new Set(ours.map((report) => report.millis + shift))
      // Epochs between the seconds come from messages that are of no use here (HNR-PVT at 10 Hz).
      const whole = [...new Set(theirs.filter((time) => time % 1000 === 0))]
      const missed = whole.filter((time) => !found.has(time))
      expect(missed.map((time) => new Date(time).toISOString())).toEqual([])
    })
  }
})
