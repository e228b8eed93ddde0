// The stream parser: what is there is found, at every split; damage costs only what is damaged; nothing traps.

import { beforeAll, describe, expect, it } from 'vitest'
import { Chance, Firmware } from './bench'
import { concat, itemsOf, navPvt, navTimeLs, nmea, reportOf, rmc, timTp, ubx } from './streams'

const NOON = 1_795_348_800

let firmware: Firmware
beforeAll(async () => {
  firmware = await Firmware.load()
})

const text = (s: string): Uint8Array => Uint8Array.from(s, (c) => c.charCodeAt(0))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** UBX, NMEA and noise as a receiver mixes them during its configuration. */
function mixture(): { bytes: Uint8Array; items: string[] } {
  const first = navPvt({ second: NOON })
  const second = rmc(NOON)
  const third = timTp(NOON + 1, -4000)
  const fourth = nmea('GPZDA,120000.00,22,11,2026,00,00')
  const fifth = navTimeLs({ second: NOON })
  return {
    bytes: concat(
      text('\0\xff\xb5$GP'),
      first,
      second,
      text('junk\r\n'),
      third,
      text('$\xb5'),
      fourth,
      text('b\xb5b'),
      fifth,
    ),
    items: [first, second.slice(0, -2), third, fourth.slice(0, -2), fifth].map(hex),
  }
}

describe('the stream parser', () => {
  it('finds_UBX_and_NMEA_in_a_mixture_with_noise', () => {
    const { bytes, items } = mixture()
    expect(itemsOf(firmware, bytes).map((item) => hex(item.bytes))).toEqual(items)
  })

  it('says_which_items_arrived_just_now', () => {
    const pvt = navPvt({ second: NOON })
    expect(itemsOf(firmware, pvt).map((item) => item.fresh)).toEqual([true])
    // A false beginning holds the frame back until its own length has passed.
    const held = concat(Uint8Array.of(0xb5, 0x62, 1, 7, 120, 0), pvt, new Uint8Array(30))
    expect(itemsOf(firmware, held).map((item) => item.fresh)).toEqual([false])
  })

  it('gives_up_a_cut_frame_when_the_line_falls_silent', () => {
    const pvt = navPvt({ second: NOON })
    const cut = concat(Uint8Array.of(0xb5, 0x62, 1, 7, 200, 0), pvt)
    expect(itemsOf(firmware, cut)).toEqual([])
    expect(itemsOf(firmware, cut, true).map((item) => hex(item.bytes))).toEqual([hex(pvt)])
  })

  it('takes_no_part_of_a_truncated_stream_for_more_than_it_is', () => {
    const { bytes, items } = mixture()
    for (let end = 0; end <= bytes.length; end++) {
      const found = itemsOf(firmware, bytes.subarray(0, end)).map((item) => hex(item.bytes))
      expect(items.slice(0, found.length)).toEqual(found)
    }
  })

  it('finds_all_whole_items_behind_every_cut_beginning', () => {
    const { bytes, items } = mixture()
    for (let from = 0; from <= bytes.length; from++) {
      const found = itemsOf(firmware, bytes.subarray(from), true).map((item) => hex(item.bytes))
      expect(items.slice(items.length - found.length)).toEqual(found)
    }
  })

  it('loses_at_most_the_item_in_which_a_byte_is_damaged', () => {
    const { bytes, items } = mixture()
    const chance = new Chance(5)
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice()
      damaged[at]! ^= 1 + chance.below(255)
      const found = itemsOf(firmware, damaged, true).map((item) => hex(item.bytes))
      expect(found.length).toBeGreaterThanOrEqual(items.length - 1)
      for (const item of found) expect(items).toContain(item)
    }
  })

  it('passes_over_a_frame_longer_than_it_keeps_and_finds_what_follows', () => {
    const long = ubx(0x01, 0x35, (b) => b.zeros(900))
    const found = itemsOf(firmware, concat(long, rmc(NOON)), true)
    expect(found.map((item) => item.kind)).toEqual(['nmea'])
  })

  it('takes_a_frame_of_every_length_up_to_512', () => {
    for (const length of [0, 1, 2, 255, 256, 511, 512]) {
      const frame = ubx(0x0a, 0x04, (b) => b.zeros(length))
      expect(itemsOf(firmware, frame).map((item) => item.bytes.length)).toEqual([length + 8])
    }
    expect(
      itemsOf(
        firmware,
        ubx(0x0a, 0x04, (b) => b.zeros(513)),
        true,
      ),
    ).toEqual([])
  })

  it('rejects_sentences_without_a_right_checksum', () => {
    const good = Buffer.from(rmc(NOON)).toString('latin1')
    for (const bad of [
      good.replace(/\*../, '*00'),
      good.replace(/\*../, ''),
      good.replace(/\*../, '*G1'),
      good.replace('GNRMC', 'GPRMC'),
    ]) {
      expect(itemsOf(firmware, text(bad), true)).toEqual([])
    }
    expect(itemsOf(firmware, text(good.toLowerCase().replace('$gnrmc', '$GNRMC').replace(',a,', ',A,')), true)).toEqual(
      [],
    )
    expect(itemsOf(firmware, text(good)).length).toBe(1)
  })

  it('takes_checksums_in_lower_case', () => {
    const good = Buffer.from(nmea('GPZDA,120009.00,22,11,2026,00,00')).toString('latin1')
    const lower = good.replace(/\*(..)/, (_, sum: string) => `*${sum.toLowerCase()}`)
    expect(itemsOf(firmware, text(lower)).length).toBe(1)
  })

  it('reads_its_buffer_round_and_round_without_losing_a_message', () => {
    const part = concat(navPvt({ second: NOON }), text('noise noise'), rmc(NOON))
    const many = concat(...Array.from({ length: 60 }, () => part))
    expect(itemsOf(firmware, many).length).toBe(120)
  })

  it('survives_100000_mutations', () => {
    const { bytes } = mixture()
    const chance = new Chance(11)
    const { x } = firmware
    x['receiverInitAt'](0n)
    let ticks = 1_000_000n
    for (let i = 0; i < 100_000; i++) {
      const at = chance.below(bytes.length)
      const length = 1 + chance.below(24)
      const mutant = bytes.slice(at, at + length)
      for (let n = chance.below(4); n > 0; n--) mutant[chance.below(mutant.length)] = chance.next() & 0xff
      ticks += BigInt(chance.below(1_000_000))
      if (chance.happens(0.02)) x['receiverPulse'](ticks, ticks)
      firmware.bytes(mutant, ticks)
    }
    expect(x['receiverValid']()).toBe(0)
  })

  it('makes_no_report_of_noise', () => {
    const chance = new Chance(12)
    const noise = Uint8Array.from({ length: 200_000 }, () =>
      chance.happens(0.1) ? 0xb5 : chance.happens(0.1) ? 0x62 : chance.next() & 0xff,
    )
    const found = itemsOf(firmware, noise, true)
    expect(found.filter((item) => reportOf(firmware, item))).toEqual([])
  })
})

describe('NMEA', () => {
  const report = (body: string, pivot = 2026) => reportOf(firmware, itemsOf(firmware, nmea(body))[0]!, pivot)

  it('takes_RMC_of_every_talker', () => {
    for (const talker of ['GP', 'GN', 'GL', 'GA', 'BD', 'GB', 'GQ', 'QZ']) {
      const found = report(`${talker}RMC,235959.50,A,4716.8,N,00833.0,E,0.0,,311226,,,A`)
      expect(found).toEqual({ millis: Date.UTC(2026, 11, 31, 23, 59, 59, 500), fix: true, source: 'RMC' })
    }
    expect(report('PURMC,235959.50,A,4716.8,N,00833.0,E,0.0,,311226,,,A')).toBeUndefined()
  })

  it('tells_a_warning_from_a_fix', () => {
    const body = (status: string, mode: string): string => `GPRMC,120000.00,${status},,,,,,,221126,,${mode}`
    expect(report(body('A', ',A'))?.fix).toBe(true)
    expect(report(body('A', ',D'))?.fix).toBe(true)
    expect(report(body('A', ''))?.fix).toBe(true)
    expect(report(body('V', ',N'))?.fix).toBe(false)
    for (const mode of [',N', ',E', ',M', ',S']) expect(report(body('A', mode))?.fix).toBe(false)
  })

  it('reads_times_with_and_without_fractions_and_refuses_malformed_ones', () => {
    const body = (time: string, date = '221126'): string => `GPRMC,${time},A,4716.8,N,00833.0,E,0.0,,${date},,,A`
    const noon = Date.UTC(2026, 10, 22, 12)
    expect(report(body('120000'))?.millis).toBe(noon)
    expect(report(body('120000.0'))?.millis).toBe(noon)
    expect(report(body('120000.005'))?.millis).toBe(noon + 5)
    expect(report(body('120000.999999999'))?.millis).toBe(noon + 1000)
    for (const time of [
      '',
      '1200',
      '12000',
      '12:0:0',
      '120000,00',
      '12000x.00',
      '120000.0x',
      '120000.0000000000',
      '-10000',
      '250000',
      '126000',
      '120061',
    ])
      expect(report(body(time)), time).toBeUndefined()
    for (const date of ['', '22112', '2211260', '3x1126', '311126', '001126', '291325', '290225'])
      expect(report(body('120000', date)), date).toBeUndefined()
    expect(report(body('120000', '290228'))?.millis).toBe(Date.UTC(2028, 1, 29, 12))
  })

  it('puts_two_digit_years_within_half_a_century_of_the_build', () => {
    const { x } = firmware
    expect(x['year'](26, 2026)).toBe(2026)
    expect(x['year'](76, 2026)).toBe(2076)
    expect(x['year'](77, 2026)).toBe(1977)
    expect(x['year'](99, 2026)).toBe(1999)
    expect(x['year'](0, 2026)).toBe(2000)
    expect(x['year'](6, 2080)).toBe(2106)
  })

  it('takes_ZDA_with_its_four_digit_year', () => {
    expect(report('GPZDA,150119.000,09,03,2022,,')?.millis).toBe(Date.UTC(2022, 2, 9, 15, 1, 19))
    expect(report('GPZDA,150119.000,,,,00,00')).toBeUndefined()
  })
})

describe('UBX', () => {
  it('takes_NAV_PVT_of_84_and_92_bytes', () => {
    for (const length of [84, 92] as const) {
      const found = reportOf(firmware, itemsOf(firmware, navPvt({ second: NOON, length }))[0]!)
      expect(found).toEqual({ millis: NOON * 1000, fix: true, source: '0107' })
    }
    const short = ubx(0x01, 0x07, (b) => b.zeros(83))
    expect(reportOf(firmware, itemsOf(firmware, short)[0]!)).toBeUndefined()
  })

  it('rounds_a_negative_nano_to_the_second_that_the_fields_name', () => {
    const { x } = firmware
    for (const [nano, expected] of [
      [-100_231, 0],
      [-1, 0],
      [0, 0],
      [499_999, 0],
      [999_900_000, 1],
    ] as const) {
      reportOf(firmware, itemsOf(firmware, navPvt({ second: NOON, nano }))[0]!)
      expect(Number(x['seconds']())).toBe(NOON + expected)
    }
  })

  it('counts_dead_reckoning_and_no_fix_as_no_fix', () => {
    const fixed = (fixType: number, flags: number): boolean | undefined =>
      reportOf(firmware, itemsOf(firmware, navPvt({ second: NOON, fixType, flags }))[0]!)?.fix
    expect([0, 1, 2, 3, 4, 5, 6].map((type) => fixed(type, 1))).toEqual([false, false, true, true, true, true, false])
    expect(fixed(3, 0)).toBe(false)
  })

  it('rounds_TIM_TP_and_turns_qErr_into_lateness', () => {
    const { x, entry } = firmware
    const decode = (millis: number, sub: number, qErr: number, flags: number): number[] => {
      const frame = ubx(0x0d, 0x01, (b) => {
        b.unsigned(millis)
        b.unsigned(sub)
        b.u32(qErr)
        b.u16(2400)
        b.u8(flags)
        b.u8(0)
      })
      entry.write(x['input'](), frame)
      expect(x['timTp'](x['input']() + 6, 16)).toBe(1)
      const view = new DataView(entry.memory.buffer, x['message'](), 20)
      return [view.getUint32(0, true), view.getUint32(8, true), view.getUint32(12, true), view.getInt32(16, true)]
    }
    expect(decode(5000, 0, -3210, 3)).toEqual([5, 1, 1, 3210])
    expect(decode(4999, 4_294_967_168, 0, 0)).toEqual([5, 0, 0, 0])
    expect(decode(604_799_999, 4_294_967_168, 0, 3)).toEqual([0, 1, 1, 0])
    expect(decode(5300, 0, 77, 3)).toEqual([0xffff_ffff, 1, 1, -77])
    expect(decode(5000, 0, 77, 0x13)).toEqual([5, 1, 1, 0])
    expect(decode(5000, 0, 2_000_000, 3)).toEqual([5, 1, 1, 0])
  })
})
