// `noonmark sim clock SCENARIO_DIR --out SERVED.csv`: the firmware's own clock code over recorded pulses.
//
//   in   meta.json     unix0, tick_hz, calibration.capture_bias_ns
//        pulses.csv    label_s, leap_s, leap_warn, ticks; temperature_c if there is one, also in rows without ticks, which are
//                      seconds without a pulse
//        truth.csv     true_s, ticks: the instants to be served; temperature_c may be here instead
//   out  SERVED.csv    true_s, served_s (since unix0), dispersion_s. While the clock knows nothing, no row
//
// Alarms go to stderr, `alarm TRUE_S TEXT`, and a summary at the end. Columns that say what is true are never read.
// Exit status: 0, or 2 when an input cannot be used; there is no output file then.

import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type CapturedPulse, ClockRoom, ClockState, clockModule } from './clock_room'
import { CsvReader, InputError, reasonOf } from './csv'

export interface SimClockOptions {
  readonly out: string
}

const PIECE = 1 << 16
/** An NTP packet carries no larger root dispersion than this (RFC 5905: MAXDISP), s. */
const MAX_DISPERSION = 16

export function simClock(folder: string, options: SimClockOptions): number {
  const part = `${options.out}.part`
  try {
    const summary = run(folder, part)
    renameSync(part, options.out)
    console.error(summary)
    return 0
  } catch (error) {
    rmSync(part, { force: true })
    if (!(error instanceof InputError)) throw error
    console.error(`noonmark: ${error.message}`)
    return 2
  }
}

function run(folder: string, out: string): string {
  if (!existsSync(folder)) throw new InputError(`${folder}: there is no such folder`)
  const meta = readMeta(join(folder, 'meta.json'))
  const room = new ClockRoom(clockModule(), meta)
  const pulses = new PulseReader(join(folder, 'pulses.csv'), meta.tickHz)
  const truth = new CsvReader(join(folder, 'truth.csv'), ['true_s', 'ticks'], ['temperature_c'])
  const written = new Output(out)
  let trueText = '0'
  room.onAlarm = ({ text }) => console.error(`alarm ${trueText} ${text}`)
  let rows = 0
  let served = 0
  try {
    let last = -1
    for (let row = truth.next(); row !== undefined; row = truth.next()) {
      trueText = row[0]!
      truth.number(trueText, 'true_s')
      truth.number(row[1], 'ticks')
      const [ticks, fraction] = wholeAndFraction(row[1]!)
      if (ticks < 0 || ticks > Number.MAX_SAFE_INTEGER) throw truth.fault(`ticks are out of range: ${row[1]}`)
      if (ticks < last) throw truth.fault(`ticks go back: ${row[1]} after ${last}`)
      last = ticks
      for (let row = pulses.upTo(ticks); row; row = pulses.upTo(ticks)) {
        if (row.temperature !== undefined) room.temperature(row.temperature)
        if (row.captured) room.pulse(row)
      }
      if (isGiven(row[2])) room.temperature(truth.number(row[2], 'temperature_c'))
      const time = room.serve(ticks, fraction)
      rows++
      if (time === undefined) continue
      served++
      const bound = Math.min(MAX_DISPERSION, time.bound / 1e9)
      written.line(`${trueText},${seconds(time.seconds - meta.unix0, time.nanos)},${bound.toFixed(10)}`)
    }
    if (rows === 0) throw truth.fault('there is no row')
    written.end()
  } catch (error) {
    written.abandon()
    throw error
  } finally {
    truth.close()
    pulses.close()
  }
  const { accepted, rejected, steps, state } = room.counters()
  return (
    `${served} of ${rows} instants served; ${pulses.count} pulses: ${accepted} followed, ${rejected} refused, ` +
    `${steps} steps; at the end ${STATES[state]}`
  )
}

const STATES: Record<ClockState, string> = {
  [ClockState.Unknown]: 'without time',
  [ClockState.Restored]: 'restored',
  [ClockState.Locked]: 'locked',
  [ClockState.Holdover]: 'in holdover',
  [ClockState.Vouched]: 'vouched for',
}

interface Meta {
  unix0: number
  tickHz: number
  captureBias: number
}

function readMeta(file: string): Meta {
  let meta: Record<string, unknown>
  try {
    meta = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new InputError(`${file}: ${reasonOf(error)}`)
  }
  const calibration = meta?.['calibration'] as Record<string, unknown> | undefined
  const need = (value: unknown, name: string, good: (value: number) => boolean): number => {
    if (typeof value !== 'number' || !good(value)) throw new InputError(`${file}: ${name} is missing or no such number`)
    return value
  }
  return {
    unix0: need(meta?.['unix0'], 'unix0', Number.isSafeInteger),
    tickHz: need(meta?.['tick_hz'], 'tick_hz', (hz) => hz >= 1e6 && hz <= 1e9),
    captureBias: need(calibration?.['capture_bias_ns'], 'calibration.capture_bias_ns', (ns) => Math.abs(ns) < 1e6),
  }
}

interface PulseRow extends CapturedPulse {
  temperature: number | undefined
  /** False: the second had no pulse, its ticks are about those of its beginning. */
  captured: boolean
}

/** pulses.csv, one row ahead. */
class PulseReader {
  count = 0
  private readonly csv: CsvReader
  private ahead: PulseRow | undefined
  private last: PulseRow | undefined

  constructor(
    file: string,
    private readonly tickHz: number,
  ) {
    this.csv = new CsvReader(file, ['label_s', 'leap_s', 'leap_warn', 'ticks'], ['temperature_c'])
    this.ahead = this.read()
  }

  /** The next row that belongs to `ticks` or before. */
  upTo(ticks: number): PulseRow | undefined {
    const pulse = this.ahead
    if (pulse === undefined || pulse.ticks > ticks) return undefined
    if (pulse.captured) this.count++
    this.ahead = this.read()
    return pulse
  }

  close(): void {
    this.csv.close()
  }

  private read(): PulseRow | undefined {
    const { csv, last } = this
    const row = csv.next()
    if (row === undefined) return undefined
    const label = this.whole(row[0], 'label_s')
    const captured = isGiven(row[3])
    const since = last === undefined ? 0 : label - last.label
    const ticks = captured ? csv.number(row[3], 'ticks') : Math.floor((last?.ticks ?? 0) + since * this.tickHz)
    if (!Number.isSafeInteger(ticks) || ticks < 0) throw csv.fault(`ticks are not a count: ${row[3]}`)
    // A crystal may have gone a little slower than a second without a pulse was given.
    if (last !== undefined && (captured && last.captured ? ticks <= last.ticks : ticks < last.ticks - this.tickHz))
      throw csv.fault(`ticks are not in order: ${row[3]} after ${last.ticks}`)
    this.last = {
      ticks,
      label,
      leapSeconds: this.whole(row[1], 'leap_s'),
      leapWarning: this.whole(row[2], 'leap_warn') !== 0,
      temperature: isGiven(row[4]) ? csv.number(row[4], 'temperature_c') : undefined,
      captured,
    }
    return this.last
  }

  private whole(text: string | undefined, name: string): number {
    const value = this.csv.number(text, name)
    if (!Number.isSafeInteger(value)) throw this.csv.fault(`${name} is not a whole number: ${text}`)
    return value
  }
}

class Output {
  private text = 'true_s,served_s,dispersion_s\n'
  private readonly descriptor: number

  constructor(readonly file: string) {
    try {
      this.descriptor = openSync(file, 'w')
    } catch (error) {
      throw new InputError(`${file.replace(/\.part$/, '')}: ${reasonOf(error)}`)
    }
  }

  line(text: string): void {
    this.text += `${text}\n`
    if (this.text.length > PIECE) this.flush()
  }

  end(): void {
    this.flush()
    closeSync(this.descriptor)
  }

  abandon(): void {
    closeSync(this.descriptor)
  }

  private flush(): void {
    writeSync(this.descriptor, this.text)
    this.text = ''
  }
}

/** A field that is there and says something. */
function isGiven(text: string | undefined): text is string {
  return text !== undefined && !/^\s*(nan)?\s*$/i.test(text)
}

/**
 * A decimal number's whole part and the rest, each as exact as a double can be: the whole of 658686364347.99996 as one double is
 * ...348, a tick too many.
 */
function wholeAndFraction(text: string): [number, number] {
  const digits = /^\s*\+?(\d+)(\.\d*)?\s*$/.exec(text)
  if (digits) return [Number(digits[1]), Number(`0${digits[2] ?? ''}`)]
  const value = Number(text)
  return [Math.floor(value), value - Math.floor(value)]
}

/** Whole seconds and nanoseconds as decimal seconds with ten digits after the point: 0.1 ns. */
function seconds(whole: number, nanos: number): string {
  let tenths = Math.round(nanos * 10)
  if (tenths >= 1e10) {
    tenths -= 1e10
    whole++
  }
  if (whole >= 0) return `${whole}.${String(tenths).padStart(10, '0')}`
  // Before unix0: -0.3 s is -1 s and 0.7 s.
  if (tenths === 0) return `${whole}.0000000000`
  return `-${-whole - 1}.${String(1e10 - tenths).padStart(10, '0')}`
}
