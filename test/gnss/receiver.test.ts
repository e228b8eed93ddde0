// What earns a label, what loses it, and that it is never off by one.

import { beforeAll, describe, expect, it } from 'vitest'
import { Fault, Firmware } from './bench'
import { Script } from './script'
import { concat, monHw, monRf, navPvt, navStatus, nmea, rmc, timTp } from './streams'

const NOON = 1_795_348_800
const TICKS = 16_000_000n
/** 2027-01-01T00:00:00Z */
const NEW_YEAR = 1_798_761_600

let firmware: Firmware
beforeAll(async () => {
  firmware = await Firmware.load()
})

const script = (utc = NOON, built?: bigint): Script => new Script(firmware, utc, built)

/** A script that has a valid label. */
function locked(utc = NOON): Script {
  const s = script(utc)
  s.seconds(10)
  expect(s.valid).toBe(true)
  return s
}

describe('a label', () => {
  it('is_earned_by_ten_agreeing_seconds', () => {
    const s = script()
    expect(s.untilLabel()).toBe(10)
    expect(s.reason).toBe(Fault.None)
    const label = s.labels[0]!
    expect(label.second).toBe(NOON + 9)
    expect(label.ticks).toBe(10n * TICKS + 9n * TICKS)
    expect(label).toMatchObject({ valid: 1, taiOffset: 37, leapWarning: 0, leapAt: 0, leapSecond: 0, rollover: 0 })
    expect(label.errorNanos).toBe(41)
  })

  it('is_earned_by_five_when_an_earlier_clock_agrees', () => {
    const s = script()
    firmware.x['hint'](BigInt(NOON), 0, 0, s.base, 200_000_000n)
    expect(s.untilLabel()).toBe(5)
  })

  it('is_told_once_for_each_pulse', () => {
    const s = locked()
    s.labels.length = 0
    s.seconds(10)
    expect(s.labels.map((label) => label.second - NOON)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
  })

  it('takes_the_sawtooth_announced_for_its_pulse', () => {
    const s = locked()
    s.second({ bytes: concat(navPvt({ second: s.utc }), timTp(s.utc + 1, -7500)) })
    s.second()
    expect(s.labels.at(-1)!).toMatchObject({ sawtoothPicos: 7500, errorNanos: 30 })
  })

  it('names_the_second_of_a_negative_nano', () => {
    const s = script()
    s.seconds(12, { pvt: { nano: -499_999 } })
    expect(s.labels.at(-1)!.second).toBe(NOON + 11)
  })

  it('is_not_given_by_epochs_between_the_seconds', () => {
    const s = script()
    for (let i = 0; i < 20; i++) s.second({ pvt: { nano: 200_000_000 } })
    expect(s.labels).toEqual([])
  })

  for (const [name, pvt, fault] of [
    ['validDate', { valid: 6 }, Fault.NotResolved],
    ['validTime', { valid: 5 }, Fault.NotResolved],
    ['fullyResolved', { valid: 3 }, Fault.NotResolved],
    ['a_fix', { flags: 0 }, Fault.NoFix],
    ['more_than_dead_reckoning', { fixType: 1 }, Fault.NoFix],
    ['confirmation_where_there_is_one', { flags2: 0x20 }, Fault.Unconfirmed],
    ['confirmation_of_date_and_time', { flags2: 0x60 }, Fault.Unconfirmed],
    ['accuracy', { tAcc: 10_001 }, Fault.Inaccurate],
  ] as const) {
    it(`needs_${name}`, () => {
      const s = script()
      s.seconds(20, { pvt })
      expect(s.labels).toEqual([])
      expect(s.reason).toBe(fault)
      const t = locked()
      t.second({ pvt })
      expect(t.valid).toBe(false)
      expect(t.faults(fault)).toBe(1)
      expect(t.untilLabel()).toBe(5)
    })
  }

  it('is_given_with_confirmation', () => {
    const s = script()
    s.seconds(10, { pvt: { flags2: 0xe0 } })
    expect(s.valid).toBe(true)
  })
})

describe('a disturbed pulse', () => {
  it('takes_the_label_when_it_is_missing', () => {
    const s = locked()
    s.second({ pulses: [] })
    expect(s.valid).toBe(false)
    expect(s.faults(Fault.PulseMissing)).toBe(1)
    expect(s.untilLabel()).toBe(5)
    expect(s.labels.at(-1)!.second).toBe(s.utc - 1)
  })

  it('takes_the_label_when_it_comes_twice', () => {
    const s = locked()
    s.second({ pulses: [0, 300], delay: 80 })
    expect(s.valid).toBe(false)
    expect(s.faults(Fault.PulseExtra)).toBe(1)
    expect(s.untilLabel()).toBeGreaterThanOrEqual(5)
    expect(s.labels.at(-1)!.second).toBe(s.utc - 1)
  })

  it('never_earns_a_label_while_it_always_comes_twice', () => {
    const s = script()
    s.seconds(50, { pulses: [0, 500], delay: 600 })
    expect(s.labels).toEqual([])
  })

  it('takes_the_label_when_it_is_out_of_step', () => {
    const s = locked()
    s.second({ pulses: [0.25] })
    expect(s.valid).toBe(false)
  })

  it('takes_the_label_when_edges_were_lost', () => {
    const s = locked()
    firmware.x['receiverPulsesLost']()
    expect(s.valid).toBe(false)
    expect(s.faults(Fault.PulseLost)).toBe(1)
  })

  it('counts_once_when_it_is_told_twice', () => {
    const s = locked()
    s.pulse(0)
    s.pulse(0)
    s.second()
    expect(s.valid).toBe(true)
  })

  it('takes_the_label_when_it_stops_and_nobody_says_so', () => {
    const s = locked()
    s.poll(90)
    expect(s.valid).toBe(true)
    s.poll(110)
    expect(s.valid).toBe(false)
  })
})

describe('a missing report', () => {
  it('leaves_its_pulse_unlabelled_and_the_count_intact', () => {
    const s = locked()
    expect(s.second({ bytes: null })).toBeUndefined()
    expect(s.second()?.second).toBe(s.utc - 1)
    s.seconds(3, { bytes: null })
    expect(s.second()?.second).toBe(s.utc - 1)
  })

  it('takes_the_label_after_three', () => {
    const s = locked()
    s.seconds(5, { bytes: null })
    expect(s.valid).toBe(false)
    expect(s.faults(Fault.ReportMissing)).toBe(1)
    expect(s.untilLabel()).toBe(5)
  })

  it('may_have_been_damaged_on_the_line', () => {
    const s = locked()
    const data = s.messages()
    data[20]! ^= 0x40
    expect(s.second({ bytes: data })).toBeUndefined()
    expect(s.second()?.second).toBe(s.utc - 1)
  })
})

describe('off by one', () => {
  it('is_impossible_with_reports_that_come_before_their_pulse', () => {
    const s = script()
    s.seconds(40, { delay: 5 })
    expect(s.labels).toEqual([])
    s.seconds(40, { delay: 950 })
    expect(s.labels).toEqual([])
  })

  it('is_impossible_with_a_line_that_lags_by_more_than_a_second', () => {
    const s = script()
    // The line never falls silent: each report ends in the second after its own.
    for (let i = 0; i < 60; i++) {
      s.pulse(0)
      const data = concat(navPvt({ second: s.utc - 1 }), rmc(s.utc - 1), new Uint8Array(120).fill(0x20))
      for (let at = 0; at < 100; at++) {
        const part = data.subarray(Math.floor((at * data.length) / 100), Math.floor(((at + 1) * data.length) / 100))
        if (part.length > 0) s.bytes(at * 10 + 3, part)
      }
      s.base += TICKS
      s.utc += 1
    }
    expect(s.labels).toEqual([])
  })

  it('is_impossible_when_the_machine_reads_late', () => {
    const s = script()
    for (let i = 0; i < 40; i++) {
      // The machine sleeps over the next pulse and reads this second's report 60 ms after it.
      const report = s.messages()
      s.base += TICKS
      s.utc += 1
      s.firmware.x['receiverPulse'](s.at(0), s.at(60))
      s.bytes(60, report)
    }
    expect(s.labels).toEqual([])
  })

  it('is_found_out_by_the_announcement_of_TIM_TP', () => {
    const s = locked()
    s.second({ timTp: s.utc + 2 })
    s.second()
    expect(s.valid).toBe(false)
    expect(s.faults(Fault.TimTpDisagrees)).toBe(1)
  })

  it('is_found_out_by_the_count_of_pulses', () => {
    const s = locked()
    s.second({ pvt: { second: s.utc + 1 } })
    expect(s.valid).toBe(false)
    expect(s.faults(Fault.LabelDisagrees)).toBe(1)
  })

  it('is_found_out_by_the_last_valid_label_even_when_it_persists', () => {
    const s = locked()
    s.timTp = false
    for (let i = 0; i < 800; i++) s.second({ pvt: { second: s.utc + 1 }, timeLs: { second: s.utc + 1 } })
    expect(s.valid).toBe(false)
    expect(s.reason).toBe(Fault.HintDisagrees)
  })
})

describe('UTC', () => {
  it('is_not_believed_while_the_leap_seconds_are_the_firmwares_own', () => {
    const s = script()
    s.seconds(1000, { timeLs: { source: 0 } })
    expect(s.labels).toEqual([])
    expect(s.reason).toBe(Fault.LeapUnknown)
    s.seconds(2, { timeLs: { source: 255 } })
    expect(s.valid).toBe(false)
    s.seconds(2)
    expect(s.valid).toBe(true)
  })

  it('takes_leap_seconds_of_every_constellation', () => {
    for (let source = 1; source <= 7; source++) {
      const s = script()
      s.seconds(10, { timeLs: { source } })
      expect(s.valid).toBe(true)
    }
  })

  it('must_differ_from_GPS_time_by_the_leap_seconds_that_NAV_TIMELS_tells', () => {
    const s = script()
    s.seconds(20, { pvt: { leap: 16 } })
    expect(s.labels).toEqual([])
    expect(s.reason).toBe(Fault.LeapDisagrees)
  })

  it('is_earned_anew_when_the_receiver_corrects_its_leap_seconds', () => {
    const s = script()
    // The firmware's default is two seconds behind: UTC is two seconds ahead.
    for (let i = 0; i < 20; i++)
      s.second({ pvt: { second: s.utc + 2, leap: 16 }, timeLs: { source: 0, leap: 16 }, timTp: false })
    expect(s.labels).toEqual([])
    expect(s.untilLabel()).toBe(10)
    expect(s.labels.at(-1)!.second).toBe(s.utc - 1)
    expect(s.faults(Fault.LabelDisagrees)).toBe(1)
  })

  it('is_believed_without_NAV_TIMELS_after_fifteen_minutes', () => {
    const s = script()
    s.timeLs = false
    s.seconds(899)
    expect(s.labels).toEqual([])
    expect(s.reason).toBe(Fault.LeapUnknown)
    s.seconds(3)
    expect(s.valid).toBe(true)
  })

  it('is_believed_without_NAV_TIMELS_when_a_sharp_earlier_clock_agrees', () => {
    const s = script()
    s.timeLs = false
    firmware.x['hint'](BigInt(NOON), 0x8000_0000, 0, s.base + TICKS / 2n, 300_000_000n)
    expect(s.untilLabel()).toBe(5)
  })

  it('is_not_vouched_for_by_a_clock_that_may_be_a_second_wrong', () => {
    const s = script()
    s.timeLs = false
    firmware.x['hint'](BigInt(NOON), 0, 0, s.base, 900_000_000n)
    s.seconds(100)
    expect(s.labels).toEqual([])
    expect(s.reason).toBe(Fault.LeapUnknown)
  })

  it('outlasts_an_earlier_clock_that_contradicts', () => {
    const s = script()
    firmware.x['hint'](BigInt(NOON + 5), 0, 0, s.base, 1_000_000_000n)
    s.seconds(899)
    expect(s.labels).toEqual([])
    expect(s.reason).toBe(Fault.HintDisagrees)
    s.seconds(3)
    expect(s.valid).toBe(true)
  })

  it('keeps_the_sharper_of_two_earlier_clocks', () => {
    const s = script()
    s.timeLs = false
    firmware.x['hint'](BigInt(NOON), 0, 0, s.base, 100_000_000n)
    firmware.x['hint'](BigInt(NOON + 1), 0, 0, s.base, 2_000_000_000n)
    expect(s.untilLabel()).toBe(5)
    const t = script()
    t.timeLs = false
    firmware.x['hint'](BigInt(NOON + 1), 0, 0, t.base, 2_000_000_000n)
    firmware.x['hint'](BigInt(NOON), 0, 0, t.base, 100_000_000n)
    expect(t.untilLabel()).toBe(5)
  })

  it('is_not_hindered_by_a_clock_without_a_useful_bound', () => {
    const s = script()
    firmware.x['hint'](0n, 0, 0, s.base, 0xffff_ffff_ffff_ffffn)
    expect(s.untilLabel()).toBe(10)
    const t = script()
    firmware.x['hint'](-9_000_000_000_000_000_000n, 0, 0, t.base, 1n)
    expect(t.untilLabel()).toBe(0)
    expect(t.reason).toBe(Fault.HintDisagrees)
  })
})

describe('a leap second', () => {
  it('is_announced_and_inserted_as_23_59_60', () => {
    const s = script(NEW_YEAR - 17)
    for (let i = 0; i < 17; i++) {
      s.second({ timeLs: { change: 1, toEvent: NEW_YEAR - s.utc } })
      if (i === 13) expect(s.labels.at(-1)).toMatchObject({ leapWarning: 1, leapAt: NEW_YEAR - 1, leapSecond: 0 })
    }
    s.utc = NEW_YEAR - 1
    const sixty = s.second({ pvt: { sixty: true }, timeLs: { change: 1, toEvent: 0 }, timTp: NEW_YEAR })
    expect(sixty).toMatchObject({ second: NEW_YEAR - 1, leapSecond: 1, leapWarning: 1, taiOffset: 37 })
    s.leap = 19
    for (let i = 0; i < 20; i++)
      expect(s.second()).toMatchObject({ second: NEW_YEAR + i, leapSecond: 0, leapWarning: 0, taiOffset: 38 })
  })

  it('is_announced_and_left_out_at_23_59_58', () => {
    const s = script(NEW_YEAR - 17)
    for (let i = 0; i < 16; i++) s.second({ timeLs: { change: -1, toEvent: NEW_YEAR - 1 - s.utc } })
    expect(s.labels.at(-1)).toMatchObject({ second: NEW_YEAR - 2, leapWarning: -1, leapAt: NEW_YEAR - 1 })
    s.utc = NEW_YEAR
    s.leap = 17
    for (let i = 0; i < 20; i++)
      expect(s.second()).toMatchObject({ second: NEW_YEAR + i, leapWarning: 0, taiOffset: 36 })
  })

  it('is_not_believed_without_an_announcement', () => {
    const s = script(NEW_YEAR - 15)
    s.seconds(15)
    s.utc = NEW_YEAR - 1
    expect(s.second({ pvt: { sixty: true } })).toBeUndefined()
    expect(s.valid).toBe(false)
  })

  it('is_not_announced_by_an_event_that_is_not_at_the_end_of_a_month', () => {
    for (const toEvent of [3600, 86_400 / 2, 5 * 86_400, 40 * 86_400 + 10]) {
      const s = script(NOON)
      s.seconds(13, { timeLs: { change: 1, toEvent } })
      expect(s.labels.at(-1)).toMatchObject({ leapWarning: 0, leapAt: 0 })
    }
  })

  it('is_not_announced_without_validity_or_source', () => {
    const s = script(NEW_YEAR - 100)
    for (let i = 0; i < 13; i++) s.second({ timeLs: { change: 1, toEvent: NEW_YEAR - s.utc, valid: 1 } })
    expect(s.labels.at(-1)).toMatchObject({ leapWarning: 0 })
  })

  it('is_withdrawn_with_its_announcement', () => {
    const s = script(NEW_YEAR - 1000)
    for (let i = 0; i < 13; i++) s.second({ timeLs: { change: 1, toEvent: NEW_YEAR - s.utc } })
    expect(s.labels.at(-1)).toMatchObject({ leapWarning: 1 })
    s.seconds(2)
    expect(s.labels.at(-1)).toMatchObject({ leapWarning: 0 })
  })
})

describe('a week rollover', () => {
  const ROLLOVER = 1024 * 604_800

  it('is_put_right_and_marked_when_an_earlier_clock_knows_the_date', () => {
    const s = script()
    firmware.x['hint'](BigInt(NOON - 3), 0, 0, s.base, 60_000_000_000n)
    for (let i = 0; i < 11; i++) s.second({ pvt: { second: s.utc - ROLLOVER } })
    expect(s.labels.at(-1)).toMatchObject({ second: NOON + 10, rollover: 1, valid: 1 })
  })

  it('needs_time_to_be_believed_when_nothing_else_knows_the_date', () => {
    const s = script()
    for (let i = 0; i < 850; i++) s.second({ pvt: { second: s.utc - ROLLOVER } })
    expect(s.labels).toEqual([])
    expect(s.reason).toBe(Fault.RolledOver)
    for (let i = 0; i < 60; i++) s.second({ pvt: { second: s.utc - ROLLOVER } })
    expect(s.labels.at(-1)).toMatchObject({ second: s.utc - 1, rollover: 1 })
  })

  it('is_put_right_over_several_cycles_and_with_two_digit_years', () => {
    for (const cycles of [1, 2]) {
      const s = script()
      firmware.x['hint'](BigInt(NOON), 0, 0, s.base, 100_000_000n)
      for (let i = 0; i < 6; i++) s.second({ bytes: rmc(s.utc - cycles * ROLLOVER) })
      expect(s.labels.at(-1)).toMatchObject({ second: NOON + 5, rollover: 1 })
    }
  })

  it('does_not_hide_a_jump_from_a_false_date_to_the_true_one', () => {
    const s = locked()
    s.second({ pvt: { second: Date.UTC(2013, 8, 1) / 1000 } })
    expect(s.valid).toBe(false)
    expect(s.untilLabel()).toBe(5)
    expect(s.labels.at(-1)).toMatchObject({ second: s.utc - 1, rollover: 0 })
  })
})

describe('NMEA alone', () => {
  const hinted = (): Script => {
    const s = script()
    firmware.x['hint'](BigInt(NOON), 0, 0, s.base, 100_000_000n)
    return s
  }

  it('labels_by_RMC', () => {
    const s = hinted()
    for (let i = 0; i < 6; i++) s.second({ bytes: rmc(s.utc), delay: 500 })
    expect(s.labels.at(-1)).toMatchObject({ second: NOON + 5, errorNanos: 10_011, taiOffset: 0 })
  })

  it('labels_by_ZDA_behind_a_GGA_with_a_fix', () => {
    const s = hinted()
    const time = (utc: number): string => new Date(utc * 1000).toISOString().slice(11, 19).replaceAll(':', '')
    const burst = (utc: number, quality: number): Uint8Array =>
      concat(
        nmea(`GPGGA,${time(utc)}.00,4716.8,N,00833.0,E,${quality},09,1.0,403.0,M,47.0,M,,`),
        nmea(`GPZDA,${time(utc)}.00,22,11,2026,00,00`),
      )
    for (let i = 0; i < 6; i++) s.second({ bytes: burst(s.utc, 1) })
    expect(s.valid).toBe(true)
    s.seconds(4, { bytes: burst(s.utc, 0) })
    expect(s.labels.at(-1)!.second).toBe(NOON + 5)
  })

  it('loses_the_label_with_status_V', () => {
    const s = hinted()
    for (let i = 0; i < 6; i++) s.second({ bytes: rmc(s.utc) })
    expect(s.valid).toBe(true)
    s.second({ bytes: rmc(s.utc, 'V', { mode: 'N' }) })
    expect(s.valid).toBe(false)
    expect(s.faults(Fault.NoFix)).toBe(1)
  })

  it('loses_the_label_when_RMC_and_ZDA_disagree', () => {
    const s = hinted()
    for (let i = 0; i < 6; i++) s.second({ bytes: rmc(s.utc) })
    const time = new Date(s.utc * 1000).toISOString().slice(11, 19).replaceAll(':', '')
    s.second({ bytes: concat(rmc(s.utc), nmea(`GPZDA,${time}.00,23,11,2026,00,00`)) })
    expect(s.valid).toBe(false)
  })

  it('takes_no_unannounced_second_of_60', () => {
    const s = script(NEW_YEAR - 8)
    firmware.x['hint'](BigInt(NEW_YEAR - 8), 0, 0, s.base, 100_000_000n)
    for (let i = 0; i < 6; i++) s.second({ bytes: rmc(s.utc) })
    expect(s.valid).toBe(true)
    // A month is about to begin: the earlier clock cannot know whether with a leap second.
    for (let i = 0; i < 2; i++) s.second({ bytes: rmc(s.utc) })
    expect(s.valid).toBe(false)
    s.utc = NEW_YEAR - 1
    s.second({ bytes: rmc(s.utc, 'A', { sixty: true }) })
    for (let i = 0; i < 20; i++) s.second({ bytes: rmc(s.utc) })
    expect(s.valid).toBe(false)
    expect(s.reason).toBe(Fault.LeapUnknown)
  })

  it('is_silenced_by_UBX', () => {
    const s = locked()
    for (let i = 0; i < 5; i++) s.second({ bytes: concat(s.messages(), rmc(s.utc + 1), rmc(s.utc, 'V')) })
    expect(s.labels.at(-1)!.second).toBe(s.utc - 1)
  })
})

describe('integrity', () => {
  it('withholds_the_label_while_several_signs_of_spoofing_are_reported', () => {
    const s = locked()
    s.second({ bytes: concat(navStatus(3), s.messages()) })
    expect(s.valid).toBe(false)
    expect(s.reason).toBe(Fault.Spoofed)
    s.second({ bytes: concat(navStatus(1), s.messages()) })
    expect(s.valid).toBe(true)
    expect(s.faults(Fault.Spoofed)).toBe(1)
  })

  const warns = () => Boolean(firmware.x['receiverWarns']())
  const jamming = (name: 'hwJamming' | 'rfJamming', frame: Uint8Array, length = frame.length - 8) => {
    firmware.entry.write(firmware.x['input'](), frame.subarray(6))
    return firmware.x[name](firmware.x['input'](), length)
  }

  it.each([
    ['NAV-STATUS, spoofing indicated', navStatus(2), navStatus(1)],
    ['NAV-STATUS, several indications', navStatus(3), navStatus(0)],
    ['MON-HW, jamming critical', monHw(3), monHw(2)],
    ['MON-RF, jamming critical on the second antenna', monRf(1, 3), monRf(1, 2)],
  ])('warns_after_two_messages_in_a_row: %s', (_, bad, good) => {
    const s = locked()
    s.second({ bytes: concat(bad, s.messages()) })
    expect(warns()).toBe(false)
    s.second({ bytes: concat(bad, s.messages()) })
    expect(warns()).toBe(true)
    s.second()
    expect(warns()).toBe(true)
    s.second({ bytes: concat(good, s.messages()) })
    expect(warns()).toBe(false)
    s.second({ bytes: concat(bad, s.messages()) })
    expect(warns()).toBe(false)
  })

  it('takes_no_state_of_jamming_from_a_message_that_is_cut_short', () => {
    expect([jamming('hwJamming', monHw(3)), jamming('rfJamming', monRf(3))]).toEqual([3, 3])
    expect(jamming('hwJamming', monHw(3), 59)).toBe(-1)
    expect(jamming('rfJamming', monRf(3), 27)).toBe(-1)
    expect(jamming('rfJamming', monRf(3, 3), 28)).toBe(-1)
    expect(jamming('rfJamming', monRf(), 4)).toBe(-1)
    expect(jamming('rfJamming', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 255, ...new Array(40).fill(3)), 40)).toBe(-1)
  })

  it('shows_a_label_that_it_withholds_because_an_earlier_clock_contradicts', () => {
    const contradicted = () => Boolean(firmware.x['receiverContradicted']())
    const s = locked()
    expect(contradicted()).toBe(false)
    s.utc += 1
    s.seconds(12)
    expect(s.reason).toBe(Fault.HintDisagrees)
    expect(contradicted()).toBe(true)
    expect(contradicted()).toBe(false)
    s.second()
    expect(contradicted()).toBe(true)
    const label = firmware.label()
    expect([label.valid, label.second, label.ticks]).toEqual([0, s.utc - 1, s.base - 16_000_000n])
    s.utc -= 1
    s.seconds(12)
    expect([s.valid, contradicted()]).toEqual([true, false])
  })

  it('forgets_everything_at_init', () => {
    locked()
    const s = script()
    expect(s.valid).toBe(false)
    expect(s.reason).toBe(Fault.Earning)
    expect(firmware.faults().every((count) => count === 0)).toBe(true)
  })
})
