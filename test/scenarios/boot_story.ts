// Plays the story of a boot: what was before, what is around the board, and step by step what it must serve and say.
//
//   before: { lasts: 3min, off: 3y, battery: good }   a life under an open sky, then time without power; battery: dead,
//                                                     network: none (in that life)
//   rtc: 1.5                                          the DS3231's error, ppm
//   options: [certificate-time=strict]                besides those that name the servers
//   servers: { a.example: {}, b.example: { lies: 1s, until: -1d } }
//            lies, latency, jitter, stratum, leap: insert, silent: true; from and until: the certificate's dates, counted
//            from the boot
//   expect:  each entry holds for every sample from `from` (or 0) to `to` (or the end)
//     - { from: 60s, state: locked, stratum: 1, error: 1us, bound: 100us, alarm: none, dropped: 1, says: text }
//     - { to: 10s, served: false }
//     - { shows: 10ms }         `status` is so close to the truth, to a millisecond; whether or not it is served
//   every: 1s                                         between two samples
//   exchanges: 3                                      key exchanges in all, the life before included
//   leap: insert                                      a true leap second at the end of the month
//
// A sample is one NTP answer, whose receive timestamp is held against the truth, and what `tracking` says. Over the whole story the served error must
// not exceed what the answer says, but for `limits: { coverage: }`.

import { DEFAULT_BOARD } from '../../hal/virtual/board'
import type { SavedRtc } from '../../hal/virtual/machine'
import { ublox } from '../../hal/virtual/receiver'
import type { LeapSecond } from '../../sim/world/world'
import { LAN_BOARD_ORIGIN, LanBoard } from '../../src/lan_board'
import { encodeHeader } from '../../src/nts/packet'
import { served } from '../../src/served'
import { Stage, showNanos } from '../../src/soak/soak'
import { parseDuration, parseStory, type Story } from '../../src/soak/story'
import { type Certificates, type NtsServerOptions, NtsServers, RESOLVER } from './boot_servers'

const SECOND = 1e9
const CLIENT = { ip: 0xc0a8_070a, port: 40_000 }
const YEAR = 31_557_600
const KEYS = ['before', 'rtc', 'options', 'servers', 'expect', 'every', 'leap', 'exchanges']
const EXPECTATIONS = 'from to state stratum served error bound alarm leap dropped says silent shows'.split(' ')
const SERVER_KEYS = 'lies latency jitter stratum leap silent from until'.split(' ')

export interface BootStory {
  story: Story
  /** Nanoseconds that the life before lasted, seconds without power after it; absent: fresh from the factory. */
  before: { lasts: number; off: number; battery: boolean; network: boolean } | undefined
  rtcPpm: number | undefined
  options: string[]
  servers: NtsServerOptions[]
  expect: Expectation[]
  every: number
  leapSecond: LeapSecond | undefined
  exchanges: number | undefined
}

interface Expectation {
  from: number
  to: number
  state?: string
  stratum?: number
  served?: boolean
  error?: number
  bound?: number
  alarm?: string
  leap?: number
  dropped?: number
  says?: string
  silent?: string
  shows?: number
}

/** What was seen at one instant, nanoseconds after the boot. */
export interface Sight {
  at: number
  /** 16: not synchronised. */
  stratum: number
  leap: number
  error: number
  bound: number
  /** What `tracking` says of that bound: without what the answer's own receive timestamp may be wrong by. */
  told: number
  state: string
  alarm: string
  dropped: number
  tracking: string
  /** What the time in `status` is ahead of true UTC; 0 when no story asks. */
  shown: number
}

export interface Boot {
  sights: Sight[]
  exchanges: number
  traps: number
  /** What the console said by itself; and at the end of `sources` and `authdata`. */
  console: string
}

type Raw = Record<string, unknown>

export function parseBootStory(text: string, file: string): BootStory {
  const story = parseStory(text, file, KEYS)
  const { more } = story
  const fail = (what: string): never => {
    throw new Error(`${file}: ${what}`)
  }
  const check = (map: Raw, keys: string[]) => {
    for (const key of Object.keys(map))
      if (!keys.includes(key)) fail(`${key} is not known here: ${keys.join(', ')} are`)
  }
  const time = (value: unknown, otherwise: number): number =>
    value === undefined ? otherwise : (span(value) ?? fail(`${value} is no time`))
  const begins = story.begins ?? LAN_BOARD_ORIGIN
  const before = more['before'] as Raw | undefined
  if (before) check(before, ['lasts', 'off', 'battery', 'network'])
  return {
    story,
    before: before && {
      lasts: time(before['lasts'], 120 * SECOND),
      off: Math.round(time(before['off'], 10 * SECOND) / SECOND),
      battery: before['battery'] !== 'dead',
      network: before['network'] !== 'none',
    },
    rtcPpm: more['rtc'] as number | undefined,
    options: (more['options'] as string[] | undefined) ?? [],
    servers: Object.entries((more['servers'] as Record<string, Raw> | undefined) ?? {}).map(([name, raw]) => {
      check(raw, SERVER_KEYS)
      return {
        name,
        lies: time(raw['lies'], 0),
        latency: time(raw['latency'], 200_000),
        jitter: time(raw['jitter'], 100_000),
        stratum: (raw['stratum'] as number | undefined) ?? 1,
        leap: raw['leap'] === undefined ? undefined : ['none', 'insert', 'delete'].indexOf(String(raw['leap'])),
        silent: raw['silent'] === true,
        notBefore: Math.round(begins + time(raw['from'], -30 * 86_400 * SECOND) / SECOND),
        notAfter: Math.round(begins + time(raw['until'], 90 * 86_400 * SECOND) / SECOND),
      }
    }),
    expect: ((more['expect'] as Raw[] | undefined) ?? []).map((raw) => {
      check(raw, EXPECTATIONS)
      const given = { ...raw } as Raw
      for (const key of ['error', 'bound', 'shows']) if (key in raw) given[key] = time(raw[key], 0)
      if ('leap' in raw) given['leap'] = ['none', 'insert', 'delete'].indexOf(String(raw['leap']))
      return { ...given, from: time(raw['from'], 0), to: time(raw['to'], story.lasts) } as Expectation
    }),
    every: time(more['every'], SECOND),
    exchanges: more['exchanges'] as number | undefined,
    leapSecond:
      more['leap'] === undefined
        ? undefined
        : { midnight: monthAfter(begins), change: more['leap'] === 'insert' ? 1 : -1 },
  }
}

/** The midnight with which the next month begins. */
function monthAfter(seconds: number): number {
  const date = new Date(seconds * 1000)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / 1000
}

/** As `parseDuration`, and years. */
function span(value: unknown): number | undefined {
  const years = /^(-?\d+(?:\.\d+)?) ?y$/.exec(String(value))
  return years ? Number(years[1]) * YEAR * SECOND : value === 0 ? 0 : parseDuration(String(value))
}

export function playBoot(wasm: Uint8Array, boot: BootStory, certificates: Certificates): Boot {
  const { story, before } = boot
  const servers = new NtsServers(boot.servers, certificates, story.seed)
  const begins = story.begins ?? LAN_BOARD_ORIGIN
  const options = [...boot.servers.map(({ name }) => `server=${name} nts`), `dns=${RESOLVER}`, ...boot.options]
  const made = (unixOrigin: number, kept: { flash?: Uint8Array; rtc?: SavedRtc }, warm: boolean) =>
    new LanBoard({
      wasm,
      world: {
        ...story.world,
        seed: story.seed,
        unixOrigin,
        ...(boot.leapSecond ? { leapSecond: boot.leapSecond } : {}),
      },
      machine: {
        board: { ...DEFAULT_BOARD, address: '192.168.7.1', mask: '255.255.255.0', names: ['noonmark.local'], options },
        receiver: ublox({ warm }),
        anchors: certificates.anchors(),
        ...(boot.rtcPpm === undefined ? {} : { rtcPpm: boot.rtcPpm }),
        ...kept,
      },
    })
  let kept = {}
  if (before) {
    const past = Math.ceil(before.lasts / SECOND)
    const board = made(begins - before.off - past, {}, true)
    if (before.network) servers.attach(board)
    board.advance(past * SECOND)
    const rtc = board.machine.saveRtc()
    const flash = board.machine.flash.bytes.slice()
    kept = before.battery ? { flash, rtc: aged(rtc, before.off, boot.rtcPpm ?? 0) } : { flash }
  }
  const board = made(begins, kept, before?.battery === true && !story.cold)
  servers.attach(board)
  return { ...watch(board, boot), exchanges: servers.exchanges }
}

function watch(board: LanBoard, { story, every, expect }: BootStory): Omit<Boot, 'exchanges'> {
  const stage = new Stage(board, story.events)
  const sights: Sight[] = []
  const asksShown = expect.some(({ shows }) => shows !== undefined)
  let transmit = 1n << 40n
  let text = ''
  while (board.now < story.lasts) {
    stage.runUntil(Math.min(board.now + every, story.lasts))
    text += board.consoleText
    transmit += 0x1_0000_0001n
    const answer = served(board, encodeHeader(transmit), CLIENT)
    const synchronised = answer !== undefined && answer.header.leap !== 3 && answer.header.stratum !== 0
    const tracking = board.ask('tracking')
    const shown = asksShown ? shownError(board) : 0
    board.consoleText = ''
    const word = (label: string) => new RegExp(`^${label} *: (.*?)\\r?$`, 'm').exec(tracking)?.[1] ?? ''
    sights.push({
      at: board.now,
      stratum: synchronised ? answer.header.stratum : 16,
      leap: answer?.header.leap ?? 3,
      error: synchronised ? answer.t2 : 0,
      bound: synchronised ? answer.dispersion + answer.header.rootDelay * 5e8 : 0,
      told: (Number.parseFloat(word('Root dispersion')) + Number.parseFloat(word('Root delay')) / 2) * SECOND,
      state: word('Trust').split(',')[0]!,
      alarm: word('Alarm'),
      dropped: Number(/(\d+) servers dropped/.exec(tracking)?.[1] ?? 0),
      tracking,
      shown,
    })
  }
  text += board.ask('sources') + board.ask('authdata')
  return { sights, traps: board.machine.counters.traps + board.machine.counters.watchdogs, console: text }
}

/** The time in `status` less true UTC, nanoseconds; not a number when there is none. Inside 23:59:60 both count on from 23:59:59. */
function shownError(board: LanBoard): number {
  const asked = board.now
  const time = /time=(\S+?):(\d\d\.\d+)Z/.exec(board.ask('status'))
  const { seconds, nanos, leap } = board.world.utc(asked)
  const shown = time ? Date.parse(`${time[1]}:00Z`) / 1000 + Number(time[2]) : Number.NaN
  return (shown - seconds - leap) * SECOND - nanos
}

/** What does not hold, in sentences; the first of each expectation. */
export function bootFailures({ story, expect, exchanges }: BootStory, { sights, traps, ...result }: Boot): string[] {
  const found: string[] = []
  for (const wanted of expect) {
    const within = sights.filter(({ at }) => at >= wanted.from && at <= wanted.to)
    if (within.length === 0) found.push(`nothing was seen from ${when(wanted.from)} to ${when(wanted.to)}`)
    for (const sight of within) {
      const wrong = contradiction(wanted, sight)
      if (!wrong) continue
      found.push(`at ${when(sight.at)} of ${when(wanted.from)} to ${when(wanted.to)}: ${wrong}`)
      break
    }
  }
  const claims = sights.filter(({ stratum }) => stratum < 16)
  const kept = claims.filter(({ error, bound }) => Math.abs(error) <= bound).length
  if (claims.length > 0 && kept / claims.length < (story.limits.coverage ?? 1)) {
    const first = claims.find(({ error, bound }) => Math.abs(error) > bound)!
    const { at, error, bound } = first
    found.push(
      `${claims.length - kept} answers wrong: first at ${when(at)}, ${showNanos(error)} of ${showNanos(bound)}`,
    )
  }
  if (exchanges !== undefined && result.exchanges !== exchanges) found.push(`${result.exchanges} key exchanges`)
  if (traps > 0) found.push(`${traps} traps and watchdogs`)
  return found
}

function contradiction(wanted: Expectation, sight: Sight): string | undefined {
  const { state, stratum, served, error, bound, alarm, leap, dropped, says, silent, shows } = wanted
  const is = sight.stratum < 16
  if (state !== undefined && !state.split(' or ').includes(sight.state)) return `${sight.state}, not ${state}`
  if (stratum !== undefined && sight.stratum !== stratum) return `stratum ${sight.stratum}, not ${stratum}`
  if (served !== undefined && is !== served) return is ? `served, stratum ${sight.stratum}` : 'not served'
  if (error !== undefined && Math.abs(sight.error) > error) return `wrong by ${showNanos(sight.error)}`
  if (bound !== undefined && sight.told > bound) return `bound ${showNanos(sight.told)}`
  if (alarm !== undefined && !(alarm === 'none' ? sight.alarm === 'none' : sight.alarm.includes(alarm)))
    return `alarm: ${sight.alarm}`
  if (leap !== undefined && sight.leap !== leap) return `leap indicator ${sight.leap}`
  if (dropped !== undefined && sight.dropped !== dropped) return `${sight.dropped} dropped`
  if (says !== undefined && !sight.tracking.includes(says)) return `does not say ${says}`
  if (shows !== undefined && !(Math.abs(sight.shown) <= shows))
    return `shows a time that is off by ${showNanos(sight.shown)}`
  if (silent !== undefined && sight.tracking.includes(silent)) return `says ${silent}`
  return undefined
}

/** The story in lines: each change of state, stratum, alarm or leap indicator. */
export function chronicle({ story }: BootStory, { sights, exchanges }: Boot): string {
  const lines = [`${story.name}: ${when(story.lasts)}, ${exchanges} key exchanges`]
  let last = ''
  let worst = 0
  let widest = 0
  let from = 0
  const flush = (to: number) => {
    if (last !== '') {
      const numbers = worst === 0 ? '' : `; error <= ${showNanos(worst)}, bound <= ${showNanos(widest)}`
      lines.push(`  ${when(from).padStart(8)} to ${when(to).padEnd(8)} ${last}${numbers}`)
    }
    worst = 0
    widest = 0
    from = to
  }
  for (const { at, state, stratum, alarm, leap, dropped, error, told } of sights) {
    const about = alarm.replace(/-?\d+ ns/, '')
    const now = `${state}, stratum ${stratum}, leap ${leap}, alarm ${about}${dropped === 0 ? '' : `, ${dropped} dropped`}`
    if (now !== last) {
      flush(at)
      last = now
    }
    worst = Math.max(worst, Math.abs(error))
    if (stratum < 16) widest = Math.max(widest, told)
  }
  flush(story.lasts)
  return lines.join('\n')
}

function when(nanos: number): string {
  return nanos < 600e9 ? `${(nanos / SECOND).toFixed(0)} s` : `${(nanos / 60e9).toFixed(1)} min`
}

/**
 * A DS3231 that has run for `off` seconds since it was saved, with an error of `ppm`. Second by second three years would
 * take long; nothing but time and date has changed.
 */
function aged(saved: SavedRtc, off: number, ppm: number): SavedRtc {
  const state = saved.state.slice()
  const bcd = (value: number) => ((value / 10) << 4) | (value % 10)
  const decimal = (byte: number) => (byte >> 4) * 10 + (byte & 15)
  const [second = 0, minute = 0, hour = 0, , day = 0, month = 0, year = 0] = state.slice(0, 7)
  const shown = Date.UTC(
    2000 + decimal(year),
    decimal(month & 0x1f) - 1,
    decimal(day),
    decimal(hour),
    decimal(minute),
    decimal(second),
  )
  const date = new Date(shown + off * 1000)
  state.set([bcd(date.getUTCSeconds()), bcd(date.getUTCMinutes()), bcd(date.getUTCHours())])
  state.set([bcd(date.getUTCDate()), bcd(date.getUTCMonth() + 1), bcd(date.getUTCFullYear() - 2000)], 4)
  // The part that runs fast shows this time earlier than it is true.
  const seconds = saved.seconds + off - off * ppm * 1e-6
  const whole = Math.floor(seconds)
  return { state, seconds: whole, nanos: saved.nanos + (seconds - whole) * SECOND }
}
