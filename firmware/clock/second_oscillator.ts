// The RTC as a second oscillator: while locked its rate is measured against the line, and how well that foretells the rate to
// come; without pulses it can steer.
//
//   in    the line after each accepted pulse, the RTC's wave (rtc_wave.ts), its temperature
//   out   in holdover: what the line should have gained on nominal ticks, and the standard deviation of that
//
// Rates are how slow the RTC is against the truth, ns/s. Blocks are 128 s of unbroken wave. The level is the mean of the last blocks,
// 34 minutes of them at most; while the board warms up only the last counts, because the RTC's compensation runs behind.
//
// Its quality is learnt from its own forecasts: at each block's end the levels of 1, 4, 28 and 112 blocks ago are held against what came
// since. As long as that has not been seen the figures are ours: the data sheet (19-5170) says +-2 ppm from 0 to 40 C
// and has no word for how a part moves within that. docs/decisions/0019-second-oscillator.md.

import { TICK_HZ } from '../../hal/abi'
import { Line, Stamp, stampDifference, TICK_NANOS, TICK_SECONDS } from './line'
import { BLOCK } from './oscillator_history'
import { waveBeginning, wavePhase, waveSlope, waveSteady } from './rtc_wave'

/** A gap longer than this in the blocks makes the record of forecasts begin anew, s. */
const GAP: i64 = 600
/** A line known no better than this says nothing, ns. */
const VAGUE: f64 = 1000
/** Seconds that must have been seen before anything is said. */
const LEAST: f64 = 32

/** Blocks in the level; while the board warms up, until so long after power-on (ticks), just the last. */
const MOST: f64 = 16
const WARM_UP: u64 = <u64>TICK_HZ * 1200

/** Blocks ahead at which forecasts are judged; their records go back so far. */
const AHEAD: StaticArray<i32> = [1, 4, 28, 112]
const DISTANCES: i32 = 4
const RECORDS: i32 = 128
/** A forecast of n blocks counts as one nth, and at most so many are remembered. */
const REMEMBERED: f64 = 16
/** Before the first: as if one of these errors had been seen, ns/s. */
const PRIOR: f64 = 60
const FAITH: f64 = 1
/** A part whose rate is off by more than this from the first is none to be followed, ns/s. */
const WORST: f64 = 20_000
/** What the temperature may do to the rate beyond what was seen, ns/s a 1/64 degree: 30 ns/s a degree. */
const TOUCHY: f64 = 30.0 / 64
/** Sigmas as computed are multiplied by this, and never less than this many ns. */
const CAUTION: f64 = 1.5
const JITTER: f64 = 100

const FROM: Stamp = changetype<Stamp>(memory.data(16, 8))
const HERE: Stamp = changetype<Stamp>(memory.data(16, 8))
/** Phase, ns, that the blocks have gathered on a part of the first block's rate, and the level after each, 1/256 ns/s from that rate. */
const PHASES: usize = memory.data(128 * 4, 8)
const LEVELS: usize = memory.data(128 * 4, 8)
/** Sums of squared errors, ns/s, and weights; in holdover the phase's deviations at the distances. */
const SQUARES: usize = memory.data(4 * 8, 8)
const WEIGHTS: usize = memory.data(4 * 8, 8)
const DEVIATIONS: usize = memory.data(4 * 8, 8)

/** The open block: its beginning, the wave then. */
let open: bool = false
let openTicks: u64 = 0
let openPhase: f64 = 0
let openWave: u32 = 0
/** Temperatures of the open block, the last of all, and the level's; 1/64 degree. */
let degreesSum: i32 = 0
let degreesCount: i32 = 0
let degreesLast: i32 = 0
let levelDegrees: f64 = 0
let feels: bool = false
/** Rate of the first block; level; how many blocks are in it; blocks on record; the second when the last one ended. */
let base: f64 = 0
let level: f64 = 0
let weight: f64 = 0
let records: i32 = 0
let closedAt: i64 = 0

/** In holdover: the level, the wave and its phase when it began; degrees away from the level's, times seconds; the coefficient's deviation. */
let steering: bool = false
let heldLevel: f64 = 0
let heldDegrees: f64 = 0
let heldWave: u32 = 0
let heldTicks: u64 = 0
let heldPhase: f64 = 0
let warmed: f64 = 0
let touchy: f64 = 0

export function secondInit(): void {
  open = false
  feels = false
  steering = false
  weight = 0
  records = 0
  degreesSum = 0
  degreesCount = 0
  memory.fill(SQUARES, 0, 4 * 8)
  memory.fill(WEIGHTS, 0, 4 * 8)
}

/** The line has been stepped or renumbered: the block that was begun says nothing. */
export function secondBreak(): void {
  open = false
}

/** A reading of the RTC's thermometer, 1/64 degree C. */
export function secondTemperature(sixtyfourths: i32): void {
  feels = true
  degreesLast = sixtyfourths
  degreesSum += sixtyfourths
  degreesCount++
}

/** After each accepted pulse, when the line can be trusted: the line, rebased at the pulse and corrected. */
export function secondObserve(line: Line, phaseSigma: f64): void {
  const passed = line.seconds - FROM.seconds
  if (openWave !== waveBeginning()) open = false
  if (open && passed < <i64>BLOCK) return
  const good = phaseSigma <= VAGUE && secondKnows(line.ticks)
  if (open && good && passed < <i64>(2 * BLOCK)) close(line)
  open = good
  if (!good) return
  openTicks = line.ticks
  openPhase = wavePhase(line.ticks)
  openWave = waveBeginning()
  FROM.seconds = line.seconds
  FROM.fraction = line.fraction
  degreesSum = 0
  degreesCount = 0
}

/** Mean rate since the open block's beginning. */
function rateSince(line: Line): f64 {
  HERE.seconds = line.seconds
  HERE.fraction = line.fraction
  const passed = stampDifference(HERE, FROM)
  const gained = passed - <f64>(line.ticks - openTicks) * TICK_NANOS
  return ((gained + wavePhase(line.ticks) - openPhase) / passed) * 1e9
}

function close(line: Line): void {
  const rate = rateSince(line)
  if (weight > 0 && Math.abs(rate - base) > WORST) {
    secondInit()
    return
  }
  if (weight === 0) {
    base = rate
    level = rate
    levelDegrees = <f64>degreesLast
  }
  if (line.seconds - closedAt > GAP) records = 0
  closedAt = line.seconds
  record(rate, <f64>(line.seconds - FROM.seconds))
  learn(rate, 1, line.ticks)
  store<i32>(LEVELS + at(records - 1), <i32>((level - base) * 256))
}

/** A rate is mixed into the level; `part`: of a block. */
function learn(rate: f64, part: f64, ticks: u64): void {
  const share = part / (weight + part)
  level += share * (rate - level)
  const degrees = degreesCount > 0 ? <f64>degreesSum / <f64>degreesCount : <f64>degreesLast
  levelDegrees += share * (degrees - levelDegrees)
  weight = Math.min(weight + part, ticks < WARM_UP ? 1 : MOST)
}

/** A block's rate is put on record, and held against what was foretold. */
function record(rate: f64, seconds: f64): void {
  const before = records > 0 ? load<i32>(PHASES + at(records - 1)) : 0
  const phase = before + <i32>((rate - base) * seconds)
  if (records > 0) for (let i = 0; i < DISTANCES; i++) judge(i, phase)
  store<i32>(PHASES + at(records), phase)
  records++
  // The count may not grow for ever; the places in the ring stay.
  if (records === 8 * RECORDS) records -= 4 * RECORDS
}

function judge(distance: i32, phase: i32): void {
  const ahead = AHEAD[distance]
  const then = records - 1 - ahead
  if (then < 0) return
  const span = <f64>(ahead * BLOCK)
  const rate = <f64>(phase - load<i32>(PHASES + at(then))) / span
  const error = rate - <f64>load<i32>(LEVELS + at(then)) * (1.0 / 256)
  const i = (<usize>distance) << 3
  const share = 1 / <f64>ahead
  const kept = 1 - share * (1 / REMEMBERED)
  store<f64>(SQUARES + i, load<f64>(SQUARES + i) * kept + share * error * error)
  store<f64>(WEIGHTS + i, load<f64>(WEIGHTS + i) * kept + share)
}

function at(index: i32): usize {
  return (<usize>(index & (RECORDS - 1))) << 2
}

/** There may be something to say: `secondHoldover` is worth its while. */
export function secondKnows(ticks: u64): bool {
  return feels && waveSteady(ticks)
}

/** A holdover began at the line's tick, just now: what is known is used, the open block included. False: it is not enough. */
export function secondHoldover(line: Line): bool {
  steering = false
  if (!secondKnows(line.ticks)) return false
  if (open && openWave === waveBeginning()) mix(line)
  else if (weight === 0) return false
  open = false
  if (weight * <f64>BLOCK < LEAST) return false
  heldLevel = level
  heldDegrees = levelDegrees
  heldWave = waveBeginning()
  heldTicks = line.ticks
  heldPhase = wavePhase(line.ticks)
  warmed = 0
  const seen = load<f64>(WEIGHTS + 16)
  touchy = TOUCHY / sqrt<f64>(1 + seen)
  let worst = PRIOR
  for (let i = 0; i < DISTANCES; i++) {
    const k = (<usize>i) << 3
    const square = (load<f64>(SQUARES + k) + FAITH * worst * worst) / (load<f64>(WEIGHTS + k) + FAITH)
    const deviation = sqrt<f64>(square)
    // What was seen over a short time may well last longer.
    worst = Math.max(PRIOR, deviation)
    store<f64>(DEVIATIONS + k, deviation * <f64>(AHEAD[i] * BLOCK))
  }
  steering = true
  return true
}

function mix(line: Line): void {
  const part = <f64>(line.seconds - FROM.seconds) * (1 / <f64>BLOCK)
  if (part * <f64>BLOCK < LEAST || part > 2) return
  const rate = rateSince(line)
  if (weight === 0) {
    base = rate
    level = rate
  }
  learn(rate, part, line.ticks)
}

/** It can steer in the holdover that has begun: the wave has gone on unbroken. */
export function secondSteady(ticks: u64): bool {
  return steering && heldWave === waveBeginning() && waveSteady(ticks)
}

/** One second of holdover more, or several. */
export function secondPass(seconds: f64): void {
  warmed += Math.abs(<f64>degreesLast - heldDegrees) * seconds
}

/** What the line should have gained on nominal ticks since the holdover's beginning, ns. */
export function secondGain(ticks: u64): f64 {
  return heldLevel * (<f64>(ticks - heldTicks) * TICK_SECONDS) - (wavePhase(ticks) - heldPhase)
}

/** The rate at which it should gain now, ns/s. */
export function secondRate(): f64 {
  return heldLevel - waveSlope()
}

/** Standard deviation of that gain `ahead` seconds after the beginning, ns. */
export function secondSigma(ahead: f64): f64 {
  let begin: f64 = 0
  let low: f64 = 0
  let end: f64 = 0
  let high: f64 = 0
  for (let i = 0; i < DISTANCES; i++) {
    begin = i === 0 ? 0 : end
    low = i === 0 ? 0 : high
    end = <f64>(AHEAD[i] * BLOCK)
    high = Math.max(low, load<f64>(DEVIATIONS + ((<usize>i) << 3)))
    if (ahead <= end) break
  }
  const seen = low + ((high - low) * (ahead - begin)) / (end - begin)
  const warm = touchy * warmed
  return CAUTION * sqrt<f64>(seen * seen + warm * warm + JITTER * JITTER)
}
