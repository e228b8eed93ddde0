// Makes the streams of fixtures/: what happens is written here by hand, and so is what must come of it.

import { Chance } from './bench'
import { concat, navPvt, navTimeLs, type PvtOptions, rmc, timTp } from './streams'

const HZ = 16_000_000
const NOON = 1_795_348_800
const NEW_YEAR = 1_798_761_600
const ROLLOVER = 1024 * 604_800

class Recorder {
  readonly lines: string[] = []
  base = 10 * HZ
  constructor(public utc: number) {}

  note(text: string): void {
    this.lines.push(`# ${text}`)
  }

  hint(second: number, millis: number): void {
    this.lines.push(`H ${this.base} ${second} ${millis}`)
  }

  pulse(millis = 0): void {
    this.lines.push(`P ${this.base + Math.round(millis * 16_000)}`)
  }

  bytes(millis: number, data: Uint8Array): void {
    this.lines.push(`B ${this.base + Math.round(millis * 16_000)} ${Buffer.from(data).toString('hex')}`)
  }

  /** Ends the second: the label that it must have given. */
  expect(label: number | '-' | string): void {
    this.lines.push(`= ${label}`)
    this.base += HZ
    this.utc += 1
  }

  usual(pvt: Partial<PvtOptions> = {}): Uint8Array {
    return concat(navPvt({ second: this.utc, ...pvt }), navTimeLs({ second: this.utc }), timTp(this.utc + 1, -1500))
  }

  /** Ordinary seconds; the label is their own, or none while it is being earned. */
  good(count: number, labelled: boolean, pvt: Partial<PvtOptions> = {}): void {
    for (let i = 0; i < count; i++) {
      this.pulse()
      this.bytes(80, this.usual(pvt))
      this.expect(labelled ? this.utc : '-')
    }
  }
}

type Scenario = (r: Recorder) => void

const scenarios: Record<string, [number, Scenario]> = {
  'ubx-cold-start': [
    NOON,
    (r) => {
      r.note('nothing is known: a date of 2015, no fix, no pulse')
      for (let i = 0; i < 3; i++) {
        r.bytes(90, navPvt({ second: 1_445_412_000 + i, valid: 0, fixType: 0, flags: 0, tAcc: 4_294_967_295 }))
        r.expect('-')
      }
      r.note("a fix, and the firmware's 16 leap seconds: two seconds ahead")
      for (let i = 0; i < 12; i++) {
        r.pulse()
        r.bytes(
          80,
          concat(navPvt({ second: r.utc + 2, leap: 16 }), navTimeLs({ second: r.utc + 2, leap: 16, source: 0 })),
        )
        r.expect('-')
      }
      r.note('the leap seconds have come from the sky')
      r.good(9, false)
      r.good(3, true)
    },
  ],
  'ubx-leap-second': [
    NEW_YEAR - 14,
    (r) => {
      for (let i = 0; i < 14; i++) {
        r.pulse()
        r.bytes(
          80,
          concat(navPvt({ second: r.utc }), navTimeLs({ second: r.utc, change: 1, toEvent: NEW_YEAR - r.utc })),
        )
        r.expect(i < 9 ? '-' : r.utc)
      }
      r.note('23:59:60')
      r.utc = NEW_YEAR - 1
      r.pulse()
      r.bytes(80, navPvt({ second: r.utc, sixty: true }))
      r.expect(`${r.utc}+`)
      for (let i = 0; i < 4; i++) {
        r.pulse()
        r.bytes(80, concat(navPvt({ second: r.utc, leap: 19 }), navTimeLs({ second: r.utc, leap: 19 })))
        r.expect(r.utc)
      }
    },
  ],
  'ubx-negative-nano': [
    NOON,
    (r) => {
      r.good(9, false, { nano: -100_231 })
      r.good(2, true, { nano: -1 })
      r.good(2, true, { nano: 100_231 })
    },
  ],
  'ubx-message-loss': [
    NOON,
    (r) => {
      r.good(9, false)
      r.good(2, true)
      for (let i = 0; i < 2; i++) {
        r.pulse()
        r.expect('-')
      }
      r.good(1, true)
      const damaged = r.usual()
      damaged[30]! ^= 4
      r.pulse()
      r.bytes(80, damaged)
      r.expect('-')
      r.good(2, true)
    },
  ],
  'ubx-missing-pulse': [
    NOON,
    (r) => {
      r.good(9, false)
      r.good(2, true)
      r.note('no pulse')
      r.bytes(80, r.usual())
      r.expect('-')
      r.good(4, false)
      r.good(2, true)
    },
  ],
  'ubx-doubled-pulse': [
    NOON,
    (r) => {
      r.good(9, false)
      r.good(2, true)
      r.note('and 300 ms later once more')
      r.pulse(0)
      r.bytes(80, navPvt({ second: r.utc }))
      r.lines.push(`= ${r.utc}`)
      r.pulse(300)
      r.expect('-')
      // The first true pulse comes 0.7 s after the false one and begins the count anew.
      r.good(4, false)
      r.good(2, true)
    },
  ],
  'ubx-baud-noise': [
    NOON,
    (r) => {
      const chance = new Chance(3)
      const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => chance.next() & 0xff)
      for (let i = 0; i < 12; i++) {
        r.pulse()
        r.bytes(80, concat(noise(20), Uint8Array.of(0xb5, 0x62, 1, 7), Uint8Array.of(0x24, 0x47)))
        r.bytes(140, r.usual())
        r.expect(i < 9 ? '-' : r.utc)
      }
    },
  ],
  'ubx-off-by-one': [
    NOON,
    (r) => {
      r.note('reports 4 ms after the pulse belong to the second before')
      for (let i = 0; i < 12; i++) {
        r.pulse()
        r.bytes(4, navPvt({ second: r.utc - 1 }))
        r.expect('-')
      }
      r.good(9, false)
      r.good(2, true)
      r.note('one report names the next second')
      r.pulse()
      r.bytes(80, navPvt({ second: r.utc + 1 }))
      r.expect('-')
      r.good(4, false)
      r.good(2, true)
    },
  ],
  'ubx-rollover': [
    NOON,
    (r) => {
      r.hint(NOON, 2000)
      r.note('the ROM shows 2013-09-01 and calls it valid')
      for (let i = 0; i < 12; i++) {
        r.pulse()
        r.bytes(80, concat(navPvt({ second: Date.UTC(2013, 8, 1) / 1000 + i }), navTimeLs({ second: r.utc })))
        r.expect('-')
      }
      r.good(9, false)
      r.good(2, true)
    },
  ],
  'nmea-cold-start': [
    NOON,
    (r) => {
      r.hint(NOON, 200)
      for (let i = 0; i < 2; i++) {
        r.bytes(200, Buffer.from('$GNRMC,,V,,,,,,,,,,N*4D\r\n'))
        r.expect('-')
      }
      r.bytes(200, rmc(r.utc, 'V', { mode: 'N' }))
      r.expect('-')
      for (let i = 0; i < 8; i++) {
        r.pulse()
        r.bytes(200, rmc(r.utc))
        r.expect(i < 4 ? '-' : r.utc)
      }
    },
  ],
  'nmea-rollover': [
    NOON,
    (r) => {
      r.hint(NOON, 200)
      for (let i = 0; i < 8; i++) {
        r.pulse()
        r.bytes(200, rmc(r.utc - ROLLOVER))
        r.expect(i < 4 ? '-' : r.utc)
      }
    },
  ],
}

export const FIXTURES = Object.keys(scenarios)

/** The text of a fixture. */
export function makeFixture(name: string): string {
  const [utc, scenario] = scenarios[name]!
  const recorder = new Recorder(utc)
  scenario(recorder)
  return `${recorder.lines.join('\n')}\n`
}
