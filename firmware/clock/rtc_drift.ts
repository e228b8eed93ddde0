// How fast the RTC is, as comparisons with the clock teach it, and how wrong it may be after some time alone.
//
//   in    the RTC's offset at two moments between which nobody set it; its temperature; how long it was alone
//   out   what to take off its time, and the bound of what is left
//
// Not learnt, by the data sheet (19-5170): +-2 ppm from 0 to 40 C and +-3.5 ppm outside, and 5 ppm for the crystal's first
// ten years. Learnt: thrice what comparisons differ from their mean, half a ppm (2 ppm where the part may have been cold or
// hot) for temperatures that were not seen, and ageing of 1 ppm a year from then on, 5 ppm at most. The data sheet has no
// figure for how a single part moves within its +-2 ppm: the half ppm is ours.
//
// A drift is in 1e-12, times in seconds, offsets in nanoseconds. Integers only: this runs once an hour and once a boot.

import { CIVIL_SIZE, Civil, civilFromUnix } from '../time/civil'
import { LastGood, lastGood, OFFSET_UNKNOWN, TEMPERATURE_UNKNOWN } from './last_good'

const NANOS: u64 = 1_000_000_000
/** 1e-12. */
const SHEET_MILD: u64 = 2_000_000
const SHEET_WIDE: u64 = 3_500_000
const SHEET_AGEING: u64 = 5_000_000
const LEARNT_MILD: u64 = 500_000
const LEARNT_WIDE: u64 = 2_000_000
/** Ageing at 1 ppm a year makes `age^2 / 2 / a year` microseconds: this many seconds squared make one ns. */
const AGEING: u64 = 63_115

/** Comparisons from which a drift counts as learnt. */
const LEARNT: u32 = 4
/** Of so many the mean is taken, older ones fade. */
const MEMORY: u32 = 64
/** Two comparisons must be this far apart, s. */
const SPAN: i64 = 1800
/** What is further off is no drift, or says too little about it, 1e-12. */
const MOST: i64 = 10_000_000
const NOISE_MOST: i64 = 1_000_000

/** On both sides of its time alone the part was in here, and that was no longer than this: it stayed within 0..40 C. */
const MILD_LOW: i32 = 5 * 4
const MILD_HIGH: i32 = 35 * 4
const MILD_AGE: i64 = 30 * 86_400

const CIVIL: Civil = changetype<Civil>(memory.data(<i32>CIVIL_SIZE, 8))

/** At `utc` the RTC, not set since the record was made, is ahead by `offset`, within `error`. */
export function driftLearn(utc: i64, offset: i64, error: u64): void {
  const record = lastGood()
  const span = utc - record.utc
  // A month's turn may have had a leap second, which is no drift.
  if (record.offsetError === OFFSET_UNKNOWN || span < SPAN || monthOf(utc) !== monthOf(record.utc)) return
  const rate = ((offset - record.offset) * 1000) / span
  const noise = ((<i64>error + <i64>record.offsetError) * 1000) / span
  if (rate > MOST || rate < -MOST || noise > NOISE_MOST) return
  const samples = min(<u32>record.samples + 1, MEMORY)
  const off = rate - (samples === 1 ? rate : <i64>record.drift)
  const spread = (off < 0 ? -off : off) + noise
  record.drift = <i32>(samples === 1 ? rate : <i64>record.drift + off / <i64>samples)
  record.spread = <u32>(<i64>record.spread + (spread - <i64>record.spread) / <i64>samples)
  record.samples = <u16>samples
}

/** Nanoseconds that the part gains in `age` seconds by what is known of it; 0 while that is not worth its doubt. */
export function driftGain(age: i64, temperature: i32, before: i32): i64 {
  return learntBound(age, temperature, before) < sheetBound(age, temperature, before) ? gain(age) : 0
}

/** Bound of what is left of the drift after `driftGain` was taken off, ns. Temperatures in quarter degrees C. */
export function driftBound(age: i64, temperature: i32, before: i32): u64 {
  return min(learntBound(age, temperature, before), sheetBound(age, temperature, before))
}

/**
 * Nanoseconds for leap seconds that nobody has told of and that may have passed: at a month's end, at most one in half a year.
 * `known`: the midnight of the one that was announced, or of the last, 0 when nobody has said: no other was before it, nor
 * for half a year after.
 */
export function leapDoubt(from: i64, to: i64, known: i64): u64 {
  const months = monthOf(to) - monthOf(from)
  if (months <= 0) return 0
  const blind = 1 + (months - 1) / 6
  const since = known === 0 ? i32.MAX_VALUE : max(monthOf(to) - monthOf(known), 0)
  return NANOS * <u64>min(blind, since / 6)
}

function gain(age: i64): i64 {
  return (<i64>lastGood().drift * age) / 1000
}

function sheetBound(age: i64, temperature: i32, before: i32): u64 {
  const wander = isMild(age, temperature, before) ? SHEET_MILD : SHEET_WIDE
  return ((wander + SHEET_AGEING) * <u64>age) / 1000
}

function learntBound(age: i64, temperature: i32, before: i32): u64 {
  const record: LastGood = lastGood()
  if (<u32>record.samples < LEARNT) return u64.MAX_VALUE
  const wander = isMild(age, temperature, before) ? LEARNT_MILD : LEARNT_WIDE
  const ageing = min((<u64>age * <u64>age) / AGEING, (SHEET_AGEING * <u64>age) / 1000)
  return ((3 * <u64>record.spread + wander) * <u64>age) / 1000 + ageing
}

function isMild(age: i64, temperature: i32, before: i32): bool {
  return age <= MILD_AGE && isMildAt(temperature) && (before === TEMPERATURE_UNKNOWN || isMildAt(before))
}

function isMildAt(temperature: i32): bool {
  return temperature >= MILD_LOW && temperature <= MILD_HIGH
}

/** Months since year 0. Leap seconds come at the end of one. */
function monthOf(seconds: i64): i32 {
  civilFromUnix(seconds, CIVIL)
  return CIVIL.year * 12 + CIVIL.month
}
